"""Measures of the used market: prices against value in use and against new hardware, who takes what is sold by force."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from experiments.economics.measure import Aim, Measure, Pairs, Played, pair
from simulation.scenario.scenario import Scenario

_ORDER = "Order of the used market"
#: Hardware younger than this has no place at a scrap merchant (months).
YOUNG = 36.0
#: Prices per unit of performance of neighbouring generations should lie within this factor.
_FACTOR = 3.0
#: What two prices that are the same may differ by.
_ROUNDING = 1e-9
#: So far above new parity that no difference between chips explains it.
_SLACK = 1.3


def chosen(run: Played, forced: bool, chip: int | None = None) -> np.ndarray:
    """Return which trades count: forced ones or all, of one generation or of all."""
    rows = run.forced if forced else np.ones(len(run.trades), bool)
    return rows if chip is None else rows & (run.trades["chip"] == chip)


def price_over_value(forced: bool, chip: int | None) -> Callable[[Played], Pairs]:
    """Read proceeds over value in use (USD)."""

    def read(run: Played) -> Pairs:
        t = run.trades[chosen(run, forced, chip)]
        return pair(float((t["units"] * t["price"]).sum()), float((t["units"] * t["fundamental"]).sum()))

    return read


def discount(forced: bool, chip: int | None) -> Callable[[Played], Pairs]:
    """Read price over value in use less one, weighted by units."""

    def read(run: Played) -> Pairs:
        t = run.trades[chosen(run, forced, chip)]
        return pair(float((t["units"] * (t["price"] / t["fundamental"] - 1.0)).sum()), float(t["units"].sum()))

    return read


def to_scrap(younger: float) -> Callable[[Played], Pairs]:
    """Read the units sold by force to scrap merchants over all sold by force, of those ``younger`` than so many months."""

    def read(run: Played) -> Pairs:
        rows = run.forced & (run.trades["age"] < younger)
        units = run.trades["units"]
        return pair(float(units[rows & run.scrapped].sum()), float(units[rows].sum()))

    return read


def new_prices(run: Played, per: str) -> np.ndarray:
    """Return by month and generation what new chips cost that do the same (USD/GPU), infinite where none is on sale.

    The same ``performance``, at the least list price per unit of it; or the same ``value`` in use, as the panel has it.
    """
    listed, performance = run.market["list_price"], run.world.chips["performance"].view(np.ndarray)
    if per == "value":
        parity = run.market["parity"]
        return np.where(parity > 0.0, parity, math.inf)
    least = np.where(listed > 0.0, listed / performance, math.inf).min(1)
    return least[:, None] * performance


def above_new(per: str, times: float, forced_too: bool) -> Callable[[Played], Pairs]:
    """Read the USD paid for used chips at more than ``times`` what new ones cost, over all USD paid."""

    def read(run: Played) -> Pairs:
        t = run.trades
        usd = t["units"] * t["price"] * (1.0 if forced_too else ~run.forced)
        dear = t["price"] > times * (1.0 + _ROUNDING) * new_prices(run, per)[t["month"], t["chip"]]
        return pair(float(usd[dear].sum()), float(usd.sum()))

    return read


def monthly_prices(run: Played) -> np.ndarray:
    """Return the volume-weighted price by month and generation over performance (USD per H100); nan without a trade."""
    t = run.trades
    usd, units = np.zeros((2, *run.market.shape))
    np.add.at(usd, (t["month"], t["chip"]), t["units"] * t["price"])
    np.add.at(units, (t["month"], t["chip"]), t["units"])
    with np.errstate(invalid="ignore", divide="ignore"):
        return usd / units / run.world.chips["performance"]


def neighbours(run: Played) -> list[tuple[int, int]]:
    """Return the pairs of generations that follow one another by release within a cooling class."""
    chips = run.world.chips
    pairs = []
    for cooled in (0, 1):
        rows = np.flatnonzero(chips["liquid"] == cooled)
        rows = rows[np.argsort(chips["release"][rows], kind="stable")]
        pairs += list(zip(rows[:-1].tolist(), rows[1:].tolist(), strict=True))
    return pairs


def in_line(run: Played) -> Pairs:
    """Return in how many months the prices of two neighbours lie within the factor, over all in which both trade."""
    price = monthly_prices(run)
    apart = [np.abs(np.log(price[:, a] / price[:, b])) for a, b in neighbours(run)]
    both = np.concatenate([x[np.isfinite(x)] for x in apart]) if apart else np.zeros(0)
    return pair(float((both <= math.log(_FACTOR)).sum()), float(len(both)))


def _by_generation(scenario: Scenario) -> list[Measure]:
    group = "Price over value in use"
    found = []
    for forced, sales in ((True, "forced"), (False, "all")):
        for chip, name in [(None, "all"), *enumerate(c.name for c in scenario.chips)]:
            key, label = f"{sales}.{name}", f"{name}, {sales} sales"
            found += [
                Measure(f"price_over_value.{key}", group, f"price over value, {label}", "ratio", "proceeds over value in use to the best user", price_over_value(forced, chip)),
                Measure(f"discount.{key}", group, f"discount, {label}", "share", "price over value in use less one, weighted by units", discount(forced, chip)),
            ]  # fmt: skip
    return found


def _against_new() -> list[Measure]:
    group = _ORDER
    found = []
    for per, words in (("performance", "per unit of performance"), ("value", "per unit of value in use")):
        for times in (1.0, _SLACK):
            over = "above new parity" if times == 1.0 else f"above {times:g} times new parity"
            aim = Aim(0.0, 0.0) if per == "value" and times == 1.0 else None
            definition = f"USD paid at more than {times:g} times what new chips on sale cost {words} at list price, over all USD paid"
            found += [
                Measure(f"above_new.{per}.{times:g}.{sales}", group, f"{over} {words}, {sales} sales", "share", definition, above_new(per, times, sales == "all"), aim=aim)
                for sales in ("voluntary", "all")
            ]  # fmt: skip
    return found


def _order() -> list[Measure]:
    group = _ORDER
    return [
        Measure("scrap", group, "forced units to scrap merchants", "share", "units sold by force to scrap merchants over all sold by force", to_scrap(math.inf)),
        Measure("scrap.young", group, f"the same, younger than {YOUNG:g} months", "share", f"of units younger than {YOUNG:g} months", to_scrap(YOUNG), aim=Aim(0.0, 0.01)),
        *_against_new(),
        Measure("in_line", group, "neighbours in line", "share", f"months in which two neighbouring generations of a cooling class trade and their prices per performance lie within a factor of {_FACTOR:g}", in_line, aim=Aim(1.0, 1.0)),
    ]  # fmt: skip


def measures(scenario: Scenario) -> list[Measure]:
    """Return the measures of the used market for a scenario."""
    return [*_by_generation(scenario), *_order()]
