"""With whom an operator signs, and what part of a contract is let on contract again when it ends."""

from __future__ import annotations

from agents.rule import rule
from agents.tables.customers import CustomerKind, CustomerStatus
from agents.tables.lots import leave_lot, let_lot, sign_lot, void_contract

#: The least share of a lot that is let anew: a contract on less would only keep the lot from being pooled.
_LEAST = 0.01
#: Months of new credit that an AI lab looks at, and months that it compares them with.
_RECENT, _USUAL = 3, 12


@rule
def next_active(customers, after, other):
    """Return the next customer behind row ``after``, in a circle, that has not failed and is not ``other``; -1 none."""
    n = len(customers)
    for step in range(1, n + 1):
        c = (after + step) % n
        if c != other and customers[c].status == CustomerStatus.ACTIVE:
            return c
    return -1


@rule
def choose_customer(op, terms):
    """Return the customer that takes an operator's next contract, -1 none.

    The main customer takes it while its part of the capacity let is at most ``customers.concentration``; else, if
    there is one, the second.
    """
    if op.second < 0 or op.signed_main <= terms.customers_concentration * op.signed:
        return op.customer
    return op.second


@rule
def count_signed(op, customer, size):
    """Count capacity (performance units) let to a customer, on which the choice of the next one depends."""
    op.signed += size
    if customer == op.customer:
        op.signed_main += size


@rule
def contract_rent(lot, chip, terms):
    """Return what the contract of a lot pays a month (USD)."""
    return terms.rental_hours * chip.performance * lot.units * lot.contracted * lot.contract_price


@rule
def credit_mood(panel, month):
    """Return the credit committed to GPUs a month in the last three months over that in the last twelve; 1 without any."""
    now = 0.0
    usual = 0.0
    first = max(0, month - _USUAL)
    recent = max(0, month - _RECENT)
    for m in range(first, month):
        usual += panel[m].new_commitments
        if m >= recent:
            now += panel[m].new_commitments
    if usual <= 0.0:
        return 1.0
    return now / (month - recent) / (usual / (month - first))


@rule
def renewed_part(customer, price, rent, mood, terms):
    """Return the part of a contract at ``price`` that the customer lets on contract again, spot being ``rent`` (USD/perf-h).

    renewal x max(0, 1 - k gap) with gap = (price - rent)/price where spot is below the price: who finds capacity
    cheap need not reserve it. An AI lab's times 1 - f (1 - mood), within [0, 1]; see :func:`credit_mood`.
    """
    gap = max(0.0, (price - rent) / price)
    part = customer.renewal * max(0.0, 1.0 - terms.customers_alternatives * gap)
    if customer.kind == CustomerKind.AI_LAB:
        part *= 1.0 - terms.customers_credit_feedback * (1.0 - mood)
    return min(1.0, max(0.0, part))


@rule
def let_again(lot, op, chip, customers, c, broken, mood, clock, terms):
    """End the contract of a lot and let part of it to the customer of row ``c`` (-1: nobody) at today's discounted spot.

    ``broken`` says that the old customer is gone before its term: what was signed with it then still counts. A lot for
    sale is not let; what is not let goes on demand. Returns the contract revenue that is lost (USD a month).
    """
    before = contract_rent(lot, chip, terms)
    share = 0.0
    if c >= 0 and lot.offered == 0.0:
        share = lot.contracted * renewed_part(customers[c], lot.contract_price, clock.rent, mood, terms)
    if share < _LEAST:
        if broken:
            leave_lot(lot)
        else:
            void_contract(lot)
        return before
    price = clock.rent * terms.rental_contract_discount
    end = clock.month + terms.rental_contract_term
    if broken:
        let_lot(lot, c, share, price, end)
        count_signed(op, c, lot.units * chip.performance * share)
    else:
        sign_lot(lot, c, share, price, end)
    return max(0.0, before - contract_rent(lot, chip, terms))
