"""The close of the month: prices leave their trace, books are marked."""

from __future__ import annotations

import math

from agents.lenders.marks import orderly_price
from agents.rule import rule
from agents.tables.buyers import BuyerKind
from agents.tables.events import SaleReason
from agents.tables.lots import withdraw_offer
from agents.tables.operators import OperatorStatus, mark_own


@rule
def withdraw_posted(w, clock):
    """Take lots off the market whose owners are no longer in arrears."""
    n_l = len(w.lenders)
    for o in range(len(w.operators)):
        op = w.operators[o]
        if op.selling == 0:
            continue
        left = 0
        k = w.first_lot[n_l + o]
        while k >= 0:
            lot = w.lots[k]
            if lot.offered > 0.0:
                if lot.reason == SaleReason.ARREARS and op.arrears <= 0.0 and op.status != OperatorStatus.DEFAULTED:
                    withdraw_offer(lot)
                else:
                    left = 1
            k = lot.following
        op.selling = left


@rule
def remember_prices(w, clock):
    """Update falls, volatility and the appraisals of generations that did not trade, or for nothing."""
    terms = w.terms[0]
    for chip in w.chips:
        if chip.traded_usd > 0.0:
            price = chip.traded_usd / chip.traded_units
            change = math.log(price / chip.price_before)
            chip.fall = terms.market_fall_memory * chip.fall + max(0.0, -change - terms.market_fall_tolerance)
            memory = terms.market_volatility_memory
            chip.volatility = memory * chip.volatility + (1.0 - memory) * abs(change)
            chip.price_before = price
            chip.stale_months = 0
        else:
            chip.fall *= terms.market_fall_memory
            chip.volatility *= terms.market_volatility_decay
            chip.stale_months += 1
            if chip.stock > 0.0:
                looks = terms.marks_index_weight
                drifted = chip.appraisal * (1.0 - terms.marks_stale_drift)
                chip.appraisal = max(chip.scrap, drifted + looks * (orderly_price(chip, terms) - drifted))


@rule
def mark_books(w, clock):
    """Mark dealers' inventories and operators' chips at the appraisal; operators' equity (USD)."""
    n_l = len(w.lenders)
    n_lo = n_l + len(w.operators)
    for buyer in w.buyers:
        buyer.inventory = 0.0
    for op in w.operators:
        op.gpu_value = 0.0
    for k in range(clock.used_lots):
        lot = w.lots[k]
        if lot.owner >= n_lo:
            if w.buyers[lot.owner - n_lo].kind == BuyerKind.DEALER:
                w.buyers[lot.owner - n_lo].inventory += lot.units * w.chips[lot.chip].appraisal
        elif lot.owner >= n_l:
            w.operators[lot.owner - n_l].gpu_value += lot.units * w.chips[lot.chip].appraisal
    for op in w.operators:
        op.equity = mark_own(op, clock) - op.debt
