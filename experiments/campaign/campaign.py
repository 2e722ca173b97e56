"""Play a campaign: draw, run, check, cut down."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from experiments.campaign.check import FAILURES, REFUSED, SOUND, Outcome, attempt
from experiments.campaign.draw import Changes, Kind, draw
from experiments.campaign.shrink import shrink
from experiments.many import WIDTH
from simulation.scenario.scenario import Scenario

#: Failures of one sort that are cut down; more of them say little more and take time.
_CUT_DOWN = 5
#: Slow runs that are told.
_SLOWEST = 3


@dataclass(frozen=True)
class Failure:
    """A run that failed: its number, seed, how it ended, and the shortest list of settings that still ends so."""

    number: int
    seed: int
    outcome: Outcome
    changes: Changes
    whole: bool


@dataclass
class Campaign:
    """What a campaign found: how runs ended, by end; failures by sort; what took longest (seconds, number).

    ``beyond_peak`` counts runs whose losses exceed the largest debt at any one time.
    """

    kind: Kind
    runs: int
    seed: int
    ends: Counter[str] = field(default_factory=Counter)
    sorts: Counter[tuple[str, str]] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)
    beyond_peak: int = 0
    seconds: float = 0.0
    slowest: list[tuple[float, int]] = field(default_factory=list)

    @property
    def failed(self) -> int:
        """How many runs failed."""
        return sum(self.ends[end] for end in FAILURES)

    @property
    def played(self) -> int:
        """How many runs were not refused."""
        return self.runs - self.ends[REFUSED]


def seed_of(seed: int, number: int) -> int:
    """Return the seed of run ``number``: that of the campaign and the ones after it, so that it can be given to any command."""
    return seed + number


def play_campaign(
    scenario: Scenario,
    kind: Kind,
    runs: int,
    seed: int,
    workers: int = WIDTH,
    say: Callable[[int, Campaign], Any] = lambda done, campaign: None,
) -> Campaign:
    """Draw and check ``runs`` scenarios around ``scenario`` on ``workers`` threads; cut failures down.

    ``say`` hears after every run how many are done. The outcome depends on (scenario, kind, runs, seed) alone, times left out.
    """
    campaign = Campaign(kind, runs, seed)

    def one(number: int) -> tuple[Changes, Outcome]:
        changes = draw(scenario, kind, seed, number)
        return changes, attempt(scenario, changes, seed_of(seed, number))

    attempt(scenario, {}, seed)  # compiled by one thread
    with ThreadPoolExecutor(workers) as pool:
        for number, (changes, outcome) in enumerate(pool.map(one, range(runs))):
            _count(campaign, scenario, number, changes, outcome)
            say(number + 1, campaign)
    campaign.slowest = sorted(campaign.slowest, reverse=True)[:_SLOWEST]
    return campaign


def _count(campaign: Campaign, scenario: Scenario, number: int, changes: Changes, outcome: Outcome) -> None:
    campaign.ends[outcome.end] += 1
    campaign.seconds += outcome.seconds
    campaign.beyond_peak += outcome.loss_share > 1.0
    if outcome.end == SOUND:
        campaign.slowest.append((outcome.seconds, number))
    if outcome.end == REFUSED:
        campaign.refused[outcome.what] += 1
    if not outcome.failed:
        return
    sort = (outcome.end, outcome.what)
    campaign.sorts[sort] += 1
    whole = campaign.sorts[sort] > _CUT_DOWN
    seed = seed_of(campaign.seed, number)

    def fails(fewer: Changes) -> bool:
        found = attempt(scenario, fewer, seed)
        return (found.end, found.what) == sort

    fewest = changes if whole else shrink(changes, fails)
    campaign.failures.append(
        Failure(number, seed, outcome if whole else attempt(scenario, fewest, seed), fewest, whole)
    )
