"""What the moments pin: their derivatives at the optimum, the directions that matter, the objective over each range.

Parameters are counted in shares of their ranges and moments in standard errors, so that a singular value of one says:
from one end of the range to the other this direction moves the moments by one standard error altogether.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from experiments.evidence.calibration.declare import Calibration
from experiments.evidence.calibration.moments import Moment, objective, residuals
from experiments.evidence.calibration.propose import STEP, ends_of, step_within
from experiments.evidence.calibration.search import Evaluation, all_residuals, evaluate
from experiments.statistics import resamples

#: A derivative within so many standard errors of zero counts as zero: noise must not pass for knowledge.
_CLEAR = 2.0

#: Resamples of the seeds behind the standard errors of derivatives.
_DRAWS = 200

#: Precision of a parameter of which only the range is known: one over the variance of a uniform draw from it.
_PRIOR = 12.0

#: Up to the first share of the prior spread a parameter counts as pinned, up to the second as pinned in part.
PINNED, PARTLY = 0.5, 0.85

#: Points of each profile, both ends among them; and how far from the optimum two more lie, share of the range.
_POINTS, _NEAR = 7, 0.05

#: Farthest that the other parameters are moved when a profile is lowered: the derivatives hold near the optimum only.
_REACH = 0.25


class Profile(NamedTuple):
    """The objective of the moments over one range: at these shares of it, all else held, and all else moved by a step."""

    at: np.ndarray
    held: np.ndarray
    moved: np.ndarray

    @property
    def lowest(self) -> np.ndarray:
        """The lower of both: an upper bound on the objective with all else chosen best."""
        return np.fmin(self.held, self.moved)

    def within(self, above: float) -> tuple[float, float]:
        """Return the part of the range around the lowest point where the profile is less than ``above`` higher.

        Between points it is drawn straight; nan if it is known nowhere.
        """
        known = np.isfinite(self.lowest)
        if not known.any():
            return np.nan, np.nan
        at, gap = self.at[known], self.lowest[known] - np.nanmin(self.lowest) - above
        ends = []
        for step in (-1, 1):
            j = int(gap.argmin())
            while 0 <= j + step < len(gap) and gap[j + step] <= 0.0:
                j += step
            beyond = j + step
            inside = not 0 <= beyond < len(gap)
            ends.append(at[j] if inside else at[j] + (at[beyond] - at[j]) * gap[j] / (gap[j] - gap[beyond]))
        return float(ends[0]), float(ends[1])


class Identification(NamedTuple):
    """Derivatives of residuals by parameters (moments x parameters), their standard errors, and what follows from them.

    ``singular`` holds the singular values with their 95 % intervals (rank x 3), ``directions`` the parameters' parts in
    each (rank x parameters); ``left`` the share of each parameter's prior spread that the moments leave, and
    ``without`` the same if one moment were missing (moments x parameters).
    """

    jacobian: np.ndarray
    errors: np.ndarray
    singular: np.ndarray
    directions: np.ndarray
    left: np.ndarray
    without: np.ndarray
    profiles: tuple[Profile, ...]

    @property
    def least(self) -> float:
        """The lowest objective that any profile found."""
        return min(float(np.nanmin(profile.lowest)) for profile in self.profiles)

    @property
    def clear(self) -> np.ndarray:
        """The derivatives with those near zero set to zero."""
        return clear(self.jacobian, self.errors)

    def pinned_by(self, k: int, least: float = 0.05) -> list[int]:
        """Return the moments without which parameter ``k`` would be looser by ``least``, the strongest first."""
        gain = self.without[:, k] - self.left[k]
        return [int(m) for m in np.argsort(-gain, kind="stable") if gain[m] >= least]


def identify(
    calibration: Calibration, at: np.ndarray, tell: Callable[[str], None] = lambda text: None
) -> Identification:
    """Return what the moments pin at a point: derivatives on fresh seeds, profiles on those of the search."""
    tell("Derivatives of the moments")
    steps, plus, minus = differences(calibration, at)
    draws = resamples(len(calibration.fresh), _DRAWS)
    jacobian = _jacobian(calibration.moments, plus, minus, steps)
    drawn = np.array([_jacobian(calibration.moments, plus[:, d], minus[:, d], steps) for d in draws])
    errors = drawn.std(0)
    seen = clear(jacobian, errors)
    _, _, directions = np.linalg.svd(seen, full_matrices=False)
    tell("The objective over each range")
    return Identification(
        jacobian, errors, singular_values(seen, drawn * (seen != 0.0)), directions, left(seen),
        np.array([left(np.delete(seen, m, 0)) for m in range(len(seen))]), _profiles(calibration, at, seen),
    )  # fmt: skip


def runs_needed(calibration: Calibration) -> int:
    """Return about how many runs the derivatives and the profiles take."""
    n, declared = len(calibration.axes), calibration.search
    # Both ends of each difference and the point; the points of a profile and three near the optimum, held and moved.
    return (2 * n + 1) * declared.fresh_seeds + 2 * n * (_POINTS + 3) * declared.seeds


def clear(jacobian: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """Return the derivatives with those within two standard errors of zero set to zero."""
    return np.where(np.abs(jacobian) > _CLEAR * errors, jacobian, 0.0)


def left(jacobian: np.ndarray) -> np.ndarray:
    """Return the share of each parameter's prior spread that residuals with these derivatives leave (0 pinned, 1 free).

    The posterior of a linear model with unit errors, from a prior as wide as the range.
    """
    n = jacobian.shape[1]
    posterior = np.linalg.inv(jacobian.T @ jacobian + _PRIOR * np.eye(n))
    return np.sqrt(_PRIOR * np.diag(posterior))


def singular_values(jacobian: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Return the singular values with the ends of their 95 % intervals over resampled derivatives (rank x 3)."""
    values = np.linalg.svd(jacobian, compute_uv=False)
    over = np.linalg.svd(drawn, compute_uv=False)
    return np.column_stack([values, *np.quantile(over, (0.025, 0.975), axis=0)])


def differences(calibration: Calibration, at: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the widths of central differences (share of the range) and the moments at both ends of each.

    Both are parameters x seeds x moments. An end that lies outside the range, or where a run fails, is the point itself.
    """
    n = len(at)
    # A whole number must change by one at least.
    ends = ends_of(at, np.array([max(STEP, 1.0 / (a.high - a.low)) if a.whole else STEP for a in calibration.axes]))
    found = evaluate(calibration, [*ends, at], calibration.moments, calibration.fresh)
    here = found[-1].runs
    assert here is not None, found[-1].message
    for j, one in enumerate(found[:-1]):
        if one.runs is None:
            ends[j], found[j] = at, Evaluation(here)
    runs = np.array([one.runs for one in found[:-1]])
    widths = np.array([ends[k][k] - ends[n + k][k] for k in range(n)])
    return widths, runs[:n], runs[n:]


def _jacobian(moments: tuple[Moment, ...], plus: np.ndarray, minus: np.ndarray, widths: np.ndarray) -> np.ndarray:
    """Return the derivatives of residuals by parameters (moments x parameters); zero where nothing could be moved."""
    gaps = np.array([residuals(moments, p) - residuals(moments, m) for p, m in zip(plus, minus, strict=True)])
    return np.where(widths > 0.0, gaps.T / np.where(widths > 0.0, widths, 1.0), 0.0)


def _profiles(calibration: Calibration, at: np.ndarray, jacobian: np.ndarray) -> tuple[Profile, ...]:
    """Return the profile of each parameter."""
    grids = [np.unique(np.clip([*np.linspace(0.0, 1.0, _POINTS), x - _NEAR, x, x + _NEAR], 0.0, 1.0)) for x in at]
    held = [with_part(at, k, x) for k, grid in enumerate(grids) for x in grid]
    there = evaluate(calibration, held, calibration.moments, calibration.seeds)
    slopes = np.vstack([jacobian, math.sqrt(calibration.search.pull) * np.eye(len(at))])
    which = [k for k, grid in enumerate(grids) for _ in grid]
    moved = [
        point if one.runs is None else _moved(point, k, all_residuals(calibration, point, one.runs), slopes)
        for point, k, one in zip(held, which, there, strict=True)
    ]
    after = evaluate(calibration, moved, calibration.moments, calibration.seeds)
    values = [np.array([_value(calibration, one) for one in part]) for part in (there, after)]
    ends = np.cumsum([len(grid) for grid in grids])[:-1]
    return tuple(
        Profile(grid, one, two)
        for grid, one, two in zip(grids, np.split(values[0], ends), np.split(values[1], ends), strict=True)
    )


def with_part(at: np.ndarray, k: int, x: float) -> np.ndarray:
    """Return a copy of a point with one part changed."""
    point = at.copy()
    point[k] = x
    return point


def _moved(point: np.ndarray, k: int, residual: np.ndarray, jacobian: np.ndarray) -> np.ndarray:
    """Return the point with all parameters but ``k`` moved to where the derivatives say the objective is least."""
    others = np.arange(len(point)) != k
    if not others.any():
        return point
    moved = point.copy()
    moved[others] = step_within(jacobian[:, others], residual, point[others], _REACH)
    return moved


def _value(calibration: Calibration, one: Evaluation) -> float:
    """Return the objective of the moments alone, nan for a point that failed."""
    return np.nan if one.runs is None else objective(calibration.moments, one.runs)
