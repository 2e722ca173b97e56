"""The worst cascade of a run as a tree."""

from __future__ import annotations

import textwrap
from typing import Any, NamedTuple

import networkx as nx
import numpy as np
from matplotlib.figure import Figure

from agents.schema import Rows
from experiments.run.figures.months import _cause
from experiments.run.figures.style import GRID, INK, MUTED, PURPLE, RED, _empty
from simulation.record.genealogy import cascades
from simulation.words import calendar, usd

#: Most nodes in the tree of a cascade.
TREE_NODES = 40


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
        when = calendar(result.scenario.run.start, rows.month[k])
        text = f"{usd(owed[k])}, {_cause(causes[k])}\n{when}"
        call = next((c for c in chain[:1] if kinds[c] != "forced_sale"), None)
        if call is not None:
            text += f"\nafter {kinds[call].replace('_', ' ')}" + (f" {usd(owed[call])}" if owed[call] >= 1.0 else "")
        if sold_units.get(k, 0.0) >= 1.0:
            text += f"\nsold {sold_units[k]:,.0f} for {usd(sold_usd[k])}"
        graph.add_node(
            k,
            kind=kinds[k],
            head=result.name(rows.node[k]),
            text=text,
            generation=2 * int(depth[k]),
            usd=float(owed[k]),
        )
        if k == chosen or up < 0:
            continue
        link = next((c for c in chain if kinds[c] == "forced_sale"), None)
        link = next(iter(chain[1:] or chain), None) if link is None else link
        if link is None:
            graph.add_edge(up, k)
            continue
        if link not in graph:
            chip = result.scenario.chips[rows.chip[link]].name if rows.chip[link] >= 0 else ""
            amount = (
                f"{rows.units[link]:,.0f} {chip}\n{usd(owed[link])}"
                if chip and rows.units[link] >= 0.5
                else usd(owed[link])
            )
            graph.add_node(link, kind="link", head=kinds[link].replace("_", " "), text=amount,
                           generation=2 * int(depth[up]) + 1, usd=float(owed[link]))  # fmt: skip
        graph.add_edge(up, link)
        graph.add_edge(link, k)
    shown = sum(1 for _, kind in graph.nodes(data="kind") if kind != "link")
    return Tree(graph, len(members), float(owed[members].sum()), len(members) - shown)


def _sold(rows: Rows, kinds: np.ndarray) -> tuple[dict[int, float], dict[int, float]]:
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
        axis.plot(
            [x0, x1 - 0.16, x1 - 0.16, x1], [y0, y0, y1, y1], color=GRID, lw=1.6, zorder=1, solid_joinstyle="round"
        )
    for k, node in graph.nodes(data=True):
        x, y, fall = node["generation"], -height[k], node["kind"] != "link"
        size = 45 + 170 * np.sqrt(node["usd"] / largest) if fall else 26
        axis.scatter([x], [y], s=size, color=colors[node["kind"]], marker="o" if fall else "s", linewidths=0, zorder=3)
        indent = 0.13 if fall else 0.09
        head = "\n".join(textwrap.wrap(node["head"], 17))
        axis.text(x + indent, y + 0.05, head, size=8 if fall else 7, weight="bold" if fall else "normal",
                  va="bottom", color=INK if fall else MUTED, zorder=4)  # fmt: skip
        axis.text(x + indent, y - 0.06, node["text"], size=7, va="top", color=MUTED, linespacing=1.1, zorder=4)
    head = (
        f"{tree.size} defaults and failures from one, {usd(tree.debt)} of debt"
        if tree.size > 1
        else "A default that caused no other"
    )
    figure.text(0.2 / figure_width, 1 - 0.16 / figure_height, head, va="top", size=10, weight="bold")
    note = [
        ("● default", RED),
        ("● failure of a lender", PURPLE),
        ("■ forced sale or call between", MUTED),
        ("area: debt; left to right: cause to effect", MUTED),
    ]
    if tree.left_out:
        note.append((f"{tree.left_out} smaller ones are not shown", MUTED))
    x = 0.2
    for text, color in note:
        figure.text(x / figure_width, 1 - 0.42 / figure_height, text, va="top", size=7.5, color=color)
        x += 0.22 + 0.066 * len(text)
    return figure
