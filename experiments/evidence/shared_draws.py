"""How much sharper a comparison is on shared draws: variance of a paired difference, independent over shared.

uv run python -m experiments.evidence.shared_draws [RUNS]
"""

from __future__ import annotations

import sys

import numpy as np

from experiments.evidence.claims.lab import Engine, Lab
from simulation.scenario.config import load_scenario
from simulation.scenario.document import base_config

MEASURES = ("losses", "debt_peak", "systemic", "cascade_max")


#: Another seed: draws that have nothing to do with those of the first.
_OTHER = 900_001


def ratios(runs: int) -> dict[str, float]:
    """Return, by measure, the variance of (backstop of $10bn less base) on independent over that on shared draws."""
    base = load_scenario(base_config())
    policy = {"policy.backstop.capacity": 1.0e10}
    lab, other = (Lab(Engine(base, seed)) for seed in (1, _OTHER))
    one, shared, apart = (
        lab_.values(changes, range(runs), MEASURES) for lab_, changes in ((lab, {}), (lab, policy), (other, policy))
    )
    found = np.var(apart - one, axis=0) / np.var(shared - one, axis=0)
    return dict(zip(MEASURES, found.tolist(), strict=True))


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    for measure, ratio in ratios(count).items():
        print(f"{measure}: variance of the difference {ratio:.1f} times smaller on shared draws ({count} runs an arm)")
