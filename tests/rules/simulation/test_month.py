"""The month: a list of phases, each a list of rules, and how far a step goes."""

from __future__ import annotations

from functools import partial

import pytest

from agents.tables.clock import Fault
from simulation import month as months
from simulation.month import CASCADE, CLOSE, HORIZON, MONTH, OPEN, PHASES, RECORD, SERVICE, STEP
from tests.rules.worlds import small_world

NAMES = [phase.name for phase in PHASES]


# --- the order -----------------------------------------------------------------------------------------------------
def test_the_phases_follow_one_another():
    assert NAMES == ["open", "rent", "value", "service", "cascade", "credit", "fund", "close", "record"]


@pytest.mark.parametrize(
    ("phase", "rules"),
    [
        ("open", ("start_month", "move_drivers")),  # counters start before anything is counted
        ("open", ("start_month", "open_books")),
        ("open", ("open_books", "deliver_orders")),  # the month's opening cash is before its payments
        ("open", ("start_month", "replenish_buyers")),
        ("open", ("start_month", "fail_customers", "renegotiate")),  # who fails renews nothing
        ("open", ("move_drivers", "fail_customers")),  # in a stress of this month customers fail sooner
        ("open", ("fail_customers", "deliver_orders")),  # new capacity is let to those that are left
        ("open", ("replenish_buyers", "move_capital")),  # budgets open before outside capital comes to them
        ("open", ("finish_sites", "deliver_orders")),  # new chips find the power that was built for them
        ("open", ("renegotiate", "pool_fleets")),  # lots whose contracts have ended can be pooled
        ("value", ("value_chips",)),
        ("rent", ("clear_rental", "earn_rent", "pay_idle_hours", "scrap_idle")),  # what is not sold the vendor pays for
        ("rent", ("earn_rent", "realise_contracts")),
        ("service", ("accrue", "pay_debts", "pay_shares", "close_paid", "watch_coverage")),
        ("service", ("judge_borrowers", "accrue")),  # whether a lender would wait is known before anything falls due
        ("service", ("watch_coverage", "test_terms", "swap_hopeless", "watch_sweeps", "sweep_cash")),
        ("cascade", ("carry_out_defaults", "trade")),  # what is seized is sold in the same round
        ("cascade", ("impose_block", "offer_blocks", "trade")),
        ("cascade", ("trade", "appraise", "revalue", "judge_borrowers", "watch_covenants")),  # trades, marks, calls
        ("cascade", ("revalue", "watch_coins", "work_out_arrears", "count_unsold", "set_haircut")),
        ("cascade", ("revalue", "provide", "call_lines", "run_deposits", "meet_calls", "fail_lenders")),
        ("cascade", ("fail_lenders", "withdraw_commitments")),
        (
            "credit",
            ("order_chips", "relet_sites", "begin_sites"),
        ),  # what power is wanted; what is free is let before more is built
        ("credit", ("begin_sites", "pay_out_excess", "issue_notes")),
        ("fund", ("pay_lines", "fund_lenders")),
        ("close", ("withdraw_posted", "count_unsold")),
        ("close", ("commit_capital", "remember_prices")),  # what was gained is seen at the prices of the month
        ("close", ("pay_estates", "provide")),  # losses of the estates are in the books of the month
        ("close", ("remember_prices", "revalue", "provide")),  # marks follow the appraisals of the month's end
        ("close", ("remember_prices", "mark_books")),
        (
            "record",
            ("record_month", "check_units", "check_loans", "check_claims", "check_means", "check_flows", "keep_flows"),
        ),
    ],
)
def test_rules_of_a_phase_stand_in_their_order(phase, rules):
    names = [rule.__name__ for rule in PHASES[NAMES.index(phase)].rules]
    places = [names.index(rule) for rule in rules]
    assert places == sorted(places)


@pytest.mark.parametrize("phase", range(len(PHASES)), ids=NAMES)
def test_a_phase_carries_out_its_rules_and_no_others_each_with_the_world_and_its_clock(phase, monkeypatch):
    called = []
    for name in {rule.__name__ for each in PHASES for rule in each.rules}:
        monkeypatch.setattr(months, name, lambda w, clock, name=name: called.append((name, w, clock)))
    clock = small_world().clock[0]
    clock.phase = phase
    months.run_phase("world", clock)
    assert called == [(rule.__name__, "world", clock) for rule in PHASES[phase].rules]


# --- how far a step goes -------------------------------------------------------------------------------------------
@pytest.fixture
def play(monkeypatch):
    """Return a function that advances a world of three months and lists the (month, phase, round) carried out.

    ``rounds`` are the rounds that a cascade takes; ``fault`` is the (month, phase, round) that violates an identity.
    Every phase makes news.
    """

    def phase_of(w, clock, *, done, fault):
        done.append((int(clock.month), int(clock.phase), int(clock.turn)))
        assert clock.phase != CASCADE or clock.news == 0, "news is of the round"
        clock.news += 5
        if done[-1] == fault:
            clock.fault = Fault.UNITS

    def run(w, stop, *, rounds=1, fault=None):
        done = []
        monkeypatch.setattr(months, "run_phase", partial(phase_of, done=done, fault=fault))
        monkeypatch.setattr(months, "goes_on", lambda w, clock: clock.turn < rounds - 1)
        months.walk(w, stop)
        return done

    return run


def three_months(phase: int = OPEN, **clock: int):
    w = small_world(months=3, terms={"run_max_turns": 4})
    w.clock[0].phase = phase
    for name, value in clock.items():
        setattr(w.clock[0], name, value)
    return w


def where(w) -> tuple[int, int, int]:
    clock = w.clock[0]
    return clock.month, clock.phase, clock.turn


@pytest.mark.parametrize(
    ("phase", "rounds", "after"),
    [
        (OPEN, 1, (1, OPEN + 1, 0)),
        (SERVICE, 1, (1, CASCADE, 0)),
        (CASCADE, 2, (1, CASCADE, 1)),  # another round follows
        (CASCADE, 1, (1, CASCADE + 1, 1)),
        (CLOSE, 1, (1, RECORD, 0)),
        (RECORD, 1, (2, OPEN, 0)),
    ],
)
def test_a_step_is_one_phase_or_one_round(play, phase, rounds, after):
    w = three_months(phase, month=1, news=3)
    assert play(w, STEP, rounds=rounds) == [(1, phase, 0)]
    assert where(w) == after


def month_of(month: int, rounds: int, first: int = OPEN) -> list[tuple[int, int, int]]:
    """Return what a month carries out from a phase on; the rule that starts rounds at zero is not played here."""
    before = [(month, p, 0) for p in range(first, CASCADE)]
    return [
        *before,
        *((month, CASCADE, t) for t in range(rounds)),
        *((month, p, rounds) for p in range(CASCADE + 1, RECORD + 1)),
    ]


def test_a_month_goes_to_its_record(play):
    w = three_months(SERVICE)
    assert play(w, MONTH, rounds=3) == month_of(0, 3, SERVICE)
    assert where(w) == (1, OPEN, 3)


def test_a_run_goes_to_the_horizon_and_no_further(play):
    w = three_months()
    done = play(w, HORIZON)
    assert [(m, p) for m, p, _ in done] == [(m, p) for m in range(3) for p in range(len(PHASES))]
    assert where(w)[:2] == (3, OPEN)
    assert play(w, STEP) == []


def test_a_violated_identity_stops_the_run_where_it_stands(play):
    w = three_months()
    done = play(w, HORIZON, fault=(0, SERVICE, 0))
    assert done[-1] == (0, SERVICE, 0)
    assert where(w) == (0, SERVICE, 0)
    assert play(w, HORIZON) == []


def test_a_violation_found_by_the_record_keeps_the_run_in_its_month(play):
    w = three_months(RECORD)
    play(w, HORIZON, fault=(0, RECORD, 0))
    assert where(w) == (0, RECORD, 0)


@pytest.mark.parametrize(("rounds", "stopped"), [(4, False), (5, True)])
def test_a_cascade_that_does_not_end_is_stopped(play, rounds, stopped):
    # Four rounds are allowed: the fourth, number 3, may not ask for another.
    w = three_months(CASCADE)
    done = play(w, MONTH, rounds=rounds)
    clock = w.clock[0]
    if stopped:
        assert done == [(0, CASCADE, t) for t in range(4)]
        assert (clock.fault, clock.fault_node, clock.fault_usd) == (Fault.ENDLESS, 3, 0.0)
        assert clock.phase == CASCADE
    else:
        assert (clock.fault, clock.month) == (Fault.NONE, 1)
