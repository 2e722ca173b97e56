"""What agents/rule.py takes from inside Numba: pinned by pyproject.toml, and bits are the same with and without it."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import requires, version
from pathlib import Path

import numba
import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
PLAY = """
import hashlib, sys
import numba
import numpy as np
if sys.argv[1] == "counted":
    import agents.rule
    agents.rule.borrow = numba.njit(lambda world: world)
from simulation import load_scenario
from simulation.runs import play
from simulation.scenario.config import set_path
changes = {
    "run.months": 14, "drivers.regimes.first_month": 2, "drivers.regimes.entry": 0.5, "drivers.demand.stress_drift": -0.2,
    "neoclouds.count": 8, "miners.count": 4, "buyers.enterprise.count": 8,
}
world = play(set_path(load_scenario("configs/base.yaml"), changes), 3)
assert world.operators.status.max() == 2
print(hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in world)).hexdigest())
"""


def digest(how: str, **environment: str) -> str:
    """Return the hash of a stressed run in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", PLAY, how], capture_output=True, text=True, cwd=ROOT, timeout=500,
        env={**os.environ, **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_numba_that_is_used_is_within_the_pin():
    (pin,) = (Requirement(r) for r in requires("gpu-firesale") or () if Requirement(r).name == "numba")
    assert version("numba") in pin.specifier
    assert any(s.operator == "<" for s in pin.specifier), "internals are used: an upper bound is needed"


@pytest.mark.xdist_group("compiles")
def test_borrowed_worlds_give_the_bits_of_counted_ones(tmp_path):
    """``borrow`` takes the ownership out of the arrays of a world by building them with Numba's own parts."""
    interpreted = digest("borrowed", NUMBA_DISABLE_JIT="1")
    assert digest("borrowed") == interpreted
    # Compiled into a cache of its own: the two must not take each other's code.
    assert digest("counted", FIRESALE_CACHE=str(tmp_path)) == interpreted


def test_the_parts_of_numba_that_are_used_are_there():
    assert {"meminfo", "parent", "data", "shape", "strides"} <= set(_members())
    assert hasattr(numba.config, "CACHE_DIR") and hasattr(numba.config, "DISABLE_JIT")


def _members() -> list[str]:
    from numba.core import types
    from numba.core.datamodel import default_manager

    return list(default_manager[types.Array(types.float64, 1, "C")]._fields)
