"""Blocks of Markdown files that commands write, between marks that a reader does not see."""

from __future__ import annotations

from pathlib import Path


def write_block(path: Path, name: str, text: str, command: str) -> None:
    """Replace the block ``name`` of a Markdown file, or append it; the block says which ``command`` gave it.

    Raises ConfigError if the file cannot be read or written.
    """
    from simulation.scenario.faults import ConfigError, Fault

    begin, end = f"<!-- generated: {name} -->", "<!-- end -->"
    block = f"{begin}\n`uv run {command}` gave:\n\n{text.rstrip()}\n{end}"
    try:
        old = path.read_text(encoding="utf-8") if path.exists() else f"# {path.stem.capitalize()}\n"
        if begin in old:
            head, rest = old.split(begin, 1)
            new = head + block + rest.split(end, 1)[1]
        else:
            new = f"{old.rstrip()}\n\n{block}\n"
        path.write_text(new, encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([Fault(str(path), "--write", f"cannot be written: {error}")]) from None
