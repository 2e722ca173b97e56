"""How buyers' budgets and free power come back."""

from __future__ import annotations

import pytest

from agents.buyers.budgets import replenish_buyers
from agents.tables.ledger import Flow
from tests.rules.worlds import cash_of, explained, small_world


def world(budgets=(), refill=0.25, power=0.0, liquid=0.0):
    """Buyers with a cap of 100 USD, 200 kW and 50 kW liquid-cooled, a tenth of which comes free a month."""
    w = small_world(buyers=len(budgets), terms={"buyers_power_recovery": 0.1})
    for buyer, budget in zip(w.buyers, budgets, strict=False):
        buyer.budget, buyer.budget_cap, buyer.refill = budget, 100.0, refill
        buyer.power, buyer.power_cap, buyer.liquid, buyer.liquid_cap = power, 200.0, liquid, 50.0
    return w


@pytest.mark.parametrize(
    ("budget", "refill", "after", "came", "went"),
    [
        (40.0, 0.25, 65.0, 25.0, 0.0),  # a quarter of the cap
        (90.0, 0.25, 100.0, 10.0, 0.0),  # up to the cap
        (99.5, 0.25, 100.0, 0.5, 0.0),
        (100.0, 0.25, 100.0, 0.0, 0.0),
        (100.5, 0.25, 100.0, 0.0, 0.5),
        (130.0, 0.25, 100.0, 0.0, 30.0),  # what sales brought beyond it goes back to the treasury
        (40.0, 0.0, 40.0, 0.0, 0.0),  # a treasury that tops up nothing takes nothing
    ],
)
def test_a_budget_refills_toward_its_cap_and_returns_what_exceeds_it(budget, refill, after, came, went):
    w = world((budget,), refill)
    before = cash_of(w)
    replenish_buyers(w, w.clock[0])
    assert w.buyers[0].budget == pytest.approx(after)
    assert (w.book[Flow.BUDGET_IN], w.book[Flow.BUDGET_OUT]) == (pytest.approx(came), pytest.approx(went))
    assert [now - was for now, was in zip(cash_of(w), before, strict=True)] == pytest.approx(explained(w))


def test_the_book_and_the_opening_cash_are_sums_over_buyers():
    w = world((40.0, 130.0, 90.0, 160.0))
    w.book[Flow.BUDGET_IN], w.book[Flow.BUDGET_OUT] = 5.0, 7.0
    w.clock[0].open_cash_buyers = 999.0
    replenish_buyers(w, w.clock[0])
    assert w.buyers.budget.tolist() == [65.0, 100.0, 100.0, 100.0, 0.0]
    assert w.clock[0].open_cash_buyers == 40.0 + 130.0 + 90.0 + 160.0  # before the refill
    assert (w.book[Flow.BUDGET_IN], w.book[Flow.BUDGET_OUT]) == (5.0 + 25.0 + 10.0, 7.0 + 30.0 + 60.0)


@pytest.mark.parametrize(
    ("power", "liquid", "power_after", "liquid_after"), [(60.0, 20.0, 80.0, 25.0), (195.0, 48.0, 200.0, 50.0)]
)
def test_some_power_comes_free_up_to_what_there_was_at_the_start(power, liquid, power_after, liquid_after):
    w = world((40.0,), power=power, liquid=liquid)
    replenish_buyers(w, w.clock[0])
    assert (w.buyers[0].power, w.buyers[0].liquid) == (pytest.approx(power_after), pytest.approx(liquid_after))
