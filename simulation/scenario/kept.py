"""``@kept``: what a scenario alone decides is worked out once; a sweep builds thousands of worlds of each."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from threading import Lock
from typing import Any

#: How many scenarios are remembered; a sweep of pairs needs two, the page a few.
_MOST = 32


def kept[Given, Found](work: Callable[[Given], Found]) -> Callable[[Given], Found]:
    """Remember what a function of one frozen section (a scenario is one) returned for the last ones it was given.

    They are told apart by identity: to compare or hash a scenario takes longer than a world. Whoever calls must
    not write what is returned, other threads read it.
    """
    found: dict[int, tuple[Any, Found]] = {}
    lock = Lock()

    @wraps(work)
    def recall(given: Given) -> Found:
        known = found.get(id(given))
        if known is None:
            known = (given, work(given))
            with lock:
                while len(found) >= _MOST:
                    del found[next(iter(found))]
                # The section is held, too: while it stands here, no other one can have its number.
                found[id(given)] = known
        return known[1]

    return recall
