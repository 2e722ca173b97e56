"""Mesa agents as views of rows: real agents for AgentSet, the browser and teaching; batch runs never build them."""

from __future__ import annotations

from typing import Any

import mesa

from agents.schema import Rows


class RowAgent(mesa.Agent):
    """One row of a table. Its columns are its attributes; writing an attribute writes the row.

    ``row`` is the index in the table, ``node`` the index among all nodes of the network.
    """

    def __init__(self, model: mesa.Model, table: Rows, row: int, node: int) -> None:
        # Set past __setattr__, which sends names of columns to the row.
        object.__setattr__(self, "_table", table)
        object.__setattr__(self, "row", row)
        object.__setattr__(self, "node", node)
        super().__init__(model)

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_"):
            table = self.__dict__["_table"]
            if name in table.dtype.names:
                return table[name][self.row].item()
        raise AttributeError(f"{type(self).__name__} has no attribute or column {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        table = self.__dict__.get("_table")
        if table is not None and name in table.dtype.names:
            table[name][self.row] = value
        else:
            object.__setattr__(self, name, value)

    def columns(self) -> dict[str, Any]:
        """Return the row as a dict of columns."""
        return {name: self._table[name][self.row].item() for name in self._table.dtype.names}

    def step(self) -> None:
        """Do nothing: the rules of the engine act for every row (see simulation.month)."""


class Lender(RowAgent):
    """A lender."""


class Operator(RowAgent):
    """An operator of GPUs."""


class Neocloud(Operator):
    """A neocloud."""


class Miner(Operator):
    """A bitcoin miner that hosts AI."""


class HardwareBuyer(RowAgent):
    """A buyer of used GPUs."""


class Customer(RowAgent):
    """Who rents compute under contract. It owns no hardware; its node stands behind those of the network."""
