"""What a command may write over: documents with blocks of its own, tables and figures of its own kind; said before it runs."""

from __future__ import annotations

from pathlib import Path

from experiments.output import OutputError, check_file

#: Figures say within so many bytes who drew them.
_HEAD = 4096


def check_document(file: Path, option: str = "--write") -> None:
    """Refuse a Markdown file whose blocks cannot be replaced or added to. Raises OutputError."""
    if file.suffix.lower() not in (".md", ".markdown"):
        raise OutputError(f"{file}: is no Markdown file; give a name that ends in .md with {option}")

    def is_sound(content: bytes) -> bool:
        text = content.decode("utf-8", "replace")
        return "�" not in text and text.count("<!-- generated: ") <= text.count("<!-- end -->")

    check_file(file, is_sound, "a Markdown file in UTF-8 whose generated blocks all end with <!-- end -->", option)


def check_made(file: Path, begins: str, what: str, option: str = "--out") -> None:
    """Refuse to replace a text that does not hold, near its beginning, what a command writes there. Raises OutputError."""
    check_file(file, lambda content: begins.encode() in content[:_HEAD], what, option)


def check_drawn(folder: Path, pattern: str, option: str = "--out") -> None:
    """Refuse to replace figures of a folder that this program's drawing has not made. Raises OutputError."""

    def is_drawn(content: bytes) -> bool:
        return b"atplotlib" in content[:_HEAD]

    for file in sorted(folder.glob(pattern)) if folder.is_dir() else []:
        check_file(file, is_drawn, "a figure that this command drew", option)
