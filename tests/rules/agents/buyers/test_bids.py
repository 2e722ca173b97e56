"""What buyers bid for used chips, how many they take, and with what money."""

from __future__ import annotations

import math

import numpy as np
import pytest

from agents.buyers.bids import (
    age_chips,
    believe_rents,
    bid_limit,
    buyer_limit,
    buyer_money,
    buyer_units,
    dealer_bid,
    life_left,
    peer_money,
    risk_premium,
    user_value,
    value_chips,
    value_to_best,
)
from agents.strips import believe
from agents.tables.buyers import UNLIMITED, BuyerKind
from agents.tables.operators import OperatorStatus
from tests.rules.worlds import CERTAIN, add_lot, operator_node, put, small_world

USERS = (BuyerKind.HYPERSCALER, BuyerKind.ENTERPRISE, BuyerKind.RESEARCH)


# --- dealers ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("inventory", "cap", "appraisal", "usd"),
    [
        # Spread 0.1 + 2 x 0.05; skew 0.4 times the inventory's share of the budget.
        (0.0, 0.8, 900.0, 750.0 * (1 - 0.2)),  # users pay 1,000 less a quarter at most
        (0.0, 0.8, 500.0, 500.0 * (1 - 0.2)),  # the appraisal is lower
        (0.2, 0.8, 500.0, 500.0 * (1 - 0.2 - 0.1)),
        (0.8, 0.8, 500.0, 500.0 * (1 - 0.2 - 0.4)),
        (0.0, 0.0, 500.0, 500.0 * (1 - 0.2 - 0.4)),  # no budget: full
        (4.0, 0.8, 500.0, 0.0),  # never below zero
    ],
)
def test_a_dealer_bids_resale_less_its_spread_and_less_the_fuller_it_is(inventory, cap, appraisal, usd):
    w = small_world(buyers=1, terms={"buyers_dealer_volatility": 2.0, "buyers_dealer_skew": 0.4})
    dealer = put(w.buyers[0], kind=BuyerKind.DEALER, half_spread=0.1, inventory=inventory, budget_cap=cap)
    chip = put(w.chips[0], appraisal=appraisal, fundamental=1000.0, volatility=0.05)
    assert dealer_bid(dealer, chip, 0.25, w.terms[0]) == pytest.approx(usd)
    # A dealer's limit is its bid, whatever the chip would be worth to it in use.
    assert buyer_limit(dealer, chip, 4000.0, 0.25, w.terms[0]) == pytest.approx(usd)


# --- limits, units and money -----------------------------------------------------------------------------------
def test_a_scrap_merchant_bids_a_little_over_scrap():
    w = small_world(buyers=1, terms={"buyers_scrap_bid": 1.25})
    put(w.buyers[0], kind=BuyerKind.SCRAP)
    put(w.chips[0], scrap=40.0)
    assert buyer_limit(w.buyers[0], w.chips[0], 4000.0, 0.3, w.terms[0]) == pytest.approx(1.25 * 40.0)


@pytest.mark.parametrize("kind", USERS)
@pytest.mark.parametrize(
    ("needs_liquid", "liquid", "convertible", "usd"),
    [
        (0, 0.0, 0.5, 300.0),  # 400 less a quarter
        (1, 30.0, 0.5, 300.0),  # all its power is cooled by liquid
        (1, 0.0, 0.5, 300.0 - 20.0 * 3.0),  # 3 kW are fitted at 20 each
        (1, 10.0, 0.5, 300.0 - 0.5 * 20.0 * 3.0),  # of 20 that can be cooled 10 are fitted first
        (1, 10.0, 0.25, 300.0 - 1 / 3 * 20.0 * 3.0),  # 5 of 15
        (1, 10.0, 0.0, 300.0),  # none can be fitted
        (0, 10.0, 0.5, 300.0),
    ],
)
def test_a_user_bids_value_in_use_less_the_premium_and_less_the_fitting_of_liquid_cooling(
    kind, needs_liquid, liquid, convertible, usd
):
    w = small_world(buyers=1, terms={"buyers_convertible_share": convertible})
    put(w.buyers[0], kind=kind, power=30.0, liquid=liquid, conversion=20.0)
    put(w.chips[0], power=3.0, liquid=needs_liquid)
    assert buyer_limit(w.buyers[0], w.chips[0], 400.0, 0.25, w.terms[0]) == pytest.approx(usd)


@pytest.mark.parametrize("kind", USERS)
@pytest.mark.parametrize(
    ("needs_liquid", "power", "liquid", "units"),
    [
        (0, 24.0, 9.0, 8.0),
        (0, -3.0, 0.0, 0.0),
        (1, 24.0, 9.0, (9 + 0.5 * 15) / 3),  # half of the air-cooled power can be fitted
        (1, 24.0, 3.0, (3 + 0.5 * 21) / 3),
        (1, 24.0, 2.9, (2.9 + 0.5 * 21.1) / 3),  # a little less for the first unit is a little less in all
        (1, 1.0, 2.0, 2 / 3),
    ],
)
def test_a_user_takes_what_its_free_power_runs(kind, needs_liquid, power, liquid, units):
    w = small_world(buyers=1, terms={"buyers_convertible_share": 0.5})
    put(w.buyers[0], kind=kind, power=power, liquid=liquid)
    put(w.chips[0], power=3.0, liquid=needs_liquid)
    assert buyer_units(w.buyers[0], w.chips[0], w.terms[0]) == pytest.approx(units)


@pytest.mark.parametrize("kind", [BuyerKind.DEALER, BuyerKind.SCRAP])
@pytest.mark.parametrize("needs_liquid", [0, 1])
def test_who_runs_no_chips_needs_no_power(kind, needs_liquid):
    w = small_world(buyers=1)
    put(w.buyers[0], kind=kind, power=6.0, liquid=6.0)
    put(w.chips[0], power=3.0, liquid=needs_liquid)
    assert buyer_units(w.buyers[0], w.chips[0], w.terms[0]) == UNLIMITED


@pytest.mark.parametrize(
    ("kind", "budget", "inventory", "usd"),
    [
        (BuyerKind.ENTERPRISE, 80.0, 0.0, 50.0),  # a quarter of 200 goes into one lot
        (BuyerKind.ENTERPRISE, 30.0, 0.0, 30.0),
        (BuyerKind.ENTERPRISE, 30.0, 190.0, 30.0),
        (BuyerKind.ENTERPRISE, -5.0, 0.0, 0.0),
        (BuyerKind.DEALER, 80.0, 190.0, 10.0),  # stock and purchase stay within the budget
        (BuyerKind.DEALER, 80.0, 100.0, 50.0),
        (BuyerKind.DEALER, 80.0, 230.0, 0.0),
    ],
)
def test_money_for_one_lot_is_limited_by_budget_share_and_stock(kind, budget, inventory, usd):
    w = small_world(buyers=1)
    buyer = put(w.buyers[0], kind=kind, budget=budget, budget_cap=200.0, lot_limit=0.25, inventory=inventory)
    assert buyer_money(buyer) == pytest.approx(usd)


# --- premium ---------------------------------------------------------------------------------------------------
PREMIUM = {
    "market_risk_premium": 0.02, "market_fall_weight": 2.0, "market_volatility_weight": 0.5, "market_premium_cap": 0.9,
    "market_fall_memory": 0.5, "market_fall_tolerance": 0.1,
}  # fmt: skip


@pytest.mark.parametrize(
    ("units", "log_fall", "premium"),
    [
        # 0.02 calm, twice the fall of 0.06, half the volatility of 0.2.
        (0.0, 0.3, 0.02 + 2 * 0.06 + 0.1),  # nothing traded: only the past
        (4.0, 0.3, 0.02 + 2 * (0.5 * 0.06 + 0.3 - 0.1) + 0.1),
        (0.5, 0.3, 0.02 + 2 * (0.5 * 0.06 + 0.3 - 0.1) + 0.1),
        (4.0, 0.05, 0.02 + 2 * (0.5 * 0.06) + 0.1),  # within the tolerance
        (4.0, -0.3, 0.02 + 2 * (0.5 * 0.06) + 0.1),  # a rise does not count
        (4.0, 2.0, 0.9),
    ],
)
def test_buyers_hold_back_more_after_falls_and_in_volatile_markets(units, log_fall, premium):
    w = small_world(terms=PREMIUM)
    chip = put(w.chips[0], fall=0.06, volatility=0.2, price_before=10.0 * math.exp(log_fall))
    put(chip, traded_units=units, traded_usd=10.0 * units)  # at 10 a unit
    assert risk_premium(chip, w.terms[0]) == pytest.approx(premium)


# --- values ----------------------------------------------------------------------------------------------------
def test_the_age_of_a_generation_is_the_mean_over_its_units():
    w = small_world(operators=1, chips=4)
    w.clock[0].month = 10
    w.chips.mean_age[:] = 77.0
    add_lot(w, node=0, units=30.0, chip=0, vintage=4.0)  # seized: owned by lender 0
    add_lot(w, node=operator_node(w), units=10.0, chip=0, vintage=8.0)
    add_lot(w, node=operator_node(w), units=0.5, chip=1, vintage=-5.0)
    add_lot(w, node=operator_node(w), units=5.0, chip=2, vintage=12.0)  # in service in two months
    add_lot(w, node=-1, units=40.0, chip=1, vintage=9.0)  # a free row
    w.chips[1].stock = 0.5
    with np.errstate(all="raise"):  # a generation that nobody has is no division by zero
        age_chips(w, w.clock[0])
    assert w.chips.mean_age.tolist() == pytest.approx([(30 * 6 + 10 * 2) / 40, 15.0, 0.0, 0.0])


def test_a_used_unit_lives_what_is_left_of_a_life_but_a_month_at_least():
    w = small_world(terms={"marks_asset_life": 10.0})
    for age, months in ((0.0, 10.0), (7.5, 2.5), (9.0, 1.0), (9.5, 1.0), (20.0, 1.0)):
        assert life_left(put(w.chips[0], mean_age=age), w.terms[0]) == months


#: Rents are certain and trends stay; declines from 0 to .8 in tenths, hurdle rates of 0, 1/8 and 1/4, lives of a year.
PLAIN = CERTAIN | {
    "rental_hours": 100.0, "rental_overhead": 0.0, "rental_install_lag": 0, "marks_asset_life": 12.0,
    "marks_decline_floor": 0.0, "marks_decline_cap": 0.8,
}  # fmt: skip


@pytest.mark.parametrize(
    ("decline", "hurdle", "delay", "life", "usd"),
    [
        # 2 USD x 100 h x performance 4 x half the hours x half left by overhead = 200 a month; hosting 3 kW x 10.
        (0.0, 0.0, 0, 3.0, 3 * (200 - 30) + 4),
        (0.0, 0.0, 0, 1.0, (200 - 30) + 4),
        # Installed a month later it earns 50, then 25, which does not cover hosting; scrap after two months.
        (0.5, 0.25, 1, 2.0, (50 - 30) / 1.25 + 4 / 1.25**2),
    ],
)
def test_a_user_values_the_months_that_a_unit_runs(decline, hurdle, delay, life, usd):
    w = small_world(hurdles=(0.0, 0.25), terms=PLAIN | {"rental_overhead": 0.5})
    put(w.chips[0], performance=4.0, power=3.0, scrap=4.0)
    belief = believe_rents(w.axes, w.terms[0], decline, 0.3, 0.0, hurdle, delay)
    found = user_value(w.strips, w.axes, w.chips[0], w.terms[0], 2.0, 0.5, 10.0, belief, life)
    assert found == pytest.approx(usd)


@pytest.mark.parametrize(
    ("decline", "weight", "trend", "own", "now"),
    [
        (0.02, 0.25, 0.04, 0.02, 0.25 * 0.02 + 0.75 * 0.04),
        (0.02, 0.25, 0.9, 0.02, 0.05),  # the cap
        (0.02, 0.25, -0.9, 0.02, 0.01),  # the floor
        (0.001, 1.0, 0.0, 0.01, 0.01),
        (0.9, 1.0, 0.0, 0.05, 0.05),
        (0.9, 0.0, 0.03, 0.05, 0.03),
    ],
)
def test_an_own_view_for_the_long_run_is_blended_with_the_trend_for_now_within_bounds(decline, weight, trend, own, now):
    w = small_world(
        hurdles=(0.0, 0.25),
        terms={
            "marks_decline_floor": 0.01, "marks_decline_cap": 0.05, "marks_trend_persistence": 0.5,
            "marks_rent_volatility": 0.0, "marks_asset_life": 1.0,
        },
    )  # fmt: skip
    found = believe_rents(w.axes, w.terms[0], trend, decline, weight, 0.2, 3)
    assert found == pytest.approx(believe(w.axes, own, now, 0.2, 3))


def best(*, month: int = 5, terms: dict[str, float] | None = None):
    """Return a world in which rents halve a month: 100 h at 1 USD, all sold; hosting costs 10 a unit.

    Generation 0 earns 160, is worth 70 + 30 + 10 used and is not made any more. Of 1 and 2, which earn 320 and are worth
    150 + 70 + 30 + 10, 1 comes at once for 520, twice its value; 2 costs 165 and comes a month later: 1.5 times 110.
    """
    w = small_world(
        chips=3, hurdles=(0.0, 0.25),
        terms=PLAIN | {
            "marks_reference_utilisation": 1.0, "marks_reference_hosting": 10.0, "marks_reference_hurdle": 0.0,
            "marks_reference_decline": 0.0, "marks_reference_weight": 0.0,
        } | (terms or {}),
    )  # fmt: skip
    put(w.clock[0], month=month, trend=0.5)
    put(w.chips[0], performance=1.6, end_of_sale=5)
    put(w.chips[1], performance=3.2, list_price=520.0, release=5, end_of_sale=6)
    put(w.chips[2], performance=3.2, list_price=165.0, release=5, end_of_sale=6, lead=1)
    return w


@pytest.mark.parametrize(
    ("chip", "columns", "parity"),
    [
        (0, {}, 1.5 * 110),
        (2, {"lead": 2}, 2 * 110),  # worth 40, it is dear
        (2, {"lead": 0}, 165 / 260 * 110),
        (2, {"release": 6}, 2 * 110),  # not yet on sale
        (2, {"end_of_sale": 5}, 2 * 110),  # no longer
        (1, {"list_price": 130.0}, 0.5 * 110),
        (2, {"performance": 0.08, "scrap": 0.0}, 2 * 110),  # it would never run and is worth nothing
        (2, {"performance": 0.08, "scrap": 330.0}, 0.5 * 110),  # nothing but its scrap
        (2, {"performance": 0.08, "scrap": 0.4, "list_price": 0.1}, 0.25 * 110),
        (0, {"mean_age": 11.0}, 1.5 * 70),  # a month left
        (0, {"mean_age": 11.0, "performance": 0.08}, 0.0),
    ],
)
def test_at_parity_a_used_unit_costs_what_the_best_new_one_on_sale_does_for_the_same_value(chip, columns, parity):
    w = best()
    put(w.chips[chip], **columns)
    with np.errstate(all="raise"):
        value_to_best(w, w.clock[0])
    assert w.chips[0].parity == pytest.approx(parity)
    if "mean_age" not in columns:
        assert w.chips[0].fundamental == pytest.approx(110.0)


def test_every_generation_is_compared_with_the_same_new_chip_new_ones_too():
    w = best()
    value_to_best(w, w.clock[0])
    assert w.chips.fundamental.tolist() == pytest.approx([110.0, 260.0, 260.0])
    assert w.chips.parity.tolist() == pytest.approx([165.0, 390.0, 390.0])


@pytest.mark.parametrize("performance", [1.6, 0.0])
def test_nothing_on_sale_is_no_limit_not_even_for_a_chip_that_is_worth_nothing(performance):
    w = best(month=6)
    w.chips[0].performance = performance
    with np.errstate(all="raise"):
        value_to_best(w, w.clock[0])
    assert w.chips[0].fundamental == pytest.approx(110.0 if performance else 0.0)
    assert (w.chips.parity > 1e11).all()


def test_the_best_user_installs_used_chips_and_blends_beliefs_as_marks_say():
    w = best(terms={"rental_install_lag": 1, "marks_reference_weight": 0.25, "marks_reference_decline": 0.8})
    w.clock[0].trend = 0.4  # half of it in all
    value_to_best(w, w.clock[0])
    # A month later, 80, 40, 20 and 10.
    assert w.chips[0].fundamental == pytest.approx(30 + 10)
    # The new ones as before: their wait is in the queue.
    assert w.chips[0].parity == pytest.approx(1.5 * 40)


def one_month(performance, power, utilisation, hosting, hurdle, decline):
    """Return the value of a month's use at 1 USD an hour of a month of 100 hours, without overhead and scrap."""
    return (100.0 * performance * utilisation * (1.0 - decline) - hosting * power) / (1.0 + hurdle)


@pytest.mark.parametrize(
    ("trend", "reference", "first", "second", "enterprise"),
    [
        # Own belief and trend, half and half, three to one, one to three; a quarter and three quarters.
        (0.2, 0.25 * 0.4 + 0.75 * 0.2, 0.5 * 0.1 + 0.5 * 0.2, 0.75 * 0.3 + 0.25 * 0.2, 0.25 * 0.6 + 0.75 * 0.2),
        (9.0, 0.6, 0.6, 0.6, 0.6),
        (-9.0, 0.05, 0.05, 0.05, 0.05),
    ],
)
def test_each_bidder_values_each_generation_by_its_own_costs_and_beliefs(trend, reference, first, second, enterprise):
    w = small_world(
        operators=3, buyers=2, chips=3, hurdles=(0.0, 0.5),
        terms=PLAIN | {
            "marks_asset_life": 1.0, "marks_decline_floor": 0.05, "marks_decline_cap": 0.6, "marks_reference_decline": 0.4,
            "marks_reference_weight": 0.25, "marks_reference_utilisation": 0.9, "marks_reference_hosting": 6.0,
            "marks_reference_hurdle": 0.25,
        },
    )  # fmt: skip
    w.clock[0].trend = trend
    traits = ("utilisation", "hosting", "hurdle", "decline", "own_weight")
    put(w.operators[0], **dict(zip(traits, (0.8, 7.0, 0.5, 0.1, 0.5), strict=True)))
    put(w.operators[1], **dict(zip(traits, (0.7, 8.0, 0.0, 0.3, 0.75), strict=True)))
    put(w.operators[2], status=OperatorStatus.DEFAULTED, utilisation=0.8)
    put(w.buyers[0], **dict(zip(traits, (0.6, 9.0, 0.25, 0.6, 0.25), strict=True)))
    put(w.buyers[1], kind=BuyerKind.DEALER, utilisation=0.0)
    kinds = ((4.0, 3.0), (8.0, 5.0), (6.0, 4.0))
    for chip, (performance, power), stock in zip(w.chips, kinds, (10.0, 0.5, 0.0), strict=True):
        put(chip, performance=performance, power=power, stock=stock)
    w.value[:] = -1.0
    value_chips(w, w.clock[0])
    best_user = [one_month(*kind, 0.9, 6.0, 0.25, reference) for kind in kinds]
    assert w.chips.fundamental.tolist() == pytest.approx(best_user)
    # Of the third generation nothing is left to bid for; whoever is in default or runs no chips values none.
    idle = [-1.0, -1.0, -1.0]
    for bidder, values in enumerate([
        [*(one_month(*kind, 0.8, 7.0, 0.5, first) for kind in kinds[:2]), -1.0],
        [*(one_month(*kind, 0.7, 8.0, 0.0, second) for kind in kinds[:2]), -1.0],
        idle,
        [*(one_month(*kind, 0.6, 9.0, 0.25, enterprise) for kind in kinds[:2]), -1.0],
        idle,
        idle,
    ]):  # fmt: skip
        assert w.value[bidder].tolist() == pytest.approx(values)


def test_bidders_install_what_they_buy_and_value_the_age_that_the_units_have_now():
    terms = {"marks_reference_utilisation": 0.5, "marks_reference_hosting": 10.0, "marks_reference_hurdle": 0.0}
    w = small_world(
        buyers=1, hurdles=(0.0, 0.25), terms=PLAIN | terms | {"marks_asset_life": 3.0, "rental_install_lag": 1}
    )
    put(w.clock[0], month=2, trend=0.5)
    w.terms[0].marks_reference_decline, w.terms[0].marks_reference_weight = 0.2, 1.0
    put(w.operators[0], utilisation=1.0, hosting=5.0)
    put(w.buyers[0], utilisation=1.0, hosting=10.0)
    w.operators[0].decline = w.buyers[0].decline = 0.4
    w.operators[0].own_weight = w.buyers[0].own_weight = 0.0
    add_lot(w, node=operator_node(w), vintage=0.0)
    value_chips(w, w.clock[0])
    # One month is left, not three, and it is the second from now.
    assert w.chips[0].fundamental == pytest.approx(50 * 0.8**2 - 10)
    assert w.value[:2, 0].tolist() == pytest.approx([25 - 5, 25 - 10])


def bidders():
    """Operator 1 values generation 1 at 400, the enterprise (buyer 1) at 500, all else at 7; at parity it costs 290.

    Buyers, not operators, fit liquid cooling for it at 10 USD.
    """
    w = small_world(operators=2, buyers=2, chips=2, terms={"buyers_scrap_bid": 1.5, "buyers_convertible_share": 0.5})
    put(w.buyers[0], kind=BuyerKind.SCRAP)
    w.buyers.power[:] = 30.0
    put(w.buyers[1], kind=BuyerKind.ENTERPRISE)
    w.buyers.conversion[:] = 5.0
    put(w.chips[1], parity=290.0, scrap=20.0, liquid=1, power=2.0)
    w.value[:] = 7.0
    w.value[1, 1], w.value[3, 1] = 400.0, 500.0
    return w


@pytest.mark.parametrize(
    ("bidder", "parity", "usd"),
    [
        (0, 290.0, 7.0 * 0.75),
        (1, 290.0, 290.0),  # nobody pays more for a used one than a new one costs for the same
        (1, 1e12, 400.0 * 0.75),
        (2, 290.0, 1.5 * 20.0),
        (2, 12.0, 1.5 * 20.0),  # who scraps it does not compare
        (3, 290.0, 290.0),
        (3, 1e12, 500.0 * 0.75 - 10.0),
    ],
)
def test_a_bid_is_the_value_less_the_premium_and_at_most_parity(bidder, parity, usd):
    w = bidders()
    w.chips[1].parity = parity
    assert bid_limit(w, w.clock[0], w.terms[0], bidder, 1, 0.25) == pytest.approx(usd)


@pytest.mark.parametrize(
    ("cash", "usd"),
    [(500.0, 0.4 * (500 - 3 * (20 + 30))), (150.0, 0.0), (100.0, 0.0)],
)
def test_an_operator_bids_with_part_of_its_spare_cash(cash, usd):
    w = small_world(terms={"market_peer_cash": 0.4, "credit_cash_reserve": 3.0})
    op = put(w.operators[0], cash=cash, overheads=20.0, due=30.0)
    assert peer_money(op, w.terms[0]) == pytest.approx(usd)
