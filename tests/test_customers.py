"""Customers and vendors: who is drawn, what their absence leaves, what a run with them keeps."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

from agents.tables.customers import CUSTOMER_KINDS, CustomerStatus
from agents.tables.events import EVENT_KINDS
from agents.tables.ledger import Flow
from simulation import load_scenario
from simulation.runs import play
from simulation.scenario.config import set_path
from simulation.scenario.faults import ConfigError
from simulation.world.build import build_world
from tests.conftest import BASE, ROOT

STRESSED = set_path(BASE, {
    "run.months": 30, "drivers.regimes.first_month": 10, "drivers.regimes.entry": 0.5, "drivers.demand.stress_drift": -0.2,
    "neoclouds.count": 20, "miners.count": 6,
})  # fmt: skip
SEED = 3
NOBODY = {f"customers.{kind}.count": 0 for kind in CUSTOMER_KINDS}
NEITHER = {
    f"customers.{kind}.{name}": 0.0 for kind in CUSTOMER_KINDS for name in ("renewal", "hazard_calm", "hazard_stress")
}
PANELS = ("panel", "chip_panel", "kind_panel", "flows", "trades")


@pytest.fixture(scope="module")
def with_customers():
    return play(STRESSED, SEED)


def same(one, two) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(two, name)) for name in PANELS)


def kinds_of(world) -> list[str]:
    return [EVENT_KINDS[k] for k in world.events.kind[: world.clock[0].events]]


# --- who is drawn ----------------------------------------------------------------------------------------------
def test_operators_meet_customers_by_their_weights():
    world = build_world(set_path(BASE, {"neoclouds.count": 3000, "miners.count": 0}), 1)
    drawn = world.customers.kind[world.operators.customer]
    for kind, weight in enumerate((0.6, 0.3, 0.1)):
        assert (drawn == kind).mean() == pytest.approx(weight, abs=4 * sqrt(weight * (1 - weight) / 3000))
    assert (world.operators.customer != world.operators.second).all()
    assert world.operators.second.min() == 0 and world.operators.second.max() == len(world.customers) - 1
    assert world.customers.share.sum() == pytest.approx(1.0)
    # Within a kind all are alike.
    counts = np.bincount(world.operators.customer, minlength=41)[:5]
    assert counts == pytest.approx([360.0] * 5, abs=4 * sqrt(360))


def test_a_kind_without_weight_is_met_by_nobody_and_one_customer_has_no_second():
    one = {**NOBODY, "customers.ai_lab.count": 1, "customers.enterprise.count": 3, "customers.enterprise.weight": 0.0}
    world = build_world(set_path(BASE, one), 1)
    assert set(world.operators.customer) == {0} and set(world.operators.second) == {-1}
    world = build_world(set_path(BASE, {**one, "customers.ai_lab.weight": 0.0}), 1)
    assert set(world.operators.customer) == {-1} and not world.customers.share.any()


def test_draws_do_not_depend_on_what_customers_do():
    one, two = (build_world(set_path(BASE, changes), 5) for changes in ({}, NEITHER))
    assert one.customers.threshold.tolist() == two.customers.threshold.tolist()
    assert one.operators.customer.tolist() == two.operators.customer.tolist()
    other = build_world(BASE, 6)
    assert one.customers.threshold.tolist() != other.customers.threshold.tolist()


def test_a_file_of_operators_may_name_customers(tmp_path):
    path = tmp_path / "clouds.csv"
    path.write_text("cash,site_power,customer\n5e6,20000,40\n1e7,50000,-1\n2e7,9000,3\n")
    world = build_world(set_path(BASE, {"neoclouds.file": str(path), "miners.count": 0}), 1)
    drawn = world.operators.customer
    assert (drawn[0], drawn[2]) == (40, 3) and 0 <= drawn[1] <= 40
    assert (world.operators.second != drawn).all() and (world.operators.second >= 0).all()
    plain = tmp_path / "plain.csv"
    plain.write_text("cash,site_power\n5e6,20000\n")
    assert build_world(set_path(BASE, {"neoclouds.file": str(plain)}), 1).operators.customer.min() >= 0


@pytest.mark.parametrize(
    ("value", "changes", "words"),
    [(41, {}, "no customer 41: the customers are 0 to 40"), (-2, {}, "must be at least -1 (customer), is -2"), (0, NOBODY, "there are no customers")],
)  # fmt: skip
def test_a_file_that_names_nobody_is_told_so(tmp_path, value, changes, words):
    path = tmp_path / "clouds.csv"
    path.write_text(f"cash,site_power,customer\n5e6,20000,{value}\n")
    with pytest.raises(ConfigError, match="customer") as caught:
        build_world(set_path(BASE, {"neoclouds.file": str(path), **changes}), 1)
    assert words in str(caught.value) and "clouds.csv" in str(caught.value)


# --- what they do ----------------------------------------------------------------------------------------------
def test_without_customers_contracts_run_out_as_if_nobody_failed_or_renewed(with_customers):
    nobody, neither = (play(set_path(STRESSED, changes), SEED) for changes in (NOBODY, NEITHER))
    for name in nobody.panel.dtype.names:
        if name != "contract_ended":
            assert np.array_equal(nobody.panel[name], neither.panel[name]), name
    assert same(nobody._replace(panel=neither.panel), neither)
    assert not same(nobody, with_customers)
    assert not {"customer_failed", "contract_ended"} & set(kinds_of(nobody))


def test_customers_fail_as_often_as_their_hazard_says():
    crowd = {**NOBODY, "customers.enterprise.count": 2000, "customers.enterprise.hazard_calm": 0.02,
             "run.months": 24, "neoclouds.count": 2, "miners.count": 0}  # fmt: skip
    world = play(set_path(BASE, crowd), SEED)
    p = 1 - 0.98**24
    failed = (world.customers.status == CustomerStatus.FAILED).mean()
    assert failed == pytest.approx(p, abs=4 * sqrt(p * (1 - p) / 2000))
    assert world.panel.customers_failed.sum() == failed * 2000
    assert kinds_of(world).count("customer_failed") == failed * 2000


def test_contracts_stand_with_customers_that_are_alive():
    world = play(set_path(BASE, {"run.months": 40}), SEED)
    lots = world.lots[: world.clock[0].used_lots]
    let = lots[(lots.contracted > 0) & (lots.owner >= 0)]
    assert len(let) > 20
    assert (world.customers.status[let.customer] == CustomerStatus.ACTIVE).all()
    assert ((let.contracted <= 1.0) & (let.signed <= 1.0) & (let.contract_end >= world.clock[0].month)).all()
    ended = [k for k, kind in enumerate(kinds_of(world)) if kind == "contract_ended"]
    parents = world.events.parent[ended]
    assert (parents >= 0).any() and (parents < 0).any()
    assert {EVENT_KINDS[k] for k in world.events.kind[parents[parents >= 0]]} == {"customer_failed"}
    lost = world.operators.lost_event
    assert (lost >= 0).any() and all(EVENT_KINDS[world.events.kind[e]] == "contract_ended" for e in lost if e >= 0)


def test_the_main_customer_takes_about_its_share():
    world = play(set_path(BASE, {"run.months": 30, **NEITHER}), SEED)
    alive = world.operators[(world.operators.signed > 0)]
    assert len(alive) > 40
    share = alive.signed_main.sum() / alive.signed.sum()
    assert share == pytest.approx(BASE.customers.concentration, abs=0.15)


def test_ai_labs_that_look_at_credit_change_the_run_only_when_told_to(with_customers):
    assert BASE.customers.credit_feedback == 0.0
    assert not same(with_customers, play(set_path(STRESSED, {"customers.credit_feedback": 1.0}), SEED))


# --- the vendor ------------------------------------------------------------------------------------------------
def test_a_vendor_without_capacity_is_no_vendor(with_customers):
    off = {"vendor.price": 3.0, "vendor.share": 1.0, "vendor.first": 0, "vendor.last": 500}
    world = play(set_path(STRESSED, off), SEED)
    for name in world._fields:
        if name not in (
            "terms",
            "scratch",
            "ranking",
            "item",
            "price",
            "ask",
            "ask_lot",
            "order",
            "bidder",
            "purse",
            "working",
            "start",
            "by_bidder",
        ):
            assert np.array_equal(getattr(world, name), getattr(with_customers, name)), name


@pytest.mark.parametrize("capacity", [1e7, 1e10])
def test_the_vendor_pays_within_its_months_up_to_its_capacity(with_customers, capacity):
    on = {"vendor.capacity": capacity, "vendor.first": 4, "vendor.last": 20}
    world = play(set_path(STRESSED, on), SEED)
    paid = world.flows[:, Flow.VENDOR_BACKSTOP]
    assert (paid[4] > 0) and not paid[:4].any() and not paid[21:].any()
    assert world.panel.vendor_paid.tolist() == paid.tolist()
    assert world.clock[0].backstop_called == pytest.approx(paid.sum())
    assert paid.sum() == pytest.approx(capacity) if capacity == 1e7 else paid.sum() < capacity
    assert world.clock[0].vendor_rent == world.panel.rent[4]
    assert np.abs(world.panel.residual).max() < 1e3
    assert same_until(world, with_customers, 4)


def same_until(one, two, month: int) -> bool:
    return np.array_equal(one.panel[:month], two.panel[:month])


def test_the_scenario_with_a_vendor_is_the_base_with_one():
    scenario = load_scenario(ROOT / "configs" / "scenarios" / "vendor_backstop.yaml")
    assert scenario.vendor.capacity > 0.0
    assert scenario.model_copy(update={"vendor": BASE.vendor, "title": BASE.title}) == BASE


def test_a_vendor_that_ends_before_it_begins_is_a_fault():
    with pytest.raises(ConfigError, match="first <= last"):
        set_path(BASE, {"vendor.first": 9, "vendor.last": 8})
