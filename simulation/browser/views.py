"""Views of a ``ComputeCreditModel`` for Mesa's own page: ``SolaraViz(model, components=[NetworkView, MarketView])``."""

from __future__ import annotations

import solara
from mesa.visualization.utils import update_counter

from simulation.browser import series
from simulation.browser.charts import Lines
from simulation.browser.graph import Graph
from simulation.browser.page import Network
from simulation.browser.style import palette
from simulation.model import ComputeCreditModel
from simulation.record.summary import reference_row
from simulation.world.world import node_name


@solara.component
def NetworkView(model: ComputeCreditModel) -> None:
    """Draw lenders, borrowers and buyers, their states and exposures."""
    update_counter.get()
    world = model.world
    graph = solara.use_memo(
        lambda: Graph(world, {n: node_name(world, n) for n in range(len(world.first_lot))}), [id(model)]
    )
    solara.Style(palette(dark=False))
    with solara.Div(style={"height": "360px"}):
        Network(nodes=graph.static, now=graph.now(world), edges=graph.edges(world), event_pick_node=lambda node: None)


@solara.component
def MarketView(model: ComputeCreditModel) -> None:
    """Draw price, value in use and list price of H100s, and booked against executable loan-to-value."""
    update_counter.get()
    world, names = model.world, [chip.name for chip in model.config.chips]
    chip = names[reference_row(model.world)]
    common = {"start": model.config.run.start, "bands": series.stress_bands(world)}
    solara.Style(palette(dark=False))
    Lines(
        title=f"Price of a used {chip}", unit="$k", series=series.prices(world, names.index(chip)), zero=True, **common
    )
    ltv = [
        series.one("booked", "blue", series.panel("booked_ltv", 100)(world)),
        series.one("executable", "red", series.panel("executable_ltv", 100)(world)),
    ]
    Lines(title="Loan to value", unit="%, log scale", series=ltv, log=True, **common)
