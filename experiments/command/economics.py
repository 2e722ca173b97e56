"""The command ``firesale economics``: what the economics are judged by, over seeds, and mechanisms in isolation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from experiments.command import targets, terminal
from experiments.command.terminal import ConfigOrBase, Set, load_engine, make_console, print_table

if TYPE_CHECKING:
    from rich.console import Console

    from simulation.scenario.scenario import Scenario


def economics(
    config: ConfigOrBase = None,
    seeds: Annotated[str, typer.Option(metavar="FIRST-LAST", help="seeds, both ends included")] = "2001-2200",
    out: Annotated[
        Path, typer.Option(metavar="FILE.md", help="document; the table goes beside it as CSV, figures to images/")
    ] = Path("results/economics/economics.md"),
    against: Annotated[
        Path | None, typer.Option(metavar="OLD.csv", help="an older table to set beside this one")
    ] = None,
    isolation: Annotated[
        bool, typer.Option("--isolation", help="mechanisms in isolation, in tiny worlds, instead")
    ] = False,
    set_: Set = None,
) -> None:
    """Measure what the economics are judged by: one table over many seeds, with figures; or mechanisms in isolation."""  # fmt: skip
    from simulation.scenario.config import load_scenario
    from simulation.scenario.document import base_config

    scenario = load_scenario(base_config() if config is None else config, set_ or [])
    chosen = seed_range(seeds)
    targets.check_document(out, "--out")
    if not isolation:
        targets.check_made(out.with_suffix(".csv"), "key,group,measure,", "a table of measures")
        targets.check_drawn(out.parent / "images", "economics_*.svg")
    console = make_console(stderr=True)
    load_engine(console)
    if isolation:
        _isolation(console, out)
    else:
        _table(scenario, chosen, out, against, console)


def seed_range(text: str) -> range:
    """Return the seeds that "FIRST-LAST" names, both ends included. Raises ConfigError."""
    from simulation.scenario.faults import ConfigError, Fault

    first, _, last = text.partition("-")
    if not (first.isdecimal() and last.isdecimal() and int(first) < int(last)):
        raise ConfigError([Fault("--seeds", "", f"{text!r} is no range of two or more seeds: write 2001-2200")])
    return range(int(first), int(last) + 1)


def _table(scenario: Scenario, seeds: range, out: Path, against: Path | None, console: Console) -> None:
    from experiments.documents.generated import write_block
    from experiments.economics import document, hangs, table
    from experiments.economics.figures import write_figures
    from experiments.economics.study import study
    from experiments.output import drafted, whole

    # An old table that cannot be read is said before the runs, not after them.
    old = table.read_csv(against) if against is not None else None
    with console.status("Running") as status:
        found = study(scenario, seeds, status.update)
    for group, rows in table.groups(document.told(found)).items():
        if old is not None:
            print_table(
                group, table.BESIDE, [table.beside(row, old.get(row.key)) for row in rows], right=(2, 3, 4, 5, 6, 7)
            )
        else:
            print_table(group, table.HEADS, [table.shown(row) for row in rows], right=(3, 4, 5, 6, 7))
    if found.changes:
        print_table(
            "What the half-life of the block hangs on",
            hangs.HEADS,
            hangs.table(found.changes),
            right=(1, 2, 3, 4, 5, 6),
        )
    print(table.verdict(found.rows))
    kept = [table.about(found.about, len(seeds)), *found.rows]
    files = [out.with_suffix(".csv")]
    with whole(files[0]) as draft:
        table.write_csv(kept, draft)
    with drafted(out.parent / "images") as drafts:
        files += [out.parent / "images" / file.name for file in write_figures(found, drafts, old)]
    write_block(out, "economics", document.markdown(found, files[1:], old), terminal.command())
    for file in (out, *files):
        console.print(f"Written: {file}", highlight=False, markup=False, soft_wrap=True)


def _isolation(console: Console, out: Path) -> None:
    from experiments.documents.generated import write_block
    from experiments.economics import probes

    with console.status("Playing") as status:
        results = probes.run_probes(status.update)
    print_table("Mechanisms in isolation", probes.HEADS, probes.rows(results))
    for result in results:
        print(f"{result.probe.key}: {result.probe.question}", *(f"  {line}" for line in result.lines), sep="\n")
    write_block(out, "isolation", probes.markdown(results), terminal.command())
    console.print(f"Written: {out}", highlight=False, markup=False, soft_wrap=True)
