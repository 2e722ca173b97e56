"""What agents/rule.py takes from inside Numba: pinned by pyproject.toml, and bits are the same with and without it."""

from __future__ import annotations

import os
from importlib.metadata import requires, version

import numba
import pytest
from numba.core import caching
from packaging.requirements import Requirement

from tests.conftest import alone

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


def test_the_numba_that_is_used_is_within_the_pin():
    (pin,) = (Requirement(r) for r in requires("gpu-firesale") or () if Requirement(r).name == "numba")
    assert version("numba") in pin.specifier
    assert any(s.operator == "<" for s in pin.specifier), "internals are used: an upper bound is needed"


@pytest.mark.xdist_group("compiles")
def test_the_numbers_do_not_hang_on_the_processor():
    """Code for any processor of the kind gives the bits of code for this one; it is compiled once and kept beside it."""
    assert alone(PLAY, "borrowed", NUMBA_CPU_NAME="generic") == alone(PLAY, "borrowed")


@pytest.mark.xdist_group("compiles")
def test_borrowed_worlds_give_the_bits_of_counted_ones(tmp_path):
    """``borrow`` takes the ownership out of the arrays of a world by building them with Numba's own parts."""
    interpreted = alone(PLAY, "borrowed", NUMBA_DISABLE_JIT="1")
    assert alone(PLAY, "borrowed") == interpreted
    # Compiled into a cache of its own: the two must not take each other's code.
    assert alone(PLAY, "counted", FIRESALE_CACHE=str(tmp_path)) == interpreted


def test_the_parts_of_numba_that_are_used_are_there():
    assert {"meminfo", "parent", "data", "shape", "strides"} <= set(_members())
    assert hasattr(numba.config, "DISABLE_JIT")
    # A dispatcher takes a cache of another kind, which is found by a locator of another kind.
    made = numba.njit(lambda x: x)
    assert hasattr(made, "_cache") and hasattr(caching.FunctionCache(_members), "_cache_file")
    assert (
        caching.CompileResultCacheImpl._locator_classes
        and caching.FunctionCache._impl_class is caching.CompileResultCacheImpl
    )
    asked = {"get_cache_path", "get_source_stamp", "get_disambiguator"}
    assert asked == caching._CacheLocator.__abstractmethods__


def _members() -> list[str]:
    from numba.core import types
    from numba.core.datamodel import default_manager

    return list(default_manager[types.Array(types.float64, 1, "C")]._fields)


def test_only_folders_of_compiled_rules_are_pruned(tmp_path):
    """``FIRESALE_CACHE`` may name a folder in which other things are."""
    for k, name in enumerate(("thesis", "0123456789abcdef", "photos", "notes", "fedcba9876543210", "old")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mine.txt").write_text("mine")
        os.utime(tmp_path / name, (k, k))
    made = [tmp_path / f"{k:016x}" for k in range(1, 7)]
    for k, folder in enumerate(made):
        folder.mkdir()
        (folder / ".gpu-firesale-cache").touch()
        os.utime(folder, (100 + k, 100 + k))
    here = alone(
        "from agents.rule import cache_folder; print(cache_folder().name)", FIRESALE_CACHE=str(tmp_path)
    ).strip()
    assert sum((p / "mine.txt").exists() for p in tmp_path.iterdir()) == 6
    # The newest stay: this version's and three before it.
    assert sorted(p.name for p in tmp_path.iterdir() if (p / ".gpu-firesale-cache").exists()) == sorted(
        [here, *(p.name for p in made[3:])]
    )
