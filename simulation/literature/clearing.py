"""Clearing vectors of a network of liabilities given as arrays (Eisenberg-Noe 2001; Rogers-Veraart 2013)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from agents.lenders.clearing import clear_payments


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
    clear_payments(
        debtor,
        creditor,
        owed[debtor, creditor],
        len(debtor),
        own,
        junior,
        alpha,
        beta,
        payments,
        total,
        inflow,
        greatest,
    )
    share = np.divide(payments, total, out=np.ones(n), where=total > 0)
    received = owed.T @ share
    paid_inside = owed.sum(1) * share
    short = payments < total - 1e-12 * np.maximum(1.0, total)
    if senior_external:
        short |= own < 0
    balance = assets - outside + received - owed.sum(1)
    equity = np.where(short, 0.0, np.maximum(own + received - total, 0.0))
    return Clearing(
        payments,
        total,
        share,
        np.flatnonzero(short).tolist(),
        _waves(owed, own, junior, alpha, beta),
        equity,
        paid_inside,
        balance,
    )


def _waves(owed: np.ndarray, assets: np.ndarray, outside: np.ndarray, alpha: float, beta: float) -> list[list[int]]:
    """Return the waves of the fictitious-default algorithm: who defaults when the earlier ones are known to."""
    total = owed.sum(1) + outside
    flow = np.divide(owed, total[:, None], out=np.zeros_like(owed), where=total[:, None] > 0).T
    down = np.zeros(len(assets), bool)
    payments = total.copy()
    waves: list[list[int]] = []
    while True:
        new = (assets + flow @ payments < total * (1 - 1e-12) - 1e-12) & ~down
        if not new.any():
            return waves
        waves.append(np.flatnonzero(new).tolist())
        down |= new
        inside = flow[np.ix_(down, down)]
        given = alpha * assets[down] + beta * (flow[np.ix_(down, ~down)] @ total[~down])
        payments[down] = np.linalg.solve(np.eye(down.sum()) - beta * inside, given)
