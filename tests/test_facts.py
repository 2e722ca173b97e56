"""Stylised facts: how they are judged, what they measure by hand, and one of each sort run on a few seeds."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from agents.tables.events import Cause, EventKind
from experiments.evidence import fact_measures, facts
from experiments.evidence.facts import FACTS, FAILS, HOLDS, OPEN, Fact, check_fact, judge
from simulation.scenario.faults import ConfigError
from tests.rules.worlds import small_world


def made(bound=0.0, least=0.0, ceiling=math.inf, falls=False):
    return Fact(
        "made",
        "Made up.",
        "",
        "",
        lambda seeds, changes: [np.array([changes["x"]])] * len(seeds),
        lambda rows: float(np.mean(rows)),
        "x",
        {"x": 2.0},
        {"x": 1.0},
        bound,
        least,
        ceiling,
        falls,
    )


@pytest.mark.parametrize(
    ("fact", "on", "difference", "verdict"),
    [
        (made(), (1.0, 0.5, 1.5), (0.5, 0.1, 0.9), HOLDS),
        (made(), (1.0, -0.5, 1.5), (0.5, 0.1, 0.9), OPEN),
        (made(), (1.0, 0.5, 1.5), (0.5, -0.1, 0.9), OPEN),
        (made(), (-1.0, -1.5, -0.5), (0.5, 0.1, 0.9), FAILS),
        (made(), (1.0, 0.5, 1.5), (-0.5, -0.9, -0.1), FAILS),
        (made(least=0.2), (1.0, 0.5, 1.5), (0.1, 0.05, 0.15), FAILS),
        (made(ceiling=2.0), (2.5, 2.2, 2.8), (0.5, 0.1, 0.9), FAILS),
        (made(ceiling=2.0), (1.9, 1.7, 2.1), (0.5, 0.1, 0.9), OPEN),
        (made(falls=True), (0.2, 0.1, 0.3), (-0.8, -0.9, -0.7), HOLDS),
        (made(falls=True), (0.2, 0.1, 0.3), (0.8, 0.7, 0.9), FAILS),
    ],
)
def test_the_verdict_follows_from_the_intervals(fact, on, difference, verdict):
    assert judge(fact, on, difference) == verdict


def test_intervals_are_those_of_a_bootstrap():
    rng = np.random.default_rng(1)
    values = {1.0: rng.normal(1.0, 1.0, 400), 0.0: rng.normal(0.0, 1.0, 400)}
    fact = Fact(
        "noise",
        "",
        "",
        "",
        lambda seeds, c: [np.array([v]) for v in values[c["x"]]],
        lambda rows: float(np.mean(rows)),
        "",
        {"x": 1.0},
        {"x": 0.0},
    )
    result = check_fact(fact, range(400))
    assert result.verdict == HOLDS
    half = 1.96 * values[1.0].std() / 20
    assert result.on[1:] == pytest.approx((values[1.0].mean() - half, values[1.0].mean() + half), abs=0.03)
    assert result.difference[0] == pytest.approx(result.on[0] - result.off[0])


def test_half_life_and_overshoot_by_hand():
    # Down by 1, a straight way back to -0.2 within eight months, and there it stays.
    path = np.r_[np.linspace(-1.0, -0.2, 9), np.full(13, -0.2)]
    assert fact_measures.overshoot([path]) == pytest.approx(0.8)
    assert fact_measures.half_life([path, path]) == pytest.approx(4.0)


def test_statistics_by_hand():
    assert fact_measures.convexity([np.array([1.0, 2.0, 5.0])]) == pytest.approx(2.0)
    assert fact_measures.threshold([np.array([4.0, 3.5, 1.0, 0.5])]) == pytest.approx(2.0)
    assert fact_measures.extent([np.array(x) for x in (0.0, 0.02, 0.3, 0.5)]) == pytest.approx(0.4)
    assert fact_measures.extent([np.array(0.01)]) == 0.0
    assert fact_measures.fano(list(np.random.default_rng(2).poisson(3.0, (400, 20)))) == pytest.approx(1.0, abs=0.1)
    assert fact_measures.hump([np.array([0.1, 0.9, 0.2])]) == pytest.approx(0.7)
    assert fact_measures.age_part([np.array([1.0, 2.0]), np.array([0.5, 0.5])]) == pytest.approx(1.5 / 4)
    assert fact_measures.weighted_mean([np.array([[0.2, 1.0]]), np.array([[0.6, 3.0]])]) == pytest.approx(0.5)
    assert fact_measures.convex_sales([np.array([0.1, 0.5])]) == pytest.approx(0.0)
    assert fact_measures.convex_sales([np.array([0.0, 0.5])]) == pytest.approx(1.0)


def test_the_parts_of_the_discount_sum_to_the_raw_one():
    # With prices frozen at the value in use nothing is left to liquidity.
    rows = fact_measures.discount_parts(range(1, 25), facts.FROZEN)
    assert any(r[0] != 0 for r in rows)
    assert sum(r[1] for r in rows) == pytest.approx(0.0, abs=1e-6 * sum(abs(r[0]) for r in rows))


def test_settled_are_those_amended_that_lose_nothing_to_their_lenders():
    w = small_world(lenders=2, operators=7)
    nodes = [len(w.lenders) + o for o in range(7)]
    happened = (
        (EventKind.WAIVER, Cause.LTV, 1, nodes[0]),  # the borrower is the counterparty
        (EventKind.SWAP, Cause.DSCR, nodes[1], 1),  # or named as whom it happened to
        (EventKind.SWAP, Cause.DSCR, nodes[1], 1),
        (EventKind.EXTENSION, Cause.CASH_FLOW, 0, nodes[2]),
        (EventKind.DEFAULT, Cause.CASH_FLOW, nodes[2], -1),
        (EventKind.DEFAULT, Cause.LTV, nodes[3], -1),
        (EventKind.MARGIN_CALL, Cause.LTV, nodes[4], 0),
        (EventKind.EXTENSION, Cause.CASH_FLOW, 0, nodes[5]),
        (EventKind.SURRENDER, Cause.DSCR, nodes[5], 0),  # a vehicle alone
        (EventKind.WAIVER, Cause.DSCR, 0, nodes[6]),  # a sweep begins: the contract says so
    )
    for k, (kind, cause, node, other) in enumerate(happened):
        w.events[k].kind, w.events[k].cause, w.events[k].node, w.events[k].other = kind, cause, node, other
    w.clock[0].events = len(happened)
    assert fact_measures.count_settled(w).tolist() == [2.0, 5.0]
    assert fact_measures.settled([np.array([2.0, 4.0]), np.array([0.0, 4.0])]) == 0.25
    assert fact_measures.settled([np.zeros(2)]) == 0.0


def test_hurry_costs_what_time_would_bring():
    assert fact_measures.cost_of_hurry([np.array([0.3, 1.0]), np.array([0.5, 0.9])]) == pytest.approx(0.55)


def test_what_there_is_nothing_of_is_left_empty_in_tables_and_in_json():
    # Not one seed of the arm without the mechanism shows anything.
    empty = Fact(
        "empty", "", "", "", lambda seeds, c: [np.array([c["x"]])] * len(seeds), lambda rows: float(np.mean(rows)), "",
        {"x": 2.0}, {"x": math.nan},
    )  # fmt: skip
    result = check_fact(empty, range(3))
    assert result.verdict == OPEN and facts.rows([result])[0][1:3] == ("2.00 [2.00, 2.00]", "")
    assert "nan" not in facts.markdown([result], "x.png")
    (told,) = json.loads(json.dumps(facts.as_json([result]), allow_nan=False))
    assert told["on"] == [2.0, 2.0, 2.0] and told["off"] == [None] * 3


@pytest.mark.parametrize("key", [f.key for f in FACTS])
def test_every_fact_runs(key):
    (result,) = facts.run_facts(6, only={key})
    assert key in facts.markdown([result], "x.png")
    assert json.loads(json.dumps(facts.as_json([result])))[0]["fact"] == key
    assert len(facts.draw([result]).axes) == 3
    assert result.verdict in (HOLDS, FAILS, OPEN)
    assert result.seeds == 6
    assert result.on[1] <= result.on[0] <= result.on[2]


def test_an_unknown_fact_is_refused(firesale):
    with pytest.raises(ConfigError, match="no fact 'gravity'"):
        facts.run_facts(2, only={"gravity"})
    code, _, err = firesale("validate", "--facts", "--only", "gravity")
    assert code == 2 and "peers" in err
