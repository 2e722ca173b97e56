"""What happens when a lender fails: its estate is sold, its debts are cleared, what it committed is withdrawn."""

from __future__ import annotations

import numpy as np

from agents.lenders.clearing import clear_payments
from agents.lenders.marks import loan_allowance
from agents.lenders.runs import _LINE, _LINES_OF, _LOAN, _LOANS_OF, _PLACE, list_claims
from agents.rule import rule
from agents.tables.events import Cause, EventKind, log_event
from agents.tables.ledger import Flow
from agents.tables.lenders import LenderKind, LenderStatus, lose, note_loss
from agents.tables.loans import LoanStatus
from agents.tables.lots import link_lot, unlink_lot
from agents.tables.orders import balance_due

#: Payments short by less are complete (USD).
_ROUNDING = 1e-6


@rule
def find_failures(w, clock, failing):
    """List the lenders that fail this round (insolvent, or unable to pay what is due); return how many."""
    terms = w.terms[0]
    n = 0
    for j in range(len(w.lenders)):
        lender = w.lenders[j]
        if lender.status == LenderStatus.FAILED or lender.kind == LenderKind.OUTSIDE:
            continue
        insolvent = lender.capital_ratio < terms.funding_failure_ratio or lender.equity < 0.0
        unable = lender.status == LenderStatus.ILLIQUID and lender.call_due > 1.0
        if not insolvent and not unable:
            continue
        if insolvent:
            cause = Cause.INSOLVENCY
            parent = lender.loss_event if lender.loss_event >= 0 else clock.last_shock
        else:
            cause = Cause.ILLIQUIDITY
            parent = lender.call_event
        lender.status = LenderStatus.FAILED
        lender.failed_month = clock.month
        lender.last_event = log_event(
            w.events, clock, EventKind.LENDER_FAILURE, cause, j, -1, -1, 0.0, lender.deposits + lender.borrowed, parent
        )
        clock.last_failure = lender.last_event
        clock.news += 1
        failing[n] = j
        n += 1
    return n


@rule
def hand_over_hardware(w, j, outside):
    """Give a failed lender's seized hardware to the outside investors, with the claims that it secures."""
    buyer = w.lenders[outside]
    k = w.first_lot[j]
    while k >= 0:
        lot = w.lots[k]
        after = lot.following
        unlink_lot(w.lots, w.first_lot, k)
        link_lot(w.lots, w.first_lot, k, outside)
        buyer.seized_units += lot.units
        k = after
    w.lenders[j].seized_units = 0.0
    w.lenders[j].seized_claim = 0.0


@rule
def sell_estate(w, clock, j, outside):
    """Sell a failed lender's claims, hardware and lines due to it to the outside investors, at a discount, for cash."""
    terms = w.terms[0]
    lender = w.lenders[j]
    buyer = w.lenders[outside]
    price = 0.0
    list_claims(w, clock)
    for m in range(w.ranking[_LOANS_OF, j], w.ranking[_LOANS_OF, j + 1]):
        loan = w.loans[w.ranking[_LOAN, m]]
        if loan.lender == j and loan.status != LoanStatus.FREE:
            fair = loan.principal - loan_allowance(loan, lender, terms)
            if loan.status == LoanStatus.DEFAULTED:
                fair = min(loan.principal, loan.collateral)
            price += (1.0 - terms.funding_sale_discount) * fair
            loan.lender = outside
            buyer.book += loan.principal
    hand_over_hardware(w, j, outside)
    for m in range(w.ranking[_LINES_OF, j], w.ranking[_LINES_OF, j + 1]):
        line = w.lines[w.ranking[_LINE, m]]
        if line.creditor == j:
            line.open = 0
            if w.lenders[line.debtor].status != LenderStatus.FAILED:
                line.creditor = outside
                price += line.drawn
                lender.lent_lines -= line.drawn
                buyer.lent_lines += line.drawn
    for m in range(w.line_ptr[j], w.line_ptr[j + 1]):
        w.lines[m].open = 0
    lender.cash += price
    lender.allowance = 0.0
    lender.book = 0.0
    lender.committed = 0.0
    w.book[Flow.BOOK_SALE] += price


@rule
def list_debts(w, failing, n, assets, external, debtor, creditor, owed):
    """List what ``n`` failing lenders have and owe (USD): cash, debts outside, and debts among them; return how many of these."""
    place = w.ranking[_PLACE]
    for i in range(n):
        place[failing[i]] = i
    edges = 0
    for i in range(n):
        assets[i] = w.lenders[failing[i]].cash
        external[i] = w.lenders[failing[i]].deposits
        for m in range(w.line_ptr[failing[i]], w.line_ptr[failing[i] + 1]):
            line = w.lines[m]
            if line.drawn <= 0.0:
                continue
            other = place[line.creditor]
            if other >= 0 and other < n and failing[other] == line.creditor:
                debtor[edges] = i
                creditor[edges] = other
                owed[edges] = line.drawn
                edges += 1
            else:
                external[i] += line.drawn
    return edges


@rule
def clear_failures(w, clock, failing, n):
    """Clear what failed lenders owe: Eisenberg-Noe with Rogers-Veraart bankruptcy costs, paid in cash.

    Deposits and lines from sound lenders rank pari passu with debts among the failing. Shortfalls are losses of the
    creditors, which may fail in the next round.
    """
    terms = w.terms[0]
    for i in range(n):
        sell_estate(w, clock, failing[i], len(w.lenders) - 1)
    assets = np.zeros(n)
    external = np.zeros(n)
    payments = np.zeros(n)
    total = np.zeros(n)
    inflow = np.zeros(n)
    debtor = np.zeros(len(w.lines), np.int64)
    creditor = np.zeros(len(w.lines), np.int64)
    owed = np.zeros(len(w.lines))
    edges = list_debts(w, failing, n, assets, external, debtor, creditor, owed)
    clear_payments(
        debtor, creditor, owed, edges, assets, external, terms.funding_recovery_external, terms.funding_recovery_interlender,
        payments, total, inflow, True,
    )  # fmt: skip
    for i in range(n):
        share = min(1.0, payments[i] / total[i]) if total[i] > 0.0 else 1.0
        pay_creditors(w, clock, failing[i], share)
    for i in range(n):
        # After the payments among them: what bankruptcy took, and what is left to the owners of the solvent.
        lender = w.lenders[failing[i]]
        if payments[i] < total[i] - _ROUNDING:
            w.book[Flow.BANKRUPTCY_LENDER] += lender.cash
        else:
            w.book[Flow.LENDER_PAYOUT] += lender.cash
        lender.cash = 0.0
        lender.equity = 0.0
        lender.capital_ratio = 0.0


@rule
def pay_creditors(w, clock, j, share):
    """Pay ``share`` of every debt of failed lender ``j``: deposits and lines; write the rest off."""
    lender = w.lenders[j]
    paid = share * lender.deposits
    lender.cash -= paid
    w.book[Flow.DEPOSIT_CLEARED] += paid
    lender.passed += lender.deposits - paid
    lender.deposits = 0.0
    for k in range(w.line_ptr[j], w.line_ptr[j + 1]):
        line = w.lines[k]
        if line.drawn <= 0.0:
            continue
        creditor = w.lenders[line.creditor]
        paid = share * line.drawn
        lender.cash -= paid
        creditor.cash += paid
        creditor.lent_lines -= line.drawn
        lender.passed_lines += line.drawn - paid
        lose(creditor, line.drawn - paid)
        note_loss(creditor, line.drawn - paid, lender.last_event)
        w.book[Flow.LINE_CLEARED] += paid
        line.drawn = 0.0
        line.called = 0.0
    lender.borrowed = 0.0


@rule
def fail_lenders(w, clock):
    """Close the lenders that fail this round, all at once, and clear what they owe; nobody fails in the frozen twin."""
    if w.terms[0].policy_frozen == 1:
        return
    n = find_failures(w, clock, w.ranking[0])
    if n > 0:
        clear_failures(w, clock, w.ranking[0], n)


@rule
def withdraw_commitments(w, clock):
    """Failed and illiquid lenders withdraw what they committed and have not paid out."""
    if w.terms[0].policy_frozen == 1:
        return
    for k in range(clock.used_orders):
        order = w.orders[k]
        if order.operator < 0 or order.lender < 0 or w.lenders[order.lender].status == LenderStatus.ACTIVE:
            continue
        lender = w.lenders[order.lender]
        lost = order.units * order.advance
        lender.committed = max(0.0, lender.committed - lost)
        op = w.operators[order.operator]
        deposit = w.terms[0].credit_deposit
        still = balance_due(order.cost, 0.0, deposit) - balance_due(order.cost, order.advance, deposit)
        op.committed += order.units * still
        parent = lender.last_event if lender.status == LenderStatus.FAILED else lender.call_event
        op.last_event = log_event(
            w.events, clock, EventKind.WITHDRAWN_LINE, Cause.LENDER_FAILURE, len(w.lenders) + order.operator, order.lender,
            order.chip, order.units, lost, parent,
        )  # fmt: skip
        order.lender = -1
        order.advance = 0.0
