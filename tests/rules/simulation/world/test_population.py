"""Who is in the world when it opens: buyers of used hardware as their kinds have it, generations on sale."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from agents.tables.buyers import BuyerKind
from simulation import load_scenario
from simulation.world.population import buyer_table, chip_table

BASE = Path(__file__).parents[4] / "configs" / "base.yaml"
USERS = (BuyerKind.HYPERSCALER, BuyerKind.ENTERPRISE, BuyerKind.RESEARCH)


def buyers(seed: int = 1, **changes):
    scenario = load_scenario(BASE, {f"buyers.{name.replace('__', '.')}": value for name, value in changes.items()})
    table = buyer_table(scenario, seed, 0)
    return table, [table[table.kind == kind] for kind in BuyerKind]


def test_there_are_as_many_of_each_kind_as_asked_for_and_a_backstop_at_the_end():
    table, kinds = buyers(
        hyperscaler__count=2, enterprise__count=3, research__count=1, dealer__count=4, scrap__count=0, fund__count=5
    )
    assert [len(rows) for rows in kinds] == [2, 3, 1, 4, 0, 5, 1]
    assert table.kind[-1] == BuyerKind.BACKSTOP


def test_what_a_kind_looks_at_is_its_own_and_who_has_no_limit_looks_at_all():
    kinds = buyers(
        hyperscaler__least_units=64, hyperscaler__oldest=24, enterprise__least_units=8, enterprise__oldest=36,
        research__least_units=0, research__oldest=600,
    )[1]  # fmt: skip
    for kind, least, oldest in zip(USERS, (64, 8, 0), (24, 36, 600), strict=True):
        assert (kinds[kind].least_units == least).all() and (kinds[kind].oldest == oldest).all()
    for kind in (BuyerKind.DEALER, BuyerKind.SCRAP, BuyerKind.FUND, BuyerKind.BACKSTOP):
        assert (kinds[kind].least_units == 0).all() and (kinds[kind].oldest >= 1e9).all()


def test_budgets_refill_but_a_fund_has_what_its_investors_bring():
    kinds = buyers(refill=0.25)[1]
    for kind in (*USERS, BuyerKind.DEALER, BuyerKind.SCRAP):
        assert (kinds[kind].refill == 0.25).all()
    assert (kinds[BuyerKind.FUND].refill == 0.0).all()


def test_who_resells_or_scraps_runs_no_chips_and_others_do():
    kinds = buyers()[1]
    for kind in BuyerKind:
        runs = kind not in (BuyerKind.DEALER, BuyerKind.SCRAP)
        assert ((kinds[kind].utilisation > 0.0) == runs).all()


def test_all_open_with_full_budgets_and_free_power():
    table, kinds = buyers(budget_scale=2.0)
    assert (table.budget == table.budget_cap).all() and (table.power == table.power_cap).all()
    assert (table.liquid == table.liquid_cap).all() and (table.liquid <= table.power).all()
    once = buyers(budget_scale=1.0)[1]
    for kind in (*USERS, BuyerKind.DEALER):
        assert kinds[kind].budget == pytest.approx(2.0 * once[kind].budget)
        assert (kinds[kind].budget > 0.0).all()


def test_a_policy_gives_the_backstop_its_capacity_and_nothing_limits_what_it_takes():
    scenario = load_scenario(BASE, {"policy.backstop.capacity": 3e9})
    backstop = buyer_table(scenario, 1, 0)[-1]
    assert (backstop.budget, backstop.budget_cap, backstop.lot_limit) == (3e9, 3e9, 1.0)
    assert min(backstop.power, backstop.liquid) >= 1e12
    marks = scenario.marks
    assert (backstop.utilisation, backstop.hosting) == (marks.reference_utilisation, marks.reference_hosting)
    assert (backstop.hurdle, backstop.decline) == (marks.reference_hurdle, marks.reference_decline)


def test_other_seeds_draw_other_budgets_the_same_seed_the_same():
    one, other, again = (buyers(seed)[0] for seed in (1, 2, 1))
    assert (one.budget == again.budget).all()
    drawn = (one.kind != BuyerKind.FUND) & (one.kind != BuyerKind.BACKSTOP)
    assert not np.isclose(one.budget[drawn], other.budget[drawn]).any()


def test_funds_open_without_money():
    funds = buyers()[1][BuyerKind.FUND]
    assert len(funds) > 0 and not funds.budget.any()


def test_generations_are_delivered_at_the_rate_and_after_the_lag_of_the_scenario():
    scenario = load_scenario(BASE, {"credit.delivery_lag": 7})
    chips = chip_table(scenario)
    assert chips.supply.tolist() == [spec.supply for spec in scenario.chips]
    assert (chips.lead == 7).all()
    assert chips.scrap == pytest.approx([spec.scrap * spec.list_price for spec in scenario.chips])
