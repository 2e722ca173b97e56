"""What test modules share: where things are, the shipped base, a stressed scenario, the command, other processes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from simulation import load_scenario

ROOT = Path(__file__).parent.parent
BASE_FILE = ROOT / "configs" / "base.yaml"
BASE = load_scenario(BASE_FILE)
LESSONS = ROOT / "configs" / "lessons"
STUDIES = sorted((ROOT / "configs" / "sweeps").glob("*.yaml"))
#: Changes of the base that make operators default within a year.
STRESS = {
    "run.months": 14, "drivers.regimes.first_month": 2, "drivers.regimes.entry": 0.5, "drivers.demand.stress_drift": -0.2,
    "neoclouds.count": 12, "miners.count": 5, "buyers.enterprise.count": 10, "drivers.demand.stress_jump": -0.2,
    # Everybody is marked to market and nobody waits: more happens in a short time.
    "credit.term_contracts": 1.1, "credit.forbearance": False, "credit.cure_months": 0, "credit.grace_months": 0,
    "market.receivership": 0.0,
}  # fmt: skip


def alone(code: str, *arguments: str, **environment: str) -> str:
    """Run Python code in a process of its own, in the project's folder; return what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, env={**os.environ, **environment}, capture_output=True,
        text=True, timeout=500,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def firesale(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """The command, run in this process: give it arguments; it returns exit code, stdout and stderr."""
    from experiments.command import cli

    def command(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            cli.main(list(arguments))
        out, err = capsys.readouterr()
        assert caught.value.code is None or isinstance(caught.value.code, int)
        return caught.value.code or 0, out, err

    return command


@pytest.fixture(scope="session")
def unprivileged() -> list[str]:
    """What to put before a command so that it may not write where it has no right to: root may, unless it gives that up."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return []
    without = [
        "setpriv",
        "--bounding-set=-dac_override,-dac_read_search",
        "--inh-caps=-dac_override,-dac_read_search",
    ]
    if shutil.which("setpriv") is None or subprocess.run([*without, "true"], capture_output=True).returncode:
        pytest.skip("READ-ONLY FOLDER NOT TESTED: root without setpriv")
    return without
