"""Policies: off they change nothing; on they do what they say."""

from __future__ import annotations

import numpy as np
import pytest

from agents.tables.events import SaleReason
from agents.tables.ledger import ITEMS
from agents.tables.loans import LoanKind, LoanStatus
from experiments.sweeps.study import read_study
from simulation import run
from simulation.runs import play
from simulation.scenario.config import set_path
from tests.conftest import BASE, ROOT

STRESSED = set_path(BASE, {
    "run.months": 30, "drivers.regimes.first_month": 10, "drivers.regimes.entry": 0.5, "drivers.demand.stress_drift": -0.2,
    "neoclouds.count": 20, "miners.count": 6,
})  # fmt: skip
SEED = 5


@pytest.fixture(scope="module")
def plain():
    return play(STRESSED, SEED)


def flow(world, name):
    return world.flows[:, [item.name for item in ITEMS].index(name)].sum()


def seized_and_sold(world):
    """Return the units of seized GPUs sold, by month."""
    trades = world.trades[: world.clock[0].trades]
    seized = trades[trades.reason == SaleReason.SEIZED]
    return np.bincount(seized.month, seized.units, len(world.panel))


def test_the_stress_is_one(plain):
    assert (plain.operators.status == 2).sum() > 3
    assert plain.chip_panel.forced.sum() > 0


@pytest.mark.parametrize(
    "change",
    [
        {"policy.pacing": 0.2}, {"policy.ltv_slope": 1.0}, {"policy.haircut_relief": 1.0}, {"policy.insurance.coverage": 0.8},
        {"policy.disclosure": 1.0}, {"policy.matched_amortisation": True}, {"policy.backstop.capacity": 1e10},
        {"vendor.capacity": 1e10},
        {"market.venue": "exchange"}, {"lenders.mark_to_market": 0.0},
    ],
)  # fmt: skip
def test_each_policy_changes_the_run_and_keeps_the_accounts(plain, change):
    world = play(set_path(STRESSED, change), SEED)
    assert not np.array_equal(world.panel, plain.panel)
    assert np.abs(world.panel.residual).max() < 1e3


def test_pacing_offers_a_part_a_month(plain):
    paced = play(set_path(STRESSED, {"policy.pacing": 0.1}), SEED)
    at_once, in_parts = (seized_and_sold(world) for world in (plain, paced))
    first = int(np.flatnonzero(at_once)[0])
    assert not in_parts[:first].any()
    assert 0.0 < in_parts[first] < 0.2 * at_once[first]


def test_insurance_pays_what_it_takes_in_books_and_no_more_than_its_capacity(plain):
    world = play(set_path(STRESSED, {"policy.insurance.coverage": 0.8}), SEED)
    assert flow(world, "insurance_claim") > 0 and flow(world, "insurance_premium") > 0
    assert world.clock[0].insured == pytest.approx(flow(world, "insurance_claim"))
    small = play(set_path(STRESSED, {"policy.insurance.coverage": 0.8, "policy.insurance.capacity": 1e6}), SEED)
    assert flow(small, "insurance_claim") == pytest.approx(1e6)
    assert flow(plain, "insurance_claim") == flow(plain, "insurance_premium") == 0


def test_haircuts_stay_calm_under_relief(plain):
    world = play(set_path(STRESSED, {"policy.haircut_relief": 1.0}), SEED)
    assert plain.panel.haircut.max() > STRESSED.funding.haircut + 0.05
    assert world.panel.haircut == pytest.approx(STRESSED.funding.haircut)


def test_the_ltv_cap_leans_against_growth(plain):
    world = play(set_path(STRESSED, {"policy.ltv_slope": 2.0}), SEED)
    grew = np.flatnonzero(plain.panel.debt[12:] > 1.4 * plain.panel.debt[:-12]) + 13
    assert len(grew)
    month = int(grew[0])
    assert world.panel.advance_rate[month] < plain.panel.advance_rate[month] - 0.05


def test_disclosure_cuts_advance_rates_when_the_market_is_thin(plain):
    world = play(set_path(STRESSED, {"policy.disclosure": 1.0}), SEED)
    thin = np.flatnonzero(world.panel.largest_executable_ltv[:-1] > 2.0)
    assert len(thin)
    assert world.panel.advance_rate[thin[0] + 1] < plain.panel.advance_rate[thin[0] + 1]


def test_matched_loans_have_no_balloon():
    world = play(set_path(STRESSED, {"policy.matched_amortisation": True, "run.months": 12}), SEED)
    loans = world.loans[
        (world.loans.status != LoanStatus.FREE) & (world.loans.kind == LoanKind.EQUIPMENT) & (world.loans.opened > 0)
    ]
    assert len(loans)
    left = loans.principal / loans.amortisation
    assert (loans.maturity - world.clock[0].month + 1 >= left - 1.0).all()


def test_the_shipped_study_of_policies_names_them_all():
    study = read_study(ROOT / "configs" / "sweeps" / "policies.yaml")
    changed = {part for point in study.points for path in point for part in path.split(".")}
    for name in (
        "backstop",
        "pacing",
        "ltv_slope",
        "haircut_relief",
        "mark_to_market",
        "insurance",
        "venue",
        "disclosure",
        "matched_amortisation",
    ):
        assert name in changed
    assert run(BASE.model_copy(), 1, amplification=False).summary["months"] == 60
