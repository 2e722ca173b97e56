"""Equilibria of forced sales under inverse demand: :mod:`simulation.literature.equilibrium`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from experiments.validation.cases import Case
from simulation.literature.equilibrium import Equilibrium, Market, all_prices, equilibrium
from simulation.markets.impact import ImpactForm, price_left

# The rule itself, called from Python.
_left = getattr(price_left, "py_func", price_left)


def _exponential(impact: np.ndarray) -> Any:
    """Return inverse demand p_k = exp(-sum_l A_kl q_l) of M assets."""
    return lambda q: np.array([_left(ImpactForm.EXPONENTIAL, 1.0, float(x)) for x in impact @ q])


def _system(x: dict) -> Market:
    n = len(x["liquid"])
    holdings = np.array(x["holdings"] if "holdings" in x else [[u] for u in x["illiquid_units"]], float)
    impact = np.array(x["impact_matrix"], float) if "impact_matrix" in x else np.eye(holdings.shape[1]) * x["alpha"]
    return Market(
        holdings, np.array(x["liquid"], float), np.array(x["external_liabilities"], float), np.array(x.get("L", np.zeros((n, n))), float),
        _exponential(impact), "capital_ratio" if "min_capital_ratio" in x else "shortfall", x.get("min_capital_ratio", 0.0),
    )  # fmt: skip


def network(case: Case) -> dict[str, Any]:
    """Cifuentes, Ferrucci and Shin (2005); Amini, Filipovic and Minca (2016); Feinstein (2017): banks with debts to each other."""
    market = _system(case.inputs)
    top, low = equilibrium(market), equilibrium(market, greatest=False)
    total = market.owed.sum(1) + market.external
    units = top.share[:, None] * market.holdings
    found = {
        "units_sold": units.sum(1),
        "fraction_sold": top.share,
        "clearing_vector": top.payments,
        "equity": top.equity,
        "insolvent": np.flatnonzero(top.equity < -1e-12).tolist(),
        "defaults": np.flatnonzero(top.payments < total - 1e-12 * np.maximum(1.0, total)).tolist(),
        "prices": top.prices,
        "least_prices": low.prices,
    }
    if market.holdings.shape[1] == 1:
        # q f(q) increases up to 1/alpha: then proceeds rise with sales, and the clearing price is unique.
        unique = "alpha" in case.inputs and case.inputs["alpha"] * market.holdings.sum() <= 1.0
        found |= {name: top.prices[0] for name in ("price", "greatest_equilibrium_price")}
        found |= {name: low.prices[0] for name in ("least_price", "least_equilibrium_price")}
        found |= {"price_path": _path(top, case), "uniqueness_condition_q_f_q_increasing": unique}
    return found


def _path(result: Equilibrium, case: Case, name: str = "price_path") -> list[float]:
    """Return the first prices of the iteration, as many as the case shows; at rest the last one stays."""
    prices = [float(p[0]) for p in result.path]
    shown = len(case.expected.get(name, prices))
    return (prices + prices[-1:] * shown)[:shown]


def one_bank(case: Case) -> dict[str, Any]:
    """Cifuentes, Ferrucci and Shin (2005) with one representative bank: every equilibrium, unstable ones too."""
    x = case.inputs
    market = Market(
        np.array([[x["illiquid_units"]]], float), np.array([x["liquid"]], float), np.array([x["liabilities"]], float), np.zeros((1, 1)),
        lambda q: x.get("start_price", 1.0) * _exponential(np.array([[x["alpha"]]]))(q), "capital_ratio", x["min_capital_ratio"],
    )  # fmt: skip
    top, low = equilibrium(market), equilibrium(market, greatest=False)
    first = float(market.demand(np.zeros(1))[0])
    equity = x["illiquid_units"] * first + x["liquid"] - x["liabilities"]
    return {
        "equity_at_p1": equity,
        "ratio_at_p1": equity / (x["illiquid_units"] * first),
        "price_path_from_1": _path(top, case, "price_path_from_1"),
        "greatest_equilibrium_price": float(top.prices[0]),
        "least_equilibrium_price": float(low.prices[0]),
        "all_equilibria_incl_unstable": all_prices(market),
        "units_sold_at_greatest": float(top.sold[0]),
        "floor_price": float(market.demand(market.holdings.sum(0))[0]),
    }


def raise_cash(case: Case) -> dict[str, Any]:
    """One seller who must raise cash K where p = exp(-alpha q): least sale with q p(q) = K; nothing raises more than 1/(alpha e)."""
    x = case.inputs
    most = (
        1.0 / (x["alpha"] * math.e)
        if x["units"] * x["alpha"] >= 1.0
        else x["units"] * math.exp(-x["alpha"] * x["units"])
    )
    market = Market(
        np.array([[x["units"]]], float), np.zeros(1), np.array([x["cash_needed"]], float), np.zeros((1, 1)),
        _exponential(np.array([[x["alpha"]]])), "shortfall",
    )  # fmt: skip
    top = equilibrium(market)
    price, sold = float(top.prices[0]), float(top.sold[0])
    return {"units_sold": sold, "price": price, "proceeds": price * sold, "max_raisable": most}


def leverage_cap(case: Case) -> dict[str, Any]:
    """Breuer, Summer and Urosevic (2021): banks above a leverage cap sell bonds into a market with square-root impact.

    Computed with each asset's own volatility and volume, and as the R package syslosseval pairs them (by sorted names).
    """
    x = case.inputs
    bonds, loans, equity = (np.array(x[k], float) for k in ("S_1", "L_1", "e_1"))
    sigma, volume = np.array(x["volatility_by_asset"], float), np.array(x["adv_by_asset"], float)
    ranked = np.argsort(np.array(x["assets"]))

    def solve(sigma: np.ndarray, volume: np.ndarray, greatest: bool) -> Equilibrium:
        def demand(q: np.ndarray) -> np.ndarray:
            return np.array(
                [
                    _left(ImpactForm.SQUARE_ROOT, float(x["kappa"] * s), float(u / v))
                    for s, u, v in zip(sigma, q, volume, strict=True)
                ]
            )

        debts = bonds.sum(1) + loans - equity
        market = Market(
            bonds,
            np.zeros(len(loans)),
            debts,
            np.zeros((len(loans),) * 2),
            demand,
            "capital_ratio",
            1 / x["leverage_cap"],
            loans,
        )
        return equilibrium(market, greatest=greatest)

    top, low = solve(sigma, volume, True), solve(sigma, volume, False)
    # The package sorts volatilities by name and leaves the columns of holdings as they are.
    paired = solve(sigma[ranked], volume[ranked], True), solve(sigma[ranked], volume[ranked], False)
    printed = {k: float(f"{v:.3g}") for k, v in zip(x["assets"], 1 - paired[0].prices, strict=True)}
    return {
        "corrected_pairing_lower": 1 - top.prices,
        "corrected_pairing_upper": 1 - low.prices,
        "theta_corrected": top.share,
        "package_output_lower": 1 - paired[0].prices,
        "package_output_upper": 1 - paired[1].prices,
        "theta_at_package_solution": paired[0].share,
        "published_table": printed,
    }


FORMS = (
    (lambda x: {"S_1", "L_1", "e_1", "leverage_cap"} <= set(x), leverage_cap),
    (lambda x: {"illiquid_units", "liquid", "liabilities", "min_capital_ratio"} <= set(x), one_bank),
    (lambda x: {"liquid", "external_liabilities"} <= set(x) and ("illiquid_units" in x or "holdings" in x), network),
    (lambda x: {"cash_needed", "alpha", "units"} <= set(x), raise_cash),
)
