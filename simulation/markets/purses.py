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
that no order matters. After a fixed number of sweeps those who would pay above their limit are left out, and what is not
feasible is rationed in proportion.
"""

from __future__ import annotations

import math

from agents.rule import entry, rule
from simulation.markets.rows import COLD, GAIN, GROSS, SPEND, TAKEN, USED

#: Sweeps of responses. Prices are then within about one part in a hundred of where they settle (see the specifications).
SWEEPS = 60
#: Times that bids above their limit are left out and the price is set again.
_AGAIN = 8
#: A hair less than all: sums in another order stay within. A hair of tolerance for who pays just its limit.
_HAIR = 1e-12
_SAME = 1e-9


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
def leave_out(first_ask, last_ask, reserve, units, first, last, limit, working):
    """Return the price of an item without the bids that it exceeds; their money is taken off it."""
    price = 0.0
    for _ in range(_AGAIN):
        price = price_of(money_on(first, last, working), reserve, units, first_ask, last_ask)
        out = False
        for e in range(first, last):
            if working[SPEND, e] > 0.0 and price * working[GROSS, e] > limit[e] * (1.0 + _SAME):
                working[SPEND, e] = 0.0
                out = True
        if not out:
            return price
    for e in range(first, last):
        # Who is left then pays its limit at most: the price is the lowest limit.
        if working[SPEND, e] > 0.0:
            price = min(price, limit[e] / working[GROSS, e])
    return price


@rule
def take(first_ask, last_ask, reserve, units, first, last, price, cap, working):
    """Write what bids take of an item at its price, in proportion where that is more than is offered at it."""
    wanted = 0.0
    for e in range(first, last):
        x = min(cap[e], working[SPEND, e] / (price * working[GROSS, e])) if price > 0.0 else 0.0
        working[TAKEN, e] = x
        wanted += x
    offered = 0.0
    for a in range(first_ask, last_ask):
        if reserve[a] <= price:
            offered += units[a]
    if wanted > offered:
        for e in range(first, last):
            working[TAKEN, e] *= offered / wanted


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


@rule
def hand_out(first_ask, last_ask, reserve, units, price, sold, ask_fill):
    """Fill asks from the lowest reserve up to ``sold`` units, those at one reserve in proportion; return what was filled."""
    left = sold
    level = -1.0
    while left > 0.0:
        least = math.inf
        for a in range(first_ask, last_ask):
            if level < reserve[a] <= price:
                least = min(least, reserve[a])
        if least == math.inf:
            break
        here = 0.0
        for a in range(first_ask, last_ask):
            if reserve[a] == least:
                here += units[a]
        share = min(1.0, left / here) if here > 0.0 else 0.0
        for a in range(first_ask, last_ask):
            if reserve[a] == least:
                ask_fill[a] = share * units[a]
        left = left - here if left > here else 0.0
        level = least
    return sold - left


@rule
def ration(n_buyers, start, by_buyer, item_of, price, money, site, cooling, kw, liquid, working):
    """Cut what each buyer takes to what it can pay and place: in proportion, where the sweeps have not quite settled."""
    for b in range(n_buyers):
        spent = 0.0
        used = 0.0
        cooled = 0.0
        for j in range(start[b], start[b + 1]):
            e = by_buyer[j]
            spent += working[TAKEN, e] * price[item_of[e]] * working[GROSS, e]
            used += working[TAKEN, e] * kw[e]
            cooled += working[TAKEN, e] * liquid[e]
        share = 1.0
        if spent > max(0.0, money[b]):
            share = max(0.0, money[b]) / spent
        if used > site[b]:
            share = min(share, site[b] / used)
        if cooled > cooling[b]:
            share = min(share, cooling[b] / cooled)
        if share < 1.0:
            for j in range(start[b], start[b + 1]):
                # A hair less: sums in another order stay within.
                working[TAKEN, by_buyer[j]] *= share * (1.0 - _HAIR)


@entry
def clear_purses(
    ask_ptr, edge_ptr, n_items, reserve, units, buyer, limit, fee, kw, liquid, cap, purse, n_buyers, money, site, cooling,
    price, fill, ask_fill, working, item_of, start, by_buyer,
):  # fmt: skip
    """Clear ``n_items`` items at once: write their prices (USD/GPU, 0 without a trade), fills of bids and of asks (GPU).

    Asks of item i are ``ask_ptr[i]:ask_ptr[i + 1]`` with ``reserve`` and ``units``; its bids ``edge_ptr[i]:edge_ptr[i + 1]``
    with ``buyer``, ``limit`` (the most that a unit costs it, fee included), ``fee`` (share of the price on top), ``kw`` and
    ``liquid`` (power and cooled power a unit takes), ``cap`` (units) and ``purse`` (USD at most on this item). Buyer b has
    ``money``, ``site`` and ``cooling`` for all. The last four arrays are working memory: WORKING_ROWS x (bids, or buyers),
    the item of each bid, and bids grouped by buyer.

    Exact: nobody pays above its limit or more than it has, no ask below its reserve, both sides agree, no order matters.
    Approximate: prices after a number of sweeps.
    """
    n = edge_ptr[n_items]
    group_by_buyer(buyer, n, n_buyers, start, by_buyer)
    for i in range(n_items):
        price[i] = 0.0
        for e in range(edge_ptr[i], edge_ptr[i + 1]):
            item_of[e] = i
            working[GROSS, e] = 1.0 + fee[e]
            b = buyer[e]
            working[SPEND, e] = min(purse[e], money[b] / (start[b + 1] - start[b]))
    for _ in range(SWEEPS):
        respond(ask_ptr, edge_ptr, n_items, reserve, units, buyer, limit, kw, liquid, cap, n_buyers, price, working)
        put_money(n, buyer, limit, kw, liquid, purse, money, site, cooling, working)
    for i in range(n_items):
        for a in range(ask_ptr[i], ask_ptr[i + 1]):
            ask_fill[a] = 0.0
        if edge_ptr[i + 1] > edge_ptr[i]:
            price[i] = leave_out(
                ask_ptr[i], ask_ptr[i + 1], reserve, units, edge_ptr[i], edge_ptr[i + 1], limit, working
            )
            take(ask_ptr[i], ask_ptr[i + 1], reserve, units, edge_ptr[i], edge_ptr[i + 1], price[i], cap, working)
    ration(n_buyers, start, by_buyer, item_of, price, money, site, cooling, kw, liquid, working)
    for i in range(n_items):
        sold = 0.0
        for e in range(edge_ptr[i], edge_ptr[i + 1]):
            fill[e] = working[TAKEN, e]
            sold += fill[e]
        if sold <= 0.0:
            price[i] = 0.0
            continue
        filled = hand_out(ask_ptr[i], ask_ptr[i + 1], reserve, units, price[i], sold, ask_fill)
        if filled < sold:
            for e in range(edge_ptr[i], edge_ptr[i + 1]):
                fill[e] *= filled / sold
