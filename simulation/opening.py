"""The opening of the month: drivers, replenished buyers, contracts that end, commitments that fall due."""

from __future__ import annotations

import math

from agents.contracts import LoanKind, close_lot, open_loan, open_lot
from agents.ledger import Cause, EventKind, Flow, log_event
from agents.lenders import LenderStatus, set_covenant
from agents.operators import OperatorStatus, occupy, sell_coins
from agents.rule import rule


@rule
def apply_drivers(clock, terms, path, chips):
    """Move coins, hashprice and demand by this month's draws; start the month's counters at zero."""
    clock.turn = 0
    clock.btc *= math.exp(path.btc_return)
    clock.eth *= math.exp(path.eth_return)
    clock.stress_coin = path.stress_coin
    clock.stress_demand = path.stress_demand
    # The network grows while mining pays and shrinks when it does not (difficulty follows).
    pays = min(1.5, max(-1.0, clock.hashprice / terms.miners_breakeven - 1.0))
    clock.hashprice *= math.exp(path.btc_return - terms.miners_network_growth * pays)
    if clock.month == terms.miners_halving_month:
        clock.hashprice *= terms.miners_halving_factor
    clock.demand *= math.exp(path.demand_growth)
    clock.reference_rent *= math.exp(-path.efficiency)
    if path.block_units > 0.0:
        # A block of the same generation that somebody put up by hand comes to market with it.
        by_hand = clock.imposed_units if clock.imposed_chip == path.block_chip else 0.0
        clock.imposed_chip = path.block_chip
        clock.imposed_units = by_hand + path.block_units
    clock.delivered = 0.0
    clock.losses = 0.0
    clock.recoveries = 0.0
    clock.new_credit = 0.0
    clock.new_notes = 0.0
    clock.new_commitments = 0.0
    clock.cancelled = 0.0
    clock.equity_raised = 0.0
    clock.debt_defaulted = 0.0
    clock.last_failure = -1
    clock.last_shock = -1
    clock.shock_usd = 0.0
    for chip in chips:
        chip.appraisal_open = chip.appraisal
        chip.traded_units = 0.0
        chip.traded_usd = 0.0
        chip.forced_units = 0.0
        chip.last_event = -1


@rule
def open_books(lenders, operators, clock):
    """Remember what the month opens with: equity of lenders, debt of operators that have not defaulted (USD)."""
    clock.debt_open = 0.0
    clock.open_events = clock.events
    clock.open_cash_lenders = 0.0
    clock.open_cash_operators = 0.0
    for lender in lenders:
        clock.open_cash_lenders += lender.cash
        lender.open_equity = lender.equity
        lender.losses_month = 0.0
        lender.lent_month = 0.0
        lender.left_month = 0.0
        lender.run_share = 0.0
        lender.loss_event = -1
        lender.loss_event_usd = 0.0
    for op in operators:
        clock.open_cash_operators += op.cash
        op.drained *= 0.5
        op.arrears_turns = 0
        if op.status != OperatorStatus.DEFAULTED:
            clock.debt_open += op.debt


@rule
def replenish_buyers(buyers, terms, book, clock):
    """Refill budgets toward their cap and free some power (capital and sites move slowly)."""
    clock.open_cash_buyers = 0.0
    for buyer in buyers:
        clock.open_cash_buyers += buyer.budget
        inflow = min(buyer.refill * buyer.budget_cap, buyer.budget_cap - buyer.budget)
        if inflow > 0.0:
            buyer.budget += inflow
            book[Flow.BUDGET_IN] += inflow
        elif inflow < 0.0:
            # What sales of used chips brought beyond the budget goes back to the treasury.
            book[Flow.BUDGET_OUT] += buyer.budget - buyer.budget_cap
            buyer.budget = buyer.budget_cap
        buyer.power = min(buyer.power_cap, buyer.power + terms.buyers_power_recovery * buyer.power_cap)
        buyer.liquid = min(buyer.liquid_cap, buyer.liquid + terms.buyers_power_recovery * buyer.liquid_cap)


@rule
def renegotiate(lots, terms, clock):
    """End contracts that are over; cut contract prices that customers no longer accept.

    price *= 1 - h (gap - tolerance) when gap = (contract - spot)/contract exceeds the tolerance; h doubles in an
    AI-demand stress.
    """
    speed = terms.rental_renegotiation * (1.0 + clock.stress_demand)
    for k in range(clock.used_lots):
        lot = lots[k]
        if lot.contracted > 0.0:
            if clock.month >= lot.contract_end or lot.seized >= 0:
                lot.contracted = 0.0
            else:
                gap = (lot.contract_price - clock.rent) / lot.contract_price
                if gap > terms.rental_renegotiation_gap:
                    lot.contract_price *= 1.0 - speed * (gap - terms.rental_renegotiation_gap)


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
        elif lot.loan < 0 and lot.online <= clock.month and lot.contracted == 0.0 and lot.offered == 0.0:
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
def loan_maturity(terms, term):
    """Return the months to maturity of a loan that amortises over ``term`` months: no balloon when it must match."""
    return int(math.ceil(term)) if terms.policy_matched_amortisation == 1 else terms.credit_maturity


@rule
def affordable_units(order, own, op, w, clock):
    """Return the units that the operator can pay for at ``own`` USD each, coins sold if need be; cancel the rest."""
    units = order.units
    if own * units > op.cash:
        sell_coins(op, clock, w.book, own * units - op.cash)
        if own * units > op.cash:
            units = op.cash / own
    if units < order.units:
        lost = (order.units - units) * order.cost
        clock.cancelled += lost
        occupy(op, w.chips[order.chip], units - order.units)
        if lost > 0.01 * order.units * order.cost:
            log_event(
                w.events, clock, EventKind.ORDER_CANCELLED, Cause.NONE, len(w.lenders) + order.operator, order.lender,
                order.chip, order.units - units, lost, -1,
            )  # fmt: skip
    return units


@rule
def draw_loan(order, op, principal, cost, appraised, w, clock):
    """Draw an equipment loan of ``principal`` USD on hardware of ``cost`` and ``appraised`` USD; return its row, -1 if the table is full."""
    lender = w.lenders[order.lender]
    lender.cash -= principal
    lender.book += principal
    op.debt += principal
    w.book[Flow.LOAN_DRAW] += principal
    clock.new_credit += principal
    k = open_loan(
        w.loans, clock, LoanKind.EQUIPMENT, order.lender, order.operator, principal, order.rate,
        principal / order.life, clock.month + loan_maturity(w.terms[0], order.life),
    )  # fmt: skip
    if k >= 0:
        set_covenant(w.loans[k], lender, w.terms[0], cost, appraised)
    return k


@rule
def deliver_order(order, w, clock):
    """Deliver one commitment: the lender pays the committed advance, the operator the rest; what it cannot pay
    is cancelled and its deposit lost.

    Reads and writes the order, operator, lender, chip, loans and lots; USD and units.
    """
    op = w.operators[order.operator]
    chip = w.chips[order.chip]
    lent = 0.0
    if order.lender >= 0:
        lender = w.lenders[order.lender]
        lender.committed = max(0.0, lender.committed - order.units * order.advance)
        if lender.status != LenderStatus.FAILED and order.units > 0.0:
            lent = min(order.advance, lender.cash / order.units)
    deposit = w.terms[0].credit_deposit * order.cost
    own = max(0.0, order.cost - deposit - lent)
    lent = order.cost - deposit - own
    op.committed = max(0.0, op.committed - order.units * (order.cost - deposit - order.advance))
    units = affordable_units(order, own, op, w, clock)
    if units <= 0.0:
        return
    op.cash = max(0.0, op.cash - own * units)
    w.book[Flow.VENDOR_DELIVERY] += (own + lent) * units
    chip.added += units
    chip.stock += units
    clock.delivered += units * chip.performance
    k = -1
    if lent * units > 1.0:
        k = draw_loan(order, op, lent * units, order.cost * units, chip.appraisal * units, w, clock)
        if k < 0:
            return
    lot_id = open_lot(
        w.lots, w.first_lot, clock, len(w.lenders) + order.operator, order.chip, units, float(clock.month),
        clock.month, order.cost, k,
    )  # fmt: skip
    if lot_id >= 0 and op.contract_share > 0.0:
        lot = w.lots[lot_id]
        lot.contracted = op.contract_share
        lot.contract_price = clock.rent * w.terms[0].rental_contract_discount
        lot.contract_end = clock.month + w.terms[0].rental_contract_term


@rule
def deliver_orders(w, clock):
    """Deliver every commitment that falls due and free its row."""
    for k in range(clock.used_orders):
        order = w.orders[k]
        if order.operator >= 0 and order.due <= clock.month:
            if w.operators[order.operator].status != OperatorStatus.DEFAULTED:
                deliver_order(order, w, clock)
            order.operator = -1
            order.following = clock.free_order
            clock.free_order = k


@rule
def open_month(w):
    """Phase "open": drivers, budgets, contracts, deliveries."""
    clock = w.clock[0]
    terms = w.terms[0]
    w.book[:] = 0.0
    apply_drivers(clock, terms, w.paths[clock.month], w.chips)
    open_books(w.lenders, w.operators, clock)
    replenish_buyers(w.buyers, terms, w.book, clock)
    renegotiate(w.lots, terms, clock)
    for node in range(len(w.lenders), len(w.first_lot)):
        if w.first_lot[node] >= 0:
            pool_lots(w.lots, w.first_lot, clock, node, len(w.chips), w.ranking[0])
    deliver_orders(w, clock)
