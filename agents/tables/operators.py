"""Operators: neoclouds and bitcoin miners turned AI hosts; one table, most rules shared."""

from __future__ import annotations

from enum import IntEnum

from agents.rule import rule
from agents.schema import Table, code, f, i
from agents.tables.ledger import Flow


class OperatorKind(IntEnum):
    """Kinds of operator."""

    NEOCLOUD = 0
    MINER = 1


class OperatorStatus(IntEnum):
    """States of an operator."""

    HEALTHY = 0
    STRESSED = 1
    DEFAULTED = 2


class Refusal(IntEnum):
    """Whether a creditor refuses to extend what is unpaid."""

    NOBODY = 0
    ONE = 1
    FAILED = 2


#: DSCR of an operator without debt service, and the most that it is said to be.
NO_DEBT = 99.0

OPERATOR = Table(
    "operators",
    "Who rents GPUs out. Miners also own coins and mining rigs.",
    (
        code("kind", "kind of operator", OperatorKind, given=True),
        code("status", "state", OperatorStatus),
        f("cash", "USD", "cash", given=True),
        f("site_power", "kW", "power of its sites", given=True),
        f("building", "kW", "power of sites under construction"),
        f("wanted", "kW", "power that it would fill with new chips and does not have"),
        f("power_value", "USD/kW", "what a kW of its power is worth with new chips, while it has none left"),
        f("liquid_power", "kW", "part of it with liquid cooling", given=True),
        f("used_power", "kW", "power of its GPUs, ordered ones included", given=True),
        f("used_liquid", "kW", "part of it that needs liquid cooling"),
        f("q", "ratio", "value over cost of the best new chip when it last looked"),
        f("hosting", "USD/kW-month", "hosting and power", given=True),
        f("utilisation", "share", "share of on-demand hours sold", given=True),
        f("hurdle", "1/month", "hurdle rate", given=True),
        f("decline", "1/month", "rent decline that it believes in by itself", given=True),
        f("own_weight", "share", "weight of its own belief against the recent trend", given=True),
        f("contract_share", "share", "share of new capacity let under take-or-pay contracts", given=True),
        f("overheads", "USD/month", "general and administrative costs", given=True),
        f("btc", "BTC", "bitcoin treasury, pledged coins excluded", given=True),
        f("eth", "ETH", "ether treasury", given=True),
        f("hashrate", "PH/s", "mining rigs", given=True),
        f("efficiency", "J/TH", "energy of the fleet a terahash", given=True),
        f("power_price", "USD/kWh", "price of mining power", given=True),
        f("rig_value", "USD", "resale value of the rigs", given=True),
        f("revenue", "USD", "rental revenue this month"),
        f("mining_income", "USD", "mining revenue less power and fixed costs this month"),
        f("income", "USD", "cash flow available for debt service this month"),
        f("income_1", "USD", "the same a month ago"),
        f("income_2", "USD", "the same two months ago"),
        f("due", "USD", "debt service due this month"),
        f("due_1", "USD", "the same a month ago"),
        f("due_2", "USD", "the same two months ago"),
        f("dscr", "ratio", "debt-service coverage over the trailing quarter; 99 without debt"),
        i("thin_months", "month", "months in a row with a DSCR below one"),
        f("balloon", "USD", "part of the debt service of the month that is a balloon or bullet"),
        f("pay_share", "share", "part of what is due that it pays now"),
        code("refused", "whether its lenders would extend what is unpaid", Refusal),
        i("refusing", "lender", "the lender that refuses", -1),
        f("arrears", "USD", "payments due and not made"),
        i("arrears_turns", "round", "rounds since the arrears arose"),
        f("debt", "USD", "debt outstanding"),
        f("secured", "USD", "performing equipment debt"),
        f("going", "USD", "what its pledged hardware is worth in use where it stands"),
        f("seizure", "USD", "what seizing it would bring its lenders, after costs"),
        i("hold", "flag", "1 while all its secured lenders would rather wait than seize"),
        i("swept", "flag", "1 while a lender sweeps its spare cash"),
        f("cut", "ratio", "part of its secured debt that a swap leaves"),
        i("late", "month", "months in a row with payments due and not made"),
        f("carried", "USD", "what is unpaid from months before"),
        f("drawn_term", "USD", "term loans drawn since the start"),
        f("drawn_fenced", "USD", "of them without recourse to the firm"),
        f("committed", "USD", "balance due on purchase commitments"),
        f("gpu_value", "USD", "its GPUs at the appraisal"),
        f("equity", "USD", "assets at appraisal less debt"),
        f("raised_year", "USD", "equity raised (exponentially weighted over a year)"),
        i("selling", "flag", "1 while it has lots for sale"),
        i("default_month", "month", "month of default, -1 never", -1),
        i("default_cause", "code", "cause of default (as in events)"),
        f("exposure", "USD", "debt at default"),
        f("drained", "USD", "cash that margin calls took this month and before (decaying)"),
        i("drain_event", "event", "last margin call that took cash, -1 none", -1),
        i("customer", "customer", "its main customer, -1 none", -1, given=True),
        i("second", "customer", "customer that takes what the main one does not, -1 none", -1, given=True),
        f("signed", "perf unit", "capacity let to customers since its main one became that"),
        f("signed_main", "perf unit", "part of it let to the main customer"),
        f("contracted", "share", "share of its capacity in service that is under contract"),
        f("contract_due", "USD/month", "contract revenue as signed, smoothed over a quarter"),
        f("contract_paid", "USD/month", "contract revenue received, smoothed likewise"),
        f("realised", "ratio", "contract revenue received over that signed, of the trailing quarter", 1.0),
        f("lost", "USD/month", "contract revenue that customers took who failed or did not renew (fading)"),
        i("lost_event", "event", "last such end of contracts, -1 none", -1),
        i("last_event", "event", "last event of this operator, -1 none", -1),
        i("failing", "code", "1 + cause of a default to be carried out this round, 0 none"),
        i("failing_event", "event", "event that triggers it, -1 a root", -1),
    ),
)


@rule
def sell_coins(op, clock, book, need):
    """Sell bitcoin, then ether, for up to ``need`` USD of cash (miners; others hold none)."""
    raised = min(need, op.btc * clock.btc)
    op.btc = max(0.0, op.btc - raised / clock.btc)
    more = min(need - raised, op.eth * clock.eth)
    if more > 0.0:
        op.eth = max(0.0, op.eth - more / clock.eth)
        raised += more
    op.cash += raised
    book[Flow.COIN_SALE] += raised


@rule
def reserve_cash(op, months):
    """Return the cash (USD) that covers ``months`` of general costs and debt service without balloons."""
    return months * (op.overheads + op.due)


@rule
def mark_own(op, clock):
    """Return the operator's assets at market: cash, GPUs at the appraisal, coins and rigs (USD)."""
    return op.cash + op.gpu_value + op.btc * clock.btc + op.eth * clock.eth + op.rig_value


@rule
def cover_ratio(op):
    """Update the DSCR of the trailing quarter: cash flow available over debt service, balloons left out."""
    due = op.due + op.due_1 + op.due_2
    income = op.income + op.income_1 + op.income_2
    op.dscr = min(NO_DEBT, max(-NO_DEBT, income / due)) if due > 1.0 else NO_DEBT
    op.thin_months = op.thin_months + 1 if op.dscr < 1.0 else 0


@rule
def spare_cash(op, terms):
    """Return cash above the reserve for general costs and debt service (USD)."""
    return max(0.0, op.cash - reserve_cash(op, terms.credit_cash_reserve))


@rule
def free_units(op, chip):
    """Return how many units of a generation its free power takes; liquid-cooled power is kept apart (GPU)."""
    room = op.site_power - op.used_power
    if chip.liquid == 1:
        room = min(room, op.liquid_power - op.used_liquid)
    return max(0.0, room / chip.power)


@rule
def occupy(op, chip, units):
    """Use power for ``units`` more chips (fewer when negative)."""
    op.used_power += units * chip.power
    if chip.liquid == 1:
        op.used_liquid += units * chip.power


@rule
def can_bid(op, terms):
    """Return whether a peer is sound enough to buy: not in arrears, not in default, DSCR at least the least."""
    return op.status == OperatorStatus.HEALTHY and op.arrears <= 0.0 and op.dscr >= terms.market_peer_dscr
