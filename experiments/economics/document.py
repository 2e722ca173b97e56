"""The document of a study: figures, tables group by group, what the half-life hangs on, what each measure is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from experiments.economics import hangs, table
from experiments.economics.study import Study
from experiments.economics.table import Row
from simulation.words import listed

_WORDS = {
    "block": "What a block brings by the time within which it is sold, and what the fall of the price hangs on",
    "market": "Price over value in use by generation, and how far the used market is out of order",
    "history": "Loans drawn, growth of capacity and the stock by generation, year by year",
}


def told(study: Study) -> list[Row]:
    """Return the rows of the tables: what hangs on parameters is told in one of its own."""
    return [row for row in study.rows if not row.key.startswith(hangs.PREFIX)]


def markdown(study: Study, figures: Iterable[Path], old: Mapping[str, Row] | None = None) -> str:
    """Return the document as Markdown, to stand beside ``images/``."""
    rows = told(study)
    lines = [
        f"{study.about}. Median and band (10 to 90 %) are of single runs; the mean is of all runs together,",
        "a ratio of sums, with its standard error; *systemic runs* is the mean of those alone. An empty field: nothing of the kind happened.",
        "",
        table.verdict(rows),
        "",
    ]
    for file in figures:
        lines += [f"![{_WORDS[file.stem.removeprefix('economics_')]}](images/{file.name})", ""]
    for group, members in table.groups(rows).items():
        lines += [f"### {group}", "", *_table(table.HEADS, [table.shown(row) for row in members]), ""]
        if group == hangs.AFTER and study.changes:
            lines += _hanging(study)
    if old is not None:
        beside = [table.beside(row, old.get(row.key)) for row in rows]
        what = (
            f"The older table: {old[table.ABOUT].note}."
            if table.ABOUT in old
            else "The older table does not say what was played."
        )
        lines += ["### Beside the older table", "", what, "", *_table(table.BESIDE, beside), ""]
    return "\n".join([*lines, "### What they are", "", *_definitions(rows)]) + "\n"


def _hanging(study: Study) -> list[str]:
    idle = hangs.idle(study.changes)
    lines = [
        "Half-life (median) and fall (mean) of the same block with one parameter halved or doubled (half way to its bound where twice is out of it),",
        f"over {study.changes[0].fall.count} seeds:",
        "",
        *_table(hangs.HEADS, hangs.table(study.changes)),
        "",
    ]
    return [*lines, *([f"Less than {hangs.TOLD} come of {listed(f'`{path}`' for path in idle)}.", ""] if idle else [])]


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    body = [f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows]
    return [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads), *body]


def _definitions(rows: Sequence[Row]) -> list[str]:
    lines = []
    for members in table.groups(rows).values():
        said: dict[str, list[str]] = {}
        for row in members:
            said.setdefault(row.definition, []).append(row.measure)
        lines += [f"- *{_named(names)}*: {definition}." for definition, names in said.items()]
    return lines


def _named(names: Sequence[str]) -> str:
    return f"{names[0]} to {names[-1]}" if len(names) > 2 else " and ".join(names)
