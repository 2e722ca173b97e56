"""Balance sheets, loans and lots as they stand at the end of the month."""

from __future__ import annotations

import numpy as np
import pytest

from agents.tables.buyers import BuyerKind
from agents.tables.events import Cause, EventKind, log_event
from agents.tables.lenders import LenderKind, LenderStatus
from agents.tables.loans import LoanKind, LoanStatus
from agents.tables.operators import OperatorKind, OperatorStatus
from simulation.record.books import (
    N_BUYER_KINDS,
    N_LENDER_KINDS,
    loan_life,
    measure_lives,
    record_kinds,
    record_lenders,
    record_loans,
    record_lots,
    record_operators,
)
from simulation.record.depth import _LARGEST, _PLEDGED
from tests.rules.worlds import add_loan, add_lot, buyer_node, operator_node, small_world

pytestmark = pytest.mark.filterwarnings("error")  # a division by zero is no result

N_KINDS = N_LENDER_KINDS + 2 + N_BUYER_KINDS
MONTH = 2
#: A chip of performance 1 earns 40 USD a month, which halves every month: 1 x 100 hours x 0.5 sold, less 20 % overhead.
LIVES = {
    "rental_hours": 100.0,
    "rental_overhead": 0.2,
    "marks_reference_utilisation": 0.5,
    "marks_reference_hosting": 5.0,
    "marks_reference_hurdle": 0.1,
    "marks_reference_decline": 0.8,
    "marks_reference_weight": 0.25,
    "marks_decline_floor": 0.1,
    "marks_decline_cap": 0.9,
    "marks_asset_life": 10,
}


def halving(chips: int = 1, **arguments):
    """Each chip costs 20 USD a month to keep: 2 kW at 5, and a tenth of 100 of scrap value. Rents halve every month."""
    w = small_world(chips=chips, terms=LIVES, **arguments)
    w.clock[0].month = MONTH
    w.clock[0].rent = 1.0
    w.clock[0].trend = 0.4  # believed: 0.25 x 0.8 + 0.75 x 0.4 = 0.5
    w.chips.power = 2.0
    w.chips.scrap = 100.0
    return w


# --- economic life -----------------------------------------------------------------------------------------------
def test_a_chip_lives_until_its_rent_has_fallen_to_its_cost_at_most_the_life_of_the_asset():
    w = halving(chips=4)
    w.chips.performance[:] = 2.0, 4.0, 1e6, 0.5
    life = np.full(4, 9.0)
    measure_lives(w, w.clock[0], life)
    # 80 -> 40 -> 20; 160 -> 80 -> 40 -> 20; capped; 20 is the cost from the start.
    assert life == pytest.approx([2.0, 3.0, 10.0, 0.0])


@pytest.mark.parametrize(("trend", "left"), [(-3.0, 0.9), (3.0, 0.1)])
def test_the_decline_believed_has_a_floor_and_a_cap(trend, left):
    w = halving()
    w.clock[0].trend = trend
    w.chips[0].performance = 1.0  # a rent of 40 for costs of 20
    life = np.zeros(1)
    measure_lives(w, w.clock[0], life)
    assert left ** life[0] == pytest.approx(20.0 / 40.0)


# --- loans -------------------------------------------------------------------------------------------------------
def lending():
    """Operators 0 (neocloud), 1 (miner), 2; secured loans of 100, 300 and 600, and others."""
    w = small_world(operators=3)
    w.operators[1].kind = OperatorKind.MINER
    w.operators.dscr[:] = 1.0, 0.5, 0.9
    for operator, usd, columns in (
        (0, 100.0, {"collateral": 200.0, "covenant_ltv": 0.8, "amortisation": 0.5}),
        (0, 70.0, {"collateral": 10.0, "covenant_ltv": 0.8, "amortisation": 1.0, "status": LoanStatus.DEFAULTED}),
        (1, 50.0, {"kind": LoanKind.CONVERTIBLE}),
        (2, 20.0, {"kind": LoanKind.MARGIN}),
        (1, 999.0, {"status": LoanStatus.FREE}),
        (1, 300.0, {"collateral": 400.0, "covenant_ltv": 0.8, "amortisation": 20.0}),
        (2, 600.0, {"collateral": 790.0, "covenant_ltv": 0.8, "status": LoanStatus.CALLED}),
    ):
        add_loan(w, operator=operator, usd=usd, **columns)
    return w


def test_debt_is_recorded_by_kind_defaulted_claims_included():
    w = lending()
    row = w.panel[0]
    largest, performing = record_loans(w, w.clock[0], row)
    assert row.debt == pytest.approx(100.0 + 70.0 + 300.0 + 600.0)
    assert row.debt_convertible == pytest.approx(50.0)
    assert row.debt_margin == pytest.approx(20.0)
    assert row.debt_miners == pytest.approx(50.0 + 300.0)
    assert performing == pytest.approx(100.0 + 300.0 + 600.0)
    assert largest == 1  # it owes 999 more by its own books


def test_booked_value_headroom_coverage_and_life_are_those_of_performing_secured_debt():
    w = lending()
    row = w.panel[0]
    record_loans(w, w.clock[0], row)
    assert row.booked_value == pytest.approx(200.0 + 400.0 + 790.0)
    assert row.booked_ltv == pytest.approx(1000.0 / 1390.0)
    # Five points below the covenant: 150, 300 and 592.5. Just at it is not thin.
    assert row.headroom_thin == pytest.approx(600.0 / 1000.0)
    # A DSCR of one is not below one.
    assert row.dscr_below_one == pytest.approx((300.0 + 600.0) / 1000.0)
    # 200 months of amortisation, 15, and the 99 to the maturity of a loan that is not amortised.
    assert row.debt_life == pytest.approx((100.0 * 200.0 + 300.0 * 15.0 + 600.0 * 99.0) / 1000.0)


@pytest.mark.parametrize(
    ("amortisation", "month", "life"), [(5.0, 9, 20.0), (0.5, 9, 200.0), (0.0, 9, 3.0), (0.0, 14, 0.0)]
)
def test_a_loan_lives_as_long_as_it_is_paid_down_or_to_its_maturity(amortisation, month, life):
    w = small_world()
    loan = w.loans[add_loan(w, usd=100.0, amortisation=amortisation, maturity=12)]
    assert loan_life(loan, month) == life


@pytest.mark.parametrize(
    ("debts", "defaulted", "largest"),
    [
        ((10.0, 30.0, 20.0), (), 1),
        ((10.0, 20.0, 30.0), (), 2),
        ((30.0, 20.0, 10.0), (), 0),
        ((20.0, 20.0, 20.0), (), 0),
        ((10.0, 30.0, 20.0), (1,), 2),
        ((90.0, 20.0, 10.0), (0,), 1),
        ((90.0, 0.0, 0.0), (0, 1), 2),
        ((10.0, 20.0, 30.0), (0, 1, 2), 0),
    ],
)
def test_the_largest_borrower_is_the_first_with_most_debt_of_those_not_in_default(debts, defaulted, largest):
    w = small_world(operators=3)
    w.operators.debt[:] = debts
    for o in defaulted:
        w.operators[o].status = OperatorStatus.DEFAULTED
    assert record_loans(w, w.clock[0], w.panel[0]) == (largest, 0.0)


def test_without_performing_debt_there_are_no_ratios():
    w = small_world()
    add_loan(w, usd=70.0, status=LoanStatus.DEFAULTED, collateral=30.0)
    row = w.panel[0]
    assert record_loans(w, w.clock[0], row) == (0, 0.0)
    assert row.debt == 70.0
    assert (row.booked_value, row.booked_ltv, row.headroom_thin, row.dscr_below_one, row.debt_life) == (0, 0, 0, 0, 0)


@pytest.mark.parametrize(("collateral", "ltv"), [(0.0, 1e4), (0.4e-4, 1e4), (1e-4, 0.5e4)])
def test_debt_on_nothing_has_an_ltv_of_ten_thousand(collateral, ltv):
    w = small_world()
    add_loan(w, usd=0.5, collateral=collateral, amortisation=0.1)
    row = w.panel[0]
    record_loans(w, w.clock[0], row)
    assert (row.booked_ltv, row.headroom_thin, row.dscr_below_one) == pytest.approx((ltv, 1.0, 1.0))
    assert row.debt_life == pytest.approx(5.0)


# --- lots --------------------------------------------------------------------------------------------------------
def fleet():
    """Two generations, lives of 2 and 3 months, at 100 and 50 USD; the asset life of 10 months ends at age 10."""
    w = halving(chips=2, operators=2, buyers=2)
    w.chips.performance[:] = 2.0, 4.0
    w.chips.appraisal[:] = 100.0, 50.0
    w.buyers[0].kind, w.buyers[1].kind = BuyerKind.ENTERPRISE, BuyerKind.DEALER
    own, other = add_loan(w, operator=0), add_loan(w, operator=1)
    for array in (_PLEDGED, _LARGEST):
        w.scratch[array] = 44.0
    first, second = operator_node(w, 0), operator_node(w, 1)
    add_lot(w, node=first, chip=0, units=3.0, loan=own, vintage=-7.0, contracted=0.5)  # one month of asset life left
    add_lot(w, node=second, chip=1, units=2.0, loan=other, vintage=0.0, contracted=0.25)
    add_lot(w, node=first, chip=0, units=4.0)
    add_lot(w, node=0, chip=0, units=5.0, loan=own, seized=0)
    add_lot(w, node=buyer_node(w, 0), chip=1, units=6.0)
    add_lot(w, node=buyer_node(w, 1), chip=0, units=7.0)
    add_lot(w, node=first, chip=0, units=88.0, loan=own, owner=-1)  # a free row
    return w


def test_pledged_units_are_those_that_secure_loans_and_are_not_seized_yet():
    w = fleet()
    record_lots(w, w.clock[0], w.panel[MONTH], 0, 1000.0)
    assert w.scratch[_PLEDGED, :2] == pytest.approx([3.0, 2.0])
    assert w.scratch[_LARGEST, :2] == pytest.approx([3.0, 0.0])


def test_the_life_of_collateral_is_weighed_by_value_and_ends_with_the_asset():
    w = fleet()
    row = w.panel[MONTH]
    record_lots(w, w.clock[0], row, 0, 1000.0)
    # 300 USD of chips with a month left of their two, 100 USD of chips with three.
    assert row.asset_life == pytest.approx((300.0 * 1.0 + 100.0 * 3.0) / 400.0)


def test_contracts_are_weighed_by_operators_capacity():
    w = fleet()
    row = w.panel[MONTH]
    record_lots(w, w.clock[0], row, 0, 1000.0)
    # Capacity 6, 8 and 8: a half, a quarter and nothing under contract.
    assert row.contracted == pytest.approx((6.0 * 0.5 + 8.0 * 0.25) / 22.0)


def test_what_lenders_hold_where_it_stands_is_in_receivership():
    w = fleet()
    add_lot(w, node=0, chip=1, units=4.0, site=0, seized=0)
    add_lot(w, node=1, chip=0, units=0.5, site=1, seized=0)
    add_lot(w, node=2, chip=0, units=9.0, site=-1)
    add_lot(w, node=operator_node(w, 0), chip=0, units=9.0, site=0)  # an estate's
    row = w.panel[MONTH]
    record_lots(w, w.clock[0], row, 0, 1000.0)
    assert row.in_receivership == pytest.approx(4 * 50.0 + 0.5 * 100.0)


def test_buyers_hardware_stands_at_the_appraisal_with_their_kind():
    w = fleet()
    record_lots(w, w.clock[0], w.panel[MONTH], 0, 1000.0)
    expected = np.zeros(len(w.kind_panel))
    base = MONTH * N_KINDS + N_LENDER_KINDS + 2
    expected[base + BuyerKind.ENTERPRISE] = 6.0 * 50.0
    expected[base + BuyerKind.DEALER] = 7.0 * 100.0
    assert w.kind_panel.hardware == pytest.approx(expected)


def test_without_debt_collateral_has_no_life_and_without_lots_nothing_is_contracted():
    w = fleet()
    record_lots(w, w.clock[0], w.panel[MONTH], 0, 0.0)
    assert w.panel[MONTH].asset_life == 0.0
    w = halving()
    w.panel[MONTH].contracted = 0.0
    record_lots(w, w.clock[0], w.panel[MONTH], 0, 1000.0)
    assert (w.panel[MONTH].asset_life, w.panel[MONTH].contracted) == (0.0, 0.0)


def test_a_fleet_of_half_a_unit_counts():
    w = halving()
    w.chips[0].performance, w.chips[0].appraisal = 2.0, 2.0
    add_lot(w, node=operator_node(w), units=0.25, loan=add_loan(w), contracted=0.5)
    record_lots(w, w.clock[0], w.panel[MONTH], 0, 0.5)
    assert w.panel[MONTH].contracted == pytest.approx(0.5)
    assert w.panel[MONTH].asset_life == pytest.approx(2.0)


# --- operators ---------------------------------------------------------------------------------------------------
def coverage(*dscr: float):
    """Record operators with some debt and these DSCR; one in default and one with a dollar of debt come on top."""
    w = small_world(operators=len(dscr) + 2)
    w.operators.dscr[:] = -50.0, *dscr, -60.0
    w.operators.debt = 1.5
    w.operators[0].status = OperatorStatus.DEFAULTED
    w.operators[-1].debt = 1.0
    w.scratch[1] = 44.0
    row = w.panel[0]
    record_operators(w, w.clock[0], row, w.scratch[1], w.ranking[0], w.ranking[1])
    return row.dscr_median, row.dscr_low


@pytest.mark.parametrize(
    ("dscr", "median", "low"),
    [
        ((), 0.0, 0.0),
        ((1.5,), 1.5, 1.5),
        ((3.0, 1.0), 1.0, 1.0),
        ((1.0, 3.0, 2.0), 2.0, 1.0),
        ((4.0, 9.0, 7.0, 1.0, 11.0, 10.0, 2.0, 12.0, 8.0, 3.0, 5.0, 6.0), 6.0, 2.0),  # 1 to 12: the last but one is low
    ],
)
def test_median_and_tenth_percentile_of_the_coverage_of_who_has_debt(dscr, median, low):
    assert coverage(*dscr) == pytest.approx((median, low))


def test_events_of_the_month_are_counted_by_kind():
    w = small_world(operators=3)
    w.operators[1].kind = OperatorKind.MINER
    clock = w.clock[0]

    def happen(kind: EventKind, node: int, times: int) -> None:
        for _ in range(times):
            log_event(w.events, clock, kind, Cause.NONE, node, -1, -1, 0.0, 0.0, -1)

    for kind in EventKind:
        happen(kind, operator_node(w, 1), 1)
    clock.open_events = clock.events  # what was before is last month's
    happen(EventKind.DEFAULT, operator_node(w, 1), 2)
    happen(EventKind.DEFAULT, operator_node(w, 2), 1)
    happen(EventKind.LENDER_FAILURE, 0, 4)
    happen(EventKind.MARGIN_CALL, operator_node(w, 0), 5)
    happen(EventKind.FUNDING_CALL, 0, 2)
    happen(EventKind.RUN, 0, 7)
    happen(EventKind.WAIVER, 0, 3)
    happen(EventKind.EXTENSION, 0, 4)
    happen(EventKind.SWAP, 0, 6)
    for kind in (EventKind.SEIZURE, EventKind.FORCED_SALE, EventKind.WITHDRAWN_LINE, EventKind.COIN_CALL):
        happen(kind, operator_node(w, 0), 11)
    row = w.panel[0]
    record_operators(w, clock, row, w.scratch[1], w.ranking[0], w.ranking[1])
    assert (row.defaults, row.defaults_miner, row.defaults_neocloud) == (3, 2, 1)
    assert (row.lender_failures, row.margin_calls, row.funding_calls, row.waivers) == (4, 5, 2 + 7, 3 + 4 + 6)


def test_sites_of_all_and_what_debt_exceeds_going_concern_value_of_those_that_live():
    w = small_world(operators=4)
    for name, values in {
        "site_power": (100.0, 20.0, 3.0, 0.5), "secured": (50.0, 70.0, 90.0, 10.0), "going": (30.0, 80.0, 10.0, 9.5),
    }.items():  # fmt: skip
        w.operators[name] = values
    w.operators[2].status = OperatorStatus.DEFAULTED  # what it owes beyond its value is hidden no more
    row = w.panel[0]
    record_operators(w, w.clock[0], row, w.scratch[1], w.ranking[0], w.ranking[1])
    assert row.site_power == pytest.approx(123.5)
    assert row.hidden_losses == pytest.approx(20.0 + 0.5)


# --- kinds of agent ----------------------------------------------------------------------------------------------
def kinds(w, month: int = 1):
    assert len(w.kind_panel) == (month + 1) * N_KINDS, "the last month, so that too much would be beyond the end"
    w.clock[0].month = month
    record_kinds(w, w.clock[0])
    return w.kind_panel[month * N_KINDS : (month + 1) * N_KINDS]


def test_there_is_a_row_for_every_kind():
    w = small_world(months=2)
    rows = kinds(w)
    assert rows.kind.tolist() == list(range(N_KINDS))
    assert rows.month.tolist() == [1] * N_KINDS
    assert not w.kind_panel[:N_KINDS].kind.any(), "the month before is left alone"


def test_lenders_are_added_up_by_kind_claims_less_allowance_hardware_as_it_is_carried():
    w = small_world(lenders=3, months=2)
    w.lenders.kind[:] = LenderKind.INSURER, LenderKind.BDC, LenderKind.INSURER, LenderKind.OUTSIDE
    w.lenders[2].status = LenderStatus.FAILED
    for name, values in {
        "cash": (10.0, 1.0, 20.0, 0.0), "book": (100.0, 2.0, 300.0, 0.0), "allowance": (30.0, 0.5, 40.0, 0.0),
        "lent_lines": (5.0, 3.0, 7.0, 0.0), "seized_claim": (30.0, 0.0, 8.0, 0.0),
        "deposits": (50.0, 4.0, 60.0, 0.0), "borrowed": (3.0, 6.0, 9.0, 0.0), "losses": (11.0, 12.0, 13.0, 0.0),
        "passed": (1.5, 2.5, 3.5, 0.0), "passed_lines": (0.25, 0.5, 1.0, 0.0),
    }.items():  # fmt: skip
        w.lenders[name] = values
    rows = kinds(w)
    row = rows[LenderKind.INSURER]
    # What was lost, and what of it passed on to those who fund them.
    assert (row.losses, row.passed, row.passed_lines) == pytest.approx((11 + 13, 1.5 + 3.5, 0.25 + 1))
    assert row.alive == 1
    assert row.cash == pytest.approx(10.0 + 20.0)
    assert row.loans == pytest.approx((100.0 - 30.0) + (300.0 - 40.0))
    assert row.lines == pytest.approx(5.0 + 7.0)
    assert row.hardware == pytest.approx(30.0 + 8.0)
    assert row.debt == pytest.approx((50.0 + 3.0) + (60.0 + 9.0))
    assert row.equity == pytest.approx(30.0 + 330.0 + 12.0 + 38.0 - 122.0)
    bdc = rows[LenderKind.BDC]
    assert (bdc.alive, bdc.cash, bdc.loans, bdc.lines, bdc.hardware, bdc.debt) == (1, 1.0, 1.5, 3.0, 0.0, 10.0)
    assert (bdc.losses, bdc.passed, bdc.passed_lines) == (12.0, 2.5, 0.5)
    assert rows[LenderKind.OUTSIDE].alive == 1
    assert rows[LenderKind.BANK].alive == 0


def test_operators_are_added_up_by_kind_with_coins_and_rigs():
    w = small_world(operators=3, months=2)
    w.clock[0].btc, w.clock[0].eth = 10.0, 3.0
    w.operators.kind[:] = OperatorKind.MINER, OperatorKind.NEOCLOUD, OperatorKind.MINER
    w.operators[2].status = OperatorStatus.DEFAULTED
    for name, values in {
        "cash": (10.0, 1.0, 20.0), "gpu_value": (100.0, 2.0, 200.0), "btc": (5.0, 0.0, 6.0), "eth": (7.0, 0.0, 8.0),
        "rig_value": (9.0, 0.0, 11.0), "debt": (50.0, 4.0, 60.0),
    }.items():  # fmt: skip
        w.operators[name] = values
    rows = kinds(w)
    row = rows[N_LENDER_KINDS + OperatorKind.MINER]
    assert (row.alive, row.cash, row.hardware, row.debt) == pytest.approx((1, 30.0, 300.0, 110.0))
    assert row.coins == pytest.approx(11 * 10.0 + 15 * 3.0 + 20.0)
    assert row.equity == pytest.approx(30.0 + 300.0 + 175.0 - 110.0)
    neocloud = rows[N_LENDER_KINDS + OperatorKind.NEOCLOUD]
    assert (neocloud.alive, neocloud.cash, neocloud.hardware, neocloud.debt) == (1, 1.0, 2.0, 4.0)


@pytest.mark.parametrize(("cap", "alive"), [(0.0, 0), (0.5, 1)])
def test_buyers_are_added_up_by_kind_a_backstop_without_capacity_is_none(cap, alive):
    w = small_world(buyers=2, months=2)
    w.buyers.kind[:] = BuyerKind.SCRAP, BuyerKind.SCRAP, BuyerKind.BACKSTOP
    w.buyers.budget[:] = 5.0, 7.0, 2.0
    w.buyers[2].budget_cap = cap
    base = N_LENDER_KINDS + 2
    w.kind_panel[N_KINDS + base + BuyerKind.SCRAP].hardware = 40.0  # from the record of lots
    rows = kinds(w)
    row = rows[base + BuyerKind.SCRAP]
    assert (row.alive, row.cash, row.hardware, row.equity) == (2, 12.0, 40.0, 52.0)
    assert (rows[base + BuyerKind.BACKSTOP].alive, rows[base + BuyerKind.BACKSTOP].cash) == (alive, 2.0)


# --- lenders -----------------------------------------------------------------------------------------------------
def test_funding_capital_and_terms_of_lenders_that_live_and_what_was_withdrawn_from_all():
    w = small_world(lenders=4)
    w.lenders[1].status = LenderStatus.FAILED
    w.lenders[2].status = LenderStatus.ILLIQUID
    for name, values in {
        "left_month": (1.0, 20.0, 300.0, 0.0, 4000.0), "deposits": (10.0, 99.0, 20.0, 0.0, 99.0),
        "borrowed": (3.0, 99.0, 4.0, 0.0, 99.0), "equity": (5.0, 99.0, 8.0, 0.0, 99.0),
        "advance_rate": (0.6, 0.99, 0.7, 0.5, 0.99),
    }.items():  # fmt: skip
        w.lenders[name] = values
    row = w.panel[0]
    record_lenders(w, row)
    assert row.withdrawn == pytest.approx(4321.0)
    assert (row.deposits, row.debt_lines, row.lender_equity) == pytest.approx((30.0, 7.0, 13.0))
    assert row.advance_rate == pytest.approx((0.6 + 0.7 + 0.5) / 3)
    assert row.capital_ratio == pytest.approx(13.0 / (13.0 + 30.0 + 7.0))


def test_one_small_lender_has_a_capital_ratio_none_has_none():
    w = small_world()
    w.lenders[0].equity, w.lenders[0].deposits, w.lenders[0].advance_rate = 0.1, 0.3, 0.6
    row = w.panel[0]
    record_lenders(w, row)
    assert (row.capital_ratio, row.advance_rate) == pytest.approx((0.25, 0.6))
    w.lenders[0].status = LenderStatus.FAILED
    row = w.panel[1]
    record_lenders(w, row)
    assert (row.capital_ratio, row.advance_rate, row.lender_equity) == (0.0, 0.0, 0.0)
