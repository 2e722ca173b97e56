"""The page in a real browser. Skipped, loudly, where there is no Chromium; CI sets FIRESALE_BROWSER=1 and must have one."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from experiments.documents import pages
from simulation import load_scenario, run
from tests.conftest import BASE_FILE, LESSONS

CHANGES = ("--set", "run.months=26", "--set", "drivers.regimes.first_month=2", "--set", "drivers.regimes.entry=0.3")
SCENARIO = load_scenario(BASE_FILE, CHANGES[1::2])


def _missing() -> str:
    try:
        import playwright  # noqa: F401
    except ImportError:
        return "Playwright is not installed"
    return "" if pages.chromium() else "there is no Chromium; set CHROMIUM to its path"


if _missing() and os.environ.get("FIRESALE_BROWSER"):
    raise RuntimeError(f"tests of the page cannot run: {_missing()}")
pytestmark = [
    pytest.mark.skipif(bool(_missing()), reason=f"PAGE NOT TESTED: {_missing()}"),
    pytest.mark.xdist_group("page"),
]


@pytest.fixture(scope="module")
def chromium():
    with pages.browser() as found:
        yield found


@pytest.fixture(scope="module")
def address():
    with pages.served(str(BASE_FILE), "--seed", "3", *CHANGES) as found:
        yield found


@pytest.fixture
def page(chromium, address):
    found = pages.visit(chromium, address)
    yield found
    faults = found.faults
    found.context.close()
    assert faults == []


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where screenshots are left: FIRESALE_SHOTS, else pytest's folder."""
    given = os.environ.get("FIRESALE_SHOTS")
    path = Path(given) if given else tmp_path_factory.mktemp("page")
    path.mkdir(parents=True, exist_ok=True)
    return path


def tick(page) -> int:
    return int(page.get_attribute(".fs-ctl", "data-tick")) % 1_000_000


#: The controls show another step, and the log, which is painted last, shows the same.
_ANSWERED = """before => {
  const now = document.querySelector('.fs-ctl').dataset.tick;
  return now !== before && String(Number(now) % 1000000) === document.querySelector('.fs-log').dataset.tick;
}"""


def act(page, name: str) -> None:
    """Press a button and wait until the page has answered."""
    before = page.get_attribute(".fs-ctl", "data-tick")
    page.click(f"[data-act={name}]")
    page.wait_for_function(_ANSWERED, arg=before)


def tile(page, label: str) -> str:
    return page.inner_text(f".fs-tile:has(span:text-is('{label}')) b")


def test_nothing_is_fetched_from_elsewhere(chromium, address):
    context = chromium.new_context()
    page = context.new_page()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    page.wait_for_selector("[data-act=step]")
    assert len(asked) > 5
    assert [
        url for url in asked if not url.startswith((address, address.replace("http", "ws"), "data:", "blob:"))
    ] == []
    context.close()


def test_what_the_page_shows_is_what_a_run_computes(page):
    act(page, "end")
    result = run(SCENARIO, 3, amplification=False)
    panel, s = result.panel, result.summary
    assert tile(page, "Fallen") == f"{s['defaults']} of {len(result.world.operators)}"
    assert tile(page, "Booked LTV") == f"{100 * panel['booked_ltv'].iloc[-1]:.0f} %"
    assert tile(page, "H100 rent") == f"${panel['rent'].iloc[-1]:.2f}/h"
    price = result.world.chips.price[1]
    assert tile(page, "H100 price") == f"${price:,.0f}"
    assert s["defaults"] > 0
    assert page.is_disabled("[data-act=step]") and page.is_enabled("[data-act=back]")


def test_steps_forward_and_back(page):
    act(page, "step")
    assert tick(page) == 1
    assert "rent" in page.inner_text(".fs-next")
    act(page, "month")
    assert page.inner_text(".fs-date b") == "Feb 2024"
    assert page.locator(".fs-entry").count() > 3
    act(page, "back")
    act(page, "back")
    assert tick(page) == 0
    page.keyboard.press("m")
    page.wait_for_function("() => document.querySelector('.fs-date b').innerText === 'Feb 2024'")


def test_next_cascade_lights_the_network_and_why_is_told(page, folder):
    act(page, "cascade")
    assert page.locator(".fs-run").count() > 1
    page.screenshot(path=folder / "cascade.png")
    page.click(".fs-default[title^=click]")
    page.wait_for_selector(".fs-why li")
    assert page.locator(".fs-why li").last.inner_text().startswith("It began in")
    assert page.locator(".fs-books table").count() == 2
    page.screenshot(path=folder / "agent.png")
    page.click("[data-tab=credit]")
    page.wait_for_selector(".fs-bars svg")
    page.screenshot(path=folder / "illusion.png")


def test_a_click_on_a_node_opens_its_books(page):
    act(page, "month")
    node = page.locator(".fs-node[data-node='7']")
    node.click()
    page.wait_for_selector(".fs-agent h2")
    assert page.inner_text(".fs-agent h2").startswith("Lender 8")


def test_ten_thousand_are_sold_and_the_auction_is_shown(page, folder):
    act(page, "month")
    before = tick(page)
    act(page, "sell")
    assert tick(page) > before
    assert "10,000 H100 offered" in page.inner_text(".fs-auction-head")
    assert page.locator(".fs-auction svg[data-picture] path").count() == 2
    assert "10,000 H100s come to market" in page.inner_text(".fs-log")
    page.screenshot(path=folder / "sold.png")


def test_play_runs_pauses_and_survives_a_reset(page):
    page.click("[data-act=play]")
    page.wait_for_function("() => Number(document.querySelector('.fs-ctl').dataset.tick) % 1000000 > 25")
    page.click("[data-act=reset]")
    page.wait_for_function("() => Number(document.querySelector('.fs-ctl').dataset.tick) % 1000000 === 0")
    page.wait_for_timeout(600)
    assert tick(page) == 0
    assert "Play" in page.inner_text("[data-act=play]")
    page.click("[data-act=play]")
    page.wait_for_function("() => Number(document.querySelector('.fs-ctl').dataset.tick) % 1000000 > 25")
    page.click("[data-act=play]")
    page.wait_for_timeout(500)
    stopped = tick(page)
    page.wait_for_timeout(500)
    assert tick(page) == stopped


def test_two_hundred_clicks_at_once(page):
    page.evaluate(
        "() => { for (let k = 0; k < 200; k++) document.querySelector(`[data-act=${k % 5 === 4 ? 'back' : 'step'}]`).click() }"
    )
    # The back button is not enabled before the page has answered once: those clicks do nothing.
    page.wait_for_function(
        "() => Number(document.querySelector('.fs-ctl').dataset.tick) % 1000000 === 160", timeout=60_000
    )
    act(page, "month")
    assert tick(page) > 160


def test_sliders_say_what_they_change_and_apply_on_reset(page, folder):
    page.click("[data-act=settings]")
    page.wait_for_selector(".fs-par")
    for end in ("End", "Home"):
        for slider in page.locator(".fs-par input[type=range]").all():
            slider.focus()
            page.keyboard.press(end)
            page.keyboard.press("Tab")
    page.wait_for_selector(".fs-changes")
    page.screenshot(path=folder / "sliders.png")
    assert page.locator(".fs-changes > div").count() >= 8
    act(page, "apply")
    page.wait_for_selector(".fs-changes", state="detached")
    act(page, "month")
    page.focus("[data-path='buyers.budget_scale']")
    page.keyboard.press("End")
    page.keyboard.press("Tab")
    page.wait_for_selector("[data-act=twin]")
    page.click("[data-act=twin]")
    page.wait_for_selector("text=Dashed: the twin")
    assert page.locator(".fs-message").count() == 0


def test_a_wrong_file_is_said_and_the_run_stays(page, tmp_path):
    act(page, "month")
    before = tick(page)
    file = tmp_path / "mine.yaml"
    file.write_text("extends: base.yaml\nlenders: {max_lvt: 0.5}\n")
    page.set_input_files("input[type=file]", file)
    page.wait_for_selector(".fs-message")
    assert re.search(r"mine\.yaml:2:\d+: lenders\.max_lvt: .*max_ltv", page.inner_text(".fs-message"))
    assert tick(page) == before
    file.write_text("extends: base.yaml\ntitle: Mine\nrun: {months: 3}\n")
    page.set_input_files("input[type=file]", file)
    page.wait_for_selector("text=0 / 3 months")
    assert page.locator(".fs-message").count() == 0


def test_two_visitors_share_nothing(chromium, address, page):
    other = pages.visit(chromium, address)
    act(page, "month")
    page.click("[data-act=theme]")
    other.wait_for_timeout(500)
    assert tick(other) == 0
    ink = "() => getComputedStyle(document.documentElement).getPropertyValue('--fs-ink')"
    page.wait_for_function(f"({ink})() !== '{other.evaluate(ink)}'")
    assert other.faults == []
    other.context.close()


#: Boxes of texts in one drawing that lie over one another by more than two pixels both ways.
_OVERLAPS = """() => [...document.querySelectorAll('.fs-lines svg, .fs-bars svg, .fs-auction > svg')].flatMap(svg => {
  const boxes = [...svg.querySelectorAll('text')].map(t => [t.textContent, t.getBoundingClientRect()]);
  return boxes.flatMap(([a, p], i) => boxes.slice(i + 1).filter(([b, q]) =>
    Math.min(p.right, q.right) - Math.max(p.left, q.left) > 2 && Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top) > 3).map(([b]) => a + ' | ' + b));
})"""
_CUT = """() => [...document.querySelectorAll('.fs-tile, .fs-head, .fs-row')].filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.innerText)"""


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (1920, 1080)])
@pytest.mark.parametrize("dark", [False, True])
def test_the_page_fits_and_no_labels_overlap(page, folder, width, height, dark):
    page.set_viewport_size({"width": width, "height": height})
    if dark:
        page.click("[data-act=theme]")
    act(page, "cascade")
    for tab in ("market", "credit", "twin"):
        page.click(f"[data-tab={tab}]")
        page.wait_for_timeout(500)
        assert page.evaluate(_OVERLAPS) == []
        page.screenshot(path=folder / f"{tab}_{width}{'_dark' if dark else ''}.png")
    assert page.evaluate(_CUT) == []
    assert page.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth")
    assert page.evaluate(
        "() => document.querySelector('.fs-main-row').getBoundingClientRect().bottom <= window.innerHeight + 1"
    )


def test_a_lesson_asks_and_answers(chromium, folder):
    with pages.served(str(LESSONS / "margin_spiral.yaml")) as at:
        page = pages.visit(chromium, at)
        assert page.inner_text(".fs-lesson h2") == "The margin spiral"
        page.fill(".fs-guess input", "3")
        page.click("[data-act=guess]")
        assert "You said 3 neoclouds" in page.inner_text(".fs-said")
        assert page.locator(".fs-answer").count() == 0
        for _ in range(5):
            act(page, "month")
        page.wait_for_selector(".fs-answer")
        assert "5 neoclouds; you were off by 2" in page.inner_text(".fs-answer")
        page.screenshot(path=folder / "lesson.png")
        page.select_option("[data-act=scenario]", label="One loan and its covenant")
        page.wait_for_selector(".fs-lesson h2:text-is('One loan and its covenant')")
        assert page.faults == []
        page.context.close()


def test_exports(page, tmp_path, monkeypatch):
    act(page, "month")
    with page.expect_download() as config:
        page.select_option("[data-act=export]", "config")
    text = Path(config.value.path()).read_text()
    file = tmp_path / "again.yaml"
    file.write_text(text)
    assert load_scenario(file) == SCENARIO
    for kind, start in (("svg", b"<svg"), ("png", b"\x89PNG")):
        with page.expect_download() as picture:
            page.select_option("[data-act=export]", kind)
        assert Path(picture.value.path()).read_bytes().startswith(start)


def test_a_run_is_written_as_a_results_folder(chromium, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pages.served(str(BASE_FILE), "--seed", "3", "--set", "run.months=4") as at:
        page = pages.visit(chromium, at)
        act(page, "end")
        page.select_option("[data-act=export]", "results")
        page.wait_for_selector("text=Written to", timeout=60_000)
        assert (tmp_path / "results" / "base-seed3" / "report.html").exists()
        page.context.close()
