"""Measures of supply and of value: how capacity, sites and stock grow, what capital enters, how value follows rents."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from experiments.economics.measure import Measure, Pairs, Played, pair
from simulation.scenario.scenario import Scenario
from simulation.words import calendar

#: Months of the range of an H100's value in use.
_FOUR_YEARS = 48
#: The last year for which growth of the stock of compute is recorded.
_RECORDED_TO = 2026


def growth(column: str, year: int) -> Callable[[Played], Pairs]:
    """Read a column of the panel at the end of a year over the end of the year before (the first year: over its first month)."""
    return lambda run: pair(float(run.panel[column][12 * year + 11]), float(run.panel[column][max(0, 12 * year - 1)]))


def stock(chip: int, year: int) -> Callable[[Played], Pairs]:
    """Read the units of a generation at the end of a year (thousands)."""
    return lambda run: pair(1e-3 * float(run.market["stock"][12 * year + 11, chip]))


def elasticity(run: Played) -> Pairs:
    """Return sum(dv dr)/sum(dr^2), v and r the logs of the reference generation's value in use and of the rent, by month."""
    value = np.diff(np.log(run.market["fundamental"][:, run.reference]))
    rent = np.diff(np.log(run.panel["rent"]))
    return pair(float(value @ rent), float(rent @ rent))


def value_range(run: Played) -> Pairs:
    """Return the largest over the smallest value in use of the reference generation in the first four years."""
    value = run.market["fundamental"][:_FOUR_YEARS, run.reference]
    return pair(float(value.max()), float(value.min()))


def _record(scenario: Scenario, column: str, year: int) -> str:
    known = column == "capacity" and int(scenario.run.start[:4]) + year <= _RECORDED_TO
    return "compute_stock_growth" if known else ""


def _growth(scenario: Scenario, column: str, words: str) -> list[Measure]:
    how = f"{words}, end of the year over end of the year before (first year: over the first month)"
    return [
        Measure(f"growth.{column}.{year + 1}", "Supply", f"growth of {words} to {calendar(scenario.run.start, 12 * year + 11)}", "times", how, growth(column, year), record=_record(scenario, column, year))
        for year in range(scenario.run.months // 12)
    ]  # fmt: skip


def _entered(run: Played) -> Pairs:
    return pair(1e-9 * float(run.panel["capital_committed"].sum()))


def measures(scenario: Scenario) -> list[Measure]:
    """Return the measures of supply and value for a scenario."""
    return [
        *_growth(scenario, "capacity", "capacity in existence"),
        *_growth(scenario, "running", "capacity running"),
        *_growth(scenario, "site_power", "power of operators' sites"),
        Measure("capital", "Supply", "outside capital committed", "USD bn", "committed to funds that buy cheap hardware", _entered),
        *(
            Measure(f"stock.{chip.name}.{year + 1}", "Stock by generation", f"{chip.name}, {calendar(scenario.run.start, 12 * year + 11)}", "k GPU", "units in existence at the end of the month", stock(g, year))
            for g, chip in enumerate(scenario.chips) for year in range(scenario.run.months // 12)
        ),
        Measure("elasticity", "Value in use", "elasticity to the rent", "ratio", "of the reference generation's value in use, by monthly changes of logs (least squares through the origin)", elasticity, record="hw_price_elasticity_to_revenue"),
        Measure("value_range", "Value in use", "range within four years", "times", "largest over smallest value in use of the reference generation", value_range),
    ]  # fmt: skip
