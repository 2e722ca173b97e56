"""The claims of the article on compute finance, each as a paired experiment with a verdict.

A claim has two or more arms that share every draw and differ in what the claim is about, one measure, and a contrast
between arms whose mean, or the mean of whose worst runs, gets a bootstrap interval. The verdict follows from the
interval alone: it is not chosen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from agents.tables.events import SaleReason
from experiments.many import WIDTH, spread
from experiments.run.figures.style import BLUE, GRID, INK, MUTED, ORANGE, RED
from experiments.statistics import bootstrap, interval, resamples, shortfall
from simulation.interventions import sell_block
from simulation.month import CASCADE, HORIZON, MONTH, STEP, advance
from simulation.record.summary import summarise
from simulation.runs import raise_fault
from simulation.scenario.config import load_scenario, set_path
from simulation.scenario.document import base_config
from simulation.scenario.scenario import Scenario
from simulation.world.build import build_world
from simulation.world.world import World

Arms = dict[str, np.ndarray]


#: Month in which the block of the claims on collateral comes to market, and its size (H100s).
BLOCK_MONTH, BLOCK = 30, 10_000.0


#: Months for which the price is followed after the block.
BLOCK_AFTER = 24


@dataclass(frozen=True)
class Claim:
    """One claim. ``arms`` map a label to changes of the base; ``contrast`` takes the arms' values, run by run, and
    gives what ought to be above zero if the claim holds; ``scale`` and ``unit`` bring it to words."""

    key: str
    claim: str
    question: str
    measure: str
    unit: str
    arms: dict[str, dict[str, Any]]
    contrast: Callable[[Arms], np.ndarray]
    scale: float
    read: Callable[[World], Any]
    block: dict[str, float] = field(default_factory=dict)
    holds: str = ""
    fails: str = ""
    #: Effects smaller than this (in ``unit``) count as none, whatever their interval.
    least: float = 0.0
    #: Judge the mean of this share of the runs, the worst of each arm, instead of the mean of all; 0: of all.
    worst: float = 0.0
    #: What the arms are shown by, where that is not the measure: (words with unit, function of the arms).
    shown: tuple[str, Callable[[Arms], Arms]] | None = None
    #: A second measure whose tail is drawn by arm: the size of cascades.
    tail: Callable[[World], float] | None = None
    #: Arms between which leverage is made equal, and by which measure.
    level: tuple[str, str] | None = None

    @property
    def arm_words(self) -> str:
        """What the arms are shown by, with its unit."""
        if self.shown:
            return self.shown[0]
        # The level of a share is in percent, its difference in points.
        return f"{self.measure}, {'%' if self.unit == 'points' and ' less ' not in self.measure else self.unit}"


def _summary(name: str) -> Callable[[World], float]:
    return lambda world: float(summarise(world)[name])


def _pair(one: Callable[[World], Any], two: Callable[[World], Any]) -> Callable[[World], Any]:
    return lambda world: (one(world), two(world))


def _less(a: str, b: str) -> Callable[[Arms], np.ndarray]:
    return lambda arms: arms[a] - arms[b]


def _prices(world: World) -> np.ndarray:
    """Return the price of an H100 at the end of the month of the block and of the 24 months after it (USD)."""
    return np.array(
        world.chip_panel.price.reshape(-1, len(world.chips))[BLOCK_MONTH : BLOCK_MONTH + BLOCK_AFTER + 1, 1]
    )


def _falls(arms: Arms) -> np.ndarray:
    """Return how far the price is below what it would have been, runs x months since the block (ratio)."""
    return 1.0 - arms["with"] / arms["without"]


def _half_lives(arms: Arms) -> np.ndarray:
    """Return the months until half of a fall is made good, run by run: 24 if it is not by then, nan without a fall."""
    falls = _falls(arms)
    back = falls <= 0.5 * falls[:, :1]
    months = np.where(back.any(1), back.argmax(1), BLOCK_AFTER).astype(float)
    return np.where(falls[:, 0] > 0.0, months, np.nan)


def _unsold_block(world: World) -> float:
    """Return the share of the block that is not sold in its month and the twelve after it."""
    trades = world.trades[: int(world.clock[0].trades)]
    sold = (trades.reason == SaleReason.IMPOSED) & (trades.month <= BLOCK_MONTH + 12)
    return max(0.0, 1.0 - round(float(trades.units[sold].sum()) / BLOCK, 9))


def _old_chip(world: World) -> float:
    """Return the value in use of an H100 four years after the start (USD)."""
    return float(world.chip_panel.fundamental[48 * len(world.chips) + 1])


def _illusion(world: World) -> float:
    """Return the executable less the booked LTV of the largest borrower, mean of the third year."""
    rows = world.panel[24:36]
    return float((rows.largest_executable_ltv - rows.largest_booked_ltv).mean())


def _thin(world: World) -> float:
    """Return the largest share of performing debt owed at a DSCR below one."""
    return float(world.panel.dscr_below_one.max())


def _boom(world: World) -> float:
    """Return GPU-backed loans drawn in 2025 less those of 2024 (USD)."""
    return float(world.panel.new_credit[12:24].sum() - world.panel.new_credit[:12].sum())


_COINS_OFF = {"drivers.coin.stress_drift": 0.0, "drivers.coin.stress_jump": 0.0, "drivers.coin.stress_volatility": 0.13}


_RENTS_OFF = {"drivers.demand.stress_drift": 0.03, "drivers.demand.stress_jump": 0.0}


_TOGETHER = {"drivers.regimes.coupling": 1.0}


_BACKSTOP = {"none": {}, "$10bn": {"policy.backstop.capacity": 1.0e10}}


_SHORT, _LONG = "36 months", "120 months"


def _systemic(
    key: str,
    claim: str,
    question: str,
    arms: dict[str, dict[str, Any]],
    least: float,
    holds: str,
    fails: str,
    **more: Any,
) -> Claim:
    """Return a claim on the probability of a systemic cascade: that of the last arm less that of the first."""
    first, *_, last = arms
    return Claim(
        key, claim, question, "probability of a systemic cascade", "points", arms, _less(last, first), 100.0, _summary("systemic"),
        holds=holds, fails=fails, least=least, **more,
    )  # fmt: skip


CLAIMS = (
    Claim(
        "deflation", "Falling rents turn a prudent DSCR below one before the debt is repaid.",
        "How much more debt is at some time owed at a DSCR below one when rents deflate by 2 % a month?",
        "largest share of debt at a DSCR below one", "points", {"no deflation": {}, "deflation": {"drivers.demand.deflation": 0.02}},
        _less("deflation", "no deflation"), 100.0, _thin, least=1.0,
        holds="Deflation alone carries a large part of the debt below one.", fails="Deflation does not carry debt below one.",
    ),
    _systemic(
        "life", "Underwriting a short-lived good over ten years is what makes the system fragile, at equal peak debt.",
        "How much does the probability of a systemic cascade rise from an underwriting life of 36 to 120 months when both build the same debt",
        {_SHORT: {"lenders.life": 36.0, "lenders.max_ltv": 0.8}, _LONG: {"lenders.life": 120.0}}, 1.0,
        "At the same debt, slow amortisation by itself makes cascades more likely.", "At the same debt the tenor alone adds nothing: long lives are dangerous because they let lenders lend more.",
        level=("debt_peak", "the mean of the peak of GPU-backed debt"),
    ),
    _systemic(
        "life_ltv", "Underwriting a short-lived good over ten years is what makes the system fragile, at equal opening LTV.",
        "How much does that probability rise when both lend at the same advance rate, and the longer life lets debt grow",
        {_SHORT: {"lenders.life": 36.0, "lenders.max_ltv": 0.8}, _LONG: {"lenders.life": 120.0, "lenders.max_ltv": 0.8}}, 1.0,
        "At the same opening LTV long lives make cascades more likely: debt is repaid more slowly, and there is more of it.", "Even at the same opening LTV long lives do not make cascades more likely.",
        level=("", "the advance rate, the LTV on the day a loan is drawn"),
    ),
    Claim(
        "boom", "The boom of 2025 grows out of the agents' own rules.",
        "How much more is lent in 2025 than in 2024 when demand for compute does not grow?",
        "loans drawn in 2025 less 2024", "$bn", {"base": {}, "demand does not grow": {"drivers.demand.growth": [0.0]}},
        lambda arms: arms["demand does not grow"], 1e-9, _boom, least=0.5,
        holds="Lending rises without any growth of demand.", fails="Without growing demand lending does not rise: the boom of the base follows demand (see the other arm).",
    ),
    Claim(
        "debt", "Debt-financed failure spreads where equity-financed failure does not.",
        "How much larger is the largest cascade when chips are bought with debt than with equity?",
        "largest cascade", "agents", {"debt": {}, "equity": {"credit.initial_debt": 0.0, "lenders.max_ltv": 0.02, "credit.equity_speed": 0.6, "notes.size": 0.0}},
        _less("debt", "equity"), 1.0, _summary("cascade_max"), least=0.2,
        holds="Failures spread through debt.", fails="Failures do not spread further with debt.",
    ),
    Claim(
        "double", "Miners' double leverage makes both shocks together worse than their sum.",
        "Defaults of miners when coins and rents fall together, less those under each alone, plus those under neither",
        "defaults of miners", "miners",
        {"both": _TOGETHER, "coins only": _TOGETHER | _RENTS_OFF, "rents only": _TOGETHER | _COINS_OFF, "neither": _TOGETHER | _RENTS_OFF | _COINS_OFF},
        lambda arms: arms["both"] - arms["coins only"] - arms["rents only"] + arms["neither"], 1.0, _summary("defaults_miner"), least=0.02,
        holds="The two shocks are worse together than apart.", fails="The two shocks add up: no more than that.",
    ),
    _systemic(
        "convergence", "Correlation that converges in stress matters: stresses that begin together.",
        "How much does the probability of a systemic cascade rise when all stresses of coins and of demand begin together instead of none?",
        {"apart": {"drivers.regimes.coupling": 0.0}, "together": {"drivers.regimes.coupling": 1.0}}, 0.5,
        "Joint entry makes cascades more likely.", "Joint entry does not move the probability of a cascade beyond noise.",
    ),
    _systemic(
        "comovement", "Correlation that converges in stress matters: shocks that move together within a stress.",
        "The same for the correlation within a stress, 0 against 0.9",
        {"0": {"drivers.demand.correlation_stress": 0.0}, "0.9": {"drivers.demand.correlation_stress": 0.9}}, 0.5,
        "Co-movement within a stress matters, too.", "Co-movement within a stress does not matter: when correlation matters, it is by when stresses begin.",
    ),
    Claim(
        "illusion", "Booked LTV hides the executable one.",
        "Executable less booked LTV of the largest borrower, mean of the third year",
        "executable less booked LTV", "points", {"base": {}}, lambda arms: arms["base"], 100.0, _illusion, least=5.0,
        holds="What the bids would pay is far below the books, for the largest borrower alone.", fails="Books and bids agree.",
    ),
    Claim(
        "block", "Ten thousand seized H100s meet a market without depth.",
        "How far does a block of 10,000 H100s, sold in the thirtieth month, press the price below what it would have been?",
        "fall of the price", "%", {"without": {}, "with": {}}, lambda arms: 100.0 * _falls(arms)[:, 0], 1.0, _prices, {"with": BLOCK}, least=2.0,
        holds="The market takes them only at a price far below.", fails="The market takes them without a lasting mark on the price.",
        shown=("price in the month of the block, USD", lambda arms: {label: prices[:, 0] for label, prices in arms.items()}),
    ),
    Claim(
        "block_recovery", "The price does not come back within a quarter.",
        "How many months pass until half of that fall is made good (24 where it is not by then, runs without a fall left out)?",
        "months to recover half", "months", {"without": {}, "with": {}}, _half_lives, 1.0, _prices, {"with": BLOCK}, least=3.0,
        holds="The block weighs on the price for longer than a quarter.", fails="Half of the fall is made good within a quarter: the block is a dent, not a new level.",
        shown=("price below what it would have been, %", lambda arms: {words: 100.0 * _falls(arms)[:, k] for words, k in (("at once", 0), ("a month later", 1), ("3 months later", 3), ("6 months later", 6), ("12 months later", 12), ("24 months later", 24))}),
    ),
    Claim(
        "block_unsold", "A year later part of the block has found no buyer.",
        "Which share of the block is not sold after twelve months?",
        "share not sold", "%", {"with": {}}, lambda arms: arms["with"], 100.0, _unsold_block, {"with": BLOCK}, least=5.0,
        holds="A year does not suffice to place them.", fails="Sold without a reserve, all of it finds a buyer within a year: what the market lacks is depth at a price, not buyers at any.",
    ),
    Claim(
        "repo", "Lenders' repo vanishes when marks become uncertain.",
        "How many more lenders fail when haircuts rise with volatility and unsold stock than when they stay?",
        "lenders failed", "lenders", {"haircuts rise": {}, "haircuts stay": {"policy.haircut_relief": 1.0}},
        _less("haircuts rise", "haircuts stay"), 1.0, _summary("lender_failures"), least=0.02,
        holds="Rising haircuts bring lenders down.", fails="Rising haircuts do not bring more lenders down here: warehouse lines are a small part of funding, and tight haircuts also slow lending before.",
    ),
    Claim(
        "cooling", "Liquid cooling and rack power keep buyers out.",
        "How much larger is the peak of unsold hardware when buyers' racks are as they are, against racks that all chips fit into and four times the power?",
        "peak of unsold hardware", "$m", {"as they are": {}, "no limit": {"buyers.convertible_share": 1.0, "buyers.conversion": 0.0, "buyers.power_scale": 4.0}},
        _less("as they are", "no limit"), 1e-6, _summary("unsold_peak"), least=1.0,
        holds="Where chips fit matters: more stays unsold.", fails="Power and cooling leave no more unsold: money is the scarcer limit.",
    ),
    Claim(
        "obsolescence", "Blackwell and Rubin age the old chips.",
        "How much lower is the value in use of an H100 after four years because B200, GB300 and Rubin came?",
        "value in use of an H100", "$", {"they come": {}, "they do not": {"chips.B200.release": 900, "chips.GB300.release": 900, "chips.Rubin.release": 900, "chips.H200.end_of_sale": 900}},
        _less("they do not", "they come"), 1.0, _old_chip, least=100.0,
        holds="New generations take value from the old ones, through the rent.", fails="New generations do not lower the value of the old ones: demand keeps up.",
    ),
    Claim(
        "lender_of_last_resort", "Without a buyer of last resort losses are larger.",
        "How much lower are losses with a backstop of $10bn?",
        "credit losses", "$bn", _BACKSTOP, _less("none", "$10bn"), 1e-9, _summary("losses"), least=0.05,
        holds="The backstop cuts losses. How large it must be: configs/sweeps/backstop.yaml.", fails="The backstop does not cut losses.",
    ),
    Claim(
        "tail", "Without a buyer of last resort the worst outcomes are worse.",
        "How much lower are losses over peak debt in the worst 5 % of runs (expected shortfall) with a backstop of $10bn?",
        "losses over peak debt, worst 5 % of runs", "points", _BACKSTOP, _less("none", "$10bn"), 100.0, _summary("loss_share"), least=1.0, worst=0.05,
        holds="The backstop cuts the tail, not only the mean.", fails="The backstop does not cut the tail: when it is needed most it is used up or comes too late.",
        tail=_summary("cascade_max"),
    ),
    Claim(
        "lead", "Credit turns before technology.",
        "By how many months does the peak of new credit come before the peak of running capacity?",
        "lead of credit", "months", {"base": {}}, lambda arms: arms["base"], 1.0, _summary("lead"), least=1.0,
        holds="Credit peaks first.", fails="Credit does not peak first.",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Finding:
    """What an experiment found: mean contrast and its interval, arm by arm means, and the words."""

    claim: Claim
    mean: float
    low: float
    high: float
    arms: dict[str, tuple[float, float, float]]
    values: np.ndarray
    notes: str = ""
    tails: Arms = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        """Return "holds", "does not hold" or "not decided": from the interval and the least effect that counts."""
        if self.low > self.claim.least:
            return "holds"
        return "does not hold" if self.high < self.claim.least else "not decided"


def values(scenario: Scenario, read: Callable[[World], Any], runs: int, first: int, block: float = 0.0) -> np.ndarray:
    """Return what ``read`` gives for ``runs`` replications on shared draws (runs, or runs x entries), on all cores."""

    def part(numbers: list[int]) -> list[Any]:
        found, world = [], None
        for k in numbers:
            world = build_world(scenario, first, k, reuse=world)
            if block:
                while world.clock[0].month < BLOCK_MONTH:
                    advance(world, MONTH)
                while world.clock[0].phase != CASCADE:
                    advance(world, STEP)
                sell_block(world, [c.name for c in scenario.chips], "H100", block)
            advance(world, HORIZON)
            raise_fault(world)
            found.append(read(world))
        return found

    cuts = np.array_split(np.arange(runs), WIDTH)
    return np.concatenate([np.array(x) for x in spread(part, [cut.tolist() for cut in cuts]) if x])


def examine(claim: Claim, base: Scenario, runs: int, first: int = 1) -> Finding:
    """Run the arms of a claim and judge it."""
    changes = {label: dict(change) for label, change in claim.arms.items()}
    notes = ""
    tails: Arms = {}
    if claim.level:
        if claim.level[0]:
            changes[_LONG]["lenders.max_ltv"] = same_debt(base, claim, min(runs, 40), first)
        notes = _equal_leverage(claim, claim.level, base, changes, runs, first)
    arms = {}
    for label, change in changes.items():
        scenario, block = set_path(base, change) if change else base, claim.block.get(label, 0.0)
        if claim.tail:
            both = values(scenario, _pair(claim.read, claim.tail), runs, first, block)
            arms[label], tails[label] = both[:, 0], both[:, 1]
        else:
            arms[label] = values(scenario, claim.read, runs, first, block)
    if claim.worst:
        return _judge_worst(claim, arms, tails)
    contrast = claim.scale * claim.contrast(arms)
    mean, low, high = bootstrap(contrast, draws=2000)
    shown = claim.shown[1](arms) if claim.shown else {label: claim.scale * x for label, x in arms.items()}
    return Finding(claim, mean, low, high, {label: bootstrap(x) for label, x in shown.items()}, contrast, notes)


def _judge_worst(claim: Claim, arms: Arms, tails: Arms, draws: int = 2000) -> Finding:
    """Judge the contrast of the worst runs of each arm; runs are resampled for all arms together."""
    runs = len(next(iter(arms.values())))
    again = resamples(runs, draws)
    drawn = {label: claim.scale * shortfall(x[again], claim.worst) for label, x in arms.items()}
    found = {label: claim.scale * shortfall(x, claim.worst) for label, x in arms.items()}
    contrast = claim.contrast(drawn)
    intervals = {label: (float(found[label]), *interval(drawn[label])) for label in arms}
    points = {label: claim.scale * np.quantile(x[again], 1.0 - claim.worst, axis=1) for label, x in arms.items()}
    low, high = interval(claim.contrast(points))
    at = float(claim.contrast({label: claim.scale * np.quantile(x, 1.0 - claim.worst) for label, x in arms.items()}))
    notes = (
        f"The {100 * (1 - claim.worst):g}th percentile falls by {at:.3g} [{low:.3g}, {high:.3g}] {claim.unit}.".replace(
            "-", "−"
        )
    )
    return Finding(
        claim,
        float(claim.contrast(found)),
        *interval(contrast),
        intervals,
        contrast,
        notes,
        tails,
    )


def _equal_leverage(
    claim: Claim, level: tuple[str, str], base: Scenario, changes: dict[str, dict[str, Any]], runs: int, first: int
) -> str:
    """Say which leverage is equal between the arms, how it was made so, and what is not equal then."""
    peaks = {
        label: bootstrap(1e-9 * values(set_path(base, change), _summary("debt_peak"), runs, first))
        for label, change in changes.items()
    }
    ltv = {label: change["lenders.max_ltv"] for label, change in changes.items()}
    how = (
        "by the advance rate at 120 months, found by bisection on the first 40 runs"
        if level[0]
        else "by giving all lenders the same"
    )
    got = "; ".join(
        f"{label}: advance rate {ltv[label]:.2f}, peak debt ${peaks[label][0]:.1f}bn [{peaks[label][1]:.1f}, {peaks[label][2]:.1f}]"
        for label in changes
    )
    return f"Equal leverage is here {level[1]}, made equal {how}. {got}."


def same_debt(base: Scenario, claim: Claim, runs: int, first: int) -> float:
    """Return the advance rate at which the long underwriting life builds the mean peak debt of the short one."""
    peak = _summary("debt_peak")
    aim = values(set_path(base, claim.arms[_SHORT]), peak, runs, first).mean()
    low, high = 0.2, claim.arms[_SHORT]["lenders.max_ltv"]
    for _ in range(7):
        middle = 0.5 * (low + high)
        got = values(set_path(base, claim.arms[_LONG] | {"lenders.max_ltv": middle}), peak, runs, first).mean()
        low, high = (middle, high) if got < aim else (low, middle)
    return round(0.5 * (low + high), 3)


# --- the document -------------------------------------------------------------------------------------------------


def write_claims(
    folder: Path, runs: int, command: str, say: Callable[[str], None] = lambda text: None, config: Path | None = None
) -> Path:
    """Examine every claim and write claims.md and its figures; return the document."""
    base = load_scenario(config or base_config())
    (folder / "images").mkdir(parents=True, exist_ok=True)
    found = []
    for claim in CLAIMS:
        finding = examine(claim, base, runs)
        found.append(finding)
        _draw(finding).savefig(folder / "images" / f"claim_{claim.key}.svg")
        say(f"{claim.key}: {finding.verdict}: {_effect(finding)}")
    file = folder / "claims.md"
    file.write_text(_document(found, runs, command), encoding="utf-8")
    return file


def _effect(found: Finding) -> str:
    unit = found.claim.unit
    text = f"{found.mean:+.3g} [{found.low:.3g}, {found.high:.3g}] {unit}"
    return text.replace("-", "−")


def _document(found: list[Finding], runs: int, command: str) -> str:
    lines = [
        "# The article's claims, tested",
        "",
        f"Generated by `{command}`: {runs} runs an arm, all arms on the same draws; intervals are 95 % bootstrap intervals of the paired",
        "contrast: of its mean unless the claim says otherwise. A claim *holds* when the whole interval lies above the least effect that counts, *does not hold* when the whole interval lies",
        "below it, and is *not decided* when the interval contains both: more runs (`--scale`) may decide. All of it is about this model and its base, not about the world.",
        "",
        "| claim | verdict | effect |",
        "|---|---|---|",
    ]
    lines += [f"| [{f.claim.claim}](#{f.claim.key}) | {f.verdict} | {_effect(f)} |" for f in found]
    for f in found:
        c = f.claim
        words = {"holds": c.holds, "does not hold": c.fails}.get(
            f.verdict, "The interval contains effects that count and effects that do not."
        )
        arms = "; ".join(
            f"{label} {mean:.3g} [{low:.3g}, {high:.3g}]".replace("-", "−")
            for label, (mean, low, high) in f.arms.items()
        )
        lines += [
            "", f"<a id=\"{c.key}\"></a>", f"## {c.claim}", "", f"*{c.question}?*".replace("??", "?"), "",
            f"**{f.verdict[0].upper() + f.verdict[1:]}.** {words} Effect: {_effect(f)} (counts from {c.least:g}). {f.notes}".rstrip(), "",
            f"By arm ({c.arm_words}): {arms}.", "", f"![{c.measure}](images/claim_{c.key}.svg)",
        ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _draw(found: Finding) -> Figure:
    """Draw the arms with their intervals and the distribution of the contrast."""
    figure = Figure(figsize=(8.6, 1.7 + 0.22 * len(found.arms)), layout="constrained")
    one, two = figure.subplots(1, 2, width_ratios=[1.25, 1])
    labels = list(found.arms)
    for k, label in enumerate(labels):
        mean, low, high = found.arms[label]
        one.plot([low, high], [k, k], color=MUTED, lw=3, alpha=0.6)
        one.plot(mean, k, "o", color=BLUE if k else ORANGE, ms=7)
    one.set_yticks(range(len(labels)), labels)
    one.set_ylim(len(labels) - 0.5, -0.5)
    one.set_title(found.claim.arm_words, fontsize=9, loc="left", color=INK)
    if found.tails:
        for k, (label, sizes) in enumerate(found.tails.items()):
            x = np.sort(sizes)
            some = x >= 1.0
            two.step(
                x[some],
                100.0 * (1.0 - np.arange(len(x)) / len(x))[some],
                where="pre",
                color=BLUE if k else ORANGE,
                lw=1.6,
                label=label,
            )
        two.set(xscale="log", yscale="log")
        two.legend(frameon=False, fontsize=8, loc="lower left")
        for axis in (two.xaxis, two.yaxis):
            axis.set_major_formatter(lambda x, _: f"{x:g}")
        two.set_title("share of runs with a cascade of at least x agents, %", fontsize=9, loc="left", color=INK)
    else:
        two.hist(found.values[np.isfinite(found.values)], bins=31, color=BLUE, alpha=0.75)
        two.axvline(found.mean, color=RED, lw=2)
        two.axvspan(found.low, found.high, color=RED, alpha=0.2, lw=0)
        two.set_yscale("symlog", linthresh=1)
        two.set_ylim(bottom=0)
        two.yaxis.set_major_formatter(lambda y, _: f"{y:g}")
        two.set_title(
            f"contrast, {found.claim.unit}: runs; line and band: mean, 95 %", fontsize=9, loc="left", color=INK
        )
    for ax in (one, two):
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(color=GRID, lw=0.6)
        ax.set_axisbelow(True)
        ax.tick_params(labelsize=8)
    return figure
