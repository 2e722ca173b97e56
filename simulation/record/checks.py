"""Identities that hold in every month: units, claims, cash."""

from __future__ import annotations

from agents.rule import rule
from agents.tables.clock import Fault
from agents.tables.ledger import ITEM_PAYEE, ITEM_PAYER
from agents.tables.loans import LoanStatus


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
        if abs(gap) > 1e-6 * max(1.0, chip.initial + chip.added) or abs(units[g] - chip.stock) > 1e-6 * max(
            1.0, units[g]
        ):
            clock.fault = Fault.UNITS
            clock.fault_node = g
            clock.fault_usd = gap


@rule
def check_claims(w, clock):
    """Check that lenders' books and operators' debts are the sums of the loans (USD)."""
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
            if (
                loan.principal < -1.0
                or loan.recovered > loan.exposure + 1.0 + 1e-9 * loan.exposure
                and loan.status == LoanStatus.DEFAULTED
            ):
                clock.fault = Fault.OVERPAID
                clock.fault_node = k
                clock.fault_usd = loan.recovered - loan.exposure
    for j in range(len(w.lenders)):
        lender = w.lenders[j]
        if abs(owed[j] - lender.book) > 1.0 + 1e-9 * abs(lender.book):
            clock.fault = Fault.CLAIMS
            clock.fault_node = j
            clock.fault_usd = owed[j] - lender.book
        lender.book = owed[j]
        if lender.cash < -1.0 or lender.deposits < -1.0:
            clock.fault = Fault.NEGATIVE
            clock.fault_node = j
            clock.fault_usd = min(lender.cash, lender.deposits)
    for o in range(len(w.operators)):
        op = w.operators[o]
        if abs(due[o] - op.debt) > 1.0 + 1e-9 * abs(op.debt):
            clock.fault = Fault.CLAIMS
            clock.fault_node = len(w.lenders) + o
            clock.fault_usd = due[o] - op.debt
        # Sums are taken over afresh so that rounding does not accumulate over the years.
        op.debt = due[o]
        if op.used_power > op.site_power * (1.0 + 1e-9) + 1.0:
            clock.fault = Fault.BEYOND_MEANS
            clock.fault_node = len(w.lenders) + o
            clock.fault_usd = op.used_power - op.site_power
        if op.cash < -1.0 or op.btc < -1e-9:
            clock.fault = Fault.NEGATIVE
            clock.fault_node = len(w.lenders) + o
            clock.fault_usd = op.cash


@rule
def check_flows(w, clock):
    """Check that the ledger explains the change of each sector's cash; write the residual of the panel (USD)."""
    worst = 0.0
    scale = 1.0
    for sector in range(3):
        cash = 0.0
        before = clock.open_cash_lenders
        if sector == 0:
            for lender in w.lenders:
                cash += lender.cash
        elif sector == 1:
            before = clock.open_cash_operators
            for op in w.operators:
                cash += op.cash
        else:
            before = clock.open_cash_buyers
            for buyer in w.buyers:
                cash += buyer.budget
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
        if abs(gap) > 1.0 + 1e-9 * scale:
            clock.fault = Fault.FLOWS
            clock.fault_node = sector
            clock.fault_usd = gap
    w.panel[clock.month].residual = worst
