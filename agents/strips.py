"""What running a chip is worth: a strip of monthly options, worked out once a scenario on a grid and read off it.

A chip need not run: in each month of its life its owner has the option to run it for the rent R less the cost c of
power and place. With rents log-normal around the path that the owner believes in, the month k is worth
c [y N(d1) - N(d1 - s)], y = E R / c, d1 = ln(y)/s + s/2 (Black 1976), and the chip is worth the sum of such months,
discounted, and its scrap at the end (Dixit and Pindyck 1994, ch. 6: an option to suspend). In units of the cost it is
a function of y, of the decline of rents that the owner believes in, of its hurdle rate and of the life left alone.
"""

from __future__ import annotations

import math

from agents.rule import entry, rule
from agents.valuation import power_of

#: Nodes of the grid. Rents over costs run from 1/4 to 64, eight even steps in each octave: the node below is read off the
#: bits of a ratio, without a logarithm.
HURDLES, DECLINES, LIVES, RATIOS = 3, 9, 13, 65
_OCTAVES_DOWN, _STEPS = 2, 8
#: Behind the ratios a cell holds the discount factor at the end of the life, and how much of a passing trend is felt.
DISCOUNT, FELT, CELL = RATIOS, RATIOS + 1, RATIOS + 2
_ROOT_HALF = math.sqrt(0.5)
#: Entries of ``axes``: first node and nodes a unit of hurdle rates and of declines, nodes a month of life, what a month
#: leaves of a trend; then the ratios.
HURDLE_0, HURDLE_UNIT, DECLINE_0, DECLINE_UNIT, LIFE_UNIT, PERSISTENCE, RATIO = range(7)
AXES = RATIO + RATIOS


@rule
def normal_cdf(x):
    """Return the standard normal distribution function."""
    return 0.5 * math.erfc(-x * _ROOT_HALF)


@rule
def option_to_run(ratio, s):
    """Return E max(Y - 1, 0) for a log-normal Y of mean ``ratio`` and standard deviation ``s`` of its logarithm."""
    if s <= 0.0:
        return max(0.0, ratio - 1.0)
    d = math.log(ratio) / s + 0.5 * s
    return ratio * normal_cdf(d) - normal_cdf(d - s)


@rule
def ratio_at(i):
    """Return the rent over the cost at node ``i``."""
    return math.ldexp(1.0 + (i % _STEPS) / _STEPS, i // _STEPS - _OCTAVES_DOWN)


@rule
def fill_lives(cells, i, lives, hurdle, decline, ratio, volatility, volatility_months):
    """Write to ``cells[n, i]`` the worth of each life (months) at one ratio, in units of the cost; part of a month counts in part."""
    r = 1.0 / (1.0 + hurdle)
    worth = 0.0
    k = 0
    for n in range(len(lives)):
        month = 0.0
        while k <= lives[n]:
            worth += month
            k += 1
            s = volatility * math.sqrt(min(float(k), volatility_months))
            month = power_of(r, k) * option_to_run(ratio * power_of(1.0 - decline, k), s)
        # The month that the loop ends in is counted as far as the life reaches into it, and again from its start later.
        k -= 1
        cells[n, i] = worth + (lives[n] - k) * month


@rule
def fill_rest(cells, lives, hurdle, decline, persistence):
    """Write the discount factor at the end of each life, and how much of a passing trend is felt in it.

    Felt is sum q^k (1 - p^k) / sum q^k over its months, q = (1 - decline)/(1 + hurdle), p the persistence: the months
    count by what they are worth, the fall by then is that of the first k months.
    """
    r = 1.0 / (1.0 + hurdle)
    q = r * (1.0 - decline)
    for n in range(len(lives)):
        months = int(lives[n])
        part = lives[n] - months
        cells[n, DISCOUNT] = power_of(r, months) * (1.0 - part * (1.0 - r))
        weight = 0.0
        felt = 0.0
        for k in range(1, max(1, months) + 1):
            weight += power_of(q, k)
            felt += power_of(q, k) * (1.0 - power_of(persistence, k))
        cells[n, FELT] = felt / weight


@entry
def fill_strips(strips, axes, hurdles, declines, lives, volatility, volatility_months, persistence):
    """Fill the grid ``strips`` (HURDLES x DECLINES x LIVES x CELL, flat) and its ``axes`` (AXES entries).

    ``hurdles`` and ``declines`` (1/month), and ``lives`` (months), are the nodes, evenly spaced, lives from 0.
    ``volatility`` is the standard deviation of a month's log rent; uncertainty grows for ``volatility_months``;
    ``persistence`` is what a month leaves of a trend.
    """
    for i in range(RATIOS):
        axes[RATIO + i] = ratio_at(i)
    axes[HURDLE_0] = hurdles[0]
    axes[HURDLE_UNIT] = (len(hurdles) - 1.0) / (hurdles[-1] - hurdles[0])
    axes[DECLINE_0] = declines[0]
    axes[DECLINE_UNIT] = (len(declines) - 1.0) / (declines[-1] - declines[0])
    axes[LIFE_UNIT] = (len(lives) - 1.0) / lives[-1]
    axes[PERSISTENCE] = persistence
    grid = strips.reshape((HURDLES, DECLINES, LIVES, CELL))
    for h in range(HURDLES):
        for d in range(DECLINES):
            for i in range(RATIOS):
                fill_lives(
                    grid[h, d], i, lives, hurdles[h], declines[d], axes[RATIO + i], volatility, volatility_months
                )
            fill_rest(grid[h, d], lives, hurdles[h], declines[d], persistence)


@rule
def node_below(ratio):
    """Return the node at or below a ratio of rent to cost that lies on the grid."""
    # ratio = 2 half 2^(octave - 1), half in [1/2, 1)
    half, octave = math.frexp(ratio)
    return _STEPS * (octave - 1 + _OCTAVES_DOWN) + int(2 * _STEPS * half) - _STEPS


@rule
def place_on(value, first, unit, nodes):
    """Return a value's place on an axis in nodes from the first, kept on the grid."""
    return min(nodes - 1.0, max(0.0, (value - first) * unit))


@rule
def worth_of_cell(strips, at, part):
    """Return the worth in a cell of the grid, ``part`` of the way from the ratio at ``at`` to the next."""
    return strips[at] + part * (strips[at + 1] - strips[at])


@rule
def believe(axes, own, trend, hurdle, delay):
    """Return what an owner's beliefs come to on the grid: (corner, part of the way to the next hurdle, to the next decline,
    what is left of the rent at the start, what the trend adds to its fall later).

    A chip starts after ``delay`` months. The rent falls by ``own`` a month in the long run; a ``trend`` that differs dies
    out: what it adds to the fall by month k is (trend - own)(1 - p^k)/(1 - p). With p = 1 it stays for ever. 1/month.
    """
    p = axes[PERSISTENCE]
    passing = 0.0
    if p >= 1.0:
        own = trend
    else:
        passing = (trend - own) / (1.0 - p)
    left = power_of(p, delay)
    h = place_on(hurdle, axes[HURDLE_0], axes[HURDLE_UNIT], HURDLES)
    d = place_on(own, axes[DECLINE_0], axes[DECLINE_UNIT], DECLINES)
    h0 = min(HURDLES - 2, int(h))
    d0 = min(DECLINES - 2, int(d))
    start = power_of(1.0 - own, delay) * math.exp(-passing * (1.0 - left))
    return (h0 * DECLINES + d0) * LIVES * CELL, h - h0, d - d0, start, passing * left


@rule
def strip_value(strips, axes, belief, rent, cost, life, scrap):
    """Return the value in use (USD) of a chip that earns ``rent`` and costs ``cost`` (USD a month) when it runs.

    It lives ``life`` months from its start; ``belief`` is what :func:`believe` returns. Of the passing trend the strip
    feels a weighted mean. Linear between the nodes of the grid; never below ``scrap`` (USD).
    """
    corner, h, d, start, passing = belief
    n = place_on(life, 0.0, axes[LIFE_UNIT], LIVES)
    n0 = min(LIVES - 2, int(n))
    n -= n0
    cell = corner + n0 * CELL
    felt = strips[cell + FELT] + n * (strips[cell + CELL + FELT] - strips[cell + FELT])
    ratio = rent * start * math.exp(-passing * felt)
    if ratio <= 0.0:
        return scrap
    # Beyond the last node the cost is next to nothing; it is taken for its least.
    cost = max(cost, ratio / axes[AXES - 1])
    ratio /= cost
    # Below the first node the option is worth next to nothing, in proportion.
    share = 1.0
    if ratio < axes[RATIO]:
        share = ratio / axes[RATIO]
        ratio = axes[RATIO]
    i = min(RATIOS - 2, node_below(ratio))
    part = (ratio - axes[RATIO + i]) / (axes[RATIO + i + 1] - axes[RATIO + i])
    worth = 0.0
    discount = 0.0
    for a in range(2):
        # How much of a trend is felt, and the discount factor, hardly differ by decline: of the two one is taken.
        at = cell + a * DECLINES * LIVES * CELL
        weight = h if a == 1 else 1.0 - h
        discount += weight * (strips[at + DISCOUNT] + n * (strips[at + CELL + DISCOUNT] - strips[at + DISCOUNT]))
        for b in range(2):
            near = worth_of_cell(strips, at + i, part)
            near += n * (worth_of_cell(strips, at + CELL + i, part) - near)
            worth += weight * (d if b == 1 else 1.0 - d) * near
            at += LIVES * CELL
    return max(scrap, share * worth * cost + scrap * discount)
