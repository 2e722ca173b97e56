"""One process at a time: a lock that ends with the process that holds it, wherever that ran.

Where the system has ``flock`` the kernel forgets the lock of a process that is gone, in a container, too. Elsewhere
(Windows, some file systems of networks) the holder touches its file every few seconds, and a file that has not been
touched for a while is nobody's. The number of a process says nothing: in a container it is always the same.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

fcntl: Any
try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

#: Seconds between two touches of a lock that the kernel does not keep, and after which such a lock is nobody's.
_BEAT = 5.0
_SILENCE = 60.0


class LockedError(OSError):
    """Somebody else holds the lock; ``holder`` says who: process, host and since when, as far as that is known."""

    def __init__(self, holder: dict[str, Any]) -> None:
        self.holder = holder
        super().__init__(
            f"process {holder.get('pid', '?')} on {holder.get('host', '?')} since {holder.get('since', '?')}"
        )


@contextlib.contextmanager
def locked(file: Path) -> Iterator[None]:
    """Hold the lock that is kept in ``file``; the file is gone afterwards. Raises LockedError, or OSError of the disk."""
    token = secrets.token_hex(8)
    holder = {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
        "token": token,
    }
    handle = _flocked(file)
    stop = threading.Event()
    if handle is None:
        _taken(file, holder)
        threading.Thread(target=_beat, args=(file, token, stop), daemon=True).start()
    else:
        # What it says is for people: on a full disk the kernel keeps the lock all the same.
        with contextlib.suppress(OSError):
            os.ftruncate(handle, 0)
            os.write(handle, json.dumps(holder).encode())
    try:
        yield
    finally:
        stop.set()
        with contextlib.suppress(OSError):
            # Another's, if somebody broke the lock.
            if _read(file).get("token") == token:
                file.unlink()
        if handle is not None:
            os.close(handle)


def unlock(file: Path) -> dict[str, Any] | None:
    """Break a lock; return who held it, None if there was none."""
    if not file.exists():
        return None
    holder = _read(file)
    file.unlink(missing_ok=True)
    return holder


def _flocked(file: Path) -> int | None:
    """Return the open file that the kernel locked for this process, None where it cannot. Raises LockedError."""
    if fcntl is None:
        return None
    while True:
        new = not file.exists()
        handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whoever held it may have removed the file between the two calls.
            if os.path.exists(file) and os.path.samestat(os.stat(file), os.fstat(handle)):
                return handle
        except BlockingIOError:
            os.close(handle)
            raise LockedError(_read(file)) from None
        except FileNotFoundError:
            pass
        except OSError:  # a file system without locks
            os.close(handle)
            if new and file.stat().st_size == 0:
                file.unlink()
            return None
        os.close(handle)


def _taken(file: Path, holder: dict[str, Any]) -> None:
    """Make the lock's file, or take over one that has been silent. Raises LockedError."""
    while True:
        try:
            handle = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
        except FileExistsError:
            _clear_if_silent(file)
            continue
        os.write(handle, json.dumps(holder).encode())
        os.close(handle)
        return


def _clear_if_silent(file: Path) -> None:
    """Put a lock's file away if nobody has touched it for long. Raises LockedError."""
    probe = file.with_name(f"{file.name}.{secrets.token_hex(4)}")
    try:
        before = file.stat()
        probe.touch()  # the clock of the disk, not of this machine
        silent = probe.stat().st_mtime - before.st_mtime
        if silent < _SILENCE:
            raise LockedError(_read(file))
        # Only one of two that come at once renames it; what it got may be the other's new file.
        os.replace(file, probe)
        if probe.stat().st_mtime != before.st_mtime and not file.exists():
            os.rename(probe, file)
    except FileNotFoundError:
        return
    finally:
        probe.unlink(missing_ok=True)


def _beat(file: Path, token: str, stop: threading.Event) -> None:
    """Touch a lock's file until told to stop, or until it is somebody else's."""
    while not stop.wait(_BEAT):
        with contextlib.suppress(OSError):
            if _read(file).get("token") != token:
                return
            os.utime(file)


def _read(file: Path) -> dict[str, Any]:
    try:
        holder = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return holder if isinstance(holder, dict) else {}
