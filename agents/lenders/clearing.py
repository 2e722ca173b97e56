"""Clearing payments among failed lenders: Eisenberg-Noe (2001) with bankruptcy costs as in Rogers-Veraart (2013)."""

from __future__ import annotations

from agents.rule import entry

#: Most sweeps; the relative change at which payments stand still; how close to complete counts as complete.
_SWEEPS = 100_000
_SETTLED = 1e-15
_HAIR = 1e-14


@entry
def clear_payments(debtor, creditor, owed, n_edges, assets, external, alpha, beta, payments, total, inflow, from_above):
    """Write the clearing vector to ``payments`` and total liabilities to ``total`` (USD); return the sweeps taken.

    Edge k: ``debtor[k]`` owes ``owed[k]`` to ``creditor[k]``; ``external`` is what each owes outside, pari passu.
    p_i = total_i when assets_i + inflow_i >= total_i, else alpha assets_i + beta inflow_i. Monotone iteration
    from full payment (greatest vector) or from nothing (least), to rounding; O(firms + edges) a sweep.
    """
    n = len(payments)
    for i in range(n):
        total[i] = external[i]
    for k in range(n_edges):
        total[debtor[k]] += owed[k]
    for i in range(n):
        payments[i] = total[i] if from_above else 0.0
    for sweep in range(_SWEEPS):
        change = 0.0
        for i in range(n):
            inflow[i] = 0.0
        for k in range(n_edges):
            j = debtor[k]
            if total[j] > 0.0:
                inflow[creditor[k]] += owed[k] * payments[j] / total[j]
        for i in range(n):
            have = assets[i] + inflow[i]
            # A hair of tolerance: a firm whose inflow is complete up to rounding pays in full.
            paid = total[i] if have >= total[i] * (1.0 - _HAIR) else min(total[i], alpha * assets[i] + beta * inflow[i])
            if from_above:
                paid = min(paid, payments[i])
            change = max(change, abs(paid - payments[i]) / max(1.0, total[i]))
            payments[i] = paid
        if change < _SETTLED:
            return sweep + 1
    return _SWEEPS
