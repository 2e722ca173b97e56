"""The commands of many runs: sweep, report, rerun, claims."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from experiments.command import targets, terminal
from experiments.command.terminal import (
    Config,
    ExitCode,
    Set,
    duration,
    load_engine,
    make_console,
    print_table,
    say_inputs,
    write_whole,
)
from simulation.cores import cores

if TYPE_CHECKING:
    from rich.console import Console


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file to the command line."""
    for command in (sweep, report, rerun, claims):
        app.command()(command)


def sweep(
    config: Config,
    out: Annotated[
        str, typer.Option(metavar="DIR", help="results folder or fsspec URL", show_default="results/CONFIG")
    ] = "",
    set_: Set = None,
    scale: Annotated[int, typer.Option(min=1, help="multiply the replications: the paper version of a study")] = 1,
    workers: Annotated[int | None, typer.Option(min=1, help="threads", show_default="all cores")] = None,
    processes: Annotated[int, typer.Option(min=0, help="processes instead of threads")] = 0,
    dask: Annotated[
        str, typer.Option(metavar="ADDRESS", help="address of a dask scheduler; 'local' starts a cluster here")
    ] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="say what would run, how long it takes and how much disk it needs")
    ] = False,
    fail_fast: Annotated[bool, typer.Option("--fail-fast", help="end at the first failed run")] = False,
    unlock: Annotated[
        bool, typer.Option("--unlock", help="take the folder from a process that holds it and is known to be gone")
    ] = False,
    report: Annotated[
        bool, typer.Option("--report/--no-report", help="write report.html when all runs are done")
    ] = True,
) -> None:
    """Run a design of many runs; the same command again does what is missing."""
    from experiments.sweeps.study import read_study

    console = make_console(stderr=True)
    place = out or str(Path("results", config.stem))
    study = read_study(config, set_ or [])
    if scale > 1:
        study = read_study(config, [*(set_ or []), f"replications={scale * study.plan.replications}"])
    say_inputs(console, study.scenario_at(0))
    load_engine(console)
    from experiments.sweeps import sweep as engine

    if dry_run:
        done = engine.there(study, place)
        with console.status("Measuring"):
            seconds = engine.measure(study)
        _say_plan(
            study,
            seconds,
            done,
            place,
            workers or processes or cores(),
            "processes" if processes else "threads",
        )
        return
    say = partial(console.print, highlight=False, markup=False, soft_wrap=True)
    try:
        progress = _sweep_with_bar(engine, study, place, workers, processes, dask, fail_fast, unlock, console)
    except KeyboardInterrupt:
        say(f"Interrupted; what is done is kept in {place}. Go on with the same command: {terminal.command()}")
        sys.exit(ExitCode.INTERRUPTED)
    say(f"{progress.done:,} of {progress.runs:,} runs in {place}, {progress.failed:,} failed")
    if progress.failed:
        _say_failed(place, say)
        if fail_fast and progress.done < progress.runs:
            say("Ended at a failed run, as --fail-fast asks; the same command goes on after it.")
    if report and progress.done == progress.runs:
        with console.status("Writing the report"):
            from experiments.sweeps.report import write_sweep_report

            file = write_sweep_report(place)
        say(f"Report: {file}")
    if progress.failed:
        sys.exit(ExitCode.FAILED_RUNS)


def _sweep_with_bar(
    engine: Any,
    study: Any,
    place: str,
    workers: int | None,
    processes: int,
    dask: str,
    fail_fast: bool,
    unlock: bool,
    console: Console,
) -> Any:
    """Run the sweep with a bar of progress, time left and counts, shown once the folder is known to be sound."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    bar = Progress(*columns, console=console)
    task = bar.add_task("Runs", total=study.runs)

    def tell(progress: Any) -> None:
        bar.update(
            task,
            completed=progress.done,
            description=f"Runs ({progress.skipped:,} were there, {progress.failed:,} failed)",
        )
        bar.start()

    try:
        return engine.sweep(
            study,
            place,
            command=terminal.command(),
            workers=workers,
            processes=processes,
            dask=dask,
            fail_fast=fail_fast,
            break_lock=unlock,
            tell=tell,
        )
    finally:
        if bar.live.is_started:
            bar.stop()


def _say_failed(place: str, say: Callable[[str], None]) -> None:
    """Say which runs failed, by message, and how to look at one."""
    from experiments.sweeps.reading import load

    runs = load(place).runs
    failed = runs[runs["status"] != "done"]
    for message, group in list(failed.groupby("message", sort=False))[:3]:
        say(f"  {len(group):,} times, first run {group['run'].iloc[0]}: {message}")
    say(
        f"All in the column 'message' of the runs; one run again, whole: firesale rerun {place} {failed['run'].iloc[0]}"
    )


def _say_plan(study: Any, seconds: float, done: int, place: str, width: int, what: str) -> None:
    """Print how many runs a sweep has, how long they take and the disk they need."""
    left = study.runs - done
    worlds = 2 if study.plan.twin else 1
    # Measured on the shipped studies: bytes a shard, a row of runs, a value of the panel, a run's events.
    shards = max(8, left * seconds / 3.0)
    size = 17e3 * shards + left * (
        250 * worlds
        + 9.5 * len(study.plan.record.panel) * study.scenario.run.months
        + (9e3 if study.plan.record.events else 0)
    )
    draws = "every point sees the same draws" if study.plan.seeds == "shared" else "draws of its own for every point"
    rows = [
        ("design", f"{study.plan.sweep.design}, {len(study.points):,} points"),
        ("replications", f"{study.plan.replications:,} of each point, {draws}"),
        (
            "runs",
            f"{study.runs:,}"
            + (", each with its twin" if study.plan.twin else "")
            + (f"; {done:,} are there, {left:,} are missing" if done else ""),
        ),
        (
            "time",
            f"about {duration(left * seconds / width)} on {width} {what}, without start and report ({1e3 * seconds:.1f} ms a run, the median of three measured now)",
        ),
        ("disk", f"about {_bytes(size)} in {place}"),
    ]
    print_table("What would run", ("", ""), rows)


def _bytes(size: float) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{max(0.1, size / 1e6):.1f} MB"


def claims(
    runs: Annotated[int, typer.Option(min=10, help="runs an arm at the base")] = 100,
    scale: Annotated[int, typer.Option(min=1, help="multiply the runs: the paper version")] = 1,
    out: Annotated[Path, typer.Option(help="folder of claims.md and its figures")] = Path("results/claims"),
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="a base of your own", show_default="the shipped base")
    ] = None,
    set_: Set = None,
    only: Annotated[str, typer.Option(metavar="KEY,...", help="some claims, by comma", show_default="all")] = "",
    ranges: Annotated[
        bool,
        typer.Option(
            "--ranges", help="also try the range of every parameter without a source: where do verdicts turn?"
        ),
    ] = False,
    budget: Annotated[int | None, typer.Option(min=1, help="runs of the ranges", show_default="130,000")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="a first impression of the ranges: 55,000 runs")] = False,
    workers: Annotated[int | None, typer.Option(min=1, help="threads", show_default="all cores")] = None,
    log: Annotated[Path, typer.Option(help="folder in which runs are kept")] = Path("results/claims-runs"),
) -> None:
    """Test every claim of the article: a paired experiment, a figure and a verdict each. The same command again goes on."""
    from simulation.scenario.config import load_scenario
    from simulation.scenario.document import base_config

    if (budget is not None or quick) and not ranges:
        raise typer.BadParameter("--budget and --quick are about the ranges: add --ranges")
    base = load_scenario(config or base_config(), set_ or [])
    targets.check_made(out / "claims.md", "Generated by `firesale claims", "a document of the claims")
    targets.check_drawn(out / "images", "claim*_*.svg")
    console = make_console(stderr=True)
    say_inputs(console, base)
    load_engine(console)
    from experiments.evidence.claims.document import chosen, write_claims
    from experiments.evidence.claims.lab import Engine, Lab, Log
    from experiments.evidence.claims.ranges import BUDGET, QUICK

    some = chosen(part.strip() for part in only.split(",") if part.strip())
    limit = (budget or (QUICK if quick else BUDGET)) if ranges else 0
    say = partial(console.print, highlight=False, markup=False, soft_wrap=True)
    kept = Log(log, base)
    try:
        with kept.locked(), console.status("Running") as status:
            lab = Lab(
                Engine(base), workers=workers or cores(), log=kept,
                tell=lambda lab: status.update(_progress(lab, limit)),
            )  # fmt: skip
            file = write_claims(out, base, lab, runs * scale, terminal.command(), budget=limit, claims=some, say=say)
    except KeyboardInterrupt:
        say(f"Interrupted; runs are kept in {log}. Go on with the same command: {terminal.command()}")
        sys.exit(ExitCode.INTERRUPTED)
    print(file)


def _progress(lab: Any, budget: int) -> str:
    """Return how far the runs of the claims are: stage, runs, speed, time that the budget would still take."""
    text = f"{lab.stage}: {lab.done:,} runs"
    if not budget:
        return text
    left = f", at most {duration((budget - lab.done) / lab.speed)} left" if lab.speed and lab.done < budget else ""
    return f"{text} of at most {budget:,}, {lab.speed:.0f} a second{left}"


def report(folder: Annotated[str, typer.Argument(metavar="DIR", help="results folder of a sweep")]) -> None:
    """Write the report of a sweep again, from what is stored."""
    terminal.settle_figures()
    from experiments.sweeps.report import write_sweep_report

    print(write_sweep_report(folder))


def rerun(
    folder: Annotated[str, typer.Argument(metavar="DIR", help="results folder of a sweep")],
    number: Annotated[int, typer.Argument(metavar="RUN", min=0, help="number of the run (column 'run')")],
    out: Annotated[Path | None, typer.Option(help="results folder", show_default="DIR-runN")] = None,
) -> None:
    """Run one run of a sweep again, whole: tables, events, figures, report."""
    from agents.rule import source_hash
    from experiments.sweeps.reading import load
    from experiments.sweeps.stored import scenario_of

    folder = folder.removeprefix("file://")

    console = make_console(stderr=True)
    scenario, twin, seed, replication = scenario_of(folder, number)
    if load(folder).manifest.get("sources") != source_hash():
        console.print(
            f"The sources of the engine changed since {folder} was begun: the run may differ from its row.",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
    place = (
        Path(f"{folder.rstrip('/')}-run{number}")
        if "://" not in folder
        else Path("results", f"{folder.rstrip('/').rpartition('/')[2]}-run{number}")
    )
    from experiments.run.folder import check_output, identity

    this = identity(scenario, seed, replication, twin)
    check_output(out or place, this, numbered=out is None)
    say_inputs(console, scenario, twin)
    engine = load_engine(console)
    result = engine(scenario, seed, replication, twin=twin)
    print(write_whole(result, out or place, numbered=out is None, run=this).folder)
