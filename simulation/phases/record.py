"""The record of the month: panels are written, identities are checked."""

from __future__ import annotations

from agents.rule import rule
from agents.tables.ledger import Flow
from simulation.record.books import record_kinds, record_lenders, record_loans, record_lots, record_operators
from simulation.record.depth import _BOOK, _MONEY, read_money, record_depth, record_illusion, write_bids


@rule
def record_month(w, clock):
    """Write the month to the panels."""
    row = w.panel[clock.month]
    money = w.scratch[_MONEY]
    row.month = clock.month
    row.btc = clock.btc
    row.eth = clock.eth
    row.hashprice = clock.hashprice
    row.rent = clock.rent
    row.rent_trend = clock.trend
    row.demand = clock.demand
    row.running = clock.running
    row.stress_coin = clock.stress_coin
    row.stress_demand = clock.stress_demand
    row.new_credit = clock.new_credit
    row.new_commitments = clock.new_commitments
    row.new_compute = clock.delivered
    row.new_notes = clock.new_notes
    row.haircut = clock.haircut
    row.turns = clock.turn
    row.losses = clock.losses
    row.forgiven = clock.forgiven
    row.recoveries = clock.recoveries
    row.debt_defaulted = clock.debt_defaulted
    row.debt_performing = clock.debt_open
    row.cancelled = clock.cancelled
    row.equity_raised = clock.equity_raised
    row.customers_failed = clock.customers_failed
    row.contract_lost = clock.contract_lost
    row.contract_ended = clock.contract_ended
    row.vendor_paid = w.book[Flow.VENDOR_BACKSTOP]
    write_bids(w, clock, w.scratch[_BOOK])
    read_money(w, money)
    record_depth(w, clock, row, money)
    largest, performing = record_loans(w, clock, row)
    record_lots(w, clock, row, largest, performing)
    record_illusion(w, clock, row, largest, performing, money)
    record_operators(w, clock, row, w.scratch[_BOOK], w.ranking[0], w.ranking[1])
    record_lenders(w, row)
    record_kinds(w, clock)
    busted = 0.0
    first = max(0, clock.month - 2)
    for m in range(first, clock.month + 1):
        busted += w.panel[m].debt_defaulted
    opened = w.panel[first].debt_performing
    # What was drawn since may fall as well: not more than all.
    row.bust_share = min(1.0, busted / opened) if opened > 1.0 else 0.0


@rule
def keep_flows(w, clock):
    """Keep the book of payments of the month (USD)."""
    for item in range(len(w.book)):
        w.flows[clock.month, item] = w.book[item]
