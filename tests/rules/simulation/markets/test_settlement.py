"""A sale of used hardware: who pays, who is paid, and where the units go."""

from __future__ import annotations

import pytest

from agents.tables.buyers import BuyerKind
from agents.tables.clock import Fault
from agents.tables.events import SaleReason
from agents.tables.ledger import Flow
from agents.tables.loans import LoanStatus
from agents.tables.operators import OperatorStatus
from simulation.markets.order_book import Search, Venue
from simulation.markets.rows import ASKS, CALLED, FILL, HOPS, ORDERS, SELLER, SOLD, UNITS, WEEKS_OF
from simulation.markets.settlement import (
    book_sale,
    charge_buyer,
    claim_insurance,
    give_site,
    give_units,
    log_trade,
    move_site,
    pay_search,
    pay_seller,
    sell_units,
    settle_item,
)
from tests.rules.worlds import add_loan, add_lot, cash_of, explained, paid_in_full, put, small_world

USERS = (BuyerKind.HYPERSCALER, BuyerKind.ENTERPRISE, BuyerKind.RESEARCH, BuyerKind.FUND)
VOLUNTARY = (SaleReason.CHURN, SaleReason.DEALER)
FORCED = tuple(reason for reason in SaleReason if reason not in VOLUNTARY)
MARKET = -1


def market(chips: int = 2, **terms: float):
    """Two lenders, two operators and two buyers; outside investors (node 2) and backstop (7) on top. Month 9, round 2.

    Chip 1 needs 3 kW; everybody has cash for what the examples buy.
    """
    w = small_world(lenders=2, operators=2, buyers=2, chips=chips, terms=terms)
    put(w.clock[0], month=9, turn=2)
    put(w.chips[chips - 1], power=3.0, appraisal=50.0, fundamental=70.0)
    w.lenders.cash[:], w.operators.cash[:], w.buyers.budget[:] = 10000.0, 20000.0, 30000.0
    return w


LENDER_NODE, OTHER_LENDER, OUTSIDE, PEER, OTHER_PEER, USER, OTHER_USER, BACKSTOP = range(8)


def others(w, *nodes: int):
    """Return cash of all nodes but some."""
    cash = [*w.lenders.cash, *w.operators.cash, *w.buyers.budget]
    return [usd for node, usd in enumerate(cash) if node not in nodes]


# --- the record ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("reasons", "forced"), [(FORCED, 5.0), (VOLUNTARY, 0.0)])
def test_a_fill_is_recorded_and_counted_as_forced_unless_the_owner_chose_to_sell(reasons, forced):
    for reason in reasons:
        w = market()
        put(w.chips[1], traded_units=10.0, traded_usd=600.0, forced_units=4.0)
        lot = w.lots[add_lot(w, node=PEER, chip=1, reason=reason, vintage=-4.5)]
        w.clock[0].trades = 2
        log_trade(w, w.clock[0], lot, USER, 5.0, 40.0, 3.0)
        chip, trade = w.chips[1], w.trades[2]
        assert (chip.traded_units, chip.traded_usd) == pytest.approx((10 + 5, 600 + 5 * 40))
        assert chip.forced_units == pytest.approx(4 + forced)
        assert w.chips[0].traded_units == 0.0
        assert (trade.month, trade.turn, trade.chip, trade.seller, trade.buyer) == (9, 2, 1, PEER, USER)
        assert (trade.units, trade.price, trade.fundamental) == pytest.approx((5.0, 40.0, 70.0))
        assert trade.age == 9 + 4.5
        assert (trade.reason, trade.hops) == (reason, 3)
        assert w.clock[0].trades == 3


@pytest.mark.parametrize(("used", "fault"), [(3, Fault.NONE), (4, Fault.TRADES_FULL)])
def test_a_full_table_of_trades_stops_the_run(used, fault):
    w = market()
    w = w._replace(trades=w.trades[:4])
    w.clock[0].trades = used
    log_trade(w, w.clock[0], w.lots[add_lot(w, node=PEER)], USER, 5.0, 40.0, 1.0)
    assert w.clock[0].fault == fault
    assert w.clock[0].trades == 4
    assert w.trades[3].units == (5.0 if fault == Fault.NONE else 0.0)
    if fault != Fault.NONE:
        assert (w.clock[0].fault_node, w.clock[0].fault_usd) == (4, 0.0)


# --- the book --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("sellers", "from_market", "from_peer", "from_buyer"),
    [
        ((LENDER_NODE, OUTSIDE), Flow.MARKET_TO_LENDER, Flow.PEER_FROM_LENDER, Flow.USED_FROM_LENDER),
        ((PEER, OTHER_PEER), Flow.MARKET_TO_OPERATOR, Flow.PEER_FROM_OPERATOR, Flow.USED_FROM_OPERATOR),
        ((USER, BACKSTOP), Flow.MARKET_TO_BUYER, Flow.PEER_FROM_BUYER, Flow.USED_BETWEEN_BUYERS),
    ],
)
def test_a_sale_is_booked_by_the_sectors_of_seller_and_buyer(sellers, from_market, from_peer, from_buyer):
    for seller in sellers:
        for buyers, item in (((MARKET,), from_market), ((PEER, OTHER_PEER), from_peer), ((USER, BACKSTOP), from_buyer)):
            for buyer in buyers:
                w = market()
                w.book[item] = 30.0
                book_sale(w, seller, buyer, 12.0)
                assert w.book[item] == pytest.approx(30 + 12)
                assert w.book.sum() == pytest.approx(30 + 12)


# --- the seller ------------------------------------------------------------------------------------------------
def seized(w, principal: float = 100.0, older: int = 1):
    """Lender 1's lot, seized from operator 1: its claim has recovered 7 so far, the month 5. Another's loan may be older."""
    for _ in range(older):
        add_loan(w, lender=0, operator=0, usd=50.0)
    k = add_loan(w, lender=1, operator=1, usd=principal, status=LoanStatus.DEFAULTED, recovered=7.0)
    w.clock[0].recoveries = 5.0
    return w.loans[k], w.lots[add_lot(w, node=OTHER_LENDER, chip=1, loan=k, reason=SaleReason.SEIZED, vintage=1.0)]


@pytest.mark.parametrize("older", [0, 1])
@pytest.mark.parametrize(("usd", "taken", "surplus"), [(30.0, 30.0, 0.0), (100.0, 100.0, 0.0), (120.0, 100.0, 20.0)])
def test_a_lender_keeps_the_proceeds_of_collateral_up_to_its_claim_and_the_estate_gets_the_rest(
    usd, taken, surplus, older
):
    w = market()
    loan, lot = seized(w, older=older)
    pay_seller(w, w.clock[0], lot, usd)
    assert (loan.principal, loan.recovered) == pytest.approx((100 - taken, 7 + taken))
    assert w.lenders[1].cash == pytest.approx(10000 + taken)
    assert w.lenders[1].book == pytest.approx(100 - taken)
    assert w.operators[1].debt == pytest.approx(100 - taken)
    assert w.operators[1].cash == pytest.approx(20000 + surplus)
    assert w.clock[0].recoveries == pytest.approx(5 + taken)
    assert w.book[Flow.SURPLUS] == w.book.sum() == pytest.approx(surplus)
    assert others(w, OTHER_LENDER, OTHER_PEER) == others(market(), OTHER_LENDER, OTHER_PEER)


def test_hardware_that_secures_no_claim_brings_its_owner_all():
    w = market()
    add_loan(w, lender=0, usd=100.0)
    for owner in (LENDER_NODE, OUTSIDE):
        pay_seller(w, w.clock[0], w.lots[add_lot(w, node=owner)], 30.0)
        assert w.lenders[owner].cash == pytest.approx(10000 + 30)
    assert w.loans[0].principal == 100.0
    assert w.clock[0].recoveries == 0.0


@pytest.mark.parametrize("older", [0, 1])
@pytest.mark.parametrize(
    ("usd", "paid"),
    [(30.0, 30.0), (100.0, 100.0), (120.0, 100.0)],  # what is above the loan stays with the borrower
)
def test_a_sale_after_a_margin_call_pays_the_loan_down_interest_first(usd, paid, older):
    w = market()
    for _ in range(older):
        add_loan(w, lender=0, operator=0, usd=100.0)
    k = add_loan(w, lender=1, operator=1, usd=100.0, interest=4.0)
    add_loan(w, lender=0, operator=0, usd=100.0)
    lot = w.lots[add_lot(w, node=OTHER_PEER, loan=k, reason=SaleReason.MARGIN_CALL)]
    pay_seller(w, w.clock[0], lot, usd)
    assert w.loans[k].principal == pytest.approx(100 - paid)
    assert w.operators[1].debt == pytest.approx(100 - paid)
    assert w.operators[1].cash == pytest.approx(20000 + usd - paid)
    assert w.lenders[1].cash == pytest.approx(10000 + paid)
    assert (w.book[Flow.INTEREST], w.book[Flow.PRINCIPAL]) == pytest.approx((4, paid - 4))
    assert w.clock[0].recoveries == 0.0
    assert w.operators[0].debt == w.lenders[0].book == 100.0 * (older + 1)


@pytest.mark.parametrize("reason", [r for r in SaleReason if r != SaleReason.MARGIN_CALL])
def test_an_operator_keeps_what_other_sales_bring(reason):
    w = market()
    k = add_loan(w, lender=1, operator=1, usd=100.0)
    pay_seller(w, w.clock[0], w.lots[add_lot(w, node=OTHER_PEER, loan=k, reason=reason)], 30.0)
    assert w.operators[1].cash == pytest.approx(20000 + 30)
    assert w.loans[k].principal == 100.0


def test_a_sale_of_free_hardware_pays_no_loan_whatever_it_is_for():
    w = market()
    add_loan(w, lender=1, operator=1, usd=100.0)
    pay_seller(w, w.clock[0], w.lots[add_lot(w, node=OTHER_PEER, reason=SaleReason.MARGIN_CALL)], 30.0)
    assert w.operators[1].cash == pytest.approx(20000 + 30)
    assert w.loans[0].principal == 100.0


@pytest.mark.parametrize("node", [USER, OTHER_USER])
def test_a_buyer_that_sells_has_the_money_in_its_budget(node):
    w = market()
    pay_seller(w, w.clock[0], w.lots[add_lot(w, node=node)], 30.0)
    assert w.buyers[node - USER].budget == pytest.approx(30000 + 30)
    assert others(w, node) == others(market(), node)


# --- insurance -------------------------------------------------------------------------------------------------
#: Half of the cost written off over 32 months is insured. The lot cost 80 and has run for 8 of them: half of 60.
INSURED = {"policy_insurance_coverage": 0.5, "policy_insurance_capacity": 1000.0}


@pytest.mark.parametrize(
    ("price", "insured", "usd"),
    [
        (20.0, 600.0, 4 * (30 - 20)),
        (5.0, 600.0, 4 * (30 - 5)),  # just the claim
        (4.0, 600.0, 100.0),  # no more than the claim
        (20.0, 975.0, 25.0),  # nor than what is left of the capacity
        (20.0, 1001.0, 0.0),
        (30.0, 600.0, 0.0),
        (31.0, 600.0, 0.0),  # who sells well pays nothing back
    ],
)
def test_insurers_pay_what_seized_hardware_sells_for_below_its_insured_value(price, insured, usd):
    w = market(**INSURED)
    loan, lot = seized(w)
    lot.cost, w.lenders[1].life, w.clock[0].insured = 80.0, 32.0, insured
    claim_insurance(w, w.clock[0], lot, w.lenders[1], 4.0, price)
    assert w.clock[0].insured == pytest.approx(insured + usd)
    assert w.lenders[1].cash == pytest.approx(10000 + usd)
    assert w.lenders[1].book == w.operators[1].debt == loan.principal == pytest.approx(100 - usd)
    assert loan.recovered == pytest.approx(7 + usd)
    assert w.clock[0].recoveries == pytest.approx(5 + usd)
    assert w.book[Flow.INSURANCE_CLAIM] == w.book.sum() == pytest.approx(usd)
    assert others(w, OTHER_LENDER) == others(market(), OTHER_LENDER)


@pytest.mark.parametrize(("life", "insured"), [(32.0, 30.0), (16.0, 20.0), (8.0, 0.0), (4.0, 0.0)])
def test_what_is_insured_is_written_off_over_the_lenders_underwriting_life(life, insured):
    w = market(**INSURED)
    _, lot = seized(w)
    lot.cost, w.lenders[1].life = 80.0, life
    claim_insurance(w, w.clock[0], lot, w.lenders[1], 2.0, 0.0)
    assert w.clock[0].insured == pytest.approx(2 * insured)


# --- the buyer -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("usd", "fee", "left"), [(70.0, 7.0, 23.0), (96.0, 4.0, 0.0), (99.0, 4.0, 0.0)])
def test_the_buyer_pays_price_and_brokerage_and_never_goes_below_nothing(usd, fee, left):
    w = market()
    w.operators[1].cash = w.buyers[1].budget = 100.0
    w.buyers[1].spent = 40.0
    charge_buyer(w, OTHER_PEER, usd, fee)
    assert w.operators[1].cash == pytest.approx(left)
    assert w.book[Flow.FINDER_FEE_OPERATOR] == w.book.sum() == pytest.approx(fee)
    charge_buyer(w, OTHER_USER, usd, fee)
    assert w.buyers[1].budget == pytest.approx(left)
    assert w.buyers[1].spent == pytest.approx(40 + usd)
    assert w.book[Flow.FINDER_FEE_BUYER] == pytest.approx(fee)
    charge_buyer(w, USER, usd, fee)  # the first of the buyers, and a second fee
    assert w.buyers[0].budget == pytest.approx(30000 - usd - fee)
    assert w.book[Flow.FINDER_FEE_BUYER] == pytest.approx(2 * fee)
    assert others(w, OTHER_PEER, USER, OTHER_USER) == others(market(), OTHER_PEER, USER, OTHER_USER)


def handed(w, node: int, **lot: float):
    """Give ``node`` 4 units of a lot of operator 0; return the lot that it got, None if none."""
    k = add_lot(w, node=PEER, chip=1, **{"units": 10.0, "vintage": 2.0, "cost": 90.0, **lot})
    give_units(w, w.clock[0], w.lots[k], node, 4.0, 60.0)
    assert w.lots[k].units == 10.0  # for the seller to book
    return w.lots[w.first_lot[node]] if w.first_lot[node] >= 0 else None


@pytest.mark.parametrize("kind", [*USERS, BuyerKind.DEALER, BuyerKind.BACKSTOP])
def test_units_arrive_free_of_debt_as_old_as_they_were_at_the_price_paid(kind):
    w = market(rental_install_lag=3)
    put(w.buyers[1], kind=kind, bought=100.0)
    got = handed(w, OTHER_USER, loan=0, contracted=0.5)
    assert (got.owner, got.chip, got.units, got.vintage, got.cost) == (OTHER_USER, 1, 4.0, 2.0, 60.0)
    assert (got.loan, got.contracted, got.offered) == (-1, 0.0, 0.0)
    # Dealers do not install.
    assert got.online == (9 if kind == BuyerKind.DEALER else 9 + 3)
    assert (w.buyers[1].bought, w.buyers[0].bought) == pytest.approx((100 + 4, 0))
    assert (w.chips[1].stock, w.chips[1].scrapped) == (10.0, 0.0)


@pytest.mark.parametrize(
    ("kind", "power", "liquid", "power_left", "liquid_left"),
    [
        *((kind, 20.0, 15.0, 20 - 4 * 3, 15 - 4 * 3) for kind in USERS),
        (BuyerKind.ENTERPRISE, 11.0, 6.0, 0.0, 0.0),  # never below nothing (it can convert some)
        (BuyerKind.DEALER, 20.0, 15.0, 20.0, 15.0),
        (BuyerKind.BACKSTOP, 20.0, 15.0, 20.0, 15.0),
        (BuyerKind.SCRAP, 20.0, 15.0, 20.0, 15.0),
    ],
)
@pytest.mark.parametrize("needs_liquid", [0, 1])
def test_who_runs_the_chips_needs_power_for_them(kind, power, liquid, power_left, liquid_left, needs_liquid):
    w = market()
    w.chips[1].liquid = needs_liquid
    put(w.buyers[1], kind=kind, power=power, liquid=liquid)
    handed(w, OTHER_USER)
    assert w.buyers[1].power == pytest.approx(power_left)
    assert w.buyers[1].liquid == pytest.approx(liquid_left if needs_liquid else liquid)


@pytest.mark.parametrize(("kind", "stock"), [(BuyerKind.DEALER, 4 * 50.0), *((kind, 0.0) for kind in USERS)])
def test_a_dealer_stocks_what_it_buys_at_the_appraisal(kind, stock):
    w = market()
    put(w.buyers[1], kind=kind, inventory=80.0)
    handed(w, OTHER_USER)
    assert w.buyers[1].inventory == pytest.approx(80 + stock)


def test_a_scrap_merchant_scraps():
    w = market()
    put(w.buyers[1], kind=BuyerKind.SCRAP, bought=100.0)
    w.chips[1].scrapped = 7.0
    assert handed(w, OTHER_USER) is None
    assert (w.chips[1].scrapped, w.chips[1].stock) == pytest.approx((7 + 4, 10 - 4))
    assert w.buyers[1].bought == pytest.approx(100 + 4)


def test_a_peer_puts_the_units_on_its_site():
    w = market(rental_install_lag=3)
    w.chips[1].liquid = 1
    put(w.operators[1], used_power=5.0, used_liquid=2.0)
    got = handed(w, OTHER_PEER)
    assert (got.owner, got.units, got.online, got.loan) == (OTHER_PEER, 4.0, 9 + 3, -1)
    assert (w.operators[1].used_power, w.operators[1].used_liquid) == pytest.approx((5 + 4 * 3, 2 + 4 * 3))
    assert w.operators[0].used_power == 0.0
    assert w.buyers.bought.sum() == 0.0


# --- a sale ----------------------------------------------------------------------------------------------------
def sold(w, k: int, node: int, units: float = 4.0, price: float = 60.0, hops: float = 1.0) -> None:
    """Sell, and see that the book explains what cash did."""
    cash, booked = cash_of(w), explained(w)
    sell_units(w, w.clock[0], k, node, units, price, hops)
    change = [a - b for a, b in zip(cash_of(w), cash, strict=True)]
    assert change == pytest.approx([a - b for a, b in zip(explained(w), booked, strict=True)])


@pytest.mark.parametrize(("hops", "fee"), [(1.0, 0.0), (2.0, 24.0), (4.0, 3 * 24.0)])
def test_each_broker_between_seller_and_buyer_costs_the_buyer_a_fee(hops, fee):
    # 4 units at 60 are 240 USD; a broker takes a tenth.
    w = market(market_finder_fee=0.1)
    k = add_lot(w, node=PEER, chip=1, reason=SaleReason.ESTATE)
    sold(w, k, OTHER_USER, hops=hops)
    assert w.buyers[1].budget == pytest.approx(30000 - 240 - fee)
    assert w.operators[0].cash == pytest.approx(20000 + 240)
    assert w.book[Flow.USED_FROM_OPERATOR] == pytest.approx(240)
    assert w.book[Flow.FINDER_FEE_BUYER] == pytest.approx(fee)
    assert w.book.sum() == pytest.approx(240 + fee)
    trade = w.trades[0]
    assert (trade.seller, trade.buyer, trade.hops, trade.reason) == (PEER, OTHER_USER, int(hops), SaleReason.ESTATE)
    assert (trade.units, trade.price) == (4.0, 60.0)
    assert w.clock[0].trades == 1


def test_in_the_impersonal_market_nobody_in_particular_pays():
    w = market(market_finder_fee=0.1)
    sold(w, add_lot(w, node=PEER, chip=1), BACKSTOP, hops=0.0)
    assert w.operators[0].cash == pytest.approx(20000 + 240)
    assert others(w, PEER) == others(market(), PEER)
    assert w.book[Flow.MARKET_TO_OPERATOR] == w.book.sum() == pytest.approx(240)
    assert (w.trades[0].buyer, w.trades[0].hops) == (MARKET, 0)
    # The units are kept by the last buyer, which stands for it.
    assert w.lots[w.first_lot[BACKSTOP]].units == 4.0


def test_a_part_of_a_lot_is_sold_and_the_rest_stays_for_sale():
    w = market()
    put(w.operators[1], used_power=50.0)
    k = add_lot(w, node=OTHER_PEER, chip=1, units=10.0, offered=7.0, contracted=0.6)
    sold(w, k, USER)
    assert (w.lots[k].units, w.lots[k].offered, w.lots[k].owner) == pytest.approx((10 - 4, 7 - 4, OTHER_PEER))
    # Contracts go with the units: what is let of the rest is the same share, and the buyer gets none.
    assert w.lots[k].contracted == 0.6
    assert w.lots[w.first_lot[USER]].contracted == 0.0
    assert w.operators[1].used_power == pytest.approx(50 - 4 * 3)
    assert w.operators[0].used_power == 0.0
    assert w.lots[w.first_lot[USER]].units == 4.0
    # More than was offered (a rounding): no negative offer.
    w.lots[k].offered = 3.0
    sold(w, k, USER)
    assert w.lots[k].offered == 0.0


@pytest.mark.parametrize(("rest", "whole"), [(0.0, True), (5e-7, True), (2e-6, False)])
def test_what_would_be_dust_is_sold_along_and_an_empty_lot_is_no_more(rest, whole):
    w = market()
    k = add_lot(w, node=PEER, chip=1, units=4.0 + rest, offered=4.0)
    sold(w, k, USER)
    assert w.lots[k].owner == (-1 if whole else PEER)
    assert w.first_lot[PEER] == (-1 if whole else k)
    got = w.lots[w.first_lot[USER]]
    assert got.units == pytest.approx(4.0 + rest if whole else 4.0, abs=1e-9)
    assert w.operators[0].cash == pytest.approx(20000 + 60 * got.units, abs=1e-7)
    assert w.lots[k].units == pytest.approx(0.0 if whole else rest, abs=1e-9)


def test_a_millionth_of_a_chip_is_just_not_dust():
    w = market()
    k = add_lot(w, node=PEER, chip=1, units=2e-6)
    sold(w, k, USER, units=1e-6)
    assert (w.lots[k].owner, w.lots[k].units) == (PEER, 1e-6)


@pytest.mark.parametrize("older", [0, 1])
@pytest.mark.parametrize(("coverage", "paid"), [(0.5, 4 * (30 - 20.0)), (0.0, 0.0)])
def test_a_lender_sells_what_it_seized_and_claims_insurance_where_there_is_one(coverage, paid, older):
    w = market(policy_insurance_coverage=coverage, policy_insurance_capacity=1000.0)
    loan, lot = seized(w, principal=500.0, older=older)
    put(lot, cost=80.0, units=10.0)
    put(w.lenders[1], life=32.0, seized_units=25.0)
    k = w.first_lot[OTHER_LENDER]
    sold(w, k, USER, units=4.0, price=20.0)
    assert loan.principal == pytest.approx(500 - 80 - paid)
    assert w.lenders[1].cash == pytest.approx(10000 + 80 + paid)
    assert w.book[Flow.USED_FROM_LENDER] == pytest.approx(80)
    assert w.book[Flow.INSURANCE_CLAIM] == pytest.approx(paid)
    assert (w.lenders[1].seized_units, w.lenders[0].seized_units) == pytest.approx((25 - 4, 0))
    assert w.operators.used_power.sum() == 0.0


def test_only_collateral_is_insured():
    w = market(policy_insurance_coverage=0.5, policy_insurance_capacity=1000.0)
    add_loan(w, usd=100.0)
    sold(w, add_lot(w, node=OUTSIDE, chip=1), USER, price=1.0)  # a block of the outside investors
    sold(w, add_lot(w, node=PEER, chip=1, loan=0, reason=SaleReason.ARREARS), USER, price=1.0)
    assert w.clock[0].insured == 0.0


@pytest.mark.parametrize(
    ("power", "cap", "inventory", "power_then", "inventory_then"),
    [
        (5.0, 100.0, 300.0, 5 + 4 * 3, 300 - 4 * 50),
        (95.0, 100.0, 120.0, 100.0, 0.0),  # sites do not grow, stock is not negative
    ],
)
def test_a_buyer_that_sells_frees_power_and_stock(power, cap, inventory, power_then, inventory_then):
    w = market()
    put(w.buyers[1], power=power, power_cap=cap, inventory=inventory, liquid=1.0, liquid_cap=99.0)
    w.chips[1].liquid = 1
    sold(w, add_lot(w, node=OTHER_USER, chip=1, reason=SaleReason.CHURN), PEER)
    assert (w.buyers[1].power, w.buyers[1].inventory) == pytest.approx((power_then, inventory_then))
    assert w.buyers[1].liquid == pytest.approx(1 + 4 * 3)
    assert (w.buyers[0].power, w.buyers[0].inventory) == (0.0, 0.0)
    assert w.buyers[1].budget == pytest.approx(30000 + 240)
    assert w.operators[0].cash == pytest.approx(20000 - 240)
    assert w.book[Flow.PEER_FROM_BUYER] == pytest.approx(240)


def test_peers_and_buyers_trade_with_their_like():
    w = market()
    sold(w, add_lot(w, node=PEER, chip=1), OTHER_PEER)
    assert w.book[Flow.PEER_FROM_OPERATOR] == w.book.sum() == pytest.approx(240)
    assert w.operators.used_power.tolist() == pytest.approx([-12, 12])
    sold(w, add_lot(w, node=USER, chip=1), OTHER_USER)
    assert w.book[Flow.USED_BETWEEN_BUYERS] == pytest.approx(240)


# --- a sale in place -------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("power", "liquid", "site_left", "liquid_left"),
    [
        (3.0, 1, 97.0, 57.0),
        (3.0, 0, 97.0, 60.0),
        (50.0, 0, 50.0, 50.0),  # cooling stays as far as the place that is left has it
        (70.0, 1, 30.0, 0.0),  # never below nothing
        (101.0, 0, 0.0, 0.0),
    ],
)
def test_a_place_that_is_given_up_goes_with_its_cooling(power, liquid, site_left, liquid_left):
    w = market()
    put(w.operators[1], site_power=100.0, liquid_power=60.0)
    give_site(w.operators[1], power, liquid)
    assert (w.operators[1].site_power, w.operators[1].liquid_power) == pytest.approx((site_left, liquid_left))
    # Handed over, nothing is lost and nothing made.
    w = market()
    w.operators.site_power[:], w.operators.liquid_power[:] = (20.0, 100.0), (10.0, 60.0)
    move_site(w.operators[1], w.operators[0], power, liquid)
    assert w.operators.site_power.tolist() == pytest.approx([120 - site_left, site_left])
    assert w.operators.liquid_power.tolist() == pytest.approx([70 - liquid_left, liquid_left])


def fallen(seller: int, *, liquid: int = 1, **lot: float):
    """Operator 0 or 1 has fallen; 4 of 10 units that stand in its place, seized by lender 1 or its estate's, are sold.

    Its sites have 100 kW, 60 liquid-cooled, of which 90 and 45 are in use; the other operator's have 50, all in use.
    """
    w = market(rental_install_lag=3)
    o = 1 if seller == OTHER_PEER else 0
    w.chips[1].liquid = liquid
    for k, op in enumerate(w.operators):
        mine = k == o
        put(op, site_power=100.0 if mine else 50.0, used_power=90.0 if mine else 50.0)
        put(op, liquid_power=60.0 if mine else 20.0, used_liquid=45.0 if mine else 20.0)
    w.operators[o].status = OperatorStatus.DEFAULTED
    put(w.buyers[1], power=30.0, liquid=20.0)
    w.lenders[1].seized_units = 10.0
    k = add_lot(w, node=seller, chip=1, units=10.0, **{"offered": 10.0, "site": o, "reason": SaleReason.ESTATE, **lot})
    return w, o, k


SELLERS = (OTHER_LENDER, PEER, OTHER_PEER)


@pytest.mark.parametrize("liquid", [0, 1])
@pytest.mark.parametrize("seller", SELLERS)
def test_a_peer_takes_chips_over_where_they_stand_with_their_place_and_they_run_on(seller, liquid):
    w, o, k = fallen(seller, liquid=liquid)
    buyer = 1 - o
    sold(w, k, PEER + buyer)
    # Four units of 3 kW.
    assert w.operators.site_power[[o, buyer]].tolist() == pytest.approx([100 - 12, 50 + 12])
    assert w.operators.used_power[[o, buyer]].tolist() == pytest.approx([90 - 12, 50 + 12])
    assert w.operators.liquid_power[[o, buyer]].tolist() == pytest.approx([60 - 12 * liquid, 20 + 12 * liquid])
    assert w.operators.used_liquid[[o, buyer]].tolist() == pytest.approx([45 - 12 * liquid, 20 + 12 * liquid])
    got = w.lots[w.first_lot[PEER + buyer]]
    assert (got.units, got.online, got.site) == (4.0, 9, -1)
    assert (w.lots[k].units, w.lots[k].site) == (6.0, o)


@pytest.mark.parametrize("liquid", [0, 1])
@pytest.mark.parametrize("seller", SELLERS)
@pytest.mark.parametrize("kind", [*USERS, BuyerKind.BACKSTOP])
def test_a_user_takes_them_over_with_their_place_and_keeps_its_own(seller, liquid, kind):
    w, o, k = fallen(seller, liquid=liquid)
    w.buyers[1].kind = kind
    sold(w, k, OTHER_USER)
    assert (w.operators[o].site_power, w.operators[o].used_power) == pytest.approx((100 - 12, 90 - 12))
    assert (w.operators[o].liquid_power, w.operators[o].used_liquid) == pytest.approx(
        (60 - 12 * liquid, 45 - 12 * liquid)
    )
    assert (w.buyers[1].power, w.buyers[1].liquid) == (30.0, 20.0)
    assert w.operators[1 - o].site_power == 50.0
    assert w.lots[w.first_lot[OTHER_USER]].online == 9


@pytest.mark.parametrize("seller", SELLERS)
@pytest.mark.parametrize("kind", [BuyerKind.DEALER, BuyerKind.SCRAP])
def test_dealers_and_scrap_merchants_carry_them_off_and_the_place_is_free(seller, kind):
    w, o, k = fallen(seller)
    w.buyers[1].kind = kind
    sold(w, k, OTHER_USER)
    assert (w.operators[o].site_power, w.operators[o].liquid_power) == (100.0, 60.0)
    assert (w.operators[o].used_power, w.operators[o].used_liquid) == pytest.approx((90 - 12, 45 - 12))
    assert (w.buyers[1].power, w.buyers[1].liquid) == (30.0, 20.0)
    assert w.chips[1].stock == (6.0 if kind == BuyerKind.SCRAP else 10.0)


@pytest.mark.parametrize("seller", SELLERS)
@pytest.mark.parametrize("node", [OTHER_USER, USER, None])
def test_what_was_carried_off_at_the_default_frees_no_power_when_it_is_sold(seller, node):
    w, o, k = fallen(seller, site=-1)
    node = PEER + 1 - o if node is None else node  # the other operator
    sold(w, k, node)
    assert (w.operators[o].site_power, w.operators[o].used_power) == (100.0, 90.0)
    assert (w.operators[o].liquid_power, w.operators[o].used_liquid) == (60.0, 45.0)
    assert w.lots[w.first_lot[node]].online == 9 + 3


def test_a_living_owner_frees_the_power_of_what_it_sells():
    w, o, k = fallen(PEER, site=-1)
    w.operators[o].status = OperatorStatus.STRESSED
    sold(w, k, OTHER_USER)
    assert (w.operators[o].site_power, w.operators[o].used_power, w.operators[o].used_liquid) == pytest.approx(
        (100, 78, 33)
    )


def test_a_firm_that_buys_its_own_vehicle_s_chips_back_has_its_place_as_before():
    w, o, k = fallen(OTHER_LENDER)
    w.operators[o].status = OperatorStatus.HEALTHY
    sold(w, k, PEER + o)
    assert (w.operators[o].site_power, w.operators[o].used_power) == pytest.approx((100, 90))
    assert (w.operators[o].liquid_power, w.operators[o].used_liquid) == pytest.approx((60, 45))


# --- what search costs -----------------------------------------------------------------------------------------
def searched(seller: int, *, sold: float = 10.0, cash: float = 10000.0, months: int = 0, **terms: float):
    """Charge the seller of the second item, 4 and 6 units: a month of four calls at 500, 1,000, 1,500 and 2,000 USD."""
    w = market(**{"market_search": Search.EFFORT, "market_venue": Venue.NETWORK, "market_call_cost": 500.0} | terms)
    w.lenders.cash[:] = w.operators.cash[:] = w.buyers.budget[:] = cash
    w.item[ASKS, :4] = 0, 1, 3, 4
    w.item[[SELLER, WEEKS_OF, CALLED], 1] = seller, 4 * (1 + months), 4 * (1 + months)
    w.item[CALLED, [0, 2]] = 99
    w.ask[UNITS, :4] = 7.0, 4.0, 6.0, 7.0
    w.ask[SOLD, :4] = 7.0, 0.4 * sold, 0.6 * sold, 7.0
    with paid_in_full(w):
        pay_search(w, w.clock[0], 1)
    left = [*w.lenders.cash, *w.operators.cash, *w.buyers.budget]
    assert [usd for node, usd in enumerate(left) if node != seller] == [cash] * 7
    return cash - left[seller], w.book


@pytest.mark.parametrize("months", [0, 2])
@pytest.mark.parametrize(
    ("sellers", "item"),
    [
        ((LENDER_NODE, OTHER_LENDER, OUTSIDE), Flow.HOLDING),
        ((PEER, OTHER_PEER), Flow.FINDER_FEE_OPERATOR),
        ((USER, OTHER_USER, BACKSTOP), Flow.FINDER_FEE_BUYER),
    ],
)
def test_a_seller_pays_the_calls_of_the_month_out_of_its_cash_whatever_it_is(sellers, item, months):
    for seller in sellers:
        usd, account = searched(seller, months=months)
        assert usd == pytest.approx(500 + 1000 + 1500 + 2000)
        assert account[item] == account.sum() == pytest.approx(5000)


@pytest.mark.parametrize(
    ("sold", "usd"),
    [(3.0, 1500.0), (0.0, 0.0), (10.0, 5000.0), (10.1, 5000.0)],  # rounding
)
@pytest.mark.parametrize("seller", [OTHER_LENDER, OTHER_PEER, OTHER_USER])
def test_calls_cost_in_proportion_to_what_was_sold(seller, sold, usd):
    assert searched(seller, sold=sold)[0] == pytest.approx(usd)


@pytest.mark.parametrize("seller", [OTHER_LENDER, OTHER_PEER, OTHER_USER])
def test_calls_cost_no_more_than_the_seller_has(seller):
    usd, account = searched(seller, cash=1200.0)
    assert usd == account.sum() == 1200.0


@pytest.mark.parametrize("terms", [{"market_search": Search.FIXED}, {"market_venue": Venue.EXCHANGE}])
def test_calls_cost_nothing_where_their_number_is_fixed_or_nobody_calls(terms):
    assert searched(OTHER_LENDER, **terms)[0] == 0.0


# --- fills of an auction ---------------------------------------------------------------------------------------
def settled(bids, asks):
    """Settle at 60: bids are (bidder, units, hops), asks units of one lot of ten each of operator 0; return trades."""
    w = market()
    # Item 1; the one before and the one after it are none of its.
    w.item[ORDERS, :4] = 0, 1, 1 + len(bids), 2 + len(bids)
    w.item[ASKS, :4] = 0, 1, 1 + len(asks), 2 + len(asks)
    w.order[FILL, : len(bids) + 2] = w.ask[SOLD, : len(asks) + 2] = 3.0
    w.price[:3] = 1.0, 60.0, 2.0
    for i, (bidder, units, hops) in enumerate(bids, 1):
        w.bidder[i], w.order[FILL, i], w.order[HOPS, i] = bidder, units, hops
    for j, units in enumerate(asks, 1):
        w.ask_lot[j], w.ask[SOLD, j] = add_lot(w, node=PEER, chip=1), units
    settle_item(w, w.clock[0], 1)
    left = [w.lots[w.ask_lot[j]].units for j in range(1, len(asks) + 1)]
    return w, [(t.buyer, t.units, t.hops, t.price) for t in w.trades[: w.clock[0].trades]], left


#: As bidders, operators and buyers are counted from 0.
B_PEER, B_USER, B_OTHER = OTHER_PEER - PEER, USER - PEER, OTHER_USER - PEER


def test_fills_of_both_sides_are_matched_in_their_order():
    _, trades, left = settled([(B_OTHER, 3.0, 2), (B_PEER, 4.0, 1), (B_USER, 2.0, 3)], [5.0, 0.0, 1.0, 3.0])
    assert trades == [
        (OTHER_USER, 3.0, 2, 60.0),
        (OTHER_PEER, 2.0, 1, 60.0),  # the rest of the first lot
        (OTHER_PEER, 1.0, 1, 60.0),
        (OTHER_PEER, 1.0, 1, 60.0),
        (USER, 2.0, 3, 60.0),
    ]
    assert left == pytest.approx([10 - 5, 10, 10 - 1, 10 - 3])


def test_who_was_not_filled_buys_nothing_and_what_was_not_sold_stays():
    _, trades, left = settled([(B_OTHER, 0.0, 1), (B_PEER, 4.0, 1)], [1.0, 0.0, 2.0])
    assert trades == [(OTHER_PEER, 1.0, 1, 60.0), (OTHER_PEER, 2.0, 1, 60.0)]
    assert left == pytest.approx([9, 10, 8])


@pytest.mark.parametrize(("dust", "sales"), [(5e-7, 0), (1e-6, 0), (2e-6, 1)])
def test_dust_is_not_traded(dust, sales):
    for bids, asks in (([(B_USER, dust, 1)], [5.0]), ([(B_USER, 5.0, 1)], [dust])):
        _, trades, _ = settled(bids, asks)
        assert len(trades) == sales


def test_only_the_bids_and_asks_of_the_item_are_settled():
    for bids, asks, units in (([(B_USER, 3.0, 1)], [2.0], [2.0]), ([(B_USER, 2.0, 1)], [3.0], [2.0]), ([], [3.0], [])):
        _, trades, _ = settled(bids, asks)
        assert [t[1] for t in trades] == units
