"""Which candidates a search tries: CMA-ES looks around, least squares goes down, and again from elsewhere.

CMA-ES (Hansen 2016) ranks candidates and needs no smoothness; but the objective is a sum of squares, and once near an
optimum Gauss-Newton steps within a trust region use what each moment says and need far fewer runs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from cmaes import CMA
from scipy.optimize import lsq_linear

#: Candidates by which CMA-ES looks around before least squares goes down, for each free parameter.
_AROUND = 5

#: Width of the first differences, share of the range, and the width below which going down ends.
STEP, _FINEST = 0.1, 0.02

#: Farthest that a step moves any parameter, share of its range: all are tried at once.
_REACHES = (0.02, 0.05, 0.1, 0.2, 0.4)

#: A step that gains less than this (squared standard errors) is none: the differences are made finer.
_GAIN = 0.1

#: What a candidate that stops with a fault counts as when candidates are ranked: more than any other.
_WORST = 1e300


class Tried(NamedTuple):
    """A candidate that was tried: where in the unit cube, its residuals (None: it stopped with a fault)."""

    at: np.ndarray
    residuals: np.ndarray | None

    @property
    def objective(self) -> float:
        """The sum of squared residuals; inf for a fault."""
        return math.inf if self.residuals is None else float((self.residuals**2).sum())


def ends_of(at: np.ndarray, widths: np.ndarray) -> list[np.ndarray]:
    """Return the upper ends of differences around a point, then the lower ones, kept within the unit cube."""
    ends = []
    for sign in (1.0, -1.0):
        for k, width in enumerate(widths):
            end = at.copy()
            end[k] = min(1.0, max(0.0, at[k] + sign * width))
            ends.append(end)
    return ends


def step_within(jacobian: np.ndarray, residual: np.ndarray, at: np.ndarray, reach: float) -> np.ndarray:
    """Return the point near ``at`` where linear residuals are least; no part moves farther than ``reach``."""
    # Equal bounds are refused: a hair of room.
    low, high = np.maximum(-reach, -at) - 1e-12, np.minimum(reach, 1.0 - at) + 1e-12
    return np.clip(at + lsq_linear(jacobian, -residual, (low, high)).x, 0.0, 1.0)


class Descent:
    """Gauss-Newton with central differences and a trust region, from a point that was tried."""

    def __init__(self, start: Tried, finest: np.ndarray) -> None:
        """Begin at ``start``, which must have run; ``finest`` are the least widths (whole numbers move by one)."""
        self.best, self.done = start, False
        self._finest, self._width = finest, STEP
        self._jacobian: np.ndarray | None = None

    def ask(self) -> list[np.ndarray]:
        """Return the ends of the differences, or the steps that they propose."""
        if self._jacobian is None:
            return ends_of(self.best.at, np.maximum(self._width, self._finest))
        here = self.best.residuals
        assert here is not None
        return [step_within(self._jacobian, here, self.best.at, reach) for reach in _REACHES]

    def tell(self, tried: Sequence[Tried]) -> None:
        """Learn the differences, or take the best step; make the differences finer if none is better."""
        if self._jacobian is None:
            self._jacobian = self._learn(tried)
            return
        self._jacobian = None
        least = min(tried, key=lambda one: one.objective)
        if least.objective < self.best.objective - _GAIN:
            self.best = least
            return
        self._width *= 0.5
        self.done = self._width < _FINEST

    def _learn(self, tried: Sequence[Tried]) -> np.ndarray:
        """Return the derivatives of residuals (moments x parameters); a failed end is replaced by the point itself."""
        n = len(self.best.at)
        columns = []
        for k in range(n):
            high, low = (one if one.residuals is not None else self.best for one in (tried[k], tried[n + k]))
            assert high.residuals is not None and low.residuals is not None
            width = high.at[k] - low.at[k]
            gap = high.residuals - low.residuals
            columns.append(gap / width if width > 0.0 else np.zeros_like(gap))
        return np.array(columns).T


class Proposals:
    """A start, then beginnings of looking around and going down, as generations of points to be tried."""

    def __init__(self, start: np.ndarray, step: float, random: int, finest: np.ndarray) -> None:
        """Begin at ``start`` with standard deviation ``step``; ``random`` is the seed of all draws."""
        self._draw = np.random.default_rng(random)
        self._start, self._step, self._finest = start, step, finest
        #: Which beginning this is: 0 the start alone, 1 from there, the others from anywhere.
        self.beginning = 0
        self._best: Tried | None = None
        self._descent: Descent | None = None

    def ask(self) -> list[np.ndarray]:
        """Return the points of the next generation."""
        if self.beginning == 0:
            return [self._start]
        if self._descent is not None:
            return self._descent.ask()
        return [self._cma.ask() for _ in range(self._cma.population_size)]

    def tell(self, tried: Sequence[Tried]) -> None:
        """Learn what became of a generation."""
        if self._descent is not None:
            self._descent.tell(tried)
            if self._descent.done:
                self._best, self._descent = None, None
                self._look_around(self._draw.random(len(self._start)))
            return
        least = min(tried, key=lambda one: one.objective)
        if least.residuals is not None and (self._best is None or least.objective < self._best.objective):
            self._best = least
        if self.beginning == 0:
            self._look_around(self._start)
            return
        self._cma.tell([(one.at, min(one.objective, _WORST)) for one in tried])
        self._left -= len(tried)
        # Where every candidate failed there is nothing to go down from: look on.
        if self._left <= 0 and self._best is not None:
            self._descent = Descent(self._best, self._finest)

    def _look_around(self, mean: np.ndarray) -> None:
        self.beginning += 1
        bounds = np.array([[0.0, 1.0]] * len(mean))
        self._cma = CMA(mean, self._step, bounds, seed=int(self._draw.integers(2**31)))
        self._left = _AROUND * len(mean)
