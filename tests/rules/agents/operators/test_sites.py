"""Where chips stand: what is built, what is let again, what a kW is worth."""

from __future__ import annotations

import pytest

from agents.operators.sites import begin_sites, finish_sites, relet_sites, value_of_power
from agents.tables.ledger import Flow
from agents.tables.operators import OperatorStatus
from tests.rules.worlds import BEFORE, booked, paid_in_full, put, small_world, some_terms

FALLEN = OperatorStatus.DEFAULTED


# --- what power is worth -----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("surplus", "hurdle", "months", "cost", "weight", "usd"),
    [
        # In two months at a hurdle of a quarter .64 is left: building costs 100 and .36 of the surplus.
        (500.0, 0.25, 2, 100.0, 1.0, 100 + 0.36 * 500),
        (120.0, 0.25, 2, 100.0, 1.0, 120.0),  # dearer than what it brings
        (500.0, 0.25, 2, 100.0, 0.5, 0.5 * 280),
        (500.0, 0.0, 2, 100.0, 1.0, 100.0),  # later is as good as now
        (500.0, 0.25, 1, 0.0, 1.0, 0.2 * 500),
        (0.0, 0.25, 2, 100.0, 1.0, 0.0),
    ],
)
def test_a_kw_is_worth_what_chips_bring_on_it_but_no_more_than_building_one_and_waiting(
    surplus, hurdle, months, cost, weight, usd
):
    terms = some_terms(sites_build_months=months, sites_cost=cost, sites_replacement=weight)
    assert value_of_power(terms, surplus, hurdle) == pytest.approx(usd)


# --- what is built -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("building", "months", "done"),
    [(60.0, 12, 5.0), (60.0, 1, 60.0), (0.6, 12, 0.05), (6e-6, 12, 1e-6), (5e-7, 12, 5e-7), (0.0, 12, 0.0)],
)
def test_what_is_being_built_comes_on_stream_in_parts_all_of_it_liquid_cooled(building, months, done):
    w = small_world(operators=2, terms={"sites_build_months": months})
    first = put(w.operators[0], building=24.0, site_power=7.0, liquid_power=3.0)
    op = put(w.operators[1], building=building, site_power=40.0, liquid_power=30.0, used_power=9.0)
    finish_sites(w, w.clock[0])
    assert (op.building, op.site_power, op.liquid_power) == pytest.approx(
        (building - done, 40 + done, 30 + done), abs=1e-12
    )
    assert (op.used_power, op.used_liquid) == (9.0, 0.0)
    assert first.site_power == pytest.approx(7 + 24 / months)


def test_in_a_year_of_months_most_of_what_was_begun_is_live_and_in_the_end_all_of_it():
    w = small_world(terms={"sites_build_months": 12})
    op = put(w.operators[0], building=60.0)
    for _ in range(12):
        finish_sites(w, w.clock[0])
    assert op.site_power == pytest.approx(60 * (1 - (11 / 12) ** 12))
    for _ in range(400):
        finish_sites(w, w.clock[0])
    assert (op.building, op.site_power, op.liquid_power) == (0.0, pytest.approx(60.0), pytest.approx(60.0))


def test_sites_of_the_fallen_are_not_finished():
    w = small_world(operators=2, terms={"sites_build_months": 12})
    put(w.operators[0], building=60.0, site_power=40.0, status=FALLEN)
    put(w.operators[1], building=60.0, site_power=40.0, status=OperatorStatus.STRESSED)
    finish_sites(w, w.clock[0])
    assert (w.operators.building.tolist(), w.operators.site_power.tolist()) == ([60.0, 55.0], [40.0, 45.0])


# --- what is let again -------------------------------------------------------------------------------------------
#: Operators: two fallen, with 60 and 20 kW free (24 and none of it liquid-cooled), a small one, two that want 30 and 10.
FREE = (
    {"status": FALLEN, "site_power": 100.0, "used_power": 40.0, "liquid_power": 30.0, "used_liquid": 6.0},
    {"status": FALLEN, "site_power": 50.0, "used_power": 30.0, "liquid_power": 5.0, "used_liquid": 5.0},
    {"site_power": 8.0, "used_power": 1.0, "liquid_power": 4.0},
    {"site_power": 10.0, "used_power": 10.0, "liquid_power": 2.0, "wanted": 30.0, "status": OperatorStatus.STRESSED},
    {"site_power": 20.0, "used_power": 20.0, "liquid_power": 1.0, "wanted": 10.0},
)


def halls(*, months: float = 8.0, change: dict[int, dict[str, float]] | None = None):
    w = small_world(operators=len(FREE), terms={"sites_relet_months": months})
    for o, columns in enumerate(FREE):
        put(w.operators[o], **columns, **{"building": 3.0})
        put(w.operators[o], **(change or {}).get(o, {}))
    return w


def test_free_power_of_the_fallen_goes_in_parts_to_who_wants_more_in_proportion():
    w = halls()
    relet_sites(w, w.clock[0])
    # An eighth of 80: 7.5 and 2.5 kW, of them an eighth of 24 liquid-cooled; three quarters go to the one that wants 30.
    assert w.operators.site_power.tolist() == pytest.approx([92.5, 47.5, 8.0, 17.5, 22.5])
    assert w.operators.liquid_power.tolist() == pytest.approx([27.0, 5.0, 4.0, 2 + 2.25, 1 + 0.75])
    assert w.operators.wanted.tolist() == pytest.approx([0.0, 0.0, 0.0, 22.5, 7.5])
    assert w.operators.used_power.tolist() == [40.0, 30.0, 1.0, 10.0, 20.0]
    assert w.operators.building.tolist() == [3.0] * 5


@pytest.mark.parametrize("months", [1.0, 8.0])
def test_power_that_is_let_again_is_neither_made_nor_lost(months):
    w = halls(months=months)
    power, liquid = w.operators.site_power.sum(), w.operators.liquid_power.sum()
    for _ in range(5):
        relet_sites(w, w.clock[0])
    assert w.operators.site_power.sum() == pytest.approx(power)
    assert w.operators.liquid_power.sum() == pytest.approx(liquid)
    assert (w.operators.liquid_power <= w.operators.site_power + 1e-9).all()


def test_no_more_is_let_than_is_wanted():
    w = halls(months=1.0)
    relet_sites(w, w.clock[0])
    assert w.operators.wanted.tolist() == pytest.approx([0.0] * 5)
    # 40 of 80 kW: half of what each has free, half of the 24 with cooling.
    assert w.operators.site_power.tolist() == pytest.approx([70.0, 40.0, 8.0, 40.0, 30.0])
    assert w.operators.liquid_power.tolist() == pytest.approx([18.0, 5.0, 4.0, 2 + 9.0, 1 + 3.0])


def test_cooling_that_goes_along_is_no_more_than_the_power():
    # All of the first one's power is cooled and air-cooled chips use 40 kW of it.
    w = halls(change={0: {"liquid_power": 100.0, "used_liquid": 0.0}})
    relet_sites(w, w.clock[0])
    assert (w.operators[0].site_power, w.operators[0].liquid_power) == (pytest.approx(92.5), pytest.approx(92.5))
    assert w.operators.liquid_power[3:].tolist() == pytest.approx([2 + 0.75 * 7.5, 1 + 0.25 * 7.5])


@pytest.mark.parametrize(
    "change",
    [
        {0: {"used_power": 100.0}, 1: {"used_power": 60.0}},  # nothing is free; more in use than there is
        {3: {"wanted": 0.0}, 4: {"wanted": 0.0}},  # nobody wants any
        {0: {"status": OperatorStatus.HEALTHY}, 1: {"status": OperatorStatus.STRESSED}},  # nobody fell
        {0: {"used_power": 100.0}, 1: {"used_power": 50.0 - 1e-7}},  # next to nothing
        {3: {"wanted": 1e-7}, 4: {"wanted": 0.0}},
        {0: {"used_power": 100.0}, 1: {"site_power": 1e-6, "used_power": 0.0}},
        {3: {"wanted": 1e-6}, 4: {"wanted": 0.0}},
    ],
)
def test_without_free_power_or_takers_nothing_is_let(change):
    w = halls(change=change)
    before = w.operators.copy()
    relet_sites(w, w.clock[0])
    assert w.operators.tolist() == before.tolist()


def test_a_site_that_is_overfull_gives_nothing_and_takes_nothing_from_the_others():
    w = halls(change={1: {"used_power": 70.0, "used_liquid": 9.0}})
    relet_sites(w, w.clock[0])
    assert w.operators.site_power.tolist() == pytest.approx([92.5, 50.0, 8.0, 10 + 0.75 * 7.5, 20 + 0.25 * 7.5])
    assert w.operators[1].liquid_power == 5.0


def test_what_the_fallen_wanted_counts_no_more():
    w = halls(change={1: {"wanted": 1000.0}})
    relet_sites(w, w.clock[0])
    assert w.operators.wanted.tolist() == pytest.approx([0.0, 1000.0, 0.0, 22.5, 7.5])


# --- what is begun -----------------------------------------------------------------------------------------------
def builder(*, terms: dict[str, float] | None = None, **columns: float):
    """Return operator 1 with 200 kW that would fill 30 more; at a q of 1.5 it begins 5 % of its sites; a kW costs 10 USD.

    Of its 1,000 USD 3 x 20 are its reserve and 100 are committed.
    """
    w = small_world(
        operators=2,
        terms={"sites_speed": 0.1, "sites_growth_limit": 0.08, "sites_cost": 10.0, "credit_cash_reserve": 3.0}
        | (terms or {}),
    )
    w.book[:] = BEFORE
    op = put(w.operators[1], site_power=200.0, wanted=30.0, q=1.5, building=4.0)
    return w, put(op, **{"cash": 1000.0, "overheads": 20.0, "committed": 100.0} | columns)


@pytest.mark.parametrize(
    ("columns", "terms", "begun"),
    [
        ({}, {}, 10.0),  # 0.1 x 0.5 of 200 kW
        ({"q": 1.2}, {}, 4.0),
        ({"q": 5.0}, {}, 16.0),  # at most 0.08 of them
        ({"wanted": 6.0}, {}, 6.0),
        ({"wanted": 1e-7}, {}, 0.0),
        ({"wanted": 1e-6}, {}, 0.0),
        ({"q": 1.0}, {}, 0.0),  # new chips are worth what they cost
        ({"q": 0.5}, {}, 0.0),
        ({"cash": 200.0}, {}, 4.0),  # 200 - 60 - 100 = 40
        ({"cash": 150.0}, {}, 0.0),
        ({"cash": 40.0}, {}, 0.0),
        ({"status": OperatorStatus.STRESSED}, {}, 0.0),
        ({"status": FALLEN}, {}, 0.0),
        ({}, {"sites_growth_limit": 0.0}, 0.0),
        ({}, {"sites_speed": 0.0}, 0.0),
        ({"cash": 0.0}, {"sites_cost": 0.0}, 10.0),  # for nothing
        ({"cash": 160.4}, {"sites_cost": 0.5}, 0.8),
    ],
)
def test_sound_operators_begin_what_they_want_by_tobins_q_as_far_as_cash_goes(columns, terms, begun):
    w, op = builder(terms=terms, **columns)
    cash, wanted = op.cash, op.wanted
    with paid_in_full(w):
        begin_sites(w, w.clock[0])
    usd = begun * w.terms[0].sites_cost
    assert (op.building, op.wanted, op.cash) == pytest.approx((4.0 + begun, wanted - begun, cash - usd))
    assert op.site_power == 200.0  # it is not there yet
    assert booked(w) == pytest.approx({Flow.SITES: usd} if usd else {})
    assert w.operators[0].building == 0.0


def test_one_that_builds_nothing_does_not_keep_the_next_from_it():
    w, op = builder()
    for columns in ({"status": FALLEN}, {"q": 1.0}):
        put(w.operators[0], **{"site_power": 100.0, "wanted": 5.0, "q": 2.0} | columns)
        before = op.building
        begin_sites(w, w.clock[0])
        assert (op.building, w.operators[0].building) == (pytest.approx(before + 10.0), 0.0)
