"""What figures of a sweep share."""

from __future__ import annotations

from typing import Any, NamedTuple

from matplotlib.figure import Figure

from experiments.run.figures.style import BLUE, GOLD, GREEN, MUTED, ORANGE, PURPLE, RED, SKY

_COLORS = (BLUE, ORANGE, GREEN, PURPLE, RED, SKY, GOLD, MUTED)


class Drawn(NamedTuple):
    """A figure with its heading, how to read it, and what it says."""

    head: str
    note: str
    figure: Figure
    says: tuple[str, ...] = ()


def _panels(figure: Figure, n: int, columns: int = 3, **more: Any) -> list[Any]:
    made = figure.subplots(-(-n // columns), min(columns, n), squeeze=False, **more).ravel()
    for ax in made[n:]:
        ax.set_visible(False)
    return list(made[:n])


def _say(change: tuple[float, float, float], unit: str) -> str:
    mean, low, high = change
    return f"{mean:+.3g} [{low:.3g}, {high:.3g}] {'points' if unit == '%' else unit}".replace("-", "−")


def _number(value: float) -> str:
    return f"{value:.3g}".replace("-", "−")
