"""What becomes of a buyer's power when chips leave it."""

from __future__ import annotations

import pytest

from agents.tables.buyers import free_power
from tests.rules.worlds import put, small_world


@pytest.mark.parametrize(
    ("cooled", "power", "liquid", "power_then", "liquid_then"),
    [
        # Four chips of 3 kW, of sites of 100 kW, 40 of them with liquid cooling.
        (0, 50.0, 10.0, 62.0, 10.0),
        (1, 50.0, 10.0, 62.0, 22.0),
        (1, 95.0, 10.0, 100.0, 22.0),  # sites do not grow
        (1, 50.0, 35.0, 62.0, 40.0),  # nor does cooling
        (0, 50.0, 35.0, 62.0, 35.0),
    ],
)
def test_chips_that_leave_give_their_power_back(cooled, power, liquid, power_then, liquid_then):
    w = small_world(buyers=1)
    put(w.chips[0], power=3.0, liquid=cooled)
    buyer = put(w.buyers[0], power=power, power_cap=100.0, liquid=liquid, liquid_cap=40.0)
    free_power(buyer, w.chips[0], 4.0)
    assert (buyer.power, buyer.liquid) == pytest.approx((power_then, liquid_then))
