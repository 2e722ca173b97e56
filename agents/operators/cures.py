"""How the owners of an operator that would fail save it: they put in what is missing while their equity is worth more."""

from __future__ import annotations

from agents.lenders.calls import NO_COIN, margin_gap
from agents.rule import rule
from agents.tables.events import Cause, EventKind, log_event
from agents.tables.ledger import Flow
from agents.tables.loans import LoanKind, LoanStatus, pay_loan
from agents.tables.operators import OperatorStatus


@rule
def equity_worth(w, clock, o, op):
    """Return what an operator's equity is worth while it goes on (USD): its hardware in use, cash, coins and rigs less debt."""
    worth = op.cash + op.btc * clock.btc + op.eth * clock.eth + op.rig_value - op.debt
    k = w.first_lot[len(w.lenders) + o]
    while k >= 0:
        lot = w.lots[k]
        worth += lot.units * max(w.value[o, lot.chip], w.chips[lot.chip].scrap)
        k = lot.following
    return worth


@rule
def called_on(loan, terms):
    """Return what a lender demands of a loan at once (USD): a margin call, or a coin loan whose coins are sold."""
    if loan.status == LoanStatus.CALLED:
        return margin_gap(loan, loan.collateral, terms)
    if loan.kind == LoanKind.MARGIN and loan.status == LoanStatus.PERFORMING and loan.coins < NO_COIN:
        return loan.principal
    return 0.0


@rule
def missing_cash(w, clock, o, op):
    """Return what an operator that fails is short of (USD): arrears, what lenders demand at once, and a time of thin income.

    The last is what debt service takes beyond income, for ``cure_runway`` months.
    """
    terms = w.terms[0]
    missing = op.arrears + terms.credit_cure_runway * max(0.0, op.due - op.income)
    for k in range(clock.used_loans):
        if w.loans[k].borrower == o:
            missing += called_on(w.loans[k], terms)
    return missing


@rule
def pay_calls(w, clock, o, op):
    """Pay what an operator's lenders demand at once (USD)."""
    for k in range(clock.used_loans):
        loan = w.loans[k]
        if loan.borrower == o:
            pay_loan(loan, called_on(loan, w.terms[0]), op, w.lenders[loan.lender], w.book)


@rule
def cure(w, clock, o, op):
    """Let owners put in what is missing, if it is no more than the part of their equity that they can raise; return whether.

    Owners save a firm while its equity is worth more than that takes (Leland 1994). Calls are paid at once, arrears in
    the round as ever.
    """
    terms = w.terms[0]
    if terms.credit_cure_equity <= 0.0 or op.failing == 1 + Cause.IMPOSED:
        return False
    usd = missing_cash(w, clock, o, op)
    if usd > terms.credit_cure_equity * equity_worth(w, clock, o, op):
        return False
    op.cash += usd
    clock.equity_raised += usd
    w.book[Flow.EQUITY_IN] += usd
    log_event(
        w.events, clock, EventKind.EQUITY_CURE, op.failing - 1, len(w.lenders) + o, -1, -1, 0.0, usd, op.failing_event
    )
    pay_calls(w, clock, o, op)
    op.failing = 0
    op.failing_event = -1
    op.late = 0
    op.thin_months = 0
    clock.news += 1
    return True


@rule
def cure_failing(w, clock):
    """Let the owners of operators that would fail in this round save them."""
    for o in range(len(w.operators)):
        op = w.operators[o]
        if op.failing > 0 and op.status != OperatorStatus.DEFAULTED:
            cure(w, clock, o, op)
