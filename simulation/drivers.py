"""Exogenous drivers, drawn before the run: two stress chains, coin returns, demand and efficiency shocks."""

from __future__ import annotations

import os
from functools import lru_cache

import numpy as np

from simulation.panel import PATH
from simulation.scenario import Scenario
from simulation.streams import stream

_BLOCK = 12


def draw_paths(scenario: Scenario, seed: int, replication: int) -> np.recarray:
    """Return the drivers of a run, one row a month (table ``paths``).

    Every random number is drawn first, in blocks whose size depends on the horizon alone, so that two scenarios
    with the same horizon see the same draws whatever their parameters. Raises ConfigError on a bad CSV file.
    """
    months = scenario.run.months
    uniforms = stream(seed, replication, "regimes").random((months, 5))
    normals = stream(seed, replication, "shocks").standard_normal((months, 4))
    coin_stress, demand_stress = draw_stress(scenario, uniforms)
    paths = PATH.empty(months)
    paths.stress_coin = coin_stress
    paths.stress_demand = demand_stress
    _coin_returns(scenario, paths, normals, uniforms[:, 4])
    _demand(scenario, paths, normals, uniforms[:, 3])
    block = scenario.drivers.block
    if block.units > 0 and block.month < months:
        paths.block_units[block.month] = block.units
        paths.block_chip[block.month] = [chip.name for chip in scenario.chips].index(block.chip)
    if scenario.drivers.file:
        _overlay(scenario.drivers.file, paths)
    return paths


def draw_stress(scenario: Scenario, uniforms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the two stress chains (0/1 by month) from ``uniforms`` (months x at least 3).

    With entry probability p and coupling c: P(both enter) = c p, P(only one) = (1 - c) p each, so that the
    marginal entry does not depend on the coupling; exits are independent. A chain that is in stress already
    ignores an entry, which leaves the other its marginal p.
    """
    r = scenario.drivers.regimes
    both, one = r.coupling * r.entry, r.entry
    coin = demand = 0
    chains = np.zeros((2, len(uniforms)), np.int64)
    for month, (leave_coin, leave_demand, enter, *_) in enumerate(uniforms.tolist()):
        was_coin, was_demand = coin, demand
        if was_coin and leave_coin < r.exit:
            coin = 0
        if was_demand and leave_demand < r.exit:
            demand = 0
        if month >= r.first_month:
            if enter < one and not was_coin:
                coin = 1
            if (enter < both or one <= enter < 2 * one - both) and not was_demand:
                demand = 1
        chains[0, month], chains[1, month] = coin, demand
    return chains[0], chains[1]


def _entries(stress: np.ndarray) -> np.ndarray:
    """Return 1.0 in the months in which a stress begins."""
    return np.diff(stress, prepend=0).clip(0).astype(float)


def _coin_returns(scenario: Scenario, paths: np.recarray, normals: np.ndarray, uniform: np.ndarray) -> None:
    coin = scenario.drivers.coin
    stress = paths.stress_coin
    drift = np.where(stress, coin.stress_drift, coin.calm_drift) + coin.stress_jump * _entries(stress)
    returns = drift + np.where(stress, coin.stress_volatility, coin.calm_volatility) * normals[:, 0]
    if coin.path != "regime":
        start, recorded = read_series(coin.series, os.path.getmtime(coin.series))
        year, month = map(int, scenario.run.start.split("-"))
        offset = year * 12 + month - 1 - start
        if coin.path == "history":
            # The recorded path as far as it goes, but never into the months in which stress can begin.
            known = recorded[max(0, offset) :][: min(len(returns), scenario.drivers.regimes.first_month)]
            returns[: len(known)] = known
        else:
            first = (uniform[::_BLOCK] * (len(recorded) - _BLOCK + 1)).astype(int)
            blocks = [recorded[k : k + _BLOCK] for k in first]
            returns = np.concatenate(blocks)[: len(returns)]
    paths.btc_return = returns
    paths.eth_return = coin.eth_beta * returns + coin.eth_volatility * normals[:, 1]


def _demand(scenario: Scenario, paths: np.recarray, normals: np.ndarray, uniform: np.ndarray) -> None:
    d = scenario.drivers.demand
    months = len(paths)
    stress = paths.stress_demand
    rho = np.where(stress | paths.stress_coin, d.correlation_stress, d.correlation_calm)
    shock = rho * normals[:, 0] + np.sqrt(1.0 - rho * rho) * normals[:, 2]
    years = (int(scenario.run.start[5:]) - 1 + np.arange(months)) // 12
    drift = np.array(d.growth)[np.minimum(years, len(d.growth) - 1)]
    noise, carried = np.empty(months), 0.0
    scale = np.where(stress, d.stress_volatility, d.volatility)
    for month in range(months):
        carried = d.persistence * carried + scale[month] * shock[month]
        noise[month] = carried
    calm = drift + noise + d.surge_size * (uniform < d.surge_probability)
    bad = d.stress_drift + d.stress_volatility * shock + d.stress_jump * _entries(stress)
    paths.demand_growth = np.where(stress, bad, calm)
    paths.efficiency = d.deflation + d.deflation_volatility * normals[:, 3]


@lru_cache(maxsize=8)
def read_series(path: str, changed: float) -> tuple[int, np.ndarray]:
    """Return (first month as year*12+month-1, log returns) of a CSV with columns ``month`` and ``close_usd``.

    The first return belongs to the second row's month. ``changed`` (the file's time) keys the cache.
    """
    from simulation.tables_csv import read_rows

    rows = read_rows(path, "drivers.coin.series", {"month": str, "close_usd": float, "log_return": str, "note": str}, required=("month", "close_usd"))
    year, month = map(int, rows["month"][1].split("-"))
    return year * 12 + month - 1, np.diff(np.log(np.array(rows["close_usd"])))


def _overlay(path: str, paths: np.recarray) -> None:
    """Replace the drawn columns that a CSV file has, from its first month on."""
    from simulation.tables_csv import read_rows

    columns = {name: float for name in paths.dtype.names}
    for name, values in read_rows(path, "drivers.file", {"month": float, **columns}, required=("month",)).items():
        if name != "month":
            paths[name][: len(values)] = values[: len(paths)]

