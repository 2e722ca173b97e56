"""Whether owners save an operator that would fail, with how much, and what becomes of it."""

from __future__ import annotations

import pytest

from agents.operators.cures import called_on, cure, cure_failing, equity_worth, missing_cash, pay_calls
from agents.tables.events import Cause, EventKind, SaleReason, log_event
from agents.tables.ledger import Flow
from agents.tables.loans import LoanKind, LoanStatus
from agents.tables.operators import OperatorStatus
from tests.rules.worlds import add_loan, add_lot, cash_of, events, explained, operator_node, put, small_world

TERMS = {"credit_cure_equity": 0.25, "credit_cure_runway": 6.0, "credit_call_minimum": 0.01}


def firm(**terms: float):
    """Operator 1 has 20 chips worth 300 each to it, 1,000 in cash and owes nothing; operator 0 nothing at all."""
    w = small_world(lenders=2, operators=2, chips=2, terms=TERMS | terms)
    w.clock[0].month = 9
    w.value[1, 1] = 300.0
    w.chips[1].scrap = 10.0
    w.clock[0].btc, w.clock[0].eth = 50.0, 5.0
    add_lot(w, node=operator_node(w, 1), chip=1, units=15.0)
    add_lot(w, node=operator_node(w, 1), chip=1, units=5.0, offered=5.0, reason=SaleReason.CHURN)
    put(w.operators[1], cash=1000.0, failing=1 + Cause.CASH_FLOW, failing_event=-1, late=2, thin_months=7)
    return w


def loan_of(w, principal: float, **row: float) -> int:
    k = add_loan(w, borrower=1, lender=1, principal=principal)
    put(w.loans[k], **row)
    return k


# --- what equity is worth --------------------------------------------------------------------------------------
def test_equity_is_worth_the_business_as_it_goes_on_less_its_debt():
    w = firm()
    op = w.operators[1]
    assert equity_worth(w, w.clock[0], 1, op) == pytest.approx(20 * 300 + 1000)
    put(op, debt=900.0, btc=2.0, eth=3.0, rig_value=40.0)
    assert equity_worth(w, w.clock[0], 1, op) == pytest.approx(7000 - 900 + 2 * 50 + 3 * 5 + 40)
    # Chips that nobody would run are scrap; what is pledged counts as well.
    w.value[1, 1] = 4.0
    w.lots[w.first_lot[operator_node(w, 1)]].loan = loan_of(w, 1.0)
    op.debt = 900.0
    assert equity_worth(w, w.clock[0], 1, op) == pytest.approx(20 * 10 + 1000 - 900 + 100 + 15 + 40)


# --- what is missing -------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("row", "usd"),
    [
        # 1,000 against a covenant of .7 on 1,200: 160 are called.
        ({"status": LoanStatus.CALLED}, 160.0),
        ({"status": LoanStatus.CALLED, "collateral": 1500.0}, 0.0),
        ({"status": LoanStatus.PERFORMING}, 0.0),
        ({"status": LoanStatus.DEFAULTED}, 0.0),
        ({"status": LoanStatus.PERFORMING, "kind": LoanKind.MARGIN, "coins": 0.0}, 1000.0),
        ({"status": LoanStatus.PERFORMING, "kind": LoanKind.MARGIN, "coins": 1e-10}, 1000.0),
        ({"status": LoanStatus.PERFORMING, "kind": LoanKind.MARGIN, "coins": 0.1}, 0.0),
        ({"status": LoanStatus.DEFAULTED, "kind": LoanKind.MARGIN, "coins": 0.0}, 0.0),
        ({"status": LoanStatus.PERFORMING, "kind": LoanKind.CONVERTIBLE, "coins": 0.0}, 0.0),
    ],
)
def test_a_lender_demands_a_margin_call_or_a_loan_whose_coins_are_sold(row, usd):
    w = firm()
    k = loan_of(w, 1000.0, collateral=1200.0, covenant_ltv=0.7)
    put(w.loans[k], **row)
    assert called_on(w.loans[k], w.terms[0]) == pytest.approx(usd)


def test_missing_are_arrears_calls_and_a_time_of_thin_income():
    w = firm()
    op = w.operators[1]
    assert missing_cash(w, w.clock[0], 1, op) == 0.0
    put(op, arrears=70.0, due=100.0, income=80.0)
    assert missing_cash(w, w.clock[0], 1, op) == pytest.approx(70 + 6 * 20)
    op.income = 130.0
    assert missing_cash(w, w.clock[0], 1, op) == pytest.approx(70)
    for borrower in (1, 1, 0):
        k = loan_of(w, 1000.0, collateral=1200.0, covenant_ltv=0.7, status=LoanStatus.CALLED)
        w.loans[k].borrower = borrower
    assert missing_cash(w, w.clock[0], 1, op) == pytest.approx(70 + 2 * 160)


def test_calls_are_paid_and_nothing_else():
    w = firm()
    called, calm, other = (loan_of(w, 1000.0, collateral=1200.0, covenant_ltv=0.7) for _ in range(3))
    w.loans[called].status = w.loans[other].status = LoanStatus.CALLED
    w.loans[other].borrower = 0
    book, debt = float(w.lenders[1].book), float(w.operators[1].debt)
    pay_calls(w, w.clock[0], 1, w.operators[1])
    assert [w.loans[k].principal for k in (called, calm, other)] == pytest.approx([840.0, 1000.0, 1000.0])
    assert w.operators[1].cash == pytest.approx(1000 - 160) and w.operators[1].debt == pytest.approx(debt - 160)
    assert w.lenders[1].book == pytest.approx(book - 160)


# --- the owners' decision --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("arrears", "terms", "cured"),
    [
        (1750.0, {}, True),  # a quarter of 7,000
        (1751.0, {}, False),
        (1751.0, {"credit_cure_equity": 0.3}, True),
        (0.0, {}, True),
        (0.0, {"credit_cure_equity": 0.0}, False),
    ],
)
def test_owners_put_in_what_is_missing_while_their_equity_is_worth_so_much_more(arrears, terms, cured):
    w = firm(**terms)
    op = w.operators[1]
    op.arrears = arrears
    before = cash_of(w)
    assert cure(w, w.clock[0], 1, op) == cured
    assert [after - b for after, b in zip(cash_of(w), before, strict=True)] == pytest.approx(explained(w))
    usd = arrears if cured else 0.0
    assert op.cash == pytest.approx(1000 + usd) and w.book[Flow.EQUITY_IN] == pytest.approx(usd)
    assert w.clock[0].equity_raised == pytest.approx(usd)
    assert (op.failing, op.late, op.thin_months) == ((0, 0, 0) if cured else (1 + Cause.CASH_FLOW, 2, 7))
    assert len(events(w)) == w.clock[0].news == int(cured)


def test_a_cure_is_an_event_with_what_made_it_necessary():
    w = firm()
    op = w.operators[1]
    call = log_event(w.events, w.clock[0], EventKind.MARGIN_CALL, Cause.LTV, 0, -1, -1, 0.0, 0.0, -1)
    put(op, failing=1 + Cause.LTV, failing_event=call, arrears=5.0)
    k = loan_of(w, 1000.0, collateral=1200.0, covenant_ltv=0.7, status=LoanStatus.CALLED)
    assert cure(w, w.clock[0], 1, op)
    e = events(w)[-1]
    assert (e.kind, e.cause, e.node, e.other, e.chip, e.units, e.parent) == (
        EventKind.EQUITY_CURE, Cause.LTV, operator_node(w, 1), -1, -1, 0.0, call
    )  # fmt: skip
    assert e.usd == pytest.approx(165.0)
    assert op.failing_event == -1
    # The call is met with it, arrears are paid later in the round.
    assert w.loans[k].principal == pytest.approx(840.0) and op.cash == pytest.approx(1005.0)


def test_who_is_made_to_fail_by_hand_fails():
    w = firm()
    w.operators[1].failing = 1 + Cause.IMPOSED
    assert not cure(w, w.clock[0], 1, w.operators[1])
    assert w.operators[1].failing == 1 + Cause.IMPOSED


def test_only_who_would_fail_and_has_not_failed_is_looked_at():
    w = firm()
    w.operators[0].failing = 1 + Cause.DSCR
    w.operators[0].status = OperatorStatus.DEFAULTED
    w.operators[1].failing = 1
    cure_failing(w, w.clock[0])
    assert [int(op.failing) for op in w.operators] == [1 + Cause.DSCR, 0]
    cure_failing(w, w.clock[0])
    assert len(events(w)) == 1
