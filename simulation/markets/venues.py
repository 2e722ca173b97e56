"""The secondary market: finite buyers, sellers who search; everything on offer in a round clears at once.

Venues. ``network``: each seller calls the contacts that it has reached so far (more with each month of search, nearest
first, farther ones through brokers who charge for each hop). ``exchange``: every seller reaches every buyer.
``inverse_demand``: the literature's fixed price impact, for forced sales.
"""

from __future__ import annotations

from agents.lenders.collateral import price_estate, price_seized
from agents.lenders.marks import orderly_price
from agents.rule import rule
from agents.tables.buyers import BuyerKind
from agents.tables.events import Cause, EventKind, SaleReason, log_event
from agents.tables.lots import withdraw_offer
from agents.tables.operators import OperatorStatus
from simulation.markets.auction import DUST
from simulation.markets.impact import price_left
from simulation.markets.order_book import Venue, call_all, call_contacts, is_forced, list_asks, note_bid, read_purses
from simulation.markets.purses import clear_purses
from simulation.markets.rows import (
    ASKS,
    CAP,
    CHIP,
    COOLED,
    COOLING,
    FEE,
    FILL,
    LIMIT,
    MONEY,
    ORDERS,
    POWER,
    PURSE,
    REACHED,
    RESERVE,
    SELLER,
    SITE,
    SOLD,
    UNITS,
)
from simulation.markets.settlement import pay_search, sell_units, settle_item
from simulation.markets.tape import TapeRow, note_row


@rule
def impact_price(chip, terms, units):
    """Return the inverse-demand price (USD) after ``units`` more forced units this month.

    P = min(P_open, F) times exp(-alpha x), 1 - alpha x or 1 - alpha sqrt(x), x = month's forced volume over the stock.
    """
    x = (chip.forced_units + units) / max(chip.stock, 1.0)
    base = min(chip.appraisal_open, chip.fundamental)
    return max(chip.scrap, base * price_left(terms.market_impact_form, terms.market_impact, x))


@rule
def log_forced(w, clock, seller, g, units, price, cause):
    """Log a forced sale of ``units`` at ``price`` (USD/GPU) with what put it up; the sale that fell shortest is the month's shock."""
    chip = w.chips[g]
    chip.last_event = log_event(
        w.events, clock, EventKind.FORCED_SALE, Cause.FIRE_SALE, seller, -1, g, units, units * price, cause
    )
    # The cause of later margin calls is the sale that moved marks most, not the last small lot.
    short = units * max(0.0, chip.appraisal_open - price)
    if short > 0.0 and short >= clock.shock_usd:
        clock.shock_usd = short
        clock.last_shock = chip.last_event


@rule
def sell_to_market(w, clock, n_items):
    """Sell every ask to the impersonal market: at fundamental in the frozen twin, else at the impact price."""
    terms = w.terms[0]
    for i in range(n_items):
        g = w.item[CHIP, i]
        chip = w.chips[g]
        total = 0.0
        for a in range(w.item[ASKS, i], w.item[ASKS, i + 1]):
            total += w.ask[UNITS, a]
        price = chip.fundamental if terms.policy_frozen == 1 else impact_price(chip, terms, total)
        cause = w.lots[w.ask_lot[w.item[ASKS, i]]].cause
        if len(w.tape) > 0:
            k = note_row(w, clock, TapeRow.AUCTION, w.item[SELLER, i], g, price, total)
            if k >= 0:
                w.tape[k].filled = total
                w.tape[k].forced = 1
        for a in range(w.item[ASKS, i], w.item[ASKS, i + 1]):
            sell_units(w, clock, w.ask_lot[a], len(w.first_lot) - 1, w.ask[UNITS, a], price, 0.0)
        chip.price = price
        log_forced(w, clock, w.item[SELLER, i], g, total, price, cause)


@rule
def note_item(w, clock, i, n_orders):
    """Note an item, its orders with their fills, and who could not bid, before the sales are carried out."""
    terms = w.terms[0]
    g = w.item[CHIP, i]
    k = note_row(w, clock, TapeRow.AUCTION, w.item[SELLER, i], g, w.price[i], 0.0)
    if k < 0:
        return
    auction = w.tape[k]
    auction.forced = 1 if is_forced(w.lots[w.ask_lot[w.item[ASKS, i]]].reason) else 0
    auction.reached = w.item[REACHED, i]
    for e in range(w.item[ORDERS, i], w.item[ORDERS, i + 1]):
        offer = w.order[LIMIT, e] / (1.0 + w.order[FEE, e])
        k = note_bid(w, clock, e, g, offer)
        if k >= 0:
            w.tape[k].filled = w.order[FILL, e]
    for a in range(w.item[ASKS, i], w.item[ASKS, i + 1]):
        auction.units += w.ask[UNITS, a]
        auction.filled += w.ask[SOLD, a]
        k = note_row(w, clock, TapeRow.ASK, w.item[SELLER, i], g, w.ask[RESERVE, a], w.ask[UNITS, a])
        if k >= 0:
            w.tape[k].filled = w.ask[SOLD, a]
    call_contacts(w, clock, terms, i, n_orders, True)


@rule
def set_prices(w, n_items):
    """Write the price of each generation that traded in the round: the mean over its items by units sold (USD/GPU)."""
    for g in range(len(w.chips)):
        units = 0.0
        usd = 0.0
        for i in range(n_items):
            if w.item[CHIP, i] != g:
                continue
            for a in range(w.item[ASKS, i], w.item[ASKS, i + 1]):
                units += w.ask[SOLD, a]
                usd += w.ask[SOLD, a] * w.price[i]
        if units > DUST:
            w.chips[g].price = usd / units


@rule
def clear_items(w, clock, n_items):
    """Clear what is on offer at once, carry the sales out, log the forced ones."""
    n_orders = call_all(w, clock, n_items)
    clear_purses(
        w.item[ASKS], w.item[ORDERS], n_items, w.ask[RESERVE], w.ask[UNITS], w.bidder, w.order[LIMIT], w.order[FEE],
        w.order[POWER], w.order[COOLED], w.order[CAP], w.order[PURSE], len(w.value), w.purse[MONEY], w.purse[SITE],
        w.purse[COOLING], w.price, w.order[FILL], w.ask[SOLD], w.working, w.start, w.by_bidder, w.ranking,
    )  # fmt: skip
    if len(w.tape) > 0:
        # Before anything is paid for: a sale moves the limits of those who bid for the next item.
        for i in range(n_items):
            note_item(w, clock, i, n_orders)
    for i in range(n_items):
        g = w.item[CHIP, i]
        cause = w.lots[w.ask_lot[w.item[ASKS, i]]].cause
        forced = is_forced(w.lots[w.ask_lot[w.item[ASKS, i]]].reason)
        sold = 0.0
        for a in range(w.item[ASKS, i], w.item[ASKS, i + 1]):
            sold += w.ask[SOLD, a]
        if sold <= DUST:
            continue
        settle_item(w, clock, i)
        if forced:
            log_forced(w, clock, w.item[SELLER, i], g, sold, w.price[i], cause)
    for i in range(n_items):
        pay_search(w, clock, i)
    set_prices(w, n_items)


@rule
def list_forced(w, clock):
    """List what lenders, operators that must sell and estates have on offer, with their reserves; return items and asks."""
    n_l = len(w.lenders)
    n_items = 0
    n_asks = 0
    for seller in range(n_l + len(w.operators)):
        if w.first_lot[seller] < 0:
            continue
        if seller < n_l:
            price_seized(w, clock, seller, w.lenders[seller])
        elif w.operators[seller - n_l].selling == 0:
            continue
        elif w.operators[seller - n_l].status == OperatorStatus.DEFAULTED:
            price_estate(w, clock, seller)
        n_items, n_asks = list_asks(w, clock, seller, 1, n_items, n_asks)
    return n_items, n_asks


@rule
def has_turn(w, clock, node):
    """Return whether an owner looks this month what it would rather sell: about once in ``churn_interval`` months."""
    if w.first_lot[node] < 0 or (node + clock.month) % w.terms[0].market_churn_interval != 0:
        return False
    o = node - len(w.lenders)
    if o >= len(w.operators):
        return True
    return w.operators[o].status != OperatorStatus.DEFAULTED and w.operators[o].selling == 0


@rule
def offer_own(w, clock, node):
    """Offer part of an owner's own used lots: buyers at random times, operators old ones, dealers their stock.

    Users ask their own value in use; operators less what the power under a chip is worth with new ones, and offer all
    whose value is below that; dealers ask the appraisal plus a markup. What is under contract stays.
    """
    terms = w.terms[0]
    n_l = len(w.lenders)
    n_lo = n_l + len(w.operators)
    dealer = node >= n_lo and w.buyers[node - n_lo].kind == BuyerKind.DEALER
    rate = terms.market_churn_buyers if node >= n_lo else terms.market_churn_operators
    k = w.first_lot[node]
    while k >= 0:
        lot = w.lots[k]
        chip = w.chips[lot.chip]
        rent_of_power = w.operators[node - n_l].power_value * chip.power if node < n_lo else 0.0
        value = w.value[node - n_l, lot.chip]
        old = node >= n_lo or clock.month - lot.vintage >= terms.market_churn_age
        if lot.loan < 0 and lot.online <= clock.month and lot.offered == 0.0 and lot.contracted == 0.0:
            if dealer:
                lot.offered = lot.units
                lot.reserve = (1.0 + terms.buyers_dealer_markup) * chip.appraisal
            elif value < rent_of_power:
                lot.offered = lot.units
                lot.reserve = 0.0
            elif old:
                lot.offered = min(lot.units, rate * terms.market_churn_interval * lot.units)
                lot.reserve = max(0.0, terms.market_churn_reserve * value - rent_of_power)
            lot.reason = SaleReason.DEALER if dealer else SaleReason.CHURN
            lot.asked = clock.month
        k = lot.following


@rule
def withdraw_own(w, node):
    """Take what an owner offered of its own accord off the market again."""
    k = w.first_lot[node]
    while k >= 0:
        lot = w.lots[k]
        if not is_forced(lot.reason):
            withdraw_offer(lot)
        k = lot.following


@rule
def trade(w, clock):
    """One round of the used market: all that must be sold and, in the first round, what owners offer, clears at once.

    In the frozen twin and in the inverse-demand venue forced lots go to the impersonal market instead.
    """
    terms = w.terms[0]
    n_l = len(w.lenders)
    n_items, n_asks = list_forced(w, clock)
    if terms.policy_frozen == 1 or terms.market_venue == Venue.INVERSE_DEMAND:
        sell_to_market(w, clock, n_items)
        n_items = 0
        n_asks = 0
    if clock.turn == 0:
        for node in range(n_l, len(w.first_lot) - 1):
            if has_turn(w, clock, node):
                offer_own(w, clock, node)
                n_items, n_asks = list_asks(w, clock, node, 0, n_items, n_asks)
    if n_items > 0:
        read_purses(w, clock)
        clear_items(w, clock, n_items)
    if clock.turn == 0:
        for node in range(n_l, len(w.first_lot) - 1):
            if has_turn(w, clock, node):
                withdraw_own(w, node)


@rule
def appraise(w, clock):
    """Move appraisals toward what the month's trades and rents say: A = A_open + l (1 - i) (T - A_open) + i (O - A_open).

    T is the volume-weighted price of the trades, believed by degrees (speed l); O the orderly price that rents and list
    prices imply (see :func:`orderly_price`), which everybody can read, with a weight i that falls with the evidence of
    trades. Recomputed from the month's opening value at each round, because rounds are not time; without trades the
    appraisal moves at the end of the month.
    """
    terms = w.terms[0]
    for chip in w.chips:
        if chip.traded_units > 0.0:
            vwap = chip.traded_usd / chip.traded_units
            evidence = chip.traded_units / (chip.traded_units + terms.marks_evidence * chip.stock)
            looks = terms.marks_index_weight * (1.0 - evidence)
            traded = terms.marks_appraisal_speed * (1.0 - looks) * (vwap - chip.appraisal_open)
            implied = looks * (orderly_price(chip, terms) - chip.appraisal_open)
            chip.appraisal = chip.appraisal_open + traded + implied
        if clock.month < chip.end_of_sale:
            chip.appraisal = min(chip.appraisal, chip.list_price)
        chip.appraisal = max(chip.scrap, chip.appraisal)
