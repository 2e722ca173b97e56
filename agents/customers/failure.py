"""When a customer fails, and what its failure does to the operators that it had contracts with."""

from __future__ import annotations

import math

from agents.customers.signing import choose_customer, contract_rent, credit_mood, let_again, next_active
from agents.rule import rule
from agents.tables.customers import CustomerStatus
from agents.tables.events import Cause, EventKind, log_event


@rule
def wear_down(customer, clock):
    """Add the month's hazard to a customer's; mark it as failed when its probability of having failed passes its draw.

    An exponential clock: with p the probability of the month, H grows by -log(1 - p), and it fails when
    1 - exp(-H) > u, so that it fails by any month with just the probability that the months give.
    """
    p = customer.hazard_stress if clock.stress_demand == 1 else customer.hazard_calm
    customer.stress -= math.log(1.0 - p)
    if 1.0 - math.exp(-customer.stress) > customer.threshold:
        customer.status = CustomerStatus.FAILED
        customer.failed_month = clock.month
        clock.customers_failed += 1


@rule
def meet_others(op, customers, c):
    """Let an operator whose main or second customer ``c`` has failed turn to others: the second becomes the main one."""
    if op.customer == c:
        op.customer = op.second
        op.second = next_active(customers, c, op.customer)
        op.signed = 0.0
        op.signed_main = 0.0
    elif op.second == c:
        op.second = next_active(customers, c, op.customer)


@rule
def leave_operator(w, clock, o, c, event, mood):
    """End the contracts of one operator with the failed customer ``c``, let part of them to another one, log what is lost."""
    terms = w.terms[0]
    op = w.operators[o]
    failed = w.events[event]
    lost = 0.0
    units = 0.0
    k = w.first_lot[len(w.lenders) + o]
    while k >= 0:
        lot = w.lots[k]
        if lot.customer == c and lot.contracted > 0.0:
            chip = w.chips[lot.chip]
            units += lot.units * lot.contracted
            failed.usd += contract_rent(lot, chip, terms)
            lost += let_again(lot, op, chip, w.customers, choose_customer(op, terms), True, mood, clock, terms)
        k = lot.following
    if units > 0.0:
        failed.units += units
        op.lost += lost
        op.lost_event = log_event(
            w.events, clock, EventKind.CONTRACT_ENDED, Cause.CUSTOMER_FAILURE, len(w.lenders) + o, failed.node, -1,
            units, lost, event,
        )  # fmt: skip
        op.last_event = op.lost_event
        clock.contract_lost += lost


@rule
def fail_customers(w, clock):
    """Let customers fail whose time has come; their contracts end at once and are let again in part (USD a month).

    All that fail this month are marked and replaced first, so that nobody turns to a customer that is about to fail.
    """
    for customer in w.customers:
        if customer.status == CustomerStatus.ACTIVE:
            wear_down(customer, clock)
    if clock.customers_failed == 0:
        return
    for c in range(len(w.customers)):
        if w.customers[c].failed_month == clock.month:
            for op in w.operators:
                meet_others(op, w.customers, c)
    mood = credit_mood(w.panel, clock.month)
    for c in range(len(w.customers)):
        customer = w.customers[c]
        if customer.failed_month != clock.month:
            continue
        customer.last_event = log_event(
            w.events, clock, EventKind.CUSTOMER_FAILED, Cause.NONE, len(w.first_lot) + c, -1, -1, 0.0, 0.0, -1
        )
        for o in range(len(w.operators)):
            leave_operator(w, clock, o, c, customer.last_event, mood)
