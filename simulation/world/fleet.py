"""The fleet and the equipment loans with which a run opens."""

from __future__ import annotations

import math

import numpy as np

from agents.customers.signing import choose_customer, count_signed
from agents.lenders.offers import covenant_of, lends_on_contracts
from agents.rule import borrow, entry, rule
from agents.tables.loans import LoanContract, LoanKind, LoanStatus
from agents.tables.lots import sign_lot
from simulation.scenario.kept import kept
from simulation.scenario.scenario import Scenario
from simulation.world.world import World

#: A generation released later has this many times the power of the one before it in the opening fleet.
_NEWER = 1.5
#: So much less than a whole chip is one (GPU): a sum of shares may fall short by rounding.
_HAIR = 1e-9
#: Oldest lot of the opening fleet (months); most of its opening cash that a lender has lent; first month in which an
#: opening loan falls due. Assumptions: nothing on record says how the fleet of January 2024 was financed loan by loan.
_OLDEST = 24
_LENT = 0.9
_FIRST = 6


def lay_out_fleet(world: World, scenario: Scenario, rng: np.random.Generator) -> None:
    """Give every operator its opening GPUs, contracts and equipment loans.

    Power in use is split over the generations released by the start, newer ones more. Ages are uniform up to
    24 months or the age of the generation. A share ``credit.initial_pledged`` of the lots secures
    a loan of ``credit.initial_debt`` times its appraisal, from one of the lenders that the operator knows.
    """
    released, share = _generations(scenario)
    draws = rng.random((len(world.operators), len(released), 5))
    lay_lots(world, released, share, draws)
    if scenario.credit.initial_debt > 0.0 and len(world.bank):
        lend_opening(world, released, draws, np.zeros(len(world.lenders)), np.zeros(len(world.lenders)))


@kept
def _generations(scenario: Scenario) -> tuple[np.ndarray, np.ndarray]:
    """Return the generations released by the start, and their shares of the power in use."""
    released = np.flatnonzero([chip.release <= 0 for chip in scenario.chips])
    weight = _NEWER ** np.arange(len(released))
    return released, weight / weight.sum()


@entry
def lay_lots(w, released, share, draws):
    """Lay out a lot for each operator and each generation in ``released`` of which it can run a unit.

    What makes no whole chip is left to the next generation, so that nobody opens with more power than planned.
    ``share`` is each one's share of the power in use, ``draws`` (operators x generations x 5) are in [0, 1). Reads
    ``used_power`` (kW) as a plan and writes what the units draw; links each operator's lots, its last one first.
    """
    w = borrow(w)
    clock = w.clock[0]
    k = 0
    for o in range(len(w.operators)):
        op = w.operators[o]
        planned = op.used_power
        op.used_power = 0.0
        above = -1
        left = 0.0
        for g in range(len(released)):
            chip = w.chips[released[g]]
            left += planned * share[g]
            units = float(math.floor(left / chip.power + _HAIR))
            if units < 1.0:
                continue
            left -= units * chip.power
            open_fleet_lot(w.terms[0], chip, op, w.lots[k], units, draws[o, g, 0], draws[o, g, 1])
            w.lots[k].chip = released[g]
            w.lots[k].owner = len(w.lenders) + o
            w.lots[k].following = above
            w.lots[k].preceding = -1
            if above >= 0:
                w.lots[above].preceding = k
            above = k
            k += 1
        w.first_lot[len(w.lenders) + o] = above
        op.liquid_power = max(op.liquid_power, op.used_liquid)
    for chip in w.chips:
        chip.stock = chip.initial
    clock.free_lot = k
    clock.used_lots = k


@rule
def open_fleet_lot(terms, chip, op, lot, units, age, end):
    """Write a lot of ``units`` of a generation, its age and the end of its contract by draws in [0, 1); add its power (kW)."""
    lot.units = units
    lot.vintage = -float(math.floor(age * min(_OLDEST, -chip.release)))
    lot.cost = chip.list_price * (1.0 + terms.credit_soft_cost)
    customer = choose_customer(op, terms) if op.contract_share > 0.0 else -1
    sign_lot(
        lot, customer, op.contract_share, terms.rental_rent * terms.rental_contract_discount,
        1 + math.floor(end * terms.rental_contract_term),
    )  # fmt: skip
    count_signed(op, customer, units * chip.performance * op.contract_share)
    lot.loan = -1
    power = units * chip.power
    op.used_power += power
    op.used_liquid += power * chip.liquid
    chip.initial += units


@entry
def lend_opening(w, released, draws, asked, lent):
    """Write the opening equipment loans, one a lot; lenders pay them out of their opening cash.

    ``asked`` and ``lent`` are zeros, one a lender (USD). Rows without a loan join the free list, ahead of the unused ones.
    """
    w = borrow(w)
    clock = w.clock[0]
    for k in range(clock.used_lots):
        lot = w.lots[k]
        loan = w.loans[k]
        o = lot.owner - len(w.lenders)
        g = 0
        while released[g] != lot.chip:
            g += 1
        loan.borrower = o
        loan.lender = known_lender(w.bank_ptr, w.bank, o, draws[o, g, 2])
        ask_opening(w.terms[0], w.chips[lot.chip], lot, loan, draws[o, g, 3], draws[o, g, 4])
        asked[loan.lender] += loan.principal
    last = -1
    clock.free_loan = clock.used_lots
    for k in range(clock.used_lots):
        loan = w.loans[k]
        cash = w.lenders[loan.lender].cash
        # A lender lends at most its cash: the rest of the fleet is owned outright.
        loan.principal *= min(1.0, _LENT * cash / max(asked[loan.lender], 1.0))
        grant_opening(w.terms[0], w.lenders[loan.lender], w.operators[loan.borrower], loan)
        lent[loan.lender] += loan.principal
        if loan.principal > 0.0:
            w.lots[k].loan = k
            continue
        loan.status = LoanStatus.FREE
        if last < 0:
            clock.free_loan = k
        else:
            w.loans[last].following = k
        last = k
    if last >= 0:
        w.loans[last].following = clock.used_lots
    clock.used_loans = clock.used_lots
    for j in range(len(w.lenders)):
        w.lenders[j].book += lent[j]
        w.lenders[j].cash -= lent[j]


@rule
def known_lender(bank_ptr, bank, o, u):
    """Return the lender that operator ``o`` borrows from by a draw in [0, 1); -1 if it knows none."""
    first = bank_ptr[o]
    known = bank_ptr[o + 1] - first
    return bank[first + math.floor(u * known)] if known > 0 else -1


@rule
def ask_opening(terms, chip, lot, loan, u, chance):
    """Write what the owner of a lot asks for: principal and collateral (USD), maturity (month), the two by draws in [0, 1)."""
    loan.kind = LoanKind.EQUIPMENT
    loan.maturity = _FIRST + math.floor(u * (terms.credit_maturity - _FIRST + 1))
    loan.collateral = lot.units * chip.appraisal
    loan.principal = 0.0
    if loan.lender < 0:
        loan.lender = 0
    elif chance < terms.credit_initial_pledged:
        loan.principal = terms.credit_initial_debt * loan.collateral


@rule
def grant_opening(terms, lender, op, loan):
    """Write the terms of an opening loan by its principal and collateral (USD); the borrower owes it."""
    loan.status = LoanStatus.PERFORMING
    loan.contract = LoanContract.TERM if lends_on_contracts(op, terms) else LoanContract.BORROWING_BASE
    loan.recourse = 1
    loan.rate = terms.credit_base_rate + lender.spread
    loan.amortisation = loan.principal / lender.life
    loan.opening_ltv = loan.principal / loan.collateral
    loan.covenant_ltv = covenant_of(terms, loan.opening_ltv)
    op.debt += loan.principal
