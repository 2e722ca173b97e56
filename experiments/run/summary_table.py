"""The summary of a run on the terminal, as a credit analyst would set it out."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from simulation.scenario.walking import parameters
from simulation.words import calendar, months, percent, price, usd


class Row(NamedTuple):
    """One line: the measure ``name`` of ``result.summary``, shown as ``form`` (a key of :data:`FORMS`)."""

    label: str
    name: str
    form: str


#: Sections of the table. A measure that is a dict (defaults by cause) takes a line for each of its keys.
SECTIONS: tuple[tuple[str, tuple[Row, ...]], ...] = (
    (
        "Defaults",
        (
            Row("Operators in default", "defaults", "count"),
            Row("  neoclouds", "defaults_neocloud", "count"),
            Row("  miners", "defaults_miner", "count"),
            Row("  by cause: {}", "defaults_by_cause", "count"),
            Row("Lenders failed", "lender_failures", "count"),
            Row("Deposits and fund units withdrawn", "withdrawn", "usd"),
        ),
    ),
    (
        "Losses",
        (
            Row("Peak of GPU-backed debt", "debt_peak", "usd"),
            Row("Credit losses", "losses", "usd"),
            Row("Losses over peak debt", "loss_share", "percent"),
            Row("Recovery on defaulted claims", "recovery", "percent"),
            Row("Loss given default", "lgd", "percent"),
            Row("Debt defaulting within 3 months, worst", "worst_bust_share", "percent"),
            Row("  worst month", "worst_month", "date"),
            Row("Systemic cascade", "systemic", "flag"),
        ),
    ),
    (
        "Cascades",
        (
            Row("Number of cascades", "cascades", "count"),
            Row("Defaults in a cascade, mean", "cascade_mean", "number"),
            Row("Defaults in the largest", "cascade_max", "count"),
            Row("Longest chain of causes", "cascade_depth", "number"),
            Row("Defaults caused by an earlier one", "branching", "percent"),
            Row("Rounds in the worst month", "turns_max", "count"),
            Row("Losses over those without cascades", "amplification", "times"),
        ),
    ),
    (
        "Market for used GPUs",
        (
            Row("Fire-sale discount, worst month", "discount_worst", "percent"),
            Row("Fire-sale discount, mean", "discount_mean", "percent"),
            Row("Depth before", "depth_before", "usd"),
            Row("Depth at the worst", "depth_worst", "usd"),
            Row("Fall of depth", "depth_fall", "percent"),
            Row("Hardware without a buyer, peak", "unsold_peak", "usd"),
            Row("Used GPU at the end (reference)", "price_end", "usd"),
            Row("Rent of an H100-hour at the end", "rent_end", "price"),
        ),
    ),
    (
        "Collateral",
        (
            Row("Booked LTV before", "booked_ltv_before", "percent"),
            Row("Executable LTV before", "executable_ltv_before", "percent"),
            Row("Booked LTV at the worst", "booked_ltv_worst", "percent"),
            Row("Executable LTV at the worst", "executable_ltv_worst", "percent"),
            Row("Booked over executable value, peak", "illusion_peak", "times"),
        ),
    ),
    (
        "Credit and compute",
        (
            Row("Peak of new credit", "credit_peak", "date"),
            Row("Peak of running compute", "compute_peak", "date"),
            Row("Credit leads compute by", "lead", "months"),
        ),
    ),
)


def print_summary(result: Any, twin: Any = None, console: Console | None = None) -> None:
    """Print the measures of a run; with a twin, both side by side and the twin less the run.

    A measure that the run does not have is shown as "-".
    """
    console = console or Console()
    start = result.scenario.run.start
    title = (
        f"{result.scenario.title}: {result.scenario.run.months} months from {calendar(start, 0)}, seed {result.seed}"
    )
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    table.add_column("", no_wrap=True)
    table.add_column("run" if twin is not None else "", justify="right", no_wrap=True)
    if twin is not None:
        table.add_column("twin", justify="right", no_wrap=True)
        table.add_column("change", justify="right", no_wrap=True)
    for heading, rows in SECTIONS:
        table.add_row(f"[bold]{heading}[/bold]")
        for label, form, ours, theirs in _lines(rows, result.summary, {} if twin is None else twin.summary):
            cells = [_cell(ours, form, start)]
            if twin is not None:
                cells += [_cell(theirs, form, twin.scenario.run.start), _difference(ours, theirs, form)]
            table.add_row(f"  {label}", *cells)
    console.print(table)
    if twin is not None:
        console.print("The twin has the same draws and:")
        for change in changes(result.scenario, twin.scenario):
            console.print(f"  {change}", markup=False, highlight=False)


def changes(scenario: Any, other: Any) -> list[str]:
    """Return "path: value -> value" for every parameter in which two scenarios differ."""
    before, after = ({path: value for path, value, _ in parameters(s)} for s in (scenario, other))
    return [
        f"{path}: {_plain(before.get(path))} -> {_plain(after.get(path))}"
        for path in dict.fromkeys([*before, *after])
        if before.get(path) != after.get(path)
    ]


def _lines(rows: tuple[Row, ...], ours: dict, theirs: dict) -> list[tuple[str, str, Any, Any]]:
    """Return (label, form, value, twin's value) of each line of a section."""
    lines = []
    for label, name, form in rows:
        mine, its = ours.get(name), theirs.get(name)
        if "{}" not in label:
            lines.append((label, form, mine, its))
            continue
        mine, its = mine or {}, its or {}
        for key in dict.fromkeys([*mine, *its]):
            if mine.get(key) or its.get(key):
                lines.append((label.format(str(key).replace("_", " ")), form, mine.get(key, 0), its.get(key, 0)))
    return lines


def _cell(value: Any, form: str, start: str) -> str:
    if value == math.inf:
        return "infinite"
    if not _known(value) or form == "date" and value < 0:
        return "-"
    return calendar(start, value) if form == "date" else FORMS[form](value)


def _difference(ours: Any, theirs: Any, form: str) -> str:
    """Return the twin's value less the run's, with a sign; points (pts) for percentages, months for dates."""
    if not _known(ours) or not _known(theirs) or form == "flag" or form == "date" and min(ours, theirs) < 0:
        return ""
    gap = theirs - ours
    sign = "+" if gap > 0 else ""
    if form == "percent":
        return f"{sign}{100 * gap:.1f} pts"
    return sign + (months(gap) if form == "date" else FORMS[form](gap))


def _known(value: Any) -> bool:
    return value is not None and math.isfinite(value)


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


# --- numbers for people -------------------------------------------------------------------------------------------


FORMS: dict[str, Callable[[float], str]] = {
    "usd": usd,
    "price": price,
    "percent": percent,
    "months": months,
    "count": lambda value: f"{value:,.0f}",
    "number": lambda value: f"{value:,.2f}",
    "times": lambda value: f"{value:.2f} x",
    "flag": lambda value: "yes" if value else "no",
    "date": str,
}
