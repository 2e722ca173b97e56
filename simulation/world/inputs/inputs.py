"""All tables that a scenario names, read once: what a run takes from them, and what is said of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from agents.tables.buyers import BUYER_KINDS, BuyerKind
from agents.tables.customers import CUSTOMER_KINDS
from agents.tables.lenders import LENDER_KINDS, LenderKind
from simulation.scenario.config import input_files
from simulation.scenario.document import base_config
from simulation.scenario.faults import ConfigError, Fault
from simulation.scenario.kept import kept
from simulation.scenario.scenario import Scenario
from simulation.world.inputs.agents import read_buyers, read_lenders, read_operators
from simulation.world.inputs.edges import Edges, Side, read_edges
from simulation.world.inputs.paths import BLOCK, DRIVERS, Path, Series, read_drivers, read_series
from simulation.world.inputs.table import TableRead


class Said(NamedTuple):
    """What is said of a file: the parameter that names it, its rows, its dialect, the parameters in whose place it stands."""

    parameter: str
    file: str
    rows: int
    notes: tuple[str, ...]
    instead_of: tuple[str, ...]

    def __str__(self) -> str:
        parts = [f"{self.rows:,} row{'' if self.rows == 1 else 's'}", *self.notes]
        if self.instead_of:
            parts.append(f"takes the place of {', '.join(self.instead_of)}")
        return f"{self.parameter}: {self.file}: {'; '.join(parts)}"


class Inputs(NamedTuple):
    """The tables of a scenario, None where it names none; ``said`` is what is said of each."""

    lenders: TableRead | None
    neoclouds: TableRead | None
    miners: TableRead | None
    buyers: TableRead | None
    lending: Edges | None
    funding: Edges | None
    contacts: Edges | None
    drivers: Path | None
    series: Series | None
    said: tuple[Said, ...]


def users_files(scenario: Scenario) -> list[str]:
    """Return the tables that a scenario reads and that did not come with the program."""
    shipped = base_config().parent
    return [str(path) for path in input_files(scenario).values() if shipped not in path.parents]


def told(scenario: Scenario) -> list[str]:
    """Return a line for each table of the user's, and for those of the program of which there is something to say."""
    users = users_files(scenario)
    return [str(said) for said in read_inputs(scenario).said if said.file in users or said.notes]


def recorded(scenario: Scenario) -> dict[str, dict[str, Any]]:
    """Return what a record of a run says of each table by parameter: rows, dialect, parameters in whose place it stands."""
    return {
        said.parameter: {"rows": said.rows, "read_as": list(said.notes), "instead_of": list(said.instead_of)}
        for said in read_inputs(scenario).said
    }


@kept
def read_inputs(scenario: Scenario) -> Inputs:
    """Return the tables that a scenario names. Raises ConfigError with the faults of all of them."""
    files = {name: str(path) for name, path in input_files(scenario).items()}
    faults: list[Fault] = []

    def read(name: str, reader: Callable[..., Any], *given: Any, **options: Any) -> Any:
        if name not in files:
            return None
        try:
            return reader(files[name], *given, **options)
        except ConfigError as error:
            faults.extend(error.faults)
            return None

    customers = sum(getattr(scenario.customers, kind).count for kind in CUSTOMER_KINDS)
    lenders = read("lenders.file", read_lenders)
    neoclouds = read("neoclouds.file", read_operators, "neoclouds", customers)
    miners = read("miners.file", read_operators, "miners", customers)
    buyers = read("buyers.file", read_buyers)
    if faults:
        # Who is there is not known: edges could be said to be wrong that are right.
        raise ConfigError(faults)
    lending, funding, contacts = _edges(scenario, read, lenders, (neoclouds, miners), buyers)
    year, month = map(int, scenario.run.start.split("-"))
    start = year * 12 + month - 1
    drivers = read("drivers.file", read_drivers, start, scenario.run.months, tuple(c.name for c in scenario.chips))
    coin = scenario.drivers.coin
    history = coin.path == "history" and scenario.drivers.regimes.first_month > 0
    series = read("drivers.coin.series", read_series, start, BLOCK if coin.path == "bootstrap" else 1, history)
    if faults:
        raise ConfigError(faults)
    tables = {"lenders.file": lenders, "neoclouds.file": neoclouds, "miners.file": miners, "buyers.file": buyers}
    edges = {"networks.lending_file": lending, "networks.funding_file": funding, "networks.contacts_file": contacts}
    said = [_of_agents(scenario, table) for table in tables.values() if table is not None]
    said += [_of_edges(edge) for edge in edges.values() if edge is not None]
    if drivers is not None:
        instead = _parameters(DRIVERS, drivers.columns)
        said.append(Said("drivers.file", files["drivers.file"], drivers.rows, drivers.notes, instead))
    if series is not None:
        said.append(Said("drivers.coin.series", files["drivers.coin.series"], series.rows, series.notes, ()))
    return Inputs(lenders, neoclouds, miners, buyers, lending, funding, contacts, drivers, series, tuple(said))


def counts(scenario: Scenario, lenders: Any, operators: tuple[Any, Any], buyers: Any) -> tuple[int, int, int]:
    """Return how many lenders (outside investors left out), operators and buyers (the backstop left out) there are."""
    n_l = sum(getattr(scenario.lenders, kind).count for kind in LENDER_KINDS[: LenderKind.OUTSIDE])
    n_b = sum(getattr(scenario.buyers, kind).count for kind in BUYER_KINDS[: BuyerKind.BACKSTOP])
    drawn = (scenario.neoclouds.count, scenario.miners.count)
    n_o = sum(count if table is None else len(table) for table, count in zip(operators, drawn, strict=True))
    return n_l if lenders is None else len(lenders), n_o, n_b if buyers is None else len(buyers)


def _edges(
    scenario: Scenario, read: Callable[..., Any], lenders: Any, operators: tuple[Any, Any], buyers: Any
) -> Iterable[Any]:
    """Return the edges that borrow, fund and call, None where no file gives them."""
    n_l, n_o, n_b = counts(scenario, lenders, operators, buyers)
    first = scenario.neoclouds.count if operators[0] is None else len(operators[0])
    of_lenders = _names(lenders, 0)
    of_operators = (*_names(operators[0], 0), *_names(operators[1], first))
    nodes = n_l + 1  # the outside investors are a node, too
    ends = (*_moved(of_operators, nodes), *_moved(_names(buyers, 0), nodes + n_o))
    debtors = Side("debtor", 0, n_l - 1, of_lenders)
    yield read(
        "networks.lending_file", read_edges, "networks.lending_file",
        (Side("operator", 0, n_o - 1, of_operators), Side("lender", 0, n_l - 1, of_lenders)),
    )  # fmt: skip
    yield read(
        "networks.funding_file", read_edges, "networks.funding_file", (debtors._replace(column="creditor"), debtors),
        limits=True,
    )  # fmt: skip
    # Sellers are all nodes but the backstop; to call are operators and buyers.
    yield read(
        "networks.contacts_file", read_edges, "networks.contacts_file",
        (Side("seller", 0, nodes + n_o + n_b - 1, (*of_lenders, *ends)), Side("buyer", nodes, nodes + n_o + n_b - 1, ends)),
    )  # fmt: skip


def _names(table: Any, first: int) -> tuple[tuple[str, int], ...]:
    names = table.texts.get("name", ()) if table is not None else ()
    return tuple((name, first + row) for row, name in enumerate(names))


def _moved(names: tuple[tuple[str, int], ...], by: int) -> tuple[tuple[str, int], ...]:
    return tuple((name, row + by) for name, row in names)


def _parameters(specs: Iterable[Any], columns: Any) -> tuple[str, ...]:
    """Return the parameters in whose place the columns stand, each once."""
    return tuple(dict.fromkeys(p for spec in specs if spec.name in columns for p in spec.parameters))


def _of_agents(scenario: Scenario, table: TableRead) -> Said:
    """Return what is said of a table of agents: the parameters in whose place it stands, if they can still be seen."""
    section = table.parameter.partition(".")[0]
    kinds = f"{section}.KIND.count" if section in ("lenders", "buyers") else f"{section}.count"
    instead = (kinds, *_parameters(table.specs.values(), table.columns))
    # A value for every lender that is not given is not in anybody's place.
    given = tuple(
        name
        for name in instead
        if name.count(".") != 1 or getattr(getattr(scenario, section), name.partition(".")[2]) is not None
    )
    return Said(table.parameter, table.path, len(table), table.notes, given)


def _of_edges(edges: Edges) -> Said:
    parameter = edges.table.parameter
    form = parameter.removesuffix("_file")
    return Said(parameter, edges.table.path, len(edges.table), edges.table.notes, (form,))
