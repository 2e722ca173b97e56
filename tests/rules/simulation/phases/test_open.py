"""The opening of the month: drivers move, counters start at zero, owners' small lots are pooled."""

from __future__ import annotations

import math

import numpy as np
import pytest

from agents.tables.lots import link_lot, unlink_lot
from agents.tables.operators import OperatorStatus
from simulation.phases.open import move_drivers, open_books, pool_fleets, pool_lots, start_month
from tests.rules.worlds import add_loan, add_lot, buyer_node, operator_node, small_world

# --- counters ------------------------------------------------------------------------------------------------------
SUMS = (
    "turn", "delivered", "losses", "forgiven", "recoveries", "new_credit", "new_notes", "new_commitments", "cancelled",
    "equity_raised", "debt_defaulted", "shock_usd", "customers_failed", "contract_lost", "contract_ended",
)  # fmt: skip


def test_what_is_counted_by_the_month_starts_at_zero():
    w = small_world(chips=2)
    clock = w.clock[0]
    w.book[:] = 7.0
    for name in (
        *SUMS,
        "last_failure",
        "last_shock",
        "month",
        "events",
        "insured",
        "imposed_units",
        "vendor_rent",
        "backstop_called",
    ):
        setattr(clock, name, 7)
    start_month(w, clock)
    assert not w.book.any()
    assert [getattr(clock, name) for name in SUMS] == [0] * len(SUMS)
    assert (clock.last_failure, clock.last_shock) == (-1, -1)
    assert (clock.month, clock.events, clock.insured, clock.imposed_units) == (7, 7, 7.0, 7.0)
    assert (clock.vendor_rent, clock.backstop_called) == (7.0, 7.0)


def test_every_generation_opens_at_its_appraisal_without_trades():
    w = small_world(chips=2)
    w.chips.appraisal[:] = 100.0, 30.0
    counted = ("traded_units", "traded_usd", "forced_units", "best_bid")
    for name in (*counted, "last_event", "unsold", "stock"):
        w.chips[name] = 9
    start_month(w, w.clock[0])
    assert w.chips.appraisal_open.tolist() == [100.0, 30.0]
    assert [w.chips[name].tolist() for name in counted] == [[0.0, 0.0]] * 4
    assert w.chips.last_event.tolist() == [-1, -1]
    assert w.chips.unsold.tolist() == w.chips.stock.tolist() == [9.0, 9.0]


# --- drivers -------------------------------------------------------------------------------------------------------
MONTH = 5


def moved(path: dict[str, float] | None = None, clock: dict[str, float] | None = None, **terms: float):
    """Return the clock after month 5 with this path; in all other months everything would move."""
    w = small_world(
        terms={
            "miners_breakeven": 50.0,
            "miners_network_growth": 0.1,
            "miners_halving_month": 9,
            "miners_halving_factor": 0.6,
            **terms,
        }  # fmt: skip
    )
    for name in w.paths.dtype.names:
        w.paths[name] = 3
        w.paths[MONTH][name] = 0
    for name, value in (path or {}).items():
        w.paths[MONTH][name] = value
    row = w.clock[0]
    row.month = MONTH
    row.btc, row.eth, row.hashprice, row.demand, row.reference_rent = 1000.0, 100.0, 50.0, 40.0, 2.0
    row.imposed_chip = 1
    for name, value in (clock or {}).items():
        setattr(row, name, value)
    move_drivers(w, row)
    return row


def test_coins_demand_and_what_demand_pays_move_by_the_month_s_draws():
    clock = moved(
        {"btc_return": 0.1, "eth_return": -0.2, "demand_growth": 0.3, "efficiency": 0.4, "stress_coin": 1, "stress_demand": 2}
    )  # fmt: skip
    assert clock.btc == pytest.approx(1000.0 * math.exp(0.1))
    assert clock.eth == pytest.approx(100.0 * math.exp(-0.2))
    assert clock.demand == pytest.approx(40.0 * math.exp(0.3))
    assert clock.reference_rent == pytest.approx(2.0 * math.exp(-0.4))
    assert (clock.stress_coin, clock.stress_demand) == (1, 2)


@pytest.mark.parametrize(
    ("hashprice", "pays"),
    [(50.0, 0.0), (75.0, 0.5), (25.0, -0.5), (125.0, 1.5), (1000.0, 1.5)],
)
def test_hashprice_follows_bitcoin_less_the_growth_of_a_network_that_mining_pays_for(hashprice, pays):
    clock = moved({"btc_return": 0.2}, {"hashprice": hashprice})
    assert clock.hashprice == pytest.approx(hashprice * math.exp(0.2 - 0.1 * pays))


@pytest.mark.parametrize(("month", "factor"), [(4, 1.0), (5, 0.6), (6, 1.0)])
def test_hashprice_falls_in_the_month_of_the_halving(month, factor):
    assert moved(miners_halving_month=month).hashprice == pytest.approx(50.0 * factor)


# --- books ---------------------------------------------------------------------------------------------------------
def test_the_month_opens_with_the_cash_and_the_debt_that_stand():
    w = small_world(lenders=2, operators=3)
    clock = w.clock[0]
    clock.events, clock.open_events = 12, 3
    clock.debt_open = clock.open_cash_lenders = clock.open_cash_operators = 55.0
    w.lenders.cash[:] = 100.0, 20.0, 3.0
    w.operators.cash[:] = 7.0, 80.0, 900.0
    w.operators.debt[:] = 10.0, 200.0, 3000.0
    w.operators[1].status = OperatorStatus.DEFAULTED
    w.operators[2].status = OperatorStatus.STRESSED
    open_books(w, clock)
    assert clock.open_events == 12
    assert (clock.open_cash_lenders, clock.open_cash_operators) == (123.0, 987.0)
    assert clock.debt_open == 3010.0


def test_lenders_begin_the_month_without_loans_and_withdrawals():
    w = small_world(lenders=2)
    counted = ("lent_month", "left_month", "run_share", "loss_event_usd")
    for name in (*counted, "loss_event", "losses", "losses_year", "losses_month"):
        w.lenders[name] = 9
    w.lenders.equity[:] = 5.0, 6.0, 7.0
    open_books(w, w.clock[0])
    assert w.lenders.open_equity.tolist() == [5.0, 6.0, 7.0]
    assert [w.lenders[name].tolist() for name in counted] == [[0.0] * 3] * 4
    assert w.lenders.loss_event.tolist() == [-1] * 3
    # Losses stay: those of the month until the lender has set its terms by them.
    for name in ("losses", "losses_year", "losses_month"):
        assert w.lenders[name].tolist() == [9.0] * 3


def test_operators_forget_half_of_what_calls_and_customers_took_and_count_arrears_anew():
    w = small_world(operators=2)
    w.operators.lost[:] = 6.0, 8.0
    w.operators.drained[:] = 10.0, 4.0
    w.operators.arrears_turns[:] = 3, 2
    w.operators[1].status = OperatorStatus.DEFAULTED
    open_books(w, w.clock[0])
    assert w.operators.drained.tolist() == [5.0, 2.0]
    assert w.operators.lost.tolist() == [3.0, 4.0]
    assert w.operators.arrears_turns.tolist() == [0, 0]


# --- lots ----------------------------------------------------------------------------------------------------------
def shelf(*lots: dict[str, float]):
    """Give the operator lots, and pool them in month 6; a neighbour has one of the same kind. Return the rows in use."""
    w = small_world(operators=2, chips=2)
    w.clock[0].month = 6
    add_loan(w)
    stranger = add_lot(w, node=operator_node(w, 1), units=5.0)
    mine = [add_lot(w, node=operator_node(w, 0), **lot) for lot in lots]
    free = w.clock[0].free_lot
    pool_lots(w.lots, w.first_lot, w.clock[0], operator_node(w, 0), 2, np.full(8, 3, np.int64))
    assert (w.lots[stranger].units, w.first_lot[operator_node(w, 1)]) == (5.0, stranger)
    chain, k = [], w.first_lot[operator_node(w, 0)]
    while k >= 0:
        chain.append(int(k))
        k = w.lots[k].following
    freed, k = [], w.clock[0].free_lot
    while k != free:
        freed.append(int(k))
        k = w.lots[k].following
    assert sorted(chain + freed) == mine
    return w, chain, freed


def test_lots_of_a_generation_become_one_of_their_mean_age_and_cost():
    w, chain, freed = shelf(
        {"units": 2.0, "vintage": 1.0, "cost": 100.0},
        {"units": 4.0, "vintage": 9.0, "cost": 50.0, "chip": 1},
        {"units": 6.0, "vintage": 5.0, "cost": 200.0},
        {"units": 8.0, "vintage": -4.0, "cost": 300.0},
    )
    # The list begins with what came last.
    assert (chain, freed) == ([4, 2], [1, 3])
    pooled = w.lots[4]
    assert pooled.units == 16.0
    assert pooled.vintage == pytest.approx((2 * 1.0 + 6 * 5.0 + 8 * -4.0) / 16.0)
    assert pooled.cost == pytest.approx((2 * 100.0 + 6 * 200.0 + 8 * 300.0) / 16.0)
    other = w.lots[2]
    assert (other.units, other.vintage, other.cost) == (4.0, 9.0, 50.0)


@pytest.mark.parametrize(
    ("columns", "pooled"),
    [
        ({}, True),
        ({"loan": 0}, False),
        ({"online": 7}, False),
        ({"online": 6}, True),
        ({"contracted": 0.5}, False),
        ({"signed": 0.5}, False),  # its customer is gone, what was signed is not
        ({"offered": 0.5}, False),
        ({"chip": 1}, False),
        ({"seized": 3, "units": 0.5}, True),
    ],
)
def test_only_lots_that_are_free_online_uncontracted_and_not_for_sale_are_pooled(columns, pooled):
    for lots in ([{}, columns], [columns, {}]):
        _, chain, freed = shelf(*lots)
        assert len(freed) == pooled
        assert len(chain) == 2 - pooled


@pytest.mark.parametrize("units", [0.0, -1e-9])
def test_empty_lots_give_their_rows_back(units):
    w, chain, freed = shelf({"units": units, "loan": 0}, {"units": 2.0})
    assert (chain, freed) == ([2], [1])
    assert w.lots[2].units == 2.0


def test_operators_and_buyers_pool_what_they_own_lenders_keep_lots_apart():
    w = small_world(lenders=2, operators=2, buyers=2)
    nodes = [operator_node(w, 0), 0, 1, operator_node(w, 1), buyer_node(w, 0), buyer_node(w, 1), buyer_node(w, 2)]
    for node in nodes:
        add_lot(w, node=node, units=1.0)
        add_lot(w, node=node, units=2.0)
    pool_fleets(w, w.clock[0])
    held = {node: [lot.units for lot in w.lots[: w.clock[0].used_lots] if lot.owner == node] for node in nodes}
    assert held == {node: [1.0, 2.0] if node < 2 else [3.0] for node in nodes}


def test_the_first_row_of_the_table_is_pooled_like_any_other():
    w = small_world()
    node = operator_node(w)
    first, second = add_lot(w, node=node, units=1.0), add_lot(w, node=node, units=2.0)
    unlink_lot(w.lots, w.first_lot, first)
    link_lot(w.lots, w.first_lot, first, node)  # the owner's list begins with it
    pool_fleets(w, w.clock[0])
    assert (first, w.lots[first].units, w.lots[second].owner) == (0, 3.0, -1)


def test_who_owns_nothing_has_nothing_to_pool():
    w = small_world(operators=2)
    add_lot(w, node=operator_node(w, 1), units=1.0)
    pool_fleets(w, w.clock[0])
    assert w.first_lot.tolist() == [-1, -1, -1, 0, -1]
