"""What used hardware is worth to whom, who bids what for it, and who cannot."""

from __future__ import annotations

import math

from agents.buyers import buyer_limit, buyer_money, buyer_units
from agents.operators import OperatorStatus, can_bid, free_units, spare_cash
from agents.rule import rule
from agents.valuation import believed_decline, monthly_rent, value_in_use
from simulation.auction import (
    BIDDER,
    CAP,
    DUST,
    HOPS,
    LIMIT,
    MONEY,
)
from simulation.tape import TapeRow, note_row


@rule
def risk_premium(chip, terms):
    """Return the part of its value that a buyer holds back: calm premium, recent falls, volatility; capped."""
    fall = chip.fall
    if chip.traded_units > 0.0:
        now = chip.traded_usd / chip.traded_units
        fall = terms.market_fall_memory * fall + max(0.0, math.log(chip.price_before / now) - terms.market_fall_tolerance)
    premium = terms.market_risk_premium + terms.market_fall_weight * fall + terms.market_volatility_weight * chip.volatility
    return min(terms.market_premium_cap, premium)


@rule
def age_chips(w, clock):
    """Write the mean age (months) of each generation's units."""
    for chip in w.chips:
        chip.mean_age = 0.0
    for k in range(clock.used_lots):
        lot = w.lots[k]
        if lot.owner >= 0:
            w.chips[lot.chip].mean_age += lot.units * (clock.month - lot.vintage)
    for chip in w.chips:
        chip.mean_age = max(0.0, chip.mean_age / chip.stock) if chip.stock > 0.0 else 0.0


@rule
def user_value(chip, terms, clock, utilisation, hosting, hurdle, decline):
    """Return the value in use (USD) of a used unit to somebody who pays ``hosting`` and waits for installation."""
    rent = monthly_rent(clock.rent, terms.rental_hours, chip.performance, utilisation, terms.rental_overhead)
    life = max(1.0, terms.marks_asset_life - chip.mean_age)
    return value_in_use(rent, hosting * chip.power, decline, hurdle, life, terms.rental_install_lag, chip.scrap)


@rule
def value_chips(w):
    """Phase "value": what a used unit of each generation is worth to each bidder, and to the best user."""
    clock = w.clock[0]
    terms = w.terms[0]
    floor = terms.marks_decline_floor
    cap = terms.marks_decline_cap
    n_o = len(w.operators)
    age_chips(w, clock)
    d = believed_decline(terms.marks_reference_decline, terms.marks_reference_weight, clock.trend, floor, cap)
    for chip in w.chips:
        chip.fundamental = user_value(
            chip, terms, clock, terms.marks_reference_utilisation, terms.marks_reference_hosting, terms.marks_reference_hurdle, d
        )
    for b in range(len(w.value)):
        if b < n_o:
            op = w.operators[b]
            if op.status == OperatorStatus.DEFAULTED:
                continue
            d = believed_decline(op.decline, op.own_weight, clock.trend, floor, cap)
            for g in range(len(w.chips)):
                if w.chips[g].stock > 0.0:
                    w.value[b, g] = user_value(w.chips[g], terms, clock, op.utilisation, op.hosting, op.hurdle, d)
        else:
            buyer = w.buyers[b - n_o]
            if buyer.utilisation <= 0.0:
                continue
            d = believed_decline(buyer.decline, buyer.own_weight, clock.trend, floor, cap)
            for g in range(len(w.chips)):
                if w.chips[g].stock > 0.0:
                    w.value[b, g] = user_value(w.chips[g], terms, clock, buyer.utilisation, buyer.hosting, buyer.hurdle, d)


@rule
def bid_limit(w, clock, terms, b, g, premium):
    """Return bidder ``b``'s limit for generation ``g`` (USD/GPU), never above the list price while on sale."""
    chip = w.chips[g]
    n_o = len(w.operators)
    if b < n_o:
        limit = w.value[b, g] * (1.0 - premium)
    else:
        limit = buyer_limit(w.buyers[b - n_o], chip, w.value[b, g], premium, terms)
    if clock.month < chip.end_of_sale:
        limit = min(limit, chip.list_price)
    return limit


@rule
def add_bid(w, clock, terms, n, b, g, premium, hops):
    """Append bidder ``b``'s order as bid ``n``; return the number of bids."""
    chip = w.chips[g]
    n_o = len(w.operators)
    if b < n_o:
        op = w.operators[b]
        if not can_bid(op, terms):
            return n
        units = free_units(op, chip)
        money = terms.market_peer_cash * spare_cash(op, terms)
    else:
        buyer = w.buyers[b - n_o]
        units = buyer_units(buyer, chip, terms)
        money = buyer_money(buyer)
    fee = terms.market_finder_fee * max(0.0, hops - 1.0)
    limit = bid_limit(w, clock, terms, b, g, premium) * (1.0 - fee)
    if limit <= 0.0 or units < DUST or money < limit * DUST:
        return n
    w.scratch[LIMIT, n] = limit
    w.scratch[CAP, n] = units
    w.scratch[MONEY, n] = money / (1.0 + fee)
    w.scratch[HOPS, n] = hops
    w.ranking[BIDDER, n] = b
    return n + 1


@rule
def add_backstop(w, terms, n, g, best):
    """Let the buyer of last resort bid when the best bid is below its trigger; return the number of bids."""
    buyer = w.buyers[len(w.buyers) - 1]
    fundamental = w.chips[g].fundamental
    if buyer.budget < 1.0 or best >= (1.0 - terms.policy_backstop_trigger) * fundamental:
        return n
    w.scratch[LIMIT, n] = terms.policy_backstop_price * fundamental
    w.scratch[CAP, n] = 1e12
    w.scratch[MONEY, n] = buyer.budget
    w.scratch[HOPS, n] = 1.0
    w.ranking[BIDDER, n] = len(w.value) - 1
    return n + 1


@rule
def collect_bids(w, clock, terms, g, seller, months):
    """Collect the bids of the contacts that the seller has reached (all bidders when ``seller`` < 0)."""
    premium = risk_premium(w.chips[g], terms)
    n_l = len(w.lenders)
    n = 0
    if seller < 0:
        for b in range(len(w.value) - 1):
            n = add_bid(w, clock, terms, n, b, g, premium, 1.0)
    else:
        first = w.contact_ptr[seller]
        reached = min(w.contact_ptr[seller + 1] - first, terms.market_calls_a_month * (1 + months))
        for j in range(first, first + reached):
            n = add_bid(w, clock, terms, n, w.contact[j] - n_l, g, premium, float(w.contact_hops[j]))
    best = 0.0
    for j in range(n):
        best = max(best, w.scratch[LIMIT, j])
    if terms.policy_backstop_capacity > 0.0:
        n = add_backstop(w, terms, n, g, best)
    w.chips[g].best_bid = max(w.chips[g].best_bid, best)
    return n


@rule
def why_absent(w, clock, terms, b, g, premium):
    """Return why a bidder makes no bid for a generation, BID if it makes one (as ``add_bid`` decides)."""
    n_o = len(w.operators)
    if b < n_o and not can_bid(w.operators[b], terms):
        return TapeRow.NOT_SOUND
    if bid_limit(w, clock, terms, b, g, premium) <= 0.0:
        return TapeRow.NO_VALUE
    units = free_units(w.operators[b], w.chips[g]) if b < n_o else buyer_units(w.buyers[b - n_o], w.chips[g], terms)
    if units < DUST:
        return TapeRow.NO_POWER
    money = terms.market_peer_cash * spare_cash(w.operators[b], terms) if b < n_o else buyer_money(w.buyers[b - n_o])
    return TapeRow.BID if money > 1.0 else TapeRow.NO_MONEY


@rule
def note_absent(w, clock, terms, g, seller, months):
    """Note the contacts reached that make no bid, and why; return how many contacts were reached."""
    premium = risk_premium(w.chips[g], terms)
    n_l = len(w.lenders)
    first = w.contact_ptr[max(0, seller)]
    reached = len(w.value) - 1
    if seller >= 0:
        reached = min(w.contact_ptr[seller + 1] - first, terms.market_calls_a_month * (1 + months))
    for j in range(reached):
        b = j if seller < 0 else w.contact[first + j] - n_l
        why = why_absent(w, clock, terms, b, g, premium)
        if why != TapeRow.BID:
            note_row(w, clock, why, n_l + b, g, bid_limit(w, clock, terms, b, g, premium), 0.0)
    return reached
