"""How a miner's month goes: rigs run or stand still, coins are kept or sold, power is paid."""

from __future__ import annotations

import pytest

from agents.miners.rigs import mine
from agents.tables.ledger import Flow
from tests.rules.worlds import cash_of, explained, small_world

#: 240 hours are ten days; a quarter of the power contract is fixed; a tenth of the coins is kept.
TERMS = {
    "rental_hours": 240.0,
    "miners_fixed_share": 0.25,
    "miners_overheads": 30.0,
    "miners_hold_share": 0.1,
    "miners_eth_yield": 0.04,
    "miners_rig_price": 300.0,
    "miners_hashprice": 100.0,
}


def miner(*, hashprice: float = 50.0, stress_coin: int = 0, **operator: float):
    """Return a miner of 2 PH/s: power 2 x 20 kW x 240 h x 0.05 = 480 a month, other costs 2 x 30 = 60."""
    w = small_world(terms=TERMS)
    clock = w.clock[0]
    clock.hashprice, clock.stress_coin, clock.btc, clock.eth = hashprice, stress_coin, 50.0, 100.0
    op = w.operators[0]
    op.hashrate, op.efficiency, op.power_price, op.cash = 2.0, 20.0, 0.05, 1000.0
    for name, value in operator.items():
        setattr(op, name, value)
    return w, op


def run(w, op):
    """Mine on a month's open book; what it adds explains every change of cash."""
    before = cash_of(w)
    w.book[:] += 7.0
    mine(op, w.clock[0], w.terms[0], w.book)
    w.book[:] -= 7.0
    assert [after - b for after, b in zip(cash_of(w), before, strict=True)] == pytest.approx(explained(w))


def test_rigs_earn_hashprice_by_the_day_and_pay_power_and_overheads_and_a_part_of_the_coins_is_kept():
    w, op = miner(eth=6.0, income=8.0, btc=3.0)
    run(w, op)
    # Revenue: 2 PH x 50 USD x 10 days = 1,000, of which 100 stay in coins. Staking: 6 x 100 x 0.04 / 12 = 2.
    assert op.btc == pytest.approx(3.0 + 100.0 / 50.0)
    assert op.mining_income == pytest.approx(1000.0 - 480.0 - 60.0 + 2.0)
    assert op.income == pytest.approx(8.0 + 462.0)
    assert op.cash == pytest.approx(1000.0 + (900.0 + 2.0) - 540.0)
    assert w.book[Flow.MINING] == pytest.approx(902.0)
    assert w.book[Flow.MINING_POWER] == pytest.approx(540.0)
    assert op.eth == 6.0


def test_rigs_are_worth_their_price_at_the_opening_times_hashprice_now_over_then():
    w, op = miner(hashprice=50.0, rig_value=9.0)
    run(w, op)
    assert op.rig_value == pytest.approx(2.0 * 300.0 * 50.0 / 100.0)


@pytest.mark.parametrize(
    ("hashprice", "income"),
    [
        (18.0, 360.0 - 480.0 - 60.0),  # revenue 360 just covers the avoidable 0.75 x 480: they run at a loss
        (17.9, -0.25 * 480.0 - 60.0),  # they stand still; the fixed part of the contract and overheads remain
    ],
)
def test_rigs_stand_still_when_revenue_is_below_the_avoidable_power_cost(hashprice, income):
    w, op = miner(hashprice=hashprice)
    run(w, op)
    assert op.mining_income == pytest.approx(income)
    revenue, kept = (360.0, 36.0) if hashprice == 18.0 else (0.0, 0.0)
    assert op.cash == pytest.approx(1000.0 + income - kept)
    assert op.btc == pytest.approx(kept / 50.0)
    assert w.book[Flow.MINING_POWER] == pytest.approx(revenue - income)


@pytest.mark.parametrize(
    ("trouble", "kept"),
    [
        ({}, 2.0),
        ({"stress_coin": 1}, 0.0),
        ({"arrears": 0.5}, 0.0),
        ({"thin_months": 1}, 0.0),
    ],
)
def test_a_miner_keeps_coins_in_calm_times_only(trouble, kept):
    w, op = miner(**trouble)
    run(w, op)
    assert op.btc == pytest.approx(kept)
    assert op.cash == pytest.approx(1000.0 + 1000.0 - 50.0 * kept - 540.0)


@pytest.mark.parametrize(
    ("btc", "left", "sold", "paid"),
    [
        (10.0, 10.0 - 140.0 / 50.0, 140.0, 540.0),  # revenue 400 is 140 short of 540
        (1.0, 0.0, 50.0, 450.0),  # one coin of 50 is all there is: what cannot be paid is not paid
    ],
)
def test_a_miner_short_of_cash_sells_coins_for_what_its_bill_lacks(btc, left, sold, paid):
    w, op = miner(hashprice=20.0, stress_coin=1, cash=0.0, btc=btc)
    run(w, op)
    assert op.cash == pytest.approx(0.0)
    assert op.btc == pytest.approx(left)
    assert w.book[Flow.COIN_SALE] == pytest.approx(sold)
    assert w.book[Flow.MINING_POWER] == pytest.approx(paid)
    assert op.mining_income == pytest.approx(400.0 - 540.0)
