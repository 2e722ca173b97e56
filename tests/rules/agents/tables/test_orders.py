"""Rows of purchase commitments: taken from the free list, given back to it."""

from __future__ import annotations

import pytest

from agents.tables.clock import Fault
from agents.tables.orders import balance_due, close_order, open_order
from tests.rules.worlds import small_world


@pytest.mark.parametrize(
    ("advance", "deposit", "due"),
    [(0.0, 0.0, 200.0), (0.0, 0.1, 180.0), (120.0, 0.1, 60.0), (180.0, 0.1, 0.0), (190.0, 0.1, 0.0)],
)
def test_a_unit_still_costs_what_deposit_and_advance_leave_and_nothing_when_they_cover_it(advance, deposit, due):
    assert balance_due(200.0, advance, deposit) == pytest.approx(due)


def test_a_commitment_takes_the_first_free_row_and_says_who_what_and_when():
    w = small_world(chips=2)
    clock = w.clock[0]
    assert open_order(w.orders, clock, 0, 1, 30.0, 1300.0, 9) == 0
    order = w.orders[0]
    assert (order.operator, order.chip, order.units, order.cost, order.due) == (0, 1, 30.0, 1300.0, 9)
    assert (clock.free_order, clock.used_orders) == (1, 1)


def test_nobody_has_committed_a_loan_to_a_new_commitment_whatever_the_row_held_before():
    w = small_world()
    w.orders[0].lender, w.orders[0].advance, w.orders[0].rate, w.orders[0].life = 3, 700.0, 0.2, 60.0
    open_order(w.orders, w.clock[0], 0, 0, 30.0, 1300.0, 9)
    order = w.orders[0]
    assert (order.lender, order.advance, order.rate, order.life) == (-1, 0.0, 0.0, 1.0)


def test_rows_given_back_are_taken_again_last_one_first_and_used_rows_do_not_shrink():
    w = small_world()
    clock = w.clock[0]
    for units in (10.0, 20.0, 30.0):
        open_order(w.orders, clock, 0, 0, units, 1000.0, 4)
    close_order(w.orders, clock, 0)
    close_order(w.orders, clock, 1)
    assert [int(order.operator) for order in w.orders[:3]] == [-1, -1, 0]
    assert (clock.free_order, w.orders[1].following, w.orders[0].following, clock.used_orders) == (1, 0, 3, 3)
    assert open_order(w.orders, clock, 0, 0, 40.0, 1000.0, 5) == 1
    assert clock.used_orders == 3
    assert w.orders[2].units == 30.0


def test_a_full_table_stops_the_run_and_takes_nothing():
    w = small_world()
    clock = w.clock[0]
    clock.free_order, clock.used_orders = -1, 7
    assert open_order(w.orders, clock, 0, 0, 10.0, 1000.0, 4) == -1
    assert (clock.fault, clock.fault_node, clock.fault_usd) == (Fault.ORDERS_FULL, 7, 0.0)
    assert w.orders[0].operator == -1
