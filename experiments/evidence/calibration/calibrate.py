"""A calibration from its file to its results folder: search, check on fresh seeds, identify, forecast, write."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from experiments.evidence.calibration.declare import Calibration
from experiments.evidence.calibration.forecast import Forecast, forecast
from experiments.evidence.calibration.identify import Identification, identify, runs_needed, with_part
from experiments.evidence.calibration.search import PART, Candidate, best, evaluate, open_folder, search
from experiments.sweeps.store import Store, StoreError
from simulation.scenario.config import scenario_to_yaml, set_path

#: Runs that are timed for a plan.
_TIMED = 12


class Outcome(NamedTuple):
    """All that a calibration found.

    ``before`` and ``after`` are the moments on fresh seeds (seeds x moments) of the scenario as it stands (None if it
    fails on them) and of the best candidate; ``forecast`` is None where nothing is held out.
    """

    calibration: Calibration
    candidates: list[Candidate]
    best: Candidate
    before: np.ndarray | None
    after: np.ndarray
    identification: Identification
    forecast: Forecast | None


def calibrate(
    calibration: Calibration,
    folder: Path,
    command: str,
    searched: Callable[[list[Candidate]], None] = lambda found: None,
    tell: Callable[[str], None] = lambda text: None,
) -> Outcome:
    """Search, or go on with the search in ``folder``, and return what was found; tables of it are written there.

    Raises StoreError when the folder cannot be used, or no candidate runs.
    """
    store = Store(str(folder))
    with store.locked():
        open_folder(calibration, store, command)
        candidates = search(calibration, store, calibration.search.budget, searched)
        found = best(candidates)
        tell("Fresh seeds")
        before, after = evaluate(calibration, [calibration.start, found.at], calibration.moments, calibration.fresh)
        if after.runs is None:
            raise StoreError(f"the best candidate, {found.number}, fails on fresh seeds: {after.message}")
        identification = identify(calibration, found.at, tell)
        tell("Forecast of what is held out")
        ahead = forecast(calibration, found.at) if calibration.held_out else None
        outcome = Outcome(calibration, candidates, found, before.runs, after.runs, identification, ahead)
        _write_tables(store, outcome)
    return outcome


def _write_tables(store: Store, outcome: Outcome) -> None:
    """Write the candidates, the derivatives and the profiles as CSV, and the scenario that was found."""
    calibration, found = outcome.calibration, outcome.identification
    names = [axis.path for axis in calibration.axes]
    store.write(store.frame(PART).to_csv(index=False).encode(), "candidates.csv")
    jacobian = pd.DataFrame(found.jacobian, [m.name for m in calibration.moments], names)
    store.write(jacobian.to_csv(index_label="moment").encode(), "jacobian.csv")
    rows = [
        {
            "parameter": axis.path,
            "value": calibration.values(with_part(outcome.best.at, k, x))[axis.path],
            "held": held,
            "moved": moved,
        }
        for k, (axis, profile) in enumerate(zip(calibration.axes, found.profiles, strict=True))
        for x, held, moved in zip(profile.at, profile.held, profile.moved, strict=True)
    ]
    store.write(pd.DataFrame(rows).to_csv(index=False).encode(), "profiles.csv")
    scenario = set_path(calibration.scenario, calibration.values(outcome.best.at))
    store.write(scenario_to_yaml(scenario).encode(), "calibrated.yaml")


class Plan(NamedTuple):
    """What a calibration would do: runs of the search, runs after it, seconds a run on all cores, candidates on disk."""

    runs: int
    after: int
    seconds: float
    done: int


def plan(calibration: Calibration, folder: Path) -> Plan:
    """Return what would be run, without writing. Raises StoreError if the folder holds something else."""
    done = open_folder(calibration, Store(str(folder)), "", write=False)
    few = calibration.seeds[:_TIMED]
    evaluate(calibration, [calibration.start], calibration.moments, few)  # loads, or compiles
    began = time.perf_counter()
    evaluate(calibration, [calibration.start], calibration.moments, few)
    seconds = (time.perf_counter() - began) / len(few)
    declared = calibration.search
    # The scenario before and after, and what is held out: on fresh seeds.
    after = runs_needed(calibration) + (3 if calibration.held_out else 2) * declared.fresh_seeds
    return Plan(declared.budget * declared.seeds, after, seconds, done)
