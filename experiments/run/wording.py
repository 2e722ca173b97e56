"""Small words of reports: numbers of things, lists, codes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def plural(n: float, one: str, many: str = "") -> str:
    """Return "1 lender", "3 lenders"."""
    return f"{n:,.0f} {one if round(n) == 1 else many or one + 's'}"


def signed_share(share: float) -> str:
    """Return "+12 %"."""
    return f"{100 * share:+.0f} %".replace("-", "−")


def joined(parts: Iterable[str]) -> str:
    """Return "a, b and c"."""
    parts = list(parts)
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1] if parts else ""


def code_words(code: Any) -> str:
    """Return a code (a cause, a kind) in words."""
    word = str(code).replace("_", " ")
    return {"ltv": "LTV", "dscr": "DSCR"}.get(word, word)
