"""Run a study: chunks of runs go to threads, processes or a dask cluster; each writes its own shard."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from agents.tables.events import CAUSES, EVENT
from experiments.sweeps.pool import ExecutorError, Job, _Pool, check_main
from experiments.sweeps.schema import runs_table
from experiments.sweeps.store import Store, StoreError, shard_name
from experiments.sweeps.stored import manifest, point_names, stored_study, study_files, study_text
from experiments.sweeps.study import MEASURES, Study, panel_columns
from simulation.month import HORIZON, MONTH, advance
from simulation.record.summary import summarise
from simulation.runs import InvariantError, raise_fault
from simulation.scenario.config import set_path
from simulation.scenario.faults import ConfigError
from simulation.scenario.scenario import Scenario
from simulation.world.build import build_world
from simulation.world.world import World

#: Seconds of work that a chunk should hold: short enough to lose little, long enough to write few files.
_CHUNK_SECONDS = 3.0


#: So many runs go together, stage by stage: a run sweeps all of Python out of the processor's caches, and to build
#: and to read a world after another takes half the time of doing it after a run. Fewer, where their agents are many.
_TOGETHER = 8


_AGENTS = 4_000


_local = threading.local()


@dataclass
class Progress:
    """How far a sweep is."""

    runs: int
    done: int = 0
    failed: int = 0
    skipped: int = 0


# --- one run --------------------------------------------------------------------------------------------------------


class _Run:
    """One run of a study, stage by stage: :meth:`build`, :meth:`advance`, :meth:`read`; its twin goes with it.

    ``row`` is what the table of runs gets, ``panels`` and ``events`` what is recorded. A stage that fails makes its
    message the row's, and the later ones do nothing.
    """

    def __init__(self, study: Study, run: int) -> None:
        self.study, self.run = study, run
        self.point, *self.draw = study.draw(run)
        seed, replication = self.draw
        self.row: dict[str, Any] = {
            "run": run,
            "point": self.point,
            "seed": seed,
            "replication": replication,
            **point_names(study)(self.point),
        }
        self.panels: list[dict[str, Any]] = []
        self.events: list[tuple[int, np.ndarray]] = []
        self.worlds: list[World] = []
        self.scenarios: list[Scenario] = []
        self.failed = False
        self.seconds = 0.0

    def attempt(self, stage: Callable[..., None], *given: Any) -> None:
        """Carry out a stage if none has failed, and note how long it takes."""
        if self.failed:
            return
        began = time.perf_counter()
        try:
            stage(*given)
        except (InvariantError, ConfigError, ArithmeticError, ValueError, MemoryError) as error:
            self.failed, self.worlds = True, []
            self.row |= {"status": "failed", "message": f"{type(error).__name__}: {error}"}
        self.seconds += time.perf_counter() - began

    def build(self, scenarios: dict[int, list[Scenario]]) -> None:
        """Build the world (and the twin's) in memory that this thread does not need any more."""
        if self.point not in scenarios:
            scenarios.clear()
            scenario = self.study.scenario_at(self.point)
            twin = self.study.plan.twin
            scenarios[self.point] = [scenario, set_path(scenario, twin, "twin")] if twin else [scenario]
        self.scenarios = scenarios[self.point]
        for scenario in self.scenarios:
            self.worlds.append(build_world(scenario, *self.draw, reuse=_spare().pop() if _spare() else None))

    def advance(self) -> None:
        """Advance to the horizon or to the study's stop."""
        for world, scenario in zip(self.worlds, self.scenarios, strict=True):
            _go(self.study, world, scenario)

    def read(self) -> None:
        """Read the measures and what is recorded; give the worlds' memory back."""
        found = measures(self.worlds[0])
        _record(self.study, self.worlds[0], self.run, self.panels, self.events)
        for twin in self.worlds[1:]:
            found |= {f"twin_{name}": value for name, value in measures(twin).items()}
        self.row |= found | {"status": "done", "message": ""}
        _spare().extend(self.worlds)
        self.worlds = []


def _spare() -> list[World]:
    """Return the worlds of this thread that nobody needs any more."""
    if not hasattr(_local, "spare"):
        _local.spare = []
    return _local.spare


def _go(study: Study, world: World, scenario: Scenario) -> None:
    """Advance a world to the horizon or to the study's stop; raise InvariantError if an identity is violated."""
    when = study.plan.stop.when
    if when is None:
        advance(world, HORIZON)
    else:
        while world.clock[0].month < len(world.panel) and world.clock[0].fault == 0:
            advance(world, MONTH)
            if _reached(world, when):
                break
    raise_fault(world, scenario)


def _reached(world: World, when: Any) -> bool:
    """Return whether the state after the last month has passed the threshold."""
    month = int(world.clock[0].month)
    if when.measure == "operators_failed":
        value = float((world.operators.status == 2).sum())
    elif when.measure == "lenders_failed":
        value = float((world.lenders.status == 2).sum())
    elif when.measure == "losses_total":
        value = float(world.panel.losses[:month].sum())
    else:
        value = float(world.panel[when.measure][month - 1])
    return value >= when.at_least if when.at_least is not None else value <= when.at_most


def measures(world: World) -> dict[str, Any]:
    """Return the summary of a world as one flat row."""
    summary = summarise(world)
    row = {name: summary[name] for name in MEASURES}
    # The summary names the causes that there were: a column is there for each, whatever a shard holds.
    return row | {f"defaults_{cause}": summary["defaults_by_cause"].get(cause, 0) for cause in CAUSES}


def run_together(study: Study, scenarios: dict[int, list[Scenario]], numbers: Iterable[int]) -> list[_Run]:
    """Return some runs, done; ``scenarios`` keeps those of the last point from call to call."""
    runs = [_Run(study, number) for number in numbers]
    for run in runs:
        run.attempt(run.build, scenarios)
    for run in runs:
        run.attempt(run.advance)
    for run in runs:
        run.attempt(run.read)
    return runs


def run_one(study: Study, run: int) -> tuple[dict[str, Any], list[dict[str, Any]], list[tuple[int, np.ndarray]]]:
    """Return the row of a run, its recorded panel (columns) and events; a failing run is a row with its message."""
    (done,) = run_together(study, {}, [run])
    return done.row, done.panels, done.events


def _record(study: Study, world: World, run: int, panels: list, events: list) -> None:
    clock, panel, chip_panel = (table.view(np.ndarray) for table in (world.clock, world.panel, world.chip_panel))
    months = int(clock["month"][0])
    if study.plan.record.panel:
        columns = panel_columns(study.scenario)
        n_g = len(world.chips)
        data: dict[str, Any] = {"run": np.full(months, run), "month": np.arange(months)}
        for name in study.plan.record.panel:
            column, g = columns[name]
            data[name] = panel[column][:months].copy() if g < 0 else chip_panel[column][g : months * n_g : n_g].copy()
        panels.append(data)
    if study.plan.record.events:
        events.append((run, world.events[: clock["events"][0]].copy()))


# --- chunks ---------------------------------------------------------------------------------------------------------


def run_chunk(job: Job) -> tuple[int, int, int]:
    """Carry out a chunk and write its shards, that of the runs last; return (chunk, runs done, runs failed)."""
    runs: list[_Run] = []
    scenarios: dict[int, list[Scenario]] = {}
    first, size = job.first, 1
    while first < job.last:
        runs += run_together(job.study, scenarios, range(first, min(job.last, first + size)))
        first += size
        nodes = max((len(world.first_lot) for world in _spare()), default=_AGENTS)
        size = max(1, min(_TOGETHER, _AGENTS // nodes))
    rows = [run.row for run in runs]
    panels = [panel for run in runs for panel in run.panels]
    events = [happened for run in runs for happened in run.events]
    store = Store(job.place)
    if panels:
        store.write_table(
            pa.table({name: np.concatenate([p[name] for p in panels]) for name in panels[0]}),
            "panel",
            shard_name(job.chunk),
        )
    if events:
        store.write_table(_events_table(events), "events", shard_name(job.chunk))
    times = {"run": [run.run for run in runs], "wall_ms": [1e3 * run.seconds for run in runs]}
    store.write_table(pa.table(times), "times", shard_name(job.chunk))
    store.write_table(runs_table(job.study, rows), "runs", shard_name(job.chunk))
    failed = sum(row["status"] != "done" for row in rows)
    return job.chunk, len(rows) - failed, failed


def _events_table(events: list[tuple[int, np.ndarray]]) -> pa.Table:
    rows = np.concatenate([happened for _, happened in events])
    runs = np.concatenate([np.full(len(happened), run) for run, happened in events])
    return pa.table({"run": runs} | {c.name: np.ascontiguousarray(rows[c.name]) for c in EVENT.columns})


def chunk_size(study: Study, seconds_a_run: float) -> int:
    """Return how many runs a chunk holds: some seconds of work, at most an eighth of the study, whole points if small."""
    size = max(1, round(_CHUNK_SECONDS / max(seconds_a_run, 1e-4)))
    return max(1, min(size, 512, -(-study.runs // 8)))


def missing(study: Study, store: Store, size: int) -> tuple[list[Job], int]:
    """Return the chunks whose shards are not there, and how many runs of the others failed."""
    todo, failed = [], 0
    for chunk, first in enumerate(range(0, study.runs, size)):
        found = store.failed(chunk)
        if found is None:
            todo.append(Job(study, store.place, chunk, first, min(study.runs, first + size)))
        else:
            failed += found
    return todo, failed


def there(study: Study, place: str) -> int:
    """Return how many runs of a study a folder holds. Raises StoreError if the folder cannot be used for it."""
    store = Store(place)
    known = store.manifest()
    size = known["chunk"] if known else 1
    if store.check(manifest(study, size, ""), study_text(study)) is None:
        return 0
    return study.runs - sum(job.last - job.first for job in missing(study, store, size)[0])


def sweep(
    study: Study,
    place: str,
    *,
    command: str = "",
    workers: int | None = None,
    processes: int = 0,
    dask: str = "",
    fail_fast: bool = False,
    break_lock: bool = False,
    tell: Callable[[Progress], None] = lambda progress: None,
) -> Progress:
    """Run what is missing of a study in a folder; return how far it is.

    Threads by default (the kernels release the interpreter's lock); ``processes`` or a ``dask`` address instead.
    Interrupted, it lets chunks under way end or be dropped, and the next call does the rest. Runs that are stored as
    failed are counted, not repeated: the same draws fail again. ``break_lock`` takes the folder from whoever holds it.
    Raises StoreError, ExecutorError.
    """
    if processes or dask == "local":
        check_main()
    store = Store(place)
    if store.of_one_process and (processes or dask):
        raise StoreError(
            f"{place}: is seen by one process alone: give a folder with --out, or leave --processes and --dask"
        )
    with store.locked(break_lock=break_lock):
        study, size = _begun(study, store, command)
        todo, failed = missing(study, store, size)
        progress = Progress(study.runs, failed=failed)
        before = failed
        progress.skipped = progress.done = study.runs - sum(job.last - job.first for job in todo)
        tell(progress)
        with _Pool(workers, processes, dask) as pool:
            # Few chunks wait in the queue: memory does not grow with the number of runs.
            waiting: set[Any] = set()
            queue = iter(todo)
            try:
                while True:
                    while len(waiting) < 3 * pool.width and (job := next(queue, None)) is not None:
                        waiting.add(pool.submit(run_chunk, job))
                    if not waiting:
                        return progress
                    ended, waiting = pool.wait(waiting)
                    for future in ended:
                        _, done, failed = future.result()
                        progress.done += done + failed
                        progress.failed += failed
                    tell(progress)
                    if fail_fast and progress.failed > before:
                        pool.drop(waiting)
                        return progress
            except BaseException as error:
                pool.drop(waiting)
                if pool.is_broken_by(error):
                    raise ExecutorError(
                        f"a worker process ended ({type(error).__name__}: too little memory?); what is done is kept: go on with the same command and fewer processes"
                    ) from error
                raise


def _begun(study: Study, store: Store, command: str) -> tuple[Study, int]:
    """Begin a sweep in its folder or go on with it; return the study that runs and the size of chunks."""
    known = store.manifest()
    size = known["chunk"] if known else chunk_size(study, measure(study))
    files = study_files(study)
    store.open(manifest(study, size, command), study_text(study), files)
    # What is kept is what runs, even if the files are changed meanwhile; a URL's copies are out of reach of workers.
    return (stored_study(store.place) if files and not store.remote else study), size


def measure(study: Study, runs: int = 3) -> float:
    """Return the seconds that a run takes on this machine, compiled rules assumed (the first run is not counted)."""
    taken = []
    for run in dict.fromkeys(np.linspace(0, study.runs - 1, runs + 1).astype(int).tolist()):
        began = time.perf_counter()
        run_one(study, run)
        taken.append(time.perf_counter() - began)
    return float(np.median(taken[1:] or taken))
