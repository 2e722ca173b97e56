"""Where used hardware trades: who offers what at which reserve, to whom, and what a sale sets off.

Prices are those that any market gives: where money alone decides it is the money over the units on offer, where there is
plenty the best limit, where there is little the reserve (the last two up to ``CLOSE``).
"""

from __future__ import annotations

import math

import pytest

from agents.tables.buyers import BuyerKind
from agents.tables.events import Cause, EventKind, SaleReason
from agents.tables.ledger import Flow
from agents.tables.lenders import LenderStatus
from agents.tables.loans import LoanStatus
from agents.tables.operators import OperatorStatus
from simulation.markets.impact import ImpactForm
from simulation.markets.order_book import Search, Venue, list_asks, read_purses
from simulation.markets.rows import ASKS, CHIP, FILL, PLACE, RESERVE, SELLER, SOLD, UNITS
from simulation.markets.tape import TapeRow
from simulation.markets.venues import (
    appraise,
    clear_items,
    has_turn,
    impact_price,
    list_forced,
    log_forced,
    offer_own,
    sell_to_market,
    trade,
    withdraw_own,
)
from tests.rules.worlds import BEFORE, add_loan, add_lot, booked, events, paid_in_full, put, small_world

#: Nodes of :func:`market`.
LENDER, OUTSIDE, OWNER, PEER, USER, OTHER_USER, BACKSTOP = range(7)
#: Limits and reserves are met up to this share of the price.
CLOSE = 0.01
#: A limit that money never reaches here (USD).
HIGH = 50000.0
#: Buyers pay their value in use; an operator without the DSCR does not bid; calls cost nothing.
TERMS = {
    "market_venue": Venue.NETWORK, "market_search": Search.FIXED, "market_calls_a_month": 10, "market_finder_fee": 0.1,
    "market_risk_premium": 0.0, "market_fall_weight": 0.0, "market_volatility_weight": 0.0, "market_peer_dscr": 1.1,
    "market_peer_cash": 1.0, "credit_cash_reserve": 0.0, "rental_install_lag": 2, "policy_backstop_capacity": 0.0,
}  # fmt: skip
SCRAP = 10.0


def market(*, chips: int = 1, tape: int = 0, contacts=None, **terms: float):
    """One lender, two operators, two buyers. Month 9, round 1; appraisals of 1,000, scrap 10. Nobody has money."""
    w = small_world(lenders=1, operators=2, buyers=2, chips=chips, tape=tape, contacts=contacts, terms=TERMS | terms)
    put(w.clock[0], month=9, turn=1)
    w.chips.scrap[:] = SCRAP
    return w


def bids(w, b: int, money: float, limit: float = HIGH, g: int = 0) -> None:
    """Let buyer ``b`` bid up to ``limit`` for generation ``g``, with so much money for all that it buys; power it has."""
    put(w.buyers[b], kind=BuyerKind.ENTERPRISE, budget=money, budget_cap=money, lot_limit=1.0, power=1e9, liquid=1e9)
    w.value[len(w.operators) + b, g] = limit


def offer(w, node: int, units: float = 10.0, **lot: float) -> int:
    """Give ``node`` a lot that is for sale whole at any price."""
    return add_lot(w, node=node, units=units, **{"offered": units, "asked": 9, "reason": SaleReason.ESTATE, **lot})


def clear(w, *sellers: int, forced: int = 1) -> int:
    """List what sellers offer and clear it, as a round does; see that the book explains cash; return the number of items."""
    n_items = n_asks = 0
    for seller in sellers:
        n_items, n_asks = list_asks(w, w.clock[0], seller, forced, n_items, n_asks)
    read_purses(w, w.clock[0])
    with paid_in_full(w):
        clear_items(w, w.clock[0], n_items)
    return n_items


def tape(w, kind: TapeRow):
    return [row for row in w.tape[: w.clock[0].tape] if row.kind == kind]


def trades(w) -> list[tuple[int, int, float, float]]:
    """Return (seller, buyer, units, price) of all fills."""
    return [(int(t.seller), int(t.buyer), float(t.units), float(t.price)) for t in w.trades[: w.clock[0].trades]]


# --- the impersonal market -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("form", "units", "fundamental", "stock", "scrap", "price"),
    [
        # 3 sold before and 5 now, of 32, at an impact of 2; it opened at 1,000.
        (ImpactForm.LINEAR, 5.0, 2000.0, 32.0, 10.0, 1000 * (1 - 2 * 8 / 32)),
        (ImpactForm.EXPONENTIAL, 5.0, 2000.0, 32.0, 10.0, 1000 * math.exp(-2 * 8 / 32)),
        (ImpactForm.SQUARE_ROOT, 5.0, 2000.0, 128.0, 10.0, 1000 * (1 - 2 * math.sqrt(1 / 16))),
        (ImpactForm.LINEAR, 5.0, 600.0, 32.0, 10.0, 600 * 0.5),  # worth less in use
        (ImpactForm.LINEAR, 13.0, 2000.0, 32.0, 10.0, 10.0),  # never below scrap
        (ImpactForm.LINEAR, 5.0, 2000.0, 32.0, 700.0, 700.0),
        (ImpactForm.LINEAR, -2.75, 2000.0, 0.5, 10.0, 1000 * (1 - 2 * 0.25)),  # less than a unit in the world is one
    ],
)
def test_the_price_is_a_function_of_what_was_sold_by_force_this_month(form, units, fundamental, stock, scrap, price):
    w = market(market_impact=2.0, market_impact_form=form)
    put(w.chips[0], appraisal_open=1000.0, fundamental=fundamental, stock=stock, scrap=scrap, forced_units=3.0)
    put(w.chips[0], appraisal=300.0, price=300.0)
    assert impact_price(w.chips[0], w.terms[0], units) == pytest.approx(price)


def impersonal(rows: int = 9, **terms: float):
    """Two owners offer 5 and 3 of their 20 and 12 units of generation 1, and a lender 2; return the world and the lots."""
    w = market(chips=2, tape=rows, **{"market_impact": 2.0, "market_impact_form": ImpactForm.LINEAR} | terms)
    w.clock[0].events = 5
    lots = [
        offer(w, OWNER, 12.0, chip=1, offered=3.0, cause=1),
        offer(w, OWNER, 20.0, chip=1, offered=5.0, cause=2),
        offer(w, LENDER, 2.0, chip=1, cause=3),
    ]
    w.chips[1].fundamental = 800.0
    w.ask[UNITS] = 9.0
    n_items = n_asks = 0
    for seller in (OWNER, LENDER):
        n_items, n_asks = list_asks(w, w.clock[0], seller, 1, n_items, n_asks)
    with paid_in_full(w):
        sell_to_market(w, w.clock[0], n_items)
    return w, lots


def test_the_impersonal_market_takes_what_a_seller_offers_at_one_price_then_the_next_one_s_at_a_lower_one():
    w, lots = impersonal()
    # 8 of 34 units, then 10 of them: the price falls by twice that share, from 800.
    first, then = 800 * (1 - 2 * 8 / 34), 800 * (1 - 2 * 10 / 34)
    assert w.operators.cash.tolist() == pytest.approx([8 * first, 0])
    assert w.lenders[0].cash == pytest.approx(2 * then)
    assert (w.chips[1].price, w.chips[0].price) == (pytest.approx(then), 1000.0)
    assert [w.lots[k].units for k in lots] == pytest.approx([9.0, 15.0, 0.0])
    assert (w.book[Flow.MARKET_TO_OPERATOR], w.book[Flow.MARKET_TO_LENDER]) == pytest.approx((8 * first, 2 * then))
    assert trades(w) == [
        (OWNER, -1, 5.0, pytest.approx(first)), (OWNER, -1, 3.0, pytest.approx(first)), (LENDER, -1, 2.0, pytest.approx(then)),
    ]  # fmt: skip
    assert [t.hops for t in w.trades[:3]] == [0, 0, 0]
    assert sum(lot.units for lot in w.lots if lot.owner == BACKSTOP) == 10.0  # kept for nobody in particular
    # The last lot is the first of its owner's.
    assert [(e.node, e.chip, e.units, e.usd, e.parent) for e in events(w)[5:]] == [
        (OWNER, 1, 8.0, pytest.approx(8 * first), 2), (LENDER, 1, 2.0, pytest.approx(2 * then), 3),
    ]  # fmt: skip


@pytest.mark.parametrize("units", [8.0, 0.5])
def test_in_the_frozen_twin_it_pays_the_value_in_use_however_much_comes(units):
    w = market(policy_frozen=1, market_impact=2.0)
    w.chips[0].fundamental = 800.0
    offer(w, OWNER, units)
    n_items, _ = list_asks(w, w.clock[0], OWNER, 1, 0, 0)
    sell_to_market(w, w.clock[0], n_items)
    assert w.operators[0].cash == pytest.approx(units * 800)


@pytest.mark.parametrize("rows", range(4))
def test_what_it_takes_is_on_the_tape_as_long_as_that_has_room(rows):
    w, _ = impersonal(rows)
    first, then = 800 * (1 - 2 * 8 / 34), 800 * (1 - 2 * 10 / 34)
    told = [(OWNER, 1, pytest.approx(first), 8.0, 8.0, 1), (LENDER, 1, pytest.approx(then), 2.0, 2.0, 1)]
    assert [(r.node, r.chip, r.price, r.units, r.filled, r.forced) for r in tape(w, TapeRow.AUCTION)] == told[:rows]
    assert w.operators[0].cash == pytest.approx(8 * first)


# --- the shock of the month ------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("opened", "shock", "shock_then", "last"),
    [
        (1000.0, 0.0, 6 * 400.0, 3),
        (1000.0, 2300.0, 6 * 400.0, 3),
        (1000.0, 2400.0, 2400.0, 3),  # as much as the one before: it is the later
        (1000.0, 2500.0, 2500.0, 77),  # the largest fall of the month stays the cause of margin calls
        (500.0, 3.0, 3.0, 77),  # above the opening appraisal nothing falls
        (500.0, 0.0, 0.0, 77),
        (600.125, 0.0, 6 * 0.125, 3),
    ],
)
def test_the_forced_sale_that_fell_shortest_of_the_opening_appraisal_is_the_shock_of_the_month(
    opened, shock, shock_then, last
):
    w = market(chips=2)
    put(w.clock[0], shock_usd=shock, last_shock=77, events=3)
    put(w.chips[1], appraisal_open=opened, appraisal=900.0)
    log_forced(w, w.clock[0], OWNER, 1, 6.0, 600.0, 2)
    assert w.clock[0].shock_usd == pytest.approx(shock_then)
    assert w.clock[0].last_shock == last
    event = events(w)[3]
    assert (event.kind, event.cause, event.node, event.other) == (EventKind.FORCED_SALE, Cause.FIRE_SALE, OWNER, -1)
    assert (event.chip, event.units, event.usd, event.parent) == (1, 6.0, 3600.0, 2)
    assert (w.chips[1].last_event, w.chips[0].last_event) == (3, -1)


# --- clearing --------------------------------------------------------------------------------------------------
def test_a_forced_sale_sets_the_price_and_is_an_event_that_follows_from_what_put_the_lot_up():
    w = market(chips=2)
    w.clock[0].events = 3
    bids(w, 0, 3000.0, g=1)
    bids(w, 1, 1200.0, g=1)
    offer(w, OWNER, 4.0, chip=1, cause=1)
    offer(w, OWNER, 3.0, chip=1, cause=2)  # listed first
    assert clear(w, OWNER) == 1
    # 4,200 USD buy seven units.
    assert (w.chips[1].price, w.chips[0].price) == (pytest.approx(600.0), 1000.0)
    assert w.chips[1].traded_units == w.chips[1].forced_units == pytest.approx(7)
    assert w.operators[0].cash == pytest.approx(4200)
    assert [sum(t.units for t in w.trades[: w.clock[0].trades] if t.buyer == node) for node in (USER, OTHER_USER)] == [
        pytest.approx(5), pytest.approx(2),
    ]  # fmt: skip
    (event,) = events(w)[3:]
    assert (event.kind, event.node, event.chip, event.parent) == (EventKind.FORCED_SALE, OWNER, 1, 2)
    assert (event.units, event.usd) == pytest.approx((7, 4200))
    assert (w.clock[0].last_shock, w.clock[0].shock_usd) == (3, pytest.approx(7 * 400))


def test_a_voluntary_sale_sets_the_price_and_is_no_event():
    w = market()
    bids(w, 0, 3600.0)
    offer(w, OWNER, 6.0, reason=SaleReason.CHURN)
    clear(w, OWNER, forced=0)
    assert w.chips[0].price == pytest.approx(600.0)
    assert (w.chips[0].traded_units, w.chips[0].forced_units) == (pytest.approx(6), 0.0)
    assert w.clock[0].events == 0
    assert (w.chips[0].last_event, w.clock[0].last_shock, w.clock[0].shock_usd) == (-1, -1, 0.0)


@pytest.mark.parametrize(
    ("money", "limit", "units"),
    [
        (0.0, 600.0, 10.0),
        (6000.0, 299.0, 10.0),
        (6000.0, 0.0, 10.0),
        (6000.0, 600.0, 5e-7),
        (6000.0, 600.0, 1e-6),
    ],  # dust
)
def test_without_a_trade_nothing_happened(money, limit, units):
    w = market(market_search=Search.EFFORT)
    w.price[:], w.ask[SOLD], w.order[FILL] = 5.0, 5.0, 5.0  # what an earlier round left there
    w.operators.cash[:] = 700.0
    bids(w, 0, money, limit)
    k = offer(w, OWNER, units, reserve=300.0)
    clear(w, OWNER)
    assert w.chips[0].price == 1000.0
    assert (w.clock[0].events, w.clock[0].trades, w.clock[0].last_shock) == (0, 0, -1)
    assert (w.lots[k].units, w.lots[k].offered, w.operators[0].cash) == (units, units, pytest.approx(700, abs=1e-2))


def test_two_millionths_of_a_chip_are_just_not_dust():
    w = market()
    bids(w, 0, 1e-3, 600.0)
    offer(w, OWNER, 2e-6)
    clear(w, OWNER)
    assert (w.chips[0].price, w.clock[0].events) == (pytest.approx(500), 1)


@pytest.mark.parametrize(
    ("money", "limit", "reserve", "price", "units"),
    [
        (1e6, 600.0, 300.0, 600.0, 10.0),  # plenty of money: the limit
        (2000.0, 600.0, 250.0, 250.0, 8.0),  # little: the reserve, and part of it is sold
        (4000.0, 600.0, 300.0, 400.0, 10.0),  # in between all that there is
    ],
)
def test_the_price_is_the_limit_the_reserve_or_in_between_what_money_there_is(money, limit, reserve, price, units):
    w = market()
    bids(w, 0, money, limit)
    k = offer(w, OWNER, reserve=reserve)
    clear(w, OWNER)
    assert w.chips[0].price == pytest.approx(price, rel=CLOSE)
    assert reserve <= w.chips[0].price * (1 + 1e-9) and w.chips[0].price <= limit * (1 + 1e-9)
    assert 10 - w.lots[k].units == pytest.approx(units, rel=CLOSE)
    assert w.operators[0].cash == pytest.approx(price * units, rel=2 * CLOSE)


def test_a_purse_is_spent_once_on_all_that_is_on_offer_at_the_same_price_for_the_same_value():
    w = market(chips=2)
    bids(w, 0, 7200.0)
    w.value[2, 1] = HIGH / 2  # half as good
    offer(w, OWNER, 4.0)
    offer(w, PEER, 6.0)
    offer(w, LENDER, 4.0, chip=1)
    clear(w, OWNER, PEER, LENDER)
    # As good as twelve of the better ones: 600 each.
    assert [(seller, pytest.approx(price)) for seller, _, _, price in trades(w)] == [
        (OWNER, 600.0),
        (PEER, 600.0),
        (LENDER, 300.0),
    ]
    assert w.buyers[0].budget == pytest.approx(0.0, abs=1e-6)
    assert [(e.node, e.chip) for e in events(w)] == [(OWNER, 0), (PEER, 0), (LENDER, 1)]


@pytest.mark.parametrize("first", [OWNER, PEER])
def test_where_prices_of_a_generation_differ_their_mean_by_units_is_its_price_whoever_comes_first(first):
    w = market(chips=2, contacts={OWNER: ((USER, 1),), PEER: ((OTHER_USER, 1),), LENDER: ((USER, 1),)})
    bids(w, 0, 4000.0)
    bids(w, 1, 600.0)
    offer(w, OWNER, 8.0)
    offer(w, PEER, 2.0)
    offer(w, LENDER, 3.0, chip=1)  # nobody wants it
    clear(w, first, OWNER + PEER - first, LENDER)
    assert sorted(price for *_, price in trades(w)) == pytest.approx([300, 500])
    assert w.chips.price.tolist() == [pytest.approx((8 * 500 + 2 * 300) / 10), 1000.0]


@pytest.mark.parametrize(("hops", "gross"), [(1, 1.0), (2, 1.1), (3, 1.2)])
def test_brokers_take_their_part_of_what_the_buyer_spends(hops, gross):
    w = market(contacts={OWNER: ((USER, hops),)})
    bids(w, 0, 6600.0)
    offer(w, OWNER)
    w.book[:] = BEFORE
    clear(w, OWNER)
    assert w.chips[0].price == pytest.approx(660.0 / gross)
    assert (
        booked(w)
        == pytest.approx({Flow.USED_FROM_OPERATOR: 6600 / gross, Flow.FINDER_FEE_BUYER: 6600 * (1 - 1 / gross)})
        or hops == 1
    )
    assert w.buyers[0].budget == pytest.approx(0.0, abs=1e-6)
    assert w.trades[0].hops == hops


def test_no_more_than_a_lot_may_cost_is_spent_on_one_item():
    w = market(chips=2)
    bids(w, 0, 8000.0)
    w.value[2, 1] = HIGH
    w.buyers[0].lot_limit = 0.25
    offer(w, OWNER, 4.0)
    clear(w, OWNER)
    assert w.chips[0].price == pytest.approx(2000 / 4)


def test_calls_are_paid_when_all_sales_are_carried_out_with_what_is_left_after_purchases():
    # A call costs 50; the owner sells for 20 and buys for all that it had, 600.
    w = market(contacts={OWNER: ((USER, 1),), PEER: ((OWNER, 1),)}, market_search=Search.EFFORT, market_call_cost=50.0)
    put(w.operators[0], cash=600.0, dscr=2.0, site_power=1e6)
    w.value[0, 0] = HIGH
    bids(w, 0, 20.0)
    offer(w, OWNER, 1.0, reason=SaleReason.CHURN)
    offer(w, PEER, 4.0, reason=SaleReason.CHURN)
    clear(w, OWNER, PEER, forced=0)
    assert trades(w) == [(OWNER, USER, 1.0, pytest.approx(20)), (PEER, OWNER, 4.0, pytest.approx(150))]
    assert w.operators.cash.tolist() == pytest.approx([0.0, 600 - 50], abs=1e-6)
    assert w.book[Flow.FINDER_FEE_OPERATOR] == pytest.approx(20 + 50)


# --- the tape --------------------------------------------------------------------------------------------------
def watched(rows: int = 20, reason: int = SaleReason.ESTATE, **peer: float):
    """Two asks of the owner (10 from 100 up, 4 from 200 up, listed last first); the user has 3,000, the other, two brokers away, 1,200."""
    w = market(tape=rows, chips=2, contacts={OWNER: ((USER, 1), (PEER, 1), (OTHER_USER, 3)), PEER: ((USER, 1),)})
    bids(w, 0, 3000.0, g=1)
    bids(w, 1, 1200.0, g=1)
    w.buyers[1].power = 40.0
    put(w.operators[1], **peer)
    w.value[1, 1] = 90.0
    offer(w, OWNER, 10.0, chip=1, reserve=100.0, reason=reason)
    offer(w, OWNER, 4.0, chip=1, reserve=200.0, reason=reason)
    clear(w, OWNER, forced=int(reason == SaleReason.ESTATE))
    return w


#: 3,000 and 1,200 less the brokers' part buy fourteen units.
PRICE = 4000 / 14


def rounded(rows) -> list[tuple[float, ...]]:
    return [
        (int(r.node), int(r.chip), *(round(float(x), 6) for x in (r.price, r.units, r.money, r.filled, r.hops)))
        for r in rows
    ]


@pytest.mark.parametrize("reason", [SaleReason.ESTATE, SaleReason.CHURN])
def test_the_tape_shows_an_item_with_its_orders_and_asks_and_their_fills(reason):
    w = watched(reason=reason)
    (row,) = tape(w, TapeRow.AUCTION)
    assert (row.node, row.chip, row.turn, row.forced, row.reached) == (OWNER, 1, 1, int(reason == SaleReason.ESTATE), 3)
    assert (row.price, row.units, row.filled) == pytest.approx((PRICE, 14, 14))
    assert rounded(tape(w, TapeRow.BID)) == [
        (USER, 1, HIGH, 1e9, 3000, 10.5, 1),
        (OTHER_USER, 1, round(HIGH / 1.2, 6), 40, 1200, 3.5, 3),
    ]
    assert rounded(tape(w, TapeRow.ASK)) == [(OWNER, 1, 200, 4, 0, 4, 0), (OWNER, 1, 100, 10, 0, 10, 0)]
    # The other operator was reached and could not bid.
    assert [r.node for r in tape(w, TapeRow.NOT_SOUND)] == [PEER]
    assert w.clock[0].tape == 6


def test_a_bid_that_is_too_low_is_on_the_tape_unfilled():
    w = watched(dscr=2.0, cash=500.0, site_power=70.0)
    assert rounded(tape(w, TapeRow.BID))[2] == (PEER, 1, 90, 70, 500, 0, 1)
    assert tape(w, TapeRow.NOT_SOUND) == []


@pytest.mark.parametrize("rows", [1, 20])
def test_an_item_that_nobody_bids_for_is_on_the_tape_too(rows):
    w = market(tape=rows)
    w.price[:], w.ask[SOLD], w.order[FILL] = 5.0, 5.0, 5.0  # what an earlier round left there
    offer(w, OWNER, 10.0, reserve=100.0)
    clear(w, OWNER)
    (row,) = tape(w, TapeRow.AUCTION)
    assert (row.node, row.units, row.filled, row.forced, row.reached) == (OWNER, 10, 0, 1, 3)
    assert [(r.price, r.units, r.filled) for r in tape(w, TapeRow.ASK)] == [(100, 10, 0)] * (rows > 1)
    assert tape(w, TapeRow.BID) == []


def test_every_item_is_on_the_tape_with_its_own_orders():
    w = market(tape=30, contacts={OWNER: ((USER, 1),), PEER: ((OTHER_USER, 2),)})
    bids(w, 0, 2000.0)
    bids(w, 1, 1540.0)
    offer(w, OWNER, 4.0)
    offer(w, PEER, 2.0)
    clear(w, OWNER, PEER)
    assert [(r.node, r.units, r.price) for r in tape(w, TapeRow.AUCTION)] == [
        (OWNER, 4, pytest.approx(500)),
        (PEER, 2, pytest.approx(700)),
    ]
    assert [r.node for r in tape(w, TapeRow.BID)] == [USER, OTHER_USER]
    assert [r.hops for r in tape(w, TapeRow.BID)] == [1, 2]
    assert [r.filled for r in tape(w, TapeRow.BID)] == pytest.approx([4, 2])
    assert [r.filled for r in tape(w, TapeRow.ASK)] == pytest.approx([4, 2])


@pytest.mark.parametrize("rows", range(7))
def test_a_tape_that_fills_up_keeps_what_it_has(rows):
    whole, cut = watched(), watched(rows=rows)
    kept = [(r.kind, r.node, r.filled, r.units, r.reached, r.money, r.hops) for r in cut.tape]
    assert kept[1:] == [(r.kind, r.node, r.filled, r.units, r.reached, r.money, r.hops) for r in whole.tape[1:rows]]
    assert [(r.node, r.filled, r.units, r.reached) for r in cut.tape[:1]] == [(OWNER, pytest.approx(14), 14.0, 3)][
        :rows
    ]
    assert cut.operators[0].cash == pytest.approx(4000)


@pytest.mark.parametrize("rows", [6, 7])
def test_a_full_tape_stays_as_it_is(rows):
    w = watched(rows=rows)
    before = w.tape.copy()
    bids(w, 0, 300.0, g=0)
    offer(w, PEER, 2.0)
    clear(w, PEER)
    assert (w.tape[:6] == before[:6]).all()
    assert w.operators[1].cash > 0.0


# --- forced offers ---------------------------------------------------------------------------------------------
def forced(w) -> list[tuple[int, int, float, float]]:
    """List forced offers; return (seller, place, units, reserve) of each ask."""
    n_items, n_asks = list_forced(w, w.clock[0])
    assert w.item[ASKS, n_items] == n_asks
    return [
        (int(w.item[SELLER, i]), int(w.item[PLACE, i]), float(w.ask[UNITS, a]), float(w.ask[RESERVE, a]))
        for i in range(n_items)
        for a in range(w.item[ASKS, i], w.item[ASKS, i + 1])
    ]


def test_lenders_estates_and_operators_that_must_sell_offer_and_nobody_else():
    w = market()
    for node in (LENDER, OUTSIDE, OWNER, PEER, USER, OTHER_USER):
        offer(w, node, 1.0 + node, reason=SaleReason.IMPOSED if node == OUTSIDE else SaleReason.ARREARS, reserve=100.0)
    put(w.lenders[0], status=LenderStatus.FAILED)
    w.operators.selling[:] = 1
    assert forced(w) == [(LENDER, 0, 1, SCRAP), (OUTSIDE, 0, 2, 100), (OWNER, 0, 3, 100), (PEER, 0, 4, 100)]
    w.operators[0].selling = 0
    assert [seller for seller, *_ in forced(w)] == [LENDER, OUTSIDE, PEER]


def test_a_lender_offers_all_that_it_has_seized_at_its_reserve_of_the_day():
    # A quarter of the mark of 1,000 in the month of the seizure; in place, half of the value in use of 800.
    w = market(market_patience_decay=0.0, policy_pacing=1.0, market_receivership=0.5)
    put(w.lenders[0], patience=0.25, mark_to_market=1.0, capital_ratio=0.5)
    w.chips[0].fundamental = 800.0
    held = {"reason": SaleReason.SEIZED, "seized": 9, "reserve": 900.0, "offered": 2.0}
    offer(w, LENDER, 10.0, **held)
    offer(w, LENDER, 6.0, site=0, **held)
    assert forced(w) == [(LENDER, 0, 10, 250), (LENDER, 1, 6, 400)]


@pytest.mark.parametrize(
    ("status", "reserve"), [(OperatorStatus.STRESSED, 350.0), (OperatorStatus.DEFAULTED, 0.5 * 800 * 0.75)]
)
def test_an_estate_asks_less_every_month_and_who_lives_what_it_asked(status, reserve):
    w = market(market_receivership=0.5, market_estate_months=8.0)
    w.chips[0].fundamental = 800.0
    put(w.operators[1], selling=1, status=status)
    offer(w, PEER, site=1, asked=7, reserve=350.0)  # two of eight months ago
    assert forced(w) == [(PEER, 1, 10, pytest.approx(reserve))]


def test_what_an_operator_that_must_sell_would_rather_sell_as_well_is_not_offered_by_force():
    w = market()
    w.operators.selling[:] = 1
    offer(w, PEER, 3.0, reason=SaleReason.CHURN)
    offer(w, PEER, 2.0, reason=SaleReason.MARGIN_CALL)
    assert forced(w) == [(PEER, 0, 2, SCRAP)]


def test_nobody_has_anything_to_offer():
    assert forced(market()) == []


# --- voluntary offers ------------------------------------------------------------------------------------------
CALM = {
    "market_churn_buyers": 0.02, "market_churn_operators": 0.05, "market_churn_interval": 4, "market_churn_age": 6,
    "market_churn_reserve": 0.75, "buyers_dealer_markup": 0.5,
}  # fmt: skip


def calm(*, month: int = 10, **terms: float):
    """Values in use: 400 and 450 to operators, 600 and 650 to buyers; the second buyer deals. Nobody bids."""
    w = market(chips=2, tape=40, **CALM | terms)
    put(w.clock[0], month=month, turn=0)
    for b, usd in enumerate((400.0, 450.0, 600.0, 650.0)):
        w.value[b] = usd
    w.buyers[1].kind = BuyerKind.DEALER
    w.chips.appraisal[:] = 500.0
    return w


def offered(w, k: int) -> tuple[float, float, int, int]:
    """Return (units, reserve, month, reason) of the offer of a lot."""
    lot = w.lots[k]
    return float(lot.offered), float(lot.reserve), int(lot.asked), int(lot.reason)


@pytest.mark.parametrize(
    ("month", "nodes"),
    [(10, [OWNER, BACKSTOP]), (9, [PEER]), (8, [USER]), (7, [OTHER_USER]), (11, [OTHER_USER]), (6, [OWNER, BACKSTOP])],
)
def test_each_owner_has_its_month(month, nodes):
    # Every four months: node 2 in months 6 and 10, node 3 in 9, node 4 in 8 and so on.
    w = calm(month=month)
    for node in range(OWNER, BACKSTOP + 1):
        add_lot(w, node=node)
    assert [node for node in range(OWNER, BACKSTOP + 1) if has_turn(w, w.clock[0], node)] == nodes


@pytest.mark.parametrize(
    ("state", "turns"),
    [
        ({}, [True, True, True]),
        ({"status": OperatorStatus.STRESSED}, [True, True, True]),
        ({"status": OperatorStatus.DEFAULTED}, [True, False, True]),
        ({"selling": 1}, [True, False, True]),  # it sells by force
    ],
)
def test_estates_and_who_sells_by_force_have_no_turn(state, turns):
    w = calm(market_churn_interval=1)
    put(w.operators[1], **state)
    for node in (OWNER, PEER, USER):
        add_lot(w, node=node)
    assert [has_turn(w, w.clock[0], node) for node in (OWNER, PEER, USER)] == turns
    # Who has nothing looks at nothing.
    assert not has_turn(w, w.clock[0], OTHER_USER)


@pytest.mark.parametrize(
    ("node", "rates", "ask"),
    [
        (USER, {}, (100 * 0.02 * 4, 600 * 0.75)),
        (OWNER, {}, (100 * 0.05 * 4, 400 * 0.75)),
        (PEER, {}, (100 * 0.05 * 4, 450 * 0.75)),
        (OTHER_USER, {}, (100.0, 500 * 1.5)),  # a dealer offers all with a markup on the appraisal
        (USER, {"market_churn_buyers": 0.5}, (100.0, 600 * 0.75)),  # not more than there is
        (OWNER, {"market_churn_operators": 0.5}, (100.0, 400 * 0.75)),
    ],
)
def test_users_offer_part_of_their_lots_at_their_own_value_and_dealers_all_at_a_markup(node, rates, ask):
    w = calm(**rates)
    k = add_lot(w, node=node, units=100.0, vintage=1.0, chip=1, reason=SaleReason.ARREARS)
    w.value[:, 0], w.chips[0].appraisal = 777.0, 777.0  # of the other generation
    offer_own(w, w.clock[0], node)
    reason = SaleReason.DEALER if node == OTHER_USER else SaleReason.CHURN
    assert offered(w, k) == (*map(pytest.approx, ask), 10, reason)


@pytest.mark.parametrize("kinds", [(BuyerKind.RESEARCH, BuyerKind.DEALER), (BuyerKind.DEALER, BuyerKind.FUND)])
def test_the_record_tells_a_dealers_sale_from_a_users(kinds):
    w = calm()
    w.buyers[0].kind, w.buyers[1].kind = kinds
    for b, node in enumerate((USER, OTHER_USER)):
        k = add_lot(w, node=node, units=2.0, reason=SaleReason.ARREARS)
        offer_own(w, w.clock[0], node)
        assert w.lots[k].reason == (SaleReason.DEALER if kinds[b] == BuyerKind.DEALER else SaleReason.CHURN)


@pytest.mark.parametrize(
    ("power_value", "power", "units", "reserve"),
    [
        # It values a chip at 400 and asks three quarters less what its power brings with new ones.
        (0.0, 2.0, 20.0, 300.0),
        (60.0, 2.0, 20.0, 300 - 120.0),
        (150.0, 2.0, 20.0, 0.0),  # it would give it away
        (200.0, 2.0, 20.0, 0.0),
        (200.1, 2.0, 100.0, 0.0),  # its power is worth more with others: all go
        (400.1, 1.0, 100.0, 0.0),
    ],
)
def test_operators_retire_chips_whose_power_is_worth_more_with_new_ones(power_value, power, units, reserve):
    w = calm()
    w.chips[1].power = power
    w.operators.power_value[:] = power_value, 9e9
    k = add_lot(w, node=OWNER, units=100.0, vintage=1.0, chip=1, reserve=77.0)
    offer_own(w, w.clock[0], OWNER)
    assert offered(w, k) == (pytest.approx(units), pytest.approx(reserve), 10, SaleReason.CHURN)
    # A user's power has no such use.
    k = add_lot(w, node=USER, units=100.0, vintage=1.0, chip=1)
    offer_own(w, w.clock[0], USER)
    assert offered(w, k)[:2] == pytest.approx((8.0, 450.0))


def test_chips_of_any_age_are_retired():
    w = calm()
    w.operators[0].power_value = 401.0
    k = add_lot(w, node=OWNER, units=100.0, vintage=10.0)
    offer_own(w, w.clock[0], OWNER)
    assert w.lots[k].offered == 100.0


@pytest.mark.parametrize(
    ("lot", "operator", "user", "dealer"),
    [
        ({"vintage": 5.0}, 0.0, 8.0, 100.0),  # others sell at any age, operators from six months on
        ({"vintage": 4.0}, 20.0, 8.0, 100.0),
        ({"vintage": 4.0, "loan": 0}, 0.0, 0.0, 0.0),
        ({"vintage": 4.0, "online": 11}, 0.0, 0.0, 0.0),
        ({"vintage": 4.0, "online": 10}, 20.0, 8.0, 100.0),
        ({"vintage": 4.0, "contracted": 0.01}, 0.0, 0.0, 0.0),  # who rents it stays
    ],
)
def test_only_free_lots_that_are_online_and_in_the_case_of_operators_old_are_offered(lot, operator, user, dealer):
    for node, units, part in ((OWNER, operator, 0.2), (USER, user, 0.08), (OTHER_USER, dealer, 1.0)):
        w = calm()
        add_loan(w)
        other = add_lot(w, node=node, units=50.0, vintage=1.0)  # the next in the list is offered in any case
        k = add_lot(w, node=node, units=100.0, **lot)
        elsewhere = add_lot(w, node=PEER, units=100.0, vintage=1.0)
        offer_own(w, w.clock[0], node)
        assert [w.lots[j].offered for j in (k, other, elsewhere)] == pytest.approx([units, 50 * part, 0])


def test_what_is_for_sale_for_another_reason_stays_as_it_is():
    w = calm()
    k = add_lot(w, node=OWNER, units=100.0, vintage=1.0)
    put(w.lots[k], offered=7.0, reserve=50.0, reason=SaleReason.MARGIN_CALL, asked=8)
    offer_own(w, w.clock[0], OWNER)
    withdraw_own(w, OWNER)
    assert offered(w, k) == (7.0, 50.0, 8, SaleReason.MARGIN_CALL)


@pytest.mark.parametrize("reason", SaleReason)
def test_what_an_owner_offered_of_its_own_accord_is_withdrawn(reason):
    w = calm()
    lots = [offer(w, node, reserve=50.0, asked=8, reason=reason) for node in (OWNER, OWNER, PEER)]
    withdraw_own(w, OWNER)
    own, other, elsewhere = (offered(w, k) for k in lots)
    still = (10.0, 50.0, 8, reason)
    assert (
        own == other == ((0.0, 0.0, -1, SaleReason.CHURN) if reason in (SaleReason.CHURN, SaleReason.DEALER) else still)
    )
    assert elsewhere == still


# --- a round ---------------------------------------------------------------------------------------------------
def everybody(*, turn: int = 0, **terms: float):
    """A lender, an estate and a user whose month it is have ten units each, 0.8 of which the user offers; one buyer, 10,400 USD."""
    w = market(tape=60, **CALM | {"market_receivership": 0.0} | terms)
    put(w.clock[0], month=8, turn=turn)
    put(w.lenders[0], status=LenderStatus.FAILED, seized_units=10.0)
    put(w.operators[1], status=OperatorStatus.DEFAULTED, selling=1)
    loan = add_loan(w, usd=1e6, operator=1, status=LoanStatus.DEFAULTED)
    seized = offer(w, LENDER, loan=loan, reason=SaleReason.SEIZED, asked=8)
    estate = offer(w, PEER, asked=8)
    own = add_lot(w, node=USER)
    add_lot(w, node=OWNER, vintage=-90.0)  # it is not its month
    bids(w, 1, 10400.0)
    w.value[2, 0] = 100.0
    return w, seized, estate, own


def held(w, node: int) -> float:
    """Return the units that a node owns."""
    return float(w.lots.units[w.lots.owner == node].sum())


def told(w) -> list[tuple[int, int]]:
    """Return (seller, whether it had to sell) of each item on the tape."""
    return [(int(r.node), int(r.forced)) for r in tape(w, TapeRow.AUCTION)]


def test_in_the_first_round_all_that_is_on_offer_clears_at_once():
    w, seized, estate, own = everybody()
    with paid_in_full(w):
        trade(w, w.clock[0])
    assert told(w) == [(LENDER, 1), (PEER, 1), (USER, 0)]
    # 20.8 units for 10,400 USD.
    assert [(seller, pytest.approx(price)) for seller, _, _, price in trades(w)] == [
        (LENDER, 500),
        (PEER, 500),
        (USER, 500),
    ]
    assert [held(w, node) for node in (LENDER, PEER, USER)] == pytest.approx([0, 0, 9.2])
    assert (w.lenders[0].cash, w.operators[1].cash, w.buyers[0].budget) == pytest.approx((5000, 5000, 400))
    assert w.chips[0].forced_units == pytest.approx(20)
    assert w.lots[own].offered == 0.0


def test_rounds_are_not_time_owners_have_their_turn_once_a_month():
    w, _, _, own = everybody(turn=1)
    trade(w, w.clock[0])
    assert told(w) == [(LENDER, 1), (PEER, 1)]
    assert w.lots[own].units == 10.0


def test_what_owners_do_not_sell_is_withdrawn_and_what_must_be_sold_stays():
    w, seized, estate, own = everybody()
    w.buyers.budget[:] = 0.0
    trade(w, w.clock[0])
    assert told(w) == [(LENDER, 1), (PEER, 1), (USER, 0)]
    assert w.clock[0].trades == 0
    assert [offered(w, k)[0::2] for k in (seized, estate, own)] == [(10.0, 8), (10.0, 8), (0.0, -1)]


@pytest.mark.parametrize(
    ("turn", "node", "withdrawn"),
    [(0, USER, True), (1, USER, False), (0, OWNER, False), (0, OTHER_USER, False), (0, BACKSTOP, False)],
)
def test_only_in_the_first_round_and_of_those_whose_month_it_is_offers_are_withdrawn(turn, node, withdrawn):
    w, *_ = everybody(turn=turn)
    w.buyers.budget[:] = 0.0
    put(w.clock[0], month=8 if node != BACKSTOP else 10)  # the backstop would have its turn in month 10
    k = offer(w, node, reserve=1e9, reason=SaleReason.CHURN)
    trade(w, w.clock[0])
    assert w.lots[k].offered == (0.0 if withdrawn else 10.0)


@pytest.mark.parametrize("terms", [{"market_venue": Venue.INVERSE_DEMAND}, {"policy_frozen": 1}])
def test_where_the_venue_is_a_function_or_the_twin_is_frozen_only_who_need_not_sell_needs_a_buyer(terms):
    w, seized, estate, own = everybody(market_impact=0.0, market_impact_form=ImpactForm.LINEAR, **terms)
    w.chips[0].fundamental = 700.0
    with paid_in_full(w):
        trade(w, w.clock[0])
    assert told(w) == [(LENDER, 1), (PEER, 1), (USER, 0)]
    assert [(s, b, pytest.approx(p)) for s, b, _, p in trades(w)] == [
        (LENDER, -1, 700),
        (PEER, -1, 700),
        (USER, OTHER_USER, 10400 / 0.8),
    ]
    assert [held(w, node) for node in (LENDER, PEER, USER)] == pytest.approx([0, 0, 9.2])


@pytest.mark.parametrize("venue", [Venue.NETWORK, Venue.EXCHANGE])
def test_forced_sales_meet_buyers_in_the_other_venues(venue):
    w, *_ = everybody(turn=1, market_venue=venue)
    trade(w, w.clock[0])
    assert [(s, b, pytest.approx(p)) for s, b, _, p in trades(w)] == [
        (LENDER, OTHER_USER, 520),
        (PEER, OTHER_USER, 520),
    ]


def test_on_the_exchange_every_seller_reaches_every_buyer():
    w, *_ = everybody(market_venue=Venue.EXCHANGE, market_calls_a_month=1)
    w.contact_ptr[:] = 0
    trade(w, w.clock[0])
    # Two operators and two buyers, the seller not among them.
    assert [(r.node, r.reached) for r in tape(w, TapeRow.AUCTION)] == [(LENDER, 4), (PEER, 3), (USER, 3)]
    assert w.clock[0].trades == 3


def test_owners_take_part_in_their_month_lenders_and_the_backstop_never():
    w = calm(market_churn_interval=1)
    for node in range(BACKSTOP + 1):
        add_lot(w, node=node, units=100.0, vintage=-50.0, offered=0.0, reason=SaleReason.CHURN)
    put(w.lenders[0], status=LenderStatus.FAILED)
    policy = w.terms[0].policy_pacing
    trade(w, w.clock[0])
    assert policy >= 1.0
    assert told(w) == [(OWNER, 0), (PEER, 0), (USER, 0), (OTHER_USER, 0)]
    assert not w.lots.offered[2:7].any()


def test_each_generation_has_its_price_and_what_is_sold_is_gone():
    w = calm()
    keeps, sells = (add_lot(w, node=OWNER, units=100.0, vintage=1.0, chip=g) for g in range(2))
    bids(w, 0, 9000.0, g=1)
    w.value[2, 0] = 0.0
    trade(w, w.clock[0])
    assert [(r.chip, r.filled, r.forced) for r in tape(w, TapeRow.AUCTION)] == [(0, 0.0, 0), (1, pytest.approx(20), 0)]
    assert [w.lots[k].units for k in (keeps, sells)] == pytest.approx([100, 80])
    assert w.operators[0].cash == pytest.approx(9000)
    assert (w.chips[1].price, w.chips[0].price) == (pytest.approx(450), 1000.0)


def test_retired_chips_go_to_the_scrap_merchant():
    w = calm(buyers_scrap_bid=1.5)
    put(w.operators[0], power_value=1e6, used_power=100.0)
    put(w.buyers[0], kind=BuyerKind.SCRAP, budget=1e6, budget_cap=1e6, lot_limit=1.0)
    add_lot(w, node=OWNER, units=100.0, vintage=9.0)
    with paid_in_full(w):
        trade(w, w.clock[0])
    assert w.chips[0].price == pytest.approx(1.5 * SCRAP, rel=CLOSE)
    assert (w.chips[0].scrapped, w.chips[0].stock) == pytest.approx((100, 0), abs=1e-4)
    assert w.operators[0].used_power == pytest.approx(0.0, abs=1e-4)


def test_where_nothing_is_on_offer_nothing_happens():
    w = calm()
    w.purse[:] = -7.0
    trade(w, w.clock[0])
    assert (w.purse == -7.0).all()
    assert (w.clock[0].tape, w.clock[0].trades) == (0, 0)


def test_a_lender_sells_in_place_what_its_receiver_runs():
    # It is sound and asks half of the value in use; a peer without power takes the chips over where they stand.
    w = market(market_receivership=0.5, policy_pacing=1.0)
    put(w.operators[1], status=OperatorStatus.DEFAULTED, site_power=100.0, used_power=10.0)
    put(w.operators[0], cash=6000.0, dscr=2.0)
    w.value[0, 0] = HIGH
    put(w.lenders[0], capital_ratio=0.5, seized_units=10.0)
    loan = add_loan(w, usd=1e6, operator=1, status=LoanStatus.DEFAULTED)
    offer(w, LENDER, loan=loan, reason=SaleReason.SEIZED, site=1, seized=9)
    w.chips[0].fundamental = 900.0
    with paid_in_full(w):
        trade(w, w.clock[0])
    assert trades(w) == [(LENDER, OWNER, pytest.approx(10), pytest.approx(600))]
    assert w.operators.site_power.tolist() == pytest.approx([10, 90])
    assert w.operators.used_power.tolist() == pytest.approx([10, 0])
    assert w.loans[loan].principal == pytest.approx(1e6 - 6000)


# --- appraisals ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("units", "usd", "list_price", "end_of_sale", "scrap", "appraisal"),
    [
        # It opened at 800 and stands at 700; a quarter of the way to the price of the month.
        (4.0, 4 * 400.0, 2000.0, 99, 10.0, 800 - 400 / 4),
        (0.5, 0.5 * 1200.0, 2000.0, 99, 10.0, 800 + 400 / 4),
        (0.0, 0.0, 2000.0, 99, 10.0, 700.0),  # no trade
        (4.0, 4 * 1200.0, 850.0, 10, 10.0, 850.0),  # not above the price of a new one
        (0.0, 0.0, 650.0, 10, 10.0, 650.0),
        (4.0, 4 * 1200.0, 850.0, 9, 10.0, 900.0),  # which is no longer sold
        (4.0, 0.0, 2000.0, 99, 620.0, 620.0),  # not below scrap
        (0.0, 0.0, 500.0, 10, 620.0, 620.0),
    ],
)
def test_appraisals_that_look_at_trades_alone_move_toward_the_price_of_the_month(
    units, usd, list_price, end_of_sale, scrap, appraisal
):
    w = market(chips=2, marks_appraisal_speed=0.25, marks_index_weight=0.0, marks_evidence=0.5)
    for chip in w.chips:
        put(chip, appraisal_open=800.0, appraisal=700.0, stock=40.0)
    put(w.chips[1], traded_units=units, traded_usd=usd, list_price=list_price, end_of_sale=end_of_sale, scrap=scrap)
    for _ in range(2):  # rounds are not time: a second one changes nothing
        appraise(w, w.clock[0])
        assert w.chips.appraisal.tolist() == pytest.approx([700.0, appraisal])


@pytest.mark.parametrize(
    ("weight", "evidence", "looks"),
    [
        (0.6, 0.0, 0.0),  # any trade is evidence enough
        (0.6, 0.1, 0.6 * 0.5),  # four units are as many as a tenth of the stock
        (0.6, 0.3, 0.6 * 0.75),
        (1.0, 0.3, 0.75),
        (0.0, 0.3, 0.0),
    ],
)
def test_with_little_evidence_appraisals_move_to_what_rents_and_list_prices_imply(weight, evidence, looks):
    w = market(marks_appraisal_speed=0.25, marks_index_weight=weight, marks_evidence=evidence, market_risk_premium=0.1)
    put(w.chips[0], appraisal_open=800.0, appraisal=700.0, stock=40.0, list_price=9000.0, fundamental=500.0)
    put(w.chips[0], traded_units=4.0, traded_usd=4 * 1200.0)
    for _ in range(2):
        appraise(w, w.clock[0])
        # Trades say 1,200 and are believed by a quarter; an orderly sale would bring 450.
        assert w.chips[0].appraisal == pytest.approx(800 + 0.25 * (1 - looks) * 400 + looks * (450 - 800))


def test_what_is_implied_is_looked_at_within_the_month_only_where_something_traded():
    w = market(marks_index_weight=1.0)
    put(w.chips[0], appraisal_open=800.0, appraisal=700.0, fundamental=500.0)
    appraise(w, w.clock[0])
    assert w.chips[0].appraisal == 700.0


def test_items_keep_their_generation():
    w = market(chips=2)
    offer(w, OWNER, chip=1)
    w.operators[0].selling = 1
    forced(w)
    assert w.item[CHIP, 0] == 1
