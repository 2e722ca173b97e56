"""The generated tables of ``docs/odd.md``: ``python -m experiments.documents.odd`` rewrites them, ``--check`` only compares.

Columns, parameters, phases, payments and measures are declared once, in the code; the document quotes them.
"""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from agents.schema import Column, Table
from agents.tables.buyers import BUYER, BUYER_KINDS
from agents.tables.chips import CHIP
from agents.tables.clock import CLOCK
from agents.tables.customers import CUSTOMER, CUSTOMER_KINDS
from agents.tables.events import EVENT, TRADE
from agents.tables.ledger import ITEMS, SECTORS
from agents.tables.lenders import LENDER, LENDER_KINDS
from agents.tables.lines import LINE
from agents.tables.loans import LOAN
from agents.tables.lots import LOT
from agents.tables.operators import OPERATOR
from agents.tables.orders import ORDER
from simulation.markets.tape import TAPE
from simulation.month import PHASES
from simulation.record.summary import SUMMARY
from simulation.scenario.declare import said
from simulation.scenario.walking import declared
from simulation.schedule import by_table, tables_of
from simulation.schedule import schedule as derived_schedule
from simulation.world.inputs.columns import BUYERS, LENDERS, MINERS, NEOCLOUDS
from simulation.world.panel import CHIP_PANEL, KIND_PANEL, PANEL, PATH

DOCUMENT = Path(__file__).parents[2] / "docs" / "odd.md"


#: What the run carries from month to month, and what it only writes.
STATE = (CHIP, LENDER, OPERATOR, BUYER, CUSTOMER, LOAN, LOT, ORDER, LINE, CLOCK, PATH)


RECORDS = (EVENT, TRADE, PANEL, CHIP_PANEL, KIND_PANEL, TAPE)


#: Sectors whose cash the model keeps; the others close the accounts from outside.
INSIDE = SECTORS[:3]


_BLOCK = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.S)


_KINDS = {"lenders": LENDER_KINDS, "buyers": BUYER_KINDS, "customers": CUSTOMER_KINDS}


def markdown(heads: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """Return a Markdown table."""
    heads = tuple(heads)
    lines = [heads, ("---",) * len(heads), *rows]
    return "".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def columns(tables: Iterable[Table]) -> str:
    """Return every column of the tables with unit and meaning, one Markdown table each."""
    parts = []
    for table in tables:
        rows = [(f"`{c.name}`", c.unit, _meaning(c)) for c in table.columns]
        parts.append(f"**`{table.name}`** {table.meaning}\n\n{markdown(('column', 'unit', 'meaning'), rows)}")
    return "\n".join(parts)


def _meaning(column: Column) -> str:
    return f"{column.meaning} ({', '.join(column.codes)})" if column.codes else column.meaning


def given() -> str:
    """Return the columns that users' tables of agents may have, with their bounds and the parameters in whose place they stand."""
    tables = {"lenders": LENDERS, "neoclouds": NEOCLOUDS, "miners": MINERS, "buyers": BUYERS}
    rows = []
    for section, specs in tables.items():
        for spec in (spec for spec in specs if not spec.because):
            instead = ", ".join(f"`{name}`" for name in spec.parameters)
            holds = ", ".join(spec.choices) or str(spec.bounds)
            rows.append((f"`{section}.file`", f"`{spec.name}`", spec.unit, holds, instead))
    return markdown(("table", "column", "unit", "holds", "in the place of"), rows)


def parameters() -> str:
    """Return every parameter with default, unit, meaning and source, one Markdown table a section.

    The traits of the kinds of lenders, buyers and customers stand in one row each (``lenders.KIND.capital``), with as many
    defaults as they have different ones, in the order of the kinds.
    """
    merged: dict[str, tuple[list[str], Any]] = {}
    for path, default, field in declared():
        section, _, rest = path.partition(".")
        kind, dot, trait = rest.partition(".")
        name = f"{section}.KIND.{trait}" if dot and kind in _KINDS.get(section, ()) else path
        merged.setdefault(name, ([], field))[0].append(_value(default))
    sections: dict[str, list[tuple[str, ...]]] = {}
    for name, (defaults, field) in merged.items():
        default = defaults[0] if len(set(defaults)) == 1 else " / ".join(defaults)
        head = name.partition(".")[0].removesuffix("[]") if "." in name else "scenario"
        row = (f"`{name}`", default, said(field, "unit"), field.description or "", said(field, "source"))
        sections.setdefault(head, []).append(row)
    heads = ("parameter", "default", "unit", "meaning", "source")
    return "\n".join(f"**{section}**\n\n{markdown(heads, rows)}" for section, rows in sections.items())


def _value(value: Any) -> str:
    """Return a default as a config would write it."""
    if value is ...:
        return "required"
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(map(_value, value))}]"
    return f"{value:g}" if isinstance(value, float) and value == float(f"{value:g}") else str(value)


def schedule() -> str:
    """Return the rules of a month, in order; what they read and write is derived from their code."""
    meanings = {phase.name: phase.meaning for phase in PHASES}
    rows: list[tuple[str, ...]] = []
    last = ""
    for step in derived_schedule():
        if step.phase != last:
            rows.append((f"**{step.phase}**", "", f"**{meanings[step.phase]}**", "", ""))
            last = step.phase
        touched = [by_table(tables_of(names)) for names in (step.reads, step.writes)]
        rows.append(("", f"`{step.rule}`", step.meaning.replace("``", "`"), *touched))
    return markdown(("phase", "rule", "what it does", "reads", "writes"), rows)


def flows() -> str:
    """Return the transaction-flow table: who pays (-) and who receives (+); every row sums to zero."""
    rows = []
    for item in ITEMS:
        signs = [
            "±" if item.payer == item.payee == s else "−" if item.payer == s else "+" if item.payee == s else ""
            for s in INSIDE
        ]
        outside = [f"{sign} {s}" for sign, s in (("−", item.payer), ("+", item.payee)) if s not in INSIDE]
        rows.append((f"`{item.name}`", *signs, ", ".join(outside), item.meaning))
    return markdown(("item", *INSIDE, "outside", "meaning"), rows)


def measures() -> str:
    """Return the summary measures of a run."""
    return markdown(("measure", "unit", "meaning"), [(f"`{m.name}`", m.unit, m.meaning) for m in SUMMARY])


BLOCKS = {
    "schedule": schedule,
    "state": lambda: columns(STATE),
    "records": lambda: columns(RECORDS),
    "given": given,
    "parameters": parameters,
    "flows": flows,
    "measures": measures,
}


def blocks(text: str) -> dict[str, str]:
    """Return the generated blocks of a document by name, as they stand in it."""
    return {match[2]: match[0] for match in _BLOCK.finditer(text)}


def regenerate(text: str) -> str:
    """Return the document with every generated block made anew; KeyError on an unknown block."""
    return _BLOCK.sub(lambda match: f"{match[1]}{BLOCKS[match[2]]()}{match[3]}", text)


def differences(text: str) -> dict[str, str]:
    """Return the blocks that are missing or out of date, each with the first lines that differ."""
    old, new = blocks(text), blocks(regenerate(text))
    found = {name: "missing from the document" for name in BLOCKS if name not in old}
    for name in old:
        if old[name] != new[name]:
            lines = difflib.unified_diff(
                old[name].splitlines(), new[name].splitlines(), "document", "code", lineterm="", n=0
            )
            found[name] = "\n".join(list(lines)[:8])
    return found


def main(arguments: list[str]) -> int:
    """Rewrite the document, or with ``--check`` say which blocks differ; return the exit code."""
    if arguments not in ([], ["--check"]):
        print("usage: python -m experiments.documents.odd [--check]", file=sys.stderr)
        return 2
    text = DOCUMENT.read_text(encoding="utf-8")
    found = differences(text)
    if arguments:
        for name, lines in found.items():
            print(f"{DOCUMENT.name}: block '{name}' is not current\n{lines}", file=sys.stderr)
        return 1 if found else 0
    missing = [name for name in BLOCKS if name not in blocks(text)]
    if missing:
        print(f"{DOCUMENT.name}: no markers for {', '.join(missing)}", file=sys.stderr)
        return 1
    DOCUMENT.write_text(regenerate(text), encoding="utf-8")
    print(f"{DOCUMENT.name}: {', '.join(found) or 'nothing'} changed")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
