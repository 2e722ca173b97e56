"""A worked example of calibration: three parameters of demand fitted to the recorded rents of an H100-hour.

    uv run python -m experiments.evidence.fit_rents

Uses SciPy's differential evolution on the seam ``experiments.simulate``; the objective is the mean squared log
distance of the simulated from the recorded index over its months, averaged over four seeds.
"""

from __future__ import annotations

import csv
import math

import numpy as np
from scipy.optimize import differential_evolution

from experiments import simulate
from simulation.scenario.document import base_config

#: What is fitted, and where it is looked for.
NAMES = ("rental.rent", "drivers.demand.deflation", "rental.elasticity")


BOUNDS = ((2.4, 4.0), (-0.01, 0.03), (0.6, 2.0))


SEEDS = (1, 2, 3, 4)


def recorded(months: int = 24) -> np.ndarray:
    """Return recorded H100 rents relative to January 2024, one entry a month, NaN where none is recorded."""
    found = np.full(months, math.nan)
    with open(
        base_config().parent / "data" / "series_gpu_rental_ratecards_monthly.csv", encoding="utf-8", newline=""
    ) as file:
        for row in csv.DictReader(file):
            year, month = map(int, row["month"].split("-"))
            at = 12 * (year - 2024) + month - 1
            if row["gpu"] == "H100" and row["normalised_index_usd_gpu_hr"] and 0 <= at < months:
                found[at] = float(row["normalised_index_usd_gpu_hr"])
    return found / found[0]


def distance(theta: np.ndarray, target: np.ndarray) -> float:
    """Return the mean squared log distance of simulated from recorded relative rents."""
    rents = np.mean([simulate(theta, NAMES, len(target), seed, columns=("rent",))[:, 0] for seed in SEEDS], axis=0)
    known = np.isfinite(target)
    return float(np.mean(np.log(rents[known] / rents[0] / target[known]) ** 2))


def fit(iterations: int = 12) -> tuple[np.ndarray, float, float]:
    """Return (parameters, distance there, distance at the base)."""
    target = recorded()
    base = distance(np.array([3.2, 0.0, 1.0]), target)
    found = differential_evolution(
        distance, BOUNDS, args=(target,), maxiter=iterations, popsize=8, seed=1, polish=False
    )
    return found.x, float(found.fun), base


if __name__ == "__main__":
    best, reached, before = fit()
    for name, value in zip(NAMES, best, strict=True):
        print(f"{name} = {value:.4g}")
    print(f"root mean squared log distance {math.sqrt(reached):.3f}, {math.sqrt(before):.3f} with the base's values")
