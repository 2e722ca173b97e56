"""Purchase commitments: ordered now, paid at delivery."""

from __future__ import annotations

from agents.rule import rule
from agents.schema import Table, f, i
from agents.tables.clock import Fault, stop_run

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


@rule
def open_order(orders, clock, operator, chip, units, cost, due):
    """Take a free row for ``units`` chips (GPU) at ``cost`` (USD a unit), due in a month; return it, -1 if the table is full.

    Nobody has committed a loan yet.
    """
    k = clock.free_order
    if k < 0:
        stop_run(clock, Fault.ORDERS_FULL, clock.used_orders, 0.0)
        return -1
    order = orders[k]
    clock.free_order = order.following
    clock.used_orders = max(clock.used_orders, k + 1)
    order.operator = operator
    order.lender = -1
    order.chip = chip
    order.units = units
    order.cost = cost
    order.advance = 0.0
    order.rate = 0.0
    order.life = 1.0
    order.due = due
    return k


@rule
def balance_due(cost, advance, deposit):
    """Return what an operator still has to pay for a unit at its delivery (USD).

    Its ``cost`` less the ``deposit`` (a share of it) less the ``advance`` of a lender (USD a unit); nothing when these cover it.
    """
    return max(0.0, cost * (1.0 - deposit) - advance)


@rule
def close_order(orders, clock, k):
    """Give the row of a commitment that is delivered or cancelled back."""
    order = orders[k]
    order.operator = -1
    order.following = clock.free_order
    clock.free_order = k
