"""Users' lists of edges: who borrows from whom, who funds whom, who calls whom; by row number or by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from simulation.scenario.faults import Fault
from simulation.world.inputs.cells import Bounds, number, shown
from simulation.world.inputs.table import NUMBER, TEXT, Spec, TableRead, raise_some, read_table

#: A warehouse line needs a size.
_LIMIT = Spec("limit", NUMBER, "USD", Bounds(least=0.0, open_least=True))


class Side(NamedTuple):
    """One side of an edge: its column, the rows that it may be (first to last), names of rows by text."""

    column: str
    first: int
    last: int
    names: tuple[tuple[str, int], ...] = ()


class Edges:
    """Edges as a file gives them: ``pairs`` n x 2, ``limit`` (USD) where it has one. Two are one only if the same."""

    def __init__(self, table: TableRead, pairs: np.ndarray) -> None:
        self.table, self.pairs = table, pairs
        self.limit = table.columns.get("limit")


def read_edges(path: str, parameter: str, sides: tuple[Side, Side], *, limits: bool = False) -> Edges:
    """Return a list of edges. An edge stands once and has two ends that differ, where both are of one kind. Raises ConfigError."""
    columns = tuple(Spec(side.column, TEXT, "row") for side in sides)
    names = (sides[0].column, sides[1].column)
    table = read_table(path, parameter, (*columns, _LIMIT) if limits else columns, names)
    return _checked(table, sides)


@lru_cache(maxsize=64)
def _checked(table: TableRead, sides: tuple[Side, Side]) -> Edges:
    faults: list[Fault] = []
    ends = [_ends(table, side, faults) for side in sides]
    if not faults:
        faults = _repeated(table, sides, ends)
    raise_some(faults, table.path, table.parameter)
    return Edges(table, np.array(ends, np.int64).T)


def _ends(table: TableRead, side: Side, faults: list[Fault]) -> list[int]:
    """Return the rows that a column names; add a fault for each that is none."""
    names = dict(side.names)
    found = []
    for row, text in enumerate(table.texts[side.column]):
        end = _end(text, side, names)
        if isinstance(end, str):
            faults.append(table.fault(row, side.column, end))
        else:
            found.append(end)
    return found


def _end(text: str, side: Side, names: Mapping[str, int]) -> int | str:
    """Return the row that a cell names, or what is wrong with it."""
    if text in names:
        return names[text]
    value = number(text, False)
    if isinstance(value, float) and side.first <= value <= side.last and value.is_integer():
        return int(value)
    if isinstance(value, float):
        return f"{value:g} is not a row number from {side.first} to {side.last}"
    if "is empty" in value:
        return value
    return f"{shown(text)} is neither a row number from {side.first} to {side.last} nor a name" + (
        "" if names else ": the tables of agents have no column 'name'"
    )


def _repeated(table: TableRead, sides: Sequence[Side], ends: list[list[int]]) -> list[Fault]:
    """Return the faults of edges that stand twice, or that lead from a node to itself."""
    first: dict[tuple[int, int], int] = {}
    faults = []
    alike = {side.column for side in sides} in ({"creditor", "debtor"}, {"seller", "buyer"})
    for row, edge in enumerate(zip(*ends, strict=True)):
        if alike and edge[0] == edge[1]:
            faults.append(table.fault(row, sides[1].column, f"{edge[1]} is its own {sides[0].column}"))
        elif edge in first:
            message = f"the edge {edge[0]}, {edge[1]} stands twice: first in line {table.lines[first[edge]]}"
            faults.append(table.fault(row, sides[0].column, message))
        first.setdefault(edge, row)
    return faults
