"""What is measured at the end of each month: depth, executable value, LTV twice, DSCR, balance sheets."""

from __future__ import annotations

from agents.buyers import BuyerKind, buyer_money, buyer_units
from agents.contracts import LoanKind, LoanStatus
from agents.ledger import EventKind
from agents.lenders import LenderKind, LenderStatus
from agents.operators import OperatorKind, OperatorStatus, can_bid, free_units, spare_cash
from agents.rule import rule
from agents.valuation import believed_decline, economic_life, monthly_rent
from simulation.auction import rank_down
from simulation.bids import bid_limit, risk_premium
from simulation.closing import check_claims, check_flows, check_units

_BINS = 256
# Rows of the scratch array; _BOOK serves more than one purpose in turn.
_MONEY, _BOOK, _LEFT, _WANTED, _LIFE, _UNITS, _PLEDGED, _LARGEST = range(8)
N_LENDER_KINDS = 6
N_BUYER_KINDS = 6


@rule
def write_bids(w, clock, premium):
    """Write every bidder's present limit for every generation (USD/GPU, 0 none) to ``w.bid``."""
    terms = w.terms[0]
    n_o = len(w.operators)
    for g in range(len(w.chips)):
        premium[g] = risk_premium(w.chips[g], terms)
    for b in range(len(w.bid)):
        bids = b < len(w.bid) - 1 and (b >= n_o or can_bid(w.operators[b], terms))
        for g in range(len(w.chips)):
            limit = 0.0
            if bids and w.chips[g].stock > 0.0:
                limit = max(0.0, bid_limit(w, clock, terms, b, g, premium[g]))
            w.bid[b, g] = limit


@rule
def read_money(w, money):
    """Write what each bidder could spend now (USD)."""
    terms = w.terms[0]
    n_o = len(w.operators)
    for b in range(len(w.bid)):
        if b < n_o:
            op = w.operators[b]
            money[b] = terms.market_peer_cash * spare_cash(op, terms) if can_bid(op, terms) else 0.0
        else:
            money[b] = buyer_money(w.buyers[b - n_o])


@rule
def wanted_units(w, b, g, money, limit):
    """Return the units bidder ``b`` wants at its limit: power and money permitting (GPU)."""
    n_o = len(w.operators)
    if b < n_o:
        cap = free_units(w.operators[b], w.chips[g])
    else:
        cap = buyer_units(w.buyers[b - n_o], w.chips[g], w.terms[0])
    return min(cap, money / limit)


@rule
def walk_book(w, g, units, money, bins, wanted, place):
    """Return what the book would pay (USD) for ``units`` of generation ``g``, and spend the bidders' ``money``.

    The most that the bids yield: each bid pays its limit, best first, until the units or the bids are used up.
    Limits are ranked in 256 classes between 0 and the best bid, so that the walk takes no sort; within a class
    bids share alike.
    """
    if units <= 0.0:
        return 0.0
    n = len(w.bid)
    best = 0.0
    for b in range(n):
        best = max(best, w.bid[b, g])
    if best <= 0.0:
        return 0.0
    for c in range(_BINS):
        bins[c] = 0.0
    for b in range(n):
        limit = w.bid[b, g]
        if limit > 0.0 and money[b] > 1.0:
            wanted[b] = wanted_units(w, b, g, money[b], limit)
            place[b] = int((_BINS - 1) * (1.0 - limit / best))
            bins[place[b]] += wanted[b]
    left = units
    for c in range(_BINS):
        share = 1.0 if bins[c] <= left else (left / bins[c] if bins[c] > 0.0 else 0.0)
        left -= share * bins[c]
        bins[c] = share
    usd = 0.0
    for b in range(n):
        limit = w.bid[b, g]
        if limit > 0.0 and money[b] > 1.0:
            spent = bins[place[b]] * wanted[b] * limit
            usd += spent
            money[b] -= spent
    return usd


@rule
def executable_value(w, units, money):
    """Return what the present book would pay for ``units`` (by generation) sold at once, newest generation first (USD)."""
    left = w.scratch[_LEFT]
    for b in range(len(w.bid)):
        left[b] = money[b]
    usd = 0.0
    for g in range(len(w.chips) - 1, -1, -1):
        usd += walk_book(w, g, units[g], left, w.scratch[_BOOK], w.scratch[_WANTED], w.ranking[0])
    return usd


@rule
def measure_depth(w, out, g, money, before):
    """Write the best bid for a generation and what is wanted near it: in units, in USD, and near a price ``before`` (USD)."""
    best = 0.0
    for b in range(len(w.bid)):
        if money[b] > 1.0:
            best = max(best, w.bid[b, g])
    out.best_bid = best
    out.depth_units = 0.0
    out.depth_usd = 0.0
    out.depth_before = 0.0
    for b in range(len(w.bid)):
        limit = w.bid[b, g]
        if limit <= 0.0 or money[b] <= 1.0:
            continue
        if limit >= 0.9 * best:
            wanted = wanted_units(w, b, g, money[b], limit)
            out.depth_units += wanted
            out.depth_usd += wanted * limit
        if limit >= 0.9 * before:
            out.depth_before += wanted_units(w, b, g, money[b], limit)


@rule
def record_chip(out, chip, g, clock, terms):
    """Write the state of one generation's market at the end of the month."""
    out.month = clock.month
    out.chip = g
    out.price = chip.price
    out.appraisal = chip.appraisal
    out.fundamental = chip.fundamental
    out.list_price = chip.list_price if clock.month >= chip.release and clock.month < chip.end_of_sale else 0.0
    out.rent = clock.rent * chip.performance
    out.spread = 2.0 * (terms.buyers_dealer_half_spread + terms.buyers_dealer_volatility * chip.volatility)
    out.traded = chip.traded_units
    out.forced = chip.forced_units
    out.unsold = chip.unsold
    out.stock = chip.stock
    out.discount = chip.price / chip.fundamental - 1.0 if chip.fundamental > 0.0 and chip.traded_units > 0.0 else 0.0
    out.haircut = clock.haircut


@rule
def record_depth(w, clock, row, money):
    """Write depth, discount and stock of each generation, and their sums."""
    months_g = clock.month * len(w.chips)
    total = 0.0
    forced_usd = 0.0
    gap_usd = 0.0
    all_usd = 0.0
    all_gap = 0.0
    for g in range(len(w.chips)):
        chip = w.chips[g]
        out = w.chip_panel[months_g + g]
        before = w.chip_panel[months_g + g - 6 * len(w.chips)].appraisal if clock.month >= 6 else chip.appraisal
        measure_depth(w, out, g, money, before)
        record_chip(out, chip, g, clock, w.terms[0])
        total += out.depth_usd
        row.unsold_units += chip.unsold
        row.unsold_usd += chip.unsold * chip.appraisal
        row.capacity += chip.stock * chip.performance
        row.volume_usd += chip.traded_usd
        if chip.traded_units > 0.0 and chip.fundamental > 0.0:
            discount = chip.traded_usd / chip.traded_units / chip.fundamental - 1.0
            share = chip.forced_units / chip.traded_units
            forced_usd += share * chip.traded_usd
            gap_usd += share * chip.traded_usd * discount
            all_usd += chip.traded_usd
            all_gap += chip.traded_usd * discount
    row.depth_usd = total
    row.forced_usd = forced_usd
    row.discount = gap_usd / forced_usd if forced_usd > 0.0 else 0.0
    row.discount_all = all_gap / all_usd if all_usd > 0.0 else 0.0


@rule
def measure_lives(w, clock, life):
    """Write the economic life of each generation (months): until the rent has fallen to the cost of the best user."""
    terms = w.terms[0]
    d = believed_decline(
        terms.marks_reference_decline, terms.marks_reference_weight, clock.trend, terms.marks_decline_floor, terms.marks_decline_cap
    )
    for g in range(len(w.chips)):
        chip = w.chips[g]
        rent = monthly_rent(clock.rent, terms.rental_hours, chip.performance, terms.marks_reference_utilisation, terms.rental_overhead)
        life[g] = economic_life(
            rent, terms.marks_reference_hosting * chip.power, d, terms.marks_reference_hurdle, terms.marks_asset_life, chip.scrap
        )


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
            if loan.principal > (loan.covenant_ltv - 0.05) * loan.collateral:
                row.headroom_thin += loan.principal
            if op.dscr < 1.0:
                row.dscr_below_one += loan.principal
            life_usd += loan.principal * (loan.principal / loan.amortisation if loan.amortisation > 0.0 else 0.0)
    if performing > 0.0:
        row.booked_ltv = performing / max(1.0, row.booked_value)
        row.headroom_thin /= performing
        row.dscr_below_one /= performing
        row.debt_life = life_usd / performing
    largest = 0
    for o in range(len(w.operators)):
        op = w.operators[o]
        if op.status != OperatorStatus.DEFAULTED and (w.operators[largest].status == OperatorStatus.DEFAULTED or op.debt > w.operators[largest].debt):
            largest = o
    return largest, performing


@rule
def record_lots(w, clock, row, largest, debt):
    """Sum units by generation: all, pledged, pledged by the largest borrower (GPU); write the life of collateral,
    operators' contracts and buyers' hardware. One pass, because the table is the largest."""
    n_l = len(w.lenders)
    n_lo = n_l + len(w.operators)
    base = clock.month * (N_LENDER_KINDS + 2 + N_BUYER_KINDS) + N_LENDER_KINDS + 2
    oldest = w.terms[0].marks_asset_life - clock.month
    measure_lives(w, clock, w.scratch[_LIFE])
    for g in range(len(w.chips)):
        w.scratch[_UNITS, g] = 0.0
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
        w.scratch[_UNITS, lot.chip] += lot.units
        if lot.loan >= 0 and lot.seized < 0:
            w.scratch[_PLEDGED, lot.chip] += lot.units
            if w.loans[lot.loan].borrower == largest:
                w.scratch[_LARGEST, lot.chip] += lot.units
            life_usd += lot.units * chip.appraisal * min(w.scratch[_LIFE, lot.chip], oldest + lot.vintage)
            asset_usd += lot.units * chip.appraisal
        if lot.owner >= n_lo:
            w.kind_panel[base + w.buyers[lot.owner - n_lo].kind].hardware += lot.units * chip.appraisal
        elif lot.owner >= n_l:
            size = lot.units * chip.performance
            perf += size
            row.contracted += size * lot.contracted
    row.asset_life = life_usd / asset_usd if debt > 0.0 and asset_usd > 0.0 else 0.0
    row.contracted = row.contracted / perf if perf > 0.0 else 0.0


@rule
def record_illusion(w, clock, row, largest, debt, money):
    """Write booked against executable LTV: all collateral at once, and the largest borrower alone."""
    row.executable_value = executable_value(w, w.scratch[_PLEDGED], money)
    if debt > 0.0:
        row.executable_ltv = debt / max(1.0, row.executable_value)
        row.illusion = row.booked_value / max(1.0, row.executable_value)
    value = 0.0
    debt = 0.0
    for k in range(clock.used_loans):
        loan = w.loans[k]
        if loan.borrower == largest and loan.kind == LoanKind.EQUIPMENT and loan.status != LoanStatus.FREE and loan.status != LoanStatus.DEFAULTED:
            value += loan.collateral
            debt += loan.principal
    if debt > 0.0 and value > 0.0:
        row.largest_booked_ltv = debt / value
        row.largest_executable_ltv = debt / max(1.0, executable_value(w, w.scratch[_LARGEST], money))


@rule
def record_operators(w, clock, row, dscr, order, spare):
    """Write the DSCR distribution and the defaults of operators."""
    n = 0
    for op in w.operators:
        if op.status != OperatorStatus.DEFAULTED and op.debt > 1.0:
            dscr[n] = op.dscr
            order[n] = n
            n += 1
    if n > 0:
        rank_down(dscr, order, n, spare)
        row.dscr_median = dscr[order[n // 2]]
        row.dscr_low = dscr[order[min(n - 1, (9 * n) // 10)]]
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
        out.hardware += min(lender.seized_value, lender.allowance)
        out.debt += lender.deposits + lender.borrowed
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


@rule
def record_month(w):
    """Phase "record": write the panels, check the identities."""
    clock = w.clock[0]
    row = w.panel[clock.month]
    money = w.scratch[_MONEY]
    row.month = clock.month
    row.btc = clock.btc
    row.eth = clock.eth
    row.hashprice = clock.hashprice
    row.rent = clock.rent
    row.rent_trend = clock.trend
    row.demand = clock.demand
    row.running = clock.running
    row.stress_coin = clock.stress_coin
    row.stress_demand = clock.stress_demand
    row.new_credit = clock.new_credit
    row.new_commitments = clock.new_commitments
    row.new_compute = clock.delivered
    row.new_notes = clock.new_notes
    row.haircut = clock.haircut
    row.turns = clock.turn
    row.losses = clock.losses
    row.recoveries = clock.recoveries
    row.debt_defaulted = clock.debt_defaulted
    row.debt_performing = clock.debt_open
    row.cancelled = clock.cancelled
    row.equity_raised = clock.equity_raised
    write_bids(w, clock, w.scratch[_BOOK])
    read_money(w, money)
    record_depth(w, clock, row, money)
    largest, performing = record_loans(w, clock, row)
    record_lots(w, clock, row, largest, performing)
    record_illusion(w, clock, row, largest, performing, money)
    record_operators(w, clock, row, w.scratch[_BOOK], w.ranking[0], w.ranking[1])
    record_lenders(w, row)
    record_kinds(w, clock)
    busted = 0.0
    first = max(0, clock.month - 2)
    for m in range(first, clock.month + 1):
        busted += w.panel[m].debt_defaulted
    opened = w.panel[first].debt_performing
    row.bust_share = busted / opened if opened > 1.0 else 0.0
    check_units(w, clock, w.scratch[_UNITS])
    check_claims(w, clock, w.scratch[1], w.scratch[2])
    row.residual = check_flows(w, clock)
    for item in range(len(w.book)):
        w.flows[clock.month, item] = w.book[item]


