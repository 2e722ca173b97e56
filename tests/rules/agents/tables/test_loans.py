"""The verbs of a loan: open, pay out, pay, close out its coins, close."""

from __future__ import annotations

import pytest

from agents.tables.clock import Fault
from agents.tables.ledger import Flow
from agents.tables.loans import (
    LOAN,
    LoanContract,
    LoanKind,
    LoanStatus,
    close_loan,
    close_out,
    open_loan,
    pay_loan,
    pay_out_loan,
    recover,
)
from tests.rules.worlds import add_loan, cash_of, explained, small_world

TERMS = (LoanKind.MARGIN, 2, 3, 500.0, 0.09, 12.5, 40)


def columns(row):
    return {name: row[name] for name in row.dtype.names}


def soil(row):
    """Write 77 into every column but the link to the next free row, as an earlier use might leave them."""
    for name in row.dtype.names:
        if name != "following":
            row[name] = 77


def test_a_new_loan_keeps_nothing_of_what_its_row_held_before():
    w = small_world()
    clock = w.clock[0]
    clock.month = 8
    soil(w.loans[0])
    assert open_loan(w.loans, clock, *TERMS) == 0
    expected = columns(LOAN.empty(1)[0]) | {
        "kind": LoanKind.MARGIN, "status": LoanStatus.PERFORMING, "lender": 2, "borrower": 3, "principal": 500.0,
        "rate": 0.09, "amortisation": 12.5, "opened": 8, "maturity": 40, "following": 1,
        "contract": LoanContract.BORROWING_BASE,
    }  # fmt: skip
    assert columns(w.loans[0]) == expected
    assert (clock.free_loan, clock.used_loans) == (1, 1)


def test_loans_take_the_free_rows_in_turn_and_a_row_given_back_is_used_first():
    w = small_world()
    clock = w.clock[0]
    assert [open_loan(w.loans, clock, *TERMS) for _ in range(3)] == [0, 1, 2]
    close_loan(w.loans, clock, 1)
    assert (clock.free_loan, clock.used_loans) == (1, 3)
    assert open_loan(w.loans, clock, *TERMS) == 1
    assert (clock.free_loan, clock.used_loans) == (3, 3)
    assert open_loan(w.loans, clock, *TERMS) == 3
    assert (clock.free_loan, clock.used_loans) == (4, 4)


def test_a_full_table_stops_the_run():
    w = small_world()
    clock = w.clock[0]
    clock.free_loan, clock.used_loans, clock.fault_usd = -1, 6, 77.0
    assert open_loan(w.loans, clock, *TERMS) == -1
    assert (clock.fault, clock.fault_node, clock.fault_usd) == (Fault.LOANS_FULL, 6, 0.0)
    assert (clock.free_loan, clock.used_loans) == (-1, 6)
    assert set(w.loans.status) == {LoanStatus.FREE}


def test_a_closed_loan_has_no_claim_and_no_coins():
    w = small_world()
    k = add_loan(w, coins=4.0, usd=20.0)
    other = add_loan(w, coins=5.0, usd=30.0)
    close_loan(w.loans, w.clock[0], k)
    assert (w.loans[k].status, w.loans[k].principal, w.loans[k].coins) == (LoanStatus.FREE, 0.0, 0.0)
    assert (w.loans[k].following, w.clock[0].free_loan) == (2, k)
    assert (w.loans[other].status, w.loans[other].principal, w.loans[other].coins) == (LoanStatus.PERFORMING, 30.0, 5.0)


def test_a_loan_paid_out_moves_cash_to_the_borrower_who_owes_it():
    w = small_world()
    lender, op = w.lenders[0], w.operators[0]
    lender.cash, lender.book, op.cash, op.debt = 100.0, 7.0, 3.0, 11.0
    w.book[Flow.LOAN_DRAW] = 5.0
    before = cash_of(w)
    pay_out_loan(lender, op, 40.0, w.book)
    assert (lender.cash, lender.book) == (60.0, 47.0)
    assert (op.cash, op.debt) == (43.0, 51.0)
    assert w.book[Flow.LOAN_DRAW] == 45.0
    w.book[Flow.LOAN_DRAW] -= 5.0
    assert [after - was for after, was in zip(cash_of(w), before, strict=True)] == pytest.approx(explained(w))


def owing(**loan: float):
    """A loan of 100, 6 of it interest; its lender has 7 in cash, its borrower 50."""
    w = small_world()
    k = add_loan(w, usd=100.0, **{"interest": 6.0, "unpaid": 30.0, **loan})
    w.lenders[0].cash, w.operators[0].cash = 7.0, 50.0
    w.lenders[0].book += 200.0
    w.operators[0].debt += 300.0
    w.clock[0].btc = 10.0
    return w, w.loans[k], w.operators[0], w.lenders[0]


def test_a_payment_goes_from_the_borrower_to_the_lender_interest_first():
    w, loan, op, lender = owing()
    w.book[Flow.INTEREST], w.book[Flow.PRINCIPAL] = 2.0, 3.0
    pay_loan(loan, 20.0, op, lender, w.book)
    assert (loan.principal, loan.interest, loan.unpaid) == (80.0, 0.0, 10.0)
    assert (op.cash, op.debt) == (30.0, 380.0)
    assert (lender.cash, lender.book) == (27.0, 280.0)
    # 20 is 6 of interest and 14 of principal.
    assert (w.book[Flow.INTEREST], w.book[Flow.PRINCIPAL]) == (2.0 + 6.0, 3.0 + 14.0)


def test_a_payment_below_the_interest_is_all_interest():
    w, loan, op, lender = owing()
    pay_loan(loan, 4.0, op, lender, w.book)
    assert (loan.principal, loan.interest, loan.unpaid) == (96.0, 2.0, 26.0)
    assert (w.book[Flow.INTEREST], w.book[Flow.PRINCIPAL]) == (4.0, 0.0)


def test_a_payment_beyond_what_was_due_repays_principal_early():
    w, loan, op, lender = owing()
    pay_loan(loan, 45.0, op, lender, w.book)
    assert (loan.principal, loan.unpaid) == (55.0, 0.0)


def test_no_lender_takes_more_than_its_claim():
    w, loan, op, lender = owing()
    op.cash = 500.0
    pay_loan(loan, 120.0, op, lender, w.book)
    assert (loan.principal, op.cash, lender.cash) == (0.0, 400.0, 107.0)
    assert (op.debt, lender.book) == (300.0, 200.0)


def test_rounding_leaves_no_negative_cash():
    w, loan, op, lender = owing()
    op.cash = 20.0 - 1e-9
    pay_loan(loan, 20.0, op, lender, w.book)
    assert op.cash == 0.0


def test_a_payment_is_explained_by_the_book():
    w, loan, op, lender = owing()
    before = cash_of(w)
    pay_loan(loan, 20.0, op, lender, w.book)
    assert [after - was for after, was in zip(cash_of(w), before, strict=True)] == pytest.approx(explained(w))


def test_a_lender_sells_pledged_coins_and_keeps_the_proceeds():
    w, loan, op, lender = owing(kind=LoanKind.MARGIN, coins=5.0, recovered=3.0)
    w.book[Flow.COIN_CLOSEOUT] = 1.0
    close_out(loan, op, lender, w.clock[0], w.book, 2.0)
    # Two coins at 10 bring 20; the coin market pays the lender, the borrower's cash is not touched.
    assert (loan.coins, loan.principal, loan.interest, loan.recovered) == (3.0, 80.0, 0.0, 23.0)
    assert loan.unpaid == 30.0
    assert (op.cash, op.debt) == (50.0, 380.0)
    assert (lender.cash, lender.book) == (27.0, 280.0)
    assert w.book[Flow.COIN_CLOSEOUT] == 21.0


def test_coins_worth_more_than_the_claim_are_sold_up_to_the_claim():
    w, loan, op, lender = owing(coins=15.0)
    close_out(loan, op, lender, w.clock[0], w.book, 12.0)
    # The claim of 100 takes ten coins.
    assert (loan.coins, loan.principal, loan.unpaid, loan.recovered) == (5.0, 0.0, 0.0, 100.0)
    assert w.book[Flow.COIN_CLOSEOUT] == 100.0


def test_what_is_unpaid_is_at_most_the_claim_that_a_close_out_leaves():
    w, loan, op, lender = owing(coins=5.0, unpaid=90.0)
    close_out(loan, op, lender, w.clock[0], w.book, 3.0)
    assert (loan.principal, loan.unpaid) == (70.0, 70.0)


def test_proceeds_below_the_interest_leave_the_rest_of_it():
    w, loan, op, lender = owing(coins=5.0, interest=25.0)
    close_out(loan, op, lender, w.clock[0], w.book, 2.0)
    assert (loan.interest, loan.principal) == (5.0, 80.0)


def test_rounding_leaves_no_negative_coins():
    w, loan, op, lender = owing(coins=2.0)
    close_out(loan, op, lender, w.clock[0], w.book, 2.0 + 1e-9)
    assert loan.coins == 0.0


def test_a_close_out_is_explained_by_the_book():
    w, loan, op, lender = owing(coins=5.0)
    before = cash_of(w)
    close_out(loan, op, lender, w.clock[0], w.book, 2.0)
    assert [after - was for after, was in zip(cash_of(w), before, strict=True)] == pytest.approx(explained(w))


@pytest.mark.parametrize(("usd", "taken"), [(40.0, 40.0), (100.0, 100.0), (130.0, 100.0), (0.5, 0.5), (100.5, 100.0)])
def test_what_collateral_brought_meets_the_claim_and_the_surplus_is_the_estates(usd, taken):
    w, loan, op, lender = owing(recovered=3.0)
    clock = w.clock[0]
    clock.recoveries = 11.0
    # The proceeds are in the lender's cash already.
    lender.cash += usd
    before = cash_of(w)
    w.book[Flow.SURPLUS] = 2.0
    recover(loan, usd, op, lender, clock, w.book)
    w.book[Flow.SURPLUS] -= 2.0
    assert (loan.principal, loan.recovered) == (100.0 - taken, 3.0 + taken)
    assert (lender.book, op.debt, clock.recoveries) == (300.0 - taken, 400.0 - taken, 11.0 + taken)
    assert (lender.cash, op.cash) == (7.0 + taken, 50.0 + usd - taken)
    assert [after - was for after, was in zip(cash_of(w), before, strict=True)] == pytest.approx(explained(w))
