"""How a buyer bids: what a used unit is worth to it, the most that it pays, how many units, with what money."""

from __future__ import annotations

import math

from agents.rule import rule
from agents.strips import believe, strip_value
from agents.tables.buyers import UNLIMITED, BuyerKind
from agents.tables.operators import OperatorStatus, spare_cash
from agents.valuation import believed_decline, monthly_rent

#: A price that nobody pays (USD/GPU): parity while nothing is on sale new.
_NO_PARITY = 1e12


@rule
def dealer_bid(buyer, chip, premium, terms):
    """Return a dealer's bid (USD/GPU): expected resale less half the spread, skewed by inventory (Ho-Stoll 1981).

    A dealer cannot resell above what users would pay, so the expected resale is the lower of the appraisal and
    the fundamental less the market's risk premium. The spread widens with volatility.
    """
    resale = min(chip.appraisal, chip.fundamental * (1.0 - premium))
    half = buyer.half_spread + terms.buyers_dealer_volatility * chip.volatility
    full = buyer.inventory / buyer.budget_cap if buyer.budget_cap > 0.0 else 1.0
    return resale * max(0.0, 1.0 - half - terms.buyers_dealer_skew * full)


@rule
def buyer_limit(buyer, chip, value, premium, terms):
    """Return the most that a buyer bids for one unit (USD): scrap, resale or value in use less the risk premium.

    For chips that need liquid it takes off what fitting costs at the mean over the units that it can run: liquid-cooled
    power is there, the rest is converted.
    """
    if buyer.kind == BuyerKind.SCRAP:
        return terms.buyers_scrap_bid * chip.scrap
    if buyer.kind == BuyerKind.DEALER:
        return dealer_bid(buyer, chip, premium, terms)
    limit = value * (1.0 - premium)
    cooled = cooled_power(buyer, terms)
    if chip.liquid == 1 and cooled > buyer.liquid:
        limit -= buyer.conversion * chip.power * (1.0 - buyer.liquid / cooled)
    return limit


@rule
def cooled_power(buyer, terms):
    """Return the power that a buyer has for chips that need liquid (kW): cooled by it, or to be converted at once."""
    return buyer.liquid + terms.buyers_convertible_share * max(0.0, buyer.power - buyer.liquid)


@rule
def buyer_units(buyer, chip, terms):
    """Return how many units its free power takes: for chips that need liquid, what is or can be cooled by it (GPU)."""
    if buyer.kind == BuyerKind.DEALER or buyer.kind == BuyerKind.SCRAP:
        return UNLIMITED
    power = cooled_power(buyer, terms) if chip.liquid == 1 else buyer.power
    return max(0.0, power / chip.power)


@rule
def buyer_money(buyer):
    """Return what a buyer spends on one lot at most (USD)."""
    money = min(buyer.budget, buyer.lot_limit * buyer.budget_cap)
    if buyer.kind == BuyerKind.DEALER:
        money = min(money, buyer.budget_cap - buyer.inventory)
    return max(0.0, money)


@rule
def risk_premium(chip, terms):
    """Return the part of its value that a buyer holds back: calm premium, recent falls, volatility; capped."""
    fall = chip.fall
    if chip.traded_units > 0.0:
        now = chip.traded_usd / chip.traded_units
        fall = terms.market_fall_memory * fall + max(
            0.0, math.log(chip.price_before / now) - terms.market_fall_tolerance
        )
    premium = (
        terms.market_risk_premium + terms.market_fall_weight * fall + terms.market_volatility_weight * chip.volatility
    )
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
def believe_rents(axes, terms, trend, decline, weight, hurdle, delay):
    """Return what somebody believes about rents (see agents.strips): in the long run its own ``decline``, now the ``trend``, too.

    Both are kept between the floor and the cap of beliefs (1/month); what it buys starts after ``delay`` months.
    """
    floor = terms.marks_decline_floor
    cap = terms.marks_decline_cap
    now = believed_decline(decline, weight, trend, floor, cap)
    return believe(axes, min(cap, max(floor, decline)), now, hurdle, delay)


@rule
def user_value(strips, axes, chip, terms, rent, utilisation, hosting, belief, life):
    """Return the value in use (USD) of a unit that lives ``life`` months more to somebody who pays ``hosting``."""
    earned = monthly_rent(rent, terms.rental_hours, chip.performance, utilisation, terms.rental_overhead)
    return strip_value(strips, axes, belief, earned, hosting * chip.power, life, chip.scrap)


@rule
def life_left(chip, terms):
    """Return the months that a used unit of mean age lives on, one at least."""
    return max(1.0, terms.marks_asset_life - chip.mean_age)


@rule
def value_to_best(w, clock):
    """Write what a used unit of each generation is worth to the best unconstrained user, and at parity with new ones.

    Parity: what the best new chip on sale costs for the same value in use (USD/GPU), its wait in the vendor's queue
    counted; nobody who compares pays more. None while nothing that is worth anything is on sale new.
    """
    terms = w.terms[0]
    utilisation = terms.marks_reference_utilisation
    hosting = terms.marks_reference_hosting
    belief = believe_rents(
        w.axes, terms, clock.trend, terms.marks_reference_decline, terms.marks_reference_weight,
        terms.marks_reference_hurdle, terms.rental_install_lag,
    )  # fmt: skip
    dear = math.inf
    for chip in w.chips:
        chip.fundamental = user_value(
            w.strips, w.axes, chip, terms, clock.rent, utilisation, hosting, belief, life_left(chip, terms)
        )
        if chip.release <= clock.month < chip.end_of_sale:
            new = believe_rents(
                w.axes, terms, clock.trend, terms.marks_reference_decline, terms.marks_reference_weight,
                terms.marks_reference_hurdle, chip.lead,
            )  # fmt: skip
            value = user_value(
                w.strips, w.axes, chip, terms, clock.rent, utilisation, hosting, new, terms.marks_asset_life
            )
            if value > 0.0:
                dear = min(dear, chip.list_price / value)
    for chip in w.chips:
        chip.parity = dear * chip.fundamental if dear < math.inf else _NO_PARITY


@rule
def value_chips(w, clock):
    """Write what a used unit of each generation is worth to each bidder, and to the best user."""
    terms = w.terms[0]
    n_o = len(w.operators)
    age_chips(w, clock)
    value_to_best(w, clock)
    strips = w.strips
    axes = w.axes
    lag = terms.rental_install_lag
    for b in range(len(w.value)):
        if b < n_o:
            op = w.operators[b]
            if op.status == OperatorStatus.DEFAULTED:
                continue
            utilisation = op.utilisation
            hosting = op.hosting
            belief = believe_rents(axes, terms, clock.trend, op.decline, op.own_weight, op.hurdle, lag)
        else:
            buyer = w.buyers[b - n_o]
            if buyer.utilisation <= 0.0:
                continue
            utilisation = buyer.utilisation
            hosting = buyer.hosting
            belief = believe_rents(axes, terms, clock.trend, buyer.decline, buyer.own_weight, buyer.hurdle, lag)
        for g in range(len(w.chips)):
            chip = w.chips[g]
            if chip.stock > 0.0:
                w.value[b, g] = user_value(
                    strips, axes, chip, terms, clock.rent, utilisation, hosting, belief, life_left(chip, terms)
                )


@rule
def peer_money(op, terms):
    """Return what an operator bids with (USD): part of its spare cash."""
    return terms.market_peer_cash * spare_cash(op, terms)


@rule
def bid_limit(w, clock, terms, b, g, premium):
    """Return bidder ``b``'s limit for generation ``g`` (USD/GPU).

    Never above what a new chip costs for the same value; who scraps a chip compares it with no new one.
    """
    chip = w.chips[g]
    n_o = len(w.operators)
    most = chip.parity
    if b < n_o:
        limit = w.value[b, g] * (1.0 - premium)
    else:
        buyer = w.buyers[b - n_o]
        limit = buyer_limit(buyer, chip, w.value[b, g], premium, terms)
        if buyer.kind == BuyerKind.SCRAP:
            most = limit
    return min(limit, most)
