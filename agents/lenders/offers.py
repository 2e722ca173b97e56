"""What a lender offers: the size and term of a loan, its covenant, its room to lend, its renewal of what falls due."""

from __future__ import annotations

from agents.rule import rule
from agents.tables.lenders import LenderKind, LenderStatus
from agents.tables.loans import LoanKind
from agents.tables.operators import mark_own
from agents.valuation import believed_decline, economic_life, monthly_rent, power_of

#: Shortest amortisation that matching it to the life of a chip asks for (months): less would be a sale.
_SHORTEST = 12.0
#: The growth of debt that a countercyclical cap looks at is over a year, as last published (months).
_YEAR = 12
#: Between target and minimum capital ratio there is at least this, to divide by.
_NARROW = 1e-6


@rule
def covenant_of(terms, opening_ltv):
    """Return the covenant LTV of a loan: opening LTV plus a margin, capped, but never at the opening LTV itself."""
    margin = terms.credit_covenant_margin
    capped = min(terms.credit_covenant_cap, opening_ltv + margin)
    return max(capped, opening_ltv + min(margin, terms.credit_covenant_least))


@rule
def set_covenant(loan, lender, terms, cost, market):
    """Book the collateral of a new loan and set its covenant LTV: opening LTV plus a margin, capped, but never at the opening LTV itself.

    ``cost`` and ``market`` are the financed cost and the appraisal of what secures it (USD).
    """
    phi = lender.mark_to_market
    loan.collateral = max(1.0, (1.0 - phi) * cost + phi * market)
    loan.opening_ltv = loan.principal / loan.collateral
    loan.covenant_ltv = covenant_of(terms, loan.opening_ltv)


@rule
def sized_loan(lender, terms, cost, rent, expense, rate, term):
    """Return the loan (USD a unit) that a lender grants against one chip: least of LTV and DSCR sizing.

    ``term`` is the amortisation in months. The lender projects the rent (USD/month) to fall by 1/life a month: mean net rent over ``credit.projection`` months, over
    DSCR_min (rate/12 + 1/term). A long underwriting life raises both terms of the fraction in the loan's favour.
    """
    q = 1.0 - 1.0 / lender.life
    months = terms.credit_projection
    mean = rent * q * (1.0 - power_of(q, months)) / (float(months) * (1.0 - q)) - expense
    service = lender.min_dscr * (rate / 12.0 + 1.0 / term)
    return max(0.0, min(lender.advance_rate * cost, mean / service))


@rule
def lending_room(lender, terms):
    """Return what the lender can still commit this month (USD): capital, monthly growth, and caution by degrees."""
    if lender.status != LenderStatus.ACTIVE or lender.kind == LenderKind.OUTSIDE or lender.equity <= 0.0:
        return 0.0
    capacity = lender.equity / lender.capital_target
    assets = lender.book - lender.allowance + lender.seized_claim + lender.lent_lines + lender.committed
    room = min(capacity - assets, terms.funding_growth_limit * capacity - lender.lent_month)
    # Between the target and the minimum capital ratio the room closes by degrees, not at once.
    span = max(_NARROW, lender.capital_target - lender.capital_minimum)
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
def lends_on_contracts(op, terms):
    """Return whether an operator borrows on contracted cash flow: so much of its capacity is let that lenders look at that."""
    return op.contract_share >= terms.credit_term_contracts


@rule
def loan_term(w, clock, op, lender, chip):
    """Return the months over which a new loan amortises.

    The lender's underwriting life, a term loan's term at most; when amortisation must match it, at most the economic life
    of the chip to the best user.
    """
    terms = w.terms[0]
    longest = min(lender.life, terms.credit_term_months) if lends_on_contracts(op, terms) else lender.life
    if terms.policy_matched_amortisation == 0:
        return longest
    rent = monthly_rent(
        clock.rent, terms.rental_hours, chip.performance, terms.marks_reference_utilisation, terms.rental_overhead
    )
    d = believed_decline(
        terms.marks_reference_decline,
        terms.marks_reference_weight,
        clock.trend,
        terms.marks_decline_floor,
        terms.marks_decline_cap,
    )
    cost = terms.marks_reference_hosting * chip.power
    life = economic_life(rent, cost, d, terms.marks_reference_hurdle, terms.marks_asset_life, chip.scrap)
    return min(longest, max(_SHORTEST, life))


@rule
def lending_cap(w, clock, terms):
    """Return the factor that policies put on advance rates: the countercyclical cap and disclosure.

    Cap: 1 - slope (debt growth over twelve months - neutral growth). Disclosure: 1 - weight (1 - 1/executable LTV
    of the largest borrower), as last published.
    """
    factor = 1.0
    if terms.policy_ltv_slope > 0.0 and clock.month > _YEAR:
        before = w.panel[clock.month - 1 - _YEAR].debt
        growth = w.panel[clock.month - 1].debt / before - 1.0 if before > 1.0 else 0.0
        factor *= max(0.0, 1.0 - terms.policy_ltv_slope * max(0.0, growth - terms.policy_ltv_growth))
    if terms.policy_disclosure > 0.0 and clock.month >= 1:
        published = w.panel[clock.month - 1].largest_executable_ltv
        factor *= 1.0 - terms.policy_disclosure * (1.0 - 1.0 / max(1.0, published))
    return factor


@rule
def rolled_part(loan, op, lender, terms, clock):
    """Return the principal (USD) that the creditor would renew now.

    Equipment: everything while all secured lenders would rather wait; else LTV offered now on its mark, shrinking by degrees with a DSCR below the least; nothing from a
    failed or illiquid lender or from outside investors. Coin loans: at the opening LTV. Notes are refinanced
    in the open market outside bitcoin stress while debt is moderate.
    """
    if loan.kind == LoanKind.EQUIPMENT:
        if op.hold == 1:
            return loan.principal
        if lender.status != LenderStatus.ACTIVE or lender.kind == LenderKind.OUTSIDE:
            return 0.0
        floor = terms.credit_rollover_floor
        cover = min(1.0, max(0.0, (op.dscr - floor) / (terms.credit_rollover_dscr - floor)))
        capital = (
            min(1.0, max(0.0, lender.capital_ratio / lender.capital_minimum)) if lender.capital_minimum > 0.0 else 1.0
        )
        return min(loan.principal, capital * cover * terms.credit_rollover_ltv * lender.advance_rate * loan.collateral)
    if loan.kind == LoanKind.MARGIN:
        return (
            min(loan.principal, terms.notes_margin_ltv * loan.coins * clock.btc)
            if lender.status == LenderStatus.ACTIVE
            else 0.0
        )
    if clock.stress_coin == 1 or op.debt > terms.notes_limit * mark_own(op, clock):
        return 0.0
    return loan.principal
