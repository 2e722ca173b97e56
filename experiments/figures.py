"""Figures of a run: what happened, prices, the collateral illusion, the market, the worst cascade, balance sheets.

Every figure is a matplotlib ``Figure`` made by one function of this module from a ``Result``; :func:`write_figures`
saves them all as PNG and SVG. The twin of a run is drawn in the same colours, dashed.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
import networkx as nx
import numpy as np
import pandas as pd
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from agents.buyers import BUYER_KINDS, BuyerKind
from agents.lenders import LENDER_KINDS
from agents.operators import OperatorStatus
from experiments.summary_table import date, usd
from simulation.build import build_world
from simulation.genealogy import cascades
from simulation.month import MONTH, advance

# Okabe and Ito's palette, told apart with every kind of colour blindness.
BLUE, ORANGE, GREEN, RED, PURPLE, SKY, GOLD = "#0072b2", "#d98600", "#009e73", "#d55e00", "#b8629a", "#4aa3d8", "#c2a300"
INK, MUTED, GRID, PAPER, STRESS = "#1c2430", "#667080", "#dfe3e8", "#fefefe", "#f3e6dd"
SERIES = (BLUE, ORANGE, GREEN, RED, PURPLE, SKY, GOLD, MUTED)
#: Colours that a page may replace in the SVG files to suit a dark background, and by what.
DARK = {
    INK: "#e6eaf0", MUTED: "#98a3b3", GRID: "#333c49", PAPER: "#181e27", STRESS: "#3a2b22",
    BLUE: "#4da6e0", GREEN: "#2cc295", RED: "#f07b34", PURPLE: "#d58cbc", ORANGE: "#eba02d", GOLD: "#d9bd2f",
}  # fmt: skip

STYLE = {
    "font.family": ["DejaVu Sans"], "font.size": 9, "text.color": INK, "axes.labelcolor": MUTED,
    "axes.edgecolor": MUTED, "axes.facecolor": PAPER, "figure.facecolor": PAPER, "savefig.facecolor": PAPER,
    "axes.spines.top": False, "axes.spines.right": False, "axes.linewidth": 0.8, "axes.grid": True,
    "axes.axisbelow": True, "grid.color": GRID, "grid.linewidth": 0.7, "xtick.color": MUTED, "ytick.color": MUTED,
    "xtick.labelsize": 8, "ytick.labelsize": 8, "axes.labelsize": 8, "axes.titlesize": 10, "axes.titleweight": "bold",
    "axes.titlelocation": "left", "axes.titlepad": 9, "lines.linewidth": 1.8, "lines.solid_capstyle": "round",
    "svg.fonttype": "none", "svg.hashsalt": "gpu-firesale", "path.simplify": True,
}  # fmt: skip
_TWIN = {"linestyle": (0, (4, 2)), "linewidth": 1.2, "alpha": 0.85}
#: Most nodes in the tree of a cascade.
TREE_NODES = 40


class Drawing(NamedTuple):
    """One figure: file name, heading, how to read it, and the function that draws it."""

    name: str
    title: str
    caption: str
    draw: Callable[[Any], Figure]


def write_figures(folder: Path | str, result: Any) -> list[Path]:
    """Save every figure as PNG and SVG in ``folder``/figures and return the files."""
    where = Path(folder) / "figures"
    where.mkdir(parents=True, exist_ok=True)
    files = []
    with matplotlib.rc_context(STYLE):
        for drawing in DRAWINGS:
            figure = drawing.draw(result)
            for suffix, options in (("png", {"dpi": 120}), ("svg", {"metadata": {"Date": None}})):
                file = where / f"{drawing.name}.{suffix}"
                figure.savefig(file, **options)
                files.append(file)
    return files


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
    axis.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"${v:,.2f}" if decimals else usd(v).replace(".0", "")))


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
    axis.bar(data["date"].to_numpy(), np.asarray(values, float), width=np.timedelta64(26, "D"), color=color, bottom=bottom, linewidth=0)


# --- the figures ----------------------------------------------------------------------------------------------------


def draw_overview(result: Any) -> Figure:
    """Rent, debt, new credit against running capacity, defaults by cause."""
    figure, axes = _figure(2, 2)
    panel = result.panel
    rent, debt, cycle, bust = axes
    _dress(rent, "Rent of an H100-hour", "USD per hour", panel)
    _dress(debt, "GPU-backed debt", "USD", panel)
    _dress(cycle, "New credit against running compute", "% of own peak", panel)
    _dress(bust, "Defaults of operators by cause", "operators a month", panel)
    for each, twin in _runs(result):
        data = each.panel
        _plot(rent, data, data["rent"], BLUE, twin)
        _plot(debt, data, data["debt"], BLUE, twin)
        _plot(debt, data, data["debt_miners"], ORANGE, twin)
        credit = data["new_credit"].rolling(3, min_periods=1, center=True).mean()
        for values, color in ((credit, ORANGE), (data["running"], BLUE)):
            if values.max() > 0:
                _plot(cycle, data, 100 * values / values.max(), color, twin)
                if not twin:
                    top = int(np.argmax(values))
                    cycle.plot(data["date"].iloc[top], 100, marker="v", color=color, markersize=6, clip_on=False)
    rent.set_ylim(bottom=0)
    _dollars(rent, True)
    debt.set_ylim(bottom=0)
    _dollars(debt)
    cycle.set_ylim(0, 105)
    _label(rent, [(_last(panel["rent"]), f"${_last(panel['rent']):.2f}", BLUE)])
    _label(debt, [(_last(panel["debt"]), "GPU-backed", BLUE), (_last(panel["debt_miners"]), "all debt\nof miners", ORANGE)])
    credit = panel["new_credit"].rolling(3, min_periods=1, center=True).mean()
    ends = ((credit, "new credit\n(3-month\nmean)", ORANGE), (panel["running"], "running\ncapacity", BLUE))
    _label(cycle, [(100 * _last(v) / max(v.max(), 1e-9), text, color) for v, text, color in ends])
    defaults = _defaults(result)
    causes = defaults["cause"].value_counts()
    causes = [str(cause) for cause in causes.index if causes[cause] > 0]
    bottom, entries = np.zeros(len(panel)), []
    for k, cause in enumerate(causes):
        months = defaults["month"][defaults["cause"] == cause]
        count = np.bincount(months, minlength=len(panel))[: len(panel)]
        _bars(bust, panel, count, SERIES[k % 8], bottom)
        bottom = bottom + count
        entries.append((0.0, f"{_cause(cause)} {len(months)}", SERIES[k % 8]))
    bust.yaxis.set_major_locator(MaxNLocator(integer=True))
    if result.twin is not None:
        other = result.twin.panel
        bust.step(other["date"], other["defaults"], where="mid", color=INK, label="twin", **_TWIN)
        entries.append((0.0, f"twin, all {int(other['defaults'].sum())}", INK))
    bust.set_ylim(0, max(1.0, bust.get_ylim()[1]))
    if not causes:
        _empty(bust, "No operator defaulted")
    top = bust.get_ylim()[1]
    _label(bust, [(top * (0.9 - 0.1 * k), text, color) for k, (_, text, color) in enumerate(entries)])
    _note(figure, result)
    return figure


def _cause(code: str) -> str:
    return {"ltv": "LTV", "dscr": "DSCR"}.get(code, code.replace("_", " "))


def _defaults(result: Any) -> pd.DataFrame:
    events = result.events
    return events[events["kind"] == "default"]


def draw_prices(result: Any) -> Figure:
    """Used prices by generation, one generation against its fundamental, rents, stock."""
    figure, axes = _figure(2, 2)
    panel, chips = result.panel, result.chip_panel
    names = [chip.name for chip in result.scenario.chips]
    one = "H100" if "H100" in names else names[min(1, len(names) - 1)]
    price, single, rent, stock = axes
    _dress(price, "Used price by generation (dots: trades)", "USD per GPU, log", panel)
    _dress(single, f"{one}: price against its value in use", "USD per GPU", panel)
    _dress(rent, "Spot rent by generation", "USD per GPU-hour, log", panel)
    _dress(stock, "Units in existence", "thousand GPUs", panel)
    ends: dict[str, list] = {"price": [], "rent": [], "stock": []}
    for each, twin in _runs(result):
        for k, name in enumerate(names):
            data = each.chip_panel
            data = data[data["chip"] == name]
            color, there = SERIES[k % 8], (data["stock"] > 0).to_numpy()
            if not there.any():
                continue
            appraisal = np.where(there, _positive(data["appraisal"]), np.nan)
            rents = np.where(there, _positive(data["rent"]), np.nan)
            _plot(price, data, appraisal, color, twin)
            _plot(rent, data, rents, color, twin)
            if twin:
                continue
            traded = (data["traded"] > 0).to_numpy()
            price.plot(data["date"][traded], data["price"][traded], "o", color=color, markersize=2.4, alpha=0.55, mew=0)
            _plot(stock, data, np.where(there, data["stock"], np.nan) / 1e3, color)
            for key, values in (("price", appraisal), ("rent", rents), ("stock", data["stock"] / 1e3)):
                ends[key].append((_last(values), name, color))
    _log(price, lambda v: usd(v).replace(".0", ""))
    _log(rent, lambda v: f"${v:g}")
    stock.set_ylim(bottom=0)
    _label(price, ends["price"])
    _label(rent, ends["rent"])
    _label(stock, ends["stock"])
    entries = []
    for each, twin in _runs(result):
        data = each.chip_panel
        data = data[data["chip"] == one]
        for column, text, color in (("fundamental", "value in use", GREEN), ("appraisal", "appraisal", BLUE), ("best_bid", "best bid", ORANGE)):
            values = _positive(data[column])
            _plot(single, data, values, color, twin)
            if not twin:
                entries.append((_last(values), text, color))
    data = chips[chips["chip"] == one]
    listed = _positive(data["list_price"])
    if np.isfinite(listed).any():
        _plot(single, data, listed, MUTED, lw=1.0)
        at = np.flatnonzero(np.isfinite(listed))[-1]
        single.annotate("list price, while on sale", (data["date"].iloc[at], listed[at]), xytext=(4, 0), color=MUTED, size=8,
                        textcoords="offset points", va="center")  # fmt: skip
    traded = (data["traded"] > 0).to_numpy()
    single.plot(data["date"][traded], data["price"][traded], "o", color=RED, markersize=3, mew=0)
    if traded.any():
        entries.append((_last(data["price"][traded]), "traded (dots)", RED))
    single.set_ylim(bottom=0)
    _dollars(single)
    _label(single, entries)
    _note(figure, result)
    return figure


def draw_illusion(result: Any) -> Figure:
    """Loan to value, booked and executable; the illusion ratio."""
    figure, axes = _figure(1, 3, height=3.7)
    panel = result.panel
    titles = ("LTV, all collateral at once", "LTV, largest borrower alone", "Booked over executable value")
    units = ("debt over value, log", "debt over value, log", "times, log")
    for axis, title, unit in zip(axes, titles, units, strict=True):
        _dress(axis, title, unit, panel)
    pairs = (("booked_ltv", "executable_ltv"), ("largest_booked_ltv", "largest_executable_ltv"))
    for axis, (booked, executable) in zip(axes[:2], pairs, strict=True):
        for each, twin in _runs(result):
            data = each.panel
            mine, its = (np.minimum(_positive(data[c]), 1e3) for c in (booked, executable))
            if not twin:
                axis.fill_between(data["date"], mine, its, color=RED, alpha=0.1, lw=0)
            _plot(axis, data, mine, BLUE, twin)
            _plot(axis, data, its, RED, twin)
        axis.axhline(1.0, color=INK, lw=0.8)
        _log(axis, lambda v: f"{100 * v:,.0f} %")
        _label(axis, [(_last(np.minimum(_positive(panel[booked]), 1e3)), "booked", BLUE),
                      (_last(np.minimum(_positive(panel[executable]), 1e3)), "executable", RED)])  # fmt: skip
    for each, twin in _runs(result):
        _plot(axes[2], each.panel, np.minimum(_positive(each.panel["illusion"]), 1e3), PURPLE, twin)
    axes[2].axhline(1.0, color=INK, lw=0.8)
    _log(axes[2], lambda v: f"{v:g} x")
    ratio = _positive(panel["illusion"])
    _label(axes[2], [(_last(ratio), f"{_last(ratio):.1f} x", PURPLE)])
    _note(figure, result)
    return figure


def draw_market(result: Any) -> Figure:
    """Depth, forced sales, hardware without a buyer, discount."""
    figure, axes = _figure(2, 2)
    panel = result.panel
    depth, forced, unsold, discount = axes
    _dress(depth, "Depth: money within 10 % of the best bid", "USD", panel)
    _dress(forced, "Forced sales", "USD a month", panel)
    _dress(unsold, "Offered by force, no buyer yet", "USD at the appraisal", panel)
    _dress(discount, "Traded price against value in use", "%", panel)
    _bars(forced, panel, panel["forced_usd"], RED)
    for each, twin in _runs(result):
        data = each.panel
        _plot(depth, data, data["depth_usd"], BLUE, twin)
        _plot(unsold, data, data["unsold_usd"], ORANGE, twin)
        if twin:
            forced.step(data["date"], data["forced_usd"], where="mid", color=INK, **_TWIN)
        all_trades = np.where(data["volume_usd"] > 0, 100 * data["discount_all"], np.nan)
        by_force = np.where(data["forced_usd"] > 0, 100 * data["discount"], np.nan)
        _plot(discount, data, all_trades, BLUE, twin)
        if twin:
            _plot(discount, data, by_force, RED, twin)
        else:
            size = 10 + 60 * data["forced_usd"] / max(1.0, data["forced_usd"].max())
            discount.scatter(data["date"], by_force, s=size, color=RED, alpha=0.75, linewidths=0)
            _label(discount, [(_last(all_trades), "all trades", BLUE), (_last(by_force), "forced\n(size: USD)", RED)])
    discount.axhline(0.0, color=INK, lw=0.8)
    for axis in (depth, forced, unsold):
        axis.set_ylim(0, max(1.0, axis.get_ylim()[1]))
        _dollars(axis)
    if panel["forced_usd"].sum() <= 0:
        forced.set_yticks([])
        _empty(forced, "No forced sale")
    if panel["unsold_usd"].max() <= 0:
        unsold.set_yticks([])
        _empty(unsold, "Nothing was left without a buyer")
    if panel["volume_usd"].sum() <= 0:
        _empty(discount, "No trade")
    _label(depth, [(_last(panel["depth_usd"]), usd(_last(panel["depth_usd"])), BLUE)])
    _note(figure, result)
    return figure


class Tree(NamedTuple):
    """The worst cascade: a forest's largest tree, cut to its most important nodes, and what was left out."""

    graph: nx.DiGraph
    size: int
    debt: float
    left_out: int


def worst_cascade(result: Any) -> Tree | None:
    """Return the cascade with most defaults and failures (then most debt); None if nothing defaulted.

    Nodes are defaults and failures ("fall") and the forced sale, run or call through which one led to the next
    ("link"). They carry ``month``, ``generation``, ``head`` and ``text``.
    """
    world = result.world
    rows = world.events[: world.clock[0].events]
    _, root, depth = cascades(rows)
    falls = np.flatnonzero(root >= 0)
    if len(falls) == 0:
        return None
    owed = rows.usd
    roots = np.unique(root[falls])
    score = {r: (int((root == r).sum()), float(owed[root == r].sum())) for r in roots}
    chosen = max(roots, key=lambda r: score[r])
    events = result.events
    kinds, causes, parents = events["kind"].astype(str).to_numpy(), events["cause"].astype(str).to_numpy(), rows.parent
    members = [int(k) for k in falls if root[k] == chosen]
    kept = set(sorted(members, key=lambda k: (depth[k], -owed[k]))[: (TREE_NODES + 1) // 2 + 4])
    sold_units, sold_usd = _sold(rows, kinds)
    graph = nx.DiGraph()
    for k in members:
        chain, up = [], int(parents[k])
        while up >= 0 and root[up] < 0:
            chain.append(up)
            up = int(parents[up])
        if k not in kept or (up >= 0 and root[k] == chosen and k != chosen and up not in graph):
            continue
        when = date(rows.month[k], result.scenario.run.start)
        text = f"{usd(owed[k])}, {_cause(causes[k])}\n{when}"
        call = next((c for c in chain[:1] if kinds[c] != "forced_sale"), None)
        if call is not None:
            text += f"\nafter {kinds[call].replace('_', ' ')}" + (f" {usd(owed[call])}" if owed[call] >= 1.0 else "")
        if sold_units.get(k, 0.0) >= 1.0:
            text += f"\nsold {sold_units[k]:,.0f} for {usd(sold_usd[k])}"
        graph.add_node(k, kind=kinds[k], head=result.name(rows.node[k]), text=text, generation=2 * int(depth[k]), usd=float(owed[k]))
        if k == chosen or up < 0:
            continue
        link = next((c for c in chain if kinds[c] == "forced_sale"), None)
        link = next(iter(chain[1:] or chain), None) if link is None else link
        if link is None:
            graph.add_edge(up, k)
            continue
        if link not in graph:
            chip = result.scenario.chips[rows.chip[link]].name if rows.chip[link] >= 0 else ""
            amount = f"{rows.units[link]:,.0f} {chip}\n{usd(owed[link])}" if chip and rows.units[link] >= 0.5 else usd(owed[link])
            graph.add_node(link, kind="link", head=kinds[link].replace("_", " "), text=amount,
                           generation=2 * int(depth[up]) + 1, usd=float(owed[link]))  # fmt: skip
        graph.add_edge(up, link)
        graph.add_edge(link, k)
    shown = sum(1 for _, kind in graph.nodes(data="kind") if kind != "link")
    return Tree(graph, len(members), float(owed[members].sum()), len(members) - shown)


def _sold(rows: np.recarray, kinds: np.ndarray) -> tuple[dict[int, float], dict[int, float]]:
    """Return units and proceeds (USD) of the forced sales that each event led to by itself or through a seizure."""
    units: dict[int, float] = {}
    money: dict[int, float] = {}
    for k in np.flatnonzero(kinds == "forced_sale"):
        up = int(rows.parent[k])
        if up >= 0 and kinds[up] == "seizure":
            up = int(rows.parent[up])
        if up >= 0:
            units[up] = units.get(up, 0.0) + float(rows.units[k])
            money[up] = money.get(up, 0.0) + float(rows.usd[k])
    return units, money


def _rows_of(graph: nx.DiGraph) -> dict[int, float]:
    """Return the height of each node: leaves one below another, parents at the middle of their children."""
    height: dict[int, float] = {}
    parents = {k: next(iter(graph.predecessors(k)), None) for k in graph}
    children: dict[Any, list[int]] = {}
    for k, up in parents.items():
        children.setdefault(up, []).append(k)
    spot = 0.0
    stack = [(k, False) for k in reversed(children.get(None, []))]
    while stack:
        k, done = stack.pop()
        below = children.get(k, [])
        if not below:
            height[k] = spot
            spot += 1.0
        elif done:
            height[k] = sum(height[c] for c in below) / len(below)
        else:
            stack.append((k, True))
            stack.extend((c, False) for c in reversed(below))
    return height


def draw_cascade(result: Any) -> Figure:
    """The worst cascade: who caused whom."""
    tree = worst_cascade(result)
    if tree is None:
        figure = Figure(figsize=(11.0, 2.2))
        axis = figure.add_axes((0, 0, 1, 1))
        axis.axis("off")
        _empty(axis, "No cascade: nobody defaulted or failed in this run.")
        return figure
    graph, height = tree.graph, _rows_of(tree.graph)
    columns = max(g for _, g in graph.nodes(data="generation")) + 1
    rows = max(height.values()) + 1
    wide, tall = 1.6, 0.84
    figure = Figure(figsize=(max(9.0, wide * columns + 1.0), max(2.4, tall * rows + 0.95)))
    axis = figure.add_axes((0, 0, 1, 1))
    axis.axis("off")
    figure_width, figure_height = figure.get_size_inches()
    axis.set_xlim(-0.25 / wide, (figure_width - 0.25) / wide)
    axis.set_ylim(-(figure_height - 0.95) / tall, 0.95 / tall)
    colors = {"default": RED, "lender_failure": PURPLE, "link": MUTED}
    largest = max((u for _, u in graph.nodes(data="usd")), default=1.0) or 1.0
    for up, down in graph.edges:
        x0, x1 = graph.nodes[up]["generation"], graph.nodes[down]["generation"]
        y0, y1 = -height[up], -height[down]
        axis.plot([x0, x1 - 0.16, x1 - 0.16, x1], [y0, y0, y1, y1], color=GRID, lw=1.6, zorder=1, solid_joinstyle="round")
    for k, node in graph.nodes(data=True):
        x, y, fall = node["generation"], -height[k], node["kind"] != "link"
        size = 45 + 170 * np.sqrt(node["usd"] / largest) if fall else 26
        axis.scatter([x], [y], s=size, color=colors[node["kind"]], marker="o" if fall else "s", linewidths=0, zorder=3)
        indent = 0.13 if fall else 0.09
        head = "\n".join(textwrap.wrap(node["head"], 17))
        axis.text(x + indent, y + 0.05, head, size=8 if fall else 7, weight="bold" if fall else "normal",
                  va="bottom", color=INK if fall else MUTED, zorder=4)  # fmt: skip
        axis.text(x + indent, y - 0.06, node["text"], size=7, va="top", color=MUTED, linespacing=1.1, zorder=4)
    head = f"{tree.size} defaults and failures from one, {usd(tree.debt)} of debt" if tree.size > 1 else "A default that caused no other"
    figure.text(0.2 / figure_width, 1 - 0.16 / figure_height, head, va="top", size=10, weight="bold")
    note = [("● default", RED), ("● failure of a lender", PURPLE), ("■ forced sale or call between", MUTED), ("area: debt; left to right: cause to effect", MUTED)]
    if tree.left_out:
        note.append((f"{tree.left_out} smaller ones are not shown", MUTED))
    x = 0.2
    for text, color in note:
        figure.text(x / figure_width, 1 - 0.42 / figure_height, text, va="top", size=7.5, color=color)
        x += 0.22 + 0.066 * len(text)
    return figure


# --- the order book -------------------------------------------------------------------------------------------------


class Book(NamedTuple):
    """Bids for one generation at the end of a month: limit (USD/GPU), units and kind of bidder, best bid first."""

    month: int
    limit: np.ndarray
    units: np.ndarray
    kind: np.ndarray


BIDDERS = ("hyperscaler", "enterprise", "research", "dealer", "scrap", "backstop", "operators")


def read_book(world: Any, chip: int, month: int) -> Book:
    """Return the bids of all bidders as they stand: what each wants at its limit, power and money permitting."""
    terms, op, buyer, row = world.terms[0], world.operators, world.buyers, world.chips[chip]
    sound = (op.status == OperatorStatus.HEALTHY) & (op.arrears <= 0.0) & (op.dscr >= terms.market_peer_dscr)
    spare = np.maximum(0.0, op.cash - terms.credit_cash_reserve * (op.overheads + op.due))
    room = op.site_power - op.used_power
    if row.liquid == 1:
        room = np.minimum(room, op.liquid_power - op.used_liquid)
    money_b = np.minimum(buyer.budget, buyer.lot_limit * buyer.budget_cap)
    dealer = buyer.kind == BuyerKind.DEALER
    money_b = np.where(dealer, np.minimum(money_b, buyer.budget_cap - buyer.inventory), money_b)
    room_b = buyer.power
    if row.liquid == 1:
        cold = buyer.liquid >= row.power
        room_b = np.where(cold, buyer.liquid, terms.buyers_convertible_share * (buyer.power - buyer.liquid))
    units_b = np.where(dealer | (buyer.kind == BuyerKind.SCRAP), 1e12, np.maximum(0.0, room_b / row.power))
    money = np.concatenate([np.where(sound, terms.market_peer_cash * spare, 0.0), np.maximum(0.0, money_b)])
    cap = np.concatenate([np.maximum(0.0, room / row.power), units_b])
    kind = np.concatenate([np.full(len(op), len(BIDDERS) - 1), buyer.kind])
    limit = world.bid[:, chip].copy()
    units = np.minimum(cap, money / np.where(limit > 0.0, limit, 1.0))
    there = np.flatnonzero((limit > 0.0) & (money > 1.0) & (units > 0.0))
    order = there[np.argsort(-limit[there], kind="stable")]
    return Book(month, limit[order], units[order], kind[order])


def read_books(result: Any) -> tuple[int, list[tuple[str, Book]]]:
    """Return the most traded generation and its book before, during and after the worst month."""
    panel, trades = result.panel, result.trades
    volume = (trades["units"] * trades["price"]).groupby(trades["chip"]).sum()
    chip = int(volume.idxmax()) if len(volume) else min(1, len(result.scenario.chips) - 1)
    worst = int(result.summary["worst_month"])
    if worst < 0:
        worst = int(panel["forced_usd"].argmax()) if panel["forced_usd"].max() > 0 else len(panel) // 2
    last = len(panel) - 1
    wanted = {"before": max(0, worst - 3), "during": min(worst, last), "after": min(last, worst + 6)}
    if wanted["after"] == wanted["during"]:
        del wanted["after"]
    if wanted["before"] == wanted["during"]:
        del wanted["before"]
    world = build_world(result.scenario, result.seed, result.replication)
    books = []
    for name, month in wanted.items():
        while int(world.clock[0].month) <= month:
            advance(world, MONTH)
        books.append((name, read_book(world, chip, month)))
    return chip, books


def draw_book(result: Any) -> Figure:
    """Demand for the most traded generation before, during and after the worst month."""
    chip, books = read_books(result)
    name = result.scenario.chips[chip].name
    figure, axes = _figure(1, 2, height=4.2, right=0.88)
    curve, money = axes
    colors = {"before": BLUE, "during": RED, "after": GREEN}
    curve.set_title(f"{name}: units wanted at or above a price")
    curve.set_xlabel("thousand GPUs wanted, cumulative from the best bid")
    curve.set_ylabel("USD per GPU")
    money.set_title("Money behind the bids, by bidder")
    money.set_ylabel("USD")
    money.grid(axis="x", visible=False)
    reach = 0.0
    top = max((book.limit.max() for _, book in books if len(book.limit)), default=0.0)
    for when, book in books:
        if not len(book.limit):
            continue
        units = np.concatenate([[0.0], np.cumsum(book.units)]) / 1e3
        limits = np.concatenate([book.limit, book.limit[-1:]])
        curve.step(units, limits, where="post", color=colors[when])
        curve.plot([units[-1]] * 2, [book.limit[-1], 0.0], color=colors[when], lw=1.0, alpha=0.5)
        serious = book.limit >= 0.15 * top
        reach = max(reach, book.units[serious].sum() / 1e3)
    figure.subplots_adjust(bottom=0.62 / 4.2)
    if reach <= 0:
        _empty(curve, "No bid")
    curve.set_xlim(0, 1.08 * reach if reach > 0 else 1.0)
    curve.set_ylim(0, 1.08 * top if top > 0 else 1.0)
    _dollars(curve)
    for k, (when, book) in enumerate(books):
        best = book.limit[0] if len(book.limit) else 0.0
        text = f"{when}, {date(book.month, result.scenario.run.start)}: best bid {usd(best)}"
        curve.text(0.98, 0.95 - 0.075 * k, text, ha="right", va="top", color=colors[when], size=8.5, transform=curve.transAxes)
    bottom, shares = np.zeros(len(books)), []
    for k, kind in enumerate(BIDDERS):
        usd_k = np.array([(book.units * book.limit)[book.kind == k].sum() for _, book in books])
        if usd_k.sum() <= 0:
            continue
        color = SERIES[k % 8]
        money.bar(range(len(books)), usd_k, bottom=bottom, color=color, width=0.6, linewidth=0)
        shares.append((bottom[-1] + usd_k[-1] / 2, kind if kind != "scrap" else "scrap merchants", color))
        bottom = bottom + usd_k
    money.set_xticks(range(len(books)), [f"{when}\n{date(book.month, result.scenario.run.start)}" for when, book in books])
    money.set_xlim(-0.5, len(books) - 0.5)
    money.set_ylim(0, max(1.0, 1.08 * bottom.max()))
    _dollars(money)
    _label(money, shares)
    return figure


def draw_balance(result: Any) -> Figure:
    """Assets and debt by kind of agent."""
    panel, kinds = result.panel, result.kind_panel
    groups = [kind.replace("_", " ") for kind in LENDER_KINDS[:5]] + ["neocloud", "miner", "buyers"]
    titles = ("Banks", "Private-credit funds", "Insurers", "BDCs", "Crypto lenders", "Neoclouds", "Miners", "Hardware buyers")
    columns = (("cash", BLUE), ("loans", ORANGE), ("lines", PURPLE), ("hardware", GREEN), ("coins", GOLD))
    figure, axes = _figure(2, 4, width=12.5, height=5.9, right=0.985)
    figure.subplots_adjust(top=0.865, wspace=0.36)
    names = kinds["kind"].astype(str).str.replace("_", " ")
    for axis, group, title in zip(axes, groups, titles, strict=True):
        mask = names.isin(BUYER_KINDS) if group == "buyers" else names == group
        data = kinds[mask].groupby("month")[[c for c, _ in columns] + ["debt", "alive"]].sum()
        _dress(axis, title, "USD", panel)
        bottom = np.zeros(len(data))
        dates = panel["date"].to_numpy()
        for column, color in columns:
            values = np.maximum(0.0, data[column].to_numpy())
            if len(data) == 1:
                axis.bar(dates, values, width=np.timedelta64(10, "D"), bottom=bottom, color=color, linewidth=0)
            else:
                axis.fill_between(dates, bottom, bottom + values, color=color, alpha=0.75, lw=0)
            bottom = bottom + values
        _plot(axis, panel, data["debt"], INK, lw=1.5)
        axis.set_ylim(0, max(1.0, 1.05 * max(bottom.max(), data["debt"].max())))
        _dollars(axis)
        if group != "buyers":
            axis.set_title(f"{data['alive'].iloc[0]:.0f} → {data['alive'].iloc[-1]:.0f}", loc="right", size=8, color=MUTED, weight="normal")
    x = 0.055
    texts = ("cash", "claims on operators", "claims on lenders", "GPUs at appraisal", "coins and rigs")
    for (_, color), text in zip(columns, texts, strict=True):
        figure.text(x, 0.968, f"■ {text}", color=color, size=8.5, va="center")
        x += 0.018 + 0.0068 * len(text)
    figure.text(x, 0.968, "▬ debt, deposits and lines owed", color=INK, size=8.5, va="center")
    figure.text(0.985, 0.968, "right of each title: alive, first → last month", color=MUTED, size=7.5, va="center", ha="right")
    return figure


def draw_service(result: Any) -> Figure:
    """Debt service coverage, thin loans, and the lives of debt and collateral."""
    figure, axes = _figure(1, 3, height=3.7)
    panel = result.panel
    cover, thin, life = axes
    _dress(cover, "Debt service coverage (DSCR)", "ratio", panel)
    _dress(thin, "Performing debt in danger", "% of performing debt", panel)
    _dress(life, "Debt life against asset life", "months", panel)
    sets = (
        (cover, (("dscr_median", "median", BLUE, 1), ("dscr_low", "lowest\ntenth", RED, 1))),
        (thin, (("dscr_below_one", "DSCR\nbelow 1", RED, 100), ("headroom_thin", "within 5\npoints of\ncovenant", ORANGE, 100))),
        (life, (("debt_life", "debt", BLUE, 1), ("asset_life", "collateral", GREEN, 1))),
    )  # fmt: skip
    for axis, lines in sets:
        for each, twin in _runs(result):
            for column, _, color, scale in lines:
                values = scale * each.panel[column].to_numpy()
                if axis is cover:
                    values = np.clip(values, -1.0, 6.0)
                _plot(axis, each.panel, values, color, twin)
        low, high = axis.get_ylim()
        axis.set_ylim(min(0.0, low), max(high, 1.0))
        _label(axis, [(scale * _last(panel[column]), text, color) for column, text, color, scale in lines])
    cover.axhline(1.0, color=INK, lw=0.8)
    _note(figure, result)
    return figure


DRAWINGS = (
    Drawing(
        "1_overview",
        "What happened",
        "Credit that peaks (triangle) left of running compute was early: debt was drawn before the capacity that "
        "has to carry it earned; bars count defaults by what tipped the operator over.",
        draw_overview,
    ),
    Drawing(
        "2_prices",
        "Prices and rents by generation",
        "A traded price or bid below the green value in use is a discount to what the hardware earns for its best "
        "unconstrained user; dots are monthly trades.",
        draw_prices,
    ),
    Drawing(
        "3_illusion",
        "The collateral illusion",
        "The red area is the gap between the loan to value on the books and the one the bids would support if the "
        "collateral were sold at once; above 100 % the sale does not repay the debt.",
        draw_illusion,
    ),
    Drawing(
        "4_market",
        "The market for used GPUs",
        "Forced sales that rise while depth falls cannot be absorbed: what finds no buyer accumulates, and what is "
        "sold clears below value in use.",
        draw_market,
    ),
    Drawing(
        "5_cascade",
        "The worst cascade",
        "Read from left to right: each default or failure stands right of the forced sale, call or run through "
        "which an earlier one caused it.",
        draw_cascade,
    ),
    Drawing(
        "6_order_book",
        "The order book before, during and after",
        "Start at the number of units to be sold and go up to the line: that is the price at which the last of "
        "them finds a bid; a line that shrinks to the left has lost buyers or their money.",
        draw_book,
    ),
    Drawing(
        "7_balance_sheets",
        "Balance sheets by kind of agent",
        "Coloured areas are assets, the line is debt; where the line crosses the top of the areas a kind of agent "
        "as a whole owes more than it owns.",
        draw_balance,
    ),
    Drawing(
        "8_debt_service",
        "Debt service and lives",
        "Below a coverage of one, income does not pay debt service; debt that outlives its collateral has to be "
        "repaid by hardware that no longer earns.",
        draw_service,
    ),
)
