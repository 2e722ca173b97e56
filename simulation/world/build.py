"""Build the world of a run from a scenario: agents, networks, drivers, the fleet and debt at the start."""

from __future__ import annotations

import numpy as np

from simulation.scenario.scenario import Scenario, build_terms
from simulation.world.drivers import draw_paths
from simulation.world.fleet import lay_out_fleet
from simulation.world.networks import build_networks, line_table
from simulation.world.population import (
    buyer_table,
    chip_table,
    customer_table,
    lender_table,
    meet_customers,
    operator_table,
)
from simulation.world.streams import stream
from simulation.world.strips import strip_grid
from simulation.world.world import World, allocate


def build_world(
    scenario: Scenario, seed: int = 1, replication: int = 0, *, tape: int = 0, reuse: World | None = None
) -> World:
    """Return the world at the opening of the first month: a function of (scenario, seed, replication) alone.

    ``tape`` is the number of rows of the tape of auctions, for whoever watches (no run needs it);
    ``reuse`` a world that is not needed any more, whose memory the new one takes.
    """
    lenders = lender_table(scenario, seed, replication)
    operators = operator_table(scenario, seed, replication)
    buyers = buyer_table(scenario, seed, replication)
    customers = customer_table(scenario, seed, replication)
    meet_customers(operators, customers, seed, replication)
    chips = chip_table(scenario)
    nets = build_networks(scenario, lenders, len(operators), len(buyers), seed, replication)
    taste = draw_tastes(scenario, len(operators), seed, replication)
    world = allocate(
        build_terms(scenario), chips, lenders, operators, buyers, customers, line_table(scenario, lenders, nets.lines, nets.limits),
        draw_paths(scenario, seed, replication), nets[:2], nets[4:], taste,
        strip_grid(scenario, np.append(operators["hurdle"], buyers["hurdle"])), initial_lots=len(operators) * len(chips),
        tape=tape, reuse=reuse,
    )  # fmt: skip
    clock, coin = world.clock.view(np.ndarray), scenario.drivers.coin
    clock["btc"], clock["eth"], clock["hashprice"] = coin.price, coin.eth_price, scenario.miners.hashprice
    clock["rent"] = clock["reference_rent"] = scenario.rental.rent
    clock["haircut"] = scenario.funding.haircut
    clock["trend"] = scenario.rental.trend
    lay_out_fleet(world, scenario, stream(seed, replication, "fleet"))
    return world


def draw_tastes(scenario: Scenario, operators: int, seed: int, replication: int) -> np.ndarray:
    """Return log tastes, operators x generations: each generation has a stream of its own, so that another one more or
    another order of them leaves the tastes for it as they were."""
    drawn = [stream(seed, replication, f"taste for {chip.name}").standard_normal(operators) for chip in scenario.chips]
    return scenario.credit.taste * np.array(drawn).T.copy()
