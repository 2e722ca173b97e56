"""How a miner borrows on its coins: margin loans from coin lenders, convertible notes."""

from __future__ import annotations

from agents.lenders.offers import lending_room
from agents.rule import rule
from agents.tables.ledger import Flow
from agents.tables.lenders import LenderKind, LenderStatus
from agents.tables.loans import LoanKind, open_loan, pay_out_loan
from agents.tables.operators import OperatorKind, OperatorStatus, mark_own

#: Lenders that a miner asks for a coin loan.
_TRIES = 64


@rule
def coin_lender(w, clock):
    """Return the lender that a miner asks for a coin loan: the last sound one that takes coins as collateral; -1 none.

    Crypto lenders stand last. Nobody lends on coins in a bitcoin stress.
    """
    last = len(w.lenders) - 2
    if clock.stress_coin == 0:
        for step in range(min(_TRIES, last + 1)):
            lender = w.lenders[last - step]
            if lender.kind == LenderKind.CRYPTO_LENDER and lender.status == LenderStatus.ACTIVE:
                return last - step
    return -1


@rule
def coin_loan(lender, op, clock, terms, need):
    """Return what a lender gives a miner of ``need`` USD against part of its bitcoin treasury (USD); nothing below the least."""
    usd = min(need, terms.notes_margin_ltv * terms.miners_pledge * op.btc * clock.btc)
    usd = min(usd, lending_room(lender, terms), terms.funding_cash_share * lender.cash)
    return usd if usd >= terms.notes_margin_minimum else 0.0


@rule
def pledge_coins(w, clock, o, op, j, usd):
    """Borrow ``usd`` from lender ``j`` against bitcoins at the opening LTV (margin loan)."""
    terms = w.terms[0]
    rate = terms.credit_base_rate + terms.notes_margin_spread
    k = open_loan(w.loans, clock, LoanKind.MARGIN, j, o, usd, rate, 0.0, clock.month + terms.notes_margin_term)
    if k < 0:
        return
    lender = w.lenders[j]
    coins = usd / (terms.notes_margin_ltv * clock.btc)
    w.loans[k].coins = coins
    op.btc -= coins
    pay_out_loan(lender, op, usd, w.book)
    lender.lent_month += usd
    clock.new_notes += usd


@rule
def issue_notes(w, clock):
    """Miners issue convertible notes to outside investors in calm times and spend part of the proceeds on coins."""
    terms = w.terms[0]
    outside = len(w.lenders) - 1
    if clock.stress_coin == 1 or clock.month < terms.notes_first_month:
        return
    for o in range(len(w.operators)):
        op = w.operators[o]
        if (
            op.kind != OperatorKind.MINER
            or op.status != OperatorStatus.HEALTHY
            or (clock.month + o) % terms.notes_interval != 0
        ):
            continue
        worth = op.btc * clock.btc + op.eth * clock.eth + op.rig_value
        usd = min(terms.notes_size * worth, terms.notes_issue_limit * mark_own(op, clock) - op.debt)
        if usd < terms.notes_issue_minimum:
            continue
        k = open_loan(
            w.loans,
            clock,
            LoanKind.CONVERTIBLE,
            outside,
            o,
            usd,
            terms.notes_coupon,
            0.0,
            clock.month + terms.notes_term,
        )
        if k < 0:
            return
        w.lenders[outside].cash += usd
        w.book[Flow.LENDER_EQUITY_IN] += usd
        pay_out_loan(w.lenders[outside], op, usd, w.book)
        spent = terms.notes_coin_share * usd
        op.cash -= spent
        op.btc += spent / clock.btc
        w.book[Flow.COIN_PURCHASE] += spent
        clock.new_notes += usd
