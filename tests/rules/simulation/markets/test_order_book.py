"""Who bids for used hardware: within power, money and beliefs; who cannot, and why; when the backstop steps in."""

from __future__ import annotations

import pytest

from agents.tables.buyers import UNLIMITED, BuyerKind
from agents.tables.operators import OperatorStatus
from simulation.markets.auction import BIDDER, CAP, HOPS, LIMIT, MONEY
from simulation.markets.order_book import (
    add_backstop,
    bidder_money,
    bidder_units,
    collect_bids,
    is_sound,
    reached_contacts,
    weigh_bid,
)
from simulation.markets.tape import TapeRow
from simulation.markets.venues import collect_asks, hold_auction, list_offers
from tests.rules.worlds import add_lot, small_world

#: Nodes of :func:`market`: a lender, outside investors, two operators, two buyers, the backstop.
LENDER, OUTSIDE, PEER, OTHER_PEER, USER, OTHER_USER, BACKSTOP = range(7)
#: As bidders they are counted from the first operator.
B_PEER, B_OTHER_PEER, B_USER, B_OTHER_USER, B_BACKSTOP = range(5)
TERMS = {
    "market_peer_dscr": 1.25, "market_peer_cash": 0.5, "credit_cash_reserve": 3.0, "market_finder_fee": 0.1,
    "market_risk_premium": 0.0, "market_fall_weight": 0.0, "market_volatility_weight": 0.0, "market_calls_a_month": 10,
    "policy_backstop_capacity": 0.0,
}  # fmt: skip


def put(row, **columns: float):
    for name, value in columns.items():
        setattr(row, name, value)
    return row


def market(*, tape: int = 0, contacts=None, **terms: float):
    """Everybody can bid for generation 1, which needs 4 kW; what it is worth: 300, 400, 500, 600 and to the last 700."""
    w = small_world(lenders=1, operators=2, buyers=2, chips=2, tape=tape, contacts=contacts, terms=TERMS | terms)
    w.chips[1].power = 4.0
    for o, op in enumerate(w.operators):
        put(op, dscr=2.0, cash=1000.0 + 200.0 * o, overheads=100.0, due=20.0, site_power=100.0, used_power=60.0 - 4 * o)
    for b, buyer in enumerate(w.buyers):
        put(buyer, kind=BuyerKind.ENTERPRISE, power=24.0 + 4 * b, budget=800.0 + b, budget_cap=4000.0, lot_limit=0.5)
    w.value[:, 1] = [300.0, 400.0, 500.0, 600.0, 700.0]
    return w


# --- bidders ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("state", "sound"),
    [
        ({}, True),
        ({"dscr": 1.25}, True),
        ({"dscr": 1.24}, False),
        ({"arrears": 0.01}, False),
        ({"status": OperatorStatus.STRESSED}, False),
        ({"status": OperatorStatus.DEFAULTED}, False),
    ],
)
def test_operators_must_be_sound_to_bid_and_others_always_may(state, sound):
    w = market()
    put(w.operators[1], **state)
    assert is_sound(w.operators, w.terms[0], B_OTHER_PEER) == sound
    assert is_sound(w.operators, w.terms[0], B_PEER)
    w.operators.status[:] = OperatorStatus.DEFAULTED
    assert all(is_sound(w.operators, w.terms[0], b) for b in (B_USER, B_OTHER_USER, B_BACKSTOP))


@pytest.mark.parametrize(
    ("bidder", "units", "money"),
    [
        (
            B_PEER,
            (100 - 60) / 4,
            0.5 * (1000 - 3 * 120),
        ),  # half of its cash beyond three months of costs and debt service
        (B_OTHER_PEER, (100 - 56) / 4, 0.5 * (1200 - 3 * 120)),
        (B_USER, 24 / 4, 800.0),
        (B_OTHER_USER, 28 / 4, 801.0),
    ],
)
def test_a_bidder_takes_what_its_free_power_runs_and_spends_what_it_has_to_spare(bidder, units, money):
    w = market()
    assert bidder_units(w.operators, w.buyers, w.chips[1], w.terms[0], bidder) == pytest.approx(units)
    assert bidder_units(w.operators, w.buyers, w.chips[0], w.terms[0], bidder) == pytest.approx(4 * units)  # needs 1 kW
    assert bidder_money(w.operators, w.buyers, w.terms[0], bidder) == pytest.approx(money)


def weighed(w, bidder: int = B_USER, premium: float = 0.0, hops: float = 1.0):
    return weigh_bid(
        w.operators, w.buyers, w.chips[1], w.terms[0], w.clock[0], bidder, w.value[bidder, 1], premium, hops
    )


@pytest.mark.parametrize(
    ("hops", "fee"),
    [(0.5, 0.0), (1.0, 0.0), (2.0, 0.1), (4.0, 0.3)],
)
def test_brokers_lower_what_is_bid_and_money_is_kept_for_them(hops, fee):
    why, limit, units, money = weighed(market(), premium=0.25, hops=hops)
    assert why == TapeRow.BID
    assert (limit, units, money) == pytest.approx((500 * 0.75 * (1 - fee), 6, 800 / (1 + fee)))


@pytest.mark.parametrize("bidder", [B_PEER, B_OTHER_PEER, B_USER, B_OTHER_USER])
def test_each_bidder_is_weighed_by_its_own_value_power_and_money(bidder):
    w = market()
    why, limit, units, money = weighed(w, bidder)
    assert (why, limit) == (TapeRow.BID, [300.0, 400.0, 500.0, 600.0][bidder])
    assert (units, money) == pytest.approx([(10, 320), (11, 420), (6, 800), (7, 801)][bidder])


@pytest.mark.parametrize(
    ("value", "power", "budget", "why"),
    [
        (500.0, 24.0, 800.0, TapeRow.BID),
        (0.01, 24.0, 800.0, TapeRow.BID),
        (0.0, 24.0, 800.0, TapeRow.NO_VALUE),
        (-1.0, 24.0, 800.0, TapeRow.NO_VALUE),
        (0.0, 0.0, 0.0, TapeRow.NO_VALUE),  # the first reason counts
        (500.0, 4e-6, 800.0, TapeRow.BID),  # a millionth of a chip
        (500.0, 3.9e-6, 800.0, TapeRow.NO_POWER),
        (500.0, 0.0, 0.0, TapeRow.NO_POWER),
        (500.0, 24.0, 0.0006, TapeRow.BID),
        (512.0, 24.0, 512e-6, TapeRow.BID),  # the money for a millionth
        (500.0, 24.0, 0.0004, TapeRow.NO_MONEY),
        (500.0, 24.0, 0.0, TapeRow.NO_MONEY),
    ],
)
def test_who_does_not_bid_sees_no_value_has_no_power_or_no_money(value, power, budget, why):
    w = market()
    put(w.buyers[0], power=power, budget=budget)
    w.value[B_USER, 1] = value
    assert weighed(w)[0] == why


def test_soundness_comes_first():
    w = market()
    put(w.operators[0], dscr=0.5, site_power=0.0, cash=0.0)
    w.value[B_PEER, 1] = 0.0
    assert weighed(w, B_PEER)[0] == TapeRow.NOT_SOUND


# --- the backstop ----------------------------------------------------------------------------------------------
def backstop(best: float, budget: float, fundamental: float = 1000.0):
    """The backstop offers 0.8 of what chips are worth in use when the best bid is a quarter below that."""
    w = market(policy_backstop_trigger=0.25, policy_backstop_price=0.8)
    w.buyers[2].budget = budget
    w.chips[1].fundamental, w.chips[0].fundamental = fundamental, 77.0
    return w, add_backstop(w, w.terms[0], 3, 1, best)


@pytest.mark.parametrize(
    ("best", "budget", "bids"),
    [
        (749.0, 5000.0, True),
        (0.0, 5000.0, True),
        (750.0, 5000.0, False),
        (900.0, 5000.0, False),
        (749.0, 1.0, True),
        (749.0, 0.99, False),  # its capacity is spent
    ],
)
def test_the_backstop_bids_with_all_that_it_has_when_the_best_bid_is_below_its_trigger(best, budget, bids):
    w, n = backstop(best, budget)
    assert n == 3 + bids
    if bids:
        row = [w.scratch[k, 3] for k in (LIMIT, CAP, MONEY, HOPS)]
        assert row == pytest.approx([0.8 * 1000, UNLIMITED, budget, 1.0])
        assert w.ranking[BIDDER, 3] == B_BACKSTOP
    else:
        assert not w.scratch[:, 3].any()


# --- contacts --------------------------------------------------------------------------------------------------
CONTACTS = {
    LENDER: ((PEER, 1),),
    PEER: ((USER, 1), (OTHER_PEER, 2), (OTHER_USER, 4)),
    OTHER_PEER: ((PEER, 1), (OTHER_USER, 2)),
}


@pytest.mark.parametrize(
    ("seller", "months", "first", "reached"),
    [(LENDER, 0, 0, 1), (PEER, 0, 1, 2), (PEER, 1, 1, 3), (PEER, 5, 1, 3), (OTHER_PEER, 0, 4, 2), (USER, 3, 6, 0)],
)
def test_a_seller_reaches_two_contacts_more_with_every_month_of_search_as_far_as_it_has_any(
    seller, months, first, reached
):
    w = market(contacts=CONTACTS, market_calls_a_month=2)
    assert reached_contacts(w, w.terms[0], seller, months) == (first, reached)


@pytest.mark.parametrize(("months", "reached"), [(0, 1), (1, 2), (2, 3)])
def test_each_month_of_search_adds_the_calls_of_a_month(months, reached):
    w = market(contacts=CONTACTS, market_calls_a_month=1)
    assert reached_contacts(w, w.terms[0], PEER, months) == (1, reached)


# --- the book --------------------------------------------------------------------------------------------------
def collected(w, seller: int = PEER, months: int = 0):
    """Collect the bids for generation 1; return (node, limit, units, money, hops) of each."""
    w.scratch[:], w.ranking[:] = -7.0, -7
    n = collect_bids(w, w.clock[0], w.terms[0], 1, seller, months)
    assert w.ranking[BIDDER, n] == -7  # nothing behind the last
    return [
        (int(w.ranking[BIDDER, j]) + PEER, *(round(float(w.scratch[k, j]), 6) for k in (LIMIT, CAP, MONEY, HOPS)))
        for j in range(n)
    ]


def test_the_contacts_reached_bid_nearest_first_each_at_its_distance():
    w = market(contacts=CONTACTS, market_calls_a_month=2)
    user, peer = (USER, 500.0, 6.0, 800.0, 1.0), (OTHER_PEER, 400 * 0.9, 11.0, round(420 / 1.1, 6), 2.0)
    far = (OTHER_USER, 600 * 0.7, 7.0, round(801 / 1.3, 6), 4.0)
    assert collected(w) == [user, peer]
    assert collected(w, months=1) == [user, peer, far]
    # Who cannot bid is passed over.
    w.operators[1].dscr = 1.0
    assert collected(w, months=1) == [user, far]
    assert collected(w, OTHER_PEER) == [
        (PEER, 300.0, 10.0, 320.0, 1.0),
        (OTHER_USER, 540.0, 7.0, round(801 / 1.1, 6), 2.0),
    ]


def test_on_the_exchange_everybody_bids_directly_but_the_backstop():
    w = market(contacts={}, market_calls_a_month=1)
    w.buyers[2].budget = 5000.0
    assert collected(w, -1) == [
        (PEER, 300.0, 10.0, 320.0, 1.0),
        (OTHER_PEER, 400.0, 11.0, 420.0, 1.0),
        (USER, 500.0, 6.0, 800.0, 1.0),
        (OTHER_USER, 600.0, 7.0, 801.0, 1.0),
    ]


def test_bidders_hold_the_risk_premium_of_the_generation_back():
    w = market(market_risk_premium=0.1, market_volatility_weight=0.5, market_premium_cap=0.9, contacts=CONTACTS)
    w.chips[1].volatility = 0.3
    assert collected(w, LENDER) == [(PEER, 300 * (1 - 0.25), 10.0, 320.0, 1.0)]


@pytest.mark.parametrize(("before", "best"), [(0.0, 600.0), (599.0, 600.0), (601.0, 601.0)])
def test_the_best_bid_of_the_month_is_remembered(before, best):
    w = market()
    w.chips[1].best_bid = before
    collected(w, LENDER)
    assert (w.chips[1].best_bid, w.chips[0].best_bid) == (best, 0.0)
    # The best is neither the first nor the last of them.
    w = market()
    w.value[:, 1] = [500.0, 700.0, 0.5, 600.0, 0.0]
    collected(w, LENDER)
    assert w.chips[1].best_bid == 700.0
    # A month of search cannot make it worse; and without a bid there is none.
    w.value[:] = 0.0
    collected(w, LENDER)
    assert w.chips[1].best_bid == 700.0


@pytest.mark.parametrize(
    ("capacity", "fundamental", "stands_by"),
    [(1.0, 1000.0, True), (0.5, 1000.0, True), (0.0, 1000.0, False), (1.0, 700.0, False)],
)
@pytest.mark.parametrize("seller", [LENDER, -1])
def test_the_backstop_comes_last_when_the_best_of_the_others_is_too_low(capacity, fundamental, stands_by, seller):
    # The best bid is 600: below three quarters of 1,000, not of 700.
    w = market(policy_backstop_capacity=capacity, policy_backstop_trigger=0.25, policy_backstop_price=0.8)
    w.buyers[2].budget = 5000.0
    w.chips[1].fundamental = fundamental
    bids = collected(w, seller)
    assert [node for node, *_ in bids] == [PEER, OTHER_PEER, USER, OTHER_USER] + [BACKSTOP] * stands_by
    if stands_by:
        assert bids[-1][1:] == (0.8 * fundamental, UNLIMITED, 5000.0, 1.0)
    # It is a policy's bid, not the market's.
    assert w.chips[1].best_bid == 600.0


def test_where_nobody_bids_the_backstop_does():
    w = market(policy_backstop_capacity=1.0, policy_backstop_trigger=0.9999, policy_backstop_price=0.8)
    w.buyers[2].budget = 5000.0
    w.value[:] = 0.0
    assert [node for node, *_ in collected(w)] == [BACKSTOP]
    assert w.chips[1].best_bid == 0.0


# --- who does not bid ------------------------------------------------------------------------------------------
def absent(w, seller: int = PEER, searched: int = 0):
    """Auction a lot of generation 1; return how many were reached, and (kind, node, chip, limit) of who did not bid."""
    put(w.clock[0], month=9)
    add_lot(w, node=LENDER if seller < 0 else seller, chip=1, offered=10.0, asked=9 - searched, reserve=5000.0)
    n, months = collect_asks(w, w.clock[0], 1, list_offers(w, LENDER if seller < 0 else seller, 0))
    hold_auction(w, w.clock[0], w.terms[0], 1, seller, n, months, True)
    rows = w.tape[: w.clock[0].tape]
    (auction,) = rows[rows.kind == TapeRow.AUCTION]
    why = rows[(rows.kind >= TapeRow.NOT_SOUND) & (rows.kind <= TapeRow.NO_VALUE)]
    assert not why.units.any()
    return int(auction.reached), [(TapeRow(r.kind), int(r.node), int(r.chip), round(float(r.price), 6)) for r in why]


def test_the_tape_tells_who_was_reached_and_did_not_bid_and_why():
    w = market(tape=20, contacts=CONTACTS, market_calls_a_month=2, market_risk_premium=0.5)
    w.operators[1].arrears = 3.0
    w.buyers[0].budget = 0.0
    w.buyers[1].power = 0.0
    # Their limits: half of the value, less brokerage of a tenth a hop.
    near = [(TapeRow.NO_MONEY, USER, 1, 250.0), (TapeRow.NOT_SOUND, OTHER_PEER, 1, 200 * 0.9)]
    assert absent(w) == (2, near)
    w.clock[0].tape = 0
    w.lots.offered[:] = 0.0
    assert absent(w, searched=1) == (3, [*near, (TapeRow.NO_POWER, OTHER_USER, 1, 300 * 0.7)])
    w.clock[0].tape = 0
    # Another seller knows others.
    assert absent(w, OTHER_PEER) == (2, [(TapeRow.NO_POWER, OTHER_USER, 1, 300 * 0.9)])


def test_on_the_exchange_all_but_the_backstop_are_reached():
    w = market(tape=20, contacts={}, market_risk_premium=0.5)
    w.operators[1].arrears = 3.0
    w.value[B_USER, 1] = 0.0
    assert absent(w, -1) == (4, [(TapeRow.NOT_SOUND, OTHER_PEER, 1, 200.0), (TapeRow.NO_VALUE, USER, 1, 0.0)])


def test_who_bids_is_not_absent():
    assert absent(market(tape=20)) == (3, [])
