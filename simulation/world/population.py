"""The agents at the start: drawn from the scenario's ranges by named streams, or read from the user's files."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from agents.schema import Rows, copied, words
from agents.tables.buyers import BUYER, BUYER_KINDS, BuyerKind
from agents.tables.chips import CHIP
from agents.tables.customers import CUSTOMER, CUSTOMER_KINDS
from agents.tables.lenders import LENDER, LENDER_KINDS, LenderKind
from agents.tables.operators import OPERATOR, OperatorKind
from simulation.scenario.agents import Miners, Neoclouds
from simulation.scenario.faults import ConfigError
from simulation.scenario.kept import kept
from simulation.scenario.scenario import Scenario
from simulation.world.inputs.inputs import read_inputs
from simulation.world.inputs.table import TableRead
from simulation.world.streams import stream

_DRAWS = 16


def chip_table(scenario: Scenario) -> Rows:
    """Return the generations; used prices open at list price less 2 % a month since release."""
    return copied(_chips(scenario)).view(Rows)


def reference_chip(scenario: Scenario) -> int:
    """Return the generation that summaries and figures follow: the one named, else the one nearest to an H100."""
    names = [chip.name for chip in scenario.chips]
    if scenario.marks.reference_chip:
        return names.index(scenario.marks.reference_chip)
    return int(np.argmin([abs(math.log(chip.performance)) for chip in scenario.chips]))


@kept
def _chips(scenario: Scenario) -> np.ndarray:
    chips = CHIP.plain(len(scenario.chips))
    for name in ("release", "end_of_sale", "liquid", "list_price", "performance", "power", "supply"):
        chips[name] = [getattr(spec, name) for spec in scenario.chips]
    chips["lead"] = scenario.credit.delivery_lag
    chips["scrap"] = [spec.scrap * spec.list_price for spec in scenario.chips]
    price = chips["list_price"] * np.exp(-scenario.marks.opening_decay * np.maximum(0, -chips["release"]))
    chips["reference"][reference_chip(scenario)] = 1
    for column in ("price", "appraisal", "appraisal_open", "price_before"):
        chips[column] = price
    return chips


def lender_kinds(scenario: Scenario) -> list[tuple[str, Any]]:
    """Return (kind, traits) of every lender but the outside investors, in the order of the rows."""
    kinds = [(kind, getattr(scenario.lenders, kind)) for kind in LENDER_KINDS[: LenderKind.OUTSIDE]]
    return _rows_of(read_inputs(scenario).lenders, kinds)


def _rows_of(table: TableRead | None, kinds: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Return (kind, traits) of every row: as many of each kind as counted, or those of a user's table.

    Rows of a table that does not say their kind have those that are counted, in turn.
    """
    counted = [row for row in kinds for _ in range(row[1].count)]
    if table is None:
        return counted
    if "kind" in table:
        return [kinds[code] for code in table.columns["kind"].tolist()]
    if not counted:
        raise ConfigError([table.fault(-1, "kind", "column 'kind' is missing: the scenario counts no kind of its own")])
    return [counted[row % len(counted)] for row in range(len(table))]


def _take(rows: np.ndarray, table: TableRead | None, *left_out: str) -> None:
    """Write the columns of a user's table into the rows, but those left out."""
    for name, values in (table.columns if table is not None else {}).items():
        if name not in left_out:
            rows[name] = values


class _Template(NamedTuple):
    """A table as far as no draw decides it, and what the draws are applied to: one array a trait, one entry a row."""

    table: np.ndarray
    traits: dict[str, np.ndarray]


#: What stands for a trait, or a range of one, that a kind does not have.
_NO_TRAIT = (0.0, (0.0, 0.0))


def _traits(rows: list[tuple[str, Any]], *names: str, ranges: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Return the named traits of each row, 0 where its kind has none; of ``ranges`` the low ends and the high ends."""
    found = {
        name: np.array([getattr(traits, name, _NO_TRAIT[name in ranges]) for _, traits in rows])
        for name in (*names, *ranges)
    }
    return found | {name: found[name].reshape(-1, 2).T for name in ranges}


@kept
def _lenders(scenario: Scenario) -> _Template:
    s = scenario.lenders
    rows = lender_kinds(scenario)
    table = LENDER.plain(len(rows) + 1)
    own, out = table[:-1], table[-1:]
    own["kind"] = [LENDER_KINDS.index(kind) for kind, _ in rows]
    for name in ("max_ltv", "min_dscr", "spread", "capital_target", "capital_minimum", "run_speed", "mark_to_market"):
        own[name] = [getattr(traits, name) for _, traits in rows]
    traits = _traits(rows, "life", "rationing", "capital", "runnable", ranges=("patience",))
    own["runnable"] = np.minimum(1.0, traits["runnable"] * s.runnable_scale)
    own["name_limit"] = s.name_limit
    for name in ("max_ltv", "life", "mark_to_market"):
        if getattr(s, name) is not None:
            own[name] = getattr(s, name)
    outside = {
        "kind": LenderKind.OUTSIDE, "life": 60.0, "mark_to_market": 1.0, "patience": 0.3, "capital_target": 1.0,
        "capital_ratio": 1.0, "max_ltv": 0.5, "advance_rate": 0.5,
    }  # fmt: skip
    for name, value in outside.items():
        out[name] = value
    return _Template(table, traits)


def lender_table(scenario: Scenario, seed: int, replication: int) -> Rows:
    """Return the lenders and, last, the outside investors. Books are empty: cash covers deposits and equity."""
    s = scenario.lenders
    template, traits = _lenders(scenario)
    lenders = copied(template)
    own = lenders[:-1]
    u = stream(seed, replication, "lenders").random((len(own), _DRAWS))
    vary = 1.0 + s.variation * (2.0 * u - 1.0)
    if s.life is None:
        own["life"] = traits["life"] * vary[:, 0]
    own["rationing"] = traits["rationing"] * vary[:, 1]
    own["equity"] = traits["capital"] * vary[:, 2] * s.capital_scale
    own["patience"] = _between(traits["patience"], u[:, 3])
    _fund_lenders(scenario, own, read_inputs(scenario).lenders)
    own["advance_rate"] = own["max_ltv"]
    return lenders.view(Rows)


def _fund_lenders(scenario: Scenario, own: np.ndarray, table: TableRead | None) -> None:
    """Write what a user's table gives, and the opening balance sheet: cash is equity and deposits, nothing is lent.

    Where the table gives no two of the three, equity has three times its target over cash. The scales hold for a
    table's amounts as well: those that it lacks were scaled when they were drawn.
    """
    scale = scenario.lenders.capital_scale
    _take(own, table, "kind")
    own["capital_ratio"] = np.minimum(1.0, 3.0 * own["capital_target"])
    given = table.columns if table is not None else {}
    if "equity" in given:
        own["equity"] *= scale
    if "cash" in given:
        own["cash"] *= scale
        if "equity" not in given:
            own["equity"] = own["cash"] - own["deposits"] * scale
    elif "deposits" in given:
        own["cash"] = own["equity"] + own["deposits"] * scale
    else:
        own["cash"] = own["equity"] / np.maximum(own["capital_ratio"], 1e-9)
    if "runnable" in given:
        own["runnable"] = np.minimum(1.0, own["runnable"] * scenario.lenders.runnable_scale)
    own["deposits"] = own["cash"] - own["equity"]


def _between(bounds: np.ndarray | tuple[float, float], u: np.ndarray) -> np.ndarray:
    low, high = bounds
    return low + u * (high - low)


#: Traits of operators that are drawn from a range, in the order of the draws; those of miners follow.
_DRAWN = (
    "cash", "power", "liquid_share", "hosting", "utilisation", "hurdle", "decline", "own_weight", "contract_share",
    "fleet_share", "btc", "eth", "hashrate", "efficiency", "power_price",
)  # fmt: skip


_OF_MINERS = _DRAWN[10:]


_LOGARITHMIC = ("power", "btc", "hashrate")


@kept
def _ranges(traits: Neoclouds | Miners) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """Return (low, width) of the drawn traits and which are drawn in logarithms (not those that begin at zero)."""
    ends = np.array([getattr(traits, name) for name in _DRAWN if hasattr(traits, name)])
    low, width = ends[:, 0].copy(), ends[:, 1] - ends[:, 0]
    logs = [k for k, name in enumerate(_DRAWN[: len(ends)]) if name in _LOGARITHMIC and low[k] > 0]
    for k in logs:
        low[k], width[k] = np.log(ends[k, 0]), np.log(ends[k, 1] / ends[k, 0])
    return low, width, logs


def _operators(
    kind: int, traits: Neoclouds | Miners, given: TableRead | None, generator: np.random.Generator
) -> np.ndarray:
    """Return the operators of a kind, as many as the scenario counts or a user's table gives: its columns stand for draws."""
    low, width, logs = _ranges(traits)
    u = generator.random((traits.count if given is None else len(given), _DRAWS))
    drawn = low + u[:, : len(low)] * width
    drawn[:, logs] = np.exp(drawn[:, logs])
    x = dict(zip(_DRAWN, drawn.T, strict=False))
    if given is not None and "site_power" in given:
        # What is drawn as a share of the site's power is a share of this.
        x["power"] = given.columns["site_power"]
    table = OPERATOR.plain(len(u))
    table["kind"] = kind
    table["site_power"] = x["power"]
    table["liquid_power"] = x["power"] * x["liquid_share"]
    for name in ("cash", "hosting", "utilisation", "hurdle", "decline", "own_weight", "contract_share"):
        table[name] = x[name]
    # Until the fleet is laid out, used_power holds what the GPUs will draw.
    table["used_power"] = x["power"] * x["fleet_share"]
    table["dscr"] = 99.0
    if kind == OperatorKind.MINER:
        for name in _OF_MINERS:
            table[name] = x[name]
    return table


def operator_table(scenario: Scenario, seed: int, replication: int) -> Rows:
    """Return neoclouds, then miners; ``used_power`` says how much power their GPUs will draw (see fleet)."""
    n, m, inputs = scenario.neoclouds, scenario.miners, read_inputs(scenario)
    clouds = _operators(OperatorKind.NEOCLOUD, n, inputs.neoclouds, stream(seed, replication, "neoclouds"))
    clouds["overheads"] = n.overheads * clouds["site_power"]
    if len(clouds):
        # The largest tenth, by power.
        least = np.sort(clouds["site_power"])[math.ceil(0.9 * (len(clouds) - 1))]
        clouds["contract_share"][clouds["site_power"] >= least] = n.flagship_share
    _take(clouds, inputs.neoclouds, "kind")
    miners = _operators(OperatorKind.MINER, m, inputs.miners, stream(seed, replication, "miners"))
    _take(miners, inputs.miners, "kind")
    if inputs.miners is None or "rig_value" not in inputs.miners:
        miners["rig_value"] = miners["hashrate"] * m.rig_price
    both = np.concatenate([words(clouds), words(miners)])
    return both.reshape(-1).view(clouds.dtype).view(Rows)


#: An age that no chip reaches (months).
_ANY_AGE = 1e9
#: How a buyer would use a unit: drawn from ranges, in the order of the draws.
_USE = ("hosting", "utilisation", "hurdle", "decline")


@kept
def _buyers(scenario: Scenario) -> _Template:
    s, marks = scenario.buyers, scenario.marks
    kinds = [(kind, getattr(s, kind)) for kind in BUYER_KINDS[: BuyerKind.BACKSTOP]]
    rows = _rows_of(read_inputs(scenario).buyers, kinds)
    table = BUYER.plain(len(rows) + 1)
    own, last = table[:-1], table[-1:]
    own["kind"] = [BUYER_KINDS.index(kind) for kind, _ in rows]
    own["lot_limit"] = [traits.lot_limit for _, traits in rows]
    own["least_units"] = [getattr(traits, "least_units", 0.0) for _, traits in rows]
    own["oldest"] = [getattr(traits, "oldest", _ANY_AGE) for _, traits in rows]
    own["refill"], own["conversion"], own["half_spread"] = s.refill, s.conversion, s.dealer_half_spread
    own["refill"][own["kind"] == BuyerKind.FUND] = 0.0
    last["kind"] = BuyerKind.BACKSTOP
    last["budget"] = last["budget_cap"] = scenario.policy.backstop.capacity
    for name in ("power", "power_cap", "liquid", "liquid_cap"):
        last[name] = 1e12
    for name in _USE:
        last[name] = getattr(marks, f"reference_{name}")
    last["own_weight"], last["lot_limit"] = marks.reference_weight, 1.0
    return _Template(table, _traits(rows, "budget", "power", "liquid_share", ranges=_USE))


def buyer_table(scenario: Scenario, seed: int, replication: int) -> Rows:
    """Return the hardware buyers and, last, the backstop (a user like the best one, with the policy's capacity)."""
    s = scenario.buyers
    template, traits = _buyers(scenario)
    buyers = copied(template)
    own = buyers[:-1]
    generator = stream(seed, replication, "buyers")
    u, z = generator.random((len(own), _DRAWS)), generator.standard_normal((len(own), 2))
    # Log-normal around the mean of the kind. The scales hold for every buyer, drawn or given.
    scatter = np.exp(0.6 * z - 0.18)
    table = read_inputs(scenario).buyers
    given = table.columns if table is not None else {}
    own["budget_cap"] = given.get("budget_cap", traits["budget"] * scatter[:, 0]) * s.budget_scale
    own["power_cap"] = given.get("power_cap", traits["power"] * scatter[:, 1]) * s.power_scale
    own["liquid_cap"] = own["power_cap"] * traits["liquid_share"]
    if "liquid_cap" in given:
        own["liquid_cap"] = given["liquid_cap"] * s.power_scale
    for k, name in enumerate(_USE):
        own[name] = _between(traits[name], u[:, k])
    own["own_weight"] = _between(s.own_weight, u[:, 4])
    _take(own, table, "kind", "budget_cap", "power_cap", "liquid_cap")
    own["utilisation"][(own["kind"] == BuyerKind.DEALER) | (own["kind"] == BuyerKind.SCRAP)] = 0.0
    own["budget"], own["power"], own["liquid"] = own["budget_cap"], own["power_cap"], own["liquid_cap"]
    return buyers.view(Rows)


@kept
def _customers(scenario: Scenario) -> np.ndarray:
    rows = [(kind, getattr(scenario.customers, kind)) for kind in CUSTOMER_KINDS]
    rows = [(kind, traits) for kind, traits in rows for _ in range(traits.count)]
    table = CUSTOMER.plain(len(rows))
    table["kind"] = [CUSTOMER_KINDS.index(kind) for kind, _ in rows]
    for name in ("renewal", "renegotiation", "hazard_calm", "hazard_stress"):
        table[name] = [getattr(traits, name) for _, traits in rows]
    weight = np.array([traits.weight / traits.count for _, traits in rows])
    table["share"] = weight / weight.sum() if weight.any() else 0.0
    return table


def customer_table(scenario: Scenario, seed: int, replication: int) -> Rows:
    """Return the customers, with the draw at which each fails."""
    customers = copied(_customers(scenario))
    customers["threshold"] = stream(seed, replication, "customers").random(len(customers))
    return customers.view(Rows)


def meet_customers(operators: Rows, customers: Rows, seed: int, replication: int) -> None:
    """Draw each operator's main and second customer by the customers' weights, unless a file gave them."""
    rows, share = operators.view(np.ndarray), customers.view(np.ndarray)["share"]
    draws = stream(seed, replication, "offtake").random((len(rows), 2))
    for k, (name, other) in enumerate((("customer", "second"), ("second", "customer"))):
        rows[name] = np.where(rows[name] < 0, _by_weight(share, rows[other], draws[:, k]), rows[name])


def _by_weight(share: np.ndarray, taken: np.ndarray, u: np.ndarray) -> np.ndarray:
    """Return a customer for each draw in [0, 1), by weight and never the one taken (-1: none is); -1 if there is none."""
    weight = np.tile(share, (len(u), 1))
    weight[taken >= 0, taken[taken >= 0]] = 0.0
    upto = weight.cumsum(axis=1)
    total = weight.sum(axis=1)
    found = (upto <= (u * total)[:, None]).sum(axis=1)
    return np.where(total > 0.0, np.minimum(found, len(share) - 1), -1)
