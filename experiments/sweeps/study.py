"""A study: which parameters change, how often each point is run, what is recorded, when a run stops.

A config of a study is a config of a scenario with the sections ``sweep``, ``replications``, ``seeds``, ``record``,
``stop`` and ``twin`` beside the others. Every fault is found before anything runs and carries its place.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from experiments.inputs import file_names, with_files
from experiments.sweeps.designs import _MOST_POINTS, SAMPLED, Axis, Sweep, design_points, design_size
from experiments.sweeps.points import read_points
from simulation.record.summary import SUMMARY
from simulation.scenario.checking import explained, tuples
from simulation.scenario.config import load_study, set_path
from simulation.scenario.declare import Section
from simulation.scenario.document import SHIPPED, base_config
from simulation.scenario.faults import ConfigError, Fault
from simulation.scenario.kept import kept
from simulation.scenario.scenario import Scenario
from simulation.scenario.walking import parameters
from simulation.world.panel import PANEL

#: Measures of the state that a run can be stopped by, beside the columns of the panel.
TOTALS = ("operators_failed", "lenders_failed", "losses_total")


class When(Section):
    """A threshold that ends a run."""

    measure: str
    at_least: float | None = None
    at_most: float | None = None


class Stop(Section):
    """When a run ends before its horizon."""

    months: int | None = Field(None, ge=1, le=600)
    when: When | None = None


class Record(Section):
    """What is stored beside the summary."""

    panel: tuple[str, ...] = ()
    events: bool = False


class Report(Section):
    """What the report asks, draws and calls things: it decides no number."""

    question: str = ""
    outcomes: tuple[str, ...] = ("systemic", "losses", "cascade_max", "discount_mean", "lender_failures", "debt_peak")
    against: dict[str, Any] = {}
    labels: tuple[str, ...] = ()


class Plan(Section):
    """The sections of a study beside its scenario."""

    sweep: Sweep = Sweep()
    replications: int = Field(1, ge=1, le=1_000_000)
    seeds: Literal["shared", "independent"] = "shared"
    first_seed: int = Field(1, ge=0)
    record: Record = Record()
    stop: Stop = Stop()
    twin: dict[str, Any] = {}
    report: Report = Report()


@dataclass(frozen=True)
class Study:
    """A study ready to run: ``points[k]`` changes the scenario; run ``r`` is point ``r // replications``."""

    scenario: Scenario
    plan: Plan
    axes: tuple[Axis, ...]
    points: tuple[dict[str, Any], ...]

    @property
    def runs(self) -> int:
        """Number of runs, twins not counted."""
        return len(self.points) * self.plan.replications

    def draw(self, run: int) -> tuple[int, int, int]:
        """Return (point, seed, replication) of a run. Points share the draws of a replication unless told otherwise."""
        point, replication = divmod(run, self.plan.replications)
        return point, self.plan.first_seed, replication if self.plan.seeds == "shared" else run

    def scenario_at(self, point: int) -> Scenario:
        """Return the scenario of a design point. Raises ConfigError on an impossible combination."""
        changes = self.points[point]
        return set_path(self.scenario, changes, f"design point {point}") if changes else self.scenario


def read_study(path: str | os.PathLike[str], overrides: Iterable[str] = ()) -> Study:
    """Read the config of a study, or of a scenario (one point). Raises ConfigError with every fault that is found."""
    scenario, own, where = load_study(path, list(overrides), Plan.model_fields)
    faults: list[Fault] = []
    known = {name: (value, field) for name, value, field in parameters(scenario)}
    _take_files(own, where, known)
    try:
        plan = Plan.model_validate(tuples(own))
    except ValidationError as error:
        found = [told for e in error.errors(include_url=False) for told in explained(e, own, Plan)]
        raise ConfigError([Fault(where(keys), ".".join(map(str, keys)), message) for keys, message in found]) from None
    if plan.stop.months is not None:
        scenario = set_path(scenario, {"run.months": min(plan.stop.months, scenario.run.months)})
        known = {name: (value, field) for name, value, field in parameters(scenario)}
    axes = tuple(
        filter(
            None, (_axis(path, given, known, scenario, where, faults) for path, given in plan.sweep.parameters.items())
        )
    )
    _check_plan(plan, scenario, known, where, faults)
    if faults:
        raise ConfigError(faults)
    size = design_size(plan.sweep, axes)
    if size > _MOST_POINTS or size * plan.replications > 10 * _MOST_POINTS:
        raise ConfigError(
            [
                Fault(
                    where(("sweep",)),
                    "sweep",
                    f"{size:,} points times {plan.replications:,} replications are too many: at most {_MOST_POINTS:,} points and {10 * _MOST_POINTS:,} runs",
                )
            ]
        )
    points = design_points(plan.sweep, axes)
    study = Study(scenario, plan, axes, points)
    _check_points(study, where)
    return study


# --- files --------------------------------------------------------------------------------------------------------


def _take_files(own: dict[str, Any], where: Callable, known: dict) -> None:
    """Make what the study's own sections say of files absolute, and read the points of a list from a CSV file.

    A name starts from the folder of the config that holds it, or from the working folder in an override.
    """
    sweep = own.get("sweep")
    sweep = sweep if isinstance(sweep, dict) else {}
    if isinstance(sweep.get("points"), str):
        kinds = {name: field for name, (_, field) in known.items()}
        file = Path(_placed(where(("sweep", "points")), sweep["points"]))
        sweep["points"] = read_points(file, kinds, lambda name: _unknown_path(name, known))
    parts = [(("sweep", "parameters"), sweep, "parameters"), (("twin",), own, "twin")]
    report = own.get("report")
    if isinstance(report, dict):
        parts.append((("report", "against"), report, "against"))
    for keys, holder, name in parts:
        if isinstance(holder.get(name), dict):
            holder[name] = _with_places(holder[name], keys, where)
    if isinstance(sweep.get("points"), list):
        sweep["points"] = [
            _with_places(point, ("sweep", "points", k), where) if isinstance(point, dict) else point
            for k, point in enumerate(sweep["points"])
        ]


def _with_places(changes: dict[str, Any], keys: tuple, where: Callable) -> dict[str, Any]:
    if not file_names() & changes.keys():
        return changes
    placed: dict[str, Any] = {}
    for name, value in changes.items():
        change = partial(_placed, where((*keys, name)))
        placed |= with_files({name: value}, change)
    return placed


def _placed(where: str, name: str) -> str:
    """Return the absolute place of a file that was named at ``where`` ("file:line:column" or an option)."""
    if name.startswith(SHIPPED):
        return str(base_config().parent / name.removeprefix(SHIPPED))
    file = re.fullmatch(r"(.*):\d+:\d+", where, re.DOTALL)
    return os.path.abspath(os.path.join(os.path.dirname(file[1]) if file else "", name))


# --- checking -----------------------------------------------------------------------------------------------------


def _axis(path: str, given: Any, known: dict, scenario: Scenario, where: Callable, faults: list[Fault]) -> Axis | None:
    """Return one axis, or add what is wrong with it to ``faults``."""
    keys = ("sweep", "parameters", path)
    label = f"sweep.parameters.{path}"

    def refuse(message: str) -> None:
        faults.append(Fault(where(keys), label, message))

    if path not in known:
        refuse(_unknown_path(path, known))
        return None
    field = known[path][1]
    whole = isinstance(known[path][0], int) and not isinstance(known[path][0], bool) and field.annotation is int
    if isinstance(given, tuple):
        values: tuple[Any, ...] = given
        axis: Axis | None = Axis(path, values, whole=whole)
    elif isinstance(given, dict) and {"from", "to"} <= set(given) <= {"from", "to", "n", "scale"}:
        axis = _range(path, given, whole, refuse)
        values = (axis.low, axis.high) if axis else ()
    else:
        refuse("must be a list of values, or {from: ..., to: ..., n: ..., scale: linear|log}")
        return None
    if axis is None:
        return None
    if not values:
        refuse("has no values")
        return None
    for value in values:
        try:
            set_path(
                scenario, {path: int(value) if whole and isinstance(value, float) and value.is_integer() else value}
            )
        except ConfigError as error:
            mine = [fault.message for fault in error.faults if fault.path == path]
            if mine:
                refuse(f"{value!r} {mine[0]}")
    return axis


def _range(path: str, given: dict[str, Any], whole: bool, refuse: Callable[[str], None]) -> Axis | None:
    low, high, n, scale = given["from"], given["to"], given.get("n"), given.get("scale", "linear")
    if not all(isinstance(x, int | float) and not isinstance(x, bool) and math.isfinite(x) for x in (low, high)):
        refuse("'from' and 'to' must be numbers")
    elif not low < high:
        refuse(f"the range is empty: from {low:g} to {high:g}")
    elif scale not in ("linear", "log"):
        refuse(f"'scale' must be linear or log, is {scale!r}")
    elif scale == "log" and low <= 0:
        refuse("a range in logarithms must begin above zero")
    elif n is not None and (not isinstance(n, int) or isinstance(n, bool) or not 2 <= n <= _MOST_POINTS):
        refuse(f"'n' must be a whole number from 2 to {_MOST_POINTS:,}, is {n!r}")
    else:
        axis = Axis(path, (), float(low), float(high), scale == "log", whole)
        if n is None:
            return axis
        stops = dict.fromkeys(
            axis.at(k / (n - 1)) if k < n - 1 else (int(high) if whole else float(high)) for k in range(n)
        )
        return Axis(
            path,
            tuple(round(x, 12) if isinstance(x, float) else x for x in stops),
            float(low),
            float(high),
            axis.log,
            whole,
        )
    return None


def _unknown_path(path: str, known: Iterable[str]) -> str:
    import difflib

    near = difflib.get_close_matches(path, list(known), 1, 0.6)
    last = [name for name in known if name.rpartition(".")[2] == path.rpartition(".")[2]]
    hint = near or last
    return f"no such parameter{f'; did you mean {hint[0]!r}' if hint else ''}"


def _check_plan(plan: Plan, scenario: Scenario, known: dict, where: Callable, faults: list[Fault]) -> None:
    """Add what is wrong between sections."""
    sweep = plan.sweep

    def refuse(keys: tuple, message: str) -> None:
        faults.append(Fault(where(keys), ".".join(map(str, keys)), message))

    if sweep.design == "list":
        if not sweep.points:
            refuse(("sweep",), "a list design needs 'points': a list of {path: value}")
        for k, point in enumerate(sweep.points):
            for path in point:
                if path not in known:
                    refuse(("sweep", "points", k, path), _unknown_path(path, known))
    elif sweep.points:
        refuse(("sweep", "points"), "belongs to the design 'list'")
    if sweep.design in SAMPLED and not sweep.parameters:
        refuse(("sweep",), f"the design '{sweep.design}' needs 'parameters'")
    for path, given in sweep.parameters.items():
        if sweep.design == "grid" and isinstance(given, dict) and "n" not in given:
            refuse(("sweep", "parameters", path), "a grid needs 'n', the number of values of the range")
    if sweep.design in ("sobol", "saltelli") and sweep.samples & (sweep.samples - 1):
        refuse(("sweep", "samples"), f"must be a power of two for the design '{sweep.design}', is {sweep.samples}")
    for name in plan.record.panel:
        if name not in panel_columns(scenario):
            refuse(
                ("record", "panel"),
                f"no such column: {name!r}; columns: {', '.join([c.name for c in PANEL.columns])}, and COLUMN_chip as in price_h100",
            )
    when = plan.stop.when
    if when is not None:
        if when.measure not in (*TOTALS, *(c.name for c in PANEL.columns)):
            refuse(
                ("stop", "when", "measure"),
                f"no such measure: {when.measure!r}; {', '.join(TOTALS)} or a column of the panel",
            )
        if (when.at_least is None) == (when.at_most is None):
            refuse(("stop", "when"), "needs either 'at_least' or 'at_most'")
    _check_report(plan, refuse)
    for path in plan.twin:
        if path not in known:
            refuse(("twin", path), _unknown_path(path, known))
    if plan.twin and not faults:
        try:
            set_path(scenario, plan.twin)
        except ConfigError as error:
            for fault in error.faults:
                refuse(("twin", fault.path), fault.message)


def _check_report(plan: Plan, refuse: Callable[[tuple, str], None]) -> None:
    """Refuse a report that names what the study does not have."""
    import difflib

    given, sweep = plan.report, plan.sweep
    for name in given.outcomes:
        if name not in MEASURES:
            near = difflib.get_close_matches(name, MEASURES, 1)
            refuse(
                ("report", "outcomes"),
                f"no such measure: {name!r}; "
                + (f"did you mean {near[0]!r}" if near else f"measures: {', '.join(MEASURES)}"),
            )
    if not given.outcomes:
        refuse(("report", "outcomes"), "names no measure")
    if given.labels and (sweep.design != "list" or len(given.labels) != len(sweep.points)):
        refuse(
            ("report", "labels"),
            f"needs one name for each of the {len(sweep.points)} points of a list design, has {len(given.labels)}",
        )
    for path, value in given.against.items():
        values = sweep.parameters.get(path)
        if sweep.design != "grid" or not isinstance(values, tuple) or value not in values:
            refuse(
                ("report", "against", path),
                f"must be one of the listed values of that parameter in a grid, is {value!r}",
            )


def _check_points(study: Study, where: Callable) -> None:
    """Refuse impossible combinations: every point of small designs, of large ones those whose faults show in running."""
    faults = []
    for k in range(len(study.points) if len(study.points) <= 2_000 else 0):
        try:
            study.scenario_at(k)
        except ConfigError as error:
            faults += [
                Fault(
                    where(("sweep",)),
                    "sweep",
                    f"impossible combination {study.points[k]}: {fault.path}: {fault.message}",
                )
                for fault in error.faults
            ]
            if len(faults) >= 10:
                break
    if faults:
        raise ConfigError(list(dict.fromkeys(faults)))


@kept
def panel_columns(scenario: Scenario) -> dict[str, tuple[str, int]]:
    """Return what ``record.panel`` may name: (column, generation), -1 for the panel; price_h100, depth_units_b200, ..."""
    from simulation.world.panel import CHIP_PANEL

    found = {c.name: (c.name, -1) for c in PANEL.columns}
    for g, chip in enumerate(scenario.chips):
        for c in CHIP_PANEL.columns[2:]:
            found[f"{c.name}_{chip.name.lower()}"] = (c.name, g)
    found |= {f"{chip.name.lower()}_price": ("price", g) for g, chip in enumerate(scenario.chips)}
    found |= {f"depth_{chip.name.lower()}": ("depth_units", g) for g, chip in enumerate(scenario.chips)}
    return found


#: Measures that are numbers (one run, one column).
MEASURES = tuple(measure.name for measure in SUMMARY if measure.name != "defaults_by_cause")
