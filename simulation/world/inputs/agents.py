"""Users' tables of agents: read, and what must agree within a row."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from simulation.scenario.faults import Fault
from simulation.world.inputs.columns import BUYERS, LENDERS, MINERS, NEOCLOUDS
from simulation.world.inputs.table import TableRead, raise_some, read_table

#: What rounding may leave between two amounts of a row (a part of the larger): a few digits were written.
_PART = 1e-6


def read_lenders(path: str) -> TableRead:
    """Return a table of lenders; cash is equity and deposits, because nothing is lent yet. Raises ConfigError."""
    table = read_table(path, "lenders.file", LENDERS)
    given = table.columns
    faults = _repeated_names(table)
    if "cash" in given and "deposits" in given:
        own = given["cash"] - given["deposits"]
        if "equity" in given:
            wrong = np.abs(own - given["equity"]) > _PART * np.maximum(given["cash"], given["equity"])
            faults += _rows(table, "cash", wrong, "must be equity plus deposits: nothing is lent yet when a run opens")
        else:
            faults += _rows(table, "deposits", own <= 0.0, "must be below cash: what is left is the lender's equity")
    elif "cash" in given and "equity" in given:
        wrong = given["cash"] < given["equity"]
        faults += _rows(table, "cash", wrong, "must be at least equity: deposits are cash less equity when a run opens")
    elif "cash" in given:
        faults.append(table.fault(-1, "cash", "needs the column 'equity' or 'deposits'"))
    raise_some(faults, path, table.parameter)
    return table


def read_operators(path: str, section: str, customers: int) -> TableRead:
    """Return a table of neoclouds or miners (``section``) who know ``customers`` customers. Raises ConfigError."""
    table = read_table(path, f"{section}.file", NEOCLOUDS if section == "neoclouds" else MINERS)
    faults = _repeated_names(table)
    for name, what in (("liquid_power", "the part with liquid cooling"), ("used_power", "what the GPUs draw")):
        faults += _within(table, name, "site_power", what)
    known = f"the customers are 0 to {customers - 1}" if customers else "there are no customers"
    for name in ("customer", "second"):
        for row in np.flatnonzero(table.columns[name] >= customers) if name in table else ():
            faults.append(table.fault(int(row), name, f"no customer {table.columns[name][row]}: {known}"))
    raise_some(faults, path, table.parameter)
    return table


def read_buyers(path: str) -> TableRead:
    """Return a table of buyers. Raises ConfigError."""
    table = read_table(path, "buyers.file", BUYERS)
    faults = _repeated_names(table) + _within(table, "liquid_cap", "power_cap", "the part with liquid cooling")
    raise_some(faults, path, table.parameter)
    return table


def _within(table: TableRead, part: str, whole: str, what: str) -> list[Fault]:
    """Return the faults of rows whose part exceeds the whole, or of a part without its whole."""
    if part not in table:
        return []
    if whole not in table:
        return [table.fault(-1, part, f"needs the column {whole!r}: it is {what} of it")]
    wrong = table.columns[part] > table.columns[whole]
    return _rows(table, part, wrong, f"must be at most {whole}: it is {what} of it")


def _rows(table: TableRead, name: str, wrong: np.ndarray, message: str) -> list[Fault]:
    return [table.fault(int(row), name, f"{message}, is {table.columns[name][row]:g}") for row in np.flatnonzero(wrong)]


def _repeated_names(table: TableRead) -> list[Fault]:
    """Return the faults of agents without a name of their own."""
    return list(_repeated(table, table.texts.get("name", ())))


def _repeated(table: TableRead, names: Iterable[str]) -> Iterable[Fault]:
    first: dict[str, int] = {}
    for row, name in enumerate(names):
        if not name or name.isdecimal():
            yield table.fault(
                row, "name", "must be a text that is not a number" if name else "is empty: every row needs a name"
            )
        elif name in first:
            yield table.fault(row, "name", f"{name!r} stands twice: first in line {table.lines[first[name]]}")
        first.setdefault(name, row)
