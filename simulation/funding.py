"""Lenders under pressure: allowances, borrowing base, funding calls, runs, failure and a clearing vector that is paid."""

from __future__ import annotations

import numpy as np

from agents.contracts import LoanKind, LoanStatus
from agents.ledger import Cause, EventKind, Flow, log_event
from agents.lenders import LenderKind, LenderStatus, note_loss, wants_out
from agents.rule import rule
from simulation.clearing import clear_payments

# Rows of the ranking array: loans by lender and lines by creditor (see list_claims); row 0 lists the failing and
# row 5 says where in that list a lender stands.
_LOANS_OF, _LOAN, _LINES_OF, _LINE, _PLACE = range(1, 6)


@rule
def loan_allowance(loan, lender, terms):
    """Return the loss allowance on a claim (USD).

    Defaulted secured claims: all that the unsold collateral does not cover is provided for, the collateral
    itself is carried as hardware. In breach: a share of the shortfall; performing: a smaller share, by the
    lender's mark-to-market weight.
    """
    if loan.status == LoanStatus.DEFAULTED:
        return loan.principal
    if loan.kind != LoanKind.EQUIPMENT:
        return 0.0
    short = max(0.0, loan.principal - loan.collateral)
    if loan.status == LoanStatus.CALLED:
        return terms.funding_impairment_called * short
    return terms.funding_impairment_market * lender.mark_to_market * short


@rule
def provide(w, clock):
    """Set allowances, eligible collateral and equity of every lender; note the month's losses (USD)."""
    terms = w.terms[0]
    for lender in w.lenders:
        # Until the loop is through, losses_month holds minus the old allowance.
        lender.losses_month -= lender.allowance
        lender.allowance = 0.0
        lender.eligible = 0.0
    for k in range(clock.used_loans):
        loan = w.loans[k]
        if loan.status == LoanStatus.FREE:
            continue
        lender = w.lenders[loan.lender]
        loss = loan_allowance(loan, lender, terms)
        lender.allowance += loss
        if loan.status == LoanStatus.PERFORMING and loan.kind == LoanKind.EQUIPMENT:
            lender.eligible += min(loan.principal, loan.collateral)
        elif loan.last_event >= 0 and w.events[loan.last_event].month == clock.month:
            note_loss(lender, loss, loan.last_event)
    for lender in w.lenders:
        lender.losses_month += lender.allowance
        assets = lender.cash + lender.book - lender.allowance + seized_at(lender) + lender.lent_lines
        lender.equity = assets - lender.deposits - lender.borrowed
        lender.capital_ratio = lender.equity / assets if assets > 1.0 else 1.0


@rule
def seized_at(lender):
    """Return the carrying value of seized hardware (USD): never more than the claims it stands for."""
    return min(lender.seized_value, lender.allowance)


@rule
def set_haircut(w, clock):
    """Set the haircut of warehouse lines: calm + a x price volatility + b x unsold share of forced stock; capped.

    Volatility is weighted by the value of the stock; the unsold share is unsold over forced sales plus unsold
    plus two per cent of the stock, so that a handful of units cannot move it.
    """
    terms = w.terms[0]
    value = 0.0
    vol = 0.0
    unsold = 0.0
    forced = 0.0
    for chip in w.chips:
        usd = chip.stock * chip.appraisal
        fall = 0.0
        if chip.traded_units > 0.0 and chip.price_before > 0.0:
            fall = max(0.0, 1.0 - chip.traded_usd / chip.traded_units / chip.price_before)
        value += usd
        vol += usd * max(chip.volatility, fall)
        unsold += chip.unsold * chip.appraisal
        forced += chip.forced_units * chip.appraisal
    clock.haircut = terms.funding_haircut
    if value > 0.0 and terms.policy_frozen == 0:
        share = unsold / (unsold + forced + 0.02 * value)
        rise = terms.funding_haircut_volatility * vol / value + terms.funding_haircut_unsold * share
        clock.haircut = min(terms.funding_haircut_cap, terms.funding_haircut + (1.0 - terms.policy_haircut_relief) * rise)


@rule
def count_unsold(w, clock):
    """Write the units offered by force and not sold (GPU), by generation."""
    n_lo = len(w.lenders) + len(w.operators)
    for chip in w.chips:
        chip.unsold = 0.0
    for k in range(clock.used_lots):
        lot = w.lots[k]
        if lot.owner >= 0 and lot.owner < n_lo and lot.offered > 0.0:
            w.chips[lot.chip].unsold += lot.offered


@rule
def call_lines(w, clock):
    """Call what exceeds the borrowing base, what closed lines amortise and what distressed creditors do not roll.

    The borrowing base is cash plus (1 - haircut) x eligible claims. Writes ``call_due`` of every debtor and
    ``called`` of every line (USD).
    """
    terms = w.terms[0]
    for lender in w.lenders:
        lender.call_due = 0.0
    for line in w.lines:
        line.called = 0.0
        line.haircut = clock.haircut
        if line.drawn <= 1.0 or w.lenders[line.debtor].status == LenderStatus.FAILED:
            continue
        debtor = w.lenders[line.debtor]
        creditor = w.lenders[line.creditor]
        if creditor.capital_ratio < creditor.capital_minimum:
            # A creditor short of capital does not roll its lines.
            line.open = 0
        base = max(0.0, debtor.cash) + (1.0 - clock.haircut) * debtor.eligible
        excess = max(0.0, debtor.borrowed - base) * line.drawn / debtor.borrowed
        if line.open == 0 and clock.turn == 0:
            excess = max(excess, terms.funding_wind_down * line.drawn)
        if excess > 1.0:
            line.called = min(line.drawn, excess)
            debtor.call_due += line.called
    for j in range(len(w.lenders)):
        lender = w.lenders[j]
        if lender.call_due > 0.01 * lender.borrowed and lender.call_due > 1.0:
            parent = clock.last_failure if clock.last_failure >= 0 else clock.last_shock
            new = lender.call_event < 0 or w.events[lender.call_event].month < clock.month
            if new:
                lender.call_event = log_event(w.events, clock, EventKind.FUNDING_CALL, Cause.FUNDING_CALL, j, -1, -1, 0.0, lender.call_due, parent)
                clock.news += 1


@rule
def run_deposits(w, clock, kind_failed, kind_count):
    """Depositors of weak lenders leave: each round only what has not left this month yet (USD).

    Writes ``run_share`` and adds to ``call_due``; what cannot be paid makes the lender illiquid.
    """
    terms = w.terms[0]
    for k in range(len(kind_failed)):
        kind_failed[k] = 0.0
        kind_count[k] = 0.0
    for lender in w.lenders:
        kind_count[lender.kind] += 1.0
        if lender.status == LenderStatus.FAILED:
            kind_failed[lender.kind] += 1.0
    for j in range(len(w.lenders)):
        lender = w.lenders[j]
        if lender.status == LenderStatus.FAILED or lender.kind == LenderKind.OUTSIDE:
            continue
        share = wants_out(lender, terms, kind_failed[lender.kind] / kind_count[lender.kind])
        lender.run_share = max(lender.run_share, share)
        opening = lender.deposits + lender.left_month
        leaving = lender.run_share * lender.runnable * opening - lender.left_month
        if leaving <= 1.0:
            continue
        if leaving > 0.01 * opening:
            parent = clock.last_failure if clock.last_failure >= 0 else clock.last_shock
            if lender.loss_event >= 0:
                parent = lender.loss_event
            lender.call_event = log_event(w.events, clock, EventKind.RUN, Cause.NONE, j, -1, -1, 0.0, leaving, parent)
            clock.news += 1
        paid = min(leaving, lender.cash)
        if paid < leaving:
            list_claims(w, clock)
            for m in range(w.ranking[_LINES_OF, j], w.ranking[_LINES_OF, j + 1]):
                w.lines[w.ranking[_LINE, m]].open = 0
            paid += raise_cash(w, clock, j, lender, leaving - paid)
        paid = min(leaving, paid)
        pay_out_deposits(lender, paid, w.book)
        if leaving - paid > 1.0:
            lender.status = LenderStatus.ILLIQUID
            lender.call_due += leaving - paid


@rule
def group_rows(keys, n, n_groups, ptr, rows):
    """Group the first ``n`` rows of a table by their key: rows[ptr[g]:ptr[g + 1]] are those of group g, in order."""
    for g in range(n_groups + 1):
        ptr[g] = 0
    for k in range(n):
        ptr[keys[k] + 1] += 1
    for g in range(n_groups):
        ptr[g + 1] += ptr[g]
    # Each group fills from its start, which thereby moves to its end: to the start of the next.
    for k in range(n):
        rows[ptr[keys[k]]] = k
        ptr[keys[k]] += 1
    for g in range(n_groups, 0, -1):
        ptr[g] = ptr[g - 1]
    ptr[0] = 0


@rule
def list_claims(w, clock):
    """List, once a round and only when somebody asks, the loans of each lender and the lines that it provides.

    In the rest of the round rows leave a lender (for the outside investors, who never sell) but none joins it.
    """
    now = 1 + clock.month * 1000 + clock.turn
    if clock.listed != now:
        clock.listed = now
        group_rows(w.loans.lender, clock.used_loans, len(w.lenders), w.ranking[_LOANS_OF], w.ranking[_LOAN])
        group_rows(w.lines.creditor, len(w.lines), len(w.lenders), w.ranking[_LINES_OF], w.ranking[_LINE])


@rule
def pay_out_deposits(lender, usd, book):
    """Pay deposits out (USD)."""
    lender.cash = max(0.0, lender.cash - usd)
    lender.deposits -= usd
    lender.left_month += usd
    book[Flow.DEPOSIT_OUT] += usd


@rule
def raise_cash(w, clock, j, lender, need):
    """Sell loans to outside investors at a discount until ``need`` USD is raised; return what was raised.

    The lender books the discount as a loss; its borrowers now owe somebody who does not extend.
    """
    terms = w.terms[0]
    outside = len(w.lenders) - 1
    raised = 0.0
    list_claims(w, clock)
    for m in range(w.ranking[_LOANS_OF, j], w.ranking[_LOANS_OF, j + 1]):
        loan = w.loans[w.ranking[_LOAN, m]]
        if loan.lender != j or loan.status != LoanStatus.PERFORMING or loan.kind == LoanKind.CONVERTIBLE:
            continue
        if raised >= need:
            break
        price = (1.0 - terms.funding_sale_discount) * (loan.principal - loan_allowance(loan, lender, terms))
        if loan.kind == LoanKind.EQUIPMENT:
            lender.eligible -= min(loan.principal, loan.collateral)
        lender.cash += price
        lender.book -= loan.principal
        lender.losses += loan.principal - price
        lender.losses_month += loan.principal - price
        lender.equity -= loan.principal - price
        w.lenders[outside].book += loan.principal
        w.book[Flow.BOOK_SALE] += price
        loan.lender = outside
        raised += price
    return raised


@rule
def meet_calls(w, clock):
    """Debtors pay their funding calls from cash and from loans sold; who cannot is illiquid."""
    for j in range(len(w.lenders)):
        lender = w.lenders[j]
        if lender.call_due <= 1.0 or lender.status == LenderStatus.FAILED or lender.borrowed <= 0.0:
            continue
        if lender.cash < lender.call_due:
            lender.status = LenderStatus.ILLIQUID
            raise_cash(w, clock, j, lender, lender.call_due - lender.cash)
        share = min(1.0, lender.cash / lender.call_due)
        for k in range(w.line_ptr[j], w.line_ptr[j + 1]):
            if w.lines[k].called > 0.0:
                repay_line(w, w.lines[k], share * w.lines[k].called)
        if share >= 1.0 and lender.status == LenderStatus.ILLIQUID:
            lender.status = LenderStatus.ACTIVE


@rule
def repay_line(w, line, usd):
    """Repay ``usd`` of a warehouse line from the debtor's cash."""
    debtor = w.lenders[line.debtor]
    creditor = w.lenders[line.creditor]
    line.drawn -= usd
    line.called = max(0.0, line.called - usd)
    debtor.borrowed -= usd
    debtor.call_due = max(0.0, debtor.call_due - usd)
    debtor.cash = max(0.0, debtor.cash - usd)
    creditor.lent_lines -= usd
    creditor.cash += usd
    w.book[Flow.LINE_REPAID] += usd


@rule
def find_failures(w, clock, failing):
    """List the lenders that fail this round (insolvent, or unable to pay what is due); return how many."""
    terms = w.terms[0]
    n = 0
    for j in range(len(w.lenders)):
        lender = w.lenders[j]
        if lender.status == LenderStatus.FAILED or lender.kind == LenderKind.OUTSIDE:
            continue
        insolvent = lender.capital_ratio < terms.funding_failure_ratio or lender.equity < 0.0
        unable = lender.status == LenderStatus.ILLIQUID and lender.call_due > 1.0
        if not insolvent and not unable:
            continue
        if insolvent:
            cause = Cause.INSOLVENCY
            parent = lender.loss_event if lender.loss_event >= 0 else clock.last_shock
        else:
            cause = Cause.ILLIQUIDITY
            parent = lender.call_event
        lender.status = LenderStatus.FAILED
        lender.failed_month = clock.month
        lender.last_event = log_event(w.events, clock, EventKind.LENDER_FAILURE, cause, j, -1, -1, 0.0, lender.deposits + lender.borrowed, parent)
        clock.last_failure = lender.last_event
        clock.news += 1
        failing[n] = j
        n += 1
    return n


@rule
def hand_over_hardware(w, j, outside):
    """Give a failed lender's seized hardware to the outside investors, with the claims that it secures."""
    buyer = w.lenders[outside]
    k = w.first_lot[j]
    while k >= 0:
        lot = w.lots[k]
        after = lot.following
        w.first_lot[j] = after
        head = w.first_lot[outside]
        lot.owner = outside
        lot.preceding = -1
        lot.following = head
        if head >= 0:
            w.lots[head].preceding = k
        w.first_lot[outside] = k
        buyer.seized_units += lot.units
        k = after
    w.lenders[j].seized_units = 0.0


@rule
def sell_estate(w, clock, j, outside):
    """Sell a failed lender's claims, hardware and lines due to it to the outside investors, at a discount, for cash."""
    terms = w.terms[0]
    lender = w.lenders[j]
    buyer = w.lenders[outside]
    price = 0.0
    list_claims(w, clock)
    for m in range(w.ranking[_LOANS_OF, j], w.ranking[_LOANS_OF, j + 1]):
        loan = w.loans[w.ranking[_LOAN, m]]
        if loan.lender == j and loan.status != LoanStatus.FREE:
            fair = loan.principal - loan_allowance(loan, lender, terms)
            if loan.status == LoanStatus.DEFAULTED:
                fair = min(loan.principal, loan.collateral)
            price += (1.0 - terms.funding_sale_discount) * fair
            loan.lender = outside
            buyer.book += loan.principal
            lender.book -= loan.principal
    hand_over_hardware(w, j, outside)
    for m in range(w.ranking[_LINES_OF, j], w.ranking[_LINES_OF, j + 1]):
        line = w.lines[w.ranking[_LINE, m]]
        if line.creditor == j:
            line.open = 0
            if w.lenders[line.debtor].status != LenderStatus.FAILED:
                line.creditor = outside
                price += line.drawn
                lender.lent_lines -= line.drawn
                buyer.lent_lines += line.drawn
    for m in range(w.line_ptr[j], w.line_ptr[j + 1]):
        w.lines[m].open = 0
    lender.cash += price
    lender.allowance = 0.0
    lender.book = 0.0
    lender.committed = 0.0
    w.book[Flow.BOOK_SALE] += price


@rule
def list_debts(w, failing, n, assets, external, debtor, creditor, owed):
    """List what ``n`` failing lenders have and owe (USD): cash, debts outside, and debts among them; return how many of these."""
    place = w.ranking[_PLACE]
    for i in range(n):
        place[failing[i]] = i
    edges = 0
    for i in range(n):
        assets[i] = w.lenders[failing[i]].cash
        external[i] = w.lenders[failing[i]].deposits
        for m in range(w.line_ptr[failing[i]], w.line_ptr[failing[i] + 1]):
            line = w.lines[m]
            if line.drawn <= 0.0:
                continue
            other = place[line.creditor]
            if other >= 0 and other < n and failing[other] == line.creditor:
                debtor[edges] = i
                creditor[edges] = other
                owed[edges] = line.drawn
                edges += 1
            else:
                external[i] += line.drawn
    return edges


@rule
def clear_failures(w, clock, failing, n):
    """Clear what failed lenders owe: Eisenberg-Noe with Rogers-Veraart bankruptcy costs, paid in cash.

    Deposits and lines from sound lenders rank pari passu with debts among the failing. Shortfalls are losses of the
    creditors, which may fail in the next round.
    """
    terms = w.terms[0]
    for i in range(n):
        sell_estate(w, clock, failing[i], len(w.lenders) - 1)
    assets = np.zeros(n)
    external = np.zeros(n)
    payments = np.zeros(n)
    total = np.zeros(n)
    inflow = np.zeros(n)
    debtor = np.zeros(len(w.lines), np.int64)
    creditor = np.zeros(len(w.lines), np.int64)
    owed = np.zeros(len(w.lines))
    edges = list_debts(w, failing, n, assets, external, debtor, creditor, owed)
    clear_payments(
        debtor, creditor, owed, edges, assets, external, terms.funding_recovery_external, terms.funding_recovery_interlender,
        payments, total, inflow, True,
    )  # fmt: skip
    for i in range(n):
        share = min(1.0, payments[i] / total[i]) if total[i] > 0.0 else 1.0
        pay_creditors(w, clock, failing[i], share)
    for i in range(n):
        # After the payments among them: what bankruptcy took, and what is left to the owners of the solvent.
        lender = w.lenders[failing[i]]
        if payments[i] < total[i] - 1e-6:
            w.book[Flow.BANKRUPTCY_LENDER] += lender.cash
        else:
            w.book[Flow.LENDER_PAYOUT] += lender.cash
        lender.cash = 0.0
        lender.equity = 0.0
        lender.capital_ratio = 0.0


@rule
def pay_creditors(w, clock, j, share):
    """Pay ``share`` of every debt of failed lender ``j``: deposits and lines; write the rest off."""
    lender = w.lenders[j]
    paid = share * lender.deposits
    lender.cash -= paid
    w.book[Flow.DEPOSIT_CLEARED] += paid
    lender.deposits = 0.0
    for k in range(w.line_ptr[j], w.line_ptr[j + 1]):
        line = w.lines[k]
        if line.drawn <= 0.0:
            continue
        creditor = w.lenders[line.creditor]
        paid = share * line.drawn
        lender.cash -= paid
        creditor.cash += paid
        creditor.lent_lines -= line.drawn
        creditor.losses += line.drawn - paid
        creditor.losses_month += line.drawn - paid
        note_loss(creditor, line.drawn - paid, lender.last_event)
        w.book[Flow.LINE_CLEARED] += paid
        line.drawn = 0.0
        line.called = 0.0
    lender.borrowed = 0.0


@rule
def withdraw_commitments(w, clock):
    """Failed and illiquid lenders withdraw what they committed and have not paid out."""
    for k in range(clock.used_orders):
        order = w.orders[k]
        if order.operator < 0 or order.lender < 0 or w.lenders[order.lender].status == LenderStatus.ACTIVE:
            continue
        lender = w.lenders[order.lender]
        lost = order.units * order.advance
        lender.committed = max(0.0, lender.committed - lost)
        op = w.operators[order.operator]
        op.committed += lost
        parent = lender.last_event if lender.status == LenderStatus.FAILED else lender.call_event
        op.last_event = log_event(
            w.events, clock, EventKind.WITHDRAWN_LINE, Cause.LENDER_FAILURE, len(w.lenders) + order.operator, order.lender,
            order.chip, order.units, lost, parent,
        )  # fmt: skip
        order.lender = -1
        order.advance = 0.0


@rule
def fund_round(w, clock):
    """One round of funding: allowances, haircuts, calls, runs, failures, clearing; nothing of it in the frozen twin."""
    count_unsold(w, clock)
    set_haircut(w, clock)
    provide(w, clock)
    if w.terms[0].policy_frozen == 1:
        return
    call_lines(w, clock)
    run_deposits(w, clock, w.scratch[0, :8], w.scratch[1, :8])
    meet_calls(w, clock)
    n = find_failures(w, clock, w.ranking[0])
    if n > 0:
        clear_failures(w, clock, w.ranking[0], n)
    withdraw_commitments(w, clock)


