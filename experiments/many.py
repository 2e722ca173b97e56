"""One scenario over many seeds."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from simulation.record.summary import summarise
from simulation.runs import play
from simulation.scenario.scenario import Scenario
from simulation.world.world import World


def play_many(scenario: Scenario, seeds: Sequence[int], read: Callable[[World, dict[str, Any]], Any]) -> list[Any]:
    """Run every seed on all cores (threads: the rules release the GIL) and return ``read(world, summary)`` of each."""

    def one(seed: int) -> Any:
        world = play(scenario, seed)
        return read(world, summarise(world))

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(one, seeds))
