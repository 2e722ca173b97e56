"""Clearing vectors and distress on networks of claims: :mod:`simulation.literature.clearing`, :mod:`simulation.literature.distress`."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments.validation.band import Band
from experiments.validation.cases import Case
from simulation.literature.clearing import clearing_vector
from simulation.literature.distress import Rule, spread_distress

_RULES: dict[str, Rule] = {
    "debtrank_converged": "linear",
    "debtrank_package_stop_rule": "linear",
    "single_hit_converged": "single_hit",
    "threshold": "threshold",
    "bardoscia2015": "linear",
    "battiston2012_single_hit": "single_hit",
}


#: Where the R package NetworkRiskMeasures stops: norm of the last increment below eps^0.2, at most 1,000 sweeps.
_TOLERANCE, _SWEEPS = float(np.finfo(float).eps ** 0.2), 1000


def clear(case: Case) -> dict[str, Any]:
    """Eisenberg and Noe (2001), Rogers and Veraart (2013): the clearing used when lenders fail."""
    x = case.inputs
    options = {"alpha": x.get("alpha", 1.0), "beta": x.get("beta", 1.0), "senior_external": "seniority" in x}
    network = np.array(x["L"], float), np.array(x["external_assets"], float), x.get("external_liabilities")
    top = clearing_vector(*network, **options)
    low = clearing_vector(*network, **options, greatest=False)
    # A firm that owes nothing has no recovery rate.
    rate = [None if owed <= 0 else float(r) for owed, r in zip(top.total_liabilities, top.recovery, strict=True)]
    return {
        "clearing_vector": top.payments,
        "least_clearing_vector": low.payments,
        "total_liabilities": top.total_liabilities,
        "recovery": rate,
        "defaults": top.defaults,
        "default_waves": top.default_waves,
        "equity": top.equity,
        "interbank_payments": top.interbank_payments,
        "equity_before_limited_liability": top.equity_before_limited_liability,
    }


def _summary(
    exposure: np.ndarray, equity: np.ndarray, weights: np.ndarray, shock: np.ndarray, rule: str
) -> dict[str, float]:
    if rule == "debtrank_package_stop_rule":
        result = spread_distress(exposure, equity, shock, _RULES[rule], tolerance=_TOLERANCE, sweeps=_SWEEPS)
    else:
        result = spread_distress(exposure, equity, shock, _RULES[rule])
    return {
        "original_stress": float(weights @ shock / weights.sum()),
        "additional_stress": float(weights @ (result.loss - shock) / weights.sum()),
        "original_losses": float(equity @ shock),
        "additional_losses": float(equity @ (result.uncapped - shock)),
        "additional_defaults": int(((result.loss > 1 - 1e-12) & (shock < 1)).sum()),
    }


def small_distress(case: Case) -> dict[str, Any]:
    """DebtRank on a few banks, from the shocks that the expected values name."""
    x = case.inputs
    exposure, equity, weights = (np.array(x[k], float) for k in ("A", "equity", "weights"))
    found: dict[str, Any] = {}
    for name, rows in case.expected.items():
        if name not in _RULES:
            continue
        found[name] = []
        for row in rows:
            shock = np.array(row["shock"], float)
            result = spread_distress(exposure, equity, shock, _RULES[name])
            rank = float(weights @ (result.loss - shock) / weights.sum())
            found[name].append({"h": result.loss, "h_uncapped": result.uncapped, "debtrank": rank})
    return found


def distress(case: Case) -> dict[str, Any]:
    """DebtRank of every bank of a network, and of common shocks of 1, 2, ... per cent."""
    x = case.inputs
    n = len(x["buffer"])
    exposure = np.zeros((n, n))
    for i, j, usd in x["exposures_ijv"]:
        exposure[int(i), int(j)] = usd
    equity, weights = np.array(x["buffer"], float), np.array(x["weights"], float)
    names = list(x["names"])
    found: dict[str, Any] = {}
    for name, table in case.expected.items():
        if name.startswith("default_of_each"):
            found[name] = {
                rule: [_summary(exposure, equity, weights, np.eye(n)[k], rule) for k in range(len(rows))]
                for rule, rows in table.items()
                if rule in _RULES
            }
        elif name.startswith("uniform_shock"):
            found[name] = [
                _summary(exposure, equity, weights, np.full(n, (k + 1) / 100), "debtrank_converged")
                for k in range(len(table))
            ]
        elif "top10" in name:
            rule = "threshold" if "threshold" in name else "debtrank_package_stop_rule"
            digits = [
                max(len(f"{row[c]}".partition(".")[2]) for row in table) if c else 0 for c in range(len(table[0]))
            ]
            rows = []
            for row in table:
                values = _summary(exposure, equity, weights, np.eye(n)[names.index(row[0])], rule)
                rows.append(
                    [row[0], *(Band(v, 0.5001 * 10.0**-d) for v, d in zip(values.values(), digits[1:], strict=False))]
                )
            found[name] = rows
    return found


FORMS = (
    (lambda x: {"L", "external_assets"} <= set(x), clear),
    (lambda x: {"A", "equity", "weights"} <= set(x), small_distress),
    (lambda x: {"exposures_ijv", "buffer", "weights", "names"} <= set(x), distress),
)
