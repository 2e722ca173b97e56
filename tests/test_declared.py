"""Declared means used: every parameter acts, every column has a writer, what is of the month does not outlive it."""

from __future__ import annotations

import hashlib
import re
from functools import cache
from typing import Any

import numpy as np
import pytest

from agents.schema import TABLES
from simulation import load_scenario
from simulation.month import MONTH, advance
from simulation.runs import play
from simulation.scenario.config import provenance, set_path
from simulation.scenario.faults import ConfigError
from simulation.scenario.scenario import Scenario, leaves
from simulation.scenario.walking import declared
from simulation.schedule import schedule
from simulation.world.build import build_world
from simulation.world.world import World
from tests.conftest import BASE, BASE_FILE, LESSONS

SMALL = {
    "run.months": 20, "neoclouds.count": 10, "miners.count": 6, "buyers.enterprise.count": 12, "buyers.research.count": 4,
    "buyers.hyperscaler.count": 3, "buyers.dealer.count": 6, "buyers.scrap.count": 4, "notes.first_month": 1,
    "buyers.convertible_share": 0.2,
}  # fmt: skip
HARD = {
    **SMALL, "drivers.regimes.first_month": 1, "drivers.regimes.entry": 0.5, "drivers.demand.stress_drift": -0.2,
    "lenders.capital_scale": 0.3, "lenders.runnable_scale": 2.0, "lenders.bdc.count": 4,
}  # fmt: skip
CRASH = {
    **HARD, "drivers.regimes.first_month": 2, "drivers.demand.stress_drift": -0.5, "lenders.capital_scale": 0.1,
    "lenders.max_ltv": 1.0, "lenders.mark_to_market": 1.0, "run.months": 30,
}  # fmt: skip
#: Scenarios and seeds in which a parameter is tried, one after another, until it moves a run.
SETTINGS: tuple[tuple[str, dict[str, Any], int], ...] = (
    ("base", HARD, 2),
    ("base", SMALL, 2),
    ("base", {**HARD, "market.venue": "inverse_demand", "drivers.coin.path": "regime", "run.months": 36}, 3),
    ("base", {**HARD, "market.venue": "exchange", "drivers.coin.path": "bootstrap", "networks.redraw": True}, 2),
    ("base", {**HARD, "policy.backstop.capacity": 1e9, "policy.backstop.trigger": 0.05, "market.receivership": 0.0, "buyers.budget_scale": 0.05, "policy.insurance.coverage": 0.5, "policy.insurance.premium": 0.01}, 2),
    ("base", {**SMALL, "run.months": 60, "policy.ltv_slope": 2.0, "policy.disclosure": 0.5}, 2),
    ("base", {**HARD, "drivers.block.units": 5000, "drivers.block.month": 6}, 2),
    ("base", {**HARD, "lenders.mark_to_market": 1.0, "lenders.max_ltv": 1.0, "run.months": 36}, 3),
    ("base", {**SMALL, "drivers.regimes.first_month": 1, "drivers.regimes.entry": 0.5, "drivers.coin.path": "regime", "miners.pledge": 1.0, "run.months": 36}, 2),
    ("base", {**SMALL, "networks.lending": "erdos_renyi", "networks.contacts": "scale_free", "networks.funding": "erdos_renyi"}, 2),
    ("base", {**SMALL, "vendor.capacity": 1e8, "vendor.first": 2, "vendor.last": 12, "customers.credit_feedback": 0.5}, 2),
    ("base", CRASH, 6),
    ("base", {**SMALL, "drivers.demand.growth": [0.09]}, 2),
    ("base", {**SMALL, "drivers.coin.path": "regime", "drivers.coin.stress_jump": -0.6, "drivers.coin.stress_drift": -0.3, "drivers.regimes.first_month": 8, "drivers.regimes.entry": 0.3, "miners.pledge": 1.0, "rental.trend": 0.0, "run.months": 30}, 4),
    ("base", {"drivers.regimes.first_month": 12, "drivers.regimes.entry": 0.2, "lenders.capital_scale": 0.4, "lenders.mark_to_market": 1.0, "run.months": 50}, 1),
    ("base", {"drivers.regimes.first_month": 12, "drivers.regimes.entry": 0.2, "lenders.capital_scale": 0.4, "lenders.mark_to_market": 1.0, "lenders.bdc.count": 9, "run.months": 50}, 4),
    ("base", {"drivers.regimes.first_month": 14, "drivers.regimes.entry": 0.3, "drivers.demand.stress_drift": -0.15, "run.months": 48, "lenders.bank.capital": 3e8, "lenders.bank.max_ltv": 1.1, "lenders.bank.mark_to_market": 1.0, "lenders.bank.runnable": 1.0, "lenders.bdc.wholesale": 1.0, "lenders.bdc.max_ltv": 1.0}, 5),
    ("base", {"lenders.crypto_lender.count": 4, "miners.pledge": 1.0, "drivers.coin.path": "regime", "drivers.coin.stress_jump": -0.5, "drivers.regimes.first_month": 14, "drivers.regimes.entry": 0.3, "drivers.regimes.coupling": 0.0, "run.months": 40}, 5),
    ("lender_run", {}, 1),
    ("margin_spiral", {}, 1),
    ("double_leverage", {}, 1),
)  # fmt: skip


@cache
def scenario_of(k: int) -> Scenario:
    """Return the scenario of a setting."""
    name, changes, _ = SETTINGS[k]
    return set_path(BASE if name == "base" else load_scenario(LESSONS / f"{name}.yaml"), changes)


#: What a run cannot show: texts, what only stops it, and what belongs to the page or to files, which have tests of their own.
ELSEWHERE = re.compile(
    r"^(title|run\.(start|max_turns)|lesson\..*|.*\.file|.*_file|drivers\.coin\.series|chips\..*\.name)$"
)


def digest(world: World) -> str:
    """Return a hash of all that a run leaves, its parameters left out."""
    arrays = (array for name, array in zip(World._fields, world, strict=True) if name != "terms")
    return hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in arrays)).hexdigest()


def others(path: str, value: Any, field: Any) -> list[Any]:
    """Return other values of a parameter, within its bounds where they are easily told."""
    if isinstance(value, bool):
        return [not value]
    if path in ("marks.reference_chip", "drivers.block.chip"):
        return ["B200", "A100"]
    if isinstance(value, str):
        return [choice for choice in getattr(field.annotation, "__args__", ()) if choice != value]
    if isinstance(value, tuple):
        return [tuple(0.6 * x for x in value), tuple(1.5 * x for x in value)]
    if value is None:
        return [0.5, 30.0]
    whole = isinstance(value, int)
    tried = [
        value * 0.5,
        value * 1.5,
        value * 3.0,
        value + 1,
        value + 0.3,
        value - 2,
        value * 0.0,
        value + 30,
        value * 100.0,
        value * 1.1,
        value * 0.9,
        value * 0.7,
    ]
    return [int(x) if whole else float(x) for x in tried if x != value]


@cache
def untouched(k: int) -> str:
    """Return the hash of the run of a setting."""
    return digest(play(scenario_of(k), SETTINGS[k][2]))


def acts(path: str, field: Any) -> bool:
    """Return whether a change of the parameter changes a run in one of the settings."""
    for k in range(len(SETTINGS)):
        scenario = scenario_of(k)
        value = {p: v for p, v, _ in leaves(scenario)}[path]
        for other in others(path, value, field):
            try:
                changed = set_path(scenario, {path: list(other) if isinstance(other, tuple) else other})
            except ConfigError:  # out of bounds: another value is tried
                continue
            if digest(play(changed, SETTINGS[k][2])) != untouched(k):
                return True
    return False


#: Acts only in what no setting here brings about; the specification named shows that it acts.
SPECIFIED = {
    "funding.recovery_interlender": "two lenders fail in one round with a line between them: tests/rules/agents/lenders/test_failure.py",
}
PARAMETERS = [
    (path, field)
    for path, _, field in declared()
    if not path.startswith("chips") and path not in SPECIFIED and not ELSEWHERE.match(path)
]


@pytest.mark.parametrize("section", sorted({path.split(".")[0] for path, _ in PARAMETERS}))
def test_every_parameter_acts_somewhere(section):
    idle = [path for path, field in PARAMETERS if path.split(".")[0] == section and not acts(path, field)]
    assert not idle, f"declared and without effect: {idle}"


def test_every_column_is_touched_by_a_rule():
    touched = {name for step in schedule() for name in step.reads | step.writes}
    # The index of the phase moves between rules; opened and the like are for whoever reads results; by their shares
    # customers are drawn before the run.
    read_elsewhere = {"clock.phase", "chips.reference", "tape.kind", "customers.share"}
    columns = {f"{table.name}.{column.name}" for table in TABLES.values() for column in table.columns}
    logs = {name for name in columns if name.split(".")[0] in ("paths",)}
    assert not columns - touched - read_elsewhere - logs


#: Of the month or round, and handed on on purpose.
HANDED_ON = {
    ("operators", "due"): "becomes what was due a month ago",
    ("operators", "drained"): "fades over the months",
    ("operators", "failing"): "a default announced is carried out when the next cascade opens",
    ("loans", "collateral"): "the mark at the close is what a balloon is rolled on",
}


def monthly_columns() -> list[tuple[str, str]]:
    """Return (table, column) of what is said to be of the month or of the round, in tables of the state."""
    state = set(World._fields) - {"trades", "events", "panel", "chip_panel", "kind_panel", "tape", "paths", "terms"}
    return [
        (table.name, column.name)
        for table in TABLES.values()
        if table.name in state
        for column in table.columns
        if re.search(r"this month|of the month|this round", column.meaning)
        and (table.name, column.name) not in HANDED_ON
    ]


@pytest.mark.parametrize(("table", "column"), monthly_columns())
def test_what_is_of_the_month_does_not_outlive_it(table, column):
    """The column is poisoned at the end of a month: the next one must not notice."""
    worlds = [build_world(set_path(BASE, HARD), 3) for _ in range(2)]
    for world in worlds:
        for _ in range(5):
            advance(world, MONTH)
    rows = getattr(worlds[1], table)
    # What has ended keeps its last month: free rows of contracts, claims in default.
    alive = (rows.status == 1) | (rows.status == 2) if table == "loans" else np.ones(len(rows), bool)
    assert alive.any()
    rows[column][alive] = 123
    for world in worlds:
        advance(world, MONTH)
    wrong = [
        f"{name}.{c}"
        for name, one, two in zip(World._fields, *worlds, strict=True)
        if one.dtype.names
        for c in one.dtype.names
        if not np.array_equal(one[c], two[c], equal_nan=one[c].dtype.kind == "f")
    ]
    assert not wrong


def test_the_order_of_generations_in_a_file_changes_nothing(tmp_path):
    text = BASE_FILE.read_text(encoding="utf-8")
    head, rest = text.split("chips:", 1)
    first, *lines = rest.split("\n")
    count = next(k for k, line in enumerate(lines) if not line.startswith("  - "))
    assert count >= 5
    shuffled = [*lines[:count][::-1], *lines[count:]]
    text = head + "chips:" + first + "\n" + "\n".join(shuffled)
    (tmp_path / "turned.yaml").write_text(text, encoding="utf-8")
    turned = set_path(
        load_scenario(tmp_path / "turned.yaml", ["drivers.coin.series=" + BASE.drivers.coin.series]), SMALL
    )
    assert [chip.name for chip in turned.chips] == [chip.name for chip in BASE.chips]
    assert digest(play(turned, 1)) == digest(play(set_path(BASE, SMALL), 1))


def test_where_a_value_of_a_generation_was_set_follows_its_order(tmp_path):
    (tmp_path / "two.yaml").write_text(
        "chips:\n"
        "  - {name: New, release: 3, list_price: 2000, performance: 2.0, power: 1.0}\n"
        "  - {name: Old, release: -9, list_price: 1000, performance: 1.0, power: 1.0}\n",
        encoding="utf-8",
    )
    found = provenance(tmp_path / "two.yaml")
    assert found["chips.Old.list_price"].endswith("two.yaml:3")
    assert found["chips.New.list_price"].endswith("two.yaml:2")


def test_the_reference_generation_is_named_or_the_nearest_to_an_h100():
    def reference(**changes: Any) -> str:
        scenario = set_path(BASE, changes)
        return scenario.chips[int(build_world(scenario, 1).chips.reference.argmax())].name

    assert reference() == "H100"
    assert reference(**{"marks.reference_chip": "B200"}) == "B200"
    assert reference(**{"chips.H100.performance": 0.2}) == "H200"


def test_sections_of_terms_hold_no_name_twice():
    names = [
        path.replace(".", "_")
        for path, _, _ in leaves(Scenario.model_construct(**{k: getattr(BASE, k) for k in Scenario.model_fields}))
    ]
    assert len(names) == len(set(names))
