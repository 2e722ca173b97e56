"""The Mesa model: agents are views of rows, a step is a month, the numbers are those of ``run`` bit for bit."""

from __future__ import annotations

from typing import Any

import mesa

from agents.schema import column_names
from agents.tables.clock import DAYS
from agents.views import Customer, HardwareBuyer, Lender, Miner, Neocloud, RowAgent
from simulation.interventions import fail_agent, sell_block
from simulation.month import MONTH, STEP, advance
from simulation.record.summary import summarise
from simulation.runs import Result, raise_fault
from simulation.scenario.scenario import Scenario
from simulation.world.build import build_world


class ComputeCreditModel(mesa.Model):
    """The credit market behind GPUs as a Mesa ``Model``.

    ``agents`` are Lender, Miner, Neocloud, HardwareBuyer and Customer views: reading or writing an attribute reads or
    writes the row of the world. ``step()`` is a month; after the horizon it does nothing. The rules of the
    engine act, not Mesa's scheduler, so ``step`` gives the same bits as :func:`simulation.runs.run`.

    Parameters
    ----------
    scenario: the scenario, or None for the shipped base.
    rng: the seed of the run (an integer).
    tape: rows of the tape of auctions (table ``tape`` of the world), for whoever watches.
    """

    def __init__(self, scenario: Scenario | None = None, *, rng: int = 1, replication: int = 0, tape: int = 0) -> None:
        super().__init__(rng=rng)
        if scenario is None:
            from simulation.scenario.config import load_scenario
            from simulation.scenario.document import base_config

            scenario = load_scenario(base_config())
        # Not "scenario": Mesa keeps its own kind of scenario under that name.
        self.config = scenario
        self.run_seed = int(rng)
        self.replication = replication
        self.world = build_world(scenario, self.run_seed, replication, tape=tape)
        self._create_views()
        self.datacollector = mesa.DataCollector(
            model_reporters={name: [_last, [self, name]] for name in column_names(self.world.panel) if name != "month"}
        )

    def _create_views(self) -> None:
        """Create one view a row (the outside investors and the backstop are rows, not agents)."""
        world = self.world
        for row in range(len(world.lenders) - 1):
            Lender(self, world.lenders, row, row)
        offset = len(world.lenders)
        for row in range(len(world.operators)):
            kind = Miner if world.operators.kind[row] == 1 else Neocloud
            kind(self, world.operators, row, offset + row)
        offset += len(world.operators)
        for row in range(len(world.buyers) - 1):
            HardwareBuyer(self, world.buyers, row, offset + row)
        offset = len(world.first_lot)
        for row in range(len(world.customers)):
            Customer(self, world.customers, row, offset + row)

    @property
    def month(self) -> int:
        """Months completed."""
        return int(self.world.clock[0].month)

    @property
    def finished(self) -> bool:
        """Whether the horizon is reached."""
        return self.month >= len(self.world.panel)

    def step(self) -> None:
        """Advance to the end of the month and collect its measures."""
        if self.finished:
            self.running = False
            return
        advance(self.world, MONTH)
        raise_fault(self.world, self.config)
        self.datacollector.collect(self)
        self.running = not self.finished

    def step_phase(self) -> None:
        """Advance by one phase of the month, or one round of the cascade."""
        if self.finished:
            self.running = False
            return
        month = self.month
        advance(self.world, STEP)
        raise_fault(self.world, self.config)
        if self.month > month:
            self.datacollector.collect(self)
        self.running = not self.finished

    def fail(self, node: int) -> None:
        """Let a lender or an operator fail in the next round of a cascade. Raises ValueError."""
        fail_agent(self.world, node)

    def sell_block(self, chip: str, units: float, days: int = DAYS) -> None:
        """Put ``units`` GPUs of a generation on the market in the next round of a cascade, to be sold within ``days``.

        See :func:`simulation.interventions.sell_block`. Raises ValueError.
        """
        sell_block(self.world, [c.name for c in self.config.chips], chip, units, days)

    def result(self) -> Result:
        """Return the result so far (summary, panels, events, trades)."""
        return Result(self.config, self.run_seed, self.replication, self.world, summarise(self.world))


def _last(model: ComputeCreditModel, name: str) -> Any:
    """Return a column of the last completed month."""
    return model.world.panel[name][max(0, model.month - 1)]


__all__ = ["ComputeCreditModel", "Customer", "HardwareBuyer", "Lender", "Miner", "Neocloud", "RowAgent"]
