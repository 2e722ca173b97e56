"""The command ``firesale``.

Only what a command needs is imported, when it needs it: ``firesale --help`` and ``firesale explain`` load
neither the engine nor the figures.

Exit codes: 0 done, 2 something asked for is wrong, 3 the engine violated an identity, 130 interrupted.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import shlex
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

app = typer.Typer(
    help="Leverage, defaults and fire-sale cascades in GPU-backed credit.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
_arguments: list[str] = []

Config = Annotated[Path, typer.Argument(metavar="CONFIG", help="a config file (YAML)", show_default=False)]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="change a parameter: lenders.max_ltv=0.65 (repeatable)"),
]


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit."""
    _arguments[:] = sys.argv[1:] if arguments is None else arguments
    try:
        app(args=list(_arguments))
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        code = _exit_code(error)
        if code is None:
            raise
        print(str(error) or type(error).__name__, file=sys.stderr)
        sys.exit(code)


def _exit_code(error: Exception) -> int | None:
    """Return the exit code of an error that is no bug, None for a bug."""
    from simulation.config import ConfigError

    # The engine's own error is known only if the engine was loaded.
    engine = sys.modules.get("simulation.runs")
    if engine is not None and isinstance(error, engine.InvariantError):
        return 3
    return 2 if isinstance(error, ConfigError | OSError) else None


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
    from simulation.config import load_scenario, scenario_to_yaml, set_path

    scenario = load_scenario(config, _overrides(set_, months))
    changed = set_path(scenario, twin, "--twin") if twin else None
    console = _console(stderr=True, quiet=quiet)
    with console.status("Loading"):
        from experiments.results import check_output, write_results
    # Refused before the run, not after it.
    folder = check_output(Path("results", f"{config.stem}-seed{seed}") if out is None else out)
    engine = _engine(console)
    with console.status("Running"):
        result = engine(scenario, seed, twin=changed)

    def finish(work: Path) -> None:
        if figures:
            with console.status("Drawing figures"):
                importlib.import_module("experiments.figures").write_figures(work, result)
        if report:
            with console.status("Writing the report"):
                importlib.import_module("experiments.report").write_report(work, result)

    write_results(
        result,
        folder,
        config_text=scenario_to_yaml(scenario),
        command=shlex.join(["firesale", *_arguments]),
        twin=result.twin,
        finish=finish,
    )
    if quiet:
        print(folder)
        return
    from experiments.summary_table import print_summary

    print_summary(result, result.twin, _console())
    console.print(f"Results in {folder}", soft_wrap=True, highlight=False, markup=False)


def _overrides(set_: list[str] | None, months: int | None) -> list[str]:
    return [*(set_ or []), *([] if months is None else [f"run.months={months}"])]


def _engine(console: Console) -> Callable[..., Any]:
    """Return ``simulation.runs.run``, saying so if the first run will compile the rules."""
    with console.status("Loading"):
        from agents.rule import is_compiled_on_disk
        from simulation.runs import run as engine
    if not is_compiled_on_disk():
        console.print("Compiling the rules: once for this version, about half a minute.", highlight=False)
    return engine


# --- browse -------------------------------------------------------------------------------------------------------


@app.command()
def browse(
    config: Annotated[Path | None, typer.Argument(metavar="[CONFIG]", help="a config file (YAML)", show_default="the base")] = None,
    seed: Annotated[int, typer.Option(min=0, help="seed of all draws")] = 1,
    set_: Set = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="port, 0 for a free one")] = 8765,
    host: Annotated[str, typer.Option(help="address to serve on; the page has no login")] = "127.0.0.1",
    show: Annotated[bool, typer.Option("--open/--no-open", help="open the page in the browser")] = True,
) -> None:
    """Open the page: step through a run in the browser."""
    from simulation.config import base_config, load_scenario

    console = _console(stderr=True)
    config = base_config() if config is None else config
    load_scenario(config, set_ or [])  # a fault is said here, before anything is served
    with console.status("Loading"):
        from agents.rule import is_compiled_on_disk
        from simulation.browser.desk import Options
        from simulation.browser.serve import has_assets, serve
    if not is_compiled_on_disk():
        console.print("Compiling the rules: once for this version, about half a minute.", highlight=False)
    if not has_assets():
        console.print("The page's scripts come from the network: pip install 'gpu-firesale[offline]' keeps them here.", highlight=False, markup=False)
    options = Options(config, seed, tuple(set_ or []), _export)
    try:
        serve(options, host, port, show=show, announce=lambda at: console.print(f"The page is at {at}  (Ctrl-C ends it)", highlight=False))
    except OSError as error:
        raise OSError(f"cannot serve on {host}:{port}: {error.strerror}; try --port 0 for a free port") from None


def _export(result: Any, name: str) -> Path:
    """Write a run of the page as a results folder, with figures and report; return the folder."""
    folder, k = Path("results", name), 2
    while folder.exists():
        folder, k = Path("results", f"{name}-{k}"), k + 1
    return _write_whole(result, folder)


def _write_whole(result: Any, folder: Path) -> Path:
    """Write a results folder with figures and report; return it."""
    from experiments.results import check_output, write_results
    from simulation.config import scenario_to_yaml

    def finish(work: Path) -> None:
        importlib.import_module("experiments.figures").write_figures(work, result)
        importlib.import_module("experiments.report").write_report(work, result)

    write_results(
        result, check_output(folder), config_text=scenario_to_yaml(result.scenario),
        command=shlex.join(["firesale", *_arguments]), twin=result.twin, finish=finish,
    )  # fmt: skip
    return folder.resolve()


# --- sweep --------------------------------------------------------------------------------------------------------


@app.command()
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

    console = _console(stderr=True)
    # A path may be a URL, whose slashes pathlib would fold.
    place = str(out).replace(":/", "://", 1) if out and ":/" in str(out) and "://" not in str(out) else str(out or Path("results", config.stem))
    study = read_study(config, set_ or [])
    if scale > 1:
        study = read_study(config, [*(set_ or []), f"replications={scale * study.plan.replications}"])
    _engine(console)
    from experiments import sweep as engine

    if dry_run:
        _say_plan(study, engine.measure(study), place, workers or processes, console)
        return
    try:
        progress = _sweep_with_bar(engine, study, place, workers, processes, dask, fail_fast, console)
    except KeyboardInterrupt:
        console.print(f"Interrupted; what is done is kept. Go on with the same command: firesale {shlex.join(_arguments)}", soft_wrap=True, highlight=False, markup=False)
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
            study, place, command=shlex.join(["firesale", *_arguments]), workers=workers, processes=processes, dask=dask, fail_fast=fail_fast, tell=tell
        )


def _say_plan(study: Any, seconds: float, place: str, workers: int | None, console: Console) -> None:
    """Print how many runs a sweep has, how long they take and the disk they need."""
    import os

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
    _print_table("What would run", ("", ""), rows)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


@app.command()
def claims(
    runs: Annotated[int, typer.Option(min=10, help="runs an arm")] = 100,
    scale: Annotated[int, typer.Option(min=1, help="multiply the runs: the paper version")] = 1,
    out: Annotated[Path, typer.Option(help="folder of claims.md and its figures")] = Path("results/claims"),
) -> None:
    """Test every claim of the article: a paired experiment, a figure and a verdict each."""
    console = _console(stderr=True)
    _engine(console)
    from experiments.claims import write_claims

    print(write_claims(out, runs * scale, shlex.join(["firesale", *_arguments]), say=lambda text: console.print(text, highlight=False, markup=False, soft_wrap=True)))


@app.command()
def report(folder: Annotated[str, typer.Argument(metavar="DIR", help="results folder of a sweep")]) -> None:
    """Write the report of a sweep again, from what is stored."""
    from experiments.sweep_report import write_sweep_report

    print(write_sweep_report(folder))


@app.command()
def rerun(
    folder: Annotated[str, typer.Argument(metavar="DIR", help="results folder of a sweep")],
    number: Annotated[int, typer.Argument(metavar="RUN", min=0, help="number of the run (column 'run')")],
    out: Annotated[Path | None, typer.Option(help="results folder", show_default="DIR-runN")] = None,
) -> None:
    """Run one run of a sweep again, whole: tables, events, figures, report."""
    from experiments.sweep import scenario_of

    console = _console(stderr=True)
    scenario, twin, seed, replication = scenario_of(folder, number)
    engine = _engine(console)
    result = engine(scenario, seed, replication, twin=twin)
    print(_write_whole(result, Path(f"{folder.rstrip('/')}-run{number}") if out is None else out))


# --- bench --------------------------------------------------------------------------------------------------------


@app.command()
def bench(
    config: Config,
    runs: Annotated[int, typer.Option(min=1, help="warm runs to time, seeds 1 to N")] = 21,
    set_: Set = None,
) -> None:
    """Time warm runs of a scenario."""
    from simulation.config import load_scenario

    scenario = load_scenario(config, _overrides(set_, None))
    console = _console(stderr=True)
    engine = _engine(console)
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
    _print_table(f"{runs} warm runs of {config}, ms", ("", "median", "fastest", "slowest"), rows, right=(1, 2, 3))
    agents = len(world.lenders) + len(world.operators) + len(world.buyers)
    kernels = 1e9 * statistics.median(kernels for _, kernels, _ in timed) / (agents * scenario.run.months)
    print(f"{agents} agents, {scenario.run.months} months: {kernels:.0f} ns an agent and month in kernels")
    print(f"First run: {first:.1f} s, with compiling or loading the compiled rules")


# --- explain ------------------------------------------------------------------------------------------------------


@app.command()
def calibrate(
    config: Config,
    seeds: Annotated[int, typer.Option(min=2, help="number of seeds")] = 200,
    first: Annotated[int, typer.Option(min=1, help="first seed; the base was tuned on 1 to 200")] = 1001,
    signs: Annotated[bool, typer.Option(help="also measure the signs of seven changes on paired draws")] = True,
    write: Annotated[Path | None, typer.Option(help="Markdown file whose generated block is replaced")] = None,
    set_: Set = None,
) -> None:
    """Compare a scenario with its calibration targets: moments of the data, risk, signs."""
    from simulation.config import load_scenario

    scenario = load_scenario(config, _overrides(set_, None))
    console = _console(stderr=True)
    _engine(console)
    from experiments.calibrate import calibration, write_block

    with console.status(f"Running {seeds} seeds" + (" and the pairs" if signs else "")):
        text = calibration(scenario, seeds, signs, first)
    print(text)
    if write is not None:
        write_block(write, text, f"uv run firesale calibrate {config} --seeds {seeds} --first {first}")
        print(f"Written to {write}")


@app.command()
def explain(
    topic: Annotated[str, typer.Argument(metavar="schedule|parameters|tables|schema|CONFIG", show_default=False)],
    set_: Set = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Explain the order of a month, all parameters, all columns, the JSON Schema, or where a config's values come from."""
    if topic in _TOPICS:
        _TOPICS[topic](as_json)
    elif not Path(topic).suffix and not Path(topic).exists():
        raise typer.BadParameter(f"'{topic}' is neither a config file nor one of {', '.join(_TOPICS)}")
    else:
        _explain_config(topic, set_ or [], as_json)


def _explain_schedule(as_json: bool) -> None:
    from simulation.month import PHASES

    rows = [(str(k), *phase) for k, phase in enumerate(PHASES, 1)]
    _show("The order of a month", ("", "phase", "what happens", "reads", "writes"), rows, as_json)


def _explain_parameters(as_json: bool) -> None:
    from simulation.config import declared

    rows = [
        (path, _value(default), *_unit_and_bounds(field), field.description, field.json_schema_extra["source"])
        for path, default, field in declared()
        if field.json_schema_extra
    ]
    _show("All parameters", ("parameter", "default", "unit", "bounds", "meaning", "source"), rows, as_json)


def _explain_tables(as_json: bool) -> None:
    for module in ("chips", "contracts", "ledger", "lenders", "operators", "buyers"):
        importlib.import_module(f"agents.{module}")
    importlib.import_module("simulation.panel")
    importlib.import_module("simulation.tape")
    from agents.ledger import ITEMS
    from agents.schema import TABLES

    heads = ("column", "unit", "meaning")
    tables = [
        (table.name, table.meaning, [(c.name, c.unit, _with_codes(c)) for c in table.columns])
        for table in TABLES.values()
    ]
    flows = [(item.name, "USD", f"{item.payer} to {item.payee}: {item.meaning}") for item in ITEMS]
    tables.append(("flows", "Payments by item, one row a month.", flows))
    if as_json:
        named = {
            name: {"meaning": meaning, "columns": [dict(zip(heads, row, strict=True)) for row in rows]}
            for name, meaning, rows in tables
        }
        print(json.dumps(named, indent=2))
        return
    for name, meaning, rows in tables:
        _print_table(f"{name}: {meaning}", heads, rows)


def _explain_schema(as_json: bool) -> None:
    """Print the JSON Schema of config files, for editors (it is JSON with or without ``as_json``)."""
    from simulation.config import json_schema

    print(json.dumps(json_schema(), indent=2))


def _explain_config(config: str, set_: list[str], as_json: bool) -> None:
    from simulation.config import load_scenario, parameters, provenance

    origins = provenance(config, set_)
    rows = [
        (path, _value(value), _unit_and_bounds(field)[0], origins[path])
        for path, value, field in parameters(load_scenario(config, set_))
    ]
    _show(f"Parameters of {config}", ("parameter", "value", "unit", "set by"), rows, as_json)


_TOPICS: dict[str, Callable[[bool], None]] = {
    "schedule": _explain_schedule,
    "parameters": _explain_parameters,
    "tables": _explain_tables,
    "schema": _explain_schema,
}
_BOUNDS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}


def _unit_and_bounds(field: Any) -> tuple[str, str]:
    from typing import Literal, get_args, get_origin

    unit = (field.json_schema_extra or {}).get("unit", "")
    if get_origin(field.annotation) is Literal:
        return unit, " | ".join(get_args(field.annotation))
    bounds = [(sign, getattr(rule, name, None)) for rule in field.metadata for name, sign in _BOUNDS.items()]
    return unit, ", ".join(f"{sign} {bound:g}" for sign, bound in bounds if bound is not None)


def _value(value: Any) -> str:
    """Return a value as it would stand in a config."""
    if value is None:
        return "none"
    if value is ...:
        return "required"
    if isinstance(value, tuple):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) and value == float(f"{value:g}") else str(value)


def _with_codes(column: Any) -> str:
    codes = ", ".join(f"{k} {name}" for k, name in enumerate(column.codes))
    return f"{column.meaning} ({codes})" if codes else column.meaning


# --- output -------------------------------------------------------------------------------------------------------


def _console(stderr: bool = False, quiet: bool = False) -> Console:
    from rich.console import Console

    console = Console(stderr=stderr, quiet=quiet)
    # A pipe or a file has no width of its own: leave room for the tables.
    return console if console.is_terminal else Console(stderr=stderr, quiet=quiet, width=max(console.width, 200))


def _show(title: str, heads: tuple[str, ...], rows: list[tuple[str, ...]], as_json: bool) -> None:
    if as_json:
        print(json.dumps([dict(zip(heads, row, strict=True)) for row in rows], indent=2))
    else:
        _print_table(title, heads, rows)


def _print_table(title: str, heads: tuple[str, ...], rows: list[tuple[str, ...]], right: tuple[int, ...] = ()) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(title), title_justify="left", box=None, pad_edge=False, header_style="bold")
    for k, head in enumerate(heads):
        # The first column names things: it is never broken.
        table.add_column(head, justify="right" if k in right else "left", no_wrap=k == 0, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    console = _console()
    console.print(table)
    console.print()
