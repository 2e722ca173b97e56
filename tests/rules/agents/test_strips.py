"""What running a chip is worth: a strip of monthly options read off a grid, against the strip itself in plain Python."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest

from agents.strips import (
    AXES,
    CELL,
    DECLINES,
    DISCOUNT,
    FELT,
    HURDLES,
    LIVES,
    RATIO,
    RATIOS,
    believe,
    fill_lives,
    fill_rest,
    fill_strips,
    node_below,
    normal_cdf,
    option_to_run,
    place_on,
    ratio_at,
    strip_value,
    worth_of_cell,
)


# --- the strip itself, month by month --------------------------------------------------------------------------
def option(ratio: float, s: float) -> float:
    """Return E max(Y - 1, 0), Y log-normal with mean ``ratio`` (Black 1976)."""
    if s == 0.0:
        return max(0.0, ratio - 1.0)
    d = math.log(ratio) / s + 0.5 * s
    return ratio * 0.5 * (1.0 + math.erf(d / math.sqrt(2.0))) - 0.5 * (1.0 + math.erf((d - s) / math.sqrt(2.0)))


def node(i):
    """Return the ratio of rent to cost at node ``i``: eight even steps in each octave from 1/4 on."""
    return 2.0 ** (i // 8 - 2) * (1.0 + i % 8 / 8)


def strip(rent, cost, life, scrap, *, own, trend, hurdle, delay=0, persistence=1.0, volatility=0.0, months=24.0):
    """Return the value of a whole number of months, each at the rent that is believed in for it."""
    total = 0.0
    for k in range(1, life + 1):
        passed = k + delay
        felt = passed if persistence == 1.0 else (1.0 - persistence**passed) / (1.0 - persistence)
        expected = rent * (1.0 - own) ** passed * math.exp(-(trend - own) * felt)
        if persistence == 1.0:
            expected = rent * (1.0 - trend) ** passed
        total += cost * option(expected / cost, volatility * math.sqrt(min(k, months))) / (1.0 + hurdle) ** k
    return max(scrap, total + scrap / (1.0 + hurdle) ** life)


@cache
def grid(hurdles=(0.0, 0.25), declines=(0.0, 0.8), life=12.0, volatility=0.0, months=24.0, persistence=1.0):
    """Return (strips, axes): hurdle rates 0, 1/8 and 1/4, declines 0, .1, ... .8, lives 0, 1, ... 12 unless said."""
    strips, axes = np.zeros(HURDLES * DECLINES * LIVES * CELL), np.zeros(AXES)
    nodes = (np.linspace(*hurdles, HURDLES), np.linspace(*declines, DECLINES), np.linspace(0.0, life, LIVES))
    fill_strips(strips, axes, *nodes, volatility, months, persistence)
    return strips, axes


def value(
    rent=160.0, cost=10.0, life=12.0, scrap=0.0, *, own=0.5, trend=0.5, hurdle=0.0, delay=0, on=None
) -> float:  # fmt: skip
    """Return the value that is read off a grid."""
    strips, axes = on or grid()
    return strip_value(strips, axes, believe(axes, own, trend, hurdle, delay), rent, cost, life, scrap)


# --- options ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("x", "p"), [(0.0, 0.5), (1.0, 0.841344746), (-1.0, 0.158655254), (1.959964, 0.975), (9.0, 1.0)])  # fmt: skip
def test_the_normal_distribution_is_that_of_the_tables(x, p):
    assert normal_cdf(x) == pytest.approx(p, abs=1e-7)


@pytest.mark.parametrize(
    ("ratio", "s", "worth"),
    [
        (3.0, 0.0, 2.0),
        (1.0, 0.0, 0.0),
        (0.4, 0.0, 0.0),  # it does not run
        (1.0, 0.2, 2.0 * 0.5398278 - 1.0),  # at the money N(s/2) - N(-s/2)
        (2.0, 0.5, 2.0 * 0.9491110 - 0.8720833),  # d = ln 2/.5 + .25 = 1.636294, less .5 = 1.136294
    ],
)
def test_the_option_to_run_is_worth_what_black_says(ratio, s, worth):
    assert option_to_run(ratio, s) == pytest.approx(worth, abs=1e-6)


@pytest.mark.parametrize("ratio", [0.3, 0.9, 1.7, 20.0])
@pytest.mark.parametrize("s", [0.05, 0.4])
def test_an_option_to_run_is_worth_the_margin_and_the_right_to_stop(ratio, s):
    # The right to stop is the same option seen from the other side: y C(1/y).
    assert option_to_run(ratio, s) == pytest.approx(ratio - 1.0 + ratio * option_to_run(1.0 / ratio, s))
    assert max(0.0, ratio - 1.0) < option_to_run(ratio, s) + 1e-12 < option_to_run(ratio, 2.0 * s) + 1e-9


# --- nodes -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("i", "ratio"), [(0, 0.25), (8, 0.5), (16, 1.0), (20, 1.5), (23, 1.875), (31, 3.75), (33, 4.5), (64, 64.0)]
)
def test_ratios_of_rent_to_cost_run_from_a_quarter_to_64_in_eight_even_steps_an_octave(i, ratio):
    assert ratio_at(i) == pytest.approx(ratio, rel=1e-14)


@pytest.mark.parametrize(
    ("ratio", "i"),
    [
        (0.25, 0),
        (0.28125, 1),
        (1.0, 16),
        (1.124, 16),
        (1.125, 17),
        (1.9, 23),
        (2.1, 24),
        (2.26, 25),
        (63.0, 63),
        (64.0, 64),
    ],
)
def test_the_node_below_a_ratio(ratio, i):
    assert node_below(ratio) == i


@pytest.mark.parametrize(
    ("value", "place"), [(0.02, 0.0), (0.025, 0.5), (0.035, 1.5), (0.06, 4.0), (0.5, 4.0), (0.0, 0.0), (-3.0, 0.0)]
)
def test_a_place_on_an_axis_is_kept_between_its_ends(value, place):
    # Five nodes from .02 on, a hundredth apart.
    assert place_on(value, 0.02, 100.0, 5) == pytest.approx(place)


def test_between_two_ratios_worth_is_linear():
    strips = np.array([9.0, 2.0, 6.0, 9.0])
    assert [worth_of_cell(strips, 1, part) for part in (0.0, 0.25, 1.0)] == [2.0, 3.0, 6.0]


# --- one cell --------------------------------------------------------------------------------------------------
def lives_filled(lives, *, hurdle=0.25, decline=0.5, ratio=16.0, volatility=0.0, months=24.0):
    cells = np.full((len(lives), 3), 7.0)
    fill_lives(cells, 1, np.array(lives), hurdle, decline, ratio, volatility, months)
    assert (cells[:, [0, 2]] == 7.0).all()
    return cells[:, 1].tolist()


#: Rents over costs of 8, 4, 2, 1 leave 7, 3, 1, 0; a month leaves .8 of a dollar's worth: 5.6, 1.92, .512, 0.
MONTHS = (7 * 0.8, 3 * 0.8**2, 1 * 0.8**3, 0.0)


@pytest.mark.parametrize(
    ("lives", "worth"),
    [
        ([0.0, 1.0, 2.0, 3.0, 4.0], [0.0, 5.6, 7.52, 8.032, 8.032]),
        ([0.0, 2.5, 5.0], [0.0, 7.52 + 0.5 * 0.512, 8.032]),  # half of the third month
        ([0.25, 0.75, 1.0, 1.5], [0.25 * 5.6, 0.75 * 5.6, 5.6, 5.6 + 0.5 * 1.92]),  # several lives in a month
        ([0.0, 3.0], [0.0, 8.032]),
    ],
)
def test_a_life_is_worth_its_months_and_the_part_of_the_last(lives, worth):
    assert sum(MONTHS) == pytest.approx(8.032)
    assert lives_filled(lives) == pytest.approx(worth)


def test_months_far_ahead_are_as_uncertain_as_the_months_allow_and_no_more():
    found = lives_filled([0.0, 1.0, 4.0, 9.0], hurdle=0.0, decline=0.25, ratio=4.0, volatility=0.3, months=4.0)
    each = [option(4.0 * 0.75**k, 0.3 * math.sqrt(min(k, 4))) for k in range(1, 10)]
    assert found == pytest.approx([0.0, each[0], sum(each[:4]), sum(each)])


def test_an_idle_chip_of_certain_rents_is_worth_nothing_and_one_of_uncertain_rents_something():
    assert lives_filled([6.0], ratio=0.5) == [0.0]
    assert lives_filled([6.0], ratio=0.5, volatility=0.3)[0] > 0.0


def rest(lives, *, hurdle=0.25, decline=0.5, persistence=0.5):
    cells = np.full((len(lives), CELL), 7.0)
    fill_rest(cells, np.array(lives), hurdle, decline, persistence)
    assert (cells[:, :RATIOS] == 7.0).all()
    return cells[:, DISCOUNT].tolist(), cells[:, FELT].tolist()


def test_scrap_is_worth_less_the_later_it_is_sold():
    discount, _ = rest([0.0, 1.0, 2.0, 2.5])
    assert discount == pytest.approx([1.0, 0.8, 0.64, 0.64 * 0.9])


def test_a_passing_trend_is_felt_as_much_as_the_months_count_in_which_it_has_passed():
    _, felt = rest([0.0, 1.0, 2.0, 2.9, 3.0])
    # Months count .4, .16, .064; of the trend .5, .75, .875 are through. A life below a month counts as one.
    two = (0.4 * 0.5 + 0.16 * 0.75) / 0.56
    three = (0.4 * 0.5 + 0.16 * 0.75 + 0.064 * 0.875) / 0.624
    assert felt == pytest.approx([0.5, 0.5, two, two, three])


# --- the grid --------------------------------------------------------------------------------------------------
def test_the_axes_say_where_the_nodes_are():
    _, axes = grid(declines=(0.1, 0.9), hurdles=(0.02, 0.27), life=24.0, persistence=0.7)
    # Hurdle rates an eighth apart, declines a tenth, lives two months.
    assert axes[:RATIO].tolist() == pytest.approx([0.02, 8.0, 0.1, 10.0, 0.5, 0.7])
    assert axes[RATIO:].tolist() == pytest.approx([node(i) for i in range(RATIOS)])


def test_every_cell_is_the_strip_of_its_node():
    strips, _ = grid(volatility=0.2, months=3.0, persistence=0.5)
    cells = strips.reshape((HURDLES, DECLINES, LIVES, CELL))
    for h, d, n, i in ((0, 0, 12, 16), (2, 1, 5, 30), (1, 8, 3, 64), (2, 4, 0, 40), (0, 8, 12, 0)):
        hurdle, decline, ratio = h / 8, d / 10, node(i)
        own = {"own": decline, "trend": decline, "hurdle": hurdle, "volatility": 0.2, "months": 3.0}
        assert cells[h, d, n, i] == pytest.approx(strip(ratio, 1.0, n, 0.0, **own), abs=1e-12)
        assert cells[h, d, n, DISCOUNT] == pytest.approx((1.0 + hurdle) ** -n)
    # Half a trend is felt in the first month, whatever the rest.
    assert cells[:, :, 1, FELT] == pytest.approx(np.full((HURDLES, DECLINES), 0.5))


# --- beliefs ---------------------------------------------------------------------------------------------------
def believed(*, own=0.25, trend=0.25, hurdle=0.125, delay=0, persistence=0.5):
    """Return (hurdle node, decline node, parts of the way to the next, start, passing) on hurdles of eighths, declines of tenths."""
    _, axes = grid(persistence=persistence)
    corner, h, d, start, passing = believe(axes, own, trend, hurdle, delay)
    node, rest_ = divmod(corner, LIVES * CELL)
    assert rest_ == 0
    return (*divmod(node, DECLINES), *(pytest.approx(float(x)) for x in (h, d, start, passing)))


@pytest.mark.parametrize(
    ("case", "found"),
    [
        ({}, (1, 2, 0.0, 0.5, 1.0, 0.0)),
        ({"hurdle": 0.0}, (0, 2, 0.0, 0.5, 1.0, 0.0)),
        ({"hurdle": 0.15625}, (1, 2, 0.25, 0.5, 1.0, 0.0)),
        ({"hurdle": 0.25}, (1, 2, 1.0, 0.5, 1.0, 0.0)),  # the last node is reached from the last but one
        ({"hurdle": 0.9}, (1, 2, 1.0, 0.5, 1.0, 0.0)),
        ({"own": 0.0, "trend": 0.0}, (1, 0, 0.0, 0.0, 1.0, 0.0)),
        ({"own": 0.8, "trend": 0.8}, (1, 7, 0.0, 1.0, 1.0, 0.0)),
        # A trend of .35 where .25 is believed in adds .1, half as much each month: .2 in all.
        ({"trend": 0.35}, (1, 2, 0.0, 0.5, 1.0, 0.2)),
        ({"trend": 0.15}, (1, 2, 0.0, 0.5, 1.0, -0.2)),
        # Two months later the rent has fallen twice, three quarters of the trend are through, a quarter is to come.
        ({"trend": 0.35, "delay": 2}, (1, 2, 0.0, 0.5, 0.75**2 * math.exp(-0.15), 0.05)),
        ({"delay": 3}, (1, 2, 0.0, 0.5, 0.75**3, 0.0)),
        # A trend that stays for ever is what is believed in.
        ({"trend": 0.35, "persistence": 1.0}, (1, 3, 0.0, 0.5, 1.0, 0.0)),
        ({"trend": 0.35, "delay": 2, "persistence": 1.0}, (1, 3, 0.0, 0.5, 0.65**2, 0.0)),
        # One that is over at once costs its one month.
        ({"trend": 0.35, "persistence": 0.0}, (1, 2, 0.0, 0.5, 1.0, 0.1)),
        ({"trend": 0.35, "delay": 1, "persistence": 0.0}, (1, 2, 0.0, 0.5, 0.75 * math.exp(-0.1), 0.0)),
    ],
)
def test_a_belief_is_a_place_on_the_grid_what_is_left_of_the_rent_and_what_the_trend_will_take(case, found):
    assert believed(**case) == found


# --- values that can be worked out by head ---------------------------------------------------------------------
@pytest.mark.parametrize(
    ("case", "usd"),
    [
        # The rent halves every month: 80, 40, 20, 10, 5; a month costs 10.
        ({}, 70 + 30 + 10),
        ({"life": 2.0}, 70 + 30),
        ({"life": 1.5}, 70 + 0.5 * 30),
        ({"life": 0.0, "scrap": 3.0}, 3.0),
        ({"life": 40.0}, 70 + 30 + 10),  # no longer than the axis
        ({"hurdle": 0.25}, 70 * 0.8 + 30 * 0.64 + 10 * 0.512),
        ({"hurdle": 0.25, "life": 2.0, "scrap": 50.0}, 70 * 0.8 + (30 + 50) * 0.64),
        # Half-way between two nodes: the mean of what is worth 110 and, at .8 a month, what is worth 80.32.
        ({"hurdle": 0.0625}, 0.5 * 110 + 0.5 * sum(x / 1.125**k for k, x in ((1, 70), (2, 30), (3, 10)))),
        ({"hurdle": 0.0625, "life": 1.0, "scrap": 50.0}, 0.5 * (1 + 1 / 1.125) * 120),
        ({"own": 0.0, "trend": 0.0, "life": 3.0}, 3 * 150),
        ({"own": 0.0, "trend": 0.0, "life": 3.0, "scrap": 5.0}, 3 * 150 + 5),
        # Between declines of 0 and .1 linearly as well: one month at 160 and one at 144.
        ({"own": 0.05, "trend": 0.05, "life": 1.0}, 152 - 10),
        ({"own": 0.025, "trend": 0.025, "life": 1.0}, 156 - 10),
        # At the last node of every axis: 32, then less than the cost.
        ({"own": 0.8, "trend": 0.8, "hurdle": 0.25}, 22 * 0.8),
        # The trend, not the own view, when trends stay; it starts two months later at 40.
        ({"own": 0.1}, 70 + 30 + 10),
        ({"delay": 2}, 10),
        # Scrap is worth more than the two months that it could run.
        ({"delay": 2, "scrap": 4.0}, 10 + 4),
        ({"life": 2.0, "scrap": 300.0, "hurdle": 0.25}, 300.0),
        # Nothing earned, nothing paid.
        ({"rent": 0.0, "scrap": 3.0}, 3.0),
        ({"rent": 0.0}, 0.0),
        ({"rent": 0.0, "cost": 0.0, "scrap": 3.0}, 3.0),
        ({"rent": -5.0, "scrap": 3.0}, 3.0),
        # In cents: no threshold has a size.
        ({"rent": 1.6, "cost": 0.1}, 1.1),
        # Rents below cost: nothing, but for a trace below the least node.
        ({"rent": 10.0}, 0.0),
        ({"rent": 1.0, "scrap": 3.0}, 3.0),
    ],
)
def test_certain_rents_are_worth_their_margins_while_they_cover_the_cost(case, usd):
    assert value(**case) == pytest.approx(usd, abs=1e-12)


def test_beyond_the_last_ratio_costs_are_next_to_nothing():
    # A rent of 6,400 against a cost of 10 is taken for one against 100: 64 to one.
    stands = {"own": 0.0, "trend": 0.0, "life": 1.0}
    assert value(640.0, 10.0, **stands) == pytest.approx(630.0)
    assert value(6400.0, 10.0, **stands) == value(6400.0, 0.0, **stands) == pytest.approx(6300.0)


def test_below_the_first_ratio_an_option_is_worth_in_proportion_to_the_rent():
    on = grid(declines=(0.0, 0.1), volatility=0.5)
    stands = {"own": 0.0, "trend": 0.0, "on": on}
    first = value(2.5, 10.0, **stands)
    assert first > 0.0
    assert [value(usd, 10.0, **stands) for usd in (1.25, 0.25)] == pytest.approx([first / 2, first / 10])


@pytest.mark.parametrize("i", [0, 1, 20, 62, 63, 64])
def test_at_its_nodes_the_grid_is_the_strip(i):
    rent = 10.0 * node(i)
    exact = strip(rent, 10.0, 6, 0.5, own=0.5, trend=0.5, hurdle=0.125, volatility=0.4)
    found = value(rent, 10.0, 6.0, 0.5, hurdle=0.125, on=grid(volatility=0.4))
    assert found == pytest.approx(exact, rel=1e-12)


def test_between_nodes_of_ratio_decline_life_and_hurdle_values_are_linear():
    on = grid(declines=(0.0, 0.1), volatility=0.4, persistence=1.0)
    corners = {}
    for h in (0.0, 0.125):
        for d in (0.0125, 0.025):
            for n in (4.0, 5.0):
                for i in (20, 21):
                    rent = 10.0 * node(i)
                    corners[h, d, n, i] = value(rent, 10.0, n, 2.0, own=d, trend=d, hurdle=h, on=on)
    middle = 10.0 * (0.75 * node(20) + 0.25 * node(21))
    found = value(middle, 10.0, 4.75, 2.0, own=0.015, trend=0.015, hurdle=0.05, on=on)
    parts = {0.0: 0.6, 0.125: 0.4, 0.0125: 0.8, 0.025: 0.2, 4.0: 0.25, 5.0: 0.75, 20: 0.75, 21: 0.25}
    assert found == pytest.approx(sum(math.prod(parts[x] for x in node) * usd for node, usd in corners.items()))


def test_of_a_passing_trend_a_strip_feels_the_mean_over_its_life():
    on = grid(persistence=0.5)
    # At a trend of .7 where .5 is believed in, .4 passes. Lives of one and two months feel .5 and (.5 + .5 x .75)/1.5.
    one, two = 0.5, (0.5 * 0.5 + 0.25 * 0.75) / 0.75
    for life, felt in ((1.0, one), (2.0, two), (1.5, (one + two) / 2)):
        as_if = value(160.0 * math.exp(-0.4 * felt), life=life, trend=0.5, on=on)
        assert value(life=life, trend=0.7, on=on) == pytest.approx(as_if)
    # With a hurdle of 1/4 between nodes of hurdle, that of the lower one.
    assert value(life=2.0, trend=0.7, hurdle=0.0625, on=on) == pytest.approx(
        value(160.0 * math.exp(-0.4 * two), life=2.0, hurdle=0.0625, on=on)
    )


# --- against the strip itself ----------------------------------------------------------------------------------
#: Beliefs as agents have them, over four years.
AGENTS = {"hurdles": (0.005, 0.03), "declines": (0.002, 0.05), "life": 48.0, "volatility": 0.07, "persistence": 0.85}


@pytest.mark.parametrize("own", [0.006, 0.014])
@pytest.mark.parametrize("trend", [0.002, 0.013, 0.045])
@pytest.mark.parametrize("hurdle", [0.009, 0.021])
@pytest.mark.parametrize(("life", "delay"), [(12, 0), (29, 2), (48, 4)])
def test_the_grid_is_near_the_strip_where_the_chip_is_worth_well_more_than_scrap(own, trend, hurdle, life, delay):
    on = grid(**AGENTS)
    for ratio in (2.0, 3.3, 8.1, 30.0):
        exact = strip(
            140.0 * ratio, 140.0, life, 300.0, own=own, trend=trend, hurdle=hurdle, delay=delay, persistence=0.85,
            volatility=0.07,
        )  # fmt: skip
        found = value(140.0 * ratio, 140.0, float(life), 300.0, own=own, trend=trend, hurdle=hurdle, delay=delay, on=on)
        if exact > 1500.0:
            assert found == pytest.approx(exact, rel=0.03)
        assert found >= 300.0


@pytest.mark.parametrize("decline", [0.0, 0.1, 0.2])
@pytest.mark.parametrize("hurdle", [0.0, 0.125, 0.25])
@pytest.mark.parametrize("delay", [0, 3])
@pytest.mark.parametrize("life", [1, 7, 12])
def test_without_uncertainty_and_with_trends_that_stay_a_strip_in_the_money_is_two_geometric_sums(
    decline, hurdle, delay, life
):
    # Sixty times the cost at first, at .8 a month still twice the cost in month 15.
    rent, cost, scrap = 3000.0, 50.0, 40.0
    keep = (1.0 - decline) / (1.0 + hurdle)
    earned = rent * (1.0 - decline) ** delay
    earned *= life if keep == 1.0 else keep * (1.0 - keep**life) / (1.0 - keep)
    spent = cost * life if hurdle == 0.0 else cost * (1.0 - (1.0 + hurdle) ** -life) / hurdle
    usd = earned - spent + scrap * (1.0 + hurdle) ** -life
    case = {"own": decline, "trend": decline, "hurdle": hurdle, "delay": delay}
    assert value(rent, cost, float(life), scrap, **case) == pytest.approx(usd)


def test_deep_in_the_money_uncertainty_is_worth_nothing_and_near_the_cost_much():
    certain, uncertain = grid(**AGENTS | {"volatility": 0.0}), grid(**AGENTS)
    stands = {"own": 0.014, "trend": 0.014, "hurdle": 0.0175, "life": 24.0}
    assert value(8000.0, 140.0, on=uncertain, **stands) == pytest.approx(value(8000.0, 140.0, on=certain, **stands))
    assert value(150.0, 140.0, on=uncertain, **stands) > 3.0 * value(150.0, 140.0, on=certain, **stands)


@pytest.mark.parametrize("money", [1e-3, 7.0, 1e6])
def test_values_in_other_money_are_the_same_values(money):
    for rent, scrap in ((900.0, 300.0), (100.0, 300.0), (30.0, 2.0), (20_000.0, 5.0)):
        case = {"own": 0.014, "trend": 0.03, "hurdle": 0.012, "delay": 2, "life": 31.5, "on": grid(**AGENTS)}
        usd = value(rent, 140.0, scrap=scrap, **case)
        assert value(money * rent, money * 140.0, scrap=money * scrap, **case) == pytest.approx(money * usd, rel=1e-11)


def test_value_rises_with_rent_life_and_scrap_and_falls_with_cost_hurdle_decline_and_delay():
    base = {
        "rent": 500.0, "cost": 140.0, "life": 30.0, "scrap": 100.0, "own": 0.014, "trend": 0.02, "hurdle": 0.012, "delay": 2,
        "on": grid(**AGENTS),
    }  # fmt: skip
    up = {"rent": (60.0, 12_000.0), "life": (5.0, 48.0), "scrap": (0.0, 900.0)}
    down = {
        "cost": (10.0, 900.0),
        "hurdle": (0.005, 0.03),
        "own": (0.002, 0.05),
        "trend": (0.002, 0.05),
        "delay": (0, 9),
    }
    for name, (first, last) in (up | down).items():
        steps = range(first, last + 1) if name == "delay" else np.linspace(first, last, 40)
        found = [value(**base | {name: step}) for step in steps]
        assert found[-1] != found[0]
        assert found == sorted(found, reverse=name in down), name
