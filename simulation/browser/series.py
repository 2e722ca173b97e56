"""From tables to what the charts draw: series by month, bins, auctions; rounded, so that a step costs a few kilobytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from agents.schema import Rows
from agents.tables.loans import LoanKind, LoanStatus
from agents.tables.operators import OperatorStatus
from simulation.browser.portrait import live_loans
from simulation.markets.tape import TapeRow
from simulation.words import count, share, usd
from simulation.world.world import World

Series = dict[str, Any]


Read = Callable[[World], np.ndarray]


def rounded(values: np.ndarray, digits: int = 4) -> list[float | None]:
    """Return values to ``digits`` significant digits, None for what is not finite."""
    return [float(f"{v:.{digits}g}") if np.isfinite(v) else None for v in values.tolist()]


def one(label: str, color: str, values: np.ndarray, dash: str = "", thin: bool = False) -> Series:
    """Return one series."""
    return {"label": label, "color": color, "values": rounded(values), "dash": dash, "thin": thin}


def money(world: World) -> tuple[str, float]:
    """Return the unit for sums of a run and what a dollar is in it: billions, or millions in a small market."""
    small = world.panel.debt[: max(1, months(world))].max() < 1e9
    return ("$m", 1e-6) if small else ("$bn", 1e-9)


def months(world: World) -> int:
    """Return the months completed."""
    return int(world.clock[0].month)


def panel(column: str, scale: float = 1.0) -> Read:
    """Return a reader of a column of the panel, as far as the run has come."""
    return lambda world: world.panel[column][: months(world)] * scale


def summed(column: str, scale: float = 1.0) -> Read:
    """Return a reader of a column of the panel summed since the start."""
    return lambda world: np.cumsum(world.panel[column][: months(world)]) * scale


def chip(column: str, g: int, scale: float = 1.0) -> Read:
    """Return a reader of a column of one generation, from its first unit on."""

    def read(world: World) -> np.ndarray:
        n_g = len(world.chips)
        rows = world.chip_panel[: months(world) * n_g].reshape(-1, n_g)[:, g]
        return np.where(rows["stock"] > 0.0, rows[column] * scale, np.nan)

    return read


def with_twin(world: World, twin: World | None, label: str, color: str, read: Read) -> list[Series]:
    """Return a series and, thin and dashed, its twin as far as the run has come."""
    own = [one(label, color, read(world))]
    if twin is not None:
        own.append(one("twin", color, read(twin)[: months(world)], "5 3", True))
    return own


def prices(world: World, g: int) -> list[Series]:
    """Return price, value in use and list price of a generation ($k)."""
    listed = chip("list_price", g, 1e-3)(world)
    found = [
        one("traded", "ink", chip("price", g, 1e-3)(world)),
        one("in use", "green", chip("fundamental", g, 1e-3)(world), "2 3"),
    ]
    if (listed > 0).any():
        found.append(one("list", "muted", np.where(listed > 0, listed, np.nan), "8 3"))
    return found


def stress_bands(world: World) -> list[list[int]]:
    """Return [first, last] month of every stress of demand or bitcoin so far."""
    rows = world.panel[: months(world)]
    flags = np.concatenate([[0], (rows.stress_demand | rows.stress_coin).astype(int), [0]])
    edges = np.flatnonzero(np.diff(flags))
    return [[int(a), int(b) - 1] for a, b in zip(edges[::2], edges[1::2], strict=True)]


def fallen_months(world: World) -> list[int]:
    """Return the months with a default or a failure."""
    rows = world.panel[: months(world)]
    return np.flatnonzero(rows.defaults + rows.lender_failures).tolist()


# --- distributions --------------------------------------------------------------------------------------------------

_DSCR = (-np.inf, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0, np.inf)


_HEADROOM = (-np.inf, -0.2, -0.1, 0.0, 0.05, 0.1, 0.2, 0.3, np.inf)


def dscr_bins(world: World) -> list[dict[str, Any]]:
    """Return how many indebted operators have a DSCR between which bounds; a line at one stands at bin 3."""
    operators = world.operators[(world.operators.status != OperatorStatus.DEFAULTED) & (world.operators.debt > 1.0)]
    if len(operators) == 0:
        return []
    found, _ = np.histogram(np.nan_to_num(operators.dscr), _DSCR)
    names = ["<.5", ".5", ".75", "1", "1.25", "1.5", "2", "3+"]
    return [
        {"label": n, "value": int(v), "text": str(v), "bad": k < 3}
        for k, (n, v) in enumerate(zip(names, found, strict=True))
    ]


def headroom_bins(world: World) -> list[dict[str, Any]]:
    """Return secured debt (USD) by points between its LTV and its covenant; a line at zero stands at bin 3."""
    loans = live_loans(world)
    loans = loans[
        (loans.kind == LoanKind.EQUIPMENT)
        & ((loans.status == LoanStatus.PERFORMING) | (loans.status == LoanStatus.CALLED))
        & (loans.principal > 1.0)
    ]
    if len(loans) == 0:
        return []
    room = loans.covenant_ltv - loans.principal / np.maximum(1.0, loans.collateral)
    found, _ = np.histogram(room, _HEADROOM, weights=loans.principal)
    names = ["<−20", "−20", "−10", "0", "5", "10", "20", "30+"]
    scale = money(world)[1]
    return [
        {"label": n, "value": round(float(v)), "text": _brief(v * scale) if v > 0 else "", "bad": k < 3}
        for k, (n, v) in enumerate(zip(names, found, strict=True))
    ]


def _brief(x: float) -> str:
    """Return a number in at most three figures: "22", "3.7", ".62"."""
    return f"{x:.0f}" if x >= 9.95 else f"{x:.1f}" if x >= 0.95 else f"{x:.2f}".lstrip("0")


# --- auctions -------------------------------------------------------------------------------------------------------

_ABSENT = (
    (TapeRow.NO_POWER, "without power"),
    (TapeRow.NO_MONEY, "without money"),
    (TapeRow.NOT_SOUND, "not sound"),
    (TapeRow.NO_VALUE, "see no value"),
    (TapeRow.TOO_SMALL, "want a larger lot"),
    (TapeRow.TOO_OLD, "want younger chips"),
)


def auctions(tape: Rows, chips: list[str], names: dict[int, str], when: str, chip: int = -1) -> list[dict[str, Any]]:
    """Return the auctions of a tape, forced ones first and the largest (USD at the appraisal) first.

    ``chip`` keeps one generation only (-1 all).
    """
    heads = np.flatnonzero(tape.kind == TapeRow.AUCTION)
    ends = np.append(heads[1:], len(tape))[: len(heads)]
    found = [(tape[a], tape[a + 1 : b]) for a, b in zip(heads, ends, strict=True) if chip < 0 or tape.chip[a] == chip]
    found.sort(key=lambda pair: (-pair[0].forced, -float(pair[0].units * pair[0].appraisal)))
    return [_auction(head, rows, chips, names, when) for head, rows in found[:40]]


def demand_curve(bids: Rows, least: float) -> list[list[float]]:
    """Return [units, USD/GPU] along the demand of bidders with budgets, from the highest bid down to ``least``.

    D(p) = sum over bids with limit >= p of min(units that power takes, money / p): it steps at every limit, and
    grows between them, because the same money buys more.
    """
    if len(bids) == 0:
        return []
    top = float(bids.price.max())
    grid = np.linspace(max(least, 0.02 * top), top, 40)
    points: list[list[float]] = []
    for price in np.unique(np.concatenate([grid, bids.price[bids.price >= grid[0]]]))[::-1]:
        wanted = np.minimum(bids.units, bids.money / price)
        for taking in (bids.price > price, bids.price >= price):
            point = [round(float(wanted[taking].sum()), 1), round(float(price))]
            if not points or points[-1] != point:
                points.append(point)
    return points


def _auction(head: Any, rows: Rows, chips: list[str], names: dict[int, str], when: str) -> dict[str, Any]:
    who = names.get(int(head.node), "all sellers") if head.node >= 0 else "all sellers on the exchange"
    sold = f"{count(head.filled)} sold at {usd(head.price)}" if head.filled >= 0.5 else "none sold"
    bids = rows[rows.kind == TapeRow.BID]
    asks = rows[rows.kind == TapeRow.ASK]
    bids, asks = bids[np.argsort(-bids.price, kind="stable")], asks[np.argsort(asks.price, kind="stable")]
    counts = [{"t": "bid", "n": len(bids), "bid": True}]
    counts += [{"t": text, "n": int((rows.kind == kind).sum()), "bid": False} for kind, text in _ABSENT]

    def order(row: Any) -> list[Any]:
        units = min(row.units, row.money / row.price) if row.kind == TapeRow.BID else row.units
        return [
            names.get(int(row.node), ""),
            round(float(units), 1),
            round(float(row.price)),
            round(float(row.filled), 1),
        ]

    return {
        "title": f"{who[0].upper() + who[1:]}: {count(head.units)} {chips[head.chip]} offered, {sold}",
        "when": f"{when}{'' if head.forced else ', voluntary'}"
        + (f"; {share(abs(head.price / head.fundamental - 1))} {'below' if head.price < head.fundamental else 'above'} value in use" if head.filled >= 0.5 and head.fundamental > 0 else ""),
        "price": round(float(head.price)), "offered": round(float(head.units), 1), "sold": round(float(head.filled), 1),
        "fundamental": round(float(head.fundamental)), "appraisal": round(float(head.appraisal)), "reached": int(head.reached),
        "demand": demand_curve(bids, 0.25 * float(head.price)),
        "bids": [order(row) for row in bids], "asks": [order(row) for row in asks],
        "counts": [c for c in counts if c["n"] or c["bid"]],
    }  # fmt: skip
