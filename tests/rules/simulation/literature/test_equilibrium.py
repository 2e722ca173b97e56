"""What secured borrowers must sell at given prices."""

from __future__ import annotations

import numpy as np
import pytest

from agents.tables.loans import LoanKind, LoanStatus
from simulation.literature.equilibrium import sales_at
from tests.rules.worlds import add_loan, add_lot, operator_node, small_world

pytestmark = pytest.mark.filterwarnings("error")

MONTH = 3


def borrowers(*, operators: int = 1, chips: int = 1, call_minimum: float = 0.0):
    """A lender that marks to market, at a covenant LTV of 0.8; a borrower keeps two months of its costs in cash."""
    w = small_world(
        operators=operators, chips=chips, terms={"credit_call_cash": 2.0, "credit_call_minimum": call_minimum}
    )
    w.lenders.mark_to_market = 1.0
    w.clock[0].month = MONTH
    w.chips.appraisal = 77.0
    return w


def secured(w, usd: float, *units: float, operator: int = 0, chip: int = 0, **columns) -> int:
    k = add_loan(w, operator=operator, usd=usd, **{"covenant_ltv": 0.8, **columns})
    for n in units:
        add_lot(w, node=operator_node(w, operator), units=n, loan=k, chip=chip, cost=0.0)
    return k


def at(w, *prices: float):
    """Return the units sold, the cash left by operator, the USD not covered."""
    sold, relief = np.full(len(prices), 8.0), np.full(len(w.operators), 9.0)
    uncovered = sales_at(w, np.array(prices), sold, relief)
    assert w.chips.appraisal.tolist() == list(prices)
    return sold.tolist(), relief.tolist(), uncovered


def test_cash_above_the_reserve_comes_first_then_units_until_the_covenant_is_met():
    w = borrowers()
    secured(w, 100.0, 10.0)
    w.operators[0].cash, w.operators[0].overheads = 11.0, 3.0
    # 100 on 10 units at 10: 20 above 0.8. Cash of 11 less 2 x 3 pays 5; a unit sold at 10 lifts 8 of covenant: it
    # closes 2 of the other 15.
    assert at(w, 10.0) == (pytest.approx([7.5]), [0.0], 0.0)


def test_at_the_covenant_nothing_is_sold_and_cash_stays():
    w = borrowers()
    secured(w, 80.0, 10.0)
    w.operators[0].cash = 5.0
    assert at(w, 10.0) == ([0.0], [5.0], 0.0)


def test_cash_that_covers_the_gap_is_spent_once():
    w = borrowers()
    secured(w, 100.0, 10.0)
    secured(w, 90.0, 10.0)
    w.operators[0].cash = 26.0
    # The first loan takes 20 of 26, the second gets 6 of the 10 that it needs: two units.
    assert at(w, 10.0) == (pytest.approx([2.0]), [0.0], 0.0)


def test_what_cash_leaves_open_is_sold_for_however_small():
    w = borrowers()
    secured(w, 100.0, 10.0)
    w.operators[0].cash = 19.5
    assert at(w, 10.0) == (pytest.approx([0.25]), [0.0], 0.0)


def test_a_reserve_above_the_cash_leaves_none():
    w = borrowers(operators=2)
    w.operators.cash[:] = 4.0, 30.0
    w.operators.overheads[:] = 3.0, 10.0
    assert at(w, 10.0)[1] == [0.0, 10.0]


def test_gaps_below_the_smallest_call_are_left():
    w = borrowers(call_minimum=0.25)
    secured(w, 100.0, 10.0)  # 20 of 100
    secured(w, 40.0, 2.0)  # 24 of 40
    assert at(w, 10.0)[0] == pytest.approx([2.0])


def test_lots_are_sold_one_after_the_other_the_last_pledged_first():
    w = borrowers(chips=2)
    k = secured(w, 115.0, 4.0)
    add_lot(w, node=operator_node(w), units=3.0, chip=1, loan=k, cost=0.0)
    add_lot(w, node=operator_node(w), units=50.0, chip=1)  # free
    # Collateral 4 x 10 + 3 x 25 = 115: a gap of 23. Three units at 25 close 5 each, four at 10 the other 8 of 8.
    assert at(w, 10.0, 25.0) == (pytest.approx([4.0, 3.0]), [0.0], 0.0)
    w.loans[k].principal = 105.0
    # A gap of 13: 2.6 units of the first lot are enough.
    assert at(w, 10.0, 25.0)[0] == pytest.approx([0.0, 2.6])


def test_where_a_sale_cannot_cure_everything_goes_and_the_rest_is_not_covered():
    w = borrowers()
    k = secured(w, 100.0, 10.0, covenant_ltv=1.2)
    secured(w, 50.0, 10.0)
    # Marks of 8, above what a sale brings: 100 - 96 is a gap, and each unit sold makes it wider.
    assert at(w, 8.0) == ([10.0], [0.0], pytest.approx(100.0 - 80.0))
    w.loans[k].principal = 96.0
    assert at(w, 8.0) == ([0.0], [0.0], pytest.approx(96.0 - 80.0))


def test_a_lender_s_own_mark_measures_the_collateral_the_price_what_it_is_worth():
    w = borrowers()
    w.lenders[0].mark_to_market, w.lenders[0].life = 0.0, 10.0
    k = secured(w, 100.0, 10.0)
    w.lots[0].cost, w.lots[0].vintage = 20.0, 0.0
    # Three of ten months are written off: 14 a unit. 140 x 0.8 = 112 is no breach, though it would sell for 90.
    assert at(w, 9.0) == ([0.0], [0.0], pytest.approx(100.0 - 90.0))
    w.loans[k].principal = 114.0
    w.chips[0].price = 5.0
    # A gap of 2. A unit sold at 13 lifts 11.2 of covenant.
    assert at(w, 13.0)[0] == pytest.approx([2.0 / (13.0 - 11.2)])


@pytest.mark.parametrize(
    ("columns", "sold"),
    [
        ({}, 7.0),
        ({"status": LoanStatus.CALLED}, 7.0),
        ({"status": LoanStatus.DEFAULTED}, 0.0),
        ({"status": LoanStatus.FREE}, 0.0),
        ({"kind": LoanKind.MARGIN}, 0.0),
        ({"kind": LoanKind.CONVERTIBLE}, 0.0),
    ],
)
def test_performing_and_called_equipment_loans_are_asked(columns, sold):
    w = borrowers(operators=2, chips=2)
    secured(w, 100.0, 10.0, operator=0, chip=1, **columns)
    secured(w, 100.0, 10.0, operator=1, chip=0)
    w.operators.cash[:] = 6.0, 4.0
    assert at(w, 10.0, 10.0) == (
        pytest.approx([8.0, sold]),
        pytest.approx([0.0 if sold else 6.0, 0.0]),
        0.0,
    )


def test_what_is_not_covered_is_added_over_loans():
    w = borrowers(operators=2)
    secured(w, 100.0, 10.0, operator=1)
    secured(w, 120.0, 10.0)
    assert at(w, 9.0)[2] == pytest.approx(10.0 + 30.0)
