"""What each panel of the page shows of a sitting: headline numbers, market, illusion, twin, agent, log, lesson."""

from __future__ import annotations

from typing import Any

import numpy as np
import solara

from agents.tables.operators import OperatorStatus
from simulation.browser import choices, series
from simulation.browser.charts import Auction, Bars, Lines, Note
from simulation.browser.graph import Graph
from simulation.browser.portrait import HEALTHY, portrait
from simulation.browser.session import Session
from simulation.browser.why import why
from simulation.scenario.lesson import Lesson
from simulation.words import calendar, count, share, signed, usd

_LOG_LINES = 60


def date_now(session: Session) -> str:
    """Return the calendar month that is running (of the last one at the end)."""
    last = len(session.world.panel) - 1
    return calendar(session.scenario.run.start, min(session.month, last))


def tiles(session: Session, chip: str) -> list[dict[str, Any]]:
    """Return the headline numbers: state of now where the step has changed it, else of the last month that closed."""
    world, g = session.world, session.chips.index(chip)
    clock, row = world.clock[0], world.panel[max(0, session.month - 1)]
    price, worth = float(world.chips.price[g]), float(world.chips.fundamental[g])
    closed = session.month > 0
    fallen = int((world.operators.status == OperatorStatus.DEFAULTED).sum())
    failed = int((world.lenders.status == 2).sum())
    debt = float(world.operators.debt.sum())
    thin = world.operators[(world.operators.status != OperatorStatus.DEFAULTED) & (world.operators.debt > 1.0)]
    below = float(thin.debt[thin.dscr < 1.0].sum() / thin.debt.sum()) if len(thin) else 0.0

    def tile(label: str, value: str, note: str, help: str, bad: bool = False) -> dict[str, Any]:
        return {"label": label, "value": value, "note": note, "help": help, "bad": bool(bad)}

    worth_note = f"{signed(price / worth - 1, 0)} to use" if worth > 0 else ""
    return [
        tile(f"{chip} price", usd(price), worth_note, "last traded price of a used unit, against its value in use to the best user", worth > 0 and price < 0.7 * worth),
        tile("H100 rent", f"${clock.rent:.2f}/h", f"{signed(clock.rent / clock.rent_before - 1)} a month" if clock.rent_before > 0 else "", "spot rent of an H100-hour"),
        tile("Bitcoin", usd(float(clock.btc)), "stress" if clock.stress_coin else "calm", "bitcoin price; whether its regime is in stress", bool(clock.stress_coin)),
        tile("Operators' debt", usd(debt), f"{share(below)} at DSCR < 1", "all debt of operators, and the part owed by those whose income does not cover debt service", below > 0.3),
        tile("Fallen", f"{fallen} of {len(world.operators)}", f"{failed} of {len(world.lenders) - 1} lenders", "operators in default and lenders that failed", fallen + failed > 0),
        tile("Booked LTV", share(row.booked_ltv) if closed else "–", "on the books", "secured debt over collateral at the lenders' marks, when the last month closed"),
        tile("Executable LTV", executable(row.executable_ltv) if closed else "–", "if all were sold", "the same debt over what the bids would pay for all collateral at once", closed and row.executable_ltv > 1.0),
        tile("Unsold", f"{count(world.chips.unsold.sum())} GPUs", f"of {count(world.chips.stock.sum())}", "units offered by force that found no buyer", world.chips.unsold.sum() > 0.5),
    ]  # fmt: skip


def executable(ltv: float) -> str:
    """Return an executable LTV: "85 %", "× 12"."""
    return share(ltv) if ltv < 3.0 else f"× {ltv:,.0f}" if ltv < 1e4 else "no bids"


# --- the log --------------------------------------------------------------------------------------------------------


def log_entries(session: Session) -> list[list[Any]]:
    """Return the last sentences: tick, when, level, text, node to look at (-1 none), its name.

    What the last press of a button brought comes first, in the order in which it happened, what weighs before what
    does not; then what was before it, the newest first.
    """
    rows: list[list[Any]] = []
    start = session.scenario.run.start
    for tick, entry in session.log[-_LOG_LINES:]:
        when = calendar(start, entry.month) + (f", round {entry.turn + 1}" if entry.turn >= 0 else "")
        node = entry.nodes[0] if entry.nodes else -1
        rows.append([tick, when, entry.level, entry.text, node, session.names.get(node, "")])
    now = [row for row in rows if row[0] > session.shown_since]
    before = sorted((row for row in rows if row[0] <= session.shown_since), key=lambda row: -row[0])
    return sorted(now, key=lambda row: row[2] == "info") + before


# --- one agent ------------------------------------------------------------------------------------------------------


def agent(session: Session, graph: Graph, node: int) -> dict[str, Any] | None:
    """Return the inspector's texts for an agent, None when nobody is picked."""
    if node < 0:
        return None
    books = portrait(session.world, node, session.chips, session.names)
    group = len(graph.members[graph.place[node]])
    told = why(session.world, node, session.chips, session.names, session.scenario.run.start)
    balance = [(item, usd(value)) for item, value in books.pop("balance")]
    for row in books["loans"]:
        row.pop("usd", None)
    trouble = books["level"] != HEALTHY and node < len(session.world.lenders) + len(session.world.operators)
    return books | {"balance": balance, "why": told, "troubled": trouble, "group": group if group > 1 else 0}


# --- lesson ---------------------------------------------------------------------------------------------------------


def lesson_text(lesson: Lesson) -> dict[str, Any]:
    """Return what the lesson's card shows."""
    return {
        "text": lesson.text, "watch": list(lesson.watch), "question": lesson.question, "unit": lesson.unit,
        "explanation": lesson.explanation, "further": list(lesson.further), "expected": lesson.expected(),
    }  # fmt: skip


def lesson_found(session: Session) -> float | None:
    """Return the answer as this run shows it, None until it has got there."""
    lesson = session.scenario.lesson
    if not lesson.question or session.month < 1:
        return None
    return lesson.found(session.result())


# --- panels of charts -----------------------------------------------------------------------------------------------


def _common(session: Session) -> dict[str, Any]:
    return {"start": session.scenario.run.start, "bands": series.stress_bands(session.world)}


def market(desk: Any) -> None:
    """Draw the auction of the round, and price, depth, volume and discount of one generation."""
    session = desk.session
    world, g = session.world, session.chips.index(desk.chip)
    month, turn = session.tape_when
    when = calendar(session.scenario.run.start, month) + f", round {turn + 1}" if month >= 0 else ""
    found = series.auctions(session.tape, session.chips, session.names, when)
    # Until the viewer chooses: the largest forced auction, if there is none the largest of this generation.
    at = desk.auction if 0 <= desk.auction < len(found) else 0
    Auction(
        auctions=found, at=at, event_select=lambda k: desk.show(auction=int(k)),
        empty="No auction yet. Press Month: owners offer used chips every month; or sell a block and watch who bids.",
    )  # fmt: skip
    common = _common(session)
    with _two():
        Lines(
            title=f"Price of a used {desk.chip}",
            unit="$k",
            series=series.prices(world, g),
            marks=series.fallen_months(world),
            zero=True,
            **common,
        )
        rent = series.panel("rent")(world)
        Lines(title="Rent of an H100-hour", unit="$", series=[series.one("rent", "purple", rent)], **common)
        depth = [
            series.one("depth", "blue", series.chip("depth_units", g)(world)),
            series.one("unsold", "red", series.chip("unsold", g)(world), "5 3"),
        ]
        Lines(
            title="Depth and unsold stock",
            unit=f"{desk.chip}s; depth: wanted within 10 % of the best bid",
            series=depth,
            zero=True,
            **common,
        )
        discount = np.where(series.panel("forced_usd")(world) > 0, 100 * series.panel("discount")(world), np.nan)
        Lines(
            title="Fire-sale discount",
            unit="% to value in use, forced sales of all generations",
            series=[series.one("discount", "red", discount)],
            reference={"value": 0, "label": ""},
            **common,
        )


def credit(desk: Any) -> None:
    """Draw the illusion: booked against executable LTV; who can pay; how far covenants are."""
    session = desk.session
    world, common = session.world, _common(session)
    money, scale = series.money(world)
    ltv = [
        series.one("booked", "blue", series.panel("booked_ltv", 100)(world)),
        series.one("executable", "red", series.panel("executable_ltv", 100)(world)),
        series.one("largest alone", "orange", series.panel("largest_executable_ltv", 100)(world), "5 3"),
    ]
    Lines(
        title="Loan to value, booked and executable",
        unit="%, log scale; executable: over what the bids would pay",
        series=ltv,
        log=True,
        reference={"value": 100, "label": "100 %"},
        height=190,
        **common,
    )
    with _two():
        Bars(
            title="DSCR of operators with debt",
            unit="operators",
            bins=series.dscr_bins(world),
            line={"at": 3, "label": "income = debt service"},
            empty="Nobody has debt.",
            height=140,
        )
        Bars(
            title="Room to the covenant",
            unit=f"points of LTV; {money} of debt",
            bins=series.headroom_bins(world),
            line={"at": 3, "label": "margin call"},
            empty="No secured loan.",
            height=140,
        )
        lives = [
            series.one("debt", "blue", series.panel("debt_life")(world)),
            series.one("chips", "orange", series.panel("asset_life")(world), "5 3"),
        ]
        Lines(
            title="Remaining life",
            unit="months: of the debt, of the chips behind it",
            series=lives,
            zero=True,
            **common,
        )
        growth = [
            series.one("credit", "blue", series.panel("new_credit", scale)(world)),
            series.one("losses", "red", series.panel("losses", scale)(world)),
        ]
        Lines(title="New credit and losses", unit=f"{money} a month", series=growth, zero=True, **common)


def twin(desk: Any) -> None:
    """Draw the run beside its twin: the same draws, something changed."""
    session = desk.session
    world = session.world
    other = session.twin.world if session.twin is not None else None
    changed = [text.split("=", 1) for text in session.twin_changes]
    if other is None:
        note = "Open Parameters, move a slider, then press Compare as a twin: the same draws run again with that change, and its lines appear here, dashed."
    else:
        note = (
            "Dashed: the twin, the same draws with "
            + ", ".join(f"{_label(path)} = {value}" for path, value in changed)
            + "."
        )
    Note(text=note)
    common, g = _common(session), session.chips.index(desk.chip)
    money, scale = series.money(world)
    drawn = (
        (f"Price of a used {desk.chip}", "$k", "ink", series.chip("price", g, 1e-3)),
        ("Operators in default", "since the start", "red", series.summed("defaults")),
        ("GPU-backed debt", money, "blue", series.panel("debt", scale)),
        ("Losses written off", f"{money} since the start", "orange", series.summed("losses", scale)),
        ("Depth of the market", f"{money} within 10 % of the best bids", "green", series.panel("depth_usd", scale)),
        ("Lenders' equity", money, "purple", series.panel("lender_equity", scale)),
    )
    with _two():
        for title, unit, color, read in drawn:
            Lines(
                title=title, unit=unit, series=series.with_twin(world, other, "run", color, read), zero=True, **common
            )


def _label(path: str) -> str:
    return choices.CHOICES[path].label.lower() if path in choices.CHOICES else path


def _two() -> Any:
    """Return a container of two columns."""
    return solara.Div(classes=["fs-two"])
