"""What happened: events, each with the event that triggered it, and sales of used hardware."""

from __future__ import annotations

from enum import IntEnum

from agents.rule import rule
from agents.schema import Table, code, f, i, labels
from agents.tables.clock import Fault, stop_run


# --- events ----------------------------------------------------------------------------------------------------
class EventKind(IntEnum):
    """What happened."""

    DEFAULT = 0
    SEIZURE = 1
    MARGIN_CALL = 2
    FORCED_SALE = 3
    LENDER_FAILURE = 4
    FUNDING_CALL = 5
    WITHDRAWN_LINE = 6
    RUN = 7
    ORDER_CANCELLED = 8
    COIN_CALL = 9
    CURED = 10
    SHOCK = 11
    WAIVER = 12
    EXTENSION = 13
    SWAP = 14
    SURRENDER = 15
    CUSTOMER_FAILED = 16
    CONTRACT_ENDED = 17
    EQUITY_CURE = 18


class Cause(IntEnum):
    """Why it happened."""

    NONE = 0
    CASH_FLOW = 1
    LTV = 2
    DSCR = 3
    MATURITY = 4
    BITCOIN_MARGIN = 5
    LENDER_FAILURE = 6
    FUNDING_CALL = 7
    INSOLVENCY = 8
    ILLIQUIDITY = 9
    FIRE_SALE = 10
    IMPOSED = 11
    CUSTOMER_FAILURE = 12
    EXPIRY = 13


class SaleReason(IntEnum):
    """Why a lot is for sale."""

    CHURN = 0
    SEIZED = 1
    MARGIN_CALL = 2
    ARREARS = 3
    ESTATE = 4
    DEALER = 5
    IMPOSED = 6


EVENT_KINDS = labels(EventKind)


CAUSES = labels(Cause)


EVENT = Table(
    "events",
    "What happened, one row an event, each with the event that triggered it.",
    (
        i("month", "month", "months since the start"),
        i("turn", "round", "round of the cascade within the month"),
        code("kind", "what happened", EventKind),
        code("cause", "why", Cause),
        i("node", "node", "who it happened to"),
        i("other", "node", "the counterparty, -1 none", -1),
        i("chip", "chip", "generation concerned, -1 none", -1),
        f("units", "GPU", "units concerned"),
        f("usd", "USD", "amount concerned: debt at default, sum called, proceeds, loss"),
        i("parent", "event", "the event that triggered it, -1 a root", -1),
    ),
)


TRADE = Table(
    "trades",
    "Sales of used GPUs, one row a fill.",
    (
        i("month", "month", "months since the start"),
        i("turn", "round", "round of the cascade within the month"),
        i("chip", "chip", "generation"),
        i("seller", "node", "who sold"),
        i("buyer", "node", "who bought, -1 the market of the inverse-demand venue", -1),
        f("units", "GPU", "units sold"),
        f("price", "USD/GPU", "clearing price"),
        code("reason", "why it was for sale", SaleReason),
        f("fundamental", "USD/GPU", "value in use to the best unconstrained user"),
        f("age", "month", "age of the units"),
        i("hops", "hop", "distance at which the seller found the buyer"),
    ),
)


@rule
def log_event(events, clock, kind, cause, node, other, chip, units, usd, parent):
    """Append an event; return its index. A full table stops the run (clock.fault)."""
    k = clock.events
    if k >= len(events):
        stop_run(clock, Fault.EVENTS_FULL, k, 0.0)
        return k - 1
    e = events[k]
    e.month = clock.month
    e.turn = clock.turn
    e.kind = kind
    e.cause = cause
    e.node = node
    e.other = other
    e.chip = chip
    e.units = units
    e.usd = usd
    e.parent = parent
    clock.events = k + 1
    return k
