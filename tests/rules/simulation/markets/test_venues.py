"""Where used hardware trades: who offers what at which reserve, to whom, and what a sale sets off."""

from __future__ import annotations

import math

import pytest

from agents.tables.buyers import BuyerKind
from agents.tables.events import Cause, EventKind, SaleReason
from agents.tables.ledger import Flow
from agents.tables.loans import LoanStatus
from agents.tables.operators import OperatorStatus
from simulation.markets.auction import LOT, OFFER, RESERVE, UNITS
from simulation.markets.impact import ImpactForm
from simulation.markets.tape import TapeRow
from simulation.markets.venues import (
    Venue,
    appraise,
    collect_asks,
    exchange_forced,
    hold_auction,
    impact_price,
    list_offers,
    offer_forced,
    offer_voluntary,
    sell_to_market,
    trade_calm,
    trade_forced,
)
from tests.rules.worlds import add_loan, add_lot, events, small_world

#: Nodes of :func:`market`.
LENDER, OUTSIDE, OWNER, PEER, USER, OTHER_USER, BACKSTOP = range(7)
B_USER, B_OTHER = USER - OWNER, OTHER_USER - OWNER
#: Buyers pay their value in use; an operator without the DSCR does not bid.
TERMS = {
    "market_venue": Venue.NETWORK, "market_risk_premium": 0.0, "market_fall_weight": 0.0, "market_finder_fee": 0.0,
    "market_volatility_weight": 0.0, "market_peer_dscr": 1.1, "market_calls_a_month": 10, "rental_install_lag": 2,
}  # fmt: skip


def put(row, **columns: float):
    for name, value in columns.items():
        setattr(row, name, value)
    return row


def market(*, chips: int = 1, tape: int = 0, contacts=None, **terms: float):
    """One lender, two operators, two buyers. Month 9, round 1; appraisals of 1,000, scrap 10."""
    w = small_world(lenders=1, operators=2, buyers=2, chips=chips, tape=tape, contacts=contacts, terms=TERMS | terms)
    put(w.clock[0], month=9, turn=1)
    w.chips.scrap[:] = 10.0
    return w


def bids(w, b: int, limit: float, units: float, g: int = 0, budget: float = 1e6) -> None:
    """Let buyer ``b`` bid ``limit`` for up to ``units`` of generation ``g``."""
    put(
        w.buyers[b],
        kind=BuyerKind.ENTERPRISE,
        budget=budget,
        budget_cap=budget,
        lot_limit=1.0,
        power=units * w.chips[g].power,
    )
    w.value[len(w.operators) + b, g] = limit


def offer(w, node: int, units: float = 10.0, **lot: float) -> int:
    """Give ``node`` a lot that is for sale whole at any price."""
    return add_lot(w, node=node, units=units, **{"offered": units, "asked": 9, "reason": SaleReason.ESTATE, **lot})


def tape(w, kind: TapeRow):
    return [row for row in w.tape[: w.clock[0].tape] if row.kind == kind]


# --- offers ----------------------------------------------------------------------------------------------------
def test_an_owners_lots_that_are_for_sale_are_listed_behind_what_is_listed_already():
    w = market()
    w.ranking[OFFER, :4] = -7
    first = offer(w, OWNER)
    add_lot(w, node=OWNER)
    offer(w, PEER)
    last = offer(w, OWNER, offered=0.001)
    assert list_offers(w, OWNER, 1) == 3
    assert w.ranking[OFFER, :4].tolist() == [-7, last, first, -7]
    assert list_offers(w, USER, 3) == 3


def test_asks_are_the_offers_of_a_generation_that_are_still_there_from_scrap_value_up():
    w = market(chips=2)
    w.chips.scrap[:] = [10.0, 20.0]
    sold_out = offer(w, OWNER, chip=1, offered=0.0)
    cheap = offer(w, OWNER, 7.0, chip=1, offered=3.0, reserve=15.0, asked=4)
    other = offer(w, OWNER, chip=0)
    dear = offer(w, OWNER, 5.0, chip=1, reserve=400.0, asked=7)
    for j, k in enumerate([sold_out, cheap, other, dear, cheap]):
        w.ranking[OFFER, j] = k
    # The oldest of them has been searching since month 4, this one with it; the fifth in the list does not count.
    assert collect_asks(w, w.clock[0], 1, 4) == (2, 4 * (1 + 9 - 4))
    assert w.ranking[LOT, :2].tolist() == [cheap, dear]
    assert w.scratch[RESERVE, :2].tolist() == [20.0, 400.0]
    assert w.scratch[UNITS, :2].tolist() == [3.0, 5.0]
    # The same, listed the other way round.
    w.ranking[OFFER, :2] = [dear, cheap]
    assert collect_asks(w, w.clock[0], 1, 2) == (2, 4 * (1 + 9 - 4))
    assert w.ranking[LOT, :2].tolist() == [dear, cheap]
    assert collect_asks(w, w.clock[0], 1, 0) == (0, 0)
    # Who is in a hurry has so many weeks less; the seller's search is that of its least hurried lot.
    w.lots[cheap].hurry = 3
    assert collect_asks(w, w.clock[0], 1, 2) == (2, 4 * (1 + 9 - 4) - 3)
    w.lots[cheap].asked = 7
    assert collect_asks(w, w.clock[0], 1, 2) == (2, 4 * (1 + 9 - 7))


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


@pytest.mark.parametrize(("frozen", "price"), [(0, 800 * (1 - 2 * 8 / 32)), (1, 800.0)])
def test_the_impersonal_market_takes_every_ask_at_one_price(frozen, price):
    w = market(market_impact=2.0, market_impact_form=ImpactForm.LINEAR, policy_frozen=frozen)
    lots = [offer(w, OWNER, 20.0, offered=5.0), offer(w, PEER, 12.0, offered=3.0)]
    w.ranking[LOT, :2], w.scratch[UNITS, :3] = lots, [5.0, 3.0, 9.0]
    w.chips[0].fundamental = 800.0
    assert sell_to_market(w, w.clock[0], w.terms[0], 0, 2) == pytest.approx((price, 5 + 3))
    assert w.operators.cash.tolist() == pytest.approx([5 * price, 3 * price])
    assert [w.lots[k].units for k in lots] == [15.0, 9.0]
    assert w.book[Flow.MARKET_TO_OPERATOR] == pytest.approx(8 * price)
    assert [(t.buyer, t.hops) for t in w.trades[:2]] == [(-1, 0), (-1, 0)]
    assert w.lots[w.first_lot[BACKSTOP]].units == 8.0  # where units are kept that nobody in particular bought


# --- an auction ------------------------------------------------------------------------------------------------
def auction(w, seller: int, *, g: int = 0, forced: bool = True, at: int | None = None) -> None:
    """Auction what ``seller`` offers, as the phase does; ``at`` is -1 on the exchange."""
    n_asks, weeks = collect_asks(w, w.clock[0], g, list_offers(w, seller, 0))
    hold_auction(w, w.clock[0], w.terms[0], g, seller if at is None else at, n_asks, weeks, forced)


def test_a_forced_sale_sets_the_price_and_is_an_event_that_follows_from_what_put_the_lot_up():
    w = market(chips=2)
    w.clock[0].events = 3
    bids(w, 0, 600.0, 6.0, g=1)
    bids(w, 1, 700.0, 2.0, g=1)
    offer(w, OWNER, 4.0, chip=1, cause=1)
    offer(w, OWNER, 3.0, chip=1, cause=2)  # listed first
    auction(w, OWNER, g=1)
    # Two would go at 700; the bid that buys the last of seven sets the price.
    assert (w.chips[1].price, w.chips[0].price) == (600.0, 1000.0)
    assert w.chips[1].traded_units == w.chips[1].forced_units == pytest.approx(7)
    assert w.operators[0].cash == pytest.approx(7 * 600)
    event = events(w)[3]
    assert (event.kind, event.cause, event.node, event.other) == (EventKind.FORCED_SALE, Cause.FIRE_SALE, OWNER, -1)
    assert (event.chip, event.units, event.usd) == (1, pytest.approx(7), pytest.approx(7 * 600))
    assert event.parent == 2
    assert w.clock[0].events == 4
    assert (w.chips[1].last_event, w.chips[0].last_event) == (3, -1)


@pytest.mark.parametrize(("seller", "at", "node"), [(OWNER, None, OWNER), (LENDER, None, LENDER), (OWNER, -1, -1)])
def test_the_event_names_the_seller_but_the_exchange_has_none(seller, at, node):
    w = market()
    bids(w, 0, 600.0, 6.0)
    offer(w, seller)
    auction(w, seller, at=at)
    assert events(w)[0].node == node


@pytest.mark.parametrize(
    ("opened", "shock", "shock_then", "last"),
    [
        (1000.0, 0.0, 6 * 400.0, 0),
        (1000.0, 2300.0, 6 * 400.0, 0),
        (1000.0, 2400.0, 2400.0, 0),  # as much as the one before: it is the later
        (1000.0, 2500.0, 2500.0, 77),  # the largest fall of the month stays the cause of margin calls
        (500.0, 3.0, 3.0, 77),  # above the opening appraisal nothing falls
    ],
)
def test_the_sale_that_fell_shortest_of_the_opening_appraisal_is_the_shock_of_the_month(
    opened, shock, shock_then, last
):
    w = market()
    put(w.clock[0], shock_usd=shock, last_shock=77)
    put(w.chips[0], appraisal_open=opened, appraisal=900.0)
    bids(w, 0, 600.0, 60.0)
    offer(w, OWNER, 6.0)
    auction(w, OWNER)
    assert w.clock[0].shock_usd == pytest.approx(shock_then)
    assert w.clock[0].last_shock == last


def test_a_voluntary_sale_sets_the_price_and_is_no_event():
    w = market()
    bids(w, 0, 600.0, 60.0)
    offer(w, OWNER, 6.0, reason=SaleReason.CHURN)
    auction(w, OWNER, forced=False)
    assert w.chips[0].price == 600.0
    assert (w.chips[0].traded_units, w.chips[0].forced_units) == (6.0, 0.0)
    assert w.clock[0].events == 0
    assert (w.chips[0].last_event, w.clock[0].last_shock, w.clock[0].shock_usd) == (-1, -1, 0.0)


@pytest.mark.parametrize(
    ("limit", "units"),
    [(0.0, 6.0), (299.0, 6.0), (600.0, 1e-6)],  # nobody bids; nobody bids enough; dust
)
def test_without_a_trade_nothing_happened(limit, units):
    w = market()
    bids(w, 0, limit, units)
    k = offer(w, OWNER, reserve=300.0)
    auction(w, OWNER)
    assert w.chips[0].price == 1000.0
    assert (w.clock[0].events, w.clock[0].trades, w.clock[0].last_shock) == (0, 0, -1)
    assert (w.lots[k].units, w.lots[k].offered) == (10.0, 10.0)


@pytest.mark.parametrize(
    ("venue", "frozen", "forced", "price"),
    [
        # A buyer pays 300; the function says half of what they are worth in use, 800, as 10 of 40 are sold.
        (Venue.NETWORK, 0, True, 300.0),
        (Venue.EXCHANGE, 0, True, 300.0),
        (Venue.INVERSE_DEMAND, 0, True, 800 * (1 - 2 * 10 / 40)),
        (Venue.NETWORK, 1, True, 800.0),
        (Venue.INVERSE_DEMAND, 1, True, 800.0),
        # Who need not sell always needs a buyer.
        (Venue.INVERSE_DEMAND, 0, False, 300.0),
        (Venue.NETWORK, 1, False, 300.0),
    ],
)
def test_buyers_are_replaced_for_forced_sales_only_where_the_venue_is_a_function_or_the_twin_is_frozen(
    venue, frozen, forced, price
):
    w = market(
        market_venue=venue, policy_frozen=frozen, market_impact=2.0, market_impact_form=ImpactForm.LINEAR, tape=1
    )
    add_lot(w, node=PEER, units=30.0)
    bids(w, 0, 300.0, 60.0)
    offer(w, OWNER)
    w.chips[0].fundamental = 800.0
    auction(w, OWNER, forced=forced)
    assert w.chips[0].price == pytest.approx(price)
    assert w.operators[0].cash == pytest.approx(10 * price)
    assert [(e.units, e.usd) for e in events(w)] == [pytest.approx((10, 10 * price))] * forced
    row = tape(w, TapeRow.AUCTION)[0]
    assert (row.node, row.chip, row.price, row.units) == (OWNER, 0, pytest.approx(price), 10.0)


# --- the tape --------------------------------------------------------------------------------------------------
def watched(rows: int = 20, forced: bool = True, **terms: float):
    """Two asks of the owner (4 from 200 up, 10 from 100 up, listed in that order), bids of 300 for 3 and 250 for 20."""
    w = market(tape=rows, chips=2, **terms)
    bids(w, 0, 300.0, 3.0, g=1)
    bids(w, 1, 250.0, 20.0, g=1, budget=2200.0)
    offer(w, OWNER, 10.0, chip=1, reserve=100.0)
    offer(w, OWNER, 4.0, chip=1, reserve=200.0)
    auction(w, OWNER, g=1, forced=forced)
    return w


@pytest.mark.parametrize("forced", [True, False])
def test_the_tape_shows_an_auction_with_its_orders_and_their_fills(forced):
    # From 200 to 250 all fourteen are on offer; 3 and 2200/200 = 11 are wanted at 200, fewer above.
    w = watched(forced=forced)
    (row,) = tape(w, TapeRow.AUCTION)
    assert (row.node, row.chip, row.turn, row.forced, row.reached) == (OWNER, 1, 1, int(forced), 3)
    assert (row.price, row.units, row.filled) == pytest.approx((200, 14, 14))
    assert [
        (r.node, r.chip, *(round(x, 6) for x in (r.price, r.units, r.money, r.filled, r.hops)))
        for r in tape(w, TapeRow.BID)
    ] == [(USER, 1, 300, 3, 1e6, 3, 1), (OTHER_USER, 1, 250, 20, 2200, 11, 1)]
    assert [(r.node, r.chip, r.price, r.units, round(r.filled, 6)) for r in tape(w, TapeRow.ASK)] == [
        (OWNER, 1, 200, 4, 4),
        (OWNER, 1, 100, 10, 10),
    ]
    # The other operator was reached and could not bid.
    assert [r.node for r in tape(w, TapeRow.NOT_SOUND)] == [PEER]


@pytest.mark.parametrize("rows", [1, 20])
def test_an_auction_without_a_bid_is_on_the_tape_too(rows):
    w = market(tape=rows)
    w.scratch[:] = 5.0  # what an earlier auction left there
    offer(w, OWNER, 10.0, reserve=100.0)
    auction(w, OWNER)
    (row,) = tape(w, TapeRow.AUCTION)
    assert (row.node, row.price, row.units, row.filled, row.forced, row.reached) == (OWNER, 0, 10, 0, 1, 3)
    assert [(r.price, r.units, r.filled) for r in tape(w, TapeRow.ASK)] == [(100, 10, 0)] * (rows > 1)
    assert tape(w, TapeRow.BID) == []


@pytest.mark.parametrize("rows", [6, 7])
def test_a_full_tape_stays_as_it_is(rows):
    w = watched(rows=rows)
    before = w.tape.copy()
    bids(w, 0, 300.0, 3.0, g=0)
    offer(w, PEER, 2.0)
    auction(w, PEER)
    assert (w.tape[:6] == before[:6]).all()
    assert w.operators[1].cash > 0.0


@pytest.mark.parametrize("rows", range(7))
def test_a_tape_that_fills_up_keeps_what_it_has(rows):
    whole, cut = watched(), watched(rows=rows)
    kept = [(r.kind, r.node, r.filled, r.money, r.hops) for r in cut.tape]
    assert kept == [(r.kind, r.node, r.filled, r.money, r.hops) for r in whole.tape[:rows]]
    assert cut.operators[0].cash == pytest.approx(14 * 200)


# --- forced sales ----------------------------------------------------------------------------------------------
def sellers(**terms: float):
    """A lender, outside investors and both operators (which must sell) offer ten units each; buyers take ten in all."""
    w = market(**terms)
    loan = add_loan(w, usd=1e5, status=LoanStatus.DEFAULTED)
    for node in (LENDER, OUTSIDE, OWNER, PEER):
        offer(w, node, reserve=100.0, loan=loan if node == LENDER else -1, reason=SaleReason.SEIZED)
    put(w.lenders[0], patience=0.25)
    w.lenders.seized_units[:] = 10.0
    w.operators.selling[:] = 1
    bids(w, 0, 600.0, 10.0)
    return w


@pytest.mark.parametrize(
    ("month", "turn", "first"), [(8, 0, LENDER), (8, 1, OUTSIDE), (9, 1, OWNER), (9, 2, PEER), (9, 3, LENDER)]
)
def test_sellers_take_turns_to_be_first(month, turn, first):
    w = sellers()
    put(w.clock[0], month=month, turn=turn)
    w.lots.asked[:4] = month
    offer_forced(w, w.clock[0])
    assert [e.node for e in events(w)] == [first]
    assert [e.units for e in events(w)] == pytest.approx([10.0])


def test_all_sellers_sell_where_buyers_take_all():
    w = sellers()
    bids(w, 1, 500.0, 100.0)
    offer_forced(w, w.clock[0])
    # It is month 9 and round 1: the third of four is first.
    assert [e.node for e in events(w)] == [OWNER, PEER, LENDER, OUTSIDE]
    assert w.clock[0].trades == 4


@pytest.mark.parametrize("venue", [Venue.NETWORK, Venue.EXCHANGE])
def test_a_lender_asks_its_reserve_of_the_day_and_offers_all_that_it_has_seized(venue):
    # A quarter of the mark of 1,000 less nothing in the month of the seizure; before, 900 were asked for two units.
    w = sellers(market_venue=venue, market_patience_decay=0.0, policy_pacing=1.0)
    bids(w, 0, 250.0, 100.0)
    w.operators.selling[:] = 0
    put(w.lots[w.first_lot[LENDER]], seized=9, reserve=900.0, offered=2.0)
    put(w.lots[w.first_lot[OUTSIDE]], units=0.0, offered=0.0)
    trade_forced(w, w.clock[0])
    assert w.trades[0].seller == LENDER
    assert (w.trades[0].units, w.trades[0].price) == pytest.approx((10, 250))
    assert w.clock[0].trades == 1


@pytest.mark.parametrize("venue", [Venue.NETWORK, Venue.EXCHANGE])
def test_an_operator_that_need_not_sell_does_not(venue):
    w = sellers(market_venue=venue)
    bids(w, 1, 500.0, 100.0)
    w.operators[0].selling = 0
    trade_forced(w, w.clock[0])
    assert sorted(t.seller for t in w.trades[: w.clock[0].trades]) == [LENDER, OUTSIDE, PEER]


@pytest.mark.parametrize("venue", [Venue.NETWORK, Venue.EXCHANGE])
def test_every_generation_has_its_auction_and_who_offers_nothing_has_none(venue):
    w = market(chips=3, tape=20, market_venue=venue)
    w.operators.selling[:] = 1
    put(w.clock[0], month=10, turn=0)  # the owner is first
    add_lot(w, node=OWNER, chip=1)
    offer(w, PEER, 3.0, chip=2, asked=10)
    offer(w, PEER, 4.0, chip=0, asked=10)
    offer(w, PEER, 5.0, chip=2, asked=10)
    for g in range(3):
        bids(w, 0, 600.0, 100.0, g=g)
    offer(w, USER, 9.0, chip=1, asked=10)  # users are never forced
    trade_forced(w, w.clock[0])
    assert [(e.chip, e.units) for e in events(w)] == [(0, 4.0), (2, 8.0)]
    assert [row.forced for row in tape(w, TapeRow.AUCTION)] == [1, 1]


@pytest.mark.parametrize(("asked", "reached"), [(9, 1), (8, 2), (4, 3)])
def test_a_seller_reaches_more_contacts_the_longer_it_has_searched(asked, reached):
    w = market(tape=20, market_calls_a_month=1)
    w.operators[0].selling = 1
    offer(w, OWNER, asked=asked)
    offer_forced(w, w.clock[0])
    assert tape(w, TapeRow.AUCTION)[0].reached == reached


def test_on_the_exchange_all_sellers_meet_all_buyers_in_one_auction():
    # Nobody knows anybody; each has one unit at 100, but the lender asks for 250 and the last operator for 500.
    w = sellers(tape=20, contacts={}, market_patience_decay=0.0, market_calls_a_month=1)
    w.lots.units[:4] = w.lots.offered[:4] = [4.0, 3.0, 2.0, 1.0]
    w.lots[w.first_lot[PEER]].reserve = 500.0
    w.lots[w.first_lot[LENDER]].seized = 9
    bids(w, 0, 300.0, 20.0)
    bids(w, 1, 280.0, 20.0)
    exchange_forced(w, w.clock[0])
    (auctioned,) = tape(w, TapeRow.AUCTION)
    assert (auctioned.node, auctioned.units, auctioned.filled, auctioned.reached, auctioned.forced) == (-1, 10, 9, 4, 1)
    assert {t.seller for t in w.trades[: w.clock[0].trades]} == {LENDER, OUTSIDE, OWNER}
    (sale,) = events(w)
    assert (sale.node, sale.units, sale.usd) == (-1, pytest.approx(9), pytest.approx(9 * 300))


@pytest.mark.parametrize(
    ("venue", "nodes"),
    [(Venue.NETWORK, [OWNER, PEER]), (Venue.EXCHANGE, [-1]), (Venue.INVERSE_DEMAND, [OWNER, PEER])],
)
def test_forced_sales_go_to_the_venue_of_the_scenario(venue, nodes):
    w = market(market_venue=venue)
    w.operators.selling[:] = 1
    bids(w, 0, 600.0, 100.0)
    offer(w, OWNER)
    offer(w, PEER)
    trade_forced(w, w.clock[0])
    assert [e.node for e in events(w)] == nodes


# --- voluntary sales -------------------------------------------------------------------------------------------
CALM = {
    "market_churn_buyers": 0.02, "market_churn_operators": 0.05, "market_churn_interval": 4, "market_churn_age": 6,
    "market_churn_reserve": 0.75, "buyers_dealer_markup": 0.5,
}  # fmt: skip


def calm(*, chips: int = 2, month: int = 10, **terms: float):
    """Values in use: 400 and 450 to operators, 600 and 650 to buyers; the second buyer deals. Nobody bids."""
    w = market(chips=chips, tape=40, **CALM | terms)
    put(w.clock[0], month=month, turn=0)
    for b, usd in enumerate((400.0, 450.0, 600.0, 650.0)):
        w.value[b] = usd
    w.buyers[1].kind = BuyerKind.DEALER
    w.chips.appraisal[:] = 500.0
    w.buyers.budget[:] = 0.0
    return w


def offered(w, node: int):
    """Let ``node`` offer; return (owner, generation, reserve, units) of the asks that the auctions saw."""
    offer_voluntary(w, w.clock[0], node)
    return [(r.node, r.chip, float(r.price), float(r.units)) for r in tape(w, TapeRow.ASK)]


@pytest.mark.parametrize(
    ("node", "rates", "ask"),
    [
        (USER, {}, (600 * 0.75, 100 * 0.02 * 4)),
        (OWNER, {}, (400 * 0.75, 100 * 0.05 * 4)),
        (PEER, {}, (450 * 0.75, 100 * 0.05 * 4)),
        (OTHER_USER, {}, (500 * 1.5, 100.0)),  # a dealer offers all with a markup on the appraisal
        (USER, {"market_churn_buyers": 0.5}, (600 * 0.75, 100.0)),  # not more than there is
        (OWNER, {"market_churn_operators": 0.5}, (400 * 0.75, 100.0)),
    ],
)
def test_users_offer_part_of_their_lots_at_their_own_value_and_dealers_all_at_a_markup(node, rates, ask):
    w = calm(**rates)
    k = add_lot(w, node=node, units=100.0, vintage=1.0, chip=1, reason=SaleReason.ARREARS)
    w.value[:, 0] = 777.0  # of the other generation
    assert offered(w, node) == [(node, 1, *map(pytest.approx, ask))]
    # Not sold: withdrawn until the owner's next turn.
    assert (w.lots[k].offered, w.lots[k].asked, w.lots[k].units) == (0.0, -1, 100.0)


@pytest.mark.parametrize(
    ("kinds", "node", "reason"),
    [
        ((BuyerKind.RESEARCH, BuyerKind.DEALER), USER, SaleReason.CHURN),
        ((BuyerKind.RESEARCH, BuyerKind.DEALER), OTHER_USER, SaleReason.DEALER),
        ((BuyerKind.DEALER, BuyerKind.RESEARCH), USER, SaleReason.DEALER),
        ((BuyerKind.DEALER, BuyerKind.RESEARCH), OTHER_USER, SaleReason.CHURN),
    ],
)
def test_the_record_tells_a_dealers_sale_from_a_users(kinds, node, reason):
    w = calm()
    w.buyers[0].kind, w.buyers[1].kind = kinds
    add_lot(w, node=node, units=2.0, reason=SaleReason.ARREARS)
    put(w.operators[1], cash=1e6, dscr=2.0, site_power=50.0)
    w.value[1] = 900.0
    offer_voluntary(w, w.clock[0], node)
    assert [(t.seller, t.buyer, t.reason) for t in w.trades[: w.clock[0].trades]] == [(node, PEER, reason)]


@pytest.mark.parametrize(
    ("lot", "operator", "user"),
    [
        ({"vintage": 5.0}, 0.0, 8.0),  # users sell at any age, operators from six months on
        ({"vintage": 4.0}, 20.0, 8.0),
        ({"vintage": 4.0, "loan": 0}, 0.0, 0.0),
        ({"vintage": 4.0, "online": 11}, 0.0, 0.0),
        ({"vintage": 4.0, "online": 10}, 20.0, 8.0),
    ],
)
def test_only_free_lots_that_are_online_and_in_the_case_of_operators_old_are_offered(lot, operator, user):
    for node, units in ((OWNER, operator), (USER, user)):
        w = calm()
        add_loan(w)
        other = add_lot(w, node=node, units=50.0, vintage=1.0)  # the next in the list is offered in any case
        add_lot(w, node=node, units=100.0, **lot)
        add_lot(w, node=PEER, units=100.0, vintage=1.0)
        asks = offered(w, node)
        assert [units for *_, units in asks] == pytest.approx(
            ([units] if units else []) + [50 * (0.2 if node == OWNER else 0.08)]
        )
        assert w.lots[other].reason == SaleReason.CHURN
        assert not w.lots.offered.any()


def test_what_is_for_sale_for_another_reason_stays_as_it_is():
    w = calm()
    k = add_lot(w, node=OWNER, units=100.0, vintage=1.0)
    put(w.lots[k], offered=7.0, reserve=50.0, reason=SaleReason.MARGIN_CALL, asked=8)
    assert offered(w, OWNER) == [(OWNER, 0, 50.0, 7.0)]
    assert (w.lots[k].offered, w.lots[k].reserve, w.lots[k].asked) == (7.0, 50.0, 8)
    assert w.lots[k].reason == SaleReason.MARGIN_CALL


def test_each_generation_is_auctioned_and_what_is_sold_is_gone():
    w = calm()
    keeps, sells = (add_lot(w, node=OWNER, units=100.0, vintage=1.0, chip=g) for g in range(2))
    bids(w, 0, 450.0, 60.0, g=1)
    w.value[2, 0] = 0.0
    offered(w, OWNER)
    assert [(r.chip, r.filled, r.forced) for r in tape(w, TapeRow.AUCTION)] == [(0, 0.0, 0), (1, 20.0, 0)]
    assert [(r.chip, r.filled) for r in tape(w, TapeRow.ASK)] == [(0, 0.0), (1, 20.0)]
    assert [w.lots[k].units for k in (keeps, sells)] == [100.0, 80.0]
    assert w.lots[sells].offered == 0.0
    assert w.operators[0].cash == pytest.approx(20 * 450)
    assert w.trades[0].reason == SaleReason.CHURN
    assert (w.chips[1].forced_units, w.clock[0].events) == (0.0, 0)


@pytest.mark.parametrize(
    ("venue", "node", "reached"), [(Venue.NETWORK, USER, 1), (Venue.EXCHANGE, -1, 4), (Venue.INVERSE_DEMAND, USER, 1)]
)
def test_an_owner_calls_this_months_contacts_or_goes_to_the_exchange(venue, node, reached):
    w = calm(market_venue=venue, market_calls_a_month=1)
    add_lot(w, node=USER, units=100.0)
    offered(w, USER)
    assert [(r.node, r.reached) for r in tape(w, TapeRow.AUCTION)] == [(node, reached)]


def taking_part(w) -> list[int]:
    trade_calm(w, w.clock[0])
    return [int(r.node) for r in tape(w, TapeRow.AUCTION)]


@pytest.mark.parametrize(
    ("month", "nodes"),
    [(10, [OWNER]), (9, [PEER]), (8, [USER]), (7, [OTHER_USER]), (11, [OTHER_USER]), (6, [OWNER])],
)
def test_each_owner_has_its_month(month, nodes):
    # Every four months: node 2 in months 6 and 10, node 3 in 9, node 4 in 8 and so on.
    w = calm(month=month)
    for node in range(7):
        add_lot(w, node=node, units=100.0, vintage=-50.0, online=0)
    assert taking_part(w) == nodes


@pytest.mark.parametrize(
    ("turn", "state", "nodes"),
    [
        (0, {}, [OWNER, PEER, USER, OTHER_USER]),
        (1, {}, []),  # rounds are not time: once a month
        (0, {"status": OperatorStatus.STRESSED}, [OWNER, PEER, USER, OTHER_USER]),
        (0, {"status": OperatorStatus.DEFAULTED}, [OWNER, USER, OTHER_USER]),
        (0, {"selling": 1}, [OWNER, USER, OTHER_USER]),  # it sells by force in this round
    ],
)
def test_who_need_not_sell_trades_in_the_first_round_of_the_month(turn, state, nodes):
    w = calm(market_churn_interval=1)
    w.clock[0].turn = turn
    put(w.operators[1], **state)
    for node in range(7):
        add_lot(w, node=node, units=100.0, vintage=-50.0)
    assert taking_part(w) == nodes


def test_who_has_nothing_offers_nothing():
    w = calm(market_churn_interval=1)
    add_lot(w, node=PEER, units=100.0, vintage=-50.0)
    assert taking_part(w) == [PEER]


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
def test_appraisals_move_toward_the_price_of_the_month(units, usd, list_price, end_of_sale, scrap, appraisal):
    w = market(chips=2, marks_appraisal_speed=0.25)
    for chip in w.chips:
        put(chip, appraisal_open=800.0, appraisal=700.0)
    put(w.chips[1], traded_units=units, traded_usd=usd, list_price=list_price, end_of_sale=end_of_sale, scrap=scrap)
    for _ in range(2):  # rounds are not time: a second one changes nothing
        appraise(w, w.clock[0])
        assert w.chips.appraisal.tolist() == pytest.approx([700.0, appraisal])
