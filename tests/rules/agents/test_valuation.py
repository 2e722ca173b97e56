"""What chips earn and for how long, and what agents believe about rents."""

from __future__ import annotations

import pytest

from agents.valuation import believed_decline, economic_life, monthly_rent, power_of, units_to_cure


@pytest.mark.parametrize(
    ("x", "k", "power"), [(3.0, 0, 1.0), (3.0, 1, 3.0), (3.0, 2, 9.0), (3.0, 5, 243.0), (2.0, 6, 64.0), (0.5, 3, 0.125)]
)
def test_a_power_is_the_product_of_so_many_factors(x, k, power):
    assert power_of(x, k) == power


@pytest.mark.parametrize(
    ("own", "trend", "expected"),
    [
        (0.08, 0.04, 0.25 * 0.08 + 0.75 * 0.04),
        (0.08, 0.60, 0.3),  # 0.47, capped
        (0.08, -0.60, 0.01),  # rising rents: the floor
    ],
)
def test_an_agent_blends_its_own_belief_with_the_trend_within_bounds(own, trend, expected):
    assert believed_decline(own, 0.25, trend, 0.01, 0.3) == pytest.approx(expected)


def test_a_months_rent_is_earned_on_the_hours_used_less_overhead():
    assert monthly_rent(2.0, 700.0, 1.5, 0.8, 0.25) == pytest.approx(2.0 * 700.0 * 1.5 * 0.8 * 0.75)


@pytest.mark.parametrize(
    ("rent", "cost", "scrap", "life", "months"),
    [
        # 160 falls to a quarter a month, to 10 = 5 + a quarter of 20 in two.
        (160.0, 5.0, 20.0, 9.0, 2.0),
        (160.0, 5.0, 20.0, 1.5, 1.5),
        (160.0, 10.0, 0.0, 9.0, 2.0),
        (10.0, 5.0, 20.0, 9.0, 0.0),
        (8.0, 5.0, 20.0, 9.0, 0.0),
        (5.0, 0.0, 0.0, 9.0, 9.0),  # nothing ever ends it
        (0.0, 0.0, 0.0, 9.0, 0.0),
        (1.6, 0.1, 0.0, 9.0, 2.0),
    ],
)
def test_the_economic_life_ends_when_the_margin_no_longer_beats_scrap(rent, cost, scrap, life, months):
    assert economic_life(rent, cost, 0.75, 0.25, life, scrap) == pytest.approx(months)


def test_a_chip_whose_rent_never_falls_lives_as_long_as_chips_do():
    assert economic_life(12.0, 9.0, 0.0, 0.25, 40.0, 4.0) == 40.0
    assert economic_life(9.0, 9.0, 0.0, 0.25, 40.0, 4.0) == 0.0  # and not at all if it does not pay today


@pytest.mark.parametrize(
    ("gap", "gain", "units"),
    [
        (20.0, 5.0, 4.0),
        (0.5, 0.25, 2.0),
        (90.0, 5.0, 10.0),  # all there are
        (20.0, 0.0, 10.0),  # a sale closes nothing: all
        (20.0, -3.0, 10.0),
        (0.0, 5.0, 0.0),
        (0.0, 0.0, 0.0),
        (-8.0, 5.0, 0.0),
        (-8.0, 0.0, 0.0),
    ],
)
def test_as_many_units_are_sold_as_close_the_gap(gap, gain, units):
    assert units_to_cure(gap, gain, 10.0) == pytest.approx(units)
