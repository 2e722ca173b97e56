"""Where chips stand: sites are built where new chips earn more than they cost, and those of the fallen are let again."""

from __future__ import annotations

from agents.rule import rule
from agents.tables.ledger import Flow
from agents.tables.operators import OperatorStatus, spare_cash
from agents.valuation import power_of

#: Less power than this is none (kW).
_SOME = 1e-6


@rule
def value_of_power(terms, surplus, hurdle):
    """Return what a kW is worth now to who has none left (USD/kW), when a new chip earns ``surplus`` USD a kW over its cost.

    It can be built: then what counts is its cost, and that it comes later.
    """
    later = power_of(1.0 / (1.0 + hurdle), terms.sites_build_months)
    return terms.sites_replacement * min(surplus, terms.sites_cost + (1.0 - later) * surplus)


@rule
def finish_sites(w, clock):
    """Let what is being built come on stream: each month one part in ``build_months`` of it, all liquid-cooled (kW)."""
    terms = w.terms[0]
    for op in w.operators:
        if op.building > 0.0 and op.status != OperatorStatus.DEFAULTED:
            done = min(op.building, max(_SOME, op.building / terms.sites_build_months))
            op.building -= done
            op.site_power += done
            op.liquid_power += done


@rule
def relet_sites(w, clock):
    """Let the free power of fallen operators to those that want more, in proportion to what they want (kW).

    In a month one part in ``relet_months`` of it finds a tenant; liquid cooling goes along in proportion.
    """
    free = 0.0
    wanted = 0.0
    for op in w.operators:
        if op.status == OperatorStatus.DEFAULTED:
            free += max(0.0, op.site_power - op.used_power)
        else:
            wanted += op.wanted
    if free <= _SOME or wanted <= _SOME:
        return
    let = min(wanted, free / w.terms[0].sites_relet_months)
    cooled = 0.0
    for op in w.operators:
        if op.status == OperatorStatus.DEFAULTED:
            part = let / free * max(0.0, op.site_power - op.used_power)
            liquid = min(part, let / free * max(0.0, op.liquid_power - op.used_liquid))
            op.site_power -= part
            op.liquid_power = min(op.liquid_power - liquid, op.site_power)
            cooled += liquid
    for op in w.operators:
        if op.status != OperatorStatus.DEFAULTED:
            part = op.wanted / wanted
            op.site_power += part * let
            op.liquid_power += part * cooled
            op.wanted -= part * let


@rule
def begin_sites(w, clock):
    """Let sound operators begin what power they want and the landlord does not have, as far as cash goes (USD).

    Investment by Tobin's q (Hayashi 1982): a month's growth is ``speed`` (q - 1) of the sites there are, at most
    ``growth_limit``; q is value over cost of the best new chip when the operator last looked.
    """
    terms = w.terms[0]
    for op in w.operators:
        if op.status != OperatorStatus.HEALTHY or op.wanted <= _SOME or op.q <= 1.0:
            continue
        rate = min(terms.sites_growth_limit, terms.sites_speed * (op.q - 1.0))
        begun = min(op.wanted, rate * op.site_power)
        if terms.sites_cost > 0.0:
            begun = min(begun, max(0.0, spare_cash(op, terms) - op.committed) / terms.sites_cost)
        op.wanted -= begun
        op.building += begun
        op.cash -= begun * terms.sites_cost
        w.book[Flow.SITES] += begun * terms.sites_cost
