"""With whom an operator signs, and what part of a contract is let on contract again."""

from __future__ import annotations

import pytest

from agents.customers.signing import (
    choose_customer,
    contract_rent,
    count_signed,
    credit_mood,
    let_again,
    next_active,
    renewed_part,
)
from agents.tables.customers import CUSTOMER, CustomerKind, CustomerStatus
from agents.tables.operators import OPERATOR
from tests.rules.worlds import add_lot, operator_node, put, small_world, some_terms


# --- with whom -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("after", "other", "failed", "found"),
    [
        (0, -1, (), 1),
        (1, 2, (), 3),  # not the main customer itself
        (2, -1, (3,), 0),  # the rows are a circle
        (1, 0, (2, 3), 1),  # back where it began, if that one is alive
        (1, 0, (1, 2, 3), -1),
        (3, -1, (1, 2, 3), 0),
    ],
)
def test_the_next_customer_is_the_first_alive_behind_a_row(after, other, failed, found):
    customers = CUSTOMER.empty(4)
    customers.status[list(failed)] = CustomerStatus.FAILED
    assert next_active(customers, after, other) == found


def test_of_no_customers_none_is_next():
    assert next_active(CUSTOMER.empty(0), -1, -1) == -1


@pytest.mark.parametrize(
    ("signed", "main", "second", "chosen"),
    [
        (0.0, 0.0, 7, 4),  # the first contract is the main customer's
        (10.0, 5.9, 7, 4),
        (10.0, 6.0, 7, 4),
        (10.0, 6.1, 7, 7),
        (10.0, 6.1, 0, 0),  # row 0 is a customer
        (10.0, 6.1, -1, 4),  # there is no other one
    ],
)
def test_the_main_customer_signs_while_it_has_no_more_than_its_share(signed, main, second, chosen):
    op = put(OPERATOR.empty(1)[0], customer=4, second=second, signed=signed, signed_main=main)
    assert choose_customer(op, some_terms(customers_concentration=0.6)) == chosen


@pytest.mark.parametrize(("customer", "main"), [(4, 6.5), (7, 4.0)])
def test_what_is_let_counts_for_the_main_customer_when_it_is_his(customer, main):
    op = put(OPERATOR.empty(1)[0], customer=4, second=7, signed=5.0, signed_main=4.0)
    count_signed(op, customer, 2.5)
    assert (op.signed, op.signed_main) == (7.5, main)


# --- what is renewed -------------------------------------------------------------------------------------------
def world_of_months(*commitments: float):
    w = small_world(months=20)
    w.panel.new_commitments[:] = 7777.0  # what stands in months that have not been recorded
    w.panel.new_commitments[: len(commitments)] = commitments
    return w


@pytest.mark.parametrize(
    ("commitments", "mood"),
    [
        ((), 1.0),  # nothing is known yet
        ((0.0, 0.0, 0.0), 1.0),
        ((8.0,), 1.0),
        ((0.3, 0.0, 0.1, 0.0), (0.1 / 3) / 0.1),
        ((4.0, 1.0, 1.0, 1.0), 1.0 / 1.75),  # three months against all four
        ((4.0, 2.0, 3.0, 4.0), 3.0 / 3.25),
        ((10.0, *[2.0] * 9, 5.0, 8.0, 11.0), 8.0 / (42.0 / 12)),  # three against twelve: the first month is forgotten
        ((5.0, 5.0, 0.0, 0.0, 0.0), 0.0),
    ],
)
def test_the_mood_of_credit_is_the_last_quarter_against_the_last_year(commitments, mood):
    w = world_of_months(*commitments)
    assert credit_mood(w.panel, len(commitments)) == pytest.approx(mood)


@pytest.mark.parametrize(
    ("price", "rent", "part"),
    [
        (4.0, 4.0, 0.6),
        (4.0, 9.0, 0.6),  # capacity is dear: nobody renews more for that
        (4.0, 3.0, 0.6 * (1 - 1.5 * 0.25)),  # a quarter below the contract
        (4.0, 4.0 / 3.0, 0.0),  # two thirds below: nothing
        (4.0, 1.0, 0.0),  # never less
    ],
)
def test_less_is_renewed_the_further_spot_is_below_the_contract(price, rent, part):
    customer = put(CUSTOMER.empty(1)[0], kind=CustomerKind.ENTERPRISE, renewal=0.6)
    terms = some_terms(customers_alternatives=1.5, customers_credit_feedback=0.0)
    assert renewed_part(customer, price, rent, 0.5, terms) == pytest.approx(part)


@pytest.mark.parametrize(
    ("kind", "mood", "feedback", "part"),
    [
        (CustomerKind.AI_LAB, 0.5, 0.8, 0.6 * (1 - 0.8 * 0.5)),
        (CustomerKind.AI_LAB, 1.0, 0.8, 0.6),
        (CustomerKind.AI_LAB, 1.5, 0.8, 0.6 * (1 + 0.8 * 0.5)),
        (CustomerKind.AI_LAB, 3.0, 0.8, 1.0),  # not more than all
        (CustomerKind.AI_LAB, 0.0, 2.0, 0.0),  # not less than nothing
        (CustomerKind.AI_LAB, 0.5, 0.0, 0.6),  # switched off
        (CustomerKind.HYPERSCALER, 0.5, 0.8, 0.6),
        (CustomerKind.ENTERPRISE, 0.5, 0.8, 0.6),
    ],
)
def test_ai_labs_renew_less_when_credit_closes_if_the_scenario_says_so(kind, mood, feedback, part):
    customer = put(CUSTOMER.empty(1)[0], kind=kind, renewal=0.6)
    terms = some_terms(customers_alternatives=1.0, customers_credit_feedback=feedback)
    assert renewed_part(customer, 2.0, 2.0, mood, terms) == pytest.approx(part)


# --- a contract ends -------------------------------------------------------------------------------------------
def ending(*, rent: float = 2.5, renewal: float = 0.5, **lot: float):
    """Month 20: ten units of performance 3, 80 % of them let to customer 0 at 2.5 USD; nobody renews less for a low spot."""
    w = small_world(
        customers=2,
        terms={
            "rental_hours": 100.0,
            "rental_contract_discount": 0.8,
            "rental_contract_term": 30,
            "customers_alternatives": 0.0,
            "customers_credit_feedback": 0.5,
        },
    )
    put(w.clock[0], month=20, rent=rent)
    w.chips[0].performance = 3.0
    w.customers.renewal[:] = renewal
    put(w.operators[0], customer=0, second=1, signed=50.0, signed_main=40.0)
    k = add_lot(
        w, node=operator_node(w), contracted=0.8, contract_price=2.5, contract_end=20, customer=0,
        signed=0.8, signed_price=3.5, signed_end=20,
    )  # fmt: skip
    return w, put(w.lots[k], **lot)


def end(w, lot, c, broken, mood=1.0):
    return let_again(lot, w.operators[0], w.chips[0], w.customers, c, broken, mood, w.clock[0], w.terms[0])


def test_a_contract_pays_for_all_hours_of_the_share_let():
    w, lot = ending()
    assert contract_rent(lot, w.chips[0], w.terms[0]) == pytest.approx(100.0 * 3.0 * 10.0 * 0.8 * 2.5)


def test_the_part_renewed_is_let_at_the_discounted_spot_for_a_new_term():
    w, lot = ending()
    lost = end(w, lot, 0, False)
    # Half of 0.8 at 2.5 x 0.8: of 6,000 USD a month 3,000 x 0.4 x 2 = 2,400 are left.
    assert lost == pytest.approx(6000.0 - 2400.0)
    assert (lot.customer, lot.contracted, lot.contract_price, lot.contract_end) == pytest.approx((0, 0.4, 2.0, 50))
    assert (lot.signed, lot.signed_price, lot.signed_end) == pytest.approx((0.4, 2.0, 50))
    # A renewal is no new business.
    assert (w.operators[0].signed, w.operators[0].signed_main) == (50.0, 40.0)


def test_a_renewal_at_a_higher_rent_costs_nothing():
    w, lot = ending(rent=10.0)
    assert end(w, lot, 0, False) == 0.0
    assert lot.contract_price == pytest.approx(8.0)


def test_the_mood_of_credit_reaches_an_ai_lab():
    w, lot = ending()
    w.customers[0].kind = CustomerKind.AI_LAB
    end(w, lot, 0, False, mood=0.2)
    assert lot.contracted == pytest.approx(0.8 * 0.5 * (1 - 0.5 * 0.8))


@pytest.mark.parametrize(
    ("c", "renewal", "offered"),
    [(-1, 0.5, 0.0), (0, 0.0, 0.0), (0, 0.01, 0.0), (0, 0.5, 3.0)],  # nobody; no renewal; next to none; for sale
)
@pytest.mark.parametrize("broken", [False, True])
def test_what_is_not_let_again_goes_on_demand(c, renewal, offered, broken):
    w, lot = ending(renewal=renewal, offered=offered)
    assert end(w, lot, c, broken) == pytest.approx(6000.0)
    assert (lot.customer, lot.contracted) == (-1, 0.0)
    # What was signed stands, when the customer left before its term.
    assert (lot.signed, lot.signed_price, lot.signed_end) == ((0.8 if broken else 0.0), 3.5, 20)
    assert w.operators[0].signed == 50.0


@pytest.mark.parametrize(("renewal", "contracted"), [(0.01, 0.01), (0.0099, 0.0)])
def test_a_hundredth_of_a_lot_is_let_and_less_is_not(renewal, contracted):
    w, lot = ending(renewal=renewal, contracted=1.0)
    end(w, lot, 0, False)
    assert lot.contracted == contracted


@pytest.mark.parametrize(("c", "main"), [(0, 52.0), (1, 40.0)])
def test_another_customer_in_the_place_of_one_that_is_gone_leaves_what_was_signed(c, main):
    w, lot = ending(signed_end=33)
    assert end(w, lot, c, True) == pytest.approx(3600.0)
    assert (lot.customer, lot.contracted, lot.contract_price, lot.contract_end) == pytest.approx((c, 0.4, 2.0, 50))
    assert (lot.signed, lot.signed_price, lot.signed_end) == (0.8, 3.5, 33)
    # 10 units x 3 x 0.4 are new business.
    assert (w.operators[0].signed, w.operators[0].signed_main) == pytest.approx((62.0, main))


def test_each_customer_renews_its_own_part():
    w, lot = ending()
    w.customers[1].renewal = 1.0
    end(w, lot, 1, True)
    assert lot.contracted == pytest.approx(0.8)
