"""What was recorded: figures by key from ``facts.csv``, series by month, each with the grade of its source."""

from __future__ import annotations

import csv
import math
import os
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from experiments.evidence.calibration.moments import read_months
from simulation.scenario.document import base_config
from simulation.scenario.faults import ConfigError, _did_you_mean, _file_hint
from simulation.world.inputs.cells import has_decimal_commas, month_number, number
from simulation.world.inputs.sheet import read_sheet

FACTS = base_config().parent / "data" / "facts.csv"


class RecordError(ValueError):
    """A record cannot be had; the message says why."""


class Fact(NamedTuple):
    """A row of ``facts.csv``: its value, the grade of its source ("" if none is stated), the last month it is about."""

    value: float
    grade: str
    until: int | None


def ordinal(month: str) -> int:
    """Return the number of a calendar month "YYYY-MM"; consecutive months have consecutive numbers."""
    return 12 * int(month[:4]) + int(month[5:7]) - 1


def calendar(number: int) -> str:
    """Return "YYYY-MM" of a month's number."""
    return f"{number // 12:04d}-{number % 12 + 1:02d}"


def last_month(date: str) -> int | None:
    """Return the last month that a fact's date can mean, None where it says none.

    Dates of facts are days, months, quarters ("2025-Q4"), halves, years or ranges ("2025-01..2025-12"); what is not
    said more closely than the year may be its December.
    """
    found = re.match(r"(\d{4})(?:-(Q[1-4]|H[12]|\d{2}))?", date.rpartition("..")[2].strip())
    if found is None:
        return None
    year, part = int(found[1]), found[2] or "12"
    if part[0] in "QH":
        return ordinal(f"{year}-{int(part[1]) * (3 if part[0] == 'Q' else 6):02d}")
    if int(part) > 12:  # a range of years: 2025-26
        return ordinal(f"{year // 100 * 100 + int(part)}-12")
    return ordinal(f"{year}-{int(part):02d}") if int(part) else None


def read_facts(path: Path = FACTS) -> dict[str, Fact]:
    """Return the facts whose value is a number, by key."""
    facts = {}
    with open(path, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            grade = re.search(r"\[([ABC])\b", row["source"])
            try:
                value = float(row["value"])
            except ValueError:
                continue
            facts[row["key"]] = Fact(value, grade[1] if grade else "", last_month(row["date"]))
    return facts


def find_fact(facts: dict[str, Fact], key: str) -> Fact:
    """Return a fact by key. Raises RecordError where there is none, or none with a number."""
    if key not in facts:
        raise RecordError(f"no fact '{key}' with a number in {FACTS.name}{_did_you_mean(key, facts)}")
    return facts[key]


def read_series(path: Path, column: str, where: dict[str, str]) -> dict[int, float]:
    """Return a recorded series: the month's number and its value, rows chosen by ``where`` (column: text).

    The month stands in the column "month" or "date". Raises RecordError, with the line of the CSV file where one is
    to blame.
    """
    if not path.is_file():
        raise RecordError(f"no such file: {path}{_file_hint(os.fspath(path))}")
    try:
        sheet = read_sheet(os.fspath(path), "", frozenset((column, "month", "date", *where)))
    except ConfigError as error:
        raise RecordError(str(error)) from None
    names = sheet.header.cells
    for name in (column, *where):
        if name not in names:
            raise RecordError(f"{path.name} has no column '{name}'{_did_you_mean(name, names)}")
    when = next((name for name in ("month", "date") if name in names), None)
    if when is None:
        raise RecordError(f"{path.name} has neither a column 'month' nor 'date'")
    fields = dict(zip(names, sheet.fields, strict=True))
    commas = has_decimal_commas(row.cells[fields[column] - 1] for row in sheet.rows if len(row.cells) >= fields[column])
    found: dict[int, float] = {}
    for row in sheet.rows:
        if len(row.cells) != sheet.fields[-1]:
            raise RecordError(f"{path.name}:{row.line}: has {len(row.cells)} fields, the header has {sheet.fields[-1]}")
        cells = {name: row.cells[field - 1] for name, field in fields.items()}
        if any(cells[name] != text for name, text in where.items()) or not cells[column]:
            continue
        read = month_number(cells[when], 0)
        if isinstance(read, str) or read[1] == "number":
            raise RecordError(f"{path.name}:{row.line}:{fields[when]}: {cells[when]!r} is no month (YYYY-MM)")
        if read[0] in found:
            raise RecordError(
                f"{path.name}:{row.line}:{fields[when]}: a second row for {calendar(read[0])}; say which with 'where'"
            )
        value = number(cells[column], commas)
        if isinstance(value, str):
            raise RecordError(f"{path.name}:{row.line}:{fields[column]}: {value}")
        found[read[0]] = value
    if not found:
        raise RecordError(f"no row of {path.name} has {', '.join(f'{k} = {v}' for k, v in where.items()) or column}")
    return found


def read_recorded(kind: str, series: dict[int, float], first: int, last: int, base: int) -> float:
    """Return a moment of a recorded series, read as it is read off a run (months by number).

    Raises RecordError where a month that the reading needs is not recorded.
    """
    needed = {last} if kind == "at" else {base, last} if kind == "ratio" else set(range(first, last + 1))
    missing = sorted(needed - series.keys())
    if missing:
        raise RecordError(f"is not recorded in {', '.join(map(calendar, missing[:3]))}")
    start = min(needed)
    path = np.array([series.get(month, math.nan) for month in range(start, max(needed) + 1)])
    return read_months(kind, path, first - start if kind not in ("at", "ratio") else 0, last - start, base - start)
