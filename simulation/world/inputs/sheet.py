"""A table's file as a header and rows of texts, each with its line: its dialect is found and said."""

from __future__ import annotations

import contextlib
import csv
import io
import re
from collections.abc import Iterator
from typing import NamedTuple

from simulation.scenario.faults import ConfigError, Fault
from simulation.world.inputs.text import read_text

#: Separators, the usual one first, and how they are called.
_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", " ": "spaces"}
#: Rows by which the separator of a table with one known column is told.
_LOOKED_AT = 50
#: A line "sep=;" tells spreadsheets the separator.
_TOLD = re.compile(r"\s*sep=(.)\s*$", re.IGNORECASE)
#: A comment; errors that a spreadsheet writes into a cell are none.
_COMMENT = re.compile(r'[ \t]*"?#(?!N/A|REF!|DIV/0!|VALUE!|NAME\?|NUM!|NULL!|SPILL!|CALC!)')
#: How pandas calls a column that has no name in the file.
_UNNAMED = re.compile(r"(Unnamed: \d+)?$")


class Row(NamedTuple):
    """The texts of a row, without the spaces around them, and the line on which it begins."""

    line: int
    cells: list[str]


class Sheet(NamedTuple):
    """The rows of a table.

    ``fields`` says which field of a row each column of the header is, counted from 1 as an editor shows it; ``notes``
    are what is said of the dialect.
    """

    path: str
    header: Row
    fields: list[int]
    rows: list[Row]
    notes: tuple[str, ...]


class _Lines:
    """The lines of a text for the reader of CSV; before a row begins, comments and blank lines are passed over."""

    def __init__(self, text: str) -> None:
        # Without translation of line ends: a line is what an editor counts as one.
        self.source = io.StringIO(text, newline="")
        self.line = self.start = 0
        self.begins = True
        self.blank: list[int] = []

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        for line in self.source:
            self.line += 1
            if not self.begins:
                return line
            if not line.strip("\r\n "):
                self.blank.append(self.line)
            elif not _COMMENT.match(line) and not (self.start == 0 and _TOLD.match(line)):
                self.begins, self.start = False, self.line
                return line
        raise StopIteration


def read_sheet(path: str, parameter: str, known: frozenset[str]) -> Sheet:
    """Return the header and the rows of a file; ``known`` are the columns that a table of its kind can have.

    Blank lines, comments (# ...), rows without any text at the end and columns without name and text are left out, and
    so is a first column of row names as R and pandas write it. Raises ConfigError.
    """
    text, encoding = read_text(path, parameter)
    separator = _separator(text, known)
    lines = _Lines(text)
    try:
        rows = list(_rows(lines, separator))
    except csv.Error as error:
        raise ConfigError([Fault(f"{path}:{max(1, lines.start)}:1", parameter, _explained(str(error)))]) from None
    notes = [f"separated by {_SEPARATORS.get(separator, repr(separator))}"] if separator != "," else []
    notes += [encoding] if encoding else []
    header, body = (rows[0], rows[1:]) if rows else (Row(1, []), [])
    full = len(body)
    while body and not any(body[-1].cells):
        body.pop()
    if len(body) < full:
        notes.append(f"{_count(full - len(body), 'empty row')} at the end left out")
    if not body:
        raise ConfigError([Fault(path, parameter, "has no rows: it needs a header line and at least one row")])
    if len(header.cells) == 1:
        _refuse_gaps(path, parameter, lines.blank, header.line, body[-1].line)
    header, fields, said = _named(header, body, separator)
    return Sheet(path, header, fields, body, (*notes, *said))


def _separator(text: str, known: frozenset[str]) -> str:
    """Return the separator: the one that the file tells, else the one by which most names of the header are known."""
    told = _TOLD.match(text.split("\n", 1)[0])
    if told:
        return told[1]
    found = []
    for order, separator in enumerate(_SEPARATORS):
        first: list[Row] = []
        with contextlib.suppress(csv.Error):  # of a separator that is not the one, or said where the rows are read
            for row in _rows(_Lines(text), separator):
                first.append(row)
                if len(first) > _LOOKED_AT:
                    break
        names = first[0].cells if first else []
        agree = sum(len(row.cells) in (len(names), len(names) + 1) for row in first[1:])
        found.append((len(known.intersection(names)), len(names) > 1 and agree > 0, agree, -order, separator))
    return max(found)[-1]


def _rows(lines: _Lines, separator: str) -> Iterator[Row]:
    reader = csv.reader(lines, delimiter=separator, skipinitialspace=True, strict=True)
    while True:
        lines.begins = True
        cells = next(reader, None)
        if cells is None:
            return
        cells = [cell.strip() for cell in cells]
        if separator == " " and cells and not cells[-1]:
            cells.pop()
        yield Row(lines.start, cells)


def _explained(problem: str) -> str:
    """Return what the CSV reader objects to, in plain words."""
    if "unexpected end of data" in problem:
        return 'a quotation mark (") is opened here and never closed'
    if "expected after" in problem:
        return "text follows a closing quotation mark; a quotation mark inside a text is written twice"
    return f"cannot be read as CSV: {problem}"


def _refuse_gaps(path: str, parameter: str, blank: list[int], first: int, last: int) -> None:
    """Refuse blank lines within a table of one column: each could be a value that is missing."""
    faults = [Fault(f"{path}:{line}:1", parameter, "is empty: every row needs a value") for line in blank]
    faults = [fault for fault, line in zip(faults, blank, strict=True) if first < line < last]
    if faults:
        raise ConfigError(faults)


def _named(header: Row, body: list[Row], separator: str) -> tuple[Row, list[int], list[str]]:
    """Return the header without columns that have no name, the fields of its columns, and what is said of them."""
    names, notes, shift = list(header.cells), [], 0
    longer = all(len(row.cells) == len(names) + 1 for row in body)
    if longer and not any(row.cells[-1] for row in body):
        for row in body:
            row.cells.pop()
    elif longer and _are_row_names([row.cells[0] for row in body], separator):
        shift = 1
        notes.append("row names in the first column left out")
    while len(names) > 1 and not names[-1]:
        full = [row.cells for row in body if len(row.cells) == len(names) + shift]
        if any(cells[-1] for cells in full):
            break
        for cells in full:
            cells.pop()
        names.pop()
    first = 0
    if not shift and len(names) > 1 and _UNNAMED.match(names[0]):
        first = 1
        notes.append("the first column has no name: taken for row names and left out")
    fields = [k + 1 + shift for k in range(first, len(names))]
    return Row(header.line, names[first:]), fields, notes


def _are_row_names(texts: list[str], separator: str) -> bool:
    """Return whether a column more than the header has names holds row names.

    Between commas it could come of decimal commas as well: there row names must count the rows.
    """
    counted = [str(k) for k in range(len(texts) + 1)]
    return texts in (counted[1:], counted[:-1]) or (separator != "," and len(set(texts)) == len(texts))


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
