"""One agent's books, for the inspector: balance sheet, measures, contracts, hardware."""

from __future__ import annotations

from typing import Any

import numpy as np

from agents.schema import Rows
from agents.tables.buyers import BUYER_KINDS
from agents.tables.lenders import LENDER_KINDS, LenderStatus
from agents.tables.loans import LOAN, LoanKind, LoanStatus
from agents.tables.operators import OperatorKind, OperatorStatus
from simulation.words import count, many, ratio, share, usd
from simulation.world.world import World

HEALTHY, BREACH, FALLEN, POOR = range(4)


Names = dict[int, str]


_MOST_ROWS = 12


_LOAN_KINDS = LOAN.columns[0].codes


_LOAN_STATES = ("", "performing", "margin called", "defaulted")


def live_loans(world: World) -> Rows:
    """Return the rows of loans that exist."""
    loans = world.loans[: int(world.clock[0].used_loans)]
    return loans[loans.status != LoanStatus.FREE]


def node_state(world: World) -> np.ndarray:
    """Return every node's state (int8): 0 healthy, 1 in breach or stressed, 2 fallen, 3 a buyer with little money."""
    n_l, n_o = len(world.lenders), len(world.operators)
    lenders, operators, buyers = world.lenders, world.operators, world.buyers
    state = np.zeros(n_l + n_o + len(buyers), np.int8)
    thin = (lenders.status == LenderStatus.ILLIQUID) | (lenders.capital_ratio < lenders.capital_minimum)
    state[:n_l][thin] = BREACH
    state[:n_l][lenders.status == LenderStatus.FAILED] = FALLEN
    state[n_l - 1] = HEALTHY
    own = state[n_l : n_l + n_o]
    loans = live_loans(world)
    own[loans.borrower[loans.status == LoanStatus.CALLED]] = BREACH
    own[(operators.status == OperatorStatus.STRESSED) | (operators.arrears > 0.0) | (operators.failing > 0)] = BREACH
    own[operators.status == OperatorStatus.DEFAULTED] = FALLEN
    state[n_l + n_o :][(buyers.budget < 0.1 * buyers.budget_cap) & (buyers.budget_cap > 0.0)] = POOR
    return state


def portrait(world: World, node: int, chips: list[str], names: Names) -> dict[str, Any]:
    """Return the books of one agent: texts and numbers for a panel.

    Keys: node, title, kind, level (see ``node_state``), state, balance (item, USD), facts (label, text), loans and
    lots (dicts of texts), loans_title, can_fail.
    """
    n_l, n_o = len(world.lenders), len(world.operators)
    level = int(node_state(world)[node])
    if node < n_l:
        books = _lender(world, node, names)
    elif node < n_l + n_o:
        books = _operator(world, node, names)
    else:
        books = _buyer(world, node, chips, names)
    lots = _lots(world, node, chips, names)
    common = {
        "node": node,
        "title": names[node],
        "level": level,
        "lots": lots,
        "can_fail": node < n_l + n_o and node != n_l - 1 and level != FALLEN,
    }
    return books | common


# --- lenders ------------------------------------------------------------------------------------------------------


def _lender(world: World, node: int, names: Names) -> dict[str, Any]:
    lender = world.lenders[node]
    state = (
        "below its minimum capital" if lender.capital_ratio < lender.capital_minimum else "healthy",
        "illiquid",
        "failed",
    )[lender.status]
    balance = [
        ("cash", lender.cash), ("claims on operators", lender.book), ("loss allowance", -lender.allowance),
        ("warehouse lines lent", lender.lent_lines), ("seized hardware", lender.seized_claim),
        ("deposits", -lender.deposits), ("warehouse lines borrowed", -lender.borrowed), ("equity", lender.equity),
    ]  # fmt: skip
    facts = [
        ("capital ratio", f"{share(lender.capital_ratio)} (aims at {share(lender.capital_target)})"),
        ("advance rate now", f"{share(lender.advance_rate)} (calm {share(lender.max_ltv)})"),
        ("underwriting life", many(lender.life, "month")),
        ("its marks follow the market", share(lender.mark_to_market)),
        ("runnable deposits", usd(lender.deposits * lender.runnable)),
        ("left this month", usd(lender.left_month)),
        ("losses this year", usd(lender.losses_year)),
        ("undrawn commitments", usd(lender.committed)),
    ]
    return {
        "kind": LENDER_KINDS[lender.kind].replace("_", " "), "state": state, "balance": _used(balance), "facts": facts,
        "loans_title": "Claims and warehouse lines", "loans": _claims(world, node, names) + _lines(world, node, names),
    }  # fmt: skip


def _claims(world: World, node: int, names: Names) -> list[dict[str, Any]]:
    loans = live_loans(world)
    own = loans[loans.lender == node]
    own = own[np.argsort(-own.principal, kind="stable")]
    rows = [_loan(loan, len(world.lenders) + int(loan.borrower), world, names) for loan in own[:_MOST_ROWS]]
    rest = own[_MOST_ROWS:]
    if len(rest):
        rows.append(_plain_row(many(len(rest), "smaller claim"), float(rest.principal.sum())))
    return rows


def _lines(world: World, node: int, names: Names) -> list[dict[str, Any]]:
    rows = []
    for line in world.lines[(world.lines.creditor == node) | (world.lines.debtor == node)]:
        lends = line.creditor == node
        other = int(line.debtor if lends else line.creditor)
        row = _plain_row(names[other], float(line.drawn)) | {"node": other}
        rows.append(
            row
            | {
                "state": f"line {'lent' if lends else 'drawn'} of {usd(line.limit)}{'' if line.open else ', withdrawn'}",
                "bad": not line.open,
            }
        )
    return [row for row in rows if row["usd"] >= 1.0]


def _plain_row(name: str, principal: float) -> dict[str, Any]:
    return {
        "name": name, "node": -1, "usd": principal, "principal": usd(principal), "ltv": "", "covenant": "", "headroom": "",
        "due": "", "state": "", "bad": False,
    }  # fmt: skip


def _loan(loan: Any, other: int, world: World, names: Names) -> dict[str, Any]:
    row = _plain_row(names[other], float(loan.principal)) | {"node": other}
    row["state"] = _LOAN_STATES[loan.status]
    if loan.kind != LoanKind.EQUIPMENT:
        row["state"] = f"{_LOAN_KINDS[loan.kind]}, {row['state']}"
    elif loan.status != LoanStatus.DEFAULTED:
        ltv = loan.principal / max(1.0, loan.collateral)
        row |= {
            "ltv": share(ltv),
            "covenant": share(loan.covenant_ltv),
            "headroom": f"{100 * (loan.covenant_ltv - ltv):.0f} pts".replace("-", "−"),
        }
    if loan.status != LoanStatus.DEFAULTED:
        row["due"] = many(max(0, int(loan.maturity) - int(world.clock[0].month)), "month")
    row["bad"] = bool(loan.status in (LoanStatus.CALLED, LoanStatus.DEFAULTED))
    return row


# --- operators ----------------------------------------------------------------------------------------------------


def _operator(world: World, node: int, names: Names) -> dict[str, Any]:
    op, clock = world.operators[node - len(world.lenders)], world.clock[0]
    state = ("healthy", "stressed", "defaulted")[op.status]
    loans = live_loans(world)
    loans = loans[loans.borrower == node - len(world.lenders)]
    if op.status != OperatorStatus.DEFAULTED and (loans.status == LoanStatus.CALLED).any():
        state = "in breach"
    balance = [
        ("cash", op.cash), ("GPUs at the appraisal", op.gpu_value), ("bitcoin", op.btc * clock.btc), ("ether", op.eth * clock.eth),
        ("mining rigs", op.rig_value), ("debt", -op.debt),
    ]  # fmt: skip
    balance.append(("equity", sum(value for _, value in balance)))
    costs = op.overheads + op.due
    facts = [
        ("DSCR, trailing quarter", ratio(op.dscr) if op.debt > 1.0 else "no debt"),
        ("rental revenue a month", usd(op.revenue)),
        ("debt service a month", usd(op.due)),
        ("cash lasts for", many(op.cash / costs, "month") if costs > 1.0 else "ever"),
        ("power in use", f"{op.used_power / 1e3:,.1f} of {op.site_power / 1e3:,.1f} MW"),
        ("of it liquid-cooled", f"{op.used_liquid / 1e3:,.1f} of {op.liquid_power / 1e3:,.1f} MW"),
        ("on-demand hours sold", share(op.utilisation)),
        ("purchase commitments", usd(op.committed)),
    ]
    if op.arrears > 0.0:
        facts.insert(0, ("in arrears with", usd(op.arrears)))
    if op.kind == OperatorKind.MINER:
        facts.append(("mining income a month", usd(op.mining_income)))
    order = np.argsort(-loans.principal, kind="stable")[:_MOST_ROWS]
    return {
        "kind": "miner" if op.kind == OperatorKind.MINER else "neocloud", "state": state, "balance": _used(balance), "facts": facts,
        "loans_title": "Loans", "loans": [_loan(loans[k], int(loans.lender[k]), world, names) for k in order],
    }  # fmt: skip


# --- buyers and hardware --------------------------------------------------------------------------------------------


def _buyer(world: World, node: int, chips: list[str], names: Names) -> dict[str, Any]:
    buyer = world.buyers[node - len(world.lenders) - len(world.operators)]
    poor = buyer.budget_cap > 0.0 and buyer.budget < 0.1 * buyer.budget_cap
    facts = [
        ("budget when full", usd(buyer.budget_cap)), ("refilled", f"{share(buyer.refill)} a month"),
        ("free power", f"{buyer.power / 1e3:,.2f} of {buyer.power_cap / 1e3:,.2f} MW"),
        ("of it liquid-cooled", f"{buyer.liquid / 1e3:,.2f} MW"),
        ("bought since the start", f"{count(buyer.bought)} GPUs for {usd(buyer.spent)}"),
    ]  # fmt: skip
    if BUYER_KINDS[buyer.kind] in ("dealer", "scrap", "backstop"):
        facts = [fact for fact in facts if "power" not in fact[0] and "liquid" not in fact[0]]
    trades = world.trades[: int(world.clock[0].trades)]
    for trade in trades[trades.buyer == node][-5:][::-1]:
        facts.append(
            (
                f"month {trade.month}: {names.get(int(trade.seller), '')}",
                f"{count(trade.units)} {chips[trade.chip]} at {usd(trade.price)}",
            )
        )
    balance = [("budget left", float(buyer.budget)), ("stock at the appraisal", float(buyer.inventory))]
    return {
        "kind": BUYER_KINDS[buyer.kind], "state": "little money left" if poor else "able to buy", "balance": _used(balance),
        "facts": facts, "loans_title": "", "loans": [],
    }  # fmt: skip


def _lots(world: World, node: int, chips: list[str], names: Names) -> list[dict[str, str]]:
    lots = world.lots[: int(world.clock[0].used_lots)]
    own = lots[(lots.owner == node) & (lots.units > 0.0)]
    own = own[np.argsort(-own.units, kind="stable")]
    rows = []
    for lot in own[:_MOST_ROWS]:
        pledged = names[int(world.loans.lender[lot.loan])] if lot.loan >= 0 else "nobody"
        rows.append(
            {
                "chip": chips[lot.chip], "units": count(lot.units), "age": many(int(world.clock[0].month - lot.vintage), "month"),
                "pledged": pledged, "contracted": share(lot.contracted), "sale": count(lot.offered) if lot.offered > 0.0 else "no",
            }
        )  # fmt: skip
    if len(own) > _MOST_ROWS:
        rest = own[_MOST_ROWS:]
        rows.append(
            {
                "chip": many(len(rest), "smaller lot"),
                "units": count(rest.units.sum()),
                "age": "",
                "pledged": "",
                "contracted": "",
                "sale": "",
            }
        )
    return rows


def _used(balance: list[tuple[str, float]]) -> list[tuple[str, float]]:
    """Leave out items that are nothing."""
    return [(item, float(value)) for item, value in balance if abs(value) >= 0.5 or item == "equity"]
