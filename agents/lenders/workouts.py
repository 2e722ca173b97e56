"""What a lender does when its borrower is in trouble: wait (waive, extend, sweep, swap debt for equity) or seize.

A lender compares what the borrower's hardware is worth where it stands and runs with what seizure would bring
(Benmelech and Bergman 2008; Asquith, Gertner and Scharfstein 1994). It waits when waiting is worth more and it can
afford to. Under cross-default the weakest of a borrower's secured lenders decides for all (Bolton and Scharfstein 1996).
"""

from __future__ import annotations

from agents.rule import rule
from agents.tables.clock import this_round
from agents.tables.events import Cause, EventKind, log_event
from agents.tables.lenders import LenderKind, LenderStatus, lose, note_loss
from agents.tables.loans import LoanKind, LoanStatus
from agents.tables.operators import OperatorStatus

#: Shortest time over which an amended loan is repaid (months).
_SHORTEST = 12
#: Highest rate that fees for amendments add up to (1/year).
_DEAREST = 0.25
#: Collateral counts as worth at least this part of the claim on it, so that a covenant that is reset stays a number.
_LEAST_PART = 1e-4


@rule
def can_wait(lender):
    """Return whether a lender can afford patience: active, not called upon, above its least capital, not an outside investor."""
    if lender.kind == LenderKind.OUTSIDE or lender.status != LenderStatus.ACTIVE or lender.call_due > 1.0:
        return False
    return lender.capital_ratio > lender.capital_minimum


@rule
def seizure_value(chip, terms):
    """Return what a seized unit brings its lender after costs (USD): the better of a receiver and a sale."""
    best = max(terms.market_receivership * chip.fundamental, min(chip.price, chip.appraisal))
    return (1.0 - terms.credit_seizure_cost) * best


@rule
def judge_borrowers(w, clock):
    """Write of every operator what its pledged hardware is worth where it runs, what seizure would bring (USD), who would wait.

    ``hold`` is 1 when every secured lender can wait and waiting is worth at least as much: min(debt, going concern) >=
    min(debt, seizure).
    """
    terms = w.terms[0]
    n_l = len(w.lenders)
    for op in w.operators:
        op.going = 0.0
        op.seizure = 0.0
        op.secured = 0.0
        op.hold = terms.credit_forbearance
    for k in range(clock.used_lots):
        lot = w.lots[k]
        o = lot.owner - n_l
        if lot.loan < 0 or o < 0 or o >= len(w.operators):
            continue
        w.operators[o].going += lot.units * max(w.value[o, lot.chip], w.chips[lot.chip].scrap)
        w.operators[o].seizure += lot.units * seizure_value(w.chips[lot.chip], terms)
    for k in range(clock.used_loans):
        loan = w.loans[k]
        if loan.kind != LoanKind.EQUIPMENT or loan.status == LoanStatus.FREE or loan.status == LoanStatus.DEFAULTED:
            continue
        op = w.operators[loan.borrower]
        op.secured += loan.principal
        if not can_wait(w.lenders[loan.lender]):
            op.hold = 0
    for op in w.operators:
        worth = min(op.secured, op.going)
        if op.status == OperatorStatus.DEFAULTED or worth <= 0.0 or worth < min(op.secured, op.seizure):
            op.hold = 0


@rule
def amend(w, clock, loan, kind, cause):
    """Log an amendment of a loan and charge its fee on the rate."""
    loan.rate = min(max(loan.rate, _DEAREST), loan.rate + w.terms[0].credit_amendment_fee)
    loan.amended += 1
    loan.last_event = log_event(
        w.events,
        clock,
        kind,
        cause,
        loan.lender,
        len(w.lenders) + loan.borrower,
        -1,
        0.0,
        loan.principal,
        loan.last_event,
    )


@rule
def waive_ltv(w, clock, loan):
    """Reset the covenant LTV of a loan in breach to where it stands and a part of the usual margin, for this month at least."""
    terms = w.terms[0]
    now = loan.principal / max(_LEAST_PART * loan.principal, loan.collateral)
    loan.covenant_ltv = max(loan.covenant_ltv, now + terms.credit_reset_margin * terms.credit_covenant_margin)
    loan.status = LoanStatus.PERFORMING
    loan.call_turn = this_round(clock)
    amend(w, clock, loan, EventKind.WAIVER, Cause.LTV)


@rule
def extend_loan(w, clock, loan):
    """Amend and extend: what is unpaid stays in the principal, the loan is repaid later, spare cash is swept (USD)."""
    terms = w.terms[0]
    loan.maturity = max(loan.maturity, clock.month) + terms.credit_extension
    loan.amortisation = min(loan.amortisation, loan.principal / max(_SHORTEST, loan.maturity - clock.month))
    loan.unpaid = 0.0
    loan.balloon = 0.0
    loan.sweep = 1
    w.operators[loan.borrower].swept = 1
    amend(w, clock, loan, EventKind.EXTENSION, Cause.CASH_FLOW)


@rule
def extend_all(w, clock, o):
    """Extend every equipment loan of an operator that has something unpaid."""
    for k in range(clock.used_loans):
        loan = w.loans[k]
        if (
            loan.borrower == o
            and loan.kind == LoanKind.EQUIPMENT
            and (loan.status == LoanStatus.PERFORMING or loan.status == LoanStatus.CALLED)
            and loan.unpaid > 1.0
        ):
            extend_loan(w, clock, loan)


@rule
def swap_debt(w, clock, loan, keep):
    """Swap all but ``keep`` of a loan for equity in the borrower: the claim, the debt and the lender's book fall (USD).

    What was unpaid beyond the claim that is left is no arrears any more.
    """
    lender = w.lenders[loan.lender]
    op = w.operators[loan.borrower]
    cut = (1.0 - keep) * loan.principal
    loan.principal -= cut
    loan.interest = min(loan.interest, loan.principal)
    gone = max(0.0, loan.unpaid - loan.principal)
    loan.unpaid -= gone
    op.arrears = max(0.0, op.arrears - gone)
    loan.amortisation *= keep
    amend(w, clock, loan, EventKind.SWAP, Cause.DSCR)
    lender.book -= cut
    lose(lender, cut)
    note_loss(lender, cut, loan.last_event)
    op.debt -= cut
    clock.forgiven += cut


@rule
def swap_hopeless(w, clock):
    """Cut the secured debt of operators that cannot carry it to what the business is worth, where all would rather wait.

    Hopeless: debt above the going-concern value and income below debt service for ``swap_months``.
    """
    terms = w.terms[0]
    any_case = False
    for op in w.operators:
        op.cut = 1.0
        if op.hold == 1 and op.thin_months >= terms.credit_swap_months and op.secured > max(1.0, op.going):
            op.cut = terms.credit_swap_share * op.going / op.secured
            op.thin_months = 0
            any_case = True
    if not any_case:
        return
    for k in range(clock.used_loans):
        loan = w.loans[k]
        if loan.kind != LoanKind.EQUIPMENT or loan.status == LoanStatus.FREE or loan.status == LoanStatus.DEFAULTED:
            continue
        if w.operators[loan.borrower].cut < 1.0:
            swap_debt(w, clock, loan, w.operators[loan.borrower].cut)


@rule
def watch_sweeps(w, clock):
    """Note who is swept; lenders end a sweep when the borrower's coverage is back above the covenant."""
    terms = w.terms[0]
    for op in w.operators:
        op.swept = 0
    for k in range(clock.used_loans):
        loan = w.loans[k]
        if loan.sweep == 0 or loan.status == LoanStatus.FREE or loan.status == LoanStatus.DEFAULTED:
            continue
        op = w.operators[loan.borrower]
        if op.dscr >= terms.credit_term_dscr and op.realised >= terms.credit_term_realised:
            loan.sweep = 0
        else:
            op.swept = 1
