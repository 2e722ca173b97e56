"""What happens when ordered chips arrive: loans are drawn, the rest is paid or cancelled."""

from __future__ import annotations

import pytest

from agents.operators.deliveries import (
    affordable_units,
    deliver_order,
    deliver_orders,
    draw_loan,
    loan_maturity,
    ring_fence,
)
from agents.tables.clock import Fault
from agents.tables.events import Cause, EventKind
from agents.tables.ledger import Flow
from agents.tables.lenders import LenderStatus
from agents.tables.loans import LoanContract, LoanKind, LoanStatus
from agents.tables.operators import OperatorStatus
from agents.tables.orders import open_order
from tests.rules.worlds import add_loan, cash_of, events, explained, operator_node, small_world, some_terms


def commit(w, **columns: float) -> int:
    """Order ten units of chip 3 for operator 1 at 100 USD, 60 of them from lender 2; return the order's row."""
    k = open_order(w.orders, w.clock[0], 1, 3, 10.0, 100.0, 5)
    order = w.orders[k]
    order.lender, order.advance, order.rate, order.life = 2, 60.0, 0.09, 40.0
    for name, value in columns.items():
        setattr(order, name, value)
    return k


def ordered(*, units: float = 10.0, cost: float = 100.0, advance: float = 60.0, lender: int = 2, **operator: float):
    """Return a world in which an order arrives in month 5; a tenth of its cost was paid as deposit."""
    w = small_world(
        lenders=3,
        operators=2,
        chips=4,
        terms={
            "credit_deposit": 0.1,
            "credit_maturity": 36,
            "policy_matched_amortisation": 0,
            "rental_contract_discount": 0.8,
            "rental_contract_term": 30,
            "customers_concentration": 0.6,
            "credit_covenant_margin": 0.1,
            "credit_covenant_cap": 0.95,
            "credit_covenant_least": 0.02,
        },
    )
    clock = w.clock[0]
    clock.month, clock.rent = 5, 2.0
    chip = w.chips[3]
    chip.performance, chip.power, chip.appraisal = 3.0, 2.0, 80.0
    w.lenders[2].cash, w.lenders[2].committed, w.lenders[2].mark_to_market = 5000.0, 700.0, 0.25
    op = w.operators[1]
    op.cash, op.used_power = 1000.0, 30.0
    op.committed = 400.0
    for name, value in operator.items():
        setattr(op, name, value)
    return w, w.orders[commit(w, units=units, cost=cost, advance=advance, lender=lender)]


def deliver(w, order):
    """Deliver on a month's open book; what it adds explains every change of cash."""
    before = cash_of(w)
    w.book[:] += 7.0
    deliver_order(order, w, w.clock[0])
    w.book[:] -= 7.0
    assert [after - b for after, b in zip(cash_of(w), before, strict=True)] == pytest.approx(explained(w))


def lots_of(w, node: int) -> list:
    found, k = [], w.first_lot[node]
    while k >= 0:
        found.append(w.lots[k])
        k = w.lots[k].following
    return found


# --- the loan --------------------------------------------------------------------------------------------------
BASE, TERM = LoanContract.BORROWING_BASE, LoanContract.TERM


@pytest.mark.parametrize(
    ("matched", "contract", "term", "months"),
    [(0, BASE, 47.2, 36), (1, BASE, 47.2, 48), (1, BASE, 47.0, 47), (0, TERM, 47.2, 48), (1, TERM, 47.2, 48)],
)
def test_a_loan_has_a_balloon_unless_it_is_a_term_loan_or_its_amortisation_must_match_the_life(
    matched, contract, term, months
):
    terms = some_terms(policy_matched_amortisation=matched, credit_maturity=36)
    assert loan_maturity(terms, contract, term) == months


@pytest.mark.parametrize(
    ("share", "draws", "fenced"),
    [
        # After 100, 200, 250 and 260 drawn a quarter is 25, 50, 62.5 and 65.
        (0.25, (100.0, 100.0, 50.0, 10.0), (0, 0, 1, 1)),
        (0.25, (60.0, 20.0, 20.0), (0, 1, 0)),  # just a quarter
        (0.25, (60.0, 21.0, 4.0), (0, 0, 1)),
        (0.0, (100.0, 1.0), (0, 0)),
        (1.0, (100.0, 1.0), (1, 1)),
    ],
)
def test_vehicles_stand_alone_for_part_of_what_a_firm_draws_in_term_loans(share, draws, fenced):
    w = small_world(terms={"credit_non_recourse": share})
    op = w.operators[0]
    loans = [w.loans[add_loan(w, usd=usd)] for usd in draws]
    for loan in loans:
        ring_fence(op, loan, w.terms[0])
    assert [1 - int(loan.recourse) for loan in loans] == list(fenced)
    assert op.drawn_term == pytest.approx(sum(draws))
    assert op.drawn_fenced == pytest.approx(sum(usd for usd, alone in zip(draws, fenced, strict=True) if alone))


@pytest.mark.parametrize(
    ("share", "alone", "contract", "matures", "recourse", "drawn"),
    [
        (0.0, 1.0, BASE, 5 + 36, 1, (0.0, 0.0)),
        (0.39, 1.0, BASE, 5 + 36, 1, (0.0, 0.0)),
        (0.4, 1.0, TERM, 5 + 40, 0, (570.0, 570.0)),
        (0.4, 0.5, TERM, 5 + 40, 1, (570.0, 0.0)),
    ],
)
def test_who_lets_enough_on_contract_draws_a_term_loan_to_nothing(share, alone, contract, matures, recourse, drawn):
    w, order = ordered(contract_share=share)
    w.terms[0].credit_term_contracts, w.terms[0].credit_non_recourse = 0.4, alone
    op = w.operators[1]
    loan = w.loans[draw_loan(order, op, 570.0, 1000.0, 800.0, w, w.clock[0])]
    assert (loan.contract, loan.maturity, loan.recourse) == (contract, matures, recourse)
    assert loan.amortisation == pytest.approx(570 / 40)
    assert (op.drawn_term, op.drawn_fenced) == drawn
    # What secures it is booked in either case.
    assert (loan.collateral, loan.covenant_ltv) == pytest.approx((950.0, 0.7))


def test_a_loan_is_drawn_from_the_lender_with_a_covenant_on_its_own_mark():
    w, order = ordered()
    lender, op, clock = w.lenders[2], w.operators[1], w.clock[0]
    lender.book, op.debt, clock.new_credit = 11.0, 12.0, 13.0
    assert draw_loan(order, op, 570.0, 1000.0, 800.0, w, clock) == 0
    assert (lender.cash, lender.book, op.debt) == pytest.approx((5000.0 - 570.0, 581.0, 582.0))
    assert w.book[Flow.LOAN_DRAW] == pytest.approx(570.0)
    assert clock.new_credit == pytest.approx(583.0)
    loan = w.loans[0]
    assert (loan.kind, loan.status, loan.lender, loan.borrower) == (LoanKind.EQUIPMENT, LoanStatus.PERFORMING, 2, 1)
    # Straight line over 40 months, balloon in month 5 + 36.
    assert (loan.principal, loan.rate, loan.amortisation, loan.maturity) == pytest.approx((570.0, 0.09, 570 / 40, 41))
    # Mark: 0.75 x cost and 0.25 x appraisal; 570 / 950 = 0.6, covenant 0.1 above.
    assert (loan.collateral, loan.opening_ltv, loan.covenant_ltv) == pytest.approx((950.0, 0.6, 0.7))


def test_a_full_loan_table_stops_the_run():
    w, order = ordered()
    w.clock[0].free_loan = -1
    assert draw_loan(order, w.operators[1], 570.0, 1000.0, 800.0, w, w.clock[0]) == -1
    assert w.clock[0].fault == Fault.LOANS_FULL
    assert w.loans[-1].collateral == 0.0


# --- what the operator can pay ---------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("cash", "btc", "units", "coins_left"),
    [
        (500.0, 5.0, 10.0, 5.0),  # ten units at 30 USD are 300
        (300.0, 5.0, 10.0, 5.0),
        (240.0, 5.0, 10.0, 2.0),  # 60 are missing: three coins of 20
        (240.0, 3.0, 10.0, 0.0),
        (220.0, 1.0, 8.0, 0.0),  # 220 and 20 pay for eight
        (0.0, 0.0, 0.0, 0.0),
    ],
)
def test_an_operator_takes_what_cash_and_coins_pay_for_and_the_rest_is_cancelled(cash, btc, units, coins_left):
    w, order = ordered(cash=cash, btc=btc)
    clock, op = w.clock[0], w.operators[1]
    clock.btc, clock.cancelled = 20.0, 7.0
    assert affordable_units(order, 30.0, op, w, clock) == pytest.approx(units)
    assert op.btc == pytest.approx(coins_left)
    assert w.book[Flow.COIN_SALE] == pytest.approx(20.0 * (btc - coins_left))
    assert op.cash == pytest.approx(cash + 20.0 * (btc - coins_left))
    # Each of the rest was ordered for 100 USD and kept 2 kW free.
    assert clock.cancelled == pytest.approx(7.0 + (10.0 - units) * 100.0)
    assert op.used_power == pytest.approx(30.0 - (10.0 - units) * 2.0)
    cancelled = [
        (EventKind.ORDER_CANCELLED, Cause.NONE, operator_node(w, 1), 2, 3, 10.0 - units, (10.0 - units) * 100.0, -1)
    ]
    found = [(e.kind, e.cause, e.node, e.other, e.chip, e.units, e.usd, e.parent) for e in events(w)]
    assert found == (cancelled if units < 10.0 else [])


@pytest.mark.parametrize(("cash", "told"), [(1980.0, 0), (1970.0, 1)])
def test_a_cancellation_up_to_a_hundredth_of_the_order_is_no_event(cash, told):
    # 200 units at 10 USD: 2 units or 3 are cancelled.
    w, order = ordered(cash=cash, units=200.0, used_power=400.0)
    assert affordable_units(order, 10.0, w.operators[1], w, w.clock[0]) == pytest.approx(cash / 10.0)
    assert w.clock[0].cancelled == pytest.approx((200.0 - cash / 10.0) * 100.0)
    assert len(events(w)) == told


# --- delivery --------------------------------------------------------------------------------------------------
def test_at_delivery_the_lender_pays_its_advance_and_the_operator_the_rest_of_the_balance():
    w, order = ordered()
    lender, op, chip, clock = w.lenders[2], w.operators[1], w.chips[3], w.clock[0]
    chip.added, chip.stock, clock.delivered = 4.0, 6.0, 8.0
    deliver(w, order)
    # A unit costs 100: 10 are paid, 60 come from the lender, 30 from the operator.
    assert (lender.cash, lender.committed, lender.book) == pytest.approx((4400.0, 100.0, 600.0))
    assert (op.cash, op.committed, op.debt) == pytest.approx((700.0, 100.0, 600.0))
    assert (w.book[Flow.LOAN_DRAW], w.book[Flow.VENDOR_DELIVERY]) == pytest.approx((600.0, 900.0))
    assert (chip.added, chip.stock) == pytest.approx((14.0, 16.0))
    assert clock.delivered == pytest.approx(8.0 + 10.0 * 3.0)
    assert op.used_power == 30.0
    (lot,) = lots_of(w, operator_node(w, 1))
    assert (lot.chip, lot.units, lot.cost, lot.vintage, lot.online, lot.loan) == (3, 10.0, 100.0, 5.0, 5, 0)
    assert (lot.contracted, lot.contract_price, lot.contract_end) == (0.0, 0.0, -1)
    # The loan's collateral: ten units at 0.75 x 100 + 0.25 x 80 = 95.
    assert (w.loans[0].principal, w.loans[0].collateral) == pytest.approx((600.0, 950.0))
    assert not events(w)


def test_the_share_of_new_capacity_that_is_let_under_contract_gets_the_discounted_spot_rent_for_the_term():
    w, order = ordered(contract_share=0.4)
    deliver(w, order)
    (lot,) = lots_of(w, operator_node(w, 1))
    assert (lot.contracted, lot.contract_price, lot.contract_end) == pytest.approx((0.4, 2.0 * 0.8, 5 + 30))
    assert (lot.signed, lot.signed_price, lot.signed_end) == pytest.approx((0.4, 2.0 * 0.8, 5 + 30))
    assert lot.customer == -1


@pytest.mark.parametrize(("main", "customer", "then"), [(60.0, 8, 60.0 + 12.0), (61.0, 3, 61.0)])
def test_new_capacity_is_let_to_the_main_customer_up_to_its_share_and_counts(main, customer, then):
    # Ten units of performance 3, 40 % of them: 12 performance units.
    w, order = ordered(contract_share=0.4, customer=8, second=3, signed=100.0, signed_main=main)
    deliver(w, order)
    (lot,) = lots_of(w, operator_node(w, 1))
    op = w.operators[1]
    assert (lot.customer, op.signed, op.signed_main) == (customer, pytest.approx(112.0), pytest.approx(then))


@pytest.mark.parametrize(
    ("lender", "lent"),
    [
        ({"cash": 600.0}, 60.0),  # just enough
        ({"cash": 200.0}, 20.0),  # it shares out what it has
        ({"status": LenderStatus.ILLIQUID}, 60.0),
        ({"status": LenderStatus.FAILED}, 0.0),
    ],
)
def test_what_the_lender_cannot_pay_falls_to_the_operator(lender, lent):
    w, order = ordered()
    for name, value in lender.items():
        setattr(w.lenders[2], name, value)
    before = w.lenders[2].cash
    deliver(w, order)
    assert w.operators[1].cash == pytest.approx(1000.0 - 10.0 * (90.0 - lent))
    assert w.operators[1].debt == w.lenders[2].book == pytest.approx(10.0 * lent)
    assert w.lenders[2].cash == pytest.approx(before - 10.0 * lent)
    assert w.book[Flow.VENDOR_DELIVERY] == pytest.approx(900.0)
    # What was committed is released, drawn or not: 10 x 60 and 10 x 30.
    assert (w.lenders[2].committed, w.operators[1].committed) == pytest.approx((100.0, 100.0))
    (lot,) = lots_of(w, operator_node(w, 1))
    assert lot.loan == (0 if lent > 0.0 else -1)


def test_an_order_without_a_loan_is_paid_by_the_operator_and_touches_no_lender():
    w, order = ordered(lender=-1, advance=0.0)
    w.lenders.committed[:] = 70.0
    deliver(w, order)
    assert w.operators[1].cash == pytest.approx(1000.0 - 10.0 * 90.0)
    assert w.operators[1].debt == 0.0
    assert list(w.lenders.committed) == [70.0, 70.0, 70.0, 70.0]
    (lot,) = lots_of(w, operator_node(w, 1))
    assert lot.loan == -1


def test_a_lender_pays_no_more_than_the_balance():
    # 95 of 100 are committed, but 10 are paid already.
    w, order = ordered(advance=95.0, cash=3.0)
    deliver(w, order)
    assert (w.operators[1].debt, w.lenders[2].cash) == pytest.approx((900.0, 4100.0))
    assert w.operators[1].cash == pytest.approx(3.0)
    # Nothing was due from the operator, so that nothing that it has committed elsewhere ends.
    assert w.operators[1].committed == 400.0


def test_commitments_do_not_fall_below_zero():
    w, order = ordered(committed=299.0)
    w.lenders[2].committed = 599.0
    deliver(w, order)
    assert (w.lenders[2].committed, w.operators[1].committed) == (0.0, 0.0)


@pytest.mark.parametrize(("cash", "units"), [(240.0, 8.0), (15.0, 0.5)])
def test_units_that_the_operator_cannot_pay_for_are_neither_delivered_nor_financed(cash, units):
    w, order = ordered(cash=cash)
    deliver(w, order)
    # Each takes 30 USD of its own and 60 USD of the lender's.
    assert (w.operators[1].cash, w.operators[1].debt) == pytest.approx((0.0, 60.0 * units))
    assert w.book[Flow.VENDOR_DELIVERY] == pytest.approx(90.0 * units)
    assert w.chips[3].stock == pytest.approx(units)
    assert w.clock[0].cancelled == pytest.approx(100.0 * (10.0 - units))
    # All of the commitment is over all the same.
    assert (w.lenders[2].committed, w.operators[1].committed) == pytest.approx((100.0, 100.0))
    (lot,) = lots_of(w, operator_node(w, 1))
    assert lot.units == pytest.approx(units)
    assert w.loans[0].collateral == pytest.approx(units * 95.0)


def test_a_lender_keeps_its_word_for_an_order_of_half_a_unit():
    w, order = ordered(units=0.5)
    deliver(w, order)
    assert w.operators[1].debt == pytest.approx(30.0)


def test_an_operator_without_cash_gets_nothing():
    w, order = ordered(cash=0.0)
    deliver(w, order)
    assert lots_of(w, operator_node(w, 1)) == []
    assert (w.operators[1].debt, w.chips[3].added, w.clock[0].delivered) == (0.0, 0.0, 0.0)
    assert w.clock[0].cancelled == pytest.approx(1000.0)
    assert (w.lenders[2].committed, w.operators[1].committed) == pytest.approx((100.0, 100.0))


@pytest.mark.parametrize(("units", "loan"), [(8.0, -1), (16.0, 0)])
def test_a_loan_of_a_dollar_is_not_opened(units, loan):
    # 8 x 0.125 = 1 USD, 16 x 0.125 = 2 USD.
    w, order = ordered(units=units, advance=0.125, cash=9000.0)
    w.terms[0].credit_deposit = 0.5
    # A dollar that nobody lends is not paid either.
    deliver(w, order)
    assert w.book[Flow.VENDOR_DELIVERY] == pytest.approx(units * (50.0 - 0.125) + (2.0 if loan == 0 else 0.0))
    (lot,) = lots_of(w, operator_node(w, 1))
    assert lot.loan == loan
    assert w.operators[1].debt == pytest.approx(2.0 if loan == 0 else 0.0)


@pytest.mark.parametrize(("column", "fault"), [("free_loan", Fault.LOANS_FULL), ("free_lot", Fault.LOTS_FULL)])
def test_a_full_table_stops_the_run_without_a_lot(column, fault):
    w, order = ordered(contract_share=0.4)
    setattr(w.clock[0], column, -1)
    deliver_order(order, w, w.clock[0])
    assert w.clock[0].fault == fault
    assert lots_of(w, operator_node(w, 1)) == []
    assert not w.lots.contracted.any()


# --- the list of orders ----------------------------------------------------------------------------------------
def test_orders_are_delivered_when_due_and_their_rows_given_back():
    w, first = ordered(cash=9000.0)
    later = w.orders[commit(w, due=6, units=1.0)]
    gone = w.orders[commit(w, operator=-1, units=2.0)]
    overdue = w.orders[commit(w, due=4, units=20.0, operator=0, lender=0)]
    w.operators[0].cash = w.lenders[0].cash = 9000.0
    deliver_orders(w, w.clock[0])
    assert [lot.units for lot in lots_of(w, operator_node(w, 1))] == [10.0]
    assert [lot.units for lot in lots_of(w, operator_node(w, 0))] == [20.0]
    assert [float(op.debt) for op in w.operators] == pytest.approx([20.0 * 60.0, 10.0 * 60.0])
    assert [o.operator for o in (first, later, gone, overdue)] == [-1, 1, -1, -1]
    # Rows 3 and 0 head the list of free rows; row 2, free before, is not given back twice; row 4 was its head.
    assert (w.clock[0].free_order, overdue.following, first.following) == (3, 0, 4)


def test_an_order_of_an_operator_in_default_is_not_delivered_but_its_row_given_back():
    w, order = ordered(status=OperatorStatus.DEFAULTED)
    deliver_orders(w, w.clock[0])
    assert lots_of(w, operator_node(w, 1)) == []
    assert (w.operators[1].cash, w.lenders[2].cash) == (1000.0, 5000.0)
    assert (order.operator, w.clock[0].free_order) == (-1, 0)
