"""Measures of credit: how often it fails and what that costs, who bears it, when lending stops, why borrowers default."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from agents.tables.events import CAUSES, Cause, EventKind
from agents.tables.lenders import LENDER_KINDS, LenderKind
from experiments.economics.measure import Aim, Measure, Pairs, Played, pair
from experiments.economics.record import recorded
from simulation.record.summary import open_claims
from simulation.scenario.scenario import Scenario
from simulation.words import calendar

_BN = 1e-9
#: Months to which the record of lending without a gap refers: the first two years, and without the first deliveries.
_RECORDED = 24
_FIRST_DELIVERIES = 4
#: Gaps: what the record allows at most, and what is told as long (months).
_SHORT_GAP, _LONG_GAP = 3, 6
#: Less than this is no loan (USD).
_LOAN = 1.0
#: Causes that operators default for. A customer that fails and a contract that runs out are causes of contracts that
#: end: they stand behind a default as the event that it names (see :func:`after_contract`).
_OWN_CAUSES = (
    Cause.CASH_FLOW, Cause.LTV, Cause.DSCR, Cause.MATURITY, Cause.BITCOIN_MARGIN, Cause.LENDER_FAILURE,
)  # fmt: skip
#: Why a contract ended that led to a default, in words.
_CONTRACT_CAUSES = {Cause.CUSTOMER_FAILURE: "a customer failed", Cause.EXPIRY: "contracts ran out"}
#: Who stands behind the debt of each kind of lender.
_FUNDERS = {
    LenderKind.BANK: "depositors of banks", LenderKind.PRIVATE_CREDIT: "investors of private-credit funds",
    LenderKind.INSURER: "policyholders of insurers", LenderKind.BDC: "noteholders of warehouse-funded funds",
    LenderKind.CRYPTO_LENDER: "depositors of crypto lenders",
}  # fmt: skip


def _summary(name: str, scale: float = 1.0) -> Callable[[Played], Pairs]:
    return lambda run: pair(scale * float(run.summary[name]))


def loss_given_default(run: Played) -> Pairs:
    """Return losses over the claims in default: written off, recovered, and still open (USD)."""
    claims, _ = open_claims(run.world)
    settled = float(run.panel["losses"].sum() + run.panel["recoveries"].sum()) + claims
    return pair(float(run.summary["losses"]), settled)


def longest_gap(flow: np.ndarray) -> int:
    """Return the longest stretch of months in which ``flow`` (USD by month) holds no loan."""
    edges = np.flatnonzero(np.concatenate([[True], flow > _LOAN, [True]]))
    return int(np.diff(edges).max() - 1)


def gap(run: Played, first: int) -> int:
    """Return the longest gap without a loan drawn, from month ``first`` to the end of the second year (months)."""
    return longest_gap(run.panel["new_credit"][first:_RECORDED])


def _gap_from(first: int) -> Callable[[Played], Pairs]:
    return lambda run: pair(gap(run, first))


def _long_gap_from(first: int) -> Callable[[Played], Pairs]:
    return lambda run: pair(float(gap(run, first) >= _LONG_GAP))


def defaults(run: Played) -> np.ndarray:
    """Return the events of default."""
    return run.events[run.events["kind"] == EventKind.DEFAULT]


def caused_by(cause: int) -> Callable[[Played], Pairs]:
    """Read how many defaults have a cause, over all defaults."""
    return lambda run: pair(float((defaults(run)["cause"] == cause).sum()), len(defaults(run)))


def after_contract(cause: int) -> Callable[[Played], Pairs]:
    """Read how many defaults name a contract that ended for ``cause`` as what led to them, over all defaults."""

    def read(run: Played) -> Pairs:
        fallen = defaults(run)
        # Without a parent (-1) the last event is looked at, and not counted.
        before = run.events[fallen["parent"]]
        ended = (fallen["parent"] >= 0) & (before["kind"] == EventKind.CONTRACT_ENDED) & (before["cause"] == cause)
        return pair(float(ended.sum()), len(fallen))

    return read


def given_up(run: Played) -> Pairs:
    """Return the debt on vehicles that firms gave up to go on (USD bn)."""
    return pair(_BN * float(run.events["usd"][run.events["kind"] == EventKind.SURRENDER].sum()))


def put_in(run: Played) -> Pairs:
    """Return what owners put in to save firms that would have failed (USD bn)."""
    return pair(_BN * float(run.events["usd"][run.events["kind"] == EventKind.EQUITY_CURE].sum()))


def sound_exposure(run: Played) -> Pairs:
    """Return the debt at default of operators whose trailing DSCR was at least one then, over all debt at default (USD).

    The DSCR of an operator is not computed any more once it has defaulted.
    """
    fallen = defaults(run)
    dscr = run.world.operators["dscr"][fallen["node"] - len(run.world.lenders)]
    return pair(float(fallen["usd"][dscr >= 1.0].sum()), float(fallen["usd"].sum()))


def fatal_calls(run: Played) -> np.ndarray:
    """Return (sum called, debt at default) of every default by LTV that a margin call led to (USD, a row each)."""
    fallen = defaults(run)
    fallen = fallen[(fallen["cause"] == Cause.LTV) & (fallen["parent"] >= 0)]
    call = run.events[fallen["parent"]]
    fatal = call["kind"] == EventKind.MARGIN_CALL
    return np.c_[call["usd"][fatal], fallen["usd"][fatal]].astype(float)


def _sums_called(run: Played) -> Pairs:
    called = 1e-6 * fatal_calls(run)[:, 0]
    return np.c_[called, np.ones(len(called))]


def failed(kind: int) -> Callable[[Played], Pairs]:
    """Read how many lenders of a kind failed."""

    def read(run: Played) -> Pairs:
        nodes = run.events["node"][run.events["kind"] == EventKind.LENDER_FAILURE]
        return pair(float((run.world.lenders["kind"][nodes] == kind).sum()))

    return read


def spared(run: Played) -> Pairs:
    """Return whether no lender failed, in systemic runs alone."""
    systemic = float(run.summary["systemic"])
    return pair(systemic * float(run.summary["lender_failures"] == 0), systemic)


def lost_by(kind: int) -> Callable[[Played], Pairs]:
    """Read the credit losses that lenders of a kind have written off (USD bn)."""
    return lambda run: pair(_BN * float(run.world.lenders["losses"][run.world.lenders["kind"] == kind].sum()))


def borne_by_owners(run: Played) -> Pairs:
    """Return the credit losses of lenders that their own equity bore (USD bn), outside investors left out."""
    last = run.kinds[-1][: LenderKind.OUTSIDE]
    return pair(_BN * float((last["losses"] - last["passed"] - last["passed_lines"]).sum()))


def _passed_to(kind: int) -> Callable[[Played], Pairs]:
    return lambda run: pair(_BN * float(run.kinds[-1]["passed"][kind]))


def _passed_on_lines(run: Played) -> Pairs:
    return pair(_BN * float(run.kinds[-1]["passed_lines"][: LenderKind.OUTSIDE].sum()))


def _of_outsiders(run: Played) -> Pairs:
    return pair(_BN * float(run.kinds[-1]["losses"][LenderKind.OUTSIDE]))


def _risk() -> list[Measure]:
    group = "Risk and losses"
    m = Measure
    return [
        m("systemic", group, "systemic cascade", "share", "runs in which more than 15 % of debt defaults within three months", _summary("systemic")),
        m("worst_bust", group, "worst bust share", "share", "largest share of debt that defaults within three months", _summary("worst_bust_share")),
        m("defaults", group, "defaults", "operators", "operators that default", _summary("defaults")),
        m("losses", group, "credit losses", "USD bn", "of all creditors, open claims at their collateral", _summary("losses", _BN)),
        m("loss_share", group, "losses over peak debt", "share", "credit losses over the peak of all debt of operators", _summary("loss_share")),
        m("hidden_losses", group, "hidden losses", "USD bn", "largest, over months, of secured debt above the going-concern value of what secures it", lambda run: pair(_BN * float(run.panel["hidden_losses"].max()))),
        m("lgd", group, "loss given default", "share", "losses over claims in default: written off, recovered and open; aim: recoveries of loans on rigs in 2022-23", loss_given_default, aim=Aim(1.0 - recorded("greenidge_recovery"), 1.0 - recorded("asic_loan_recovery_band_low"))),
    ]  # fmt: skip


def _said(name: str) -> str:
    return "outside investors" if name == "outside" else name.replace("_", " ")


def _who() -> list[Measure]:
    group = "Who fails, who bears it"
    return [
        *(
            Measure(f"failed.{name}", group, f"failed: {_said(name)}", "lenders", f"lenders of the kind {_said(name)} that fail", failed(kind))
            for kind, name in enumerate(LENDER_KINDS) if kind != LenderKind.OUTSIDE
        ),
        Measure("spared", group, "no lender fails", "share", "of systemic runs: those in which no lender fails", spared),
        *(
            Measure(f"lost.{name}", group, f"written off: {_said(name)}", "USD bn", f"credit losses written off by lenders of the kind {_said(name)}", lost_by(kind))
            for kind, name in enumerate(LENDER_KINDS)
        ),
        Measure("borne.owners", group, "borne by owners", "USD bn", "credit losses that the equity of lenders bore: all less what the failed passed on", borne_by_owners),
        *(
            Measure(f"borne.{LENDER_KINDS[kind]}", group, f"borne by {who}", "USD bn", f"credit losses passed on to {who} that failed", _passed_to(kind))
            for kind, who in _FUNDERS.items()
        ),
        Measure("borne.lines", group, "borne by warehouse banks", "USD bn", "credit losses passed on to the lenders of warehouse lines", _passed_on_lines),
        Measure("borne.outside", group, "borne by outside investors", "USD bn", "credit losses on notes and on books bought of failed lenders", _of_outsiders),
    ]  # fmt: skip


def _why() -> list[Measure]:
    group = "Why borrowers default"
    return [
        *(
            Measure(f"cause.{CAUSES[cause]}", group, f"by {_said(CAUSES[cause])}", "share", "defaults with this cause over all defaults", caused_by(cause))
            for cause in _OWN_CAUSES
        ),
        *(
            Measure(f"after.{CAUSES[cause]}", group, f"after {what}", "share", f"defaults that name contracts which ended because {what} as what led to them, over all defaults", after_contract(cause))
            for cause, what in _CONTRACT_CAUSES.items()
        ),
        Measure("given_up", group, "vehicles given up", "USD bn", "debt on vehicles alone whose hardware a firm hands to its lenders to go on: no default of the firm", given_up),
        Measure("cures", group, "put in by owners", "USD bn", "what owners put in to save firms that would have failed", put_in),
        Measure("sound_exposure", group, "exposure that covers its debt service", "share", "debt at default of operators with a trailing DSCR of at least one over all debt at default", sound_exposure),
        Measure("fatal_call", group, "fatal margin call over debt", "share", "sum called over the borrower's debt, where an unmet margin call ends in default", fatal_calls, of="fatal call"),
        Measure("fatal_call_usd", group, "fatal margin call", "USD m", "the sum called", _sums_called, of="fatal call"),
    ]  # fmt: skip


def _drawn(year: int) -> Callable[[Played], Pairs]:
    return lambda run: pair(_BN * float(run.panel["new_credit"][12 * year : 12 * year + 12].sum()))


def _lending(scenario: Scenario) -> list[Measure]:
    group = "Lending"
    lead = "months by which the peak of new credit (three-month mean) comes before that of running capacity"
    # What is ordered in the first month is delivered, and its loan drawn, only then. Without two years there is no such gap.
    gaps = [*_gaps(group, 0, None), *_gaps(group, _FIRST_DELIVERIES, Aim(0.0, _SHORT_GAP, "median"))]
    return [
        *(
            Measure(f"drawn.{year + 1}", group, f"loans drawn to {calendar(scenario.run.start, 12 * year + 11)}", "USD bn", "GPU-backed loans drawn in the twelve months", _drawn(year))
            for year in range(scenario.run.months // 12)
        ),
        *(gaps if scenario.run.months >= _RECORDED else []),
        Measure("lead", group, "lead of credit", "months", lead, _summary("lead")),
        Measure("lead.calm", group, "lead of credit without stress", "months", f"the same without any stress: {lead}", _summary("lead"), arm="calm"),
    ]  # fmt: skip


def _gaps(group: str, first: int, aim: Aim | None) -> list[Measure]:
    name = f"months {first}-{_RECORDED - 1}"
    return [
        Measure(f"gap.{first}", group, f"longest gap, {name}", "months", "months in a row without a loan drawn", _gap_from(first), aim=aim),
        Measure(f"gap_long.{first}", group, f"gap of {_LONG_GAP} or more, {name}", "share", f"runs with {_LONG_GAP} months or more in a row without a loan drawn", _long_gap_from(first)),
    ]  # fmt: skip


def measures(scenario: Scenario) -> list[Measure]:
    """Return the measures of credit for a scenario."""
    return [*_risk(), *_who(), *_why(), *_lending(scenario)]
