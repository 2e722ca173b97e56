"""How a warehouse line is repaid."""

from __future__ import annotations

import pytest

from agents.tables.ledger import Flow
from agents.tables.lines import repay_line
from tests.rules.worlds import cash_of, explained, small_world


def drawn_line():
    """Lender 0 drew 100 from lender 1, which calls 30 of it; another creditor calls 10 more."""
    w = small_world(lenders=3, lines=((0, 1), (0, 2)))
    line = w.lines[0]
    line.drawn, line.called = 100.0, 30.0
    debtor, creditor = w.lenders[0], w.lenders[1]
    debtor.cash, debtor.borrowed, debtor.call_due = 60.0, 150.0, 40.0
    creditor.cash, creditor.lent_lines = 7.0, 200.0
    return w, line, debtor, creditor


def test_a_repayment_lowers_what_is_drawn_called_and_owed_and_moves_cash_to_the_creditor():
    w, line, debtor, creditor = drawn_line()
    w.book[Flow.LINE_REPAID] = 3.0
    repay_line(w, line, 20.0)
    assert (line.drawn, line.called) == (80.0, 10.0)
    assert (debtor.cash, debtor.borrowed, debtor.call_due) == (40.0, 130.0, 20.0)
    assert (creditor.cash, creditor.lent_lines) == (27.0, 180.0)
    assert w.book[Flow.LINE_REPAID] == pytest.approx(23.0)
    assert (w.lines[1].drawn, w.lenders[2].cash) == (0.0, 0.0)


def test_a_repayment_is_between_lenders_their_cash_together_does_not_change():
    w, line, *_ = drawn_line()
    before = cash_of(w)
    repay_line(w, line, 20.0)
    assert cash_of(w) == pytest.approx(before)
    assert explained(w) == pytest.approx((0.0, 0.0, 0.0))


def test_repaying_more_than_was_called_leaves_no_negative_call():
    w, line, debtor, _ = drawn_line()
    repay_line(w, line, 50.0)
    assert (line.drawn, line.called) == (50.0, 0.0)
    assert (debtor.borrowed, debtor.call_due) == (100.0, 0.0)


def test_rounding_leaves_no_negative_cash():
    w, line, debtor, _ = drawn_line()
    debtor.cash = 20.0 - 1e-9
    repay_line(w, line, 20.0)
    assert debtor.cash == 0.0
