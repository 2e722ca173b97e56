"""Distress that spreads along claims before anybody defaults: DebtRank and its relatives."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

Rule = Literal["linear", "single_hit", "threshold"]


class Distress(NamedTuple):
    """Relative equity lost by each firm (N): capped at one, and before the cap; the sweeps taken."""

    loss: np.ndarray
    uncapped: np.ndarray
    sweeps: int


def spread_distress(
    exposure: np.ndarray,
    equity: np.ndarray,
    shock: np.ndarray,
    rule: Rule = "linear",
    *,
    tolerance: float = 1e-13,
    sweeps: int = 100_000,
) -> Distress:
    """Spread ``shock`` (N, relative equity lost) along claims: ``exposure[i, j]`` is what i lent to j, ``equity`` N (USD).

    ``linear``: h_i(t+1) = min(1, h_i(t) + sum_j E_ij/eq_i (h_j(t) - h_j(t-1))) (Bardoscia et al. 2015); ``single_hit``:
    each firm passes its loss on once, when it is first hit (Battiston et al. 2012); ``threshold``: only a firm that has
    lost everything passes it on. Ends when the norm of the last increment (before the cap) is below ``tolerance``, or after ``sweeps``.
    Raises ValueError on shapes that do not fit and on an unknown rule.
    """
    n = len(equity)
    if np.shape(exposure) != (n, n) or np.shape(shock) != (n,):
        raise ValueError(f"exposures must be {n} x {n} and the shock have {n} entries")
    weights = np.divide(
        exposure, np.reshape(equity, (n, 1)), out=np.zeros((n, n)), where=np.reshape(equity, (n, 1)) > 0
    )
    start = np.asarray(shock, float)
    uncapped, loss = start.copy(), np.minimum(1.0, start)
    before, passed = np.zeros(n), np.zeros(n, bool)
    sweep = 0
    while sweep < sweeps:
        sweep += 1
        if rule == "linear":
            given = loss - before
        elif rule in ("single_hit", "threshold"):
            now = ~passed & (loss > 0.0 if rule == "single_hit" else loss >= 1.0)
            given = np.where(now, loss, 0.0)
            passed |= now
        else:
            raise ValueError(f"no rule {rule!r}; there are linear, single_hit and threshold")
        before = loss
        step = weights @ given
        uncapped = uncapped + step
        loss = np.minimum(1.0, uncapped)
        if np.linalg.norm(step) < tolerance:
            break
    return Distress(loss, uncapped, sweep)


def debtrank(exposure: np.ndarray, equity: np.ndarray, start: int) -> float:
    """Return the DebtRank of one bank: equity of the others lost when it fails, over all equity of the others.

    ``exposure[i, j]`` is what i lent to j (USD), ``equity`` has one entry a bank (USD).
    """
    shock = np.zeros(len(equity))
    shock[start] = 1.0
    loss = spread_distress(exposure, equity, shock).loss
    others = np.arange(len(equity)) != start
    total = equity[others].sum()
    return float((loss * equity)[others].sum() / total) if total > 0 else 0.0
