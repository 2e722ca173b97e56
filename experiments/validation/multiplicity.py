"""Could the base have come out worse? Greatest and least fire-sale equilibrium of its loans, in calm and at the worst month."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from agents.tables.loans import LoanKind
from experiments.many import spread
from simulation.literature.equilibrium import world_equilibrium
from simulation.month import CASCADE, MONTH, STEP, advance
from simulation.runs import raise_fault, run
from simulation.scenario.scenario import Scenario
from simulation.world.build import build_world
from simulation.world.world import World

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
    """Pairs over seeds in a calm month and at the worst month of the runs with defaults; which of these were systemic."""

    calm_month: int
    calm: list[Pair]
    worst: list[Pair]
    systemic: list[bool]


#: Heads of :func:`rows`.
HEADS = (
    "when",
    "runs",
    "equilibria differ",
    "H100 falls in the greatest",
    "in the least",
    "debt uncovered, greatest",
    "least",
)


def _pair(world: World, chip: int) -> Pair:
    while world.clock[0].phase != CASCADE:
        advance(world, STEP)
    raise_fault(world)
    top, low = world_equilibrium(world), world_equilibrium(world, greatest=False)
    debt = max(1.0, float(world.loans["principal"][world.loans["kind"] == LoanKind.EQUIPMENT].sum()))
    price = float(min(world.chips[chip].appraisal, world.chips[chip].fundamental))
    return Pair(price, float(top.prices[chip]), float(low.prices[chip]), top.uncovered / debt, low.uncovered / debt)


def measure(scenario: Scenario, seeds: range, calm_month: int = 20) -> Multiplicity:
    """Return both equilibria for each seed; the worst month is the one of the largest defaults within three months."""
    chip = [c.name for c in scenario.chips].index(_CHIP)

    def at(seed: int, month: int) -> Pair:
        world = build_world(scenario, seed)
        while world.clock[0].month < month:
            advance(world, MONTH)
        return _pair(world, chip)

    def one(seed: int) -> tuple[Pair, Pair | None, bool]:
        told = run(scenario, seed, amplification=False).summary
        worst = int(told["worst_month"])
        return at(seed, calm_month), at(seed, worst) if worst >= 0 else None, bool(told["systemic"])

    found = spread(one, seeds)
    busts = [(pair, systemic) for _, pair, systemic in found if pair is not None]
    return Multiplicity(
        calm_month, [pair for pair, _, _ in found], [pair for pair, _ in busts], [systemic for _, systemic in busts]
    )


def rows(result: Multiplicity) -> list[tuple[str, ...]]:
    """Return table rows: when, runs, share in which the equilibria differ by more than 1 %, falls of the H100's price
    (median and 10 to 90 %), and mean share of secured debt that collateral does not cover."""
    bad = [pair for pair, systemic in zip(result.worst, result.systemic, strict=True) if systemic]
    table = []
    for when, pairs in (
        (f"calm (month {result.calm_month})", result.calm),
        ("worst month, runs with defaults", result.worst),
        ("worst month of systemic runs", bad),
    ):
        if not pairs:
            continue
        start, top, low, covered, bare = (np.array(column) for column in zip(*pairs, strict=True))
        falls = [1 - p / start for p in (top, low)]
        told = [
            f"{np.median(fall):.0%} [{np.percentile(fall, 10):.0%}, {np.percentile(fall, 90):.0%}]" for fall in falls
        ]
        table.append(
            (
                when,
                str(len(pairs)),
                f"{(low < 0.99 * top).mean():.0%}",
                *told,
                f"{covered.mean():.0%}",
                f"{bare.mean():.0%}",
            )
        )
    return table
