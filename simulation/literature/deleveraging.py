"""Institutions with common assets that sell when their capital ratio is too low: stress tests of the literature.

The world of this project has loans, covenants and buyers; here are the same rules of sale, payment and price impact
with balance sheets only, so that they can be held against published results and run on other people's data.
Rounds are simultaneous: all measure themselves at the same prices, all orders clear together, then again.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from agents.rule import entry, rule
from agents.schema import Rows
from agents.valuation import units_to_cure
from simulation.markets.impact import ImpactForm, price_left, price_left_above

#: One institution (USD). ``loan`` can be repaid early, ``liabilities`` cannot.
INSTITUTION = np.dtype(
    [("cash", "f8"), ("other", "f8"), ("loan", "f8"), ("liabilities", "f8"), ("failed", "i8"), ("offered", "f8")],
    align=True,
)


#: One holding: which asset, how many units, how many of them are on offer.
HOLDING = np.dtype([("asset", "i8"), ("units", "f8"), ("offered", "f8")], align=True)


#: One asset: price, price at the start, units issued, impact, floor and depth (depth 0: no floor), units sold so far.
ASSET = np.dtype(
    [(n, "f8") for n in ("price", "start", "issued", "impact", "floor", "depth", "sold", "wanted", "left")], align=True
)


#: How all institutions behave: capital ratios (equity over assets) below which they fail, below which they sell, and
#: to which; share of the price's fall that sellers bear; form of the impact; whether proceeds repay debt at once.
CONDUCT = np.dtype(
    [("minimum", "f8"), ("trigger", "f8"), ("target", "f8"), ("borne", "f8"), ("form", "i8"), ("repay", "i8")],
    align=True,
)


class System(NamedTuple):
    """A system of N institutions and M assets: records, and holdings in compressed rows (``first`` has N + 1 entries)."""

    institutions: Rows
    first: np.ndarray
    holdings: Rows
    assets: Rows
    conduct: Rows


@rule
def order_one(bank, first, last, holdings, assets, conduct):
    """Let one institution fail, or repay from cash and offer what it must sell; return 1 if it fails.

    To return from equity E and assets A to the ratio t it must shed A - E/t (USD).
    """
    value = 0.0
    for k in range(first, last):
        value += holdings[k].units * assets[holdings[k].asset].price
    total = bank.cash + bank.other + value
    equity = total - bank.loan - bank.liabilities
    part = 0.0
    if equity < conduct.minimum * total or (equity <= 0.0 and conduct.trigger > 0.0):
        # No sale brings it back: everything goes.
        bank.failed = 1
        part = 1.0
    elif equity < conduct.trigger * total:
        need = max(0.0, total - equity / conduct.target)
        paid = min(need, bank.cash, bank.loan)
        bank.cash -= paid
        bank.loan -= paid
        part = units_to_cure(need - paid - bank.cash, value, 1.0)
    bank.offered = part * value
    for k in range(first, last):
        holdings[k].offered = part * holdings[k].units
    return bank.failed


@entry
def order_sales(institutions, first, holdings, assets, conduct):
    """Let every institution decide at current prices; return how many fail now."""
    failures = 0
    rules = conduct[0]
    for i in range(len(institutions)):
        bank = institutions[i]
        if bank.failed == 0:
            failures += order_one(bank, first[i], first[i + 1], holdings, assets, rules)
        else:
            bank.offered = 0.0
            for k in range(first[i], first[i + 1]):
                holdings[k].offered = 0.0
    return failures


@entry
def clear_sales(institutions, first, holdings, assets, conduct):
    """Clear all offers together at the impact price and pay the sellers; return the units sold.

    With ``repay`` proceeds go to the loan, and to cash beyond it.
    """
    rules = conduct[0]
    sold = 0.0
    for asset in assets:
        asset.wanted = 0.0
    for k in range(len(holdings)):
        assets[holdings[k].asset].wanted += holdings[k].offered
    for asset in assets:
        sold += asset.wanted
        if asset.wanted <= 0.0 or asset.issued <= 0.0:
            asset.left = 1.0
        elif asset.depth > 0.0:
            asset.left = price_left_above(
                asset.price, asset.start, asset.floor, asset.depth, asset.wanted * asset.price
            )
        else:
            asset.left = price_left(rules.form, asset.impact, asset.wanted / asset.issued)
        asset.sold += asset.wanted
    for i in range(len(institutions)):
        bank = institutions[i]
        proceeds = 0.0
        for k in range(first[i], first[i + 1]):
            holding = holdings[k]
            if holding.offered > 0.0:
                asset = assets[holding.asset]
                proceeds += holding.offered * asset.price * (1.0 - rules.borne * (1.0 - asset.left))
                holding.units -= holding.offered
        repaid = min(proceeds, bank.loan) if rules.repay == 1 else 0.0
        bank.loan -= repaid
        bank.cash += proceeds - repaid
    for asset in assets:
        asset.price *= asset.left
    return sold


@entry
def run_rounds(institutions, first, holdings, assets, conduct, steps, failures, sold):
    """Clear and decide ``steps`` times (the first clearing finds no offers); write failures and units sold so far by step.

    With ``steps`` below zero until nobody fails and nothing is sold; then only the last entries are written. Returns the steps.
    """
    total = 0.0
    done = 0
    while True:
        now = clear_sales(institutions, first, holdings, assets, conduct) if done > 0 else 0.0
        total += now
        new = order_sales(institutions, first, holdings, assets, conduct)
        slot = done if steps > 0 else 0
        failures[slot] = new if steps > 0 else failures[slot] + new
        sold[slot] = total
        done += 1
        # Prices that are no numbers would never come to rest.
        if done == steps or (steps < 0 and done > 1 and new == 0 and not now > 0.0) or done > 1_000_000:
            return done


def make_system(
    cash: np.ndarray,
    holdings: np.ndarray | tuple[np.ndarray, np.ndarray, np.ndarray],
    other: np.ndarray,
    loan: np.ndarray,
    liabilities: np.ndarray,
    *,
    prices: np.ndarray | float = 1.0,
    issued: np.ndarray | None = None,
    impact: np.ndarray | float = 0.0,
    floor: np.ndarray | float = 0.0,
    depth: np.ndarray | float = 0.0,
    minimum: float = 0.0,
    trigger: float = 0.0,
    target: float = 1.0,
    borne: float = 1.0,
    form: int = ImpactForm.EXPONENTIAL,
    repay: bool = False,
) -> System:
    """Return a system of N institutions: vectors of N entries (USD), holdings as an N x M matrix of units.

    Sparse holdings come as (first, asset, units) in compressed rows, then ``issued`` (M units) is needed. ``impact`` is
    per share of the issue. Raises ValueError where shapes do not fit, or values are not finite or negative.
    """
    if isinstance(holdings, tuple):
        first, asset, units = holdings
        if issued is None:
            raise ValueError("sparse holdings need the units issued")
    else:
        matrix = np.ascontiguousarray(holdings, float)
        if matrix.ndim != 2 or len(matrix) != len(cash):
            raise ValueError(f"holdings must be a matrix with one row for each of the {len(cash)} institutions")
        held = matrix != 0.0
        first = np.concatenate(([0], np.cumsum(held.sum(1))))
        asset, units = np.nonzero(held)[1], matrix[held]
        issued = matrix.sum(0) if issued is None else issued
    rows = np.zeros(len(cash), INSTITUTION).view(Rows)
    for name, values in (("cash", cash), ("other", other), ("loan", loan), ("liabilities", liabilities)):
        column = np.asarray(values, float)
        if column.shape != rows.shape or not np.isfinite(column).all():
            raise ValueError(f"{name} must have {len(rows)} finite entries")
        rows[name] = column
    if not np.isfinite(units).all() or (units < 0).any():
        raise ValueError("holdings must be finite and not negative")
    lots = np.zeros(len(units), HOLDING).view(Rows)
    lots["asset"], lots["units"] = asset, units
    table = np.zeros(len(issued), ASSET).view(Rows)
    for name, given in (
        ("price", prices),
        ("start", prices),
        ("issued", issued),
        ("impact", impact),
        ("floor", floor),
        ("depth", depth),
    ):
        table[name] = given
        if not np.isfinite(table[name]).all():
            raise ValueError(f"{name} must be finite")
    conduct = np.array([(minimum, trigger, target, borne, form, repay)], CONDUCT).view(Rows)
    return System(rows, np.asarray(first, np.int64), lots, table, conduct)


class Rounds(NamedTuple):
    """What happened by step: institutions that failed then, and the share of all units sold so far."""

    failures: np.ndarray
    sold: np.ndarray


def deleverage(system: System, steps: int) -> Rounds:
    """Run ``steps`` rounds on ``system``, which is changed; see :func:`run_rounds`. Raises ValueError on steps < 1."""
    if steps < 1:
        raise ValueError(f"steps must be at least 1, not {steps}")
    failures, sold = np.zeros(steps, np.int64), np.zeros(steps)
    run_rounds(*system, steps, failures, sold)
    return Rounds(failures, sold / max(float(system.assets["issued"].sum()), 1e-300))


def cascade(system: System) -> int:
    """Run rounds until nobody fails and nothing is sold; return how many failed. The system is changed."""
    failures, sold = np.zeros(1, np.int64), np.zeros(1)
    run_rounds(*system, -1, failures, sold)
    return int(failures[0])


class Linear(NamedTuple):
    """One round of leverage targeting in linear accounting; N institutions, M assets (USD and returns)."""

    returns: np.ndarray
    sales: np.ndarray
    flows: np.ndarray
    asset_returns: np.ndarray
    spillover: np.ndarray
    direct_vulnerability: float
    aggregate_vulnerability: float
    systemicness: np.ndarray
    indirect_vulnerability: np.ndarray


def target_leverage(
    assets: np.ndarray, weights: np.ndarray, leverage: np.ndarray, impact: np.ndarray, shock: np.ndarray
) -> Linear:
    """Return one round of Greenwood, Landier and Thesmar (2015): everybody returns to its leverage B = debt/equity.

    ``assets`` N (USD), ``weights`` N x M, ``leverage`` N, ``impact`` M (return per USD sold), ``shock`` M (returns).
    f2 = -L M' B A M f1; AV = 1' A M L M' B A M f1 / E (both signs as losses).
    """
    a, m, b = (np.asarray(x, float) for x in (assets, weights, leverage))
    psi, f1 = np.asarray(impact, float), np.asarray(shock, float)
    equity = a / (1.0 + b)
    returns = m @ f1
    sales = -b * a * returns
    flows = -(m.T @ sales)
    second = psi * flows
    spill = -a * (m @ second)
    # What the sales of one institution alone cost everybody.
    alone = np.array([(a * (m @ (psi * m[i] * sales[i]))).sum() for i in range(len(a))])
    total = equity.sum()
    return Linear(
        returns,
        sales,
        flows,
        second,
        spill,
        float(-(a * returns).sum() / total),
        float(spill.sum() / total),
        alone / total,
        spill / equity,
    )
