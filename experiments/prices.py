"""What a used chip costs in a month, as whoever trades it would say."""

from __future__ import annotations

import numpy as np

from simulation.world.world import World


def price_path(world: World, chip: int) -> np.ndarray:
    """Return the price of a generation by month (USD/GPU, one entry a month of the horizon).

    In a month with trades it is what was paid, weighted by units; in a month without any it is the appraisal. The last
    traded price goes stale: while contracts bind chips hardly anything trades but blocks and seized hardware, and the
    price of one sale would stand for years. The best bid is for the first unit alone and knows nothing of size. The
    appraisal holds past trades by their evidence, rents and list prices, and it is what lenders mark.
    """
    months, n_g = len(world.panel), len(world.chips)
    trades = world.trades.view(np.ndarray)[: int(world.clock["trades"][0])]
    trades = trades[trades["chip"] == chip]
    units = np.bincount(trades["month"], trades["units"], months)
    usd = np.bincount(trades["month"], trades["units"] * trades["price"], months)
    path = world.chip_panel.view(np.ndarray)["appraisal"][chip : months * n_g : n_g].copy()
    sold = units > 0.0
    path[sold] = usd[sold] / units[sold]
    return path
