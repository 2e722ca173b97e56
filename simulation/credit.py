"""Primary credit: who orders, who lends how much, how lenders fund it, notes of miners, equity and payouts."""

from __future__ import annotations

import math

from agents.contracts import LoanKind, open_loan
from agents.ledger import Fault, Flow
from agents.lenders import LenderKind, LenderStatus, lending_room, reset_advance, sized_loan
from agents.operators import OperatorKind, OperatorStatus, free_units, mark_own, occupy, reserve_cash, spare_cash
from agents.rule import rule
from agents.valuation import believed_decline, economic_life, monthly_rent, value_in_use
from simulation.funding import repay_line

#: Lenders that a miner asks for a coin loan.
_TRIES = 64


@rule
def choose_chip(w, clock, o, op):
    """Return the generation with the best value over cost that the operator would order new, -1 none.

    Value at the operator's own (extrapolative) expectations; contracted hours count as always sold at the
    contract price; a pre-drawn taste keeps not everybody on one generation.
    """
    terms = w.terms[0]
    d = believed_decline(op.decline, op.own_weight, clock.trend, terms.marks_decline_floor, terms.marks_decline_cap)
    share = op.contract_share * terms.rental_contract_discount + (1.0 - op.contract_share) * op.utilisation
    best = 1.0
    choice = -1
    for g in range(len(w.chips)):
        chip = w.chips[g]
        if clock.month < chip.release or clock.month >= chip.end_of_sale:
            continue
        rent = monthly_rent(clock.rent, terms.rental_hours, chip.performance, share, terms.rental_overhead)
        value = value_in_use(
            rent, op.hosting * chip.power, d, op.hurdle, terms.marks_asset_life, terms.credit_delivery_lag, chip.scrap
        )
        ratio = value / (chip.list_price * (1.0 + terms.credit_soft_cost))
        if ratio > 1.0:
            ratio *= math.exp(w.taste[o, g])
            if ratio > best:
                best = ratio
                choice = g
    return choice


@rule
def loan_term(w, clock, lender, chip):
    """Return the months over which a new loan amortises: the lender's underwriting life, or, when amortisation must
    match it, at most the economic life of the chip to the best user."""
    terms = w.terms[0]
    if terms.policy_matched_amortisation == 0:
        return lender.life
    rent = monthly_rent(clock.rent, terms.rental_hours, chip.performance, terms.marks_reference_utilisation, terms.rental_overhead)
    d = believed_decline(
        terms.marks_reference_decline, terms.marks_reference_weight, clock.trend, terms.marks_decline_floor, terms.marks_decline_cap
    )
    cost = terms.marks_reference_hosting * chip.power
    life = economic_life(rent, cost, d, terms.marks_reference_hurdle, terms.marks_asset_life, chip.scrap)
    return min(lender.life, max(12.0, life))


@rule
def choose_lender(w, clock, o, op, chip, cost, owed):
    """Return (lender, advance in USD a unit, rate a year, room in USD) of the best offer it can get; lender -1 none.

    Room is what capital, growth and the single-name limit leave.

    Offers are ranked by principal over cost less twice the spread.
    """
    terms = w.terms[0]
    best = -1e9
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
        offer_rate = terms.credit_base_rate + lender.spread + 0.1 * max(0.0, 1.0 - lender.advance_rate / lender.max_ltv)
        offer = sized_loan(lender, cost, rent, op.hosting * chip.power, offer_rate, loan_term(w, clock, lender, chip))
        score = offer / cost - 2.0 * (offer_rate - terms.credit_base_rate)
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
def good_times(clock, op):
    """Return 1 in calm and rising times, less when rents fall, 0 in stress: what equity markets go by."""
    if clock.stress_demand == 1 or (op.kind == OperatorKind.MINER and clock.stress_coin == 1):
        return 0.0
    return min(1.5, max(0.0, 1.0 - 20.0 * clock.trend))


@rule
def raise_equity(w, clock, op, need):
    """Raise up to ``need`` USD of equity outside: pro-cyclical, limited by the operator's own equity; return it."""
    terms = w.terms[0]
    worth = max(0.0, mark_own(op, clock) - op.debt) * terms.credit_order_interval
    raised = min(need, terms.credit_equity_speed * worth * good_times(clock, op))
    if raised <= 0.0:
        return 0.0
    op.cash += raised
    op.raised_year += raised
    clock.equity_raised += raised
    w.book[Flow.EQUITY_IN] += raised
    return raised


@rule
def place_order(w, clock, o, op):
    """Order new chips: value above cost, power, equity and a lender permitting; pay the deposit (USD, GPU)."""
    terms = w.terms[0]
    g = choose_chip(w, clock, o, op)
    if g < 0:
        return
    chip = w.chips[g]
    cost = chip.list_price * (1.0 + terms.credit_soft_cost)
    room = min(free_units(op, chip), terms.credit_growth_limit * max(op.used_power, 0.05 * op.site_power) / chip.power)
    lender_id, advance, rate, lendable = choose_lender(w, clock, o, op, chip, cost, w.scratch[0])
    if advance > 0.0:
        room = min(room, lendable / advance)
    own = cost - advance
    have = max(0.0, spare_cash(op, terms) - op.committed)
    if have < room * own:
        have += raise_equity(w, clock, op, room * own - have)
        if op.kind == OperatorKind.MINER and have < room * own:
            have += pledge_coins(w, clock, o, op, room * own - have)
    units = min(room, have / own) if own > 1.0 else room
    deposit = units * terms.credit_deposit * cost
    if units * cost < 1e5 or deposit > op.cash:
        return
    k = clock.free_order
    if k < 0:
        clock.fault = Fault.ORDERS_FULL
        return
    order = w.orders[k]
    clock.free_order = order.following
    clock.used_orders = max(clock.used_orders, k + 1)
    order.operator = o
    order.lender = lender_id
    order.chip = g
    order.units = units
    order.cost = cost
    order.advance = advance
    order.rate = rate
    order.life = loan_term(w, clock, w.lenders[lender_id], chip) if lender_id >= 0 else 1.0
    order.due = clock.month + terms.credit_delivery_lag
    op.cash -= deposit
    w.book[Flow.VENDOR_DEPOSIT] += deposit
    op.committed += max(0.0, units * (cost * (1.0 - terms.credit_deposit) - advance))
    occupy(op, chip, units)
    if lender_id >= 0:
        w.lenders[lender_id].committed += units * advance
        w.lenders[lender_id].lent_month += units * advance
        clock.new_commitments += units * advance


@rule
def pledge_coins(w, clock, o, op, need):
    """Borrow against part of the bitcoin treasury from a coin lender (margin loan); return the cash (USD)."""
    terms = w.terms[0]
    if clock.stress_coin == 1:
        return 0.0
    coins = terms.miners_pledge * op.btc
    usd = min(need, terms.notes_margin_ltv * coins * clock.btc)
    last = len(w.lenders) - 2
    for step in range(min(_TRIES, last + 1)):
        # Crypto lenders take coins as collateral; they stand last. The first that is sound decides.
        j = last - step
        lender = w.lenders[j]
        if lender.kind != LenderKind.CRYPTO_LENDER or lender.status != LenderStatus.ACTIVE:
            continue
        usd = min(usd, lending_room(lender, terms), 0.5 * lender.cash)
        if usd < 1e5:
            return 0.0
        rate = terms.credit_base_rate + terms.notes_margin_spread
        k = open_loan(w.loans, clock, LoanKind.MARGIN, j, o, usd, rate, 0.0, clock.month + 12)
        if k < 0:
            return 0.0
        coins = usd / (terms.notes_margin_ltv * clock.btc)
        w.loans[k].coins = coins
        op.btc -= coins
        pay_out_loan(lender, op, usd, w.book)
        lender.lent_month += usd
        clock.new_notes += usd
        return usd
    return 0.0


@rule
def pay_out_loan(lender, op, usd, book):
    """Move a loan's principal from lender to borrower (USD)."""
    lender.cash -= usd
    lender.book += usd
    op.cash += usd
    op.debt += usd
    book[Flow.LOAN_DRAW] += usd


@rule
def issue_notes(w, clock):
    """Miners issue convertible notes to outside investors in calm times and spend part of the proceeds on coins."""
    terms = w.terms[0]
    outside = len(w.lenders) - 1
    if clock.stress_coin == 1 or clock.month < terms.notes_first_month:
        return
    for o in range(len(w.operators)):
        op = w.operators[o]
        if op.kind != OperatorKind.MINER or op.status != OperatorStatus.HEALTHY or (clock.month + o) % terms.notes_interval != 0:
            continue
        worth = op.btc * clock.btc + op.eth * clock.eth + op.rig_value
        usd = min(terms.notes_size * worth, terms.notes_issue_limit * mark_own(op, clock) - op.debt)
        if usd < 1e6:
            continue
        k = open_loan(w.loans, clock, LoanKind.CONVERTIBLE, outside, o, usd, terms.notes_coupon, 0.0, clock.month + terms.notes_term)
        if k < 0:
            return
        w.lenders[outside].cash += usd
        w.book[Flow.LENDER_EQUITY_IN] += usd
        pay_out_loan(w.lenders[outside], op, usd, w.book)
        spent = terms.notes_coin_share * usd
        op.cash -= spent
        op.btc += spent / clock.btc
        w.book[Flow.COIN_PURCHASE] += spent
        clock.new_notes += usd


@rule
def pay_funding(w, lender, clock):
    """Pay a month's interest on deposits and holding costs of seized hardware (USD)."""
    terms = w.terms[0]
    interest = min(lender.cash, lender.deposits * terms.funding_deposit_rate / 12.0)
    lender.cash -= interest
    w.book[Flow.DEPOSIT_INTEREST] += interest
    holding = min(lender.cash, terms.market_holding_cost * lender.seized_value)
    lender.cash -= holding
    w.book[Flow.HOLDING] += holding


@rule
def pay_lines(w, clock):
    """Pay a month's interest on warehouse lines (USD)."""
    terms = w.terms[0]
    for line in w.lines:
        if line.drawn <= 0.0:
            continue
        debtor = w.lenders[line.debtor]
        usd = min(debtor.cash, line.drawn * (terms.credit_base_rate + terms.funding_line_spread) / 12.0)
        debtor.cash -= usd
        w.lenders[line.creditor].cash += usd
        w.book[Flow.LINE_INTEREST] += usd
        creditor = w.lenders[line.creditor]
        if line.open == 0 and creditor.status == LenderStatus.ACTIVE and creditor.kind != LenderKind.OUTSIDE and debtor.status == LenderStatus.ACTIVE:
            sound = creditor.capital_ratio >= 0.9 * creditor.capital_target and debtor.capital_ratio >= 0.9 * debtor.capital_target
            line.open = 1 if sound else 0


@rule
def draw_lines(w, j, lender, need, haircut):
    """Draw on open lines for up to ``need`` USD: limit, borrowing base, and the creditor's cash permitting."""
    base = max(0.0, (1.0 - haircut) * lender.eligible - lender.borrowed)
    # New loans become eligible as they are drawn, so that the base grows with the use of the money.
    base += (1.0 - haircut) * min(need, lender.committed)
    for k in range(w.line_ptr[j], w.line_ptr[j + 1]):
        line = w.lines[k]
        if line.open == 0 or need <= 0.0:
            continue
        creditor = w.lenders[line.creditor]
        if creditor.status != LenderStatus.ACTIVE or creditor.capital_ratio < creditor.capital_minimum:
            continue
        usd = min(need, base, line.limit - line.drawn, 0.5 * creditor.cash)
        if usd <= 0.0:
            continue
        line.drawn += usd
        lender.borrowed += usd
        lender.cash += usd
        creditor.lent_lines += usd
        creditor.cash -= usd
        w.book[Flow.LINE_DRAW] += usd
        need -= usd
        base -= usd


@rule
def fund_lender(w, clock, j, lender, haircut, due):
    """Keep a lender liquid and near its target capital ratio: lines, deposits, equity; give back what is not needed.

    It raises what falls due at the next deliveries (``due``, USD) and what its liquidity needs, and only then; excess cash repays lines, then deposits,
    then owners.
    """
    terms = w.terms[0]
    assets = lender.cash + lender.book - lender.allowance + lender.lent_lines + lender.seized_value
    want = 1.05 * due + terms.funding_liquidity * (lender.deposits * lender.runnable + lender.borrowed)
    want = min(want, lender.committed + assets)
    need = want - lender.cash
    calm = lender.capital_ratio > lender.capital_minimum and clock.haircut < terms.funding_haircut + 0.2
    if need > 0.0:
        draw_lines(w, j, lender, need, haircut)
        need = want - lender.cash
        if need > 0.0 and calm:
            room = max(0.0, lender.equity / lender.capital_target - assets)
            inflow = min(need, room, terms.funding_inflow * max(lender.deposits, lender.equity))
            lender.cash += inflow
            lender.deposits += inflow
            w.book[Flow.DEPOSIT_IN] += inflow
    else:
        spare = -0.5 * need
        for k in range(w.line_ptr[j], w.line_ptr[j + 1]):
            line = w.lines[k]
            if line.drawn > 0.0 and spare > 1.0:
                usd = min(spare, line.drawn)
                repay_line(w, line, usd)
                spare -= usd
        back = min(spare, lender.deposits) if lender.capital_ratio < 2.0 * lender.capital_target else 0.0
        lender.cash -= back
        lender.deposits -= back
        w.book[Flow.DEPOSIT_OUT] += back
    set_capital(w, clock, lender, terms, calm)


@rule
def set_capital(w, clock, lender, terms, calm):
    """Raise equity when the capital ratio is short and times are calm; pay out what exceeds need (USD)."""
    assets = lender.cash + lender.book - lender.allowance + lender.lent_lines + lender.seized_value
    aim = lender.capital_target * (assets + lender.committed)
    if lender.equity < aim and calm:
        raised = min(aim - lender.equity, terms.funding_equity_speed * max(0.0, lender.equity))
        lender.cash += raised
        lender.equity += raised
        w.book[Flow.LENDER_EQUITY_IN] += raised
    elif lender.equity > 1.1 * aim and clock.month >= 12:
        paid = min(terms.funding_payout * (lender.equity - 1.1 * aim) / 12.0, 0.5 * lender.cash)
        lender.cash -= paid
        lender.equity -= paid
        w.book[Flow.LENDER_PAYOUT] += paid


@rule
def count_deliveries(w, clock, due):
    """Sum by lender what it must pay out next month on its commitments (USD)."""
    for j in range(len(w.lenders)):
        due[j] = 0.0
    for k in range(clock.used_orders):
        order = w.orders[k]
        if order.operator >= 0 and order.lender >= 0 and order.due <= clock.month + 1:
            due[order.lender] += order.units * order.advance


@rule
def lending_cap(w, clock, terms):
    """Return the factor that policies put on advance rates: the countercyclical cap and disclosure.

    Cap: 1 - slope (debt growth over twelve months - neutral growth). Disclosure: 1 - weight (1 - 1/executable LTV
    of the largest borrower), as last published.
    """
    factor = 1.0
    if terms.policy_ltv_slope > 0.0 and clock.month >= 13:
        before = w.panel[clock.month - 13].debt
        growth = w.panel[clock.month - 1].debt / before - 1.0 if before > 1.0 else 0.0
        factor *= max(0.0, 1.0 - terms.policy_ltv_slope * max(0.0, growth - terms.policy_ltv_growth))
    if terms.policy_disclosure > 0.0 and clock.month >= 1:
        published = w.panel[clock.month - 1].largest_executable_ltv
        factor *= 1.0 - terms.policy_disclosure * (1.0 - 1.0 / max(1.0, published))
    return factor


@rule
def pay_premium(w, lender, terms):
    """Pay the month's premium of residual-value insurance on the lender's claims (USD), as far as its cash goes."""
    if terms.policy_insurance_coverage > 0.0:
        usd = min(lender.cash, terms.policy_insurance_premium / 12.0 * lender.book)
        lender.cash -= usd
        w.book[Flow.INSURANCE_PREMIUM] += usd


@rule
def fund_lenders(w):
    """Phase "fund": interest on funding, liquidity, capital, and the advance rates offered next month."""
    clock = w.clock[0]
    terms = w.terms[0]
    pay_lines(w, clock)
    count_deliveries(w, clock, w.scratch[0])
    cap = lending_cap(w, clock, terms)
    for j in range(len(w.lenders)):
        lender = w.lenders[j]
        if lender.kind == LenderKind.OUTSIDE:
            # Outside investors hold no cash: receipts go out, as their payments come in.
            w.book[Flow.LENDER_PAYOUT] += lender.cash
            lender.cash = 0.0
            continue
        if lender.status == LenderStatus.FAILED:
            continue
        if lender.status == LenderStatus.ILLIQUID:
            lender.status = LenderStatus.ACTIVE
        pay_funding(w, lender, clock)
        fund_lender(w, clock, j, lender, clock.haircut, w.scratch[0, j])
        lender.losses_year = lender.losses_year * 11.0 / 12.0 + max(0.0, lender.losses_month)
        pay_premium(w, lender, terms)
        reset_advance(lender, clock.haircut, terms, cap)


@rule
def order_month(w):
    """Phase "credit": orders of new chips and the loans committed for them; notes of miners; payouts."""
    clock = w.clock[0]
    terms = w.terms[0]
    count_names(w, clock, w.scratch[0])
    for o in range(len(w.operators)):
        op = w.operators[o]
        op.raised_year *= 11.0 / 12.0
        if op.status == OperatorStatus.DEFAULTED:
            continue
        op.status = OperatorStatus.HEALTHY if op.arrears <= 0.0 else OperatorStatus.STRESSED
        if op.status == OperatorStatus.HEALTHY and op.dscr >= 1.0 and (clock.month + o) % terms.credit_order_interval == 0:
            place_order(w, clock, o, op)
        excess = op.cash - op.committed - 2.0 * reserve_cash(op, terms.credit_cash_reserve) - terms.credit_growth_cash * op.site_power
        if excess > 0.0 and op.status == OperatorStatus.HEALTHY:
            paid = terms.credit_payout * excess
            op.cash -= paid
            w.book[Flow.PAYOUT] += paid
    issue_notes(w, clock)
