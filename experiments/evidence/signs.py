"""The direction in which risk moves with seven changes, on paired draws: ``firesale calibrate CONFIG --signs``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from experiments.many import play_many
from experiments.statistics import bootstrap
from simulation.scenario.config import set_path
from simulation.scenario.scenario import Scenario


class Sign(NamedTuple):
    """A change and the direction in which risk should move."""

    name: str
    change: dict[str, Any]
    direction: int
    factor: int = 1  # more seeds for a change that alters the draws themselves


SIGNS = (
    Sign("underwriting life 130 against 40 months", {"lenders.life": (40.0, 130.0)}, +1),
    Sign("advance rate 0.85 against 0.55", {"lenders.max_ltv": (0.55, 0.85)}, +1),
    Sign("mark to market against mark to model", {"lenders.mark_to_market": (0.0, 1.0)}, +1),
    Sign("calm-to-stress coupling 1 against 0", {"drivers.regimes.coupling": (0.0, 1.0)}, +1, 5),
    Sign("buyers' budgets x 5 against x 0.2", {"buyers.budget_scale": (0.2, 5.0)}, -1),
    Sign("backstop of 10 bn against none", {"policy.backstop.capacity": (0.0, 1e10)}, -1),
    Sign("central exchange against search", {"market.venue": ("network", "exchange")}, -1),
)  # fmt: skip

#: Measures of the summary that are told, in words, for the runs with a systemic cascade.
_RISK = {
    "cascade_max": "largest cascade",
    "lgd": "LGD",
    "discount_mean": "fire-sale discount",
    "depth_fall": "fall of depth",
    "lender_failures": "lender failures",
    "loss_share": "losses over peak debt",
}


def signs(scenario: Scenario, seeds: int = 200, first: int = 1) -> str:
    """Return in Markdown the risk of a scenario over seeds, and the signs on paired draws. Nothing is tuned to either."""
    lines = [f"Risk over {seeds} seeds from {first}, an outcome and not a target:", ""]
    lines += _risk(scenario, range(first, first + seeds))
    lines += [
        "",
        "Signs, each pair on the same seeds (difference of the second value less the first; the coupling, which changes the draws, over five times as many):",
        "",
        "| change | P(systemic) | worst bust share | expected | holds |",
        "|---|---|---|---|---|",
    ]
    for sign in SIGNS:
        lines.append(_sign_row(scenario, sign, range(first, first + sign.factor * seeds)))
    return "\n".join(lines) + "\n"


def _risk(scenario: Scenario, seeds: Sequence[int]) -> list[str]:
    keys = ("systemic", "defaults", "lead", *_RISK)
    rows = play_many(
        scenario,
        seeds,
        lambda w, s: ([float(s[k]) for k in keys], int(w.panel.stress_demand.sum() + w.panel.stress_coin.sum()) == 0),
    )
    risk = dict(zip(keys, np.array([row[0] for row in rows]).T, strict=True))
    calm = np.array([row[1] for row in rows])
    mean, low, high = bootstrap(risk["systemic"])
    lines = [f"- P(systemic cascade) {mean:.3f} [{low:.3f}, {high:.3f}]."]
    if calm.any():
        lines.append(
            f"- draws without any stress: {calm.sum()}, defaults in them {risk['defaults'][calm].mean():.2f} a run; credit peaks "
            f"{np.median(risk['lead'][calm]):.0f} months before running capacity (median), {np.median(risk['lead']):.0f} over all draws."
        )
    hit = risk["systemic"] > 0
    if hit.any():
        text = ", ".join(f"{label} {np.nanmean(risk[k][hit]):.2f}" for k, label in _RISK.items())
        lines.append(f"- means over systemic runs: {text}.")
    return lines


def _sign_row(scenario: Scenario, sign: Sign, seeds: Sequence[int]) -> str:
    ((path, (first, second)),) = sign.change.items()
    runs = [
        np.array(
            play_many(set_path(scenario, {path: v}), seeds, lambda w, s: (s["systemic"], s["worst_bust_share"])), float
        )
        for v in (first, second)
    ]
    gap = runs[1] - runs[0]
    cells = []
    for column in gap.T:
        _, low, high = bootstrap(column)
        cells.append(f"{column.mean():+.3f} [{low:+.3f}, {high:+.3f}]")
    change = sign.direction * gap[:, 0].mean()
    _, low, high = bootstrap(gap[:, 0])
    holds = "no" if change < 0 else ("yes" if low * high > 0 else "not significant")
    return f"| {sign.name} | {cells[0]} | {cells[1]} | {'+' if sign.direction > 0 else '-'} | {holds} |"
