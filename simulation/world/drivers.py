"""Exogenous drivers, drawn before the run: two stress chains, coin returns, demand and efficiency shocks."""

from __future__ import annotations

import numpy as np

from agents.rule import entry
from agents.schema import Rows
from simulation.scenario.kept import kept
from simulation.scenario.scenario import Scenario
from simulation.world.inputs.inputs import read_inputs
from simulation.world.inputs.paths import BLOCK
from simulation.world.panel import PATH
from simulation.world.streams import stream


def draw_paths(scenario: Scenario, seed: int, replication: int) -> Rows:
    """Return the drivers of a run, one row a month (table ``paths``).

    Every random number is drawn first, in blocks whose size depends on the horizon alone, so that two scenarios
    with the same horizon see the same draws whatever their parameters. Raises ConfigError on a bad CSV file.
    """
    months = scenario.run.months
    uniforms = stream(seed, replication, "regimes").random((months, 5))
    normals = stream(seed, replication, "shocks").standard_normal((months, 4))
    paths = PATH.plain(months)
    paths["stress_coin"], paths["stress_demand"] = draw_stress(scenario, uniforms)
    paths["btc_return"] = returns = _coin_returns(scenario, paths, normals[:, 0], uniforms[:, 4])
    coin, demand = scenario.drivers.coin, scenario.drivers.demand
    paths["eth_return"] = coin.eth_beta * returns + coin.eth_volatility * normals[:, 1]
    paths["demand_growth"] = _demand(scenario, paths, normals, uniforms[:, 3])
    paths["efficiency"] = demand.deflation + demand.deflation_volatility * normals[:, 3]
    block = scenario.drivers.block
    if block.units > 0 and block.month < months:
        paths["block_units"][block.month] = block.units
        paths["block_chip"][block.month] = [chip.name for chip in scenario.chips].index(block.chip)
        paths["block_days"][block.month] = block.days
    given = read_inputs(scenario).drivers
    if given is not None:
        for name, values in given.columns.items():
            paths[name][given.first : given.first + len(values)] = values
    return paths.view(Rows)


def draw_stress(scenario: Scenario, uniforms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the two stress chains (0/1 by month) from ``uniforms`` (months x at least 3).

    With entry probability p and coupling c: P(both enter) = c p, P(only one) = (1 - c) p each, so that the
    marginal entry does not depend on the coupling; exits are independent. A chain that is in stress already
    ignores an entry, which leaves the other its marginal p.
    """
    r = scenario.drivers.regimes
    coin, demand = np.zeros((2, len(uniforms)), np.int64)
    walk_stress(uniforms, r.entry, r.coupling * r.entry, r.exit, r.first_month, coin, demand)
    return coin, demand


@entry
def walk_stress(uniforms, enters, both, leaves, first_month, coin, demand):
    """Write the two chains: ``enters`` and ``leaves`` are probabilities a month, ``both`` that of a joint entry."""
    was_coin = 0
    was_demand = 0
    for month in range(len(uniforms)):
        in_coin = was_coin
        in_demand = was_demand
        if was_coin and uniforms[month, 0] < leaves:
            in_coin = 0
        if was_demand and uniforms[month, 1] < leaves:
            in_demand = 0
        if month >= first_month:
            u = uniforms[month, 2]
            if u < enters and not was_coin:
                in_coin = 1
            if (u < both or enters <= u < 2 * enters - both) and not was_demand:
                in_demand = 1
        coin[month] = was_coin = in_coin
        demand[month] = was_demand = in_demand


def _entries(stress: np.ndarray) -> np.ndarray:
    """Return 1.0 in the months in which a stress begins."""
    begins = stress.astype(float)
    begins[1:] = stress[1:] > stress[:-1]
    return begins


def _coin_returns(scenario: Scenario, paths: np.ndarray, shock: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    """Return bitcoin's log return of each month, by the process that the scenario chooses."""
    coin = scenario.drivers.coin
    stress = paths["stress_coin"]
    drift = np.where(stress, coin.stress_drift, coin.calm_drift) + coin.stress_jump * _entries(stress)
    returns = drift + np.where(stress, coin.stress_volatility, coin.calm_volatility) * shock
    if coin.path == "regime":
        return returns
    series = read_inputs(scenario).series
    assert series is not None  # both processes read it
    recorded = series.returns
    if coin.path == "history":
        # The recorded path as far as it goes, but never into the months in which stress can begin.
        known = recorded[-series.first :][: min(len(returns), scenario.drivers.regimes.first_month)]
        returns[: len(known)] = known
        return returns
    first = (uniform[::BLOCK] * (len(recorded) - BLOCK + 1)).astype(int)
    return np.concatenate([recorded[k : k + BLOCK] for k in first])[: len(returns)]


@kept
def _growth(scenario: Scenario) -> np.ndarray:
    """Return the drift of demand by month, from that by calendar year."""
    growth = scenario.drivers.demand.growth
    years = (int(scenario.run.start[5:]) - 1 + np.arange(scenario.run.months)) // 12
    return np.array(growth)[np.minimum(years, len(growth) - 1)]


def _demand(scenario: Scenario, paths: np.ndarray, normals: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    """Return the log growth of demand of each month: autocorrelated noise around its drift, or stress."""
    d = scenario.drivers.demand
    stress = paths["stress_demand"]
    rho = np.where(stress | paths["stress_coin"], d.correlation_stress, d.correlation_calm)
    shock = rho * normals[:, 0] + np.sqrt(1.0 - rho * rho) * normals[:, 2]
    noise = np.where(stress, d.stress_volatility, d.volatility) * shock
    carry_over(noise, d.persistence)
    calm = _growth(scenario) + noise + d.surge_size * (uniform < d.surge_probability)
    bad = d.stress_drift + d.stress_volatility * shock + d.stress_jump * _entries(stress)
    return np.where(stress, bad, calm)


@entry
def carry_over(noise, persistence):
    """Add to each month's noise the share ``persistence`` of the month before."""
    for month in range(1, len(noise)):
        noise[month] = persistence * noise[month - 1] + noise[month]
