"""A lesson: what to watch in a scenario, a number to predict, and the answer that the run gives."""

from __future__ import annotations

from typing import Any, Literal

from simulation.scenario.declare import Section, par


class Answer(Section):
    """Where a run shows the number to predict, and what it is (seed 1)."""

    table: Literal["summary", "panel", "chip_panel"] = par("panel", "choice", "summary of the run, or a panel by month")
    column: str = par("debt", "text", "measure of the summary or column of the panel")
    chip: str | None = par(None, "text", "generation (chip_panel)")
    month: int = par(-1, "month", "month of the panel, -1 the last", ge=-1)
    value: float = par(0.0, "mixed", "the answer, in the unit of the column")
    tolerance: float = par(0.02, "ratio", "largest difference between the answer and the run, over the answer", ge=0)


class Lesson(Section):
    """What stands beside the page when a scenario is a lesson."""

    text: str = par("", "text", "what the lesson is about: a short paragraph; empty when the scenario is no lesson")
    watch: tuple[str, ...] = par((), "text", "what to watch, step by step")
    question: str = par("", "text", "what to predict before pressing step: a number")
    unit: str = par("", "text", "unit in which the number is asked")
    scale: float = par(
        1.0, "ratio", "the number asked over the unit of the column (1e-9: billions of dollars; 100: per cent)", gt=0
    )
    answer: Answer = Answer()
    explanation: str = par("", "text", "why the answer is what it is")
    further: tuple[str, ...] = par((), "text", "things to try next")
    step: Literal["round", "phase", "month"] = par("month", "choice", "the step that shows the mechanism best")
    view: Literal["market", "credit", "twin", "agent", "log"] = par("market", "choice", "the panel that shows it best")
    twin: tuple[str, ...] = par((), "text", "changes of the twin that is compared, as path=value")

    def expected(self) -> float:
        """Return the answer in the unit in which it is asked."""
        return self.answer.value * self.scale

    def found(self, result: Any) -> float | None:
        """Return what a run shows, in the unit in which it is asked; None before the month of the answer.

        ``result`` is a :class:`simulation.runs.Result`.
        """
        done = int(result.world.clock[0].month)
        month = len(result.world.panel) - 1 if self.answer.month < 0 else self.answer.month
        if done <= month and not (self.answer.table == "summary" and done >= len(result.world.panel)):
            return None
        if self.answer.table == "summary":
            return float(result.summary[self.answer.column]) * self.scale
        if self.answer.table == "panel":
            return float(result.world.panel[self.answer.column][month]) * self.scale
        names = [chip.name for chip in result.scenario.chips]
        row = month * len(names) + names.index(self.answer.chip or names[0])
        return float(result.world.chip_panel[self.answer.column][row]) * self.scale
