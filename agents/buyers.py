"""Hardware buyers: hyperscalers, enterprises, research institutions, dealers, scrap merchants, the backstop."""

from __future__ import annotations

from enum import IntEnum

from agents.rule import rule
from agents.schema import Table, code, f, labels


class BuyerKind(IntEnum):
    """Kinds of buyer of used hardware."""

    HYPERSCALER = 0
    ENTERPRISE = 1
    RESEARCH = 2
    DEALER = 3
    SCRAP = 4
    BACKSTOP = 5


BUYER_KINDS = labels(BuyerKind)

BUYER = Table(
    "buyers",
    "Who buys used GPUs with finite budgets and free power. The last row is the backstop buyer (capacity zero unless "
    "a policy gives it one).",
    (
        code("kind", "kind of buyer", BuyerKind),
        f("budget", "USD", "budget left"),
        f("budget_cap", "USD", "budget when fully replenished"),
        f("refill", "1/month", "share of the cap replenished a month"),
        f("power", "kW", "free power"),
        f("liquid", "kW", "part of it with liquid cooling"),
        f("power_cap", "kW", "free power at the start"),
        f("liquid_cap", "kW", "part of it with liquid cooling at the start"),
        f("hosting", "USD/kW-month", "hosting and power"),
        f("utilisation", "share", "share of hours used"),
        f("hurdle", "1/month", "hurdle rate"),
        f("decline", "1/month", "rent decline that it believes in by itself"),
        f("own_weight", "share", "weight of its own belief against the recent trend"),
        f("conversion", "USD/kW", "cost of fitting air-cooled power for chips that need liquid"),
        f("lot_limit", "share", "largest part of the budget spent on one lot"),
        f("half_spread", "ratio", "dealers: half the quoted spread in calm times"),
        f("inventory", "USD", "dealers: stock at the appraisal"),
        f("bought", "GPU", "units bought since the start"),
        f("spent", "USD", "spent on used GPUs since the start"),
        f("earned", "USD", "net rent of the month"),
    ),
)


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
    """Return the most that a buyer bids for one unit (USD): scrap, resale or value in use less the risk premium."""
    if buyer.kind == BuyerKind.SCRAP:
        return terms.buyers_scrap_bid * chip.scrap
    if buyer.kind == BuyerKind.DEALER:
        return dealer_bid(buyer, chip, premium, terms)
    limit = value * (1.0 - premium)
    if chip.liquid == 1 and buyer.liquid < chip.power:
        limit -= buyer.conversion * chip.power
    return limit


@rule
def buyer_units(buyer, chip, terms):
    """Return how many units its free power takes: liquid-cooled power for chips that need it (GPU)."""
    if buyer.kind == BuyerKind.DEALER or buyer.kind == BuyerKind.SCRAP:
        return 1e12
    if chip.liquid == 0:
        return max(0.0, buyer.power / chip.power)
    if buyer.liquid >= chip.power:
        return buyer.liquid / chip.power
    return max(0.0, terms.buyers_convertible_share * (buyer.power - buyer.liquid) / chip.power)


@rule
def buyer_money(buyer):
    """Return what a buyer spends on one lot at most (USD)."""
    money = min(buyer.budget, buyer.lot_limit * buyer.budget_cap)
    if buyer.kind == BuyerKind.DEALER:
        money = min(money, buyer.budget_cap - buyer.inventory)
    return max(0.0, money)
