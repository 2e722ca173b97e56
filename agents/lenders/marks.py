"""How a lender marks collateral and provides for losses."""

from __future__ import annotations

from agents.rule import rule
from agents.tables.lenders import note_loss
from agents.tables.loans import LoanKind, LoanStatus


@rule
def mark_lot(lender, lot, chip, month):
    """Return the lender's mark of one unit (USD): (1-phi) model value + phi appraisal, at least scrap.

    The model value writes the financed cost off in a straight line over the lender's underwriting life.
    """
    model = lot.cost * max(0.0, 1.0 - (month - lot.vintage) / lender.life)
    phi = lender.mark_to_market
    return max(chip.scrap, (1.0 - phi) * model + phi * chip.appraisal)


@rule
def orderly_price(chip, terms):
    """Return what rents and list prices say that an orderly sale brings (USD/GPU): value in use, at parity, less a calm premium."""
    return max(chip.scrap, min(chip.parity, chip.fundamental * (1.0 - terms.market_risk_premium)))


@rule
def loan_allowance(loan, lender, terms):
    """Return the loss allowance on a claim (USD).

    Defaulted: all of it; hardware seized for it is carried as such (see :func:`seized_at`). Called or swept: a share of the
    shortfall; performing: a smaller share, by the lender's mark-to-market weight.
    """
    if loan.status == LoanStatus.DEFAULTED:
        return loan.principal
    if loan.kind != LoanKind.EQUIPMENT:
        return 0.0
    short = max(0.0, loan.principal - loan.collateral)
    if loan.status == LoanStatus.CALLED or loan.sweep == 1:
        return terms.funding_impairment_called * short
    return terms.funding_impairment_market * lender.mark_to_market * short


@rule
def provide(w, clock):
    """Set allowances, carrying values of seized hardware, eligible collateral and equity of every lender (USD).

    Adds to the losses of the month by how much the allowance less the carrying value has changed, however often it is
    set; what is lost for good is booked where it is lost (see :func:`agents.tables.lenders.lose`).
    """
    terms = w.terms[0]
    for lender in w.lenders:
        # Until the loop is through, losses_month holds minus the old net allowance.
        lender.losses_month -= lender.allowance - lender.seized_claim
        lender.allowance = 0.0
        lender.seized_claim = 0.0
        lender.eligible = 0.0
    for k in range(clock.used_loans):
        loan = w.loans[k]
        if loan.status == LoanStatus.FREE:
            continue
        lender = w.lenders[loan.lender]
        loss = loan_allowance(loan, lender, terms)
        carried = seized_at(loan)
        lender.allowance += loss
        lender.seized_claim += carried
        if loan.status == LoanStatus.PERFORMING and loan.kind == LoanKind.EQUIPMENT:
            lender.eligible += min(loan.principal, loan.collateral)
        elif loan.last_event >= 0 and w.events[loan.last_event].month == clock.month:
            note_loss(lender, loss - carried, loan.last_event)
    for lender in w.lenders:
        lender.losses_month += lender.allowance - lender.seized_claim
        assets = lender.cash + lender.book - lender.allowance + lender.seized_claim + lender.lent_lines
        lender.equity = assets - lender.deposits - lender.borrowed
        lender.capital_ratio = lender.equity / assets if assets > 1.0 else 1.0


@rule
def seized_at(loan):
    """Return the carrying value of the hardware seized for a claim (USD): its mark, never more than the claim."""
    return min(loan.principal, loan.collateral) if loan.status == LoanStatus.DEFAULTED else 0.0


@rule
def count_unsold(w, clock):
    """Write the units offered by force and not sold (GPU), by generation."""
    n_lo = len(w.lenders) + len(w.operators)
    for chip in w.chips:
        chip.unsold = 0.0
    for k in range(clock.used_lots):
        lot = w.lots[k]
        if lot.owner >= 0 and lot.owner < n_lo and lot.offered > 0.0:
            w.chips[lot.chip].unsold += lot.offered


@rule
def revalue(w, clock):
    """Write each loan's collateral and each lender's seized hardware at the lender's mark (USD)."""
    n_l = len(w.lenders)
    for lender in w.lenders:
        lender.seized_value = 0.0
        lender.idle_value = 0.0
    for k in range(clock.used_loans):
        if w.loans[k].status != LoanStatus.FREE:
            w.loans[k].collateral = 0.0
    for k in range(clock.used_lots):
        lot = w.lots[k]
        if lot.owner >= 0 and (lot.loan >= 0 or lot.owner < n_l):
            j = w.loans[lot.loan].lender if lot.loan >= 0 else lot.owner
            value = lot.units * mark_lot(w.lenders[j], lot, w.chips[lot.chip], clock.month)
            if lot.loan >= 0:
                w.loans[lot.loan].collateral += value
            if lot.owner < n_l:
                w.lenders[lot.owner].seized_value += value
                if lot.site < 0:
                    w.lenders[lot.owner].idle_value += value
