"""What buyers bid for used chips, how many they take, and with what money."""

from __future__ import annotations

import math

import numpy as np
import pytest

from agents.buyers.bids import (
    age_chips,
    bid_limit,
    buyer_limit,
    buyer_money,
    buyer_units,
    dealer_bid,
    risk_premium,
    user_value,
    value_chips,
)
from agents.tables.buyers import UNLIMITED, BuyerKind
from agents.tables.operators import OperatorStatus
from tests.rules.worlds import add_lot, operator_node, small_world

USERS = (BuyerKind.HYPERSCALER, BuyerKind.ENTERPRISE, BuyerKind.RESEARCH)


def put(row, **columns: float):
    for name, value in columns.items():
        setattr(row, name, value)
    return row


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
        (1, 0.0, 0.0, 300.0),
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


@pytest.mark.parametrize(
    ("decline", "hurdle", "lag", "age", "usd"),
    [
        # 2 USD x 100 h x performance 4 x half the hours x half left by overhead = 200 a month; hosting 3 kW x 10.
        (0.0, 0.0, 0, 7.0, 3 * (200 - 30) + 4),  # three months left of ten
        (0.0, 0.0, 0, 20.0, (200 - 30) + 4),  # old ones have a month
        (0.5, 0.25, 1, 2.0, (50 - 30 + 4) / 1.25),  # installed a month later: 50 pays, 25 does not
    ],
)
def test_a_user_values_what_is_left_of_a_used_unit(decline, hurdle, lag, age, usd):
    terms = {"rental_hours": 100.0, "rental_overhead": 0.5, "marks_asset_life": 10.0, "rental_install_lag": lag}
    w = small_world(terms=terms)
    w.clock[0].rent = 2.0
    put(w.chips[0], performance=4.0, power=3.0, scrap=4.0, mean_age=age)
    assert user_value(w.chips[0], w.terms[0], w.clock[0], 0.5, 10.0, hurdle, decline) == pytest.approx(usd)


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
        operators=3, buyers=2, chips=3,
        terms={
            "rental_hours": 100.0, "rental_overhead": 0.0, "rental_install_lag": 0, "marks_asset_life": 1.0,
            "marks_decline_floor": 0.05, "marks_decline_cap": 0.6, "marks_reference_decline": 0.4,
            "marks_reference_weight": 0.25, "marks_reference_utilisation": 0.9, "marks_reference_hosting": 2.0,
            "marks_reference_hurdle": 0.125,
        },
    )  # fmt: skip
    w.clock[0].trend = trend
    traits = ("utilisation", "hosting", "hurdle", "decline", "own_weight")
    put(w.operators[0], **dict(zip(traits, (0.8, 3.0, 0.25, 0.1, 0.5), strict=True)))
    put(w.operators[1], **dict(zip(traits, (0.7, 4.0, 0.5, 0.3, 0.75), strict=True)))
    put(w.operators[2], status=OperatorStatus.DEFAULTED, utilisation=0.8)
    put(w.buyers[0], **dict(zip(traits, (0.6, 5.0, 0.75, 0.6, 0.25), strict=True)))
    put(w.buyers[1], kind=BuyerKind.DEALER, utilisation=0.0)
    kinds = ((4.0, 3.0), (8.0, 5.0), (6.0, 2.0))
    for chip, (performance, power), stock in zip(w.chips, kinds, (10.0, 0.5, 0.0), strict=True):
        put(chip, performance=performance, power=power, stock=stock)
    w.value[:] = -1.0
    value_chips(w, w.clock[0])
    best = [one_month(*kind, 0.9, 2.0, 0.125, reference) for kind in kinds]
    assert w.chips.fundamental.tolist() == pytest.approx(best)
    # Of the third generation nothing is left to bid for; whoever is in default or runs no chips values none.
    idle = [-1.0, -1.0, -1.0]
    for bidder, values in enumerate([
        [*(one_month(*kind, 0.8, 3.0, 0.25, first) for kind in kinds[:2]), -1.0],
        [*(one_month(*kind, 0.7, 4.0, 0.5, second) for kind in kinds[:2]), -1.0],
        idle,
        [*(one_month(*kind, 0.6, 5.0, 0.75, enterprise) for kind in kinds[:2]), -1.0],
        idle,
        idle,
    ]):  # fmt: skip
        assert w.value[bidder].tolist() == pytest.approx(values)


def test_values_are_of_the_age_that_the_units_have_now():
    terms = {
        "rental_hours": 100.0, "rental_overhead": 0.0, "rental_install_lag": 0, "marks_asset_life": 3.0,
        "marks_reference_utilisation": 0.5, "marks_reference_hosting": 10.0, "marks_reference_hurdle": 0.0,
        "marks_decline_floor": 0.0, "marks_decline_cap": 0.0,
    }  # fmt: skip
    w = small_world(terms=terms)
    w.clock[0].month = 2
    add_lot(w, node=operator_node(w), vintage=0.0)
    value_chips(w, w.clock[0])
    assert w.chips[0].fundamental == pytest.approx(50.0 - 10.0)  # one month left, not three


def bidders():
    """Operator 1 values generation 1 at 400, the enterprise (buyer 1) at 500, all else at 7; new chips cost 290.

    Buyers, not operators, fit liquid cooling for it at 10 USD.
    """
    w = small_world(operators=2, buyers=2, chips=2, terms={"buyers_scrap_bid": 1.5})
    put(w.buyers[0], kind=BuyerKind.SCRAP)
    put(w.buyers[1], kind=BuyerKind.ENTERPRISE)
    w.buyers.conversion[:] = 5.0
    put(w.chips[1], list_price=290.0, end_of_sale=12, scrap=20.0, liquid=1, power=2.0)
    w.value[:] = 7.0
    w.value[1, 1], w.value[3, 1] = 400.0, 500.0
    return w


@pytest.mark.parametrize(
    ("bidder", "month", "usd"),
    [
        (0, 12, 7.0 * 0.75),
        (1, 11, 290.0),  # nobody pays more for a used one than a new one costs
        (1, 12, 400.0 * 0.75),  # from the end of sale on there is no new one
        (2, 11, 1.5 * 20.0),
        (3, 11, 290.0),
        (3, 12, 500.0 * 0.75 - 10.0),
    ],
)
def test_a_bid_is_the_value_less_the_premium_and_below_the_list_price_while_on_sale(bidder, month, usd):
    w = bidders()
    clock = w.clock[0]
    clock.month = month
    assert bid_limit(w, clock, w.terms[0], bidder, 1, 0.25) == pytest.approx(usd)
