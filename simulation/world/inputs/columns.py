"""The columns that users' tables of agents may have: bounds and units are those of the parameter of the same trait."""

from __future__ import annotations

from collections.abc import Mapping

from agents.schema import Table
from agents.tables.buyers import BUYER, BUYER_KINDS, BuyerKind
from agents.tables.lenders import LENDER, LENDER_KINDS, LenderKind
from agents.tables.operators import OPERATOR, OperatorKind
from simulation.scenario import agents
from simulation.scenario.declare import Section
from simulation.world.inputs.cells import Bounds, bounds_of
from simulation.world.inputs.table import CHOICE, NUMBER, TEXT, WHOLE, Spec

#: A trait's parameter: the section that declares it and its name; None for what no parameter says.
_Trait = tuple[type[Section], str] | None
#: An amount that no parameter says.
_AMOUNT = Bounds(least=0.0)

#: By column: the parameter whose bounds it has, and the parameters in whose place it stands (KIND: those of every kind).
_LENDERS: Mapping[str, tuple[_Trait, tuple[str, ...]]] = {
    "cash": (None, ()),
    "deposits": (None, ()),
    "equity": ((agents.LenderKind, "capital"), ("lenders.KIND.capital", "lenders.variation")),
    "life": ((agents.LenderKind, "life"), ("lenders.KIND.life", "lenders.life")),
    "name_limit": ((agents.Lenders, "name_limit"), ("lenders.name_limit",)),
    **{
        name: ((agents.LenderKind, name), (f"lenders.KIND.{name}", f"lenders.{name}"))
        for name in ("max_ltv", "mark_to_market")
    },
    **{
        name: ((agents.LenderKind, name), (f"lenders.KIND.{name}",))
        for name in (
            "min_dscr", "spread", "capital_target", "capital_minimum", "patience", "runnable", "run_speed", "rationing",
        )
    },
}  # fmt: skip
_CLOUDS: Mapping[str, tuple[_Trait, tuple[str, ...]]] = {
    "site_power": ((agents.Neoclouds, "power"), ("power",)),
    "liquid_power": ((agents.Neoclouds, "power"), ("liquid_share",)),
    "used_power": ((agents.Neoclouds, "power"), ("fleet_share",)),
    "overheads": ((agents.Neoclouds, "overheads"), ("overheads",)),
    "contract_share": ((agents.Neoclouds, "contract_share"), ("contract_share", "flagship_share")),
    **{
        name: ((agents.Neoclouds, name), (name,))
        for name in ("cash", "hosting", "utilisation", "hurdle", "decline", "own_weight")
    },
    "customer": (None, ()),
    "second": (None, ()),
}
_OF_MINERS: Mapping[str, tuple[_Trait, tuple[str, ...]]] = {
    # What mining costs in general goes by hashrate (miners.overheads): these costs come on top.
    "overheads": ((agents.Neoclouds, "overheads"), ()),
    "contract_share": ((agents.Miners, "contract_share"), ("contract_share",)),
    "rig_value": (None, ("rig_price",)),
    **{name: ((agents.Miners, name), (name,)) for name in ("btc", "eth", "hashrate", "efficiency", "power_price")},
}
_BUYERS: Mapping[str, tuple[_Trait, tuple[str, ...]]] = {
    # Not that of the parameter: who has nothing buys nothing, and a fund opens without money.
    "budget_cap": (None, ("buyers.KIND.budget",)),
    "power_cap": ((agents.UserKind, "power"), ("buyers.KIND.power",)),
    "liquid_cap": ((agents.UserKind, "power"), ("buyers.KIND.liquid_share",)),
    "refill": ((agents.Buyers, "refill"), ("buyers.refill",)),
    "own_weight": ((agents.Buyers, "own_weight"), ("buyers.own_weight",)),
    "conversion": ((agents.Buyers, "conversion"), ("buyers.conversion",)),
    "half_spread": ((agents.Buyers, "dealer_half_spread"), ("buyers.dealer_half_spread",)),
    **{
        name: ((agents.UserKind, name), (f"buyers.KIND.{name}",))
        for name in ("hosting", "utilisation", "hurdle", "decline", "lot_limit", "least_units", "oldest")
    },
}

#: Names by which other tables may call an agent.
_NAME = Spec("name", TEXT, "text")


def _specs(
    table: Table,
    traits: Mapping[str, tuple[_Trait, tuple[str, ...]]],
    kinds: tuple[str, ...],
    others: str,
    prefix: str = "",
) -> tuple[Spec, ...]:
    """Return a spec for each column of a table; those without a trait here are not to be given, for a reason.

    ``kinds`` are those that can be given, ``others`` says of whom the given columns without a trait are.
    """
    found = [_NAME]
    for column in table.columns:
        if column.name == "kind":
            found.append(Spec("kind", CHOICE, "code", choices=kinds))
            continue
        if not column.given or column.name not in traits:
            because = (
                f"it is of {others} alone"
                if column.given
                else f"it is state, which the run works out ({column.meaning})"
            )
            found.append(Spec(column.name, because=because))
            continue
        trait, parameters = traits[column.name]
        bounds = bounds_of(trait[0].model_fields[trait[1]]) if trait else _AMOUNT
        holds = NUMBER if column.kind == "f8" else WHOLE
        if holds == WHOLE:
            bounds = Bounds(least=-1.0)  # a row, -1 none: who is there is looked at apart
        found.append(Spec(column.name, holds, column.unit, bounds, parameters=tuple(prefix + p for p in parameters)))
    return tuple(found)


LENDERS = _specs(LENDER, _LENDERS, LENDER_KINDS[: LenderKind.OUTSIDE], "nobody")
NEOCLOUDS = _specs(OPERATOR, _CLOUDS, (OPERATOR.columns[0].codes[OperatorKind.NEOCLOUD],), "miners", "neoclouds.")
MINERS = _specs(
    OPERATOR, {**_CLOUDS, **_OF_MINERS}, (OPERATOR.columns[0].codes[OperatorKind.MINER],), "nobody", "miners."
)
BUYERS = _specs(BUYER, _BUYERS, BUYER_KINDS[: BuyerKind.BACKSTOP], "nobody")
