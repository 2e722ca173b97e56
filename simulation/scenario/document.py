"""Config files as documents: reading, what they extend, where each value stands."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from simulation.scenario.declare import Section
from simulation.scenario.faults import Fault, Spot, _did_you_mean, _file_hint, _Refused, _shown
from simulation.scenario.paths import Keys, _dotted, _printable
from simulation.scenario.scenario import Scenario
from simulation.scenario.walking import _fields, _is_section

_MAX_BYTES = 4_000_000


_MAX_DEPTH = 24


_MAX_VALUES = 50_000


_SHIPPED = Path(__file__).resolve().parents[2] / "configs"


#: What a config begins with that comes with the program, wherever that is installed: ``shipped:scenarios/article.yaml``.
SHIPPED = "shipped:"


def base_config() -> Path:
    """Return the config that comes with the program."""
    return _SHIPPED / "base.yaml"


def shipped_configs() -> dict[str, Path]:
    """Return the configs that come with the program, by their path in its folder of configs."""
    return {path.relative_to(_SHIPPED).as_posix(): path for path in sorted(_SHIPPED.rglob("*.yaml"))}


def find_config(name: str) -> str:
    """Return the file that a name of a config stands for.

    A file that is there; one that comes with the program (``shipped:base.yaml``, or ``base`` and ``article`` where no file
    has that name). Any other name is returned as it is: who opens it says what is wrong.
    """
    if name.startswith(SHIPPED):
        return str(_SHIPPED / name.removeprefix(SHIPPED))
    if os.path.exists(name) or os.path.splitext(name)[1]:
        return name
    named = [path for key, path in shipped_configs().items() if name in (path.stem, key.removesuffix(".yaml"))]
    # The base of the program goes before its calibration, which has the same name.
    return str(min(named, key=lambda path: len(path.parts))) if named else name


def _read_chain(file: str, faults: list[Fault]) -> tuple[list[tuple[dict, dict[Keys, Spot]]], bool]:
    """Return (doc, spots) of the file and of what it extends, child first, and whether the chain is complete."""
    file = find_config(file)
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
        shipped = parent.startswith(SHIPPED)
        file = os.path.normpath(find_config(parent) if shipped else os.path.join(os.path.dirname(file), parent))


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
        refuse("is a folder, not a config file")
        return None
    except FileNotFoundError:
        names = "" if os.path.splitext(file)[1] or named else ", and no config of that name comes with the program"
        refuse(f"{'does not exist' if named else 'no such file'}{names}{_file_hint(file)}")
        return None
    except (OSError, ValueError) as error:
        # ValueError: a name that no file can have.
        refuse(f"cannot be read ({getattr(error, 'strerror', None) or error})")
        return None
    if len(data) > _MAX_BYTES:
        refuse(f"is larger than {_MAX_BYTES // 1_000_000} MB: not a config file")
        return None
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
    # Without aliases a text has fewer values than characters: thousands of design points are no fault.
    reader = _Reader(yaml, spot, spots, faults, max(_MAX_VALUES, len(text) // 2))
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
        self, yaml: YAML, spot: Callable[[int, int], Spot], spots: dict[Keys, Spot], faults: list[Fault], most: int
    ) -> None:
        self.yaml, self.spot, self.spots, self.faults = yaml, spot, spots, faults
        self.count, self.most = 0, most

    def place(self, node: Node) -> Spot:
        return self.spot(node.start_mark.line + 1, node.start_mark.column + 1)

    def value(self, node: Node, keys: Keys) -> Any:
        self.count += 1
        if len(keys) > _MAX_DEPTH or self.count > self.most:
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
        kind: Any = field.annotation
        if _is_section(kind) and name in doc:
            if doc[name] is None:
                doc[name] = {}
            if isinstance(doc[name], dict):
                _open_sections(doc[name], kind)


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


def _merge_named(doc: dict, spots: dict[Keys, Spot], over: dict, places: dict[Keys, Spot], faults: list[Fault]) -> None:
    """Lay the generations that ``over`` gives by name (``chips: {H100: {list_price: 30000}}``) onto those of ``doc``.

    A name that ``doc`` lacks is a new generation. Takes them out of ``over``.
    """
    named = over.get("chips")
    if not isinstance(named, dict):
        return
    del over["chips"]
    chips = doc.setdefault("chips", [])
    names = [chip.get("name") if isinstance(chip, dict) else None for chip in chips]
    for name, values in named.items():
        at = places.get(("chips", name), places[()])
        if not isinstance(values, dict):
            faults.append(
                Fault(str(at), f"chips.{_printable(name)}", f"must be values of a generation, is {_shown(values)}")
            )
            continue
        known = [n for n in names if isinstance(n, str)]
        if name not in known and "release" not in values:
            faults.append(
                Fault(
                    str(at),
                    f"chips.{_printable(name)}",
                    f"no such generation{_did_you_mean(name, known)}; a new one needs a release",
                )
            )
            continue
        if name not in known:
            names.append(name)
            chips.append({"name": name})
        k = names.index(name)
        moved: dict[Keys, Spot] = {
            ("chips", k, *keys[2:]): spot for keys, spot in places.items() if keys[:2] == ("chips", name)
        }
        _merge(chips[k], spots, values, moved, ("chips", k))


def _replace_spots(spots: dict[Keys, Spot], keys: Keys, places: dict[Keys, Spot]) -> None:
    """Forget where the parts of ``keys`` stood; take it from ``places``."""
    for old in [path for path in spots if path[: len(keys)] == keys]:
        del spots[old]
    spots |= {path: spot for path, spot in places.items() if path[: len(keys)] == keys}


def _nearest(keys: Keys, spots: dict[Keys, Spot]) -> Spot:
    """Return the spot of the keys, of a part below them, or of the nearest part above them."""
    if keys not in spots:
        below = [spot for path, spot in spots.items() if path[: len(keys)] == keys]
        return below[-1] if below else _nearest(keys[:-1], spots)
    return spots[keys]
