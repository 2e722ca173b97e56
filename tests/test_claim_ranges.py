"""How far claims reach: ranges come from declarations, flips are found where they are, noise gives none."""

from __future__ import annotations

import json
import math
import re
from zlib import crc32

import numpy as np
import pytest

from experiments.evidence.claims.catalogue import CLAIMS, Claim
from experiments.evidence.claims.document import chosen, write_claims
from experiments.evidence.claims.inference import Shift, chances_above, holm, p_beyond, share_above, shift
from experiments.evidence.claims.joint import latin_points
from experiments.evidence.claims.lab import Engine, Lab, Log, Played
from experiments.evidence.claims.ranges import explore
from experiments.evidence.claims.spans import LEFT_OUT, Span, unsourced
from simulation.scenario.config import set_path
from simulation.scenario.declare import par, said
from simulation.scenario.faults import ConfigError
from simulation.scenario.walking import parameters
from tests.conftest import BASE

SPANS, LEFT = unsourced(BASE)


def span_of(name):
    return next(span for span in SPANS if span.name == name)


# --- ranges -------------------------------------------------------------------------------------------------------


def test_every_number_without_a_source_is_tried_or_left_out_with_a_reason():
    numbers = {
        path
        for path, value, field in parameters(BASE)
        if said(field, "source") == "assumption" and isinstance(value, int | float | tuple) and value != ()
    }
    tried = {path for span in SPANS for path in span.paths}
    assert tried <= numbers
    assert numbers - tried <= {item.name for item in LEFT}
    assert not tried & {item.name for item in LEFT}
    assert all(item.reason for item in LEFT)
    assert len(SPANS) > 100


def test_no_pattern_of_what_is_left_out_is_idle():
    reasons = {item.reason for item in LEFT}
    assert [pattern for pattern, reason in LEFT_OUT if reason not in reasons] == []


def test_what_has_a_source_is_not_tried():
    assert not [span.name for span in SPANS if span.name in ("credit.maturity", "rental.rent", "neoclouds.hosting")]


@pytest.mark.parametrize("span", SPANS, ids=lambda span: span.name)
def test_ends_are_valid_and_the_base_lies_between(span):
    flat = lambda values: [x for v in values for x in (v if isinstance(v, list | tuple) else [v])]  # noqa: E731
    base, low, high = (flat(span.at(u).values()) for u in (0.0, -1.0, 1.0))
    assert base == flat(span.base)
    assert all(a <= b <= c for a, b, c in zip(low, base, high, strict=True))
    assert span.sides
    for u in span.sides:
        set_path(BASE, span.at(u))
        half = flat(span.at(u / 2).values())
        ends = zip(base, flat(span.at(u).values()), strict=True)
        assert all(min(a, b) <= h <= max(a, b) for h, (a, b) in zip(half, ends, strict=True))


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("market.calls_a_month", 5, 20),  # a count: half, double
        ("market.fall_tolerance", 0.015, 0.06),
        ("market.volatility_decay", 0.8, 0.95),  # a share: what is missing to one doubles and halves
        ("market.churn_buyers", 0.0075, 0.03),  # a small share: itself
        ("drivers.demand.stress_drift", -0.07, -0.0175),  # a negative number
        ("credit.equity_boom", 1.0, 3.0),  # half would break the bound
        ("market.order_price", 0.6, 1.0),  # a range of its own
        ("funding.failure_ratio", -0.05, 0.03),  # zero, with a range of its own
        ("neoclouds.own_weight", [0.175, 0.6], [0.675, 0.9]),  # a range moves with both ends
    ],
)
def test_ranges_by_hand(name, low, high):
    span = span_of(name)
    assert list(span.at(-1).values()) == [pytest.approx(low)]
    assert list(span.at(1).values()) == [pytest.approx(high)]


def test_kinds_of_agents_that_share_a_declaration_move_together():
    span = span_of("lenders.*.capital")
    assert [path.split(".")[1] for path in span.paths] == ["bank", "private_credit", "insurer", "bdc", "crypto_lender"]
    assert span.at(-1)["lenders.bank.capital"] == BASE.lenders.bank.capital / 2
    assert span.words(1) == "2 times the base"
    assert {"buyers.{dealer,scrap}.budget", "buyers.{hyperscaler,enterprise,research}.budget"} <= {
        s.name for s in SPANS
    }


def test_an_end_that_another_parameter_forbids_is_drawn_in():
    span = span_of("credit.rollover_floor")
    assert BASE.credit.rollover_floor < span.at(1)["credit.rollover_floor"] < BASE.credit.rollover_dscr
    assert "forbid" in span.reason


def test_values_between_the_base_and_an_end():
    span = Span("x", "ratio", ("x",), (1.0,), (-1.0,), (4.0,), "")
    assert span.at(0.5) == {"x": 2.0}, "by equal factors"
    assert span.at(-0.5) == {"x": 0.0}, "by equal steps where the sign changes"
    assert Span("n", "month", ("n",), (4,), (2,), (8,), "").at(0.4) == {"n": 5}


def test_a_range_of_its_own_needs_a_reason():
    assert said(par(1.0, "ratio", "x", range=(0.5, 1.5), because="so"), "because") == "so"
    for wrong in ({"range": (0.5, 1.5)}, {"because": "so"}, {"range": (0.5, 1.5), "times": (1, 2), "because": "so"}):
        with pytest.raises(ValueError, match="reason"):
            par(1.0, "ratio", "x", **wrong)


# --- statistics ---------------------------------------------------------------------------------------------------


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03], 0.05).tolist() == [True, False, False]  # .01 < .05/3; .03 > .05/2
    assert holm([0.01, 0.04, 0.02], 0.05).tolist() == [True, True, True]
    assert holm([], 0.05).tolist() == []


def test_rare_runs_that_did_not_come_up_prove_nothing():
    # At the base one run in ten shows an effect of 100: none of it in thirty runs is no proof that it is gone.
    assert p_beyond(np.zeros(30), 1.0, -1, 100.0) > 0.5
    assert p_beyond(np.zeros(1000), 1.0, -1, 100.0) < 0.001


def test_the_test_of_a_flip_by_hand():
    # Four runs and the adverse one: -1, -2, -3, -4, 0 have mean -2, standard error .7071; t = 2.83 with 4 degrees.
    assert p_beyond(np.array([-1.0, -2.0, -3.0, -4.0]), 0.0, -1, 0.0) == pytest.approx(0.0237, abs=2e-4)
    assert p_beyond(np.array([-1.0, np.nan]), 0.0, -1, 0.0) == 1.0


def test_a_change_is_paired_and_leaves_out_what_is_not_defined():
    assert shift(np.array([3.0, 5.0, np.nan]), np.array([1.0, 1.0, 1.0])) == Shift(3.0, 2.0, 2)


def test_one_large_change_among_many_small_ones_is_not_taken_for_noise():
    still = [Shift(0.0, 4.0, 4)] * 60
    chances = chances_above([*still, Shift(-10.0, 4.0, 4)], 8.0, 0.5, 1.0)
    assert (chances[:-1] > 0.99).all()
    assert chances[-1] < 0.2
    assert np.isnan(chances_above([Shift(1.0, math.nan, 1)], 8.0, 0.5, 1.0)).all()


def test_noise_does_not_lower_the_share_of_points():
    rng = np.random.default_rng(3)
    # Every point has an effect of 1, seen through four runs of standard deviation 4.
    noisy = [shift(rng.normal(0.0, 4.0, 4), np.zeros(4)) for _ in range(200)]
    found = share_above(noisy, 1.0, 0.05, 0.0)
    assert found.counted < 0.75 < 0.95 < found.share
    # Half of the points have +2, half -2.
    mixed = [shift(rng.normal(1.0 if k % 2 else -3.0, 0.5, 4), np.zeros(4)) for k in range(200)]
    assert share_above(mixed, 1.0, 0.05, 0.0).share == pytest.approx(0.5, abs=0.03)


# --- the search, on a toy -----------------------------------------------------------------------------------------


def toy(effect, seed=1, rare=False, noise=1.0):
    """Return a function in the place of the engine: two arms, half of the noise shared by all that see the same draws."""
    half = noise * 0.5**0.5

    def play(changes, numbers):
        own_key = crc32(json.dumps(changes, sort_keys=True).encode())
        at = {name: x for name, x in changes.items() if name != "arm"}
        size = effect(at) if changes["arm"] else 0.0
        rows = []
        for n in numbers:
            shared, own = (np.random.default_rng([seed, n, key]).normal() for key in (changes["arm"], own_key))
            seen = half * (shared + own) + size
            rows.append([float(seen > 1.5) if rare else seen])
        return Played(np.array(rows), [""] * len(rows))

    return play


TOYS = [Span(f"p{k}", "unit", (f"p{k}",), (1.0,), (0.5,), (2.0,), "") for k in range(25)]


def search(effect, verdict="holds", least=0.2, budget=8_000, **more):
    claim = Claim(
        "toy", "c", "q", "m", "u", {"off": {"arm": 0}, "on": {"arm": 1}}, lambda a: a["on"] - a["off"], 1.0, "y", least=least
    )  # fmt: skip
    lab = Lab(toy(effect, **more), ("y",), workers=1)
    found = explore(lab, [claim], {"toy": verdict}, TOYS, 100, budget)
    assert found.spent <= budget
    return found


def _left():
    """Return the share of the square of p3 and p7 at which the effect of the next test counts, on a fine grid."""
    u = np.linspace(-1.0, 1.0, 401)
    p3, p7 = np.meshgrid(2.0**u, 2.0**u)
    return float((1.5 - 2.5 * np.maximum(0.0, p3 - 1.0) - 4.0 * np.maximum(0.0, 1.0 - p7) > 0.2).mean())


def test_a_flip_is_found_at_its_place_and_nothing_else_is():
    # 1.5 at the base, and counts from .2: it turns at p3 = 1 + 1.3 / 2.5 = 1.52 and at p7 = 1 - 1.3 / 4 = .675.
    found = search(
        lambda at: 1.5 - 2.5 * max(0.0, at.get("p3", 1.0) - 1.0) - 4.0 * max(0.0, 1.0 - at.get("p7", 1.0)), noise=0.4
    )
    flips = found.reaches["toy"].flips
    assert {(trial.span.name, trial.u) for trial in flips} == {("p3", 1), ("p7", -1)}
    places = {trial.span.name: trial.span.at(trial.turns_at)[trial.span.name] for trial in flips}
    assert places["p3"] == pytest.approx(1.52, abs=0.06)
    assert places["p7"] == pytest.approx(0.675, abs=0.04)
    assert found.reaches["toy"].verdict("holds") == "depends"
    assert found.joint.shares["toy"].share == pytest.approx(_left(), abs=0.08)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("size", "least", "rare"), [(0.6, 0.2, False), (0.6, 0.03, True)])
def test_noise_alone_gives_no_flips(seed, size, least, rare):
    found = search(lambda at: size, least=least, seed=seed, rare=rare)
    assert found.reaches["toy"].flips == []
    assert found.reaches["toy"].verdict("holds") == "holds"
    share = found.joint.shares["toy"]
    assert share.share > 0.75 and share.share > share.counted - 0.05, "the few runs of a point do not count as flips"


def test_a_claim_that_is_undecided_depends_where_both_verdicts_are_shown():
    found = search(lambda at: 0.2 + 2.0 * math.log2(at.get("p5", 1.0)), verdict="not decided")
    reach = found.reaches["toy"]
    assert {(trial.span.name, trial.u, trial.shown) for trial in reach.flips} == {("p5", -1, -1), ("p5", 1, 1)}
    assert reach.verdict("not decided") == "depends"
    one_sided = search(lambda at: 0.2 + 2.0 * max(0.0, math.log2(at.get("p5", 1.0))), verdict="not decided")
    assert one_sided.reaches["toy"].verdict("not decided") == "not decided"


def test_what_moves_nothing_is_told():
    found = search(lambda at: 1.0)
    assert found.idle == [], "in the toy every change draws other noise"

    def deaf(changes, numbers):
        return toy(lambda at: 1.0)({"arm": changes["arm"], **{k: v for k, v in changes.items() if k == "p1"}}, numbers)

    claim = Claim("toy", "c", "q", "m", "u", {"on": {"arm": 1}}, lambda a: a["on"], 1.0, "y", least=0.2)
    found = explore(Lab(deaf, ("y",), workers=1), [claim], {"toy": "holds"}, TOYS[:4], 50, 4_000)
    assert [span.name for span in found.idle] == ["p0", "p2", "p3"]


def test_a_budget_that_is_too_small_says_what_is_needed():
    with pytest.raises(ConfigError, match=r"--budget: 300 runs are too few: the thinnest screen takes 400"):
        search(lambda at: 1.0, budget=300)


def test_points_that_the_scenario_forbids_are_drawn_anew():
    wide = [
        Span(path, "ratio", (path,), (base,), (0.5 * base,), (3.0 * base,), "")
        for path, base in (("credit.rollover_floor", 0.5), ("credit.rollover_dscr", 0.95))
    ]
    points, forbidden = latin_points(wide, 30, BASE)
    assert len(points) == 30 and forbidden > 0
    for at in points:
        set_path(BASE, at)


# --- the laboratory -----------------------------------------------------------------------------------------------


def test_no_run_is_played_twice():
    played = []

    def play(changes, numbers):
        played.extend((changes["x"], n) for n in numbers)
        return Played(np.array([[changes["x"] + n] for n in numbers], float), [""] * len(numbers))

    lab = Lab(play, ("y",), workers=2)
    lab.need([({"x": 1}, range(20)), ({"x": 2}, range(3)), ({"x": 1}, range(10))])
    assert lab.values({"x": 1}, [19, 2], ["y"])[:, 0].tolist() == [20.0, 3.0]
    assert lab.cost([({"x": 1}, range(25)), ({"x": 2}, range(3))]) == 5
    assert sorted(played) == [(1, n) for n in range(20)] + [(2, n) for n in range(3)]
    assert lab.spent == lab.done == 23


def test_runs_that_fail_are_counted_and_left_out():
    lab = Lab(Engine(BASE))
    bad = {"credit.rollover_floor": 3.0}
    assert np.isnan(lab.values(bad, range(2), ["losses"])).all()
    ((changes, message, number),) = lab.failures()
    assert changes == bad and number == 2 and "rollover_floor < rollover_dscr" in message


def test_an_interrupted_search_goes_on_where_it_was(tmp_path):
    small = set_path(BASE, {"run.months": 6, "neoclouds.count": 6, "miners.count": 3, "buyers.enterprise.count": 6})
    engine, calls = Engine(small), []

    def breaks(changes, numbers):
        if len(calls) == 3:
            raise KeyboardInterrupt
        calls.append(1)
        return engine(changes, numbers)

    wanted = [({}, range(8)), ({"credit.payout": 0.1}, range(8)), ({"credit.payout": 0.2}, range(24))]
    with pytest.raises(KeyboardInterrupt):
        Lab(breaks, workers=1, log=Log(tmp_path, small)).need(wanted)
    again = Lab(engine, workers=1, log=Log(tmp_path, small))
    again.need(wanted)
    (tmp_path / "elsewhere").mkdir()
    whole = Lab(engine, workers=1, log=Log(tmp_path / "elsewhere", small))
    whole.need(wanted)
    for changes, numbers in wanted:
        one, two = (lab.values(changes, numbers, lab.names) for lab in (again, whole))
        assert np.array_equal(one, two, equal_nan=True)

    def never(changes, numbers):
        raise AssertionError("all of it was kept")

    Lab(never, workers=1, log=Log(tmp_path, small)).need(wanted)
    # Another base is another folder.
    other = set_path(small, {"credit.payout": 0.3})
    assert Lab(engine, log=Log(tmp_path, other)).values({}, [0], ["losses"]).shape == (1, 1)
    assert len(list(tmp_path.glob("*-*"))) == 2


# --- the document -------------------------------------------------------------------------------------------------


def test_claims_are_chosen_by_key():
    assert [claim.key for claim in chosen([])] == [claim.key for claim in CLAIMS]
    assert [claim.key for claim in chosen(["tail", "boom"])] == ["boom", "tail"]
    with pytest.raises(ConfigError, match="--only: lad: no claim has this name"):
        chosen(["lad"])


def test_a_small_search_from_end_to_end(tmp_path):
    small = set_path(
        BASE, {"run.months": 8, "neoclouds.count": 4, "miners.count": 2, "buyers.enterprise.count": 4, "buyers.research.count": 2}
    )  # fmt: skip
    lab, said_ = Lab(Engine(small)), []
    file = write_claims(tmp_path, small, lab, 10, "me", budget=2_500, claims=chosen(["lead"]), say=said_.append)
    text = file.read_text(encoding="utf-8")
    (row,) = (line for line in text.splitlines() if line.startswith("| ["))
    verdict = said_[-1].removeprefix("lead: ")
    assert verdict in row and re.match(r"holds|does not hold|not decided|depends on `|depends; ", verdict)
    assert f"{lab.spent:,} runs of a budget of 2,500" in text
    assert all(f"| `{span.name}` |" in text for span in SPANS)
    assert all(f"`{item.name}`" in text for item in LEFT)
    assert "moves nothing in any arm" in text, "the stress of later months, in a run of eight"
    for name in re.findall(r"\]\((images/[^)]+)\)", text):
        assert (tmp_path / name).stat().st_size > 1000


def test_the_command_keeps_its_runs_and_writes_the_same_again(firesale, tmp_path):
    small = ["run.months=6", "neoclouds.count=4", "miners.count=2", "buyers.enterprise.count=4"]
    options = [part for change in small for part in ("--set", change)]

    def claims(folder):
        code, out, err = firesale(
            "claims", "--only", "lead,debt", "--runs", "10", "--out", str(tmp_path / folder), "--log", str(tmp_path / "log"), *options
        )  # fmt: skip
        assert code == 0 and out.strip() == str(tmp_path / folder / "claims.md")
        assert "lead:" in err and "debt:" in err
        return {file.name: file.read_bytes() for file in (tmp_path / folder / "images").iterdir()}

    figures = claims("one")
    shards = list((tmp_path / "log").glob("*/runs/*.parquet"))
    assert len(figures) == 2 and shards
    assert claims("two") == figures
    assert list((tmp_path / "log").glob("*/runs/*.parquet")) == shards, "nothing was played again"
    assert "firesale claims --ranges" in (tmp_path / "one" / "claims.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "said_"),
    [
        (("--budget", "5000"), "add --ranges"),
        (("--quick",), "add --ranges"),
        (("--only", "leed"), "--only: leed: no claim has this name"),
        (("--set", "credit.payot=1"), "did you mean 'credit.payout'"),
    ],
)
def test_what_is_wrong_with_the_command_is_said(firesale, tmp_path, arguments, said_):
    code, _, err = firesale("claims", *arguments, "--out", str(tmp_path), "--log", str(tmp_path))
    assert code == 2 and said_ in " ".join(err.split())
