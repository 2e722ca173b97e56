"""The scenario: every parameter once, with unit, bounds, meaning and source.

``Scenario`` is frozen and forbids unknown names. Scalars of the sections in :data:`TERM_SECTIONS` become the
fields of the one-row record ``terms`` that rules read (``credit.soft_cost`` is ``terms.credit_soft_cost``).
Sources name a row of ``configs/data/facts.csv`` or say "assumption".
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from pydantic import AfterValidator, model_validator

from agents.schema import Rows, copied
from simulation.scenario.agents import Buyers, Customers, Lenders, Miners, Neoclouds, Networks, Notes
from simulation.scenario.declare import Section, par
from simulation.scenario.drivers import Chip, Drivers
from simulation.scenario.kept import kept
from simulation.scenario.lesson import Lesson
from simulation.scenario.markets import Credit, Funding, Market, Marks, Rental, Sites
from simulation.scenario.policy import Policy, Vendor


class Run(Section):
    """Horizon."""

    start: str = par("2024-01", "YYYY-MM", "first month", pattern=r"^\d{4}-(0[1-9]|1[0-2])$")
    months: int = par(60, "month", "horizon", ge=1, le=600)
    max_turns: int = par(400, "round", "rounds of a cascade after which the run stops with a fault", ge=10, le=999)


def _by_release(chips: tuple[Chip, ...]) -> tuple[Chip, ...]:
    return tuple(sorted(chips, key=lambda chip: chip.release))


class Scenario(Section):
    """A complete scenario."""

    title: str = par("GPU-backed credit", "text", "title of reports")
    run: Run = Run()
    chips: Annotated[tuple[Chip, ...], AfterValidator(_by_release)] = par(
        ..., "list", "generations of chips; they are ordered by release", min_length=1
    )
    drivers: Drivers = Drivers()
    rental: Rental = Rental()
    sites: Sites = Sites()
    lenders: Lenders = Lenders()
    neoclouds: Neoclouds = Neoclouds()
    miners: Miners = Miners()
    notes: Notes = Notes()
    buyers: Buyers = Buyers()
    customers: Customers = Customers()
    networks: Networks = Networks()
    credit: Credit = Credit()
    market: Market = Market()
    marks: Marks = Marks()
    funding: Funding = Funding()
    policy: Policy = Policy()
    vendor: Vendor = Vendor()
    lesson: Lesson = Lesson()

    @model_validator(mode="after")
    def _consistent(self) -> Scenario:
        faults = []
        if self.neoclouds.count + self.miners.count == 0 and not (self.neoclouds.file or self.miners.file):
            faults.append("neoclouds.count and miners.count are both 0: a scenario needs an operator")
        if not any(c.release <= 0 for c in self.chips):
            faults.append("chips: no generation is released at the start (release <= 0)")
        names = [c.name for c in self.chips]
        if self.marks.reference_chip and self.marks.reference_chip not in names:
            faults.append(
                f"marks.reference_chip: no generation is called {self.marks.reference_chip!r}: {', '.join(names)}"
            )
        if self.credit.rollover_floor >= self.credit.rollover_dscr:
            faults.append("credit: needs rollover_floor < rollover_dscr")
        if self.drivers.block.units > 0 and self.drivers.block.chip not in names:
            faults.append(
                f"drivers.block.chip: no generation is called {self.drivers.block.chip!r}: {', '.join(names)}"
            )
        if self.lesson.answer.chip and self.lesson.answer.chip not in names:
            faults.append(
                f"lesson.answer.chip: no generation is called {self.lesson.answer.chip!r}: {', '.join(names)}"
            )
        if self.marks.decline_floor > self.marks.decline_cap:
            faults.append("marks: needs decline_floor <= decline_cap")
        if self.vendor.first > self.vendor.last:
            faults.append("vendor: needs first <= last")
        if len(set(names)) < len(names):
            faults.append("chips: two generations have the same name")
        if self.notes.margin_ltv >= self.notes.margin_call or self.notes.margin_call > self.notes.margin_closeout:
            faults.append("notes: needs margin_ltv < margin_call <= margin_closeout")
        if faults:
            raise ValueError("\n".join(faults))
        return self


#: Sections whose scalars rules read as ``terms.<section>_<name>``.
TERM_SECTIONS = (
    "run", "rental", "sites", "miners", "notes", "buyers", "customers", "credit", "market", "marks", "funding", "policy", "vendor",
)  # fmt: skip
#: Of them, those whose subsections are kinds of agents: their traits stand in the rows, not in ``terms``.
_OF_KINDS = ("buyers", "customers")


def leaves(section: Section, prefix: str = "") -> list[tuple[str, Any, Any]]:
    """Return ``(dotted path, value, field info)`` of every parameter below ``section``."""
    found = []
    for name, info in type(section).model_fields.items():
        value = getattr(section, name)
        path = f"{prefix}{name}"
        if isinstance(value, Section):
            found += leaves(value, path + ".")
        else:
            found.append((path, value, info))
    return found


def _term(value: Any, info: Any) -> float | int | None:
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, str) and hasattr(info.annotation, "__args__") and value in info.annotation.__args__:
        return info.annotation.__args__.index(value)
    return None


def build_terms(scenario: Scenario) -> Rows:
    """Return the one-row record of scalar parameters that rules read, choices as their index."""
    return copied(_terms(scenario)).view(Rows)


@kept
def _terms(scenario: Scenario) -> np.ndarray:
    fields, values = [], []
    for section in TERM_SECTIONS:
        for path, value, info in leaves(getattr(scenario, section), section + "."):
            term = _term(value, info)
            if term is None or section in _OF_KINDS and path.count(".") > 1:
                continue
            # The dtype must not depend on the values: a choice, flag or count is an integer, all else is real.
            whole = (
                isinstance(value, bool | int | str) and not isinstance(value, float) and info.annotation is not float
            )
            fields.append((path.replace(".", "_"), "i8" if whole else "f8"))
            values.append(term)
    terms = np.zeros(1, np.dtype((np.record, np.dtype(fields, align=True))))
    for (name, _), value in zip(fields, values, strict=True):
        terms[name] = value
    return terms
