"""How a lender marks collateral, provides for losses and counts its equity."""

from __future__ import annotations

import pytest

from agents.lenders.marks import count_unsold, loan_allowance, mark_lot, orderly_price, provide, revalue, seized_at
from agents.operators.default import pay_estates
from agents.tables.events import Cause, EventKind, log_event
from agents.tables.loans import LoanKind, LoanStatus, recover
from agents.tables.lots import close_lot, link_lot, unlink_lot
from agents.tables.operators import OperatorStatus
from tests.rules.worlds import add_loan, add_lot, buyer_node, operator_node, put, small_world


# --- marks -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("phi", "month", "scrap", "mark"),
    [
        # Cost 1000, ten of fifty months old: 800 by the model. The appraisal is 400.
        (0.0, 20, 50.0, 800.0),
        (1.0, 20, 50.0, 400.0),
        (0.25, 20, 50.0, 0.75 * 800 + 0.25 * 400),
        (0.25, 10, 50.0, 0.75 * 1000 + 0.25 * 400),
        (0.25, 60, 50.0, 0.25 * 400),  # written off
        (0.25, 80, 50.0, 0.25 * 400),  # and not below
        (0.0, 80, 50.0, 50.0),  # at least scrap
        (0.25, 20, 750.0, 750.0),
    ],
)
def test_a_mark_is_between_cost_written_off_and_the_appraisal(phi, month, scrap, mark):
    w = small_world()
    w.lenders[0].mark_to_market, w.lenders[0].life = phi, 50.0
    w.chips[0].appraisal, w.chips[0].scrap = 400.0, scrap
    k = add_lot(w, node=operator_node(w), cost=1000.0, vintage=10.0)
    assert mark_lot(w.lenders[0], w.lots[k], w.chips[0], month) == pytest.approx(mark)


@pytest.mark.parametrize(
    ("fundamental", "parity", "scrap", "usd"),
    [
        (400.0, 900.0, 50.0, 300.0),  # value in use less a calm premium of a quarter
        (400.0, 250.0, 50.0, 250.0),  # no dearer than a new one for the same
        (400.0, 40.0, 50.0, 50.0),  # scrap at least
        (60.0, 900.0, 50.0, 50.0),
    ],
)
def test_rents_and_list_prices_say_what_an_orderly_sale_brings(fundamental, parity, scrap, usd):
    w = small_world(terms={"market_risk_premium": 0.25})
    chip = w.chips[0]
    chip.fundamental, chip.parity, chip.scrap = fundamental, parity, scrap
    assert orderly_price(chip, w.terms[0]) == pytest.approx(usd)


def test_collateral_is_marked_by_its_creditor_and_seized_hardware_counted_by_its_holder():
    w = small_world(lenders=2, operators=1, buyers=1, chips=2)
    w.clock[0].month = 25
    # Lender 0 marks to market; lender 1 to model: a quarter of the cost is written off.
    w.lenders[0].mark_to_market = 1.0
    w.chips.appraisal[:] = 300.0, 500.0
    first, second, gone = add_loan(w, lender=0), add_loan(w, lender=1), add_loan(w, lender=0)
    w.loans.collateral[:] = 77.0
    w.loans[gone].status = LoanStatus.FREE
    w.lenders.seized_value[:] = 88.0
    op = operator_node(w)
    add_lot(w, node=0, units=2.0, loan=first, vintage=0.0)  # seized: 2 x 300
    add_lot(w, node=op, units=3.0, loan=first, chip=1, vintage=0.0)  # 3 x 500
    add_lot(w, node=op, units=5.0, loan=second, cost=600.0, vintage=0.0)  # 5 x 450, by the model
    add_lot(w, node=op, units=7.0, loan=second, cost=800.0, vintage=0.0)  # 7 x 600
    add_lot(w, node=1, units=11.0, loan=second, cost=800.0, vintage=0.0)  # seized: 11 x 600
    add_lot(w, node=0, units=37.0, loan=second, cost=800.0, vintage=0.0)  # the same, held by the other: 37 x 600
    add_lot(w, node=op, units=13.0, vintage=0.0)  # free
    add_lot(w, node=buyer_node(w), units=17.0, vintage=0.0)
    add_lot(w, node=0, units=19.0, chip=1, vintage=0.0)  # its own, no claim: 19 x 500
    add_lot(w, node=1, units=31.0, cost=800.0, vintage=0.0)  # the same: 31 x 600, by the model
    add_lot(w, node=1, units=23.0, vintage=0.0, owner=-1)  # a row that is not in use
    add_lot(w, node=0, units=29.0, loan=first, vintage=0.0, owner=-1)
    revalue(w, w.clock[0])
    assert w.loans[first].collateral == pytest.approx(2 * 300 + 3 * 500)
    assert w.loans[second].collateral == pytest.approx(5 * 450 + 7 * 600 + 11 * 600 + 37 * 600)
    assert w.loans.collateral[gone:].tolist() == [77.0] * (len(w.loans) - gone)
    assert w.lenders.seized_value.tolist() == pytest.approx([2 * 300 + 19 * 500 + 37 * 600, 11 * 600 + 31 * 600, 0.0])


def test_unsold_are_the_units_that_lenders_and_operators_offer():
    w = small_world(lenders=2, operators=2, buyers=2, chips=2)
    w.chips.unsold[:] = 99.0
    add_lot(w, node=0, offered=2.0)
    add_lot(w, node=1, offered=3.0, chip=1)
    add_lot(w, node=operator_node(w, 0), offered=5.0)
    add_lot(w, node=operator_node(w, 0), offered=0.5)
    add_lot(w, node=operator_node(w, 1), offered=7.0, chip=1)
    add_lot(w, node=operator_node(w, 1), offered=0.0)
    add_lot(w, node=buyer_node(w, 0), offered=11.0)
    add_lot(w, node=0, offered=13.0, owner=-1)  # a row that is not in use
    count_unsold(w, w.clock[0])
    assert w.chips.unsold.tolist() == [2.0 + 5.0 + 0.5, 3.0 + 7.0]


# --- allowances ------------------------------------------------------------------------------------------------
#: Allowance over the shortfall of a loan in breach; of a performing one, by the lender's weight of market prices.
IMPAIRED = {"funding_impairment_called": 0.4, "funding_impairment_market": 0.25}


@pytest.mark.parametrize(
    ("kind", "status", "collateral", "usd"),
    [
        # A claim of 100, 40 above its collateral.
        (LoanKind.EQUIPMENT, LoanStatus.PERFORMING, 60.0, 0.25 * 0.5 * 40),
        (LoanKind.EQUIPMENT, LoanStatus.CALLED, 60.0, 0.4 * 40),
        (LoanKind.EQUIPMENT, LoanStatus.DEFAULTED, 60.0, 100.0),  # all: the hardware is carried as such
        (LoanKind.EQUIPMENT, LoanStatus.PERFORMING, 150.0, 0.0),
        (LoanKind.EQUIPMENT, LoanStatus.CALLED, 150.0, 0.0),
        (LoanKind.EQUIPMENT, LoanStatus.DEFAULTED, 150.0, 100.0),
        (LoanKind.CONVERTIBLE, LoanStatus.PERFORMING, 0.0, 0.0),  # nothing is provided before a default
        (LoanKind.MARGIN, LoanStatus.PERFORMING, 0.0, 0.0),
        (LoanKind.CONVERTIBLE, LoanStatus.DEFAULTED, 0.0, 100.0),
        (LoanKind.MARGIN, LoanStatus.DEFAULTED, 0.0, 100.0),
    ],
)
def test_an_allowance_is_a_share_of_the_shortfall_until_a_default(kind, status, collateral, usd):
    w = small_world(terms=IMPAIRED)
    w.lenders[0].mark_to_market = 0.5
    loan = w.loans[add_loan(w, usd=100.0, kind=kind, status=status, collateral=collateral)]
    assert loan_allowance(loan, w.lenders[0], w.terms[0]) == pytest.approx(usd)


def provided(month: int = 5):
    """Two lenders and outside investors in month 5; allowances 10 % of a shortfall, 40 % of one called."""
    w = small_world(lenders=2, operators=1, terms=IMPAIRED)
    w.lenders.mark_to_market[:] = 0.4
    w.clock[0].month = month
    return w


def happened(w, month: int) -> int:
    """Write an event of ``month``; return it."""
    k = log_event(w.events, w.clock[0], EventKind.MARGIN_CALL, Cause.LTV, 0, -1, -1, 0.0, 0.0, -1)
    w.events[k].month = month
    return k


def test_a_lender_provides_for_all_its_claims_and_lines_are_drawn_against_the_performing_secured_ones():
    w = provided()
    w.lenders.allowance[:] = w.lenders.eligible[:] = 900.0
    add_loan(w, usd=100.0, collateral=70.0)  # 0.1 x 30
    add_loan(w, usd=50.0, collateral=80.0)  # covered
    add_loan(w, usd=200.0, collateral=120.0, status=LoanStatus.CALLED)  # 0.4 x 80
    add_loan(w, usd=60.0, collateral=20.0, status=LoanStatus.FREE)  # a row that is not in use
    add_loan(w, usd=40.0, kind=LoanKind.CONVERTIBLE, collateral=30.0)  # notes are not secured
    add_loan(w, usd=300.0, collateral=280.0, lender=1, status=LoanStatus.DEFAULTED)  # all of it
    add_loan(w, usd=90.0, collateral=80.0, lender=1)  # 0.1 x 10
    provide(w, w.clock[0])
    assert w.lenders.allowance.tolist() == pytest.approx([3 + 32, 300 + 1, 0])
    assert w.lenders.eligible.tolist() == pytest.approx([70 + 50, 80, 0])


def test_losses_of_the_month_are_the_change_of_the_allowance_however_often_it_is_set():
    w = provided()
    add_loan(w, usd=100.0, collateral=70.0)  # 3
    add_loan(w, usd=200.0, collateral=120.0, status=LoanStatus.CALLED, last_event=happened(w, 4))  # 32
    # In default since: 300, of which seized hardware covers 260.
    add_loan(w, usd=300.0, collateral=260.0, status=LoanStatus.DEFAULTED, last_event=happened(w, 5))
    w.lenders[0].allowance, w.lenders[0].seized_claim = 50.0, 45.0
    w.lenders[0].losses_month = 11.0
    for _ in range(2):
        provide(w, w.clock[0])
        assert w.lenders[0].losses_month == pytest.approx(11 + 35 + 40 - 5)
        assert w.lenders[0].losses == 0.0


def test_the_largest_loss_of_the_month_is_remembered_with_its_event():
    w = provided()
    news = [happened(w, 5) for _ in range(4)]
    old = happened(w, 4)
    called = {"status": LoanStatus.CALLED, "collateral": 50.0}
    add_loan(w, usd=500.0, last_event=old, **called)  # 180, of an earlier month
    add_loan(w, usd=80.0, last_event=news[1], **called)  # 0.4 x 30 = 12
    add_loan(w, usd=100.0, last_event=news[0], **called)  # 0.4 x 50 = 20
    add_loan(w, usd=90.0, last_event=news[2], **called)  # 0.4 x 40 = 16
    add_loan(w, usd=950.0, last_event=news[3], collateral=50.0)  # 90, but it performs: its call was met
    add_loan(w, usd=500.0, last_event=news[3], collateral=485.0, status=LoanStatus.DEFAULTED)  # 15: the rest is seized
    add_loan(w, usd=400.0, lender=1, last_event=old, **called)
    provide(w, w.clock[0])
    assert (w.lenders[0].loss_event, w.lenders[0].loss_event_usd) == (news[0], pytest.approx(20.0))
    assert (w.lenders[1].loss_event, w.lenders[1].loss_event_usd) == (-1, 0.0)


def test_a_claim_to_which_nothing_happened_has_no_event_of_a_loss():
    w = provided(month=0)
    add_loan(w, usd=100.0, collateral=50.0, status=LoanStatus.CALLED)
    provide(w, w.clock[0])
    assert w.lenders[0].allowance == pytest.approx(20.0)
    assert (w.lenders[0].loss_event, w.lenders[0].loss_event_usd) == (-1, 0.0)


@pytest.mark.parametrize(
    ("status", "collateral", "carried"),
    [
        (LoanStatus.DEFAULTED, 50.0, 50.0),
        (LoanStatus.DEFAULTED, 130.0, 100.0),  # not above the claim
        (LoanStatus.PERFORMING, 50.0, 0.0),  # pledged, not seized
        (LoanStatus.CALLED, 50.0, 0.0),
    ],
)
def test_hardware_seized_for_a_claim_is_carried_at_its_mark_but_not_above_the_claim(status, collateral, carried):
    w = small_world()
    assert seized_at(w.loans[add_loan(w, usd=100.0, status=status, collateral=collateral)]) == carried


def test_what_covers_one_claim_twice_does_not_stand_for_another():
    w = provided()
    w.lenders.seized_claim[:] = 900.0
    add_loan(w, usd=100.0, collateral=300.0, status=LoanStatus.DEFAULTED)
    add_loan(w, usd=200.0, collateral=30.0, status=LoanStatus.DEFAULTED)
    add_loan(w, usd=400.0, collateral=400.0)
    provide(w, w.clock[0])
    assert w.lenders.seized_claim.tolist() == [100.0 + 30.0, 0.0, 0.0]


def test_over_rounds_and_months_losses_of_the_month_add_up_to_what_was_lost_in_the_end():
    w = small_world(lenders=1, operators=2, terms=IMPAIRED)
    clock, lender, fallen = w.clock[0], put(w.lenders[0], mark_to_market=1.0), w.operators[0]
    falls, recovers = add_loan(w, usd=1000.0), add_loan(w, operator=1, usd=900.0)
    lot = w.lots[add_lot(w, node=operator_node(w), loan=falls)]
    add_lot(w, node=operator_node(w, 1), units=1.0, loan=recovers)
    noted = []

    def look(appraisal: float) -> None:
        w.chips[0].appraisal = appraisal
        revalue(w, clock)
        provide(w, clock)

    def set_terms() -> None:
        noted.append(float(lender.losses_month))
        lender.losses_month = 0.0

    # Both are covered; then one is called, defaults and is looked at again at a lower mark.
    look(1000.0)
    w.loans[falls].status = LoanStatus.CALLED
    look(20.0)
    put(w.loans[falls], status=LoanStatus.DEFAULTED, exposure=1000.0, last_event=happened(w, 5))
    fallen.status = OperatorStatus.DEFAULTED
    unlink_lot(w.lots, w.first_lot, 0)
    link_lot(w.lots, w.first_lot, 0, 0)
    look(20.0)
    look(15.0)
    set_terms()
    assert noted == pytest.approx([1000.0 - 10 * 15.0 + 0.25 * 885.0])
    # A mark that moves after the terms are set counts in the month that follows.
    look(18.0)
    # Sold in two parts, above and below the mark.
    for units, usd in ((4.0, 90.0), (6.0, 60.0)):
        lot.units -= units
        lender.cash += usd
        recover(w.loans[falls], usd, fallen, lender, clock, w.book)
        look(18.0)
    set_terms()
    # The estate pays 50 and is over, the rest is written off; the other loan is covered again.
    close_lot(w.lots, w.first_lot, clock, 0)
    fallen.cash = 50.0
    pay_estates(w, clock)
    look(900.0)
    set_terms()
    assert w.loans[falls].status == LoanStatus.FREE
    assert lender.losses == pytest.approx(1000.0 - 90.0 - 60.0 - 50.0)
    assert sum(noted) == pytest.approx(lender.losses)


def test_equity_is_what_cash_claims_hardware_and_lines_exceed_liabilities_by():
    w = provided()
    add_loan(w, usd=200.0, collateral=100.0, status=LoanStatus.DEFAULTED)
    add_loan(w, usd=400.0, collateral=900.0)
    lender = w.lenders[0]
    lender.cash, lender.lent_lines, lender.seized_value = 70.0, 30.0, 1000.0
    lender.deposits, lender.borrowed = 180.0, 20.0
    add_loan(w, usd=40.0, lender=1, collateral=90.0, status=LoanStatus.DEFAULTED)
    w.lenders[1].cash, w.lenders[1].deposits = 10.0, 5.0
    provide(w, w.clock[0])
    # 70 in cash, 600 of claims less 200 in default, hardware of 100, lines of 30: 600 in all.
    assert lender.equity == pytest.approx(600 - 180 - 20)
    assert lender.capital_ratio == pytest.approx(400 / 600)
    # 10 in cash; hardware of 90 that stands for a claim of 40.
    assert w.lenders[1].equity == pytest.approx(10 + 40 - 5)
    assert w.lenders[1].capital_ratio == pytest.approx(45 / 50)


@pytest.mark.parametrize(("cash", "ratio"), [(1.0, 1.0), (1.6, (1.6 - 0.4) / 1.6), (0.5, 1.0)])
def test_a_lender_without_assets_has_no_capital_ratio_to_fall_below(cash, ratio):
    w = provided()
    w.lenders[0].cash, w.lenders[0].deposits = cash, 0.4
    provide(w, w.clock[0])
    assert w.lenders[0].equity == pytest.approx(cash - 0.4)
    assert w.lenders[0].capital_ratio == pytest.approx(ratio)
