"""When contracts with customers end, what is renewed, and when their price is renegotiated."""

from __future__ import annotations

import pytest

from agents.customers.contracts import cut_price, note_ended, renegotiate, settle_signed
from agents.tables.events import Cause, EventKind
from agents.tables.lots import LOT
from tests.rules.worlds import add_lot, events, operator_node, put, small_world

TERMS = {
    "rental_hours": 100.0, "rental_renegotiation": 0.5, "rental_renegotiation_gap": 0.2, "rental_contract_discount": 0.8,
    "rental_contract_term": 30, "customers_alternatives": 0.0, "customers_credit_feedback": 0.0,
}  # fmt: skip


def one_contract(*, rent: float = 2.0, month: int = 10, stress: int = 0, customers: int = 0, **lot: float):
    """Return a world in which 70 % of one lot is let at 4 USD an hour until month 20, at some spot rent."""
    w = small_world(operators=2, customers=customers, terms=TERMS)
    put(w.clock[0], month=month, rent=rent, stress_demand=stress)
    w.customers.renewal[:] = 0.5
    w.customers.renegotiation[:] = 1.0
    let = {"contracted": 0.7, "contract_price": 4.0, "contract_end": 20}
    k = add_lot(w, node=operator_node(w), **let | {"signed": 0.7, "signed_price": 4.5, "signed_end": 20} | lot)
    return w, w.lots[k]


# --- the price -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("rent", "stress", "price"),
    [
        (6.0, 0, 4.0),  # spot above the contract: nobody renegotiates
        (3.4, 0, 4.0),  # gap (4 - 3.4)/4 = 0.15 is tolerated
        (2.0, 0, 4.0 * (1 - 0.5 * (0.5 - 0.2))),  # gap 0.5, 0.3 above the tolerance: cut by half of that
        (2.0, 1, 4.0 * (1 - 1.0 * (0.5 - 0.2))),  # twice as fast in a demand stress
    ],
)
def test_customers_cut_a_price_too_far_above_spot_and_twice_as_fast_in_a_demand_stress(rent, stress, price):
    w, lot = one_contract(rent=rent, stress=stress)
    w.clock[0].contract_lost = 11.0
    renegotiate(w, w.clock[0])
    assert lot.contract_price == pytest.approx(price)
    assert (lot.contracted, lot.signed, lot.signed_price) == (0.7, 0.7, 4.5)
    # 100 hours x 10 units x 0.7 lose the difference.
    assert w.clock[0].contract_lost == pytest.approx(11.0 + 700.0 * (4.0 - price))
    assert not events(w)


def test_a_gap_of_just_the_tolerance_is_tolerated():
    w, lot = one_contract(rent=3.0)
    w.terms[0].rental_renegotiation_gap = 0.25
    assert cut_price(lot, w.chips[0], w.customers, w.clock[0], w.terms[0]) == 0.0
    assert lot.contract_price == 4.0


@pytest.mark.parametrize(
    ("customer", "price"),
    [
        (-1, 4.0 * (1 - 0.5 * 0.3)),  # nobody known: the scenario's speed
        (0, 4.0 * (1 - 0.5 * 0.6 * 0.3)),
        (1, 2.0),  # 4 x (1 - 0.5 x 9 x 0.3) would be less than nothing: not below spot
    ],
)
def test_each_customer_has_its_own_speed_and_none_gets_below_spot(customer, price):
    w, lot = one_contract(customers=2, customer=customer)
    w.customers.renegotiation[:] = 0.6, 9.0
    assert cut_price(lot, w.chips[0], w.customers, w.clock[0], w.terms[0]) == pytest.approx(700.0 * (4.0 - price))
    assert lot.contract_price == pytest.approx(price)


# --- the end ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("month", "seized", "contracted"),
    [(19, -1, 0.7), (20, -1, 0.0), (21, -1, 0.0), (10, 0, 0.0)],
)
def test_a_contract_with_nobody_known_ends_in_its_last_month_or_with_a_seizure_and_is_not_cut_any_more(
    month, seized, contracted
):
    w, lot = one_contract(month=month, seized=seized)
    renegotiate(w, w.clock[0])
    assert (lot.contracted, lot.signed) == (contracted, contracted)
    assert lot.contract_price == (4.0 if contracted == 0.0 else pytest.approx(3.4))
    assert not events(w)
    assert (w.operators[0].lost, w.clock[0].contract_ended) == (0.0, 0.0)


def test_each_lot_has_its_own_contract_and_a_lot_without_one_keeps_what_was_last_agreed():
    w, first = one_contract(contracted=0.0, signed=0.0)
    fair = w.lots[add_lot(w, node=operator_node(w), contracted=0.2, contract_price=2.2, contract_end=20)]
    over = w.lots[add_lot(w, node=operator_node(w), contracted=0.3, contract_price=4.0, contract_end=5)]
    dear = w.lots[add_lot(w, node=operator_node(w), contracted=0.4, contract_price=8.0, contract_end=20)]
    renegotiate(w, w.clock[0])
    # Gaps to a spot of 2: 0.09 is tolerated; (8 - 2)/8 = 0.75 is 0.55 too much, half of which is cut.
    assert [lot.contract_price for lot in (first, fair, over, dear)] == pytest.approx([4.0, 2.2, 4.0, 8.0 * 0.725])
    assert [lot.contracted for lot in (first, fair, over, dear)] == [0.0, 0.2, 0.0, 0.4]


@pytest.mark.parametrize("owner", [-1, 0, 4])
def test_who_is_no_operator_has_no_contract(owner):
    # A free row, a lender; nodes 2 and 3 are the operators, 4 is the backstop.
    w, lot = one_contract(customers=1, customer=0, month=20)
    lot.owner = owner
    renegotiate(w, w.clock[0])
    assert (lot.contracted, lot.signed, lot.customer) == (0.0, 0.0, -1)
    assert not events(w)


@pytest.mark.parametrize(("month", "contracted"), [(19, 0.7), (20, 0.35), (21, 0.35)])
def test_a_customer_renews_part_of_a_contract_that_ends(month, contracted):
    w, lot = one_contract(customers=1, customer=0, month=month, rent=3.9)
    renegotiate(w, w.clock[0])
    assert lot.contracted == pytest.approx(contracted)
    assert w.operators[0].signed == 0.0  # no new business
    if contracted == 0.35:
        assert (lot.customer, lot.contract_price, lot.contract_end) == (0, pytest.approx(3.12), month + 30)
        assert (lot.signed, lot.signed_price, lot.signed_end) == (pytest.approx(0.35), pytest.approx(3.12), month + 30)


def test_what_is_not_renewed_is_told_operator_by_operator():
    w, first = one_contract(customers=2, customer=0, month=20)
    w.customers.renewal[:] = 0.5, 0.0
    second = w.lots[
        add_lot(w, node=operator_node(w), units=20.0, contracted=0.3, contract_price=4.0, contract_end=20, customer=1)
    ]
    other = w.lots[
        add_lot(w, node=operator_node(w, 1), contracted=0.1, contract_price=4.0, contract_end=20, customer=1)
    ]
    put(w.operators[1], lost=7.0, last_event=3)
    w.clock[0].contract_ended = 9.0
    renegotiate(w, w.clock[0])
    assert [lot.contracted for lot in (first, second, other)] == pytest.approx([0.35, 0.0, 0.0])
    # 100 x 10 x 0.7 x 4 less 100 x 10 x 0.35 x 1.6, and 100 x 20 x 0.3 x 4; of the other 100 x 10 x 0.1 x 4.
    lost = (2800.0 - 560.0 + 2400.0, 400.0)
    found = [(e.kind, e.cause, e.node, e.other, e.chip, e.parent) for e in events(w)]
    assert found == [
        (EventKind.CONTRACT_ENDED, Cause.EXPIRY, operator_node(w, o), -1, -1, -1) for o in range(2)
    ]  # fmt: skip
    assert [e.usd for e in events(w)] == pytest.approx(lost)
    assert [e.units for e in events(w)] == pytest.approx([10 * 0.35 + 20 * 0.3, 1.0])
    assert w.operators.lost.tolist() == pytest.approx([lost[0], 7.0 + lost[1]])
    assert w.operators.lost_event.tolist() == [0, 1]
    assert w.operators.last_event.tolist() == [-1, 3]
    assert w.clock[0].contract_ended == pytest.approx(9.0 + sum(lost))
    assert w.clock[0].contract_lost == 0.0


def test_what_other_rules_left_in_the_working_memory_does_not_count():
    w, _ = one_contract(customers=1, customer=0, month=20)
    w.scratch[:] = 1e6
    renegotiate(w, w.clock[0])
    (event,) = events(w)
    assert (event.usd, event.units) == pytest.approx((2800.0 - 560.0, 3.5))


@pytest.mark.parametrize(("usd", "told"), [(0.9, 0), (1.0, 1)])
def test_less_than_a_dollar_a_month_is_no_event(usd, told):
    w, _ = one_contract()
    note_ended(w, w.clock[0], [usd, 0.0], [5.0, 5.0])
    assert len(events(w)) == told
    assert w.clock[0].contract_ended == (usd if told else 0.0)


def test_ai_labs_look_at_credit_before_they_renew():
    w, lot = one_contract(customers=1, customer=0, month=20)
    w.terms[0].customers_credit_feedback = 1.0
    w.customers[0].kind = 1
    w.panel.new_commitments[:20] = 5.0
    w.panel.new_commitments[17:20] = 2.0
    renegotiate(w, w.clock[0])
    assert lot.contracted == pytest.approx(0.7 * 0.5 * 2.0 / (51.0 / 12))


# --- what was signed -------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("month", "signed"), [(19, (0.7, 4.5, 20)), (20, (0.3, 2.0, 44)), (21, (0.3, 2.0, 44))])
def test_what_was_signed_with_a_customer_that_is_gone_ends_with_its_term(month, signed):
    w, lot = one_contract(month=month, contracted=0.3, contract_price=2.0, contract_end=44)
    settle_signed(lot, w.clock[0])
    assert (lot.signed, lot.signed_price, lot.signed_end) == signed


def test_a_lot_of_which_nothing_was_signed_stays_as_it_is():
    lot = put(LOT.empty(1)[0], contracted=0.3, contract_price=2.0, signed=0.0, signed_price=4.5, signed_end=-1)
    settle_signed(lot, put(small_world().clock[0], month=5))
    assert (lot.signed, lot.signed_price, lot.signed_end) == (0.0, 4.5, -1)


@pytest.mark.parametrize(("month", "signed"), [(19, 0.7), (20, 0.0)])
def test_a_lot_that_its_customer_has_left_is_settled_in_its_month(month, signed):
    w, lot = one_contract(month=month, contracted=0.0, contract_end=5)
    renegotiate(w, w.clock[0])
    assert (lot.signed, lot.contracted, lot.contract_price) == (signed, 0.0, 4.0)
    assert not events(w)


def test_a_contract_in_the_place_of_another_goes_on_after_the_first_ones_term():
    w, lot = one_contract(month=20, customers=1, customer=0, contracted=0.3, contract_price=2.1, contract_end=44)
    renegotiate(w, w.clock[0])
    assert (lot.contracted, lot.signed, lot.signed_price, lot.signed_end) == (0.3, 0.3, 2.1, 44)
