"""Clearing payments of failed lenders: Eisenberg-Noe (2001) with bankruptcy costs as in Rogers-Veraart (2013)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from agents.rule import entry

_SWEEPS = 100_000


@entry
def clear_payments(debtor, creditor, owed, n_edges, assets, external, alpha, beta, payments, total, inflow, from_above):
    """Write the clearing vector to ``payments`` and total liabilities to ``total`` (USD); return the sweeps taken.

    Edge k: ``debtor[k]`` owes ``owed[k]`` to ``creditor[k]``; ``external`` is what each owes outside, pari passu.
    p_i = total_i when assets_i + inflow_i >= total_i, else alpha assets_i + beta inflow_i. Monotone iteration
    from full payment (greatest vector) or from nothing (least), to rounding; O(firms + edges) a sweep.
    """
    n = len(payments)
    for i in range(n):
        total[i] = external[i]
    for k in range(n_edges):
        total[debtor[k]] += owed[k]
    for i in range(n):
        payments[i] = total[i] if from_above else 0.0
    for sweep in range(_SWEEPS):
        change = 0.0
        for i in range(n):
            inflow[i] = 0.0
        for k in range(n_edges):
            j = debtor[k]
            if total[j] > 0.0:
                inflow[creditor[k]] += owed[k] * payments[j] / total[j]
        for i in range(n):
            have = assets[i] + inflow[i]
            # A hair of tolerance: a firm whose inflow is complete up to rounding pays in full.
            paid = total[i] if have >= total[i] * (1.0 - 1e-14) else min(total[i], alpha * assets[i] + beta * inflow[i])
            if from_above:
                paid = min(paid, payments[i])
            change = max(change, abs(paid - payments[i]) / max(1.0, total[i]))
            payments[i] = paid
        if change < 1e-15:
            return sweep + 1
    return _SWEEPS


class Clearing(NamedTuple):
    """A clearing vector and what follows from it; arrays of one entry a firm."""

    payments: np.ndarray
    total_liabilities: np.ndarray
    recovery: np.ndarray
    defaults: list[int]
    default_waves: list[list[int]]
    equity: np.ndarray
    interbank_payments: np.ndarray
    equity_before_limited_liability: np.ndarray


def clearing_vector(
    liabilities: np.ndarray,
    external_assets: np.ndarray,
    external_liabilities: np.ndarray | None = None,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    senior_external: bool = False,
    greatest: bool = True,
) -> Clearing:
    """Return the greatest (or least) clearing vector of a network of liabilities.

    ``liabilities`` is n x n (i owes j), the others have n entries (USD). ``senior_external`` ranks outside
    creditors first: then interbank debt is cleared with what is left. Default means strictly short of paying.
    Raises ValueError on shapes that do not fit or negative liabilities.
    """
    owed = np.array(liabilities, float)
    assets = np.array(external_assets, float)
    outside = np.zeros(len(assets)) if external_liabilities is None else np.array(external_liabilities, float)
    n = len(assets)
    if owed.shape != (n, n) or outside.shape != (n,):
        raise ValueError(f"liabilities must be {n} x {n} and external liabilities have {n} entries")
    if (owed < 0).any() or (outside < 0).any():
        raise ValueError("liabilities must not be negative")
    own = np.maximum(assets - outside, 0.0) if senior_external else assets
    junior = np.zeros(n) if senior_external else outside
    payments, total, inflow = np.zeros(n), np.zeros(n), np.zeros(n)
    debtor, creditor = np.nonzero(owed)
    clear_payments(debtor, creditor, owed[debtor, creditor], len(debtor), own, junior, alpha, beta, payments, total, inflow, greatest)
    share = np.divide(payments, total, out=np.ones(n), where=total > 0)
    received = owed.T @ share
    paid_inside = owed.sum(1) * share
    short = payments < total - 1e-12 * np.maximum(1.0, total)
    if senior_external:
        short |= own < 0
    balance = assets - outside + received - owed.sum(1)
    equity = np.where(short, 0.0, np.maximum(own + received - total, 0.0))
    return Clearing(
        payments, total, share, np.flatnonzero(short).tolist(), _waves(owed, own, junior, alpha, beta), equity, paid_inside, balance
    )


def _waves(owed: np.ndarray, assets: np.ndarray, outside: np.ndarray, alpha: float, beta: float) -> list[list[int]]:
    """Return the waves of the fictitious-default algorithm: who defaults when the earlier ones are known to."""
    total = owed.sum(1) + outside
    flow = np.divide(owed, total[:, None], out=np.zeros_like(owed), where=total[:, None] > 0).T
    down = np.zeros(len(assets), bool)
    payments = total.copy()
    waves = []
    while True:
        new = (assets + flow @ payments < total * (1 - 1e-12) - 1e-12) & ~down
        if not new.any():
            return waves
        waves.append(np.flatnonzero(new).tolist())
        down |= new
        inside = flow[np.ix_(down, down)]
        given = alpha * assets[down] + beta * (flow[np.ix_(down, ~down)] @ total[~down])
        payments[down] = np.linalg.solve(np.eye(down.sum()) - beta * inside, given)
