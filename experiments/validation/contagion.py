"""Windows of contagion by Monte Carlo: default networks through the clearing rule, common assets through deleveraging rounds."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from agents.lenders.clearing import clear_payments
from experiments.validation.band import Band
from experiments.validation.cases import Case
from simulation.literature.deleveraging import cascade, clear_sales, make_system, order_sales

_TIE = 1e-9


_STREAM = 20_100_601


def _links(
    rng: np.random.Generator, rows: int, columns: int, mean: float, loops: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Draw independent links between ``rows`` and ``columns`` with ``mean`` a row, sorted by row; without loops unless ``loops``."""
    width = columns if loops else columns - 1
    if not 0.0 <= mean <= 0.5 * width:
        raise ValueError(f"a mean of {mean} links a row is not between 0 and half of {width}")
    count = rng.binomial(rows * width, mean / width)
    codes = np.zeros(0, np.int64)
    while len(codes) < count:
        # Drawn without replacement: what was drawn twice is drawn again. (Sorting is quicker than np.unique.)
        codes = np.sort(np.concatenate([codes, rng.integers(0, rows * width, count - len(codes))]))
        codes = codes[np.append(codes[:-1] != codes[1:], True)]
    row, column = np.divmod(codes, width)
    if not loops:
        column = column + (column >= row)
    return row, column


def _default_fraction(rng: np.random.Generator, n: int, z: float, buffer: float, share: float) -> float:
    """Return the share of banks that default after one of them fails: no recovery (alpha = beta = 0), no price effect.

    Total assets 1 each, ``share`` of them split evenly over the borrowers; a bank defaults when losses exceed ``buffer``.
    """
    lender, borrower = _links(rng, n, n, z, loops=False)
    degree = np.bincount(lender, minlength=n)
    owed = share / degree[lender]
    outside = np.where(degree > 0, 1.0 - share, 1.0)
    # Deposits make up the rest: every bank owes 1 - buffer in all.
    deposits = 1.0 - buffer - np.bincount(borrower, owed, minlength=n)
    outside[rng.integers(n)] = -1.0
    payments, total, inflow = np.zeros(n), np.zeros(n), np.zeros(n)
    clear_payments(borrower, lender, owed, len(owed), outside, deposits, 0.0, 0.0, payments, total, inflow, True)
    return float((payments < 0.5 * total).mean())


def spread_by_sales(rng: np.random.Generator, n: int, m: int, mean: float, leverage: float, alpha: float) -> float:
    """Return the share of banks that fail after one of them liquidates: equal weights over the assets held, no cash."""
    bank, asset = _links(rng, n, m, mean, loops=True)
    degree = np.bincount(bank, minlength=n)
    units = 1.0 / degree[bank]
    issued = np.bincount(asset, units, minlength=m)
    first = np.concatenate(([0], np.cumsum(degree)))
    # Banks that hold nothing keep their unit in cash.
    zero = np.zeros(n)
    system = make_system(
        np.where(degree > 0, 0.0, 1.0),
        (first, asset, units),
        zero,
        np.full(n, 1.0 - 1.0 / leverage),
        zero,
        issued=issued,
        impact=alpha,
    )
    hit = system.institutions[rng.integers(n)]
    hit["loan"] = 2.0
    return cascade(system) / n


def _window(
    draw: Callable[[np.random.Generator], float], draws: int, threshold: float, key: int
) -> tuple[float, float | None]:
    """Return how often a failure spreads to more than ``threshold`` of all, and how far it then goes on average."""
    rngs = [np.random.default_rng(s) for s in np.random.SeedSequence([_STREAM, key]).spawn(draws)]
    # One thread: the draws are too short for more.
    fractions = np.array([draw(rng) for rng in rngs])
    spread = fractions > threshold
    return float(spread.mean()), float(fractions[spread].mean()) if spread.any() else None


def _bands(
    case: Case, name: str, results: list[tuple[float, float | None]], extra: float, near: float, draws: int
) -> dict[str, Any]:
    """Return frequencies with bands of three standard errors + ``extra``, extents with ``near`` (wide at the window's edges)."""
    frequency, extent = [], []
    for k, (often, far) in enumerate(results):
        f = float(case.expected["frequency"][k])
        frequency.append(Band(often, 3 * math.sqrt(f * (1 - f) / draws) + extra))
        given = case.expected["extent"][k]
        edge = given is None or far is None or f < 0.3
        # At an edge few draws spread, and how far is mostly chance: said, not held against the model.
        extent.append(Band(far if given is not None else None, math.inf if edge else near))
    return {"frequency": frequency, "extent": extent}


def default_window(case: Case) -> dict[str, Any]:
    """Gai and Kapadia (2010): frequency and extent of contagion by the average degree z."""
    x = case.inputs
    # "Weak" lets a loss equal to the buffer break a bank: a hair less buffer; "strict" needs a hair more than the buffer.
    buffer = x["K"] + (-_TIE if x.get("tie") == "weak" else _TIE)
    results = []
    for k, z in enumerate(x["z"]):
        results.append(
            _window(
                partial(_default_fraction, n=int(x["n_banks"]), z=z, buffer=buffer, share=x["interbank_assets_share"]),
                int(x["draws"]),
                x["contagion_threshold"],
                k,
            )
        )
    return _bands(case, "z", results, 0.03, 0.02, int(x["draws"]))


def sales_window(case: Case) -> dict[str, Any]:
    """Caccioli et al. (2014): frequency and extent of contagion by the average number of assets held."""
    x = case.inputs
    results = [
        _window(
            partial(spread_by_sales, n=int(x["N"]), m=int(x["M"]), mean=mu, leverage=x["leverage"], alpha=x["alpha"]),
            int(x["draws"]),
            x["contagion_threshold"],
            k,
        )
        for k, mu in enumerate(x["mu_b"])
    ]
    return _bands(case, "mu_b", results, 0.02, 0.03, int(x["draws"]))


def sales_by_round(case: Case) -> dict[str, Any]:
    """Caccioli et al. (2014), one given network, round by round."""
    x = case.inputs
    weights = np.array(x["W"], float)
    n = len(weights)
    zero = np.zeros(n)
    system = make_system(zero, weights, zero, np.full(n, 1.0 - 1.0 / x["leverage"]), zero, impact=x["alpha"])
    system.institutions["loan"][x["seed_bank"]] = 2.0
    rounds = []
    new = order_sales(*system)
    while new:
        clear_sales(*system)
        loss = weights @ (1.0 - system.assets["price"])
        rounds.append(
            {
                "failed": [bool(f) for f in system.institutions["failed"]],
                "sold_fraction": system.assets["sold"] / system.assets["issued"],
                "price": system.assets["price"].copy(),
                "loss": loss,
            }
        )
        new = order_sales(*system)
    return {"rounds": rounds, "failed": rounds[-1]["failed"], "prices": rounds[-1]["price"]}


FORMS = (
    (lambda x: {"K", "z", "n_banks", "interbank_assets_share", "draws"} <= set(x), default_window),
    (lambda x: {"mu_b", "leverage", "alpha", "N", "M", "draws"} <= set(x), sales_window),
    (lambda x: {"W", "leverage", "alpha", "seed_bank"} <= set(x), sales_by_round),
)
