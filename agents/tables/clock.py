"""Where a run stands, and why it stopped."""

from __future__ import annotations

from enum import IntEnum

from agents.rule import rule
from agents.schema import Table, f, i

CLOCK = Table(
    "clock",
    "Where the run stands: one row.",
    (
        i("month", "month", "months since the start"),
        i("phase", "phase", "index of the next phase of the schedule"),
        i("turn", "round", "round of the cascade within the month"),
        i("news", "count", "new defaults, forced orders, failures and calls of this round"),
        i("waiting", "operators", "operators whose arrears this round left to be worked out"),
        i("events", "event", "events written"),
        i("trades", "fill", "fills written"),
        i("free_loan", "loan", "head of the list of free loan rows, -1 full"),
        i("free_lot", "lot", "head of the list of free lot rows, -1 full"),
        i("free_order", "order", "head of the list of free order rows, -1 full"),
        i("used_loans", "loan", "loan rows ever used"),
        i("used_lots", "lot", "lot rows ever used"),
        i("used_orders", "order", "order rows ever used"),
        i("fault", "code", "identity that was violated, 0 none"),
        i("fault_node", "node", "first agent or row concerned"),
        f("fault_usd", "mixed", "size of the violation"),
        i("imposed_chip", "chip", "generation of a block put on the market by hand, -1 none", -1),
        f("imposed_units", "GPU", "units of that block"),
        i("imposed_days", "day", "time within which they are to be sold", 30),
        f("btc", "USD", "bitcoin price"),
        f("eth", "USD", "ether price"),
        f("hashprice", "USD/PH/day", "mining revenue per unit of hashrate"),
        f("demand", "perf unit", "rental demand at the reference rent"),
        f("rent", "USD/perf-h", "spot rent of one performance unit (one H100) an hour"),
        f("reference_rent", "USD/perf-h", "rent at which demand equals its level; falls with efficiency shocks"),
        f("marginal_share", "share", "part that runs of the lots whose cost is just the spot rent", 1.0),
        f("rent_before", "USD/perf-h", "spot rent a month ago"),
        f("trend", "1/month", "smoothed monthly decline of the rent (positive: it falls)"),
        f("running", "perf unit", "capacity running"),
        f("delivered", "perf unit", "capacity delivered this month"),
        i("stress_coin", "flag", "1 in a bitcoin stress"),
        i("stress_demand", "flag", "1 in an AI-demand stress"),
        f("haircut", "ratio", "haircut of warehouse lines"),
        f("losses", "USD", "credit losses written off this month"),
        f("forgiven", "USD", "debt swapped for equity this month"),
        f("recoveries", "USD", "recovered on defaulted claims this month"),
        f("new_credit", "USD", "equipment loans drawn this month"),
        f("new_notes", "USD", "convertibles and coin loans issued this month"),
        f("new_commitments", "USD", "equipment loans committed this month"),
        f("cancelled", "USD", "purchase commitments cancelled this month"),
        f("equity_raised", "USD", "equity raised by operators this month"),
        f("debt_defaulted", "USD", "debt of operators that defaulted this month"),
        f("debt_open", "USD", "debt of operators that had not defaulted when the month opened"),
        i("open_events", "event", "events written before this month"),
        f("open_cash_lenders", "USD", "cash of lenders when the month opened"),
        f("open_cash_operators", "USD", "cash of operators when the month opened"),
        f("open_cash_buyers", "USD", "budgets of buyers when the month opened"),
        i(
            "last_shock",
            "event",
            "the forced sale that marked down most this month, else its last default, -1 none",
            -1,
        ),
        f("shock_usd", "USD", "what that sale fell short of the opening appraisal"),
        f("gain", "log", "smoothed gain of buyers of forced lots: log of value in use over price"),
        f("entered", "USD", "outside capital that has come for cheap hardware since the start"),
        f("insured", "USD", "paid by residual-value insurance since the start"),
        i("tape", "row", "rows of the tape used"),
        i("listed", "round", "1 + the round for which lenders' claims were listed last (month*1000+round), 0 never"),
        i("last_failure", "event", "last failure of a lender this month, -1 none", -1),
        i("customers_failed", "customers", "customers that failed this month"),
        f(
            "contract_lost",
            "USD",
            "contract revenue a month that customers took this month as they failed or renegotiated",
        ),
        f("contract_ended", "USD", "contract revenue a month that was not renewed at the end of its term this month"),
        f("vendor_rent", "USD/perf-h", "spot rent at which the vendor's backstop was signed, 0 not yet"),
        f("backstop_called", "USD", "paid by the vendor's backstop since the start"),
    ),
)


class Fault(IntEnum):
    """Why a run stops: a table that is full, or an identity that is violated."""

    NONE = 0
    EVENTS_FULL = 1
    TRADES_FULL = 2
    LOANS_FULL = 3
    LOTS_FULL = 4
    ORDERS_FULL = 5
    UNITS = 6
    FLOWS = 7
    CLAIMS = 8
    NEGATIVE = 9
    BEYOND_MEANS = 10
    OVERPAID = 11
    ENDLESS = 12
    ORDER = 13


#: Rounds are counted as month x ROUNDS + round; no cascade takes as many (run.max_turns).
ROUNDS = 1000
#: Where time is given in days or weeks, a month has so many.
DAYS, WEEKS = 30, 4


@rule
def this_round(clock):
    """Return the number of the round since the start: later rounds have higher numbers."""
    return clock.month * ROUNDS + clock.turn


@rule
def stop_run(clock, fault, node, usd):
    """Stop the run with a fault, the agent or row concerned and the size of the violation; the first fault stands."""
    if clock.fault == Fault.NONE:
        clock.fault = fault
        clock.fault_node = node
        clock.fault_usd = usd


FAULTS = {
    Fault.NONE: "none",
    Fault.EVENTS_FULL: "event table full",
    Fault.TRADES_FULL: "trade table full",
    Fault.LOANS_FULL: "loan table full",
    Fault.LOTS_FULL: "lot table full",
    Fault.ORDERS_FULL: "order table full",
    Fault.UNITS: "GPU units not conserved",
    Fault.FLOWS: "cash not explained by flows",
    Fault.CLAIMS: "claims and debts differ",
    Fault.NEGATIVE: "negative cash",
    Fault.BEYOND_MEANS: "bid beyond budget or power",
    Fault.OVERPAID: "creditor received more than owed",
    Fault.ENDLESS: "cascade did not end",
    Fault.ORDER: "row index out of order",
}
