"""The parameters of a scenario, one by one."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any, get_args

from pydantic.fields import FieldInfo

from simulation.scenario.declare import Section, said
from simulation.scenario.paths import Keys, _chip_names, _dotted, _plain
from simulation.scenario.scenario import Scenario, leaves


def parameters(scenario: Scenario) -> list[tuple[str, Any, FieldInfo]]:
    """Return (dotted path, value, field) of every parameter, chips one by one (``chips.H100.list_price``)."""
    return [(name, value, field) for name, _, value, field in _walk_parameters(scenario)]


def declared() -> list[tuple[str, Any, FieldInfo]]:
    """Return (dotted path, default, field) of every parameter that a config may set; "chips[]" is any chip.

    The default is ``...`` where a value must be given.
    """
    return [(_dotted(keys).replace("[0]", "[]"), default, field) for keys, default, field in _schema()]


def _field(keys: Keys, root: type[Section] = Scenario) -> tuple[Any, FieldInfo | None]:
    """Return the section class below ``root`` that holds ``keys`` and the field they name (None if they name nothing)."""
    holder: Any = root
    kind: Any = root
    field = None
    for key in keys:
        if isinstance(key, int):
            kind = get_args(kind)[0]
            continue
        field = _fields(kind).get(key) if _is_section(kind) else None
        holder, kind = kind, field.annotation if field else None
    return holder, field


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
def file_parameters() -> tuple[Keys, ...]:
    """Return the parameters that name a CSV file."""
    return tuple(keys for keys, _, field in _schema() if said(field, "unit") == "path")


def _walk_parameters(scenario: Scenario) -> Iterator[tuple[str, Keys, Any, FieldInfo]]:
    for path, value, field in leaves(scenario):
        if path != "chips":
            yield path, tuple(path.split(".")), value, field
            continue
        names = _chip_names([chip.model_dump() for chip in value])
        for k, chip in enumerate(value):
            for name, inner, info in leaves(chip):
                yield f"chips.{names[k] or k}.{name}", ("chips", k, name), inner, info
