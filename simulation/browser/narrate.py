"""What just happened, in sentences with numbers: as few as tell it, the most important first."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from agents.schema import Rows
from agents.tables.events import CAUSES, EVENT_KINDS
from simulation.markets.tape import TapeRow
from simulation.words import count, listed, many, share, usd
from simulation.world.world import World, node_name

Names = dict[int, str]


_MOST = 12


_KIND = {name: k for k, name in enumerate(EVENT_KINDS)}


_CAUSE = {name: k for k, name in enumerate(CAUSES)}


_WHY_DEFAULT = {
    "cash_flow": "it could not pay and nobody would extend", "ltv": "its margin call was not met", "dscr": "income stayed below debt service",
    "maturity": "a balloon could not be rolled over", "bitcoin_margin": "its coin loan was closed out",
    "lender_failure": "its lender could not roll the loan over", "imposed": "made to fail by hand",
}  # fmt: skip


_WHY_FAILURE = {
    "insolvency": "insolvent",
    "illiquidity": "out of cash",
    "imposed": "made to fail by hand",
    "funding_call": "could not meet a funding call",
    "lender_failure": "another lender's failure",
}


#: How lenders wait: kind and cause of the event, a sentence on one loan, and on several.
_WORKOUTS = (
    ("waiver", "ltv", "{lender} waives the covenant that {who} breaks on a loan of {usd}.", "Covenants on {n} loans, {usd} in all, are waived: {who}."),
    ("waiver", "dscr", "{lender} sweeps the spare cash of {who} for a loan of {usd}.", "Spare cash is swept for {n} loans, {usd} in all: {who}."),
    ("extension", "none", "{lender} extends {who}'s loan of {usd}: it is paid later.", "{n} loans, {usd} in all, are extended and paid later: {who}."),
    ("swap", "none", "{lender} takes equity in {who} for what it cannot carry: {usd} of the loan stay.", "Lenders take equity for what cannot be carried; {usd} of {n} loans stay: {who}."),
)  # fmt: skip


class Entry(NamedTuple):
    """One sentence: month and round, level ("shock", "default", "failure", "call", "sale", "good", "info"), nodes it is about."""

    month: int
    turn: int
    text: str
    level: str
    nodes: tuple[int, ...] = ()


def narrate(world: World, first_event: int, first_trade: int, chips: list[str], names: Names) -> list[Entry]:
    """Return what the step wrote that began at these rows of events and trades (its auctions are on the tape)."""
    clock = world.clock[0]
    events = world.events[first_event : int(clock.events)]
    trades = world.trades[first_trade : int(clock.trades)]
    told = Teller(world, chips, names)
    if len(events):
        told.shocks(events[events.kind == _KIND["shock"]])
        told.customers(events[events.kind == _KIND["customer_failed"]])
        told.contracts(events[events.kind == _KIND["contract_ended"]])
        told.runs(events[events.kind == _KIND["run"]])
        told.failures(events[events.kind == _KIND["lender_failure"]])
        told.cures(events[events.kind == _KIND["equity_cure"]])
        told.vehicles(events[events.kind == _KIND["surrender"]])
        told.defaults(events[events.kind == _KIND["default"]])
        told.seizures(events[events.kind == _KIND["seizure"]])
    told.auctions(world.tape[: int(clock.tape)], trades)
    if len(events):
        told.calls(events[events.kind == _KIND["margin_call"]])
        told.workouts(events)
        told.coin_calls(events[events.kind == _KIND["coin_call"]])
        told.funding(events)
        told.cured(events[events.kind == _KIND["cured"]])
        told.cancelled(events[events.kind == _KIND["order_cancelled"]])
    return told.entries


class Teller:
    """Collects sentences on one step."""

    def __init__(self, world: World, chips: list[str], names: Names) -> None:
        self.world, self.chips, self.names = world, chips, names
        self.month = int(world.clock[0].month)
        self.turn = -1
        self.entries: list[Entry] = []

    def say(self, text: str, level: str, *nodes: int, row: Any = None) -> None:
        """Add a sentence; ``row`` is the event or auction whose month and round it carries."""
        turn = int(row.turn) if row is not None else -1
        month = int(row.month) if row is not None and "month" in row.dtype.names else self.month
        self.entries.append(Entry(month, turn, text, level, tuple(int(n) for n in nodes)))

    def _name(self, node: int) -> str:
        return node_name(self.world, int(node), self.names)

    def _does(self, node: int, deed: str) -> str:
        """Return "Lender 2 calls margin", "Outside investors call margin"."""
        name, (verb, *rest) = self._name(node), deed.split(" ")
        return " ".join([name, verb.removesuffix("s") if name.endswith("investors") else verb, *rest])

    # --- who falls ---------------------------------------------------------------------------------------------

    def shocks(self, rows: Rows) -> None:
        for e in rows:
            self.say(
                f"{many(e.units, self.chips[e.chip])} come to market from outside, without a reserve price.".replace(
                    " come", " comes" if round(e.units) == 1 else " come"
                ),
                "shock",
                row=e,
            )

    def customers(self, rows: Rows) -> None:
        """One sentence a customer that had contracts (the three with the largest), one on the others."""
        rows = rows[np.argsort(-rows.usd, kind="stable")]
        told = rows[:3][rows.usd[:3] >= 1.0]
        for e in told:
            self.say(
                f"{self._name(e.node)} fails: its contracts, worth {usd(e.usd)} a month on {many(e.units, 'GPU')}, end.",
                "failure",
                row=e,
            )
        rest = rows[len(told) :]
        if len(rest):
            worth = (
                f", contracts worth {usd(rest.usd.sum())} a month" if rest.usd.sum() >= 1.0 else " without contracts"
            )
            self.say(
                f"{many(len(rest), 'customer')} {'fails' if len(rest) == 1 else 'fail'}{worth}.", "info", row=rest[0]
            )

    def contracts(self, rows: Rows) -> None:
        """One sentence on what operators lose to customers that failed, one on contracts that ran out."""
        failed = rows.cause == _CAUSE["customer_failure"]
        kinds = ((rows[failed], "with customers that failed", "call"), (rows[~failed], "that have run out", "info"))
        for part, why, level in kinds:
            if len(part) == 0:
                continue
            nodes = list(dict.fromkeys(part.node[np.argsort(-part.usd, kind="stable")].tolist()))
            rest = [f"{len(nodes) - 3} more"] if len(nodes) > 3 else []
            who = listed([*map(self._name, nodes[:3]), *rest])
            text = f"{usd(part.usd.sum())} a month of contracts {why} is not let again: {who}."
            self.say(text, level, *nodes, row=part[0])

    def failures(self, rows: Rows) -> None:
        for e in rows:
            why = _WHY_FAILURE.get(CAUSES[e.cause], CAUSES[e.cause].replace("_", " "))
            owing = f", owing {usd(e.usd)}" if e.usd >= 1.0 else ""
            self.say(f"{self._name(e.node)} fails: {why}{owing}{self._after(e)}.", "failure", e.node, row=e)

    def defaults(self, rows: Rows) -> None:
        rows = rows[np.argsort(-rows.usd, kind="stable")]
        for e in rows[:5]:
            why = _WHY_DEFAULT.get(CAUSES[e.cause], CAUSES[e.cause].replace("_", " "))
            self.say(f"{self._name(e.node)} defaults on {usd(e.usd)}: {why}.", "default", e.node, row=e)
        if len(rows) > 5:
            self.say(
                f"{many(len(rows) - 5, 'more operator')} default on {usd(rows[5:].usd.sum())} in all.",
                "default",
                *rows[5:].node,
                row=rows[5],
            )

    def cures(self, rows: Rows) -> None:
        for e in rows[np.argsort(-rows.usd, kind="stable")][:3]:
            self.say(f"{self._name(e.node)}'s owners put in {usd(e.usd)}: it does not fail.", "good", e.node, row=e)

    def vehicles(self, rows: Rows) -> None:
        """One sentence an operator: the vehicles that it gives up, and goes on."""
        for node in np.unique(rows.node)[:4]:
            mine = rows[rows.node == node]
            whom = listed(self._name(n) for n in np.unique(mine.other)[:3])
            text = f"{self._name(node)} gives up {many(len(mine), 'vehicle')} that owe{'s' if len(mine) == 1 else ''} {usd(mine.usd.sum())} to {whom}, and goes on."
            self.say(text, "default", node, *mine.other, row=mine[0])

    def workouts(self, events: Rows) -> None:
        """One sentence on each way in which lenders wait in this step: for whom, with what claims."""
        for kind, cause, one, several in _WORKOUTS:
            rows = events[(events.kind == _KIND[kind]) & ((events.cause == _CAUSE[cause]) | (cause == "none"))]
            if len(rows) == 0:
                continue
            rows = rows[np.argsort(-rows.usd, kind="stable")]
            owed = usd(rows.usd.sum())
            whom = list(dict.fromkeys(rows.other.tolist()))
            rest = [f"{len(whom) - 3} more"] if len(whom) > 3 else []
            who = listed([*map(self._name, whom[:3]), *rest])
            if len(rows) == 1:
                text = one.format(lender=self._name(rows.node[0]), who=who, usd=owed)
            else:
                text = several.format(n=len(rows), who=who, usd=owed)
            self.say(text, "good", *whom, row=rows[0])

    def seizures(self, rows: Rows) -> None:
        """One sentence a lender: what it takes from whom."""
        for lender in np.unique(rows.node)[:6]:
            mine = rows[rows.node == lender]
            # Behind a loan on several generations the event names none of them.
            units = np.bincount(mine.chip % (len(self.chips) + 1), mine.units, len(self.chips) + 1)
            what = listed(
                f"{count(units[g])} {[*self.chips, 'other GPUs'][g]}"
                for g in np.argsort(-units, kind="stable")[:3]
                if units[g] > 0.0
            )
            whom = listed(self._name(n) for n in np.unique(mine.other)[:3])
            self.say(f"{self._does(lender, 'seizes')} {what} from {whom}.", "default", lender, *mine.other, row=mine[0])

    # --- who buys ----------------------------------------------------------------------------------------------

    def auctions(self, tape: Rows, trades: Rows) -> None:
        """One sentence a forced auction (the largest four), one on the rest, one on voluntary trade."""
        heads = np.flatnonzero(tape.kind == TapeRow.AUCTION)
        ends = np.append(heads[1:], len(tape))[: len(heads)]
        forced = [(int(a), int(b)) for a, b in zip(heads, ends, strict=True) if tape.forced[a]]
        forced.sort(key=lambda span: -float(tape.units[span[0]] * tape.appraisal[span[0]]))
        for a, b in forced[:4]:
            self.say(self._auction(tape[a], tape[a + 1 : b]), "sale", tape[a].node, row=tape[a])
        if len(forced) > 4:
            rest = tape[[a for a, _ in forced[4:]]]
            self.say(
                f"{many(len(rest), 'smaller forced auction')}: {count(rest.filled.sum())} of {count(rest.units.sum())} GPUs sold.",
                "sale",
                *rest.node,
                row=rest[0],
            )
        self._calm(trades[np.isin(trades.reason, (0, 5))])

    def _auction(self, auction: Any, orders: Rows) -> str:
        who = self._name(auction.node) if auction.node >= 0 else "All sellers on the exchange"
        chip = self.chips[auction.chip]
        text = (
            f"{who} offer{'' if auction.node < 0 or who.endswith('investors') else 's'} {count(auction.units)} {chip}"
        )
        if len(orders):
            text += f" to {many(auction.reached, 'contact')}: {who_bids(orders)}"
        if auction.filled < 0.5:
            return f"{text}; nothing is sold{gap(orders)}."
        below = auction.price / auction.fundamental - 1.0 if auction.fundamental > 0.0 else 0.0
        side = "below" if below < 0 else "above"
        text += f"; {'all' if auction.filled > auction.units - 0.5 else count(auction.filled)} sold at {usd(auction.price)}, {share(abs(below))} {side} value in use"
        left = auction.units - auction.filled
        return text + (f", {count(left)} found no buyer." if left >= 0.5 else ".")

    def _calm(self, trades: Rows) -> None:
        if len(trades) == 0:
            return
        value = np.bincount(trades.chip, trades.units * trades.price, len(self.chips))
        main = int(value.argmax())
        units = trades.units[trades.chip == main].sum()
        self.say(
            f"Calm trade: {many(trades.units.sum(), 'GPU')} change hands in {many(len(trades), 'sale')}; {self.chips[main]} at {usd(value[main] / units)} on average.",
            "info",
        )

    # --- who is called -----------------------------------------------------------------------------------------

    def calls(self, rows: Rows) -> None:
        self._merged(rows, "calls margin of {usd} from {other}", "margin call", "call")

    def _merged(self, rows: Rows, verb: str, noun: str, level: str) -> None:
        rows = rows[np.argsort(-rows.usd, kind="stable")]
        for e in rows[:2]:
            text = verb.format(usd=usd(e.usd), other=self._name(e.node))
            self.say(f"{self._does(e.other, text)}{self._after(e)}.", level, e.node, e.other, row=e)
        if len(rows) > 2:
            self.say(
                f"{many(len(rows) - 2, 'more ' + noun)}, {usd(rows[2:].usd.sum())} in all.",
                level,
                *np.unique(rows[2:].node),
                row=rows[2],
            )

    def _after(self, e: Any) -> str:
        """Return what an event came after, if a sale or a fall of this month triggered it."""
        if e.parent < 0:
            return ""
        cause = self.world.events[e.parent]
        if cause.kind == _KIND["forced_sale"]:
            return f" after {self.chips[cause.chip]}s sold at {usd(cause.usd / max(cause.units, 1e-9))}"
        if cause.kind in (_KIND["default"], _KIND["lender_failure"]):
            return f" after {self._name(cause.node)} fell"
        return ""

    def coin_calls(self, rows: Rows) -> None:
        for e in rows[:3]:
            self.say(
                f"{self._does(e.other, 'calls')} more coins for a loan of {usd(e.usd)} from {self._name(e.node)}.",
                "call",
                e.node,
                e.other,
                row=e,
            )

    def runs(self, runs: Rows) -> None:
        for e in runs[np.argsort(-runs.usd, kind="stable")][:3]:
            self.say(f"Depositors ask {self._name(e.node)} for {usd(e.usd)}.", "call", e.node, row=e)

    def funding(self, events: Rows) -> None:
        """Funding calls, and orders that a failed lender can no longer fund."""
        calls = events[events.kind == _KIND["funding_call"]]
        for e in calls[np.argsort(-calls.usd, kind="stable")][:2]:
            self.say(
                f"{self._name(e.node)} must repay {usd(e.usd)} of its warehouse lines{self._after(e)}.",
                "call",
                e.node,
                row=e,
            )
        lines = events[events.kind == _KIND["withdrawn_line"]]
        if len(lines):
            who = listed(self._name(n) for n in np.unique(lines.other)[:3])
            self.say(
                f"{who} can no longer fund {many(len(lines), 'order')} of GPUs, {usd(lines.usd.sum())} in all.",
                "call",
                *np.unique(lines.node),
                row=lines[0],
            )

    def cured(self, rows: Rows) -> None:
        if len(rows):
            self.say(
                f"{many(len(rows), 'margin call')} met: {listed(self._name(n) for n in np.unique(rows.node)[:4])}.",
                "good",
                *np.unique(rows.node),
                row=rows[0],
            )

    def cancelled(self, rows: Rows) -> None:
        if len(rows):
            self.say(
                f"{many(len(rows), 'purchase commitment')} worth {usd(rows.usd.sum())} cancelled for want of money; deposits are lost.",
                "call",
                *np.unique(rows.node),
                row=rows[0],
            )


def gap(orders: Rows) -> str:
    """Return how far the best bid is from the least reserve, if there was a bid."""
    bids, asks = orders.price[orders.kind == TapeRow.BID], orders.price[orders.kind == TapeRow.ASK]
    if len(bids) == 0 or len(asks) == 0:
        return ""
    return f", the best bid of {usd(bids.max())} is below the least reserve of {usd(asks.min())}"


def who_bids(orders: Rows) -> str:
    """Return "4 bid, 6 had no free power, 3 no money"."""
    words = (
        (TapeRow.BID, "bid"),
        (TapeRow.NO_POWER, "had no free power"),
        (TapeRow.NO_MONEY, "had no money"),
        (TapeRow.NOT_SOUND, "not sound enough"),
        (TapeRow.NO_VALUE, "saw no value"),
        (TapeRow.TOO_SMALL, "wanted a larger lot"),
        (TapeRow.TOO_OLD, "wanted younger chips"),
    )
    counts = [(int((orders.kind == kind).sum()), word) for kind, word in words]
    return ", ".join(f"{n or 'none'} {word}" for n, word in counts if n or word == "bid")
