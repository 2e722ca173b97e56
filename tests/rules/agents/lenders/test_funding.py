"""How a lender pays for its funding, keeps liquid and capitalised, and gives back what it does not need."""

from __future__ import annotations

import numpy as np
import pytest

from agents.lenders.funding import (
    count_deliveries,
    draw_lines,
    fund_lender,
    fund_lenders,
    pay_funding,
    pay_lines,
    pay_premium,
    set_capital,
)
from agents.tables.ledger import Flow
from agents.tables.lenders import LenderKind, LenderStatus
from tests.rules.worlds import BEFORE, booked, paid_in_full, put, small_world

#: No payments but those that an example is about.
QUIET = {
    "funding_deposit_rate": 0.0,
    "market_holding_cost": 0.0,
    "funding_delivery_buffer": 1.2,
    "funding_liquidity": 0.0,
    "funding_cash_share": 0.5,
    "funding_haircut": 0.25,
    "funding_calm_rise": 0.2,
    "funding_inflow": 0.25,
    "funding_return_share": 0.5,
    "funding_return_capital": 2.0,
    "funding_equity_speed": 0.0,
    "funding_payout_first_month": 99,
    "policy_insurance_coverage": 0.0,
    "policy_ltv_slope": 0.0,
    "policy_disclosure": 0.0,
}


def world(*, lenders: int = 1, lines: tuple[tuple[int, int], ...] = (), **terms: float):
    """Return a world of sound lenders in calm times."""
    w = small_world(lenders=lenders, lines=lines, terms=QUIET | terms)
    w.clock[0].haircut = 0.25
    w.lenders.capital_ratio[:] = 0.15
    w.book[:] = BEFORE
    return w


# --- what funding costs ------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("cash", "interest", "holding"),
    [
        (100.0, 6.0, 4.0),  # a twelfth of 6 % on 1200; 2 % of 200
        (7.0, 6.0, 1.0),  # interest first, as far as cash goes
        (5.0, 5.0, 0.0),
    ],
)
def test_a_lender_pays_interest_on_deposits_and_then_for_the_storage_of_seized_hardware_that_stands_idle(
    cash, interest, holding
):
    w = world(funding_deposit_rate=0.06, market_holding_cost=0.02)
    lender = put(w.lenders[0], cash=cash, deposits=1200.0, seized_value=700.0, idle_value=200.0)
    with paid_in_full(w):
        pay_funding(w, lender, w.clock[0])
    assert lender.cash == pytest.approx(cash - interest - holding)
    assert lender.deposits == 1200.0
    expected = {Flow.DEPOSIT_INTEREST: interest, Flow.HOLDING: holding}
    assert booked(w) == pytest.approx({item: usd for item, usd in expected.items() if usd > 0.0})


def test_debtors_pay_interest_on_their_lines_as_far_as_their_cash_goes():
    # 9 % a year over the base rate of 3 %: a hundredth a month.
    w = world(lenders=4, lines=((0, 1), (0, 2), (3, 2)), credit_base_rate=0.03, funding_line_spread=0.09)
    w.lines.drawn[:] = 500.0, 300.0, 0.5
    w.lenders.cash[:4] = 7.0, 20.0, 40.0, 60.0
    with paid_in_full(w):
        pay_lines(w, w.clock[0])
    # Lender 0 owes 5 and 3, but has 7; lender 3 owes half a cent.
    assert w.lenders.cash[:4].tolist() == pytest.approx([0.0, 25.0, 42.005, 59.995])
    assert booked(w) == pytest.approx({Flow.LINE_INTEREST: 7.005})
    assert w.lines.drawn.tolist() == [500.0, 300.0, 0.5]


def test_a_line_that_is_not_drawn_costs_nothing_and_the_next_one_is_paid():
    w = world(lenders=3, lines=((0, 1), (0, 2)), credit_base_rate=0.03, funding_line_spread=0.09)
    w.lines[1].drawn = 200.0
    w.lenders.cash[:3] = 50.0, 10.0, 20.0
    pay_lines(w, w.clock[0])
    assert w.lenders.cash[:3].tolist() == pytest.approx([48.0, 10.0, 22.0])


@pytest.mark.parametrize(
    ("debtor", "creditor", "opens"),
    [
        # Targets of 0.5 and 0.25, health 0.75: from capital ratios of 0.375 and 0.1875.
        ({"capital_ratio": 0.4}, {"capital_ratio": 0.2}, 1),
        ({"capital_ratio": 0.375}, {"capital_ratio": 0.1875}, 1),
        ({"capital_ratio": 0.374}, {"capital_ratio": 0.2}, 0),
        ({"capital_ratio": 0.4}, {"capital_ratio": 0.187}, 0),
        ({"status": LenderStatus.ILLIQUID}, {}, 0),
        ({"status": LenderStatus.FAILED}, {}, 0),
        ({}, {"status": LenderStatus.ILLIQUID}, 0),
        ({}, {"status": LenderStatus.FAILED}, 0),
        ({}, {"kind": LenderKind.OUTSIDE}, 0),
    ],
)
@pytest.mark.parametrize("drawn", [100.0, 0.0])
def test_a_closed_line_opens_again_when_both_sides_are_sound_repaid_or_not(debtor, creditor, opens, drawn):
    w = world(lenders=2, lines=((0, 1),), funding_line_health=0.75)
    put(w.lines[0], drawn=drawn, open=0)
    put(w.lenders[0], **{"cash": 50.0, "capital_target": 0.5, "capital_ratio": 0.4} | debtor)
    put(w.lenders[1], **{"capital_target": 0.25, "capital_ratio": 0.2} | creditor)
    pay_lines(w, w.clock[0])
    assert w.lines[0].open == opens


def test_an_open_line_is_not_closed_when_interest_is_paid():
    w = world(lenders=2, lines=((0, 1),), funding_line_health=0.75)
    w.lines[0].drawn = 100.0
    w.lenders.capital_ratio[:] = 0.01
    pay_lines(w, w.clock[0])
    assert w.lines[0].open == 1


@pytest.mark.parametrize(
    ("coverage", "capacity", "cash", "usd"),
    [
        (0.5, 0.7, 50.0, 2.0),  # a twelfth of 6 % on a book of 400
        (0.5, 1e9, 1.5, 1.5),
        (0.0, 1e9, 50.0, 0.0),
        (0.5, 0.0, 50.0, 0.0),  # who cannot pay out insures nothing
    ],
)
def test_insurance_of_residual_values_costs_a_premium_on_the_book(coverage, capacity, cash, usd):
    w = world(policy_insurance_coverage=coverage, policy_insurance_premium=0.06, policy_insurance_capacity=capacity)
    lender = put(w.lenders[0], cash=cash, book=400.0)
    with paid_in_full(w):
        pay_premium(w, lender, w.terms[0])
    assert lender.cash == pytest.approx(cash - usd)
    assert booked(w) == pytest.approx({Flow.INSURANCE_PREMIUM: usd} if usd else {})


# --- drawing on lines --------------------------------------------------------------------------------------------
def debtor_of(n: int, **terms: float):
    """Lender 0 may draw on lines of 1000 from lenders 1 to n, rich all; the last line is another lender's."""
    w = world(lenders=n + 1, lines=(*((0, k) for k in range(1, n + 1)), (n, 0)), **terms)
    w.lines.limit[:] = 1000.0
    w.lenders.cash[: n + 1] = 4000.0
    return w, put(w.lenders[0], cash=10.0, eligible=9000.0)


def drawn(w) -> list[float]:
    """Return what is drawn on each line of lender 0 (USD); nobody else may have drawn."""
    assert w.lines[-1].drawn == 0.0
    return w.lines.drawn[:-1].tolist()


def test_lines_are_drawn_one_after_another_up_to_limit_and_creditors_cash_until_the_need_is_met():
    w, lender = debtor_of(4)
    lender.borrowed = 20.0
    put(w.lines[0], limit=50.0, drawn=20.0)
    w.lenders[2].cash = 80.0
    put(w.lenders[3], cash=300.0, lent_lines=5.0)
    with paid_in_full(w):
        draw_lines(w, 0, lender, 100.0, 0.25)
    # 30 to the limit of the first, half of 80 from the second creditor, the rest of the 100 from the third.
    assert drawn(w) == pytest.approx([20.0 + 30.0, 40.0, 30.0, 0.0])
    assert (lender.cash, lender.borrowed) == (110.0, 120.0)
    assert w.lenders.cash[1:5].tolist() == [3970.0, 40.0, 270.0, 4000.0]
    assert w.lenders.lent_lines[1:5].tolist() == [30.0, 40.0, 35.0, 0.0]
    assert booked(w) == {Flow.LINE_DRAW: 100.0}


@pytest.mark.parametrize(
    ("eligible", "borrowed", "committed", "usd"),
    [
        # Needs 100. Haircut 0.25.
        (400.0, 40.0, 0.0, 100.0),
        (100.0, 40.0, 0.0, 35.0),  # 0.75 x 100 - 40
        (100.0, 40.0, 20.0, 50.0),  # and 0.75 x 20 of the loans that the money is for
        (40.0, 40.0, 200.0, 75.0),  # no more of these than the need; what is borrowed beyond the base is not drawn anew
        (40.0, 40.0, 0.0, 0.0),
    ],
)
def test_a_lender_draws_against_eligible_claims_and_loans_to_come_less_a_haircut(eligible, borrowed, committed, usd):
    w, lender = debtor_of(1)
    put(lender, eligible=eligible, borrowed=borrowed, committed=committed)
    draw_lines(w, 0, lender, 100.0, 0.25)
    assert drawn(w) == pytest.approx([usd])
    assert lender.cash == pytest.approx(10.0 + usd)


def test_the_borrowing_base_is_used_once():
    w, lender = debtor_of(2)
    lender.eligible = 100.0
    w.lines[0].limit = 55.0
    draw_lines(w, 0, lender, 400.0, 0.25)
    assert drawn(w) == pytest.approx([55.0, 20.0])


@pytest.mark.parametrize(
    ("line", "creditor"),
    [
        ({"open": 0}, {}),
        ({"limit": 30.0, "drawn": 40.0}, {}),  # drawn beyond a limit that was cut: nothing is paid back here
        ({}, {"status": LenderStatus.ILLIQUID}),
        ({}, {"status": LenderStatus.FAILED}),
        ({}, {"capital_ratio": 0.079}),
        ({}, {"cash": 0.0}),
        ({}, {"cash": -8.0}),
    ],
)
def test_a_line_that_gives_nothing_is_passed_over(line, creditor):
    w, lender = debtor_of(2)
    put(w.lines[0], **line)
    put(w.lenders[1], **{"capital_minimum": 0.08} | creditor)
    before = w.lines[0].drawn
    draw_lines(w, 0, lender, 100.0, 0.25)
    assert drawn(w) == [before, 100.0]
    assert lender.cash == 110.0


def test_a_creditor_at_its_minimum_of_capital_lends():
    w, lender = debtor_of(2)
    put(w.lenders[1], capital_minimum=0.08, capital_ratio=0.08)
    draw_lines(w, 0, lender, 100.0, 0.25)
    assert drawn(w) == [100.0, 0.0]


def test_a_small_need_is_met():
    w, lender = debtor_of(1)
    draw_lines(w, 0, lender, 0.5, 0.25)
    assert drawn(w) == [0.5]


# --- raising and giving back -------------------------------------------------------------------------------------
def sound_lender(w, **columns: float):
    """Lender 0 with 60 in cash and 580 of assets that its equity of 100 lets grow to 1000; it owes depositors 400."""
    usual = {
        "cash": 60.0, "book": 500.0, "allowance": 20.0, "lent_lines": 30.0, "seized_claim": 10.0,
        "deposits": 400.0, "equity": 100.0, "capital_target": 0.1, "capital_minimum": 0.08,
    }  # fmt: skip
    return put(w.lenders[0], **usual | columns)


def fund(w, lender, due: float = 0.0) -> None:
    """Carry out ``fund_lender`` and check the books."""
    with paid_in_full(w):
        fund_lender(w, w.clock[0], 0, lender, 0.25, due)


@pytest.mark.parametrize(
    ("due", "runnable", "borrowed", "cash", "need"),
    [
        (100.0, 0.0, 0.0, 60.0, 60.0),  # 1.2 x 100 for deliveries
        (100.0, 0.5, 0.0, 60.0, 80.0),  # and a tenth of what depositors may take
        (100.0, 0.5, 300.0, 110.0, 60.0),  # and of what is borrowed: 120 + 20 + 30
        (50.0, 0.0, 0.0, 59.5, 0.5),
        (50.0, 0.0, 0.0, 60.0, 0.0),
    ],
)
def test_a_lender_wants_cash_for_deliveries_and_a_share_of_what_can_be_withdrawn(due, runnable, borrowed, cash, need):
    w = world(funding_liquidity=0.1)
    lender = sound_lender(w, runnable=runnable, borrowed=borrowed, cash=cash)
    fund(w, lender, due)
    assert lender.cash == pytest.approx(cash + need)
    assert lender.deposits == pytest.approx(400.0 + need)
    assert booked(w) == pytest.approx({Flow.DEPOSIT_IN: need} if need else {})


@pytest.mark.parametrize(
    ("columns", "inflow"),
    [
        # Wants 1.2 x 150 = 180, has 60, so that it needs 120.
        ({"deposits": 800.0}, 120.0),
        ({}, 100.0),  # a quarter of its deposits come
        ({"equity": 440.0}, 110.0),  # or of its equity, where that is more
        ({"book": 880.0}, 40.0),  # assets of 960: its equity lets it grow by 40
        ({"book": 1200.0}, 0.0),  # and not shrink
    ],
)
def test_new_deposits_come_up_to_the_need_the_growth_of_funding_and_what_equity_carries(columns, inflow):
    w = world()
    lender = sound_lender(w, **columns)
    deposits = lender.deposits
    fund(w, lender, 150.0)
    assert lender.cash == pytest.approx(60.0 + inflow)
    assert lender.deposits == pytest.approx(deposits + inflow)
    assert booked(w) == pytest.approx({Flow.DEPOSIT_IN: inflow} if inflow else {})


def test_a_lender_wants_no_more_cash_than_it_has_assets_and_commitments():
    w = world()
    # Deliveries of 500; 20 in cash, claims of 15 less 5, lines of 6 and hardware of 4: 40, and 30 committed.
    lender = sound_lender(w, cash=20.0, book=15.0, allowance=5.0, lent_lines=6.0, seized_claim=4.0, committed=30.0)
    fund(w, lender, 500.0)
    assert lender.cash == pytest.approx(70.0)


@pytest.mark.parametrize(
    ("capital_ratio", "rise", "inflow"),
    [(0.081, 0.19, 60.0), (0.08, 0.19, 0.0), (0.081, 0.2, 0.0), (0.081, 0.5, 0.0), (0.05, 0.0, 0.0)],
)
def test_deposits_come_only_to_the_sound_and_in_calm_times(capital_ratio, rise, inflow):
    w = world()
    w.clock[0].haircut = 0.25 + rise
    lender = sound_lender(w, capital_ratio=capital_ratio)
    fund(w, lender, 100.0)
    assert lender.deposits == pytest.approx(400.0 + inflow)


@pytest.mark.parametrize(("rise", "inflow"), [(0.0, 35.0), (0.3, 0.0)])
def test_lines_are_drawn_before_deposits_are_raised_and_in_bad_times_too(rise, inflow):
    w, lender = debtor_of(2)
    w.clock[0].haircut = 0.25 + rise
    sound_lender(w, eligible=1000.0)
    w.lines.limit[:2] = 15.0, 10.0
    fund(w, lender, 100.0)
    # Wants 120, has 60; the lines give 25.
    assert drawn(w) == [15.0, 10.0]
    assert (lender.cash, lender.deposits) == (pytest.approx(60.0 + 25.0 + inflow), pytest.approx(400.0 + inflow))


def test_the_haircut_that_a_lender_is_given_limits_what_it_draws():
    w, lender = debtor_of(1)
    w.clock[0].haircut = 0.4
    sound_lender(w, eligible=40.0, capital_ratio=0.0)
    fund(w, lender, 100.0)  # at a haircut of 0.25
    assert drawn(w) == [30.0]


@pytest.mark.parametrize(
    ("cash", "first", "second", "deposits"),
    [
        # Wants 120; half of what is above it goes back: to its lines of 60 and 50, then to depositors.
        (420.0, 60.0, 50.0, 40.0),
        (280.0, 60.0, 20.0, 0.0),
        (200.0, 40.0, 0.0, 0.0),
        (123.0, 1.5, 0.0, 0.0),
        (122.0, 0.0, 0.0, 1.0),  # a line is not repaid by a dollar
        (120.0, 0.0, 0.0, 0.0),
    ],
)
def test_a_part_of_excess_cash_repays_lines_and_then_deposits(cash, first, second, deposits):
    w = world(lenders=3, lines=((0, 1), (0, 2), (1, 2)))
    w.lines.drawn[:] = 60.0, 50.0, 70.0
    lender = sound_lender(w, cash=cash, borrowed=110.0)
    fund(w, lender, 100.0)
    assert w.lines.drawn.tolist() == pytest.approx([60.0 - first, 50.0 - second, 70.0])
    assert w.lenders.cash[1:3].tolist() == pytest.approx([first, second])
    assert lender.cash == pytest.approx(cash - first - second - deposits)
    assert (lender.deposits, lender.borrowed) == pytest.approx((400.0 - deposits, 110.0 - first - second))
    repaid = {Flow.LINE_REPAID: first + second, Flow.DEPOSIT_OUT: deposits}
    assert booked(w) == pytest.approx({item: usd for item, usd in repaid.items() if usd})


@pytest.mark.parametrize(
    ("columns", "usd"),
    [
        ({"deposits": 90.0}, 90.0),  # no more than there are
        ({"capital_ratio": 0.199}, 150.0),
        ({"capital_ratio": 0.2}, 0.0),  # twice its target: it does not need to shrink
        ({"capital_ratio": 0.01}, 150.0),
    ],
)
def test_deposits_are_given_back_while_capital_is_below_twice_its_target(columns, usd):
    w = world()
    lender = sound_lender(w, cash=420.0, **columns)
    deposits = lender.deposits
    fund(w, lender, 100.0)
    assert (lender.cash, lender.deposits) == pytest.approx((420.0 - usd, deposits - usd))


def test_a_line_of_which_little_is_drawn_is_repaid_too():
    w = world(lenders=2, lines=((0, 1),))
    w.lines[0].drawn = 0.5
    fund(w, sound_lender(w, cash=420.0, borrowed=0.5), 100.0)
    assert w.lines[0].drawn == 0.0


@pytest.mark.parametrize(("rise", "raised"), [(0.0, 10.0), (0.2, 0.0)])
def test_a_lender_raises_equity_after_its_funding_if_times_are_calm(rise, raised):
    w = world(funding_equity_speed=0.1)
    w.clock[0].haircut = 0.25 + rise
    lender = sound_lender(w, committed=2000.0)
    fund(w, lender, 50.0)
    assert lender.equity == pytest.approx(100.0 + raised)


# --- equity ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("equity", "calm", "raised"),
    [
        # A tenth of 100 + 500 - 20 + 30 + 10 in assets and of 180 committed: it aims at 80.
        (60.0, True, 6.0),  # a tenth of its equity a month
        (79.0, True, 1.0),  # no more than it lacks
        (80.0, True, 0.0),
        (85.0, True, 0.0),
        (60.0, False, 0.0),
        (-5.0, True, 0.0),  # nobody buys into a hole
    ],
)
def test_equity_that_is_short_is_raised_by_degrees_in_calm_times(equity, calm, raised):
    w = world(funding_equity_speed=0.1)
    lender = sound_lender(w, cash=100.0, committed=180.0, equity=equity)
    with paid_in_full(w):
        set_capital(w, w.clock[0], lender, w.terms[0], calm)
    assert (lender.equity, lender.cash) == pytest.approx((equity + raised, 100.0 + raised))
    assert booked(w) == pytest.approx({Flow.LENDER_EQUITY_IN: raised} if raised else {})


@pytest.mark.parametrize(
    ("equity", "cash", "month", "paid"),
    [
        # It aims at 80 and pays out of what is above 1.25 x 80 = 100: half of it a year.
        (148.0, 100.0, 12, 2.0),
        (148.0, 100.0, 30, 2.0),
        (148.0, 100.0, 11, 0.0),
        (148.0, 3.0, 12, 1.5),  # at most half its cash
        (100.0, 100.0, 12, 0.0),
        (90.0, 100.0, 12, 0.0),
        (70.0, 100.0, 12, 0.0),
    ],
)
@pytest.mark.parametrize("calm", [True, False])
def test_equity_above_need_is_paid_out_by_degrees(equity, cash, month, paid, calm):
    w = world(funding_payout=0.5, funding_payout_threshold=1.25, funding_payout_first_month=12)
    w.clock[0].month = month
    lender = sound_lender(w, cash=cash, book=600.0 - cash, committed=180.0, equity=equity)
    with paid_in_full(w):
        set_capital(w, w.clock[0], lender, w.terms[0], calm)
    assert (lender.equity, lender.cash) == pytest.approx((equity - paid, cash - paid))
    assert booked(w) == pytest.approx({Flow.LENDER_PAYOUT: paid} if paid else {})


# --- the round of all lenders ------------------------------------------------------------------------------------
def commit(w, k: int, *, operator: int = 0, lender: int = 0, units: float, advance: float, due: int) -> None:
    """Write a purchase commitment to a row."""
    put(w.orders[k], operator=operator, lender=lender, units=units, advance=advance, due=due)
    w.clock[0].used_orders = max(w.clock[0].used_orders, k + 1)


def test_what_falls_due_next_month_is_counted_by_lender():
    w = world(lenders=3)
    w.clock[0].month = 5
    commit(w, 0, units=2.0, advance=30.0, due=6)
    commit(w, 1, units=3.0, advance=10.0, due=4)  # late
    commit(w, 2, units=5.0, advance=100.0, due=7)  # not yet
    commit(w, 3, lender=2, units=4.0, advance=5.0, due=6)
    commit(w, 4, lender=-1, units=7.0, advance=11.0, due=6)  # nobody lends
    commit(w, 5, operator=-1, units=13.0, advance=17.0, due=6)  # a free row
    commit(w, 6, lender=2, units=3.0, advance=2.0, due=6)
    commit(w, 7, units=99.0, advance=99.0, due=6)
    w.clock[0].used_orders = 7
    due = np.full(4, 55.0)
    count_deliveries(w, w.clock[0], due)
    assert due.tolist() == [2 * 30 + 3 * 10, 0.0, 4 * 5 + 3 * 2, 0.0]


def test_each_lender_still_alive_funds_itself_and_failed_ones_are_passed_over():
    w = world(lenders=3, funding_deposit_rate=0.06)
    w.lenders.deposits[:3] = 1200.0, 2400.0, 3600.0
    w.lenders.cash[:3] = 100.0, 200.0, 300.0
    w.lenders.equity[:3] = w.lenders.book[:3] = 3000.0
    w.lenders.capital_ratio[:3] = 0.9  # so that nothing is given back
    w.lenders.losses_month[:3] = 10.0
    w.lenders.status[:3] = LenderStatus.ILLIQUID, LenderStatus.FAILED, LenderStatus.ACTIVE
    commit(w, 0, lender=2, units=10.0, advance=40.0, due=1)
    with paid_in_full(w):
        fund_lenders(w, w.clock[0])
    # Interest of 6 and 18; the last lender raises the 1.2 x 400 - 282 that its deliveries lack.
    assert w.lenders.cash[:3].tolist() == pytest.approx([94.0, 200.0, 480.0])
    assert w.lenders.deposits[:3].tolist() == pytest.approx([1200.0, 2400.0, 3600.0 + 198.0])
    assert w.lenders.status[:3].tolist() == [LenderStatus.ACTIVE, LenderStatus.FAILED, LenderStatus.ACTIVE]
    assert w.lenders.losses_year[:3].tolist() == [10.0, 0.0, 10.0]
    assert booked(w) == pytest.approx({Flow.DEPOSIT_INTEREST: 24.0, Flow.DEPOSIT_IN: 198.0})


def test_lines_are_drawn_at_the_haircut_of_the_month():
    w, lender = debtor_of(1)
    w.clock[0].haircut = 0.4
    put(lender, cash=0.0, eligible=50.0, book=900.0, capital_ratio=0.0)
    commit(w, 0, lender=0, units=10.0, advance=40.0, due=1)
    fund_lenders(w, w.clock[0])
    assert drawn(w) == pytest.approx([30.0])


def test_outside_investors_pay_out_what_they_receive_and_put_in_what_they_pay():
    for cash in (80.0, -30.0):
        w = world(lenders=1)
        outside = put(w.lenders[1], cash=cash, losses_month=5.0, max_ltv=0.5, advance_rate=0.3)
        with paid_in_full(w):
            fund_lenders(w, w.clock[0])
        assert outside.cash == 0.0
        assert booked(w) == {Flow.LENDER_PAYOUT: cash}
        assert (outside.losses_year, outside.advance_rate) == (0.0, 0.3)


@pytest.mark.parametrize(("month", "year"), [(7.0, 117.0), (0.5, 110.5), (-20.0, 90.0), (-110.5, 0.0)])
def test_losses_of_a_year_fade_by_a_twelfth_a_month_and_what_was_provided_too_much_comes_back(month, year):
    w = world()
    put(w.lenders[0], losses_year=120.0, losses_month=month)
    fund_lenders(w, w.clock[0])
    assert w.lenders[0].losses_year == pytest.approx(year)
    assert w.lenders[0].losses_month == 0.0


def test_the_advance_rate_falls_with_losses_the_haircut_and_policy():
    w = world(policy_disclosure=0.5, policy_insurance_coverage=0.5, policy_insurance_premium=0.12)
    w.clock[0].month, w.clock[0].haircut = 1, 0.35
    w.panel[0].largest_executable_ltv = 2.0
    lender = put(w.lenders[0], cash=500.0, book=300.0, losses_month=100.0, rationing=0.4, max_ltv=0.8)
    fund_lenders(w, w.clock[0])
    # Losses of 100 of 400 cut 0.4 x 0.25, the haircut 0.35 - 0.25; the policy takes a quarter: 0.5 x (1 - 1/2).
    assert lender.advance_rate == pytest.approx(0.75 * 0.8 * (1.0 - 0.1 - 0.1))
    # The premium: a hundredth of the book.
    assert booked(w) == pytest.approx({Flow.INSURANCE_PREMIUM: 3.0})
    assert lender.cash == pytest.approx(497.0)
