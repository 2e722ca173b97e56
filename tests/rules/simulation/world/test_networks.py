"""Ties: distinct nodes by draws, and contacts by hops."""

from __future__ import annotations

import numpy as np
import pytest

from simulation.world.networks import take_distinct, widen_contacts


def taken(draws, wanted, nodes):
    """Return each row's nodes, of ``nodes`` that there are."""
    ptr = np.full(len(wanted) + 1, 77)
    found = np.full(sum(wanted), 77)
    take_distinct(np.array(draws), np.array(wanted), ptr, found, np.full(nodes, -1))
    assert (ptr[0], ptr[-1]) == (0, len(found))
    return [found[a:b].tolist() for a, b in zip(ptr, ptr[1:], strict=False)]


@pytest.mark.parametrize(
    ("draws", "wanted", "rows"),
    [
        ([[2, 2, 0, 1]], [2], [[2, 0]]),  # the first two that differ
        ([[3, 1, 1, 3]], [4], [[3, 1, 0, 2]]),  # the draws do not suffice: those left over, in order
        ([[1, 1, 1, 1]], [1], [[1]]),
        # Each row starts afresh: what another has is no obstacle.
        ([[2, 2, 0, 1], [2, 0, 0, 0], [0, 0, 0, 0]], [2, 3, 2], [[2, 0], [2, 0, 1], [0, 1]]),
        ([[1, 0, 2, 3], [1, 1, 1, 1]], [0, 2], [[], [1, 0]]),
    ],
)
def test_each_row_is_tied_to_its_first_distinct_draws(draws, wanted, rows):
    assert taken(draws, wanted, 4) == rows


#: 0 knows 1 and 2; 1 knows 0, 3 and 4; 2 knows 4 and 3; 3 knows 5; 4 nobody; 5 knows itself, 4 and 1.
DIRECT = [[1, 2], [0, 3, 4], [4, 3], [5], [], [5, 4, 1]]


def widened(limit):
    """Return for each node the (contact, hops) pairs, and how many pairs were written."""
    n = len(DIRECT)
    ptr = np.cumsum([0, *map(len, DIRECT)])
    flat = np.array([j for row in DIRECT for j in row])
    out_ptr = np.full(n + 1, 77)
    out, hops = np.full((2, n * limit), 77)
    written = widen_contacts(ptr, flat, limit, out_ptr, out, hops, np.full(n, -1))
    assert (out_ptr[0], out_ptr[-1]) == (0, written)
    assert set(out[written:]) <= {77}
    pairs = list(zip(out.tolist(), hops.tolist(), strict=True))
    return [pairs[a:b] for a, b in zip(out_ptr, out_ptr[1:], strict=False)]


def test_contacts_of_contacts_follow_the_direct_ones_nearest_first_each_once_and_nobody_itself():
    assert widened(9) == [
        [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3)],
        [(0, 1), (3, 1), (4, 1), (2, 2), (5, 2)],
        [(4, 1), (3, 1), (5, 2), (1, 3), (0, 4)],
        [(5, 1), (4, 2), (1, 2), (0, 3), (2, 4)],
        [],
        [(4, 1), (1, 1), (0, 2), (3, 2), (2, 3)],
    ]


@pytest.mark.parametrize("limit", [1, 2, 3, 4])
def test_a_node_has_the_nearest_contacts_up_to_a_limit(limit):
    assert widened(limit) == [row[:limit] for row in widened(9)]


def test_the_limit_also_cuts_direct_contacts_and_those_of_one_contact():
    # By hand: 1 has three direct ones, 0 gets one of the two that 1 adds.
    assert widened(2)[1] == [(0, 1), (3, 1)]
    assert widened(3)[0] == [(1, 1), (2, 1), (3, 2)]
