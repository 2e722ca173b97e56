"""How a miner borrows on its coins: coin loans, convertible notes."""

from __future__ import annotations

import pytest

from agents.miners.notes import coin_lender, coin_loan, issue_notes, pledge_coins
from agents.tables.clock import Fault
from agents.tables.ledger import Flow
from agents.tables.lenders import LenderKind, LenderStatus
from agents.tables.loans import LoanKind, LoanStatus
from agents.tables.operators import OperatorKind, OperatorStatus
from tests.rules.worlds import cash_of, explained, small_world


# --- coin loans ------------------------------------------------------------------------------------------------
def coin_lenders(*lenders: tuple[int, int], **terms: float):
    """Return a world of lenders (kind, status), each with 1,000 of cash and capital for more; operator 1 owns 100 BTC.

    Half of the coins may be pledged, at 10 USD and an LTV of 0.4: loans up to 50 x 10 x 0.4 = 200.
    """
    w = small_world(
        lenders=len(lenders),
        operators=2,
        terms={
            "miners_pledge": 0.5,
            "notes_margin_ltv": 0.4,
            "notes_margin_minimum": 20.0,
            "notes_margin_term": 12,
            "notes_margin_spread": 0.05,
            "credit_base_rate": 0.03,
            "funding_cash_share": 0.5,
            "funding_growth_limit": 1.0,
            **terms,
        },
    )
    clock = w.clock[0]
    clock.btc, clock.month = 10.0, 7
    for row, (kind, status) in zip(w.lenders, lenders, strict=False):
        row.kind, row.status = kind, status
        row.cash, row.equity, row.capital_ratio = 1000.0, 1000.0, 0.5
    w.operators[1].btc = 100.0
    return w


CRYPTO = (LenderKind.CRYPTO_LENDER, LenderStatus.ACTIVE)
BANK = (LenderKind.BANK, LenderStatus.ACTIVE)


def pays(w, rule, *arguments):
    """Carry a rule out on a month's open book and check that what it adds explains every change of cash."""
    before = cash_of(w)
    w.book[:] += 7.0
    result = rule(w, w.clock[0], *arguments)
    w.book[:] -= 7.0
    assert [after - b for after, b in zip(cash_of(w), before, strict=True)] == pytest.approx(explained(w))
    return result


def pledge(w, need: float = 500.0) -> float:
    """Let operator 1 borrow what it can on its coins; return the loan (USD)."""
    j = coin_lender(w, w.clock[0])
    if j < 0:
        return 0.0
    usd = coin_loan(w.lenders[j], w.operators[1], w.clock[0], w.terms[0], need)
    if usd > 0.0:
        pays(w, pledge_coins, 1, w.operators[1], j, usd)
    return usd


def untouched(w) -> bool:
    return (
        w.operators[1].btc == 100.0
        and w.operators[1].cash == w.operators[1].debt == w.clock[0].new_notes == 0.0
        and not w.loans.principal.any()
        and not w.lenders.lent_month.any()
    )


def test_a_coin_loan_is_paid_out_against_coins_that_leave_the_treasury():
    w = coin_lenders(CRYPTO)
    lender, op = w.lenders[0], w.operators[1]
    lender.lent_month, w.clock[0].new_notes = 3.0, 4.0
    assert pledge(w) == pytest.approx(200.0)
    loan = w.loans[0]
    assert (loan.kind, loan.status, loan.lender, loan.borrower) == (LoanKind.MARGIN, LoanStatus.PERFORMING, 0, 1)
    assert (loan.principal, loan.amortisation, loan.maturity) == (pytest.approx(200.0), 0.0, 7 + 12)
    assert loan.rate == pytest.approx(0.03 + 0.05)
    # 200 USD at an LTV of 0.4 need 500 USD of coins: 50 of the 100.
    assert (loan.coins, op.btc) == pytest.approx((50.0, 50.0))
    assert (op.cash, op.debt) == pytest.approx((200.0, 200.0))
    assert (lender.cash, lender.book, lender.lent_month) == pytest.approx((800.0, 200.0, 203.0))
    assert w.book[Flow.LOAN_DRAW] == pytest.approx(200.0)
    assert w.clock[0].new_notes == pytest.approx(204.0)


@pytest.mark.parametrize(
    ("need", "lender", "usd"),
    [
        (500.0, {}, 200.0),  # the coins
        (80.0, {}, 80.0),  # the need
        (500.0, {"book": 9940.0}, 60.0),  # capital: 1,000 / 0.1 less the book
        (500.0, {"cash": 100.0}, 50.0),  # half of the lender's cash
        (20.0, {}, 20.0),  # just the smallest loan
        (19.9, {}, 0.0),  # less than that
        (500.0, {"cash": 39.8}, 0.0),  # half of it is below the smallest loan
    ],
)
def test_a_coin_loan_is_limited_by_coins_need_capital_and_cash_and_has_a_least_size(need, lender, usd):
    w = coin_lenders(CRYPTO)
    for name, value in lender.items():
        setattr(w.lenders[0], name, value)
    assert pledge(w, need) == pytest.approx(usd)
    assert w.operators[1].btc == pytest.approx(100.0 - usd / (0.4 * 10.0))
    assert w.operators[1].cash == pytest.approx(usd)
    assert usd > 0.0 or untouched(w)


@pytest.mark.parametrize(
    ("lenders", "asked"),
    [
        ((CRYPTO, CRYPTO), 1),  # the last stands first
        ((CRYPTO, (LenderKind.CRYPTO_LENDER, LenderStatus.FAILED)), 0),
        ((CRYPTO, (LenderKind.CRYPTO_LENDER, LenderStatus.ILLIQUID)), 0),
        ((BANK, CRYPTO, BANK), 1),
        ((CRYPTO, BANK, BANK), 0),
    ],
)
def test_the_last_sound_crypto_lender_is_asked(lenders, asked):
    w = coin_lenders(*lenders)
    assert pledge(w) == pytest.approx(200.0)
    assert w.loans[0].lender == asked
    assert [row.book for row in w.lenders] == pytest.approx(
        [200.0 if j == asked else 0.0 for j in range(len(w.lenders))]
    )


@pytest.mark.parametrize("lenders", [(BANK,), ((LenderKind.CRYPTO_LENDER, LenderStatus.FAILED),)])
def test_nobody_but_a_sound_crypto_lender_takes_coins(lenders):
    assert coin_lender(coin_lenders(*lenders), coin_lenders(*lenders).clock[0]) == -1


def test_the_first_sound_crypto_lender_decides_also_when_it_has_too_little():
    w = coin_lenders(CRYPTO, CRYPTO)
    w.lenders[1].cash = 10.0
    assert pledge(w) == 0.0
    assert untouched(w)


@pytest.mark.parametrize(("place", "usd"), [(1, 200.0), (0, 0.0)])
def test_a_miner_asks_the_last_64_lenders_and_no_more(place, usd):
    w = coin_lenders(*[CRYPTO if j == place else BANK for j in range(65)])
    assert pledge(w) == pytest.approx(usd)
    assert coin_lender(w, w.clock[0]) == (1 if place == 1 else -1)


def test_no_coins_are_pledged_in_a_bitcoin_stress():
    w = coin_lenders(CRYPTO)
    w.clock[0].stress_coin = 1
    assert coin_lender(w, w.clock[0]) == -1


def test_a_full_loan_table_stops_the_run_before_coins_or_cash_move():
    w = coin_lenders(CRYPTO)
    w.clock[0].free_loan = -1
    pledge(w)
    assert w.clock[0].fault == Fault.LOANS_FULL
    assert untouched(w)
    assert w.loans[-1].coins == 0.0


# --- convertible notes -----------------------------------------------------------------------------------------
def miners(*, operators: int = 1, month: int = 12, **operator: float):
    """Return miners that own coins of 200 + 50 and rigs of 150; with cash of 100 and GPUs of 500 that makes 1,000."""
    w = small_world(
        lenders=2,
        operators=operators,
        terms={
            "notes_first_month": 6,
            "notes_interval": 3,
            "notes_size": 0.5,
            "notes_issue_limit": 0.6,
            "notes_issue_minimum": 50.0,
            "notes_coupon": 0.02,
            "notes_term": 30,
            "notes_coin_share": 0.4,
        },
    )
    clock = w.clock[0]
    clock.month, clock.btc, clock.eth = month, 20.0, 10.0
    for op in w.operators:
        op.kind, op.btc, op.eth, op.rig_value, op.cash, op.gpu_value = (
            OperatorKind.MINER,
            10.0,
            5.0,
            150.0,
            100.0,
            500.0,
        )
        op.debt = 300.0
        for name, value in operator.items():
            setattr(op, name, value)
    return w


def issue(w) -> list[float]:
    """Issue notes and return what each operator owes on them."""
    pays(w, issue_notes)
    return [float(w.loans.principal[w.loans.borrower == o].sum()) for o in range(len(w.operators))]


def test_outside_investors_buy_notes_and_a_part_of_the_proceeds_buys_coins():
    w = miners()
    w.clock[0].new_notes, w.lenders[2].cash = 7.0, 9.0
    # Size: 0.5 x (10 x 20 + 5 x 10 + 150) = 200, below the limit of 0.6 x 1,000 - 300 = 300.
    assert issue(w) == pytest.approx([200.0])
    loan, op, outside = w.loans[0], w.operators[0], w.lenders[2]
    assert (loan.kind, loan.lender, loan.rate, loan.amortisation) == (LoanKind.CONVERTIBLE, 2, 0.02, 0.0)
    assert loan.maturity == 12 + 30
    assert op.debt == pytest.approx(500.0)
    # 0.4 x 200 = 80 USD buy four coins.
    assert (op.cash, op.btc) == pytest.approx((100.0 + 200.0 - 80.0, 10.0 + 4.0))
    assert (outside.cash, outside.book) == pytest.approx((9.0, 200.0))
    assert w.book[Flow.LENDER_EQUITY_IN] == pytest.approx(200.0)
    assert w.book[Flow.LOAN_DRAW] == pytest.approx(200.0)
    assert w.book[Flow.COIN_PURCHASE] == pytest.approx(80.0)
    assert w.clock[0].new_notes == pytest.approx(207.0)


@pytest.mark.parametrize(
    ("operator", "usd"),
    [
        ({"debt": 450.0}, 150.0),  # 0.6 x 1,000 - 450 is less than 200
        ({"debt": 550.0}, 50.0),  # just the smallest issue
        ({"debt": 550.1}, 0.0),
        ({"debt": 900.0}, 0.0),  # beyond the limit
        ({"btc": 0.0, "eth": 0.0, "rig_value": 99.8}, 0.0),  # 0.5 x 99.8 is too small
        ({"btc": 0.0}, 100.0),
        ({"eth": 0.0}, 175.0),
        ({"rig_value": 0.0}, 125.0),
    ],
)
def test_an_issue_is_limited_by_coins_and_rigs_and_by_debt_over_assets_and_has_a_least_size(operator, usd):
    assert issue(miners(**operator)) == pytest.approx([usd])


@pytest.mark.parametrize(
    ("month", "columns", "stress_coin", "issued"),
    [
        (6, {}, 0, True),  # the first month
        (3, {}, 0, False),  # its turn, but too early
        (7, {}, 0, False),  # not its turn
        (12, {}, 1, False),
        (12, {"kind": OperatorKind.NEOCLOUD}, 0, False),
        (12, {"status": OperatorStatus.STRESSED}, 0, False),
        (12, {"status": OperatorStatus.DEFAULTED}, 0, False),
    ],
)
def test_healthy_miners_issue_notes_in_their_turn_and_in_calm_times(month, columns, stress_coin, issued):
    w = miners(month=month, **columns)
    w.clock[0].stress_coin = stress_coin
    assert issue(w) == pytest.approx([200.0 if issued else 0.0])


def test_each_miner_has_its_turn_and_one_that_cannot_issue_does_not_keep_the_next_from_it():
    w = miners(operators=9, month=13)
    w.operators[2].debt = 2000.0
    # 13 + o is a multiple of 3 for operators 2, 5 and 8.
    assert issue(w) == pytest.approx([0.0, 0.0, 0.0, 0.0, 0.0, 200.0, 0.0, 0.0, 200.0])


def test_a_full_loan_table_stops_the_run_before_notes_are_paid():
    w = miners()
    w.clock[0].free_loan = -1
    assert issue(w) == [0.0]
    assert w.clock[0].fault == Fault.LOANS_FULL
    assert (w.operators[0].cash, w.operators[0].debt, w.clock[0].new_notes) == (100.0, 300.0, 0.0)
