"""The summary of a run: scalars a credit analyst asks for, each with unit and meaning."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from agents.contracts import DEFAULTED
from agents.ledger import CAUSES, E_DEFAULT, E_LENDER_FAILURE
from simulation.genealogy import cascades
from simulation.world import World

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
    Measure("debt_miners_peak", "USD", "largest debt of miners"),
    Measure("issuance_2024", "USD", "GPU-backed loans drawn in the first twelve months"),
    Measure("issuance_2025", "USD", "GPU-backed loans drawn in the second twelve months"),
    Measure("losses", "USD", "credit losses of all creditors, claims still open at their collateral"),
    Measure("loss_share", "ratio", "losses over the peak of GPU-backed debt"),
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
    Measure("correlation", "ratio", "correlation of monthly log changes of bitcoin and of the reference generation's appraisal"),
    Measure("unsold_peak", "USD", "largest stock of hardware that found no buyer"),
    Measure("withdrawn", "USD", "deposits that left lenders in runs and redemptions"),
    Measure("funding_calls", "calls", "funding calls and runs"),
    Measure("margin_calls", "calls", "margin calls"),
    Measure("forced_usd", "USD", "forced sales"),
    Measure("residual", "USD", "largest flow-of-funds residual"),
)


def open_claims(world: World) -> tuple[float, float]:
    """Return (claims, expected loss) of defaulted loans that are not settled at the horizon (USD)."""
    loans = world.loans[: world.clock[0].used_loans]
    open_ = loans[loans.status == DEFAULTED]
    short = np.maximum(0.0, open_.principal - open_.collateral)
    return float(open_.principal.sum()), float(short.sum())


def _correlation(world: World, months: int) -> float:
    """Return the correlation of log changes of bitcoin and of the second generation's appraisal (nan if undefined)."""
    n_g = len(world.chips)
    if months < 4:
        return float("nan")
    price = world.chip_panel.appraisal[: months * n_g].reshape(-1, n_g)[:, min(1, n_g - 1)]
    changes = np.diff(np.log([world.panel.btc[:months], price]))
    if (changes.std(1) == 0).any():
        return float("nan")
    return float(np.corrcoef(changes)[0, 1])


def summarise(world: World) -> dict[str, Any]:
    """Return the summary measures of a finished (or running) world; amplification is filled in by its twin."""
    clock = world.clock[0]
    months = int(clock.month)
    rows = world.panel[:months]
    events = world.events[: clock.events]
    near, root, depth = cascades(events)
    bad = root >= 0
    sizes = np.unique(root[bad], return_counts=True)[1] if bad.any() else np.zeros(0, int)
    defaults = events.kind == E_DEFAULT
    causes = events.cause[defaults]
    claims, expected = open_claims(world)
    written, recovered = float(rows.losses.sum()), float(rows.recoveries.sum())
    losses = written + expected
    settled = written + recovered + claims
    # Without a default the state is described at the peak of debt.
    busted = rows.bust_share.max() > 0.0
    worst = int(rows.bust_share.argmax() if busted else rows.debt.argmax())
    quiet = rows[max(0, worst - 9) : max(1, worst - 3)]
    near_worst = rows[max(0, worst - 2) : worst + 3]
    before = rows[max(0, worst - 3)]
    lead_credit = np.convolve(rows.new_credit, np.ones(3) / 3, "same").argmax() if months else 0
    forced = rows.forced_usd.sum()
    peak = float(rows.debt.max())
    depth_before, depth_worst = float(quiet.depth_usd.mean()), float(near_worst.depth_usd.min())
    return {
        "months": months,
        "defaults": int(defaults.sum()),
        "defaults_neocloud": int(rows.defaults_neocloud.sum()),
        "defaults_miner": int(rows.defaults_miner.sum()),
        "defaults_by_cause": {CAUSES[c]: int((causes == c).sum()) for c in np.unique(causes)},
        "lender_failures": int((events.kind == E_LENDER_FAILURE).sum()),
        "debt_peak": peak,
        "debt_miners_peak": float(rows.debt_miners.max()),
        "issuance_2024": float(rows.new_credit[:12].sum()),
        "issuance_2025": float(rows.new_credit[12:24].sum()),
        "losses": losses,
        "loss_share": losses / peak if peak > 0 else 0.0,
        "recovery": 1.0 - losses / settled if settled > 1.0 else float("nan"),
        "lgd": losses / settled if settled > 1.0 else float("nan"),
        "systemic": int(rows.bust_share.max() > SYSTEMIC_SHARE),
        "worst_bust_share": float(rows.bust_share.max()),
        "worst_month": worst if busted else -1,
        "cascades": len(sizes),
        "cascade_mean": float(sizes.mean()) if len(sizes) else 0.0,
        "cascade_max": int(sizes.max()) if len(sizes) else 0,
        "cascade_depth": int(depth[bad].max()) if bad.any() else 0,
        "branching": float((depth[bad] > 0).mean()) if bad.any() else 0.0,
        "turns_max": int(rows.turns.max()),
        "discount_worst": float(rows.discount.min()),
        "discount_mean": float((rows.discount * rows.forced_usd).sum() / forced) if forced > 0 else 0.0,
        "depth_before": depth_before,
        "depth_worst": depth_worst,
        "depth_fall": 1.0 - depth_worst / depth_before if depth_before > 0 else 0.0,
        "booked_ltv_before": float(before.booked_ltv),
        "executable_ltv_before": float(before.executable_ltv),
        "booked_ltv_worst": float(rows[worst].booked_ltv),
        "executable_ltv_worst": float(rows[worst].executable_ltv),
        "illusion_peak": float(rows.illusion.max()),
        "amplification": float("nan"),
        "credit_peak": int(lead_credit),
        "compute_peak": int(rows.running.argmax()),
        "lead": int(rows.running.argmax()) - int(lead_credit),
        "rent_end": float(rows.rent[-1]),
        "price_end": float(world.chips.appraisal[min(1, len(world.chips) - 1)]),
        "correlation": _correlation(world, months),
        "unsold_peak": float(rows.unsold_usd.max()),
        "withdrawn": float(rows.withdrawn.sum()),
        "funding_calls": int(rows.funding_calls.sum()),
        "margin_calls": int(rows.margin_calls.sum()),
        "forced_usd": float(forced),
        "residual": float(np.abs(rows.residual).max()),
    }
