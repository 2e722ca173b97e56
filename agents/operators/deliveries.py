"""What happens when ordered chips arrive: loans are drawn, the rest is paid or cancelled."""

from __future__ import annotations

import math

from agents.customers.signing import choose_customer, count_signed
from agents.lenders.offers import lends_on_contracts, set_covenant
from agents.rule import rule
from agents.tables.events import Cause, EventKind, log_event
from agents.tables.ledger import Flow
from agents.tables.lenders import LenderStatus
from agents.tables.loans import LoanContract, LoanKind, open_loan
from agents.tables.lots import open_lot, sign_lot
from agents.tables.operators import OperatorStatus, occupy, sell_coins
from agents.tables.orders import balance_due, close_order

#: A cancellation below this part of the order is no event.
_NOTED = 0.01
#: A loan of a dollar is not drawn (USD): the vendor lets it go.
_LEAST = 1.0


@rule
def loan_maturity(terms, contract, term):
    """Return the months to maturity of a loan that amortises over ``term`` months: a term loan, and one that must match, leaves no balloon."""
    if contract == LoanContract.TERM or terms.policy_matched_amortisation == 1:
        return int(math.ceil(term))
    return terms.credit_maturity


@rule
def ring_fence(op, loan, terms):
    """Decide whether only the vehicle stands for a term loan: so that ``non_recourse`` of what the firm drew does (USD)."""
    op.drawn_term += loan.principal
    if op.drawn_fenced + loan.principal <= terms.credit_non_recourse * op.drawn_term:
        op.drawn_fenced += loan.principal
        loan.recourse = 0


@rule
def affordable_units(order, own, op, w, clock):
    """Return the units that the operator can pay for at ``own`` USD each, coins sold if need be; cancel the rest."""
    units = order.units
    if own * units > op.cash:
        sell_coins(op, clock, w.book, own * units - op.cash)
        if own * units > op.cash:
            units = op.cash / own
    if units < order.units:
        lost = (order.units - units) * order.cost
        clock.cancelled += lost
        occupy(op, w.chips[order.chip], units - order.units)
        if lost > _NOTED * order.units * order.cost:
            log_event(
                w.events, clock, EventKind.ORDER_CANCELLED, Cause.NONE, len(w.lenders) + order.operator, order.lender,
                order.chip, order.units - units, lost, -1,
            )  # fmt: skip
    return units


@rule
def draw_loan(order, op, principal, cost, appraised, w, clock):
    """Draw an equipment loan of ``principal`` USD on hardware of ``cost`` and ``appraised`` USD; return its row, -1 if the table is full."""
    lender = w.lenders[order.lender]
    lender.cash -= principal
    lender.book += principal
    op.debt += principal
    w.book[Flow.LOAN_DRAW] += principal
    clock.new_credit += principal
    terms = w.terms[0]
    contract = LoanContract.TERM if lends_on_contracts(op, terms) else LoanContract.BORROWING_BASE
    k = open_loan(
        w.loans, clock, LoanKind.EQUIPMENT, order.lender, order.operator, principal, order.rate,
        principal / order.life, clock.month + loan_maturity(terms, contract, order.life),
    )  # fmt: skip
    if k >= 0:
        w.loans[k].contract = contract
        if contract == LoanContract.TERM:
            ring_fence(op, w.loans[k], terms)
        set_covenant(w.loans[k], lender, w.terms[0], cost, appraised)
    return k


@rule
def deliver_order(order, w, clock):
    """Deliver one commitment: the lender pays the committed advance, the operator the rest; what it cannot pay
    is cancelled and its deposit lost.

    Reads and writes the order, operator, lender, chip, loans and lots; USD and units.
    """
    op = w.operators[order.operator]
    chip = w.chips[order.chip]
    lent = 0.0
    if order.lender >= 0:
        lender = w.lenders[order.lender]
        lender.committed = max(0.0, lender.committed - order.units * order.advance)
        if lender.status != LenderStatus.FAILED and order.units > 0.0:
            lent = min(order.advance, lender.cash / order.units)
    deposit = w.terms[0].credit_deposit
    own = balance_due(order.cost, lent, deposit)
    lent = balance_due(order.cost, own, deposit)
    op.committed = max(0.0, op.committed - order.units * balance_due(order.cost, order.advance, deposit))
    units = affordable_units(order, own, op, w, clock)
    if units <= 0.0:
        return
    op.cash = max(0.0, op.cash - own * units)
    principal = lent * units if lent * units > _LEAST else 0.0
    w.book[Flow.VENDOR_DELIVERY] += own * units + principal
    chip.added += units
    chip.stock += units
    clock.delivered += units * chip.performance
    k = -1
    if principal > 0.0:
        k = draw_loan(order, op, principal, order.cost * units, chip.appraisal * units, w, clock)
        if k < 0:
            return
    lot_id = open_lot(
        w.lots, w.first_lot, clock, len(w.lenders) + order.operator, order.chip, units, float(clock.month),
        clock.month, order.cost, k,
    )  # fmt: skip
    if lot_id >= 0 and op.contract_share > 0.0:
        customer = choose_customer(op, w.terms[0])
        sign_lot(
            w.lots[lot_id], customer, op.contract_share, clock.rent * w.terms[0].rental_contract_discount,
            clock.month + w.terms[0].rental_contract_term,
        )  # fmt: skip
        count_signed(op, customer, units * chip.performance * op.contract_share)


@rule
def deliver_orders(w, clock):
    """Deliver every commitment that falls due and free its row."""
    for k in range(clock.used_orders):
        order = w.orders[k]
        if order.operator >= 0 and order.due <= clock.month:
            if w.operators[order.operator].status != OperatorStatus.DEFAULTED:
                deliver_order(order, w, clock)
            close_order(w.orders, clock, k)
