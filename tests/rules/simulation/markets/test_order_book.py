"""Who bids for used hardware: within power, money and beliefs; who cannot, and why; when the backstop steps in.

All of it is read off the tape of an auction, as whoever watches would.
"""

from __future__ import annotations

import pytest

from agents.tables.buyers import UNLIMITED, BuyerKind
from agents.tables.operators import OperatorStatus
from simulation.markets.tape import TapeRow
from simulation.markets.venues import collect_asks, hold_auction, list_offers
from tests.rules.worlds import add_lot, small_world

#: Nodes of :func:`market`: a lender, outside investors, two operators, two buyers, the backstop.
LENDER, OUTSIDE, PEER, OTHER_PEER, USER, OTHER_USER, BACKSTOP = range(7)
EXCHANGE = -1
TERMS = {
    "market_peer_dscr": 1.25, "market_peer_cash": 0.5, "credit_cash_reserve": 3.0, "market_finder_fee": 0.1,
    "market_risk_premium": 0.0, "market_fall_weight": 0.0, "market_volatility_weight": 0.0, "market_calls_a_month": 10,
    "policy_backstop_capacity": 0.0,
}  # fmt: skip


def put(row, **columns: float):
    for name, value in columns.items():
        setattr(row, name, value)
    return row


def market(contacts=None, **terms: float):
    """Everybody can bid for generation 1, which needs 4 kW; what it is worth: 300, 400, 500, 600 and to the last 700."""
    w = small_world(lenders=1, operators=2, buyers=2, chips=2, tape=30, contacts=contacts, terms=TERMS | terms)
    w.clock[0].month = 9
    w.chips[1].power = 4.0
    for o, op in enumerate(w.operators):
        put(op, dscr=2.0, cash=1000.0 + 200.0 * o, overheads=100.0, due=20.0, site_power=100.0, used_power=60.0 - 4 * o)
    for b, buyer in enumerate(w.buyers):
        put(buyer, kind=BuyerKind.ENTERPRISE, power=24.0 + 4 * b, budget=800.0 + b, budget_cap=4000.0, lot_limit=0.5)
    for b, usd in enumerate((300.0, 400.0, 500.0, 600.0, 700.0)):
        value(w, PEER + b, usd)
    return w


def value(w, node: int, usd: float) -> None:
    w.value[node - PEER, 1] = usd


def auction(w, seller: int = LENDER, searched: int = 0, g: int = 1, hurry: int = 0):
    """Auction a lot that asks too much to be sold; return the bids, who else was reached and why not, how many in all.

    A bid is (node, limit, units, money, hops), who does not bid (why, node).
    """
    w.clock[0].tape = 0
    w.lots.offered[:] = 0.0
    owner = max(seller, LENDER)
    add_lot(w, node=owner, chip=g, offered=10.0, asked=9 - searched, reserve=5000.0, hurry=hurry)
    n_asks, weeks = collect_asks(w, w.clock[0], g, list_offers(w, owner, 0))
    hold_auction(w, w.clock[0], w.terms[0], g, seller, n_asks, weeks, True)
    rows = w.tape[: w.clock[0].tape]
    assert (rows.chip == g).all()
    (reached,) = (int(r.reached) for r in rows if r.kind == TapeRow.AUCTION)
    bids = [
        (int(r.node), *(float(x) for x in (r.price, r.units, r.money, r.hops))) for r in rows if r.kind == TapeRow.BID
    ]
    return bids, [(TapeRow(r.kind), int(r.node)) for r in absent(w)], reached


def absent(w):
    return [r for r in w.tape[: w.clock[0].tape] if TapeRow.NOT_SOUND <= r.kind <= TapeRow.NO_VALUE]


def only(node: int, hops: int = 1, **terms: float):
    """The lender knows ``node`` alone."""
    return market(contacts={LENDER: ((node, hops),)}, **terms)


# --- a bid -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("node", "limit", "units", "money"),
    [
        # Half of its cash beyond three months of costs and debt service; free power for ten.
        (PEER, 300, (100 - 60) / 4, 0.5 * (1000 - 3 * 120)),
        (OTHER_PEER, 400, (100 - 56) / 4, 0.5 * (1200 - 3 * 120)),
        (USER, 500, 24 / 4, 800),
        (OTHER_USER, 600, 28 / 4, 801),
    ],
)
def test_each_bids_its_own_value_for_what_its_power_runs_with_what_it_has_to_spare(node, limit, units, money):
    w = only(node)
    bids, others, reached = auction(w)
    assert bids == [pytest.approx((node, limit, units, money, 1))]
    assert (others, reached) == ([], 1)
    # Of a generation that needs 1 kW it takes four times as many.
    w.value[:, 0] = 90.0
    bids, _, _ = auction(w, g=0)
    assert bids == [pytest.approx((node, 90, 4 * units, money, 1))]


@pytest.mark.parametrize(("hops", "fee"), [(1, 0.0), (2, 0.1), (4, 0.3)])
@pytest.mark.parametrize(("node", "usd", "units", "cash"), [(PEER, 300, 10, 320), (USER, 500, 6, 800)])
def test_brokers_lower_what_is_bid_and_money_is_kept_for_them(hops, fee, node, usd, units, cash):
    bids, _, _ = auction(only(node, hops))
    assert bids == [pytest.approx((node, usd * (1 - fee), units, cash / (1 + fee), hops))]


def test_bidders_hold_the_risk_premium_of_the_generation_back():
    w = only(USER, market_risk_premium=0.1, market_volatility_weight=0.5, market_premium_cap=0.9)
    w.chips[1].volatility = 0.3
    bids, _, _ = auction(w)
    assert bids == [pytest.approx((USER, 500 * (1 - 0.1 - 0.5 * 0.3), 6, 800, 1))]


def test_nobody_bids_more_than_a_new_chip_costs_while_it_is_sold():
    w = only(USER)
    w.chips[1].list_price = 450.0
    assert auction(w)[0][0][1] == 450.0
    w.chips[1].end_of_sale = 9
    assert auction(w)[0][0][1] == 500.0


# --- who does not bid ------------------------------------------------------------------------------------------
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
    bids, others, reached = auction(w)
    assert [node for node, *_ in bids] == ([PEER, OTHER_PEER] if sound else [PEER]) + [USER, OTHER_USER]
    assert others == ([] if sound else [(TapeRow.NOT_SOUND, OTHER_PEER)])
    assert reached == 4


@pytest.mark.parametrize(
    ("usd", "power", "budget", "why"),
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
def test_who_does_not_bid_sees_no_value_has_no_power_or_no_money(usd, power, budget, why):
    w = only(USER)
    put(w.buyers[0], power=power, budget=budget)
    value(w, USER, usd)
    bids, others, _ = auction(w)
    if why == TapeRow.BID:
        assert (bids, others) == ([pytest.approx((USER, usd, power / 4, budget, 1))], [])
    else:
        assert (bids, others) == ([], [(why, USER)])


@pytest.mark.parametrize("usd", [300.0, 0.0])
def test_soundness_comes_first(usd):
    w = only(PEER)
    put(w.operators[0], dscr=0.5, site_power=0.0, cash=0.0)
    value(w, PEER, usd)
    assert auction(w) == ([], [(TapeRow.NOT_SOUND, PEER)], 1)


def test_who_would_have_to_pay_too_many_brokers_sees_no_value():
    # Four tenths a broker: nothing is left for the third.
    w = market(contacts={LENDER: ((OTHER_USER, 4),), PEER: ((USER, 1), (OTHER_USER, 4))}, market_finder_fee=0.4)
    assert auction(w) == ([], [(TapeRow.NO_VALUE, OTHER_USER)], 1)
    assert auction(w, PEER) == ([(USER, 500, 6, 800, 1)], [(TapeRow.NO_VALUE, OTHER_USER)], 2)


def test_the_tape_shows_what_those_would_have_paid_who_could_not_bid():
    w = market(contacts={PEER: ((USER, 1), (OTHER_PEER, 1))}, market_risk_premium=0.25)
    w.operators[1].arrears = 3.0
    w.buyers[0].budget = 0.0
    auction(w, PEER)
    assert [(r.node, r.price, r.units) for r in absent(w)] == [(USER, 500 * 0.75, 0.0), (OTHER_PEER, 400 * 0.75, 0.0)]


# --- contacts --------------------------------------------------------------------------------------------------
CONTACTS = {
    LENDER: ((PEER, 1),),
    PEER: ((USER, 1), (OTHER_PEER, 2), (OTHER_USER, 4)),
    OTHER_PEER: ((PEER, 1), (OTHER_USER, 2)),
}


@pytest.mark.parametrize(
    ("seller", "searched", "nodes"),
    [
        (LENDER, 0, [PEER]),
        (PEER, 0, [USER, OTHER_PEER]),
        (PEER, 1, [USER, OTHER_PEER, OTHER_USER]),
        (PEER, 5, [USER, OTHER_PEER, OTHER_USER]),
        (OTHER_PEER, 0, [PEER, OTHER_USER]),
        (OUTSIDE, 5, []),
    ],
)
def test_a_seller_reaches_its_nearest_contacts_two_more_with_every_month_of_search(seller, searched, nodes):
    w = market(contacts=CONTACTS, market_calls_a_month=2)
    bids, others, reached = auction(w, seller, searched)
    assert ([node for node, *_ in bids], others, reached) == (nodes, [], len(nodes))


@pytest.mark.parametrize(("searched", "reached"), [(0, 2), (1, 4), (2, 6), (3, 7)])
def test_each_month_of_search_adds_the_calls_of_a_month(searched, reached):
    w = market(contacts={OTHER_PEER: ((USER, 1),) * 7}, market_calls_a_month=2)
    bids, _, found = auction(w, OTHER_PEER, searched)
    assert len(bids) == found == reached


@pytest.mark.parametrize(
    ("known", "calls", "hurry", "searched", "reached"),
    [
        (9, 8, 0, 0, 8),
        (9, 8, 1, 0, 6),  # three of four weeks
        (9, 8, 3, 0, 2),
        (5, 8, 2, 0, 2),  # half of the five whom a month would reach
        (9, 3, 3, 0, 1),  # one at least,
        (0, 8, 3, 0, 0),  # of those it knows
        (9, 4, 3, 1, 4),  # later months are whole ones: five weeks are one
        (9, 4, 3, 2, 8),
    ],
)
def test_less_than_a_month_of_search_reaches_that_part_of_whom_a_month_would(known, calls, hurry, searched, reached):
    w = market(contacts={OTHER_PEER: ((USER, 1),) * known, USER: ((PEER, 1),)}, market_calls_a_month=calls)
    bids, _, found = auction(w, OTHER_PEER, searched, hurry=hurry)
    assert len(bids) == found == reached


def test_who_was_reached_bids_at_its_distance_or_is_absent_for_its_reason():
    w = market(contacts=CONTACTS, market_calls_a_month=2)
    user = (USER, 500, 6, 800, 1)
    peer = pytest.approx((OTHER_PEER, 400 * 0.9, 11, 420 / 1.1, 2))
    far = pytest.approx((OTHER_USER, 600 * 0.7, 7, 801 / 1.3, 4))
    assert auction(w, PEER) == ([user, peer], [], 2)
    assert auction(w, PEER, searched=1) == ([user, peer, far], [], 3)
    w.operators[1].arrears = 3.0
    assert auction(w, PEER, searched=1) == ([user, far], [(TapeRow.NOT_SOUND, OTHER_PEER)], 3)
    w.buyers[0].budget = 0.0
    absent_near = [(TapeRow.NO_MONEY, USER), (TapeRow.NOT_SOUND, OTHER_PEER)]
    assert auction(w, PEER) == ([], absent_near, 2)
    w.buyers[1].power = 0.0
    assert auction(w, PEER, searched=1) == ([], [*absent_near, (TapeRow.NO_POWER, OTHER_USER)], 3)
    # Another seller knows others.
    assert auction(w, OTHER_PEER) == ([(PEER, 300, 10, 320, 1)], [(TapeRow.NO_POWER, OTHER_USER)], 2)


def test_on_the_exchange_all_but_the_backstop_are_reached_and_nobody_needs_a_broker():
    w = market(contacts={}, market_calls_a_month=1, market_finder_fee=1.0)
    w.buyers[2].budget = 5000.0
    bids = [
        (PEER, 300, 10, 320, 1),
        (OTHER_PEER, 400, 11, 420, 1),
        (USER, 500, 6, 800, 1),
        (OTHER_USER, 600, 7, 801, 1),
    ]
    assert auction(w, EXCHANGE) == (bids, [], 4)
    w.operators[1].arrears = 3.0
    value(w, USER, 0.0)
    absent_ones = [(TapeRow.NOT_SOUND, OTHER_PEER), (TapeRow.NO_VALUE, USER)]
    assert auction(w, EXCHANGE) == ([bids[0], bids[3]], absent_ones, 4)


# --- the best bid, and the backstop ----------------------------------------------------------------------------
@pytest.mark.parametrize(("before", "best"), [(0.0, 600.0), (599.0, 600.0), (601.0, 601.0)])
def test_the_best_bid_of_the_month_is_remembered(before, best):
    w = market()
    w.chips[1].best_bid = before
    auction(w)
    assert (w.chips[1].best_bid, w.chips[0].best_bid) == (best, 0.0)


def test_the_best_bid_need_be_neither_the_first_nor_the_last():
    w = market()
    for node, usd in ((PEER, 500.0), (OTHER_PEER, 700.0), (USER, 0.5), (OTHER_USER, 600.0)):
        value(w, node, usd)
    auction(w)
    assert w.chips[1].best_bid == 700.0
    # An auction without a bid later in the month does not make it worse.
    w.value[:] = 0.0
    auction(w)
    assert w.chips[1].best_bid == 700.0


def backed(seller: int = LENDER, *, capacity: float = 1.0, budget: float = 5000.0, usd: float = 1000.0):
    """The backstop pays 0.8 of the value in use, ``usd``, when the best bid is a quarter below that: return its bids."""
    terms = {"policy_backstop_capacity": capacity, "policy_backstop_trigger": 0.25, "policy_backstop_price": 0.8}
    w = market(**terms)
    put(w.buyers[2], budget=budget, budget_cap=9000.0)
    w.chips.fundamental[:] = [77.0, usd]
    bids, _, reached = auction(w, seller)
    assert [node for node, *_ in bids[:4]] == [PEER, OTHER_PEER, USER, OTHER_USER]
    assert reached == 4
    assert w.chips[1].best_bid == 600.0  # a policy's bid is not the market's
    return bids[4:]


@pytest.mark.parametrize("seller", [LENDER, EXCHANGE])
@pytest.mark.parametrize(
    ("usd", "bids"),
    [(1000.0, True), (801.0, True), (800.0, False), (700.0, False)],  # three quarters of 800 are 600, the best bid
)
def test_the_backstop_bids_last_with_all_that_it_has_when_the_best_bid_is_below_its_trigger(seller, usd, bids):
    assert backed(seller, usd=usd) == [pytest.approx((BACKSTOP, 0.8 * usd, UNLIMITED, 5000, 1))] * bids


@pytest.mark.parametrize(
    ("capacity", "budget", "bids"),
    [
        (0.5, 5000.0, True),
        (0.0, 5000.0, False),  # no such policy
        (1.0, 1.0, True),
        (1.0, 0.99, False),  # its capacity is spent
    ],
)
def test_the_backstop_needs_a_policy_and_money(capacity, budget, bids):
    assert backed(capacity=capacity, budget=budget) == [pytest.approx((BACKSTOP, 800, UNLIMITED, budget, 1))] * bids


def test_where_nobody_bids_the_backstop_does():
    w = market(policy_backstop_capacity=1.0, policy_backstop_trigger=0.9999, policy_backstop_price=0.8)
    w.buyers[2].budget = 5000.0
    w.value[:] = 0.0
    bids, others, _ = auction(w)
    assert [node for node, *_ in bids] == [BACKSTOP]
    assert len(others) == 4
    assert w.chips[1].best_bid == 0.0
