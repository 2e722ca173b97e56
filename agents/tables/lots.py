"""Lots of GPUs of one generation, owner, age and security; lots of one owner form a doubly linked list."""

from __future__ import annotations

from agents.rule import rule
from agents.schema import Table, code, f, i
from agents.tables.clock import Fault, stop_run
from agents.tables.events import SaleReason

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
        i("customer", "customer", "customer behind the contract, -1 none", -1),
        f(
            "signed",
            "share",
            "share under contract as signed: it stands to the end of its term though the customer be gone",
        ),
        f("signed_price", "USD/perf-h", "contract rent as signed, before renegotiation"),
        i("signed_end", "month", "month in which what was signed ends"),
        f("offered", "GPU", "units for sale now"),
        f("reserve", "USD/GPU", "least price accepted"),
        code("reason", "why it is for sale", SaleReason),
        i("seized", "month", "month of seizure, -1 never", -1),
        i("site", "operator", "fallen operator in whose place it stands and can run on, -1 none", -1),
        i("asked", "month", "month from which it has been for sale, -1 not", -1),
        i("deadline", "month", "block: month in which what is left of it goes at any price, -1 no block", -1),
        i("hurry", "week", "weeks of its first month in which its seller does not search"),
        i("cause", "event", "event that put it up for sale, -1 none", -1),
        i("following", "lot", "next lot of the owner (or next free row)", -1),
        i("preceding", "lot", "previous lot of the owner", -1),
    ),
)


@rule
def open_lot(lots, first_lot, clock, owner, chip, units, vintage, online, cost, loan):
    """Take a free row for ``units`` GPUs (units in GPU, vintage and online in months); return it, -1 if full."""
    k = clock.free_lot
    if k < 0:
        stop_run(clock, Fault.LOTS_FULL, clock.used_lots, 0.0)
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
    sign_lot(lot, -1, 0.0, 0.0, -1)
    lot.seized = -1
    lot.site = -1
    lot.cause = -1
    withdraw_offer(lot)
    link_lot(lots, first_lot, k, owner)
    return k


@rule
def sign_lot(lot, customer, share, price, end):
    """Let a share of the lot to a customer (-1: nobody known) at ``price`` (USD/perf-h) until the month ``end``."""
    let_lot(lot, customer, share, price, end)
    lot.signed = share
    lot.signed_price = price
    lot.signed_end = end


@rule
def let_lot(lot, customer, share, price, end):
    """The same in the place of a contract whose customer is gone: what was signed with that one still counts."""
    lot.customer = customer
    lot.contracted = share
    lot.contract_price = price
    lot.contract_end = end


@rule
def leave_lot(lot):
    """End the contract of a lot whose customer is gone: what was signed stands to the end of its term."""
    lot.contracted = 0.0
    lot.customer = -1


@rule
def void_contract(lot):
    """End the contract of a lot for good: its term is over, or its owner has lost the lot."""
    leave_lot(lot)
    lot.signed = 0.0


@rule
def is_free(lot):
    """Return whether nobody has a claim on a lot: no loan, no contract alive or broken, no offer."""
    return lot.loan < 0 and lot.contracted == 0.0 and lot.signed == 0.0 and lot.offered == 0.0


@rule
def withdraw_offer(lot):
    """Take the lot off the market."""
    lot.offered = 0.0
    lot.reserve = 0.0
    lot.reason = SaleReason.CHURN
    lot.asked = -1
    lot.deadline = -1
    lot.hurry = 0


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
        if lot.chip == chip and lot.online == online and is_free(lot):
            total = lot.units + units
            lot.vintage = (lot.vintage * lot.units + vintage * units) / total
            lot.cost = (lot.cost * lot.units + cost * units) / total
            lot.units = total
            return k
        k = lot.following
    return open_lot(lots, first_lot, clock, owner, chip, units, vintage, online, cost, -1)
