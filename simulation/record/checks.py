"""Identities that hold in every month: units, claims, cash. Checks look, they do not mend; what is not a number is a fault."""

from __future__ import annotations

from agents.rule import rule
from agents.tables.clock import Fault, stop_run
from agents.tables.ledger import BUYERS, ITEM_PAYEE, ITEM_PAYER, LENDERS, OPERATORS
from agents.tables.loans import LoanStatus

#: Rounding that an identity leaves open: a dollar, a part in a billion of what it compares, a millionth of a GPU.
_DOLLAR = 1.0
_PART = 1e-9
_UNIT = 1e-6
#: And of all money that there is: what is left of a large sum carries the rounding of the sum.
_OF_ALL = 1e-12


@rule
def leeway(w):
    """Return what rounding may leave of a sum (USD): a dollar, and a trillionth of all claims and cash."""
    total = 0.0
    # What is negative or no number is another check's to find.
    for lender in w.lenders:
        if lender.book > 0.0:
            total += lender.book
        if lender.cash > 0.0:
            total += lender.cash
    for op in w.operators:
        if op.cash > 0.0:
            total += op.cash
    for buyer in w.buyers:
        if buyer.budget > 0.0:
            total += buyer.budget
    return _DOLLAR + _OF_ALL * total


@rule
def check_units(w, clock):
    """Check that every GPU has one owner: units in lots = initial + added - scrapped, by generation."""
    units = w.scratch[0]
    for g in range(len(w.chips)):
        units[g] = 0.0
    for k in range(clock.used_lots):
        lot = w.lots[k]
        if lot.owner >= 0:
            units[lot.chip] += lot.units
    for g in range(len(w.chips)):
        chip = w.chips[g]
        gap = units[g] - (chip.initial + chip.added - chip.scrapped)
        if not (abs(gap) <= _UNIT * max(1.0, chip.initial + chip.added)):
            stop_run(clock, Fault.UNITS, g, gap)
        gap = units[g] - chip.stock
        if not (abs(gap) <= _UNIT * max(1.0, units[g])):
            stop_run(clock, Fault.UNITS, g, gap)


@rule
def check_loans(w, clock):
    """Check that no claim is negative and that no creditor got more than was owed at default (USD)."""
    least = leeway(w)
    for k in range(clock.used_loans):
        loan = w.loans[k]
        if loan.status == LoanStatus.FREE:
            continue
        if not (loan.principal >= -least):
            stop_run(clock, Fault.OVERPAID, k, loan.principal)
        over = loan.recovered - loan.exposure
        if loan.status == LoanStatus.DEFAULTED and not (over <= least + _PART * loan.exposure):
            stop_run(clock, Fault.OVERPAID, k, over)


@rule
def check_claims(w, clock):
    """Check that lenders' books and operators' debts are the sums of the loans (USD)."""
    least = leeway(w)
    owed, due = w.scratch[0], w.scratch[1]
    for j in range(len(w.lenders)):
        owed[j] = 0.0
    for o in range(len(w.operators)):
        due[o] = 0.0
    for k in range(clock.used_loans):
        loan = w.loans[k]
        if loan.status != LoanStatus.FREE:
            owed[loan.lender] += loan.principal
            due[loan.borrower] += loan.principal
    for j in range(len(w.lenders)):
        book = w.lenders[j].book
        if not (abs(owed[j] - book) <= least + _PART * abs(book)):
            stop_run(clock, Fault.CLAIMS, j, owed[j] - book)
    for o in range(len(w.operators)):
        debt = w.operators[o].debt
        if not (abs(due[o] - debt) <= least + _PART * abs(debt)):
            stop_run(clock, Fault.CLAIMS, len(w.lenders) + o, due[o] - debt)


@rule
def check_means(w, clock):
    """Check that nobody holds less than nothing (USD, coins) and that no operator uses more power than it has (kW)."""
    least = leeway(w)
    for j in range(len(w.lenders)):
        lender = w.lenders[j]
        if not (lender.cash >= -least):
            stop_run(clock, Fault.NEGATIVE, j, lender.cash)
        if not (lender.deposits >= -least):
            stop_run(clock, Fault.NEGATIVE, j, lender.deposits)
    for o in range(len(w.operators)):
        op = w.operators[o]
        if not (op.used_power <= op.site_power * (1.0 + _PART) + 1.0):
            stop_run(clock, Fault.BEYOND_MEANS, len(w.lenders) + o, op.used_power - op.site_power)
        if not (op.cash >= -least):
            stop_run(clock, Fault.NEGATIVE, len(w.lenders) + o, op.cash)
        if not (op.btc >= -_PART):
            stop_run(clock, Fault.NEGATIVE, len(w.lenders) + o, op.btc)
        if not (op.eth >= -_PART):
            stop_run(clock, Fault.NEGATIVE, len(w.lenders) + o, op.eth)
    for b in range(len(w.buyers)):
        if not (w.buyers[b].budget >= -least):
            stop_run(clock, Fault.NEGATIVE, len(w.lenders) + len(w.operators) + b, w.buyers[b].budget)


@rule
def sector_cash(w, sector):
    """Return the cash of a sector (USD): lenders, operators or buyers."""
    cash = 0.0
    if sector == LENDERS:
        for lender in w.lenders:
            cash += lender.cash
    elif sector == OPERATORS:
        for op in w.operators:
            cash += op.cash
    else:
        for buyer in w.buyers:
            cash += buyer.budget
    return cash


@rule
def check_flows(w, clock):
    """Check that the ledger explains the change of each sector's cash; write the residual of the panel (USD)."""
    worst = 0.0
    scale = 1.0
    for sector in range(BUYERS + 1):
        cash = sector_cash(w, sector)
        before = clock.open_cash_buyers
        if sector == LENDERS:
            before = clock.open_cash_lenders
        elif sector == OPERATORS:
            before = clock.open_cash_operators
        explained = 0.0
        for item in range(len(w.book)):
            if ITEM_PAYEE[item] == sector:
                explained += w.book[item]
            if ITEM_PAYER[item] == sector:
                explained -= w.book[item]
            scale = max(scale, abs(w.book[item]))
        gap = cash - before - explained
        if abs(gap) > abs(worst):
            worst = gap
        scale = max(scale, cash)
        if not (abs(gap) <= _DOLLAR + _PART * scale):
            stop_run(clock, Fault.FLOWS, sector, gap)
    w.panel[clock.month].residual = worst
