"""What happens in the rounds of the cascade beside what agents do: blocks come to market; whether a round follows."""

from __future__ import annotations

from agents.rule import rule
from agents.tables.clock import DAYS, WEEKS
from agents.tables.events import Cause, EventKind, SaleReason, log_event
from agents.tables.lots import open_lot


@rule
def offer_part(lot, chip, clock):
    """Offer this month's part of a block (GPU, USD/GPU): what is left of it in equal parts until the deadline.

    The reserve falls from the appraisal in equal steps; in the last month there is none, and after it all is for sale.
    """
    months = max(1, lot.deadline - clock.month + 1)
    lot.offered = lot.units / months
    lot.reserve = chip.appraisal * (months - 1) / (lot.deadline - lot.asked + 1)


@rule
def bring_block(w, clock, g, units, days):
    """Let outside investors bring ``units`` (GPU) of generation ``g`` to market, which they must sell within ``days``.

    Less than a month leaves its seller so many weeks less to search.
    """
    chip = w.chips[g]
    node = len(w.lenders) - 1
    event = log_event(w.events, clock, EventKind.SHOCK, Cause.IMPOSED, node, -1, g, units, units * chip.appraisal, -1)
    k = open_lot(
        w.lots, w.first_lot, clock, node, g, units, clock.month - chip.mean_age, clock.month, chip.appraisal, -1
    )
    if k >= 0:
        lot = w.lots[k]
        lot.reason = SaleReason.IMPOSED
        lot.cause = event
        lot.asked = clock.month
        lot.seized = clock.month
        lot.deadline = clock.month + (days - 1) // DAYS
        lot.hurry = max(0, WEEKS - max(1, WEEKS * days // DAYS))
        offer_part(lot, chip, clock)
    chip.added += units
    chip.stock += units
    w.lenders[node].seized_units += units
    clock.news += 1


@rule
def impose_block(w, clock):
    """Bring the block that the drivers have for the month to market, in its first round, and one put up by hand whenever it waits."""
    path = w.paths[clock.month]
    if clock.turn == 0 and path.block_units > 0.0:
        bring_block(w, clock, path.block_chip, path.block_units, path.block_days)
    if clock.imposed_units > 0.0:
        bring_block(w, clock, clock.imposed_chip, clock.imposed_units, clock.imposed_days)
        clock.imposed_units = 0.0


@rule
def offer_blocks(w, clock):
    """Offer the next part of each block that outside investors sell, once a month; this month's is offered already."""
    if clock.turn > 0:
        return
    k = w.first_lot[len(w.lenders) - 1]
    while k >= 0:
        lot = w.lots[k]
        if lot.reason == SaleReason.IMPOSED and lot.asked < clock.month:
            offer_part(lot, w.chips[lot.chip], clock)
        k = lot.following


@rule
def goes_on(w, clock):
    """Return whether the round made news, or left somebody in arrears or about to default: then another follows."""
    if clock.news > 0 or clock.waiting > 0:
        return True
    for op in w.operators:
        if op.failing > 0:
            return True
    return False
