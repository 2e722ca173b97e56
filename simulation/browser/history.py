"""Checkpoints of a world, so that a viewer can go back: only what a step can change, only the rows in use."""

from __future__ import annotations

from typing import Any

from agents.tables.events import EVENT, TRADE
from agents.tables.loans import LOAN
from agents.tables.lots import LOT
from agents.tables.orders import ORDER
from simulation.world.panel import CHIP_PANEL, KIND_PANEL, PANEL
from simulation.world.world import World, clear_rows

#: Written in place every step; copied whole.
_STATE = ("clock", "lenders", "operators", "buyers", "customers", "chips", "lines", "book", "first_lot", "value", "bid")


#: Rows are opened and closed; copied as far as they were ever used.
_CONTRACTS = {"loans": LOAN, "lots": LOT, "orders": ORDER}


#: Rows are only added: their count, in the clock, is all that a checkpoint needs.
_PANELS = {"panel": PANEL, "chip_panel": CHIP_PANEL, "kind_panel": KIND_PANEL}


Checkpoint = dict[str, Any]


def checkpoint(world: World) -> Checkpoint:
    """Return a copy of what the next steps can change."""
    saved = {name: getattr(world, name).copy() for name in _STATE}
    for name in _CONTRACTS:
        saved[name] = getattr(world, name)[: world.clock[0][f"used_{name}"]].copy()
    return saved


def restore(world: World, saved: Checkpoint) -> None:
    """Bring a world back to a checkpoint, in place: tables that others look at stay the same objects."""
    used_now = {name: int(world.clock[0][f"used_{name}"]) for name in _CONTRACTS}
    logged = int(world.clock[0].events), int(world.clock[0].trades)
    for name in _STATE:
        getattr(world, name)[:] = saved[name]
    for name, table in _CONTRACTS.items():
        rows, kept = getattr(world, name), len(saved[name])
        rows[:kept] = saved[name]
        clear_rows(rows, table, kept, used_now[name])
    clock = world.clock[0]
    world.events[clock.events : logged[0]] = EVENT.blank(1)
    world.trades[clock.trades : logged[1]] = TRADE.blank(1)
    world.flows[clock.month :] = 0.0
    months = len(world.panel)
    for name, table in _PANELS.items():
        rows = getattr(world, name)
        rows[clock.month * (len(rows) // months) :] = table.empty(1)
