"""Who bids for used hardware, and who cannot, and why."""

from __future__ import annotations

from agents.buyers.bids import bid_limit, buyer_money, buyer_units, peer_money, risk_premium
from agents.rule import copied_rule, rule
from agents.tables.buyers import UNLIMITED
from agents.tables.clock import WEEKS
from agents.tables.operators import can_bid, free_units
from simulation.markets.auction import BIDDER, CAP, DUST, HOPS, LIMIT, MONEY
from simulation.markets.tape import TapeRow, note_row


@copied_rule
def add_bid(w, clock, terms, n, b, g, premium, hops):
    """Write bidder ``b``'s order for generation ``g`` as bid ``n`` and return BID; or return why it makes none.

    The limit (USD/GPU) is net of brokerage for each hop from the seller beyond the first; its money (USD) leaves room
    for it. This is the only place where it is decided who bids and who cannot.
    """
    # Rows are handed on, not tables: a table taken from the world counts a reference with every call.
    n_o = len(w.operators)
    if b < n_o:
        op = w.operators[b]
        if not can_bid(op, terms):
            return TapeRow.NOT_SOUND
        units = free_units(op, w.chips[g])
        money = peer_money(op, terms)
    else:
        buyer = w.buyers[b - n_o]
        units = buyer_units(buyer, w.chips[g], terms)
        money = buyer_money(buyer)
    fee = terms.market_finder_fee * max(0.0, hops - 1.0)
    limit = bid_limit(w, clock, terms, b, g, premium) * (1.0 - fee)
    if limit <= 0.0:
        return TapeRow.NO_VALUE
    if units < DUST:
        return TapeRow.NO_POWER
    if money < limit * DUST:
        return TapeRow.NO_MONEY
    w.scratch[LIMIT, n] = limit
    w.scratch[CAP, n] = units
    w.scratch[MONEY, n] = money / (1.0 + fee)
    w.scratch[HOPS, n] = hops
    w.ranking[BIDDER, n] = b
    return TapeRow.BID


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
def count_reached(w, terms, seller, weeks):
    """Return how many contacts a seller has reached after ``weeks`` of search; all bidders when ``seller`` < 0.

    Calls are made by the month; who has less than one reaches that part of those that a month would, one at least.
    """
    if seller < 0:
        return len(w.value) - 1
    known = w.contact_ptr[seller + 1] - w.contact_ptr[seller]
    reached = min(known, terms.market_calls_a_month * max(1, weeks // WEEKS))
    return min(reached, max(1, reached * weeks // WEEKS))


@rule
def collect_bids(w, clock, terms, g, seller, weeks, noting, n):
    """Collect the bids of the contacts that the seller has reached, nearest first; return the number of bids.

    With ``noting`` the contacts that make no bid are noted on the tape, and why, instead: their orders come behind the
    ``n`` bids there are (0 when collecting), which stay as they are.
    """
    premium = risk_premium(w.chips[g], terms)
    n_l = len(w.lenders)
    first = w.contact_ptr[max(0, seller)]
    for j in range(count_reached(w, terms, seller, weeks)):
        b = j if seller < 0 else w.contact[first + j] - n_l
        hops = 1.0 if seller < 0 else float(w.contact_hops[first + j])
        why = add_bid(w, clock, terms, n, b, g, premium, hops)
        if why == TapeRow.BID:
            n += 0 if noting else 1
        elif noting:
            note_row(w, clock, why, n_l + b, g, bid_limit(w, clock, terms, b, g, premium), 0.0)
    return n


@rule
def open_book(w, clock, terms, g, seller, weeks):
    """Collect all bids for generation ``g``, the backstop's among them; remember the best of the month."""
    n = collect_bids(w, clock, terms, g, seller, weeks, False, 0)
    best = 0.0
    for j in range(n):
        best = max(best, w.scratch[LIMIT, j])
    if terms.policy_backstop_capacity > 0.0:
        n = add_backstop(w, terms, n, g, best)
    w.chips[g].best_bid = max(w.chips[g].best_bid, best)
    return n


@rule
def note_absent(w, clock, terms, g, seller, weeks, n_bids):
    """Note the contacts reached that make no bid, and why; return how many contacts were reached."""
    collect_bids(w, clock, terms, g, seller, weeks, True, n_bids)
    return count_reached(w, terms, seller, weeks)
