"""The command ``firesale validate``: published cases, stylised facts, the hindcast, the scaled stress test."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from experiments.command import targets, terminal
from experiments.command.terminal import load_engine, make_console, print_table

if TYPE_CHECKING:
    from rich.console import Console


#: Names of the figures of ``--facts`` and ``--hindcast``.
_FACTS, _HINDCAST = "stylised_facts.png", "hindcast.png"


def add_to(app: typer.Typer) -> None:
    """Add the command of this file to the command line."""
    app.command()(validate)


def validate(
    folder: Annotated[
        Path | None, typer.Argument(metavar="[DIR]", help="folder of case files", show_default="the shipped cases")
    ] = None,
    only: Annotated[str, typer.Option(metavar="a,c,...", help="models (letters), cases or facts, by comma")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="print JSON, with every value compared")] = False,
    scaled: Annotated[
        str,
        typer.Option(
            metavar="FILE.npz|NxM",
            help="a stress test from arrays (cash, holdings, other_assets, equity, liabilities), or of drawn ones",
        ),
    ] = "",
    equilibria: Annotated[
        bool, typer.Option("--equilibria", help="greatest and least fire-sale equilibrium of the base's loans")
    ] = False,
    facts: Annotated[bool, typer.Option("--facts", help="stylised facts, each with its mechanism on and off")] = False,
    hindcast: Annotated[
        bool, typer.Option("--hindcast", help="the bust of ASIC-backed loans of 2022 against what happened")
    ] = False,
    seeds: Annotated[
        int | None, typer.Option(min=10, help="seeds for equilibria, facts, hindcast", show_default="60 to 200")
    ] = None,
    write: Annotated[
        Path | None, typer.Option(metavar="FILE.md", help="Markdown file whose generated block is replaced")
    ] = None,
) -> None:
    """Hold the engine against published results, stylised facts and history. Exit code 1 if a case fails or is not known."""
    names = {part.strip() for part in only.split(",") if part.strip()}
    console = make_console(stderr=True)
    if write is not None:
        targets.check_document(write)
    for wanted, figure in ((facts, _FACTS), (hindcast, _HINDCAST)):
        if wanted:
            targets.check_drawn(_figure_file(write, figure).parent, figure, "--write")
    load_engine(console)
    block, text, failed = "cases", "", False
    if scaled:
        text = _scaled(scaled, as_json)
        block = "scaled"
    elif equilibria:
        text = _equilibria(seeds or 60, as_json, console)
        block = "equilibria"
    elif facts:
        text = _facts(names, seeds or 200, as_json, console, write)
        block = "facts"
    elif hindcast:
        text = _hindcast(seeds or 200, as_json, console, write)
        block = "hindcast"
    else:
        text, failed = _cases(folder, names, as_json, console)
        block = "cases" if folder is None else "other cases"
    if write is not None:
        from experiments.documents.generated import write_block

        # The folder of somebody's own cases is nobody else's business.
        arguments = terminal.command().replace(str(folder), "DIR") if folder else terminal.command()
        write_block(write, block, text, arguments)
        console.print(f"Written to {write}", highlight=False, markup=False, soft_wrap=True)
    if failed:
        raise typer.Exit(terminal.ExitCode.CASES)


def _cases(folder: Path | None, only: set[str], as_json: bool, console: Console) -> tuple[str, bool]:
    from experiments.validation import SHIPPED, check_cases, load_cases, show

    cases = load_cases(folder or SHIPPED, only or None)
    with console.status("Checking") as status:
        checks = check_cases(cases, lambda check: status.update(f"{check.case.id}: {check.verdict}"))
    if as_json:
        print(json.dumps(show.as_json(checks), indent=1))
    else:
        print_table("Published results and exactly computed cases", show.HEADS, [show.table_row(c) for c in checks])
        for check in checks:
            if check.note or check.passed_over:
                over = f"not compared: {', '.join(check.passed_over)}" if check.passed_over else ""
                print(f"{check.case.id}: {'; '.join(part for part in (check.note, over) if part)}")
        print(show.summary(checks))
    return show.markdown(checks), any(c.verdict != "pass" for c in checks)


def _scaled(file: str, as_json: bool) -> str:
    from experiments.validation import show
    from experiments.validation.stress import scaled

    result = scaled(file)
    lines = show.scaled_lines(result)
    if as_json:
        values: dict[str, Any] = result._asdict() | {
            "failures": result.failures.tolist(),
            "sold": result.sold.tolist(),
            "defaults": int(result.failures.sum()),
        }
        print(json.dumps(values))
    else:
        print("\n".join(lines))
    return "\n".join(f"- {line}" for line in lines) + "\n"


def _equilibria(seeds: int, as_json: bool, console: Console) -> str:
    from experiments.validation import multiplicity
    from simulation.scenario.config import load_scenario
    from simulation.scenario.document import base_config

    with console.status(f"Running {seeds} seeds"):
        rows = multiplicity.rows(multiplicity.measure(load_scenario(base_config()), range(1, seeds + 1)))
    if as_json:
        print(json.dumps([dict(zip(multiplicity.HEADS, row, strict=True)) for row in rows], indent=1))
    else:
        print_table("Fire-sale equilibria of the base's loans under inverse demand", multiplicity.HEADS, rows)
    lines = [
        f"| {' | '.join(multiplicity.HEADS)} |",
        "|" + "---|" * len(multiplicity.HEADS),
        *(f"| {' | '.join(row)} |" for row in rows),
    ]
    return "\n".join(lines) + "\n"


def _facts(only: set[str], seeds: int, as_json: bool, console: Console, write: Path | None) -> str:
    from experiments.evidence import facts
    from experiments.output import whole

    with console.status("Running") as status:
        results = facts.run_facts(seeds, only=only or None, progress=status.update)
    if as_json:
        print(json.dumps(facts.as_json(results), indent=1))
    else:
        print_table("Stylised facts, with the mechanism on and off", facts.HEADS, facts.rows(results))
    figure = _figure_file(write, _FACTS)
    with whole(figure) as draft:
        facts.write_figure(results, draft)
    console.print(f"Figure: {figure}", highlight=False, markup=False, soft_wrap=True)
    return facts.markdown(results, f"images/{figure.name}")


def _hindcast(seeds: int, as_json: bool, console: Console, write: Path | None) -> str:
    from experiments.evidence import hindcast
    from experiments.output import whole

    with console.status("Running") as status:
        result = hindcast.run_hindcast(seeds=seeds, progress=status.update)
    if as_json:
        print(json.dumps([dict(zip(hindcast.HEADS, row, strict=True)) for row in result.rows()], indent=1))
    else:
        print_table("Loans backed by mining rigs, 2022-23: the model and what happened", hindcast.HEADS, result.rows())
        heads = ("median", *(o.key for o in result.observables))
        print_table("What the misses hang on: one thing changed", heads, result.variant_rows())
    figure = _figure_file(write, _HINDCAST)
    with whole(figure) as draft:
        hindcast.write_figure(result, draft)
    console.print(f"Figure: {figure}", highlight=False, markup=False, soft_wrap=True)
    return result.markdown(f"images/{figure.name}")


def _figure_file(write: Path | None, name: str) -> Path:
    """Return where a figure goes: beside the Markdown file, or among the results."""
    return write.parent / "images" / name if write is not None else Path("results", "validation", name)
