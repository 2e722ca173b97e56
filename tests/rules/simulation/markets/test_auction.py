"""The call auction: the highest price at which money and power still take what is offered, and who gets what there."""

from __future__ import annotations

import math

import numpy as np
import pytest

from simulation.markets.auction import (
    clear_budget_auction,
    crossing_price,
    demand_at,
    fill_side,
    lowest_price,
    rank_down,
    supply_at,
)

RICH = 1e6


def reals(*values: float) -> np.ndarray:
    return np.array(values, float)


def rows(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


# --- ranking ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("keys", "ranked"),
    [
        ([], []),
        ([5], [0]),
        ([3, 9, 5], [1, 2, 0]),
        ([7, 7, 9, 7], [2, 0, 1, 3]),  # ties keep their order
        ([1, 2, 3, 4, 5, 6, 7, 8], [7, 6, 5, 4, 3, 2, 1, 0]),
        # Runs of eight are sorted by insertion, then merged: here two runs, the second of two.
        ([1, 2, 3, 4, 5, 6, 7, 8, 9, 0], [8, 7, 6, 5, 4, 3, 2, 1, 0, 9]),
        # Ties across runs: the earlier comes first.
        ([4, 4, 4, 4, 4, 4, 4, 4, 4, 5, 4], [9, 0, 1, 2, 3, 4, 5, 6, 7, 8, 10]),
        ([*range(40)], [*range(39, -1, -1)]),
        ([*range(20), *range(20)], [k for v in range(19, -1, -1) for k in (v, v + 20)]),
        ([*range(24, 0, -1)], [*range(24)]),
        # Runs of 16, 8 and 1 are left over after the first round.
        ([*range(0, 50, 2), *range(1, 51, 2)], [k for v in range(24, -1, -1) for k in (v + 25, v)]),
    ],
)
def test_ranking_puts_the_highest_first_and_keeps_the_order_of_equals(keys, ranked):
    order = np.arange(len(keys))
    rank_down(reals(*keys), order, len(keys), np.zeros(len(keys), np.int64))
    assert order.tolist() == ranked


def test_ranking_sorts_the_rows_that_it_is_given_and_no_others():
    keys = reals(5, 9, 7, 8, 6)
    order, spare = rows(4, 2, 0, 1, 3), rows(-7, -7, -7, -7, -7)
    rank_down(keys, order, 3, spare)
    assert order.tolist() == [2, 4, 0, 1, 3]
    # Of twelve the first ten; what is to be found where spare rows end stays as it is.
    order, spare = np.arange(12), np.full(12, -7)
    rank_down(np.arange(12.0), order, 10, spare)
    assert order.tolist() == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 10, 11]
    assert spare[10:].tolist() == [-7, -7]


# --- demand and supply -----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("n", "price", "units"),
    [
        (3, 4.0, 5 + 20 / 4 + 2),  # the second is short of money, the others of power
        (3, 2.0, 5 + 8 + 2),  # 20 would buy 10, but it has power for 8
        (2, 4.0, 5 + 20 / 4),
        (3, 100.0, 60 / 100 + 20 / 100 + 2),
        (0, 4.0, 0.0),
    ],
)
def test_bidders_want_what_their_power_takes_and_their_money_buys(n, price, units):
    # Row 0 stands for a bid that is not among those ranked.
    cap, budget = reals(99, 2, 5, 8), reals(RICH, RICH, 60, 20)
    assert demand_at(cap, budget, rows(2, 3, 1), n, price) == pytest.approx(units)


@pytest.mark.parametrize(("n", "price", "units"), [(3, 2.9, 7.0), (3, 3.0, 9.0), (3, 9.0, 13.0), (2, 9.0, 6.0)])
def test_on_offer_is_what_asks_no_more_than_the_price(n, price, units):
    assert supply_at(reals(9, 3, 0), reals(4, 2, 7), n, price) == pytest.approx(units)


# --- the price -------------------------------------------------------------------------------------------------
#: name -> bids (cap, budget), asks (reserve, units), low, high, price to the last bit
CROSSINGS = {
    # 49 USD for what the other leaves of 9 units: M/(S - C) = 49/(9 - 2). An ask above that does not matter.
    "money": ([(10, 49), (2, RICH)], [(9, 5), (0, 9)], 4, 10, 7.0),
    "money of two": ([(10, 24), (2, RICH), (9, 12)], [(0, 8)], 4, 10, (24 + 12) / (8 - 2)),
    "parts of a unit and of a dollar": ([(10, 0.75), (0.25, RICH)], [(0, 0.375)], 4, 10, 0.75 / 0.125),
    # 30/(6 - 2) = 7.5 would do for the first six; but from 5.5 on five more are on offer.
    "step": ([(10, 30), (2, RICH)], [(0, 6), (5.5, 5)], 4, 10, 5.5),
    "step listed first": ([(10, 30), (2, RICH)], [(5.5, 5), (0, 6)], 4, 10, 5.5),
    # On a price that halving the interval meets exactly; reserves beyond it do not matter.
    "step at a half": ([(10, 30), (2, RICH)], [(0, 5.5), (7, 5), (8, 9), (10, 9)], 4, 10, 7.0),
    # From 4 to 7 just what is wanted is on offer: the highest of these prices, where money begins to be short.
    "plateau": ([(3, 21), (2, RICH)], [(0, 5)], 4, 8, 21 / 3),
    # 1e-12 USD buy nothing that a number shows: 1,000,000 units for 4,500,000 USD leave none to be paid with them.
    "a penny": ([(9, 1e-12), (1e6, 4.5e6)], [(0, 1e6)], 4, 5, 4.5),
    # Caps that add up to what is offered but for rounding: 0.4 - 0.1 - 0.1 - 0.2 is not quite 0, and no money short.
    "rounding": ([(0.1, RICH), (0.1, RICH), (0.2, 1.0)], [(0, 0.4)], 4, 8, 1.0 / 0.2),
}


@pytest.mark.parametrize("name", CROSSINGS)
def test_between_two_limits_the_price_is_what_the_money_pays_or_where_supply_steps_past_demand(name):
    bids, asks, low, high, price = CROSSINGS[name]
    # A bid that is not among the first k, rich and hungry, and an ask that is not among the first n.
    cap, budget = (reals(99, *(b[k] for b in bids)) for k in range(2))
    budget[0] = RICH
    reserve, units = (reals(*(a[k] for a in asks), 5.0) for k in range(2))
    order = rows(*range(1, len(bids) + 1), 0)
    found = crossing_price(cap, budget, order, len(bids), reserve, units, len(asks), float(low), float(high))
    assert found == price


@pytest.mark.parametrize("unit", [1.0, 1e-6])
@pytest.mark.parametrize(
    ("asks", "price"),
    [
        ([(0, 20)], 8e-9),  # more than their power takes: next to nothing, a billionth of the lowest limit
        ([(1, 20)], 1.0),  # or what the seller asks
        ([(0, 6)], (10 + 12) / (6 - 2)),  # 6 units: at 5.5 USD two are short, the third takes its 2
        # Just what they have power for, and more from 2 USD on: what is the dearest price at which demand covers it?
        ([(0, 8), (2, 5)], 2.0),
        ([(0, 8.1), (2, 5)], 8e-9),  # more without a reserve than they have power for: no more is paid than for less
    ],
)
def test_when_nobody_must_outbid_the_price_falls_until_all_is_bought_or_to_what_is_asked(asks, price, unit):
    # (limit, cap, budget), ranked: 1, 2, 0. Each could pay for what its power takes at 5, 3 and any price.
    # In USD or in millions of them.
    limit, cap, budget = reals(8, 10, 9) * unit, reals(2, 2, 4), reals(RICH, 10, 12) * unit
    reserve, units = reals(*(a[0] for a in asks)) * unit, reals(*(a[1] for a in asks))
    found = lowest_price(limit, cap, budget, rows(1, 2, 0), 3, reserve, units, len(asks))
    assert found == pytest.approx(price * unit, rel=1e-12)


@pytest.mark.parametrize("budgets", [(RICH, RICH), (30.0, RICH), (RICH, 8.0)])
@pytest.mark.parametrize(("reserve", "price"), [(0.0, 7e-9), (1e-6, 1e-6), (0.5, 0.5), (3.0, 3.0)])
def test_when_power_is_used_up_the_price_is_what_the_seller_asks_however_little(budgets, reserve, price):
    # Caps 5 and 2, limits 9 and 7.
    found = lowest_price(reals(9, 7), reals(5, 2), reals(*budgets), rows(0, 1), 2, reals(reserve), reals(50), 1)
    assert found == pytest.approx(price, rel=1e-9)


# --- fills -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("step", "volume", "fill"),
    [
        # Keys 5, 9, 5, 7 want 2, 3, 4, 1. From the highest:
        (1, 10.0, [2, 3, 4, 1]),
        (1, 7.0, [1, 3, 2, 1]),  # 3 and 1; of the 6 at 5 half
        (1, 4.0, [0, 3, 0, 1]),
        (1, 3.5, [0, 3, 0, 0.5]),
        (1, 1.0, [0, 1, 0, 0]),
        (1, 0.0, [0, 0, 0, 0]),
        # From the lowest:
        (-1, 10.0, [2, 3, 4, 1]),
        (-1, 8.5, [2, 1.5, 4, 1]),
        (-1, 6.5, [2, 0, 4, 0.5]),
        (-1, 1.5, [0.5, 0, 1, 0]),
    ],
)
def test_fills_go_by_price_and_pro_rata_at_the_margin(step, volume, fill):
    got = reals(-7, -7, -7, -7, -7)
    fill_side(reals(5, 9, 5, 7, 5), reals(2, 3, 4, 1, 6), rows(1, 3, 0, 2), 4, step, volume, got)
    assert got.tolist() == pytest.approx([*fill, -7])


@pytest.mark.parametrize("step", [1, -1])
def test_fills_stay_within_the_orders_that_count(step):
    # Only the first two of three ranked orders count; the third stands at the price of the second.
    got = reals(-7, -7, -7)
    fill_side(reals(5, 5, 5), reals(2, 4, 8), rows(0, 1, 2), 2, step, 3.0, got)
    assert got.tolist() == pytest.approx([1, 2, -7])


def test_who_wants_nothing_gets_nothing():
    got = reals(-7, -7)
    fill_side(reals(9, 5), reals(0, 4), rows(0, 1), 2, 1, 3.0, got)
    assert got.tolist() == pytest.approx([0, 3])


# --- the auction -----------------------------------------------------------------------------------------------
#: name -> bids (limit, cap, budget), asks (reserve, units), price, volume, fills of bids, fills of asks
AUCTIONS = {
    "nobody bids": ([], [(0, 4)], 0, 0, [], [0]),
    "nothing is offered": ([(9, 4, RICH)], [], 0, 0, [0], []),
    "nobody would pay the reserve": ([(9, 4, RICH), (6, 5, RICH)], [(9.5, 4)], 0, 0, [0, 0], [0]),
    # The bid that buys the last unit sets the price; bids below it get nothing.
    "marginal bid": (
        [(6, 9, RICH), (10, 3, RICH), (8, 5, RICH)],
        [(0, 4)],
        8, 4, [0, 3, 1], [4],
    ),
    "the best bid takes all": ([(6, 9, RICH), (10.1, 3, RICH), (8.1, 5, RICH)], [(2, 2)], 10.1, 2, [0, 2, 0], [2]),
    "the second best in part": ([(6, 9, RICH), (10, 3, RICH), (8.1, 5, RICH)], [(0, 7)], 8.1, 7, [0, 3, 4], [7]),
    "just covered": ([(6, 9, RICH), (10.1, 3, RICH), (8.1, 5, RICH)], [(0, 8)], 8.1, 8, [0, 3, 5], [8]),
    # At 4 the first would buy 9 of the 6 units, at 10 only 3.6: 36/6.
    "money between limits": ([(4, 7, RICH), (10, 100, 36)], [(0, 6)], 6, 6, [0, 6], [6]),
    # At 6 the first just takes all; the second bids exactly that and gets nothing: who bids more comes first.
    "money at a limit": ([(6, 7, RICH), (10, 100, 36)], [(0, 6)], 6, 6, [0, 6], [6]),
    # The first alone takes all six from 8 down, where its money begins to be short.
    "money above a limit": ([(6, 7, RICH), (10, 6, 48)], [(0, 6)], 8, 6, [0, 6], [6]),
    "part of a unit": ([(10, 0.5, RICH), (8, 0.5, RICH)], [(2, 0.75)], 8, 0.75, [0.5, 0.25], [0.75]),
    # At 10 six are on offer and three wanted; at 5 none is. Three sell, at what the seller asks.
    "a reserve between limits": ([(5, 7, RICH), (10, 3, RICH)], [(9, 6)], 9, 3, [0, 3], [3]),
    # From 7 on more is on offer than wanted. The cheaper sells whole, those at 7 pro rata, the dearer nothing.
    "asks are rationed": (
        [(10, 9, RICH), (10, 3, RICH)],
        [(7, 2), (12, 5), (4, 9), (7, 4)],
        7, 12, [9, 3], [1, 0, 9, 2],
    ),
    # 20 and 10 USD buy all ten units, though either would pay up to 9 for one.
    "cash in the market": ([(9, 50, 20), (9.5, 60, 10)], [(0, 10)], 3, 10, [20 / 3, 10 / 3], [10]),
    # Power for four and two only, of thirty: they go for what is asked, next to nothing where nothing is.
    "power in the market": ([(10, 4, RICH), (7, 2, RICH)], [(2, 30)], 2, 6, [4, 2], [6]),
    "no reserve": ([(10, 4, RICH), (7, 2, RICH)], [(0, 30)], 1e-9 * 7, 6, [4, 2], [6]),
}  # fmt: skip


@pytest.mark.parametrize("name", AUCTIONS)
def test_an_auction_clears_at_the_highest_price_at_which_demand_covers_supply(name):
    bids, asks, price, volume, bid_fills, ask_fills = AUCTIONS[name]
    # Behind the orders that count stand others, better than all, and fills of an earlier auction.
    limit, cap, budget = (reals(*(b[k] for b in bids), 99) for k in range(3))
    reserve, units = (reals(*(a[k] for a in asks), 0.5) for k in range(2))
    size = len(bids) + len(asks) + 1
    bid_fill, ask_fill = np.full(size, -7.0), np.full(size, -7.0)
    outcome = clear_budget_auction(
        limit, cap, budget, len(bids), reserve, units, len(asks),
        np.full(size, size - 1), np.full(size, size - 1), np.zeros(size, np.int64), bid_fill, ask_fill,
    )  # fmt: skip
    assert outcome == (price, volume)  # to the last bit: a bid at the price must not fall behind it
    assert bid_fill.tolist() == pytest.approx([*bid_fills, *[-7.0] * (size - len(bids))])
    assert ask_fill.tolist() == pytest.approx([*ask_fills, *[-7.0] * (size - len(asks))])
    if volume > 0:
        assert math.isclose(sum(bid_fill[: len(bids)]), sum(ask_fill[: len(asks)]))
