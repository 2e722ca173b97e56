"""How a table is declared: every column once, with dtype, unit, default and meaning.

From these declarations come the NumPy dtypes, the DataFrames, the tables of ``docs/odd.md`` and the
output of ``firesale explain tables``. All numbers are 8 bytes wide so that a record is aligned and the
arithmetic of compiled and interpreted rules is the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

TABLES: dict[str, Table] = {}


class Column(NamedTuple):
    """One column: ``kind`` is ``"f8"`` or ``"i8"``; ``codes`` names the values of an enumerated column."""

    name: str
    kind: str
    unit: str
    meaning: str
    default: float = 0
    codes: tuple[str, ...] = ()


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

    def empty(self, rows: int) -> np.recarray:
        """Return ``rows`` records, every column at its default."""
        # np.recarray of a plain allocation: rules read and write columns as attributes of a row.
        plain = np.zeros(rows, self.dtype)
        for name, default in self._defaults:
            plain[name] = default
        return plain.view(np.recarray)

    @cached_property
    def _defaults(self) -> tuple[tuple[str, float], ...]:
        return tuple((c.name, c.default) for c in self.columns if c.default)

    def blank(self, rows: int) -> np.recarray:
        """Return ``rows`` records of zeros, for a table whose rows are written whole: unused ones cost no memory."""
        return np.zeros(rows, self.dtype).view(np.recarray)

    def frame(self, rows: np.ndarray, *, labels: bool = True) -> pd.DataFrame:
        """Return the rows as a DataFrame, enumerated columns as categories when ``labels``."""
        import pandas as pd  # here, because the command line prints tables of columns without it

        data = {}
        for c in self.columns:
            values = np.ascontiguousarray(rows[c.name])
            if labels and c.codes:
                values = pd.Categorical.from_codes(np.where(values < len(c.codes), values, -1), list(c.codes))
            data[c.name] = values
        return pd.DataFrame(data)


def f(name: str, unit: str, meaning: str, default: float = 0.0) -> Column:
    """A real column."""
    return Column(name, "f8", unit, meaning, default)


def i(name: str, unit: str, meaning: str, default: int = 0) -> Column:
    """An integer column (an index, a month, a count); -1 means none."""
    return Column(name, "i8", unit, meaning, default)


def code(name: str, meaning: str, *codes: str) -> Column:
    """An enumerated column: 0, 1, ... stand for ``codes``."""
    return Column(name, "i8", "code", meaning, 0, codes)
