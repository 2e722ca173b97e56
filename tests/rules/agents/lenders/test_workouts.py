"""Whether a lender waits: what waiting is worth, who can afford it, and what waivers, extensions, swaps and sweeps do."""

from __future__ import annotations

import pytest

from agents.lenders.workouts import (
    amend,
    can_wait,
    extend_all,
    extend_loan,
    judge_borrowers,
    seizure_value,
    swap_debt,
    swap_hopeless,
    waive_ltv,
    watch_sweeps,
)
from agents.tables.events import Cause, EventKind, log_event
from agents.tables.lenders import LenderKind, LenderStatus
from agents.tables.loans import LoanContract, LoanKind, LoanStatus
from agents.tables.operators import OperatorStatus
from tests.rules.worlds import (
    BEFORE,
    add_loan,
    add_lot,
    booked,
    buyer_node,
    events,
    operator_node,
    paid_in_full,
    put,
    small_world,
)

TERMS = {
    "credit_forbearance": 1,
    "credit_seizure_cost": 0.2,
    "market_receivership": 0.75,
    "credit_covenant_margin": 0.2,
    "credit_reset_margin": 0.25,
    "credit_amendment_fee": 0.01,
    "credit_extension": 6,
    "credit_swap_months": 12,
    "credit_swap_share": 0.9,
    "credit_term_dscr": 1.2,
    "credit_term_realised": 0.85,
}
HEALTHY_RATIO = 0.15


def world(*, lenders: int = 2, operators: int = 2, **terms: float):
    """Return sound lenders (least capital ratio 0.1) in round 2 of month 9; event 0 stands for whatever came before."""
    w = small_world(lenders=lenders, operators=operators, buyers=1, chips=2, terms=TERMS | terms)
    w.lenders.capital_ratio[:lenders] = HEALTHY_RATIO
    put(w.clock[0], month=9, turn=2, news=5)
    log_event(w.events, w.clock[0], EventKind.SHOCK, Cause.NONE, 0, -1, -1, 0.0, 0.0, -1)
    w.book[:] = BEFORE
    return w


def told(w):
    """Return the events after that of the setting: kind, cause, lender, operator's node, USD, parent."""
    found = events(w)[1:]
    assert {(e.month, e.turn, e.chip, e.units) for e in found} <= {(9, 2, -1, 0.0)}
    return [(e.kind, e.cause, e.node, e.other, pytest.approx(e.usd), e.parent) for e in found]


# --- who can wait ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("columns", "waits"),
    [
        ({}, True),
        ({"capital_ratio": 0.101}, True),
        ({"capital_ratio": 0.1}, False),  # at its least capital patience ends
        ({"call_due": 1.0}, True),  # a dollar is let pass
        ({"call_due": 1.5}, False),
        ({"status": LenderStatus.ILLIQUID}, False),
        ({"status": LenderStatus.FAILED}, False),
        ({"kind": LenderKind.OUTSIDE}, False),
    ],
)
def test_a_lender_can_wait_that_is_active_not_called_upon_and_has_capital_to_spare(columns, waits):
    assert bool(can_wait(put(world().lenders[0], **columns))) == waits


@pytest.mark.parametrize(
    ("fundamental", "price", "appraisal", "usd"),
    [
        (400.0, 500.0, 350.0, 0.8 * 350),  # a sale at the lower of price and appraisal
        (400.0, 320.0, 350.0, 0.8 * 320),
        (400.0, 200.0, 350.0, 0.8 * 300),  # or a receiver, who runs three quarters
    ],
)
def test_seizure_brings_the_better_of_a_receiver_and_a_sale_after_costs(fundamental, price, appraisal, usd):
    w = world()
    chip = put(w.chips[0], fundamental=fundamental, price=price, appraisal=appraisal)
    assert seizure_value(chip, w.terms[0]) == pytest.approx(usd)


# --- what waiting is worth ---------------------------------------------------------------------------------------
def judged(*, usd: float = 600.0, value: float = 70.0, seized: float = 80.0, **terms: float):
    """Operator 1 owes lender 1 ``usd`` against ten units, worth ``value`` to it and ``seized`` after a seizure each."""
    w = world(**terms)
    k = add_loan(w, lender=1, operator=1, usd=usd)
    add_lot(w, node=operator_node(w, 1), units=10.0, chip=1, loan=k)
    w.value[1, 1] = value
    put(w.chips[1], fundamental=0.0, price=seized / 0.8, appraisal=999.0)
    return w, w.loans[k], w.operators[1]


@pytest.mark.parametrize(
    ("usd", "value", "seized", "hold"),
    [
        (2000.0, 90.0, 80.0, 1),
        (2000.0, 80.0, 80.0, 1),
        (2000.0, 70.0, 80.0, 0),  # a seizure brings more
        (700.0, 70.0, 80.0, 1),  # either way the claim is covered
        (701.0, 70.0, 80.0, 0),
        (600.0, 90.0, 0.0, 1),
        (2000.0, 0.0, 0.0, 0),  # nothing to wait for
        (0.5, 0.05, 0.0, 1),
    ],
)
def test_lenders_wait_when_the_going_concern_covers_as_much_of_the_debt_as_a_seizure(usd, value, seized, hold):
    w, _, op = judged(usd=usd, value=value, seized=seized)
    judge_borrowers(w, w.clock[0])
    assert (op.going, op.seizure, op.secured) == pytest.approx((10 * value, 10 * seized, usd))
    assert op.hold == hold
    # Who has no secured debt has nobody who could wait.
    assert (w.operators[0].going, w.operators[0].secured, w.operators[0].hold) == (0.0, 0.0, 0)


@pytest.mark.parametrize(
    ("operator", "terms"), [({"status": OperatorStatus.DEFAULTED}, {}), ({}, {"credit_forbearance": 0})]
)
def test_nobody_waits_for_a_fallen_borrower_or_where_forbearance_is_unknown(operator, terms):
    w, _, op = judged(value=90.0, **terms)
    put(op, hold=1, **operator)
    judge_borrowers(w, w.clock[0])
    assert (op.going, op.hold) == (900.0, 0)


def test_the_concern_is_all_pledged_hardware_in_its_owners_hands_at_its_value_there_or_as_scrap():
    w = world(operators=3)
    put(w.chips[0], scrap=5.0, fundamental=40.0, price=10.0, appraisal=10.0)  # 0.8 x 30 after a seizure
    put(w.chips[1], fundamental=0.0, price=20.0, appraisal=30.0)  # 0.8 x 20
    w.value[:3] = (3.0, 7.0), (11.0, 13.0), (17.0, 19.0)
    loans = [add_loan(w, operator=o, usd=100.0) for o in range(3)]
    for o in (0, 2):
        add_lot(w, node=operator_node(w, o), units=2.0, chip=0, loan=loans[o])
        add_lot(w, node=operator_node(w, o), units=4.0, chip=1, loan=loans[o])
        add_lot(w, node=operator_node(w, o), units=50.0, chip=1)  # secures nothing
    add_lot(w, node=0, units=50.0, loan=loans[0])  # seized
    add_lot(w, node=2, units=50.0, loan=loans[0])
    add_lot(w, node=buyer_node(w), units=50.0, loan=loans[0])  # sold
    add_lot(w, node=-1, units=50.0, loan=loans[0])
    w.operators.going[:] = w.operators.seizure[:] = w.operators.secured[:] = 77.0
    judge_borrowers(w, w.clock[0])
    assert w.operators.going.tolist() == [2 * 5 + 4 * 7, 0.0, 2 * 17 + 4 * 19]
    assert w.operators.seizure.tolist() == pytest.approx([2 * 24 + 4 * 16, 0.0, 2 * 24 + 4 * 16])
    assert w.operators.secured.tolist() == [100.0] * 3
    assert w.operators.hold.tolist() == [0, 0, 1]  # 38 against 112, nothing, 100 against 100


@pytest.mark.parametrize(
    ("loan", "hold"),
    [
        ({}, 0),
        ({"status": LoanStatus.CALLED}, 0),
        # Who is not a secured lender of the living firm has no say.
        ({"kind": LoanKind.CONVERTIBLE}, 1),
        ({"kind": LoanKind.MARGIN}, 1),
        ({"status": LoanStatus.FREE}, 1),
        ({"status": LoanStatus.DEFAULTED}, 1),  # a vehicle that was given up
    ],
)
def test_the_weakest_secured_lender_decides_for_all(loan, hold):
    w, _, op = judged(value=90.0)
    w.lenders[0].capital_ratio = 0.05
    add_loan(w, lender=0, operator=1, usd=30.0, **loan)
    add_loan(w, lender=0, operator=0, usd=30.0)  # another borrower of the weak one
    judge_borrowers(w, w.clock[0])
    assert op.hold == hold
    assert op.secured == 600.0 + (30.0 if hold == 0 else 0.0)


def test_the_weak_lender_may_stand_first_or_last():
    for weak in (0, 1):
        w, _, op = judged(value=90.0)
        add_loan(w, lender=0, operator=1, usd=30.0)
        w.lenders[weak].capital_ratio = 0.05
        judge_borrowers(w, w.clock[0])
        assert op.hold == 0


# --- amendments --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("rate", "after"), [(0.12, 0.13), (0.245, 0.25), (0.25, 0.25), (0.3, 0.3)])
def test_an_amendment_is_an_event_and_its_fee_goes_on_the_rate_up_to_a_limit(rate, after):
    w = world()
    loan = w.loans[add_loan(w, lender=1, operator=1, usd=80.0, rate=rate, amended=2, last_event=0)]
    amend(w, w.clock[0], loan, EventKind.SWAP, Cause.DSCR)
    assert (loan.rate, loan.amended, loan.last_event) == (pytest.approx(after), 3, 1)
    assert told(w) == [(EventKind.SWAP, Cause.DSCR, 1, operator_node(w, 1), 80.0, 0)]
    assert (w.clock[0].news, booked(w)) == (5, {})


@pytest.mark.parametrize(
    ("collateral", "covenant", "after"),
    [
        (100.0, 0.7, 0.8 + 0.05),  # a quarter of the usual margin above where it stands
        (100.0, 0.9, 0.9),  # a covenant is not tightened
        (0.5, 0.7, 160.05),
        (0.008, 0.7, 10_000.05),
        (0.004, 0.7, 10_000.05),  # hardly anything is behind it
        (0.0, 0.7, 10_000.05),
    ],
)
def test_a_waiver_sets_the_covenant_to_where_the_loan_stands_and_some_room(collateral, covenant, after):
    w = world()
    loan = w.loans[
        add_loan(
            w, lender=1, operator=1, usd=80.0, collateral=collateral, covenant_ltv=covenant, status=LoanStatus.CALLED
        )
    ]
    waive_ltv(w, w.clock[0], loan)
    assert loan.covenant_ltv == pytest.approx(after)
    assert (loan.status, loan.call_turn, loan.amended) == (LoanStatus.PERFORMING, 9002, 1)
    assert (loan.principal, loan.sweep) == (80.0, 0)
    assert told(w) == [(EventKind.WAIVER, Cause.LTV, 1, operator_node(w, 1), 80.0, -1)]


@pytest.mark.parametrize(
    ("maturity", "amortisation", "matures", "scheduled"),
    [
        (40, 30.0, 46, 30.0),  # the schedule stands where it is slower
        (40, 60.0, 46, 1110 / 37),  # else what is owed is repaid by the new maturity
        (9, 200.0, 15, 1110 / 12),  # over a year at least
        (3, 200.0, 15, 1110 / 12),
        (15, 200.0, 21, 1110 / 12),
        (16, 200.0, 22, 1110 / 13),
    ],
)
def test_an_extended_loan_keeps_what_is_unpaid_is_repaid_later_and_swept(maturity, amortisation, matures, scheduled):
    w = world()
    loan = w.loans[
        add_loan(
            w, lender=1, operator=1, usd=1110.0, amortisation=amortisation, maturity=maturity, unpaid=50.0, balloon=20.0
        )
    ]
    extend_loan(w, w.clock[0], loan)
    assert (loan.principal, loan.unpaid, loan.balloon) == (1110.0, 0.0, 0.0)
    assert (loan.maturity, loan.amortisation) == (matures, pytest.approx(scheduled))
    assert (loan.sweep, loan.amended, loan.status) == (1, 1, LoanStatus.PERFORMING)
    # It pays nobody and orders nothing more this month.
    assert w.operators.swept.tolist() == [0, 1]
    assert told(w) == [(EventKind.EXTENSION, Cause.CASH_FLOW, 1, operator_node(w, 1), 1110.0, -1)]


@pytest.mark.parametrize(
    ("columns", "extended"),
    [
        ({}, True),
        ({"status": LoanStatus.CALLED}, True),
        ({"unpaid": 1.5}, True),
        ({"unpaid": 1.0}, False),  # a dollar is nothing
        ({"status": LoanStatus.FREE}, False),
        ({"status": LoanStatus.DEFAULTED}, False),
        ({"kind": LoanKind.CONVERTIBLE}, False),
        ({"kind": LoanKind.MARGIN}, False),
    ],
)
def test_all_equipment_loans_of_a_borrower_with_something_unpaid_are_extended(columns, extended):
    w = world()
    rows = [
        add_loan(w, operator=1, usd=500.0, **{"unpaid": 50.0} | columns),
        add_loan(w, operator=0, usd=500.0, unpaid=50.0),
        add_loan(w, operator=1, usd=500.0),
        add_loan(w, operator=1, usd=500.0, unpaid=50.0),
    ]
    extend_all(w, w.clock[0], 1)
    assert [int(w.loans[k].amended) for k in rows] == [int(extended), 0, 0, 1]


# --- swaps -------------------------------------------------------------------------------------------------------
def test_a_swap_lowers_claim_debt_and_book_alike_and_the_lender_loses_it_for_good():
    w = world()
    loan = w.loans[
        add_loan(w, lender=1, operator=1, usd=500.0, amortisation=20.0, interest=5.0, unpaid=30.0, last_event=0)
    ]
    lender, op = put(w.lenders[1], losses=7.0, losses_month=3.0), put(w.operators[1], arrears=40.0)
    w.clock[0].forgiven = 2.0
    with paid_in_full(w):
        swap_debt(w, w.clock[0], loan, 0.75)
    assert loan.principal == op.debt == lender.book == 375.0
    assert (loan.amortisation, loan.interest, loan.unpaid, op.arrears) == (15.0, 5.0, 30.0, 40.0)
    assert (lender.losses, lender.losses_month, w.clock[0].forgiven) == (132.0, 128.0, 127.0)
    assert (lender.loss_event, lender.loss_event_usd) == (1, 125.0)
    assert told(w) == [(EventKind.SWAP, Cause.DSCR, 1, operator_node(w, 1), 375.0, 0)]
    assert booked(w) == {}  # no cash changes hands


@pytest.mark.parametrize(("arrears", "left"), [(460.0, 60.0), (410.0, 10.0), (300.0, 0.0)])
def test_what_was_unpaid_beyond_the_claim_that_is_left_is_owed_no_more(arrears, left):
    w = world()
    loan = w.loans[add_loan(w, operator=1, usd=500.0, interest=150.0, unpaid=500.0)]
    op = put(w.operators[1], arrears=arrears)
    swap_debt(w, w.clock[0], loan, 0.2)
    assert (loan.principal, loan.unpaid, loan.interest) == (100.0, 100.0, 100.0)
    assert op.arrears == pytest.approx(left)


def hopeless(**operator: float):
    """Operator 1 owes 600 and 400 to two lenders and 200 to holders of notes; the business is worth 500, all would wait."""
    w = world(operators=3)
    loans = [
        add_loan(w, lender=0, operator=1, usd=600.0),
        add_loan(w, lender=1, operator=1, usd=400.0, status=LoanStatus.CALLED),
        add_loan(w, lender=2, operator=1, usd=200.0, kind=LoanKind.CONVERTIBLE),
        add_loan(w, lender=0, operator=1, usd=300.0, status=LoanStatus.DEFAULTED),
        add_loan(w, lender=0, operator=1, usd=300.0, status=LoanStatus.FREE),
        add_loan(w, lender=1, operator=0, usd=100.0),
    ]
    w.operators.hold[:], w.operators.cut[:] = 1, 0.3
    w.operators.secured[0] = w.operators.going[0] = 100.0
    op = put(w.operators[1], secured=1000.0, going=500.0, thin_months=12)
    return w, put(op, **operator), loans


def test_hopeless_debt_is_cut_to_part_of_what_the_business_is_worth():
    w, op, loans = hopeless()
    w.operators[2].cut = 0.3
    with paid_in_full(w):
        swap_hopeless(w, w.clock[0])
    # 0.9 x 500 of 1,000 stay.
    assert [float(w.loans[k].principal) for k in loans] == pytest.approx([270.0, 180.0, 200.0, 300.0, 300.0, 100.0])
    assert (op.debt, op.thin_months) == (pytest.approx(1800.0 - 550.0), 0)
    assert w.operators.cut.tolist() == pytest.approx([1.0, 0.45, 1.0])
    assert w.clock[0].forgiven == pytest.approx(550.0)
    assert [kind for kind, *_ in told(w)] == [EventKind.SWAP] * 2


@pytest.mark.parametrize(
    ("operator", "cut"),
    [
        ({"hold": 0}, False),  # somebody would rather seize
        ({"thin_months": 11}, False),  # coverage may come back
        ({"thin_months": 13}, True),
        ({"going": 1000.0}, False),  # the business carries its debt
        ({"going": 999.0}, True),
        ({"secured": 1.0, "going": 0.5}, False),
        ({"secured": 1.5, "going": 0.5}, True),
    ],
)
def test_debt_is_cut_only_where_all_would_wait_and_it_exceeds_a_business_with_thin_coverage(operator, cut):
    w, op, loans = hopeless(**operator)
    thin = op.thin_months
    swap_hopeless(w, w.clock[0])
    assert (w.loans[loans[0]].principal < 600.0) == cut
    assert (op.cut < 1.0) == cut
    assert op.thin_months == (0 if cut else thin)


def test_the_first_and_the_last_operator_are_cut_like_others():
    for o in (0, 2):
        w, op, loans = hopeless(hold=0)
        k = add_loan(w, operator=o, usd=200.0)
        put(w.operators[o], secured=200.0, going=100.0, thin_months=12)
        swap_hopeless(w, w.clock[0])
        assert w.loans[k].principal == pytest.approx(90.0)
        assert w.loans[loans[0]].principal == 600.0


# --- sweeps ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("operator", "swept"),
    [
        ({"dscr": 1.2, "realised": 0.85}, 0),  # back at its covenants
        ({"dscr": 1.19, "realised": 0.85}, 1),
        ({"dscr": 1.2, "realised": 0.84}, 1),
        ({"dscr": 0.3, "realised": 0.2}, 1),
    ],
)
@pytest.mark.parametrize("contract", [LoanContract.TERM, LoanContract.BORROWING_BASE])
def test_a_sweep_ends_when_coverage_and_contracts_are_back_at_their_covenants(operator, swept, contract):
    w = world()
    loan = w.loans[add_loan(w, operator=1, contract=contract, sweep=1)]
    w.operators.swept[:] = 1
    put(w.operators[1], **operator)
    watch_sweeps(w, w.clock[0])
    assert (loan.sweep, w.operators.swept.tolist()) == (swept, [0, swept])


@pytest.mark.parametrize(
    "columns", [{"sweep": 0}, {"sweep": 1, "status": LoanStatus.FREE}, {"sweep": 1, "status": LoanStatus.DEFAULTED}]
)
def test_who_owes_nothing_that_is_swept_is_not_swept_and_the_next_one_is(columns):
    w = world()
    add_loan(w, operator=0, **columns)
    add_loan(w, operator=1, sweep=1)
    put(w.operators[0], swept=1, dscr=0.1)
    put(w.operators[1], dscr=0.1)
    watch_sweeps(w, w.clock[0])
    assert w.operators.swept.tolist() == [0, 1]
    assert w.loans[0].sweep == columns["sweep"]


def test_one_borrowers_coverage_does_not_end_anothers_sweep():
    w = world()
    for k in range(2):
        add_loan(w, operator=k, sweep=1)
    put(w.operators[0], dscr=2.0)
    put(w.operators[1], dscr=0.1)
    watch_sweeps(w, w.clock[0])
    assert (w.operators.swept.tolist(), w.loans.sweep[:2].tolist()) == ([0, 1], [0, 1])
