"""What the stylised facts measure: the rows of an arm (one a seed), and the statistics that are made of rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from agents.tables.events import Cause, EventKind, SaleReason
from experiments.economics import sales
from experiments.many import play_many
from experiments.prices import price_path
from experiments.validation.contagion import spread_by_sales
from simulation.literature.deleveraging import deleverage, make_system
from simulation.record.summary import SYSTEMIC_SHARE
from simulation.scenario.config import load_scenario, set_path
from simulation.scenario.document import base_config
from simulation.scenario.scenario import Scenario
from simulation.world.world import World

Rows = list[np.ndarray]


_H100 = 1


#: The block: size, month, and the calm run that it comes in.
_BLOCK, _BLOCK_MONTH = 10_000.0, 30


_CALM: dict[str, Any] = {"drivers.regimes.entry": 0.0, "run.months": 54}


_LEVERAGE = (0.5, 0.7, 0.9)


_CAPITAL = (0.40, 0.70, 1.22, 2.14)


_LONG = {"run.months": 144, "drivers.regimes.first_month": 12}


_AHEAD = 36


_SPREAD = 0.05


#: What a lender does that settles with a borrower.
_AMENDMENTS = (EventKind.WAIVER, EventKind.EXTENSION, EventKind.SWAP)
#: What ends in the hands of lenders; both name the borrower as the one whom it happened to.
_SEIZED = (EventKind.DEFAULT, EventKind.SURRENDER)


_SHOCKS = (0.04, 0.20)


def _base(changes: dict[str, Any]) -> Scenario:
    scenario = load_scenario(base_config())
    return set_path(scenario, changes) if changes else scenario


def _arm(seeds: Sequence[int], changes: dict[str, Any], read: Callable[[World, dict], Any]) -> Rows:
    return [np.asarray(row, float) for row in play_many(_base(changes), seeds, read)]


def _pooled(rows: Rows) -> np.ndarray:
    return np.concatenate(rows) if rows else np.zeros((0, 2))


# --- discounts ------------------------------------------------------------------------------------------------------


def discounts(seeds: Sequence[int], changes: dict[str, Any]) -> Rows:
    """Return (depth of the discount to value in use, USD sold by force) of each month with forced sales."""

    def read(world: World, _: dict) -> np.ndarray:
        sold = world.panel["forced_usd"] > 1e5
        return np.c_[-world.panel["discount"][sold], world.panel["forced_usd"][sold]]

    return _arm(seeds, changes, read)


def weighted_mean(rows: Rows) -> float:
    """Return the mean of the first column, weighted by the second."""
    x = _pooled(rows)
    return float(np.average(x[:, 0], weights=x[:, 1])) if len(x) else math.nan


def discount_and_distress(seeds: Sequence[int], changes: dict[str, Any]) -> Rows:
    """Return (share of debt at a DSCR below one, depth of the discount) by month with forced sales, less the run's means."""

    def read(world: World, _: dict) -> np.ndarray:
        sold = world.panel["forced_usd"] > 1e5
        pairs = np.c_[world.panel["dscr_below_one"][sold], -world.panel["discount"][sold]]
        return pairs - pairs.mean(0) if len(pairs) > 2 else np.zeros((0, 2))

    return _arm(seeds, changes, read)


def within_slope(rows: Rows) -> float:
    """Return the slope of the second column on the first."""
    x = _pooled(rows)
    return float((x[:, 0] * x[:, 1]).sum() / max((x[:, 0] ** 2).sum(), 1e-12))


def discount_parts(seeds: Sequence[int], changes: dict[str, Any]) -> Rows:
    """Return (log discount by age, by liquidity), summed over forced sales and weighted by the units' list price."""

    def read(world: World, _: dict) -> np.ndarray:
        t = world.trades[: world.clock[0].trades]
        t = t[(t["reason"] != SaleReason.CHURN) & (t["reason"] != SaleReason.DEALER)]
        new = world.chips["list_price"][t["chip"]]
        weight = t["units"] * new
        price = np.maximum(t["price"], 1.0)
        return np.array(
            [(weight * np.log(new / t["fundamental"])).sum(), (weight * np.log(t["fundamental"] / price)).sum()]
        )

    return _arm(seeds, changes, read)


def age_part(rows: Rows) -> float:
    """Return the share of the first part in the sum of both."""
    age, liquidity = np.array(rows).sum(0)
    return float(age / (age + liquidity)) if age + liquidity else math.nan


# --- the response to a block ----------------------------------------------------------------------------------------


def block_response(seeds: Sequence[int], changes: dict[str, Any]) -> Rows:
    """Return the log price of H100s with the block over without, by month from the block on."""

    def read(world: World, _: dict) -> np.ndarray:
        return np.log(price_path(world, _H100)[_BLOCK_MONTH:])

    block = {"drivers.block.month": _BLOCK_MONTH, "drivers.block.chip": "H100", "drivers.block.units": _BLOCK}
    without, hit = (_arm(seeds, {**_CALM, **changes, **more}, read) for more in ({}, block))
    return [b - a for a, b in zip(without, hit, strict=True)]


def overshoot(rows: Rows) -> float:
    """Return how far the mean price falls in the month of the block below where it stands a year later (log)."""
    mean = np.mean(rows, 0)
    return float(mean[12] - mean[0])


def half_life(rows: Rows) -> float:
    """Return the months until the mean price has made up half of what it recovers in 20 months, in a straight line between months."""
    mean = np.mean(rows, 0)[:21]
    half = 0.5 * (mean[0] + mean[20])
    after = int(np.argmax(mean >= half))
    if after == 0:
        return 0.0
    return float(after - 1 + (half - mean[after - 1]) / (mean[after] - mean[after - 1]))


def sale_horizon(seeds: Sequence[int], changes: dict[str, Any]) -> Rows:
    """Return what a block brings within the least and the most days, over the orderly price."""
    scenario = _base({"run.months": sales.MONTHS, **changes})
    days = min(sales.HORIZONS), max(sales.HORIZONS)
    without = sales.without_block(scenario, seeds)
    found = []
    for within in days:
        pairs = zip(sales.with_block(scenario, seeds, within), without, strict=True)
        found.append([np.divide(*sales.brought(w, o, within)) for w, o in pairs])
    return list(np.array(found).T)


def cost_of_hurry(rows: Rows) -> float:
    """Return by how much the second mean is above the first."""
    hurried, orderly = np.mean(rows, 0)
    return float(orderly - hurried)


# --- losses, cascades, defaults --------------------------------------------------------------------------------------


def losses_by_leverage(seeds: Sequence[int], changes: dict[str, Any]) -> Rows:
    """Return the credit losses (bn USD) at three advance rates."""
    arms = [_arm(seeds, {**changes, "lenders.max_ltv": ltv}, lambda w, s: s["losses"] / 1e9) for ltv in _LEVERAGE]
    return list(np.array(arms).T)


def convexity(rows: Rows) -> float:
    """Return the second difference of the means."""
    low, middle, high = np.mean(rows, 0)
    return float(high - 2 * middle + low)


def largest_cascade(seeds: Sequence[int], changes: dict[str, Any]) -> Rows:
    """Return the defaults and failures of the largest cascade over the number of operators."""
    return _arm(seeds, changes, lambda world, s: s["cascade_max"] / len(world.operators))


def extent(rows: Rows) -> float:
    """Return the mean of those beyond 5 %, zero if there are none."""
    x = np.array(rows)
    return float(x[x > _SPREAD].mean()) if (x > _SPREAD).any() else 0.0


def defaults_by_quarter(seeds: Sequence[int], changes: dict[str, Any]) -> Rows:
    """Return the defaults of operators by quarter."""
    return _arm(seeds, changes, lambda world, s: world.panel["defaults"].reshape(-1, 3).sum(1))


def fano(rows: Rows) -> float:
    """Return variance over mean of all counts (one for independent defaults at a constant rate)."""
    x = np.array(rows)
    return float(x.var() / x.mean()) if x.mean() > 0 else 0.0


def failures_by_capital(seeds: Sequence[int], changes: dict[str, Any]) -> Rows:
    """Return the lenders failed at four multiples of every kind's capital target and minimum."""
    base = load_scenario(base_config()).lenders
    arms = []
    for factor in _CAPITAL:
        given = dict(changes)
        for kind in ("bank", "private_credit", "insurer", "bdc", "crypto_lender"):
            for name in ("capital_target", "capital_minimum"):
                given[f"lenders.{kind}.{name}"] = min(0.95, factor * getattr(getattr(base, kind), name))
        arms.append(_arm(seeds, given, lambda w, s: s["lender_failures"]))
    return list(np.array(arms).T)


def threshold(rows: Rows) -> float:
    """Return what the second step saves more than the first."""
    a, b, c, _ = np.mean(rows, 0)
    return float((b - c) - (a - b))


def workouts(seeds: Sequence[int], changes: dict[str, Any]) -> Rows:
    """Return (borrowers that settled, borrowers in distress) as :func:`count_settled` has them."""
    return _arm(seeds, changes, lambda world, _: count_settled(world))


def count_settled(world: World) -> np.ndarray:
    """Return how many operators had a loan amended and nothing seized, and how many had either happen.

    Seized: in default, or with a vehicle surrendered. A waiver for thin coverage of a term loan only says that the cash
    sweep of its contract has begun: lenders that never wait have it alike, so that it settles nothing.
    """
    events = world.events.view(np.ndarray)[: int(world.clock["events"][0])]
    first, n = len(world.lenders), len(world.operators)
    # The borrower is one of the two whom an amendment names.
    begins_sweep = (events["kind"] == EventKind.WAIVER) & (events["cause"] == Cause.DSCR)
    rows = events[np.isin(events["kind"], _AMENDMENTS) & ~begins_sweep]
    nodes = np.concatenate([rows["node"], rows["other"]])
    amended = set(nodes[(nodes >= first) & (nodes < first + n)].tolist())
    fallen = set(events["node"][np.isin(events["kind"], _SEIZED)].tolist())
    return np.array([len(amended - fallen), len(amended | fallen)], float)


def settled(rows: Rows) -> float:
    """Return the first column's sum over the second's, 0 without any distress."""
    kept, distressed = np.sum(rows, 0)
    return float(kept / distressed) if distressed else 0.0


# --- the credit cycle ------------------------------------------------------------------------------------------------


def booms_and_crises(seeds: Sequence[int], changes: dict[str, Any]) -> Rows:
    """Return by month (debt growth and rent growth over a year, whether a crisis begins within three years).

    A crisis: more than 15 % of debt defaults within three months; months in one are left out.
    """

    def read(world: World, _: dict) -> np.ndarray:
        p = world.panel
        month = np.arange(12, len(p) - _AHEAD)
        bad = p["bust_share"] > SYSTEMIC_SHARE
        calm = np.array([not bad[max(0, t - 2) : t + 1].any() for t in month])
        ahead = np.array([bad[t + 1 : t + 1 + _AHEAD].any() for t in month])
        debt, rent = (np.log(np.maximum(p[name], 1e-9)) for name in ("debt", "rent"))
        return np.c_[debt[month] - debt[month - 12], rent[month] - rent[month - 12], ahead][calm]

    return _arm(seeds, {**_LONG, **changes}, read)


def after_boom(rows: Rows) -> float:
    """Return P(crisis) after the fastest fifth of debt growth less that after the rest."""
    x = _pooled(rows)
    fast = x[:, 0] >= np.quantile(x[:, 0], 0.8)
    return float(x[fast, 2].mean() - x[~fast, 2].mean())


def red_zone(rows: Rows) -> float:
    """Return P(crisis) after the fastest fifth of debt growth with the highest third of rent growth, over P(crisis)."""
    x = _pooled(rows)
    red = (x[:, 0] >= np.quantile(x[:, 0], 0.8)) & (x[:, 1] >= np.quantile(x[:, 1], 2 / 3))
    return float(x[red, 2].mean() / max(x[:, 2].mean(), 1e-9)) if red.any() else math.nan


# --- balance sheets alone --------------------------------------------------------------------------------------------


def windows(seeds: Sequence[int], changes: dict[str, Any]) -> Rows:
    """Return whether a failure spreads to more than 5 % of 1,000 holders of 0.5, 3 and 10 assets on average."""

    def one(seed: int) -> np.ndarray:
        return np.array(
            [
                spread_by_sales(np.random.default_rng([seed, k]), 1000, 1000, held, changes["leverage"], 1.0536)
                > _SPREAD
                for k, held in enumerate((0.5, 3.0, 10.0))
            ],
            float,
        )

    return [one(seed) for seed in seeds]


def hump(rows: Rows) -> float:
    """Return the middle mean less the larger of the outer ones."""
    low, middle, high = np.mean(rows, 0)
    return float(middle - max(low, high))


def sales_by_shock(seeds: Sequence[int], changes: dict[str, Any]) -> Rows:
    """Return the share of all units sold after a shock of 4 % and of 20 % to one of ten assets: 200 institutions that start at
    an equity of 5 %, their target; ten steps."""

    def one(seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        size = rng.lognormal(0.0, 1.5, 200)
        held = rng.random((200, 10)) < 0.3
        held[np.arange(200), rng.integers(0, 10, 200)] = True
        units = held / held.sum(1, keepdims=True) * 0.2 * size[:, None]
        debt = 0.5 * 0.95 * size
        sold = []
        for shock in _SHOCKS:
            system = make_system(
                0.0 * size, units, 0.8 * size, debt, debt, impact=0.02, minimum=0.03, target=0.05, borne=0.5, **changes
            )
            system.assets["price"][0] *= 1.0 - shock
            sold.append(deleverage(system, 10).sold[-1])
        return np.array(sold)

    return [one(seed) for seed in seeds]


def convex_sales(rows: Rows) -> float:
    """Return one less the sales of the small shock over its proportional part of those of the large one: 0 if linear."""
    small, large = np.mean(rows, 0)
    return float(1.0 - small / (large * _SHOCKS[0] / _SHOCKS[1])) if large > 0 else 0.0
