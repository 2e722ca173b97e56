"""The report of a run: one self-contained HTML file, made from a ``Result`` and the figures beside it."""

from __future__ import annotations

import importlib.metadata
import math
import platform
import re
import shlex
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jinja2 import Environment
from markupsafe import Markup

from agents.tables.ledger import ITEM_PAYEE, ITEM_PAYER, SECTORS
from experiments.run.figures import all as figures
from experiments.run.figures import style
from experiments.run.summary_table import FORMS, SECTIONS, changes
from simulation.record.summary import SUMMARY
from simulation.scenario.declare import said
from simulation.scenario.walking import declared, parameters
from simulation.words import calendar, months, percent, usd
from simulation.world.build import build_world

_PACKAGES = ("numpy", "numba", "mesa", "pandas", "matplotlib")


#: Sales that the owner did not choose.
_FORCED = ("seized", "margin_call", "arrears", "estate", "imposed")


def write_report(folder: Path | str, result: Any) -> Path:
    """Write ``report.html`` to ``folder`` and return it; figures that are not there yet are drawn first."""
    folder = Path(folder)
    if not all((folder / "figures" / f"{drawing.name}.svg").exists() for drawing in figures.DRAWINGS):
        figures.write_figures(folder, result)
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    page = environment.from_string(TEMPLATE).render(
        title=result.scenario.title,
        subtitle=_subtitle(result),
        cards=cards(result),
        story=story(result),
        twin=_twin_changes(result),
        timeline=timeline(result),
        drawings=[(d, _inline(folder / "figures" / f"{d.name}.svg", d.title)) for d in figures.DRAWINGS],
        flow=_flow_table(result),
        summary=summary_rows(result),
        parameters=changed_parameters(result.scenario),
        command=_command(result),
        versions=_versions(result),
        colors=_colors(),
    )
    file = folder / "report.html"
    file.write_text(page, encoding="utf-8")
    return file


# --- figures in the page --------------------------------------------------------------------------------------------


def _inline(file: Path, title: str) -> Markup:
    """Return an SVG for the page: no prologue or metadata, colours as variables of the page, width by the page."""
    text = file.read_text(encoding="utf-8")
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.S)
    text = re.sub(r' xmlns(:xlink)?="[^"]*"', "", text)
    for color in style.DARK:
        text = text.replace(color, f"var(--c{color[1:]})")
    found = re.search(r'width="([\d.]+)pt"', text)
    if found is None:
        raise ValueError(f"{file}: an SVG without a width in points")
    width = float(found[1])
    text = re.sub(
        r'<svg [^>]*?viewBox="([^"]*)"[^>]*>', rf'<svg viewBox="\1" role="img" aria-label="{title}">', text, count=1
    )
    return Markup(
        f'<div class="scroll"><div style="min-width:{0.9 * width:.0f}px;max-width:{1.6 * width:.0f}px">{text}</div></div>'
    )


def _colors() -> tuple[str, str]:
    """Return the CSS variables of the figures' colours, light and dark."""
    light = "".join(f"--c{c[1:]}:{c};" for c in style.DARK)
    dark = "".join(f"--c{c[1:]}:{d};" for c, d in style.DARK.items())
    return Markup(light), Markup(dark)


# --- words ----------------------------------------------------------------------------------------------------------


def _show(value: Any, form: str, start: str) -> str:
    if value is None:
        return "–"
    if value == math.inf:
        return "infinite"
    if not math.isfinite(value) or (form == "date" and value < 0):
        return "–"
    return calendar(start, value) if form == "date" else FORMS[form](value)


def _plural(n: float, one: str, many: str = "") -> str:
    return f"{n:,.0f} {one if round(n) == 1 else many or one + 's'}"


def _signed(share: float) -> str:
    return f"{100 * share:+.0f} %".replace("-", "−")


def _and(parts: Iterable[str]) -> str:
    parts = list(parts)
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1] if parts else ""


def _words(code: Any) -> str:
    word = str(code).replace("_", " ")
    return {"ltv": "LTV", "dscr": "DSCR"}.get(word, word)


def _subtitle(result: Any) -> str:
    start, n = result.scenario.run.start, int(result.summary["months"])
    world = result.world
    kinds = world.operators.kind
    return (
        f"{calendar(start, 0)} to {calendar(start, max(0, n - 1))}, {months(n)} · seed {result.seed} · {len(world.lenders) - 1} lenders, "
        f"{int((kinds == 1).sum())} miners, {int((kinds == 0).sum())} neoclouds, {len(world.buyers) - 1} buyers"
    )


class Card(NamedTuple):
    """A headline number; ``twin`` is the twin's, empty without one."""

    label: str
    value: str
    note: str
    twin: str


def cards(result: Any) -> list[Card]:
    """Return the headline numbers."""
    start = result.scenario.run.start

    def card(label: str, name: str, form: str, note: Any) -> Card:
        twin = "" if result.twin is None else _show(result.twin.summary[name], form, start)
        return Card(label, _show(result.summary[name], form, start), note, twin)

    s = result.summary
    kinds = f"{_plural(s['defaults_neocloud'], 'neocloud')}, {_plural(s['defaults_miner'], 'miner')}"
    worst = calendar(start, s["worst_month"]) if s["worst_month"] >= 0 else ""
    return [
        card("Operators in default", "defaults", "count", kinds),
        card("Lenders failed", "lender_failures", "count", f"{usd(s['withdrawn'])} of funding withdrawn"),
        card("Debt defaulting within 3 months", "worst_bust_share", "percent", f"{worst}, {'systemic' if s['systemic'] else 'not systemic'}" if worst else "none"),
        card("Credit losses", "losses", "usd", f"{percent(s['loss_share'])} of peak debt {usd(s['debt_all_peak'])}"),
        card("Recovery", "recovery", "percent", "on defaulted claims"),
        card("Largest cascade", "cascade_max", "count", f"{_plural(s['cascades'], 'cascade')}, chain of {s['cascade_depth']}"),
        card("Fire-sale discount, worst", "discount_worst", "percent", f"to value in use; {usd(s['forced_usd'])} sold by force"),
        card("Market depth, fall", "depth_fall", "percent", f"{usd(s['depth_before'])} to {usd(s['depth_worst'])}"),
        card("Executable LTV before", "executable_ltv_before", "percent", f"booked {percent(s['booked_ltv_before'])}"),
        card("Amplification", "amplification", "times", "losses over those with prices and funding frozen"),
        card("Credit leads compute by", "lead", "months", f"credit peaked in {calendar(start, s['credit_peak'])}"),
        card("H100-hour at the end", "rent_end", "price", f"from ${result.panel['rent'].iloc[0]:.2f}"),
    ]  # fmt: skip


def story(result: Any) -> list[str]:
    """Return the run in a few sentences, every number from the result."""
    s, panel, start = result.summary, result.panel, result.scenario.run.start
    first, last = panel.iloc[0], panel.iloc[-1]
    grown = panel["debt"].max() - first["debt"]
    opening = (
        f"GPU-backed debt {'grew from ' + usd(first['debt']) + ' to a peak of ' + usd(s['debt_peak']) if grown > 1 else 'stood at ' + usd(first['debt'])}"
        f"{' in ' + calendar(start, int(panel['debt'].argmax())) if grown > 1 else ''}; the rent of an H100-hour went from "
        f"${first['rent']:.2f} to ${last['rent']:.2f}, with a low of ${panel['rent'].min():.2f} in {calendar(start, int(panel['rent'].argmin()))}."
    )
    if s["lead"] > 0:
        opening += f" New credit peaked in {calendar(start, s['credit_peak'])}, {months(s['lead'])} before running compute did."
    paragraphs = [opening]
    events, trades = result.events, result.trades
    falls = events[events["kind"].isin(["default", "lender_failure"])]
    if falls.empty:
        quiet = "No operator defaulted and no lender failed."
        calls = int(s["margin_calls"])
        quiet += f" Lenders made {_plural(calls, 'margin call')}, all of them survived." if calls else ""
        paragraphs.append(quiet)
    else:
        one = falls.iloc[0]
        verb = "defaulted on" if one["kind"] == "default" else "failed with losses of"
        text = f"The first to fall was {one['node_name']} in {calendar(start, one['month'])}: it {verb} {usd(one['usd'])} ({_words(one['cause'])}). "
        causes = {k: v for k, v in s["defaults_by_cause"].items() if v}
        named = _and(f"{v} by {_words(k)}" for k, v in sorted(causes.items(), key=lambda item: -item[1]))
        text += (
            f"In all {_plural(s['defaults'], 'operator')} defaulted ({named})"
            if s["defaults"]
            else "No operator defaulted"
        )
        text += (
            f" and {_plural(s['lender_failures'], 'lender')} failed." if s["lender_failures"] else "; no lender failed."
        )
        if s["worst_month"] >= 0:
            text += f" The worst three months ended in {calendar(start, s['worst_month'])}, when {percent(s['worst_bust_share'])} of debt defaulted"
            text += ": a systemic cascade." if s["systemic"] else ", short of the 15 % that count as systemic."
        if s["cascade_max"] > 1:
            text += f" The largest cascade took down {s['cascade_max']} agents over {_plural(s['cascade_depth'] + 1, 'generation')}."
        paragraphs.append(text)
    forced = trades[trades["reason"].isin(_FORCED)]
    if len(forced):
        text = f"Forced sellers sold {_plural(forced['units'].sum(), 'GPU')} for {usd(s['forced_usd'])}, {_signed(s['discount_mean'])} to value in use"
        worst = int(panel["forced_usd"].argmax())
        text += f"; the busiest month was {calendar(start, worst)} with {usd(panel['forced_usd'].iloc[worst])}."
        if s["unsold_peak"] > 0:
            text += f" At the worst, hardware appraised at {usd(s['unsold_peak'])} found no buyer."
        if s["executable_ltv_before"] > 0:
            text += (
                f" Three months before the worst, debt stood at {percent(s['booked_ltv_before'])} of the collateral's booked value and at "
                f"{percent(s['executable_ltv_before'])} of what the bids would have paid for all of it at once."
            )
        paragraphs.append(text)
    losses = f"Creditors lost {usd(s['losses'])}" + (
        f" and recovered {percent(s['recovery'])} of defaulted claims" if math.isfinite(s["recovery"]) else ""
    )
    if math.isfinite(s["amplification"]):
        losses += (
            f"; with prices and funding frozen the same draws lose {percent(1 / s['amplification'])} of that"
            if s["amplification"] > 0
            else ""
        )
    if s["losses"] >= 1.0:
        paragraphs.append(losses + ".")
    return paragraphs


def _twin_changes(result: Any) -> list[str]:
    return [] if result.twin is None else changes(result.scenario, result.twin.scenario)


# --- month by month -------------------------------------------------------------------------------------------------


def timeline(result: Any) -> list[tuple[str, list[str], bool]]:
    """Return (month, sentences, whether something fell) of every month in which something important happened."""
    panel, start = result.panel, result.scenario.run.start
    events = dict(tuple(result.events.groupby("month")))
    forced = result.trades[result.trades["reason"].isin(_FORCED)]
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
        named = [f"{e.node_name} defaulted on {usd(e.usd)} ({_words(e.cause)})" for e in _rows(falls.head(3))]
        rest = falls.iloc[3:]
        if len(rest):
            named.append(f"{_plural(len(rest), 'other')} on {usd(rest['usd'].sum())}")
        lines.append(_and(named) + ".")
    for e in _rows(events[events["kind"] == "lender_failure"]):
        lines.append(f"{e.node_name} failed ({_words(e.cause)})" + (f", {usd(e.usd)}." if e.usd >= 1.0 else "."))
    seized = events[(events["kind"] == "seizure") & (events["units"] > 0)]
    if len(seized):
        total = seized.groupby("node_name")["units"].sum().sort_values(ascending=False, kind="stable")
        mix = seized.groupby("chip")["units"].sum().sort_values(ascending=False, kind="stable")
        what = ", ".join(f"{units:,.0f} {chips[chip]}" for chip, units in _items(mix.head(2)) if chip >= 0)
        who = total.index[0] if len(total) == 1 else f"{total.index[0]} and {_plural(len(total) - 1, 'other lender')}"
        lines.append(
            f"{who} seized {_plural(total.sum(), 'GPU')}"
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
    against = f", {_signed(price / worth - 1)} to value in use" if worth > 0 else ""
    bidders = main["buyer"].nunique()
    text = f"{bidders} of {n_buyers} bidders took {units:,.0f} {chips[chip]} from forced sellers; they cleared at {usd(price)}{against}"
    if len(by_chip) > 1:
        text += f" (all generations: {usd(value.sum())})"
    if row.unsold_usd >= 1.0:
        text += f"; {_plural(row.unsold_units, 'GPU')} worth {usd(row.unsold_usd)} at the appraisal found no buyer"
    return [text + "."]


def _call_lines(events: pd.DataFrame, row: Any, fell: bool) -> list[str]:
    """Return sentences on calls and runs: the large ones, or all in a month in which something else happened."""
    lines = []
    calls = events[events["kind"] == "margin_call"]
    if len(calls) >= (1 if fell else 5):
        lines.append(
            f"{_plural(len(calls), 'margin call')} on {_plural(calls['node'].nunique(), 'borrower')} ({usd(calls['usd'].sum())})."
        )
    words = {
        "coin_call": "call on coin-backed loans", "funding_call": "funding call", "withdrawn_line": "warehouse line withdrawn", "run": "run on a lender",
        "order_cancelled": "purchase order cancelled",
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
            }.get(kind, many)
            amount = f" ({usd(some['usd'].sum())})" if some["usd"].sum() >= 1.0 else ""
            lines.append(f"{len(some)} {text if len(some) == 1 else many}{amount}.")
    if row.withdrawn >= 1e6 and (events["kind"] == "run").any():
        lines.append(f"{usd(row.withdrawn)} of deposits and fund units left.")
    return lines


# --- tables ---------------------------------------------------------------------------------------------------------


def flow_of_funds(result: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the matrix of payments (payer x payee, USD over the run) and how it closes.

    The second table has a row for each sector that holds cash: opening cash, inflow, outflow, closing cash and the
    residual, which is closing less opening cash less inflow plus outflow.
    """
    totals = result.flows.sum().to_numpy()
    matrix = np.zeros((len(SECTORS), len(SECTORS)))
    np.add.at(matrix, (ITEM_PAYER, ITEM_PAYEE), totals)
    opening, closing = build_world(result.scenario, result.seed, result.replication), result.world
    rows = []
    for k, (before, after) in enumerate(
        (
            (opening.lenders.cash, closing.lenders.cash),
            (opening.operators.cash, closing.operators.cash),
            (opening.buyers.budget, closing.buyers.budget),
        )
    ):
        first, last, inflow, outflow = (
            float(before.sum()),
            float(after.sum()),
            float(matrix[:, k].sum()),
            float(matrix[k].sum()),
        )
        rows.append((first, inflow, outflow, last, last - first - inflow + outflow))
    columns = ["opening", "inflow", "outflow", "closing", "residual"]
    return pd.DataFrame(matrix, SECTORS, SECTORS), pd.DataFrame(rows, SECTORS[:3], columns)


def _flow_table(result: Any) -> dict[str, Any]:
    matrix, closing = flow_of_funds(result)

    def cell(value: float) -> str:
        return usd(value) if abs(value) >= 0.5 else "·"

    payers = [name for name in SECTORS if matrix.loc[name].sum() > 0]
    payees = [name for name in SECTORS if matrix[name].sum() > 0]
    rows = [
        (name, [cell(float(matrix[to][name])) for to in payees], cell(matrix.loc[name].to_numpy().sum()))
        for name in payers
    ]
    sums = [cell(matrix[to].sum()) for to in payees]
    close = [
        (name, [usd(v) for v in row[:-1]], f"${row[-1] + 0.0:,.2f}".replace("$-0.00", "$0.00"))
        for name, row in zip(closing.index, closing.to_numpy(), strict=True)
    ]
    return {"payees": payees, "rows": rows, "sums": sums, "total": cell(matrix.to_numpy().sum()), "closing": close}


def summary_rows(result: Any) -> list[tuple[str, str, str, str, str]]:
    """Return (measure, value, twin's value, unit, meaning) of every measure of the summary."""
    start = result.scenario.run.start
    forms = {row.name: row.form for _, rows in SECTIONS for row in rows}

    def text(summary: dict[str, Any], name: str, unit: str) -> str:
        value = summary.get(name)
        if isinstance(value, dict):
            return ", ".join(f"{_words(k)} {v}" for k, v in value.items() if v) or "–"
        form = forms.get(name) or ("usd" if unit == "USD" else "percent" if unit == "ratio" else "count")
        return _show(value, form, start)

    return [
        (m.name.replace("_", " "), text(result.summary, m.name, m.unit),
         "" if result.twin is None else text(result.twin.summary, m.name, m.unit), m.unit, m.meaning)
        for m in SUMMARY
    ]  # fmt: skip


def changed_parameters(scenario: Any) -> list[tuple[str, str, str, str, str]]:
    """Return (path, value, default, unit, meaning) of the parameters that differ from their defaults.

    A chip is a row of its own: all its values are given by the scenario.
    """
    defaults = {path: default for path, default, _ in declared()}
    rows = []
    for path, value, field in parameters(scenario):
        general = re.sub(r"^chips\.[^.]+\.", "chips[].", path)
        default = defaults.get(general)
        if value == default or general == "chips[].name" or path == "title":
            continue
        shown = "given" if default is ... else _value(default)
        rows.append((path, _value(value), shown, said(field, "unit"), field.description or ""))
    return rows


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float | int):
        return f"{value:,.6g}" if abs(value) < 1e6 else f"{value:,.4g}"
    if isinstance(value, tuple | list):
        return " – ".join(_value(v) for v in value)
    return str(value)


def _command(result: Any) -> str:
    """Return the command that was typed if this is a run of the command line, else Python that repeats the run."""
    if Path(sys.argv[0]).stem == "firesale" and sys.argv[1:2] == ["run"]:
        return shlex.join(["firesale", *sys.argv[1:]])
    replication = f", replication={result.replication}" if result.replication else ""
    return f'from simulation import load_scenario, run\nresult = run(load_scenario("config.yaml"), seed={result.seed}{replication})'


def _versions(result: Any) -> str:
    named = [f"gpu-firesale {importlib.metadata.version('gpu-firesale')}", f"Python {platform.python_version()}"]
    return ", ".join([*named, *(f"{name} {importlib.metadata.version(name)}" for name in _PACKAGES)])


TEMPLATE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{{ title }}</title>
<style>
:root { --page:#f4f5f7; --card:#fefefe; --ink:#1c2430; --muted:#5c6675; --line:#dfe3e8; --accent:#0072b2; --bad:#b84a00; {{ colors[0] }} }
@media (prefers-color-scheme: dark) {
  :root { --page:#10151c; --card:#181e27; --ink:#e6eaf0; --muted:#98a3b3; --line:#333c49; --accent:#4da6e0; --bad:#f07b34; {{ colors[1] }} }
}
* { box-sizing:border-box; }
body { margin:0; background:var(--page); color:var(--ink); font:16px/1.55 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
main { max-width:1200px; margin:0 auto; padding:2rem 1.25rem 4rem; }
h1 { font-size:1.9rem; line-height:1.2; margin:0 0 .3rem; } h2 { font-size:1.3rem; margin:2.6rem 0 .7rem; } h3 { font-size:1.05rem; margin:0 0 .2rem; }
p { margin:.5rem 0; max-width:105ch; } .muted, figcaption, .note { color:var(--muted); }
nav { font-size:.9rem; margin-top:.8rem; } nav a { color:var(--accent); margin-right:1rem; text-decoration:none; white-space:nowrap; }
.cards { display:grid; grid-template-columns:repeat(auto-fill, minmax(250px, 1fr)); gap:.75rem; margin:1.6rem 0; }
.card { background:var(--card); border:1px solid var(--line); border-radius:10px; padding:.8rem 1rem; }
.card .label { font-size:.82rem; color:var(--muted); } .card .value { font-size:1.65rem; font-weight:650; line-height:1.25; font-variant-numeric:tabular-nums; }
.card .note { font-size:.8rem; line-height:1.35; } .card .twin { font-size:.85rem; color:var(--accent); }
.panel, figure { background:var(--card); border:1px solid var(--line); border-radius:10px; padding:1rem 1.1rem; margin:0 0 1.1rem; }
figcaption { font-size:.9rem; max-width:85ch; margin-bottom:.6rem; }
.scroll { overflow-x:auto; } svg { display:block; width:100%; height:auto; }
table { border-collapse:collapse; width:100%; font-size:.88rem; } th { text-align:left; font-weight:600; color:var(--muted); }
th, td { padding:.32rem .6rem .32rem 0; border-bottom:1px solid var(--line); vertical-align:top; }
.num { text-align:right; font-variant-numeric:tabular-nums; white-space:nowrap; } th.num { white-space:normal; }
.sum td, td.sum, th.sum { font-weight:650; } .when { white-space:nowrap; font-weight:600; } tr.fell .when { color:var(--bad); }
.flow td, .flow th { font-size:.8rem; padding-right:.5rem; } td ul { margin:0; padding:0; list-style:none; } .path { font-family:ui-monospace, "DejaVu Sans Mono", monospace; font-size:.8rem; }
details > summary { cursor:pointer; color:var(--accent); padding:.2rem 0; } pre { overflow-x:auto; background:var(--page); padding:.8rem 1rem; border-radius:8px; font-size:.85rem; }
@media (max-width:640px) {
  main { padding:1.2rem .8rem 3rem; } h1 { font-size:1.5rem; } .cards { grid-template-columns:1fr 1fr; gap:.5rem; }
  .card { padding:.6rem .7rem; } .card .value { font-size:1.3rem; } .panel, figure { padding:.8rem; }
  .timeline thead { display:none; } .timeline td, .timeline th { display:block; border:0; padding:.1rem 0; } .timeline tr { display:block; border-bottom:1px solid var(--line); padding:.4rem 0; }
}
@media print { body { background:none; } figure, .card { break-inside:avoid; } }
</style>
</head>
<body>
<main>
<header>
<h1>{{ title }}</h1>
<div class="muted">{{ subtitle }}</div>
<nav><a href="#happened">What happened</a><a href="#timeline">Month by month</a><a href="#figures">Figures</a><a href="#flows">Flow of funds</a>
<a href="#summary">All measures</a><a href="#parameters">Parameters</a><a href="#repeat">Repeat it</a></nav>
</header>
<section class="cards" aria-label="Headline numbers">
{% for card in cards %}
<div class="card"><div class="label">{{ card.label }}</div><div class="value">{{ card.value }}</div><div class="note">{{ card.note }}</div>
{%- if card.twin %}<div class="twin">twin: {{ card.twin }}</div>{% endif %}</div>
{% endfor %}
</section>
<section id="happened"><h2>What happened</h2>
<div class="panel">
{% for paragraph in story %}
<p>{{ paragraph }}</p>
{% endfor %}
{% if twin %}
<p><strong>The twin</strong> ran on the same draws with <span class="path">{{ twin | join("; ") }}</span>. Its lines are dashed in the figures.</p>
{% endif %}
</div></section>
<section id="timeline"><h2>Month by month</h2>
<div class="panel">
{% if timeline %}
<table class="timeline"><thead><tr><th>Month</th><th>Events</th></tr></thead><tbody>
{% for when, lines, fell in timeline %}
<tr{% if fell %} class="fell"{% endif %}><td class="when">{{ when }}</td><td><ul>{% for line in lines %}<li>{{ line }}</li>{% endfor %}</ul></td></tr>
{% endfor %}
</tbody></table>
<p class="note">Months without a default, failure, forced sale, run, cancellation, five margin calls or a turning point are left out.</p>
{% else %}
<p>Nothing out of the ordinary happened in any month.</p>
{% endif %}
</div></section>
<section id="figures"><h2>Figures</h2>
{% for drawing, svg in drawings %}
<figure><h3>{{ drawing.title }}</h3><figcaption>{{ drawing.caption }}</figcaption>{{ svg }}</figure>
{% endfor %}
</section>
<section id="flows"><h2>Flow of funds</h2>
<div class="panel">
<p class="note">Payments of the whole run in USD, from the sector of the row to the sector of the column. Lenders, operators and buyers hold cash in the model;
the other sectors close the accounts.</p>
<div class="scroll"><table class="flow"><thead><tr><th>from \\ to</th>{% for name in flow.payees %}<th class="num">{{ name }}</th>{% endfor %}<th class="num sum">paid</th></tr></thead><tbody>
{% for name, cells, total in flow.rows %}
<tr><th>{{ name }}</th>{% for cell in cells %}<td class="num">{{ cell }}</td>{% endfor %}<td class="num sum">{{ total }}</td></tr>
{% endfor %}
<tr class="sum"><th>received</th>{% for cell in flow.sums %}<td class="num">{{ cell }}</td>{% endfor %}<td class="num">{{ flow.total }}</td></tr>
</tbody></table></div>
<h3 style="margin-top:1.4rem">It closes</h3>
<div class="scroll"><table class="flow"><thead><tr><th>sector</th><th class="num">opening cash</th><th class="num">+ received</th><th class="num">− paid</th><th class="num">= closing cash</th><th class="num">residual</th></tr></thead><tbody>
{% for name, cells, residual in flow.closing %}
<tr><th>{{ name }}</th>{% for cell in cells %}<td class="num">{{ cell }}</td>{% endfor %}<td class="num sum">{{ residual }}</td></tr>
{% endfor %}
</tbody></table></div>
<p class="note">The residual is closing cash less what opening cash and payments explain; cents are rounding of sums of billions.</p>
</div></section>
<section id="summary"><h2>All measures</h2>
<div class="panel scroll"><table><thead><tr><th>Measure</th><th class="num">Value</th>{% if twin %}<th class="num">Twin</th>{% endif %}<th style="padding-left:1.2rem">Unit</th><th>Meaning</th></tr></thead><tbody>
{% for name, value, other, unit, meaning in summary %}
<tr><td>{{ name }}</td><td class="num">{{ value }}</td>{% if twin %}<td class="num">{{ other }}</td>{% endif %}<td class="muted" style="padding-left:1.2rem">{{ unit }}</td><td class="muted">{{ meaning }}</td></tr>
{% endfor %}
</tbody></table></div></section>
<section id="parameters"><h2>Parameters that differ from their defaults</h2>
<div class="panel">
{% if parameters %}
<details><summary>{{ parameters | length }} values set by the scenario</summary>
<div class="scroll"><table><thead><tr><th>Parameter</th><th class="num">Value</th><th class="num">Default</th><th style="padding-left:1.2rem">Unit</th><th>Meaning</th></tr></thead><tbody>
{% for path, value, default, unit, meaning in parameters %}
<tr><td class="path">{{ path }}</td><td class="num">{{ value }}</td><td class="num muted">{{ default }}</td><td class="muted" style="padding-left:1.2rem">{{ unit }}</td><td class="muted">{{ meaning }}</td></tr>
{% endfor %}
</tbody></table></div></details>
{% else %}
<p>None: every parameter has its default.</p>
{% endif %}
</div></section>
<section id="repeat"><h2>Repeat it</h2>
<div class="panel"><pre>{{ command }}</pre>
<p class="note">The same scenario and seed give the same bytes. The resolved scenario is config.yaml beside this report. {{ versions }}.</p></div></section>
</main>
</body>
</html>
"""
