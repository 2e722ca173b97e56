"""What a lender does when its borrower breaches the LTV."""

from __future__ import annotations

import pytest

from agents.lenders.calls import call_margin
from agents.tables.events import Cause, EventKind
from agents.tables.ledger import Flow
from agents.tables.loans import LoanStatus
from tests.rules.worlds import add_loan, events, small_world


def breached(**operator: float):
    """One loan of 100 on collateral of 100 with a covenant of 0.8: 20 above it."""
    w = small_world(terms={"credit_call_cash": 2.0})
    k = add_loan(w, usd=100.0, collateral=100.0, covenant_ltv=0.8)
    for name, value in operator.items():
        setattr(w.operators[0], name, value)
    return w, k


def test_a_margin_call_asks_for_the_gap_and_takes_cash_above_the_reserve_first():
    w, k = breached(cash=50.0, overheads=5.0)
    call_margin(w, k, w.loans[k], w.clock[0])
    # Gap: 100 - 0.8 x 100 = 20. Free cash: 50 less two months of overheads.
    assert w.operators[0].cash == pytest.approx(30.0)
    assert w.loans[k].principal == pytest.approx(80.0)
    assert w.loans[k].status == LoanStatus.PERFORMING
    assert w.book[Flow.PRINCIPAL] == pytest.approx(20.0)
    (call,) = events(w)
    assert (call.kind, call.cause, call.usd) == (EventKind.MARGIN_CALL, Cause.LTV, pytest.approx(20.0))
