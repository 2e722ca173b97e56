"""The order book of a month."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from experiments.run.figures.style import BLUE, GREEN, RED, SERIES, _dollars, _empty, _figure, _label
from simulation.month import MONTH, advance
from simulation.record.depth import write_book
from simulation.words import calendar, usd
from simulation.world.build import build_world
from simulation.world.population import reference_chip

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
    limit, units = np.zeros(len(world.bid)), np.zeros(len(world.bid))
    write_book(world, chip, limit, units)
    kind = np.concatenate([np.full(len(world.operators), len(BIDDERS) - 1), world.buyers.kind])
    there = np.flatnonzero(units > 0.0)
    order = there[np.argsort(-limit[there], kind="stable")]
    return Book(month, limit[order], units[order], kind[order])


def read_books(result: Any) -> tuple[int, list[tuple[str, Book]]]:
    """Return the most traded generation and its book before, during and after the worst month."""
    panel, trades = result.panel, result.trades
    volume = (trades["units"] * trades["price"]).groupby(trades["chip"]).sum()
    chip = int(volume.idxmax()) if len(volume) else reference_chip(result.scenario)
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
        text = f"{when}, {calendar(result.scenario.run.start, book.month)}: best bid {usd(best)}"
        curve.text(
            0.98, 0.95 - 0.075 * k, text, ha="right", va="top", color=colors[when], size=8.5, transform=curve.transAxes
        )
    bottom, shares = np.zeros(len(books)), []
    for k, kind in enumerate(BIDDERS):
        usd_k = np.array([(book.units * book.limit)[book.kind == k].sum() for _, book in books])
        if usd_k.sum() <= 0:
            continue
        color = SERIES[k % 8]
        money.bar(range(len(books)), usd_k, bottom=bottom, color=color, width=0.6, linewidth=0)
        shares.append((bottom[-1] + usd_k[-1] / 2, kind if kind != "scrap" else "scrap merchants", color))
        bottom = bottom + usd_k
    money.set_xticks(
        range(len(books)), [f"{when}\n{calendar(result.scenario.run.start, book.month)}" for when, book in books]
    )
    money.set_xlim(-0.5, len(books) - 0.5)
    money.set_ylim(0, max(1.0, 1.08 * bottom.max()))
    _dollars(money)
    _label(money, shares)
    return figure
