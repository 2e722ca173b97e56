"""What results are made of are numbers: the first month in which one is not finite."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from agents.schema import column_names, words
from agents.tables.ledger import ITEMS
from simulation.world.world import World

#: Tables of the months that were played, as many rows a month as there are generations or kinds of agent.
_MONTHLY = ("panel", "chip_panel", "kind_panel")


class NotFinite(NamedTuple):
    """A number of the results that is none: the month, the table and its column, what stands there."""

    month: int
    table: str
    column: str
    value: float


def first_not_finite(world: World) -> NotFinite | None:
    """Return the earliest number of the monthly tables and of the flows that is not finite, None if all are."""
    months, horizon = int(world.clock.view(np.ndarray)["month"][0]), len(world.panel)
    found = []
    for name in _MONTHLY:
        rows = getattr(world, name).view(np.ndarray)
        each = len(rows) // horizon
        names = column_names(rows)
        real = np.array([rows.dtype[column].kind == "f" for column in names])
        # All columns have 8 bytes: the block is looked at whole, and then only at those that are real.
        wrong = ~np.isfinite(words(rows[: months * each]).view(np.float64)) & real
        found += _first(name, names, wrong, rows, each)
    wrong = ~np.isfinite(world.flows[:months])
    if wrong.any():
        month, item = np.argwhere(wrong)[0]
        found.append(NotFinite(int(month), "flows", ITEMS[item].name, float(world.flows[month, item])))
    return min(found, key=lambda place: place.month, default=None)


def _first(table: str, names: tuple[str, ...], wrong: np.ndarray, rows: np.ndarray, each: int) -> list[NotFinite]:
    """Return the first entry that is wrong, if there is one; a month has ``each`` rows."""
    if not wrong.any():
        return []
    row, column = np.argwhere(wrong)[0]
    return [NotFinite(int(row) // each, table, names[column], float(rows[names[column]][row]))]
