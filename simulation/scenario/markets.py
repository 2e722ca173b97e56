"""Parameters of where they meet: rental, credit, the used market, marks, funding."""

from __future__ import annotations

from typing import Literal

from simulation.scenario.declare import Section, par


class Rental(Section):
    """The market for compute."""

    rent: float = par(2.9, "USD/perf-h", "rent of an H100-hour at the start", "rent_h100_gix_2024_01", gt=0)
    elasticity: float = par(1.0, "ratio", "price elasticity of demand", "public_cloud_demand", ge=0.1)
    hours: float = par(730.0, "h/month", "hours a month", gt=0)
    overhead: float = par(0.12, "share", "overhead as a share of rental revenue", ge=0, lt=1)
    trend: float = par(0.01, "1/month", "decline of the rent that is observed when the run opens", ge=-1, le=1)
    trend_memory: float = par(0.8, "ratio", "weight of the past in the observed rent trend", ge=0, lt=1)
    contract_discount: float = par(
        0.92,
        "ratio",
        "contract price over spot at signing",
        "assumption",
        gt=0,
        range=(0.75, 1.05),
        because="a term is let below spot, or for little more",
    )
    contract_term: int = par(30, "month", "term of take-or-pay contracts", "assumption", ge=1)
    renegotiation: float = par(0.12, "1/month", "speed at which a contract above spot is renegotiated down", ge=0, le=1)
    renegotiation_gap: float = par(0.15, "ratio", "gap between contract and spot that customers tolerate", ge=0, le=1)
    install_lag: int = par(2, "month", "months from a used purchase to service", ge=0)


class Sites(Section):
    """Power for chips: what is built, what is let again, what it is worth."""

    speed: float = par(
        0.10, "1/month", "growth of an operator's sites a month for each unit of Tobin's q above one", ge=0
    )
    growth_limit: float = par(
        0.08,
        "1/month",
        "largest growth of an operator's sites that is begun in a month",
        "coreweave_active_mw",
        ge=0,
        le=1,
    )
    build_months: int = par(12, "month", "mean months from begun to live", "dc_build_months_abilene", ge=1)
    cost: float = par(
        900.0, "USD/kW", "what an operator pays to begin: half a year's rent of a leased hall, the landlord builds it",
        "colo_us_primary_250_500kw", ge=0,
    )  # fmt: skip
    relet_months: float = par(6.0, "month", "mean months until a fallen operator's free power has a tenant again", ge=1)
    replacement: float = par(
        1.0, "ratio", "weight of what a kW earns with new chips when owners decide which old ones to keep", ge=0
    )


class Credit(Section):
    """How equipment is ordered, financed, serviced and called."""

    base_rate: float = par(0.055, "1/year", "base rate", ge=0, le=1)
    soft_cost: float = par(
        0.30,
        "ratio",
        "network and fit-out over hardware: financed, not resold",
        "price_h100_cluster_all_in_per_gpu",
        ge=0,
    )
    maturity: int = par(36, "month", "months to the balloon of an equipment loan", "usdai_rate", ge=1)
    delivery_lag: int = par(4, "month", "months from order to delivery", ge=1)
    deposit: float = par(
        0.15, "share", "deposit paid with the order, lost on cancellation", "prepayment_share_iren", ge=0, le=1
    )
    order_interval: int = par(3, "month", "months between the orders of one operator", ge=1)
    growth_limit: float = par(0.48, "ratio", "largest growth of powered capacity at one order", ge=0)
    growth_base: float = par(
        0.05, "share", "part of a site's power that growth is counted from when less of it is in use", ge=0, le=1
    )
    order_minimum: float = par(1e5, "USD", "smallest order", ge=0)
    rate_weight: float = par(
        2.0, "year", "weight of the spread against the advance (over cost) when an operator chooses among offers", ge=0
    )
    rationing_spread: float = par(
        0.10,
        "1/year",
        "rise of the rate for the part of its advance rate that a lender has cut",
        ge=0,
        le=1,
    )
    projection: int = par(24, "month", "months of rent that a lender projects when it sizes a loan by DSCR", ge=1)
    taste: float = par(0.08, "ratio", "dispersion of tastes for generations", ge=0)
    cash_reserve: float = par(3.0, "month", "fixed costs and debt service kept in cash", ge=0)
    covenant_margin: float = par(0.15, "ratio", "covenant LTV over opening LTV", ge=0)
    covenant_cap: float = par(
        0.97,
        "ratio",
        "highest covenant LTV",
        gt=0,
        range=(0.85, 1.2),
        because="from a cushion for the lender to a loan that is not covered",
    )
    covenant_least: float = par(
        0.05, "ratio", "least distance of the covenant from the opening LTV, where the cap would leave less", ge=0
    )
    dscr_months: int = par(3, "month", "months below one that trip the DSCR covenant", "iren_dscr_covenant", ge=1)
    dscr_cash: float = par(2.0, "month", "debt service in cash that excuses a thin DSCR", "ddtl2_min_liquidity", ge=0)
    term_contracts: float = par(
        0.4,
        "share",
        "contracted share of an operator's capacity from which it borrows on contracted cash flow (above 1: nobody)",
        ge=0,
    )
    term_months: float = par(
        60.0, "month", "months over which a term loan is repaid, to nothing", "ddtl2_tenor_from_draw", ge=6
    )
    term_dscr: float = par(1.15, "ratio", "DSCR covenant of term loans", "ddtl4_dscr_covenant", ge=0)
    term_realised: float = par(
        0.85,
        "ratio",
        "covenant of term loans: contract revenue received over that signed",
        "ddtl3_contract_realisation_min",
        ge=0,
    )
    term_holiday: int = par(21, "month", "months from the draw to the first DSCR test", "ddtl3_dscr_min", ge=0)
    non_recourse: float = par(
        0.105,
        "share",
        "part of term loans for which only the vehicle stands",
        "coreweave_nonrecourse_share",
        ge=0,
        le=1,
    )
    forbearance: bool = par(True, "flag", "lenders that can afford it wait when that is worth more than seizure")
    seizure_cost: float = par(
        0.175,
        "share",
        "cost of seizure and sale over what it brings",
        "equipment_auction_commission_analogue",
        ge=0,
        lt=1,
    )
    reset_margin: float = par(0.33, "ratio", "room that a waiver leaves, over the usual covenant margin", ge=0)
    amendment_fee: float = par(0.005, "1/year", "rise of the rate with each amendment", ge=0, le=1)
    extension: int = par(6, "month", "months by which an extension moves the maturity", "ddtl3_waiver_dscr_delay", ge=0)
    swap_months: int = par(12, "month", "months of thin coverage after which lenders swap debt for equity", ge=1)
    swap_share: float = par(0.9, "ratio", "debt that a swap leaves over the going-concern value", gt=0, le=1)
    cure_equity: float = par(
        0.25,
        "share",
        "part of what equity in a going concern is worth that owners can put in at once to save it (0: never)",
        "ddtl3_waiver_equity_cures",
        ge=0,
        lt=1,
        range=(0.0, 0.5),
        because="the contracts allow cures without limit; what owners can raise in distress is not on record",
    )
    cure_runway: float = par(6.0, "month", "months of thin income that a cure must last for", ge=0)
    cure_months: int = par(1, "month", "months in which a margin call can be cured (0: rounds)", ge=0)
    grace_months: int = par(1, "month", "months for which a missed payment is tolerated before lenders decide", ge=0)
    rollover_ltv: float = par(
        1.05,
        "ratio",
        "highest LTV on the mark, over the LTV offered now, for a rollover",
        ge=0,
        range=(0.8, 1.3),
        because="from a lender that wants to be paid down to one that extends and pretends",
    )
    rollover_dscr: float = par(
        0.95,
        "ratio",
        "least DSCR for a full rollover",
        gt=0,
        range=(0.75, 1.3),
        because="from forbearance to the covenant of a new loan",
    )
    rollover_floor: float = par(
        0.5, "ratio", "DSCR at and below which nothing is rolled over; in between part is", ge=0
    )
    equity_speed: float = par(
        0.06, "1/month", "equity an operator can raise a month over its equity, in good times", ge=0
    )
    equity_trend: float = par(
        20.0, "month", "cut of the equity that can be raised for each unit of monthly rent decline", ge=0
    )
    equity_boom: float = par(1.5, "ratio", "most that rising rents multiply the equity that can be raised by", ge=1)
    growth_cash: float = par(300.0, "USD/kW", "cash that an operator keeps for growth, by site power", ge=0)
    payout: float = par(0.15, "1/month", "part of excess cash paid out", ge=0, le=1)
    payout_reserve: float = par(2.0, "ratio", "cash reserves that are not paid out, over ``cash_reserve``", ge=0)
    bankruptcy_cost: float = par(0.05, "share", "estate's cash lost in bankruptcy", ge=0, le=1)
    call_minimum: float = par(
        0.01, "share", "smallest margin call over the loan's principal (minimum transfer amount)", ge=0, lt=1
    )
    arrears_turns: int = par(2, "round", "rounds in which posted lots may sell before a lender decides", ge=0, le=9)
    call_cash: float = par(
        1.0, "month", "general costs and debt service without balloons kept in cash when a margin call is met", ge=0
    )
    sale_reserve: float = par(0.4, "ratio", "reserve of lots sold to meet arrears, over the own value in use", ge=0)
    initial_pledged: float = par(0.7, "share", "share of the opening lots that secure a loan", ge=0, le=1)
    initial_debt: float = par(
        0.5, "ratio", "debt over appraised GPUs at the start", "market_gpu_backed_2024_11", ge=0, le=1
    )


class Market(Section):
    """The secondary market."""

    venue: Literal["network", "exchange", "inverse_demand"] = par("network", "choice", "how sellers meet buyers")
    risk_premium: float = par(0.08, "ratio", "risk premium of bids in calm times", ge=0, lt=1)
    fall_weight: float = par(0.4, "ratio", "rise of the premium with recent price falls", ge=0, le=0.5)
    volatility_weight: float = par(0.3, "ratio", "rise of the premium with volatility", ge=0)
    premium_cap: float = par(0.7, "ratio", "largest premium", ge=0, lt=1)
    fall_memory: float = par(0.65, "ratio", "weight of past falls", ge=0, lt=1)
    volatility_memory: float = par(0.75, "ratio", "weight of the past in the observed volatility", ge=0, lt=1)
    volatility_decay: float = par(0.9, "ratio", "volatility left after a month without a trade", ge=0, le=1)
    fall_tolerance: float = par(0.03, "log", "monthly fall that frightens nobody", ge=0)
    churn_buyers: float = par(0.015, "1/month", "part of their used GPUs that buyers offer a month", ge=0, le=1)
    churn_operators: float = par(
        0.03, "1/month", "part of old unencumbered lots that operators offer a month", ge=0, le=1
    )
    churn_reserve: float = par(
        0.85,
        "ratio",
        "reserve of voluntary offers over the own value in use (a sale frees power for newer chips)",
        gt=0,
        range=(0.6, 1.1),
        because="who need not sell gives away little and asks for little more than the value",
    )
    churn_interval: int = par(12, "month", "months between the voluntary offers of one owner", ge=1)
    churn_age: int = par(18, "month", "age from which operators offer lots", ge=0)
    peer_cash: float = par(0.5, "share", "part of spare cash that solvent operators bid with", ge=0, le=1)
    peer_dscr: float = par(
        1.1,
        "ratio",
        "least DSCR of an operator that bids",
        ge=0,
        range=(0.9, 1.5),
        because="from just unable to serve its debt to comfortable",
    )
    search: Literal["effort", "fixed"] = par(
        "effort", "choice", "how many buyers a seller calls: as many as pay for the effort, or so many a month"
    )
    call_cost: float = par(
        500.0, "USD", "cost of the first call of a month; the n-th costs n times as much (staff is short)", gt=0
    )
    quote_dispersion: float = par(
        0.2, "share", "by how much buyers' quotes for the same hardware differ", "stoa_quote_dispersion", gt=0, le=1
    )
    due_diligence: float = par(
        1.5,
        "month",
        "mean time until a buyer that was called has looked at the hardware and can bid (0: at once)",
        "compute_north_days_filing_to_sale_hearing",
        ge=0,
        le=24,
    )
    receivership: float = par(
        0.72,
        "share",
        "part of seized hardware that a receiver runs where it stands (0: it is carried off and stands idle)",
        "stronghold_running_share",
        ge=0,
        le=1,
    )
    relet_months: int = par(2, "month", "months until the hardware of a fallen operator is let again", ge=0)
    estate_months: float = par(
        13.0, "month", "months over which an estate's reserve falls to nothing", "core_chapter11_days", gt=0
    )
    calls_a_month: int = par(
        10, "contacts", "contacts that a seller can reach for each month that it searches, nearest first", ge=1
    )
    order_price: float = par(
        0.9,
        "ratio",
        "price over the best bid that a borrower expects for a margin-call sale",
        gt=0,
        range=(0.6, 1.0),
        because="who expects more than the best bid offers too few chips",
    )
    scrapping: float = par(
        0.05, "1/month", "part of the idle chips beyond economic life that owners scrap a month", ge=0, le=1
    )
    finder_fee: float = par(0.04, "ratio", "brokerage for each hop beyond the first, taken off the bid", ge=0, le=0.5)
    holding_cost: float = par(
        0.01, "1/month", "cost of holding seized hardware over its mark", "assumption", ge=0, le=1
    )
    patience_decay: float = par(
        0.06, "1/month", "fall of the reserve a month held", "liq_factor_auction_30d", ge=0, le=1
    )
    impact: float = par(3.0, "ratio", "inverse demand: log price impact of selling the whole stock", ge=0)
    impact_form: Literal["exponential", "linear", "square_root"] = par("exponential", "choice", "inverse demand: form")


class Marks(Section):
    """How collateral is valued."""

    appraisal_speed: float = par(0.35, "ratio", "weight of the month's traded price in the appraisal", ge=0, le=1)
    index_weight: float = par(
        0.5,
        "share",
        "weight of what rents and list prices imply in appraisals where nothing trades",
        ge=0,
        le=1,
        range=(0.3, 0.7),
        because="beyond, an appraiser who is to weigh both would all but ignore trades or indices",
    )
    evidence: float = par(
        0.005,
        "share",
        "part of the stock whose trade in a month counts for half of an appraisal's evidence",
        ge=0,
        le=1,
    )
    stale_drift: float = par(0.012, "1/month", "fall of an appraisal without trades", ge=0, le=1)
    opening_decay: float = par(
        0.02, "1/month", "fall of used prices since release, for prices at the start", ge=0, le=0.2
    )
    reference_chip: str = par(
        "", "text", "generation that summaries and figures follow; empty: the one whose performance is nearest to 1"
    )
    asset_life: float = par(
        100.0, "month", "longest life in the value in use", "v100_fleet_life_microsoft", ge=1, le=600
    )
    rent_volatility: float = par(
        0.07,
        "log/month",
        "volatility of rents in the value in use: the option to idle",
        "rent_vol_a100_annual",
        ge=0,
        le=1,
    )
    volatility_months: float = par(
        24.0, "month", "months after which the uncertainty about the rent grows no more", ge=1
    )
    trend_persistence: float = par(
        0.85, "ratio", "what a month leaves of a trend of rents in agents' beliefs (1: it stays for ever)", ge=0, le=1
    )
    decline_floor: float = par(0.002, "1/month", "least decline that anybody believes in", ge=0, le=0.8)
    decline_cap: float = par(0.05, "1/month", "largest decline that anybody believes in", ge=0, le=0.9)
    reference_utilisation: float = par(0.80, "share", "best unconstrained user: utilisation", ge=0, le=1)
    reference_hosting: float = par(
        140.0,
        "USD/kW-month",
        "best unconstrained user: hosting",
        ge=0,
        times=(0.75, 1.35),
        because="kept near the recorded quote for colocation (colo_us_primary_250_500kw)",
    )
    reference_hurdle: float = par(0.010, "1/month", "best unconstrained user: hurdle rate", ge=0, le=1)
    reference_decline: float = par(0.010, "1/month", "best unconstrained user: own belief about the decline", ge=0)
    reference_weight: float = par(0.65, "share", "best unconstrained user: weight of it", ge=0, le=1)


class Funding(Section):
    """How lenders are funded, and how they lose their funding."""

    deposit_rate: float = par(0.04, "1/year", "interest on deposits", ge=0, le=1)
    line_spread: float = par(0.02, "1/year", "spread of warehouse lines over the base rate", ge=0, le=1)
    delivery_buffer: float = par(
        1.05,
        "ratio",
        "cash raised over what falls due at the next deliveries",
        ge=0,
        range=(1.0, 1.3),
        because="with less than what falls due orders are cancelled in calm months",
    )
    cash_share: float = par(0.5, "share", "most of its cash that a lender lends on or pays out at once", ge=0, le=1)
    line_health: float = par(
        0.9,
        "ratio",
        "capital ratio over target at which both sides open a closed line again",
        ge=0,
        range=(0.7, 1.1),
        because="lines open again near the target, not far above it",
    )
    calm_rise: float = par(0.2, "ratio", "rise of the haircut up to which lenders find new deposits and equity", ge=0)
    return_share: float = par(0.5, "1/month", "part of excess cash that goes back to lines and depositors", ge=0, le=1)
    return_capital: float = par(
        2.0, "ratio", "capital ratio over target from which deposits are no longer given back", ge=0
    )
    payout_threshold: float = par(
        1.1,
        "ratio",
        "equity over its target above which lenders pay out",
        ge=1,
        range=(1.0, 1.5),
        because="nobody pays out below the target",
    )
    payout_first_month: int = par(12, "month", "first month in which lenders pay out", ge=0)
    unsold_floor: float = par(
        0.02,
        "share",
        "part of the stock that counts as forced stock besides, so that a few units move no haircut",
        gt=0,
    )
    liquidity: float = par(0.06, "share", "cash that a lender keeps over its runnable debt", ge=0, le=1)
    haircut: float = par(0.25, "ratio", "haircut of warehouse lines in calm times", "assumption", ge=0, lt=1)
    haircut_volatility: float = par(0.5, "ratio", "rise of the haircut by price volatility", ge=0)
    haircut_unsold: float = par(0.6, "ratio", "rise of the haircut by unsold forced stock over forced stock", ge=0)
    haircut_cap: float = par(0.7, "ratio", "largest haircut", ge=0, lt=1)
    run_trigger: float = par(
        0.85,
        "ratio",
        "capital ratio over target below which depositors leave",
        ge=0,
        le=1,
        range=(0.7, 1.0),
        because="from depositors that wait for a third of the capital to go to those that leave at the first loss",
    )
    run_contagion: float = par(
        0.5, "ratio", "rise of redemptions for the failure of a lender of the same kind (share failed)", ge=0
    )
    equity_speed: float = par(0.03, "1/month", "equity a lender can raise a month over its equity, in good times", ge=0)
    payout: float = par(0.25, "1/month", "part of equity above target that is paid out a month", ge=0, le=1)
    impairment_called: float = par(0.4, "share", "share of the shortfall provided for on loans in breach", ge=0, le=1)
    impairment_market: float = par(
        0.25, "share", "share of the shortfall provided for on performing loans, by mark-to-market weight", ge=0, le=1
    )
    sale_discount: float = par(0.15, "ratio", "outside investors: discount on the book of a failed lender", ge=0, le=1)
    recovery_external: float = par(
        0.90, "ratio", "Rogers-Veraart alpha: part of own assets left in bankruptcy", ge=0, le=1
    )
    recovery_interlender: float = par(
        0.95, "ratio", "Rogers-Veraart beta: part of claims on lenders left in bankruptcy", ge=0, le=1
    )
    failure_ratio: float = par(
        0.0,
        "ratio",
        "capital ratio below which a lender is closed",
        ge=-1,
        le=1,
        range=(-0.05, 0.03),
        because="supervisors close with some capital left; forbearance waits beyond the last of it",
    )
    wind_down: float = par(0.34, "1/month", "part of a closed warehouse line that falls due a month", gt=0, le=1)
    growth_limit: float = par(0.08, "1/month", "new commitments a month over a lender's capacity", ge=0)
    inflow: float = par(0.25, "1/month", "growth of deposits that a sound lender can raise a month", ge=0)
