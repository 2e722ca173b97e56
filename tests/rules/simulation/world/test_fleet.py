"""The fleet and the equipment loans with which a run opens."""

from __future__ import annotations

import numpy as np
import pytest

from agents.tables.loans import LoanKind, LoanStatus, open_loan
from simulation.world.fleet import (
    ask_opening,
    grant_opening,
    known_lender,
    lay_lots,
    lend_opening,
    open_fleet_lot,
)
from tests.rules.worlds import add_lot, operator_node, small_world


def put(row, **columns: float):
    for name, value in columns.items():
        setattr(row, name, value)
    return row


# --- lots ------------------------------------------------------------------------------------------------------
FLEET = {
    "credit_soft_cost": 0.5, "rental_rent": 4.0, "rental_contract_discount": 0.75, "rental_contract_term": 10,
    "customers_concentration": 0.5,
}  # fmt: skip


@pytest.mark.parametrize(
    ("release", "age", "vintage"),
    [(-10, 0.55, -5.0), (-10, 0.99, -9.0), (-40, 0.55, -13.0), (0, 0.9, 0.0)],  # the oldest: 24 months
)
@pytest.mark.parametrize(("liquid", "used_liquid"), [(0, 5.0), (1, 11.0)])
def test_an_opening_lot_has_its_age_cost_contract_and_power(release, age, vintage, liquid, used_liquid):
    w = small_world(terms=FLEET)
    chip = put(w.chips[0], list_price=1000.0, power=2.0, release=release, liquid=liquid, initial=100.0)
    chip.performance = 2.0
    op = put(w.operators[0], contract_share=0.3, used_power=7.0, used_liquid=5.0, customer=4, second=6)
    put(op, signed=1.0, signed_main=1.0)  # more than the main customer's share: the other one is next
    lot = put(w.lots[0], loan=3)
    open_fleet_lot(w.terms[0], chip, op, lot, 3.0, age, 0.55)
    assert (lot.units, lot.vintage, lot.loan) == (3.0, vintage, -1)
    assert lot.cost == pytest.approx(1000.0 * 1.5)  # network and fit-out on top
    assert (lot.contracted, lot.contract_price) == (0.3, pytest.approx(4.0 * 0.75))
    assert lot.contract_end == 1 + 5  # 0.55 of ten months, whole ones; at least a month
    assert (lot.customer, lot.signed, lot.signed_price, lot.signed_end) == (6, 0.3, lot.contract_price, 6)
    assert (op.signed, op.signed_main) == pytest.approx((1.0 + 3.0 * 2.0 * 0.3, 1.0))
    assert (op.used_power, op.used_liquid) == (7.0 + 6.0, used_liquid)
    assert chip.initial == 103.0


def test_an_operator_that_lets_nothing_signs_with_nobody():
    w = small_world(terms=FLEET)
    op = put(w.operators[0], customer=4, second=6)
    open_fleet_lot(w.terms[0], w.chips[0], op, w.lots[0], 3.0, 0.5, 0.5)
    assert (w.lots[0].customer, w.lots[0].contracted, w.lots[0].signed, op.signed) == (-1, 0.0, 0.0, 0.0)


def laid_out():
    """Generations 0 (2 kW) and 2 (4 kW, liquid-cooled) are out and share power in use 40:60; four operators."""
    w = small_world(operators=4, chips=3, terms=FLEET)
    put(w.chips[0], power=2.0, release=-10)
    put(w.chips[1], power=1.0, release=3, stock=8.0)
    put(w.chips[2], power=4.0, release=-20, liquid=1)
    for op, power, cooled in zip(w.operators, (100.0, 1.0, 5.0, 7.0), (10.0, 6.0, 7.0, 500.0), strict=True):
        put(op, used_power=power, liquid_power=cooled, contract_share=power / 200.0)
    draws = np.full((4, 2, 5), 0.99)
    draws[0, 0, :2] = 0.3, 0.1
    draws[0, 1, :2] = 0.2, 0.5
    draws[3, 1, :2] = 0.1, 0.7
    w.lots.preceding[:] = 77
    lay_lots(w, np.array([0, 2]), np.array([0.4, 0.6]), draws)
    return w


def test_power_in_use_is_laid_out_in_whole_units_of_the_generations_released():
    w = laid_out()
    first, third, fourth = operator_node(w, 0), operator_node(w, 2), operator_node(w, 3)
    # 100 kW: 40 / 2 and 60 / 4 units. 1 kW: none. 5 kW: 2 / 2 is a unit, 3 / 4 none. 7 kW: of 2.8 one takes 2, the
    # rest and 4.2 are enough for one of 4.
    lots = w.lots[:5]
    assert [(lot.owner, lot.chip, lot.units) for lot in lots] == [
        (first, 0, 20.0), (first, 2, 15.0), (third, 0, 1.0), (fourth, 0, 1.0), (fourth, 2, 1.0),
    ]  # fmt: skip
    assert w.lots[5].owner == -1
    assert (w.clock[0].free_lot, w.clock[0].used_lots) == (5, 5)
    assert w.chips.initial.tolist() == w.chips.stock.tolist() == [22.0, 0.0, 16.0]


@pytest.mark.parametrize(
    ("planned", "powers", "units"),
    [
        (100.0, (1.0, 1.0), [57.0, 43.0]),  # 0.57 x 100 is a hair below 57
        (3.0, (1.0, 2.0), [1.0, 1.0]),  # 1.71, then 0.71 + 1.29
        (10.0, (3.0, 3.0), [1.0, 2.0]),  # 5.7, then 2.7 + 4.3
        (1.0, (0.6, 0.6), [1.0]),  # 0.57 is none, 1 is one
    ],
)
def test_nobody_opens_with_more_power_than_planned(planned, powers, units):
    w = small_world(operators=1, chips=2, terms=FLEET)
    w.chips.power[:], w.chips.release[:] = powers, -10
    w.operators[0].used_power = planned
    lay_lots(w, np.array([0, 1]), np.array([0.57, 0.43]), np.full((1, 2, 5), 0.5))
    assert w.lots.units[: len(units)].tolist() == units
    assert w.lots[len(units)].owner == -1
    assert w.operators[0].used_power <= planned


def test_what_the_units_draw_takes_the_place_of_the_plan():
    w = laid_out()
    assert w.operators.used_power.tolist() == [100.0, 0.0, 2.0, 6.0]
    assert w.operators.used_liquid.tolist() == [60.0, 0.0, 0.0, 4.0]
    # Where liquid cooling is short of it, it is there as well.
    assert w.operators.liquid_power.tolist() == [60.0, 6.0, 7.0, 500.0]


def test_each_lot_has_its_own_draws_and_its_operators_contracts():
    w = laid_out()
    lots = w.lots[:5]
    # Shares 0.3 of 10, 0.2 of 20, then 0.99 of 10 twice, 0.1 of 20 months.
    assert lots.vintage.tolist() == [-3.0, -4.0, -9.0, -9.0, -2.0]
    assert lots.contract_end.tolist() == [2, 6, 10, 10, 8]
    assert lots.contracted.tolist() == [0.5, 0.5, 0.025, 0.035, 0.035]


def test_the_main_customer_takes_the_first_lot_and_another_one_the_next():
    w = small_world(operators=1, chips=2, terms=FLEET)
    put(w.operators[0], used_power=100.0, contract_share=0.5, customer=1, second=0)
    lay_lots(w, np.array([0, 1]), np.array([0.5, 0.5]), np.full((1, 2, 5), 0.5))
    assert w.lots.customer[:2].tolist() == [1, 0]


def test_lots_of_an_operator_are_linked_its_last_one_first():
    w = laid_out()
    assert [w.first_lot[operator_node(w, o)] for o in range(4)] == [1, -1, 2, 4]
    assert w.lots.following[:5].tolist() == [-1, 0, -1, -1, 3]
    assert w.lots.preceding[:5].tolist() == [1, -1, -1, 4, -1]
    assert set(w.lots.preceding[5:]) == {77}


# --- loans -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("o", "u", "lender"), [(0, 0.0, 2), (0, 0.49, 2), (0, 0.5, 0), (0, 0.99, 0), (1, 0.99, -1), (2, 0.4, 1)]
)
def test_an_operator_asks_one_of_the_lenders_that_it_knows(o, u, lender):
    # 0 knows lenders 2 and 0, 1 none, 2 lender 1.
    assert known_lender(np.array([0, 2, 2, 3]), np.array([2, 0, 1]), o, u) == lender


OPENING = {
    "credit_maturity": 15, "credit_initial_pledged": 0.5, "credit_initial_debt": 0.75, "credit_base_rate": 0.05,
    "credit_covenant_margin": 0.1, "credit_covenant_cap": 0.95, "credit_covenant_least": 0.02,
}  # fmt: skip


@pytest.mark.parametrize(
    ("lender", "u", "chance", "by", "maturity", "principal"),
    [
        (2, 0.0, 0.49, 2, 6, 0.75 * 400),  # due in 6 to 15 months
        (2, 0.99, 0.49, 2, 15, 0.75 * 400),
        (0, 0.55, 0.49, 0, 11, 0.75 * 400),
        (2, 0.55, 0.5, 2, 11, 0.0),  # not pledged
        (-1, 0.55, 0.49, 0, 11, 0.0),  # knows nobody
    ],
)
def test_a_pledged_lot_asks_for_a_share_of_its_appraisal(lender, u, chance, by, maturity, principal):
    w = small_world(terms=OPENING)
    k = add_lot(w, node=operator_node(w), units=40.0)
    w.chips[0].appraisal = 10.0
    loan = put(w.loans[0], kind=LoanKind.MARGIN, lender=lender, principal=77.0)
    ask_opening(w.terms[0], w.chips[0], w.lots[k], loan, u, chance)
    assert (loan.kind, loan.lender, loan.maturity) == (LoanKind.EQUIPMENT, by, maturity)
    assert (loan.collateral, loan.principal) == (400.0, pytest.approx(principal))


def test_an_opening_loan_has_its_lenders_terms_and_is_owed():
    w = small_world(terms=OPENING)
    op = put(w.operators[0], debt=70.0)
    lender = put(w.lenders[0], spread=0.03, life=60.0)
    loan = put(w.loans[0], principal=300.0, collateral=400.0)
    grant_opening(w.terms[0], lender, op, loan)
    assert (loan.status, loan.rate, loan.amortisation) == (LoanStatus.PERFORMING, pytest.approx(0.08), 5.0)
    assert (loan.opening_ltv, loan.covenant_ltv) == (0.75, pytest.approx(0.85))  # the margin of 0.1 on top
    assert op.debt == 370.0


#: Units and generation of the lots of operator 0 (two) and operator 1 (two).
LOTS = ((0, 40.0, 0), (0, 10.0, 2), (1, 30.0, 3), (1, 20.0, 0))
#: Generations released; draws are by their place here.
RELEASED = (0, 2, 3)


def opened(pledged=(True, True, True, False), cash=(1000.0, 100.0), appraisal=10.0):
    """Operator 0 borrows from lender 1 on its first lot, from 0 on its second; operator 1 knows lender 1 alone."""
    w = small_world(lenders=2, operators=2, chips=4, banks=((0, 1), (1,)), terms=OPENING)
    w.chips.appraisal[:] = appraisal, 999.0, 2.0 * appraisal, 2.0 * appraisal
    for lender, usd, spread in zip(w.lenders, cash, (0.03, 0.07), strict=False):
        put(lender, cash=usd, book=5.0, spread=spread, life=60.0)
    draws = np.full((2, 3, 5), 0.99)
    by_lender, by_month = (0.9, 0.2, 0.2, 0.2), (0.0, 0.55, 0.99, 0.0)
    for k, (o, units, chip) in enumerate(LOTS):
        add_lot(w, node=operator_node(w, o), units=units, chip=chip)
        draws[o, RELEASED.index(chip), 2:] = by_lender[k], by_month[k], 0.1 if pledged[k] else 0.9
    asked, lent = np.zeros((2, 3))
    with np.errstate(all="raise"):  # a lender that nobody asks is no division by zero
        lend_opening(w, np.array(RELEASED), draws, asked, lent)
    return w


def test_a_lender_lends_what_is_asked_up_to_nine_tenths_of_its_cash():
    w = opened()
    first, second, third = loans = w.loans[:3]
    # Lots of 400, 200 and 600 at the appraisal ask for 300, 150 and 450. Lender 1 is asked for 750 and lends 90:
    # 0.12 of each. Lender 0 has enough.
    assert [loan.principal for loan in loans] == pytest.approx([0.12 * 300, 150.0, 0.12 * 450])
    assert [(loan.lender, loan.borrower, loan.maturity) for loan in loans] == [(1, 0, 6), (0, 0, 11), (1, 1, 15)]
    assert [loan.collateral for loan in loans] == [400.0, 200.0, 600.0]
    assert {loan.status for loan in loans} == {LoanStatus.PERFORMING}
    assert [loan.rate for loan in loans] == pytest.approx([0.12, 0.08, 0.12])
    assert (first.opening_ltv, second.opening_ltv) == (pytest.approx(0.09), pytest.approx(0.75))
    assert w.lots.loan[:4].tolist() == [0, 1, 2, -1]


def test_opening_loans_are_paid_from_cash_into_the_book_and_owed():
    w = opened()
    assert w.lenders.cash.tolist() == pytest.approx([850.0, 10.0, 0.0])
    assert w.lenders.book.tolist() == pytest.approx([155.0, 95.0, 0.0])
    assert w.operators.debt.tolist() == pytest.approx([36.0 + 150.0, 54.0])


def test_a_request_of_cents_is_measured_like_any_other():
    # 0.3 and 0.45 asked of lender 1 are below a dollar: it lends them if it has the cash.
    w = opened(appraisal=0.01, cash=(1000.0, 2.0))
    assert w.loans.principal[:3].tolist() == pytest.approx([0.3, 0.15, 0.45])
    assert w.lots.loan[:4].tolist() == [0, 1, 2, -1]
    # 1.5 asked, 0.9 x 0.5 lent: 0.3 of each.
    w = opened(appraisal=0.02, cash=(1000.0, 0.5))
    assert w.loans.principal[:3].tolist() == pytest.approx([0.3 * 0.6, 0.3, 0.3 * 0.9])


@pytest.mark.parametrize(
    ("pledged", "next_rows"),
    [
        ((True, True, True, True), [4, 5]),
        ((True, True, True, False), [3, 4, 5]),
        ((False, True, True, True), [0, 4, 5]),
        ((False, True, False, True), [0, 2, 4, 5]),
        ((False, False, False, False), [0, 1, 2, 3, 4, 5]),
    ],
)
def test_rows_without_a_loan_are_the_first_to_be_used(pledged, next_rows):
    w = opened(pledged)
    clock = w.clock[0]
    assert clock.used_loans == 4
    assert [loan.status == LoanStatus.PERFORMING for loan in w.loans[:4]] == list(pledged)
    assert [lot.loan for lot in w.lots[:4]] == [k if asks else -1 for k, asks in enumerate(pledged)]
    found = [open_loan(w.loans, clock, LoanKind.EQUIPMENT, 0, 0, 1.0, 0.1, 0.0, 9) for _ in next_rows]
    assert found == next_rows
    assert w.loans[-1].following == -1  # the end of the list
