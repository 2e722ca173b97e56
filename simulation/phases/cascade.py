"""What happens in the rounds of the cascade beside what agents do: a block comes to market; whether a round follows."""

from __future__ import annotations

from agents.rule import rule
from agents.tables.events import Cause, EventKind, SaleReason, log_event
from agents.tables.lots import open_lot


@rule
def impose_block(w, clock):
    """Put a block of GPUs on the market by hand or by the drivers: outside investors sell without reserve."""
    if clock.imposed_units <= 0.0:
        return
    chip = w.chips[clock.imposed_chip]
    node = len(w.lenders) - 1
    event = log_event(
        w.events, clock, EventKind.SHOCK, Cause.IMPOSED, node, -1, clock.imposed_chip, clock.imposed_units,
        clock.imposed_units * chip.appraisal, -1,
    )  # fmt: skip
    k = open_lot(
        w.lots, w.first_lot, clock, node, clock.imposed_chip, clock.imposed_units, clock.month - chip.mean_age,
        clock.month, chip.appraisal, -1,
    )  # fmt: skip
    if k >= 0:
        lot = w.lots[k]
        lot.reason = SaleReason.IMPOSED
        lot.cause = event
        lot.asked = clock.month
        lot.seized = clock.month
        lot.offered = lot.units
    chip.added += clock.imposed_units
    chip.stock += clock.imposed_units
    w.lenders[node].seized_units += clock.imposed_units
    clock.imposed_units = 0.0
    clock.news += 1


@rule
def goes_on(w, clock):
    """Return whether the round made news, or left somebody in arrears or about to default: then another follows."""
    if clock.news > 0 or clock.waiting > 0:
        return True
    for op in w.operators:
        if op.failing > 0:
            return True
    return False
