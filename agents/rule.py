"""``@rule``: a plain Python function over rows, compiled by Numba and cached by the content of all rules.

Numba's own on-disk cache looks at the file of the function only: after an edit of a helper in another file
it silently returns the old result. The cache folder is therefore named by a hash of the sources of every
module that holds rules and of the versions of Python, NumPy and Numba, and what lies in it is found by the place
of a rule within the project: every checkout of the same sources shares it. Folders of older sources are removed when
there are more than a few.

``NUMBA_DISABLE_JIT=1`` runs the same rules interpreted, with the same bits: rules use loops, ``if`` and
``math`` only, no NumPy reductions and no random draws.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import pickle
import platform
import re
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numba
import numpy
from numba import types
from numba.core import cgutils
from numba.core.caching import CompileResultCacheImpl, FunctionCache, _CacheLocator
from numba.core.imputils import lower_getattr_generic
from numba.core.registry import cpu_target
from numba.core.typing.templates import AttributeTemplate, infer_getattr
from numba.extending import intrinsic, models, register_model

#: Numba makes its settings when it is imported: no type knows them.
_SETTINGS: Any = numba.config
#: Whether rules run as plain Python (``NUMBA_DISABLE_JIT=1``).
INTERPRETED: bool = bool(_SETTINGS.DISABLE_JIT)

_ROOT = Path(__file__).resolve().parent.parent


_KEEP = 4
#: A folder of compiled rules has a name of this form and holds this file.
_NAME = re.compile(r"[0-9a-f]{16}")
_OURS = ".gpu-firesale-cache"
_HOLDS_RULES = re.compile(r"^@(rule|entry)$|= sequence\(", re.MULTILINE)


def rule_files() -> list[Path]:
    """Return the modules that hold rules or declarations that rules compile in, in a fixed order."""
    files = [p for folder in ("agents", "simulation") for p in (_ROOT / folder).rglob("*.py")]
    engine = [p for p in files if "browser" not in p.parts]
    return sorted(
        p
        for p in engine
        if "tables" in p.relative_to(_ROOT).parts or _HOLDS_RULES.search(p.read_text(encoding="utf-8"))
    )


@cache
def source_hash() -> str:
    """Return 16 hex digits that change with any rule and with the versions that compile it."""
    digest = hashlib.sha256()
    digest.update(f"{platform.python_version()} {numpy.__version__} {numba.__version__} {platform.machine()}".encode())
    if _SETTINGS.BOUNDSCHECK:
        # Numba takes what was compiled without checks for the same.
        digest.update(b" every index is checked")
    for path in [Path(__file__).resolve(), *rule_files()]:
        digest.update(path.relative_to(_ROOT).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _cache_homes() -> list[Path]:
    """Return where compiled rules may be kept, best first: the folder that was asked for, or the user's, or a private one."""
    given = os.environ.get("FIRESALE_CACHE")
    if given:
        return [Path(given)]
    homes = []
    # A user that the machine does not know has no home; a container's may be read-only.
    with contextlib.suppress(RuntimeError):
        if sys.platform == "win32":
            base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
        else:
            base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        homes.append(base / "gpu-firesale")
    user = os.getuid() if hasattr(os, "getuid") else "user"
    return [*homes, Path(tempfile.gettempdir(), f"gpu-firesale-{user}")]


class Cache(NamedTuple):
    """Where compiled rules are kept: ``folder`` (None: nowhere) and, if that is not where they belong, ``why``."""

    folder: Path | None
    why: str


@cache
def rules_cache() -> Cache:
    """Return the folder of this source state, made and tried, and what stood in the way of a better one."""
    why = "" if os.environ.get("FIRESALE_CACHE") or len(_cache_homes()) > 1 else "there is no home folder"
    for home in _cache_homes():
        try:
            return Cache(_opened(home), why)
        except OSError as error:
            why = why or f"{home} cannot be written ({error.strerror or error})"
    return Cache(None, why)


def _opened(home: Path) -> Path:
    """Return the folder of this source state in ``home``, ready to be written; remove those of old states."""
    if home.parent == Path(tempfile.gettempdir()) and not os.environ.get("FIRESALE_CACHE"):
        _keep_private(home)
    folder = home / source_hash()
    folder.mkdir(parents=True, exist_ok=True)
    probe = folder / f".probe-{os.getpid()}"
    probe.touch()
    probe.unlink()
    os.utime(folder, (time.time(), time.time()))
    (folder / _OURS).touch()
    # Only what this program made is its to delete: the folder may be anybody's.
    ours = (p for p in home.iterdir() if _NAME.fullmatch(p.name) and (p / _OURS).is_file())
    older = sorted((p for p in ours if not p.is_symlink()), key=lambda p: p.stat().st_mtime)
    for stale in older[:-_KEEP]:
        shutil.rmtree(stale, ignore_errors=True)
    return folder


def _keep_private(home: Path) -> None:
    """Make a folder among those of all users that only this user can fill: what lies in it is run."""
    home.mkdir(mode=0o700, exist_ok=True)
    state = home.lstat()
    if not hasattr(os, "getuid"):
        return
    if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.getuid() or state.st_mode & 0o022:
        raise PermissionError(errno.EACCES, "belongs to somebody else", str(home))


def cache_folder() -> Path | None:
    """Return the folder of this source state, or None where nothing can be written (then nothing is cached)."""
    return rules_cache().folder


class _Place(_CacheLocator):
    """Tells Numba where a rule's code is kept: by the place of its source within the project, not on the machine.

    The folder is that of all sources, so what lies in it is never stale: a second checkout of the same sources,
    wherever it is, finds what the first one compiled.
    """

    def __init__(self, function: Callable, file: Path, folder: Path) -> None:
        self._line = function.__code__.co_firstlineno
        self._stamp = source_hash()
        if file.is_relative_to(_ROOT):
            inside = file.parent.relative_to(_ROOT).as_posix().replace("/", ".")
        elif file.parent == folder.resolve():
            inside = "written"
        else:
            # A rule of somebody's own: the folder says nothing of its source.
            inside = "own-" + hashlib.sha256(str(file).encode()).hexdigest()[:16]
            self._stamp += hashlib.sha256(file.read_bytes()).hexdigest()
        self._place = folder / inside

    @classmethod
    def from_function(cls, py_func: Callable, py_file: str) -> _Place | None:
        folder = cache_folder()
        return None if folder is None else cls(py_func, Path(py_file).resolve(), folder)

    def get_cache_path(self) -> str:
        return str(self._place)

    def get_source_stamp(self) -> str:
        return self._stamp

    def get_disambiguator(self) -> str:
        return str(self._line)


class _Compiled(CompileResultCacheImpl):
    _locator_classes = [_Place]  # type: ignore[list-item] # Numba has no annotations


#: What reading a file raises that was not written to its end.
_UNREADABLE = (OSError, EOFError, pickle.UnpicklingError, AttributeError, ImportError, IndexError, ValueError)


class _Kept(FunctionCache):
    """The code of one rule on disk. What cannot be read is compiled again, what cannot be written is not kept."""

    _impl_class = _Compiled

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)
        except _UNREADABLE:
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        with contextlib.suppress(OSError):
            try:
                super().save_overload(sig, data)
            except _UNREADABLE:
                self.flush()
                super().save_overload(sig, data)


def _compile(function: Callable, **options: Any) -> Callable:
    """Make a dispatcher: compiled on first use, GIL released, IEEE arithmetic, cached on disk where possible."""
    made: Any = numba.njit(nogil=True, error_model="numpy", **options)(function)
    if not INTERPRETED and cache_folder() is not None and os.path.isfile(function.__code__.co_filename):
        made._cache = _Kept(function)
    return made


def rule(function: Callable) -> Callable:
    """Compile a function that other rules call. It cannot be called from Python unless interpreted.

    Without the wrappers that Python would need, the whole engine compiles about a third faster.
    """
    return _compile(function, no_cpython_wrapper=True, no_cfunc_wrapper=True)


def entry(function: Callable) -> Callable:
    """Compile a rule that Python calls, too (the start of a run, market rules that have tests and users)."""
    return _compile(function)


def sequence(name: str, steps: tuple[Callable, ...], where: dict[str, Any]) -> Callable:
    """Return the rule that carries out ``steps`` in their order; each takes the world and its clock.

    The list stays the only place where the order stands. ``where`` is the namespace of the module that lists the
    steps by their names (``globals()``).
    """
    return _written(name, [f"{step.__name__}(w, clock)" for step in steps], steps, where)


def alternative(name: str, column: str, steps: tuple[Callable, ...], where: dict[str, Any]) -> Callable:
    """Return the rule that carries out the step whose number stands in a column of the clock; else as ``sequence``."""
    lines = []
    for k, step in enumerate(steps):
        lines += [f"{'el' if k else ''}if clock.{column} == {k}:", f"    {step.__name__}(w, clock)"]
    return _written(name, lines, steps, where)


def _written(name: str, lines: list[str], steps: tuple[Callable, ...], where: dict[str, Any]) -> Callable:
    """Return a rule made from lines of code, in a file beside the compiled rules: a debugger can step through it."""
    unknown = [step.__name__ for step in steps if where.get(step.__name__) is not step]
    if unknown:
        raise ValueError(f"{name}: not names of the module that lists them: {', '.join(unknown)}")
    text = "\n    ".join([f"def {name}(w, clock):", *lines]) + "\n"
    folder = cache_folder()
    file = f"<{name}>"
    if folder is not None:
        path = folder / f"{name}.py"
        # Left alone when it is there: Numba compiles again what is newer than its cache.
        with contextlib.suppress(OSError):  # a full disk: the rule is compiled anew
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                draft = folder / f".{name}-{os.getpid()}.py"
                draft.write_text(text, encoding="utf-8")
                draft.replace(path)
            file = str(path)
    exec(compile(text, file, "exec"), where)
    where[name] = rule(where[name])
    return where[name]


class Borrowed(types.Type):
    """Type of a pointer to a named tuple of arrays that somebody else keeps alive.

    Numba hands a tuple on by copying all of it, a few thousand bytes, and counts a reference, an atomic operation,
    with every array that a rule takes from it: more than half of the time of a run, and of its compilation.
    """

    def __init__(self, world: Any) -> None:
        self.world = world
        # Types of arguments are part of the names of compiled rules: kept short.
        digest = hashlib.sha256(world.name.encode()).hexdigest()[:8]
        super().__init__(name=f"Borrowed({world.instance_class.__name__}-{digest})")


@register_model(Borrowed)
class _BorrowedModel(models.PrimitiveModel):
    """A pointer to the arrays' descriptions (address, shape, strides), one after the other."""

    def __init__(self, manager: Any, kind: Borrowed) -> None:
        super().__init__(manager, kind, manager.lookup(kind.world).get_value_type().as_pointer())


@infer_getattr
class _BorrowedAttribute(AttributeTemplate):
    key = Borrowed

    def generic_resolve(self, kind: Borrowed, name: str) -> Any:  # type: ignore[override]
        return dict(zip(kind.world.fields, kind.world.types, strict=True)).get(name)


@lower_getattr_generic(Borrowed)
def _take_array(context: Any, builder: Any, kind: Borrowed, pointer: Any, name: str) -> Any:
    """Read one array of a borrowed world: an array that owns no memory."""
    k = kind.world.fields.index(name)
    view = context.make_array(kind.world.types[k])(context, builder)
    for j, member in enumerate(view._datamodel._fields):
        if member not in ("meminfo", "parent"):
            setattr(view, member, builder.load(cgutils.gep_inbounds(builder, pointer, 0, k, j)))
    view.meminfo = context.get_constant_null(types.MemInfoPointer(types.voidptr))
    view.parent = context.get_constant_null(types.pyobject)
    return view._getvalue()


@intrinsic
def _lend(_typing, world):
    """Return a pointer to a world in the frame of the caller."""
    if isinstance(world, Borrowed):
        return world(world), lambda context, builder, signature, arguments: arguments[0]

    def generate(context, builder, signature, arguments):
        return cgutils.alloca_once_value(builder, arguments[0])

    return Borrowed(world)(world), generate


#: Give an entry rule its world as a pointer, without the ownership of the arrays: the caller keeps them alive until it returns.
borrow: Callable = (lambda world: world) if INTERPRETED else _lend


@cache
def _processor() -> str:
    """Return 16 hex digits of what code is compiled for: machine code of one processor may not run on another."""
    made_for = cpu_target.target_context.codegen().magic_tuple()
    return hashlib.sha256(repr(made_for).encode()).hexdigest()[:16]


def compiled_mark() -> Path | None:
    """Return the file that says that these rules are compiled for this processor; None where nothing can be written."""
    folder = cache_folder()
    return folder / f"compiled-{_processor()}" if folder else None


def is_compiled_on_disk() -> bool:
    """Return whether the rules of this source state were compiled before for this processor (a start will be quick)."""
    mark = compiled_mark()
    return INTERPRETED or mark is not None and mark.exists()
