"""How a lender funds itself: deposits, warehouse lines, equity, and the terms it offers next month."""

from __future__ import annotations

from agents.lenders.offers import lending_cap, reset_advance
from agents.rule import rule
from agents.tables.ledger import Flow
from agents.tables.lenders import LenderKind, LenderStatus
from agents.tables.lines import repay_line


@rule
def pay_funding(w, lender, clock):
    """Pay a month's interest on deposits and holding costs of seized hardware that stands idle (USD)."""
    terms = w.terms[0]
    interest = min(lender.cash, lender.deposits * terms.funding_deposit_rate / 12.0)
    lender.cash -= interest
    w.book[Flow.DEPOSIT_INTEREST] += interest
    holding = min(lender.cash, terms.market_holding_cost * lender.idle_value)
    lender.cash -= holding
    w.book[Flow.HOLDING] += holding


@rule
def pay_lines(w, clock):
    """Pay a month's interest on warehouse lines (USD); closed ones, drawn or not, open again when both sides are sound."""
    terms = w.terms[0]
    for line in w.lines:
        debtor = w.lenders[line.debtor]
        creditor = w.lenders[line.creditor]
        if line.drawn > 0.0:
            usd = min(debtor.cash, line.drawn * (terms.credit_base_rate + terms.funding_line_spread) / 12.0)
            debtor.cash -= usd
            creditor.cash += usd
            w.book[Flow.LINE_INTEREST] += usd
        if (
            line.open == 0
            and creditor.status == LenderStatus.ACTIVE
            and creditor.kind != LenderKind.OUTSIDE
            and debtor.status == LenderStatus.ACTIVE
        ):
            sound = (
                creditor.capital_ratio >= terms.funding_line_health * creditor.capital_target
                and debtor.capital_ratio >= terms.funding_line_health * debtor.capital_target
            )
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
        usd = min(need, base, line.limit - line.drawn, w.terms[0].funding_cash_share * creditor.cash)
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
    assets = lender.cash + lender.book - lender.allowance + lender.lent_lines + lender.seized_claim
    want = terms.funding_delivery_buffer * due + terms.funding_liquidity * (
        lender.deposits * lender.runnable + lender.borrowed
    )
    want = min(want, lender.committed + assets)
    need = want - lender.cash
    calm = (
        lender.capital_ratio > lender.capital_minimum
        and clock.haircut < terms.funding_haircut + terms.funding_calm_rise
    )
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
        spare = -terms.funding_return_share * need
        for k in range(w.line_ptr[j], w.line_ptr[j + 1]):
            line = w.lines[k]
            if line.drawn > 0.0 and spare > 1.0:
                usd = min(spare, line.drawn)
                repay_line(w, line, usd)
                spare -= usd
        back = (
            min(spare, lender.deposits)
            if lender.capital_ratio < terms.funding_return_capital * lender.capital_target
            else 0.0
        )
        lender.cash -= back
        lender.deposits -= back
        w.book[Flow.DEPOSIT_OUT] += back
    set_capital(w, clock, lender, terms, calm)


@rule
def set_capital(w, clock, lender, terms, calm):
    """Raise equity when the capital ratio is short and times are calm; pay out what exceeds need (USD)."""
    assets = lender.cash + lender.book - lender.allowance + lender.lent_lines + lender.seized_claim
    aim = lender.capital_target * (assets + lender.committed)
    if lender.equity < aim and calm:
        raised = min(aim - lender.equity, terms.funding_equity_speed * max(0.0, lender.equity))
        lender.cash += raised
        lender.equity += raised
        w.book[Flow.LENDER_EQUITY_IN] += raised
    elif lender.equity > terms.funding_payout_threshold * aim and clock.month >= terms.funding_payout_first_month:
        paid = min(
            terms.funding_payout * (lender.equity - terms.funding_payout_threshold * aim) / 12.0,
            terms.funding_cash_share * lender.cash,
        )
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
def pay_premium(w, lender, terms):
    """Pay the month's premium of residual-value insurance on the lender's claims (USD), as far as its cash goes.

    Insurers without capacity insure nothing and are paid nothing.
    """
    if terms.policy_insurance_coverage > 0.0 and terms.policy_insurance_capacity > 0.0:
        usd = min(lender.cash, terms.policy_insurance_premium / 12.0 * lender.book)
        lender.cash -= usd
        w.book[Flow.INSURANCE_PREMIUM] += usd


@rule
def fund_lenders(w, clock):
    """Let each lender pay for its funding, keep liquid and capitalised, and set the advance rate that it offers next month."""
    terms = w.terms[0]
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
        # Allowances that are given back take from the year's losses as they added to them.
        lender.losses_year = max(0.0, lender.losses_year * 11.0 / 12.0 + lender.losses_month)
        lender.losses_month = 0.0
        pay_premium(w, lender, terms)
        reset_advance(lender, clock.haircut, terms, cap)
