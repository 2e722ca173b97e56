"""The scenario: every parameter once, with unit, bounds, meaning and source.

``Scenario`` is frozen and forbids unknown names. Scalars of the sections in :data:`TERM_SECTIONS` become the
fields of the one-row record ``terms`` that rules read (``credit.soft_cost`` is ``terms.credit_soft_cost``).
Sources name a row of ``configs/data/facts.csv`` or say "assumption".
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from pydantic import model_validator

from agents.schema import copied
from simulation.declare import Range, Section, Share, par
from simulation.kept import kept
from simulation.lesson import Lesson


class Run(Section):
    """Horizon."""

    start: str = par("2024-01", "YYYY-MM", "first month", pattern=r"^\d{4}-(0[1-9]|1[0-2])$")
    months: int = par(60, "month", "horizon", ge=1, le=600)
    max_turns: int = par(400, "round", "rounds of a cascade after which the run stops with a fault", ge=10, le=999)


class Chip(Section):
    """One generation of chips."""

    name: str = par(..., "text", "name of the generation", min_length=1)
    release: int = par(..., "month", "month of release (0 = the first month)")
    end_of_sale: int = par(999, "month", "month from which it is no longer sold new")
    list_price: float = par(..., "USD/GPU", "list price of the hardware", "price_h100_8gpu_node", gt=0)
    performance: float = par(..., "H100", "rental performance relative to one H100", gt=0)
    power: float = par(..., "kW/GPU", "power at the wall", "power_h100_server_per_gpu", gt=0)
    liquid: bool = par(False, "flag", "needs liquid cooling", "power_gb200_rack")
    scrap: float = par(0.03, "share", "scrap value over list price", ge=0, le=1)


class Coin(Section):
    """A coin's price process: two regimes, a historic path, or blocks of history."""

    path: Literal["regime", "history", "bootstrap"] = par(
        "history", "choice", "regime process; recorded path and then regimes; or 12-month blocks of history"
    )
    price: float = par(42_283.58, "USD", "price when the run opens, before the first month's return", gt=0)
    calm_drift: float = par(0.01, "log/month", "drift in calm months")
    calm_volatility: float = par(0.13, "log/month", "volatility in calm months", "btc_vol_monthly_2021_26", ge=0)
    stress_drift: float = par(-0.085, "log/month", "drift in stress", "btc_drawdown_2021_22")
    stress_volatility: float = par(0.18, "log/month", "volatility in stress", ge=0)
    stress_jump: float = par(-0.18, "log", "jump when stress begins", "btc_worst_week_2021_26")
    series: str = par("data/series_btc_usd_monthly.csv", "path", "monthly closes, relative to the config file")
    eth_beta: float = par(1.15, "ratio", "beta of ether's log return on bitcoin's", ge=0)
    eth_volatility: float = par(0.12, "log/month", "volatility of ether of its own", ge=0)
    eth_price: float = par(2_283.0, "USD", "ether at the start", gt=0)


class Demand(Section):
    """Demand for compute."""

    growth: tuple[float, ...] = par(
        (0.034, 0.053, 0.046, 0.040, 0.036), "log/month", "drift of demand by calendar year; the last one goes on",
        "assumption",
    )  # fmt: skip
    volatility: float = par(0.03, "log/month", "volatility of demand in calm months", "rent_vol_h100_annual", ge=0)
    persistence: float = par(0.5, "ratio", "autocorrelation of demand growth", ge=0, lt=1)
    surge_probability: float = par(
        0.02, "1/month", "probability of an upward jump", "rent_growth_h100_after_trough", ge=0, le=1
    )
    surge_size: float = par(0.10, "log", "size of an upward jump", ge=0)
    stress_jump: float = par(-0.10, "log", "jump when an AI-demand stress begins")
    stress_drift: float = par(-0.035, "log/month", "drift of demand in stress, in place of its growth")
    stress_volatility: float = par(0.04, "log/month", "volatility in stress", ge=0)
    deflation: float = par(
        0.0,
        "log/month",
        "fall of the rent that each unit of demand can pay, from efficiency gains",
        "hw_price_performance_growth",
    )
    deflation_volatility: float = par(0.01, "log/month", "volatility of the efficiency shock", ge=0)
    correlation_calm: float = par(
        0.1, "ratio", "correlation of demand and bitcoin shocks in calm months", "corr_btc_ndx_30d_2024", ge=-1, le=1
    )
    correlation_stress: float = par(
        0.5, "ratio", "correlation of demand and bitcoin shocks in stress", "corr_btc_ndx_2025_q4", ge=-1, le=1
    )


class Regimes(Section):
    """When stress begins and ends. Coupling acts on entry; the marginals do not depend on it."""

    entry: float = par(0.018, "1/month", "probability that a stress begins, for each of the two chains", ge=0, le=1)
    exit: float = par(0.11, "1/month", "probability that a stress ends", gt=0, le=1)
    coupling: float = par(0.7, "share", "share of entries that are joint (correlation convergence)", ge=0, le=1)
    first_month: int = par(24, "month", "first month in which a stress can begin", ge=0)


class Block(Section):
    """A block of used GPUs that outside investors put on the market without reserve."""

    month: int = par(0, "month", "month in which the block comes to market", ge=0)
    chip: str = par("H100", "text", "its generation")
    units: float = par(0.0, "GPU", "its size (0 = no block)", ge=0)


class Drivers(Section):
    """What is drawn before the run."""

    coin: Coin = Coin()
    demand: Demand = Demand()
    regimes: Regimes = Regimes()
    block: Block = Block()
    file: str | None = par(
        None, "path", "CSV with columns month, btc_return, demand_growth, ...: replaces the draws it has columns for"
    )


class Rental(Section):
    """The market for compute."""

    rent: float = par(2.9, "USD/perf-h", "rent of an H100-hour at the start", "rent_h100_gix_2024_01", gt=0)
    elasticity: float = par(1.0, "ratio", "price elasticity of demand", "public_cloud_demand", gt=0)
    hours: float = par(730.0, "h/month", "hours a month", gt=0)
    overhead: float = par(0.12, "share", "overhead as a share of rental revenue", ge=0, lt=1)
    trend: float = par(0.01, "1/month", "decline of the rent that is observed when the run opens")
    trend_memory: float = par(0.8, "ratio", "weight of the past in the observed rent trend", ge=0, lt=1)
    contract_discount: float = par(
        0.92, "ratio", "contract price over spot at signing", "assumption", gt=0
    )
    contract_term: int = par(30, "month", "term of take-or-pay contracts", "assumption", ge=1)
    renegotiation: float = par(0.12, "1/month", "speed at which a contract above spot is renegotiated down", ge=0, le=1)
    renegotiation_gap: float = par(0.15, "ratio", "gap between contract and spot that customers tolerate", ge=0, le=1)
    install_lag: int = par(2, "month", "months from a used purchase to service", ge=0)


class LenderKind(Section):
    """Traits of one kind of lender; agents vary around them by ``variation``."""

    count: int = par(0, "agents", "number of lenders of this kind", ge=0)
    capital: float = par(1.0e9, "USD", "equity at the start", gt=0)
    max_ltv: float = par(0.8, "ratio", "advance rate: loan over financed cost", "usdai_ltv_max", gt=0, le=1.5)
    min_dscr: float = par(1.25, "ratio", "least projected DSCR", "ddtl2_dscr_covenant", ge=0.5)
    spread: float = par(0.05, "1/year", "spread over the base rate", "ddtl2_margin_specified_ig", ge=0)
    life: float = par(90.0, "month", "underwriting life of the collateral", "useful_life_coreweave", ge=6)
    mark_to_market: float = par(0.5, "share", "weight of the appraisal in its mark", ge=0, le=1)
    capital_target: float = par(0.2, "ratio", "capital ratio it aims at", "assumption", gt=0, le=1)
    capital_minimum: float = par(0.08, "ratio", "capital ratio below which it stops lending", ge=0, lt=1)
    patience: Range = par((0.25, 0.55), "ratio", "reserve over mark of freshly seized hardware", "liq_factor_distressed_7d")
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
    liquid_share: Range = par((0.1, 0.6), "share", "liquid-cooled part of its power", "share_dc_can_host_b300")
    fleet_share: Range = par((0.10, 0.35), "share", "power in use at the start")
    hosting: Range = par((140.0, 200.0), "USD/kW-month", "hosting and power", "colo_us_primary_250_500kw")
    utilisation: Range = par((0.68, 0.85), "share", "on-demand utilisation", "capex_breakeven_utilisation")
    hurdle: Range = par((0.009, 0.015), "1/month", "hurdle rate", "ddtl1_effective_rate")
    decline: Range = par((0.006, 0.016), "1/month", "rent decline that it believes in", "hw_price_performance_growth")
    own_weight: Range = par((0.35, 0.8), "share", "weight of its own belief against the trend")
    contract_share: Range = par(
        (0.25, 0.6), "share", "share of new capacity let under take-or-pay", "assumption"
    )
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
    liquid_share: Range = par((0.1, 0.5), "share", "liquid-cooled part of it")
    fleet_share: Range = par((0.0, 0.15), "share", "power in use by GPUs at the start")
    hosting: Range = par((110.0, 170.0), "USD/kW-month", "hosting and power of GPUs at own sites")
    utilisation: Range = par((0.65, 0.82), "share", "on-demand utilisation")
    hurdle: Range = par((0.010, 0.016), "1/month", "hurdle rate")
    decline: Range = par((0.005, 0.014), "1/month", "rent decline that it believes in")
    own_weight: Range = par((0.35, 0.8), "share", "weight of its own belief against the trend")
    contract_share: Range = par(
        (0.3, 0.7), "share", "share of new capacity let under take-or-pay", "assumption"
    )
    btc: Range = par((500.0, 12_000.0), "BTC", "bitcoin treasury (log-uniform)", "mara_btc_2025")
    eth: Range = par((0.0, 20_000.0), "ETH", "ether treasury")
    hashrate: Range = par((2_000.0, 30_000.0), "PH/s", "mining rigs (log-uniform)")
    efficiency: Range = par((20.0, 33.0), "J/TH", "energy of the fleet", "hashcost_median_public_2025q3")
    power_price: Range = par((0.038, 0.062), "USD/kWh", "price of mining power", "power_price_hosting_2021")
    hashprice: float = par(85.0, "USD/PH/day", "hashprice at the start, before the halving of April 2024", gt=0)
    halving_month: int = par(3, "month", "month of the halving (-1 none)", ge=-1)
    halving_factor: float = par(0.58, "ratio", "revenue per hash after the halving over before, fees included", gt=0)
    network_growth: float = par(
        0.035, "log/month", "growth of the network's hashrate when mining pays", "hashprice_2025q3"
    )
    breakeven: float = par(
        44.5, "USD/PH/day", "hashprice at which the network stops growing", "hashcost_median_public_2025q3", gt=0
    )
    fixed_share: float = par(0.5, "share", "power cost that stays when rigs are switched off", ge=0, le=1)
    overheads: float = par(300.0, "USD/PH-month", "general costs of mining by hashrate", ge=0)
    pledge: float = par(0.4, "share", "share of its coins that a miner pledges when it needs equity for GPUs", ge=0, le=1)
    hold_share: float = par(0.3, "share", "mined coins kept in calm months", "miner_btc_total_2024", ge=0, le=1)
    rig_price: float = par(
        12_000.0,
        "USD/PH",
        "resale value of a rig's hashrate at the opening hashprice",
        "asic_price_trough_new_gen",
        ge=0,
    )
    eth_yield: float = par(0.03, "1/year", "staking income on ether", ge=0)
    file: str | None = par(None, "path", "CSV of miners (columns as in the table of operators)")


class Notes(Section):
    """Unsecured convertible notes and coin-backed margin loans of miners."""

    first_month: int = par(9, "month", "first month of convertible issuance", "miner_offerings_2024q4", ge=0)
    interval: int = par(9, "month", "months between two issues of one miner", ge=1)
    size: float = par(0.5, "ratio", "issue over coins and rigs at market", "miner_converts_raised", ge=0)
    coupon: float = par(0.01, "1/year", "coupon", "miner_convert_coupon_low", ge=0)
    term: int = par(30, "month", "months to maturity or put", ge=1)
    coin_share: float = par(0.6, "share", "proceeds spent on coins", ge=0, le=1)
    limit: float = par(0.9, "ratio", "debt over coins, rigs and GPUs above which notes are not refinanced", ge=0)
    issue_limit: float = par(0.5, "ratio", "debt over coins, rigs and GPUs up to which new notes are bought", ge=0)
    margin_ltv: float = par(
        0.5, "ratio", "loan to value of coin loans at origination", "btc_loan_ltv_origination", ge=0, lt=1
    )
    margin_call: float = par(
        0.75, "ratio", "loan to value at which more coins are called", "btc_loan_margin_call", gt=0
    )
    margin_closeout: float = par(
        0.85, "ratio", "loan to value at which pledged coins are sold", "btc_loan_liquidation", gt=0
    )
    margin_spread: float = par(0.05, "1/year", "spread of coin loans", "riot_coinbase_rate", ge=0)


class BuyerKind(Section):
    """Traits of one kind of hardware buyer."""

    count: int = par(0, "agents", "number of buyers of this kind", ge=0)
    budget: float = par(10e6, "USD", "mean budget for used GPUs when full (log-normal, sd .6)", gt=0)
    power: float = par(1_000.0, "kW", "mean free power (log-normal, sd .6)", ge=0)
    liquid_share: Share = par(0.2, "share", "liquid-cooled part of it", "share_dc_can_host_b300")
    hosting: Range = par((120.0, 190.0), "USD/kW-month", "hosting and power")
    utilisation: Range = par((0.4, 0.7), "share", "hours used", "cluster_utilisation_low")
    hurdle: Range = par((0.010, 0.02), "1/month", "hurdle rate")
    decline: Range = par((0.008, 0.02), "1/month", "rent decline that it believes in")
    lot_limit: Share = par(0.5, "share", "largest part of the budget spent on one lot")


class Buyers(Section):
    """Hardware buyers."""

    hyperscaler: BuyerKind = BuyerKind(count=10, budget=110e6, power=8_000)
    enterprise: BuyerKind = BuyerKind(count=60, budget=14e6, power=900)
    research: BuyerKind = BuyerKind(count=25, budget=7e6, power=600)
    dealer: BuyerKind = BuyerKind(count=35, budget=12e6, power=0)
    scrap: BuyerKind = BuyerKind(count=20, budget=6e6, power=0)
    budget_scale: float = par(1.0, "ratio", "multiplies every budget", ge=0)
    power_scale: float = par(1.0, "ratio", "multiplies every buyer's power", ge=0)
    refill: float = par(0.10, "1/month", "share of the budget replenished a month (capital moves slowly)", ge=0, le=1)
    own_weight: Range = par((0.5, 0.9), "share", "weight of its own belief about rents against the trend")
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
    scrap_bid: float = par(1.1, "ratio", "scrap merchants: bid over scrap value", gt=0)
    file: str | None = par(None, "path", "CSV of buyers (columns as in the table of buyers)")


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


class Credit(Section):
    """How equipment is ordered, financed, serviced and called."""

    base_rate: float = par(0.055, "1/year", "base rate", ge=0)
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
    taste: float = par(0.08, "ratio", "dispersion of tastes for generations", ge=0)
    cash_reserve: float = par(3.0, "month", "fixed costs and debt service kept in cash", ge=0)
    covenant_margin: float = par(0.15, "ratio", "covenant LTV over opening LTV", ge=0)
    covenant_cap: float = par(0.97, "ratio", "highest covenant LTV", gt=0)
    dscr_months: int = par(3, "month", "months below one that trip the DSCR covenant", "iren_dscr_covenant", ge=1)
    dscr_cash: float = par(2.0, "month", "debt service in cash that excuses a thin DSCR", "ddtl2_min_liquidity", ge=0)
    rollover_ltv: float = par(1.05, "ratio", "highest LTV on the mark, over the LTV offered now, for a rollover", ge=0)
    rollover_dscr: float = par(0.95, "ratio", "least DSCR for a rollover", ge=0)
    equity_speed: float = par(
        0.06, "1/month", "equity an operator can raise a month over its equity, in good times", ge=0
    )
    coin_weight: float = par(0.5, "ratio", "part of the coins counted as equity when raising", ge=0, le=1)
    growth_cash: float = par(300.0, "USD/kW", "cash that an operator keeps for growth, by site power", ge=0)
    payout: float = par(0.15, "1/month", "part of excess cash paid out", ge=0, le=1)
    bankruptcy_cost: float = par(0.05, "share", "estate's cash lost in bankruptcy", ge=0, le=1)
    call_minimum: float = par(
        0.01, "share", "smallest margin call over the loan's principal (minimum transfer amount)", ge=0, lt=1
    )
    arrears_turns: int = par(2, "round", "rounds in which posted lots may sell before a lender decides", ge=0)
    call_cash: float = par(
        1.0, "month", "fixed costs kept in cash when a margin call is met", ge=0
    )
    sale_reserve: float = par(
        0.4, "ratio", "reserve of lots sold to meet arrears, over the own value in use", ge=0
    )
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
    fall_tolerance: float = par(0.03, "log", "monthly fall that frightens nobody", ge=0)
    churn_buyers: float = par(0.015, "1/month", "part of their used GPUs that buyers offer a month", ge=0, le=1)
    churn_operators: float = par(
        0.03, "1/month", "part of old unencumbered lots that operators offer a month", ge=0, le=1
    )
    churn_reserve: float = par(
        0.85, "ratio", "reserve of voluntary offers over the own value in use (a sale frees power for newer chips)", gt=0
    )
    churn_interval: int = par(12, "month", "months between the voluntary offers of one owner", ge=1)
    churn_age: int = par(18, "month", "age from which operators offer lots", ge=0)
    peer_cash: float = par(0.5, "share", "part of spare cash that solvent operators bid with", ge=0, le=1)
    peer_dscr: float = par(1.1, "ratio", "least DSCR of an operator that bids", ge=0)
    calls_a_month: int = par(
        10, "contacts", "contacts that a seller can reach for each month that it searches, nearest first", ge=1
    )
    order_price: float = par(
        0.9, "ratio", "price over the best bid that a borrower expects for a margin-call sale", gt=0
    )
    scrapping: float = par(
        0.05, "1/month", "part of the idle chips beyond economic life that owners scrap a month", ge=0, le=1
    )
    finder_fee: float = par(0.04, "ratio", "brokerage for each hop beyond the first, taken off the bid", ge=0, le=0.5)
    holding_cost: float = par(
        0.01, "1/month", "cost of holding seized hardware over its mark", "assumption", ge=0
    )
    patience_decay: float = par(0.06, "1/month", "fall of the reserve a month held", "liq_factor_auction_30d", ge=0)
    impact: float = par(3.0, "ratio", "inverse demand: log price impact of selling the whole stock", ge=0)
    impact_form: Literal["exponential", "linear", "square_root"] = par("exponential", "choice", "inverse demand: form")


class Marks(Section):
    """How collateral is valued."""

    appraisal_speed: float = par(0.35, "ratio", "weight of the month's traded price in the appraisal", ge=0, le=1)
    stale_drift: float = par(0.012, "1/month", "fall of an appraisal without trades", ge=0, le=1)
    asset_life: float = par(72.0, "month", "longest life in the value in use", "useful_life_coreweave", ge=1)
    decline_floor: float = par(0.002, "1/month", "least decline that anybody believes in", ge=0)
    decline_cap: float = par(0.05, "1/month", "largest decline that anybody believes in", ge=0)
    reference_utilisation: float = par(0.80, "share", "best unconstrained user: utilisation", ge=0, le=1)
    reference_hosting: float = par(140.0, "USD/kW-month", "best unconstrained user: hosting", ge=0)
    reference_hurdle: float = par(0.010, "1/month", "best unconstrained user: hurdle rate", ge=0)
    reference_decline: float = par(0.010, "1/month", "best unconstrained user: own belief about the decline", ge=0)
    reference_weight: float = par(0.65, "share", "best unconstrained user: weight of it", ge=0, le=1)


class Funding(Section):
    """How lenders are funded, and how they lose their funding."""

    deposit_rate: float = par(0.04, "1/year", "interest on deposits", ge=0)
    line_spread: float = par(0.02, "1/year", "spread of warehouse lines over the base rate", ge=0)
    liquidity: float = par(0.06, "share", "cash that a lender keeps over its runnable debt", ge=0, le=1)
    haircut: float = par(0.25, "ratio", "haircut of warehouse lines in calm times", "assumption", ge=0, lt=1)
    haircut_volatility: float = par(0.5, "ratio", "rise of the haircut by price volatility", ge=0)
    haircut_unsold: float = par(0.6, "ratio", "rise of the haircut by unsold forced stock over forced stock", ge=0)
    haircut_cap: float = par(0.7, "ratio", "largest haircut", ge=0, lt=1)
    run_trigger: float = par(0.85, "ratio", "capital ratio over target below which depositors leave", ge=0, le=1)
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
    failure_ratio: float = par(0.0, "ratio", "capital ratio below which a lender is closed", ge=-1, le=1)
    wind_down: float = par(0.34, "1/month", "part of a closed warehouse line that falls due a month", gt=0, le=1)
    growth_limit: float = par(0.08, "1/month", "new commitments a month over a lender's capacity", ge=0)
    inflow: float = par(0.25, "1/month", "growth of deposits that a sound lender can raise a month", ge=0)


class Backstop(Section):
    """A buyer of last resort."""

    capacity: float = par(0.0, "USD", "money of the backstop (0 = none)", ge=0)
    trigger: float = par(0.25, "ratio", "discount to fundamental at which it steps in", ge=0, le=1)
    price: float = par(0.85, "ratio", "what it pays over fundamental", ge=0)


class Insurance(Section):
    """Residual-value insurance: an insurer outside pays what seized hardware sells for below its insured value."""

    coverage: float = par(0.0, "share", "insured part of the cost written off over the lender's underwriting life", ge=0, le=1)
    premium: float = par(0.01, "1/year", "premium over the lender's claims", ge=0)
    capacity: float = par(1.0e10, "USD", "most that the insurers pay out over a run", ge=0)


class Policy(Section):
    """Policies, all off by default. Two more are parameters of their own: market.venue, lenders.mark_to_market."""

    backstop: Backstop = Backstop()
    insurance: Insurance = Insurance()
    pacing: float = par(
        1.0, "share", "liquidation pacing: largest part of a seized lot that a sound lender offers in one month", gt=0, le=1
    )
    ltv_slope: float = par(
        0.0, "ratio", "countercyclical LTV cap: cut of advance rates for each unit of yearly debt growth above ltv_growth", ge=0
    )
    ltv_growth: float = par(0.25, "1/year", "growth of GPU-backed debt over twelve months at which the cap begins to bite", ge=0)
    haircut_relief: float = par(
        0.0, "share", "countercyclical haircuts: part of the rise of haircuts in stress that is suppressed", ge=0, le=1
    )
    disclosure: float = par(
        0.0, "share", "disclosure: weight with which lenders cut advance rates by the largest borrower's executable LTV", ge=0, le=1
    )
    matched_amortisation: bool = par(
        False, "flag", "new loans are repaid over the economic life of their chips at most, without a balloon"
    )
    frozen: bool = par(
        False, "flag", "amplification twin: forced lots sell at fundamental, no lender fails, haircuts stay"
    )


class Scenario(Section):
    """A complete scenario."""

    title: str = par("GPU-backed credit", "text", "title of reports")
    run: Run = Run()
    chips: tuple[Chip, ...] = par(..., "list", "generations of chips", min_length=1)
    drivers: Drivers = Drivers()
    rental: Rental = Rental()
    lenders: Lenders = Lenders()
    neoclouds: Neoclouds = Neoclouds()
    miners: Miners = Miners()
    notes: Notes = Notes()
    buyers: Buyers = Buyers()
    networks: Networks = Networks()
    credit: Credit = Credit()
    market: Market = Market()
    marks: Marks = Marks()
    funding: Funding = Funding()
    policy: Policy = Policy()
    lesson: Lesson = Lesson()

    @model_validator(mode="after")
    def _consistent(self) -> Scenario:
        faults = []
        if self.neoclouds.count + self.miners.count == 0 and not (self.neoclouds.file or self.miners.file):
            faults.append("neoclouds.count and miners.count are both 0: a scenario needs an operator")
        if not any(c.release <= 0 for c in self.chips):
            faults.append("chips: no generation is released at the start (release <= 0)")
        names = [c.name for c in self.chips]
        if self.drivers.block.units > 0 and self.drivers.block.chip not in names:
            faults.append(f"drivers.block.chip: no generation is called {self.drivers.block.chip!r}: {', '.join(names)}")
        if self.lesson.answer.chip and self.lesson.answer.chip not in names:
            faults.append(f"lesson.answer.chip: no generation is called {self.lesson.answer.chip!r}: {', '.join(names)}")
        if len(set(names)) < len(names):
            faults.append("chips: two generations have the same name")
        if self.notes.margin_ltv >= self.notes.margin_call or self.notes.margin_call > self.notes.margin_closeout:
            faults.append("notes: needs margin_ltv < margin_call <= margin_closeout")
        if faults:
            raise ValueError("\n".join(faults))
        return self


#: Sections whose scalars rules read as ``terms.<section>_<name>``.
TERM_SECTIONS = ("run", "rental", "miners", "notes", "buyers", "credit", "market", "marks", "funding", "policy")


def leaves(section: Section, prefix: str = "") -> list[tuple[str, Any, Any]]:
    """Return ``(dotted path, value, field info)`` of every parameter below ``section``."""
    found = []
    for name, info in type(section).model_fields.items():
        value = getattr(section, name)
        path = f"{prefix}{name}"
        if isinstance(value, Section):
            found += leaves(value, path + ".")
        else:
            found.append((path, value, info))
    return found


def _term(value: Any, info: Any) -> float | int | None:
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, str) and hasattr(info.annotation, "__args__") and value in info.annotation.__args__:
        return info.annotation.__args__.index(value)
    return None


def build_terms(scenario: Scenario) -> np.recarray:
    """Return the one-row record of scalar parameters that rules read, choices as their index."""
    return copied(_terms(scenario)).view(np.recarray)


@kept
def _terms(scenario: Scenario) -> np.ndarray:
    fields, values = [], []
    for section in TERM_SECTIONS:
        for path, value, info in leaves(getattr(scenario, section), section + "."):
            term = _term(value, info)
            if term is None or path.startswith("buyers.") and path.count(".") > 1:
                continue
            # The dtype must not depend on the values: a choice, flag or count is an integer, all else is real.
            whole = (
                isinstance(value, bool | int | str) and not isinstance(value, float) and info.annotation is not float
            )
            fields.append((path.replace(".", "_"), "i8" if whole else "f8"))
            values.append(term)
    terms = np.zeros(1, np.dtype((np.record, np.dtype(fields, align=True))))
    for (name, _), value in zip(fields, values, strict=True):
        terms[name] = value
    return terms
