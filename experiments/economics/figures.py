"""Figures of the economics, fit for print: the sale of a block, the used market by generation, lending and supply by year."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator, PercentFormatter

from experiments.economics.block import AT_ONCE, NEAR
from experiments.economics.hangs import told
from experiments.economics.record import recorded
from experiments.economics.sales import HORIZONS
from experiments.economics.study import Study
from experiments.economics.table import Row
from experiments.run.figures.style import BLUE, GREEN, INK, MUTED, ORANGE, RED, SERIES, STYLE
from simulation.words import calendar

#: Width of a printed page's text (inches).
_WIDTH = 7.0
_YEAR = 12
#: Room above stacked bars for their legend.
_ROOM = 1.25
#: Parameters that the fall hangs on most: as many as a page holds.
_BARS = 12

Old = Mapping[str, Row] | None


def write_figures(study: Study, folder: Path, old: Old = None) -> list[Path]:
    """Write the figures as SVG; return their files. What the scenario is too short for is not drawn."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = {"market": used_market(study, old)}
    if study.scenario.run.months >= _YEAR:
        drawn["history"] = history(study)
    if not study.row("block.fall").note:
        drawn["block"] = block(study, old)
    files = []
    for name, figure in drawn.items():
        files.append(folder / f"economics_{name}.svg")
        with matplotlib.rc_context(STYLE):
            figure.savefig(files[-1])
    return files


def _figure(columns: int, height: float, **more: Any) -> tuple[Figure, list[Any]]:
    figure = Figure(figsize=(_WIDTH, height), layout="constrained")
    return figure, np.asarray(figure.subplots(1, columns, **more)).reshape(-1).tolist()


def block(study: Study, old: Old = None) -> Figure:
    """Draw what a block brings by horizon beside the record, and the parameters that the fall of its price hangs on most."""
    with matplotlib.rc_context(STYLE):
        moved = bool(study.changes)
        figure, axes = _figure(2 if moved else 1, 3.2, **({"width_ratios": [1.0, 1.15]} if moved else {}))
        _curve(axes[0], study, old)
        if moved:
            _tornado(axes[1], study)
    return figure


def _curve(ax: Any, study: Study, old: Old) -> None:
    days = np.array(list(HORIZONS))
    record = np.array([recorded(key) for key in HORIZONS.values()])
    rows = [study.row(f"block.brings.{d}") for d in HORIZONS]
    ax.fill_between(days, record - NEAR, record + NEAR, color=MUTED, alpha=0.15, lw=0, label=f"record ± {NEAR:g}")
    ax.plot(days, record, "o-", color=INK, ms=4, lw=1.2, label="record")
    ax.fill_between(days, [r.low for r in rows], [r.high for r in rows], color=BLUE, alpha=0.2, lw=0)
    ax.plot(days, [r.median for r in rows], "o-", color=BLUE, ms=4, label="model: median, 10 to 90 %")
    if old is not None:
        before = [old[r.key].median if r.key in old else math.nan for r in rows]
        ax.plot(days, before, "--", color=ORANGE, lw=1.2, label="older table: median")
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(FixedLocator(days.tolist()))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    ax.set(ylim=(0.0, 1.6), xlabel="days within which the block is sold", ylabel="proceeds over the orderly price")
    ax.set_title("What a hurried sale brings")
    ax.legend(frameon=False, fontsize=7, loc="upper left")


def _tornado(ax: Any, study: Study) -> None:
    fall = study.changes[0].fall.mean
    chosen = sorted(told(study.changes), key=lambda c: -abs(c.fall.mean - fall))[:_BARS]
    for y, change in enumerate(chosen[::-1]):
        ends = sorted((fall, change.fall.mean))
        up = change.fall.mean > fall
        ax.barh(y, ends[1] - ends[0], left=ends[0], height=0.6, color=RED if up else GREEN, lw=0)
    ax.axvline(fall, color=INK, lw=0.8)
    ax.set_yticks(range(len(chosen)), [change.name for change in chosen[::-1]], fontsize=6.5)
    ax.grid(axis="y", visible=False)
    ax.xaxis.set_major_formatter(PercentFormatter(1.0, 0))
    ax.set_xlabel(f"fall of the price by a block sold within {AT_ONCE} days (mean)")
    ax.set_title("What the fall hangs on")


def used_market(study: Study, old: Old = None) -> Figure:
    """Draw price over value in use by generation, forced and all sales, and how far the market is out of order."""
    with matplotlib.rc_context(STYLE):
        figure, (one, two) = _figure(2, 3.0, width_ratios=[1.25, 1.0])
        names = ["all", *(chip.name for chip in study.scenario.chips)]
        for shift, sales, colour in ((-0.16, "forced", RED), (0.16, "all", BLUE)):
            rows = [study.row(f"price_over_value.{sales}.{name}") for name in names]
            for x, row in enumerate(rows):
                one.plot([x + shift] * 2, [row.low, row.high], color=colour, lw=4, alpha=0.3, solid_capstyle="butt")
            one.plot(
                np.arange(len(rows)) + shift, [r.mean for r in rows], "o", color=colour, ms=4, label=f"{sales} sales"
            )
            if old is not None:
                before = [old[r.key].mean if r.key in old else math.nan for r in rows]
                one.plot(
                    np.arange(len(rows)) + shift,
                    before,
                    "_",
                    color=INK,
                    ms=9,
                    label="older table" if sales == "all" else None,
                )
        one.set_xticks(range(len(names)), names, fontsize=7)
        one.set(ylim=(0.0, 1.2), ylabel="proceeds over value in use")
        one.set_title("Price over value in use")
        one.legend(frameon=False, fontsize=7, loc="upper right", ncols=3)
        one.set_xlabel("dot: all runs together; bar: 10 to 90 % of runs")
        _disorder(two, study, old)
    return figure


def _disorder(ax: Any, study: Study, old: Old) -> None:
    bars = (
        ("scrap.young", "forced, younger than\nthree years, to scrap"),
        ("above_new.performance.1.voluntary", "voluntary, above new\nper performance"),
        ("above_new.value.1.voluntary", "voluntary, above new\nper value in use"),
        ("in_line", "neighbours within\na factor of three"),
    )
    for y, (key, _) in enumerate(bars[::-1]):
        row = study.row(key)
        ax.barh(y, row.mean, height=0.55, color=BLUE, alpha=0.8, lw=0)
        if old is not None and key in old:
            ax.plot([old[key].mean] * 2, [y - 0.35, y + 0.35], color=INK, lw=1.5)
        # Where it should be: a share that the market has in order.
        aim = row.aim_high if row.aim_of else 0.0
        ax.plot(aim, y, "D", color=ORANGE, ms=4, clip_on=False)
    ax.set_yticks(range(len(bars)), [label for _, label in bars[::-1]], fontsize=7)
    ax.set_xlim(0.0, 1.0)
    ax.xaxis.set_major_formatter(PercentFormatter(1.0, 0))
    ax.grid(axis="y", visible=False)
    ax.set_xlabel("share; diamond: where it should be")
    ax.set_title("Order")


def history(study: Study) -> Figure:
    """Draw loans drawn, growth of capacity and the stock by generation, year by year."""
    years = study.scenario.run.months // _YEAR
    ends = [int(calendar(study.scenario.run.start, 12 * year + 11).split()[1]) for year in range(years)]
    with matplotlib.rc_context(STYLE):
        figure, (one, two, three) = _figure(3, 2.7)
        rows = [study.row(f"drawn.{year + 1}") for year in range(years)]
        one.fill_between(ends, [r.low for r in rows], [r.high for r in rows], color=BLUE, alpha=0.2, lw=0)
        one.plot(ends, [r.median for r in rows], "o-", color=BLUE, ms=4)
        one.set(ylabel="USD bn", ylim=(0.0, None))
        one.set_title("Loans drawn")
        for column, colour in (("capacity", BLUE), ("running", GREEN)):
            rows = [study.row(f"growth.{column}.{year + 1}") for year in range(years)]
            two.plot(
                ends,
                [r.median for r in rows],
                "o-",
                color=colour,
                ms=4,
                label=f"capacity {'in existence' if column == 'capacity' else column}",
            )
        known = [year for year in range(years) if math.isfinite(study.row(f"growth.capacity.{year + 1}").record)]
        two.plot(
            [ends[k] for k in known],
            [study.row(f"growth.capacity.{k + 1}").record for k in known],
            color=INK,
            lw=1.2,
            ls="--",
            label="record",
        )
        two.set(ylabel="times a year", ylim=(0.0, None))
        two.set_title("Growth")
        two.legend(frameon=False, fontsize=7)
        below = np.zeros(years)
        for k, chip in enumerate(study.scenario.chips):
            units = np.array([study.row(f"stock.{chip.name}.{year + 1}").mean for year in range(years)]) / 1e3
            three.bar(ends, units, bottom=below, color=SERIES[k % len(SERIES)], width=0.7, lw=0, label=chip.name)
            below = below + units
        three.set(ylabel="million GPUs", ylim=(0.0, _ROOM * below.max()))
        three.set_title("Stock at the year's end")
        three.legend(frameon=False, fontsize=6, ncols=3, columnspacing=0.8, handlelength=1.0, loc="upper left")
        for ax in (one, two, three):
            ax.set_xticks(ends)
            ax.tick_params(axis="x", labelsize=7)
    return figure
