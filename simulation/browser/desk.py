"""The desk: what one browser connection sees and may do. No two connections share one."""

from __future__ import annotations

import shutil
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from simulation.browser import choices
from simulation.browser.graph import Graph
from simulation.browser.session import Session
from simulation.record.summary import reference_row
from simulation.runs import InvariantError
from simulation.scenario.config import load_scenario, scenario_to_yaml, set_path
from simulation.scenario.document import base_config
from simulation.scenario.faults import ConfigError
from simulation.scenario.scenario import Scenario

#: Writes a results folder of a run: (result, name) -> the folder. The command that opens the page provides it.
Exporter = Callable[[Any, str], Path]


_TABS = ("market", "credit", "twin", "agent")


@dataclass(frozen=True)
class Options:
    """What the command that opens the page was asked for."""

    config: Path
    seed: int = 1
    overrides: tuple[str, ...] = ()
    exporter: Exporter | None = None


@dataclass
class Desk:
    """State of one connection. Every method that a click calls ends in one repaint and never raises."""

    options: Options
    repaint: Callable[[], None] = lambda: None
    session: Session = field(init=False)
    graph: Graph = field(init=False)
    file: str = ""
    seed: int = 1
    overrides: list[str] = field(default_factory=list)
    #: Counts builds: what must be drawn anew when the run is another one.
    run_id: int = 0
    error: str = ""
    notice: str = ""
    picked: int = -1
    playing: bool = False
    pace: str = "month"
    tab: str = "market"
    chip: str = ""
    auction: int = -1
    dark: bool = False
    settings: bool = False
    pending: dict[str, Any] = field(default_factory=dict)
    download: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._lock = threading.RLock()
        self._folder: tempfile.TemporaryDirectory | None = None
        self.file, self.seed = str(Path(self.options.config).resolve()), self.options.seed
        self.overrides = list(self.options.overrides)
        if not self._guarded(lambda: self._build(load_scenario(self.file, self.overrides))):
            self.file, self.overrides = str(base_config()), []
            self._build(load_scenario(self.file))

    # --- doing ---------------------------------------------------------------------------------------------------

    def _guarded(self, work: Callable[[], None]) -> bool:
        """Do something a user asked for; a fault becomes a message on the page, never a lost page."""
        self.error = ""
        try:
            work()
            return True
        except (ConfigError, ValueError) as fault:
            self.error = str(fault)
        except InvariantError as fault:
            self.error = f"{fault}"
        except OSError as fault:
            self.error = f"{fault.filename or ''}: {fault.strerror or fault}"
        except Exception as fault:  # the page must stay: the trace goes to the terminal
            traceback.print_exc(file=sys.stderr)
            self.error = f"This is a fault of the program, please report it: {type(fault).__name__}: {fault}"
        self.playing = False
        return False

    def _do(self, work: Callable[[], None]) -> None:
        with self._lock:
            self._guarded(work)
        self.repaint()

    def act(self, name: str) -> None:
        """Carry out a button: back, step, phase, month, default, cascade, end, play, played (the next step of play)."""
        steps = {
            "back": self.session.back, "step": self.session.step, "phase": self.session.step_phase,
            "month": self.session.step_month, "default": self.session.to_default,
            "cascade": self.session.to_cascade, "end": self.session.to_end,
        }  # fmt: skip

        def work() -> None:
            if name == "play":
                self.playing = not self.playing and not self.session.finished
            elif name == "played":
                if self.playing:
                    steps[self.pace]()
            elif name in steps:
                self.playing = False
                steps[name]()
            if self.session.finished:
                self.playing = False
            self.auction = -1

        self._do(work)

    def sell(self, wish: dict[str, Any]) -> None:
        """Put a block on the market now."""

        def work() -> None:
            self.session.sell(str(wish.get("chip")), float(wish.get("units") or 0.0))
            self.tab, self.auction = "market", -1
            self.chip = str(wish.get("chip"))

        self._do(work)

    def fail(self, node: int) -> None:
        """Let a lender or operator fail now."""
        self._do(lambda: self.session.fail(int(node)))

    # --- the run -------------------------------------------------------------------------------------------------

    def _build(self, scenario: Scenario) -> None:
        """Start a run; on a fault the run before it stays."""
        session = Session(scenario, self.seed, scenario.lesson.twin)
        same = self.run_id > 0 and self.session.scenario.lesson == scenario.lesson
        self.session, self.graph = session, Graph(session.world, session.names)
        self.run_id += 1
        self.playing, self.auction, self.picked = False, -1, -1
        if self.chip not in session.chips:
            self.chip = session.chips[reference_row(session.world)]
        if not same and scenario.lesson.text:
            self.pace = "step" if scenario.lesson.step == "round" else scenario.lesson.step
            self.tab = scenario.lesson.view if scenario.lesson.view in _TABS else self.tab

    def reset(self, seed: int) -> None:
        """Build the run anew with this seed and the changes that wait."""

        def work() -> None:
            if not isinstance(seed, int) or seed < 0:
                raise ValueError("The seed must be a whole number from 0 on.")
            before, self.seed = self.seed, seed
            overrides = self.overrides + choices.overrides(self.pending)
            try:
                self._build(load_scenario(self.file, overrides))
            except Exception:
                self.seed = before
                raise
            self.overrides, self.pending = overrides, {}
            self.notice = ""

        self._do(work)

    def open(self, file: str) -> None:
        """Open a config file of the menu."""

        def work() -> None:
            self._build(load_scenario(file))
            self.file, self.overrides, self.pending, self.notice = file, [], {}, ""

        self._do(work)

    def upload(self, given: dict[str, str]) -> None:
        """Open a config that came through the browser; it lies beside copies of the shipped ones, so it may extend them."""

        def work() -> None:
            if self._folder is None:
                self._folder = tempfile.TemporaryDirectory(prefix="gpu-firesale-")
                shutil.copytree(base_config().parent, Path(self._folder.name) / "configs")
                shutil.copytree(base_config().parent, Path(self._folder.name) / "configs" / "own")
            file = Path(self._folder.name) / "configs" / "own" / Path(given["name"]).name
            file.write_text(given["text"], encoding="utf-8")
            try:
                self._build(load_scenario(file))
            except ConfigError as fault:
                raise ValueError(str(fault).replace(str(file.parent) + "/", "")) from None
            self.file, self.overrides, self.pending, self.notice = str(file), [], {}, ""

        self._do(work)

    # --- parameters and the twin -----------------------------------------------------------------------------------

    def change(self, wish: dict[str, Any]) -> None:
        """Note a change of a parameter; it waits for Reset."""

        def work() -> None:
            path = str(wish.get("path"))
            value = choices.chosen(self.session.scenario, self.pending, path, wish)
            self.pending = {k: v for k, v in self.pending.items() if k != path}
            if value != choices.current(self.session.scenario)[path]:
                self.pending[path] = value
            set_path(self.session.scenario, self.pending)

        self._do(work)

    def discard(self) -> None:
        """Drop the changes that wait."""
        self._do(lambda: self.pending.clear())

    def as_twin(self) -> None:
        """Compare the run with the same draws under the changes that wait."""

        def work() -> None:
            self.session.set_twin(choices.overrides(self.pending))
            self.pending, self.tab = {}, "twin"

        self._do(work)

    def drop_twin(self) -> None:
        """Show no twin."""
        self._do(lambda: self.session.set_twin(()))

    # --- looking -----------------------------------------------------------------------------------------------------

    def show(self, **what: Any) -> None:
        """Set what is looked at: tab, chip, auction, pace, dark, settings."""
        allowed = {"tab": _TABS, "chip": self.session.chips, "pace": ("step", "phase", "month")}

        def work() -> None:
            for name, value in what.items():
                if name in allowed and value not in allowed[name]:
                    raise ValueError(f"no such {name}: {value!r}")
                setattr(self, name, value)

        self._do(work)

    def pick(self, node: int) -> None:
        """Look at an agent (-1 nobody); of a group at the one in most trouble."""

        def work() -> None:
            known = isinstance(node, int) and 0 <= node < len(self.graph.place)
            self.picked = self.graph.worst(self.session.world, int(node)) if known else -1
            if known:
                self.tab = "agent"

        self._do(work)

    def export(self, what: str) -> None:
        """Write the run so far as a results folder, or hand out the config."""

        def work() -> None:
            name = f"{Path(self.file).stem}-seed{self.seed}"
            if what == "config":
                text = scenario_to_yaml(self.session.scenario)
                self.download = {"name": f"{name}.yaml", "text": text, "id": str(time.monotonic_ns())}
            elif what == "results" and self.options.exporter is not None:
                if self.session.month < 1:
                    raise ValueError("There is nothing to write yet: let a month pass first.")
                self.notice = f"Written to {self.options.exporter(self.session.result(), name)}"
            else:
                raise ValueError("This page was opened without a way to write results: use firesale browse.")

        self._do(work)

    def dismiss(self) -> None:
        """Take messages away."""
        self._do(lambda: setattr(self, "notice", ""))

    def close(self) -> None:
        """The connection is gone."""
        if self._folder is not None:
            self._folder.cleanup()
