"""A lender under pressure: haircuts, funding calls and runs, and what it sells to pay them."""

from __future__ import annotations

import numpy as np
import pytest

from agents.lenders.marks import provide
from agents.lenders.runs import (
    _LINE,
    _LINES_OF,
    _LOAN,
    _LOANS_OF,
    call_lines,
    group_rows,
    list_claims,
    meet_calls,
    pay_out_deposits,
    raise_cash,
    run_deposits,
    set_haircut,
    wants_out,
)
from agents.tables.events import Cause, EventKind, log_event
from agents.tables.ledger import Flow
from agents.tables.lenders import LenderKind, LenderStatus
from agents.tables.loans import LoanKind, LoanStatus
from tests.rules.worlds import BEFORE, add_loan, booked, events, paid_in_full, put, small_world

TERMS = {
    "policy_frozen": 0,
    "policy_haircut_relief": 0.0,
    "funding_haircut": 0.2,
    "funding_haircut_volatility": 0.5,
    "funding_haircut_unsold": 0.6,
    "funding_haircut_cap": 0.9,
    "funding_unsold_floor": 0.05,
    "funding_run_trigger": 0.75,
    "funding_run_contagion": 0.5,
    "funding_wind_down": 0.25,
    "funding_sale_discount": 0.25,
    "funding_impairment_market": 0.5,
}


def world(*, lenders: int = 1, chips: int = 1, lines: tuple[tuple[int, int], ...] = (), **terms: float):
    """Return a world of sound lenders in month 5, round 2 of the cascade, at a haircut of 0.4."""
    w = small_world(lenders=lenders, chips=chips, lines=lines, terms=TERMS | terms)
    clock = w.clock[0]
    clock.month, clock.turn, clock.haircut, clock.news = 5, 2, 0.4, 10
    w.lenders.capital_ratio[:] = 0.2
    w.book[:] = BEFORE
    return w


def happened(w, kind: EventKind = EventKind.DEFAULT, month: int = 5) -> int:
    """Write an event of ``month``; return it."""
    k = log_event(w.events, w.clock[0], kind, Cause.NONE, 0, -1, -1, 0.0, 0.0, -1)
    w.events[k].month = month
    return k


def fields(event) -> tuple:
    """Return what an event of a lender says: kind, cause, node, USD, parent; it concerns no one else and no chips."""
    assert (event.month, event.turn, event.other, event.chip, event.units) == (5, 2, -1, -1, 0.0)
    return event.kind, event.cause, event.node, pytest.approx(event.usd), event.parent


# --- who wants out -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("ratio", "failed", "share"),
    [
        # A target of 0.25, a trigger of 0.75 of it: a ratio of 0.1875. Speed 0.3.
        (0.25, 0.0, 0.0),
        (0.1875, 0.0, 0.0),
        (0.125, 0.0, 0.3),  # at half the target
        (0.15625, 0.0, 0.15),  # half way there
        (0.0625, 0.0, 0.6),  # and on in a straight line
        (-0.25, 0.0, 1.0),  # until all leave
        (0.25, 0.4, 0.06),  # failures of the same kind: 0.5 x 0.4 x 0.3
        (0.125, 0.4, 0.36),
    ],
)
def test_depositors_leave_as_capital_falls_below_the_trigger_and_when_lenders_like_theirs_fail(ratio, failed, share):
    w = world()
    lender = put(w.lenders[0], deposits=0.5, run_speed=0.3, capital_target=0.25, capital_ratio=ratio)
    assert wants_out(lender, w.terms[0], failed) == pytest.approx(share)


def test_not_more_than_all_leave_for_the_failures_of_others():
    w = world(funding_run_contagion=9.0)
    lender = put(w.lenders[0], deposits=100.0, run_speed=0.3, capital_target=0.25, capital_ratio=0.25)
    assert wants_out(lender, w.terms[0], 0.5) == 1.0


def test_nobody_leaves_a_lender_without_deposits():
    w = world()
    lender = put(w.lenders[0], deposits=0.0, run_speed=0.3, capital_target=0.25, capital_ratio=0.0)
    assert wants_out(lender, w.terms[0], 0.5) == 0.0


@pytest.mark.parametrize(("trigger", "share"), [(0.52, 0.3 * 0.52 / 0.05), (0.6, 0.3 * 0.6 / 0.1)])
def test_a_trigger_near_half_the_target_does_not_make_all_leave_at_once(trigger, share):
    w = world(funding_run_trigger=trigger)
    lender = put(w.lenders[0], deposits=100.0, run_speed=0.03, capital_target=0.25, capital_ratio=0.0)
    # From the trigger to half the target counts as 0.05 at least; no capital at all is 0.52 below the trigger.
    assert wants_out(lender, w.terms[0], 0.0) == pytest.approx(share / 10)


# --- the haircut -------------------------------------------------------------------------------------------------
def market(size: float = 1.0, **terms: float):
    """Two generations, worth 1000 and 3000 times ``size``; volatility 0.1 and 0.3.

    Forced sales of 300 and 900 found buyers, 300 and 300 did not.
    """
    w = world(chips=2, **terms)
    w.chips.appraisal[:] = 100.0, 150.0
    w.chips.stock[:] = 10.0 * size, 20.0 * size
    w.chips.volatility[:] = 0.1, 0.3
    w.chips.unsold[:] = 3.0 * size, 2.0 * size
    w.chips.forced_units[:] = 3.0 * size, 6.0 * size
    w.chips.price_before[:] = 0.0
    return w


# Mean volatility (1000 x 0.1 + 3000 x 0.3)/4000 = 0.25; unsold 600/(600 + 1200 + 0.05 x 4000) = 0.3.
@pytest.mark.parametrize(
    ("size", "terms", "haircut"),
    [
        (1.0, {}, 0.2 + 0.5 * 0.25 + 0.6 * 0.3),
        (1e-4, {}, 0.2 + 0.5 * 0.25 + 0.6 * 0.3),  # shares: whatever the size of the market
        (0.0, {}, 0.2),
        (1.0, {"policy_haircut_relief": 0.4}, 0.2 + 0.6 * (0.5 * 0.25 + 0.6 * 0.3)),
        (1.0, {"funding_haircut_cap": 0.45}, 0.45),
        (1.0, {"policy_frozen": 1}, 0.2),
    ],
)
def test_the_haircut_rises_with_volatility_and_unsold_stock(size, terms, haircut):
    w = market(size, **terms)
    set_haircut(w, w.clock[0])
    assert w.clock[0].haircut == pytest.approx(haircut)


@pytest.mark.parametrize(
    ("units", "usd", "before", "fall"),
    [
        (4.0, 280.0, 100.0, 0.3),  # 70 a unit after 100
        (0.5, 35.0, 100.0, 0.3),
        (4.0, 2.24, 0.8, 0.3),
        (4.0, 380.0, 100.0, 0.1),  # a fall of 0.05 is below the volatility of 0.1
        (4.0, 800.0, 100.0, 0.1),  # a rise
        (0.0, 0.0, 100.0, 0.1),  # no trade
        (4.0, 280.0, 0.0, 0.1),  # no trade before
    ],
)
def test_a_fall_of_the_price_in_the_month_counts_as_volatility(units, usd, before, fall):
    w = market(funding_haircut_unsold=0.0)
    put(w.chips[0], traded_units=units, traded_usd=usd, price_before=before)
    with np.errstate(all="raise"):
        set_haircut(w, w.clock[0])
    assert w.clock[0].haircut == pytest.approx(0.2 + 0.5 * (1000 * fall + 3000 * 0.3) / 4000)


def test_a_rise_of_the_price_lowers_no_haircut():
    w = market(funding_haircut_unsold=0.0)
    w.chips.volatility[:] = 0.0
    put(w.chips[0], traded_units=4.0, traded_usd=800.0, price_before=100.0)
    set_haircut(w, w.clock[0])
    assert w.clock[0].haircut == pytest.approx(0.2)


# --- funding calls -----------------------------------------------------------------------------------------------
def funded(*, lines: tuple[tuple[int, int], ...] = ((0, 1), (0, 2)), **terms: float):
    """Lender 0 drew 90 and 30; the base is 20 in cash and 0.6 x 100: 40 less than the lines."""
    w = world(lenders=4, lines=lines, **terms)
    w.lines.drawn[:2] = 90.0, 30.0
    return w, put(w.lenders[0], cash=20.0, eligible=100.0, borrowed=120.0)


def call(w) -> list[float]:
    """Carry out ``call_lines``; return what is called on each line. No cash moves."""
    call_lines(w, w.clock[0])
    assert booked(w) == {}
    return w.lines.called.tolist()


def test_what_exceeds_the_borrowing_base_is_called_line_by_line_in_proportion():
    w, lender = funded(lines=((0, 1), (0, 2), (3, 1)))
    put(w.lines[2], drawn=50.0, called=8.0)
    put(w.lenders[3], cash=0.0, eligible=90.0, borrowed=50.0, call_due=8.0)  # 54 in its base
    w.lenders[1].call_due = 9.0
    assert call(w) == pytest.approx([30.0, 10.0, 0.0])
    assert w.lenders.call_due.tolist() == pytest.approx([40.0, 0.0, 0.0, 0.0, 0.0])
    assert w.lines.haircut.tolist() == [0.4, 0.4, 0.4]
    assert w.lines.open.tolist() == [1, 1, 1]
    assert w.lines.drawn.tolist() == [90.0, 30.0, 50.0]


@pytest.mark.parametrize(
    ("columns", "called"),
    [
        ({"cash": 60.0}, [0.0, 0.0]),  # in its base to the dollar
        ({"cash": 200.0}, [0.0, 0.0]),
        ({"cash": 56.0}, [3.0, 0.0]),  # four too much; a dollar is not called
        ({"cash": -20.0}, [45.0, 15.0]),  # an overdraft is no debt to the lines
        ({"cash": 0.0, "eligible": 0.0}, [90.0, 30.0]),
        ({"status": LenderStatus.FAILED}, [0.0, 0.0]),
        ({"status": LenderStatus.ILLIQUID}, [30.0, 10.0]),
    ],
)
def test_a_call_is_for_the_excess_of_debtors_still_alive(columns, called):
    w, lender = funded()
    put(lender, **columns)
    assert call(w) == pytest.approx(called)
    assert lender.call_due == pytest.approx(sum(called))


@pytest.mark.parametrize(("drawn", "called"), [(1.0, 0.0), (1.25, 1.25)])
def test_a_dollar_of_a_line_is_not_called_and_others_are(drawn, called):
    w, lender = funded()
    w.lines[0].drawn = drawn
    put(lender, cash=0.0, eligible=0.0, borrowed=drawn + 30.0)
    assert call(w) == pytest.approx([called, 30.0])
    assert w.lines[0].haircut == 0.4


@pytest.mark.parametrize(
    ("ratio", "cash", "turn", "called"),
    [
        # A creditor with a capital minimum of 0.1; a quarter of a closed line falls due a month.
        (0.1, 90.0, 0, [0.0, 0.0]),
        (0.099, 90.0, 0, [22.5, 0.0]),
        (0.099, 90.0, 1, [0.0, 0.0]),  # once a month, in its first round
        (0.099, 20.0, 0, [30.0, 10.0]),  # the excess, where that is more
        (0.099, 56.0, 0, [22.5, 0.0]),
    ],
)
def test_a_creditor_short_of_capital_does_not_roll_its_line(ratio, cash, turn, called):
    w, lender = funded()
    w.clock[0].turn = turn
    lender.cash = cash
    w.lenders[1].capital_ratio = ratio
    assert call(w) == pytest.approx(called)
    assert w.lines.open.tolist() == [int(ratio >= 0.1), 1]


@pytest.mark.parametrize(("turn", "called"), [(0, 22.5), (1, 0.0)])
def test_a_line_that_was_closed_runs_down(turn, called):
    w, lender = funded()
    lender.cash, w.clock[0].turn, w.lines[0].open = 90.0, turn, 0
    assert call(w) == pytest.approx([called, 0.0])
    assert w.lines[0].open == 0


def test_no_more_is_called_than_is_drawn():
    w, lender = funded(funding_wind_down=2.0)
    w.clock[0].turn, w.lines[0].open = 0, 0
    assert call(w) == pytest.approx([90.0, 10.0])


def test_a_call_is_news_with_the_last_forced_sale_for_its_cause():
    w, lender = funded()
    w.clock[0].last_shock = happened(w)
    call(w)
    (_, found) = events(w)
    assert fields(found) == (EventKind.FUNDING_CALL, Cause.FUNDING_CALL, 0, 40.0, 0)
    assert (lender.call_event, w.clock[0].news) == (1, 11)


def test_a_failure_explains_a_call_before_a_sale_does():
    w, _ = funded()
    w.clock[0].last_failure, w.clock[0].last_shock = happened(w), happened(w)
    call(w)
    assert events(w)[-1].parent == 0


@pytest.mark.parametrize(
    ("borrowed", "cash", "call", "noted"),
    [
        # Lender 0 borrowed a multiple of its cash: 1 % of it is a small call.
        (1000.0, 990.0, 10.0, 0),
        (1000.0, 989.5, 10.5, 1),
        (100.0, 98.5, 1.5, 1),
        (1000.0, 998.5, 1.5, 0),
    ],
)
def test_a_call_of_a_hundredth_of_the_debt_is_paid_without_news(borrowed, cash, call, noted):
    w = world(lenders=2, lines=((0, 1),))
    w.lines[0].drawn = borrowed
    put(w.lenders[0], borrowed=borrowed, cash=cash)
    call_lines(w, w.clock[0])
    assert w.lenders[0].call_due == pytest.approx(call)
    assert (len(events(w)), w.clock[0].news) == (noted, 10 + noted)
    assert w.lenders[0].call_event == noted - 1


@pytest.mark.parametrize(("month", "new"), [(5, 0), (4, 1), (0, 1)])
def test_one_call_of_a_lender_is_noted_a_month(month, new):
    w, lender = funded()
    happened(w)
    lender.call_event = happened(w, EventKind.FUNDING_CALL, month)
    call(w)
    assert len(events(w)) == 2 + new
    assert (lender.call_event, w.clock[0].news) == (1 + new, 10 + new)


def test_the_first_event_of_all_can_be_a_call():
    w, lender = funded()
    lender.call_event = happened(w, EventKind.FUNDING_CALL)
    call(w)
    assert len(events(w)) == 1


def test_each_debtor_has_its_own_call():
    w, _ = funded(lines=((0, 1), (0, 2), (3, 1)))
    w.lines[2].drawn = 50.0
    put(w.lenders[3], cash=5.0, borrowed=50.0)
    assert call(w) == pytest.approx([30.0, 10.0, 45.0])
    assert [fields(e) for e in events(w)] == [
        (EventKind.FUNDING_CALL, Cause.FUNDING_CALL, 0, 40.0, -1),
        (EventKind.FUNDING_CALL, Cause.FUNDING_CALL, 3, 45.0, -1),
    ]


def test_nothing_is_called_in_the_frozen_twin():
    w, lender = funded(policy_frozen=1)
    lender.call_due = w.lines[0].called = 3.0
    assert call(w) == [3.0, 0.0]
    assert (lender.call_due, len(events(w)), w.lines[0].haircut) == (3.0, 0, 0.0)


# --- runs --------------------------------------------------------------------------------------------------------
def weak(w, j: int = 0, **columns: float):
    """Lender ``j`` at half its target of capital: 0.4 of the runnable half of 400 leave, 80."""
    usual = {
        "deposits": 400.0, "runnable": 0.5, "run_speed": 0.4, "capital_target": 0.25, "capital_ratio": 0.125, "cash": 100.0,
    }  # fmt: skip
    return put(w.lenders[j], **usual | columns)


def run(w) -> None:
    """Carry out ``run_deposits`` and check the books."""
    with paid_in_full(w):
        run_deposits(w, w.clock[0])


def test_depositors_of_a_weak_lender_are_paid_from_its_cash():
    w = world(lenders=2)
    lender = weak(w)
    weak(w, 1, capital_ratio=0.2)
    w.clock[0].last_shock = happened(w)
    run(w)
    assert (lender.cash, lender.deposits, lender.left_month) == pytest.approx((20.0, 320.0, 80.0))
    assert lender.run_share == pytest.approx(0.4)
    assert (lender.status, lender.call_due) == (LenderStatus.ACTIVE, 0.0)
    assert booked(w) == pytest.approx({Flow.DEPOSIT_OUT: 80.0})
    assert fields(events(w)[1]) == (EventKind.RUN, Cause.NONE, 0, 80.0, 0)
    assert (lender.call_event, w.clock[0].news) == (1, 11)
    assert (w.lenders[1].cash, w.lenders[1].deposits) == (100.0, 400.0)


@pytest.mark.parametrize(
    ("ratio", "leaving"),
    [
        (0.125, 0.0),  # as weak as in the round before
        (0.25, 0.0),  # better: nobody comes back in the month
        (0.09375, 40.0),  # 0.6 of the runnable half want out, 80 of 120 are gone
    ],
)
def test_each_round_only_those_leave_who_have_not_left_in_the_month(ratio, leaving):
    w = world()
    lender = weak(w, deposits=320.0, left_month=80.0, run_share=0.4, capital_ratio=ratio)
    run(w)
    assert (lender.deposits, lender.left_month) == pytest.approx((320.0 - leaving, 80.0 + leaving))
    assert lender.run_share == pytest.approx(0.6 if leaving else 0.4)
    assert w.clock[0].news == 10 + (leaving > 0)


def test_failures_of_the_same_kind_make_depositors_leave():
    w = world(lenders=4)
    w.lenders.kind[:4] = LenderKind.CRYPTO_LENDER, LenderKind.CRYPTO_LENDER, LenderKind.BANK, LenderKind.CRYPTO_LENDER
    w.lenders[1].status = LenderStatus.FAILED
    w.scratch[:2] = 9.0  # left there by another rule
    sound = {"capital_ratio": 0.25}
    crypto, bank, last = weak(w, **sound), weak(w, 2, **sound), weak(w, 3, **sound, run_speed=0.9)
    run(w)
    # A third of the crypto lenders failed: 0.5 x 1/3 x 0.4 of the runnable half of 400; more from the faster ones.
    assert crypto.left_month == pytest.approx(200.0 * 0.5 * 0.4 / 3)
    assert bank.left_month == 0.0
    assert last.left_month == pytest.approx(200.0 * 0.5 * 0.9 / 3)
    assert w.scratch[0, : LenderKind.OUTSIDE + 1].tolist() == [0, 0, 0, 0, 1, 0]
    assert w.scratch[1, : LenderKind.OUTSIDE + 1].tolist() == [1, 0, 0, 0, 3, 1]


@pytest.mark.parametrize("columns", [{"status": LenderStatus.FAILED}, {"kind": LenderKind.OUTSIDE}])
def test_nobody_runs_on_failed_lenders_and_outside_investors(columns):
    w = world(lenders=2)
    lender, other = weak(w, **columns), weak(w, 1, kind=LenderKind.BDC)
    run(w)
    assert (lender.deposits, lender.run_share) == (400.0, 0.0)
    assert other.deposits == pytest.approx(320.0)


@pytest.mark.parametrize(
    ("runnable", "left", "noted"),
    [
        # Half of the runnable part of 800 leaves.
        (0.0025, 0.0, 0),  # a dollar does not
        (0.003, 1.2, 0),  # this does, but is below a hundredth of the deposits
        (0.02, 8.0, 0),
        (0.025, 10.0, 1),
    ],
)
def test_small_withdrawals_make_no_news(runnable, left, noted):
    w = world()
    lender = weak(w, deposits=800.0, runnable=runnable, run_speed=0.5)
    run(w)
    assert lender.left_month == pytest.approx(left)
    assert (len(events(w)), w.clock[0].news) == (noted, 10 + noted)
    assert lender.call_event == noted - 1


@pytest.mark.parametrize(
    ("failure", "loss", "parent"), [(-1, -1, 2), (0, -1, 0), (1, -1, 1), (1, 0, 0), (-1, 1, 1), (0, 2, 2)]
)
def test_a_run_is_explained_by_the_lenders_loss_else_by_a_failure_else_by_the_last_sale(failure, loss, parent):
    w = world()
    for _ in range(3):
        happened(w)
    w.clock[0].last_shock, w.clock[0].last_failure = 2, failure
    weak(w, loss_event=loss)
    run(w)
    assert events(w)[3].parent == parent


def sale_of(w, principal: float, lender: int = 0) -> int:
    """Give a lender a loan that outside investors buy at three quarters of its principal."""
    return add_loan(w, lender=lender, usd=principal, collateral=principal)


@pytest.mark.parametrize(
    ("cash", "principal", "paid", "left"),
    [
        # 80 leave; a loan of 40 brings 30.
        (30.0, 40.0, 60.0, 0.0),
        (30.0, 100.0, 80.0, 25.0),  # a loan is sold whole: 75
        (50.0, 40.0, 80.0, 0.0),
        (0.0, 40.0, 30.0, 0.0),
    ],
)
def test_who_has_too_little_cash_sells_loans_to_pay_depositors_and_is_illiquid_if_that_is_not_enough(
    cash, principal, paid, left
):
    w = world()
    lender = weak(w, cash=cash, call_due=6.0)
    loan = sale_of(w, principal)
    run(w)
    assert (lender.deposits, lender.left_month, lender.cash) == pytest.approx((400.0 - paid, paid, left))
    assert w.loans[loan].lender == 1
    assert booked(w) == pytest.approx({Flow.DEPOSIT_OUT: paid, Flow.BOOK_SALE: 0.75 * principal})
    assert lender.status == (LenderStatus.ILLIQUID if paid < 80.0 else LenderStatus.ACTIVE)
    assert lender.call_due == pytest.approx(6.0 + 80.0 - paid)


def test_a_lender_sells_no_more_loans_than_its_depositors_want():
    w = world()
    lender = weak(w, cash=30.0)
    first, second = sale_of(w, 80.0), sale_of(w, 40.0)
    run(w)
    # The first brings 60, it lacks 50.
    assert (w.loans[first].lender, w.loans[second].lender) == (1, 0)
    assert lender.cash == pytest.approx(30.0 + 60.0 - 80.0)


@pytest.mark.parametrize(
    ("cash", "short", "status"), [(80.0, 0.0, LenderStatus.ACTIVE), (79.0, 0.0, LenderStatus.ACTIVE), (78.5, 1.5, 1)]
)
def test_who_is_short_by_a_dollar_is_not_illiquid(cash, short, status):
    w = world()
    lender = weak(w, cash=cash)
    run(w)
    assert (lender.status, lender.call_due) == (status, pytest.approx(short))


@pytest.mark.parametrize(("cash", "is_open"), [(79.0, 0), (80.0, 1)])
def test_a_lender_that_cannot_pay_its_depositors_closes_the_lines_that_it_provides(cash, is_open):
    w = world(lenders=3, lines=((0, 1), (1, 0), (2, 0), (2, 1)))
    weak(w, cash=cash)
    run(w)
    assert w.lines.open.tolist() == [1, is_open, is_open, 1]


def test_nobody_runs_in_the_frozen_twin():
    w = world(policy_frozen=1)
    lender = weak(w)
    run(w)
    assert (lender.deposits, lender.run_share, len(events(w))) == (400.0, 0.0, 0)


def test_deposits_are_paid_out_and_counted_and_rounding_leaves_no_negative_cash():
    w = world()
    lender = put(w.lenders[0], cash=50.0, deposits=300.0, left_month=5.0)
    with paid_in_full(w):
        pay_out_deposits(lender, 20.0, w.book)
    assert (lender.cash, lender.deposits, lender.left_month) == (30.0, 280.0, 25.0)
    assert booked(w) == {Flow.DEPOSIT_OUT: 20.0}
    pay_out_deposits(lender, 30.0 + 1e-9, w.book)
    assert lender.cash == 0.0


# --- lists of claims ---------------------------------------------------------------------------------------------
def test_rows_are_grouped_by_their_key_in_order():
    keys = np.array([2, 0, 2, 4, 0, 0, 2])
    ptr, rows = np.full(6, 77), np.full(7, 88)
    group_rows(keys, 6, 5, ptr, rows)
    # Group 0: rows 1, 4, 5; group 2: 0, 2; group 4: 3. The seventh row does not count.
    assert ptr.tolist() == [0, 3, 3, 5, 5, 6]
    assert rows.tolist() == [1, 4, 5, 0, 2, 3, 88]


def listed(w, row: int, column: int, j: int) -> list[int]:
    """Return what the ranking array lists for lender ``j``."""
    return w.ranking[column, w.ranking[row, j] : w.ranking[row, j + 1]].tolist()


def test_claims_are_listed_once_a_round():
    w = world(lenders=2, lines=((0, 1), (1, 0)))
    first, second = sale_of(w, 10.0, lender=1), sale_of(w, 20.0)
    list_claims(w, w.clock[0])
    assert w.clock[0].listed == 5 * 1000 + 2 + 1
    assert [listed(w, _LOANS_OF, _LOAN, j) for j in range(3)] == [[second], [first], []]
    assert [listed(w, _LINES_OF, _LINE, j) for j in range(3)] == [[1], [0], []]
    third = sale_of(w, 30.0)
    list_claims(w, w.clock[0])
    assert listed(w, _LOANS_OF, _LOAN, 0) == [second]
    w.clock[0].turn = 3
    list_claims(w, w.clock[0])
    assert listed(w, _LOANS_OF, _LOAN, 0) == [second, third]


def test_claims_are_listed_in_the_very_first_round():
    w = world()
    w.clock[0].month = w.clock[0].turn = 0
    k = sale_of(w, 10.0)
    list_claims(w, w.clock[0])
    assert listed(w, _LOANS_OF, _LOAN, 0) == [k]


# --- sales of loans ----------------------------------------------------------------------------------------------
def test_a_loan_is_sold_at_a_discount_on_what_it_is_carried_at():
    w = world()
    lender = put(w.lenders[0], cash=5.0, equity=90.0, eligible=500.0, mark_to_market=0.4, losses=2.0, losses_month=3.0)
    lender.allowance = 50.0
    k = add_loan(w, usd=100.0, collateral=60.0)
    put(w.lenders[1], book=11.0)
    lender.book = 400.0
    with paid_in_full(w):
        raised = raise_cash(w, w.clock[0], 0, lender, 50.0)
    # 40 are not covered, 0.5 x 0.4 of them provided for: 0.75 x (100 - 8) = 69, a loss of 31, 8 of it known before.
    assert raised == pytest.approx(69.0)
    assert (lender.cash, lender.book, lender.equity) == pytest.approx((74.0, 300.0, 67.0))
    assert lender.allowance == pytest.approx(42.0)
    assert (lender.losses, lender.losses_month) == pytest.approx((33.0, 26.0))
    assert lender.eligible == pytest.approx(440.0)
    assert w.loans[k].lender == 1
    assert (w.loans[k].principal, w.operators[0].debt) == (100.0, 100.0)
    assert (w.lenders[1].book, w.lenders[1].cash) == (111.0, 0.0)
    assert booked(w) == pytest.approx({Flow.BOOK_SALE: 69.0})


def test_equity_is_the_same_when_losses_are_provided_for_again_after_a_sale():
    w = world()
    lender = put(w.lenders[0], cash=50.0, mark_to_market=0.4)
    add_loan(w, usd=100.0, collateral=60.0)
    add_loan(w, usd=200.0, collateral=100.0)
    provide(w, w.clock[0])
    raise_cash(w, w.clock[0], 0, lender, 50.0)
    equity, losses = float(lender.equity), float(lender.losses_month)
    provide(w, w.clock[0])
    assert lender.equity == pytest.approx(equity)
    # Provided for: 8 of the one sold, 20 of the other; the sale cost 23 more.
    assert lender.losses_month == pytest.approx(losses) == pytest.approx(8 + 20 + 23)


@pytest.mark.parametrize(
    ("need", "sold"),
    [(29.0, 1), (30.0, 1), (31.0, 2), (90.0, 2), (91.0, 3), (500.0, 3), (0.0, 0)],
)
def test_loans_are_sold_whole_one_after_another_until_the_need_is_met(need, sold):
    w = world()
    for principal in (40.0, 80.0, 20.0):
        sale_of(w, principal)
    raised = raise_cash(w, w.clock[0], 0, w.lenders[0], need)
    assert raised == pytest.approx(0.75 * (0.0, 40.0, 120.0, 140.0)[sold])
    assert w.loans.lender[:3].tolist() == [1] * sold + [0] * (3 - sold)


def test_what_secures_less_than_its_claim_was_eligible_for_that_much_and_coin_loans_for_nothing():
    w = world()
    lender = put(w.lenders[0], eligible=500.0)
    add_loan(w, usd=100.0, collateral=150.0)
    add_loan(w, usd=70.0, collateral=50.0, kind=LoanKind.MARGIN)
    raise_cash(w, w.clock[0], 0, lender, 999.0)
    assert w.loans.lender[:2].tolist() == [1, 1]
    assert lender.eligible == pytest.approx(400.0)


def test_only_own_loans_that_perform_and_no_notes_are_sold():
    w = world(lenders=2)
    kept = [
        add_loan(w, usd=100.0, status=LoanStatus.CALLED),
        add_loan(w, usd=100.0, status=LoanStatus.DEFAULTED),
        add_loan(w, usd=100.0, status=LoanStatus.FREE),
        add_loan(w, usd=100.0, kind=LoanKind.CONVERTIBLE),
    ]
    other = add_loan(w, usd=100.0, lender=1)
    sold_before = add_loan(w, usd=100.0)
    last = sale_of(w, 60.0)
    list_claims(w, w.clock[0])
    w.loans[sold_before].lender = 2
    assert raise_cash(w, w.clock[0], 0, w.lenders[0], 999.0) == pytest.approx(45.0)
    assert [w.loans[k].lender for k in kept] == [0, 0, 0, 0]
    assert (w.loans[other].lender, w.loans[last].lender) == (1, 2)
    assert w.lenders[2].book == 60.0


# --- meeting calls -----------------------------------------------------------------------------------------------
def called(*, cash: float, **terms: float):
    """Lender 0 drew 90 and 50, of which 30 and 10 are called; a third line is not, and the last one is another's."""
    w = world(lenders=4, lines=((0, 1), (0, 2), (0, 3), (3, 1)), **terms)
    w.lines.drawn[:] = 90.0, 50.0, 20.0, 70.0
    w.lines.called[:] = 30.0, 10.0, 0.0, 15.0
    return w, put(w.lenders[0], cash=cash, borrowed=160.0, call_due=40.0)


def meet(w) -> None:
    """Carry out ``meet_calls`` and check the books."""
    with paid_in_full(w):
        meet_calls(w, w.clock[0])


@pytest.mark.parametrize(
    ("cash", "first", "second", "status"),
    [
        (65.0, 30.0, 10.0, LenderStatus.ACTIVE),
        (40.0, 30.0, 10.0, LenderStatus.ACTIVE),
        (20.0, 15.0, 5.0, LenderStatus.ILLIQUID),  # half of each
        (0.0, 0.0, 0.0, LenderStatus.ILLIQUID),
    ],
)
def test_a_debtor_pays_its_calls_in_full_or_each_creditor_the_same_share(cash, first, second, status):
    w, lender = called(cash=cash)
    meet(w)
    assert w.lines.drawn.tolist() == pytest.approx([90.0 - first, 50.0 - second, 20.0, 70.0])
    assert w.lines.called.tolist() == pytest.approx([30.0 - first, 10.0 - second, 0.0, 15.0])
    assert w.lenders.cash[1:4].tolist() == pytest.approx([first, second, 0.0])
    assert lender.cash == pytest.approx(cash - first - second)
    assert lender.call_due == pytest.approx(40.0 - first - second)
    assert lender.status == status
    assert booked(w) == pytest.approx({Flow.LINE_REPAID: first + second} if cash else {})


@pytest.mark.parametrize(
    ("principal", "share", "left", "status"),
    [
        (24.0, 0.7, 0.0, LenderStatus.ILLIQUID),  # 10 in cash and 18 from the sale are 28 of 40
        (40.0, 1.0, 0.0, LenderStatus.ACTIVE),
        (80.0, 1.0, 30.0, LenderStatus.ACTIVE),
    ],
)
def test_a_debtor_short_of_cash_sells_loans_and_stays_illiquid_only_if_that_is_not_enough(
    principal, share, left, status
):
    w, lender = called(cash=10.0)
    loan, other = sale_of(w, principal), sale_of(w, 44.0, lender=1)
    meet(w)
    assert (w.loans[loan].lender, w.loans[other].lender) == (4, 1)
    assert w.lines.drawn[:2].tolist() == pytest.approx([90.0 - 30.0 * share, 50.0 - 10.0 * share])
    assert lender.cash == pytest.approx(left)
    assert lender.status == status


def test_a_debtor_sells_no_more_loans_than_it_lacks_cash():
    w, lender = called(cash=25.0)
    first, second = sale_of(w, 20.0), sale_of(w, 20.0)
    meet(w)
    assert (w.loans[first].lender, w.loans[second].lender) == (4, 0)
    assert (lender.cash, lender.status) == (pytest.approx(0.0), LenderStatus.ACTIVE)


def test_a_line_of_which_little_is_called_is_paid_too():
    w, lender = called(cash=100.0)
    w.lines.called[:2] = 0.5, 39.5
    meet(w)
    assert w.lines.drawn[:2].tolist() == pytest.approx([89.5, 10.5])


@pytest.mark.parametrize(
    ("columns", "paid"),
    [
        ({"call_due": 1.0}, False),  # a dollar is not asked for
        ({"call_due": 1.5}, True),
        ({"status": LenderStatus.FAILED}, False),
        ({"borrowed": 0.0}, False),  # its depositors want it, not its lines
        ({"borrowed": 0.5}, True),
    ],
)
def test_who_has_failed_or_no_call_of_a_line_pays_none_and_the_next_debtor_pays(columns, paid):
    w, lender = called(cash=500.0)
    put(lender, **columns)
    put(w.lenders[3], cash=100.0, borrowed=70.0, call_due=15.0)
    meet(w)
    assert (lender.cash < 500.0) == paid
    assert w.lines[3].drawn == pytest.approx(55.0)


def test_a_lender_whose_depositors_were_not_paid_pays_its_lines_and_is_liquid_again_if_it_can():
    w, lender = called(cash=500.0)
    put(lender, status=LenderStatus.ILLIQUID, call_due=60.0)
    meet(w)
    assert (lender.status, lender.call_due) == (LenderStatus.ACTIVE, pytest.approx(20.0))


def test_no_call_is_met_in_the_frozen_twin():
    w, lender = called(cash=500.0, policy_frozen=1)
    meet(w)
    assert (lender.cash, lender.call_due) == (500.0, 40.0)
