"""What a lender offers: covenant, size and term of a loan, its room to lend, what it renews."""

from __future__ import annotations

import pytest

from agents.lenders.offers import (
    covenant_of,
    lending_cap,
    lending_room,
    lends_on_contracts,
    loan_term,
    reset_advance,
    rolled_part,
    set_covenant,
    sized_loan,
)
from agents.tables.lenders import LenderKind, LenderStatus
from agents.tables.loans import LoanKind
from tests.rules.worlds import add_loan, small_world, some_terms


def with_columns(row, **columns: float):
    """Set columns of a row and return it."""
    for name, value in columns.items():
        setattr(row, name, value)
    return row


# --- covenants -------------------------------------------------------------------------------------------------
COVENANT = {"credit_covenant_margin": 0.2, "credit_covenant_cap": 0.9, "credit_covenant_least": 0.05}


@pytest.mark.parametrize(
    ("opening", "margin", "covenant"),
    [
        (0.5, 0.2, 0.7),  # a margin of 0.2 above the opening LTV
        (0.8, 0.2, 0.9),  # capped
        (0.88, 0.2, 0.93),  # but not closer to the opening LTV than the least distance
        (0.95, 0.2, 1.0),  # even if that is above the cap
        (0.95, 0.03, 0.98),  # a margin below the least distance stands
        (0.5, 0.0, 0.5),
    ],
)
def test_a_covenant_is_the_opening_ltv_and_a_margin_within_a_cap_that_leaves_some_distance(opening, margin, covenant):
    terms = some_terms(**COVENANT | {"credit_covenant_margin": margin})
    assert covenant_of(terms, opening) == pytest.approx(covenant)


@pytest.mark.parametrize(
    ("principal", "cost", "market", "collateral", "opening"),
    [
        (70.0, 200.0, 100.0, 175.0, 0.4),  # 0.75 x 200 + 0.25 x 100
        (0.5, 0.8, 0.4, 1.0, 0.5),  # worth 0.7, booked at a dollar
    ],
)
def test_a_new_loan_is_booked_against_cost_and_market_as_the_lender_weighs_them(
    principal, cost, market, collateral, opening
):
    w = small_world(terms=COVENANT)
    w.lenders[0].mark_to_market = 0.25
    loan = w.loans[add_loan(w, usd=principal)]
    set_covenant(loan, w.lenders[0], w.terms[0], cost, market)
    assert loan.collateral == pytest.approx(collateral)
    assert loan.opening_ltv == pytest.approx(opening)
    assert loan.covenant_ltv == pytest.approx(opening + 0.2)


# --- size ------------------------------------------------------------------------------------------------------
def sized(*, cost=4000.0, rent=800.0, expense=60.0, rate=0.12, term=20.0, months=2, life=2.0):
    """Size a loan on a unit: advance rate 0.8, DSCR at least 1.5."""
    w = small_world(terms={"credit_projection": months})
    lender = with_columns(w.lenders[0], life=life, min_dscr=1.5, advance_rate=0.8)
    return sized_loan(lender, w.terms[0], cost, rent, expense, rate, term)


# Debt service of a dollar: 0.12/12 + 1/20 = 0.06 a month, times 1.5 = 0.09.
@pytest.mark.parametrize(
    ("case", "usd"),
    [
        # A life of two months: the rent halves each month. Mean of 400 and 200, less 60, is 240 a month.
        ({}, 240 / 0.09),
        ({"expense": 100.0}, 200 / 0.09),
        ({"months": 3}, ((400 + 200 + 100) / 3 - 60) / 0.09),
        # A life of four months: a quarter is lost each month.
        ({"life": 4.0, "cost": 9000.0}, ((600 + 450) / 2 - 60) / 0.09),
        ({"rate": 0.24}, 240 / (1.5 * (0.02 + 0.05))),
        ({"term": 10.0}, 240 / (1.5 * (0.01 + 0.1))),
        # The advance rate binds.
        ({"cost": 1000.0}, 800.0),
        # A chip that does not earn its expense carries no debt.
        ({"expense": 350.0}, 0.0),
    ],
)
def test_a_loan_is_the_least_of_ltv_and_dscr_sizing_on_rents_that_fall_over_the_underwriting_life(case, usd):
    assert sized(**case) == pytest.approx(usd)


def test_a_longer_underwriting_life_raises_the_loan():
    # The life is the term as well: mean net rents of 240 over 2 months, of 465 over 4.
    assert sized(life=2.0, term=2.0) == pytest.approx(240 / (1.5 * (0.01 + 1 / 2)))
    assert sized(life=4.0, term=4.0) == pytest.approx(465 / (1.5 * (0.01 + 1 / 4)))


# --- room ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("case", "room"),
    [
        # Capital of 200 at a target of 0.2 carries 1000; 500 - 50 + 30 + 20 + 100 = 600 are used.
        ({}, 400.0),
        ({"book": 300.0}, 500.0 - 50.0),  # growth: half of 1000 a month, 50 are lent
        ({"lent_month": 300.0}, 500.0 - 300.0),
        ({"book": 950.0}, 0.0),  # more than it can carry
        ({"lent_month": 550.0}, 0.0),
        # Caution: half-way between the minimum of 0.1 and the target of 0.2, half of it.
        ({"capital_ratio": 0.15}, 200.0),
        ({"capital_ratio": 0.2}, 400.0),
        ({"capital_ratio": 0.1}, 0.0),
        ({"capital_ratio": 0.05}, 0.0),
        # A minimum at the target closes at once.
        ({"capital_minimum": 0.2, "capital_ratio": 0.21}, 400.0),
        ({"capital_minimum": 0.2, "capital_ratio": 0.19}, 0.0),
        # A small lender lends, one without capital or that is none does not.
        ({"equity": 0.5, "book": 0.0, "allowance": 0.0, "seized_claim": 0.0, "lent_lines": 0.0, "committed": 0.0,
          "lent_month": 0.0}, 0.5 * 0.5 / 0.2),
        ({"equity": 0.0}, 0.0),
        ({"equity": -200.0}, 0.0),
        ({"status": LenderStatus.ILLIQUID}, 0.0),
        ({"status": LenderStatus.FAILED}, 0.0),
        ({"kind": LenderKind.OUTSIDE}, 0.0),
    ],
)  # fmt: skip
def test_room_to_lend_is_what_capital_and_growth_leave_closing_by_degrees(case, room):
    w = small_world(terms={"funding_growth_limit": 0.5})
    lender = with_columns(
        w.lenders[0], equity=200.0, capital_target=0.2, capital_minimum=0.1, capital_ratio=0.3, book=500.0,
        allowance=50.0, seized_claim=30.0, lent_lines=20.0, committed=100.0, lent_month=50.0,
    )  # fmt: skip
    assert lending_room(with_columns(lender, **case), w.terms[0]) == pytest.approx(room)


@pytest.mark.parametrize(
    ("case", "haircut", "cut"),
    [
        # Losses of 50 on a book of 450 left: a tenth, counted twice. The haircut is 0.1 above calm.
        ({}, 0.35, 0.2 + 0.1),
        ({}, 0.25, 0.2),
        ({}, 0.15, 0.2),  # an easy funding market does not make up for losses
        ({"losses_year": 0.0}, 0.35, 0.1),
        ({"losses_year": 0.4, "book": 0.0}, 0.25, 2 * 0.4),  # over a dollar at least
        ({"losses_year": 900.0, "book": 100.0}, 0.35, 1.0),  # nothing is offered, not less
    ],
)
def test_the_advance_rate_falls_with_losses_of_the_year_and_with_the_haircut_of_funding(case, haircut, cut):
    w = small_world(terms={"funding_haircut": 0.25})
    lender = with_columns(w.lenders[0], max_ltv=0.8, rationing=2.0, losses_year=50.0, book=450.0, advance_rate=9.0)
    reset_advance(with_columns(lender, **case), haircut, w.terms[0], 0.5)
    # Half of 0.8 in calm times, by policy.
    assert lender.advance_rate == pytest.approx(0.4 * (1 - cut))


# --- term ------------------------------------------------------------------------------------------------------
TERM = {
    "policy_matched_amortisation": 1,
    "credit_term_contracts": 0.4,
    "credit_term_months": 24.0,
    "rental_hours": 100.0,
    "marks_reference_utilisation": 0.5,
    "rental_overhead": 0.2,
    "marks_reference_hosting": 3.0,
    "marks_reference_hurdle": 0.1,
    "marks_asset_life": 40.0,
    "marks_reference_decline": 0.8,
    "marks_reference_weight": 0.25,
    "marks_decline_floor": 0.1,
    "marks_decline_cap": 0.9,
}


def term(*, halvings=15, life=30.0, trend=0.4, contracts=0.0, **terms: float):
    """Return the term on a chip whose rent covers 2^halvings times what it must: hosting 3 x 5 kW + 0.1 x scrap of 10 = 16.

    It earns rent x 100 hours x performance 2 x 0.5 sold x 0.8 after overhead = 80 rents a month.
    """
    w = small_world(lenders=1, terms=TERM | terms)
    chip = with_columns(w.chips[0], performance=2.0, power=5.0, scrap=10.0)
    clock = with_columns(w.clock[0], rent=16 * 2**halvings / 80, trend=trend)
    op = with_columns(w.operators[0], contract_share=contracts)
    return loan_term(w, clock, op, with_columns(w.lenders[0], life=life), chip)


@pytest.mark.parametrize(
    ("case", "months"),
    [
        # Rents are believed to halve each month: 0.25 x 0.8 + 0.75 x 0.4 = 0.5.
        ({}, 15.0),
        ({"halvings": 18}, 18.0),
        ({"trend": 0.95, "marks_decline_cap": 0.5}, 15.0),
        ({"trend": -0.95, "marks_decline_floor": 0.5}, 15.0),
        ({"halvings": 25, "marks_asset_life": 21.0}, 21.0),  # at most the life of the asset
        ({"life": 14.0}, 14.0),  # and of the lender's underwriting
        ({"halvings": 3}, 12.0),  # at least a year
        ({"halvings": 3, "life": 9.0}, 9.0),
        ({"halvings": 3, "policy_matched_amortisation": 0}, 30.0),  # without the policy the underwriting life
        # Who borrows on contracted cash flow has a term loan's term, if the lender's life is not shorter.
        ({"halvings": 3, "policy_matched_amortisation": 0, "contracts": 0.4}, 24.0),
        ({"halvings": 3, "policy_matched_amortisation": 0, "contracts": 0.39}, 30.0),
        ({"halvings": 3, "policy_matched_amortisation": 0, "contracts": 0.9, "life": 20.0}, 20.0),
        ({"halvings": 25, "contracts": 0.9}, 24.0),
        ({"contracts": 0.9}, 15.0),
    ],
)
def test_a_matched_loan_amortises_over_the_economic_life_of_its_chip(case, months):
    assert term(**case) == pytest.approx(months)


@pytest.mark.parametrize(("share", "cash_flow"), [(0.39, False), (0.4, True), (1.0, True)])
def test_lenders_look_at_contracts_where_enough_of_the_capacity_is_let(share, cash_flow):
    w = small_world(terms={"credit_term_contracts": 0.4})
    assert bool(lends_on_contracts(with_columns(w.operators[0], contract_share=share), w.terms[0])) == cash_flow
    w.terms[0].credit_term_contracts = 1.1  # nobody
    assert not lends_on_contracts(w.operators[0], w.terms[0])


# --- policies on advance rates ---------------------------------------------------------------------------------
def capped(*, month=13, debt=None, published=None, **terms: float):
    """Return the factor on advance rates in ``month``, with rows of the panel as given and rows not written yet absurd."""
    w = small_world(
        months=24, terms={"policy_ltv_slope": 0.0, "policy_ltv_growth": 0.3, "policy_disclosure": 0.0} | terms
    )
    w.panel.debt[:] = 70.0
    w.panel.largest_executable_ltv[:] = 7.0
    for row, usd in (debt or {}).items():
        w.panel[row].debt = usd
    for row, ltv in (published or {}).items():
        w.panel[row].largest_executable_ltv = ltv
    return lending_cap(w, with_columns(w.clock[0], month=month), w.terms[0])


@pytest.mark.parametrize(
    ("month", "debt", "slope", "factor"),
    [
        # Debt grew by 80 % in twelve months, half above the neutral 30 %.
        (13, {0: 100.0, 12: 180.0}, 1.2, 1 - 1.2 * 0.5),
        (20, {7: 100.0, 19: 180.0}, 0.8, 1 - 0.8 * 0.5),
        (13, {0: 100.0, 12: 180.0}, 4.0, 0.0),  # no credit, not less
        (13, {0: 100.0, 12: 125.0}, 1.2, 1.0),  # slower than neutral
        (13, {0: 100.0, 12: 40.0}, 1.2, 1.0),
        (13, {0: 100.0, 12: 180.0}, 0.0, 1.0),  # off
        (12, {11: 180.0, 23: 100.0}, 1.2, 1.0),  # no debt of a year ago is known
        (13, {0: 1.0, 12: 180.0}, 1.2, 1.0),  # there was no debt a year ago
        (13, {0: 2.0, 12: 3.0}, 1.2, 1 - 1.2 * 0.2),
    ],
)
def test_the_countercyclical_cap_falls_with_the_growth_of_debt_above_neutral(month, debt, slope, factor):
    assert capped(month=month, debt=debt, policy_ltv_slope=slope) == pytest.approx(factor)


@pytest.mark.parametrize(
    ("month", "published", "weight", "factor"),
    [
        (5, {4: 1.6}, 0.4, 1 - 0.4 * 0.375),  # the largest borrower could repay 1/1.6 = 0.625
        (1, {0: 1.6}, 0.4, 1 - 0.4 * 0.375),
        (5, {4: 1.0}, 0.4, 1.0),
        (5, {4: 0.8}, 0.4, 1.0),  # covered: no premium for more
        (5, {4: 0.0}, 0.4, 1.0),  # nobody borrows
        (5, {4: 1.6}, 0.0, 1.0),  # off
        (0, {23: 1.6}, 0.4, 1.0),  # nothing is published yet
    ],
)
def test_disclosure_cuts_advance_rates_by_what_the_largest_borrower_could_not_repay(month, published, weight, factor):
    assert capped(month=month, published=published, policy_disclosure=weight) == pytest.approx(factor)


def test_both_policies_multiply():
    factor = capped(debt={0: 100.0, 12: 180.0}, published={12: 1.6}, policy_ltv_slope=1.2, policy_disclosure=0.4)
    assert factor == pytest.approx(0.4 * 0.85)


# --- renewal ---------------------------------------------------------------------------------------------------
def renewed(kind, *, loan=None, op=None, lender=None, clock=None):
    """Return what is renewed of a loan of 100, all of it unless something stands against it.

    The lender's offer is 1.2 x an advance rate of 0.75 = 0.9 of the mark; a DSCR of 0.5 to 2.5 renews by degrees.
    """
    w = small_world(
        terms={
            "credit_rollover_ltv": 1.2, "credit_rollover_dscr": 2.5, "credit_rollover_floor": 0.5,
            "notes_margin_ltv": 0.4, "notes_limit": 0.5,
        }
    )  # fmt: skip
    row = w.loans[add_loan(w, usd=100.0, kind=kind, **{"collateral": 200.0, "coins": 20.0} | (loan or {}))]
    with_columns(w.lenders[0], **{"capital_ratio": 0.2, "advance_rate": 0.75} | (lender or {}))
    with_columns(w.operators[0], **{"dscr": 3.0, "cash": 500.0} | (op or {}))
    with_columns(w.clock[0], **{"btc": 30.0, "eth": 3.0} | (clock or {}))
    return rolled_part(row, w.operators[0], w.lenders[0], w.terms[0], w.clock[0])


LOW = {"collateral": 80.0}


@pytest.mark.parametrize(
    ("case", "usd"),
    [
        ({}, 100.0),  # not more than the loan, though 180 could be lent on the mark
        ({"loan": LOW}, 0.9 * 80),
        # Cover: by degrees with the DSCR.
        ({"loan": LOW, "op": {"dscr": 2.5}}, 72.0),
        ({"loan": LOW, "op": {"dscr": 1.0}}, 18.0),
        ({"loan": LOW, "op": {"dscr": 0.5}}, 0.0),
        ({"loan": LOW, "op": {"dscr": -2.0}}, 0.0),
        # Capital: by degrees below the lender's minimum of 0.1.
        ({"loan": LOW, "lender": {"capital_ratio": 0.1}}, 72.0),
        ({"loan": LOW, "lender": {"capital_ratio": 0.075}}, 54.0),
        ({"loan": LOW, "lender": {"capital_ratio": -0.1}}, 0.0),
        ({"loan": LOW, "lender": {"capital_ratio": -0.1, "capital_minimum": 0.0}}, 72.0),
        ({"lender": {"status": LenderStatus.ILLIQUID}}, 0.0),
        ({"lender": {"status": LenderStatus.FAILED}}, 0.0),
        ({"lender": {"kind": LenderKind.OUTSIDE}}, 0.0),
        # All of it where all secured lenders would rather wait, whatever stands against it.
        ({"loan": LOW, "op": {"hold": 1, "dscr": -2.0}}, 100.0),
        ({"loan": LOW, "op": {"hold": 1}, "lender": {"capital_ratio": -0.1, "advance_rate": 0.0}}, 100.0),
        # Neither a bitcoin stress nor debt beyond its assets stands against it.
        ({"loan": LOW, "op": {"cash": 0.0}, "clock": {"stress_coin": 1}}, 72.0),
    ],
)
def test_an_equipment_loan_is_renewed_up_to_the_ltv_offered_now(case, usd):
    assert renewed(LoanKind.EQUIPMENT, **case) == pytest.approx(usd)


@pytest.mark.parametrize(
    ("case", "usd"),
    [
        ({"loan": {"coins": 5.0}}, 0.4 * 5 * 30),
        ({"loan": {"coins": 9.0}}, 100.0),  # not more than the loan, though 108 could be lent
        ({"loan": {"coins": 5.0}, "op": {"hold": 1}}, 60.0),  # who is secured by coins has no part in that
        ({"loan": {"coins": 5.0}, "lender": {"status": LenderStatus.ILLIQUID}}, 0.0),
        ({"loan": {"coins": 5.0}, "lender": {"status": LenderStatus.FAILED}}, 0.0),
        ({"loan": {"coins": 5.0}, "op": {"cash": 0.0, "dscr": -2.0}, "clock": {"stress_coin": 1}}, 60.0),
    ],
)
def test_a_coin_loan_is_renewed_at_its_opening_ltv(case, usd):
    assert renewed(LoanKind.MARGIN, **case) == pytest.approx(usd)


@pytest.mark.parametrize(
    ("case", "usd"),
    [
        # Debt may be half of the assets: 200 carry the loan of 100.
        ({"op": {"cash": 200.0}}, 100.0),
        ({"op": {"cash": 199.0}}, 0.0),
        ({"op": {"cash": 20.0, "gpu_value": 40.0, "btc": 2.0, "eth": 10.0, "rig_value": 50.0}}, 100.0),
        ({"op": {"cash": 500.0}, "clock": {"stress_coin": 1}}, 0.0),
        # The market renews, not the holder.
        ({"lender": {"status": LenderStatus.FAILED, "kind": LenderKind.OUTSIDE}}, 100.0),
        ({"op": {"cash": 200.0, "dscr": -2.0}, "loan": {"collateral": 0.0, "coins": 0.0}}, 100.0),
    ],
)
def test_notes_are_renewed_in_full_outside_a_bitcoin_stress_while_debt_is_moderate(case, usd):
    assert renewed(LoanKind.CONVERTIBLE, **case) == pytest.approx(usd)
