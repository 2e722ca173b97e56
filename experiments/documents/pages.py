"""The page in a real browser: its screenshots for the README, and how quickly it repaints.

    uv run python -m experiments.documents.pages shots      # writes docs/images/page_*.png
    uv run python -m experiments.documents.pages speed      # milliseconds from click to paint, steps a second in play

Needs Playwright (in the development group) and Chromium; ``CHROMIUM`` names its executable where it is not found.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parents[2]


_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


def chromium() -> str | None:
    """Return the path of a Chromium or Chrome, None when there is none."""
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    return os.environ.get("CHROMIUM") or next((path for path in map(shutil.which, names) if path), None)


@contextlib.contextmanager
def served(*arguments: str) -> Iterator[str]:
    """Serve the page in a process of its own on a free port; yield its address."""
    command = [
        sys.executable,
        "-c",
        "from experiments.command.cli import main; main()",
        "browse",
        "--no-open",
        "--port",
        "0",
    ]
    # The page writes where it is served from: its results must not land in the sources.
    process = subprocess.Popen([*command, *arguments], stderr=subprocess.PIPE, text=True)
    try:
        said: list[str] = []
        for line in process.stderr or ():
            said.append(line)
            found = re.search(r"http://\S+", line)
            if found:
                yield found.group(0)
                return
        raise RuntimeError("the page was not served:\n" + "".join(said))
    finally:
        process.terminate()
        process.wait(timeout=20)


@contextlib.contextmanager
def browser() -> Iterator[Any]:
    """Yield a headless browser (Playwright)."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as engine:
        found = engine.chromium.launch(executable_path=chromium(), args=list(_FLAGS))
        try:
            yield found
        finally:
            found.close()


def visit(found: Any, address: str, width: int = 1280, height: int = 800) -> Any:
    """Open the page in a new session of the browser and wait until it can be used; errors land in ``page.faults``."""
    page = found.new_context(viewport={"width": width, "height": height}).new_page()
    page.faults = []
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    page.on("console", lambda said: page.faults.append(said.text) if said.type == "error" else None)
    page.goto(address)
    page.wait_for_selector("[data-act=step]", timeout=60_000)
    page.wait_for_selector("svg[data-picture=network]", timeout=60_000)
    return page


def press(page: Any, act: str, settle: float = 0.35) -> None:
    """Press a button by its name and wait for the repaint."""
    page.click(f"[data-act={act}]")
    page.wait_for_timeout(1000 * settle)


# --- screenshots ------------------------------------------------------------------------------------------------------


def shots(folder: Path) -> list[Path]:
    """Write the screenshots of the README and return them."""
    folder.mkdir(parents=True, exist_ok=True)
    made = []

    def shoot(page: Any, name: str) -> None:
        made.append(folder / f"page_{name}.png")
        page.wait_for_timeout(900)
        page.screenshot(path=made[-1])

    base, spiral = str(_ROOT / "configs" / "base.yaml"), str(_ROOT / "configs" / "lessons" / "margin_spiral.yaml")
    with browser() as found:
        with served(base, "--seed", "19") as address:
            page = visit(found, address)
            press(page, "cascade", 2)
            shoot(page, "cascade")
            page.click(".fs-default[title^=click]")
            shoot(page, "agent")
            press(page, "theme")
            page.click("[data-tab=credit]")
            shoot(page, "illusion")
        with served(spiral) as address:
            page = visit(found, address)
            for act in ("month",) * 3 + ("step",) * 6:
                press(page, act)
            shoot(page, "lesson")
    return made


# --- speed ------------------------------------------------------------------------------------------------------------

#: Resolves when the tick on the page has changed and the frame after it was painted.
_PAINTED = """async ([selector, act]) => {
  const text = () => document.querySelector('.fs-ctl').dataset.tick;
  const before = text(), start = performance.now();
  document.querySelector(`[data-act=${act}]`).click();
  while (text() === before) { await new Promise(r => requestAnimationFrame(r)); if (performance.now() - start > 5000) return -1; }
  await new Promise(r => requestAnimationFrame(() => setTimeout(r, 0)));
  return performance.now() - start;
}"""


def repaint_times(page: Any, act: str, steps: int) -> list[float]:
    """Return milliseconds from a click to the painted answer, step by step."""
    return [page.evaluate(_PAINTED, ["", act]) for _ in range(steps)]


def play_rate(page: Any, pace: str, seconds: float) -> float:
    """Return steps a second while the page plays."""
    if page.input_value(".fs-buttons select") != pace:
        page.select_option(".fs-buttons select", pace)
    count = "() => window.fsTicks || 0"
    page.evaluate("""() => { window.fsTicks = 0; let last = ''; const look = () => { const now = document.querySelector('.fs-ctl').dataset.tick;
      if (now !== last) { last = now; window.fsTicks++; } requestAnimationFrame(look); }; look(); }""")
    page.click("[data-act=play]")
    page.wait_for_timeout(400)
    first, start = page.evaluate(count), time.perf_counter()
    page.wait_for_timeout(1000 * seconds)
    rate = (page.evaluate(count) - first) / (time.perf_counter() - start)
    page.click("[data-act=play]")
    return rate


def speed(say: Callable[[str], None] = print) -> None:
    """Say how quickly the page answers, at the size of the base and at about 2,000 agents."""
    large = [
        f"neoclouds.count={400}",
        "miners.count=100",
        "buyers.enterprise.count=900",
        "buyers.dealer.count=400",
        "buyers.research.count=150",
        "lenders.bank.count=30",
        "lenders.private_credit.count=30",
    ]
    with browser() as found:
        for name, extra in (
            ("base", []),
            ("about 2,000 agents", [part for change in large for part in ("--set", change)]),
        ):
            started = time.perf_counter()
            with served(str(_ROOT / "configs" / "base.yaml"), "--seed", "19", *extra) as address:
                ready = time.perf_counter() - started
                started = time.perf_counter()
                page = visit(found, address)
                say(f"{name}: served after {ready:.1f} s, usable {time.perf_counter() - started:.1f} s later")
                for act in ("step", "month"):
                    taken = repaint_times(page, act, 30)
                    say(
                        f"{name}: {act} to paint {statistics.median(taken):.0f} ms median, {max(taken):.0f} ms worst of {len(taken)}"
                    )
                press(page, "reset", 2)
                say(f"{name}: play by month {play_rate(page, 'month', 2.0):.1f} steps a second")
                press(page, "reset", 2)
                press(page, "cascade", 4)
                taken = repaint_times(page, "step", 6)
                say(f"{name}: a round of a cascade {statistics.median(taken):.0f} ms median, {max(taken):.0f} ms worst")


if __name__ == "__main__":
    if sys.argv[1:] == ["shots"]:
        print(*shots(_ROOT / "docs" / "images"), sep="\n")
    elif sys.argv[1:] == ["speed"]:
        speed()
    else:
        sys.exit(__doc__)
