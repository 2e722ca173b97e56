"""The command ``firesale calibrate``: a scenario against the record, by a search that can be repeated."""

from __future__ import annotations

import math
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from experiments.command import targets, terminal
from experiments.command.terminal import Config, Set, duration, load_engine, make_console, print_table

if TYPE_CHECKING:
    from rich.console import Console


def add_to(app: typer.Typer) -> None:
    """Add the command of this file to the command line."""
    app.command()(calibrate)


def calibrate(
    config: Config,
    budget: Annotated[
        int | None, typer.Option(min=2, help="candidates to try (search.budget)", show_default=False)
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            min=2, help="runs of each candidate (search.seeds); with --signs: of each arm", show_default=False
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="results folder", show_default="results/calibration-CONFIG")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="say what is compared and tried, and how long it takes")
    ] = False,
    signs: Annotated[
        bool, typer.Option("--signs", help="measure the signs of seven changes on paired draws instead; any config")
    ] = False,
    write: Annotated[
        Path | None, typer.Option(metavar="FILE.md", help="Markdown file whose generated block is replaced")
    ] = None,
    set_: Set = None,
) -> None:
    """Calibrate a scenario to the record, say what the data pin and forecast what is held out; the same command goes on."""
    console = make_console(stderr=True)
    if write is not None:
        targets.check_document(write)
        targets.check_drawn(write.parent / "images", "calibration_*.png", "--write")
    if signs:
        _signs(config, seeds, set_ or [], write, console)
        return
    from experiments.evidence.calibration.declare import read_calibration

    options = [f"search.{name}={n}" for name, n in (("budget", budget), ("seeds", seeds)) if n is not None]
    calibration = read_calibration(config, [*(set_ or []), *options])
    folder = Path("results", f"calibration-{config.stem}") if out is None else out
    targets.check_made(folder / "report.md", "# Calibration\n", "the report of a calibration")
    targets.check_drawn(folder / "images", "calibration_*.png")
    load_engine(console)
    if dry_run:
        _say_plan(calibration, folder, console)
        return
    say = partial(console.print, highlight=False, markup=False, soft_wrap=True)
    try:
        outcome = _calibrate_with_bar(calibration, folder, console)
    except KeyboardInterrupt:
        say(f"Interrupted; what is done is kept in {folder}. Go on with the same command: {terminal.command()}")
        sys.exit(terminal.ExitCode.INTERRUPTED)
    _write(outcome, folder, write, console)


def _calibrate_with_bar(calibration: Any, folder: Path, console: Console) -> Any:
    """Calibrate with a bar of progress: candidates, the best so far, what failed."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from experiments.evidence.calibration.calibrate import calibrate as engine

    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console
    )
    task = bar.add_task("Candidates", total=calibration.search.budget)

    def searched(found: list[Any]) -> None:
        values = [c.objective for c in found]
        failed = sum(map(math.isinf, values))
        bar.update(task, completed=len(found), description=f"Candidates (best {min(values):.1f}, {failed} failed)")

    with bar:
        return engine(
            calibration, folder, terminal.command(), searched, lambda text: bar.update(task, description=text)
        )


def _write(outcome: Any, folder: Path, write: Path | None, console: Console) -> None:
    """Print what was found; write the report and the figures into the folder and, if asked, into a document."""
    from experiments.documents.generated import write_block
    from experiments.evidence.calibration.figures import write_figures
    from experiments.evidence.calibration.report import report, summary
    from experiments.output import drafted, write_file

    heads = ("parameter", "as it stands", "found", "the data say")
    print_table(f"Calibration of {outcome.calibration.file}", heads, summary(outcome), right=(1, 2))
    with console.status("Drawing figures"):
        with drafted(folder / "images") as drafts:
            figures = write_figures(outcome, drafts, "calibration")
        text = report(outcome, [f"images/{file.name}" for file in figures])
        write_file(folder / "report.md", f"# Calibration\n\n`{terminal.command()}` gave:\n\n{text}")
        if write is not None:
            with drafted(write.parent / "images") as drafts:
                write_figures(outcome, drafts, "calibration")
            write_block(write, "calibration", text, terminal.command())
    say = partial(console.print, highlight=False, markup=False, soft_wrap=True)
    failed = sum(math.isinf(c.objective) for c in outcome.candidates)
    if failed:
        first = next(c for c in outcome.candidates if math.isinf(c.objective))
        say(
            f"{failed} candidates stopped with a fault and count as infinitely bad; the first, number {first.number}: {first.message}"
        )
    say(f"Report: {folder / 'report.md'}; the scenario that was found: {folder / 'calibrated.yaml'}")
    if write is not None:
        say(f"Written to {write}")


def _say_plan(calibration: Any, folder: Path, console: Console) -> None:
    """Print what is compared, what is free, how many runs that makes and how long they take."""
    from experiments.evidence.calibration.calibrate import plan
    from experiments.evidence.calibration.report import recorded, show

    with console.status("Measuring"):
        found = plan(calibration, folder)
    print_table(
        f"Compared, up to {calibration.search.until}", ("moment", "recorded", "standard error", "weight", "source"),
        [(m.name, recorded(m), show(m.error, m.unit), f"{m.weight:g}", f"{m.source} [{m.grade}]") for m in calibration.moments],
    )  # fmt: skip
    before = calibration.values(calibration.start)
    print_table(
        "Free", ("parameter", "as it stands", "from", "to", ""),
        [(a.path, f"{before[a.path]:g}", f"{a.low:g}", f"{a.high:g}", "logarithms" if a.log else "") for a in calibration.axes],
    )  # fmt: skip
    search = calibration.search
    left = max(0, search.budget - found.done) * search.seeds
    rows = [
        ("held out", f"{len(calibration.held_out)} records after {search.until}"),
        ("search", f"{search.budget:,} candidates on {search.seeds:,} seeds: {found.runs:,} runs; {found.done:,} candidates are there"),
        ("afterwards", f"derivatives on {search.fresh_seeds:,} fresh seeds, profiles, forecast: {found.after:,} runs"),
        ("time", f"about {duration((left + found.after) * found.seconds)} ({1e3 * found.seconds:.1f} ms a run, measured now)"),
        ("folder", str(folder)),
    ]  # fmt: skip
    print_table("What would run", ("", ""), rows)


def _signs(config: Path, seeds: int | None, set_: list[str], write: Path | None, console: Console) -> None:
    """Measure risk and signs of a scenario, or of the scenario of a calibration."""
    from experiments.evidence.calibration.declare import KEYS
    from simulation.scenario.config import load_study

    scenario, _, _ = load_study(config, set_, KEYS)
    load_engine(console)
    from experiments.documents.generated import write_block
    from experiments.evidence.signs import signs

    with console.status("Running the pairs"):
        text = signs(scenario, seeds or _SIGN_SEEDS, _SIGN_FIRST)
    print(text)
    if write is not None:
        write_block(write, "signs", text, terminal.command())
        console.print(f"Written to {write}", highlight=False, markup=False, soft_wrap=True)


#: Runs of each arm of a sign, and the first of their seeds: none that a search has seen.
_SIGN_SEEDS, _SIGN_FIRST = 200, 1001
