"""Cascades as genealogies: which default or failure descends from which."""

from __future__ import annotations

import numpy as np

from agents.rule import entry
from agents.schema import Rows
from agents.tables.events import EventKind


@entry
def trace(events, n, near, root, depth):
    """Trace defaults and lender failures to the first of their cascade.

    Parents stand before their children. Writes for each of the ``n`` events: ``near`` the nearest default or
    failure at or above it (-1 none), ``root`` the first of that cascade (-1), ``depth`` its generation (0 a root).
    """
    for k in range(n):
        e = events[k]
        up = near[e.parent] if e.parent >= 0 else -1
        near[k] = up
        root[k] = -1
        depth[k] = 0
        if e.kind == EventKind.DEFAULT or e.kind == EventKind.LENDER_FAILURE:
            near[k] = k
            root[k] = root[up] if up >= 0 else k
            depth[k] = depth[up] + 1 if up >= 0 else 0


def cascades(events: Rows) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (near, root, depth), int64 arrays of one entry an event; see :func:`trace`."""
    n = len(events)
    near, root, depth = (np.full(max(n, 1), -1, np.int64) for _ in range(3))
    trace(events, n, near, root, depth)
    return near[:n], root[:n], depth[:n]


@entry
def tally(events, root, depth, causes, sizes):
    """Count the events of a run by what they are, and its cascades.

    Adds defaults by cause to ``causes``, and to ``sizes`` at each cascade's first event its agents. Returns
    (defaults, lender failures, cascades, largest, deepest, how many of the two were caused by an earlier one).
    """
    failures = 0
    defaults = 0
    number = 0
    largest = 0
    deepest = 0
    caused = 0
    for k in range(len(events)):
        if events[k].kind == EventKind.DEFAULT:
            defaults += 1
            causes[events[k].cause] += 1
        elif events[k].kind == EventKind.LENDER_FAILURE:
            failures += 1
        if root[k] < 0:
            continue
        size = sizes[root[k]] + 1
        sizes[root[k]] = size
        if size == 1:
            number += 1
        largest = max(largest, size)
        deepest = max(deepest, depth[k])
        if depth[k] > 0:
            caused += 1
    return defaults, failures, number, largest, deepest, caused
