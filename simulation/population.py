"""The agents at the start: drawn from the scenario's ranges by named streams, or read from the user's files."""

from __future__ import annotations

import numpy as np

from agents.buyers import BACKSTOP, BUYER, BUYER_KINDS
from agents.chips import CHIP
from agents.lenders import LENDER, LENDER_KINDS, OUTSIDE
from agents.operators import MINER, NEOCLOUD, OPERATOR
from agents.schema import Table
from simulation.scenario import Miners, Neoclouds, Scenario
from simulation.streams import stream

_DRAWS = 16


def chip_table(scenario: Scenario) -> np.recarray:
    """Return the generations; used prices open at list price less 2 % a month since release."""
    chips = CHIP.empty(len(scenario.chips))
    for chip, spec in zip(chips, scenario.chips, strict=True):
        chip.release, chip.end_of_sale, chip.liquid = spec.release, spec.end_of_sale, int(spec.liquid)
        chip.list_price, chip.performance, chip.power = spec.list_price, spec.performance, spec.power
        chip.scrap = spec.scrap * spec.list_price
    price = chips.list_price * np.exp(-0.02 * np.maximum(0, -chips.release))
    for column in ("price", "appraisal", "appraisal_open", "price_before"):
        chips[column] = price
    return chips


def lender_kinds(scenario: Scenario) -> list[tuple[str, object]]:
    """Return (kind, traits) of every lender but the outside investors, in the order of the rows."""
    kinds = [(kind, getattr(scenario.lenders, kind)) for kind in LENDER_KINDS[:OUTSIDE]]
    return [(kind, traits) for kind, traits in kinds for _ in range(traits.count)]


def lender_table(scenario: Scenario, seed: int, replication: int) -> np.recarray:
    """Return the lenders and, last, the outside investors. Books are empty: cash covers deposits and equity."""
    s = scenario.lenders
    rows = lender_kinds(scenario)
    lenders = LENDER.empty(len(rows) + 1)
    own = lenders[:-1]
    u = stream(seed, replication, "lenders").random((len(rows), _DRAWS))
    vary = 1.0 + s.variation * (2.0 * u - 1.0)
    own.kind = [LENDER_KINDS.index(kind) for kind, _ in rows]
    for name in ("max_ltv", "min_dscr", "spread", "capital_target", "capital_minimum", "run_speed", "mark_to_market"):
        own[name] = [getattr(traits, name) for _, traits in rows]
    own.life = [traits.life for _, traits in rows] * vary[:, 0]
    own.rationing = [traits.rationing for _, traits in rows] * vary[:, 1]
    own.equity = [traits.capital for _, traits in rows] * vary[:, 2] * s.capital_scale
    low, high = np.array([traits.patience for _, traits in rows]).reshape(-1, 2).T
    own.patience = low + (high - low) * u[:, 3]
    own.runnable = np.minimum(1.0, np.array([traits.runnable for _, traits in rows]) * s.runnable_scale)
    own.name_limit = s.name_limit
    for name in ("max_ltv", "life", "mark_to_market"):
        if getattr(s, name) is not None:
            own[name] = getattr(s, name)
    own.capital_ratio = np.minimum(1.0, 3.0 * own.capital_target)
    if s.file:
        lenders = _from_file(LENDER, lenders, s.file, "lenders.file", last=1)
        own = lenders[:-1]
        given = read_header(s.file)
        for name, scale in (("equity", s.capital_scale), ("runnable", s.runnable_scale)):
            own[name] = own[name] * scale if name in given else own[name]
        own.runnable = np.minimum(1.0, own.runnable)
    own.cash = np.where(own.cash > 0, own.cash, own.equity / np.maximum(own.capital_ratio, 1e-9))
    own.deposits = own.cash - own.equity
    own.advance_rate = own.max_ltv
    out = lenders[-1]
    out.kind, out.life, out.mark_to_market, out.patience = OUTSIDE, 60.0, 1.0, 0.3
    out.capital_target = out.capital_ratio = 1.0
    out.max_ltv = out.advance_rate = 0.5
    return lenders


def _between(bounds: tuple[float, float], u: np.ndarray, log: bool = False) -> np.ndarray:
    low, high = bounds
    if log and low > 0:
        return np.exp(np.log(low) + u * np.log(high / low))
    return low + u * (high - low)


def _operators(kind: int, traits: Neoclouds | Miners, u: np.ndarray) -> np.recarray:
    table = OPERATOR.empty(len(u))
    table.kind = kind
    table.cash = _between(traits.cash, u[:, 0])
    table.site_power = _between(traits.power, u[:, 1], log=True)
    table.liquid_power = table.site_power * _between(traits.liquid_share, u[:, 2])
    for k, name in enumerate(("hosting", "utilisation", "hurdle", "decline", "own_weight", "contract_share"), 3):
        table[name] = _between(getattr(traits, name), u[:, k])
    # Until the fleet is laid out, used_power holds what the GPUs will draw.
    table.used_power = table.site_power * _between(traits.fleet_share, u[:, 9])
    table.dscr = 99.0
    return table


def operator_table(scenario: Scenario, seed: int, replication: int) -> np.recarray:
    """Return neoclouds, then miners; ``used_power`` says how much power their GPUs will draw (see fleet)."""
    n, m = scenario.neoclouds, scenario.miners
    clouds = _operators(NEOCLOUD, n, stream(seed, replication, "neoclouds").random((n.count, _DRAWS)))
    clouds.overheads = n.overheads * clouds.site_power
    if n.count:
        top = clouds.site_power >= np.quantile(clouds.site_power, 0.9)
        clouds.contract_share[top] = n.flagship_share
    u = stream(seed, replication, "miners").random((m.count, _DRAWS))
    miners = _operators(MINER, m, u)
    miners.btc = _between(m.btc, u[:, 10], log=True)
    miners.eth = _between(m.eth, u[:, 11])
    miners.hashrate = _between(m.hashrate, u[:, 12], log=True)
    miners.efficiency = _between(m.efficiency, u[:, 13])
    miners.power_price = _between(m.power_price, u[:, 14])
    miners.rig_value = miners.hashrate * m.rig_price
    if n.file:
        clouds = _from_file(OPERATOR, clouds, n.file, "neoclouds.file", fixed={"kind": NEOCLOUD, "dscr": 99.0})
    if m.file:
        miners = _from_file(OPERATOR, miners, m.file, "miners.file", fixed={"kind": MINER, "dscr": 99.0})
    return np.concatenate([clouds, miners]).view(np.recarray)


def buyer_table(scenario: Scenario, seed: int, replication: int) -> np.recarray:
    """Return the hardware buyers and, last, the backstop (a user like the best one, with the policy's capacity)."""
    s = scenario.buyers
    rows = [(kind, getattr(s, kind)) for kind in BUYER_KINDS[:BACKSTOP]]
    rows = [(kind, traits) for kind, traits in rows for _ in range(traits.count)]
    buyers = BUYER.empty(len(rows) + 1)
    own = buyers[:-1]
    generator = stream(seed, replication, "buyers")
    u, z = generator.random((len(rows), _DRAWS)), generator.standard_normal((len(rows), 2))
    own.kind = [BUYER_KINDS.index(kind) for kind, _ in rows]
    # Log-normal around the mean of the kind.
    scatter = np.exp(0.6 * z - 0.18)
    own.budget_cap = [traits.budget for _, traits in rows] * scatter[:, 0] * s.budget_scale
    own.power_cap = [traits.power for _, traits in rows] * scatter[:, 1] * s.power_scale
    own.liquid_cap = own.power_cap * [traits.liquid_share for _, traits in rows]
    for k, name in enumerate(("hosting", "utilisation", "hurdle", "decline")):
        low, high = np.array([getattr(traits, name) for _, traits in rows]).reshape(-1, 2).T
        own[name] = low + (high - low) * u[:, k]
    own.own_weight = _between(s.own_weight, u[:, 4])
    own.lot_limit = [traits.lot_limit for _, traits in rows]
    own.refill, own.conversion, own.half_spread = s.refill, s.conversion, s.dealer_half_spread
    if s.file:
        buyers = _from_file(BUYER, buyers, s.file, "buyers.file", last=1)
        own = buyers[:-1]
        # The scales hold for every buyer; columns that the file lacks were drawn and scaled already.
        given = read_header(s.file)
        for name, scale in (("budget_cap", s.budget_scale), ("power_cap", s.power_scale), ("liquid_cap", s.power_scale)):
            own[name] *= scale if name in given else 1.0
    own.utilisation = np.where((own.kind == BUYER_KINDS.index("dealer")) | (own.kind == BUYER_KINDS.index("scrap")), 0.0, own.utilisation)
    own.budget, own.power, own.liquid = own.budget_cap, own.power_cap, own.liquid_cap
    last, marks = buyers[-1], scenario.marks
    last.kind = BACKSTOP
    last.budget = last.budget_cap = scenario.policy.backstop.capacity
    last.power = last.power_cap = last.liquid = last.liquid_cap = 1e12
    last.utilisation, last.hosting, last.hurdle = marks.reference_utilisation, marks.reference_hosting, marks.reference_hurdle
    last.decline, last.own_weight, last.lot_limit = marks.reference_decline, marks.reference_weight, 1.0
    return buyers


def read_header(path: str) -> set[str]:
    """Return the names of the columns of a CSV file that was read before."""
    with open(path, encoding="utf-8-sig") as file:
        return {name.strip() for name in next(line for line in file if line.strip() and not line.startswith("#")).split(",")}


def _from_file(table: Table, drawn: np.recarray, path: str, parameter: str, *, last: int = 0, fixed: dict | None = None) -> np.recarray:
    """Return rows as a CSV file gives them; columns that it lacks are taken from the drawn rows in turn.

    An enumerated column (``kind``) takes its names. The last ``last`` rows of ``drawn`` are kept at the end.
    Raises ConfigError.
    """
    from simulation.config import ConfigError, Fault
    from simulation.tables_csv import read_rows

    codes = {c.name: c.codes for c in table.columns if c.codes}
    columns = {c.name: str if c.codes else float for c in table.columns}
    data = read_rows(path, parameter, columns)
    n = len(next(iter(data.values())))
    rows = table.empty(n + last)
    body = len(drawn) - last
    if body:
        rows[:n] = drawn[:body][np.arange(n) % body]
    for name, values in data.items():
        if name in codes:
            wrong = [k for k, v in enumerate(values) if v not in codes[name]]
            if wrong:
                known = ", ".join(codes[name])
                raise ConfigError([Fault(f"{path}:{k + 2}", f"{parameter}: {name}", f"{values[k]!r} is none of {known}") for k in wrong])
            values = [codes[name].index(v) for v in values]
        rows[name][:n] = values
    for name, value in (fixed or {}).items():
        rows[name] = value
    if last:
        rows[n:] = drawn[body:]
    return rows
