"""Clearing vectors against exact answers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulation.literature.clearing import clearing_vector


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 6), st.integers(0, 10_000), st.floats(0.3, 1.0), st.floats(0.3, 1.0))
def test_clearing_is_a_fixed_point_and_ordered(n, seed, alpha, beta):
    rng = np.random.default_rng(seed)
    owed = rng.uniform(0, 10, (n, n)) * (rng.random((n, n)) < 0.6)
    np.fill_diagonal(owed, 0.0)
    assets, outside = rng.uniform(0, 12, n), rng.uniform(0, 6, n)
    top = clearing_vector(owed, assets, outside, alpha=alpha, beta=beta)
    low = clearing_vector(owed, assets, outside, alpha=alpha, beta=beta, greatest=False)
    assert (low.payments <= top.payments + 1e-9).all()
    received = owed.T @ np.divide(top.payments, top.total_liabilities, out=np.zeros(n), where=top.total_liabilities > 0)
    solvent = assets + received >= top.total_liabilities - 1e-9
    assert top.payments[solvent] == pytest.approx(top.total_liabilities[solvent], abs=1e-8)
    assert top.payments[~solvent] == pytest.approx((alpha * assets + beta * received)[~solvent], abs=1e-8)
    # Creditors never get more than the debtors have.
    assert top.payments.sum() <= assets.sum() + received.sum() + 1e-9


def test_shapes_are_checked():
    with pytest.raises(ValueError, match="2 x 2"):
        clearing_vector(np.zeros((3, 3)), np.zeros(2))
