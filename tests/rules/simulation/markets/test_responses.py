"""One response of buyers to prices: the price that money makes, what is taken at it, where money goes next, what is set apart."""

from __future__ import annotations

import math

import numpy as np
import pytest

from simulation.markets.purses import group_by_buyer, money_on, price_of, put_money, respond, set_apart
from simulation.markets.rows import (
    BUDGET,
    COLD,
    GAIN,
    GROSS,
    MOST,
    NET,
    PUT,
    SPEND,
    TAKEN,
    USED,
    WORKING_ROWS,
)


def working(n: int, **rows: list[float]) -> np.ndarray:
    """Return working memory for ``n`` bids or buyers, 7 where not set."""
    found = np.full((WORKING_ROWS, n), 7.0)
    names = {"spend": SPEND, "gross": GROSS, "taken": TAKEN, "gain": GAIN, "used": USED, "cold": COLD, "put": PUT}
    for name, values in rows.items():
        found[names[name], : len(values)] = values
    return found


# --- the price that money makes --------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("money", "asks", "price"),
    [
        (400.0, [(0.0, 10.0)], 40.0),
        (0.0, [(0.0, 10.0)], 0.0),
        (0.0, [(5.0, 10.0)], 5.0),  # nothing is sold: the reserve
        (30.0, [(5.0, 10.0)], 5.0),  # six are sold at it
        (50.0, [(5.0, 10.0)], 5.0),
        (80.0, [(5.0, 10.0)], 8.0),
        # Ten from 5 on, ten more from 20 on: they come in where the first ten cost more than 20 each.
        (80.0, [(5.0, 10.0), (20.0, 10.0)], 8.0),
        (80.0, [(20.0, 10.0), (5.0, 10.0)], 8.0),
        (200.0, [(5.0, 10.0), (20.0, 10.0)], 20.0),
        (300.0, [(5.0, 10.0), (20.0, 10.0)], 20.0),  # part of the second
        (400.0, [(5.0, 10.0), (20.0, 10.0)], 20.0),
        (500.0, [(5.0, 10.0), (20.0, 10.0)], 25.0),
        (500.0, [(20.0, 4.0), (5.0, 10.0), (20.0, 6.0)], 25.0),  # two of one reserve come in together
        (205.0, [(20.0, 4.0), (5.0, 10.0), (20.0, 6.0)], 20.0),
        (1000.0, [(0.0, 10.0), (20.0, 10.0), (60.0, 10.0)], 50.0),
        (100.0, [], 0.0),
    ],
)
def test_money_makes_the_price_but_for_a_reserve_that_binds(money, asks, price):
    reserve, units = np.array(asks, float).reshape(-1, 2).T
    assert price_of(money, reserve.copy(), units.copy(), 0, len(asks)) == pytest.approx(price)


def test_only_the_asks_of_the_item_count():
    reserve, units = np.array([1.0, 5.0, 2.0]), np.array([99.0, 10.0, 99.0])
    assert price_of(80.0, reserve, units, 1, 2) == pytest.approx(8.0)


def test_money_on_an_item_is_net_of_the_brokers():
    w = working(4, spend=[1000.0, 110.0, 50.0, 1000.0], gross=[1.0, 1.1, 1.25, 1.0])
    assert money_on(1, 3, w) == pytest.approx(100.0 + 40.0)
    assert money_on(2, 2, w) == 0.0


# --- what is taken ---------------------------------------------------------------------------------------------
def respond_to(spend, gross, cap=(math.inf,) * 4, reserve=(0.0, 30.0, 0.0)):
    """Two items: ten units without reserve for bids 0 and 1, five from ``reserve[1]`` on for bids 2 and 3, one without bids.

    Bids 0 and 2 are of buyer 0, bids 1 and 3 of buyer 1; a unit is worth 100, 80, 60, 40, takes 1 to 4 kW, bids 2 and 3 cooled.
    """
    w = working(4, spend=spend, gross=gross)
    price = np.full(3, 9.0)
    respond(
        np.array([0, 1, 2, 3]), np.array([0, 2, 4, 4]), 3, np.array(reserve), np.array([10.0, 5.0, 4.0]), np.array([0, 1, 0, 1]),
        np.array([100.0, 80.0, 60.0, 40.0]), np.array([1.0, 2.0, 3.0, 4.0]), np.array([0.0, 0.0, 3.0, 4.0]), np.array(cap), 2,
        price, w,
    )  # fmt: skip
    return w, price


def test_buyers_take_at_the_prices_that_their_money_makes():
    w, price = respond_to([300.0, 125.0, 80.0, 240.0], [1.0, 1.25, 1.0, 2.0])
    # 300 + 100 on ten units; 80 + 120 on five; the third item has no bids and keeps its price.
    assert price == pytest.approx([40.0, 40.0, 9.0])
    assert w[TAKEN] == pytest.approx([7.5, 2.5, 2.0, 3.0])
    assert w[GAIN, :2] == pytest.approx([100 * 7.5 + 60 * 2.0, 80 * 2.5 + 40 * 3.0])
    assert w[USED, :2] == pytest.approx([7.5 + 3 * 2.0, 2 * 2.5 + 4 * 3.0])
    assert w[COLD, :2] == pytest.approx([3 * 2.0, 4 * 3.0])


def test_nobody_takes_more_than_its_units_or_anything_where_there_is_no_price():
    w, _ = respond_to([300.0, 125.0, 80.0, 240.0], [1.0, 1.25, 1.0, 2.0], cap=(6.0, 9.0, 1.0, 9.0))
    assert w[TAKEN] == pytest.approx([6.0, 2.5, 1.0, 3.0])
    # In cents as well.
    assert respond_to([4.0, 1.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0])[0][TAKEN].tolist() == [8.0, 2.0, 0.0, 0.0]
    w, price = respond_to([0.0, 0.0, 0.0, 30.0], [1.0, 1.0, 1.0, 1.0])
    assert price[:2].tolist() == [0.0, 30.0]
    assert w[TAKEN].tolist() == [0.0, 0.0, 0.0, 1.0]


# --- where money goes next -------------------------------------------------------------------------------------
def put(
    money=1e9,
    site=1e9,
    cooling=1e9,
    purse=(1e9, 1e9),
    gain=1000.0,
    used=20.0,
    cold=12.0,
    kw=(2.0, 0.0),
    liquid=(0.0, 3.0),
):
    """Two bids of buyer 1, worth 100 and 50 a unit, of which it took 4 and 12: it gained ``gain`` in all."""
    w = working(2, taken=[4.0, 12.0], gain=[9.0, gain], used=[9.0, used], cold=[9.0, cold])
    put_money(
        2, np.array([1, 1]), np.array([100.0, 50.0]), np.array(kw), np.array(liquid), np.array(purse), np.array([1.0, money]),
        np.array([1.0, site]), np.array([1.0, cooling]), w,
    )  # fmt: skip
    return w[SPEND].tolist()


@pytest.mark.parametrize(
    ("has", "spend"),
    [
        ({}, [400.0, 600.0]),  # all that was gained
        ({"money": 1000.0}, [400.0, 600.0]),
        ({"money": 500.0}, [200.0, 300.0]),
        ({"site": 20.0}, [400.0, 600.0]),
        ({"site": 5.0}, [100.0, 600.0]),  # the second takes no power
        ({"cooling": 12.0}, [400.0, 600.0]),
        ({"cooling": 3.0}, [400.0, 150.0]),  # the first no cooled power
        ({"site": 5.0, "cooling": 3.0, "kw": (2.0, 1.0)}, [100.0, 37.5]),
        ({"site": 5.0, "cooling": 3.0, "kw": (0.5, 0.5), "liquid": (0.5, 0.5)}, [25.0, 37.5]),
        ({"money": 500.0, "site": 5.0}, [50.0, 300.0]),
        ({"purse": (70.0, 1e9)}, [70.0, 600.0]),
        ({"money": 500.0, "purse": (70.0, 1e9)}, [70.0, 300.0]),
    ],
)
def test_money_goes_where_it_gained_within_what_the_buyer_has(has, spend):
    assert put(**has) == pytest.approx(spend)


# --- what is set apart -----------------------------------------------------------------------------------------
def apart(
    money=900.0, site=30.0, cooling=40.0, purse=1e9, cap=1e9, kw=2.0, liquid=0.0, put=300.0, used=15.0, cold=20.0
):
    """Return (net limit, most units, budget) of bid 1, of buyer 1: it put 100 of ``put`` on it, took 5 there, a fifth is the broker's."""
    w = working(
        2, spend=[9.0, 100.0], taken=[9.0, 5.0], gross=[9.0, 1.25], put=[9.0, put], used=[9.0, used], cold=[9.0, cold]
    )
    set_apart(
        1, np.array([0, 1]), np.array([1.0, 50.0]), np.array([1.0, kw]), np.array([0.0, liquid]), np.array([1.0, cap]),
        np.array([1.0, purse]), np.array([1.0, money]), np.array([1.0, site]), np.array([1.0, cooling]), w,
    )  # fmt: skip
    return [w[NET, 1], w[MOST, 1], w[BUDGET, 1]]


@pytest.mark.parametrize(
    ("has", "found"),
    [
        # A third of the money, a third of the site.
        ({}, [40.0, 10.0, 240.0]),
        ({"purse": 125.0}, [40.0, 10.0, 100.0]),
        ({"cap": 3.0}, [40.0, 3.0, 240.0]),
        ({"kw": 0.0, "cap": 1e3}, [40.0, 1e3, 240.0]),  # it needs no power
        ({"liquid": 2.0}, [40.0, 10.0, 240.0]),  # 40 x 5/20 as well
        ({"liquid": 2.0, "cooling": 20.0}, [40.0, 5.0, 240.0]),
        ({"kw": 0.0, "liquid": 2.0, "cooling": 20.0}, [40.0, 5.0, 240.0]),
        ({"put": 100.0}, [40.0, 10.0, 720.0]),  # who puts all here may use all
        ({"site": 0.0}, [40.0, 0.0, 240.0]),
        ({"money": 0.0}, [40.0, 10.0, 0.0]),
    ],
)
def test_a_bid_has_its_part_of_money_and_power(has, found):
    assert apart(**has) == pytest.approx(found)


def test_a_hair_less_than_its_part_so_that_sums_stay_within():
    _, most, budget = apart()
    assert 0.0 < 10.0 - most < 1e-10 and 0.0 < 240.0 - budget < 1e-9


def test_who_put_nothing_and_used_nothing_has_nothing_set_apart():
    w = working(1, spend=[0.0], taken=[0.0], gross=[1.0], put=[0.0], used=[0.0], cold=[0.0])
    one = np.ones(1)
    set_apart(0, np.zeros(1, np.int64), one, one, one, one, one, one, one, one, w)
    assert w[[MOST, BUDGET], 0].tolist() == [0.0, 0.0]


# --- whose bids they are ---------------------------------------------------------------------------------------
def test_bids_are_listed_buyer_by_buyer_in_order():
    start, by_buyer = np.full(5, 7), np.full(6, 7)
    group_by_buyer(np.array([2, 0, 2, 3, 0, 9]), 5, 4, start, by_buyer)
    assert start.tolist() == [0, 2, 2, 4, 5]
    assert by_buyer.tolist() == [1, 4, 0, 2, 3, 7]
