"""Users' tables with a time axis: drivers by month, monthly closes of a coin."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from simulation.scenario.faults import ConfigError, Fault
from simulation.world.inputs.cells import Axis, Bounds, time_axis
from simulation.world.inputs.table import FLAG, NUMBER, TEXT, WHOLE, Spec, TableRead, raise_some, read_table

#: Log returns and growth of a month beyond which no record goes: a factor of twenty.
_MOVES = Bounds(-3.0, 3.0)
#: And of all months together: beyond e^50 prices are no numbers of an economy.
_ALL_MOVES = 50.0
#: Returns of a block of history that "bootstrap" draws.
BLOCK = 12

_MONTH = Spec("month", TEXT, "month")
DRIVERS = (
    _MONTH,
    Spec("btc_return", NUMBER, "log/month", _MOVES, parameters=("drivers.coin",)),
    Spec("eth_return", NUMBER, "log/month", _MOVES, parameters=("drivers.coin.eth_beta", "drivers.coin.eth_volatility")),
    Spec("demand_growth", NUMBER, "log/month", _MOVES, parameters=("drivers.demand",)),
    Spec("efficiency", NUMBER, "log/month", _MOVES,
         parameters=("drivers.demand.deflation", "drivers.demand.deflation_volatility")),
    Spec("stress_coin", FLAG, "flag", Bounds(0.0, 1.0), parameters=("drivers.regimes",)),
    Spec("stress_demand", FLAG, "flag", Bounds(0.0, 1.0), parameters=("drivers.regimes",)),
    Spec("block_units", NUMBER, "GPU", Bounds(0.0), parameters=("drivers.block.units",)),
    Spec("block_chip", TEXT, "chip", parameters=("drivers.block.chip",)),
    Spec("block_days", WHOLE, "day", Bounds(1.0), parameters=("drivers.block.days",)),
    Spec("rent", NUMBER, "USD/perf-h", Bounds(0.0), parameters=("rental.rent",)),
)  # fmt: skip
#: Columns whose sum over the months is a log change since the start.
_SUMMED = ("btc_return", "eth_return", "demand_growth", "efficiency")
SERIES = (
    _MONTH,
    Spec("close_usd", NUMBER, "USD", Bounds(0.0, open_least=True)),
    Spec("log_return", TEXT),
    Spec("note", TEXT),
)


class Path(NamedTuple):
    """Values by month from ``first`` (since the run's first month) on, one array a column."""

    first: int
    columns: dict[str, np.ndarray]
    notes: tuple[str, ...]
    rows: int


def read_drivers(path: str, start: int, months: int, chips: tuple[str, ...]) -> Path:
    """Return the drivers that a file gives for a run of ``months`` from ``start`` (year*12+month-1). Raises ConfigError."""
    table = read_table(path, "drivers.file", DRIVERS, ("month",))
    return _drivers(table, start, months, chips)


@lru_cache(maxsize=64)
def _drivers(table: TableRead, start: int, months: int, chips: tuple[str, ...]) -> Path:
    axis = _axis(table, start)
    faults: list[Fault] = []
    columns = dict(table.columns)
    if "block_chip" in table:
        codes, faults = _chips(table, chips)
        columns["block_chip"] = np.array(codes, np.int64)
    numbered = not any("-" in text[1:] for text in table.texts["month"])
    last = axis.first + len(table) - 1
    if numbered and axis.first < 0:
        faults.append(table.fault(axis.order[0], "month", f"{axis.first} is before the run: its first month is 0"))
    elif axis.first >= months or last < 0:
        span = f"months {axis.first} to {last} since its first" if not numbered else f"months {axis.first} to {last}"
        faults.append(
            table.fault(
                axis.order[0], "month", f"no row is of the run, which has months 0 to {months - 1}: these are {span}"
            )
        )
    columns = {name: values[axis.order] for name, values in columns.items()}
    for name in _SUMMED:
        far = np.abs(np.cumsum(columns[name])) > _ALL_MOVES if name in columns else np.zeros(0, bool)
        if far.any():
            row = axis.order[int(far.argmax())]
            faults.append(
                table.fault(
                    row,
                    name,
                    f"the months up to here sum to {columns[name][: int(far.argmax()) + 1].sum():g}: at most {_ALL_MOVES:g} (log) make sense",
                )
            )
    raise_some(faults, table.path, table.parameter)
    notes = [*table.notes, *axis.notes]
    outside = max(0, -axis.first) + max(0, last + 1 - months)
    if outside:
        notes.append(f"{outside} of {len(table)} months are not of the run")
    skipped = max(0, -axis.first)
    used = {name: values[skipped : months - axis.first] for name, values in columns.items()}
    return Path(max(0, axis.first), used, tuple(notes), len(table))


def _chips(table: TableRead, chips: tuple[str, ...]) -> tuple[list[int], list[Fault]]:
    """Return the generation of each row, by name or by number in the order of release."""
    codes, faults = [], []
    for row, text in enumerate(table.texts["block_chip"]):
        code = (
            chips.index(text)
            if text in chips
            else int(text)
            if text.isascii() and text.isdecimal() and len(text) < 9
            else -1
        )
        if not 0 <= code < len(chips):
            known = ", ".join(f"{k} {name}" for k, name in enumerate(chips))
            faults.append(table.fault(row, "block_chip", f"no generation {text!r}: {known}"))
        codes.append(code)
    return codes, faults


class Series(NamedTuple):
    """Log returns of a coin by month from ``first`` (since the run's first month) on; what is said of the file."""

    first: int
    returns: np.ndarray
    notes: tuple[str, ...]
    rows: int


def read_series(path: str, start: int, needed: int, history: bool) -> Series:
    """Return the recorded returns of a coin, at least ``needed`` of them; as ``history`` they must reach the run's start.

    The first return belongs to the second close. Raises ConfigError.
    """
    table = read_table(path, "drivers.coin.series", SERIES, ("month", "close_usd"))
    return _series(table, start, needed, history)


@lru_cache(maxsize=64)
def _series(table: TableRead, start: int, needed: int, history: bool) -> Series:
    axis = _axis(table, start)
    close = table.columns["close_usd"][axis.order]
    if len(close) <= needed:
        what = f"a block of {needed} months takes {needed + 1}" if needed > 1 else "a return takes two"
        raise ConfigError([table.fault(len(table) - 1, "", f"ends after {len(close)} closes: {what}")])
    returns = np.diff(np.log(close))
    wild = np.abs(returns) > _MOVES.most
    faults = [
        table.fault(
            axis.order[int(k) + 1],
            "close_usd",
            f"moves by {np.exp(abs(returns[k])):,.0f} times within a month: no coin did",
        )
        for k in np.flatnonzero(wild)
    ]
    if history and axis.first >= 0:
        message = "the record begins after the month before the run's first: there is no return for its first month"
        faults.append(table.fault(axis.order[0], "month", message))
    raise_some(faults, table.path, table.parameter)
    notes = (*table.notes, *axis.notes)
    if history and axis.first + len(close) <= 0:
        notes = (*notes, "ends before the run begins: not used")
    returns.flags.writeable = False
    return Series(axis.first + 1, returns, notes, len(table))


def _axis(table: TableRead, start: int) -> Axis:
    axis = time_axis(table.texts["month"], start, table.lines)
    raise_some([table.fault(row, "month", message) for row, message in axis.faults], table.path, table.parameter)
    return axis
