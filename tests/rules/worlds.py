"""Small worlds for specifications: as many rows as asked for, every column at its default, parameters as asked.

A specification sets what its example is about and nothing else, so that a reader can check it by head::

    w = small_world(lenders=1, operators=1, terms={"credit_call_minimum": 0.01})
    w.lenders[0].cash = 100.0
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sized
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from agents.schema import Rows, column_names, copied
from agents.strips import AXES, CELL, DECLINES, HURDLES, LIVES
from agents.tables.buyers import BUYER, BuyerKind
from agents.tables.chips import CHIP
from agents.tables.customers import CUSTOMER
from agents.tables.ledger import Flow
from agents.tables.lenders import LENDER, LenderKind
from agents.tables.lines import LINE
from agents.tables.loans import LoanKind, open_loan
from agents.tables.lots import open_lot
from agents.tables.operators import OPERATOR
from simulation import load_scenario
from simulation.scenario.scenario import build_terms
from simulation.world.panel import PATH
from simulation.world.strips import grid_of
from simulation.world.world import World, allocate

#: Beliefs under which the value in use of a chip is a sum to be worked out by head: rents are certain, a trend stays.
CERTAIN = {"marks_rent_volatility": 0.0, "marks_trend_persistence": 1.0}

_BASE = Path(__file__).parents[2] / "configs" / "base.yaml"


@cache
def _terms() -> Rows:
    return build_terms(load_scenario(_BASE))


def some_terms(**changes: float) -> np.record:
    """Return the parameters of the base as rules read them, with some changed (``credit_deposit=0.1``)."""
    terms = copied(_terms()).view(Rows)
    for name, value in changes.items():
        if name not in column_names(terms):
            raise KeyError(f"no parameter {name}")
        terms[name] = value
    return terms[0]


def small_world(
    *,
    lenders: int = 1,
    operators: int = 1,
    buyers: int = 0,
    customers: int = 0,
    chips: int = 1,
    months: int = 24,
    lines: tuple[tuple[int, int], ...] = (),
    banks: tuple[tuple[int, ...], ...] | None = None,
    contacts: Mapping[int, tuple[tuple[int, int], ...]] | None = None,
    tape: int = 0,
    hurdles: tuple[float, float] | None = None,
    terms: Mapping[str, float] | None = None,
) -> World:
    """Return a world of blank agents; a last lender (outside investors) and a last buyer (backstop) come on top.

    ``lines`` are (debtor, creditor) pairs; ``banks`` the lenders that each operator knows (default: all);
    ``contacts`` maps a seller's node to (node, hops) pairs, nearest first (default: everybody knows all operators and
    buyers, but itself and the backstop, directly). Chips have performance 1, power 1 kW, are on sale from month 0 for
    1,000 USD, stand at an appraisal of 1,000 and are compared with no new ones; site power, utilisation and the like are
    0 until set. Buyers that are called can bid at once.

    Who values chips needs a grid of strips: it covers ``hurdles``, the least and the highest hurdle rate (1/month).
    Without them it is infinite everywhere and who reads it fails: most rules never do, and filling it takes time.
    """
    lender_table, operator_table, buyer_table = (
        LENDER.empty(lenders + 1),
        OPERATOR.empty(operators),
        BUYER.empty(buyers + 1),
    )
    lender_table.kind[-1] = LenderKind.OUTSIDE
    buyer_table.kind[-1] = BuyerKind.BACKSTOP
    lender_table.capital_target[:] = lender_table.capital_minimum[:] = 0.1
    lender_table.life[:] = 100.0
    chip_table = CHIP.empty(chips)
    chip_table.end_of_sale[:] = 999
    for column in ("list_price", "appraisal", "appraisal_open", "price", "price_before", "fundamental"):
        chip_table[column] = 1000.0
    chip_table.performance[:] = chip_table.power[:] = 1.0
    chip_table.parity[:] = 1e12
    line_table = LINE.empty(len(lines))
    for row, (debtor, creditor) in zip(line_table, sorted(lines), strict=True):
        row.debtor, row.creditor = debtor, creditor
    known = banks if banks is not None else tuple(tuple(range(lenders)) for _ in range(operators))
    nodes = lenders + 1 + operators + buyers + 1
    everybody = range(lenders + 1, nodes - 1)
    reach = [
        contacts.get(n, ()) if contacts is not None else tuple((m, 1) for m in everybody if m != n)
        for n in range(nodes)
    ]
    pairs = [pair for row in reach for pair in row]
    own = some_terms(**{"market_due_diligence": 0.0} | dict(terms or {}))
    world = allocate(
        np.array([own], _terms().dtype).view(Rows),
        chip_table, lender_table, operator_table, buyer_table, CUSTOMER.empty(customers), line_table, PATH.empty(months),
        (_starts(known), np.array([j for row in known for j in row], np.int64)),
        (_starts(reach), np.array([p[0] for p in pairs], np.int64), np.array([p[1] for p in pairs], np.int64)),
        np.zeros((operators, chips)),
        _grid(own, hurdles),
        initial_lots=64,
    )  # fmt: skip
    if tape:
        from simulation.markets.tape import TAPE

        world = world._replace(tape=TAPE.empty(tape))
    clock = world.clock[0]
    clock.btc = clock.eth = clock.rent = clock.reference_rent = 1.0
    return world


def _grid(terms: np.record, hurdles: tuple[float, float] | None) -> tuple[np.ndarray, np.ndarray]:
    if hurdles is None:
        return np.full(HURDLES * DECLINES * LIVES * CELL, np.inf), np.full(AXES, np.inf)
    return grid_of(
        *hurdles, terms.marks_decline_floor, terms.marks_decline_cap, terms.marks_asset_life, terms.marks_rent_volatility,
        terms.marks_volatility_months, terms.marks_trend_persistence,
    )  # fmt: skip


def _starts(rows: Iterable[Sized]) -> np.ndarray:
    return np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)


def add_loan(
    w: World,
    *,
    lender: int = 0,
    operator: int = 0,
    usd: float = 100.0,
    kind: int = LoanKind.EQUIPMENT,
    rate: float = 0.12,
    amortisation: float = 0.0,
    maturity: int = 99,
    **columns: float,
) -> int:
    """Open a loan and book it with both sides (lender's book, operator's debt); return its row."""
    k = open_loan(w.loans, w.clock[0], kind, lender, operator, usd, rate, amortisation, maturity)
    w.lenders[lender].book += usd
    w.operators[operator].debt += usd
    for name, value in columns.items():
        setattr(w.loans[k], name, value)
    return k


def add_lot(
    w: World, *, node: int, units: float = 10.0, chip: int = 0, loan: int = -1, cost: float = 1000.0, **columns: float
) -> int:
    """Give ``node`` a lot that is online, of units new this month unless said; return its row. Stock counts it."""
    clock = w.clock[0]
    k = open_lot(w.lots, w.first_lot, clock, node, chip, units, float(clock.month), clock.month, cost, loan)
    w.chips[chip].stock += units
    w.chips[chip].initial += units
    for name, value in columns.items():
        setattr(w.lots[k], name, value)
    return k


def operator_node(w: World, o: int = 0) -> int:
    """Return the node of an operator."""
    return len(w.lenders) + o


def buyer_node(w: World, b: int = 0) -> int:
    """Return the node of a buyer."""
    return len(w.lenders) + len(w.operators) + b


def customer_node(w: World, c: int = 0) -> int:
    """Return the node by which events name a customer."""
    return len(w.first_lot) + c


def events(w: World) -> list[np.record]:
    """Return the events written so far."""
    return list(w.events[: w.clock[0].events])


def cash_of(w: World) -> tuple[float, float, float]:
    """Return the cash of lenders, operators and buyers together (USD)."""
    return float(w.lenders.cash.sum()), float(w.operators.cash.sum()), float(w.buyers.budget.sum())


def explained(w: World) -> tuple[float, float, float]:
    """Return what the book of the month says that lenders, operators and buyers received, net (USD).

    A rule that moves money must leave ``explained`` equal to the change of ``cash_of``.
    """
    from agents.tables.ledger import ITEM_PAYEE, ITEM_PAYER

    lenders, operators, buyers = (
        float(w.book[ITEM_PAYEE == s].sum() - w.book[ITEM_PAYER == s].sum()) for s in range(3)
    )
    return lenders, operators, buyers


#: What stands in every item of the book before a rule adds to it, so that a sum that is set shows (USD).
BEFORE = 7.0


def put(row: Any, **columns: float) -> Any:
    """Set columns of a row and return it."""
    for name, value in columns.items():
        setattr(row, name, value)
    return row


def booked(w: World) -> dict[Flow, float]:
    """Return what was added to the items of a book that opened at ``BEFORE`` (USD)."""
    return {Flow(k): float(usd) - BEFORE for k, usd in enumerate(w.book) if usd != BEFORE}


@contextmanager
def paid_in_full(w: World) -> Iterator[None]:
    """Check that the book explains how cash changed; nothing is divided by zero on the way."""
    cash, known = np.array(cash_of(w)), np.array(explained(w))
    with np.errstate(divide="raise", invalid="raise"):
        yield
    assert np.allclose(np.array(cash_of(w)) - cash, np.array(explained(w)) - known, rtol=1e-9, atol=1e-9)
