"""Why an agent is in trouble: the chain of events back to the first shock, in sentences."""

from __future__ import annotations

from agents.tables.events import CAUSES, EVENT_KINDS
from agents.tables.loans import LoanKind, LoanStatus
from simulation.browser.portrait import HEALTHY, Names, live_loans, node_state
from simulation.words import calendar, count, ratio, share, signed, usd
from simulation.world.world import World, node_name

_LONGEST = 12


_TEXT = {
    "seizure": "{node} seized hardware behind a claim of {usd} on {other}",
    "margin_call": "{other} called margin of {usd} from {node}: its loan had passed the covenant LTV",
    "funding_call": "{node} had to repay {usd} of its funding",
    "withdrawn_line": "{other} could no longer fund GPUs that {node} had ordered ({usd})",
    "run": "depositors asked {node} for {usd}",
    "order_cancelled": "{node} could not pay for GPUs it had ordered ({usd})",
    "coin_call": "{other} called more coins from {node} for a loan of {usd}",
    "cured": "{node} met its margin call",
    "customer_failed": "{node} failed: contracts worth {usd} a month ended",
    "contract_ended": "contracts of {node} worth {usd} a month ended and were not let again",
    "waiver": "{node} waived a covenant that {other} broke on a loan of {usd}",
    "extension": "{node} extended a loan of {usd} that {other} could not pay",
    "swap": "{node} took equity in {other} for what it could not carry; {usd} of the loan stayed",
    "surrender": "{node} gave up a vehicle that owed {other} {usd}",
    "equity_cure": "the owners of {node} put in {usd}",
    "shock": "a block of GPUs worth {usd} came to market from outside",
}


_DEFAULT = {
    "cash_flow": "it could not pay and nobody would extend", "ltv": "its margin call was not met", "dscr": "its income had stayed below its debt service",
    "maturity": "a balloon could not be rolled over", "bitcoin_margin": "its coin loan was closed out",
    "lender_failure": "its lender could not roll its loan over", "imposed": "it was made to fail by hand",
}  # fmt: skip


def chain(world: World, node: int) -> list[int]:
    """Return the rows of the events that led to an agent's last one, newest first, back to a root."""
    n_l = len(world.lenders)
    if node < n_l:
        row = int(max(world.lenders.last_event[node], world.lenders.call_event[node]))
    elif node < n_l + len(world.operators):
        row = int(world.operators.last_event[node - n_l])
        loans = live_loans(world)
        own = loans.last_event[(loans.borrower == node - n_l) & (loans.status != LoanStatus.DEFAULTED)]
        row = max([row, *own.tolist()])
    else:
        return []
    rows: list[int] = []
    while row >= 0 and row < world.clock[0].events and row not in rows:
        rows.append(row)
        row = int(world.events[row].parent)
    return rows


def why(world: World, node: int, chips: list[str], names: Names, start: str) -> list[str]:
    """Return the causes of an agent's trouble, newest first, the last sentence on the state in which it began.

    For an agent without trouble: how near it is. ``start`` is the calendar month of month 0.
    """
    if node_state(world)[node] == HEALTHY or node >= len(world.lenders) + len(world.operators):
        return [headroom(world, node)]
    rows = chain(world, node)
    if not rows:
        return [headroom(world, node), _began(world, int(world.clock[0].month), start)]
    told = [_sentence(world, row, chips, names, start) for row in rows]
    if len(told) > _LONGEST:
        told = told[: _LONGEST - 2] + [f"... {len(told) - _LONGEST + 1} events before that ...", told[-1]]
    return [*told, _began(world, int(world.events[rows[-1]].month), start)]


def _sentence(world: World, row: int, chips: list[str], names: Names, start: str) -> str:
    e = world.events[row]
    kind, cause = EVENT_KINDS[e.kind], CAUSES[e.cause]
    who, other = node_name(world, int(e.node), names), node_name(world, int(e.other), names)
    if kind == "default":
        text = f"{who} defaulted on {usd(e.usd)}: {_DEFAULT.get(cause, cause.replace('_', ' '))}"
    elif kind == "lender_failure":
        text = f"{who} failed: {cause.replace('_', ' ')}" + (f", owing {usd(e.usd)}" if e.usd >= 1.0 else "")
    elif kind == "forced_sale":
        text = f"{who} sold {count(e.units)} {chips[e.chip]} by force at {usd(e.usd / max(e.units, 1e-9))}"
    else:
        text = _TEXT[kind].format(node=who, other=other, usd=usd(e.usd))
    return f"{calendar(start, int(e.month))}, round {int(e.turn) + 1}: {text}."


def _began(world: World, month: int, start: str) -> str:
    """Return the state of the drivers in a month: what stood at the beginning of the chain."""
    clock = world.clock[0]
    done = int(clock.month)
    now = world.panel[month] if month < done else clock
    stresses = [
        name
        for flag, name in ((now.stress_demand, "a stress of AI demand"), (now.stress_coin, "a stress of bitcoin"))
        if flag
    ]
    text = f"It began in {calendar(start, month)}, " + (
        f"in {' and '.join(stresses)}" if stresses else "without a stress of the drivers"
    )
    if month >= 6:
        before = world.panel[month - 6]
        text += f": over six months the rent of an H100-hour had moved {signed(now.rent / before.rent - 1, 0)} to ${now.rent:.2f}, bitcoin {signed(now.btc / before.btc - 1, 0)}"
    return text + "."


def headroom(world: World, node: int) -> str:
    """Return how near trouble is: an operator's tightest loan, DSCR and cash; a lender's capital; a buyer's means."""
    n_l, n_lo = len(world.lenders), len(world.lenders) + len(world.operators)
    if node < n_l:
        lender = world.lenders[node]
        return f"Its capital ratio is {share(lender.capital_ratio)}; it stops lending below {share(lender.capital_minimum)} and aims at {share(lender.capital_target)}."
    if node >= n_lo:
        buyer = world.buyers[node - n_lo]
        return f"It has {usd(buyer.budget)} of {usd(buyer.budget_cap)} left to spend."
    op = world.operators[node - n_l]
    loans = live_loans(world)
    own = loans[
        (loans.borrower == node - n_l) & (loans.kind == LoanKind.EQUIPMENT) & (loans.status != LoanStatus.DEFAULTED)
    ]
    if len(own) == 0:
        return "It has no secured loan." if op.debt < 1.0 else f"It owes {usd(op.debt)} without security."
    room = own.covenant_ltv - own.principal / own.collateral.clip(1.0)
    tight = own[int(room.argmin())]
    ltv = tight.principal / max(1.0, tight.collateral)
    falls = 1.0 - tight.principal / max(1.0, tight.covenant_ltv * tight.collateral)
    text = f"Its tightest loan stands at an LTV of {share(ltv)} against a covenant of {share(tight.covenant_ltv)}"
    text += f": a fall of its collateral's mark by {share(falls)} trips it" if falls > 0 else ": the covenant is broken"
    return f"{text}. DSCR {ratio(op.dscr)}."
