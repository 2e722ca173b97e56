"""What was held out: bands over seeds against the record, and how much of the record they hold."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from experiments.evidence.calibration.declare import Calibration, months_needed
from experiments.evidence.calibration.moments import Moment
from experiments.evidence.calibration.records import calendar, ordinal
from experiments.many import play_many
from simulation.world.panel import CHIP_PANEL, PANEL
from simulation.world.world import World

#: The band that is shown: from the tenth to the ninetieth of a hundred runs.
BAND = (0.1, 0.5, 0.9)


class Fan(NamedTuple):
    """A column by month: ``paths`` is seeds x months; ``fitted`` and ``held_out`` are the moments read from it."""

    label: str
    unit: str
    paths: np.ndarray
    fitted: tuple[Moment, ...]
    held_out: tuple[Moment, ...]


class Forecast(NamedTuple):
    """Moments that were held out, and the runs (seeds x moments) on which they are forecast."""

    moments: tuple[Moment, ...]
    runs: np.ndarray
    fans: tuple[Fan, ...]

    def band(self, k: int) -> tuple[float, float, float]:
        """Return the tenth, fiftieth and ninetieth percentile of a moment over the runs."""
        low, middle, high = np.quantile(self.runs[:, k], BAND)
        return float(low), float(middle), float(high)

    def inside(self) -> list[bool]:
        """Return for each moment whether its band holds the record, or a part of a recorded interval."""
        bands = [self.band(k) for k in range(len(self.moments))]
        return [m.touches(low, high) for m, (low, _, high) in zip(self.moments, bands, strict=True)]


def forecast(calibration: Calibration, at: np.ndarray) -> Forecast:
    """Run a point over fresh seeds to the last month held out. Raises InvariantError if a run violates an identity."""
    moments = calibration.held_out
    groups = _groups(calibration)
    scenario = calibration.scenario_at(at, moments)
    months = months_needed(moments)

    def read(world: World, _: object) -> tuple[list[float], list[np.ndarray]]:
        return [m.read(world) for m in moments], [_path(one, world, months) for one in groups.values()]

    rows = play_many(scenario, calibration.fresh, read)
    fans = [
        Fan(
            *_words(calibration, one), np.array([row[1][g] for row in rows]),
            tuple(m for m in calibration.moments if _same(m) == key), tuple(m for m in moments if _same(m) == key),
        )
        for g, (key, one) in enumerate(groups.items())
    ]  # fmt: skip
    return Forecast(moments, np.array([row[0] for row in rows]), tuple(fans))


def _same(moment: Moment) -> tuple:
    """Return what moments must share to be drawn over the same months."""
    ratio = moment.reading == "ratio"
    return (moment.column, moment.chip, ratio, moment.base if ratio else 0, moment.reading in ("at", "mean", "ratio"))


def _words(calibration: Calibration, moment: Moment) -> tuple[str, str]:
    """Return what a column is called and its unit, as the panels declare them."""
    columns = PANEL.columns if moment.chip < 0 else CHIP_PANEL.columns
    column = next(c for c in columns if c.name == moment.column)
    chip = "" if moment.chip < 0 else f", {calibration.scenario.chips[moment.chip].name}"
    if moment.reading == "ratio":
        return f"{column.meaning}{chip}", f"over {calendar(ordinal(calibration.scenario.run.start) + moment.base)}"
    return f"{column.meaning}{chip}", column.unit


def _groups(calibration: Calibration) -> dict[tuple, Moment]:
    """Return one moment of each column that can be drawn by month."""
    return {_same(m): m for m in calibration.held_out if _same(m)[-1]}


def _path(moment: Moment, world: World, months: int) -> np.ndarray:
    path = np.array(moment.path(world)[:months], float)
    return path / path[moment.base] if moment.reading == "ratio" else path
