"""Purchase commitments: ordered now, paid at delivery."""

from __future__ import annotations

from agents.schema import Table, f, i

ORDER = Table(
    "orders",
    "Purchase commitments: ordered now, paid at delivery.",
    (
        i("operator", "operator", "who ordered, -1 a free row", -1),
        i("lender", "lender", "who committed the loan, -1 none", -1),
        i("chip", "chip", "generation"),
        f("units", "GPU", "units ordered"),
        f("cost", "USD/GPU", "cost a unit, network and fit-out included"),
        f("advance", "USD/GPU", "loan committed a unit"),
        f("rate", "1/year", "committed interest rate"),
        f("life", "month", "underwriting life of the commitment"),
        i("due", "month", "month of delivery"),
        i("following", "order", "next free row", -1),
    ),
)
