"""Lenders: banks, private-credit funds, insurers, warehouse-funded funds, crypto lenders, outside investors."""

from __future__ import annotations

from enum import IntEnum

from agents.rule import rule
from agents.schema import Table, code, f, i, labels
from agents.valuation import power_of


class LenderKind(IntEnum):
    """Kinds of lender."""

    BANK = 0
    PRIVATE_CREDIT = 1
    INSURER = 2
    BDC = 3
    CRYPTO_LENDER = 4
    OUTSIDE = 5


class LenderStatus(IntEnum):
    """States of a lender."""

    ACTIVE = 0
    ILLIQUID = 1
    FAILED = 2


LENDER_KINDS = labels(LenderKind)

LENDER = Table(
    "lenders",
    "Who lends to operators and to other lenders. The last row is the outside investors: they hold convertibles, "
    "buy the books of failed lenders, never lend secured and pay everything out.",
    (
        code("kind", "kind of lender", LenderKind),
        code("status", "state", LenderStatus),
        f("cash", "USD", "cash"),
        f("deposits", "USD", "deposits, policies or redeemable fund units owed outside"),
        f("borrowed", "USD", "drawn on warehouse lines from other lenders"),
        f("lent_lines", "USD", "drawn by other lenders on lines it provides"),
        f("book", "USD", "claims on operators, defaulted ones included"),
        f("allowance", "USD", "loss allowance against the book"),
        f("seized_value", "USD", "own mark of seized hardware"),
        f("seized_units", "GPU", "seized hardware held"),
        f("equity", "USD", "assets less liabilities at own marks"),
        f("capital_ratio", "ratio", "equity over assets"),
        f("max_ltv", "ratio", "advance rate: loan over cost at origination, in calm times"),
        f("min_dscr", "ratio", "least projected debt-service coverage"),
        f("spread", "1/year", "credit spread over the base rate"),
        f("life", "month", "underwriting life of the collateral"),
        f("mark_to_market", "share", "weight of the appraisal in its mark (0 mark to model, 1 mark to market)"),
        f("capital_target", "ratio", "capital ratio it aims at"),
        f("capital_minimum", "ratio", "capital ratio below which it stops lending"),
        f("patience", "ratio", "reserve price of seized hardware over its mark, when fresh"),
        f("name_limit", "ratio", "largest exposure to one borrower over equity and deposits"),
        f("runnable", "share", "share of deposits that can leave at notice"),
        f(
            "run_speed",
            "1/month",
            "share of runnable deposits that leaves a month when the capital ratio is at half its target",
        ),
        f("rationing", "elasticity", "cut of the advance rate for a year's losses as a share of the book"),
        f("advance_rate", "ratio", "advance rate offered now"),
        f("losses_year", "USD", "losses of the last twelve months (exponentially weighted)"),
        f("losses", "USD", "losses since the start"),
        f("losses_month", "USD", "losses recognised this month"),
        f("lent_month", "USD", "new commitments this month"),
        f("committed", "USD", "undrawn commitments"),
        f("left_month", "USD", "deposits that left this month"),
        f("run_share", "share", "share of runnable deposits that asked to leave this month"),
        f("open_equity", "USD", "equity when the month opened"),
        f("call_due", "USD", "funding calls due this round"),
        f("eligible", "USD", "performing secured claims, each up to its collateral: what lines are drawn against"),
        i("call_event", "event", "the last funding call or run, -1 none", -1),
        i("failed_month", "month", "month of failure, -1 alive", -1),
        i("loss_event", "event", "event of the largest loss so far this month, -1 none", -1),
        f("loss_event_usd", "USD", "size of that loss"),
        i("last_event", "event", "last event of this lender, -1 none", -1),
    ),
)


@rule
def mark_lot(lender, lot, chip, month):
    """Return the lender's mark of one unit (USD): (1-phi) model value + phi appraisal, at least scrap.

    The model value writes the financed cost off in a straight line over the lender's underwriting life.
    """
    model = lot.cost * max(0.0, 1.0 - (month - lot.vintage) / lender.life)
    phi = lender.mark_to_market
    return max(chip.scrap, (1.0 - phi) * model + phi * chip.appraisal)


@rule
def set_covenant(loan, lender, terms, cost, market):
    """Book the collateral of a new loan and set its covenant LTV: opening LTV plus a margin, capped.

    ``cost`` and ``market`` are the financed cost and the appraisal of what secures it (USD).
    """
    phi = lender.mark_to_market
    loan.collateral = max(1.0, (1.0 - phi) * cost + phi * market)
    loan.opening_ltv = loan.principal / loan.collateral
    margin = terms.credit_covenant_margin
    loan.covenant_ltv = max(min(terms.credit_covenant_cap, loan.opening_ltv + margin), loan.opening_ltv + margin / 3.0)


@rule
def sized_loan(lender, cost, rent, expense, rate, term):
    """Return the loan (USD a unit) that a lender grants against one chip: least of LTV and DSCR sizing.

    ``term`` is the amortisation in months. The lender projects the rent (USD/month) to fall by 1/life a month: mean net rent over two years, over
    DSCR_min (rate/12 + 1/term). A long underwriting life raises both terms of the fraction in the loan's favour.
    """
    q = 1.0 - 1.0 / lender.life
    mean = rent * q * (1.0 - power_of(q, 24)) / (24.0 * (1.0 - q)) - expense
    service = lender.min_dscr * (rate / 12.0 + 1.0 / term)
    return max(0.0, min(lender.advance_rate * cost, mean / service))


@rule
def lending_room(lender, terms):
    """Return what the lender can still commit this month (USD): capital, monthly growth, and caution by degrees."""
    if lender.status != LenderStatus.ACTIVE or lender.kind == LenderKind.OUTSIDE or lender.equity <= 0.0:
        return 0.0
    capacity = lender.equity / lender.capital_target
    assets = lender.book - lender.allowance + lender.seized_value + lender.lent_lines + lender.committed
    room = min(capacity - assets, terms.funding_growth_limit * capacity - lender.lent_month)
    # Between the target and the minimum capital ratio the room closes by degrees, not at once.
    span = max(1e-6, lender.capital_target - lender.capital_minimum)
    caution = min(1.0, max(0.0, (lender.capital_ratio - lender.capital_minimum) / span))
    return max(0.0, room) * caution


@rule
def reset_advance(lender, haircut, terms, cap):
    """Set the advance rate offered: cut by the year's losses over the book, by the funding haircut and by policy.

    ``cap`` is the policy's factor on the advance rate of calm times.
    """
    loss_rate = lender.losses_year / max(1.0, lender.book + lender.losses_year)
    tight = max(0.0, haircut - terms.funding_haircut)
    cut = min(1.0, lender.rationing * loss_rate + tight)
    lender.advance_rate = cap * lender.max_ltv * (1.0 - cut)


@rule
def wants_out(lender, terms, share_failed):
    """Return the share of runnable deposits that asks to leave this month.

    Zero while the capital ratio is above ``run_trigger`` of its target, ``run_speed`` at half the target, in a
    straight line and beyond; failures of lenders of the same kind add to it.
    """
    if lender.deposits <= 0.0:
        return 0.0
    health = lender.capital_ratio / lender.capital_target
    trigger = terms.funding_run_trigger
    if health >= trigger:
        return min(1.0, terms.funding_run_contagion * share_failed * lender.run_speed)
    depth = (trigger - health) / max(0.05, trigger - 0.5)
    return min(1.0, lender.run_speed * (depth + terms.funding_run_contagion * share_failed))


@rule
def note_loss(lender, usd, event):
    """Book a credit loss (USD) and remember the event of the month's largest."""
    lender.losses_month += usd
    if usd > lender.loss_event_usd:
        lender.loss_event_usd = usd
        lender.loss_event = event
