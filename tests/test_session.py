"""A sitting: what it shows is what ``run`` computes; going back forgets nothing and keeps nothing."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import json

import numpy as np
import pytest

from agents.tables.events import EVENT_KINDS, Cause, EventKind
from agents.tables.loans import LoanStatus
from agents.tables.operators import OperatorStatus
from simulation import load_scenario, run
from simulation.browser import choices, panels, series
from simulation.browser.desk import Desk, Options
from simulation.browser.graph import Graph
from simulation.browser.narrate import narrate
from simulation.browser.portrait import node_state, portrait
from simulation.browser.session import Session
from simulation.browser.why import chain, why
from simulation.markets.tape import TapeRow
from simulation.month import STEP, advance
from simulation.runs import play
from simulation.scenario.config import set_path
from simulation.words import usd
from simulation.world.build import build_world
from tests.conftest import BASE, BASE_FILE, LESSONS, STRESS

STRESSED = set_path(BASE, STRESS)


def digest(world) -> str:
    """Return a hash of all that a run consists of: the tape and the space for sorting are not part of it."""
    clock = world.clock.copy()
    clock.tape = 0
    arrays = [
        clock if name == "clock" else array
        for name, array in world._asdict().items()
        if name
        not in (
            "tape",
            "scratch",
            "ranking",
            "item",
            "price",
            "ask",
            "ask_lot",
            "order",
            "bidder",
            "purse",
            "working",
            "start",
            "by_bidder",
        )
    ]
    return hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in arrays)).hexdigest()


def test_a_sitting_ends_with_the_bytes_of_a_run():
    session = Session(STRESSED, 3)
    session.to_end()
    assert digest(session.world) == digest(play(STRESSED, 3))
    assert session.finished
    assert session.result().summary["defaults"] == run(STRESSED, 3, amplification=False).summary["defaults"] > 0


@pytest.mark.parametrize("months", [1, 3, 7])
def test_back_is_as_if_the_step_had_not_been(months):
    session = Session(STRESSED, 3)
    for _ in range(months):
        session.step_month()
    session.step()
    here, said = digest(session.world), list(session.log)
    session.step_month()
    session.to_default()
    session.step_phase()
    for _ in range(3):
        session.back()
    assert digest(session.world) == here
    assert session.log == said
    assert len(session.model.datacollector.get_model_vars_dataframe()) == session.month
    session.to_end()
    assert digest(session.world) == digest(play(STRESSED, 3))


def test_every_state_of_a_month_is_reached_again_going_back():
    session = Session(STRESSED, 3)
    session.to_cascade()
    seen = {}
    for _ in range(40):
        seen[session.tick] = digest(session.world)
        session.step()
    for tick in sorted(seen, reverse=True):
        session.seek(tick)
        assert digest(session.world) == seen[tick]


def test_steps_go_where_they_say():
    session = Session(STRESSED, 3)
    session.step()
    assert (session.month, session.phase) == (0, 1)
    session.step_month()
    assert (session.month, session.phase) == (1, 0)
    session.to_default()
    first, last = session.fresh_events
    kinds = session.world.events.kind[first:last]
    assert np.isin(kinds, (EventKind.DEFAULT, EventKind.LENDER_FAILURE)).any()
    assert not np.isin(session.world.events.kind[:first], (EventKind.DEFAULT, EventKind.LENDER_FAILURE)).any()
    session.to_cascade()
    fallen = session.world.events[slice(*session.fresh_events)]
    assert (fallen.parent[np.isin(fallen.kind, (EventKind.DEFAULT, EventKind.LENDER_FAILURE))] >= 0).any()


def test_a_block_sold_by_hand_meets_buyers_and_can_be_taken_back():
    session = Session(STRESSED, 3)
    session.step_month()
    before, stock = digest(session.world), session.world.chips.stock[1]
    session.sell("H100", 10_000)
    assert session.world.chips.stock[1] == pytest.approx(stock + 10_000, rel=0.05)
    found = series.auctions(session.tape, session.chips, session.names, "")
    block = next(a for a in found if a["title"].startswith("Outside investors"))
    assert block["offered"] == pytest.approx(10_000)
    assert block["counts"][0]["n"] == len(block["bids"]) > 0
    assert sum(bid[3] for bid in block["bids"]) == pytest.approx(block["sold"], abs=len(block["bids"]))
    assert block["reached"] == sum(count["n"] for count in block["counts"])
    after = digest(session.world)
    session.step_month()
    session.back()
    assert digest(session.world) == after
    session.back()
    assert digest(session.world) == before
    assert session.interventions == []


def test_a_block_by_hand_and_one_of_the_path_are_both_sold():
    session = Session(load_scenario(LESSONS / "one_loan.yaml"), 1)
    session.step_month()
    session.model.sell_block("H100", 1000)
    session.step_month()
    assert session.world.chip_panel.forced[1] == pytest.approx(1025)
    session.sell("H100", 1000)
    assert session.tape[session.tape.kind == 0].units.sum() == pytest.approx(1025)


def test_an_agent_can_be_made_to_fail_and_the_chain_leads_back():
    session = Session(STRESSED, 3)
    session.step_month()
    largest = len(session.world.lenders) + int(session.world.operators.debt.argmax())
    session.fail(largest)
    assert session.world.operators.status[largest - len(session.world.lenders)] == OperatorStatus.DEFAULTED
    told = why(session.world, largest, session.chips, session.names, "2024-01")
    assert "made to fail by hand" in told[0]
    assert told[-1].startswith("It began in")
    with pytest.raises(ValueError, match="not failed yet"):
        session.fail(largest)
    with pytest.raises(ValueError, match="not failed yet"):
        session.fail(len(session.names) - 2)


def test_a_fall_ends_its_chain_at_a_root():
    session = Session(STRESSED, 3)
    session.to_end()
    fallen = len(session.world.lenders) + np.flatnonzero(session.world.operators.status == OperatorStatus.DEFAULTED)
    assert len(fallen) > 3
    for node in fallen.tolist():
        rows = chain(session.world, node)
        assert session.world.events.parent[rows[-1]] == -1
        assert len(why(session.world, node, session.chips, session.names, "2024-01")) == min(len(rows), 12) + 1


def test_the_twin_is_the_run_with_something_changed():
    changes = ["policy.backstop.capacity=1e10"]
    session = Session(STRESSED, 3, changes)
    other = run(set_path(STRESSED, changes), 3, amplification=False)
    assert np.array_equal(session.twin.world.panel, other.world.panel)
    session.step_month()
    session.sell("H100", 50_000)
    assert session.twin.world.chips.added[1] == pytest.approx(other.world.chips.added[1] + 50_000, rel=0.2)
    session.back()
    assert np.array_equal(session.twin.world.panel, other.world.panel)


# --- what is shown ------------------------------------------------------------------------------------------------


def test_sentences_carry_the_numbers_of_the_tables():
    session = Session(STRESSED, 3)
    session.to_default()
    e = next(e for e in session.world.events[slice(*session.fresh_events)] if e.kind == EventKind.DEFAULT)
    said = [entry.text for tick, entry in session.log if tick == session.tick]
    start = f"{session.names[int(e.node)]} defaults on "
    assert any(text.startswith(start + usd(e.usd)) for text in said)


def contract_event(session: Session, kind: EventKind, cause: int, node: int, usd: float, parent: int = -1) -> int:
    """Write an event about contracts on ten GPUs and return its row."""
    world = session.world
    row = int(world.clock[0].events)
    world.events.view(np.ndarray)[row] = (0, 0, kind, cause, node, -1, -1, 10.0, usd, parent)
    world.clock[0].events = row + 1
    return row


def told_of(session: Session, first: int) -> list[tuple[str, str, tuple[int, ...]]]:
    entries = narrate(session.world, first, int(session.world.clock[0].trades), session.chips, session.names)
    return [(entry.level, entry.text, entry.nodes) for entry in entries]


def test_customers_that_fail_are_told_with_their_contracts():
    session = Session(STRESSED, 3)
    customer = len(session.names)
    for c, worth in enumerate((0.0, 3e6, 1e6, 2e6, 5e5)):
        contract_event(session, EventKind.CUSTOMER_FAILED, Cause.NONE, customer + c, worth)
    said = told_of(session, 0)
    ends = [f"its contracts, worth ${n}.0m a month on 10 GPUs, end." for n in (3, 2, 1)]
    assert said == [
        *(("failure", f"Customer {c} (hyperscaler) fails: {end}", ()) for c, end in zip((2, 4, 3), ends, strict=True)),
        ("info", "2 customers fail, contracts worth $500k a month.", ()),
    ]


def test_contracts_that_end_are_told_once_for_those_that_failed_and_once_for_those_that_ran_out():
    session = Session(STRESSED, 3)
    first = len(session.world.lenders)
    failed = contract_event(session, EventKind.CUSTOMER_FAILED, Cause.NONE, len(session.names) + 5, 0.0)
    for o, lost in enumerate((1e6, 4e6, 2e6, 3e6)):
        contract_event(session, EventKind.CONTRACT_ENDED, Cause.CUSTOMER_FAILURE, first + o, lost, failed)
    last = contract_event(session, EventKind.CONTRACT_ENDED, Cause.EXPIRY, first, 5e5)
    named = [session.names[first + o] for o in (1, 3, 2)]
    assert told_of(session, 0) == [
        ("info", "1 customer fails without contracts.", ()),
        (
            "call",
            f"$10.0m a month of contracts with customers that failed is not let again: {', '.join(named)} and 1 more.",
            tuple(first + o for o in (1, 3, 2, 0)),
        ),
        ("info", f"$500k a month of contracts that have run out is not let again: {session.names[first]}.", (first,)),
    ]
    # A customer stands at the root of a chain of causes, and in no picture.
    session.world.operators[0].last_event = last - 4
    session.world.operators[0].status = 1
    told = why(session.world, first, session.chips, session.names, "2024-01")
    assert f"contracts of {session.names[first]} worth $1.0m a month ended and were not let again." in told[0]
    assert "Customer 6 (AI lab) failed: contracts worth $0 a month ended." in told[1]
    assert Graph(session.world, session.names).lit(session.world, (0, last + 1), (0, 0)) == []


def test_every_step_is_told_in_few_sentences_that_json_can_carry():
    session = Session(STRESSED, 3, ["market.venue=exchange"])
    graph = Graph(session.world, session.names)
    ticks = 0
    while not session.finished:
        before = len(session.log)
        session.step()
        ticks += 1
        assert 0 <= len(session.log) - before <= 32
        shown = [
            panels.tiles(session, "H100"),
            graph.now(session.world),
            graph.edges(session.world),
            panels.log_entries(session),
        ]
        shown += [graph.lit(session.world, session.shown_events, session.shown_trades), series.dscr_bins(session.world)]
        shown += [series.auctions(session.tape, session.chips, session.names, ""), series.headroom_bins(session.world)]
        if ticks % 10 == 0:
            shown += [panels.agent(session, graph, node) for node in range(0, len(session.names), 7)]
        json.dumps(shown, allow_nan=False)
    assert ticks > 14 * 9


def test_balance_sheets_close():
    session = Session(STRESSED, 3)
    for _ in range(9):
        session.step_month()
    world = session.world
    for node in range(len(world.lenders) - 1 + len(world.operators)):
        books = dict(portrait(world, node, session.chips, session.names)["balance"])
        equity = books.pop("equity")
        assert sum(books.values()) == pytest.approx(equity, abs=1e4 + 1e-6 * sum(map(abs, books.values())))


def test_states_agree_with_the_tables():
    session = Session(STRESSED, 3)
    session.to_cascade()
    seen = [0, 0]
    while not session.finished:
        world, n_l = session.world, len(session.world.lenders)
        state = node_state(world)[n_l : n_l + len(world.operators)]
        fallen = world.operators.status == OperatorStatus.DEFAULTED
        assert (state[fallen] == 2).all()
        called = world.loans[world.loans.status == LoanStatus.CALLED].borrower
        called = called[~fallen[called]]
        assert (state[called] == 1).all()
        seen = [seen[0] + fallen.sum(), seen[1] + len(called)]
        session.step()
    assert min(seen) > 0


def test_series_are_the_panels():
    session = Session(STRESSED, 3)
    for _ in range(6):
        session.step_month()
    panel = session.result().panel
    assert series.one("x", "red", series.panel("booked_ltv", 100)(session.world))["values"] == pytest.approx(
        100 * panel["booked_ltv"], rel=1e-3
    )
    stressed = (panel["stress_demand"] | panel["stress_coin"]).astype(bool).to_numpy()
    shaded = np.zeros(len(panel), bool)
    for first, last in series.stress_bands(session.world):
        shaded[first : last + 1] = True
    assert stressed.any() and (shaded == stressed).all()
    bins = series.dscr_bins(session.world)
    operators = session.world.operators
    below = (operators.dscr < 1) & (operators.debt > 1) & (operators.status != OperatorStatus.DEFAULTED)
    assert sum(b["value"] for b in bins if b["bad"]) == below.sum() > 0


def test_a_large_market_is_drawn_in_groups():
    scenario = set_path(
        BASE,
        {
            "run.months": 3,
            "neoclouds.count": 400,
            "miners.count": 100,
            "buyers.enterprise.count": 900,
            "lenders.bank.count": 60,
        },
    )
    session = Session(scenario, 1)
    graph = Graph(session.world, session.names)
    assert len(graph.members) < 300
    assert sorted(np.concatenate(graph.members).tolist()) == list(range(len(session.names)))
    session.step_month()
    assert len(graph.edges(session.world)) <= 900
    assert graph.worst(session.world, 100) in graph.members[graph.place[100]]


# --- the desk -----------------------------------------------------------------------------------------------------


@pytest.fixture
def desk():
    made = Desk(Options(BASE_FILE, 3, ("run.months=14",)))
    yield made
    made.close()


def test_a_users_mistakes_become_messages(desk, tmp_path):
    for mistake in (
        lambda: desk.reset(-1), lambda: desk.reset("seven"), lambda: desk.open(str(tmp_path / "missing.yaml")),
        lambda: desk.sell({"chip": "H100", "units": 0}), lambda: desk.sell({"chip": "H900", "units": 5}),
        lambda: desk.sell({"chip": "H100", "units": float("inf")}), lambda: desk.fail(10**6), lambda: desk.show(tab="nothing"),
        lambda: desk.change({"path": "no.such", "at": 1}), lambda: desk.change({"path": "lenders.max_ltv", "at": 999}),
        lambda: desk.export("results"), lambda: desk.upload({"name": "bad.yaml", "text": "lenders: {max_lvt: 1}"}),
    ):  # fmt: skip
        before = desk.run_id
        mistake()
        assert desk.error and "fault of the program" not in desk.error
        assert desk.run_id == before
    assert "bad.yaml:1:" in desk.error and "max_ltv" in desk.error
    desk.act("month")
    assert desk.error == "" and desk.session.month == 1


def test_an_own_file_may_extend_the_shipped_ones(desk):
    for parent in ("base.yaml", "../base.yaml", "../scenarios/article.yaml"):
        desk.upload({"name": "mine.yaml", "text": f"extends: {parent}\ntitle: Mine\nrun: {{months: 5}}\n"})
        assert desk.error == ""
        assert (desk.session.scenario.title, len(desk.session.world.panel)) == ("Mine", 5)


def test_changes_wait_for_reset_or_become_a_twin(desk):
    at = choices.CHOICES["buyers.budget_scale"].values.index(10.0)
    desk.change({"path": "buyers.budget_scale", "at": at})
    assert desk.pending == {"buyers.budget_scale": 10.0}
    assert desk.session.scenario.buyers.budget_scale == 1.0
    desk.as_twin()
    assert desk.session.twin.scenario.buyers.budget_scale == 10.0
    desk.change({"path": "buyers.budget_scale", "at": at})
    desk.reset(4)
    assert (desk.session.scenario.buyers.budget_scale, desk.session.seed, desk.pending) == (10.0, 4, {})
    desk.change({"path": "lenders.max_ltv", "at": 0})
    assert desk.pending == {}


@pytest.mark.parametrize("path", [c.path for c in choices.CHOICES.values()])
def test_both_ends_of_every_slider_make_a_run(desk, path):
    choice = choices.CHOICES[path]
    for end in (0, -1):
        if choice.form == "text":
            desk.change({"path": path, "value": choice.values[end]})
        else:
            item = next(
                i for g in choices.groups(desk.session.scenario, desk.pending) for i in g["items"] if i["path"] == path
            )
            desk.change({"path": path, "at": 0 if end == 0 else item["steps"]})
        desk.reset(3)
        assert desk.error == ""
        desk.act("end")
        assert desk.error == "" and desk.session.finished


def test_two_desks_share_nothing(desk):
    other = Desk(Options(BASE_FILE, 5))
    other.act("month")
    other.show(dark=True)
    other.change({"path": "buyers.budget_scale", "at": 0})
    assert (desk.session.month, desk.dark, desk.pending, desk.seed) == (0, False, {}, 3)
    other.close()


def test_any_order_of_clicks_leaves_the_desk_in_order(desk):
    rng = np.random.default_rng(1)
    acts = ["back", "step", "phase", "month", "play", "played", "default", "cascade", "end"]
    for _ in range(120):
        pick = rng.integers(0, 14)
        if pick < 9:
            desk.act(acts[pick])
        elif pick == 9:
            desk.reset(int(rng.integers(0, 5)))
        elif pick == 10:
            desk.sell({"chip": "H100", "units": 1000})
        elif pick == 11:
            desk.fail(int(rng.integers(0, 70)))
        elif pick == 12:
            desk.pick(int(rng.integers(0, len(desk.session.names))))
        else:
            desk.show(tab=["market", "credit", "twin", "agent"][rng.integers(0, 4)])
        assert "fault of the program" not in desk.error
        assert desk.session.world.clock[0].fault == 0


def test_views_for_mesas_own_page_draw_the_model():
    import solara

    from simulation import ComputeCreditModel
    from simulation.browser.views import MarketView, NetworkView

    model = ComputeCreditModel(STRESSED, rng=3)
    for _ in range(4):
        model.step()
    box, rc = solara.render(NetworkView(model), handle_error=False)
    network = next(w for w in _widgets(box) if hasattr(w, "nodes"))
    assert len(network.nodes) == len(model.world.first_lot)
    rc.close()
    box, rc = solara.render(MarketView(model), handle_error=False)
    lines = [w for w in _widgets(box) if hasattr(w, "series")]
    assert [len(chart.series[0]["values"]) for chart in lines] == [4, 4]
    rc.close()


def _widgets(widget):
    yield widget
    for child in getattr(widget, "children", ()) or ():
        if not isinstance(child, str):
            yield from _widgets(child)


def test_how_lenders_wait_and_owners_save_is_told():
    session = Session(STRESSED, 3)
    n_l = len(session.world.lenders)
    lender, (one, two) = session.names[1], (session.names[n_l], session.names[n_l + 1])

    def happen(kind: EventKind, cause: Cause, node: int, other: int, usd: float) -> None:
        row = contract_event(session, kind, cause, node, usd)
        session.world.events[row].other = other

    happen(EventKind.WAIVER, Cause.LTV, 1, n_l, 3e6)
    happen(EventKind.WAIVER, Cause.DSCR, 1, n_l, 2e6)
    happen(EventKind.WAIVER, Cause.DSCR, 2, n_l + 1, 5e6)
    happen(EventKind.EXTENSION, Cause.CASH_FLOW, 1, n_l, 4e6)
    happen(EventKind.SWAP, Cause.DSCR, 1, n_l + 1, 6e6)
    happen(EventKind.EQUITY_CURE, Cause.LTV, n_l, -1, 7e6)
    happen(EventKind.SURRENDER, Cause.DSCR, n_l, 1, 8e6)
    assert told_of(session, 0) == [
        ("good", f"{one}'s owners put in $7.0m: it does not fail.", (n_l,)),
        ("default", f"{one} gives up 1 vehicle that owes $8.0m to {lender}, and goes on.", (n_l, 1)),
        ("good", f"{lender} waives the covenant that {one} breaks on a loan of $3.0m.", (n_l,)),
        ("good", f"Spare cash is swept for 2 loans, $7.0m in all: {two} and {one}.", (n_l + 1, n_l)),
        ("good", f"{lender} extends {one}'s loan of $4.0m: it is paid later.", (n_l,)),
        ("good", f"{lender} takes equity in {two} for what it cannot carry: $6.0m of the loan stay.", (n_l + 1,)),
    ]


def test_every_kind_of_event_is_told():
    """What happens is told in words, by its own sentence; a forced sale is told by its auction."""
    for module in ("narrate", "why"):
        source = inspect.getsource(importlib.import_module(f"simulation.browser.{module}"))
        assert {kind for kind in EVENT_KINDS if f'"{kind}"' not in source} == set(), module


def test_every_contact_that_an_auction_reached_is_shown_once():
    """Who bids, and who cannot and why: also where a sale before it in the round has moved limits and purses."""
    world = build_world(load_scenario("article"), 1, tape=20_000)
    clock, seen = world.clock[0], 0
    while clock.month < 32:
        clock.tape = 0
        advance(world, STEP)
        tape = world.tape[: int(clock.tape)]
        heads = np.flatnonzero(tape.kind == TapeRow.AUCTION)
        for head, end in zip(heads, [*heads[1:], len(tape)], strict=False):  # none without an auction
            rows = tape[head + 1 : end]
            others = rows.node[rows.kind != TapeRow.ASK]
            assert len(set(others.tolist())) == len(others) == tape.reached[head]
            seen += len(heads) > 1
    assert seen > 5
