"""The world: every table and array of a run in one NamedTuple, and how it is allocated, copied and read."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from agents.schema import Rows, Table, words
from agents.tables.buyers import BUYER, BUYER_KINDS
from agents.tables.chips import CHIP
from agents.tables.clock import CLOCK
from agents.tables.customers import CUSTOMER, CUSTOMER_KINDS
from agents.tables.events import EVENT, TRADE
from agents.tables.ledger import N_ITEMS
from agents.tables.lenders import LENDER, LENDER_KINDS
from agents.tables.lines import LINE
from agents.tables.loans import LOAN
from agents.tables.lots import LOT
from agents.tables.operators import OPERATOR
from agents.tables.orders import ORDER
from simulation.markets.rows import ASK_ROWS, ITEM_ROWS, ORDER_ROWS, PURSE_ROWS, WORKING_ROWS
from simulation.markets.tape import TAPE
from simulation.world.panel import CHIP_PANEL, KIND_PANEL, PANEL


class World(NamedTuple):
    """State of a run. Nodes are numbered lenders first, then operators, then buyers; in events, customers after them.

    Bidders are operators and buyers: bidder ``b`` is node ``len(lenders) + b``.
    """

    terms: Rows  # 1: scalar parameters (scenario.build_terms)
    clock: Rows  # 1
    lenders: Rows  # L; the last row is the outside investors
    operators: Rows  # O
    buyers: Rows  # B; the last row is the backstop
    customers: Rows  # C
    chips: Rows  # G
    loans: Rows
    lots: Rows
    orders: Rows
    lines: Rows
    events: Rows
    trades: Rows
    paths: Rows  # T: drivers
    panel: Rows  # T
    chip_panel: Rows  # T * G
    kind_panel: Rows  # T * 14
    flows: np.ndarray  # T x items, USD
    book: np.ndarray  # items, USD of the running month
    first_lot: np.ndarray  # nodes: head of each owner's list of lots, -1 none
    line_ptr: np.ndarray  # L + 1: lines[line_ptr[j]:line_ptr[j + 1]] are those that lender j draws on
    bank_ptr: np.ndarray  # O + 1: operator o knows lenders bank[bank_ptr[o]:bank_ptr[o + 1]]
    bank: np.ndarray
    contact_ptr: np.ndarray  # nodes + 1: seller's contacts, nearest first
    contact: np.ndarray  # node of the contact (an operator or a buyer)
    contact_hops: np.ndarray  # its distance, 1 = known directly
    taste: np.ndarray  # O x G: log taste for a generation
    strips: np.ndarray  # grid of strips of options to run (agents.strips), flat; worlds of a scenario share it
    axes: np.ndarray  # its axes
    value: np.ndarray  # bidders x G: value in use this month, USD/GPU
    bid: np.ndarray  # bidders x G: bid this month, USD/GPU
    item: np.ndarray  # items of a round of the used market (markets.order_book): rows x items
    price: np.ndarray  # their prices, USD/GPU
    ask: np.ndarray  # what is asked: rows x asks
    ask_lot: np.ndarray  # lot of each ask
    order: np.ndarray  # what is bid: rows x orders
    bidder: np.ndarray  # bidder of each order
    purse: np.ndarray  # what bidders have for all of it: rows x bidders
    working: np.ndarray  # 10 x orders: floats for clearing
    start: np.ndarray  # bidders + 1: orders of bidder b are by_bidder[start[b]:start[b + 1]]
    by_bidder: np.ndarray
    scratch: np.ndarray  # 8 x (bidders + 64): floats for auctions and percentiles
    ranking: np.ndarray  # 6 x (bidders + lots): integers for the same, lists of a round
    tape: Rows  # auctions of the last step; no rows in batch runs


N_KINDS = len(LENDER_KINDS) + 2 + len(BUYER_KINDS)


def _chain(table: Rows) -> Rows:
    """Link all rows into the free list."""
    table.following[:] = np.arange(1, len(table) + 1)
    table.following[-1] = -1
    return table


def allocate(
    terms: Rows,
    chip_table: Rows,
    lender_table: Rows,
    operator_table: Rows,
    buyer_table: Rows,
    customer_table: Rows,
    line_table: Rows,
    paths: Rows,
    credit_links: tuple[np.ndarray, np.ndarray],
    contacts: tuple[np.ndarray, np.ndarray, np.ndarray],
    taste: np.ndarray,
    grid: tuple[np.ndarray, np.ndarray],
    *,
    initial_lots: int = 0,
    tape: int = 0,
    reuse: World | None = None,
) -> World:
    """Return a world with empty contract tables, sized for the population and the horizon.

    ``line_table`` must be sorted by debtor. ``tape`` is the number of rows that the tape of auctions has.
    ``reuse`` is a world that is not needed any more: where the sizes agree its memory is used again.

    A table that overflows stops the run with a fault that names it; sizes are generous because untouched pages
    of a fresh array cost nothing.
    """
    n_l, n_o, n_b, n_g, months = (len(x) for x in (lender_table, operator_table, buyer_table, chip_table, paths))
    nodes, bidders = n_l + n_o + n_b, n_o + n_b
    # An operator orders so often at most; an order becomes a lot, that can be split, and a loan, with one on coins beside it.
    turns = -(-months // int(terms[0].credit_order_interval))
    n_lots = 256 + initial_lots + max(64, 3 * turns) * n_o + 4 * n_g * n_b + 8 * n_g * n_l
    n_orders = 32_768 + 128 * nodes
    # Who offers chips more often than once a year is in more sales.
    sales = 24 * max(1, min(4, 12 // int(terms[0].market_churn_interval)))
    sizes = {
        "loans": 128 + max(64, 2 * turns) * n_o, "lots": n_lots, "orders": 64 + max(32, turns) * n_o, "panel": months, "chip_panel": months * n_g,
        "kind_panel": months * N_KINDS, "events": 4096 + 12 * months * max(1, n_o) + 8 * nodes,
        "trades": 8192 + sales * months * bidders,
    }  # fmt: skip
    if (
        reuse is not None
        and len(reuse.first_lot) == nodes
        and all(len(getattr(reuse, k)) == n for k, n in sizes.items())
    ):
        made = _cleared(reuse)
    else:
        made = {
            name: table.blank(sizes[name]) if name in _LOGS else table.empty(sizes[name])
            for name, table in _TABLES.items()
        }
        for name in ("loans", "lots", "orders"):
            _chain(made[name])
        made |= {
            "flows": np.zeros((months, N_ITEMS)), "first_lot": np.full(nodes, -1, np.int64),
            "item": np.zeros((ITEM_ROWS, n_lots + 1), np.int64), "price": np.zeros(n_lots), "ask": np.zeros((ASK_ROWS, n_lots)),
            "ask_lot": np.zeros(n_lots, np.int64), "order": np.zeros((ORDER_ROWS, n_orders)),
            "bidder": np.zeros(n_orders, np.int64), "purse": np.zeros((PURSE_ROWS, bidders)),
            "working": np.zeros((WORKING_ROWS, n_orders)),
            "start": np.zeros(bidders + 1, np.int64), "by_bidder": np.zeros(n_orders, np.int64),
            "value": np.zeros((bidders, n_g)), "bid": np.zeros((bidders, n_g)), "scratch": np.zeros((8, bidders + n_lots)),
            "ranking": np.zeros((6, bidders + n_lots), np.int64),
        }  # fmt: skip
    return World(
        terms=terms,
        clock=CLOCK.empty(1),
        lenders=lender_table,
        operators=operator_table,
        buyers=buyer_table,
        customers=customer_table,
        chips=chip_table,
        lines=line_table,
        paths=paths,
        book=np.zeros(N_ITEMS),
        line_ptr=np.searchsorted(line_table.view(np.ndarray)["debtor"], np.arange(n_l + 1)),
        bank_ptr=credit_links[0],
        bank=credit_links[1],
        contact_ptr=contacts[0],
        contact=contacts[1],
        contact_hops=contacts[2],
        taste=taste,
        strips=grid[0],
        axes=grid[1],
        tape=TAPE.empty(tape),
        **made,
    )


#: Tables whose rows a run uses from the first on.
_TABLES = {
    "loans": LOAN, "lots": LOT, "orders": ORDER, "events": EVENT, "trades": TRADE,
    "panel": PANEL, "chip_panel": CHIP_PANEL, "kind_panel": KIND_PANEL,
}  # fmt: skip


#: Their rows are written whole: as new they are zeros, and unused ones cost no memory.
_LOGS = ("events", "trades")


def _cleared(world: World) -> dict[str, Any]:
    """Return the large arrays of a world that is not needed any more, as new: only used rows are cleared."""
    clock = world.clock.view(np.ndarray)[0]
    months = len(world.panel)
    done = min(months, int(clock["month"]) + 1)
    used = {
        "loans": clock["used_loans"], "lots": clock["used_lots"], "orders": clock["used_orders"],
        "events": clock["events"], "trades": clock["trades"], "panel": done,
        "chip_panel": done * (len(world.chip_panel) // months), "kind_panel": done * N_KINDS,
    }  # fmt: skip
    for name, table in _TABLES.items():
        clear_rows(getattr(world, name), table, 0, int(used[name]))
    world.flows[:done] = 0.0
    world.first_lot[:] = -1
    world.value[:] = 0.0
    world.bid[:] = 0.0
    return {
        name: getattr(world, name)
        for name in (
            *_TABLES,
            "flows",
            "first_lot",
            "item",
            "price",
            "ask",
            "ask_lot",
            "order",
            "bidder",
            "purse",
            "working",
            "start",
            "by_bidder",
            "value",
            "bid",
            "scratch",
            "ranking",
        )
    }


def clear_rows(rows: Rows, table: Table, first: int, last: int) -> None:
    """Bring rows back to what they were before their first use; rows of contracts join the free list again."""
    if last <= first:
        return
    words(rows)[first:last] = 0 if table.name in _LOGS else table.row
    if table.name in ("loans", "lots", "orders"):
        following = rows.view(np.ndarray)["following"]
        following[first:last] = np.arange(first + 1, last + 1)
        if last == len(rows):
            following[-1] = -1


def copy_world(world: World) -> World:
    """Return an independent copy (to step back, to branch, to ask "what if")."""
    return World._make(array.copy() for array in world)


def node_name(world: World, node: int, names: dict[int, str] | None = None) -> str:
    """Return a readable name of a node: "Lender 3 (bank)", "Miner 7", "Neocloud 12", "Buyer 4 (dealer)", "Customer 2 (AI lab)"."""
    if names and node in names:
        return names[node]
    n_l, n_o = len(world.lenders), len(world.operators)
    if node < 0:
        return "the market"
    if node < n_l:
        kind = LENDER_KINDS[world.lenders.kind[node]]
        return (
            "Outside investors"
            if kind == "outside"
            else f"Lender {node + 1} ({kind.replace('_', ' ').replace('bdc', 'BDC')})"
        )
    if node < n_l + n_o:
        o = node - n_l
        kind = OPERATOR.columns[0].codes[world.operators.kind[o]].capitalize()
        return f"{kind} {o + 1}"
    b = node - n_l - n_o
    if b >= len(world.buyers):
        c = b - len(world.buyers)
        kind = CUSTOMER_KINDS[world.customers.kind[c]]
        return f"Customer {c + 1} ({kind.replace('_', ' ').replace('ai lab', 'AI lab')})"
    kind = BUYER_KINDS[world.buyers.kind[b]]
    return "Backstop" if kind == "backstop" else f"Buyer {b + 1} ({kind})"


def tables(world: World) -> dict[str, Rows]:
    """Return the named tables of a world, contract tables cut to the rows ever used."""
    clock = world.clock[0]
    used = {
        "loans": clock.used_loans,
        "lots": clock.used_lots,
        "orders": clock.used_orders,
        "events": clock.events,
        "trades": clock.trades,
    }
    names = [*(t.name for t in (CHIP, LENDER, OPERATOR, BUYER, CUSTOMER, LINE)), *used]
    names += ["clock", "paths", "panel", "chip_panel", "kind_panel"]
    return {name: getattr(world, name)[: used.get(name, None)] for name in names}
