"""What a lender does when its borrower breaches the LTV: the call, what meets it, how it ends; coin-backed loans."""

from __future__ import annotations

import pytest

from agents.lenders.calls import (
    call_margin,
    cure_by_sale,
    margin_gap,
    order_sale,
    pledge_lots,
    watch_coins,
    watch_covenants,
    withdraw_order,
)
from agents.tables.events import Cause, EventKind, SaleReason, log_event
from agents.tables.ledger import Flow
from agents.tables.loans import LoanContract, LoanKind, LoanStatus
from agents.tables.operators import OperatorStatus
from tests.rules.worlds import add_loan, add_lot, cash_of, events, explained, operator_node, small_world

TERMS = {
    "credit_call_cash": 2.0,
    "credit_cure_months": 0,
    "credit_covenant_margin": 0.2,
    "credit_reset_margin": 0.25,
    "credit_amendment_fee": 0.01,
    "credit_sale_reserve": 0.4,
    "credit_call_minimum": 0.1,
    "market_order_price": 0.9,
    "notes_margin_ltv": 0.25,
    "notes_margin_call": 0.5,
    "notes_margin_closeout": 0.625,
}

#: Month 3, round 2, as loans remember it.
NOW = 3002


def world():
    """Two lenders that mark to market, two operators with general costs of 5, two generations that stand at 10 and 20.

    It is round 2 of month 3; a forced sale has moved marks.
    """
    w = small_world(lenders=2, operators=2, chips=2, terms=TERMS)
    w.lenders.mark_to_market[:] = 1.0
    w.operators.overheads[:] = 5.0
    w.chips.appraisal[:] = 10.0, 20.0
    clock = w.clock[0]
    clock.month, clock.turn, clock.btc, clock.eth, clock.news = 3, 2, 2.0, 4.0, 5
    for _ in range(3):
        clock.last_shock = log_event(w.events, clock, EventKind.FORCED_SALE, Cause.FIRE_SALE, 0, -1, 0, 1.0, 9.0, -1)
    return w


def breached(*, free: float = 0.0, pledged: float = 16.0, **operator: float):
    """Operator 1 owes lender 1 (loan 1) 100 against 16 units worth 160, with a covenant of 0.5: 20 above it.

    ``free`` units of its own secure nothing; earlier calls drained 7. Loan 0, of others, is in breach as well.
    """
    w = world()
    add_loan(w, usd=70.0, collateral=10.0, covenant_ltv=0.5)
    k = add_loan(w, lender=1, operator=1, usd=100.0, collateral=160.0, covenant_ltv=0.5)
    if free > 0.0:
        add_lot(w, node=operator_node(w, 1), units=free)
    if pledged > 0.0:
        add_lot(w, node=operator_node(w, 1), units=pledged, loan=k)
    for name, value in ({"drained": 7.0} | operator).items():
        setattr(w.operators[1], name, value)
    return w, k


def news(w):
    """Return the events after those of the setting, and how many the clock counts as news."""
    return events(w)[3:], w.clock[0].news - 5


def carried_out(w, rule, *arguments):
    """Carry a rule out; the book must explain every change of cash."""
    before = cash_of(w)
    result = rule(w, *arguments)
    assert [after - b for after, b in zip(cash_of(w), before, strict=True)] == pytest.approx(explained(w))
    return result


# --- the gap ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("principal", "collateral", "gap"),
    [
        (100.0, 100.0, 50.0),  # the covenant of 0.5 allows 50
        (100.0, 178.0, 11.0),  # above the smallest call the whole gap
        (100.0, 180.0, 0.0),  # a tenth of the claim: not called
        (100.0, 200.0, 0.0),
        (100.0, 300.0, 0.0),
        (4.0, 5.0, 1.5),  # a tenth of 4 would be less than a dollar
        (4.0, 6.0, 0.0),
    ],
)
def test_a_lender_calls_what_the_claim_exceeds_its_covenant_by_if_that_is_worth_a_call(principal, collateral, gap):
    w = world()
    loan = w.loans[add_loan(w, usd=principal, covenant_ltv=0.5)]
    assert margin_gap(loan, collateral, w.terms[0]) == gap


# --- a call ----------------------------------------------------------------------------------------------------
def test_a_margin_call_asks_for_the_gap_and_takes_cash_above_the_reserve_first():
    w, k = breached(free=9.0, cash=50.0, due=2.0, btc=3.0)
    w.loans[k].interest = 6.0
    w.clock[0].last_shock = 1
    carried_out(w, call_margin, k, w.loans[k], w.clock[0])
    # Gap: 100 - 0.5 x 160 = 20. Free cash: 50 less two months of general costs and debt service, 5 + 2.
    loan, op, lender = w.loans[k], w.operators[1], w.lenders[1]
    assert (op.cash, op.debt, lender.cash, lender.book) == (30.0, 80.0, 20.0, 80.0)
    assert (loan.principal, loan.collateral, loan.status) == (80.0, 160.0, LoanStatus.PERFORMING)
    assert (w.book[Flow.INTEREST], w.book[Flow.PRINCIPAL]) == (6.0, 14.0)
    assert (op.btc, op.selling) == (3.0, 0)
    (call,), fresh = news(w)
    assert (call.kind, call.cause, call.usd) == (EventKind.MARGIN_CALL, Cause.LTV, 20.0)
    assert (call.node, call.other, call.chip, call.units) == (operator_node(w, 1), 1, -1, 0.0)
    assert (call.month, call.turn, call.parent) == (3, 2, 1)
    assert (loan.last_event, op.drained, op.drain_event, fresh) == (3, 27.0, 3, 1)
    # Others are left alone.
    assert (w.loans[0].principal, w.operators[0].drain_event, w.lenders[0].book) == (70.0, -1, 70.0)


@pytest.mark.parametrize(
    ("operator", "free", "paid", "pledged", "coins", "offered"),
    [
        # Two months of costs, 10, stay in cash. A unit pledged is worth 10 and closes 5; sold at 9, it closes 4.
        ({"cash": 50.0, "btc": 7.0}, 4.0, 20.0, False, 0.0, 0.0),
        ({"cash": 30.0, "btc": 7.0}, 4.0, 20.0, False, 0.0, 0.0),
        ({"cash": 29.0, "btc": 7.0}, 4.0, 19.0, False, 0.0, 0.0),  # a dollar is let pass
        ({"cash": 28.5, "btc": 7.0}, 4.0, 18.5, True, 0.0, 0.0),
        # Cash pays 4; the 16 left take four units as pledge: 20.
        ({"cash": 14.0, "btc": 7.0}, 4.0, 4.0, True, 0.0, 0.0),
        ({"cash": 14.0, "btc": 7.0}, 3.0, 4.0, True, 0.0, 0.0),  # 15: a dollar is let pass
        ({"cash": 14.0, "btc": 7.0}, 2.9, 4.0, True, 1.5, 0.0),
        # Two units close 10, coins the other 6; then ether.
        ({"cash": 14.0, "btc": 7.0}, 2.0, 4.0, True, 6.0, 0.0),
        ({"cash": 14.0, "btc": 0.0, "eth": 7.0}, 2.0, 4.0, True, 6.0, 0.0),
        ({"cash": 14.0, "btc": 1.0, "eth": 7.0}, 2.0, 4.0, True, 6.0, 0.0),
        ({"cash": 14.0, "btc": 2.5}, 2.0, 4.0, True, 5.0, 0.0),  # a dollar is let pass
        # What is missing then is sold: each unit closes 9 - 5.
        ({"cash": 14.0, "btc": 2.25}, 2.0, 4.0, True, 4.5, 1.5 / 4),
        ({"cash": 14.0, "btc": 0.5}, 2.0, 4.0, True, 1.0, 5 / 4),
        ({"cash": 14.0}, 2.0, 4.0, True, 0.0, 6 / 4),
        ({"cash": 14.0}, 0.0, 4.0, False, 0.0, 16 / 4),
        # Nothing but hardware; the reserve is not touched.
        ({"cash": 10.0}, 0.0, 0.0, False, 0.0, 20 / 4),
        ({"cash": 10.5}, 0.0, 0.5, False, 0.0, 19.5 / 4),
        ({"cash": 6.0}, 0.0, 0.0, False, 0.0, 20 / 4),
        ({"cash": 6.0, "btc": 99.0}, 0.0, 0.0, False, 20.0, 0.0),
    ],
)
def test_a_call_is_met_from_cash_then_a_pledge_then_coins_and_last_by_a_sale(
    operator, free, paid, pledged, coins, offered
):
    w, k = breached(free=free, **operator)
    loan, op, lender = w.loans[k], w.operators[1], w.lenders[1]
    worth = op.btc * 2 + op.eth * 4
    carried_out(w, call_margin, k, loan, w.clock[0])
    assert op.cash == pytest.approx(operator["cash"] - paid)
    assert loan.principal == op.debt == lender.book == pytest.approx(100 - paid - coins)
    assert lender.cash == w.book[Flow.PRINCIPAL] == pytest.approx(paid + coins)
    assert loan.collateral == pytest.approx(160 + (10 * free if pledged else 0))
    assert op.btc * 2 + op.eth * 4 == pytest.approx(worth - coins)
    assert w.book[Flow.COIN_SALE] == pytest.approx(coins)
    assert (op.drained, op.drain_event) == (pytest.approx(7 + paid + coins), 3 if paid + coins > 0 else -1)
    first = w.lots[w.first_lot[operator_node(w, 1)]]
    assert first.offered == pytest.approx(offered)
    assert loan.status == (LoanStatus.CALLED if offered > 0 else LoanStatus.PERFORMING)
    assert loan.call_turn == (NOW if offered > 0 else -1)
    assert op.selling == (1 if offered > 0 else 0)
    assert first.cause == (3 if offered > 0 else -1)
    assert w.operators[0].selling == 0
    ((call,), fresh) = news(w)
    assert (call.usd, call.parent, fresh) == (20.0, 2, 1)


def test_a_call_on_a_loan_without_hardware_stays_open_with_nothing_for_sale():
    w, k = breached(pledged=0.0)
    call_margin(w, k, w.loans[k], w.clock[0])
    assert (w.loans[k].status, w.operators[1].selling) == (LoanStatus.CALLED, 0)


@pytest.mark.parametrize(
    ("operator", "paid", "left"),
    [
        ({"cash": 14.0}, 4.0, 96.0),
        ({"cash": 14.0, "btc": 2.0}, 8.0, 92.0),  # coins first
        ({"cash": 28.5}, 18.5, 81.5),  # a dollar and a half is missing
        ({"cash": 29.0}, 19.0, None),  # a dollar is let pass
        ({"cash": 30.0}, 20.0, None),
    ],
)
def test_what_a_call_leaves_open_is_waived_where_all_lenders_would_rather_wait(operator, paid, left):
    w, k = breached(hold=1, **operator)
    loan, op = w.loans[k], w.operators[1]
    carried_out(w, call_margin, k, loan, w.clock[0])
    assert (loan.principal, loan.status, op.selling) == (pytest.approx(100 - paid), LoanStatus.PERFORMING, 0)
    assert w.lots[0].offered == 0.0
    (call, *waived), fresh = news(w)
    assert (call.kind, fresh) == (EventKind.MARGIN_CALL, 1)
    if left is None:
        assert (waived, loan.amended, loan.call_turn, loan.covenant_ltv) == ([], 0, -1, 0.5)
    else:
        # The covenant stands a quarter of the usual margin of 0.2 above where the loan is.
        assert loan.covenant_ltv == pytest.approx(left / 160 + 0.05)
        assert [(e.kind, e.parent) for e in waived] == [(EventKind.WAIVER, 3)]
        assert (loan.amended, loan.call_turn, loan.last_event) == (1, NOW, 4)


# --- a pledge --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("need", "missing", "taken"),
    [
        (0.0, 0.0, 0),
        (30.0, 0.0, 1),  # just enough
        (31.0, 31 - 30 - 100, 2),  # lots are pledged whole
        (150.0, 150 - 30 - 100 - 20, 3),
        (200.0, 50.0, 3),
    ],
)
def test_a_borrower_pledges_free_lots_in_turn_until_their_mark_is_enough(need, missing, taken):
    w = world()
    w.lenders[0].mark_to_market = 0.0  # another lender would mark them at cost
    add_loan(w)
    k = add_loan(w, lender=1, operator=1, collateral=7.0)
    node = operator_node(w, 1)
    third = add_lot(w, node=node, units=2.0)
    used = [
        add_lot(w, node=node, units=64.0, offered=1.0),
        add_lot(w, node=node, units=32.0, loan=0),
        add_lot(w, node=node, units=16.0, loan=k),
        add_lot(w, node=operator_node(w, 0), units=8.0),
    ]
    before = [int(w.lots[row].loan) for row in used]
    second = add_lot(w, node=node, units=5.0, chip=1)
    first = add_lot(w, node=node, units=3.0)
    assert pledge_lots(w, k, w.loans[k], node, need) == pytest.approx(missing)
    assert [int(w.lots[row].loan) for row in (first, second, third)] == [k] * taken + [-1] * (3 - taken)
    assert w.loans[k].collateral == pytest.approx(7 + sum((30, 100, 20)[:taken]))
    assert [int(w.lots[row].loan) for row in used] == before


# --- a sale ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("gap", "price", "units", "closed"),
    [
        # Ten units at a mark of 80, covenant 0.5: a unit sold at 60 closes 60 - 40.
        (100.0, 60.0, 5.0, 100.0),
        (100.0, 140.0, 1.0, 100.0),
        (300.0, 60.0, 10.0, 200.0),  # no more than there are
        (100.0, 40.0, 10.0, 0.0),  # at half the mark a sale cannot cure: everything
        (100.0, 30.0, 10.0, 0.0),
    ],
)
def test_as_many_units_are_sold_as_bring_the_loan_back_to_its_covenant(gap, price, units, closed):
    w = world()
    w.lenders[0].mark_to_market, w.lenders[0].life = 0.0, 50.0
    lot = w.lots[add_lot(w, node=operator_node(w), units=10.0, cost=100.0, vintage=0.0)]
    # Ten of fifty months old.
    assert cure_by_sale(w.lenders[0], lot, w.chips[0], 0.5, gap, price, 10) == pytest.approx((units, closed))


@pytest.mark.parametrize(
    ("bid", "units"),
    [
        # The loan is 20 above its covenant. A unit is worth 10 to the lender and closes what its price exceeds 5 by.
        (0.0, 20 / 4),  # no bid: 0.9 x the appraisal
        (8.0, 20 / 2.2),  # 0.9 x the best bid
        (12.0, 20 / 4),  # not above the appraisal
        (0.5, 16.0),  # a bid at which no sale cures
    ],
)
def test_the_borrower_expects_part_of_the_best_bid_or_of_the_appraisal(bid, units):
    w, k = breached()
    w.chips.best_bid[:] = bid, 15.0
    assert order_sale(w, k, w.loans[k], operator_node(w, 1), 2) == pytest.approx(units)
    assert w.lots[0].offered == pytest.approx(units)


def test_lots_are_offered_in_turn_until_the_gap_is_closed():
    w, k = breached(pledged=0.0)  # a gap of 20
    w.lenders[0].mark_to_market = 0.0  # another lender would mark at cost
    node = operator_node(w, 1)
    old = {"reserve": 6.0, "contracted": 0.6, "signed": 0.9, "customer": 5, "reason": SaleReason.ARREARS}
    spared = add_lot(w, node=node, units=4.0, loan=k, **old)
    second = add_lot(w, node=node, units=5.0, loan=k, chip=1, **old)  # 18 - 10 a unit: one closes the rest
    others = [
        add_lot(w, node=node, units=9.0, loan=0, **old),
        add_lot(w, node=node, units=9.0, **old),
        add_lot(w, node=operator_node(w, 0), units=9.0, loan=k, **old),
    ]
    first = add_lot(w, node=node, units=3.0, loan=k, **old)  # 9 - 5 a unit: all three close 12
    assert order_sale(w, k, w.loans[k], node, 2) == pytest.approx(3 + 1)
    for row, units in ((first, 3.0), (second, 1.0)):
        lot = w.lots[row]
        assert (lot.offered, lot.contracted, lot.signed, lot.customer) == (pytest.approx(units), 0.6, 0.9, 5)
        assert (lot.reserve, lot.reason, lot.asked, lot.cause) == (0.0, SaleReason.MARGIN_CALL, 3, 2)
    for row in (spared, *others):
        lot = w.lots[row]
        assert (lot.offered, lot.contracted, lot.reserve) == (0.0, 0.6, 6.0)
        assert (lot.reason, lot.asked, lot.cause) == (SaleReason.ARREARS, -1, -1)


@pytest.mark.parametrize(("months", "reserve"), [(0, 0.0), (1, 0.4 * 30), (6, 0.4 * 30)])
def test_while_a_call_can_be_cured_hardware_is_not_given_away(months, reserve):
    w, k = breached()
    w.terms[0].credit_cure_months = months
    w.value[:] = ((7.0, 8.0), (30.0, 9.0), (5.0, 6.0))  # operator 1 has 30 of a unit of generation 0
    w.lots[0].reserve = 99.0
    order_sale(w, k, w.loans[k], operator_node(w, 1), 2)
    assert w.lots[0].reserve == pytest.approx(reserve)


def test_a_gap_beyond_what_sales_close_puts_all_pledged_hardware_up():
    w, k = breached(pledged=0.0)
    for units in (2.0, 1.0):
        add_lot(w, node=operator_node(w, 1), units=units, loan=k)
    assert order_sale(w, k, w.loans[k], operator_node(w, 1), 2) == pytest.approx(3.0)
    assert w.lots.offered[:2].tolist() == [2.0, 1.0]


def test_a_small_rest_of_the_gap_is_sold_as_well():
    w, k = breached(pledged=0.0)  # a gap of 20; each unit closes 4
    for units in (9.0, 4.9):
        add_lot(w, node=operator_node(w, 1), units=units, loan=k)
    order_sale(w, k, w.loans[k], operator_node(w, 1), 2)
    assert w.lots.offered[:2].tolist() == pytest.approx([0.4 / 4, 4.9])


def test_a_cured_sale_is_taken_off_the_market_and_other_offers_are_not():
    w, k = breached(pledged=0.0)
    node = operator_node(w, 1)
    offer = {"offered": 2.0, "asked": 2}
    called = [add_lot(w, node=node, loan=k, reason=SaleReason.MARGIN_CALL, **offer)]
    kept = [
        add_lot(w, node=node, loan=k, reason=SaleReason.ARREARS, **offer),
        add_lot(w, node=node, loan=0, reason=SaleReason.MARGIN_CALL, **offer),
        add_lot(w, node=operator_node(w, 0), loan=k, reason=SaleReason.MARGIN_CALL, **offer),
    ]
    reasons = [int(w.lots[row].reason) for row in kept]
    called.append(add_lot(w, node=node, loan=k, reason=SaleReason.MARGIN_CALL, **offer))
    withdraw_order(w, k, node)
    for row in called:
        assert (w.lots[row].offered, w.lots[row].reason, w.lots[row].asked) == (0.0, SaleReason.CHURN, -1)
    assert [(w.lots[row].offered, w.lots[row].asked) for row in kept] == [(2.0, 2)] * 3
    assert [int(w.lots[row].reason) for row in kept] == reasons


# --- covenants -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("loan", "operator"),
    [
        ({"kind": LoanKind.CONVERTIBLE}, {}),
        ({"kind": LoanKind.MARGIN}, {}),
        ({"contract": LoanContract.TERM}, {}),  # lent on contracted cash flow: no mark is looked at
        ({"status": LoanStatus.FREE}, {}),
        ({"status": LoanStatus.DEFAULTED}, {}),
        ({"collateral": 240.0}, {}),  # 5 below its covenant
        ({"collateral": 210.0}, {}),  # 10 above it: less than a tenth of 115
        ({}, {"status": OperatorStatus.DEFAULTED}),
        ({}, {"failing": 1 + Cause.DSCR, "failing_event": 1}),
        # A call of the round before, of somebody who is in default or about to be for another reason.
        ({"status": LoanStatus.CALLED, "call_turn": NOW - 1}, {"status": OperatorStatus.DEFAULTED}),
        ({"status": LoanStatus.CALLED, "call_turn": NOW - 1}, {"failing": 1 + Cause.NONE, "failing_event": 1}),
        # A breach that was waived this month: what falls further is looked at in the next.
        ({"amended": 1, "call_turn": 3000}, {}),
        ({"amended": 3, "call_turn": NOW}, {}),
        # Calls of this round have time until the next, cured or not.
        ({"status": LoanStatus.CALLED, "call_turn": NOW}, {}),
        ({"status": LoanStatus.CALLED, "call_turn": NOW, "collateral": 240.0}, {}),
    ],
)
def test_no_margin_is_called_on_other_loans_nor_of_borrowers_in_default_but_on_the_next_in_breach(loan, operator):
    w = world()
    add_loan(w, usd=115.0, **{"covenant_ltv": 0.5, "collateral": 120.0, "last_event": 0} | loan)
    for name, value in operator.items():
        setattr(w.operators[0], name, value)
    k = add_loan(w, lender=1, operator=1, usd=100.0, collateral=160.0, covenant_ltv=0.5)
    rows = w.loans[:1].tolist(), w.operators[:1].tolist()
    watch_covenants(w, w.clock[0])
    assert (w.loans[:1].tolist(), w.operators[:1].tolist()) == rows
    (call,), fresh = news(w)
    assert (call.kind, call.node, call.other, call.usd) == (EventKind.MARGIN_CALL, operator_node(w, 1), 1, 20.0)
    assert (w.loans[k].status, w.loans[k].call_turn, fresh) == (LoanStatus.CALLED, NOW, 1)
    assert (w.operators[1].failing, w.operators[1].failing_event) == (0, -1)


@pytest.mark.parametrize(("amended", "turn"), [(1, 2999), (1, -1), (0, NOW - 1), (0, -1)])
def test_a_breach_is_called_again_in_the_month_after_a_waiver_and_at_once_after_a_cure(amended, turn):
    w, k = breached(pledged=0.0)
    w.loans[0].collateral = 500.0
    w.loans[k].amended, w.loans[k].call_turn = amended, turn
    watch_covenants(w, w.clock[0])
    assert (w.loans[k].status, w.loans[k].call_turn) == (LoanStatus.CALLED, NOW)


@pytest.mark.parametrize(
    ("months", "made", "fails"),
    [(1, NOW - 1, False), (1, 3000, False), (1, 2999, True), (1, 2000, True), (2, 2000, False), (2, 1999, True)],
)
def test_a_call_can_be_cured_for_as_many_months_as_agreed(months, made, fails):
    w, k = breached()
    w.terms[0].credit_cure_months = months
    loan = w.loans[k]
    loan.status, loan.call_turn, loan.last_event = LoanStatus.CALLED, made, 1
    w.loans[0].collateral = 500.0
    watch_covenants(w, w.clock[0])
    assert w.operators[1].failing == (1 + Cause.LTV if fails else 0)
    assert (loan.status, loan.call_turn, news(w)) == (LoanStatus.CALLED, made, ([], 1 if fails else 0))


def test_a_call_that_is_missed_is_waived_where_all_lenders_would_rather_wait_and_its_sale_withdrawn():
    w, k = breached(pledged=0.0)
    loan = w.loans[k]
    loan.status, loan.call_turn, loan.last_event = LoanStatus.CALLED, NOW - 1, 1
    w.loans[0].collateral = 500.0
    w.operators[1].hold = 1
    lot, other = (add_lot(w, node=operator_node(w, o), units=5.0, loan=k) for o in (1, 0))
    for row in (lot, other):
        w.lots[row].offered, w.lots[row].reason = 5.0, SaleReason.MARGIN_CALL
    watch_covenants(w, w.clock[0])
    assert (loan.status, loan.amended, loan.call_turn) == (LoanStatus.PERFORMING, 1, NOW)
    assert loan.covenant_ltv == pytest.approx(100 / 160 + 0.05)
    assert [float(w.lots[row].offered) for row in (lot, other)] == [0.0, 5.0]
    (waived,), fresh = news(w)
    assert (waived.kind, waived.cause, waived.parent, fresh) == (EventKind.WAIVER, Cause.LTV, 1, 0)
    assert w.operators[1].failing == 0


@pytest.mark.parametrize("made", [NOW - 1, 2999])
def test_a_call_still_open_a_round_later_is_a_default(made):
    w, k = breached(cash=999.0)
    loan = w.loans[k]
    loan.status, loan.call_turn, loan.last_event = LoanStatus.CALLED, made, 1
    w.loans[0].collateral = 500.0
    w.lots[0].offered = 5.0
    watch_covenants(w, w.clock[0])
    op = w.operators[1]
    assert (op.failing, op.failing_event) == (1 + Cause.LTV, 1)
    assert (loan.status, loan.principal, w.lots[0].offered) == (LoanStatus.CALLED, 100.0, 5.0)
    assert news(w) == ([], 1)
    assert w.operators[0].failing == 0


def test_the_first_loan_whose_call_is_missed_is_the_reason_of_the_default():
    w, k = breached()
    w.loans[0].collateral = 500.0
    for row, event in ((k, 1), (add_loan(w, lender=0, operator=1, covenant_ltv=0.5), 2)):
        w.loans[row].status, w.loans[row].call_turn, w.loans[row].last_event = LoanStatus.CALLED, NOW - 1, event
    watch_covenants(w, w.clock[0])
    assert (w.operators[1].failing_event, news(w)) == (1, ([], 1))


@pytest.mark.parametrize("principal", [70.0, 88.0])
def test_a_call_met_by_the_sale_ends_as_cured_and_the_rest_of_the_sale_is_withdrawn(principal):
    # Back below the covenant of 80, or so near that it would not be called.
    w, k = breached()
    loan = w.loans[k]
    loan.principal, loan.status, loan.call_turn, loan.last_event = principal, LoanStatus.CALLED, NOW - 1, 1
    w.loans[0].collateral = 500.0
    w.lots[0].offered, w.lots[0].reason, w.lots[0].asked = 5.0, SaleReason.MARGIN_CALL, 3
    watch_covenants(w, w.clock[0])
    assert (loan.status, loan.call_turn, w.operators[1].failing) == (LoanStatus.PERFORMING, -1, 0)
    (cured,), fresh = news(w)
    assert (cured.kind, cured.cause, cured.usd) == (EventKind.CURED, Cause.LTV, principal)
    assert (cured.node, cured.other, cured.chip, cured.units) == (operator_node(w, 1), 1, -1, 0.0)
    assert (cured.parent, fresh) == (1, 0)
    assert (w.lots[0].offered, w.lots[0].asked) == (0.0, -1)


# --- coins -----------------------------------------------------------------------------------------------------
def coin_loan(coins: float, *, usd: float = 100.0, **operator: float):
    """Operator 1 owes lender 1 (loan 1) 100 against bitcoin at 10; loan 0, of others, is not in question.

    Coins are called above an LTV of 0.5, back to the opening LTV of 0.25; above 0.625 they are sold. Earlier calls drained 7.
    """
    w = world()
    w.clock[0].turn, w.clock[0].btc = 0, 10.0
    add_loan(w, usd=70.0, kind=LoanKind.MARGIN, coins=70.0)
    k = add_loan(w, lender=1, operator=1, usd=usd, kind=LoanKind.MARGIN, coins=coins)
    w.operators.cash[:] = 11.0
    for name, value in ({"drained": 7.0} | operator).items():
        setattr(w.operators[1], name, value)
    return w, k


@pytest.mark.parametrize(
    ("usd", "coins", "own", "added", "sold"),
    [
        # An LTV of 0.25 takes 40 coins.
        (100.0, 19.0, 30.0, 21.0, 0.0),
        (100.0, 19.0, 8.0, 8.0, 0.0),  # it adds what it has
        (100.0, 19.0, 0.0, 0.0, 0.0),  # it has none, but 100 / 190 is no close-out yet
        (100.0, 16.0, 0.0, 0.0, 0.0),  # nor is 100 / 160 = 0.625
        (100.0, 12.0, 4.0, 4.0, 0.0),  # what is added counts
        # Above 0.625: 13 coins are sold down to 4. A loan of 10 is a quarter of their 40.
        (100.0, 13.0, 0.0, 0.0, 9.0),
        (100.0, 11.0, 2.0, 2.0, 9.0),
        (100.0, 10.0, 0.0, 0.0, 10.0),
        # A loan of two dollars is no different: eight tenths of a coin; 1.25 less 0.25 x 1.65 over 0.75 x 10.
        (2.0, 0.3, 30.0, 0.5, 0.0),
        (1.25, 0.165, 0.0, 0.0, (1.25 - 0.4125) / 7.5),
        (1.0, 0.1, 30.0, 0.3, 0.0),
    ],
)
def test_coins_are_added_toward_the_opening_ltv_and_sold_where_that_is_not_enough(usd, coins, own, added, sold):
    w, k = coin_loan(coins, usd=usd, btc=own)
    carried_out(w, watch_coins, w.clock[0])
    loan, op, lender = w.loans[k], w.operators[1], w.lenders[1]
    assert (op.btc, loan.coins) == (pytest.approx(own - added), pytest.approx(coins + added - sold))
    assert (op.drained, op.drain_event) == (pytest.approx(7 + 10 * added), 3)
    assert lender.cash == w.book[Flow.COIN_CLOSEOUT] == pytest.approx(10 * sold)
    assert loan.principal == lender.book == op.debt == pytest.approx(usd - 10 * sold)
    assert (op.cash, op.failing, op.failing_event) == (11.0, 0, -1)
    (call,), fresh = news(w)
    assert (call.kind, call.cause, call.usd) == (EventKind.COIN_CALL, Cause.BITCOIN_MARGIN, usd)
    assert (call.node, call.other, call.chip, call.units) == (operator_node(w, 1), 1, -1, 0.0)
    assert (call.month, call.parent, fresh) == (3, -1, 1)
    assert (w.loans[0].coins, w.operators[0].drain_event) == (70.0, -1)


@pytest.mark.parametrize(
    ("coins", "failing", "cause", "event"),
    [
        (8.0, 0, 1 + Cause.BITCOIN_MARGIN, 3),  # 20 are left, and no coins
        (9.85, 0, 1 + Cause.BITCOIN_MARGIN, 3),  # 1.50 are
        (9.9, 0, 0, 1),  # a dollar is let pass
        (13.0, 0, 0, 1),  # 10 are left, and coins
        (8.0, 1 + Cause.DSCR, 1 + Cause.DSCR, 1),  # it was about to default for another reason
        (0.0, 0, 1 + Cause.BITCOIN_MARGIN, 3),
    ],
)
def test_who_still_owes_when_all_coins_are_sold_defaults(coins, failing, cause, event):
    w, _ = coin_loan(coins, failing=failing, failing_event=1)
    watch_coins(w, w.clock[0])
    assert (w.operators[1].failing, w.operators[1].failing_event) == (cause, event)
    assert w.operators[0].failing == 0


@pytest.mark.parametrize(
    ("loan", "operator"),
    [
        ({"kind": LoanKind.EQUIPMENT}, {}),
        ({"kind": LoanKind.CONVERTIBLE}, {}),
        ({"status": LoanStatus.FREE}, {}),
        ({"status": LoanStatus.DEFAULTED}, {}),
        ({"principal": 0.9, "coins": 0.0}, {}),  # cents
        ({"coins": 14.0}, {}),  # an LTV of 0.5
        ({"coins": 30.0}, {}),
        ({}, {"status": OperatorStatus.DEFAULTED}),
    ],
)
def test_no_coins_are_called_of_others_but_of_the_next_loan_above_the_level(loan, operator):
    w, k = coin_loan(19.0, btc=30.0)
    for name, value in ({"coins": 7.0} | loan).items():
        setattr(w.loans[0], name, value)
    for name, value in ({"btc": 50.0} | operator).items():
        setattr(w.operators[0], name, value)
    rows = w.loans[:1].tolist(), w.operators[:1].tolist()
    watch_coins(w, w.clock[0])
    assert (w.loans[:1].tolist(), w.operators[:1].tolist()) == rows
    (call,), fresh = news(w)
    assert (call.other, call.usd, w.loans[k].coins, fresh) == (1, 100.0, 40.0, 1)


def test_every_loan_above_the_level_is_called():
    w, k = coin_loan(19.0, btc=30.0)
    w.loans[0].coins, w.operators[0].btc = 13.0, 15.0  # 28 cover the loan of 70
    watch_coins(w, w.clock[0])
    assert (w.loans[0].coins, w.loans[k].coins) == (28.0, 40.0)
    assert (w.operators[0].drain_event, w.operators[1].drain_event, news(w)[1]) == (3, 4, 2)


def test_coins_are_called_once_a_month():
    w, k = coin_loan(8.0, btc=30.0)
    w.clock[0].turn = 1
    watch_coins(w, w.clock[0])
    assert (w.loans[k].coins, news(w)) == (8.0, ([], 0))
