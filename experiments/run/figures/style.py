"""How figures of a run look."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from simulation.words import usd_tick

# Okabe and Ito's palette, told apart with every kind of colour blindness.
BLUE, ORANGE, GREEN, RED, PURPLE, SKY, GOLD = (
    "#0072b2",
    "#d98600",
    "#009e73",
    "#d55e00",
    "#b8629a",
    "#4aa3d8",
    "#c2a300",
)


INK, MUTED, GRID, PAPER, STRESS = "#1c2430", "#667080", "#dfe3e8", "#fefefe", "#f3e6dd"


SERIES = (BLUE, ORANGE, GREEN, RED, PURPLE, SKY, GOLD, MUTED)


#: Colours that a page may replace in the SVG files to suit a dark background, and by what.
DARK = {
    INK: "#e6eaf0", MUTED: "#98a3b3", GRID: "#333c49", PAPER: "#181e27", STRESS: "#3a2b22",
    BLUE: "#4da6e0", GREEN: "#2cc295", RED: "#f07b34", PURPLE: "#d58cbc", ORANGE: "#eba02d", GOLD: "#d9bd2f",
}  # fmt: skip


STYLE: dict[Any, Any] = {
    "font.family": ["DejaVu Sans"], "font.size": 9, "text.color": INK, "axes.labelcolor": MUTED,
    "axes.edgecolor": MUTED, "axes.facecolor": PAPER, "figure.facecolor": PAPER, "savefig.facecolor": PAPER,
    "axes.spines.top": False, "axes.spines.right": False, "axes.linewidth": 0.8, "axes.grid": True,
    "axes.axisbelow": True, "grid.color": GRID, "grid.linewidth": 0.7, "xtick.color": MUTED, "ytick.color": MUTED,
    "xtick.labelsize": 8, "ytick.labelsize": 8, "axes.labelsize": 8, "axes.titlesize": 10, "axes.titleweight": "bold",
    "axes.titlelocation": "left", "axes.titlepad": 9, "lines.linewidth": 1.8, "lines.solid_capstyle": "round",
    "svg.fonttype": "none", "svg.hashsalt": "gpu-firesale", "path.simplify": True,
}  # fmt: skip


_TWIN = {"linestyle": (0, (4, 2)), "linewidth": 1.2, "alpha": 0.85}


# --- tools ----------------------------------------------------------------------------------------------------------


def _figure(rows: int, columns: int, width: float = 11.0, height: float | None = None, *, right: float = 0.9) -> tuple:
    """Return a figure and its axes (flat), with room on the right of each panel for labels of lines."""
    height = height or 3.0 * rows + 0.3
    figure = Figure(figsize=(width, height))
    spread = {1: 0.2, 2: 0.42, 3: 0.72, 4: 0.35}[columns]
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    figure.subplots_adjust(
        left=0.8 / width, right=right, top=1 - 0.42 / height, bottom=0.42 / height, wspace=spread, hspace=0.42
    )
    return figure, axes


def _dress(axis: Any, title: str, unit: str, data: pd.DataFrame | None = None) -> None:
    """Title, unit, calendar and shaded stress months of a panel over time."""
    axis.set_title(title)
    axis.set_ylabel(unit)
    axis.grid(axis="x", visible=False)
    if data is None or data.empty:
        return
    first, last = data["date"].iloc[0], data["date"].iloc[-1]
    axis.set_xlim(first - pd.Timedelta(days=15), last + pd.Timedelta(days=15))
    if len(data) == 1:
        axis.set_xticks([first], [first.strftime("%b %Y")])
    else:
        locator = AutoDateLocator(minticks=3, maxticks=7)
        axis.xaxis.set_major_locator(locator)
        axis.xaxis.set_major_formatter(ConciseDateFormatter(locator, show_offset=False))
    stressed = ((data["stress_coin"] > 0) | (data["stress_demand"] > 0)).to_numpy()
    edges = np.flatnonzero(np.diff(np.concatenate([[0], stressed.astype(int), [0]])))
    half = pd.Timedelta(days=15)
    for begin, end in zip(edges[::2], edges[1::2], strict=True):
        axis.axvspan(data["date"].iloc[begin] - half, data["date"].iloc[end - 1] + half, color=STRESS, lw=0, zorder=0)


def _plot(axis: Any, data: pd.DataFrame, values: Any, color: str, twin: bool = False, **options: Any) -> None:
    values = np.asarray(values, float)
    style = {"color": color, **options, **(_TWIN if twin else {})}
    if len(values) == 1:
        style |= {"marker": "o", "markersize": 4}
    axis.plot(data["date"].to_numpy(), values, **style)


def _label(axis: Any, entries: list[tuple[float, str, str]], size: float = 8.0) -> None:
    """Write labels beside the right end of lines, (value, text, colour), pushed apart where they would overlap."""
    entries = [entry for entry in entries if np.isfinite(entry[0])]
    if not entries:
        return
    low, high = axis.get_ylim()
    log = axis.get_yscale() == "log"
    if log:
        low, high = np.log(low), np.log(high)
    span = axis.get_position().height * axis.figure.get_figheight() * 72
    gap = (size + 1.5) / span
    placed = []
    for value, text, color in entries:
        y = np.log(max(value, 1e-12)) if log else value
        lines = text.count("\n") + 1
        placed.append([min(1.0, max(0.0, (y - low) / (high - low))), text, color, lines])
    placed.sort(key=lambda entry: entry[0])
    for _ in range(60):
        for below, above in zip(placed[:-1], placed[1:], strict=True):
            need = gap * (below[3] + above[3]) / 2 - (above[0] - below[0])
            if need > 0:
                below[0] -= need / 2
                above[0] += need / 2
        shift = max(0.0, -placed[0][0]) or min(0.0, 1.0 - gap * (placed[-1][3] - 1) / 2 - placed[-1][0])
        for entry in placed:
            entry[0] += shift
    for y, text, color, _ in placed:
        axis.text(1.015, y, text, color=color, size=size, va="center", transform=axis.transAxes, linespacing=1.05)


def _last(values: Any) -> float:
    """Return the last finite value of a line."""
    values = np.asarray(values, float)
    values = values[np.isfinite(values)]
    return float(values[-1]) if len(values) else float("nan")


def _positive(values: Any) -> np.ndarray:
    """Return values with nan where they are not positive: gaps in lines, and on log axes."""
    values = np.asarray(values, float)
    return np.where(values > 0.0, values, np.nan)


def _dollars(axis: Any, decimals: bool = False) -> None:
    axis.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"${v:,.2f}" if decimals else usd_tick(v)))


def _log(axis: Any, form: Callable[[float], str]) -> None:
    """Set a log axis with ticks at 1, 2, 5 and labels by ``form``."""
    axis.set_yscale("log")
    low, high = axis.get_ylim()
    span = high / max(low, 1e-12)
    subs = (1.0, 2.0, 5.0) if span < 90 else (1.0, 3.0) if span < 5e3 else (1.0,)
    axis.yaxis.set_major_locator(LogLocator(10, subs=subs, numticks=20))
    axis.yaxis.set_major_formatter(FuncFormatter(lambda v, _: form(v)))
    axis.yaxis.set_minor_formatter(NullFormatter())


def _runs(result: Any) -> list[tuple[Any, bool]]:
    return [(result, False)] + ([(result.twin, True)] if result.twin is not None else [])


def _note(figure: Figure, result: Any) -> None:
    text = "Shaded: months of stress (AI demand or bitcoin)."
    if result.twin is not None:
        text += " Dashed: the twin."
    figure.text(0.995, 0.012, text, ha="right", size=7, color=MUTED)


def _empty(axis: Any, text: str) -> None:
    axis.text(0.5, 0.5, text, ha="center", va="center", transform=axis.transAxes, color=MUTED, size=10)


def _bars(axis: Any, data: pd.DataFrame, values: Any, color: str, bottom: Any = None) -> None:
    axis.bar(
        data["date"].to_numpy(),
        np.asarray(values, float),
        width=np.timedelta64(26, "D"),
        color=color,
        bottom=bottom,
        linewidth=0,
    )
