"""A value that brings its own tolerance."""

from __future__ import annotations

from typing import NamedTuple


class Band(NamedTuple):
    """A number and the absolute difference to the expected one that is allowed."""

    value: float | None
    allowed: float
