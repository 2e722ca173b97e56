"""Who bids for used hardware, and who cannot, and why."""

from __future__ import annotations

from agents.buyers.bids import bid_limit, buyer_money, buyer_units, risk_premium
from agents.rule import rule
from agents.tables.operators import can_bid, free_units, spare_cash
from simulation.markets.auction import BIDDER, CAP, DUST, HOPS, LIMIT, MONEY
from simulation.markets.tape import TapeRow, note_row


@rule
def add_bid(w, clock, terms, n, b, g, premium, hops):
    """Append bidder ``b``'s order as bid ``n``; return the number of bids."""
    chip = w.chips[g]
    n_o = len(w.operators)
    if b < n_o:
        op = w.operators[b]
        if not can_bid(op, terms):
            return n
        units = free_units(op, chip)
        money = terms.market_peer_cash * spare_cash(op, terms)
    else:
        buyer = w.buyers[b - n_o]
        units = buyer_units(buyer, chip, terms)
        money = buyer_money(buyer)
    fee = terms.market_finder_fee * max(0.0, hops - 1.0)
    limit = bid_limit(w, clock, terms, b, g, premium) * (1.0 - fee)
    if limit <= 0.0 or units < DUST or money < limit * DUST:
        return n
    w.scratch[LIMIT, n] = limit
    w.scratch[CAP, n] = units
    w.scratch[MONEY, n] = money / (1.0 + fee)
    w.scratch[HOPS, n] = hops
    w.ranking[BIDDER, n] = b
    return n + 1


@rule
def add_backstop(w, terms, n, g, best):
    """Let the buyer of last resort bid when the best bid is below its trigger; return the number of bids."""
    buyer = w.buyers[len(w.buyers) - 1]
    fundamental = w.chips[g].fundamental
    if buyer.budget < 1.0 or best >= (1.0 - terms.policy_backstop_trigger) * fundamental:
        return n
    w.scratch[LIMIT, n] = terms.policy_backstop_price * fundamental
    w.scratch[CAP, n] = 1e12
    w.scratch[MONEY, n] = buyer.budget
    w.scratch[HOPS, n] = 1.0
    w.ranking[BIDDER, n] = len(w.value) - 1
    return n + 1


@rule
def collect_bids(w, clock, terms, g, seller, months):
    """Collect the bids of the contacts that the seller has reached (all bidders when ``seller`` < 0)."""
    premium = risk_premium(w.chips[g], terms)
    n_l = len(w.lenders)
    n = 0
    if seller < 0:
        for b in range(len(w.value) - 1):
            n = add_bid(w, clock, terms, n, b, g, premium, 1.0)
    else:
        first = w.contact_ptr[seller]
        reached = min(w.contact_ptr[seller + 1] - first, terms.market_calls_a_month * (1 + months))
        for j in range(first, first + reached):
            n = add_bid(w, clock, terms, n, w.contact[j] - n_l, g, premium, float(w.contact_hops[j]))
    best = 0.0
    for j in range(n):
        best = max(best, w.scratch[LIMIT, j])
    if terms.policy_backstop_capacity > 0.0:
        n = add_backstop(w, terms, n, g, best)
    w.chips[g].best_bid = max(w.chips[g].best_bid, best)
    return n


@rule
def why_absent(w, clock, terms, b, g, premium):
    """Return why a bidder makes no bid for a generation, BID if it makes one (as ``add_bid`` decides)."""
    n_o = len(w.operators)
    if b < n_o and not can_bid(w.operators[b], terms):
        return TapeRow.NOT_SOUND
    if bid_limit(w, clock, terms, b, g, premium) <= 0.0:
        return TapeRow.NO_VALUE
    units = free_units(w.operators[b], w.chips[g]) if b < n_o else buyer_units(w.buyers[b - n_o], w.chips[g], terms)
    if units < DUST:
        return TapeRow.NO_POWER
    money = terms.market_peer_cash * spare_cash(w.operators[b], terms) if b < n_o else buyer_money(w.buyers[b - n_o])
    return TapeRow.BID if money > 1.0 else TapeRow.NO_MONEY


@rule
def note_absent(w, clock, terms, g, seller, months):
    """Note the contacts reached that make no bid, and why; return how many contacts were reached."""
    premium = risk_premium(w.chips[g], terms)
    n_l = len(w.lenders)
    first = w.contact_ptr[max(0, seller)]
    reached = len(w.value) - 1
    if seller >= 0:
        reached = min(w.contact_ptr[seller + 1] - first, terms.market_calls_a_month * (1 + months))
    for j in range(reached):
        b = j if seller < 0 else w.contact[first + j] - n_l
        why = why_absent(w, clock, terms, b, g, premium)
        if why != TapeRow.BID:
            note_row(w, clock, why, n_l + b, g, bid_limit(w, clock, terms, b, g, premium), 0.0)
    return reached
