"""Where chunks of runs are played: threads, processes, dask."""

from __future__ import annotations

import concurrent.futures
import contextlib
import logging
import multiprocessing
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.sweeps.study import Study
from simulation.cores import cores


@dataclass(frozen=True)
class Job:
    """One chunk: runs ``first`` to ``last`` (exclusive) of a study, and where its shard goes."""

    study: Study
    place: str
    chunk: int
    first: int
    last: int


# --- the sweep ------------------------------------------------------------------------------------------------------


class ExecutorError(OSError):
    """Processes or a cluster cannot be used, or ended; the message says what to do."""


class _Pool:
    """Threads, processes or a cluster behind one face."""

    def __init__(self, workers: int | None, processes: int, dask: str) -> None:
        self.width = processes or workers or cores()
        self._dask: Any = None
        if dask:
            self._dask = _client(dask, self.width)
            self._pool: Any = self._dask
            self.width = max(1, sum(self._dask.ncores().values()))
        elif processes:
            # Ctrl-C reaches the whole group: the workers leave it to the one that waits for them.
            self._pool = concurrent.futures.ProcessPoolExecutor(
                processes,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=signal.signal,
                initargs=(signal.SIGINT, signal.SIG_IGN),
            )
        else:
            self._pool = concurrent.futures.ThreadPoolExecutor(self.width)

    def is_broken_by(self, error: BaseException) -> bool:
        """Return whether an error says that workers died, not that a run failed."""
        return isinstance(error, concurrent.futures.BrokenExecutor) or (
            self._dask is not None and type(error).__module__.startswith("distributed")
        )

    def submit(self, work: Callable, job: Job) -> Any:
        return self._pool.submit(work, job, pure=False) if self._dask else self._pool.submit(work, job)

    def wait(self, waiting: set[Any]) -> tuple[set[Any], set[Any]]:
        if self._dask:
            from dask.distributed import wait

            found = wait(list(waiting), return_when="FIRST_COMPLETED")
            return set(found.done), set(found.not_done)
        return concurrent.futures.wait(waiting, return_when=concurrent.futures.FIRST_COMPLETED)

    def drop(self, waiting: set[Any]) -> None:
        for future in waiting:
            future.cancel()

    def __enter__(self) -> _Pool:
        return self

    def __exit__(self, *_: Any) -> None:
        if self._dask:
            self._dask.close()
        else:
            self._pool.shutdown(wait=True, cancel_futures=True)


def check_main() -> None:
    """Refuse processes in a script that starts them without a guard: each would run the script anew. Raises ExecutorError."""
    import __main__

    file = getattr(__main__, "__file__", None)
    beginning = getattr(multiprocessing.current_process(), "_inheriting", False)
    if not beginning and (file is None or __main__.__spec__ is not None):
        return  # a prompt, or a module that was started as one
    try:
        text = "" if file is None else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return  # a program in an archive: it has a guard of its own
    if beginning or "__main__" not in text:
        raise ExecutorError(
            f"{file}: every process reads this script again, so what starts the sweep must not run when it is read: "
            "put it below a line  if __name__ == '__main__':  or leave processes (threads use all cores, too)"
        )


@contextlib.contextmanager
def _without_interrupts() -> Iterator[None]:
    """Ignore Ctrl-C for a moment (main thread only: elsewhere it does not arrive)."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _client(dask: str, width: int) -> Any:
    """Return a client of a dask cluster, one started here for 'local'. Raises ExecutorError."""
    try:
        from dask.distributed import Client
    except ImportError:
        raise ExecutorError("--dask: dask is not installed; pip install 'gpu-firesale[cluster]'") from None
    if dask == "local":
        with _without_interrupts():  # the workers inherit it: Ctrl-C is for the one that waits for them
            return Client(
                processes=True,
                n_workers=width,
                threads_per_worker=1,
                dashboard_address=None,
                silence_logs=logging.CRITICAL,
            )
    try:
        return Client(dask, timeout=10)
    except (OSError, ValueError, TypeError) as error:
        raise ExecutorError(
            f"--dask {dask}: no scheduler answers ({error}); give its address as tcp://HOST:PORT, or 'local'"
        ) from None
