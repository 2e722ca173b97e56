"""Running cases: find the form, compute, compare every quantity that the case expects."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from experiments.validation import contagion, firesales, market, networks, stress
from experiments.validation.cases import Case

PASS, FAIL, UNKNOWN = "pass", "fail", "unknown form"


class Quantity(NamedTuple):
    """One compared number, text or flag: where it stands in the case, expected, got, allowed and actual difference."""

    name: str
    expected: Any
    got: Any
    allowed: float
    error: float

    @property
    def holds(self) -> bool:
        return self.error <= self.allowed


class Check(NamedTuple):
    """A case with its verdict; ``passed_over`` names expected values that the form does not compute."""

    case: Case
    verdict: str
    quantities: list[Quantity]
    passed_over: list[str]
    seconds: float
    note: str = ""

    @property
    def worst(self) -> Quantity | None:
        """Return the quantity nearest to (or farthest beyond) what is allowed."""
        return max(self.quantities, key=lambda q: q.error / max(q.allowed, 1e-300), default=None)


#: A form: whether it knows a case, and the values that it computes for it (in the shape of the expected ones).
#: A value ``Band(x, allowed)`` brings its own tolerance, e.g. of a Monte Carlo estimate.
Form = tuple[Callable[[dict], bool], Callable[[Case], dict[str, Any]]]


FORMS: tuple[Form, ...] = (*networks.FORMS, *firesales.FORMS, *contagion.FORMS, *stress.FORMS, *market.FORMS)


# Said about a case, not computed by it.
_SAID = {"published", "note", "rule", "exact"}


def check_cases(cases: Iterable[Case], done: Callable[[Check], None] = lambda check: None) -> list[Check]:
    """Run the cases and return their checks; ``done`` is called after each."""
    checks = []
    for case in cases:
        checks.append(check_case(case))
        done(checks[-1])
    return checks


def check_case(case: Case) -> Check:
    """Run one case. A case that no form knows, or whose inputs do not fit its form, says so in its note."""
    begun = time.perf_counter()
    solve = next((solve for knows, solve in FORMS if knows(case.inputs)), None)
    if solve is None:
        return Check(
            case,
            UNKNOWN,
            [],
            sorted(case.expected),
            0.0,
            f"no form has the inputs {', '.join(sorted(case.inputs)) or '(none)'}",
        )
    try:
        got = solve(case)
    except Exception as error:  # whatever a file of cases holds: a failed case with its reason, not a lost run
        reason = (
            f"lacks {error}"
            if isinstance(error, KeyError)
            else (str(error).strip().splitlines() or [type(error).__name__])[0]
        )
        return Check(case, FAIL, [], [], time.perf_counter() - begun, f"the inputs do not fit the form: {reason}")
    quantities: list[Quantity] = []
    over: list[str] = []
    try:
        for name, expected in case.expected.items():
            if name in got:
                quantities += _compare(name, expected, got[name], case.tolerance)
            elif name not in _SAID and not name.endswith("_exact"):
                over.append(name)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        return Check(
            case,
            FAIL,
            quantities,
            over,
            time.perf_counter() - begun,
            f"the expected values do not fit the form: {error}",
        )
    sound = quantities and all(q.holds for q in quantities)
    note = "" if quantities else "nothing that it expects is computed"
    return Check(case, PASS if sound else FAIL, quantities, over, time.perf_counter() - begun, note)


def _compare(name: str, expected: Any, got: Any, tolerance: float) -> Iterator[Quantity]:
    """Yield the numbers of two equally shaped values side by side."""
    allowed = getattr(got, "allowed", tolerance)
    value = getattr(got, "value", got)
    if isinstance(expected, dict) and isinstance(value, dict):
        for key, part in expected.items():
            if key in value:
                yield from _compare(f"{name}.{key}", part, value[key], tolerance)
    elif isinstance(expected, list):
        parts = value.tolist() if hasattr(value, "tolist") else value
        if not isinstance(parts, list | tuple) or len(parts) != len(expected):
            yield Quantity(f"{name} (length)", expected, parts, 0.0, math.inf)
            return
        for k, (a, b) in enumerate(zip(expected, parts, strict=True)):
            yield from _compare(f"{name}[{k}]", a, b, tolerance)
    elif isinstance(expected, bool | str) or expected is None or value is None:
        same = expected == value or (expected is None and isinstance(value, float) and math.isnan(value))
        yield Quantity(name, expected, value, 0.0, 0.0 if same else math.inf)
    else:
        # Relative for large numbers, absolute for small ones.
        error = abs(float(value) - float(expected)) / (max(1.0, abs(float(expected))) if value is got else 1.0)
        yield Quantity(name, expected, float(value), allowed, error if error == error else math.inf)
