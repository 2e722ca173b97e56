"""The vendor's backstop: which hours it pays for, at what rent, up to what sum."""

from __future__ import annotations

import pytest

from agents.tables.ledger import Flow
from agents.tables.operators import OperatorStatus
from simulation.markets.vendor import idle_claim, is_open, list_claims, pay_idle_hours
from tests.rules.worlds import BEFORE, add_lot, booked, buyer_node, operator_node, paid_in_full, put, small_world

#: 100 hours; a vendor that covers half of what is not under contract, at half of the spot rent of its first month.
TERMS = {
    "rental_hours": 100.0, "rental_overhead": 0.2, "vendor_capacity": 1e6, "vendor_price": 0.5, "vendor_share": 0.5,
    "vendor_first": 10, "vendor_last": 20,
}  # fmt: skip


def market(*, operators: int = 1, rent: float = 2.0, **clock: float):
    """Month 12: a unit has performance 2 and draws 3 kW at 40 USD, so that it idles below a spot rent of 1.5.

    (120 USD of hosting over 100 x 2 x 0.5 used hours, 0.8 of which are left after overhead.) The vendor signed at 6.
    """
    w = small_world(operators=operators, buyers=1, terms=TERMS)
    put(w.clock[0], month=12, rent=rent, vendor_rent=6.0, **clock)
    put(w.chips[0], performance=2.0, power=3.0)
    for op in w.operators:
        put(op, utilisation=0.5, hosting=40.0, cash=1000.0, revenue=50.0, income=30.0)
    return w


def claim(w, lot):
    return idle_claim(lot, w.chips[0], w.operators[0], w.clock[0], w.terms[0])


# --- when ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("month", "called", "opened"),
    [(9, 0.0, False), (10, 0.0, True), (20, 0.0, True), (21, 0.0, False), (12, 1e6 - 1, True), (12, 1e6, False)],
)
def test_the_vendor_pays_within_its_months_until_its_capacity_is_spent(month, called, opened):
    w = market(backstop_called=called)
    w.clock[0].month = month
    assert bool(is_open(w.clock[0], w.terms[0])) == opened


@pytest.mark.parametrize("terms", [{"vendor_capacity": 0.0}, {"vendor_first": 13}])
def test_a_vendor_that_does_not_pay_changes_nothing(terms):
    w = market()
    put(w.terms[0], **terms)
    put(w.clock[0], vendor_rent=0.0)
    add_lot(w, node=operator_node(w))
    before = [array.copy() for array in w]
    pay_idle_hours(w, w.clock[0])
    assert all((a == b).all() for a, b in zip(before, w, strict=True))


# --- what it owes ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("rent", "contracted", "owed", "hosting"),
    [
        # 100 h x 2 x 10 units, half covered, at 0.5 x 6 USD: 3,000 a month.
        (2.0, 0.0, 1500.0, 0.0),  # it runs: the half that is used is sold at spot
        (1.5, 0.0, 1500.0, 0.0),
        (1.49, 0.0, 3000.0, 5 * 3 * 40.0),  # it idles: the covered half runs for the vendor, with its power
        (1.49, 0.25, 2250.0, 450.0),  # contracts are none of its business
        (2.0, 0.25, 1125.0, 0.0),
        (2.0, 1.0, 0.0, 0.0),
    ],
)
def test_the_vendor_owes_the_hours_of_the_covered_part_that_are_not_sold(rent, contracted, owed, hosting):
    w = market(rent=rent)
    lot = w.lots[add_lot(w, node=operator_node(w), contracted=contracted)]
    assert claim(w, lot) == pytest.approx((owed, hosting))


def test_of_a_lot_that_runs_in_part_the_rest_runs_for_the_vendor():
    w = market(rent=1.5, marginal_share=0.6)
    lot = w.lots[add_lot(w, node=operator_node(w))]
    assert claim(w, lot) == pytest.approx((0.6 * 1500.0 + 0.4 * 3000.0, 0.4 * 600.0))
    w.terms[0].vendor_price = 0.05  # too little for the power of what is idle
    assert claim(w, lot) == pytest.approx((0.6 * 150.0, 0.0))


@pytest.mark.parametrize(("price", "runs"), [(0.25, True), (0.24, False)])
def test_idle_chips_run_for_the_vendor_if_it_pays_for_their_power(price, runs):
    # Hosting of the covered half is 600 USD; 0.8 x 1,000 h x 6 x price covers it from 0.125 on at 40 USD, 0.25 at 80.
    w = market(rent=1.0)
    w.terms[0].vendor_price = price
    w.operators[0].hosting = 80.0
    lot = w.lots[add_lot(w, node=operator_node(w))]
    assert claim(w, lot) == (pytest.approx((1000 * 6 * price, 1200.0)) if runs else (0.0, 0.0))


def test_claims_add_up_by_operator_whatever_stood_there():
    w = market(operators=2, rent=1.0)
    put(w.operators[1], utilisation=0.9, hosting=10.0)  # runs from 30/(100 x 2 x 0.9 x 0.8) = 0.21 on
    for o in (0, 0, 1):
        add_lot(w, node=operator_node(w, o))
    owed, hosting = [7.0, 7.0], [7.0, 7.0]
    assert list_claims(w, w.clock[0], owed, hosting) == pytest.approx(6000.0 + 300.0)
    assert owed == pytest.approx([6000.0, 300.0])
    assert hosting == pytest.approx([1200.0, 0.0])


def test_estates_chips_on_their_way_and_others_owners_are_not_covered():
    w = market(operators=2)
    w.operators[1].status = OperatorStatus.DEFAULTED
    for node in (0, 1, buyer_node(w, 0), operator_node(w, 1)):
        add_lot(w, node=node)
    w.lots[add_lot(w, node=operator_node(w))].owner = -1
    add_lot(w, node=operator_node(w), online=13)
    assert list_claims(w, w.clock[0], [0.0, 0.0], [0.0, 0.0]) == 0.0
    add_lot(w, node=operator_node(w), online=12)
    assert list_claims(w, w.clock[0], [0.0, 0.0], [0.0, 0.0]) == pytest.approx(1500.0)


# --- what it pays ----------------------------------------------------------------------------------------------
def test_operators_earn_rent_from_the_vendor_less_overhead_and_power():
    w = market(operators=2, rent=1.0, backstop_called=100.0)
    w.book[:] = BEFORE
    add_lot(w, node=operator_node(w, 0))
    add_lot(w, node=operator_node(w, 1), units=20.0)
    with paid_in_full(w):
        pay_idle_hours(w, w.clock[0])
    assert w.operators.revenue.tolist() == pytest.approx([50 + 3000.0, 50 + 6000.0])
    left = [3000 * 0.8 - 600, 6000 * 0.8 - 1200]
    assert w.operators.income.tolist() == pytest.approx([30 + x for x in left])
    assert w.operators.cash.tolist() == pytest.approx([1000 + x for x in left])
    assert booked(w) == pytest.approx(
        {Flow.VENDOR_BACKSTOP: 9000.0, Flow.OVERHEAD: 1800.0, Flow.HOSTING: 1800.0}
    )  # fmt: skip
    assert w.clock[0].backstop_called == pytest.approx(100.0 + 9000.0)


def test_what_is_left_of_the_capacity_is_shared_out_pro_rata():
    w = market(operators=2, rent=1.0, backstop_called=1e6 - 4500.0)
    add_lot(w, node=operator_node(w, 0))
    add_lot(w, node=operator_node(w, 1), units=20.0)
    with paid_in_full(w):
        pay_idle_hours(w, w.clock[0])
    assert w.operators.revenue.tolist() == pytest.approx([50 + 1500.0, 50 + 3000.0])
    assert w.operators.income.tolist() == pytest.approx([30 + 1500 * 0.8 - 300, 30 + 3000 * 0.8 - 600])
    assert w.clock[0].backstop_called == pytest.approx(1e6)


@pytest.mark.parametrize(("signed", "rent"), [(0.0, 2.0), (6.0, 6.0), (0.5, 0.5)])
def test_the_rent_is_that_of_the_first_month_in_which_the_vendor_pays(signed, rent):
    w = market(rent=2.0)
    w.clock[0].vendor_rent = signed
    add_lot(w, node=operator_node(w))
    pay_idle_hours(w, w.clock[0])
    assert w.clock[0].vendor_rent == rent
    assert w.clock[0].backstop_called == pytest.approx(1000 * 0.5 * 0.5 * rent)


def test_half_a_dollar_is_paid():
    w = market()
    add_lot(w, node=operator_node(w), units=1.0 / 300.0)
    pay_idle_hours(w, w.clock[0])
    assert w.clock[0].backstop_called == pytest.approx(0.5)


def test_where_nothing_is_idle_nothing_is_paid():
    w = market()
    add_lot(w, node=operator_node(w), contracted=1.0)
    with paid_in_full(w):
        pay_idle_hours(w, w.clock[0])
    assert (w.operators[0].cash, w.clock[0].backstop_called) == (1000.0, 0.0)
