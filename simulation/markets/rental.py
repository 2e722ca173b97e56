"""The rental market: a merit order of capacity against elastic demand, one spot rent a performance unit.

Demand at rent p is D (p/p0)^-e. A lot runs on demand when the rent covers its hosting and overhead; contracted
capacity always runs. The rent clears both exactly: only lots whose threshold lies above the rent with
everything running can be idle, so only they are sorted.
"""

from __future__ import annotations

import math

from agents.miners.rigs import mine
from agents.rule import rule
from agents.tables.buyers import free_power
from agents.tables.ledger import Flow
from agents.tables.loans import recover
from agents.tables.operators import OperatorKind, OperatorStatus, occupy, sell_coins
from agents.valuation import monthly_rent
from simulation.markets.auction import rank_down

#: Supply that is not nothing, to divide by (performance units).
_SOME = 1e-9
#: No rent is further from the reference rent (log): a number that can be multiplied, whatever demand and supply.
_FARTHEST = 100.0


@rule
def threshold_rent(chip, utilisation, hosting, terms):
    """Return the spot rent (USD per performance unit and hour) below which a chip idles."""
    hours = terms.rental_hours * chip.performance * utilisation * (1.0 - terms.rental_overhead)
    return hosting * chip.power / hours if hours > 0.0 else math.inf


@rule
def rent_at(clock, supply, elasticity):
    """Return the rent at which demand equals ``supply`` (performance units sold)."""
    gap = math.log(clock.demand / supply) / elasticity
    return clock.reference_rent * math.exp(min(_FARTHEST, max(-_FARTHEST, gap)))


@rule
def receiver_share(lot, clock, terms):
    """Return the part of a fallen operator's lot that a receiver runs where it stands; none until it is let again."""
    if lot.site < 0 or clock.month < max(lot.online, lot.asked + terms.market_relet_months):
        return 0.0
    return terms.market_receivership


@rule
def earn_receivership(w, clock, lot, op):
    """Let a receiver run a fallen operator's lot; its net rent goes to the lender that seized it, or to the estate (USD).

    Where it does not cover hosting the lot stands still.
    """
    terms = w.terms[0]
    chip = w.chips[lot.chip]
    place = w.operators[lot.site]
    units = lot.units * receiver_share(lot, clock, terms)
    rent = monthly_rent(clock.rent, terms.rental_hours, chip.performance, place.utilisation, terms.rental_overhead)
    usd = units * max(0.0, rent - place.hosting * chip.power)
    if usd <= 0.0:
        return
    if lot.owner < len(w.lenders):
        lender = w.lenders[lot.owner]
        lender.cash += usd
        w.book[Flow.RECEIVERSHIP] += usd
        if lot.loan >= 0:
            recover(w.loans[lot.loan], usd, w.operators[w.loans[lot.loan].borrower], lender, clock, w.book)
    else:
        op.cash += usd
        w.book[Flow.RENTAL] += usd


@rule
def earn_use(w, lot, buyer, clock):
    """Pay a buyer what its used chips earn or save it, net of hosting (USD)."""
    terms = w.terms[0]
    chip = w.chips[lot.chip]
    rent = monthly_rent(clock.rent, terms.rental_hours, chip.performance, buyer.utilisation, terms.rental_overhead)
    usd = lot.units * max(0.0, rent - buyer.hosting * chip.power)
    buyer.budget += usd
    w.book[Flow.USE] += usd


@rule
def collect_supply(w, clock, threshold, size):
    """List the on-demand capacity of every running lot as (threshold, size); return (entries, contracted).

    Sizes are performance units sold; seized lots, lots in transit and estates are offline. A lot of an operator
    or of a user counts; dealers, scrap merchants and lenders do not run chips.
    """
    terms = w.terms[0]
    n_l = len(w.lenders)
    n_lo = n_l + len(w.operators)
    n = 0
    firm = 0.0
    for k in range(clock.used_lots):
        lot = w.lots[k]
        if lot.owner < 0 or lot.online > clock.month:
            continue
        chip = w.chips[lot.chip]
        running = 1.0
        if lot.owner < n_lo:
            if lot.owner < n_l or w.operators[lot.owner - n_l].status == OperatorStatus.DEFAULTED:
                running = receiver_share(lot, clock, terms)
                if running <= 0.0:
                    continue
            op = w.operators[lot.site if lot.site >= 0 else lot.owner - n_l]
            utilisation = op.utilisation
            hosting = op.hosting
        else:
            buyer = w.buyers[lot.owner - n_lo]
            if buyer.utilisation <= 0.0:
                continue
            utilisation = buyer.utilisation
            hosting = buyer.hosting
        firm += running * lot.units * chip.performance * lot.contracted
        threshold[n] = threshold_rent(chip, utilisation, hosting, terms)
        size[n] = running * lot.units * chip.performance * utilisation * (1.0 - lot.contracted)
        n += 1
    return n, firm


@rule
def demand_at_rent(clock, rent, elasticity):
    """Return what customers want at a rent (performance units sold)."""
    return clock.demand * math.exp(-elasticity * math.log(rent / clock.reference_rent))


@rule
def running_share(clock, cost):
    """Return the part of a lot's on-demand hours that is offered when they cost ``cost`` (USD per performance unit and hour).

    All where the spot rent is higher, nothing where it is lower; of the marginal lots, whose cost it is, the part that
    clears the market.
    """
    if cost == clock.rent:
        return clock.marginal_share
    return 1.0 if cost < clock.rent else 0.0


@rule
def clear_rent(clock, threshold, size, n, supply, elasticity, dear, spare):
    """Return the spot rent at which demand meets the lots that it covers, what they supply (performance units), and the
    part that runs of the marginal lots, those whose cost is the rent."""
    rent = rent_at(clock, supply, elasticity)
    share = 1.0
    n_dear = 0
    for k in range(n):
        if threshold[k] > rent:
            dear[n_dear] = k
            n_dear += 1
            supply -= size[k]
    if n_dear > 0:
        # From the dearest to the cheapest; then back up the merit order while a lot still covers its cost.
        rank_down(threshold, dear, n_dear, spare)
        supply = max(supply, _SOME)
        rent = rent_at(clock, supply, elasticity)
        j = n_dear - 1
        while j >= 0 and rent >= threshold[dear[j]]:
            # Lots of one cost share alike.
            cost = threshold[dear[j]]
            group = 0.0
            while j >= 0 and threshold[dear[j]] == cost:
                group += size[dear[j]]
                j -= 1
            lower = rent_at(clock, supply + group, elasticity)
            if lower < cost:
                # The marginal lots run in part: the rent is their cost.
                rent = cost
                share = min(1.0, max(0.0, (demand_at_rent(clock, cost, elasticity) - supply) / group))
                supply += share * group
                break
            supply += group
            rent = lower
    return rent, supply, share


@rule
def clear_rental(w, clock):
    """Set the spot rent and its trend: where the market clears, or as recorded (writes clock.rent, .trend, .running,
    .marginal_share)."""
    terms = w.terms[0]
    threshold, size = w.scratch[0], w.scratch[1]
    n, firm = collect_supply(w, clock, threshold, size)
    supply = firm
    for k in range(n):
        supply += size[k]
    if supply <= 0.0:
        return
    if clock.month == 0 and clock.demand <= 0.0:
        # The level of demand is such that the first month opens at the recorded rent.
        clock.demand = supply
    given = w.paths[clock.month].rent
    clock.marginal_share = 1.0
    if given > 0.0:
        rent = given
        for k in range(n):
            if threshold[k] > given:
                supply -= size[k]
    else:
        rent, supply, clock.marginal_share = clear_rent(
            clock, threshold, size, n, supply, terms.rental_elasticity, w.ranking[0], w.ranking[1]
        )
    clock.running = supply
    clock.rent_before = clock.rent if clock.month > 0 else rent
    clock.rent = rent
    change = math.log(rent / clock.rent_before)
    clock.trend = terms.rental_trend_memory * clock.trend - (1.0 - terms.rental_trend_memory) * change


@rule
def earn_rent(w, clock):
    """Pay operators for contracted and on-demand hours; charge hosting and overhead (USD of the month).

    Miners mine. Hosting that cannot be paid even with coins stays with the utility.
    """
    terms = w.terms[0]
    n_l = len(w.lenders)
    n_o = len(w.operators)
    for op in w.operators:
        op.revenue = 0.0
        op.mining_income = 0.0
        op.income = -op.overheads if op.status != OperatorStatus.DEFAULTED else 0.0
        op.gpu_value = 0.0
    for k in range(clock.used_lots):
        lot = w.lots[k]
        if lot.owner < 0:
            continue
        if lot.owner < n_l:
            if lot.site >= 0:
                earn_receivership(w, clock, lot, w.operators[lot.site])
            continue
        if lot.owner >= n_l + n_o:
            buyer = w.buyers[lot.owner - n_l - n_o]
            if buyer.utilisation > 0.0 and lot.online <= clock.month:
                earn_use(w, lot, buyer, clock)
            continue
        op = w.operators[lot.owner - n_l]
        chip = w.chips[lot.chip]
        op.gpu_value += lot.units * chip.appraisal
        if op.status == OperatorStatus.DEFAULTED:
            if lot.site >= 0:
                earn_receivership(w, clock, lot, op)
            continue
        if lot.online > clock.month:
            continue
        hours = terms.rental_hours * chip.performance * lot.units
        earned = hours * lot.contracted * lot.contract_price
        spot = running_share(clock, threshold_rent(chip, op.utilisation, op.hosting, terms)) * (1.0 - lot.contracted)
        earned += hours * spot * op.utilisation * clock.rent
        running = lot.contracted + spot
        op.revenue += earned
        op.income += earned * (1.0 - terms.rental_overhead) - running * lot.units * chip.power * op.hosting
    for op in w.operators:
        if op.status == OperatorStatus.DEFAULTED:
            continue
        cost = op.revenue - op.income
        if cost > op.cash + op.revenue:
            sell_coins(op, clock, w.book, cost - op.cash - op.revenue)
        paid = min(cost, op.cash + op.revenue)
        op.cash += op.revenue - paid
        w.book[Flow.RENTAL] += op.revenue
        w.book[Flow.OVERHEAD] += terms.rental_overhead * op.revenue
        w.book[Flow.HOSTING] += paid - terms.rental_overhead * op.revenue
        if op.kind == OperatorKind.MINER:
            mine(op, clock, terms, w.book)


@rule
def scrap_idle(w, clock):
    """Scrap part of the chips whose rent no longer covers their cost, owners' free lots only; they are paid as scrap (USD)."""
    terms = w.terms[0]
    n_l = len(w.lenders)
    n_lo = n_l + len(w.operators)
    for k in range(clock.used_lots):
        lot = w.lots[k]
        if lot.owner < n_l or lot.loan >= 0 or lot.online > clock.month or lot.contracted > 0.0 or lot.offered > 0.0:
            continue
        chip = w.chips[lot.chip]
        if lot.owner < n_lo:
            op = w.operators[lot.owner - n_l]
            idle = threshold_rent(chip, op.utilisation, op.hosting, terms) > clock.rent
        else:
            buyer = w.buyers[lot.owner - n_lo]
            idle = (
                buyer.utilisation > 0.0 and threshold_rent(chip, buyer.utilisation, buyer.hosting, terms) > clock.rent
            )
        if not idle:
            continue
        units = lot.units if lot.units < 1.0 else terms.market_scrapping * lot.units
        lot.units -= units
        chip.scrapped += units
        chip.stock -= units
        if lot.owner < n_lo:
            op = w.operators[lot.owner - n_l]
            occupy(op, chip, -units)
            op.cash += units * chip.scrap
            w.book[Flow.SCRAP_SALE] += units * chip.scrap
        else:
            free_power(buyer, chip, units)
            buyer.budget += units * chip.scrap
            w.book[Flow.SCRAP_FROM_BUYER] += units * chip.scrap
