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

#: Draws on which a parameter that moves nothing is told, and set aside: measures are compared bit by bit, in every arm.
IDLE_DRAWS = 2
#: Part of the budget that the screen may take, and the least and most draws of it.
_SCREEN_PART, _LEAST_DRAWS, _MOST_DRAWS = 0.4, 2, 32
#: Part of what is left of the budget before the tests that is kept for locating flips.
_LOCATE_PART = 0.25
#: A flip less likely than this is excluded; one more likely than even is put to the test.
_EXCLUDED, _LEANING = 0.02, 0.5
#: Rounds of tests; each has half of the error that the last one had. Draws of the looks within one.
_ROUNDS = 4
_LOOKS = (16, 64, 256)
#: A test is given up when the hypothesis of no flip looks better than this after a look.
_FUTILE = 0.5
#: Number of the first fresh draw: no look at the base comes near.
_FRESH = 1_000_000
#: Draws of the looks at a point in the search for the place of a flip, and halvings: a thirtieth of the way is enough.
_PLACE_LOOKS, _HALVINGS = (32, 128), 5


class Origin(NamedTuple):
    """A claim at the base: scores of the runs, effect, its standard error, and the side: 1 holds, -1 not, 0 undecided."""

    scores: np.ndarray
    effect: float
    error: float
    side: int


@dataclass(eq=False)
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
    #: Flips that are expected among the ends at which one was excluded.
    missed: float = 0.0
    joint: Share | None = None

    def verdict(self, at_base: str) -> str:
        """Return "holds", "does not hold", "depends" (a flip is confirmed) or "not decided"."""
        if self.origin.side:
            return "depends" if self.flips else at_base
        return "depends" if {trial.shown for trial in self.flips} == {-1, 1} else at_base


@dataclass(eq=False)
class Way:
    """The part of the way to an end in which a verdict turns: from ``before``, where it stands, to ``after``.

    Gaps are how far the effect lies on the side of the base (in the claim's unit): positive before, negative after.
    """

    trial: Trial
    before: float
    after: float
    gap_before: float
    gap_after: float
    #: What is known of the middle: draws, gap and its standard error.
    draws: int = 0
    gap: float = math.nan
    error: float = math.nan
    is_halved: bool = False
    is_done: bool = False

    @property
    def middle(self) -> float:
        """The point halfway."""
        return 0.5 * (self.before + self.after)

    @property
    def is_clear(self) -> bool:
        """Whether the middle lies on one side beyond noise."""
        return abs(self.gap) > self.error

    @property
    def crossing(self) -> float:
        """Where a straight line between the two gaps is zero; the middle where they do not say."""
        fall = self.gap_before - self.gap_after
        part = self.gap_before / fall if fall > 0.0 else math.nan
        return self.before + part * (self.after - self.before) if 0.0 <= part <= 1.0 else self.middle

    def halve(self) -> None:
        """Go on with the half in which the verdict turns; a middle that noise hides, or without effect, is the last."""
        self.is_halved, self.is_done = True, not self.is_clear
        if self.gap > 0.0:
            self.before, self.gap_before = self.middle, self.gap
        elif self.gap <= 0.0:
            self.after, self.gap_after = self.middle, self.gap
        self.draws, self.gap, self.error = 0, math.nan, math.nan


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
        first = range(min(IDLE_DRAWS, self.runs))
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
        limit = self.lab.spent + int((1.0 - _LOCATE_PART) * max(0, self.budget - self.lab.spent))
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
        ways = [self._way(trial) for trial in self.trials if trial.shown and self._side(trial)]
        for _ in range(_HALVINGS):
            going = [way for way in ways if not way.is_done and self._parts(way)]
            for draws in sorted({min(self.runs, n) for n in _PLACE_LOOKS}):
                # Only what is still within noise of the threshold is looked at again, on more draws.
                unsure = [way for way in going if way.draws < draws and not way.is_clear]
                wanted = [(cell, self._draws(way.trial, draws)) for way in unsure for cell in self._middle_cells(way)]
                if self.lab.spent + self.lab.cost(wanted) > self.budget:
                    going = [way for way in going if way.draws]
                    break
                self.lab.need(wanted)
                for way in unsure:
                    way.draws = draws
                    way.gap, way.error = self._gap(way.trial, way.middle, self._draws(way.trial, draws))
            for way in going:
                way.halve()
        for way in ways:
            if not self._parts(way):
                way.trial.turns_at = way.after
            elif way.is_halved:
                way.trial.turns_at = way.crossing

    def reach(self, key: str, joint: Share | None = None) -> Reach:
        """Return what is known of one claim, flips nearest to the base first."""
        own = [trial for trial in self.trials if trial.probe.claim.key == key]
        flips = [trial for trial in own if trial.shown]
        flips.sort(key=lambda trial: (abs(trial.turns_at) if math.isfinite(trial.turns_at) else 2.0, trial.span.name))
        # A claim that is undecided at the base has no verdict to lose.
        open_ = [trial for trial in own if not trial.shown and not self._is_excluded(trial)]
        excluded = [trial for trial in own if not trial.shown and self._is_excluded(trial)]
        missed = math.fsum(self._chance(trial) for trial in excluded if not trial.stays)
        return Reach(self.origins[key], flips, open_ if self.origins[key].side else [], len(own), missed, joint)

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
        open_.sort(key=self._doubt)
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
        # The likeliest first, as many as can be paid for: which, hangs on looks alone, not on the fresh draws.
        trials = self._payable(sorted(trials, key=self._doubt), range(_FRESH, _FRESH + _LOOKS[0]), limit)
        going = list(trials)
        for draws in _LOOKS:
            numbers = range(_FRESH, _FRESH + draws)
            # Given up for want of runs counts as not shown.
            going = self._payable(going, numbers, limit)
            if not going:
                break
            wanted = [(cell, numbers) for trial in going for cell in trial.probe.cells(trial.changes)]
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

    def _payable(self, trials: Sequence[Trial], numbers: Sequence[int], limit: int) -> list[Trial]:
        """Return the first of some ends whose runs of ``numbers`` the limit still covers."""
        found, left = [], limit - self.lab.spent
        for trial in trials:
            left -= self.lab.cost([(cell, numbers) for cell in trial.probe.cells(trial.changes)])
            if left < 0:
                break
            found.append(trial)
        return found

    def _doubt(self, trial: Trial) -> tuple[float, str, int]:
        """Return by what ends are put in order: the chance that the verdict stays, what is not known last."""
        side = self._side(trial)
        stays = 1.0 - self._chance(trial) if side else min(trial.above, 1.0 - trial.above)
        return (stays if math.isfinite(stays) else 1.0, trial.span.name, trial.u)

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

    def _side(self, trial: Trial) -> int:
        return self.origins[trial.probe.claim.key].side

    def _way(self, trial: Trial) -> Way:
        """Return the whole way from the base to an end."""
        origin, least = self.origins[trial.probe.claim.key], trial.probe.claim.least
        return Way(
            trial, 0.0, float(trial.u), origin.side * (origin.effect - least), origin.side * (trial.effect - least)
        )

    def _middle_cells(self, way: Way) -> list[Changes]:
        return way.trial.probe.cells(way.trial.span.at(way.middle))

    def _draws(self, trial: Trial, draws: int) -> range:
        return range(min(max(draws, trial.probe.fewest), self.runs))

    @staticmethod
    def _parts(way: Way) -> bool:
        """Return whether there is a value between the two ends of a way: whole numbers run out."""
        at = way.trial.span.at
        return at(way.middle) not in (at(way.before), at(way.after))

    def _gap(self, trial: Trial, u: float, numbers: range) -> tuple[float, float]:
        """Return how far the effect at ``u`` lies on the side of the base, and its standard error.

        The effect is that of the base and the paired change from there.
        """
        origin = self.origins[trial.probe.claim.key]
        scores = trial.probe.scores(self.lab, trial.span.at(u), numbers)
        change = shift(scores, self._base(trial.probe, numbers))
        error = math.sqrt(change.variance / change.runs) if change.runs > 1 else math.nan
        return origin.side * (origin.effect + change.mean - trial.probe.claim.least), error
