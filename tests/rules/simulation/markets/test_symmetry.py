"""What must not matter in the used market: the order of rows, the unit of money, what nobody can use.

One round on a small market in which money, limits, reserves and places all bind somewhere. Nothing is worked out here:
the same market is written down in another way and must come to the same end.
"""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from agents.tables.buyers import BuyerKind
from agents.tables.events import EventKind, SaleReason
from agents.tables.lenders import LenderStatus
from agents.tables.loans import LoanStatus
from agents.tables.operators import OperatorStatus
from simulation.markets.order_book import Search, Venue
from simulation.markets.venues import appraise, trade
from tests.rules.worlds import add_loan, add_lot, paid_in_full, put, small_world

#: Equal up to this: sums of floats in another order.
ROUNDING = 1e-9
LENDERS, OPERATORS, BUYERS, CHIPS = range(2), range(4), range(6), range(3)
TERMS = {
    "market_venue": Venue.NETWORK, "market_search": Search.EFFORT, "market_quote_dispersion": 1.0, "market_finder_fee": 0.05,
    "market_peer_dscr": 1.1, "market_peer_cash": 0.5, "credit_cash_reserve": 0.0, "market_risk_premium": 0.05,
    "market_churn_interval": 1, "market_churn_buyers": 0.1, "market_churn_operators": 0.2, "market_churn_age": 12,
    "market_churn_reserve": 0.8, "market_receivership": 0.6, "market_relet_months": 2, "policy_backstop_capacity": 0.0,
    "buyers_dealer_markup": 0.1, "buyers_scrap_bid": 1.2, "policy_insurance_coverage": 0.0,
}  # fmt: skip
KINDS = (
    BuyerKind.ENTERPRISE,
    BuyerKind.RESEARCH,
    BuyerKind.FUND,
    BuyerKind.DEALER,
    BuyerKind.SCRAP,
    BuyerKind.HYPERSCALER,
)
#: What a unit of each generation is worth to each operator and buyer (USD).
VALUES = (
    (9000.0, 21000.0, 34000.0), (8000.0, 19000.0, 36000.0), (7000.0, 18000.0, 30000.0), (9500.0, 20000.0, 33000.0),
    (8500.0, 23000.0, 41000.0), (7800.0, 26000.0, 33000.0), (6900.0, 16000.0, 37000.0), (0.0, 0.0, 0.0), (0.0, 0.0, 0.0),
    (9900.0, 24000.0, 39000.0),
)  # fmt: skip


class Order:
    """In which rows agents and generations stand: ``lenders[i]`` is who stands in row i."""

    def __init__(self, lenders=LENDERS, operators=OPERATORS, buyers=BUYERS, chips=CHIPS):
        self.lenders, self.operators, self.buyers, self.chips = (tuple(x) for x in (lenders, operators, buyers, chips))

    def nodes(self) -> dict[tuple[str, int], int]:
        """Return the node of every agent; outside investors and the backstop stand last of their tables as ever."""
        names = [("lender", i) for i in self.lenders] + [("outside", 0)]
        names += [("operator", i) for i in self.operators] + [("buyer", i) for i in self.buyers] + [("backstop", 0)]
        return {name: node for node, name in enumerate(names)}


def market(order: Order, money: float = 1.0, extra: float | None = None, **terms: float):
    """Return the market before the round, in this order of rows, in a currency of which a dollar has ``money``.

    Everybody knows all others, at distances that depend on who they are. ``extra`` are units of a generation that nobody can use.
    """
    node = order.nodes()
    chips = list(order.chips) + ([3] if extra is not None else [])
    contacts = {
        n: tuple(sorted((m, 1 + (len(a) + i + 2 * j + len(b)) % 3) for (b, j), m in node.items() if b in ("operator", "buyer") and m != n))
        for (a, i), n in node.items()
    }  # fmt: skip
    own = TERMS | terms | {"market_call_cost": 5.0 * money}
    w = small_world(lenders=2, operators=4, buyers=6, chips=len(chips), contacts=contacts, terms=own)
    put(w.clock[0], month=24, turn=0)
    for row, g in enumerate(chips):
        price = (7000.0, 17000.0, 31000.0, 5000.0)[g] * money
        put(w.chips[row], power=(0.7, 1.1, 1.9, 50.0)[g], scrap=0.04 * price, appraisal=price, appraisal_open=price)
        put(w.chips[row], fundamental=1.1 * price, list_price=2.0 * price, parity=1.2 * price, liquid=int(g == 2))
    for row, i in enumerate(order.lenders):
        put(w.lenders[row], cash=1e5 * money, patience=0.3 + 0.1 * i, mark_to_market=1.0, capital_ratio=(0.2, 0.01)[i])
        put(w.lenders[row], status=(LenderStatus.ACTIVE, LenderStatus.FAILED)[i], seized_units=100.0)
    for row, i in enumerate(order.operators):
        put(w.operators[row], cash=(9e5, 4e5, 7e5, 2e5)[i] * money, dscr=2.0, site_power=900.0, used_power=300.0 + i)
        put(w.operators[row], liquid_power=500.0, used_liquid=120.0, power_value=(0.0, 2e4, 0.0, 0.0)[i] * money)
    for row, i in enumerate(order.buyers):
        put(w.buyers[row], kind=KINDS[i], budget=(5e5, 3e5, 2e5, 6e5, 1e5, 9e5)[i] * money, budget_cap=1e6 * money)
        put(
            w.buyers[row],
            lot_limit=0.4,
            power=(400.0, 300.0, 500.0, 0.0, 0.0, 800.0)[i],
            liquid=200.0,
            power_cap=900.0,
            liquid_cap=300.0,
        )
        put(
            w.buyers[row],
            half_spread=0.05,
            inventory=1e5 * money * (i == 3),
            conversion=500.0 * money,
            least_units=20.0 * (i == 5),
        )
    for row, i in enumerate(order.operators):
        w.value[row, :3] = [VALUES[i][g] * money for g in order.chips]
    for row, i in enumerate(order.buyers):
        w.value[4 + row, :3] = [VALUES[4 + i][g] * money for g in order.chips]
    fallen = order.operators.index(3)
    put(w.operators[fallen], status=OperatorStatus.DEFAULTED, selling=1)
    for i in LENDERS:
        loan = add_loan(w, lender=order.lenders.index(i), operator=fallen, usd=9e7 * money, status=LoanStatus.DEFAULTED)
        for g, units, site in ((0, 30.0 + i, fallen), (1, 12.0 + i, fallen), (2, 7.0, -1), (2, 3.0 + i, fallen)):
            held = {
                "site": site,
                "offered": units,
                "asked": 22,
                "seized": 22,
                "reason": SaleReason.SEIZED,
                "loan": loan,
            }
            add_lot(w, node=node["lender", i], chip=chips.index(g), units=units, cost=2e4 * money, **held)
    add_lot(
        w,
        node=node["operator", 3],
        chip=chips.index(1),
        units=9.0,
        site=fallen,
        offered=9.0,
        asked=23,
        reason=SaleReason.ESTATE,
    )
    for name, g, units, vintage in (
        (("operator", 0), 0, 60.0, 0.0), (("operator", 1), 0, 40.0, 20.0), (("operator", 2), 1, 50.0, 2.0),
        (("buyer", 0), 1, 40.0, 5.0), (("buyer", 1), 2, 30.0, 5.0), (("buyer", 3), 0, 25.0, 5.0), (("buyer", 5), 1, 80.0, 5.0),
    ):  # fmt: skip
        add_lot(w, node=node[name], chip=chips.index(g), units=units, vintage=vintage, online=0, cost=2e4 * money)
    if extra is not None:
        put(w.chips[3], fundamental=0.0, scrap=0.0)  # nor resell or scrap
    if extra:
        add_lot(
            w, node=node["lender", 0], chip=3, units=extra, offered=extra, asked=22, seized=22, reason=SaleReason.SEIZED
        )
    return w


def outcome(w, order: Order, money: float = 1.0) -> dict[str, np.ndarray]:
    """Trade, and return the end by name of agent and generation (dollars, units, kW); see that the book explains cash."""
    with paid_in_full(w):
        trade(w, w.clock[0])
    appraise(w, w.clock[0])
    node, chips = order.nodes(), [order.chips.index(g) for g in CHIPS]
    names, who = sorted(node), {n: name for name, n in node.items()}
    lots = w.lots[: w.clock[0].used_lots]
    sold = w.trades[: w.clock[0].trades]
    lender, operator = (
        [rows.index(i) for i in of] for rows, of in ((order.lenders, LENDERS), (order.operators, OPERATORS))
    )
    buyer = [order.buyers.index(i) for i in BUYERS]
    forced = [e for e in w.events[: w.clock[0].events] if e.kind == EventKind.FORCED_SALE]
    return {
        "units": np.array([[lots.units[(lots.owner == node[n]) & (lots.chip == g)].sum() for g in chips] for n in names]),
        "sold": np.array([[sold.units[(sold.seller == node[n]) & (sold.chip == g)].sum() for g in chips] for n in names]),
        "bought": np.array([[sold.units[(sold.buyer == node[n]) & (sold.chip == g)].sum() for g in chips] for n in names]),
        "lenders": w.lenders.cash[lender] / money,
        "operators": w.operators.cash[operator] / money,
        "buyers": w.buyers.budget[buyer] / money,
        "sites": np.array([w.operators[c][operator] for c in ("site_power", "used_power", "liquid_power", "used_liquid")]),
        "users": np.array([w.buyers[c][buyer] for c in ("power", "liquid")]),
        "stock": np.array([w.chips[c][chips] for c in ("stock", "scrapped", "traded_units", "forced_units")]),
        "prices": np.array([w.chips[c][chips] for c in ("price", "appraisal", "traded_usd", "best_bid")]) / money,
        "claims": np.sort([loan.principal for loan in w.loans[: w.clock[0].used_loans]]) / money,
        "book": w.book / money,
        "forced": np.array(sorted((names.index(who[e.node]), chips.index(e.chip), e.usd / money, e.units) for e in forced)),
        "shock": np.array([w.clock[0].shock_usd / money]),
    }  # fmt: skip


def same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
    for name, values in one.items():
        scale = max(1.0, np.abs(values).max())
        assert other[name] == pytest.approx(values, rel=ROUNDING, abs=ROUNDING * scale), name


@pytest.fixture
def base() -> dict[str, np.ndarray]:
    return outcome(market(Order()), Order())


def test_the_market_is_one_in_which_something_happens(base):
    # Every generation trades, by force and not; peers, users and the dealer or the scrap merchant buy; places change hands.
    assert (base["stock"][2] > base["stock"][3]).any() and (base["stock"][3] > 0).all()
    assert len(base["forced"]) >= 6
    names = sorted(Order().nodes())
    buys = {name for name, units in zip(names, base["bought"].sum(axis=1), strict=True) if units > 0}
    assert len(buys & {("buyer", i) for i in BUYERS}) >= 3
    assert len(buys & {("operator", i) for i in OPERATORS}) >= 1
    assert base["sites"][0, 3] < 900.0
    assert base["units"].sum() == pytest.approx(base["stock"][0].sum())


@pytest.mark.parametrize("lenders", list(permutations(LENDERS))[1:])
def test_the_order_of_lenders_changes_nothing(base, lenders):
    order = Order(lenders=lenders)
    same(base, outcome(market(order), order))


@pytest.mark.parametrize("operators", [(3, 2, 1, 0), (1, 3, 0, 2)])
def test_the_order_of_operators_changes_nothing(base, operators):
    order = Order(operators=operators)
    same(base, outcome(market(order), order))


@pytest.mark.parametrize("buyers", [(5, 4, 3, 2, 1, 0), (2, 0, 4, 1, 5, 3)])
def test_the_order_of_buyers_changes_nothing(base, buyers):
    order = Order(buyers=buyers)
    same(base, outcome(market(order), order))


@pytest.mark.parametrize("chips", list(permutations(CHIPS))[1:])
def test_the_order_of_generations_changes_nothing(base, chips):
    order = Order(chips=chips)
    same(base, outcome(market(order), order))


def test_the_order_of_all_at_once_changes_nothing_on_the_exchange_either():
    order = Order((1, 0), (2, 3, 1, 0), (3, 5, 0, 2, 4, 1), (2, 0, 1))
    ends = [outcome(market(o, market_venue=Venue.EXCHANGE), o) for o in (Order(), order)]
    same(*ends)


@pytest.mark.parametrize("money", [1e-3, 2.0, 1e3])
def test_another_unit_of_money_changes_nothing_real(base, money):
    same(base, outcome(market(Order(), money), Order(), money))


@pytest.mark.parametrize("units", [0.0, 5.0, 5e5])
def test_a_generation_that_nobody_can_use_changes_nothing(base, units):
    w = market(Order(), extra=units)
    same(base, outcome(w, Order()))
    assert w.chips[3].stock == units
    assert w.chips[3].traded_units == 0.0
