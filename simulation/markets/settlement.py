"""Sales of used hardware carried out: units change hands, money goes to whom it is due."""

from __future__ import annotations

from agents.rule import rule
from agents.tables.buyers import BuyerKind
from agents.tables.clock import Fault, stop_run
from agents.tables.events import SaleReason
from agents.tables.ledger import BUYERS, LENDERS, OPERATORS, Flow
from agents.tables.loans import pay_loan
from agents.tables.lots import close_lot, receive_units
from agents.tables.operators import occupy
from simulation.markets.auction import ASK_FILL, BID_FILL, BIDDER, DUST, HOPS, LOT


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
                w.book[Flow.SURPLUS] += usd - taken
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
        if buyer.kind == BuyerKind.SCRAP:
            chip.scrapped += units
            chip.stock -= units
            return
        if buyer.kind == BuyerKind.DEALER:
            online = clock.month
            buyer.inventory += units * chip.appraisal
        elif buyer.kind != BuyerKind.BACKSTOP:
            buyer.power = max(0.0, buyer.power - units * chip.power)
            if chip.liquid == 1:
                buyer.liquid = max(0.0, buyer.liquid - units * chip.power)
    receive_units(w.lots, w.first_lot, clock, node, lot.chip, units, lot.vintage, online, price)


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
    elif seller < n_l + len(w.operators):
        occupy(w.operators[seller - n_l], chip, -units)
    else:
        buyer = w.buyers[seller - n_l - len(w.operators)]
        buyer.inventory = max(0.0, buyer.inventory - units * chip.appraisal)
        buyer.power = min(buyer.power_cap, buyer.power + units * chip.power)
    give_units(w, clock, lot, node, units, price)
    lot.units -= units
    lot.offered = max(0.0, lot.offered - units)
    if lot.units < DUST:
        close_lot(w.lots, w.first_lot, clock, k)


@rule
def settle(w, clock, n_bids, n_asks, price):
    """Match the fills of both sides in order and carry the sales out."""
    n_l = len(w.lenders)
    j = 0
    for i in range(n_bids):
        wanted = w.scratch[BID_FILL, i]
        while wanted > DUST and j < n_asks:
            units = min(wanted, w.scratch[ASK_FILL, j])
            if units > DUST:
                sell_units(w, clock, w.ranking[LOT, j], n_l + w.ranking[BIDDER, i], units, price, w.scratch[HOPS, i])
                wanted -= units
                w.scratch[ASK_FILL, j] -= units
            if w.scratch[ASK_FILL, j] <= DUST:
                j += 1
