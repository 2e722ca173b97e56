"""What the best new chip on sale costs for the same value in use."""

from __future__ import annotations

import math

import pytest

from simulation.record.parity import price_of_value, record_parity
from tests.rules.worlds import small_world

pytestmark = pytest.mark.filterwarnings("error")  # a division by zero is no result

#: A unit of performance earns 100 USD a month, rents stay as they are, nothing is discounted: 12 months, paid from delivery on.
TERMS = {
    "rental_hours": 200.0, "rental_overhead": 0.5, "marks_reference_utilisation": 0.5, "marks_reference_hosting": 20.0,
    "marks_reference_hurdle": 0.0, "marks_reference_decline": 0.0, "marks_reference_weight": 1.0, "marks_decline_floor": 0.0,
    "marks_decline_cap": 0.5, "marks_asset_life": 12.0, "credit_delivery_lag": 4,
}  # fmt: skip


def market(**terms: float):
    """Three generations at 2 USD an hour: worth 12 x (100 - 20), 12 x (200 - 20) and 12 x (400 - 40) USD new."""
    w = small_world(chips=3, terms=TERMS | terms)
    w.clock[0].month, w.clock[0].rent = 5, 2.0
    w.chips.performance[:] = 1.0, 2.0, 4.0
    w.chips.power[:] = 1.0, 1.0, 2.0
    w.chips.list_price[:] = 960.0, 1080.0, 4320.0
    w.chips.fundamental[:] = 500.0, 800.0, 3000.0
    return w


def test_a_dollar_of_value_costs_what_it_costs_in_the_best_new_chip():
    assert price_of_value(market(), market().clock[0]) == pytest.approx(1080 / 2160)


@pytest.mark.parametrize(
    ("release", "end_of_sale", "price"),
    [
        (5, 6, 0.5),
        (6, 9, 1.0),  # not yet: the others cost a dollar a dollar
        (0, 5, 1.0),  # not any more
    ],
)
def test_only_what_is_on_sale_counts(release, end_of_sale, price):
    w = market()
    w.chips.release[1], w.chips.end_of_sale[1] = release, end_of_sale
    assert price_of_value(w, w.clock[0]) == pytest.approx(price)


def test_without_a_new_chip_nothing_has_a_price_and_what_is_worth_nothing_has_none():
    w = market()
    w.chips.end_of_sale[:] = 0
    assert price_of_value(w, w.clock[0]) == math.inf
    w = market()
    w.clock[0].rent = 0.0
    assert price_of_value(w, w.clock[0]) == math.inf
    w.chips.scrap[:] = 0.5
    assert price_of_value(w, w.clock[0]) == pytest.approx(960 / 0.5)


def test_rents_that_fall_until_delivery_and_after_it_and_a_hurdle_make_value_dear():
    w = market(marks_reference_decline=0.1, marks_reference_weight=0.5, marks_asset_life=1.0)
    w.chips.end_of_sale[1:] = 0
    w.clock[0].trend = 0.3
    # Half of its own belief, half of the trend: a fall of a fifth a month, for four months and one.
    assert price_of_value(w, w.clock[0]) == pytest.approx(960 / (100 * 0.8**5 - 20))
    w = market(marks_reference_hurdle=0.25, marks_asset_life=1.0)
    w.chips.end_of_sale[1:] = 0
    assert price_of_value(w, w.clock[0]) == pytest.approx(960 / (80 / 1.25))


@pytest.mark.parametrize(("floor", "cap", "fall"), [(0.0, 0.1, 0.1), (0.4, 0.5, 0.4)])
def test_nobody_believes_in_more_or_less_than_what_anybody_does(floor, cap, fall):
    w = market(
        marks_reference_decline=0.2,
        marks_decline_floor=floor,
        marks_decline_cap=cap,
        marks_asset_life=1.0,
        credit_delivery_lag=0,
    )
    w.chips.end_of_sale[1:] = 0
    assert price_of_value(w, w.clock[0]) == pytest.approx(960 / (100 * (1 - fall) - 20))


def test_parity_is_the_price_of_the_value_of_a_used_unit_in_the_month_alone():
    w = market()
    record_parity(w, w.clock[0])
    assert w.chip_panel.parity[15:18] == pytest.approx([250.0, 400.0, 1500.0])
    assert not w.chip_panel.parity[:15].any() and not w.chip_panel.parity[18:].any()
    w.chips.end_of_sale[:] = 0
    record_parity(w, w.clock[0])
    assert not w.chip_panel.parity.any()
