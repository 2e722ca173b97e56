"""The commands of many runs: sweep, report, rerun, claims."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from experiments import terminal
from experiments.terminal import Config, Set, load_engine, make_console, print_table, write_whole

if TYPE_CHECKING:
    from rich.console import Console


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file to the command line."""
    for command in (sweep, report, rerun, claims):
        app.command()(command)


def sweep(
    config: Config,
    out: Annotated[Path | None, typer.Option(help="results folder or fsspec URL", show_default="results/CONFIG")] = None,
    set_: Set = None,
    scale: Annotated[int, typer.Option(min=1, help="multiply the replications: the paper version of a study")] = 1,
    workers: Annotated[int | None, typer.Option(min=1, help="threads", show_default="all cores")] = None,
    processes: Annotated[int, typer.Option(min=0, help="processes instead of threads")] = 0,
    dask: Annotated[str, typer.Option(help="address of a dask scheduler; 'local' starts a cluster here")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say what would run, how long it takes and how much disk it needs")] = False,
    fail_fast: Annotated[bool, typer.Option("--fail-fast", help="end at the first failed run")] = False,
    report: Annotated[bool, typer.Option("--report/--no-report", help="write report.html when all runs are done")] = True,
) -> None:
    """Run a design of many runs; the same command again does what is missing."""
    from experiments.study import read_study

    console = make_console(stderr=True)
    # A path may be a URL, whose slashes pathlib would fold.
    place = str(out).replace(":/", "://", 1) if out and ":/" in str(out) and "://" not in str(out) else str(out or Path("results", config.stem))
    study = read_study(config, set_ or [])
    if scale > 1:
        study = read_study(config, [*(set_ or []), f"replications={scale * study.plan.replications}"])
    load_engine(console)
    from experiments import sweep as engine

    if dry_run:
        _say_plan(study, engine.measure(study), place, workers or processes, console)
        return
    try:
        progress = _sweep_with_bar(engine, study, place, workers, processes, dask, fail_fast, console)
    except KeyboardInterrupt:
        console.print(f"Interrupted; what is done is kept. Go on with the same command: {terminal.command()}", soft_wrap=True, highlight=False, markup=False)
        sys.exit(130)
    console.print(f"{progress.done:,} of {progress.runs:,} runs in {place}, {progress.failed:,} failed", highlight=False, markup=False, soft_wrap=True)
    if progress.failed:
        console.print(f"See the column 'message' of the runs; one run again: firesale rerun {place} RUN", highlight=False, markup=False, soft_wrap=True)
    if report and progress.done == progress.runs and "://" not in place:
        with console.status("Writing the report"):
            from experiments.sweep_report import write_sweep_report

            file = write_sweep_report(place)
        console.print(f"Report: {file}", highlight=False, markup=False, soft_wrap=True)
    if progress.failed:
        sys.exit(4)


def _sweep_with_bar(engine: Any, study: Any, place: str, workers: int | None, processes: int, dask: str, fail_fast: bool, console: Console) -> Any:
    """Run the sweep with a bar of progress, time left and counts."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("Runs", total=study.runs)

        def tell(progress: Any) -> None:
            text = f"Runs ({progress.skipped:,} were there, {progress.failed:,} failed)"
            bar.update(task, completed=progress.done, description=text)

        return engine.sweep(
            study, place, command=terminal.command(), workers=workers, processes=processes, dask=dask, fail_fast=fail_fast, tell=tell
        )


def _say_plan(study: Any, seconds: float, place: str, workers: int | None, console: Console) -> None:
    """Print how many runs a sweep has, how long they take and the disk they need."""
    width = workers or os.cpu_count() or 1
    months = study.scenario.run.months
    row = 400 + 8 * len(study.plan.record.panel) * months + (120 * 400 if study.plan.record.events else 0)
    rows = [
        ("design", f"{study.plan.sweep.design}, {len(study.points):,} points"),
        ("replications", f"{study.plan.replications:,}, draws {study.plan.seeds}"),
        ("runs", f"{study.runs:,}" + (", each with its twin" if study.plan.twin else "")),
        ("time", f"about {_duration(study.runs * seconds / width)} on {width} workers ({1e3 * seconds:.1f} ms a run, measured on three)"),
        ("disk", f"about {study.runs * row / 1e6:,.1f} MB in {place}"),
    ]
    print_table("What would run", ("", ""), rows)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def claims(
    runs: Annotated[int, typer.Option(min=10, help="runs an arm")] = 100,
    scale: Annotated[int, typer.Option(min=1, help="multiply the runs: the paper version")] = 1,
    out: Annotated[Path, typer.Option(help="folder of claims.md and its figures")] = Path("results/claims"),
) -> None:
    """Test every claim of the article: a paired experiment, a figure and a verdict each."""
    console = make_console(stderr=True)
    load_engine(console)
    from experiments.claims import write_claims

    print(write_claims(out, runs * scale, terminal.command(), say=lambda text: console.print(text, highlight=False, markup=False, soft_wrap=True)))


def report(folder: Annotated[str, typer.Argument(metavar="DIR", help="results folder of a sweep")]) -> None:
    """Write the report of a sweep again, from what is stored."""
    from experiments.sweep_report import write_sweep_report

    print(write_sweep_report(folder))


def rerun(
    folder: Annotated[str, typer.Argument(metavar="DIR", help="results folder of a sweep")],
    number: Annotated[int, typer.Argument(metavar="RUN", min=0, help="number of the run (column 'run')")],
    out: Annotated[Path | None, typer.Option(help="results folder", show_default="DIR-runN")] = None,
) -> None:
    """Run one run of a sweep again, whole: tables, events, figures, report."""
    from experiments.sweep import scenario_of

    console = make_console(stderr=True)
    scenario, twin, seed, replication = scenario_of(folder, number)
    engine = load_engine(console)
    result = engine(scenario, seed, replication, twin=twin)
    print(write_whole(result, Path(f"{folder.rstrip('/')}-run{number}") if out is None else out))
