"""The close of the month: prices leave their trace, books are marked."""

from __future__ import annotations

import math

import pytest

from agents.tables.buyers import BuyerKind
from agents.tables.events import SaleReason
from agents.tables.operators import OperatorStatus
from simulation.phases.close import mark_books, remember_prices, withdraw_posted
from tests.rules.worlds import add_lot, buyer_node, operator_node, small_world


# --- what was posted to pay arrears --------------------------------------------------------------------------------
def seller(*reasons: SaleReason, arrears: float = 0.0, status: int = OperatorStatus.HEALTHY, selling: int = 1):
    """Operator 1 has lots on the market for these reasons, asked for in month 4; operator 0 has one, for its arrears."""
    w = small_world(operators=2)
    add_lot(w, node=operator_node(w, 0), offered=9.0, reason=SaleReason.ARREARS, asked=4)
    for reason in reasons:
        add_lot(w, node=operator_node(w, 1), offered=9.0, reason=reason, asked=4, reserve=5.0)
    w.operators.selling[:] = 1, selling
    w.operators.arrears[:] = 6.0, arrears
    w.operators[1].status = status
    withdraw_posted(w, w.clock[0])
    assert (w.lots[0].offered, w.lots[0].asked, w.operators[0].selling) == (9.0, 4, 1), "it is still in arrears"
    count = len(reasons) + 1
    return [(lot.offered, lot.asked, lot.reserve) for lot in w.lots[1:count]], w.operators[1].selling


OFF, ON = (0.0, -1, 0.0), (9.0, 4, 5.0)
ARREARS, CALL = SaleReason.ARREARS, SaleReason.MARGIN_CALL


@pytest.mark.parametrize(
    ("reasons", "columns", "lots", "selling"),
    [
        ((ARREARS, ARREARS), {}, [OFF, OFF], 0),
        ((ARREARS, ARREARS), {"arrears": 0.5}, [ON, ON], 1),
        ((ARREARS,), {"status": OperatorStatus.DEFAULTED}, [ON], 1),
        ((CALL, ARREARS), {}, [ON, OFF], 1),
        ((ARREARS, CALL), {}, [OFF, ON], 1),
        ((SaleReason.SEIZED,), {}, [ON], 1),
        ((ARREARS,), {"selling": 0}, [ON], 0),  # who sells nothing is not looked at
        ((), {}, [], 0),
    ],
)
def test_who_is_no_longer_in_arrears_takes_off_the_market_what_was_to_pay_them(reasons, columns, lots, selling):
    assert seller(*reasons, **columns) == (lots, selling)


@pytest.mark.parametrize(("offered", "selling"), [(0.0, 0), (0.5, 1)])
def test_a_lot_that_is_sold_out_is_not_for_sale(offered, selling):
    w = small_world()
    k = add_lot(w, node=operator_node(w), offered=offered, reason=SaleReason.MARGIN_CALL, asked=4)
    w.operators[0].selling = 1
    withdraw_posted(w, w.clock[0])
    assert (w.operators[0].selling, w.lots[k].asked) == (selling, 4)


# --- prices --------------------------------------------------------------------------------------------------------
def remembered(looks: float = 0.0, **chip: float):
    """Carry one of two generations to the next month; the other did not trade and no unit of it exists."""
    w = small_world(
        chips=2,
        terms={
            "market_fall_memory": 0.5,
            "market_fall_tolerance": 0.1,
            "market_volatility_memory": 0.8,
            "market_volatility_decay": 0.9,
            "marks_stale_drift": 0.05,
            "marks_index_weight": looks,
            "market_risk_premium": 0.2,
        },
    )
    row = w.chips[1]
    row.fall, row.volatility, row.stale_months, row.appraisal, row.scrap = 0.2, 0.4, 3, 700.0, 100.0
    for name, value in chip.items():
        setattr(row, name, value)
    remember_prices(w, w.clock[0])
    assert (w.chips[0].appraisal, w.chips[0].stale_months) == (1000.0, 1)
    return row


def test_a_fall_beyond_the_tolerance_and_its_size_are_remembered():
    # Half a unit for 400 USD: 800 each, a log change of -0.3.
    chip = remembered(traded_units=0.5, traded_usd=400.0, price_before=800.0 * math.exp(0.3), stock=10.0)
    assert chip.fall == pytest.approx(0.5 * 0.2 + (0.3 - 0.1))
    assert chip.volatility == pytest.approx(0.8 * 0.4 + 0.2 * 0.3)
    assert (chip.price_before, chip.stale_months) == (pytest.approx(800.0), 0)
    assert chip.appraisal == 700.0


@pytest.mark.parametrize("change", [0.3, -0.05])
def test_a_rise_or_a_small_fall_leaves_only_volatility(change):
    chip = remembered(traded_units=2.0, traded_usd=1600.0, price_before=800.0 * math.exp(-change), stock=10.0)
    assert chip.fall == pytest.approx(0.5 * 0.2)
    assert chip.volatility == pytest.approx(0.8 * 0.4 + 0.2 * abs(change))


@pytest.mark.parametrize("given_away", [{}, {"traded_units": 3.0}])
def test_without_trades_memories_fade_and_the_appraisal_drifts_down(given_away):
    # What goes for nothing leaves no price.
    chip = remembered(stock=0.5, price_before=800.0, **given_away)
    assert (chip.fall, chip.volatility) == pytest.approx((0.5 * 0.2, 0.9 * 0.4))
    assert (chip.price_before, chip.stale_months) == (800.0, 4)
    assert chip.appraisal == pytest.approx(700.0 * 0.95)


@pytest.mark.parametrize(
    ("looks", "fundamental", "parity", "usd"),
    [
        (0.25, 600.0, 1e12, 665 + 0.25 * (600 * 0.8 - 665)),  # what an orderly sale brings after a calm premium
        (1.0, 600.0, 1e12, 600 * 0.8),
        (1.0, 600.0, 450.0, 450.0),  # at parity with new ones at most
        (0.25, 1000.0, 1e12, 665 + 0.25 * (800 - 665)),
        (1.0, 100.0, 1e12, 100.0),  # scrap at least
    ],
)
def test_without_trades_appraisals_move_to_what_rents_and_list_prices_imply(looks, fundamental, parity, usd):
    chip = remembered(looks, stock=0.5, fundamental=fundamental, parity=parity)
    assert chip.appraisal == pytest.approx(usd)


def test_after_a_month_with_trades_the_appraisal_stays():
    chip = remembered(1.0, traded_units=0.5, traded_usd=400.0, price_before=800.0, stock=10.0, fundamental=300.0)
    assert chip.appraisal == 700.0


@pytest.mark.parametrize(("scrap", "stock", "usd"), [(690.0, 5.0, 690.0), (690.0, 0.0, 700.0)])
def test_the_appraisal_drifts_no_lower_than_scrap_and_only_of_chips_that_exist(scrap, stock, usd):
    assert remembered(scrap=scrap, stock=stock).appraisal == usd


# --- books ---------------------------------------------------------------------------------------------------------
def test_hardware_of_dealers_and_operators_is_marked_at_the_appraisal():
    w = small_world(operators=2, buyers=3, chips=2)
    w.chips.appraisal[:] = 100.0, 30.0
    w.buyers.kind[:] = BuyerKind.DEALER, BuyerKind.RESEARCH, BuyerKind.DEALER, BuyerKind.BACKSTOP
    w.buyers.inventory = 55.0
    w.operators.gpu_value = 66.0
    for node, units, chip in (
        (0, 1.0, 0), (operator_node(w, 0), 2.0, 0), (operator_node(w, 0), 3.0, 1), (operator_node(w, 1), 4.0, 1),
        (buyer_node(w, 0), 5.0, 0), (buyer_node(w, 0), 6.0, 1), (buyer_node(w, 1), 7.0, 0), (buyer_node(w, 2), 8.0, 1),
    ):  # fmt: skip
        add_lot(w, node=node, units=units, chip=chip)
    add_lot(w, node=operator_node(w, 1), units=900.0, owner=-1)  # a free row
    mark_books(w, w.clock[0])
    assert w.buyers.inventory == pytest.approx([5 * 100.0 + 6 * 30.0, 0.0, 8 * 30.0, 0.0])
    assert w.operators.gpu_value == pytest.approx([2 * 100.0 + 3 * 30.0, 4 * 30.0])


def test_an_operator_s_equity_is_what_it_owns_at_market_less_its_debt():
    w = small_world(operators=2)
    w.clock[0].btc, w.clock[0].eth = 10.0, 3.0
    add_lot(w, node=operator_node(w, 0), units=2.0)
    for name, values in {
        "cash": (50.0, 5.0), "btc": (4.0, 0.0), "eth": (6.0, 0.0), "rig_value": (7.0, 0.0), "debt": (1000.0, 90.0),
    }.items():  # fmt: skip
        w.operators[name] = values
    mark_books(w, w.clock[0])
    assert w.operators.equity == pytest.approx([50.0 + 2 * 1000.0 + 40.0 + 18.0 + 7.0 - 1000.0, 5.0 - 90.0])
