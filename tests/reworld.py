"""The same world written down in another way: in another currency, in another unit of performance, in another order of rows.

What is scaled follows from declared units alone, so that a new parameter or column is scaled as soon as it is declared.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from agents.schema import TABLES, Rows, Table
from agents.tables.buyers import BUYER
from agents.tables.ledger import ITEMS
from agents.tables.lenders import LENDER
from agents.tables.operators import OPERATOR
from simulation.record.summary import SUMMARY, summarise
from simulation.scenario.config import input_files, set_path
from simulation.scenario.declare import said
from simulation.scenario.scenario import Scenario
from simulation.scenario.walking import parameters
from simulation.world.panel import PATH
from simulation.world.world import World, tables

#: What a value in a unit is multiplied by.
Scale = Callable[[str], float]
#: Tables of a user's files by the parameter that names them; those that are none: edge lists, and closes of which a run
#: reads returns.
FILES: dict[str, Table | None] = {
    "lenders.file": LENDER, "neoclouds.file": OPERATOR, "miners.file": OPERATOR, "buyers.file": BUYER, "drivers.file": PATH,
    "networks.lending_file": None, "networks.funding_file": None, "networks.contacts_file": None, "drivers.coin.series": None,
}  # fmt: skip


def money(k: float) -> Scale:
    """A currency of which a dollar has ``k``."""
    return lambda unit: k if "USD" in unit.split("/")[0] else 1.0 / k if "USD" in unit else 1.0


def performance(k: float) -> Scale:
    """A unit of performance of which an H100 has ``k``."""

    def scale(unit: str) -> float:
        above, _, below = unit.partition("/")
        inside = [any(name in part for name in ("H100", "perf")) for part in (above, below)]
        return k ** (inside[0] - inside[1])

    return scale


def times(value: Any, factor: float) -> Any:
    """Return a parameter times a factor: a list for a range."""
    return [x * factor for x in value] if isinstance(value, tuple) else value * factor


def scaled(scenario: Scenario, scale: Scale, folder: Path) -> Scenario:
    """Return the scenario in other units, its files rewritten in ``folder``."""
    changes = {
        path: times(value, scale(said(field, "unit")))
        for path, value, field in parameters(scenario)
        if scale(said(field, "unit")) != 1.0 and value is not None
    }
    for name, file in input_files(scenario).items():
        table = FILES[name]
        if table is not None:
            changes[name] = str(_rewritten(file, table, scale, folder / f"{name}.csv"))
    return set_path(scenario, changes)


def _rewritten(file: Path, table: Table, scale: Scale, new: Path) -> Path:
    units = {c.name: c.unit for c in table.columns}
    with open(file, newline="", encoding="utf-8-sig") as text:
        head, *rows = [row for row in csv.reader(text) if row and not row[0].startswith("#")]
    factors = [scale(units.get(name.strip(), "")) for name in head]
    with open(new, "w", newline="", encoding="utf-8") as text:
        csv.writer(text).writerows(
            [
                head,
                *([x if f == 1.0 else repr(float(x) * f) for x, f in zip(row, factors, strict=True)] for row in rows),
            ]
        )
    return new


class Reading(NamedTuple):
    """One column of what a run leaves: where it stands, its unit, its values."""

    name: str
    unit: str
    values: np.ndarray


def readings(world: World) -> Iterator[Reading]:
    """Yield every column of a run: tables, logs, panels, flows, parameters left out; last the summary."""
    for name, rows in tables(world).items():
        for column in TABLES[name].columns:
            yield Reading(f"{name}.{column.name}", column.unit, np.asarray(rows[column.name]))
    yield from (Reading(f"flows.{item.name}", "USD", world.flows[:, k]) for k, item in enumerate(ITEMS))
    found = summarise(world)
    for measure in SUMMARY:
        value = found[measure.name]
        yield Reading(
            f"summary.{measure.name}",
            measure.unit,
            np.array(list(value.values()) if isinstance(value, dict) else [value], float),
        )


class Order(NamedTuple):
    """A new order of rows: ``lenders[i]`` is the old row of who stands in row i. The last lender and buyer stay where they are."""

    lenders: np.ndarray
    operators: np.ndarray
    buyers: np.ndarray
    chips: np.ndarray


def shuffled(world: World, which: str, seed: int) -> Order:
    """Return an order in which the rows of the tables named in ``which`` are shuffled."""
    rng = np.random.default_rng(seed)

    def rows(name: str, fixed: int) -> np.ndarray:
        n = len(getattr(world, name))
        kept = np.arange(n)
        if name in which:
            kept[: n - fixed] = rng.permutation(n - fixed)
        return kept

    return Order(rows("lenders", 1), rows("operators", 0), rows("buyers", 1), rows("chips", 0))


def _places(order: np.ndarray) -> np.ndarray:
    """Return the new row of each old one."""
    places = np.empty_like(order)
    places[order] = np.arange(len(order))
    return places


def _renamed(names: np.ndarray, places: np.ndarray) -> np.ndarray:
    return np.where(names >= 0, places[np.maximum(names, 0)], names)


def _by_row(ptr: np.ndarray, order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return compressed rows in another order: the new starts, and the old entries in their new order."""
    entries = [np.arange(ptr[row], ptr[row + 1]) for row in order]
    starts = np.concatenate([[0], np.cumsum([len(e) for e in entries])]).astype(np.int64)
    return starts, np.concatenate(entries).astype(np.int64)


def nodes_of(world: World, order: Order) -> np.ndarray:
    """Return the old node of who stands at each new one."""
    n_l, n_o = len(world.lenders), len(world.operators)
    customers = n_l + n_o + len(world.buyers) + np.arange(len(world.customers))
    return np.concatenate([order.lenders, n_l + order.operators, n_l + n_o + order.buyers, customers])


def reordered(world: World, order: Order) -> World:
    """Return a world that has not begun yet with its rows in another order, every name of a row brought along.

    Rows of contracts stay where they are, and so does the order in which a list names lenders, contacts or lines. The
    arrays of ``world`` that need no other order are taken over: it must not be used any more.
    """
    n_o = len(world.operators)
    node = nodes_of(world, order)[: len(world.first_lot)]
    lender, operator, chip = (_places(rows) for rows in (order.lenders, order.operators, order.chips))
    place = _places(node)
    lots, loans = world.lots[: world.clock[0].used_lots], world.loans[: world.clock[0].used_loans]
    lots.owner[:], lots.site[:] = _renamed(lots.owner, place), _renamed(lots.site, operator)
    lots.chip[:] = _renamed(lots.chip, chip)
    loans.lender[:], loans.borrower[:] = _renamed(loans.lender, lender), _renamed(loans.borrower, operator)
    world.paths.block_chip[:] = _renamed(world.paths.block_chip, chip)
    bank_ptr, bank = _by_row(world.bank_ptr, order.operators)
    contact_ptr, contact = _by_row(world.contact_ptr, node)
    line_ptr, line = _by_row(world.line_ptr, order.lenders)
    lines: Rows = world.lines[line].copy()
    lines.creditor[:], lines.debtor[:] = _renamed(lines.creditor, lender), _renamed(lines.debtor, lender)
    assert world.taste.shape == (n_o, len(world.chips))
    return world._replace(
        lenders=world.lenders[order.lenders].copy(),
        operators=world.operators[order.operators].copy(),
        buyers=world.buyers[order.buyers].copy(),
        chips=world.chips[order.chips].copy(),
        lines=lines,
        line_ptr=line_ptr,
        first_lot=world.first_lot[node].copy(),
        bank_ptr=bank_ptr,
        bank=_renamed(world.bank[bank], lender),
        contact_ptr=contact_ptr,
        contact=_renamed(world.contact[contact], place),
        contact_hops=world.contact_hops[contact].copy(),
        taste=world.taste[order.operators][:, order.chips].copy(),
    )
