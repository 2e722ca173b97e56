"""Everything on offer clears at once: a quasi-linear Fisher market, by proportional response."""

from __future__ import annotations

from agents.rule import entry, rule

_SWEEPS = 40
_SOME = 1e-12


@rule
def price_of(money, reserve, units, first, last):
    """Return the price at which ``money`` buys what asks offer at it: money over units, never below a reserve that binds."""
    sold = 0.0
    price = 0.0
    done = 0
    n = last - first
    while done < n:
        # The next lowest reserve above those counted: few asks an item.
        least = -1.0
        for a in range(first, last):
            if reserve[a] > price and (least < 0.0 or reserve[a] < least):
                least = reserve[a]
        if least < 0.0:
            break
        if sold > 0.0 and money / sold <= least:
            return max(price, money / sold)
        price = least
        for a in range(first, last):
            if reserve[a] == least:
                sold += units[a]
                done += 1
    return max(price, money / sold) if sold > 0.0 else price


@entry
def clear_purses(
    ask_ptr, edge_ptr, n_items, reserve, units, buyer, limit, fee, power, cooled, cap, purse, n_buyers, money, site, cooling,
    price, fill, ask_fill, working,
):
    """Rough version."""
    n = edge_ptr[n_items]
    spend = working[0]
    gain = working[1]
    kw = working[2]
    liq = working[3]
    count = working[4]
    shade = working[5]
    for b in range(n_buyers):
        count[b] = 0.0
        shade[b] = 0.0
    for e in range(n):
        count[buyer[e]] += 1.0
    for e in range(n):
        spend[e] = min(purse[e], money[buyer[e]] / count[buyer[e]])
    for sweep in range(_SWEEPS):
        for b in range(n_buyers):
            gain[b] = 0.0
            kw[b] = 0.0
        for i in range(n_items):
            total = 0.0
            for e in range(edge_ptr[i], edge_ptr[i + 1]):
                total += spend[e] / (1.0 + fee[e])
            p = price_of(total, reserve, units, ask_ptr[i], ask_ptr[i + 1])
            price[i] = p
            for e in range(edge_ptr[i], edge_ptr[i + 1]):
                b = buyer[e]
                x = spend[e] / (p * (1.0 + fee[e])) if p > 0.0 else 0.0
                x = min(x, cap[e])
                fill[e] = x
                worth = max(0.0, limit[e] - shade[b] * power[e]) * x
                gain[b] += worth
                kw[b] += power[e] * x
        for b in range(n_buyers):
            if kw[b] > site[b] and site[b] > 0.0:
                pass
        for e in range(n):
            b = buyer[e]
            worth = max(0.0, limit[e] - shade[b] * power[e]) * fill[e]
            m = money[b] * worth / max(money[b], gain[b]) if gain[b] > 0.0 else 0.0
            if kw[b] > site[b] and power[e] > 0.0:
                m *= site[b] / kw[b]
            spend[e] = min(m, purse[e])
    # Feasible in the end: who pays above its limit gets nothing; sites and asks ration.
    for i in range(n_items):
        for again in range(8):
            total = 0.0
            for e in range(edge_ptr[i], edge_ptr[i + 1]):
                total += spend[e] / (1.0 + fee[e])
            p = price_of(total, reserve, units, ask_ptr[i], ask_ptr[i + 1])
            out = 0
            for e in range(edge_ptr[i], edge_ptr[i + 1]):
                if spend[e] > 0.0 and p * (1.0 + fee[e]) > limit[e] * (1.0 + 1e-9):
                    spend[e] = 0.0
                    out = 1
            if out == 0:
                break
        price[i] = p
        sold = 0.0
        for e in range(edge_ptr[i], edge_ptr[i + 1]):
            b = buyer[e]
            ok = p > 0.0 and p * (1.0 + fee[e]) <= limit[e] * (1.0 + 1e-9)
            x = min(spend[e] / (p * (1.0 + fee[e])), cap[e]) if ok else 0.0
            if power[e] > 0.0:
                x = min(x, site[b] / power[e])
                site[b] -= x * power[e]
            if cooled[e] > 0.0:
                x = min(x, max(0.0, cooling[b]) / cooled[e])
                cooling[b] -= x * cooled[e]
            fill[e] = x
            sold += x
        left = sold
        offered = 0.0
        for a in range(ask_ptr[i], ask_ptr[i + 1]):
            offered += units[a] if reserve[a] <= p else 0.0
        share = min(1.0, left / offered) if offered > 0.0 else 0.0
        back = 0.0
        for a in range(ask_ptr[i], ask_ptr[i + 1]):
            ask_fill[a] = share * units[a] if reserve[a] <= p else 0.0
            back += ask_fill[a]
        if sold > back:
            for e in range(edge_ptr[i], edge_ptr[i + 1]):
                fill[e] *= back / sold
