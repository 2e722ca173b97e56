"""The rental market: who runs at which rent, the rent that clears it, what operators earn, and what is scrapped."""

from __future__ import annotations

import math

import numpy as np
import pytest

from agents.tables.buyers import BuyerKind
from agents.tables.ledger import Flow
from agents.tables.operators import OperatorKind, OperatorStatus
from simulation.markets.rental import (
    clear_rent,
    clear_rental,
    collect_supply,
    demand_at_rent,
    earn_rent,
    rent_at,
    running_share,
    scrap_idle,
    threshold_rent,
)
from tests.rules.worlds import add_loan, add_lot, buyer_node, cash_of, explained, operator_node, small_world

#: 100 hours a month, a fifth of the revenue is overhead.
TERMS = {"rental_hours": 100.0, "rental_overhead": 0.2}


def put(row, **columns: float):
    for name, value in columns.items():
        setattr(row, name, value)
    return row


def rental(*, operators: int = 1, buyers: int = 0, chips: int = 1, **terms: float):
    """Chips of performance 2 and 3 kW; operators sell half of their hours and pay 40 USD a kW.

    An H100-hour then has to bring 40 x 3/(100 x 2 x 0.5 x 0.8) = 1.5 USD. It is month 9.
    """
    w = small_world(operators=operators, buyers=buyers, chips=chips, terms=TERMS | terms)
    w.chips.performance[:], w.chips.power[:] = 2.0, 3.0
    w.operators.utilisation[:], w.operators.hosting[:] = 0.5, 40.0
    w.clock[0].month = 9
    return w


# --- the least rent --------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("performance", "power", "utilisation", "hosting", "rent"),
    [
        (2.0, 3.0, 0.5, 40.0, 1.5),
        (4.0, 3.0, 0.5, 40.0, 1.5 / 2),
        (2.0, 6.0, 0.5, 40.0, 1.5 * 2),
        (2.0, 3.0, 0.25, 40.0, 1.5 * 2),
        (2.0, 3.0, 0.5, 60.0, 1.5 * 1.5),
        (0.0125, 3.0, 0.5, 40.0, 240.0),  # half an hour's worth a month
        (2.0, 3.0, 0.0, 40.0, math.inf),  # who sells no hours idles at any rent
        (2.0, 3.0, 0.0, 0.0, math.inf),  # even where power costs nothing
    ],
)
def test_a_chip_idles_below_the_rent_that_covers_hosting_and_overhead(performance, power, utilisation, hosting, rent):
    w = rental()
    put(w.chips[0], performance=performance, power=power)
    assert threshold_rent(w.chips[0], utilisation, hosting, w.terms[0]) == pytest.approx(rent)


@pytest.mark.parametrize(("supply", "elasticity", "rent"), [(8.0, 2.0, 3.0), (2.0, 2.0, 6.0), (2.0, 1.0, 12.0)])
def test_scarce_supply_raises_the_rent_the_more_the_less_elastic_demand_is(supply, elasticity, rent):
    # Demand is 8 at the reference of 3. A quarter of it: the rent doubles at an elasticity of two, as 2^-2 = 1/4.
    w = rental()
    put(w.clock[0], demand=8.0, reference_rent=3.0)
    assert rent_at(w.clock[0], supply, elasticity) == pytest.approx(rent)


@pytest.mark.parametrize(("supply", "log_rent"), [(8e-300, 100.0), (8e300, -100.0), (8.0 / math.e**9, 90.0)])
def test_no_rent_is_too_large_or_too_small_a_number(supply, log_rent):
    w = rental()
    put(w.clock[0], demand=8.0, reference_rent=3.0)
    assert rent_at(w.clock[0], supply, 0.1) == pytest.approx(3.0 * math.exp(log_rent))


# --- supply ----------------------------------------------------------------------------------------------------
def supply(w):
    """Return the entries (threshold, size) and what is contracted."""
    threshold, size = np.full(16, -7.0), np.full(16, -7.0)
    n, firm = collect_supply(w, w.clock[0], threshold, size)
    assert threshold[n:].tolist() == size[n:].tolist() == [-7.0] * (16 - n)
    return [(float(threshold[k]), float(size[k])) for k in range(n)], firm


def test_supply_is_what_every_running_lot_sells_on_demand_and_what_is_under_contract():
    w = rental(operators=2, buyers=1, chips=2)
    put(w.operators[1], utilisation=0.25, status=OperatorStatus.STRESSED)
    put(w.chips[1], performance=5.0)
    put(w.buyers[0], kind=BuyerKind.ENTERPRISE, utilisation=0.8, hosting=20.0)
    add_lot(w, node=operator_node(w, 0), units=10.0, contracted=0.25)
    add_lot(w, node=operator_node(w, 1), units=4.0)
    add_lot(w, node=buyer_node(w, 0), units=3.0, chip=1)
    entries, firm = supply(w)
    assert entries == [
        pytest.approx((1.5, 10 * 2 * 0.5 * 0.75)),
        pytest.approx((1.5 * 2, 4 * 2 * 0.25)),
        pytest.approx((20 * 3 / (100 * 5 * 0.8 * 0.8), 3 * 5 * 0.8)),
    ]
    # Contracted hours are sold in full.
    assert firm == pytest.approx(10 * 2 * 0.25)
    w.lots[1].contracted = 0.5
    assert supply(w)[1] == pytest.approx(10 * 2 * 0.25 + 4 * 2 * 0.5)


def test_what_does_not_run_is_no_supply():
    w = rental(operators=2, buyers=2)
    w.operators[0].status = OperatorStatus.DEFAULTED
    put(w.buyers[0], kind=BuyerKind.DEALER)
    put(w.buyers[1], kind=BuyerKind.RESEARCH, utilisation=0.01)
    seized = add_lot(w, node=0, contracted=0.5)
    estate = add_lot(w, node=operator_node(w, 0), contracted=0.5)
    stock = add_lot(w, node=buyer_node(w, 0), contracted=0.5)
    transit = add_lot(w, node=operator_node(w, 1), online=10, contracted=0.5)
    free = add_lot(w, node=operator_node(w, 1), contracted=0.5)
    w.lots[free].owner = -1
    assert supply(w) == ([], 0.0)
    # The last of each pair runs: arrived this month; used for an hour in a hundred; owned by who runs chips.
    w.lots[transit].online = 9
    w.lots[stock].owner = buyer_node(w, 1)
    w.lots[seized].owner = w.lots[estate].owner = operator_node(w, 1)
    entries, firm = supply(w)
    assert [size for _, size in entries] == pytest.approx([10 * 2 * 0.5 * 0.5] * 2 + [10 * 2 * 0.01 * 0.5, 5.0])
    assert firm == pytest.approx(4 * 10 * 2 * 0.5)


# --- clearing --------------------------------------------------------------------------------------------------
#: name -> demand, lots (least rent, size), firm supply, rent, running, part of the marginal lots that runs. The reference
#: rent is 1, the elasticity 1: 12 units of demand spend 12 USD an hour whatever the rent.
CLEARED = {
    "all run": (12.0, [(1.0, 2.0), (0.5, 3.0)], 1.0, 12 / 6, 6.0, 1.0),
    "a lot that just covers its cost runs": (12.0, [(2.0, 2.0), (0.5, 3.0)], 1.0, 2.0, 6.0, 1.0),
    # With all, 12/12 = 1; those above idle. Without them 12/4 = 3: the one at 1.2 runs again, at 12/6 = 2 it is worth
    # its while, and the one at 2.5 is not.
    "the dear idle": (12.0, [(2.5, 6.0), (1.2, 2.0), (0.5, 3.0)], 1.0, 12 / 6, 6.0, 1.0),
    # Listed the other way round.
    "in any order": (12.0, [(0.5, 3.0), (1.2, 2.0), (2.5, 6.0)], 1.0, 12 / 6, 6.0, 1.0),
    # All of them would bring the rent from 3 to 12/12 = 1; at its cost of 1.6 customers want 12/1.6 = 7.5, 4 of them
    # from others.
    "the marginal lot runs in part": (12.0, [(2.5, 2.0), (1.6, 6.0), (0.5, 3.0)], 1.0, 1.6, 7.5, 3.5 / 6),
    # The same of two lots of 2 and 4 with another between them in the list.
    "lots of one cost share alike": (12.0, [(1.6, 2.0), (2.5, 2.0), (1.6, 4.0), (0.5, 3.0)], 1.0, 1.6, 7.5, 3.5 / 6),
    # Two at 2.4 bring it from 3 to 2.4: both run.
    "lots of one cost just run": (12.0, [(2.4, 0.5), (5.0, 9.0), (2.4, 0.5), (0.5, 3.0)], 1.0, 2.4, 5.0, 1.0),
    # It just covers its cost when it runs whole.
    "the marginal lot just runs": (12.0, [(2.5, 6.0), (2.0, 2.0), (0.5, 3.0)], 1.0, 2.0, 6.0, 1.0),
    # 12/4 = 3 is just what the next one needs: it stays off.
    "the next does not cover its cost": (12.0, [(3.0, 6.0), (3.5, 2.0), (0.5, 3.0)], 1.0, 3.0, 4.0, 0.0),
    # The same without rounding: 4/1 = 4, with the one at 0.5 just 1, which is what the next one needs.
    "of the next none runs": (4.0, [(1.0, 6.0), (0.5, 3.0)], 1.0, 1.0, 4.0, 0.0),
    # Up the merit order: 12/2 = 6, with the one at 1.1 12/3 = 4, with that at 1.3 12/4 = 3, and 3.5 is too dear.
    "from the cheapest up": (12.0, [(1.3, 1.0), (3.5, 8.0), (1.1, 1.0), (0.5, 1.0)], 1.0, 3.0, 4.0, 1.0),
    # All at 5 would bring 12/4 = 3; as many as still find 5 run. Also where the sum of their sizes is not quite theirs.
    "no firm supply": (12.0, [(5.0, 4.0)], 0.0, 5.0, 2.4, 0.6),
    "rounding": (1.2, [(5.0, 0.1), (5.0, 0.3), (5.0, 0.9)], 0.0, 5.0, 0.24, 0.24 / 1.3),
    "what sells no hours does not run": (12.0, [(math.inf, 4.0)], 3.0, 12 / 3, 3.0, 1.0),
}


@pytest.mark.parametrize("name", CLEARED)
def test_the_rent_clears_the_merit_order(name):
    demand, lots, firm, rent, running, share = CLEARED[name]
    w = rental()
    put(w.clock[0], demand=demand, reference_rent=1.0)
    # Behind the lots that count stands another, dear and large.
    threshold, size = (np.array([*(lot[k] for lot in lots), 99.0]) for k in range(2))
    dear, spare = np.full(len(lots) + 1, -7), np.full(len(lots) + 1, -7)
    total = firm + sum(lot[1] for lot in lots)
    found = clear_rent(w.clock[0], threshold, size, len(lots), total, 1.0, dear, spare)
    assert found == pytest.approx((rent, running, share))


@pytest.mark.parametrize(("rent", "elasticity", "units"), [(3.0, 2.0, 8.0), (6.0, 2.0, 2.0), (12.0, 1.0, 2.0)])
def test_customers_want_less_at_higher_rents_as_the_rent_that_clears_says(rent, elasticity, units):
    w = rental()
    put(w.clock[0], demand=8.0, reference_rent=3.0)
    assert demand_at_rent(w.clock[0], rent, elasticity) == pytest.approx(units)


@pytest.mark.parametrize(("cost", "share"), [(1.9, 1.0), (2.0, 0.3), (2.1, 0.0), (math.inf, 0.0)])
def test_lots_run_below_the_rent_idle_above_it_and_share_what_is_left_at_it(cost, share):
    w = rental()
    put(w.clock[0], rent=2.0, marginal_share=0.3)
    assert running_share(w.clock[0], cost) == share


def test_the_rent_falls_less_the_more_elastic_demand_is():
    # 16 units of demand on 4 units: 1 x 4^(1/2). The dear lot at 3 stays off: with it 16/8 would bring sqrt(2).
    w = rental()
    put(w.clock[0], demand=16.0, reference_rent=1.0)
    found = clear_rent(
        w.clock[0], np.array([3.0, 0.5]), np.array([4.0, 3.0]), 2, 8.0, 2.0, np.zeros(2, int), np.zeros(2, int)
    )
    assert found == pytest.approx((2.0, 4.0, 1.0))


def fleet(*, given: float = 0.0, **terms: float):
    """Two operators with least rents of 1.5 and 3; 8 units on demand and 2 contracted, 2 units on demand."""
    w = rental(operators=2, **{"rental_elasticity": 2.0, "rental_trend_memory": 0.75} | terms)
    w.operators[1].utilisation = 0.25
    add_lot(w, node=operator_node(w, 0), units=9.0, contracted=1 / 9)
    add_lot(w, node=operator_node(w, 1), units=4.0)
    w.paths.rent[9] = given
    put(w.clock[0], rent=4.0, rent_before=77.0, trend=0.08, demand=12.0, reference_rent=1.0)
    return w, w.clock[0]


@pytest.mark.parametrize(
    ("demand", "rent", "running", "share"),
    [
        (12.0 * 16, 4.0, 12.0, 1.0),  # sixteen times as much as there is: four times the reference
        (10.0 * 4, 2.0, 10.0, 1.0),  # 40/10 for those that run at 2; at 3 the other would
        (12.0 * 9, 3.0, 12.0, 1.0),  # and at just 3
        (9.0, 1.5, 4.0, 0.25),  # at 1.5 customers want 9/2.25: 2 under contract and a quarter of the first's 8
    ],
)
def test_the_spot_rent_clears_the_fleet_and_what_is_sold_is_what_runs(demand, rent, running, share):
    w, clock = fleet()
    put(clock, demand=demand, marginal_share=0.7)
    clear_rental(w, clock)
    assert (clock.rent, clock.demand) == pytest.approx((rent, demand))
    assert (clock.running, clock.marginal_share) == pytest.approx((running, share))
    earn_rent(w, clock)
    # Operators are paid for the hours that customers want, no more (nothing is paid under contract here).
    on_demand = running - 2.0
    assert w.operators.revenue.sum() == pytest.approx(100.0 * on_demand * rent)


@pytest.mark.parametrize("month", [1, 9])
def test_the_trend_is_smoothed_and_positive_when_the_rent_falls(month):
    w, clock = fleet()
    put(clock, month=month, demand=10.0 * 4)
    w.lots.online[:2] = 0
    clear_rental(w, clock)
    # From 4 to 2.
    assert (clock.rent_before, clock.rent) == pytest.approx((4, 2))
    assert clock.trend == pytest.approx(0.75 * 0.08 + 0.25 * math.log(2))


@pytest.mark.parametrize(
    ("given", "running"),
    [(4.0, 12.0), (3.0, 12.0), (2.9, 10.0), (1.5, 10.0), (1.4, 2.0), (0.5, 2.0)],  # contracted capacity always runs
)
def test_a_recorded_rent_stands_and_the_fleet_runs_by_it(given, running):
    w, clock = fleet(given=given)
    w.paths.rent[8] = w.paths.rent[10] = 7.0
    clock.marginal_share = 0.7
    clear_rental(w, clock)
    assert (clock.rent, clock.running, clock.rent_before, clock.demand) == pytest.approx((given, running, 4, 12))
    assert clock.marginal_share == 1.0
    assert clock.trend == pytest.approx(0.75 * 0.08 + 0.25 * math.log(4 / given))


@pytest.mark.parametrize(
    ("demand", "level", "rent"),
    [
        (0.0, 12.0, 5.0),  # no level is given: it is such that all run at the reference
        (-1.0, 12.0, 5.0),
        (12.0 * 4, 12.0 * 4, 5.0 * 2),
        (0.75, 0.75, 1.5),  # a level is a level, however low
    ],
)
def test_the_run_opens_at_the_reference_rent_unless_a_level_of_demand_is_given(demand, level, rent):
    w, clock = fleet()
    put(clock, month=0, demand=demand, reference_rent=5.0)
    w.lots.online[:2] = 0
    clear_rental(w, clock)
    assert (clock.demand, clock.rent) == pytest.approx((level, rent))
    # Nothing was observed before: the trend with which the run opens only fades.
    assert clock.rent_before == clock.rent
    assert clock.trend == pytest.approx(0.75 * 0.08)


def test_only_the_first_month_sets_the_level_of_demand():
    w, clock = fleet(given=2.0)
    put(clock, month=9, demand=0.0)
    clear_rental(w, clock)
    assert clock.demand == 0.0


def test_without_supply_nothing_is_rented_and_the_rent_stands():
    w = rental()
    put(w.clock[0], rent=4.0, trend=0.08, running=5.0, demand=3.0)
    clear_rental(w, w.clock[0])
    assert (w.clock[0].rent, w.clock[0].trend, w.clock[0].running) == (4.0, 0.08, 5.0)


def test_a_little_supply_is_supply():
    w = rental()
    add_lot(w, node=operator_node(w), units=0.5)  # half a unit of performance, at half of the hours
    put(w.clock[0], rent=4.0, demand=0.5 * 2 * 0.5 * 6)
    put(w.terms[0], rental_elasticity=1.0)
    clear_rental(w, w.clock[0])
    assert (w.clock[0].rent, w.clock[0].running) == pytest.approx((6.0, 0.5))


# --- earnings --------------------------------------------------------------------------------------------------
def earning(*, operators: int = 1, **operator: float):
    """Spot rent 2; operators with 10,000 USD and, where an example looks at them, overheads."""
    w = rental(operators=operators)
    w.clock[0].rent = 2.0
    w.operators.cash[:] = 10000.0
    put(w.operators[0], **operator)
    return w


def earned(w):
    """Earn, and see that the book explains what cash did; return the first operator."""
    cash, booked = cash_of(w), explained(w)
    earn_rent(w, w.clock[0])
    change = [a - b for a, b in zip(cash_of(w), cash, strict=True)]
    assert change == pytest.approx([a - b for a, b in zip(explained(w), booked, strict=True)])
    return w.operators[0]


def test_hours_under_contract_earn_their_price_and_the_rest_the_spot_rent_for_what_is_used():
    w = earning(overheads=50.0)
    add_lot(w, node=operator_node(w), units=10.0, contracted=0.25, contract_price=3.0)
    op = earned(w)
    # 100 hours x performance 2 x 10 units = 2,000: a quarter at 3, of the rest half at 2.
    revenue = 500 * 3 + 1500 * 0.5 * 2
    hosting = 10 * 3 * 40
    assert op.revenue == pytest.approx(revenue)
    assert op.income == pytest.approx(revenue * 0.8 - hosting - 50)
    assert op.cash == pytest.approx(10000 + revenue * 0.8 - hosting - 50)
    assert w.book[Flow.RENTAL] == pytest.approx(revenue)
    assert w.book[Flow.OVERHEAD] == pytest.approx(revenue * 0.2)
    assert w.book[Flow.HOSTING] == pytest.approx(hosting + 50)  # general costs go the same way
    assert w.book.sum() == pytest.approx(revenue * 1.2 + hosting + 50)


@pytest.mark.parametrize(("rent", "runs"), [(1.5, True), (1.49, False)])
def test_below_its_least_rent_a_lot_idles_and_only_what_is_contracted_costs_power(rent, runs):
    w = earning()
    w.clock[0].rent = rent
    add_lot(w, node=operator_node(w), units=10.0, contracted=0.25, contract_price=3.0)
    op = earned(w)
    spot = 1500 * 0.5 * rent if runs else 0.0
    assert op.revenue == pytest.approx(500 * 3 + spot)
    assert op.income == pytest.approx((500 * 3 + spot) * 0.8 - (10 if runs else 2.5) * 3 * 40)


def test_a_marginal_lot_earns_and_costs_power_for_the_part_that_runs():
    w = earning()
    put(w.clock[0], rent=1.5, marginal_share=0.6)
    add_lot(w, node=operator_node(w), units=10.0, contracted=0.25, contract_price=3.0)
    op = earned(w)
    assert op.revenue == pytest.approx(500 * 3 + 0.6 * 1500 * 0.5 * 1.5)
    # Its rent covers its power and overhead and no more.
    assert op.income == pytest.approx(500 * 3 * 0.8 - 2.5 * 3 * 40)
    assert w.book[Flow.HOSTING] == pytest.approx((2.5 + 0.6 * 7.5) * 3 * 40)


def test_lots_and_owners_add_up_each_at_its_own_terms():
    w = earning(operators=2)
    put(w.operators[1], utilisation=0.8, hosting=20.0)
    for o in (0, 1, 1):
        add_lot(w, node=operator_node(w, o), units=10.0)
    earned(w)
    assert w.operators.revenue.tolist() == pytest.approx([2000 * 0.5 * 2, 2 * 2000 * 0.8 * 2])
    assert w.operators.income.tolist() == pytest.approx([2000 * 0.8 - 10 * 3 * 40, 2 * (3200 * 0.8 - 10 * 3 * 20)])
    assert w.operators.cash.tolist() == pytest.approx(10000 + w.operators.income)
    assert w.book[Flow.RENTAL] == pytest.approx(2000 + 6400)
    assert w.book[Flow.OVERHEAD] == pytest.approx(0.2 * (2000 + 6400))
    assert w.book[Flow.HOSTING] == pytest.approx(1200 + 1200)


def test_last_months_figures_are_forgotten():
    w = earning(revenue=77.0, mining_income=77.0, income=77.0, gpu_value=77.0, overheads=50.0)
    op = earned(w)
    assert (op.revenue, op.mining_income, op.income, op.gpu_value) == (0.0, 0.0, -50.0, 0.0)
    assert op.cash == pytest.approx(10000 - 50)


def test_gpus_count_at_the_appraisal_wherever_they_are_but_earn_only_online():
    w = earning(operators=2)
    w.chips[0].appraisal = 600.0
    w.operators[1].status = OperatorStatus.DEFAULTED
    w.operators[1].overheads = 50.0
    node, estate = operator_node(w, 0), operator_node(w, 1)
    add_lot(w, node=node, units=10.0, online=10)
    add_lot(w, node=node, units=3.0, online=9)
    add_lot(w, node=estate, units=5.0, contracted=0.5, contract_price=3.0)
    earned(w)
    assert w.operators.gpu_value.tolist() == pytest.approx([13 * 600, 5 * 600])
    # Three units run: 600 hours at half of 2 USD. The estate runs nothing and pays nothing.
    assert w.operators.revenue.tolist() == pytest.approx([600, 0])
    assert w.operators.income.tolist() == pytest.approx([600 * 0.8 - 3 * 3 * 40, 0])
    assert w.operators.cash.tolist() == pytest.approx([10000 + 480 - 360, 10000])


def test_lenders_and_dealers_earn_nothing_with_chips_that_stand_idle():
    w = small_world(operators=1, buyers=1, terms=TERMS)
    w.clock[0].rent = 2.0
    put(w.operators[0], utilisation=0.5, cash=100.0)
    put(w.buyers[0], kind=BuyerKind.DEALER)
    for node in (0, 1, buyer_node(w, 0), buyer_node(w, 1)):
        add_lot(w, node=node, contracted=0.5, contract_price=3.0)
    w.lots[add_lot(w, node=operator_node(w))].owner = -1
    op = earned(w)
    assert (op.revenue, op.gpu_value, op.cash) == (0.0, 0.0, 100.0)
    assert w.book.sum() == 0.0


@pytest.mark.parametrize(
    ("cash", "btc", "eth", "left", "coins", "paid"),
    [
        # No revenue, 300 USD of general costs. A bitcoin is worth 10, an ether 2.
        (310.0, 40.0, 0.0, 10.0, (40.0, 0.0), 300.0),
        (300.0, 40.0, 0.0, 0.0, (40.0, 0.0), 300.0),
        (180.0, 40.0, 5.0, 0.0, (28.0, 5.0), 300.0),  # 120 USD of bitcoin
        (180.0, 11.0, 9.0, 0.0, (0.0, 4.0), 300.0),  # 110 of bitcoin, 10 of ether
        (180.0, 3.0, 5.0, 0.0, (0.0, 0.0), 180.0 + 30 + 10),  # the rest stays with the utility
    ],
)
def test_costs_beyond_cash_are_paid_with_coins_and_what_cannot_be_paid_is_not(cash, btc, eth, left, coins, paid):
    w = earning(overheads=300.0, cash=cash, btc=btc, eth=eth)
    put(w.clock[0], btc=10.0, eth=2.0)
    op = earned(w)
    assert op.cash == pytest.approx(left)
    assert (op.btc, op.eth) == pytest.approx(coins)
    assert w.book[Flow.HOSTING] == pytest.approx(paid)
    assert w.book[Flow.COIN_SALE] == pytest.approx(paid - min(cash, 300.0))


@pytest.mark.parametrize(
    ("cash", "btc", "left", "coins"),
    [
        (0.0, 40.0, 0.0, 36.0),  # 640 to pay with 600 of revenue: 40 USD of coins
        (40.0, 40.0, 0.0, 40.0),
        (50.0, 40.0, 10.0, 40.0),
    ],
)
def test_costs_are_paid_from_the_revenue_of_the_month_before_coins_are_sold(cash, btc, left, coins):
    # Three units: 600 hours at half of 2 USD bring 600; overhead 120, hosting 360, general costs 160.
    w = earning(overheads=160.0, cash=cash, btc=btc)
    w.clock[0].btc = 10.0
    add_lot(w, node=operator_node(w), units=3.0)
    op = earned(w)
    assert (op.cash, op.btc) == pytest.approx((left, coins))
    assert (w.book[Flow.RENTAL], w.book[Flow.OVERHEAD], w.book[Flow.HOSTING]) == pytest.approx((600, 120, 520))


@pytest.mark.parametrize(
    ("kind", "status", "mined"),
    [
        (OperatorKind.MINER, OperatorStatus.HEALTHY, 500.0),
        (OperatorKind.MINER, OperatorStatus.STRESSED, 500.0),
        (OperatorKind.MINER, OperatorStatus.DEFAULTED, 0.0),
        (OperatorKind.NEOCLOUD, OperatorStatus.HEALTHY, 0.0),
    ],
)
def test_miners_mine(kind, status, mined):
    # 5 PH/s at 24 USD a day for 100 hours of 24 a day; power is free, no coin is kept.
    w = rental(miners_overheads=0.0, miners_hold_share=0.0)
    put(w.operators[0], kind=kind, status=status, hashrate=5.0, cash=100.0)
    w.clock[0].hashprice = 24.0
    op = earned(w)
    assert (op.mining_income, op.income, w.book[Flow.MINING]) == pytest.approx((mined, mined, mined))
    assert op.cash == pytest.approx(100 + mined)


# --- scrapping -------------------------------------------------------------------------------------------------
def idle(**lot: float):
    """Ten units with a least rent of 1.5 of an operator, at a spot rent of 1.4; a fifth of such chips is scrapped."""
    w = rental(buyers=2, market_scrapping=0.2)
    w.clock[0].rent = 1.4
    put(w.chips[0], scrap=30.0, scrapped=6.0, liquid=1)
    put(w.operators[0], cash=1000.0, used_power=90.0, used_liquid=60.0)
    k = add_lot(w, node=operator_node(w), **lot)
    return w, k


def test_part_of_the_chips_that_no_longer_cover_their_cost_is_scrapped_and_paid_for_as_scrap():
    w, k = idle()
    scrap_idle(w, w.clock[0])
    assert w.lots[k].units == pytest.approx(10 - 2)
    assert (w.chips[0].scrapped, w.chips[0].stock) == pytest.approx((6 + 2, 10 - 2))
    assert (w.operators[0].used_power, w.operators[0].used_liquid) == pytest.approx((90 - 2 * 3, 60 - 2 * 3))
    assert w.operators[0].cash == pytest.approx(1000 + 2 * 30)
    assert w.book[Flow.SCRAP_SALE] == w.book.sum() == pytest.approx(2 * 30)
    assert explained(w)[1] == pytest.approx(60)


@pytest.mark.parametrize(("units", "scrapped"), [(5.0, 1.0), (1.0, 0.2), (0.9, 0.9)])
def test_less_than_one_chip_is_scrapped_whole(units, scrapped):
    w, k = idle(units=units)
    scrap_idle(w, w.clock[0])
    assert w.lots[k].units == pytest.approx(units - scrapped)
    assert w.operators[0].cash == pytest.approx(1000 + scrapped * 30)


@pytest.mark.parametrize(
    ("rent", "lot", "scrapped"),
    [
        (1.4, {}, 2.0),
        (1.5, {}, 0.0),  # it covers its cost
        (1.4, {"loan": 0}, 0.0),  # it secures a loan
        (1.4, {"online": 10}, 0.0),  # it is not there yet
        (1.4, {"online": 9}, 2.0),
        (1.4, {"contracted": 0.01}, 0.0),
        (1.4, {"offered": 0.01}, 0.0),  # somebody may buy it
    ],
)
def test_only_idle_lots_without_loan_contract_or_offer_are_scrapped(rent, lot, scrapped):
    w, k = idle()
    if "loan" in lot:
        add_loan(w)
    put(w.lots[k], **lot)
    other = add_lot(w, node=operator_node(w), units=20.0)  # after it, free and idle at 1.4
    w.clock[0].rent = rent
    scrap_idle(w, w.clock[0])
    assert w.lots[k].units == pytest.approx(10 - scrapped)
    assert w.lots[other].units == pytest.approx(20 - (4 if rent < 1.5 else 0))


@pytest.mark.parametrize(
    ("rent", "utilisation", "scrapped"),
    [(1.4, 0.5, 2.0), (1.5, 0.5, 0.0), (1.4, 0.01, 2.0), (1.4, 0.0, 0.0)],  # dealers do not use them
)
@pytest.mark.parametrize("b", [0, 1])
def test_users_scrap_as_well_and_dealers_wait(rent, utilisation, scrapped, b):
    w, k = idle()
    w.lots[k].owner = buyer_node(w, b)
    put(w.buyers[b], utilisation=utilisation, hosting=40.0, budget=500.0, power_cap=50.0, liquid_cap=9.0, liquid=1.0)
    w.buyers[1 - b].utilisation = 0.0 if utilisation > 0.0 else 0.5
    w.clock[0].rent = rent
    scrap_idle(w, w.clock[0])
    assert w.lots[k].units == pytest.approx(10 - scrapped)
    assert (w.chips[0].scrapped, w.chips[0].stock) == pytest.approx((6 + scrapped, 10 - scrapped))
    # They have the scrap value and their power back, no operator has.
    usd = 30.0 * scrapped
    assert cash_of(w) == pytest.approx((0.0, 1000.0, 500.0 + usd))
    assert w.book[Flow.SCRAP_FROM_BUYER] == w.book.sum() == explained(w)[2] == pytest.approx(usd)
    assert (w.buyers[b].power, w.buyers[b].liquid) == pytest.approx((3 * scrapped, 1 + 3 * scrapped))
    assert w.operators[0].used_power == 90.0


def test_each_owner_scraps_by_its_own_costs():
    w = rental(operators=2, buyers=2, chips=2, market_scrapping=0.2)
    w.clock[0].rent = 1.4
    w.chips[0].scrap, w.chips[1].scrap = 30.0, 50.0
    w.operators[0].hosting = 30.0  # at 1.125 it runs
    put(w.buyers[0], utilisation=0.5, hosting=30.0)
    put(w.buyers[1], utilisation=0.5, hosting=40.0)
    nodes = [operator_node(w, 0), operator_node(w, 1), buyer_node(w, 0), buyer_node(w, 1)]
    for node in (0, *nodes):  # a lender's lot first
        add_lot(w, node=node, chip=1)
    w.lots[add_lot(w, node=nodes[1], chip=1)].owner = -1
    scrap_idle(w, w.clock[0])
    assert w.lots.units[:6].tolist() == pytest.approx([10, 10, 8, 10, 8, 10])
    assert w.operators.cash.tolist() == pytest.approx([0, 2 * 50])
    assert w.operators.used_power.tolist() == pytest.approx([0, -2 * 3])
    assert w.chips.scrapped.tolist() == pytest.approx([0, 4])
