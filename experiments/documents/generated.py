"""Blocks of Markdown files that commands write, between marks that a reader does not see."""

from __future__ import annotations

from pathlib import Path

from experiments.output import OutputError, write_file


def write_block(path: Path, name: str, text: str, command: str) -> None:
    """Replace the block ``name`` of a Markdown file, or append it; the block says which ``command`` gave it.

    The file is written whole or left as it was. Raises ConfigError if it cannot be read, OutputError if not written.
    """
    from simulation.scenario.faults import ConfigError, Fault

    begin, end = f"<!-- generated: {name} -->", "<!-- end -->"
    block = f"{begin}\n`uv run {command}` gave:\n\n{text.rstrip()}\n{end}"
    try:
        old = path.read_text(encoding="utf-8") if path.exists() else f"# {path.stem.capitalize()}\n"
        head, found, rest = old.partition(begin)
        _, ended, tail = rest.partition(end)
        if found and not ended:
            raise ValueError(f"the block {name!r} has no line {end}")
        write_file(path, head + block + tail if found else f"{old.rstrip()}\n\n{block}\n")
    except OutputError:
        raise
    except (OSError, ValueError) as error:  # a text that is not UTF-8 is a ValueError
        raise ConfigError([Fault(str(path), "--write", f"cannot be written: {error}")]) from None
