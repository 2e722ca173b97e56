"""Capital from outside that comes for cheap hardware: it takes months to organise, and leaves when nothing is cheap."""

from __future__ import annotations

import math

from agents.rule import rule
from agents.tables.buyers import BuyerKind
from agents.tables.ledger import Flow


@rule
def commit_capital(w, clock):
    """Observe what buyers of forced lots gained and let outside investors commit money to funds that buy them.

    Gain: log of worth over price, by worth, smoothed (``memory``). Committed a month: ``speed`` times the gain
    above the ``hurdle``, times the money that users of chips have when full (USD). It arrives after ``delay`` months
    (slow-moving capital: Duffie 2010).
    """
    terms = w.terms[0]
    gain = 0.0
    weight = 0.0
    for chip in w.chips:
        # Worth is value in use, but no more than a new chip of the same value costs: nobody gains by paying more.
        worth = min(chip.fundamental, chip.parity)
        if chip.forced_units > 0.0 and chip.traded_usd > 0.0 and worth > 0.0:
            usd = chip.forced_units * worth
            gain += usd * max(0.0, math.log(worth * chip.traded_units / chip.traded_usd))
            weight += usd
    now = gain / weight if weight > 0.0 else 0.0
    clock.gain = terms.buyers_entry_memory * clock.gain + (1.0 - terms.buyers_entry_memory) * now
    money = 0.0
    for buyer in w.buyers:
        if buyer.kind == BuyerKind.ENTERPRISE or buyer.kind == BuyerKind.RESEARCH:
            money += buyer.budget_cap
    above = max(0.0, clock.gain - terms.buyers_entry_hurdle)
    w.panel[clock.month].capital_committed = terms.buyers_entry_speed * above * money


@rule
def move_capital(w, clock):
    """Pay capital committed ``delay`` months ago into the funds; while nothing is cheap they give money back (USD)."""
    terms = w.terms[0]
    before = clock.month - terms.buyers_entry_delay
    come = w.panel[before].capital_committed if before >= 0 else 0.0
    funds = 0
    for buyer in w.buyers:
        if buyer.kind == BuyerKind.FUND:
            funds += 1
    for buyer in w.buyers:
        if buyer.kind != BuyerKind.FUND:
            continue
        if come > 0.0:
            buyer.budget += come / funds
            buyer.budget_cap += come / funds
            clock.entered += come / funds
            w.book[Flow.BUDGET_IN] += come / funds
        elif clock.gain < terms.buyers_entry_hurdle:
            left = terms.buyers_exit_speed * buyer.budget
            buyer.budget -= left
            buyer.budget_cap = max(0.0, buyer.budget_cap - left)
            w.book[Flow.BUDGET_OUT] += left
