"""Lenders: banks, private-credit funds, insurers, warehouse-funded funds, crypto lenders, outside investors."""

from __future__ import annotations

from enum import IntEnum

from agents.rule import rule
from agents.schema import Table, code, f, i, labels


class LenderKind(IntEnum):
    """Kinds of lender."""

    BANK = 0
    PRIVATE_CREDIT = 1
    INSURER = 2
    BDC = 3
    CRYPTO_LENDER = 4
    OUTSIDE = 5


class LenderStatus(IntEnum):
    """States of a lender."""

    ACTIVE = 0
    ILLIQUID = 1
    FAILED = 2


LENDER_KINDS = labels(LenderKind)


LENDER = Table(
    "lenders",
    "Who lends to operators and to other lenders. The last row is the outside investors: they hold convertibles, "
    "buy the books of failed lenders, never lend secured and pay everything out.",
    (
        code("kind", "kind of lender", LenderKind, given=True),
        code("status", "state", LenderStatus),
        f("cash", "USD", "cash", given=True),
        f("deposits", "USD", "deposits, policies or redeemable fund units owed outside", given=True),
        f("borrowed", "USD", "drawn on warehouse lines from other lenders"),
        f("lent_lines", "USD", "drawn by other lenders on lines it provides"),
        f("book", "USD", "claims on operators, defaulted ones included"),
        f("allowance", "USD", "loss allowance against the book"),
        f("seized_value", "USD", "own mark of seized hardware"),
        f("seized_claim", "USD", "carrying value of seized hardware: its mark, claim by claim at most the claim"),
        f("idle_value", "USD", "the same of what stands idle: no receiver runs it"),
        f("seized_units", "GPU", "seized hardware held"),
        f("equity", "USD", "assets less liabilities at own marks", given=True),
        f("capital_ratio", "ratio", "equity over assets"),
        f("max_ltv", "ratio", "advance rate: loan over cost at origination, in calm times", given=True),
        f("min_dscr", "ratio", "least projected debt-service coverage", given=True),
        f("spread", "1/year", "credit spread over the base rate", given=True),
        f("life", "month", "underwriting life of the collateral", given=True),
        f(
            "mark_to_market",
            "share",
            "weight of the appraisal in its mark (0 mark to model, 1 mark to market)",
            given=True,
        ),
        f("capital_target", "ratio", "capital ratio it aims at", given=True),
        f("capital_minimum", "ratio", "capital ratio below which it stops lending", given=True),
        f("patience", "ratio", "reserve price of seized hardware over its mark, when fresh", given=True),
        f("name_limit", "ratio", "largest exposure to one borrower over equity and deposits", given=True),
        f("runnable", "share", "share of deposits that can leave at notice", given=True),
        f(
            "run_speed",
            "1/month",
            "share of runnable deposits that leaves a month when the capital ratio is at half its target",
            given=True,
        ),
        f("rationing", "elasticity", "cut of the advance rate for a year's losses as a share of the book", given=True),
        f("advance_rate", "ratio", "advance rate offered now"),
        f("losses_year", "USD", "losses of the last twelve months (exponentially weighted), allowances included"),
        f(
            "losses",
            "USD",
            "lost for good since the start: written off, swapped, sold below the claim, not repaid by a failed lender",
        ),
        f("passed", "USD", "losses passed on when it failed: what depositors, policyholders and investors did not get"),
        f("passed_lines", "USD", "the same to the lenders of its lines"),
        f("losses_month", "USD", "losses recognised since it last set its terms, allowances included"),
        f("lent_month", "USD", "new commitments this month"),
        f("committed", "USD", "undrawn commitments"),
        f("left_month", "USD", "deposits that left this month"),
        f("run_share", "share", "share of runnable deposits that asked to leave this month"),
        f("open_equity", "USD", "equity when the month opened"),
        f("call_due", "USD", "funding calls due this round"),
        f("eligible", "USD", "performing secured claims, each up to its collateral: what lines are drawn against"),
        i("call_event", "event", "the last funding call or run, -1 none", -1),
        i("failed_month", "month", "month of failure, -1 alive", -1),
        i("loss_event", "event", "event of the largest loss so far this month, -1 none", -1),
        f("loss_event_usd", "USD", "size of that loss"),
        i("last_event", "event", "last event of this lender, -1 none", -1),
    ),
)


@rule
def lose(lender, usd):
    """Book what is lost for good (USD): once, where it is lost.

    Losses of a month = what is lost for good + change of (allowance - carrying value of seized hardware). The second
    part is booked where allowances are set (agents.lenders.marks.provide), so that a claim provided for before costs
    nothing more when it is written off.
    """
    lender.losses += usd
    lender.losses_month += usd


@rule
def note_loss(lender, usd, event):
    """Remember the event of the month's largest loss (USD); it books nothing."""
    if usd > lender.loss_event_usd:
        lender.loss_event_usd = usd
        lender.loss_event = event
