"""Files that a scenario reads, kept beside its results: by their content, so that results can be moved and repeated.

A file that comes with the program is named (``shipped:data/series_btc_usd_monthly.csv``), any other is copied to
``inputs/NAME-HASH.csv`` in the results folder. A config that is written there holds these names and no place of the
machine that it was written on.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from simulation.scenario.config import get_path, input_files
from simulation.scenario.document import SHIPPED, base_config
from simulation.scenario.scenario import Scenario
from simulation.scenario.walking import file_parameters

#: The folder of a results folder in which files are kept.
FOLDER = "inputs"


class Input(NamedTuple):
    """A file that is read: ``name`` in a config beside the results, ``content`` to keep (None: shipped), its hash."""

    name: str
    content: bytes | None
    sha256: str


def kept(path: str | Path) -> Input:
    """Return how a file is kept. Raises OSError if it cannot be read."""
    file = Path(path)
    content = file.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    home = base_config().parent
    if file.is_relative_to(home):
        return Input(SHIPPED + file.relative_to(home).as_posix(), None, digest)
    # A file that is kept already keeps its name.
    stem = file.stem.removesuffix(f"-{digest[:16]}")
    stem = re.sub(r"[^A-Za-z0-9._]+", "_", stem)[:40] or "file"
    return Input(f"{FOLDER}/{stem}-{digest[:16]}{file.suffix.lower()}", content, digest)


def inputs(scenario: Scenario) -> dict[str, Input]:
    """Return the files that a scenario reads, by dotted path of the parameter that names them. Raises OSError."""
    return {name: kept(path) for name, path in input_files(scenario).items()}


def names(scenario: Scenario, found: Mapping[str, Input], up: str = "") -> dict[str, str]:
    """Return what a config beside the results writes for each parameter that names a file.

    ``up`` leads from the config's folder to that of ``inputs/``. Files that are named and not read are named only.
    """
    written = {}
    for name in file_names():
        path = get_path(scenario, name)
        if name in found:
            written[name] = found[name].name if found[name].content is None else up + found[name].name
        elif path is not None:
            home = base_config().parent
            own = Path(path)
            inside = own.is_relative_to(home)
            written[name] = SHIPPED + own.relative_to(home).as_posix() if inside else own.name
    return written


@cache
def file_names() -> frozenset[str]:
    """Return the dotted paths of the parameters that name a file."""
    return frozenset(".".join(map(str, keys)) for keys in file_parameters())


def with_files(changes: Mapping[str, Any], change: Callable[[str], str]) -> dict[str, Any]:
    """Return changes of parameters with every name of a file, one or a list of them, replaced by ``change(name)``."""

    def new(value: Any) -> Any:
        if isinstance(value, str):
            return change(value)
        return type(value)(map(new, value)) if isinstance(value, list | tuple) else value

    return {name: new(value) if name in file_names() else value for name, value in changes.items()}


def named_files(changes: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the files that some changes of parameters name."""
    found: dict[str, None] = {}

    def note(name: str) -> str:
        found.setdefault(name)
        return name

    for one in changes:
        with_files(one, note)
    return list(found)
