"""Which lenders fail, what becomes of what they own and owe, and of what they had committed."""

from __future__ import annotations

import numpy as np
import pytest

from agents.lenders.failure import (
    clear_failures,
    fail_lenders,
    find_failures,
    hand_over_hardware,
    list_debts,
    pay_creditors,
    sell_estate,
    withdraw_commitments,
)
from agents.lenders.runs import _PLACE, list_claims
from agents.tables.events import Cause, EventKind, log_event
from agents.tables.ledger import Flow
from agents.tables.lenders import LenderKind, LenderStatus
from agents.tables.loans import LoanKind, LoanStatus
from tests.rules.worlds import (
    BEFORE,
    add_loan,
    add_lot,
    booked,
    events,
    operator_node,
    paid_in_full,
    put,
    small_world,
)

TERMS = {
    "policy_frozen": 0,
    "funding_failure_ratio": 0.05,
    "funding_sale_discount": 0.25,
    "funding_impairment_called": 0.4,
    "funding_impairment_market": 0.5,
    "funding_recovery_external": 0.9,
    "funding_recovery_interlender": 0.8,
}


def world(*, lenders: int = 1, operators: int = 1, lines: tuple[tuple[int, int], ...] = (), **terms: float):
    """Return a world of sound lenders in month 5, round 2 of the cascade."""
    w = small_world(lenders=lenders, operators=operators, lines=lines, terms=TERMS | terms)
    clock = w.clock[0]
    clock.month, clock.turn, clock.news = 5, 2, 10
    w.lenders.capital_ratio[:] = 0.2
    w.book[:] = BEFORE
    return w


def happened(w, times: int = 1) -> None:
    """Write events 0, 1, ... for others to point at."""
    for _ in range(times):
        log_event(w.events, w.clock[0], EventKind.DEFAULT, Cause.NONE, 0, -1, -1, 0.0, 0.0, -1)


def fields(event) -> tuple:
    """Return what the failure of a lender says: kind, cause, node, USD, parent."""
    assert (event.month, event.turn, event.other, event.chip, event.units) == (5, 2, -1, -1, 0.0)
    return event.kind, event.cause, event.node, pytest.approx(event.usd), event.parent


def failures(w) -> list[int]:
    """Carry out ``find_failures``; return whom it lists."""
    failing = np.full(len(w.lenders), 99)
    n = find_failures(w, w.clock[0], failing)
    assert failing[n:].tolist() == [99] * (len(w.lenders) - n)
    return failing[:n].tolist()


# --- who fails ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("columns", "fails"),
    [
        ({"equity": 10.0, "capital_ratio": 0.06}, False),
        ({"equity": 10.0, "capital_ratio": 0.05}, False),
        ({"equity": 10.0, "capital_ratio": 0.04}, True),
        ({"equity": -0.5, "capital_ratio": 0.06}, True),  # losses of the round after its ratio was taken
        ({"equity": 0.0, "capital_ratio": 0.06}, False),
        ({"equity": 10.0, "status": LenderStatus.ILLIQUID, "call_due": 1.0}, False),  # short of a dollar
        ({"equity": 10.0, "status": LenderStatus.ILLIQUID, "call_due": 1.5}, True),
        ({"equity": 10.0, "status": LenderStatus.ACTIVE, "call_due": 50.0}, False),
        ({"equity": -10.0, "status": LenderStatus.FAILED, "call_due": 50.0}, False),  # only once
        ({"equity": -10.0, "kind": LenderKind.OUTSIDE}, False),
    ],
)
def test_a_lender_fails_that_is_insolvent_or_cannot_pay_what_is_due(columns, fails):
    w = world(lenders=3)
    put(w.lenders[1], **columns)
    before = w.lenders[1].status
    put(w.lenders[2], equity=-10.0)
    assert failures(w) == ([1, 2] if fails else [2])
    assert w.lenders[1].status == (LenderStatus.FAILED if fails else before)
    assert w.lenders[1].failed_month == (5 if fails else -1)
    assert w.lenders[0].status == LenderStatus.ACTIVE


@pytest.mark.parametrize(
    ("columns", "cause", "parent"),
    [
        ({"equity": -10.0, "loss_event": 0}, Cause.INSOLVENCY, 0),  # its largest loss
        ({"equity": -10.0}, Cause.INSOLVENCY, 2),  # else the last forced sale
        ({"status": LenderStatus.ILLIQUID, "call_due": 50.0, "loss_event": 0}, Cause.ILLIQUIDITY, 1),  # the call
        ({"equity": -10.0, "status": LenderStatus.ILLIQUID, "call_due": 50.0}, Cause.INSOLVENCY, 2),
    ],
)
def test_a_failure_is_news_and_says_why(columns, cause, parent):
    w = world(lenders=2)
    happened(w, 3)
    w.clock[0].last_shock = 2
    lender = put(w.lenders[1], deposits=300.0, borrowed=40.0, call_event=1, **columns)
    assert failures(w) == [1]
    assert fields(events(w)[3]) == (EventKind.LENDER_FAILURE, cause, 1, 340.0, parent)
    assert (lender.last_event, w.clock[0].last_failure, w.clock[0].news) == (3, 3, 11)


def test_all_failures_of_a_round_are_listed_in_order_and_the_last_is_remembered():
    w = world(lenders=3)
    w.lenders.equity[[0, 2]] = -1.0
    assert failures(w) == [0, 2]
    assert [e.node for e in events(w)] == [0, 2]
    assert (w.lenders[0].last_event, w.lenders[2].last_event) == (0, 1)
    assert (w.clock[0].last_failure, w.clock[0].news) == (1, 12)


# --- what it owns ------------------------------------------------------------------------------------------------
def chain(w, node: int) -> list[int]:
    """Return the lots of a node from head to tail, after checking that each points back at the one before."""
    found, before, k = [], -1, w.first_lot[node]
    while k >= 0:
        assert (w.lots[k].owner, w.lots[k].preceding) == (node, before)
        found.append(int(k))
        before, k = k, w.lots[k].following
    return found


@pytest.mark.parametrize("had", [True, False])
def test_seized_hardware_goes_to_the_outside_investors(had):
    w = world(lenders=2)
    first, second, third = (add_lot(w, node=0, units=units) for units in (3.0, 5.0, 8.0))
    other, free = add_lot(w, node=1, units=20.0), add_lot(w, node=operator_node(w), units=30.0)
    held = [add_lot(w, node=2, units=2.0)] if had else []
    w.lenders.seized_units[:] = 16.0, 20.0, 2.0
    w.lenders.seized_claim[:] = 5.0
    hand_over_hardware(w, 0, 2)
    assert chain(w, 0) == []
    # Handed over one by one from the head of the list, which is the lot that came last.
    assert chain(w, 2) == [first, second, third, *held]
    assert (chain(w, 1), chain(w, operator_node(w))) == ([other], [free])
    assert w.lenders.seized_units.tolist() == [0.0, 20.0, 2.0 + 16.0]
    assert w.lenders.seized_claim.tolist() == [0.0, 5.0, 5.0]


def test_who_holds_no_hardware_hands_none_over():
    w = world(lenders=2)
    held = add_lot(w, node=2, units=2.0)
    w.lenders[2].seized_units = 2.0
    hand_over_hardware(w, 0, 2)
    assert (chain(w, 2), w.lenders[2].seized_units) == ([held], 2.0)


def sell(w, j: int = 0) -> None:
    """Sell the estate of a lender and check the books."""
    with paid_in_full(w):
        sell_estate(w, w.clock[0], j, len(w.lenders) - 1)


@pytest.mark.parametrize(
    ("columns", "price"),
    [
        # A claim of 100 on collateral of 60, at a discount of a quarter.
        ({}, 0.75 * (100 - 0.5 * 0.5 * 40)),  # less a share of the shortfall
        ({"status": LoanStatus.CALLED}, 0.75 * (100 - 0.4 * 40)),
        ({"status": LoanStatus.DEFAULTED}, 0.75 * 60),  # the hardware behind it
        ({"status": LoanStatus.DEFAULTED, "collateral": 180.0}, 0.75 * 100),  # up to the claim
        ({"collateral": 180.0}, 0.75 * 100),
        ({"kind": LoanKind.CONVERTIBLE}, 0.75 * 100),
        ({"kind": LoanKind.CONVERTIBLE, "status": LoanStatus.DEFAULTED, "collateral": 0.0}, 0.0),
    ],
)
def test_a_claim_of_a_failed_lender_is_sold_at_a_discount_on_its_value(columns, price):
    w = world(lenders=2)
    put(w.lenders[0], cash=5.0, mark_to_market=0.5, allowance=12.0)
    w.lenders[2].book = 11.0
    k = add_loan(w, usd=100.0, **{"collateral": 60.0} | columns)
    sell(w)
    assert w.loans[k].lender == 2
    assert (w.loans[k].principal, w.operators[0].debt) == (100.0, 100.0)
    assert w.lenders[0].cash == pytest.approx(5.0 + price)
    assert (w.lenders[0].book, w.lenders[0].allowance) == (0.0, 0.0)
    assert (w.lenders[2].book, w.lenders[2].cash) == (111.0, 0.0)
    assert booked(w) == pytest.approx({Flow.BOOK_SALE: price} if price else {})


def test_all_its_claims_and_no_others_are_sold_and_what_it_committed_is_gone():
    w = world(lenders=2)
    put(w.lenders[0], committed=70.0, eligible=33.0)
    put(w.lenders[1], committed=80.0, allowance=4.0)
    first, other, free, sold_before, last = (
        add_loan(w, usd=usd, collateral=usd, lender=lender)
        for usd, lender in ((100.0, 0), (200.0, 1), (400.0, 0), (800.0, 0), (1600.0, 0))
    )
    w.loans[free].status = LoanStatus.FREE
    list_claims(w, w.clock[0])
    w.loans[sold_before].lender = 2
    add_lot(w, node=0, units=3.0, loan=first)
    sell(w)
    assert [w.loans[k].lender for k in (first, other, free, sold_before, last)] == [2, 1, 0, 2, 2]
    assert w.lenders[0].cash == pytest.approx(0.75 * 1700.0)
    assert w.lenders.book.tolist() == [0.0, 200.0, 1700.0]
    assert w.lenders.committed.tolist() == [0.0, 80.0, 0.0]
    assert w.lenders[1].allowance == 4.0
    assert (chain(w, 0), len(chain(w, 2))) == ([], 1)


def test_lines_due_to_a_failed_lender_are_sold_at_par_and_all_its_lines_are_closed():
    w = world(lenders=5, lines=((0, 3), (1, 0), (2, 0), (3, 0), (4, 3)))
    w.lines.drawn[:] = 90.0, 10.0, 20.0, 40.0, 80.0
    w.lenders[2].status = LenderStatus.FAILED
    put(w.lenders[0], cash=5.0, lent_lines=70.0, book=2.0)
    w.lenders[5].lent_lines = 3.0
    sell(w)
    # The line of lender 2, which failed as well, is cleared with its other debts.
    assert w.lines.creditor.tolist() == [3, 5, 0, 5, 3]
    assert w.lines.open.tolist() == [0, 0, 0, 0, 1]
    assert w.lines.drawn.tolist() == [90.0, 10.0, 20.0, 40.0, 80.0]
    assert (w.lenders[0].cash, w.lenders[0].lent_lines, w.lenders[0].book) == (55.0, 20.0, 0.0)
    assert w.lenders[5].lent_lines == 53.0
    assert booked(w) == {Flow.BOOK_SALE: 50.0}


def test_a_line_that_was_sold_earlier_in_the_round_is_not_sold_again():
    w = world(lenders=3, lines=((1, 0), (2, 0)))
    w.lines.drawn[:] = 10.0, 20.0
    w.lenders[0].lent_lines = 30.0
    list_claims(w, w.clock[0])
    w.lines[0].creditor = 3
    sell(w)
    assert w.lenders[0].cash == 20.0
    assert (w.lines.creditor.tolist(), w.lines.open.tolist()) == ([3, 3], [1, 0])


# --- what it owes ------------------------------------------------------------------------------------------------
def test_debts_among_the_failing_are_told_from_debts_outside():
    w = world(lenders=5, lines=((1, 0), (1, 2), (1, 4), (3, 0), (4, 1), (4, 3)))
    w.lines.drawn[:] = 5.0, 7.0, 11.0, 99.0, 0.5, 17.0
    w.lenders.cash[:5] = 10.0, 20.0, 30.0, 40.0, 50.0
    w.lenders.deposits[:5] = 100.0, 200.0, 300.0, 400.0, 500.0
    w.ranking[_PLACE] = [1, 9, -1, 3, 9] + [0] * (len(w.ranking[_PLACE]) - 5)  # of earlier rounds
    failing = np.array([4, 1, 2])
    assets, external, owed = np.zeros(3), np.zeros(3), np.zeros(6)
    debtor, creditor = np.full(6, 99), np.full(6, 99)
    assert list_debts(w, failing, 3, assets, external, debtor, creditor, owed) == 3
    assert assets.tolist() == [50.0, 20.0, 30.0]
    # Lender 4 owes 17 to lender 3 and lender 1 owes 5 to lender 0, which are sound.
    assert external.tolist() == [517.0, 205.0, 300.0]
    # Lender 4 owes 0.5 to lender 1; that one 7 to lender 2 and 11 to lender 4.
    assert list(zip(debtor[:3], creditor[:3], owed[:3], strict=True)) == [(0, 1, 0.5), (1, 2, 7.0), (1, 0, 11.0)]


@pytest.mark.parametrize("stale", [-1, 0, 1, 2, 3])
def test_a_sound_creditor_is_not_taken_for_a_failing_one_by_what_stood_in_the_list(stale):
    w = world(lenders=4, lines=((3, 0),))
    w.lines[0].drawn = 60.0
    w.ranking[_PLACE, 0] = stale
    failing = np.array([3, 1, 0, 0])  # two of them; behind these stands what an earlier round wrote
    external = np.zeros(2)
    nobody = np.zeros(1, np.int64)
    assert list_debts(w, failing, 2, np.zeros(2), external, nobody, nobody.copy(), np.zeros(1)) == 0
    assert external.tolist() == [60.0, 0.0]


def test_a_line_that_is_not_drawn_is_no_debt():
    w = world(lenders=2, lines=((0, 1),))
    failing, nobody = np.array([0, 1]), np.zeros(1, np.int64)
    assert list_debts(w, failing, 2, np.zeros(2), np.zeros(2), nobody, nobody.copy(), np.zeros(1)) == 0


def test_depositors_and_lines_are_paid_the_same_share_and_the_rest_is_their_loss():
    w = world(lenders=4, lines=((0, 1), (0, 2), (0, 3), (3, 1)))
    w.lines.drawn[:] = 40.0, 0.0, 80.0, 160.0
    w.lines.called[:] = 15.0, 0.0, 0.0, 25.0
    happened(w, 2)
    lender = put(w.lenders[0], cash=100.0, deposits=200.0, borrowed=120.0, last_event=1, passed=1.0, passed_lines=2.0)
    put(w.lenders[1], cash=3.0, lent_lines=200.0, losses=9.0, losses_month=6.0)
    put(w.lenders[3], lent_lines=80.0, loss_event=0, loss_event_usd=65.0)
    with paid_in_full(w):
        pay_creditors(w, w.clock[0], 0, 0.25)
    assert lender.cash == pytest.approx(100.0 - 50.0 - 10.0 - 20.0)
    assert (lender.deposits, lender.borrowed) == (0.0, 0.0)
    # Three quarters of 200 are lost to depositors, of 40 and 80 to the lenders of its lines.
    assert (lender.passed, lender.passed_lines) == (pytest.approx(1.0 + 150.0), pytest.approx(2.0 + 90.0))
    assert w.lines.drawn.tolist() == [0.0, 0.0, 0.0, 160.0]
    assert w.lines.called.tolist() == [0.0, 0.0, 0.0, 25.0]
    assert w.lenders.cash[1:4].tolist() == pytest.approx([13.0, 0.0, 20.0])
    assert w.lenders.lent_lines[1:4].tolist() == [160.0, 0.0, 0.0]
    # Lender 1 loses 30 of its 40, lender 3 60 of its 80 and remembers a larger loss.
    assert w.lenders.losses[1:4].tolist() == pytest.approx([39.0, 0.0, 60.0])
    assert w.lenders.losses_month[1:4].tolist() == pytest.approx([36.0, 0.0, 60.0])
    assert (w.lenders[1].loss_event, w.lenders[1].loss_event_usd) == (1, pytest.approx(30.0))
    assert (w.lenders[3].loss_event, w.lenders[3].loss_event_usd) == (0, 65.0)
    assert booked(w) == pytest.approx({Flow.DEPOSIT_CLEARED: 50.0, Flow.LINE_CLEARED: 30.0})


def test_a_lender_that_pays_in_full_leaves_no_loss_however_small_the_line():
    w = world(lenders=2, lines=((0, 1),))
    w.lines[0].drawn = 0.5
    lender = put(w.lenders[0], cash=30.0, deposits=20.0, borrowed=0.5)
    w.lenders[1].lent_lines = 0.5
    pay_creditors(w, w.clock[0], 0, 1.0)
    assert (lender.cash, w.lenders[1].cash) == (9.5, 0.5)
    assert (w.lenders[1].losses, w.lenders[1].losses_month, w.lenders[1].loss_event) == (0.0, 0.0, -1)
    assert (lender.passed, lender.passed_lines) == (0.0, 0.0)


# --- clearing ----------------------------------------------------------------------------------------------------
def failed(w, j: int, **columns: float):
    """Set a lender that has failed, with equity and a capital ratio that say nothing any more."""
    return put(w.lenders[j], **{"status": LenderStatus.FAILED, "equity": -3.0, "capital_ratio": 0.04} | columns)


def clear(w, *failing: int) -> None:
    """Clear what failing lenders owe and check the books: nothing is left to them."""
    with paid_in_full(w):
        clear_failures(w, w.clock[0], np.array(failing), len(failing))
    for j in failing:
        assert (w.lenders[j].cash, w.lenders[j].equity, w.lenders[j].capital_ratio) == (0.0, 0.0, 0.0)
        assert (w.lenders[j].deposits, w.lenders[j].borrowed) == (0.0, 0.0)


def test_who_cannot_pay_in_full_pays_what_bankruptcy_leaves():
    w = world(lenders=2, lines=((0, 1),))
    failed(w, 0, cash=40.0, deposits=120.0, borrowed=80.0)
    put(w.lenders[1], lent_lines=80.0, equity=30.0)
    w.lines[0].drawn = 80.0
    add_loan(w, usd=80.0, collateral=80.0)  # sold for 60
    clear(w, 0)
    # Has 100 and owes 200: pays 0.9 x 100, 45 % of everything.
    assert booked(w) == pytest.approx(
        {Flow.BOOK_SALE: 60.0, Flow.DEPOSIT_CLEARED: 54.0, Flow.LINE_CLEARED: 36.0, Flow.BANKRUPTCY_LENDER: 10.0}
    )
    assert (w.lenders[1].cash, w.lenders[1].losses) == (pytest.approx(36.0), pytest.approx(44.0))
    assert (w.lenders[1].equity, w.lenders[1].capital_ratio) == (30.0, 0.2)


@pytest.mark.parametrize(
    ("cash", "deposits", "items"),
    [
        (70.0, 30.0, {Flow.DEPOSIT_CLEARED: 30.0, Flow.LENDER_PAYOUT: 40.0}),
        (30.0, 30.0, {Flow.DEPOSIT_CLEARED: 30.0}),
        (12.0, 0.0, {Flow.LENDER_PAYOUT: 12.0}),
        (0.5, 0.8, {Flow.DEPOSIT_CLEARED: 0.45, Flow.BANKRUPTCY_LENDER: 0.05}),
    ],
)
def test_what_a_solvent_lender_has_left_goes_to_its_owners(cash, deposits, items):
    w = world(lenders=2)
    failed(w, 0, cash=cash, deposits=deposits)
    clear(w, 0)
    assert booked(w) == pytest.approx(items)


def test_failing_lenders_clear_at_once_and_bankruptcy_takes_its_part_of_what_each_has():
    w = world(lenders=4, lines=((1, 3), (3, 2)))
    failed(w, 1, cash=100.0, deposits=150.0, borrowed=50.0)
    failed(w, 3, cash=20.0, deposits=40.0, borrowed=20.0, lent_lines=50.0)
    put(w.lenders[2], lent_lines=20.0, cash=1.0)
    put(w.lenders[0], cash=9.0, deposits=8.0)
    w.lines.drawn[:] = 50.0, 20.0
    clear(w, 1, 3)
    # Lender 1 has 100 and owes 200: it pays 90, of which 67.50 to depositors and 22.50 to lender 3. That one has 20
    # and 22.50 and owes 60: it pays 0.9 x 20 + 0.8 x 22.50 = 36, of which 24 to depositors and 12 to lender 2.
    assert booked(w) == pytest.approx(
        {
            Flow.DEPOSIT_CLEARED: 67.5 + 24.0,
            Flow.LINE_CLEARED: 22.5 + 12.0,
            Flow.BANKRUPTCY_LENDER: (100.0 - 90.0) + (42.5 - 36.0),
        }
    )
    assert (w.lenders[2].cash, w.lenders[2].losses) == (pytest.approx(13.0), pytest.approx(8.0))
    assert (w.lenders[3].losses, w.lenders[3].lent_lines) == (pytest.approx(27.5), 0.0)
    assert (w.lenders[0].cash, w.lenders[0].deposits) == (9.0, 8.0)


def test_recoveries_of_own_assets_and_of_claims_on_lenders_are_parameters():
    w = world(lenders=2, lines=((0, 1),), funding_recovery_external=0.5, funding_recovery_interlender=0.25)
    failed(w, 0, cash=40.0, borrowed=40.0)
    failed(w, 1, cash=60.0, deposits=400.0, lent_lines=40.0)
    w.lines[0].drawn = 40.0
    clear(w, 0, 1)
    assert w.book[Flow.DEPOSIT_CLEARED] - BEFORE == pytest.approx(0.5 * 60 + 0.25 * 40)


def test_lenders_that_could_pay_if_the_others_did_pay_in_full():
    w = world(lenders=2, lines=((0, 1), (1, 0)))
    for j in range(2):
        failed(w, j, borrowed=50.0, lent_lines=50.0)
    w.lines.drawn[:] = 50.0
    clear(w, 0, 1)
    assert booked(w) == pytest.approx({Flow.LINE_CLEARED: 100.0})
    assert w.lenders.losses.tolist() == [0.0, 0.0, 0.0]


# --- the round ---------------------------------------------------------------------------------------------------
def test_lenders_that_fail_in_a_round_are_closed_and_cleared():
    w = world(lenders=3)
    put(w.lenders[1], equity=-10.0, cash=50.0, deposits=100.0)
    put(w.lenders[2], status=LenderStatus.ILLIQUID, call_due=9.0, cash=60.0, deposits=30.0)
    put(w.lenders[0], cash=70.0, deposits=90.0)
    with paid_in_full(w):
        fail_lenders(w, w.clock[0])
    assert w.lenders.status[:3].tolist() == [LenderStatus.ACTIVE, LenderStatus.FAILED, LenderStatus.FAILED]
    assert w.lenders.deposits[:3].tolist() == [90.0, 0.0, 0.0]
    assert booked(w) == pytest.approx(
        {Flow.DEPOSIT_CLEARED: 45.0 + 30.0, Flow.BANKRUPTCY_LENDER: 5.0, Flow.LENDER_PAYOUT: 30.0}
    )
    assert w.clock[0].news == 12


def test_one_failure_is_cleared_and_none_moves_nothing():
    w = world(lenders=2)
    put(w.lenders[1], cash=50.0, deposits=100.0)
    fail_lenders(w, w.clock[0])
    assert (booked(w), w.lenders[1].deposits) == ({}, 100.0)
    w.lenders[1].equity = -10.0
    fail_lenders(w, w.clock[0])
    assert w.lenders[1].deposits == 0.0


def test_nobody_fails_in_the_frozen_twin():
    w = world(policy_frozen=1)
    put(w.lenders[0], equity=-10.0, cash=50.0, deposits=100.0)
    fail_lenders(w, w.clock[0])
    assert (w.lenders[0].status, w.lenders[0].deposits, len(events(w))) == (LenderStatus.ACTIVE, 100.0, 0)


# --- what it had committed ---------------------------------------------------------------------------------------
def commitments(*, status: LenderStatus = LenderStatus.FAILED, **terms: float):
    """Lender 1 of three has failed; it committed 60 to operator 1 (3 units at 20), among orders of all kinds."""
    w = world(lenders=3, operators=2, **terms)
    happened(w, 2)
    put(w.lenders[1], status=status, committed=100.0, last_event=0, call_event=1)
    w.lenders[0].committed = 500.0
    w.operators[1].committed = 7.0
    w.orders.cost[:5] = 100.0
    for k, columns in enumerate(
        (
            {"operator": 0, "lender": 0, "units": 5.0, "advance": 10.0},
            {"operator": 1, "lender": 1, "units": 3.0, "advance": 20.0, "chip": 4},
            {"operator": 0, "lender": -1, "units": 2.0, "advance": 9.0},
            {"operator": -1, "lender": 1, "units": 1.0, "advance": 11.0},
            {"operator": 0, "lender": 1, "units": 2.0, "advance": 30.0, "chip": 6},
        )
    ):
        put(w.orders[k], **columns)
    w.clock[0].used_orders = 4
    return w


@pytest.mark.parametrize(("status", "parent"), [(LenderStatus.FAILED, 0), (LenderStatus.ILLIQUID, 1)])
def test_a_failed_or_illiquid_lender_withdraws_and_the_operator_owes_the_vendor_what_it_had_committed(status, parent):
    w = commitments(status=status)
    withdraw_commitments(w, w.clock[0])
    order = w.orders[1]
    assert (order.operator, order.lender, order.advance, order.units) == (1, -1, 0.0, 3.0)
    assert w.lenders.committed[:2].tolist() == [500.0, 40.0]
    assert w.operators.committed.tolist() == [0.0, 67.0]
    (found,) = events(w)[2:]
    assert (found.kind, found.cause) == (EventKind.WITHDRAWN_LINE, Cause.LENDER_FAILURE)
    assert (found.node, found.other, found.chip) == (operator_node(w, 1), 1, 4)
    assert (found.units, found.usd, found.parent) == (3.0, 60.0, parent)
    assert (w.operators[1].last_event, w.operators[0].last_event) == (2, -1)
    # Orders of sound lenders, without a lender, and rows that are not in use stay as they are.
    assert w.orders.lender[[0, 2, 3, 4]].tolist() == [0, -1, 1, 1]
    assert w.orders.advance[[0, 2, 3, 4]].tolist() == [10.0, 9.0, 11.0, 30.0]


def test_every_commitment_is_withdrawn_and_a_lender_commits_no_less_than_nothing():
    w = commitments()
    w.clock[0].used_orders = 5
    w.lenders[0].status = LenderStatus.ILLIQUID
    withdraw_commitments(w, w.clock[0])
    # Lender 0 withdraws 5 x 10 of 500; lender 1 3 x 20 and 2 x 30, of the 100 that it knows of.
    assert w.lenders.committed[:2].tolist() == [450.0, 0.0]
    assert w.operators.committed.tolist() == [50.0 + 60.0, 7.0 + 60.0]
    assert [(e.node, e.other) for e in events(w)[2:]] == [
        (operator_node(w, 0), 0),
        (operator_node(w, 1), 1),
        (operator_node(w, 0), 1),
    ]


def test_an_advance_above_what_was_due_leaves_no_more_to_pay_than_that():
    w = commitments(credit_deposit=0.25)
    w.orders[1].advance = 80.0
    withdraw_commitments(w, w.clock[0])
    # 75 of 100 are due a unit, and nothing of it was from the operator.
    assert w.operators[1].committed == pytest.approx(7.0 + 3 * 75.0)
    assert events(w)[2].usd == 3 * 80.0


def test_nothing_is_withdrawn_while_the_lender_is_sound_or_in_the_frozen_twin():
    for w in (commitments(status=LenderStatus.ACTIVE), commitments(policy_frozen=1)):
        withdraw_commitments(w, w.clock[0])
        assert w.orders[1].lender == 1
        assert w.lenders[1].committed == 100.0
        assert len(events(w)) == 2
