"""Everything on offer clears at once: buyers with one purse and one site each, sellers with reserves.

Equilibrium (a quasi-linear Fisher market). Buyer b takes x_e units of the items that reached it so as to maximise
sum_e (v_e - c_e) x_e, v_e its limit and c_e = (1 + fee_e) p_i what a unit costs it, subject to sum c_e x_e <= money, to power
and cooled power, to x_e <= cap_e and c_e x_e <= purse_e. An ask sells all where p_i is above its reserve, part where it equals
it. With money enough the marginal buyer's limit is the price, with little money the cash in the market is (Allen and Gale
1994); a buyer splits its money so that a unit of value costs it the same. Conitzer, Kroer, Panigrahi, Schrijvers, Sodomka,
Stier-Moses and Wilkens (2022): the same prices are a first-price pacing equilibrium.

How it is computed: proportional response (Zhang 2011; for buyers that may keep money: Gao and Kroer 2020). Each buyer puts on
an item what it gained there last time, v_e x_e, cut in proportion where that is more than its money; the price of an item
is the money on it over what is offered, never below a reserve that binds. Everybody responds to the last round of prices, so
that no order matters. That says how buyers split what they have among the items; with its part of money and power set
apart, each item then clears by itself, exactly, in a uniform-price auction with budgets (:mod:`simulation.markets.auction`).
"""

from __future__ import annotations

import math

from agents.rule import entry, rule
from simulation.markets.auction import clear_budget_auction
from simulation.markets.rows import BUDGET, COLD, GAIN, GROSS, MOST, NET, PUT, SPEND, TAKEN, USED

#: Sweeps of responses.
SWEEPS = 60
#: A hair less than all: sums in another order stay within. What is not nothing, to divide by.
_HAIR = 1e-12
_SOME = 1e-300


@rule
def price_of(money, reserve, units, first, last):
    """Return the price (USD/GPU) at which ``money`` buys what asks ``first:last`` offer at it: money over units, or a reserve that binds."""
    sold = 0.0
    level = -1.0
    while True:
        least = math.inf
        for a in range(first, last):
            if level < reserve[a] < least:
                least = reserve[a]
        if sold > 0.0 and money <= least * sold:
            # What is below the next reserve takes all the money.
            return max(level, money / sold)
        if least == math.inf:
            return max(level, 0.0)
        level = least
        for a in range(first, last):
            if reserve[a] == least:
                sold += units[a]


@rule
def money_on(first, last, working):
    """Return the money on an item net of brokers' fees (USD)."""
    money = 0.0
    for e in range(first, last):
        money += working[SPEND, e] / working[GROSS, e]
    return money


@rule
def respond(ask_ptr, edge_ptr, n_items, reserve, units, buyer, limit, kw, liquid, cap, n_buyers, price, working):
    """Set prices by the money on each item, and what buyers take, gain (USD) and use of power and cooled power (kW) at them."""
    for b in range(n_buyers):
        working[GAIN, b] = 0.0
        working[USED, b] = 0.0
        working[COLD, b] = 0.0
    for i in range(n_items):
        if edge_ptr[i + 1] == edge_ptr[i]:
            continue
        price[i] = price_of(money_on(edge_ptr[i], edge_ptr[i + 1], working), reserve, units, ask_ptr[i], ask_ptr[i + 1])
        for e in range(edge_ptr[i], edge_ptr[i + 1]):
            x = min(cap[e], working[SPEND, e] / (price[i] * working[GROSS, e])) if price[i] > 0.0 else 0.0
            working[TAKEN, e] = x
            b = buyer[e]
            working[GAIN, b] += limit[e] * x
            working[USED, b] += kw[e] * x
            working[COLD, b] += liquid[e] * x


@rule
def put_money(n, buyer, limit, kw, liquid, purse, money, site, cooling, working):
    """Put on each item what the buyer gained there, within its money, and within the power that it has."""
    for e in range(n):
        b = buyer[e]
        usd = limit[e] * working[TAKEN, e]
        if working[GAIN, b] > money[b]:
            usd *= money[b] / working[GAIN, b]
        if kw[e] > 0.0 and working[USED, b] > site[b]:
            usd *= site[b] / working[USED, b]
        if liquid[e] > 0.0 and working[COLD, b] > cooling[b]:
            usd *= cooling[b] / working[COLD, b]
        working[SPEND, e] = min(usd, purse[e])


@rule
def set_apart(e, buyer, limit, kw, liquid, cap, purse, money, site, cooling, working):
    """Set a bid's part of what its buyer has: the most units and the most money, net of the broker, for this item.

    Money goes by what it put on each item, power by what it would use there; who has more of either than it would use
    may use all of it.
    """
    b = buyer[e]
    usd = min(purse[e], money[b] * working[SPEND, e] / max(_SOME, working[PUT, b]))
    units = cap[e]
    if kw[e] > 0.0:
        units = min(units, site[b] * working[TAKEN, e] / max(_SOME, working[USED, b]))
    if liquid[e] > 0.0:
        units = min(units, cooling[b] * working[TAKEN, e] / max(_SOME, working[COLD, b]))
    working[NET, e] = limit[e] / working[GROSS, e]
    working[MOST, e] = units * (1.0 - _HAIR)
    working[BUDGET, e] = usd / working[GROSS, e] * (1.0 - _HAIR)


@rule
def group_by_buyer(buyer, n, n_buyers, start, by_buyer):
    """List the first ``n`` edges buyer by buyer: by_buyer[start[b]:start[b + 1]] are those of b, in order."""
    for b in range(n_buyers + 1):
        start[b] = 0
    for e in range(n):
        start[buyer[e] + 1] += 1
    for b in range(n_buyers):
        start[b + 1] += start[b]
    for e in range(n):
        by_buyer[start[buyer[e]]] = e
        start[buyer[e]] += 1
    for b in range(n_buyers, 0, -1):
        start[b] = start[b - 1]
    start[0] = 0


@entry
def clear_purses(
    ask_ptr, edge_ptr, n_items, reserve, units, buyer, limit, fee, kw, liquid, cap, purse, n_buyers, money, site, cooling,
    price, fill, ask_fill, working, start, by_buyer, ranking,
):  # fmt: skip
    """Clear ``n_items`` items at once: write their prices (USD/GPU, 0 without a trade), fills of bids and of asks (GPU).

    Asks of item i are ``ask_ptr[i]:ask_ptr[i + 1]`` with ``reserve`` and ``units``; its bids ``edge_ptr[i]:edge_ptr[i + 1]``
    with ``buyer``, ``limit`` (the most that a unit costs it, fee included), ``fee`` (share of the price on top), ``kw`` and
    ``liquid`` (power and cooled power a unit takes), ``cap`` (units) and ``purse`` (USD at most on this item). Buyer b has
    ``money``, ``site`` and ``cooling`` for all. Working memory: WORKING_ROWS x (bids, or buyers), bids grouped by buyer, and
    three rows of integers, as long as an item has bids or asks.

    Exact: nobody pays above its limit or more than it has, no ask below its reserve, both sides agree, each item clears, no
    order matters. Approximate: how buyers split what they have, after a number of sweeps.
    """
    n = edge_ptr[n_items]
    group_by_buyer(buyer, n, n_buyers, start, by_buyer)
    for e in range(n):
        b = buyer[e]
        working[GROSS, e] = 1.0 + fee[e]
        working[SPEND, e] = min(purse[e], money[b] / (start[b + 1] - start[b]))
    for _ in range(SWEEPS):
        respond(ask_ptr, edge_ptr, n_items, reserve, units, buyer, limit, kw, liquid, cap, n_buyers, price, working)
        put_money(n, buyer, limit, kw, liquid, purse, money, site, cooling, working)
    for b in range(n_buyers):
        working[PUT, b] = 0.0
        for j in range(start[b], start[b + 1]):
            working[PUT, b] += working[SPEND, by_buyer[j]]
    for e in range(n):
        set_apart(e, buyer, limit, kw, liquid, cap, purse, money, site, cooling, working)
    for i in range(n_items):
        first = edge_ptr[i]
        last = edge_ptr[i + 1]
        asks = ask_ptr[i]
        price[i], _volume = clear_budget_auction(
            working[NET, first:last], working[MOST, first:last], working[BUDGET, first:last], last - first,
            reserve[asks : ask_ptr[i + 1]], units[asks : ask_ptr[i + 1]], ask_ptr[i + 1] - asks, ranking[0], ranking[1],
            ranking[2], fill[first:last], ask_fill[asks : ask_ptr[i + 1]],
        )  # fmt: skip
