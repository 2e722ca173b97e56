"""How a lender books what it loses, and what it remembers of it."""

from __future__ import annotations

import pytest

from agents.tables.lenders import lose, note_loss
from tests.rules.worlds import put, small_world


def test_what_is_lost_for_good_counts_since_the_start_and_in_the_month():
    lender = put(small_world().lenders[0], losses=5.0, losses_month=-7.0, loss_event=3)
    lose(lender, 20.0)
    assert (lender.losses, lender.losses_month) == (25.0, 13.0)
    assert (lender.loss_event, lender.loss_event_usd) == (3, 0.0)


@pytest.mark.parametrize(
    ("losses", "largest", "event"),
    [
        ([(30.0, 4)], 30.0, 4),
        ([(30.0, 4), (20.0, 5)], 30.0, 4),
        ([(30.0, 4), (30.0, 5)], 30.0, 4),  # of equal ones the first
        ([(30.0, 4), (40.0, 6), (10.0, 7)], 40.0, 6),
    ],
)
def test_the_event_of_the_largest_loss_is_remembered_and_nothing_is_booked(losses, largest, event):
    lender = put(small_world().lenders[0], losses=5.0, losses_month=7.0)
    for usd, what in losses:
        note_loss(lender, usd, what)
    assert (lender.loss_event_usd, lender.loss_event) == (largest, event)
    assert (lender.losses, lender.losses_month) == (5.0, 7.0)
