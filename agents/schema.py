"""How a table is declared: every column once, with dtype, unit, default and meaning.

From these declarations come the NumPy dtypes, the DataFrames, the tables of ``docs/odd.md`` and the
output of ``firesale explain tables``. All numbers are 8 bytes wide so that a record is aligned and the
arithmetic of compiled and interpreted rules is the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    class Rows(np.recarray[Any, np.dtype[Any]]):
        """Records; a part of them (a slice, a mask) is records again, which NumPy's own types do not say."""

        def __getitem__(self, key: Any, /) -> Any: ...

else:
    Rows = np.recarray


TABLES: dict[str, Table] = {}


class Column(NamedTuple):
    """One column: ``kind`` is ``"f8"`` or ``"i8"``; ``codes`` names the values of an enumerated column.

    ``given`` says that a user's table of agents may hold it: all other columns are state, which the run works out.
    """

    name: str
    kind: str
    unit: str
    meaning: str
    default: float = 0
    codes: tuple[str, ...] = ()
    given: bool = False


@dataclass(frozen=True)
class Table:
    """A named list of columns. Creating one registers it in :data:`TABLES`."""

    name: str
    meaning: str
    columns: tuple[Column, ...]

    def __post_init__(self) -> None:
        names = [c.name for c in self.columns]
        clash = [n for n in names if names.count(n) > 1 or hasattr(np.recarray, n)]
        if clash:
            raise ValueError(f"table {self.name}: column names repeated or shadowing an array attribute: {clash}")
        TABLES[self.name] = self

    @cached_property
    def dtype(self) -> np.dtype:
        return np.dtype([(c.name, c.kind) for c in self.columns], align=True)

    def plain(self, rows: int) -> np.ndarray:
        """Return ``rows`` records, every column at its default, to be filled by Python: ``table["cash"] = ...``.

        A column of a plain array is reached twenty times as fast as one of a ``np.recarray``. Its records are of
        the type that ``view(np.recarray)`` wants, so that the view costs next to nothing.
        """
        table = self._zeros(rows)
        if self.row.any():
            words(table)[:] = self.row
        return table

    def empty(self, rows: int) -> Rows:
        """Return ``rows`` records, every column at its default; rules read and write columns as attributes of a row."""
        return self.plain(rows).view(Rows)

    def blank(self, rows: int) -> Rows:
        """Return ``rows`` records of zeros, for a table whose rows are written whole: unused ones cost no memory."""
        return self._zeros(rows).view(Rows)

    def _zeros(self, rows: int) -> np.ndarray:
        return np.zeros(rows, self._record)

    @cached_property
    def _record(self) -> np.dtype:
        return np.dtype((np.record, self.dtype))

    @cached_property
    def row(self) -> np.ndarray:
        """One record, every column at its default, as :func:`words`."""
        row = self._zeros(1)
        for c in self.columns:
            row[c.name] = c.default
        return words(row)

    def frame(self, rows: np.ndarray, *, labels: bool = True) -> pd.DataFrame:
        """Return the rows as a DataFrame, enumerated columns as categories when ``labels``."""
        import pandas as pd  # here, because the command line prints tables of columns without it

        data: dict[str, Any] = {}
        for c in self.columns:
            values = data[c.name] = np.ascontiguousarray(rows[c.name])
            if labels and c.codes:
                known = np.where(values < len(c.codes), values, -1)
                data[c.name] = pd.Categorical.from_codes(known, pd.Index(list(c.codes)))
        return pd.DataFrame(data)


def column_names(table: np.ndarray) -> tuple[str, ...]:
    """Return the names of the columns of a table."""
    return table.dtype.names or ()


def words(table: np.ndarray) -> np.ndarray:
    """Return a view of a table as integers of 8 bytes, rows x columns: its rows are copied as memory, not by column."""
    return table.view(np.ndarray).view(np.int64).reshape(len(table), len(column_names(table)))


def copied(table: np.ndarray) -> np.ndarray:
    """Return an independent, plain copy of a table."""
    return words(table).copy().reshape(-1).view(table.dtype)


def f(name: str, unit: str, meaning: str, default: float = 0.0, *, given: bool = False) -> Column:
    """A real column."""
    return Column(name, "f8", unit, meaning, default, given=given)


def i(name: str, unit: str, meaning: str, default: int = 0, *, given: bool = False) -> Column:
    """An integer column (an index, a month, a count); -1 means none."""
    return Column(name, "i8", unit, meaning, default, given=given)


def labels(codes: type[IntEnum]) -> tuple[str, ...]:
    """Return the names of an enumeration as results show them, in the order of their codes 0, 1, ..."""
    if [c.value for c in codes] != list(range(len(codes))):
        raise ValueError(f"{codes.__name__} must count 0, 1, ...")
    return tuple(c.name.lower() for c in codes)


def code(name: str, meaning: str, codes: type[IntEnum], *, given: bool = False) -> Column:
    """An enumerated column: its values are the members of ``codes``."""
    return Column(name, "i8", "code", meaning, 0, labels(codes), given)
