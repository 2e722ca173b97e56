"""Used against new: what the best new chip on sale costs for the same value in use."""

from __future__ import annotations

import math

from agents.rule import rule
from agents.valuation import believed_decline, monthly_rent, value_in_use


@rule
def price_of_value(w, clock):
    """Return what a dollar of value in use costs new: the least list price over the value of a unit ordered now; infinite without one.

    The value is that to the best unconstrained user, whole-lived, from delivery on.
    """
    terms = w.terms[0]
    d = believed_decline(
        terms.marks_reference_decline,
        terms.marks_reference_weight,
        clock.trend,
        terms.marks_decline_floor,
        terms.marks_decline_cap,
    )
    least = math.inf
    for chip in w.chips:
        if clock.month < chip.release or clock.month >= chip.end_of_sale:
            continue
        rent = monthly_rent(
            clock.rent, terms.rental_hours, chip.performance, terms.marks_reference_utilisation, terms.rental_overhead
        )
        value = value_in_use(
            rent, terms.marks_reference_hosting * chip.power, d, terms.marks_reference_hurdle, terms.marks_asset_life,
            terms.credit_delivery_lag, chip.scrap,
        )  # fmt: skip
        if value > 0.0:
            least = min(least, chip.list_price / value)
    return least


@rule
def record_parity(w, clock):
    """Write of each generation what the best new chip on sale costs for the value in use of a used unit (USD/GPU, 0 none)."""
    least = price_of_value(w, clock)
    for g in range(len(w.chips)):
        w.chip_panel[clock.month * len(w.chips) + g].parity = (
            least * w.chips[g].fundamental if least < math.inf else 0.0
        )
