"""Figures of a calibration: profiles and singular values, forecasts against the record."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from experiments.evidence.calibration.calibrate import Outcome
from experiments.evidence.calibration.forecast import BAND, Fan, Forecast
from experiments.evidence.calibration.identify import with_part
from experiments.evidence.calibration.moments import Moment
from experiments.evidence.calibration.records import calendar, ordinal
from experiments.evidence.calibration.report import recorded, show
from experiments.run.figures.style import BLUE, GRID, INK, MUTED, ORANGE, PAPER, RED, STYLE
from simulation.words import usd_tick

#: Panels in a row, and how high above the best a profile is drawn (squared standard errors).
_ACROSS, _TALL = 4, 12.0

#: Months between ticks, and panels in a row, of forecasts.
_TICKS, _FANS = 6, 2


def write_figures(outcome: Outcome, folder: Path, stem: str) -> list[Path]:
    """Save the figures as PNG and return their files: profiles, then forecasts if anything was held out."""
    folder.mkdir(parents=True, exist_ok=True)
    with matplotlib.rc_context(STYLE):
        drawn = {"profiles": draw_profiles(outcome)}
        if outcome.forecast is not None:
            drawn["forecast"] = draw_forecast(outcome, outcome.forecast)
        files = []
        for name, figure in drawn.items():
            files.append(folder / f"{stem}_{name}.png")
            figure.savefig(files[-1], dpi=120)
    return files


# --- profiles -----------------------------------------------------------------------------------------------------


def draw_profiles(outcome: Outcome) -> Figure:
    """Return the objective over each range, and the singular values."""
    found, calibration = outcome.identification, outcome.calibration
    rows = math.ceil((len(calibration.axes) + 1) / _ACROSS)
    figure = Figure(figsize=(11, 2.15 * rows + 0.3), layout="constrained")
    panels = figure.subplots(rows, _ACROSS, squeeze=False).ravel()
    for k, axis in enumerate(calibration.axes):
        panel, profile = panels[k], found.profiles[k]
        values = [_value(outcome, k, x) for x in profile.at]
        panel.plot(values, profile.held - found.least, color=MUTED, linewidth=1.0, label="all else held")
        panel.plot(values, profile.lowest - found.least, color=BLUE, label="all else moved")
        panel.axvline(_value(outcome, k, float(outcome.best.at[k])), color=ORANGE, linewidth=1.2, label="found")
        panel.axvline(_value(outcome, k, float(calibration.start[k])), color=MUTED, linewidth=1.0, linestyle=(0, (2, 2)), label="as it stands")  # fmt: skip
        panel.set(ylim=(-0.4, _TALL))
        panel.set_title(axis.path, fontsize=8)
        if axis.log:
            panel.set_xscale("log")
            panel.set_xticks([axis.low, axis.high], [f"{axis.low:g}", f"{axis.high:g}"])
            panel.minorticks_off()
    panels[0].set_ylabel("objective over the least")
    _bars(panels[len(calibration.axes)], found.singular)
    for panel in panels[len(calibration.axes) + 1 :]:
        panel.set_visible(False)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=4, frameon=False, fontsize=8, labelcolor=INK)
    return figure


def _bars(panel: Any, singular: np.ndarray) -> None:
    """Draw the singular values with their intervals; below one a direction is not seen."""
    at = np.arange(1, len(singular) + 1)
    least = 0.05
    values = np.maximum(singular, least)
    panel.vlines(at, values[:, 1], values[:, 2], color=BLUE, alpha=0.35, linewidth=5)
    panel.plot(at, values[:, 0], "o", color=BLUE, markersize=4)
    panel.axhline(1.0, color=RED, linewidth=1.0)
    panel.set(yscale="log", ylim=(least, None), xticks=at[::2])
    panel.set_title("singular values (1: seen)", fontsize=8)


def _value(outcome: Outcome, k: int, x: float) -> float:
    calibration = outcome.calibration
    return float(calibration.values(with_part(outcome.best.at, k, x))[calibration.axes[k].path])


# --- forecasts ----------------------------------------------------------------------------------------------------


def draw_forecast(outcome: Outcome, found: Forecast) -> Figure:
    """Return the bands over seeds by month against the record, and what has no month as intervals."""
    flows = [k for k, m in enumerate(found.moments) if not any(m in fan.held_out for fan in found.fans)]
    rows = math.ceil(len(found.fans) / _FANS)
    figure = Figure(figsize=(11, 2.9 * rows + 0.55 * len(flows) + 0.6), layout="constrained")
    heights = [2.9 * rows] * bool(rows) + [0.55 * len(flows) + 0.3] * bool(flows)
    parts: Any = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    if rows:
        panels = parts[0].subplots(rows, _FANS, squeeze=False).ravel()
        for panel, fan in zip(panels, found.fans, strict=False):
            _fan(panel, fan, outcome)
        for panel in panels[len(found.fans) :]:
            panel.set_visible(False)
        handles, labels = panels[0].get_legend_handles_labels()
        parts[0].legend(handles, labels, loc="outside upper left", ncols=4, frameon=False, fontsize=8, labelcolor=INK)
    if flows:
        _rows(parts[-1], found, flows)
    return figure


def _fan(panel: Any, fan: Fan, outcome: Outcome) -> None:
    """Draw a column by month: the band over seeds, what was fitted (hollow), what was held out (filled)."""
    opening = ordinal(outcome.calibration.scenario.run.start)
    months = np.arange(fan.paths.shape[1])
    low, middle, high = np.quantile(fan.paths, BAND, axis=0)
    panel.fill_between(months, low, high, color=BLUE, alpha=0.18, linewidth=0, label="model, 10 to 90 %")
    panel.plot(months, middle, color=BLUE, label="median")
    for moment in fan.fitted:
        _mark(panel, moment, PAPER)
    for moment in fan.held_out:
        _mark(panel, moment, RED)
    panel.axvline(ordinal(outcome.calibration.search.until) - opening + 0.5, color=MUTED, linewidth=1.0, linestyle=(0, (4, 2)))  # fmt: skip
    panel.plot([], [], "o", color=RED, markerfacecolor=PAPER, markersize=5, label="recorded, in the objective")
    panel.plot([], [], "o", color=RED, markersize=5, label="recorded, held out")
    ticks = months[::_TICKS]
    panel.set_xticks(ticks, [calendar(opening + int(t)) for t in ticks])
    panel.set(title=fan.label, ylabel=fan.unit, ylim=(0, None))
    if fan.unit.startswith("USD") and middle.max() > 1e3:
        panel.yaxis.set_major_formatter(FuncFormatter(lambda x, _: usd_tick(x)))


def _mark(panel: Any, moment: Moment, fill: str) -> None:
    """Draw a record: a point, or a box over the months and the interval it is about."""
    first = moment.last if moment.reading in ("at", "ratio") else moment.first
    if moment.low == moment.high and first == moment.last:
        panel.plot([first], [moment.low], "o", color=RED, markerfacecolor=fill, markersize=5, zorder=5)
        return
    ends = [x for x in (moment.low, moment.high) if math.isfinite(x)]
    panel.fill_between(
        [first - 0.4, moment.last + 0.4], min(ends), max(ends), zorder=4, alpha=0.3,
        facecolor=fill if fill == RED else "none", edgecolor=RED, linewidth=1.2,
    )  # fmt: skip


def _rows(figure: Any, found: Forecast, which: list[int]) -> None:
    """Draw one row a moment, each on a scale of its own: the band (blue) and the record (red)."""
    for panel, k in zip(np.atleast_1d(figure.subplots(len(which), 1)), which, strict=True):
        moment = found.moments[k]
        low, middle, high = found.band(k)
        ends = [x for x in (moment.low, moment.high) if math.isfinite(x)]
        panel.set(xlim=(min(0.0, low, *ends), 1.15 * max(high, *ends)), ylim=(-1, 1), yticks=[], xticks=[])
        for side in ("left", "bottom"):
            panel.spines[side].set_visible(False)
        panel.axhline(0, color=GRID, linewidth=1)
        panel.plot([low, high], [0, 0], color=BLUE, linewidth=7, alpha=0.35, solid_capstyle="butt")
        panel.plot([middle], [0], "|", color=BLUE, markersize=13, markeredgewidth=2.4)
        for end in ends:
            panel.axvline(end, color=RED, linewidth=1.6)
        panel.text(-0.01, 0.5, moment.name, transform=panel.transAxes, ha="right", va="center", fontsize=8, color=INK)
        # A dollar would begin a formula.
        text = f"{show(middle, moment.unit)}; recorded {recorded(moment)}".replace("$", r"\$")
        panel.text(
            1.01, 0.5, text, transform=panel.transAxes,
            ha="left", va="center", fontsize=8, color=MUTED,
        )  # fmt: skip
