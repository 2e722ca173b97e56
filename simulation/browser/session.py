"""A sitting: one run that somebody steps through, forward and back, with interventions and a twin beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from agents.tables.events import EventKind
from simulation.browser.history import Checkpoint, checkpoint, restore
from simulation.browser.narrate import Entry, narrate
from simulation.browser.narrate_phases import facts, narrate_phase
from simulation.interventions import fail_agent, sell_block
from simulation.markets.tape import TapeRow
from simulation.model import ComputeCreditModel
from simulation.month import CASCADE, MONTH, OPEN, PHASES, STEP, advance
from simulation.record.summary import summarise
from simulation.runs import Result, raise_fault
from simulation.scenario.config import set_path
from simulation.scenario.scenario import Scenario
from simulation.world.build import build_world
from simulation.world.world import World, node_name

#: Rows of the tape: enough for every auction of a step at 2,000 agents.
TAPE = 16_384


#: Bytes that the checkpoints of a sitting may take.
_MEMORY = 64e6


class Intervention(NamedTuple):
    """What the viewer did before the step numbered ``tick``: sell a block, or let an agent fail."""

    tick: int
    month: int
    kind: str  # "sell" or "fail"
    chip: str
    units: float
    node: int


class Session:
    """One run, seen step by step.

    A step ("tick") is one phase, or one round of the cascade. The state after a number of ticks depends on
    (scenario, seed, interventions) alone: going back restores a checkpoint and plays on from there, so that what
    is shown is what ``run`` computes. Raises InvariantError if the engine does.
    """

    def __init__(self, scenario: Scenario, seed: int = 1, twin: Sequence[str] = ()) -> None:
        self.scenario, self.seed = scenario, seed
        self.model = ComputeCreditModel(scenario, rng=seed, tape=TAPE)
        self.world = self.model.world
        self.chips = [chip.name for chip in scenario.chips]
        self.names = {node: node_name(self.world, node) for node in range(len(self.world.first_lot))}
        self.tick = 0
        self.interventions: list[Intervention] = []
        #: (tick after which it was said, what was said), oldest first.
        self.log: list[tuple[int, Entry]] = []
        #: Rows of events and trades (first, one past the last) of the last tick, and of what was last asked for.
        self.fresh_events = self.fresh_trades = self.shown_events = self.shown_trades = (0, 0)
        #: The tick at which what was last asked for began.
        self.shown_since = 0
        #: Rows of the tape of the last round that held forced sales, else of the last calm trade.
        self.tape = self.world.tape[:0].copy()
        self.tape_when = (-1, -1)
        self._stops: list[int] = []
        self._marks: dict[int, Checkpoint] = {0: checkpoint(self.world)}
        self._month_ticks = {0: 0}
        self._last_mark = 0
        self._mark_every = self._months_between_marks()
        self.twin_changes: tuple[str, ...] = ()
        self.twin: Result | None = None
        self.set_twin(twin)

    # --- where we are ----------------------------------------------------------------------------------------

    @property
    def month(self) -> int:
        """Months completed."""
        return self.model.month

    @property
    def phase(self) -> int:
        """Index of the phase that the next step carries out."""
        return int(self.world.clock[0].phase)

    @property
    def turn(self) -> int:
        """Rounds of the cascade done this month (0 outside the cascade)."""
        return int(self.world.clock[0].turn) if self.phase >= CASCADE else 0

    @property
    def finished(self) -> bool:
        """Whether the horizon is reached."""
        return self.model.finished

    @property
    def can_go_back(self) -> bool:
        """Whether there is a step to take back."""
        return self.tick > 0

    def result(self) -> Result:
        """Return the run so far, as ``run`` would return it."""
        result = self.model.result()
        result.twin = self.twin
        return result

    # --- forward -----------------------------------------------------------------------------------------------

    def step(self) -> None:
        """One phase, or one round of the cascade."""
        self._from_here(self._tick)

    def step_phase(self) -> None:
        """To the end of the phase: all rounds of a cascade at once."""

        def go() -> None:
            phase, month = self.phase, self.month
            while not self.finished and (self.phase, self.month) == (phase, month):
                self._tick()

        self._from_here(go)

    def step_month(self) -> None:
        """To the end of the month."""
        self._from_here(lambda: self._until(lambda: self.phase == OPEN))

    def to_default(self) -> None:
        """To the end of the next round in which somebody defaults or a lender fails, or to the horizon."""
        self._from_here(lambda: self._until(lambda: self._fell(chain=False)), last_only=True)

    def to_cascade(self) -> None:
        """To the next default or failure that another one has caused, or to the horizon."""
        self._from_here(lambda: self._until(lambda: self._fell(chain=True)), last_only=True)

    def to_end(self) -> None:
        """To the horizon."""
        self._from_here(lambda: self._until(lambda: False), last_only=True)

    def _from_here(self, go: Callable[[], None], *, last_only: bool = False) -> None:
        """Carry out what was asked for, as one step to take back; show the events of all of it, or of its last tick."""
        if not self.finished:
            here, clock = self.tick, self.world.clock[0]
            events, trades = int(clock.events), int(clock.trades)
            go()
            self.shown_since = self.tick - 1 if last_only else here
            self.shown_events = self.fresh_events if last_only else (events, int(clock.events))
            self.shown_trades = self.fresh_trades if last_only else (trades, int(clock.trades))
            self._stops.append(here)

    def _until(self, there: Callable[[], bool]) -> None:
        while not self.finished:
            self._tick()
            if there():
                return

    def _fell(self, chain: bool) -> bool:
        """Return whether somebody fell in the last step (``chain``: because of an earlier event)."""
        first, last = self.fresh_events
        events = self.world.events[first:last]
        fallen = (events.kind == EventKind.DEFAULT) | (events.kind == EventKind.LENDER_FAILURE)
        return bool((fallen & (events.parent >= 0)).any() if chain else fallen.any())

    def _tick(self) -> None:
        """Carry out one step and say what happened."""
        world, clock = self.world, self.world.clock[0]
        phase, month = self.phase, self.month
        before = facts(world)
        first_event, first_trade = int(clock.events), int(clock.trades)
        clock.tape = 0
        self.model.step_phase()
        self.tick += 1
        self._note_marks()
        self.fresh_events = (first_event, int(clock.events))
        self.fresh_trades = (first_trade, int(clock.trades))
        self._keep_tape(month)
        said = narrate(world, first_event, first_trade, self.chips, self.names)
        said += narrate_phase(world, phase, before, self.chips, self.names)
        self.log += [(self.tick, entry) for entry in said]

    def _keep_tape(self, month: int) -> None:
        """Keep what the auctions of the step looked like; forced sales are not replaced by later calm trade."""
        rows = self.world.tape[: int(self.world.clock[0].tape)]
        auctions = rows[rows.kind == TapeRow.AUCTION]
        if len(auctions) == 0:
            return
        forced = bool(auctions.forced.any())
        if forced or self.tape_when[0] != month or not self.tape[self.tape.kind == TapeRow.AUCTION].forced.any():
            self.tape = rows.copy()
            self.tape_when = (month, int(auctions.turn[0]))

    # --- back --------------------------------------------------------------------------------------------------

    def back(self) -> None:
        """Take the last step back."""
        if self.can_go_back:
            self.seek(self._stops.pop() if self._stops else self.tick - 1)

    def seek(self, tick: int) -> None:
        """Go back to the state after ``tick`` steps; interventions that came later are dropped."""
        tick = max(0, min(tick, self.tick))
        kept = [i for i in self.interventions if i.tick < tick]
        changed = len(kept) < len(self.interventions)
        self.interventions = kept
        self._stops = [stop for stop in self._stops if stop < tick]
        self._replay(tick)
        self.log = [said for said in self.log if said[0] <= tick]
        if changed:
            self._run_twin()

    def _replay(self, tick: int) -> None:
        """Restore the last checkpoint before ``tick`` and play on."""
        start = max(mark for mark in self._marks if mark <= tick)
        restore(self.world, self._marks[start])
        for mark in [mark for mark in self._marks if mark > tick]:
            del self._marks[mark]
        self._month_ticks = {month: at for month, at in self._month_ticks.items() if at <= tick}
        self._last_mark = max(m for m, at in self._month_ticks.items() if at in self._marks)
        clock = self.world.clock[0]
        self.tape, self.tape_when = self.world.tape[:0].copy(), (-1, -1)
        events = trades = (0, 0)
        for now in range(start, tick):
            self._intervene(now)
            month = int(clock.month)
            first_event, first_trade = int(clock.events), int(clock.trades)
            clock.tape = 0
            advance(self.world, STEP)
            self._keep_tape(month)
            events, trades = (first_event, int(clock.events)), (first_trade, int(clock.trades))
        self.fresh_events = self.shown_events = events
        self.fresh_trades = self.shown_trades = trades
        self.tick, self.shown_since = tick, max(0, tick - 1)
        for values in self.model.datacollector.model_vars.values():
            del values[int(clock.month) :]
        self.model.running = not self.finished

    def _note_marks(self) -> None:
        """Remember where months begin, and keep a checkpoint every few months."""
        month = self.month
        if self.phase == OPEN and month not in self._month_ticks:
            self._month_ticks[month] = self.tick
            if month - self._last_mark >= self._mark_every and not self.finished:
                self._marks[self.tick] = checkpoint(self.world)
                self._last_mark = month

    def _months_between_marks(self) -> int:
        size = sum(array.nbytes for array in self._marks[0].values())
        # Contracts multiply during a run: allow for ten times the opening.
        affordable = max(2.0, _MEMORY / (10.0 * size))
        return int(np.ceil(self.scenario.run.months / min(affordable, 40.0)))

    # --- interventions -----------------------------------------------------------------------------------------

    def sell(self, chip: str, units: float) -> None:
        """Put a block on the market now, and carry on to the end of the round that auctions it.

        Raises ValueError on an unknown generation or a number of units that is not positive.
        """
        self._act(Intervention(self.tick, self.month, "sell", chip, float(units), -1))

    def fail(self, node: int) -> None:
        """Let a lender or operator fail now, and carry on to the end of the round. Raises ValueError."""
        self._act(Intervention(self.tick, self.month, "fail", "", 0.0, int(node)))

    def _act(self, wish: Intervention) -> None:
        if self.finished:
            raise ValueError("The run is over: go back or reset.")
        here = self.tick
        # A failing lender is closed in a cascade: books must not change between the two.
        while self.phase > CASCADE or (self.phase < CASCADE and not self.finished):
            self._tick()
        wish = wish._replace(tick=self.tick, month=self.month)
        self.interventions.append(wish)
        try:
            self._intervene(self.tick)
        except ValueError:
            self.interventions.pop()
            raise
        self._tick()
        self.shown_events, self.shown_trades, self.shown_since = self.fresh_events, self.fresh_trades, here
        self._stops.append(here)
        self._run_twin()

    def _intervene(self, tick: int) -> None:
        """Do what the viewer did before this step."""
        for wish in self.interventions:
            if wish.tick == tick:
                self._do(self.world, wish)

    def _do(self, world: World, wish: Intervention) -> None:
        if wish.kind == "sell":
            sell_block(world, self.chips, wish.chip, wish.units)
        else:
            fail_agent(world, wish.node)

    # --- the twin ----------------------------------------------------------------------------------------------

    def set_twin(self, changes: Sequence[str]) -> None:
        """Compare with the same draws under changed parameters ("path=value"); none: no twin. Raises ConfigError."""
        self.twin_scenario = set_path(self.scenario, list(changes), "twin") if changes else None
        self.twin_changes = tuple(changes)
        self._run_twin()

    def _run_twin(self) -> None:
        """Run the twin to the horizon, with the same interventions in the same months."""
        self.twin = None
        if self.twin_scenario is None:
            return
        world = build_world(self.twin_scenario, self.seed)
        clock = world.clock[0]
        while clock.month < len(world.panel):
            wishes = [wish for wish in self.interventions if wish.month == clock.month]
            if wishes:
                while clock.phase != CASCADE:
                    advance(world, STEP)
            for wish in wishes:
                try:
                    self._do(world, wish)
                except ValueError:
                    continue  # in the twin this agent has failed already
            advance(world, MONTH)
            raise_fault(world, self.twin_scenario)
        self.twin = Result(self.twin_scenario, self.seed, 0, world, summarise(world))

    # --- text --------------------------------------------------------------------------------------------------

    def where(self) -> str:
        """Return what the last step was: "opening", "March 2026, cascade, round 3"."""
        if self.finished:
            return "end of the run"
        if self.phase == CASCADE and self.world.clock[0].turn > 0:
            return f"cascade, round {int(self.world.clock[0].turn)} done"
        return f"next: {PHASES[self.phase].name}"
