"""The stress test with whole arrays, written apart from the rules: what the engine's rounds are timed and compared with."""

from __future__ import annotations

import numpy as np


def numpy_rounds(
    cash: np.ndarray, holdings: np.ndarray, other: np.ndarray, loan: np.ndarray, liabilities: np.ndarray, *, shock: float, impact: float,
    minimum: float, trigger: float, target: float, steps: int,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Return (failures, share of all units sold so far) by step; N institutions, holdings N x M, asset 0 loses ``shock``."""
    cash, units, loan = cash.copy(), holdings.copy(), loan.copy()
    price = np.ones(units.shape[1])
    price[0] -= shock
    issued, offered, dead = units.sum(0), np.zeros_like(units), np.zeros(len(cash), bool)
    failures, sold, total = np.zeros(steps, np.int64), np.zeros(steps), 0.0
    for step in range(steps):
        wanted = offered.sum(0)
        after = price * np.exp(-impact * np.divide(wanted, issued, out=np.zeros_like(wanted), where=issued > 0))
        cash += offered @ (0.5 * (price + after))
        units -= offered
        price, total = after, total + wanted.sum()
        value = units @ price
        assets = cash + other + value
        equity = assets - loan - liabilities
        new = ~dead & (equity < minimum * assets)
        low = ~dead & ~new & (equity < trigger * assets)
        need = np.where(low, np.maximum(0.0, assets - equity / target), 0.0)
        paid = np.minimum(np.minimum(need, cash), loan)
        cash, loan = cash - paid, loan - paid
        share = np.clip(np.divide(need - paid - cash, value, out=np.zeros_like(value), where=value > 0), 0.0, 1.0)
        offered = units * np.where(new, 1.0, np.where(low, share, 0.0))[:, None]
        dead |= new
        failures[step], sold[step] = new.sum(), total / issued.sum()
    return failures, sold


def balance_sheets(institutions: int, assets: int, seed: int = 1) -> dict[str, np.ndarray]:
    """Return drawn balance sheets (USD): log-normal sizes, each asset held with probability 0.3 (at least one), 20 % of the
    size tradable, 5 % cash, equity of 4 to 8 %; keys as ``--scaled`` reads them."""
    rng = np.random.default_rng(seed)
    size = rng.lognormal(0.0, 1.5, institutions)
    held = rng.random((institutions, assets)) < 0.3
    held[np.arange(institutions), rng.integers(0, assets, institutions)] = True
    holdings = held / held.sum(1, keepdims=True) * 0.2 * size[:, None]
    equity, cash = size * rng.uniform(0.04, 0.08, institutions), 0.05 * size
    return {
        "cash": cash,
        "holdings": holdings,
        "other_assets": size - cash - holdings.sum(1),
        "equity": equity,
        "liabilities": size - equity,
    }
