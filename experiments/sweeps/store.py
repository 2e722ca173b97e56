"""The folder of a sweep: one shard a chunk, a manifest, a lock. A run exists if its row is in a whole shard.

    manifest.json           what was run: resolved config, design, hash of the sources, versions, command
    study.yaml              the config as it was given, resolved
    inputs/                 the files that it reads, but for those that come with the program
    written.json            hashes of the files made from the shards (report.html, points.csv, figures/)
    runs/00000042.parquet   one row a run: point, seed, replication, parameters, measures, status, message, seconds
    panel/00000042.parquet  recorded columns by month, if asked for
    events/00000042.parquet events, if asked for
    times/00000042.parquet  milliseconds of each run: apart, because the same runs give the same bytes in all else

A shard is written under a temporary name, synced and renamed: it is whole or not there. The folder may be an fsspec
URL (``s3://...``): there a shard appears when its upload ends.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import os
import platform
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from experiments.inputs import FOLDER
from simulation.locking import LockedError, locked, unlock

#: Folders in a sweep's folder, and how names begin of what is being written there.
PARTS = ("runs", "panel", "events", "times", "figures", FOLDER)
_DRAFT = ".firesale-"


#: What the program wrote beside the shards: name and hash of each file, so that nobody else's is replaced.
WRITTEN = "written.json"


class StoreError(OSError):
    """The folder cannot be used; the message says why and what to do."""


class Store:
    """A sweep's folder on a disk or behind a URL."""

    def __init__(self, place: str) -> None:
        """Take a folder or an fsspec URL; ``file://`` is the disk. Raises StoreError on a URL nothing here can open."""
        place = place.removeprefix("file://")
        self.remote = "://" in place
        self.place = place if self.remote else str(Path(place).absolute())
        if self.remote:
            try:
                import fsspec

                self._files, self._root = fsspec.core.url_to_fs(self.place)
            except ImportError as error:
                raise StoreError(
                    f"{place}: {error}; pip install it, or 'gpu-firesale[cluster]' for fsspec itself"
                ) from None
            except Exception as error:  # each kind of URL has errors of its own
                raise StoreError(
                    f"{place}: cannot be opened ({error}); give a folder or another URL with --out"
                ) from None

    @property
    def of_one_process(self) -> bool:
        """Whether other processes cannot see what is written here."""
        return self.place.startswith("memory://")

    # --- files -------------------------------------------------------------------------------------------------

    def path(self, *parts: str) -> str:
        """Return the place of a file."""
        return "/".join([self.place.rstrip("/"), *parts])

    def write(self, data: bytes, *parts: str) -> None:
        """Write a file so that it is whole or not there. Raises StoreError (a full disk, a folder that may not be written)."""
        if self.remote:
            try:
                self._files.makedirs("/".join([self._root, *parts[:-1]]), exist_ok=True)
                self._files.pipe_file("/".join([self._root, *parts]), data)
            except Exception as error:
                raise self._unwritable(self.path(*parts), error) from error
            return
        final = Path(self.path(*parts))
        work = final.with_name(f"{_DRAFT}{secrets.token_hex(4)}-{final.name}")
        try:
            final.parent.mkdir(parents=True, exist_ok=True)
            with open(work, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(work, final)
        except BaseException as error:
            with contextlib.suppress(OSError):
                work.unlink(missing_ok=True)
            if isinstance(error, OSError):
                raise self._unwritable(final, error) from error
            raise

    def _unwritable(self, what: object, error: Exception) -> StoreError:
        why = getattr(error, "strerror", None) or error
        return StoreError(
            f"{what}: cannot be written ({why}); what was written before is kept: mend that and give the same command again"
        )

    def remake(self, files: Mapping[str, bytes]) -> None:
        """Write files that are made from the shards (a report), and remove those of before that are made no more.

        Raises StoreError, before anything is written, if one of them was changed by somebody else or is not the
        program's: the list of what it wrote, with hashes, lies beside them.
        """
        try:
            before: dict[str, str] = json.loads(self.read(WRITTEN) or b"{}")
        except ValueError:
            before = {}
        gone = [name for name in before if name not in files]
        for name in [*files, *gone]:
            there = self.read(*name.split("/"))
            if there is not None and hashlib.sha256(there).hexdigest() != before.get(name):
                raise StoreError(
                    f"{self.path(name)}: was changed since it was written, or is not the program's; "
                    "move it away, then: firesale report"
                )
        for name, data in files.items():
            self.write(data, *name.split("/"))
        for name in gone:
            self._remove(name)
        hashes = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
        self.write(json.dumps(hashes, indent=2).encode(), WRITTEN)

    def _remove(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            if self.remote:
                self._files.rm_file(f"{self._root}/{name}")
            else:
                Path(self.path(name)).unlink()

    def write_table(self, table: pa.Table, *parts: str) -> None:
        """Write a table as one shard."""
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd")
        self.write(sink.getvalue().to_pybytes(), *parts)

    def read(self, *parts: str) -> bytes | None:
        """Return a file's content, None if it is not there."""
        try:
            if self.remote:
                return self._files.cat_file("/".join([self._root, *parts]))
            return Path(self.path(*parts)).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except Exception as error:
            raise StoreError(
                f"{self.path(*parts)}: cannot be read ({getattr(error, 'strerror', None) or error})"
            ) from error

    def names(self, part: str) -> list[str]:
        """Return the names of the files of a part, with the part before them."""
        return [f"{part}/{name}" for name in self._listed(part)]

    def shards(self, part: str) -> list[str]:
        """Return the names of the shards of a part, in the order of their runs."""
        return [name for name in self._listed(part) if name.endswith(".parquet")]

    def _listed(self, part: str) -> list[str]:
        if self.remote:
            folder = f"{self._root}/{part}"
            found = self._files.ls(folder, detail=False) if self._files.exists(folder) else []
            listed = [name.rsplit("/", 1)[-1] for name in found]
        else:
            here = Path(self.path(part))
            listed = os.listdir(here) if here.is_dir() else []
        return sorted(name for name in listed if not name.startswith("."))

    def failed(self, chunk: int) -> int | None:
        """Return how many runs of a chunk failed, None if its shard is not there or cannot be read to its end."""
        data = self.read("runs", shard_name(chunk))
        if data is None:
            return None
        try:
            status = pq.read_table(pa.BufferReader(data))["status"].to_pylist()
        except (pa.ArrowInvalid, OSError):
            return None
        return sum(one != "done" for one in status)

    # --- manifest ------------------------------------------------------------------------------------------------

    def open(self, manifest: dict[str, Any], study_text: str, files: Mapping[str, bytes] | None = None) -> None:
        """Begin a sweep here, or go on with the same one. Raises StoreError when the folder holds something else.

        ``files`` are what the study reads, by the names that it has in the folder.
        """
        if self.check(manifest, study_text) is None:
            for name, data in (files or {}).items():
                self.write(data, *name.split("/"))
            self.write(study_text.encode(), "study.yaml")
            self.write(json.dumps(manifest, indent=2).encode(), "manifest.json")
        elif self.read("study.yaml") != study_text.encode():  # words and labels alone: they decide no number
            self.write(study_text.encode(), "study.yaml")

    def check(self, manifest: dict[str, Any], study_text: str) -> dict[str, Any] | None:
        """Return the manifest that is here, None if a sweep can begin. Raises StoreError if something else is here."""
        found = self.manifest()
        if found is None:
            here = Path(self.place)
            if not self.remote and here.exists():
                if not here.is_dir():
                    raise StoreError(f"{self.place}: is a file; give another folder with --out")
                if any(not name.startswith(".") for name in os.listdir(here)):
                    raise StoreError(f"{self.place}: is not empty and holds no sweep; give another folder with --out")
            return None
        said = []
        if found.get("study") != manifest["study"]:
            said.append(f"the config ({_differences(self.read('study.yaml') or b'', study_text.encode())})")
        if found.get("sources") != manifest["sources"]:
            said.append(f"the sources of the engine (hash {found.get('sources')}, now {manifest['sources']})")
        if found.get("chunk") != manifest["chunk"]:
            said.append(f"the size of chunks ({found.get('chunk')}, now {manifest['chunk']})")
        if said:
            raise StoreError(
                f"{self.place}: was begun with other inputs: {' and '.join(said)} changed since "
                f"{found.get('started', 'then')}. Runs of both must not be mixed: give a new folder with --out"
            )
        return found

    def manifest(self) -> dict[str, Any] | None:
        """Return the manifest, None if there is none. Raises StoreError if it cannot be read."""
        data = self.read("manifest.json")
        try:
            return None if data is None else json.loads(data)
        except ValueError:
            raise StoreError(f"{self.place}: manifest.json is damaged; give another folder with --out") from None

    @contextlib.contextmanager
    def locked(self, *, break_lock: bool = False) -> Iterator[None]:
        """Keep other processes out. Raises StoreError that names the holder. A lock whose process is gone is taken over.

        ``break_lock`` takes the lock from whoever holds it.
        """
        if self.remote:
            yield
            return
        file = Path(self.place, ".lock")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except FileExistsError:
            raise StoreError(f"{self.place}: is a file; give another folder with --out") from None
        except OSError as error:
            raise StoreError(
                f"{self.place}: cannot be written ({error.strerror}); give another folder with --out"
            ) from None
        if break_lock:
            unlock(file)
        with contextlib.ExitStack() as held:
            try:
                held.enter_context(locked(file))
            except LockedError as other:
                raise StoreError(
                    f"{self.place}: another process works here: {other}; wait for it, or, if it is gone, delete {file} (sweep: --unlock)"
                ) from None
            except OSError as error:
                raise StoreError(
                    f"{self.place}: cannot be written ({error.strerror}); give another folder with --out"
                ) from None
            # What a killed process was writing; nobody else writes now.
            for folder in (Path(self.place), *(Path(self.place, part) for part in PARTS)):
                for litter in folder.glob(f"{_DRAFT}*") if folder.is_dir() else ():
                    litter.unlink(missing_ok=True)
            yield

    # --- reading -------------------------------------------------------------------------------------------------

    def frame(self, part: str) -> pd.DataFrame:
        """Return all shards of a part as one DataFrame, in the order of runs."""
        tables = []
        for name in self.shards(part):
            data = self.read(part, name)
            with contextlib.suppress(
                pa.ArrowInvalid, OSError
            ):  # a torn shard of an interrupted disk: its runs do not exist
                tables.append(pq.read_table(pa.BufferReader(data or b"")))
        return pa.concat_tables(tables, promote_options="permissive").to_pandas() if tables else pd.DataFrame()


def shard_name(chunk: int) -> str:
    """Return the file name of a chunk."""
    return f"{chunk:08d}.parquet"


def versions() -> dict[str, str]:
    """Return the versions that a result may depend on."""
    return {"python": platform.python_version()} | {
        p: importlib.metadata.version(p) for p in ("gpu-firesale", "numpy", "numba", "pandas", "pyarrow", "scipy")
    }


def _differences(before: bytes, after: bytes, most: int = 5) -> str:
    """Return in words which values of two configs differ."""
    from ruamel.yaml import YAML, YAMLError

    yaml = YAML(typ="safe", pure=True)
    try:
        old, new = (_leaves(yaml.load(text.decode())) for text in (before, after))
    except (YAMLError, UnicodeDecodeError):
        return "the one that is kept cannot be read"
    names = [name for name in {**old, **new} if old.get(name, "not set") != new.get(name, "not set")]
    said = [
        f"{name} was {_brief(old.get(name, 'not set'))}, is {_brief(new.get(name, 'not set'))}" for name in names[:most]
    ]
    if len(names) > most:
        said.append(f"and {len(names) - most} more")
    return "; ".join(said) or "a file that it reads"


def _leaves(value: Any, name: str = "") -> dict[str, Any]:
    """Return the values of a config by dotted path; a list of values is one."""
    if isinstance(value, dict) and value:
        pairs = [(f"{name}.{key}" if name else str(key), item) for key, item in value.items()]
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        pairs = [
            (f"{name}.{item['name']}" if isinstance(item, dict) and "name" in item else f"{name}[{k}]", item)
            for k, item in enumerate(value)
        ]
    else:
        return {name: value}
    return {key: leaf for at, item in pairs for key, leaf in _leaves(item, at).items()}


def _brief(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
