"""What happens in the rounds of the cascade beside what agents do."""

from __future__ import annotations

import pytest

from agents.tables.clock import Fault
from agents.tables.events import Cause, EventKind, SaleReason
from simulation.phases.cascade import goes_on, impose_block
from tests.rules.worlds import events, put, small_world


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
