"""A table's file as text: its encoding is found and said, what is no text is refused where it stands."""

from __future__ import annotations

import re
from typing import NamedTuple

from simulation.scenario.faults import ConfigError, Fault

#: Larger files are no tables of a run (a million agents with twenty columns take 200 MB).
_MOST_BYTES = 400_000_000
#: Marks that begin a file, the longer first: encoding, and its name as it is said ("" for plain UTF-8).
_MARKS = (
    (b"\xff\xfe\x00\x00", "utf-32-le", "UTF-32"), (b"\x00\x00\xfe\xff", "utf-32-be", "UTF-32"),
    (b"\xff\xfe", "utf-16-le", "UTF-16"), (b"\xfe\xff", "utf-16-be", "UTF-16"),
    (b"\xef\xbb\xbf", "utf-8", "UTF-8 with a byte order mark"),
)  # fmt: skip
#: How files begin that are often taken for tables, and what they are.
_OTHERS = (
    (b"PK\x03\x04", "a workbook or another zip archive: save the sheet as CSV"),
    (b"\xd0\xcf\x11\xe0", "an old workbook: save the sheet as CSV"),
    (b"PAR1", "Parquet: save it as CSV"),
    (b"\x1f\x8b", "compressed: unpack it"),
    (b"<", "XML, not a table: write a CSV file with a header line"),
    (b"{", "JSON, not a table: write a CSV file with a header line"),
    (b"[", "JSON, not a table: write a CSV file with a header line"),
)
#: What no text holds: control characters other than tab and ends of lines.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
#: End of file as DOS wrote it.
_DOS_END = "\x1a"


class Text(NamedTuple):
    """The text of a file, and its encoding where it is worth a word ("" if plain UTF-8)."""

    text: str
    encoding: str


def read_text(path: str, parameter: str) -> Text:
    """Return the text of a file. ``parameter`` is the one that names it. Raises ConfigError."""
    try:
        with open(path, "rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        raise _refused(path, parameter, f"cannot be read ({getattr(error, 'strerror', None) or error})") from None
    if len(data) > _MOST_BYTES:
        raise _refused(path, parameter, f"is larger than {_MOST_BYTES // 1_000_000} MB: not a table of a run")
    mark, encoding, said = next((m for m in _MARKS if data.startswith(m[0])), (b"", *_unmarked(data)))
    body = data[len(mark) :]
    for start, what in _OTHERS:
        if body.lstrip().startswith(start):
            raise _refused(f"{path}:1:1", parameter, f"is {what}")
    try:
        text = body.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding != "utf-8":
            raise _refused(_place(path, body[: error.start].decode(encoding, "replace")), parameter,
                           f"is not {said} text; save the file as UTF-8") from None  # fmt: skip
        text, said = _western(path, parameter, body, error)
    text = text.removeprefix("\ufeff").rstrip(_DOS_END)
    odd = _CONTROL.search(text)
    if odd:
        raise _refused(_place(path, text[: odd.start()]), parameter, "is not text: it holds a control character")
    return Text(text, said)


def _unmarked(data: bytes) -> tuple[str, str]:
    """Return encoding and its name of a file without a mark: of UTF-16 every second byte of plain text is zero."""
    head = data[:4096]
    if head[1::2].count(0) > 0.4 * len(head):
        return "utf-16-le", "UTF-16"
    if head[0::2].count(0) > 0.4 * len(head):
        return "utf-16-be", "UTF-16"
    return "utf-8", ""


def _western(path: str, parameter: str, body: bytes, error: UnicodeDecodeError) -> tuple[str, str]:
    """Return the text of a file that is not UTF-8 as the code page of western Windows, if it can be that."""
    try:
        return body.decode("cp1252"), "Windows-1252"
    except UnicodeDecodeError:
        where = _place(path, body[: error.start].decode("utf-8", "replace"))
        raise _refused(where, parameter, "is not UTF-8 text; save the file as UTF-8") from None


def _place(path: str, before: str) -> str:
    """Return file:line:column of the character after ``before``."""
    lines = re.split("\r\n|\r|\n", before)
    return f"{path}:{len(lines)}:{len(lines[-1]) + 1}"


def _refused(where: str, parameter: str, message: str) -> ConfigError:
    return ConfigError([Fault(where, parameter, message)])
