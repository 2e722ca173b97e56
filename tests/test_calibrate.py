"""Calibration: arithmetic by hand, a known parameter found again, resuming, located faults, nothing leaks from what is held out."""

from __future__ import annotations

import dataclasses
import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from experiments.evidence.calibration import calibrate as whole
from experiments.evidence.calibration import search as searching
from experiments.evidence.calibration.calibrate import calibrate, plan
from experiments.evidence.calibration.declare import Calibration, months_needed, read_calibration
from experiments.evidence.calibration.forecast import forecast
from experiments.evidence.calibration.identify import Identification, Profile, clear, left, singular_values
from experiments.evidence.calibration.moments import Moment, longest_gap, objective, read_months, residuals
from experiments.evidence.calibration.propose import Descent, Proposals, Tried, ends_of, step_within
from experiments.evidence.calibration.records import last_month, ordinal, read_facts, read_recorded, read_series
from experiments.evidence.calibration.report import report, verdict
from experiments.evidence.calibration.search import all_residuals, best, evaluate, identity, open_folder, search
from experiments.many import play_many
from experiments.sweeps.store import Store, StoreError
from simulation.runs import InvariantError
from simulation.scenario.config import get_path, load_scenario, set_path
from simulation.scenario.faults import ConfigError
from tests.conftest import BASE_FILE, ROOT
from tests.rules.worlds import small_world

SHIPPED = sorted((ROOT / "configs" / "calibration").glob("*.yaml"))

#: A market of a few agents in which rents follow demand within months.
TOY = f"""\
extends: {BASE_FILE}
run: {{start: 2024-01}}
neoclouds: {{count: 6}}
miners: {{count: 2}}
buyers: {{enterprise: {{count: 4}}, research: {{count: 2}}, dealer: {{count: 2}}, scrap: {{count: 2}}, hyperscaler: {{count: 1}}}}
drivers: {{demand: {{volatility: 0.01, growth: [0.0, 0.07]}}}}
search: {{until: 2024-08, budget: 40, seeds: 4, fresh_seeds: 6}}
free:
  drivers.demand.growth.0: {{low: -0.1, high: 0.1}}
  rental.elasticity: {{low: 0.5, high: 2.0, log: true}}
moments:
  - name: rent in May
    of: rent
    read: ratio
    months: 2024-05
    base: 2024-01
    relative: 0.02
    record: {{series: {{file: rents.csv, column: usd}}, grade: A}}
  - name: rent in August
    of: rent
    read: ratio
    months: 2024-08
    base: 2024-01
    relative: 0.02
    record: {{series: {{file: rents.csv, column: usd}}, grade: A}}
held_out:
  - name: rent
    of: rent
    read: ratio
    months: [2024-09, 2024-10]
    base: 2024-01
    each: true
    record: {{series: {{file: rents.csv, column: usd}}, grade: A}}
"""


def write_toy(folder: Path, truth: dict[str, float], text: str = TOY) -> Path:
    """Write the toy with the rents that it gives itself at the true values, on the seeds of the search; return its file."""
    file = folder / "toy.yaml"
    file.write_text(text)
    scenario = load_scenario(BASE_FILE, {"neoclouds.count": 6, "miners.count": 2, "run.months": 10} | {
        f"buyers.{kind}.count": n for kind, n in (("enterprise", 4), ("research", 2), ("dealer", 2), ("scrap", 2), ("hyperscaler", 1))
    } | {"drivers.demand.volatility": 0.01, "drivers.demand.growth": [0.0, 0.07]})  # fmt: skip
    paths = play_many(set_path(scenario, truth), range(1, 5), lambda world, _: world.panel["rent"] / world.panel["rent"][0])  # fmt: skip
    rents = np.mean(paths, axis=0)
    lines = [f"2024-{k + 1:02d},{3.0 * x:.6f}" for k, x in enumerate(rents)]
    (folder / "rents.csv").write_text("\n".join(["month,usd", *lines]) + "\n")
    return file


@pytest.fixture(scope="module")
def toy(tmp_path_factory) -> Path:
    """The toy, its rents made at 4 % growth of demand and an elasticity of .8."""
    return write_toy(
        tmp_path_factory.mktemp("toy"), {"drivers.demand.growth.0": 0.04, "rental.elasticity": 0.8}
    )  # fmt: skip


def moment(low: float, high: float | None = None, **changes) -> Moment:
    """Return a moment by hand: rents in month 3, standard error 2."""
    values = {
        "name": "m",
        "column": "rent",
        "chip": -1,
        "reading": "at",
        "first": 3,
        "last": 3,
        "base": 3,
        "error": 2.0,
    }
    return Moment(**(values | {"low": low, "high": low if high is None else high} | changes))


# --- arithmetic by hand -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "first", "last", "base", "value"),
    [
        ("at", 2, 2, 0, 8.0),
        ("ratio", 2, 2, 0, 4.0),
        ("sum", 1, 3, 0, 28.0),
        ("mean", 1, 3, 0, 28.0 / 3.0),
        ("growth", 1, 3, 0, 4.0**6),  # fourfold in two months
        ("growth", 0, 3, 0, 8.0**4),
        ("volatility", 0, 3, 0, 0.0),
        ("gap", 0, 3, 0, 0.0),
    ],
)
def test_readings_of_a_series_that_doubles(kind, first, last, base, value):
    assert read_months(kind, np.array([2.0, 4.0, 8.0, 16.0]), first, last, base) == pytest.approx(value)


def test_a_price_that_is_compared_is_never_a_stale_one():
    w = small_world(months=3)
    w.chip_panel.price[:], w.chip_panel.appraisal[:] = 7.0, 500.0
    w.clock[0].trades = 1
    w.trades[0].month, w.trades[0].units, w.trades[0].price = 1, 10.0, 400.0
    assert moment(1.0, column="price", chip=0).path(w).tolist() == [500.0, 400.0, 500.0]
    assert moment(1.0, column="appraisal", chip=0).path(w).tolist() == [500.0] * 3


def test_volatility_and_gaps_by_hand():
    # Log changes of +.1 and -.1: a standard deviation of .1 sqrt(2), times sqrt(12) a year.
    up_and_down = np.exp([0.0, 0.1, 0.0])
    assert read_months("volatility", up_and_down, 0, 2, 0) == pytest.approx(0.1 * math.sqrt(2.0) * math.sqrt(12.0))
    assert [longest_gap(np.array(x)) for x in ([1.0, 0, 0, 3, 0], [0.0, 0, 0], [1.0, 2], [])] == [2, 3, 0, 0]
    assert math.isinf(read_months("ratio", np.array([0.0, 1.0]), 1, 1, 0))


def test_residuals_of_points_intervals_and_bounds():
    point, interval = moment(10.0), moment(10.0, 14.0)
    most, least = moment(-math.inf, 10.0), moment(10.0, math.inf)
    assert [point.residual(x) for x in (6.0, 10.0, 13.0)] == [-2.0, 0.0, 1.5]
    assert [interval.residual(x) for x in (6.0, 10.0, 12.0, 14.0, 15.0)] == [-2.0, 0.0, 0.0, 0.0, 0.5]
    assert [most.residual(x) for x in (2.0, 10.0, 12.0)] == [0.0, 0.0, 1.0]
    assert [least.residual(x) for x in (8.0, 10.0, 99.0)] == [-1.0, 0.0, 0.0]
    assert (point.middle, interval.middle, most.middle, least.middle) == (10.0, 12.0, 10.0, 10.0)
    assert interval.touches(13.0, 20.0) and not interval.touches(14.5, 20.0) and least.touches(2.0, 10.0)


def test_objective_by_hand():
    moments = (moment(10.0), moment(0.0, 1.0, error=0.5, weight=0.25), moment(5.0, over_seeds="median"))
    runs = np.array([[12.0, 2.0, 5.0], [14.0, 3.0, 5.0], [16.0, 4.0, 65.0]])
    # Means 14 and 3, median 5: two errors off; four errors off at a quarter of the weight; on the record.
    assert residuals(moments, runs).tolist() == [2.0, 2.0, 0.0]
    assert objective(moments, runs) == 8.0


def test_pulls_and_the_whole_objective_by_hand(toy):
    calibration = read_calibration(toy, ["search.pull=4.0"])
    at = calibration.start + [0.25, 0.0]
    runs = np.array([[m.low, m.low + 3.0 * m.error] for m in calibration.moments]).T
    assert calibration.pulls(at).tolist() == [0.5, 0.0]
    # Both moments are 1.5 errors off; half of the range would cost one.
    assert all_residuals(calibration, at, runs) == pytest.approx([1.5, 1.5, 0.5, 0.0])
    assert identity(calibration) != identity(read_calibration(toy))


def test_what_the_data_leave_by_hand():
    # One derivative of 6 against a prior of variance 1/12: the posterior has 1 / (36 + 12).
    assert left(np.array([[6.0, 0.0]])).tolist() == pytest.approx([math.sqrt(12.0 / 48.0), 1.0])
    assert clear(np.array([[2.1, -1.9, 3.0]]), np.ones((1, 3))).tolist() == [[2.1, 0.0, 3.0]]
    values = singular_values(np.diag([3.0, 1.0]), np.array([np.diag([2.0, 1.0]), np.diag([4.0, 1.0])]))
    assert values[:, 0].tolist() == [3.0, 1.0]
    assert (values[0, 1:] == pytest.approx([2.05, 3.95])) and values[1, 1:].tolist() == [1.0, 1.0]
    assert [verdict(*x) for x in ((0.3, 1.0), (0.7, 1.0), (1.0, 0.4), (1.0, 0.6), (1.0, math.nan))] == [
        "pinned", "in part", "in part", "assumption", "assumption",
    ]  # fmt: skip


def test_the_part_of_a_profile_near_its_least_by_hand():
    at = np.linspace(0.0, 1.0, 5)
    profile = Profile(at, np.array([9.0, 4.0, 2.0, np.nan, 2.5]), np.array([9.0, 5.0, 3.0, 2.2, 2.6]))
    assert profile.lowest.tolist() == [9.0, 4.0, 2.0, 2.2, 2.5]
    # Up to 3: half of the way from 2 back to 4, and to the end of the range.
    assert profile.within(1.0) == pytest.approx((0.375, 1.0))
    nothing = np.full(5, np.nan)
    assert math.isnan(Profile(at, nothing, nothing).within(1.0)[0])


def test_moments_that_pin_are_named():
    found = Identification(
        np.zeros((2, 1)), np.zeros((2, 1)), np.zeros((1, 3)), np.zeros((1, 1)), np.array([0.2]),
        np.array([[0.24], [0.6]]), (),
    )  # fmt: skip
    assert found.pinned_by(0) == [1]
    assert found.pinned_by(0, 0.01) == [1, 0]


@pytest.mark.parametrize(
    ("date", "month"),
    [
        ("2024-11-04", "2024-11"),
        ("2025-07", "2025-07"),
        ("2024-01..2025-10", "2025-10"),
        ("2025", "2025-12"),
        ("2025-Q2", "2025-06"),
        ("2024-H1", "2024-06"),
        ("2025-26", "2026-12"),
        ("2026-mid", "2026-12"),
        ("12", None),
        ("", None),
    ],
)
def test_the_last_month_that_a_fact_can_be_about(date, month):
    assert last_month(date) == (None if month is None else ordinal(month))


# --- proposals ----------------------------------------------------------------------------------------------------


def test_ends_of_differences_stay_in_the_cube():
    ends = ends_of(np.array([0.05, 0.5]), np.array([0.1, 0.2]))
    assert [end.tolist() for end in ends] == [[pytest.approx(0.15), 0.5], [0.05, 0.7], [0.0, 0.5], [0.05, 0.3]]


def test_a_step_goes_to_the_least_within_reach():
    # Residuals x - .7 and 2 (y - .1): the least is at (.7, .1).
    jacobian, at = np.array([[1.0, 0.0], [0.0, 2.0]]), np.array([0.5, 0.5])
    here = jacobian @ (at - np.array([0.7, 0.1]))
    assert step_within(jacobian, here, at, 1.0) == pytest.approx([0.7, 0.1])
    assert step_within(jacobian, here, at, 0.1) == pytest.approx([0.6, 0.4])


def test_least_squares_goes_down_past_a_failure_and_ends():
    def tried(points):
        # The upper end of the second difference fails.
        return [Tried(at, None if at[1] > 0.55 else 10.0 * (at - [0.7, 0.2])) for at in points]

    descent = Descent(tried([np.array([0.5, 0.5])])[0], np.zeros(2))
    rounds = 0
    while not descent.done:
        descent.tell(tried(descent.ask()))
        rounds += 1
        assert rounds < 30
    assert descent.best.at == pytest.approx([0.7, 0.2], abs=1e-6)


def test_proposals_look_around_go_down_and_begin_again():
    def tried(points):
        return [Tried(at, np.array([20.0 * (at[0] - 0.6), 20.0 * (at[1] - 0.3), 5.0 * at[0] * at[1]])) for at in points]

    def walk(n, random=1):
        proposals = Proposals(np.array([0.2, 0.8]), 0.15, random, np.zeros(2))
        found = []
        while len(found) < n:
            points = proposals.ask()
            assert all((at >= 0.0).all() and (at <= 1.0).all() for at in points)
            found += [(proposals.beginning, one.at.tolist(), one.objective) for one in tried(points)]
            proposals.tell(tried(points))
        return found

    one = walk(150)
    assert one[0][:2] == (0, [0.2, 0.8])
    assert {k for k, _, _ in one} >= {0, 1, 2}
    ends = [min(value for k, _, value in one if k == beginning) for beginning in (1, 2)]
    assert ends[0] == pytest.approx(ends[1], abs=0.2) and ends[0] < 0.1 * one[0][2]
    assert walk(150) == one and walk(150, random=2)[1:] != one[1:]


# --- the toy ------------------------------------------------------------------------------------------------------


def test_a_known_parameter_is_found_again(toy, tmp_path):
    calibration = read_calibration(toy)
    outcome = calibrate(calibration, tmp_path / "out", "command")
    found = calibration.values(outcome.best.at)
    # The truth has an objective of zero; the search comes near it.
    assert outcome.candidates[0].objective > 50.0 and outcome.best.objective < 1.0
    assert found["drivers.demand.growth.0"] == pytest.approx(0.04, abs=0.005)
    assert found["rental.elasticity"] == pytest.approx(0.8, rel=0.1)
    assert outcome.before is not None
    assert objective(calibration.moments, outcome.after) < 0.25 * objective(calibration.moments, outcome.before)
    # The scenario that is written is the one that was found.
    written = load_scenario(tmp_path / "out" / "calibrated.yaml")
    assert written.drivers.demand.growth[0] == found["drivers.demand.growth.0"]
    assert written.drivers.demand.growth[1:] == calibration.scenario.drivers.demand.growth[1:]
    text = report(outcome, ["profiles.png", "forecast.png"])
    assert [line for line in text.splitlines() if line.startswith("## ")] == [
        "## Objective", "## Search", "## What was reached in sample", "## What was reached out of sample", "## Identifiability",
        "## What stays an assumption",
    ]  # fmt: skip
    off = residuals(calibration.moments, outcome.after)
    assert f"{int((abs(off) <= 2.0).sum())} of 2 moments are within 2 standard errors" in text


def test_what_moves_nothing_stays_an_assumption(toy, tmp_path):
    # Without capacity the price of a backstop is never paid.
    text = toy.read_text().replace("rental.elasticity: {low: 0.5, high: 2.0, log: true}", "policy.backstop.price: {low: 0.5, high: 1.0}")  # fmt: skip
    (tmp_path / "toy.yaml").write_text(text)
    (tmp_path / "rents.csv").write_text((toy.parent / "rents.csv").read_text())
    outcome = calibrate(read_calibration(tmp_path / "toy.yaml", ["search.budget=20"]), tmp_path / "out", "")
    growth, price = outcome.identification.left
    calibration = outcome.calibration
    assert abs(outcome.best.at - calibration.start)[1] < 0.05 < abs(outcome.best.at - calibration.start)[0]
    assert growth < 0.2 and price == pytest.approx(1.0)
    assert not outcome.identification.clear[:, 1].any()
    text = report(outcome, ["p", "f"])
    assert "hardly narrow their ranges: `policy.backstop.price`." in text
    assert "Pinned by the data: `drivers.demand.growth.0`." in text


def test_candidates_share_their_seeds_and_runs_end_where_the_record_does(toy, monkeypatch):
    calibration = read_calibration(toy)
    seen = []
    real = searching.play
    monkeypatch.setattr(searching, "play", lambda scenario, seed: (seen.append((seed, scenario.run.months)), real(scenario, seed))[1])  # fmt: skip
    one, two = evaluate(calibration, [calibration.start, calibration.start], calibration.moments, calibration.seeds)
    assert np.array_equal(one.runs, two.runs) and one.runs.shape == (4, 2)
    assert sorted(seen) == [(seed, 8) for seed in (1, 1, 2, 2, 3, 3, 4, 4)]


# --- resuming -----------------------------------------------------------------------------------------------------


class Stop(Exception):
    """An interrupt."""


def table(folder: Path) -> pd.DataFrame:
    return Store(str(folder)).frame(searching.PART)


def test_a_search_goes_on_where_it_was_interrupted(toy, tmp_path, monkeypatch):
    calibration = read_calibration(toy, ["search.seeds=2"])

    def run(folder, budget, stop=math.inf):
        store = Store(str(tmp_path / folder))
        open_folder(calibration, store, "")

        def tell(found):
            if len(found) >= stop:
                raise Stop

        return search(calibration, store, budget, tell)

    run("whole", 40)
    with pytest.raises(Stop):
        run("parts", 40, stop=9)
    some = len(table(tmp_path / "parts"))
    assert 9 <= some < 40
    runs = []
    real = searching.play
    monkeypatch.setattr(searching, "play", lambda *a: (runs.append(a), real(*a))[1])
    # A budget that ends within a generation and is raised later changes nothing, too.
    run("parts", some + 2)
    run("parts", 40)
    assert len(runs) == 2 * (40 - some)
    pd.testing.assert_frame_equal(table(tmp_path / "parts"), table(tmp_path / "whole"), check_exact=True)


def test_candidates_of_different_searches_are_not_mixed(toy, tmp_path):
    store = Store(str(tmp_path / "out"))
    calibration = read_calibration(toy, ["search.seeds=2", "search.budget=4"])
    open_folder(calibration, store, "")
    search(calibration, store, 4)
    assert open_folder(read_calibration(toy, ["search.seeds=2", "search.budget=9"]), store, "") == 4
    for change, words in (
        ("search.seeds=3", "search.seeds was 2, is 3"),
        ("rental.rent=3.0", "scenario was"),
        ("search.random=2", "search.random was 1, is 2"),
    ):
        with pytest.raises(StoreError, match=re.escape(words)):
            open_folder(read_calibration(toy, ["search.seeds=2", change]), store, "")
    shifted = dataclasses.replace(calibration, start=calibration.start + 0.01)
    with pytest.raises(StoreError, match="candidate 0 is not the one"):
        search(shifted, store, 4)


# --- faults of candidates -----------------------------------------------------------------------------------------


def test_a_candidate_that_fails_is_infinitely_bad_and_told(toy, tmp_path, monkeypatch):
    calibration = read_calibration(toy, ["search.seeds=2", "search.budget=24", "search.fresh_seeds=2"])
    real = searching.play

    def play(scenario, seed):
        if scenario.drivers.demand.growth[0] > 0.03:
            raise InvariantError("cash of Neocloud 4 is -2 USD")
        return real(scenario, seed)

    monkeypatch.setattr(searching, "play", play)
    outcome = calibrate(calibration, tmp_path / "out", "")
    failed = [c for c in outcome.candidates if math.isinf(c.objective)]
    assert failed and len(failed) < 24
    assert all(calibration.values(c.at)["drivers.demand.growth.0"] > 0.03 for c in failed)
    assert calibration.values(outcome.best.at)["drivers.demand.growth.0"] <= 0.03
    assert failed[0].message == "seed 1: InvariantError: cash of Neocloud 4 is -2 USD"
    text = report(outcome, ["p", "f"])
    assert f"{len(failed)} candidates stopped with a fault" in text and failed[0].message in text


def test_impossible_combinations_and_what_is_no_number_fail_too(toy, monkeypatch):
    calibration = read_calibration(toy)
    monkeypatch.setattr(Calibration, "values", lambda self, at: {"credit.rollover_floor": 2.0})
    (bad,) = evaluate(calibration, [calibration.start], calibration.moments, [1])
    assert bad.runs is None and "needs rollover_floor < rollover_dscr" in bad.message
    monkeypatch.undo()
    nothing = dataclasses.replace(calibration.moments[0], column="losses", reading="ratio", name="losses in May")
    (bad,) = evaluate(calibration, [calibration.start], (nothing,), [1, 2])
    assert bad.runs is None and bad.message == "seed 1: the moment 'losses in May' is nan"


def test_nothing_is_found_where_every_candidate_fails(toy, tmp_path, monkeypatch):
    def play(scenario, seed):
        raise InvariantError("flows do not add up")

    monkeypatch.setattr(searching, "play", play)
    with pytest.raises(StoreError, match="every candidate failed.*flows do not add up"):
        calibrate(read_calibration(toy, ["search.budget=6"]), tmp_path / "out", "")


def test_the_best_is_the_first_of_equals():
    one = searching.Candidate(0, 0, np.zeros(1), np.zeros(1), 2.0)
    found = [one, one._replace(number=1, objective=1.0), one._replace(number=2, objective=1.0)]
    assert best(found).number == 1


# --- what is held out ---------------------------------------------------------------------------------------------


def test_what_is_held_out_cannot_reach_the_objective(toy, tmp_path):
    changed = tmp_path / "changed"
    changed.mkdir()
    # Other rents after August and another list of what is held out; the month that a ratio is over is shared.
    rows = (toy.parent / "rents.csv").read_text().splitlines()
    later = [re.sub(r",.*", ",99.0", row) if row >= "2024-09" and row[0] == "2" else row for row in rows]
    assert later != rows
    (changed / "rents.csv").write_text("\n".join(later) + "\n")
    text = toy.read_text().replace("months: [2024-09, 2024-10]", "months: [2024-10, 2024-10]")
    (changed / "toy.yaml").write_text(text)
    options = ["search.seeds=2", "search.budget=16"]
    one, two = read_calibration(toy, options), read_calibration(changed / "toy.yaml", options)
    assert one.held_out != two.held_out and [m.low for m in two.held_out] == [pytest.approx(99.0 / float(rows[1].split(",")[1]))]  # fmt: skip
    assert one.moments == two.moments and identity(one) == identity(two)
    for calibration, folder in ((one, "one"), (two, "two")):
        store = Store(str(tmp_path / folder))
        open_folder(calibration, store, "")
        search(calibration, store, 16)
    pd.testing.assert_frame_equal(table(tmp_path / "one"), table(tmp_path / "two"), check_exact=True)
    # Nor does a run of the search reach a month that is held out.
    assert months_needed(one.moments) == 8 and months_needed(one.held_out) == 10


def test_bands_and_coverage(toy):
    calibration = read_calibration(toy, ["search.fresh_seeds=5"])
    found = forecast(calibration, calibration.start)
    assert found.runs.shape == (5, 2) and [m.name for m in found.moments] == ["rent, 2024-09", "rent, 2024-10"]
    assert found.band(0) == pytest.approx(np.quantile(found.runs[:, 0], (0.1, 0.5, 0.9)))
    (fan,) = found.fans
    assert fan.paths.shape == (5, 10) and fan.paths[:, 9] == pytest.approx(found.runs[:, 1])
    assert (fan.paths[:, 0] == 1.0).all()
    assert [m.name for m in fan.fitted] == ["rent in May", "rent in August"]
    low, middle, high = found.band(0)
    records = [dataclasses.replace(found.moments[0], low=x, high=x) for x in (low, middle, high + 0.01)]
    told = found._replace(moments=tuple(records), runs=np.repeat(found.runs[:, :1], 3, axis=1))
    assert told.inside() == [True, True, False]


# --- the file -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_shipped_calibrations_can_be_read_and_name_their_sources(file):
    calibration = read_calibration(file)
    known = read_facts().keys() | {path.name for path in (ROOT / "configs" / "data").iterdir()}
    for m in (*calibration.moments, *calibration.held_out):
        assert m.why and m.grade and [name for name in m.source.split(", ") if name not in known] == []
    assert all(calibration.reasons)
    assert ((calibration.start >= 0.0) & (calibration.start <= 1.0)).all()
    standing = {axis.path: get_path(calibration.scenario, axis.path) for axis in calibration.axes}
    assert calibration.values(calibration.start) == pytest.approx(standing, rel=1e-7)
    # The objective ends where it may, and what is held out begins after it.
    last = ordinal(calibration.search.until) - ordinal(calibration.scenario.run.start)
    assert months_needed(calibration.moments) <= last + 1 < months_needed(calibration.held_out)


def test_errors_of_records_by_grade(toy):
    def error(*changes):
        calibration = read_calibration(toy, list(changes))
        return calibration.moments[0].error / calibration.moments[0].low

    assert error() == pytest.approx(0.02)
    assert error("grades.A.widen=3.0", "grades.A.relative=0.05") == pytest.approx(0.06)
    file = toy.parent / "unstated.yaml"
    file.write_text(toy.read_text().replace("    relative: 0.02\n", ""))
    assert read_calibration(file).moments[0].error == pytest.approx(0.05 * read_calibration(file).moments[0].low)


_FIRST = "    months: 2024-05\n    base: 2024-01\n"
_RECORD = "record: {series: {file: rents.csv, column: usd}, grade: A}"
_GROWTH = "drivers.demand.growth.0: {low: -0.1, high: 0.1}"


@pytest.mark.parametrize(
    ("old", "new", "messages"),
    [
        (_GROWTH, "drivers.demand.grwth.0: {low: -0.1, high: 0.1}", ["toy.yaml:9:3: free.drivers.demand.grwth.0: unknown parameter; did you mean 'drivers.demand.growth'"]),
        (_GROWTH, "drivers.demand.growth.9: {low: -0.1, high: 0.1}", ["toy.yaml:9:3", "no item '9': the list has 2 items"]),
        (_GROWTH, "drivers.demand.growth: {low: -0.1, high: 0.1}", ["toy.yaml:9:3", "is not a number in the scenario"]),
        (_GROWTH, "drivers.demand.growth.0: {low: 0.1, high: -0.1}", ["toy.yaml:9:3", "the range is empty: from 0.1 to -0.1"]),
        (_GROWTH, "drivers.demand.growth.0: {low: 0.1, high: 0.2}", ["the scenario has 0, outside the range from 0.1 to 0.2"]),
        (_GROWTH, "drivers.demand.growth.0: {low: -0.1}", ["toy.yaml:9:3: free.drivers.demand.growth.0.high: is missing: upper end"]),
        (_GROWTH, "drivers.demand.growth.0: {low: -0.1, high: 0.1, log: true}", ["a range in logarithms must begin above zero"]),
        (_GROWTH, "drivers.demand.persistence: {low: 0.0, high: 1.5}", ["toy.yaml:9:3", "1.5 must be below 1"]),
        (_GROWTH, "drivers.demand.growth.0: {low: x, high: 0.1}", ["toy.yaml:9:29: free.drivers.demand.growth.0.low: must be a number"]),
        ("until: 2024-08", "until: August", ["toy.yaml:7:10: search.until: must have the form YYYY-MM, is 'August'"]),
        ("until: 2024-08", "until: 2024-07", ["toy.yaml:22:5: moments.1.months: lie after 2024-07 (search.until): what is later is held out"]),
        ("until: 2024-08", "until: 2024-09", ["toy.yaml:30:5: held_out.0.months: begin by 2024-09 (search.until): that is not held out"]),
        ("budget: 40", "bugdet: 40", ["toy.yaml:7:26: search.bugdet: unknown parameter; did you mean 'budget'"]),
        ("    of: rent\n    read: ratio\n" + _FIRST, "    of: rnet\n    read: ratio\n" + _FIRST, ["toy.yaml:13:5: moments.0.of: no such column: 'rnet'; did you mean 'rent'"]),
        (_FIRST, "    months: 2024-05\n", ["moments.0.base: is missing: a ratio is over a month"]),
        (_FIRST, "    months: [2024-03, 2024-05]\n    base: 2024-01\n", ["toy.yaml:15:5: moments.0.months: must be one month for 'ratio'"]),
        (_FIRST, "    months: 2024-05\n    base: 2023-12\n", ["moments.0.months: lie before the scenario's first month, 2024-01"]),
        ("read: ratio\n" + _FIRST, "read: quotient\n" + _FIRST, ["toy.yaml:14:5: moments.0.read: must be one of at, ratio, sum"]),
        ("relative: 0.02", "relative: 0", ["moments.0.relative: must be above 0"]),
        (_RECORD, "record: {series: {file: rent.csv, column: usd}, grade: A}", ["toy.yaml:18:5: moments.0.record: no such file:", "did you mean 'rents.csv'"]),
        (_RECORD, "record: {series: {file: rents.csv, column: eur}, grade: A}", ["moments.0.record: rents.csv has no column 'eur'"]),
        (_RECORD, "record: {series: {file: rents.csv, column: usd, where: {month: 2023-01}}, grade: A}", ["no row of rents.csv has month = 2023-01"]),
        (_RECORD, "record: {series: {file: rents.csv, column: usd}}", ["moments.0.record: its source has no grade: give 'grade' (A, B or C)"]),
        (_RECORD, "record: {value: 0.9, grade: A}", ["moments.0.record: a value needs a 'source'"]),
        (_RECORD, "record: {grade: A}", ["moments.0.record: give one of 'value', 'facts' and 'series'"]),
        (_RECORD, "record: {facts: miner_debt_2024_11}", ["moments.0.record: no fact 'miner_debt_2024_11' with a number in facts.csv; did you mean 'miner_debt_2024_10'"]),
        (_RECORD, "record: {facts: miner_debt_2025_10}", ["the fact 'miner_debt_2025_10' is about 2025-10, later than 2024-08 (search.until): it is held out"]),
        (_RECORD, "record: {value: [0.5, 0.7], source: x, grade: A}\n    side: at_most", ["moments.0.record: an interval is no bound"]),
        ("name: rent in August", "name: rent in May", ["moments: two moments are called 'rent in May'"]),
        ("moments:\n  - name: rent in May", "moments:\n  - rent\n  - name: rent in May", ["toy.yaml:12:5: moments.0: must be a section with 'name: value' lines"]),
    ],
)  # fmt: skip
def test_faults_of_the_file_are_located(toy, tmp_path, monkeypatch, old, new, messages):
    assert old in toy.read_text()
    (tmp_path / "toy.yaml").write_text(toy.read_text().replace(old, new, 1))
    (tmp_path / "rents.csv").write_text((toy.parent / "rents.csv").read_text())
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        read_calibration("toy.yaml")
    for message in messages:
        assert message in str(caught.value)
    assert all(str(fault).startswith("toy.yaml:") for fault in caught.value.faults)


def test_a_fact_published_later_may_cover_an_earlier_time(toy, tmp_path):
    record = "record: {facts: [nvidia_stock_growth, compute_stock_growth], covers: 2024-08}"
    (tmp_path / "toy.yaml").write_text(toy.read_text().replace(_RECORD, record, 1))
    (tmp_path / "rents.csv").write_text((toy.parent / "rents.csv").read_text())
    first = read_calibration(tmp_path / "toy.yaml").moments[0]
    assert (first.low, first.high, first.grade) == (2.3, 3.3, "A")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("month,usd\n2024-01,x\n", "s.csv:2:2: 'x' is not a number"),
        ("month,usd\nJanuary,1\n", "s.csv:2:1: 'January' is no month"),
        ("month,usd\n2024-01,1\n2024-01-05,2\n", "s.csv:3:1: a second row for 2024-01"),
        ("month,usd\n2024-01,1,5\n", "s.csv:2: has 3 fields, the header has 2"),
        ("month,usd\n2024-02-30,1\n", "s.csv:2:1: '2024-02-30' is no month"),
        ("day,usd\n2024-01,1\n", "neither a column 'month' nor 'date'"),
    ],
)
def test_faults_of_a_series_are_located(tmp_path, text, words):
    (tmp_path / "s.csv").write_text(text)
    with pytest.raises(ValueError, match=re.escape(words)):
        read_series(tmp_path / "s.csv", "usd", {})


def test_a_series_is_read_in_the_dialect_that_it_is_written_in(tmp_path):
    (tmp_path / "s.csv").write_bytes(b'"month";"usd"\r\n# a word\r\n2024-02-29;0,25\r\n2024-01-31;1,5\r\n')
    assert read_series(tmp_path / "s.csv", "usd", {}) == {ordinal("2024-01"): 1.5, ordinal("2024-02"): 0.25}


def test_a_recorded_series_is_read_as_a_run_is():
    series = {ordinal(f"2024-{k:02d}"): float(2**k) for k in (1, 2, 3, 4, 6)}
    start = ordinal("2024-01")
    assert read_recorded("ratio", series, start + 5, start + 5, start) == 32.0
    assert read_recorded("sum", series, start, start + 3, start) == 30.0
    with pytest.raises(ValueError, match="is not recorded in 2024-05"):
        read_recorded("growth", series, start, start + 5, start)


# --- the command --------------------------------------------------------------------------------------------------


def test_a_dry_run_writes_nothing(toy, tmp_path, monkeypatch, firesale):
    monkeypatch.chdir(tmp_path)
    code, out, _ = firesale("calibrate", str(toy), "--dry-run", "--budget", "30", "--seeds", "5")
    assert code == 0 and list(tmp_path.iterdir()) == []
    assert "30 candidates on 5 seeds: 150 runs; 0 candidates are there" in out
    assert "rent in August" in out and "rental.elasticity" in out and "2 records after 2024-08" in out


def test_a_plan_counts_what_is_there(toy, tmp_path):
    calibration = read_calibration(toy, ["search.seeds=2", "search.budget=5"])
    store = Store(str(tmp_path / "out"))
    open_folder(calibration, store, "")
    search(calibration, store, 5)
    found = plan(calibration, tmp_path / "out")
    assert (found.runs, found.done) == (10, 5) and found.seconds > 0.0
    # Five points and three times six fresh seeds; two parameters, ten points each, held and moved.
    assert found.after == 5 * 6 + 3 * 6 + 2 * 2 * 10 * 2


def test_the_command_writes_a_report_and_a_document(toy, tmp_path, monkeypatch, firesale):
    monkeypatch.chdir(tmp_path)
    command = ("calibrate", str(toy), "--budget", "12", "--seeds", "2", "--out", "here", "--write", "docs/c.md")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "c.md").write_text("# Mine\n\nKept.\n")
    code, out, err = firesale(*command)
    assert code == 0 and "rental.elasticity" in out and "Report: here/report.md" in err
    text = (tmp_path / "docs" / "c.md").read_text()
    assert text.startswith("# Mine\n\nKept.\n") and "<!-- generated: calibration -->" in text
    for home in (tmp_path / "here", tmp_path / "docs"):
        assert sorted(file.name for file in (home / "images").iterdir()) == ["calibration_forecast.png", "calibration_profiles.png"]  # fmt: skip
    assert {file.name for file in (tmp_path / "here").iterdir()} >= {"candidates.csv", "jacobian.csv", "profiles.csv", "calibrated.yaml", "report.md"}  # fmt: skip
    # The same command again runs no candidate again and says the same.
    ran = []
    real = whole.search
    monkeypatch.setattr(searching, "_candidate", lambda *a: ran.append(a))
    assert firesale(*command)[0] == 0 and ran == [] and real is whole.search
    assert (tmp_path / "docs" / "c.md").read_text() == text


def test_an_interrupt_says_how_to_go_on(toy, tmp_path, monkeypatch, firesale):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(whole, "identify", interrupted)
    code, _, err = firesale("calibrate", str(toy), "--budget", "3", "--seeds", "2", "--out", "here")
    assert code == 130 and "Go on with the same command: firesale calibrate" in err
    assert len(table(tmp_path / "here")) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((str(BASE_FILE),), "base.yaml:1:1: declares no calibration: needs 'free' and 'moments'"),
        (("no.yaml",), "no.yaml: no such file"),
        ((str(SHIPPED[0]), "--set", "search.bugdet=3"), "search.bugdet: unknown parameter; did you mean 'budget'"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, monkeypatch, firesale, arguments, message):
    monkeypatch.chdir(tmp_path)
    code, out, err = firesale("calibrate", *arguments)
    assert code == 2 and message in err and "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


def test_signs_take_any_config(tmp_path, monkeypatch, firesale):
    monkeypatch.chdir(tmp_path)
    small = (
        "run.months=14",
        "neoclouds.count=8",
        "miners.count=2",
        "drivers.regimes.first_month=2",
        "drivers.regimes.entry=0.4",
    )
    options = [part for change in small for part in ("--set", change)]
    code, out, _ = firesale("calibrate", str(BASE_FILE), "--signs", "--seeds", "4", *options)
    assert code == 0 and "Risk over 4 seeds from 1001, an outcome and not a target" in out
    rows = [line for line in out.splitlines() if line.startswith("| ") and "against" in line]
    assert len(rows) == 7 and all(re.search(r"\| (yes|no|not significant) \|$", row) for row in rows)
