"""The tape: what each auction of a step looked like, for whoever watches. Batch runs allocate none and write none."""

from __future__ import annotations

from enum import IntEnum

from agents.rule import rule
from agents.schema import Table, code, f, i


class TapeRow(IntEnum):
    """What a row of the tape is: an auction, an order, or why a contact made no bid."""

    AUCTION = 0
    BID = 1
    NOT_SOUND = 2
    NO_POWER = 3
    NO_MONEY = 4
    NO_VALUE = 5
    ASK = 6
    TOO_SMALL = 7
    TOO_OLD = 8


TAPE = Table(
    "tape",
    "Auctions of the last step: a row an auction, followed by its orders and by the contacts that could not bid (kept "
    "only for the page).",
    (
        code("kind", "what the row is: an auction, an order, or why a contact did not bid", TapeRow),
        i("node", "node", "who sells, bids or asks; -1 all sellers of an exchange"),
        i("chip", "chip", "generation"),
        i("turn", "round", "round of the cascade within the month"),
        i("forced", "flag", "1 when the owners must sell"),
        i("reached", "contacts", "auction: contacts that the seller reached"),
        f("price", "USD/GPU", "auction: clearing price, without a trade where the sides came closest; order: its limit"),
        f("units", "GPU", "auction: units offered; ask: units offered; bid: units that its power takes"),
        f("filled", "GPU", "units sold or bought"),
        f("money", "USD", "bid: what the bidder could spend"),
        f("hops", "hop", "bid: distance from the seller"),
        f("fundamental", "USD/GPU", "auction: value in use to the best unconstrained user"),
        f("appraisal", "USD/GPU", "auction: appraisal before it"),
    ),
)  # fmt: skip


@rule
def note_row(w, clock, kind, node, chip, price, units):
    """Take the next row of the tape; return it, or -1 when the tape is full."""
    k = clock.tape
    if k >= len(w.tape):
        return -1
    row = w.tape[k]
    row.kind = kind
    row.node = node
    row.chip = chip
    row.turn = clock.turn
    row.forced = 0
    row.reached = 0
    row.price = price
    row.units = units
    row.filled = 0.0
    row.money = 0.0
    row.hops = 0.0
    row.fundamental = w.chips[chip].fundamental
    row.appraisal = w.chips[chip].appraisal
    clock.tape = k + 1
    return k
