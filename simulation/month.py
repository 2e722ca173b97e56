"""The month: the schedule of phases, stated once, and ``advance`` that walks it.

``advance`` goes on by one phase (or one round of the cascade), to the end of the month, or to the horizon. A run
is advance to the horizon; the browser steps by phase, round or month; the numbers are the same.
"""

from __future__ import annotations

from typing import NamedTuple

from agents.buyers.bids import value_chips
from agents.lenders.funding import fund_lenders
from agents.operators.debt_service import service_debt
from agents.operators.orders import order_month
from agents.rule import borrow, entry
from agents.tables.clock import Fault
from simulation.markets.rental import rent_month
from simulation.phases.cascade import cascade_round
from simulation.phases.close import close_month
from simulation.phases.open import open_month
from simulation.phases.record import record_month


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
