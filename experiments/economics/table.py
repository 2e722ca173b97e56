"""The table of measures: what was observed over seeds, as rows, as text and as CSV, beside an older one."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from experiments.economics.measure import Aim, Measure, Pairs
from experiments.economics.record import recorded
from simulation.scenario.faults import ConfigError, Fault

#: Key of the row that says what was played.
ABOUT = "about"
#: What a sum of floats may miss an aim by.
_ROUNDING = 1e-9
#: The band of observations.
_BAND = (10.0, 90.0)
#: How a value is shown, by unit.
_FORMS = {"share": "{:.1%}", "USD bn": "{:.2f}", "USD m": "{:.1f}", "months": "{:.1f}", "ratio": "{:.2f}", "times": "{:.2f}", "k GPU": "{:,.0f}"}  # fmt: skip
_OTHER_FORM = "{:.2f}"
#: Heads of :func:`shown` and of :func:`beside`.
HEADS = ("measure", "unit", "median", "10 % to 90 %", "mean", "± s.e.", "systemic runs", "record", "aim")
BESIDE = ("measure", "unit", "median before", "now", "mean before", "now", "in s.e.", "record", "aim")


@dataclass(frozen=True)
class Row:
    """One measure over all runs. ``median``, ``low`` and ``high`` are of single observations (``of`` says of what),
    ``mean`` is of all together (sum of numerators over sum of denominators), ``error`` its standard error over runs,
    ``systemic`` the mean of systemic runs alone; nan where there is nothing. ``note`` says why."""

    key: str
    group: str
    measure: str
    unit: str
    of: str
    median: float
    low: float
    high: float
    mean: float
    error: float
    systemic: float
    count: int
    record: float
    aim_low: float
    aim_high: float
    aim_of: str
    note: str
    definition: str

    @property
    def met(self) -> bool | None:
        """Whether the aim is met; None without an aim or without a value."""
        value = self.median if self.aim_of == "median" else self.mean
        if not self.aim_of or not math.isfinite(value):
            return None
        return self.aim_low - _ROUNDING <= value <= self.aim_high + _ROUNDING


def together(runs: Sequence[Pairs]) -> tuple[float, float]:
    """Return (mean, standard error) of all observations together: a ratio of sums, its error from the runs' residuals."""
    sums = np.array([run.sum(0) for run in runs]) if len(runs) else np.zeros((0, 2))
    numerator, denominator = sums.sum(0)
    if denominator == 0.0:
        return math.nan, math.nan
    mean = numerator / denominator
    left = sums[:, 0] - mean * sums[:, 1]
    n = len(sums)
    error = math.sqrt(n / (n - 1) * float(left @ left)) / denominator if n > 1 else math.nan
    return float(mean), error


def summed_up(measure: Measure, runs: Sequence[Pairs], systemic: np.ndarray | None = None, note: str = "") -> Row:
    """Return the row of a measure observed in ``runs``; ``systemic`` says which of these were."""
    rows = np.concatenate(runs) if len(runs) else np.zeros((0, 2))
    rows = rows[rows[:, 1] != 0.0]
    values = rows[:, 0] / rows[:, 1]
    low, median, high = np.percentile(values, [_BAND[0], 50.0, _BAND[1]]).tolist() if len(values) else [math.nan] * 3
    mean, error = together(runs)
    bad = (
        together([run for run, was in zip(runs, systemic, strict=True) if was])[0] if systemic is not None else math.nan
    )
    aim = measure.aim or Aim(math.nan, math.nan, "")
    return Row(
        measure.key, measure.group, measure.label, measure.unit, measure.of, median, low, high, mean, error, bad,
        len(values), recorded(measure.record) if measure.record else math.nan, *aim,
        note or ("" if len(values) else "nothing of the kind happened"), measure.definition,
    )  # fmt: skip


def about(text: str, runs: int) -> Row:
    """Return the row that says of a table what was played; it is kept with it and shown in no table."""
    nothing = math.nan
    return Row(
        ABOUT, "", "what was played", "", "", nothing, nothing, nothing, nothing, nothing, nothing, runs, nothing, nothing,
        nothing, "", text, "",
    )  # fmt: skip


# --- showing ---------------------------------------------------------------------------------------------------------


def number(unit: str, value: float) -> str:
    """Return a value as the table shows it."""
    return _FORMS.get(unit, _OTHER_FORM).format(value).replace("-", "−") if math.isfinite(value) else ""


def _aim(row: Row) -> str:
    if not row.aim_of:
        return ""
    ends = sorted({number(row.unit, x) for x in (row.aim_low, row.aim_high)}, key=len)
    says = ends[0] if len(ends) == 1 else f"{number(row.unit, row.aim_low)} to {number(row.unit, row.aim_high)}"
    met = {True: "met", False: "missed", None: "not known"}[row.met]
    return f"{row.aim_of} {says}: {met}"


def shown(row: Row) -> tuple[str, ...]:
    """Return a row as text (see HEADS); one without values says why in their place."""
    if row.note:
        return (row.measure, row.unit, row.note, "", "", "", "", number(row.unit, row.record), _aim(row))
    say = lambda value: number(row.unit, value)  # noqa: E731
    band = f"{say(row.low)} to {say(row.high)}" if row.count > 1 else ""
    return (
        row.measure, row.unit, say(row.median), band, say(row.mean), say(row.error), say(row.systemic), say(row.record),
        _aim(row),
    )  # fmt: skip


def beside(new: Row, old: Row | None) -> tuple[str, ...]:
    """Return a row beside the same of an older table as text (see BESIDE); the difference in standard errors of both."""
    say = lambda value: number(new.unit, value)  # noqa: E731
    record, aim = say(new.record), _aim(new)
    if old is None:
        return (new.measure, new.unit, "", say(new.median), "", say(new.mean), "", record, aim)
    error = math.hypot(new.error, old.error)
    moved = f"{(new.mean - old.mean) / error:+.1f}".replace("-", "−") if error > 0.0 else ""
    return (
        new.measure, new.unit, say(old.median), say(new.median), say(old.mean), say(new.mean), moved, record, aim,
    )  # fmt: skip


def groups(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Return the rows by group, in their order."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row.group, []).append(row)
    return found


def verdict(rows: Sequence[Row]) -> str:
    """Return how many aims are met."""
    aims = [row.met for row in rows if row.aim_of]
    unknown = f", {aims.count(None)} not known" if None in aims else ""
    return f"{aims.count(True)} of {len(aims)} aims are met{unknown}."


# --- CSV ---------------------------------------------------------------------------------------------------------------


def write_csv(rows: Sequence[Row], file: Path) -> Path:
    """Write the rows, numbers with as many digits as tell them apart (nan as an empty field); return the file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with open(file, "w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, [f.name for f in fields(Row)], lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({name: _field(value) for name, value in asdict(row).items()})
    return file


def _field(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}" if math.isfinite(value) else ""
    return str(value)


def read_csv(file: Path) -> dict[str, Row]:
    """Return the rows of a file by key. Raises ConfigError when it cannot be read or is no such table."""
    try:
        with open(file, encoding="utf-8", newline="") as lines:
            found = list(csv.DictReader(lines))
        if not found:
            raise ValueError("no rows")
        return {line["key"]: _row(line) for line in found}
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, TypeError, ValueError) as error:
        raise ConfigError([Fault(str(file), "--against", f"is no table of measures: {error!r}")]) from None


def _row(line: Mapping[str, str]) -> Row:
    texts = {"key", "group", "measure", "unit", "of", "aim_of", "note", "definition"}
    values = {
        f.name: line[f.name] if f.name in texts else int(line["count"]) if f.name == "count" else float(line[f.name] or "nan")
        for f in fields(Row)
    }  # fmt: skip
    return Row(**values)  # type: ignore[arg-type] # from text, by the names of its fields
