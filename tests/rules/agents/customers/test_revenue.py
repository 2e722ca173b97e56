"""What contracts bring, against what was signed."""

from __future__ import annotations

import pytest

from agents.customers.revenue import realise_contracts
from agents.tables.operators import OperatorStatus
from tests.rules.worlds import add_lot, buyer_node, operator_node, put, small_world


def renting(operators: int = 1, **operator: float):
    """Month 9, 100 hours; one generation of performance 2."""
    w = small_world(operators=operators, buyers=1, terms={"rental_hours": 100.0})
    w.clock[0].month = 9
    w.chips[0].performance = 2.0
    put(w.operators[0], **operator)
    return w


def let(w, node: int, **columns: float):
    """Ten units, half of them let at 3 USD; 80 % had been signed at 4."""
    signed = {"contracted": 0.5, "contract_price": 3.0, "signed": 0.8, "signed_price": 4.0}
    return w.lots[add_lot(w, node=node, **signed | columns)]


def test_revenue_received_is_held_against_revenue_as_signed():
    w = renting(contract_due=2000.0, contract_paid=1000.0, contracted=0.7)
    w.scratch[:] = 55.0
    let(w, operator_node(w))
    realise_contracts(w, w.clock[0])
    op = w.operators[0]
    # 100 x 20 x 0.8 x 4 = 6,400 signed, 100 x 20 x 0.5 x 3 = 3,000 received; half of each and half of what was before.
    assert (op.contract_due, op.contract_paid) == pytest.approx((1000.0 + 3200.0, 500.0 + 1500.0))
    assert op.realised == pytest.approx(2000.0 / 4200.0)
    assert op.contracted == pytest.approx(0.5)


def test_a_customer_that_left_still_counts_in_what_was_signed():
    w = renting()
    let(w, operator_node(w), contracted=0.0)
    let(w, operator_node(w), contracted=0.8, contract_price=4.0)
    realise_contracts(w, w.clock[0])
    assert w.operators[0].realised == pytest.approx(0.5)


@pytest.mark.parametrize(("due", "realised"), [(2.0, 1.0), (2.2, 0.5)])
@pytest.mark.parametrize("money", [1.0, 1024.0])
def test_without_contracts_that_count_nothing_is_missing(due, realised, money):
    # Hosting of all sites would cost ten million times a dollar, in whatever currency.
    sites = {"site_power": 2e6, "hosting": 5.0 * money}
    w = renting(contract_due=due * money, contract_paid=due * money / 2, realised=0.3, contracted=0.7, **sites)
    realise_contracts(w, w.clock[0])
    assert (w.operators[0].realised, w.operators[0].contracted) == (pytest.approx(realised), 0.0)


def test_capacity_counts_by_performance_when_in_service():
    w = renting(operators=2)
    node = operator_node(w)
    let(w, node, units=10.0, contracted=0.5)
    let(w, node, units=30.0, contracted=0.1, signed=0.1)
    let(w, node, units=5.0, online=9, contracted=0.0, signed=0.0)
    let(w, node, units=99.0, online=10)  # not yet
    let(w, operator_node(w, 1), units=4.0, contracted=0.25)
    realise_contracts(w, w.clock[0])
    assert w.operators.contracted.tolist() == pytest.approx([(5.0 + 3.0) / 45.0, 0.25])
    assert w.operators[0].contract_paid == pytest.approx(0.5 * 100 * 2 * (5.0 + 3.0) * 3.0)
    assert w.operators[1].contract_paid == pytest.approx(0.5 * 100 * 2 * 1.0 * 3.0)


def test_a_quarter_of_a_unit_is_capacity():
    w = renting()
    let(w, operator_node(w), units=0.25)
    realise_contracts(w, w.clock[0])
    assert w.operators[0].contracted == pytest.approx(0.5)


def test_performance_makes_a_lot_large():
    w = small_world(chips=2, terms={"rental_hours": 100.0})
    w.chips.performance[:] = 1.0, 4.0
    let(w, operator_node(w), contracted=0.0)
    let(w, operator_node(w), contracted=0.5, chip=1)
    realise_contracts(w, w.clock[0])
    assert w.operators[0].contracted == pytest.approx(20.0 / 50.0)


def test_estates_and_others_than_operators_have_no_contracts():
    w = renting(contract_due=8.0, contract_paid=6.0, contracted=0.4)
    w.operators[0].status = OperatorStatus.DEFAULTED
    for node in (0, 1, operator_node(w), buyer_node(w, 0)):
        let(w, node)
    let(w, operator_node(w)).owner = -1
    realise_contracts(w, w.clock[0])
    op = w.operators[0]
    assert (op.contracted, op.contract_due, op.contract_paid) == (0.0, 4.0, 3.0)
