"""What a receiver earns with the hardware of the fallen where it stands, and what users earn with theirs."""

from __future__ import annotations

import pytest

from agents.tables.buyers import BuyerKind
from agents.tables.ledger import Flow
from agents.tables.loans import LoanStatus
from agents.tables.operators import OperatorStatus
from simulation.markets.rental import (
    clear_rental,
    collect_supply,
    earn_receivership,
    earn_rent,
    earn_use,
    receiver_share,
)
from tests.rules.worlds import BEFORE, add_loan, add_lot, booked, paid_in_full, put, small_world

#: Nodes of :func:`fallen`: two lenders, outside investors, two operators, two buyers, the backstop.
LENDER, OTHER_LENDER, OUTSIDE, FIRM, OTHER_FIRM, USER, OTHER_USER, BACKSTOP = range(8)
#: A receiver runs three quarters of what it has, from the third month on; a fifth of revenue is overhead.
TERMS = {"rental_hours": 100.0, "rental_overhead": 0.2, "market_receivership": 0.75, "market_relet_months": 2}
#: What a unit earns a month: 100 hours of performance 2 at 3 USD, half of them sold, less a fifth, less 3 kW at 40 USD.
NET = 100 * 2 * 3 * 0.5 * 0.8 - 3 * 40


def fallen(rent: float = 3.0, **terms: float):
    """Month 9. The other firm has fallen; it owes 1,000 USD to the other lender. Chip 1: performance 2, 3 kW."""
    w = small_world(lenders=2, operators=2, buyers=2, chips=2, terms=TERMS | terms)
    put(w.clock[0], month=9, rent=rent)
    put(w.chips[1], performance=2.0, power=3.0)
    put(w.operators[0], utilisation=0.9, hosting=1.0)
    put(w.operators[1], utilisation=0.5, hosting=40.0, status=OperatorStatus.DEFAULTED)
    w.lenders.cash[:], w.operators.cash[:], w.buyers.budget[:] = 5000.0, 6000.0, 7000.0
    add_loan(w, usd=77.0)
    add_loan(w, lender=1, operator=1, usd=1000.0, status=LoanStatus.DEFAULTED)
    w.book[:] = BEFORE
    return w


def standing(w, owner: int, units: float = 4.0, **lot: float) -> int:
    """Give ``owner`` units of generation 1 that stand in the fallen firm's place, for sale since month 7."""
    secures = 1 if owner == OTHER_LENDER else -1
    return add_lot(
        w,
        node=owner,
        chip=1,
        units=units,
        **{"site": 1, "asked": 7, "offered": units, "loan": secures, "online": 0, **lot},
    )


# --- what a receiver runs --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("lot", "relet", "share"),
    [
        ({}, 2, 0.75),
        ({"asked": 8}, 2, 0.0),  # not let again yet
        ({"asked": 8}, 1, 0.75),
        ({"asked": 9}, 0, 0.75),
        ({"site": -1}, 0, 0.0),  # carried off
        ({"site": 0}, 2, 0.75),
        ({"online": 9}, 0, 0.75),
        ({"online": 10}, 0, 0.0),  # not installed yet
    ],
)
def test_a_receiver_runs_part_of_what_stands_in_its_place_once_it_is_let_again(lot, relet, share):
    w = fallen(market_relet_months=relet)
    assert receiver_share(w.lots[standing(w, OTHER_LENDER, **lot)], w.clock[0], w.terms[0]) == share


@pytest.mark.parametrize("owner", [LENDER, OTHER_LENDER, OTHER_FIRM])
@pytest.mark.parametrize(("share", "running"), [(0.75, 3.0), (1.0, 4.0)])
@pytest.mark.parametrize("site", [0, 1])
def test_what_a_receiver_runs_is_supply_at_the_costs_of_the_place(owner, share, running, site):
    w = fallen(market_receivership=share)
    put(w.operators[site], utilisation=0.5, hosting=40.0)
    put(w.operators[1 - site], utilisation=0.9, hosting=1.0)
    standing(w, owner, site=site)
    threshold, size = w.scratch[0], w.scratch[1]
    assert collect_supply(w, w.clock[0], threshold, size) == (1, 0.0)
    assert threshold[0] == pytest.approx(40 * 3 / (100 * 2 * 0.5 * 0.8))
    assert size[0] == pytest.approx(running * 2 * 0.5)


@pytest.mark.parametrize(
    ("owner", "lot"),
    [
        (OTHER_LENDER, {"asked": 8}),
        (OTHER_LENDER, {"site": -1}),
        (OTHER_FIRM, {"asked": 8}),
        (OTHER_FIRM, {"site": -1}),
        (OTHER_FIRM, {"online": 10}),
    ],
)
def test_what_no_receiver_runs_is_no_supply_and_earns_nothing(owner, lot):
    w = fallen()
    standing(w, owner, **lot)
    assert collect_supply(w, w.clock[0], w.scratch[0], w.scratch[1]) == (0, 0.0)
    with paid_in_full(w):
        earn_rent(w, w.clock[0])
    assert booked(w) == {}


def test_contracts_that_a_receiver_keeps_are_firm_supply():
    w = fallen()
    standing(w, OTHER_FIRM, contracted=0.5)
    n, firm = collect_supply(w, w.clock[0], w.scratch[0], w.scratch[1])
    assert (n, firm, w.scratch[1, 0]) == (1, pytest.approx(3 * 2 * 0.5), pytest.approx(3 * 2 * 0.5 * 0.5))


def test_the_rent_is_lower_where_receivers_run_what_else_stood_idle():
    rents = []
    for share in (0.75, 0.0):
        w = fallen(market_receivership=share, rental_elasticity=1.0)
        put(w.clock[0], demand=36.0, reference_rent=3.0)
        add_lot(w, node=FIRM, chip=1, units=10.0, contracted=0.9, online=0)
        standing(w, OTHER_LENDER, units=20.0)
        clear_rental(w, w.clock[0])
        rents.append(float(w.clock[0].rent))
    # 10 units at 90 % contracted and nine tenths of the rest: 19.8 of performance sold; with the receiver's 15 more.
    assert rents == pytest.approx([3 * 36 / (19.8 + 15), 3 * 36 / 19.8])


# --- what it earns ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("claim", "units"), [(1000.0, 4.0), (200.0, 4.0), (3 * NET, 4.0), (1000.0, 0.4)])
def test_net_rent_of_seized_hardware_pays_its_lender_s_claim_and_the_estate_gets_the_rest(claim, units):
    w = fallen()
    put(w.loans[1], principal=claim)
    w.lenders[1].book = w.operators[1].debt = claim
    k = standing(w, OTHER_LENDER, units)
    with paid_in_full(w):
        earn_receivership(w, w.clock[0], w.lots[k], w.operators[1])
    usd = 0.75 * units * NET
    taken = min(usd, claim)
    assert w.loans[1].principal == w.operators[1].debt == w.lenders[1].book == pytest.approx(claim - taken)
    assert (w.loans[1].recovered, w.clock[0].recoveries) == pytest.approx((taken, taken))
    assert w.lenders.cash.tolist() == pytest.approx([5000, 5000 + taken, 5000])
    assert w.operators.cash.tolist() == pytest.approx([6000, 6000 + usd - taken])
    rest = {Flow.SURPLUS: pytest.approx(usd - taken)} if usd > taken else {}
    assert booked(w) == {Flow.RECEIVERSHIP: pytest.approx(usd)} | rest
    assert w.loans[0].principal == 77.0


def test_what_secures_no_claim_earns_for_its_owner():
    w = fallen()
    k = standing(w, LENDER)
    with paid_in_full(w):
        earn_receivership(w, w.clock[0], w.lots[k], w.operators[1])
    assert w.lenders.cash.tolist() == pytest.approx([5000 + 3 * NET, 5000, 5000])
    assert (w.loans[0].principal, w.loans[1].principal) == (77.0, 1000.0)
    assert booked(w) == {Flow.RECEIVERSHIP: pytest.approx(3 * NET)}


def test_the_first_loan_is_a_claim_as_well():
    w = fallen()
    k = standing(w, LENDER, loan=0)
    with paid_in_full(w):
        earn_receivership(w, w.clock[0], w.lots[k], w.operators[1])
    assert w.loans[0].principal == pytest.approx(0.0)
    assert w.lenders[0].cash == pytest.approx(5000 + 77)
    assert w.operators.cash.tolist() == pytest.approx([6000 + 3 * NET - 77, 6000])  # its borrower is the first firm


@pytest.mark.parametrize("o", [0, 1])
def test_net_rent_of_what_the_estate_owns_is_the_estate_s(o):
    w = fallen()
    put(w.operators[o], utilisation=0.5, hosting=40.0, status=OperatorStatus.DEFAULTED)
    standing(w, FIRM + o, site=o)
    with paid_in_full(w):
        earn_rent(w, w.clock[0])
    assert w.operators.cash.tolist() == pytest.approx([6000 + 3 * NET * (1 - o), 6000 + 3 * NET * o])
    assert booked(w) == {Flow.RENTAL: pytest.approx(3 * NET)}


@pytest.mark.parametrize(("rent", "usd"), [(1.5, 0.0), (1.4, 0.0), (1.6, 3 * 8.0)])  # at 1.5 rent just covers hosting
@pytest.mark.parametrize("owner", [OTHER_LENDER, OTHER_FIRM])
def test_where_rent_does_not_cover_hosting_it_stands_idle_and_costs_nothing(owner, rent, usd):
    w = fallen(rent)
    k = standing(w, owner)
    with paid_in_full(w):
        earn_receivership(w, w.clock[0], w.lots[k], w.operators[1])
    flow = Flow.RECEIVERSHIP if owner == OTHER_LENDER else Flow.RENTAL
    assert booked(w) == ({flow: pytest.approx(usd)} if usd else {})


@pytest.mark.parametrize("units", [4.0, 0.01])
def test_little_is_earned_as_well(units):
    w = fallen()
    k = standing(w, OTHER_FIRM, units)
    earn_receivership(w, w.clock[0], w.lots[k], w.operators[1])
    assert w.operators[1].cash == pytest.approx(6000 + 0.75 * units * NET)


def test_in_a_month_each_owner_has_what_its_hardware_earns():
    w = fallen()
    standing(w, LENDER, 1.0, site=0)  # in the place of the first firm, at its costs
    standing(w, OTHER_LENDER, 2.0)
    standing(w, OTHER_FIRM, 8.0)
    w.lots[standing(w, OTHER_FIRM, 16.0)].owner = -1  # a free row
    with paid_in_full(w):
        earn_rent(w, w.clock[0])
    assert w.lenders.cash.tolist() == pytest.approx(
        [5000 + 0.75 * (100 * 2 * 3 * 0.9 * 0.8 - 3), 5000 + 1.5 * NET, 5000]
    )
    assert w.operators.cash.tolist() == pytest.approx([6000, 6000 + 6 * NET])
    assert w.operators.revenue.tolist() == [0.0, 0.0]
    assert w.operators[1].gpu_value == pytest.approx(8 * 1000)


# --- users -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("rent", "units", "usd"),
    [(3.0, 4.0, 4 * NET), (3.0, 0.5, 0.5 * NET), (1.5, 4.0, 0.0), (1.0, 4.0, 0.0), (1.51, 4.0, 4 * 0.8)],
)
def test_used_chips_earn_their_user_rent_less_overhead_and_hosting_or_stand_idle(rent, units, usd):
    w = fallen(rent)
    put(w.buyers[1], utilisation=0.5, hosting=40.0)
    with paid_in_full(w):
        earn_use(w, w.lots[add_lot(w, node=OTHER_USER, chip=1, units=units)], w.buyers[1], w.clock[0])
    assert w.buyers.budget.tolist() == pytest.approx([7000, 7000 + usd, 7000])
    assert booked(w) == ({Flow.USE: pytest.approx(usd)} if usd else {})


def test_in_a_month_every_user_has_what_its_chips_in_service_earn_and_dealers_have_nothing():
    w = fallen()
    put(w.buyers[0], utilisation=0.25, hosting=10.0)
    put(w.buyers[1], kind=BuyerKind.DEALER, hosting=10.0)
    put(w.buyers[2], utilisation=0.5, hosting=40.0)
    for node, units, online in (
        (USER, 1.0, 9),
        (USER, 2.0, 0),
        (USER, 4.0, 10),
        (OTHER_USER, 8.0, 0),
        (BACKSTOP, 16.0, 0),
    ):
        add_lot(w, node=node, chip=1, units=units, online=online)
    with paid_in_full(w):
        earn_rent(w, w.clock[0])
    assert w.buyers.budget.tolist() == pytest.approx(
        [7000 + 3 * (100 * 2 * 3 * 0.25 * 0.8 - 30), 7000, 7000 + 16 * NET]
    )
    assert booked(w) == {Flow.USE: pytest.approx(3 * 90 + 16 * NET)}
    assert w.operators.gpu_value.tolist() == [0.0, 0.0]
