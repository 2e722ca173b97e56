"""Balance sheets, loans and lots as they stand at the end of the month."""

from __future__ import annotations

from agents.rule import rule
from agents.tables.buyers import BuyerKind
from agents.tables.events import EventKind
from agents.tables.lenders import LenderKind, LenderStatus
from agents.tables.loans import LoanKind, LoanStatus
from agents.tables.operators import OperatorKind, OperatorStatus
from agents.valuation import believed_decline, economic_life, monthly_rent
from simulation.markets.auction import rank_down
from simulation.record.depth import _LARGEST, _LIFE, _PLEDGED, LEAST_PART

N_LENDER_KINDS = len(LenderKind)
N_BUYER_KINDS = len(BuyerKind)
#: Room below its covenant LTV that makes the headroom of a loan thin.
_THIN = 0.05


@rule
def measure_lives(w, clock, life):
    """Write the economic life of each generation (months): until the rent has fallen to the cost of the best user."""
    terms = w.terms[0]
    d = believed_decline(
        terms.marks_reference_decline,
        terms.marks_reference_weight,
        clock.trend,
        terms.marks_decline_floor,
        terms.marks_decline_cap,
    )
    for g in range(len(w.chips)):
        chip = w.chips[g]
        rent = monthly_rent(
            clock.rent, terms.rental_hours, chip.performance, terms.marks_reference_utilisation, terms.rental_overhead
        )
        life[g] = economic_life(
            rent,
            terms.marks_reference_hosting * chip.power,
            d,
            terms.marks_reference_hurdle,
            terms.marks_asset_life,
            chip.scrap,
        )


@rule
def loan_life(loan, month):
    """Return the months in which a loan is repaid at its scheduled amortisation; without one, those to its maturity."""
    return loan.principal / loan.amortisation if loan.amortisation > 0.0 else max(0.0, loan.maturity - month)


@rule
def record_loans(w, clock, row):
    """Write debt by kind, booked values, covenant headroom and life of debt; return the largest borrower (operator)
    and the performing secured debt (USD)."""
    life_usd = 0.0
    performing = 0.0
    for k in range(clock.used_loans):
        loan = w.loans[k]
        if loan.status == LoanStatus.FREE:
            continue
        op = w.operators[loan.borrower]
        if op.kind == OperatorKind.MINER:
            row.debt_miners += loan.principal
        if loan.kind == LoanKind.CONVERTIBLE:
            row.debt_convertible += loan.principal
        elif loan.kind == LoanKind.MARGIN:
            row.debt_margin += loan.principal
        else:
            row.debt += loan.principal
            if loan.status == LoanStatus.DEFAULTED:
                continue
            performing += loan.principal
            row.booked_value += loan.collateral
            if loan.principal > (loan.covenant_ltv - _THIN) * loan.collateral:
                row.headroom_thin += loan.principal
            if op.dscr < 1.0:
                row.dscr_below_one += loan.principal
            life_usd += loan.principal * loan_life(loan, clock.month)
    if performing > 0.0:
        row.booked_ltv = performing / max(LEAST_PART * performing, row.booked_value)
        row.headroom_thin /= performing
        row.dscr_below_one /= performing
        row.debt_life = life_usd / performing
    largest = 0
    for o in range(len(w.operators)):
        op = w.operators[o]
        if op.status != OperatorStatus.DEFAULTED and (
            w.operators[largest].status == OperatorStatus.DEFAULTED or op.debt > w.operators[largest].debt
        ):
            largest = o
    return largest, performing


@rule
def record_lots(w, clock, row, largest, debt):
    """Sum units by generation: pledged, pledged by the largest borrower (GPU); write the life of collateral,
    operators' contracts and buyers' hardware. One pass, because the table is the largest."""
    n_l = len(w.lenders)
    n_lo = n_l + len(w.operators)
    base = clock.month * (N_LENDER_KINDS + 2 + N_BUYER_KINDS) + N_LENDER_KINDS + 2
    oldest = w.terms[0].marks_asset_life - clock.month
    measure_lives(w, clock, w.scratch[_LIFE])
    for g in range(len(w.chips)):
        w.scratch[_PLEDGED, g] = 0.0
        w.scratch[_LARGEST, g] = 0.0
    asset_usd = 0.0
    life_usd = 0.0
    perf = 0.0
    for k in range(clock.used_lots):
        lot = w.lots[k]
        if lot.owner < 0:
            continue
        chip = w.chips[lot.chip]
        if lot.loan >= 0 and lot.seized < 0:
            w.scratch[_PLEDGED, lot.chip] += lot.units
            if w.loans[lot.loan].borrower == largest:
                w.scratch[_LARGEST, lot.chip] += lot.units
            life_usd += lot.units * chip.appraisal * min(w.scratch[_LIFE, lot.chip], oldest + lot.vintage)
            asset_usd += lot.units * chip.appraisal
        if lot.owner < n_l and lot.site >= 0:
            row.in_receivership += lot.units * chip.appraisal
        if lot.owner >= n_lo:
            w.kind_panel[base + w.buyers[lot.owner - n_lo].kind].hardware += lot.units * chip.appraisal
        elif lot.owner >= n_l:
            size = lot.units * chip.performance
            perf += size
            row.contracted += size * lot.contracted
    row.asset_life = life_usd / asset_usd if debt > 0.0 and asset_usd > 0.0 else 0.0
    row.contracted = row.contracted / perf if perf > 0.0 else 0.0


@rule
def record_operators(w, clock, row, dscr, order, spare):
    """Write the DSCR distribution and the defaults of operators."""
    n = 0
    for op in w.operators:
        row.site_power += op.site_power
        if op.status != OperatorStatus.DEFAULTED:
            row.hidden_losses += max(0.0, op.secured - op.going)
        if op.status != OperatorStatus.DEFAULTED and op.debt > 1.0:
            dscr[n] = op.dscr
            order[n] = n
            n += 1
    if n > 0:
        rank_down(dscr, order, n, spare)
        row.dscr_median = dscr[order[n // 2]]
        row.dscr_low = dscr[order[(9 * n) // 10]]
    n_l = len(w.lenders)
    for k in range(clock.open_events, clock.events):
        e = w.events[k]
        if e.kind == EventKind.DEFAULT:
            row.defaults += 1
            if w.operators[e.node - n_l].kind == OperatorKind.NEOCLOUD:
                row.defaults_neocloud += 1
            else:
                row.defaults_miner += 1
        elif e.kind == EventKind.LENDER_FAILURE:
            row.lender_failures += 1
        elif e.kind == EventKind.MARGIN_CALL:
            row.margin_calls += 1
        elif e.kind == EventKind.WAIVER or e.kind == EventKind.EXTENSION or e.kind == EventKind.SWAP:
            row.waivers += 1
        elif e.kind == EventKind.FUNDING_CALL or e.kind == EventKind.RUN:
            row.funding_calls += 1


@rule
def record_kinds(w, clock):
    """Write balance sheets by kind of agent (USD); buyers' hardware is there already."""
    base = clock.month * (N_LENDER_KINDS + 2 + N_BUYER_KINDS)
    for kind in range(N_LENDER_KINDS + 2 + N_BUYER_KINDS):
        w.kind_panel[base + kind].month = clock.month
        w.kind_panel[base + kind].kind = kind
    for lender in w.lenders:
        out = w.kind_panel[base + lender.kind]
        out.alive += 0 if lender.status == LenderStatus.FAILED else 1
        out.cash += lender.cash
        out.loans += lender.book - lender.allowance
        out.lines += lender.lent_lines
        out.hardware += lender.seized_claim
        out.debt += lender.deposits + lender.borrowed
        out.losses += lender.losses
        out.passed += lender.passed
        out.passed_lines += lender.passed_lines
    for op in w.operators:
        out = w.kind_panel[base + N_LENDER_KINDS + op.kind]
        out.alive += 0 if op.status == OperatorStatus.DEFAULTED else 1
        out.cash += op.cash
        out.hardware += op.gpu_value
        out.coins += op.btc * clock.btc + op.eth * clock.eth + op.rig_value
        out.debt += op.debt
    for buyer in w.buyers:
        out = w.kind_panel[base + N_LENDER_KINDS + 2 + buyer.kind]
        out.alive += 1 if buyer.kind != BuyerKind.BACKSTOP or buyer.budget_cap > 0.0 else 0
        out.cash += buyer.budget
    for kind in range(N_LENDER_KINDS + 2 + N_BUYER_KINDS):
        out = w.kind_panel[base + kind]
        out.equity = out.cash + out.loans + out.lines + out.hardware + out.coins - out.debt


@rule
def record_lenders(w, row):
    """Write funding, capital and terms of lenders that have not failed (outside investors left out)."""
    assets = 0.0
    n = 0
    for lender in w.lenders:
        row.withdrawn += lender.left_month
        if lender.kind == LenderKind.OUTSIDE or lender.status == LenderStatus.FAILED:
            continue
        row.deposits += lender.deposits
        row.debt_lines += lender.borrowed
        row.lender_equity += lender.equity
        row.advance_rate += lender.advance_rate
        assets += lender.equity + lender.deposits + lender.borrowed
        n += 1
    row.advance_rate = row.advance_rate / n if n > 0 else 0.0
    row.capital_ratio = row.lender_equity / assets if assets > 0.0 else 0.0
