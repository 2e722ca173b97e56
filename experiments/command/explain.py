"""``firesale explain``: schedule, parameters, tables, schema, a config."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from experiments.command.terminal import Set, config_file, make_console, print_table

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo


def explain(
    topic: Annotated[str, typer.Argument(metavar="schedule|parameters|tables|schema|CONFIG", show_default=False)],
    set_: Set = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Explain the order of a month, all parameters, all columns, the JSON Schema, or where a config's values come from."""
    if topic in _TOPICS:
        _TOPICS[topic](as_json)
    else:
        file = config_file(topic)
        if not file.suffix and not file.exists():
            raise typer.BadParameter(f"'{topic}' is neither a config file nor one of {', '.join(_TOPICS)}")
        _explain_config(str(file), set_ or [], as_json)


def _explain_schedule(as_json: bool) -> None:
    from rich.padding import Padding
    from rich.text import Text

    from simulation.month import PHASES
    from simulation.schedule import by_table, schedule, tables_of

    steps = schedule()
    if as_json:
        print(
            json.dumps([{**s._asdict(), "reads": sorted(s.reads), "writes": sorted(s.writes)} for s in steps], indent=2)
        )
        return
    console = make_console()
    for k, phase in enumerate(PHASES, 1):
        again = " Rounds of these rules follow one another:" if phase.name == "cascade" else ""
        console.print(f"[bold]{k} {phase.name}[/]  {phase.meaning}{again}", highlight=False)
        for s in steps:
            if s.phase == phase.name:
                told = f"reads {by_table(tables_of(s.reads))}; writes {by_table(tables_of(s.writes))}"
                console.print(Text(f"  {s.rule}  ").append(s.file, "dim"))
                for text in (s.meaning, told):
                    console.print(Padding(Text(text), (0, 0, 0, 6)))
        console.print()
    console.print("Every column that a rule reads and writes: firesale explain schedule --json")


def _explain_parameters(as_json: bool) -> None:
    from simulation.scenario.declare import said
    from simulation.scenario.walking import declared

    rows = [
        (path, _value(default), *_unit_and_bounds(field), field.description or "", said(field, "source"))
        for path, default, field in declared()
    ]
    _show("All parameters", ("parameter", "default", "unit", "bounds", "meaning", "source"), rows, as_json)


def _explain_tables(as_json: bool) -> None:
    importlib.import_module("simulation.world.world")  # declares every table
    from agents.schema import TABLES
    from agents.tables.ledger import ITEMS

    heads = ("column", "unit", "meaning")
    tables = [
        (table.name, table.meaning, [(c.name, c.unit, _with_codes(c)) for c in table.columns])
        for table in TABLES.values()
    ]
    flows = [(item.name, "USD", f"{item.payer} to {item.payee}: {item.meaning}") for item in ITEMS]
    tables.append(("flows", "Payments by item, one row a month.", flows))
    if as_json:
        named = {
            name: {"meaning": meaning, "columns": [dict(zip(heads, row, strict=True)) for row in rows]}
            for name, meaning, rows in tables
        }
        print(json.dumps(named, indent=2))
        return
    for name, meaning, rows in tables:
        print_table(f"{name}: {meaning}", heads, rows)


def _explain_schema(as_json: bool) -> None:
    """Print the JSON Schema of config files, for editors (it is JSON with or without ``as_json``)."""
    from simulation.scenario.config import json_schema

    print(json.dumps(json_schema(), indent=2))


def _explain_config(config: str, set_: list[str], as_json: bool) -> None:
    from simulation.scenario.config import load_scenario, provenance
    from simulation.scenario.walking import parameters

    origins = provenance(config, set_)
    rows = [
        (path, _value(value), _unit_and_bounds(field)[0], origins[path])
        for path, value, field in parameters(load_scenario(config, set_))
    ]
    _show(f"Parameters of {config}", ("parameter", "value", "unit", "set by"), rows, as_json)


_TOPICS: dict[str, Callable[[bool], None]] = {
    "schedule": _explain_schedule,
    "parameters": _explain_parameters,
    "tables": _explain_tables,
    "schema": _explain_schema,
}


_BOUNDS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}


def _unit_and_bounds(field: FieldInfo) -> tuple[str, str]:
    from typing import Literal, get_args, get_origin

    from simulation.scenario.declare import said

    unit = said(field, "unit")
    if get_origin(field.annotation) is Literal:
        return unit, " | ".join(get_args(field.annotation))
    bounds = [(sign, getattr(rule, name, None)) for rule in field.metadata for name, sign in _BOUNDS.items()]
    return unit, ", ".join(f"{sign} {bound:g}" for sign, bound in bounds if bound is not None)


def _value(value: Any) -> str:
    """Return a value as it would stand in a config."""
    if value is None:
        return "none"
    if value is ...:
        return "required"
    if isinstance(value, tuple):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) and value == float(f"{value:g}") else str(value)


def _with_codes(column: Any) -> str:
    codes = ", ".join(f"{k} {name}" for k, name in enumerate(column.codes))
    return f"{column.meaning} ({codes})" if codes else column.meaning


# --- output -------------------------------------------------------------------------------------------------------


def _show(title: str, heads: tuple[str, ...], rows: Sequence[tuple[str, ...]], as_json: bool) -> None:
    if as_json:
        print(json.dumps([dict(zip(heads, row, strict=True)) for row in rows], indent=2))
    else:
        print_table(title, heads, rows)
