"""Hardware buyers: hyperscalers, enterprises, research institutions, dealers, scrap merchants, funds, the backstop."""

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
    FUND = 5
    BACKSTOP = 6


BUYER_KINDS = labels(BuyerKind)
#: Units that are no limit: who runs no chips needs no power.
UNLIMITED = 1e12


BUYER = Table(
    "buyers",
    "Who buys used GPUs with finite budgets and free power. The last row is the backstop buyer (capacity zero unless "
    "a policy gives it one).",
    (
        code("kind", "kind of buyer", BuyerKind, given=True),
        f("budget", "USD", "budget left"),
        f("budget_cap", "USD", "budget when fully replenished", given=True),
        f("refill", "1/month", "share of the cap replenished a month", given=True),
        f("power", "kW", "free power"),
        f("liquid", "kW", "part of it with liquid cooling"),
        f("power_cap", "kW", "free power at the start", given=True),
        f("liquid_cap", "kW", "part of it with liquid cooling at the start", given=True),
        f("hosting", "USD/kW-month", "hosting and power", given=True),
        f("utilisation", "share", "share of hours used", given=True),
        f("hurdle", "1/month", "hurdle rate", given=True),
        f("decline", "1/month", "rent decline that it believes in by itself", given=True),
        f("own_weight", "share", "weight of its own belief against the recent trend", given=True),
        f("conversion", "USD/kW", "cost of fitting air-cooled power for chips that need liquid", given=True),
        f("lot_limit", "share", "largest part of the budget spent on one lot", given=True),
        f("least_units", "GPU", "smallest lot that it looks at: fleets are uniform", given=True),
        f("oldest", "month", "mean age above which it buys no used chips: no warranty is left", 1e9, given=True),
        f("half_spread", "ratio", "dealers: half the quoted spread in calm times", given=True),
        f("inventory", "USD", "dealers: stock at the appraisal"),
        f("bought", "GPU", "units bought since the start"),
        f("spent", "USD", "spent on used GPUs since the start"),
    ),
)


@rule
def free_power(buyer, chip, units):
    """Give a buyer back the power (kW) of ``units`` chips that leave it, liquid-cooled power apart; no more than it had at the start."""
    power = units * chip.power
    buyer.power = min(buyer.power_cap, buyer.power + power)
    if chip.liquid == 1:
        buyer.liquid = min(buyer.liquid_cap, buyer.liquid + power)
