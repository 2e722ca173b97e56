"""Results: nobody's files are lost, folders can be moved, any reader takes them whole."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import threading
from pathlib import Path

import pandas as pd
import pyarrow.dataset as dataset
import pyarrow.parquet as pq
import pytest

import experiments
from experiments.documents.generated import write_block
from experiments.output import OutputError, whole
from experiments.run.folder import identity, put, temporary
from experiments.run.results import read_results, write_results
from experiments.sweeps.report import write_sweep_report
from experiments.sweeps.schema import runs_schema
from experiments.sweeps.store import Store, StoreError
from experiments.sweeps.stored import scenario_of, stored_study
from experiments.sweeps.study import read_study
from experiments.sweeps.sweep import sweep
from simulation.runs import run
from simulation.scenario.config import load_scenario
from simulation.scenario.faults import ConfigError
from tests.conftest import ROOT

SMALL = f"""extends: {ROOT}/configs/base.yaml
run: {{months: 4}}
neoclouds: {{count: 4}}
miners: {{count: 3}}
buyers: {{enterprise: {{count: 6}}}}
"""
BARE = ("--no-report", "--no-figures")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty working folder with a small config."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.yaml").write_text(SMALL)
    return tmp_path


@pytest.fixture
def result(folder):
    return run(load_scenario("a.yaml"), 1)


def everything(place: Path) -> dict[str, bytes]:
    return {str(f.relative_to(place)): f.read_bytes() for f in sorted(place.rglob("*")) if f.is_file()}


# --- nothing is lost ----------------------------------------------------------------------------------------------


def test_another_run_of_the_same_name_gets_a_number(folder, firesale):
    (folder / "other").mkdir()
    (folder / "other" / "a.yaml").write_text(SMALL.replace("months: 4", "months: 5"))
    assert firesale("run", "a.yaml", *BARE)[0] == 0
    before = everything(folder / "results" / "a-seed1")
    code, _, err = firesale("run", "other/a.yaml", *BARE)
    assert code == 0
    assert f"Results in {folder}/results/a-seed1-2; results/a-seed1 holds something else and was left alone" in err
    assert firesale("run", "a.yaml", *BARE, "--set", "lenders.max_ltv=0.6", "-q")[1] == f"{folder}/results/a-seed1-3\n"
    assert everything(folder / "results" / "a-seed1") == before
    assert [len(read_results(folder / "results" / f"a-seed1{k}").panel) for k in ("", "-2", "-3")] == [4, 5, 4]
    # The same runs again find their folders.
    assert "a-seed1; the same run was there and is written anew" in firesale("run", "a.yaml", *BARE)[2]
    assert "a-seed1-2;" in firesale("run", "other/a.yaml", *BARE)[2]
    assert len(list((folder / "results").iterdir())) == 3


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        (("--set", "lenders.max_ltv=0.6"), "scenario"),
        (("--seed", "2"), "seed"),
        (("--twin", "lenders.max_ltv=0.6"), "twin"),
    ],
)
def test_a_folder_that_is_named_is_not_replaced_by_another_run(folder, firesale, changed, what):
    assert firesale("run", "a.yaml", *BARE, "--out", "x")[0] == 0
    before = everything(folder / "x")
    code, out, err = firesale("run", "a.yaml", *BARE, "--out", "x", *changed)
    assert (code, out) == (2, "")
    assert f"x: holds the results of another run (not the same: {what}); give another folder with --out" in err
    assert everything(folder / "x") == before


def test_results_of_other_sources_are_another_run(folder, firesale):
    assert firesale("run", "a.yaml", *BARE, "--out", "x")[0] == 0
    manifest = json.loads((folder / "x" / "manifest.json").read_text())
    (folder / "x" / "manifest.json").write_text(json.dumps(manifest | {"source_hash": "0" * 16}))
    assert "not the same: version of the engine" in firesale("run", "a.yaml", *BARE, "--out", "x")[2]


def test_notes_stay_and_what_was_edited_is_not_replaced(folder, firesale):
    assert firesale("run", "a.yaml", *BARE, "--out", "x")[0] == 0
    (folder / "x" / "notes.txt").write_text("mine")
    (folder / "x" / "tables" / "mine.csv").write_text("1")
    assert firesale("run", "a.yaml", "--no-figures", "--out", "x")[0] == 0
    assert (folder / "x" / "notes.txt").read_text() == "mine" and (folder / "x" / "tables" / "mine.csv").exists()
    assert (folder / "x" / "report.html").exists()
    # What a run with fewer parts does not write any more goes, notes do not.
    assert firesale("run", "a.yaml", *BARE, "--out", "x")[0] == 0
    assert not (folder / "x" / "report.html").exists() and (folder / "x" / "notes.txt").exists()
    (folder / "x" / "report.html").write_text("mine")
    code, _, err = firesale("run", "a.yaml", "--no-figures", "--out", "x")
    assert code == 2 and "report.html there was changed or added since" in err
    assert (folder / "x" / "report.html").read_text() == "mine"
    (folder / "x" / "summary.json").write_text("{}")
    code, _, err = firesale("run", "a.yaml", *BARE, "--out", "x")
    assert code == 2 and "summary.json there was changed or added since" in err
    assert (folder / "x" / "summary.json").read_text() == "{}"


def test_a_link_stays_one(folder, firesale):
    (folder / "disk").mkdir()
    (folder / "x").symlink_to(folder / "disk", target_is_directory=True)
    (folder / "new").symlink_to(folder / "nowhere" / "yet")
    for _ in range(2):
        for name in ("x", "new"):
            assert firesale("run", "a.yaml", *BARE, "--out", name)[0] == 0
            assert (folder / name).is_symlink() and len(read_results(folder / name).panel) == 4
    assert len(read_results(folder / "disk").panel) == 4 and (folder / "nowhere" / "yet" / "manifest.json").exists()


def test_the_working_folder_stays(folder, firesale, monkeypatch):
    (folder / "w").mkdir()
    monkeypatch.chdir(folder / "w")
    here = os.stat(".").st_ino
    for _ in range(2):
        assert firesale("run", "../a.yaml", *BARE, "--out", ".")[0] == 0
        assert os.stat(".").st_ino == here == os.stat(folder / "w").st_ino
        assert Path("manifest.json").exists() and not [p for p in Path().iterdir() if p.name.startswith(".")]


def test_two_at_once_never_end_in_one_folder(folder, result):
    other = run(load_scenario("a.yaml", ["run.months=5"]), 1)
    barrier, places = threading.Barrier(2, timeout=60), {}

    def write(one):
        places[len(one.panel)] = write_results(
            one, "x", command="", numbered=True, finish=lambda work: barrier.wait()
        ).folder

    threads = [threading.Thread(target=write, args=(one,)) for one in (result, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(place.name for place in places.values()) == ["x", "x-2"]
    for months, place in places.items():
        assert len(read_results(place).panel) == months
    assert sorted(path.name for path in folder.iterdir()) == ["a.yaml", "x", "x-2"]


def test_who_comes_second_to_a_named_folder_is_refused(folder, result):
    work = temporary(folder / "x")
    (work / "manifest.json").write_text("{}")
    (folder / "x").mkdir()
    (folder / "x" / "thesis.txt").write_text("mine")
    with pytest.raises(OutputError, match="is not empty and not a results folder"):
        put(work, folder / "x", identity(result.scenario, 1), numbered=False)
    assert os.listdir(folder / "x") == ["thesis.txt"]


def test_what_was_stepped_through_on_the_page_never_replaces_a_run(folder, result, firesale):
    from experiments.command.cli import _export

    assert firesale("run", "a.yaml", *BARE)[0] == 0
    assert [_export(result, "a-seed1").name for _ in range(2)] == ["a-seed1-2", "a-seed1-3"]
    assert "a-seed1; the same" in firesale("run", "a.yaml", *BARE)[2]


def test_a_disk_that_refuses_is_named_and_nothing_is_left(folder, firesale, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("experiments.run.results.pq.write_table", full)
    code, out, err = firesale("run", "a.yaml", *BARE, "--out", "x")
    assert (code, out) == (2, "")
    assert f"{folder}/x: cannot be written (No space left on device); nothing was left there" in err
    assert os.listdir(folder) == ["a.yaml"]


@pytest.mark.skipif(
    os.geteuid() != 0 or not Path("/proc/mounts").exists(), reason="FULL DISK NOT TESTED: needs a tmpfs of its own"
)
def test_a_full_disk(folder, firesale):
    (folder / "small").mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32k", "tmpfs", "small"], capture_output=True).returncode:
        pytest.skip("FULL DISK NOT TESTED: mount is refused here")
    try:
        for place in ("small", "small/x"):  # the root of a disk cannot be renamed
            code, _, err = firesale("run", "a.yaml", *BARE, "--out", place)
            assert code == 2 and f"{folder}/{place}: cannot be written (" in err and "o space left" in err
            assert os.listdir(folder / "small") == []
        subprocess.run(["mount", "-o", "remount,size=50m", "small"], check=True)
        assert firesale("run", "a.yaml", *BARE, "--out", "small")[0] == 0
    finally:
        subprocess.run(["umount", "-l", str(folder / "small")], check=True)


# --- what other commands write ------------------------------------------------------------------------------------


def test_a_report_of_a_sweep_replaces_its_own_files_only(folder):
    (folder / "s.yaml").write_text(SMALL + "sweep: {parameters: {lenders.max_ltv: [0.5, 0.6]}}\nreplications: 2\n")
    sweep(read_study("s.yaml"), "out", workers=1)
    write_sweep_report("out")
    first = everything(folder / "out")
    (folder / "out" / "figures" / "mine.png").write_text("mine")
    (folder / "out" / ".notes.markdown").write_text("mine")
    write_sweep_report("out")
    sweep(read_study("s.yaml"), "out", workers=1)
    assert everything(folder / "out") == first | {"figures/mine.png": b"mine", ".notes.markdown": b"mine"}
    (folder / "out" / "points.csv").write_text("mine")
    before = everything(folder / "out")
    with pytest.raises(StoreError, match="points.csv: was changed since it was written, or is not the program's"):
        write_sweep_report("out")
    assert everything(folder / "out") == before
    (folder / "out" / "points.csv").unlink()
    # A figure that is made no more goes.
    store = Store("out")
    store.remake({"a.txt": b"a", "figures/9.png": b"9"} | {n: first[n] for n in ("report.html", "points.csv")})
    store.remake({"a.txt": b"b"})
    assert (folder / "out" / "a.txt").read_bytes() == b"b"
    assert not (folder / "out" / "figures" / "9.png").exists() and (folder / "out" / "figures" / "mine.png").exists()


@pytest.mark.parametrize(
    ("arguments", "file", "content", "message"),
    [
        (("economics", "--seeds", "1-2", "--out", "n.md"), "n.csv", "my,own\n1,2\n", "n.csv: is there and is not a table of measures"),
        (("economics", "--seeds", "1-2", "--out", "n.csv"), "n.csv", "my,own\n", "n.csv: is no Markdown file"),
        (("economics", "--seeds", "1-2", "--out", "n.md"), "images/economics_market.svg", "<svg>mine</svg>", "is not a figure that this command drew"),
        (("economics", "--isolation", "--out", "n.md"), "n.md", "<!-- generated: isolation -->\nmine", "whose generated blocks all end"),
        (("validate", "--write", "n.txt"), "n.txt", "mine", "n.txt: is no Markdown file; give a name that ends in .md with --write"),
        (("validate", "--facts", "--write", "n.md"), "images/stylised_facts.png", "mine", "is not a figure that this command drew"),
        (("validate", "--hindcast", "--write", "n.md"), "images/hindcast.png", "mine", "is not a figure that this command drew"),
        (("claims", "--out", "."), "claims.md", "# My own claims\n", "claims.md: is there and is not a document of the claims"),
        (("claims", "--out", "."), "images/claim_x.svg", "mine", "is not a figure that this command drew"),
        (("calibrate", "a.yaml", "--signs", "--write", "n.md"), "images/calibration_forecast.png", "mine", "is not a figure that this command drew"),
    ],
)  # fmt: skip
def test_a_command_replaces_files_of_its_own_kind_only(folder, firesale, arguments, file, content, message):
    (folder / file).parent.mkdir(exist_ok=True)
    (folder / file).write_text(content)
    code, out, err = firesale(*arguments)
    assert code == 2 and out == "" and message in err
    assert (folder / file).read_text() == content
    assert sorted(everything(folder)) == sorted(["a.yaml", file])


def test_a_block_leaves_the_rest_of_a_document_alone(folder):
    file = folder / "d.md"
    file.write_text("# Mine\n\n<!-- generated: x -->\nold\n<!-- end -->\n\nafter\n")
    (folder / "link.md").symlink_to(file)
    write_block(folder / "link.md", "x", "new", "firesale x")
    assert (folder / "link.md").is_symlink()
    text = file.read_text()
    assert (
        text.startswith("# Mine\n") and text.endswith("<!-- end -->\n\nafter\n") and "new" in text and "old" not in text
    )
    file.write_text("<!-- generated: x -->\nhalf")
    with pytest.raises(ConfigError, match="has no line <!-- end -->"):
        write_block(file, "x", "new", "firesale x")
    assert file.read_text() == "<!-- generated: x -->\nhalf"


def test_a_file_is_whole_or_as_it_was(folder):
    file = folder / "f.txt"
    file.write_text("before")
    with pytest.raises(OutputError, match="f.txt: cannot be written"), whole(file) as draft:
        draft.write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert file.read_text() == "before" and sorted(os.listdir(folder)) == ["a.yaml", "f.txt"]


# --- results travel -----------------------------------------------------------------------------------------------

OWN = """miners: {file: own/miners.csv}
lenders: {file: "own/my lenders.csv"}
"""


def _own_files(folder: Path) -> None:
    (folder / "own").mkdir()
    (folder / "own" / "miners.csv").write_text("btc,cash,site_power\n1000,5e6,20000\n2500,1e7,50000\n")
    (folder / "own" / "more.csv").write_text("btc,cash,site_power\n4000,5e6,20000\n")
    (folder / "own" / "my lenders.csv").write_text("kind,equity,life\nbank,1e9,60\nbdc,2e9,90\n")
    (folder / "own.yaml").write_text(SMALL.replace("miners: {count: 3}\n", "") + OWN)


def _frames(place: Path) -> dict[str, str]:
    hashes = json.loads((place / "manifest.json").read_text())["files"]
    return {name: digest for name, digest in hashes.items() if name.endswith(".parquet")}


def test_a_run_is_repeated_elsewhere_without_its_sources(folder, firesale, tmp_path_factory, monkeypatch):
    _own_files(folder)
    twin = ("--twin", "miners.file=own/more.csv")
    assert firesale("run", "own.yaml", *BARE, "--out", "x", *twin)[0] == 0
    kept = sorted(path.name for path in (folder / "x" / "inputs").iterdir())
    assert [name.rpartition("-")[0] for name in kept] == ["miners", "more", "my_lenders"]
    for config in ("config.yaml", "twin/config.yaml"):
        text = (folder / "x" / config).read_text()
        assert str(folder) not in text and str(ROOT) not in text
        assert "series: shipped:data/series_btc_usd_monthly.csv" in text
    manifest = json.loads((folder / "x" / "manifest.json").read_text())
    assert manifest["inputs"]["drivers.coin.series"]["file"] == "shipped:data/series_btc_usd_monthly.csv"
    assert not [f for f in manifest["inputs"].values() if os.path.isabs(f["file"])]
    far = tmp_path_factory.mktemp("far")
    shutil.move(folder / "x", far / "moved")
    shutil.rmtree(folder / "own")
    monkeypatch.chdir(far)
    assert firesale("run", "moved/config.yaml", *BARE, "--out", "again")[0] == 0
    assert firesale("run", "moved/twin/config.yaml", *BARE, "--out", "twin")[0] == 0
    frames = _frames(far / "moved")
    again = {n: d for n, d in _frames(far / "again").items()}
    assert again == {n: d for n, d in frames.items() if not n.startswith("twin/")} and again
    assert {f"twin/{n}": d for n, d in _frames(far / "twin").items()}.items() <= frames.items()
    for key in ("scenario_hash", "seed", "inputs"):
        assert json.loads((far / "again" / "manifest.json").read_text())[key] == manifest[key]


def test_a_file_that_is_changed_while_it_runs_is_noticed(folder, firesale, monkeypatch):
    _own_files(folder)

    def meanwhile(scenario, *given, **more):
        (folder / "own" / "miners.csv").write_text("btc,cash,site_power\n1,5e6,20000\n")
        return run(scenario, *given, **more)

    monkeypatch.setattr("experiments.command.cli.load_engine", lambda console: meanwhile)
    code, _, err = firesale("run", "own.yaml", *BARE, "--out", "x")
    assert code == 2 and "a file that the scenario reads was changed while it ran" in err
    assert not (folder / "x").exists()


def test_a_sweep_is_reported_rerun_and_finished_elsewhere(folder, firesale, tmp_path_factory, monkeypatch):
    _own_files(folder)
    study = "sweep: {parameters: {miners.file: [own/miners.csv, own/more.csv], lenders.max_ltv: [0.5, 0.7]}}\nreplications: 2\ntwin: {lenders.file: own/twin.csv}\n"
    (folder / "own" / "twin.csv").write_text("kind,equity,life\nbank,4e9,60\n")
    (folder / "s.yaml").write_text((folder / "own.yaml").read_text() + study)
    assert firesale("sweep", "s.yaml", "--out", "x", "--no-report")[0] == 0
    before = experiments.load("x").runs
    assert str(folder) not in (folder / "x" / "study.yaml").read_text()
    assert before["miners.file"].nunique() == 2 and before["miners.file"].str.startswith("inputs/m").all()
    whole_run = run(*scenario_of("x", 5)[:1], *scenario_of("x", 5)[2:])
    far = tmp_path_factory.mktemp("far")
    shutil.move(folder / "x", far / "moved")
    shutil.rmtree(folder / "own")
    (folder / "s.yaml").unlink()
    monkeypatch.chdir(far)
    assert firesale("report", "moved")[0] == 0
    code, out, _ = firesale("rerun", "moved", "5")
    assert code == 0
    back = read_results(out.strip())
    row = before.query("run == 5").iloc[0]
    assert back.summary["losses"] == row["losses"] == whole_run.summary["losses"]
    assert back.twin.summary["debt_peak"] == row["twin_debt_peak"] != back.summary["debt_peak"]
    # A shard that is lost is made again from what is kept, by the same bytes.
    shard = sorted((far / "moved" / "runs").glob("*.parquet"))[0]
    data = shard.read_bytes()
    shard.unlink()
    assert firesale("sweep", "moved/study.yaml", "--out", "moved", "--no-report")[0] == 0
    assert shard.read_bytes() == data


def test_the_hash_of_a_scenario_is_the_same_on_every_machine(folder):
    from simulation.scenario.config import scenario_hash, set_path

    (folder / "s.csv").write_text("nothing that anybody reads")
    regime = load_scenario("a.yaml", ["drivers.coin.path=regime"])
    assert scenario_hash(regime) == scenario_hash(set_path(regime, {"drivers.coin.series": str(folder / "s.csv")}))


def test_a_sweep_runs_on_what_it_keeps(folder):
    _own_files(folder)
    (folder / "s.yaml").write_text((folder / "own.yaml").read_text() + "replications: 8\n")

    def meanwhile(progress):
        (folder / "own" / "miners.csv").write_text("btc,cash,site_power\n1,1,1\n")

    sweep(read_study("s.yaml"), "x", workers=1, tell=meanwhile)
    _own_files_again = (folder / "own" / "miners.csv").read_text()
    assert _own_files_again.startswith("btc,cash,site_power\n1,1,1")
    stored = stored_study("x")
    assert stored.scenario.miners.file.startswith(str(folder / "x" / "inputs" / "miners-"))
    runs = experiments.load("x").runs
    assert runs["losses"].iloc[7] == run(stored.scenario, *stored.draw(7)[1:]).summary["losses"]


# --- any reader ---------------------------------------------------------------------------------------------------

#: Points where a parameter is whole at one and broken at another, or not named, or a run fails.
MIXED = """sweep:
  design: list
  points:
    - {}
    - {policy.pacing: 1}
    - {policy.pacing: 0.25, lenders.bank.patience: [0.1, 0.2]}
    - {market.venue: exchange, credit.maturity: 24}
replications: 4
"""


def test_shards_share_one_schema(folder, monkeypatch):
    (folder / "s.yaml").write_text(SMALL + MIXED)
    made = read_study("s.yaml")
    monkeypatch.setattr("experiments.sweeps.sweep.measure", lambda study: 3.0)  # a run a shard
    from experiments.sweeps import sweep as module

    real = module.measures

    def some_fail(world):
        some_fail.calls += 1
        if some_fail.calls % 3 == 0:
            raise ValueError("broken on purpose")
        return real(world)

    some_fail.calls = 0
    monkeypatch.setattr(module, "measures", some_fail)
    progress = sweep(made, "x", workers=1)
    assert progress.failed == 5
    files = sorted(Path("x", "runs").glob("*.parquet"))
    assert len(files) == 16
    assert all(pq.read_schema(file).equals(runs_schema(made)) for file in files)
    frame = pd.read_parquet("x/runs")
    assert list(frame.columns) == runs_schema(made).names and len(frame) == 16
    assert frame["policy.pacing"].dtype == float and frame["credit.maturity"].dropna().tolist() == [24.0] * 4
    causes = [
        name for name in frame if name.startswith("defaults_") and name not in ("defaults_neocloud", "defaults_miner")
    ]
    done = frame[frame["status"] == "done"]
    assert len(causes) > 8 and (done[causes].sum(axis=1) == done["defaults"]).all()
    assert frame["losses"].notna().sum() == 11 and frame["message"].str.contains("broken on purpose").sum() == 5
    table = dataset.dataset("x/runs").to_table()
    assert table.num_rows == 16 and table.schema.equals(runs_schema(made))
    own = experiments.load("x").runs
    pd.testing.assert_series_equal(own["losses"], frame.sort_values("run")["losses"].reset_index(drop=True))


@pytest.mark.parametrize("reader", ["polars", "duckdb"])
def test_other_readers(folder, reader):
    """Not dependencies: where they are installed they take all shards at once."""
    library = pytest.importorskip(reader, reason=f"{reader.upper()} NOT TESTED: it is not installed")
    (folder / "s.yaml").write_text(SMALL + MIXED)
    sweep(read_study("s.yaml"), "x", workers=1)
    if reader == "polars":
        assert len(library.read_parquet("x/runs/*.parquet")) == 16
    else:
        assert library.sql("select count(*) from 'x/runs/*.parquet'").fetchone()[0] == 16


def test_the_schema_has_every_column_of_a_row(folder):
    from experiments.sweeps.sweep import run_one

    (folder / "s.yaml").write_text(SMALL + MIXED + "twin: {lenders.max_ltv: 0.6}\n")
    made = read_study("s.yaml")
    names = runs_schema(made).names
    rows = [run_one(made, number)[0] for number in (0, 4, 8, 12)]
    assert set().union(*rows) == set(names)
    whole_numbers = {f.name for f in runs_schema(made) if f.type == "int64"}
    for row in rows:
        for name in whole_numbers & row.keys():
            assert row[name] is None or float(row[name]).is_integer() or row[name] != row[name], name


# --- long lists ---------------------------------------------------------------------------------------------------


def test_ten_thousand_points_from_a_csv_file(folder):
    lines = [
        f"{0.5 + k * 4e-5:.6f},{18 + k % 40},{'exchange' if k % 2 else ''},{'true' if k % 3 else 'false'}"
        for k in range(10_000)
    ]
    head = "lenders.max_ltv,credit.maturity,market.venue,credit.forbearance"
    (folder / "points.csv").write_text("\n".join([head, *lines, "", ""]))
    (folder / "s.yaml").write_text(SMALL + "sweep: {design: list, points: points.csv}\n")
    made = read_study("s.yaml")
    assert len(made.points) == 10_000
    assert made.points[0] == {"lenders.max_ltv": 0.5, "credit.maturity": 18, "credit.forbearance": False}
    assert made.points[7] == {"lenders.max_ltv": 0.50028, "credit.maturity": 25, "market.venue": "exchange", "credit.forbearance": True}  # fmt: skip
    from experiments.sweeps.stored import manifest, study_files, study_text

    Store("x").open(manifest(made, 100, ""), study_text(made), study_files(made))
    assert len((folder / "x" / "study.yaml").read_bytes()) < 50_000
    back = stored_study("x")
    assert [dict(p) for p in back.points] == [dict(p) for p in made.points]
    assert scenario_of("x", 9_999)[0] == made.scenario_at(9_999)


def test_a_long_list_in_yaml(folder):
    rows = "".join(f"    - {{a.b: {k}, c: 1, d: 2, e: 3, f: 4}}\n" for k in range(9_000))
    (folder / "s.yaml").write_text(SMALL + "sweep:\n  design: list\n  points:\n" + rows)
    with pytest.raises(ConfigError) as caught:
        read_study("s.yaml")
    # 54,000 values are read; what is wrong is their names.
    assert "nested too deeply" not in str(caught.value) and len(caught.value.faults) == 45_000


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lenders.max_ltvv\n0.5\n", "points.csv:1:1: sweep.points: no such parameter; did you mean 'lenders.max_ltv'"),
        ("lenders.max_ltv,credit.maturity\n0.5,many\n", "points.csv:2:2: credit.maturity: must be a number, is 'many'"),
        ("lenders.max_ltv,credit.maturity\n\n0.5\n", "points.csv:3:1: sweep.points: has 1 cells, the header 2"),
        ("lenders.max_ltv,lenders.max_ltv\n0.5,1\n", "points.csv:1:2: sweep.points: the column 'lenders.max_ltv' is given twice"),
        ("lenders.max_ltv,policy.pacing\n0.5,0.000\n0.5,0.1\n", "points.csv:2:2: policy.pacing: must be above 0, is '0.000'"),
        ("market.venue\nbourse\n", "points.csv:2:1: market.venue: is not a value that the parameter can have, is 'bourse'"),
        ("credit.maturity\n24.5\n", "points.csv:2:1: credit.maturity: is not a value that the parameter can have, is '24.5'"),
        ("credit.forbearance\nmaybe\n", "points.csv:2:1: credit.forbearance: must be true or false, is 'maybe'"),
        ("lenders.bank.patience\n0.5\n", "points.csv:2:1: lenders.bank.patience: is a list: give the points of a list as YAML"),
        ("lenders.max_ltv\n", "points.csv:1:1: sweep.points: has no points"),
        (None, "points.csv: sweep.points: cannot be read: No such file or directory"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_points_from_a_file(folder, text, message):
    if text is not None:
        (folder / "points.csv").write_text(text)
    (folder / "s.yaml").write_text(SMALL + "sweep: {design: list, points: points.csv}\n")
    with pytest.raises(ConfigError) as caught:
        read_study("s.yaml")
    assert message in str(caught.value)


@pytest.mark.parametrize("mark", [";", "\t"])
def test_points_of_other_separators(folder, mark):
    (folder / "points.csv").write_text(
        "\ufeff" + mark.join(['"lenders.max_ltv"', "market.venue"]) + "\n" + mark.join(["0.5", '"exchange"']) + "\n"
    )
    (folder / "s.yaml").write_text(SMALL + "sweep: {design: list, points: points.csv}\n")
    assert read_study("s.yaml").points == ({"lenders.max_ltv": 0.5, "market.venue": "exchange"},)


def test_a_report_of_many_points(folder):
    lines = [f"{0.5 + k * 4e-3:.4f},{'exchange' if k % 2 else 'network'}" for k in range(80)]
    (folder / "points.csv").write_text("\n".join(["lenders.max_ltv,market.venue", *lines]))
    (folder / "s.yaml").write_text(SMALL + "sweep: {design: list, points: points.csv}\n")
    sweep(read_study("s.yaml"), "x", workers=2)
    page = Path(write_sweep_report("x")).read_text()
    assert "By parameter: credit losses" in page and "Tails" in page and "The first 60 of 80 points" in page
