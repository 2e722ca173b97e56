"""The file of a calibration: a scenario and beside it what is free, what is compared with what, and how it is searched.

A calibration is a config like any other (it may extend one) with the sections ``search``, ``grades``, ``free``,
``moments`` and ``held_out``. Every fault is found before anything runs and carries its place.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import ValidationError

from experiments.evidence.calibration.moments import AT_A_MONTH, Moment
from experiments.evidence.calibration.records import (
    Fact,
    RecordError,
    calendar,
    find_fact,
    ordinal,
    read_facts,
    read_recorded,
    read_series,
)
from experiments.sweeps.designs import Axis
from experiments.sweeps.study import panel_columns
from simulation.scenario.checking import explained, tuples
from simulation.scenario.config import get_path, load_study, set_path
from simulation.scenario.declare import Section, par
from simulation.scenario.faults import ConfigError, Fault, _did_you_mean
from simulation.scenario.scenario import Scenario

#: Significant digits of a candidate's parameters: far finer than the data can tell.
_DIGITS = 8

_MONTH = r"^\d{4}-(0[1-9]|1[0-2])$"


class Search(Section):
    """How the search is done."""

    until: str = par(..., "YYYY-MM", "last month that the objective may know anything of", pattern=_MONTH)
    budget: int = par(400, "candidates", "candidates tried, the scenario as it stands among them", ge=2, le=1_000_000)
    seeds: int = par(24, "runs", "runs of each candidate: the same seeds for all", ge=2, le=100_000)
    first_seed: int = par(1, "seed", "the first of them", ge=0)
    random: int = par(1, "seed", "seed of the search itself", ge=0)
    step: float = par(0.15, "share", "standard deviation of the first candidates, of each range", gt=0, le=1)
    pull: float = par(1.0, "squared errors", "what it costs to move a parameter over its whole range, so that one which the data do not see stays", ge=0)  # fmt: skip
    fresh_seeds: int = par(200, "runs", "runs on which what was found is told", ge=2, le=100_000)
    fresh_first: int = par(1001, "seed", "the first of their seeds", ge=0)


class Grade(Section):
    """What the grade of a source does to the error of a record."""

    relative: float = par(..., "share", "standard error over the value where the source states none", gt=0)
    widen: float = par(..., "ratio", "factor on a standard error that is stated", ge=1)


class Grades(Section):
    """The three grades of sources (configs/data/README.md)."""

    A: Grade = Grade(relative=0.05, widen=1.0)
    B: Grade = Grade(relative=0.10, widen=1.5)
    C: Grade = Grade(relative=0.25, widen=2.5)


class Free(Section):
    """A free parameter: the range searched."""

    low: float = par(..., "number", "lower end of the range")
    high: float = par(..., "number", "upper end of the range")
    log: bool = par(False, "flag", "search in logarithms")
    why: str = par("", "text", "why it is free, and where the range comes from")


class Series(Section):
    """A recorded monthly series, read as the run is read."""

    file: str = par(..., "text", "CSV with a column month or date, relative to this file")
    column: str = par(..., "text", "column of values")
    where: dict[str, str] = par({}, "text", "rows taken: column and its text")


class Record(Section):
    """What was recorded: one of ``value``, ``facts``, ``series``."""

    value: tuple[float, ...] = par((), "number", "a value, or the ends of an interval", max_length=2)
    facts: tuple[str, ...] = par((), "text", "keys of facts.csv: one, or those of an interval", max_length=2)
    times: float = par(1.0, "ratio", "factor from the fact's unit to the moment's")
    series: Series | None = par(None, "section", "a recorded series")
    source: str = par("", "text", "where a value comes from")
    grade: Literal["A", "B", "C", ""] = par("", "choice", "grade of the source, if the fact states none")
    covers: str = par("", "YYYY-MM", "last month that the figure is about, where a fact was published later", pattern=f"{_MONTH}|^$")  # fmt: skip


class Compared(Section):
    """One moment: what is read off a run and what it is compared with."""

    name: str = par(..., "text", "what it is called", min_length=1)
    of: str = par(..., "text", "column of the panel, or of a generation as in price_h100")
    read: Literal["at", "ratio", "sum", "mean", "growth", "gap", "volatility"] = par(..., "choice", "how it is read")
    months: tuple[str, ...] = par(..., "YYYY-MM", "the month, or first and last month", min_length=1, max_length=2)
    base: str = par("", "YYYY-MM", "the month that a ratio is over", pattern=f"{_MONTH}|^$")
    each: bool = par(False, "flag", "one moment for each recorded month of the range")
    record: Record = par(..., "section", "what was recorded")
    side: Literal["point", "at_most", "at_least"] = par("point", "choice", "whether the record is a bound")
    error: float | None = par(None, "number", "standard error, in the moment's unit", gt=0)
    relative: float | None = par(None, "share", "standard error over the recorded value", gt=0)
    weight: float = par(1.0, "ratio", "factor on the squared distance", gt=0)
    over_seeds: Literal["mean", "median"] = par("mean", "choice", "what of the runs is compared")
    unit: str = par("", "text", "unit, for the tables")
    why: str = par("", "text", "what the record measures, what is wrong with it")


KEYS = ("search", "grades", "free", "moments", "held_out")


@dataclass(frozen=True)
class Calibration:
    """A calibration ready to run. ``start`` is where the scenario stands, in the unit cube of the ranges."""

    file: str
    scenario: Scenario
    search: Search
    axes: tuple[Axis, ...]
    reasons: tuple[str, ...]
    start: np.ndarray
    moments: tuple[Moment, ...]
    held_out: tuple[Moment, ...]

    @property
    def seeds(self) -> range:
        """The seeds of the search: the same for every candidate."""
        return range(self.search.first_seed, self.search.first_seed + self.search.seeds)

    @property
    def fresh(self) -> range:
        """Seeds that the search does not see."""
        return range(self.search.fresh_first, self.search.fresh_first + self.search.fresh_seeds)

    def values(self, at: np.ndarray) -> dict[str, Any]:
        """Return the parameters at a point of the unit cube, rounded so that they can be copied without loss."""
        values = {axis.path: axis.at(float(u)) for axis, u in zip(self.axes, at, strict=True)}
        return {path: x if isinstance(x, int) else float(f"{x:.{_DIGITS}g}") for path, x in values.items()}

    def pulls(self, at: np.ndarray) -> np.ndarray:
        """Return the residual that each parameter adds by leaving the place where it stands."""
        return math.sqrt(self.search.pull) * (at - self.start)

    def scenario_at(self, at: np.ndarray, moments: tuple[Moment, ...]) -> Scenario:
        """Return the scenario at a point, as long as its moments need. Raises ConfigError on an impossible combination."""
        return set_path(self.scenario, self.values(at) | {"run.months": months_needed(moments)}, "candidate")


def months_needed(moments: Iterable[Moment]) -> int:
    """Return the horizon (months) that holds every month that is read."""
    return 1 + max(max(m.last, m.base) for m in moments)


def read_calibration(path: str | os.PathLike[str], overrides: Iterable[str] = ()) -> Calibration:
    """Read a calibration. Raises ConfigError with every fault that is found."""
    scenario, own, where = load_study(path, list(overrides), KEYS)
    reader = _Reader(scenario, own, where)
    if not own.get("free") or not own.get("moments"):
        raise ConfigError(
            [Fault(where(()), "", "declares no calibration: needs 'free' and 'moments', as in configs/calibration")]
        )
    search = reader.part(Search, ("search",))
    reader.grades = reader.part(Grades, ("grades",)) or Grades()
    axes, reasons, start = reader.free()
    reader.until = ordinal(search.until) if search else None
    moments = reader.moments("moments", held_out=False)
    held_out = reader.moments("held_out", held_out=True)
    if reader.faults or search is None:
        raise ConfigError(list(dict.fromkeys(reader.faults)))
    return Calibration(os.fspath(path), scenario, search, axes, reasons, start, moments, held_out)


class _Reader:
    """Turns the sections of the file into axes and moments, noting what is wrong where."""

    def __init__(self, scenario: Scenario, own: dict[str, Any], where: Callable[[tuple], str]) -> None:
        self.scenario, self.own, self.where = scenario, own, where
        self.faults: list[Fault] = []
        self.grades = Grades()
        self.until: int | None = None
        self.opening = ordinal(scenario.run.start)
        self.facts: dict[str, Fact] = read_facts()

    def refuse(self, keys: tuple, message: str) -> None:
        """Note a fault at a place of the file."""
        self.faults.append(Fault(self.where(keys), ".".join(map(str, keys)), message))

    def part[Kind: Section](self, kind: type[Kind], keys: tuple) -> Kind | None:
        """Return a section of the file as ``kind``; None if something is wrong with it."""
        doc: Any = self.own
        for key in keys:
            doc = doc[key] if isinstance(key, int) else doc.get(key, {})
        doc = {} if doc is None else doc
        if not isinstance(doc, dict):
            self.refuse(keys, "must be a section with 'name: value' lines")
            return None
        doc = {name: _listed(kind, name, value) for name, value in doc.items()}
        try:
            return kind.model_validate(tuples(doc), strict=True)
        except ValidationError as error:
            for one in error.errors(include_url=False):
                for below, message in explained(one, doc, kind):
                    self.refuse((*keys, *below), message)
            return None

    # --- free parameters ---------------------------------------------------------------------------------------

    def free(self) -> tuple[tuple[Axis, ...], tuple[str, ...], np.ndarray]:
        """Return the axes, why each is free, and where the scenario stands on them."""
        if not isinstance(self.own["free"], dict):
            self.refuse(("free",), "must be a section with 'parameter: {low: ..., high: ...}' lines")
            return (), (), np.zeros(0)
        axes, reasons, start = [], [], []
        for path in self.own["free"]:
            given = self.part(Free, ("free", path))
            axis = given and self._axis(path, given)
            if given and axis:
                axes.append(axis)
                reasons.append(given.why)
                start.append(_unit_of(axis, float(get_path(self.scenario, path))))
        return tuple(axes), tuple(reasons), np.array(start)

    def _axis(self, path: str, given: Free) -> Axis | None:
        keys = ("free", path)
        try:
            value = get_path(self.scenario, path)
        except ConfigError as error:
            self.refuse(keys, error.faults[0].message)
            return None
        if not isinstance(value, int | float) or isinstance(value, bool):
            self.refuse(
                keys, "is not a number in the scenario: only numbers can be free (of a list, name the item: .0)"
            )
            return None
        if not given.low < given.high:
            self.refuse(keys, f"the range is empty: from {given.low:g} to {given.high:g}")
            return None
        if given.log and given.low <= 0.0:
            self.refuse(keys, "a range in logarithms must begin above zero")
            return None
        whole = isinstance(value, int)
        for end in (given.low, given.high):
            try:
                set_path(self.scenario, {path: int(end) if whole and float(end).is_integer() else end})
            except ConfigError as error:
                mine = [fault.message for fault in error.faults if fault.path.startswith(path.rpartition(".")[0])]
                if mine:
                    self.refuse(keys, f"{end:g} {mine[0]}")
                    return None
        if not given.low <= value <= given.high:
            self.refuse(keys, f"the scenario has {value:g}, outside the range from {given.low:g} to {given.high:g}")
            return None
        return Axis(path, (), given.low, given.high, given.log, whole)

    # --- moments -----------------------------------------------------------------------------------------------

    def moments(self, section: str, held_out: bool) -> tuple[Moment, ...]:
        """Return the moments of a section."""
        given = self.own.get(section) or []
        if not isinstance(given, list | tuple):
            self.refuse((section,), "must be a list of moments, each beginning with '-'")
            return ()
        found: list[Moment] = []
        for k in range(len(given)):
            one = self.part(Compared, (section, k))
            if one is not None:
                try:
                    found += self._moments(one, (section, k), held_out)
                except RecordError as error:
                    self.refuse((section, k, "record"), str(error))
        names = [m.name for m in found]
        for name in dict.fromkeys(n for n in names if names.count(n) > 1):
            self.refuse((section,), f"two moments are called {name!r}")
        return tuple(found)

    def _moments(self, one: Compared, keys: tuple, held_out: bool) -> list[Moment]:
        """Return the moment that is declared, or one for each recorded month. Raises RecordError."""
        before = len(self.faults)
        self._check(one, keys, held_out)
        columns = panel_columns(self.scenario)
        if one.of not in columns:
            self.refuse((*keys, "of"), f"no such column: {one.of!r}{_did_you_mean(one.of, columns)}")
        if len(self.faults) > before:
            return []
        first, last = ordinal(one.months[0]), ordinal(one.months[-1])
        if not one.each:
            return [self._moment(one, keys, first, last, held_out)]
        recorded = self._series(one.record, keys)
        return [
            self._moment(
                one.model_copy(update={"name": f"{one.name}, {calendar(month)}"}), keys, month, month, held_out
            )
            for month in range(first, last + 1)
            if month in recorded
        ]

    def _check(self, one: Compared, keys: tuple, held_out: bool) -> None:
        """Note what does not fit together in a moment, above all what the objective must not know."""
        at_a_month = one.read in AT_A_MONTH
        if (len(one.months) == 1) != (at_a_month and not one.each):
            wanted = "one month" if at_a_month and not one.each else "the first and the last month"
            self.refuse((*keys, "months"), f"must be {wanted} for '{one.read}'{' of each month' if one.each else ''}")
        elif one.each and not at_a_month:
            self.refuse((*keys, "each"), f"goes with 'at' and 'ratio', not with '{one.read}'")
        elif one.each and one.record.series is None:
            self.refuse((*keys, "each"), "needs a recorded series")
        if (one.read == "ratio") != bool(one.base):
            self.refuse(
                (*keys, "base"), f"{'is missing: a ratio is over a month' if not one.base else 'belongs to a ratio'}"
            )
        first, last = ordinal(one.months[0]), ordinal(one.months[-1])
        if first > last or one.read in ("growth", "volatility") and last - first < 2:
            self.refuse((*keys, "months"), "the range is empty" if first > last else "the range is too short")
        if min(first, ordinal(one.base) if one.base else first) < self.opening:
            self.refuse((*keys, "months"), f"lie before the scenario's first month, {calendar(self.opening)}")
        if self.until is None:
            return
        if not held_out and max(last, ordinal(one.base) if one.base else last) > self.until:
            self.refuse(
                (*keys, "months"), f"lie after {calendar(self.until)} (search.until): what is later is held out"
            )
        if held_out and first <= self.until:
            self.refuse((*keys, "months"), f"begin by {calendar(self.until)} (search.until): that is not held out")

    def _moment(self, one: Compared, keys: tuple, first: int, last: int, held_out: bool) -> Moment:
        base = ordinal(one.base) if one.base else last
        low, high, grade, source = self._recorded(one, keys, first, last, base, held_out)
        if one.side != "point" and low != high:
            raise RecordError("an interval is no bound: give one value, or leave 'side' out")
        middle = 0.5 * (low + high)
        rule = getattr(self.grades, grade) if grade else None
        if rule is None:
            raise RecordError("its source has no grade: give 'grade' (A, B or C)")
        if one.error is not None or one.relative is not None:
            error = rule.widen * (one.error if one.error is not None else abs(middle) * (one.relative or 0.0))
        else:
            error = rule.relative * abs(middle)
        if not error > 0.0:
            raise RecordError("is zero: give 'error', a standard error in its unit")
        column, chip = panel_columns(self.scenario)[one.of]
        return Moment(
            one.name, column, chip, one.read, first - self.opening, last - self.opening, base - self.opening,
            -math.inf if one.side == "at_most" else low, math.inf if one.side == "at_least" else high,
            error, one.weight, one.over_seeds, one.unit, grade, source, one.why,
        )  # fmt: skip

    def _recorded(
        self, one: Compared, keys: tuple, first: int, last: int, base: int, held_out: bool
    ) -> tuple[float, float, str, str]:
        """Return (low, high, grade, source) of a record. Raises RecordError."""
        record = one.record
        if [bool(record.value), bool(record.facts), record.series is not None].count(True) != 1:
            raise RecordError("give one of 'value', 'facts' and 'series'")
        if record.series is not None:
            value = read_recorded(one.read, self._series(record, keys), first, last, base)
            source = record.source or Path(record.series.file).name
            return value * record.times, value * record.times, record.grade, source
        if record.value:
            if not record.source:
                raise RecordError("a value needs a 'source'")
            return min(record.value), max(record.value), record.grade, record.source
        facts = [find_fact(self.facts, key) for key in record.facts]
        ends = [record.times * fact.value for fact in facts]
        if not held_out and self.until is not None:
            for key, fact in zip(record.facts, facts, strict=True):
                about = ordinal(record.covers) if record.covers else fact.until
                if about is None or about > self.until:
                    known = "has no date that can be read" if about is None else f"is about {calendar(about)}"
                    raise RecordError(
                        f"the fact '{key}' {known}, later than {calendar(self.until)} (search.until): it is held out; "
                        "if the figure covers an earlier time, say so with 'covers'"
                    )
        grade: str = record.grade or max(fact.grade for fact in facts)
        return min(ends), max(ends), grade, record.source or ", ".join(record.facts)

    def _series(self, record: Record, keys: tuple) -> dict[int, float]:
        """Return the recorded series of a moment; its file lies beside the file that names it. Raises RecordError."""
        assert record.series is not None
        home = self.where((*keys, "record", "series", "file")).rsplit(":", 2)[0]
        folder = os.path.dirname(home) if os.path.isfile(home) else ""
        return read_series(Path(folder, record.series.file), record.series.column, record.series.where)


def _listed(kind: type[Section], name: str, value: Any) -> Any:
    """Return a value as the section wants it: one text or number where a list of them may stand is a list of one."""
    field = kind.model_fields.get(name)
    if name == "record" and isinstance(value, dict):
        return {key: _listed(Record, key, item) for key, item in value.items()}
    if field is not None and "tuple" in str(field.annotation) and isinstance(value, str | int | float):
        return [value]
    return value


def _unit_of(axis: Axis, value: float) -> float:
    """Return where a value stands on its range, 0 to 1."""
    if axis.log:
        return math.log(value / axis.low) / math.log(axis.high / axis.low)
    return (value - axis.low) / (axis.high - axis.low)
