"""Leveraged value investors and noise traders in one asset, in discrete time (Thurner, Farmer and Geanakoplos 2012).

The smallest market in which buyers' finite wealth and a cap on leverage make prices by themselves: a yardstick for what
leverage alone does to returns.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from agents.rule import entry, rule


@rule
def fund_demand(price, value, aggression, cap, cash, shares):
    """Return the units a fund wants: min(aggression x mispricing, cap) x wealth / price, none without wealth or mispricing."""
    wealth = cash + shares * price
    gap = value - price
    if gap <= 0.0 or wealth <= 0.0:
        return 0.0
    return min(aggression * gap, cap) * wealth / price


@rule
def excess_demand(price, value, aggression, cap, cash, shares, noise, supply):
    """Return units wanted by funds and noise traders (``noise`` USD) less the supply."""
    wanted = noise / price - supply
    for h in range(len(aggression)):
        wanted += fund_demand(price, value, aggression[h], cap, cash[h], shares[h])
    return wanted


@rule
def clearing_price(before, value, aggression, cap, cash, shares, noise, supply):
    """Return the clearing price nearest to the one before: excess demand need not be monotone when margins bind."""
    first = excess_demand(before, value, aggression, cap, cash, shares, noise, supply)
    step = 1.002 if first > 0.0 else 1.0 / 1.002
    low = before
    high = before
    for _ in range(20_000):
        high = low * step
        if (excess_demand(high, value, aggression, cap, cash, shares, noise, supply) > 0.0) != (first > 0.0):
            break
        low = high
    for _ in range(60):
        middle = 0.5 * (low + high)
        if (excess_demand(middle, value, aggression, cap, cash, shares, noise, supply) > 0.0) == (first > 0.0):
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


@entry
def run_funds(draws, aggression, cap, start, terms, cash, shares, performance, away, prices, wealth):
    """Write ``prices`` and the funds' total ``wealth`` (USD) by step; the other arrays hold the funds' state.

    ``draws`` are standard normal, one a step; ``terms`` is (value, supply, persistence and volatility of noise, flow
    sensitivity, benchmark return, memory of performance, steps before a failed fund returns).
    """
    value, supply, persistence, volatility, sensitivity, benchmark, memory, pause = terms
    log_noise = math.log(value * supply)
    price = value
    for t in range(len(draws)):
        log_noise = persistence * log_noise + volatility * draws[t] + (1.0 - persistence) * math.log(value * supply)
        new = clearing_price(price, value, aggression, cap, cash, shares, math.exp(log_noise), supply)
        wealth[t] = 0.0
        for h in range(len(aggression)):
            if away[h] > 0:
                away[h] -= 1
                if away[h] == 0:
                    cash[h] = start
                continue
            held = shares[h]
            before = cash[h] + held * price
            wanted = fund_demand(new, value, aggression[h], cap, cash[h], held)
            cash[h] -= (wanted - held) * new
            shares[h] = wanted
            own = cash[h] + wanted * new
            if before > 0.0:
                performance[h] = memory * held * (new - price) / before + (1.0 - memory) * performance[h]
            if own < 0.1 * start:
                # Failed, or too small to go on: another fund like it opens later.
                cash[h] = 0.0
                shares[h] = 0.0
                performance[h] = 0.0
                away[h] = int(pause)
                continue
            cash[h] += max(-1.0, sensitivity * (performance[h] - benchmark)) * own
            wealth[t] += own
        price = new
        prices[t] = price


class Funds(NamedTuple):
    """Prices and the funds' total wealth by step."""

    prices: np.ndarray
    wealth: np.ndarray


def leveraged_funds(
    cap: float, steps: int, seed: int, *, funds: int = 10, volatility: float = 0.035, persistence: float = 0.99, supply: float = 1000.0,
    start: float = 2.0, sensitivity: float = 0.15, benchmark: float = 0.005, memory: float = 0.1, pause: int = 100, aggression: float = 5.0,
) -> Funds:  # fmt: skip
    """Run ``steps`` of a market with ``funds`` of aggression 5, 10, 15, ... and leverage up to ``cap``; value 1, no funds with 0."""
    rng = np.random.default_rng(seed)
    zeros = [np.zeros(funds) for _ in range(2)]
    prices, wealth = np.zeros(steps), np.zeros(steps)
    terms = (1.0, supply, persistence, volatility, sensitivity, benchmark, memory, float(pause))
    run_funds(
        rng.standard_normal(steps), aggression * np.arange(1.0, funds + 1), float(cap), float(start), terms, np.full(funds, float(start)), *zeros,
        np.zeros(funds, np.int64), prices, wealth,
    )  # fmt: skip
    return Funds(prices, wealth)
