"""The summary of a run: scalars a credit analyst asks for, each with unit and meaning."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from agents.tables.events import CAUSES
from agents.tables.loans import LoanStatus
from simulation.record.genealogy import cascades, tally
from simulation.world.world import World

#: More than this share of debt defaulting within three months is a systemic cascade.
SYSTEMIC_SHARE = 0.15


class Measure(NamedTuple):
    """A summary measure."""

    name: str
    unit: str
    meaning: str


SUMMARY = (
    Measure("months", "month", "months simulated"),
    Measure("defaults", "operators", "operators that defaulted"),
    Measure("defaults_neocloud", "operators", "of them neoclouds"),
    Measure("defaults_miner", "operators", "of them miners"),
    Measure("defaults_by_cause", "operators", "defaults by cause"),
    Measure("lender_failures", "lenders", "lenders that failed"),
    Measure("debt_peak", "USD", "largest GPU-backed debt"),
    Measure(
        "debt_all_peak", "USD", "largest debt of operators: GPU-backed loans, convertible notes, coin-backed loans"
    ),
    Measure("debt_miners_peak", "USD", "largest debt of miners"),
    Measure("issuance_2024", "USD", "GPU-backed loans drawn in the first twelve months"),
    Measure("issuance_2025", "USD", "GPU-backed loans drawn in the second twelve months"),
    Measure(
        "losses",
        "USD",
        "credit losses of all creditors, claims still open at their collateral, debt swapped for equity",
    ),
    Measure("hidden_peak", "USD", "largest hidden losses: secured debt above the going-concern value behind it"),
    Measure("waivers", "count", "covenants waived, loans extended, debts swapped"),
    Measure("loss_share", "ratio", "losses over the peak of all debt of operators, of which they are"),
    Measure("recovery", "ratio", "recovered on closed and open defaulted claims over the claims"),
    Measure("lgd", "ratio", "loss given default: one less recovery"),
    Measure("systemic", "flag", f"1 if more than {SYSTEMIC_SHARE:.0%} of debt defaulted within three months"),
    Measure("worst_bust_share", "ratio", "largest share of debt defaulting within three months"),
    Measure("worst_month", "month", "month in which that was reached"),
    Measure("cascades", "count", "cascades: trees of defaults and failures that caused each other"),
    Measure("cascade_mean", "agents", "mean size of a cascade"),
    Measure("cascade_max", "agents", "largest cascade"),
    Measure("cascade_depth", "generations", "longest chain of causes"),
    Measure("branching", "ratio", "share of defaults and failures caused by an earlier one"),
    Measure("turns_max", "rounds", "most rounds in a month"),
    Measure("discount_worst", "ratio", "deepest monthly fire-sale discount to fundamental, forced sales"),
    Measure("discount_mean", "ratio", "fire-sale discount over all forced sales, by value"),
    Measure("depth_before", "USD", "market depth, mean of the six months that end three months before the worst month"),
    Measure("depth_worst", "USD", "least depth from two months before to two after the worst month"),
    Measure("depth_fall", "ratio", "fall of depth between the two"),
    Measure("booked_ltv_before", "ratio", "booked LTV three months before the worst month"),
    Measure("executable_ltv_before", "ratio", "executable LTV three months before the worst month"),
    Measure("booked_ltv_worst", "ratio", "booked LTV at the worst month"),
    Measure("executable_ltv_worst", "ratio", "executable LTV at the worst month"),
    Measure("illusion_peak", "ratio", "largest booked over executable value of all collateral"),
    Measure("amplification", "ratio", "losses over losses of the same draws with prices and funding frozen"),
    Measure("credit_peak", "month", "month of the peak of new credit (three-month mean)"),
    Measure("compute_peak", "month", "month of the peak of running capacity"),
    Measure("lead", "month", "by how many months credit peaks before running capacity"),
    Measure("rent_end", "USD/perf-h", "rent of an H100-hour at the end"),
    Measure("price_end", "USD/GPU", "appraisal of the reference generation at the end"),
    Measure(
        "correlation",
        "ratio",
        "correlation of monthly log changes of bitcoin and of the reference generation's appraisal",
    ),
    Measure("unsold_peak", "USD", "largest stock of hardware that found no buyer"),
    Measure("withdrawn", "USD", "deposits that left lenders in runs and redemptions"),
    Measure("funding_calls", "calls", "funding calls and runs"),
    Measure("margin_calls", "calls", "margin calls"),
    Measure("forced_usd", "USD", "forced sales"),
    Measure("residual", "USD", "largest flow-of-funds residual"),
)


def open_claims(world: World) -> tuple[float, float]:
    """Return (claims, expected loss) of defaulted loans that are not settled at the horizon (USD)."""
    loans = world.loans.view(np.ndarray)[: world.clock["used_loans"][0]]
    open_ = loans["status"] == LoanStatus.DEFAULTED
    claims = loans["principal"][open_]
    short = np.maximum(0.0, claims - loans["collateral"][open_])
    return float(claims.sum()), float(short.sum())


def reference_row(world: World) -> int:
    """Return the row of the generation that summaries follow."""
    return int(world.chips.view(np.ndarray)["reference"].argmax())


def _correlation(world: World, months: int) -> float:
    """Return the correlation of log changes of bitcoin and of the reference generation's appraisal (nan if undefined)."""
    n_g = len(world.chips)
    if months < 4:
        return float("nan")
    price = world.chip_panel.view(np.ndarray)["appraisal"][reference_row(world) : months * n_g : n_g]
    both_prices = np.array([world.panel.view(np.ndarray)["btc"][:months], price])
    if both_prices.min() <= 0.0:
        return float("nan")
    logs = np.log(both_prices)
    changes = logs[:, 1:] - logs[:, :-1]
    # As np.corrcoef has it, which takes three times as long for two short rows.
    changes -= changes.mean(1)[:, None]
    (one, both), (_, two) = (changes @ changes.T * (1.0 / (months - 2))).tolist()
    if one == 0.0 or two == 0.0:
        return float("nan")
    return float(min(1.0, max(-1.0, both / math.sqrt(one) / math.sqrt(two))))


def summarise(world: World) -> dict[str, Any]:
    """Return the summary measures of a finished (or running) world; amplification is filled in by its twin."""
    # Plain arrays: columns of a np.recarray take twenty times as long to reach, and a sweep reads thousands of runs.
    clock, rows, chips = (table.view(np.ndarray) for table in (world.clock, world.panel, world.chips))
    months = int(clock["month"][0])
    rows = rows[:months]
    events = world.events[: clock["events"][0]]
    _, root, depth = cascades(events)
    causes = np.zeros(len(CAUSES), np.int64)
    defaults, failures, number, largest, deepest, caused = tally(
        events, root, depth, causes, np.zeros(len(events), np.int64)
    )
    claims, expected = open_claims(world)
    written, recovered = float(rows["losses"].sum()), float(rows["recoveries"].sum())
    defaulted_losses = written + expected
    losses = defaulted_losses + float(rows["forgiven"].sum())
    settled = written + recovered + claims
    # Without a default the state is described at the peak of debt.
    bust, debt, credit = rows["bust_share"], rows["debt"], rows["new_credit"]
    worst_share, peak = float(bust.max()), float(debt.max())
    all_peak = float((debt + rows["debt_convertible"] + rows["debt_margin"]).max())
    busted = worst_share > 0.0
    worst = int(bust.argmax() if busted else debt.argmax())
    before = max(0, worst - 3)
    depth_before = float(rows["depth_usd"][max(0, worst - 9) : max(1, worst - 3)].mean())
    depth_worst = float(rows["depth_usd"][max(0, worst - 2) : worst + 3].min())
    lead_credit = int(np.convolve(credit, np.ones(3) / 3, "same").argmax()) if months else 0
    compute_peak = int(rows["running"].argmax())
    forced = float(rows["forced_usd"].sum())
    return {
        "months": months,
        "defaults": defaults,
        "defaults_neocloud": int(rows["defaults_neocloud"].sum()),
        "defaults_miner": int(rows["defaults_miner"].sum()),
        "defaults_by_cause": {CAUSES[c]: n for c, n in enumerate(causes.tolist()) if n},
        "lender_failures": failures,
        "debt_peak": peak,
        "debt_all_peak": all_peak,
        "debt_miners_peak": float(rows["debt_miners"].max()),
        "issuance_2024": float(credit[:12].sum()),
        "issuance_2025": float(credit[12:24].sum()),
        "losses": losses,
        "hidden_peak": float(rows["hidden_losses"].max()),
        "waivers": int(rows["waivers"].sum()),
        "loss_share": losses / all_peak if all_peak > 0 else 0.0,
        "recovery": 1.0 - defaulted_losses / settled if settled > 1.0 else float("nan"),
        "lgd": defaulted_losses / settled if settled > 1.0 else float("nan"),
        "systemic": int(worst_share > SYSTEMIC_SHARE),
        "worst_bust_share": worst_share,
        "worst_month": worst if busted else -1,
        "cascades": number,
        "cascade_mean": (defaults + failures) / number if number else 0.0,
        "cascade_max": largest,
        "cascade_depth": deepest,
        "branching": caused / (defaults + failures) if number else 0.0,
        "turns_max": int(rows["turns"].max()),
        "discount_worst": float(rows["discount"].min()),
        "discount_mean": float((rows["discount"] * rows["forced_usd"]).sum()) / forced if forced > 0 else 0.0,
        "depth_before": depth_before,
        "depth_worst": depth_worst,
        "depth_fall": 1.0 - depth_worst / depth_before if depth_before > 0 else 0.0,
        "booked_ltv_before": float(rows["booked_ltv"][before]),
        "executable_ltv_before": float(rows["executable_ltv"][before]),
        "booked_ltv_worst": float(rows["booked_ltv"][worst]),
        "executable_ltv_worst": float(rows["executable_ltv"][worst]),
        "illusion_peak": float(rows["illusion"].max()),
        "amplification": float("nan"),
        "credit_peak": lead_credit,
        "compute_peak": compute_peak,
        "lead": compute_peak - lead_credit,
        "rent_end": float(rows["rent"][-1]),
        "price_end": float(chips["appraisal"][reference_row(world)]),
        "correlation": _correlation(world, months),
        "unsold_peak": float(rows["unsold_usd"].max()),
        "withdrawn": float(rows["withdrawn"].sum()),
        "funding_calls": int(rows["funding_calls"].sum()),
        "margin_calls": int(rows["margin_calls"].sum()),
        "forced_usd": forced,
        "residual": float(np.abs(rows["residual"]).max()),
    }
