"""Figures of a sweep: levels and paired changes of its outcomes, tails, sampled parameters, sensitivity indices.

Each function returns ``Drawn``: heading, how to read it, the figure, and what it says in words.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from experiments.run.figures.style import BLUE, INK, MUTED, RED, SKY
from experiments.statistics import bootstrap
from experiments.sweeps.designs import SAMPLED
from experiments.sweeps.drawing import _COLORS, Drawn, _number, _panels, _say
from experiments.sweeps.frame import Frame, Outcome, _is_number, outcomes, short
from experiments.sweeps.reading import Sweep
from experiments.sweeps.sensitivity import sensitivity
from experiments.sweeps.study import Study
from simulation.words import usd

#: A list of more points is drawn as a cloud: a row a point is no figure any more.
_MOST_ROWS = 60


# --- drawing ----------------------------------------------------------------------------------------------------------


def figures(found: Sweep, study: Study) -> list[Drawn]:
    """Return the figures of a sweep, those that answer its question first; none if no run is done."""
    done = found.runs[found.runs["status"] == "done"] if len(found.runs) else found.runs
    if not len(done):
        return []
    lists = [name for name in found.parameters if done[name].map(lambda v: isinstance(v, np.ndarray | list)).any()]
    done = done.assign(**{name: done[name].map(short) for name in lists})  # a list is no key of a group
    frame = Frame(study, done, tuple(found.parameters), outcomes(study.plan.report.outcomes))
    design = study.plan.sweep.design
    made: list[Drawn] = []
    if design in ("saltelli", "morris"):
        made += sensitivity(frame, found) if len(done) == study.runs else []
        made += scatter(frame, 1) if design == "saltelli" else []
    elif design in SAMPLED:
        made += scatter(frame, 2)
    elif design == "list" and len(study.points) > _MOST_ROWS:
        made += scatter(frame, 2)
    elif design == "list" and len(study.points) > 1:
        made.append(forest(frame))
    elif frame.names and len(study.points) > 1:
        made += grid(frame)
    if study.plan.twin:
        made.append(paired(frame, study.plan.twin))
    return [*made, tails(frame)]


def _places(values: list[Any]) -> tuple[list[float], bool]:
    """Return where values stand on an axis, and whether that is to scale: numbers at similar distances are."""
    if all(isinstance(v, int | float | np.number) and not isinstance(v, bool | np.bool_) for v in values):
        gaps = np.diff(np.array(values, float))
        if len(gaps) and gaps.max() <= 4.0 * gaps.min():
            return [float(v) for v in values], True
    return [float(k) for k in range(len(values))], False


def _largest(frame: Frame, points: list[int]) -> tuple[str, ...]:
    """Say for the first three outcomes which point changes them most, among those whose interval excludes nothing."""
    said = []
    others = [p for p in points if frame.reference(p) != p]
    for outcome in frame.outcomes[:3]:
        changes = {p: frame.change(p, outcome) for p in others}
        clear = {p: c for p, c in changes.items() if c[1] > 0 or c[2] < 0}
        if not clear:
            said.append(
                f"{outcome.words}: no change against {frame.compared} whose interval excludes zero, among {len(others)}."
            )
            continue
        best = max(clear, key=lambda p: abs(clear[p][0]))
        base = frame.level(frame.reference(best), outcome)[0]
        said.append(
            f"{outcome.words}: the interval excludes zero for {len(clear)} of {len(others)} changes against {frame.compared}; "
            f"the largest is {_say(clear[best], outcome.unit)} at {frame.name_of(best)}, from {_number(base)}."
        )
    return tuple(said)


def forest(frame: Frame) -> Drawn:
    """Draw the change of every point against its reference, outcome by outcome: for points in no order."""
    points = [p for p in range(len(frame.study.points)) if frame.reference(p) != p]
    base = frame.reference(points[0])
    rows = -(-len(frame.outcomes) // 3)
    figure = Figure(figsize=(11.5, rows * (0.9 + 0.27 * len(points))), layout="constrained")
    for ax, outcome in zip(_panels(figure, len(frame.outcomes), sharey=True), frame.outcomes, strict=True):
        ax.axvline(0.0, color=INK, lw=0.9)
        for k, point in enumerate(points):
            mean, low, high = frame.change(point, outcome)
            color = BLUE if low > 0 or high < 0 else MUTED
            ax.plot([low, high], [k, k], color=color, lw=2.4, alpha=0.55)
            ax.plot(mean, k, "o", color=color, ms=5)
        ax.set_yticks(range(len(points)), [frame.name_of(p) for p in points])
        ax.set_ylim(len(points) - 0.5, -0.5)
        ax.set_title(outcome.change_label)
        ax.set_xlabel(f"change from {_number(frame.level(base, outcome)[0])}")
    how = "by draw, on the same draws" if frame.paired else "on draws of their own"
    note = f"Mean change against '{frame.name_of(base)}', {how}, with its 95 % bootstrap interval; blue: the interval excludes zero."
    return Drawn("What each point changes", note, figure, _largest(frame, points))


def grid(frame: Frame) -> list[Drawn]:
    """Draw a grid: levels and changes as lines of one parameter, or as maps when the second has many values too."""
    sizes = {name: frame.done[name].nunique() for name in frame.names}
    first, *others = (
        sorted((n for n in frame.names if sizes[n] > 1), key=lambda name: (-_is_number(frame, name), -sizes[name]))
        or frame.names[:1]
    )
    second = others[0] if others else None
    averaged = f" Averaged over {', '.join(others[1:])}." if others[1:] else ""
    every = list(range(len(frame.study.points)))
    if second is None and not _is_number(frame, first) and sizes[first] > 1:
        return [forest(frame)]
    if others[1:]:  # points differ in more than a plane shows: levels alone
        return [_lines(frame, first, second, None, averaged)]
    if second is not None and min(sizes[first], sizes[second]) > 3:
        return [
            _maps(frame, first, second, "level"),
            _maps(frame, first, second, "change")._replace(says=_largest(frame, every)),
        ]
    change = _lines(frame, first, second, frame.change, "")._replace(says=_largest(frame, every))
    return [_lines(frame, first, second, frame.level, ""), change]


def _lines(
    frame: Frame, first: str, second: str | None, of: Callable[..., tuple[float, float, float]] | None, averaged: str
) -> Drawn:
    figure = Figure(figsize=(11.5, 3.1 * -(-len(frame.outcomes) // 3)), layout="constrained")
    groups = [("", frame.done)] if second is None else list(frame.done.groupby(second, sort=True))
    colors = (
        _COLORS
        if len(groups) <= 5
        else [matplotlib.colormaps["viridis"](x) for x in np.linspace(0.0, 0.92, len(groups))]
    )
    changes = of == frame.change
    handles: list[Line2D] = []
    for ax, outcome in zip(_panels(figure, len(frame.outcomes)), frame.outcomes, strict=True):
        if changes:
            ax.axhline(0.0, color=INK, lw=0.9)
        every = sorted(frame.done[first].unique())
        places, to_scale = _places(every)
        handles = []
        for (value, group), color in zip(groups, colors, strict=False):
            if changes and all(frame.reference(p) == p for p in group["point"].unique()):
                continue
            x, means, lows, highs = [], [], [], []
            for at, part in group.groupby(first, sort=True):
                mean, low, high = (
                    bootstrap(outcome.factor * part[outcome.measure].to_numpy(float))
                    if of is None
                    else of(int(part["point"].iloc[0]), outcome)
                )
                x.append(places[every.index(at)])
                means.append(mean)
                lows.append(low)
                highs.append(high)
            handles += ax.plot(
                x,
                means,
                color=color,
                marker="o",
                ms=3.5,
                lw=1.6 if to_scale or _is_number(frame, first) else 0.6,
                label=frame.value(second, value) if second else None,
            )
            ax.fill_between(x, lows, highs, color=color, alpha=0.14, lw=0)
        if not to_scale or len(every) <= 7:
            shown = [frame.value(first, v) for v in every]
            ax.set_xticks(places, shown, rotation=20 if max(map(len, shown)) > 9 else 0)
        ax.set_xlabel(frame.axis(first))
        ax.set_title(outcome.change_label if changes else outcome.label)
    if second is not None and handles:
        figure.legend(handles=handles, title=frame.axis(second), loc="outside upper center", ncols=8, frameon=False)
    bands = "bands are 95 % bootstrap intervals"
    if changes:
        how = "on the same draws" if frame.paired else "draws differ"
        return Drawn("What that changes", f"Mean change against {frame.compared}, {how}; {bands}.", figure)
    return Drawn(
        "What the parameters do",
        f"Means over replications; {bands} (of levels: what points share in luck is in them).{averaged}",
        figure,
    )


def _maps(frame: Frame, first: str, second: str, what: str) -> Drawn:
    """Draw the first three outcomes over two parameters, with the number in each cell."""
    shown = frame.outcomes[:3]
    xs, ys = (sorted(frame.done[name].unique()) for name in (first, second))
    figure = Figure(figsize=(11.5, 1.5 + 0.36 * len(ys)), layout="constrained")
    at = {
        (row[first], row[second]): int(row["point"])
        for _, row in frame.done.drop_duplicates("point")[[first, second, "point"]].iterrows()
    }
    small = len(xs) * len(ys) <= 100
    for k, (ax, outcome) in enumerate(zip(_panels(figure, 3), shown, strict=False)):
        cells = {
            (x, y): (frame.level if what == "level" else frame.change)(at[x, y], outcome)
            for x in xs
            for y in ys
            if (x, y) in at
        }
        table = np.array([[cells[x, y][0] if (x, y) in cells else np.nan for x in xs] for y in ys])
        most = max(1e-12, float(np.nanmax(np.abs(table))))
        limits = {"vmin": -most, "vmax": most} if what == "change" else {}
        drawn = ax.imshow(
            table, origin="lower", aspect="auto", cmap="RdBu_r" if what == "change" else "cividis", **limits
        )
        for i, y in enumerate(ys):
            for j, x in enumerate(xs):
                if small and (x, y) in cells:
                    mean, low, high = cells[x, y]
                    clear = what == "level" or low > 0 or high < 0
                    r, g, b, _ = drawn.cmap(drawn.norm(mean))
                    ink = "white" if 0.3 * r + 0.6 * g + 0.1 * b < 0.5 else INK
                    text = f"{mean:.2g}" if what == "level" else f"{mean:+.2g}"
                    ax.text(
                        j,
                        i,
                        text.replace("-", "−"),
                        ha="center",
                        va="center",
                        fontsize=6.5,
                        color=ink,
                        weight="bold" if clear and what == "change" else "normal",
                    )
        ax.set_xticks(range(len(xs)), [frame.value(first, v) for v in xs], rotation=45)
        ax.set_yticks(range(len(ys)), [frame.value(second, v) for v in ys])
        ax.set_xlabel(frame.axis(first))
        if k == 0:
            ax.set_ylabel(frame.axis(second))
        ax.grid(False)
        ax.set_title(outcome.label if what == "level" else outcome.change_label)
    if what == "level":
        return Drawn("Two parameters together", "Mean over replications in each cell; darker is less.", figure)
    how = "on the same draws" if frame.paired else "draws differ"
    return Drawn(
        "What that changes",
        f"Mean change against {frame.compared}, {how}; bold: the 95 % bootstrap interval excludes zero. Red is more, blue is less.",
        figure,
    )


def scatter(frame: Frame, most: int) -> list[Drawn]:
    """Draw the first ``most`` outcomes of a sampled design against each parameter, those that explain most first."""
    made = []
    done, study = frame.done, frame.study
    if study.plan.sweep.design == "saltelli":  # the two independent samples; the others repeat their coordinates
        done = done[(done["point"] % (len(study.axes) + 2)).isin((0, len(study.axes) + 1))]
    # What only some points of a list change has no value at the others.
    names = [name for name in frame.names if done[name].notna().all()]
    for outcome in frame.outcomes[:most]:
        means = done.groupby("point").agg({outcome.measure: "mean", **{name: "first" for name in names}})
        means = means[np.isfinite(means[outcome.measure].to_numpy(float))]
        y = outcome.factor * means[outcome.measure].to_numpy(float)
        if len(y) < 4 or not names:
            continue
        classes = {name: _classes(means[name]) for name in names}
        shares = {name: _explained(y, classes[name]) for name in names}
        order = sorted(names, key=lambda name: -shares[name])
        figure = Figure(figsize=(11.5, 2.5 * -(-len(order) // 3)), layout="constrained")
        scales = {axis.path: axis.log for axis in study.axes}
        ends = {axis.path: (axis.low, axis.high) for axis in study.axes}
        for k, (ax, name) in enumerate(zip(_panels(figure, len(order), sharey=True), order, strict=True)):
            number = _is_number(frame, name)
            x = means[name].to_numpy(float) if number else classes[name].astype(float)
            spread = 0.0 if number else np.random.default_rng(0).uniform(-0.15, 0.15, len(x))
            ax.scatter(x + spread, y, s=7, color=BLUE, alpha=0.25, lw=0)
            rows = [
                (float(np.mean(x[classes[name] == c])), *bootstrap(y[classes[name] == c]))
                for c in np.unique(classes[name])
            ]
            at, mean, low, high = map(np.array, zip(*rows, strict=True))
            if number:
                ax.fill_between(at, low, high, color=RED, alpha=0.2, lw=0)
                ax.plot(at, mean, color=RED, marker="o", ms=3, lw=1.8)
            else:
                ax.errorbar(at, mean, yerr=[mean - low, high - mean], color=RED, fmt="o", ms=4, lw=1.8)
            if frame.unit(name) == "USD" and number and not scales.get(name):
                ax.xaxis.set_major_formatter(lambda x, _: usd(x))
            if scales.get(name) and number:
                ax.set_xscale("log")
                ticks = np.geomspace(*ends[name], 3)
                ax.set_xticks(ticks, [frame.value(name, float(t)) for t in ticks])
                ax.minorticks_off()
            elif not number:
                found = dict(zip(classes[name], means[name], strict=True))
                ax.set_xticks(sorted(found), [frame.value(name, found[c]) for c in sorted(found)])
            ax.set_xlabel(frame.axis(name))
            ax.set_title(f"explains {100 * shares[name]:.0f} %", fontsize=8.5, color=MUTED, weight="normal")
            if k % 3 == 0:
                ax.set_ylabel(outcome.label)
        says = (
            f"{outcome.words}: "
            + ", ".join(f"{name} explains {100 * shares[name]:.0f} %" for name in order[:3])
            + " of the variance between points."
        )
        note = (
            "Dots: design points, means over replications. Line and band: mean in up to ten classes of equal size and its 95 % bootstrap interval. "
            "'Explains': share of the variance between points that the classes of that parameter alone account for (adjusted)."
        )
        made.append(Drawn(f"By parameter: {outcome.words}", note, figure, (says,)))
    return made


def _classes(values: pd.Series) -> np.ndarray:
    """Return the class of each value: up to ten of equal size, or one a value if there are few."""
    if pd.api.types.is_numeric_dtype(values) and values.nunique() > 10:
        return pd.qcut(values, max(2, min(10, len(values) // 5)), duplicates="drop").cat.codes.to_numpy()
    return pd.Categorical(values.map(short) if values.dtype == object else values).codes.astype(int)


def _explained(y: np.ndarray, classes: np.ndarray) -> float:
    """Return the share of the variance of ``y`` between classes, adjusted for their number (at least 0)."""
    kinds = np.unique(classes)
    total = float(((y - y.mean()) ** 2).sum())
    if total <= 0 or len(y) <= len(kinds):
        return 0.0
    inside = sum(float(((y[classes == c] - y[classes == c].mean()) ** 2).sum()) for c in kinds)
    return max(0.0, 1.0 - inside / total * (len(y) - 1) / (len(y) - len(kinds)))


def paired(frame: Frame, twin: dict[str, Any]) -> Drawn:
    """Draw the distribution of the twin less the run."""
    figure = Figure(figsize=(11.5, 3.1 * -(-len(frame.outcomes) // 3)), layout="constrained")
    says = []
    for ax, outcome in zip(_panels(figure, len(frame.outcomes)), frame.outcomes, strict=True):
        difference = outcome.factor * (frame.done[f"twin_{outcome.measure}"] - frame.done[outcome.measure]).to_numpy(
            float
        )
        difference = difference[np.isfinite(difference)]
        change = bootstrap(difference)
        ax.hist(difference, bins=40, color=SKY)
        ax.axvline(0.0, color=INK, lw=0.9)
        ax.axvline(change[0], color=RED, lw=1.8)
        ax.set_yscale("symlog", linthresh=1)
        ax.set_ylim(bottom=0)
        ax.set_title(outcome.words)
        unit = "points" if outcome.unit == "%" else outcome.unit
        ax.set_xlabel(f"twin less run, {unit}; mean {_say(change, '')}")
        ax.set_ylabel("runs")
        says.append(f"{outcome.words}: {_say(change, outcome.unit)} with the change.")
    changed = ", ".join(f"{name} = {short(value)}" for name, value in twin.items())
    return Drawn(
        "The twin less the run",
        f"On the same draws, with {changed}, over all points. Red line: mean; below: with its 95 % bootstrap interval.",
        figure,
        tuple(says[:3]),
    )


def tails(frame: Frame) -> Drawn:
    """Draw the tails of cascade sizes and losses, a line a value of the first parameter (list: a point)."""
    design = frame.study.plan.sweep.design
    name = ""
    groups: list[tuple[str, pd.DataFrame]] = [("all runs", frame.done)]
    if design == "list" and 1 < len(frame.study.points) <= _MOST_ROWS:
        groups = [(frame.name_of(int(part["point"].iloc[0])), part) for _, part in frame.done.groupby("point")]
    elif design == "grid" and frame.names:
        name = max(frame.names, key=lambda n: frame.done[n].nunique())
        against = [n for n in frame.study.plan.report.against if frame.done[n].nunique() > 1]
        name = against[0] if against else name
        groups = [(frame.value(name, value), part) for value, part in frame.done.groupby(name, sort=True)]
    if len(groups) > 10:
        groups = [groups[k] for k in np.unique(np.linspace(0, len(groups) - 1, 8).astype(int))]
    number = bool(name) and _is_number(frame, name)
    colors: list[Any] = (
        [matplotlib.colormaps["viridis"](x) for x in np.linspace(0.0, 0.92, len(groups))] if number else [*_COLORS[:7]]
    )
    if design == "list" and len(groups) > 1:
        colors = [INK, *(_COLORS[:7] * 2)]
    figure = Figure(figsize=(11.5, 3.6), layout="constrained")
    one, two = _panels(figure, 2, 2)
    for ax, outcome in (
        (one, Outcome("cascade_max", "largest cascade of a run", "agents", 1.0)),
        (two, Outcome("losses", "credit losses of a run", "$bn", 1e-9)),
    ):
        for k, ((label, part), color) in enumerate(zip(groups, colors, strict=False)):
            sizes = np.sort(outcome.factor * part[outcome.measure].to_numpy(float))
            shares = 1.0 - np.arange(len(sizes)) / len(sizes)
            shown = sizes >= (1.0 if ax is one else 1e-2)
            ax.step(
                sizes[shown], shares[shown], where="pre", color=color, lw=1.5, ls="-" if k < 8 else "--", label=label
            )
        ax.set(xscale="log", yscale="log", xlabel=f"x: {outcome.label}", ylabel="share of runs with at least x")
        low, high = ax.get_ylim()
        ax.set_ylim(low, min(1.1, high))
        if max((outcome.factor * frame.done[outcome.measure]).max(), 1.0) <= 1.0:
            ax.text(0.5, 0.5, "none", transform=ax.transAxes, ha="center", color=MUTED)
        ax.xaxis.set_major_formatter(lambda x, _: f"{x:g}")
        ax.yaxis.set_major_formatter(lambda y, _: f"{100 * y:g} %")
    if len(groups) > 1:
        handles = one.get_legend_handles_labels()
        figure.legend(
            *handles,
            title=frame.axis(name) if name else None,
            loc="outside right center" if len(groups) > 4 else "outside upper center",
            ncols=1 if len(groups) > 4 else 4,
            frameon=False,
        )
    smallest = min(len(part) for _, part in groups)
    return Drawn(
        "Tails",
        f"Complementary distributions over runs, {smallest:,} or more a line: each step at the far right is one run, whatever its height.",
        figure,
    )
