"""What the claims read from a finished run: one row of numbers, the same for every claim."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from agents.tables.events import SaleReason
from experiments.prices import price_path
from simulation.record.summary import reference_row, summarise
from simulation.world.world import World

#: Month in which the block of the claims on collateral comes to market, and its size (chips of the reference generation).
BLOCK_MONTH, BLOCK = 30, 10_000.0
#: Months for which the price is followed after the block.
BLOCK_AFTER = 24
#: Months after which a block ought to be placed.
_YEAR = 12
#: Month in which old chips are looked at: four years after the start.
_OLD = 48
#: The third year: debt is large and no stress of the first years is left.
_THIRD_YEAR = slice(24, 36)

#: The price of the reference generation (see :func:`experiments.prices.price_path`) in the month of the block and in the months after it (USD).
PRICES = tuple(f"price_{month}" for month in range(BLOCK_AFTER + 1))

#: Taken from the summary as they are.
_SUMMARY = (
    "systemic",
    "losses",
    "loss_share",
    "lgd",
    "hidden_peak",
    "discount_mean",
    "cascade_max",
    "lender_failures",
    "defaults",
    "defaults_miner",
    "unsold_peak",
    "debt_peak",
    "lead",
)


def _prices(world: World) -> np.ndarray:
    """Return the prices named by PRICES (USD), nan beyond the horizon."""
    found = np.full(len(PRICES), np.nan)
    there = price_path(world, reference_row(world))[BLOCK_MONTH : BLOCK_MONTH + len(PRICES)]
    found[: len(there)] = there
    return found


def _block_unsold(world: World) -> float:
    """Return the share of a block of the claims' size that is not sold in its month and the twelve after it."""
    trades = world.trades.view(np.ndarray)[: int(world.clock.view(np.ndarray)["trades"][0])]
    sold = (trades["reason"] == SaleReason.IMPOSED) & (trades["month"] <= BLOCK_MONTH + _YEAR)
    # Lots are cut into fractions of a chip: what is left of rounding is not unsold.
    return max(0.0, 1.0 - round(float(trades["units"][sold].sum()) / BLOCK, 9))


def _old_chip(world: World) -> float:
    """Return the value in use of a chip of the reference generation four years after the start (USD)."""
    values = world.chip_panel.view(np.ndarray)["fundamental"][reference_row(world) :: len(world.chips)]
    return float(values[_OLD]) if len(values) > _OLD else np.nan


def _illusion(world: World) -> float:
    """Return the executable less the booked LTV of the largest borrower, mean of the third year (ratio)."""
    rows = world.panel.view(np.ndarray)[_THIRD_YEAR]
    return float((rows["largest_executable_ltv"] - rows["largest_booked_ltv"]).mean()) if len(rows) else np.nan


def _vendor_paid(world: World) -> float:
    """Return what a vendor's backstop has paid for idle hours (USD)."""
    return float(world.panel.view(np.ndarray)["vendor_paid"].sum())


def _thin(world: World) -> float:
    """Return the largest share of performing debt owed at a DSCR below one."""
    return float(world.panel.view(np.ndarray)["dscr_below_one"].max())


#: Read by a function of their own: name and function.
_OWN: dict[str, Callable[[World], float]] = {
    "thin": _thin,
    "illusion": _illusion,
    "old_chip": _old_chip,
    "block_unsold": _block_unsold,
    "vendor_paid": _vendor_paid,
}

#: Every measure, in the order of a row; "boom" is the loans drawn in the second year less those of the first, "borne" the
#: losses of creditors and what a vendor paid (USD).
MEASURES = (*_SUMMARY, "boom", "borne", *_OWN, *PRICES)


def read(world: World) -> np.ndarray:
    """Return the measures of a finished world, one row in the order of MEASURES."""
    summary = summarise(world)
    return np.array(
        [
            *(float(summary[name]) for name in _SUMMARY),
            summary["issuance_2025"] - summary["issuance_2024"],
            summary["losses"] + _vendor_paid(world),
            *(one(world) for one in _OWN.values()),
            *_prices(world),
        ]
    )
