"""How an operator decides to buy new chips: which, from whose loan, how many, with what equity."""

from __future__ import annotations

import math

from agents.buyers.bids import believe_rents, user_value
from agents.lenders.offers import lending_room, loan_term, sized_loan
from agents.miners.notes import coin_lender, coin_loan, pledge_coins
from agents.operators.sites import value_of_power
from agents.rule import rule
from agents.tables.ledger import Flow
from agents.tables.operators import OperatorKind, OperatorStatus, free_units, mark_own, occupy, reserve_cash, spare_cash
from agents.tables.orders import balance_due, open_order
from agents.valuation import monthly_rent


@rule
def choose_chip(w, clock, o, op):
    """Return the generation with the best value over cost that the operator would order new, -1 none.

    Value at the operator's own (extrapolative) expectations; contracted hours count as always sold at the
    contract price; a pre-drawn taste keeps not everybody on one generation.
    """
    terms = w.terms[0]
    op.q = 0.0
    op.power_value = 0.0
    share = op.contract_share * terms.rental_contract_discount + (1.0 - op.contract_share) * op.utilisation
    best = 1.0
    choice = -1
    for g in range(len(w.chips)):
        chip = w.chips[g]
        if clock.month < chip.release or clock.month >= chip.end_of_sale:
            continue
        belief = believe_rents(w.axes, terms, clock.trend, op.decline, op.own_weight, op.hurdle, chip.lead)
        value = user_value(w.strips, w.axes, chip, terms, clock.rent, share, op.hosting, belief, terms.marks_asset_life)
        cost = chip.list_price * (1.0 + terms.credit_soft_cost)
        ratio = value / cost
        op.q = max(op.q, ratio)
        op.power_value = max(op.power_value, (value - cost) / chip.power)
        if ratio > 1.0:
            ratio *= math.exp(w.taste[o, g])
            if ratio > best:
                best = ratio
                choice = g
    return choice


@rule
def choose_lender(w, clock, o, op, chip, cost, owed):
    """Return (lender, advance in USD a unit, rate a year, room in USD) of the best offer it can get; lender -1 none.

    Room is what capital, growth and the single-name limit leave.

    Offers are ranked by principal over cost less ``credit.rate_weight`` times the spread over the base rate.
    """
    terms = w.terms[0]
    best = -math.inf
    choice = -1
    advance = 0.0
    rate = 0.0
    most = 0.0
    rent = monthly_rent(clock.rent, terms.rental_hours, chip.performance, op.utilisation, terms.rental_overhead)
    for k in range(w.bank_ptr[o], w.bank_ptr[o + 1]):
        lender = w.lenders[w.bank[k]]
        room = min(lending_room(lender, terms), lender.name_limit * lender.equity / lender.capital_target - owed[k])
        if room < cost:
            continue
        cut = max(0.0, 1.0 - lender.advance_rate / lender.max_ltv)
        offer_rate = terms.credit_base_rate + lender.spread + terms.credit_rationing_spread * cut
        offer = sized_loan(
            lender, terms, cost, rent, op.hosting * chip.power, offer_rate, loan_term(w, clock, op, lender, chip)
        )
        score = offer / cost - terms.credit_rate_weight * (offer_rate - terms.credit_base_rate)
        if score > best:
            best = score
            choice = w.bank[k]
            advance = offer
            rate = offer_rate
            most = room
    return choice, advance, rate, most


@rule
def count_names(w, clock, owed):
    """Sum what each operator owes, or was promised by, each lender it knows (USD), beside the list of those lenders."""
    for k in range(len(w.bank)):
        owed[k] = 0.0
    for k in range(clock.used_loans):
        loan = w.loans[k]
        if loan.principal > 0.0:
            for j in range(w.bank_ptr[loan.borrower], w.bank_ptr[loan.borrower + 1]):
                if w.bank[j] == loan.lender:
                    owed[j] += loan.principal
    for k in range(clock.used_orders):
        order = w.orders[k]
        if order.operator >= 0 and order.lender >= 0:
            for j in range(w.bank_ptr[order.operator], w.bank_ptr[order.operator + 1]):
                if w.bank[j] == order.lender:
                    owed[j] += order.units * order.advance


@rule
def good_times(clock, op, terms):
    """Return 1 in calm and rising times, less when rents fall, 0 in stress: what equity markets go by."""
    if clock.stress_demand == 1 or (op.kind == OperatorKind.MINER and clock.stress_coin == 1):
        return 0.0
    return min(terms.credit_equity_boom, max(0.0, 1.0 - terms.credit_equity_trend * clock.trend))


@rule
def equity_on_offer(clock, op, terms):
    """Return the equity (USD) that an operator can raise outside at one order: pro-cyclical, by its own equity."""
    worth = max(0.0, mark_own(op, clock) - op.debt) * terms.credit_order_interval
    return terms.credit_equity_speed * worth * good_times(clock, op, terms)


@rule
def raise_equity(w, clock, op, need):
    """Raise up to ``need`` USD of equity outside, as far as it is on offer; return it."""
    raised = min(need, equity_on_offer(clock, op, w.terms[0]))
    if raised <= 0.0:
        return 0.0
    op.cash += raised
    op.raised_year += raised
    clock.equity_raised += raised
    w.book[Flow.EQUITY_IN] += raised
    return raised


@rule
def commit_loan(order, lender_id, lender, advance, rate, clock):
    """Let a lender commit ``advance`` (USD a unit) at ``rate`` (a year) to a purchase."""
    order.lender = lender_id
    order.advance = advance
    order.rate = rate
    lender.committed += order.units * advance
    lender.lent_month += order.units * advance
    clock.new_commitments += order.units * advance


@rule
def raise_for(w, clock, op, need):
    """Return (equity, loan on coins, its lender) that an operator can raise for ``need`` USD: equity first, then a miner's coins."""
    terms = w.terms[0]
    equity = min(need, equity_on_offer(clock, op, terms))
    j = coin_lender(w, clock) if op.kind == OperatorKind.MINER else -1
    coins = coin_loan(w.lenders[j], op, clock, terms, need - equity) if j >= 0 else 0.0
    return equity, coins, j


@rule
def place_order(w, clock, o, op):
    """Order new chips: value above cost, power, equity and a lender permitting; pay the deposit (USD, GPU)."""
    terms = w.terms[0]
    g = choose_chip(w, clock, o, op)
    op.wanted = 0.0
    if g < 0:
        op.power_value = 0.0
        return
    chip = w.chips[g]
    cost = chip.list_price * (1.0 + terms.credit_soft_cost)
    room = terms.credit_growth_limit * max(op.used_power, terms.credit_growth_base * op.site_power) / chip.power
    lender_id, advance, rate, lendable = choose_lender(w, clock, o, op, chip, cost, w.scratch[0])
    free = free_units(op, chip)
    op.wanted = max(0.0, room - free) * chip.power
    op.power_value = value_of_power(terms, op.power_value, op.hurdle) if room > free else 0.0
    room = min(room, free)
    if room <= 0.0:
        return
    # What the lender's room does not reach is bought with own money, or not at all.
    advance = min(advance, lendable / room)
    own = cost - advance
    have = max(0.0, spare_cash(op, terms) - op.committed)
    equity, coins, coin_bank = raise_for(w, clock, op, max(0.0, room * own - have))
    units = min(room, (have + equity + coins) / own) if own > 1.0 else room
    deposit = units * terms.credit_deposit * cost
    if units * cost < terms.credit_order_minimum or deposit > op.cash + equity + coins:
        return
    # Only now is money raised: for an order that is made.
    raise_equity(w, clock, op, equity)
    if coins > 0.0:
        pledge_coins(w, clock, o, op, coin_bank, coins)
    k = open_order(w.orders, clock, o, g, units, cost, clock.month + chip.lead)
    if k < 0:
        return
    chip.on_order += units
    chip.lead = lead_time(chip, terms)
    op.cash -= deposit
    w.book[Flow.VENDOR_DEPOSIT] += deposit
    op.committed += units * balance_due(cost, advance, terms.credit_deposit)
    occupy(op, chip, units)
    if lender_id >= 0:
        commit_loan(w.orders[k], lender_id, w.lenders[lender_id], advance, rate, clock)
        w.orders[k].life = loan_term(w, clock, op, w.lenders[lender_id], chip)


@rule
def lead_time(chip, terms):
    """Return the months from an order to its delivery: the usual ones, or as long as the vendor takes for what is on order."""
    if chip.supply <= 0.0:
        return terms.credit_delivery_lag
    return max(terms.credit_delivery_lag, int(math.ceil(chip.on_order / chip.supply)))


@rule
def count_backlog(w, clock):
    """Count what is on order by generation (GPU), and how long an order placed now takes (months)."""
    for chip in w.chips:
        chip.on_order = 0.0
    for k in range(clock.used_orders):
        order = w.orders[k]
        if order.operator >= 0:
            w.chips[order.chip].on_order += order.units
    for chip in w.chips:
        chip.lead = lead_time(chip, w.terms[0])


@rule
def order_chips(w, clock):
    """Let sound operators order new chips, each in its turn (about once in ``order_interval`` months)."""
    terms = w.terms[0]
    count_names(w, clock, w.scratch[0])
    count_backlog(w, clock)
    for o in range(len(w.operators)):
        op = w.operators[o]
        op.raised_year *= 11.0 / 12.0
        if op.status == OperatorStatus.DEFAULTED:
            continue
        op.status = OperatorStatus.HEALTHY if op.arrears <= 0.0 else OperatorStatus.STRESSED
        if op.status != OperatorStatus.HEALTHY or op.dscr < 1.0 or op.swept == 1:
            # Who cannot order has no use for more power, and no better one for what it has.
            op.wanted = 0.0
            op.power_value = 0.0
        elif (clock.month + o) % terms.credit_order_interval == 0:
            place_order(w, clock, o, op)


@rule
def pay_out_excess(w, clock):
    """Pay part of the cash that sound operators need neither for commitments, reserves nor growth to their owners (USD)."""
    terms = w.terms[0]
    for op in w.operators:
        if op.status != OperatorStatus.HEALTHY or op.swept == 1:
            continue
        excess = (
            op.cash
            - op.committed
            - terms.credit_payout_reserve * reserve_cash(op, terms.credit_cash_reserve)
            - terms.credit_growth_cash * op.site_power
        )
        if excess > 0.0:
            paid = terms.credit_payout * excess
            op.cash -= paid
            w.book[Flow.PAYOUT] += paid
