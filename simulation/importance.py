"""Systemic importance: what everybody loses when one agent alone fails; DebtRank and centrality among lenders."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pandas as pd

from agents.tables.lenders import LenderKind, LenderStatus
from agents.tables.loans import LoanStatus
from agents.tables.operators import OperatorStatus
from simulation.interventions import fail_agent
from simulation.literature.distress import debtrank
from simulation.month import CASCADE, MONTH, STEP, advance
from simulation.record.summary import open_claims
from simulation.runs import raise_fault
from simulation.scenario.scenario import Scenario
from simulation.world.build import build_world
from simulation.world.world import World, copy_world, node_name


def _exposures(world: World) -> np.ndarray:
    n = len(world.lenders)
    matrix = np.zeros((n, n))
    np.add.at(matrix, (world.lines.creditor, world.lines.debtor), world.lines.drawn)
    return matrix


def _loss(world: World) -> float:
    """Return credit losses written off this month and expected on open claims (USD)."""
    return float(world.clock[0].losses) + open_claims(world)[1] + float(world.lenders.losses.sum())


def _month_with(world: World, node: int | None) -> float:
    """Return the losses at the end of the month in which ``node`` alone fails (None: nobody is made to fail)."""
    world = copy_world(world)
    while world.clock[0].phase != CASCADE:
        advance(world, STEP)
    if node is not None:
        fail_agent(world, node)
    advance(world, MONTH)
    raise_fault(world)
    return _loss(world)


def systemic_importance(scenario: Scenario, seed: int, month: int, replication: int = 0) -> pd.DataFrame:
    """Return one row a lender and operator alive when ``month`` opens, the most important first.

    Columns: node, name, kind, size (USD: claims or debt), loss_alone (USD: what all creditors lose in that month
    when it alone fails, more than without), loss_over_size, debtrank (lenders, on warehouse lines), degree and
    eigenvector (centrality in the network of loans and lines, by exposure). Raises ValueError on a month
    outside the horizon.
    """
    if not 0 <= month < scenario.run.months:
        raise ValueError(f"month must lie between 0 and {scenario.run.months - 1}, not {month}")
    world = build_world(scenario, seed, replication)
    while world.clock[0].month < month:
        advance(world, MONTH)
    raise_fault(world)
    n_l = len(world.lenders)
    loans = world.loans[world.loans.status != LoanStatus.FREE]
    graph = nx.Graph()
    for lender, borrower, usd in zip(
        loans.lender.tolist(), (n_l + loans.borrower).tolist(), loans.principal.tolist(), strict=True
    ):
        weight = graph.get_edge_data(lender, borrower, {"weight": 0.0})["weight"]
        graph.add_edge(lender, borrower, weight=weight + usd)
    for line in world.lines[world.lines.drawn > 0]:
        graph.add_edge(int(line.creditor), int(line.debtor), weight=float(line.drawn))
    centre = (
        nx.eigenvector_centrality_numpy(graph, weight="weight")
        if graph.number_of_edges() > 2 and nx.is_connected(graph)
        else {}
    )
    exposure, equity = _exposures(world), np.maximum(world.lenders.equity, 0.0)
    calm = _month_with(world, None)
    rows = []
    for node in range(n_l + len(world.operators)):
        lends = node < n_l
        agent = world.lenders[node] if lends else world.operators[node - n_l]
        if (
            lends
            and (agent.kind == LenderKind.OUTSIDE or agent.status == LenderStatus.FAILED)
            or not lends
            and agent.status == OperatorStatus.DEFAULTED
        ):
            continue
        size = float(agent.book if lends else agent.debt)
        loss = _month_with(world, node) - calm
        name = node_name(world, node)
        kind = name[name.index("(") + 1 : -1] if lends else name.split()[0].lower()
        rank = debtrank(exposure, equity, node) if lends else np.nan
        rows.append(
            (
                node,
                name,
                kind,
                size,
                loss,
                loss / size if size > 1 else np.nan,
                rank,
                graph.degree(node) if node in graph else 0,
                centre.get(node, np.nan),
            )
        )
    columns = ["node", "name", "kind", "size", "loss_alone", "loss_over_size", "debtrank", "degree", "eigenvector"]
    return pd.DataFrame(rows, columns=columns).sort_values("loss_alone", ascending=False, ignore_index=True)
