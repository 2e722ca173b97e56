"""Config files: what loads, where faults are said to be, and that nothing but ConfigError ever comes out."""

from __future__ import annotations

import json
import pickle
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from simulation.scenario.config import (
    input_files,
    json_schema,
    load_scenario,
    provenance,
    scenario_hash,
    scenario_to_yaml,
    set_path,
)
from simulation.scenario.document import base_config
from simulation.scenario.faults import ConfigError
from simulation.scenario.scenario import Scenario
from simulation.scenario.walking import declared, parameters

BASE = """\
title: A test
run:
  months: 24
chips:
  - name: A100
    release: -40
    list_price: 12_000
    performance: 0.45
    power: 0.75
  - name: H100
    release: -15
    list_price: 31e3
    performance: 1
    power: 1.3
drivers:
  coin: {path: regime}
lenders:
  bank:
    max_ltv: 0.7
    patience: [0.5, 0.8]
  max_ltv: 0.75
"""


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write files into an empty working folder, so that faults name them by their bare names."""
    monkeypatch.chdir(tmp_path)

    def write(**files: str | bytes) -> None:
        for name, text in files.items():
            (tmp_path / f"{name}.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())

    return write


def faults(path: str, overrides=()) -> list[str]:
    """Return the lines of the ConfigError that loading raises."""
    with pytest.raises(ConfigError) as caught:
        load_scenario(path, overrides)
    lines = str(caught.value).split("\n")
    assert lines == [str(fault) for fault in caught.value.faults]
    return lines


def fault(path: str, overrides=()) -> str:
    """Return the only line of the ConfigError that loading raises."""
    lines = faults(path, overrides)
    assert len(lines) == 1, lines
    return lines[0]


# --- what loads ---------------------------------------------------------------------------------------------------


def test_values_of_the_file_and_defaults_of_the_rest(write):
    write(base=BASE)
    scenario = load_scenario("base.yaml")
    assert scenario.run.months == 24
    assert [chip.name for chip in scenario.chips] == ["A100", "H100"]
    assert scenario.chips[1].list_price == 31_000.0
    assert scenario.rental == Scenario.model_fields["rental"].default


def test_setting_one_trait_of_a_kind_keeps_its_others(write):
    write(base=BASE)
    bank = load_scenario("base.yaml").lenders.bank
    default = Scenario.model_fields["lenders"].default.bank
    assert bank == default.model_copy(update={"max_ltv": 0.7, "patience": (0.5, 0.8)})
    assert bank.count == default.count > 0


def test_yaml_is_of_version_1_2(write):
    write(base=BASE.replace("title: A test", "title: no").replace("months: 24", "months: 2.4e1"))
    scenario = load_scenario("base.yaml")
    assert scenario.title == "no"
    assert scenario.run.months == 24 and isinstance(scenario.run.months, int)


def test_a_section_whose_lines_are_commented_out_is_empty(write):
    write(base=BASE + "rental:\n  # rent: 3\n", child="extends: base.yaml\nlenders:\n")
    assert load_scenario("base.yaml").rental == Scenario.model_fields["rental"].default
    assert load_scenario("child.yaml").lenders.max_ltv == 0.75


def test_anchors_byte_order_mark_and_line_ends(write):
    text = BASE.replace("patience: [0.5, 0.8]", "patience: &p [0.5, 0.8]").replace(
        "  max_ltv: 0.75", "  bdc: {patience: *p}"
    )
    write(base=b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    assert load_scenario("base.yaml").lenders.bdc.patience == (0.5, 0.8)


def test_extends_merges_sections_and_replaces_lists(write, tmp_path):
    (tmp_path / "deep").mkdir()
    write(base=BASE, middle="extends: base.yaml\nlenders: {bank: {max_ltv: 0.6}, links: 7}\n")
    (tmp_path / "deep" / "child.yaml").write_text(
        "extends: ../middle.yaml\n"
        "lenders: {bank: {patience: [0.1, 0.2]}}\n"
        "chips: [{name: B200, release: 0, list_price: 42e3, performance: 1.9, power: 1.8}]\n"
    )
    scenario = load_scenario("deep/child.yaml")
    assert (scenario.lenders.bank.max_ltv, scenario.lenders.bank.patience) == (0.6, (0.1, 0.2))
    assert (scenario.lenders.max_ltv, scenario.lenders.links, scenario.run.months) == (0.75, 7, 24)
    assert [chip.name for chip in scenario.chips] == ["B200"]


def test_overrides_come_last_and_are_yaml(write):
    write(base=BASE)
    scenario = load_scenario(
        "base.yaml",
        [
            "lenders.max_ltv=0.65",
            "lenders.max_ltv=null",
            "neoclouds.cash=[1e6, 2e6]",
            "miners.cash.1=3e8",
            "chips.H100.list_price=29e3",
            "chips.0.power=0.7",
            "lenders.bank={count: 2}",
            "title=x = y",
            "drivers.file=",
        ],
    )
    assert scenario.lenders.max_ltv is None
    assert scenario.neoclouds.cash == (1e6, 2e6)
    assert scenario.miners.cash == (Scenario.model_fields["miners"].default.cash[0], 3e8)
    assert (scenario.chips[1].list_price, scenario.chips[0].power) == (29_000.0, 0.7)
    assert (scenario.lenders.bank.count, scenario.lenders.bank.max_ltv) == (2, 0.7)
    assert scenario.title == "x = y" and scenario.drivers.file is None
    assert load_scenario("base.yaml", {"lenders.max_ltv": np.float64(0.5)}).lenders.max_ltv == 0.5


def test_csv_paths_start_from_the_file_that_names_them(write, tmp_path):
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "mine.csv").touch()
    (tmp_path / "here.csv").touch()
    write(base="extends: below/parent.yaml\nbuyers: {file: here.csv}\n")
    (tmp_path / "below" / "parent.yaml").write_text(BASE + "miners: {file: mine.csv}\n")
    scenario = load_scenario("base.yaml", ["neoclouds.file=here.csv"])
    assert scenario.miners.file == str(tmp_path / "below" / "mine.csv")
    assert scenario.buyers.file == scenario.neoclouds.file == str(tmp_path / "here.csv")
    assert set(input_files(scenario)) == {"miners.file", "buyers.file", "neoclouds.file"}


def test_default_series_lies_beside_a_config_of_the_chain(write, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "scenarios").mkdir()
    series = tmp_path / "data" / "series_btc_usd_monthly.csv"
    series.touch()
    write(base=BASE.replace("path: regime", "path: history"))
    (tmp_path / "scenarios" / "child.yaml").write_text("extends: ../base.yaml\n")
    scenario = load_scenario("scenarios/child.yaml")
    assert scenario.drivers.coin.series == str(series)
    assert set_path(scenario, {"run.months": 3}).drivers.coin.series == str(series)


# --- faults and where they are ------------------------------------------------------------------------------------


def test_all_faults_of_all_files_at_once_with_places(write, tmp_path):
    write(
        parent=BASE.replace("max_ltv: 0.75", "max_lvt: 0.75").replace("  months: 24", "  months: 24\n  months: 25"),
        child="""\
extends: parent.yaml
runs: {}
chips:
  - name: H100
    release: "3"
    list_price: -1
    performance: .inf
    liquid: yes
  - {name: B200, release: 0, list_price: 42e3, performance: 1.9, power: 1.8}
  - 7
lenders:
  bank:
    count: true
    patience: [0.9, 0.2]
  bdc: {patience: [1]}
  insurer: {patience: [1, 2, 3], max_ltv: "0.5"}
drivers:
  coin: {path: hystory, price: 1e400}
  demand: {growth: 3}
  file: nowhere.csv
market: 4
run: {start: 2024-13}
notes:
  margin_ltv: 0.8
1: 2
""",
    )
    assert faults("child.yaml", ["lenders.max_ltvv=1", "neoclouds.cash.1=x", "months"]) == [
        "--set: lenders.max_ltvv: unknown parameter; did you mean 'lenders.max_ltv'",
        "--set: months: write path=value",
        "--set: neoclouds.cash[1]: must be a number (USD), is 'x'",
        "child.yaml:2:1: runs: unknown parameter; did you mean 'run'",
        "child.yaml:4:5: chips[0].power: is missing: power at the wall (kW/GPU)",
        "child.yaml:5:5: chips[0].release: must be a whole number (month), is '3'; write it without quotes",
        "child.yaml:6:5: chips[0].list_price: must be above 0 (USD/GPU), is -1",
        "child.yaml:7:5: chips[0].performance: must be a finite number, is inf",
        "child.yaml:8:5: chips[0].liquid: must be true or false, is 'yes'",
        "child.yaml:10:5: chips[2]: must be a section with 'name: value' lines, is 7",
        "child.yaml:13:5: lenders.bank.count: must be a whole number (agents), is true",
        "child.yaml:14:5: lenders.bank.patience: the lower end of a range must not exceed the upper end",
        "child.yaml:15:9: lenders.bdc.patience: must be a list of two numbers [low, high], is [1]",
        "child.yaml:16:13: lenders.insurer.patience: must be a list of two numbers [low, high], is [1, 2, 3]",
        "child.yaml:16:34: lenders.insurer.max_ltv: must be a number (ratio), is '0.5'; write it without quotes",
        "child.yaml:18:10: drivers.coin.path: must be one of regime, history, bootstrap; is 'hystory'; "
        "did you mean 'history'",
        "child.yaml:18:25: drivers.coin.price: must be a finite number, is inf",
        "child.yaml:19:12: drivers.demand.growth: must be a list of numbers, is 3",
        f"child.yaml:20:3: drivers.file: no such file: {tmp_path}/nowhere.csv",
        "child.yaml:21:1: market: must be a section with 'name: value' lines, is 4",
        "child.yaml:22:7: run.start: must have the form YYYY-MM, is '2024-13'",
        "child.yaml:23:1: notes: needs margin_ltv < margin_call <= margin_closeout",
        "child.yaml:25:1: a name must be text; put it in quotes",
        "parent.yaml:4:3: run.months: is given twice; first at line 3",
        "parent.yaml:22:3: lenders.max_lvt: unknown parameter; did you mean 'max_ltv'",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ":1:1: the file is empty: a config needs at least the section 'chips'"),
        ("# nothing\n", ":1:1: the file is empty: a config needs at least the section 'chips'"),
        ("- a\n", ":1:1: must be sections and values ('name: value'), is a list of 1"),
        ("\nfoo\n", ":2:1: must be sections and values ('name: value'), is 'foo'"),
        ("drivers: {coin: {path: regime}}\n", ":1:1: chips: is missing: generations of chips"),
        ("drivers: {coin: {path: regime}}\nchips: []\n", ":2:1: chips: must have at least one item"),
        ("title: a: b\n", ":1:9: is not valid YAML: a second ':' on the line; put text that holds ': ' in quotes"),
        ("run:\n\tmonths: 3\n", ":2:1: is not valid YAML: a tab; indent with spaces"),
        ("run: [1\n", ":2:1: is not valid YAML: expected ',' or ']', but got '<stream end>'"),
        ("run: {}\n---\nrun: {}\n", ":2:1: is not valid YAML: a second document begins ('---'); a config is one document"),
        ("run: *x\n", ":1:6: is not valid YAML: found undefined alias 'x'"),
        ("run: &x [*x]\n", ":1:1: is nested too deeply, or an alias (*name) refers to itself"),
        ("run: " + "[" * 3000, ":1:1: is nested too deeply"),
        (b"title: caf\xe9\n", ":1:11: is not UTF-8 text; save the file as UTF-8"),
        (b"run: {}\n\xff\xfe\x00", ":2:1: is not UTF-8 text; save the file as UTF-8"),
        (b"run: {}\ntitle: \x00\x01", ":2:8: is not text: it holds a control character"),
        (BASE + "x: !!python/object:os.system 1\n", ":22:4: x: the tag 'tag:yaml.org,2002:python/object:os.system'"),
        (BASE + "<<: {a: 1}\n", ":22:1: '<<' is not supported; use 'extends' or write it out"),
        (BASE + "marks: {asset_life: 0x_}\n", ":22:21: marks.asset_life: '0x_' is not a number"),
        (BASE + "marks: {asset_life: " + "9" * 5000 + "}\n", ":22:21: marks.asset_life: '999"),
        (BASE + "run2: 1\n", ":22:1: run2: unknown parameter; did you mean 'run'"),
        (BASE + "credit: {max_ltv: 1}\n", ":22:10: credit.max_ltv: unknown parameter; did you mean 'lenders.max_ltv'"),
        (BASE + "policy: {zzz: 1}\n", ":22:10: policy.zzz: unknown parameter; known here: backstop, "),
        (BASE + "sweep: {}\n", ":22:1: sweep: is part of a study of many runs: firesale sweep"),
        (BASE + "networks: {seed: 99999999999999999999}\n", ":22:12: networks.seed: is too large a number"),
        (BASE + "networks: {redraw: 1}\n", ":22:12: networks.redraw: must be true or false, is 1"),
        (BASE + "networks: {seed: 1.5}\n", ":22:12: networks.seed: must be a whole number (seed), is 1.5"),
        (BASE + "rental: {overhead: 1}\n", ":22:10: rental.overhead: must be below 1 (share), is 1"),
        (BASE + "rental: {overhead: .nan}\n", ":22:10: rental.overhead: must be a finite number, is nan"),
        (BASE + "drivers: {}\n", ":22:1: drivers: is given twice; first at line 15"),
        (BASE.replace("-40", "1").replace("-15", "2"), ":4:1: chips: no generation is released at the start (release"),
        (BASE + "neoclouds: {count: 0}\nminers: {count: 0}\n", ":22:13: neoclouds.count: neoclouds.count and miners.c"),
        (BASE.replace("A test", "3"), ":1:1: title: must be text, is 3"),
        (BASE.replace("A100", "''"), ":5:5: chips[0].name: must not be empty"),
        (BASE + "extends: 3\n", ":22:1: extends: must be the name of one config file, is 3"),
        (BASE + "extends: [a.yaml, b.yaml]\n", ":22:1: extends: must be the name of one config file, is a list of 2"),
        (BASE + "extends: .\n", ":22:1: extends: . is a folder, not a config file"),
        (BASE + "extends: bsae.yaml\n", ":22:1: extends: bsae.yaml does not exist; did you mean 'base.yaml'"),
        (BASE + "extends: base.yaml\n", ":22:1: extends: goes round in a circle: base.yaml -> base.yaml"),
    ],
)  # fmt: skip
def test_one_fault(write, text, message):
    write(base=text)
    assert fault("base.yaml").startswith("base.yaml" + message)


def test_errors_of_a_parent_are_located_in_the_parent(write):
    write(base="chips: [\n", child="extends: base.yaml\nlenders: {max_ltvv: 1}\n")
    assert faults("child.yaml") == [
        "base.yaml:2:1: is not valid YAML: expected the node content, but found '<stream end>'",
        "child.yaml:2:11: lenders.max_ltvv: unknown parameter; did you mean 'max_ltv'",
    ]


def test_a_missing_parent_hides_no_fault_of_the_child_and_invents_none(write):
    write(child="extends: no.yaml\nlenders: {max_ltvv: 1}\nnotes: {margin_ltv: 0.8}\n")
    assert faults("child.yaml") == [
        "child.yaml:1:1: extends: no.yaml does not exist",
        "child.yaml:2:11: lenders.max_ltvv: unknown parameter; did you mean 'max_ltv'",
    ]


def test_a_circle_of_two(write):
    write(a="extends: b.yaml\n", b="\nextends: a.yaml\n")
    assert fault("a.yaml") == "b.yaml:2:1: extends: goes round in a circle: a.yaml -> b.yaml -> a.yaml"


def test_the_config_itself_cannot_be_opened(write, tmp_path):
    write(base=BASE, large="#" * 5_000_000, child='extends: "a\\0b"\n')
    (tmp_path / "folder.yaml").mkdir()
    assert fault("bas.yaml") == "bas.yaml: no such file; did you mean 'base.yaml'"
    assert fault("folder.yaml") == "folder.yaml: is a folder, not a config file"
    assert fault("nul\0.yaml").startswith("nul\\x00.yaml: cannot be read")
    assert fault("child.yaml").startswith("child.yaml:1:1: extends: a\\x00b cannot be read")
    assert fault("large.yaml") == "large.yaml: is larger than 4 MB: not a config file"


def test_faulty_overrides(write):
    write(base=BASE)
    overrides = {
        "max_ltv": "unknown parameter; did you mean 'lenders.max_ltv'",
        "lenders.bnk.count": "unknown parameter; did you mean 'lenders.bank'",
        "run.months.x": "'run.months' has no part 'x'",
        "chips.H10.power": "no item 'H10'; did you mean 'H100'",
        "chips.2.power": "no item '2': the list has 2 items, 0 to 1",
        "chips.H100.powr": "unknown parameter; did you mean 'chips.1.power'",
        "miners.cash.2": "no item '2': the list has 2 items, 0 to 1",
    }
    expected = [f"--set: {path}: {message}" for path, message in overrides.items()]
    assert faults("base.yaml", [f"{path}=1" for path in overrides]) == expected
    assert fault("base.yaml", ["run.months="]) == "--set: run.months: must be a whole number (month), is nothing"
    assert fault("base.yaml", ["rental=3"]) == "--set: rental: must be a section with 'name: value' lines, is 3"
    assert fault("base.yaml", ["rental.rent=.inf"]) == "--set: rental.rent: must be a finite number, is inf"
    assert fault("base.yaml", ["run.months=[3"]).startswith("--set: run.months: is not valid YAML: ")
    assert fault("base.yaml", ["run={months: 3, months: 4}"]) == "--set: run: is given twice"
    assert fault("base.yaml", ["=3"]).startswith("--set: unknown parameter; known here: title, run")


def test_an_override_is_blamed_for_what_it_breaks(write):
    write(base=BASE)
    assert fault("base.yaml", ["lenders.bank.patience.1=0.1"]) == (
        "base.yaml:20:5: lenders.bank.patience: the lower end of a range must not exceed the upper end"
    )
    assert fault("base.yaml", ["notes.margin_ltv=0.8"]) == (
        "--set: notes: needs margin_ltv < margin_call <= margin_closeout"
    )


def test_missing_csv_files(write, tmp_path):
    (tmp_path / "nodes.csv").touch()
    write(base=BASE + "networks: {lending_file: node.csv}\nbuyers: {file: .}\n", child="extends: base.yaml\n")
    assert faults("child.yaml", ["miners.file=x.csv"]) == [
        f"--set: miners.file: no such file: {tmp_path}/x.csv",
        f"base.yaml:22:12: networks.lending_file: no such file: {tmp_path}/node.csv; did you mean 'nodes.csv'",
        f"base.yaml:23:10: buyers.file: is a folder, not a CSV file: {tmp_path}",
    ]


def test_config_error_survives_pickling(write):
    write(base="x: 1\n")
    with pytest.raises(ConfigError) as caught:
        load_scenario("base.yaml")
    copy = pickle.loads(pickle.dumps(caught.value))
    assert copy.faults == caught.value.faults and str(copy) == str(caught.value)


# --- provenance, round trip, changes, schema ----------------------------------------------------------------------


def test_provenance(write):
    write(base=BASE, child="extends: base.yaml\n\nlenders:\n  bank: {patience: [0.1, 0.2]}\n")
    origins = provenance("child.yaml", ["chips.H100.power=1.2", "miners.cash.1=9e9", "buyers.dealer={count: 1}"])
    assert origins["lenders.bank.patience"] == "child.yaml:4"
    assert origins["lenders.bank.max_ltv"] == "base.yaml:19"
    assert origins["lenders.bank.count"] == "default"
    assert origins["chips.H100.list_price"] == "base.yaml:12"
    assert origins["chips.H100.liquid"] == "default"
    for path in ("chips.H100.power", "miners.cash", "buyers.dealer.count"):
        assert origins[path] == "--set"
    assert origins["buyers.dealer.budget"] == origins["drivers.coin.series"] == "default"
    assert list(origins) == [path for path, _, _ in parameters(load_scenario("child.yaml"))]


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("miners.eth=[-1, 3]", "must be at least 0"),
        ("neoclouds.utilisation=[0.5, 1.5]", "must be at most 1"),
        ("drivers.demand.growth=[0.1, 0.2, -1.1]", "must be at least -1"),
    ],
)
def test_every_number_of_a_list_has_bounds(write, setting, message):
    write(base=BASE)
    assert faults("base.yaml", [setting]) == [f"--set: {setting.split('=')[0]}: every number of the list {message}"]
    assert load_scenario("base.yaml", ["neoclouds.decline=[-0.5, 1]"]).neoclouds.decline == (-0.5, 1.0)


def test_scenario_survives_yaml(write):
    write(base=BASE)
    scenario = load_scenario("base.yaml", ["drivers.demand.growth=[1e-7, 0.1]", "lenders.max_ltv=null"])
    write(again=scenario_to_yaml(scenario))
    assert load_scenario("again.yaml") == scenario
    assert scenario_hash(load_scenario("again.yaml")) == scenario_hash(scenario)


@pytest.mark.parametrize("title", ["a\x85b", "\u2028", "tab\tand\nline", "\x7f", "\ufeff", "'\"\\"])
def test_odd_texts_survive_yaml(write, title):
    write(base=BASE)
    scenario = set_path(load_scenario("base.yaml"), {"title": title})
    write(again=scenario_to_yaml(scenario))
    assert load_scenario("again.yaml") == scenario


@settings(max_examples=50, deadline=None)
@given(
    title=st.text(max_size=20),
    rent=st.floats(min_value=1e-300, max_value=1e300),
    cash=st.lists(st.floats(0.0, 1e15), min_size=2, max_size=2).map(sorted),
    growth=st.lists(st.floats(-1.0, 1.0), max_size=4),
    release=st.integers(-600, 0),
    liquid=st.booleans(),
)
def test_any_scenario_survives_yaml(tmp_path_factory, title, rent, cash, growth, release, liquid):
    file = tmp_path_factory.mktemp("yaml") / "a.yaml"
    file.write_text(BASE)
    changes = {"title": title, "rental.rent": rent, "neoclouds.cash": cash, "drivers.demand.growth": growth}
    scenario = set_path(load_scenario(file), {**changes, "chips.0.release": release, "chips.0.liquid": liquid})
    file.write_text(scenario_to_yaml(scenario), encoding="utf-8")
    assert load_scenario(file) == scenario


def test_set_path(write):
    write(base=BASE)
    scenario = load_scenario("base.yaml")
    changed = set_path(
        scenario, {"chips.H100.list_price": np.float32(3), "chips.0.name": "A", "run.months": np.int64(5)}
    )
    assert (changed.chips[1].list_price, changed.chips[0].name, changed.run.months) == (3.0, "A", 5)
    assert scenario.chips[1].list_price == 31_000.0
    assert set_path(changed, ["chips.A.name=A100", "chips.H100.list_price=31e3", "run.months=24"]) == scenario
    with pytest.raises(ConfigError, match=r"^lenders.max_ltvv: unknown parameter; did you mean 'lenders.max_ltv'$"):
        set_path(scenario, {"lenders.max_ltvv": 1})
    with pytest.raises(ConfigError, match=r"^--twin: run.months: must be at least 1 \(month\), is 0$"):
        set_path(scenario, {"run.months": 0}, "--twin")
    with pytest.raises(ConfigError, match="finite"):
        set_path(scenario, {"rental.rent": float("nan")})


def test_chips_that_no_name_can_address(write):
    chip = "{{name: '{}', release: 0, list_price: 1, performance: 1, power: 1}}"
    write(base=f"chips: [{', '.join(map(chip.format, ('B.1', '7', 'A')))}]\ndrivers: {{coin: {{path: regime}}}}\n")
    scenario = load_scenario("base.yaml")
    paths = [path for path, _, _ in parameters(scenario) if path.startswith("chips") and path.endswith(".power")]
    assert paths == ["chips.0.power", "chips.1.power", "chips.A.power"]
    assert set_path(scenario, {"chips.1.power": 2}).chips[1].power == 2


def test_scenarios_are_frozen(write):
    write(base=BASE)
    with pytest.raises(ValidationError):
        load_scenario("base.yaml").run = None


def test_hash_counts_the_content_of_files_not_their_place(write, tmp_path):
    write(base=BASE)
    for name, content in (("a.csv", "1"), ("b.csv", "1"), ("c.csv", "2")):
        (tmp_path / name).write_text(content)
    a, b, c = (scenario_hash(load_scenario("base.yaml", [f"buyers.file={name}.csv"])) for name in "abc")
    assert a == b != c
    assert a != scenario_hash(load_scenario("base.yaml"))


def test_schema_has_unit_and_source_for_every_parameter(write):
    schema = json_schema()
    json.dumps(schema)
    assert "folder" not in schema["properties"] and "extends" in schema["properties"]
    seen = 0
    for name, section in schema["$defs"].items():
        assert section["additionalProperties"] is False, name
        for parameter, described in section["properties"].items():
            if "$ref" not in described:
                seen += 1
                assert described["unit"] and described["source"] and described["description"], (name, parameter)
    assert seen > 100


def test_every_declared_parameter_can_be_set_to_its_default(write):
    write(base=BASE)
    scenario = load_scenario("base.yaml")
    values = {path: value for path, value, _ in parameters(scenario)}
    assert set_path(scenario, values) == scenario
    assert {path for path, _, _ in declared()} == {
        path.replace("chips.A100", "chips[]") for path in values if not path.startswith("chips.H100")
    }


# --- nothing but ConfigError --------------------------------------------------------------------------------------

ODD = (
    "", " ", "~", "null", ".nan", "-.inf", "1e999", "-1", "0", "0.5", "1" * 40, "yes", "true", "[]", "{}", "[1, 2]",
    "[[[]]]", "{a: 1}", "'", '"', '"\\x00"', '"\\uD800"', "*a", "&a [*a]", "!!int x", "!!set {a}", "!x y", "|", ">-",
    "2024-01-01", "2024-99-99", "0x_", "-_", "0o9", "=", "<<", "?", "@", "%", "\t", "- 1", "a: b: c", ": :", "# x",
    "\u2028", "\x85", "é", "\ufeff", "extends: .", "extends: /dev/null", "<<: *a", "? [a, b]", "--- ", "...", "%YAML 1.1",
    "file: \"\\0\"", "chips.", "name: [", "12:30:45", "0b", "1__0", ".", "..", "+", "-", "!!binary x", "!!omap [a: 1]",
)  # fmt: skip


def _mutated(text: str, choice: random.Random) -> bytes:
    """Return the text with a few lines deleted, doubled, moved or changed, and sometimes with random bytes."""
    lines = text.split("\n")
    for _ in range(choice.randint(1, 6)):
        k = choice.randrange(len(lines)) if lines else 0
        head, colon, _ = lines[k].partition(":") if lines else ("", "", "")
        match choice.randrange(8):
            case 0:
                del lines[k : k + 1]
            case 1:
                lines[k:k] = lines[k : k + 1]
            case 2:
                lines.insert(choice.randint(0, len(lines)), choice.choice(ODD))
            case 3:
                lines[k : k + 1] = [f"{head}{colon} {choice.choice(ODD)}"]
            case 4:
                lines[k : k + 1] = [" " * choice.randrange(6) + (lines[k : k + 1] or [""])[0].strip()]
            case 5:
                lines[k : k + 1] = [choice.choice(ODD) + colon + " 1"]
            case 6:
                lines.insert(k, choice.choice(lines) if lines else "")
            case 7:
                lines[k : k + 1] = ["".join(choice.sample(head, len(head))) + colon + " 3"]
    data = bytearray("\n".join(lines).encode("utf-8", "surrogatepass"))
    if choice.random() < 0.3:
        for _ in range(choice.randint(1, 5)):
            data.insert(choice.randint(0, len(data)), choice.randrange(256))
    return bytes(data)


@settings(max_examples=400, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_mutated_configs_load_or_raise_config_error(tmp_path_factory, seed):
    file = tmp_path_factory.mktemp("fuzz") / "a.yaml"
    file.write_bytes(_mutated(BASE, random.Random(seed)))
    _loads_or_faults(file, ())


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=200))
def test_random_bytes_load_or_raise_config_error(tmp_path_factory, data):
    file = tmp_path_factory.mktemp("fuzz") / "a.yaml"
    file.write_bytes(data)
    _loads_or_faults(file, ())


@settings(max_examples=300, deadline=None)
@given(
    path=st.one_of(st.text(max_size=12), st.sampled_from([path for path, _, _ in declared()]), st.sampled_from(
        ["chips", "chips.0", "chips.0.name", "lenders", "lenders.bank", "neoclouds.cash.0", "run", "chips.H100", "."]
    )),
    value=st.one_of(st.sampled_from(ODD), st.text(max_size=12)),
)  # fmt: skip
def test_odd_overrides_load_or_raise_config_error(tmp_path_factory, path, value):
    file = tmp_path_factory.getbasetemp() / "override.yaml"
    file.write_text(BASE)
    _loads_or_faults(file, [f"{path}={value}", "lenders.bank.count=3"])


def _loads_or_faults(file, overrides):
    try:
        assert isinstance(load_scenario(file, overrides), Scenario)
    except ConfigError as error:
        assert error.faults
        for line in str(error).split("\n"):
            # A spoilt 'extends' may name a file that exists elsewhere.
            assert line.startswith((str(file.parent), "--set", "/dev/null"))
            assert "Input should" not in line and "pydantic" not in line


# --- generations by name, configs that come with the program ------------------------------------------------------
def test_one_generation_is_changed_without_copying_the_list(write):
    write(parent=BASE, child="extends: parent.yaml\nchips:\n  H100: {list_price: 25000}\n")
    scenario = load_scenario("child.yaml")
    assert [(chip.name, chip.list_price) for chip in scenario.chips] == [("A100", 12_000), ("H100", 25_000)]
    found = provenance("child.yaml")
    assert found["chips.H100.list_price"] == "child.yaml:3" and found["chips.H100.power"] == "parent.yaml:14"
    same = load_scenario("parent.yaml", ["chips={H100: {list_price: 25000}}"])
    assert same == scenario == load_scenario("parent.yaml", ["chips.H100.list_price=25000"])


def test_a_new_generation_comes_in_its_place(write):
    new = "{release: -20, list_price: 9000, performance: 0.5, power: 1}"
    write(parent=BASE, child=f"extends: parent.yaml\nchips:\n  MI250: {new}\n  H100: {{power: 2}}\n")
    chips = load_scenario("child.yaml").chips
    assert [chip.name for chip in chips] == ["A100", "MI250", "H100"] and chips[2].power == 2


@pytest.mark.parametrize(
    ("chips", "message"),
    [
        ("{H10O: {power: 2}}", "child.yaml:2:9: chips.H10O: no such generation; did you mean 'H100'; a new one needs a release"),
        ("{H100: 7}", "child.yaml:2:9: chips.H100: must be values of a generation, is 7"),
        ("{H100: {power: -2}}", "child.yaml:2:16: chips[1].power: must be above 0 (kW/GPU), is -2"),
        ("{B200: {release: 3}}", "child.yaml:2:9: chips[2].list_price: is missing"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_named_generation_is_said_where_it_stands(write, chips, message):
    write(parent=BASE, child=f"extends: parent.yaml\nchips: {chips}\n")
    with pytest.raises(ConfigError) as error:
        load_scenario("child.yaml")
    assert message in str(error.value)


def test_shipped_configs_have_names_everywhere(write):
    write(own="extends: shipped:scenarios/article.yaml\ntitle: Mine\n")
    assert load_scenario("own.yaml").title == "Mine"
    assert load_scenario("base") == load_scenario("shipped:base.yaml") == load_scenario(base_config())
    assert load_scenario("article") == load_scenario(base_config().parent / "scenarios" / "article.yaml")
    with pytest.raises(ConfigError, match=r"^nosuch: no such file, and no config of that name comes with the program$"):
        load_scenario("nosuch")
    # A file of the user's goes first.
    (Path.cwd() / "base").write_text(BASE)
    assert load_scenario("base").title == "A test"


@pytest.mark.parametrize(("kind", "command"), [("sweep: {a: 1}", "sweep"), ("moments: []", "calibrate")])
def test_a_config_of_another_kind_names_its_command(write, kind, command):
    write(study=f"{BASE}{kind}\n")
    with pytest.raises(ConfigError, match=f"^study.yaml:22:1: .* firesale {command} study.yaml$"):
        load_scenario("study.yaml")


@pytest.mark.parametrize(
    ("change", "message"),
    [("marks.decline_floor=0.2", "marks: needs decline_floor <= decline_cap"), ("marks.decline_cap=0.95", "marks.decline_cap")],
)  # fmt: skip
def test_beliefs_about_rents_have_a_range(write, change, message):
    write(a=BASE)
    with pytest.raises(ConfigError, match=message):
        load_scenario("a.yaml", [change])
