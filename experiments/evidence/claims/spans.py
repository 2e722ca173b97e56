"""Which parameters nobody has a source for, and the range in which each of them is tried."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from pydantic.fields import FieldInfo

from simulation.scenario.config import set_path
from simulation.scenario.declare import ASSUMPTION, said
from simulation.scenario.faults import ConfigError
from simulation.scenario.paths import Keys
from simulation.scenario.scenario import Scenario
from simulation.scenario.walking import _field, _walk_parameters

#: Numbers without a source that are not tried, and why: the first pattern that fits a path stands.
LEFT_OUT = (
    ("run.*", "the horizon, and what only stops a run"),
    ("policy.*", "a policy: off in the base, or part of a claim's own arm"),
    ("lesson.*", "an exercise of the page"),
    ("drivers.block.*", "a block that a claim brings to market itself"),
    ("*.count", "the size of a population"),
    ("networks.seed", "the seed of the networks: nothing to assume"),
    ("*_scale", "multiplies traits that are tried themselves"),
    ("chips.*.release", "a date, recorded or announced"),
    ("chips.*.end_of_sale", "a date, recorded or announced"),
    ("miners.halving_month", "a date on record"),
    ("drivers.coin.price", "a quote of the first day, the one before the recorded series"),
    ("drivers.coin.eth_price", "a quote of the first day"),
    ("rental.hours", "arithmetic: the hours of a month"),
)
#: Why what is not a number, or has no value to start from, is not tried.
_NO_NUMBER = "not a number: choices and flags are compared in configs/sweeps"
_NOT_SET = "not set in this base"
_ZERO = "zero in this base: half and double say nothing; a range in its declaration would"
_UNIT = "the unit in which performance is counted"
_NO_ROOM = "at its bounds: there is nothing to try"

#: A parameter is halved and doubled, unless its declaration says otherwise.
_FACTOR = 2.0
#: Halvings in the search for the end of a range that the scenario allows: a sixtieth of the range is near enough.
_CUTS = 6

#: Units of what is no number at all.
_TEXTS = ("text", "path", "YYYY-MM")

#: A parameter as it is walked: path, keys, value, declaration.
Member = tuple[str, Keys, Any, FieldInfo]

#: A number, or the numbers of a range or of a path by year.
Value = float | int | tuple[float, ...]


@dataclass(frozen=True)
class Span:
    """A parameter without a source and its range; where several kinds of agent share a declaration, all of them move."""

    name: str
    unit: str
    paths: tuple[str, ...]
    base: tuple[Value, ...]
    low: tuple[Value, ...]
    high: tuple[Value, ...]
    reason: str

    @property
    def sides(self) -> tuple[int, ...]:
        """The ends that differ from the base: -1 the low one, +1 the high one."""
        return tuple(side for side in (-1, 1) if self.at(side) != self.at(0.0))

    def at(self, u: float) -> dict[str, Any]:
        """Return the changes at ``u``: -1 is the low end, 0 the base, 1 the high end.

        In between values go by equal factors where both ends have the same sign, else by equal steps.
        """
        end = self.high if u > 0.0 else self.low
        moved = (_between(b, e, abs(u)) for b, e in zip(self.base, end, strict=True))
        return {path: list(x) if isinstance(x, tuple) else x for path, x in zip(self.paths, moved, strict=True)}

    def words(self, u: float) -> str:
        """Return the value at ``u`` in words; of several at once what they are over the base."""
        values = list(self.at(u).values())
        if len(values) == 1:
            x = values[0]
            return "[" + ", ".join(f"{y:.3g}" for y in x) + "]" if isinstance(x, list) else f"{x:.3g}"
        base = sum(_size(x) for x in self.base)
        return f"{sum(_size(x) for x in values) / base:.2g} times the base"


class LeftOut(NamedTuple):
    """A number without a source that is not tried, and why."""

    name: str
    reason: str


def unsourced(scenario: Scenario) -> tuple[list[Span], list[LeftOut]]:
    """Return the parameters of a scenario that have no source, with their ranges, and those that are left out."""
    groups: dict[tuple[Any, ...], list[Member]] = {}
    left_out = []
    kinds: dict[Keys, set[str]] = {}
    for path, keys, value, field in _walk_parameters(scenario):
        kinds.setdefault(keys[:-2], set()).add(path.split(".")[-2] if len(keys) > 1 else "")
        if said(field, "source") not in (ASSUMPTION, "") or said(field, "unit") in _TEXTS:
            continue
        reason = _why_not(path, value, scenario)
        if reason:
            left_out.append(LeftOut(path, reason))
        else:
            holder, _ = _field(keys)
            groups.setdefault((keys[:-2], holder, keys[-1]), []).append((path, keys, value, field))
    spans = []
    for members in groups.values():
        span = _span(members, kinds, scenario)
        if span.sides:
            spans.append(span)
        else:
            left_out.append(LeftOut(span.name, _NO_ROOM if any(map(_size, span.base)) else _ZERO))
    return spans, left_out


def _name(members: list[Member], kinds: dict[Keys, set[str]]) -> str:
    """Return the name of a declaration: "lenders.*.rationing" where every kind of lender has it."""
    path, keys, _, _ = members[0]
    if len(members) == 1:
        return path
    own = [p.split(".")[-2] for p, *_ in members]
    which = "*" if set(own) == kinds[keys[:-2]] else f"{{{','.join(own)}}}"
    return f"{'.'.join(map(str, keys[:-2]))}.{which}.{keys[-1]}"


def _why_not(path: str, value: Any, scenario: Scenario) -> str:
    """Return why a parameter is not tried, "" if it is."""
    if path.startswith("chips.") and path.endswith(".performance") and value == 1.0:
        return _UNIT
    for pattern, reason in LEFT_OUT:
        if fnmatchcase(path, pattern):
            return reason
    if value is None:
        return _NOT_SET
    if isinstance(value, tuple):
        return "" if value and all(_is_number(x) for x in value) else _NO_NUMBER
    if not _is_number(value):
        return _NO_NUMBER
    return ""


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _span(members: list[Member], kinds: dict[Keys, set[str]], scenario: Scenario) -> Span:
    """Return the span of one declaration, its ends drawn in to what the scenario allows."""
    field = members[0][3]
    ends = [_ends(value, member) for _, _, value, member in members]
    extra = _declared(field)
    span = Span(
        _name(members, kinds), said(field, "unit"), tuple(p for p, *_ in members), tuple(value for _, _, value, _ in members),
        tuple(low for low, _ in ends), tuple(high for _, high in ends), str(extra.get("because", "")),
    )  # fmt: skip
    for side in (-1, 1):
        allowed = _allowed(span, side, scenario)
        if allowed < 1.0:
            moved = tuple(tuple(x) if isinstance(x, list) else x for x in span.at(side * allowed).values())
            cut = "cut where other parameters of the base forbid more"
            reason = f"{span.reason}; {cut}" if span.reason else cut
            low, high = (moved, span.high) if side < 0 else (span.low, moved)
            span = replace(span, reason=reason, low=low, high=high)
    return span


def _allowed(span: Span, side: int, scenario: Scenario) -> float:
    """Return the largest part of the way to an end (0 to 1) at which the scenario is valid."""

    def is_valid(u: float) -> bool:
        try:
            set_path(scenario, span.at(side * u))
        except ConfigError:
            return False
        return True

    if is_valid(1.0):
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(_CUTS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if is_valid(middle) else (low, middle)
    return low


def _ends(value: Any, field: FieldInfo) -> tuple[Value, Value]:
    """Return the low and the high end of the range of a value (of each entry of a range or list of them)."""
    if isinstance(value, tuple):
        pairs = [_ends_of_one(x, field) for x in value]
        return tuple(low for low, _ in pairs), tuple(high for _, high in pairs)
    return _ends_of_one(value, field)


def _ends_of_one(value: float, field: FieldInfo) -> tuple[float, float]:
    extra = _declared(field)
    least, most = _bounds(field)
    if given := extra.get("range"):
        low, high = min(given[0], value), max(given[1], value)
    elif given := extra.get("times"):
        low, high = sorted((value * given[0], value * given[1]))
    elif said(field, "unit") == "share" or (least, most) == (0.0, 1.0):
        low, high = _share_ends(value)
    else:
        low, high = sorted((value / _FACTOR, value * _FACTOR))
    low, high = max(low, least), min(high, most)
    if isinstance(value, int):
        # Halves go up: a lag of three months is tried at two.
        return math.floor(low + 0.5), math.floor(high + 0.5)
    return float(low), float(high)


def _share_ends(share: float) -> tuple[float, float]:
    """Return the range of a share: neither it nor what is missing to one moves by more than a factor of two."""
    rest = 1.0 - share
    return max(share / _FACTOR, 1.0 - _FACTOR * rest), min(share * _FACTOR, 1.0 - rest / _FACTOR)


def _declared(field: FieldInfo) -> dict[str, Any]:
    """Return what a declaration says beside its bounds: unit, source, range."""
    return dict(field.json_schema_extra) if isinstance(field.json_schema_extra, dict) else {}


def _bounds(field: FieldInfo) -> tuple[float, float]:
    """Return the declared bounds of a parameter, infinite where it has none."""
    least, most = float("-inf"), float("inf")
    for limit in field.metadata:
        least = max([least, *(x for name in ("ge", "gt") if (x := getattr(limit, name, None)) is not None)])
        most = min([most, *(x for name in ("le", "lt") if (x := getattr(limit, name, None)) is not None)])
    return least, most


def _between(base: Value, end: Value, part: float) -> Value:
    """Return the value at ``part`` of the way from the base to an end: whole where the base is."""
    if isinstance(base, tuple):
        assert isinstance(end, tuple)
        return tuple(float(_one_between(b, e, part)) for b, e in zip(base, end, strict=True))
    assert not isinstance(end, tuple)
    found = _one_between(base, end, part)
    return int(round(found)) if isinstance(base, int) else found


def _one_between(base: float, end: float, part: float) -> float:
    if base * end > 0.0:
        return base * (end / base) ** part
    return base + part * (end - base)


def _size(value: Any) -> float:
    return sum(map(abs, value)) if isinstance(value, tuple | list) else abs(value)


def names_by_reason(left_out: list[LeftOut]) -> Iterator[tuple[str, list[str]]]:
    """Yield each reason with the names that it leaves out, in the order in which they are declared."""
    for reason in dict.fromkeys(item.reason for item in left_out):
        yield reason, [item.name for item in left_out if item.reason == reason]
