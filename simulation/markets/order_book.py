"""What is on offer in a round, whom its sellers have reached, who bids for it and who cannot, and why.

An item is what one seller offers of one generation, in place or out of the rack; its asks are lots, its orders the bids
of the contacts that the seller has reached. Every buyer has one purse and one site for all of them.
"""

from __future__ import annotations

import math
from enum import IntEnum

from agents.buyers.bids import bid_limit, buyer_money, buyer_units, cooled_power, peer_money, risk_premium
from agents.rule import rule
from agents.tables.buyers import UNLIMITED, BuyerKind
from agents.tables.clock import WEEKS, Fault, stop_run
from agents.tables.events import SaleReason
from agents.tables.operators import can_bid
from simulation.markets.auction import DUST
from simulation.markets.rows import (
    ASKS,
    CALLED,
    CAP,
    CHIP,
    COOLED,
    COOLING,
    FEE,
    HOPS,
    LARGEST,
    LIMIT,
    MONEY,
    ORDERS,
    PLACE,
    POWER,
    PURSE,
    REACHED,
    RESERVE,
    SELLER,
    SITE,
    UNITS,
    WEEKS_OF,
)
from simulation.markets.tape import TapeRow, note_row


class Venue(IntEnum):
    """Where used hardware trades."""

    NETWORK = 0
    EXCHANGE = 1
    INVERSE_DEMAND = 2


class Search(IntEnum):
    """How sellers look for buyers."""

    EFFORT = 0
    FIXED = 1


#: Who is not sound enough to bid.
_NOT_SOUND = -1.0


@rule
def is_forced(reason):
    """Return whether a sale for this reason is forced."""
    return reason != SaleReason.CHURN and reason != SaleReason.DEALER


@rule
def list_asks(w, clock, seller, forced, n_items, n_asks):
    """Append the seller's lots that are for sale, by generation and place, as items with their asks; return both counts.

    ``forced`` says which lots: those that must be sold (1), the others (0).
    """
    n_g = len(w.chips)
    for kind in range(2 * n_g):
        first = n_asks
        weeks = 0
        k = w.first_lot[seller]
        while k >= 0:
            lot = w.lots[k]
            here = 1 if lot.site >= 0 else 0
            if (
                lot.offered > 0.0
                and lot.chip == kind // 2
                and here == kind % 2
                and is_forced(lot.reason) == (forced == 1)
            ):
                w.ask[RESERVE, n_asks] = max(lot.reserve, w.chips[lot.chip].scrap)
                w.ask[UNITS, n_asks] = lot.offered
                w.ask_lot[n_asks] = k
                weeks = max(weeks, WEEKS * (1 + clock.month - lot.asked) - lot.hurry)
                n_asks += 1
            k = lot.following
        if n_asks > first:
            w.item[SELLER, n_items] = seller
            w.item[CHIP, n_items] = kind // 2
            w.item[PLACE, n_items] = kind % 2
            w.item[WEEKS_OF, n_items] = weeks
            w.item[ASKS, n_items] = first
            n_items += 1
    w.item[ASKS, n_items] = n_asks
    return n_items, n_asks


@rule
def read_purses(w, clock):
    """Write what every bidder can spend (USD) and place (kW, kW with liquid cooling) in this round."""
    terms = w.terms[0]
    n_o = len(w.operators)
    for b in range(len(w.value)):
        if b < n_o:
            op = w.operators[b]
            sound = can_bid(op, terms)
            w.purse[MONEY, b] = peer_money(op, terms) if sound else _NOT_SOUND
            w.purse[SITE, b] = max(0.0, op.site_power - op.used_power)
            w.purse[COOLING, b] = max(0.0, op.liquid_power - op.used_liquid)
            w.purse[LARGEST, b] = w.purse[MONEY, b]
        else:
            buyer = w.buyers[b - n_o]
            w.purse[MONEY, b] = buyer.budget
            if buyer.kind == BuyerKind.DEALER:
                w.purse[MONEY, b] = max(0.0, min(buyer.budget, buyer.budget_cap - buyer.inventory))
            w.purse[SITE, b] = buyer.power
            w.purse[COOLING, b] = cooled_power(buyer, terms)
            w.purse[LARGEST, b] = buyer_money(buyer)


@rule
def search_reach(terms, known, weeks, stake):
    """Return how many of ``known`` contacts a seller with ``stake`` USD at stake has called after ``weeks`` of search.

    Exchange: all. Fixed: so many calls a month. Effort: the n-th call of a month costs n times the first (staff is
    short), and the best of n offers that differ by a share s rises by about s/n of the stake with the next one (Stigler
    1961): calls go on while s stake/n >= n cost, up to n = sqrt(s stake/cost).
    """
    if terms.market_venue == Venue.EXCHANGE:
        return known
    calls = float(terms.market_calls_a_month)
    if terms.market_search == Search.EFFORT:
        calls = max(1.0, math.floor(math.sqrt(terms.market_quote_dispersion * stake / terms.market_call_cost)))
    # Calls are made by the month; who has less reaches that part of those of a month, one at least.
    return int(min(float(known), max(1.0, calls * weeks / WEEKS)))


@rule
def have_decided(terms, called, weeks):
    """Return how many of the ``called`` can bid after ``weeks``: who has looked at the hardware and has its money approved.

    Capital moves slowly (Duffie 2010): a buyer decides at a rate of one in ``due_diligence`` months, so that after t months
    1 - exp(-t/T) of them have; one at least, who knows the seller. On an exchange all stand ready, and so with T = 0.
    """
    if terms.market_venue == Venue.EXCHANGE or terms.market_due_diligence <= 0.0:
        return called
    share = 1.0 - math.exp(-weeks / (WEEKS * terms.market_due_diligence))
    return min(called, max(1, int(share * called + 0.5)))


@rule
def search_cost(terms, called, weeks):
    """Return what a month's calls cost the seller (USD): cost n (n + 1)/2 for the last month's n calls."""
    if terms.market_venue == Venue.EXCHANGE or terms.market_search == Search.FIXED:
        return 0.0
    calls = called / max(1.0, weeks / WEEKS)
    return 0.5 * terms.market_call_cost * calls * (calls + 1.0)


@rule
def add_bid(w, clock, terms, n, b, g, place, units, premium, hops):
    """Write bidder ``b``'s order for an item of ``units`` GPUs of generation ``g`` as order ``n`` and return BID; or why it makes none.

    The limit (USD/GPU) is the most that a unit costs it, a broker's fee for each hop beyond the first included. Sold in
    place (``place`` 1) a unit brings its power with it. This is the only place where it is decided who bids and who
    cannot.
    """
    n_o = len(w.operators)
    chip = w.chips[g]
    if w.purse[MONEY, b] < 0.0:
        return TapeRow.NOT_SOUND
    power = chip.power
    cooled = chip.power * chip.liquid
    if b < n_o:
        free = w.purse[SITE, b]
        if chip.liquid == 1:
            free = min(free, w.purse[COOLING, b])
        cap = free / chip.power
    else:
        buyer = w.buyers[b - n_o]
        if units < buyer.least_units:
            return TapeRow.TOO_SMALL
        if chip.mean_age > buyer.oldest:
            return TapeRow.TOO_OLD
        cap = buyer_units(buyer, chip, terms)
        if buyer.kind == BuyerKind.DEALER or buyer.kind == BuyerKind.SCRAP:
            power = 0.0
            cooled = 0.0
    if place == 1:
        power = 0.0
        cooled = 0.0
        cap = UNLIMITED
    limit = bid_limit(w, clock, terms, b, g, premium)
    if limit <= 0.0:
        return TapeRow.NO_VALUE
    if cap < DUST:
        return TapeRow.NO_POWER
    if w.purse[LARGEST, b] < limit * DUST:
        return TapeRow.NO_MONEY
    w.order[LIMIT, n] = limit
    w.order[FEE, n] = terms.market_finder_fee * max(0.0, hops - 1.0)
    w.order[POWER, n] = power
    w.order[COOLED, n] = cooled
    w.order[CAP, n] = cap
    w.order[PURSE, n] = w.purse[LARGEST, b]
    w.order[HOPS, n] = hops
    w.bidder[n] = b
    return TapeRow.BID


@rule
def contact_at(w, seller, j, everybody):
    """Return (bidder, hops) of the seller's ``j``-th contact; on an exchange everybody but itself is one, at one hop."""
    own = seller - len(w.lenders)
    if everybody:
        return j if own < 0 or j < own else j + 1, 1.0
    at = w.contact_ptr[seller] + j
    return w.contact[at] - len(w.lenders), float(w.contact_hops[at])


@rule
def count_known(w, seller, everybody):
    """Return how many contacts a seller can ever reach; the backstop is nobody's contact."""
    if everybody:
        return len(w.value) - (2 if seller >= len(w.lenders) else 1)
    return w.contact_ptr[seller + 1] - w.contact_ptr[seller]


@rule
def note_bid(w, clock, n, g, offer):
    """Note order ``n`` for generation ``g`` on the tape, as an offer of so many USD/GPU; return its row, -1 if there is none left."""
    k = note_row(w, clock, TapeRow.BID, len(w.lenders) + w.bidder[n], g, offer, w.order[CAP, n])
    if k >= 0:
        w.tape[k].money = w.order[PURSE, n]
        w.tape[k].hops = w.order[HOPS, n]
    return k


@rule
def call_contacts(w, clock, terms, i, n, noting):
    """Write the orders of the contacts of item ``i`` that can bid by now behind the ``n`` there are; return their number.

    Orders that do not reach the lowest reserve are left out: they cannot trade. With ``noting`` the contacts that make
    no order are noted on the tape instead, and why.
    """
    seller = w.item[SELLER, i]
    g = w.item[CHIP, i]
    units = 0.0
    least = math.inf
    for a in range(w.item[ASKS, i], w.item[ASKS, i + 1]):
        units += w.ask[UNITS, a]
        least = min(least, w.ask[RESERVE, a])
    everybody = terms.market_venue == Venue.EXCHANGE
    premium = risk_premium(w.chips[g], terms)
    weeks = w.item[WEEKS_OF, i]
    called = search_reach(terms, count_known(w, seller, everybody), weeks, units * w.chips[g].appraisal)
    reached = have_decided(terms, called, weeks)
    w.item[CALLED, i] = called
    w.item[REACHED, i] = reached
    # Room for all of them, for the backstop, and for the order that is drafted last.
    if not noting and n + reached + 2 > len(w.bidder):
        stop_run(clock, Fault.ORDERS_FULL, n, 0.0)
        return n
    best = 0.0
    for j in range(reached):
        b, hops = contact_at(w, seller, j, everybody)
        why = add_bid(w, clock, terms, n, b, g, w.item[PLACE, i], units, premium, hops)
        if why != TapeRow.BID:
            if noting:
                note_row(w, clock, why, len(w.lenders) + b, g, bid_limit(w, clock, terms, b, g, premium), 0.0)
            continue
        offer = w.order[LIMIT, n] / (1.0 + w.order[FEE, n])
        best = max(best, offer)
        if noting and offer < least:
            note_bid(w, clock, n, g, offer)
        if not noting and offer >= least:
            n += 1
    if not noting:
        w.chips[g].best_bid = max(w.chips[g].best_bid, best)
        if terms.policy_backstop_capacity > 0.0:
            n = add_backstop(w, terms, n, g, best)
    return n


@rule
def add_backstop(w, terms, n, g, best):
    """Let the buyer of last resort bid when the best bid is below its trigger; return the number of orders."""
    buyer = w.buyers[len(w.buyers) - 1]
    fundamental = w.chips[g].fundamental
    if buyer.budget < 1.0 or best >= (1.0 - terms.policy_backstop_trigger) * fundamental:
        return n
    w.order[LIMIT, n] = terms.policy_backstop_price * fundamental
    w.order[FEE, n] = 0.0
    w.order[POWER, n] = 0.0
    w.order[COOLED, n] = 0.0
    w.order[CAP, n] = UNLIMITED
    w.order[PURSE, n] = buyer.budget
    w.order[HOPS, n] = 1.0
    w.bidder[n] = len(w.value) - 1
    return n + 1


@rule
def call_all(w, clock, n_items):
    """Write the orders for every item; return their number."""
    terms = w.terms[0]
    n = 0
    for i in range(n_items):
        w.item[ORDERS, i] = n
        n = call_contacts(w, clock, terms, i, n, False)
    w.item[ORDERS, n_items] = n
    return n
