"""Moments: one number of a run, or of a recorded series, and its distance from the record in standard errors."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from experiments.prices import price_path
from simulation.world.world import World

#: Readings that look at one month, and those that look at a stretch of months.
AT_A_MONTH = ("at", "ratio")
OVER_MONTHS = ("sum", "mean", "growth", "gap", "volatility")

_YEAR = 12


def read_months(kind: str, series: np.ndarray, first: int, last: int, base: int) -> float:
    """Return one number of a monthly series (``first``, ``last``, ``base``: rows of it; nan where it is undefined).

    at: its value at ``last``; ratio: that over its value at ``base``; sum, mean: over both ends and all between;
    growth: the factor of growth a year from ``first`` to ``last``; gap: the longest run of months at zero (months);
    volatility: the annualised standard deviation of monthly log changes.
    """
    part = np.asarray(series[first : last + 1], float)
    with np.errstate(all="ignore"):
        if kind == "at":
            return float(series[last])
        if kind == "ratio":
            return float(np.float64(series[last]) / np.float64(series[base]))
        if kind == "sum":
            return float(part.sum())
        if kind == "mean":
            return float(part.mean())
        if kind == "growth":
            return float((part[-1] / part[0]) ** (_YEAR / (last - first)))
        if kind == "gap":
            return float(longest_gap(part))
        return float(np.std(np.diff(np.log(part)), ddof=1) * math.sqrt(_YEAR))


def longest_gap(flow: np.ndarray) -> int:
    """Return the most months in a row in which nothing flowed."""
    longest = here = 0
    for value in flow:
        here = here + 1 if value <= 0.0 else 0
        longest = max(longest, here)
    return longest


@dataclass(frozen=True)
class Moment:
    """One moment, ready to be read off runs: which column, how, in which months, and what was recorded.

    ``chip`` is the generation (-1: the panel's column); ``first``, ``last``, ``base`` are months since the start;
    the record is a value (``low`` = ``high``), an interval, or a bound (the other end infinite), in the moment's unit.
    """

    name: str
    column: str
    chip: int
    reading: str
    first: int
    last: int
    base: int
    low: float
    high: float
    error: float
    weight: float = 1.0
    over_seeds: str = "mean"
    unit: str = ""
    grade: str = ""
    source: str = ""
    why: str = ""

    @property
    def middle(self) -> float:
        """The value to draw: the middle of the record, or the bound."""
        if math.isinf(self.low):
            return self.high
        return self.low if math.isinf(self.high) else 0.5 * (self.low + self.high)

    def read(self, world: World) -> float:
        """Return the moment of one run."""
        return read_months(self.reading, self.path(world), self.first, self.last, self.base)

    def path(self, world: World) -> np.ndarray:
        """Return the monthly column that the moment is read from; a price is never a stale one (see :func:`price_path`)."""
        if self.chip < 0:
            return world.panel.view(np.ndarray)[self.column]
        if self.column == "price":
            return price_path(world, self.chip)
        return world.chip_panel.view(np.ndarray)[self.column][self.chip :: len(world.chips)]

    def over(self, values: np.ndarray) -> float:
        """Return the moment of many runs (one value a seed)."""
        return float(np.median(values) if self.over_seeds == "median" else np.mean(values))

    def residual(self, value: float) -> float:
        """Return the signed distance from the record in standard errors, times the root of the weight; 0 inside it."""
        off = max(0.0, value - self.high) - max(0.0, self.low - value)
        return math.sqrt(self.weight) * off / self.error

    def touches(self, low: float, high: float) -> bool:
        """Return whether a band holds the recorded value, or a part of the recorded interval."""
        return low <= self.high and high >= self.low


def residuals(moments: tuple[Moment, ...], runs: np.ndarray) -> np.ndarray:
    """Return the residual of each moment (standard errors); ``runs`` is seeds x moments."""
    return np.array([m.residual(m.over(column)) for m, column in zip(moments, runs.T, strict=True)])


def objective(moments: tuple[Moment, ...], runs: np.ndarray) -> float:
    """Return the sum of squared residuals: weighted squared distances in standard errors (``runs``: seeds x moments)."""
    return float((residuals(moments, runs) ** 2).sum())
