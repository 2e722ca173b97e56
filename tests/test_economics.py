"""Measures of the economics on hand-made worlds with known answers; the table, its comparison, the command."""

from __future__ import annotations

import dataclasses
import math
from types import SimpleNamespace

import numpy as np
import pytest

from agents.tables.buyers import BuyerKind
from agents.tables.events import Cause, EventKind, SaleReason
from agents.tables.lenders import LENDER_KINDS, LenderKind
from agents.tables.loans import LoanStatus
from experiments.command.economics import seed_range
from experiments.economics import block, credit, document, figures, hangs, market, probes, sales, study, supply, table
from experiments.economics.measure import Aim, Measure, Played, pair
from experiments.economics.record import recorded
from experiments.prices import price_path
from simulation.month import MONTH, advance
from simulation.runs import play
from simulation.scenario.config import load_scenario, set_path
from simulation.scenario.faults import ConfigError
from simulation.world.build import build_world
from tests.conftest import BASE, LESSONS, ROOT, STRESS
from tests.rules.worlds import small_world

#: Nodes of :func:`world`: two lenders and the outside investors, three operators, a user, a scrap merchant, the backstop.
LENDER, OTHER_LENDER, OUTSIDE, ONE, TWO, THREE, USER, SCRAP, BACKSTOP = range(9)
MARKET = -1


def world(chips: int = 2, months: int = 24):
    w = small_world(lenders=2, operators=3, buyers=2, chips=chips, months=months)
    w.buyers.kind[:2] = BuyerKind.ENTERPRISE, BuyerKind.SCRAP
    w.clock[0].month = months
    for month in range(months):
        for g in range(chips):
            w.chip_panel[month * chips + g].fundamental = 1000.0 * (g + 1)
    return w


def filled(rows, *entries: dict) -> int:
    """Write entries to the first rows of a table; return how many."""
    for row, entry in zip(rows, entries, strict=False):
        for name, value in entry.items():
            setattr(row, name, value)
    return len(entries)


def sold(w, *trades: dict) -> Played:
    """Return a run with trades; unless said of chip 0, 10 units of age 50 worth 1,000 each, seized, sold to the user."""
    usual = {"units": 10.0, "fundamental": 1000.0, "age": 50.0, "reason": SaleReason.SEIZED, "buyer": USER}
    w.clock[0].trades = filled(w.trades, *(usual | trade for trade in trades))
    return Played(BASE, w, {})


def happened(w, *events: dict, **summary: float) -> Played:
    w.clock[0].events = filled(w.events, *({"parent": -1} | event for event in events))
    return Played(BASE, w, summary)


def read(found) -> tuple[float, float]:
    (row,) = found.tolist()
    return tuple(row)


# --- the used market -------------------------------------------------------------------------------------------------
def test_price_over_value_weighs_by_value_and_the_discount_by_units():
    run = sold(
        world(),
        {"price": 400.0, "units": 30.0},
        {"price": 100.0, "fundamental": 500.0},
        {"price": 900.0, "reason": SaleReason.CHURN},
        {"price": 800.0, "reason": SaleReason.DEALER},
        {"price": 1500.0, "chip": 1, "fundamental": 2000.0, "reason": SaleReason.IMPOSED},
    )
    assert read(market.price_over_value(True, 0)(run)) == (12_000 + 1_000, 30_000 + 5_000)
    assert read(market.price_over_value(False, 0)(run)) == (13_000 + 9_000 + 8_000, 35_000 + 20_000)
    assert read(market.price_over_value(True, None)(run)) == (13_000 + 15_000, 35_000 + 20_000)
    assert read(market.discount(True, 0)(run)) == pytest.approx((30 * -0.6 + 10 * -0.8, 40.0))
    assert read(market.discount(False, 1)(run)) == pytest.approx((10 * -0.25, 10.0))
    assert read(market.price_over_value(True, 0)(sold(world()))) == (0.0, 0.0)


def test_scrap_merchants_are_told_from_other_buyers_and_young_units_from_old():
    run = sold(
        world(),
        {"buyer": SCRAP, "age": 35.9},
        {"buyer": SCRAP, "age": 36.0, "units": 3.0},
        {"buyer": USER, "age": 2.0, "units": 40.0},
        {"buyer": TWO, "units": 50.0},
        {"buyer": MARKET, "units": 4.0},
        {"buyer": BACKSTOP, "units": 3.0},
        {"buyer": SCRAP, "reason": SaleReason.CHURN, "age": 1.0},
    )
    assert read(market.to_scrap(math.inf)(run)) == (13.0, 110.0)
    assert read(market.to_scrap(market.YOUNG)(run)) == (10.0, 50.0)


def priced(w) -> None:
    """Chip 1 has twice the performance; new ones cost 1,000 and 1,200 until month 3; per value chip 0 is worth 750 of them."""
    w.chips.performance[:] = 1.0, 2.0
    for month in range(3):
        w.chip_panel[2 * month].list_price, w.chip_panel[2 * month + 1].list_price = 1000.0, 1200.0
        w.chip_panel[2 * month].parity, w.chip_panel[2 * month + 1].parity = 750.0, 1200.0


def test_used_is_dearer_than_new_against_the_cheapest_new_chip_of_the_month():
    w = world()
    priced(w)
    churn = {"reason": SaleReason.CHURN}
    run = sold(
        w,
        {"price": 600.0, **churn},  # just what a unit of performance costs new
        {"price": 700.0, **churn},  # dear for what it does, not for what it is worth
        {"price": 800.0, **churn},
        {"price": 1300.0, "chip": 1, "units": 1.0, **churn},
        {"price": 5000.0, "month": 3, **churn},  # nothing is on sale new
        {"price": 900.0},  # not of its owner's will
    )
    paid = 6_000 + 7_000 + 8_000 + 1_300 + 50_000
    assert read(market.above_new("performance", 1.0, False)(run)) == (7_000 + 8_000 + 1_300, paid)
    assert read(market.above_new("performance", 1.0, True)(run)) == (7_000 + 8_000 + 1_300 + 9_000, paid + 9_000)
    assert read(market.above_new("performance", 1.3, False)(run)) == (8_000, paid)
    assert read(market.above_new("value", 1.0, False)(run)) == (8_000 + 1_300, paid)
    assert market.new_prices(run, "performance")[:4].tolist() == [[600.0, 1200.0]] * 3 + [[math.inf] * 2]
    assert market.new_prices(run, "value")[:4].tolist() == [[750.0, 1200.0]] * 3 + [[math.inf] * 2]


def test_neighbours_are_the_next_of_their_cooling_class_and_in_line_within_a_factor_of_three():
    w = world(chips=4)
    w.chips.performance[:] = 1.0, 2.0, 4.0, 8.0
    w.chips.release[:] = 5, -1, 2, 9
    w.chips.liquid[:] = 0, 0, 1, 0
    run = sold(
        w,
        {"month": 1, "chip": 0, "price": 100.0, "units": 1.0},
        {"month": 1, "chip": 0, "price": 400.0, "units": 2.0},  # 300 together
        {"month": 1, "chip": 1, "price": 200.0},  # 100 a unit of performance: a third
        {"month": 2, "chip": 0, "price": 301.0},
        {"month": 2, "chip": 1, "price": 200.0},
        {"month": 2, "chip": 2, "price": 1.0},  # cooled otherwise
        {"month": 3, "chip": 0, "price": 100.0},  # alone
        {"month": 4, "chip": 1, "price": 1.0},  # not neighbours: 0 stands between
        {"month": 4, "chip": 3, "price": 9999.0},
        {"month": 5, "chip": 0, "price": 100.0},
        {"month": 5, "chip": 3, "price": 800.0},
    )
    assert market.neighbours(run) == [(1, 0), (0, 3)]
    assert market.monthly_prices(run)[1].tolist()[:2] == [300.0, 100.0]
    assert read(market.in_line(run)) == (2.0, 3.0)


# --- credit ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("flow", "gap"),
    [([5, 5, 5], 0), ([0, 0, 0], 3), ([0, 5, 0, 0, 5], 2), ([5, 0, 0, 0], 3), ([1, 0.5, 5], 2), ([], 0)],
)
def test_the_longest_gap_counts_months_without_a_loan(flow, gap):
    assert credit.longest_gap(np.array(flow, float)) == gap


def test_gaps_are_of_the_first_two_years():
    w = world(months=36)
    w.panel.new_credit[[4, 5, 14, 24, 30]] = 1e6
    run = Played(BASE, w, {})
    assert (credit.gap(run, 0), credit.gap(run, 4)) == (9, 9)
    w.panel.new_credit[8], w.panel.new_credit[18] = 1e6, 1e6
    assert (credit.gap(run, 0), credit.gap(run, 4)) == (5, 5)
    w.panel.new_credit[11] = 1e6
    w.panel.new_credit[[20, 4]] = 1e6, 0.0
    assert (credit.gap(run, 0), credit.gap(run, 4), credit.gap(run, 5)) == (5, 3, 3)


def test_defaults_by_cause_and_the_debt_of_those_that_covered_their_service():
    w = world()
    w.operators.dscr[:] = 0.99, 1.0, 7.0
    run = happened(
        w,
        {"kind": EventKind.DEFAULT, "cause": Cause.LTV, "node": ONE, "usd": 100.0},
        {"kind": EventKind.DEFAULT, "cause": Cause.DSCR, "node": TWO, "usd": 30.0},
        {"kind": EventKind.DEFAULT, "cause": Cause.LTV, "node": THREE, "usd": 5.0},
        {"kind": EventKind.MARGIN_CALL, "cause": Cause.LTV, "node": ONE, "usd": 900.0},
    )
    assert read(credit.caused_by(Cause.LTV)(run)) == (2.0, 3.0)
    assert read(credit.caused_by(Cause.MATURITY)(run)) == (0.0, 3.0)
    assert read(credit.sound_exposure(run)) == (35.0, 135.0)


def test_a_default_after_a_contract_names_the_contract_that_ended():
    run = happened(
        world(),
        {"kind": EventKind.CONTRACT_ENDED, "cause": Cause.CUSTOMER_FAILURE, "node": ONE},
        {"kind": EventKind.CONTRACT_ENDED, "cause": Cause.EXPIRY, "node": TWO},
        {"kind": EventKind.DEFAULT, "cause": Cause.CASH_FLOW, "node": ONE, "parent": 0},
        {"kind": EventKind.DEFAULT, "cause": Cause.DSCR, "node": TWO, "parent": 1},
        {"kind": EventKind.DEFAULT, "cause": Cause.MATURITY, "node": THREE},
        {"kind": EventKind.SURRENDER, "cause": Cause.DSCR, "node": TWO, "usd": 3e9, "parent": 1},
        {"kind": EventKind.SURRENDER, "cause": Cause.LTV, "node": TWO, "usd": 1e9},
        {"kind": EventKind.EQUITY_CURE, "cause": Cause.DSCR, "node": TWO, "usd": 2e9, "parent": 1},
        {"kind": EventKind.CONTRACT_ENDED, "cause": Cause.EXPIRY, "node": THREE},  # the last event, and nobody's parent
    )
    assert read(credit.after_contract(Cause.CUSTOMER_FAILURE)(run)) == (1.0, 3.0)
    assert read(credit.after_contract(Cause.EXPIRY)(run)) == (1.0, 3.0)
    assert read(credit.given_up(run)) == (4.0, 1.0)
    assert read(credit.put_in(run)) == (2.0, 1.0)
    assert read(credit.after_contract(Cause.EXPIRY)(happened(world()))) == (0.0, 0.0)


def test_every_default_has_one_of_the_causes_that_are_told():
    w = play(set_path(BASE, STRESS), 3)
    run = Played(BASE, w, {})
    told = [m.read(run) for m in credit.measures(BASE) if m.key.startswith("cause.")]
    assert sum(read(found)[0] for found in told) == len(credit.defaults(run)) > 2


def test_the_dscr_of_an_operator_stays_that_of_its_default():
    w, at_default = build_world(set_path(BASE, STRESS), 3), {}
    while w.clock[0].month < len(w.panel):
        advance(w, MONTH)
        for o in np.flatnonzero(w.operators.status == 2):
            at_default.setdefault(int(o), float(w.operators.dscr[o]))
    assert len(at_default) > 2
    assert {o: float(w.operators.dscr[o]) for o in at_default} == at_default


def test_a_fatal_call_is_the_one_that_the_default_names():
    run = happened(
        world(),
        {"kind": EventKind.MARGIN_CALL, "node": ONE, "usd": 4.0},
        {"kind": EventKind.MARGIN_CALL, "node": TWO, "usd": 50.0},
        {"kind": EventKind.DEFAULT, "cause": Cause.LTV, "node": ONE, "usd": 400.0, "parent": 0},
        {"kind": EventKind.FORCED_SALE},
        {"kind": EventKind.DEFAULT, "cause": Cause.LTV, "node": TWO, "usd": 100.0, "parent": 3},
        {"kind": EventKind.DEFAULT, "cause": Cause.LTV, "node": TWO, "usd": 100.0},
        {"kind": EventKind.DEFAULT, "cause": Cause.CASH_FLOW, "node": THREE, "usd": 100.0, "parent": 1},
    )
    assert credit.fatal_calls(run).tolist() == [[4.0, 400.0]]


def test_lenders_that_fail_are_counted_by_kind_and_runs_in_which_none_does():
    w = world()
    w.lenders.kind[:2] = LenderKind.INSURER, LenderKind.BDC
    run = happened(w, {"kind": EventKind.LENDER_FAILURE, "node": OTHER_LENDER}, lender_failures=1, systemic=1)
    assert [read(credit.failed(kind)(run))[0] for kind in (LenderKind.INSURER, LenderKind.BDC)] == [0.0, 1.0]
    assert read(credit.spared(run)) == (0.0, 1.0)
    assert read(credit.spared(Played(BASE, w, {"lender_failures": 0, "systemic": 1}))) == (1.0, 1.0)
    assert read(credit.spared(Played(BASE, w, {"lender_failures": 0, "systemic": 0}))) == (0.0, 0.0)
    w.lenders.losses[:] = 2e9, 3e9, 4e9
    lost = {name: read(credit.lost_by(kind)(run))[0] for kind, name in enumerate(LENDER_KINDS)}
    assert lost == pytest.approx({**dict.fromkeys(LENDER_KINDS, 0.0), "insurer": 2.0, "bdc": 3.0, "outside": 4.0})


def test_the_loss_given_default_counts_open_claims():
    w = world()
    w.panel.losses[3], w.panel.recoveries[5] = 10.0, 50.0
    w.clock[0].used_loans = 2
    w.loans.status[:2] = LoanStatus.DEFAULTED, LoanStatus.PERFORMING
    w.loans.principal[:2] = 40.0, 1000.0
    assert read(credit.loss_given_default(Played(BASE, w, {"losses": 25.0}))) == (25.0, 100.0)


def beginning(key: str, group: list[Measure]) -> dict[str, Measure]:
    return {measure.key: measure for measure in group if measure.key.startswith(key)}


def test_who_bears_losses_adds_up_to_the_losses():
    columns = [("losses", float), ("passed", float), ("passed_lines", float)]
    kinds = np.zeros((2, 14), columns)
    kinds["losses"][:, : LenderKind.OUTSIDE + 1] = 1e9, 2e9, 3e9, 4e9, 5e9, 6e9
    kinds["passed"][1, : LenderKind.OUTSIDE] = 1e8, 2e8, 3e8, 4e8, 5e8
    kinds["passed_lines"][1, LenderKind.BDC] = 1e9
    kinds["losses"][0] = 7e9  # a month before
    run = SimpleNamespace(kinds=kinds)
    borne = {key: read(m.read(run))[0] for key, m in beginning("borne.", credit.measures(BASE)).items()}
    assert borne == pytest.approx({
        "borne.owners": 15 - 1.5 - 1.0, "borne.bank": 0.1, "borne.private_credit": 0.2, "borne.insurer": 0.3, "borne.bdc": 0.4,
        "borne.crypto_lender": 0.5, "borne.lines": 1.0, "borne.outside": 6.0,
    })  # fmt: skip
    assert sum(borne.values()) == pytest.approx(kinds["losses"][1].sum() / 1e9)


# --- supply and value ------------------------------------------------------------------------------------------------
def test_growth_is_from_year_end_to_year_end_and_from_the_first_month():
    w = world()
    w.panel.capacity[[0, 11, 23]] = 10.0, 15.0, 60.0
    run = Played(BASE, w, {})
    assert [read(supply.growth("capacity", year)(run)) for year in (0, 1)] == [(15.0, 10.0), (60.0, 15.0)]
    w.chip_panel.stock[2 * 23 + 1] = 7_000.0
    assert read(supply.stock(1, 1)(run)) == pytest.approx((7.0, 1.0))


def test_the_elasticity_is_that_of_a_power_of_the_rent():
    w = world(months=60)
    w.chips.reference[:] = 0, 1
    w.panel.rent[:] = np.exp(np.random.default_rng(1).normal(size=60))
    w.chip_panel.fundamental[1::2] = 20.0 * w.panel.rent**1.7
    run = Played(BASE, w, {})
    numerator, denominator = read(supply.elasticity(run))
    assert numerator / denominator == pytest.approx(1.7)
    w.panel.rent[:3], w.panel.rent[3:] = np.exp([0.0, 1.0, 3.0]), math.exp(3.0)
    w.chip_panel.fundamental[1:6:2], w.chip_panel.fundamental[7::2] = np.exp([0.0, 2.0, 3.0]), math.exp(3.0)
    assert read(supply.elasticity(run)) == pytest.approx((1 * 2 + 2 * 1, 1 + 4))
    w.chip_panel.fundamental[1::2] = 5.0
    w.chip_panel.fundamental[[2 * 10 + 1, 2 * 47 + 1, 2 * 48 + 1]] = 2.0, 10.0, 99.0
    assert read(supply.value_range(run)) == (10.0, 2.0)


def test_hidden_losses_are_the_largest_capital_is_summed_and_sites_grow_from_the_first_month():
    panel = np.zeros(24, [("hidden_losses", float), ("capital_committed", float), ("site_power", float)])
    panel["hidden_losses"][[3, 4]] = 2e9, 5e9
    panel["capital_committed"][[3, 4]] = 2e9, 5e9
    panel["site_power"][[0, 11]] = 100.0, 130.0
    run = SimpleNamespace(panel=panel)
    (hidden,) = beginning("hidden_losses", credit.measures(BASE)).values()
    (capital,) = beginning("capital", supply.measures(BASE)).values()
    growth = beginning("growth.site_power.1", supply.measures(BASE))["growth.site_power.1"]
    found = [read(m.read(run)) for m in (hidden, capital, growth)]
    assert np.allclose(found, [(5.0, 1.0), (7.0, 1.0), (130.0, 100.0)])


# --- the price of a month ----------------------------------------------------------------------------------------------
def test_the_price_of_a_month_is_that_of_its_trades_and_else_the_appraisal():
    w = world(months=4)
    w.chip_panel.price[:] = 7.0  # the last traded price, which goes stale
    w.chip_panel.appraisal[0::2], w.chip_panel.appraisal[1::2] = (500.0, 400.0, 300.0, 200.0), 90.0
    sold(
        w,
        {"month": 1, "price": 900.0, "units": 10.0},
        {"month": 1, "price": 100.0, "units": 30.0, "reason": SaleReason.CHURN},
        {"month": 2, "price": 55.0, "chip": 1},
    )
    assert price_path(w, 0).tolist() == [500.0, 300.0, 300.0, 200.0]
    assert price_path(w, 1).tolist() == [90.0, 90.0, 55.0, 90.0]
    assert w.chip_panel.appraisal[2] == 400.0, "the panel is left as it is"


# --- the sale of a block ---------------------------------------------------------------------------------------------
def path(**columns: np.ndarray | float) -> sales.Sold:
    usual = {name: np.zeros(sales.MONTHS) for name in sales.Sold._fields}
    return sales.Sold(**{name: usual[name] + value for name, value in ({**usual, **columns}).items()})


def test_what_a_block_brings_is_over_the_orderly_price_of_the_months_of_its_sale():
    units, usd, appraisal = np.zeros((3, sales.MONTHS))
    units[30:33], usd[30:33], appraisal[29:34] = (6_000, 3_000, 500), (60e6, 20e6, 1e6), (9e9, 20e3, 10e3, 3e3, 9e9)
    with_it, without = path(units=units, usd=usd), path(appraisal=appraisal, stock=500_000.0)
    assert sales.brought(with_it, without, 7) == sales.brought(with_it, without, 30) == (60e6, 200e6)
    assert sales.brought(with_it, without, 60) == (80e6, 150e6)
    assert sales.brought(with_it, without, 90) == pytest.approx((81e6, 110e6))
    assert [sales.sold_share(with_it, days) for days in (7, 90)] == pytest.approx([0.6, 0.95])
    assert sales.stock_share(with_it, without) == 0.02


@pytest.mark.parametrize(
    ("fall", "months"),
    [
        ([0.4, 0.3, 0.1, 0.0], 1.5),
        ([0.4, 0.2, 0.0], 1.0),
        ([0.4, 0.2, 0.2, 0.2], 1.0),
        ([0.4, 0.1], 2 / 3),
        ([0.4, 0.5, 0.3, 0.21], 3.0),  # never
        ([0.4, -0.4], 0.25),
        ([0.0, 0.4], math.nan),
        ([-0.1, 0.4], math.nan),
    ],
)
def test_the_half_life_is_read_off_a_straight_line_between_months(fall, months):
    assert sales.half_life(np.array(fall)) == pytest.approx(months, nan_ok=True)


def test_the_fall_is_against_the_same_run_without_the_block():
    with_it, without = path(price=30.0), path(price=40.0)
    fall = sales.falls(with_it, without)
    assert len(fall) == sales.FOLLOWED + 1 and set(fall) == {0.25}


def test_a_block_of_the_base_brings_more_the_more_time_there_is():
    # With so many calls a month, as they were: who searches with effort for a block of this size reaches everybody in a week.
    few = set_path(BASE, {"run.months": sales.MONTHS, "market.search": "fixed"})
    arms = block.play(few, range(2001, 2005), lambda text: None)
    seen = block.observe(arms)
    assert set(seen) == {measure.key for measure in block.declared(BASE)}
    brings = [table.together(seen[f"block.brings.{days}"])[0] for days in sales.HORIZONS]
    # Of four runs; what a month more brings in the end is less than what they differ by.
    assert all(later > 0.97 * sooner for sooner, later in zip(brings[:-1], brings[1:], strict=True))
    assert brings[0] < 0.9 * brings[-1]
    gone = [table.together(seen[f"block.sold.{days}"])[0] for days in sales.HORIZONS]
    assert np.round(gone, 12).tolist() == sorted(np.round(gone, 12)) and gone[0] < gone[1]
    stock = [float(run.stock[sales.BLOCK_MONTH - 1]) for run in arms[0]]
    assert [read(x)[0] for x in seen["block.stock"]] == pytest.approx([sales.BLOCK / units for units in stock])


def test_the_block_is_of_the_generation_that_summaries_follow():
    for changes in ({}, {"marks.reference_chip": "B200"}, {"chips.H100.performance": 0.2}):
        scenario = set_path(BASE, changes)
        run = Played(scenario, build_world(scenario, 1), {})
        assert sales.reference_name(scenario) == scenario.chips[run.reference].name


# --- what it hangs on ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("value", "high", "others"),
    [
        (0.4, math.inf, [0.2, 0.8]),
        (0.4, 0.8, [0.2, 0.6]),
        (10, math.inf, [5, 20]),
        (1, math.inf, [2]),
        ((0.5, 0.9), 1.0, [[0.25, 0.45], [0.75, 0.95]]),
        (0.0, 1.0, []),
        (True, math.inf, []),
        ("network", math.inf, []),
        (None, math.inf, []),
    ],
)
def test_a_parameter_is_halved_and_doubled_within_its_bounds(value, high, others):
    found = hangs.others(value, high)
    assert np.allclose(found, others) if others else found == []


def test_parameters_of_the_market_are_candidates_and_no_seed_is():
    found = hangs.candidates(BASE)
    assert [other for path, _, other in found if path == "market.calls_a_month"] == [5, 20]
    assert [other for path, _, other in found if path == "buyers.own_weight"][1][1] < 1.0
    paths = {path for path, *_ in found}
    assert {"market.fall_memory", "marks.asset_life", "buyers.refill", "networks.contact_degree"} <= paths
    assert not {path for path in paths if path.startswith(("networks.seed", "buyers.dealer.", "credit."))}


def change(path: str, months: float, fall: float) -> hangs.Change:
    def row(key, value):
        return table.summed_up(Measure(key, "", key, "", "", lambda run: pair(0.0)), [pair(value)])

    return hangs.Change(path, 1.0, 2.0, row("life", months), row("fall", fall))


def test_what_moves_the_half_life_most_comes_first_and_what_moves_nothing_is_named():
    changes = [
        change("", 3.0, 0.6),
        change("a", 2.4, 0.6),
        change("b", 5.0, 0.6),
        change("c", 3.1, 0.62),
        change("d", 3.0, 0.5),
    ]
    lines = hangs.table(changes)
    assert [line[0] for line in lines] == ["as it is", "b", "a", "d"]
    assert lines[1] == ("b", "1", "2", "5.0", "+2.0", "60.0%", "0.0%")
    assert hangs.idle(changes) == ["c"]


# --- the table -------------------------------------------------------------------------------------------------------
def declared(**more) -> Measure:
    return Measure(
        **{
            "key": "k",
            "group": "g",
            "label": "l",
            "unit": "share",
            "definition": "d",
            "read": lambda run: pair(0.0),
            **more,
        }
    )


def test_single_runs_give_median_and_band_and_all_together_a_ratio_of_sums():
    runs = [pair(1.0, 10.0), pair(9.0, 10.0), pair(0.0, 0.0), pair(80.0, 100.0)]
    row = table.summed_up(declared(), runs, np.array([True, False, True, True]))
    assert (row.median, row.count, row.note) == (0.8, 3, "")
    assert (row.low, row.high) == pytest.approx((0.1 + 0.2 * 0.7, 0.8 + 0.8 * 0.1))
    assert (row.mean, row.systemic) == pytest.approx((90 / 120, 81 / 110))
    left = np.array([1 - 7.5, 9 - 7.5, 0.0, 80 - 75])
    assert row.error == pytest.approx(math.sqrt(4 / 3 * (left**2).sum()) / 120)


def test_the_error_of_a_mean_is_the_usual_one():
    values = np.random.default_rng(3).normal(5.0, 2.0, 50)
    mean, error = table.together([pair(x) for x in values])
    assert (mean, error) == pytest.approx((values.mean(), values.std(ddof=1) / math.sqrt(50)))


def test_one_run_may_hold_many_observations_or_none():
    row = table.summed_up(declared(of="call"), [np.array([[1.0, 4.0], [1.0, 2.0]]), np.zeros((0, 2)), pair(3.0, 4.0)])
    assert (row.count, row.median, row.mean) == (3, 0.5, 0.5)
    nothing = table.summed_up(declared(), [pair(0.0, 0.0)])
    assert nothing.note == "nothing of the kind happened" and math.isnan(nothing.mean)


@pytest.mark.parametrize(
    ("aim", "met"),
    [
        (Aim(0.0, 0.75), True),
        (Aim(0.0, 0.74), False),
        (Aim(0.75, 0.75), True),
        (Aim(0.8, 0.8, "median"), True),
        (Aim(0.0, 0.79, "median"), False),
        (None, None),
    ],
)
def test_an_aim_is_for_the_mean_or_the_median(aim, met):
    runs = [pair(1.0, 10.0), pair(9.0, 10.0), pair(80.0, 100.0)]
    assert table.summed_up(declared(aim=aim), runs).met is met
    assert table.summed_up(declared(aim=aim), []).met is None


def test_a_table_is_kept_and_set_beside_another(tmp_path):
    old = [
        table.summed_up(
            declared(key="a", aim=Aim(0.0, 0.3), record="liq_factor_distressed_7d"), [pair(0.2), pair(0.4)]
        ),
        table.summed_up(declared(key="b", unit="USD bn"), [], note="needs a run of 55 months; this one has 14"),
    ]
    kept = table.read_csv(table.write_csv(old, tmp_path / "old" / "a.csv"))
    for row in old:
        for name, value in dataclasses.asdict(row).items():
            assert getattr(kept[row.key], name) == (
                pytest.approx(value, rel=1e-5, nan_ok=True) if isinstance(value, float) else value
            )
    assert kept["a"].record == recorded("liq_factor_distressed_7d") == 0.45
    new = table.summed_up(declared(key="a"), [pair(0.5), pair(0.7)])
    assert table.beside(new, kept["a"]) == ("l", "share", "30.0%", "60.0%", "30.0%", "60.0%", "+2.1", "", "")
    assert table.beside(new, None) == ("l", "share", "", "60.0%", "", "60.0%", "", "", "")
    assert table.verdict(old) == "1 of 1 aims are met."
    assert table.shown(old[0])[-2:] == ("45.0%", "mean 0.0% to 30.0%: met")


@pytest.mark.parametrize("text", ["", "key\n", "key,group\na,b\n", "no table at all", "key,mean\na,much\n"])
def test_what_is_no_table_is_refused_with_its_name(tmp_path, text):
    file = tmp_path / "x.csv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="x.csv"):
        table.read_csv(file)
    with pytest.raises(ConfigError, match="away.csv"):
        table.read_csv(tmp_path / "away.csv")


# --- a study ---------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def short() -> study.Study:
    """A stressed year and two months of few agents: too short for a block."""
    return study.study(set_path(BASE, STRESS), range(2001, 2005))


def test_a_study_has_a_row_for_every_measure_with_values_or_the_reason_why_not(short):
    keys = [row.key for row in short.rows]
    asked = [*study.measures(short.scenario), *block.declared(short.scenario)]
    assert keys == [measure.key for measure in asked] and len(set(keys)) == len(keys)
    for row in short.rows:
        assert row.definition and row.unit and bool(row.note) == math.isnan(row.mean)
        assert not row.note or row.note.startswith(("nothing of the kind", "needs a run of 55"))
    assert short.row("defaults").mean > 3 and short.row("price_over_value.forced.all").mean > 0.0


def test_the_rows_of_a_study_are_those_of_its_runs(short):
    runs = [play(short.scenario, seed) for seed in short.seeds]
    defaults = [int((run.operators.status == 2).sum()) for run in runs]
    row = short.row("defaults")
    assert (row.mean, row.median, row.count) == pytest.approx((np.mean(defaults), np.median(defaults), 4))
    assert short.row("growth.capacity.1").count == 4


def test_the_document_tells_every_measure_and_what_it_is(short, tmp_path):
    files = figures.write_figures(short, tmp_path / "images")
    assert [file.name for file in files] == ["economics_market.svg", "economics_history.svg"]
    assert all(file.stat().st_size > 5_000 for file in files)
    text = document.markdown(short, files, {row.key: row for row in short.rows[:5]})
    for row in short.rows:
        assert f"| {row.measure} | {row.unit} |" in text and row.definition in text
    assert "nan" not in text and "(images/economics_market.svg)" in text
    assert text.count("needs a run of 55 months; this one has 14") >= len(block.declared(BASE))


# --- mechanisms in isolation -----------------------------------------------------------------------------------------
def test_every_mechanism_is_played_and_judged():
    results = probes.run_probes()
    assert [r.probe.key for r in results] == [probe.key for probe in probes.PROBES]
    for result in results:
        assert result.verdict in (probes.HOLDS, probes.FAILS) and result.lines
        assert result.probe.question in probes.markdown(results)
    assert {r.probe.key for r in results if r.verdict == probes.HOLDS} == {"hold", "purse", "patience", "q", "capital"}


def test_probes_of_lenders_have_contracts_as_in_the_base():
    market, marked = probes.small_market(), load_scenario(LESSONS / "margin_spiral.yaml")
    assert market.credit.forbearance == BASE.credit.forbearance != marked.credit.forbearance
    assert market.market.receivership == BASE.market.receivership != marked.market.receivership


def test_an_auction_is_read_off_the_tape_of_its_seller():
    w = small_world(tape=20)
    kinds = probes.TapeRow
    filled(
        w.tape,
        {"kind": kinds.AUCTION, "node": 0, "filled": 3.0},
        {"kind": kinds.BID, "price": 50.0},
        {"kind": kinds.BID, "price": 70.0},
        {"kind": kinds.NO_MONEY, "price": 99.0},
        {"kind": kinds.ASK, "price": 60.0},
        {"kind": kinds.ASK, "price": 65.0},
        {"kind": kinds.AUCTION, "node": 4, "filled": 9.0},
        {"kind": kinds.ASK, "price": 1.0},
        {"kind": kinds.AUCTION, "node": 0},
        {"kind": kinds.ASK, "price": 80.0},
    )
    w.clock[0].tape = 10
    assert probes.auctions_of(probes.tape_of(w), 0) == [(60.0, 70.0, 3.0), (80.0, 0.0, 0.0)]


def test_what_was_paid_over_value_counts_seized_hardware_alone():
    w = world()
    sold(w, {"price": 300.0}, {"price": 500.0, "units": 30.0}, {"price": 999.0, "reason": SaleReason.CHURN})
    assert probes.paid_over_value(w, np.array([900.0, 50.0])) == pytest.approx([0.5, math.nan], nan_ok=True)


def test_q_and_capital_are_judged_by_where_they_end():
    assert probes.judged_q(([2.0, 1.5, 1.28], 1.2)).holds and not probes.judged_q(([1.2, 1.2, 1.08], 1.2)).holds
    assert not probes.judged_q(([1.2], 1.2), ([1.2], 1.05)).holds
    open_, closed = ((0.4, 0.7), 3e9), ((0.4, 0.5), 0.0)
    assert probes.judged_capital(open_, closed).holds
    assert not probes.judged_capital(((0.4, 0.5), 3e9), closed).holds
    assert not probes.judged_capital(((0.4, 0.7), 0.0), closed).holds
    assert not probes.judged_capital(((0.5, 0.7), 3e9), closed).holds, "capital that comes late moves no price before"
    ops = np.array([(1.0, 30.0), (2.0, 10.0)], [("q", float), ("site_power", float)])
    assert probes.q_of(SimpleNamespace(operators=ops)) == 1.25


# --- the command -----------------------------------------------------------------------------------------------------
def test_seeds_are_a_range_with_both_ends():
    assert seed_range("7-9") == range(7, 10)
    for text in ("7", "9-7", "7-7", "a-b", "-3", "1-2-3", ""):
        with pytest.raises(ConfigError, match="range"):
            seed_range(text)


def test_the_command_writes_document_table_and_figures_and_sets_an_older_table_beside(firesale, tmp_path):
    changes = [f"--set={name}={value}" for name, value in STRESS.items()]
    out = tmp_path / "new" / "economics.md"
    code, said, _ = firesale("economics", "--seeds", "2001-2002", "--out", str(out), *changes)
    assert code == 0 and "Risk and losses" in said and "aims are met" in said
    text = out.read_text(encoding="utf-8")
    assert "<!-- generated: economics -->" in text and "### What they are" in text
    assert {file.name for file in out.parent.iterdir()} == {"economics.md", "economics.csv", "images"}
    kept = table.read_csv(out.with_suffix(".csv"))
    assert kept.pop(table.ABOUT).note.startswith("GPU-backed credit, data reading; seeds 2001 to 2002; rules ")
    assert len(kept) == len(study.measures(set_path(BASE, STRESS))) + len(block.declared(BASE))
    code, said, _ = firesale(
        "economics",
        "--seeds",
        "2001-2002",
        "--out",
        str(tmp_path / "b.md"),
        "--against",
        str(out.with_suffix(".csv")),
        *changes,
    )
    assert code == 0 and "mean before" in said
    text = (tmp_path / "b.md").read_text(encoding="utf-8")
    assert "### Beside the older table" in text and "The older table: GPU-backed credit" in text
    code, _, err = firesale("economics", "--against", str(tmp_path / "none.csv"))
    assert code == 2 and "none.csv" in err
    code, _, err = firesale("economics", "--seeds", "5")
    assert code == 2 and "--seeds" in err


def test_the_command_plays_mechanisms_in_isolation_beside_the_table(firesale, tmp_path):
    out = tmp_path / "economics.md"
    out.write_text("# Mine\n", encoding="utf-8")
    code, said, _ = firesale("economics", "--isolation", "--out", str(out))
    assert code == 0 and "When does a lender sell" in said
    text = out.read_text(encoding="utf-8")
    assert text.startswith("# Mine\n") and "<!-- generated: isolation -->" in text


def test_the_table_of_the_first_edition_can_be_set_beside_this_one():
    first = table.read_csv(ROOT / "docs" / "economics_first_edition.csv")
    assert first["systemic"].count == first[table.ABOUT].count == 200
    assert first["block.brings.7"].median < first["block.brings.30"].median < first["block.brings.180"].median
    # What is the same in every edition of the base has the same key.
    shared = {
        key for key in first if key.startswith(("losses", "lgd", "gap", "drawn", "growth.capacity", "block", "scrap"))
    }
    now = {measure.key for measure in [*study.measures(BASE), *block.declared(BASE)]}
    assert len(shared) > 20 and shared <= now
