"""The one reader of users' tables: dialect, columns, cells with bounds; every fault as file:line:field."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from simulation.scenario.faults import ConfigError, Fault, _did_you_mean
from simulation.world.inputs.cells import Bounds, flag, has_decimal_commas, is_missing, number, shown, whole
from simulation.world.inputs.sheet import Row, Sheet, read_sheet

#: Faults of one table that are told one by one.
_TOLD = 20

#: What the cells of a column hold.
NUMBER, WHOLE, FLAG, CHOICE, TEXT = "number", "whole number", "flag", "choice", "text"


class Spec(NamedTuple):
    """A column that a table may have: what its cells hold, unit, bounds; ``choices`` are the texts of a CHOICE.

    ``because`` says why the column is not to be given ("" if it is); ``parameters`` are those in whose place it stands.
    """

    name: str
    holds: str = NUMBER
    unit: str = ""
    bounds: Bounds = Bounds()
    choices: tuple[str, ...] = ()
    because: str = ""
    parameters: tuple[str, ...] = ()


class TableRead:
    """A table as it was read: columns by name, and where each cell stands. Two readings are one only if the same."""

    def __init__(
        self, sheet: Sheet, parameter: str, specs: dict[str, Spec], data: dict[str, list], notes: tuple[str, ...]
    ) -> None:
        self.path, self.parameter, self.specs, self.notes = sheet.path, parameter, specs, notes
        self.lines = [row.line for row in sheet.rows]
        self.header_line = sheet.header.line
        self.fields = dict(zip(sheet.header.cells, sheet.fields, strict=True))
        self.texts = data
        self.columns = {
            name: np.array(values, np.int64 if specs[name].holds in (WHOLE, FLAG, CHOICE) else np.float64)
            for name, values in data.items()
            if specs[name].holds != TEXT
        }

    def __len__(self) -> int:
        return len(self.lines)

    def __contains__(self, name: str) -> bool:
        return name in self.texts

    def fault(self, row: int, name: str, message: str) -> Fault:
        """Return a fault of a cell, or of the header (row -1)."""
        line = self.lines[row] if row >= 0 else self.header_line
        path = f"{self.parameter}: {name}" if name else self.parameter
        return Fault(f"{self.path}:{line}:{self.fields.get(name, 1)}", path, message)

    def refuse(self, faults: Iterable[Fault]) -> None:
        """Raise ConfigError if there are faults; of many, the first."""
        raise_some(list(faults), self.path, self.parameter)


def raise_some(faults: list[Fault], path: str, parameter: str) -> None:
    """Raise ConfigError if there are faults; of very many the first, and how many more there are."""
    if len(faults) > _TOLD:
        more = Fault(path, parameter, f"and {len(faults) - _TOLD:,} more faults")
        faults = [*faults[:_TOLD], more]
    if faults:
        raise ConfigError(faults)


def read_table(path: str, parameter: str, specs: Sequence[Spec], required: tuple[str, ...] = ()) -> TableRead:
    """Return a file read as a table with some of the columns ``specs``; ``required`` must be there.

    ``parameter`` is the one that names the file. A file that has not changed is read once. Raises ConfigError with
    every fault.
    """
    try:
        found = os.stat(path)
    except (OSError, ValueError) as error:
        message = f"cannot be read ({getattr(error, 'strerror', None) or error})"
        raise ConfigError([Fault(path, parameter, message)]) from None
    return _read(path, (found.st_mtime_ns, found.st_size, found.st_ino), parameter, tuple(specs), required)


@lru_cache(maxsize=64)
def _read(
    path: str, stamp: tuple[int, ...], parameter: str, columns: tuple[Spec, ...], required: tuple[str, ...]
) -> TableRead:
    specs = {spec.name: spec for spec in columns}
    sheet = read_sheet(path, parameter, frozenset(specs))
    # Cells of a header that is wrong would be said to be wrong for no reason of their own.
    raise_some(_of_header(sheet, parameter, specs, required), path, parameter)
    faults = _of_lengths(sheet, parameter)
    raise_some(faults, path, parameter)
    texts = {
        name: [row.cells[field - 1] for row in sheet.rows]
        for name, field in zip(sheet.header.cells, sheet.fields, strict=True)
    }
    numeric = [cell for name, cells in texts.items() if specs[name].holds in (NUMBER, WHOLE) for cell in cells]
    commas = has_decimal_commas(numeric)
    notes = (*sheet.notes[:1], "decimal commas", *sheet.notes[1:]) if commas else sheet.notes
    data = {}
    for name, field in zip(sheet.header.cells, sheet.fields, strict=True):
        values, wrong = _converted(texts[name], specs[name], commas)
        data[name] = values
        faults += [
            Fault(f"{path}:{sheet.rows[k].line}:{field}", f"{parameter}: {name}", message) for k, message in wrong
        ]
    raise_some(
        sorted(faults, key=lambda fault: [int(part) for part in fault.where.rsplit(":", 2)[1:]]), path, parameter
    )
    return TableRead(sheet, parameter, specs, data, notes)


def _of_header(sheet: Sheet, parameter: str, specs: dict[str, Spec], required: tuple[str, ...]) -> list[Fault]:
    """Return the faults of the header: unknown names, state, names that stand twice, names that are missing."""
    line, names = sheet.header
    known = [spec.name for spec in specs.values() if not spec.because]
    faults = []

    def add(k: int, message: str) -> None:
        faults.append(Fault(f"{sheet.path}:{line}:{sheet.fields[k]}", parameter, message))

    if not any(name in specs for name in names) and all(not isinstance(number(name, True), str) for name in names):
        return [
            Fault(
                f"{sheet.path}:{line}:1",
                parameter,
                f"has no header: the first line must name the columns; known columns: {', '.join(known)}",
            )
        ]
    for k, name in enumerate(names):
        if name in names[:k]:
            add(k, f"column {name!r} stands twice: first as field {sheet.fields[names.index(name)]}")
        elif not name:
            add(k, "the column has no name")
        elif name not in specs:
            near = _did_you_mean(name, known)
            add(
                k,
                f"unknown column {shown(name)}{near}"
                if near
                else f"unknown column {shown(name)}; known columns: {', '.join(known)}",
            )
        elif specs[name].because:
            add(k, f"column {name!r} is not to be given: {specs[name].because}")
    faults += [
        Fault(f"{sheet.path}:{line}:1", parameter, f"column {name!r} is missing")
        for name in required
        if name not in names
    ]
    return faults


def _of_lengths(sheet: Sheet, parameter: str) -> list[Fault]:
    """Return a fault for each row that has not as many fields as the header, or nothing in any."""
    width = sheet.fields[-1]
    return [
        Fault(f"{sheet.path}:{row.line}:1", parameter, _length(row, width))
        for row in sheet.rows
        if len(row.cells) != width or not any(row.cells)
    ]


def _length(row: Row, width: int) -> str:
    if not any(row.cells):
        return "the row is empty"
    hint = "; decimal commas need another separator, or quotation marks" if len(row.cells) > width else ""
    return f"has {len(row.cells)} fields, the header has {width}{hint}"


def _converted(texts: list[str], spec: Spec, commas: bool) -> tuple[list, list[tuple[int, str]]]:
    """Return the values of a column, and (row, message) of what is wrong."""
    values: list = []
    wrong: list[tuple[int, str]] = []
    codes = {text: k for k, text in enumerate(spec.choices)}
    for row, text in enumerate(texts):
        value, message = _value(text, spec, commas, codes)
        values.append(value)
        if message:
            wrong.append((row, message))
    return values, wrong


def _value(text: str, spec: Spec, commas: bool, codes: dict[str, int]) -> tuple[float | int | str, str]:
    """Return the value of a cell and what is wrong with it."""
    if spec.holds == TEXT:
        return text, ""
    if spec.holds == CHOICE:
        if text in codes:
            return codes[text], ""
        if is_missing(text):
            return 0, f"is empty: it must be one of {', '.join(codes)}"
        return 0, f"{shown(text)} is none of {', '.join(codes)}{_did_you_mean(text, codes)}"
    found = number(flag(text) if spec.holds == FLAG else text, commas)
    if isinstance(found, str):
        return 0, found
    message = spec.bounds.broken(found, spec.unit, text)
    if not message and spec.holds in (WHOLE, FLAG):
        message = whole(found, text)
    return (0 if message else int(found) if spec.holds in (WHOLE, FLAG) else found), message
