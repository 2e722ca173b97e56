"""The network as a picture: lenders in the middle, borrowers around them, buyers outside."""

from __future__ import annotations

from typing import Any

import numpy as np

from agents.tables.buyers import BUYER_KINDS
from agents.tables.lenders import LENDER_KINDS
from agents.tables.loans import LoanStatus
from simulation.browser.portrait import node_state
from simulation.world.world import World

#: With more nodes than this borrowers and buyers are drawn as groups.
MOST_NODES = 600


_GROUPS = 60


#: Most edges of one kind that are lit at a time.
_MOST_LIT = 70


_HEALTHY, _BREACH, _FALLEN = 0, 1, 2


#: Radii of the rings, in halves of the picture's width and height.
_RINGS = (0.36, 0.70, 0.95)


Row = list[Any]


class Graph:
    """Where every node stands (fixed for a sitting), and what a step shows of it.

    ``place`` maps a node to the place that draws it; ``members`` lists the nodes of a place (one, unless grouped).
    """

    def __init__(self, world: World, names: dict[int, str]) -> None:
        self.n_l, self.n_o, self.n_b = len(world.lenders), len(world.operators), len(world.buyers)
        self.members: list[np.ndarray] = []
        self.static: list[dict[str, Any]] = []
        n_nodes = self.n_l + self.n_o + self.n_b
        self.place = np.zeros(n_nodes, np.int64)
        self.grouped = n_nodes > MOST_NODES
        self._place_lenders(world, names)
        angle = self._operator_angles(world)
        self._place_ring(world, names, 1, self.n_l + np.argsort(angle, kind="stable"), world.operators.kind, self.n_l)
        buyers = self.n_l + self.n_o + np.argsort(world.buyers.kind[:-1], kind="stable")
        self._place_ring(world, names, 2, buyers, world.buyers.kind, self.n_l + self.n_o)
        self._add(np.array([n_nodes - 1]), 0.98, 0.98, "backstop", names[n_nodes - 1], 2)

    # --- places ------------------------------------------------------------------------------------------------

    def _add(self, nodes: np.ndarray, x: float, y: float, kind: str, label: str, ring: int) -> None:
        self.place[nodes] = len(self.members)
        self.members.append(nodes)
        short = label.split(" (")[0].replace("Lender ", "L").replace("Outside investors", "Out")
        self.static.append(
            {
                "x": round(x, 4),
                "y": round(y, 4),
                "kind": kind,
                "label": label,
                "short": short,
                "ring": ring,
                "n": len(nodes),
                "node": int(nodes[0]),
            }
        )

    def _place_lenders(self, world: World, names: dict[int, str]) -> None:
        """Lenders by kind around the inner ring (the largest groups in two rows), outside investors in the centre."""
        lenders = np.argsort(world.lenders.kind[:-1], kind="stable")
        bundles = np.array_split(lenders, _GROUPS) if self.grouped and len(lenders) > _GROUPS else lenders[:, None]
        for k, nodes in enumerate(bundles):
            turn = 2.0 * np.pi * k / max(1, len(bundles)) - np.pi / 2.0
            # Two rows when the ring is crowded.
            radius = _RINGS[0] * (0.72 if len(bundles) > 14 and k % 2 else 1.0)
            kind = LENDER_KINDS[world.lenders.kind[nodes[0]]]
            label = names[int(nodes[0])] if len(nodes) == 1 else f"{len(nodes)} lenders ({kind.replace('_', ' ')})"
            self._add(np.asarray(nodes), radius * np.cos(turn), radius * np.sin(turn), kind, label, 0)
        self._add(np.array([self.n_l - 1]), 0.0, 0.0, "outside", names[self.n_l - 1], 0)

    def _operator_angles(self, world: World) -> np.ndarray:
        """Return for each operator the direction of the lenders it knows, so that edges cross little (radian)."""
        turn = np.array([np.arctan2(s["y"], s["x"]) for s in self.static])[self.place[: self.n_l]]
        angle = np.zeros(self.n_o)
        for o in range(self.n_o):
            known = world.bank[world.bank_ptr[o] : world.bank_ptr[o + 1]]
            loans = world.loans[: int(world.clock[0].used_loans)]
            own = loans.lender[(loans.status != LoanStatus.FREE) & (loans.borrower == o)]
            known = np.concatenate([known, np.repeat(own, 3)]) if self.n_o < 1000 else known
            angle[o] = np.arctan2(np.sin(turn[known]).sum(), np.cos(turn[known]).sum()) if len(known) else 0.0
        return angle

    def _place_ring(
        self, world: World, names: dict[int, str], ring: int, nodes: np.ndarray, kinds: np.ndarray, first: int
    ) -> None:
        """Spread nodes over a ring in their order, as groups of one kind when there are too many."""
        word = ("neocloud", "miner") if ring == 1 else BUYER_KINDS
        kind = kinds[nodes - first]
        if self.grouped and len(nodes) > _GROUPS:
            size = int(np.ceil(len(nodes) / _GROUPS))
            bundles = [
                part
                for k in np.unique(kind)
                for part in np.array_split(nodes[kind == k], max(1, round((kind == k).sum() / size)))
            ]
        else:
            bundles = [nodes[k : k + 1] for k in range(len(nodes))]
        start = -np.pi if ring == 1 else -np.pi / 2.0
        for k, bundle in enumerate(bundles):
            turn = 2.0 * np.pi * (k + 0.5) / len(bundles) + start
            name = word[kinds[bundle[0] - first]]
            label = names[int(bundle[0])] if len(bundle) == 1 else f"{len(bundle)} {name}s"
            self._add(bundle, _RINGS[ring] * np.cos(turn), _RINGS[ring] * np.sin(turn), name, label, ring)

    # --- what a step shows -------------------------------------------------------------------------------------

    def sizes(self, world: World) -> np.ndarray:
        """Return each node's balance sheet (USD): assets of lenders and operators, budgets of buyers."""
        lenders, operators = world.lenders, world.operators
        own = [
            lenders.cash + lenders.book - lenders.allowance + lenders.lent_lines + lenders.seized_claim,
            np.maximum(
                operators.cash + operators.gpu_value + operators.rig_value + operators.btc * world.clock[0].btc,
                operators.debt,
            ),
            world.buyers.budget,
        ]
        return np.maximum(0.0, np.concatenate(own))

    def now(self, world: World) -> dict[str, Row]:
        """Return, place by place: radius (px at 600 px), worst state, shares in breach and fallen."""
        size, state = self.sizes(world), node_state(world)
        total = np.zeros(len(self.members))
        np.add.at(total, self.place, size)
        count = np.array([len(m) for m in self.members])
        breach, fallen = np.zeros(len(count)), np.zeros(len(count))
        np.add.at(breach, self.place, (state == _BREACH) | (state == 3))
        np.add.at(fallen, self.place, state == _FALLEN)
        ring = np.array([s["ring"] for s in self.static])
        largest = np.array([max(1.0, total[ring == r].max(initial=0.0)) for r in range(3)])
        top, least = np.array([17.0, 11.0, 6.0]), np.array([6.0, 3.5, 2.2])
        if self.grouped:
            top, least = np.array([17.0, 14.0, 11.0]), np.array([5.0, 5.0, 4.0])
        radius = least[ring] + (top - least)[ring] * np.sqrt(total / largest[ring])
        single = state[[int(m[0]) for m in self.members]]
        shown = np.where(count > 1, np.where(fallen > 0.5 * count, _FALLEN, _HEALTHY), single)
        hidden = (ring == 2) & (np.arange(len(count)) == len(count) - 1) & (world.buyers.budget_cap[-1] <= 0.0)
        return {
            "r": np.where(hidden, 0.0, radius).round(1).tolist(),
            "state": shown.tolist(),
            "breach": (breach / count).round(2).tolist() if self.grouped else [],
            "fallen": (fallen / count).round(2).tolist() if self.grouped else [],
        }

    def edges(self, world: World) -> list[Row]:
        """Return [place of the creditor, place of the debtor, width (px), 0 loan | 1 defaulted loan | 2 warehouse line]."""
        loans = world.loans[: int(world.clock[0].used_loans)]
        loans = loans[(loans.status != LoanStatus.FREE) & (loans.principal > 0.0)]
        lines = world.lines[world.lines.drawn > 0.0]
        a = np.concatenate([self.place[loans.lender], self.place[lines.creditor]])
        b = np.concatenate([self.place[self.n_l + loans.borrower], self.place[lines.debtor]])
        usd = np.concatenate([loans.principal, lines.drawn])
        form = np.concatenate([(loans.status == LoanStatus.DEFAULTED).astype(np.int64), np.full(len(lines), 2)])
        if len(a) == 0:
            return []
        key, where = np.unique((a * len(self.members) + b) * 3 + form, return_inverse=True)
        weight = np.bincount(where, usd)
        width = 0.6 + 4.4 * np.sqrt(weight / weight.max())
        pair = key // 3
        keep = np.argsort(-weight, kind="stable")[:900]
        return [
            [
                int(pair[k] // len(self.members)),
                int(pair[k] % len(self.members)),
                round(float(width[k]), 1),
                int(key[k] % 3),
            ]
            for k in keep
        ]

    def lit(self, world: World, events: tuple[int, int], trades: tuple[int, int]) -> list[Row]:
        """Return [from, to, 0 distress | 1 sale of GPUs] of what ran between two places in the last step.

        Distress runs from the agent of the event that triggered another to that other's agent, and between the
        two parties of an event (a call, a seizure, a withdrawn line).
        """
        rows = world.events[events[0] : events[1]]
        # Customers have no place in the picture.
        drawn = len(self.place)
        # Falls and seizures first, then the largest calls: a picture of everything shows nothing.
        rows = rows[np.lexsort((-rows.usd, rows.kind))]
        cause = np.where(rows.parent >= 0, world.events.node[rows.parent], -1)
        pairs = [(cause, rows.node), (rows.other, rows.node)]
        sold = world.trades[trades[0] : trades[1]]
        sold = sold[(sold.reason != 0) & (sold.reason != 5)]
        found: dict[tuple[int, int, int], None] = {}
        for a, b in pairs:
            for i, j in zip(a.tolist(), b.tolist(), strict=True):
                if 0 <= i < drawn and 0 <= j < drawn and self.place[i] != self.place[j]:
                    found[int(self.place[i]), int(self.place[j]), 0] = None
        for i, j in zip(sold.seller.tolist(), sold.buyer.tolist(), strict=True):
            if i >= 0 and j >= 0:
                found[int(self.place[i]), int(self.place[j]), 1] = None
        distress = [list(key) for key in found if key[2] == 0]
        return distress[:_MOST_LIT] + [list(key) for key in found if key[2] == 1][:_MOST_LIT]

    def worst(self, world: World, node: int) -> int:
        """Return the node itself, or of its group the one in most trouble (the largest of them)."""
        group = self.members[self.place[node]]
        if len(group) == 1:
            return node
        trouble = np.array([0, 1, 2, 0.5])[node_state(world)[group]]
        return int(group[np.lexsort((-self.sizes(world)[group], -trouble))[0]])
