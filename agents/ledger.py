"""The ledger: who pays whom for what, what happened, and the clock.

Every payment is one item of :data:`ITEMS`; an item has one paying and one receiving sector, so the table of
items *is* the transaction-flow matrix, and the month's flows must explain the month's change of cash.
Every event names the event that triggered it, so that a cascade is a genealogy.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np

from agents.rule import rule
from agents.schema import Table, code, f, i, labels

# --- sectors ---------------------------------------------------------------------------------------------------
LENDERS, OPERATORS, BUYERS = 0, 1, 2
#: The first three hold cash in the model; the others close the accounts from outside.
SECTORS = (
    "lenders", "operators", "buyers", "vendors", "utilities", "customers", "coin market", "outside equity",
    "depositors", "treasuries", "deadweight", "scrap", "insurers",
)  # fmt: skip


class Item(NamedTuple):
    """One kind of payment."""

    name: str
    payer: str
    payee: str
    meaning: str


ITEMS = (
    Item("loan_draw", "lenders", "operators", "equipment loans drawn at delivery, notes and margin loans paid out"),
    Item("interest", "operators", "lenders", "interest on all loans"),
    Item("principal", "operators", "lenders", "scheduled, prepaid and bullet principal"),
    Item("recovery", "operators", "lenders", "what a defaulted estate pays its creditors"),
    Item("surplus", "lenders", "operators", "sale proceeds of seized collateral above the claim"),
    Item("line_draw", "lenders", "lenders", "warehouse lines drawn"),
    Item("line_repaid", "lenders", "lenders", "warehouse lines repaid, rolled down or called"),
    Item("line_interest", "lenders", "lenders", "interest on warehouse lines"),
    Item("line_cleared", "lenders", "lenders", "clearing payments of failed lenders on warehouse lines"),
    Item("deposit_in", "depositors", "lenders", "deposits, policies and fund units placed"),
    Item("deposit_out", "lenders", "depositors", "deposits and fund units withdrawn or redeemed"),
    Item("deposit_interest", "lenders", "depositors", "interest on deposits and policies"),
    Item("deposit_cleared", "lenders", "depositors", "clearing payments of failed lenders to depositors"),
    Item("lender_equity_in", "outside equity", "lenders", "equity raised by lenders; purchases by outside investors"),
    Item("lender_payout", "lenders", "outside equity", "dividends of lenders; receipts of outside investors"),
    Item("book_sale", "outside equity", "lenders", "outside investors pay for the book of a failed lender"),
    Item("insurance_premium", "lenders", "insurers", "premiums of residual-value insurance"),
    Item("insurance_claim", "insurers", "lenders", "what insured hardware sold below its insured value"),
    Item("bankruptcy_lender", "lenders", "deadweight", "bankruptcy costs of failed lenders"),
    Item("holding", "lenders", "deadweight", "storage, insurance and remarketing of seized hardware"),
    Item("vendor_deposit", "operators", "vendors", "deposits on purchase commitments"),
    Item("vendor_delivery", "operators", "vendors", "balance paid at delivery"),
    Item("hosting", "operators", "utilities", "hosting and power of running GPUs"),
    Item("overhead", "operators", "utilities", "staff, software and sales: a share of rental revenue"),
    Item("mining_power", "operators", "utilities", "power and fixed costs of mining"),
    Item("rental", "customers", "operators", "rent of GPUs, contracted and on demand"),
    Item("mining", "coin market", "operators", "sale of mined coins and staking income"),
    Item("coin_sale", "coin market", "operators", "sale of coins of the treasury"),
    Item("coin_purchase", "operators", "coin market", "coins bought for the treasury"),
    Item("coin_closeout", "coin market", "lenders", "pledged coins closed out by a margin lender"),
    Item("equity_in", "outside equity", "operators", "equity raised by operators"),
    Item("payout", "operators", "outside equity", "dividends and buy-backs of operators"),
    Item("bankruptcy", "operators", "deadweight", "bankruptcy costs of operators"),
    Item("asic_sale", "coin market", "operators", "mining rigs sold by an estate"),
    Item("scrap_sale", "scrap", "operators", "hardware scrapped by operators"),
    Item("budget_in", "treasuries", "buyers", "buyers' budgets topped up by their treasuries"),
    Item("budget_out", "buyers", "treasuries", "rent earned and sales returned to the treasuries"),
    Item("used_from_lender", "buyers", "lenders", "used GPUs: buyers pay lenders"),
    Item("used_from_operator", "buyers", "operators", "used GPUs: buyers pay operators"),
    Item("used_between_buyers", "buyers", "buyers", "used GPUs: buyers pay buyers"),
    Item("peer_from_lender", "operators", "lenders", "used GPUs: operators pay lenders"),
    Item("peer_from_operator", "operators", "operators", "used GPUs: operators pay operators"),
    Item("peer_from_buyer", "operators", "buyers", "used GPUs: operators pay buyers"),
    Item("finder_fee_buyer", "buyers", "deadweight", "search and brokerage paid by buyers"),
    Item("finder_fee_operator", "operators", "deadweight", "search and brokerage paid by operators"),
    Item("market_to_lender", "treasuries", "lenders", "inverse-demand venue: the market pays lenders"),
    Item("market_to_operator", "treasuries", "operators", "inverse-demand venue: the market pays operators"),
    Item("market_to_buyer", "treasuries", "buyers", "inverse-demand venue: the market pays buyers"),
)  # fmt: skip

N_ITEMS = len(ITEMS)
#: Index of the paying and of the receiving sector of each item.
ITEM_PAYER = np.array([SECTORS.index(item.payer) for item in ITEMS])
ITEM_PAYEE = np.array([SECTORS.index(item.payee) for item in ITEMS])


class Flow(IntEnum):
    """What a payment is for: the index of its item in the book of the month."""

    LOAN_DRAW = 0
    INTEREST = 1
    PRINCIPAL = 2
    RECOVERY = 3
    SURPLUS = 4
    LINE_DRAW = 5
    LINE_REPAID = 6
    LINE_INTEREST = 7
    LINE_CLEARED = 8
    DEPOSIT_IN = 9
    DEPOSIT_OUT = 10
    DEPOSIT_INTEREST = 11
    DEPOSIT_CLEARED = 12
    LENDER_EQUITY_IN = 13
    LENDER_PAYOUT = 14
    BOOK_SALE = 15
    INSURANCE_PREMIUM = 16
    INSURANCE_CLAIM = 17
    BANKRUPTCY_LENDER = 18
    HOLDING = 19
    VENDOR_DEPOSIT = 20
    VENDOR_DELIVERY = 21
    HOSTING = 22
    OVERHEAD = 23
    MINING_POWER = 24
    RENTAL = 25
    MINING = 26
    COIN_SALE = 27
    COIN_PURCHASE = 28
    COIN_CLOSEOUT = 29
    EQUITY_IN = 30
    PAYOUT = 31
    BANKRUPTCY = 32
    ASIC_SALE = 33
    SCRAP_SALE = 34
    BUDGET_IN = 35
    BUDGET_OUT = 36
    USED_FROM_LENDER = 37
    USED_FROM_OPERATOR = 38
    USED_BETWEEN_BUYERS = 39
    PEER_FROM_LENDER = 40
    PEER_FROM_OPERATOR = 41
    PEER_FROM_BUYER = 42
    FINDER_FEE_BUYER = 43
    FINDER_FEE_OPERATOR = 44
    MARKET_TO_LENDER = 45
    MARKET_TO_OPERATOR = 46
    MARKET_TO_BUYER = 47


# --- events ----------------------------------------------------------------------------------------------------
class EventKind(IntEnum):
    """What happened."""

    DEFAULT = 0
    SEIZURE = 1
    MARGIN_CALL = 2
    FORCED_SALE = 3
    LENDER_FAILURE = 4
    FUNDING_CALL = 5
    WITHDRAWN_LINE = 6
    RUN = 7
    ORDER_CANCELLED = 8
    COIN_CALL = 9
    CURED = 10
    SHOCK = 11


class Cause(IntEnum):
    """Why it happened."""

    NONE = 0
    CASH_FLOW = 1
    LTV = 2
    DSCR = 3
    MATURITY = 4
    BITCOIN_MARGIN = 5
    LENDER_FAILURE = 6
    FUNDING_CALL = 7
    INSOLVENCY = 8
    ILLIQUIDITY = 9
    FIRE_SALE = 10
    IMPOSED = 11


class SaleReason(IntEnum):
    """Why a lot is for sale."""

    CHURN = 0
    SEIZED = 1
    MARGIN_CALL = 2
    ARREARS = 3
    ESTATE = 4
    DEALER = 5
    IMPOSED = 6


EVENT_KINDS = labels(EventKind)
CAUSES = labels(Cause)

EVENT = Table(
    "events",
    "What happened, one row an event, each with the event that triggered it.",
    (
        i("month", "month", "months since the start"),
        i("turn", "round", "round of the cascade within the month"),
        code("kind", "what happened", EventKind),
        code("cause", "why", Cause),
        i("node", "node", "who it happened to"),
        i("other", "node", "the counterparty, -1 none", -1),
        i("chip", "chip", "generation concerned, -1 none", -1),
        f("units", "GPU", "units concerned"),
        f("usd", "USD", "amount concerned: debt at default, sum called, proceeds, loss"),
        i("parent", "event", "the event that triggered it, -1 a root", -1),
        i("parent2", "event", "a second contributing event, -1 none", -1),
    ),
)

TRADE = Table(
    "trades",
    "Sales of used GPUs, one row a fill.",
    (
        i("month", "month", "months since the start"),
        i("turn", "round", "round of the cascade within the month"),
        i("chip", "chip", "generation"),
        i("seller", "node", "who sold"),
        i("buyer", "node", "who bought, -1 the market of the inverse-demand venue", -1),
        f("units", "GPU", "units sold"),
        f("price", "USD/GPU", "clearing price"),
        code("reason", "why it was for sale", SaleReason),
        f("fundamental", "USD/GPU", "value in use to the best unconstrained user"),
        i("hops", "hop", "distance at which the seller found the buyer"),
    ),
)

CLOCK = Table(
    "clock",
    "Where the run stands: one row.",
    (
        i("month", "month", "months since the start"),
        i("phase", "phase", "index of the next phase of the schedule"),
        i("turn", "round", "round of the cascade within the month"),
        i("news", "count", "new defaults, forced orders, failures and calls of this round"),
        i("events", "event", "events written"),
        i("trades", "fill", "fills written"),
        i("free_loan", "loan", "head of the list of free loan rows, -1 full"),
        i("free_lot", "lot", "head of the list of free lot rows, -1 full"),
        i("free_order", "order", "head of the list of free order rows, -1 full"),
        i("used_loans", "loan", "loan rows ever used"),
        i("used_lots", "lot", "lot rows ever used"),
        i("used_orders", "order", "order rows ever used"),
        i("fault", "code", "identity that was violated, 0 none"),
        i("fault_node", "node", "first agent or row concerned"),
        f("fault_usd", "mixed", "size of the violation"),
        i("imposed_chip", "chip", "generation of a block put on the market by hand, -1 none", -1),
        f("imposed_units", "GPU", "units of that block"),
        f("btc", "USD", "bitcoin price"),
        f("eth", "USD", "ether price"),
        f("hashprice", "USD/PH/day", "mining revenue per unit of hashrate"),
        f("demand", "perf unit", "rental demand at the reference rent"),
        f("rent", "USD/perf-h", "spot rent of one performance unit (one H100) an hour"),
        f("reference_rent", "USD/perf-h", "rent at which demand equals its level; falls with efficiency shocks"),
        f("rent_before", "USD/perf-h", "spot rent a month ago"),
        f("trend", "1/month", "smoothed monthly decline of the rent (positive: it falls)"),
        f("running", "perf unit", "capacity running"),
        f("delivered", "perf unit", "capacity delivered this month"),
        i("stress_coin", "flag", "1 in a bitcoin stress"),
        i("stress_demand", "flag", "1 in an AI-demand stress"),
        f("haircut", "ratio", "haircut of warehouse lines"),
        f("losses", "USD", "credit losses written off this month"),
        f("recoveries", "USD", "recovered on defaulted claims this month"),
        f("new_credit", "USD", "equipment loans drawn this month"),
        f("new_notes", "USD", "convertibles and coin loans issued this month"),
        f("new_commitments", "USD", "equipment loans committed this month"),
        f("cancelled", "USD", "purchase commitments cancelled this month"),
        f("equity_raised", "USD", "equity raised by operators this month"),
        f("debt_defaulted", "USD", "debt of operators that defaulted this month"),
        f("debt_open", "USD", "debt of operators that had not defaulted when the month opened"),
        i("open_events", "event", "events written before this month"),
        f("open_cash_lenders", "USD", "cash of lenders when the month opened"),
        f("open_cash_operators", "USD", "cash of operators when the month opened"),
        f("open_cash_buyers", "USD", "budgets of buyers when the month opened"),
        i("last_shock", "event", "the forced sale that marked down most this month, else its last default, -1 none", -1),
        f("shock_usd", "USD", "what that sale fell short of the opening appraisal"),
        f("insured", "USD", "paid by residual-value insurance since the start"),
        i("tape", "row", "rows of the tape used"),
        i("listed", "round", "1 + the round for which lenders' claims were listed last (month*1000+round), 0 never"),
        i("last_failure", "event", "last failure of a lender this month, -1 none", -1),
    ),
)


class Fault(IntEnum):
    """Why a run stops: a table that is full, or an identity that is violated."""

    NONE = 0
    EVENTS_FULL = 1
    TRADES_FULL = 2
    LOANS_FULL = 3
    LOTS_FULL = 4
    ORDERS_FULL = 5
    UNITS = 6
    FLOWS = 7
    CLAIMS = 8
    NEGATIVE = 9
    BEYOND_MEANS = 10
    OVERPAID = 11
    ENDLESS = 12
    ORDER = 13


FAULTS = {
    Fault.NONE: "none",
    Fault.EVENTS_FULL: "event table full",
    Fault.TRADES_FULL: "trade table full",
    Fault.LOANS_FULL: "loan table full",
    Fault.LOTS_FULL: "lot table full",
    Fault.ORDERS_FULL: "order table full",
    Fault.UNITS: "GPU units not conserved",
    Fault.FLOWS: "cash not explained by flows",
    Fault.CLAIMS: "claims and debts differ",
    Fault.NEGATIVE: "negative cash",
    Fault.BEYOND_MEANS: "bid beyond budget or power",
    Fault.OVERPAID: "creditor received more than owed",
    Fault.ENDLESS: "cascade did not end",
    Fault.ORDER: "row index out of order",
}


@rule
def log_event(events, clock, kind, cause, node, other, chip, units, usd, parent):
    """Append an event; return its index. A full table stops the run (clock.fault)."""
    k = clock.events
    if k >= len(events):
        clock.fault = Fault.EVENTS_FULL
        return k - 1
    e = events[k]
    e.month = clock.month
    e.turn = clock.turn
    e.kind = kind
    e.cause = cause
    e.node = node
    e.other = other
    e.chip = chip
    e.units = units
    e.usd = usd
    e.parent = parent
    e.parent2 = -1
    clock.events = k + 1
    return k
