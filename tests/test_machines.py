"""Clusters, containers, other machines: locks, cores, homes, the cache of compiled rules, outputs; exit codes."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from experiments.command.terminal import ExitCode
from experiments.sweeps.pool import ExecutorError, check_main
from experiments.sweeps.store import Store, StoreError
from simulation import locking
from simulation.cores import _granted, _own_groups, cores
from simulation.locking import LockedError, locked, unlock
from tests.conftest import BASE_FILE, ROOT

COMMAND = "from experiments.command.cli import main; main()"
SMALL = (
    "--set",
    "run.months=3",
    "--set",
    "neoclouds.count=4",
    "--set",
    "miners.count=3",
    "--no-report",
    "--no-figures",
)
HOLD = """
import sys, time
from pathlib import Path
from simulation.locking import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(120)
"""


def _python(code: str, *arguments: str, before: tuple[str, ...] = (), **more):
    """Return a process of its own that has run some code."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **more.pop("env", {})}
    gone = more.pop("without", ())
    environment = {name: value for name, value in environment.items() if name not in gone}
    return subprocess.run(
        [*before, sys.executable, "-c", code, *arguments], env=environment, capture_output=True, timeout=500, **more
    )


# --- locks --------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _holder(file: Path):
    """A process that holds a lock until it is killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(file)], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )  # fmt: skip
    try:
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.wait()


flocks = pytest.mark.skipif(locking.fcntl is None, reason="FLOCK NOT TESTED: this system has none")


@flocks
def test_a_killed_process_holds_nothing_wherever_it_ran(tmp_path):
    file = tmp_path / ".lock"
    with _holder(file) as process:
        with pytest.raises(LockedError, match=f"process {process.pid} on .* since 20"), locked(file):
            pass
        process.send_signal(signal.SIGKILL)
        process.wait()
        # As a container leaves it: another host, and a number that some process here has, too.
        file.write_text(json.dumps({"host": "f00dcafe", "pid": 1, "since": "2026-01-01T00:00:00+00:00"}))
        with locked(file):
            assert json.loads(file.read_text())["pid"] == os.getpid()
    assert not file.exists()


@flocks
def test_a_lock_of_another_thread_counts(tmp_path):
    with locked(tmp_path / ".lock"), pytest.raises(LockedError), locked(tmp_path / ".lock"):
        pass
    with locked(tmp_path / ".lock"):
        pass


@flocks
def test_one_at_a_time(tmp_path):
    """Many threads that come and go: never two at once, and the file goes with the last."""
    file, inside, most, done = tmp_path / ".lock", [], [], []

    def work():
        while len(done) < 200:
            with contextlib.suppress(LockedError), locked(file):
                inside.append(1)
                most.append(len(inside))
                time.sleep(1e-4)
                inside.pop()
                done.append(1)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) == 1 and not file.exists()


def test_unlock_takes_a_lock_from_whoever_holds_it(tmp_path):
    store = Store(str(tmp_path))
    with _holder(tmp_path / ".lock") as process:
        with pytest.raises(StoreError, match=rf"another process works here: process {process.pid} on .*delete .*lock \(sweep: --unlock"), store.locked():  # fmt: skip
            pass
        with store.locked(break_lock=True):
            assert json.loads((tmp_path / ".lock").read_text())["pid"] == os.getpid()
            with pytest.raises(StoreError), Store(str(tmp_path)).locked():
                pass
    assert not (tmp_path / ".lock").exists()
    assert unlock(tmp_path / ".lock") is None


@pytest.fixture
def without_flock(monkeypatch):
    """A system whose kernel keeps no locks."""
    monkeypatch.setattr(locking, "fcntl", None)


def test_without_flock_a_heart_beats(tmp_path, without_flock, monkeypatch):
    monkeypatch.setattr(locking, "_BEAT", 0.01)
    file = tmp_path / ".lock"
    with locked(file):
        old = time.time() - 1_000
        os.utime(file, (old, old))
        for _ in range(500):
            if file.stat().st_mtime > old + 500:
                break
            time.sleep(0.01)
        assert file.stat().st_mtime > old + 500
        with pytest.raises(LockedError, match=f"process {os.getpid()} on"), locked(file):
            pass
    assert os.listdir(tmp_path) == []


def test_without_flock_a_silent_lock_is_nobodys(tmp_path, without_flock):
    file = tmp_path / ".lock"
    file.write_text(json.dumps({"host": "f00dcafe", "pid": 1, "token": "x"}))
    with pytest.raises(LockedError, match="process 1 on f00dcafe"), locked(file):
        pass
    long_ago = time.time() - locking._SILENCE - 1
    os.utime(file, (long_ago, long_ago))
    with locked(file):
        assert json.loads(file.read_text())["pid"] == os.getpid()
    assert os.listdir(tmp_path) == []


def test_without_flock_who_lost_the_lock_does_not_take_it_back(tmp_path, without_flock):
    file = tmp_path / ".lock"
    with locked(file):
        unlock(file)
        file.write_text(json.dumps({"pid": 1, "token": "other"}))
    assert json.loads(file.read_text())["token"] == "other"


@flocks
def test_a_file_system_without_locks_falls_back_to_the_heart(tmp_path, monkeypatch):
    def no_locks(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(locking.fcntl, "flock", no_locks)
    with locked(tmp_path / ".lock"), pytest.raises(LockedError), locked(tmp_path / ".lock"):
        pass
    assert os.listdir(tmp_path) == []


def test_no_process_is_asked_whether_it_lives():
    """On Windows the question ends the process that is asked."""
    files = [p for folder in ("agents", "simulation", "experiments") for p in (ROOT / folder).rglob("*.py")]
    assert not [p for p in files if re.search(r"os\.kill\(", p.read_text(encoding="utf-8"))]


def test_an_interrupted_sweep_of_a_container_goes_on(tmp_path, firesale):
    (tmp_path / "s.yaml").write_text(f"extends: {BASE_FILE}\nrun: {{months: 3}}\nreplications: 2\n")
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / ".lock").write_text(json.dumps({"host": "f00dcafe", "pid": 1}))
    assert firesale("sweep", str(tmp_path / "s.yaml"), "--out", str(tmp_path / "x"), "--no-report")[0] == 0
    with _holder(tmp_path / "x" / ".lock"):
        command = ("sweep", str(tmp_path / "s.yaml"), "--out", str(tmp_path / "x"), "--no-report")
        code, _, err = firesale(*command)
        assert code == 2 and "another process works here" in err
        assert firesale(*command, "--unlock")[0] == 0


# --- cores --------------------------------------------------------------------------------------------------------


def test_cores_are_those_that_this_process_may_use():
    assert 1 <= cores() <= (os.cpu_count() or 1)
    if not hasattr(os, "sched_setaffinity"):
        pytest.skip("AFFINITY NOT TESTED: this system has none")
    code = "import os; os.sched_setaffinity(0, list(os.sched_getaffinity(0))[:1]); from simulation.cores import cores; print(cores())"
    assert _python(code, text=True).stdout == "1\n"


@pytest.mark.parametrize(
    ("files", "groups", "share"),
    [
        ({"cpu.max": "150000 100000\n"}, [], 1.5),
        ({"cpu.max": "max 100000\n"}, [], float("inf")),
        ({"cpu/cpu.cfs_quota_us": "50000\n", "cpu/cpu.cfs_period_us": "100000\n"}, [], 0.5),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, [], float("inf")),
        ({"a/cpu.max": "300000 100000", "a/b/cpu.max": "max 100000"}, ["a/b"], 3.0),
        ({"a/cpu.max": "300000 100000", "a/b/cpu.max": "200000 100000"}, ["a/b"], 2.0),
        ({"a/cpu.max": "300000 100000"}, ["other"], float("inf")),
        ({"cpu,cpuacct/job/cpu.cfs_quota_us": "400000", "cpu,cpuacct/job/cpu.cfs_period_us": "100000"}, ["job"], 4.0),
        ({"cpu.max": "nonsense"}, ["../.."], float("inf")),
        ({}, [], float("inf")),
    ],
)
def test_what_control_groups_grant(tmp_path, files, groups, share):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert _granted(tmp_path, groups) == share


def test_a_share_of_a_core_is_one_thread(monkeypatch):
    monkeypatch.setattr("simulation.cores._granted", lambda *_: 0.5)
    assert cores() == 1
    monkeypatch.setattr("simulation.cores._granted", lambda *_: 1.5)
    assert cores() == min(2, len(os.sched_getaffinity(0)))


def test_the_groups_of_a_process(tmp_path):
    (tmp_path / "cgroup").write_text("12:cpu,cpuacct:/docker/abc\n0::/user.slice/a\n")
    assert _own_groups(tmp_path / "cgroup") == ["docker/abc", "user.slice/a"]
    assert _own_groups(tmp_path / "none") == []


# --- homes and the cache ------------------------------------------------------------------------------------------

WHERE = "from agents.rule import rules_cache; folder, why = rules_cache(); print(folder, why, sep='|')"


def test_a_user_without_a_home(tmp_path):
    """As a container runs it: a number that no file knows, and no HOME."""
    code = "import pathlib\ndef no_home(): raise RuntimeError('Could not determine home directory.')\npathlib.Path.home = no_home\n"
    gone = ("FIRESALE_CACHE", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "HOME", "MPLCONFIGDIR")
    done = _python(code + WHERE, without=gone, env={"TMPDIR": str(tmp_path)}, text=True)
    folder, why = done.stdout.strip().split("|")
    assert Path(folder).parent.parent == tmp_path and why == "there is no home folder"
    assert stat.S_IMODE(Path(folder).parent.stat().st_mode) == 0o700
    code += "from experiments.command.terminal import settle_figures; settle_figures(); import os; print(os.environ['MPLCONFIGDIR'])"
    done = _python(code, without=gone, env={"TMPDIR": str(tmp_path)}, text=True)
    assert Path(done.stdout.strip()).is_relative_to(tmp_path), done.stderr


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="UNKNOWN USER NOT TESTED: needs root")
def test_a_user_that_nobody_knows_runs(tmp_path):
    tmp_path.chmod(0o777)
    # Somebody else who may read the interpreter, wherever it lies.
    reading = "+dac_override,+dac_read_search"
    somebody = (
        "setpriv",
        "--reuid=54321",
        "--regid=54321",
        "--clear-groups",
        f"--inh-caps={reading}",
        f"--ambient-caps={reading}",
    )
    if shutil.which("setpriv") is None or subprocess.run([*somebody, "true"], capture_output=True).returncode:
        pytest.skip("UNKNOWN USER NOT TESTED: root without setpriv")
    environment = {"TMPDIR": str(tmp_path), "NUMBA_DISABLE_JIT": "1"}
    done = _python(
        COMMAND, "run", str(BASE_FILE), *SMALL, "--out", str(tmp_path / "x"), before=somebody, cwd=str(tmp_path), text=True,
        without=("HOME", "FIRESALE_CACHE", "XDG_CACHE_HOME"), env=environment,
    )  # fmt: skip
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    assert (tmp_path / "x" / "manifest.json").exists()


def test_a_folder_of_somebody_else_is_not_trusted(tmp_path):
    """What lies in the cache is run: in a folder of all users another one could put it there."""
    theirs = tmp_path / f"gpu-firesale-{os.getuid()}"
    theirs.mkdir()
    theirs.chmod(0o777)
    code = "import pathlib\ndef no_home(): raise RuntimeError\npathlib.Path.home = no_home\n"
    done = _python(code + WHERE, without=("FIRESALE_CACHE", "XDG_CACHE_HOME"), env={"TMPDIR": str(tmp_path)}, text=True)
    assert done.stdout == "None|there is no home folder\n" and os.listdir(theirs) == []


def test_a_home_that_cannot_be_written_is_said(tmp_path, unprivileged):
    home = tmp_path / "home"
    home.mkdir(mode=0o555)
    (tmp_path / "tmp").mkdir()
    environment = {"HOME": str(home), "TMPDIR": str(tmp_path / "tmp")}
    gone = ("FIRESALE_CACHE", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR")
    say = "from experiments.command.terminal import make_console, say_compiling; say_compiling(make_console())"
    done = _python(say, before=tuple(unprivileged), env=environment, without=gone, text=True)
    assert done.stdout == (
        "Compiling the rules: once for this version, under a minute. "
        f"They are kept in {tmp_path}/tmp/gpu-firesale-{os.getuid()}: {home}/.cache/gpu-firesale cannot be written (Permission denied).\n"
    )
    asked = environment | {"FIRESALE_CACHE": str(home / "x")}
    done = _python(say, before=tuple(unprivileged), env=asked, text=True)
    assert done.stdout == (
        f"Compiling the rules, under a minute and at every start: {home}/x cannot be written (Permission denied). "
        "FIRESALE_CACHE=FOLDER keeps them there.\n"
    )
    figures = (
        "from experiments.command.terminal import settle_figures; settle_figures(); import matplotlib.font_manager"
    )
    done = _python(figures, before=tuple(unprivileged), env=environment, without=gone, text=True)
    assert done.returncode == 0 and done.stderr == ""


SORT = """
import pathlib
import numpy as np
import agents.rule
from simulation.markets.auction import rank_down
assert pathlib.Path(agents.rule.__file__).is_relative_to(pathlib.Path.cwd())
order = np.arange(3)
rank_down(np.array([1.0, 3.0, 2.0]), order, 3, np.zeros(3, np.int64))
assert order.tolist() == [1, 2, 0]
hits, misses = (sum(found.values()) for found in (rank_down.stats.cache_hits, rank_down.stats.cache_misses))
print(hits, misses, agents.rule.compiled_mark())
"""


def _clone(place: Path) -> Path:
    for name in ("agents", "simulation", "configs"):
        shutil.copytree(ROOT / name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
    return place


def _sort(place: Path, kept: Path, **environment: str) -> list[str]:
    done = _python(
        SORT, cwd=place, env={"FIRESALE_CACHE": str(kept), "PYTHONPATH": str(place), **environment}, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_another_checkout_of_the_same_sources_finds_what_one_compiled(tmp_path):
    kept = tmp_path / "kept"
    one, two = _clone(tmp_path / "one"), _clone(tmp_path / "far" / "two")
    hits, misses, mark = _sort(one, kept)
    assert (hits, misses) == ("0", "1")
    assert _sort(two, kept) == ["1", "0", mark]
    # What is compiled for another processor, or of other sources, is not taken.
    hits, misses, other = _sort(two, kept, NUMBA_CPU_NAME="generic")
    assert (hits, misses) == ("0", "1") and Path(other).parent == Path(mark).parent and other != mark
    with (two / "agents" / "valuation.py").open("a") as file:
        file.write("# changed\n")
    hits, misses, other = _sort(two, kept)
    assert (hits, misses) == ("0", "1") and Path(other).parent != Path(mark).parent


def test_a_damaged_cache_is_compiled_again(tmp_path):
    _sort(ROOT, tmp_path)
    for file in tmp_path.rglob("*.nbi"):
        file.write_bytes(file.read_bytes()[:40])
    assert _sort(ROOT, tmp_path)[:2] == ["0", "1"]
    for file in tmp_path.rglob("*.nbc"):
        file.write_bytes(b"")
    assert _sort(ROOT, tmp_path)[:2] == ["0", "1"]
    assert _sort(ROOT, tmp_path)[:2] == ["1", "0"]


OWN_RULE = """
import sys
sys.path.insert(0, sys.argv[1])
import own
print(own.twice(2.0))
"""


def test_a_rule_of_ones_own_is_cached_by_its_own_source(tmp_path):
    answers = []
    for factor in ("2.0", "3.0"):
        (tmp_path / "own.py").write_text(
            f"from agents.rule import entry\nFACTOR = {factor}\n@entry\ndef twice(x):\n    return FACTOR * x\n"
        )
        done = _python(OWN_RULE, str(tmp_path), env={"FIRESALE_CACHE": str(tmp_path / "kept")}, text=True)
        answers.append(done.stdout)
    assert answers == ["4.0\n", "6.0\n"]


# --- processes ----------------------------------------------------------------------------------------------------

SCRIPT = """
from experiments.sweeps.study import read_study
from experiments.sweeps.sweep import sweep
{guard}sweep(read_study("s.yaml"), "x", processes=1)
"""


def test_a_script_without_a_guard_is_told_what_to_do(tmp_path):
    (tmp_path / "s.yaml").write_text(f"extends: {BASE_FILE}\nrun: {{months: 3}}\n")
    (tmp_path / "script.py").write_text(SCRIPT.format(guard=""))
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, timeout=300, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )  # fmt: skip
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 1
    assert re.match(
        r".*ExecutorError: .*script.py: every process reads this script again.*if __name__ == '__main__':", last
    )
    assert done.stderr.count("Traceback") == 1 and not (tmp_path / "x").exists()


def test_what_runs_a_script_is_no_script(monkeypatch, tmp_path):
    import __main__

    check_main()  # pytest is a module
    monkeypatch.setattr(__main__, "__spec__", None)
    for text, refused in (("sweep()", True), ("if __name__ == '__main__': sweep()", False)):
        (tmp_path / "s.py").write_text(text)
        monkeypatch.setattr(__main__, "__file__", str(tmp_path / "s.py"), raising=False)
        with pytest.raises(ExecutorError) if refused else contextlib.nullcontext():
            check_main()
    monkeypatch.delattr(__main__, "__file__")
    check_main()  # a prompt


# --- outputs ------------------------------------------------------------------------------------------------------


def test_an_output_that_lacks_a_letter_does_not_end_a_command(tmp_path):
    title = "Zürich, \u4fe1\u7528 \U0001f525"
    (tmp_path / "t.yaml").write_text(f"extends: {BASE_FILE}\ntitle: {title}\n", encoding="utf-8")
    done = _python(COMMAND, "explain", str(tmp_path / "t.yaml"), env={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})
    assert done.returncode == 0 and b"Traceback" not in done.stderr, done.stderr
    assert rb"Z\xfcrich, \u4fe1\u7528 \U0001f525" in done.stdout
    done = _python(COMMAND, "explain", str(tmp_path / "t.yaml"), env={"PYTHONIOENCODING": "utf-8"})
    assert title.encode() in done.stdout


def test_colours_that_are_forced_into_a_pipe_move_nothing(tmp_path):
    command = ("run", str(BASE_FILE), *SMALL, "--out", str(tmp_path / "x"))
    done = _python(COMMAND, *command, env={"FORCE_COLOR": "1", "NUMBA_DISABLE_JIT": "1"}, text=True)
    assert done.returncode == 0, done.stderr
    assert "\x1b[1m" in done.stdout
    # Nothing but colours: no cursor, no line that is written over.
    assert set(re.findall(r"\x1b\[[0-9;?]*([A-Za-z])", done.stdout + done.stderr)) == {"m"}
    assert "\r" not in done.stderr
    wide = _python(COMMAND, "explain", str(BASE_FILE), env={"FORCE_COLOR": "1"}, text=True).stdout
    plain = _python(COMMAND, "explain", str(BASE_FILE), without=("FORCE_COLOR",), text=True).stdout
    assert "\x1b" not in plain
    assert re.sub(r"\x1b\[[0-9;]*m", "", wide) == plain


def test_a_reader_that_has_seen_enough_is_no_fault():
    code = f"import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', {COMMAND!r}, 'explain', 'parameters'], stdout=subprocess.PIPE, stderr=subprocess.PIPE); p.stdout.close(); print(p.stderr.read().decode(), p.wait())"
    assert _python(code, text=True).stdout.split() == ["0"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="FULL OUTPUT NOT TESTED: no /dev/full here")
@pytest.mark.parametrize("command", ["explain parameters", "--version"])
def test_an_output_that_is_full_is_named(command):
    code = f"import subprocess, sys; p = subprocess.run([sys.executable, '-c', {COMMAND!r}, *{command.split()!r}], stdout=open('/dev/full', 'w'), stderr=subprocess.PIPE, text=True); print(p.returncode, p.stderr)"
    assert _python(code, text=True).stdout.strip() == "2 The output cannot be written (No space left on device)"


# --- exit codes ---------------------------------------------------------------------------------------------------


def test_the_table_of_exit_codes_is_the_code():
    table = re.findall(r"^\| (\d+) \| (.+) \|$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert [(int(code), meaning) for code, meaning in table] == [(int(code), code.meaning) for code in ExitCode]


def test_exit_codes_of_cases_and_of_failed_runs(tmp_path, firesale, monkeypatch):
    """The others have their tests in test_cli.py: 0, 2, 3 and 130."""
    (tmp_path / "s.yaml").write_text(f"extends: {BASE_FILE}\nrun: {{months: 3}}\nreplications: 2\n")

    def broken(world):
        raise ValueError("broken on purpose")

    monkeypatch.setattr("experiments.sweeps.sweep.measures", broken)
    code, _, err = firesale("sweep", str(tmp_path / "s.yaml"), "--out", str(tmp_path / "x"), "--no-report")
    assert code == ExitCode.FAILED_RUNS == 4 and "2 times, first run 0: ValueError: broken on purpose" in err
    shipped = (ROOT / "configs" / "validation" / "a_clearing.json").read_text(encoding="utf-8")
    (tmp_path / "case.json").write_text(shipped.replace('["1/2", "5/8", "3/4"]', '["1/8", "5/8", "3/4"]'))
    code, *_ = firesale("validate", str(tmp_path))
    assert code == ExitCode.CASES == 1
