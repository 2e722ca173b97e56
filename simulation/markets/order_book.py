"""Who bids for used hardware, and who cannot, and why."""

from __future__ import annotations

from agents.buyers.bids import bid_limit, buyer_money, buyer_units, risk_premium
from agents.rule import rule
from agents.tables.buyers import UNLIMITED
from agents.tables.operators import can_bid, free_units, spare_cash
from simulation.markets.auction import BIDDER, CAP, DUST, HOPS, LIMIT, MONEY
from simulation.markets.tape import TapeRow, note_row

# These take tables, not the world: to hand the world on costs more than what they do.


@rule
def is_sound(operators, terms, b):
    """Return whether bidder ``b`` may bid at all: peers must be sound, others always may."""
    return b >= len(operators) or can_bid(operators[b], terms)


@rule
def bidder_units(operators, buyers, chip, terms, b):
    """Return how many units of a generation bidder ``b`` has power for (GPU)."""
    n_o = len(operators)
    if b < n_o:
        return free_units(operators[b], chip)
    return buyer_units(buyers[b - n_o], chip, terms)


@rule
def bidder_money(operators, buyers, terms, b):
    """Return what bidder ``b`` can spend on one lot (USD): peers bid with part of their spare cash."""
    n_o = len(operators)
    if b < n_o:
        return terms.market_peer_cash * spare_cash(operators[b], terms)
    return buyer_money(buyers[b - n_o])


@rule
def weigh_bid(operators, buyers, chip, terms, clock, b, value, premium, hops):
    """Return (BID or why not, limit, units, money) of bidder ``b`` at ``hops`` from the seller, for a generation that it values at ``value`` (USD/GPU).

    The limit (USD/GPU) is net of brokerage for each hop beyond the first; money (USD) leaves room for it. Who makes no
    bid is not weighed further: 0 stands for what was not asked.
    """
    if not is_sound(operators, terms, b):
        return TapeRow.NOT_SOUND, 0.0, 0.0, 0.0
    fee = terms.market_finder_fee * max(0.0, hops - 1.0)
    limit = bid_limit(len(operators), buyers, chip, terms, clock, b, value, premium) * (1.0 - fee)
    if limit <= 0.0:
        return TapeRow.NO_VALUE, limit, 0.0, 0.0
    units = bidder_units(operators, buyers, chip, terms, b)
    if units < DUST:
        return TapeRow.NO_POWER, limit, units, 0.0
    money = bidder_money(operators, buyers, terms, b)
    if money < limit * DUST:
        return TapeRow.NO_MONEY, limit, units, money
    return TapeRow.BID, limit, units, money / (1.0 + fee)


@rule
def add_bid(w, clock, terms, n, b, g, premium, hops):
    """Append bidder ``b``'s order as bid ``n``, if it makes one; return the number of bids."""
    why, limit, units, money = weigh_bid(
        w.operators, w.buyers, w.chips[g], terms, clock, b, w.value[b, g], premium, hops
    )
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
    chip = w.chips[g]
    premium = risk_premium(chip, terms)
    n_l = len(w.lenders)
    first = 0
    reached = len(w.value) - 1
    if seller >= 0:
        first, reached = reached_contacts(w, terms, seller, months)
    for j in range(reached):
        b = j if seller < 0 else w.contact[first + j] - n_l
        hops = 1.0 if seller < 0 else float(w.contact_hops[first + j])
        why, _limit, _units, _money = weigh_bid(
            w.operators, w.buyers, chip, terms, clock, b, w.value[b, g], premium, hops
        )
        if why != TapeRow.BID:
            limit = bid_limit(len(w.operators), w.buyers, chip, terms, clock, b, w.value[b, g], premium)
            note_row(w, clock, why, n_l + b, g, limit, 0.0)
    return reached
