"""What the base was calibrated to and what it reaches: ``firesale calibrate`` and ``docs/calibration.md``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from experiments.many import play_many
from experiments.statistics import bootstrap
from simulation.scenario.config import set_path
from simulation.scenario.scenario import Scenario
from simulation.world.world import World


class Target(NamedTuple):
    """A moment of the data and how to read it off a run."""

    name: str
    recorded: str
    source: str
    low: float
    high: float
    read: Callable[[World, dict[str, Any]], float]
    form: str = "{:.2f}"


def _rent(month: int) -> Callable:
    return lambda w, s: float(w.panel.rent[month] / w.panel.rent[0]) if len(w.panel) > month else np.nan


def _used_h100(w: World, s: dict[str, Any]) -> float:
    """Mean appraisal of the second generation (H100) over the third year (USD)."""
    g = len(w.chips)
    return float(w.chip_panel.appraisal.reshape(-1, g)[24:36, 1].mean())


TARGETS = (
    Target("rent, Jan 2025 over Jan 2024", "0.63", "rent_growth_h100_2024", 0.53, 0.73, _rent(12)),
    Target("rent, Jan 2026 over Jan 2024", "0.63", "rent_growth_h100_2025", 0.53, 0.78, _rent(24)),
    Target("rent, Sep 2026 over Jan 2024", "0.79", "rent_h100_gix_2026_09", 0.60, 1.00, _rent(32)),
    Target("used H100 in 2026, USD", "15,000-28,000", "price_h100_used_range_low, _high", 15e3, 28e3, _used_h100, "{:,.0f}"),
    Target("GPU-backed loans drawn in 2024, bn", "about 11", "market_gpu_backed_2024_11", 8e9, 16e9, lambda w, s: s["issuance_2024"], "bn"),
    Target("the same in 2025, bn", "mid-twenties", "market_gpu_backed_2025_07, claim_debt_growth", 18e9, 30e9, lambda w, s: s["issuance_2025"], "bn"),
    Target("miners' debt, Oct 2024, bn", "2.1", "miner_debt_2024_10", 1.5e9, 3.5e9, lambda w, s: float(w.panel.debt_miners[9]), "bn"),
    Target("miners' debt, Oct 2025, bn", "12.7", "miner_debt_2025_10", 9e9, 16e9, lambda w, s: float(w.panel.debt_miners[21]), "bn"),
)  # fmt: skip


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
)


def _format(value: float, form: str) -> str:
    return f"{value / 1e9:.1f}" if form == "bn" else form.format(value)


def calibration(scenario: Scenario, seeds: int = 200, signs: bool = True, first: int = 1) -> str:
    """Return the calibration report in Markdown: targets with what was reached, risk, signs on paired draws."""
    numbers = range(first, first + seeds)
    keys = (
        "systemic",
        "defaults",
        "cascade_max",
        "lgd",
        "discount_mean",
        "depth_fall",
        "lead",
        "worst_bust_share",
        "lender_failures",
        "loss_share",
    )

    def read(w: World, s: dict[str, Any]) -> tuple:
        calm = int(w.panel.stress_demand.sum() + w.panel.stress_coin.sum()) == 0
        return [t.read(w, s) for t in TARGETS], [float(s[k]) for k in keys], calm

    rows = play_many(scenario, numbers, read)
    reached = np.array([r[0] for r in rows])
    risk = dict(zip(keys, np.array([r[1] for r in rows]).T, strict=True))
    calm = np.array([r[2] for r in rows])
    lines = ["| target | recorded | reached: median [10 %, 90 %] | in band | source |", "|---|---|---|---|---|"]
    for target, column in zip(TARGETS, reached.T, strict=True):
        low, mid, high = (np.nanquantile(column, q) for q in (0.1, 0.5, 0.9))
        verdict = "yes" if target.low <= mid <= target.high else "no"
        values = [_format(v, target.form) for v in (mid, low, high)]
        lines.append(
            f"| {target.name} | {target.recorded} | {values[0]} [{values[1]}, {values[2]}] | {verdict} | {target.source} |"
        )
    _, p_low, p_high = bootstrap(risk["systemic"])
    hit = risk["systemic"] > 0
    lines += ["", f"Risk over {seeds} seeds from {first}:", ""]
    lines.append(
        f"- P(systemic cascade) {risk['systemic'].mean():.3f} [{p_low:.3f}, {p_high:.3f}]; target 0.10 to 0.40."
    )
    if calm.any():
        lines.append(
            f"- draws without any stress: {calm.sum()}, defaults in them {risk['defaults'][calm].mean():.2f} a run (few expected)."
        )
    if hit.any():
        names = {
            "cascade_max": "largest cascade",
            "lgd": "LGD",
            "discount_mean": "fire-sale discount",
            "depth_fall": "fall of depth",
            "lender_failures": "lender failures",
            "loss_share": "losses over peak debt",
        }
        text = ", ".join(f"{label} {np.nanmean(risk[k][hit]):.2f}" for k, label in names.items())
        lines.append(f"- means over systemic runs: {text}.")
    lines.append(f"- credit peaks {np.median(risk['lead']):.0f} months before running capacity (median).")
    if signs:
        lines += [
            "",
            "Signs, each pair on the same seeds (difference of the second value less the first; the coupling, which changes the draws, over five times as many):",
            "",
        ]
        lines += ["| change | P(systemic) | worst bust share | expected | holds |", "|---|---|---|---|---|"]
        for sign in SIGNS:
            lines.append(_sign_row(scenario, sign, range(first, first + sign.factor * seeds)))
    return "\n".join(lines) + "\n"


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
