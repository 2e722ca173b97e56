"""What happens when an operator defaults: acceleration, seizure by each secured lender, the estate and what it pays."""

from __future__ import annotations

from agents.rule import rule
from agents.tables.events import Cause, EventKind, SaleReason, log_event
from agents.tables.ledger import Flow
from agents.tables.lenders import lose
from agents.tables.loans import LoanKind, LoanStatus, close_loan, close_out
from agents.tables.lots import link_lot, unlink_lot, void_contract
from agents.tables.operators import OperatorStatus, occupy, sell_coins
from agents.tables.orders import close_order


@rule
def declare(w, clock, o, op):
    """Declare one operator in default: log it with its cause, liquidate coins and rigs into the estate (USD)."""
    terms = w.terms[0]
    event = log_event(
        w.events, clock, EventKind.DEFAULT, op.failing - 1, len(w.lenders) + o, -1, -1, 0.0, op.debt, op.failing_event
    )
    op.status = OperatorStatus.DEFAULTED
    op.default_month = clock.month
    op.default_cause = op.failing - 1
    op.exposure = op.debt
    op.last_event = event
    op.failing = 0
    op.arrears = 0.0
    op.committed = 0.0
    op.thin_months = 0
    clock.debt_defaulted += op.debt
    if clock.shock_usd <= 0.0:
        clock.last_shock = event
    clock.news += 1
    sell_coins(op, clock, w.book, op.btc * clock.btc + op.eth * clock.eth)
    op.cash += op.rig_value
    w.book[Flow.ASIC_SALE] += op.rig_value
    op.hashrate = 0.0
    op.rig_value = 0.0
    lost = terms.credit_bankruptcy_cost * op.cash
    op.cash -= lost
    w.book[Flow.BANKRUPTCY] += lost


@rule
def accelerate(w, clock):
    """Accelerate every loan of the operators in default (cross-default); close out pledged coins."""
    for k in range(clock.used_loans):
        loan = w.loans[k]
        if loan.status != LoanStatus.PERFORMING and loan.status != LoanStatus.CALLED:
            continue
        op = w.operators[loan.borrower]
        if op.status != OperatorStatus.DEFAULTED:
            continue
        loan.status = LoanStatus.DEFAULTED
        loan.exposure = loan.principal
        loan.unpaid = 0.0
        loan.recovered = 0.0
        loan.last_event = op.last_event
        if loan.kind == LoanKind.MARGIN:
            close_out(loan, op, w.lenders[loan.lender], clock, w.book, loan.coins)
            clock.recoveries += loan.recovered
            left = loan.coins * clock.btc
            op.cash += left
            w.book[Flow.COIN_SALE] += left
            loan.coins = 0.0


@rule
def seize_lot(w, clock, k, node, opened):
    """Hand a pledged lot to its lender, for sale. The first of a loan logs the seizure behind event ``opened``.

    With receivership it stays where it stands and keeps its power; else it is carried off.
    """
    o = node - len(w.lenders)
    lot = w.lots[k]
    loan = w.loans[lot.loan]
    void_contract(lot)
    lot.offered = lot.units
    lot.asked = clock.month
    lot.site = -1
    if w.terms[0].market_receivership > 0.0:
        lot.site = o
    else:
        occupy(w.operators[o], w.chips[lot.chip], -lot.units)
    if loan.last_event == opened:
        loan.last_event = log_event(
            w.events,
            clock,
            EventKind.SEIZURE,
            Cause.NONE,
            loan.lender,
            node,
            lot.chip,
            lot.units,
            loan.principal,
            opened,
        )
    else:
        event = w.events[loan.last_event]
        event.units += lot.units
        if event.chip != lot.chip:
            event.chip = -1
    lot.seized = clock.month
    lot.reason = SaleReason.SEIZED
    lot.cause = loan.last_event
    w.lenders[loan.lender].seized_units += lot.units
    unlink_lot(w.lots, w.first_lot, k)
    link_lot(w.lots, w.first_lot, k, loan.lender)


@rule
def seize(w, clock, node, op):
    """Hand pledged lots to their lenders and put the estate's own lots up for sale."""
    stays = w.terms[0].market_receivership > 0.0
    k = w.first_lot[node]
    while k >= 0:
        lot = w.lots[k]
        after = lot.following
        if lot.loan >= 0 and w.loans[lot.loan].kind == LoanKind.EQUIPMENT:
            seize_lot(w, clock, k, node, op.last_event)
        else:
            void_contract(lot)
            lot.offered = lot.units
            lot.asked = clock.month
            lot.site = node - len(w.lenders) if stays else -1
            lot.reason = SaleReason.ESTATE
            lot.reserve = 0.0
            lot.cause = op.last_event
            op.selling = 1
        k = after
    if not stays:
        op.used_power = 0.0
        op.used_liquid = 0.0


@rule
def surrender(w, clock, o, op):
    """Let a firm that would fail give up its ring-fenced vehicles first; return whether it had any.

    Their lenders have the hardware and nothing else; the firm goes on with the rest.
    """
    node = len(w.lenders) + o
    event = -1
    for k in range(clock.used_loans):
        loan = w.loans[k]
        if loan.borrower != o or loan.recourse == 1:
            continue
        if loan.status != LoanStatus.PERFORMING and loan.status != LoanStatus.CALLED:
            continue
        event = log_event(
            w.events,
            clock,
            EventKind.SURRENDER,
            op.failing - 1,
            node,
            loan.lender,
            -1,
            0.0,
            loan.principal,
            op.failing_event,
        )
        loan.status = LoanStatus.DEFAULTED
        loan.exposure = loan.principal
        loan.unpaid = 0.0
        loan.recovered = 0.0
        loan.last_event = event
        clock.debt_defaulted += loan.principal
        clock.news += 1
        k_lot = w.first_lot[node]
        while k_lot >= 0:
            after = w.lots[k_lot].following
            if w.lots[k_lot].loan == k:
                seize_lot(w, clock, k_lot, node, event)
            k_lot = after
    if event < 0:
        return False
    op.failing = 0
    op.failing_event = -1
    op.arrears = 0.0
    op.late = 0
    return True


@rule
def cancel_orders(w, clock):
    """Cancel the purchase commitments of operators in default; deposits are lost."""
    for k in range(clock.used_orders):
        order = w.orders[k]
        if order.operator >= 0 and w.operators[order.operator].status == OperatorStatus.DEFAULTED:
            if order.lender >= 0:
                lender = w.lenders[order.lender]
                lender.committed = max(0.0, lender.committed - order.units * order.advance)
            clock.cancelled += order.units * order.cost
            occupy(w.operators[order.operator], w.chips[order.chip], -order.units)
            close_order(w.orders, clock, k)


@rule
def carry_out_defaults(w, clock):
    """All defaults of this round at once: declaration, acceleration, seizure; return how many."""
    declared = w.ranking[0]
    n = 0
    for o in range(len(w.operators)):
        op = w.operators[o]
        if op.failing > 0 and op.status != OperatorStatus.DEFAULTED:
            if op.drawn_fenced > 0.0 and surrender(w, clock, o, op):
                continue
            declare(w, clock, o, op)
            declared[n] = o
            n += 1
    if n == 0:
        return 0
    accelerate(w, clock)
    cancel_orders(w, clock)
    for i in range(n):
        seize(w, clock, len(w.lenders) + declared[i], w.operators[declared[i]])
    return n


@rule
def pay_estates(w, clock):
    """Month end: estates pay their creditors pro rata; claims without collateral or estate are written off.

    A claim takes part with what its unsold collateral does not cover. Nobody receives more than is owed. All are paid
    before it is asked what is left to wait for. A firm does not stand for its vehicles, whether it lives or falls: their
    lenders have the hardware and nothing else.
    """
    any_estate = False
    for op in w.operators:
        op.pay_share = 0.0
        if op.status == OperatorStatus.DEFAULTED or op.drawn_fenced > 0.0:
            any_estate = True
    if not any_estate:
        return
    for k in range(clock.used_loans):
        loan = w.loans[k]
        if loan.status == LoanStatus.DEFAULTED and loan.recourse == 1:
            w.operators[loan.borrower].pay_share += max(0.0, loan.principal - loan.collateral)
    for op in w.operators:
        op.pay_share = min(1.0, op.cash / op.pay_share) if op.pay_share > 0.0 else 0.0
    for k in range(clock.used_loans):
        loan = w.loans[k]
        if loan.status != LoanStatus.DEFAULTED or loan.recourse == 0:
            continue
        op = w.operators[loan.borrower]
        lender = w.lenders[loan.lender]
        usd = min(op.cash, op.pay_share * max(0.0, loan.principal - loan.collateral))
        op.cash -= usd
        op.debt -= usd
        loan.principal -= usd
        loan.recovered += usd
        lender.cash += usd
        lender.book -= usd
        clock.recoveries += usd
        w.book[Flow.RECOVERY] += usd
    for k in range(clock.used_loans):
        loan = w.loans[k]
        if loan.status != LoanStatus.DEFAULTED:
            continue
        op = w.operators[loan.borrower]
        # Without lots to sell an estate is over: what it had is paid. For a vehicle nobody else stands.
        estate_over = loan.recourse == 0 or w.first_lot[len(w.lenders) + loan.borrower] < 0
        if loan.collateral <= 0.0 and (loan.principal < 1.0 or estate_over):
            write_off(w, clock, k, loan, w.lenders[loan.lender], op)
    for op in w.operators:
        if op.status == OperatorStatus.DEFAULTED and op.debt < 1.0 and op.cash > 0.0:
            w.book[Flow.PAYOUT] += op.cash
            op.cash = 0.0


@rule
def write_off(w, clock, k, loan, lender, op):
    """Write the rest of a claim off: lender's book and borrower's debt fall together."""
    clock.losses += loan.principal
    lose(lender, loan.principal)
    lender.book -= loan.principal
    op.debt -= loan.principal
    close_loan(w.loans, clock, k)
