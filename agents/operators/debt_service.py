"""How an operator pays its debts: what falls due, the payment waterfall, arrears, extension or default."""

from __future__ import annotations

from agents.lenders.offers import rolled_part
from agents.lenders.workouts import amend, extend_all
from agents.rule import rule
from agents.tables.events import Cause, EventKind, SaleReason
from agents.tables.lenders import LenderStatus
from agents.tables.loans import LoanContract, LoanKind, LoanStatus, close_loan, pay_loan
from agents.tables.operators import OperatorStatus, Refusal, cover_ratio, sell_coins, spare_cash

#: Less than this is paid (USD).
_CENT = 0.01
#: A margin call that took this part of what is missing is told as the cause of a default.
_DRAINED = 0.25


@rule
def accrue(w, clock):
    """Capitalise the month's interest and set what falls due, loan by loan (USD)."""
    terms = w.terms[0]
    for op in w.operators:
        op.due_2 = op.due_1
        op.due_1 = op.due
        op.due = 0.0
        op.balloon = 0.0
        op.carried = 0.0
    for k in range(clock.used_loans):
        loan = w.loans[k]
        if loan.status == LoanStatus.FREE or loan.status == LoanStatus.DEFAULTED:
            continue
        op = w.operators[loan.borrower]
        lender = w.lenders[loan.lender]
        # What was missed before falls due again while lenders have not decided; else it is part of the principal.
        carried = loan.unpaid if op.late > 0 else 0.0
        loan.interest = loan.principal * loan.rate / 12.0
        loan.principal += loan.interest
        lender.book += loan.interest
        op.debt += loan.interest
        scheduled = min(loan.principal, loan.interest + loan.amortisation)
        loan.balloon = 0.0
        if clock.month >= loan.maturity:
            kept = rolled_part(loan, op, lender, terms, clock)
            loan.balloon = max(0.0, loan.principal - scheduled - kept)
            if kept > 0.0:
                loan.maturity = clock.month + (
                    terms.credit_maturity
                    if loan.kind == LoanKind.EQUIPMENT
                    else terms.notes_term
                    if loan.kind == LoanKind.CONVERTIBLE
                    else terms.notes_margin_term
                )
        loan.unpaid = min(loan.principal, scheduled + loan.balloon + carried)
        op.carried += loan.unpaid - scheduled - loan.balloon
        op.due += scheduled
        op.balloon += loan.balloon


@rule
def pay_shares(w, clock):
    """Pay each loan the operator's ``pay_share`` of what is unpaid; note who would refuse to extend the rest."""
    terms = w.terms[0]
    for k in range(clock.used_loans):
        loan = w.loans[k]
        if loan.status == LoanStatus.FREE or loan.status == LoanStatus.DEFAULTED or loan.unpaid <= _CENT:
            continue
        op = w.operators[loan.borrower]
        lender = w.lenders[loan.lender]
        if op.pay_share > 0.0:
            pay_loan(loan, op.pay_share * loan.unpaid, op, lender, w.book)
        if (
            loan.unpaid > _CENT
            and op.refused != Refusal.FAILED
            and rolled_part(loan, op, lender, terms, clock) < loan.principal - _CENT
        ):
            op.refusing = loan.lender
            op.refused = Refusal.FAILED if lender.status == LenderStatus.FAILED else Refusal.ONE


@rule
def close_paid(w, clock):
    """Close loans paid down to less than a dollar and free what secured them."""
    freed = 0
    for k in range(clock.used_loans):
        loan = w.loans[k]
        if loan.status != LoanStatus.FREE and loan.status != LoanStatus.DEFAULTED and loan.principal < 1.0:
            # The last cents are forgiven: the claim and the debt fall together.
            w.lenders[loan.lender].book -= loan.principal
            op = w.operators[loan.borrower]
            op.debt -= loan.principal
            op.btc += loan.coins
            close_loan(w.loans, clock, k)
            freed += 1
    if freed > 0:
        for k in range(clock.used_lots):
            lot = w.lots[k]
            if lot.loan >= 0 and w.loans[lot.loan].status == LoanStatus.FREE:
                lot.loan = -1


@rule
def pay_debts(w, clock):
    """Set what each operator pays of its debt service: from cash, then from coins; the rest is in arrears (USD)."""
    for op in w.operators:
        if op.status == OperatorStatus.DEFAULTED:
            continue
        cover_ratio(op)
        op.income_2 = op.income_1
        op.income_1 = op.income
        due = op.due + op.balloon + op.carried
        if due > op.cash:
            sell_coins(op, clock, w.book, due - op.cash)
        op.pay_share = min(1.0, op.cash / due) if due > 0.0 else 0.0
        op.refused = Refusal.NOBODY
        op.arrears = due * (1.0 - op.pay_share)
        if op.arrears < 1.0:
            op.arrears = 0.0
            op.late = 0
        else:
            op.status = OperatorStatus.STRESSED
            op.late += 1


@rule
def what_took(op, usd):
    """Return the event that took a good part of ``usd`` from an operator: a margin call's cash, or a customer's rent; -1 none."""
    if op.drained > _DRAINED * usd:
        return op.drain_event
    if op.lost > _DRAINED * usd:
        return op.lost_event
    return -1


@rule
def watch_coverage(w, clock):
    """Let an operator fail whose income has stayed below its debt service and whose cash and coins run out, unless lenders wait."""
    terms = w.terms[0]
    for op in w.operators:
        if op.status == OperatorStatus.DEFAULTED or op.failing > 0 or op.hold == 1:
            continue
        thin = op.thin_months >= terms.credit_dscr_months and op.debt > 1.0
        means = op.cash + op.btc * clock.btc + op.eth * clock.eth
        if thin and means < terms.credit_dscr_cash * op.due:
            op.failing = 1 + Cause.DSCR
            op.failing_event = what_took(op, op.due)


@rule
def test_terms(w, clock):
    """Test term loans after their holiday: coverage, and contract revenue received over that signed; in breach cash is swept."""
    terms = w.terms[0]
    for k in range(clock.used_loans):
        loan = w.loans[k]
        if loan.kind != LoanKind.EQUIPMENT or loan.contract != LoanContract.TERM or loan.sweep == 1:
            continue
        if loan.status != LoanStatus.PERFORMING or clock.month < loan.opened + terms.credit_term_holiday:
            continue
        op = w.operators[loan.borrower]
        if op.dscr < terms.credit_term_dscr or op.realised < terms.credit_term_realised:
            loan.sweep = 1
            amend(w, clock, loan, EventKind.WAIVER, Cause.DSCR)


@rule
def sweep_cash(w, clock):
    """Let lenders that sweep take a borrower's cash above its reserve and its commitments, by their claims (USD)."""
    terms = w.terms[0]
    claims = w.scratch[0]
    for o in range(len(w.operators)):
        claims[o] = 0.0
    for k in range(clock.used_loans):
        loan = w.loans[k]
        if loan.status == LoanStatus.PERFORMING and loan.sweep == 1:
            claims[loan.borrower] += loan.principal
    for o in range(len(w.operators)):
        op = w.operators[o]
        if claims[o] > 0.0:
            spare = max(0.0, spare_cash(op, terms) - op.committed - op.arrears)
            claims[o] = min(1.0, spare / claims[o]) if op.status != OperatorStatus.DEFAULTED else 0.0
    for k in range(clock.used_loans):
        loan = w.loans[k]
        if loan.status == LoanStatus.PERFORMING and loan.sweep == 1 and claims[loan.borrower] > 0.0:
            pay_loan(
                loan, claims[loan.borrower] * loan.principal, w.operators[loan.borrower], w.lenders[loan.lender], w.book
            )


@rule
def post_lots(w, node, op, clock):
    """Offer all unencumbered lots, at a share of their value in use, to meet arrears."""
    terms = w.terms[0]
    found = 0
    k = w.first_lot[node]
    while k >= 0:
        lot = w.lots[k]
        if lot.loan < 0 and lot.offered == 0.0 and lot.units > 0.0:
            lot.offered = lot.units
            lot.reason = SaleReason.ARREARS
            lot.asked = clock.month
            lot.cause = op.last_event
            lot.reserve = terms.credit_sale_reserve * w.value[node - len(w.lenders), lot.chip]
            found = 1
        k = lot.following
    op.selling = max(op.selling, found)
    return found


@rule
def work_out_arrears(w, clock):
    """One round for everybody in arrears: pay from cash, post lots, wait for them to sell, extend or default.

    Writes ``clock.waiting``, the number of operators whose arrears are still being worked out.
    """
    terms = w.terms[0]
    clock.waiting = 0
    open_cases = 0
    for op in w.operators:
        op.pay_share = 0.0
        if op.arrears > 0.0 and op.status != OperatorStatus.DEFAULTED and op.failing == 0:
            op.pay_share = min(1.0, op.cash / op.arrears)
            op.refused = Refusal.NOBODY
            open_cases += 1
    if open_cases == 0:
        return
    pay_shares(w, clock)
    for o in range(len(w.operators)):
        op = w.operators[o]
        if op.arrears <= 0.0 or op.status == OperatorStatus.DEFAULTED or op.failing > 0:
            continue
        op.arrears *= 1.0 - op.pay_share
        if op.arrears < 1.0:
            op.arrears = 0.0
            op.late = 0
            continue
        found = 1
        if op.arrears_turns == 0:
            found = post_lots(w, len(w.lenders) + o, op, clock)
        op.arrears_turns = op.arrears_turns + 1 if found == 1 else terms.credit_arrears_turns + 1
        if op.arrears_turns <= terms.credit_arrears_turns:
            clock.waiting += 1
        elif op.refused == Refusal.NOBODY:
            # Everybody extends: what is unpaid stays in the principal.
            op.arrears = 0.0
            op.late = 0
            if op.hold == 1:
                extend_all(w, clock, o)
        elif op.late <= terms.credit_grace_months:
            # Payments may be late for so long: what is unpaid falls due again next month.
            continue
        else:
            lender = w.lenders[op.refusing]
            cause = Cause.MATURITY if op.balloon > op.due else Cause.CASH_FLOW
            op.failing_event = what_took(op, op.arrears)
            if op.refused == Refusal.FAILED or (op.balloon > op.due and lender.status != LenderStatus.ACTIVE):
                cause = Cause.LENDER_FAILURE
                op.failing_event = lender.last_event
            op.failing = 1 + cause
            clock.waiting += 1
