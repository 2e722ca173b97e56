"""Mechanisms in isolation: worlds so small that their outcome can be told by head, each with what ought to come out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from agents.tables.events import EventKind, SaleReason
from agents.tables.lenders import LenderStatus
from simulation.interventions import fail_agent, sell_block
from simulation.markets.tape import TapeRow
from simulation.month import CASCADE, MONTH, OPEN, STEP, advance
from simulation.runs import raise_fault
from simulation.scenario.config import load_scenario
from simulation.scenario.document import base_config
from simulation.scenario.scenario import Scenario
from simulation.words import many, usd
from simulation.world.build import build_world
from simulation.world.world import World

HOLDS, FAILS = "holds", "does not hold"
#: Nodes of a world with one lender and one operator (outside investors follow the lender).
_LENDER, _OPERATOR = 0, 2
#: Rows of the tape: an auction of a tiny world takes a few.
_TAPE = 200
#: Price per unit of value in use of two generations counts as equal within this, and q as one.
_EQUAL, _NEAR_ONE = 0.02, 0.1
#: One lender, one neocloud, one user: agents of the lessons' small market, without scatter and without chance.
_TINY: dict[str, Any] = {
    "buyers.file": None, "lenders.bank.count": 1, "neoclouds.count": 1, "run.months": 24, "buyers.own_weight": [0.7, 0.7],
    "buyers.enterprise.count": 1, "buyers.enterprise.budget": 3e7, "buyers.enterprise.power": 5e4,
    "buyers.enterprise.hosting": [140, 140], "buyers.enterprise.utilisation": [0.7, 0.7],
    "buyers.enterprise.hurdle": [0.012, 0.012], "buyers.enterprise.decline": [0.012, 0.012],
}  # fmt: skip


class Outcome(NamedTuple):
    """What a probe shows: lines of text with numbers, and whether it is what ought to come out."""

    lines: tuple[str, ...]
    holds: bool


@dataclass(frozen=True)
class Probe:
    """One mechanism. ``expected`` says what ought to come out."""

    key: str
    question: str
    expected: str
    play: Callable[[], Outcome]


class Result(NamedTuple):
    """A probe with its verdict and what it shows."""

    probe: Probe
    verdict: str
    lines: tuple[str, ...]


def small_market(**changes: Any) -> Scenario:
    """Return the tiny scenario with changes ("__" stands for a dot in their names)."""
    file = base_config().parent / "lessons" / "parts" / "small.yaml"
    return load_scenario(file, {**_TINY, **{name.replace("__", "."): value for name, value in changes.items()}})


def rounds(world: World, months: int, act: Callable[[World], Any] = lambda world: None) -> Iterator[tuple[int, int]]:
    """Step through ``months``; yield (month, phase) after each step. ``act`` may change the world before each.

    Raises InvariantError. The tape holds the auctions of the step.
    """
    clock = world.clock[0]
    while clock.month < months:
        act(world)
        month, phase = int(clock.month), int(clock.phase)
        clock.tape = 0
        advance(world, STEP)
        raise_fault(world)
        yield month, phase


def tape_of(world: World) -> np.ndarray:
    """Return the rows of the tape of the last step."""
    return world.tape.view(np.ndarray)[: int(world.clock["tape"][0])]


def at(month: int, do: Callable[[World], Any]) -> Callable[[World], Any]:
    """Return what does something once, when a month opens."""
    return lambda world: do(world) if (world.clock[0].month, world.clock[0].phase) == (month, OPEN) else None


# --- one lender, one lot ---------------------------------------------------------------------------------------------


def auctions_of(rows: np.ndarray, seller: int) -> list[tuple[float, float, float]]:
    """Return (reserve, best bid, units sold) of each auction that ``seller`` held, from the rows of the tape."""
    starts = [*np.flatnonzero(rows["kind"] == TapeRow.AUCTION), len(rows)]
    found = []
    for first, last in zip(starts[:-1], starts[1:], strict=True):
        if rows["node"][first] != seller:
            continue
        orders = rows[first:last]
        asks, bids = orders[orders["kind"] == TapeRow.ASK], orders[orders["kind"] == TapeRow.BID]
        found.append((float(asks["price"].min()), float(bids["price"].max(initial=0.0)), float(orders["filled"][0])))
    return found


def hold_or_sell() -> Outcome:
    """A sound lender seizes a lot, and the only buyer's hosting is dear: each auction with reserve and best bid."""
    world = build_world(small_market(buyers__enterprise__hosting=[300, 300]), 1, tape=_TAPE)
    seen = []
    for month, phase in rounds(world, 8, at(1, lambda w: fail_agent(w, _OPERATOR))):
        if phase == CASCADE:
            seen += [(month, *auction) for auction in auctions_of(tape_of(world), _LENDER)]
    lines = [
        f"month {month}: asks {usd(reserve)}, best bid {usd(bid)}: {f'sells {sold:,.0f}' if sold else 'waits'}"
        for month, reserve, bid, sold in seen
    ]
    right = all((sold > 0.0) == (bid >= reserve) for _, reserve, bid, sold in seen)
    both = {sold > 0.0 for *_, sold in seen} == {True, False}
    return Outcome(tuple(lines), right and both)


# --- two generations, one purse --------------------------------------------------------------------------------------


def one_purse() -> Outcome:
    """A lender that must sell offers two generations at once, and the only buyer's money falls short of both."""
    chips = [
        {"name": "Old", "release": -43, "end_of_sale": -1, "list_price": 12e3, "performance": 0.45, "power": 0.75},
        {"name": "New", "release": -30, "end_of_sale": 0, "list_price": 31e3, "performance": 1.0, "power": 1.3},
    ]
    scenario = small_market(
        chips=chips, neoclouds__power=[8e3, 8e3], buyers__enterprise__budget=8e6, buyers__enterprise__lot_limit=1.0
    )
    world = build_world(scenario, 1, tape=_TAPE)

    def press(w: World) -> None:
        fail_agent(w, _OPERATOR)
        w.lenders.status[_LENDER] = LenderStatus.ILLIQUID

    for month, _ in rounds(world, 2, at(1, press)):
        if month == 1:
            value = world.value[len(world.operators)].copy()
    ratios = paid_over_value(world, value)
    lines = [
        f"{chip.name}: worth {usd(value[g])} to the buyer, "
        + (f"goes at {ratios[g]:.3f} of it" if math.isfinite(ratios[g]) else "finds no money")
        for g, chip in enumerate(scenario.chips)
    ]
    equal = bool(np.isfinite(ratios).all()) and float(np.ptp(np.log(ratios))) <= _EQUAL
    return Outcome(tuple(lines), equal)


def paid_over_value(world: World, value: np.ndarray) -> np.ndarray:
    """Return what was paid by force over ``value`` (USD/GPU), by generation; nan where nothing was sold."""
    t = world.trades.view(np.ndarray)[: int(world.clock["trades"][0])]
    t = t[t["reason"] == SaleReason.SEIZED]
    paid, units = np.zeros((2, len(value)))
    np.add.at(paid, t["chip"], t["units"] * t["price"])
    np.add.at(units, t["chip"], t["units"])
    with np.errstate(invalid="ignore", divide="ignore"):
        return paid / units / value


# --- a sound lender and a called one ---------------------------------------------------------------------------------

#: Month of the breach; the borrower's cash then (USD): less than is called, while its income covers debt service twice.
_BREACH, _CASH = 3, 5e5
#: What the marks keep of their value, and a minimum of capital that the lender does not have.
_MARKED, _OUT_OF_REACH = 0.7, 0.99


def breach(sound: bool) -> dict[str, float]:
    """Play a covenant that breaks while the borrower pays; return what follows within half a year (counts, USD sold)."""
    scenario = small_market(credit__initial_debt=0.8, neoclouds__cash=[_CASH, _CASH])
    world = build_world(scenario, 1, tape=_TAPE)

    def shock(w: World) -> None:
        clock = w.clock[0]
        if (clock.month, clock.phase) == (_BREACH, OPEN):
            w.operators.cash[:] = _CASH
        if (clock.month, clock.phase, clock.turn) == (_BREACH, CASCADE, 0):
            w.chips.appraisal[:] *= _MARKED
            if not sound:
                w.lenders.capital_minimum[_LENDER] = _OUT_OF_REACH

    for _ in rounds(world, _BREACH + 6, shock):
        pass
    events = world.events.view(np.ndarray)[: int(world.clock["events"][0])]
    events = events[events["month"] >= _BREACH]
    counts = {kind.name.lower(): float((events["kind"] == kind).sum()) for kind in EventKind}
    return counts | {"sold": float(events["usd"][events["kind"] == EventKind.FORCED_SALE].sum())}


def waive_or_sell() -> Outcome:
    """The same breach before a lender far above its minimum capital and one below it."""
    seen = {name: breach(name == "sound") for name in ("sound", "called")}
    amended = {name: sum(s.get(kind, 0.0) for kind in ("waiver", "extension", "swap")) for name, s in seen.items()}
    lines = [
        f"{name} lender: {many(s['margin_call'], 'margin call')}, {many(amended[name], 'amendment')}, "
        f"{many(s['default'], 'default')}, {usd(s['sold'])} sold by force"
        for name, s in seen.items()
    ]
    patient = amended["sound"] > 0.0 and seen["sound"]["default"] == 0.0 and seen["sound"]["sold"] == 0.0
    return Outcome(tuple(lines), patient and seen["called"]["sold"] > 0.0)


# --- long runs ---------------------------------------------------------------------------------------------------------


def q_of(world: World) -> float:
    """Return Tobin's q of operators, weighted by the power of their sites."""
    ops = world.operators.view(np.ndarray)
    return float(np.average(ops["q"], weights=ops["site_power"]))


def q_returns() -> Outcome:
    """One generation that is always on sale, demand that grows by 2 % a month, no chance: q at the end of each year."""
    chip = {"name": "H100", "release": -15, "list_price": 31e3, "performance": 1.0, "power": 1.3}
    quiet = {
        "chips": [chip], "run.months": 120, "drivers.regimes.entry": 0.0, "drivers.coin.path": "regime",
        "drivers.demand.growth": [0.02], "drivers.demand.volatility": 0.0, "drivers.demand.surge_probability": 0.0,
        "drivers.demand.deflation_volatility": 0.0,
    }  # fmt: skip
    world = build_world(load_scenario(base_config(), quiet), 1)
    q = []
    while world.clock[0].month < len(world.panel):
        advance(world, MONTH)
        raise_fault(world)
        if world.clock[0].month % 12 == 0:
            q.append(q_of(world))
    return judged_q(q)


def judged_q(q: Sequence[float]) -> Outcome:
    """Judge q by year: near one at the end."""
    return Outcome((f"q at the end of each year: {', '.join(f'{x:.2f}' for x in q)}",), abs(q[-1] - 1.0) <= _NEAR_ONE)


#: Two blocks so far apart that capital has come (months), each so many units.
_FIRST_BLOCK, _SECOND_BLOCK, _UNITS = 30, 48, 40_000.0


def two_blocks(entry: dict[str, Any]) -> tuple[tuple[float, float], float]:
    """Sell two equal blocks by hand; return the price over value in use of each and the capital committed (USD)."""
    scenario = load_scenario(base_config(), {"drivers.regimes.entry": 0.0, "run.months": _SECOND_BLOCK + 2, **entry})
    world = build_world(scenario, 1)
    names = [chip.name for chip in scenario.chips]
    for month in range(_SECOND_BLOCK + 2):
        if month in (_FIRST_BLOCK, _SECOND_BLOCK):
            sell_block(world, names, "H100", _UNITS)
        advance(world, MONTH)
        raise_fault(world)
    t = world.trades.view(np.ndarray)[: int(world.clock["trades"][0])]
    t = t[t["reason"] == SaleReason.IMPOSED]

    def ratio(first: int) -> float:
        rows = t[(t["month"] >= first) & (t["month"] < first + 2)]
        return float((rows["units"] * rows["price"]).sum() / (rows["units"] * rows["fundamental"]).sum())

    return (ratio(_FIRST_BLOCK), ratio(_SECOND_BLOCK)), float(world.panel.capital_committed.sum())


def capital_enters() -> Outcome:
    """Two equal blocks a year and a half apart, with outside capital and without."""
    return judged_capital(two_blocks({}), two_blocks({"buyers.entry_speed": 0.0}))


def judged_capital(open_: tuple[tuple[float, float], float], closed: tuple[tuple[float, float], float]) -> Outcome:
    """Judge two blocks: capital comes, and with it the second goes nearer to its value than without it."""
    lines = tuple(
        f"{name}: {usd(came)} committed, first block at {first:.2f} of value in use, second at {second:.2f}"
        for name, ((first, second), came) in (("open to capital", open_), ("closed", closed))
    )
    return Outcome(lines, open_[1] > 0.0 and closed[1] == 0.0 and open_[0][1] > closed[0][1])


PROBES = (
    Probe("hold", "When does a lender sell a lot that it has seized?", "When the best bid reaches what holding is worth to it, and not before.", hold_or_sell),
    Probe("purse", "How does one purse split between two generations?", "So that both go at the same price per unit of value in use.", one_purse),
    Probe("patience", "What does a lender do when a covenant breaks and the borrower pays?", "A sound one waives; one below its minimum capital sells.", waive_or_sell),
    Probe("q", "Where does q go without stress?", "To one: sites are built until a new chip earns its cost.", q_returns),
    Probe("capital", "What do cheap blocks bring about?", "Outside capital, after a delay; the next block goes nearer to its value.", capital_enters),
)  # fmt: skip
#: Heads of :func:`rows`.
HEADS = ("mechanism", "what ought to come out", "verdict")


def run_probes(say: Callable[[str], Any] = lambda text: None) -> list[Result]:
    """Play every probe."""
    found = []
    for probe in PROBES:
        say(probe.question)
        outcome = probe.play()
        found.append(Result(probe, HOLDS if outcome.holds else FAILS, outcome.lines))
    return found


def rows(results: Sequence[Result]) -> list[tuple[str, ...]]:
    """Return table rows."""
    return [(r.probe.key, r.probe.expected, r.verdict) for r in results]


def markdown(results: Sequence[Result]) -> str:
    """Return what every probe asks and shows as Markdown."""
    lines = []
    for r in results:
        lines += [f"**{r.probe.question}** {r.probe.expected} *{r.verdict.capitalize()}.*", ""]
        lines += [*(f"- {line}" for line in r.lines), ""] if r.lines else []
    return "\n".join(lines)
