"""What all commands share: options, the console, the engine on demand, tables on the terminal."""

from __future__ import annotations

import contextlib
import importlib
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from experiments.run.folder import Placed


#: Columns of a table where nobody says how wide the screen is.
_WIDE = 200


#: What stood on the command line after the name of the program.
arguments: list[str] = []


def config_file(name: str) -> Path:
    """Return the file of a config that is named on the command line: one that is there, or that comes with the program."""
    from simulation.scenario.document import find_config

    return Path(find_config(name))


_CONFIG_HELP = "a config file (YAML), or the name of a shipped one (base, article)"

Config = Annotated[Path, typer.Argument(metavar="CONFIG", help=_CONFIG_HELP, show_default=False, parser=config_file)]


#: A config that may be left out: then the base.
ConfigOrBase = Annotated[
    Path | None, typer.Argument(metavar="[CONFIG]", help=_CONFIG_HELP, show_default="the base", parser=config_file)
]


Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="change a parameter: lenders.max_ltv=0.65 (repeatable)"),
]


def command() -> str:
    """Return the command line as it was given."""
    return shlex.join(["firesale", *arguments])


class ExitCode(IntEnum):
    """How a command ends; ``meaning`` as in the table of the documentation."""

    meaning: str

    def __new__(cls, value: int, meaning: str) -> ExitCode:
        """Make a code with its meaning."""
        code = int.__new__(cls, value)
        code._value_ = value
        code.meaning = meaning
        return code

    DONE = 0, "done"
    CASES = 1, "`validate`: a case fails or is not known"
    ASKED = (
        2,
        "what was asked for is wrong or cannot be written: a config, an option, a file, a folder in use, a full disk",
    )
    IDENTITY = 3, "a run violated an identity or holds what is not a number; `campaign`: a run failed"
    FAILED_RUNS = 4, "`sweep`: all is done and stored, but some runs failed; they are named"
    INTERRUPTED = 130, "interrupted (Ctrl-C); what a sweep, a calibration or the claims had done is kept"


def make_console(stderr: bool = False, quiet: bool = False) -> Console:
    """Return a console on stdout or stderr; ``quiet`` prints nothing.

    A pipe or a file gets no moving parts and, as it has no width of its own, room for the tables; colours if
    ``FORCE_COLOR`` asks for them.
    """
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    if hasattr(stream, "isatty") and stream.isatty():
        return Console(stderr=stderr, quiet=quiet)
    forced = os.environ.get("FORCE_COLOR", "") not in ("", "0")
    wide = max(Console(stderr=stderr, force_terminal=False).width, _WIDE)
    return Console(
        stderr=stderr, quiet=quiet, width=wide, force_terminal=False, color_system="standard" if forced else None
    )


def duration(seconds: float) -> str:
    """Return how long something takes, in words."""
    if seconds < 1:
        return "a second"
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def load_engine(console: Console) -> Callable[..., Any]:
    """Return ``simulation.runs.run``, saying so if the first run will compile the rules."""
    settle_figures()
    with console.status("Loading"):
        from agents.rule import is_compiled_on_disk
        from simulation.runs import run as engine
    if not is_compiled_on_disk():
        say_compiling(console)
    return engine


def settle_figures() -> None:
    """Give the drawing a folder for its fonts where there is no home to write to: it would complain at every start."""
    with contextlib.suppress(RuntimeError):  # a user that the machine does not know has no home
        above = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
        while not above.exists():
            above = above.parent
        if os.access(above, os.W_OK):
            return
    if "MPLCONFIGDIR" not in os.environ:
        from agents.rule import rules_cache

        folder = rules_cache().folder
        if folder is not None:
            os.environ["MPLCONFIGDIR"] = str(folder.parent / "matplotlib")


def say_compiling(console: Console) -> None:
    """Say that the rules will be compiled, how often that happens, and where they are kept if that is not the usual place."""
    from agents.rule import rules_cache

    folder, why = rules_cache()
    text = "Compiling the rules: once for this version, under a minute."
    if folder is None:
        text = f"Compiling the rules, under a minute and at every start: {why}. FIRESALE_CACHE=FOLDER keeps them there."
    elif why:
        text += f" They are kept in {folder.parent}: {why}."
    console.print(text, highlight=False, markup=False, soft_wrap=True)


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
