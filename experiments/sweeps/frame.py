"""The runs of a sweep as a frame: outcomes, names of points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from experiments.statistics import bootstrap, interval, resamples
from experiments.sweeps.study import Study
from simulation.record.summary import SUMMARY
from simulation.scenario.declare import said
from simulation.scenario.walking import parameters
from simulation.words import usd

#: Words for an axis where the meaning of the measure is too long for one.
_WORDS = {
    "systemic": "probability of a systemic cascade", "losses": "credit losses", "loss_share": "losses over peak debt",
    "cascade_max": "largest cascade", "discount_mean": "forced-sale price less value in use", "lender_failures": "lenders failed",
    "debt_peak": "peak of GPU-backed debt", "recovery": "recovery on defaulted claims", "unsold_peak": "peak of unsold hardware",
    "forced_usd": "forced sales", "defaults": "operators in default", "worst_bust_share": "debt defaulting within three months",
    "illusion_peak": "peak of booked over executable value", "depth_worst": "market depth in the worst months",
}  # fmt: skip


#: Unit of the engine: (unit of the figure, factor).
_UNITS = {"USD": ("$bn", 1e-9), "ratio": ("%", 100.0), "flag": ("%", 100.0), "USD/GPU": ("$", 1.0)}


class Outcome(NamedTuple):
    """A measure as a figure shows it: ``factor`` brings it to ``unit``."""

    measure: str
    words: str
    unit: str
    factor: float

    @property
    def label(self) -> str:
        """Words and unit, as on an axis."""
        return self.words if self.words.startswith(self.unit) else f"{self.words}, {self.unit}"

    @property
    def change_label(self) -> str:
        """Words and unit of a difference: of shares in percent, points."""
        return self.label if self.unit != "%" else f"{self.words}, points"


def outcomes(names: tuple[str, ...]) -> list[Outcome]:
    """Return measures of the summary as figures show them."""
    known = {m.name: m for m in SUMMARY}
    made = []
    for name in names:
        unit, factor = _UNITS.get(known[name].unit, (known[name].unit, 1.0))
        made.append(Outcome(name, _WORDS.get(name, known[name].meaning), unit, factor))
    return made


@dataclass(frozen=True)
class Frame:
    """What the figures draw from: done runs of a study, its parameters, what each point is compared with."""

    study: Study
    done: pd.DataFrame
    names: tuple[str, ...]
    outcomes: list[Outcome]

    @property
    def paired(self) -> bool:
        """Whether all points see the same draws."""
        return self.study.plan.seeds == "shared"

    def reference(self, point: int) -> int:
        """Return the point that a point is compared with: the first, or that with the values of ``report.against``."""
        against = self.study.plan.report.against
        if not against:
            return 0
        wanted = self.study.points[point] | against
        return next(k for k, changes in enumerate(self.study.points) if changes == wanted)

    def level(self, point: int, outcome: Outcome) -> tuple[float, float, float]:
        """Return mean and interval of an outcome at a point, in its unit."""
        return bootstrap(outcome.factor * self._values(point, outcome))

    def change(self, point: int, outcome: Outcome) -> tuple[float, float, float]:
        """Return the mean change of an outcome against the reference and its interval, by draw where draws are shared."""
        here, there = (
            self.done[self.done["point"] == p].set_index("replication")[outcome.measure]
            for p in (point, self.reference(point))
        )
        if self.paired:
            return bootstrap(outcome.factor * (here - there).to_numpy(float))
        a, b = (x.to_numpy(float)[np.isfinite(x.to_numpy(float))] for x in (here, there))
        if not (len(a) and len(b)):
            return np.nan, np.nan, np.nan
        draws = a[resamples(len(a))].mean(1) - b[resamples(len(b), seed=2)].mean(1)
        low, high = interval(draws)
        return outcome.factor * float(a.mean() - b.mean()), outcome.factor * float(low), outcome.factor * float(high)

    def _values(self, point: int, outcome: Outcome) -> np.ndarray:
        return self.done.loc[self.done["point"] == point, outcome.measure].to_numpy(float)

    def unit(self, name: str) -> str:
        """Return the unit of a parameter."""
        return next((said(field, "unit") for path, _, field in parameters(self.study.scenario) if path == name), "")

    def axis(self, name: str) -> str:
        """Return a parameter with its unit, as on an axis."""
        unit = self.unit(name)
        return name if unit in ("", "-", "choice", "flag", "name", "ratio", "USD") else f"{name}, {unit}"

    def value(self, name: str, value: Any) -> str:
        """Return a value of a parameter as on an axis."""
        if self.unit(name) == "USD" and isinstance(value, int | float | np.number):
            return usd(float(value)) if value else "$0"
        return short(value)

    def name_of(self, point: int) -> str:
        """Return what distinguishes a point, in words."""
        labels = self.study.plan.report.labels
        if labels:
            return labels[point]
        changes = self.study.points[point]
        last = [path.rpartition(".")[2] for path in changes]
        if self.study.plan.sweep.design == "grid" and len(set(last)) == len(last):
            return ", ".join(
                f"{name} {self.value(path, value)}" for name, (path, value) in zip(last, changes.items(), strict=True)
            )
        return point_name(changes)

    @property
    def compared(self) -> str:
        """What changes are taken against, in words."""
        against = self.study.plan.report.against
        return ", ".join(f"{name} = {short(value)}" for name, value in against.items()) if against else self.name_of(0)


def short(value: Any) -> str:
    """Return a value in few characters."""
    if isinstance(value, list | tuple | np.ndarray):
        return f"[{', '.join(map(short, value))}]"
    return f"{value:.4g}" if isinstance(value, float | np.floating) else str(value)


def point_name(changes: dict[str, Any]) -> str:
    """Return the changes of a point in words; parameters of the same last name and value are one."""
    merged: dict[tuple[str, str], list[str]] = {}
    for path, value in changes.items():
        merged.setdefault((path.rpartition(".")[2], short(value)), []).append(path)
    words = [
        f"{paths[0] if len(paths) == 1 else f'{paths[0].split(".")[0]}.*.{last}'} = {value}"
        for (last, value), paths in merged.items()
    ]
    text = ", ".join(words) or "base"
    return text if len(text) <= 60 else f"{text[:57]}..."


def _is_number(frame: Frame, name: str) -> bool:
    return pd.api.types.is_numeric_dtype(frame.done[name]) and not pd.api.types.is_bool_dtype(frame.done[name])
