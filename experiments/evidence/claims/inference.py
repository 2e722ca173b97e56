"""The statistics of the ranges: what a few paired runs say about many ends at once, and when a flip is believed.

Two kinds of statement, kept apart. *Where to look* is Bayesian: every end is an effect drawn around the one at the base,
and how far ends stray is estimated from all of them together (a spike and a slab: Mitchell and Beauchamp 1988), with
variances drawn toward their common mean (Smyth 2004). *What to believe* is a test on draws that were not used for
looking, with the family-wise error kept by Holm (1979) over all ends, looks and rounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import norm, t

from experiments.statistics import interval, resamples

#: Runs that the common variance counts for beside those of an end itself.
_PRIOR_RUNS = 4.0
#: Least part of the ends that is taken to change the effect a lot, and steps until the estimate stands.
_LEAST_SLAB, _STEPS = 0.05, 20
#: In the place of a variance or of a density of zero.
_TINY = 1e-300
#: The chance that the ranges show any flip that is none.
FAMILY_ERROR = 0.05


class Shift(NamedTuple):
    """What the runs say of one end: the mean change of the effect against the base, its variance a run, the runs."""

    mean: float
    variance: float
    runs: int


def shift(scores: np.ndarray, base: np.ndarray) -> Shift:
    """Return the paired change of the scores (runs) against those of the base on the same draws; nan is left out."""
    change = scores - base
    change = change[np.isfinite(change)]
    n = len(change)
    return Shift(float(change.mean()) if n else np.nan, float(change.var(ddof=1)) if n > 1 else np.nan, n)


def chances_above(shifts: Sequence[Shift], base: float, base_error: float, least: float) -> np.ndarray:
    """Return for each end the chance that its effect lies above ``least``, nan where there are fewer than two runs.

    ``base`` is the effect at the base, ``base_error`` its standard error. An end's effect is ``base`` plus a change. Most
    changes are of one small size, learned from all ends; some, at least one in twenty, are as large as the way to
    ``least`` (a spike and a slab): without them a single large change would be taken for noise among many small ones.
    """
    known = np.array([np.isfinite(s.variance) for s in shifts], bool)
    found = np.full(len(shifts), np.nan)
    if known.any():
        mean, error = _moderated([s for s, is_known in zip(shifts, known, strict=True) if is_known])
        wide = max((base - least) ** 2, float(np.mean(mean * mean)))
        spike, slab = _spike_and_slab(mean, error, wide)
        in_slab = _chances(mean, error, wide, base, base_error, least)
        in_spike = _chances(mean, error, spike, base, base_error, least)
        found[known] = slab * in_slab + (1.0 - slab) * in_spike
    return found


def _moderated(shifts: Sequence[Shift]) -> tuple[np.ndarray, np.ndarray]:
    """Return mean changes and squared standard errors, with variances a run drawn toward their common mean."""
    mean, variance, runs = (np.array(column, float) for column in zip(*shifts, strict=True))
    common = float(np.average(variance, weights=runs - 1.0))
    variance = (_PRIOR_RUNS * common + (runs - 1.0) * variance) / (_PRIOR_RUNS + runs - 1.0)
    return mean, variance / runs


def _spike_and_slab(mean: np.ndarray, error: np.ndarray, wide: float) -> tuple[float, np.ndarray]:
    """Return the variance of small changes and the chance of each change to be a large one, of variance ``wide``.

    Expectation maximisation; ``error`` are squared standard errors. No noise at all: what is not zero is large.
    """
    spike, part = _spread(mean, error), _LEAST_SLAB
    slab = np.full(len(mean), part)
    for _ in range(_STEPS):
        large, small = (_density(mean, variance + error) for variance in (wide, spike))
        slab = part * large / (part * large + (1.0 - part) * small)
        part = max(_LEAST_SLAB, float(slab.mean()))
        rest = 1.0 - slab
        if rest.sum() > 0.0:
            spike = max(0.0, float(((mean * mean - error) * rest).sum() / rest.sum()))
    return spike, slab


def _density(x: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Return the normal density at ``x``; a variance of zero, as of changes that no run shows, is a very small one."""
    scale = np.sqrt(np.maximum(variance, _TINY))
    return np.maximum(norm.pdf(x, scale=scale), _TINY)


def _spread(mean: np.ndarray, error: np.ndarray) -> float:
    """Return the variance of changes beyond what noise explains."""
    return max(0.0, float(np.mean(mean * mean - error)))


def _chances(
    mean: np.ndarray, error: np.ndarray, spread: float, base: float, base_error: float, least: float
) -> np.ndarray:
    """Return the chances to lie above ``least`` where changes have the variance ``spread``."""
    total = spread + error
    weight = np.divide(spread, total, out=np.zeros_like(total), where=total > 0.0)
    doubt = np.sqrt(weight * error + base_error * base_error)
    gap = base + weight * mean - least
    return np.where(doubt > 0.0, norm.cdf(gap / np.where(doubt > 0.0, doubt, 1.0)), gap > 0.0)


def p_beyond(scores: np.ndarray, least: float, side: int, adverse: float) -> float:
    """Return the p-value of the hypothesis that the mean of the scores does *not* lie beyond ``least`` on ``side``.

    ``side`` is +1 for above and -1 for below. One more run is added that came out at ``adverse``, the score that speaks
    most against: that rare runs did not come up in a few draws then proves nothing (it is the rule of three).
    """
    known = scores[np.isfinite(scores)]
    if len(known) < 2:
        return 1.0
    beyond = side * (np.append(known, adverse) - least)
    error = beyond.std(ddof=1) / np.sqrt(len(beyond))
    if error == 0.0:
        return 0.0 if beyond.mean() > 0.0 else 1.0
    return float(t.sf(beyond.mean() / error, len(beyond) - 1))


def holm(p_values: Sequence[float], level: float) -> np.ndarray:
    """Return which hypotheses are rejected with a family-wise error of ``level`` (Holm 1979)."""
    p = np.asarray(p_values, float)
    order = np.argsort(p, kind="stable")
    passed = p[order] <= level / (len(p) - np.arange(len(p)))
    rejected = np.zeros(len(p), bool)
    rejected[order] = np.logical_and.accumulate(passed)
    return rejected


class Share(NamedTuple):
    """Share of points above a threshold: corrected for noise, its 95 % interval over points, and as counted."""

    share: float
    low: float
    high: float
    counted: float


def share_above(shifts: Sequence[Shift], base: float, base_error: float, least: float, draws: int = 500) -> Share:
    """Return at which share of the points (each with its paired change against the base) the effect lies above ``least``.

    The few runs of a point are noisy: each point's effect is drawn toward the mean of all by as much as noise explains,
    and counts by the chance that it lies above. Points must not share their draws, or they err together.
    """
    known = [s for s in shifts if np.isfinite(s.variance)]
    if len(known) < 2:
        return Share(np.nan, np.nan, np.nan, np.nan)

    def share(of: Sequence[Shift]) -> float:
        changes = np.array([s.mean for s in of])
        middle = float(changes.mean())
        doubt = float(np.hypot(changes.std(ddof=1) / len(of) ** 0.5, base_error))
        mean, error = _moderated([s._replace(mean=s.mean - middle) for s in of])
        return float(_chances(mean, error, _spread(mean, error), base + middle, doubt, least).mean())

    rows = resamples(len(known), draws)
    low, high = interval(np.array([share([known[k] for k in row]) for row in rows]))
    counted = float(np.mean([base + s.mean > least for s in known]))
    return Share(share(known), low, high, counted)
