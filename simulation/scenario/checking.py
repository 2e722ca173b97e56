"""Validation, with every fault put where it was written."""

from __future__ import annotations

import math
import os
import re
from typing import Any, get_args

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from simulation.scenario.declare import Section, said
from simulation.scenario.document import _SHIPPED, SHIPPED, _nearest
from simulation.scenario.faults import ConfigError, Fault, Spot, _did_you_mean, _file_hint, _shown
from simulation.scenario.overrides import _unknown
from simulation.scenario.paths import Keys, _dotted, _get, _plain, _printable
from simulation.scenario.scenario import Scenario
from simulation.scenario.walking import _field, _fields, _is_section, file_parameters

_MAX_WHOLE = 2**53  # beyond it a float field would silently round, and a table column overflow


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
        for keys, message in explained(error, doc):
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


def _tried(doc: dict) -> tuple[Scenario | None, list[ErrorDetails]]:
    """Return the scenario of ``doc``, or None and pydantic's errors."""
    try:
        return Scenario.model_validate(tuples(doc), strict=True), []
    except ValidationError as error:
        return None, error.errors(include_url=False)


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
    for keys in file_parameters():
        name = _get(doc, keys)
        if not isinstance(name, str):
            continue
        spot = spots.get(keys)
        # A default lies beside one of the configs, or is the one that comes with the program.
        homes = [os.path.dirname(spot.file) if spot.line else ""] if spot else [*folders, str(_SHIPPED)]
        if name.startswith(SHIPPED):
            name, homes = name.removeprefix(SHIPPED), [str(_SHIPPED)]
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

BOUNDS = {
    "greater_than": ("gt", "above"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "below"),
    "less_than_equal": ("le", "at most"),
}


_KINDS = {"int": "a whole number", "float": "a number", "string": "text", "bool": "true or false"}


def explained(error: Any, doc: dict, root: type[Section] = Scenario) -> list[tuple[Keys, str]]:
    """Return (keys, plain message) of one pydantic error; several if a validator reports several lines.

    ``root`` is the section that ``doc`` was validated as.
    """
    kind, keys, given, context = error["type"], tuple(error["loc"]), error["input"], error.get("ctx", {})
    if isinstance(given, tuple):
        given = list(given)
    if kind == "value_error":
        return [_placed(line, keys) for line in str(context["error"]).splitlines()]
    holder, field = _field(keys, root)
    if kind == "extra_forbidden":
        return [(keys, _unknown(str(keys[-1]), keys[:-1], _fields(holder)))]
    if kind == "missing" and isinstance(keys[-1], int) or kind in ("too_long", "tuple_type"):
        # A tuple of the wrong length: pydantic calls the items that are not there missing.
        keys = keys[:-1] if kind == "missing" else keys
        return [(keys, f"must be {_form(field)}, is {_shown(_get(doc, keys))}")]
    if kind == "missing":
        return [(keys, f"is missing{': ' + field.description if field and field.description else ''}{_unit(field)}")]
    if kind == "too_short":
        # Pydantic counts the sound items only; what is wrong with the others is reported as well.
        return [] if given else [(keys, "must have at least one item")]
    if kind == "string_too_short":
        return [(keys, "must not be empty")]
    if kind in ("model_type", "dict_type"):
        return [(keys, f"must be a section with 'name: value' lines, is {_shown(given)}")]
    if kind in BOUNDS:
        bound, word = BOUNDS[kind]
        return [(keys, f"must be {word} {context[bound]:g}{_unit(field)}, is {_shown(given)}")]
    if kind == "string_pattern_mismatch":
        return [(keys, f"must have the form {said(field, 'unit')}, is {_shown(given)}")]
    if kind == "literal_error":
        choices = get_args(field.annotation) if field else ()
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


def _unit(field: FieldInfo | None) -> str:
    unit = said(field, "unit")
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


def tuples(value: Any) -> Any:
    """Return ``doc`` as strict validation wants it: tuples, and 60 for 60.0 (a count may be written 1e3)."""
    if isinstance(value, dict):
        return {key: tuples(item) for key, item in value.items()}
    if isinstance(value, list):
        return tuple(tuples(item) for item in value)
    if isinstance(value, float) and value.is_integer() and abs(value) <= _MAX_WHOLE:
        return int(value)
    return value
