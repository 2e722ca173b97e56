"""Recorded figures that measures are compared with, by key (``configs/data/facts.csv``)."""

from __future__ import annotations

import csv
from functools import cache

from simulation.scenario.document import base_config


@cache
def _facts() -> dict[str, str]:
    with open(base_config().parent / "data" / "facts.csv", encoding="utf-8", newline="") as file:
        return {row["key"]: row["value"] for row in csv.DictReader(file)}


def recorded(key: str) -> float:
    """Return a recorded figure. Raises KeyError on an unknown key, ValueError if it is not a number."""
    return float(_facts()[key])
