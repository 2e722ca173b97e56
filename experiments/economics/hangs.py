"""What the half-life of a block hangs on: one declared parameter after another halved and doubled, on the same draws."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from pydantic.fields import FieldInfo

from experiments.economics import block, sales
from experiments.economics.measure import Measure
from experiments.economics.table import Row, number, summed_up
from simulation.scenario.config import set_path
from simulation.scenario.declare import said
from simulation.scenario.faults import ConfigError
from simulation.scenario.scenario import Scenario
from simulation.scenario.walking import parameters

#: Seeds for each value of a parameter, and the sections that a used price can hang on.
SEEDS = 20
_SECTIONS = ("market", "marks", "buyers", "networks")
#: Not about the market: seeds, and whom lenders know.
_OTHERS = ("networks.seed", "networks.funding_degree")
_GROUP = "What the half-life hangs on"
#: What the keys of its rows begin with, and the group that they belong to.
PREFIX, AFTER = "hangs.", block.GROUP
#: Responses that are told: changes of the half-life (months) or of the fall (share) of at least so much; less is noise of
#: so few seeds.
_TOLD_MONTHS, _TOLD_FALL = 0.5, 0.05
TOLD = f"{_TOLD_MONTHS:g} months and {100 * _TOLD_FALL:g} points"
#: Heads of :func:`table`.
HEADS = ("parameter", "from", "to", "half-life, months", "change", "fall", "change")


class Change(NamedTuple):
    """One parameter at another value, and what the block does there; ``path`` is empty for the scenario as it is."""

    path: str
    before: Any
    after: Any
    life: Row
    fall: Row

    @property
    def name(self) -> str:
        return f"{self.path} = {_text(self.after)}" if self.path else "as it is"


def upper_bound(field: FieldInfo) -> float:
    """Return the largest value that a parameter is declared to take: its bound, 1 of a share, infinite without either."""
    ends = (getattr(bound, name, None) for bound in field.metadata for name in ("le", "lt"))
    whole = 1.0 if said(field, "unit") == "share" else math.inf
    return min((float(end) for end in ends if end is not None), default=whole)


def others(value: Any, high: float) -> list[Any]:
    """Return half and twice a value, twice at most half way to ``high``; both ends of a range; none of what is no number."""
    ends = value if isinstance(value, tuple) else (value,)
    if not all(isinstance(x, int | float) and not isinstance(x, bool) and x != 0 for x in ends):
        return []
    found = []
    for times in (0.5, 2.0):
        moved: list[float] = [times * x if times * x < high else 0.5 * (x + high) for x in ends]
        if all(isinstance(x, int) for x in ends):
            moved = [max(1, round(x)) for x in moved]
        if moved != list(ends):
            found.append(moved if isinstance(value, tuple) else moved[0])
    return found


def candidates(scenario: Scenario) -> list[tuple[str, Any, Any]]:
    """Return (path, value, other value) of every number that a used price can hang on, traits of kinds of agent left out."""
    found = []
    for path, value, field in parameters(scenario):
        section, _, name = path.partition(".")
        if section in _SECTIONS and "." not in name and path not in _OTHERS:
            found += [(path, value, other) for other in others(value, upper_bound(field))]
    return found


def respond(scenario: Scenario, seeds: Sequence[int], path: str = "", before: Any = None, after: Any = None) -> Change:
    """Return what the block does in a scenario, as the measures of the block tell it."""
    declared = {measure.key: measure for measure in block.declared(scenario)}
    hit, calm = sales.with_block(scenario, seeds, block.AT_ONCE), sales.without_block(scenario, seeds)
    seen = block.responses(hit, calm)
    name = f"{path} = {_text(after)}" if path else "as it is"

    def row(key: str) -> Row:
        measure: Measure = declared[key]
        label = f"{measure.label}, {name}"
        return summed_up(measure._replace(key=f"{PREFIX}{key}.{name}", group=_GROUP, label=label), seen[key])

    return Change(path, before, after, row("block.half_life"), row("block.fall"))


def hangs_on(scenario: Scenario, seeds: Sequence[int], say: Callable[[str], Any] = lambda text: None) -> list[Change]:
    """Return what the block does as the scenario is, and with one parameter after another halved and doubled.

    Values that the scenario refuses are left out. Months and seeds are cut to what is needed.
    """
    short, seeds = set_path(scenario, {"run.months": sales.MONTHS}), seeds[:SEEDS]
    found = [respond(short, seeds)]
    for path, value, other in candidates(scenario):
        try:
            changed = set_path(short, {path: other})
        except ConfigError:  # at odds with another parameter: less than its floor, more than its cap
            continue
        say(f"{path} = {_text(other)}")
        found.append(respond(changed, seeds, path, value, other))
    return found


def rows(changes: Sequence[Change]) -> list[Row]:
    """Return the rows of the table of measures."""
    return [row for change in changes for row in (change.life, change.fall)]


def told(changes: Sequence[Change]) -> list[Change]:
    """Return the changes that move the half-life or the fall, those that move the half-life most first."""
    first, *rest = changes
    return sorted((c for c in rest if _moved(first, c)), key=lambda c: -abs(c.life.median - first.life.median))


def table(changes: Sequence[Change]) -> list[tuple[str, ...]]:
    """Return what the block does as the scenario is, and with the parameters that move it, as text (see HEADS)."""
    first = changes[0]
    return [
        ("as it is", "", "", number("months", first.life.median), "", number("share", first.fall.mean), ""),
        *(
            (
                c.path, _text(c.before), _text(c.after), number("months", c.life.median),
                _signed("months", c.life.median - first.life.median), number("share", c.fall.mean),
                _signed("share", c.fall.mean - first.fall.mean),
            )
            for c in told(changes)
        ),
    ]  # fmt: skip


def idle(changes: Sequence[Change]) -> list[str]:
    """Return the parameters for which neither half nor twice their value makes a difference that is told."""
    moving = {c.path for c in told(changes)}
    return list(dict.fromkeys(c.path for c in changes[1:] if c.path not in moving))


def _moved(first: Change, c: Change) -> bool:
    life, fall = abs(c.life.median - first.life.median), abs(c.fall.mean - first.fall.mean)
    return life >= _TOLD_MONTHS or fall >= _TOLD_FALL or math.isnan(life)


def _signed(unit: str, value: float) -> str:
    return f"+{number(unit, value)}" if value > 0.0 else number(unit, value)


def _text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_text, value))}]"
    return f"{value:g}" if isinstance(value, float) else str(value)
