"""Rounds are counted through the run, and the first fault stops it."""

from __future__ import annotations

from agents.tables.clock import Fault, stop_run, this_round
from tests.rules.worlds import small_world


def test_a_later_round_has_a_higher_number_across_months():
    clock = small_world().clock[0]
    clock.month, clock.turn = 3, 7
    assert this_round(clock) == 3 * 1000 + 7


def test_a_fault_stops_the_run_and_says_where_and_how_much():
    clock = small_world().clock[0]
    stop_run(clock, Fault.NEGATIVE, 4, -2.5)
    assert (clock.fault, clock.fault_node, clock.fault_usd) == (Fault.NEGATIVE, 4, -2.5)


def test_the_first_fault_stands():
    clock = small_world().clock[0]
    stop_run(clock, Fault.EVENTS_FULL, 4, -2.5)
    stop_run(clock, Fault.CLAIMS, 6, 9.0)
    assert (clock.fault, clock.fault_node, clock.fault_usd) == (Fault.EVENTS_FULL, 4, -2.5)
