"""What leverage does to returns: kurtosis, skew, Hill index by the funds' leverage cap (:mod:`simulation.literature.funds`)."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from experiments.many import spread
from simulation.literature.funds import leveraged_funds

_STEPS, _WARM, _SEEDS = 50_000, 2_000, 15


class Tails(NamedTuple):
    """Excess kurtosis, skewness, Hill index of the worst tenth, standard deviation and least of the log returns."""

    kurtosis: float
    skewness: float
    hill: float
    deviation: float
    least: float


def hill_index(losses: np.ndarray, share: float = 0.1) -> float:
    """Return the Hill estimate of the tail index of the largest ``share`` of positive losses."""
    ordered = np.sort(losses[losses > 0])[::-1]
    k = max(2, int(share * len(ordered)))
    return float(1.0 / np.log(ordered[:k] / ordered[k]).mean())


def tails(prices: np.ndarray) -> Tails:
    """Return the tails of the log returns of a path of prices."""
    returns = np.diff(np.log(prices))
    return Tails(
        float(stats.kurtosis(returns)),
        float(stats.skew(returns)),
        hill_index(-returns),
        float(returns.std()),
        float(returns.min()),
    )


def fund_statistics(
    caps: list[float], steps: int = _STEPS, seeds: int = _SEEDS, **options: Any
) -> dict[str, list[float]]:
    """Return the median over seeds of each statistic, one entry a leverage cap; the same draws for all caps."""

    def one(cap: float, seed: int) -> Tails:
        return tails(leveraged_funds(cap, steps, seed, **options).prices[_WARM:])

    rows = [spread(partial(one, cap), range(1, seeds + 1)) for cap in caps]
    return {name: [float(np.median([getattr(t, name) for t in row])) for row in rows] for name in Tails._fields}
