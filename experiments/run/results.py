"""A results folder: what a run leaves on disk.

    config.yaml      the resolved scenario; ``firesale run config.yaml`` repeats the run
    summary.json     the measures of the run
    manifest.json    versions, seed, hashes of scenario and sources, command, wall times
    *.parquet        panel, chip_panel, kind_panel (monthly), events, trades, flows (month x item, USD)
    tables/          final state of every table
    twin/            the same for the twin, if there is one

Columns of the Parquet files carry their unit and meaning as field metadata. A folder appears complete or not at
all: it is written under another name, synced to disk and renamed.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import math
import os
import platform
import secrets
import shutil
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from agents.rule import source_hash
from agents.schema import TABLES
from agents.tables.ledger import ITEMS
from simulation.scenario.config import input_files, scenario_hash, scenario_to_yaml
from simulation.world.inputs.inputs import recorded

PROGRAM = "gpu-firesale"


FRAMES = ("panel", "chip_panel", "kind_panel", "events", "trades", "flows")


#: Columns that a result adds to those of the schema, for readers.
_LABELS = {
    "date": {"unit": "date", "meaning": "first day of the month"},
    "node_name": {"unit": "text", "meaning": "name of the node"},
    "other_name": {"unit": "text", "meaning": "name of the counterparty"},
}


_PACKAGES = ("numpy", "numba", "mesa", "pandas", "pyarrow")


class OutputError(OSError):
    """The results cannot be written where they were asked for."""


class Results(NamedTuple):
    """A results folder read back; ``twin`` holds the same for the twin, without a manifest of its own."""

    folder: Path
    manifest: dict[str, Any]
    summary: dict[str, Any]
    panel: pd.DataFrame
    chip_panel: pd.DataFrame
    kind_panel: pd.DataFrame
    events: pd.DataFrame
    trades: pd.DataFrame
    flows: pd.DataFrame
    tables: dict[str, pd.DataFrame]
    twin: Results | None


def check_output(folder: str | os.PathLike[str]) -> Path:
    """Return the absolute folder if results can be written there.

    An earlier results folder may be replaced, anything else that is not empty may not. Raises :class:`OutputError`.
    """
    path = Path(os.path.abspath(folder))
    try:
        if path.exists() and not path.is_dir():
            raise OutputError(f"{path}: is a file; give another folder with --out")
        if path.is_dir() and any(path.iterdir()) and not _is_results(path):
            raise OutputError(f"{path}: is not empty and not a results folder; give another folder with --out")
        path.parent.mkdir(parents=True, exist_ok=True)
        _temporary(path).rmdir()
    except OutputError:
        raise
    except (OSError, ValueError) as error:
        raise OutputError(f"{path}: cannot be written ({getattr(error, 'strerror', None) or error})") from error
    return path


def write_results(
    result: Any,
    folder: str | os.PathLike[str],
    *,
    config_text: str,
    command: str,
    twin: Any = None,
    finish: Callable[[Path], None] | None = None,
) -> Path:
    """Write the results of a run, and of its twin, to ``folder`` and return it.

    ``config_text`` is the resolved config, ``command`` what was typed. ``finish`` may add files (figures, the
    report) to the folder that it is given before all of it appears under its name.
    Raises :class:`OutputError` if the folder may not be replaced, OSError if the disk refuses.
    """
    path = check_output(folder)
    work = _temporary(path)
    try:
        _write_run(result, work, config_text)
        if twin is not None:
            (work / "twin").mkdir()
            _write_run(twin, work / "twin", scenario_to_yaml(twin.scenario))
        _write_json(work / "manifest.json", _manifest(result, twin, command, work))
        if finish is not None:
            finish(work)
        _sync(work)
        _replace(path, work)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return path


def read_results(folder: str | os.PathLike[str]) -> Results:
    """Read a results folder. Raises :class:`OutputError` if it is none."""
    path = Path(folder)
    if not _is_results(path):
        raise OutputError(f"{path}: is not a results folder")
    manifest = json.loads((path / "manifest.json").read_text(encoding="utf-8"))
    twin = _read_run(path / "twin", {}, None) if (path / "twin").is_dir() else None
    return _read_run(path, manifest, twin)


def _write_run(result: Any, folder: Path, config_text: str) -> None:
    for name in FRAMES:
        _write_frame(getattr(result, name), name, folder / f"{name}.parquet")
    (folder / "tables").mkdir()
    for name, frame in result.tables.items():
        if name not in FRAMES:
            _write_frame(frame, name, folder / "tables" / f"{name}.parquet")
    (folder / "config.yaml").write_text(config_text, encoding="utf-8")
    _write_json(folder / "summary.json", result.summary)


def _read_run(folder: Path, manifest: dict[str, Any], twin: Results | None) -> Results:
    frames = {name: pd.read_parquet(folder / f"{name}.parquet") for name in FRAMES}
    tables = {file.stem: pd.read_parquet(file) for file in sorted((folder / "tables").glob("*.parquet"))}
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    return Results(folder, manifest, summary, **frames, tables=tables, twin=twin)


def _write_frame(frame: pd.DataFrame, name: str, file: Path) -> None:
    """Write one table, its columns with unit and meaning."""
    table = pa.Table.from_pandas(frame, preserve_index=None)
    notes = _notes(name)
    fields = [field.with_metadata(notes[field.name]) if field.name in notes else field for field in table.schema]
    meaning = {"meaning": TABLES[name].meaning} if name in TABLES else {}
    metadata = {**(table.schema.metadata or {}), **meaning}
    pq.write_table(table.cast(pa.schema(fields, metadata)), file, compression="zstd")


def _notes(name: str) -> dict[str, dict[str, str]]:
    """Return unit and meaning of each column of a table."""
    if name == "flows":
        return {i.name: {"unit": "USD", "meaning": f"{i.payer} to {i.payee}: {i.meaning}"} for i in ITEMS}
    columns = TABLES[name].columns if name in TABLES else ()
    return {c.name: {"unit": c.unit, "meaning": c.meaning} for c in columns} | _LABELS


def _manifest(result: Any, twin: Any, command: str, folder: Path) -> dict[str, Any]:
    """Return what is needed to repeat the run and to see whether the repetition gave the same bytes."""
    inputs = recorded(result.scenario)
    return {
        "program": PROGRAM,
        "version": importlib.metadata.version(PROGRAM),
        "utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command,
        "seed": result.seed,
        "scenario_hash": scenario_hash(result.scenario),
        "twin_hash": None if twin is None else scenario_hash(twin.scenario),
        "source_hash": source_hash(),
        "inputs": {
            name: {"file": file, "sha256": _sha256(file), **inputs.get(name, {})}
            for name, file in input_files(result.scenario).items()
        },
        "python": platform.python_version(),
        "packages": {name: importlib.metadata.version(name) for name in _PACKAGES},
        "platform": platform.platform(),
        "seconds": result.seconds,
        "files": {
            file.relative_to(folder).as_posix(): _sha256(file) for file in sorted(folder.rglob("*")) if file.is_file()
        },
    }


def _write_json(file: Path, content: Mapping[str, Any]) -> None:
    file.write_text(json.dumps(_jsonable(content), indent=2, allow_nan=False) + "\n", encoding="utf-8")


def _jsonable(value: Any) -> Any:
    """Return a value that JSON can hold: no NumPy numbers, null for what is not finite."""
    if isinstance(value, Mapping):
        return {str(key): _jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(item) for item in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, os.PathLike) else value


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _is_results(folder: Path) -> bool:
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(manifest, dict) and manifest.get("program") == PROGRAM


def _temporary(path: Path) -> Path:
    """Make and return a new hidden folder beside ``path``: a rename within one file system is atomic."""
    work = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    work.mkdir()
    return work


def _replace(path: Path, work: Path) -> None:
    """Put ``work`` in the place of ``path``; if that fails the old folder is put back."""
    aside = path.with_name(work.name + ".old")
    if path.exists():
        path.rename(aside)
    try:
        work.rename(path)
    except OSError:
        if aside.exists():
            aside.rename(path)
        raise
    shutil.rmtree(aside, ignore_errors=True)
    _sync_one(path.parent)


def _sync(folder: Path) -> None:
    """Force a folder and all files below it to disk."""
    for entry in [*folder.rglob("*"), folder]:
        _sync_one(entry)


def _sync_one(entry: Path) -> None:
    if entry.is_dir() and os.name == "nt":
        return
    handle = os.open(entry, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
