"""What happens: scenario, world, drivers, networks, markets, cascade, the month, measures, the Mesa model."""

from __future__ import annotations

from typing import Any

__all__ = ["ComputeCreditModel", "load_scenario", "run"]


def __getattr__(name: str) -> Any:
    # Lazy, so that `firesale --help` does not import Numba and Mesa.
    if name == "run":
        from simulation.runs import run

        return run
    if name == "load_scenario":
        from simulation.scenario.config import load_scenario

        return load_scenario
    if name == "ComputeCreditModel":
        from simulation.model import ComputeCreditModel

        return ComputeCreditModel
    raise AttributeError(f"module 'simulation' has no attribute {name!r}")
