"""What a lender does with hardware that it has seized: how much it offers, and from which price."""

from __future__ import annotations

import pytest

from agents.lenders.collateral import hold_value, lender_need, paced_units, price_estate, price_seized
from agents.tables.events import SaleReason
from agents.tables.lenders import LenderKind, LenderStatus
from tests.rules.worlds import add_lot, operator_node, put, small_world


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


# --- need and what waiting is worth ------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("columns", "need"),
    [
        # Between a least capital ratio of 0.08 and a target of 0.2.
        ({"capital_ratio": 0.2}, 0.0),
        ({"capital_ratio": 0.5}, 0.0),
        ({"capital_ratio": 0.17}, 0.25),
        ({"capital_ratio": 0.11}, 0.75),
        ({"capital_ratio": 0.08}, 1.0),
        ({"capital_ratio": -0.3}, 1.0),
        # A target at the minimum leaves nothing in between.
        ({"capital_ratio": 0.21, "capital_minimum": 0.2}, 0.0),
        ({"capital_ratio": 0.19, "capital_minimum": 0.2}, 1.0),
        ({"capital_ratio": 0.2, "capital_minimum": 0.2}, 1.0),
        # Who is called upon needs money at any price; a dollar is let pass.
        ({"capital_ratio": 0.5, "call_due": 1.0}, 0.0),
        ({"capital_ratio": 0.5, "call_due": 1.5}, 1.0),
        ({"capital_ratio": 0.5, "status": LenderStatus.ILLIQUID}, 1.0),
        ({"capital_ratio": 0.5, "status": LenderStatus.FAILED}, 1.0),
        # Outside investors need none.
        ({"kind": LenderKind.OUTSIDE, "capital_ratio": -1.0, "call_due": 9.0}, 0.0),
        ({"kind": LenderKind.OUTSIDE, "status": LenderStatus.FAILED}, 0.0),
    ],
)
def test_a_lender_needs_money_the_more_the_less_capital_is_left_and_at_any_price_when_it_is_called(columns, need):
    lender = put(small_world().lenders[0], capital_target=0.2, capital_minimum=0.08)
    assert lender_need(put(lender, **columns)) == pytest.approx(need)


@pytest.mark.parametrize(
    ("site", "receivership", "usd"), [(0, 0.75, 300.0), (3, 0.75, 300.0), (0, 0.0, 0.0), (-1, 0.75, 0.0)]
)
def test_hardware_is_worth_waiting_for_where_a_receiver_can_run_it(site, receivership, usd):
    w = small_world(terms={"market_receivership": receivership})
    w.chips[0].fundamental = 400.0
    lot = w.lots[add_lot(w, node=0, site=site)]
    assert hold_value(lot, w.chips[0], w.terms[0]) == pytest.approx(usd)


# --- reserves ----------------------------------------------------------------------------------------------------
def seized(**terms: float):
    """Lender 1, sound, marks at appraisals of 100 and 300; it asks half of a mark at first, 0.1 less with each month.

    Where it can be run the hardware is worth 400 and 800 in use, of which a receiver makes three quarters.
    """
    w = small_world(
        lenders=2,
        chips=2,
        terms={"market_patience_decay": 0.1, "policy_pacing": 1.0, "market_receivership": 0.75} | terms,
    )
    w.clock[0].month = 10
    w.chips.appraisal[:] = 100.0, 300.0
    w.chips.fundamental[:] = 400.0, 800.0
    put(w.lenders[1], mark_to_market=1.0, patience=0.5, capital_target=0.2, capital_minimum=0.08, capital_ratio=0.3)
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
def test_what_was_carried_off_is_asked_a_part_of_its_mark_that_falls_with_the_months_held(month, chip, reserve):
    w = seized()
    k = add_lot(w, node=1, units=8.0, chip=chip, seized=month, reason=SaleReason.SEIZED, reserve=999.0)
    assert asked(w) == {k: (8.0, reserve)}


@pytest.mark.parametrize(("ratio", "need"), [(0.3, 0.0), (0.17, 0.25), (0.09, 0.11 / 0.12), (0.08, 1.0)])
@pytest.mark.parametrize("month", [10, 2])
def test_in_its_place_hardware_is_asked_what_a_receiver_makes_of_it_less_by_the_lenders_need(ratio, need, month):
    w = seized()
    w.lenders[1].capital_ratio = ratio
    lots = [
        add_lot(w, node=1, units=8.0, chip=g, seized=month, reason=SaleReason.SEIZED, site=g, reserve=9.0)
        for g in (0, 1)
    ]
    idle = add_lot(w, node=1, units=8.0, seized=10, reason=SaleReason.SEIZED, reserve=9.0)
    # What stands idle is asked its part of the mark as long as there is any capital to spare.
    assert asked(w) == {
        lots[0]: (8.0, (1 - need) * 300), lots[1]: (8.0, (1 - need) * 600), idle: (8.0, 50.0 if need < 1.0 else 0.0)
    }  # fmt: skip


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


@pytest.mark.parametrize(("month", "left"), [(10, 1.0), (4, 0.5), (1, 0.25), (-2, 0.0), (-9, 0.0)])
def test_an_estate_runs_its_hardware_and_grows_impatient(month, left):
    # For sale since ``month``, over a year; a receiver makes 300 and 600 of a unit.
    w = seized(market_estate_months=12.0)
    node = operator_node(w)
    idle = add_lot(w, node=node, units=8.0, asked=month, reserve=9.0)
    first = add_lot(w, node=node, units=8.0, asked=month, site=0, reserve=9.0)
    second = add_lot(w, node=node, units=8.0, chip=1, asked=10, site=0, reserve=9.0)
    other = add_lot(w, node=1, units=8.0, asked=month, site=0, reserve=9.0)
    price_estate(w, w.clock[0], node)
    found = [float(w.lots[k].reserve) for k in (idle, first, second, other)]
    assert found == pytest.approx([0.0, 300 * left, 600.0, 9.0])
    # How much is offered does not change.
    assert w.lots[first].offered == 0.0
