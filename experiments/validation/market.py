"""Markets alone: call auctions, cash in the market, heterogeneous buyers with loans; leveraged investors over time."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments.validation.band import Band
from experiments.validation.cases import Case
from experiments.validation.funds import fund_statistics
from simulation.markets.auction import call_auction, clear_budget_auction, order_schedule


def call(case: Case) -> dict[str, Any]:
    """Uniform-price call auction by the four rules of exchanges."""
    x = case.inputs
    bids, asks = ([(p, q) for p, q in x[side]] for side in ("bids", "asks"))
    got = call_auction(bids, asks, x.get("reference"))
    rows = [
        (float(p), float(d), float(s), min(float(d), float(s)), float(d) - float(s))
        for p, d, s in zip(*order_schedule(bids, asks, x.get("reference")), strict=True)
    ]
    names = ("price", "demand", "supply", "volume", "surplus")
    return {
        "price": got.price,
        "volume": got.volume,
        "bid_fills": got.bid_fills,
        "ask_fills": got.ask_fills,
        "candidates": [dict(zip(names, row, strict=True)) for row in rows],
        "table": rows,
    }


def budget_auction(
    limit: np.ndarray, cap: np.ndarray, budget: np.ndarray, reserve: np.ndarray, units: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    """Clear the market's own auction; return (price, fills of the bids, fills of the asks)."""
    n, m = len(limit), len(reserve)
    if any(x.shape != (n,) for x in (limit, cap, budget)) or any(x.shape != (m,) for x in (reserve, units)):
        raise ValueError("limits, caps and budgets need one number a bid, reserves and units one an ask")
    bid_fill, ask_fill = np.zeros(n), np.zeros(m)
    orders = [np.zeros(k, np.int64) for k in (n, m, max(n, m))]
    price, _volume = clear_budget_auction(
        limit.astype(float),
        cap.astype(float),
        budget.astype(float),
        n,
        reserve.astype(float),
        units.astype(float),
        m,
        *orders,
        bid_fill,
        ask_fill,
    )
    return price, bid_fill, ask_fill


def cash_in_the_market(case: Case) -> dict[str, Any]:
    """Allen and Gale (1994), Shleifer and Vishny (1992): peers with finite cash, outsiders who value the good less."""
    x = case.inputs
    outside = x.get("outsider_value")
    limit = np.array([x["peer_value"]] + ([outside] if outside is not None else []))
    budget = np.array([x["peer_cash"], 1e30][: len(limit)])
    price, fills, _ = budget_auction(
        limit, np.full(len(limit), 1e18), budget, np.zeros(1), np.array([x["units_for_sale"]])
    )
    bought = [*fills.tolist(), 0.0]
    return {
        "price": price,
        "bought_by_peers": bought[0],
        "bought_by_outsiders": bought[1],
        "proceeds": price * float(fills.sum()),
    }


def step_book(case: Case) -> dict[str, Any]:
    """Cash in the market with a book of buyers (Allen and Gale 1994): values, cash, and a supply that must be sold."""
    x = case.inputs
    values, cash = np.array(x["buyer_values"], float), np.array(x["buyer_cash"], float)
    price, fills, _ = budget_auction(
        values, np.full(len(values), 1e18), cash, np.zeros(1), np.array([float(x["supply"])])
    )
    return {"price": price, "bought": fills.tolist(), "proceeds": price * float(fills.sum())}


def natural_buyers(agents: int, down: float, loans: bool) -> float:
    """Return the price among ``agents`` with a unit of the asset and of cash each, who value it h + R (1 - h), R = ``down``.

    With ``loans`` each unit bought carries a loan of its worst payoff R, so that bids and reserves are down payments p - R.
    """
    h = (np.arange(agents) + 0.5) / agents
    debt = down if loans else 0.0
    value = h + down * (1.0 - h) - debt
    one = np.ones(agents)
    price, *_ = budget_auction(value, np.full(agents, 1e18), one + debt, value, one)
    return price + debt


def leverage_cycle(case: Case) -> dict[str, Any]:
    """Geanakoplos (2003, 2010): the price with and without loans, in a continuum and with many buyers; margins and the crash."""
    from scipy.optimize import brentq

    x = case.inputs
    up, down = float(x.get("payoff_up", 1.0)), float(x["payoff_down"])
    if up != 1.0:
        raise ValueError("payoff_up must be 1: payoffs are in units of the good outcome")
    found: dict[str, Any] = {}
    for name, loan in (("no_leverage", 0.0), ("leverage_one_period", down)):
        # The marginal buyer h values at p; those above buy from those below with their cash (and loans).
        h = brentq(lambda h, loan=loan: (1 - h) + loan - (h + down * (1 - h)) * h, 1e-12, 1 - 1e-12, xtol=1e-15)
        found[name] = {"h": h, "p": h + down * (1 - h)}

    def crash_and_first(b: float) -> tuple[float, float]:
        # At D the buyers between b and a are left with what the wiped-out optimists sell: p_D = ((1 + R) a - b)/b.
        crash = b + down * (1 - b)
        return crash, b * (crash + 1) / (1 + down)

    def gap(b: float) -> float:
        crash, a = crash_and_first(b)
        price = ((1 - a) + crash) / a
        return a * (1 - crash) / (price - crash) - a - (1 - a) * a * (1 - down) / (crash - down)

    grid = [b for b in np.linspace(1e-6, 1 - 1e-6, 2001) if b < crash_and_first(b)[1] < 1]
    values = [gap(b) for b in grid]
    turn = next((k for k in range(len(grid) - 1) if values[k] * values[k + 1] <= 0), None)
    if turn is None:
        raise ValueError(f"no three-period equilibrium found for payoff_down = {down}")
    b = brentq(gap, grid[turn], grid[turn + 1], xtol=1e-15)
    crash, a = crash_and_first(b)
    price = ((1 - a) + crash) / a
    margin, later = (price - crash) / price, (crash - down) / crash
    found["three_period"] = {
        "a": a, "b": b, "p0": price, "pD": crash, "margin0": margin, "leverage0": 1 / margin, "margin_D": later, "leverage_D": 1 / later,
    }  # fmt: skip
    finite = {}
    for count in case.expected.get("finite_agents", {}):
        # By the auction of this project; N buyers come within 1/N of the continuum.
        finite[count] = {
            name: Band(natural_buyers(int(count), down, loans), 1.0 / int(count))
            for name, loans in (("no_leverage", False), ("leverage", True))
        }
    found["finite_agents"] = finite
    return found


def _caps(x: dict) -> list[float]:
    """Return the leverage caps that a case sweeps: its list of numbers named after leverage or lambda."""
    found = [
        v
        for k, v in x.items()
        if isinstance(v, list) and ("leverage" in k.lower() or "lambda" in k.lower()) and len(v) > 1
    ]
    if not found:
        raise KeyError("leverage_caps")
    return [float(v) for v in found[0]]


def fund_tails(case: Case) -> dict[str, Any]:
    """Thurner, Farmer and Geanakoplos (2012): what the leverage cap of value investors does to the tails of returns."""
    x = case.inputs
    caps = _caps(x)
    got = fund_statistics(caps, int(x.get("steps", 50_000)), int(x.get("seeds", 15)))
    rising = {
        "kurtosis": bool((np.diff(got["kurtosis"]) > 0).all()),
        "negative_skew": bool((np.diff(got["skewness"]) < 0).all()),
        "hill": bool((np.diff(got["hill"]) > 0).all()),
    }
    falling = {
        "kurtosis": bool((np.diff(got["kurtosis"]) < 0).all()),
        "negative_skew": bool((np.diff(got["skewness"]) > 0).all()),
        "hill": bool((np.diff(got["hill"]) < 0).all()),
    }
    words = {k: "rises" if rising[k] else ("falls" if falling[k] else "neither") for k in rising}
    calm: dict[str, bool | None] = {"volatility_below_noise_alone": None, "worst_return_beyond_noise_alone": None}
    if any(k in case.expected for k in calm):
        # Before a crash wealthy funds damp what noise traders alone would do.
        alone = fund_statistics([0.0], int(x.get("steps", 50_000)), int(x.get("seeds", 15)))
        calm = {
            "volatility_below_noise_alone": min(got["deviation"]) < alone["deviation"][0],
            "worst_return_beyond_noise_alone": min(got["least"]) < alone["least"][0],
        }
    return {
        "by_leverage": words,
        **words,
        **calm,
        **{f"{k}_rises": v for k, v in rising.items()},
        **{f"{k}_falls": v for k, v in falling.items()},
        "medians": got,
    }


FORMS = (
    (lambda x: {"bids", "asks"} <= set(x), call),
    (lambda x: {"units_for_sale", "peer_cash", "peer_value"} <= set(x), cash_in_the_market),
    (lambda x: {"buyer_values", "buyer_cash", "supply"} <= set(x), step_book),
    (lambda x: "payoff_down" in x, leverage_cycle),
    (
        lambda x: (
            any(
                isinstance(v, list) and len(v) > 1 and ("leverage" in k.lower() or "lambda" in k.lower())
                for k, v in x.items()
            )
            and "mu_b" not in x
        ),
        fund_tails,
    ),
)
