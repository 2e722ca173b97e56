"""Overrides of parameters by dotted path."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, get_args, get_origin

from simulation.scenario.document import _merge, _merge_named, _parse, _replace_spots
from simulation.scenario.faults import Fault, Spot, _did_you_mean, _Refused
from simulation.scenario.paths import Keys, _chip_names, _dotted, _get, _plain, _printable
from simulation.scenario.scenario import Scenario
from simulation.scenario.walking import _fields, _is_section, declared

Overrides = Iterable[str] | Mapping[str, Any]


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
        if keys == ("chips",) and isinstance(value, dict):
            _merge_named(doc, spots, {"chips": value}, _everywhere({"chips": value}, (), Spot(label)), faults)
            continue
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
