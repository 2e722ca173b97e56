"""What becomes of contracts with customers: they end and are renewed in part, or their price is renegotiated."""

from __future__ import annotations

from agents.customers.signing import contract_rent, credit_mood, let_again
from agents.rule import rule
from agents.tables.events import Cause, EventKind, log_event
from agents.tables.lots import void_contract

#: Rows of working memory: contract revenue and units not renewed, by operator.
_ENDED, _UNITS = 0, 1
#: Less than this a month is no event (USD).
_NOTED = 1.0


@rule
def cut_price(lot, chip, customers, clock, terms):
    """Cut the price of a contract that its customer no longer accepts; return the revenue lost (USD a month).

    price *= 1 - h (gap - tolerance) when gap = (contract - spot)/contract exceeds the tolerance; h is the customer's
    and doubles in an AI-demand stress. Nobody gets below spot.
    """
    gap = (lot.contract_price - clock.rent) / lot.contract_price
    if gap <= terms.rental_renegotiation_gap:
        return 0.0
    speed = terms.rental_renegotiation * (1.0 + clock.stress_demand)
    if lot.customer >= 0:
        speed *= customers[lot.customer].renegotiation
    before = contract_rent(lot, chip, terms)
    lot.contract_price = max(clock.rent, lot.contract_price * (1.0 - speed * (gap - terms.rental_renegotiation_gap)))
    return before - contract_rent(lot, chip, terms)


@rule
def settle_signed(lot, clock):
    """Let what was signed with a customer that is gone end with its term; then the contract in its place is what counts."""
    if lot.signed > 0.0 and clock.month >= lot.signed_end:
        lot.signed = lot.contracted
        lot.signed_price = lot.contract_price
        lot.signed_end = lot.contract_end


@rule
def note_ended(w, clock, ended, units):
    """Log, for each operator, the contracts that ran out this month and were not renewed (USD a month, GPU)."""
    for o in range(len(w.operators)):
        if ended[o] < _NOTED:
            continue
        op = w.operators[o]
        op.lost += ended[o]
        op.lost_event = log_event(
            w.events, clock, EventKind.CONTRACT_ENDED, Cause.EXPIRY, len(w.lenders) + o, -1, -1, units[o], ended[o], -1
        )
        clock.contract_ended += ended[o]


@rule
def renegotiate(w, clock):
    """End contracts that are over, renewing part of them; cut contract prices that customers no longer accept.

    Reads lots, customers, the spot rent and recorded commitments; writes contracts, events, and what operators lose
    (USD a month). A contract with nobody known just ends, as that of a seized lot does.
    """
    terms = w.terms[0]
    n_l = len(w.lenders)
    n_o = len(w.operators)
    mood = credit_mood(w.panel, clock.month)
    ended = w.scratch[_ENDED]
    units = w.scratch[_UNITS]
    for o in range(n_o):
        ended[o] = 0.0
        units[o] = 0.0
    for k in range(clock.used_lots):
        lot = w.lots[k]
        if lot.contracted <= 0.0 and lot.signed <= 0.0:
            continue
        o = lot.owner - n_l
        over = lot.contracted > 0.0 and clock.month >= lot.contract_end
        if o < 0 or o >= n_o or lot.seized >= 0 or (over and lot.customer < 0):
            void_contract(lot)
            continue
        chip = w.chips[lot.chip]
        if over:
            had = lot.units * lot.contracted
            ended[o] += let_again(lot, w.operators[o], chip, w.customers, lot.customer, False, mood, clock, terms)
            units[o] += had - lot.units * lot.contracted
        elif lot.contracted > 0.0:
            clock.contract_lost += cut_price(lot, chip, w.customers, clock, terms)
        settle_signed(lot, clock)
    note_ended(w, clock, ended, units)
