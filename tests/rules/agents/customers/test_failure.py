"""When a customer fails, to whom its operators turn, and what they lose."""

from __future__ import annotations

import math

import pytest

from agents.customers.failure import fail_customers, leave_operator, meet_others, wear_down
from agents.tables.customers import CustomerStatus
from agents.tables.events import Cause, EventKind, log_event
from tests.rules.worlds import add_lot, customer_node, events, operator_node, put, small_world

MONTH = 7


# --- the clock of a customer -----------------------------------------------------------------------------------
@pytest.mark.parametrize(("stress", "probability"), [(0, 0.1), (1, 0.5)])
def test_the_hazard_of_the_month_is_added(stress, probability):
    w = small_world(customers=1)
    clock = put(w.clock[0], month=MONTH, stress_demand=stress, customers_failed=4)
    customer = put(w.customers[0], hazard_calm=0.1, hazard_stress=0.5, threshold=0.99, stress=2.0)
    wear_down(customer, clock)
    assert customer.stress == pytest.approx(2.0 - math.log(1.0 - probability))
    assert (customer.status, customer.failed_month, clock.customers_failed) == (CustomerStatus.ACTIVE, -1, 4)


@pytest.mark.parametrize(
    ("threshold", "before", "failed"),
    [
        (0.0999, 0.0, True),  # after a month at 0.1 it has failed with probability 0.1
        (0.1001, 0.0, False),
        (0.1899, -math.log(0.9), True),  # after two: 1 - 0.9 x 0.9
        (0.1901, -math.log(0.9), False),
    ],
)
def test_a_customer_fails_when_its_probability_of_having_failed_passes_its_draw(threshold, before, failed):
    w = small_world(customers=1)
    put(w.clock[0], month=MONTH, customers_failed=4)
    customer = put(w.customers[0], hazard_calm=0.1, threshold=threshold, stress=before)
    wear_down(customer, w.clock[0])
    assert customer.status == (CustomerStatus.FAILED if failed else CustomerStatus.ACTIVE)
    assert customer.failed_month == (MONTH if failed else -1)
    assert w.clock[0].customers_failed == (5 if failed else 4)


def test_without_a_hazard_nobody_fails_whatever_the_draw():
    w = small_world(customers=1)
    wear_down(w.customers[0], w.clock[0])
    assert (w.customers[0].status, w.customers[0].stress) == (CustomerStatus.ACTIVE, 0.0)


# --- to whom operators turn ------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("met", "then", "tally"),
    [
        ((2, 0), (0, 3), (0.0, 0.0)),  # the second becomes the main one, the next alive behind row 2 the second
        ((1, 2), (1, 3), (9.0, 6.0)),  # only the second is replaced
        ((3, 2), (3, 0), (9.0, 6.0)),  # not by the main one: the circle goes on
        ((1, 0), (1, 0), (9.0, 6.0)),  # not concerned
    ],
)
def test_the_second_customer_takes_the_place_of_a_failed_main_one(met, then, tally):
    w = small_world(customers=4)
    w.customers[2].status = CustomerStatus.FAILED
    op = put(w.operators[0], customer=met[0], second=met[1], signed=9.0, signed_main=6.0)
    meet_others(op, w.customers, 2)
    assert (op.customer, op.second) == then
    assert (op.signed, op.signed_main) == tally


def test_an_operator_whose_only_customer_fails_has_none():
    w = small_world(customers=1)
    w.customers[0].status = CustomerStatus.FAILED
    op = put(w.operators[0], customer=0, second=-1)
    meet_others(op, w.customers, 0)
    assert (op.customer, op.second) == (-1, -1)


# --- what they lose --------------------------------------------------------------------------------------------
def contracts(operators: int = 2, **customers: float):
    """Customer 2 has contracts at 4 USD, spot is 2.5. Others renew half at 2.5 x 0.8; 100 hours, performance 1."""
    w = small_world(
        operators=operators,
        customers=4,
        terms={
            "rental_hours": 100.0,
            "rental_contract_discount": 0.8,
            "rental_contract_term": 30,
            "customers_alternatives": 0.0,
            "customers_credit_feedback": 0.0,
            "customers_concentration": 0.6,
        },
    )
    put(w.clock[0], month=MONTH, rent=2.5, contract_lost=11.0)
    w.customers.renewal[:] = 0.5
    w.customers.threshold[:] = 0.5
    for op in w.operators:
        put(op, customer=0, second=1, lost=5.0, lost_event=-1, last_event=-1)
    return w


def let(w, o: int, **columns: float):
    kept = {"contracted": 0.5, "contract_price": 4.0, "contract_end": 20, "customer": 2}
    return w.lots[
        add_lot(w, node=operator_node(w, o), **kept | {"signed": 0.5, "signed_price": 4.0, "signed_end": 20} | columns)
    ]


def test_contracts_with_the_failed_customer_end_and_others_take_part_of_them():
    w = contracts()
    first, second = let(w, 1), let(w, 1, units=30.0, contracted=0.2)
    others = [let(w, 1, customer=0), let(w, 0), let(w, 1, contracted=0.0)]
    event = log_event(w.events, w.clock[0], EventKind.CUSTOMER_FAILED, 0, customer_node(w, 2), -1, -1, 0.0, 0.0, -1)
    put(w.events[event], units=100.0, usd=1000.0)
    leave_operator(w, w.clock[0], 1, 2, event, 1.0)
    # The second lot is met first: the main customer takes it (3 performance units), then the other one the first lot.
    assert [(lot.customer, lot.contracted, lot.contract_price, lot.contract_end) for lot in (second, first)] == [
        (0, pytest.approx(0.1), 2.0, MONTH + 30), (1, pytest.approx(0.25), 2.0, MONTH + 30),
    ]  # fmt: skip
    assert [(lot.customer, lot.contracted) for lot in others] == [(0, 0.5), (2, 0.5), (2, 0.0)]
    # It paid 100 x 10 x 0.5 x 4 and 100 x 30 x 0.2 x 4; 100 x 10 x 0.25 x 2 and 100 x 30 x 0.1 x 2 are let again.
    had, again = 2000.0 + 2400.0, 500.0 + 600.0
    failed, ended = events(w)
    assert (failed.units, failed.usd) == pytest.approx((100.0 + 5.0 + 6.0, 1000.0 + had))
    assert (ended.kind, ended.cause, ended.node, ended.other, ended.chip, ended.parent) == (
        EventKind.CONTRACT_ENDED, Cause.CUSTOMER_FAILURE, operator_node(w, 1), customer_node(w, 2), -1, event,
    )  # fmt: skip
    assert (ended.units, ended.usd) == pytest.approx((11.0, had - again))
    op = w.operators[1]
    assert (op.lost, op.lost_event, op.last_event) == (pytest.approx(5.0 + had - again), event + 1, event + 1)
    assert w.clock[0].contract_lost == pytest.approx(11.0 + had - again)


def test_an_operator_without_such_a_contract_loses_nothing():
    w = contracts()
    let(w, 0, customer=1)
    let(w, 0, contracted=0.0)
    event = log_event(w.events, w.clock[0], EventKind.CUSTOMER_FAILED, 0, customer_node(w, 2), -1, -1, 0.0, 0.0, -1)
    leave_operator(w, w.clock[0], 0, 2, event, 1.0)
    assert len(events(w)) == 1
    op = w.operators[0]
    assert (op.lost, op.lost_event, op.last_event, w.clock[0].contract_lost) == (5.0, -1, -1, 11.0)


def test_a_small_contract_is_told_too():
    w = contracts()
    let(w, 0, units=1.0, contracted=0.125)
    event = log_event(w.events, w.clock[0], EventKind.CUSTOMER_FAILED, 0, customer_node(w, 2), -1, -1, 0.0, 0.0, -1)
    leave_operator(w, w.clock[0], 0, 2, event, 1.0)
    assert events(w)[1].units == 0.125


# --- the month -------------------------------------------------------------------------------------------------
def told(w) -> list[tuple[int, int, int]]:
    return [(e.kind, e.node, e.parent) for e in events(w)]


def test_in_a_calm_month_customers_age_and_nothing_happens():
    w = contracts()
    w.customers.hazard_calm[:] = 0.1
    lot = let(w, 0)
    w.customers[3].failed_month = MONTH  # read only in months with failures
    fail_customers(w, w.clock[0])
    assert w.customers.stress.tolist() == pytest.approx([-math.log(0.9)] * 4)
    assert (lot.customer, lot.contracted, told(w)) == (2, 0.5, [])


def test_a_failure_is_told_with_what_follows_from_it():
    w = contracts()
    w.customers.hazard_calm[2] = 0.9
    lots = [let(w, 0), let(w, 1)]
    w.operators[1].customer, w.operators[1].second = 2, 3
    fail_customers(w, w.clock[0])
    customer = w.customers[2]
    assert (customer.status, customer.failed_month, customer.last_event) == (CustomerStatus.FAILED, MONTH, 0)
    assert told(w) == [
        (EventKind.CUSTOMER_FAILED, customer_node(w, 2), -1),
        (EventKind.CONTRACT_ENDED, operator_node(w, 0), 0),
        (EventKind.CONTRACT_ENDED, operator_node(w, 1), 0),
    ]
    failed = events(w)[0]
    assert (failed.cause, failed.other, failed.chip, failed.units) == (Cause.NONE, -1, -1, 10.0)
    assert failed.usd == pytest.approx(2 * 2000.0)
    assert [lot.customer for lot in lots] == [0, 3]
    assert (w.operators[1].customer, w.operators[1].second) == (3, 0)
    assert w.clock[0].customers_failed == 1


def test_who_failed_before_neither_ages_nor_fails_again():
    w = contracts()
    put(w.customers[2], status=CustomerStatus.FAILED, failed_month=MONTH - 1, hazard_calm=0.9)
    w.customers.hazard_calm[0] = 0.9
    lot = let(w, 0, customer=1)
    fail_customers(w, w.clock[0])
    assert told(w) == [(EventKind.CUSTOMER_FAILED, customer_node(w, 0), -1)]
    assert (w.customers[2].stress, w.customers[2].last_event, lot.customer) == (0.0, -1, 1)


@pytest.mark.parametrize("falling", [(0, 1), (1, 2), (0, 1, 2)])
def test_nobody_turns_to_a_customer_that_fails_in_the_same_month(falling):
    w = contracts()
    w.customers.hazard_calm[list(falling)] = 0.9
    lots = [let(w, 0, customer=c) for c in (0, 1, 2)]
    fail_customers(w, w.clock[0])
    assert all(w.customers[lot.customer].status == CustomerStatus.ACTIVE for lot in lots)
    assert [e.kind for e in events(w)] == [EventKind.CUSTOMER_FAILED, EventKind.CONTRACT_ENDED] * len(falling)


def test_the_mood_of_credit_is_that_of_the_months_before():
    w = contracts()
    w.terms[0].customers_credit_feedback = 1.0
    w.customers.kind[:] = 1
    w.customers.hazard_calm[2] = 0.9
    w.panel.new_commitments[:MONTH] = 4.0, 4.0, 4.0, 4.0, 1.0, 1.0, 1.0
    lot = let(w, 0)
    fail_customers(w, w.clock[0])
    # One against the mean of seven, 19/7.
    assert lot.contracted == pytest.approx(0.5 * 0.5 * 7.0 / 19.0)
