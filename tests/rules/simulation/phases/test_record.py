"""The record of the month: panels are written."""

from __future__ import annotations

import numpy as np
import pytest

from agents.tables.buyers import BuyerKind
from agents.tables.events import Cause, EventKind, log_event
from agents.tables.ledger import Flow
from simulation.phases.record import keep_flows, record_month
from simulation.world.world import N_KINDS
from tests.rules.worlds import add_loan, add_lot, operator_node, small_world

MONTH = 3

#: What the panel takes from the clock, by the name that it has there.
TAKEN = {
    "btc": "btc", "eth": "eth", "hashprice": "hashprice", "rent": "rent", "rent_trend": "trend", "demand": "demand",
    "running": "running", "stress_coin": "stress_coin", "stress_demand": "stress_demand", "new_credit": "new_credit",
    "new_commitments": "new_commitments", "new_compute": "delivered", "new_notes": "new_notes", "haircut": "haircut",
    "turns": "turn", "losses": "losses", "forgiven": "forgiven", "recoveries": "recoveries", "debt_defaulted": "debt_defaulted",
    "debt_performing": "debt_open", "cancelled": "cancelled", "equity_raised": "equity_raised", "customers_failed": "customers_failed",
    "contract_lost": "contract_lost", "contract_ended": "contract_ended",
}  # fmt: skip


def market(month: int = MONTH):
    """A borrower of 100 on three pledged units that its lender marks at 150; an enterprise pays 500 for each of two."""
    w = small_world(
        buyers=1,
        terms={
            "market_risk_premium": 0.0,
            "market_premium_cap": 1.0,
            "market_fall_weight": 0.0,
            "market_volatility_weight": 0.0,
            "market_peer_dscr": 99.0,
            "marks_asset_life": 60,
        },  # fmt: skip
    )
    w.clock[0].month = month
    k = add_loan(w, usd=100.0, collateral=150.0, covenant_ltv=0.8)
    add_lot(w, node=operator_node(w), units=3.0, loan=k, contracted=0.25)
    w.operators[0].dscr = 2.0
    w.lenders[0].deposits = 40.0
    buyer = w.buyers[0]
    buyer.kind, buyer.power, buyer.budget, buyer.budget_cap, buyer.lot_limit = (
        BuyerKind.ENTERPRISE,
        10.0,
        1000.0,
        1000.0,
        1.0,
    )
    w.value[1, 0] = 500.0
    return w


def test_the_state_of_the_month_is_taken_from_the_clock():
    w = market()
    clock = w.clock[0]
    for value, name in enumerate(TAKEN.values(), start=2):
        setattr(clock, name, value)
    w.book[:] = 55.0
    w.book[Flow.VENDOR_BACKSTOP] = 66.0
    record_month(w, clock)
    row = w.panel[MONTH]
    assert row.vendor_paid == 66.0
    assert {name: row[name] for name in TAKEN} == {name: value for value, name in enumerate(TAKEN, start=2)}
    assert row.month == MONTH
    assert not w.panel[MONTH - 1].btc and not w.panel[MONTH + 1].btc


def test_every_part_of_the_record_is_written():
    w = market()
    w.clock[0].rent = 1e6
    log_event(w.events, w.clock[0], EventKind.MARGIN_CALL, Cause.LTV, 2, 0, -1, 0.0, 0.0, -1)
    record_month(w, w.clock[0])
    row = w.panel[MONTH]
    # Bids: 1,000 USD buy two at 500. All three pledged units fetch no more than that.
    assert w.bid[:, 0].tolist() == [0.0, 500.0, 0.0]
    assert (row.depth_usd, row.executable_value) == pytest.approx((1000.0, 1000.0))
    assert row.booked_ltv == pytest.approx(100.0 / 150.0)
    assert row.executable_ltv == pytest.approx(100.0 / 1000.0)
    assert row.illusion == pytest.approx(150.0 / 1000.0)
    assert row.largest_executable_ltv == pytest.approx(0.1)
    assert (row.contracted, row.dscr_median, row.margin_calls, row.deposits) == pytest.approx((0.25, 2.0, 1, 40.0))
    assert row.asset_life == pytest.approx(60 - MONTH + MONTH)  # new this month, and rents are high
    assert w.chip_panel[MONTH].depth_units == pytest.approx(2.0)
    assert w.kind_panel[MONTH * N_KINDS].debt == pytest.approx(40.0)


def test_limits_of_the_month_stay_for_who_asks_for_the_book_later():
    w = market()
    w.bid[:] = 9.0
    record_month(w, w.clock[0])
    assert w.bid[:, 0].tolist() == [0.0, 500.0, 0.0]


@pytest.mark.parametrize(
    ("month", "share"),
    [(0, 40.0 / 1000.0), (1, (1.0 + 40.0) / 1000.0), (2, (1.0 + 3.0 + 40.0) / 1000.0), (3, (3.0 + 9.0 + 40.0) / 500.0)],
)
def test_what_defaulted_in_three_months_is_held_against_what_performed_before_them(month, share):
    w = market(month)
    w.panel.debt_defaulted[:4] = 1.0, 3.0, 9.0, 27.0
    w.panel.debt_performing[:4] = 1000.0, 500.0, 200.0, 100.0
    w.panel.debt_defaulted[month + 1] = 7777.0
    clock = w.clock[0]
    clock.debt_defaulted, clock.debt_open = 40.0, 1000.0
    record_month(w, clock)
    assert w.panel[month].bust_share == pytest.approx(share)


@pytest.mark.parametrize(("performing", "share"), [(1.0, 0.0), (1.6, 0.5), (1.2, 2.0 / 3.0), (0.8, 0.0)])
def test_without_debt_nothing_can_go_bust(performing, share):
    w = market(0)
    clock = w.clock[0]
    clock.debt_defaulted, clock.debt_open = 0.8, performing
    record_month(w, clock)
    assert w.panel[0].bust_share == pytest.approx(share)


def test_what_was_drawn_since_falls_as_well_but_no_more_than_all_goes_bust():
    w = market(1)
    w.panel.debt_defaulted[0], w.panel.debt_performing[0] = 40.0, 100.0
    w.clock[0].debt_defaulted, w.clock[0].debt_open = 90.0, 150.0
    record_month(w, w.clock[0])
    assert w.panel[1].bust_share == 1.0


def test_the_book_of_payments_is_kept_by_month():
    w = small_world()
    w.clock[0].month = 2
    w.book[:] = np.arange(len(w.book)) + 1.0
    keep_flows(w, w.clock[0])
    assert w.flows[2].tolist() == w.book.tolist()
    assert not w.flows[[0, 1, 3]].any()
    w.book[:] = 0.0
    assert w.flows[2, 0] == 1.0
