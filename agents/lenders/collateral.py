"""What a lender does with hardware that it has seized: run it where it stands, sell it in place or out of the rack, or wait."""

from __future__ import annotations

from agents.lenders.marks import mark_lot
from agents.rule import rule
from agents.tables.events import SaleReason
from agents.tables.lenders import LenderKind, LenderStatus

#: Between target and minimum capital ratio there is at least this, to divide by.
_NARROW = 1e-6


@rule
def paced_units(lot, lender, clock, terms):
    """Return the units of a seized lot that are offered now: all, or what pacing leaves of this month's part (GPU)."""
    if terms.policy_pacing >= 1.0 or lender.status != LenderStatus.ACTIVE:
        return lot.units
    part = terms.policy_pacing * lot.units
    return part if clock.turn == 0 else min(lot.offered, part)


@rule
def lender_need(lender):
    """Return how badly a lender needs money, 0 (not at all) to 1: by what is left of its capital above the minimum.

    Called upon, illiquid or failed it needs it at any price; outside investors never do.
    """
    if lender.kind == LenderKind.OUTSIDE:
        return 0.0
    if lender.status != LenderStatus.ACTIVE or lender.call_due > 1.0:
        return 1.0
    span = max(_NARROW, lender.capital_target - lender.capital_minimum)
    return 1.0 - min(1.0, max(0.0, (lender.capital_ratio - lender.capital_minimum) / span))


@rule
def hold_value(lot, chip, terms):
    """Return what a unit is worth to who waits (USD): what a receiver earns with it.

    In place a receiver runs part of the units, at their value in use. Out of its place hardware earns nothing: there is
    no value to wait for (see the lender's patience).
    """
    if lot.site < 0:
        return 0.0
    return terms.market_receivership * chip.fundamental


@rule
def price_seized(w, clock, node, lender):
    """Set the reserves of a lender's seized lots: what waiting is worth to it, less by its own need.

    Hardware that stands idle: patience x mark, falling with the months held; nothing when the lender is not sound.
    """
    terms = w.terms[0]
    need = lender_need(lender)
    k = w.first_lot[node]
    while k >= 0:
        lot = w.lots[k]
        if lot.reason == SaleReason.IMPOSED:
            k = lot.following
            continue
        chip = w.chips[lot.chip]
        lot.offered = paced_units(lot, lender, clock, terms)
        held = max(0, clock.month - lot.seized)
        if lot.site >= 0:
            lot.reserve = (1.0 - need) * hold_value(lot, chip, terms)
        else:
            patience = max(0.0, lender.patience - terms.market_patience_decay * held)
            lot.reserve = patience * mark_lot(lender, lot, chip, clock.month) if need < 1.0 else 0.0
        k = lot.following


@rule
def price_estate(w, clock, node):
    """Set the reserves of an estate's lots: the administrator runs them and grows impatient (USD/GPU)."""
    terms = w.terms[0]
    k = w.first_lot[node]
    while k >= 0:
        lot = w.lots[k]
        left = max(0.0, 1.0 - (clock.month - lot.asked) / terms.market_estate_months)
        lot.reserve = left * hold_value(lot, w.chips[lot.chip], terms)
        k = lot.following
