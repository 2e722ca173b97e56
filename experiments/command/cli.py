"""The command ``firesale``.

Only what a command needs is imported, when it needs it: ``firesale --help`` and ``firesale explain`` load
neither the engine nor the figures.

Exit codes: :class:`experiments.command.terminal.ExitCode`.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import io
import os
import secrets
import statistics
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from experiments.command import calibrate, campaign, economics, evidence, explain, init, sweeps, terminal
from experiments.command.terminal import (
    Config,
    ConfigOrBase,
    ExitCode,
    Set,
    load_engine,
    make_console,
    print_table,
    say_compiling,
    say_inputs,
    write_whole,
)

app = typer.Typer(
    help="Leverage, defaults and fire-sale cascades in GPU-backed credit.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit."""
    terminal.arguments[:] = sys.argv[1:] if arguments is None else arguments
    for stream in (sys.stdout, sys.stderr):
        # A title may hold letters that the output has no code for: they are shown as \\N{...}, not refused.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        try:
            app(args=list(terminal.arguments))
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:
        sys.exit(ExitCode.INTERRUPTED)
    except SystemExit as stop:
        # Whoever read the output has seen enough: Typer ends with 1, which is no fault here.
        sys.exit(ExitCode.DONE if isinstance(stop.__context__, BrokenPipeError) else stop.code)
    except BrokenPipeError:
        _mute()
        sys.exit(ExitCode.DONE)
    except Exception as error:
        code = _exit_code(error)
        if code is None:
            raise
        text = str(error) or type(error).__name__
        if isinstance(error, OSError) and error.filename is None and error.strerror:
            # Whatever else writes names its file.
            text = f"The output cannot be written ({error.strerror})"
            _mute()
        print(text, file=sys.stderr)
        sys.exit(code)


def _mute() -> None:
    """Let what is still to be printed go nowhere: it cannot be written, and Python would try again at its end."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _exit_code(error: Exception) -> int | None:
    """Return the exit code of an error that is no bug, None for a bug."""
    from simulation.scenario.faults import ConfigError

    # The engine's own error is known only if the engine was loaded.
    engine = sys.modules.get("simulation.runs")
    if engine is not None and isinstance(error, engine.InvariantError):
        return ExitCode.IDENTITY
    return ExitCode.ASKED if isinstance(error, ConfigError | OSError) else None


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"gpu-firesale {importlib.metadata.version('gpu-firesale')}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


# --- run ----------------------------------------------------------------------------------------------------------


@app.command()
def run(
    config: Config,
    seed: Annotated[int, typer.Option(min=0, help="seed of all draws")] = 1,
    months: Annotated[int | None, typer.Option(help="horizon in months (run.months)", show_default=False)] = None,
    set_: Set = None,
    out: Annotated[Path | None, typer.Option(help="results folder", show_default="results/CONFIG-seedN")] = None,
    twin: Annotated[
        list[str] | None,
        typer.Option(metavar="PATH=VALUE", help="also run a twin: same draws, this changed (repeatable)"),
    ] = None,
    report: Annotated[bool, typer.Option("--report/--no-report", help="write report.html")] = True,
    figures: Annotated[bool, typer.Option("--figures/--no-figures", help="write figures (PNG and SVG)")] = True,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="print the results folder only")] = False,
) -> None:
    """Run a scenario once and write tables, figures and a report."""
    from simulation.scenario.config import load_scenario, set_path

    scenario = load_scenario(config, _overrides(set_, months))
    changed = set_path(scenario, twin, "--twin") if twin else None
    console = make_console(stderr=True, quiet=quiet)
    say_inputs(console, scenario, changed)
    with console.status("Loading"):
        from experiments.run.folder import check_output, identity
    place = Path("results", f"{config.stem}-seed{seed}") if out is None else out
    this = identity(scenario, seed, twin=changed)
    # Refused before the run, not after it.
    check_output(place, this, numbered=out is None)
    engine = load_engine(console)
    with console.status("Running"):
        result = engine(scenario, seed, twin=changed)
    placed = write_whole(
        result, place, numbered=out is None, run=this, figures=figures, report=report, status=console.status
    )
    if quiet:
        print(placed.folder)
        return
    from experiments.run.summary_table import print_summary

    print_summary(result, result.twin, make_console())
    told = ""
    if out is None and placed.folder.name != place.name:
        told = f"; {place} holds something else and was left alone"
    if placed.again:
        told += "; the same run was there and is written anew"
    console.print(f"Results in {placed.folder}{told}", soft_wrap=True, highlight=False, markup=False)


def _overrides(set_: list[str] | None, months: int | None) -> list[str]:
    return [*(set_ or []), *([] if months is None else [f"run.months={months}"])]


# --- browse -------------------------------------------------------------------------------------------------------


@app.command()
def browse(
    config: ConfigOrBase = None,
    seed: Annotated[int, typer.Option(min=0, help="seed of all draws")] = 1,
    set_: Set = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="port, 0 for a free one")] = 8765,
    host: Annotated[str, typer.Option(help="address to serve on; the page has no login")] = "127.0.0.1",
    show: Annotated[bool, typer.Option("--open/--no-open", help="open the page in the browser")] = True,
) -> None:
    """Open the page: step through a run in the browser."""
    from simulation.scenario.config import load_scenario
    from simulation.scenario.document import base_config

    console = make_console(stderr=True)
    config = base_config() if config is None else config
    say_inputs(console, load_scenario(config, set_ or []))  # a fault is said here, before anything is served
    with console.status("Loading"):
        from agents.rule import is_compiled_on_disk
        from simulation.browser.desk import Options
        from simulation.browser.serve import has_assets, serve
    if not is_compiled_on_disk():
        say_compiling(console)
    if not has_assets():
        console.print(
            "The page's scripts come from the network: pip install 'gpu-firesale[offline]' keeps them here.",
            highlight=False,
            markup=False,
        )
    options = Options(config, seed, tuple(set_ or []), _export)
    try:
        serve(
            options,
            host,
            port,
            show=show,
            announce=lambda at: console.print(f"The page is at {at}  (Ctrl-C ends it)", highlight=False),
        )
    except OSError as error:
        raise OSError(f"cannot serve on {host}:{port}: {error.strerror}; try --port 0 for a free port") from None


def _export(result: Any, name: str) -> Path:
    """Write a run of the page as a results folder, with figures and report; return the folder."""
    return write_whole(result, Path("results", name), numbered=True, page=secrets.token_hex(8)).folder


# --- sweep, report, rerun, claims ---------------------------------------------------------------------------------

sweeps.add_to(app)


evidence.add_to(app)


calibrate.add_to(app)
app.command()(economics.economics)
app.command()(campaign.campaign)


# --- explain ------------------------------------------------------------------------------------------------------

app.command()(explain.explain)
app.command()(init.init)


# --- bench --------------------------------------------------------------------------------------------------------


@app.command()
def bench(
    config: Config,
    runs: Annotated[int, typer.Option(min=1, help="warm runs to time, seeds 1 to N")] = 21,
    set_: Set = None,
) -> None:
    """Time warm runs of a scenario."""
    from simulation.scenario.config import load_scenario

    scenario = load_scenario(config, _overrides(set_, None))
    console = make_console(stderr=True)
    say_inputs(console, scenario)
    engine = load_engine(console)
    from rich.progress import track

    began = time.perf_counter()
    world = engine(scenario, 1, amplification=False).world
    first = time.perf_counter() - began
    timed = []
    for seed in track(range(1, runs + 1), "Running", console=console, transient=True):
        began = time.perf_counter()
        seconds = engine(scenario, seed, amplification=False).seconds
        timed.append((seconds["build"], seconds["kernels"], time.perf_counter() - began))
    rows = []
    for name, column in zip(("build", "kernels", "whole run"), zip(*timed, strict=True), strict=True):
        taken = sorted(1e3 * seconds for seconds in column)
        rows.append((name, *(f"{x:.2f}" for x in (statistics.median(taken), taken[0], taken[-1]))))
    print_table(f"{runs} warm runs of {config}, ms", ("", "median", "fastest", "slowest"), rows, right=(1, 2, 3))
    agents = len(world.lenders) + len(world.operators) + len(world.buyers)
    kernels = 1e9 * statistics.median(kernels for _, kernels, _ in timed) / (agents * scenario.run.months)
    print(f"{agents} agents, {scenario.run.months} months: {kernels:.0f} ns an agent and month in kernels")
    print(f"First run: {first:.1f} s, with compiling or loading the compiled rules")
