"""What an operator has, owes and can run."""

from __future__ import annotations

import pytest

from agents.tables.ledger import Flow
from agents.tables.operators import (
    NO_DEBT,
    OperatorStatus,
    can_bid,
    cover_ratio,
    free_units,
    mark_own,
    occupy,
    reserve_cash,
    sell_coins,
    spare_cash,
)
from tests.rules.worlds import cash_of, explained, small_world


def operator(terms=None, **columns: float):
    w = small_world(terms=terms)
    for name, value in columns.items():
        setattr(w.operators[0], name, value)
    return w, w.operators[0]


@pytest.mark.parametrize(
    ("need", "btc", "eth", "raised"),
    [
        (15.0, 0.5, 5.0, 15.0),  # 1.5 of the 2 bitcoin at 10
        (20.0, 0.0, 5.0, 20.0),
        (20.5, 0.0, 4.875, 20.5),  # all bitcoin, and of the ether at 4 an eighth
        (26.0, 0.0, 3.5, 26.0),
        (50.0, 0.0, 0.0, 40.0),  # all there is
    ],
)
def test_coins_are_sold_for_the_cash_needed_bitcoin_first(need, btc, eth, raised):
    w, op = operator(btc=2.0, eth=5.0, cash=3.0)
    w.clock[0].btc, w.clock[0].eth = 10.0, 4.0
    w.book[Flow.COIN_SALE] = 7.0
    sell_coins(op, w.clock[0], w.book, need)
    assert (op.btc, op.eth, op.cash) == (pytest.approx(btc), pytest.approx(eth), pytest.approx(3.0 + raised))
    assert w.book[Flow.COIN_SALE] == pytest.approx(7.0 + raised)


def test_rounding_leaves_no_negative_coins():
    # 0.1 x 3 / 3 is a little more than 0.1.
    w, op = operator(btc=0.1, eth=0.1)
    w.clock[0].btc = w.clock[0].eth = 3.0
    sell_coins(op, w.clock[0], w.book, 9.0)
    assert (op.btc, op.eth) == (0.0, 0.0)


def test_a_sale_of_coins_is_explained_by_the_book():
    w, op = operator(btc=2.0, eth=5.0, cash=3.0)
    w.clock[0].btc, w.clock[0].eth = 10.0, 4.0
    before = cash_of(w)
    sell_coins(op, w.clock[0], w.book, 26.0)
    assert [after - was for after, was in zip(cash_of(w), before, strict=True)] == pytest.approx(explained(w))


def test_the_reserve_covers_general_costs_and_debt_service_for_some_months():
    _, op = operator(overheads=5.0, due=7.0, cash=100.0)
    assert reserve_cash(op, 3.0) == pytest.approx(3.0 * (5.0 + 7.0))


@pytest.mark.parametrize(("cash", "spare"), [(100.0, 76.0), (24.5, 0.5), (24.0, 0.0), (20.0, 0.0)])
def test_spare_cash_is_what_exceeds_the_reserve(cash, spare):
    w, op = operator(terms={"credit_cash_reserve": 2.0}, overheads=5.0, due=7.0, cash=cash)
    # The reserve: two months of 5 + 7.
    assert spare_cash(op, w.terms[0]) == pytest.approx(spare)


def test_assets_at_market_are_cash_chips_coins_and_rigs():
    w, op = operator(cash=1.0, gpu_value=20.0, btc=3.0, eth=4.0, rig_value=5000.0, debt=70.0, arrears=9.0)
    w.clock[0].btc, w.clock[0].eth = 100.0, 10.0
    assert mark_own(op, w.clock[0]) == pytest.approx(1.0 + 20.0 + 3.0 * 100.0 + 4.0 * 10.0 + 5000.0)


@pytest.mark.parametrize(
    ("income", "due", "dscr", "thin"),
    [
        ((3.0, 4.0, 8.0), (1.0, 2.0, 7.0), 1.5, 0),
        ((1.0, 2.0, 5.0), (2.0, 4.0, 10.0), 0.5, 5),
        ((-1.0, -2.0, -5.0), (2.0, 4.0, 10.0), -0.5, 5),
        ((1.0, 3.0, 6.0), (2.0, 3.0, 5.0), 1.0, 0),  # covered exactly is not thin
        ((0.0, 0.0, -9.0), (0.0, 0.0, 0.0), NO_DEBT, 0),
        ((0.0, 0.0, 0.5), (0.0, 0.0, 1.0), NO_DEBT, 0),  # a dollar due is no debt service
        ((0.0, 0.0, 0.5), (0.0, 0.0, 1.25), 0.4, 5),
        ((0.0, 0.0, 900.0), (0.0, 0.0, 3.0), NO_DEBT, 0),
        ((0.0, 0.0, -900.0), (0.0, 0.0, 3.0), -NO_DEBT, 5),
    ],
)
def test_the_dscr_is_income_over_debt_service_of_a_quarter_and_months_below_one_are_counted(income, due, dscr, thin):
    _, op = operator(thin_months=4)
    op.income, op.income_1, op.income_2 = income
    op.due, op.due_1, op.due_2 = due
    cover_ratio(op)
    assert op.dscr == pytest.approx(dscr)
    assert op.thin_months == thin


@pytest.mark.parametrize(
    ("liquid", "site", "liquid_power", "units"),
    [
        (0, 100.0, 0.0, 15.0),  # 100 - 40 kW at 4 kW each
        (1, 100.0, 30.0, 5.0),  # liquid-cooled: 30 - 10 kW
        (1, 100.0, 90.0, 15.0),  # more liquid cooling than power
        (0, 35.0, 0.0, 0.0),
        (1, 100.0, 8.0, 0.0),
    ],
)
def test_free_power_takes_so_many_units_and_liquid_cooling_limits_those_that_need_it(liquid, site, liquid_power, units):
    w, op = operator(site_power=site, used_power=40.0, liquid_power=liquid_power, used_liquid=10.0)
    w.chips[0].power, w.chips[0].liquid = 4.0, liquid
    assert free_units(op, w.chips[0]) == pytest.approx(units)


@pytest.mark.parametrize(
    ("liquid", "units", "power", "of_it_liquid"),
    [(0, 3.0, 52.0, 10.0), (1, 3.0, 52.0, 22.0), (1, -2.0, 32.0, 2.0), (0, -2.0, 32.0, 10.0)],
)
def test_chips_use_power_and_liquid_cooling_and_give_them_back(liquid, units, power, of_it_liquid):
    w, op = operator(used_power=40.0, used_liquid=10.0)
    w.chips[0].power, w.chips[0].liquid = 4.0, liquid
    occupy(op, w.chips[0], units)
    assert (op.used_power, op.used_liquid) == (power, of_it_liquid)


@pytest.mark.parametrize(
    ("status", "arrears", "dscr", "sound"),
    [
        (OperatorStatus.HEALTHY, 0.0, 1.5, True),
        (OperatorStatus.HEALTHY, 0.0, 1.25, True),  # at the least
        (OperatorStatus.HEALTHY, 0.0, 1.24, False),
        (OperatorStatus.HEALTHY, 0.5, 1.5, False),
        (OperatorStatus.STRESSED, 0.0, 1.5, False),
        (OperatorStatus.DEFAULTED, 0.0, 1.5, False),
    ],
)
def test_a_peer_buys_when_healthy_without_arrears_and_covered(status, arrears, dscr, sound):
    w, op = operator(terms={"market_peer_dscr": 1.25}, status=status, arrears=arrears, dscr=dscr)
    assert can_bid(op, w.terms[0]) == sound
