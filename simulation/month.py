"""The month: a list of phases, each a list of rules, stated once; ``advance`` walks it.

``advance`` goes on by one phase (or one round of the cascade), to the end of the month, or to the horizon. A run
is advance to the horizon; the browser steps by phase, round or month; the numbers are the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from agents.buyers.bids import value_chips
from agents.buyers.budgets import replenish_buyers
from agents.buyers.entry import commit_capital, move_capital
from agents.customers.contracts import renegotiate
from agents.customers.failure import fail_customers
from agents.customers.revenue import realise_contracts
from agents.lenders.calls import watch_coins, watch_covenants
from agents.lenders.failure import fail_lenders, withdraw_commitments
from agents.lenders.funding import fund_lenders, pay_lines
from agents.lenders.marks import count_unsold, provide, revalue
from agents.lenders.runs import call_lines, meet_calls, run_deposits, set_haircut
from agents.lenders.workouts import judge_borrowers, swap_hopeless, watch_sweeps
from agents.miners.notes import issue_notes
from agents.operators.cures import cure_failing
from agents.operators.debt_service import (
    accrue,
    close_paid,
    pay_debts,
    pay_shares,
    sweep_cash,
    test_terms,
    watch_coverage,
    work_out_arrears,
)
from agents.operators.default import carry_out_defaults, pay_estates
from agents.operators.deliveries import deliver_orders
from agents.operators.orders import order_chips, pay_out_excess
from agents.operators.sites import begin_sites, finish_sites, relet_sites
from agents.rule import alternative, borrow, entry, sequence
from agents.tables.clock import Fault, stop_run
from simulation.markets.rental import clear_rental, earn_rent, scrap_idle
from simulation.markets.vendor import pay_idle_hours
from simulation.markets.venues import appraise, trade
from simulation.phases.cascade import goes_on, impose_block, offer_blocks
from simulation.phases.close import mark_books, remember_prices, withdraw_posted
from simulation.phases.open import move_drivers, open_books, pool_fleets, start_month
from simulation.phases.record import keep_flows, record_month
from simulation.prepare import prepare
from simulation.record.checks import check_claims, check_flows, check_loans, check_means, check_units
from simulation.world.world import World


class Phase(NamedTuple):
    """One phase of the month: ``rules`` are carried out in their order, each with the world and its clock."""

    name: str
    meaning: str
    rules: tuple[Callable, ...]


#: The month. The rules of the cascade are those of one round; rounds follow one another until nothing new happens.
PHASES = (
    Phase(
        "open",
        "Drivers move; budgets refill; customers fail; contracts end, are renewed or renegotiated; sites and commitments are delivered.",
        (
            start_month, move_drivers, open_books, replenish_buyers, move_capital, fail_customers, renegotiate, pool_fleets,
            finish_sites, deliver_orders,
        ),
    ),
    Phase(
        "rent",
        "The rental market clears; operators earn and pay hosting; miners mine; a vendor's backstop pays for idle hours; "
        "idle chips are scrapped.",
        (clear_rental, earn_rent, pay_idle_hours, realise_contracts, scrap_idle),
    ),
    Phase("value", "Each bidder values a used unit of each generation.", (value_chips,)),
    Phase(
        "service",
        "Interest and principal from cash, then coins; arrears; DSCR covenants.",
        (judge_borrowers, accrue, pay_debts, pay_shares, close_paid, watch_coverage, test_terms, swap_hopeless, watch_sweeps, sweep_cash),
    ),
    Phase(
        "cascade",
        "Rounds until nothing new happens: owners' cures, defaults, seizure, auctions, marks, margin calls, arrears, funding calls, "
        "runs, failures, clearing.",
        (
            cure_failing, carry_out_defaults, impose_block, offer_blocks, trade, appraise, revalue, judge_borrowers, watch_covenants, watch_coins,
            work_out_arrears, count_unsold, set_haircut, provide, call_lines, run_deposits, meet_calls, fail_lenders,
            withdraw_commitments,
        ),
    ),
    Phase(
        "credit",
        "Operators order chips; lenders commit; owners are paid; miners issue notes.",
        (order_chips, relet_sites, begin_sites, pay_out_excess, issue_notes),
    ),
    Phase(
        "fund",
        "Lenders pay for their funding, keep liquid and capitalised, reset their terms.",
        (pay_lines, fund_lenders),
    ),
    Phase(
        "close",
        "Estates pay creditors; losses are written off; prices leave their trace; books are marked.",
        (withdraw_posted, pay_estates, commit_capital, remember_prices, revalue, count_unsold, provide, mark_books),
    ),
    Phase(
        "record",
        "The month is measured and its identities are checked.",
        (record_month, check_units, check_loans, check_claims, check_means, check_flows, keep_flows),
    ),
)  # fmt: skip

OPEN, RENT, VALUE, SERVICE, CASCADE, CREDIT, FUND, CLOSE, RECORD = range(len(PHASES))
#: One rule a phase, and the rule that carries out the one whose turn it is.
PHASE_RULES = tuple(sequence(f"{phase.name}_phase", phase.rules, globals()) for phase in PHASES)
run_phase = alternative("run_phase", "phase", PHASE_RULES, globals())

#: How far ``advance`` goes.
STEP, MONTH, HORIZON = 0, 1, 2


def advance(w: World, stop: int) -> None:
    """Advance the world: one phase or round (``stop`` STEP), to the end of the month (MONTH), to the horizon (HORIZON).

    Stops at once when an identity is violated; ``clock.fault`` then names it. The first call compiles the rules.
    """
    prepare(w, walk, PHASE_RULES, CASCADE)
    walk(w, stop)


@entry
def walk(w, stop):
    """Carry out phase after phase, and round after round of the cascade, until ``stop``."""
    w = borrow(w)
    clock = w.clock[0]
    while clock.month < len(w.panel) and clock.fault == Fault.NONE:
        phase = clock.phase
        after = phase + 1
        if phase == CASCADE:
            clock.news = 0
        run_phase(w, clock)
        if phase == CASCADE:
            if goes_on(w, clock):
                after = CASCADE
                if clock.turn + 1 >= w.terms[0].run_max_turns:
                    stop_run(clock, Fault.ENDLESS, clock.turn, 0.0)
            clock.turn += 1
        elif phase == RECORD:
            after = OPEN
        if clock.fault == Fault.NONE:
            clock.phase = after
            if phase == RECORD:
                clock.month += 1
        if stop == STEP or (stop == MONTH and phase == RECORD):
            return
