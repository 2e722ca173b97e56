"""Numbers and names as the page says them."""

from __future__ import annotations

import math
from collections.abc import Iterable

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def usd(x: float) -> str:
    """Return an amount: "$950", "$11,200", "$410k", "$4.1m", "$2.31bn"."""
    size, sign = abs(x), "−" if x <= -0.5 else ""
    if size >= 999.5e6:
        return f"{sign}${size / 1e9:,.2f}bn"
    if size >= 999.5e3:
        return f"{sign}${size / 1e6:,.1f}m"
    return f"{sign}${size / 1e3:,.0f}k" if size >= 99_500 else f"{sign}${size:,.0f}"


def count(x: float) -> str:
    """Return a number of units: "1,200", "0.4"."""
    return f"{x:,.0f}" if abs(x) >= 10 or x == round(x) else f"{x:,.1f}"


def many(n: float, one: str, more: str = "") -> str:
    """Return "1 loan", "3 loans"."""
    return f"{count(n)} {one if round(n) == 1 else more or one + 's'}"


def share(x: float, digits: int = 0) -> str:
    """Return a share: "62 %"."""
    return f"{100.0 * x:,.{digits}f} %".replace("-", "−")


def signed(x: float, digits: int = 1) -> str:
    """Return a relative change: "+2.1 %", "−18.0 %"."""
    return f"{100.0 * x:+,.{digits}f} %".replace("-", "−")


def ratio(x: float) -> str:
    """Return a ratio: "0.83", "12", "above 99"."""
    if not math.isfinite(x) or abs(x) >= 99.0:
        return "above 99" if x > 0 else "below −99"
    return f"{x:.2f}".replace("-", "−") if abs(x) < 10 else f"{x:.0f}".replace("-", "−")


def calendar(start: str, month: int) -> str:
    """Return the month ``month`` months after ``start`` ("2024-01"): "Mar 2026"."""
    year, first = int(start[:4]), int(start[5:7]) - 1
    return f"{_MONTHS[(first + month) % 12]} {year + (first + month) // 12}"


def listed(parts: Iterable[str]) -> str:
    """Return "a, b and c"."""
    parts = list(parts)
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1] if parts else ""
