"""The few parameters that the page offers as sliders: what they are called there, their values, what they change."""

from __future__ import annotations

import math
from functools import cache
from typing import Any, NamedTuple

from simulation.scenario.declare import said
from simulation.scenario.scenario import Scenario
from simulation.scenario.walking import declared, parameters


class Choice(NamedTuple):
    """One parameter on the page: ``values`` are the stops of its slider, or the options of a menu."""

    path: str
    label: str
    values: tuple[Any, ...]
    form: str  # how a value is shown: percent, number, months, times, usd, ltv
    help: str


def _span(low: float, high: float, step: float) -> tuple[float, ...]:
    return tuple(round(low + k * step, 10) for k in range(round((high - low) / step) + 1))


#: Group, then its parameters.
GROUPS: tuple[tuple[str, tuple[Choice, ...]], ...] = (
    (
        "Lending",
        (
            Choice(
                "lenders.max_ltv",
                "Advance rate of every lender",
                _span(0.4, 1.0, 0.05),
                "percent",
                "higher: more debt on the same chips, less room before the covenant",
            ),
            Choice(
                "lenders.life",
                "Underwriting life",
                (18.0, 24.0, 36.0, 48.0, 60.0, 72.0, 84.0, 96.0, 120.0),
                "months",
                "longer: larger loans, repaid more slowly than chips age",
            ),
            Choice(
                "lenders.mark_to_market",
                "Marks follow the market",
                _span(0.0, 1.0, 0.1),
                "percent",
                "0: mark to model; 100 %: a fire sale reaches every book at once",
            ),
            Choice(
                "lenders.capital_scale",
                "Lenders' equity",
                (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0),
                "times",
                "more: bears more losses, and lends more",
            ),
            Choice(
                "lenders.runnable_scale",
                "Runnable funding",
                (0.0, 0.5, 1.0, 1.5, 2.0, 3.0),
                "times",
                "more: depositors can leave faster",
            ),
            Choice(
                "credit.maturity",
                "Months to the balloon",
                (12, 18, 24, 30, 36, 48, 60),
                "months",
                "shorter: more debt must be rolled over in bad times",
            ),
        ),
    ),
    (
        "The secondary market",
        (
            Choice(
                "buyers.budget_scale",
                "Buyers' budgets",
                (0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 4.0, 10.0, 25.0),
                "times",
                "more: deeper market, smaller discounts",
            ),
            Choice(
                "buyers.power_scale",
                "Buyers' free power",
                (0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 10.0),
                "times",
                "without racks and cooling nobody can buy",
            ),
            Choice(
                "buyers.refill",
                "Budgets refilled a month",
                (0.0, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5),
                "percent",
                "slow capital: how long prices stay low",
            ),
            Choice(
                "market.venue",
                "How sellers meet buyers",
                ("network", "exchange", "inverse_demand"),
                "text",
                "search, one central auction, or a fixed price impact",
            ),
            Choice(
                "market.calls_a_month",
                "Contacts reached a month",
                (1, 2, 3, 5, 10, 20, 40, 60),
                "number",
                "fewer: sellers search longer",
            ),
        ),
    ),
    (
        "Shocks",
        (
            Choice(
                "drivers.regimes.entry",
                "Chance of a stress a month",
                (0.0, 0.01, 0.018, 0.026, 0.04, 0.06, 0.1, 0.2),
                "percent1",
                "for bitcoin and for AI demand, each",
            ),
            Choice(
                "drivers.regimes.coupling",
                "Stresses that begin together",
                _span(0.0, 1.0, 0.1),
                "percent",
                "correlations that converge in stress",
            ),
            Choice(
                "drivers.demand.stress_drift",
                "Demand in a stress, a month",
                (-0.12, -0.09, -0.07, -0.05, -0.035, -0.02, 0.0),
                "percent1",
                "how hard an AI-demand stress hits",
            ),
            Choice(
                "drivers.demand.deflation",
                "Deflation of compute a month",
                (0.0, 0.005, 0.01, 0.015, 0.02, 0.03, 0.04),
                "percent1",
                "what efficiency gains take off rents",
            ),
        ),
    ),
    (
        "Policy",
        (
            Choice(
                "policy.backstop.capacity",
                "Money of a backstop buyer",
                (0.0, 2.5e8, 5e8, 1e9, 2e9, 5e9, 1e10, 2e10),
                "usd",
                "a dealer of last resort for GPUs",
            ),
            Choice(
                "policy.backstop.trigger",
                "Discount at which it steps in",
                _span(0.05, 0.6, 0.05),
                "percent",
                "smaller: it buys earlier",
            ),
        ),
    ),
)


CHOICES = {choice.path: choice for _, group in GROUPS for choice in group}


@cache
def _declared() -> dict[str, Any]:
    return {path: field for path, _, field in declared()}


def current(scenario: Scenario) -> dict[str, Any]:
    """Return the values of the offered parameters, by path (None: each kind of lender has its own)."""
    values = {path: value for path, value, _ in parameters(scenario)}
    return {path: values[path] for path in CHOICES}


def shown(choice: Choice, value: Any) -> str:
    """Return a value as the page shows it."""
    if value is None:
        return "by kind"
    if choice.form == "text":
        return str(value).replace("_", " ")
    if choice.form == "usd":
        return "none" if value == 0 else f"${value / 1e9:g}bn"
    if choice.form == "percent":
        return f"{100 * value:.0f} %"
    if choice.form == "percent1":
        return f"{100 * value:.1f} %".replace("-", "−")
    return {"months": f"{value:.0f} mo", "times": f"× {value:g}"}.get(choice.form, f"{value:g}")


def groups(scenario: Scenario, pending: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what the panel of parameters shows: every choice with its stops, value, meaning, unit and source."""
    now = current(scenario) | pending
    return [{"name": name, "items": [_item(choice, now[choice.path]) for choice in group]} for name, group in GROUPS]


def _item(choice: Choice, value: Any) -> dict[str, Any]:
    field = _declared()[choice.path]
    item = {
        "path": choice.path, "label": choice.label, "help": choice.help, "meaning": field.description,
        "unit": said(field, "unit"), "source": said(field, "source"),
    }  # fmt: skip
    if choice.form == "text":
        return item | {"options": list(choice.values), "value": value}
    stops = _stops(choice, value)
    return item | {
        "steps": len(stops) - 1, "at": stops.index(value), "text": shown(choice, value), "texts": [shown(choice, v) for v in stops],
    }  # fmt: skip


def _stops(choice: Choice, value: Any) -> list[Any]:
    """Return the stops of a slider: its values, the present one among them, and "by kind" where it is None."""
    known = sorted({v for v in (*choice.values, value) if v is not None})
    # Two stops that look alike are one.
    distinct = [
        v for k, v in enumerate(known) if v == value or k == 0 or not math.isclose(v, known[k - 1], rel_tol=1e-9)
    ]
    return ([None] if _declared()[choice.path].default is None else []) + distinct


def chosen(scenario: Scenario, pending: dict[str, Any], path: str, change: dict[str, Any]) -> Any:
    """Return the value that a slider (``at``) or menu (``value``) was set to. Raises ValueError on anything else."""
    if path not in CHOICES:
        raise ValueError(f"no such parameter on the page: {path!r}")
    choice = CHOICES[path]
    if choice.form == "text":
        if change.get("value") not in choice.values:
            raise ValueError(f"{path} is one of {', '.join(choice.values)}")
        return change["value"]
    stops = _stops(choice, (current(scenario) | pending)[path])
    at = change.get("at")
    if not isinstance(at, int) or not 0 <= at < len(stops):
        raise ValueError(f"{path}: no such position of the slider")
    return stops[at]


def changes(scenario: Scenario, pending: dict[str, Any]) -> list[dict[str, str]]:
    """Return the changes that wait for Reset, in words."""
    was = current(scenario)
    return [
        {"path": path, "label": CHOICES[path].label, "was": shown(CHOICES[path], was[path]), "now": shown(CHOICES[path], value), "effect": f"({CHOICES[path].help})"}
        for path, value in pending.items()
    ]  # fmt: skip


def overrides(pending: dict[str, Any]) -> list[str]:
    """Return changes as "path=value"."""
    return [
        f"{path}={'null' if value is None else repr(value) if isinstance(value, float) else value}"
        for path, value in pending.items()
    ]
