"""How buyers' budgets and free power come back, month by month."""

from __future__ import annotations

from agents.rule import rule
from agents.tables.ledger import Flow


@rule
def replenish_buyers(w, clock):
    """Refill budgets toward their cap and free some power (capital and sites move slowly)."""
    terms = w.terms[0]
    clock.open_cash_buyers = 0.0
    for buyer in w.buyers:
        clock.open_cash_buyers += buyer.budget
        inflow = min(buyer.refill * buyer.budget_cap, buyer.budget_cap - buyer.budget)
        if inflow > 0.0:
            buyer.budget += inflow
            w.book[Flow.BUDGET_IN] += inflow
        elif inflow < 0.0:
            # What sales of used chips brought beyond the budget goes back to the treasury.
            w.book[Flow.BUDGET_OUT] += buyer.budget - buyer.budget_cap
            buyer.budget = buyer.budget_cap
        buyer.power = min(buyer.power_cap, buyer.power + terms.buyers_power_recovery * buyer.power_cap)
        buyer.liquid = min(buyer.liquid_cap, buyer.liquid + terms.buyers_power_recovery * buyer.liquid_cap)
