"""The laboratory: plays a changed base on numbered draws, keeps every run, and never plays one twice.

All claims share their runs: an arm, the end of a range and a point of the joint design are each a set of changes of the
base, and a run of it gives every measure at once. Two sets of changes see the same draws under the same number.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from experiments import prices
from experiments.evidence.claims import measures
from experiments.many import WIDTH
from experiments.sweeps.store import Store, shard_name
from simulation.month import HORIZON, advance
from simulation.runs import InvariantError, raise_fault
from simulation.scenario.config import scenario_hash, set_path
from simulation.scenario.faults import ConfigError
from simulation.scenario.scenario import Scenario
from simulation.world.build import build_world
from simulation.world.world import World

Changes = Mapping[str, Any]

#: Runs that one thread plays together, stage by stage: Python and the rules push each other out of the caches.
_TOGETHER = 8
#: Seconds between two shards of the log: what a killed process may lose.
_SHARD_SECONDS = 10.0
_ROOT = Path(__file__).resolve().parents[3]


class Played(NamedTuple):
    """Runs of one set of changes: measures (runs x measures, nan where a run failed), messages ("" where it did not)."""

    values: np.ndarray
    messages: list[str]


Play = Callable[[Changes, Sequence[int]], Played]


class Engine:
    """Plays the simulation: changes of ``base``, replications of ``seed``."""

    def __init__(self, base: Scenario, seed: int = 1) -> None:
        self.base, self.seed = base, seed
        self._local = threading.local()

    def __call__(self, changes: Changes, numbers: Sequence[int]) -> Played:
        """Play replications ``numbers``. A scenario that is not valid and a run that stops with a fault are messages."""
        values = np.full((len(numbers), len(measures.MEASURES)), np.nan)
        messages = [""] * len(numbers)
        spare: list[World] = self._local.__dict__.setdefault("spare", [])
        try:
            scenario = set_path(self.base, changes) if changes else self.base
            worlds = [build_world(scenario, self.seed, n, reuse=spare.pop() if spare else None) for n in numbers]
        except (ConfigError, ArithmeticError, ValueError) as error:
            return Played(values, [str(error)] * len(numbers))
        for k, world in enumerate(worlds):
            advance(world, HORIZON)
            try:
                raise_fault(world, scenario)
            except InvariantError as error:
                messages[k] = str(error)
        for k, world in enumerate(worlds):
            if not messages[k]:
                values[k] = measures.read(world)
        spare.extend(worlds)
        return Played(values, messages)


class Lab:
    """Runs by changes and number. ``spent`` counts those asked for, played now or found in the log."""

    def __init__(
        self,
        play: Play,
        names: Sequence[str] = measures.MEASURES,
        workers: int = WIDTH,
        log: Log | None = None,
        tell: Callable[[Lab], None] = lambda lab: None,
    ) -> None:
        """``play`` gives measures ``names``; ``tell`` is called now and then while runs are played."""
        self.names = tuple(names)
        #: What is being done, for whoever watches.
        self.stage = ""
        self._played, self._waiting, self._seconds = 0, 0, 0.0
        self._play, self._workers, self._log, self._tell = play, workers, log, tell
        self._found: dict[tuple[str, int], np.ndarray] = {}
        self._failed: dict[tuple[str, int], str] = {}
        self._changes: dict[str, Changes] = {}
        self._asked: set[tuple[str, int]] = set()
        for run, values, message in log.read(self.names) if log else ():
            self._keep(run, values, message)

    @property
    def spent(self) -> int:
        """Runs asked for so far."""
        return len(self._asked)

    @property
    def done(self) -> int:
        """Runs asked for and there."""
        return len(self._asked) - self._waiting

    @property
    def speed(self) -> float:
        """Runs played a second, 0 before the first."""
        return self._played / self._seconds if self._seconds else 0.0

    def failures(self) -> list[tuple[Changes, str, int]]:
        """Return (changes, message, runs) of the runs asked for that failed, most first."""
        count: dict[tuple[str, str], int] = {}
        for run in self._asked & self._failed.keys():
            # Month and place differ from run to run: the first words say which fault it is.
            what = (run[0], self._failed[run].partition(" (")[0])
            count[what] = count.get(what, 0) + 1
        found = [(self._changes[key], message, n) for (key, message), n in count.items()]
        return sorted(found, key=lambda item: (-item[2], _text(item[0]), item[1]))

    def cost(self, wanted: Iterable[tuple[Changes, Sequence[int]]]) -> int:
        """Return how many runs ``spent`` would rise by if they were asked for."""
        return len({(key, n) for changes, numbers in wanted for key in (_key(changes),) for n in numbers} - self._asked)

    def need(self, wanted: Iterable[tuple[Changes, Sequence[int]]]) -> None:
        """Play what is asked for and is not there yet, on all workers; what is done is logged even when interrupted."""
        jobs: list[tuple[str, Changes, list[int]]] = []
        for changes, numbers in wanted:
            key = _key(changes)
            self._changes[key] = changes
            new = [n for n in numbers if (key, n) not in self._found and (key, n) not in self._asked]
            self._asked.update((key, n) for n in numbers)
            jobs += [(key, changes, new[k : k + _TOGETHER]) for k in range(0, len(new), _TOGETHER)]
        if not jobs:
            return
        self._waiting, began = sum(len(numbers) for _, _, numbers in jobs), time.monotonic()
        before = self._seconds
        pool = ThreadPoolExecutor(self._workers)
        try:
            waiting = {pool.submit(self._play, changes, numbers): (key, numbers) for key, changes, numbers in jobs}
            for future in as_completed(waiting):
                key, numbers = waiting[future]
                self._take(key, numbers, future.result())
                self._seconds = before + time.monotonic() - began
                self._tell(self)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
            if self._log:
                self._log.flush()

    def _take(self, key: str, numbers: Sequence[int], done: Played) -> None:
        for n, values, message in zip(numbers, done.values, done.messages, strict=True):
            self._keep((key, n), values, message)
            if self._log:
                self._log.add((key, n), self._changes[key], values, message, self.names)
        self._played += len(numbers)
        self._waiting -= len(numbers)

    def _keep(self, run: tuple[str, int], values: np.ndarray, message: str) -> None:
        self._found[run] = values
        if message:
            self._failed[run] = message

    def values(self, changes: Changes, numbers: Sequence[int], names: Sequence[str]) -> np.ndarray:
        """Return some measures (runs x names) of runs of ``changes``; those that are missing are played."""
        self.need([(changes, numbers)])
        key = _key(changes)
        columns = [self.names.index(name) for name in names]
        return np.array([self._found[key, n][columns] for n in numbers]).reshape(len(numbers), len(columns))


class Log:
    """Runs on a disk, a shard every few seconds; the folder is named by the sources and by the base."""

    def __init__(self, place: Path, base: Scenario, seed: int = 1) -> None:
        """Take a folder below ``place``. Raises StoreError if nothing can be written there."""
        self.store = Store(str(place / f"{_sources()}-{scenario_hash(base)}-{seed}"))
        self._rows: list[dict[str, Any]] = []
        self._next = 1 + max((int(name.partition(".")[0]) for name in self.store.shards("runs")), default=-1)
        self._since = time.monotonic()

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes out while runs are added."""
        with self.store.locked():
            yield

    def read(self, names: Sequence[str]) -> Iterator[tuple[tuple[str, int], np.ndarray, str]]:
        """Yield (key and number, measures, message) of every run that is kept."""
        frame = self.store.frame("runs")
        if frame.empty:
            return
        values = frame[list(names)].to_numpy(float)
        for row, key, number, message in zip(values, frame["key"], frame["number"], frame["message"], strict=True):
            yield (key, int(number)), row, message

    def add(
        self, run: tuple[str, int], changes: Changes, values: np.ndarray, message: str, names: Sequence[str]
    ) -> None:
        """Keep a run; every few seconds what came together is written."""
        row = {"key": run[0], "number": run[1], "changes": _text(changes), "message": message}
        self._rows.append(row | dict(zip(names, values.tolist(), strict=True)))
        if time.monotonic() - self._since > _SHARD_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write what has not been written."""
        if self._rows:
            self.store.write_table(pa.Table.from_pylist(self._rows), "runs", shard_name(self._next))
            self._rows, self._next = [], self._next + 1
        self._since = time.monotonic()


def _text(changes: Changes) -> str:
    return json.dumps(dict(changes), sort_keys=True)


def _key(changes: Changes) -> str:
    """Return 16 hex digits of a set of changes, whatever their order."""
    return hashlib.sha256(_text(changes).encode()).hexdigest()[:16]


def _sources() -> str:
    """Return 16 hex digits of everything that decides a run: all of the engine, what is read from it, and how."""
    files = [
        p for folder in ("agents", "simulation") for p in (_ROOT / folder).rglob("*.py") if "browser" not in p.parts
    ]
    digest = hashlib.sha256()
    for path in (*sorted(files), Path(measures.__file__), Path(prices.__file__)):
        digest.update(path.relative_to(_ROOT).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
