"""The folder of a sweep: one shard a chunk, a manifest, a lock. A run exists if its row is in a whole shard.

    manifest.json           what was run: resolved config, design, hash of the sources, versions, command
    study.yaml              the config as it was given, resolved
    runs/00000042.parquet   one row a run: point, seed, replication, parameters, measures, status, message, seconds
    panel/00000042.parquet  recorded columns by month, if asked for
    events/00000042.parquet events, if asked for
    times/00000042.parquet  milliseconds of each run: apart, because the same runs give the same bytes in all else

A shard is written under a temporary name, synced and renamed: it is whole or not there. The folder may be an fsspec
URL (``s3://...``): there a shard appears when its upload ends.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import platform
import secrets
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

#: What must agree for runs to stand in one folder.
_SAME = ("study", "sources", "chunk")


class StoreError(OSError):
    """The folder cannot be used; the message says why and what to do."""


class Store:
    """A sweep's folder on a disk or behind a URL."""

    def __init__(self, place: str) -> None:
        self.remote = "://" in place
        self.place = place if self.remote else str(Path(place).absolute())

    # --- files -------------------------------------------------------------------------------------------------

    def path(self, *parts: str) -> str:
        """Return the place of a file."""
        return "/".join([self.place.rstrip("/"), *parts])

    def write(self, data: bytes, *parts: str) -> None:
        """Write a file so that it is whole or not there. Raises OSError (a full disk, a folder that may not be written)."""
        if self.remote:
            import fsspec

            with fsspec.open(self.path(*parts), "wb") as file:
                file.write(data)
            return
        final = Path(self.path(*parts))
        final.parent.mkdir(parents=True, exist_ok=True)
        work = final.with_name(f".{final.name}.{secrets.token_hex(4)}")
        try:
            with open(work, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(work, final)
        except BaseException:
            work.unlink(missing_ok=True)
            raise

    def write_table(self, table: pa.Table, *parts: str) -> None:
        """Write a table as one shard."""
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd")
        self.write(sink.getvalue().to_pybytes(), *parts)

    def read(self, *parts: str) -> bytes | None:
        """Return a file's content, None if it is not there."""
        try:
            if self.remote:
                import fsspec

                with fsspec.open(self.path(*parts), "rb") as file:
                    return file.read()
            return Path(self.path(*parts)).read_bytes()
        except FileNotFoundError:
            return None

    def shards(self, part: str) -> list[str]:
        """Return the names of the shards of a part, in the order of their runs."""
        if self.remote:
            import fsspec

            files, root = fsspec.core.url_to_fs(self.path(part))
            names = [name.rsplit("/", 1)[-1] for name in files.ls(root, detail=False)] if files.exists(root) else []
        else:
            folder = Path(self.path(part))
            names = os.listdir(folder) if folder.is_dir() else []
        return sorted(name for name in names if name.endswith(".parquet") and not name.startswith("."))

    def whole(self, chunk: int) -> bool:
        """Return whether a chunk's shard of runs is there and can be read to its end."""
        data = self.read("runs", shard_name(chunk))
        if data is None:
            return False
        try:
            pq.ParquetFile(pa.BufferReader(data))
            return True
        except pa.ArrowInvalid:
            return False

    # --- manifest ------------------------------------------------------------------------------------------------

    def open(self, manifest: dict[str, Any], study_text: str) -> None:
        """Begin a sweep here, or go on with the same one. Raises StoreError when the folder holds something else."""
        found = self.manifest()
        if found is None:
            if not self.remote and Path(self.place).exists() and (not Path(self.place).is_dir() or any(not name.startswith(".") for name in os.listdir(self.place))):
                raise StoreError(f"{self.place}: is not empty and holds no sweep; give another folder with --out")
            self.write(study_text.encode(), "study.yaml")
            self.write(json.dumps(manifest, indent=2).encode(), "manifest.json")
            return
        differ = [name for name in _SAME if found.get(name) != manifest.get(name)]
        if differ:
            words = {"study": "the config", "sources": "the sources of the engine", "chunk": "the size of chunks"}
            raise StoreError(
                f"{self.place}: was begun with other inputs: {' and '.join(words[d] for d in differ)} changed since "
                f"{found.get('started', 'then')}. Runs of both must not be mixed: give a new folder with --out"
            )

    def manifest(self) -> dict[str, Any] | None:
        """Return the manifest, None if there is none. Raises StoreError if it cannot be read."""
        data = self.read("manifest.json")
        try:
            return None if data is None else json.loads(data)
        except ValueError:
            raise StoreError(f"{self.place}: manifest.json is damaged; give another folder with --out") from None

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes out. Raises StoreError that names the holder. A lock whose process is gone is taken over."""
        if self.remote:
            yield
            return
        Path(self.place).mkdir(parents=True, exist_ok=True)
        file = Path(self.place, ".lock")
        holder = {"host": socket.gethostname(), "pid": os.getpid(), "since": datetime.now(UTC).isoformat(timespec="seconds")}
        while True:
            try:
                handle = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
                os.write(handle, json.dumps(holder).encode())
                os.close(handle)
                break
            except FileExistsError:
                self._refuse_or_clear(file)
        try:
            # What a killed process was writing; nobody else writes now.
            for litter in Path(self.place).rglob(".*.????????"):
                litter.unlink(missing_ok=True)
            yield
        finally:
            file.unlink(missing_ok=True)

    def _refuse_or_clear(self, file: Path) -> None:
        try:
            other = json.loads(file.read_text())
        except (OSError, ValueError):
            other = {}
        if other.get("host") == socket.gethostname() and _is_gone(int(other.get("pid", -1))):
            file.unlink(missing_ok=True)
            return
        raise StoreError(
            f"{self.place}: another process works here: process {other.get('pid', '?')} on {other.get('host', '?')} since "
            f"{other.get('since', '?')}; wait for it, or delete {file} if it is gone"
        )

    # --- reading -------------------------------------------------------------------------------------------------

    def frame(self, part: str) -> pd.DataFrame:
        """Return all shards of a part as one DataFrame, in the order of runs."""
        tables = []
        for name in self.shards(part):
            data = self.read(part, name)
            with contextlib.suppress(pa.ArrowInvalid):  # a torn shard of an interrupted disk: its runs do not exist
                tables.append(pq.read_table(pa.BufferReader(data)))
        return pa.concat_tables(tables, promote_options="permissive").to_pandas() if tables else pd.DataFrame()


def shard_name(chunk: int) -> str:
    """Return the file name of a chunk."""
    return f"{chunk:08d}.parquet"


def versions() -> dict[str, str]:
    """Return the versions that a result may depend on."""
    return {"python": platform.python_version()} | {p: importlib.metadata.version(p) for p in ("gpu-firesale", "numpy", "numba", "pandas", "pyarrow", "scipy")}


def _is_gone(pid: int) -> bool:
    """Return whether no process of this machine has the number."""
    if pid <= 0:
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False
