"""The claims: verdicts follow from intervals, arms share their draws, the shipped document is complete."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from experiments.claims import CLAIMS, Finding, examine, same_debt, values
from experiments.study import read_study
from simulation import load_scenario
from simulation.config import set_path
from simulation.runs import play
from simulation.summary import summarise

ROOT = Path(__file__).parent.parent
BASE = load_scenario(ROOT / "configs" / "base.yaml")


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
    [(3, 2, 4, "holds"), (3, 0.5, 5, "not decided"), (0.5, -1, 2, "not decided"), (-3, -4, -2, "does not hold"), (0.9, 0.8, 0.95, "does not hold")],
)
def test_the_verdict_follows_from_the_interval(mean, low, high, verdict):
    claim = next(c for c in CLAIMS if c.key == "lead")
    assert claim.least == 1.0
    assert Finding(claim, mean, low, high, {}, np.array([])).verdict == verdict


def test_a_block_of_ten_thousand_moves_the_price():
    claim = next(c for c in CLAIMS if c.key == "block")
    found = examine(claim, BASE, 8)
    assert found.mean > 5.0
    assert found.arms["with"][0] < found.arms["without"][0]


def test_equal_debt_is_equal():
    claim = next(c for c in CLAIMS if c.key == "life")
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


@pytest.mark.parametrize("file", sorted((ROOT / "configs" / "sweeps").glob("*.yaml")), ids=lambda f: f.stem)
def test_every_shipped_study_is_sound(file):
    study = read_study(file)
    assert 500 <= study.runs <= 5_000
    study.scenario_at(len(study.points) - 1)
