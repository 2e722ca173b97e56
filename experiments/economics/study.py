"""Play a scenario over seeds and measure it: the table, the sale of a block, what its half-life hangs on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from agents.rule import source_hash
from experiments.economics import block, credit, hangs, market, sales, supply
from experiments.economics.hangs import Change
from experiments.economics.measure import Measure, Pairs, Played
from experiments.economics.table import Row, summed_up
from experiments.many import play_many
from simulation.scenario.config import set_path
from simulation.scenario.scenario import Scenario
from simulation.world.world import World

#: The runs that measures are read from, and what is changed in them.
ARMS: dict[str, dict[str, Any]] = {"base": {}, "calm": sales.CALM}


@dataclass(frozen=True)
class Study:
    """What was found: the rows, and what the block does as the scenario is and with one parameter after another changed."""

    scenario: Scenario
    seeds: Sequence[int]
    rows: list[Row]
    changes: list[Change] = field(default_factory=list)

    @property
    def about(self) -> str:
        """What was played: the scenario, the seeds, the sources of the rules."""
        return f"{self.scenario.title}; seeds {self.seeds[0]} to {self.seeds[-1]}; rules {source_hash()}"

    def row(self, key: str) -> Row:
        """Return the row of a measure. Raises KeyError."""
        return {row.key: row for row in self.rows}[key]


def measures(scenario: Scenario) -> list[Measure]:
    """Return the measures that are read run by run."""
    return [*credit.measures(scenario), *market.measures(scenario), *supply.measures(scenario)]


def played(
    scenario: Scenario, seeds: Sequence[int], wanted: Sequence[Measure]
) -> tuple[dict[str, list[Pairs]], np.ndarray]:
    """Play the scenario over seeds; return the observations of each measure by run, and which runs were systemic."""

    def read(world: World, summary: dict[str, Any]) -> tuple[list[Pairs], bool]:
        run = Played(scenario, world, summary)
        return [measure.read(run) for measure in wanted], bool(summary["systemic"])

    found = play_many(scenario, seeds, read)
    seen = {measure.key: [observed[k] for observed, _ in found] for k, measure in enumerate(wanted)}
    return seen, np.array([bad for _, bad in found])


def study(
    scenario: Scenario, seeds: Sequence[int], say: Callable[[str], Any] = lambda text: None, *, hanging: bool = True
) -> Study:
    """Measure a scenario over seeds; ``hanging`` asks, too, what the half-life of a block hangs on."""
    rows = [*run_by_run(scenario, seeds, say)]
    why_not = sales.too_short(scenario)
    if why_not:
        rows += [summed_up(measure, [], note=why_not) for measure in block.declared(scenario)]
        return Study(scenario, seeds, rows)
    seen = block.observe(block.play(scenario, seeds, say))
    rows += [summed_up(measure, seen[measure.key]) for measure in block.declared(scenario)]
    changes = hangs.hangs_on(scenario, seeds, say) if hanging else []
    return Study(scenario, seeds, rows + hangs.rows(changes), changes)


def run_by_run(scenario: Scenario, seeds: Sequence[int], say: Callable[[str], Any]) -> list[Row]:
    """Return the rows of the measures that are read run by run."""
    asked = measures(scenario)
    seen: dict[str, list[Pairs]] = {}
    systemic: dict[str, np.ndarray] = {}
    for arm, changes in ARMS.items():
        say(f"{len(seeds)} runs, {arm}")
        wanted = [measure for measure in asked if measure.arm == arm]
        observed, bad = played(set_path(scenario, changes) if changes else scenario, seeds, wanted)
        seen |= observed
        systemic |= {key: bad for key in observed}
    return [summed_up(measure, seen[measure.key], systemic[measure.key]) for measure in asked]
