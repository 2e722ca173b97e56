"""Identities that hold in every month; checks look and do not mend."""

from __future__ import annotations

import math

import pytest

from agents.tables.clock import Fault
from agents.tables.ledger import BUYERS, LENDERS, OPERATORS, Flow
from agents.tables.loans import LoanStatus
from simulation.record.checks import (
    check_claims,
    check_flows,
    check_loans,
    check_means,
    check_units,
    leeway,
    sector_cash,
)
from tests.rules.worlds import add_loan, add_lot, buyer_node, operator_node, small_world

FINE = (Fault.NONE, 0, 0.0)


def fault(w) -> tuple[int, int, float]:
    clock = w.clock[0]
    return clock.fault, clock.fault_node, clock.fault_usd


def verdict(check, w) -> tuple[int, int, float]:
    """Return (fault, agent or row, size) after one check."""
    check(w, w.clock[0])
    return fault(w)


def violated(kind: Fault, node: int, size: float):
    return (kind, node, pytest.approx(size, nan_ok=True))


# --- rounding ----------------------------------------------------------------------------------------------------
TRILLION = 1e12


@pytest.mark.parametrize(
    ("table", "column"), [("lenders", "book"), ("lenders", "cash"), ("operators", "cash"), ("buyers", "budget")]
)
@pytest.mark.parametrize(("usd", "extra"), [(3.0, 3.0), (-3.0, 0.0), (math.nan, 0.0)])
def test_a_dollar_and_a_trillionth_of_all_claims_and_cash_may_be_rounding(table, column, usd, extra):
    w = small_world(lenders=2, operators=2, buyers=1)
    w.lenders.book[:2] = w.operators.cash[:2] = w.buyers.budget[:2] = TRILLION
    w.lenders.cash[:2] = TRILLION
    getattr(w, table)[1][column] = usd * TRILLION
    assert leeway(w) == pytest.approx(1.0 + 7.0 + extra, rel=1e-12)


def test_what_is_left_of_large_sums_may_round_with_them():
    w = small_world(lenders=2, operators=2, buyers=1)
    w.lenders.cash[1] = 2.0 * TRILLION
    add_loan(w, status=LoanStatus.DEFAULTED, principal=-2.9, recovered=102.9, exposure=100.0)
    add_loan(w, lender=1, operator=1, usd=10.0)
    w.lenders.book[:2] = 0.0, 12.9
    w.operators.debt[:2] = 0.0, 7.1
    w.lenders.deposits[0] = w.operators.cash[0] = w.buyers.budget[0] = w.lenders.cash[0] = -2.9
    for check in (check_loans, check_claims, check_means):
        assert verdict(check, w) == FINE


# --- units -------------------------------------------------------------------------------------------------------
def fleet():
    """Generation 0: 1,000 units of three owners, 30 scrapped of 980 and 50; generation 1: a fifth of a unit."""
    w = small_world(operators=1, buyers=1, chips=2)
    for node, units, chip in (
        (0, 300.0, 0), (operator_node(w), 600.0, 0), (buyer_node(w), 100.0, 0), (operator_node(w), 0.2, 1)
    ):  # fmt: skip
        add_lot(w, node=node, units=units, chip=chip)
    add_lot(w, node=operator_node(w), units=0.0, owner=-1)
    w.lots[w.clock[0].used_lots - 1].units = 5000.0  # what stands in a free row is no chip
    w.chips[0].initial, w.chips[0].added, w.chips[0].scrapped = 980.0, 50.0, 30.0
    w.scratch[0] = 12.0
    return w


def test_units_in_lots_are_those_at_the_start_and_added_less_scrapped():
    assert verdict(check_units, fleet()) == FINE


@pytest.mark.parametrize(
    ("chip", "column", "change", "node", "size"),
    [
        (0, "initial", 3.0, 0, -3.0),
        (0, "added", -3.0, 0, 3.0),
        (0, "scrapped", 3.0, 0, 3.0),
        (0, "stock", 3.0, 0, -3.0),
        (1, "initial", 0.1, 1, -0.1),
        (1, "stock", -0.1, 1, 0.1),
        (0, "stock", math.nan, 0, math.nan),
        (0, "added", math.nan, 0, math.nan),
        # Rounding: a millionth of 1,030 units, of a unit where there are fewer; of the 1,000 in stock.
        (0, "scrapped", 0.00102, None, 0.0),
        (0, "scrapped", 0.00104, 0, 0.00104),
        (0, "scrapped", -0.00104, 0, -0.00104),
        (0, "stock", 0.00099, None, 0.0),
        (0, "stock", 0.00101, 0, -0.00101),
        (1, "scrapped", 0.9e-6, None, 0.0),
        (1, "scrapped", 1.1e-6, 1, 1.1e-6),
        (1, "stock", 0.9e-6, None, 0.0),
        (1, "stock", 1.1e-6, 1, -1.1e-6),
    ],
)
def test_units_that_appear_or_vanish_stop_the_run(chip, column, change, node, size):
    w = fleet()
    w.chips[chip][column] += change
    assert verdict(check_units, w) == (
        FINE if node is None else (Fault.UNITS, node, pytest.approx(size, 1e-6, nan_ok=True))
    )


# --- loans -------------------------------------------------------------------------------------------------------
BILLION = 1e9


@pytest.mark.parametrize(
    ("status", "principal", "recovered", "exposure", "size"),
    [
        (LoanStatus.PERFORMING, -1.0, 0.0, 0.0, None),
        (LoanStatus.PERFORMING, -1.1, 0.0, 0.0, -1.1),
        (LoanStatus.CALLED, math.nan, 0.0, 0.0, math.nan),
        (LoanStatus.FREE, -9.0, 9.0, 0.0, None),
        (LoanStatus.DEFAULTED, 0.5, 101.0, 100.0, None),
        (LoanStatus.DEFAULTED, 0.5, 101.1, 100.0, 1.1),
        (LoanStatus.DEFAULTED, 0.5, math.nan, 100.0, math.nan),
        (LoanStatus.DEFAULTED, -2.0, 103.0, 100.0, -2.0),  # the first fault stands
        (LoanStatus.DEFAULTED, 0.0, 1.0, 0.0, None),
        (LoanStatus.PERFORMING, 5.0, 200.0, 100.0, None),
        # Rounding: a dollar, and a billionth of the claim.
        (LoanStatus.DEFAULTED, 0.0, BILLION + 1.9, BILLION, None),
        (LoanStatus.DEFAULTED, 0.0, BILLION + 2.1, BILLION, 2.1),
    ],
)
def test_no_claim_is_negative_and_no_creditor_gets_more_than_its_claim(status, principal, recovered, exposure, size):
    w = small_world()
    add_loan(w)
    add_loan(w, status=status, principal=principal, recovered=recovered, exposure=exposure)
    assert verdict(check_loans, w) == (FINE if size is None else violated(Fault.OVERPAID, 1, size))


# --- claims ------------------------------------------------------------------------------------------------------
def credit():
    w = small_world(lenders=2, operators=2)
    for lender, operator, usd in ((0, 0, 100.0), (0, 1, 30.0), (1, 1, 7.0), (1, 0, 500.0)):
        add_loan(w, lender=lender, operator=operator, usd=usd)
    w.loans[3].status = LoanStatus.FREE
    w.lenders[1].book -= 500.0
    w.operators[0].debt -= 500.0
    w.scratch[:2] = 44.0
    return w


def test_books_and_debts_are_the_sums_of_the_loans():
    assert verdict(check_claims, credit()) == FINE


@pytest.mark.parametrize(
    ("table", "row", "column", "change", "node", "size"),
    [
        ("lenders", 0, "book", 1.0, None, 0.0),
        ("lenders", 0, "book", 1.1, 0, -1.1),
        ("lenders", 1, "book", -1.1, 1, 1.1),
        ("lenders", 2, "book", math.nan, 2, math.nan),
        ("operators", 0, "debt", -1.0, None, 0.0),
        ("operators", 0, "debt", -1.1, 3, 1.1),
        ("operators", 1, "debt", 1.1, 4, -1.1),
        ("operators", 1, "debt", math.nan, 4, math.nan),
    ],
)
def test_a_claim_without_a_debt_stops_the_run(table, row, column, change, node, size):
    w = credit()
    getattr(w, table)[row][column] += change
    assert verdict(check_claims, w) == (FINE if node is None else violated(Fault.CLAIMS, node, size))


@pytest.mark.parametrize(("table", "column", "node"), [("lenders", "book", 0), ("operators", "debt", 2)])
@pytest.mark.parametrize(("change", "fine"), [(1.9, True), (-1.9, True), (2.1, False)])
def test_large_claims_may_round_by_a_billionth(table, column, node, change, fine):
    w = small_world()
    add_loan(w, usd=BILLION)
    getattr(w, table)[0][column] += change
    assert verdict(check_claims, w) == (FINE if fine else violated(Fault.CLAIMS, node, -change))


@pytest.mark.parametrize(("table", "column"), [("lenders", "book"), ("operators", "debt")])
def test_a_dollar_may_be_missing(table, column):
    w = small_world()
    add_loan(w, usd=1.0)
    getattr(w, table)[0][column] = 0.0
    assert verdict(check_claims, w) == FINE


@pytest.mark.parametrize("column", ["initial", "stock"])
def test_a_millionth_of_a_unit_may_be_missing(column):
    w = small_world()
    add_lot(w, node=0, units=1e-6)
    w.chips[0][column] = 0.0
    assert verdict(check_units, w) == FINE


# --- means -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("table", "row", "columns", "kind", "node", "size"),
    [
        ("lenders", 0, {"cash": -1.0, "deposits": -1.0}, None, 0, 0.0),
        ("lenders", 1, {"cash": -1.1}, Fault.NEGATIVE, 1, -1.1),
        ("lenders", 0, {"deposits": -1.1, "cash": 5.0}, Fault.NEGATIVE, 0, -1.1),
        ("lenders", 1, {"cash": math.nan}, Fault.NEGATIVE, 1, math.nan),
        ("operators", 0, {"cash": -1.0, "btc": -1e-9}, None, 0, 0.0),
        ("operators", 0, {"cash": -1.1}, Fault.NEGATIVE, 3, -1.1),
        ("operators", 1, {"cash": math.nan}, Fault.NEGATIVE, 4, math.nan),
        ("operators", 1, {"btc": -1.1e-9}, Fault.NEGATIVE, 4, -1.1e-9),
        ("operators", 1, {"btc": math.nan}, Fault.NEGATIVE, 4, math.nan),
        ("operators", 0, {"eth": -1e-9}, None, 0, 0.0),
        ("operators", 1, {"eth": -1.1e-9}, Fault.NEGATIVE, 4, -1.1e-9),
        ("operators", 1, {"eth": math.nan}, Fault.NEGATIVE, 4, math.nan),
        ("operators", 0, {"site_power": 0.0, "used_power": 1.0}, None, 0, 0.0),
        ("operators", 0, {"site_power": 50.0, "used_power": 51.0}, None, 0, 0.0),
        ("operators", 1, {"site_power": 50.0, "used_power": 51.1}, Fault.BEYOND_MEANS, 4, 1.1),
        ("operators", 1, {"used_power": math.nan}, Fault.BEYOND_MEANS, 4, math.nan),
        ("operators", 0, {"site_power": BILLION, "used_power": BILLION + 1.9}, None, 0, 0.0),
        ("operators", 0, {"site_power": BILLION, "used_power": BILLION + 2.1}, Fault.BEYOND_MEANS, 3, 2.1),
        ("buyers", 0, {"budget": -1.0}, None, 0, 0.0),
        ("buyers", 0, {"budget": -1.1}, Fault.NEGATIVE, 5, -1.1),
        ("buyers", 1, {"budget": math.nan}, Fault.NEGATIVE, 6, math.nan),
    ],
)
def test_nobody_holds_less_than_nothing_or_uses_more_power_than_it_has(table, row, columns, kind, node, size):
    w = small_world(lenders=2, operators=2, buyers=1)
    for name, value in columns.items():
        getattr(w, table)[row][name] = value
    assert verdict(check_means, w) == (FINE if kind is None else violated(kind, node, size))


# --- flows -------------------------------------------------------------------------------------------------------
def rich():
    w = small_world(lenders=1, operators=2, buyers=1)
    w.lenders.cash[:] = 100.0, 11.0
    w.operators.cash[:] = 200.0, 30.0
    w.buyers.budget[:] = 7.0, 50.0
    return w


@pytest.mark.parametrize(("sector", "usd"), [(LENDERS, 111.0), (OPERATORS, 230.0), (BUYERS, 57.0)])
def test_the_cash_of_a_sector_is_that_of_all_in_it(sector, usd):
    assert sector_cash(rich(), sector) == usd


def month(lenders: float = 0.0, operators: float = 0.0, buyers: float = 0.0):
    """A month with three kinds of payment, and so many USD that came from nowhere in each sector."""
    w = rich()
    clock = w.clock[0]
    clock.month = 2
    w.book[Flow.INTEREST] = 20.0  # operators to lenders
    w.book[Flow.USED_FROM_LENDER] = 5.0  # buyers to lenders
    w.book[Flow.LINE_DRAW] = 400.0  # among lenders
    w.book[Flow.EQUITY_IN] = 3.0  # from outside to operators
    clock.open_cash_lenders = 111.0 - 20.0 - 5.0 - lenders
    clock.open_cash_operators = 230.0 + 20.0 - 3.0 - operators
    clock.open_cash_buyers = 57.0 + 5.0 - buyers
    w.panel.residual = 9.0
    return w


def test_payments_explain_the_change_of_cash():
    w = month()
    assert verdict(check_flows, w) == FINE
    assert w.panel.residual[:4].tolist() == [9.0, 9.0, pytest.approx(0.0), 9.0]


@pytest.mark.parametrize(
    ("gaps", "sector", "residual"),
    [
        ({"lenders": 0.9, "operators": -0.7, "buyers": 0.8}, None, 0.9),
        ({"lenders": 0.5, "operators": -0.7, "buyers": 0.6}, None, -0.7),
        ({"lenders": 0.5, "operators": -0.7, "buyers": 0.8}, None, 0.8),
        ({"lenders": 0.5, "operators": -0.5}, None, 0.5),
        ({"lenders": 1.1}, LENDERS, 1.1),
        ({"operators": -1.1}, OPERATORS, -1.1),
        ({"buyers": 1.1}, BUYERS, 1.1),
        ({"lenders": 2.0, "buyers": -3.0}, LENDERS, -3.0),
    ],
)
def test_the_largest_residual_is_kept_above_a_dollar_it_stops_the_run(gaps, sector, residual):
    w = month(**gaps)
    assert verdict(check_flows, w) == (
        FINE if sector is None else violated(Fault.FLOWS, sector, gaps[("lenders", "operators", "buyers")[sector]])
    )
    assert w.panel[2].residual == pytest.approx(residual)


@pytest.mark.parametrize(("gap", "fine"), [(1.9, True), (2.1, False)])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_large_sums_may_round_by_a_billionth_of_the_largest_payment_or_holding(gap, fine, sign):
    expected = FINE if fine else violated(Fault.FLOWS, OPERATORS, sign * gap)
    w = month(operators=sign * gap)
    w.book[Flow.LINE_DRAW] = -BILLION if sign < 0.0 else BILLION
    assert verdict(check_flows, w) == expected
    w = month(operators=sign * gap)
    w.operators[0].cash += BILLION
    w.clock[0].open_cash_operators += BILLION
    assert verdict(check_flows, w)[0] == (Fault.NONE if fine else Fault.FLOWS)


@pytest.mark.parametrize(("usd", "fine"), [(1.0 + 1e-9, True), (1.0 + 1.5e-9, False)])
def test_cents_may_round_by_a_dollar_and_a_billionth(usd, fine):
    w = small_world()
    w.operators[0].cash = usd
    assert verdict(check_flows, w)[0] == (Fault.NONE if fine else Fault.FLOWS)


def test_cash_that_is_no_number_stops_the_run():
    w = month()
    w.buyers[0].budget = math.nan
    assert verdict(check_flows, w)[:2] == (Fault.FLOWS, BUYERS)
