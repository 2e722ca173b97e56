"""The secondary market: finite buyers, sellers who search, call auctions; depth and price are outcomes.

Venues. ``network``: each seller calls the contacts that it has reached so far (more with each month of search,
nearest first, farther ones through brokers who charge for each hop) and holds a call auction of its own.
``exchange``: one central call auction a generation. ``inverse_demand``: the literature's fixed price impact.
"""

from __future__ import annotations

import math

from agents.buyers import BACKSTOP, DEALER, SCRAP_MERCHANT, buyer_limit, buyer_money, buyer_units
from agents.contracts import close_lot, receive_units
from agents.ledger import (
    C_FIRE_SALE,
    E_FORCED_SALE,
    FINDER_FEE_BUYER,
    FINDER_FEE_OPERATOR,
    INSURANCE_CLAIM,
    MARKET_TO_BUYER,
    MARKET_TO_LENDER,
    MARKET_TO_OPERATOR,
    PEER_FROM_BUYER,
    PEER_FROM_LENDER,
    PEER_FROM_OPERATOR,
    S_CHURN,
    S_DEALER,
    S_IMPOSED,
    S_MARGIN_CALL,
    SURPLUS,
    USED_BETWEEN_BUYERS,
    USED_FROM_LENDER,
    USED_FROM_OPERATOR,
    log_event,
)
from agents.lenders import ACTIVE, mark_lot
from agents.operators import GONE, can_bid, free_units, occupy, spare_cash
from agents.rule import rule
from agents.valuation import believed_decline, monthly_rent, value_in_use
from simulation.auction import clear_budget_auction
from simulation.impact import price_left
from simulation.service import pay_loan
from simulation.tape import ASK, AUCTION, BID, NO_MONEY, NO_POWER, NO_VALUE, NOT_SOUND, note_row

NETWORK, EXCHANGE, INVERSE_DEMAND = 0, 1, 2
# Rows of the scratch arrays.
_LIMIT, _CAP, _MONEY, _BID_FILL, _RESERVE, _UNITS, _ASK_FILL, _HOPS = range(8)
_BID_ORDER, _ASK_ORDER, _SPARE, _BIDDER, _LOT, _OFFER = range(6)
_DUST = 1e-6


@rule
def risk_premium(chip, terms):
    """Return the part of its value that a buyer holds back: calm premium, recent falls, volatility; capped."""
    fall = chip.fall
    if chip.traded_units > 0.0:
        now = chip.traded_usd / chip.traded_units
        fall = terms.market_fall_memory * fall + max(0.0, math.log(chip.price_before / now) - terms.market_fall_tolerance)
    premium = terms.market_risk_premium + terms.market_fall_weight * fall + terms.market_volatility_weight * chip.volatility
    return min(terms.market_premium_cap, premium)


@rule
def age_chips(w, clock):
    """Write the mean age (months) of each generation's units."""
    for chip in w.chips:
        chip.mean_age = 0.0
    for k in range(clock.used_lots):
        lot = w.lots[k]
        if lot.owner >= 0:
            w.chips[lot.chip].mean_age += lot.units * (clock.month - lot.vintage)
    for chip in w.chips:
        chip.mean_age = max(0.0, chip.mean_age / chip.stock) if chip.stock > 0.0 else 0.0


@rule
def user_value(chip, terms, clock, utilisation, hosting, hurdle, decline):
    """Return the value in use (USD) of a used unit to somebody who pays ``hosting`` and waits for installation."""
    rent = monthly_rent(clock.rent, terms.rental_hours, chip.performance, utilisation, terms.rental_overhead)
    life = max(1.0, terms.marks_asset_life - chip.mean_age)
    return value_in_use(rent, hosting * chip.power, decline, hurdle, life, terms.rental_install_lag, chip.scrap)


@rule
def value_chips(w):
    """Phase "value": what a used unit of each generation is worth to each bidder, and to the best user."""
    clock = w.clock[0]
    terms = w.terms[0]
    floor = terms.marks_decline_floor
    cap = terms.marks_decline_cap
    n_o = len(w.operators)
    age_chips(w, clock)
    d = believed_decline(terms.marks_reference_decline, terms.marks_reference_weight, clock.trend, floor, cap)
    for chip in w.chips:
        chip.fundamental = user_value(
            chip, terms, clock, terms.marks_reference_utilisation, terms.marks_reference_hosting, terms.marks_reference_hurdle, d
        )
    for b in range(len(w.value)):
        if b < n_o:
            op = w.operators[b]
            if op.status == GONE:
                continue
            d = believed_decline(op.decline, op.own_weight, clock.trend, floor, cap)
            for g in range(len(w.chips)):
                if w.chips[g].stock > 0.0:
                    w.value[b, g] = user_value(w.chips[g], terms, clock, op.utilisation, op.hosting, op.hurdle, d)
        else:
            buyer = w.buyers[b - n_o]
            if buyer.utilisation <= 0.0:
                continue
            d = believed_decline(buyer.decline, buyer.own_weight, clock.trend, floor, cap)
            for g in range(len(w.chips)):
                if w.chips[g].stock > 0.0:
                    w.value[b, g] = user_value(w.chips[g], terms, clock, buyer.utilisation, buyer.hosting, buyer.hurdle, d)


@rule
def bid_limit(w, clock, terms, b, g, premium):
    """Return bidder ``b``'s limit for generation ``g`` (USD/GPU), never above the list price while on sale."""
    chip = w.chips[g]
    n_o = len(w.operators)
    if b < n_o:
        limit = w.value[b, g] * (1.0 - premium)
    else:
        limit = buyer_limit(w.buyers[b - n_o], chip, w.value[b, g], premium, terms)
    if clock.month < chip.end_of_sale:
        limit = min(limit, chip.list_price)
    return limit


@rule
def add_bid(w, clock, terms, n, b, g, premium, hops):
    """Append bidder ``b``'s order as bid ``n``; return the number of bids."""
    chip = w.chips[g]
    n_o = len(w.operators)
    if b < n_o:
        op = w.operators[b]
        if not can_bid(op, terms):
            return n
        units = free_units(op, chip)
        money = terms.market_peer_cash * spare_cash(op, terms)
    else:
        buyer = w.buyers[b - n_o]
        units = buyer_units(buyer, chip, terms)
        money = buyer_money(buyer)
    fee = terms.market_finder_fee * max(0.0, hops - 1.0)
    limit = bid_limit(w, clock, terms, b, g, premium) * (1.0 - fee)
    if limit <= 0.0 or units < _DUST or money < limit * _DUST:
        return n
    w.scratch[_LIMIT, n] = limit
    w.scratch[_CAP, n] = units
    w.scratch[_MONEY, n] = money / (1.0 + fee)
    w.scratch[_HOPS, n] = hops
    w.ranking[_BIDDER, n] = b
    return n + 1


@rule
def add_backstop(w, terms, n, g, best):
    """Let the buyer of last resort bid when the best bid is below its trigger; return the number of bids."""
    buyer = w.buyers[len(w.buyers) - 1]
    fundamental = w.chips[g].fundamental
    if buyer.budget < 1.0 or best >= (1.0 - terms.policy_backstop_trigger) * fundamental:
        return n
    w.scratch[_LIMIT, n] = terms.policy_backstop_price * fundamental
    w.scratch[_CAP, n] = 1e12
    w.scratch[_MONEY, n] = buyer.budget
    w.scratch[_HOPS, n] = 1.0
    w.ranking[_BIDDER, n] = len(w.value) - 1
    return n + 1


@rule
def collect_bids(w, clock, terms, g, seller, months):
    """Collect the bids of the contacts that the seller has reached (all bidders when ``seller`` < 0)."""
    premium = risk_premium(w.chips[g], terms)
    n_l = len(w.lenders)
    n = 0
    if seller < 0:
        for b in range(len(w.value) - 1):
            n = add_bid(w, clock, terms, n, b, g, premium, 1.0)
    else:
        first = w.contact_ptr[seller]
        reached = min(w.contact_ptr[seller + 1] - first, terms.market_calls_a_month * (1 + months))
        for j in range(first, first + reached):
            n = add_bid(w, clock, terms, n, w.contact[j] - n_l, g, premium, float(w.contact_hops[j]))
    best = 0.0
    for j in range(n):
        best = max(best, w.scratch[_LIMIT, j])
    if terms.policy_backstop_capacity > 0.0:
        n = add_backstop(w, terms, n, g, best)
    w.chips[g].best_bid = max(w.chips[g].best_bid, best)
    return n


@rule
def list_offers(w, seller, n):
    """Append the seller's lots that are for sale to the list of offers; return the number of offers."""
    k = w.first_lot[seller]
    while k >= 0:
        lot = w.lots[k]
        if lot.offered > 0.0:
            w.ranking[_OFFER, n] = k
            n += 1
        k = lot.following
    return n


@rule
def collect_asks(w, clock, g, n_offers):
    """Collect the offers of generation ``g``; return (asks, months of search)."""
    n = 0
    months = 0
    for j in range(n_offers):
        k = w.ranking[_OFFER, j]
        lot = w.lots[k]
        # Auctions of other generations before this one leave these lots alone.
        if lot.chip == g and lot.offered > 0.0:
            w.scratch[_RESERVE, n] = max(lot.reserve, w.chips[g].scrap)
            w.scratch[_UNITS, n] = lot.offered
            w.ranking[_LOT, n] = k
            months = max(months, clock.month - lot.asked)
            n += 1
    return n, months


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
            op = w.operators[loan.borrower]
            taken = min(usd, loan.principal)
            loan.principal -= taken
            loan.recovered += taken
            lender.book -= taken
            op.debt -= taken
            clock.recoveries += taken
            if usd > taken:
                lender.cash -= usd - taken
                op.cash += usd - taken
                w.book[SURPLUS] += usd - taken
    elif lot.owner < n_lo:
        op = w.operators[lot.owner - n_l]
        op.cash += usd
        if lot.loan >= 0 and lot.reason == S_MARGIN_CALL:
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
    w.book[INSURANCE_CLAIM] += usd


@rule
def book_sale(w, seller, buyer, usd):
    """Enter the payment of a used sale under the item of its two sectors (buyer -1: the market)."""
    n_l = len(w.lenders)
    n_lo = n_l + len(w.operators)
    side = 0 if seller < n_l else (1 if seller < n_lo else 2)
    if buyer < 0:
        item = MARKET_TO_LENDER if side == 0 else (MARKET_TO_OPERATOR if side == 1 else MARKET_TO_BUYER)
    elif buyer < n_lo:
        item = PEER_FROM_LENDER if side == 0 else (PEER_FROM_OPERATOR if side == 1 else PEER_FROM_BUYER)
    else:
        item = USED_FROM_LENDER if side == 0 else (USED_FROM_OPERATOR if side == 1 else USED_BETWEEN_BUYERS)
    w.book[item] += usd


@rule
def log_trade(w, clock, lot, buyer, units, price, hops):
    """Append a fill to the trades and count it in the generation's month."""
    chip = w.chips[lot.chip]
    chip.traded_units += units
    chip.traded_usd += units * price
    if lot.reason != S_CHURN and lot.reason != S_DEALER:
        chip.forced_units += units
    k = clock.trades
    if k >= len(w.trades):
        clock.fault = 2
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
    t.hops = int(hops)
    clock.trades = k + 1


@rule
def give_units(w, clock, lot, node, units, price):
    """Hand the units to their buyer: power is used, dealers stock, scrap merchants scrap."""
    terms = w.terms[0]
    n_l = len(w.lenders)
    n_lo = n_l + len(w.operators)
    chip = w.chips[lot.chip]
    online = clock.month + terms.rental_install_lag
    if node < n_lo:
        occupy(w.operators[node - n_l], chip, units)
    else:
        buyer = w.buyers[node - n_lo]
        buyer.bought += units
        if buyer.kind == SCRAP_MERCHANT:
            chip.scrapped += units
            chip.stock -= units
            return
        if buyer.kind == DEALER:
            online = clock.month
            buyer.inventory += units * chip.appraisal
        elif buyer.kind != BACKSTOP:
            buyer.power = max(0.0, buyer.power - units * chip.power)
            if chip.liquid == 1:
                buyer.liquid = max(0.0, buyer.liquid - units * chip.power)
    receive_units(w.lots, w.first_lot, clock, node, lot.chip, units, lot.vintage, online, price)


@rule
def charge_buyer(w, node, usd, fee):
    """Take the price and the broker's fee (USD) from the buyer's cash or budget."""
    n_lo = len(w.lenders) + len(w.operators)
    if node < n_lo:
        op = w.operators[node - len(w.lenders)]
        op.cash = max(0.0, op.cash - usd - fee)
        w.book[FINDER_FEE_OPERATOR] += fee
    else:
        buyer = w.buyers[node - n_lo]
        buyer.budget = max(0.0, buyer.budget - usd - fee)
        buyer.spent += usd
        w.book[FINDER_FEE_BUYER] += fee


@rule
def sell_units(w, clock, k, node, units, price, hops):
    """Sell ``units`` of lot ``k`` to ``node`` at ``price`` (USD/GPU); ``hops`` 0 is the impersonal market."""
    lot = w.lots[k]
    units = lot.units if lot.units - units < _DUST else units
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
    elif seller < n_l + len(w.operators):
        occupy(w.operators[seller - n_l], chip, -units)
    else:
        buyer = w.buyers[seller - n_l - len(w.operators)]
        buyer.inventory = max(0.0, buyer.inventory - units * chip.appraisal)
        buyer.power = min(buyer.power_cap, buyer.power + units * chip.power)
    give_units(w, clock, lot, node, units, price)
    lot.units -= units
    lot.offered = max(0.0, lot.offered - units)
    if lot.units < _DUST:
        close_lot(w.lots, w.first_lot, clock, k)


@rule
def settle(w, clock, n_bids, n_asks, price):
    """Match the fills of both sides in order and carry the sales out."""
    n_l = len(w.lenders)
    j = 0
    for i in range(n_bids):
        wanted = w.scratch[_BID_FILL, i]
        while wanted > _DUST and j < n_asks:
            units = min(wanted, w.scratch[_ASK_FILL, j])
            if units > _DUST:
                sell_units(w, clock, w.ranking[_LOT, j], n_l + w.ranking[_BIDDER, i], units, price, w.scratch[_HOPS, i])
                wanted -= units
                w.scratch[_ASK_FILL, j] -= units
            if w.scratch[_ASK_FILL, j] <= _DUST:
                j += 1


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
        total += w.scratch[_UNITS, j]
    price = chip.fundamental if terms.policy_frozen == 1 else impact_price(chip, terms, total)
    for j in range(n_asks):
        sell_units(w, clock, w.ranking[_LOT, j], len(w.first_lot) - 1, w.scratch[_UNITS, j], price, 0.0)
    return price, total


@rule
def why_absent(w, clock, terms, b, g, premium):
    """Return why a bidder makes no bid for a generation, BID if it makes one (as ``add_bid`` decides)."""
    n_o = len(w.operators)
    if b < n_o and not can_bid(w.operators[b], terms):
        return NOT_SOUND
    if bid_limit(w, clock, terms, b, g, premium) <= 0.0:
        return NO_VALUE
    units = free_units(w.operators[b], w.chips[g]) if b < n_o else buyer_units(w.buyers[b - n_o], w.chips[g], terms)
    if units < _DUST:
        return NO_POWER
    money = terms.market_peer_cash * spare_cash(w.operators[b], terms) if b < n_o else buyer_money(w.buyers[b - n_o])
    return BID if money > 1.0 else NO_MONEY


@rule
def note_absent(w, clock, terms, g, seller, months):
    """Note the contacts reached that make no bid, and why; return how many contacts were reached."""
    premium = risk_premium(w.chips[g], terms)
    n_l = len(w.lenders)
    first = w.contact_ptr[max(0, seller)]
    reached = len(w.value) - 1
    if seller >= 0:
        reached = min(w.contact_ptr[seller + 1] - first, terms.market_calls_a_month * (1 + months))
    for j in range(reached):
        b = j if seller < 0 else w.contact[first + j] - n_l
        why = why_absent(w, clock, terms, b, g, premium)
        if why != BID:
            note_row(w, clock, why, n_l + b, g, bid_limit(w, clock, terms, b, g, premium), 0.0)
    return reached


@rule
def note_auction(w, clock, terms, g, seller, months, n_bids, n_asks, price, volume, forced):
    """Note an auction, its orders with their fills, and who could not bid, before the sales are carried out."""
    s = w.scratch
    n_l = len(w.lenders)
    k = note_row(w, clock, AUCTION, seller, g, price, 0.0)
    if k < 0:
        return
    auction = w.tape[k]
    auction.filled = volume
    auction.forced = 1 if forced else 0
    auction.reached = note_absent(w, clock, terms, g, seller, months)
    for i in range(n_bids):
        k = note_row(w, clock, BID, n_l + w.ranking[_BIDDER, i], g, s[_LIMIT, i], s[_CAP, i])
        if k >= 0:
            w.tape[k].money = s[_MONEY, i]
            w.tape[k].filled = s[_BID_FILL, i]
            w.tape[k].hops = s[_HOPS, i]
    for j in range(n_asks):
        auction.units += s[_UNITS, j]
        k = note_row(w, clock, ASK, w.lots[w.ranking[_LOT, j]].owner, g, s[_RESERVE, j], s[_UNITS, j])
        if k >= 0:
            w.tape[k].filled = s[_ASK_FILL, j] if n_bids > 0 else 0.0


@rule
def hold_auction(w, clock, terms, g, seller, n_asks, months, forced):
    """Auction the collected asks of one generation; log a forced sale with what put the first lot up for sale."""
    chip = w.chips[g]
    cause = w.lots[w.ranking[_LOT, 0]].cause
    if forced and (terms.policy_frozen == 1 or terms.market_venue == INVERSE_DEMAND):
        price, volume = sell_to_market(w, clock, terms, g, n_asks)
        if len(w.tape) > 0:
            note_row(w, clock, AUCTION, seller, g, price, volume)
    else:
        n_bids = collect_bids(w, clock, terms, g, seller, months)
        if n_bids == 0:
            if len(w.tape) > 0:
                note_auction(w, clock, terms, g, seller, months, 0, n_asks, 0.0, 0.0, forced)
            return
        s = w.scratch
        r = w.ranking
        price, volume = clear_budget_auction(
            s[_LIMIT], s[_CAP], s[_MONEY], n_bids, s[_RESERVE], s[_UNITS], n_asks,
            r[_BID_ORDER], r[_ASK_ORDER], r[_SPARE], s[_BID_FILL], s[_ASK_FILL],
        )  # fmt: skip
        if len(w.tape) > 0:
            note_auction(w, clock, terms, g, seller, months, n_bids, n_asks, price, volume, forced)
        if volume > _DUST:
            settle(w, clock, n_bids, n_asks, price)
    if volume > _DUST:
        chip.price = price
        if forced:
            chip.last_event = log_event(
                w.events, clock, E_FORCED_SALE, C_FIRE_SALE, seller if seller >= 0 else -1, -1, g, volume, volume * price, cause
            )
            # The cause of later margin calls is the sale that moved marks most, not the last small lot.
            short = volume * max(0.0, chip.appraisal_open - price)
            if short >= clock.shock_usd:
                clock.shock_usd = short
                clock.last_shock = chip.last_event


@rule
def paced_units(lot, lender, clock, terms):
    """Return the units of a seized lot that are offered now: all, or what pacing leaves of this month's part (GPU)."""
    if terms.policy_pacing >= 1.0 or lender.status != ACTIVE:
        return lot.units
    part = terms.policy_pacing * lot.units
    return part if clock.turn == 0 else min(lot.offered, part)


@rule
def price_seized(w, clock, node, lender):
    """Set the reserve of a lender's seized lots: patience x mark, decaying with months held; zero when it is not sound."""
    terms = w.terms[0]
    k = w.first_lot[node]
    while k >= 0:
        lot = w.lots[k]
        if lot.reason == S_IMPOSED:
            k = lot.following
            continue
        lot.offered = paced_units(lot, lender, clock, terms)
        held = max(0, clock.month - lot.seized)
        patience = max(0.0, lender.patience - terms.market_patience_decay * held) if lender.status == ACTIVE else 0.0
        lot.reserve = patience * mark_lot(lender, lot, w.chips[lot.chip], clock.month)
        k = lot.following


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
            n_asks, months = collect_asks(w, clock, g, n_offers)
            if n_asks > 0:
                hold_auction(w, clock, terms, g, seller, n_asks, months, True)


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
        n_asks, _months = collect_asks(w, clock, g, n_offers)
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
    dealer = node >= n_lo and w.buyers[node - n_lo].kind == DEALER
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
            lot.reason = S_DEALER if dealer else S_CHURN
            lot.asked = clock.month
        k = lot.following
    n_offers = list_offers(w, node, 0)
    for g in range(len(w.chips)):
        n_asks, months = collect_asks(w, clock, g, n_offers)
        if n_asks > 0:
            hold_auction(w, clock, terms, g, -1 if terms.market_venue == EXCHANGE else node, n_asks, months, False)
    k = w.first_lot[node]
    while k >= 0:
        lot = w.lots[k]
        if lot.reason == S_CHURN or lot.reason == S_DEALER:
            lot.offered = 0.0
            lot.asked = -1
        k = lot.following


@rule
def trade_calm(w, clock):
    """Voluntary trade of the month: each owner in its turn (about once in ``churn_interval`` months)."""
    n_l = len(w.lenders)
    n_lo = n_l + len(w.operators)
    terms = w.terms[0]
    for node in range(n_l, len(w.first_lot) - 1):
        if w.first_lot[node] < 0 or (node + clock.month) % terms.market_churn_interval != 0:
            continue
        if node < n_lo and (w.operators[node - n_l].status == GONE or w.operators[node - n_l].selling == 1):
            continue
        offer_voluntary(w, clock, node)


@rule
def trade_forced(w, clock):
    """One round of forced sales in the venue of the scenario; then marks follow."""
    if w.terms[0].market_venue == EXCHANGE:
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


