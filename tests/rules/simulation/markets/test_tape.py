"""What an auction leaves on the tape for whoever watches."""

from __future__ import annotations

import pytest

from simulation.markets.tape import TapeRow, note_row
from tests.rules.worlds import small_world


def test_a_row_says_who_what_and_when_and_forgets_the_row_that_stood_there():
    w = small_world(chips=2, tape=4)
    for column in w.tape.dtype.names:
        w.tape[2][column] = 77  # what the last step left there
    w.clock[0].tape = 2
    w.clock[0].turn = 3
    w.chips[1].fundamental, w.chips[1].appraisal = 400.0, 600.0
    assert note_row(w, w.clock[0], TapeRow.NO_MONEY, 8, 1, 250.0, 12.0) == 2
    row = w.tape[2]
    assert (row.kind, row.node, row.chip, row.turn) == (TapeRow.NO_MONEY, 8, 1, 3)
    assert (row.price, row.units, row.fundamental, row.appraisal) == pytest.approx((250.0, 12.0, 400.0, 600.0))
    # What only some kinds of row have is for the caller to add.
    assert (row.forced, row.reached, row.filled, row.money, row.hops) == (0, 0, 0.0, 0.0, 0.0)
    assert w.clock[0].tape == 3


@pytest.mark.parametrize(("used", "row"), [(0, 0), (1, 1), (2, -1), (3, -1)])
def test_a_full_tape_takes_no_more(used, row):
    w = small_world(tape=2)
    w.clock[0].tape = used
    assert note_row(w, w.clock[0], TapeRow.ASK, 5, 0, 1.0, 1.0) == row
    assert w.clock[0].tape == (used + 1 if row >= 0 else used)
    assert [r.node for r in w.tape] == [5 if k == row else 0 for k in range(2)]


def test_where_nobody_watches_there_is_no_tape():
    w = small_world()
    assert note_row(w, w.clock[0], TapeRow.ASK, 5, 0, 1.0, 1.0) == -1
    assert w.clock[0].tape == 0
