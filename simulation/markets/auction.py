"""Uniform-price call auctions: with orders in units, and with buyers whose budgets are finite.

The simulation clears with :func:`clear_budget_auction`; :func:`call_auction` is the textbook rule for orders in
units, kept for users and for validation.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from agents.rule import entry, rule

# Rows of the world's scratch arrays that an auction uses: reals, then integers.
LIMIT, CAP, MONEY, BID_FILL, RESERVE, UNITS, ASK_FILL, HOPS = range(8)


BID_ORDER, ASK_ORDER, SPARE, BIDDER, LOT, OFFER = range(6)


#: Units below this are none.
DUST = 1e-6
#: A price next to nothing, over the lowest limit: that of asks without a reserve of which caps take but a part.
_NOTHING = 1e-9


@entry
def rank_down(keys, order, n, spare):
    """Sort ``order[:n]`` (indices into ``keys``) so that keys descend; ties keep their order (merge sort)."""
    width = 8
    for start in range(0, n, width):
        for i in range(start + 1, min(start + width, n)):
            k = order[i]
            j = i - 1
            while j >= start and keys[order[j]] < keys[k]:
                order[j + 1] = order[j]
                j -= 1
            order[j + 1] = k
    while width < n:
        for start in range(0, n, 2 * width):
            middle = min(start + width, n)
            end = min(start + 2 * width, n)
            i = start
            j = middle
            for k in range(start, end):
                if i < middle and (j >= end or keys[order[i]] >= keys[order[j]]):
                    spare[k] = order[i]
                    i += 1
                else:
                    spare[k] = order[j]
                    j += 1
        for k in range(n):
            order[k] = spare[k]
        width *= 2


@rule
def demand_at(cap, budget, order, n, price):
    """Return the units that the first ``n`` ranked bids want at ``price``: sum of min(cap, budget/price)."""
    units = 0.0
    for k in range(n):
        b = order[k]
        units += min(cap[b], budget[b] / price)
    return units


@rule
def supply_at(reserve, units, n, price):
    """Return the units on offer at ``price``: asks whose reserve is not above it."""
    total = 0.0
    for k in range(n):
        if reserve[k] <= price:
            total += units[k]
    return total


@rule
def crossing_price(cap, budget, bid_order, k, reserve, units, n_asks, low, high):
    """Return the price between two limits at which the first ``k`` bids' budgets just buy what is on offer.

    Demand is continuous there, supply steps at reserves. Demand covers supply at ``low`` and not at ``high``. At
    a step the price is the reserve; else p = M/(S - C), M the money of those short of it, C the caps of the rest.
    """
    for _ in range(60):
        middle = 0.5 * (low + high)
        if demand_at(cap, budget, bid_order, k, middle) >= supply_at(reserve, units, n_asks, middle):
            low = middle
        else:
            high = middle
    price = math.inf
    for j in range(n_asks):
        if low < reserve[j] <= high:
            price = min(price, reserve[j])
    if price < math.inf:
        return price
    money = 0.0
    left = supply_at(reserve, units, n_asks, low)
    for j in range(k):
        b = bid_order[j]
        if budget[b] < cap[b] * low:
            money += budget[b]
        else:
            left -= cap[b]
    return money / left if left > 0.0 and money > 0.0 else low


@rule
def lowest_price(limit, cap, budget, bid_order, n_bids, reserve, units, n_asks):
    """Return the price when supply exceeds demand at every limit: it falls until the money buys all.

    When caps bind before, it falls to the reserve at which supply steps past them; without one, to next to nothing.
    """
    high = limit[bid_order[n_bids - 1]]
    low = _NOTHING * high
    if demand_at(cap, budget, bid_order, n_bids, low) >= supply_at(reserve, units, n_asks, low):
        return crossing_price(cap, budget, bid_order, n_bids, reserve, units, n_asks, low, high)
    return low


@rule
def fill_side(key, wanted, order, n, step, volume, fill):
    """Fill orders in rank up to ``volume``: whole price levels first, pro rata at the margin. ``step`` -1 ranks from the end."""
    left = volume
    i = 0 if step > 0 else n - 1
    while 0 <= i < n:
        level = key[order[i]]
        j = i
        total = 0.0
        while 0 <= j < n and key[order[j]] == level:
            total += wanted[order[j]]
            j += step
        share = 1.0 if total <= left else (left / total if total > 0.0 else 0.0)
        while i != j:
            fill[order[i]] = share * wanted[order[i]]
            i += step
        left = max(0.0, left - total)


@entry
def clear_budget_auction(
    limit, cap, budget, n_bids, reserve, units, n_asks, bid_order, ask_order, spare, bid_fill, ask_fill
):
    """Clear a uniform-price call auction in which buyers have budgets; return (price, volume).

    Bid i wants min(cap_i, budget_i/p) units at any price p up to its limit; ask j offers its units from its
    reserve up. The price is the highest at which demand covers supply: the limit of the marginal bid, or
    between limits the price at which the money of those who still bid buys all that is offered (cash in the
    market, Allen and Gale 1994), or the reserve at which supply steps past demand. When supply exceeds demand at every limit
    the price falls below the lowest, until the budgets buy all, or to the reserve (next to nothing without one) of the
    asks that are rationed because caps bind. Fills go by price, pro rata at the margin; ties need no
    rule. No trade: (0.0, 0.0). Arrays are float64 and int64, the first n entries are used; O(n log n).
    """
    for i in range(n_bids):
        bid_order[i] = i
        bid_fill[i] = 0.0
    for j in range(n_asks):
        ask_order[j] = j
        ask_fill[j] = 0.0
    rank_down(limit, bid_order, n_bids, spare)
    # The least rank at whose limit demand covers supply; both are monotone in the price.
    first = 0
    last = n_bids
    while first < last:
        k = (first + last) // 2
        p = limit[bid_order[k]]
        if demand_at(cap, budget, bid_order, k + 1, p) >= supply_at(reserve, units, n_asks, p):
            last = k
        else:
            first = k + 1
    if n_bids == 0:
        return 0.0, 0.0
    if first == n_bids:
        price = lowest_price(limit, cap, budget, bid_order, n_bids, reserve, units, n_asks)
    else:
        price = limit[bid_order[first]]
        offered = supply_at(reserve, units, n_asks, price)
        if first > 0 and demand_at(cap, budget, bid_order, first, price) >= offered:
            price = crossing_price(
                cap, budget, bid_order, first, reserve, units, n_asks, price, limit[bid_order[first - 1]]
            )
    n = 0
    while n < n_bids and limit[bid_order[n]] >= price:
        n += 1
    volume = min(demand_at(cap, budget, bid_order, n, price), supply_at(reserve, units, n_asks, price))
    if volume <= 0.0:
        return 0.0, 0.0
    rank_down(reserve, ask_order, n_asks, spare)
    for i in range(n):
        b = bid_order[i]
        # Until the fill is known, the array holds what is wanted at the price.
        bid_fill[b] = min(cap[b], budget[b] / price)
    fill_side(limit, bid_fill, bid_order, n, 1, volume, bid_fill)
    m = 0
    while m < n_asks and reserve[ask_order[n_asks - 1 - m]] <= price:
        m += 1
    fill_side(reserve, units, ask_order[n_asks - m :], m, -1, volume, ask_fill)
    return price, volume


class Cleared(NamedTuple):
    """Outcome of a call auction: price None when nothing trades; fills in the order of the orders given."""

    price: float | None
    volume: float
    bid_fills: list[float]
    ask_fills: list[float]


class Schedule(NamedTuple):
    """Demand and supply by candidate price: arrays of one entry a price, ascending (units)."""

    prices: np.ndarray
    demand: np.ndarray
    supply: np.ndarray


def order_schedule(
    bids: list[tuple[float | None, float]], asks: list[tuple[float | None, float]], reference: float | None = None
) -> Schedule:
    """Return demand and supply at all limit prices and the reference; orders as for :func:`call_auction`."""
    if any(q < 0 for _, q in [*bids, *asks]):
        raise ValueError("units must not be negative")
    bid_price = np.array([math.inf if p is None else p for p, _ in bids], float)
    ask_price = np.array([-math.inf if p is None else p for p, _ in asks], float)
    bid_units, ask_units = (np.array([q for _, q in side], float) for side in (bids, asks))
    given = [p for p in [*bid_price, *ask_price] if math.isfinite(p)]
    prices = np.unique(given + ([reference] if reference is not None else []))
    # Cumulated demand and supply at each candidate: sort each side once.
    down = np.argsort(bid_price)
    up = np.argsort(ask_price)
    wanted = (
        bid_units.sum()
        - np.concatenate(([0.0], np.cumsum(bid_units[down])))[np.searchsorted(bid_price[down], prices, "left")]
    )
    offered = np.concatenate(([0.0], np.cumsum(ask_units[up])))[np.searchsorted(ask_price[up], prices, "right")]
    return Schedule(prices, wanted, offered)


def call_auction(
    bids: list[tuple[float | None, float]], asks: list[tuple[float | None, float]], reference: float | None = None
) -> Cleared:
    """Clear orders (limit price, units), price None for a market order, by the four rules of exchanges.

    (1) Largest executable volume; (2) least absolute surplus; (3) market pressure: only buyers left over, the
    highest of the tied prices, only sellers, the lowest; (4) the price nearest to ``reference``, or the middle of
    the range without one. Candidates are the limit prices and the reference. Raises ValueError on units < 0.
    """
    prices, wanted, offered = order_schedule(bids, asks, reference)
    bid_price = np.array([math.inf if p is None else p for p, _ in bids], float)
    ask_price = np.array([-math.inf if p is None else p for p, _ in asks], float)
    bid_units, ask_units = (np.array([q for _, q in side], float) for side in (bids, asks))
    nothing = Cleared(None, 0.0, [0.0] * len(bids), [0.0] * len(asks))
    if not len(prices):
        return nothing
    volume = np.minimum(wanted, offered)
    if volume.max() <= 0:
        return nothing
    surplus = wanted - offered
    best = volume == volume.max()
    best &= np.abs(surplus) == np.abs(surplus[best]).min()
    tied, left = prices[best], surplus[best]
    if (left > 0).all():
        price = tied[-1]
    elif (left < 0).all():
        price = tied[0]
    else:
        price = 0.5 * (tied[0] + tied[-1]) if reference is None else min(max(reference, tied[0]), tied[-1])
    traded = float(volume.max())
    return Cleared(
        float(price), traded, _fill(-bid_price, bid_units, -price, traded), _fill(ask_price, ask_units, price, traded)
    )


def _fill(price: np.ndarray, units: np.ndarray, limit: float, volume: float) -> list[float]:
    """Fill orders at or below ``limit`` from the lowest price up, pro rata at the marginal level."""
    fills = np.zeros(len(price))
    for level in np.unique(price[price <= limit]):
        at = price == level
        fills[at] = units[at] * min(1.0, volume / units[at].sum()) if units[at].sum() > 0 else 0.0
        volume = max(0.0, volume - units[at].sum())
    return fills.tolist()
