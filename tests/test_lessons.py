"""The lessons: what they say happens, happens."""

from __future__ import annotations

import re

import pytest

from agents.tables.events import CAUSES, EVENT_KINDS
from simulation import load_scenario, run
from simulation.browser.session import Session
from simulation.scenario.config import set_path
from simulation.world.build import build_world
from tests.conftest import LESSONS

FILES = sorted(LESSONS.glob("*.yaml"))


def lesson_run(name, *changes):
    return run(load_scenario(LESSONS / f"{name}.yaml", list(changes)), 1, amplification=False)


def test_there_are_seven():
    assert len(FILES) == 7


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
def test_the_answer_is_what_the_run_shows(file):
    scenario = load_scenario(file)
    lesson, result = scenario.lesson, run(scenario, 1, amplification=False)
    assert all(lesson.watch) and all(lesson.further)
    assert lesson.text and lesson.watch and lesson.question and lesson.unit and lesson.explanation and lesson.further
    assert lesson.answer.tolerance <= 0.05
    assert lesson.found(result) == pytest.approx(lesson.expected(), rel=max(lesson.answer.tolerance, 1e-9))
    agents = len(result.world.lenders) - 1 + len(result.world.operators) + len(result.world.buyers) - 1
    assert 3 <= agents <= 30


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
def test_what_to_try_next_names_parameters_that_are_there(file):
    scenario = load_scenario(file)
    set_path(scenario, list(scenario.lesson.twin))
    told = re.findall(r"\b([a-z_]+(?:\.[a-z_]+)+) = ([\w.+-]*[\w])", " ".join(scenario.lesson.further))
    assert told
    for path, value in told:
        set_path(scenario, [f"{path}={value}"])


def causes(result):
    events = result.world.events[: result.world.clock[0].events]
    return [CAUSES[e.cause] for e in events if EVENT_KINDS[e.kind] == "default"]


def sold_at(sales):
    return (sales["usd"] / sales["units"]).round().tolist()


def test_one_loan_falls_by_its_collateral_not_by_its_income():
    result = lesson_run("one_loan")
    assert causes(result) == ["ltv"]
    assert result.events.query("kind == 'default'")[["month", "node_name"]].values.tolist() == [[7, "Neocloud 1"]]
    assert result.panel["dscr_low"].iloc[:7].min() > 2.0 and result.panel["dscr_low"].min() > 1.95
    prices = result.chip_panel["price"]
    assert (prices.iloc[0], prices.iloc[6]) == (pytest.approx(18_437, rel=0.002), pytest.approx(10_250, rel=0.002))
    calls = result.events.query("kind == 'margin_call' and node_name == 'Neocloud 1'")
    assert (calls["month"].tolist(), (calls["usd"] / 1e6).round(1).tolist()) == ([5, 6, 7], [1.7, 1.8, 1.6])
    sales = result.trades.query("month == 7 and reason in ('imposed', 'margin_call')")
    assert sales["price"].round().unique().tolist() == [9_366, 8_050]
    again = result.events.query("month == 7 and turn == 1 and kind == 'margin_call'")
    assert again["node_name"].tolist() == ["Neocloud 2", "Neocloud 3"]
    assert lesson_run("one_loan", "lenders.mark_to_market=0").summary["margin_calls"] == 0
    loose = lesson_run("one_loan", "credit.covenant_margin=0.25")
    assert ((loose.panel["margin_calls"] > 0).argmax(), loose.summary["defaults"]) == (7, 0)


def test_ten_thousand_in_february_bring_the_default_of_the_one_loan_forward():
    session = Session(load_scenario(LESSONS / "one_loan.yaml"), 1)
    session.step_month()
    session.sell("H100", 10_000)
    session.to_end()
    panel = session.world.panel
    assert (panel.defaults[:3].tolist(), panel.margin_calls[1]) == ([0, 0, 1], 3)
    assert session.world.chip_panel.price[1] == pytest.approx(930)


def test_the_margin_spiral_turns_in_rounds_and_only_through_marks():
    result = lesson_run("margin_spiral")
    assert set(causes(result)) == {"ltv"} and result.panel["defaults"].tolist()[3:6] == [4, 5, 0]
    assert result.panel["turns"].iloc[3] >= 4
    events = result.events.query("month == 3")
    assert events.query("kind == 'margin_call' and turn == 0")["node_name"].nunique() == 10
    assert events.query("kind == 'margin_call' and turn == 1")["node_name"].nunique() == 4
    block = events.query("kind == 'forced_sale' and turn == 0")
    assert sold_at(block) == [6_533]
    sales = events.query("kind == 'forced_sale' and turn == 1 and node_name != 'Outside investors'")
    assert sales["node_name"].tolist() == [f"Neocloud {n}" for n in (1, 2, 3, 4)]
    assert sales["units"].sum() == pytest.approx(2_111, rel=0.002) and set(sold_at(sales)) == {930}
    left = events.query("kind == 'seizure'")["units"].sum()
    assert sales["units"].sum() + left == pytest.approx(4_920, rel=0.0005)
    may = result.events.query("month == 4")
    seized = may.query("kind == 'forced_sale' and turn == 0 and node_name.str.startswith('Lender')")
    assert seized["units"].sum() == pytest.approx(314, rel=0.002) and sold_at(seized) == pytest.approx(
        [4_407] * 2, abs=2
    )
    called = may.query("kind == 'forced_sale' and turn == 1 and node_name.str.startswith('Neocloud')")
    assert called["node_name"].tolist() == [f"Neocloud {n}" for n in (5, 7, 8, 9)] and set(sold_at(called)) == {930}
    assert may.query("kind == 'default'")["node_name"].tolist() == [f"Neocloud {n}" for n in (5, 7, 8, 9, 6)]
    assert result.panel["rent"].iloc[:4].pct_change().abs().max() < 0.01
    model = lesson_run("margin_spiral", "lenders.mark_to_market=0")
    assert (model.summary["defaults"], model.summary["margin_calls"]) == (0, 0)
    assert sold_at(model.events.query("month == 3 and kind == 'forced_sale' and turn == 0")) == sold_at(block)
    assert (
        model.panel["booked_ltv"].iloc[3] == pytest.approx(0.34, abs=0.005)
        and model.panel["executable_ltv"].iloc[3] > 8
    )
    exchange = lesson_run("margin_spiral", "market.venue=exchange")
    assert exchange.panel["defaults"].sum() == 0 and exchange.panel["margin_calls"].iloc[3] == 10
    assert sold_at(exchange.events.query("month == 3 and kind == 'forced_sale'")) == pytest.approx([11_573], rel=0.001)
    deep = lesson_run("margin_spiral", "buyers.budget_scale=4", "buyers.power_scale=4")
    assert deep.panel["defaults"].sum() == 0 and (deep.panel["margin_calls"] > 0).argmax() == 5
    assert sold_at(deep.events.query("month == 3 and kind == 'forced_sale'")) == pytest.approx([12_863], rel=0.001)


def test_ten_thousand_find_their_price_by_who_is_reached():
    here = lesson_run("ten_thousand_h100")
    assert here.chip_panel["forced"].iloc[2] == pytest.approx(10_000)
    assert here.summary["forced_usd"] == pytest.approx(49.9e6, rel=0.01)
    price = here.chip_panel["price"].round().tolist()
    assert price[2:5] == [4_990, 4_990, 8_657] and price[9] == 15_181
    for changes, units in (((), 5_950), (("buyers.budget_scale=0.25",), 8_546)):
        result = lesson_run("ten_thousand_h100", *changes)
        first = len(result.world.lenders)
        taken = result.trades.query(f"month == 2 and {first} <= buyer < {first + 4}")["units"].sum()
        assert taken == pytest.approx(units, rel=0.001)
    for change, price in (
        ("market.calls_a_month=60", 13_550),
        ("market.venue=exchange", 14_092),
        ("buyers.budget_scale=0.25", 3_475),
    ):
        assert lesson_run("ten_thousand_h100", change).chip_panel["price"].iloc[2] == pytest.approx(price, rel=0.01)


def test_shared_collateral_reaches_borrowers_of_other_lenders():
    result = lesson_run("shared_collateral")
    assert causes(result) == ["dscr", "dscr", "ltv", "ltv", "ltv"]
    assert result.panel["defaults"].tolist()[2:4] == [2, 3]
    own = result.events.query("kind == 'forced_sale' and turn == 0 and node_name.str.startswith('Lender 2')")
    sale = own.query("month == 2")
    assert own["units"].round().tolist()[:2] == [1_815, 1_374] and sold_at(own)[:2] == [8_347, 5_507]
    assert round(result.chip_panel["price"].iloc[1]) == 16_601
    # The sale of Lender 2 calls the borrowers of the other two.
    called = result.events[result.events["parent"] == sale.index[0]].query("kind == 'margin_call'")
    assert called["other_name"].tolist() == ["Lender 1 (bank)"] * 2 + ["Lender 3 (insurer)"] * 2
    assert called["usd"].sum() == pytest.approx(7.7e6, rel=0.005)
    forced = result.events.query("month == 3 and kind == 'forced_sale' and node_name.str.startswith('Neocloud')")
    assert forced["node_name"].tolist() == ["Neocloud 3", "Neocloud 4", "Neocloud 5"] and set(sold_at(forced)) == {930}
    deep = lesson_run("shared_collateral", "buyers.budget_scale=4", "buyers.power_scale=4")
    thrown = deep.events.query("month == 2 and kind == 'forced_sale' and node_name.str.startswith('Lender 2')")
    assert deep.summary["defaults"] == 2 and sold_at(thrown) == pytest.approx([11_670], rel=0.001)
    assert lesson_run("shared_collateral", "lenders.mark_to_market=0").summary["defaults"] == 2
    assert lesson_run("shared_collateral", "market.venue=exchange").panel["defaults"].tolist()[2:4] == [2, 3]


def test_the_run_comes_with_the_losses():
    result = lesson_run("lender_run")
    assert result.panel["lender_failures"].tolist() == [0, 0, 0, 0, 1, 0, 0, 0]
    falls = result.events.query("kind == 'default'")[["month", "node_name", "cause"]].values.tolist()
    assert [4, "Neocloud 5", "ltv"] in falls and [6, "Neocloud 3", "maturity"] in falls
    asked = result.events.query("kind == 'run'")["usd"].sum()
    assert asked == pytest.approx(43.6e6, rel=0.002)
    flows = result.flows.iloc[4]
    assert flows["deposit_cleared"] == pytest.approx(4.0e6, rel=0.01)
    assert flows["book_sale"] == pytest.approx(19.3e6, rel=0.01)
    assert flows["deposit_out"] == pytest.approx(42.3e6, rel=0.002)
    closed = result.events.query("kind == 'lender_failure'")["usd"].tolist()
    assert closed == pytest.approx([12.2e6], rel=0.005)
    still = lesson_run("lender_run", "lenders.runnable_scale=0")
    assert (still.summary["lender_failures"], still.panel["withdrawn"].sum()) == (1, 0)
    thrice = load_scenario(LESSONS / "lender_run.yaml", ["lenders.capital_scale=3"])
    books = [build_world(s, 1).lenders.book[2] / 1e6 for s in (result.scenario, thrice)]
    assert [round(b) for b in books] == [54, 94]
    assert run(thrice, 1, amplification=False).panel["lender_failures"].tolist().index(1) == 2
    deep = lesson_run("lender_run", "buyers.budget_scale=10", "buyers.power_scale=10")
    assert deep.summary["losses"] < 1 and deep.panel["withdrawn"].sum() == 0 and deep.summary["defaults"] == 2


def test_each_shock_alone_is_bearable():
    coins = ("drivers.demand.stress_drift=0", "drivers.demand.stress_jump=0")
    rents = ("drivers.coin.stress_drift=0", "drivers.coin.stress_jump=0")
    assert lesson_run("double_leverage").summary["defaults"] == 1
    for changes in (coins, rents, ("drivers.regimes.coupling=0",), ("notes.first_month=600",)):
        alone = lesson_run("double_leverage", *changes)
        assert alone.summary["losses"] < 1 and alone.summary["defaults"] == 0


def test_the_books_of_the_miner_in_the_month_of_its_default():
    coins = ("drivers.demand.stress_drift=0", "drivers.demand.stress_jump=0")
    rents = ("drivers.coin.stress_drift=0", "drivers.coin.stress_jump=0")
    #: Chips, mining (millions of dollars in December), bitcoins after the note of September, debt service due.
    told = {
        coins: (0.69, -0.21, 45),
        rents: (0.36, 0.10, 340),
        (): (0.36, -0.21, 23),
        ("notes.first_month=600",): (0.36, -0.21, 312),
    }
    for changes, (chips, mining, btc) in told.items():
        session = Session(load_scenario(LESSONS / "double_leverage.yaml", list(changes)), 1)
        for month in range(12):
            session.step_month()
            miner = session.world.operators[0]
            if month == 3 and changes == ():
                assert round(miner.btc) == 622
            if month == 8:
                assert round(miner.btc) == btc
        assert (miner.income - miner.mining_income) / 1e6 == pytest.approx(chips, abs=0.006)
        assert miner.mining_income / 1e6 == pytest.approx(mining, abs=0.006)
        assert miner.due / 1e6 == pytest.approx(0.29, abs=0.006)


def test_half_a_backstop_saves_nobody():
    none, small, large = (lesson_run("backstop", f"policy.backstop.capacity={c}") for c in ("0", "1e7", "7e7"))
    assert [r.summary["defaults"] for r in (none, small, large)] == [9, 9, 0]
    assert [round(r.summary["losses"] / 1e6) for r in (none, small, large)] == [84, 73, 0]
    assert large.world.buyers.bought[-1] == pytest.approx(5_124, rel=0.001)
    assert large.world.buyers.spent[-1] / large.world.buyers.bought[-1] / 26_650 == pytest.approx(0.53, abs=0.005)
    assert large.chip_panel["fundamental"].iloc[3] == pytest.approx(26_650, rel=0.001)
    backstop = len(large.world.lenders) + len(large.world.operators) + len(large.world.buyers) - 1
    bought = large.trades.query(f"month == 3 and buyer >= {backstop - 1} and price > 10000")
    assert bought["price"].round().unique().tolist() == [14_309] and bought["turn"].min() == 1
    spread = small.trades.query(f"month == 3 and buyer == {small.trades.buyer.max()}")
    assert (spread["price"].min(), spread["price"].max()) == (pytest.approx(1_837, abs=1), pytest.approx(2_865, abs=1))
    assert spread["seller"].nunique() == 4
    part = lesson_run("backstop", "policy.backstop.capacity=3e7")
    assert part.panel["defaults"].tolist()[3:] == [4, 0, 0, 0, 0, 0, 0]
    more = lesson_run("backstop", "policy.backstop.capacity=2e10")
    assert more.summary["defaults"] == 0 and more.world.buyers.spent[-1] == pytest.approx(75e6, rel=0.01)
    assert lesson_run("backstop", "policy.backstop.trigger=0.6").summary["defaults"] == 0
