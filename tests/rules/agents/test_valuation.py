"""What a chip is worth to somebody who uses it."""

from __future__ import annotations

import pytest

from agents.valuation import believed_decline, economic_life, monthly_rent, power_of, units_to_cure, value_in_use


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


def value(rent=160.0, cost=30.0, decline=0.5, hurdle=0.0, life=10.0, delay=0, scrap=0.0):
    return value_in_use(rent, cost, decline, hurdle, life, delay, scrap)


@pytest.mark.parametrize(
    ("case", "usd"),
    [
        # The rent halves every month: 80, 40, 20. The third month does not pay costs of 30.
        ({}, (80 - 30) + (40 - 30)),
        ({"hurdle": 0.25}, 50 / 1.25 + 10 / 1.25**2),
        # Scrap is sold when the chip stops: two months from now.
        ({"hurdle": 0.25, "scrap": 8.0}, 50 / 1.25 + (10 + 8) / 1.25**2),
        # 40 does not pay 30 and a quarter of 48: one month, then scrap.
        ({"hurdle": 0.25, "scrap": 48.0}, (50 + 48) / 1.25),
        # Installed a month later, it starts at 80.
        ({"delay": 1}, 40 - 30),
        ({"delay": 2, "scrap": 3.0}, 3.0),
        # The life ends first; a started month does not count.
        ({"life": 1.0}, 50),
        ({"life": 1.9}, 50),
        ({"life": 0.9, "scrap": 3.0}, 3.0),
        ({"life": 0.0, "scrap": 3.0}, 3.0),
        # Rents that stand still.
        ({"decline": 0.0, "scrap": 5.0}, 10 * (160 - 30) + 5),
        ({"decline": 0.0, "hurdle": 0.25, "life": 2.0, "scrap": 8.0}, 130 / 1.25 + (130 + 8) / 1.25**2),
        # Neither costs nor scrap: used to the end of its life.
        ({"cost": 0.0, "life": 3.0}, 80 + 40 + 20),
        ({"cost": 0.0, "life": 2.0, "scrap": 7.0}, 80 + 40 + 7),
        # The first month does not pay: scrap, also with rents that stand still.
        ({"cost": 90.0, "scrap": 3.0}, 3.0),
        ({"cost": 170.0, "decline": 0.0, "scrap": 3.0}, 3.0),
        ({"cost": 90.0}, 0.0),
        # In cents: no threshold has a size.
        ({"rent": 1.6, "cost": 0.3}, 0.5 + 0.1),
    ],
)
def test_a_chip_is_worth_its_margins_until_scrap_beats_them(case, usd):
    assert value(**case) == pytest.approx(usd)


def test_rising_rents_count_if_the_first_month_pays():
    rising = {"decline": -0.5, "hurdle": 1.0, "scrap": 2.0, "cost": 20.0}
    # 30 and 45 against 20; a month halves what a dollar is worth.
    assert value(rent=20.0, life=2.0, **rising) == pytest.approx(10 / 2 + (25 + 2) / 4)
    # 15, 22.5, 33.8, ...: nobody waits.
    assert value(rent=10.0, life=5.0, **rising) == 2.0


@pytest.mark.parametrize("decline", [0.0, 0.01, 0.03])
@pytest.mark.parametrize("hurdle", [0.0, 0.015])
@pytest.mark.parametrize("delay", [0, 2])
@pytest.mark.parametrize("scrap", [0.0, 900.0])
@pytest.mark.parametrize("cost", [150.0, 700.0])
def test_the_closed_form_is_the_sum_over_months(decline, hurdle, delay, scrap, cost):
    rent, life = 1000.0, 48
    total, factor = 0.0, 1.0
    for k in range(1, life + 1):
        margin = rent * (1.0 - decline) ** (k + delay) - cost
        if margin < hurdle * scrap:
            break
        factor /= 1.0 + hurdle
        total += margin * factor
    assert value(rent, cost, decline, hurdle, float(life), delay, scrap) == pytest.approx(total + scrap * factor)


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
