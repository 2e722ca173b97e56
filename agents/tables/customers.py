"""Customers: who rents compute under take-or-pay contracts, and can fail or not come back."""

from __future__ import annotations

from enum import IntEnum

from agents.schema import Table, code, f, i, labels


class CustomerKind(IntEnum):
    """Kinds of customer."""

    HYPERSCALER = 0
    AI_LAB = 1
    ENTERPRISE = 2


class CustomerStatus(IntEnum):
    """States of a customer."""

    ACTIVE = 0
    FAILED = 1


CUSTOMER_KINDS = labels(CustomerKind)


CUSTOMER = Table(
    "customers",
    "Who stands behind take-or-pay contracts. Their nodes follow those of the buyers; they own no hardware.",
    (
        code("kind", "kind of customer", CustomerKind),
        code("status", "state", CustomerStatus),
        f("share", "share", "weight with which operators meet it at the start; all weights sum to one"),
        f("renewal", "share", "part of a contract with it that is let on contract again when it ends"),
        f("renegotiation", "ratio", "its speed of renegotiation over that of the scenario"),
        f("hazard_calm", "1/month", "probability of failing in a calm month"),
        f("hazard_stress", "1/month", "the same in a month of AI-demand stress"),
        f("threshold", "share", "drawn in [0, 1): it fails when its probability of having failed passes it"),
        f("stress", "ratio", "accumulated hazard: the probability of having failed is 1 - exp(-stress)"),
        i("failed_month", "month", "month of failure, -1 alive", -1),
        i("last_event", "event", "its failure, -1 none", -1),
    ),
)
