"""The hindcast: what the scenario may change, that the recorded path is followed, and the observables by hand."""

from __future__ import annotations

import csv
import math

import numpy as np
import pytest

from agents.tables.events import EVENT, TRADE, EventKind, SaleReason
from experiments.evidence.hindcast import CONFIG, HEADS, block_discount, draw, recorded, run_hindcast, stress_months
from simulation.runs import run
from simulation.scenario.config import load_scenario
from simulation.scenario.document import base_config
from simulation.scenario.scenario import leaves

#: Goods, recorded series, balance sheets, terms of contracts and technology: what the hindcast may set.
MAY_DIFFER = (
    "title", "run.", "chips", "drivers.file", "drivers.regimes.first_month", "drivers.coin.price", "rental.rent", "rental.overhead", "rental.trend",
    "rental.install_lag", "rental.contract_term", "neoclouds.count", "miners.count", "miners.power", "miners.fleet_share", "miners.hosting",
    "miners.utilisation", "miners.contract_share", "miners.btc", "miners.eth", "miners.hashrate", "miners.rig_price", "miners.halving_month",
    "miners.hashprice", "notes.size", "credit.initial_debt", "credit.maturity", "credit.soft_cost", "marks.asset_life", "marks.reference_hosting", "marks.rent_volatility",
    "customers.",
    "marks.reference_utilisation", "buyers.budget_scale", "buyers.power_scale",
)  # fmt: skip
_TRAITS = ("count", "capital", "max_ltv", "spread", "life", "hosting", "utilisation")


def test_behaviour_is_that_of_the_base():
    base = {path: value for path, value, _ in leaves(load_scenario(base_config()))}
    changed = [path for path, value, _ in leaves(load_scenario(CONFIG)) if value != base[path]]
    kinds = [p for p in changed if p.startswith(("lenders.", "buyers.")) and p.count(".") == 2]
    assert kinds and len(changed) > len(kinds)
    assert [p for p in kinds if p.rsplit(".", 1)[1] not in _TRAITS] == []
    assert [p for p in changed if p not in kinds and not p.startswith(MAY_DIFFER)] == []


def test_the_recorded_rent_is_followed():
    scenario = load_scenario(CONFIG)
    with open(CONFIG.with_suffix(".csv"), encoding="utf-8") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    result = run(scenario, 3, amplification=False)
    panel = result.world.panel
    assert panel["rent"] == pytest.approx([float(r["rent"]) for r in rows], rel=1e-12)
    assert panel["stress_coin"].tolist() == [int(r["stress_coin"]) for r in rows]
    assert not panel["stress_demand"].any()
    # What runs is what covers its cost: at the trough less than at the start.
    assert panel["running"][10] < panel["running"][0]


def trades(rows):
    table = TRADE.empty(len(rows))
    for k, row in enumerate(rows):
        for name, value in zip(("month", "chip", "seller", "units", "price", "reason"), row, strict=True):
            table[name][k] = value
    return table


def test_block_discount_by_hand():
    index = np.full((5, 2), 100.0)
    index[2] = 80.0
    rows = [
        (3, 0, 7, 600, 40.0, SaleReason.SEIZED),
        (3, 0, 7, 600, 60.0, SaleReason.SEIZED),
        (3, 1, 7, 500, 1.0, SaleReason.SEIZED),
        (3, 0, 8, 5000, 1.0, SaleReason.CHURN),
        (0, 0, 7, 9e3, 1.0, SaleReason.SEIZED),
    ]
    # One block of 1,200 at 50 on average against an index of 80 in the month before.
    assert block_discount(trades(rows), index) == pytest.approx(1 - 50 / 80)
    assert math.isnan(block_discount(trades(rows[2:]), index))


def test_stress_months_by_hand():
    events = EVENT.empty(3)
    events["kind"] = [EventKind.MARGIN_CALL, EventKind.DEFAULT, EventKind.DEFAULT]
    events["month"] = [4, 6, 9]
    sold = trades(
        [(8, 0, 1, 1, 1, SaleReason.SEIZED), (12, 0, 1, 1, 1, SaleReason.SEIZED), (20, 0, 1, 1, 1, SaleReason.CHURN)]
    )
    assert stress_months(events, sold) == 8.0
    assert math.isnan(stress_months(events[:0], sold))


def test_the_whole_hindcast_on_a_few_seeds():
    result = run_hindcast(seeds=4)
    rows = result.rows()
    assert len(rows) == len(recorded())
    assert {len(row) for row in rows} == {len(HEADS)}
    assert len(result.variants[0][2]) == 3
    for outcome in result.outcomes:
        assert outcome.traded[0] == pytest.approx(105, rel=0.1)
        assert 0 <= outcome.values["defaulted"] <= 1
        assert (np.diff(outcome.defaulted) >= 0).all()
    assert result.hashprice[10] == pytest.approx(55.94, rel=1e-3)
    assert "recovery" in result.markdown("x.png")
    assert len(draw(result).subfigs) == 2
