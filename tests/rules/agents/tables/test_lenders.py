"""How a lender notes a credit loss."""

from __future__ import annotations

import pytest

from agents.tables.lenders import note_loss
from tests.rules.worlds import small_world


@pytest.mark.parametrize(
    ("losses", "month", "largest", "event"),
    [
        ([(30.0, 4)], 30.0, 30.0, 4),
        ([(30.0, 4), (20.0, 5)], 50.0, 30.0, 4),  # a smaller one changes the sum alone
        ([(30.0, 4), (30.0, 5)], 60.0, 30.0, 4),  # of equal ones the first
        ([(30.0, 4), (40.0, 6), (10.0, 7)], 80.0, 40.0, 6),
    ],
)
def test_losses_add_up_and_the_event_of_the_largest_is_remembered(losses, month, largest, event):
    lender = small_world().lenders[0]
    for usd, what in losses:
        note_loss(lender, usd, what)
    assert lender.losses_month == pytest.approx(month)
    assert (lender.loss_event_usd, lender.loss_event) == (largest, event)
