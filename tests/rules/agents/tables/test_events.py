"""The log of what happened."""

from __future__ import annotations

from agents.tables.clock import Fault
from agents.tables.events import Cause, EventKind, log_event
from tests.rules.worlds import events, small_world

SEIZURE = (EventKind.SEIZURE, Cause.DSCR, 5, 6, 7, 8.5, 9.5, 0)


def test_an_event_is_appended_with_its_month_round_and_parent():
    w = small_world()
    clock = w.clock[0]
    clock.month, clock.turn = 3, 2
    root = log_event(w.events, clock, EventKind.DEFAULT, Cause.MATURITY, 1, 2, 3, 4.0, 5.0, -1)
    assert log_event(w.events, clock, *SEIZURE) == root + 1 == 1
    first, second = events(w)
    assert first.tolist() == (3, 2, EventKind.DEFAULT, Cause.MATURITY, 1, 2, 3, 4.0, 5.0, -1)
    assert second.tolist() == (3, 2, *SEIZURE)
    assert clock.fault == Fault.NONE


def test_a_full_log_stops_the_run_and_keeps_what_it_has():
    w = small_world()
    clock = w.clock[0]
    log = w.events[:3]
    for node in (11, 12, 13):
        log_event(log, clock, EventKind.RUN, Cause.NONE, node, -1, -1, 0.0, 0.0, -1)
    clock.fault_usd = 77.0
    # The index of the last event there is: a parent that can be read.
    assert log_event(log, clock, *SEIZURE) == 2
    assert (clock.fault, clock.fault_node, clock.fault_usd) == (Fault.EVENTS_FULL, 3, 0.0)
    assert [e.node for e in events(w)] == [11, 12, 13]
    assert w.events[3].node == 0
