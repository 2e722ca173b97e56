"""The claims of the article and those on contracts, lenders and their helpers, each with its arms.

An arm says what is changed of the base; a claim what is read of its arms, and what ought to be positive.

A new arm is an entry of a dictionary: a label and the parameters that it sets. A new claim is an entry of CLAIMS; if it
reads something new, that is a line in ``measures``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments.evidence.claims.measures import BLOCK, BLOCK_AFTER, BLOCK_MONTH, PRICES
from simulation.scenario.config import set_path
from simulation.scenario.faults import ConfigError, Fault
from simulation.scenario.scenario import Scenario

#: Values of the arms by label: runs, or runs x months where a claim reads prices.
Arms = dict[str, np.ndarray]


@dataclass(frozen=True)
class Level:
    """Leverage that is equal between two arms: as they stand, or by moving ``path`` of the last one."""

    words: str
    #: The measure whose mean is made equal; "" where the arms are equal as they stand.
    measure: str = ""
    path: str = "lenders.max_ltv"
    #: The least and the largest value that ``path`` may take.
    least: float = 0.2
    largest: float = 0.8


@dataclass(frozen=True)
class Claim:
    """One claim. ``arms`` map a label to changes of the base; ``contrast`` takes the arms' values, run by run, and
    gives what ought to be above zero if the claim holds; ``scale`` and ``unit`` bring it to words."""

    key: str
    claim: str
    question: str
    #: What is read, in words, and its unit after ``scale``.
    measure: str
    unit: str
    arms: dict[str, dict[str, Any]]
    contrast: Callable[[Arms], np.ndarray]
    scale: float
    #: The measure that is read, or PRICES.
    reads: str | tuple[str, ...]
    holds: str = ""
    fails: str = ""
    #: Effects smaller than this (in ``unit``) count as none, whatever their interval.
    least: float = 0.0
    #: Judge the mean of this share of the runs, the worst of each arm, instead of the mean of all; 0: of all.
    worst: float = 0.0
    #: What the arms are shown by, where that is not the measure: (words with unit, function of the arms).
    shown: tuple[str, Callable[[Arms], Arms]] | None = None
    #: A second measure whose tail is drawn by arm: the size of cascades.
    tail: str = ""
    #: Leverage that is equal between the arms.
    level: Level | None = None

    @property
    def arm_words(self) -> str:
        """What the arms are shown by, with its unit."""
        if self.shown:
            return self.shown[0]
        # The level of a share is in percent, its difference in points.
        return f"{self.measure}, {'%' if self.unit == 'points' and ' less ' not in self.measure else self.unit}"


def check_arms(claims: Iterable[Claim], base: Scenario) -> None:
    """Raise ConfigError with every arm that sets what the base does not have, or to what it cannot be."""
    faults: list[Fault] = []
    for claim in claims:
        for label, changes in claim.arms.items():
            try:
                set_path(base, changes)
            except ConfigError as error:
                faults += (Fault(f"claim {claim.key}, arm {label!r}", f.path, f.message) for f in error.faults)
    if faults:
        raise ConfigError(faults)


def _less(a: str, b: str) -> Callable[[Arms], np.ndarray]:
    return lambda arms: arms[a] - arms[b]


def _falls(arms: Arms) -> np.ndarray:
    """Return how far the price is below what it would have been, runs x months since the block (ratio)."""
    return 1.0 - arms["with"] / arms["without"]


def _half_lives(arms: Arms) -> np.ndarray:
    """Return the months until half of a fall is made good, run by run: 24 if it is not by then, nan without a fall."""
    falls = _falls(arms)
    back = falls <= 0.5 * falls[:, :1]
    months = np.where(back.any(1), back.argmax(1), BLOCK_AFTER).astype(float)
    return np.where(falls[:, 0] > 0.0, months, np.nan)


_COINS_OFF = {"drivers.coin.stress_drift": 0.0, "drivers.coin.stress_jump": 0.0, "drivers.coin.stress_volatility": 0.13}
_RENTS_OFF = {"drivers.demand.stress_drift": 0.03, "drivers.demand.stress_jump": 0.0}
_TOGETHER = {"drivers.regimes.coupling": 1.0}
_BACKSTOP: dict[str, dict[str, Any]] = {"none": {}, "$10bn": {"policy.backstop.capacity": 1.0e10}}
_BLOCK = {"drivers.block.month": BLOCK_MONTH, "drivers.block.units": BLOCK, "drivers.block.chip": "H100"}
_STRESS: dict[str, dict[str, Any]] = {"with stress": {}, "without stress": {"drivers.regimes.entry": 0.0}}
_SHORT, _LONG = "36 months", "120 months"


def _life(months: int) -> dict[str, Any]:
    """Return the changes that let every loan be repaid over ``months``, term loans and borrowing bases alike."""
    return {"lenders.life": float(months), "credit.term_months": float(months)}


#: Every equipment loan on a borrowing base with margin calls; and the whole of configs/scenarios/marked_to_market.yaml.
_MARGIN: dict[str, Any] = {"credit.term_contracts": 1.1, "credit.non_recourse": 0.0}
MARKED: dict[str, Any] = _MARGIN | {
    "credit.forbearance": False, "credit.cure_months": 0, "credit.cure_equity": 0.0, "credit.grace_months": 0,
    "market.receivership": 0.0, "market.search": "fixed", "market.due_diligence": 0.0, "marks.index_weight": 0.0,
}  # fmt: skip
_CONTRACTS: dict[str, dict[str, Any]] = {
    "as contracts are": {},
    "margin calls for all": _MARGIN,
    "marked to market": MARKED,
}
#: The vendor of configs/scenarios/vendor_backstop.yaml.
_VENDOR: dict[str, dict[str, Any]] = {
    "no vendor": {},
    "vendor": {"vendor.capacity": 3.6e10, "vendor.price": 0.79, "vendor.share": 0.25, "vendor.first": 20, "vendor.last": 99},
}  # fmt: skip
_SEIZED: dict[str, dict[str, Any]] = {"where it runs": {}, "out of the rack": {"market.receivership": 0.0}}
_PATIENCE: dict[str, dict[str, Any]] = {"they wait": {}, "they do not": {"credit.forbearance": False}}
_OWNERS: dict[str, dict[str, Any]] = {"they save firms": {}, "they do not": {"credit.cure_equity": 0.0}}
_CAPITAL: dict[str, dict[str, Any]] = {"it comes": {}, "it stays away": {"buyers.entry_speed": 0.0}}
_LISTENING: dict[str, dict[str, Any]] = {"off": {}, "on": {"customers.credit_feedback": 1.0}}


def _systemic(
    key: str,
    claim: str,
    question: str,
    arms: dict[str, dict[str, Any]],
    least: float,
    holds: str,
    fails: str,
    level: Level | None = None,
) -> Claim:
    """Return a claim on the probability of a systemic cascade: that of the last arm less that of the first."""
    first, *_, last = arms
    return Claim(
        key, claim, question, "probability of a systemic cascade", "points", arms, _less(last, first), 100.0, "systemic",
        holds=holds, fails=fails, least=least, level=level,
    )  # fmt: skip


CLAIMS = (
    Claim(
        "deflation", "Falling rents turn a prudent DSCR below one before the debt is repaid.",
        "How much more debt is at some time owed at a DSCR below one when rents deflate by 2 % a month?",
        "largest share of debt at a DSCR below one", "points", {"no deflation": {}, "deflation": {"drivers.demand.deflation": 0.02}},
        _less("deflation", "no deflation"), 100.0, "thin", least=1.0,
        holds="Deflation alone carries more of the debt below one.", fails="Deflation does not carry debt below one.",
    ),
    _systemic(
        "life", "Underwriting a short-lived good over ten years is what makes the system fragile, at equal peak debt.",
        "How much does the probability of a systemic cascade rise from an underwriting life of 36 to 120 months when both build the same debt",
        {_SHORT: _life(36) | {"lenders.max_ltv": 0.8}, _LONG: _life(120)}, 1.0,
        "At the same debt, slow amortisation by itself makes cascades more likely.", "At the same debt the tenor alone adds nothing.",
        level=Level("the mean of the peak of GPU-backed debt", "debt_peak"),
    ),
    _systemic(
        "life_ltv", "Underwriting a short-lived good over ten years is what makes the system fragile, at equal opening LTV.",
        "How much does that probability rise when both lend at the same advance rate, and the longer life lets debt grow",
        {_SHORT: _life(36) | {"lenders.max_ltv": 0.8}, _LONG: _life(120) | {"lenders.max_ltv": 0.8}}, 1.0,
        "At the same opening LTV long lives make cascades more likely: debt is repaid more slowly, and more of it stands.", "Even at the same opening LTV long lives do not make cascades more likely.",
        level=Level("the advance rate, the LTV on the day a loan is drawn"),
    ),
    Claim(
        "boom", "The boom of 2025 grows out of the agents' own rules.",
        "How much more is lent in 2025 than in 2024 when demand for compute does not grow?",
        "loans drawn in 2025 less 2024", "$bn", {"base": {}, "demand does not grow": {"drivers.demand.growth": [0.0]}},
        lambda arms: arms["demand does not grow"], 1e-9, "boom", least=0.5,
        holds="Lending rises without any growth of demand.", fails="Without growing demand lending does not rise: the boom of the base follows demand (see the other arm).",
    ),
    Claim(
        "debt", "Debt-financed failure spreads where equity-financed failure does not.",
        "How much larger is the largest cascade when chips are bought with debt than with equity?",
        "largest cascade", "agents", {"debt": {}, "equity": {"credit.initial_debt": 0.0, "lenders.max_ltv": 0.02, "credit.equity_speed": 0.6, "notes.size": 0.0}},
        _less("debt", "equity"), 1.0, "cascade_max", least=0.2,
        holds="Failures spread through debt.", fails="Failures do not spread further with debt.",
    ),
    Claim(
        "double", "Miners' double leverage makes both shocks together worse than their sum.",
        "Defaults of miners when coins and rents fall together, less those under each alone, plus those under neither",
        "defaults of miners", "miners",
        {"both": _TOGETHER, "coins only": _TOGETHER | _RENTS_OFF, "rents only": _TOGETHER | _COINS_OFF, "neither": _TOGETHER | _RENTS_OFF | _COINS_OFF},
        lambda arms: arms["both"] - arms["coins only"] - arms["rents only"] + arms["neither"], 1.0, "defaults_miner", least=0.02,
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
        "executable less booked LTV", "points", {"base": {}}, lambda arms: arms["base"], 100.0, "illusion", least=5.0,
        holds="What the bids would pay is far below the books, for the largest borrower alone.", fails="Books and bids agree.",
    ),
    Claim(
        "block", "Ten thousand seized H100s meet a market without depth.",
        "How far does a block of 10,000 H100s, sold in the thirtieth month, press the price below what it would have been (the price of a month is that of its trades, else the appraisal)?",
        "fall of the price", "%", {"without": {}, "with": _BLOCK}, lambda arms: 100.0 * _falls(arms)[:, 0], 1.0, PRICES, least=2.0,
        holds="The market takes them only at a price well below.", fails="The market takes them at about the price that it had.",
        shown=("price in the month of the block, USD", lambda arms: {label: prices[:, 0] for label, prices in arms.items()}),
    ),
    Claim(
        "block_recovery", "The price does not come back within a quarter.",
        "How many months pass until half of that fall is made good (24 where it is not by then, runs without a fall left out)?",
        "months to recover half", "months", {"without": {}, "with": _BLOCK}, _half_lives, 1.0, PRICES, least=3.0,
        holds="The block weighs on the price for longer than a quarter.", fails="Half of the fall is made good within a quarter: the block is a dent, not a new level.",
        shown=("price below what it would have been, %", lambda arms: {words: 100.0 * _falls(arms)[:, k] for words, k in (("at once", 0), ("a month later", 1), ("3 months later", 3), ("6 months later", 6), ("12 months later", 12), ("24 months later", 24))}),
    ),
    Claim(
        "block_unsold", "A year later part of the block has found no buyer.",
        "Which share of the block is not sold after twelve months?",
        "share not sold", "%", {"with": _BLOCK}, lambda arms: arms["with"], 100.0, "block_unsold", least=5.0,
        holds="A year does not suffice to place them.", fails="Sold without a reserve, all of it finds a buyer within a year.",
    ),
    Claim(
        "repo", "Lenders' repo vanishes when marks become uncertain.",
        "How many more lenders fail when haircuts rise with volatility and unsold stock than when they stay?",
        "lenders failed", "lenders", {"haircuts rise": {}, "haircuts stay": {"policy.haircut_relief": 1.0}},
        _less("haircuts rise", "haircuts stay"), 1.0, "lender_failures", least=0.02,
        holds="Rising haircuts bring lenders down.", fails="Rising haircuts do not bring more lenders down.",
    ),
    Claim(
        "cooling", "Liquid cooling and rack power keep buyers out.",
        "How much larger is the peak of unsold hardware when buyers' racks are as they are, against racks that all chips fit into and four times the power?",
        "peak of unsold hardware", "$m", {"as they are": {}, "no limit": {"buyers.convertible_share": 1.0, "buyers.conversion": 0.0, "buyers.power_scale": 4.0}},
        _less("as they are", "no limit"), 1e-6, "unsold_peak", least=1.0,
        holds="Where chips fit matters: more stays unsold.", fails="Power and cooling leave no more unsold.",
    ),
    Claim(
        "obsolescence", "Blackwell and Rubin age the old chips.",
        "How much lower is the value in use of an H100 after four years because B200, GB300 and Rubin came?",
        "value in use of an H100", "$", {"they come": {}, "they do not": {"chips.B200.release": 900, "chips.GB300.release": 900, "chips.Rubin.release": 900, "chips.H200.end_of_sale": 900}},
        _less("they do not", "they come"), 1.0, "old_chip", least=100.0,
        holds="New generations take value from the old ones, through the rent.", fails="New generations do not lower the value of the old ones.",
    ),
    Claim(
        "lender_of_last_resort", "Without a buyer of last resort losses are larger.",
        "How much lower are losses with a backstop of $10bn?",
        "credit losses", "$bn", _BACKSTOP, _less("none", "$10bn"), 1e-9, "losses", least=0.05,
        holds="The backstop cuts losses. How large it must be: configs/sweeps/backstop.yaml.", fails="The backstop does not cut losses.",
    ),
    Claim(
        "tail", "Without a buyer of last resort the worst outcomes are worse.",
        "How much lower are losses over peak debt in the worst 5 % of runs (expected shortfall) with a backstop of $10bn?",
        "losses over peak debt, worst 5 % of runs", "points", _BACKSTOP, _less("none", "$10bn"), 100.0, "loss_share", least=1.0, worst=0.05,
        holds="The backstop cuts the tail, not only the mean.", fails="The backstop does not cut the tail.",
        tail="cascade_max",
    ),
    _systemic(
        "marked", "Marked to market, and with nobody who waits, the system is fragile.",
        "How much does the probability of a systemic cascade rise when every equipment loan is marked to market and called within the month, nobody waits and what is seized is carried off, against loans as contracts have them",
        _CONTRACTS, 1.0,
        "Marked to market, and with nobody who waits, the same market breaks more often; how much of it margin calls alone make is told by arm.", "Marking everybody to market makes systemic cascades no likelier.",
    ),
    Claim(
        "marked_losses", "Marked to market, creditors lose more.",
        "How much larger are credit losses when everybody is marked to market, nobody waits and what is seized is carried off?",
        "credit losses", "$bn", _CONTRACTS, _less("marked to market", "as contracts are"), 1e-9, "losses", least=0.05,
        holds="Creditors lose more when everybody is marked to market.", fails="Creditors lose no more when everybody is marked to market.",
    ),
    Claim(
        "margin", "Margin covenants alone make defaults.",
        "How many more operators default when every equipment loan has margin calls and nothing else changes?",
        "operators in default", "operators", _CONTRACTS, _less("margin calls for all", "as contracts are"), 1.0, "defaults", least=0.1,
        holds="Margin covenants bring down borrowers that term loans on contracted cash flow leave alone.", fails="Margin covenants alone bring down no more borrowers.",
    ),
    Claim(
        "seizure", "What is sold where it runs brings lenders more than what is carried off.",
        "How much larger are credit losses when seized hardware leaves its rack and stands idle until it is sold?",
        "credit losses", "$bn", _SEIZED, _less("out of the rack", "where it runs"), 1e-9, "losses", least=0.05,
        holds="Receivers and sales in place save creditors money.", fails="Receivers and sales in place save creditors nothing that counts.",
    ),
    Claim(
        "seizure_lgd", "Carried off, a seized chip recovers less of the claim on it.",
        "How much larger is the loss given default when seized hardware leaves its rack (runs with defaults in both arms)?",
        "loss given default", "points", _SEIZED, _less("out of the rack", "where it runs"), 100.0, "lgd", least=2.0,
        holds="Out of the rack lenders recover less.", fails="Out of the rack lenders recover as much.",
    ),
    Claim(
        "patience", "Lenders that wait keep borrowers alive.",
        "How many more operators default when no lender ever waives, extends or swaps?",
        "operators in default", "operators", _PATIENCE, _less("they do not", "they wait"), 1.0, "defaults", least=0.1,
        holds="Patience keeps borrowers from default.", fails="Patience keeps no borrowers from default.",
    ),
    Claim(
        "patience_losses", "Lenders that wait lose less.",
        "How much larger are credit losses, debt swapped for equity among them, when no lender ever waits?",
        "credit losses", "$bn", _PATIENCE, _less("they do not", "they wait"), 1e-9, "losses", least=0.05,
        holds="Waiting pays for lenders as a whole.", fails="Waiting saves lenders nothing that counts.",
    ),
    Claim(
        "pretend", "Waiting hides losses.",
        "How much more secured debt stands at some time above the going-concern value of what secures it when lenders wait?",
        "largest hidden losses", "$bn", _PATIENCE, _less("they wait", "they do not"), 1e-9, "hidden_peak", least=0.05,
        holds="Extending pretends: where lenders wait more debt stands above what it is worth.", fails="Where lenders wait no more debt stands above what it is worth.",
    ),
    Claim(
        "owners", "Owners that save their firms keep them from default.",
        "How many more operators default when no owner puts in what is missing?",
        "operators in default", "operators", _OWNERS, _less("they do not", "they save firms"), 1.0, "defaults", least=0.1,
        holds="Owners' money keeps borrowers from default.", fails="Owners' money keeps no borrowers from default.",
    ),
    Claim(
        "capital", "Outside capital that comes late still makes fire sales dearer.",
        "How much less deep is the discount of forced sales to value in use when outside capital may come?",
        "fire-sale discount", "points", _CAPITAL, _less("it comes", "it stays away"), 100.0, "discount_mean", least=1.0,
        holds="Outside capital lifts prices in forced sales.", fails="Outside capital does not lift prices in forced sales.",
    ),
    Claim(
        "capital_losses", "Outside capital saves creditors money.",
        "How much larger are credit losses when outside capital stays away?",
        "credit losses", "$bn", _CAPITAL, _less("it stays away", "it comes"), 1e-9, "losses", least=0.05,
        holds="Without outside capital creditors lose more.", fails="Without outside capital creditors lose no more.",
    ),
    Claim(
        "vendor", "A vendor that pays for idle hours saves borrowers.",
        "How many fewer operators default when a vendor pays for idle hours (configs/scenarios/vendor_backstop.yaml)?",
        "operators in default", "operators", _VENDOR, _less("no vendor", "vendor"), 1.0, "defaults", least=0.1,
        holds="The vendor keeps borrowers from default.", fails="The vendor keeps no borrowers from default.",
    ),
    Claim(
        "vendor_losses", "A vendor that pays for idle hours saves creditors.",
        "How much lower are credit losses?",
        "credit losses", "$bn", _VENDOR, _less("no vendor", "vendor"), 1e-9, "losses", least=0.05,
        holds="The vendor cuts creditors' losses.", fails="The vendor does not cut creditors' losses.",
    ),
    Claim(
        "vendor_bears", "What the vendor pays is more than what it saves creditors.",
        "How much more do vendor and creditors bear together with the vendor than creditors alone without it?",
        "credit losses and payments of the vendor", "$bn", _VENDOR, _less("vendor", "no vendor"), 1e-9, "borne", least=0.05,
        holds="The vendor pays more than creditors are spared: the rest goes to those who own idle chips.", fails="The vendor pays no more than it saves creditors.",
    ),
    _systemic(
        "feedback", "Customers that live on the same credit make busts likelier.",
        "How much does the probability of a systemic cascade rise when AI labs renew less as new GPU-backed credit falls, in proportion",
        _LISTENING, 0.5,
        "Customers financed by the same optimism make cascades more likely.", "That AI labs renew less when credit closes makes cascades no likelier.",
    ),
    Claim(
        "feedback_losses", "Customers that live on the same credit make losses larger.",
        "How much larger are credit losses when AI labs renew less as new GPU-backed credit falls, in proportion?",
        "credit losses", "$bn", _LISTENING, _less("on", "off"), 1e-9, "losses", least=0.05,
        holds="The loop from credit to customers and back costs creditors money.", fails="The loop from credit to customers and back costs creditors nothing that counts.",
    ),
    Claim(
        "lead", "Credit turns before technology.",
        "By how many months does the peak of new credit come before the peak of running capacity, with the stresses of the base?",
        "lead of credit", "months", _STRESS, lambda arms: arms["with stress"], 1.0, "lead", least=1.0,
        holds="Credit peaks first.", fails="Credit does not peak first.",
    ),
    Claim(
        "lead_calm", "Credit turns before technology, without any stress.",
        "By how many months does it come before when no stress of coins or of demand ever begins",
        "lead of credit", "months", _STRESS, lambda arms: arms["without stress"], 1.0, "lead", least=1.0,
        holds="Credit peaks first even in calm: the lead is no sign of stress.", fails="In calm credit does not peak first: the lead of the base is the work of stress.",
    ),
)  # fmt: skip
