"""What a lender does with hardware that it has seized: how much it offers, and from which price."""

from __future__ import annotations

import pytest

from agents.lenders.collateral import paced_units, price_seized
from agents.tables.events import SaleReason
from agents.tables.lenders import LenderStatus
from tests.rules.worlds import add_lot, operator_node, small_world


@pytest.mark.parametrize(
    ("pacing", "turn", "offered", "status", "units"),
    [
        # A lot of 8, a quarter a month.
        (0.25, 0, 0.0, LenderStatus.ACTIVE, 2.0),  # a month opens: its part
        (0.25, 0, 5.0, LenderStatus.ACTIVE, 2.0),
        (0.25, 1, 1.5, LenderStatus.ACTIVE, 1.5),  # later rounds: what is left of it
        (0.25, 1, 0.0, LenderStatus.ACTIVE, 0.0),
        (0.25, 2, 8.0, LenderStatus.ACTIVE, 2.0),  # seized in between: its part as well
        (0.25, 1, 1.5, LenderStatus.ILLIQUID, 8.0),  # who is not sound offers all
        (0.25, 0, 1.5, LenderStatus.FAILED, 8.0),
        (1.0, 1, 3.0, LenderStatus.ACTIVE, 8.0),  # no pacing
        (1.5, 0, 3.0, LenderStatus.ACTIVE, 8.0),
    ],
)
def test_a_sound_lender_offers_a_part_of_a_seized_lot_a_month(pacing, turn, offered, status, units):
    w = small_world(terms={"policy_pacing": pacing})
    w.clock[0].turn = turn
    w.lenders[0].status = status
    lot = w.lots[add_lot(w, node=0, units=8.0, offered=offered)]
    assert paced_units(lot, w.lenders[0], w.clock[0], w.terms[0]) == units


def seized(**terms: float):
    """Lender 1 marks at appraisals of 100 and 300; it asks half of a mark at first, 0.1 less with each month."""
    w = small_world(lenders=2, chips=2, terms={"market_patience_decay": 0.1, "policy_pacing": 1.0} | terms)
    w.clock[0].month = 10
    w.chips.appraisal[:] = 100.0, 300.0
    w.lenders[1].mark_to_market, w.lenders[1].patience = 1.0, 0.5
    return w


def asked(w, node: int = 1) -> dict[int, tuple[float, float]]:
    """Let the lender price its lots; return units offered and reserve of every lot by row."""
    price_seized(w, w.clock[0], node, w.lenders[node])
    return {k: (w.lots[k].offered, pytest.approx(w.lots[k].reserve)) for k in range(w.clock[0].used_lots)}


@pytest.mark.parametrize(
    ("month", "chip", "reserve"),
    [
        (10, 0, 0.5 * 100),  # fresh
        (10, 1, 0.5 * 300),
        (9, 0, 0.4 * 100),
        (7, 0, 0.2 * 100),  # three months of patience lost
        (5, 0, 0.0),
        (2, 0, 0.0),  # nothing, not less
    ],
)
def test_a_sound_lender_asks_a_part_of_its_mark_that_falls_with_the_months_held(month, chip, reserve):
    w = seized()
    k = add_lot(w, node=1, units=8.0, chip=chip, seized=month, reason=SaleReason.SEIZED, reserve=999.0)
    assert asked(w) == {k: (8.0, reserve)}


@pytest.mark.parametrize("status", [LenderStatus.ILLIQUID, LenderStatus.FAILED])
def test_a_lender_that_is_not_sound_asks_nothing_and_offers_all(status):
    w = seized(policy_pacing=0.25)
    w.lenders[1].status = status
    k = add_lot(w, node=1, units=8.0, seized=10, reason=SaleReason.SEIZED, reserve=999.0)
    assert asked(w) == {k: (8.0, 0.0)}


def test_every_lot_of_the_lender_is_priced_but_a_block_imposed_by_hand_and_those_of_others():
    w = seized(policy_pacing=0.25)
    held = {"seized": 10, "reason": SaleReason.SEIZED, "reserve": 9.0}
    last = add_lot(w, node=1, units=8.0, **held)
    block = add_lot(w, node=1, units=16.0, seized=10, reason=SaleReason.IMPOSED, offered=6.0, reserve=7.0)
    first = add_lot(w, node=1, units=4.0, **held)
    other = add_lot(w, node=0, units=4.0, **held)
    free = add_lot(w, node=operator_node(w), units=4.0, **held)
    assert asked(w) == {last: (2.0, 50.0), block: (6.0, 7.0), first: (1.0, 50.0), other: (0.0, 9.0), free: (0.0, 9.0)}
