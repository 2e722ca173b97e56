"""Many pieces of work at once: the one loop over seeds. Threads serve, because the rules release the GIL."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from simulation.cores import cores
from simulation.record.summary import summarise
from simulation.runs import play
from simulation.scenario.scenario import Scenario
from simulation.world.world import World

#: Threads that work side by side.
WIDTH = cores()


def spread[Given, Found](work: Callable[[Given], Found], items: Iterable[Given]) -> list[Found]:
    """Return ``work(item)`` of each item, in their order, worked out on all cores."""
    with ThreadPoolExecutor(WIDTH) as pool:
        return list(pool.map(work, items))


def play_many(scenario: Scenario, seeds: Sequence[int], read: Callable[[World, dict[str, Any]], Any]) -> list[Any]:
    """Run every seed on all cores and return ``read(world, summary)`` of each."""

    def one(seed: int) -> Any:
        world = play(scenario, seed)
        return read(world, summarise(world))

    return spread(one, seeds)
