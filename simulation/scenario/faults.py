"""Faults of config files: where, which parameter, what is wrong."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable
from typing import Any, NamedTuple


class Spot(NamedTuple):
    """Where a value was set: a place in a file (counted from 1), or an option such as ``--set`` (line 0)."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


class Fault(NamedTuple):
    """One fault: ``where`` is "file:line:column", a file or an option; ``path`` the dotted parameter or ""."""

    where: str
    path: str
    message: str

    def __str__(self) -> str:
        return ": ".join(part for part in self if part)


class ConfigError(Exception):
    """All faults of a config or of an input file; its text is one line a fault."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = list(faults)
        super().__init__(self.faults)

    def __str__(self) -> str:
        return "\n".join(map(str, self.faults))


class _Refused(Exception):
    """A text or a path of parameters cannot be read; the message says why."""


def _shown(value: Any) -> str:
    """Return a value as a message shows it, short."""
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a section"
    if isinstance(value, list | tuple) and not all(isinstance(v, int | float) for v in value):
        return f"a list of {len(value)}"
    if isinstance(value, bool):
        return str(value).lower()
    text = ascii(value) if isinstance(value, str) and not value.isprintable() else repr(value)
    text = text.replace("(", "[").replace(")", "]") if isinstance(value, tuple) else text
    return text if len(text) <= 60 else text[:56] + " ..."


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    names = {other.lower(): other for other in known}
    close = difflib.get_close_matches(name.lower(), names, 1, 0.6)
    return f"; did you mean '{names[close[0]]}'" if close else ""


def _file_hint(path: str) -> str:
    """Return a suggestion of a file of the same folder and type with a similar name."""
    folder, name = os.path.split(path)
    stem, kind = os.path.splitext(name)
    try:
        there = [os.path.splitext(other) for other in sorted(os.listdir(folder or ".")) if other.isprintable()]
    except (OSError, ValueError):
        return ""
    hint = _did_you_mean(stem, [other for other, its_kind in there if its_kind == kind])
    return hint and f"{hint[:-1]}{kind}'"
