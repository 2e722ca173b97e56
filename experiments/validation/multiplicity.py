"""Could the base have come out worse? Greatest and least fire-sale equilibrium of its loans, in calm and at the worst month."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from simulation.build import build_world
from simulation.equilibrium import world_equilibrium
from simulation.month import CASCADE, MONTH, STEP, advance
from simulation.runs import raise_fault, run
from simulation.scenario import Scenario
from simulation.world import World

_CHIP = "H100"


class Pair(NamedTuple):
    """One world at the opening of a cascade: H100 prices (USD) before any sale, in the greatest and in the least equilibrium,
    and the share of secured debt that the collateral does not cover in each."""

    price: float
    greatest: float
    least: float
    uncovered_greatest: float
    uncovered_least: float


class Multiplicity(NamedTuple):
    """Pairs over seeds in a calm month and at each run's worst month."""

    calm_month: int
    calm: list[Pair]
    worst: list[Pair]


def _pair(world: World, g: int) -> Pair:
    while world.clock[0].phase != CASCADE:
        advance(world, STEP)
    raise_fault(world)
    top, low = world_equilibrium(world), world_equilibrium(world, greatest=False)
    chip = world.chips[g]
    debt = max(1.0, float(world.loans.principal[world.loans.kind == 0].sum()))
    price = float(min(chip.appraisal, chip.fundamental))
    return Pair(price, float(top.prices[g]), float(low.prices[g]), top.uncovered / debt, low.uncovered / debt)


def measure(scenario: Scenario, seeds: range, calm_month: int = 20) -> Multiplicity:
    """Return both equilibria for each seed; the worst month is the one of the largest defaults within three months."""

    chip = [c.name for c in scenario.chips].index(_CHIP)

    def one(seed: int) -> tuple[Pair, Pair]:
        worst = int(run(scenario, seed, amplification=False).summary["worst_month"])
        pairs = []
        for month in (calm_month, worst):
            world = build_world(scenario, seed)
            while world.clock[0].month < month:
                advance(world, MONTH)
            pairs.append(_pair(world, chip))
        return pairs[0], pairs[1]

    with ThreadPoolExecutor() as pool:
        found = list(pool.map(one, seeds))
    return Multiplicity(calm_month, [a for a, _ in found], [b for _, b in found])


def rows(result: Multiplicity) -> list[tuple[str, str, str, str, str]]:
    """Return table rows: when, share of seeds in which the equilibria differ by more than 1 %, medians of both falls, debt uncovered."""
    table = []
    for when, pairs in ((f"calm (month {result.calm_month})", result.calm), ("worst month of each run", result.worst)):
        start, top, low, covered, bare = (np.array(column) for column in zip(*pairs, strict=True))
        differ = low < 0.99 * top
        falls = [f"{np.median(1 - p / start):.0%} [{np.percentile(1 - p / start, 10):.0%}, {np.percentile(1 - p / start, 90):.0%}]" for p in (top, low)]
        table.append((when, f"{differ.mean():.0%}", *falls, f"{np.median(covered):.0%} / {np.median(bare):.0%}"))
    return table
