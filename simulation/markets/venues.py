"""The secondary market: finite buyers, sellers who search, call auctions; depth and price are outcomes.

Venues. ``network``: each seller calls the contacts that it has reached so far (more with each month of search,
nearest first, farther ones through brokers who charge for each hop) and holds a call auction of its own.
``exchange``: one central call auction a generation. ``inverse_demand``: the literature's fixed price impact.
"""

from __future__ import annotations

from enum import IntEnum

from agents.lenders.collateral import price_seized
from agents.rule import rule
from agents.tables.buyers import BuyerKind
from agents.tables.clock import WEEKS
from agents.tables.events import Cause, EventKind, SaleReason, log_event
from agents.tables.lots import withdraw_offer
from agents.tables.operators import OperatorStatus
from simulation.markets.auction import (
    ASK_FILL,
    ASK_ORDER,
    BID_FILL,
    BID_ORDER,
    BIDDER,
    CAP,
    DUST,
    HOPS,
    LIMIT,
    LOT,
    MONEY,
    OFFER,
    RESERVE,
    SPARE,
    UNITS,
    clear_budget_auction,
)
from simulation.markets.impact import price_left
from simulation.markets.order_book import note_absent, open_book
from simulation.markets.settlement import sell_units, settle
from simulation.markets.tape import TapeRow, note_row


class Venue(IntEnum):
    """Where used hardware trades."""

    NETWORK = 0
    EXCHANGE = 1
    INVERSE_DEMAND = 2


@rule
def list_offers(w, seller, n):
    """Append the seller's lots that are for sale to the list of offers; return the number of offers."""
    k = w.first_lot[seller]
    while k >= 0:
        lot = w.lots[k]
        if lot.offered > 0.0:
            w.ranking[OFFER, n] = k
            n += 1
        k = lot.following
    return n


@rule
def collect_asks(w, clock, g, n_offers):
    """Collect the offers of generation ``g``; return (asks, weeks of search)."""
    n = 0
    weeks = 0
    for j in range(n_offers):
        k = w.ranking[OFFER, j]
        lot = w.lots[k]
        # Auctions of other generations before this one leave these lots alone.
        if lot.chip == g and lot.offered > 0.0:
            w.scratch[RESERVE, n] = max(lot.reserve, w.chips[g].scrap)
            w.scratch[UNITS, n] = lot.offered
            w.ranking[LOT, n] = k
            weeks = max(weeks, WEEKS * (1 + clock.month - lot.asked) - lot.hurry)
            n += 1
    return n, weeks


@rule
def impact_price(chip, terms, units):
    """Return the inverse-demand price (USD) after ``units`` more forced units this month.

    P = min(P_open, F) times exp(-alpha x), 1 - alpha x or 1 - alpha sqrt(x), x = month's forced volume over the stock.
    """
    x = (chip.forced_units + units) / max(chip.stock, 1.0)
    base = min(chip.appraisal_open, chip.fundamental)
    return max(chip.scrap, base * price_left(terms.market_impact_form, terms.market_impact, x))


@rule
def sell_to_market(w, clock, terms, g, n_asks):
    """Sell every ask to the impersonal market: at fundamental in the frozen twin, else at the impact price."""
    chip = w.chips[g]
    total = 0.0
    for j in range(n_asks):
        total += w.scratch[UNITS, j]
    price = chip.fundamental if terms.policy_frozen == 1 else impact_price(chip, terms, total)
    for j in range(n_asks):
        sell_units(w, clock, w.ranking[LOT, j], len(w.first_lot) - 1, w.scratch[UNITS, j], price, 0.0)
    return price, total


@rule
def note_auction(w, clock, terms, g, seller, weeks, n_bids, n_asks, price, volume, forced):
    """Note an auction, its orders with their fills, and who could not bid, before the sales are carried out."""
    s = w.scratch
    n_l = len(w.lenders)
    k = note_row(w, clock, TapeRow.AUCTION, seller, g, price, 0.0)
    if k < 0:
        return
    auction = w.tape[k]
    auction.filled = volume
    auction.forced = 1 if forced else 0
    auction.reached = note_absent(w, clock, terms, g, seller, weeks, n_bids)
    for i in range(n_bids):
        k = note_row(w, clock, TapeRow.BID, n_l + w.ranking[BIDDER, i], g, s[LIMIT, i], s[CAP, i])
        if k >= 0:
            w.tape[k].money = s[MONEY, i]
            w.tape[k].filled = s[BID_FILL, i]
            w.tape[k].hops = s[HOPS, i]
    for j in range(n_asks):
        auction.units += s[UNITS, j]
        k = note_row(w, clock, TapeRow.ASK, w.lots[w.ranking[LOT, j]].owner, g, s[RESERVE, j], s[UNITS, j])
        if k >= 0:
            w.tape[k].filled = s[ASK_FILL, j] if n_bids > 0 else 0.0


@rule
def hold_auction(w, clock, terms, g, seller, n_asks, weeks, forced):
    """Auction the collected asks of one generation; log a forced sale with what put the first lot up for sale."""
    chip = w.chips[g]
    cause = w.lots[w.ranking[LOT, 0]].cause
    if forced and (terms.policy_frozen == 1 or terms.market_venue == Venue.INVERSE_DEMAND):
        price, volume = sell_to_market(w, clock, terms, g, n_asks)
        if len(w.tape) > 0:
            note_row(w, clock, TapeRow.AUCTION, seller, g, price, volume)
    else:
        n_bids = open_book(w, clock, terms, g, seller, weeks)
        if n_bids == 0:
            if len(w.tape) > 0:
                note_auction(w, clock, terms, g, seller, weeks, 0, n_asks, 0.0, 0.0, forced)
            return
        s = w.scratch
        r = w.ranking
        price, volume = clear_budget_auction(
            s[LIMIT], s[CAP], s[MONEY], n_bids, s[RESERVE], s[UNITS], n_asks,
            r[BID_ORDER], r[ASK_ORDER], r[SPARE], s[BID_FILL], s[ASK_FILL],
        )  # fmt: skip
        if len(w.tape) > 0:
            note_auction(w, clock, terms, g, seller, weeks, n_bids, n_asks, price, volume, forced)
        if volume > DUST:
            settle(w, clock, n_bids, n_asks, price)
    if volume > DUST:
        chip.price = price
        if forced:
            chip.last_event = log_event(
                w.events,
                clock,
                EventKind.FORCED_SALE,
                Cause.FIRE_SALE,
                seller if seller >= 0 else -1,
                -1,
                g,
                volume,
                volume * price,
                cause,
            )
            # The cause of later margin calls is the sale that moved marks most, not the last small lot.
            short = volume * max(0.0, chip.appraisal_open - price)
            if short >= clock.shock_usd:
                clock.shock_usd = short
                clock.last_shock = chip.last_event


@rule
def offer_forced(w, clock):
    """Auction the lots of lenders, of operators that must sell and of estates, the first seller rotating."""
    terms = w.terms[0]
    n_l = len(w.lenders)
    n_lo = n_l + len(w.operators)
    for step in range(n_lo):
        seller = (step + clock.month + clock.turn) % n_lo
        if w.first_lot[seller] < 0:
            continue
        if seller < n_l:
            price_seized(w, clock, seller, w.lenders[seller])
        elif w.operators[seller - n_l].selling == 0:
            continue
        n_offers = list_offers(w, seller, 0)
        if n_offers == 0:
            continue
        for g in range(len(w.chips)):
            n_asks, weeks = collect_asks(w, clock, g, n_offers)
            if n_asks > 0:
                hold_auction(w, clock, terms, g, seller, n_asks, weeks, True)


@rule
def exchange_forced(w, clock):
    """The same on a central exchange: one auction a generation for all sellers and all bidders."""
    terms = w.terms[0]
    n_l = len(w.lenders)
    n_offers = 0
    for seller in range(n_l + len(w.operators)):
        if w.first_lot[seller] < 0:
            continue
        if seller < n_l:
            price_seized(w, clock, seller, w.lenders[seller])
        elif w.operators[seller - n_l].selling == 0:
            continue
        n_offers = list_offers(w, seller, n_offers)
    for g in range(len(w.chips)):
        n_asks, _weeks = collect_asks(w, clock, g, n_offers)
        if n_asks > 0:
            hold_auction(w, clock, terms, g, -1, n_asks, 0, True)


@rule
def offer_voluntary(w, clock, node):
    """Offer part of an owner's own used lots: buyers at random times, operators old ones, dealers their stock.

    Users ask their own value in use, dealers the appraisal plus a markup. Unsold offers are withdrawn.
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
        old = node >= n_lo or clock.month - lot.vintage >= terms.market_churn_age
        if lot.loan < 0 and lot.online <= clock.month and lot.offered == 0.0 and old:
            lot.offered = lot.units if dealer else min(lot.units, rate * terms.market_churn_interval * lot.units)
            lot.reserve = terms.market_churn_reserve * w.value[node - n_l, lot.chip]
            if dealer:
                lot.reserve = (1.0 + terms.buyers_dealer_markup) * chip.appraisal
            lot.reason = SaleReason.DEALER if dealer else SaleReason.CHURN
            lot.asked = clock.month
        k = lot.following
    n_offers = list_offers(w, node, 0)
    for g in range(len(w.chips)):
        n_asks, weeks = collect_asks(w, clock, g, n_offers)
        if n_asks > 0:
            hold_auction(w, clock, terms, g, -1 if terms.market_venue == Venue.EXCHANGE else node, n_asks, weeks, False)
    k = w.first_lot[node]
    while k >= 0:
        lot = w.lots[k]
        if lot.reason == SaleReason.CHURN or lot.reason == SaleReason.DEALER:
            withdraw_offer(lot)
        k = lot.following


@rule
def trade_calm(w, clock):
    """Voluntary trade of the month: each owner in its turn (about once in ``churn_interval`` months), in the first round."""
    if clock.turn > 0:
        return
    n_l = len(w.lenders)
    n_lo = n_l + len(w.operators)
    terms = w.terms[0]
    for node in range(n_l, len(w.first_lot) - 1):
        if w.first_lot[node] < 0 or (node + clock.month) % terms.market_churn_interval != 0:
            continue
        if node < n_lo and (
            w.operators[node - n_l].status == OperatorStatus.DEFAULTED or w.operators[node - n_l].selling == 1
        ):
            continue
        offer_voluntary(w, clock, node)


@rule
def trade_forced(w, clock):
    """One round of forced sales in the venue of the scenario; then marks follow."""
    if w.terms[0].market_venue == Venue.EXCHANGE:
        exchange_forced(w, clock)
    else:
        offer_forced(w, clock)


@rule
def appraise(w, clock):
    """Move appraisals toward the month's volume-weighted price: A = A_open + lambda (VWAP - A_open).

    Recomputed from the month's opening value at each round, because rounds are not time; without trades the
    appraisal drifts down at the end of the month.
    """
    terms = w.terms[0]
    for chip in w.chips:
        if chip.traded_units > 0.0:
            vwap = chip.traded_usd / chip.traded_units
            chip.appraisal = chip.appraisal_open + terms.marks_appraisal_speed * (vwap - chip.appraisal_open)
        if clock.month < chip.end_of_sale:
            chip.appraisal = min(chip.appraisal, chip.list_price)
        chip.appraisal = max(chip.scrap, chip.appraisal)
