"""Intervals of what runs say: one bootstrap for all of them."""

from __future__ import annotations

import numpy as np

_DRAWS = 1000
#: The interval that is reported everywhere.
_ENDS = (0.025, 0.975)


def resamples(n: int, draws: int = _DRAWS, seed: int = 1) -> np.ndarray:
    """Return ``draws`` resamples of ``n`` runs with replacement, as row numbers (draws x n)."""
    return np.random.default_rng(seed).integers(0, n, (draws, n))


def interval(drawn: np.ndarray) -> tuple[float, float]:
    """Return the ends of the 95 % interval of what was drawn; what is not finite is left out."""
    drawn = np.asarray(drawn, float)
    drawn = drawn[np.isfinite(drawn)]
    if len(drawn) == 0:
        return np.nan, np.nan
    low, high = np.quantile(drawn, _ENDS)
    return float(low), float(high)


def bootstrap(values: np.ndarray, draws: int = _DRAWS, seed: int = 1) -> tuple[float, float, float]:
    """Return (mean, low, high): the mean and its 95 % bootstrap interval; values that are not finite are left out."""
    values = np.asarray(values, float)
    values = values[np.isfinite(values)]
    if len(values) == 0:
        return np.nan, np.nan, np.nan
    return float(values.mean()), *interval(values[resamples(len(values), draws, seed)].mean(1))


def bootstrap_columns(values: np.ndarray, draws: int = _DRAWS, seed: int = 1) -> np.ndarray:
    """Return mean, low and high (rows) of each column of runs x measures, resampled together; not finite: left out."""
    values = np.asarray(values, float)
    known = np.isfinite(values)
    counts = np.zeros((draws, len(values)))
    np.add.at(counts, (np.arange(draws)[:, None], resamples(len(values), draws, seed)), 1.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = (counts @ np.where(known, values, 0.0)) / (counts @ known)
        mean = np.where(known, values, 0.0).sum(0) / known.sum(0)
    low, high = np.array([interval(column) for column in means.T]).T
    return np.array([mean, low, high])


def shortfall(values: np.ndarray, share: float) -> np.ndarray:
    """Return the mean of the largest ``share`` of the last axis (at least one): the expected shortfall of losses."""
    n = max(1, round(share * values.shape[-1]))
    return np.partition(values, -n, axis=-1)[..., -n:].mean(-1)
