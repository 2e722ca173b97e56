"""Loans from lenders to operators, and the verbs that keep their rows: open, pay out, pay, close."""

from __future__ import annotations

from enum import IntEnum

from agents.rule import rule
from agents.schema import Table, code, f, i
from agents.tables.clock import Fault, stop_run
from agents.tables.ledger import Flow


class LoanKind(IntEnum):
    """Kinds of loan."""

    EQUIPMENT = 0
    CONVERTIBLE = 1
    MARGIN = 2


class LoanContract(IntEnum):
    """What an equipment loan is lent on: contracted cash flow, or the marked value of the hardware."""

    TERM = 0
    BORROWING_BASE = 1


class LoanStatus(IntEnum):
    """States of a loan; a free row is no loan."""

    FREE = 0
    PERFORMING = 1
    CALLED = 2
    DEFAULTED = 3


LOAN = Table(
    "loans",
    "Loans from a lender to an operator (edges of the credit network).",
    (
        code("kind", "kind of loan", LoanKind),
        code("status", "state", LoanStatus),
        code("contract", "what an equipment loan is lent on", LoanContract),
        i("recourse", "flag", "0 when only the hardware pledged stands for it, not the firm", 1),
        i("sweep", "flag", "1 while spare cash of the borrower is swept"),
        i("amended", "count", "waivers, extensions and swaps so far"),
        i("lender", "lender", "creditor"),
        i("borrower", "operator", "debtor"),
        f("principal", "USD", "outstanding claim, capitalised unpaid interest included"),
        f("rate", "1/year", "interest rate"),
        f("amortisation", "USD/month", "scheduled principal"),
        i("opened", "month", "month of the draw"),
        i("maturity", "month", "month in which the balloon or bullet falls due"),
        f("opening_ltv", "ratio", "booked LTV at the draw"),
        f("covenant_ltv", "ratio", "booked LTV above which the lender calls margin"),
        f("collateral", "USD", "lender's mark of what secures it, this round"),
        f("interest", "USD", "interest accrued this month and capitalised until paid"),
        f("unpaid", "USD", "debt service of the month not paid yet, principal and interest"),
        f("balloon", "USD", "part of it that is a balloon or bullet"),
        i(
            "call_turn",
            "round",
            "round in which the open margin call was made or a breach was last waived (month*1000+round), -1 none",
            -1,
        ),
        f("exposure", "USD", "claim at default"),
        f("recovered", "USD", "received since default"),
        f("coins", "BTC", "bitcoin pledged (margin loans)"),
        i("last_event", "event", "last event of this loan, -1 none", -1),
        i("following", "loan", "next free row", -1),
    ),
)


@rule
def open_loan(loans, clock, kind, lender, borrower, principal, rate, amortisation, maturity):
    """Take a free row for a loan of ``principal`` USD; return it, -1 if the table is full."""
    k = clock.free_loan
    if k < 0:
        stop_run(clock, Fault.LOANS_FULL, clock.used_loans, 0.0)
        return -1
    loan = loans[k]
    clock.free_loan = loan.following
    if k >= clock.used_loans:
        clock.used_loans = k + 1
    loan.kind = kind
    loan.status = LoanStatus.PERFORMING
    loan.lender = lender
    loan.borrower = borrower
    loan.principal = principal
    loan.rate = rate
    loan.amortisation = amortisation
    loan.contract = LoanContract.BORROWING_BASE
    loan.recourse = 1
    loan.sweep = 0
    loan.amended = 0
    loan.opened = clock.month
    loan.maturity = maturity
    loan.opening_ltv = 0.0
    loan.covenant_ltv = 0.0
    loan.collateral = 0.0
    loan.interest = 0.0
    loan.unpaid = 0.0
    loan.balloon = 0.0
    loan.call_turn = -1
    loan.exposure = 0.0
    loan.recovered = 0.0
    loan.coins = 0.0
    loan.last_event = -1
    return k


@rule
def close_loan(loans, clock, k):
    """Give the row of a loan without claim back."""
    loan = loans[k]
    loan.status = LoanStatus.FREE
    loan.principal = 0.0
    loan.coins = 0.0
    loan.following = clock.free_loan
    clock.free_loan = k


@rule
def pay_out_loan(lender, op, usd, book):
    """Move a loan's principal from lender to borrower (USD)."""
    lender.cash -= usd
    lender.book += usd
    op.cash += usd
    op.debt += usd
    book[Flow.LOAN_DRAW] += usd


@rule
def close_out(loan, op, lender, clock, book, coins):
    """Sell ``coins`` pledged bitcoin; the lender keeps the proceeds up to its claim, unsold coins stay pledged."""
    usd = min(coins * clock.btc, loan.principal)
    loan.coins = max(0.0, loan.coins - usd / clock.btc)
    interest = min(usd, loan.interest)
    loan.interest -= interest
    loan.principal -= usd
    loan.unpaid = min(loan.unpaid, loan.principal)
    loan.recovered += usd
    op.debt -= usd
    lender.book -= usd
    lender.cash += usd
    book[Flow.COIN_CLOSEOUT] += usd


@rule
def recover(loan, usd, op, lender, clock, book):
    """Credit what collateral brought to the lender (USD, in its cash already) against its claim; the surplus is the estate's."""
    taken = min(usd, loan.principal)
    loan.principal -= taken
    loan.recovered += taken
    lender.book -= taken
    op.debt -= taken
    clock.recoveries += taken
    if usd > taken:
        lender.cash -= usd - taken
        op.cash += usd - taken
        book[Flow.SURPLUS] += usd - taken


@rule
def pay_loan(loan, usd, op, lender, book):
    """Pay ``usd`` on a loan from the operator's cash, interest first."""
    usd = min(usd, loan.principal)
    interest = min(usd, loan.interest)
    loan.interest -= interest
    loan.unpaid = max(0.0, loan.unpaid - usd)
    loan.principal -= usd
    op.debt -= usd
    op.cash = max(0.0, op.cash - usd)
    lender.book -= usd
    lender.cash += usd
    book[Flow.INTEREST] += interest
    book[Flow.PRINCIPAL] += usd - interest
