"""What a phase did beside its events, in one sentence with numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from agents.tables.operators import OperatorStatus
from simulation.browser.narrate import Entry, Names
from simulation.month import CASCADE, CREDIT, FUND, OPEN, RECORD, RENT, SERVICE, VALUE
from simulation.record.summary import reference_row
from simulation.words import count, listed, many, share, signed, usd
from simulation.world.world import World


def facts(world: World) -> dict[str, Any]:
    """Return what a step changes without an event, as it stands before the step."""
    clock = world.clock[0]
    names = ("month", "btc", "rent", "demand", "stress_coin", "stress_demand", "new_commitments", "new_notes", "losses")
    return {name: float(clock[name]) for name in names} | {"added": world.chips.added.copy()}


def narrate_phase(world: World, phase: int, before: dict[str, Any], chips: list[str], names: Names) -> list[Entry]:
    """Return what the phase just carried out did, beside its events; ``before`` is from :func:`facts`."""
    tell = {
        OPEN: _opening,
        RENT: _rent,
        VALUE: _value,
        SERVICE: _service,
        CREDIT: _credit,
        FUND: _fund,
        RECORD: _record,
    }.get(phase)
    month = int(before["month"])
    if tell is None:
        nothing = phase == CASCADE and world.clock[0].phase != CASCADE
        return (
            [Entry(month, int(world.clock[0].turn) - 1, "The cascade ends: nothing new happens.", "info")]
            if nothing
            else []
        )
    return [Entry(month, -1, text, level) for text, level in tell(world, before, chips)]


def _opening(world: World, before: dict[str, Any], chips: list[str]) -> list[tuple[str, str]]:
    clock = world.clock[0]
    said = []
    for flag, what in (("stress_demand", "AI demand"), ("stress_coin", "bitcoin")):
        if clock[flag] and not before[flag]:
            said.append((f"A stress of {what} begins.", "shock"))
        elif before[flag] and not clock[flag]:
            said.append((f"The stress of {what} ends.", "good"))
    text = (
        f"Bitcoin {signed(clock.btc / before['btc'] - 1, 0)} to {usd(clock.btc)}; demand for compute {signed(clock.demand / before['demand'] - 1)}"
        if before["demand"] > 0
        else f"The run opens with bitcoin at {usd(clock.btc)}"
    )
    new = world.chips.added - before["added"]
    if new.sum() >= 0.5:
        text += "; delivered: " + listed(f"{count(new[g])} {chips[g]}" for g in np.flatnonzero(new >= 0.5))
    return [*said, (text + ".", "info")]


def _rent(world: World, before: dict[str, Any], chips: list[str]) -> list[tuple[str, str]]:
    clock = world.clock[0]
    capacity = float((world.chips.stock * world.chips.performance).sum())
    running = f"; {share(clock.running / capacity)} of capacity runs" if capacity > 0 else ""
    return [(f"An H100-hour rents at ${clock.rent:.2f} ({signed(clock.rent / before['rent'] - 1)}){running}.", "info")]


def _value(world: World, before: dict[str, Any], chips: list[str]) -> list[tuple[str, str]]:
    g = reference_row(world)
    chip = world.chips[g]
    return [
        (
            f"A used {chips[g]} is worth {usd(chip.fundamental)} in use to the best user; appraisers put it at {usd(chip.appraisal)}.",
            "info",
        )
    ]


def _service(world: World, before: dict[str, Any], chips: list[str]) -> list[tuple[str, str]]:
    operators = world.operators[world.operators.status != OperatorStatus.DEFAULTED]
    due, missing = float((operators.due + operators.balloon).sum()), operators.arrears[operators.arrears > 0.0]
    if due < 1.0:
        return [("No debt service falls due.", "info")]
    text = f"Operators owe {usd(due)} this month and pay {usd(due - missing.sum())} of it"
    if len(missing):
        return [
            (f"{text}; {many(len(missing), 'operator is', 'operators are')} {usd(missing.sum())} in arrears.", "call")
        ]
    return [(text + ".", "info")]


def _credit(world: World, before: dict[str, Any], chips: list[str]) -> list[tuple[str, str]]:
    clock = world.clock[0]
    made = clock.new_commitments - before["new_commitments"]
    text = f"Lenders commit {usd(made)} of new loans" if made >= 1.0 else "Lenders commit no new loans"
    notes = clock.new_notes - before["new_notes"]
    return [(text + (f"; miners issue {usd(notes)} of notes." if notes >= 1.0 else "."), "info")]


def _fund(world: World, before: dict[str, Any], chips: list[str]) -> list[tuple[str, str]]:
    own = world.lenders[:-1]
    alive = own[own.status != 2]
    if len(alive) == 0:
        return [("No lender is left.", "failure")]
    return [
        (
            f"Lenders reset their terms: advance rate {share(alive.advance_rate.mean())} on average, haircut of lines {share(world.clock[0].haircut)}.",
            "info",
        )
    ]


def _record(world: World, before: dict[str, Any], chips: list[str]) -> list[tuple[str, str]]:
    row = world.panel[int(before["month"])]
    if row.debt < 1.0:
        return [("The month closes without GPU-backed debt.", "info")]
    lost = f"; {usd(row.losses)} written off" if row.losses >= 1.0 else ""
    executable = f"{row.executable_ltv:,.1f} times" if row.executable_ltv < 1e4 else "more than 10,000 times"
    return [
        (
            f"The month closes with {usd(row.debt)} of GPU-backed debt: {share(row.booked_ltv)} of the collateral's booked value, {executable} what the bids would pay for all of it{lost}.",
            "info",
        )
    ]
