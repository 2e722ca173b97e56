"""A results folder: what a run leaves on disk.

    config.yaml      the resolved scenario; ``firesale run config.yaml`` repeats the run
    summary.json     the measures of the run
    manifest.json    versions, seed, hashes of scenario and sources, command, wall times
    inputs/          the files that the scenario reads, but for those that come with the program
    *.parquet        panel, chip_panel, kind_panel (monthly), events, trades, flows (month x item, USD)
    tables/          final state of every table
    twin/            the same for the twin, if there is one

Columns of the Parquet files carry their unit and meaning as field metadata. A folder appears complete or not at
all: it is written under another name, synced to disk and renamed. It can be moved: nothing in it says where it lay.
"""

from __future__ import annotations

import importlib.metadata
import json
import math
import os
import platform
import shutil
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from agents.schema import TABLES
from agents.tables.ledger import ITEMS
from experiments.inputs import inputs, names
from experiments.output import OutputError, sha256, sync, unwritable
from experiments.run.folder import PROGRAM, Placed, check_output, identity, is_results, put, temporary
from simulation.scenario.config import scenario_to_yaml
from simulation.world.inputs.inputs import recorded

FRAMES = ("panel", "chip_panel", "kind_panel", "events", "trades", "flows")


#: Columns that a result adds to those of the schema, for readers.
_LABELS = {
    "date": {"unit": "date", "meaning": "first day of the month"},
    "node_name": {"unit": "text", "meaning": "name of the node"},
    "other_name": {"unit": "text", "meaning": "name of the counterparty"},
}


_PACKAGES = ("numpy", "numba", "mesa", "pandas", "pyarrow")


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


def write_results(
    result: Any,
    folder: str | os.PathLike[str],
    *,
    command: str,
    twin: Any = None,
    numbered: bool = False,
    run: dict[str, Any] | None = None,
    page: str | None = None,
    finish: Callable[[Path], None] | None = None,
) -> Placed:
    """Write the results of a run, and of its twin, to ``folder``; return where they are and if the same run was there.

    ``command`` is what was typed. ``numbered`` adds a free number to the name if something else is there. ``run`` is
    the identity from before the run, if files could have changed since; ``page`` a mark of a run that was stepped
    through. ``finish`` may add files (figures, the report)
    to the folder that it is given before all of it appears under its name. Raises OutputError: another run or something
    else is there, the disk refuses.
    """
    given = None if twin is None else twin.scenario
    here = identity(result.scenario, result.seed, result.replication, given, page)
    path = check_output(folder, here, numbered=numbered)
    if run is not None and here != run:
        raise OutputError(
            f"{path}: nothing written: a file that the scenario reads was changed while it ran; run it again"
        )
    try:
        work = temporary(path, inside=not numbered)
        try:
            _write_all(result, twin, work, here, command)
            if finish is not None:
                finish(work)
            _list_files(work)
            _sync(work)
            return put(work, path, here, numbered=numbered)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    except OutputError:
        raise
    except OSError as error:
        raise unwritable(path, error, "nothing was left there") from error


def _write_all(result: Any, twin: Any, work: Path, here: dict[str, Any], command: str) -> None:
    """Write everything but what ``finish`` adds; the manifest does not list the files yet."""
    found = inputs(result.scenario)
    theirs = {} if twin is None else inputs(twin.scenario)
    for kept in [*found.values(), *theirs.values()]:
        if kept.content is not None:
            (work / kept.name).parent.mkdir(exist_ok=True)
            (work / kept.name).write_bytes(kept.content)
    _write_run(result, work, scenario_to_yaml(result.scenario, names(result.scenario, found)))
    if twin is not None:
        (work / "twin").mkdir()
        _write_run(twin, work / "twin", scenario_to_yaml(twin.scenario, names(twin.scenario, theirs, "../")))
    read = recorded(result.scenario)
    files = {name: {"file": kept.name, "sha256": kept.sha256, **read.get(name, {})} for name, kept in found.items()}
    theirs_too = (
        {} if twin is None else {"twin_inputs": {n: {"file": k.name, "sha256": k.sha256} for n, k in theirs.items()}}
    )
    _write_json(work / "manifest.json", _manifest(result, here, command) | {"inputs": files} | theirs_too)


def _list_files(work: Path) -> None:
    """Add to the manifest the hash of every file that is there: what the program wrote, and may replace."""
    manifest = json.loads((work / "manifest.json").read_text(encoding="utf-8"))
    listed = sorted(file for file in work.rglob("*") if file.is_file() and file.name != "manifest.json")
    manifest["files"] = {file.relative_to(work).as_posix(): sha256(file) for file in listed}
    _write_json(work / "manifest.json", manifest)


def read_results(folder: str | os.PathLike[str]) -> Results:
    """Read a results folder. Raises :class:`OutputError` if it is none."""
    path = Path(folder)
    if not is_results(path):
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


def _manifest(result: Any, here: dict[str, Any], command: str) -> dict[str, Any]:
    """Return what is needed to repeat the run and to see whether the repetition gave the same bytes."""
    return {
        "program": PROGRAM,
        "version": importlib.metadata.version(PROGRAM),
        "utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": command,
        **here,
        "python": platform.python_version(),
        "packages": {name: importlib.metadata.version(name) for name in _PACKAGES},
        "platform": platform.platform(),
        "seconds": result.seconds,
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


def _sync(folder: Path) -> None:
    """Force a folder and all files below it to disk."""
    for entry in [*folder.rglob("*"), folder]:
        sync(entry)
