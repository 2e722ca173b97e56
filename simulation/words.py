"""Numbers, dates and lists as the program says them, on the page, on the terminal and in reports."""

from __future__ import annotations

import math
from collections.abc import Iterable

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def usd(x: float) -> str:
    """Return an amount: "$950", "$11,200", "$410k", "$4.1m", "$310m", "$2.31bn", "$24.6bn"; the minus stands first."""
    size, sign = abs(x), "-" if x <= -0.5 else ""
    if size < 99_500:
        return f"{sign}${size:,.0f}"
    for unit, name, digits in ((1e12, "tn", 2), (1e9, "bn", 2), (1e6, "m", 1), (1e3, "k", 0)):
        # Three digits at most; what rounds up to the next unit is said in it.
        parts = float(f"{size / unit:.3g}")
        if parts >= 1.0:
            decimals = min(digits, 2 if parts < 10 else 1 if parts < 100 else 0)
            return f"{sign}${parts:,.{decimals}f}{name}"
    return f"{sign}${size:,.0f}"


def usd_tick(x: float) -> str:
    """Return an amount for an axis: as :func:`usd`, without zeros behind the point ("$1bn", "$1.2bn", "$3m")."""
    whole, point, rest = usd(x).partition(".")
    digits = "".join(c for c in rest if c.isdigit()).rstrip("0")
    return whole + (point + digits if digits else "") + rest.lstrip("0123456789")


def price(x: float) -> str:
    """Return dollars and cents: "$2.27"."""
    return f"{'-' if x < 0 else ''}${abs(x):.2f}"


def percent(x: float) -> str:
    """Return "37 %", with a decimal below ten per cent."""
    return f"{100 * x:.{1 if abs(x) < 0.0995 and x else 0}f} %"


def months(x: float) -> str:
    """Return "14 months"."""
    return f"{x:.0f} month{'' if abs(round(x)) == 1 else 's'}"


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


def calendar(start: str, month: float) -> str:
    """Return the month ``month`` months after ``start`` ("2024-01"): "Mar 2026"."""
    year, first = map(int, start.split("-"))
    since = 12 * year + first - 1 + int(month)
    return f"{_MONTHS[since % 12]} {since // 12}"


def listed(parts: Iterable[str]) -> str:
    """Return "a, b and c"."""
    parts = list(parts)
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1] if parts else ""
