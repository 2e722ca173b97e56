"""What operators' contracts bring, against what was signed: what a lender on contracted cash flow looks at."""

from __future__ import annotations

from agents.rule import rule
from agents.tables.operators import OperatorStatus

#: Weight of the months before: an exponential mean whose months are as old on average as those of a trailing quarter
#: (0, 1 and 2 months: 1; m/(1 - m) = 1). Covenants look at a quarter (ddtl3_contract_realisation_min).
_MEMORY = 0.5
#: Contract revenue that is not nothing, over what hosting of all of the operator's sites would cost: contracts that have
#: ended fade by half a month and would count for ever.
_SOME = 1e-7
#: Row of working memory: capacity in service, by operator (performance units).
_CAPACITY = 0


@rule
def realise_contracts(w, clock):
    """Write operators' share of capacity in service under contract, and contract revenue received over that signed.

    ``realised`` = mean of contracted x price / mean of signed x price as signed, by capacity, exponential over a
    quarter; 1 without contracts that count. Reads lots and chips; an operator in default has none.
    """
    hours = w.terms[0].rental_hours
    n_l = len(w.lenders)
    n_o = len(w.operators)
    capacity = w.scratch[_CAPACITY]
    for o in range(n_o):
        op = w.operators[o]
        op.contract_due *= _MEMORY
        op.contract_paid *= _MEMORY
        op.contracted = 0.0
        capacity[o] = 0.0
    for k in range(clock.used_lots):
        lot = w.lots[k]
        o = lot.owner - n_l
        if o < 0 or o >= n_o or lot.online > clock.month or w.operators[o].status == OperatorStatus.DEFAULTED:
            continue
        op = w.operators[o]
        size = lot.units * w.chips[lot.chip].performance
        capacity[o] += size
        op.contracted += size * lot.contracted
        op.contract_due += (1.0 - _MEMORY) * hours * size * lot.signed * lot.signed_price
        op.contract_paid += (1.0 - _MEMORY) * hours * size * lot.contracted * lot.contract_price
    for o in range(n_o):
        op = w.operators[o]
        op.contracted = op.contracted / capacity[o] if capacity[o] > 0.0 else 0.0
        op.realised = (
            op.contract_paid / op.contract_due if op.contract_due > _SOME * op.hosting * op.site_power else 1.0
        )
