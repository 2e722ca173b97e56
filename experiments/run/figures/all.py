"""Figures of a run: what happened, prices, the collateral illusion, the market, the worst cascade, balance sheets.

Every figure is a matplotlib ``Figure`` made by one function of this module from a ``Result``; :func:`write_figures`
saves them all as PNG and SVG. The twin of a run is drawn in the same colours, dashed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
from matplotlib.figure import Figure

from experiments.run.figures.cascade import draw_cascade
from experiments.run.figures.months import (
    draw_balance,
    draw_illusion,
    draw_market,
    draw_overview,
    draw_prices,
    draw_service,
)
from experiments.run.figures.order_book import draw_book
from experiments.run.figures.style import STYLE


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
