"""All parameters without a source moved at once: a Latin hypercube over their ranges, a few draws at each point."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import qmc

from experiments.evidence.claims.flips import Origin
from experiments.evidence.claims.inference import Share, share_above, shift
from experiments.evidence.claims.judge import Probe
from experiments.evidence.claims.lab import Changes, Lab
from experiments.evidence.claims.spans import Span
from experiments.statistics import interval, resamples
from simulation.scenario.config import set_path
from simulation.scenario.faults import ConfigError
from simulation.scenario.scenario import Scenario

#: Points of the design and draws at each, if the budget allows; the least number of either.
_POINTS, _DRAWS = 200, 4
_LEAST_POINTS, _LEAST_DRAWS = 20, 2
#: Part of what screen and base leave of the budget that the design may take.
_PART = 0.3
#: Designs that are tried until there are points enough that the scenario allows.
_TRIES = 8
#: Resamples of the points for the interval of a claim on the worst runs.
_RESAMPLES = 500


@dataclass(frozen=True)
class Joint:
    """The design as it was played, and what it says of each claim, by key."""

    points: int
    draws: int
    #: Points drawn of which the scenario forbids the combination.
    forbidden: int
    shares: dict[str, Share]
    #: Claims on the worst runs have no verdict at a point of a few draws: effect and interval over all points together.
    together: dict[str, tuple[float, float, float]]


def latin_points(spans: Sequence[Span], n: int, scenario: Scenario | None, seed: int = 1) -> tuple[list[Changes], int]:
    """Return up to ``n`` points as changes, and how many were left out because ``scenario`` forbids them."""
    found: list[Changes] = []
    forbidden = 0
    engine = qmc.LatinHypercube(len(spans), rng=np.random.default_rng(seed))
    for _ in range(_TRIES):
        for row in engine.random(n):
            at: dict[str, object] = {}
            for span, x in zip(spans, row, strict=True):
                at |= span.at(2.0 * float(x) - 1.0)
            if scenario is not None and not _is_valid(scenario, at):
                forbidden += 1
                continue
            found.append(at)
            if len(found) == n:
                return found, forbidden
    return found, forbidden


def _is_valid(scenario: Scenario, at: Changes) -> bool:
    try:
        set_path(scenario, at)
    except ConfigError:
        return False
    return True


def play_joint(
    lab: Lab,
    probes: Sequence[Probe],
    origins: Mapping[str, Origin],
    spans: Sequence[Span],
    runs: int,
    budget: int,
    scenario: Scenario | None = None,
) -> Joint:
    """Play the joint design within its part of the budget and judge each claim over it.

    Each point has the next few of the ``runs`` draws that the base was played on.
    """
    lab.stage = "joint"
    arms = len({repr(sorted(cell.items())) for probe in probes for cell in probe.cells({})})
    payable = _PART * (budget - lab.spent)
    draws = _DRAWS if payable >= _LEAST_POINTS * _DRAWS * arms else _LEAST_DRAWS
    draws = min(draws, runs)
    n = min(_POINTS, max(_LEAST_POINTS, int(payable / (draws * arms))))
    points, forbidden = latin_points(spans, n, scenario)
    numbers = [[(k * draws + i) % runs for i in range(draws)] for k in range(len(points))]
    lab.need((c, own) for at, own in zip(points, numbers, strict=True) for probe in probes for c in probe.cells(at))
    shares, together = {}, {}
    for probe in probes:
        origin = origins[probe.claim.key]
        if probe.claim.worst:
            together[probe.claim.key] = _together(probe, lab, points, numbers)
            continue
        shifts = [
            shift(probe.scores(lab, at, own), origin.scores[own]) for at, own in zip(points, numbers, strict=True)
        ]
        shares[probe.claim.key] = share_above(shifts, origin.effect, origin.error, probe.claim.least)
    return Joint(len(points), draws, forbidden, shares, together)


def _together(
    probe: Probe, lab: Lab, points: Sequence[Changes], numbers: Sequence[Sequence[int]]
) -> tuple[float, float, float]:
    """Return effect and 95 % interval of a claim on the worst runs of all points together; points are resampled."""
    if not points:
        return math.nan, math.nan, math.nan
    arms = probe.pooled(lab, points, numbers)
    drawn = [
        probe.effect({label: x[row].ravel() for label, x in arms.items()}) for row in resamples(len(points), _RESAMPLES)
    ]
    return probe.effect({label: x.ravel() for label, x in arms.items()}), *interval(np.array(drawn))
