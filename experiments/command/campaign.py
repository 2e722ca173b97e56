"""The command ``firesale campaign``: random scenarios, each run checked, each failure cut down to what it takes."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from experiments.command import targets, terminal
from experiments.command.terminal import ConfigOrBase, Set, load_engine, make_console, print_table

if TYPE_CHECKING:
    from rich.console import Console

    from experiments.campaign.campaign import Campaign
    from simulation.scenario.scenario import Scenario


class Kinds(StrEnum):
    """How far draws go."""

    plausible = "plausible"
    stressed = "stressed"
    extreme = "extreme"
    given = "given"


def campaign(
    config: ConfigOrBase = None,
    kind: Annotated[
        list[Kinds] | None,
        typer.Option(
            help="how far parameters are moved (repeatable): plausible, by up to half; stressed, by up to four times, with deep shocks; "
            "extreme, to their declared bounds; given: not at all, one run a seed",
            show_default="plausible",
        ),
    ] = None,
    runs: Annotated[
        list[int] | None,
        typer.Option(min=1, help="draws of each kind, one number a kind or one for all", show_default="100; given: 1"),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="seed of the draws; run N of a campaign has seed SEED + N")] = 1,
    small: Annotated[bool, typer.Option("--small", help="a quarter of the agents, two years at most")] = False,
    workers: Annotated[int | None, typer.Option(min=1, help="threads", show_default="one a core")] = None,
    write: Annotated[
        Path | None, typer.Option(metavar="FILE.md", help="Markdown file whose generated block is replaced")
    ] = None,
    set_: Set = None,
) -> None:
    """Draw random scenarios from the declared parameters and check every run; exit code 3 if one fails.

    NUMBA_BOUNDSCHECK=1 compiles rules that check every index as well, into a folder of their own.
    """
    from simulation.scenario.config import load_scenario
    from simulation.scenario.document import base_config

    scenario = load_scenario(base_config() if config is None else config, set_ or [])
    if write is not None:
        targets.check_document(write)
    kinds = kind or [Kinds.plausible]
    counts = _counts(kinds, runs)
    console = make_console(stderr=True)
    load_engine(console)
    if small:
        from experiments.campaign.draw import small as smaller

        scenario = smaller(scenario)
    options = " ".join(filter(None, ["--small" if small else "", *(f"--set {text}" for text in set_ or [])]))
    named = " ".join(filter(None, ["" if config is None else str(config), options]))
    found = [_played(scenario, k, n, seed, workers, console) for k, n in zip(kinds, counts, strict=True)]
    _tell(found, named, write, console)
    if any(c.failed for c in found):
        sys.exit(terminal.ExitCode.IDENTITY)


def _counts(kinds: list[Kinds], runs: list[int] | None) -> list[int]:
    """Return the number of draws of each kind. Raises ConfigError."""
    from simulation.scenario.faults import ConfigError, Fault

    if not runs:
        return [1 if k == Kinds.given else 100 for k in kinds]
    if len(runs) not in (1, len(kinds)):
        raise ConfigError([Fault("--runs", "", f"{len(runs)} numbers for {len(kinds)} kinds: give one, or one a kind")])
    return runs if len(runs) == len(kinds) else runs * len(kinds)


def _played(scenario: Scenario, kind: Kinds, runs: int, seed: int, workers: int | None, console: Console) -> Campaign:
    """Play the campaign of one kind with a bar of progress."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from experiments.campaign.campaign import play_campaign
    from experiments.many import WIDTH

    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console
    )
    task = bar.add_task(kind, total=runs)
    with bar:
        return play_campaign(
            scenario, kind.value, runs, seed, workers or WIDTH,
            lambda done, c: bar.update(task, completed=done, description=f"{kind} ({c.failed} failed)"),
        )  # fmt: skip


def _tell(found: list[Campaign], config: str, write: Path | None, console: Console) -> None:
    """Print what was found and, if asked, write it into a document."""
    from experiments.campaign import document
    from experiments.documents.generated import write_block

    print_table("Campaign", document.HEADS, document.rows(found), right=tuple(range(1, len(document.HEADS))))
    for c in found:
        print(*document.asides(c), sep="\n")
        for failure in c.failures:
            print(document.told(failure, config))
    print(document.verdict(found))
    if write is not None:
        write_block(write, "campaign", document.markdown(found, config), terminal.command())
        console.print(f"Written to {write}", highlight=False, markup=False, soft_wrap=True)
