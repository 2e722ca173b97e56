"""What happens when an operator defaults: acceleration, seizure, the estate and what it pays."""

from __future__ import annotations

import pytest

from agents.operators.default import (
    accelerate,
    cancel_orders,
    carry_out_defaults,
    declare,
    pay_estates,
    seize,
    seize_lot,
    surrender,
    write_off,
)
from agents.tables.events import Cause, EventKind, SaleReason, log_event
from agents.tables.ledger import Flow
from agents.tables.loans import LoanKind, LoanStatus
from agents.tables.operators import OperatorStatus
from agents.tables.orders import open_order
from tests.rules.worlds import add_loan, add_lot, cash_of, events, explained, operator_node, small_world


def pays(w, rule, *arguments):
    """Carry a rule out on a month's open book and check that what it adds explains every change of cash."""
    before = cash_of(w)
    w.book[:] += 7.0
    result = rule(w, w.clock[0], *arguments)
    w.book[:] -= 7.0
    assert [after - b for after, b in zip(cash_of(w), before, strict=True)] == pytest.approx(explained(w))
    return result


def some_event(w, kind: int = EventKind.DEFAULT) -> int:
    return log_event(w.events, w.clock[0], kind, Cause.NONE, 0, -1, -1, 0.0, 0.0, -1)


def lots_of(w, node: int) -> list[int]:
    found, k = [], w.first_lot[node]
    while k >= 0:
        found.append(k)
        k = w.lots[k].following
    return found


def commit(w, operator: int, lender: int, units: float, cost: float, advance: float) -> int:
    """Order units, ``advance`` USD of the ``cost`` of each from a lender; return the order's row."""
    k = open_order(w.orders, w.clock[0], operator, 0, units, cost, 99)
    w.orders[k].lender, w.orders[k].advance = lender, advance
    return k


# --- declaration -----------------------------------------------------------------------------------------------
def failing(**clock: float):
    """Return a world in which operator 1 fails for cash flow, after a call that is event 1: the default is event 2."""
    w = small_world(lenders=2, operators=2, terms={"credit_bankruptcy_cost": 0.1})
    some_event(w)
    call = some_event(w, EventKind.MARGIN_CALL)
    w.clock[0].month = 9
    w.clock[0].btc, w.clock[0].eth = 10.0, 20.0
    for name, value in clock.items():
        setattr(w.clock[0], name, value)
    op = w.operators[1]
    op.cash, op.btc, op.eth, op.rig_value, op.hashrate = 100.0, 2.0, 3.0, 40.0, 7.0
    op.debt, op.arrears, op.thin_months, op.committed = 500.0, 30.0, 4, 60.0
    op.failing, op.failing_event = 1 + Cause.CASH_FLOW, call
    return w, op


def test_a_default_is_logged_with_its_cause_and_what_triggered_it_and_ends_arrears_and_commitments():
    w, op = failing(debt_defaulted=11.0, news=3, last_shock=0)
    declare(w, w.clock[0], 1, op)
    event = events(w)[2]
    assert (event.kind, event.cause, event.node, event.parent) == (
        EventKind.DEFAULT,
        Cause.CASH_FLOW,
        operator_node(w, 1),
        1,
    )
    assert (event.other, event.chip, event.units, event.usd) == (-1, -1, 0.0, 500.0)
    assert (op.status, op.default_month, op.default_cause) == (OperatorStatus.DEFAULTED, 9, Cause.CASH_FLOW)
    assert (op.exposure, op.last_event) == (500.0, 2)
    assert (op.failing, op.arrears, op.thin_months, op.committed) == (0, 0.0, 0, 0.0)
    assert (w.clock[0].debt_defaulted, w.clock[0].news, w.clock[0].last_shock) == (511.0, 4, 2)
    assert op.debt == 500.0


def test_a_default_is_not_the_shock_of_a_month_in_which_a_forced_sale_marked_prices_down():
    w, op = failing(shock_usd=0.5, last_shock=0)
    declare(w, w.clock[0], 1, op)
    assert w.clock[0].last_shock == 0


def test_coins_and_rigs_go_into_the_estate_less_the_cost_of_bankruptcy():
    w, op = failing()
    pays(w, declare, 1, op)
    # Coins 2 x 10 + 3 x 20 = 80, rigs 40; a tenth of 100 + 80 + 40 = 220 is lost.
    assert op.cash == pytest.approx(198.0)
    assert (op.btc, op.eth, op.rig_value, op.hashrate) == (0.0, 0.0, 0.0, 0.0)
    assert w.book[Flow.COIN_SALE] == pytest.approx(80.0)
    assert w.book[Flow.ASIC_SALE] == pytest.approx(40.0)
    assert w.book[Flow.BANKRUPTCY] == pytest.approx(22.0)


# --- acceleration ----------------------------------------------------------------------------------------------
def in_default(*, lenders: int = 2, operators: int = 2, receivership: float = 0.0, **operator: float):
    """Return a world in which operator 1 defaulted; its default is event 1. Seized hardware is carried off unless said."""
    w = small_world(lenders=lenders, operators=operators, chips=3, terms={"market_receivership": receivership})
    some_event(w)
    op = w.operators[1]
    op.status, op.last_event = OperatorStatus.DEFAULTED, some_event(w)
    w.clock[0].month = 9
    for name, value in operator.items():
        setattr(op, name, value)
    return w, op


@pytest.mark.parametrize("status", [LoanStatus.PERFORMING, LoanStatus.CALLED])
def test_all_loans_of_an_operator_in_default_are_accelerated(status):
    w, _ = in_default()
    stale = {"unpaid": 5.0, "recovered": 6.0, "exposure": 7.0}
    loan = w.loans[add_loan(w, operator=1, usd=80.0, status=status, **stale)]
    accelerate(w, w.clock[0])
    assert (loan.status, loan.last_event) == (LoanStatus.DEFAULTED, 1)
    assert (loan.principal, loan.exposure, loan.unpaid, loan.recovered) == (80.0, 80.0, 0.0, 0.0)


def test_loans_of_others_free_rows_and_claims_defaulted_before_are_left_alone():
    w, _ = in_default()
    stale = {"unpaid": 5.0, "recovered": 6.0, "exposure": 7.0}
    others = [
        add_loan(w, operator=0, **stale),
        add_loan(w, operator=1, status=LoanStatus.FREE, **stale),
        add_loan(w, operator=1, status=LoanStatus.DEFAULTED, **stale),
    ]
    own = add_loan(w, operator=1, **stale)
    status = [w.loans[k].status for k in others]
    accelerate(w, w.clock[0])
    assert [w.loans[k].status for k in others] == status
    assert [w.loans[k].exposure for k in others] == [7.0, 7.0, 7.0]
    assert [w.loans[k].last_event for k in others] == [-1, -1, -1]
    assert w.loans[own].exposure == 100.0


@pytest.mark.parametrize(
    ("principal", "to_lender", "to_estate"),
    [(50.0, 50.0, 70.0), (200.0, 120.0, 0.0)],  # ten pledged coins at 12 USD
)
def test_pledged_coins_are_sold_for_the_lender_and_what_is_left_goes_to_the_estate(principal, to_lender, to_estate):
    w, op = in_default(cash=3.0)
    clock, lender = w.clock[0], w.lenders[0]
    clock.btc, clock.recoveries = 12.0, 4.0
    loan = w.loans[add_loan(w, operator=1, usd=principal, kind=LoanKind.MARGIN, coins=10.0, recovered=9.0)]
    pays(w, accelerate)
    assert (lender.cash, lender.book) == pytest.approx((to_lender, principal - to_lender))
    assert (op.cash, op.debt) == pytest.approx((3.0 + to_estate, principal - to_lender))
    assert (loan.coins, loan.exposure, loan.recovered) == pytest.approx((0.0, principal, to_lender))
    assert loan.principal == pytest.approx(principal - to_lender)
    assert clock.recoveries == pytest.approx(4.0 + to_lender)
    assert w.book[Flow.COIN_CLOSEOUT] == pytest.approx(to_lender)
    assert w.book[Flow.COIN_SALE] == pytest.approx(to_estate)


def test_coins_are_closed_out_for_coin_loans_only():
    w, op = in_default()
    w.clock[0].btc = 12.0
    loan = w.loans[add_loan(w, operator=1, usd=80.0, kind=LoanKind.CONVERTIBLE, coins=10.0)]
    accelerate(w, w.clock[0])
    assert (loan.principal, loan.coins, op.cash) == (80.0, 10.0, 0.0)


# --- seizure ---------------------------------------------------------------------------------------------------
def test_pledged_lots_go_to_their_lenders_and_free_ones_are_sold_for_the_estate_without_reserve():
    w, op = in_default(used_power=50.0, used_liquid=20.0)
    node = operator_node(w, 1)
    mine = add_loan(w, lender=0, operator=1, usd=300.0, last_event=1)
    yours = add_loan(w, lender=1, operator=1, usd=200.0, last_event=1)
    stale = {"contracted": 0.5, "signed": 0.6, "customer": 2, "reserve": 70.0, "offered": 1.0}
    a = add_lot(w, node=node, units=10.0, chip=0, loan=mine, **stale)
    b = add_lot(w, node=node, units=20.0, chip=2, loan=yours, **stale)
    c = add_lot(w, node=node, units=30.0, chip=1, **stale)
    other = add_lot(w, node=operator_node(w, 0), units=40.0, **stale)
    w.lenders[0].seized_units = 5.0
    seize(w, w.clock[0], node, op)

    assert (lots_of(w, 0), lots_of(w, 1), lots_of(w, node)) == ([a], [b], [c])
    assert [w.lots[k].owner for k in (a, b, c, other)] == [0, 1, node, operator_node(w, 0)]
    assert [w.lots[k].reason for k in (a, b, c)] == [SaleReason.SEIZED, SaleReason.SEIZED, SaleReason.ESTATE]
    assert [w.lots[k].offered for k in (a, b, c, other)] == [10.0, 20.0, 30.0, 1.0]
    assert [w.lots[k].asked for k in (a, b, c, other)] == [9, 9, 9, -1]
    assert [w.lots[k].seized for k in (a, b, c, other)] == [9, 9, -1, -1]
    assert [w.lots[k].contracted for k in (a, b, c, other)] == [0.0, 0.0, 0.0, 0.5]
    assert [w.lots[k].signed for k in (a, b, c, other)] == [0.0, 0.0, 0.0, 0.6]
    assert [w.lots[k].customer for k in (a, b, c, other)] == [-1, -1, -1, 2]
    assert [w.lots[k].reserve for k in (c, other)] == [0.0, 70.0]
    assert list(w.lenders.seized_units[:2]) == [15.0, 20.0]
    assert (op.used_power, op.used_liquid, op.selling) == (0.0, 0.0, 1)
    assert [w.lots[k].site for k in (a, b, c, other)] == [-1] * 4

    # Lot b is met first; both seizures were triggered by the default, event 1.
    found = [(e.kind, e.cause, e.node, e.other, e.chip, e.units, e.usd, e.parent) for e in events(w)[2:]]
    assert found == [
        (EventKind.SEIZURE, Cause.NONE, 1, node, 2, 20.0, 200.0, 1),
        (EventKind.SEIZURE, Cause.NONE, 0, node, 0, 10.0, 300.0, 1),
    ]
    assert [w.loans[k].last_event for k in (mine, yours)] == [3, 2]
    assert [w.lots[k].cause for k in (a, b, c)] == [3, 2, 1]


def test_with_receivers_hardware_stays_where_it_stands_and_keeps_its_power():
    w, op = in_default(receivership=0.6, used_power=50.0, used_liquid=20.0)
    node = operator_node(w, 1)
    loan = add_loan(w, lender=0, operator=1, last_event=1)
    seized, own = add_lot(w, node=node, units=10.0, loan=loan), add_lot(w, node=node, units=20.0)
    seize(w, w.clock[0], node, op)
    assert (lots_of(w, 0), lots_of(w, node)) == ([seized], [own])
    assert [w.lots[k].site for k in (seized, own)] == [1, 1]
    assert [w.lots[k].offered for k in (seized, own)] == [10.0, 20.0]
    assert (op.used_power, op.used_liquid) == (50.0, 20.0)


@pytest.mark.parametrize(("liquid", "receivership", "left"), [(0, 0.0, (30.0, 9.0)), (1, 0.0, (30.0, -11.0)), (1, 0.6, (50.0, 9.0))])  # fmt: skip
def test_what_is_carried_off_frees_the_power_that_it_used(liquid, receivership, left):
    w, op = in_default(receivership=receivership, used_power=50.0, used_liquid=9.0)
    w.chips[2].power, w.chips[2].liquid = 2.0, liquid
    k = add_lot(w, node=operator_node(w, 1), units=10.0, chip=2, loan=add_loan(w, operator=1, last_event=1))
    seize_lot(w, w.clock[0], k, operator_node(w, 1), 1)
    assert (op.used_power, op.used_liquid) == left
    assert (w.lots[k].owner, w.lots[k].site) == (0, 1 if receivership else -1)
    assert w.operators[0].used_power == 0.0


@pytest.mark.parametrize(("chips", "told"), [((2, 2), 2), ((2, 0), -1)])
def test_the_lots_of_one_loan_are_one_seizure_that_names_the_chip_when_it_is_the_only_one(chips, told):
    w, op = in_default()
    node = operator_node(w, 1)
    loan = add_loan(w, operator=1, usd=300.0, last_event=1)
    lots = [add_lot(w, node=node, units=u, chip=g, loan=loan) for u, g in zip((10.0, 25.0), chips, strict=True)]
    seize(w, w.clock[0], node, op)
    (seizure,) = events(w)[2:]
    assert (seizure.units, seizure.usd, seizure.chip) == (35.0, 300.0, told)
    assert [w.lots[k].cause for k in lots] == [2, 2]
    assert sorted(lots_of(w, 0)) == lots
    assert w.lenders[0].seized_units == 35.0
    assert op.selling == 0


def test_hardware_secures_equipment_loans_only():
    w, op = in_default()
    node = operator_node(w, 1)
    notes = add_loan(w, operator=1, kind=LoanKind.CONVERTIBLE, last_event=1)
    lot = add_lot(w, node=node, loan=notes)
    seize(w, w.clock[0], node, op)
    assert lots_of(w, node) == [lot]
    assert w.lots[lot].reason == SaleReason.ESTATE
    assert len(events(w)) == 2


# --- orders ----------------------------------------------------------------------------------------------------
def test_orders_of_operators_in_default_are_cancelled_and_their_rows_given_back():
    w, op = in_default(receivership=0.6, used_power=50.0, used_liquid=40.0)
    w.chips[0].power, w.chips[0].liquid = 2.0, 1
    w.lenders.committed[:] = 1000.0
    w.clock[0].cancelled = 7.0
    others = commit(w, 0, 0, units=3.0, cost=100.0, advance=50.0)
    cash = commit(w, 1, -1, units=4.0, cost=100.0, advance=60.0)
    free = commit(w, -1, 0, units=5.0, cost=100.0, advance=70.0)
    financed = commit(w, 1, 0, units=6.0, cost=200.0, advance=80.0)
    cancel_orders(w, w.clock[0])
    assert list(w.lenders.committed) == [1000.0 - 6.0 * 80.0, 1000.0, 1000.0]
    assert w.clock[0].cancelled == pytest.approx(7.0 + 400.0 + 1200.0)
    assert [w.orders[k].operator for k in (others, cash, free, financed)] == [0, -1, -1, -1]
    # The power that was kept for ten chips is free for others.
    assert (op.used_power, op.used_liquid) == (30.0, 20.0)
    assert (w.operators[0].used_power, w.operators[0].used_liquid) == (0.0, 0.0)
    # The last one cancelled heads the list of free rows; row 4 was its head; the row that was free is not added again.
    assert (w.clock[0].free_order, w.orders[financed].following, w.orders[cash].following) == (financed, cash, 4)


def test_a_lenders_commitments_do_not_fall_below_zero():
    w, _ = in_default()
    w.operators[0].status = OperatorStatus.DEFAULTED
    w.lenders[1].committed = 100.0
    commit(w, 0, 1, units=6.0, cost=200.0, advance=80.0)
    cancel_orders(w, w.clock[0])
    assert w.lenders[1].committed == 0.0


# --- all defaults of a round -----------------------------------------------------------------------------------
def test_all_defaults_of_a_round_are_carried_out_declared_first_then_accelerated_then_seized():
    w = small_world(operators=4)
    w.operators.failing[:] = [0, 1 + Cause.LTV, 1 + Cause.DSCR, 1 + Cause.DSCR]
    w.operators[3].status = OperatorStatus.DEFAULTED
    loans = [add_loan(w, operator=o, usd=100.0) for o in range(3)]
    lots = [add_lot(w, node=operator_node(w, o), loan=loans[o]) for o in range(3)]
    orders = [commit(w, o, 0, units=5.0, cost=100.0, advance=60.0) for o in range(3)]
    assert pays(w, carry_out_defaults) == 2
    assert [op.status for op in w.operators[:3]] == [
        OperatorStatus.HEALTHY,
        OperatorStatus.DEFAULTED,
        OperatorStatus.DEFAULTED,
    ]
    assert [w.loans[k].status for k in loans] == [LoanStatus.PERFORMING, LoanStatus.DEFAULTED, LoanStatus.DEFAULTED]
    assert [w.lots[k].owner for k in lots] == [operator_node(w, 0), 0, 0]
    assert [w.orders[k].operator for k in orders] == [0, -1, -1]
    found = [(e.kind, e.cause, e.node, e.other, e.parent) for e in events(w)]
    one, two = operator_node(w, 1), operator_node(w, 2)
    assert found == [
        (EventKind.DEFAULT, Cause.LTV, one, -1, -1),
        (EventKind.DEFAULT, Cause.DSCR, two, -1, -1),
        (EventKind.SEIZURE, Cause.NONE, 0, one, 0),
        (EventKind.SEIZURE, Cause.NONE, 0, two, 1),
    ]


def test_a_single_default_is_carried_out_to_its_end():
    w = small_world(operators=2)
    w.operators[1].failing = 1 + Cause.DSCR
    loan = add_loan(w, operator=1)
    lot = add_lot(w, node=operator_node(w, 1), loan=loan)
    assert pays(w, carry_out_defaults) == 1
    assert (w.loans[loan].status, w.lots[lot].owner) == (LoanStatus.DEFAULTED, 0)


def test_a_round_in_which_nobody_fails_has_no_defaults():
    w = small_world(operators=2)
    loan = add_loan(w, operator=1)
    assert carry_out_defaults(w, w.clock[0]) == 0
    assert w.loans[loan].status == LoanStatus.PERFORMING
    assert not events(w)


# --- estates ---------------------------------------------------------------------------------------------------
def estate(*claims: tuple[float, float], cash: float, lot: bool = False):
    """Return a world in which operator 1 defaulted on claims of (principal, unsold collateral), one a lender."""
    w = small_world(lenders=len(claims), operators=3)
    op = w.operators[1]
    op.status, op.cash, op.pay_share = OperatorStatus.DEFAULTED, cash, 0.7
    loans = [
        add_loan(w, lender=j, operator=1, usd=usd, status=LoanStatus.DEFAULTED, collateral=collateral)
        for j, (usd, collateral) in enumerate(claims)
    ]
    if lot:
        add_lot(w, node=operator_node(w, 1))
    return w, op, [w.loans[k] for k in loans]


def test_an_estate_pays_pro_rata_what_unsold_collateral_does_not_cover():
    # Claims beyond the collateral: nothing of 50 that 80 cover, 100 - 40 = 60, and 140. The estate has 50 for 200.
    w, op, (c, a, b) = estate((50.0, 80.0), (100.0, 40.0), (140.0, 0.0), cash=50.0, lot=True)
    w.clock[0].recoveries, a.recovered = 6.0, 5.0
    pays(w, pay_estates)
    assert op.pay_share == pytest.approx(0.25)
    assert (a.principal, b.principal, c.principal) == pytest.approx((85.0, 105.0, 50.0))
    assert (a.recovered, b.recovered, c.recovered) == pytest.approx((5.0 + 15.0, 35.0, 0.0))
    assert list(w.lenders.cash) == pytest.approx([0.0, 15.0, 35.0, 0.0])
    assert list(w.lenders.book) == pytest.approx([50.0, 85.0, 105.0, 0.0])
    assert (op.cash, op.debt) == pytest.approx((0.0, 240.0))
    assert w.book[Flow.RECOVERY] == pytest.approx(50.0)
    assert w.clock[0].recoveries == pytest.approx(56.0)
    assert w.clock[0].losses == 0.0


def test_nobody_receives_more_than_its_claim_and_the_estate_keeps_the_rest_while_debt_is_open():
    w, op, (a, b) = estate((100.0, 40.0), (140.0, 0.0), cash=500.0)
    pays(w, pay_estates)
    assert op.pay_share == 1.0
    assert (a.principal, a.status) == (pytest.approx(40.0), LoanStatus.DEFAULTED)
    assert (b.principal, b.status) == (0.0, LoanStatus.FREE)
    assert list(w.lenders.cash) == pytest.approx([60.0, 140.0, 0.0])
    assert (op.cash, op.debt) == pytest.approx((300.0, 40.0))
    assert w.book[Flow.PAYOUT] == 0.0


@pytest.mark.parametrize(("collateral", "share", "paid"), [(120.0, 0.0, 0.0), (100.0, 0.0, 0.0), (99.5, 1.0, 0.5)])
def test_a_claim_that_its_collateral_covers_takes_no_part(collateral, share, paid):
    w, op, (a,) = estate((100.0, collateral), cash=50.0)
    pays(w, pay_estates)
    assert (op.pay_share, op.cash, a.principal) == (share, 50.0 - paid, 100.0 - paid)


@pytest.mark.parametrize(
    ("collateral", "cash", "paid_out"),
    [
        (0.0, 300.0, 200.0),
        (0.0, 100.5, 0.5),
        (0.5, 300.0, 200.5),  # half a dollar of debt is none
        (1.0, 300.0, 0.0),
    ],
)
def test_what_an_estate_has_left_when_all_are_paid_goes_to_its_owners(collateral, cash, paid_out):
    w, op, _ = estate((100.0, collateral), cash=cash)
    pays(w, pay_estates)
    assert w.book[Flow.PAYOUT] == pytest.approx(paid_out)
    assert op.cash == pytest.approx(cash - (100.0 - collateral) - paid_out)


@pytest.mark.parametrize(
    ("principal", "collateral", "cash", "lot", "written_off"),
    [
        (140.0, 0.0, 0.0, False, 140.0),  # nothing left to wait for
        (140.0, 0.0, 35.0, False, 105.0),
        (140.0, 0.0, 35.0, True, 0.0),  # the estate has a lot to sell
        (140.0, 20.0, 35.0, False, 0.0),  # so has the lender
        (140.0, 0.5, 0.0, False, 0.0),
        (2.0, 0.0, 1.0, True, 0.0),  # a dollar is left of the claim
        (1.5, 0.0, 1.0, True, 0.5),  # less is not worth waiting for
    ],
)
def test_a_claim_is_written_off_when_neither_collateral_nor_estate_is_left(
    principal, collateral, cash, lot, written_off
):
    w, op, (loan,) = estate((principal, collateral), cash=cash, lot=lot)
    pays(w, pay_estates)
    assert w.clock[0].losses == pytest.approx(written_off)
    assert loan.status == (LoanStatus.FREE if written_off else LoanStatus.DEFAULTED)
    left = 0.0 if written_off else principal - cash
    assert (loan.principal, w.lenders[0].book, op.debt) == pytest.approx((left, left, left))


@pytest.mark.parametrize(("lot", "written_off"), [(False, 60.0), (True, 0.0)])
def test_equal_claims_on_an_estate_are_written_off_together(lot, written_off):
    w, op, (a, b) = estate((50.0, 0.0), (50.0, 0.0), cash=40.0, lot=lot)
    pays(w, pay_estates)
    assert list(w.lenders.cash) == pytest.approx([20.0, 20.0, 0.0])
    assert w.clock[0].losses == pytest.approx(written_off)
    assert a.status == b.status == (LoanStatus.DEFAULTED if lot else LoanStatus.FREE)


def test_only_estates_pay():
    w, _, _ = estate((100.0, 0.0), cash=30.0, lot=True)
    sound, owner = w.operators[0], w.operators[2]
    sound.cash, sound.pay_share, owner.cash, owner.pay_share = 80.0, 0.6, 90.0, 0.5
    loan = w.loans[add_loan(w, operator=0, usd=70.0, recovered=0.0)]
    free = w.loans[add_loan(w, operator=1, usd=60.0, status=LoanStatus.FREE)]
    pays(w, pay_estates)
    assert (sound.cash, sound.pay_share, sound.debt) == (80.0, 0.0, 70.0)
    assert (loan.principal, free.principal) == (70.0, 60.0)
    assert (owner.cash, owner.pay_share) == (90.0, 0.0)
    assert w.lenders[0].cash == pytest.approx(30.0)


@pytest.mark.parametrize(("collateral", "written_off"), [(0.0, 70.0), (20.0, 0.0)])
@pytest.mark.parametrize("lot", [False, True])
def test_a_firm_that_lives_pays_nothing_for_its_vehicle_whose_claim_is_written_off_without_collateral(
    collateral, written_off, lot
):
    w = small_world(operators=1)
    op = w.operators[0]
    op.cash, op.drawn_fenced = 500.0, 0.5
    loan = w.loans[add_loan(w, usd=70.0, status=LoanStatus.DEFAULTED, recourse=0, collateral=collateral)]
    if lot:
        add_lot(w, node=operator_node(w))
    pays(w, pay_estates)
    assert (op.cash, op.pay_share, w.lenders[0].cash) == (500.0, 0.0, 0.0)
    assert w.clock[0].losses == written_off
    assert loan.status == (LoanStatus.FREE if written_off else LoanStatus.DEFAULTED)


def test_each_estate_pays_its_own_creditors():
    w, _, (a,) = estate((100.0, 0.0), cash=10.0, lot=True)
    other = w.operators[2]
    other.status, other.cash = OperatorStatus.DEFAULTED, 40.0
    b = w.loans[add_loan(w, operator=2, usd=50.0, status=LoanStatus.DEFAULTED)]
    add_lot(w, node=operator_node(w, 2))
    pays(w, pay_estates)
    assert (a.recovered, b.recovered) == pytest.approx((10.0, 40.0))
    assert a.status == b.status == LoanStatus.DEFAULTED


@pytest.mark.parametrize("over", [1, 2])
def test_each_estate_ends_by_itself(over):
    w, _, _ = estate((100.0, 0.0), cash=10.0)
    w.operators[2].status = OperatorStatus.DEFAULTED
    add_loan(w, operator=2, usd=50.0, status=LoanStatus.DEFAULTED)
    add_lot(w, node=operator_node(w, 3 - over))
    pays(w, pay_estates)
    assert w.clock[0].losses == (90.0 if over == 1 else 50.0)


# --- vehicles that stand alone ---------------------------------------------------------------------------------
def vehicle(*, receivership: float = 0.6, **operator: float):
    """Operator 1 fails by a call, event 1: it owes 300 by one vehicle, 100 by another, 500 itself; event 0 was before."""
    w = small_world(
        lenders=2, operators=2, chips=2, terms={"market_receivership": receivership, "credit_bankruptcy_cost": 0.0}
    )
    some_event(w)
    call = some_event(w, EventKind.MARGIN_CALL)
    w.clock[0].month = 9
    alone = {"recourse": 0, "unpaid": 20.0, "recovered": 5.0, "exposure": 4.0}
    loans = [
        add_loan(w, lender=0, operator=1, usd=300.0, **alone),
        add_loan(w, lender=1, operator=1, usd=500.0, unpaid=20.0),
        add_loan(w, lender=1, operator=1, usd=100.0, status=LoanStatus.CALLED, **alone),
    ]
    node = operator_node(w, 1)
    lots = [add_lot(w, node=node, units=10.0 + k, chip=k % 2, loan=loan) for k, loan in enumerate((*loans, loans[0]))]
    op = w.operators[1]
    op.failing, op.failing_event, op.arrears, op.late, op.cash = 1 + Cause.LTV, call, 60.0, 2, 70.0
    op.drawn_fenced, op.used_power = 400.0, 200.0
    for name, value in operator.items():
        setattr(op, name, value)
    return w, op, loans, lots


def test_a_firm_that_would_fail_gives_up_its_vehicles_and_goes_on():
    w, op, loans, lots = vehicle()
    w.clock[0].debt_defaulted, w.clock[0].news = 11.0, 3
    assert pays(w, surrender, 1, op)
    assert [w.loans[k].status for k in loans] == [LoanStatus.DEFAULTED, LoanStatus.PERFORMING, LoanStatus.DEFAULTED]
    assert [float(w.loans[k].exposure) for k in loans] == [300.0, 0.0, 100.0]
    assert [float(w.loans[k].unpaid) for k in loans] == [0.0, 20.0, 0.0]
    assert [float(w.loans[k].recovered) for k in loans] == [0.0, 0.0, 0.0]
    # Their lenders have the hardware, where it stands; the firm keeps its cash and owes what it owed.
    assert (lots_of(w, 0), lots_of(w, 1), lots_of(w, operator_node(w, 1))) == ([lots[0], lots[3]], [lots[2]], [lots[1]])
    assert [int(w.lots[k].site) for k in lots] == [1, -1, 1, 1]
    assert (op.cash, op.debt, op.used_power, op.status) == (70.0, 900.0, 200.0, OperatorStatus.HEALTHY)
    assert (op.failing, op.failing_event, op.arrears, op.late) == (0, -1, 0.0, 0)
    assert (w.clock[0].debt_defaulted, w.clock[0].news) == (411.0, 5)
    node = operator_node(w, 1)
    found = [(e.kind, e.cause, e.node, e.other, e.chip, e.units, e.usd, e.parent) for e in events(w)[2:]]
    assert found == [
        (EventKind.SURRENDER, Cause.LTV, node, 0, -1, 0.0, 300.0, 1),
        (EventKind.SEIZURE, Cause.NONE, 0, node, -1, 23.0, 300.0, 2),
        (EventKind.SURRENDER, Cause.LTV, node, 1, -1, 0.0, 100.0, 1),
        (EventKind.SEIZURE, Cause.NONE, 1, node, 0, 12.0, 100.0, 4),
    ]
    assert [int(w.loans[k].last_event) for k in loans] == [3, -1, 5]


def test_where_nobody_runs_it_the_hardware_is_carried_off_and_the_firm_has_its_power_back():
    w, op, _, lots = vehicle(receivership=0.0)
    surrender(w, w.clock[0], 1, op)
    assert [int(w.lots[k].site) for k in lots] == [-1] * 4
    assert op.used_power == pytest.approx(200.0 - 10.0 - 12.0 - 13.0)


@pytest.mark.parametrize("gone", [LoanStatus.FREE, LoanStatus.DEFAULTED])
def test_a_firm_whose_vehicles_are_gone_has_nothing_to_give_up(gone):
    w, op, loans, lots = vehicle()
    add_loan(w, operator=0, usd=50.0, recourse=0)
    for k in (loans[0], loans[2]):
        w.loans[k].status = gone
    assert not surrender(w, w.clock[0], 1, op)
    assert (op.failing, op.failing_event, op.arrears, op.late) == (1 + Cause.LTV, 1, 60.0, 2)
    assert len(events(w)) == 2
    assert len(lots_of(w, operator_node(w, 1))) == 4
    assert [float(w.loans[k].exposure) for k in loans] == [4.0, 0.0, 4.0]


@pytest.mark.parametrize("first", [LoanStatus.PERFORMING, LoanStatus.FREE])
def test_the_first_event_of_a_run_may_be_a_surrender(first):
    w, op, loans, _ = vehicle()
    w.clock[0].events, w.loans[loans[0]].status = 0, first
    assert surrender(w, w.clock[0], 1, op)
    assert events(w)[0].kind == EventKind.SURRENDER


def test_a_firm_fails_when_it_would_fail_again_without_its_vehicles():
    w, op, loans, _ = vehicle()
    assert pays(w, carry_out_defaults) == 0
    assert (op.status, op.failing) == (OperatorStatus.HEALTHY, 0)
    op.failing = 1 + Cause.CASH_FLOW
    assert pays(w, carry_out_defaults) == 1
    assert (op.status, w.loans[loans[1]].status) == (OperatorStatus.DEFAULTED, LoanStatus.DEFAULTED)
    # What the default is about is what was lent to the firm; the vehicles' events stand.
    assert [int(w.loans[k].last_event) for k in (loans[0], loans[2])] == [3, 5]
    kinds = [int(e.kind) for e in events(w)[6:]]
    assert kinds == [EventKind.DEFAULT, EventKind.SEIZURE]


def test_a_firm_that_never_had_a_vehicle_fails_at_once_and_others_in_the_same_round():
    w, op, _, _ = vehicle()
    w.operators[0].failing = 1 + Cause.DSCR
    add_loan(w, operator=0, usd=50.0, recourse=0)
    assert carry_out_defaults(w, w.clock[0]) == 1
    assert [int(o.status) for o in w.operators] == [OperatorStatus.DEFAULTED, OperatorStatus.HEALTHY]


@pytest.mark.parametrize("fallen", [False, True])
def test_a_firm_does_not_stand_for_its_vehicles(fallen):
    w, op, (own, alone) = estate((140.0, 0.0), (60.0, 0.0), cash=70.0, lot=True)
    alone.recourse = 0
    if not fallen:
        op.status, own.status, op.drawn_fenced = OperatorStatus.HEALTHY, LoanStatus.PERFORMING, 60.0
    pays(w, pay_estates)
    # Without its hardware the claim on the vehicle is lost; the firm's own creditors have all there is.
    assert (alone.status, w.clock[0].losses, w.lenders[1].losses) == (LoanStatus.FREE, 60.0, 60.0)
    assert list(w.lenders.cash) == [70.0 if fallen else 0.0, 0.0, 0.0]
    assert (op.cash, op.debt) == ((0.0, 70.0) if fallen else (70.0, 140.0))


@pytest.mark.parametrize(("collateral", "lost"), [(0.0, 60.0), (0.5, 0.0), (35.0, 0.0)])
def test_a_claim_on_a_vehicle_waits_for_its_hardware_to_be_sold(collateral, lost):
    w, op, (alone,) = estate((60.0, collateral), cash=70.0)
    alone.recourse, op.status, op.drawn_fenced = 0, OperatorStatus.STRESSED, 0.5
    pays(w, pay_estates)
    assert (w.clock[0].losses, op.cash, op.debt) == (lost, 70.0, 60.0 - lost)
    assert alone.status == (LoanStatus.FREE if lost else LoanStatus.DEFAULTED)


def test_a_write_off_takes_the_rest_of_a_claim_from_the_lenders_book_and_the_borrowers_debt():
    w = small_world(lenders=2, operators=2)
    add_loan(w, lender=0, operator=0, usd=70.0)
    k = add_loan(w, lender=1, operator=1, usd=30.0, status=LoanStatus.DEFAULTED)
    lender, op, clock = w.lenders[1], w.operators[1], w.clock[0]
    lender.book, lender.losses, op.debt, clock.losses = 100.0, 4.0, 200.0, 5.0
    write_off(w, clock, k, w.loans[k], lender, op)
    assert (clock.losses, lender.losses) == (35.0, 34.0)
    assert (lender.book, op.debt) == (70.0, 170.0)
    assert (w.loans[k].status, w.loans[k].principal, clock.free_loan) == (LoanStatus.FREE, 0.0, k)
    assert w.loans[0].principal == 70.0
