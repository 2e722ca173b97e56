"""How an operator pays its debts: what falls due, from what it is paid, who extends what is missing."""

from __future__ import annotations

import pytest

from agents.operators.debt_service import (
    accrue,
    close_paid,
    pay_debts,
    pay_shares,
    post_lots,
    watch_coverage,
    work_out_arrears,
)
from agents.tables.events import Cause, SaleReason
from agents.tables.ledger import Flow
from agents.tables.lenders import LenderKind, LenderStatus
from agents.tables.loans import LoanKind, LoanStatus
from agents.tables.operators import OperatorStatus, Refusal
from tests.rules.worlds import add_loan, add_lot, cash_of, explained, operator_node, small_world

#: A creditor renews half of its mark, times its advance rate, of an equipment loan; a coin loan at an LTV of 0.4.
TERMS = {
    "credit_rollover_ltv": 0.5,
    "credit_rollover_dscr": 1.2,
    "credit_rollover_floor": 0.5,
    "credit_maturity": 36,
    "notes_term": 30,
    "notes_margin_term": 12,
    "notes_margin_ltv": 0.4,
    "notes_limit": 0.9,
    "credit_arrears_turns": 2,
    "credit_sale_reserve": 0.4,
    "credit_grace_months": 0,
    "credit_dscr_months": 3,
    "credit_dscr_cash": 2.0,
}


def world(*, lenders: int = 2, operators: int = 2, **clock: float):
    """Return lenders with capital and an advance rate of 0.8, and operators well covered by their income."""
    w = small_world(lenders=lenders, operators=operators, chips=3, terms=TERMS)
    w.lenders.capital_ratio[:], w.lenders.advance_rate[:] = 0.2, 0.8
    w.operators.dscr[:] = 5.0
    w.clock[0].month = 9
    for name, value in clock.items():
        setattr(w.clock[0], name, value)
    return w


def pays(w, rule, *arguments):
    """Carry a rule out on a month's open book and check that what it adds explains every change of cash."""
    before = cash_of(w)
    w.book[:] += 7.0
    result = rule(w, w.clock[0], *arguments)
    w.book[:] -= 7.0
    assert [after - b for after, b in zip(cash_of(w), before, strict=True)] == pytest.approx(explained(w))
    return result


# --- what falls due --------------------------------------------------------------------------------------------
@pytest.mark.parametrize("status", [LoanStatus.PERFORMING, LoanStatus.CALLED])
def test_interest_is_added_to_the_claim_and_falls_due_with_scheduled_principal(status):
    w = world()
    loan = w.loans[add_loan(w, lender=1, operator=1, usd=1200.0, rate=0.12, amortisation=100.0, status=status)]
    loan.balloon = 8.0
    accrue(w, w.clock[0])
    # A month of 12 % a year on 1,200 is 12.
    assert (loan.interest, loan.principal, loan.unpaid, loan.balloon) == pytest.approx((12.0, 1212.0, 112.0, 0.0))
    assert (w.lenders[1].book, w.operators[1].debt) == pytest.approx((1212.0, 1212.0))
    assert (w.operators[1].due, w.operators[1].balloon) == pytest.approx((112.0, 0.0))
    assert loan.maturity == 99
    assert not w.book.any()


def test_the_service_of_all_loans_of_an_operator_adds_up_and_months_before_are_remembered():
    w = world()
    add_loan(w, operator=0, usd=600.0, rate=0.12, amortisation=0.0)
    for usd in (1200.0, 2400.0):
        add_loan(w, operator=1, usd=usd, rate=0.12, amortisation=50.0, maturity=9)
    op = w.operators[1]
    op.due, op.due_1, op.due_2, op.balloon = 7.0, 5.0, 3.0, 9.0
    accrue(w, w.clock[0])
    # 12 + 50 and 24 + 50; without collateral nothing is renewed: 1,150 and 2,350 more fall due.
    assert (op.due, op.balloon) == pytest.approx((136.0, 3500.0))
    assert (op.due_1, op.due_2) == (7.0, 5.0)
    assert w.operators[0].due == pytest.approx(6.0)


def test_no_more_falls_due_than_is_owed():
    w = world()
    loan = w.loans[add_loan(w, usd=50.0, rate=0.12, amortisation=100.0)]
    accrue(w, w.clock[0])
    assert (loan.unpaid, w.operators[0].due) == pytest.approx((50.5, 50.5))


@pytest.mark.parametrize("status", [LoanStatus.FREE, LoanStatus.DEFAULTED])
def test_free_rows_and_defaulted_claims_bear_no_interest(status):
    w = world()
    dead = w.loans[add_loan(w, usd=1200.0, status=status)]
    loan = w.loans[add_loan(w, usd=600.0)]
    accrue(w, w.clock[0])
    assert (dead.principal, dead.interest, dead.unpaid) == (1200.0, 0.0, 0.0)
    assert loan.principal == pytest.approx(606.0)
    assert w.operators[0].due == pytest.approx(6.0)


@pytest.mark.parametrize(
    ("maturity", "collateral", "balloon", "matures"),
    [
        (10, 1000.0, 0.0, 10),  # not yet
        (9, 1000.0, 1212.0 - 112.0 - 400.0, 9 + 36),  # 0.5 x 0.8 x 1,000 is renewed, for 36 months
        (7, 1000.0, 1212.0 - 112.0 - 400.0, 9 + 36),
        (9, 2.0, 1212.0 - 112.0 - 0.8, 9 + 36),
        (9, 0.0, 1212.0 - 112.0, 9),  # nothing is renewed
        (9, 9000.0, 0.0, 9 + 36),  # all of it is: the creditor pays nothing out
    ],
)
def test_at_maturity_the_balloon_falls_due_but_for_what_the_creditor_renews(maturity, collateral, balloon, matures):
    w = world()
    k = add_loan(w, usd=1200.0, rate=0.12, amortisation=100.0, maturity=maturity, collateral=collateral)
    accrue(w, w.clock[0])
    assert w.loans[k].balloon == pytest.approx(balloon)
    assert w.loans[k].unpaid == pytest.approx(112.0 + balloon)
    assert (w.operators[0].due, w.operators[0].balloon) == pytest.approx((112.0, balloon))
    assert w.loans[k].maturity == matures


@pytest.mark.parametrize(
    ("kind", "months", "renewed"),
    [
        (LoanKind.EQUIPMENT, 36, 0.5 * 0.8 * 100.0),
        (LoanKind.CONVERTIBLE, 30, 1212.0),  # the market refinances notes of a sound miner
        (LoanKind.MARGIN, 12, 0.4 * 50.0 * 20.0),
    ],
)
def test_each_kind_of_loan_is_renewed_for_its_own_term(kind, months, renewed):
    w = world(btc=20.0)
    w.operators[0].gpu_value = 9000.0
    k = add_loan(w, usd=1200.0, rate=0.12, kind=kind, maturity=9, collateral=100.0, coins=50.0)
    accrue(w, w.clock[0])
    assert w.loans[k].maturity == 9 + months
    assert w.loans[k].balloon == pytest.approx(max(0.0, 1212.0 - 12.0 - renewed))


# --- what is paid ----------------------------------------------------------------------------------------------
def test_each_loan_gets_its_share_interest_first():
    w = world()
    loan = w.loans[add_loan(w, lender=1, operator=1, usd=500.0, unpaid=100.0, interest=20.0)]
    other = w.loans[add_loan(w, lender=0, operator=0, usd=500.0, unpaid=100.0)]
    op = w.operators[1]
    op.cash, op.pay_share = 70.0, 0.6
    pays(w, pay_shares)
    assert (loan.principal, loan.unpaid, loan.interest) == pytest.approx((440.0, 40.0, 0.0))
    assert (op.cash, op.debt, w.lenders[1].cash, w.lenders[1].book) == pytest.approx((10.0, 440.0, 60.0, 440.0))
    assert (w.book[Flow.INTEREST], w.book[Flow.PRINCIPAL]) == pytest.approx((20.0, 40.0))
    assert (other.principal, w.lenders[0].cash) == (500.0, 0.0)


@pytest.mark.parametrize(
    ("columns", "paid"),
    [
        ({"unpaid": 0.01}, 0.0),  # a cent is nothing
        ({"unpaid": 0.5}, 0.25),
        ({"unpaid": 100.0, "status": LoanStatus.CALLED}, 50.0),
        ({"unpaid": 100.0, "status": LoanStatus.FREE}, 0.0),
        ({"unpaid": 100.0, "status": LoanStatus.DEFAULTED}, 0.0),
    ],
)
def test_open_loans_are_paid_and_dead_ones_do_not_keep_the_next_from_it(columns, paid):
    w = world()
    loan = w.loans[add_loan(w, usd=500.0, **columns)]
    after = w.loans[add_loan(w, usd=500.0, unpaid=200.0)]
    w.operators[0].cash, w.operators[0].pay_share = 900.0, 0.5
    pays(w, pay_shares)
    assert (loan.principal, after.principal) == pytest.approx((500.0 - paid, 400.0))


#: What secures 500 USD: the creditor renews 0.5 x 0.8 of it.
SECURE = 1250.0


@pytest.mark.parametrize(
    ("claims", "refused", "refusing"),
    [
        # claims of (lender, collateral, unpaid); lender 2 failed
        ([(0, SECURE, 50.0)], Refusal.NOBODY, -1),
        ([(0, SECURE - 0.02, 50.0)], Refusal.NOBODY, -1),  # 0.8 cents less than all
        ([(0, SECURE - 1.0, 50.0)], Refusal.ONE, 0),
        ([(0, 0.0, 0.5)], Refusal.ONE, 0),
        ([(0, SECURE, 50.0), (1, 0.0, 50.0)], Refusal.ONE, 1),
        ([(1, 0.0, 50.0), (0, 0.0, 50.0)], Refusal.ONE, 0),  # the last one is named
        ([(1, 0.0, 0.0), (0, SECURE, 50.0)], Refusal.NOBODY, -1),  # who is paid is not asked
        ([(2, SECURE, 50.0)], Refusal.FAILED, 2),
        ([(2, SECURE, 50.0), (0, 0.0, 50.0)], Refusal.FAILED, 2),  # a failed lender counts most
        ([(0, 0.0, 50.0), (2, SECURE, 50.0)], Refusal.FAILED, 2),
    ],
)
def test_a_creditor_that_would_not_renew_its_claim_refuses(claims, refused, refusing):
    w = world(lenders=3)
    w.lenders[2].status = LenderStatus.FAILED
    for lender, collateral, unpaid in claims:
        add_loan(w, lender=lender, usd=500.0, collateral=collateral, unpaid=unpaid)
    pays(w, pay_shares)
    assert (w.operators[0].refused, w.operators[0].refusing) == (refused, refusing)
    assert w.operators[1].refused == Refusal.NOBODY


def test_a_creditor_that_is_a_cent_short_of_all_does_not_refuse():
    w = world()
    w.terms[0].credit_rollover_ltv = w.lenders[0].advance_rate = 1.0
    add_loan(w, usd=1.0, collateral=0.99, unpaid=1.0)
    pay_shares(w, w.clock[0])
    assert w.operators[0].refused == Refusal.NOBODY


def test_a_creditor_is_asked_about_what_is_left_after_the_payment():
    w = world()
    add_loan(w, usd=500.0, collateral=0.0, unpaid=50.0)
    w.operators[0].cash, w.operators[0].pay_share = 80.0, 0.8
    pay_shares(w, w.clock[0])
    assert w.operators[0].refused == Refusal.ONE
    w.loans[0].unpaid, w.operators[0].pay_share, w.operators[0].refused = 0.02, 0.5, Refusal.NOBODY
    pay_shares(w, w.clock[0])  # no more than a cent is left
    assert w.operators[0].refused == Refusal.NOBODY


@pytest.mark.parametrize(
    ("principal", "status", "closed"),
    [
        (0.4, LoanStatus.PERFORMING, True),
        (0.4, LoanStatus.CALLED, True),
        (1.0, LoanStatus.PERFORMING, False),
        (0.4, LoanStatus.DEFAULTED, False),
    ],
)
def test_a_loan_paid_down_to_less_than_a_dollar_is_closed_and_frees_what_secured_it(principal, status, closed):
    w = world()
    k = add_loan(w, lender=1, operator=1, usd=principal, status=status, coins=3.0)
    open_ = add_loan(w, lender=1, operator=1, usd=50.0)
    lots = [add_lot(w, node=operator_node(w, 1), loan=loan) for loan in (k, open_, k)]
    op, lender = w.operators[1], w.lenders[1]
    op.btc = 2.0
    close_paid(w, w.clock[0])
    assert [w.lots[j].loan for j in lots] == ([-1, open_, -1] if closed else [k, open_, k])
    assert w.loans[k].status == (LoanStatus.FREE if closed else status)
    assert op.btc == (5.0 if closed else 2.0)
    assert w.clock[0].free_loan == (k if closed else 2)
    # The last cents are forgiven.
    left = 50.0 if closed else 50.0 + principal
    assert (lender.book, op.debt) == pytest.approx((left, left))
    assert (w.loans[open_].status, w.loans[open_].principal) == (LoanStatus.PERFORMING, 50.0)


def test_every_loan_paid_down_is_closed():
    w = world()
    open_, *paid = [add_loan(w, usd=usd) for usd in (50.0, 0.3, 0.2)]
    lots = [add_lot(w, node=operator_node(w), loan=loan) for loan in (open_, *paid)]
    close_paid(w, w.clock[0])
    assert [w.lots[j].loan for j in lots] == [open_, -1, -1]
    assert (w.operators[0].debt, w.lenders[0].book) == pytest.approx((50.0, 50.0))


def test_a_row_that_is_free_already_is_not_given_back_again():
    w = world()
    add_loan(w, usd=0.5, status=LoanStatus.FREE)
    close_paid(w, w.clock[0])
    assert w.clock[0].free_loan == 1
    assert w.lenders[0].book == 0.5


@pytest.mark.parametrize(
    ("cash", "btc", "share", "coins_left"),
    [
        (500.0, 8.0, 1.0, 8.0),
        (100.0, 8.0, 1.0, 8.0),
        (70.0, 8.0, 1.0, 5.0),  # 30 USD are missing: three coins of 10
        (30.0, 2.0, 0.5, 0.0),  # 30 + 20 of 100
    ],
)
def test_debt_service_and_balloons_are_paid_from_cash_then_from_coins_and_the_rest_is_arrears(
    cash, btc, share, coins_left
):
    w = world(btc=10.0)
    op = w.operators[0]
    op.due, op.balloon, op.cash, op.btc = 80.0, 20.0, cash, btc
    op.refused, op.arrears = Refusal.FAILED, 7.0
    pays(w, pay_debts)
    assert op.pay_share == pytest.approx(share)
    assert op.arrears == pytest.approx(100.0 * (1.0 - share))
    assert op.status == (OperatorStatus.HEALTHY if share == 1.0 else OperatorStatus.STRESSED)
    assert op.btc == pytest.approx(coins_left)
    assert op.cash == pytest.approx(cash + 10.0 * (btc - coins_left))
    assert op.refused == Refusal.NOBODY


@pytest.mark.parametrize(
    ("due", "cash", "share", "arrears", "status"),
    [
        (0.0, 5.0, 0.0, 0.0, OperatorStatus.HEALTHY),
        (0.5, 5.0, 1.0, 0.0, OperatorStatus.HEALTHY),
        (4.0, 3.0, 0.75, 1.0, OperatorStatus.STRESSED),  # a dollar is arrears
        (4.0, 3.5, 0.875, 0.0, OperatorStatus.HEALTHY),  # half of one is not
    ],
)
def test_less_than_a_dollar_is_no_arrears_and_nothing_due_nothing_paid(due, cash, share, arrears, status):
    w = world()
    w.operators[0].due, w.operators[0].cash = due, cash
    pay_debts(w, w.clock[0])
    op = w.operators[0]
    assert (op.pay_share, op.arrears, op.status) == (share, arrears, status)


def test_coverage_is_taken_over_the_quarter_before_its_months_move_on_and_not_for_operators_in_default():
    w = world(operators=3)
    for o in (0, 2):
        op = w.operators[o]
        op.due, op.due_1, op.due_2 = 50.0, 30.0, 20.0
        op.income, op.income_1, op.income_2 = 30.0, 20.0, 10.0
    w.operators[0].status = OperatorStatus.DEFAULTED
    pay_debts(w, w.clock[0])
    op = w.operators[2]
    assert op.dscr == pytest.approx((30.0 + 20.0 + 10.0) / (50.0 + 30.0 + 20.0))
    assert (op.thin_months, op.income_1, op.income_2) == (1, 30.0, 20.0)
    gone = w.operators[0]
    assert (gone.dscr, gone.income_1, gone.arrears, gone.status) == (5.0, 20.0, 0.0, OperatorStatus.DEFAULTED)


# --- coverage --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("columns", "fails"),
    [
        ({}, True),
        ({"thin_months": 2}, False),
        ({"debt": 1.0}, False),  # a dollar is no debt
        ({"debt": 1.5}, True),
        ({"cash": 80.0}, False),  # with a coin of 20: just two months of 50
        ({"cash": 79.0}, True),
        ({"btc": 4.5}, False),
        ({"eth": 14.0}, False),  # at 5 USD
        ({"eth": 13.9}, True),
        ({"due": 15.0}, False),  # the same with two months of 15
        ({"status": OperatorStatus.STRESSED}, True),
        ({"status": OperatorStatus.DEFAULTED}, False),
        ({"hold": 1}, False),  # its lenders would rather wait
    ],
)
def test_an_operator_with_thin_coverage_for_months_fails_when_cash_and_coins_are_below_months_of_service(
    columns, fails
):
    w = world(btc=20.0, eth=5.0)
    op = w.operators[1]
    op.thin_months, op.debt, op.cash, op.btc, op.due = 3, 500.0, 10.0, 1.0, 50.0
    op.failing_event = 7
    for name, value in columns.items():
        setattr(op, name, value)
    watch_coverage(w, w.clock[0])
    assert op.failing == (1 + Cause.DSCR if fails else 0)
    assert op.failing_event == (-1 if fails else 7)
    assert w.operators[0].failing == 0


@pytest.mark.parametrize(("drained", "cause"), [(12.5, -1), (12.6, 8)])
def test_a_margin_call_that_drained_more_than_a_quarter_of_the_service_is_told_as_the_cause(drained, cause):
    w = world()
    op = w.operators[0]
    op.thin_months, op.debt, op.due, op.drained, op.drain_event = 3, 500.0, 50.0, drained, 8
    watch_coverage(w, w.clock[0])
    assert op.failing_event == cause


def test_an_operator_that_fails_already_keeps_its_cause():
    w = world()
    op = w.operators[0]
    op.thin_months, op.debt, op.due = 3, 500.0, 50.0
    op.failing, op.failing_event = 1 + Cause.NONE, 6
    watch_coverage(w, w.clock[0])
    assert (op.failing, op.failing_event) == (1 + Cause.NONE, 6)


# --- lots posted -----------------------------------------------------------------------------------------------
def test_all_free_lots_are_posted_at_a_share_of_their_value_in_use_to_their_owner():
    w = world()
    node = operator_node(w, 1)
    w.value[0, :], w.value[1, :] = 999.0, (100.0, 200.0, 300.0)
    op = w.operators[1]
    op.last_event = 4
    loan = add_loan(w, operator=1)
    first = add_lot(w, node=node, units=10.0, chip=1)
    pledged = add_lot(w, node=node, units=20.0, chip=1, loan=loan)
    called = add_lot(w, node=node, units=30.0, chip=1, offered=5.0, reason=SaleReason.MARGIN_CALL)
    empty = add_lot(w, node=node, units=0.0, chip=1)
    last = add_lot(w, node=node, units=0.5, chip=2)
    other = add_lot(w, node=operator_node(w, 0), units=50.0)
    assert post_lots(w, node, op, w.clock[0]) == 1
    lots = [w.lots[k] for k in (first, pledged, called, empty, last, other)]
    assert [lot.offered for lot in lots] == [10.0, 0.0, 5.0, 0.0, 0.5, 0.0]
    # 0.4 x 200 and 0.4 x 300
    assert [lot.reserve for lot in lots] == pytest.approx([80.0, 0.0, 0.0, 0.0, 120.0, 0.0])
    assert [lot.reason == SaleReason.ARREARS for lot in lots] == [True, False, False, False, True, False]
    assert [lot.asked for lot in lots] == [9, -1, -1, -1, 9, -1]
    assert [lot.cause for lot in lots] == [4, -1, -1, -1, 4, -1]
    assert (op.selling, w.operators[0].selling) == (1, 0)


@pytest.mark.parametrize("selling", [0, 1])
def test_an_operator_without_free_lots_posts_nothing_and_goes_on_selling_what_it_sold(selling):
    w = world()
    op = w.operators[0]
    op.selling = selling
    add_lot(w, node=operator_node(w), loan=add_loan(w))
    assert post_lots(w, operator_node(w), op, w.clock[0]) == 0
    assert op.selling == selling


# --- arrears ---------------------------------------------------------------------------------------------------
def in_arrears(
    *, arrears: float = 100.0, collateral: float = 0.0, lot: bool = False, lender: int = 1, **columns: float
):
    """Return a world in which operator 1 owes 500 to lender 1, of which ``arrears`` are not paid."""
    w = world(operators=3, waiting=5)
    add_loan(w, lender=lender, operator=1, usd=500.0, unpaid=arrears, collateral=collateral)
    if lot:
        add_lot(w, node=operator_node(w, 1))
    op = w.operators[1]
    op.arrears, op.due, op.balloon, op.refused = arrears, arrears, 0.0, Refusal.FAILED
    op.status, op.late = OperatorStatus.STRESSED, 1
    for name, value in columns.items():
        setattr(op, name, value)
    return w, op


@pytest.mark.parametrize(
    ("arrears", "cash", "paid", "left", "waiting"),
    [
        (100.0, 40.0, 40.0, 60.0, 1),
        (100.0, 100.0, 100.0, 0.0, 0),
        (100.0, 300.0, 100.0, 0.0, 0),
        (4.0, 3.0, 3.0, 1.0, 1),  # a dollar is still arrears
        (1.0, 0.0, 0.0, 1.0, 1),
        (4.0, 3.5, 3.5, 0.0, 0),
    ],
)
def test_arrears_are_paid_from_cash_first_and_the_rest_waits_for_posted_lots(arrears, cash, paid, left, waiting):
    w, op = in_arrears(arrears=arrears, cash=cash, lot=True)
    pays(w, work_out_arrears)
    assert op.cash == pytest.approx(cash - paid)
    assert op.debt == w.lenders[1].book == pytest.approx(500.0 - paid)
    assert op.arrears == pytest.approx(left)
    assert op.pay_share == pytest.approx(paid / arrears)
    assert (w.clock[0].waiting, op.arrears_turns, op.failing) == (waiting, waiting, 0)
    assert w.lots[0].offered == (10.0 if waiting else 0.0)


@pytest.mark.parametrize(
    ("turns", "lot", "collateral", "after", "failing", "arrears"),
    [
        (0, True, 0.0, 1, False, 100.0),  # lots are posted
        (1, True, 0.0, 2, False, 100.0),  # and have another round to sell
        (2, True, 0.0, 3, True, 100.0),  # then the creditor decides: it refuses
        (2, True, SECURE, 3, False, 0.0),  # or extends
        (0, False, 0.0, 3, True, 100.0),  # nothing to wait for: it decides at once
        (0, False, SECURE, 3, False, 0.0),
    ],
)
def test_lots_are_posted_once_and_after_some_rounds_creditors_extend_or_refuse(
    turns, lot, collateral, after, failing, arrears
):
    w, op = in_arrears(arrears_turns=turns, lot=lot, collateral=collateral)
    pays(w, work_out_arrears)
    assert op.arrears_turns == after
    assert op.failing == (1 + Cause.CASH_FLOW if failing else 0)
    assert op.arrears == arrears
    assert w.lots[0].offered == (10.0 if lot and turns == 0 else 0.0)
    # Who waits and who fails keeps the cascade going, who was extended does not.
    assert w.clock[0].waiting == (1 if arrears else 0)
    # What is unpaid stays in the principal.
    assert (w.loans[0].principal, op.debt) == (500.0, 500.0)


@pytest.mark.parametrize(
    ("due", "balloon", "lender", "cause"),
    [
        (100.0, 0.0, LenderStatus.ACTIVE, Cause.CASH_FLOW),
        (50.0, 50.0, LenderStatus.ACTIVE, Cause.CASH_FLOW),
        (40.0, 60.0, LenderStatus.ACTIVE, Cause.MATURITY),
        (50.0, 50.0, LenderStatus.ILLIQUID, Cause.CASH_FLOW),
        (40.0, 60.0, LenderStatus.ILLIQUID, Cause.LENDER_FAILURE),
        (50.0, 50.0, LenderStatus.FAILED, Cause.LENDER_FAILURE),
        (40.0, 60.0, LenderStatus.FAILED, Cause.LENDER_FAILURE),
    ],
)
def test_a_refusal_is_a_default_for_cash_flow_or_a_balloon_or_because_the_lender_cannot_renew(
    due, balloon, lender, cause
):
    w, op = in_arrears(due=due, balloon=balloon, drained=60.0, drain_event=3)
    w.lenders[1].status, w.lenders[1].last_event = lender, 8
    w.lenders[0].last_event = 6
    pays(w, work_out_arrears)
    assert op.failing == 1 + cause
    # Triggered by what befell the lender, else by the call that took the cash.
    assert op.failing_event == (8 if cause == Cause.LENDER_FAILURE else 3)


@pytest.mark.parametrize(("drained", "cause"), [(25.0, -1), (25.1, 3)])
def test_a_margin_call_is_told_as_the_cause_when_it_took_more_than_a_quarter_of_what_is_missing(drained, cause):
    w, op = in_arrears(drained=drained, drain_event=3)
    work_out_arrears(w, w.clock[0])
    assert op.failing_event == cause


@pytest.mark.parametrize(
    "columns",
    [{"status": OperatorStatus.DEFAULTED}, {"failing": 1 + Cause.NONE}, {"arrears": 0.0}],
)
def test_who_defaulted_or_fails_already_or_has_no_arrears_is_left_alone(columns):
    w, op = in_arrears(cash=40.0, lot=True, failing_event=6, **columns)
    op.pay_share = 0.3
    # Another operator has arrears, so that the round is not empty; its creditor extends.
    w.operators[2].arrears = 200.0
    add_loan(w, operator=2, usd=500.0, unpaid=200.0, collateral=SECURE)
    arrears, failing = op.arrears, op.failing
    pays(w, work_out_arrears)
    assert (op.cash, op.debt, op.arrears, op.arrears_turns) == (40.0, 500.0, arrears, 0)
    assert (op.failing, op.failing_event, op.pay_share) == (failing, 6, 0.0)
    assert w.lots[0].offered == 0.0
    assert (w.clock[0].waiting, w.operators[2].arrears) == (0, 0.0)


def test_a_round_without_arrears_asks_no_creditor():
    w, op = in_arrears()
    op.arrears, op.refused, op.pay_share = 0.0, Refusal.NOBODY, 0.3
    pays(w, work_out_arrears)
    assert (op.refused, op.pay_share, op.debt, w.clock[0].waiting) == (Refusal.NOBODY, 0.0, 500.0, 0)


def test_operators_that_wait_or_fail_are_counted_each_with_its_own_lender():
    w, _ = in_arrears()
    add_loan(w, lender=0, operator=0, usd=300.0, unpaid=50.0)
    add_loan(w, lender=2, operator=2, usd=400.0, unpaid=70.0)
    w.lenders[2].kind = LenderKind.OUTSIDE
    add_lot(w, node=operator_node(w, 2))
    w.operators[0].arrears, w.operators[2].arrears = 50.0, 70.0
    w.operators.late[:] = 1
    pays(w, work_out_arrears)
    assert [op.failing > 0 for op in w.operators] == [True, True, False]
    assert [op.refusing for op in w.operators] == [0, 1, 2]
    assert w.clock[0].waiting == 3
