"""The ranges of all claims: screen, joint design, rounds, places, in one budget of runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from experiments.evidence.claims.catalogue import Claim
from experiments.evidence.claims.flips import Reach, Search
from experiments.evidence.claims.joint import Joint, play_joint
from experiments.evidence.claims.judge import probe
from experiments.evidence.claims.lab import Changes, Lab
from experiments.evidence.claims.spans import LeftOut, Span
from simulation.scenario.faults import ConfigError, Fault
from simulation.scenario.scenario import Scenario

#: Runs of the whole search by default, and for a first impression.
BUDGET, QUICK = 130_000, 55_000
#: Sides of a claim by its verdict at the base.
_SIDES = {"holds": 1, "does not hold": -1, "not decided": 0}


@dataclass(frozen=True)
class Ranges:
    """What the search found, and what it cost."""

    spans: list[Span]
    left_out: list[LeftOut]
    #: Parameters that move nothing in any arm on the first draws: set aside.
    idle: list[Span]
    reaches: Mapping[str, Reach]
    joint: Joint
    budget: int
    spent: int
    screened: int
    #: Changes, message and number of the runs that stopped with a fault.
    failures: list[tuple[Changes, str, int]]


def explore(
    lab: Lab,
    claims: Sequence[Claim],
    verdicts: Mapping[str, str],
    spans: list[Span],
    runs: int,
    budget: int,
    scenario: Scenario | None = None,
    left_out: Sequence[LeftOut] = (),
) -> Ranges:
    """Look for flips of ``verdicts`` (by key) within ``spans``; ``scenario`` says which joint points are valid.

    Raises ConfigError if the budget does not cover the base and the thinnest screen.
    """
    probes = [probe(claim, lab, runs) for claim in claims]
    sides = {claim.key: _SIDES[verdicts[claim.key]] for claim in claims}
    search = Search(lab, probes, spans, runs, budget, sides)
    needed = search.least_cost()
    if needed > budget:
        raise ConfigError([Fault("--budget", "", f"{budget:,} runs are too few: the thinnest screen takes {needed:,}")])
    search.begin()
    search.screen()
    acting = [span for span in spans if span not in search.idle]
    joint = play_joint(lab, probes, search.origins, acting, runs, budget, scenario)
    search.follow()
    search.locate()
    reaches = {claim.key: search.reach(claim.key, joint.shares.get(claim.key)) for claim in claims}
    screened = min((trial.draws for trial in search.trials), default=0)
    return Ranges(
        spans, list(left_out), search.idle, reaches, joint, budget, lab.spent, screened, lab.failures()
    )  # fmt: skip
