"""Warehouse and repo lines from a lender to a lender."""

from __future__ import annotations

from agents.rule import rule
from agents.schema import Table, f, i
from agents.tables.ledger import Flow

LINE = Table(
    "lines",
    "Warehouse and repo lines from a lender to a lender, rolled monthly against a borrowing base.",
    (
        i("creditor", "lender", "who funds"),
        i("debtor", "lender", "who is funded"),
        f("limit", "USD", "committed size"),
        f("drawn", "USD", "amount drawn"),
        f("haircut", "ratio", "haircut on the debtor's collateral"),
        f("called", "USD", "called and not yet paid"),
        i("open", "flag", "1 while it can be drawn and rolled", 1),
    ),
)


@rule
def repay_line(w, line, usd):
    """Repay ``usd`` of a warehouse line from the debtor's cash."""
    debtor = w.lenders[line.debtor]
    creditor = w.lenders[line.creditor]
    line.drawn -= usd
    line.called = max(0.0, line.called - usd)
    debtor.borrowed -= usd
    debtor.call_due = max(0.0, debtor.call_due - usd)
    debtor.cash = max(0.0, debtor.cash - usd)
    creditor.lent_lines -= usd
    creditor.cash += usd
    w.book[Flow.LINE_REPAID] += usd
