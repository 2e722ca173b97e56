"""Measures of the sale of a block: the curve by horizon, the fall of the price and its half-life."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from experiments.economics import sales
from experiments.economics.measure import Aim, Measure, Pairs, Played, pair
from experiments.economics.record import recorded
from experiments.economics.sales import BLOCK, BLOCK_MONTH, HORIZONS, Sold
from simulation.scenario.scenario import Scenario

GROUP = "Sale of a block"
#: The horizon at which the block is what it was in the claims: all at once.
AT_ONCE = 30
#: The model's curve should lie within this of the record.
NEAR = 0.15

#: Runs by horizon (days; 0 without a block), in the order of the seeds.
Arms = dict[int, list[Sold]]


def _not_of_a_run(_: Played) -> Pairs:
    raise TypeError("read from pairs of runs, with and without the block")


def declared(scenario: Scenario) -> list[Measure]:
    """Return the measures of a block for a scenario."""
    group, name = GROUP, sales.reference_name(scenario)
    what = f"{BLOCK:,.0f} {name}s that come in month {BLOCK_MONTH} of a run without stress"
    found = [
        Measure("block.stock", group, "the block over the stock", "share", f"{what}, over the units in existence before", _not_of_a_run),
    ]  # fmt: skip
    for days, key in HORIZONS.items():
        aim = Aim(recorded(key) - NEAR, recorded(key) + NEAR)
        found += [
            Measure(f"block.brings.{days}", group, f"brought within {days} days", "ratio", f"proceeds of {what} within {days} days over all units at the orderly price: the mean appraisal of those months without the block", _not_of_a_run, record=key, aim=aim),
            Measure(f"block.sold.{days}", group, f"sold within {days} days", "share", "units sold in time over the block", _not_of_a_run),
        ]  # fmt: skip
    found += [
        Measure("block.fall", group, "fall of the price", "share", f"price in the month of {what} and are sold in it, below that without the block; the price of a month is that of its trades, else the appraisal", _not_of_a_run),
        Measure("block.half_life", group, "half-life", "months", f"until half of that fall is made good, run by run ({sales.FOLLOWED} where it is not by then)", _not_of_a_run),
        Measure("block.half_life.mean", group, "half-life of the mean path", "months", "the same of the mean over runs of the fall by month", _not_of_a_run, of="mean path"),
    ]  # fmt: skip
    return found


def play(scenario: Scenario, seeds: Sequence[int], say: Callable[[str], Any]) -> Arms:
    """Run the calm market without the block, and with it for each horizon."""
    arms: Arms = {0: sales.without_block(scenario, seeds)}
    for days in HORIZONS:
        say(f"a block sold within {days} days")
        arms[days] = sales.with_block(scenario, seeds, days)
    return arms


def observe(arms: Arms) -> dict[str, list[Pairs]]:
    """Return the observations of each measure, by run."""
    calm, at_once = arms[0], arms[AT_ONCE]
    seen: dict[str, list[Pairs]] = {
        "block.stock": [pair(sales.stock_share(w, o)) for w, o in zip(at_once, calm, strict=True)]
    }
    for days in HORIZONS:
        seen[f"block.brings.{days}"] = [pair(*sales.brought(w, o, days)) for w, o in zip(arms[days], calm, strict=True)]
        seen[f"block.sold.{days}"] = [pair(sales.sold_share(w, days)) for w in arms[days]]
    return seen | responses(at_once, calm)


def responses(hit: Sequence[Sold], calm: Sequence[Sold]) -> dict[str, list[Pairs]]:
    """Return the observations of the fall and of its half-life, by run, and of the half-life of the mean path."""
    paths = [sales.falls(w, o) for w, o in zip(hit, calm, strict=True)]
    return {
        "block.fall": [pair(float(path[0])) for path in paths],
        "block.half_life": [_defined(sales.half_life(path)) for path in paths],
        "block.half_life.mean": [_defined(sales.half_life(np.mean(paths, 0)))],
    }


def _defined(value: float) -> Pairs:
    return pair(value) if math.isfinite(value) else pair(0.0, 0.0)
