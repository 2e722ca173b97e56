"""Build the world of a run from a scenario: agents, networks, drivers, the fleet and debt at the start."""

from __future__ import annotations

import numpy as np

from agents.contracts import EQUIPMENT, FREE, PERFORMING
from simulation.drivers import draw_paths
from simulation.networks import build_networks, line_table
from simulation.population import buyer_table, chip_table, lender_table, operator_table
from simulation.scenario import Scenario, build_terms
from simulation.streams import stream
from simulation.world import World, allocate

#: A generation released later has this many times the power of the one before it in the opening fleet.
_NEWER = 1.5


def build_world(scenario: Scenario, seed: int = 1, replication: int = 0, *, tape: int = 0, reuse: World | None = None) -> World:
    """Return the world at the opening of the first month: a function of (scenario, seed, replication) alone.

    ``tape`` is the number of rows of the tape of auctions, for whoever watches (no run needs it);
    ``reuse`` a world that is not needed any more, whose memory the new one takes.
    """
    lenders = lender_table(scenario, seed, replication)
    operators = operator_table(scenario, seed, replication)
    buyers = buyer_table(scenario, seed, replication)
    chips = chip_table(scenario)
    nets = build_networks(scenario, lenders, len(operators), len(buyers), seed, replication)
    taste = scenario.credit.taste * stream(seed, replication, "taste").standard_normal((len(operators), len(chips)))
    world = allocate(
        build_terms(scenario), chips, lenders, operators, buyers, line_table(scenario, lenders, nets.lines),
        draw_paths(scenario, seed, replication), nets[:2], nets[3:], taste, initial_lots=len(operators) * len(chips),
        tape=tape, reuse=reuse,
    )  # fmt: skip
    clock, coin = world.clock[0], scenario.drivers.coin
    clock.btc, clock.eth, clock.hashprice = coin.price, coin.eth_price, scenario.miners.hashprice
    clock.rent = clock.reference_rent = scenario.rental.rent
    clock.haircut = scenario.funding.haircut
    clock.trend = scenario.rental.trend
    lay_out_fleet(world, scenario, stream(seed, replication, "fleet"))
    return world


def lay_out_fleet(world: World, scenario: Scenario, rng: np.random.Generator) -> None:
    """Give every operator its opening GPUs, contracts and equipment loans.

    Power in use is split over the generations released by the start, newer ones more. Ages are uniform up to
    24 months or the age of the generation. A share ``credit.initial_pledged`` of the lots secures
    a loan of ``credit.initial_debt`` times its appraisal, from one of the lenders that the operator knows.
    """
    released = np.flatnonzero(world.chips.release <= 0)
    n_o, n_g, n_l = len(world.operators), len(released), len(world.lenders)
    weight = _NEWER ** np.arange(n_g)
    u = rng.random((n_o, n_g, 5))
    chips = world.chips[released]
    units = np.round(world.operators.used_power[:, None] * (weight / weight.sum()) / chips.power)
    owner, which = np.nonzero(units >= 1.0)
    n = len(owner)
    world.operators.used_power[:] = 0.0
    if n == 0:
        return
    u, units, chip = u[owner, which], units[owner, which], released[which]
    lots, clock, op = world.lots[:n], world.clock[0], world.operators[owner]
    lots.owner, lots.chip, lots.units = n_l + owner, chip, units
    lots.vintage = -np.floor(u[:, 0] * np.minimum(24, -world.chips.release[chip]))
    lots.cost = world.chips.list_price[chip] * (1.0 + scenario.credit.soft_cost)
    lots.contracted = op.contract_share
    lots.contract_price = scenario.rental.rent * scenario.rental.contract_discount
    lots.contract_end = 1 + np.floor(u[:, 1] * scenario.rental.contract_term)
    lots.loan = lots.preceding = lots.following = -1
    # Rows stand by owner; an owner's list begins with its last.
    next_too = np.flatnonzero(owner[1:] == owner[:-1])
    lots.following[next_too + 1], lots.preceding[next_too] = next_too, next_too + 1
    world.first_lot[lots.owner] = np.arange(n)
    power = units * world.chips.power[chip]
    np.add.at(world.operators.used_power, owner, power)
    liquid = power * world.chips.liquid[chip]
    np.add.at(world.operators.used_liquid, owner, liquid)
    world.operators.liquid_power[:] = np.maximum(world.operators.liquid_power, world.operators.used_liquid)
    np.add.at(world.chips.initial, chip, units)
    world.chips.stock[:] = world.chips.initial
    clock.free_lot = clock.used_lots = n
    if scenario.credit.initial_debt > 0.0 and len(world.bank):
        _lend_opening(world, scenario, owner, chip, units, u)


def _lend_opening(world: World, scenario: Scenario, owner: np.ndarray, chip: np.ndarray, units: np.ndarray, u: np.ndarray) -> None:
    """Write the opening equipment loans, one a lot; lenders pay them out of their opening cash."""
    n, credit = len(owner), scenario.credit
    known = world.bank_ptr[owner + 1] - world.bank_ptr[owner]
    lender = world.bank[world.bank_ptr[owner] + np.floor(u[:, 2] * known).astype(int)]
    value = units * world.chips.appraisal[chip]
    principal = credit.initial_debt * value * (u[:, 4] < credit.initial_pledged)
    # A lender lends at most its cash: the rest of the fleet is owned outright.
    asked = np.bincount(lender, principal, len(world.lenders))
    principal *= np.minimum(1.0, 0.9 * world.lenders.cash / np.maximum(asked, 1.0))[lender]
    loans, traits = world.loans[:n], world.lenders[lender]
    loans.kind, loans.status, loans.lender, loans.borrower = EQUIPMENT, PERFORMING, lender, owner
    loans.principal = principal
    loans.rate = credit.base_rate + traits.spread
    loans.amortisation = principal / traits.life
    loans.maturity = 6 + np.floor(u[:, 3] * (credit.maturity - 5)).astype(int)
    loans.collateral = value
    loans.opening_ltv = principal / value
    loans.covenant_ltv = np.maximum(
        np.minimum(credit.covenant_cap, loans.opening_ltv + credit.covenant_margin), loans.opening_ltv + credit.covenant_margin / 3.0
    )
    pledged = principal > 0.0
    world.lots.loan[:n] = np.where(pledged, np.arange(n), -1)
    loans.status[~pledged] = FREE
    # Rows without a loan go back to the free list, ahead of the unused ones.
    free = np.append(np.flatnonzero(~pledged), n)
    loans.following[free[:-1]] = free[1:]
    booked = np.bincount(lender, principal, len(world.lenders))
    world.lenders.book[:] += booked
    world.lenders.cash[:] -= booked
    world.operators.debt[:] += np.bincount(owner, principal, len(world.operators))
    world.clock[0].free_loan, world.clock[0].used_loans = free[0], n
