"""The grid of strips that a scenario's agents value chips by."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from agents.strips import (
    DECLINE_0,
    DECLINE_UNIT,
    DECLINES,
    HURDLE_0,
    HURDLE_UNIT,
    HURDLES,
    LIFE_UNIT,
    LIVES,
    PERSISTENCE,
    believe,
    strip_value,
)
from simulation import load_scenario
from simulation.scenario.scenario import Scenario
from simulation.world.strips import grid_of, strip_grid

#: Few months and no uncertainty, so that a grid is filled at once.
SHORT = {
    "marks.asset_life": 6.0, "marks.rent_volatility": 0.0, "marks.decline_floor": 0.01, "marks.decline_cap": 0.09,
    "marks.reference_hurdle": 0.02,
}  # fmt: skip
_CONFIG = Path(__file__).parents[4] / "configs" / "base.yaml"
_KINDS = ("neoclouds", "miners", "buyers.hyperscaler", "buyers.enterprise", "buyers.research", "buyers.fund")


def scenario(**hurdles: tuple[float, float]) -> Scenario:
    """Return a scenario whose agents all have a hurdle rate of .02 but for those given."""
    spans = {f"{kind}.hurdle": [0.02, 0.02] for kind in _KINDS}
    spans |= {f"{kind.replace('_', '.')}.hurdle": list(span) for kind, span in hurdles.items()}
    return load_scenario(_CONFIG, SHORT | spans)


def ends(axes: np.ndarray) -> tuple[float, float]:
    """Return the least and the highest hurdle rate on an axis."""
    return float(axes[HURDLE_0]), float(axes[HURDLE_0] + (HURDLES - 1) / axes[HURDLE_UNIT])


NOBODY = np.array([0.001, 0.9])


def test_a_grid_reaches_from_the_lowest_to_the_highest_belief():
    strips, axes = grid_of(0.01, 0.03, 0.002, 0.05, 24.0, 0.0, 12.0, 0.7)
    assert ends(axes) == pytest.approx((0.01, 0.03))
    assert (axes[DECLINE_0], axes[DECLINE_0] + (DECLINES - 1) / axes[DECLINE_UNIT]) == pytest.approx((0.002, 0.05))
    assert (LIVES - 1) / axes[LIFE_UNIT] == pytest.approx(24.0)
    assert axes[PERSISTENCE] == 0.7
    assert np.isfinite(strips).all()


def test_a_grid_knows_how_uncertain_rents_are_and_for_how_long():
    def worth(volatility: float, months: float) -> float:
        strips, axes = grid_of(0.01, 0.03, 0.002, 0.05, 6.0, volatility, months, 1.0)
        return strip_value(strips, axes, believe(axes, 0.01, 0.01, 0.01, 0), 100.0, 100.0, 6.0, 0.0)

    assert worth(0.1, 1.0) < worth(0.1, 4.0) < worth(0.3, 4.0)


def test_agents_that_all_believe_the_same_have_a_grid_all_the_same():
    strips, axes = grid_of(0.02, 0.02, 0.01, 0.01, 6.0, 0.0, 24.0, 1.0)
    for hurdle in (0.0, 0.02, 0.5):
        worth = strip_value(strips, axes, believe(axes, 0.01, 0.01, hurdle, 0), 100.0, 10.0, 1.0, 0.0)
        assert worth == pytest.approx((99.0 - 10.0) / 1.02, rel=1e-5)


@pytest.mark.parametrize("kind", [kind.replace(".", "_") for kind in _KINDS])
def test_the_hurdles_of_every_kind_that_runs_chips_are_on_the_grid(kind):
    _, axes = strip_grid(scenario(**{kind: (0.004, 0.07)}), NOBODY)
    assert ends(axes) == pytest.approx((0.004, 0.07))


def test_the_hurdle_of_the_best_user_is_on_the_grid_and_marks_say_the_rest():
    one = load_scenario(_CONFIG, SHORT | {f"{kind}.hurdle": [0.03, 0.03] for kind in _KINDS})
    _, axes = strip_grid(one, NOBODY)
    assert ends(axes) == pytest.approx((0.02, 0.03))
    assert (axes[DECLINE_0], axes[DECLINE_0] + (DECLINES - 1) / axes[DECLINE_UNIT]) == pytest.approx((0.01, 0.09))
    assert (LIVES - 1) / axes[LIFE_UNIT] == pytest.approx(6.0)
    assert axes[PERSISTENCE] == one.marks.trend_persistence


@pytest.mark.parametrize("table", ["neoclouds", "miners", "buyers"])
def test_agents_from_a_file_bring_their_own_hurdles(table):
    given = scenario()
    section = getattr(given, table).model_copy(update={"file": "some.csv"})
    _, axes = strip_grid(given.model_copy(update={table: section}), np.array([0.015, 0.001, 0.05]))
    assert ends(axes) == pytest.approx((0.001, 0.05))


def test_worlds_of_one_scenario_share_a_grid():
    first, second = (strip_grid(scenario(neoclouds=(0.01, 0.03)), NOBODY) for _ in range(2))
    assert first[0] is second[0]
    assert first[1] is second[1]
