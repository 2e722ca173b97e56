"""Stress chains walk by draws; noise carries over."""

from __future__ import annotations

import numpy as np
import pytest

from simulation.world.drivers import carry_over, walk_stress

#: No exit, no entry.
STILL = 0.99
BOTH, COIN, DEMAND = 0.1, 0.2, 0.3


def walked(months, first_month=0):
    """Walk by (coin exit, demand exit, entry) draws.

    Both enter below 1/8, coins alone below 1/4, demand alone below 3/8. An exit draw below 1/2 leaves.
    """
    coin, demand = np.full((2, len(months)), 9)
    walk_stress(np.array(months), 0.25, 0.125, 0.5, first_month, coin, demand)
    return list(zip(coin.tolist(), demand.tolist(), strict=True))


@pytest.mark.parametrize(
    ("u", "entered"),
    [
        (0.0, (1, 1)),
        (0.124, (1, 1)),
        (0.125, (1, 0)),
        (0.249, (1, 0)),
        (0.25, (0, 1)),
        (0.374, (0, 1)),
        (0.375, (0, 0)),
        (0.99, (0, 0)),
    ],
)
def test_one_draw_decides_on_a_joint_or_single_entry(u, entered):
    assert walked([(STILL, STILL, u)]) == [entered]


@pytest.mark.parametrize(
    ("leaves_coin", "leaves_demand", "state"),
    [(0.49, 0.5, (0, 1)), (0.5, 0.49, (1, 0)), (0.49, 0.49, (0, 0)), (0.5, 0.5, (1, 1))],
)
def test_each_chain_leaves_by_its_own_draw(leaves_coin, leaves_demand, state):
    assert walked([(STILL, STILL, BOTH), (leaves_coin, leaves_demand, STILL)]) == [(1, 1), state]


def test_exit_draws_say_nothing_in_calm():
    assert walked([(0.1, 0.1, STILL), (0.1, 0.1, BOTH)]) == [(0, 0), (1, 1)]


@pytest.mark.parametrize(
    ("first", "then", "state"),
    [
        (COIN, BOTH, (1, 1)),
        (COIN, DEMAND, (1, 1)),
        (COIN, COIN, (1, 0)),
        (DEMAND, BOTH, (1, 1)),
        (DEMAND, COIN, (1, 1)),
        (DEMAND, DEMAND, (0, 1)),
    ],
)
def test_a_chain_in_stress_ignores_an_entry_and_leaves_the_other_its_own(first, then, state):
    assert walked([(STILL, STILL, first), (STILL, STILL, then)])[1] == state


@pytest.mark.parametrize(
    ("exits", "entry", "state"),
    [
        ((0.1, STILL), BOTH, (0, 1)),
        ((0.1, STILL), COIN, (0, 1)),
        ((STILL, 0.1), BOTH, (1, 0)),
        ((STILL, 0.1), DEMAND, (1, 0)),
    ],
)
def test_a_chain_does_not_enter_in_the_month_in_which_it_leaves(exits, entry, state):
    assert walked([(STILL, STILL, BOTH), (*exits, entry)])[1] == state


def test_a_stress_lasts_until_it_is_left_and_can_come_again():
    path = walked([
        (STILL, STILL, COIN), (STILL, STILL, STILL), (0.1, STILL, STILL), (STILL, STILL, DEMAND), (STILL, STILL, COIN),
        (STILL, 0.1, STILL),
    ])  # fmt: skip
    assert path == [(1, 0), (1, 0), (0, 0), (0, 1), (1, 1), (1, 0)]


def test_nothing_enters_before_the_first_month():
    assert walked([(STILL, STILL, BOTH)] * 3, first_month=1) == [(0, 0), (1, 1), (1, 1)]


def test_noise_carries_over_from_month_to_month():
    noise = np.array([4.0, 1.0, 2.0, -1.0])
    carry_over(noise, 0.5)
    # The first stands; then 1 + half of 4, 2 + half of 3, -1 + half of 3.5.
    assert noise.tolist() == [4.0, 3.0, 3.5, 0.75]
