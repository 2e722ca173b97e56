"""What chips earn and for how long, what agents believe about rents, and the few powers that takes."""

from __future__ import annotations

import math

from agents.rule import rule


@rule
def power_of(x, k):
    """Return ``x`` to the whole power ``k`` >= 0 by squaring (the same bits compiled and interpreted)."""
    result = 1.0
    base = x
    n = k
    while n > 0:
        if n & 1:
            result *= base
        base *= base
        n >>= 1
    return result


@rule
def believed_decline(own, weight, trend, floor, cap):
    """Return the monthly rent decline an agent expects: own belief blended with the observed trend (1/month)."""
    d = weight * own + (1.0 - weight) * trend
    return min(cap, max(floor, d))


@rule
def monthly_rent(rent, hours, performance, utilisation, overhead):
    """Return what one chip earns a month (USD) at a spot rent of ``rent`` USD per performance unit and hour."""
    return rent * hours * performance * utilisation * (1.0 - overhead)


@rule
def economic_life(rent, cost, decline, hurdle, life, scrap):
    """Return the months until a chip's margin no longer beats keeping its scrap value tied up, at most ``life``."""
    least = cost + hurdle * scrap
    if rent <= least:
        return 0.0
    if least <= 0.0 or decline <= 0.0:
        return life
    return min(life, math.log(least / rent) / math.log(1.0 - decline))


@rule
def units_to_cure(gap, gain, units):
    """Return how many of ``units`` must be sold to close ``gap`` (USD) when each closes ``gain`` (USD a unit).

    All of them when a sale closes nothing. A margin call and a capital ratio ask for the same: with a gain of
    P - c m a loan returns to its covenant LTV c, with r P a bank to its capital ratio r.
    """
    if gap <= 0.0:
        return 0.0
    return min(units, gap / gain) if gain > 0.0 else units
