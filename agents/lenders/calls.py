"""What a lender does when its borrower breaches the LTV: margin calls, their cure, coin-backed loans."""

from __future__ import annotations

from agents.lenders.marks import mark_lot
from agents.lenders.workouts import waive_ltv
from agents.rule import rule
from agents.tables.clock import ROUNDS, this_round
from agents.tables.events import Cause, EventKind, SaleReason, log_event
from agents.tables.loans import LoanContract, LoanKind, LoanStatus, close_out, pay_loan
from agents.tables.lots import withdraw_offer
from agents.tables.operators import OperatorStatus, reserve_cash, sell_coins
from agents.valuation import units_to_cure

#: Coins below this are none.
NO_COIN = 1e-9


@rule
def pledge_lots(w, loan_id, loan, node, need):
    """Pledge unencumbered lots of the borrower to the loan until their mark reaches ``need`` (USD); return what is missing."""
    lender = w.lenders[loan.lender]
    clock = w.clock[0]
    k = w.first_lot[node]
    while k >= 0 and need > 0.0:
        lot = w.lots[k]
        if lot.loan < 0 and lot.offered == 0.0:
            value = lot.units * mark_lot(lender, lot, w.chips[lot.chip], clock.month)
            lot.loan = loan_id
            loan.collateral += value
            need -= value
        k = lot.following
    return need


@rule
def margin_gap(loan, collateral, terms):
    """Return what a lender calls on a secured loan (USD): the claim above the covenant LTV of ``collateral`` (USD).

    Nothing below the smallest call, a share of the claim and at least a dollar; above it the whole gap.
    """
    gap = loan.principal - loan.covenant_ltv * collateral
    return gap if gap > max(1.0, terms.credit_call_minimum * loan.principal) else 0.0


@rule
def cure_by_sale(lender, lot, chip, covenant, gap, price, month):
    """Return (units, USD): what of a pledged lot must be sold at ``price`` to close ``gap``, and what that closes.

    Selling x units at P against a mark m cures when (L - P x) = c m (U - x): x = (L - c U m)/(P - c m), c the covenant
    LTV. When P <= c m a sale cannot cure and everything is offered.
    """
    gain = price - covenant * mark_lot(lender, lot, chip, month)
    units = units_to_cure(gap, gain, lot.units)
    return units, units * max(0.0, gain)


@rule
def order_sale(w, loan_id, loan, node, event):
    """Put enough of the pledged hardware on the market to cure the call; return the units offered.

    The borrower expects part of the best bid seen this month, else of the appraisal, as price. Contracts with customers
    go with the units that are sold, not with the offer.
    """
    terms = w.terms[0]
    clock = w.clock[0]
    gap = loan.principal - loan.covenant_ltv * loan.collateral
    offered = 0.0
    k = w.first_lot[node]
    while k >= 0:
        lot = w.lots[k]
        if lot.loan == loan_id and gap > 0.0:
            chip = w.chips[lot.chip]
            seen = chip.best_bid if chip.best_bid > 0.0 else chip.appraisal
            price = terms.market_order_price * min(seen, chip.appraisal)
            units, closed = cure_by_sale(w.lenders[loan.lender], lot, chip, loan.covenant_ltv, gap, price, clock.month)
            gap -= closed
            lot.offered = units
            lot.reserve = 0.0
            if terms.credit_cure_months > 0:
                lot.reserve = terms.credit_sale_reserve * w.value[node - len(w.lenders), lot.chip]
            lot.reason = SaleReason.MARGIN_CALL
            lot.asked = clock.month
            lot.cause = event
            offered += units
        k = lot.following
    return offered


@rule
def call_margin(w, loan_id, loan, clock):
    """Call margin on a loan in breach: cash, pledge, coins, and last the sale of pledged hardware."""
    terms = w.terms[0]
    node = len(w.lenders) + loan.borrower
    op = w.operators[loan.borrower]
    lender = w.lenders[loan.lender]
    gap = loan.principal - loan.covenant_ltv * loan.collateral
    parent = clock.last_shock
    event = log_event(w.events, clock, EventKind.MARGIN_CALL, Cause.LTV, node, loan.lender, -1, 0.0, gap, parent)
    clock.news += 1
    loan.last_event = event
    paid = min(gap, max(0.0, op.cash - reserve_cash(op, terms.credit_call_cash)))
    if paid > 0.0:
        pay_loan(loan, paid, op, lender, w.book)
        op.drained += paid
        op.drain_event = event
        gap -= paid
    if gap > 1.0:
        gap = pledge_lots(w, loan_id, loan, node, gap / loan.covenant_ltv) * loan.covenant_ltv
    if gap > 1.0 and op.btc + op.eth > 0.0:
        before = op.cash
        sell_coins(op, clock, w.book, gap)
        paid = op.cash - before
        pay_loan(loan, paid, op, lender, w.book)
        op.drained += paid
        op.drain_event = event
        gap -= paid
    if gap > 1.0 and op.hold == 1:
        waive_ltv(w, clock, loan)
    elif gap > 1.0:
        loan.status = LoanStatus.CALLED
        loan.call_turn = this_round(clock)
        if order_sale(w, loan_id, loan, node, event) > 0.0:
            op.selling = 1


@rule
def waived_now(loan, clock):
    """Return whether a breach of this loan was waived this month: what falls further is looked at in the next."""
    return loan.amended > 0 and loan.call_turn // ROUNDS == clock.month


@rule
def watch_covenants(w, clock):
    """Call margin on secured loans above their covenant LTV; last round's calls end as cured or as a default."""
    terms = w.terms[0]
    now = this_round(clock)
    for k in range(clock.used_loans):
        loan = w.loans[k]
        if loan.kind != LoanKind.EQUIPMENT or loan.contract != LoanContract.BORROWING_BASE:
            continue
        if loan.status != LoanStatus.PERFORMING and loan.status != LoanStatus.CALLED:
            continue
        breach = margin_gap(loan, loan.collateral, terms) > 0.0
        if loan.status == LoanStatus.PERFORMING and (not breach or waived_now(loan, clock)):
            continue
        op = w.operators[loan.borrower]
        if op.status == OperatorStatus.DEFAULTED or op.failing > 0:
            continue
        if loan.status == LoanStatus.PERFORMING:
            call_margin(w, k, loan, clock)
        elif loan.call_turn < now and (
            not breach or clock.month >= loan.call_turn // ROUNDS + terms.credit_cure_months
        ):
            if breach and op.hold == 1:
                waive_ltv(w, clock, loan)
                withdraw_order(w, k, len(w.lenders) + loan.borrower)
            elif breach:
                op.failing = 1 + Cause.LTV
                op.failing_event = loan.last_event
                clock.news += 1
            else:
                loan.status = LoanStatus.PERFORMING
                loan.call_turn = -1
                log_event(
                    w.events, clock, EventKind.CURED, Cause.LTV, len(w.lenders) + loan.borrower, loan.lender, -1, 0.0,
                    loan.principal, loan.last_event,
                )  # fmt: skip
                withdraw_order(w, k, len(w.lenders) + loan.borrower)


@rule
def withdraw_order(w, loan_id, node):
    """Take what is left of a margin-call sale off the market."""
    k = w.first_lot[node]
    while k >= 0:
        lot = w.lots[k]
        if lot.loan == loan_id and lot.reason == SaleReason.MARGIN_CALL:
            withdraw_offer(lot)
        k = lot.following


@rule
def watch_coins(w, clock):
    """Coin-backed loans, once a month: above the call level the borrower adds coins, above the close-out level coins are sold.

    Close-out sells x coins so that the loan returns to the opening LTV l: x = (L - l C p)/((1 - l) p).
    """
    if clock.turn > 0:
        return
    terms = w.terms[0]
    for k in range(clock.used_loans):
        loan = w.loans[k]
        if (
            loan.kind != LoanKind.MARGIN
            or loan.status == LoanStatus.FREE
            or loan.status == LoanStatus.DEFAULTED
            or loan.principal < 1.0
        ):
            continue
        op = w.operators[loan.borrower]
        ltv = loan.principal / max(1.0, loan.coins * clock.btc)
        if ltv <= terms.notes_margin_call or op.status == OperatorStatus.DEFAULTED:
            continue
        target = terms.notes_margin_ltv
        event = log_event(
            w.events, clock, EventKind.COIN_CALL, Cause.BITCOIN_MARGIN, len(w.lenders) + loan.borrower, loan.lender, -1,
            0.0, loan.principal, -1,
        )  # fmt: skip
        clock.news += 1
        op.drain_event = event
        added = min(op.btc, max(0.0, loan.principal / (target * clock.btc) - loan.coins))
        op.btc -= added
        op.drained += added * clock.btc
        loan.coins += added
        if loan.principal <= terms.notes_margin_closeout * loan.coins * clock.btc:
            continue
        excess = (loan.principal - target * loan.coins * clock.btc) / ((1.0 - target) * clock.btc)
        close_out(loan, op, w.lenders[loan.lender], clock, w.book, min(loan.coins, max(0.0, excess)))
        if loan.coins < NO_COIN and loan.principal > 1.0 and op.failing == 0:
            op.failing = 1 + Cause.BITCOIN_MARGIN
            op.failing_event = event
