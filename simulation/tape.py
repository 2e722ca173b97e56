"""The tape: what each auction of a step looked like, for whoever watches. Batch runs allocate none and write none."""

from __future__ import annotations

from agents.rule import rule
from agents.schema import Table, code, f, i

BID, NOT_SOUND, NO_POWER, NO_MONEY, NO_VALUE, ASK = range(6)

AUCTION = Table(
    "auctions",
    "Auctions of the last step, one row an auction (kept only for the page).",
    (
        i("month", "month", "months since the start"),
        i("turn", "round", "round of the cascade within the month"),
        i("chip", "chip", "generation"),
        i("seller", "node", "who sells, -1 all sellers of an exchange"),
        i("forced", "flag", "1 when the owners must sell"),
        i("reached", "contacts", "contacts that the seller reached"),
        f("offered", "GPU", "units offered"),
        f("sold", "GPU", "units sold"),
        f("price", "USD/GPU", "clearing price; without a trade where the sides came closest"),
        f("fundamental", "USD/GPU", "value in use to the best unconstrained user"),
        f("appraisal", "USD/GPU", "appraisal before the auction"),
        i("first", "quote", "its first row of quotes"),
        i("last", "quote", "one past its last row of quotes"),
    ),
)

QUOTE = Table(
    "quotes",
    "Orders of those auctions, and contacts that could not bid (kept only for the page).",
    (
        i("node", "node", "who bids or asks"),
        code("state", "bid, ask, or why there was no bid", "bid", "not_sound", "no_power", "no_money", "no_value", "ask"),
        f("limit", "USD/GPU", "highest price bid or least price asked"),
        f("units", "GPU", "units wanted at the limit or offered"),
        f("money", "USD", "what the bidder could spend"),
        f("filled", "GPU", "units bought or sold"),
        f("hops", "hop", "distance from the seller"),
    ),
)


@rule
def note_quote(w, node, state, limit, units, money, filled, hops):
    """Write one order (USD/GPU, GPU, USD, GPU) or one contact that cannot bid; a full tape writes nothing more."""
    k = w.tape_used[1]
    if k < len(w.quotes):
        q = w.quotes[k]
        q.node = node
        q.state = state
        q.limit = limit
        q.units = units
        q.money = money
        q.filled = filled
        q.hops = hops
        w.tape_used[1] = k + 1


@rule
def note_auction(w, clock, g, seller, forced, reached):
    """Open an auction on the tape; what is noted next belongs to it."""
    k = w.tape_used[0]
    w.tape_used[2] = -1
    if k < len(w.auctions):
        w.tape_used[2] = k
        a = w.auctions[k]
        chip = w.chips[g]
        a.month = clock.month
        a.turn = clock.turn
        a.chip = g
        a.seller = seller
        a.forced = 1 if forced else 0
        a.reached = reached
        a.offered = 0.0
        a.sold = 0.0
        a.price = 0.0
        a.fundamental = chip.fundamental
        a.appraisal = chip.appraisal
        a.first = w.tape_used[1]
        a.last = a.first
        w.tape_used[0] = k + 1


@rule
def note_outcome(w, price, volume, offered):
    """Close the auction that was opened last: clearing price (USD/GPU), volume and units offered (GPU)."""
    if w.tape_used[2] >= 0:
        a = w.auctions[w.tape_used[2]]
        a.price = price
        a.offered = offered
        a.sold = volume
        a.last = w.tape_used[1]
