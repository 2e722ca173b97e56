"""The claims: verdicts follow from intervals, arms share their draws, the shipped document is complete."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from experiments.evidence.claims.catalogue import CLAIMS, check_arms
from experiments.evidence.claims.judge import Finding, equal_level, examine, probe
from experiments.evidence.claims.lab import Engine, Lab
from experiments.evidence.claims.measures import BLOCK, BLOCK_AFTER, BLOCK_MONTH, MEASURES, PRICES
from experiments.statistics import shortfall
from experiments.sweeps.study import read_study
from simulation.interventions import sell_block
from simulation.month import CASCADE, HORIZON, MONTH, STEP, advance
from simulation.record.summary import summarise
from simulation.runs import play
from simulation.scenario.config import load_scenario, set_path
from simulation.scenario.faults import ConfigError
from simulation.world.build import build_world
from tests.conftest import BASE, ROOT, STUDIES


@pytest.fixture(scope="module")
def lab():
    """The base, its runs shared by the tests of this module."""
    return Lab(Engine(BASE))


def claim_of(key):
    return next(c for c in CLAIMS if c.key == key)


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda c: c.key)
def test_every_arm_is_a_scenario(claim):
    check_arms([claim], BASE)
    assert claim.claim and claim.question and claim.holds and claim.fails and claim.least >= 0
    assert {claim.reads, claim.tail} <= {*MEASURES, PRICES, ""}


def test_an_arm_that_sets_what_is_not_there_is_named():
    wrong = replace(claim_of("lead"), arms={"base": {}, "vendor buys back": {"policy.vendor.capacity": 1e9}})
    with pytest.raises(ConfigError) as caught:
        check_arms([claim_of("tail"), wrong], BASE)
    assert [str(fault) for fault in caught.value.faults] == [
        "claim lead, arm 'vendor buys back': policy.vendor.capacity: unknown parameter; known here: "
        + ", ".join(type(BASE.policy).model_fields)
    ]


@pytest.mark.parametrize(
    ("key", "label", "file"),
    [("marked", "marked to market", "marked_to_market"), ("vendor", "vendor", "vendor_backstop")],
)
def test_an_arm_that_is_a_shipped_scenario_is_that_scenario(key, label, file):
    shipped = load_scenario(ROOT / "configs" / "scenarios" / f"{file}.yaml")
    assert set_path(BASE, claim_of(key).arms[label]) == shipped.model_copy(update={"title": BASE.title})


def test_what_a_vendor_pays_is_borne_beside_what_creditors_lose(lab):
    names = ["losses", "vendor_paid", "borne"]
    losses, paid, borne = lab.values(claim_of("vendor").arms["vendor"], range(4), names).T
    assert (paid > 0.0).all() and borne == pytest.approx(losses + paid)
    assert (lab.values({}, range(2), ["vendor_paid"]) == 0.0).all()


def test_a_long_life_reaches_term_loans_too():
    long = set_path(BASE, claim_of("life").arms["120 months"])
    assert long.credit.term_months == long.lenders.life == 120.0


def test_values_are_those_of_single_runs(lab):
    found = Lab(Engine(BASE, 7)).values({}, range(5), ["losses", "lead"])
    single = [summarise(play(BASE, 7, k)) for k in range(5)]
    assert found.tolist() == [[run["losses"], run["lead"]] for run in single]


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


def test_a_block_of_ten_thousand_moves_the_price(lab):
    claim = claim_of("block")
    found = examine(claim, lab, 8)
    assert found.mean > 1.0
    assert found.arms["with"][0] < found.arms["without"][0]


def test_the_block_of_the_claims_is_the_one_that_a_viewer_sells_by_hand(lab):
    world = build_world(BASE, 1, 0)
    while world.clock[0].month < BLOCK_MONTH:
        advance(world, MONTH)
    while world.clock[0].phase != CASCADE:
        advance(world, STEP)
    sell_block(world, [chip.name for chip in BASE.chips], "H100", BLOCK)
    advance(world, HORIZON)
    by_arm = lab.values(claim_of("block").arms["with"], [0], ["losses", "lead"])[0]
    assert by_arm.tolist() == [summarise(world)["losses"], summarise(world)["lead"]]


def test_recovery_is_the_first_month_with_half_of_the_fall_made_good():
    without = np.full((4, BLOCK_AFTER + 1), 100.0)
    path = np.full_like(without, 100.0)
    path[0, :4] = 40, 60, 69, 71  # fell by 60, is above 70 in the third month
    path[1] = 50  # never
    path[2, 0] = 110  # no fall
    path[3, 0] = 99  # made good in the first month
    months = claim_of("block_recovery").contrast({"without": without, "with": path})
    assert months[[0, 1, 3]].tolist() == [3, BLOCK_AFTER, 1] and np.isnan(months[2])


def test_what_is_sold_of_a_block_is_counted(lab):
    found = lab.values(claim_of("block_unsold").arms["with"], range(4), ["block_unsold"])
    assert ((found >= 0) & (found < 1)).all()
    assert (lab.values({}, range(2), ["block_unsold"]) == 1.0).all(), "without a block none of it is sold"


def test_what_lies_beyond_the_horizon_is_not_read():
    short = Lab(Engine(set_path(BASE, {"run.months": BLOCK_MONTH + 3})))
    row = dict(zip(MEASURES, short.values({}, [0], MEASURES)[0], strict=True))
    assert [name for name in PRICES if np.isfinite(row[name])] == ["price_0", "price_1", "price_2"]
    assert np.isnan(row["old_chip"]) and np.isfinite(row["losses"])


def test_the_tail_is_judged_by_the_worst_runs(lab):
    assert shortfall(np.array([1.0, 9.0, 2.0, 8.0]), 0.5) == 8.5
    assert shortfall(np.array([[1.0, 9.0], [3.0, 2.0]]), 0.05).tolist() == [9.0, 3.0]
    claim = claim_of("tail")
    found = examine(claim, lab, 12)
    for label, change in claim.arms.items():
        shares = lab.values(change, range(12), ["loss_share"])
        assert found.arms[label][0] == pytest.approx(100.0 * shares.max())
        assert found.arms[label][1] <= found.arms[label][0] <= found.arms[label][2] + 1e-9
        assert len(found.tails[label]) == 12
    assert found.mean == pytest.approx(found.arms["none"][0] - found.arms["$10bn"][0])
    assert found.low <= found.high and "95th percentile" in found.notes
    # Away from the base each run has a score; their mean is the same contrast of the worst runs.
    assert probe(claim, lab, 12).scores(lab, {}, range(12)).mean() == pytest.approx(found.mean)


def test_equal_leverage_says_which(lab):
    notes = examine(claim_of("life_ltv"), lab, 4).notes
    assert (
        notes.startswith("Equal leverage is here the advance rate")
        and notes.count("advance rate 0.80, peak debt $") == 2
    )


def test_equal_debt_is_equal(lab):
    claim = claim_of("life")
    ltv = equal_level(claim, claim.level, lab, 8)
    short, long = (
        lab.values(arm, range(8), ["debt_peak"]).mean()
        for arm in (claim.arms["36 months"], claim.arms["120 months"] | {"lenders.max_ltv": ltv})
    )
    assert 0.2 < ltv < 0.8
    assert long == pytest.approx(short, rel=0.03)


def test_away_from_the_base_debt_is_made_equal_between_two_advance_rates(lab):
    claim = replace(claim_of("life"), reads="debt_peak", scale=1e-9)
    tried = probe(claim, lab, 8)
    assert list(tried.arms) == ["36 months", "below", "above"]
    scores = tried.scores(lab, {"credit.growth_limit": 0.5}, range(8))
    # What is made equal differs run by run, but not on average.
    assert scores.mean() == pytest.approx(0.0, abs=1e-6) and scores.std() > 0.01


def test_the_document_has_every_claim_with_its_verdict():
    text = (ROOT / "docs" / "claims.md").read_text(encoding="utf-8")
    for claim in CLAIMS:
        assert claim.claim in text
        assert (ROOT / "docs" / "images" / f"claim_{claim.key}.svg").exists()
    rows = [line for line in text.splitlines() if line.startswith("| [")]
    assert len(rows) == len(CLAIMS)
    assert all(re.search(r"\| (holds|does not hold|not decided|depends)", row) for row in rows)


@pytest.mark.parametrize("file", STUDIES, ids=lambda f: f.stem)
def test_every_shipped_study_is_sound(file):
    study = read_study(file)
    assert 500 <= study.runs <= 5_000
    study.scenario_at(len(study.points) - 1)
