"""Random scenarios: which parameters are moved, and how far.

Everything comes from the declarations: unit, bounds and the value that the scenario has. A draw is a function of
(scenario, kind, seed, number) alone. Values are moved one by one; what they forbid one another the scenario itself says.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from pydantic.fields import FieldInfo

from simulation.scenario.config import set_path
from simulation.scenario.declare import said
from simulation.scenario.scenario import Scenario
from simulation.scenario.walking import parameters
from simulation.world.streams import stream

Kind = Literal["plausible", "stressed", "extreme", "given"]
Changes = dict[str, Any]

#: What is not drawn, and why.
LEFT_OUT = (
    ("lesson.*", "an exercise of the page"),
    ("run.max_turns", "where a cascade is stopped with a fault: a low value asks for one"),
)
#: Units of what is no number, flag or choice.
_TEXTS = ("text", "path", "YYYY-MM", "mixed")

#: Parameters at zero, or not set, have no size to go by: that of their unit stands in, 1 for all others.
_SIZES = {
    "USD": 1e9, "USD/kW": 1e3, "GPU": 1e4, "GPU/month": 1e4, "kW": 1e4, "ETH": 1e4, "BTC": 1e3, "month": 12.0, "agents": 4.0,
    "1/month": 0.02, "1/year": 0.1, "log/month": 0.03, "log": 0.2, "USD/kW-month": 50.0,
}  # fmt: skip
#: What a run costs grows with these: however wide a draw, they grow no further (over the value of the scenario).
_COSTLY = (
    ("*.count", 3.0),
    ("run.months", 2.0),
    ("networks.contact_limit", 3.0),
    ("*_degree", 4.0),
    ("lenders.links", 4.0),
)
#: Share of the whole drawn at the end of a declared range, and at zero, when draws are extreme.
_AT_AN_END = 1 / 3
#: Largest distance of an excluded bound, over what it leaves.
_HAIR = 1e-6


#: What a scenario wants in this order: moved values are put into it, or half of all draws would be refused.
_ORDERED = (
    ("notes.margin_ltv", "notes.margin_call", "notes.margin_closeout"),
    ("credit.rollover_floor", "credit.rollover_dscr"),
    ("vendor.first", "vendor.last"),
)


class Width(NamedTuple):
    """How far a kind of draw goes: ``least`` and ``most`` share of the parameters moved, by up to ``factor``."""

    least: float
    most: float
    factor: float


WIDTHS = {"plausible": Width(0.02, 0.3, 1.5), "stressed": Width(0.02, 0.4, 4.0), "extreme": Width(0.01, 0.3, 1e3)}

#: Deep shocks: (parameters, least, most); a stressed draw has each of them with a chance of one half.
_SHOCKS: tuple[tuple[str, float, float], ...] = (
    ("drivers.regimes.first_month", 0, 12), ("drivers.regimes.entry", 0.05, 0.6), ("drivers.demand.stress_drift", -0.5, -0.05),
    ("drivers.demand.stress_jump", -1.5, -0.1), ("drivers.coin.stress_jump", -1.5, -0.2), ("drivers.coin.stress_drift", -0.4, -0.05),
    ("lenders.capital_scale", 0.05, 0.7), ("lenders.runnable_scale", 1.0, 4.0), ("buyers.budget_scale", 0.01, 0.8),
    ("credit.initial_debt", 0.4, 1.0), ("drivers.block.units", 1e3, 1e6), ("drivers.block.month", 0, 20),
)  # fmt: skip
_SHOCK_CHANCE = 0.5


def is_drawn(path: str, field: FieldInfo) -> bool:
    """Return whether a parameter takes part in draws."""
    return said(field, "unit") not in _TEXTS and not any(fnmatchcase(path, pattern) for pattern, _ in LEFT_OUT)


def draw(scenario: Scenario, kind: Kind, seed: int, number: int) -> Changes:
    """Return the changes of draw ``number``: dotted paths to values. It may be one that the scenario refuses."""
    if kind == "given":
        return {}
    rng = stream(seed, number, f"campaign {kind}")
    known = [(path, value, field) for path, value, field in parameters(scenario) if is_drawn(path, field)]
    width = WIDTHS[kind]
    share = rng.uniform(width.least, width.most)
    changes: Changes = {}
    for path, value, field in known:
        # Every parameter takes its draws, moved or not.
        own = np.random.Generator(np.random.PCG64(rng.integers(2**63)))
        if own.random() < share:
            changes[path] = _moved(path, value, field, kind, own)
    if kind == "stressed":
        changes |= {path: value for path, value in _shocks(rng)}
    before = {path: value for path, value, _ in known}
    for group in _ORDERED:
        if not changes.keys().isdisjoint(group):
            changes |= zip(group, sorted(changes.get(path, before[path]) for path in group), strict=True)
    return {path: value for path, value in changes.items() if value != _listed(before[path])}


def _shocks(rng: np.random.Generator) -> Iterator[tuple[str, float]]:
    for path, least, most in _SHOCKS:
        x, on = rng.uniform(least, most), rng.random() < _SHOCK_CHANCE
        if on:
            yield path, round(x) if isinstance(least, int) else float(f"{x:.4g}")


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _moved(path: str, value: Any, field: FieldInfo, kind: Kind, rng: np.random.Generator) -> Any:
    """Return another value of a parameter (a list for a range or a path by year)."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, str):
        return str(rng.choice(get_args(field.annotation)))
    if isinstance(value, tuple):
        # The ends of a range move together, and a little by themselves.
        factor_seed = rng.integers(2**63)
        ends = [
            _number(path, x, field, kind, np.random.Generator(np.random.PCG64(factor_seed))) * rng.uniform(0.9, 1.1)
            for x in value
        ]
        return [_round(_clipped(x, field)) for x in (sorted(ends) if len(ends) == 2 else ends)]
    whole = "int" in str(field.annotation) and "float" not in str(field.annotation)
    found = _number(path, value, field, kind, rng)
    return int(_clipped(round(found), field)) if whole else _round(_clipped(found, field))


def _number(path: str, value: float | None, field: FieldInfo, kind: Kind, rng: np.random.Generator) -> float:
    """Return a number near ``value``, as far as the kind goes, inside its bounds."""
    least, most = bounds(field)
    size = abs(value) if value else _SIZES.get(said(field, "unit"), 1.0)
    factor = WIDTHS[kind].factor
    dear = next((limit for pattern, limit in _COSTLY if fnmatchcase(path, pattern)), math.inf)
    u, end = rng.uniform(-1.0, 1.0), rng.random()
    if kind == "extreme" and end < _AT_AN_END:
        ends = [x for x in (least, most) if math.isfinite(x)] or [0.0]
        found = float(rng.choice(ends))
        return min(found, dear * size) if math.isfinite(dear) else found
    if kind != "extreme" and least >= 0.0 and most <= 1.0 and value:
        # A share and what is missing to one both move by the factor at most.
        odds = value / max(1.0 - value, _HAIR) * factor**u
        return odds / (1.0 + odds)
    step = factor**u if factor**u <= dear else dear
    sign = math.copysign(1.0, value) if value else (1.0 if least >= 0.0 else float(rng.choice((-1.0, 1.0))))
    return sign * size * (step if value else step / factor)


def bounds(field: FieldInfo) -> tuple[float, float]:
    """Return the least and the largest value of a parameter, infinite where none is declared; excluded ones by a hair inside."""
    least, most, near = -math.inf, math.inf, _HAIR
    for limit in field.metadata:
        for name in ("ge", "gt"):
            if (x := getattr(limit, name, None)) is not None:
                least = max(least, x + (near * max(1.0, abs(x)) if name == "gt" else 0.0))
        for name in ("le", "lt"):
            if (x := getattr(limit, name, None)) is not None:
                most = min(most, x - (near * max(1.0, abs(x)) if name == "lt" else 0.0))
    return least, most


def _clipped(x: float, field: FieldInfo) -> float:
    least, most = bounds(field)
    return min(most, max(least, x))


def _round(x: float) -> float:
    """Return ``x`` with few digits, so that a reproduction can be read; what is near a bound stays on its side."""
    return float(f"{x:.12g}") if abs(x - round(x)) < 2 * _HAIR else float(f"{x:.4g}")


def small(scenario: Scenario) -> Scenario:
    """Return the scenario with a quarter of its agents and two years at most."""
    counts = {path: -(-value // 4) for path, value, _ in parameters(scenario) if path.endswith(".count")}
    return set_path(scenario, counts | {"run.months": min(24, scenario.run.months)})


def option(changes: Changes) -> str:
    """Return changes as options of a command: ``--set path=value`` each."""
    import shlex

    return " ".join("--set " + shlex.quote(f"{path}={_yaml(value)}") for path, value in changes.items())


def _yaml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "[" + ", ".join(map(_yaml, value)) + "]"
    # YAML 1.2 wants a point in the mantissa of 1.0e-06.
    text = repr(value) if not isinstance(value, str) else value
    return text.replace("e", ".0e", 1) if isinstance(value, float) and "e" in text and "." not in text else text
