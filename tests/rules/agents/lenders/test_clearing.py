"""What failed lenders pay when they owe each other: the clearing vector and its bankruptcy costs."""

from __future__ import annotations

import numpy as np
import pytest

from agents.lenders.clearing import clear_payments


def cleared(
    assets: list[float],
    external: list[float],
    debts: tuple[tuple[int, int, float], ...] = (),
    *,
    alpha: float = 0.9,
    beta: float = 0.8,
    from_above: bool = True,
    edges: int | None = None,
):
    """Clear firms with ``assets`` that owe ``external`` outside and ``debts`` (debtor, creditor, USD) to each other.

    Returns payments, liabilities, what each received, and the sweeps taken. Arrays hold rubbish beforehand.
    """
    n = len(assets)
    payments, total, inflow = np.full(n, 55.0), np.full(n, 66.0), np.full(n, 77.0)
    debtor, creditor, owed = (np.array([d[k] for d in debts], np.int64 if k < 2 else float) for k in range(3))
    sweeps = clear_payments(
        debtor, creditor, owed, len(debts) if edges is None else edges, np.array(assets), np.array(external),
        alpha, beta, payments, total, inflow, from_above,
    )  # fmt: skip
    return payments.tolist(), total.tolist(), inflow.tolist(), sweeps


@pytest.mark.parametrize(
    ("assets", "owed", "paid"),
    [
        (150.0, 100.0, 100.0),  # in full, and not more
        (100.0, 100.0, 100.0),
        (99.0, 100.0, 0.9 * 99.0),  # who cannot pay in full loses a tenth of its assets
        (50.0, 100.0, 0.9 * 50.0),
        (0.0, 100.0, 0.0),
        (30.0, 0.0, 0.0),
        (0.5, 0.8, 0.9 * 0.5),
    ],
)
@pytest.mark.parametrize("from_above", [True, False])
def test_a_firm_pays_in_full_or_what_bankruptcy_leaves_of_its_assets(assets, owed, paid, from_above):
    payments, total, _, _ = cleared([assets], [owed], from_above=from_above)
    assert payments == pytest.approx([paid])
    assert total == [owed]


def test_bankruptcy_never_adds_to_what_a_firm_pays():
    # Costs below nothing (alpha above one) would pay 1.5 x 90; it owes 100.
    assert cleared([90.0], [100.0], alpha=1.5, from_above=False)[0] == [100.0]


@pytest.mark.parametrize("from_above", [True, False])
def test_debts_outside_and_among_firms_rank_alike_and_bankruptcy_costs_claims_on_firms_too(from_above):
    # Firm 0 has 100 and owes 150 outside and 50 to firm 1: it pays 90 of 200, 22.50 of it to firm 1. Firm 1 has 20
    # and 22.50 and owes 60, a third of it to firm 2: it pays 0.9 x 20 + 0.8 x 22.50 = 36, 12 of it to firm 2.
    payments, total, inflow, _ = cleared(
        [100.0, 20.0, 6.0], [150.0, 40.0, 18.0], ((0, 1, 50.0), (1, 2, 20.0)), from_above=from_above
    )
    assert total == [200.0, 60.0, 18.0]
    assert payments == pytest.approx([90.0, 36.0, 18.0])
    assert inflow == pytest.approx([0.0, 22.5, 12.0])


@pytest.mark.parametrize(("own", "paid"), [(10.0, 30.0), (9.0, 0.9 * 9.0 + 0.8 * 20.0)])
def test_what_other_firms_pay_makes_a_firm_solvent_or_not(own, paid):
    # Firm 1 owes 30; firm 0 pays it 20 in full.
    payments, *_ = cleared([20.0, own], [0.0, 30.0], ((0, 1, 20.0),))
    assert payments == pytest.approx([20.0, paid])


def test_several_debts_of_a_firm_are_added_and_several_payments_to_it():
    payments, total, inflow, _ = cleared([12.0, 30.0, 1.0], [5.0, 0.0, 2.0], ((0, 2, 3.0), (0, 2, 4.0), (1, 2, 8.0)))
    assert total == [12.0, 8.0, 2.0]
    assert payments == [12.0, 8.0, 2.0]
    assert inflow == pytest.approx([0.0, 0.0, 3.0 + 4.0 + 8.0])


def test_a_debt_of_less_than_a_dollar_is_paid_to_its_creditor():
    _, _, inflow, _ = cleared([5.0, 0.0], [0.0, 0.2], ((0, 1, 0.5),))
    assert inflow == pytest.approx([0.0, 0.5])


def test_only_as_many_debts_count_as_are_said_to_be_there():
    _, total, inflow, _ = cleared([50.0, 0.0], [0.0, 0.0], ((0, 1, 10.0), (0, 1, 20.0)), edges=1)
    assert total == [10.0, 0.0]
    assert inflow == [0.0, 10.0]


@pytest.mark.parametrize(("from_above", "paid"), [(True, 100.0), (False, 0.0)])
def test_firms_that_owe_each_other_pay_all_from_above_and_nothing_from_below(from_above, paid):
    # Each could pay if the other did: the greatest and the least clearing vector.
    payments, *_ = cleared([0.0, 0.0], [0.0, 0.0], ((0, 1, 100.0), (1, 0, 100.0)), from_above=from_above)
    assert payments == [paid, paid]


@pytest.mark.parametrize(("owed", "sweeps"), [(40.0, 38), (1.0, 38), (0.5, 37)])
def test_losses_go_round_a_ring_until_payments_stand_still(owed, sweeps):
    # Each owes a half outside and a half to the other and has a quarter: p = 0.9/4 + 0.8 p/2, hence p = 3/8.
    # From one, a sweep leaves 0.4 of the distance of 5/8: sweep k changes payments by 3/8 x 0.4^(k-1), which is below
    # 1e-15 of what is owed in sweep 38. Below a dollar the change counts in dollars.
    half = owed / 2
    payments, _, inflow, taken = cleared([owed / 4] * 2, [half] * 2, ((0, 1, half), (1, 0, half)))
    assert payments == pytest.approx([0.375 * owed] * 2, rel=1e-13)
    assert inflow == pytest.approx([0.1875 * owed] * 2, rel=1e-13)
    assert taken == sweeps


def test_a_ring_that_cannot_pay_in_full_has_one_clearing_vector():
    ring = ((0, 1, 20.0), (1, 0, 20.0))
    for from_above in (True, False):
        assert cleared([10.0, 10.0], [20.0, 20.0], ring, from_above=from_above)[0] == pytest.approx([15.0, 15.0])


def test_a_firm_that_owes_nothing_pays_nothing():
    payments, _, inflow, _ = cleared([0.0, 10.0], [0.0, 10.0], ((0, 1, 0.0),))
    assert payments == [0.0, 10.0]
    assert inflow == [0.0, 0.0]


def test_an_inflow_that_is_complete_up_to_rounding_counts_as_complete():
    # Shares of a hundred, paid one by one, need not add up to the last bit.
    assert cleared([100.0 * (1.0 - 5e-15)], [100.0])[0] == [100.0]
    assert cleared([100.0 * (1.0 - 1e-14)], [100.0])[0] == [100.0]
    assert cleared([100.0 * (1.0 - 1.5e-14)], [100.0])[0] == pytest.approx([90.0])


@pytest.mark.parametrize(
    ("assets", "payments", "sweeps"),
    [
        ([100.0, 0.0, 0.0], [100.0, 100.0, 100.0], 1),  # all pay: nothing moves
        ([100.0, 0.0, -5.0], [100.0, 100.0, 0.8 * 100 - 0.9 * 5], 2),
        ([80.0, 0.0, 0.0], [72.0, 0.8 * 72, 0.8 * 0.8 * 72], 4),
    ],
)
def test_failures_spread_by_a_firm_a_sweep_and_a_last_one_finds_nothing_new(assets, payments, sweeps):
    # Firm 0 owes firm 1 a hundred, which owes it to firm 2, which owes it outside.
    found = cleared(assets, [0.0, 0.0, 100.0], ((0, 1, 100.0), (1, 2, 100.0)))
    assert found[0] == pytest.approx(payments)
    assert found[3] == sweeps
