"""A lender under pressure: haircuts and calls of its lines, depositors who leave, what it sells to pay them."""

from __future__ import annotations

from agents.lenders.marks import loan_allowance
from agents.rule import rule
from agents.tables.clock import this_round
from agents.tables.events import Cause, EventKind, log_event
from agents.tables.ledger import Flow
from agents.tables.lenders import LenderKind, LenderStatus, lose
from agents.tables.lines import repay_line
from agents.tables.loans import LoanKind, LoanStatus

#: Where ``run_speed`` is meant: at half the target capital ratio; how close the trigger may come to it.
_HALF = 0.5
_NARROW = 0.05
#: A call or a run below this part of what is owed is paid, but no event and no news.
_NOTED = 0.01


@rule
def wants_out(lender, terms, share_failed):
    """Return the share of runnable deposits that asks to leave this month.

    Zero while the capital ratio is above ``run_trigger`` of its target, ``run_speed`` at half the target, in a
    straight line and beyond; failures of lenders of the same kind add to it.
    """
    if lender.deposits <= 0.0:
        return 0.0
    health = lender.capital_ratio / lender.capital_target
    trigger = terms.funding_run_trigger
    if health >= trigger:
        return min(1.0, terms.funding_run_contagion * share_failed * lender.run_speed)
    depth = (trigger - health) / max(_NARROW, trigger - _HALF)
    return min(1.0, lender.run_speed * (depth + terms.funding_run_contagion * share_failed))


# Rows of the ranking array: loans by lender and lines by creditor (see list_claims); row 0 lists the failing and
# row 5 says where in that list a lender stands.
_LOANS_OF, _LOAN, _LINES_OF, _LINE, _PLACE = range(1, 6)


@rule
def set_haircut(w, clock):
    """Set the haircut of warehouse lines: calm + a x price volatility + b x unsold share of forced stock; capped.

    Volatility is weighted by the value of the stock; the unsold share is unsold over forced sales plus unsold
    plus ``funding.unsold_floor`` of the stock, so that a handful of units cannot move it.
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
        share = unsold / (unsold + forced + terms.funding_unsold_floor * value)
        rise = terms.funding_haircut_volatility * vol / value + terms.funding_haircut_unsold * share
        clock.haircut = min(
            terms.funding_haircut_cap, terms.funding_haircut + (1.0 - terms.policy_haircut_relief) * rise
        )


@rule
def call_lines(w, clock):
    """Call what exceeds the borrowing base, what closed lines amortise and what distressed creditors do not roll.

    The borrowing base is cash plus (1 - haircut) x eligible claims. Writes ``call_due`` of every debtor and
    ``called`` of every line (USD). Nothing in the frozen twin.
    """
    terms = w.terms[0]
    if terms.policy_frozen == 1:
        return
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
        if lender.call_due > _NOTED * lender.borrowed and lender.call_due > 1.0:
            parent = clock.last_failure if clock.last_failure >= 0 else clock.last_shock
            new = lender.call_event < 0 or w.events[lender.call_event].month < clock.month
            if new:
                lender.call_event = log_event(
                    w.events, clock, EventKind.FUNDING_CALL, Cause.FUNDING_CALL, j, -1, -1, 0.0, lender.call_due, parent
                )
                clock.news += 1


@rule
def run_deposits(w, clock):
    """Depositors of weak lenders leave: each round only what has not left this month yet (USD).

    Writes ``run_share`` and adds to ``call_due``; what cannot be paid makes the lender illiquid.
    """
    terms = w.terms[0]
    if terms.policy_frozen == 1:
        return
    kind_failed, kind_count = w.scratch[0], w.scratch[1]
    for k in range(LenderKind.OUTSIDE + 1):
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
        if leaving > _NOTED * opening:
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
    now = 1 + this_round(clock)
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

    The lender books the discount as a loss: what was provided for the loan cost equity before and is given back. Its
    borrowers now owe somebody who does not extend.
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
        provided = loan_allowance(loan, lender, terms)
        price = (1.0 - terms.funding_sale_discount) * (loan.principal - provided)
        if loan.kind == LoanKind.EQUIPMENT:
            lender.eligible -= min(loan.principal, loan.collateral)
        lender.cash += price
        lender.book -= loan.principal
        lender.allowance -= provided
        lose(lender, loan.principal - price)
        lender.losses_month -= provided
        lender.equity -= loan.principal - provided - price
        w.lenders[outside].book += loan.principal
        w.book[Flow.BOOK_SALE] += price
        loan.lender = outside
        raised += price
    return raised


@rule
def meet_calls(w, clock):
    """Debtors pay their funding calls from cash and from loans sold; who cannot is illiquid."""
    if w.terms[0].policy_frozen == 1:
        return
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
