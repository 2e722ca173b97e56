"""The lessons: what they say happens, happens."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from agents.ledger import CAUSES, EVENT_KINDS
from simulation import load_scenario, run
from simulation.config import set_path

FOLDER = Path(__file__).parent.parent / "configs" / "lessons"
FILES = sorted(FOLDER.glob("*.yaml"))


def lesson_run(name, *changes):
    return run(load_scenario(FOLDER / f"{name}.yaml", list(changes)), 1, amplification=False)


def test_there_are_seven():
    assert len(FILES) == 7


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
def test_the_answer_is_what_the_run_shows(file):
    scenario = load_scenario(file)
    lesson, result = scenario.lesson, run(scenario, 1, amplification=False)
    assert lesson.text and lesson.watch and lesson.question and lesson.unit and lesson.explanation and lesson.further
    assert lesson.answer.tolerance <= 0.05
    assert lesson.found(result) == pytest.approx(lesson.expected(), rel=max(lesson.answer.tolerance, 1e-9))
    agents = len(result.world.lenders) - 1 + len(result.world.operators) + len(result.world.buyers) - 1
    assert 3 <= agents <= 30


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
def test_what_to_try_next_names_parameters_that_are_there(file):
    scenario = load_scenario(file)
    set_path(scenario, list(scenario.lesson.twin))
    for text in scenario.lesson.further:
        for path, value in re.findall(r"\b([a-z_]+(?:\.[a-z_]+)+) = ([\w.+-]*[\w])", text):
            set_path(scenario, [f"{path}={value}"])


def causes(result):
    events = result.world.events[: result.world.clock[0].events]
    return [CAUSES[e.cause] for e in events if EVENT_KINDS[e.kind] == "default"]


def test_one_loan_falls_by_its_collateral_not_by_its_income():
    result = lesson_run("one_loan")
    assert causes(result) == ["ltv"]
    assert result.panel["dscr_low"].iloc[:9].min() > 2.0
    assert lesson_run("one_loan", "lenders.mark_to_market=0").summary["margin_calls"] == 0
    assert (lesson_run("one_loan", "credit.covenant_margin=0.25").panel["margin_calls"] > 0).argmax() == 7


def test_the_margin_spiral_turns_in_rounds_and_only_through_marks():
    result = lesson_run("margin_spiral")
    assert set(causes(result)) == {"ltv"}
    assert result.panel["turns"].iloc[3] >= 4
    assert result.panel["rent"].iloc[:4].pct_change().abs().max() < 0.01
    assert lesson_run("margin_spiral", "lenders.mark_to_market=0").summary["defaults"] == 0
    assert lesson_run("margin_spiral", "buyers.budget_scale=4", "buyers.power_scale=4").panel["defaults"].tolist().index(1) == 6


def test_ten_thousand_find_their_price_by_who_is_reached():
    here = lesson_run("ten_thousand_h100")
    assert here.chip_panel["forced"].iloc[2] == pytest.approx(10_000)
    assert here.summary["forced_usd"] == pytest.approx(45.7e6, rel=0.01)
    for change, price in (("market.calls_a_month=60", 13_356), ("market.venue=exchange", 13_926), ("buyers.budget_scale=0.25", 3_475)):
        assert lesson_run("ten_thousand_h100", change).chip_panel["price"].iloc[2] == pytest.approx(price, rel=0.01)


def test_shared_collateral_reaches_borrowers_of_other_lenders():
    result = lesson_run("shared_collateral")
    assert sorted(causes(result)) == ["dscr", "dscr", "ltv", "ltv", "ltv"]
    assert lesson_run("shared_collateral", "lenders.mark_to_market=0").summary["defaults"] == 2
    assert lesson_run("shared_collateral", "market.venue=exchange").panel["defaults"].tolist()[2:4] == [3, 2]


def test_the_run_comes_with_the_losses():
    result = lesson_run("lender_run")
    assert result.panel["lender_failures"].tolist() == [0, 0, 0, 0, 1, 0, 0, 0]
    assert "maturity" in causes(result)
    still = lesson_run("lender_run", "lenders.runnable_scale=0")
    assert (still.summary["lender_failures"], still.panel["withdrawn"].sum()) == (1, 0)
    assert lesson_run("lender_run", "lenders.capital_scale=3").panel["lender_failures"].tolist().index(1) == 2
    assert lesson_run("lender_run", "buyers.budget_scale=10", "buyers.power_scale=10").summary["losses"] < 1


def test_each_shock_alone_is_bearable():
    coins = ("drivers.demand.stress_drift=0", "drivers.demand.stress_jump=0")
    rents = ("drivers.coin.stress_drift=0", "drivers.coin.stress_jump=0")
    assert lesson_run("double_leverage").summary["defaults"] == 1
    for changes in (coins, rents, ("drivers.regimes.coupling=0",)):
        assert lesson_run("double_leverage", *changes).summary["losses"] < 1


def test_half_a_backstop_saves_nobody():
    none, small, large = (lesson_run("backstop", f"policy.backstop.capacity={c}") for c in ("0", "1e7", "5e7"))
    assert [r.summary["defaults"] for r in (none, small, large)] == [9, 9, 1]
    assert [round(r.summary["losses"] / 1e6) for r in (none, small, large)] == [104, 96, 5]
    assert large.world.buyers.bought[-1] == pytest.approx(3_800, rel=0.01)
    assert np.isclose(lesson_run("backstop", "policy.backstop.capacity=2e10").summary["losses"], large.summary["losses"], rtol=0.05)
    assert lesson_run("backstop", "policy.backstop.trigger=0.6").summary["defaults"] == 6
