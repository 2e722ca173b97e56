"""A run month by month, in sentences: what turned, who fell, what was sold by force, who was called."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from experiments.run.wording import code_words, joined, plural, signed_share
from simulation.words import calendar, usd

#: Sales that the owner did not choose.
FORCED = ("seized", "margin_call", "arrears", "estate", "imposed")


def timeline(result: Any) -> list[tuple[str, list[str], bool]]:
    """Return (month, sentences, whether something fell) of every month in which something important happened."""
    panel, start = result.panel, result.scenario.run.start
    events = dict(tuple(result.events.groupby("month")))
    forced = result.trades[result.trades["reason"].isin(FORCED)]
    trades = dict(tuple(forced.groupby("month")))
    chips = [chip.name for chip in result.scenario.chips]
    n_buyers = len(result.world.bid) - 1
    rows = []
    for row in panel.itertuples():
        m = int(row.month)
        mine = events.get(m)
        lines = _turning_points(result, panel, m)
        lines += [] if mine is None else _fall_lines(mine, chips)
        if m in trades:
            lines += _sale_lines(trades[m], chips, n_buyers, row)
        if mine is not None:
            lines += _call_lines(mine, row, fell=bool(lines))
        if lines:
            rows.append((calendar(start, m), lines, bool(row.defaults or row.lender_failures)))
    return rows


def _turning_points(result: Any, panel: pd.DataFrame, m: int) -> list[str]:
    lines = []
    for column, name in (
        ("stress_demand", "AI demand came under stress"),
        ("stress_coin", "Bitcoin came under stress"),
    ):
        if panel[column].iloc[m] and (m == 0 or not panel[column].iloc[m - 1]):
            lines.append(f"{name}.")
    s = result.summary
    if len(panel) > 1 and s["debt_peak"] > 0:
        if m == s["credit_peak"] and panel["new_credit"].sum() > 0:
            lines.append(f"New credit at its peak: {usd(panel['new_credit'].iloc[m])} this month.")
        if m == s["compute_peak"]:
            lines.append(
                f"Running compute at its peak: {panel['running'].iloc[m] / 1e3:,.0f} thousand H100 equivalents."
            )
    return lines


def _rows(frame: pd.DataFrame) -> Iterator[Any]:
    """Return the rows of a frame, columns as attributes."""
    return frame.itertuples()


def _items(series: pd.Series) -> list[tuple[int, float]]:
    """Return what a series over generations of chips holds, in its order."""
    return list(zip(series.index.tolist(), series.tolist(), strict=True))


def _fall_lines(events: pd.DataFrame, chips: list[str]) -> list[str]:
    """Return sentences on defaults, failures and seizures."""
    lines = []
    falls = events[events["kind"] == "default"].sort_values("usd", ascending=False, kind="stable")
    if len(falls):
        named = [f"{e.node_name} defaulted on {usd(e.usd)} ({code_words(e.cause)})" for e in _rows(falls.head(3))]
        rest = falls.iloc[3:]
        if len(rest):
            named.append(f"{plural(len(rest), 'other')} on {usd(rest['usd'].sum())}")
        lines.append(joined(named) + ".")
    for e in _rows(events[events["kind"] == "lender_failure"]):
        lines.append(f"{e.node_name} failed ({code_words(e.cause)})" + (f", {usd(e.usd)}." if e.usd >= 1.0 else "."))
    seized = events[(events["kind"] == "seizure") & (events["units"] > 0)]
    if len(seized):
        total = seized.groupby("node_name")["units"].sum().sort_values(ascending=False, kind="stable")
        mix = seized.groupby("chip")["units"].sum().sort_values(ascending=False, kind="stable")
        what = ", ".join(f"{units:,.0f} {chips[chip]}" for chip, units in _items(mix.head(2)) if chip >= 0)
        who = total.index[0] if len(total) == 1 else f"{total.index[0]} and {plural(len(total) - 1, 'other lender')}"
        lines.append(
            f"{who} seized {plural(total.sum(), 'GPU')}"
            + (f" ({what}{', …' if len(mix) > 2 else ''})." if what else ".")
        )
    return lines


def _sale_lines(trades: pd.DataFrame, chips: list[str], n_buyers: int, row: Any) -> list[str]:
    """Return a sentence on the forced sales of a month: who bought, at what price, and what was left."""
    value = trades["units"] * trades["price"]
    by_chip = value.groupby(trades["chip"]).sum()
    chip = int(by_chip.index.tolist()[int(by_chip.argmax())])
    main = trades[trades["chip"] == chip]
    units = main["units"].sum()
    if units < 0.5:
        return []
    price = by_chip[chip] / units
    worth = (main["units"] * main["fundamental"]).sum() / units
    against = f", {signed_share(price / worth - 1)} to value in use" if worth > 0 else ""
    bidders = main["buyer"].nunique()
    text = f"{bidders} of {n_buyers} bidders took {units:,.0f} {chips[chip]} from forced sellers; they cleared at {usd(price)}{against}"
    if len(by_chip) > 1:
        text += f" (all generations: {usd(value.sum())})"
    if row.unsold_usd >= 1.0:
        text += f"; {plural(row.unsold_units, 'GPU')} worth {usd(row.unsold_usd)} at the appraisal found no buyer"
    return [text + "."]


def _call_lines(events: pd.DataFrame, row: Any, fell: bool) -> list[str]:
    """Return sentences on calls and runs: the large ones, or all in a month in which something else happened."""
    lines = []
    calls = events[events["kind"] == "margin_call"]
    if len(calls) >= (1 if fell else 5):
        lines.append(
            f"{plural(len(calls), 'margin call')} on {plural(calls['node'].nunique(), 'borrower')} ({usd(calls['usd'].sum())})."
        )
    words = {
        "coin_call": "call on coin-backed loans", "funding_call": "funding call", "withdrawn_line": "warehouse line withdrawn", "run": "run on a lender",
        "order_cancelled": "purchase order cancelled", "waiver": "covenant waived or sweep begun", "extension": "loan extended",
        "swap": "loan swapped in part for equity", "surrender": "vehicle given up", "equity_cure": "operator saved by its owners",
    }  # fmt: skip
    for kind, text in words.items():
        some = events[events["kind"] == kind]
        if len(some):
            head, _, tail = text.partition(" ")
            many = text.replace("call", "calls", 1) if "call " in text + " " and "called" not in text else text
            many = {
                "run": "runs on lenders",
                "withdrawn_line": "warehouse lines withdrawn",
                "order_cancelled": "purchase orders cancelled",
                "waiver": "covenants waived or sweeps begun",
                "extension": "loans extended",
                "swap": "loans swapped in part for equity",
                "surrender": "vehicles given up",
                "equity_cure": "operators saved by their owners",
            }.get(kind, many)
            amount = f" ({usd(some['usd'].sum())})" if some["usd"].sum() >= 1.0 else ""
            lines.append(f"{len(some)} {text if len(some) == 1 else many}{amount}.")
    if row.withdrawn >= 1e6 and (events["kind"] == "run").any():
        lines.append(f"{usd(row.withdrawn)} of deposits and fund units left.")
    return lines
