"""Fire-sale equilibria: prices at which what must be sold at these prices brings about these prices.

With falling demand there can be several. Iterating from the undisturbed prices and full payment gives the greatest
equilibrium, from everything sold and nothing paid the least; when they differ, expectations decide which one comes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from agents.lenders.calls import cure_by_sale, margin_gap
from agents.lenders.clearing import clear_payments
from agents.lenders.marks import mark_lot
from agents.rule import entry
from agents.tables.loans import LoanKind, LoanStatus
from agents.tables.operators import reserve_cash
from simulation.markets.impact import price_left
from simulation.world.world import World

_STEPS = 200_000


#: Maps units sold of each asset (M) to prices (M).
InverseDemand = Callable[[np.ndarray], np.ndarray]


class Equilibrium(NamedTuple):
    """Prices (M), share that each institution sells (N), units sold (M), payments, inflow and equity (N, USD; equity before
    limited liability), the prices on the way there, and whether the iteration came to rest."""

    prices: np.ndarray
    share: np.ndarray
    sold: np.ndarray
    payments: np.ndarray
    inflow: np.ndarray
    equity: np.ndarray
    path: list[np.ndarray]
    at_rest: bool


def sale_share(
    rule: str, value: np.ndarray, equity: np.ndarray, short: np.ndarray, fixed: np.ndarray, ratio: float
) -> np.ndarray:
    """Return the share of its holdings (N) that each institution must sell.

    ``capital_ratio``: the least that brings equity to ``ratio`` of what it still holds plus ``fixed`` assets, all when
    equity is gone (Cifuentes, Ferrucci and Shin 2005, eq. 8). ``shortfall``: what covers ``short`` (USD; Amini, Filipovic
    and Minca 2016; Feinstein 2017). All arrays in USD.
    """
    if rule == "capital_ratio":
        gap, gain = ratio * (value + fixed) - equity, ratio * value
        share = np.divide(gap, gain, out=np.ones_like(value), where=gain > 0)
        share[equity <= 0] = 1.0
    else:
        share = np.divide(short, value, out=np.ones_like(value), where=value > 0)
        share[short <= 0] = 0.0
    return np.where(value > 0, np.clip(share, 0.0, 1.0), 0.0)


class Market(NamedTuple):
    """N institutions with holdings (N x M units) and debts (N x N and N, USD), and the market they sell into."""

    holdings: np.ndarray
    cash: np.ndarray
    external: np.ndarray
    owed: np.ndarray
    demand: InverseDemand
    rule: str
    ratio: float = 0.0
    fixed: np.ndarray | float = 0.0

    def respond(self, prices: np.ndarray, greatest: bool = True) -> tuple[np.ndarray, ...]:
        """Return (share sold, payments, inflow, equity) at given prices: clearing first, then the rule of sale."""
        n = len(self.cash)
        if (
            self.holdings.ndim != 2
            or self.holdings.shape[0] != n
            or self.owed.shape != (n, n)
            or self.external.shape != (n,)
        ):
            raise ValueError(f"{n} institutions need holdings of {n} rows, debts of {n} x {n} and {n} outside debts")
        value = self.holdings @ prices
        debtor, creditor = np.nonzero(self.owed)
        payments, total, inflow = np.zeros(n), np.zeros(n), np.zeros(n)
        fixed = np.zeros(n) + self.fixed
        clear_payments(
            debtor, creditor, self.owed[debtor, creditor], len(debtor), self.cash + fixed + value, self.external, 1.0, 1.0,
            payments, total, inflow, greatest,
        )  # fmt: skip
        equity = self.cash + fixed + value + inflow - total
        share = sale_share(self.rule, value, equity, total - self.cash - inflow, fixed + inflow, self.ratio)
        return share, payments, inflow, equity


def equilibrium(market: Market, *, greatest: bool = True) -> Equilibrium:
    """Return the greatest or the least equilibrium by monotone iteration, to rounding."""
    none, everything = np.zeros(market.holdings.shape[1]), market.holdings.sum(0)
    prices = market.demand(none if greatest else everything)
    path = [prices]
    for _ in range(_STEPS):
        share, payments, inflow, equity = market.respond(prices, greatest)
        after = market.demand(market.holdings.T @ share)
        after = np.minimum(after, prices) if greatest else np.maximum(after, prices)
        if len(path) < 100:
            path.append(after)
        change = np.abs(after - prices).max()
        prices = after
        if change < 1e-15:
            break
    return Equilibrium(prices, share, market.holdings.T @ share, payments, inflow, equity, path, change < 1e-12)


def all_prices(market: Market, points: int = 4001) -> list[float]:
    """Return every equilibrium price of a market with one asset, unstable ones too: a scan, then bisection by Brent."""
    from scipy.optimize import brentq

    def excess(p: float) -> float:
        share, *_ = market.respond(np.array([p]))
        return float(market.demand(market.holdings.T @ share)[0]) - p

    low, high = float(market.demand(market.holdings.sum(0))[0]), float(market.demand(np.zeros(1))[0])
    grid = np.linspace(low, high, points)
    values = np.array([excess(p) for p in grid])
    found = [float(p) for p, v in zip(grid, values, strict=True) if abs(v) < 1e-14]
    for k in np.flatnonzero(values[:-1] * values[1:] < 0):
        found.append(float(brentq(excess, grid[k], grid[k + 1], xtol=1e-15)))
    return sorted({round(p, 13): p for p in found}.values())


@entry
def sales_at(w, prices, sold, relief):
    """Write the units (M) that secured borrowers must sell when GPUs are appraised and sold at ``prices`` (USD).

    As a margin call: cash above the reserve first, then pledged units until the covenant LTV is met, or all of them.
    ``relief`` holds the cash left by operator (USD). Returns the USD of loans whose collateral no longer covers them.
    """
    terms = w.terms[0]
    clock = w.clock[0]
    uncovered = 0.0
    for g in range(len(sold)):
        sold[g] = 0.0
        w.chips[g].appraisal = prices[g]
    for i in range(len(w.operators)):
        relief[i] = max(0.0, w.operators[i].cash - reserve_cash(w.operators[i], terms.credit_call_cash))
    for k in range(clock.used_loans):
        loan = w.loans[k]
        if loan.kind != LoanKind.EQUIPMENT or (
            loan.status != LoanStatus.PERFORMING and loan.status != LoanStatus.CALLED
        ):
            continue
        lender = w.lenders[loan.lender]
        node = len(w.lenders) + loan.borrower
        collateral = 0.0
        worth = 0.0
        j = w.first_lot[node]
        while j >= 0:
            lot = w.lots[j]
            if lot.loan == k:
                collateral += lot.units * mark_lot(lender, lot, w.chips[lot.chip], clock.month)
                worth += lot.units * prices[lot.chip]
            j = lot.following
        uncovered += max(0.0, loan.principal - worth)
        gap = margin_gap(loan, collateral, terms)
        if gap > 0.0:
            paid = min(gap, relief[loan.borrower])
            relief[loan.borrower] -= paid
            gap -= paid
        j = w.first_lot[node]
        while j >= 0:
            lot = w.lots[j]
            if lot.loan == k and gap > 0.0:
                units, closed = cure_by_sale(
                    lender, lot, w.chips[lot.chip], loan.covenant_ltv, gap, prices[lot.chip], clock.month
                )
                gap -= closed
                sold[lot.chip] += units
            j = lot.following
    return uncovered


class WorldEquilibrium(NamedTuple):
    """Prices (M, USD/GPU), units sold (M) and loans not covered by their collateral at these prices (USD)."""

    prices: np.ndarray
    sold: np.ndarray
    uncovered: float
    steps: int


def world_equilibrium(world: World, *, greatest: bool = True) -> WorldEquilibrium:
    """Return the fire-sale equilibrium of a world's loans as they stand, in its `inverse_demand` market.

    P_g = min(appraisal, value in use) x impact of the units sold over the stock, not below scrap; covenants and marks as
    in a margin call. From the prices as they stand (greatest), or from all collateral sold (least). The world is left as it was.
    """
    terms, chips = world.terms[0], world.chips
    kept = chips.appraisal.copy()
    top = np.minimum(chips.appraisal, chips.fundamental)
    stock, scrap = np.maximum(chips.stock, 1.0), chips.scrap.copy()
    sold, relief = np.zeros(len(chips)), np.zeros(len(world.operators))
    left = getattr(price_left, "py_func", price_left)

    def price(units: np.ndarray) -> np.ndarray:
        parts = [left(int(terms.market_impact_form), float(terms.market_impact), float(x)) for x in units / stock]
        return np.maximum(scrap, top * np.array(parts))

    pledged = np.zeros(len(chips))
    used = world.lots[: world.clock[0].used_lots]
    held = used[(used.owner >= 0) & (used.loan >= 0)]
    np.add.at(pledged, held.chip, held.units)
    prices = price(np.zeros(len(chips)) if greatest else pledged)
    step = 0
    while step < _STEPS:
        step += 1
        uncovered = sales_at(world, prices, sold, relief)
        after = price(sold)
        after = np.minimum(after, prices) if greatest else np.maximum(after, prices)
        change = float(np.abs(after - prices).max())
        prices = after
        if change < 1e-9:
            break
    chips.appraisal[:] = kept
    return WorldEquilibrium(prices, sold.copy(), uncovered, step)
