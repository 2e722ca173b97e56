"""Value in use of a chip, and the few powers it needs."""

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
def value_in_use(rent, cost, decline, hurdle, life, delay, scrap):
    """Return the present value of using one chip (USD).

    ``rent`` and ``cost`` are USD a month, ``decline`` and ``hurdle`` 1/month, ``life`` and ``delay`` months.
    V = sum over k = 1..k* of (rent (1-d)^(k+delay) - cost)/(1+h)^k + scrap/(1+h)^k*, where k* is the last month
    whose margin still beats keeping the scrap value tied up (margin >= h scrap) and at most ``life``. Closed
    form of two geometric sums; never below scrap.
    """
    months = int(life)
    keep = 1.0 - decline
    first = rent * power_of(keep, int(delay))
    least = cost + hurdle * scrap
    if months < 1 or first * keep <= least:
        return scrap
    if least > 0.0 and decline > 0.0:
        months = min(months, int(math.log(least / first) / math.log(keep)))
    if months < 1:
        return scrap
    r = 1.0 / (1.0 + hurdle)
    q = keep * r
    r_n = power_of(r, months)
    earned = first * months if q >= 1.0 else first * q * (1.0 - power_of(q, months)) / (1.0 - q)
    spent = cost * months if hurdle <= 0.0 else cost * (1.0 - r_n) / hurdle
    return max(scrap, earned - spent + scrap * r_n)


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
