"""The ledger: who pays whom for what.

Every payment is one item of :data:`ITEMS`; an item has one paying and one receiving sector, so the table of
items *is* the transaction-flow matrix, and the month's flows must explain the month's change of cash.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np

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
    Item("receivership", "customers", "lenders", "net rent of seized hardware that runs on where it stands"),
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
    Item("sites", "operators", "vendors", "sites begun: deposits, fit-out, cooling"),
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
    Item("use", "customers", "buyers", "what used GPUs earn their buyers, or save them, net of hosting"),
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
    Item("vendor_backstop", "vendors", "operators", "idle hours that the vendor's backstop pays for"),
    Item("scrap_from_buyer", "scrap", "buyers", "hardware scrapped by buyers"),
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
    RECEIVERSHIP = 4
    SURPLUS = 5
    LINE_DRAW = 6
    LINE_REPAID = 7
    LINE_INTEREST = 8
    LINE_CLEARED = 9
    DEPOSIT_IN = 10
    DEPOSIT_OUT = 11
    DEPOSIT_INTEREST = 12
    DEPOSIT_CLEARED = 13
    LENDER_EQUITY_IN = 14
    LENDER_PAYOUT = 15
    BOOK_SALE = 16
    INSURANCE_PREMIUM = 17
    INSURANCE_CLAIM = 18
    BANKRUPTCY_LENDER = 19
    HOLDING = 20
    VENDOR_DEPOSIT = 21
    VENDOR_DELIVERY = 22
    SITES = 23
    HOSTING = 24
    OVERHEAD = 25
    MINING_POWER = 26
    RENTAL = 27
    MINING = 28
    COIN_SALE = 29
    COIN_PURCHASE = 30
    COIN_CLOSEOUT = 31
    EQUITY_IN = 32
    PAYOUT = 33
    BANKRUPTCY = 34
    ASIC_SALE = 35
    SCRAP_SALE = 36
    BUDGET_IN = 37
    BUDGET_OUT = 38
    USE = 39
    USED_FROM_LENDER = 40
    USED_FROM_OPERATOR = 41
    USED_BETWEEN_BUYERS = 42
    PEER_FROM_LENDER = 43
    PEER_FROM_OPERATOR = 44
    PEER_FROM_BUYER = 45
    FINDER_FEE_BUYER = 46
    FINDER_FEE_OPERATOR = 47
    MARKET_TO_LENDER = 48
    MARKET_TO_OPERATOR = 49
    MARKET_TO_BUYER = 50
    VENDOR_BACKSTOP = 51
    SCRAP_FROM_BUYER = 52
