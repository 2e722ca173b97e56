"""The documents say what the code does: generated tables are current; all that is declared is explained and sourced."""

from __future__ import annotations

import csv
import re

import pytest

from agents.schema import TABLES
from experiments.documents import odd
from simulation.scenario.walking import declared
from tests.conftest import ROOT

DATA = ROOT / "configs" / "data"


@pytest.fixture(scope="module")
def facts():
    with open(DATA / "facts.csv", encoding="utf-8", newline="") as file:
        return {row["key"]: row for row in csv.DictReader(file)}


def test_generated_blocks_are_current():
    found = odd.differences(odd.DOCUMENT.read_text(encoding="utf-8"))
    assert not found, f"run python -m experiments.documents.odd: {found}"


def test_check_names_the_block_that_differs():
    text = odd.DOCUMENT.read_text(encoding="utf-8")
    altered = text.replace("| **rent** |", "| **rents** |")
    assert list(odd.differences(altered)) == ["schedule"]
    assert odd.regenerate(altered) == text
    assert "measures" in odd.differences(text.replace("<!-- generated: measures -->", ""))


def test_every_table_stands_in_the_document():
    assert {table.name for table in (*odd.STATE, *odd.RECORDS)} == set(TABLES)


@pytest.mark.parametrize("table", [*odd.STATE, *odd.RECORDS], ids=lambda table: table.name)
def test_every_column_has_unit_and_meaning(table):
    assert table.meaning
    assert [c.name for c in table.columns if not (c.unit.strip() and c.meaning.strip())] == []


def test_every_parameter_has_unit_meaning_and_source(facts):
    without, unknown = [], []
    for path, _, field in declared():
        extra = field.json_schema_extra or {}
        if not (extra.get("unit") and extra.get("source") and field.description):
            without.append(path)
        elif extra["source"] != "assumption" and extra["source"] not in facts:
            unknown.append(f"{path}: {extra['source']}")
    assert without == []
    assert unknown == []


def test_every_fact_has_value_unit_and_source(facts):
    assert facts
    assert [key for key, row in facts.items() if not (row["value"] and row["unit"] and row["source"])] == []


def test_every_data_file_is_described():
    text = (DATA / "README.md").read_text(encoding="utf-8")
    files = list(DATA.glob("*.csv"))
    assert files
    assert [file.name for file in files if f"`{file.name}`" not in text] == []


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "CONTRIBUTING.md",
        *(f"docs/{name}.md" for name in ("calibration", "claims", "odd", "sweeps", "tables", "teaching", "validation")),
    ],
)
def test_links_lead_somewhere(name):
    file = ROOT / name
    targets = re.findall(r"\]\(([^)#:]+)\)", file.read_text(encoding="utf-8"))
    assert targets
    assert [target for target in targets if not (file.parent / target).exists()] == []
