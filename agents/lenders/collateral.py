"""What a lender does with hardware that it has seized: how much it offers, and from which price."""

from __future__ import annotations

from agents.lenders.marks import mark_lot
from agents.rule import rule
from agents.tables.events import SaleReason
from agents.tables.lenders import LenderStatus


@rule
def paced_units(lot, lender, clock, terms):
    """Return the units of a seized lot that are offered now: all, or what pacing leaves of this month's part (GPU)."""
    if terms.policy_pacing >= 1.0 or lender.status != LenderStatus.ACTIVE:
        return lot.units
    part = terms.policy_pacing * lot.units
    return part if clock.turn == 0 else min(lot.offered, part)


@rule
def price_seized(w, clock, node, lender):
    """Set the reserve of a lender's seized lots: patience x mark, decaying with months held; zero when it is not sound."""
    terms = w.terms[0]
    k = w.first_lot[node]
    while k >= 0:
        lot = w.lots[k]
        if lot.reason == SaleReason.IMPOSED:
            k = lot.following
            continue
        lot.offered = paced_units(lot, lender, clock, terms)
        held = max(0, clock.month - lot.seized)
        patience = (
            max(0.0, lender.patience - terms.market_patience_decay * held)
            if lender.status == LenderStatus.ACTIVE
            else 0.0
        )
        lot.reserve = patience * mark_lot(lender, lot, w.chips[lot.chip], clock.month)
        k = lot.following
