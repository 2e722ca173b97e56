"""Sweeps: designs, the store that survives anything, the same bytes from every executor, reading back."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import experiments
from experiments.statistics import bootstrap, bootstrap_columns
from experiments.sweeps.designs import design_points, design_size
from experiments.sweeps.figures import figures
from experiments.sweeps.frame import Frame, outcomes
from experiments.sweeps.pool import ExecutorError
from experiments.sweeps.report import write_sweep_report
from experiments.sweeps.sensitivity import indices
from experiments.sweeps.store import Store, StoreError
from experiments.sweeps.stored import manifest, scenario_of, stored_study, study_text
from experiments.sweeps.study import read_study
from experiments.sweeps.sweep import (
    measures,
    run_one,
    run_together,
    sweep,
    there,
)
from simulation.runs import run
from simulation.scenario.faults import ConfigError
from tests.conftest import ROOT, STUDIES

SMALL = f"""extends: {ROOT}/configs/base.yaml
run: {{months: 14}}
drivers: {{regimes: {{first_month: 2, entry: 0.4}}, demand: {{stress_drift: -0.15}}}}
neoclouds: {{count: 10}}
miners: {{count: 4}}
"""
GRID = """sweep:
  design: grid
  parameters: {lenders.max_ltv: {from: 0.5, to: 0.9, n: 3}, market.venue: [network, exchange]}
replications: 6
record: {panel: [price_h100, depth_h100, booked_ltv], events: true}
"""


COMMAND = "from experiments.command.cli import main; main()"


def study(tmp_path, text=GRID, base=SMALL):
    file = tmp_path / "study.yaml"
    file.write_text(base + text)
    return read_study(file)


def bytes_of(folder) -> dict[str, str]:
    """Return a hash of every shard but those of times."""
    return {
        f"{part}/{file.name}": hashlib.sha256(file.read_bytes()).hexdigest()
        for part in ("runs", "panel", "events")
        for file in sorted((Path(folder) / part).glob("*.parquet"))
    }


# --- designs ------------------------------------------------------------------------------------------------------


def test_a_grid_is_the_product_of_its_axes(tmp_path):
    made = study(tmp_path)
    assert len(made.points) == 6 and made.runs == 36
    assert made.points[1] == {"lenders.max_ltv": 0.5, "market.venue": "exchange"}
    assert [made.draw(r) for r in (0, 5, 6, 35)] == [(0, 1, 0), (0, 1, 5), (1, 1, 0), (5, 1, 5)]


def test_independent_points_share_no_draws(tmp_path):
    made = study(tmp_path, GRID + "seeds: independent\n")
    assert len({made.draw(r)[1:] for r in range(made.runs)}) == made.runs


@pytest.mark.parametrize(("design", "points"), [("lhs", 16), ("sobol", 16), ("saltelli", 16 * 4), ("morris", 16 * 3)])
def test_sampled_designs_stay_in_their_ranges(tmp_path, design, points):
    text = f"sweep: {{design: {design}, samples: 16, parameters: {{lenders.max_ltv: {{from: 0.5, to: 0.9}}, buyers.budget_scale: {{from: 0.1, to: 10, scale: log}}}}}}\n"
    made = study(tmp_path, text)
    assert len(made.points) == points
    ltv = np.array([p["lenders.max_ltv"] for p in made.points])
    budget = np.array([p["buyers.budget_scale"] for p in made.points])
    assert ltv.min() >= 0.5 and ltv.max() <= 0.9 and budget.min() >= 0.1 - 1e-9 and budget.max() <= 10 + 1e-9
    assert np.log(budget).mean() == pytest.approx(0.0, abs=0.6)
    assert made.points == design_points(made.plan.sweep, made.axes) and len(made.points) == design_size(
        made.plan.sweep, made.axes
    )


def test_saltelli_finds_the_parameter_that_matters(tmp_path):
    text = "sweep: {design: saltelli, samples: 64, parameters: {lenders.max_ltv: {from: 0.5, to: 0.9}, buyers.budget_scale: {from: 1, to: 2}}}\n"
    made = study(tmp_path, text)

    class Known:
        """An outcome that depends on the first parameter alone: its total index is one, the other's nothing."""

        def outcome(self, measure):
            return np.array([(p["lenders.max_ltv"] - 0.5) ** 2 for p in made.points])

    table = indices(Known(), made, "any").set_index("parameter")
    assert table.loc["lenders.max_ltv", "ST"] == pytest.approx(1.0, abs=0.15)
    assert table.loc["buyers.budget_scale", "ST"] == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sweep: {parameters: {lenders.max_lvt: [0.5]}}", r"study.yaml:6:22: sweep.parameters.lenders.max_lvt: no such parameter; did you mean 'lenders.max_ltv'"),
        ("sweep: {parameters: {lenders.life: {from: 9, to: 6, n: 3}}}", "the range is empty"),
        ("sweep: {parameters: {lenders.life: {from: 0, to: 60, n: 3, scale: log}}}", "above zero"),
        ("sweep: {parameters: {lenders.max_ltv: {from: 0.5, to: 0.9}}}", "a grid needs 'n'"),
        ("sweep: {parameters: {lenders.max_ltv: []}}", "has no values"),
        ("sweep: {parameters: {lenders.max_ltv: [0.5, 7]}}", "7 must be at most 1.5"),
        ("sweep: {parameters: {market.venue: [netwrk]}}", "did you mean 'network'"),
        ("sweep: {design: gird}", "sweep.design: must be one of grid, list, lhs, sobol, saltelli, morris; is 'gird'; did you mean 'grid'"),
        ("sweep: {design: sobol, samples: 10, parameters: {lenders.max_ltv: {from: 0.5, to: 0.9}}}", "power of two"),
        ("sweep: {design: list}", "needs 'points'"),
        ("sweep: {design: list, points: [{lenders.max_ltv: 0.5}, {no.such: 1}]}", "no such parameter"),
        ("sweep: {parameters: {notes.margin_ltv: [0.5, 0.8]}}", "impossible combination"),
        ("replications: 0", "replications: must be at least 1, is 0"),
        ("replications: many", "replications: must be a whole number, is 'many'"),
        ("sweep: [1]", r"study.yaml:6:1: sweep: must be a section with 'name: value' lines, is \[1\]"),
        ("replicatons: 5", "replications|unknown"),
        ("stop: {when: {measure: lenders_faild, at_least: 5}}", "no such measure"),
        ("stop: {when: {measure: lenders_failed}}", "either 'at_least' or 'at_most'"),
        ("record: {panel: [pric]}", "no such column: 'pric'"),
        ("twin: {policy.backstop.capacty: 1}", "twin.policy.backstop.capacty: no such parameter"),
        ("seeds: random", "seeds"),
        ("sweep: {parameters: {lenders.life: {from: 9, to: 60, n: 1000000000}}}", "from 2 to 1,000,000, is 1000000000"),
        ("sweep: {parameters: {lenders.max_ltv: {from: 0.5, to: 0.9, n: 3000}, buyers.budget_scale: {from: 1, to: 2, n: 3000}}}", "9,000,000 points times 1 replications are too many"),
        ("sweep: {design: saltelli, samples: 524288, parameters: {lenders.max_ltv: {from: 0.5, to: 0.9}}}", "1,572,864 points"),
        ("report: {outcomes: [loses]}", r"study.yaml:6:10: report.outcomes: no such measure: 'loses'; did you mean 'losses'"),
        ("report: {outcomes: []}", "names no measure"),
        ("sweep: {design: list, points: [{}]}\nreport: {labels: [a, b]}", "one name for each of the 1 points"),
        ("sweep: {parameters: {market.venue: [network, exchange]}}\nreport: {against: {market.venue: bourse}}", "one of the listed values"),
    ],
)  # fmt: skip
def test_faults_are_found_before_anything_runs(tmp_path, text, message):
    with pytest.raises(ConfigError, match=message) as fault:
        study(tmp_path, text + "\n")
    assert "study.yaml:" in str(fault.value)


@pytest.mark.parametrize("text", ["sweep: 5", "sweep: [1]", "sweep: {parameters: x}", "sweep: yes"])
def test_nothing_is_set_in_what_is_no_section(tmp_path, text):
    (tmp_path / "study.yaml").write_text(SMALL + text + "\n")
    with pytest.raises(
        ConfigError, match="--set: sweep.parameters.lenders.life: '(sweep|parameters)' is not a section"
    ):
        read_study(tmp_path / "study.yaml", ["sweep.parameters.lenders.life=[60]"])


def test_spoilt_configs_give_messages(tmp_path):
    rng = random.Random(7)
    file = tmp_path / "spoilt.yaml"
    sound = SMALL + GRID
    refused = 0
    for _ in range(300):
        text = list(sound)
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(SMALL.splitlines()[0]) + 1, len(text))
            what = rng.random()
            if what < 0.35:
                text[at] = rng.choice("{}[]:,-0 \n'\"#&*!%@x9")
            elif what < 0.7:
                del text[at : at + rng.randint(1, 8)]
            else:
                text[at:at] = list(
                    rng.choice(["null", "1e999", "[", "{a: ", "\t", "yes", "-5", "\x00", "é", ": :", ".nan"])
                )
        file.write_text("".join(text), encoding="utf-8")
        try:
            read_study(file)
        except ConfigError as error:
            refused += 1
            assert error.faults and all(fault.message for fault in error.faults)
    assert refused > 150


# --- runs ---------------------------------------------------------------------------------------------------------


def test_a_row_is_what_the_run_gives(tmp_path):
    made = study(tmp_path)
    row, panels, events = run_one(made, 8)
    alone = run(made.scenario_at(1), 1, 2, amplification=False)
    assert {k: row[k] for k in ("losses", "defaults", "cascade_max", "rent_end")} == {
        k: alone.summary[k] for k in ("losses", "defaults", "cascade_max", "rent_end")
    }
    assert np.array_equal(panels[0]["booked_ltv"], alone.panel["booked_ltv"])
    assert np.array_equal(panels[0]["price_h100"], alone.chip_panel.query("chip == 'H100'")["price"])
    assert len(events[0][1]) == len(alone.events)


def test_a_run_stops_at_its_threshold(tmp_path):
    made = study(
        tmp_path, "stop: {months: 12, when: {measure: rent, at_most: 2.0}}\nreplications: 12\nrecord: {panel: [rent]}\n"
    )
    rents = [run_one(made, r)[1][0]["rent"] for r in range(12)]
    months = [len(rent) for rent in rents]
    assert max(months) <= 12 and min(months) < 12
    first = rents[int(np.argmin(months))]
    assert first[-1] <= 2.0 < first[:-1].min()


def test_runs_that_go_together_are_what_each_is_alone(tmp_path):
    made = study(tmp_path)
    together = run_together(made, {}, range(4, 9))  # across two design points
    for done in together:
        row, panels, events = run_one(made, done.run)
        assert json.dumps(done.row) == json.dumps(row)
        assert all(done.panels[0][name].tobytes() == values.tobytes() for name, values in panels[0].items())
        assert done.events[0][1].tobytes() == events[0][1].tobytes()


def test_a_twin_is_paired(tmp_path):
    made = study(tmp_path, "twin: {policy.backstop.capacity: 1.0e10}\nreplications: 4\n")
    rows = [run_one(made, r)[0] for r in range(4)]
    other = run(made.scenario.model_copy(), 1, 2, amplification=False).summary["losses"]
    assert rows[2]["losses"] == other
    assert any(row["losses"] != row["twin_losses"] for row in rows)


def test_a_failing_run_is_a_row_with_its_message(tmp_path, monkeypatch):
    made = study(tmp_path, "replications: 3\n")

    def broken(world):
        raise ValueError("broken on purpose")

    monkeypatch.setattr("experiments.sweeps.sweep.measures", broken)
    progress = sweep(made, str(tmp_path / "out"), workers=1)
    assert (progress.done, progress.failed) == (3, 3)
    runs = experiments.load(str(tmp_path / "out")).runs
    assert runs["message"].tolist() == ["ValueError: broken on purpose"] * 3


# --- the store ----------------------------------------------------------------------------------------------------


def test_every_executor_gives_the_same_bytes(tmp_path, monkeypatch):
    # Chunks would depend on measured speed.
    monkeypatch.setattr("experiments.sweeps.sweep.measure", lambda study: 0.001)
    made = study(tmp_path)
    sweep(made, str(tmp_path / "one"), workers=1)
    sweep(made, str(tmp_path / "threads"), workers=2)
    sweep(made, str(tmp_path / "processes"), processes=2)
    expected = bytes_of(tmp_path / "one")
    assert len(expected) >= 3 * 4
    assert bytes_of(tmp_path / "threads") == bytes_of(tmp_path / "processes") == expected


def test_a_dask_cluster_gives_the_same_rows(tmp_path):
    pytest.importorskip("dask.distributed", reason="DASK NOT TESTED: install gpu-firesale[cluster]")
    from dask.distributed import Client, LocalCluster

    made = study(tmp_path, "replications: 6\n")
    sweep(made, str(tmp_path / "here"), workers=1)
    with (
        LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None) as cluster,
        Client(cluster),
    ):
        sweep(made, str(tmp_path / "there"), dask=cluster.scheduler_address)
    here, there = (experiments.load(str(tmp_path / name)).runs.drop(columns="wall_ms") for name in ("here", "there"))
    assert here.equals(there)


def test_killed_at_random_moments_it_ends_with_the_same_bytes(tmp_path, monkeypatch):
    made = study(tmp_path, GRID.replace("replications: 6", "replications: 40"))
    whole, broken = str(tmp_path / "whole"), tmp_path / "broken"
    sweep(made, whole, workers=2)
    expected = bytes_of(whole)
    # A server that has loaded the engine and its kernels forks each process: a try takes no longer than the sweep.
    warm = (
        f"from experiments import study, sweep\nsweep.run_one(study.read_study({str(tmp_path / 'study.yaml')!r}), 0)\n"
    )
    (tmp_path / "firesale_warm.py").write_text(warm)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["firesale_warm"])

    def begin() -> multiprocessing.process.BaseProcess:
        process = context.Process(target=sweep, args=(made, str(broken)), kwargs={"workers": 2})
        process.start()
        return process

    def empty() -> None:
        """Leave what decides the size of chunks: it is measured at the start and must be the same."""
        shutil.rmtree(broken, ignore_errors=True)
        broken.mkdir()
        for name in ("manifest.json", "study.yaml"):
            shutil.copy(Path(whole, name), broken)

    served = context.Process(target=int)  # starts the server: its start is not the sweep's
    served.start()
    served.join()
    empty()
    began = time.perf_counter()
    begin().join()
    length = time.perf_counter() - began
    assert bytes_of(broken) == expected
    empty()
    rng = random.Random(3)
    killed = 0
    for _ in range(20):
        process = begin()
        process.join(rng.uniform(0.0, length))
        if process.is_alive():
            process.kill()
            process.join()
            killed += 1
            if killed == 12:
                break
        else:
            assert process.exitcode == 0 and bytes_of(broken) == expected
            empty()
    assert killed >= 3
    sweep(made, str(broken), workers=2)
    assert bytes_of(broken) == expected
    assert not [file.name for file in broken.rglob(".*")], "what a killed process was writing stays behind"


def test_a_torn_shard_is_run_again(tmp_path):
    made = study(tmp_path)
    place = tmp_path / "out"
    sweep(made, str(place), workers=1)
    expected = bytes_of(place)
    shard = sorted((place / "runs").glob("*.parquet"))[1]
    shard.write_bytes(shard.read_bytes()[: shard.stat().st_size // 2])
    progress = sweep(made, str(place), workers=1)
    assert 0 < progress.skipped < made.runs
    assert bytes_of(place) == expected
    assert sweep(made, str(place), workers=1).skipped == made.runs


def test_other_inputs_are_not_mixed(tmp_path):
    place = str(tmp_path / "out")
    sweep(study(tmp_path, "replications: 3\n"), place, workers=1)
    with pytest.raises(StoreError, match=r"the config \(credit.maturity was 36, is 24\) changed"):
        sweep(study(tmp_path, "replications: 3\ncredit: {maturity: 24}\n"), place, workers=1)
    manifest = json.loads(Path(place, "manifest.json").read_text())
    Path(place, "manifest.json").write_text(json.dumps(manifest | {"sources": "0" * 16}))
    with pytest.raises(StoreError, match=r"the sources of the engine \(hash 0{16}, now \w+\) changed"):
        sweep(study(tmp_path, "replications: 3\n"), place, workers=1)


def test_a_second_process_is_refused_and_a_dead_one_forgotten(tmp_path):
    store = Store(str(tmp_path / "out"))
    with (
        store.locked(),
        pytest.raises(StoreError, match=f"process {os.getpid()} on"),
        Store(str(tmp_path / "out")).locked(),
    ):
        pass
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    import socket

    (tmp_path / "out" / ".lock").write_text(json.dumps({"host": socket.gethostname(), "pid": gone.pid}))
    with store.locked():
        pass


def test_a_folder_with_other_things_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(StoreError, match="not empty and holds no sweep"):
        sweep(study(tmp_path, "replications: 2\n"), str(tmp_path), workers=1)


def test_a_refusal_says_what_differs(tmp_path):
    place = str(tmp_path / "out")
    sweep(study(tmp_path, "replications: 3\n"), place, workers=1)
    with pytest.raises(StoreError, match="replications was 3, is 4"):
        sweep(study(tmp_path, "replications: 4\n"), place, workers=1)
    with pytest.raises(StoreError, match=r"chips.H100.power was 1.3, is 1.5; lenders.bank.life was 72.0, is 30.0"):
        changed = read_study(
            tmp_path / "study.yaml", ["lenders.bank.life=30", "chips.H100.power=1.5", "replications=3"]
        )
        sweep(changed, place, workers=1)
    assert there(study(tmp_path, "replications: 3\n"), place) == 3
    # Words are no inputs.
    assert sweep(study(tmp_path, "replications: 3\nreport: {question: Why?}\n"), place, workers=1).skipped == 3
    assert stored_study(place).plan.report.question == "Why?"


UNSORTED = "sweep: {{design: {}, samples: 4, parameters: {{lenders.max_ltv: {{from: 0.5, to: 0.9, n: 3}}, buyers.budget_scale: {{from: 1, to: 2, n: 2}}}}}}\n"


@pytest.mark.parametrize("design", ["grid", "lhs", "saltelli", "morris"])
def test_the_stored_study_is_the_one_that_ran(tmp_path, design):
    made = study(tmp_path, UNSORTED.format(design))
    place = tmp_path / "out"
    place.mkdir()
    Store(str(place)).open(manifest(made, 1, ""), study_text(made))
    back = stored_study(str(place))
    assert [list(p.items()) for p in back.points] == [list(p.items()) for p in made.points]
    assert [a.path for a in back.axes] == ["lenders.max_ltv", "buyers.budget_scale"]
    assert scenario_of(str(place), 1)[0] == made.scenario_at(1)
    text = (place / "study.yaml").read_text()
    (place / "study.yaml").write_text(text.replace("0.9", "0.8"))
    with pytest.raises(StoreError, match="is not the study that was run here"):
        stored_study(str(place))


@pytest.mark.parametrize("file", STUDIES, ids=lambda f: f.stem)
def test_a_shipped_study_survives_its_text(tmp_path, file):
    made = read_study(file)
    (tmp_path / "study.yaml").write_text(study_text(made))
    back = read_study(tmp_path / "study.yaml")
    assert [list(p.items()) for p in back.points] == [list(p.items()) for p in made.points]
    assert back.plan == made.plan and back.scenario == made.scenario
    assert made.plan.report.question


def test_a_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "afile").touch()
    made = study(tmp_path, "replications: 2\n")
    for place, words in (
        ("afile", "is a file; give another folder"),
        ("afile/x", r"cannot be written \(Not a directory\)"),
    ):
        with pytest.raises(StoreError, match=words):
            sweep(made, str(tmp_path / place), workers=1)
    with pytest.raises(StoreError, match="is a file"):
        there(made, str(tmp_path / "afile"))


def test_a_folder_that_may_not_be_written_is_refused(tmp_path, unprivileged):
    study(tmp_path, "replications: 2\n")
    (tmp_path / "mine").mkdir(mode=0o555)
    done = subprocess.run(
        [*unprivileged, sys.executable, "-c", COMMAND, "sweep", str(tmp_path / "study.yaml"), "--out", str(tmp_path / "mine" / "x")],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr == f"{tmp_path}/mine/x: cannot be written (Permission denied); give another folder with --out\n"


def test_urls(tmp_path):
    fsspec = pytest.importorskip("fsspec", reason="URLS NOT TESTED: install gpu-firesale[cluster]")
    made = study(tmp_path, "replications: 3\n")
    place = "memory://firesale-test/study"
    try:
        assert sweep(made, place, workers=1).done == 3
        assert sweep(made, place, workers=1).skipped == 3
        assert len(experiments.load(place).runs) == 3
        assert write_sweep_report(place) == f"{place}/report.html"
        assert b"3 of 3 runs" in Store(place).read("report.html")
    finally:
        fsspec.filesystem("memory").store.clear()
    with pytest.raises(StoreError, match="seen by one process alone"):
        sweep(made, place, processes=2)
    with pytest.raises(StoreError, match="nosuch://x: cannot be opened .*nosuch.*; give a folder"):
        Store("nosuch://x")
    # A file URL is the disk: locked, whole files, a report.
    assert sweep(made, f"file://{tmp_path}/url", workers=1).done == 3
    assert len(experiments.load(str(tmp_path / "url")).runs) == 3


def test_a_scheduler_that_does_not_answer_is_named(tmp_path):
    pytest.importorskip("dask.distributed", reason="DASK NOT TESTED: install gpu-firesale[cluster]")
    with pytest.raises(ExecutorError, match="--dask nonsense: no scheduler answers .*tcp://HOST:PORT"):
        sweep(study(tmp_path, "replications: 2\n"), str(tmp_path / "out"), dask="nonsense")


def test_failed_runs_are_counted_again(tmp_path, monkeypatch):
    made = study(tmp_path, "replications: 16\n")
    real = measures

    def broken(world):
        if broken.first:
            broken.first = False
            raise ValueError("broken on purpose")
        return real(world)

    broken.first = False
    monkeypatch.setattr("experiments.sweeps.sweep.measures", broken)
    place = str(tmp_path / "out")
    monkeypatch.setattr("experiments.sweeps.sweep.measure", lambda study: 1.0)

    def tell(progress):
        broken.first = progress.done == 0  # after the measuring

    progress = sweep(made, place, workers=1, fail_fast=True, tell=tell)
    assert progress.failed == 1 and progress.done < made.runs
    progress = sweep(made, place, workers=1, fail_fast=True)
    assert progress.failed == 1 and progress.done == made.runs, "an earlier failure does not end the rest"


@pytest.mark.skipif(
    os.geteuid() != 0 or not Path("/proc/mounts").exists(), reason="FULL DISK NOT TESTED: needs a tmpfs of its own"
)
def test_a_full_disk_loses_nothing(tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(small)], capture_output=True).returncode:
        pytest.skip("FULL DISK NOT TESTED: mount is refused here")
    try:
        made = study(tmp_path, GRID.replace("replications: 6", "replications: 24"))
        with pytest.raises(OSError, match="No space left"):
            sweep(made, str(small / "out"), workers=1)
        kept = bytes_of(small / "out")
        assert kept
        subprocess.run(["mount", "-o", "remount,size=50m", str(small)], check=True)
        sweep(made, str(small / "out"), workers=1)
        after = bytes_of(small / "out")
        assert {name: after[name] for name in kept} == kept
        assert experiments.load(str(small / "out")).runs["status"].eq("done").sum() == made.runs
    finally:
        subprocess.run(["umount", str(small)], check=False)


# --- reading ------------------------------------------------------------------------------------------------------


def test_reading_back_and_the_report(tmp_path):
    made = study(tmp_path)
    place = str(tmp_path / "out")
    sweep(made, place, workers=2)
    found = experiments.load(place)
    assert len(found.runs) == 36 and found.parameters == ["lenders.max_ltv", "market.venue"]
    assert found.runs["run"].tolist() == list(range(36))
    assert len(found.panel) == found.runs["months"].sum()
    assert len(found.outcome("losses")) == 6
    assert found.outcome("losses")[1] == pytest.approx(found.runs.query("point == 1")["losses"].mean())
    page = Path(write_sweep_report(place)).read_text()
    assert "What the parameters do" in page and "36 of 36 runs" in page
    assert len((tmp_path / "out" / "points.csv").read_text().splitlines()) == 7


@pytest.mark.parametrize(
    ("text", "heads"),
    [
        ("sweep: {design: list, points: [{}, {policy.pacing: 0.2}, {lenders.bank.patience: [0.1, 0.2], lenders.bdc.patience: [0.1, 0.2]}]}\n", ["What each point changes", "Tails"]),
        ("sweep: {parameters: {networks.lending: [core_periphery, erdos_renyi]}}\n", ["What each point changes", "Tails"]),
        ("sweep: {parameters: {lenders.life: [18, 60, 120]}}\nseeds: independent\n", ["What the parameters do", "What that changes", "Tails"]),
        ("sweep: {parameters: {lenders.life: [18, 60], market.venue: [network, exchange]}}\nreport: {against: {market.venue: network}}\n", ["What the parameters do", "What that changes", "Tails"]),
        ("sweep: {parameters: {lenders.life: [18, 40, 60, 80], lenders.max_ltv: [0.5, 0.6, 0.7, 0.8]}}\n", ["Two parameters together", "What that changes", "Tails"]),
        ("sweep: {parameters: {lenders.life: [18, 40], lenders.max_ltv: [0.5, 0.6], market.venue: [network, exchange]}}\n", ["What the parameters do", "Tails"]),
        ("sweep: {design: lhs, samples: 12, parameters: {lenders.max_ltv: {from: 0.5, to: 0.9}, market.venue: [network, exchange], buyers.budget_scale: {from: 0.5, to: 2, scale: log}}}\n", ["By parameter: probability of a systemic cascade", "By parameter: credit losses", "Tails"]),
        ("sweep: {design: saltelli, samples: 8, parameters: {lenders.max_ltv: {from: 0.5, to: 0.9}, credit.maturity: {from: 18, to: 60}}}\nreport: {outcomes: [losses, debt_peak]}\n", ["Which parameters matter", "By parameter: credit losses", "Tails"]),
        ("sweep: {design: morris, samples: 8, parameters: {lenders.max_ltv: {from: 0.5, to: 0.9}, credit.maturity: {from: 18, to: 60}}}\nreport: {outcomes: [losses, debt_peak]}\n", ["Which parameters matter", "Alone or together", "Tails"]),
        ("twin: {policy.backstop.capacity: 1.0e10}\n", ["The twin less the run", "Tails"]),
    ],
)  # fmt: skip
def test_every_design_has_figures_that_show_something(tmp_path, text, heads):
    made = study(tmp_path, text + ("replications: 4\n" if "samples" not in text else ""))
    place = str(tmp_path / "out")
    sweep(made, place, workers=2)
    drawn = figures(experiments.load(place), stored_study(place))
    assert [d.head for d in drawn] == heads
    for one in drawn:
        assert one.note
        for ax in (ax for ax in one.figure.axes if ax.get_visible()):
            assert ax.lines or ax.collections or ax.patches or ax.images, (
                f"{one.head}: an empty panel {ax.get_title()!r}"
            )
            assert ax.get_xlabel() and (ax.get_title() or ax.get_ylabel())
    page = Path(write_sweep_report(place)).read_text()
    assert all(head in page for head in heads) and "nan [" not in page.split("By design point")[0]


def test_changes_are_by_draw_and_against_the_reference(tmp_path):
    made = study(
        tmp_path,
        "sweep: {parameters: {buyers.budget_scale: [1, 2], market.venue: [network, exchange]}}\nreplications: 8\nreport: {against: {market.venue: network}}\n",
    )
    sweep(made, str(tmp_path / "out"), workers=2)
    runs = experiments.load(str(tmp_path / "out")).runs
    frame = Frame(made, runs, ("buyers.budget_scale", "market.venue"), outcomes(("losses",)))
    assert [frame.reference(p) for p in range(4)] == [0, 0, 2, 2]
    losses = runs.pivot(index="replication", columns="point", values="losses")
    mean, low, high = frame.change(3, frame.outcomes[0])
    assert mean == pytest.approx(1e-9 * (losses[3] - losses[2]).mean())
    assert low <= mean <= high


def test_columns_are_resampled_as_one():
    rng = np.random.default_rng(1)
    values = rng.exponential(1.0, (50, 2))
    values[3, 1] = np.nan
    together = bootstrap_columns(values)
    for k in range(2):
        assert together[0, k] == pytest.approx(np.nanmean(values[:, k]))
        assert together[1:, k] == pytest.approx(bootstrap(values[:, k])[1:], rel=0.1)


def test_common_draws_make_differences_sharp(tmp_path):
    text = "sweep: {{parameters: {{policy.backstop.capacity: [0, 1.0e10]}}}}\nreplications: 60\nseeds: {}\n"
    spread = {}
    for seeds in ("shared", "independent"):
        made = study(tmp_path, text.format(seeds))
        losses = np.array([run_one(made, r)[0]["losses"] for r in range(made.runs)]).reshape(2, -1)
        spread[seeds] = np.var(losses[1] - losses[0])
    assert spread["independent"] > 2.0 * spread["shared"]


def test_simulate_is_a_function_of_its_arguments():
    one = experiments.simulate([0.6, 2.0], ["lenders.max_ltv", "buyers.budget_scale"], 6, 3)
    assert one.shape == (6, 3)
    assert np.array_equal(one, experiments.simulate([0.6, 2.0], ["lenders.max_ltv", "buyers.budget_scale"], 6, 3))
    assert not np.array_equal(one, experiments.simulate([0.9, 2.0], ["lenders.max_ltv", "buyers.budget_scale"], 6, 3))
    with pytest.raises(ValueError, match="1 values for 2"):
        experiments.simulate([0.6], ["a", "b"], 6, 3)


def test_bootstrap_covers_the_mean():
    rng = np.random.default_rng(0)
    hits = [low <= 1.0 <= high for _, low, high in (bootstrap(rng.exponential(1.0, 80), seed=k) for k in range(60))]
    assert 0.85 <= np.mean(hits) <= 1.0


def test_rerun_repeats_the_row(tmp_path):
    made = study(tmp_path)
    place = tmp_path / "out"
    sweep(made, str(place), workers=1)
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, "rerun", str(place), "8", "--out", str(tmp_path / "whole")],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "whole" / "summary.json").read_text())
    row = experiments.load(str(place)).runs.iloc[8]
    assert summary["losses"] == row["losses"] and summary["defaults"] == row["defaults"]
    missing = subprocess.run(
        [sys.executable, "-c", COMMAND, "rerun", str(place), "999"], cwd=ROOT, capture_output=True, text=True
    )
    assert missing.returncode == 2 and "has runs 0 to 35, not 999" in missing.stderr


def test_the_command_goes_on_where_it_stopped(tmp_path):
    file = tmp_path / "study.yaml"
    file.write_text(SMALL + GRID.replace("replications: 6", "replications: 80"))
    command = [sys.executable, "-c", COMMAND, "sweep", str(file), "--out", str(tmp_path / "out"), "--no-report"]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    runs = tmp_path / "out" / "runs"
    until = time.time() + 60
    while time.time() < until and not (runs.is_dir() and any(runs.glob("*.parquet"))):
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 130 and "Go on with the same command" in said
    again = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    assert "480 of 480 runs" in again.stderr
