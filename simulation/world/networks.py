"""Networks: who knows which lenders, who funds whom, who calls whom to sell a lot."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from agents.rule import entry
from agents.schema import Rows
from agents.tables.lenders import LENDER_KINDS, LenderKind
from agents.tables.lines import LINE
from simulation.scenario.agents import Networks
from simulation.scenario.kept import kept
from simulation.scenario.scenario import Scenario
from simulation.world.inputs.edges import Edges
from simulation.world.inputs.inputs import read_inputs
from simulation.world.population import lender_kinds
from simulation.world.streams import stream


class Nets(NamedTuple):
    """Networks in compressed rows: banks of each operator, (creditor, debtor) of lines, contacts of each seller."""

    bank_ptr: np.ndarray
    bank: np.ndarray
    lines: np.ndarray  # n x 2, by debtor
    limits: np.ndarray  # their sizes (USD), empty where they are not given
    contact_ptr: np.ndarray
    contact: np.ndarray
    contact_hops: np.ndarray


def _weights(form: str, size: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return how likely each node is chosen: by size in a core-periphery, by rank (Zipf) when scale-free, else alike."""
    n = len(size)
    if form == "core_periphery":
        core = size >= np.quantile(size, 0.7) if n else size
        return size * np.where(core, 4.0, 1.0)
    if form == "scale_free":
        return 1.0 / (1.0 + rng.permutation(n))
    return np.ones(n)


#: Ties in compressed rows: row r is tied to nodes[ptr[r]:ptr[r + 1]].
Ties = tuple[np.ndarray, np.ndarray]


@entry
def take_distinct(draws, wanted, ptr, nodes, seen):
    """Write each row's first ``wanted`` distinct draws; where the draws do not suffice, the nodes left over in order."""
    write = 0
    for row in range(len(wanted)):
        ptr[row] = write
        full = write + wanted[row]
        for j in draws[row]:
            if write < full and seen[j] != row:
                seen[j] = row
                nodes[write] = j
                write += 1
        for j in range(len(seen)):
            if write == full:
                break
            if seen[j] != row:
                nodes[write] = j
                write += 1
    ptr[len(wanted)] = write


def _choose(rng: np.random.Generator, weights: np.ndarray, rows: int, degree: int, varies: bool) -> Ties:
    """Return the distinct nodes that each row is tied to; ``varies`` draws the number of ties (Erdős-Rényi)."""
    n = len(weights)
    ptr = np.zeros(rows + 1, np.int64)
    if n == 0 or degree == 0:
        return ptr, np.zeros(0, np.int64)
    edges = np.cumsum(weights) / weights.sum()
    most = min(n, degree)
    draws = np.minimum(np.searchsorted(edges, rng.random((rows, 4 * degree + 8))), n - 1)
    wanted = rng.binomial(n, min(1.0, degree / n), rows).clip(1, min(n, 3 * degree)) if varies else np.full(rows, most)
    nodes = np.zeros(wanted.sum(), np.int64)
    take_distinct(draws, wanted, ptr, nodes, np.full(n, -1, np.int64))
    return ptr, nodes


def _rows(chosen: list[np.ndarray]) -> Ties:
    ptr = np.concatenate(([0], np.cumsum([len(c) for c in chosen]))).astype(np.int64)
    return ptr, np.concatenate(chosen).astype(np.int64) if chosen else np.zeros(0, np.int64)


@entry
def widen_contacts(ptr, direct, limit, out_ptr, out, hops, seen):
    """List each node's contacts by breadth-first search, nearest first, at most ``limit``; hops 1 are direct."""
    n = len(ptr) - 1
    write = 0
    for node in range(n):
        out_ptr[node] = write
        start = write
        seen[node] = node
        for j in range(ptr[node], ptr[node + 1]):
            if seen[direct[j]] != node and write - start < limit:
                seen[direct[j]] = node
                out[write] = direct[j]
                hops[write] = 1
                write += 1
        read = start
        while read < write and write - start < limit:
            via = out[read]
            for j in range(ptr[via], ptr[via + 1]):
                if seen[direct[j]] != node and write - start < limit:
                    seen[direct[j]] = node
                    out[write] = direct[j]
                    hops[write] = hops[read] + 1
                    write += 1
            read += 1
    out_ptr[n] = write
    return write


def _group(edges: np.ndarray, rows: int) -> Ties:
    return _rows([np.unique(edges[edges[:, 0] == row, 1]) for row in range(rows)])


def _draw_contacts(
    rng: np.random.Generator, bought: Ties, peers: Ties, banks: Ties, sizes: tuple[int, int, int], peer_degree: int
) -> Ties:
    """Return the direct contacts of every node, in random order: buyers and peers, itself left out.

    A lender's peers are its own borrowers first: the best users, short of cash at the same moment.
    """
    n_l, n_o, n_b = sizes
    borrowers = n_l + np.repeat(np.arange(n_o), np.diff(banks[0]))[np.argsort(banks[1], kind="stable")]
    first = np.searchsorted(np.sort(banks[1]), np.arange(n_l + 1))
    direct = []
    for node in range(n_l):
        own = rng.permutation(borrowers[first[node] : first[node + 1]])[:peer_degree]
        direct.append(
            rng.permutation(np.concatenate([n_l + n_o + bought[1][bought[0][node] : bought[0][node + 1]], own]))
        )
    ptr, flat = _rows(direct)
    # The other nodes: each row's buyers, then its peers, as one stable sort by node puts them.
    nodes = np.concatenate([np.repeat(np.arange(n_l + n_o + n_b), np.diff(ties[0])) for ties in (bought, peers)])
    contact = np.concatenate([n_l + n_o + bought[1], n_l + peers[1]])
    kept = np.flatnonzero((nodes >= n_l) & (nodes != contact))
    kept = kept[np.argsort(nodes[kept], kind="stable")]
    rest = contact[kept]
    ends = np.searchsorted(nodes[kept], np.arange(n_l, n_l + n_o + n_b), "right")
    for start, end in zip([0, *ends[:-1].tolist()], ends.tolist(), strict=True):
        rng.shuffle(rest[start:end])
    return np.concatenate([ptr, len(flat) + ends]), np.concatenate([flat, rest])


def build_networks(
    scenario: Scenario, lenders: Rows, n_operators: int, n_buyers: int, seed: int, replication: int
) -> Nets:
    """Return the networks: drawn once for ``networks.seed``, or afresh for every run when ``networks.redraw``."""
    net = scenario.networks
    key = (seed, replication + 1) if net.redraw else (net.seed, 0)
    kinds = tuple(lenders.view(np.ndarray)["kind"].tolist())
    size, wholesale = _by_kind(scenario)
    inputs = read_inputs(scenario)
    given = (inputs.lending, inputs.funding, inputs.contacts)
    return _draw(net, scenario.lenders.links, kinds, size, wholesale, n_operators, n_buyers, given, *key)


@kept
def _by_kind(scenario: Scenario) -> tuple[tuple[float, ...], tuple[bool, ...]]:
    """Return of each kind of lender, outside investors last, its size (USD) and whether it is funded by warehouse lines."""
    kinds = [getattr(scenario.lenders, kind) for kind in LENDER_KINDS[: LenderKind.OUTSIDE]]
    return (*(k.capital for k in kinds), 1.0), (*(k.wholesale > 0 for k in kinds), False)


@lru_cache(maxsize=16)
def _draw(
    net: Networks, links: int, kinds: tuple[int, ...], sizes: tuple[float, ...], funded: tuple[bool, ...], n_o: int, n_b: int,
    given: tuple[Edges | None, Edges | None, Edges | None], seed: int, replication: int,
) -> Nets:  # fmt: skip
    lending, funding, known = given
    n_l = len(kinds)
    size, wholesale = np.array([sizes[k] for k in kinds[:-1]]), [funded[k] for k in kinds]
    rng = stream(seed, replication, "lending")
    if lending is not None:
        banks = _group(lending.pairs, n_o)
    else:
        banks = _choose(rng, _weights(net.lending, size, rng), n_o, links, net.lending == "erdos_renyi")
    rng = stream(seed, replication, "funding")
    debtors = np.flatnonzero(wholesale)
    creditors = np.flatnonzero(np.array(kinds) == 0)
    limits: np.ndarray = np.zeros(0)
    if funding is not None:
        lines = funding.pairs
        limits = funding.limit if funding.limit is not None else limits
    else:
        ties = _choose(
            rng,
            _weights(net.funding, size[creditors], rng),
            len(debtors),
            net.funding_degree,
            net.funding == "erdos_renyi",
        )
        lines = np.stack([creditors[ties[1]], np.repeat(debtors, np.diff(ties[0]))], axis=1)
    rng = stream(seed, replication, "contacts")
    nodes = n_l + n_o + n_b
    if known is not None:
        ptr, flat = _group(known.pairs, nodes)
    else:
        form = net.contacts
        bought = _choose(
            rng,
            _weights(form, np.ones(n_b - 1) + rng.random(n_b - 1), rng),
            nodes,
            net.contact_degree,
            form == "erdos_renyi",
        )
        peers = _choose(rng, np.ones(n_o), nodes, net.peer_degree, False)
        ptr, flat = _draw_contacts(rng, bought, peers, banks, (n_l, n_o, n_b), net.peer_degree)
    out_ptr = np.zeros(nodes + 1, np.int64)
    out, hops = np.zeros((2, nodes * net.contact_limit), np.int64)
    written = widen_contacts(ptr, flat, net.contact_limit, out_ptr, out, hops, np.full(nodes, -1, np.int64))
    order = np.argsort(lines[:, 1], kind="stable")
    return Nets(
        *banks,
        lines[order],
        limits[order] if len(limits) else limits,
        out_ptr,
        out[:written].copy(),
        hops[:written].copy(),
    )


@kept
def _wholesale(scenario: Scenario) -> np.ndarray:
    """Return each lender's share of its debt that it raises on warehouse lines, outside investors left out."""
    return np.array([traits.wholesale for _, traits in lender_kinds(scenario)])


def line_table(scenario: Scenario, lenders: Rows, lines: np.ndarray, limits: np.ndarray) -> Rows:
    """Return the warehouse lines: limits are given, or a debtor's sum to its wholesale share of the debt its equity allows (USD)."""
    table = LINE.plain(len(lines))
    if len(lines):
        debtor = table["debtor"] = lines[:, 1]
        table["creditor"] = lines[:, 0]
        if len(limits):
            table["limit"] = limits
            return table.view(Rows)
        own = lenders.view(np.ndarray)[:-1]
        total = _wholesale(scenario) * own["equity"] * (1.0 / own["capital_target"] - 1.0)
        table["limit"] = total[debtor] / np.bincount(debtor, minlength=len(total))[debtor]
    return table.view(Rows)
