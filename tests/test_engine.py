"""The engine as a whole: identities, determinism, Mesa, common random numbers, the cache of rules."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.tables.events import SaleReason
from agents.tables.ledger import ITEM_PAYEE, ITEM_PAYER
from agents.tables.loans import LoanStatus
from simulation import ComputeCreditModel, run
from simulation.month import HORIZON, MONTH, STEP, advance
from simulation.runs import InvariantError, play, raise_fault
from simulation.scenario.config import set_path
from simulation.world.build import build_world
from tests.conftest import BASE, ROOT, STRESS, alone


def digest(world) -> str:
    return hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in world)).hexdigest()


CHOICES = {
    "market.venue": ["network", "exchange", "inverse_demand"],
    "lenders.max_ltv": [0.3, 1.2],
    "lenders.mark_to_market": [0.0, 1.0],
    "drivers.regimes.entry": [0.02, 0.3],
    "drivers.regimes.first_month": [0, 12],
    "drivers.demand.stress_drift": [-0.05, -0.2],
    "buyers.budget_scale": [0.0, 0.1, 20.0],
    "buyers.power_scale": [0.0, 1.0],
    "policy.backstop.capacity": [0.0, 1e10],
    "policy.frozen": [False, True],
    "networks.redraw": [True],
    "networks.lending": ["core_periphery", "erdos_renyi", "scale_free", "bipartite"],
    "lenders.capital_scale": [0.1, 5.0],
    "lenders.runnable_scale": [0.0, 4.0],
    "lenders.bank.count": [0, 2],
    "lenders.bdc.count": [0, 3],
    "miners.count": [0, 15],
    "neoclouds.count": [1, 10, 40],
    "buyers.dealer.count": [0, 35],
    "credit.maturity": [3, 36],
    "credit.initial_debt": [0.0, 1.0],
    "rental.elasticity": [0.4, 2.5],
    "rental.rent": [1.0, 9.0],
    "notes.size": [0.0, 2.0],
}
changes = st.fixed_dictionaries({}, optional={path: st.sampled_from(values) for path, values in CHOICES.items()})


@settings(max_examples=40, deadline=None, derandomize=True)
@given(changes, st.integers(0, 10_000), st.sampled_from([1, 7, 36]))
def test_identities_hold_in_random_scenarios(change, seed, months):
    world = play(set_path(BASE, change | {"run.months": months}), seed)
    lots = world.lots[world.lots.owner >= 0]
    units = np.bincount(lots.chip, lots.units, len(world.chips))
    assert units == pytest.approx(world.chips.initial + world.chips.added - world.chips.scrapped, rel=1e-9, abs=1e-3)
    listed = 0
    for node, row in enumerate(world.first_lot):
        while row >= 0:
            assert world.lots.owner[row] == node
            listed, row = listed + 1, world.lots.following[row]
    assert listed == len(lots)
    loans = world.loans[world.loans.status != LoanStatus.FREE]
    assert np.bincount(loans.lender, loans.principal, len(world.lenders)) == pytest.approx(
        world.lenders.book, rel=1e-9, abs=1.0
    )
    assert np.bincount(loans.borrower, loans.principal, len(world.operators)) == pytest.approx(
        world.operators.debt, rel=1e-9, abs=1.0
    )
    drawn = np.bincount(world.lines.debtor, world.lines.drawn, len(world.lenders)) if len(world.lines) else 0.0
    assert world.lenders.borrowed == pytest.approx(drawn, rel=1e-9, abs=1.0)
    for column in (
        world.lenders.cash,
        world.lenders.deposits,
        world.operators.cash,
        world.operators.btc,
        world.buyers.budget,
        lots.units,
    ):
        assert (column >= -1e-3).all()
    events = world.events[: world.clock[0].events]
    assert (events.parent < np.arange(len(events))).all()


def test_flows_explain_cash():
    world = build_world(set_path(BASE, STRESS), 3)
    cash = [t.sum() for t in (world.lenders.cash, world.operators.cash, world.buyers.budget)]
    advance(world, HORIZON)
    after = [t.sum() for t in (world.lenders.cash, world.operators.cash, world.buyers.budget)]
    total = world.flows.sum(0)
    for sector in range(3):
        explained = total[ITEM_PAYEE == sector].sum() - total[ITEM_PAYER == sector].sum()
        assert after[sector] - cash[sector] == pytest.approx(explained, abs=10.0)
    assert total.sum() > 0


def test_a_violated_identity_stops_the_run_and_names_it():
    world = build_world(set_path(BASE, {"run.months": 3}), 1)
    advance(world, MONTH)
    world.lots.units[0] += 1000.0
    advance(world, MONTH)
    with pytest.raises(InvariantError, match=r"GPU units not conserved \(month 1, phase record"):
        raise_fault(world)


def test_same_bytes_however_it_is_run():
    scenario = set_path(BASE, STRESS)
    expected = digest(play(scenario, 3))
    assert expected == digest(play(scenario, 3))
    assert expected != digest(play(scenario, 4))
    with ThreadPoolExecutor(2) as pool:
        assert set(pool.map(lambda _: digest(play(scenario, 3)), range(4))) == {expected}
    for step in (MONTH, STEP):
        world = build_world(scenario, 3)
        while world.clock[0].month < len(world.panel):
            advance(world, step)
        assert digest(world) == expected
    model = ComputeCreditModel(scenario, rng=3)
    while not model.finished:
        model.step()
    assert digest(model.world) == expected
    assert model.world.panel.defaults.sum() > 0, "the scenario is meant to hold defaults"


def test_same_bytes_in_other_processes_and_interpreted():
    code = "from tests.test_engine import BASE, STRESS, digest, play, set_path\nprint(digest(play(set_path(BASE, STRESS), 3)))"
    expected = digest(play(set_path(BASE, STRESS), 3))
    for environment in ({"PYTHONHASHSEED": "77"}, {"NUMBA_DISABLE_JIT": "1"}):
        assert alone(code, **environment).strip() == expected, environment


def test_a_policy_changes_no_draw():
    plain, changed = (
        build_world(BASE, 5),
        build_world(set_path(BASE, {"policy.backstop.capacity": 1e9, "lenders.max_ltv": 0.5}), 5),
    )
    assert plain.paths.tobytes() == changed.paths.tobytes()
    assert plain.taste.tobytes() == changed.taste.tobytes()
    assert plain.operators.hosting.tobytes() == changed.operators.hosting.tobytes()
    assert plain.lenders.life.tobytes() == changed.lenders.life.tobytes()
    assert plain.contact.tobytes() == changed.contact.tobytes()


def test_run_from_python_with_a_twin():
    scenario = set_path(BASE, {"run.months": 12})
    result = run(scenario, seed=1, twin=set_path(scenario, {"policy.backstop.capacity": 1e9}))
    assert len(result.panel) == 12 and result.summary["months"] == 12
    assert result.twin.panel.btc.tolist() == result.panel.btc.tolist()
    assert {"lenders", "operators", "loans", "events"} <= set(result.tables)


def test_mesa_views():
    model = ComputeCreditModel(set_path(BASE, {"run.months": 3}), rng=1)
    kinds = {kind.__name__: len(agents) for kind, agents in model.agents_by_type.items()}
    assert kinds == {"Lender": 20, "Neocloud": 40, "Miner": 15, "HardwareBuyer": 153, "Customer": 41}
    miner = next(a for a in model.agents if type(a).__name__ == "Miner")
    miner.btc = 123.0
    assert model.world.operators.btc[miner.row] == 123.0
    with pytest.raises(AttributeError, match="no attribute or column 'btcc'"):
        _ = miner.btcc
    model.sell_block("H100", 10_000)
    for _ in range(5):
        model.step()
    assert model.finished and not model.running
    sold = model.world.trades[: model.world.clock[0].trades]
    assert sold.units[sold.reason == 6].sum() > 0
    assert model.datacollector.get_model_vars_dataframe()["rent"].tolist() == model.world.panel.rent.tolist()
    for chip, units, days in (
        ("H1000", 1.0, 30),
        ("H100", -1.0, 30),
        ("H100", float("nan"), 30),
        ("H100", 1.0, 0),
        ("H100", 1.0, 7.5),
    ):
        with pytest.raises(ValueError):
            model.sell_block(chip, units, days)


def block_sales(days: int, by_hand: bool) -> dict[int, float]:
    """Return what is sold of 12,000 H100s that come in the second month to be sold within ``days`` (GPU by month)."""
    quiet = {"run.months": 6, "drivers.regimes.entry": 0.0, "market.search": "fixed"}
    if by_hand:
        model = ComputeCreditModel(set_path(BASE, quiet), rng=4)
        model.step()
        model.sell_block("H100", 12_000, days)
        while not model.finished:
            model.step()
        world = model.world
    else:
        block = {"drivers.block.month": 1, "drivers.block.units": 12_000, "drivers.block.days": days}
        world = play(set_path(BASE, {**quiet, **block}), 4)
    sold = world.trades[: world.clock[0].trades]
    sold = sold[sold.reason == SaleReason.IMPOSED]
    return {month: float(sold.units[sold.month == month].sum()) for month in range(6)}


@pytest.mark.parametrize("days", [7, 30, 90])
def test_a_block_is_sold_within_its_days_by_hand_as_by_the_drivers(days):
    sold = block_sales(days, by_hand=False)
    assert block_sales(days, by_hand=True) == pytest.approx(sold)
    assert sold[0] == 0.0 and 0.0 < sold[1] <= 12_000.0
    if days == 90:
        assert sold[1] <= 4_000.0 + 1e-6 and sold[1] + sold[2] <= 8_000.0 + 1e-6
    if days == 7:
        assert sold[1] < block_sales(30, by_hand=False)[1], "who has a week reaches fewer buyers"


def test_an_edit_of_a_helper_in_another_file_is_seen(tmp_path):
    shutil.copytree(ROOT / "agents", tmp_path / "agents", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "simulation", tmp_path / "simulation", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "simulation" / "probe.py").write_text(
        "from agents.rule import entry\nfrom agents.valuation import monthly_rent\n\n\n@entry\ndef probe(x):  # not @rule: Python calls it\n"
        "    return monthly_rent(x, 1.0, 1.0, 1.0, 0.0)\n"
    )
    environment = os.environ | {"FIRESALE_CACHE": str(tmp_path / "cache"), "PYTHONPATH": str(tmp_path)}

    def probe() -> tuple[str, str]:
        code = (
            "from simulation.probe import probe; from agents.rule import source_hash; print(probe(2.0), source_hash())"
        )
        return tuple(
            subprocess.run(
                [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
            ).stdout.split()
        )

    first, again = probe(), probe()
    assert first == again and float(first[0]) == 2.0
    helper = tmp_path / "agents" / "valuation.py"
    text = helper.read_text()
    assert "return rent * hours" in text
    helper.write_text(text.replace("return rent * hours", "return 3.0 * rent * hours"))
    edited = probe()
    assert float(edited[0]) == 6.0 and edited[1] != first[1]
    (tmp_path / "agents" / "views.py").write_text(
        (tmp_path / "agents" / "views.py").read_text() + "\n# an edit of a file without rules\n"
    )
    assert probe()[1] == edited[1]
