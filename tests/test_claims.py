"""The claims: verdicts follow from intervals, arms share their draws, the shipped document is complete."""

from __future__ import annotations

import re

import numpy as np
import pytest

from experiments.evidence.claims import BLOCK_AFTER, CLAIMS, Finding, examine, same_debt, values
from experiments.statistics import shortfall
from experiments.sweeps.study import read_study
from simulation.record.summary import summarise
from simulation.runs import play
from simulation.scenario.config import set_path
from tests.conftest import BASE, ROOT, STUDIES


def claim_of(key):
    return next(c for c in CLAIMS if c.key == key)


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda c: c.key)
def test_every_arm_is_a_scenario(claim):
    for changes in claim.arms.values():
        set_path(BASE, changes)
    assert claim.claim and claim.question and claim.holds and claim.fails and claim.least >= 0


def test_values_are_those_of_single_runs():
    found = values(BASE, lambda world: float(summarise(world)["losses"]), 5, 7)
    assert found.tolist() == [summarise(play(BASE, 7, k))["losses"] for k in range(5)]


@pytest.mark.parametrize(
    ("mean", "low", "high", "verdict"),
    [
        (3, 2, 4, "holds"),
        (3, 0.5, 5, "not decided"),
        (0.5, -1, 2, "not decided"),
        (-3, -4, -2, "does not hold"),
        (0.9, 0.8, 0.95, "does not hold"),
    ],
)
def test_the_verdict_follows_from_the_interval(mean, low, high, verdict):
    claim = claim_of("lead")
    assert claim.least == 1.0
    assert Finding(claim, mean, low, high, {}, np.array([])).verdict == verdict


def test_a_block_of_ten_thousand_moves_the_price():
    claim = claim_of("block")
    found = examine(claim, BASE, 8)
    assert found.mean > 5.0
    assert found.arms["with"][0] < found.arms["without"][0]


def test_recovery_is_the_first_month_with_half_of_the_fall_made_good():
    without = np.full((4, BLOCK_AFTER + 1), 100.0)
    path = np.full_like(without, 100.0)
    path[0, :4] = 40, 60, 69, 71  # fell by 60, is above 70 in the third month
    path[1] = 50  # never
    path[2, 0] = 110  # no fall
    path[3, 0] = 99  # made good in the first month
    months = claim_of("block_recovery").contrast({"without": without, "with": path})
    assert months[[0, 1, 3]].tolist() == [3, BLOCK_AFTER, 1] and np.isnan(months[2])


def test_what_is_sold_of_a_block_is_counted():
    found = values(BASE, claim_of("block_unsold").read, 4, 1, 10_000.0)
    assert ((found >= 0) & (found <= 1)).all()
    assert values(BASE, claim_of("block_unsold").read, 2, 1).tolist() == [1.0, 1.0], (
        "without a block none of it is sold"
    )


def test_the_tail_is_judged_by_the_worst_runs():
    assert shortfall(np.array([1.0, 9.0, 2.0, 8.0]), 0.5) == 8.5
    assert shortfall(np.array([[1.0, 9.0], [3.0, 2.0]]), 0.05).tolist() == [9.0, 3.0]
    found = examine(claim_of("tail"), BASE, 12)
    for label, change in claim_of("tail").arms.items():
        shares = values(
            set_path(BASE, change) if change else BASE, lambda world: float(summarise(world)["loss_share"]), 12, 1
        )
        assert found.arms[label][0] == pytest.approx(100.0 * shares.max())
        assert found.arms[label][1] <= found.arms[label][0] <= found.arms[label][2] + 1e-9
        assert len(found.tails[label]) == 12
    assert found.mean == pytest.approx(found.arms["none"][0] - found.arms["$10bn"][0])
    assert found.low <= found.high and "95th percentile" in found.notes


def test_equal_leverage_says_which():
    notes = examine(claim_of("life_ltv"), BASE, 4).notes
    assert (
        notes.startswith("Equal leverage is here the advance rate")
        and notes.count("advance rate 0.80, peak debt $") == 2
    )


def test_equal_debt_is_equal():
    claim = claim_of("life")
    ltv = same_debt(BASE, claim, 8, 1)
    peak = lambda world: float(summarise(world)["debt_peak"])  # noqa: E731
    short = values(set_path(BASE, {"lenders.life": 36.0, "lenders.max_ltv": 0.8}), peak, 8, 1).mean()
    long = values(set_path(BASE, {"lenders.life": 120.0, "lenders.max_ltv": ltv}), peak, 8, 1).mean()
    assert 0.2 < ltv < 0.8
    assert long == pytest.approx(short, rel=0.03)


def test_the_document_has_every_claim_with_its_verdict():
    text = (ROOT / "docs" / "claims.md").read_text(encoding="utf-8")
    for claim in CLAIMS:
        assert claim.claim in text
        assert (ROOT / "docs" / "images" / f"claim_{claim.key}.svg").exists()
    rows = [line for line in text.splitlines() if line.startswith("| [")]
    assert len(rows) == len(CLAIMS)
    assert all(re.search(r"\| (holds|does not hold|not decided) \|", row) for row in rows)


@pytest.mark.parametrize("file", STUDIES, ids=lambda f: f.stem)
def test_every_shipped_study_is_sound(file):
    study = read_study(file)
    assert 500 <= study.runs <= 5_000
    study.scenario_at(len(study.points) - 1)
