"""The month: the schedule of phases, stated once, and ``advance`` that walks it.

``advance`` goes on by one phase (or one round of the cascade), to the end of the month, or to the horizon. A run
is advance to the horizon; the browser steps by phase, round or month; the numbers are the same.
"""

from __future__ import annotations

from typing import NamedTuple

from agents.contracts import open_lot
from agents.ledger import Cause, EventKind, Fault, SaleReason, log_event
from agents.rule import borrow, entry, rule
from simulation.bids import value_chips
from simulation.closing import close_month
from simulation.collateral import revalue, watch_coins, watch_covenants
from simulation.credit import fund_lenders, order_month
from simulation.default import carry_out_defaults
from simulation.funding import fund_round
from simulation.market import appraise, trade_calm, trade_forced
from simulation.measures import record_month
from simulation.opening import open_month
from simulation.rental import rent_month
from simulation.service import service_debt, work_out_arrears


class Phase(NamedTuple):
    """One phase of the month."""

    name: str
    meaning: str
    reads: str
    writes: str


PHASES = (
    Phase("open", "Drivers move; budgets refill; contracts end or are renegotiated; commitments are delivered and drawn.", "paths, orders, lenders", "clock, buyers, lots, loans, chips, operators"),
    Phase("rent", "The rental market clears; operators earn and pay hosting; miners mine; idle chips are scrapped.", "lots, chips, operators, buyers", "clock.rent, operators, lots"),
    Phase("value", "Each bidder values a used unit of each generation.", "clock, chips, operators, buyers", "value, chips.fundamental"),
    Phase("service", "Interest and principal from cash, then coins; arrears; DSCR covenants.", "loans, operators, lenders", "loans, operators, lenders"),
    Phase("cascade", "Rounds until nothing new happens: defaults, seizure, auctions, marks, margin calls, arrears, funding calls, runs, failures, clearing.", "all", "all"),
    Phase("credit", "Operators order chips; lenders commit; miners issue notes; payouts.", "chips, lenders, operators", "orders, loans, operators, lenders"),
    Phase("fund", "Lenders pay for their funding, keep liquid and capitalised, reset their terms.", "lines, lenders", "lines, lenders"),
    Phase("close", "Estates pay creditors; losses are written off; prices leave their trace; books are marked.", "loans, lots, chips", "loans, lenders, operators, chips, buyers"),
    Phase("record", "The month is measured and its identities are checked.", "all", "panel, chip_panel, kind_panel, flows"),
)  # fmt: skip
OPEN, RENT, VALUE, SERVICE, CASCADE, CREDIT, FUND, CLOSE, RECORD = range(len(PHASES))
#: How far ``advance`` goes.
STEP, MONTH, HORIZON = 0, 1, 2


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


@entry
def advance(w, stop):
    """Advance the world: one phase or round (``stop`` STEP), to the end of the month (MONTH), to the horizon (HORIZON).

    Stops at once when an identity is violated; ``clock.fault`` then names it.
    """
    w = borrow(w)
    clock = w.clock[0]
    while clock.month < len(w.panel) and clock.fault == 0:
        phase = clock.phase
        after = phase + 1
        if phase == OPEN:
            open_month(w)
        elif phase == RENT:
            rent_month(w)
        elif phase == VALUE:
            value_chips(w)
        elif phase == SERVICE:
            service_debt(w)
        elif phase == CASCADE:
            if cascade_round(w, clock):
                after = CASCADE
                if clock.turn >= w.terms[0].run_max_turns:
                    clock.fault = Fault.ENDLESS
            clock.turn += 1
        elif phase == CREDIT:
            order_month(w)
        elif phase == FUND:
            fund_lenders(w)
        elif phase == CLOSE:
            close_month(w)
        else:
            record_month(w)
            after = OPEN
        if clock.fault == 0:
            clock.phase = after
            if phase == RECORD:
                clock.month += 1
        if stop == STEP or (stop == MONTH and phase == RECORD):
            return
