"""Cascades as genealogies: which default or failure descends from which."""

from __future__ import annotations

import numpy as np
import pytest

from agents.tables.events import EVENT, Cause, EventKind
from simulation.record.genealogy import tally, trace

D, F, M, S = EventKind.DEFAULT, EventKind.LENDER_FAILURE, EventKind.MARGIN_CALL, EventKind.FORCED_SALE


def family(*events: tuple[EventKind, int], causes: tuple[Cause, ...] = ()):
    """Return the events of (kind, parent)."""
    table = EVENT.empty(len(events))
    for row, (kind, parent) in zip(table, events, strict=True):
        row.kind, row.parent = kind, parent
    for row, cause in zip(table, causes, strict=False):
        row.cause = cause
    return table


def traced(table, n: int | None = None):
    near, root, depth = (np.full(len(table), 77, np.int64) for _ in range(3))
    trace(table, len(table) if n is None else n, near, root, depth)
    return near.tolist(), root.tolist(), depth.tolist()


def test_a_default_descends_from_the_nearest_default_or_failure_above_it():
    # A default seizes and sells (1), the sale brings a margin call (2), that a default (3), that a failure (4), that a
    # default (5); another default (6) stands alone.
    near, root, depth = traced(family((D, -1), (S, 0), (M, 1), (D, 2), (F, 3), (D, 4), (D, -1)))
    assert near == [0, 0, 0, 3, 4, 5, 6]
    assert root == [0, -1, -1, 0, 0, 0, 6]
    assert depth == [0, 0, 0, 1, 2, 3, 0]


def test_a_call_that_nothing_triggered_starts_no_cascade_what_follows_from_it_does():
    near, root, depth = traced(family((M, -1), (S, 0), (D, 1), (D, 0), (F, 3)))
    assert near == [-1, -1, 2, 3, 4]
    assert root == [-1, -1, 2, 3, 3]
    assert depth == [0, 0, 0, 0, 1]


def test_siblings_share_their_root_and_generation():
    _, root, depth = traced(family((F, -1), (D, 0), (D, 0), (D, 1)))
    assert root == [0, 0, 0, 0]
    assert depth == [0, 1, 1, 2]


def test_only_events_written_so_far_are_traced():
    assert traced(family((D, -1), (D, 0), (D, 1)), 2)[1] == [0, 0, 77]


def counted(table):
    _, root, depth = traced(table)
    causes, sizes = np.zeros(len(Cause), np.int64), np.zeros(len(table), np.int64)
    return tally(table, np.array(root), np.array(depth), causes, sizes), causes, sizes


def test_a_run_is_counted_by_defaults_failures_and_cascades():
    # A cascade of four in three generations; one of two; one alone. Margin calls and sales are no members.
    table = family(
        (D, -1), (S, 0), (D, 1), (F, 2), (M, -1), (D, 4), (F, 5), (D, -1), (D, 0),
        causes=(Cause.LTV, Cause.NONE, Cause.DSCR, Cause.INSOLVENCY, Cause.LTV, Cause.LTV, Cause.ILLIQUIDITY, Cause.LTV, Cause.DSCR),
    )  # fmt: skip
    result, causes, sizes = counted(table)
    # Defaults, failures, cascades, largest, deepest, caused by an earlier one: 2, 3, 6 and 8.
    assert result == (5, 2, 3, 4, 2, 4)
    assert sizes.tolist() == [4, 0, 0, 0, 0, 2, 0, 1, 0]
    expected = np.zeros(len(Cause), int)
    expected[Cause.LTV], expected[Cause.DSCR] = 3, 2
    assert causes.tolist() == expected.tolist()


def test_the_largest_and_the_deepest_cascade_need_neither_be_the_last_nor_the_same():
    table = family((D, -1), (D, 0), (D, 1), (D, -1), (D, 3), (D, 3), (D, 3), (F, -1))
    result, _, sizes = counted(table)
    assert result == (7, 1, 3, 4, 2, 5)
    assert sizes.tolist() == [3, 0, 0, 4, 0, 0, 0, 1]


@pytest.mark.parametrize("table", [EVENT.empty(0), family((M, -1), (S, 0))])
def test_without_defaults_and_failures_there_is_nothing_to_count(table):
    assert counted(table)[0] == (0, 0, 0, 0, 0, 0)
