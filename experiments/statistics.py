"""Intervals of what runs say: one bootstrap for all of them."""

from __future__ import annotations

import numpy as np


def interval(values: np.ndarray, draws: int = 1000) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of the mean."""
    rng = np.random.default_rng(0)
    means = values[rng.integers(0, len(values), (draws, len(values)))].mean(1)
    return float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))


_DRAWS = 1000


# --- intervals ------------------------------------------------------------------------------------------------------


def bootstrap(values: np.ndarray, draws: int = _DRAWS, seed: int = 1) -> tuple[float, float, float]:
    """Return (mean, low, high): the mean and its 95 % bootstrap interval; values that are not finite are left out."""
    values = np.asarray(values, float)
    values = values[np.isfinite(values)]
    if len(values) == 0:
        return np.nan, np.nan, np.nan
    low, high = np.quantile(values[_resampled(len(values), draws, seed)].mean(1), [0.025, 0.975])
    return float(values.mean()), float(low), float(high)


def bootstrap_columns(values: np.ndarray, draws: int = _DRAWS, seed: int = 1) -> np.ndarray:
    """Return mean, low and high (rows) of each column of runs x measures, resampled together; not finite: left out."""
    values = np.asarray(values, float)
    known = np.isfinite(values)
    counts = np.zeros((draws, len(values)))
    np.add.at(counts, (np.arange(draws)[:, None], _resampled(len(values), draws, seed)), 1.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = (counts @ np.where(known, values, 0.0)) / (counts @ known)
        mean = np.where(known, values, 0.0).sum(0) / known.sum(0)
    low, high = np.array(
        [
            np.quantile(column[np.isfinite(column)], [0.025, 0.975]) if np.isfinite(column).any() else (np.nan, np.nan)
            for column in means.T
        ]
    ).T
    return np.array([mean, low, high])


def _resampled(n: int, draws: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, n, (draws, n))


def shortfall(values: np.ndarray, share: float) -> np.ndarray:
    """Return the mean of the largest ``share`` of the last axis (at least one): the expected shortfall of losses."""
    n = max(1, round(share * values.shape[-1]))
    return np.partition(values, -n, axis=-1)[..., -n:].mean(-1)
