"""Config files: YAML to a :class:`Scenario`, with every fault named at its place in the file.

A config is YAML 1.2. It may name one parent (``extends: base.yaml``): mappings merge, lists and values are
replaced. ``--set path=value`` overrides come last. Faults are collected and raised together as
:class:`ConfigError`; nothing else leaves :func:`load_scenario`.

While reading, a config is two things: ``doc`` (nested dict, list and plain values) and ``spots``, which maps a
path of keys such as ``("chips", 2, "list_price")`` to the :class:`Spot` that set it.
"""

from __future__ import annotations

import difflib
import functools
import hashlib
import io
import json
import math
import os
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedSeq
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from simulation.scenario import Scenario, Section, leaves

Keys = tuple[str | int, ...]
Overrides = Iterable[str] | Mapping[str, Any]

_MAX_BYTES = 4_000_000
_MAX_DEPTH = 24
_MAX_VALUES = 50_000
_MAX_WHOLE = 2**53  # beyond it a float field would silently round, and a table column overflow
_SHIPPED = Path(__file__).resolve().parent.parent / "configs"


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


# --- the public functions -----------------------------------------------------------------------------------------


def load_scenario(path: str | os.PathLike[str], overrides: Overrides = ()) -> Scenario:
    """Read a config file and everything it extends.

    ``overrides`` are texts "path=value" (the value in YAML) or a mapping of dotted paths to values. Paths of CSV
    files are made absolute: they start from the folder of the config that names them, or from the working folder
    in an override. Raises :class:`ConfigError` with every fault found.
    """
    return _load(path, overrides)[0]


def base_config() -> Path:
    """Return the config that comes with the program."""
    return _SHIPPED / "base.yaml"


def provenance(path: str | os.PathLike[str], overrides: Overrides = ()) -> dict[str, str]:
    """Return where each parameter was set: "file:line", "--set" or "default". Raises :class:`ConfigError`."""
    scenario, spots = _load(path, overrides)
    return {name: _origin(keys, spots) for name, keys, _, _ in _walk_parameters(scenario)}


def parameters(scenario: Scenario) -> list[tuple[str, Any, FieldInfo]]:
    """Return (dotted path, value, field) of every parameter, chips one by one (``chips.H100.list_price``)."""
    return [(name, value, field) for name, _, value, field in _walk_parameters(scenario)]


def set_path(scenario: Scenario, changes: Overrides, label: str = "") -> Scenario:
    """Return a validated copy with some parameters changed.

    ``changes`` maps dotted paths to values (or lists "path=value"); a list takes an index (``chips.1.power``), the
    chips also a name (``chips.H100.power``). ``label`` says in faults where the changes came from.
    Raises :class:`ConfigError`.
    """
    faults: list[Fault] = []
    doc, spots = _plain(scenario.model_dump()), {(): Spot(label)}
    _override(doc, spots, changes, label, faults)
    return _validated(doc, spots, faults, [""])


def declared() -> list[tuple[str, Any, FieldInfo]]:
    """Return (dotted path, default, field) of every parameter that a config may set; "chips[]" is any chip.

    The default is ``...`` where a value must be given.
    """
    return [(_dotted(keys).replace("[0]", "[]"), default, field) for keys, default, field in _schema()]


def scenario_to_yaml(scenario: Scenario) -> str:
    """Return the scenario with every parameter written out; loading the text gives an equal scenario."""
    yaml, text = YAML(typ="rt", pure=True), io.StringIO()
    yaml.width = 10_000
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.dump(_rows(_plain(scenario.model_dump())), text)
    return text.getvalue()


def scenario_hash(scenario: Scenario) -> str:
    """Return 16 hex digits of the resolved scenario: the same on every machine.

    A CSV file counts by its content, not by where it lies.
    """
    doc = _plain(scenario.model_dump())
    for name, path in input_files(scenario).items():
        *above, last = name.split(".")
        _get(doc, tuple(above))[last] = hashlib.sha256(path.read_bytes()).hexdigest()
    return hashlib.sha256(json.dumps(doc, sort_keys=True).encode()).hexdigest()[:16]


def input_files(scenario: Scenario) -> dict[str, Path]:
    """Return the CSV files that a scenario reads, by dotted path of the parameter that names them."""
    doc = scenario.model_dump()
    named = {_dotted(keys): _get(doc, keys) for keys in _file_parameters() if _needed(doc, keys)}
    return {name: Path(path) for name, path in named.items() if path}


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of config files for editors, each parameter with ``unit`` and ``source``."""
    schema = Scenario.model_json_schema()
    known = {name: schema["properties"][name] for name in _fields(Scenario)}
    parent = {"type": "string", "description": "config file that this one extends, relative to it"}
    schema["properties"] = {"extends": parent, **known}
    # What is required may come from the parent.
    schema.pop("required", None)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


# --- reading files ------------------------------------------------------------------------------------------------


def _load(
    path: str | os.PathLike[str], overrides: Overrides, own: dict[str, Any] | None = None, keys: Sequence[str] = ()
) -> tuple[Scenario, dict[Keys, Spot]]:
    faults: list[Fault] = []
    chain, complete = _read_chain(os.fspath(path), faults)
    if not chain:
        raise ConfigError(faults)
    doc, spots = _defaults(), {(): chain[0][1][()]}
    for values, places in reversed(chain):
        _merge(doc, spots, values, places)
    _override(doc, spots, overrides, "--set", faults)
    if own is not None:
        own |= {name: doc.pop(name) for name in keys if name in doc}
    folders = [os.path.dirname(places[()].file) for _, places in chain]
    return _validated(doc, spots, faults, folders, complete), spots


def load_study(path: str | os.PathLike[str], overrides: Overrides, keys: Iterable[str]) -> tuple[Scenario, dict, Callable[[Keys], str]]:
    """Read a config that holds more than a scenario.

    ``keys`` are the sections of its own. Returns the scenario, those sections as they were read, and a function
    that says where a part of them stands ("file:line:column"). Raises :class:`ConfigError`.
    """
    own: dict[str, Any] = {}
    keys = tuple(keys)
    faults: list[Fault] = []
    given = list(_pairs(overrides, "--set", faults))
    mine = [(name, value) for name, value in given if name.split(".")[0] in keys]
    scenario, spots = _load(path, {name: value for name, value in given if name.split(".")[0] not in keys}, own, keys)
    if faults:
        raise ConfigError(faults)
    for name, value in mine:
        # Parameters of a sweep have dots in their names: they are one key.
        *above, last = name.split(".", 2)
        holder: Any = own
        for part in above:
            holder = holder.setdefault(part, {})
            if not isinstance(holder, dict):
                raise ConfigError([Fault("--set", name, f"'{part}' is not a section in this config: nothing can be set in it")])
        holder[last] = value
        spots[tuple(name.split(".", 2))] = Spot("--set")
    return scenario, own, lambda place: str(_nearest(place, spots))


def _read_chain(file: str, faults: list[Fault]) -> tuple[list[tuple[dict, dict[Keys, Spot]]], bool]:
    """Return (doc, spots) of the file and of what it extends, child first, and whether the chain is complete."""
    chain: list[tuple[dict, dict[Keys, Spot]]] = []
    seen: list[str] = []
    named = None
    while True:
        if _identity(file) in map(_identity, seen):
            faults.append(Fault(str(named), "extends", "goes round in a circle: " + " -> ".join([*seen, file])))
            return chain, False
        seen.append(file)
        read = _read_file(file, named, faults)
        if read is None:
            return chain, False
        chain.append(read)
        doc, spots = read
        if "extends" not in doc:
            return chain, True
        parent, named = doc.pop("extends"), spots.pop(("extends",))
        if not isinstance(parent, str) or not parent:
            faults.append(Fault(str(named), "extends", f"must be the name of one config file, is {_shown(parent)}"))
            return chain, False
        file = os.path.normpath(os.path.join(os.path.dirname(file), parent))


def _identity(file: str) -> str:
    """Return one name for all names of a file."""
    try:
        return os.path.realpath(file)
    except (OSError, ValueError):
        return file


def _read_file(file: str, named: Spot | None, faults: list[Fault]) -> tuple[dict, dict[Keys, Spot]] | None:
    """Return the doc and spots of one file, or None with a fault added. ``named`` is the line that names it."""

    def refuse(message: str) -> None:
        # A file that cannot be opened is a fault of the line that names it.
        name = _printable(file)
        faults.append(Fault(str(named), "extends", f"{name} {message}") if named else Fault(name, "", message))

    try:
        with open(file, "rb") as handle:
            data = handle.read(_MAX_BYTES + 1)
    except IsADirectoryError:
        return refuse("is a folder, not a config file")
    except FileNotFoundError:
        return refuse(f"{'does not exist' if named else 'no such file'}{_file_hint(file)}")
    except (OSError, ValueError) as error:
        # ValueError: a name that no file can have.
        return refuse(f"cannot be read ({getattr(error, 'strerror', None) or error})")
    if len(data) > _MAX_BYTES:
        return refuse(f"is larger than {_MAX_BYTES // 1_000_000} MB: not a config file")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8", "replace")
        spot = Spot(file, before.count("\n") + 1, len(before) - before.rfind("\n"))
        faults.append(Fault(str(spot), "", "is not UTF-8 text; save the file as UTF-8"))
        return None
    start = Spot(file, 1, 1)
    spots: dict[Keys, Spot] = {}
    found: list[Fault] = []
    doc = _parse(text, lambda line, column: Spot(file, line, column), spots, found)
    faults += found
    if doc is None and not found:
        faults.append(Fault(str(start), "", "the file is empty: a config needs at least the section 'chips'"))
    elif doc is not None and not isinstance(doc, dict):
        faults.append(Fault(str(spots[()]), "", f"must be sections and values ('name: value'), is {_shown(doc)}"))
    if not isinstance(doc, dict):
        return None
    spots[()] = start
    _open_sections(doc, Scenario)
    return doc, spots


def _parse(text: str, spot: Callable[[int, int], Spot], spots: dict[Keys, Spot], faults: list[Fault]) -> Any:
    """Return the value of a YAML text and note where each part stands; None with a fault if it cannot be read."""
    # Nodes, not the finished mapping: they keep every duplicate key and the place of every item.
    yaml = YAML(typ="safe", pure=True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            node = yaml.compose(text)
    except ReaderError as error:
        before = text[: error.position]
        place = spot(before.count("\n") + 1, len(before) - before.rfind("\n"))
        faults.append(Fault(str(place), "", "is not text: it holds a control character"))
        return None
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        place = spot(mark.line + 1, mark.column + 1) if mark else spot(1, 1)
        faults.append(Fault(str(place), "", f"is not valid YAML: {_syntax(error)}"))
        return None
    except RecursionError:
        faults.append(Fault(str(spot(1, 1)), "", "is nested too deeply"))
        return None
    if node is None:
        return None
    reader = _Reader(yaml, spot, spots, faults)
    try:
        return reader.value(node, ())
    except _Refused as error:
        faults.append(Fault(str(spot(1, 1)), "", str(error)))
        return None


def _syntax(error: Any) -> str:
    """Return what is wrong with the YAML, in plain words where the parser's own are obscure."""
    problem = re.sub(r"\s+", " ", str(getattr(error, "problem", None) or error)).strip()
    if "'\\t'" in problem:
        return "a tab; indent with spaces"
    if problem == "mapping values are not allowed here":
        return "a second ':' on the line; put text that holds ': ' in quotes"
    if "another document" in problem:
        return "a second document begins ('---'); a config is one document"
    if "could not find expected ':'" in problem:
        return "a name without ':'"
    if "<block end>" in problem:
        return f"{problem}; is the indentation right?"
    return problem


class _Reader:
    """Turns YAML nodes into plain values, noting where each stands and what is wrong with it."""

    def __init__(
        self, yaml: YAML, spot: Callable[[int, int], Spot], spots: dict[Keys, Spot], faults: list[Fault]
    ) -> None:
        self.yaml, self.spot, self.spots, self.faults = yaml, spot, spots, faults
        self.count = 0

    def place(self, node: Node) -> Spot:
        return self.spot(node.start_mark.line + 1, node.start_mark.column + 1)

    def value(self, node: Node, keys: Keys) -> Any:
        self.count += 1
        if len(keys) > _MAX_DEPTH or self.count > _MAX_VALUES:
            # Aliases can refer to themselves, or multiply.
            raise _Refused("is nested too deeply, or an alias (*name) refers to itself")
        self.spots.setdefault(keys, self.place(node))
        tag = str(node.tag).removeprefix("tag:yaml.org,2002:")
        if isinstance(node, MappingNode) and tag == "map":
            return self.mapping(node, keys)
        if isinstance(node, SequenceNode) and tag == "seq":
            return [self.value(item, (*keys, k)) for k, item in enumerate(node.value)]
        if isinstance(node, ScalarNode):
            return self.scalar(node, tag, keys)
        return self.refuse(node, keys, f"the tag '{node.tag}' is not supported; remove it")

    def mapping(self, node: MappingNode, keys: Keys) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, item in node.value:
            if not isinstance(name, ScalarNode) or not str(name.tag).endswith((":str", ":timestamp")):
                merge = str(name.tag).endswith(":merge")
                self.refuse(name, keys, "'<<' is not supported; use 'extends' or write it out" if merge else
                            "a name must be text; put it in quotes")  # fmt: skip
                continue
            path = (*keys, str(name.value))
            if name.value in found:
                first = self.spots[path]
                self.refuse(name, path, "is given twice" + (f"; first at line {first.line}" if first.line else ""))
                continue
            self.spots[path] = self.place(name)
            found[str(name.value)] = self.value(item, path)
        return found

    def scalar(self, node: ScalarNode, tag: str, keys: Keys) -> Any:
        if tag in ("str", "timestamp", "value"):
            # No parameter is a date: 2024-01-01 is text.
            return str(node.value)
        if tag not in ("null", "bool", "int", "float"):
            return self.refuse(node, keys, f"the tag '{node.tag}' is not supported; remove it")
        try:
            return self.yaml.constructor.construct_object(node)
        except (ValueError, IndexError, KeyError, YAMLError):
            return self.refuse(node, keys, f"{_shown(node.value)} is not a number")

    def refuse(self, node: Node, keys: Keys, message: str) -> None:
        self.faults.append(Fault(str(self.place(node)), _dotted(keys), message))


def _open_sections(doc: dict[str, Any], model: type[Section]) -> None:
    """Read a section without content (all its lines commented out) as an empty section."""
    for name, field in _fields(model).items():
        if _is_section(field.annotation) and name in doc:
            if doc[name] is None:
                doc[name] = {}
            if isinstance(doc[name], dict):
                _open_sections(doc[name], field.annotation)


def _merge(doc: dict, spots: dict[Keys, Spot], over: dict, places: dict[Keys, Spot], keys: Keys = ()) -> None:
    """Lay ``over`` onto ``doc``: mappings merge, all else is replaced."""
    if keys in places:
        spots[keys] = places[keys]
    for name, value in over.items():
        path = (*keys, name)
        if isinstance(value, dict) and isinstance(doc.get(name), dict):
            _merge(doc[name], spots, value, places, path)
            continue
        doc[name] = value
        _replace_spots(spots, path, places)


def _replace_spots(spots: dict[Keys, Spot], keys: Keys, places: dict[Keys, Spot]) -> None:
    """Forget where the parts of ``keys`` stood; take it from ``places``."""
    for old in [path for path in spots if path[: len(keys)] == keys]:
        del spots[old]
    spots |= {path: spot for path, spot in places.items() if path[: len(keys)] == keys}


# --- overrides ----------------------------------------------------------------------------------------------------


def _override(doc: dict, spots: dict[Keys, Spot], overrides: Overrides, label: str, faults: list[Fault]) -> None:
    """Apply overrides to ``doc``, in order."""
    for dotted, value in _pairs(overrides, label, faults):
        try:
            keys = _locate(dotted, doc)
        except _Refused as error:
            faults.append(Fault(label, _printable(dotted), str(error)))
            continue
        value, old = _plain(value), _get(doc, keys)
        places = _everywhere(value, keys, Spot(label))
        if isinstance(value, dict) and isinstance(old, dict):
            _merge(old, spots, value, places, keys)
            continue
        _get(doc, keys[:-1])[keys[-1]] = value
        _replace_spots(spots, keys, places)


def _pairs(overrides: Overrides, label: str, faults: list[Fault]) -> Iterator[tuple[str, Any]]:
    if isinstance(overrides, Mapping):
        yield from overrides.items()
        return
    for text in [overrides] if isinstance(overrides, str) else overrides:
        dotted, equals, value = text.partition("=")
        found: list[Fault] = []
        if not equals:
            faults.append(Fault(label, _printable(text), "write path=value"))
            continue
        parsed = _parse(value, lambda line, column: Spot(label), {}, found)
        faults += (Fault(label, _printable(dotted), fault.message) for fault in found)
        if not found:
            yield dotted.strip(), parsed


def _locate(dotted: str, doc: dict) -> Keys:
    """Return the keys that a dotted path names in ``doc``; raise :class:`_Refused` with the complaint."""
    kind: Any = Scenario
    keys: Keys = ()
    for part in dotted.split("."):
        here = _get(doc, keys)
        if _is_section(kind) and isinstance(here, dict):
            fields = _fields(kind)
            if part not in fields:
                raise _Refused(_unknown(part, keys, fields, whole=True))
            keys, kind = (*keys, part), fields[part].annotation
        elif get_origin(kind) is tuple and isinstance(here, list):
            keys, kind = (*keys, _index(part, here)), get_args(kind)[0]
        else:
            raise _Refused(f"'{_dotted(keys)}' has no part '{_printable(part)}'")
    return keys


def _index(part: str, items: list[Any]) -> int:
    """Return the index in a list that ``part`` names: a number, or the name of a chip."""
    names = _chip_names(items)
    if part in names:
        return names.index(part)
    if part.isdecimal() and int(part) < len(items):
        return int(part)
    if part.isdecimal() or not any(names):
        raise _Refused(f"no item '{part}': the list has {len(items)} items, 0 to {len(items) - 1}")
    raise _Refused(f"no item '{_printable(part)}'{_did_you_mean(part, [n for n in names if n])}")


def _everywhere(value: Any, keys: Keys, spot: Spot) -> dict[Keys, Spot]:
    """Return ``spot`` for a value and all its parts."""
    places = {keys: spot}
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            places |= _everywhere(item, (*keys, key), spot)
    return places


# --- validation ---------------------------------------------------------------------------------------------------


def _validated(
    doc: dict, spots: dict[Keys, Spot], faults: list[Fault], folders: list[str], complete: bool = True
) -> Scenario:
    """Return the scenario of ``doc`` or raise all faults, those found before included.

    ``folders`` are where default files may lie; ``complete`` is False if a parent could not be read (then nothing
    is called missing).
    """
    known = {fault.path for fault in faults}
    bad = dict(_missing_files(doc, spots, folders, complete) + _not_finite(doc, ()))
    scenario, errors = _tried(doc)
    wrong = [tuple(error["loc"]) for error in errors if error["loc"]]
    if wrong:
        # Checks across sections run only if every section is sound: run them without what is wrong.
        errors += [error for error in _tried(_without(doc, wrong))[1] if not error["loc"]]
    for error in errors:
        for keys, message in _explained(error, doc):
            doubtful = not error["loc"] and (not complete or keys[:1] in [loc[:1] for loc in wrong])
            if not doubtful and (complete or keys != ("chips",)):
                bad.setdefault(keys, message)
    # What could not be read is not reported again as nothing.
    bad = {keys: message for keys, message in bad.items() if _dotted(keys) not in known}
    faults += (Fault(str(_nearest(keys, spots)), _dotted(keys), message) for keys, message in bad.items())
    if faults or scenario is None:
        raise ConfigError(sorted(dict.fromkeys(faults), key=_place_of))
    return scenario


def _place_of(fault: Fault) -> tuple[str, int, int]:
    """Return the file, line and column of a fault, to sort by."""
    place = re.fullmatch(r"(.*):(\d+):(\d+)", fault.where, re.DOTALL)
    return (place[1], int(place[2]), int(place[3])) if place else (fault.where, 0, 0)


def _tried(doc: dict) -> tuple[Scenario | None, list[dict[str, Any]]]:
    """Return the scenario of ``doc``, or None and pydantic's errors."""
    try:
        return Scenario.model_validate(_tuples(doc), strict=True), []
    except ValidationError as error:
        return None, list(error.errors(include_url=False))


def _without(doc: dict, wrong: list[Keys]) -> dict:
    """Return a copy of ``doc`` without the parameters and the chips at which something is wrong."""
    copy = _plain(doc)
    for keys in wrong:
        if keys[0] == "chips" and len(keys) > 1:
            copy["chips"][keys[1]] = None
        elif isinstance(holder := _get(copy, keys[:-1]), dict):
            holder.pop(keys[-1], None)
        else:
            # One end of a range.
            _get(copy, keys[:-2]).pop(keys[-2], None)
    if isinstance(copy.get("chips"), list):
        copy["chips"] = [chip for chip in copy["chips"] if chip is not None]
    return copy


def _not_finite(value: Any, keys: Keys) -> list[tuple[Keys, str]]:
    """Return a complaint for each number that no parameter can hold."""
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return [fault for key, item in items for fault in _not_finite(item, (*keys, key))]
    if isinstance(value, float) and not math.isfinite(value):
        return [(keys, f"must be a finite number, is {value}")]
    if isinstance(value, int) and abs(value) > _MAX_WHOLE:
        return [(keys, "is too large a number")]
    return []


def _missing_files(doc: dict, spots: dict[Keys, Spot], folders: list[str], complete: bool) -> list[tuple[Keys, str]]:
    """Make the paths of CSV files absolute in ``doc``; return a complaint for each that does not exist."""
    found = []
    for keys in _file_parameters():
        name = _get(doc, keys)
        if not isinstance(name, str):
            continue
        spot = spots.get(keys)
        # A default lies beside one of the configs, or is the one that comes with the program.
        homes = [os.path.dirname(spot.file) if spot.line else ""] if spot else [*folders, str(_SHIPPED)]
        candidates = [os.path.abspath(os.path.join(home, name)) for home in homes]
        path = next(filter(os.path.isfile, candidates), candidates[0])
        _get(doc, keys[:-1])[keys[-1]] = path
        if not _needed(doc, keys) or not (spot or complete):
            continue
        if os.path.isdir(path):
            found.append((keys, f"is a folder, not a CSV file: {_printable(path)}"))
        elif not os.path.isfile(path):
            found.append((keys, f"no such file: {_printable(path)}{_file_hint(path)}"))
    return found


def _needed(doc: dict, keys: Keys) -> bool:
    """Return whether a file is read: the recorded closes are not, by the regime process."""
    return keys != ("drivers", "coin", "series") or _get(doc, ("drivers", "coin", "path")) in ("history", "bootstrap")


# --- faults in plain language -------------------------------------------------------------------------------------

_BOUNDS = {
    "greater_than": ("gt", "above"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "below"),
    "less_than_equal": ("le", "at most"),
}
_KINDS = {"int": "a whole number", "float": "a number", "string": "text", "bool": "true or false"}


def _explained(error: dict[str, Any], doc: dict) -> list[tuple[Keys, str]]:
    """Return (keys, plain message) of one pydantic error; several if a validator reports several lines."""
    kind, keys, given, context = error["type"], tuple(error["loc"]), error["input"], error.get("ctx", {})
    if kind == "value_error":
        return [_placed(line, keys) for line in str(context["error"]).splitlines()]
    holder, field = _field(keys)
    if kind == "extra_forbidden":
        return [(keys, _unknown(str(keys[-1]), keys[:-1], _fields(holder)))]
    if kind == "missing" and isinstance(keys[-1], int) or kind in ("too_long", "tuple_type"):
        # A tuple of the wrong length: pydantic calls the items that are not there missing.
        keys = keys[:-1] if kind == "missing" else keys
        return [(keys, f"must be {_form(field)}, is {_shown(_get(doc, keys))}")]
    if kind == "missing":
        return [(keys, f"is missing: {field.description}{_unit(field)}")]
    if kind == "too_short":
        # Pydantic counts the sound items only; what is wrong with the others is reported as well.
        return [] if given else [(keys, "must have at least one item")]
    if kind == "string_too_short":
        return [(keys, "must not be empty")]
    if kind == "model_type":
        return [(keys, f"must be a section with 'name: value' lines, is {_shown(given)}")]
    if kind in _BOUNDS:
        bound, word = _BOUNDS[kind]
        return [(keys, f"must be {word} {context[bound]:g}{_unit(field)}, is {_shown(given)}")]
    if kind == "string_pattern_mismatch":
        return [(keys, f"must have the form {field.json_schema_extra['unit']}, is {_shown(given)}")]
    if kind == "literal_error":
        choices = get_args(field.annotation)
        hint = _did_you_mean(str(given), choices)
        return [(keys, f"must be one of {', '.join(choices)}; is {_shown(given)}{hint}")]
    expected = _KINDS.get(kind.split("_")[0])
    if expected is None:
        return [(keys, f"is not a valid value: {_shown(given)}")]
    return [(keys, f"must be {expected}{_unit(field)}, is {_shown(given)}{_quotes(given, expected)}")]


def _placed(line: str, keys: Keys) -> tuple[Keys, str]:
    """Return the keys and the message of a validator's line, which may begin with the path that it is about."""
    head = re.match(r"([a-z_]+(?:\.[a-z_0-9]+)*)(:?) ", line)
    path = (*keys, *head[1].split(".")) if head else keys
    if head is None or _field(path)[1] is None:
        return keys, line
    return path, line[head.end() :] if head[2] else line


def _field(keys: Keys) -> tuple[Any, FieldInfo | None]:
    """Return the section class that holds ``keys`` and the field they name (None if they name nothing)."""
    holder, kind, field = Scenario, Scenario, None
    for key in keys:
        if isinstance(key, int):
            kind = get_args(kind)[0]
            continue
        field = _fields(kind).get(key) if _is_section(kind) else None
        holder, kind = kind, field.annotation if field else None
    return holder, field


def _unit(field: FieldInfo | None) -> str:
    unit = (field.json_schema_extra or {}).get("unit") if field else None
    return f" ({unit})" if unit and unit not in ("text", "flag", "choice", "list") else ""


def _form(field: FieldInfo | None) -> str:
    """Return what a list must look like."""
    items = get_args(field.annotation) if field else ()
    if items == (float, float):
        return "a list of two numbers [low, high]"
    if items and items[0] is str:
        return "a list of texts"
    return "a list of sections, each beginning with '-'" if items and _is_section(items[0]) else "a list of numbers"


def _quotes(given: Any, expected: str) -> str:
    try:
        float(given)
    except (TypeError, ValueError):
        return ""
    return "; write it without quotes" if isinstance(given, str) and "number" in expected else ""


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


def _printable(text: str) -> str:
    return text if text.isprintable() else ascii(text)[1:-1]


def _dotted(keys: Keys) -> str:
    """Return "chips[2].list_price"."""
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{_printable(key)}" for key in keys)
    return text.removeprefix(".")


def _unknown(name: str, above: Keys, fields: Mapping[str, Any], whole: bool = False) -> str:
    """Return the complaint about an unknown name; suggestions are full paths if ``whole``."""
    prefix = ".".join(map(str, above)) + "." if above and whole else ""
    close = difflib.get_close_matches(name.lower(), fields, 1, 0.6)
    if close:
        return f"unknown parameter; did you mean '{prefix}{close[0]}'"
    elsewhere = [path for path, _, _ in declared() if path.rpartition(".")[2] == name.lower()]
    if elsewhere:
        return f"unknown parameter; did you mean '{min(elsewhere, key=lambda path: path.count('.'))}'"
    return f"unknown parameter; known here: {', '.join(fields)}"


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


# --- walking scenarios, docs and their schema ---------------------------------------------------------------------


def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Section)


def _fields(model: type[Section]) -> dict[str, FieldInfo]:
    """Return the parameters and sections of a section that a config may name."""
    return {name: field for name, field in model.model_fields.items() if not field.exclude}


def _schema(section: Any = Scenario, above: Keys = ()) -> Iterator[tuple[Keys, Any, FieldInfo]]:
    """Yield (keys, default, field) of every parameter below a section class or a section of defaults."""
    for name, field in _fields(section if isinstance(section, type) else type(section)).items():
        default = ... if field.is_required() else getattr(section, name, field.default)
        keys = (*above, name)
        items = get_args(field.annotation)
        if _is_section(field.annotation):
            yield from _schema(default, keys)
        elif items and _is_section(items[0]):
            yield from _schema(items[0], (*keys, 0))
        else:
            yield keys, default, field


def _defaults() -> dict[str, Any]:
    """Return the doc of all defaults: a config that sets one trait of a kind of agent keeps its others."""
    return {name: _plain(_dump(field.default)) for name, field in _fields(Scenario).items() if not field.is_required()}


def _dump(value: Any) -> Any:
    return value.model_dump() if isinstance(value, Section) else value


@functools.cache
def _file_parameters() -> tuple[Keys, ...]:
    """Return the parameters that name a CSV file."""
    return tuple(keys for keys, _, field in _schema() if (field.json_schema_extra or {}).get("unit") == "path")


def _walk_parameters(scenario: Scenario) -> Iterator[tuple[str, Keys, Any, FieldInfo]]:
    for path, value, field in leaves(scenario):
        if path != "chips":
            yield path, tuple(path.split(".")), value, field
            continue
        names = _chip_names([chip.model_dump() for chip in value])
        for k, chip in enumerate(value):
            for name, inner, info in leaves(chip):
                yield f"chips.{names[k] or k}.{name}", ("chips", k, name), inner, info


def _chip_names(items: list[Any]) -> list[str]:
    """Return a name for each item by which a path can address it, "" for those that need their index."""
    names = [str(item.get("name", "")) if isinstance(item, dict) else "" for item in items]
    return [n if names.count(n) == 1 and "." not in n and not n.isdecimal() else "" for n in names]


def _origin(keys: Keys, spots: dict[Keys, Spot]) -> str:
    own = [spot for path, spot in spots.items() if path[: len(keys)] == keys]
    if not own:
        return "default"
    # A range of which one end was overridden counts as overridden.
    spot = next((s for s in own if not s.line), spots.get(keys, own[0]))
    return f"{spot.file}:{spot.line}" if spot.line else spot.file


def _nearest(keys: Keys, spots: dict[Keys, Spot]) -> Spot:
    """Return the spot of the keys, of a part below them, or of the nearest part above them."""
    if keys not in spots:
        below = [spot for path, spot in spots.items() if path[: len(keys)] == keys]
        return below[-1] if below else _nearest(keys[:-1], spots)
    return spots[keys]


def _get(doc: Any, keys: Keys) -> Any:
    """Return what stands at ``keys``, None if nothing does."""
    for key in keys:
        try:
            doc = doc[key]
        except (KeyError, IndexError, TypeError):
            return None
    return doc


def _plain(value: Any) -> Any:
    """Return a deep copy with lists for tuples, whole numbers as int, and Python's numbers for NumPy's."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.item() if hasattr(value, "item") else value


def _tuples(value: Any) -> Any:
    """Return ``doc`` as strict validation wants it: tuples, and 60 for 60.0 (a count may be written 1e3)."""
    if isinstance(value, dict):
        return {key: _tuples(item) for key, item in value.items()}
    if isinstance(value, list):
        return tuple(_tuples(item) for item in value)
    if isinstance(value, float) and value.is_integer() and abs(value) <= _MAX_WHOLE:
        return int(value)
    return value


def _rows(value: Any) -> Any:
    """Return ``value`` with lists of numbers on one line and texts with odd characters in quotes."""
    if isinstance(value, dict):
        return {key: _rows(item) for key, item in value.items()}
    if isinstance(value, list):
        rows = CommentedSeq(_rows(item) for item in value)
        if not any(isinstance(item, dict) for item in value):
            rows.fa.set_flow_style()
        return rows
    if isinstance(value, str) and not value.isprintable():
        # Other styles fold line breaks of other alphabets (next line, line separator) into spaces.
        return DoubleQuotedScalarString(value)
    return value
