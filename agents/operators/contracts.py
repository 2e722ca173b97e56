"""What becomes of contracts with customers: they end, or their price is renegotiated."""

from __future__ import annotations

from agents.rule import rule


@rule
def renegotiate(w, clock):
    """End contracts that are over; cut contract prices that customers no longer accept.

    price *= 1 - h (gap - tolerance) when gap = (contract - spot)/contract exceeds the tolerance; h doubles in an
    AI-demand stress.
    """
    terms = w.terms[0]
    speed = terms.rental_renegotiation * (1.0 + clock.stress_demand)
    for k in range(clock.used_lots):
        lot = w.lots[k]
        if lot.contracted > 0.0:
            if clock.month >= lot.contract_end or lot.seized >= 0:
                lot.contracted = 0.0
            else:
                gap = (lot.contract_price - clock.rent) / lot.contract_price
                if gap > terms.rental_renegotiation_gap:
                    lot.contract_price *= 1.0 - speed * (gap - terms.rental_renegotiation_gap)
