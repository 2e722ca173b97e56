"""Capital from outside: what it looks at, how long it takes to come, when it leaves again."""

from __future__ import annotations

import math

import numpy as np
import pytest

from agents.buyers.entry import commit_capital, move_capital
from agents.tables.buyers import BuyerKind
from agents.tables.ledger import Flow
from tests.rules.worlds import BEFORE, booked, paid_in_full, put, small_world

TERMS = {
    "buyers_entry_memory": 0.75,
    "buyers_entry_hurdle": 0.3,
    "buyers_entry_speed": 0.1,
    "buyers_entry_delay": 3,
    "buyers_exit_speed": 0.2,
}
E, R, F, D, H, S = (
    BuyerKind.ENTERPRISE, BuyerKind.RESEARCH, BuyerKind.FUND, BuyerKind.DEALER, BuyerKind.HYPERSCALER, BuyerKind.SCRAP,
)  # fmt: skip


def market(*kinds: int, month: int = 5, gain: float = 0.0, chips: int = 2):
    """Return buyers of these kinds in a month, with a gain as observed before and a book that is open."""
    w = small_world(buyers=len(kinds), chips=chips, terms=TERMS)
    w.buyers.kind[: len(kinds)] = kinds
    put(w.clock[0], month=month, gain=gain, entered=2.0)
    w.book[:] = BEFORE
    return w


def sold(w, g: int, *, forced: float, traded: float, price: float, worth: float, parity: float = 1e12):
    """Let units of a generation trade this month, some of them by force."""
    return put(
        w.chips[g],
        forced_units=forced, traded_units=traded, traded_usd=traded * price, fundamental=worth, parity=parity,
    )  # fmt: skip


# --- what is observed ------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("case", "now"),
    [
        ({"price": 500.0, "worth": 1000.0}, math.log(2.0)),
        ({"price": 500.0, "worth": 1000.0, "traded": 0.5, "forced": 0.25}, math.log(2.0)),
        ({"price": 1200.0, "worth": 1000.0}, 0.0),  # dear is no gain, and no loss
        ({"price": 500.0, "worth": 4000.0, "parity": 1000.0}, math.log(2.0)),  # a new chip costs no more
        ({"price": 500.0, "worth": 1000.0, "parity": 4000.0}, math.log(2.0)),
        ({"price": 500.0, "worth": 1000.0, "parity": 500.0}, 0.0),
        ({"price": 500.0, "worth": 1000.0, "forced": 0.0}, 0.0),  # nobody had to sell
        ({"price": 0.0, "worth": 1000.0}, 0.0),  # given away: no return has a size
        ({"price": 500.0, "worth": 0.0}, 0.0),
        ({"price": 0.08, "worth": 0.16}, math.log(2.0)),  # in cents: no threshold has a size
    ],
)
def test_the_gain_of_forced_lots_is_value_in_use_over_the_price(case, now):
    w = market(gain=0.4)
    sold(w, 1, **{"forced": 4.0, "traded": 10.0} | case)
    with np.errstate(all="raise"):
        commit_capital(w, w.clock[0])
    # A quarter is what is seen now.
    assert w.clock[0].gain == pytest.approx(0.75 * 0.4 + 0.25 * now)


def test_generations_count_by_the_value_of_what_was_sold_by_force():
    w = market(chips=3)
    sold(w, 0, forced=30.0, traded=40.0, price=500.0, worth=1000.0)  # 30,000 USD at log 2
    sold(w, 1, forced=5.0, traded=10.0, price=500.0, worth=4000.0)  # 20,000 USD at log 8
    sold(w, 2, forced=10.0, traded=20.0, price=9000.0, worth=5000.0)  # 50,000 USD that brought nothing
    commit_capital(w, w.clock[0])
    assert w.clock[0].gain == pytest.approx(0.25 * (0.3 * math.log(2.0) + 0.2 * math.log(8.0)))


@pytest.mark.parametrize(
    ("gain", "committed"),
    [
        # It fades to .75 of it; users' money is 60 + 40.
        (0.8, 0.1 * (0.6 - 0.3) * 100.0),
        (1.6, 0.1 * (1.2 - 0.3) * 100.0),
        (0.4, 0.0),  # at the hurdle nobody comes
        (0.2, 0.0),
    ],
)
def test_outside_investors_commit_by_what_the_gain_exceeds_their_hurdle_and_by_users_money(gain, committed):
    w = market(E, R, F, D, H, gain=gain)
    w.buyers.budget_cap[:] = 60.0, 40.0, 1e3, 1e4, 1e5, 1e6
    w.panel.capital_committed[:] = 7.0
    commit_capital(w, w.clock[0])
    assert w.panel[5].capital_committed == pytest.approx(committed)
    assert (w.panel[4].capital_committed, w.panel[6].capital_committed) == (7.0, 7.0)
    assert booked(w) == {}  # a promise is no payment


# --- what moves ------------------------------------------------------------------------------------------------
def moved(w):
    """Move capital in the month; return what the book says and the funds' (budget, cap)."""
    with paid_in_full(w):
        move_capital(w, w.clock[0])
    funds = [(float(b.budget), float(b.budget_cap)) for b in w.buyers if b.kind == F]
    others = [(float(b.budget), float(b.budget_cap)) for b in w.buyers if b.kind != F]
    assert others == [(50.0, 60.0)] * len(others)
    return booked(w), funds


def funded(*kinds: int, committed: dict[int, float] | None = None, **clock):
    w = market(*kinds, **clock)
    w.buyers.budget[:], w.buyers.budget_cap[:] = 50.0, 60.0
    w.panel.capital_committed[:] = 1e6
    for month, usd in (committed or {}).items():
        w.panel[month].capital_committed = usd
    return w


def test_what_was_committed_comes_when_it_is_organised_in_equal_parts():
    w = funded(E, F, D, F, F, S, committed={2: 90.0})
    book, funds = moved(w)
    assert funds == [(80.0, 90.0)] * 3
    assert book == pytest.approx({Flow.BUDGET_IN: 90.0})
    assert w.clock[0].entered == pytest.approx(92.0)


def test_less_than_a_dollar_comes_too():
    w = funded(F, committed={2: 0.5})
    assert moved(w) == (pytest.approx({Flow.BUDGET_IN: 0.5}), [(50.5, 60.5)])


@pytest.mark.parametrize("gain", [0.0, 0.29])
def test_while_nothing_is_cheap_funds_pay_part_of_their_money_back(gain):
    w = funded(E, F, D, F, committed={2: 0.0}, gain=gain)
    w.buyers[3].budget, w.buyers[3].budget_cap = 80.0, 10.0
    book, funds = moved(w)
    # A fifth of 50 and of 80; no cap falls below nothing.
    assert funds == [(40.0, 50.0), (64.0, 0.0)]
    assert book == pytest.approx({Flow.BUDGET_OUT: 26.0})
    assert w.clock[0].entered == 2.0


@pytest.mark.parametrize(("gain", "committed"), [(0.3, 0.0), (0.9, 0.0), (0.0, 90.0)])
def test_nobody_pays_back_while_hardware_is_cheap_or_money_comes(gain, committed):
    w = funded(F, committed={2: committed}, gain=gain)
    book, _ = moved(w)
    assert book.get(Flow.BUDGET_OUT, 0.0) == 0.0


@pytest.mark.parametrize(("month", "comes"), [(2, 0.0), (3, 90.0)])
def test_before_the_start_nobody_had_committed_anything(month, comes):
    w = funded(F, committed={0: 90.0, 23: 5.0}, month=month, gain=0.9)
    _, funds = moved(w)
    assert funds == [(50.0 + comes, 60.0 + comes)]


def test_without_funds_nothing_moves():
    w = funded(E, D, committed={2: 90.0})
    assert moved(w) == ({}, [])
    assert w.clock[0].entered == 2.0
