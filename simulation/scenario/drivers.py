"""Parameters of what comes from outside: chips, coins, demand, regimes, a block, drivers from a file."""

from __future__ import annotations

from typing import Annotated, Literal

from simulation.scenario.declare import Ends, Section, par


class Chip(Section):
    """One generation of chips."""

    name: str = par(..., "text", "name of the generation", min_length=1)
    release: int = par(..., "month", "month of release (0 = the first month)")
    end_of_sale: int = par(999, "month", "month from which it is no longer sold new")
    list_price: float = par(..., "USD/GPU", "list price of the hardware", "price_h100_8gpu_node", gt=0)
    supply: float = par(
        0.0,
        "GPU/month",
        "new units that the vendor can deliver to this market in a month: orders queue (0: any number)",
        ge=0,
    )
    performance: float = par(
        ...,
        "H100",
        "rental performance relative to one H100",
        gt=0,
        times=(0.85, 1.2),
        because="a factor of two would swap the order of the generations",
    )
    power: float = par(..., "kW/GPU", "power at the wall", "power_h100_server_per_gpu", gt=0)
    liquid: bool = par(False, "flag", "needs liquid cooling", "power_gb200_rack")
    scrap: float = par(0.03, "share", "scrap value over list price", ge=0, le=1)


class Coin(Section):
    """A coin's price process: two regimes, a historic path, or blocks of history."""

    path: Literal["regime", "history", "bootstrap"] = par(
        "history", "choice", "regime process; recorded path and then regimes; or 12-month blocks of history"
    )
    price: float = par(42_283.58, "USD", "price when the run opens, before the first month's return", gt=0)
    calm_drift: float = par(0.01, "log/month", "drift in calm months", ge=-1, le=1)
    calm_volatility: float = par(0.13, "log/month", "volatility in calm months", "btc_vol_monthly_2021_26", ge=0, le=1)
    stress_drift: float = par(-0.085, "log/month", "drift in stress", "btc_drawdown_2021_22", ge=-1, le=1)
    stress_volatility: float = par(0.18, "log/month", "volatility in stress", ge=0, le=1)
    stress_jump: float = par(-0.18, "log", "jump when stress begins", "btc_worst_week_2021_26", ge=-5, le=5)
    series: str = par("data/series_btc_usd_monthly.csv", "path", "monthly closes, relative to the config file")
    eth_beta: float = par(
        1.15,
        "ratio",
        "beta of ether's log return on bitcoin's",
        ge=0,
        range=(0.8, 1.6),
        because="ether moves with bitcoin, neither half nor twice as much",
    )
    eth_volatility: float = par(0.12, "log/month", "volatility of ether of its own", ge=0, le=1)
    eth_price: float = par(2_283.0, "USD", "ether at the start", gt=0)


class Demand(Section):
    """Demand for compute."""

    growth: Annotated[tuple[float, ...], Ends(-1.0, 1.0)] = par(
        (0.034, 0.053, 0.046, 0.040, 0.036), "log/month", "drift of demand by calendar year; the last one goes on",
        "assumption", times=(0.7, 1.3), because="fitted to recorded rents: further away those of 2024 and 2025 are missed")  # fmt: skip
    volatility: float = par(
        0.03, "log/month", "volatility of demand in calm months", "rent_vol_h100_annual", ge=0, le=1
    )
    persistence: float = par(0.5, "ratio", "autocorrelation of demand growth", ge=0, lt=1)
    surge_probability: float = par(
        0.02, "1/month", "probability of an upward jump", "rent_growth_h100_after_trough", ge=0, le=1
    )
    surge_size: float = par(0.10, "log", "size of an upward jump", ge=0, le=1)
    stress_jump: float = par(-0.10, "log", "jump when an AI-demand stress begins", ge=-5, le=5)
    stress_drift: float = par(-0.035, "log/month", "drift of demand in stress, in place of its growth", ge=-1, le=1)
    stress_volatility: float = par(0.04, "log/month", "volatility in stress", ge=0, le=1)
    deflation: float = par(
        0.0,
        "log/month",
        "fall of the rent that each unit of demand can pay, from efficiency gains",
        "hw_price_performance_growth",
        ge=-1,
        le=1,
    )
    deflation_volatility: float = par(0.01, "log/month", "volatility of the efficiency shock", ge=0, le=1)
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
    first_month: int = par(
        24,
        "month",
        "first month in which a stress can begin",
        ge=0,
        range=(12, 36),
        because="an earlier stress would stand in the recorded past, a later one ends with the horizon",
    )


class Block(Section):
    """A block of used GPUs that outside investors put on the market."""

    month: int = par(0, "month", "month in which the block comes to market", ge=0)
    chip: str = par("H100", "text", "its generation")
    units: float = par(0.0, "GPU", "its size (0 = no block)", ge=0)
    days: int = par(
        30, "day", "time within which it is sold: by parts every month, at any price in the last; less than a month leaves less of it to search",
        "liq_factor_auction_30d", ge=1,
    )  # fmt: skip


class Drivers(Section):
    """What is drawn before the run."""

    coin: Coin = Coin()
    demand: Demand = Demand()
    regimes: Regimes = Regimes()
    block: Block = Block()
    file: str | None = par(
        None, "path", "CSV with columns month, btc_return, demand_growth, ...: replaces the draws it has columns for"
    )
