"""Figures over the months of a run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from agents.tables.buyers import BUYER_KINDS
from agents.tables.lenders import LENDER_KINDS
from experiments.run.figures.style import (
    _TWIN,
    BLUE,
    GOLD,
    GREEN,
    INK,
    MUTED,
    ORANGE,
    PURPLE,
    RED,
    SERIES,
    _bars,
    _dollars,
    _dress,
    _empty,
    _figure,
    _label,
    _last,
    _log,
    _note,
    _plot,
    _positive,
    _runs,
)
from simulation.words import usd, usd_tick
from simulation.world.population import reference_chip

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
    _label(
        debt, [(_last(panel["debt"]), "GPU-backed", BLUE), (_last(panel["debt_miners"]), "all debt\nof miners", ORANGE)]
    )
    credit = panel["new_credit"].rolling(3, min_periods=1, center=True).mean()
    ends = ((credit, "new credit\n(3-month\nmean)", ORANGE), (panel["running"], "running\ncapacity", BLUE))
    _label(cycle, [(100 * _last(v) / max(v.max(), 1e-9), text, color) for v, text, color in ends])
    defaults = _defaults(result)
    numbers = defaults["cause"].value_counts()
    causes = [str(cause) for cause in numbers.index if numbers[cause] > 0]
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
    one = names[reference_chip(result.scenario)]
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
    _log(price, usd_tick)
    _log(rent, lambda v: f"${v:g}")
    stock.set_ylim(bottom=0)
    _label(price, ends["price"])
    _label(rent, ends["rent"])
    _label(stock, ends["stock"])
    entries = []
    for each, twin in _runs(result):
        data = each.chip_panel
        data = data[data["chip"] == one]
        for column, text, color in (
            ("fundamental", "value in use", GREEN),
            ("appraisal", "appraisal", BLUE),
            ("best_bid", "best bid", ORANGE),
        ):
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


def draw_balance(result: Any) -> Figure:
    """Assets and debt by kind of agent."""
    panel, kinds = result.panel, result.kind_panel
    groups = [kind.replace("_", " ") for kind in LENDER_KINDS[:5]] + ["neocloud", "miner", "buyers"]
    titles = (
        "Banks",
        "Private-credit funds",
        "Insurers",
        "BDCs",
        "Crypto lenders",
        "Neoclouds",
        "Miners",
        "Hardware buyers",
    )
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
            axis.set_title(
                f"{data['alive'].iloc[0]:.0f} → {data['alive'].iloc[-1]:.0f}",
                loc="right",
                size=8,
                color=MUTED,
                weight="normal",
            )
    x = 0.055
    texts = ("cash", "claims on operators", "claims on lenders", "GPUs at appraisal", "coins and rigs")
    for (_, color), text in zip(columns, texts, strict=True):
        figure.text(x, 0.968, f"■ {text}", color=color, size=8.5, va="center")
        x += 0.018 + 0.0068 * len(text)
    figure.text(x, 0.968, "▬ debt, deposits and lines owed", color=INK, size=8.5, va="center")
    figure.text(
        0.985, 0.968, "right of each title: alive, first → last month", color=MUTED, size=7.5, va="center", ha="right"
    )
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
