"""The vendor's backstop: a vendor of GPUs pays for the hours that their operators do not sell, up to a sum."""

from __future__ import annotations

from agents.rule import rule
from agents.tables.ledger import Flow
from agents.tables.operators import OperatorStatus
from simulation.markets.rental import running_share, threshold_rent

#: Rows of working memory, by operator: what the vendor owes, and hosting of chips that run for it alone (USD).
_OWED, _HOSTING = 0, 1


@rule
def is_open(clock, terms):
    """Return whether the vendor pays this month: within its months, while it has paid less than its capacity."""
    return terms.vendor_first <= clock.month <= terms.vendor_last and clock.backstop_called < terms.vendor_capacity


@rule
def idle_claim(lot, chip, op, clock, terms):
    """Return what the vendor owes for a lot's covered hours that are not sold, and the hosting that they cost (USD).

    Of what runs of a lot these are the on-demand hours that utilisation leaves; of what is idle all hours outside its
    contract: the chips then run for the vendor, if what it pays covers hosting and overhead.
    """
    covered = terms.vendor_share * (1.0 - lot.contracted) * lot.units
    usd = terms.rental_hours * chip.performance * covered * terms.vendor_price * clock.vendor_rent
    running = running_share(clock, threshold_rent(chip, op.utilisation, op.hosting, terms))
    left = running * (1.0 - op.utilisation) * usd
    hosting = covered * chip.power * op.hosting
    if (1.0 - terms.rental_overhead) * usd < hosting:
        return left, 0.0
    return left + (1.0 - running) * usd, (1.0 - running) * hosting


@rule
def list_claims(w, clock, owed, hosting):
    """Write by operator what the vendor owes and the hosting that it causes (USD); return all that it owes."""
    terms = w.terms[0]
    n_l = len(w.lenders)
    n_o = len(w.operators)
    for o in range(n_o):
        owed[o] = 0.0
        hosting[o] = 0.0
    total = 0.0
    for k in range(clock.used_lots):
        lot = w.lots[k]
        o = lot.owner - n_l
        if o < 0 or o >= n_o or lot.online > clock.month or w.operators[o].status == OperatorStatus.DEFAULTED:
            continue
        usd, cost = idle_claim(lot, w.chips[lot.chip], w.operators[o], clock, terms)
        owed[o] += usd
        hosting[o] += cost
        total += usd
    return total


@rule
def pay_idle_hours(w, clock):
    """Let the vendor pay for covered hours that were not sold, pro rata when its capacity runs out (USD).

    Its rent is a share of the spot rent of its first month. Operators pay overhead, and hosting of idle chips that it
    runs, as on any rent.
    """
    terms = w.terms[0]
    if not is_open(clock, terms):
        return
    if clock.vendor_rent <= 0.0:
        clock.vendor_rent = clock.rent
    owed = w.scratch[_OWED]
    hosting = w.scratch[_HOSTING]
    total = list_claims(w, clock, owed, hosting)
    if total <= 0.0:
        return
    part = min(1.0, (terms.vendor_capacity - clock.backstop_called) / total)
    for o in range(len(w.operators)):
        op = w.operators[o]
        usd = part * owed[o]
        overhead = terms.rental_overhead * usd
        left = usd - overhead - part * hosting[o]
        op.revenue += usd
        op.income += left
        op.cash += left
        w.book[Flow.VENDOR_BACKSTOP] += usd
        w.book[Flow.OVERHEAD] += overhead
        w.book[Flow.HOSTING] += part * hosting[o]
    clock.backstop_called += part * total
