"""Mechanisms in isolation: worlds so small that their outcome can be told by head, each with what ought to come out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
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
from simulation.scenario.walking import parameters
from simulation.words import many, usd
from simulation.world.build import build_world
from simulation.world.world import World

HOLDS, FAILS = "holds", "does not hold"
#: Nodes of a world with one lender and one operator (outside investors follow the lender).
_LENDER, _OPERATOR = 0, 2
#: Rows of the tape: an auction of a tiny world takes a few.
_TAPE = 200
#: Price per unit of value in use of two generations counts as equal within this, and q as where it should settle.
_EQUAL, _NEAR = 0.02, 0.1
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


@cache
def as_in_base() -> dict[str, Any]:
    """Return what contracts, receivers, search and appraisals are in the base, where the lessons' market has them otherwise."""
    base, other = (
        {path: value for path, value, _ in parameters(load_scenario(file)) if path != "title"}
        for file in (base_config(), base_config().parent / "scenarios" / "marked_to_market.yaml")
    )
    return {path: value for path, value in base.items() if value != other[path]}


def small_market(**changes: Any) -> Scenario:
    """Return the tiny scenario with changes ("__" stands for a dot in their names); its contracts are those of the base."""
    file = base_config().parent / "lessons" / "parts" / "small.yaml"
    named = {name.replace("__", "."): value for name, value in changes.items()}
    # Of two contacts one decides first, and that may be the borrower that has fallen: here both are ready.
    return load_scenario(file, {**as_in_base(), "market.due_diligence": 0.0, **_TINY, **named})


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


#: Hosting of the only buyer (USD/kW-month): so dear that the lender's receiver does better, and cheaper than the fallen operator's.
_DEAR, _CHEAP = 300, 90


def hold_or_sell() -> Outcome:
    """A sound lender seizes a lot: each auction with reserve and best bid, once the only buyer's hosting is dear and once it is cheap."""
    lines, right, ends = [], True, set()
    for name, hosting in (("dear", _DEAR), ("cheap", _CHEAP)):
        world = build_world(small_market(buyers__enterprise__hosting=[hosting, hosting]), 1, tape=_TAPE)
        for month, phase in rounds(world, 8, at(1, lambda w: fail_agent(w, _OPERATOR))):
            if phase != CASCADE:
                continue
            for reserve, bid, sold in auctions_of(tape_of(world), _LENDER):
                does = f"sells {sold:,.0f}" if sold else "waits"
                lines.append(
                    f"buyer with {name} hosting, month {month}: asks {usd(reserve)}, best bid {usd(bid)}: {does}"
                )
                right &= (sold > 0.0) == (bid >= reserve)
                ends.add(sold > 0.0)
    return Outcome(tuple(lines), right and ends == {True, False})


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
    # Appraisers look at trades alone: what the mark loses stays lost.
    scenario = small_market(credit__initial_debt=0.8, neoclouds__cash=[_CASH, _CASH], marks__index_weight=0.0)
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


#: Growth of demand in the long run (1/month), and how many times as quickly sites grow in the second run.
_GROWTH, _QUICKER = 0.02, 4.0


def q_by_year(quicker: float) -> tuple[list[float], float]:
    """Play one generation that is always on sale, demand that grows steadily, no chance.

    Return q at the end of each of ten years, and where it should settle: sites begin to grow by speed x (q - 1) of what
    there is and come on stream ``build_months`` later, so that a growth g holds where q = 1 + g (1 + g)^build / speed.
    """
    chip = {"name": "H100", "release": -15, "list_price": 31e3, "performance": 1.0, "power": 1.3}
    quiet = {
        "chips": [chip], "run.months": 120, "drivers.regimes.entry": 0.0, "drivers.coin.path": "regime",
        "drivers.demand.growth": [_GROWTH], "drivers.demand.volatility": 0.0, "drivers.demand.surge_probability": 0.0,
        "drivers.demand.deflation_volatility": 0.0,
    }  # fmt: skip
    sites = load_scenario(base_config()).sites
    quick = {"sites.speed": quicker * sites.speed, "sites.growth_limit": min(1.0, quicker * sites.growth_limit)}
    world = build_world(load_scenario(base_config(), quiet | quick), 1)
    q = []
    while world.clock[0].month < len(world.panel):
        advance(world, MONTH)
        raise_fault(world)
        if world.clock[0].month % 12 == 0:
            q.append(q_of(world))
    return q, 1.0 + _GROWTH * (1.0 + _GROWTH) ** sites.build_months / quick["sites.speed"]


def q_settles() -> Outcome:
    """Steady growth, with sites that grow as in the base and more quickly."""
    return judged_q(q_by_year(1.0), q_by_year(_QUICKER))


def judged_q(*runs: tuple[Sequence[float], float]) -> Outcome:
    """Judge runs of (q by year, where it should settle): near it at the end."""
    lines = tuple(
        f"q at the end of each year: {', '.join(f'{x:.2f}' for x in q)}; should settle at {at:.2f}" for q, at in runs
    )
    return Outcome(lines, all(abs(q[-1] - at) <= _NEAR for q, at in runs))


#: A glut that lasts (first month, months, units a month), and a block when capital has had time to come (month, units).
_GLUT, _GLUT_MONTHS, _A_MONTH = 30, 6, 40_000.0
_BLOCK, _UNITS = 48, 100_000.0


def glut_and_block(entry: dict[str, Any]) -> tuple[tuple[float, float], float]:
    """Sell H100s by hand for months, and a block a year later; return what the last month of the glut and the block brought, and
    the capital committed (USD).

    Prices are over what a buyer would pay without scarcity: the lesser of value in use and what new hardware costs for it.
    """
    scenario = load_scenario(base_config(), {"drivers.regimes.entry": 0.0, "run.months": _BLOCK + 2, **entry})
    world = build_world(scenario, 1)
    names = [chip.name for chip in scenario.chips]
    for month in range(_BLOCK + 2):
        if _GLUT <= month < _GLUT + _GLUT_MONTHS:
            sell_block(world, names, "H100", _A_MONTH)
        if month == _BLOCK:
            sell_block(world, names, "H100", _UNITS)
        advance(world, MONTH)
        raise_fault(world)
    t = world.trades.view(np.ndarray)[: int(world.clock["trades"][0])]
    t = t[t["reason"] == SaleReason.IMPOSED]
    parity = world.chip_panel.view(np.ndarray)["parity"].reshape(-1, len(names))[t["month"], t["chip"]]
    worth = np.minimum(t["fundamental"], parity)

    def ratio(month: int) -> float:
        at = t["month"] == month
        return float((t["units"] * t["price"])[at].sum() / (t["units"] * worth)[at].sum())

    return (ratio(_GLUT + _GLUT_MONTHS - 1), ratio(_BLOCK)), float(world.panel.capital_committed.sum())


def capital_enters() -> Outcome:
    """A glut of half a year, and a large block a year later, with outside capital and without."""
    return judged_capital(glut_and_block({}), glut_and_block({"buyers.entry_speed": 0.0}))


def judged_capital(open_: tuple[tuple[float, float], float], closed: tuple[tuple[float, float], float]) -> Outcome:
    """Judge a glut and a block: capital comes, too late for the glut, and with it the block goes nearer to its worth than without it."""
    lines = tuple(
        f"{name}: {usd(came)} committed, end of the glut at {first:.2f} of its worth, block at {second:.2f}"
        for name, ((first, second), came) in (("open to capital", open_), ("closed", closed))
    )
    came = open_[1] > 0.0 and closed[1] == 0.0
    return Outcome(lines, came and open_[0][0] == closed[0][0] and open_[0][1] > closed[0][1])


PROBES = (
    Probe("hold", "When does a lender sell a lot that it has seized?", "When the best bid reaches what holding is worth to it, and not before.", hold_or_sell),
    Probe("purse", "How does one purse split between two generations?", "So that both go at the same price per unit of value in use.", one_purse),
    Probe("patience", "What does a lender do when a covenant breaks and the borrower pays?", "A sound one waives; one below its minimum capital sells.", waive_or_sell),
    Probe("q", "Where does q go without stress?", "To one, but for what growth takes: the quicker sites are built, the nearer.", q_settles),
    Probe("capital", "What does a glut bring about?", "Outside capital, after a delay; the next block goes nearer to its worth.", capital_enters),
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
