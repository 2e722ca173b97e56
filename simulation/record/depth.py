"""Depth of the used market, and what its book would pay for collateral."""

from __future__ import annotations

from agents.buyers.bids import bid_limit, buyer_money, buyer_units, peer_money, risk_premium
from agents.rule import borrow, entry, rule
from agents.tables.loans import LoanKind, LoanStatus
from agents.tables.operators import can_bid, free_units

_BINS = 256
#: Money that counts (USD).
_SPENDABLE = 1.0
#: Depth is what is wanted at this part of the best bid, or of the appraisal so many months before.
_NEAR = 0.9
_BEFORE = 6
#: Collateral counts as worth at least this part of what it is booked at, or of the debt on it, so that ratios to it stay numbers.
LEAST_PART = 1e-4


# Rows of the scratch array; _BOOK serves more than one purpose in turn.
_MONEY, _BOOK, _LEFT, _WANTED, _LIFE, _UNITS, _PLEDGED, _LARGEST = range(8)


@rule
def write_bids(w, clock, premium):
    """Write every bidder's present limit for every generation (USD/GPU, 0 none) to ``w.bid``."""
    terms = w.terms[0]
    n_o = len(w.operators)
    for g in range(len(w.chips)):
        premium[g] = risk_premium(w.chips[g], terms)
    for b in range(len(w.bid)):
        bids = b < len(w.bid) - 1 and (b >= n_o or can_bid(w.operators[b], terms))
        for g in range(len(w.chips)):
            limit = 0.0
            if bids and w.chips[g].stock > 0.0:
                limit = max(0.0, bid_limit(w, clock, terms, b, g, premium[g]))
            w.bid[b, g] = limit


@rule
def read_money(w, money):
    """Write what each bidder could spend now (USD)."""
    terms = w.terms[0]
    n_o = len(w.operators)
    for b in range(len(w.bid)):
        if b < n_o:
            op = w.operators[b]
            money[b] = peer_money(op, terms) if can_bid(op, terms) else 0.0
        else:
            money[b] = buyer_money(w.buyers[b - n_o])


@rule
def wanted_units(w, b, g, money, limit):
    """Return the units bidder ``b`` wants at its limit: power and money permitting (GPU)."""
    n_o = len(w.operators)
    if b < n_o:
        cap = free_units(w.operators[b], w.chips[g])
    else:
        cap = buyer_units(w.buyers[b - n_o], w.chips[g], w.terms[0])
    return min(cap, money / limit)


@entry
def write_book(w, g, limit, units):
    """Write the present book of generation ``g``: the limit (USD/GPU, 0 no bid) and the units wanted, by bidder.

    ``limit`` and ``units`` have one entry a bidder. Reads the limits that the record of the month has written.
    """
    w = borrow(w)
    read_money(w, units)
    for b in range(len(w.bid)):
        limit[b] = w.bid[b, g] if units[b] > _SPENDABLE else 0.0
        units[b] = wanted_units(w, b, g, units[b], limit[b]) if limit[b] > 0.0 else 0.0


@rule
def walk_book(w, g, units, money, bins, wanted, place):
    """Return what the book would pay (USD) for ``units`` of generation ``g``, and spend the bidders' ``money``.

    The most that the bids yield: each bid pays its limit, best first, until the units or the bids are used up.
    Limits are ranked in 256 classes between 0 and the best bid, so that the walk takes no sort; within a class
    bids share alike.
    """
    if units <= 0.0:
        return 0.0
    n = len(w.bid)
    best = 0.0
    for b in range(n):
        best = max(best, w.bid[b, g])
    if best <= 0.0:
        return 0.0
    for c in range(_BINS):
        bins[c] = 0.0
    for b in range(n):
        limit = w.bid[b, g]
        if limit > 0.0 and money[b] > _SPENDABLE:
            wanted[b] = wanted_units(w, b, g, money[b], limit)
            place[b] = int((_BINS - 1) * (1.0 - limit / best))
            bins[place[b]] += wanted[b]
    left = units
    for c in range(_BINS):
        share = 1.0 if bins[c] <= left else (left / bins[c] if bins[c] > 0.0 else 0.0)
        left -= share * bins[c]
        bins[c] = share
    usd = 0.0
    for b in range(n):
        limit = w.bid[b, g]
        if limit > 0.0 and money[b] > _SPENDABLE:
            spent = bins[place[b]] * wanted[b] * limit
            usd += spent
            money[b] -= spent
    return usd


@rule
def executable_value(w, units, money):
    """Return what the present book would pay for ``units`` (by generation) sold at once, newest generation first (USD)."""
    left = w.scratch[_LEFT]
    for b in range(len(w.bid)):
        left[b] = money[b]
    usd = 0.0
    for g in range(len(w.chips) - 1, -1, -1):
        usd += walk_book(w, g, units[g], left, w.scratch[_BOOK], w.scratch[_WANTED], w.ranking[0])
    return usd


@rule
def measure_depth(w, out, g, money, before):
    """Write the best bid for a generation and what is wanted near it: in units, in USD, and near a price ``before`` (USD)."""
    best = 0.0
    for b in range(len(w.bid)):
        if money[b] > _SPENDABLE:
            best = max(best, w.bid[b, g])
    out.best_bid = best
    out.depth_units = 0.0
    out.depth_usd = 0.0
    out.depth_before = 0.0
    for b in range(len(w.bid)):
        limit = w.bid[b, g]
        if limit <= 0.0 or money[b] <= _SPENDABLE:
            continue
        if limit >= _NEAR * best:
            wanted = wanted_units(w, b, g, money[b], limit)
            out.depth_units += wanted
            out.depth_usd += wanted * limit
        if limit >= _NEAR * before:
            out.depth_before += wanted_units(w, b, g, money[b], limit)


@rule
def record_chip(out, chip, g, clock, terms):
    """Write the state of one generation's market at the end of the month."""
    out.month = clock.month
    out.chip = g
    out.price = chip.price
    out.appraisal = chip.appraisal
    out.fundamental = chip.fundamental
    out.parity = chip.parity
    out.list_price = chip.list_price if clock.month >= chip.release and clock.month < chip.end_of_sale else 0.0
    out.rent = clock.rent * chip.performance
    out.spread = 2.0 * (terms.buyers_dealer_half_spread + terms.buyers_dealer_volatility * chip.volatility)
    out.traded = chip.traded_units
    out.forced = chip.forced_units
    out.unsold = chip.unsold
    out.stock = chip.stock
    out.discount = chip.price / chip.fundamental - 1.0 if chip.fundamental > 0.0 and chip.traded_units > 0.0 else 0.0
    out.haircut = clock.haircut


@rule
def record_depth(w, clock, row, money):
    """Write depth, discount and stock of each generation, and their sums."""
    months_g = clock.month * len(w.chips)
    total = 0.0
    forced_usd = 0.0
    gap_usd = 0.0
    all_usd = 0.0
    all_gap = 0.0
    for g in range(len(w.chips)):
        chip = w.chips[g]
        out = w.chip_panel[months_g + g]
        before = (
            w.chip_panel[months_g + g - _BEFORE * len(w.chips)].appraisal if clock.month >= _BEFORE else chip.appraisal
        )
        measure_depth(w, out, g, money, before)
        record_chip(out, chip, g, clock, w.terms[0])
        total += out.depth_usd
        row.unsold_units += chip.unsold
        row.unsold_usd += chip.unsold * chip.appraisal
        row.capacity += chip.stock * chip.performance
        row.volume_usd += chip.traded_usd
        if chip.traded_units > 0.0 and chip.fundamental > 0.0:
            discount = chip.traded_usd / chip.traded_units / chip.fundamental - 1.0
            share = chip.forced_units / chip.traded_units
            forced_usd += share * chip.traded_usd
            gap_usd += share * chip.traded_usd * discount
            all_usd += chip.traded_usd
            all_gap += chip.traded_usd * discount
    row.depth_usd = total
    row.forced_usd = forced_usd
    row.discount = gap_usd / forced_usd if forced_usd > 0.0 else 0.0
    row.discount_all = all_gap / all_usd if all_usd > 0.0 else 0.0


@rule
def over_executable(usd, executable, booked):
    """Return ``usd`` over what collateral would bring (USD), at least a ten-thousandth of what it is booked at; 0 over nothing."""
    worth = max(executable, LEAST_PART * booked)
    return usd / worth if worth > 0.0 else 0.0


@rule
def record_illusion(w, clock, row, largest, debt, money):
    """Write booked against executable LTV: all collateral at once, and the largest borrower alone."""
    row.executable_value = executable_value(w, w.scratch[_PLEDGED], money)
    if debt > 0.0:
        row.executable_ltv = over_executable(debt, row.executable_value, row.booked_value)
        row.illusion = over_executable(row.booked_value, row.executable_value, row.booked_value)
    value = 0.0
    debt = 0.0
    for k in range(clock.used_loans):
        loan = w.loans[k]
        if (
            loan.borrower == largest
            and loan.kind == LoanKind.EQUIPMENT
            and loan.status != LoanStatus.FREE
            and loan.status != LoanStatus.DEFAULTED
        ):
            value += loan.collateral
            debt += loan.principal
    if debt > 0.0 and value > 0.0:
        row.largest_booked_ltv = debt / value
        executable = executable_value(w, w.scratch[_LARGEST], money)
        row.largest_executable_ltv = over_executable(debt, executable, value)
