"""Specifications run interpreted, in whatever session: compiling would take longer than all of them together."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType

import numba
import pytest

from agents import rule

#: Names of a module bound to a compiled rule, and the plain function behind it.
Swap = tuple[ModuleType, str, object, object]


def _swaps() -> list[Swap]:
    """Return every compiled rule in the modules loaded, with its plain function; none when already interpreted."""
    if rule.INTERPRETED:
        return []
    found: list[Swap] = []
    for module in list(sys.modules.values()):
        if not getattr(module, "__name__", "").startswith(("agents", "simulation", "tests.rules")):
            continue
        for name, value in list(vars(module).items()):
            if isinstance(value, numba.core.dispatcher.Dispatcher):
                found.append((module, name, value, value.py_func))
            elif value is rule.borrow and value is not _same:
                found.append((module, name, value, _same))
    return found


def _same(world: object) -> object:
    return world


@pytest.fixture(autouse=True)
def interpreted() -> Iterator[None]:
    """Put the plain functions in the place of the compiled rules while a specification runs."""
    swaps = _swaps()
    for module, name, _, plain in swaps:
        setattr(module, name, plain)
    yield
    for module, name, compiled, _ in swaps:
        setattr(module, name, compiled)
