"""Cut a failure down to the settings that it takes."""

from __future__ import annotations

from collections.abc import Callable

from experiments.campaign.draw import Changes

#: Runs that the search for the shortest list may take: a draw of two hundred settings needs about sixty.
_MOST = 400


def shrink(changes: Changes, fails: Callable[[Changes], bool], most: int = _MOST) -> Changes:
    """Return a list of settings that still fails and of which no single one can be left out.

    Parts of the list are dropped, halves first, then smaller ones (delta debugging; Zeller, Hildebrandt 2002), for at
    most ``most`` runs; after that the shortest list so far is returned.
    """
    kept, part, runs = dict(changes), max(1, len(changes) // 2), 0
    while kept:
        names, dropped = list(kept), False
        for first in range(0, len(names), part):
            out = set(names[first : first + part])
            fewer = {path: value for path, value in kept.items() if path not in out}
            if len(fewer) == len(kept):
                continue
            if runs >= most:
                return kept
            runs += 1
            if fails(fewer):
                kept, dropped = fewer, True
        if part > 1:
            part = max(1, part // 2)
        elif not dropped:
            return kept
    return kept
