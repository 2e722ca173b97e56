"""Published results come out of the engine's rules; a wrong expectation is seen; other data than the shipped ones work."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.validation import SHIPPED, check_cases, load_cases
from experiments.validation.check import FAIL, PASS, UNKNOWN, check_case
from experiments.validation.funds import hill_index
from experiments.validation.reference import balance_sheets, numpy_rounds
from experiments.validation.stress import scaled
from simulation.literature.deleveraging import cascade, deleverage, make_system
from simulation.literature.distress import spread_distress
from simulation.literature.equilibrium import Market, equilibrium, sales_at, world_equilibrium
from simulation.markets.impact import price_left
from simulation.month import MONTH, advance
from simulation.scenario.config import load_scenario
from simulation.scenario.document import base_config
from simulation.world.build import build_world

CASES = load_cases()
ORACLES = os.environ.get("FIRESALE_ORACLES")


def explain(check):
    worst = check.worst
    return f"{check.case.id}: {check.note} {worst}"


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.id)
def test_shipped_case(case):
    check = check_case(case)
    assert check.verdict == PASS, explain(check)
    assert check.quantities
    assert not check.passed_over


@pytest.mark.skipif(not ORACLES, reason="FIRESALE_ORACLES names no folder of further cases")
def test_further_cases():
    shipped = {c.id for c in CASES}
    further = [c for c in load_cases(Path(ORACLES)) if c.id not in shipped]
    assert further
    for check in check_cases(further):
        assert check.verdict == PASS, explain(check)


@pytest.mark.parametrize(
    "name", ["EN-1", "CFS-1", "CFS-N2", "FEIN-1", "D-exact", "GLT-1", "CS-1", "DR-chain", "CA-4", "CM-3", "H-1"]
)
def test_every_expected_number_is_compared(name):
    # Move each number of the case in turn by a thousandth: the verdict must notice.
    case = next(c for c in CASES if c.id == name)
    seen = 0
    for path in list(numbers(case.expected)):
        expected = json.loads(json.dumps(case.expected))
        spot = expected
        for key in path[:-1]:
            spot = spot[key]
        if any(str(k).endswith("_exact") or k == "shock" for k in path):
            continue
        spot[path[-1]] += 1e-3 * max(1.0, abs(spot[path[-1]])) if "finite_agents" not in path else 0.2
        assert check_case(case._replace(expected=expected)).verdict == FAIL, path
        seen += 1
    assert seen > 2


def numbers(value, path=()):
    if isinstance(value, dict):
        for key, part in value.items():
            yield from numbers(part, (*path, key))
    elif isinstance(value, list):
        for key, part in enumerate(value):
            yield from numbers(part, (*path, key))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield path


def test_windows_notice_another_model():
    # A buffer of 5 % is another window than one of 4 %.
    case = next(c for c in CASES if c.id == "C-0.04-strict")
    at = [k for k, z in enumerate(case.inputs["z"]) if z in (4, 5)]
    part = {k: [case.expected[k][j] for j in at] for k in ("frequency", "extent")}
    inputs = case.inputs | {"z": [4, 5], "draws": 200}
    assert check_case(case._replace(inputs=inputs, expected=part)).verdict == PASS
    assert check_case(case._replace(inputs=inputs | {"K": 0.055}, expected=part)).verdict == FAIL


# --- case files -----------------------------------------------------------------------------------------------------


def cases_in(tmp_path, text):
    (tmp_path / "cases.json").write_text(text)
    return load_cases(tmp_path)


def test_a_new_case_of_a_known_form_needs_no_code(tmp_path):
    doc = {
        "oracle": "a",
        "cases": [
            {
                "id": "EN-new",
                "inputs": {
                    "L": [["0", "2"], ["0", "0"]],
                    "external_assets": ["1/2", "1"],
                    "external_liabilities": [0, 0],
                },
                "expected": {"clearing_vector": ["1/2", 0], "defaults": [0]},
            }
        ],
    }
    (check,) = check_cases(cases_in(tmp_path, json.dumps(doc)))
    assert check.verdict == PASS
    doc["cases"][0]["expected"]["clearing_vector"][0] = 0.6
    (check,) = check_cases(cases_in(tmp_path, json.dumps(doc)))
    assert check.verdict == FAIL
    assert check.worst.name == "clearing_vector[0]"


def test_what_is_not_known_is_said(tmp_path, firesale):
    doc = {"oracle": "k", "cases": [{"id": "K-1", "inputs": {"volcano": 1}, "expected": {"ash": 2}}]}
    (check,) = check_cases(cases_in(tmp_path, json.dumps(doc)))
    assert check.verdict == UNKNOWN
    assert "volcano" in check.note
    code, out, _ = firesale("validate", str(tmp_path))
    assert code == 1
    assert "unknown form" in out
    assert "volcano" in out


def test_expected_values_that_are_not_computed_are_named(tmp_path):
    doc = {
        "cases": [
            {
                "id": "g",
                "inputs": {"bids": [[2, 1]], "asks": [[1, 1]], "reference": None},
                "expected": {"price": 1.5, "mood": 3},
            }
        ]
    }
    (check,) = check_cases(cases_in(tmp_path, json.dumps(doc)))
    assert check.verdict == PASS
    assert check.passed_over == ["mood"]


def test_inputs_that_do_not_fit_are_a_failure_with_a_reason(tmp_path):
    doc = {"cases": [{"id": "a", "inputs": {"L": [[0, 1]], "external_assets": [1, 2]}, "expected": {"defaults": []}}]}
    (check,) = check_cases(cases_in(tmp_path, json.dumps(doc)))
    assert check.verdict == FAIL
    assert "2 x 2" in check.note


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('{"a": 1,}', "cases.json:1:"),
        ("[1]", "cases.json:1:1"),
        ('{"cases": [3]}', "must be an object"),
        ('{"cases": [{"inputs": 1, "expected": {}}]}', "must be objects"),
        ("\xff", "UTF-8"),
    ],
)
def test_bad_files_are_located(tmp_path, firesale, text, where):
    (tmp_path / "cases.json").write_bytes(text.encode("latin-1"))
    code, _, err = firesale("validate", str(tmp_path))
    assert code == 2 and where in err


@pytest.mark.parametrize("arguments", [["nowhere"], ["--only", "zz"], ["--scaled", "nowhere.npz"]])
def test_bad_arguments_are_refused(arguments, firesale):
    code, _, err = firesale("validate", *arguments)
    assert code == 2 and "Traceback" not in err


def test_json_holds_every_value(firesale):
    code, out, _ = firesale("validate", "--only", "a", "--json")
    rows = json.loads(out)
    assert code == 0
    assert {r["case"] for r in rows} == {"EN-1", "RV-1", "EN-2", "EN-3", "RV-2", "EN-6"}
    assert all(r["quantities"] and all(q["holds"] for q in r["quantities"]) for r in rows)


def test_the_written_block_is_replaced(tmp_path, firesale):
    page = tmp_path / "page.md"
    page.write_text("# Page\n\nbefore\n\n<!-- generated: cases -->\nold\n<!-- end -->\n\nafter\n")
    assert firesale("validate", "--only", "EN-1", "--write", str(page))[0] == 0
    text = page.read_text()
    assert "old" not in text
    assert "before" in text
    assert text.endswith("after\n")
    assert "EN-1" in text


# --- rounds of deleveraging against plain NumPy ------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 60),
    st.integers(1, 8),
    st.integers(0, 10_000),
    st.floats(0, 0.5),
    st.floats(0.0, 0.1),
    st.sampled_from([0.035, 0.04, 1.0]),
)
def test_rounds_agree_with_numpy(n, m, seed, shock, impact, trigger):
    x = balance_sheets(n, m, seed)
    half = 0.5 * x["liabilities"]
    beta = -math.log(1 - impact) / 0.05
    rules = {"impact": beta, "minimum": 0.03, "trigger": trigger, "target": 0.05}
    expected = numpy_rounds(x["cash"], x["holdings"], x["other_assets"], half, half, shock=shock, steps=8, **rules)
    system = make_system(x["cash"], x["holdings"], x["other_assets"], half, half, borne=0.5, **rules)
    system.assets["price"][0] *= 1 - shock
    got = deleverage(system, 8)
    assert got.failures.tolist() == expected[0].tolist()
    assert got.sold == pytest.approx(expected[1], abs=1e-9)


def test_scaled_reads_arrays_and_says_what_is_missing(tmp_path, firesale):
    x = balance_sheets(300, 10, 5)
    np.savez(tmp_path / "x.npz", **x)
    got = scaled(str(tmp_path / "x.npz"), repeats=1)
    half = 0.5 * x["liabilities"]
    rules = {"impact": -math.log(0.99) / 0.05, "minimum": 0.03, "trigger": 0.04, "target": 0.05}
    expected = numpy_rounds(x["cash"], x["holdings"], x["other_assets"], half, half, shock=0.2, steps=10, **rules)
    assert got.failures.tolist() == expected[0].tolist()
    assert got.sold == pytest.approx(expected[1], abs=1e-9)
    assert got.difference < 1e-9
    assert scaled("300x10", repeats=1).institutions == 300
    code, out, _ = firesale("validate", "--scaled", str(tmp_path / "x.npz"))
    assert code == 0
    assert f"defaults: {sum(expected[0])} " in out
    assert "milliseconds" in out
    for name, value, words in (
        ("cash", None, "lacks the array cash"),
        ("equity", x["equity"] * 2, "does not balance"),
        ("holdings", x["holdings"][:, 0], "N x M"),
        ("cash", x["cash"] * np.nan, "finite"),
    ):
        arrays = {k: v for k, v in x.items() if k != name} | ({name: value} if value is not None else {})
        np.savez(tmp_path / "y.npz", **arrays)
        code, _, err = firesale("validate", "--scaled", str(tmp_path / "y.npz"))
        assert code == 2 and words in err
    (tmp_path / "z.npz").write_text("no")
    assert firesale("validate", "--scaled", str(tmp_path / "z.npz"))[0] == 2


def test_a_cascade_ends_and_leaves_nothing_with_those_that_failed():
    weights = np.array([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]])
    system = make_system(np.zeros(3), weights, np.zeros(3), np.full(3, 0.9), np.zeros(3), impact=2.0)
    system.institutions["loan"][0] = 2.0
    failed = cascade(system)
    dead = np.repeat(system.institutions["failed"], np.diff(system.first)) == 1
    assert failed == system.institutions["failed"].sum() == 3
    assert (system.holdings["units"][dead] == 0).all()


def test_shapes_are_checked():
    with pytest.raises(ValueError, match="matrix"):
        make_system(np.zeros(2), np.zeros((3, 1)), np.zeros(2), np.zeros(2), np.zeros(2))
    with pytest.raises(ValueError, match="not negative"):
        make_system(np.zeros(1), np.array([[-1.0]]), np.zeros(1), np.zeros(1), np.zeros(1))
    with pytest.raises(ValueError, match="2 finite entries"):
        make_system(np.zeros(2), np.ones((2, 1)), np.zeros(3), np.zeros(2), np.zeros(2))
    with pytest.raises(ValueError, match="single_hit"):
        spread_distress(np.zeros((1, 1)), np.ones(1), np.zeros(1), "magic")


# --- equilibria -----------------------------------------------------------------------------------------------------


@settings(max_examples=80, deadline=None)
@given(
    st.integers(1, 6),
    st.integers(1, 3),
    st.integers(0, 10_000),
    st.sampled_from(["capital_ratio", "shortfall"]),
    st.floats(0.005, 0.2),
)
def test_equilibria_are_fixed_points_and_ordered(n, m, seed, rule, alpha):
    rng = np.random.default_rng(seed)
    owed = rng.uniform(0, 3, (n, n)) * (rng.random((n, n)) < 0.5)
    np.fill_diagonal(owed, 0)
    impact = np.diag(rng.uniform(0.2, 1, m)) * alpha
    market = Market(
        rng.uniform(0, 8, (n, m)),
        rng.uniform(0, 3, n),
        rng.uniform(2, 12, n),
        owed,
        lambda q: np.exp(-impact @ q),
        rule,
        0.1,
    )
    top, low = equilibrium(market), equilibrium(market, greatest=False)
    assert (low.prices <= top.prices + 1e-9).all()
    for found, greatest in ((top, True), (low, False)):
        assert found.at_rest
        share, *_ = market.respond(found.prices, greatest)
        assert market.demand(market.holdings.T @ share) == pytest.approx(found.prices, abs=1e-7)


def test_the_worlds_equilibria_are_fixed_points_and_leave_it_alone():
    scenario = load_scenario(base_config())
    left = getattr(price_left, "py_func", price_left)
    for seed in (1, 3, 4):
        world = build_world(scenario, seed)
        for _ in range(34):
            advance(world, MONTH)
        before = world.chips.copy(), world.loans.copy(), world.lots.copy()
        top, low = world_equilibrium(world), world_equilibrium(world, greatest=False)
        assert all((a == b).all() for a, b in zip(before, (world.chips, world.loans, world.lots), strict=True))
        assert (low.prices <= top.prices + 1e-6).all()
        assert low.uncovered >= top.uncovered - 1.0
        start = np.minimum(world.chips.appraisal, world.chips.fundamental)
        for found in (top, low):
            sold, relief = np.zeros(len(start)), np.zeros(len(world.operators))
            kept = world.chips.appraisal.copy()
            sales_at(world, found.prices, sold, relief)
            world.chips.appraisal[:] = kept
            part = [left(0, float(scenario.market.impact), float(x)) for x in sold / np.maximum(world.chips.stock, 1.0)]
            assert np.maximum(world.chips.scrap, start * part) == pytest.approx(found.prices, rel=1e-6)


def test_hill_index_of_a_pareto_tail():
    losses = np.random.default_rng(1).pareto(3.0, 200_000) + 1.0
    assert hill_index(losses) == pytest.approx(3.0, abs=0.1)


def test_every_file_of_cases_names_its_model():
    files = list(SHIPPED.glob("*.json"))
    assert files
    for file in files:
        doc = json.loads(file.read_text())
        assert doc["oracle"] == file.name[0]
        assert doc["title"]
