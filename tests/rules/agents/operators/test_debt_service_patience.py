"""How long payments may be late, who extends them, what term loans are tested for, and who sweeps spare cash."""

from __future__ import annotations

import pytest

from agents.operators import debt_service
from agents.operators.debt_service import (
    accrue,
    pay_debts,
    pay_shares,
    sweep_cash,
    watch_coverage,
    what_took,
    work_out_arrears,
)
from agents.tables.events import Cause, EventKind
from agents.tables.ledger import Flow
from agents.tables.loans import LoanContract, LoanKind, LoanStatus
from agents.tables.operators import OperatorStatus, Refusal
from tests.rules.worlds import (
    BEFORE,
    add_loan,
    add_lot,
    booked,
    events,
    operator_node,
    paid_in_full,
    put,
    small_world,
)

#: A creditor renews an equipment loan of a sound borrower in full against its collateral.
TERMS = {
    "credit_rollover_ltv": 1.0,
    "credit_rollover_dscr": 1.2,
    "credit_rollover_floor": 0.5,
    "credit_arrears_turns": 2,
    "credit_grace_months": 1,
    "credit_extension": 6,
    "credit_amendment_fee": 0.01,
    "credit_cash_reserve": 2.0,
    "credit_term_holiday": 4,
    "credit_term_dscr": 1.2,
    "credit_term_realised": 0.85,
    "credit_dscr_months": 3,
    "credit_dscr_cash": 2.0,
}


def world(*, operators: int = 2, **terms: float):
    w = small_world(lenders=2, operators=operators, terms=TERMS | terms)
    w.lenders.capital_ratio[:], w.lenders.advance_rate[:] = 0.2, 1.0
    w.operators.dscr[:] = 5.0
    w.clock[0].month = 9
    w.book[:] = BEFORE
    return w


# --- what was missed before --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("late", "unpaid", "due", "carried"),
    [
        (0, 80.0, 112.0, 0.0),  # lenders have let it be part of the principal
        (1, 80.0, 192.0, 80.0),
        (3, 80.0, 192.0, 80.0),
        (1, 0.0, 112.0, 0.0),
        (1, 5000.0, 1212.0, 1100.0),  # no more than is owed
    ],
)
def test_what_was_missed_falls_due_again_while_lenders_have_not_decided(late, unpaid, due, carried):
    w = world()
    loan = w.loans[add_loan(w, operator=1, usd=1200.0, rate=0.12, amortisation=100.0, unpaid=unpaid)]
    op = put(w.operators[1], late=late, carried=33.0)
    w.operators[0].late = 2
    accrue(w, w.clock[0])
    assert loan.unpaid == pytest.approx(due)
    assert (op.due, op.balloon, op.carried) == pytest.approx((112.0, 0.0, carried))
    assert (loan.principal, w.operators[0].carried) == (pytest.approx(1212.0), 0.0)


def test_what_was_missed_of_several_loans_adds_up_beside_balloons():
    w = world()
    for unpaid in (30.0, 50.0):
        add_loan(w, operator=1, usd=1200.0, rate=0.12, amortisation=100.0, unpaid=unpaid, maturity=9, collateral=400.0)
    op = put(w.operators[1], late=1)
    accrue(w, w.clock[0])
    # Of each 400 are renewed for 36 months or so, 700 are a balloon.
    assert (op.due, op.balloon, op.carried) == pytest.approx((224.0, 1400.0, 80.0))
    assert [float(w.loans[k].unpaid) for k in range(2)] == pytest.approx([842.0, 862.0])


@pytest.mark.parametrize(
    ("carried", "cash", "share", "arrears", "late"),
    [
        (60.0, 200.0, 1.0, 0.0, 0),
        (60.0, 160.0, 1.0, 0.0, 0),
        (60.0, 120.0, 0.75, 40.0, 3),
        (0.0, 120.0, 1.0, 0.0, 0),
        (60.0, 0.0, 0.0, 160.0, 3),
        (60.0, 159.5, 159.5 / 160, 0.0, 0),  # half a dollar is nothing
        (60.0, 158.0, 158 / 160, 2.0, 3),
    ],
)
def test_payments_are_for_what_is_due_and_what_was_missed_and_months_of_lateness_are_counted(
    carried, cash, share, arrears, late
):
    w = world()
    op = put(w.operators[1], due=80.0, balloon=20.0, carried=carried, cash=cash, late=2)
    w.operators[0].late = 2
    with paid_in_full(w):
        pay_debts(w, w.clock[0])
    assert (op.pay_share, op.arrears) == pytest.approx((share, arrears))
    assert (op.late, w.operators[0].late) == (late, 0)
    assert op.status == (OperatorStatus.STRESSED if late else OperatorStatus.HEALTHY)


# --- how long it may be late -------------------------------------------------------------------------------------
def late(*, months: int = 2, collateral: float = 0.0, grace: int = 1, turns: int = 2, **operator: float):
    """Operator 1 has missed 100 of what it owes lender 1, for so many months; its lots have had their rounds to sell."""
    w = world(credit_grace_months=grace)
    loan = add_loan(w, lender=1, operator=1, usd=500.0, unpaid=100.0, collateral=collateral)
    op = put(w.operators[1], arrears=100.0, due=100.0, late=months, arrears_turns=turns, status=OperatorStatus.STRESSED)
    return w, put(op, **operator), w.loans[loan]


@pytest.mark.parametrize(
    ("months", "grace", "fails"), [(1, 0, True), (1, 1, False), (2, 1, True), (2, 2, False), (3, 2, True)]
)
def test_a_payment_may_be_late_for_the_months_of_grace_and_then_a_refusal_is_a_default(months, grace, fails):
    w, op, loan = late(months=months, grace=grace)
    work_out_arrears(w, w.clock[0])
    assert op.failing == (1 + Cause.CASH_FLOW if fails else 0)
    # Whoever waits for the next month keeps no cascade going.
    assert (op.arrears, op.late, w.clock[0].waiting) == (100.0, months, 1 if fails else 0)
    assert (op.refused, loan.unpaid, loan.amended) == (Refusal.ONE, 100.0, 0)


def test_who_waits_for_the_next_month_does_not_keep_others_from_their_lenders_decision():
    w, op, _ = late(months=1)
    add_loan(w, lender=0, operator=0, usd=500.0, unpaid=50.0)
    put(w.operators[0], arrears=50.0, due=50.0, late=1, arrears_turns=2)
    w2, _, _ = late(months=1)
    add_loan(w2, lender=0, operator=0, usd=500.0, unpaid=50.0)
    put(w2.operators[0], arrears=50.0, due=50.0, late=2, arrears_turns=2)
    for world_, failing in ((w, [0, 0]), (w2, [1 + Cause.CASH_FLOW, 0])):
        work_out_arrears(world_, world_.clock[0])
        assert world_.operators.failing.tolist() == failing
    assert op.arrears == 100.0


def test_arrears_paid_down_to_less_than_a_dollar_are_late_no_more():
    for cash, left in ((99.5, (0.0, 0)), (99.0, (1.0, 2))):
        w, op, _ = late(cash=cash, turns=0)
        with paid_in_full(w):
            work_out_arrears(w, w.clock[0])
        assert (op.arrears, op.late) == (pytest.approx(left[0]), left[1])


# --- who extends -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("hold", "collateral", "extended"),
    [
        (1, 0.0, True),  # all secured lenders would rather wait: amend and extend
        (1, 9000.0, True),
        (0, 9000.0, False),  # each would renew it all: what is unpaid stays in the principal
    ],
)
def test_what_all_creditors_would_renew_is_extended(hold, collateral, extended):
    w, op, loan = late(hold=hold, collateral=collateral)
    work_out_arrears(w, w.clock[0])
    assert (op.arrears, op.late, op.failing, w.clock[0].waiting) == (0.0, 0, 0, 0)
    assert (loan.principal, loan.amended, loan.sweep) == (500.0, int(extended), int(extended))
    assert [int(e.kind) for e in events(w)] == ([EventKind.EXTENSION] if extended else [])
    assert op.swept == int(extended)


def test_only_the_loans_of_who_is_extended_are_amended():
    w, op, loan = late(hold=1)
    other = w.loans[add_loan(w, lender=1, operator=0, usd=500.0, unpaid=100.0)]
    work_out_arrears(w, w.clock[0])
    assert (loan.amended, other.amended) == (1, 0)


def test_a_note_that_is_not_refinanced_ends_all_patience():
    w, op, loan = late(hold=1)
    w.terms[0].notes_limit = 0.0
    add_loan(w, lender=2, operator=1, usd=50.0, unpaid=50.0, kind=LoanKind.CONVERTIBLE)
    work_out_arrears(w, w.clock[0])
    assert (op.failing, op.refusing, loan.amended) == (1 + Cause.CASH_FLOW, 2, 0)


# --- what is told as the cause -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("drained", "lost", "event"),
    [
        (26.0, 0.0, 5),  # more than a quarter of 100
        (25.0, 0.0, -1),
        (0.0, 26.0, 7),  # a customer's rent
        (0.0, 25.0, -1),
        (26.0, 90.0, 5),  # a margin call first
        (20.0, 26.0, 7),
        (0.0, 0.0, -1),
    ],
)
def test_what_took_a_good_part_of_the_money_is_told_as_the_cause(drained, lost, event):
    op = put(world().operators[0], drained=drained, drain_event=5, lost=lost, lost_event=7)
    assert what_took(op, 100.0) == event


def test_a_customer_is_told_as_the_cause_of_thin_coverage_and_of_arrears():
    w, op, _ = late(lost=26.0, lost_event=7)
    work_out_arrears(w, w.clock[0])
    assert op.failing_event == 7
    put(w.operators[0], thin_months=3, debt=50.0, due=100.0, lost=26.0, lost_event=8)
    watch_coverage(w, w.clock[0])
    assert w.operators[0].failing_event == 8


# --- tests of term loans -----------------------------------------------------------------------------------------
def in_breach(*, operator: dict[str, float] | None = None, **columns: float):
    """Test the terms in month 9 of a loan drawn in month 5, whose test was due after four months; it is in breach."""
    w = world()
    add_loan(w, lender=0, operator=0, usd=70.0, contract=LoanContract.TERM, opened=1)
    k = add_loan(w, lender=1, operator=1, usd=80.0, rate=0.1, **{"contract": LoanContract.TERM, "opened": 5} | columns)
    put(w.operators[1], **{"dscr": 1.1, "realised": 0.8} | (operator or {}))
    debt_service.test_terms(w, w.clock[0])
    assert w.loans[0].amended == 0
    return w, w.loans[k]


@pytest.mark.parametrize(
    ("columns", "operator", "breach"),
    [
        ({}, {}, True),
        ({}, {"realised": 0.9}, True),  # coverage alone
        ({}, {"dscr": 1.3}, True),  # contract revenue alone
        ({}, {"dscr": 1.2, "realised": 0.85}, False),  # just enough
        ({"opened": 6}, {}, False),  # in its holiday
        ({"opened": 1}, {}, True),
        ({"contract": LoanContract.BORROWING_BASE}, {}, False),
        ({"kind": LoanKind.CONVERTIBLE}, {}, False),
        ({"kind": LoanKind.MARGIN}, {}, False),
        ({"status": LoanStatus.CALLED}, {}, False),
        ({"status": LoanStatus.FREE}, {}, False),
        ({"status": LoanStatus.DEFAULTED}, {}, False),
    ],
)
def test_a_term_loan_in_breach_of_coverage_or_contracts_is_waived_for_a_sweep(columns, operator, breach):
    w, loan = in_breach(operator=operator, **columns)
    assert (loan.sweep, loan.amended) == (int(breach), int(breach))
    assert loan.rate == pytest.approx(0.11 if breach else 0.1)
    found = [(e.kind, e.cause, e.node, e.other, e.usd) for e in events(w)]
    assert found == ([(EventKind.WAIVER, Cause.DSCR, 1, operator_node(w, 1), 80.0)] if breach else [])


def test_a_loan_that_is_swept_is_not_waived_again():
    _, loan = in_breach(sweep=1)
    assert (loan.sweep, loan.amended) == (1, 0)


def test_a_loan_that_is_not_tested_does_not_keep_the_next_from_it():
    for columns in ({"contract": LoanContract.BORROWING_BASE}, {"status": LoanStatus.CALLED}, {"opened": 8}):
        w = world()
        w.operators.dscr[:] = 1.1
        add_loan(w, operator=0, **{"contract": LoanContract.TERM, "opened": 1} | columns)
        k = add_loan(w, operator=1, contract=LoanContract.TERM, opened=1)
        debt_service.test_terms(w, w.clock[0])
        assert (w.loans[0].amended, w.loans[k].amended) == (0, 1)


# --- sweeps ------------------------------------------------------------------------------------------------------
def swept(*, operators: int = 2, **operator: float):
    """Operator 1 has 500 USD, 2 x (20 + 30) in reserve and 100 committed: 300 to spare, for claims of 400 and 200."""
    w = world(operators=operators)
    loans = [
        add_loan(w, lender=0, operator=1, usd=400.0, sweep=1),
        add_loan(w, lender=1, operator=1, usd=200.0, sweep=1, interest=10.0, unpaid=40.0),
        add_loan(w, lender=1, operator=1, usd=900.0),
    ]
    op = put(w.operators[1], cash=500.0, overheads=20.0, due=30.0, committed=100.0)
    w.operators.cash[0] = 800.0
    return w, put(op, **operator), [w.loans[k] for k in loans]


@pytest.mark.parametrize(
    ("operator", "paid"),
    [
        ({}, 300.0),
        ({"cash": 350.0}, 150.0),
        ({"cash": 200.5}, 0.5),
        ({"cash": 200.0}, 0.0),
        ({"cash": 90.0}, 0.0),
        ({"committed": 250.0}, 150.0),
        ({"arrears": 150.0}, 150.0),
        ({"cash": 5000.0}, 600.0),  # no more than the claims
        ({"status": OperatorStatus.DEFAULTED}, 0.0),
        ({"status": OperatorStatus.STRESSED}, 300.0),
    ],
)
def test_lenders_that_sweep_share_spare_cash_by_their_claims(operator, paid):
    w, op, (first, second, other) = swept(**operator)
    cash = op.cash
    with paid_in_full(w):
        sweep_cash(w, w.clock[0])
    assert (first.principal, second.principal) == pytest.approx((400 - paid * 2 / 3, 200 - paid / 3))
    assert other.principal == 900.0
    assert (op.cash, op.debt) == pytest.approx((cash - paid, 1500 - paid))
    assert (w.lenders[0].cash, w.lenders[1].cash) == pytest.approx((paid * 2 / 3, paid / 3))
    interest = min(10.0, paid / 3)
    flows = {Flow.INTEREST: interest, Flow.PRINCIPAL: paid - interest} if paid else {}
    assert booked(w) == pytest.approx({item: usd for item, usd in flows.items() if usd > 0.0})
    assert second.unpaid == pytest.approx(max(0.0, 40 - paid / 3))
    assert w.operators[0].cash == 800.0


@pytest.mark.parametrize(
    "columns",
    [{"sweep": 0}, {"status": LoanStatus.CALLED}, {"status": LoanStatus.FREE}, {"status": LoanStatus.DEFAULTED}],
)
def test_loans_that_are_not_swept_take_no_part(columns):
    w, _, (first, second, _) = swept()
    put(first, **columns)
    sweep_cash(w, w.clock[0])
    assert (first.principal, second.principal) == (400.0, pytest.approx(0.0))
    assert w.operators[1].cash == pytest.approx(300.0)


def test_each_borrower_is_swept_of_its_own_cash_for_its_own_lenders():
    w, op, (first, second, _) = swept(operators=3)
    third = w.loans[add_loan(w, lender=0, operator=2, usd=1000.0, sweep=1)]
    put(w.operators[2], cash=100.0)
    w.scratch[0] = 77.0  # of whoever used it before
    sweep_cash(w, w.clock[0])
    assert [float(x.principal) for x in (first, second, third)] == pytest.approx([200.0, 100.0, 900.0])
    assert w.operators.cash.tolist() == pytest.approx([800.0, 200.0, 0.0])


# --- together ----------------------------------------------------------------------------------------------------
def test_a_missed_payment_is_tolerated_a_month_and_then_decided_about():
    w = world()
    loan = w.loans[add_loan(w, operator=1, usd=1200.0, rate=0.0, amortisation=100.0)]
    add_lot(w, node=operator_node(w, 1), units=1.0, loan=0)
    op = w.operators[1]
    clock = w.clock[0]
    failed = []
    for month, income in ((9, 40.0), (10, 90.0), (11, 150.0), (12, 0.0), (13, 0.0)):
        clock.month, op.arrears_turns = month, 0
        op.cash += income
        accrue(w, clock)
        pay_debts(w, clock)
        pay_shares(w, clock)
        work_out_arrears(w, clock)
        failed.append((round(op.arrears), int(op.late), int(op.failing > 0)))
        op.failing = 0
    # 60 missed; 100 and 60 due and 90 paid: 70; 170 due and 150 paid: 20 missed for the third month.
    assert failed[0] == (60, 1, 0)
    assert failed[1] == (70, 2, 1)
    assert failed[2][0] == 20
    assert loan.principal == pytest.approx(1200 - 40 - 90 - 150)
