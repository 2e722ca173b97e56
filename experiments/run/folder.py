"""Where a results folder goes: it appears whole, replaces the same run only, and takes nothing of anybody else's along."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import secrets
import shutil
from pathlib import Path
from typing import Any, NamedTuple

from agents.rule import source_hash
from experiments.output import OutputError, sha256, sync, unwritable
from simulation.locking import LockedError, locked
from simulation.scenario.config import scenario_hash
from simulation.scenario.scenario import Scenario

PROGRAM = "gpu-firesale"


#: What a run is told apart by, and what to call it.
_IDENTITY = {
    "scenario_hash": "scenario", "twin_hash": "twin", "seed": "seed", "replication": "replication", "source_hash": "version of the engine",
    "page": "steps on the page",
}  # fmt: skip


#: Names of what is being written, and of the lock.
_LITTER = re.compile(r"\..*\.[0-9a-f]{8}|\.lock")


class Placed(NamedTuple):
    """Where results went, and whether the same run was there before."""

    folder: Path
    again: bool


def identity(
    scenario: Scenario, seed: int, replication: int = 0, twin: Scenario | None = None, page: str | None = None
) -> dict[str, Any]:
    """Return what a run is told apart by: the same values give the same numbers.

    ``page`` is given for a run that somebody stepped through: it may have been changed on the way.
    """
    return {
        "scenario_hash": scenario_hash(scenario), "twin_hash": None if twin is None else scenario_hash(twin), "seed": seed,
        "replication": replication, "source_hash": source_hash(), "page": page,
    }  # fmt: skip


def check_output(folder: str | os.PathLike[str], run: dict[str, Any] | None = None, *, numbered: bool = False) -> Path:
    """Return the absolute folder if results can be written there, a link followed.

    ``run`` is the identity of what is to be written: the same run may be there already. ``numbered``: anything may be
    there, because a free number is added to the name. Raises OutputError.
    """
    path = Path(os.path.abspath(folder))
    try:
        path = Path(os.path.realpath(folder))
        if not numbered and (why := _refusal(path, run)):
            raise OutputError(f"{path}: {why}")
        if not os.path.lexists(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        temporary(path, inside=not numbered).rmdir()
    except OutputError:
        raise
    except (OSError, ValueError) as error:
        raise unwritable(path, error) from error
    return path


def temporary(path: Path, *, inside: bool = True) -> Path:
    """Make and return a hidden folder to write in: beside ``path``, or in it if it is there and may be all we have.

    The folder above a mount or a working folder can be somebody else's, and on another disk.
    """
    name = f".{path.name}.{secrets.token_hex(4)}"
    work = path / name if inside and path.is_dir() else path.with_name(name)
    work.mkdir()
    return work


def put(work: Path, path: Path, run: dict[str, Any], *, numbered: bool) -> Placed:
    """Put what was written in ``work`` to ``path``, or, if something else is there and ``numbered``, to a free number.

    A new folder is a rename, which only one of two processes can do. Raises OutputError when something else is there.
    """
    for k in itertools.count(1):
        target = path if k == 1 else path.with_name(f"{path.name}-{k}")
        if not os.path.lexists(target):
            try:
                work.rename(target)
            except OSError:
                if not os.path.lexists(target):
                    raise
            else:
                sync(target.parent)
                return Placed(target, False)
        why = _refusal(target, run)
        if not why:
            try:
                with locked(target / ".lock"):
                    why = _refusal(target, run, work)
                    if not why:
                        again = is_results(target)
                        _renew(target, work)
                        return Placed(target, again)
            except LockedError as other:
                why = f"is being written by another process ({other}); wait for it, or give another folder with --out"
        if not numbered:
            raise OutputError(f"{target}: {why}")
    raise AssertionError("numbers do not end")


def is_results(folder: Path) -> bool:
    """Return whether a folder holds the results of a run."""
    return _manifest(folder) is not None


def _refusal(path: Path, run: dict[str, Any] | None, work: Path | None = None) -> str:
    """Return why results may not be written to a folder; "" if they may: it is new, empty, or holds the same run.

    ``work`` holds what is to be written: nothing that stands in its way may be somebody else's.
    """
    if not os.path.lexists(path):
        return ""
    if not path.is_dir():
        return "is a file; give another folder with --out"
    if all(_LITTER.fullmatch(name) for name in os.listdir(path)):
        return ""
    found = _manifest(path)
    if found is None:
        return "is not empty and not a results folder; give another folder with --out"
    if run is None:
        return "holds the results of a run; give another folder with --out"
    other = [word for key, word in _IDENTITY.items() if found.get(key, 0 if key == "replication" else None) != run[key]]
    if other:
        return f"holds the results of another run (not the same: {', '.join(other)}); give another folder with --out"
    written = found.get("files", {})
    touched = sorted(name for name, digest in written.items() if _differs(path / name, digest))
    if work is not None:
        touched += [
            name
            for name in _files(work)
            if name not in written and name != "manifest.json" and os.path.lexists(path / name)
        ]
    if touched:
        return f"holds the same run, but {', '.join(touched[:3])} there {'were' if len(touched) > 1 else 'was'} changed or added since; give another folder with --out"
    return ""


def _differs(file: Path, digest: str) -> bool:
    return os.path.lexists(file) and (file.is_symlink() or not file.is_file() or sha256(file) != digest)


def _files(folder: Path) -> list[str]:
    return sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())


def _renew(target: Path, work: Path) -> None:
    """Move the files of ``work`` into a folder that is there, file by file, the manifest last; remove what it wrote before.

    The folder itself stays: it may be the working folder, a mount, or hold notes.
    """
    new = _files(work)
    old = (_manifest(target) or {}).get("files", {})
    for name in sorted(new, key=lambda name: name == "manifest.json"):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        os.replace(work / name, target / name)
    gone = [target / name for name in old if name not in new]
    for file in gone:
        file.unlink(missing_ok=True)
    for folder in sorted({file.parent for file in gone} - {target}, key=lambda folder: -len(folder.parts)):
        with contextlib.suppress(OSError):
            folder.rmdir()
    shutil.rmtree(work, ignore_errors=True)
    sync(target)


def _manifest(folder: Path) -> dict[str, Any] | None:
    try:
        found = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and found.get("program") == PROGRAM else None
