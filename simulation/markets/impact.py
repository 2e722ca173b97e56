"""What forced sales do to a price where the market is a function, and how much must be sold: the rules shared by the
`inverse_demand` venue, margin calls, and the literature's models in :mod:`simulation.literature.deleveraging`."""

from __future__ import annotations

import math
from enum import IntEnum

from agents.rule import rule
from agents.schema import labels


class ImpactForm(IntEnum):
    """How a price falls with what has been sold."""

    EXPONENTIAL = 0
    LINEAR = 1
    SQUARE_ROOT = 2


#: Names of the forms in a scenario and in validation cases, in the order of their codes.
FORMS = labels(ImpactForm)


@rule
def price_left(form, impact, sold):
    """Return the part of a price that is left after ``sold`` (share of the issue, units or USD, as ``impact`` is meant).

    exp(-a x) (Cifuentes, Ferrucci and Shin 2005), 1 - a x (Greenwood, Landier and Thesmar 2015), 1 - a sqrt(x)
    (Breuer, Summer and Urosevic 2021); never below zero.
    """
    if form == ImpactForm.EXPONENTIAL:
        return math.exp(-impact * sold)
    if form == ImpactForm.LINEAR:
        return max(0.0, 1.0 - impact * sold)
    return max(0.0, 1.0 - impact * math.sqrt(sold))


@rule
def price_left_above(price, start, floor, depth, usd):
    """Return the part of ``price`` that is left after sales of ``usd``, with a price that buyers do not let it fall below.

    1 - (1 - B/S)(1 - exp(-q / ((1 - B/S0) D))), D the depth in USD (Cont and Schaanning 2017); any unit of price.
    """
    room = 1.0 - floor / start
    return 1.0 - (1.0 - floor / price) * (1.0 - math.exp(-usd / (room * depth)))
