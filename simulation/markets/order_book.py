"""Who bids for used hardware, and who cannot, and why."""

from __future__ import annotations

from agents.buyers.bids import bid_limit, buyer_money, buyer_units, risk_premium
from agents.rule import rule
from agents.tables.buyers import UNLIMITED
from agents.tables.operators import can_bid, free_units, spare_cash
from simulation.markets.auction import BIDDER, CAP, DUST, HOPS, LIMIT, MONEY
from simulation.markets.tape import TapeRow, note_row


@rule
def is_sound(w, terms, b):
    """Return whether bidder ``b`` may bid at all: peers must be sound, others always may."""
    return b >= len(w.operators) or can_bid(w.operators[b], terms)


@rule
def bidder_units(w, terms, b, g):
    """Return how many units of generation ``g`` bidder ``b`` has power for (GPU)."""
    n_o = len(w.operators)
    if b < n_o:
        return free_units(w.operators[b], w.chips[g])
    return buyer_units(w.buyers[b - n_o], w.chips[g], terms)


@rule
def bidder_money(w, terms, b):
    """Return what bidder ``b`` can spend on one lot (USD): peers bid with part of their spare cash."""
    n_o = len(w.operators)
    if b < n_o:
        return terms.market_peer_cash * spare_cash(w.operators[b], terms)
    return buyer_money(w.buyers[b - n_o])


@rule
def weigh_bid(w, clock, terms, b, g, premium, hops):
    """Return (BID or why not, limit, units, money) of bidder ``b`` for generation ``g`` at ``hops`` from the seller.

    The limit (USD/GPU) is net of brokerage for each hop beyond the first; money (USD) leaves room for it.
    """
    fee = terms.market_finder_fee * max(0.0, hops - 1.0)
    limit = bid_limit(w, clock, terms, b, g, premium) * (1.0 - fee)
    units = bidder_units(w, terms, b, g)
    money = bidder_money(w, terms, b) / (1.0 + fee)
    why = TapeRow.BID
    if not is_sound(w, terms, b):
        why = TapeRow.NOT_SOUND
    elif limit <= 0.0:
        why = TapeRow.NO_VALUE
    elif units < DUST:
        why = TapeRow.NO_POWER
    elif money < limit * DUST:
        why = TapeRow.NO_MONEY
    return why, limit, units, money


@rule
def add_bid(w, clock, terms, n, b, g, premium, hops):
    """Append bidder ``b``'s order as bid ``n``, if it makes one; return the number of bids."""
    why, limit, units, money = weigh_bid(w, clock, terms, b, g, premium, hops)
    if why != TapeRow.BID:
        return n
    w.scratch[LIMIT, n] = limit
    w.scratch[CAP, n] = units
    w.scratch[MONEY, n] = money
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
    w.scratch[CAP, n] = UNLIMITED
    w.scratch[MONEY, n] = buyer.budget
    w.scratch[HOPS, n] = 1.0
    w.ranking[BIDDER, n] = len(w.value) - 1
    return n + 1


@rule
def reached_contacts(w, terms, seller, months):
    """Return (first, number) of the contacts that a seller has reached after ``months`` of search, nearest first."""
    first = w.contact_ptr[seller]
    return first, min(w.contact_ptr[seller + 1] - first, terms.market_calls_a_month * (1 + months))


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
        first, reached = reached_contacts(w, terms, seller, months)
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
def note_absent(w, clock, terms, g, seller, months):
    """Note the contacts reached that make no bid, and why; return how many contacts were reached."""
    premium = risk_premium(w.chips[g], terms)
    n_l = len(w.lenders)
    first = 0
    reached = len(w.value) - 1
    if seller >= 0:
        first, reached = reached_contacts(w, terms, seller, months)
    for j in range(reached):
        b = j if seller < 0 else w.contact[first + j] - n_l
        hops = 1.0 if seller < 0 else float(w.contact_hops[first + j])
        why, limit, _units, _money = weigh_bid(w, clock, terms, b, g, premium, hops)
        if why != TapeRow.BID:
            note_row(w, clock, why, n_l + b, g, limit, 0.0)
    return reached
