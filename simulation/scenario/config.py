"""Config files: YAML to a :class:`Scenario`, with every fault named at its place in the file.

A config is YAML 1.2. It may name one parent (``extends: base.yaml``): mappings merge, lists and values are
replaced. ``--set path=value`` overrides come last. Faults are collected and raised together as
:class:`ConfigError`; nothing else leaves :func:`load_scenario`.

While reading, a config is two things: ``doc`` (nested dict, list and plain values) and ``spots``, which maps a
path of keys such as ``("chips", 2, "list_price")`` to the :class:`Spot` that set it.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedSeq
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from simulation.scenario.checking import _needed, _validated
from simulation.scenario.document import _SHIPPED, SHIPPED, _merge, _merge_named, _nearest, _read_chain
from simulation.scenario.faults import ConfigError, Fault, Spot, _Refused
from simulation.scenario.overrides import Overrides, _locate, _override, _pairs
from simulation.scenario.paths import Keys, _dotted, _get, _plain, _printable
from simulation.scenario.scenario import Scenario
from simulation.scenario.walking import _defaults, _fields, _walk_parameters, file_parameters

# --- the public functions -----------------------------------------------------------------------------------------


def load_scenario(path: str | os.PathLike[str], overrides: Overrides = ()) -> Scenario:
    """Read a config file and everything it extends.

    ``overrides`` are texts "path=value" (the value in YAML) or a mapping of dotted paths to values. Paths of CSV
    files are made absolute: they start from the folder of the config that names them, or from the working folder
    in an override. Raises :class:`ConfigError` with every fault found.
    """
    return _load(path, overrides)[0]


def provenance(path: str | os.PathLike[str], overrides: Overrides = ()) -> dict[str, str]:
    """Return where each parameter was set: "file:line", "--set" or "default". Raises :class:`ConfigError`."""
    scenario, spots = _load(path, overrides)
    return {name: _origin(keys, spots) for name, keys, _, _ in _walk_parameters(scenario)}


def set_path(scenario: Scenario, changes: Overrides, label: str = "") -> Scenario:
    """Return a validated copy with some parameters changed.

    ``changes`` maps dotted paths to values (or lists "path=value"); a list takes an index (``chips.1.power``), the
    chips also a name (``chips.H100.power``). ``label`` says in faults where the changes came from.
    Raises :class:`ConfigError`.
    """
    faults: list[Fault] = []
    doc = _plain(scenario.model_dump())
    spots: dict[Keys, Spot] = {(): Spot(label)}
    _override(doc, spots, changes, label, faults)
    return _validated(doc, spots, faults, [""])


def get_path(scenario: Scenario, dotted: str, label: str = "") -> Any:
    """Return the value of a parameter, named as in :func:`set_path`; lists for tuples. Raises :class:`ConfigError`."""
    doc = _plain(scenario.model_dump())
    try:
        return _get(doc, _locate(dotted, doc))
    except _Refused as error:
        raise ConfigError([Fault(label, _printable(dotted), str(error))]) from None


def scenario_to_yaml(scenario: Scenario, files: Mapping[str, str] | None = None) -> str:
    """Return the scenario with every parameter written out; loading the text gives an equal scenario.

    ``files`` gives, by dotted path, the names to write for files (else shipped ones by name, others by their place).
    """
    doc = _plain(scenario.model_dump())
    for keys in file_parameters():
        path, name = _get(doc, keys), (files or {}).get(_dotted(keys))
        if path and name is None and Path(path).is_relative_to(_SHIPPED):
            name = SHIPPED + Path(path).relative_to(_SHIPPED).as_posix()
        _get(doc, keys[:-1])[keys[-1]] = name or path
    yaml, text = YAML(typ="rt", pure=True), io.StringIO()
    yaml.width = 10_000
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.dump(_rows(doc), text)
    return text.getvalue()


def scenario_hash(scenario: Scenario) -> str:
    """Return 16 hex digits of the resolved scenario: the same on every machine.

    A CSV file counts by its content, not by where it lies; one that is not read does not count.
    """
    doc = _plain(scenario.model_dump())
    read = input_files(scenario)
    for keys in file_parameters():
        path = read.get(_dotted(keys))
        _get(doc, keys[:-1])[keys[-1]] = path and hashlib.sha256(path.read_bytes()).hexdigest()
    return hashlib.sha256(json.dumps(doc, sort_keys=True).encode()).hexdigest()[:16]


def input_files(scenario: Scenario) -> dict[str, Path]:
    """Return the CSV files that a scenario reads, by dotted path of the parameter that names them."""
    doc = scenario.model_dump()
    named = {_dotted(keys): _get(doc, keys) for keys in file_parameters() if _needed(doc, keys)}
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
    doc = _defaults()
    spots: dict[Keys, Spot] = {(): chain[0][1][()]}
    for values, places in reversed(chain):
        if own is None:
            _refuse_other_kinds(values, places, faults)
        _merge_named(doc, spots, values, places, faults)
        _merge(doc, spots, values, places)
    _override(doc, spots, overrides, "--set", faults)
    if own is not None:
        own |= {name: doc.pop(name) for name in keys if name in doc}
    _order_chips(doc, spots)
    folders = [os.path.dirname(places[()].file) for _, places in chain]
    return _validated(doc, spots, faults, folders, complete), spots


#: Sections that only a config of another kind has, and the command that such a config is for.
_OTHERS = {"sweep": "sweep", "report": "sweep", "replications": "sweep", "free": "calibrate", "moments": "calibrate"}


def _refuse_other_kinds(values: dict[str, Any], places: dict[Keys, Spot], faults: list[Fault]) -> None:
    """Say which command a study or a calibration is for, in place of naming all its sections unknown."""
    found = [name for name in _OTHERS if name in values]
    if found:
        spot = places[(found[0],)]
        what = "study of many runs" if _OTHERS[found[0]] == "sweep" else "calibration"
        raise ConfigError(
            [Fault(str(spot), found[0], f"is part of a {what}: firesale {_OTHERS[found[0]]} {spot.file}")]
        )


def _order_chips(doc: dict[str, Any], spots: dict[Keys, Spot]) -> None:
    """Order generations by release, as a scenario has them, and take along where their values stand."""
    chips = doc.get("chips")
    if not isinstance(chips, list) or not all(
        isinstance(chip, dict) and isinstance(chip.get("release"), int | float) for chip in chips
    ):
        return  # a fault, said by the validation
    order = sorted(range(len(chips)), key=lambda k: chips[k]["release"])
    doc["chips"] = [chips[k] for k in order]
    place: dict[str | int, int] = {old: new for new, old in enumerate(order)}
    moved = {keys: spots.pop(keys) for keys in list(spots) if len(keys) > 1 and keys[0] == "chips"}
    spots |= {("chips", place.get(keys[1], keys[1]), *keys[2:]): spot for keys, spot in moved.items()}


def load_study(
    path: str | os.PathLike[str], overrides: Overrides, keys: Iterable[str]
) -> tuple[Scenario, dict, Callable[[Keys], str]]:
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
                raise ConfigError(
                    [Fault("--set", name, f"'{part}' is not a section in this config: nothing can be set in it")]
                )
        holder[last] = value
        spots[tuple(name.split(".", 2))] = Spot("--set")
    return scenario, own, lambda place: str(_nearest(place, spots))


def _origin(keys: Keys, spots: dict[Keys, Spot]) -> str:
    own = [spot for path, spot in spots.items() if path[: len(keys)] == keys]
    if not own:
        return "default"
    # A range of which one end was overridden counts as overridden.
    spot = next((s for s in own if not s.line), spots.get(keys, own[0]))
    return f"{spot.file}:{spot.line}" if spot.line else spot.file


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
