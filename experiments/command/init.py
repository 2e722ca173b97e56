"""``firesale init``: the configs that come with the program, copied to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from experiments.command.terminal import make_console


def init(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="where to put them")] = Path("configs"),
) -> None:
    """Copy the configs that come with the program, with their data, to start from."""
    from experiments.output import unwritable, write_file
    from simulation.scenario.document import base_config

    shipped = base_config().parent
    files = [path for path in sorted(shipped.rglob("*")) if path.is_file()]
    there = [name for name in (path.relative_to(shipped) for path in files) if (folder / name).exists()]
    if there:
        raise FileExistsError(
            f"{folder}: holds {there[0]}{f' and {len(there) - 1} more of them' if len(there) > 1 else ''} already: "
            "nothing was written; give another folder"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error, "give another folder") from None
    for path in files:
        write_file(folder / path.relative_to(shipped), path.read_bytes())
    say = make_console(stderr=True).print
    say(f"{len(files)} files in {folder}: firesale run {folder / 'base.yaml'}", highlight=False, soft_wrap=True)
