"""Clearing vectors against exact answers."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulation.clearing import clearing_vector

CASES = json.loads((Path(__file__).parent / "data" / "a_clearing.json").read_text())["cases"]


def numbers(values):
    return np.vectorize(lambda x: float(Fraction(x)))(np.array(values, object))


@pytest.mark.parametrize("case", CASES, ids=lambda c: c["id"])
def test_oracle(case):
    inputs, expected, tol = case["inputs"], case["expected"], case["tolerance"]
    options = {"senior_external": "seniority" in inputs}
    for key in ("alpha", "beta"):
        if key in inputs:
            options[key] = float(Fraction(inputs[key]))
    args = [numbers(inputs[k]) for k in ("L", "external_assets", "external_liabilities")]
    got = clearing_vector(*args, **options)
    names = {"clearing_vector": "payments", "total_liabilities": "total_liabilities", "recovery": "recovery", "equity": "equity"}
    names |= {k: k for k in ("interbank_payments", "equity_before_limited_liability")}
    for key, name in names.items():
        if key in expected:
            # A firm that owes nothing has no recovery rate; the package says 1.
            assert getattr(got, name) == pytest.approx([1.0 if x is None else x for x in expected[key]], abs=tol), key
    if "defaults" in expected:
        assert got.defaults == expected["defaults"]
        assert got.default_waves == expected["default_waves"]
    if "least_clearing_vector" in expected:
        least = clearing_vector(*args, **options, greatest=False)
        assert least.payments == pytest.approx(expected["least_clearing_vector"], abs=tol)


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
