"""The grid of strips that a scenario's agents value chips by (see :mod:`agents.strips`)."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from agents.strips import AXES, CELL, DECLINES, HURDLES, LIVES, fill_strips
from simulation.scenario.scenario import Scenario

#: A grid needs axes of some length: hurdle rates, declines (1/month) and persistence this far apart at least.
_APART = 1e-6


def strip_grid(scenario: Scenario, hurdles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (strips, axes) for agents of these hurdle rates (1/month); nobody must write them: other worlds read them."""
    marks = scenario.marks
    spans = [s.hurdle for s in (scenario.neoclouds, scenario.miners)]
    spans += [getattr(scenario.buyers, kind).hurdle for kind in ("hyperscaler", "enterprise", "research", "fund")]
    ends = [marks.reference_hurdle, *(end for span in spans for end in span)]
    if scenario.neoclouds.file or scenario.miners.file or scenario.buyers.file:
        ends += [float(hurdles.min()), float(hurdles.max())]
    return grid_of(
        min(ends), max(ends), marks.decline_floor, marks.decline_cap, marks.asset_life, marks.rent_volatility,
        marks.volatility_months, marks.trend_persistence,
    )  # fmt: skip


@lru_cache(maxsize=32)
def grid_of(
    hurdle: float, hurdle_most: float, decline: float, decline_most: float, life: float, volatility: float,
    volatility_months: float, persistence: float,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Return the grid for hurdle rates and declines between the ends given (1/month), lives up to ``life`` (months)."""
    strips, axes = np.zeros(HURDLES * DECLINES * LIVES * CELL), np.zeros(AXES)
    fill_strips(
        strips,
        axes,
        np.linspace(hurdle, max(hurdle_most, hurdle + _APART), HURDLES),
        np.linspace(decline, max(decline_most, decline + _APART), DECLINES),
        np.linspace(0.0, life, LIVES),
        volatility,
        volatility_months,
        persistence,
    )
    return strips, axes
