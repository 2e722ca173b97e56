"""What happens in the rounds of the cascade beside what agents do."""

from __future__ import annotations

import pytest

from agents.tables.clock import Fault
from agents.tables.events import Cause, EventKind, SaleReason
from simulation.phases.cascade import goes_on, impose_block, offer_blocks, offer_part
from tests.rules.worlds import add_lot, events, put, small_world


def block(units: float, chip: int = 1):
    """Outside investors are to sell ``units`` of one of two generations, 5 months old and appraised at 600 USD."""
    w = small_world(lenders=2, chips=2)
    clock = w.clock[0]
    clock.month, clock.news = 7, 3
    clock.imposed_chip, clock.imposed_units = chip, units
    w.chips[1].appraisal, w.chips[1].mean_age = 600.0, 5.0
    w.chips.stock, w.chips.added = 1000.0, 10.0
    w.lenders.seized_units = 8.0
    return w


def test_a_block_comes_to_market_as_hardware_of_outside_investors_that_they_sell_without_reserve():
    w = block(40.0)
    impose_block(w, w.clock[0])
    (shock,) = events(w)
    assert (shock.kind, shock.cause, shock.node, shock.other) == (EventKind.SHOCK, Cause.IMPOSED, 2, -1)
    assert (shock.chip, shock.units, shock.usd, shock.parent) == (1, 40.0, pytest.approx(40 * 600.0), -1)
    lot = w.lots[0]
    assert w.first_lot.tolist() == [-1, -1, 0, -1, -1]
    assert (lot.owner, lot.chip, lot.units, lot.offered, lot.loan) == (2, 1, 40.0, 40.0, -1)
    assert (lot.vintage, lot.online, lot.cost, lot.reserve) == (2.0, 7, 600.0, 0.0)
    assert (lot.reason, lot.cause, lot.asked, lot.seized) == (SaleReason.IMPOSED, 0, 7, 7)
    assert (lot.deadline, lot.hurry) == (7, 0)


def test_a_block_adds_to_the_units_in_existence_and_makes_news_once():
    w = block(40.0)
    for _ in range(2):
        impose_block(w, w.clock[0])
    assert w.chips.stock.tolist() == [1000.0, 1040.0]
    assert w.chips.added.tolist() == [10.0, 50.0]
    assert w.lenders.seized_units.tolist() == [8.0, 8.0, 48.0]
    assert (w.clock[0].imposed_units, w.clock[0].news, w.clock[0].events) == (0.0, 4, 1)


@pytest.mark.parametrize("chip", [0, 1])
def test_blocks_of_the_drivers_and_by_hand_of_one_generation_or_two_both_come_to_market(chip):
    w = block(40.0)
    put(w.paths[7], block_chip=chip, block_units=30.0)
    put(w.paths[8], block_chip=1, block_units=99.0)
    impose_block(w, w.clock[0])
    assert [(e.chip, e.units) for e in events(w)] == [(chip, 30.0), (1, 40.0)]
    assert w.lenders.seized_units[2] == 8.0 + 70.0
    assert w.clock[0].news == 5


@pytest.mark.parametrize(("turn", "units", "lots"), [(0, 30.0, 1), (0, 0.5, 1), (0, 0.0, 0), (1, 30.0, 0)])
def test_a_block_of_the_drivers_comes_in_the_first_round_of_its_month(turn, units, lots):
    w = block(0.0)
    put(w.paths[7], block_chip=1, block_units=units)
    w.clock[0].turn = turn
    impose_block(w, w.clock[0])
    assert (w.clock[0].events, w.clock[0].used_lots) == (lots, lots)
    assert w.chips.added.tolist() == [10.0, 10.0 + lots * units]


@pytest.mark.parametrize(("units", "lots"), [(0.0, 0), (-1.0, 0), (0.5, 1)])
def test_a_block_has_units(units, lots):
    w = block(units)
    impose_block(w, w.clock[0])
    assert (w.clock[0].events, w.clock[0].used_lots, w.clock[0].news) == (lots, lots, 3 + lots)


def test_without_a_free_row_the_run_stops_and_no_other_lot_is_touched():
    w = block(40.0)
    w.clock[0].free_lot = -1
    impose_block(w, w.clock[0])
    assert w.clock[0].fault == Fault.LOTS_FULL
    assert not w.lots.offered.any() and (w.lots.seized == -1).all()


@pytest.mark.parametrize(
    ("days", "deadline", "hurry", "part", "reserve"),
    [
        (1, 7, 3, 40.0, 0.0),  # a week is the least
        (7, 7, 3, 40.0, 0.0),
        (14, 7, 3, 40.0, 0.0),
        (15, 7, 2, 40.0, 0.0),
        (29, 7, 1, 40.0, 0.0),
        (30, 7, 0, 40.0, 0.0),
        (31, 8, 0, 20.0, 300.0),
        (60, 8, 0, 20.0, 300.0),
        (61, 9, 0, 40 / 3, 400.0),
        (180, 12, 0, 40 / 6, 500.0),
    ],
)
def test_a_block_is_offered_by_equal_parts_of_its_months_and_in_less_than_one_there_is_less_time_to_search(
    days, deadline, hurry, part, reserve
):
    w = block(40.0)
    w.clock[0].imposed_days = days
    impose_block(w, w.clock[0])
    lot = w.lots[0]
    assert (lot.units, lot.deadline, lot.hurry) == (40.0, deadline, hurry)
    assert (lot.offered, lot.reserve) == pytest.approx((part, reserve))


@pytest.mark.parametrize(
    ("month", "offered", "reserve"),
    [(4, 6.0, 600 * 4 / 5), (5, 7.5, 600 * 3 / 5), (8, 30.0, 0.0), (9, 30.0, 0.0), (20, 30.0, 0.0)],
)
def test_what_is_left_goes_in_equal_parts_at_a_falling_reserve_and_from_the_deadline_on_whole_at_any_price(
    month, offered, reserve
):
    w = small_world(lenders=1, chips=2)
    w.clock[0].month = month
    w.chips[1].appraisal = 600.0
    lot = w.lots[add_lot(w, node=1, chip=1, units=30.0, asked=4, deadline=8, offered=1.0, reserve=1.0)]
    offer_part(lot, w.chips[1], w.clock[0])
    assert (lot.offered, lot.reserve) == pytest.approx((offered, reserve))


def test_blocks_come_forward_once_a_month_each_with_its_own_part():
    w = small_world(lenders=1, chips=2)
    w.clock[0].month = 9
    w.chips.appraisal[:] = 500.0, 600.0
    given = {"node": 1, "units": 30.0, "offered": 1.0, "reserve": 1.0, "deadline": 11, "asked": 8}
    here = add_lot(w, chip=1, reason=SaleReason.IMPOSED, **given)
    seized = add_lot(w, chip=1, reason=SaleReason.SEIZED, **given)
    new = add_lot(w, chip=1, reason=SaleReason.IMPOSED, **given | {"asked": 9})
    old = add_lot(w, chip=0, reason=SaleReason.IMPOSED, **given | {"deadline": 8, "asked": 8})
    others = add_lot(w, chip=1, reason=SaleReason.IMPOSED, **given | {"node": 0})
    w.clock[0].turn = 1
    offer_blocks(w, w.clock[0])
    assert set(w.lots.offered[[here, seized, new, old, others]]) == {1.0}
    w.clock[0].turn = 0
    offer_blocks(w, w.clock[0])
    assert w.lots.offered[[here, seized, new, old, others]].tolist() == [10.0, 1.0, 1.0, 30.0, 1.0]
    assert w.lots.reserve[[here, seized, new, old, others]].tolist() == [300.0, 1.0, 1.0, 0.0, 1.0]
    # Nothing to sell is no fault.
    offer_blocks(small_world(), small_world().clock[0])


@pytest.mark.parametrize(
    ("news", "waiting", "failing", "more"),
    [
        (0, 0, (0, 0, 0), False),
        (1, 0, (0, 0, 0), True),
        (0, 1, (0, 0, 0), True),
        (0, 0, (1, 0, 0), True),
        (0, 0, (0, 0, 1), True),
    ],
)
def test_another_round_follows_news_arrears_and_defaults_to_come(news, waiting, failing, more):
    w = small_world(operators=3)
    w.clock[0].news, w.clock[0].waiting = news, waiting
    w.operators.failing[:] = failing
    assert goes_on(w, w.clock[0]) is more
