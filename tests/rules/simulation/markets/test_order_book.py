"""What is on offer, whom sellers have reached, who bids within power, money and beliefs; who cannot, and why; the backstop."""

from __future__ import annotations

import math

import numpy as np
import pytest

from agents.tables.buyers import UNLIMITED, BuyerKind
from agents.tables.clock import Fault
from agents.tables.events import SaleReason
from agents.tables.operators import OperatorStatus
from simulation.markets.order_book import (
    Search,
    Venue,
    add_backstop,
    call_all,
    call_contacts,
    contact_at,
    count_known,
    have_decided,
    is_forced,
    list_asks,
    note_bid,
    read_purses,
    search_cost,
    search_reach,
)
from simulation.markets.rows import (
    ASKS,
    CALLED,
    CAP,
    CHIP,
    COOLED,
    COOLING,
    FEE,
    HOPS,
    LARGEST,
    LIMIT,
    MONEY,
    ORDERS,
    PLACE,
    POWER,
    PURSE,
    REACHED,
    RESERVE,
    SELLER,
    SITE,
    UNITS,
    WEEKS_OF,
)
from simulation.markets.tape import TapeRow
from tests.rules.worlds import add_lot, put, small_world

#: Nodes of :func:`market`: a lender, outside investors, two operators, two buyers, the backstop.
LENDER, OUTSIDE, PEER, OTHER_PEER, USER, OTHER_USER, BACKSTOP = range(7)
TERMS = {
    "market_venue": Venue.NETWORK, "market_search": Search.FIXED, "market_calls_a_month": 10, "market_finder_fee": 0.1,
    "market_peer_dscr": 1.25, "market_peer_cash": 0.5, "credit_cash_reserve": 3.0, "market_risk_premium": 0.0,
    "market_fall_weight": 0.0, "market_volatility_weight": 0.0, "policy_backstop_capacity": 0.0,
}  # fmt: skip
VOLUNTARY = (SaleReason.CHURN, SaleReason.DEALER)


def market(contacts=None, **terms: float):
    """Everybody can bid for generation 1, which needs 4 kW; what it is worth: 300, 400, 500, 600 and to the last 700."""
    w = small_world(lenders=1, operators=2, buyers=2, chips=2, tape=40, contacts=contacts, terms=TERMS | terms)
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


def only(node: int, hops: int = 1, **terms: float):
    """The lender knows ``node`` alone."""
    return market(contacts={LENDER: ((node, hops),)}, **terms)


def offer(w, seller: int = LENDER, *, g: int = 1, units: float = 10.0, searched: int = 0, **lot: float) -> int:
    """Give ``seller`` a lot that is for sale whole, for so many months by now."""
    return add_lot(
        w,
        node=seller,
        chip=g,
        units=units,
        **{"offered": units, "asked": 9 - searched, "reason": SaleReason.SEIZED, **lot},
    )


def listed(w, *sellers: int, forced: int = 1) -> int:
    """List what sellers offer; return the number of items."""
    n_items = n_asks = 0
    for seller in sellers:
        n_items, n_asks = list_asks(w, w.clock[0], seller, forced, n_items, n_asks)
    return n_items


def book(w, *sellers: int) -> list[list[tuple[float, ...]]]:
    """Let sellers call; return the orders of each item: (node, limit, units that its power takes, money, hops)."""
    n_items = listed(w, *sellers)
    read_purses(w, w.clock[0])
    tape = w.clock[0].tape
    n = call_all(w, w.clock[0], n_items)
    assert (w.item[ORDERS, n_items], w.clock[0].tape) == (n, tape), "the tape is written when the market has cleared"
    rows = [(PEER + int(w.bidder[e]), *w.order[[LIMIT, CAP, PURSE, HOPS], e].tolist()) for e in range(n)]
    return [rows[w.item[ORDERS, i] : w.item[ORDERS, i + 1]] for i in range(n_items)]


def bids(w, seller: int = LENDER, **lot: float):
    """Put one lot of the seller up alone; return its bids, who else was reached and why not, how many in all."""
    w.lots.offered[:] = 0.0
    offer(w, seller, **lot)
    (rows,) = book(w, seller)
    return rows, [(TapeRow(r.kind), int(r.node)) for r in absent(w)], int(w.item[REACHED, 0])


def absent(w):
    """Return the tape of those reached by the first item that make no order."""
    w.clock[0].tape = 0
    n = call_contacts(w, w.clock[0], w.terms[0], 0, int(w.item[ORDERS, 1]), True)
    assert n == w.item[ORDERS, 1], "what is noted is no order"
    return [r for r in w.tape[: w.clock[0].tape] if r.kind != TapeRow.BID]


# --- what is on offer ------------------------------------------------------------------------------------------
def test_only_churn_and_a_dealers_sale_are_not_forced():
    assert [reason for reason in SaleReason if not is_forced(reason)] == list(VOLUNTARY)


def test_what_a_seller_offers_is_listed_by_generation_and_place_behind_what_is_listed_already():
    w = market()
    w.item[:], w.ask[:], w.ask_lot[:] = -7, -7.0, -7
    far = offer(w, PEER, g=1, units=7.0, offered=3.0, reserve=400.0, asked=4)
    here = offer(w, PEER, g=1, units=2.0, reserve=90.0, asked=7, site=0)
    old = offer(w, PEER, g=0, units=1.0, reserve=50.0)
    near = offer(w, PEER, g=1, units=5.0, reserve=300.0, asked=7)
    w.lots[add_lot(w, node=PEER, chip=0)].reason = SaleReason.SEIZED  # not for sale
    offer(w, OTHER_PEER)  # another's
    assert list_asks(w, w.clock[0], PEER, 1, 2, 3) == (2 + 3, 3 + 4)
    # The last lot is the first of the owner's. The longest search counts.
    assert w.item[[SELLER, CHIP, PLACE, WEEKS_OF, ASKS], 2:6].T.tolist() == [
        [PEER, 0, 0, 4, 3],
        [PEER, 1, 0, 4 * (1 + 9 - 4), 4],
        [PEER, 1, 1, 4 * (1 + 9 - 7), 6],
        [-7, -7, -7, -7, 7],  # where the last item ends
    ]
    assert w.ask_lot[2:8].tolist() == [-7, old, near, far, here, -7]
    assert w.ask[UNITS, 2:8].tolist() == [-7, 1, 5, 3, 2, -7]
    assert w.ask[RESERVE, 2:8].tolist() == [-7, 50, 300, 400, 90, -7]
    assert (w.item[:, :2] == -7).all() and (w.item[:, 6] == -7).all()


def test_who_is_in_a_hurry_has_so_many_weeks_less_and_the_least_hurried_lot_counts():
    for hurry, weeks in (((3, 3), 4 * 3 - 3), ((0, 3), 4 * 3), ((3, 0), 4 * 3), ((1, 2), 4 * 3 - 1)):
        w = market()
        for weeks_less in hurry:
            offer(w, OUTSIDE, asked=7, hurry=weeks_less)
        assert listed(w, OUTSIDE) == 1
        assert w.item[WEEKS_OF, 0] == weeks


@pytest.mark.parametrize("reason", SaleReason)
def test_what_must_be_sold_and_what_an_owner_would_rather_sell_are_listed_apart(reason):
    for forced in (0, 1):
        w = market()
        offer(w, PEER, reason=reason)
        add_lot(w, node=PEER, chip=1, reason=reason)
        assert listed(w, PEER, forced=forced) == (1 if is_forced(reason) == (forced == 1) else 0)


def test_nobody_asks_less_than_scrap_value():
    w = market()
    w.chips.scrap[:] = 10.0, 20.0
    for g, reserve in ((0, 15.0), (0, 5.0), (1, 15.0), (1, 25.0)):
        offer(w, PEER, g=g, reserve=reserve)
    assert listed(w, PEER) == 2
    assert w.ask[RESERVE, :4].tolist() == [10.0, 15.0, 25.0, 20.0]


def test_the_smallest_offer_is_an_offer():
    w = market()
    offer(w, PEER, offered=1e-3)
    assert (listed(w, PEER), w.ask[UNITS, 0]) == (1, 1e-3)


def test_who_offers_nothing_has_no_item_and_the_list_ends_where_it_did():
    w = market()
    w.item[:] = -7
    assert list_asks(w, w.clock[0], PEER, 1, 2, 3) == (2, 3)
    assert w.item[ASKS, 2] == 3
    assert (w.item[SELLER] == -7).all()


# --- purses ----------------------------------------------------------------------------------------------------
def purses(w) -> dict[int, list[float]]:
    """Return (USD, free kW, free kW with liquid cooling, USD for one lot) of every bidder by node."""
    w.purse[:] = -7.0
    read_purses(w, w.clock[0])
    return {PEER + b: w.purse[[MONEY, SITE, COOLING, LARGEST], b].tolist() for b in range(len(w.value))}


def test_peers_have_half_of_their_spare_cash_and_free_power_buyers_their_budget_part_of_it_for_one_lot():
    w = market(buyers_convertible_share=0.25)
    put(w.operators[0], liquid_power=70.0, used_liquid=25.0)
    put(w.buyers[0], liquid=6.0, lot_limit=0.125)
    put(w.buyers[2], budget=90.0, power=5.0, liquid=5.0, budget_cap=90.0, lot_limit=1.0)
    assert purses(w) == {
        # Cash beyond three months of costs and debt service.
        PEER: [0.5 * (1000 - 3 * 120), 40, 45, 320],
        OTHER_PEER: [0.5 * (1200 - 3 * 120), 44, 0, 420],
        USER: [800, 24, 6 + 0.25 * 18, 0.125 * 4000],  # what can be converted at once counts as cooled
        OTHER_USER: [801, 28, 0.25 * 28, 801],
        BACKSTOP: [90, 5, 5, 90],
    }


def test_who_uses_more_power_than_it_has_has_none_free():
    w = market()
    put(w.operators[0], used_power=101.0, liquid_power=20.0, used_liquid=21.0)
    assert purses(w)[PEER] == [320, 0, 0, 320]


@pytest.mark.parametrize(
    ("budget", "inventory", "money"),
    [
        (800.0, 3500.0, 500.0),  # 4,000 are its capital: room for 500 in stock
        (800.0, 3100.0, 800.0),
        (800.0, 4000.0, 0.0),
        (800.0, 4100.0, 0.0),  # a full dealer is sound
    ],
)
def test_a_dealer_buys_no_more_in_a_round_than_its_stock_has_room_for(budget, inventory, money):
    w = market()
    put(w.buyers[0], kind=BuyerKind.DEALER, budget=budget, inventory=inventory, lot_limit=1.0)
    put(w.buyers[1], inventory=inventory, budget=budget)  # what others hold is in use
    found = purses(w)
    assert (found[USER][0], found[USER][3], found[OTHER_USER][0]) == (money, money, budget)


# --- search ----------------------------------------------------------------------------------------------------
def effort(**terms: float):
    """Quotes differ by a fifth, the first call of a month costs 500 USD."""
    given = {"market_search": Search.EFFORT, "market_quote_dispersion": 0.2, "market_call_cost": 500.0}
    w = market(**given | terms)
    return w.terms[0]


@pytest.mark.parametrize(
    ("stake", "weeks", "known", "reached"),
    [
        # 0.2 x 1m / 500 is the square of 20.
        (1e6, 4, 99, 20),
        (0.99e6, 4, 99, 19),  # the twentieth would not pay
        (1e6, 8, 99, 40),
        (1e6, 16, 99, 80),
        (1e6, 16, 50, 50),  # whom it knows
        (1e6, 4, 0, 0),
        (1e6, 1, 99, 5),  # in a week a quarter of them
        (1e6, 7, 99, 35),
        (1e6, 1, 3, 3),
        (2500.0, 4, 99, 1),
        (1000.0, 4, 99, 1),  # one call is always made
        (1000.0, 1, 99, 1),
        (0.0, 12, 99, 3),
        (4.1e3, 3, 99, 1),
    ],
)
def test_a_seller_calls_as_many_contacts_a_month_as_pay_for_the_effort(stake, weeks, known, reached):
    assert search_reach(effort(), known, weeks, stake) == reached


@pytest.mark.parametrize("stake", [3e3, 1e5, 7.7e5])
def test_the_last_call_pays_and_the_next_one_would_not(stake):
    n = search_reach(effort(), 10**6, 4, stake)
    assert 0.2 * stake / n >= n * 500.0
    assert 0.2 * stake / (n + 1) < (n + 1) * 500.0


@pytest.mark.parametrize(("weeks", "known", "reached"), [(4, 99, 10), (8, 99, 20), (3, 99, 7), (16, 35, 35), (4, 4, 4)])
def test_with_a_fixed_number_of_calls_the_stake_does_not_matter(weeks, known, reached):
    for stake in (0.0, 1e9):
        assert search_reach(market().terms[0], known, weeks, stake) == reached


@pytest.mark.parametrize("search", Search)
def test_on_the_exchange_everybody_is_reached_at_once_for_nothing(search):
    terms = effort(market_venue=Venue.EXCHANGE, market_search=search)
    assert search_reach(terms, 99, 1, 1e3) == 99
    assert search_cost(terms, 99, 1) == 0.0


@pytest.mark.parametrize(
    ("months", "weeks", "called", "decided"),
    [
        # 1 - exp(-2/3) is .4866, 1 - exp(-1/6) is .1535, 1 - exp(-4) is .9817.
        (1.5, 4, 60, 29),
        (1.5, 1, 60, 9),
        (1.5, 24, 60, 59),
        (3.0, 8, 60, 29),
        (1.5, 4, 3, 1),  # 1.46
        (1.5, 4, 4, 2),  # 1.95
        (1.5, 1, 2, 1),  # one knows the seller
        (1.5, 1, 0, 0),
        (1.5, 80, 60, 60),
        (0.5, 1, 60, 24),
        (0.0, 1, 60, 60),  # all at once
    ],
)
def test_of_those_called_some_have_decided_by_now(months, weeks, called, decided):
    terms = effort(market_due_diligence=months)
    assert have_decided(terms, called, weeks) == decided
    assert have_decided(effort(market_due_diligence=months, market_venue=Venue.EXCHANGE), called, weeks) == called


def test_only_who_has_decided_bids_and_all_calls_are_paid():
    contacts = {LENDER: tuple((USER + k, 1) for k in range(4))}
    w = market(contacts, market_search=Search.FIXED, market_calls_a_month=4, market_due_diligence=1.5)
    offer(w, LENDER)
    call_all(w, w.clock[0], list_asks(w, w.clock[0], LENDER, 1, 0, 0)[0])
    assert (w.item[CALLED, 0], w.item[REACHED, 0]) == (4, 2)


@pytest.mark.parametrize(
    ("reached", "weeks", "usd"),
    [
        (1, 4, 500.0),
        (4, 4, 500.0 * (1 + 2 + 3 + 4)),
        (4, 1, 500.0 * (1 + 2 + 3 + 4)),  # as many in less time
        (8, 8, 500.0 * (1 + 2 + 3 + 4)),
        (9, 12, 500.0 * (1 + 2 + 3)),
        (6, 6, 500.0 * (1 + 2 + 3 + 4)),
        (0, 4, 0.0),
    ],
)
def test_the_calls_of_the_month_cost_more_the_more_there_are(reached, weeks, usd):
    assert search_cost(effort(), reached, weeks) == pytest.approx(usd)
    assert search_cost(effort(market_search=Search.FIXED), reached, weeks) == 0.0


def test_the_stake_is_what_is_offered_at_the_appraisal():
    # 0.2 x 10 units x appraisal / 500 is the square of 2 at 1,000 and of 3 at 2,250.
    contacts = {LENDER: ((USER, 1),) * 9}
    for appraisal, reached in ((1000.0, 2), (2249.0, 2), (2251.0, 3)):
        w = market(contacts, market_search=Search.EFFORT, market_quote_dispersion=0.2, market_call_cost=500.0)
        w.chips[1].appraisal = appraisal
        assert bids(w)[2] == reached
        # Two lots of one item are one search.
        w.lots.offered[:] = 0.0
        offer(w, units=4.0)
        offer(w, units=6.0)
        assert [len(rows) for rows in book(w, LENDER)] == [reached]


# --- contacts --------------------------------------------------------------------------------------------------
CONTACTS = {
    LENDER: ((PEER, 1),),
    PEER: ((USER, 1), (OTHER_PEER, 2), (OTHER_USER, 4)),
    OTHER_PEER: ((PEER, 1), (OTHER_USER, 2)),
}


@pytest.mark.parametrize(("seller", "known"), [(LENDER, 1), (OUTSIDE, 0), (PEER, 3), (OTHER_PEER, 2), (BACKSTOP, 0)])
def test_a_seller_knows_its_contacts_and_their_distance(seller, known):
    w = market(CONTACTS)
    assert count_known(w, seller, False) == known
    contacts = [contact_at(w, seller, j, False) for j in range(known)]
    assert contacts == [(node - PEER, float(hops)) for node, hops in CONTACTS.get(seller, ())]


@pytest.mark.parametrize("seller", range(6))
def test_on_the_exchange_it_knows_all_but_itself_and_the_backstop(seller):
    w = market({})
    known = count_known(w, seller, True)
    assert [contact_at(w, seller, j, True) for j in range(known)] == [
        (node - PEER, 1.0) for node in (PEER, OTHER_PEER, USER, OTHER_USER) if node != seller
    ]


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
    w = market(CONTACTS, market_calls_a_month=2)
    rows, others, reached = bids(w, seller, searched=searched)
    assert ([node for node, *_ in rows], others, reached) == (nodes, [], len(nodes))


def test_who_was_reached_bids_at_its_distance_or_is_absent_for_its_reason():
    w = market(CONTACTS, market_calls_a_month=2)
    user, peer, far = (USER, 500, 6, 800, 1), (OTHER_PEER, 400, 11, 420, 2), (OTHER_USER, 600, 7, 801, 4)
    assert bids(w, PEER) == ([user, peer], [], 2)
    assert bids(w, PEER, searched=1) == ([user, peer, far], [], 3)
    w.operators[1].arrears = 3.0
    assert bids(w, PEER, searched=1) == ([user, far], [(TapeRow.NOT_SOUND, OTHER_PEER)], 3)
    w.buyers[0].budget = 0.0
    absent_near = [(TapeRow.NO_MONEY, USER), (TapeRow.NOT_SOUND, OTHER_PEER)]
    assert bids(w, PEER) == ([], absent_near, 2)
    w.buyers[1].power = 0.0
    assert bids(w, PEER, searched=1) == ([], [*absent_near, (TapeRow.NO_POWER, OTHER_USER)], 3)
    # Another seller knows others.
    assert bids(w, OTHER_PEER) == ([(PEER, 300, 10, 320, 1)], [(TapeRow.NO_POWER, OTHER_USER)], 2)


def test_on_the_exchange_all_but_seller_and_backstop_bid_and_nobody_needs_a_broker():
    w = market({}, market_venue=Venue.EXCHANGE, market_calls_a_month=1, market_finder_fee=0.5)
    w.buyers[2].budget = 5000.0
    orders = [
        (PEER, 300, 10, 320, 1), (OTHER_PEER, 400, 11, 420, 1), (USER, 500, 6, 800, 1), (OTHER_USER, 600, 7, 801, 1),
    ]  # fmt: skip
    assert bids(w) == (orders, [], 4)
    assert not w.order[FEE, :4].any()
    assert bids(w, OTHER_PEER) == ([orders[0], *orders[2:]], [], 3)
    assert bids(w, OTHER_USER) == (orders[:3], [], 3)
    w.operators[1].arrears = 3.0
    value(w, USER, 0.0)
    absent_ones = [(TapeRow.NOT_SOUND, OTHER_PEER), (TapeRow.NO_VALUE, USER)]
    assert bids(w) == ([orders[0], orders[3]], absent_ones, 4)


# --- a bid -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("node", "limit", "units", "money"),
    [
        # Free power for ten; half of its cash beyond three months of costs and debt service.
        (PEER, 300, (100 - 60) / 4, 0.5 * (1000 - 3 * 120)),
        (OTHER_PEER, 400, (100 - 56) / 4, 0.5 * (1200 - 3 * 120)),
        (USER, 500, 24 / 4, 800),
        (OTHER_USER, 600, 28 / 4, 801),
    ],
)
def test_each_bids_its_own_value_for_what_its_power_runs_with_what_it_has_to_spare(node, limit, units, money):
    w = only(node)
    assert bids(w) == ([(node, limit, units, money, 1)], [], 1)
    # Of a generation that needs 1 kW it takes four times as many.
    w.value[:, 0] = 90.0
    assert bids(w, g=0) == ([(node, 90, 4 * units, money, 1)], [], 1)


def test_no_more_than_a_lot_may_cost_is_bid_for_one_item():
    w = only(USER)
    w.buyers[0].lot_limit = 0.125
    assert bids(w)[0] == [(USER, 500, 6, 0.125 * 4000, 1)]


@pytest.mark.parametrize(("hops", "fee"), [(1, 0.0), (2, 0.1), (4, 0.3)])
@pytest.mark.parametrize("node", [PEER, USER])
def test_each_broker_between_them_charges_a_tenth_which_the_limit_includes(hops, fee, node):
    w = only(node, hops)
    ((bidder, limit, *_, found),) = bids(w)[0]
    assert (bidder, limit, found) == (node, 300 if node == PEER else 500, hops)
    assert w.order[FEE, 0] == pytest.approx(fee)


def test_bidders_hold_the_risk_premium_of_the_generation_back_and_pay_no_more_than_parity():
    w = only(USER, market_risk_premium=0.1, market_volatility_weight=0.5, market_premium_cap=0.9)
    w.chips[1].volatility = 0.3
    assert bids(w)[0] == [(USER, pytest.approx(500 * (1 - 0.1 - 0.5 * 0.3)), 6, 800, 1)]
    w.chips[1].parity = 320.0
    assert bids(w)[0][0][1] == 320.0


@pytest.mark.parametrize(
    ("node", "columns", "units", "power", "cooled"),
    [
        (PEER, {"liquid_power": 100.0, "used_liquid": 70.0}, 30 / 4, 4.0, 4.0),  # cooling is short
        (PEER, {"liquid_power": 100.0, "used_liquid": 20.0}, 40 / 4, 4.0, 4.0),  # power is
        (USER, {"liquid": 24.0}, 24 / 4, 4.0, 4.0),
        (USER, {"liquid": 4.0}, (4 + 0.5 * 20) / 4, 4.0, 4.0),  # half of what is air-cooled can be converted
        (USER, {"kind": BuyerKind.DEALER}, UNLIMITED, 0.0, 0.0),
        (USER, {"kind": BuyerKind.SCRAP}, UNLIMITED, 0.0, 0.0),
    ],
)
def test_units_take_power_and_liquid_cooling_where_they_run(node, columns, units, power, cooled):
    w = only(node, buyers_scrap_bid=1.0, buyers_convertible_share=0.5)
    put(w.chips[1], liquid=1, scrap=20.0)
    put(w.buyers[0] if node == USER else w.operators[0], **columns)
    assert [row[2] for row in bids(w)[0]] == [pytest.approx(units)]
    assert w.order[[POWER, COOLED], 0].tolist() == [power, cooled]
    # Air-cooled ones take no cooling.
    w.chips[1].liquid = 0
    assert len(bids(w)[0]) == 1
    assert w.order[[POWER, COOLED], 0].tolist() == [power, 0.0]


@pytest.mark.parametrize(
    ("node", "columns"),
    [
        (PEER, {"used_power": 100.0}),
        (USER, {"power": 0.0}),
        (USER, {"kind": BuyerKind.DEALER}),
        (USER, {"liquid": 8.0}),
    ],
)
@pytest.mark.parametrize("liquid", [0, 1])
def test_sold_in_place_chips_bring_their_power_with_them(node, columns, liquid):
    w = only(node)
    w.chips[1].liquid = liquid
    put(w.buyers[0] if node == USER else w.operators[0], **columns)
    rows, others, _ = bids(w, site=0)
    assert ([row[2] for row in rows], others) == ([UNLIMITED], [])
    assert w.order[[POWER, COOLED], 0].tolist() == [0.0, 0.0]
    if node == PEER:
        # Out of the rack they need what it does not have.
        assert bids(w)[:2] == ([], [(TapeRow.NO_POWER, PEER)])


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
    rows, others, reached = bids(w)
    assert [node for node, *_ in rows] == ([PEER, OTHER_PEER] if sound else [PEER]) + [USER, OTHER_USER]
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
    rows, others, _ = bids(w)
    if why == TapeRow.BID:
        assert (rows, others) == ([pytest.approx((USER, usd, power / 4, budget, 1))], [])
    else:
        assert (rows, others) == ([], [(why, USER)])


@pytest.mark.parametrize(
    ("columns", "age", "why"),
    [
        ({"least_units": 10.0}, 0.0, TapeRow.BID),
        ({"least_units": 10.1}, 0.0, TapeRow.TOO_SMALL),
        ({"oldest": 30.0}, 30.0, TapeRow.BID),
        ({"oldest": 30.0}, 30.1, TapeRow.TOO_OLD),
        # The first reason counts.
        ({"least_units": 10.1, "oldest": 30.0}, 31.0, TapeRow.TOO_SMALL),
        ({"oldest": 30.0, "power": 0.0, "budget": 0.0}, 31.0, TapeRow.TOO_OLD),
    ],
)
@pytest.mark.parametrize("site", [-1, 0])
def test_who_runs_uniform_fleets_under_warranty_looks_at_large_and_young_lots_only(columns, age, why, site):
    w = only(USER)
    w.chips[1].mean_age = age
    put(w.buyers[0], **columns)
    rows, others, _ = bids(w, site=site)
    assert (len(rows), others) == ((1, []) if why == TapeRow.BID else (0, [(why, USER)]))


def test_the_size_of_a_lot_is_all_that_its_seller_offers_of_the_generation_there():
    w = only(USER)
    w.buyers[0].least_units = 10.0
    offer(w, units=4.0)
    offer(w, units=6.0)
    offer(w, units=9.0, site=0)
    offer(w, units=9.0, g=0)
    w.value[:, 0] = 90.0
    assert [len(rows) for rows in book(w, LENDER)] == [0, 1, 0]


def test_operators_look_at_small_and_old_lots():
    w = only(PEER)
    w.chips[1].mean_age = 500.0
    assert len(bids(w, units=0.5)[0]) == 1


@pytest.mark.parametrize("usd", [300.0, 0.0])
def test_soundness_comes_first(usd):
    w = only(PEER)
    put(w.operators[0], dscr=0.5, site_power=0.0, cash=0.0)
    value(w, PEER, usd)
    assert bids(w) == ([], [(TapeRow.NOT_SOUND, PEER)], 1)


def test_the_tape_shows_what_those_would_have_paid_who_could_not_bid():
    w = market({PEER: ((USER, 1), (OTHER_PEER, 1))}, market_risk_premium=0.25)
    w.operators[1].arrears = 3.0
    w.buyers[0].budget = 0.0
    bids(w, PEER)
    rows = absent(w)
    assert [(r.node, r.chip, r.price, r.units) for r in rows] == [
        (USER, 1, 500 * 0.75, 0.0),
        (OTHER_PEER, 1, 400 * 0.75, 0.0),
    ]


# --- bids that cannot trade ------------------------------------------------------------------------------------
def reserved(reserve: float, hops: int = 1):
    """The lender asks a reserve and knows the first user; return the world, its orders and the bids noted as too low."""
    w = only(USER, hops)
    rows, others, reached = bids(w, reserve=reserve)
    assert (others, reached) == ([], 1)
    return w, len(rows), [r for r in w.tape[: w.clock[0].tape] if r.kind == TapeRow.BID]


@pytest.mark.parametrize(
    ("reserve", "hops", "orders"),
    [
        (500.0, 1, 1),
        (500.1, 1, 0),
        (500.0 / 1.3, 4, 1),  # three brokers take three tenths on top
        (385.0, 4, 0),
    ],
)
def test_a_bid_below_the_reserve_is_no_order_but_it_is_on_the_tape(reserve, hops, orders):
    w, found, low = reserved(reserve - 1e-9, hops)
    assert found == orders
    offered = pytest.approx(500.0 / (1.0 + 0.1 * (hops - 1)))
    assert [(r.node, r.chip, r.price, r.units, r.money, r.hops) for r in low] == [
        (USER, 1, offered, 6.0, 800.0, hops)
    ] * (1 - orders)
    # It was bid: it is the best of the month.
    assert w.chips[1].best_bid == offered


def test_a_bid_at_the_reserve_is_an_order_and_not_noted_apart():
    _, found, low = reserved(500.0)
    assert (found, low) == (1, [])


def test_a_bid_must_reach_the_lowest_reserve_of_the_item():
    for reserves in ((600.0, 450.0), (450.0, 600.0)):
        w = only(USER)
        for reserve in reserves:
            offer(w, reserve=reserve)
        assert [len(rows) for rows in book(w, LENDER)] == [1]


def test_an_order_is_noted_with_its_money_and_distance_while_the_tape_has_room():
    w = only(USER, 2)
    bids(w)
    w.clock[0].tape = 3
    assert note_bid(w, w.clock[0], 0, 1, 454.5) == 3
    row = w.tape[3]
    assert (row.kind, row.node, row.chip, row.price, row.units) == (TapeRow.BID, USER, 1, 454.5, 6.0)
    assert (row.money, row.hops, row.filled) == (800.0, 2.0, 0.0)
    w = w._replace(tape=w.tape[:4])
    put(w.tape[3], money=5.0, hops=6.0)
    before = w.tape.copy()
    assert note_bid(w, w.clock[0], 0, 1, 454.5) == -1
    assert (w.tape == before).all()
    w.clock[0].tape = 0
    assert note_bid(w, w.clock[0], 0, 1, 454.5) == 0
    assert (w.tape[0].money, w.tape[0].hops) == (800.0, 2.0)


# --- all items -------------------------------------------------------------------------------------------------
def test_the_orders_of_all_items_stand_one_behind_the_other_and_a_bidder_bids_for_each():
    w = market(CONTACTS, market_calls_a_month=2)
    w.value[:, 0] = 90.0
    offer(w, PEER, g=1, searched=1)
    offer(w, PEER, g=0)
    offer(w, LENDER, g=1, reserve=301.0)
    offer(w, OTHER_PEER, g=1)
    assert book(w, LENDER, PEER, OTHER_PEER) == [
        [],
        [(USER, 90, 24, 800, 1), (OTHER_PEER, 90, 44, 420, 2)],
        [(USER, 500, 6, 800, 1), (OTHER_PEER, 400, 11, 420, 2), (OTHER_USER, 600, 7, 801, 4)],
        [(PEER, 300, 10, 320, 1), (OTHER_USER, 600, 7, 801, 2)],
    ]
    assert w.item[REACHED, :4].tolist() == [1, 2, 3, 2]
    assert w.item[ORDERS, :5].tolist() == [0, 0, 2, 5, 7]


@pytest.mark.parametrize(
    ("room", "orders", "full"), [(9, [4, 2], -1), (8, [4, 2], -1), (7, [4, 0], 4), (6, [4, 0], 4), (5, [0, 2], 0)]
)
def test_a_full_table_of_orders_stops_the_run_and_nothing_is_written_behind_it(room, orders, full):
    # The first item reaches four contacts, the second two; the backstop may bid for each, and one order is drafted last.
    w = market(
        {LENDER: tuple((node, 1) for node in (PEER, OTHER_PEER, USER, OTHER_USER)), PEER: ((USER, 1), (OTHER_USER, 1))}
    )
    w.order[:], w.bidder[:] = -7.0, -7
    whole = w
    w = w._replace(order=w.order[:, :room], bidder=w.bidder[:room])
    offer(w, LENDER)
    offer(w, PEER)
    assert [len(rows) for rows in book(w, LENDER, PEER)] == orders
    assert w.clock[0].fault == (Fault.NONE if full < 0 else Fault.ORDERS_FULL)
    assert (w.clock[0].fault_node, w.clock[0].fault_usd) == (max(0, full), 0.0)
    assert (whole.order[:, room:] == -7).all() and (whole.bidder[room:] == -7).all()
    # Who watches finds room for what is drafted.
    w.clock[0].fault = Fault.NONE
    for i in range(2):
        call_contacts(w, w.clock[0], w.terms[0], i, int(w.item[ORDERS, 2]), True)
    assert w.clock[0].fault == Fault.NONE
    assert (whole.order[:, room:] == -7).all()


# --- the best bid, and the backstop ----------------------------------------------------------------------------
@pytest.mark.parametrize(("before", "best"), [(0.0, 600.0), (599.0, 600.0), (601.0, 601.0)])
def test_the_best_bid_of_the_month_is_remembered(before, best):
    w = market()
    w.chips[1].best_bid = before
    bids(w)
    assert (w.chips[1].best_bid, w.chips[0].best_bid) == (best, 0.0)


def test_the_best_bid_need_be_neither_the_first_nor_the_last_and_brokers_lower_it():
    w = market({LENDER: ((PEER, 1), (OTHER_PEER, 1), (USER, 1), (OTHER_USER, 4))})
    for node, usd in ((PEER, 500.0), (OTHER_PEER, 700.0), (USER, 0.5), (OTHER_USER, 900.0)):
        value(w, node, usd)
    bids(w)
    assert w.chips[1].best_bid == 700.0  # 900 with three brokers are 692
    # Calls without a bid later in the month do not make it worse; who only watches does not change it.
    w.value[:] = 0.0
    bids(w)
    assert w.chips[1].best_bid == 700.0
    w.value[:] = 950.0
    w.clock[0].tape = 0
    call_contacts(w, w.clock[0], w.terms[0], 0, 0, True)
    assert w.chips[1].best_bid == 700.0


def backed(seller: int = LENDER, *, capacity: float = 1.0, budget: float = 5000.0, usd: float = 1000.0, **terms: float):
    """The backstop pays 0.8 of the value in use, ``usd``, when the best bid is a quarter below that: return its bids."""
    terms = {
        "policy_backstop_capacity": capacity,
        "policy_backstop_trigger": 0.25,
        "policy_backstop_price": 0.8,
        **terms,
    }
    w = market(**terms)
    put(w.buyers[2], budget=budget, budget_cap=9000.0)
    w.chips.fundamental[:] = [77.0, usd]
    rows, _, reached = bids(w, seller)
    assert [node for node, *_ in rows[:4]] == [PEER, OTHER_PEER, USER, OTHER_USER]
    assert reached == 4
    assert w.chips[1].best_bid == 600.0  # a policy's bid is not the market's
    return rows[4:]


@pytest.mark.parametrize("venue", [Venue.NETWORK, Venue.EXCHANGE])
@pytest.mark.parametrize(
    ("usd", "buys"),
    [(1000.0, True), (801.0, True), (800.0, False), (700.0, False)],  # three quarters of 800 are 600, the best bid
)
def test_the_backstop_bids_last_with_all_that_it_has_when_the_best_bid_is_below_its_trigger(venue, usd, buys):
    assert backed(usd=usd, market_venue=venue) == [(BACKSTOP, 0.8 * usd, UNLIMITED, 5000, 1)] * buys


@pytest.mark.parametrize(
    ("capacity", "budget", "buys"),
    [
        (0.5, 5000.0, True),
        (0.0, 5000.0, False),  # no such policy
        (1.0, 1.0, True),
        (1.0, 0.99, False),  # its capacity is spent
    ],
)
def test_the_backstop_needs_a_policy_and_money(capacity, budget, buys):
    assert backed(capacity=capacity, budget=budget) == [(BACKSTOP, 800, UNLIMITED, budget, 1)] * buys


def test_where_nobody_bids_the_backstop_does():
    w = market(policy_backstop_capacity=1.0, policy_backstop_trigger=0.9999, policy_backstop_price=0.8)
    w.buyers[2].budget = 5000.0
    w.value[:] = 0.0
    rows, others, _ = bids(w)
    assert [node for node, *_ in rows] == [BACKSTOP]
    assert len(others) == 4
    assert w.chips[1].best_bid == 0.0
    # Nor does it matter that nobody was reached.
    w.contact_ptr[:] = 0
    assert [node for node, *_ in bids(w)[0]] == [BACKSTOP]


def test_the_backstop_looks_at_all_bids_those_below_the_reserve_as_well():
    w = market(policy_backstop_capacity=1.0, policy_backstop_trigger=0.25, policy_backstop_price=0.8)
    put(w.buyers[2], budget=5000.0)
    w.chips[1].fundamental = 800.0
    assert bids(w, reserve=610.0)[0] == []  # the best bid, 600, is at three quarters
    w.chips[1].fundamental = 810.0
    assert [node for node, *_ in bids(w, reserve=610.0)[0]] == [BACKSTOP]


def test_the_backstop_has_one_order_at_the_end():
    w = market(policy_backstop_price=0.5, policy_backstop_trigger=0.25)
    w.buyers[2].budget = 40.0
    w.order[:], w.bidder[:] = -7.0, -7
    assert add_backstop(w, w.terms[0], 3, 1, 749.0) == 4
    assert add_backstop(w, w.terms[0], 4, 1, 750.0) == 4
    assert w.bidder[2:5].tolist() == [-7, BACKSTOP - PEER, -7]
    assert w.order[[LIMIT, FEE, POWER, COOLED, CAP, PURSE, HOPS], 3].tolist() == [500.0, 0, 0, 0, UNLIMITED, 40.0, 1.0]
    assert (np.delete(w.order, 3, axis=1) == -7.0).all()
    assert math.isfinite(w.order[LIMIT, 3])
