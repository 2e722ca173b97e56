"""Run a scenario: build the world, advance it to the horizon, hand back tables and a summary."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from agents import rule
from agents.tables.buyers import BUYER, BUYER_KINDS
from agents.tables.chips import CHIP
from agents.tables.clock import CLOCK, FAULTS, Fault
from agents.tables.customers import CUSTOMER
from agents.tables.events import EVENT, TRADE
from agents.tables.ledger import ITEMS, SECTORS
from agents.tables.lenders import LENDER, LENDER_KINDS
from agents.tables.lines import LINE
from agents.tables.loans import LOAN
from agents.tables.lots import LOT
from agents.tables.operators import OPERATOR
from agents.tables.orders import ORDER
from simulation.month import HORIZON, PHASES, advance
from simulation.record.finite import first_not_finite
from simulation.record.summary import summarise
from simulation.scenario.scenario import Scenario
from simulation.world.build import build_world
from simulation.world.inputs.inputs import users_files
from simulation.world.panel import CHIP_PANEL, KIND_PANEL, PANEL, PATH
from simulation.world.world import World, node_name, tables

_TABLES = {
    t.name: t
    for t in (
        CHIP, LENDER, OPERATOR, BUYER, CUSTOMER, LOAN, LOT, ORDER,
        LINE, EVENT, TRADE, CLOCK, PATH, PANEL, CHIP_PANEL,
        KIND_PANEL,
    )
}  # fmt: skip


class InvariantError(RuntimeError):
    """An identity of the model was violated: says which, in which month and phase, and for whom."""


@dataclass
class Result:
    """What a run leaves: see the attributes; ``twin`` is the paired run with one thing changed."""

    scenario: Scenario
    seed: int
    replication: int
    world: World
    summary: dict[str, Any]
    seconds: dict[str, float] = field(default_factory=dict)
    twin: Result | None = None

    def frame(self, name: str) -> pd.DataFrame:
        """Return one table of the world as a DataFrame; panels carry the calendar month, events names of nodes."""
        rows = tables(self.world)[name]
        months = int(self.world.clock[0].month)
        if name == "panel":
            rows = rows[:months]
        elif name == "chip_panel":
            rows = rows[: months * len(self.world.chips)]
        elif name == "kind_panel":
            rows = rows[: months * (len(rows) // max(1, len(self.world.panel)))]
        data = _TABLES[name].frame(rows)
        if "month" in data and name != "clock":
            start = pd.Period(self.scenario.run.start, "M")
            ordinals = start.ordinal + data["month"].to_numpy()
            calendar = pd.PeriodIndex.from_ordinals(ordinals, freq="M")  # type: ignore[attr-defined] # not in its stubs
            data.insert(1, "date", calendar.to_timestamp())
        if name == "chip_panel":
            data["chip"] = pd.Categorical.from_codes(data["chip"], pd.Index([c.name for c in self.scenario.chips]))
        if name == "kind_panel":
            data["kind"] = pd.Categorical.from_codes(data["kind"], pd.Index(KINDS))
        return data

    @property
    def panel(self) -> pd.DataFrame:
        """The monthly panel, one row a month."""
        return self.frame("panel")

    @property
    def chip_panel(self) -> pd.DataFrame:
        """The market of each generation, one row a month and generation."""
        return self.frame("chip_panel")

    @property
    def kind_panel(self) -> pd.DataFrame:
        """Balance sheets, one row a month and kind of agent."""
        return self.frame("kind_panel")

    @property
    def events(self) -> pd.DataFrame:
        """What happened, one row an event; ``parent`` is the row of the event that triggered it."""
        data = self.frame("events")
        for column in ("node", "other"):
            names = {n: self.name(n) if n >= 0 else "" for n in data[column].unique()}
            data[f"{column}_name"] = data[column].map(names)
        return data

    @property
    def trades(self) -> pd.DataFrame:
        """Sales of used GPUs, one row a fill."""
        return self.frame("trades")

    @property
    def flows(self) -> pd.DataFrame:
        """USD by month (rows) and item of the ledger (columns)."""
        months = int(self.world.clock[0].month)
        return pd.DataFrame(self.world.flows[:months], columns=[item.name for item in ITEMS])

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """Every table of the world at the end of the run."""
        return {name: self.frame(name) for name in tables(self.world)}

    def importance(self, month: int | None = None) -> pd.DataFrame:
        """Return the systemic importance of each lender and operator (default: the month of most debt)."""
        from simulation.importance import systemic_importance

        month = int(self.world.panel.debt.argmax()) if month is None else month
        return systemic_importance(self.scenario, self.seed, month, self.replication)

    def name(self, node: int) -> str:
        """Return the readable name of a node."""
        return node_name(self.world, int(node))


KINDS = [*LENDER_KINDS, "neocloud", "miner", *BUYER_KINDS]


#: Who is to blame for a run that stops: nobody but the model where all that it was given was checked.
_OF_MODEL = "This is a fault of the model, not of your input: please report the config and the seed."
_OF_FILES = (
    "The run reads {files}: what stands there was checked cell by cell, but together it may ask for what no market can do. "
    "Look there first; if nothing is odd, please report the config, the files and the seed."
)


def raise_fault(world: World, scenario: Scenario | None = None) -> None:
    """Raise InvariantError when the world stopped on a violated identity, or when its results hold what is no number.

    The message names the files that ``scenario`` reads.
    """
    if world.clock["fault"][0] == 0:
        _raise_not_finite(world, scenario)
        return
    clock = world.clock[0]
    what = FAULTS[clock.fault]
    where = f"month {clock.month}, phase {PHASES[clock.phase].name}, round {clock.turn}"
    who = (
        node_name(world, int(clock.fault_node))
        if clock.fault in (Fault.CLAIMS, Fault.NEGATIVE, Fault.BEYOND_MEANS)
        else f"row {clock.fault_node}"
    )
    if clock.fault == Fault.FLOWS:
        who = SECTORS[clock.fault_node]
    raise InvariantError(f"{what} ({where}; {who}; by {clock.fault_usd:,.2f}). {_blame(scenario)}")


def _raise_not_finite(world: World, scenario: Scenario | None) -> None:
    place = first_not_finite(world)
    if place is not None:
        raise InvariantError(
            f"not a finite number (month {place.month}; {place.table}.{place.column} is {place.value:g}). {_blame(scenario)}"
        )


def _blame(scenario: Scenario | None) -> str:
    """Return who is to blame for a fault of a run: the model, unless the scenario reads tables of the user's."""
    files = users_files(scenario) if scenario is not None else []
    return _OF_FILES.format(files=", ".join(files)) if files else _OF_MODEL


def play(scenario: Scenario, seed: int = 1, replication: int = 0) -> World:
    """Build a world and advance it to the horizon; raise InvariantError if an identity is violated."""
    world = build_world(scenario, seed, replication)
    advance(world, HORIZON)
    raise_fault(world, scenario)
    return world


def run(
    scenario: Scenario,
    seed: int = 1,
    replication: int = 0,
    *,
    twin: Scenario | None = None,
    amplification: bool = True,
) -> Result:
    """Run a scenario and return its Result.

    ``twin`` is a second scenario run on the same draws (its result is ``result.twin``). ``amplification`` runs a
    third time with prices and funding frozen, to tell how much of the losses is the cascade's. The numbers
    depend on (scenario, seed, replication) alone.
    """
    started = time.perf_counter()
    compiled = rule.is_compiled_on_disk()
    world = build_world(scenario, seed, replication)
    built = time.perf_counter()
    advance(world, HORIZON)
    ran = time.perf_counter()
    raise_fault(world, scenario)
    result = Result(scenario, seed, replication, world, summarise(world))
    result.seconds = {"build": built - started, "kernels": ran - built, "compiled_before": float(compiled)}
    if amplification:
        result.summary["amplification"] = amplify(scenario, seed, replication, result.summary["losses"])
    if twin is not None:
        result.twin = run(twin, seed, replication, amplification=amplification)
    return result


def amplify(scenario: Scenario, seed: int, replication: int, losses: float) -> float:
    """Return losses over the losses of the same draws with forced lots sold at fundamental and funding frozen."""
    policy = scenario.policy.model_copy(update={"frozen": True})
    calm = summarise(play(scenario.model_copy(update={"policy": policy}), seed, replication))["losses"]
    if losses < 1.0:
        return float("nan")
    return losses / calm if calm > 1.0 else float(np.inf)
