"""Figures of the claims: arms and contrast of each, shares of the joint design, a map of where verdicts turn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from experiments.evidence.claims.catalogue import Claim
from experiments.evidence.claims.judge import Finding
from experiments.evidence.claims.ranges import Ranges
from experiments.run.figures.style import BLUE, GRID, INK, MUTED, ORANGE, RED


def draw_finding(found: Finding) -> Figure:
    """Draw the arms with their intervals and the distribution of the contrast."""
    figure = Figure(figsize=(8.6, 1.7 + 0.22 * len(found.arms)), layout="constrained")
    one, two = figure.subplots(1, 2, width_ratios=[1.25, 1])
    labels = list(found.arms)
    for k, label in enumerate(labels):
        mean, low, high = found.arms[label]
        one.plot([low, high], [k, k], color=MUTED, lw=3, alpha=0.6)
        one.plot(mean, k, "o", color=BLUE if k else ORANGE, ms=7)
    one.set_yticks(range(len(labels)), labels)
    one.set_ylim(len(labels) - 0.5, -0.5)
    one.set_title(found.claim.arm_words, fontsize=9, loc="left", color=INK)
    if found.tails:
        _tails(two, found)
    else:
        _contrast(two, found)
    for ax in (one, two):
        _dress(ax)
    return figure


def _tails(ax: Any, found: Finding) -> None:
    for k, (label, sizes) in enumerate(found.tails.items()):
        x = np.sort(sizes)
        some = x >= 1.0
        share = 100.0 * (1.0 - np.arange(len(x)) / len(x))
        ax.step(x[some], share[some], where="pre", color=BLUE if k else ORANGE, lw=1.6, label=label)
    ax.set(xscale="log", yscale="log")
    ax.legend(frameon=False, fontsize=8, loc="lower left")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(lambda x, _: f"{x:g}")
    ax.set_title("share of runs with a cascade of at least x agents, %", fontsize=9, loc="left", color=INK)


def _contrast(ax: Any, found: Finding) -> None:
    ax.hist(found.values[np.isfinite(found.values)], bins=31, color=BLUE, alpha=0.75)
    ax.axvline(found.mean, color=RED, lw=2)
    ax.axvspan(found.low, found.high, color=RED, alpha=0.2, lw=0)
    ax.set_yscale("symlog", linthresh=1)
    ax.set_ylim(bottom=0)
    ax.yaxis.set_major_formatter(lambda y, _: f"{y:g}")
    ax.set_title(f"contrast, {found.claim.unit}: runs; line and band: mean, 95 %", fontsize=9, loc="left", color=INK)


def _dress(ax: Any) -> None:
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(color=GRID, lw=0.6)
    ax.set_axisbelow(True)
    ax.tick_params(labelsize=8)


def draw_joint(claims: Sequence[Claim], ranges: Ranges) -> Figure:
    """Draw at which share of the joint points the effect of each claim lies above what counts."""
    shown = [claim for claim in claims if claim.key in ranges.joint.shares]
    figure = Figure(figsize=(8.6, 1.0 + 0.24 * len(shown)), layout="constrained")
    ax = figure.subplots()
    for k, claim in enumerate(shown):
        found = ranges.joint.shares[claim.key]
        ax.barh(k, 100.0, color=GRID, height=0.62)
        if np.isfinite(found.share):
            ax.barh(k, 100.0 * found.share, color=BLUE, alpha=0.75, height=0.62)
            ax.plot([100.0 * found.low, 100.0 * found.high], [k, k], color=INK, lw=1.5)
            ax.plot(100.0 * found.counted, k, "o", color=ORANGE, ms=4)
    ax.set_yticks(range(len(shown)), [claim.key for claim in shown])
    ax.set_ylim(len(shown) - 0.4, -0.6)
    ax.set_xlim(0, 100)
    ax.set_title(
        f"share of {ranges.joint.points} points at which the effect counts, %: bar corrected for noise, line 95 %, dot as counted",
        fontsize=9, loc="left", color=INK,
    )  # fmt: skip
    _dress(ax)
    return figure


def draw_map(claims: Sequence[Claim], ranges: Ranges) -> Figure:
    """Draw which verdict turns in the range of which parameter: low and high end of each, left and right in a cell."""
    color = {"flip": RED, "open": "#e9c9a8"}
    state: dict[tuple[str, str, int], str] = {}
    for claim in claims:
        reach = ranges.reaches[claim.key]
        state |= {(claim.key, t.span.name, t.u): "open" for t in reach.open}
        state |= {(claim.key, t.span.name, t.u): "flip" for t in reach.flips}
    # A parameter at which verdicts are merely open would fill the map and say nothing.
    names = [s.name for s in ranges.spans if any(v == "flip" and name == s.name for (_, name, _), v in state.items())]
    figure = Figure(figsize=(8.6, 1.7 + 0.2 * max(1, len(names))), layout="constrained")
    ax = figure.subplots()
    for x, claim in enumerate(claims):
        for y, name in enumerate(names):
            for u in (-1, 1):
                what = state.get((claim.key, name, u))
                if what:
                    left = x - 0.45 if u < 0 else x
                    ax.add_patch(Rectangle((left, y - 0.4), 0.45, 0.8, color=color[what], lw=0))
    ax.set_xlim(-0.5, len(claims) - 0.5)
    ax.set_ylim(max(1, len(names)) - 0.5, -0.5)
    ax.set_yticks(range(len(names)), names)
    ax.set_xticks(range(len(claims)), [claim.key for claim in claims], rotation=60, ha="right")
    patches = [Patch(color=color[what], label=words) for what, words in (("flip", "turns"), ("open", "not settled"))]
    figure.legend(handles=patches, loc="outside upper right", ncols=2, frameon=False, fontsize=8)
    ax.set_title("left half: low end of the range, right half: high end", fontsize=9, loc="left", color=INK)
    _dress(ax)
    return figure
