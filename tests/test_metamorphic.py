"""What must not matter in a whole run: the currency, the unit of performance, the order of rows, what nobody can use.

Nothing is worked out here: the same scenario is written down in another way and must come to the same end, event by event.
What is scaled follows from declared units. One sum is absolute on purpose, in whatever currency: what is less than a dollar is
nothing (claims, calls, bidders' money, what is left of an estate). Where that decides, two currencies part by cents, and after years of
a deep cascade by more: the hardest worlds are therefore compared over two years.

What is no symmetry of the model, by choice (docs/odd.md, "Decisions and departures"):

- Agents take turns. Operators order one after another, in the order of rows, and who comes first has the lender's room and the place
  in the vendor's queue; lenders draw on the lines of a bank one after another; the turn of an operator or an owner is its row
  modulo an interval. Where nothing is short and everybody has a turn every month, no order of rows changes a thing.
- Ties. Of several lots of one generation that a lender asks one price for, that in the lowest row goes first, and so its loan
  is paid first: from the first seizure on two orders may part.
- What the book would pay for all collateral is counted newest generation first, in the order of rows.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from agents.buyers.bids import _NO_PARITY
from agents.tables.events import EventKind
from simulation import load_scenario
from simulation.month import HORIZON, advance
from simulation.runs import play, raise_fault
from simulation.scenario.config import set_path
from simulation.scenario.declare import said
from simulation.scenario.scenario import Scenario
from simulation.scenario.walking import declared
from simulation.world.build import build_world
from simulation.world.world import World
from tests.conftest import BASE, LESSONS, ROOT
from tests.reworld import FILES, Order, money, nodes_of, performance, readings, reordered, scaled, shuffled

MARKED = load_scenario(ROOT / "configs" / "scenarios" / "marked_to_market.yaml")
#: Stress from the first year on, thin capital, a block, every policy in use: much happens, and much that is rare.
HARD = {
    "run.months": 22,     "drivers.regimes.first_month": 8, "drivers.regimes.entry": 0.3, "lenders.capital_scale": 0.5, "drivers.block.units": 2e4,
    "drivers.block.month": 12, "policy.backstop.capacity": 2e8, "policy.insurance.coverage": 0.4, "vendor.capacity": 1e9, "vendor.first": 6,
    "policy.disclosure": 0.3, "policy.ltv_slope": 0.5, "policy.pacing": 0.5, "policy.ltv_growth": 0.1, "buyers.convertible_share": 0.2, "miners.pledge": 0.8,
}  # fmt: skip
#: (scenario, seed): of those of the base and of the other reading one with a deep cascade each.
WORLDS = {
    "base": (BASE, (1, 3, 6)),
    "marked": (MARKED, (1, 6)),
    "hard": (set_path(BASE, HARD), (1, 2)),
    "hard and marked": (set_path(MARKED, HARD | {"credit.delivery_lag": 8}), (6,)),
    "exchange": (set_path(BASE, HARD | {"market.venue": "exchange", "drivers.coin.path": "bootstrap"}), (4,)),
    "demand curve": (set_path(BASE, HARD | {"market.venue": "inverse_demand", "drivers.coin.path": "regime"}), (5,)),
    "files": (load_scenario(LESSONS / "margin_spiral.yaml"), (1,)),
    "notes": (load_scenario(LESSONS / "double_leverage.yaml"), (1,)),
}
CASES = [(name, seed) for name, (_, seeds) in WORLDS.items() for seed in seeds]
#: Equal up to this: a power of two moves no bit, but a cent counts or not, by what it is of a dollar.
ROUNDING = 1e-9


@cache
def plain(name: str, seed: int) -> World:
    return play(WORLDS[name][0], seed)


def differences(one: World, other: World, factor=lambda unit: 1.0, without: tuple[str, ...] = ()) -> list[str]:
    """Return what differs between two runs beyond rounding, ``other`` brought to the units of ``one``."""
    found = []
    for a, b in zip(readings(one), readings(other), strict=True):
        if a.name in without:
            continue
        if len(a.values) != len(b.values):
            found.append(f"{a.name}: {len(a.values)} rows and {len(b.values)}")
            continue
        x, y = a.values.astype(float), b.values / factor(a.unit)
        if a.name.endswith(".parity"):
            # Without a generation on sale parity is no price but a mark.
            x, y = np.where(a.values == _NO_PARITY, np.inf, x), np.where(b.values == _NO_PARITY, np.inf, y)
        with np.errstate(invalid="ignore"):
            gap = np.where(x == y, 0.0, np.abs(x - y))
        near = gap <= ROUNDING * np.maximum(np.abs(x), np.abs(y)) + (0.0 if a.values.dtype.kind == "i" else 1e-12)
        wrong = ~(near | (np.isnan(x) & np.isnan(y)))
        if wrong.any():
            row = int(wrong.argmax())
            found.append(f"{a.name}: {wrong.sum()} of {len(x)}, row {row} {x[row]:.12g} and {y[row]:.12g}")
    return found


#: Of a month's rounding nothing is left to compare; nor of the size of a violation that did not happen.
NOISE = ("panel.residual", "summary.residual", "clock.fault_usd")


def test_these_are_worlds_in_which_something_happens():
    events = np.concatenate([plain(*case).events.kind[: plain(*case).clock[0].events] for case in CASES])
    # A margin call is met or waived in the month; that one is cured by a later price is rare.
    assert set(np.unique(events)) >= set(EventKind) - {EventKind.CURED}
    assert all(plain(*case).clock[0].trades for case in CASES)
    for flow in ("insurance_premium", "insurance_claim", "vendor_backstop", "receivership", "line_cleared"):
        assert any(r.values.any() for case in CASES for r in readings(plain(*case)) if r.name == f"flows.{flow}"), flow


def test_every_file_is_of_a_table_or_has_no_units():
    assert set(FILES) == {path for path, _, field in declared() if said(field, "unit") == "path"}


@pytest.mark.parametrize("k", [2.0**10, 2.0**-3])
@pytest.mark.parametrize(("name", "seed"), CASES)
def test_another_currency_changes_nothing_real(name, seed, k, tmp_path):
    other = play(scaled(WORLDS[name][0], money(k), tmp_path), seed)
    assert not differences(plain(name, seed), other, money(k), NOISE)


@pytest.mark.parametrize(("name", "seed"), CASES)
def test_another_unit_of_performance_changes_nothing(name, seed, tmp_path):
    scenario = WORLDS[name][0]
    reference = scenario.chips[int(plain(name, seed).chips.reference.argmax())].name
    other = play(set_path(scaled(scenario, performance(8.0), tmp_path), {"marks.reference_chip": reference}), seed)
    assert not differences(plain(name, seed), other, performance(8.0))


# --- the order of rows ---------------------------------------------------------------------------------------------------

#: Everybody has its turn every month.
EVERY_MONTH = {"credit.order_interval": 1, "notes.interval": 1, "market.churn_interval": 1}
#: Nothing is short where turns are taken: lenders' room and cash, the vendor's units. Nobody lends on coins: of two coin
#: lenders that in the last row does.
PLENTY = (
    EVERY_MONTH
    | {"lenders.capital_scale": 1e4, "lenders.name_limit": 1e6, "miners.pledge": 0.0}
    | {f"chips.{chip.name}.supply": 0.0 for chip in BASE.chips}
)
#: What the book would pay for collateral goes by the order of generations.
NEWEST_FIRST = ("executable_value", "executable_ltv", "illusion", "largest_executable_ltv")
#: (rows in another order, scenario, changes, columns of the panel left out).
ORDERS: tuple[tuple[str, Scenario, dict[str, Any], tuple[str, ...]], ...] = (
    ("chips", BASE, {}, NEWEST_FIRST),
    ("chips", MARKED, {}, NEWEST_FIRST),
    ("buyers", BASE, EVERY_MONTH, ()),
    ("buyers", MARKED, EVERY_MONTH, ()),
    ("lenders", BASE, PLENTY, ()),
    ("operators", BASE, PLENTY, ()),
    ("lenders operators buyers chips", BASE, PLENTY, NEWEST_FIRST),
)
SEEDS = range(1, 7)
#: Before the first tie so many months pass at least; and ties are rare: so many of the runs agree to the end.
BEFORE_TIES, TO_THE_END = 5, 3


def played(scenario: Scenario, seed: int, which: str = "") -> tuple[World, Order]:
    """Return a run whose rows are shuffled, and their order."""
    world = build_world(scenario, seed)
    order = shuffled(world, which, seed)
    world = reordered(world, order)
    advance(world, HORIZON)
    raise_fault(world)
    return world, order


def named_events(world: World, order: Order, months: int) -> np.ndarray:
    """Return what happened before a month, by old names: month, round, kind, cause, who, to whom, generation, units, USD; sorted."""
    events = world.events[: world.clock[0].events]
    events = events[events.month < months]
    node = np.append(nodes_of(world, order), -1)
    chip = np.append(order.chips, -1)
    rows = np.array([
        events.month, events.turn, events.kind, events.cause, node[events.node], node[events.other], chip[events.chip], events.units,
        events.usd,
    ])  # fmt: skip
    return rows[:, np.lexsort(rows[::-1].round(3))].T


def before_ties(world: World) -> int:
    """Return the months of a run before anything was seized or offered by force and not sold, all if nothing was."""
    events = world.events[: world.clock[0].events]
    seized = events.month[events.kind == EventKind.SEIZURE]
    unsold = np.flatnonzero(world.panel.unsold_units > 0.0)
    return min([len(world.panel), *seized[:1], *unsold[:1]])


def parted(one: World, other: World, new: Order, without: tuple[str, ...]) -> int:
    """Return the first month in which two runs differ in the panel or in a generation's market; the horizon if in none."""
    months = len(one.panel)
    chips = [w.chip_panel.reshape(months, -1) for w in (one, other)]
    pairs = [(one.panel[c], other.panel[c]) for c in one.panel.dtype.names if c not in ("residual", *without)]
    pairs += [
        (chips[0][c][:, new.chips], chips[1][c])
        for c in ("price", "appraisal", "best_bid", "traded", "stock", "fundamental", "depth_usd")
    ]
    return min(
        int(np.append(~np.isclose(y, x, rtol=1e-7, atol=1e-6).reshape(months, -1).all(axis=1), True).argmax())
        for x, y in pairs
    )


@pytest.mark.parametrize(("which", "scenario", "changes", "without"), ORDERS)
def test_the_order_of_rows_changes_nothing_but_ties(which, scenario, changes, without):
    scenario = set_path(scenario, changes)
    ends = 0
    for seed in SEEDS:
        (one, order), (other, new) = played(scenario, seed), played(scenario, seed, which)
        assert any((x != y).any() for x, y in zip(order, new, strict=True))
        months = before_ties(one)
        assert months >= BEFORE_TIES
        alike = parted(one, other, new, without)
        assert alike >= months, f"seed {seed}"
        assert named_events(other, new, months) == pytest.approx(named_events(one, order, months), rel=1e-6, abs=1e-3)
        ends += alike == len(one.panel)
    assert ends >= TO_THE_END


def test_where_room_is_short_who_comes_first_is_served_first():
    # The other half of the claim above: were this to fail, turns would be no choice any more but gone.
    (one, _), (other, new) = played(set_path(BASE, EVERY_MONTH), 1), played(set_path(BASE, EVERY_MONTH), 1, "operators")
    assert parted(one, other, new, ()) < before_ties(one)


# --- what nobody can use -------------------------------------------------------------------------------------------------

USELESS = {
    "after the horizon": {"release": 999, "list_price": 6e4, "performance": 9.0, "power": 3.0},
    "eats more than it earns": {"release": 6, "list_price": 4e4, "performance": 1.0, "power": 1e5},
    "earns nothing": {"release": 20, "list_price": 9e6, "performance": 1e-3, "power": 1.0, "liquid": True},
    "older than all others": {"release": 1, "end_of_sale": 2, "list_price": 1e9, "performance": 1.0, "power": 2.0},
}


@pytest.mark.parametrize("chip", USELESS)
@pytest.mark.parametrize(("name", "seed"), [("base", 1), ("marked", 6), ("hard", 2)])
def test_a_generation_that_nobody_can_use_changes_nothing(name, seed, chip):
    scenario = WORLDS[name][0]
    chips = [c.model_dump() for c in scenario.chips]
    other = play(set_path(scenario, {"chips": [*chips, {"name": "Useless"} | USELESS[chip]]}), seed)
    one = plain(name, seed)
    own = [c.name == "Useless" for c in sorted([*scenario.chips, *_made(USELESS[chip])], key=lambda c: c.release)]
    kept = np.flatnonzero(~np.array(own))
    assert not other.chips.stock[own].any()
    assert not other.chips.traded_units[own].any()
    for column in one.panel.dtype.names:
        assert other.panel[column] == pytest.approx(one.panel[column], rel=1e-12, abs=1e-9, nan_ok=True), column
    by_chip = other.chip_panel.reshape(len(other.panel), -1)[:, kept]
    for column in ("price", "appraisal", "best_bid", "traded", "stock", "depth_usd"):
        assert (by_chip[column] == one.chip_panel.reshape(len(one.panel), -1)[column]).all(), column
    assert other.clock[0].events == one.clock[0].events
    assert (other.events.usd == one.events.usd).all()


def _made(traits: dict[str, Any]) -> list[Any]:
    from simulation.scenario.drivers import Chip

    return [Chip(name="Useless", **traits)]


# --- a policy without capacity -------------------------------------------------------------------------------------------

#: Everything about a policy but its capacity.
WITHOUT_CAPACITY: dict[str, dict[str, Any]] = {
    "backstop": {"policy.backstop.capacity": 0.0, "policy.backstop.trigger": 0.0, "policy.backstop.price": 3.0},
    "insurance": {"policy.insurance.capacity": 0.0, "policy.insurance.coverage": 1.0, "policy.insurance.premium": 0.5},
    "vendor": {"vendor.capacity": 0.0, "vendor.share": 1.0, "vendor.price": 3.0, "vendor.first": 0, "vendor.last": 500},
    "block": {
        "drivers.block.units": 0.0,
        "drivers.block.month": 3,
        "drivers.block.days": 1,
        "drivers.block.chip": "A100",
    },
    "all": {"policy.ltv_growth": 0.0, "policy.insurance.premium": 0.5},
}


@pytest.mark.parametrize("policy", WITHOUT_CAPACITY)
@pytest.mark.parametrize(("name", "seed"), [("base", 1), ("marked", 6)])
def test_a_policy_without_capacity_is_no_policy(name, seed, policy):
    changes = dict(WITHOUT_CAPACITY[policy])
    if policy == "all":
        for other in WITHOUT_CAPACITY.values():
            changes |= other
    other = play(set_path(WORLDS[name][0], changes), seed)
    assert not differences(plain(name, seed), other)


@pytest.mark.parametrize("policy", ["backstop", "insurance", "vendor", "block"])
def test_the_same_policy_with_capacity_is_one(policy):
    size = next(path for path in WITHOUT_CAPACITY[policy] if path.endswith(("capacity", "units")))
    other = play(set_path(MARKED, WITHOUT_CAPACITY[policy] | {size: 1e9 if "capacity" in size else 1e4}), 6)
    assert differences(plain("marked", 6), other)
