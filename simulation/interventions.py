"""What a viewer or an experiment does to a world by hand: sell a block, let an agent fail."""

from __future__ import annotations

import math

from agents.tables.clock import DAYS
from agents.tables.events import Cause
from agents.tables.lenders import LenderStatus
from agents.tables.operators import OperatorStatus
from simulation.world.world import World


def sell_block(world: World, chips: list[str], chip: str, units: float, days: int = DAYS) -> None:
    """Put ``units`` GPUs on the market in the next round of a cascade: outside investors sell them within ``days``.

    Within more than a month they offer equal parts of what is left every month, at a reserve that falls from the
    appraisal to nothing in the last one; within a month all of it, without reserve. In less than a month they reach
    that part, in weeks, of the contacts that a month of calls would reach.
    ``chips`` are the names of the generations. Raises ValueError on an unknown generation, a number of units that is
    not positive, a time that is not a whole number of days, or while a block of another generation that was put up by
    hand waits.
    """
    if chip not in chips:
        raise ValueError(f"unknown generation {chip!r}: one of {', '.join(chips)}")
    if not math.isfinite(units) or units <= 0:
        raise ValueError(f"units must be a positive number, not {units}")
    if days != int(days) or days < 1:
        raise ValueError(f"days must be a whole number from 1, not {days}")
    clock = world.clock[0]
    waiting = float(clock.imposed_units)
    if waiting > 0.0 and clock.imposed_chip != chips.index(chip):
        raise ValueError(
            f"{waiting:,.0f} {chips[clock.imposed_chip]} wait for the next round: let them come to market first"
        )
    clock.imposed_chip = chips.index(chip)
    clock.imposed_units = waiting + float(units)
    clock.imposed_days = int(days)


def fail_agent(world: World, node: int) -> None:
    """Let a lender or an operator fail in the next round of a cascade, whatever its books say.

    A lender gets a hole of all its assets in its balance sheet: the engine closes it and clears its debts.
    Raises ValueError when the node is neither, or has failed already.
    """
    n_l = len(world.lenders)
    if 0 <= node < n_l - 1 and world.lenders.status[node] != LenderStatus.FAILED:
        lender = world.lenders[node]
        lender.deposits += lender.cash + lender.book + lender.lent_lines + lender.seized_claim
    elif n_l <= node < n_l + len(world.operators) and world.operators.status[node - n_l] != OperatorStatus.DEFAULTED:
        world.operators.failing[node - n_l] = 1 + Cause.IMPOSED
        world.operators.failing_event[node - n_l] = -1
    else:
        raise ValueError("only a lender or an operator that has not failed yet can be made to fail")
