"""Contracts: loans, lots of GPUs, purchase commitments, warehouse lines; and the rules that keep their rows.

A row is opened from a free list and closed back to it; lots of one owner form a doubly linked list, so that a
fill never scans the table.
"""

from __future__ import annotations

from enum import IntEnum

from agents.ledger import Fault, SaleReason
from agents.rule import rule
from agents.schema import Table, code, f, i


class LoanKind(IntEnum):
    """Kinds of loan."""

    EQUIPMENT = 0
    CONVERTIBLE = 1
    MARGIN = 2


class LoanStatus(IntEnum):
    """States of a loan; a free row is no loan."""

    FREE = 0
    PERFORMING = 1
    CALLED = 2
    DEFAULTED = 3


LOAN = Table(
    "loans",
    "Loans from a lender to an operator (edges of the credit network).",
    (
        code("kind", "kind of loan", LoanKind),
        code("status", "state", LoanStatus),
        i("lender", "lender", "creditor"),
        i("borrower", "operator", "debtor"),
        f("principal", "USD", "outstanding claim, capitalised unpaid interest included"),
        f("rate", "1/year", "interest rate"),
        f("amortisation", "USD/month", "scheduled principal"),
        i("opened", "month", "month of the draw"),
        i("maturity", "month", "month in which the balloon or bullet falls due"),
        f("opening_ltv", "ratio", "booked LTV at the draw"),
        f("covenant_ltv", "ratio", "booked LTV above which the lender calls margin"),
        f("collateral", "USD", "lender's mark of what secures it, this round"),
        f("interest", "USD", "interest accrued this month and capitalised until paid"),
        f("unpaid", "USD", "debt service of the month not paid yet, principal and interest"),
        f("balloon", "USD", "part of it that is a balloon or bullet"),
        i("call_turn", "round", "round in which the open margin call was made (month*1000+round), -1 none", -1),
        f("exposure", "USD", "claim at default"),
        f("recovered", "USD", "received since default"),
        f("coins", "BTC", "bitcoin pledged (margin loans)"),
        i("last_event", "event", "last event of this loan, -1 none", -1),
        i("following", "loan", "next free row", -1),
    ),
)

LOT = Table(
    "lots",
    "Lots of GPUs of one generation, owner, age and security; divisible.",
    (
        i("owner", "node", "owner, -1 a free row", -1),
        i("chip", "chip", "generation"),
        f("units", "GPU", "units"),
        f("vintage", "month", "month of first service, averaged where lots were merged"),
        i("online", "month", "month from which it can earn"),
        i("loan", "loan", "loan that it secures, -1 unencumbered", -1),
        f("cost", "USD/GPU", "financed cost a unit: list price, network and fit-out"),
        f("contracted", "share", "share of the lot under take-or-pay contract"),
        f("contract_price", "USD/perf-h", "contract rent of one performance unit an hour"),
        i("contract_end", "month", "month in which the contract ends"),
        f("offered", "GPU", "units for sale now"),
        f("reserve", "USD/GPU", "least price accepted"),
        code("reason", "why it is for sale", SaleReason),
        i("seized", "month", "month of seizure, -1 never", -1),
        i("asked", "month", "month from which it has been for sale, -1 not", -1),
        i("cause", "event", "event that put it up for sale, -1 none", -1),
        i("following", "lot", "next lot of the owner (or next free row)", -1),
        i("preceding", "lot", "previous lot of the owner", -1),
    ),
)

ORDER = Table(
    "orders",
    "Purchase commitments: ordered now, paid at delivery.",
    (
        i("operator", "operator", "who ordered, -1 a free row", -1),
        i("lender", "lender", "who committed the loan, -1 none", -1),
        i("chip", "chip", "generation"),
        f("units", "GPU", "units ordered"),
        f("cost", "USD/GPU", "cost a unit, network and fit-out included"),
        f("advance", "USD/GPU", "loan committed a unit"),
        f("rate", "1/year", "committed interest rate"),
        f("life", "month", "underwriting life of the commitment"),
        i("due", "month", "month of delivery"),
        i("following", "order", "next free row", -1),
    ),
)

LINE = Table(
    "lines",
    "Warehouse and repo lines from a lender to a lender, rolled monthly against a borrowing base.",
    (
        i("creditor", "lender", "who funds"),
        i("debtor", "lender", "who is funded"),
        f("limit", "USD", "committed size"),
        f("drawn", "USD", "amount drawn"),
        f("haircut", "ratio", "haircut on the debtor's collateral"),
        f("called", "USD", "called and not yet paid"),
        i("open", "flag", "1 while it can be drawn and rolled", 1),
        i("last_event", "event", "last call, -1 none", -1),
    ),
)


@rule
def open_lot(lots, first_lot, clock, owner, chip, units, vintage, online, cost, loan):
    """Take a free row for ``units`` GPUs (units in GPU, vintage and online in months); return it, -1 if full."""
    k = clock.free_lot
    if k < 0:
        clock.fault = Fault.LOTS_FULL
        return -1
    lot = lots[k]
    clock.free_lot = lot.following
    if k >= clock.used_lots:
        clock.used_lots = k + 1
    lot.chip = chip
    lot.units = units
    lot.vintage = vintage
    lot.online = online
    lot.loan = loan
    lot.cost = cost
    lot.contracted = 0.0
    lot.contract_price = 0.0
    lot.contract_end = -1
    lot.seized = -1
    lot.cause = -1
    withdraw_offer(lot)
    link_lot(lots, first_lot, k, owner)
    return k


@rule
def withdraw_offer(lot):
    """Take the lot off the market."""
    lot.offered = 0.0
    lot.reserve = 0.0
    lot.reason = SaleReason.CHURN
    lot.asked = -1


@rule
def link_lot(lots, first_lot, k, owner):
    """Put lot ``k`` at the head of the owner's list."""
    lot = lots[k]
    head = first_lot[owner]
    lot.owner = owner
    lot.preceding = -1
    lot.following = head
    if head >= 0:
        lots[head].preceding = k
    first_lot[owner] = k


@rule
def unlink_lot(lots, first_lot, k):
    """Take lot ``k`` out of its owner's list."""
    lot = lots[k]
    if lot.preceding >= 0:
        lots[lot.preceding].following = lot.following
    else:
        first_lot[lot.owner] = lot.following
    if lot.following >= 0:
        lots[lot.following].preceding = lot.preceding
    lot.owner = -1


@rule
def close_lot(lots, first_lot, clock, k):
    """Give the row of an empty lot back."""
    unlink_lot(lots, first_lot, k)
    lot = lots[k]
    lot.units = 0.0
    lot.loan = -1
    lot.offered = 0.0
    lot.following = clock.free_lot
    clock.free_lot = k


@rule
def receive_units(lots, first_lot, clock, owner, chip, units, vintage, online, cost):
    """Give unencumbered used units to ``owner``, merged with what it got of this generation this month."""
    k = first_lot[owner]
    while k >= 0:
        lot = lots[k]
        if lot.chip == chip and lot.loan < 0 and lot.online == online and lot.offered == 0.0 and lot.contracted == 0.0:
            total = lot.units + units
            lot.vintage = (lot.vintage * lot.units + vintage * units) / total
            lot.cost = (lot.cost * lot.units + cost * units) / total
            lot.units = total
            return k
        k = lot.following
    return open_lot(lots, first_lot, clock, owner, chip, units, vintage, online, cost, -1)


@rule
def open_loan(loans, clock, kind, lender, borrower, principal, rate, amortisation, maturity):
    """Take a free row for a loan of ``principal`` USD; return it, -1 if the table is full."""
    k = clock.free_loan
    if k < 0:
        clock.fault = Fault.LOANS_FULL
        return -1
    loan = loans[k]
    clock.free_loan = loan.following
    if k >= clock.used_loans:
        clock.used_loans = k + 1
    loan.kind = kind
    loan.status = LoanStatus.PERFORMING
    loan.lender = lender
    loan.borrower = borrower
    loan.principal = principal
    loan.rate = rate
    loan.amortisation = amortisation
    loan.opened = clock.month
    loan.maturity = maturity
    loan.opening_ltv = 0.0
    loan.covenant_ltv = 0.0
    loan.collateral = 0.0
    loan.interest = 0.0
    loan.unpaid = 0.0
    loan.balloon = 0.0
    loan.call_turn = -1
    loan.exposure = 0.0
    loan.recovered = 0.0
    loan.coins = 0.0
    loan.last_event = -1
    return k


@rule
def close_loan(loans, clock, k):
    """Give the row of a loan without claim back."""
    loan = loans[k]
    loan.status = LoanStatus.FREE
    loan.principal = 0.0
    loan.coins = 0.0
    loan.following = clock.free_loan
    clock.free_loan = k
