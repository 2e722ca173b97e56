"""How deep the used market is, and what its book of bids would pay for collateral."""

from __future__ import annotations

import numpy as np
import pytest

from agents.tables.buyers import BuyerKind
from agents.tables.loans import LoanKind, LoanStatus
from agents.tables.operators import OperatorStatus
from simulation.record.depth import (
    _LARGEST,
    _LEFT,
    _PLEDGED,
    _WANTED,
    executable_value,
    measure_depth,
    read_money,
    record_chip,
    record_depth,
    record_illusion,
    walk_book,
    wanted_units,
    write_bids,
    write_book,
)
from simulation.world.panel import CHIP_PANEL
from tests.rules.worlds import add_loan, small_world

pytestmark = pytest.mark.filterwarnings("error")  # a division by zero is no result

RICH = 1e6


def book(*bids: tuple[float, float], chips: int = 1, **arguments):
    """Return a world in which buyer b bids (limit in USD, units) for generation 0; the operator (bidder 0) does not."""
    w = small_world(operators=1, buyers=len(bids), chips=chips, **arguments)
    for b, (limit, units) in enumerate(bids):
        w.bid[1 + b, 0] = limit
        w.buyers[b].power = units
    return w


def money_of(w, *usd: float) -> np.ndarray:
    """Return what each bidder can spend: the operator nothing, buyers as given, the backstop nothing."""
    return np.array([0.0, *usd, 0.0])


def bidders(**terms: float):
    """Operators 0 (sound) and 1 (stressed), an enterprise, a research institute, the backstop; generations 0, 1, 2."""
    w = small_world(
        operators=2,
        buyers=2,
        chips=3,
        terms={
            "market_peer_dscr": 1.2,
            "market_peer_cash": 0.5,
            "credit_cash_reserve": 2.0,
            "market_risk_premium": 0.1,
            "market_premium_cap": 1.0,
            "market_fall_weight": 0.5,
            "market_volatility_weight": 0.0,
            **terms,
        },
    )
    w.operators.dscr = 2.0
    w.operators[1].status = OperatorStatus.STRESSED
    w.buyers[0].kind, w.buyers[1].kind = BuyerKind.ENTERPRISE, BuyerKind.RESEARCH
    return w


# --- who bids ----------------------------------------------------------------------------------------------------
def test_sound_bidders_limits_are_written_for_every_generation_in_existence_the_backstop_has_none():
    w = bidders(buyers_convertible_share=0.5)
    w.chips.stock[:] = 0.5, 3.0, 0.0
    w.chips.fall[:] = 0.0, 0.2, 0.0
    w.value[:] = [[500.0, 300.0, 50.0], [600.0, 400.0, 60.0], [800.0, 200.0, 70.0], [100.0, 250.0, 80.0], [900.0] * 3]
    # The research institute would have to fit liquid cooling, for more than the chip is worth to it.
    w.chips[0].liquid = 1
    w.buyers[0].liquid = 1.0
    w.buyers[1].conversion, w.buyers[1].power = 200.0, 10.0
    w.bid[:] = 77.0
    premium = np.full(3, 55.0)
    write_bids(w, w.clock[0], premium)
    # Held back: 10 % in calm, and half of what the price of generation 1 fell.
    assert premium == pytest.approx([0.1, 0.1 + 0.5 * 0.2, 0.1])
    assert w.bid == pytest.approx(
        np.array(
            [
                [0.9 * 500.0, 0.8 * 300.0, 0.0],
                [0.0, 0.0, 0.0],
                [0.9 * 800.0, 0.8 * 200.0, 0.0],
                [0.0, 0.8 * 250.0, 0.0],
                [0.0, 0.0, 0.0],
            ]
        )
    )


def test_peers_spend_part_of_their_spare_cash_if_sound_buyers_what_a_lot_may_cost():
    w = bidders()
    w.operators.cash = 100.0
    w.operators.overheads = 10.0
    w.buyers.budget[:] = 300.0, 40.0, 70.0
    w.buyers.budget_cap = 400.0
    w.buyers.lot_limit = 0.25
    money = np.full(5, 9.0)
    read_money(w, money)
    # Half of 100 less two months of overheads; nothing for the stressed one; a quarter of 400 or the budget.
    assert money == pytest.approx([40.0, 0.0, 100.0, 40.0, 70.0])


@pytest.mark.parametrize(("usd", "units"), [(300.0, 3.0), (900.0, 4.0)])
def test_a_bidder_wants_what_its_money_buys_at_its_limit_and_its_power_runs(usd, units):
    w = small_world(operators=2, chips=2)
    w.operators[1].site_power = 8.0
    w.chips[1].power = 2.0
    assert wanted_units(w, 1, 1, usd, 100.0) == pytest.approx(units)


def test_the_book_shows_bids_of_those_who_are_sound_and_have_more_than_a_dollar():
    w = bidders(credit_cash_reserve=0.0)
    w.operators.cash = 80.0
    w.operators.site_power = 3.0
    w.buyers.budget[:] = 1.0, 1.5, 500.0
    w.buyers.budget_cap = 1000.0
    w.buyers.lot_limit = 1.0
    w.buyers.power = 2.0
    w.bid[:, 0] = 66.0
    w.bid[:, 1] = 10.0, 20.0, 30.0, 0.5, 0.0
    limit, units = np.full(5, 9.0), np.full(5, 9.0)
    write_book(w, 1, limit, units)
    # Operator 1 is stressed; the enterprise has a dollar, no more; the backstop has money and no bid.
    assert limit.tolist() == [10.0, 0.0, 0.0, 0.5, 0.0]
    assert units == pytest.approx([3.0, 0.0, 0.0, 2.0, 0.0])


# --- what the book pays ------------------------------------------------------------------------------------------
def sell(w, units: float, money: np.ndarray) -> float:
    """Sell into the book; working arrays hold what an earlier walk left in them."""
    return walk_book(w, 0, units, money, np.full(256, 3.0), np.full(len(w.bid), 7.0), np.zeros(len(w.bid), np.int64))


def test_units_go_to_the_best_bids_first_each_at_its_own_limit():
    w = book((60.0, 2.0), (100.0, 3.0), (80.0, 4.0), (0.1, 9.0))
    money = money_of(w, 1000.0, 1000.0, 1000.0, 1000.0)
    assert sell(w, 5.0, money) == pytest.approx(3 * 100.0 + 2 * 80.0)
    assert money == pytest.approx([0.0, 1000.0, 700.0, 840.0, 1000.0, 0.0])


def test_units_beyond_all_bids_bring_nothing():
    w = book((60.0, 2.0), (100.0, 3.0))
    assert sell(w, 50.0, money_of(w, 1000.0, 100.0)) == pytest.approx(2 * 60.0 + 100.0)


def test_equal_bids_share_alike():
    w = book((100.0, 3.0), (100.0, 6.0))
    money = money_of(w, RICH, RICH)
    assert sell(w, 3.0, money) == pytest.approx(300.0)
    assert RICH - money[1:3] == pytest.approx([100.0, 200.0])


@pytest.mark.parametrize(
    ("best", "limits", "units"),
    [
        (255.0, (254.5, 254.1), (2.0, 2.0)),  # less than a class below the best
        (255.0, (254.5, 253.9), (4.0, 0.0)),
        (255.0, (127.01, 126.99), (4.0, 0.0)),  # on two sides of the border of a class in the middle
        (255.0, (126.9, 126.1), (2.0, 2.0)),
        (255.0, (1.1, 0.9), (4.0, 0.0)),
        (255.0, (0.9, 0.4), (2.0, 2.0)),
        (0.5, (0.497, 0.495), (4.0, 0.0)),
    ],
)
def test_limits_within_a_255th_of_the_best_bid_count_as_equal(best, limits, units):
    w = book((best, 0.0), (limits[0], 4.0), (limits[1], 4.0))
    money = money_of(w, RICH, RICH, RICH)
    sell(w, 4.0, money)
    assert (RICH - money[2:4]) / np.array(limits) == pytest.approx(units)


def test_no_more_is_sold_than_is_for_sale():
    for units in (7, 14, 23, 28, 40):  # shares of 41 that round up when multiplied again
        w = book((100.0, 41.0), (50.0, 7.0))
        money = money_of(w, RICH, RICH)
        assert sell(w, float(units), money) == pytest.approx(100.0 * units)
        assert money[2] == pytest.approx(RICH)


def test_who_has_a_dollar_or_less_buys_nothing_and_others_take_its_place():
    w = book((100.0, 3.0), (80.0, 2.0), (70.0, 2.0))
    money = money_of(w, 1.0, 1.5, RICH)
    # The second has 1.5 USD for 80-dollar chips, the third takes the rest.
    left = 1.0 - 1.5 / 80.0
    assert sell(w, 1.0, money) == pytest.approx(1.5 + left * 70.0)
    assert money[1:4] == pytest.approx([1.0, 0.0, RICH - left * 70.0])


def test_a_bid_below_a_dollar_for_less_than_a_unit_is_a_bid():
    w = book((0.5, 0.75))
    assert sell(w, 0.5, money_of(w, RICH)) == pytest.approx(0.25)


def test_without_units_or_bids_nothing_is_paid():
    w = book((100.0, 3.0))
    assert sell(w, 0.0, money_of(w, RICH)) == 0.0
    assert sell(w, -2.0, money_of(w, RICH)) == 0.0
    w = book((0.0, 3.0))
    assert sell(w, 5.0, money_of(w, RICH)) == 0.0


def test_collateral_sold_at_once_goes_newest_generation_first_and_a_dollar_is_spent_once():
    w = book((50.0, 1e6), (0.0, 1e6), chips=2)
    w.bid[1:3, 1] = 40.0, 30.0
    money = money_of(w, 100.0, 90.0)
    # Generation 1: 2.5 units take the first buyer's 100, the second pays 30 for the last half. Nothing is left for
    # generation 0, where only the first bids.
    assert executable_value(w, np.array([2.0, 3.0]), money) == pytest.approx(100.0 + 0.5 * 30.0)
    assert money.tolist() == [0.0, 100.0, 90.0, 0.0], "asking spends nothing"
    assert w.scratch[_LEFT, 1:3] == pytest.approx([0.0, 75.0])


def test_collateral_of_all_generations_adds_up():
    w = book((50.0, 4.0), chips=2)
    w.bid[1, 1] = 30.0
    w.scratch[_WANTED] = 8.0
    assert executable_value(w, np.array([2.0, 3.0]), money_of(w, RICH)) == pytest.approx(2 * 50.0 + 3 * 30.0)


# --- depth -------------------------------------------------------------------------------------------------------
def depth_of(w, money: np.ndarray, before: float):
    out = CHIP_PANEL.empty(1)[0]
    out.best_bid = out.depth_units = out.depth_usd = out.depth_before = 123.0
    measure_depth(w, out, 0, money, before)
    return out.best_bid, out.depth_units, out.depth_usd, out.depth_before


def test_depth_is_what_is_wanted_within_a_tenth_of_the_best_bid_and_of_an_earlier_price():
    w = book((90.0, 3.0), (120.0, 9.0), (100.0, 2.0), (89.0, 4.0), (72.0, 5.0), (71.0, 6.0), (0.0, 7.0))
    money = money_of(w, RICH, 1.0, RICH, RICH, RICH, RICH, RICH)
    # The bid of 120 has no money behind it. Near 100: 90 and more. Near 80, the price before: 72 and more.
    assert depth_of(w, money, 80.0) == pytest.approx((100.0, 2.0 + 3.0, 200.0 + 270.0, 2.0 + 3.0 + 4.0 + 5.0))


def test_depth_counts_what_money_buys():
    w = book((100.0, 3.0))
    assert depth_of(w, money_of(w, 150.0), 100.0) == pytest.approx((100.0, 1.5, 150.0, 1.5))


def test_depth_of_a_market_of_cheap_chips_and_of_one_without_bids():
    cheap, empty = book((0.5, 4.0)), book((0.0, 4.0))
    assert depth_of(cheap, money_of(cheap, RICH), 0.5) == pytest.approx((0.5, 4.0, 2.0, 4.0))
    assert depth_of(empty, money_of(empty, RICH), 0.0) == (0.0, 0.0, 0.0, 0.0)


# --- the record of a generation ----------------------------------------------------------------------------------
def recorded(month: int = 4, **chip: float):
    w = small_world(terms={"buyers_dealer_half_spread": 0.05, "buyers_dealer_volatility": 0.5})
    out, clock, row = CHIP_PANEL.empty(1)[0], w.clock[0], w.chips[0]
    clock.month, clock.rent, clock.haircut = month, 2.0, 0.3
    for name, value in chip.items():
        setattr(row, name, value)
    record_chip(out, row, 3, clock, w.terms[0])
    return out


def test_the_state_of_a_generation_is_written_at_month_end():
    out = recorded(
        price=800.0, appraisal=850.0, fundamental=1000.0, parity=950.0, performance=4.0, volatility=0.1,
        traded_units=50.0, forced_units=20.0, unsold=30.0, stock=700.0,
    )  # fmt: skip
    assert (out.month, out.chip) == (4, 3)
    assert (out.price, out.appraisal, out.fundamental, out.parity) == (800.0, 850.0, 1000.0, 950.0)
    assert out.rent == pytest.approx(2.0 * 4.0)
    assert out.spread == pytest.approx(2 * (0.05 + 0.5 * 0.1))
    assert (out.traded, out.forced, out.unsold, out.stock, out.haircut) == (50.0, 20.0, 30.0, 700.0, 0.3)
    assert out.discount == pytest.approx(800.0 / 1000.0 - 1.0)


@pytest.mark.parametrize(("month", "usd"), [(2, 0.0), (3, 900.0), (5, 900.0), (6, 0.0)])
def test_the_list_price_is_that_of_the_months_of_sale(month, usd):
    assert recorded(month, list_price=900.0, release=3, end_of_sale=6).list_price == usd


@pytest.mark.parametrize(
    ("fundamental", "traded", "discount"),
    [(1000.0, 0.0, 0.0), (0.0, 5.0, 0.0), (0.5, 0.5, 0.4 / 0.5 - 1.0)],
)
def test_a_discount_needs_a_trade_and_a_value(fundamental, traded, discount):
    out = recorded(price=0.4, fundamental=fundamental, traded_units=traded)
    assert out.discount == pytest.approx(discount)


# --- the record of all generations -------------------------------------------------------------------------------
def depths(w, month: int = 3):
    w.clock[0].month = month
    record_depth(w, w.clock[0], w.panel[month], np.full(len(w.bid), RICH))
    return w.panel[month]


def test_sums_over_generations():
    w = book((10.0, 2.0), chips=2)
    w.bid[1, 1] = 5.0
    for name, values in {
        "appraisal": (100.0, 40.0), "unsold": (3.0, 2.0), "stock": (50.0, 60.0), "performance": (1.5, 4.0),
        "traded_usd": (700.0, 90.0),
    }.items():  # fmt: skip
        w.chips[name] = values
    row = depths(w)
    assert row.depth_usd == pytest.approx(2 * 10.0 + 2 * 5.0)
    assert row.unsold_units == pytest.approx(5.0)
    assert row.unsold_usd == pytest.approx(3 * 100.0 + 2 * 40.0)
    assert row.capacity == pytest.approx(50 * 1.5 + 60 * 4.0)
    assert row.volume_usd == pytest.approx(790.0)
    written = w.chip_panel[3 * 2 : 3 * 2 + 2]
    assert written.chip.tolist() == [0, 1]
    assert written.best_bid.tolist() == [10.0, 5.0]


@pytest.mark.parametrize(("month", "near"), [(5, 2.0), (6, 2.0 + 3.0), (8, 0.0)])
def test_depth_is_held_against_the_appraisal_of_six_months_before_or_today_s_where_there_was_none(month, near):
    w = book((0.0, 2.0), (0.0, 3.0), chips=2)
    w.bid[1:3, 1] = 100.0, 50.0
    w.chips[1].appraisal = 100.0
    w.chip_panel[0 * 2 + 1].appraisal = 50.0  # generation 1 in month 0
    w.chip_panel[2 * 2 + 1].appraisal = 999.0  # and in month 2
    depths(w, month)
    assert w.chip_panel[month * 2 + 1].depth_before == pytest.approx(near)


def traded(*chips: tuple[float, float, float, float]):
    """Record generations of (fundamental, units traded, USD traded, units of them by force)."""
    w = book(chips=len(chips))
    for row, values in zip(w.chips, chips, strict=True):
        row.fundamental, row.traded_units, row.traded_usd, row.forced_units = values
    row = depths(w)
    return row.forced_usd, row.discount, row.discount_all


def test_the_discount_is_weighed_by_value_sold_by_force_and_by_all_value_sold():
    # At 800 of 1,000: 20 % below, half of 8,000 by force. At 300 of 400: 25 % below, three quarters of 1,200 by force.
    # The third did not trade.
    forced, discount, overall = traded((1000.0, 10.0, 8000.0, 5.0), (400.0, 4.0, 1200.0, 3.0), (500.0, 0.0, 0.0, 0.0))
    assert forced == pytest.approx(4000.0 + 900.0)
    assert discount == pytest.approx(-(0.2 * 4000.0 + 0.25 * 900.0) / 4900.0)
    assert overall == pytest.approx(-(0.2 * 8000.0 + 0.25 * 1200.0) / 9200.0)


@pytest.mark.parametrize(
    ("chip", "measured"),
    [
        ((1000.0, 10.0, 8000.0, 0.0), (0.0, 0.0, -0.2)),  # nothing by force
        ((1000.0, 0.0, 0.0, 0.0), (0.0, 0.0, 0.0)),  # nothing traded
        ((0.0, 10.0, 8000.0, 10.0), (0.0, 0.0, 0.0)),  # worth nothing to anybody
        ((0.5, 0.5, 0.2, 0.25), (0.1, -0.2, -0.2)),  # small change: 0.4 for what is worth 0.5
    ],
)
def test_discounts_of_months_with_little_to_measure(chip, measured):
    assert traded(chip) == pytest.approx(measured)


# --- booked against executable -----------------------------------------------------------------------------------
def illusion(debt: float, booked: float, bid: float = 50.0):
    """Operator 1 is the largest borrower: 110 on collateral of 200. 10 units are pledged, 2 of them by it."""
    w = small_world(operators=2, buyers=1)
    w.bid[2, 0] = bid
    w.buyers[0].power = RICH
    for usd, collateral, columns in (
        (60.0, 120.0, {}),
        (50.0, 80.0, {"status": LoanStatus.CALLED}),
        (7.0, 11.0, {"status": LoanStatus.DEFAULTED}),
        (8.0, 12.0, {"status": LoanStatus.FREE}),
        (9.0, 13.0, {"kind": LoanKind.CONVERTIBLE}),
        (10.0, 14.0, {"operator": 0}),
    ):
        add_loan(w, **{"operator": 1, "usd": usd, "collateral": collateral, **columns})
    w.scratch[_PLEDGED, 0], w.scratch[_LARGEST, 0] = 10.0, 2.0
    row = w.panel[0]
    row.booked_value = booked
    return w, row, (w, w.clock[0], row, 1, debt, np.array([0.0, 0.0, RICH, 0.0]))


def test_collateral_is_worth_on_the_books_what_lenders_mark_and_in_the_market_what_bids_pay():
    _, row, arguments = illusion(400.0, 1000.0)
    record_illusion(*arguments)
    assert row.executable_value == pytest.approx(10 * 50.0)
    assert row.executable_ltv == pytest.approx(400.0 / 500.0)
    assert row.illusion == pytest.approx(1000.0 / 500.0)
    # The largest borrower alone: performing and called equipment loans.
    assert row.largest_booked_ltv == pytest.approx((60.0 + 50.0) / (120.0 + 80.0))
    assert row.largest_executable_ltv == pytest.approx((60.0 + 50.0) / (2 * 50.0))


@pytest.mark.parametrize(("booked", "ltv", "illusion_"), [(1000.0, 400.0 / 0.1, 1e4), (0.0, 0.0, 0.0)])
def test_where_nobody_bids_collateral_counts_as_a_ten_thousandth_of_what_it_is_booked_at(booked, ltv, illusion_):
    _, row, arguments = illusion(400.0, booked, bid=0.0)
    record_illusion(*arguments)
    assert (row.executable_value, row.executable_ltv, row.illusion) == pytest.approx((0.0, ltv, illusion_))
    # The largest borrower owes 110 on what is booked at 200.
    assert row.largest_executable_ltv == pytest.approx(110.0 / (1e-4 * 200.0))


def test_without_debt_there_is_no_ltv():
    w, row, arguments = illusion(0.0, 1000.0)
    w.loans.status = LoanStatus.FREE
    record_illusion(*arguments)
    assert row.executable_value == pytest.approx(500.0)
    assert (row.executable_ltv, row.illusion, row.largest_booked_ltv, row.largest_executable_ltv) == (0, 0, 0, 0)


@pytest.mark.parametrize(("collateral", "ltv"), [(0.0, 0.0), (0.4, 0.5 / 0.4)])
def test_debts_of_cents_have_an_ltv_debts_on_nothing_have_none(collateral, ltv):
    w, row, arguments = illusion(0.5, 1000.0)
    w.loans.status = LoanStatus.FREE
    add_loan(w, operator=1, usd=0.5, collateral=collateral)
    record_illusion(*arguments)
    assert row.executable_ltv == pytest.approx(0.5 / 500.0)
    assert row.largest_booked_ltv == pytest.approx(ltv)
