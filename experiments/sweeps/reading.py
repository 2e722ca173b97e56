"""Reading sweeps back, and the seam for calibration."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from experiments.sweeps.store import Store, StoreError
from simulation.month import HORIZON, advance
from simulation.runs import raise_fault
from simulation.scenario.config import load_scenario, set_path
from simulation.scenario.document import base_config
from simulation.scenario.scenario import Scenario
from simulation.world.build import build_world


class Sweep(NamedTuple):
    """A sweep read back. ``runs``: one row a run; ``panel``, ``events``: empty unless recorded."""

    manifest: dict[str, Any]
    runs: pd.DataFrame
    panel: pd.DataFrame
    events: pd.DataFrame

    @property
    def parameters(self) -> list[str]:
        """The columns of ``runs`` that the design changed."""
        return list(self.manifest["parameters"]) or [c for c in self.runs.columns if "." in c]

    def outcome(self, measure: str) -> np.ndarray:
        """Return a measure by design point, averaged over replications, in the order that SALib's analyses expect."""
        return self.runs.groupby("point")[measure].mean().sort_index().to_numpy(float)


def load(folder: str) -> Sweep:
    """Read a sweep's folder (or fsspec URL). Raises StoreError when it holds none."""
    store = Store(str(folder))
    manifest = store.manifest()
    if manifest is None:
        raise StoreError(f"{folder}: holds no sweep (no manifest.json)")
    runs = store.frame("runs")
    times = store.frame("times")
    if len(runs) and len(times):
        runs = runs.merge(times, on="run", how="left")
    return Sweep(manifest, runs, store.frame("panel"), store.frame("events"))


@lru_cache(maxsize=4)
def _base(config: str) -> Scenario:
    return load_scenario(config)


def simulate(
    theta: Sequence[float],
    names: Sequence[str],
    months: int,
    seed: int,
    *,
    columns: Sequence[str] = ("rent", "debt", "new_credit"),
    config: str | None = None,
) -> np.ndarray:
    """Return the panel of one run with parameters ``names`` set to ``theta``: months x columns, in the panel's units.

    A pure function of its arguments: what optimisers, ABC and other packages of inference call. Raises ConfigError
    on values that the parameters do not allow, ValueError when the two lists differ in length.
    """
    if len(theta) != len(names):
        raise ValueError(f"{len(theta)} values for {len(names)} parameters")
    scenario = _base(str(config or base_config()))
    values = {name: float(value) for name, value in zip(names, theta, strict=True)}
    scenario = set_path(scenario, values | {"run.months": months}, "simulate")
    world = build_world(scenario, seed)
    advance(world, HORIZON)
    raise_fault(world, scenario)
    return np.column_stack([world.panel[column] for column in columns])
