"""What forced sales leave of a price where the market is a function."""

from __future__ import annotations

import math

import pytest

from simulation.markets.impact import ImpactForm, price_left, price_left_above


@pytest.mark.parametrize(
    ("form", "sold", "left"),
    [
        (ImpactForm.EXPONENTIAL, 0.25, math.exp(-0.5)),
        (ImpactForm.EXPONENTIAL, 4.0, math.exp(-8.0)),  # never quite nothing
        (ImpactForm.LINEAR, 0.25, 1 - 0.5),
        (ImpactForm.LINEAR, 0.75, 0.0),  # not 1 - 1.5
        (ImpactForm.SQUARE_ROOT, 0.0625, 1 - 2 * 0.25),
        (ImpactForm.SQUARE_ROOT, 0.75, 0.0),
        (ImpactForm.EXPONENTIAL, 0.0, 1.0),
        (ImpactForm.LINEAR, 0.0, 1.0),
        (ImpactForm.SQUARE_ROOT, 0.0, 1.0),
    ],
)
def test_the_more_is_sold_the_less_of_the_price_is_left_and_never_less_than_nothing(form, sold, left):
    assert price_left(form, 2.0, sold) == pytest.approx(left)


@pytest.mark.parametrize(
    ("usd", "price"),
    [
        (0.0, 80.0),
        (20 * math.log(2), 70.0),  # half of the way from 80 to 60
        (20 * math.log(4), 65.0),  # half of the rest
        (1e6, 60.0),
    ],
)
def test_sales_bring_the_price_down_to_what_buyers_do_not_let_it_fall_below(usd, price):
    # It opened at 100, buyers stand at 60: of a depth of 50 USD 0.4 are left, so every 20 ln 2 halve what is above 60.
    assert 80.0 * price_left_above(80.0, 100.0, 60.0, 50.0, usd) == pytest.approx(price)
