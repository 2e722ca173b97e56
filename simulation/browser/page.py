"""The page, composed of its parts: header, controls, network, panels, log."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import solara

from simulation.browser import choices, panels
from simulation.browser.desk import Desk, Options
from simulation.browser.style import css
from simulation.month import PHASES
from simulation.scenario.document import base_config

#: What ``firesale browse`` was asked for; set once, before the server starts.
OPTIONS: list[Options] = []


#: Milliseconds between two steps of play; the page waits longer when painting takes longer.
_DELAY = {"step": 350, "phase": 250, "month": 40}


_TABS = (
    ("market", "Market", "The auction of the round, prices, depth, unsold stock"),
    ("credit", "Illusion", "Booked against executable LTV, debt service, distance to covenants"),
    ("twin", "Twin", "The same draws with something changed"),
    ("agent", "Agent", "The books of the agent you clicked"),
)


@solara.component_vue("vue/header.vue")
def Header(
    *,
    scenarios=[],
    current="",
    seed=1,
    dark=False,
    settings=False,
    pending=0,
    download={},
    event_open_file=None,
    event_reset=None,
    event_toggle_settings=None,
    event_toggle_dark=None,
    event_export_run=None,
    event_upload=None,
):
    """The first row: which run this is."""


@solara.component_vue("vue/controls.vue")
def Controls(
    *,
    date="",
    where="",
    phase=0,
    turn=0,
    month=0,
    months=1,
    phases=[],
    tick=0,
    playing=False,
    pace="month",
    delay=60,
    can_back=False,
    done=False,
    chips=[],
    default_chip="",
    tiles=[],
    event_act=None,
    event_act_sell=None,
    event_set_pace=None,
):
    """Stepping, the schedule of the month, headline numbers."""


@solara.component_vue("vue/network.vue")
def Network(*, nodes=[], now={}, edges=[], lit=[], picked=-1, event_pick_node=None):
    """The network."""


@solara.component_vue("vue/log.vue")
def Log(*, entries=[], tick=0, since=0, event_pick_node=None):
    """What just happened."""


@solara.component_vue("vue/settings.vue")
def Settings(*, groups=[], changes=[], event_change=None, event_apply=None, event_discard=None, event_as_twin=None):
    """Sliders."""


@solara.component_vue("vue/lesson.vue")
def LessonCard(*, title="", lesson={}, found=None):
    """The text of a lesson."""


@solara.component_vue("vue/inspector.vue")
def Inspector(*, agent=None, event_pick_node=None, event_fail_node=None):
    """The books of one agent."""


@solara.component_vue("vue/tabs.vue")
def Tabs(
    *,
    tabs=[],
    tab="market",
    chips=[],
    chip="",
    twin=False,
    event_set_tab=None,
    event_set_chip=None,
    event_drop_twin=None,
):
    """Names of the panels."""


@solara.component_vue("vue/message.vue")
def Message(*, text="", bad=True, event_dismiss=None):
    """A fault or a notice."""


@cache
def scenario_menu(given: str) -> list[dict[str, Any]]:
    """Return the scenarios that the menu offers: the shipped ones, and the file that was given."""
    folder = base_config().parent

    def item(file: Path) -> dict[str, str]:
        # Reading the whole config would cost a tenth of a second each, before the first paint.
        titled = re.search(r"^title: *(.+)$", file.read_text(encoding="utf-8"), re.M)
        return {"path": str(file), "title": titled.group(1) if titled else file.stem}

    groups: list[dict[str, Any]] = [
        {
            "group": "Scenarios",
            "items": [item(file) for file in (base_config(), *sorted((folder / "scenarios").glob("*.yaml")))],
        },
        {"group": "Lessons", "items": [item(file) for file in sorted((folder / "lessons").glob("*.yaml"))]},
    ]
    known = {Path(entry["path"]).resolve() for group in groups for entry in group["items"]}
    if Path(given).resolve() not in known:
        groups.insert(0, {"group": "Your file", "items": [{"path": given, "title": Path(given).name}]})
    return [group for group in groups if group["items"]]


@solara.component
def Page() -> None:
    """One connection's page."""
    version, set_version = solara.use_state(0)
    counter = solara.use_ref(0)

    def repaint() -> None:
        counter.current += 1
        set_version(counter.current)

    desk = solara.use_memo(lambda: Desk(OPTIONS[-1] if OPTIONS else Options(base_config()), repaint), [])
    solara.use_effect(lambda: desk.close, [])
    solara.Title("gpu-firesale")
    solara.Style(css(desk.dark))
    with solara.Div(classes=["fs-app"]):
        _head(desk)
        if desk.error or desk.notice:
            Message(text=desk.error or desk.notice, bad=bool(desk.error), event_dismiss=lambda *_: desk.dismiss())
        _controls(desk)
        lesson = desk.session.scenario.lesson
        side = desk.settings or bool(lesson.text)
        with solara.Div(classes=["fs-main-row", *(["fs-with-side"] if side else [])]):
            if side:
                with solara.Div(classes=["fs-panel"]):
                    _settings(desk) if desk.settings else _lesson(desk)
            with solara.Div(classes=["fs-panel"]):
                _network(desk)
            with solara.Div(classes=["fs-right"]):
                with solara.Div(classes=["fs-panel", "fs-tabbed"]):
                    _tabs(desk)
                with solara.Div(classes=["fs-panel"]):
                    Log(
                        entries=panels.log_entries(desk.session),
                        since=desk.session.shown_since,
                        tick=desk.session.tick,
                        event_pick_node=desk.pick,
                    )


def _head(desk: Desk) -> None:
    Header(
        scenarios=scenario_menu(desk.file), current=desk.file, seed=desk.seed, dark=desk.dark, settings=desk.settings,
        pending=len(desk.pending), download=desk.download, event_open_file=desk.open, event_reset=desk.reset,
        event_toggle_settings=lambda *_: desk.show(settings=not desk.settings),
        event_toggle_dark=lambda *_: desk.show(dark=not desk.dark), event_export_run=desk.export, event_upload=desk.upload,
    )  # fmt: skip


def _controls(desk: Desk) -> None:
    session = desk.session
    Controls(
        date=panels.date_now(session), where=session.where(), phase=session.phase, turn=session.turn, month=session.month,
        months=len(session.world.panel), phases=[{"name": p.name, "meaning": p.meaning} for p in PHASES],
        tick=session.tick + 1_000_000 * desk.run_id, playing=desk.playing, pace=desk.pace, delay=_DELAY[desk.pace],
        can_back=session.can_go_back, done=session.finished, chips=session.chips, default_chip=desk.chip,
        tiles=panels.tiles(session, desk.chip), event_act=desk.act, event_act_sell=desk.sell,
        event_set_pace=lambda pace: desk.show(pace=pace),
    )  # fmt: skip


def _network(desk: Desk) -> None:
    session, graph = desk.session, desk.graph
    Network(
        nodes=graph.static, now=graph.now(session.world), edges=graph.edges(session.world),
        lit=graph.lit(session.world, session.shown_events, session.shown_trades),
        picked=int(graph.place[desk.picked]) if desk.picked >= 0 else -1, event_pick_node=desk.pick,
    )  # fmt: skip


def _settings(desk: Desk) -> None:
    scenario = desk.session.scenario
    Settings(
        groups=choices.groups(scenario, desk.pending), changes=choices.changes(scenario, desk.pending), event_change=desk.change,
        event_apply=lambda *_: desk.reset(desk.seed), event_discard=lambda *_: desk.discard(), event_as_twin=lambda *_: desk.as_twin(),
    )  # fmt: skip


def _lesson(desk: Desk) -> None:
    lesson = desk.session.scenario.lesson
    LessonCard(
        title=desk.session.scenario.title, lesson=panels.lesson_text(lesson), found=panels.lesson_found(desk.session)
    )


def _tabs(desk: Desk) -> None:
    session = desk.session
    Tabs(
        tabs=[{"v": v, "t": t, "help": h} for v, t, h in _TABS], tab=desk.tab, chips=session.chips, chip=desk.chip,
        twin=session.twin is not None, event_set_tab=lambda tab: desk.show(tab=tab),
        event_set_chip=lambda chip: desk.show(chip=chip), event_drop_twin=lambda *_: desk.drop_twin(),
    )  # fmt: skip
    if desk.tab == "agent":
        with solara.Div(classes=["fs-scroll", "fs-flush"]):
            Inspector(
                agent=panels.agent(session, desk.graph, desk.picked),
                event_pick_node=desk.pick,
                event_fail_node=desk.fail,
            )
        return
    with solara.Div(classes=["fs-scroll"]):
        {"market": panels.market, "credit": panels.credit, "twin": panels.twin}[desk.tab](desk)
