"""The opening of the month: drivers move, counters start at zero, owners' small lots are pooled."""

from __future__ import annotations

import math

from agents.rule import rule
from agents.tables.lots import close_lot, is_free
from agents.tables.operators import OperatorStatus

#: Most that a high hashprice speeds up the network: rigs take time to build.
_FASTEST = 1.5
#: What is remembered of cash that margin calls and of revenue that customers took, a month later: only texts and causes
#: read it.
_FADES = 0.5


@rule
def start_month(w, clock):
    """Start what is counted by the month at zero: the book of payments, sums of the clock and of each generation."""
    for item in range(len(w.book)):
        w.book[item] = 0.0
    clock.turn = 0
    clock.delivered = 0.0
    clock.losses = 0.0
    clock.forgiven = 0.0
    clock.recoveries = 0.0
    clock.new_credit = 0.0
    clock.new_notes = 0.0
    clock.new_commitments = 0.0
    clock.cancelled = 0.0
    clock.equity_raised = 0.0
    clock.debt_defaulted = 0.0
    clock.last_failure = -1
    clock.customers_failed = 0
    clock.contract_lost = 0.0
    clock.contract_ended = 0.0
    clock.last_shock = -1
    clock.shock_usd = 0.0
    for chip in w.chips:
        chip.appraisal_open = chip.appraisal
        chip.traded_units = 0.0
        chip.traded_usd = 0.0
        chip.forced_units = 0.0
        chip.last_event = -1
        chip.best_bid = 0.0


@rule
def move_drivers(w, clock):
    """Move coins, hashprice and demand by this month's draws."""
    terms = w.terms[0]
    path = w.paths[clock.month]
    clock.btc *= math.exp(path.btc_return)
    clock.eth *= math.exp(path.eth_return)
    clock.stress_coin = path.stress_coin
    clock.stress_demand = path.stress_demand
    # The network grows while mining pays and shrinks when it does not (difficulty follows).
    pays = min(_FASTEST, clock.hashprice / terms.miners_breakeven - 1.0)
    clock.hashprice *= math.exp(path.btc_return - terms.miners_network_growth * pays)
    if clock.month == terms.miners_halving_month:
        clock.hashprice *= terms.miners_halving_factor
    clock.demand *= math.exp(path.demand_growth)
    clock.reference_rent *= math.exp(-path.efficiency)


@rule
def open_books(w, clock):
    """Remember what the month opens with: equity of lenders, debt of operators that have not defaulted (USD)."""
    clock.debt_open = 0.0
    clock.open_events = clock.events
    clock.open_cash_lenders = 0.0
    clock.open_cash_operators = 0.0
    for lender in w.lenders:
        clock.open_cash_lenders += lender.cash
        lender.open_equity = lender.equity
        lender.lent_month = 0.0
        lender.left_month = 0.0
        lender.run_share = 0.0
        lender.call_due = 0.0
        lender.loss_event = -1
        lender.loss_event_usd = 0.0
    for op in w.operators:
        clock.open_cash_operators += op.cash
        op.drained *= _FADES
        op.lost *= _FADES
        op.arrears_turns = 0
        if op.status != OperatorStatus.DEFAULTED:
            clock.debt_open += op.debt


@rule
def pool_lots(lots, first_lot, clock, node, n_chips, slot):
    """Merge the owner's unencumbered, uncontracted lots of a generation that are online and not for sale."""
    for g in range(n_chips):
        slot[g] = -1
    k = first_lot[node]
    while k >= 0:
        lot = lots[k]
        after = lot.following
        if lot.units <= 0.0:
            close_lot(lots, first_lot, clock, k)
        elif lot.online <= clock.month and is_free(lot):
            keep = slot[lot.chip]
            if keep < 0:
                slot[lot.chip] = k
            else:
                into = lots[keep]
                total = into.units + lot.units
                into.vintage = (into.vintage * into.units + lot.vintage * lot.units) / total
                into.cost = (into.cost * into.units + lot.cost * lot.units) / total
                into.units = total
                close_lot(lots, first_lot, clock, k)
        k = after


@rule
def pool_fleets(w, clock):
    """Pool the small lots of every operator and buyer."""
    for node in range(len(w.lenders), len(w.first_lot)):
        if w.first_lot[node] >= 0:
            pool_lots(w.lots, w.first_lot, clock, node, len(w.chips), w.ranking[0])
