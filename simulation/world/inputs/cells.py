"""What a cell may hold: numbers with bounds and a decimal mark, months as numbers or of the calendar."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from pydantic.fields import FieldInfo

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_WITH_COMMA = re.compile(r"[+-]?(\d+,\d*|,\d+)([eE][+-]?\d+)?", re.ASCII)
#: 1,234 is 1234 or 1.234; so are 1,234,567 and 1,234.5 groups of thousands.
_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?", re.ASCII)
_ONE_GROUP = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}", re.ASCII)
_PERCENT = re.compile(r"[+-]?[\d.,]+\s*%", re.ASCII)
#: How programs write that there is no value.
_MISSING = frozenset(["", "na", "n/a", "n.a.", "#n/a", "nan", "null", "none", "nil", "-", "--", ".", "?", "missing"])
_TRUTH = {"true": "1", "false": "0"}
#: Larger numbers than any amount of a run: above it a dollar is lost in rounding.
MOST = 1e15
#: Of some units there is less in the world: a terawatt, all bitcoins, and prices a thousand times those on record.
_IN_THE_WORLD = {
    "kW": 1e9, "BTC": 2.1e7, "ETH": 1e9, "GPU": 1e9, "PH/s": 1e9, "J/TH": 1e6, "USD/kWh": 1e3, "USD/kW-month": 1e6, "USD/kW": 1e7,
    "USD/month": 1e12, "USD/perf-h": 1e5, "ratio": 1e6, "elasticity": 1e6, "1/month": 1e2, "day": 1e5,
}  # fmt: skip
#: Numbers of months from which on years or dates without hyphens are meant.
_YEAR = 1000

_MONTH = re.compile(r"(\d{4})-(\d{2})", re.ASCII)
_DAY = re.compile(
    r"(\d{4}-\d{2}-\d{2})([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?",
    re.ASCII,
)
_WHOLE = re.compile(r"[+-]?\d+(\.0*)?", re.ASCII)


class Bounds(NamedTuple):
    """What a number must not be below (``least``) or above (``most``); an open end is itself not allowed."""

    least: float = -math.inf
    most: float = math.inf
    open_least: bool = False
    open_most: bool = False

    def __str__(self) -> str:
        low = f"{'above' if self.open_least else 'at least'} {self.least:g}" if self.least > -math.inf else ""
        high = f"{'below' if self.open_most else 'at most'} {self.most:g}" if self.most < math.inf else ""
        return ", ".join(filter(None, (low, high)))

    def broken(self, value: float, unit: str, shown: str) -> str:
        """Return what is wrong with a value that was written as ``shown``, "" if nothing is."""
        if value < self.least or (self.open_least and value == self.least):
            return f"must be {'above' if self.open_least else 'at least'} {self.least:g}{_unit(unit)}, is {shown}"
        if value > self.most or (self.open_most and value == self.most):
            hint = "; write 70 % as 0.7" if 1.0 <= self.most < value <= 100.0 and unit in ("share", "ratio") else ""
            return f"must be {'below' if self.open_most else 'at most'} {self.most:g}{_unit(unit)}, is {shown}{hint}"
        most = _IN_THE_WORLD.get(unit, MOST)
        if abs(value) > most:
            return f"must be at most {most:g}{_unit(unit)}, is {shown}"
        return ""


def _unit(unit: str) -> str:
    return f" ({unit})" if unit and unit not in ("code", "flag", "text") else ""


def bounds_of(field: FieldInfo) -> Bounds:
    """Return the bounds of a parameter as it declares them; of a range or list, those of its numbers."""
    found = Bounds()
    for rule in field.metadata:
        for name, open_ in (("ge", False), ("gt", True)):
            limit: Any = getattr(rule, name, None)
            if limit is not None and limit >= found.least:
                found = found._replace(least=float(limit), open_least=open_)
        for name, open_ in (("le", False), ("lt", True)):
            limit = getattr(rule, name, None)
            if limit is not None and limit <= found.most:
                found = found._replace(most=float(limit), open_most=open_)
    return found


def shown(text: str) -> str:
    """Return the text of a cell as a message shows it, short."""
    plain = repr(text) if text.isprintable() else ascii(text)
    return plain if len(plain) <= 60 else plain[:56] + " ..."


def is_missing(text: str) -> bool:
    """Return whether a cell holds nothing, or what programs write for it."""
    return text.casefold() in _MISSING


def has_decimal_commas(texts: Iterable[str]) -> bool:
    """Return whether numbers are written with decimal commas: some can be nothing else, and none has a point."""
    certain = False
    for text in texts:
        if "." in text and _NUMBER.fullmatch(text):
            return False
        certain = certain or bool(_WITH_COMMA.fullmatch(text) and not _GROUPED.fullmatch(text))
    return certain


def number(text: str, commas: bool) -> float | str:
    """Return the number that a cell holds, or what is wrong with it. ``commas``: the table has decimal commas."""
    plain = text
    if commas and _WITH_COMMA.fullmatch(text):
        plain = text.replace(",", ".")
    if _NUMBER.fullmatch(plain):
        value = float(plain)
        return value if math.isfinite(value) else f"must be a finite number, is {shown(text)}"
    if is_missing(text):
        return f"is empty{f' ({shown(text)})' if text else ''}: every row needs a value"
    if _GROUPED.fullmatch(text):
        other = f" or {text.replace(',', '.')}" if _ONE_GROUP.fullmatch(text) else ""
        return f"{shown(text)} can be {text.replace(',', '')}{other}: write it without commas"
    if _PERCENT.fullmatch(text):
        return f"{shown(text)} is not a number: write 70 % as 0.7"
    return f"{shown(text)} is not a number"


def flag(text: str) -> str:
    """Return 1 and 0 for the truth values that programs write, other texts as they are."""
    return _TRUTH.get(text.casefold(), text)


def whole(value: float, text: str) -> str:
    """Return what is wrong with a number that must be whole, "" if nothing is."""
    return "" if value.is_integer() and abs(value) <= MOST else f"must be a whole number, is {shown(text)}"


# --- months -------------------------------------------------------------------------------------------------------


def month_number(text: str, start: int) -> tuple[int, str] | str:
    """Return (months since the run's first month, form) of a cell, or what is wrong with it.

    ``start`` is the run's first month as year*12+month-1; the form is "number", "month" (YYYY-MM) or "day" (a date:
    its month counts).
    """
    found = _MONTH.fullmatch(text)
    if found and 1 <= int(found[2]) <= 12:
        return int(found[1]) * 12 + int(found[2]) - 1 - start, "month"
    day = _DAY.fullmatch(text)
    if day:
        try:
            date = datetime.date.fromisoformat(day[1])
        except ValueError:
            return f"{shown(text)} is no day of the calendar"
        return date.year * 12 + date.month - 1 - start, "day"
    if _WHOLE.fullmatch(text):
        value = int(text.partition(".")[0]) if len(text) < 18 else _YEAR
        if abs(value) >= _YEAR:
            return (
                f"{shown(text)} is no number of months: write months as 2024-01, or count them from the run's first (0)"
            )
        return value, "number"
    if is_missing(text):
        return f"is empty{f' ({shown(text)})' if text else ''}: every row needs its month"
    return f"{shown(text)} is no month: write 2024-01, a date 2024-01-31, or the number of months since the run's first (0)"


class Axis(NamedTuple):
    """A time axis: the first month (since the run's first), the order of the rows, what is said, and what is wrong.

    ``faults`` are pairs of a row and a message.
    """

    first: int
    order: list[int]
    notes: tuple[str, ...]
    faults: list[tuple[int, str]]


def time_axis(texts: Sequence[str], start: int, lines: Sequence[int]) -> Axis:
    """Return the axis of a column of months: every month once, none left out, sorted where the file is not."""
    faults: list[tuple[int, str]] = []
    months: list[int] = []
    forms: list[str] = []
    for row, text in enumerate(texts):
        found = month_number(text, start)
        if isinstance(found, str):
            faults.append((row, found))
            continue
        months.append(found[0])
        forms.append(found[1])
    if faults:
        return Axis(0, [], (), faults)
    for row, form in enumerate(forms):
        if (form == "number") != (forms[0] == "number"):
            return Axis(
                0, [], (), [(row, f"{shown(texts[row])}: the rows above are written otherwise ({shown(texts[0])})")]
            )
    order = sorted(range(len(months)), key=lambda row: months[row])
    for before, row in zip(order, order[1:], strict=False):
        gap = months[row] - months[before]
        if gap == 0:
            first, second = sorted((before, row))
            hint = "; of days give the last of each month" if "day" in forms else ""
            faults.append(
                (second, f"the month of {shown(texts[second])} stands twice: first in line {lines[first]}{hint}")
            )
        elif gap > 1:
            faults.append(
                (
                    row,
                    f"{shown(texts[row])} follows {shown(texts[before])} (line {lines[before]}): {gap - 1} months are missing",
                )
            )
    notes = []
    if order != list(range(len(order))):
        newest = order == list(range(len(order)))[::-1]
        notes.append("newest first: put in the order of months" if newest else "put in the order of months")
    if "day" in forms:
        notes.append("days taken for their months")
    return Axis(min(months), order, tuple(notes), faults)
