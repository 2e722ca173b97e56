"""The verdict on a claim at one point: contrasts run by run, their interval, arms made equal in leverage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from experiments.evidence.claims.catalogue import Arms, Claim, Level
from experiments.evidence.claims.lab import Changes, Lab
from experiments.statistics import bootstrap, interval, resamples, shortfall

#: Resamples of an interval at the base.
_DRAWS = 2000
#: Runs on which leverage is made equal, and halvings of the interval searched: a thousandth of an advance rate is enough.
_LEVEL_RUNS, _LEVEL_STEPS = 40, 7
#: Away from the base the levelled arm is played at its advance rate times these, and what lies between is interpolated.
_BRACKET = (0.75, 1.4)
#: How far beyond the bracket, in brackets, the interpolation is still believed.
_BEYOND = 1.0
_BELOW, _ABOVE = "below", "above"


@dataclass(frozen=True)
class Finding:
    """What an experiment found: mean contrast and its interval, arm by arm means, and the words."""

    claim: Claim
    mean: float
    low: float
    high: float
    arms: dict[str, tuple[float, float, float]]
    values: np.ndarray
    notes: str = ""
    tails: Arms = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        """Return "holds", "does not hold" or "not decided": from the interval and the least effect that counts."""
        if self.low > self.claim.least:
            return "holds"
        return "does not hold" if self.high < self.claim.least else "not decided"


def arm_values(claim: Claim, arms: dict[str, dict[str, Any]], lab: Lab, numbers: Sequence[int], at: Changes) -> Arms:
    """Return what the claim reads of each arm (runs, or runs x months), at some changes of the base."""
    names = (claim.reads,) if isinstance(claim.reads, str) else claim.reads
    found = {label: lab.values({**at, **arm}, numbers, names) for label, arm in arms.items()}
    return {label: x[:, 0] for label, x in found.items()} if isinstance(claim.reads, str) else found


# --- at the base --------------------------------------------------------------------------------------------------


def examine(claim: Claim, lab: Lab, runs: int) -> Finding:
    """Play the arms of a claim at the base and judge it."""
    arms, numbers, notes = claim.arms, range(runs), ""
    if claim.level:
        if claim.level.measure:
            *_, last = arms
            arms = arms | {last: arms[last] | {claim.level.path: equal_level(claim, claim.level, lab, runs)}}
        notes = _equal_leverage(claim.level, arms, lab, numbers)
    lab.need((arm, numbers) for arm in arms.values())
    values = arm_values(claim, arms, lab, numbers, {})
    if claim.worst:
        return _judge_worst(claim, arms, values, lab, numbers)
    contrast = claim.scale * claim.contrast(values)
    mean, low, high = bootstrap(contrast, draws=_DRAWS)
    shown = claim.shown[1](values) if claim.shown else {label: claim.scale * x for label, x in values.items()}
    return Finding(claim, mean, low, high, {label: bootstrap(x) for label, x in shown.items()}, contrast, notes)


def _judge_worst(
    claim: Claim, arms: dict[str, dict[str, Any]], values: Arms, lab: Lab, numbers: Sequence[int]
) -> Finding:
    """Judge the contrast of the worst runs of each arm; runs are resampled for all arms together."""
    again = resamples(len(numbers), _DRAWS)
    drawn = {label: claim.scale * shortfall(x[again], claim.worst) for label, x in values.items()}
    found = {label: claim.scale * shortfall(x, claim.worst) for label, x in values.items()}
    contrast = claim.contrast(drawn)
    points = {label: claim.scale * np.quantile(x[again], 1.0 - claim.worst, axis=1) for label, x in values.items()}
    low, high = interval(claim.contrast(points))
    at = float(claim.contrast({label: claim.scale * np.quantile(x, 1.0 - claim.worst) for label, x in values.items()}))
    notes = f"The {100 * (1 - claim.worst):g}th percentile falls by {at:.3g} [{low:.3g}, {high:.3g}] {claim.unit}."
    tails = {label: lab.values(arm, numbers, (claim.tail,))[:, 0] for label, arm in arms.items() if claim.tail}
    return Finding(
        claim, float(claim.contrast(found)), *interval(contrast),
        {label: (float(found[label]), *interval(drawn[label])) for label in values},
        contrast, notes.replace("-", "−"), tails,
    )  # fmt: skip


def _equal_leverage(level: Level, arms: dict[str, dict[str, Any]], lab: Lab, numbers: Sequence[int]) -> str:
    """Say which leverage is equal between the arms, how it was made so, and what is not equal then."""
    lab.need((arm, numbers) for arm in arms.values())
    peaks = {label: bootstrap(1e-9 * lab.values(arm, numbers, ("debt_peak",))[:, 0]) for label, arm in arms.items()}
    *_, last = arms
    how = (
        f"by the advance rate at {last}, found by bisection on the first {min(len(numbers), _LEVEL_RUNS)} runs"
        if level.measure
        else "by giving all lenders the same"
    )
    got = "; ".join(
        f"{label}: advance rate {arms[label][level.path]:.2f}, peak debt ${mean:.1f}bn [{low:.1f}, {high:.1f}]"
        for label, (mean, low, high) in peaks.items()
    )
    return f"Equal leverage is here {level.words}, made equal {how}. {got}."


def equal_level(claim: Claim, level: Level, lab: Lab, runs: int) -> float:
    """Return the value of ``level.path`` at which the last arm reaches the first arm's mean of ``level.measure``."""
    first, *_, last = claim.arms.values()
    numbers = range(min(runs, _LEVEL_RUNS))
    aim = lab.values(first, numbers, (level.measure,)).mean()
    low, high = level.least, level.largest
    for _ in range(_LEVEL_STEPS):
        middle = 0.5 * (low + high)
        got = lab.values(last | {level.path: middle}, numbers, (level.measure,)).mean()
        low, high = (middle, high) if got < aim else (low, middle)
    return round(0.5 * (low + high), 3)


# --- away from the base: a score a run ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Probe:
    """A claim as it is tried away from the base: arms and a score for each run whose mean is the effect."""

    claim: Claim
    arms: dict[str, dict[str, Any]]

    @property
    def fewest(self) -> int:
        """Runs below which the score says nothing: the worst twentieth of ten runs is one run."""
        return int(np.ceil(2.0 / self.claim.worst)) if self.claim.worst else 2

    def cells(self, at: Changes) -> list[Changes]:
        """Return what has to be played at some changes of the base."""
        return [{**at, **arm} for arm in self.arms.values()]

    def scores(self, lab: Lab, at: Changes, numbers: Sequence[int]) -> np.ndarray:
        """Return the score of each run in the claim's unit, nan where it has none; the mean is the effect."""
        values = arm_values(self.claim, self.arms, lab, numbers, at)
        if self.claim.level and self.claim.level.measure:
            values = self._levelled(values, self.claim.level, lab, at, numbers)
        if self.claim.worst:
            values = {label: _worst_scores(x, self.claim.worst) for label, x in values.items()}
        return self.claim.scale * self.claim.contrast(values)

    def pooled(self, lab: Lab, points: Sequence[Changes], numbers: Sequence[Sequence[int]]) -> Arms:
        """Return what the claim reads, points x runs by arm: for claims on the worst runs of all points together."""
        played = [arm_values(self.claim, self.arms, lab, own, at) for at, own in zip(points, numbers, strict=True)]
        return {label: np.array([values[label] for values in played]) for label in self.arms}

    def effect(self, values: Arms) -> float:
        """Return the effect on the worst runs of each arm; runs that failed in any arm are left out."""
        known = np.all([np.isfinite(x) for x in values.values()], axis=0)
        if not known.any():
            return float("nan")
        found = {label: np.array(shortfall(x[known], self.claim.worst)) for label, x in values.items()}
        return float(self.claim.scale * self.claim.contrast(found))

    def _levelled(self, values: Arms, level: Level, lab: Lab, at: Changes, numbers: Sequence[int]) -> Arms:
        """Put in the place of the two levelled arms what lies between them where leverage is equal.

        Linear in the mean of the measure; nan where equal leverage lies too far beyond the two for that.
        """
        first, *_, last = self.claim.arms
        mean = {
            label: np.nanmean(lab.values({**at, **self.arms[label]}, numbers, (level.measure,)))
            for label in (first, _BELOW, _ABOVE)
        }
        gap = mean[_ABOVE] - mean[_BELOW]
        weight = (mean[first] - mean[_BELOW]) / gap if gap > 0.0 else np.nan
        if not -_BEYOND <= weight <= 1.0 + _BEYOND:
            weight = np.nan
        return {first: values[first], last: (1.0 - weight) * values[_BELOW] + weight * values[_ABOVE]}


def probe(claim: Claim, lab: Lab, runs: int) -> Probe:
    """Return the claim as it is tried away from the base; a levelled arm becomes two, around its level at the base."""
    if not (claim.level and claim.level.measure):
        return Probe(claim, claim.arms)
    first, *_, last = claim.arms
    found = equal_level(claim, claim.level, lab, runs)
    below, above = (min(found * factor, claim.level.largest) for factor in _BRACKET)
    moved = {
        label: claim.arms[last] | {claim.level.path: round(value, 3)}
        for label, value in ((_BELOW, below), (_ABOVE, above))
    }
    return Probe(claim, {first: claim.arms[first], **moved})


def _worst_scores(values: np.ndarray, share: float) -> np.ndarray:
    """Return a score a run whose mean is the mean of the largest ``share`` of the runs (Rockafellar and Uryasev 2000)."""
    known = values[np.isfinite(values)]
    if not len(known):
        return np.full(len(values), np.nan)
    n = max(1, round(share * len(known)))
    least = np.partition(known, -n)[-n]
    return least + np.maximum(values - least, 0.0) * (len(known) / n)
