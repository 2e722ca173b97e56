"""A campaign: draws keep to the declarations, every kind of failure is seen and cut down, and a sample of runs has none."""

from __future__ import annotations

import shlex

import numpy as np
import pytest

from agents.tables.clock import Fault
from experiments.campaign import campaign, check, document, draw
from experiments.campaign.shrink import shrink
from simulation import load_scenario
from simulation.record.summary import summarise
from simulation.runs import play
from simulation.scenario.config import set_path
from simulation.scenario.declare import said
from simulation.scenario.walking import declared, parameters
from tests.conftest import BASE, BASE_FILE, STRESS, alone

SMALL = draw.small(BASE)
KINDS = ("plausible", "stressed", "extreme")


# --- draws ---------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", KINDS)
def test_a_draw_is_the_same_every_time_and_another_for_another_number(kind):
    one = draw.draw(BASE, kind, 3, 7)
    assert one and one == draw.draw(BASE, kind, 3, 7)
    assert one != draw.draw(BASE, kind, 3, 8) != draw.draw(BASE, kind, 4, 8)


@pytest.mark.parametrize("kind", KINDS)
def test_draws_keep_to_declared_bounds_and_few_are_refused(kind):
    fields = {path: field for path, _, field in parameters(BASE)}
    refused = 0
    for number in range(40):
        changes = draw.draw(BASE, kind, 1, number)
        for path, value in changes.items():
            least, most = draw.bounds(fields[path])
            numbers = value if isinstance(value, list) else [value]
            assert all(isinstance(x, str) or least <= x <= most for x in numbers), (path, value)
        refused += check.attempt(SMALL, changes, 1).end == check.REFUSED
    assert refused <= 4


def test_plausible_draws_move_a_parameter_by_half_at_most():
    before = {path: value for path, value, _ in parameters(BASE)}
    moved = 0
    for number in range(20):
        for path, value in draw.draw(BASE, "plausible", 1, number).items():
            old = before[path]
            if isinstance(old, float) and old and not isinstance(value, list):
                moved += 1
                assert 1 / 1.51 <= abs(value / old) <= 1.51, path
    assert moved > 100


def test_extreme_draws_reach_both_ends_of_bounds():
    ends = {"least": 0, "most": 0}
    fields = {path: field for path, _, field in parameters(BASE)}
    for number in range(20):
        for path, value in draw.draw(BASE, "extreme", 1, number).items():
            least, most = draw.bounds(fields[path])
            ends["least"] += value == least
            ends["most"] += value == most
    assert min(ends.values()) > 10


def test_every_number_flag_and_choice_is_drawn_sooner_or_later():
    drawn = set().union(*(draw.draw(BASE, "extreme", 1, number) for number in range(120)))
    known = {path for path, _, field in parameters(BASE) if draw.is_drawn(path, field)}
    assert drawn == known
    left = {path for path, _, field in parameters(BASE)} - known
    assert all(
        said(field, "unit") in ("text", "path", "YYYY-MM", "mixed") or path.startswith(("lesson.", "run.max_turns"))
        for path, _, field in declared()
        if path in left
    )


def test_changes_written_as_options_are_read_again():
    for kind in KINDS:
        changes = draw.draw(BASE, kind, 2, 5)
        words = shlex.split(draw.option(changes))
        assert words[::2] == ["--set"] * len(changes)
        assert load_scenario(BASE_FILE, words[1::2]) == set_path(BASE, changes)


# --- what is seen --------------------------------------------------------------------------------------------------------
@pytest.fixture
def finished():
    return play(set_path(SMALL, STRESS | {"run.months": 12}), 3)


@pytest.mark.parametrize(
    ("table", "column", "value", "found"),
    [
        ("panel", "rent", np.nan, "not a finite number: panel.rent"),
        ("chip_panel", "appraisal", np.inf, "not a finite number: chip_panel.appraisal"),
        ("kind_panel", "cash", -np.inf, "not a finite number: kind_panel.cash"),
        ("operators", "dscr", np.nan, "not a finite number: operators.dscr"),
        ("trades", "price", np.nan, "not a finite number: trades.price"),
        ("events", "usd", np.nan, "not a finite number: events.usd"),
        ("panel", "contracted", 1.1, "impossible value: panel.contracted"),
        ("panel", "contracted", -0.1, "impossible value: panel.contracted"),
        ("panel", "bust_share", 1.2, "impossible value: summary.worst_bust_share"),
        ("lots", "units", -3.0, "impossible value: lots.units"),
        ("chip_panel", "price", -1.0, "impossible value: chip_panel.price"),
    ],
)
def test_what_cannot_be_is_named_by_table_and_column(finished, table, column, value, found):
    opened = 1e12
    summary = summarise(finished)
    assert check.examine(finished, summary, opened) == ("", "")
    getattr(finished, table)[column][2] = value
    with np.errstate(invalid="ignore"):
        what, message = check.examine(finished, summarise(finished), opened)
    assert what == found and found.partition(": ")[2] in message


def test_flows_and_the_summary_are_looked_at(finished):
    summary = summarise(finished)
    assert check.examine(finished, summary | {"losses": np.nan}, 1e12)[0] == "not a finite number: summary.losses"
    assert check.examine(finished, summary | {"lgd": np.nan}, 1e12) == ("", ""), "undefined without a default"
    assert check.examine(finished, summary | {"lgd": 1.2}, 1e12)[0] == "impossible value: summary.lgd"
    finished.flows[3, 5] = np.inf
    assert check.examine(finished, summary, 1e12)[0].startswith("not a finite number: flows.")


def test_losses_are_part_of_all_that_was_owed(finished):
    panel = finished.panel
    panel.new_credit[:], panel.new_notes[:], finished.loans.rate[:] = 5.0, 1.0, 0.12
    panel.debt[:], panel.debt_convertible[:], panel.debt_margin[:] = 70.0, 20.0, 10.0
    # 100 at the start, 12 months of 6, and 1 % a month on 172 and on each month's 100.
    most = 172.0 + 0.01 * (172.0 + 1200.0)
    assert check.owed(finished, 100.0) == pytest.approx(most)
    summary = summarise(finished)
    assert check.examine(finished, summary | {"losses": 0.999 * most}, 100.0) == ("", "")
    assert check.examine(finished, summary | {"losses": 1.001 * most}, 100.0)[0].startswith(
        "impossible value: summary.losses"
    )


def test_ends_of_runs_are_told_apart(monkeypatch):
    assert check.attempt(SMALL, {}, 1).end == check.SOUND
    refused = check.attempt(SMALL, {"credit.rollover_floor": 0.9, "credit.rollover_dscr": 0.8}, 1)
    assert (refused.end, refused.failed) == (check.REFUSED, False)
    assert check.attempt(SMALL, {"miners.cash": [-1.0, 2.0]}, 1).end == check.REFUSED

    def broken(world, stop):
        raise IndexError("index 7 is out of bounds")

    monkeypatch.setattr(check, "advance", broken)
    outcome = check.attempt(SMALL, {}, 1)
    assert (outcome.end, outcome.message) == (check.BROKEN, "IndexError: index 7 is out of bounds")

    def faulty(world, stop):
        world.clock.fault[0], world.clock.fault_usd[0] = Fault.NEGATIVE, -5.0

    monkeypatch.setattr(check, "advance", faulty)
    outcome = check.attempt(SMALL, {}, 1)
    assert (outcome.end, outcome.what, outcome.failed) == (check.FAULT, "negative cash", True)


# --- cutting down --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("needed", [{"p3"}, {"p0", "p19"}, {"p1", "p2", "p17"}, set()])
def test_a_failure_is_cut_down_to_what_it_takes(needed):
    changes = {f"p{k}": k for k in range(20)}
    found = shrink(changes, lambda fewer: needed <= fewer.keys())
    assert found == {path: changes[path] for path in changes if path in needed}


def test_cutting_down_stops_after_so_many_runs():
    tried = []
    found = shrink({f"p{k}": k for k in range(64)}, lambda fewer: bool(tried.append(fewer)) or "p5" in fewer, most=4)
    assert len(tried) == 4 and "p5" in found


def test_failures_are_counted_cut_down_and_told(monkeypatch):
    # A run fails where the horizon was moved.
    def attempt(scenario, changes, seed):
        bad = changes.get("run.months", 0) > 0
        return check.Outcome(
            check.IMPOSSIBLE if bad else check.SOUND, "panel.rent" if bad else "", "panel.rent is -1", 0.01, 1.5
        )

    monkeypatch.setattr(campaign, "attempt", attempt)
    found = campaign.play_campaign(SMALL, "extreme", 30, 5, workers=1)
    expected = [n for n in range(30) if "run.months" in draw.draw(SMALL, "extreme", 5, n)]
    assert expected and found.failed == len(expected) and [f.number for f in found.failures] == expected
    assert all(list(f.changes) == ["run.months"] and f.seed == 5 + f.number for f in found.failures[:5])
    assert all(f.whole for f in found.failures[5:])
    text = document.markdown([found], "mine.yaml")
    months = found.failures[0].changes["run.months"]
    assert f"firesale campaign mine.yaml --kind given --seed {5 + expected[0]} --set run.months={months}" in text
    assert f"{len(expected)} of 30 runs failed" in text
    assert found.beyond_peak == 30 and "In 30 of the extreme runs losses exceed the largest debt" in text


# --- runs ----------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("kind", "runs"), [("plausible", 30), ("stressed", 30), ("extreme", 20)])
def test_a_sample_of_random_scenarios_has_no_failure(kind, runs):
    found = campaign.play_campaign(SMALL, kind, runs, 1)
    assert found.failures == []
    assert found.ends[check.SOUND] >= 0.8 * runs


@pytest.mark.parametrize(
    ("seed", "whole", "settings"),
    [
        # The order table was full: an operator orders every month and the vendor's queue is years long.
        (100028, True, "chips.H100.performance=19.35 rental.contract_discount=11.2 sites.growth_limit=1.0 credit.order_interval=1"),
        # So was that of sales: everybody offers chips every month, and calls cost next to nothing.
        (200234, True, "rental.contract_discount=0.1811 rental.contract_term=1 networks.contact_degree=24 market.churn_reserve=1.0e-06 market.churn_interval=1 market.call_cost=1.96 funding.growth_limit=0.0"),
        # Hardware was given away: its price fell by infinitely much.
        (2, False, "chips.A100.scrap=0.0 rental.rent=1.0e-06 marks.decline_floor=0.8 marks.decline_cap=0.9 policy.frozen=true"),
        # More went bust in three months than there was before them.
        (19, False, "credit.order_interval=1 drivers.regimes.first_month=2 drivers.regimes.entry=0.3319 drivers.demand.stress_drift=-0.3168 credit.initial_debt=0.7388"),
        # Creditors of all kinds lost more than there ever was of one kind of debt.
        (1176, False, "run.months=48 lenders.life=6.0 neoclouds.count=3 drivers.regimes.entry=0.2757"),
    ],
)  # fmt: skip
def test_what_failed_once_is_mended(seed, whole, settings):
    changed = set_path(BASE if whole else SMALL, settings.split())
    assert check.attempt(changed, {}, seed).end == check.SOUND


def test_the_command_plays_writes_and_says_what_failed(firesale, tmp_path, monkeypatch):
    out = tmp_path / "campaign.md"
    code, said_, _ = firesale(
        "campaign", "--kind", "plausible", "--kind", "given", "--runs", "2", "--small", "--write", str(out)
    )
    assert code == 0 and "None of 4 runs failed." in said_
    assert "| plausible | 2 |" in out.read_text() and "`uv run firesale campaign --kind plausible" in out.read_text()
    code, _, error = firesale("campaign", "--runs", "2", "--runs", "3")
    assert code == 2 and "2 numbers for 1 kinds" in error
    wrong = check.Outcome(check.FAULT, "negative cash", "negative cash (month 3)")
    monkeypatch.setattr(campaign, "attempt", lambda scenario, changes, seed: wrong)
    code, said_, _ = firesale("campaign", "--kind", "given", "--small", "--seed", "9", "--set", "run.months=3")
    assert code == 3 and "firesale campaign --small --set run.months=3 --kind given --seed 9" in said_


def test_rules_that_check_every_index_are_kept_apart():
    code = "from agents.rule import cache_folder; print(cache_folder().name)"
    assert alone(code) != alone(code, NUMBA_BOUNDSCHECK="1")
