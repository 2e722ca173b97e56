"""The market's clearing rules against cases with known answers, and against what a market must never do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulation.markets.auction import call_auction, clear_budget_auction, rank_down
from tests.conftest import alone


def budget_auction(bids, asks):
    """Clear bids (limit, cap, budget) and asks (reserve, units); return price, volume, fills."""
    limit, cap, budget = (np.array([b[k] for b in bids], float) for k in range(3))
    reserve, units = (np.array([a[k] for a in asks], float) for k in range(2))
    n = max(len(bids), len(asks)) + 1
    order, ask_order, spare = (np.zeros(n, np.int64) for _ in range(3))
    bid_fill, ask_fill = np.zeros(n), np.zeros(n)
    price, volume = clear_budget_auction(
        limit, cap, budget, len(bids), reserve, units, len(asks), order, ask_order, spare, bid_fill, ask_fill
    )
    return price, volume, bid_fill[: len(bids)], ask_fill[: len(asks)]


def test_four_rules_reject_negative_units():
    with pytest.raises(ValueError, match="negative"):
        call_auction([(1.0, -1.0)], [(1.0, 1.0)])


money = st.floats(1.0, 1e6)
bid = st.tuples(st.integers(1, 40).map(float), st.floats(0.1, 1e3), money)
ask = st.tuples(st.integers(0, 40).map(float), st.floats(0.1, 1e3))


@settings(max_examples=400, deadline=None)
@given(st.lists(bid, max_size=12), st.lists(ask, min_size=1, max_size=6))
def test_budget_auction_is_a_market(bids, asks):
    price, volume, bid_fill, ask_fill = budget_auction(bids, asks)
    tol = 1e-9 * (1.0 + volume)
    assert sum(bid_fill) == pytest.approx(volume, abs=tol)
    assert sum(ask_fill) == pytest.approx(volume, abs=tol)
    crossing = any(b[0] >= a[0] for b in bids for a in asks)
    assert (volume > 0) == crossing
    if not crossing:
        return
    for (limit, cap, budget), got in zip(bids, bid_fill, strict=True):
        assert got <= cap + tol and got * price <= budget * (1 + 1e-9)
        assert got == 0.0 or limit >= price - 1e-9
        if limit > price * (1 + 1e-9):
            assert got == pytest.approx(min(cap, budget / price), rel=1e-6)  # nobody who would pay more goes short
    short = any(
        limit > price and got < min(cap, budget / price) * (1 - 1e-6)
        for (limit, cap, budget), got in zip(bids, bid_fill, strict=True)
    )
    for (reserve, units), got in zip(asks, ask_fill, strict=True):
        assert got <= units + tol and (got == 0.0 or reserve <= price + 1e-9)
        if reserve < price and short:
            assert got == pytest.approx(units, rel=1e-6)


@settings(max_examples=200, deadline=None)
@given(st.lists(bid, min_size=1, max_size=10), st.floats(1.0, 1e3), st.floats(1.01, 5.0))
def test_more_supply_never_raises_the_price(bids, units, factor):
    few = budget_auction(bids, [(0.0, units)])[0]
    many = budget_auction(bids, [(0.0, units * factor)])[0]
    assert many <= few * (1 + 1e-9)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 9).map(float), max_size=80))
def test_ranking_is_stable(keys):
    order, spare = np.arange(len(keys)), np.zeros(len(keys), np.int64)
    rank_down(np.array(keys, float), order, len(keys), spare)
    assert order.tolist() == sorted(range(len(keys)), key=lambda k: -keys[k])


def test_interpreted_and_compiled_agree_bit_for_bit():
    code = (
        "import numpy as np; from tests.test_auction import budget_auction\n"
        "r = np.random.default_rng(5); out = []\n"
        "for _ in range(100):\n"
        "    b = list(zip(r.integers(1, 9, 7) * 1.0, r.uniform(1, 50, 7), r.uniform(10, 300, 7)))\n"
        "    a = list(zip(r.integers(0, 7, 3) * 1.0, r.uniform(1, 50, 3)))\n"
        "    p, v, x, y = budget_auction(b, a); out += [p, v, *x, *y]\n"
        "print(np.array(out).tobytes().hex())"
    )
    compiled, interpreted = (alone(code, NUMBA_DISABLE_JIT=flag) for flag in ("0", "1"))
    assert compiled == interpreted
    numbers = np.frombuffer(bytes.fromhex(compiled.strip()))
    assert len(numbers) == 100 * (2 + 7 + 3) and np.isfinite(numbers).all() and (numbers[1::12] > 0).mean() > 0.5
