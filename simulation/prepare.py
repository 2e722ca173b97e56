"""The first start: the rules of a month are compiled once, the cascade in a process of its own beside the rest.

Numba compiles in one thread; two processes that fill the same cache take the time of the longer part: the cascade.
Processes that start together (tests, a sweep) do not compile the same rules side by side: one does, the others wait.
"""

from __future__ import annotations

import base64
import contextlib
import os
import pickle
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from typing import Any

import numba

from agents.rule import Borrowed, cache_folder, compiled_mark, is_compiled_on_disk
from simulation.cores import cores
from simulation.locking import LockedError, locked
from simulation.world.world import World

#: Seconds after which the process beside this one is taken for dead.
_PATIENCE = 300.0
_lock = Lock()
_ready = False


def prepare(world: World, entry: Any, phases: tuple[Any, ...], apart: int) -> None:
    """Compile ``entry`` and the rules of the phases for worlds like ``world``, unless that was done before.

    ``apart`` is the number of the phase that is compiled in a process of its own. Nothing to do for plain functions.
    """
    global _ready
    if _ready or not hasattr(entry, "py_func"):
        return
    with _lock:
        if not _ready and not is_compiled_on_disk() and cache_folder() is not None:
            with _alone():
                if not is_compiled_on_disk():
                    _compile(numba.typeof(world), numba.typeof(world.clock).dtype, entry, phases, apart)
        _ready = True


def _compile(world: Any, clock: Any, entry: Any, phases: tuple[Any, ...], apart: int) -> None:
    """Compile all phases, one of them elsewhere, then the rule that walks them; leave the mark."""
    # The walker hands its world on as a pointer.
    lent = Borrowed(world)
    task = base64.b64encode(pickle.dumps((apart, lent, clock))).decode()
    command = [sys.executable, "-c", f"from simulation.prepare import compile_one; compile_one({task!r})"]
    root = str(Path(__file__).resolve().parents[1])
    path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    beside = None
    if cores() > 1:
        beside = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": path}, stderr=subprocess.DEVNULL)
    try:
        for k, phase in enumerate(phases):
            if k != apart:
                phase.compile((lent, clock))
        if beside is not None:
            # If it failed or takes too long, what it should have compiled is compiled below.
            with contextlib.suppress(subprocess.TimeoutExpired):
                beside.wait(_PATIENCE)
            beside.kill()
    except BaseException:
        if beside is not None:
            beside.kill()
        raise
    entry.compile((world, numba.int64))
    mark = compiled_mark()
    if mark is not None:
        mark.touch()


def compile_one(task: str) -> None:
    """Compile the rule of one phase: ``task`` holds its number and the types of its arguments."""
    from simulation.month import PHASE_RULES  # here, because the month asks this module

    phase, world, clock = pickle.loads(base64.b64decode(task))
    PHASE_RULES[phase].compile((world, clock))


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Hold the place of the one process that compiles; wait for another that does, as long as it lives."""
    folder = cache_folder()
    assert folder is not None
    with contextlib.ExitStack() as held:
        while not is_compiled_on_disk():
            try:
                held.enter_context(locked(folder / "compiling"))
                break
            except LockedError:
                time.sleep(0.1)
        yield
