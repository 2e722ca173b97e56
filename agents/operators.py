"""Operators: neoclouds and bitcoin miners turned AI hosts. One table, most rules shared."""

from __future__ import annotations

from agents.schema import Table, code, f, i

NEOCLOUD, MINER = 0, 1
HEALTHY, STRESSED, GONE = 0, 1, 2

OPERATOR = Table(
    "operators",
    "Who rents GPUs out. Miners also own coins and mining rigs.",
    (
        code("kind", "kind of operator", "neocloud", "miner"),
        code("status", "state", "healthy", "stressed", "defaulted"),
        f("cash", "USD", "cash"),
        f("site_power", "kW", "power of its sites"),
        f("liquid_power", "kW", "part of it with liquid cooling"),
        f("used_power", "kW", "power of its GPUs, ordered ones included"),
        f("used_liquid", "kW", "part of it that needs liquid cooling"),
        f("hosting", "USD/kW-month", "hosting and power"),
        f("utilisation", "share", "share of on-demand hours sold"),
        f("hurdle", "1/month", "hurdle rate"),
        f("decline", "1/month", "rent decline that it believes in by itself"),
        f("own_weight", "share", "weight of its own belief against the recent trend"),
        f("contract_share", "share", "share of new capacity let under take-or-pay contracts"),
        f("overheads", "USD/month", "general and administrative costs"),
        f("btc", "BTC", "bitcoin treasury, pledged coins excluded"),
        f("eth", "ETH", "ether treasury"),
        f("hashrate", "PH/s", "mining rigs"),
        f("efficiency", "J/TH", "energy of the fleet a terahash"),
        f("power_price", "USD/kWh", "price of mining power"),
        f("rig_value", "USD", "resale value of the rigs"),
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
        f("arrears", "USD", "payments due and not made"),
        i("arrears_turns", "round", "rounds since the arrears arose"),
        f("debt", "USD", "debt outstanding"),
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
        i("last_event", "event", "last event of this operator, -1 none", -1),
        i("failing", "code", "1 + cause of a default to be carried out this round, 0 none"),
        i("failing_event", "event", "event that triggers it, -1 a root", -1),
    ),
)
