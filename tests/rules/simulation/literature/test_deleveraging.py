"""Institutions with common assets that sell when their capital ratio is too low."""

from __future__ import annotations

import math

import numpy as np
import pytest

from simulation.literature.deleveraging import (
    ASSET,
    CONDUCT,
    HOLDING,
    INSTITUTION,
    clear_sales,
    order_one,
    order_sales,
    run_rounds,
)
from simulation.markets.impact import ImpactForm

pytestmark = pytest.mark.filterwarnings("error")


def table(dtype: np.dtype, rows) -> np.recarray:
    """Return records of some columns each, the others 0."""
    out = np.zeros(len(rows), dtype).view(np.recarray)
    for row, values in zip(out, rows, strict=True):
        for name, value in values.items():
            row[name] = value
    return out


def assets(*prices: float, **columns: float) -> np.recarray:
    return table(ASSET, [{"price": p, "start": p, "issued": 100.0, **columns} for p in prices])


def holdings(*held: tuple[int, float]) -> np.recarray:
    return table(HOLDING, [{"asset": a, "units": units, "offered": 77.0} for a, units in held])


def conduct(**columns: float) -> np.recarray:
    return table(CONDUCT, [{"target": 1.0, "borne": 1.0, **columns}])


# --- what one institution does ------------------------------------------------------------------------------------
#: The first and the last holding belong to others; the institution has 6 units at 10 USD and 20 at 2: 100 USD.
HELD = ((0, 5.0), (0, 6.0), (1, 20.0), (1, 9.0))


def decide(minimum: float = 0.05, trigger: float = 0.2, target: float = 0.25, **bank: float):
    row = table(INSTITUTION, [{"offered": 55.0, **bank}])[0]
    lots = holdings(*HELD)
    failed = order_one(row, 1, 3, lots, assets(10.0, 2.0), conduct(minimum=minimum, trigger=trigger, target=target)[0])
    assert failed == row.failed
    assert lots.offered[[0, 3]].tolist() == [77.0, 77.0], "others' holdings are left alone"
    assert row.offered == pytest.approx(lots.offered[1] * 10.0 + lots.offered[2] * 2.0)
    return row, lots.offered[1:3]


def test_above_its_trigger_it_keeps_what_it_has():
    # Assets 30 + 20 + 100; equity 150 - 80 - 40 = 30, just a fifth.
    row, offered = decide(cash=30.0, other=20.0, loan=80.0, liabilities=40.0)
    assert (row.failed, row.cash, row.loan) == (0, 30.0, 80.0)
    assert offered.tolist() == [0.0, 0.0]


def test_below_it_cash_repays_the_loan_first_and_holdings_are_sold_alike_for_the_rest():
    # Equity 150 - 84 - 42 = 24 of 150. A ratio of a quarter allows assets of 96: 54 must go, 30 of it cash.
    row, offered = decide(cash=30.0, other=20.0, loan=84.0, liabilities=42.0)
    assert (row.failed, row.cash, row.loan) == pytest.approx((0, 0.0, 54.0))
    assert offered == pytest.approx([0.24 * 6.0, 0.24 * 20.0])


def test_cash_beyond_the_loan_stays_and_is_counted_before_anything_is_sold():
    # The same 54, but a loan of 10: it keeps 20 of cash, and sells 54 - 10 - 20.
    row, offered = decide(cash=30.0, other=20.0, loan=10.0, liabilities=116.0)
    assert (row.cash, row.loan) == pytest.approx((20.0, 0.0))
    assert offered == pytest.approx([0.24 * 6.0, 0.24 * 20.0])


def test_cash_enough_for_the_need_leaves_holdings_alone():
    # Assets 60 + 10 + 100, equity 33: a quarter allows 132, 38 must go.
    row, offered = decide(cash=60.0, other=10.0, loan=90.0, liabilities=47.0)
    assert (row.cash, row.loan) == pytest.approx((22.0, 52.0))
    assert offered.tolist() == [0.0, 0.0]


def test_a_target_below_where_it_stands_asks_for_nothing():
    row, offered = decide(cash=30.0, other=20.0, loan=84.0, liabilities=42.0, target=0.1)
    assert (row.cash, row.loan) == (30.0, 84.0)
    assert offered.tolist() == [0.0, 0.0]


def test_no_more_is_sold_than_is_held():
    # Equity 10 of 150: a quarter allows 40; holdings of 100 do not bring 110 - 1.
    row, offered = decide(cash=1.0, other=49.0, loan=100.0, liabilities=40.0)
    assert row.failed == 0
    assert offered.tolist() == [6.0, 20.0]


@pytest.mark.parametrize(
    ("liabilities", "minimum", "trigger", "failed"),
    [
        (142.5, 0.05, 0.2, 0),  # equity 7.5 of 150 is just the minimum
        (142.6, 0.05, 0.2, 1),
        (150.0, 0.0, 0.2, 1),  # no equity, and a ratio to keep
        (149.5, 0.0, 0.2, 0),
        (150.0, 0.0, 0.0, 0),  # no ratio to keep
        (150.1, 0.0, 0.0, 1),
    ],
)
def test_below_the_minimum_it_fails_and_everything_goes(liabilities, minimum, trigger, failed):
    row, offered = decide(minimum, trigger, cash=30.0, other=20.0, liabilities=liabilities)
    assert row.failed == failed
    if failed:
        assert row.cash == 30.0
        assert offered.tolist() == [6.0, 20.0]


# --- what all do --------------------------------------------------------------------------------------------------
def test_all_decide_at_the_same_prices_failed_ones_offer_nothing_more():
    banks = table(
        INSTITUTION,
        [
            {"liabilities": 60.0},  # 50 USD of holdings: fails
            {"liabilities": 10.0, "failed": 1, "offered": 3.0},
            {"liabilities": 90.0},  # fails
            {"liabilities": 10.0},
        ],
    )
    lots = holdings((0, 5.0), (0, 6.0), (1, 4.0), (0, 7.0), (0, 8.0))
    failures = order_sales(banks, np.array([0, 1, 3, 4, 5]), lots, assets(10.0, 2.0), conduct(minimum=0.1))
    assert failures == 2
    assert banks.failed.tolist() == [1, 1, 1, 0]
    assert lots.offered.tolist() == [5.0, 0.0, 0.0, 7.0, 0.0]
    assert banks.offered.tolist() == [50.0, 0.0, 70.0, 0.0]


# --- clearing -----------------------------------------------------------------------------------------------------
def clear(stock: np.recarray, repay: int = 0, borne: float = 1.0, form: int = ImpactForm.LINEAR):
    """Two institutions sell 10 and 20 units of asset 0, the second 5 of asset 1; both keep some."""
    banks = table(INSTITUTION, [{"cash": 1.0, "loan": 400.0}, {"cash": 2.0, "loan": 500.0}])
    lots = holdings((0, 30.0), (1, 9.0), (0, 50.0), (1, 6.0))
    lots.offered[:] = 10.0, 0.0, 20.0, 5.0
    sold = clear_sales(banks, np.array([0, 2, 4]), lots, stock, conduct(repay=repay, borne=borne, form=form))
    return banks, lots, sold


def test_offers_clear_together_at_a_price_that_falls_with_what_is_sold_of_the_issue():
    stock = assets(10.0, 2.0, 3.0, impact=2.0)
    stock.sold[:] = 1.0, 0.0, 4.0
    stock.wanted = 66.0
    stock[1].issued = 50.0
    banks, lots, sold = clear(stock)
    assert sold == pytest.approx(35.0)
    # 30 of 100 units leave 1 - 2 x 0.3 of the price; 5 of 50 leave 0.8; nothing sold leaves all.
    assert stock.left == pytest.approx([0.4, 0.8, 1.0])
    assert stock.price == pytest.approx([4.0, 1.6, 3.0])
    assert stock.wanted.tolist() == [30.0, 5.0, 0.0]
    assert stock.sold.tolist() == [31.0, 5.0, 4.0]
    assert lots.units.tolist() == [20.0, 9.0, 30.0, 1.0]
    assert banks.cash == pytest.approx([1.0 + 10 * 4.0, 2.0 + 20 * 4.0 + 5 * 1.6])
    assert banks.loan.tolist() == [400.0, 500.0]


def test_proceeds_repay_debt_where_that_is_the_conduct():
    banks, _, _ = clear(assets(10.0, 2.0, impact=2.0), repay=1)
    assert banks.cash.tolist() == [1.0, 2.0]
    # 0.4 of 10 and, 5 of 100, 0.9 of 2.
    assert banks.loan == pytest.approx([400.0 - 40.0, 500.0 - 80.0 - 9.0])


def test_what_proceeds_bring_beyond_the_debt_is_cash():
    banks = table(INSTITUTION, [{"cash": 1.0, "loan": 25.0}, {"cash": 2.0, "loan": 89.0}])
    lots = holdings((0, 30.0), (1, 9.0), (0, 50.0), (1, 6.0))
    lots.offered[:] = 10.0, 0.0, 20.0, 5.0
    clear_sales(
        banks, np.array([0, 2, 4]), lots, assets(10.0, 2.0, impact=2.0), conduct(repay=1, form=ImpactForm.LINEAR)
    )
    # 40 for a loan of 25; 80 and 9 for one of 89.
    assert banks.loan == pytest.approx([0.0, 0.0])
    assert banks.cash == pytest.approx([1.0 + 15.0, 2.0])


def test_sellers_bear_a_part_of_the_fall_others_all_of_it():
    stock = assets(10.0, 2.0, impact=2.0)
    banks, _, _ = clear(stock, borne=0.5)
    assert banks.cash == pytest.approx([1.0 + 10 * 7.0, 2.0 + 20 * 7.0 + 5 * 1.9])
    assert stock.price == pytest.approx([4.0, 1.8])


def test_the_form_of_the_impact_is_that_of_the_conduct():
    stock = assets(10.0, 2.0, impact=2.0)
    clear(stock, form=ImpactForm.EXPONENTIAL)
    assert stock.price == pytest.approx([10.0 * math.exp(-0.6), 2.0 * math.exp(-0.1)])


def test_with_a_depth_the_price_stays_above_its_floor():
    stock = assets(10.0, 2.0)
    stock.depth[:] = 1000.0, 0.5
    stock.start[0], stock.floor[0] = 20.0, 5.0
    stock.floor[1] = 1.0
    clear(stock)
    # Room 1 - 5/20; sales of 300 USD; half of the price is above the floor.
    assert stock.left[0] == pytest.approx(1.0 - 0.5 * (1.0 - math.exp(-300.0 / (0.75 * 1000.0))))
    assert stock.left[1] == pytest.approx(1.0 - 0.5 * (1.0 - math.exp(-10.0 / (0.5 * 0.5))))


@pytest.mark.parametrize(("issued", "left"), [(0.0, 1.0), (0.5, 0.2)])
def test_what_was_never_issued_has_no_impact(issued, left):
    stock = assets(10.0, 2.0, impact=0.0)
    stock.issued[1] = issued
    stock.impact[1] = 0.08
    clear(stock)
    assert stock.left == pytest.approx([1.0, left])


def test_half_a_unit_has_an_impact():
    stock = assets(10.0, impact=40.0)
    banks = table(INSTITUTION, [{}])
    lots = holdings((0, 30.0))
    lots.offered[0] = 0.5
    assert clear_sales(banks, np.array([0, 1]), lots, stock, conduct(form=ImpactForm.LINEAR)) == 0.5
    assert stock.price[0] == pytest.approx(8.0)
    assert banks.cash[0] == pytest.approx(4.0)
    assert lots.units[0] == 29.5


# --- rounds -------------------------------------------------------------------------------------------------------
def chain(steps: int):
    """Three institutions of 10, 20 and 30 units at 1 USD; a failure sells all, and a tenth sold costs a tenth.

    The first is insolvent: its 10 units of 100 leave a price of 0.9. There the second is (18 - 19 < 0): its 20 leave
    0.72. There the third is not (21.6 - 20).
    """
    banks = table(INSTITUTION, [{"liabilities": 11.0}, {"liabilities": 19.0}, {"liabilities": 20.0}])
    lots, stock = holdings((0, 10.0), (0, 20.0), (0, 30.0)), assets(1.0, impact=1.0)
    failures, sold = np.full(abs(steps), 5, np.int64), np.full(abs(steps), 6.0)
    rules = conduct(minimum=0.0, form=ImpactForm.LINEAR)
    done = run_rounds(banks, np.array([0, 1, 2, 3]), lots, stock, rules, steps, failures, sold)
    return done, failures.tolist(), sold.tolist(), stock.price[0]


def test_a_cascade_by_steps_failures_now_and_units_sold_so_far():
    assert chain(1) == (1, [1], [0.0], 1.0)
    assert chain(2) == (2, [1, 1], [0.0, 10.0], pytest.approx(0.9))
    assert chain(5) == (5, [1, 1, 0, 0, 0], [0.0, 10.0, 30.0, 30.0, 30.0], pytest.approx(0.72))


def test_a_cascade_to_its_end_counts_all_failures():
    # Decided; 10 sold; 20 sold; nothing sold any more and nobody fails. Failures come on top of what stands there.
    assert chain(-1) == (4, [5 + 2], [30.0], pytest.approx(0.72))


@pytest.mark.parametrize("size", [1.0, 0.01])
def test_sales_without_failures_go_on_until_nothing_is_sold(size):
    # Equity 30 of 100, wanted 50 %: sells 40 at no impact, then 40 of cash repay the loan: 30 of 60 it is.
    banks = table(INSTITUTION, [{"loan": 70.0 * size}])
    lots, stock = holdings((0, 100.0 * size)), assets(1.0)
    failures, sold = np.zeros(1, np.int64), np.zeros(1)
    rules = conduct(trigger=0.4, target=0.5, form=ImpactForm.LINEAR)
    assert run_rounds(banks, np.array([0, 1]), lots, stock, rules, -1, failures, sold) == 3
    assert (failures[0], sold[0], banks.loan[0], banks.cash[0]) == pytest.approx((0, 40 * size, 30 * size, 0.0))


def test_where_nothing_happens_two_rounds_tell():
    banks, lots, stock = table(INSTITUTION, [{"liabilities": 1.0}]), holdings((0, 10.0)), assets(1.0)
    failures, sold = np.zeros(1, np.int64), np.zeros(1)
    assert run_rounds(banks, np.array([0, 1]), lots, stock, conduct(), -1, failures, sold) == 2
