"""When contracts with customers end, and when their price is renegotiated."""

from __future__ import annotations

import pytest

from agents.customers.contracts import renegotiate
from tests.rules.worlds import add_lot, operator_node, small_world


def one_contract(*, rent: float = 2.0, month: int = 10, stress: int = 0, **lot: float):
    """Return a world in which 70 % of one lot is let at 4 USD an hour until month 20, at some spot rent."""
    w = small_world(terms={"rental_renegotiation": 0.5, "rental_renegotiation_gap": 0.2})
    clock = w.clock[0]
    clock.month, clock.rent, clock.stress_demand = month, rent, stress
    k = add_lot(w, node=operator_node(w), contracted=0.7, contract_price=4.0, contract_end=20)
    for name, value in lot.items():
        setattr(w.lots[k], name, value)
    return w, w.lots[k]


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
    renegotiate(w, w.clock[0])
    assert lot.contract_price == pytest.approx(price)
    assert lot.contracted == 0.7


@pytest.mark.parametrize(
    ("month", "seized", "contracted"),
    [(19, -1, 0.7), (20, -1, 0.0), (21, -1, 0.0), (10, 0, 0.0)],
)
def test_a_contract_ends_in_its_last_month_or_with_a_seizure_and_is_not_cut_any_more(month, seized, contracted):
    w, lot = one_contract(month=month, seized=seized)
    renegotiate(w, w.clock[0])
    assert lot.contracted == contracted
    assert lot.contract_price == (4.0 if contracted == 0.0 else pytest.approx(3.4))


def test_each_lot_has_its_own_contract_and_a_lot_without_one_keeps_what_was_last_agreed():
    w, first = one_contract(contracted=0.0)
    fair = w.lots[add_lot(w, node=operator_node(w), contracted=0.2, contract_price=2.2, contract_end=20)]
    over = w.lots[add_lot(w, node=operator_node(w), contracted=0.3, contract_price=4.0, contract_end=5)]
    dear = w.lots[add_lot(w, node=operator_node(w), contracted=0.4, contract_price=8.0, contract_end=20)]
    renegotiate(w, w.clock[0])
    # Gaps to a spot of 2: 0.09 is tolerated; (8 - 2)/8 = 0.75 is 0.55 too much, half of which is cut.
    assert [lot.contract_price for lot in (first, fair, over, dear)] == pytest.approx([4.0, 2.2, 4.0, 8.0 * 0.725])
    assert [lot.contracted for lot in (first, fair, over, dear)] == [0.0, 0.2, 0.0, 0.4]
