"""Parameters of policies, all off by default."""

from __future__ import annotations

from simulation.scenario.declare import Section, par


class Backstop(Section):
    """A buyer of last resort."""

    capacity: float = par(0.0, "USD", "money of the backstop (0 = none)", ge=0)
    trigger: float = par(0.25, "ratio", "discount to fundamental at which it steps in", ge=0, le=1)
    price: float = par(0.85, "ratio", "what it pays over fundamental", ge=0)


class Insurance(Section):
    """Residual-value insurance: an insurer outside pays what seized hardware sells for below its insured value."""

    coverage: float = par(
        0.0, "share", "insured part of the cost written off over the lender's underwriting life", ge=0, le=1
    )
    premium: float = par(0.01, "1/year", "premium over the lender's claims", ge=0)
    capacity: float = par(1.0e10, "USD", "most that the insurers pay out over a run", ge=0)


class Vendor(Section):
    """A vendor's backstop: it pays for idle hours of the GPUs that it sold (capacity bought back, not hardware)."""

    capacity: float = par(
        0.0, "USD", "most that the vendor pays in all (0 = no backstop)", "nvidia_ai_cloud_agreements", ge=0
    )
    price: float = par(
        0.79,
        "ratio",
        "what it pays for an hour over the spot rent of its first month",
        "nvidia_lambda_implied_rent",
        ge=0,
    )
    share: float = par(
        0.25, "share", "part of operators' capacity outside contracts that it covers", "nvidia_residual_support_max", ge=0, le=1
    )  # fmt: skip
    first: int = par(20, "month", "first month of the backstop", "nvidia_coreweave_backstop", ge=0)
    last: int = par(99, "month", "last month of the backstop", "nvidia_coreweave_backstop", ge=0)


class Policy(Section):
    """Policies, all off by default. Two more are parameters of their own: market.venue, lenders.mark_to_market."""

    backstop: Backstop = Backstop()
    insurance: Insurance = Insurance()
    pacing: float = par(
        1.0,
        "share",
        "liquidation pacing: largest part of a seized lot that a sound lender offers in one month",
        gt=0,
        le=1,
    )
    ltv_slope: float = par(
        0.0,
        "ratio",
        "countercyclical LTV cap: cut of advance rates for each unit of yearly debt growth above ltv_growth",
        ge=0,
    )
    ltv_growth: float = par(
        0.25, "1/year", "growth of GPU-backed debt over twelve months at which the cap begins to bite", ge=0
    )
    haircut_relief: float = par(
        0.0, "share", "countercyclical haircuts: part of the rise of haircuts in stress that is suppressed", ge=0, le=1
    )
    disclosure: float = par(
        0.0,
        "share",
        "disclosure: weight with which lenders cut advance rates by the largest borrower's executable LTV",
        ge=0,
        le=1,
    )
    matched_amortisation: bool = par(
        False, "flag", "new loans are repaid over the economic life of their chips at most, without a balloon"
    )
    frozen: bool = par(
        False, "flag", "amplification twin: forced lots sell at fundamental, no lender fails, haircuts stay"
    )
