"""How a miner runs its rigs."""

from __future__ import annotations

from agents.rule import rule
from agents.tables.ledger import Flow
from agents.tables.operators import sell_coins

#: Hashprice is quoted by the day.
HOURS_A_DAY = 24.0


@rule
def mine(op, clock, terms, book):
    """Run the rigs for a month, or leave them off: revenue, power, fixed costs, coins kept (USD, BTC).

    A PH/s at e J/TH draws e kW. When revenue does not cover the avoidable part of the power cost the rigs stand
    still and the fixed part of the power contract and the general costs remain.
    """
    revenue = op.hashrate * clock.hashprice * terms.rental_hours / HOURS_A_DAY
    power = op.hashrate * op.efficiency * terms.rental_hours * op.power_price
    cost = power + op.hashrate * terms.miners_overheads
    if revenue < (1.0 - terms.miners_fixed_share) * power:
        revenue = 0.0
        cost = terms.miners_fixed_share * power + op.hashrate * terms.miners_overheads
    staking = op.eth * clock.eth * terms.miners_eth_yield / 12.0
    kept = 0.0
    if clock.stress_coin == 0 and op.arrears <= 0.0 and op.thin_months == 0:
        kept = terms.miners_hold_share * revenue
        op.btc += kept / clock.btc
    op.mining_income = revenue - cost + staking
    op.rig_value = op.hashrate * terms.miners_rig_price * clock.hashprice / terms.miners_hashprice
    op.income += op.mining_income
    op.cash += revenue - kept + staking
    book[Flow.MINING] += revenue - kept + staking
    if op.cash < cost:
        sell_coins(op, clock, book, cost - op.cash)
    paid = min(cost, op.cash)
    op.cash -= paid
    book[Flow.MINING_POWER] += paid
