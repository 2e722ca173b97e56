"""Leveraged value investors and noise traders in one asset."""

from __future__ import annotations

import math

import numpy as np
import pytest

from simulation.literature.funds import clearing_price, excess_demand, fund_demand, run_funds

pytestmark = pytest.mark.filterwarnings("error")


# --- demand ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("price", "cash", "shares", "units"),
    [
        (0.5, 4.0, 3.0, 2 * 0.5 * (4.0 + 1.5) / 0.5),  # twice the mispricing of 0.5, times wealth, over the price
        (0.25, 4.0, 8.0, 1.2 * (4.0 + 2.0) / 0.25),  # 2 x 0.75 is above the cap of 1.2
        (0.5, -1.0, 3.0, 0.5 / 0.5),  # in debt, not poor
        (0.5, -1.5, 3.0, 0.0),  # nothing left
        (0.5, -9.0, 3.0, 0.0),
        (1.0, 4.0, 3.0, 0.0),  # no mispricing
        (1.5, 4.0, 3.0, 0.0),
    ],
)
def test_a_fund_wants_wealth_times_mispricing_up_to_its_cap(price, cash, shares, units):
    assert fund_demand(price, 1.0, 2.0, 1.2, cash, shares) == pytest.approx(units)


def test_excess_demand_is_what_all_want_less_the_supply():
    cash, shares = np.array([4.0, 1.0]), np.array([0.0, 2.0])
    # At half of the value: noise 6 / 0.5; funds 0.5 x 4 / 0.5 and, at the cap, 0.8 x 2 / 0.5.
    wanted = excess_demand(0.5, 1.0, np.array([1.0, 3.0]), 0.8, cash, shares, 6.0, 10.0)
    assert wanted == pytest.approx(12.0 + 4.0 + 3.2 - 10.0)


# --- clearing ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("before", [0.1, 1.0, 2.0, 2.003, 50.0])
def test_noise_alone_clears_where_its_money_buys_the_supply(before):
    none = np.zeros(0)
    assert clearing_price(before, 1.0, none, 5.0, none, none, 2000.0, 1000.0) == pytest.approx(2.0, rel=1e-12)


#: With q = 1 - p, the excess demand of an aggressive fund (100 q) of wealth p - 0.6 and of noise worth 0.5 for one unit
#: vanishes where 100 q (0.4 - q) = 0.5 - q.
_UPPER = 1.0 - (41.0 - math.sqrt(41.0**2 - 4 * 100 * 0.5)) / 200.0


@pytest.mark.parametrize(
    ("before", "price"),
    [(0.9, _UPPER), (0.63, _UPPER), (1.2, _UPPER), (0.62, 0.5), (0.55, 0.5), (0.4, 0.5), (0.3, 0.5)],
)
def test_with_borrowed_money_the_price_goes_the_way_that_demand_pushes_it(before, price):
    # A fund with one unit and a debt of 0.6, at most five times its wealth. At its cap it wants 5 (1 - 0.6/p): less as
    # the price falls. Excess demand is 4 - 2.5/p there: above 0.625 it drives the price up, below it down to where the
    # fund is gone and noise pays 0.5.
    found = clearing_price(before, 1.0, np.array([100.0]), 5.0, np.array([-0.6]), np.array([1.0]), 0.5, 1.0)
    assert found == pytest.approx(price, rel=1e-9)


# --- the run -----------------------------------------------------------------------------------------------------
def funds(
    draws, cash=(), shares=None, performance=None, aggression=None, *, value=1.0, supply=10.0, persistence=0.5,
    volatility=0.0, sensitivity=0.0, benchmark=0.0, memory=0.5, pause=2, cap=3.0, start=10.0, away=None,
):  # fmt: skip
    """Run funds and return their state: cash, shares, performance, months away, prices and wealth by step."""
    n = len(cash)
    state = {
        "cash": np.array(cash, float),
        "shares": np.array(shares or [0.0] * n, float),
        "performance": np.array(performance or [0.0] * n, float),
        "away": np.array(away or [0] * n, np.int64),
        "prices": np.zeros(len(draws)),
        "wealth": np.full(len(draws), 99.0),
    }
    terms = (value, supply, persistence, volatility, sensitivity, benchmark, memory, float(pause))
    run_funds(np.array(draws, float), np.array(aggression or [2.0] * n), cap, start, terms, *state.values())
    return state


def test_noise_returns_to_the_value_of_the_supply_by_its_persistence():
    prices = funds([1.0, -2.0, 0.0], value=2.0, persistence=0.8, volatility=0.1)["prices"]
    # Logs: 0.1; 0.8 x 0.1 - 0.2 = -0.12; 0.8 x -0.12.
    assert prices == pytest.approx(2.0 * np.exp([0.1, -0.12, -0.096]))


def test_a_fund_buys_below_value_and_sells_as_the_price_recovers():
    # At 0.5 it wants 2 x 0.5 x 4 / 0.5 = 8 units: noise of 1 buys the other 2 of 10. At 0.75 its wealth is 8 x 0.75 = 6
    # and it wants 2 x 0.25 x 6 / 0.75 = 4: noise of 4.5 buys 6. The draws are such that noise is 1, then 4.5.
    run = {"volatility": math.log(10.0), "sensitivity": 0.5, "benchmark": 0.1, "memory": 0.75}
    first = [-1.0]
    second = [-1.0, math.log(4.5) / math.log(10.0) - 0.5]
    one = funds(first, [4.0], performance=[0.4], **run)
    assert one["prices"] == pytest.approx([0.5])
    assert (one["cash"][0], one["shares"][0]) == pytest.approx((0.0, 8.0))
    assert one["performance"] == pytest.approx([0.25 * 0.4])  # it held nothing while the price fell
    assert one["wealth"] == pytest.approx([4.0])
    two = funds(second, [4.0], performance=[0.4], **run)
    assert two["prices"] == pytest.approx([0.5, 0.75])
    assert two["shares"] == pytest.approx([4.0])
    # It gained 8 x 0.25 on 4; investors add half of what that is above the benchmark, on 3 of cash and 4 x 0.75.
    performance = 0.75 * 2.0 / 4.0 + 0.25 * 0.1
    assert two["performance"] == pytest.approx([performance])
    assert two["cash"] == pytest.approx([3.0 + 0.5 * (performance - 0.1) * 6.0])
    assert two["wealth"] == pytest.approx([4.0, 6.0])


@pytest.mark.parametrize(
    ("performance", "flow"), [(0.4, 0.5 * (0.2 - 0.1) * 6.0), (0.0, -0.5 * 0.1 * 6.0), (-9.0, -6.0)]
)
def test_investors_follow_performance_and_take_out_no_more_than_there_is(performance, flow):
    run = funds([0.0], [6.0], performance=[performance], sensitivity=0.5, benchmark=0.1)
    assert run["performance"] == pytest.approx([0.5 * performance])
    assert run["cash"] == pytest.approx([6.0 + flow])


def test_a_fund_below_a_tenth_of_its_start_closes_and_another_opens_after_a_pause():
    # The first has 0.9 of 10, the second just a tenth. Two steps away, back at the end of the second.
    states = [funds([0.0] * t, [0.9, 1.0], performance=[0.3, 0.3]) for t in (1, 2, 3, 4)]
    assert [s["cash"][0] for s in states] == pytest.approx([0.0, 0.0, 10.0, 10.0])
    assert [s["away"][0] for s in states] == [2, 1, 0, 0]
    assert [s["performance"][0] for s in states] == pytest.approx([0.0] * 4)
    assert [s["cash"][1] for s in states] == pytest.approx([1.0] * 4)
    assert states[-1]["performance"][1] == pytest.approx(0.3 / 16)
    assert states[-1]["wealth"] == pytest.approx([1.0, 1.0, 1.0, 11.0])


def test_a_fund_that_closes_gives_up_the_shares_that_it_has_just_bought():
    # At 0.5 it wants 2 x 0.5 x 0.8 / 0.5 = 1.6 units; noise of 4.2 buys 8.4 of 10. All it has is 0.8.
    run = funds([1.0], [0.8], volatility=math.log(0.42), performance=[0.3])
    assert run["prices"] == pytest.approx([0.5])
    assert (run["cash"][0], run["shares"][0], run["performance"][0], run["wealth"][0]) == (0.0, 0.0, 0.0, 0.0)


def test_a_fund_that_closes_gives_up_what_its_shares_bring():
    # Overvalued: the fund sells its 0.8 units at 1 and has 0.8.
    run = funds([0.0], [0.0], [0.8], performance=[0.3])
    assert (run["cash"][0], run["shares"][0], run["performance"][0], run["wealth"][0]) == (0.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize(("debt", "performance"), [(5.0, 0.3), (6.0, 0.3), (4.5, 0.5 * 5.0 * 2.0 / 0.5 + 0.5 * 0.3)])
def test_a_gain_on_no_wealth_is_no_performance(debt, performance):
    # 5 units and a debt, at a price that goes from 1 to 3: the fund sells and is rich.
    run = funds([math.log(3.0)], [-debt], [5.0], performance=[0.3], volatility=1.0)
    assert run["prices"] == pytest.approx([3.0])
    assert run["performance"] == pytest.approx([performance])
    assert run["cash"] == pytest.approx([15.0 - debt])
