"""Where verdicts turn within the ranges of parameters without a source.

1. *Screen*: both ends of every range, few draws, the draws of the base; all claims read the same runs.
2. *Rounds*: where the screen leans to a flip, fresh draws decide; where it cannot exclude one, more draws are looked at.
3. *Locate*: a flip that was confirmed is narrowed down by halving the way from the base to the end.

The ends alone are tried: a verdict that turns and turns back between them is not seen here, but by the joint design.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from experiments.evidence.claims.inference import (
    FAMILY_ERROR,
    Share,
    chances_above,
    holm,
    p_beyond,
    shift,
)
from experiments.evidence.claims.judge import Probe
from experiments.evidence.claims.lab import Changes, Lab
from experiments.evidence.claims.spans import Span

#: Draws on which a parameter that moves nothing is told: measures are compared bit by bit, in every arm.
_IDLE_DRAWS = 2
#: Part of the budget that the screen may take, and the least and most draws of it.
_SCREEN_PART, _LEAST_DRAWS, _MOST_DRAWS = 0.4, 3, 32
#: Part of the budget kept for locating flips.
_LOCATE_PART = 0.15
#: A flip less likely than this is excluded; one more likely than even is put to the test.
_EXCLUDED, _LEANING = 0.02, 0.5
#: Rounds of tests; each has half of the error that the last one had. Draws of the looks within one.
_ROUNDS = 4
_LOOKS = (16, 64, 256)
#: A test is given up when the hypothesis of no flip looks better than this after a look.
_FUTILE = 0.5
#: Number of the first fresh draw: no look at the base comes near.
_FRESH = 1_000_000
#: Draws at each point of a search for the place of a flip, and its halvings: a thirtieth of the way is near enough.
_LOCATE_DRAWS, _HALVINGS = 32, 5


class Origin(NamedTuple):
    """A claim at the base: scores of the runs, effect, its standard error, and the side: 1 holds, -1 not, 0 undecided."""

    scores: np.ndarray
    effect: float
    error: float
    side: int


@dataclass
class Trial:
    """A claim at one end of a range; ``u`` is -1 at the low end and 1 at the high one."""

    probe: Probe
    span: Span
    u: int
    #: Draws looked at, and the chance that the effect lies above what counts.
    draws: int = 0
    above: float = math.nan
    #: Whether fresh draws were asked; where the effect lies according to them: 1 above, -1 below, 0 not shown.
    is_tested: bool = False
    shown: int = 0
    #: Whether fresh draws say that the verdict stays.
    stays: bool = False
    effect: float = math.nan
    #: Where the verdict turns, between 0 and ``u``; nan where that was not looked for.
    turns_at: float = math.nan

    @property
    def changes(self) -> Changes:
        """What the end changes of the base."""
        return self.span.at(self.u)


@dataclass(frozen=True)
class Reach:
    """How far the verdict on a claim reaches: flips, ends at which it is open, share of the joint design."""

    origin: Origin
    flips: list[Trial]
    open: list[Trial]
    ends: int
    joint: Share | None = None

    def verdict(self, at_base: str) -> str:
        """Return "holds", "does not hold", "depends" (a flip is confirmed) or "not decided"."""
        if self.origin.side:
            return "depends" if self.flips else at_base
        return "depends" if {trial.shown for trial in self.flips} == {-1, 1} else at_base


@dataclass
class Search:
    """The search for flips: what it works with, and what it knows so far."""

    lab: Lab
    probes: list[Probe]
    spans: list[Span]
    runs: int
    budget: int
    sides: Mapping[str, int]
    origins: dict[str, Origin] = field(default_factory=dict)
    trials: list[Trial] = field(default_factory=list)
    idle: list[Span] = field(default_factory=list)

    def least_cost(self) -> int:
        """Return the runs that the base and the thinnest screen take at most."""
        arms = len(self._cells({}))
        ends = sum(len(span.sides) for span in self.spans)
        return self.lab.spent + arms * (self.runs + ends * min(_LEAST_DRAWS, self.runs))

    # --- the parts ------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Play the base."""
        self.lab.stage = "base"
        self.lab.need((cell, range(self.runs)) for probe in self.probes for cell in probe.cells({}))
        for probe in self.probes:
            scores = probe.scores(self.lab, {}, range(self.runs))
            known = scores[np.isfinite(scores)]
            error = float(known.std(ddof=1) / math.sqrt(len(known))) if len(known) > 1 else math.inf
            effect = float(known.mean()) if len(known) else math.nan
            self.origins[probe.claim.key] = Origin(scores, effect, error, self.sides[probe.claim.key])

    def screen(self) -> None:
        """Play both ends of every range on few draws; ranges that move nothing are set aside."""
        self.lab.stage = "screen"
        ends = [(span, u) for span in self.spans for u in span.sides]
        first = range(min(_IDLE_DRAWS, self.runs))
        self.lab.need((cell, first) for span, u in ends for cell in self._cells(span.at(u)))
        self.idle = [span for span in self.spans if not self._acts(span, first)]
        kept = [(span, u) for span, u in ends if span not in self.idle]
        self.trials = [Trial(probe, span, u) for probe in self.probes for span, u in kept]
        cost = max(1, sum(len(self._cells(span.at(u))) for span, u in kept))
        draws = min(max(int(_SCREEN_PART * self.budget / cost), _LEAST_DRAWS), _MOST_DRAWS, self.runs)
        self.lab.need((cell, range(draws)) for span, u in kept for cell in self._cells(span.at(u)))
        for trial in self.trials:
            trial.draws = draws
        self._look()

    def follow(self) -> None:
        """Put to the test what leans to a flip, look longer where none can be excluded, until nothing is left to do."""
        limit = int((1.0 - _LOCATE_PART) * self.budget)
        for round_ in range(1, _ROUNDS + 1):
            self.lab.stage = f"round {round_}"
            leaning = [trial for trial in self.trials if self._leans(trial)]
            self._test(leaning, FAMILY_ERROR / 2**round_, limit)
            longer = self._look_longer(limit)
            if not leaning and not longer:
                break

    def locate(self) -> None:
        """Halve the way from the base to each end at which a verdict turned, all ways together."""
        self.lab.stage = "locate"
        ways = {id(t): (0.0, float(t.u), t) for t in self.trials if t.shown and self.origins[t.probe.claim.key].side}
        for _ in range(_HALVINGS):
            middle = {k: 0.5 * (a + b) for k, (a, b, t) in ways.items() if self._parts(t.span, a, b)}
            wanted = [
                (cell, self._draws(ways[k][2]))
                for k, u in middle.items()
                for cell in ways[k][2].probe.cells(ways[k][2].span.at(u))
            ]
            if not middle or self.lab.spent + self.lab.cost(wanted) > self.budget:
                break
            self.lab.need(wanted)
            for k, u in middle.items():
                before, after, trial = ways[k]
                effect, error = self._effect(trial, u)
                origin = self.origins[trial.probe.claim.key]
                gap = origin.side * (effect - trial.probe.claim.least)
                trial.turns_at = u
                if not abs(gap) > error:  # on the threshold, as far as these draws can tell (or no effect is defined)
                    del ways[k]
                    continue
                ways[k] = (u, after, trial) if gap > 0.0 else (before, u, trial)
        for before, after, trial in ways.values():
            if not self._parts(trial.span, before, after):
                trial.turns_at = after
            elif math.isfinite(trial.turns_at):
                trial.turns_at = 0.5 * (before + after)

    def reach(self, key: str, joint: Share | None = None) -> Reach:
        """Return what is known of one claim, flips nearest to the base first."""
        own = [trial for trial in self.trials if trial.probe.claim.key == key]
        flips = [trial for trial in own if trial.shown]
        flips.sort(key=lambda trial: (abs(trial.turns_at) if math.isfinite(trial.turns_at) else 2.0, trial.span.name))
        # A claim that is undecided at the base has no verdict to lose.
        open_ = [trial for trial in own if not trial.shown and not self._is_excluded(trial)]
        return Reach(self.origins[key], flips, open_ if self.origins[key].side else [], len(own), joint)

    # --- looks ----------------------------------------------------------------------------------------------------

    def _cells(self, at: Changes) -> list[Changes]:
        """Return the different things to play at some changes of the base, for all claims."""
        cells = {repr(sorted(cell.items())): cell for probe in self.probes for cell in probe.cells(at)}
        return list(cells.values())

    def _acts(self, span: Span, numbers: Sequence[int]) -> bool:
        """Return whether an end of the range moves any measure of any arm on some draws."""
        for probe in self.probes:
            for u in span.sides:
                for there, here in zip(probe.cells(span.at(u)), probe.cells({}), strict=True):
                    one, two = (self.lab.values(cell, numbers, self.lab.names) for cell in (there, here))
                    if not np.array_equal(one, two, equal_nan=True):
                        return True
        return False

    def _look(self) -> None:
        """Work out anew the chances of all ends, claim by claim."""
        for probe in self.probes:
            origin = self.origins[probe.claim.key]
            own = [t for t in self.trials if t.probe is probe and t.draws >= min(probe.fewest, self.runs)]
            shifts = []
            for trial in own:
                numbers = range(trial.draws)
                shifts.append(shift(probe.scores(self.lab, trial.changes, numbers), self._base(probe, numbers)))
            if own:
                chances = chances_above(shifts, origin.effect, origin.error, probe.claim.least)
                for trial, chance in zip(own, chances, strict=True):
                    trial.above = float(chance)

    def _base(self, probe: Probe, numbers: Sequence[int]) -> np.ndarray:
        """Return the scores of the base on some draws; those of the worst runs hang on which draws are taken."""
        return probe.scores(self.lab, {}, numbers)

    def _chance(self, trial: Trial) -> float:
        """Return the chance of a flip; nan where nothing is known, or the base has no verdict."""
        side = self.origins[trial.probe.claim.key].side
        return math.nan if not side else 1.0 - trial.above if side > 0 else trial.above

    def _is_excluded(self, trial: Trial) -> bool:
        return trial.stays or self._chance(trial) < _EXCLUDED

    def _leans(self, trial: Trial) -> bool:
        """Return whether an end is worth a test: a flip is likely, or an undecided claim is all but decided there."""
        if trial.is_tested:
            return False
        if self.origins[trial.probe.claim.key].side:
            return self._chance(trial) >= _LEANING
        return trial.above < _EXCLUDED or trial.above > 1.0 - _EXCLUDED

    def _look_longer(self, limit: int) -> bool:
        """Double the draws where a flip is neither tested nor excluded, the likeliest first; return whether any was."""
        open_ = [t for t in self.trials if not t.is_tested and t.draws < self.runs and self._is_open(t)]
        open_.sort(key=lambda t: (-self._chance(t) if math.isfinite(t.above) else 0.0, t.span.name, t.u))
        wanted, longer = [], []
        left = limit - self.lab.spent
        for trial in open_:
            draws = min(max(2 * trial.draws, trial.probe.fewest), self.runs)
            cells = [(cell, range(draws)) for cell in trial.probe.cells(trial.changes)]
            left -= self.lab.cost(cells)
            if left < 0:
                break
            wanted += cells
            longer.append((trial, draws))
        self.lab.need(wanted)
        for trial, draws in longer:
            trial.draws = draws
        if longer:
            self._look()
        return bool(longer)

    def _is_open(self, trial: Trial) -> bool:
        """Return whether a verdict may turn, as far as is known."""
        return bool(self.origins[trial.probe.claim.key].side) and not self._is_excluded(trial)

    # --- tests ----------------------------------------------------------------------------------------------------

    def _test(self, trials: list[Trial], level: float, limit: int) -> None:
        """Test ends on fresh draws, in a few looks that share ``level``; what looks futile is given up."""
        going = list(trials)
        for draws in _LOOKS:
            numbers = range(_FRESH, _FRESH + draws)
            wanted = [(cell, numbers) for trial in going for cell in trial.probe.cells(trial.changes)]
            if not going or self.lab.spent + self.lab.cost(wanted) > limit:
                break
            self.lab.need(wanted)
            p = [1.0] * len(trials)
            for k, trial in enumerate(trials):
                if trial in going and draws >= trial.probe.fewest:
                    p[k] = self._p_flip(trial, numbers)
            rejected = holm(p, level / len(_LOOKS))
            for trial, is_shown in zip(trials, rejected, strict=True):
                if is_shown:
                    trial.shown = self._aim(trial)
            for trial in trials:
                trial.is_tested = True
            going = [
                trial
                for trial, one in zip(trials, p, strict=True)
                if trial in going and not trial.shown and not trial.stays
                and (one <= _FUTILE or draws < trial.probe.fewest)
            ]  # fmt: skip

    def _aim(self, trial: Trial) -> int:
        """Return the side on which the effect is suspected: 1 above what counts, -1 below."""
        side = self.origins[trial.probe.claim.key].side
        return -side if side else (1 if trial.above > _LEANING else -1)

    def _p_flip(self, trial: Trial, numbers: Sequence[int]) -> float:
        """Return the p-value of no flip on fresh draws; keep the effect seen there, and whether the verdict stays."""
        scores = trial.probe.scores(self.lab, trial.changes, numbers)
        trial.effect = float(np.nanmean(scores)) if np.isfinite(scores).any() else math.nan
        aim, known = self._aim(trial), self.origins[trial.probe.claim.key].scores
        low, high = float(np.nanmin(known)), float(np.nanmax(known))
        against, with_it = (low, high) if aim > 0 else (high, low)
        least = trial.probe.claim.least
        trial.stays = p_beyond(scores, least, -aim, with_it) < _EXCLUDED
        return p_beyond(scores, least, aim, against)

    # --- places ---------------------------------------------------------------------------------------------------

    def _draws(self, trial: Trial) -> range:
        return range(min(max(_LOCATE_DRAWS, trial.probe.fewest), self.runs))

    @staticmethod
    def _parts(span: Span, before: float, after: float) -> bool:
        """Return whether there is a value between two points of a range: whole numbers run out."""
        between = span.at(0.5 * (before + after))
        return between not in (span.at(before), span.at(after))

    def _effect(self, trial: Trial, u: float) -> tuple[float, float]:
        """Return the effect at ``u`` and its standard error: that of the base and the paired change."""
        numbers = self._draws(trial)
        scores = trial.probe.scores(self.lab, trial.span.at(u), numbers)
        change = shift(scores, self._base(trial.probe, numbers))
        error = math.sqrt(change.variance / change.runs) if change.runs > 1 else math.nan
        return self.origins[trial.probe.claim.key].effect + change.mean, error
