"""Parameters of agents: lenders, neoclouds, miners, buyers, customers, and who knows whom."""

from __future__ import annotations

from typing import Literal

from simulation.scenario.declare import FreeRange, Range, Section, Share, ShareRange, par


class LenderKind(Section):
    """Traits of one kind of lender; agents vary around them by ``variation``."""

    count: int = par(0, "agents", "number of lenders of this kind", ge=0)
    capital: float = par(1.0e9, "USD", "equity at the start", gt=0)
    max_ltv: float = par(0.8, "ratio", "advance rate: loan over financed cost", "usdai_ltv_max", gt=0, le=1.5)
    min_dscr: float = par(1.25, "ratio", "least projected DSCR", "ddtl2_dscr_covenant", ge=0.5)
    spread: float = par(0.05, "1/year", "spread over the base rate", "ddtl2_margin_specified_ig", ge=0, le=1)
    life: float = par(90.0, "month", "underwriting life of the collateral", "useful_life_coreweave", ge=6)
    mark_to_market: float = par(0.5, "share", "weight of the appraisal in its mark", ge=0, le=1)
    capital_target: float = par(0.2, "ratio", "capital ratio it aims at", "assumption", gt=0, le=1)
    capital_minimum: float = par(0.08, "ratio", "capital ratio below which it stops lending", ge=0, lt=1)
    patience: Range = par(
        (0.25, 0.55), "ratio", "reserve over mark of freshly seized hardware", "liq_factor_distressed_7d"
    )
    runnable: Share = par(0.3, "share", "share of its deposits that can leave at notice")
    run_speed: Share = par(0.3, "1/month", "share of runnable deposits that leaves a month at half the target ratio")
    rationing: float = par(2.0, "elasticity", "cut of the advance rate for a year's losses over the book", ge=0)
    wholesale: Share = par(0.0, "share", "share of its debt raised on warehouse lines from banks", "bdc_leverage_ratio")


class Lenders(Section):
    """The lenders."""

    bank: LenderKind = LenderKind(count=6)
    private_credit: LenderKind = LenderKind(count=6)
    insurer: LenderKind = LenderKind(count=3)
    bdc: LenderKind = LenderKind(count=3)
    crypto_lender: LenderKind = LenderKind(count=2)
    variation: float = par(
        0.2, "ratio", "half-width of the spread of lives, capital and rationing around the kind", ge=0, lt=1
    )
    max_ltv: float | None = par(None, "ratio", "if given: advance rate of every lender", gt=0, le=1.5)
    life: float | None = par(None, "month", "if given: underwriting life of every lender", ge=6)
    mark_to_market: float | None = par(
        None, "share", "if given: weight of the appraisal in every lender's mark", ge=0, le=1
    )
    capital_scale: float = par(1.0, "ratio", "multiplies the equity of every lender", gt=0)
    runnable_scale: float = par(1.0, "ratio", "multiplies the runnable share of every lender", ge=0)
    name_limit: float = par(0.15, "ratio", "largest exposure to one borrower over the lender's capacity", gt=0)
    links: int = par(5, "lenders", "lenders that an operator knows", ge=1)
    file: str | None = par(None, "path", "CSV of lenders (columns as in the table of lenders): replaces the drawn ones")


class Neoclouds(Section):
    """Neoclouds at the start."""

    count: int = par(40, "agents", "number of neoclouds", ge=0)
    cash: Range = par((10e6, 80e6), "USD", "cash")
    power: Range = par((3_000.0, 40_000.0), "kW", "site power (log-uniform)", "colo_vacancy_us_primary")
    liquid_share: ShareRange = par((0.1, 0.6), "share", "liquid-cooled part of its power", "share_dc_can_host_b300")
    fleet_share: ShareRange = par((0.10, 0.35), "share", "power in use at the start")
    hosting: Range = par((140.0, 200.0), "USD/kW-month", "hosting and power", "colo_us_primary_250_500kw")
    utilisation: ShareRange = par((0.68, 0.85), "share", "on-demand utilisation", "capex_breakeven_utilisation")
    hurdle: Range = par((0.009, 0.015), "1/month", "hurdle rate", "ddtl1_effective_rate")
    decline: FreeRange = par(
        (0.006, 0.016), "1/month", "rent decline that it believes in", "hw_price_performance_growth"
    )
    own_weight: ShareRange = par((0.35, 0.8), "share", "weight of its own belief against the trend")
    contract_share: ShareRange = par((0.25, 0.6), "share", "share of new capacity let under take-or-pay", "assumption")
    flagship_share: float = par(
        0.85, "share", "the same for the largest tenth of neoclouds", "coreweave_take_or_pay_share", ge=0, le=1
    )
    overheads: float = par(2.0, "USD/kW-month", "general costs by site power", ge=0)
    file: str | None = par(None, "path", "CSV of neoclouds (columns as in the table of operators)")


class Miners(Section):
    """Bitcoin miners at the start, and how they run mining and treasury."""

    count: int = par(15, "agents", "number of miners", "miners_pivoting", ge=0)
    cash: Range = par((20e6, 120e6), "USD", "cash")
    power: Range = par((5_000.0, 60_000.0), "kW", "site power that can host GPUs (log-uniform)")
    liquid_share: ShareRange = par((0.1, 0.5), "share", "liquid-cooled part of it")
    fleet_share: ShareRange = par((0.0, 0.15), "share", "power in use by GPUs at the start")
    hosting: Range = par(
        (110.0, 170.0),
        "USD/kW-month",
        "hosting and power of GPUs at own sites",
        times=(0.75, 1.35),
        because="kept near the recorded quote for colocation (colo_us_primary_250_500kw)",
    )
    utilisation: ShareRange = par((0.65, 0.82), "share", "on-demand utilisation")
    hurdle: Range = par((0.010, 0.016), "1/month", "hurdle rate")
    decline: FreeRange = par((0.005, 0.014), "1/month", "rent decline that it believes in")
    own_weight: ShareRange = par((0.35, 0.8), "share", "weight of its own belief against the trend")
    contract_share: ShareRange = par((0.3, 0.7), "share", "share of new capacity let under take-or-pay", "assumption")
    btc: Range = par((500.0, 12_000.0), "BTC", "bitcoin treasury (log-uniform)", "mara_btc_2025")
    eth: Range = par((0.0, 20_000.0), "ETH", "ether treasury")
    hashrate: Range = par((2_000.0, 30_000.0), "PH/s", "mining rigs (log-uniform)")
    efficiency: Range = par((20.0, 33.0), "J/TH", "energy of the fleet", "hashcost_median_public_2025q3")
    power_price: Range = par((0.038, 0.062), "USD/kWh", "price of mining power", "power_price_hosting_2021")
    hashprice: float = par(
        85.0,
        "USD/PH/day",
        "hashprice at the start, before the halving of April 2024",
        gt=0,
        range=(65.0, 110.0),
        because="between the lows of 2023 and the spring of 2022 (series_hashprice_points.csv)",
    )
    halving_month: int = par(3, "month", "month of the halving (-1 none)", ge=-1)
    halving_factor: float = par(
        0.58,
        "ratio",
        "revenue per hash after the halving over before, fees included",
        gt=0,
        range=(0.5, 0.7),
        because="a halving takes half of the subsidy, fees replace part of it",
    )
    network_growth: float = par(
        0.035,
        "log/month",
        "growth of the network's hashrate when mining pays",
        "hashprice_2025q3",
        ge=-1,
        le=1,
    )
    breakeven: float = par(
        44.5, "USD/PH/day", "hashprice at which the network stops growing", "hashcost_median_public_2025q3", gt=0
    )
    fixed_share: float = par(0.5, "share", "power cost that stays when rigs are switched off", ge=0, le=1)
    overheads: float = par(300.0, "USD/PH-month", "general costs of mining by hashrate", ge=0)
    pledge: float = par(
        0.4, "share", "share of its coins that a miner pledges when it needs equity for GPUs", ge=0, le=1
    )
    hold_share: float = par(0.3, "share", "mined coins kept in calm months", "miner_btc_total_2024", ge=0, le=1)
    rig_price: float = par(
        12_000.0,
        "USD/PH",
        "resale value of a rig's hashrate at the opening hashprice",
        "asic_price_trough_new_gen",
        ge=0,
    )
    eth_yield: float = par(0.03, "1/year", "staking income on ether", ge=0, le=1)
    file: str | None = par(None, "path", "CSV of miners (columns as in the table of operators)")


class Notes(Section):
    """Unsecured convertible notes and coin-backed margin loans of miners."""

    first_month: int = par(9, "month", "first month of convertible issuance", "miner_offerings_2024q4", ge=0)
    interval: int = par(9, "month", "months between two issues of one miner", ge=1)
    size: float = par(0.5, "ratio", "issue over coins and rigs at market", "miner_converts_raised", ge=0)
    coupon: float = par(0.01, "1/year", "coupon", "miner_convert_coupon_low", ge=0, le=1)
    term: int = par(30, "month", "months to maturity or put", ge=1)
    coin_share: float = par(0.6, "share", "proceeds spent on coins", ge=0, le=1)
    limit: float = par(
        0.9,
        "ratio",
        "debt over cash, coins, rigs and GPUs above which notes are not refinanced",
        ge=0,
        range=(0.7, 1.2),
        because="from holders that want cover to holders that hope",
    )
    issue_limit: float = par(
        0.5, "ratio", "debt over cash, coins, rigs and GPUs up to which new notes are bought", ge=0
    )
    margin_ltv: float = par(
        0.5, "ratio", "loan to value of coin loans at origination", "btc_loan_ltv_origination", ge=0, lt=1
    )
    margin_call: float = par(
        0.75, "ratio", "loan to value at which more coins are called", "btc_loan_margin_call", gt=0
    )
    margin_closeout: float = par(
        0.85, "ratio", "loan to value at which pledged coins are sold", "btc_loan_liquidation", gt=0
    )
    issue_minimum: float = par(1e6, "USD", "smallest issue of notes", ge=0)
    margin_minimum: float = par(1e5, "USD", "smallest coin loan", ge=0)
    margin_term: int = par(12, "month", "months to maturity of a coin loan", ge=1)
    margin_spread: float = par(0.05, "1/year", "spread of coin loans", "riot_coinbase_rate", ge=0, le=1)


class MerchantKind(Section):
    """Traits of one kind of buyer that runs no chips: dealers, scrap merchants."""

    count: int = par(0, "agents", "number of buyers of this kind", ge=0)
    budget: float = par(10e6, "USD", "mean budget for used GPUs when full (log-normal, sd .6)", gt=0)
    lot_limit: Share = par(0.5, "share", "largest part of the budget spent on one lot")


class UserKind(Section):
    """Traits of one kind of hardware buyer that runs what it buys."""

    count: int = par(0, "agents", "number of buyers of this kind", ge=0)
    budget: float = par(10e6, "USD", "mean budget for used GPUs when full (log-normal, sd .6)", gt=0)
    power: float = par(1_000.0, "kW", "mean free power (log-normal, sd .6)", ge=0)
    liquid_share: Share = par(0.2, "share", "liquid-cooled part of it", "share_dc_can_host_b300")
    hosting: Range = par(
        (120.0, 190.0),
        "USD/kW-month",
        "hosting and power",
        times=(0.75, 1.35),
        because="kept near the recorded quote for colocation (colo_us_primary_250_500kw)",
    )
    utilisation: ShareRange = par((0.4, 0.7), "share", "hours used", "cluster_utilisation_low")
    hurdle: Range = par((0.010, 0.02), "1/month", "hurdle rate")
    decline: FreeRange = par((0.008, 0.02), "1/month", "rent decline that it believes in")
    lot_limit: Share = par(0.5, "share", "largest part of the budget spent on one lot")
    least_units: float = par(0.0, "GPU", "smallest lot that it looks at: its fleet is uniform", ge=0)
    oldest: float = par(600.0, "month", "mean age above which it buys no used chips: no warranty is left", ge=0)


class FundKind(Section):
    """Funds that outside capital comes through: they buy cheap hardware, run it on rented places, pay back."""

    count: int = par(3, "agents", "number of funds", "rig_fund_maple_icebreaker_2022", ge=0)
    power: float = par(20_000.0, "kW", "power that one can rent (log-normal, sd .6)", ge=0)
    liquid_share: Share = par(0.3, "share", "liquid-cooled part of it", "share_dc_can_host_b300")
    hosting: Range = par((150.0, 200.0), "USD/kW-month", "hosting and power", "colo_us_primary_250_500kw")
    utilisation: ShareRange = par((0.6, 0.75), "share", "hours used")
    hurdle: Range = par((0.015, 0.025), "1/month", "hurdle rate: they come for returns")
    decline: FreeRange = par((0.008, 0.016), "1/month", "rent decline that it believes in")
    lot_limit: Share = par(0.5, "share", "largest part of the budget spent on one lot")


class Buyers(Section):
    """Hardware buyers."""

    hyperscaler: UserKind = UserKind(count=10, budget=110e6, power=8_000)
    enterprise: UserKind = UserKind(count=60, budget=14e6, power=900)
    research: UserKind = UserKind(count=25, budget=7e6, power=600)
    dealer: MerchantKind = MerchantKind(count=35, budget=12e6)
    scrap: MerchantKind = MerchantKind(count=20, budget=6e6)
    fund: FundKind = FundKind()
    entry_delay: int = par(
        11,
        "month",
        "months from committed to invested: outside capital must organise",
        "rig_capital_delay_after_peak",
        ge=1,
    )
    entry_hurdle: float = par(
        0.3, "log", "gain (value in use over price of forced lots) above which outside capital comes", ge=0
    )
    entry_speed: float = par(
        0.1, "1/month", "capital committed a month for each unit of gain above it, over the budgets of users", ge=0
    )
    entry_memory: float = par(0.7, "ratio", "weight of the past in the observed gain", ge=0, lt=1)
    exit_speed: float = par(
        0.1, "1/month", "part of its money that a fund pays back a month while nothing is cheap", ge=0, le=1
    )
    budget_scale: float = par(1.0, "ratio", "multiplies every budget", ge=0)
    power_scale: float = par(1.0, "ratio", "multiplies every buyer's power", ge=0)
    refill: float = par(0.10, "1/month", "share of the budget replenished a month (capital moves slowly)", ge=0, le=1)
    own_weight: ShareRange = par((0.5, 0.9), "share", "weight of its own belief about rents against the trend")
    conversion: float = par(
        2_500.0, "USD/kW", "cost of fitting air-cooled power for chips that need liquid", "retrofit_cost_low", ge=0
    )
    convertible_share: float = par(
        0.0, "share", "part of air-cooled power that can be converted at once", "share_dc_can_host_b300", ge=0, le=1
    )
    power_recovery: float = par(
        0.02, "1/month", "part of the free power at the start that becomes free again a month", ge=0, le=1
    )
    dealer_half_spread: float = par(0.08, "ratio", "dealers: half-spread in calm times", "liq_factor_broker_90d", ge=0)
    dealer_skew: float = par(0.25, "ratio", "dealers: cut of the bid at full inventory (Ho-Stoll)", ge=0)
    dealer_volatility: float = par(0.5, "ratio", "dealers: widening of the half-spread by price volatility", ge=0)
    dealer_markup: float = par(0.06, "ratio", "dealers: offer over the appraisal", ge=0)
    scrap_bid: float = par(
        1.1,
        "ratio",
        "scrap merchants: bid over scrap value",
        gt=0,
        range=(1.0, 1.5),
        because="below the scrap value owners scrap themselves",
    )
    file: str | None = par(None, "path", "CSV of buyers (columns as in the table of buyers)")


class CustomerKind(Section):
    """Traits of one kind of customer."""

    count: int = par(0, "agents", "number of customers of this kind", ge=0)
    weight: float = par(
        0.1, "ratio", "weight of the kind in contracted capacity, shared by its customers", "coreweave_ig_backlog_share",
        ge=0,
    )  # fmt: skip
    renewal: Share = par(0.5, "share", "part of a contract that is let on contract again when it ends", "assumption")
    hazard_calm: float = par(
        0.0046, "1/month", "probability of failing in a calm month", "private_credit_default_rate", ge=0, lt=1
    )
    hazard_stress: float = par(0.012, "1/month", "the same in a month of AI-demand stress", "assumption", ge=0, lt=1)
    renegotiation: float = par(
        1.0, "ratio", "speed at which the kind renegotiates over rental.renegotiation: nothing recorded tells the kinds apart",
        ge=0,
    )  # fmt: skip


class Customers(Section):
    """Customers behind take-or-pay contracts. With no customers at all contracts end at the end of their term."""

    hyperscaler: CustomerKind = CustomerKind(count=5, weight=0.6, renewal=0.7, hazard_calm=0.0001, hazard_stress=0.0005)
    ai_lab: CustomerKind = CustomerKind(count=6, weight=0.3, renewal=0.7, hazard_calm=0.0046, hazard_stress=0.02)
    enterprise: CustomerKind = CustomerKind(count=30, weight=0.1)
    concentration: Share = par(
        0.62, "share", "part of the capacity that an operator lets which its main customer takes", "coreweave_microsoft_share_2024"
    )  # fmt: skip
    alternatives: float = par(
        1.0, "ratio", "cut of renewals for each unit by which spot is below the contract, over the contract price", ge=0
    )
    credit_feedback: float = par(
        0.0,
        "ratio",
        "cut of AI labs' renewals for each unit by which new GPU-backed credit of a quarter is below that of a year (0: off)",
        ge=0,
    )


class Networks(Section):
    """Who deals with whom."""

    seed: int = par(1, "seed", "seed of the networks, apart from the seed of the run", ge=0)
    redraw: bool = par(False, "flag", "draw new networks for every run")
    lending: Literal["core_periphery", "erdos_renyi", "scale_free", "bipartite"] = par(
        "core_periphery", "choice", "generator of the lender-operator network"
    )
    funding: Literal["core_periphery", "erdos_renyi", "scale_free"] = par(
        "core_periphery", "choice", "generator of the network of warehouse lines", "jumbo_pc_warehouse_lines_2023"
    )
    contacts: Literal["bipartite", "erdos_renyi", "scale_free", "core_periphery"] = par(
        "bipartite", "choice", "generator of the network of sellers and buyers"
    )
    contact_degree: int = par(6, "buyers", "buyers that a seller knows", ge=0)
    peer_degree: int = par(3, "operators", "operators that a seller knows", ge=0)
    contact_limit: int = par(60, "contacts", "most contacts that a seller ever reaches", ge=1)
    funding_degree: int = par(3, "banks", "banks that fund one warehouse borrower", ge=1)
    lending_file: str | None = par(None, "path", "CSV edge list lender,operator")
    funding_file: str | None = par(None, "path", "CSV edge list creditor,debtor,limit")
    contacts_file: str | None = par(None, "path", "CSV edge list seller,buyer")
