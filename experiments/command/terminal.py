"""What all commands share: options, the console, the engine on demand, tables on the terminal."""

from __future__ import annotations

import contextlib
import importlib
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console


#: What stood on the command line after the name of the program.
arguments: list[str] = []


Config = Annotated[Path, typer.Argument(metavar="CONFIG", help="a config file (YAML)", show_default=False)]


Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="change a parameter: lenders.max_ltv=0.65 (repeatable)"),
]


def command() -> str:
    """Return the command line as it was given."""
    return shlex.join(["firesale", *arguments])


def make_console(stderr: bool = False, quiet: bool = False) -> Console:
    """Return a console on stdout or stderr; ``quiet`` prints nothing."""
    from rich.console import Console

    console = Console(stderr=stderr, quiet=quiet)
    # A pipe or a file has no width of its own: leave room for the tables.
    return console if console.is_terminal else Console(stderr=stderr, quiet=quiet, width=max(console.width, 200))


def duration(seconds: float) -> str:
    """Return how long something takes, in words."""
    if seconds < 1:
        return "a second"
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def load_engine(console: Console) -> Callable[..., Any]:
    """Return ``simulation.runs.run``, saying so if the first run will compile the rules."""
    with console.status("Loading"):
        from agents.rule import is_compiled_on_disk
        from simulation.runs import run as engine
    if not is_compiled_on_disk():
        console.print("Compiling the rules: once for this version, under a minute.", highlight=False)
    return engine


def say_inputs(console: Console, *scenarios: Any) -> None:
    """Read the tables that scenarios name and say a line of each: how it was read, which parameters it replaces.

    Raises ConfigError, before anything is compiled or run.
    """
    with console.status("Loading"):
        from simulation.world.inputs.inputs import told
    for line in dict.fromkeys(line for scenario in scenarios if scenario is not None for line in told(scenario)):
        console.print(line, soft_wrap=True, highlight=False, markup=False)


def write_whole(
    result: Any,
    folder: Path,
    *,
    figures: bool = True,
    report: bool = True,
    status: Callable[[str], Any] = contextlib.nullcontext,
) -> Path:
    """Write a results folder with figures and report; return it. ``status`` is shown while they are made."""
    from experiments.run.results import check_output, write_results
    from simulation.scenario.config import scenario_to_yaml

    def finish(work: Path) -> None:
        if figures:
            with status("Drawing figures"):
                importlib.import_module("experiments.run.figures.all").write_figures(work, result)
        if report:
            with status("Writing the report"):
                importlib.import_module("experiments.run.report").write_report(work, result)

    write_results(
        result, check_output(folder), config_text=scenario_to_yaml(result.scenario),
        command=command(), twin=result.twin, finish=finish,
    )  # fmt: skip
    return folder.resolve()


def print_table(
    title: str, heads: tuple[str, ...], rows: Sequence[tuple[str, ...]], right: tuple[int, ...] = ()
) -> None:
    """Print rows as a table; ``right`` are the columns set flush right."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(title), title_justify="left", box=None, pad_edge=False, header_style="bold")
    for k, head in enumerate(heads):
        # The first column names things: it is never broken.
        table.add_column(head, justify="right" if k in right else "left", no_wrap=k == 0, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    console = make_console()
    console.print(table)
    console.print()
