"""Systemic importance and the distress rank among lenders."""

from __future__ import annotations

import numpy as np
import pytest

from simulation.importance import systemic_importance
from simulation.literature.distress import debtrank
from simulation.scenario.config import set_path
from tests.conftest import BASE

#: A failure spreads where hardware is carried off and nobody waits.
MARGINS = {"credit.term_contracts": 1.1, "credit.forbearance": False, "market.receivership": 0.0}


def test_debtrank_of_a_chain_by_hand():
    # 0 lent 50 of its 100 equity to 1; 1 lent 30 of its 60 to 2. When 2 fails, 1 loses half, 0 a quarter.
    exposure = np.array([[0.0, 50, 0], [0, 0, 30], [0, 0, 0]])
    assert debtrank(exposure, np.array([100.0, 60, 10]), 2) == pytest.approx((25 + 30) / 160)


def test_a_failure_alone_costs_at_most_what_is_at_stake_and_something():
    table = systemic_importance(set_path(BASE, MARGINS | {"run.months": 30}), 19, 28)
    operators = table[table.kind.isin(["neocloud", "miner"])]
    assert len(operators) > 40 and (table.node.is_unique)
    assert operators.loss_alone.max() > 1e6
    assert table.loss_alone.is_monotonic_decreasing
    ranked = table.debtrank.dropna()
    assert len(ranked) > 10 and ranked.between(0, 1).all() and ranked.max() > 0
    with pytest.raises(ValueError, match="between 0 and 29"):
        systemic_importance(set_path(BASE, MARGINS | {"run.months": 30}), 19, 30)
