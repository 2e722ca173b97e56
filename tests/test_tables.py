"""Users' tables: read in the dialect in which they are written, refused where they stand, never half understood."""

from __future__ import annotations

import hashlib
import json
import random

import numpy as np
import pytest

from agents.tables.buyers import BUYER
from agents.tables.lenders import LENDER
from agents.tables.operators import OPERATOR
from simulation.month import HORIZON, advance
from simulation.runs import InvariantError, play, raise_fault
from simulation.scenario.config import set_path
from simulation.scenario.faults import ConfigError
from simulation.scenario.walking import declared
from simulation.world.build import build_world
from simulation.world.drivers import draw_paths
from simulation.world.inputs import columns
from simulation.world.inputs.inputs import read_inputs
from simulation.world.inputs.paths import DRIVERS, SERIES
from tests.conftest import BASE, BASE_FILE, ROOT

#: A market of some twenty agents for ten months, in which stress comes early.
SMALL = set_path(
    BASE,
    {
        "run.months": 10, "lenders.bank.count": 2, "lenders.private_credit.count": 1, "lenders.insurer.count": 1,
        "lenders.bdc.count": 1, "lenders.crypto_lender.count": 0, "neoclouds.count": 4, "miners.count": 3,
        "buyers.hyperscaler.count": 1, "buyers.enterprise.count": 4, "buyers.research.count": 2, "buyers.dealer.count": 3,
        "buyers.scrap.count": 1, "drivers.regimes.first_month": 2, "drivers.regimes.entry": 0.5,
    },
)  # fmt: skip
LENDERS = "kind,equity,max_ltv,life\nbank,1e9,0.7,60\nbdc,5.5e8,0.85,90\ncrypto_lender,4e8,0.5,48\n"


@pytest.fixture
def put(tmp_path):
    """Write a file (text or bytes) and return its path."""

    def write(content: str | bytes, name: str = "t.csv") -> str:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)

    return write


def with_file(parameter, path, **changes):
    return set_path(SMALL, {parameter: path, **changes})


def bits(scenario):
    """Return a hash of all that a run records."""
    world = play(scenario, 1)
    found = hashlib.sha256()
    for rows in (world.panel, world.chip_panel, world.kind_panel, world.lenders, world.operators, world.buyers):
        found.update(rows.tobytes())
    return found.hexdigest()


def refused(scenario):
    """Return the lines of the fault with which the tables of a scenario are refused."""
    with pytest.raises(ConfigError) as caught:
        read_inputs(scenario)
    return str(caught.value).splitlines()


def notes(parameter, path, **changes):
    said = {s.parameter: s for s in read_inputs(with_file(parameter, path, **changes)).said}
    return said[parameter].notes


# --- dialects -----------------------------------------------------------------------------------------------------

HEADED = LENDERS.replace("kind,equity,max_ltv,life", '"kind","equity","max_ltv","life"')
#: The same table as programs and people write it, and what is said of each.
DIALECTS = {
    "quoted header": (HEADED, ()),
    "quoted cells": (HEADED.replace("bank,1e9", '"bank","1e9"'), ()),
    "spaces": (LENDERS.replace(",", ", "), ()),
    "CRLF": (LENDERS.replace("\n", "\r\n"), ()),
    "CR": (LENDERS.replace("\n", "\r"), ()),
    "no end of line": (LENDERS.rstrip("\n"), ()),
    "DOS end of file": (LENDERS + "\x1a", ()),
    "semicolons": (LENDERS.replace(",", ";"), ("separated by semicolons",)),
    "tabs": (LENDERS.replace(",", "\t"), ("separated by tabs",)),
    "bars": (LENDERS.replace(",", "|"), ("separated by bars",)),
    "aligned": (LENDERS.replace(",", "   "), ("separated by spaces",)),
    "told": ("sep=;\n" + LENDERS.replace(",", ";"), ("separated by semicolons",)),
    "decimal commas": (LENDERS.replace(",", ";").replace(".", ","), ("separated by semicolons", "decimal commas")),
    "quoted decimal commas": (
        '"kind","equity","max_ltv","life"\n"bank","1e9","0,7","60"\n"bdc","5,5e8","0,85","90"\n"crypto_lender","4e8","0,5","48"\n',
        ("decimal commas",),
    ),
    "mark of UTF-8": (b"\xef\xbb\xbf" + HEADED.encode(), ("UTF-8 with a byte order mark",)),
    "UTF-16": (LENDERS.encode("utf-16"), ("UTF-16",)),
    "UTF-16, big end first": (b"\xfe\xff" + LENDERS.encode("utf-16-be"), ("UTF-16",)),
    "UTF-16 without a mark": (LENDERS.encode("utf-16-le"), ("UTF-16",)),
    "Windows": (b"# Z\xfcrich\n" + LENDERS.encode(), ("Windows-1252",)),
    "comments": ("# desk\n\n" + LENDERS.replace("bdc", '# next\n"# quoted, by a spreadsheet"\nbdc'), ()),
    "empty rows": (LENDERS + ",,,\n,,,\n", ("2 empty rows at the end left out",)),
    "separators at the end": (LENDERS.replace("\n", ",\n"), ()),
    "separators at the end of rows": (LENDERS.replace("0\n", "0,\n").replace("8\n", "8,\n"), ()),
    "R": (
        '"","kind","equity","max_ltv","life"\n"1","bank",1e+09,0.7,60\n"2","bdc",5.5e+08,0.85,90\n"3","crypto_lender",4e+08,0.5,48\n',
        ("the first column has no name: taken for row names and left out",),
    ),
    "R, write.table": (
        '"kind" "equity" "max_ltv" "life"\n"1" "bank" 1e+09 0.7 60\n"2" "bdc" 5.5e+08 0.85 90\n"3" "crypto_lender" 4e+08 0.5 48\n',
        ("separated by spaces", "row names in the first column left out"),
    ),
    "pandas": (
        ",kind,equity,max_ltv,life\n0,bank,1e9,0.7,60\n7,bdc,5.5e8,0.85,90\n9,crypto_lender,4e8,0.5,48\n",
        ("the first column has no name: taken for row names and left out",),
    ),
    "pandas, read again": (
        "Unnamed: 0,kind,equity,max_ltv,life\n0,bank,1e9,0.7,60\n1,bdc,5.5e8,0.85,90\n2,crypto_lender,4e8,0.5,48\n",
        ("the first column has no name: taken for row names and left out",),
    ),
    "other order of columns": (
        "life,max_ltv,kind,equity\n60,0.7,bank,1e9\n90,0.85,bdc,5.5e8\n48,0.5,crypto_lender,4e8\n", (),
    ),
}  # fmt: skip


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_table_means_the_same_in_every_dialect_and_the_dialect_is_said(put, dialect):
    content, said = DIALECTS[dialect]
    path = put(content)
    assert notes("lenders.file", path) == said
    scaled = {"lenders.capital_scale": 0.5, "lenders.runnable_scale": 0.5}
    plain = put(LENDERS, "plain.csv")
    assert bits(with_file("lenders.file", path, **scaled)) == bits(with_file("lenders.file", plain, **scaled))


def test_scales_hold_for_what_a_quoted_header_names(put):
    path = put('"kind","equity","runnable"\n"bank",1e9,0.8\n')
    lenders = build_world(
        with_file("lenders.file", path, **{"lenders.capital_scale": 3.0, "lenders.runnable_scale": 2.0}), 1
    ).lenders
    assert (lenders.equity[0], lenders.runnable[0]) == (3e9, 1.0)
    path = put('"kind";"budget_cap";"power_cap";"liquid_cap"\n"dealer";1e6;10;5\n', "b.csv")
    buyers = build_world(
        with_file("buyers.file", path, **{"buyers.budget_scale": 3.0, "buyers.power_scale": 2.0}), 1
    ).buyers
    assert (buyers.budget[0], buyers.power[0], buyers.liquid[0]) == (3e6, 20.0, 10.0)


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (LENDERS.replace("max_ltv", "max_ltvv"), ["t.csv:1:3: lenders.file: unknown column 'max_ltvv'; did you mean 'max_ltv'"]),
        ("colour,kind\nred,bank\n", ["t.csv:1:1: lenders.file: unknown column 'colour'; known columns: name, kind, cash,"]),
        (LENDERS.replace("life", "equity"), ["t.csv:1:4: lenders.file: column 'equity' stands twice: first as field 2"]),
        ("bank,1e9\n", ["has no rows"]),
        ("1,2\n3,4\n", ["t.csv:1:1: lenders.file: has no header"]),
        ("", ["has no rows"]),
        ("# kind,equity\n", ["has no rows"]),
        (LENDERS.replace("0.7,", ""), ["t.csv:2:1: lenders.file: has 3 fields, the header has 4"]),
        (LENDERS.replace("0.7", "0,7"), ["t.csv:2:1: lenders.file: has 5 fields, the header has 4; decimal commas need"]),
        (LENDERS.replace("bdc", "\n# a word\n\nbdc").replace("0.85", "x"), ["t.csv:6:3: lenders.file: max_ltv: 'x' is not a number"]),
        (LENDERS.replace("bdc", ",,,\nbdc"), ["t.csv:3:1: lenders.file: the row is empty"]),
        (LENDERS.replace("0.85", ""), ["t.csv:3:3: lenders.file: max_ltv: is empty: every row needs a value"]),
        (LENDERS.replace("0.85", "NA"), ["t.csv:3:3: lenders.file: max_ltv: is empty ('NA')"]),
        (LENDERS.replace("0.85", "#N/A"), ["t.csv:3:3: lenders.file: max_ltv: is empty ('#N/A')"]),
        ("max_ltv,kind\n0.7,bank\n#N/A,bank\n", ["t.csv:3:1: lenders.file: max_ltv: is empty ('#N/A')"]),
        (LENDERS.replace("0.85", "nan"), ["t.csv:3:3: lenders.file: max_ltv: is empty ('nan')"]),
        (LENDERS.replace("0.85", "85%"), ["t.csv:3:3: lenders.file: max_ltv: '85%' is not a number: write 70 % as 0.7"]),
        (LENDERS.replace("0.85", "85"), ["t.csv:3:3: lenders.file: max_ltv: must be at most 1.5 (ratio), is 85; write 70 % as 0.7"]),
        (LENDERS.replace("5.5e8", "1_000"), ["t.csv:3:2: lenders.file: equity: '1_000' is not a number"]),
        (LENDERS.replace("5.5e8", "1e999"), ["t.csv:3:2: lenders.file: equity: must be a finite number"]),
        (LENDERS.replace("5.5e8", "1e16"), ["t.csv:3:2: lenders.file: equity: must be at most 1e+15 (USD)"]),
        (LENDERS.replace("5.5e8", "٣"), ["t.csv:3:2: lenders.file: equity: '٣' is not a number"]),
        (LENDERS.replace("5.5e8", '"1,234"'), ["t.csv:3:2: lenders.file: equity: '1,234' can be 1234 or 1.234: write it without commas"]),
        (LENDERS.replace("5.5e8", '"1,234,567"'), ["t.csv:3:2: lenders.file: equity: '1,234,567' can be 1234567: write"]),
        (LENDERS.replace("0.85", '"0,85"'), ["t.csv:3:3: lenders.file: max_ltv: '0,85' is not a number"]),  # points elsewhere
        (LENDERS.replace("bdc", '"bdc'), ["t.csv:3:1: lenders.file: a quotation mark (\") is opened here and never closed"]),
        (LENDERS.replace("bdc", '"b"dc'), ["t.csv:3:1: lenders.file: text follows a closing quotation mark"]),
        (LENDERS.replace("bdc", "Bank"), ["t.csv:3:1: lenders.file: kind: 'Bank' is none of bank, private_credit, insurer, bdc, crypto_lender; did you"]),
        (LENDERS.replace("bdc", "b\0dc"), ["t.csv:3:2: lenders.file: is not text: it holds a control character"]),
        (b"kind\n\xff\x81\n", ["t.csv:2:1: lenders.file: is not UTF-8 text"]),
        (b"\xff\xfek\0i\0n", ["t.csv:1:3: lenders.file: is not UTF-16 text"]),
        (b"PK\x03\x04...", ["t.csv:1:1: lenders.file: is a workbook"]),
        ("<?xml version='1.0'?><graphml/>", ["t.csv:1:1: lenders.file: is XML"]),
        ('[{"kind": "bank"}]', ["t.csv:1:1: lenders.file: is JSON"]),
        ("equity\n1e9\n\n2e9\n", ["t.csv:3:1: lenders.file: is empty: every row needs a value"]),
        ("name,kind\nAlpha,bank\nBeta,bdc\nAlpha,bank\n", ["t.csv:4:1: lenders.file: name: 'Alpha' stands twice: first in line 2"]),
        ("name,kind\n,bank\n7,bdc\n", ["t.csv:2:1: lenders.file: name: is empty", "t.csv:3:1: lenders.file: name: must be a text"]),
    ],
)  # fmt: skip
def test_what_is_no_table_of_lenders_is_refused_where_it_stands(put, content, lines):
    found = refused(with_file("lenders.file", put(content)))
    assert len(found) == len(lines)
    for line, words in zip(found, lines, strict=True):
        assert words in line


def test_of_many_faults_the_first_are_told_and_how_many_more_there_are(put):
    found = refused(with_file("lenders.file", put("kind\n" + "banc\n" * 500)))
    assert len(found) == 21 and found[-1].endswith("and 480 more faults")


def test_faults_of_all_tables_come_together(put):
    changes = {"miners.file": put("cash\nx\n", "m.csv"), "buyers.file": put("kind\nbackstop\n", "b.csv")}
    found = refused(with_file("lenders.file", put("equity\n0\n"), **changes))
    assert [line.rpartition("/")[2].split(":")[0] for line in found] == ["t.csv", "m.csv", "b.csv"]


def test_a_file_that_changed_is_read_again_and_one_that_did_not_is_not(put):
    path = put("kind\nbank\n")
    one = read_inputs(with_file("lenders.file", path)).lenders
    assert read_inputs(with_file("lenders.file", path)).lenders is one
    put("kind\nbank\nbdc\n")
    assert len(build_world(with_file("lenders.file", path), 1).lenders) == 3


# --- agents -------------------------------------------------------------------------------------------------------

TABLES = {
    "lenders.file": (columns.LENDERS, LENDER, lambda w: w.lenders),
    "neoclouds.file": (columns.NEOCLOUDS, OPERATOR, lambda w: w.operators),
    "miners.file": (columns.MINERS, OPERATOR, lambda w: w.operators[w.operators.kind == 1]),
    "buyers.file": (columns.BUYERS, BUYER, lambda w: w.buyers),
}
KIND = {"lenders.file": "bank", "neoclouds.file": "neocloud", "miners.file": "miner", "buyers.file": "enterprise"}
#: What a column needs beside it, and values that the opening of a run leaves as they are.
BESIDE = {"liquid_power": "site_power", "used_power": "site_power", "liquid_cap": "power_cap", "cash": "equity"}
GIVEN = [
    (p, s) for p, (specs, _, _) in TABLES.items() for s in specs if not s.because and s.name not in ("name", "kind")
]
STATE = [(p, s.name) for p, (specs, _, _) in TABLES.items() for s in specs if s.because]


def test_every_column_of_agents_is_given_or_state():
    for specs, table, _ in TABLES.values():
        assert [spec.name for spec in specs] == ["name", *(column.name for column in table.columns)]
    for specs, table in ((columns.LENDERS, LENDER), (columns.MINERS, OPERATOR), (columns.BUYERS, BUYER)):
        assert [not s.because for s in specs[1:]] == [column.given for column in table.columns]
    of_miners = {"btc", "eth", "hashrate", "efficiency", "power_price", "rig_value"}
    assert {s.name for s in columns.NEOCLOUDS if "miners alone" in s.because} == of_miners


@pytest.mark.parametrize(("parameter", "name"), STATE)
def test_state_cannot_be_given(put, parameter, name):
    (line,) = refused(with_file(parameter, put(f"kind,{name}\n{KIND[parameter]},1000000000\n")))
    assert f"t.csv:1:2: {parameter}: column '{name}' is not to be given: it is " in line


@pytest.mark.parametrize(("parameter", "spec"), GIVEN)
def test_what_is_given_stands_in_the_world(put, parameter, spec):
    value = {"cash": 3e9, "equity": 3e9, "capital_minimum": 0.05, "life": 70, "customer": 2, "second": 1, "used_power": 2600,
             "utilisation": 0.5}.get(spec.name, 0.75)  # fmt: skip
    other = BESIDE.get(spec.name, "kind") if spec.name != "cash" or parameter == "lenders.file" else "kind"
    beside = {"kind": KIND[parameter], "equity": "1e9"}.get(other, "9000")
    rows = TABLES[parameter][2](build_world(with_file(parameter, put(f"{other},{spec.name}\n{beside},{value}\n")), 1))
    if spec.name in ("cash", "used_power"):
        # What is lent at the start leaves the lenders, GPUs are whole: the opening sums say it.
        assert rows[spec.name][0] + getattr(rows[0], "book", 0.0) == pytest.approx(
            value, rel=1e-3 if spec.name == "used_power" else 1e-12
        )
    else:
        assert rows[spec.name][0] == value


@pytest.mark.parametrize(
    ("parameter", "spec"), [pair for pair in GIVEN if pair[1].bounds.least > -1.0 or pair[1].bounds.most < 1e9]
)
def test_cells_have_the_bounds_of_the_parameter(put, parameter, spec):
    beyond = [spec.bounds.least - 1e-3] + ([spec.bounds.most + 1e-3] if spec.bounds.most < 1e9 else [])
    beyond += [spec.bounds.least] * spec.bounds.open_least
    for value in beyond:
        other = BESIDE.get(spec.name, "kind")
        beside = {"kind": KIND[parameter], "equity": "1e9"}.get(other, "9000")
        if other == "equity" and parameter != "lenders.file":
            other, beside = "kind", KIND[parameter]
        found = refused(with_file(parameter, put(f"{other},{spec.name}\n{beside},{value!r}\n")))
        assert f"t.csv:2:2: {parameter}: {spec.name}: must be " in found[0]


def test_a_trait_out_of_bounds_is_refused_in_a_config_as_in_a_table():
    """A number beyond the bounds of the column is beyond those of the parameter that the column stands for."""
    fields = {
        path.replace("lenders.bank", "lenders.KIND").replace("buyers.enterprise", "buyers.KIND"): path
        for path, _, _ in declared()
    }
    tried = 0
    for _, spec in GIVEN:
        for name in spec.parameters:
            assert name in fields, name
        if (
            not spec.parameters
            or spec.name in ("liquid_power", "used_power", "liquid_cap", "rig_value", "budget_cap")
            or not np.isfinite(spec.bounds.least)
        ):
            continue
        path = fields[spec.parameters[0]]
        low = spec.bounds.least - 1e-3
        for value in (low, [low, low]):
            with pytest.raises(ConfigError):
                set_path(BASE, {path: value})
        tried += 1
    assert tried > 30


@pytest.mark.parametrize(
    ("parameter", "text", "words"),
    [
        ("lenders.file", "kind,equity,cash\nbank,2e9,1e9\n", "t.csv:2:3: lenders.file: cash: must be at least equity"),
        ("lenders.file", "kind,equity,cash,deposits\nbank,2e9,5e9,2e9\n", "t.csv:2:3: lenders.file: cash: must be equity plus deposits"),
        ("lenders.file", "kind,cash,deposits\nbank,2e9,2e9\n", "t.csv:2:3: lenders.file: deposits: must be below cash"),
        ("lenders.file", "kind,cash\nbank,2e9\n", "t.csv:1:2: lenders.file: cash: needs the column 'equity' or 'deposits'"),
        ("lenders.file", "kind,equity\noutside,1e9\n", "t.csv:2:1: lenders.file: kind: 'outside' is none of bank,"),
        ("lenders.file", "kind,life\nbank,0\n", "t.csv:2:2: lenders.file: life: must be at least 6 (month), is 0"),
        ("buyers.file", "kind,utilisation\nenterprise,7\n", "t.csv:2:2: buyers.file: utilisation: must be at most 1 (share), is 7"),
        ("buyers.file", "kind\nbackstop\n", "t.csv:2:1: buyers.file: kind: 'backstop' is none of hyperscaler,"),
        ("buyers.file", "power_cap,liquid_cap\n10,11\n", "t.csv:2:2: buyers.file: liquid_cap: must be at most power_cap"),
        ("buyers.file", "liquid_cap\n11\n", "t.csv:1:1: buyers.file: liquid_cap: needs the column 'power_cap'"),
        ("neoclouds.file", "site_power,used_power\n10,11\n", "t.csv:2:2: neoclouds.file: used_power: must be at most site_power"),
        ("neoclouds.file", "used_power\n11\n", "t.csv:1:1: neoclouds.file: used_power: needs the column 'site_power'"),
        ("neoclouds.file", "site_power,liquid_power\n10,11\n", "t.csv:2:2: neoclouds.file: liquid_power: must be at most site_power"),
        ("neoclouds.file", "kind\nminer\n", "t.csv:2:1: neoclouds.file: kind: 'miner' is none of neocloud"),
        ("neoclouds.file", "customer\n1.5\n", "t.csv:2:1: neoclouds.file: customer: must be a whole number, is '1.5'"),
        ("neoclouds.file", "customer\n41\n", "t.csv:2:1: neoclouds.file: customer: no customer 41: the customers are 0 to 40"),
        ("miners.file", "btc\n3e7\n", "t.csv:2:1: miners.file: btc: must be at most 2.1e+07 (BTC)"),
    ],
)  # fmt: skip
def test_what_does_not_agree_is_refused_where_it_stands(put, parameter, text, words):
    (line,) = refused(with_file(parameter, put(text)))
    assert words in line


@pytest.mark.parametrize(
    ("text", "scale", "sheet"),
    [
        ("kind,equity\nbank,1e9\n", 1.0, (1e9 / 0.33, 1e9 / 0.33 - 1e9, 1e9)),  # three times the target of 0.11
        ("kind,equity,capital_target\nbank,1e9,0.2\n", 1.0, (1e9 / 0.6, 1e9 / 0.6 - 1e9, 1e9)),
        ("kind,equity,cash\nbank,1e9,4e9\n", 1.0, (4e9, 3e9, 1e9)),
        ("kind,equity,cash\nbank,1e9,4e9\n", 5.0, (20e9, 15e9, 5e9)),
        ("kind,equity,deposits\nbank,1e9,2e9\n", 1.0, (3e9, 2e9, 1e9)),
        ("kind,cash,deposits\nbank,5e9,2e9\n", 0.5, (2.5e9, 1e9, 1.5e9)),
        ("kind,cash,equity,deposits\nbank,3e9,1e9,2e9\n", 1.0, (3e9, 2e9, 1e9)),
    ],
)
def test_cash_of_a_lender_is_equity_and_deposits(put, text, scale, sheet):
    scenario = with_file("lenders.file", put(text), **{"lenders.capital_scale": scale, "credit.initial_debt": 0.0})
    lender = build_world(scenario, 1).lenders[0]
    assert (lender.cash, lender.deposits, lender.equity) == pytest.approx(sheet)


def test_traits_that_a_table_lacks_are_those_of_the_kind_that_it_names(put):
    lenders = build_world(with_file("lenders.file", put("kind\ncrypto_lender\nbank\nbdc\n")), 1).lenders
    kinds = [getattr(SMALL.lenders, kind) for kind in ("crypto_lender", "bank", "bdc")]
    for name in ("spread", "min_dscr", "max_ltv", "run_speed", "capital_target"):
        assert lenders[name].tolist()[:3] == [getattr(kind, name) for kind in kinds]
    buyers = build_world(with_file("buyers.file", put("kind\nscrap\nhyperscaler\n")), 1).buyers
    assert buyers.least_units.tolist()[:2] == [0.0, SMALL.buyers.hyperscaler.least_units]
    assert buyers.power_cap[0] == 0.0 < buyers.power_cap[1]


def test_a_table_of_the_kinds_that_are_drawn_changes_no_draw(put):
    plain = build_world(SMALL, 1)
    again = build_world(with_file("lenders.file", put("kind\nbank\nbank\nprivate_credit\ninsurer\nbdc\n")), 1)
    assert plain.lenders.tobytes() == again.lenders.tobytes() and plain.lines.tobytes() == again.lines.tobytes()
    again = build_world(with_file("neoclouds.file", put("kind\n" + 4 * "neocloud\n")), 1)
    assert plain.operators.tobytes() == again.operators.tobytes()


def test_a_site_alone_is_used_in_the_shares_that_are_drawn(put):
    path = put("site_power\n20000\n20000\n")
    clouds = build_world(with_file("neoclouds.file", path, **{"miners.count": 0}), 1).operators
    low, high = SMALL.neoclouds.fleet_share
    assert ((clouds.used_power >= 0.9 * low * 20000) & (clouds.used_power <= high * 20000)).all()
    assert (clouds.overheads == SMALL.neoclouds.overheads * 20000).all() and (clouds.liquid_power <= 20000).all()
    # More rows than the scenario counts are agents of their own, not copies.
    more = build_world(with_file("neoclouds.file", put("site_power\n" + 9 * "20000\n")), 1).operators[:9]
    assert len(set(more.hurdle)) == 9 and len(set(more.cash)) == 9
    play(with_file("neoclouds.file", path), 1)
    none = with_file("neoclouds.file", path, **{"neoclouds.count": 0})
    assert (build_world(none, 1).operators.hurdle[:2] > 0.0).all()


# --- time ---------------------------------------------------------------------------------------------------------


def drivers(put, text, **changes):
    return draw_paths(with_file("drivers.file", put(text), **changes), 1, 0)


RETURNS = "month,btc_return\n3,0.1\n4,0.2\n5,-0.3\n"


def test_drivers_stand_in_their_months(put):
    drawn, given = draw_paths(SMALL, 1, 0).btc_return, drivers(put, RETURNS).btc_return
    assert given[3:6].tolist() == [0.1, 0.2, -0.3]
    assert given[:3].tolist() == drawn[:3].tolist() and given[6:].tolist() == drawn[6:].tolist()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("month,btc_return\n5,-0.3\n3,0.1\n4,0.2\n", ("put in the order of months",)),
        ("month,btc_return\n5,-0.3\n4,0.2\n3,0.1\n", ("newest first: put in the order of months",)),
        ("month,btc_return\n2024-04,0.1\n2024-05,0.2\n2024-06,-0.3\n", ()),
        ("month,btc_return\n2024-04-30,0.1\n2024-05-31 00:00:00,0.2\n2024-06-30T23:59:59Z,-0.3\n", ("days taken for their months",)),
        ("month;btc_return\n3,0;0,1\n4,0;0,2\n5,0;-0,3\n", None),
        ("month,btc_return\n3.0,0.1\n4.0,0.2\n5.0,-0.3\n", ()),
    ],
)  # fmt: skip
def test_months_are_numbers_or_of_the_calendar_in_any_order(put, text, said):
    if said is None:
        assert "is no month" in refused(with_file("drivers.file", put(text)))[0]
        return
    plain = drivers(put, RETURNS)
    assert drivers(put, text).tobytes() == plain.tobytes()
    assert notes("drivers.file", put(text)) == said


def test_months_outside_of_the_run_are_left_out_and_said(put):
    text = "month,stress_coin\n" + "".join(f"{year}-{m:02d},TRUE\n" for year in (2023, 2024) for m in range(1, 13))
    assert drivers(put, text).stress_coin.tolist() == [1] * 10
    assert notes("drivers.file", put(text)) == ("14 of 24 months are not of the run",)
    # A path may go on beyond the horizon: a run can be shorter.
    assert drivers(put, "month,rent\n8,1.5\n9,1.6\n10,1.7\n").rent.tolist() == [0.0] * 8 + [1.5, 1.6]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (["0,1", "2,1"], "t.csv:3:1: drivers.file: month: '2' follows '0' (line 2): 1 months are missing"),
        (["0,1", "1,1", "1,2"], "t.csv:4:1: drivers.file: month: the month of '1' stands twice: first in line 3"),
        (["2024-01-05,1", "2024-01-31,1"], "t.csv:3:1: drivers.file: month: the month of '2024-01-31' stands twice: first in line 2; of days"),
        (["999,1"], "t.csv:2:1: drivers.file: month: no row is of the run, which has months 0 to 9"),
        (["2030-01,1"], "t.csv:2:1: drivers.file: month: no row is of the run"),
        (["-1,1", "0,1"], "t.csv:2:1: drivers.file: month: -1 is before the run"),
        (["0,1", "2024-02,1"], "t.csv:3:1: drivers.file: month: '2024-02': the rows above are written otherwise ('0')"),
        (["Jan 2024,1"], "t.csv:2:1: drivers.file: month: 'Jan 2024' is no month: write 2024-01"),
        (["2024-13,1"], "t.csv:2:1: drivers.file: month: '2024-13' is no month"),
        (["2024-02-30,1"], "t.csv:2:1: drivers.file: month: '2024-02-30' is no day of the calendar"),
        (["202401,1"], "t.csv:2:1: drivers.file: month: '202401' is no number of months"),
        (["0.5,1"], "t.csv:2:1: drivers.file: month: '0.5' is no month"),
        (["01/02/2024,1"], "t.csv:2:1: drivers.file: month: '01/02/2024' is no month"),
        ([",1"], "t.csv:2:1: drivers.file: month: is empty: every row needs its month"),
        (["0,-40"], "t.csv:2:2: drivers.file: btc_return: must be at least -3 (log/month), is -40"),
        (["0,x"], "t.csv:2:2: drivers.file: btc_return: 'x' is not a number"),
    ],
)  # fmt: skip
def test_a_time_axis_is_complete_and_every_month_stands_once(put, rows, words):
    found = refused(with_file("drivers.file", put("\n".join(["month,btc_return", *rows]) + "\n")))
    assert len(found) == 1 and words in found[0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("btc_return\n0\n", "t.csv:1:1: drivers.file: column 'month' is missing"),
        ("month,rent\n0,-1\n", "t.csv:2:2: drivers.file: rent: must be at least 0 (USD/perf-h), is -1"),
        ("month,block_chip\n0,99\n", "t.csv:2:2: drivers.file: block_chip: no generation '99': 0 A100, 1 H100"),
        ("month,block_days\n0,0\n", "t.csv:2:2: drivers.file: block_days: must be at least 1"),
        ("month,stress_coin\n0,2\n", "t.csv:2:2: drivers.file: stress_coin: must be at most 1, is 2"),
        ("month,stress_coin\n0,0.5\n", "t.csv:2:2: drivers.file: stress_coin: must be a whole number"),
        ("month,demand_growth\n" + "".join(f"{k},2.9\n" for k in range(20)), "t.csv:19:2: drivers.file: demand_growth: the months up to here sum to 52.2"),
    ],
)  # fmt: skip
def test_drivers_have_bounds(put, text, words):
    (line,) = refused(with_file("drivers.file", put(text)))
    assert words in line


def test_a_block_names_its_generation_or_numbers_it(put):
    paths = drivers(put, "month,block_units,block_chip\n0,5,H100\n1,5,0\n")
    assert paths.block_chip.tolist()[:2] == [1, 0] and paths.block_units.tolist()[:2] == [5.0, 5.0]


#: Closes of bitcoin from January 2023 on, each a tenth above the one before.
CLOSES = [f"{2023 + k // 12}-{k % 12 + 1:02d},{10_000 * 1.1**k:.2f}" for k in range(24)]


@pytest.mark.parametrize("process", ["history", "bootstrap"])
def test_closes_newest_first_are_the_same_closes(put, process):
    path = {"drivers.coin.path": process, "drivers.regimes.first_month": 10}
    runs = []
    for rows in (CLOSES, CLOSES[::-1], [CLOSES[5], *CLOSES[:5], *CLOSES[6:]]):
        scenario = with_file("drivers.coin.series", put("\n".join(["month,close_usd", *rows]) + "\n"), **path)
        returns = draw_paths(scenario, 1, 0).btc_return
        assert returns == pytest.approx(np.log(1.1), abs=1e-4)
        runs.append(bits(scenario))
    assert len(set(runs)) == 1
    assert notes("drivers.coin.series", put("\n".join(["month,close_usd", *CLOSES[::-1]])), **path) == (
        "newest first: put in the order of months",
    )


@pytest.mark.parametrize(
    ("rows", "process", "words"),
    [
        ([*CLOSES[:12], *CLOSES[13:]], "history", "t.csv:14:1: drivers.coin.series: month: '2024-02' follows '2023-12' (line 13): 1 months are missing"),
        ([*CLOSES, CLOSES[3]], "history", "t.csv:26:1: drivers.coin.series: month: the month of '2023-04' stands twice: first in line 5"),
        ([CLOSES[11].replace(",", "-31,"), "2024-01-01,11000", "2024-01-02,11000"], "history", "t.csv:4:1: drivers.coin.series: month: the month of '2024-01-02' stands twice"),
        (["2023-12,42000", "2024-01,0"], "history", "t.csv:3:2: drivers.coin.series: close_usd: must be above 0 (USD), is 0"),
        (["2023-12,42000", "2024-01,-5"], "history", "t.csv:3:2: drivers.coin.series: close_usd: must be above 0 (USD), is -5"),
        (["2023-12,42000", "2024-01,NaN"], "history", "t.csv:3:2: drivers.coin.series: close_usd: is empty ('NaN')"),
        (["2023-12,42000", "2024-01,1"], "history", "t.csv:3:2: drivers.coin.series: close_usd: moves by 42,000 times within a month"),
        (CLOSES[:1], "history", "t.csv:2:1: drivers.coin.series: ends after 1 closes: a return takes two"),
        (CLOSES[:12], "bootstrap", "t.csv:13:1: drivers.coin.series: ends after 12 closes: a block of 12 months takes 13"),
        (CLOSES[12:], "history", "t.csv:2:1: drivers.coin.series: month: the record begins after the month before the run's first"),
        (["January 2024,1"], "history", "t.csv:2:1: drivers.coin.series: month: 'January 2024' is no month"),
    ],
)  # fmt: skip
def test_a_series_of_closes_is_complete_and_positive(put, rows, process, words):
    path = put("\n".join(["month,close_usd", *rows]) + "\n")
    (line,) = refused(with_file("drivers.coin.series", path, **{"drivers.coin.path": process}))
    assert words in line


def test_a_record_that_ends_before_the_run_begins_is_said_not_to_be_used(put):
    path = put("\n".join(["month,close_usd", *CLOSES[:6]]) + "\n")
    assert notes("drivers.coin.series", path) == ("ends before the run begins: not used",)
    drawn = draw_paths(set_path(SMALL, {"drivers.coin.path": "regime"}), 1, 0).btc_return
    assert draw_paths(with_file("drivers.coin.series", path), 1, 0).btc_return.tolist() == drawn.tolist()


def test_the_shipped_bootstrap_draws_whole_blocks_up_to_the_last(put):
    path = put("\n".join(["month,close_usd", *CLOSES[:13]]) + "\n")
    returns = draw_paths(with_file("drivers.coin.series", path, **{"drivers.coin.path": "bootstrap"}), 1, 0).btc_return
    assert returns == pytest.approx(np.log(1.1), abs=1e-4)


@pytest.mark.parametrize("name", ["calm_drift", "stress_drift", "stress_jump", "calm_volatility", "eth_volatility"])
def test_moves_of_coins_in_a_config_have_bounds(name):
    with pytest.raises(ConfigError, match=f"drivers.coin.{name}: must be at most"):
        set_path(BASE, {f"drivers.coin.{name}": 800})


# --- edges --------------------------------------------------------------------------------------------------------


def test_edges_by_name_are_those_by_number(put):
    named = {
        "lenders.file": put("name,kind\nAlpha Bank,bank\nBeta,bdc\n", "l.csv"),
        "neoclouds.file": put("name,cash\nCloud,1e7\nOther,1e7\n", "n.csv"),
        "miners.file": put("name,cash\nDigger,1e7\n", "m.csv"),
        "buyers.file": put("name,kind\nLab,research\nShop,dealer\n", "b.csv"),
    }
    lending = ("operator,lender\nCloud,Beta\nDigger,Alpha Bank\n1,0\n", "operator,lender\n0,1\n2,0\n1,0\n")
    contacts = ("seller,buyer\nBeta,Shop\nCloud,Digger\nLab,Shop\n", "seller,buyer\n1,7\n3,5\n6,7\n")
    funding = ("creditor,debtor,limit\nAlpha Bank,Beta,1e8\n", "creditor,debtor,limit\n0,1,1e8\n")
    worlds = [
        build_world(
            set_path(SMALL, {**named, "networks.lending_file": put(lending[k], f"e{k}.csv"),
                             "networks.contacts_file": put(contacts[k], f"c{k}.csv"),
                             "networks.funding_file": put(funding[k], f"f{k}.csv")}), 1,
        )
        for k in (0, 1)
    ]  # fmt: skip
    for name in ("bank", "bank_ptr", "contact", "contact_ptr", "lines"):
        assert getattr(worlds[0], name).tobytes() == getattr(worlds[1], name).tobytes()
    assert worlds[0].bank.tolist() == [1, 0, 0]
    assert [(line.creditor, line.debtor, line.limit) for line in worlds[0].lines] == [(0, 1, 1e8)]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("lending", "operator,lender\n0,5\n", "t.csv:2:2: networks.lending_file: lender: 5 is not a row number from 0 to 4"),
        ("lending", "# a\n# b\noperator,lender\n0,1\n# c\n1,99\n", "t.csv:6:2: networks.lending_file: lender: 99 is not a row"),
        ("lending", "operator,lender\n-1,0\n", "t.csv:2:1: networks.lending_file: operator: -1 is not a row number from 0 to 6"),
        ("lending", "operator,lender\n0.5,0\n", "t.csv:2:1: networks.lending_file: operator: 0.5 is not a row number"),
        ("lending", "operator,lender\nCloud,0\n", "t.csv:2:1: networks.lending_file: operator: 'Cloud' is neither a row number"),
        ("lending", "operator,lender\n,0\n", "t.csv:2:1: networks.lending_file: operator: is empty"),
        ("lending", "operator,lender\n0,1\n2,1\n0,1\n", "t.csv:4:1: networks.lending_file: operator: the edge 0, 1 stands twice: first in line 2"),
        ("lending", "operator,lender,weight\n0,1,2\n", "t.csv:1:3: networks.lending_file: unknown column 'weight'; known columns: operator, lender"),
        ("funding", "creditor,debtor\n1,1\n", "t.csv:2:2: networks.funding_file: debtor: 1 is its own creditor"),
        ("funding", "creditor,debtor,limit\n0,1,0\n", "t.csv:2:3: networks.funding_file: limit: must be above 0 (USD), is 0"),
        ("funding", "creditor,debtor\n0,5\n", "t.csv:2:2: networks.funding_file: debtor: 5 is not a row number from 0 to 4"),
        ("contacts", "seller,buyer\n0,3\n", "t.csv:2:2: networks.contacts_file: buyer: 3 is not a row number from 6 to 26"),
        ("contacts", "seller,buyer\n0,27\n", "t.csv:2:2: networks.contacts_file: buyer: 27 is not a row number from 6 to 26"),
        ("contacts", "seller,buyer\n27,9\n", "t.csv:2:1: networks.contacts_file: seller: 27 is not a row number from 0 to 26"),
        ("contacts", "seller,buyer\n7,7\n", "t.csv:2:2: networks.contacts_file: buyer: 7 is its own seller"),
    ],
)  # fmt: skip
def test_edges_lead_from_somebody_to_somebody_else_and_stand_once(put, name, text, words):
    (line,) = refused(with_file(f"networks.{name}_file", put(text)))
    assert words in line


def test_edges_of_a_file_that_changed_are_drawn_anew(put):
    path = put("operator,lender\n0,1\n")
    assert build_world(with_file("networks.lending_file", path), 1).bank.tolist() == [1]
    put("operator,lender\n0,2\n3,0\n")
    assert build_world(with_file("networks.lending_file", path), 1).bank.tolist() == [2, 0]


def test_lines_without_limits_share_what_the_equity_of_the_debtor_allows(put):
    path = put("creditor,debtor\n0,4\n1,4\n")
    world = build_world(with_file("networks.funding_file", path), 1)
    bdc = world.lenders[4]
    whole = SMALL.lenders.bdc.wholesale * bdc.equity * (1 / bdc.capital_target - 1)
    assert world.lines.limit.tolist() == pytest.approx([whole / 2, whole / 2])


# --- what is said, exit codes ---------------------------------------------------------------------------------------


def command(firesale, tmp_path, *changes):
    """Run the small market with changes; return (exit code, stderr)."""
    sets = [part for change in ("run.months=4", *changes) for part in ("--set", change)]
    code, _, err = firesale("run", str(BASE_FILE), "--no-figures", "--no-report", "--out", str(tmp_path / "out"), *sets)
    return code, err


def test_what_a_table_stands_for_is_said_and_kept_with_the_results(put, tmp_path, firesale):
    path = put(LENDERS.replace(",", ";"))
    code, err = command(firesale, tmp_path, f"lenders.file={path}", "lenders.max_ltv=0.6")
    said = (
        f"lenders.file: {path}: 3 rows; separated by semicolons; takes the place of lenders.KIND.count, lenders.KIND.capital, "
        "lenders.variation, lenders.KIND.max_ltv, lenders.max_ltv, lenders.KIND.life"
    )
    assert code == 0 and said in err.splitlines()
    kept = json.loads((tmp_path / "out" / "manifest.json").read_text())["inputs"]
    assert kept["lenders.file"]["rows"] == 3 and kept["lenders.file"]["read_as"] == ["separated by semicolons"]
    assert "lenders.max_ltv" in kept["lenders.file"]["instead_of"] and kept["lenders.file"]["sha256"]
    assert kept["drivers.coin.series"]["rows"] > 100 and "drivers.coin.series" not in err


def test_a_parameter_that_is_not_given_is_not_said_to_be_replaced(put):
    (said,) = [s for s in read_inputs(with_file("lenders.file", put(LENDERS))).said if s.parameter == "lenders.file"]
    assert "lenders.max_ltv" not in said.instead_of and "lenders.KIND.max_ltv" in said.instead_of


def test_a_table_that_is_refused_ends_with_two_before_anything_runs(put, tmp_path, firesale):
    code, err = command(firesale, tmp_path, f"lenders.file={put(LENDERS.replace('0.85', '85'))}")
    assert code == 2 and "t.csv:3:3: lenders.file: max_ltv: must be at most 1.5" in err and "Traceback" not in err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("table", ["panel", "chip_panel", "kind_panel", "flows"])
def test_a_run_whose_results_hold_what_is_no_number_is_a_fault(table, value):
    world = build_world(SMALL, 1)
    advance(world, HORIZON)
    raise_fault(world)
    rows = getattr(world, table)
    if table == "flows":
        rows[3, 2] = value
    else:
        rows[rows.dtype.names[-1]][len(rows) // 10 * 3] = value
    with pytest.raises(InvariantError, match=rf"not a finite number \(month 3; {table}\.\w+ is (nan|-?inf)\)"):
        raise_fault(world)


def test_of_what_is_no_number_the_earliest_is_named_and_integers_are_none():
    world = build_world(SMALL, 1)
    advance(world, HORIZON)
    world.panel.btc[7] = world.panel.rent[5] = np.nan
    world.panel.defaults[2] = -1  # the bits of -1 are those of a number that is none
    with pytest.raises(InvariantError, match=r"month 5; panel\.rent is nan"):
        raise_fault(world)


def test_the_model_is_blamed_only_where_no_file_was_read(put):
    world = build_world(SMALL, 1)
    advance(world, HORIZON)
    world.panel.btc[1] = np.nan
    with pytest.raises(InvariantError, match="This is a fault of the model, not of your input"):
        raise_fault(world, SMALL)
    path = put(LENDERS)
    with pytest.raises(InvariantError) as caught:
        raise_fault(world, with_file("lenders.file", path))
    assert "not of your input" not in str(caught.value) and f"The run reads {path}:" in str(caught.value)


def test_a_fault_ends_with_three(monkeypatch, tmp_path, firesale):
    import simulation.runs

    def spoilt(*given):
        world = build_world(*given)
        world.paths.btc_return[1] = np.nan
        return world

    monkeypatch.setattr(simulation.runs, "build_world", spoilt)
    code, err = command(firesale, tmp_path)
    assert code == 3 and "fault of the model, not of your input" in err and not (tmp_path / "out").exists()


# --- any cell -----------------------------------------------------------------------------------------------------

GOOD = {
    "lenders.file": "kind,equity,max_ltv,life,spread,runnable\nbank,1e9,0.7,60,0.03,0.4\nbdc,5e8,0.8,84,0.06,0.2\ninsurer,6e8,0.7,120,0.03,0.1\n",
    "neoclouds.file": "cash,site_power,liquid_power,used_power,hurdle,utilisation\n5e6,20000,2000,9000,0.01,0.8\n9e6,9000,900,4000,0.012,0.7\n",
    "miners.file": "cash,site_power,used_power,btc,hashrate,efficiency\n5e6,20000,3000,900,3000,25\n9e6,9000,900,400,2000,30\n",
    "buyers.file": "kind,budget_cap,power_cap,liquid_cap,hurdle\nenterprise,1e7,900,90,0.012\ndealer,1e7,0,0,0.012\nscrap,5e6,0,0,0.01\n",
    "networks.lending_file": "operator,lender\n0,0\n1,1\n2,2\n3,3\n4,4\n5,0\n6,1\n",
    "networks.funding_file": "creditor,debtor,limit\n0,4,1e8\n1,4,2e8\n",
    "networks.contacts_file": "seller,buyer\n0,13\n1,14\n6,15\n7,9\n",
    "drivers.file": "month,btc_return,demand_growth,stress_coin,block_units,block_chip\n0,0.1,0.02,0,0,0\n1,-0.3,-0.1,1,50,1\n2,0.2,0.01,1,0,0\n",
    "drivers.coin.series": "month,close_usd\n" + "\n".join(CLOSES) + "\n",
}  # fmt: skip
CELLS = (
    "", " ", "0", "-1", "1", "0.5", "2", "7", "70", "1e3", "1e9", "1e15", "1e300", "-1e300", "1e-300", "1e999", "nan", "inf", "-inf",
    "NA", "#N/A", "#", "-", "x", "bank", "backstop", "outside", "failed", "TRUE", "0,5", "1,234", "1.234,5", "70%", "$5", "1_0", "0x1f",
    "٣", '"', '""', "'", "a\nb", "2024-01", "2024-02-30", "1/2/2024", "99", "1000000000", "9" * 400, "kind", "\u2028", "=1+1", "é",
)  # fmt: skip


def mutated(text: str, choice: random.Random) -> bytes:
    """Return a table with a few cells, rows, columns, separators or bytes changed."""
    rows = [line.split(",") for line in text.rstrip("\n").split("\n")]
    separator, ending, encoding, quoted = ",", "\n", "utf-8", False
    for _ in range(choice.randint(1, 3)):
        k = choice.randrange(len(rows)) if choice.random() < 0.3 else choice.randrange(1, len(rows))
        j = choice.randrange(len(rows[k])) if rows[k] else 0
        other = choice.choice(rows)
        match choice.randrange(14):
            case 0 | 1 | 2 | 3:
                rows[k][j : j + 1] = [choice.choice(CELLS)]
            case 4:
                m = choice.randrange(len(other)) if other else 0
                rows[k][j : j + 1], other[m : m + 1] = other[m : m + 1], rows[k][j : j + 1]
            case 5:
                rows.insert(k, list(other))
            case 6:
                rows[1:] = choice.sample(rows[1:], len(rows) - 1)
            case 7:
                rows.insert(k, choice.choice([[""], ["# a word"], [""] * len(rows[0]), ["total"]]))
            case 8:
                separator = choice.choice([";", "\t", "|", " "])
            case 9:
                ending = choice.choice(["\r\n", "\r", "\n\n"])
            case 10:
                quoted = True
            case 11:
                encoding = choice.choice(["utf-8-sig", "utf-16", "utf-16-le", "utf-32", "latin-1"])
            case 12:
                for row in rows:
                    row[j : j + 1] = []
            case 13:
                rows = [[str(n) if n else "", *row] for n, row in enumerate(rows)]
    cells = [[f'"{cell}"' if quoted else cell for cell in row] for row in rows]
    data = bytearray(ending.join(separator.join(row) for row in cells).encode(encoding, "replace") + ending.encode())
    if choice.random() < 0.1:
        data.insert(choice.randint(0, len(data)), choice.randrange(256))
    return bytes(data)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("parameter", GOOD)
def test_a_mutated_table_runs_or_is_refused_where_it_stands(put, parameter, seed):
    """Fifteen mutants a seed: no traceback, no violated identity, no number that is none."""
    choice = random.Random(f"{parameter} {seed}")
    ended = {"run": 0, "refused": 0}
    for _ in range(15):
        path = put(mutated(GOOD[parameter], choice))
        try:
            play(with_file(parameter, path, **{"run.months": 4}), 1)
            ended["run"] += 1
        except ConfigError as error:
            assert error.faults and all(fault.where.startswith(path) for fault in error.faults)
            located = [fault for fault in error.faults if fault.where != path]
            assert located or "has no rows" in str(error)
            ended["refused"] += 1
    assert ended["refused"] > 1


def test_every_good_table_runs(put):
    for parameter, text in GOOD.items():
        play(with_file(parameter, put(text)), 1)
    known = {spec.name for spec in DRIVERS if not spec.because}
    assert set(GOOD["drivers.file"].split("\n")[0].split(",")) <= known


def test_the_document_says_which_columns_there_are():
    text = (ROOT / "docs" / "tables.md").read_text(encoding="utf-8")
    for specs in (DRIVERS, SERIES):
        assert all(f"`{spec.name}`" in text for spec in specs)
    for parameter in GOOD:
        assert f"`{parameter}`" in text
