"""The columns of a sweep's table of runs: one schema a study, whatever a shard holds, so that any reader takes all shards."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, get_args, get_origin

import pyarrow as pa

from agents.tables.events import CAUSES
from experiments.sweeps.study import MEASURES, Study
from simulation.record.summary import SUMMARY
from simulation.scenario.declare import said
from simulation.scenario.walking import parameters

#: Measures of these units are whole numbers; so is the size of the largest cascade.
_COUNTED = ("operators", "lenders", "month", "flag", "count", "generations", "rounds", "calls")
_WHOLE = ("cascade_max",)


def runs_schema(study: Study) -> pa.Schema:
    """Return the schema of ``runs/``: who ran, what the point changed, measures (the twin's, too), status and message."""
    fields = [pa.field(name, pa.int64()) for name in ("run", "point", "seed", "replication")]
    known = {name: (field.annotation, said(field, "unit")) for name, _, field in parameters(study.scenario)}
    for name in dict.fromkeys(name for point in study.points for name in point):
        kind, unit = known[name]
        fields.append(pa.field(name, _type(kind), metadata={"unit": unit}))
    fields += _measures("")
    if study.plan.twin:
        fields += _measures("twin_")
    return pa.schema([*fields, pa.field("status", pa.string()), pa.field("message", pa.string())])


def _measures(before: str) -> list[pa.Field]:
    """Return a field a measure of a run: of one that failed, and of what did not happen, it is null."""
    told = {measure.name: measure for measure in SUMMARY}
    fields = []
    for name in MEASURES:
        unit, meaning = told[name].unit, told[name].meaning
        kind = pa.int64() if unit in _COUNTED or name in _WHOLE else pa.float64()
        fields.append(pa.field(before + name, kind, metadata={"unit": unit, "meaning": meaning}))
    return fields + [
        pa.field(
            f"{before}defaults_{cause}", pa.int64(), metadata={"unit": "operators", "meaning": f"defaults by {cause}"}
        )
        for cause in CAUSES
    ]


def _type(kind: Any) -> pa.DataType:
    """Return the type of a column for a parameter of a declared kind."""
    if get_origin(kind) is Literal:
        return pa.string()
    parts = [part for part in get_args(kind) if part not in (type(None), Ellipsis)]
    if get_origin(kind) is tuple:
        return pa.list_(_type(parts[0]))
    if parts:
        return _type(parts[0])
    return {bool: pa.bool_(), int: pa.int64(), float: pa.float64()}.get(kind, pa.string())


def runs_table(study: Study, rows: Iterable[dict[str, Any]]) -> pa.Table:
    """Return rows as a table of the study's schema; what a failed run lacks is null."""
    schema, rows = runs_schema(study), list(rows)
    columns = [pa.array([row.get(field.name) for row in rows], field.type, from_pandas=True) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)
