"""The verbs of a lot: open, let, link to its owner, offer, close, receive."""

from __future__ import annotations

import numpy as np
import pytest

from agents.tables.clock import Fault
from agents.tables.events import SaleReason
from agents.tables.lots import (
    LOT,
    close_lot,
    is_free,
    leave_lot,
    let_lot,
    link_lot,
    open_lot,
    receive_units,
    sign_lot,
    unlink_lot,
    void_contract,
    withdraw_offer,
)
from tests.rules.worlds import add_lot, operator_node, put, small_world


def columns(row):
    return {name: row[name] for name in row.dtype.names}


def list_of(w, node):
    """Return the lots of a node from the head of its list to the end; each must point back at the one before."""
    found, k, before = [], w.first_lot[node], -1
    while k >= 0:
        assert (w.lots[k].owner, w.lots[k].preceding) == (node, before)
        found.append(int(k))
        k, before = w.lots[k].following, k
    return found


def three_lots():
    """Operator 0 owns lots 0, 1 and 2, the last one at the head; operator 1 owns lot 3."""
    w = small_world(operators=2, chips=2)
    a, b = operator_node(w, 0), operator_node(w, 1)
    for node in (a, a, a, b):
        add_lot(w, node=node)
    return w, a, b


def test_a_new_lot_keeps_nothing_of_what_its_row_held_before():
    w = small_world(chips=3)
    clock, node = w.clock[0], operator_node(w)
    for name in LOT.dtype.names:
        if name != "following":
            w.lots[0][name] = 77
    assert open_lot(w.lots, w.first_lot, clock, node, 2, 40.0, 3.5, 6, 1500.0, 8) == 0
    expected = columns(LOT.empty(1)[0]) | {
        "owner": node, "chip": 2, "units": 40.0, "vintage": 3.5, "online": 6, "cost": 1500.0, "loan": 8,
        "contract_end": -1, "customer": -1, "signed_end": -1, "reason": SaleReason.CHURN, "following": -1,
    }  # fmt: skip
    assert columns(w.lots[0]) == expected
    assert w.first_lot[node] == 0
    assert (clock.free_lot, clock.used_lots) == (1, 1)


def test_lots_take_the_free_rows_in_turn_and_a_row_given_back_is_used_first():
    w, a, b = three_lots()
    clock = w.clock[0]
    assert (list_of(w, a), list_of(w, b)) == ([2, 1, 0], [3])
    close_lot(w.lots, w.first_lot, clock, 1)
    assert (clock.free_lot, clock.used_lots) == (1, 4)
    assert add_lot(w, node=b) == 1
    assert (clock.free_lot, clock.used_lots) == (4, 4)
    assert add_lot(w, node=b) == 4
    assert (clock.free_lot, clock.used_lots) == (5, 5)
    assert (list_of(w, a), list_of(w, b)) == ([2, 0], [4, 1, 3])


def test_a_full_table_stops_the_run():
    w = small_world()
    clock = w.clock[0]
    clock.free_lot, clock.used_lots, clock.fault_usd = -1, 6, 77.0
    assert open_lot(w.lots, w.first_lot, clock, operator_node(w), 0, 5.0, 0.0, 0, 9.0, -1) == -1
    assert (clock.fault, clock.fault_node, clock.fault_usd) == (Fault.LOTS_FULL, 6, 0.0)
    assert (clock.free_lot, clock.used_lots) == (-1, 6)
    assert set(w.first_lot) == set(w.lots.owner) == {-1}
    assert set(w.lots.units) == {0.0}


def test_a_closed_lot_is_nobodys_secures_nothing_and_offers_nothing():
    w, a, b = three_lots()
    w.lots[1].loan, w.lots[1].offered = 4, 3.0
    close_lot(w.lots, w.first_lot, w.clock[0], 1)
    lot = w.lots[1]
    assert (lot.owner, lot.units, lot.loan, lot.offered) == (-1, 0.0, -1, 0.0)
    assert (lot.following, w.clock[0].free_lot) == (4, 1)
    assert (list_of(w, a), list_of(w, b)) == ([2, 0], [3])
    assert w.lots[0].units == 10.0


def test_a_lot_withdrawn_is_not_for_sale_and_asks_nothing():
    w, *_ = three_lots()
    for lot in (w.lots[0], w.lots[1]):
        lot.offered, lot.reserve, lot.reason, lot.asked = 4.0, 500.0, SaleReason.ESTATE, 2
        lot.deadline, lot.hurry = 6, 3
    withdraw_offer(w.lots[0])
    asked = ("offered", "reserve", "reason", "asked", "deadline", "hurry", "units")
    assert [w.lots[0][name] for name in asked] == [0.0, 0.0, SaleReason.CHURN, -1, -1, 0, 10.0]
    assert [w.lots[1][name] for name in asked] == [4.0, 500.0, SaleReason.ESTATE, 2, 6, 3, 10.0]


@pytest.mark.parametrize(("k", "left"), [(2, [1, 0]), (1, [2, 0]), (0, [2, 1])])
def test_a_lot_leaves_its_owners_list_and_the_others_close_up(k, left):
    w, a, b = three_lots()
    unlink_lot(w.lots, w.first_lot, k)
    assert w.lots[k].owner == -1
    assert (list_of(w, a), list_of(w, b)) == (left, [3])


def test_the_last_lot_of_an_owner_leaves_an_empty_list():
    w, a, b = three_lots()
    unlink_lot(w.lots, w.first_lot, 3)
    assert (list_of(w, a), list_of(w, b)) == ([2, 1, 0], [])


def test_a_lot_handed_over_stands_at_the_head_of_the_new_owners_list():
    w, a, b = three_lots()
    unlink_lot(w.lots, w.first_lot, 1)
    link_lot(w.lots, w.first_lot, 1, b)
    assert (list_of(w, a), list_of(w, b)) == ([2, 0], [1, 3])
    unlink_lot(w.lots, w.first_lot, 0)
    link_lot(w.lots, w.first_lot, 0, b)
    assert (list_of(w, a), list_of(w, b)) == ([2], [0, 1, 3])
    # Row 0 is a head and a neighbour like any other.
    unlink_lot(w.lots, w.first_lot, 2)
    link_lot(w.lots, w.first_lot, 2, b)
    assert (list_of(w, a), list_of(w, b)) == ([], [2, 0, 1, 3])
    unlink_lot(w.lots, w.first_lot, 1)
    assert list_of(w, b) == [2, 0, 3]


def test_the_end_of_a_list_is_no_row():
    w, a, b = three_lots()
    w.lots[-1].preceding = 77  # what -1 would be taken for
    unlink_lot(w.lots, w.first_lot, 0)
    unlink_lot(w.lots, w.first_lot, 3)
    link_lot(w.lots, w.first_lot, 0, b)
    assert (list_of(w, a), list_of(w, b)) == ([2, 1], [0])
    assert w.lots[-1].preceding == 77


# --- contracts -------------------------------------------------------------------------------------------------
LET = {"customer": 3, "contracted": 0.4, "contract_price": 2.0, "contract_end": 30}
SIGNED = {"signed": 0.6, "signed_price": 4.0, "signed_end": 20}


def let() -> np.record:
    return put(LOT.empty(1)[0], **LET, **SIGNED)


def of(lot, names) -> dict:
    return {name: lot[name] for name in names}


def test_what_is_signed_is_what_is_let():
    lot = let()
    sign_lot(lot, 5, 0.7, 3.0, 44)
    assert of(lot, LET) == {"customer": 5, "contracted": 0.7, "contract_price": 3.0, "contract_end": 44}
    assert of(lot, SIGNED) == {"signed": 0.7, "signed_price": 3.0, "signed_end": 44}


def test_a_contract_in_the_place_of_another_leaves_what_was_signed():
    lot = let()
    let_lot(lot, 5, 0.7, 3.0, 44)
    assert of(lot, LET) == {"customer": 5, "contracted": 0.7, "contract_price": 3.0, "contract_end": 44}
    assert of(lot, SIGNED) == SIGNED


@pytest.mark.parametrize(("over", "signed"), [(False, 0.6), (True, 0.0)])
def test_a_lot_without_its_customer_has_no_contract_and_what_was_signed_stands_unless_it_is_over(over, signed):
    lot = let()
    if over:
        void_contract(lot)
    else:
        leave_lot(lot)
    assert of(lot, LET) == LET | {"customer": -1, "contracted": 0.0}
    assert of(lot, SIGNED) == SIGNED | {"signed": signed}


@pytest.mark.parametrize("columns", [{}, {"loan": 0}, {"contracted": 0.1}, {"signed": 0.1}, {"offered": 1.0}])
def test_a_lot_is_free_without_loan_contract_and_offer(columns):
    assert bool(is_free(put(LOT.empty(1)[0], **columns))) == (not columns)


def bought(w, node, units=30.0, vintage=8.0, cost=500.0, chip=0, online=2):
    return receive_units(w.lots, w.first_lot, w.clock[0], node, chip, units, vintage, online, cost)


def test_units_of_one_month_are_merged_at_their_mean_age_and_cost():
    w = small_world(chips=2)
    node = operator_node(w)
    k = add_lot(w, node=node, units=10.0, cost=900.0, vintage=4.0, online=2)
    assert bought(w, node) == k == 0
    lot = w.lots[k]
    assert lot.units == 40.0
    assert lot.vintage == pytest.approx((10.0 * 4.0 + 30.0 * 8.0) / 40.0)
    assert lot.cost == pytest.approx((10.0 * 900.0 + 30.0 * 500.0) / 40.0)
    assert list_of(w, node) == [0]


@pytest.mark.parametrize(
    "other",
    [{"chip": 1}, {"loan": 0}, {"online": 1}, {"online": 3}, {"offered": 0.5}, {"contracted": 0.5}, {"signed": 0.5}],
)
def test_units_do_not_join_a_lot_of_other_kind_month_or_duty(other):
    w = small_world(chips=2)
    node = operator_node(w)
    k = add_lot(w, node=node, units=10.0, cost=900.0, **{"vintage": 4.0, "online": 2, **other})
    new = bought(w, node)
    assert new == 1
    assert (w.lots[k].units, w.lots[k].cost, w.lots[k].vintage) == (10.0, 900.0, 4.0)
    lot = w.lots[new]
    assert (lot.owner, lot.chip, lot.units, lot.vintage, lot.online, lot.cost, lot.loan) == (
        node, 0, 30.0, 8.0, 2, 500.0, -1,
    )  # fmt: skip
    assert list_of(w, node) == [1, 0]


def test_units_find_the_lot_to_join_behind_others_of_the_owner():
    w = small_world(operators=2, chips=2)
    node, other = operator_node(w, 0), operator_node(w, 1)
    add_lot(w, node=other, online=2)
    wanted = add_lot(w, node=node, units=10.0, chip=1, online=2)
    add_lot(w, node=node, chip=1, online=2, loan=5)
    add_lot(w, node=node, chip=0, online=2)
    assert bought(w, node, chip=1) == wanted
    assert [lot.units for lot in w.lots[:4]] == [10.0, 40.0, 10.0, 10.0]


def test_an_owner_without_lots_gets_its_first():
    w = small_world(operators=2)
    add_lot(w, node=operator_node(w, 0), online=2)
    k = bought(w, operator_node(w, 1))
    assert list_of(w, operator_node(w, 1)) == [k]
    assert w.lots[k].units == 30.0
