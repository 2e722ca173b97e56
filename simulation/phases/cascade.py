"""What happens in the rounds of the cascade beside what agents do: a block comes to market; whether a round follows."""

from __future__ import annotations

from agents.rule import rule
from agents.tables.events import Cause, EventKind, SaleReason, log_event
from agents.tables.lots import open_lot


@rule
def bring_block(w, clock, g, units):
    """Let outside investors bring ``units`` (GPU) of generation ``g`` to market, which they sell without reserve."""
    chip = w.chips[g]
    node = len(w.lenders) - 1
    event = log_event(
        w.events, clock, EventKind.SHOCK, Cause.IMPOSED, node, -1, g, units, units * chip.appraisal, -1
    )
    k = open_lot(
        w.lots, w.first_lot, clock, node, g, units, clock.month - chip.mean_age, clock.month, chip.appraisal, -1
    )
    if k >= 0:
        lot = w.lots[k]
        lot.reason = SaleReason.IMPOSED
        lot.cause = event
        lot.asked = clock.month
        lot.seized = clock.month
        lot.offered = lot.units
    chip.added += units
    chip.stock += units
    w.lenders[node].seized_units += units
    clock.news += 1


@rule
def impose_block(w, clock):
    """Bring the block that the drivers have for the month to market, in its first round, and one put up by hand whenever it waits."""
    path = w.paths[clock.month]
    if clock.turn == 0 and path.block_units > 0.0:
        bring_block(w, clock, path.block_chip, path.block_units)
    if clock.imposed_units > 0.0:
        bring_block(w, clock, clock.imposed_chip, clock.imposed_units)
        clock.imposed_units = 0.0


@rule
def goes_on(w, clock):
    """Return whether the round made news, or left somebody in arrears or about to default: then another follows."""
    if clock.news > 0 or clock.waiting > 0:
        return True
    for op in w.operators:
        if op.failing > 0:
            return True
    return False
