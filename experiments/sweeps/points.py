"""Design points from a CSV file: a column a parameter, a row a point; an empty cell leaves the parameter as it is."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import Field, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from simulation.scenario.checking import BOUNDS
from simulation.scenario.faults import ConfigError, Fault

#: Separators of columns that are tried on the header, in this order.
_SEPARATORS = (",", ";", "\t")


def read_points(file: Path, known: Mapping[str, FieldInfo], unknown: Callable[[str], str]) -> list[dict[str, Any]]:
    """Return the points of a CSV file. ``known`` gives the declaration of a parameter by its dotted path.

    ``unknown`` says what is wrong with another name. Raises ConfigError with line and column of every fault.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = "is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else error.strerror
        raise ConfigError([Fault(str(file), "sweep.points", f"cannot be read: {why}")]) from None
    head = text.partition("\n")[0]
    separator = next((mark for mark in _SEPARATORS if mark in head), ",")
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    faults: list[Fault] = []

    def refuse(line: int, column: int, path: str, message: str) -> None:
        faults.append(Fault(f"{file}:{line}:{column}", path, message))

    names = [name.strip() for name in next(rows, [])]
    for k, name in enumerate(names):
        if name not in known:
            refuse(1, k + 1, "sweep.points", unknown(name) + f": {name!r}")
        elif name in names[:k]:
            refuse(1, k + 1, "sweep.points", f"the column {name!r} is given twice")
    asked: dict[str, TypeAdapter[Any]] = {}
    for name in [] if faults else names:
        kind: Any = known[name].annotation
        asked[name] = TypeAdapter(Annotated[kind, Field(), *known[name].metadata])
    points = []
    for cells in [] if faults else rows:
        line = rows.line_num
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(names):
            refuse(line, 1, "sweep.points", f"has {len(cells)} cells, the header {len(names)}")
            continue
        point = {}
        for k, (name, cell) in enumerate(zip(names, map(str.strip, cells), strict=True)):
            if not cell:
                continue
            try:
                point[name] = _value(cell, known[name].annotation)
                asked[name].validate_python(point[name])
            except ValidationError as error:
                refuse(line, k + 1, name, f"{_bound(error)}, is {cell!r}")
            except ValueError as error:
                refuse(line, k + 1, name, str(error))
        points.append(point)
    if not points and not faults:
        refuse(1, 1, "sweep.points", "has no points: a header of parameters, then a row a point")
    if faults:
        raise ConfigError(faults)
    return points


def _bound(error: ValidationError) -> str:
    """Return which bound a value is beyond, in words."""
    told = error.errors(include_url=False)[0]
    if told["type"] not in BOUNDS:
        return "is not a value that the parameter can have"
    bound, word = BOUNDS[told["type"]]
    return f"must be {word} {told['ctx'][bound]:g}"


def points_csv(points: Sequence[Mapping[str, Any]]) -> bytes | None:
    """Return points as a CSV file that reads the same; None where a value is a list, or a text that would not."""
    names = list(dict.fromkeys(name for point in points for name in point))
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    for point in points:
        if not point or not all(_is_plain(value) for value in point.values()):
            return None
        writer.writerow([_cell(point[name]) if name in point else "" for name in names])
    return out.getvalue().encode()


def _is_plain(value: Any) -> bool:
    return isinstance(value, bool | int | float) or isinstance(value, str) and value == value.strip() != ""


def _cell(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _value(cell: str, kind: Any) -> Any:
    """Return what a cell says for a parameter of a declared kind. Raises ValueError."""
    kinds = set(_kinds(kind))
    if bool in kinds and cell.lower() in ("true", "false"):
        return cell.lower() == "true"
    if kinds & {int, float}:
        for number in (int, float):
            try:
                return number(cell)
            except ValueError:
                continue
    if str in kinds:
        return cell
    if kinds <= {int, float, bool}:
        raise ValueError(f"must be {'true or false' if kinds == {bool} else 'a number'}, is {cell!r}")
    raise ValueError("is a list: give the points of a list as YAML")


def _kinds(kind: Any) -> Iterable[Any]:
    """Return the plain kinds that a declared kind allows."""
    if get_origin(kind) is Literal:
        return {type(choice) for choice in get_args(kind)}
    parts = get_args(kind)
    if parts and get_origin(kind) not in (tuple, list):
        return {plain for part in parts if part is not type(None) for plain in _kinds(part)}
    return {kind}
