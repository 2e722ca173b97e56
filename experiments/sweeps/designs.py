"""Designs of a sweep: axes, points, samples."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from pydantic import Field

from simulation.scenario.declare import Section

_MOST_POINTS = 1_000_000


SAMPLED = ("lhs", "sobol", "saltelli", "morris")


class Sweep(Section):
    """The design: which points are run."""

    design: Literal["grid", "list", "lhs", "sobol", "saltelli", "morris"] = "grid"
    parameters: dict[str, Any] = {}
    points: tuple[dict[str, Any], ...] = ()
    samples: int = Field(64, ge=1, le=_MOST_POINTS)
    levels: int = Field(4, ge=2, le=64)
    seed: int = Field(1, ge=0)


@dataclass(frozen=True)
class Axis:
    """One parameter of a design: its stops, or the ends of a range (``log``: spread evenly in logarithms)."""

    path: str
    values: tuple[Any, ...]
    low: float = math.nan
    high: float = math.nan
    log: bool = False
    whole: bool = False

    def at(self, u: float) -> Any:
        """Return the value at ``u`` in [0, 1]."""
        if self.values:
            return self.values[min(int(u * len(self.values)), len(self.values) - 1)]
        x = (
            math.exp(math.log(self.low) + u * math.log(self.high / self.low))
            if self.log
            else self.low + u * (self.high - self.low)
        )
        return int(round(x)) if self.whole else x


# --- points -------------------------------------------------------------------------------------------------------


def problem(axes: Iterable[Axis]) -> dict[str, Any]:
    """Return the SALib problem of a design; values are drawn in [0, 1] and mapped by the axes."""
    names = [axis.path for axis in axes]
    return {"num_vars": len(names), "names": names, "bounds": [[0.0, 1.0]] * len(names)}


def design_size(sweep: Sweep, axes: tuple[Axis, ...]) -> int:
    """Return how many points a design has, without making them."""
    if sweep.design == "list":
        return len(sweep.points)
    if sweep.design == "grid":
        return math.prod(len(a.values) for a in axes)
    return sweep.samples * {"saltelli": len(axes) + 2, "morris": len(axes) + 1}.get(sweep.design, 1)


def design_points(sweep: Sweep, axes: tuple[Axis, ...]) -> tuple[dict[str, Any], ...]:
    """Return the changes of every design point, in the order that the analysis of the design expects."""
    if sweep.design == "list":
        return tuple(dict(point) for point in sweep.points)
    if sweep.design == "grid":
        return tuple(
            dict(zip([a.path for a in axes], values, strict=True))
            for values in itertools.product(*(a.values for a in axes))
        )
    return tuple(
        {axis.path: axis.at(float(u)) for axis, u in zip(axes, row, strict=True)} for row in unit_sample(sweep, axes)
    )


def unit_sample(sweep: Sweep, axes: tuple[Axis, ...]) -> np.ndarray:
    """Return the sample of a design in the unit cube, points x parameters."""
    if sweep.design in ("lhs", "sobol"):
        from scipy.stats import qmc

        engine = (qmc.LatinHypercube if sweep.design == "lhs" else qmc.Sobol)(
            len(axes), rng=np.random.default_rng(sweep.seed)
        )
        return engine.random(sweep.samples)
    if sweep.design == "saltelli":
        from SALib.sample import sobol as saltelli

        return saltelli.sample(problem(axes), sweep.samples, calc_second_order=False, seed=sweep.seed)
    from SALib.sample import morris

    return morris.sample(problem(axes), sweep.samples, num_levels=sweep.levels, seed=sweep.seed)
