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

    from experiments.run.folder import Placed


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


def write_whole(
    result: Any,
    folder: Path,
    *,
    numbered: bool = False,
    run: dict[str, Any] | None = None,
    page: str | None = None,
    figures: bool = True,
    report: bool = True,
    status: Callable[[str], Any] = contextlib.nullcontext,
) -> Placed:
    """Write a results folder with figures and report; return where it is, and if the same run was there before.

    ``numbered``, ``run`` and ``page`` as in :func:`experiments.run.results.write_results`; ``status`` is shown meanwhile.
    """
    from experiments.run.results import write_results

    def finish(work: Path) -> None:
        if figures:
            with status("Drawing figures"):
                importlib.import_module("experiments.run.figures.all").write_figures(work, result)
        if report:
            with status("Writing the report"):
                importlib.import_module("experiments.run.report").write_report(work, result)

    return write_results(
        result, folder, command=command(), twin=result.twin, numbered=numbered, run=run, page=page, finish=finish
    )


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
