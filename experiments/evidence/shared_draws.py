"""How much sharper a comparison is on shared draws: variance of a paired difference, independent over shared.

uv run python -m experiments.evidence.shared_draws [RUNS]
"""

from __future__ import annotations

import sys
from functools import partial

import numpy as np

from experiments.evidence.claims import values
from simulation.record.summary import summarise
from simulation.scenario.config import load_scenario, set_path
from simulation.scenario.document import base_config
from simulation.world.world import World

MEASURES = ("losses", "debt_peak", "systemic", "cascade_max")


#: Another seed: draws that have nothing to do with those of the first.
_OTHER = 900_001


def _measure(world: World, name: str) -> float:
    return float(summarise(world)[name])


def ratios(runs: int) -> dict[str, float]:
    """Return, by measure, the variance of (backstop of $10bn less base) on independent over that on shared draws."""
    base = load_scenario(base_config())
    policy = set_path(base, {"policy.backstop.capacity": 1.0e10})
    found = {}
    for name in MEASURES:
        read = partial(_measure, name=name)
        one, shared, apart = (values(s, read, runs, seed) for s, seed in ((base, 1), (policy, 1), (policy, _OTHER)))
        found[name] = float(np.var(apart - one) / np.var(shared - one))
    return found


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    for measure, ratio in ratios(count).items():
        print(f"{measure}: variance of the difference {ratio:.1f} times smaller on shared draws ({count} runs an arm)")
