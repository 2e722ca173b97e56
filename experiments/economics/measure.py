"""A measure: what it is, how a run is read, what the record or the aim is; and a run as measures read it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from agents.tables.buyers import BuyerKind
from agents.tables.events import SaleReason
from simulation.record.summary import reference_row
from simulation.scenario.scenario import Scenario
from simulation.world.world import World

#: Observations: (numerator, denominator) a row. The value of one is their ratio; over all runs both are summed first.
Pairs = np.ndarray
#: What is not forced: sales of owners that choose to, and of dealers.
VOLUNTARY = (SaleReason.CHURN, SaleReason.DEALER)


def pair(numerator: float, denominator: float = 1.0) -> Pairs:
    """Return one observation; with a denominator of 0 there is none in this run."""
    return np.array([[numerator, denominator]], float)


class Aim(NamedTuple):
    """Between which values (inclusive) the ``mean`` or the ``median`` of a measure should lie."""

    low: float
    high: float
    of: str = "mean"


class Measure(NamedTuple):
    """One measure. ``read`` gives the observations of a run; ``of`` says what one observation is, ``arm`` in which runs.

    ``record`` is a key of the recorded facts.
    """

    key: str
    group: str
    label: str
    unit: str
    definition: str
    read: Callable[[Played], Pairs]
    of: str = "run"
    arm: str = "base"
    record: str = ""
    aim: Aim | None = None


@dataclass(frozen=True)
class Played:
    """A finished run as measures read it: plain arrays, months in rows, generations in columns."""

    scenario: Scenario
    world: World
    summary: dict[str, Any]

    @cached_property
    def months(self) -> int:
        return int(self.world.clock["month"][0])

    @cached_property
    def panel(self) -> np.ndarray:
        """One row a month."""
        return self.world.panel.view(np.ndarray)[: self.months]

    @cached_property
    def market(self) -> np.ndarray:
        """The panel of generations, months x generations."""
        n_g = len(self.world.chips)
        return self.world.chip_panel.view(np.ndarray)[: self.months * n_g].reshape(self.months, n_g)

    @cached_property
    def kinds(self) -> np.ndarray:
        """The panel of kinds of agent, months x kinds."""
        rows = self.world.kind_panel.view(np.ndarray)
        n = len(rows) // len(self.world.panel)
        return rows[: self.months * n].reshape(self.months, n)

    @cached_property
    def trades(self) -> np.ndarray:
        return self.world.trades.view(np.ndarray)[: int(self.world.clock["trades"][0])]

    @cached_property
    def events(self) -> np.ndarray:
        return self.world.events.view(np.ndarray)[: int(self.world.clock["events"][0])]

    @cached_property
    def forced(self) -> np.ndarray:
        """Whether each trade was forced."""
        return ~np.isin(self.trades["reason"], VOLUNTARY)

    @cached_property
    def scrapped(self) -> np.ndarray:
        """Whether a scrap merchant bought in each trade."""
        first = len(self.world.lenders) + len(self.world.operators)
        kinds = np.concatenate([np.full(first, -1), self.world.buyers["kind"], [-1]])
        return kinds[self.trades["buyer"]] == BuyerKind.SCRAP  # the market, buyer -1, is the last

    @cached_property
    def reference(self) -> int:
        """Row of the generation that summaries follow (in the base the H100)."""
        return reference_row(self.world)
