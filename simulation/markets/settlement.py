"""Sales of used hardware carried out: units change hands, money goes to whom it is due."""

from __future__ import annotations

from agents.rule import rule
from agents.tables.buyers import BuyerKind, free_power
from agents.tables.clock import Fault, stop_run
from agents.tables.events import SaleReason
from agents.tables.ledger import BUYERS, LENDERS, OPERATORS, Flow
from agents.tables.loans import pay_loan, recover
from agents.tables.lots import close_lot, receive_units
from agents.tables.operators import OperatorStatus, occupy
from simulation.markets.auction import DUST
from simulation.markets.order_book import search_cost
from simulation.markets.rows import ASKS, CALLED, FILL, HOPS, ORDERS, SELLER, SOLD, UNITS, WEEKS_OF


@rule
def log_trade(w, clock, lot, buyer, units, price, hops):
    """Append a fill to the trades and count it in the generation's month."""
    chip = w.chips[lot.chip]
    chip.traded_units += units
    chip.traded_usd += units * price
    if lot.reason != SaleReason.CHURN and lot.reason != SaleReason.DEALER:
        chip.forced_units += units
    k = clock.trades
    if k >= len(w.trades):
        stop_run(clock, Fault.TRADES_FULL, k, 0.0)
        return
    t = w.trades[k]
    t.month = clock.month
    t.turn = clock.turn
    t.chip = lot.chip
    t.seller = lot.owner
    t.buyer = buyer
    t.units = units
    t.price = price
    t.reason = lot.reason
    t.fundamental = chip.fundamental
    t.age = clock.month - lot.vintage
    t.hops = int(hops)
    clock.trades = k + 1


@rule
def book_sale(w, seller, buyer, usd):
    """Enter the payment of a used sale under the item of its two sectors (buyer -1: the market)."""
    n_l = len(w.lenders)
    n_lo = n_l + len(w.operators)
    side = LENDERS if seller < n_l else (OPERATORS if seller < n_lo else BUYERS)
    if buyer < 0:
        item = (
            Flow.MARKET_TO_LENDER
            if side == LENDERS
            else (Flow.MARKET_TO_OPERATOR if side == OPERATORS else Flow.MARKET_TO_BUYER)
        )
    elif buyer < n_lo:
        item = (
            Flow.PEER_FROM_LENDER
            if side == LENDERS
            else (Flow.PEER_FROM_OPERATOR if side == OPERATORS else Flow.PEER_FROM_BUYER)
        )
    else:
        item = (
            Flow.USED_FROM_LENDER
            if side == LENDERS
            else (Flow.USED_FROM_OPERATOR if side == OPERATORS else Flow.USED_BETWEEN_BUYERS)
        )
    w.book[item] += usd


@rule
def pay_seller(w, clock, lot, usd):
    """Give the proceeds (USD) of a sale to the lot's owner and through it to whom they are due.

    A lender keeps them up to its claim, the estate gets the rest; a margin-call sale pays down the loan; other
    sellers keep the money.
    """
    n_l = len(w.lenders)
    n_lo = n_l + len(w.operators)
    if lot.owner < n_l:
        lender = w.lenders[lot.owner]
        lender.cash += usd
        if lot.loan >= 0:
            loan = w.loans[lot.loan]
            recover(loan, usd, w.operators[loan.borrower], lender, clock, w.book)
    elif lot.owner < n_lo:
        op = w.operators[lot.owner - n_l]
        op.cash += usd
        if lot.loan >= 0 and lot.reason == SaleReason.MARGIN_CALL:
            loan = w.loans[lot.loan]
            pay_loan(loan, min(usd, loan.principal), op, w.lenders[loan.lender], w.book)
    else:
        w.buyers[lot.owner - n_lo].budget += usd


@rule
def claim_insurance(w, clock, lot, lender, units, price):
    """Pay a lender what its seized hardware sold for below the insured value, up to its claim (USD).

    Insured: a part of the financed cost, written off in a straight line over the lender's underwriting life.
    """
    terms = w.terms[0]
    worth = lot.cost * max(0.0, 1.0 - (clock.month - lot.vintage) / lender.life)
    loan = w.loans[lot.loan]
    usd = units * max(0.0, terms.policy_insurance_coverage * worth - price)
    usd = min(usd, loan.principal, max(0.0, terms.policy_insurance_capacity - clock.insured))
    clock.insured += usd
    lender.cash += usd
    lender.book -= usd
    loan.principal -= usd
    loan.recovered += usd
    w.operators[loan.borrower].debt -= usd
    clock.recoveries += usd
    w.book[Flow.INSURANCE_CLAIM] += usd


@rule
def charge_buyer(w, node, usd, fee):
    """Take the price and the broker's fee (USD) from the buyer's cash or budget."""
    n_lo = len(w.lenders) + len(w.operators)
    if node < n_lo:
        op = w.operators[node - len(w.lenders)]
        op.cash = max(0.0, op.cash - usd - fee)
        w.book[Flow.FINDER_FEE_OPERATOR] += fee
    else:
        buyer = w.buyers[node - n_lo]
        buyer.budget = max(0.0, buyer.budget - usd - fee)
        buyer.spent += usd
        w.book[Flow.FINDER_FEE_BUYER] += fee


@rule
def give_units(w, clock, lot, node, units, price):
    """Hand the units to their buyer: power is used, dealers stock, scrap merchants scrap.

    Who runs chips that are sold in place takes them over with their power, and they run on.
    """
    terms = w.terms[0]
    n_l = len(w.lenders)
    n_lo = n_l + len(w.operators)
    chip = w.chips[lot.chip]
    online = clock.month if lot.site >= 0 else clock.month + terms.rental_install_lag
    if node < n_lo:
        if lot.site >= 0:
            move_site(w.operators[lot.site], w.operators[node - n_l], units * chip.power, chip.liquid)
        occupy(w.operators[node - n_l], chip, units)
    else:
        buyer = w.buyers[node - n_lo]
        buyer.bought += units
        if buyer.kind == BuyerKind.SCRAP:
            chip.scrapped += units
            chip.stock -= units
            return
        if buyer.kind == BuyerKind.DEALER:
            online = clock.month
            buyer.inventory += units * chip.appraisal
        elif lot.site >= 0:
            give_site(w.operators[lot.site], units * chip.power, chip.liquid)
        elif buyer.kind != BuyerKind.BACKSTOP:
            buyer.power = max(0.0, buyer.power - units * chip.power)
            if chip.liquid == 1:
                buyer.liquid = max(0.0, buyer.liquid - units * chip.power)
    receive_units(w.lots, w.first_lot, clock, node, lot.chip, units, lot.vintage, online, price)


@rule
def give_site(op, power, liquid):
    """Take ``power`` (kW, liquid-cooled when ``liquid`` is 1) out of the sites of an operator."""
    op.site_power = max(0.0, op.site_power - power)
    if liquid == 1:
        op.liquid_power = max(0.0, op.liquid_power - power)
    op.liquid_power = min(op.liquid_power, op.site_power)


@rule
def move_site(op, buyer, power, liquid):
    """Hand ``power`` (kW) of the sites of one operator over to another, with the chips that stand there and their cooling."""
    site = op.site_power
    cooled = op.liquid_power
    give_site(op, power, liquid)
    buyer.site_power += site - op.site_power
    buyer.liquid_power += cooled - op.liquid_power


@rule
def sell_units(w, clock, k, node, units, price, hops):
    """Sell ``units`` of lot ``k`` to ``node`` at ``price`` (USD/GPU); ``hops`` 0 is the impersonal market."""
    lot = w.lots[k]
    units = lot.units if lot.units - units < DUST else units
    seller = lot.owner
    usd = units * price
    chip = w.chips[lot.chip]
    if hops > 0.0:
        charge_buyer(w, node, usd, usd * w.terms[0].market_finder_fee * (hops - 1.0))
        book_sale(w, seller, node, usd)
    else:
        book_sale(w, seller, -1, usd)
    log_trade(w, clock, lot, node if hops > 0.0 else -1, units, price, hops)
    pay_seller(w, clock, lot, usd)
    n_l = len(w.lenders)
    if seller < n_l and lot.loan >= 0 and w.terms[0].policy_insurance_coverage > 0.0:
        claim_insurance(w, clock, lot, w.lenders[seller], units, price)
    if seller < n_l:
        w.lenders[seller].seized_units -= units
        if lot.site >= 0:
            occupy(w.operators[lot.site], chip, -units)
    elif seller < n_l + len(w.operators):
        # What an estate has had carried off stands nowhere.
        if lot.site >= 0 or w.operators[seller - n_l].status != OperatorStatus.DEFAULTED:
            occupy(w.operators[seller - n_l], chip, -units)
    else:
        buyer = w.buyers[seller - n_l - len(w.operators)]
        buyer.inventory = max(0.0, buyer.inventory - units * chip.appraisal)
        free_power(buyer, chip, units)
    give_units(w, clock, lot, node, units, price)
    lot.units -= units
    lot.offered = max(0.0, lot.offered - units)
    if lot.units < DUST:
        close_lot(w.lots, w.first_lot, clock, k)


@rule
def pay_search(w, clock, i):
    """Charge the seller of an item a month's calls in proportion to what was sold of it (USD), out of its cash.

    Once all sales are carried out: what a seller bought meanwhile is paid first.
    """
    terms = w.terms[0]
    offered = 0.0
    sold = 0.0
    for a in range(w.item[ASKS, i], w.item[ASKS, i + 1]):
        offered += w.ask[UNITS, a]
        sold += w.ask[SOLD, a]
    usd = search_cost(terms, w.item[CALLED, i], w.item[WEEKS_OF, i]) * min(1.0, sold / offered)
    seller = w.item[SELLER, i]
    n_l = len(w.lenders)
    n_lo = n_l + len(w.operators)
    if seller < n_l:
        usd = min(usd, w.lenders[seller].cash)
        w.lenders[seller].cash -= usd
        w.book[Flow.HOLDING] += usd
    elif seller < n_lo:
        usd = min(usd, w.operators[seller - n_l].cash)
        w.operators[seller - n_l].cash -= usd
        w.book[Flow.FINDER_FEE_OPERATOR] += usd
    else:
        usd = min(usd, w.buyers[seller - n_lo].budget)
        w.buyers[seller - n_lo].budget -= usd
        w.book[Flow.FINDER_FEE_BUYER] += usd


@rule
def settle_item(w, clock, i):
    """Match what was bought and what was sold of an item in order, and carry the sales out."""
    n_l = len(w.lenders)
    a = w.item[ASKS, i]
    left = w.ask[SOLD, a]
    for e in range(w.item[ORDERS, i], w.item[ORDERS, i + 1]):
        wanted = w.order[FILL, e]
        while wanted > DUST and a < w.item[ASKS, i + 1]:
            units = min(wanted, left)
            if units > DUST:
                sell_units(w, clock, w.ask_lot[a], n_l + w.bidder[e], units, w.price[i], w.order[HOPS, e])
                wanted -= units
                left -= units
            if left <= DUST:
                a += 1
                left = w.ask[SOLD, a] if a < w.item[ASKS, i + 1] else 0.0
