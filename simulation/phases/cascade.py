"""One round of the cascade."""

from __future__ import annotations

from agents.lenders.calls import watch_coins, watch_covenants
from agents.lenders.failure import clear_failures, find_failures, withdraw_commitments
from agents.lenders.marks import count_unsold, provide, revalue
from agents.lenders.runs import call_lines, meet_calls, run_deposits, set_haircut
from agents.operators.debt_service import work_out_arrears
from agents.operators.default import carry_out_defaults
from agents.rule import rule
from agents.tables.events import Cause, EventKind, SaleReason, log_event
from agents.tables.lots import open_lot
from simulation.markets.venues import appraise, trade_calm, trade_forced


@rule
def fund_round(w, clock):
    """One round of funding: allowances, haircuts, calls, runs, failures, clearing; nothing of it in the frozen twin."""
    count_unsold(w, clock)
    set_haircut(w, clock)
    provide(w, clock)
    if w.terms[0].policy_frozen == 1:
        return
    call_lines(w, clock)
    run_deposits(w, clock, w.scratch[0, :8], w.scratch[1, :8])
    meet_calls(w, clock)
    n = find_failures(w, clock, w.ranking[0])
    if n > 0:
        clear_failures(w, clock, w.ranking[0], n)
    withdraw_commitments(w, clock)


@rule
def impose_block(w, clock):
    """Put a block of GPUs on the market by hand (outside investors sell without reserve)."""
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
def any_failing(operators):
    """Return whether an operator waits to be declared in default."""
    for op in operators:
        if op.failing > 0:
            return True
    return False


@rule
def cascade_round(w, clock):
    """One round of the cascade; return whether anything new happened that calls for another."""
    clock.news = 0
    carry_out_defaults(w, clock)
    if clock.turn == 0:
        trade_calm(w, clock)
    if clock.imposed_units > 0.0:
        impose_block(w, clock)
    trade_forced(w, clock)
    appraise(w, clock)
    revalue(w, clock)
    watch_covenants(w, clock)
    if clock.turn == 0:
        watch_coins(w, clock)
    waiting = work_out_arrears(w, clock)
    fund_round(w, clock)
    return clock.news > 0 or waiting > 0 or any_failing(w.operators)
