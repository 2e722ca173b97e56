"""The bust of loans backed by mining rigs, 2022-23, out of sample: what the model gives against what happened.

The scenario sets the model to that market by recorded series and balance sheets of the end of 2021; behaviour is the base's.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from agents.tables.events import EventKind, SaleReason
from experiments.many import play_many
from experiments.run.figures.style import BLUE, GRID, INK, MUTED, ORANGE, PAPER, RED, STYLE
from simulation.scenario.config import load_scenario, set_path
from simulation.scenario.document import base_config
from simulation.world.world import World

CONFIG = base_config().parent / "hindcast" / "asic_2022.yaml"


_DATA = base_config().parent / "data"


#: The flagship rig: its generation and hashrate (TH/s).
_FLAGSHIP, _HASHRATE = 2, 95.0


#: A block is at least this many rigs of one seller sold by force in one month.
_BLOCK = 1000.0


#: Fall of the price of graphics cards when their turnover was least (note of ebay_gpu_usd_volume_trough_2022).
_CARDS_FALL = 0.60


#: The first year: from the turn of 2021-22 to the trough.
_YEAR = 12


class Outcome(NamedTuple):
    """One run: the flagship's traded price and appraisal (USD/TH), dollar turnover (three-month mean) and cumulated
    defaults (share of loans) by month, and one number an observable (nan where it does not apply)."""

    traded: np.ndarray
    appraised: np.ndarray
    turnover: np.ndarray
    defaulted: np.ndarray
    values: dict[str, float]


class Observable(NamedTuple):
    """What is compared: key, words, how it is shown, what happened (low, high) and the sources of it."""

    key: str
    label: str
    form: str
    low: float
    high: float
    source: str


def recorded() -> tuple[Observable, ...]:
    """Return what happened, from the figures in ``configs/data/facts.csv``."""
    with open(_DATA / "facts.csv", encoding="utf-8", newline="") as file:
        fact = {row["key"]: row["value"] for row in csv.DictReader(file)}
    f = {k: float(fact[k]) for k in fact if _number(fact[k])}
    turnover = f["ebay_gpu_usd_volume_trough_2022"] / f["ebay_gpu_usd_volume_peak"]
    fall = -f["asic_price_fall_new_gen"], -f["asic_fall_1y"]
    source = "asic_price_fall_new_gen, asic_fall_1y"
    gain = f["hw_price_elasticity_to_revenue"]
    quiet = math.log(turnover) / math.log(1.0 - _CARDS_FALL)
    return (
        Observable(
            "fall_traded", "fall of the flagship's traded price in a year", "{:.0%}", min(fall), max(fall), source
        ),
        Observable("fall_appraised", "fall of its appraisal", "{:.0%}", min(fall), max(fall), source),
        Observable(
            "elasticity_traded",
            "elasticity of the traded price to hashprice",
            "{:.2f}",
            gain,
            gain,
            "hw_price_elasticity_to_revenue",
        ),
        Observable(
            "elasticity_appraised",
            "elasticity of the appraisal",
            "{:.2f}",
            gain,
            gain,
            "hw_price_elasticity_to_revenue",
        ),
        Observable(
            "recovery",
            "recovery over the balance of defaulted loans",
            "{:.2f}",
            f["asic_loan_recovery_band_low"],
            f["greenidge_recovery"],
            "asic_loan_recovery_band_low, greenidge_recovery",
        ),
        Observable(
            "defaulted",
            "loans defaulted or worked out, share of volume",
            "{:.0%}",
            f["asic_default_rate_public"],
            f["asic_default_rate_public"],
            "asic_default_rate_public",
        ),
        Observable(
            "turnover",
            "log fall of dollar turnover over that of the price",
            "{:.1f}",
            quiet,
            quiet,
            "ebay_gpu_usd_volume_trough_2022 (graphics cards)",
        ),
        Observable(
            "block",
            "discount of forced blocks to the index",
            "{:.0%}",
            -f["celsius_block_price_impact"],
            -f["celsius_m30s_discount_to_index"],
            "celsius_block_price_impact, celsius_m30s_discount_to_index",
        ),
        Observable(
            "months",
            "months from first stress to last settlement",
            "{:.0f}",
            8.0,
            8.0,
            "series_asic_loans_2022.csv: June 2022 to February 2023",
        ),
    )


def _number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def observe(world: World, summary: dict[str, Any]) -> Outcome:
    """Return what one finished run shows (see :func:`recorded`)."""
    months, n_g = len(world.panel), len(world.chips)
    clock = world.clock[0]
    market = world.chip_panel[: months * n_g].reshape(months, n_g)[:, _FLAGSHIP]
    first = float(world.chips["list_price"][_FLAGSHIP] * math.exp(0.02 * world.chips["release"][_FLAGSHIP]))
    prices = {"traded": market["price"] / first, "appraised": market["appraisal"] / first}
    hashprice = world.panel["rent"]
    trough = int(np.argmin(hashprice[:_YEAR]))
    turnover = np.convolve(world.panel["volume_usd"], np.ones(3) / 3, "valid")
    quiet = int(np.argmin(turnover[:_YEAR]))
    drawn = float(world.panel["debt_performing"][0] + world.panel["new_credit"].sum())
    defaulted = np.cumsum(world.panel["debt_defaulted"] + worked_out(world.events[: clock.events], months)) / max(
        drawn, 1.0
    )
    values = {
        "recovery": float(summary["recovery"]) if summary["defaults"] else math.nan,
        "defaulted": float(defaulted[-1]),
        "turnover": _log_ratio(turnover[quiet], turnover[0], prices["traded"][quiet + 1]),
        "block": block_discount(
            world.trades[: clock.trades], world.chip_panel[: months * n_g].reshape(months, n_g)["appraisal"]
        ),
        "months": stress_months(world.events[: clock.events], world.trades[: clock.trades]),
    }
    for name, price in prices.items():
        values[f"fall_{name}"] = 1.0 - float(price[: _YEAR + 1].min())
        values[f"elasticity_{name}"] = math.log(price[trough]) / math.log(hashprice[trough] / hashprice[0])
    usd = first / _HASHRATE
    return Outcome(prices["traded"] * usd, prices["appraised"] * usd, turnover, defaulted, values)


def worked_out(events: np.ndarray, months: int) -> np.ndarray:
    """Return by month the loans (USD) that lenders extended after a missed payment or swapped for equity.

    The record counts them among the defaults. Of each borrower those of the first such month count; who defaults
    later is not taken off, as a loan once restructured is rarely called in default again in the months looked at.
    """
    usd = np.zeros(months)
    first: dict[int, int] = {}
    for e in events[(events["kind"] == EventKind.EXTENSION) | (events["kind"] == EventKind.SWAP)]:
        month = first.setdefault(int(e["other"]), int(e["month"]))
        if month == e["month"]:
            usd[month] += e["usd"]
    return usd


def _log_ratio(turnover: float, before: float, price: float) -> float:
    """Return ln(turnover/before) / ln(price), nan where the price has not fallen or nothing was ever traded."""
    if before <= 0.0 or price >= 0.99:
        return math.nan
    # No trade at all counts as a thousandth of the turnover before.
    return math.log(max(turnover / before, 1e-3)) / math.log(price)


def block_discount(trades: np.ndarray, index: np.ndarray) -> float:
    """Return by how much forced blocks sold below the index of the month before, weighted by value at the index.

    ``trades`` are rows of the table, ``index`` is months x generations (USD); nan without a block.
    """
    forced = trades[
        (trades["reason"] != SaleReason.CHURN) & (trades["reason"] != SaleReason.DEALER) & (trades["month"] > 0)
    ]
    got = at_index = 0.0
    blocks: dict[tuple[int, int, int], list[float]] = {}
    for t in forced:
        part = blocks.setdefault((int(t["month"]), int(t["seller"]), int(t["chip"])), [0.0, 0.0])
        part[0] += t["units"]
        part[1] += t["units"] * t["price"]
    for (month, _, chip), (units, usd) in blocks.items():
        if units >= _BLOCK:
            got += usd
            at_index += units * index[month - 1, chip]
    return 1.0 - got / at_index if at_index > 0 else math.nan


def stress_months(events: np.ndarray, trades: np.ndarray) -> float:
    """Return the months from the first margin call or default to the last sale of seized hardware; nan without both."""
    first = events["month"][(events["kind"] == EventKind.DEFAULT) | (events["kind"] == EventKind.MARGIN_CALL)]
    last = trades["month"][trades["reason"] == SaleReason.SEIZED]
    return float(last.max() - first.min()) if len(first) and len(last) else math.nan


#: What a miss may hang on: runs of the same scenario with one thing changed, and why that thing.
VARIANTS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("hosting as in 2022", "hosting went to 0.08-0.09 USD/kWh during 2022 (power_price_hosting_2022); the scenario knows only 2021",
     {"miners.hosting": (52, 72), "buyers.hyperscaler.hosting": (52, 62), "buyers.enterprise.hosting": (55, 75), "buyers.research.hosting": (55, 75), "marks.reference_hosting": 58}),
    ("a sixth of the coins", "treasuries at the end of 2021 are not among the data: 200 to 6,000 bitcoins a miner are an assumption", {"miners.btc": (33, 1000)}),
    ("rents believed to last", "buyers extrapolate falling hashprice up to 5 % a month; here up to 1 %", {"marks.decline_cap": 0.01}),
    ("appraisals that look", "an appraisal without trades drifts down by 1.2 % a month; here by 8 %", {"marks.stale_drift": 0.08}),
    ("four times the buyers' money", "budgets are the base's proportion to loans", {"buyers.budget_scale": 0.32}),
    ("impatient lenders", "reserves fall by 6 % of the mark a month held; here by 30 %", {"market.patience_decay": 0.3}),
)  # fmt: skip


@dataclass(frozen=True)
class HindcastResult:
    """Outcomes by seed, and of fewer seeds for each variant, with the recorded path of hashprice (USD/PH/day)."""

    outcomes: list[Outcome]
    variants: list[tuple[str, str, list[Outcome]]]
    hashprice: np.ndarray
    observables: tuple[Observable, ...]

    def spread(self, key: str, outcomes: list[Outcome] | None = None) -> tuple[float, float, float, int]:
        """Return the 10th, 50th and 90th percentile of an observable over seeds and how many seeds have it."""
        values = np.array([o.values[key] for o in (self.outcomes if outcomes is None else outcomes)])
        values = values[~np.isnan(values)]
        if not len(values):
            return math.nan, math.nan, math.nan, 0
        return (*np.percentile(values, [10, 50, 90]).tolist(), len(values))

    def rows(self) -> list[tuple[str, str, str, str, str]]:
        """Return the table: observable, what happened, model median [10 %, 90 %], seeds, verdict."""
        table = []
        for o in self.observables:
            low, middle, high, count = self.spread(o.key)
            happened = 0.5 * (o.low + o.high)
            touch = ", the bands touch" if low <= o.high and high >= o.low else ""
            verdict = (
                "inside the band" if low <= happened <= high else ("too low" if high < happened else "too high") + touch
            )
            recorded_as = (
                o.form.format(o.low) if o.low == o.high else f"{o.form.format(o.low)} to {o.form.format(o.high)}"
            )
            table.append(
                (
                    o.label,
                    recorded_as,
                    f"{o.form.format(middle)} [{o.form.format(low)}, {o.form.format(high)}]",
                    str(count),
                    verdict,
                )
            )
        return table

    def variant_rows(self) -> list[tuple[str, ...]]:
        """Return medians of every observable, as it is and with one thing changed."""
        table = [("as it is", *(o.form.format(self.spread(o.key)[1]) for o in self.observables))]
        for name, _, outcomes in self.variants:
            table.append((name, *(o.form.format(self.spread(o.key, outcomes)[1]) for o in self.observables)))
        return table

    def markdown(self, figure: str) -> str:
        """Return both tables and the figure as Markdown."""
        lines = [
            f"![Hindcast]({figure})",
            "",
            "| observable | what happened | model: median [10 %, 90 %] | seeds | verdict | source |",
            "|---|---|---|---|---|---|",
        ]
        lines += [f"| {' | '.join(row)} | {o.source} |" for row, o in zip(self.rows(), self.observables, strict=True)]
        lines += [
            "",
            "Medians with one thing changed:",
            "",
            f"| | {' | '.join(o.label for o in self.observables)} |",
            "|---" * (1 + len(self.observables)) + "|",
        ]
        lines += [f"| {' | '.join(row)} |" for row in self.variant_rows()]
        lines += ["", *(f"- *{name}*: {why}." for name, why, _ in self.variants)]
        return "\n".join(lines) + "\n"


#: Heads of :meth:`HindcastResult.rows`.
HEADS = ("observable", "what happened", "model: median [10 %, 90 %]", "seeds", "verdict")


def run_hindcast(
    path: Path = CONFIG, seeds: int = 200, first: int = 1, progress: Callable[[str], None] = lambda text: None
) -> HindcastResult:
    """Run the scenario over ``seeds`` seeds from ``first``, and each variant over a third of them. Raises ConfigError."""
    scenario = load_scenario(path)
    progress(f"{seeds} seeds of {scenario.title}")
    outcomes = play_many(scenario, range(first, first + seeds), observe)
    variants = []
    for name, why, changes in VARIANTS:
        progress(name)
        variants.append(
            (name, why, play_many(set_path(scenario, changes), range(first, first + max(3, seeds // 3)), observe))
        )
    hashprice = (
        play_many(scenario, [first], lambda world, _: world.panel["rent"].copy())[0] * 24.0 / (_HASHRATE / 1000.0)
    )
    return HindcastResult(outcomes, variants, hashprice, recorded())


# --- the figure -----------------------------------------------------------------------------------------------------


def _recorded_prices() -> list[tuple[float, float]]:
    """Return (months from January 2022, USD/TH) of the recorded prices of efficient rigs since the start."""
    found = []
    with open(_DATA / "series_asic_price_points.csv", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            date, tier = row["date"].replace("early", "02")[:7], row["tier"]
            if (
                not date.startswith("202")
                or date < "2022"
                or any(word in tier for word in ("XP", "38-68", ">68", "M30S", "loan balance", "NYDIG"))
            ):
                continue
            year, month = map(int, date.split("-"))
            found.append((12 * (year - 2022) + month - 1.0, float(row["usd_per_th"])))
    return found


def _band(ax: Any, x: np.ndarray, rows: list[np.ndarray], colour: str, label: str) -> None:
    low, middle, high = np.percentile(np.array(rows), [10, 50, 90], axis=0)
    ax.fill_between(x, low, high, color=colour, alpha=0.18, linewidth=0)
    ax.plot(x, middle, color=colour, label=label)


def draw(result: HindcastResult) -> Figure:
    """Return the figure: what was given, what came out by month, and every observable against what happened."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(11, 9.2), layout="constrained")
        top, bottom = np.asarray(figure.subfigures(2, 1, height_ratios=[1.25, 1])).tolist()
        axes = top.subplots(2, 2, sharex=True).flat
        months = np.arange(len(result.hashprice))
        axes[0].plot(months, result.hashprice, color=INK)
        axes[0].set(title="Given: hashprice", ylabel="USD per PH/s and day", ylim=(0, None))
        _band(axes[1], months, [o.traded for o in result.outcomes], BLUE, "model, last traded")
        _band(axes[1], months, [o.appraised for o in result.outcomes], ORANGE, "model, appraised")
        points = np.array(_recorded_prices())
        axes[1].plot(points[:, 0], points[:, 1], "o", color=RED, markersize=5, label="recorded", zorder=5)
        axes[1].set(title="Price of the flagship rig", ylabel="USD per TH/s, log scale", yscale="log")
        axes[1].set_yticks([3, 10, 30, 100], ["3", "10", "30", "100"])
        axes[1].minorticks_off()
        _band(
            axes[2],
            np.arange(1, 1 + len(result.outcomes[0].turnover)),
            [o.turnover / 1e6 for o in result.outcomes],
            BLUE,
            "model",
        )
        axes[2].set(title="Turnover of used rigs", ylabel="USD m a month, three-month mean", ylim=(0, None))
        _band(axes[3], months, [100 * o.defaulted for o in result.outcomes], BLUE, "model")
        rate = next(o for o in result.observables if o.key == "defaulted")
        axes[3].axhline(100 * rate.low, color=RED, linewidth=1.2, linestyle=(0, (4, 2)), label="disclosed deals, 2022")
        axes[3].set(title="Loans defaulted so far", ylabel="% of volume", ylim=(0, None))
        for ax in axes[1:4]:
            ax.legend(frameon=False, fontsize=8, labelcolor=INK)
        for ax in axes[2:4]:
            ax.set_xticks(
                range(0, len(months), 6),
                [("Jan", "Jul")[k % 2] + f" {2022 + k // 2}" for k in range(len(range(0, len(months), 6)))],
            )
        _intervals(bottom, result)
        return figure


def _intervals(figure: Any, result: HindcastResult) -> None:
    """Draw one row an observable, each on a scale of its own: what happened (red) and the model's 10 to 90 % (blue)."""
    figure.suptitle(
        "Observables: model over seeds (median, 10 to 90 %) and what happened (red)",
        x=0.01,
        ha="left",
        fontsize=10,
        fontweight="bold",
        color=INK,
    )
    axes = figure.subplots(len(result.observables), 1)
    for ax, o in zip(axes, result.observables, strict=True):
        low, middle, high, _ = result.spread(o.key)
        right = 1.15 * max(high, o.high)
        ax.set(xlim=(0, right), ylim=(-1, 1), yticks=[], facecolor=PAPER)
        for side in ("left", "bottom"):
            ax.spines[side].set_visible(False)
        ax.set_xticks([])
        ax.axhline(0, color=GRID, linewidth=1)
        ax.plot([low, high], [0, 0], color=BLUE, linewidth=7, alpha=0.35, solid_capstyle="butt")
        ax.plot([middle], [0], "|", color=BLUE, markersize=13, markeredgewidth=2.4)
        if o.high > o.low:
            ax.axvspan(o.low, o.high, color=RED, alpha=0.25, linewidth=0)
        ax.axvline(0.5 * (o.low + o.high), color=RED, linewidth=1.6, linestyle="-" if o.low == o.high else ":")
        ax.text(-0.01, 0.5, o.label, transform=ax.transAxes, ha="right", va="center", fontsize=8, color=INK)
        happened = o.form.format(o.low) if o.low == o.high else f"{o.form.format(o.low)}-{o.form.format(o.high)}"
        ax.text(
            1.01,
            0.5,
            f"{o.form.format(middle)}  against {happened}",
            transform=ax.transAxes,
            ha="left",
            va="center",
            fontsize=8,
            color=MUTED,
        )


def write_figure(result: HindcastResult, file: Path) -> Path:
    """Save the figure as PNG and return the file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with matplotlib.rc_context(STYLE):
        draw(result).savefig(file, dpi=120)
    return file
