"""The search: candidates in the unit cube of the ranges, tried on the same seeds, kept on disk.

The candidates depend on the declaration, the budget aside, and on what was found: an interrupted search goes on by
asking for the same candidates again and looking up those that are on disk, and ends where it would have ended.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from agents.rule import source_hash
from experiments.evidence.calibration.declare import Calibration
from experiments.evidence.calibration.moments import Moment, residuals
from experiments.evidence.calibration.propose import Proposals, Tried
from experiments.many import spread
from experiments.sweeps.store import Store, StoreError, shard_name, versions
from simulation.runs import InvariantError, play
from simulation.scenario.config import scenario_hash
from simulation.scenario.faults import ConfigError
from simulation.scenario.scenario import Scenario

#: Where a search stands in its folder: one shard a generation.
PART = "candidates"

#: Columns of a candidate that have its fields' names, and what the names of the others begin with.
_OWN = ("number", "beginning", "objective", "message")
_MOMENT, _AT = "moment: ", "at: "


class Evaluation(NamedTuple):
    """A candidate's moments (seeds x moments), or None and the message of the first seed that failed."""

    runs: np.ndarray | None
    message: str = ""


class Candidate(NamedTuple):
    """A candidate: where in the unit cube, its moments over the seeds (nan: it failed), objective, why it failed.

    The objective (inf: it failed) is that of the moments and what the pulls add to it.
    ``beginning`` says from which start it was found: 0 is the scenario as it stands.
    """

    number: int
    beginning: int
    at: np.ndarray
    moments: np.ndarray
    objective: float
    message: str = ""


# --- running candidates -------------------------------------------------------------------------------------------


def evaluate(
    calibration: Calibration, points: Sequence[np.ndarray], moments: tuple[Moment, ...], seeds: Sequence[int]
) -> list[Evaluation]:
    """Return the moments of each point on each seed; a point fails if one of its seeds does."""
    scenarios = [_scenario(calibration, at, moments) for at in points]
    jobs = [(s, seed) for s in scenarios if isinstance(s, Scenario) for seed in seeds]
    rows = iter(spread(lambda job: _one(*job, moments), jobs))
    found = []
    for scenario in scenarios:
        if not isinstance(scenario, Scenario):
            found.append(Evaluation(None, scenario))
            continue
        mine = [next(rows) for _ in seeds]
        failed = next((row for row in mine if isinstance(row, str)), None)
        found.append(Evaluation(np.array(mine)) if failed is None else Evaluation(None, str(failed)))
    return found


def _scenario(calibration: Calibration, at: np.ndarray, moments: tuple[Moment, ...]) -> Scenario | str:
    """Return the scenario at a point, or why there is none."""
    try:
        return calibration.scenario_at(at, moments)
    except ConfigError as error:
        return str(error)


def _one(scenario: Scenario, seed: int, moments: tuple[Moment, ...]) -> list[float] | str:
    """Return the moments of one run, or what went wrong in it."""
    try:
        world = play(scenario, seed)
        values = [m.read(world) for m in moments]
    except (InvariantError, ArithmeticError, ValueError, MemoryError) as error:
        return f"seed {seed}: {type(error).__name__}: {error}"
    for m, value in zip(moments, values, strict=True):
        if not math.isfinite(value):
            return f"seed {seed}: the moment '{m.name}' is {value}"
    return values


def all_residuals(calibration: Calibration, at: np.ndarray, runs: np.ndarray) -> np.ndarray:
    """Return the residuals of the moments and of the pulls; what is minimised is the sum of their squares."""
    return np.concatenate([residuals(calibration.moments, runs), calibration.pulls(at)])


# --- the search ---------------------------------------------------------------------------------------------------


def search(
    calibration: Calibration, store: Store, budget: int, tell: Callable[[list[Candidate]], None] = lambda found: None
) -> list[Candidate]:
    """Try ``budget`` candidates, the scenario as it stands first; return all of them, those on disk included.

    Raises StoreError when the folder holds candidates of another search.
    """
    known = _stored(calibration, store)
    declared = calibration.search
    finest = np.array([1.0 / (axis.high - axis.low) if axis.whole else 0.0 for axis in calibration.axes])
    proposals = Proposals(calibration.start, declared.step, declared.random, finest)
    found: list[Candidate] = []
    generation = 0
    while True:
        points = proposals.ask()[: budget - len(found)]
        new = _tried(calibration, store, generation, proposals.beginning, points, len(found), known)
        found += new
        tell(found)
        if len(found) >= budget:
            return found
        proposals.tell([_residuals(calibration, one) for one in new])
        generation += 1


def _residuals(calibration: Calibration, one: Candidate) -> Tried:
    """Return what the proposals learn of a candidate."""
    if math.isinf(one.objective):
        return Tried(one.at, None)
    moments = zip(calibration.moments, one.moments, strict=True)
    return Tried(one.at, np.array([*(m.residual(float(v)) for m, v in moments), *calibration.pulls(one.at)]))


def _tried(
    calibration: Calibration, store: Store, generation: int, beginning: int, points: list[np.ndarray],
    first: int, known: dict[int, Candidate],
) -> list[Candidate]:  # fmt: skip
    """Return the candidates of a generation: from disk, or run now and written."""
    numbers = range(first, first + len(points))
    for number, at in zip(numbers, points, strict=True):
        if number in known and not np.array_equal(known[number].at, at):
            raise StoreError(
                f"{store.place}: candidate {number} is not the one that this search tries: another version of a "
                "library or another machine began it; give a new folder with --out"
            )
    new = [(n, at) for n, at in zip(numbers, points, strict=True) if n not in known]
    if new:
        runs = evaluate(calibration, [at for _, at in new], calibration.moments, calibration.seeds)
        rows = [(n, at, e) for (n, at), e in zip(new, runs, strict=True)]
        for n, at, e in rows:
            known[n] = _candidate(calibration, n, beginning, at, e)
        store.write_table(_table(calibration, [known[n] for n in numbers]), PART, shard_name(generation))
    return [known[n] for n in numbers]


def _candidate(calibration: Calibration, number: int, beginning: int, at: np.ndarray, one: Evaluation) -> Candidate:
    moments = calibration.moments
    if one.runs is None:
        return Candidate(number, beginning, at, np.full(len(moments), np.nan), math.inf, one.message)
    values = np.array([m.over(column) for m, column in zip(moments, one.runs.T, strict=True)])
    return Candidate(number, beginning, at, values, float((all_residuals(calibration, at, one.runs) ** 2).sum()))


def _table(calibration: Calibration, candidates: list[Candidate]) -> pa.Table:
    """Return candidates as a table: objective, message, parameters, moments, and where in the unit cube."""
    columns: dict[str, Any] = {name: [getattr(c, name) for c in candidates] for name in _OWN}
    values = [calibration.values(c.at) for c in candidates]
    columns |= {axis.path: [v[axis.path] for v in values] for axis in calibration.axes}
    columns |= {_MOMENT + m.name: [float(c.moments[k]) for c in candidates] for k, m in enumerate(calibration.moments)}
    columns |= {_AT + a.path: [float(c.at[k]) for c in candidates] for k, a in enumerate(calibration.axes)}
    return pa.table(columns)


def _stored(calibration: Calibration, store: Store) -> dict[int, Candidate]:
    """Return the candidates on disk, by number."""
    frame = store.frame(PART)
    if frame.empty:
        return {}
    at = frame[[_AT + axis.path for axis in calibration.axes]].to_numpy(float)
    moments = frame[[_MOMENT + m.name for m in calibration.moments]].to_numpy(float)
    parts = zip(*(frame[name].tolist() for name in _OWN), at, moments, strict=True)
    return {number: Candidate(number, g, a, m, value, text) for number, g, value, text, a, m in parts}


def best(candidates: list[Candidate]) -> Candidate:
    """Return the candidate with the least objective, the earliest of equals. Raises StoreError if every one failed."""
    least = min(candidates, key=lambda c: (c.objective, c.number))
    if math.isinf(least.objective):
        raise StoreError(f"every candidate failed; the first, the scenario as it stands: {candidates[0].message}")
    return least


# --- the folder ---------------------------------------------------------------------------------------------------


def identity(calibration: Calibration) -> dict[str, Any]:
    """Return all that the candidates depend on: not the budget, not what is held out, not the fresh seeds."""
    declared = calibration.search
    return {
        "scenario": scenario_hash(calibration.scenario),
        "search": {name: getattr(declared, name) for name in ("seeds", "first_seed", "random", "step", "pull")},
        "free": {a.path: [a.low, a.high, a.log, a.whole] for a in calibration.axes},
        "moments": {
            m.name: [m.column, m.chip, m.reading, m.first, m.last, m.base, m.low, m.high, m.error, m.weight, m.over_seeds]
            for m in calibration.moments
        },
    }  # fmt: skip


def open_folder(calibration: Calibration, store: Store, command: str, write: bool = True) -> int:
    """Begin a search in a folder, or go on with the same one; return how many candidates are there.

    Raises StoreError when the folder holds something else.
    """
    text = json.dumps(identity(calibration), indent=1)
    manifest = {
        "study": hashlib.sha256(text.encode()).hexdigest()[:16],
        "sources": source_hash(),
        "chunk": "a generation",
        "command": command,
        "calibration": calibration.file,
        "versions": versions() | {"cmaes": importlib.metadata.version("cmaes")},
    }
    if write:
        store.open(manifest, text)
    else:
        store.check(manifest, text)
    return len(_stored(calibration, store))
