"""One run of a campaign, and what is looked for in it."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from agents.schema import TABLES
from agents.tables.clock import FAULTS
from agents.tables.ledger import ITEMS
from experiments.campaign.draw import Changes
from simulation.month import HORIZON, advance
from simulation.record.summary import SUMMARY, summarise
from simulation.runs import InvariantError, raise_fault
from simulation.scenario.config import set_path
from simulation.scenario.faults import ConfigError
from simulation.scenario.scenario import Scenario
from simulation.world.build import build_world
from simulation.world.world import World, tables

#: How a run ends.
SOUND, REFUSED, FAULT, NOT_FINITE, IMPOSSIBLE, BROKEN = (
    "sound", "refused", "identity violated", "not a finite number", "impossible value", "stopped with an error",
)  # fmt: skip
FAILURES = (FAULT, NOT_FINITE, IMPOSSIBLE, BROKEN)

#: Measures of the summary that are undefined (nan) where nothing defaulted, nothing moved, or no twin was run.
UNDEFINED = ("recovery", "lgd", "amplification", "correlation")
#: Measures that are parts of something: never above one. Losses over the peak of debt are none: what is lent anew after losses can
#: be lost again (:func:`owed` is what they are part of).
PARTS = ("worst_bust_share", "recovery", "lgd", "branching")
#: What rounding may leave beyond a limit, over the largest number of the column (absolute for shares).
_ROUNDING = 1e-6
#: Units of what cannot be negative.
_AMOUNTS = ("GPU", "kW", "USD/GPU", "H100", "perf unit", "USD/perf-h")
#: Tables whose shares and amounts are looked at: what results are made of.
_LOOKED_AT = ("panel", "chip_panel", "trades", "chips", "lots")


@dataclass(frozen=True)
class Outcome:
    """How a run ended: ``what`` names the failure without its numbers, ``message`` says it, ``seconds`` it took.

    ``loss_share`` are its losses over the peak of debt.
    """

    end: str
    what: str = ""
    message: str = ""
    seconds: float = 0.0
    loss_share: float = 0.0

    @property
    def failed(self) -> bool:
        return self.end in FAILURES


def attempt(scenario: Scenario, changes: Changes, seed: int) -> Outcome:
    """Play a scenario with changes and return how it ended; no error of the run leaves this function."""
    began = time.perf_counter()

    def ended(end: str, what: str = "", message: str = "", loss_share: float = 0.0) -> Outcome:
        return Outcome(end, what, message, time.perf_counter() - began, loss_share)

    try:
        changed = set_path(scenario, changes) if changes else scenario
        world = build_world(changed, seed)
    except ConfigError as error:
        return ended(REFUSED, error.faults[0].path, str(error))
    except Exception as error:
        return ended(BROKEN, f"build: {type(error).__name__}", f"{type(error).__name__}: {error}")
    opened = float(world.loans.principal[: world.clock[0].used_loans].sum())
    try:
        advance(world, HORIZON)
        raise_fault(world)
        summary = summarise(world)
        what, message = examine(world, summary, opened)
    except InvariantError as error:
        return ended(FAULT, FAULTS[world.clock[0].fault], str(error).partition(". This is")[0])
    except Exception as error:
        return ended(BROKEN, type(error).__name__, f"{type(error).__name__}: {error}")
    end, _, where = what.partition(": ")
    return ended(end or SOUND, where, message, summary["loss_share"])


def examine(world: World, summary: dict[str, Any], opened: float) -> tuple[str, str]:
    """Return what is wrong with a finished run: ("end: where", a sentence), two empty texts if nothing is.

    ``opened`` is the debt with which it opened (USD).
    """
    found = _not_finite(world, summary)
    if found:
        return f"{NOT_FINITE}: {found[0]}", f"{found[0]} is {found[1]:g}"
    found = _impossible(world, summary, opened)
    return (f"{IMPOSSIBLE}: {found[0]}", f"{found[0]} is {found[1]:.9g}") if found else ("", "")


def _columns(world: World) -> Any:
    """Yield (table, column, unit, values) of every real column of the months played."""
    months = int(world.clock[0].month)
    for name, rows in tables(world).items():
        if name in ("panel", "chip_panel", "kind_panel", "paths"):
            rows = rows[: months * (len(rows) // len(world.panel))]
        plain = rows.view(np.ndarray)
        for column in TABLES[name].columns:
            if column.kind == "f8":
                yield name, column.name, column.unit, plain[column.name]


def _not_finite(world: World, summary: dict[str, Any]) -> tuple[str, float] | None:
    for name, column, _, values in _columns(world):
        wrong = ~np.isfinite(values)
        if wrong.any():
            return f"{name}.{column}", float(values[wrong.argmax()])
    wrong_flows = ~np.isfinite(world.flows)
    if wrong_flows.any():
        month, item = np.argwhere(wrong_flows)[0]
        return f"flows.{ITEMS[item].name}", float(world.flows[month, item])
    for measure in SUMMARY:
        value = summary[measure.name]
        if (
            isinstance(value, float)
            and not math.isfinite(value)
            and not (math.isnan(value) and measure.name in UNDEFINED)
        ):
            return f"summary.{measure.name}", value
    return None


def owed(world: World, opened: float) -> float:
    """Return what operators owed in all at most (USD): debt at the start, all that was drawn, interest that may have been added.

    Interest of a month is charged on what stood at its start at no more than the highest rate of any loan.
    """
    panel = world.panel.view(np.ndarray)[: world.clock[0].month]
    debt = panel["debt"] + panel["debt_convertible"] + panel["debt_margin"]
    rate = float(world.loans.rate[: world.clock[0].used_loans].max(initial=0.0))
    drawn = float((panel["new_credit"] + panel["new_notes"]).sum())
    return opened + drawn + rate / 12.0 * (opened + drawn + float(debt.sum()))


def _impossible(world: World, summary: dict[str, Any], opened: float) -> tuple[str, float] | None:
    lost = summary["losses"] / max(1.0, owed(world, opened))
    if lost > 1.0 + _ROUNDING:
        return "summary.losses over all that was owed", lost
    for name in PARTS:
        if not math.isnan(summary[name]) and not -_ROUNDING <= summary[name] <= 1.0 + _ROUNDING:
            return f"summary.{name}", summary[name]
    for name, column, unit, values in _columns(world):
        if name not in _LOOKED_AT or not len(values):
            continue
        least, most = float(values.min()), float(values.max())
        if unit == "share" and not (least >= -_ROUNDING and most <= 1.0 + _ROUNDING):
            return f"{name}.{column}", least if least < 0.0 else most
        if unit in _AMOUNTS and least < -_ROUNDING * max(1.0, most):
            return f"{name}.{column}", least
    return None
