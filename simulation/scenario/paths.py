"""Dotted paths of parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Keys = tuple[str | int, ...]


def _printable(text: str) -> str:
    return text if text.isprintable() else ascii(text)[1:-1]


def _dotted(keys: Keys) -> str:
    """Return "chips[2].list_price"."""
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{_printable(key)}" for key in keys)
    return text.removeprefix(".")


def _chip_names(items: list[Any]) -> list[str]:
    """Return a name for each item by which a path can address it, "" for those that need their index."""
    names = [str(item.get("name", "")) if isinstance(item, dict) else "" for item in items]
    return [n if names.count(n) == 1 and "." not in n and not n.isdecimal() else "" for n in names]


def _get(doc: Any, keys: Keys) -> Any:
    """Return what stands at ``keys``, None if nothing does."""
    for key in keys:
        try:
            doc = doc[key]
        except (KeyError, IndexError, TypeError):
            return None
    return doc


def _plain(value: Any) -> Any:
    """Return a deep copy with lists for tuples, whole numbers as int, and Python's numbers for NumPy's."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.item() if hasattr(value, "item") else value
