"""The sale of a block: what it brings within so many days over the orderly price, and how long the price remembers it.

The model knows months. A block to be sold within a week is offered whole in its month, without reserve, to a quarter of
the contacts that its seller would reach in a month; within 30 days to all of those; within 90 and 180 days in three and
six parts, at a reserve that falls from the appraisal to nothing (:func:`simulation.interventions.sell_block`). What is
not sold in time brings nothing. All runs are without stress, so that nobody else must sell for that reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from agents.tables.clock import DAYS
from agents.tables.events import SaleReason
from experiments.many import play_many
from experiments.prices import price_path
from simulation.record.summary import reference_row
from simulation.scenario.config import set_path
from simulation.scenario.scenario import Scenario
from simulation.world.world import World

#: The block: units and month.
BLOCK, BLOCK_MONTH = 10_000.0, 30
#: Months for which the price is followed; what has not healed by then counts as healing then.
FOLLOWED = 24
#: Within how many days it is sold, and the recorded share of the price that each brings.
HORIZONS = {7: "liq_factor_distressed_7d", 30: "liq_factor_auction_30d", 90: "liq_factor_broker_90d", 180: "liq_factor_orderly_180d"}  # fmt: skip
#: A calm market.
CALM: dict[str, Any] = {"drivers.regimes.entry": 0.0}
#: Months that a run needs: the block, what follows it, and the month itself.
MONTHS = BLOCK_MONTH + FOLLOWED + 1


class Sold(NamedTuple):
    """One run with or without a block: the reference generation's price (as in :func:`experiments.prices.price_path`),
    appraisal (USD/GPU) and stock (GPU) by month, and what was sold of the block by month: units (GPU) and proceeds (USD)."""

    price: np.ndarray
    appraisal: np.ndarray
    stock: np.ndarray
    units: np.ndarray
    usd: np.ndarray


def read(world: World, _: dict[str, Any]) -> Sold:
    """Return what a finished run shows."""
    months, n_g = len(world.panel), len(world.chips)
    market = world.chip_panel.view(np.ndarray).reshape(months, n_g)[:, reference_row(world)]
    t = world.trades.view(np.ndarray)[: int(world.clock["trades"][0])]
    t = t[t["reason"] == SaleReason.IMPOSED]
    units, usd = np.zeros((2, months))
    np.add.at(units, t["month"], t["units"])
    np.add.at(usd, t["month"], t["units"] * t["price"])
    return Sold(price_path(world, reference_row(world)), market["appraisal"].copy(), market["stock"].copy(), units, usd)


def reference_name(scenario: Scenario) -> str:
    """Return the name of the generation that the block is of: the one that summaries follow."""
    named = scenario.marks.reference_chip
    return named or min(scenario.chips, key=lambda chip: abs(chip.performance - 1.0)).name


def block_of(scenario: Scenario, days: int) -> dict[str, Any]:
    """Return the changes that bring the block."""
    return {
        "drivers.block.month": BLOCK_MONTH, "drivers.block.chip": reference_name(scenario), "drivers.block.units": BLOCK,
        "drivers.block.days": days,
    }  # fmt: skip


def too_short(scenario: Scenario) -> str:
    """Return why a scenario cannot show the sale of a block, "" if it can."""
    months = scenario.run.months
    return f"needs a run of {MONTHS} months; this one has {months}" if months < MONTHS else ""


def without_block(scenario: Scenario, seeds: Sequence[int]) -> list[Sold]:
    """Run the calm market without the block over seeds."""
    return play_many(set_path(scenario, CALM), seeds, read)


def with_block(scenario: Scenario, seeds: Sequence[int], days: int) -> list[Sold]:
    """Run the calm market with a block to be sold within ``days`` over seeds."""
    return play_many(set_path(scenario, {**CALM, **block_of(scenario, days)}), seeds, read)


def months_of(days: int) -> slice:
    """Return the months in which a block is sold that is to go within ``days``."""
    return slice(BLOCK_MONTH, BLOCK_MONTH + 1 + (days - 1) // DAYS)


def brought(with_it: Sold, without: Sold, days: int) -> tuple[float, float]:
    """Return (proceeds within ``days``, what all of the block would have brought at the orderly price), USD.

    The orderly price is the mean appraisal of the months of the sale in the same run without the block.
    """
    when = months_of(days)
    return float(with_it.usd[when].sum()), BLOCK * float(without.appraisal[when].mean())


def sold_share(with_it: Sold, days: int) -> float:
    """Return the share of the block that is sold within ``days``."""
    return float(with_it.units[months_of(days)].sum()) / BLOCK


def stock_share(with_it: Sold, without: Sold) -> float:
    """Return the block over the units in existence before it."""
    return BLOCK / float(without.stock[BLOCK_MONTH - 1])


def falls(with_it: Sold, without: Sold) -> np.ndarray:
    """Return how far the price is below what it would have been, by month from the block on (ratio)."""
    months = slice(BLOCK_MONTH, BLOCK_MONTH + FOLLOWED + 1)
    return 1.0 - with_it.price[months] / without.price[months]


def half_life(fall: np.ndarray) -> float:
    """Return the months until half of the first fall is made good, in a straight line between months.

    nan where the price did not fall, the last month where it is not made good by then.
    """
    if not fall[0] > 0.0:
        return float("nan")
    half = 0.5 * fall[0]
    healed = fall <= half
    if not healed.any():
        return float(len(fall) - 1)
    after = int(healed.argmax())
    return after - 1 + float((fall[after - 1] - half) / (fall[after - 1] - fall[after]))
