"""The command line: exit codes, messages, results folders. The engine is a stand-in but for the last tests."""

from __future__ import annotations

import importlib
import io
import json
import os
import signal
import subprocess
import sys
import time
import types
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from experiments.command import cli
from experiments.run.results import OutputError, check_output, read_results, write_results
from experiments.run.summary_table import SECTIONS, changes, print_summary
from simulation.scenario.config import load_scenario, scenario_hash, set_path
from simulation.scenario.document import base_config
from simulation.words import calendar, months, percent, price, usd, usd_tick
from tests.conftest import ROOT

CONFIG = """\
run: {months: 6, start: 2024-11}
chips:
  - {name: H100, release: -15, list_price: 31e3, performance: 1, power: 1.3}
drivers:
  coin: {path: regime}
"""


class InvariantError(Exception):
    """What the stand-in engine raises."""


def _result(scenario, seed):
    """Return what the engine returns, with few rows and known numbers."""
    importlib.import_module("simulation.world.world")
    from agents.schema import TABLES
    from agents.tables.ledger import ITEMS

    frames = {name: table.frame(table.empty(3)) for name, table in TABLES.items()}
    frames["panel"]["rent"] = [0.1, 1e-17, float("nan")]
    flows = pd.DataFrame(np.arange(3.0 * len(ITEMS)).reshape(3, -1), columns=[item.name for item in ITEMS])
    names = ("panel", "chip_panel", "kind_panel", "events", "trades")
    return SimpleNamespace(
        scenario=scenario,
        seed=seed,
        replication=0,
        summary={
            "defaults": np.int64(9),
            "defaults_by_cause": {"cash_flow": 5, "bitcoin_margin": 4, "ltv": 0},
            "losses": np.float64(4.12e9) * scenario.policy.backstop.price,
            "recovery": 0.452,
            "credit_peak": 14,
            "lead": 9,
            "systemic": 1,
            "amplification": float("nan"),
        },
        **{name: frames[name] for name in names},
        flows=flows,
        tables=frames,
        world=SimpleNamespace(lenders=[0] * 2, operators=[0] * 3, buyers=[0] * 5),
        seconds={"build": 0.01, "kernels": 0.005},
    )


def _run(scenario, seed=1, replication=0, *, twin=None, amplification=True):
    result = _result(scenario, seed)
    result.twin = None if twin is None else _result(twin, seed)
    return result


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty working folder with a config, and a stand-in for the engine."""
    engine = types.ModuleType("simulation.runs")
    engine.InvariantError = InvariantError
    engine.run = _run
    monkeypatch.setitem(sys.modules, "simulation.runs", engine)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.yaml").write_text(CONFIG)
    return tmp_path


RUN = ("run", "a.yaml", "--no-report", "--no-figures")


# --- init ---------------------------------------------------------------------------------------------------------
def test_init_copies_the_shipped_configs_once(folder, firesale):
    code, _, err = firesale("init", "mine")
    assert code == 0 and "firesale run mine/base.yaml" in err
    shipped = {path.relative_to(base_config().parent) for path in base_config().parent.rglob("*") if path.is_file()}
    assert {path.relative_to(folder / "mine") for path in (folder / "mine").rglob("*") if path.is_file()} == shipped
    assert scenario_hash(load_scenario("mine/scenarios/article.yaml")) == scenario_hash(load_scenario("article"))
    (folder / "mine" / "base.yaml").write_text("mine")
    for path in (folder / "mine" / "data").iterdir():
        path.unlink()
    code, _, err = firesale("init", "mine")
    assert code == 2 and "already: nothing was written" in err
    assert (folder / "mine" / "base.yaml").read_text() == "mine" and not any((folder / "mine" / "data").iterdir())


# --- run ----------------------------------------------------------------------------------------------------------


def test_run_writes_a_results_folder_and_prints_the_table(folder, firesale):
    code, out, err = firesale(*RUN, "--seed", "7", "--months", "5")
    assert code == 0
    for text in (
        "Operators in default",
        "9",
        "by cause: bitcoin margin",
        "$3.50bn",
        "Jan 2026",
        "9 months",
        "yes",
        "-",
    ):
        assert text in out
    assert "by cause: ltv" not in out
    assert str(folder / "results" / "a-seed7") in err
    results = read_results("results/a-seed7")
    assert results.summary["defaults"] == 9 and results.summary["amplification"] is None
    assert results.manifest["seed"] == 7 and results.twin is None
    assert results.manifest["command"] == "firesale run a.yaml --no-report --no-figures --seed 7 --months 5"
    assert load_scenario(results.folder / "config.yaml") == load_scenario("a.yaml", ["run.months=5"])
    assert not [path for path in (folder / "results").iterdir() if path.name.startswith(".")]


def test_run_quietly_with_a_twin_and_changes(folder, firesale):
    code, out, err = firesale(
        *RUN, "-q", "--out", "here/there", "--set", "rental.rent=3", "--twin", "policy.backstop.price=0.5"
    )
    assert (code, out, err) == (0, f"{folder}/here/there\n", "")
    results = read_results("here/there")
    assert load_scenario("here/there/config.yaml").rental.rent == 3
    twin = load_scenario("here/there/twin/config.yaml")
    assert (twin.rental.rent, twin.policy.backstop.price) == (3, 0.5)
    assert results.twin.summary["losses"] == results.summary["losses"] * 0.5 / 0.85
    assert results.manifest["twin_hash"] != results.manifest["scenario_hash"]


def test_figures_and_report_are_written_before_the_folder_appears(folder, firesale, monkeypatch):
    calls = []
    for name in ("figures", "report"):
        module = types.ModuleType({"figures": "experiments.run.figures.all", "report": "experiments.run.report"}[name])

        def write(work, result, name=name):
            calls.append((name, work.name.startswith(".x."), (folder / "x").exists()))
            (work / name).write_text(name)

        setattr(module, f"write_{name}", write)
        monkeypatch.setitem(
            sys.modules, {"figures": "experiments.run.figures.all", "report": "experiments.run.report"}[name], module
        )
    assert firesale("run", "a.yaml", "--out", "x")[0] == 0
    assert calls == [("figures", True, False), ("report", True, False)]
    assert (folder / "x" / "report").read_text() == "report"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run",), "Missing argument"),
        (("run", "b.yaml"), "b.yaml: no such file"),
        (("run", "."), ".: is a folder, not a config file"),
        ((*RUN, "--set", "lenders.max_ltvv=1"), "--set: lenders.max_ltvv: unknown parameter; did you mean"),
        ((*RUN, "--twin", "lenders.max_ltvv=1"), "--twin: lenders.max_ltvv: unknown parameter; did you mean"),
        ((*RUN, "--months", "0"), "run.months: must be at least 1 (month), is 0"),
        ((*RUN, "--months", "x"), "--months"),
        ((*RUN, "--seed", "-1"), "--seed"),
        ((*RUN, "--seed", "1.5"), "--seed"),
        ((*RUN, "--out", "a.yaml"), "a.yaml: is a file; give another folder with --out"),
        ((*RUN, "--out", "."), "is not empty and not a results folder"),
        ((*RUN, "--out", "a.yaml/x"), "a.yaml/x: cannot be written ("),
        ((*RUN, "--out", "x" * 300), "cannot be written (File name too long)"),
        ((*RUN, "--set", "miners.file=no.csv"), "--set: miners.file: no such file"),
        (("bench", "a.yaml", "--runs", "0"), "--runs"),
        (("explain", "schedul"), "neither a config file nor one of schedule, parameters, tables"),
        (("explain", "no.yaml"), "no.yaml: no such file"),
        (("run", "nosuch"), "nosuch: no such file, and no config of that name comes with the program"),
        (("init", "a.yaml"), "a.yaml: cannot be written (File exists)"),
        (("nonsense",), "nonsense"),
    ],
)
def test_what_is_wrong_is_said_on_stderr_with_exit_code_2(folder, firesale, arguments, message):
    code, out, err = firesale(*arguments)
    assert code == 2 and out == ""
    assert message in " ".join(err.replace("│", "").split())
    assert "Traceback" not in err and "Error:" not in err
    assert [path.name for path in folder.iterdir()] == ["a.yaml"]


def test_an_unwritable_folder_is_refused_before_the_run(folder, firesale, monkeypatch):
    monkeypatch.setattr(sys.modules["simulation.runs"], "run", lambda *a, **k: pytest.fail("it ran"))
    (folder / "mine").mkdir()
    (folder / "mine" / "thesis.txt").touch()
    assert firesale(*RUN, "--out", "mine")[0] == 2
    assert (folder / "mine" / "thesis.txt").exists()


def test_a_violated_identity_has_its_own_exit_code(folder, firesale, monkeypatch):
    def run(*_, **__):
        raise InvariantError("month 3, clearing: cash of Neocloud 4 is -2 USD")

    monkeypatch.setattr(sys.modules["simulation.runs"], "run", run)
    assert firesale(*RUN, "-q") == (3, "", "month 3, clearing: cash of Neocloud 4 is -2 USD\n")


def test_a_bug_is_not_hidden(folder, monkeypatch):
    def run(*_, **__):
        raise ZeroDivisionError

    monkeypatch.setattr(sys.modules["simulation.runs"], "run", run)
    with pytest.raises(ZeroDivisionError):
        cli.main(list(RUN))


def test_an_interrupt_leaves_nothing_and_exits_with_130(folder, firesale, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("experiments.run.results._write_run", interrupted)
    code, _, err = firesale(*RUN)
    assert code == 130 and "Traceback" not in err
    assert list((folder / "results").iterdir()) == []


def test_ctrl_c_exits_with_130_without_a_traceback(folder):
    script = (
        "import sys, time, types; from experiments.command import cli\n"
        "engine = types.ModuleType('simulation.runs'); engine.InvariantError = ValueError\n"
        "def run(*_, **__): print('running', flush=True); time.sleep(30)\n"
        "engine.run = run; sys.modules['simulation.runs'] = engine\n"
        "cli.main(['run', 'a.yaml', '--no-report', '--no-figures'])\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(cli.Path(cli.__file__).parents[2])},
    )
    assert process.stdout.readline() == "running\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in err


def test_bench(folder, firesale):
    code, out, _ = firesale("bench", "a.yaml", "--runs", "3")
    assert code == 0
    assert "kernels" in out and "5.00" in out
    # 5 ms over 10 agents and 6 months.
    assert "83333 ns an agent and month" in out


# --- explain and the rest -----------------------------------------------------------------------------------------


def test_explain_a_config(folder, firesale):
    code, out, _ = firesale("explain", "a.yaml", "--set", "lenders.max_ltv=0.6", "--json")
    rows = {row["parameter"]: row for row in json.loads(out)}
    assert code == 0
    assert rows["run.months"] == {"parameter": "run.months", "value": "6", "unit": "month", "set by": "a.yaml:1"}
    assert rows["lenders.max_ltv"]["set by"] == "--set"
    assert rows["chips.H100.list_price"] | {"value": "31000", "set by": "a.yaml:3"} == rows["chips.H100.list_price"]
    assert rows["rental.rent"]["set by"] == "default"
    assert "lenders.max_ltv" in firesale("explain", "a.yaml")[1]


def test_explain_parameters(firesale):
    rows = json.loads(firesale("explain", "parameters", "--json")[1])
    by_name = {row["parameter"]: row for row in rows}
    assert by_name["drivers.coin.path"]["bounds"] == "regime | history | bootstrap"
    assert by_name["run.months"] == {
        "parameter": "run.months", "default": "60", "unit": "month", "bounds": ">= 1, <= 600", "meaning": "horizon",
        "source": "assumption",
    }  # fmt: skip
    assert by_name["chips[].list_price"]["default"] == "required"
    assert all(row["unit"] and row["meaning"] and row["source"] for row in rows)
    assert "drivers.coin.path" in firesale("explain", "parameters")[1]


def test_explain_tables_and_schema(firesale):
    tables = json.loads(firesale("explain", "tables", "--json")[1])
    assert {"chips", "loans", "lots", "lenders", "operators", "buyers", "panel", "flows"} <= tables.keys()
    for name, table in tables.items():
        assert all(column["unit"] and column["meaning"] for column in table["columns"]), name
    assert "default" in firesale("explain", "tables")[1]
    assert "properties" in json.loads(firesale("explain", "schema")[1])


def test_explain_schedule(firesale):
    rows = json.loads(firesale("explain", "schedule", "--json")[1])
    calls = next(row for row in rows if row["rule"] == "watch_covenants")
    assert (calls["phase"], calls["file"]) == ("cascade", "agents/lenders/calls.py")
    assert {"loans.covenant_ltv", "operators.cash"} <= set(calls["reads"])
    assert {"loans.status", "lots.offered", "operators.failing", "book"} <= set(calls["writes"])
    text = firesale("explain", "schedule")[1]
    assert text.index("watch_covenants") < text.index("call_lines") < text.index("order_chips")


def test_version_and_help(firesale):
    assert firesale("--version")[1].startswith("gpu-firesale 0.")
    code, out, _ = firesale("--help")
    assert code == 0 and all(name in out for name in ("run", "explain", "bench"))


@pytest.mark.parametrize("arguments", [("--help",), ("explain", "parameters")])
def test_quick_commands_load_no_engine(arguments):
    script = (
        "import sys; from experiments.command import cli\n"
        f"try: cli.main({list(arguments)})\n"
        "except SystemExit as stop: assert not stop.code\n"
        "print(*({'numba', 'pandas', 'pyarrow', 'matplotlib', 'mesa'} & set(sys.modules)), file=sys.stderr)"
    )
    root = cli.Path(cli.__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=root, check=True)
    assert done.stderr.strip() == ""


# --- results ------------------------------------------------------------------------------------------------------


@pytest.fixture
def result(folder):
    return _result(load_scenario("a.yaml"), 3)


def _write(result, path, **more):
    return write_results(result, path, command="firesale run", **more).folder


def test_results_survive_the_disk(result, folder):
    back = read_results(_write(result, "x"))
    for name in ("panel", "chip_panel", "kind_panel", "events", "trades", "flows"):
        pd.testing.assert_frame_equal(getattr(back, name), getattr(result, name))
    assert set(back.tables) == set(result.tables) - {"panel", "chip_panel", "kind_panel", "events", "trades"}
    pd.testing.assert_frame_equal(back.tables["operators"], result.tables["operators"])
    assert {"version", "python", "packages", "platform", "utc", "source_hash", "seconds"} <= back.manifest.keys()
    assert {"numpy", "numba", "mesa", "pandas", "pyarrow"} == back.manifest["packages"].keys()


def test_columns_carry_unit_and_meaning(result, folder):
    _write(result, "x")
    rent = pq.read_schema("x/panel.parquet").field("rent").metadata
    assert rent[b"unit"] == b"USD/perf-h" and rent[b"meaning"]
    assert b"operators to lenders" in pq.read_schema("x/flows.parquet").field("interest").metadata[b"meaning"]
    files = list((folder / "x" / "tables").glob("*.parquet"))
    assert len(files) > 8
    for file in files:
        schema = pq.read_schema(file)
        assert schema.metadata[b"meaning"] and all(field.metadata[b"unit"] for field in schema), file


def test_the_same_result_gives_the_same_bytes(result, folder):
    hashes = [read_results(_write(result, name)).manifest["files"] for name in ("x", "y")]
    assert hashes[0] == hashes[1] and "panel.parquet" in hashes[0] and "tables/loans.parquet" in hashes[0]


def test_an_earlier_results_folder_is_replaced_whole(result, folder):
    _write(result, "x", finish=lambda work: (work / "old.png").touch())
    _write(result, "x")
    assert read_results("x").twin is None and not (folder / "x" / "old.png").exists()
    assert sorted(path.name for path in folder.iterdir()) == ["a.yaml", "x"]


def test_a_failure_keeps_the_earlier_folder(result, folder):
    def fail(work):
        raise OSError("no space left")

    _write(result, "x")
    before = (folder / "x" / "manifest.json").read_bytes()
    with pytest.raises(OSError, match="no space left"):
        _write(result, "x", finish=fail)
    assert (folder / "x" / "manifest.json").read_bytes() == before
    assert sorted(path.name for path in folder.iterdir()) == ["a.yaml", "x"]


def test_what_is_no_results_folder_is_neither_read_nor_replaced(result, folder):
    (folder / "other").mkdir()
    (folder / "other" / "manifest.json").write_text('{"program": "something else"}')
    for call in (check_output, read_results):
        with pytest.raises(OutputError, match="results folder"):
            call("other")
    (folder / "empty").mkdir()
    assert _write(result, "empty") == folder / "empty"


def test_a_read_only_folder(folder, unprivileged):
    (folder / "locked").mkdir(mode=0o500)
    code = f"from experiments.run.results import check_output; check_output({str(folder / 'locked' / 'x')!r})"
    done = subprocess.run([*unprivileged, sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert f"OutputError: {folder}/locked/x: cannot be written (Permission denied)" in done.stderr


# --- the table ----------------------------------------------------------------------------------------------------


def _table(result, twin=None, width=120):
    text = io.StringIO()
    print_summary(result, twin, Console(file=text, width=width))
    return text.getvalue()


def test_the_table_shows_known_numbers_and_a_dash_for_the_rest(result):
    lines = {line[:42].strip(): line[42:].split() for line in _table(result).splitlines()}
    assert lines["Operators in default"] == ["9"]
    assert lines["Credit losses"] == ["$3.50bn"]
    assert lines["Recovery on defaulted claims"] == ["45", "%"]
    assert lines["Peak of new credit"] == ["Jan", "2026"]
    assert lines["Credit leads compute by"] == ["9", "months"]
    assert lines["Systemic cascade"] == ["yes"]
    assert lines["Losses over those without cascades"] == lines["Depth before"] == ["-"]


def test_the_table_with_a_twin(result, folder):
    twin = _result(set_path(result.scenario, {"policy.backstop.price": 0.425}), 3)
    twin.summary |= {"recovery": 0.5, "credit_peak": 12, "defaults": 4, "defaults_by_cause": {"dscr": 4}}
    text = _table(result, twin)
    lines = {line[:42].strip(): line[42:].split() for line in text.splitlines()}
    assert lines["Operators in default"] == ["9", "4", "-5"]
    assert lines["by cause: dscr"] == ["0", "4", "+4"]
    assert lines["Credit losses"] == ["$3.50bn", "$1.75bn", "-$1.75bn"]
    assert lines["Recovery on defaulted claims"] == ["45", "%", "50", "%", "+4.8", "pts"]
    assert lines["Peak of new credit"] == ["Jan", "2026", "Nov", "2025", "-2", "months"]
    assert "policy.backstop.price: 0.85 -> 0.425" in text


def test_changes_between_scenarios(result):
    other = set_path(result.scenario, {"chips.H100.power": 2, "lenders.max_ltv": 0.5})
    assert changes(result.scenario, other) == ["chips.H100.power: 1.3 -> 2", "lenders.max_ltv: None -> 0.5"]
    assert changes(other, other) == []


def test_numbers_for_people():
    assert [usd(x) for x in (0, 950, 21_500, 310e6, 4.12e9, 24.6e9, 999_999_999, 1.5e12, -3e6, -0.2)] == [
        "$0", "$950", "$21,500", "$310m", "$4.12bn", "$24.6bn", "$1.00bn", "$1.50tn", "-$3.0m", "$0",
    ]  # fmt: skip
    assert [usd_tick(x) for x in (0, 1e9, 1.2e9, 1.25e9, 3e6, 2e10, 110e6, 12_000, 1e5, -1e9)] == [
        "$0", "$1bn", "$1.2bn", "$1.25bn", "$3m", "$20bn", "$110m", "$12,000", "$100k", "-$1bn",
    ]  # fmt: skip
    assert [percent(x) for x in (0.37, 0.034, 0, -0.355, 1.2)] == ["37 %", "3.4 %", "0 %", "-36 %", "120 %"]
    assert [months(x) for x in (14, 1, -1, 0)] == ["14 months", "1 month", "-1 month", "0 months"]
    assert [price(x) for x in (2.274, -0.5)] == ["$2.27", "-$0.50"]
    assert [calendar("2024-11", x) for x in (0, 1, 2, 28)] == ["Nov 2024", "Dec 2024", "Jan 2025", "Mar 2027"]


# --- with the engine ----------------------------------------------------------------------------------------------


def test_every_measure_of_the_table_is_one_that_the_engine_gives():
    from simulation.record import summary

    given = {measure.name for measure in summary.SUMMARY}
    assert {row.name for _, rows in SECTIONS for row in rows} <= given


def test_the_engine_runs_from_the_command_line(tmp_path, monkeypatch, firesale):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.yaml").write_text(CONFIG)
    began = time.time()
    assert firesale(*RUN, "--months", "3")[0] == 0
    results = read_results("results/a-seed1")
    assert len(results.panel) == 3 and len(results.flows) == 3
    assert results.manifest["seconds"]["kernels"] < time.time() - began
