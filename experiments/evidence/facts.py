"""Stylised facts of the literature as tests declared beforehand, each with its mechanism on and off.

Facts of the engine are tested under two readings of its loans: those of the base, of which most are on contracted cash
flow, and everybody marked to market, as in the markets in which most of these facts were found.

A fact is a statistic over seeds with two conditions: with the mechanism on it is beyond ``bound``, and it is larger than
with the mechanism off by at least ``least``. Both are judged by bootstrap intervals over seeds (the same draws in both arms).
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from experiments.evidence import fact_measures as measures
from experiments.evidence.claims.catalogue import MARKED
from experiments.run.figures.style import BLUE, GRID, INK, MUTED, RED, STYLE
from experiments.statistics import interval, resamples
from simulation.scenario.faults import ConfigError, Fault

_DRAWS = 2000


HOLDS, FAILS, OPEN = "holds", "does not hold", "not decided"


#: Values of one arm: one row a seed, and what a statistic makes of rows.
Rows = list[np.ndarray]


@dataclass(frozen=True)
class Fact:
    """One fact. ``measure(seeds, changes)`` gives the rows of an arm, ``statistic`` a number of rows; ``bound`` and
    ``least`` as in the module's text, ``ceiling`` what it must stay below; ``engine`` is False where it is of another model;
    ``words`` say what was found."""

    key: str
    title: str
    source: str
    mechanism: str
    measure: Callable[[Sequence[int], dict[str, Any]], Rows]
    statistic: Callable[[Rows], float]
    name: str
    on: dict[str, Any]
    off: dict[str, Any]
    bound: float = 0.0
    least: float = 0.0
    ceiling: float = np.inf
    falls: bool = False
    engine: bool = True
    form: str = "{:.2f}"
    words: str = ""

    @property
    def rule(self) -> str:
        """Return the pass rule in words."""
        top = f" and below {self.form.format(self.ceiling)}" if np.isfinite(self.ceiling) else ""
        than = f" by more than {self.form.format(self.least)}" if self.least else ""
        return f"on: above {self.form.format(self.bound)}{top}; {'lower' if self.falls else 'higher'} than off{than}"


#: Readings of loans under which facts of the engine are tested: what both arms have.
READINGS: dict[str, dict[str, Any]] = {"base": {}, "marked to market": MARKED}


NO_CALLS = {"credit.covenant_margin": 10.0, "credit.covenant_cap": 20.0}


RICH = {"buyers.budget_scale": 20.0, "buyers.power_scale": 20.0}


COOLED = {"policy.ltv_slope": 2.0}


FROZEN = {"policy.frozen": True}


FACTS = (
    Fact(
        "peers", "When peers cannot buy, forced sales go at deeper discounts.", "Shleifer and Vishny (1992); Pulvino (1998)",
        "on: operators may not buy used GPUs; off: they bid with all spare cash, whatever their DSCR",
        measures.discounts, measures.weighted_mean, "discount of forced sales to value in use", {"market.peer_cash": 0.0}, {"market.peer_cash": 1.0, "market.peer_dscr": 0.0},
        0.0, 0.02, words="Marked to market peers bring a discount of nine tenths down to three quarters; in the base little is sold by force, at about a quarter below value in use either way.",
    ),
    Fact(
        "distress", "Discounts deepen with the share of peers in distress.", "Shleifer and Vishny (1992, 2011)",
        "off: outsiders have twenty times the money and power", measures.discount_and_distress, measures.within_slope,
        "slope of the discount on the share of debt at a DSCR below one, within runs", {}, RICH,
        words="In the base discounts deepen with distress, and less so where outsiders have twenty times the money. Marked to market they are deepest at once, before debt service suffers.",
    ),
    Fact(
        "overshoot", "A forced block pushes the price below where it settles.", "Duffie (2010)",
        "10,000 H100s in a calm month; off: a central exchange in place of search", measures.block_response, measures.overshoot,
        "log price at the block less twelve months later", {}, {"market.venue": "exchange"}, 0.1, 0.05,
        words="It is search that makes the overshoot: deep where a seller makes ten calls a month, small where it calls as many as pay, because ten thousand chips are about one in a hundred.",
    ),
    Fact(
        "replenishment", "The slower buyers' money comes back, the longer the price takes to recover.", "Duffie (2010); Acharya, Shin and Yorulmazer",
        "on: budgets refill 3 % a month; off: at once", measures.block_response, measures.half_life, "months to half of the recovery", {"buyers.refill": 0.03}, {"buyers.refill": 1.0, "buyers.power_recovery": 1.0},
        0.0, 0.5, form="{:.1f}",
        words="The price is back within a month, however fast budgets refill: one block takes a small part of them.",
    ),
    Fact(
        "spirals", "Losses are convex in leverage, through margin calls.", "Brunnermeier and Pedersen (2009)",
        "advance rates 0.5, 0.7, 0.9; off: covenants that never call", measures.losses_by_leverage, measures.convexity,
        "second difference of mean losses, $bn", {}, NO_CALLS, words="Losses grow with leverage, with margin calls or without; of convexity nothing is to be seen.",
    ),
    Fact(
        "fragile", "Robust yet fragile: contagion is rare, and wide when it comes.", "Gai and Kapadia (2010)", "off: covenants that never call",
        measures.largest_cascade, measures.extent, "share of operators in the largest cascade, where it passes 5 %", {}, NO_CALLS, 0.2, 0.05,
        words="Marked to market cascades are few and take two thirds of the operators; where lenders wait hardly a run has one of more than a twentieth.",
    ),
    Fact(
        "diversification", "Diversification first harms, then helps; without leverage it does neither.", "Caccioli et al. (2014)",
        "common assets, 1,000 holders of 0.5, 3 or 10 assets; on: leverage 20; off: leverage 5", measures.windows, measures.hump,
        "frequency of contagion at 3 assets less the larger of 0.5 and 10", {"leverage": 20.0}, {"leverage": 5.0}, 0.2, 0.2, engine=False,
        words="A window opens and closes again.",
    ),
    Fact(
        "thresholds", "Threshold sellers sit still in a small shock; leverage targeters always sell.", "Cont and Schaanning (2017)",
        "200 institutions at their target of 5 % of equity, shocks of 4 % and 20 %; on: they sell below 4 %; off: they return to target always", measures.sales_by_shock, measures.convex_sales,
        "convexity: one less the small shock's sales over its proportional part", {"trigger": 0.04}, {"trigger": 1.0}, 0.5, 0.2, engine=False,
        words="Thresholds do nothing, then a lot; targeters sell in proportion, up to all they have.",
    ),
    Fact(
        "clusters", "Defaults cluster in time, more than common shocks explain.", "Karlis et al. (2015)",
        "off: prices and funding frozen", measures.defaults_by_quarter, measures.fano, "Fano factor of defaults by quarter", {}, FROZEN, 1.0, 0.5, form="{:.1f}",
        words="Marked to market the feedback trebles the clustering. In the base all of it comes from common shocks.",
    ),
    Fact(
        "credit", "Fast credit growth comes before crises.", "Greenwood et al. (2022); Krishnamurthy and Muir",
        "twelve years, stress from the second on; off: advance rates that fall by twice the debt growth above 25 % a year", measures.booms_and_crises, measures.after_boom,
        "P(crisis within 3 years) after the fastest fifth of debt growth less after the rest", {}, COOLED, words="The fastest fifth of debt growth is followed by about as many crises as the rest.",
    ),
    Fact(
        "red zone", "Credit and price boom together treble the risk of a crisis.", "Greenwood et al. (2022)",
        "the same; fastest fifth of debt growth and highest third of rent growth", measures.booms_and_crises, measures.red_zone,
        "P(crisis within 3 years) in the red zone over the unconditional one", {}, COOLED, 3.0,
        words="Not in this model: stress comes from outside at the same rate always.",
    ),
    Fact(
        "capital", "Lenders' capital protects them, with a threshold.", "Cifuentes, Ferrucci and Shin (2005); Bank of England SWP 861",
        "capital targets times 0.40, 0.70, 1.22, 2.14; off: prices and funding frozen", measures.failures_by_capital, measures.threshold,
        "failures saved from 0.70 to 1.22 less those saved from 0.40 to 0.70", {}, FROZEN, words="Marked to market there is a threshold. In the base no lender fails at any of the four levels of capital, or next to none.",
    ),
    Fact(
        "age", "Part of the raw discount is age, not liquidity.", "Franks, Seth, Sussman and Vig (2021)",
        "forced sales: ln(list/price) = ln(list/value in use) + ln(value in use/price); off: prices frozen at value in use", measures.discount_parts, measures.age_part,
        "share of the first part", {}, FROZEN, 0.05, 0.0, 0.95, True, words="In forced sales of the base ageing makes more than half of the discount, liquidity the rest; marked to market young chips are sold too, and liquidity is all of it.",
    ),
    Fact(
        "sale horizon", "The less time a seller has, the less a block brings.", "Appraisers' orderly and forced liquidation values (liq_factor_distressed_7d to liq_factor_orderly_180d)",
        "10,000 H100s in a calm market, to be sold within 7 or 180 days; off: a central exchange in place of search; the record is 0.55, give or take 0.15", measures.sale_horizon, measures.cost_of_hurry,
        "what 180 days bring less what 7 days bring, over the orderly price", {}, {"market.venue": "exchange"}, 0.40, 0.1, 0.70,
        words="It is search, and the time that buyers take to look, that make hurry dear: on a central exchange it costs nothing.",
    ),
    Fact(
        "workouts", "Lenders settle with most of those in distress and seize from the fewer.", "Gilson, John and Lang (1990): workout_out_of_court_share; Roberts and Sufi (2009): renegotiated_before_maturity",
        "borrowers in distress: with an amended loan, in default, or with a vehicle given up; off: lenders never wait. A cash sweep that the contract prescribes is no amendment, and what owners put in none of lenders' doing", measures.workouts, measures.settled,
        "share of borrowers in distress that have an amended loan and lose nothing to their lenders", {}, {"credit.forbearance": False}, 0.5, 0.2,
        words="Where lenders wait about half as many borrowers default. Yet of those in distress only a third settle; a breach that a sweep of cash ends is not counted.",
    ),
)  # fmt: skip


class FactResult(NamedTuple):
    """A fact with its statistic on and off and the difference, each as (value, low, high) with 95 % intervals; the verdict.

    ``reading`` is that of loans (READINGS).
    """

    fact: Fact
    on: tuple[float, float, float]
    off: tuple[float, float, float]
    difference: tuple[float, float, float]
    verdict: str
    seeds: int
    reading: str


def judge(fact: Fact, on: tuple[float, float, float], difference: tuple[float, float, float]) -> str:
    """Return the verdict: ``holds`` if every condition holds over the whole interval, ``does not hold`` if one fails over it."""
    low, high = (-difference[2], -difference[1]) if fact.falls else difference[1:]
    if on[1] > fact.bound and on[2] < fact.ceiling and low > fact.least:
        return HOLDS
    if on[2] <= fact.bound or on[1] >= fact.ceiling or high <= fact.least:
        return FAILS
    return OPEN


def check_fact(fact: Fact, seeds: Sequence[int], reading: str = "base") -> FactResult:
    """Run both arms of a fact over ``seeds`` under a reading of loans (READINGS) and judge it."""
    arms = [fact.measure(seeds, READINGS[reading] | changes) for changes in (fact.on, fact.off)]
    values = [fact.statistic(rows) for rows in arms]
    drawn = np.empty((_DRAWS, 2))
    n = len(arms[0])
    for k, chosen in enumerate(resamples(n, _DRAWS, 2010)):
        drawn[k] = [fact.statistic([rows[i] for i in chosen]) for rows in arms]
    told = zip([*values, values[0] - values[1]], np.c_[drawn, drawn[:, 0] - drawn[:, 1]].T, strict=True)
    on, off, difference = ((float(value), *interval(column)) for value, column in told)
    return FactResult(fact, on, off, difference, judge(fact, on, difference), n, reading)


def run_facts(
    seeds: int = 200,
    first: int = 1001,
    only: set[str] | None = None,
    progress: Callable[[str], None] = lambda text: None,
) -> list[FactResult]:
    """Test all facts (or those named in ``only``) over ``seeds`` seeds from ``first`` (they were written with seeds 1 to 200). Raises ConfigError on an unknown name."""
    unknown = sorted((only or set()) - {f.key for f in FACTS})
    if unknown:
        raise ConfigError(
            [Fault("--only", "", f"no fact {name!r}; facts: {', '.join(f.key for f in FACTS)}") for name in unknown]
        )
    results = []
    for fact in FACTS:
        if only is None or fact.key in only:
            progress(f"{fact.key}: {fact.title}")
            for reading in READINGS if fact.engine else ("base",):
                results.append(check_fact(fact, range(first, first + seeds), reading))
    return results


# --- showing --------------------------------------------------------------------------------------------------------

#: Heads of :func:`rows`.
HEADS = ("fact", "loans", "on [95 %]", "off [95 %]", "rule", "verdict")


def _shown(form: str, value: tuple[float, float, float]) -> str:
    if math.isnan(value[0]):
        return ""
    return f"{form.format(value[0])} [{form.format(value[1])}, {form.format(value[2])}]"


def rows(results: Sequence[FactResult]) -> list[tuple[str, ...]]:
    """Return table rows."""
    return [
        (
            r.fact.key,
            r.reading if r.fact.engine else "",
            _shown(r.fact.form, r.on),
            _shown(r.fact.form, r.off),
            r.fact.rule,
            r.verdict,
        )
        for r in results
    ]


def as_json(results: Sequence[FactResult]) -> list[dict[str, Any]]:
    """Return the results ready for JSON."""
    return [
        {
            "fact": r.fact.key, "title": r.fact.title, "source": r.fact.source, "mechanism": r.fact.mechanism, "statistic": r.fact.name,
            "rule": r.fact.rule, "loans": r.reading if r.fact.engine else None, "verdict": r.verdict, "seeds": r.seeds,
            # JSON knows no nan: a statistic of which there was nothing in some resample.
            **{name: [x if math.isfinite(x) else None for x in getattr(r, name)] for name in ("on", "off", "difference")},
        }
        for r in results
    ]  # fmt: skip


def markdown(results: Sequence[FactResult], figure: str) -> str:
    """Return table, words and figure as Markdown."""
    seeds = max(r.seeds for r in results)
    lines = [*(_count(results, reading) for reading in READINGS), f"{seeds} seeds an arm.", ""]
    lines += [
        f"![Stylised facts]({figure})",
        "",
        "| fact | source | statistic | loans | on [95 %] | off [95 %] | rule | verdict |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for r in results:
        f = r.fact
        lines.append(
            f"| {f.title} | {f.source} | {f.name} | {r.reading if f.engine else ''} | {_shown(f.form, r.on)} | {_shown(f.form, r.off)} | {f.rule} | **{r.verdict}** |"
        )
    facts = {r.fact.key: r.fact for r in results}.values()
    lines += ["", *(f"- *{fact.key}* ({fact.mechanism}). {fact.words}".rstrip() for fact in facts)]
    return "\n".join(lines) + "\n"


def _count(results: Sequence[FactResult], reading: str) -> str:
    """Return how many facts hold under a reading of loans; those of other models count under each."""
    of = [r for r in results if r.reading == reading or not r.fact.engine]
    count = {v: sum(r.verdict == v for r in of) for v in (HOLDS, FAILS, OPEN)}
    return f"Loans as in *{reading}*: {count[HOLDS]} of {len(of)} facts hold, {count[FAILS]} do not, {count[OPEN]} are not decided."


def draw(results: Sequence[FactResult]) -> Figure:
    """Return the figure: one panel a fact, the statistic on and off with 95 % intervals, and the bound."""
    facts = list({r.fact.key: r.fact for r in results}.values())
    columns = 3
    height = -(-len(facts) // columns)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(11, 2.2 * height + 0.3), layout="constrained")
        axes = figure.subplots(height, columns, squeeze=False).ravel()
        for ax, fact in zip(axes, facts, strict=False):
            own = [r for r in results if r.fact.key == fact.key]
            for k, r in enumerate(own):
                for y, (value, low, high), colour in ((1, r.on, BLUE), (0, r.off, MUTED)):
                    at = y + 2 * (len(own) - 1 - k)
                    ax.plot([low, high], [at, at], color=colour, linewidth=5, alpha=0.35, solid_capstyle="butt")
                    ax.plot([value], [at], "o", color=colour, markersize=5)
            ax.axvline(fact.bound, color=RED, linewidth=1, linestyle=(0, (4, 2)))
            rows = [
                f"{name}, {arm}" if fact.engine else arm
                for name in reversed([r.reading for r in own])
                for arm in ("off", "on")
            ]
            ax.set(ylim=(-0.7, len(rows) - 0.3), yticks=range(len(rows)), yticklabels=rows)
            ax.grid(visible=False, axis="y")
            ax.tick_params(length=0, axis="y", labelsize=7)
            found = " / ".join(dict.fromkeys(r.verdict for r in own))
            ax.set_title(f"{fact.key}: {found}", color=INK if HOLDS in [r.verdict for r in own] else RED, fontsize=9)
            ax.set_xlabel(textwrap.fill(fact.name, 46), fontsize=7)
        for ax in axes[len(facts) :]:
            ax.set_visible(False)
        for ax in figure.axes:
            ax.spines["left"].set_color(GRID)
    return figure


def write_figure(results: Sequence[FactResult], file: Path) -> Path:
    """Save the figure as PNG and return the file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with matplotlib.rc_context(STYLE):
        draw(results).savefig(file, dpi=120)
    return file
