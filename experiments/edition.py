"""What one edition of the engine records or knows and another may not: measures and facts say what they need."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from agents.schema import TABLES
from agents.tables.events import EVENT_KINDS
from simulation.scenario.walking import declared

#: What an edition may lack, and nothing else: any other name that is not known is a slip of the pen.
LATER = frozenset(
    {
        "panel.hidden_losses", "panel.capital_committed", "panel.site_power", "kind_panel.losses", "kind_panel.passed",
        "kind_panel.passed_lines", "operators.q", "event.waiver", "event.extension", "event.swap",
        "parameter.buyers.entry_speed", "parameter.credit.forbearance",
    }
)  # fmt: skip


@cache
def known() -> frozenset[str]:
    """Return what this edition has: ``table.column``, ``event.kind`` and ``parameter.path``."""
    columns = {f"{table.name}.{column.name}" for table in TABLES.values() for column in table.columns}
    events = {f"event.{kind}" for kind in EVENT_KINDS}
    return frozenset(columns | events | {f"parameter.{path}" for path, _, _ in declared()})


def missing(needs: Iterable[str]) -> list[str]:
    """Return those of ``needs`` that this edition lacks. Raises KeyError on a name that no edition has (see LATER)."""
    lacking = [name for name in needs if name not in known()]
    unheard = [name for name in lacking if name not in LATER]
    if unheard:
        raise KeyError(f"neither here nor among what an edition may lack: {', '.join(unheard)}")
    return lacking


def not_here(needs: Iterable[str]) -> str:
    """Return why something cannot be measured, "" if it can."""
    lacking = missing(needs)
    return f"not in this edition: {', '.join(lacking)}" if lacking else ""
