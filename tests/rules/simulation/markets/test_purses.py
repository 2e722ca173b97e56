"""Everything on offer clears at once: how buyers split one purse and one site, and that each item clears."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

from simulation.markets.purses import clear_purses
from simulation.markets.rows import WORKING_ROWS

#: More than anybody uses.
PLENTY = 1e12


class Bid(NamedTuple):
    """A bid of a buyer: limit (USD/GPU), broker's fee, power and cooled power a unit (kW), units, USD at most."""

    buyer: int
    limit: float
    fee: float = 0.0
    kw: float = 0.0
    liquid: float = 0.0
    cap: float = PLENTY
    purse: float = PLENTY


Item = tuple[list[tuple[float, float]], list[Bid]]


def clear(items: list[Item], buyers: list[tuple[float, float, float]]):
    """Return prices, fills of bids and of asks, item by item; items are (asks as (reserve, units), bids)."""
    asks = [ask for offered, _ in items for ask in offered]
    bids = [bid for _, bid_list in items for bid in bid_list]
    ask_ptr = np.cumsum([0] + [len(offered) for offered, _ in items])
    bid_ptr = np.cumsum([0] + [len(bid_list) for _, bid_list in items])
    columns = [np.array([bid[k] for bid in bids], float) for k in range(1, 7)]
    has = [np.array([buyer[k] for buyer in buyers], float) for k in range(3)]
    n = max(len(bids), len(buyers), len(asks), 1)
    price, fill, sold = np.full(len(items), 7.0), np.full(n, 7.0), np.full(n, 7.0)
    clear_purses(
        ask_ptr, bid_ptr, len(items), np.array([a[0] for a in asks], float), np.array([a[1] for a in asks], float),
        np.array([bid.buyer for bid in bids], np.int64), *columns, len(buyers), *has, price, fill, sold,
        np.full((WORKING_ROWS, n), 7.0), np.zeros(len(buyers) + 1, np.int64), np.zeros(n, np.int64),
        np.zeros((3, n), np.int64),
    )  # fmt: skip
    parts = [fill[bid_ptr[i] : bid_ptr[i + 1]] for i in range(len(items))]
    given = [sold[ask_ptr[i] : ask_ptr[i + 1]] for i in range(len(items))]
    return price, parts, given


RICH = (PLENTY, PLENTY, PLENTY)


def test_with_money_enough_the_marginal_limit_is_the_price():
    price, (fills,), (sold,) = clear([([(0.0, 10.0)], [Bid(0, 100.0, cap=6.0), Bid(1, 80.0)])], [RICH, RICH])
    assert price == pytest.approx([80.0])
    assert fills == pytest.approx([6.0, 4.0]) and sold == pytest.approx([10.0])


def test_with_little_money_it_is_the_cash_in_the_market():
    price, (fills,), _ = clear(
        [([(0.0, 10.0)], [Bid(0, 100.0), Bid(1, 100.0, purse=150.0)])], [(250.0, 9.0, 9.0), RICH]
    )
    assert price == pytest.approx([40.0]) and fills == pytest.approx([6.25, 3.75])


def test_a_broker_is_paid_by_the_buyer_out_of_its_limit_and_its_money():
    price, (fills,), _ = clear([([(0.0, 10.0)], [Bid(0, 100.0, fee=0.25)])], [(500.0, 9.0, 9.0)])
    assert price == pytest.approx([40.0]) and fills == pytest.approx([10.0])
    price, _, _ = clear([([(0.0, 10.0)], [Bid(0, 100.0, fee=0.25), Bid(1, 70.0)])], [RICH, RICH])
    assert price == pytest.approx([80.0])


def test_one_purse_pays_the_same_for_each_unit_of_value():
    items: list[Item] = [([(0.0, 10.0)], [Bid(0, 100.0)]), ([(0.0, 10.0)], [Bid(0, 50.0)])]
    price, fills, _ = clear(items, [(600.0, 9.0, 9.0)])
    assert price == pytest.approx([40.0, 20.0])
    assert [f[0] for f in fills] == pytest.approx([10.0, 10.0])


def test_who_is_short_of_money_leaves_the_item_where_others_pay_more():
    items: list[Item] = [([(0.0, 10.0)], [Bid(0, 100.0), Bid(1, 95.0)]), ([(0.0, 10.0)], [Bid(0, 100.0)])]
    price, fills, _ = clear(items, [(500.0, 9.0, 9.0), RICH])
    assert price == pytest.approx([95.0, 50.0], rel=1e-3)
    assert fills[0] == pytest.approx([0.0, 10.0], abs=1e-3)


@pytest.mark.parametrize(("kw", "liquid"), [(2.0, 0.0), (1.0, 2.0)])
def test_one_site_is_filled_once(kw, liquid):
    bids = [Bid(0, 100.0, kw=kw, liquid=liquid), Bid(1, 60.0)]
    price, fills, _ = clear([([(0.0, 10.0)], bids), ([(0.0, 10.0)], bids)], [(PLENTY, 20.0, 20.0), RICH])
    assert price == pytest.approx([60.0, 60.0])
    assert sum(f[0] for f in fills) == pytest.approx(10.0)
    assert [f.sum() for f in fills] == pytest.approx([10.0, 10.0])


def test_nothing_is_sold_below_a_reserve_and_the_lowest_goes_first():
    asks = [(90.0, 4.0), (50.0, 3.0), (120.0, 5.0)]
    price, (fills,), (sold,) = clear([(asks, [Bid(0, 100.0, cap=5.0)])], [RICH])
    assert price == pytest.approx([90.0]) and fills == pytest.approx([5.0]) and sold == pytest.approx([2.0, 3.0, 0.0])


def test_where_nobody_bids_nothing_trades():
    price, _, given = clear([([(5.0, 10.0)], []), ([(5.0, 10.0)], [Bid(0, 9.0)])], [RICH])
    assert price[0] == 0.0 and given[0].tolist() == [0.0] and price[1] == pytest.approx(9.0)
    price, parts, given = clear([([(50.0, 10.0)], [Bid(0, 9.0)])], [RICH])
    assert price[0] == 0.0 and parts[0].tolist() == [0.0] and given[0].tolist() == [0.0]


def market(seed: int) -> tuple[list[Item], list[tuple[float, float, float]]]:
    """Return a random market of seven items and twelve buyers, some of them short of money or of power."""
    draw = np.random.default_rng(seed)
    buyers = [tuple(float(x) for x in draw.lognormal((9.0, 3.0, 2.0), 1.5)) for _ in range(12)]
    items: list[Item] = []
    for _ in range(7):
        worth = float(draw.choice([40.0, 100.0, 200.0]))
        asks = [(worth * float(draw.choice([0.0, 0.3, 0.7])), float(draw.lognormal(3.0))) for _ in range(2)]
        who = draw.choice(12, 6, replace=False)
        bids = [
            Bid(
                int(b),
                worth * float(draw.lognormal(0.0, 0.2)),
                float(draw.choice([0.0, 0.1])),
                1.0,
                float(draw.integers(2)),
            )
            for b in who
        ]
        items.append((asks, bids))
    return items, buyers  # type: ignore[return-value]


@pytest.mark.parametrize("seed", range(12))
def test_what_clears_is_within_everybodys_means_and_nothing_wanted_is_left(seed):
    items, buyers = market(seed)
    price, fills, given = clear(items, buyers)
    used = np.zeros((len(buyers), 3))
    for (asks, bids), p, took, sold in zip(items, price, fills, given, strict=True):
        assert took.sum() == pytest.approx(sold.sum())
        for bid, x in zip(bids, took, strict=True):
            assert x >= 0.0 and (x == 0.0 or p * (1.0 + bid.fee) <= bid.limit * (1.0 + 1e-9))
            used[bid.buyer] += x * np.array([p * (1.0 + bid.fee), bid.kw, bid.liquid])
        for (reserve, units), x in zip(asks, sold, strict=True):
            assert 0.0 <= x <= units * (1.0 + 1e-9) and (x == 0.0 or p >= reserve * (1.0 - 1e-9))
    assert (used <= np.array(buyers) * (1.0 + 1e-9) + 1e-9).all()


@pytest.mark.parametrize("seed", range(4))
def test_neither_order_nor_the_unit_of_money_changes_anything(seed):
    items, buyers = market(seed)
    price, fills, _ = clear(items, buyers)
    back, turned, _ = clear(items[::-1], buyers)
    assert back[::-1] == pytest.approx(price, rel=1e-9)
    dearer: list[Item] = [
        ([(3.0 * r, u) for r, u in asks], [b._replace(limit=3.0 * b.limit) for b in bids]) for asks, bids in items
    ]
    tripled, same, _ = clear(dearer, [(3.0 * m, s, c) for m, s, c in buyers])
    assert tripled == pytest.approx(3.0 * price, rel=1e-6)
    for one, two, three in zip(fills, turned[::-1], same, strict=True):
        assert two == pytest.approx(one, rel=1e-6, abs=1e-9) and three == pytest.approx(one, rel=1e-5, abs=1e-6)
