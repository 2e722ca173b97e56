"""Writing without loss: a file is whole or not there, and what the program did not write is neither replaced nor removed."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path


class OutputError(OSError):
    """Something cannot be written where it was asked for; the message says why and what to do."""


def unwritable(path: str | os.PathLike[str], error: Exception, then: str = "") -> OutputError:
    """Return the error that names the place and what stood in the way (a full disk, a missing right)."""
    why = getattr(error, "strerror", None) or error
    return OutputError(f"{path}: cannot be written ({why}){then and f'; {then}'}")


def write_file(file: Path, content: bytes | str) -> None:
    """Write a file, and the folders above it, so that it is whole or not there. Raises OutputError."""
    data = content.encode() if isinstance(content, str) else content
    with whole(file) as draft:
        draft.write_bytes(data)


@contextlib.contextmanager
def whole(file: Path) -> Iterator[Path]:
    """Give a draft to write; it takes the place of ``file`` at the end of the block, or nothing is changed.

    A symbolic link stays one: what it points to is written. Raises OutputError.
    """
    final = Path(os.path.realpath(file))
    # The ending stays last: writers of figures go by it.
    draft = final.with_name(f".{final.stem}.{secrets.token_hex(4)}{final.suffix}")
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        yield draft
        sync(draft)
        os.replace(draft, final)
    except OSError as error:
        raise unwritable(file, error) from error
    finally:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)


@contextlib.contextmanager
def drafted(folder: Path) -> Iterator[Path]:
    """Give a folder to write files in; they take their places in ``folder`` at the end of the block. Raises OutputError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".firesale-", dir=folder) as drafts:
            yield Path(drafts)
            for draft in sorted(Path(drafts).iterdir()):
                sync(draft)
                os.replace(draft, os.path.realpath(folder / draft.name))
    except OutputError:
        raise
    except OSError as error:
        raise unwritable(folder, error) from error


def check_file(file: Path, is_ours: Callable[[bytes], bool], what: str, option: str = "--out") -> None:
    """Refuse to replace a file that is not ``what``. Raises OutputError."""
    try:
        if not os.path.lexists(file):
            return
        if file.is_dir():
            raise OutputError(f"{file}: is a folder; give the name of a file with {option}")
        if file.stat().st_size and not is_ours(file.read_bytes()):
            raise OutputError(f"{file}: is there and is not {what}; give another name with {option}")
    except FileNotFoundError:  # a link to nothing
        return
    except OutputError:
        raise
    except OSError as error:
        raise unwritable(file, error) from error


def sha256(file: Path) -> str:
    """Return the hash of a file's content."""
    with open(file, "rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def sync(entry: Path) -> None:
    """Force a file or a folder to disk."""
    if entry.is_dir() and os.name == "nt":
        return
    handle = os.open(entry, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
