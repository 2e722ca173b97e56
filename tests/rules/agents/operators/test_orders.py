"""How an operator decides to buy new chips: which, from whose loan, how many, with what equity."""

from __future__ import annotations

import math

import pytest

from agents.operators.orders import (
    choose_chip,
    choose_lender,
    commit_loan,
    count_backlog,
    count_names,
    good_times,
    lead_time,
    order_chips,
    pay_out_excess,
    place_order,
    raise_equity,
)
from agents.tables.clock import Fault
from agents.tables.ledger import Flow
from agents.tables.lenders import LenderKind, LenderStatus
from agents.tables.loans import LoanKind
from agents.tables.operators import OperatorKind, OperatorStatus
from agents.tables.orders import open_order
from tests.rules.worlds import CERTAIN, add_loan, cash_of, explained, small_world

#: Fit-out costs a quarter of the list price; a chip is used for ten months; rents fall as operators believe.
TERMS = CERTAIN | {
    "rental_hours": 50.0,
    "rental_overhead": 0.2,
    "rental_contract_discount": 0.8,
    "marks_decline_floor": 0.0,
    "marks_decline_cap": 0.9,
    "marks_asset_life": 10.0,
    "credit_delivery_lag": 4,
    "credit_soft_cost": 0.25,
    "credit_base_rate": 0.04,
    "credit_rationing_spread": 0.1,
    "credit_rate_weight": 2.0,
    "credit_projection": 24,
    "credit_deposit": 0.1,
    "credit_order_interval": 2,
    "credit_order_minimum": 100.0,
    "credit_growth_limit": 0.4,
    "credit_growth_base": 0.2,
    "credit_cash_reserve": 3.0,
    "credit_equity_speed": 0.0,
    "credit_equity_trend": 10.0,
    "credit_equity_boom": 1.5,
    "funding_growth_limit": 1.0,
    "funding_cash_share": 0.5,
    "policy_matched_amortisation": 0,
    "credit_term_contracts": 0.5,
    "credit_term_months": 60.0,
    "sites_replacement": 1.0,
    "sites_cost": 900.0,
    "sites_build_months": 2,
    "miners_pledge": 0.5,
    "notes_margin_ltv": 0.4,
    "notes_margin_minimum": 20.0,
}


def pays(w, rule, *arguments):
    """Carry a rule out on a month's open book and check that what it adds explains every change of cash."""
    before = cash_of(w)
    w.book[:] += 7.0
    result = rule(w, w.clock[0], *arguments)
    w.book[:] -= 7.0
    assert [after - b for after, b in zip(cash_of(w), before, strict=True)] == pytest.approx(explained(w))
    return result


# --- which generation ------------------------------------------------------------------------------------------
def shop(*costs: float, operators: int = 1, terms: dict[str, float] | None = None, **operator: float):
    """Return a world with a chip for each cost (USD, fit-out included), each worth 300 USD to an operator.

    At half of the hours it earns 2 USD x 50 h x 0.5 x 0.8 = 40 a month, less 2 kW at 5 USD: 30, in ten months 300.
    """
    w = small_world(operators=operators, chips=len(costs), hurdles=(0.0, 0.25), terms={**TERMS, **(terms or {})})
    w.clock[0].rent, w.clock[0].month = 2.0, 6
    for chip, cost in zip(w.chips, costs, strict=True):
        chip.list_price, chip.power = cost / 1.25, 2.0
    for op in w.operators:
        op.utilisation, op.hosting, op.own_weight = 0.5, 5.0, 1.0
        for name, value in operator.items():
            setattr(op, name, value)
    return w


def choice(w, o: int = 0) -> int:
    return choose_chip(w, w.clock[0], o, w.operators[o])


@pytest.mark.parametrize(
    ("costs", "best"),
    [
        ((250.0, 200.0, 240.0), 1),
        ((200.0, 240.0, 250.0), 0),
        ((250.0, 240.0, 200.0), 2),
        ((310.0, 350.0, 290.0), 2),
        ((250.0, 250.0, 290.0), 0),  # of equals the first
        ((310.0, 350.0, 300.0), -1),  # value must exceed cost
    ],
)
def test_an_operator_wants_the_generation_with_the_best_value_over_cost_above_one(costs, best):
    assert choice(shop(*costs)) == best


@pytest.mark.parametrize(
    ("month", "best"),
    [(5, 2), (6, 0), (8, 0), (9, 2)],
)
def test_a_generation_is_ordered_from_its_release_until_the_month_it_is_not_sold_any_more(month, best):
    w = shop(200.0, 220.0, 250.0)
    w.chips[0].release, w.chips[0].end_of_sale = 6, 9
    w.chips[1].release = 20
    w.clock[0].month = month
    assert choice(w) == best


@pytest.mark.parametrize(
    ("taste", "best"),
    [
        ((0.0, 0.0, 0.0), 1),  # values over cost: 1.2, 1.5, 1
        ((math.log(1.3), 0.0, 0.0), 0),  # 1.56 against 1.5
        ((math.log(1.2), 0.0, 0.0), 1),  # 1.44
        ((0.0, -1.0, 0.0), 0),
        ((-1.0, -1.0, 0.0), -1),  # all below one
        ((0.0, 0.0, 2.0), 1),  # no taste makes up for a value that does not exceed cost
    ],
)
def test_tastes_tilt_the_choice_but_make_no_bad_buy_a_good_one(taste, best):
    w = shop(250.0, 200.0, 300.0, operators=2)
    w.taste[0] = (9.0, 0.0, 0.0)
    w.taste[1] = taste
    assert choice(w, 1) == best


@pytest.mark.parametrize(
    ("operator", "terms", "chip", "value"),
    [
        ({}, {}, {}, 300.0),
        ({"hosting": 8.0}, {}, {}, (40.0 - 2 * 8.0) * 10),
        ({}, {}, {"power": 3.0}, (40.0 - 3 * 5.0) * 10),
        ({}, {}, {"performance": 2.0}, (80.0 - 10.0) * 10),
        ({}, {}, {"scrap": 6.0}, 300.0 + 6.0),
        # A quarter under contract at 0.8 of the rent, always sold; the rest at half of the hours: 0.2 + 0.375.
        ({"contract_share": 0.25}, {}, {}, (2 * 50 * 0.575 * 0.8 - 10.0) * 10),
        # One month at a hurdle of a quarter. The rent falls by half a month, four times until it is delivered and once
        # until it is earned: 4,000 x 0.2 x 0.8 / 2^5 = 20; less hosting of 4, with scrap of 8.
        (
            {"hurdle": 0.25, "decline": 0.8, "own_weight": 0.25, "hosting": 2.0, "utilisation": 0.2},
            {"rental_hours": 2000.0, "marks_asset_life": 1.0},
            {"scrap": 8.0, "lead": 4},
            (4000 * 0.2 * 0.8 / 2**5 - 4.0 + 8.0) / 1.25,
        ),
        # Twice as much if it is delivered a month earlier.
        (
            {"hurdle": 0.25, "decline": 0.8, "own_weight": 0.25, "hosting": 2.0, "utilisation": 0.2},
            {"rental_hours": 2000.0, "marks_asset_life": 1.0},
            {"scrap": 8.0, "lead": 3},
            (4000 * 0.2 * 0.8 / 2**4 - 4.0 + 8.0) / 1.25,
        ),
        # The same with a belief that is bounded: above by 0.5 for 0.95, below by 0.5 for nothing.
        (
            {"hurdle": 0.25, "decline": 0.95, "hosting": 2.0, "utilisation": 0.2},
            {"rental_hours": 2000.0, "marks_asset_life": 1.0, "marks_decline_cap": 0.5},
            {"scrap": 8.0, "lead": 4},
            (4000 * 0.2 * 0.8 / 2**5 - 4.0 + 8.0) / 1.25,
        ),
        (
            {"hurdle": 0.25, "decline": 0.0, "hosting": 2.0, "utilisation": 0.2},
            {"rental_hours": 2000.0, "marks_asset_life": 1.0, "marks_decline_floor": 0.5},
            {"scrap": 8.0, "lead": 4},
            (4000 * 0.2 * 0.8 / 2**5 - 4.0 + 8.0) / 1.25,
        ),
    ],
)
def test_a_chip_is_worth_what_the_operator_expects_to_earn_with_it(operator, terms, chip, value):
    for cost, best in ((0.999 * value, 0), (1.001 * value, -1)):
        w = shop(cost, terms=terms, **operator)
        # Half of the belief of 0.8 with a weight of a quarter: 0.25 x 0.8 + 0.75 x 0.4 = 0.5.
        w.clock[0].trend = 0.4
        for name, given in chip.items():
            setattr(w.chips[0], name, given)
        assert choice(w) == best


@pytest.mark.parametrize(
    ("costs", "best", "q", "surplus"),
    [
        ((250.0, 200.0, 240.0), 1, 1.5, 50.0),  # worth 300; a chip takes 2 kW
        ((310.0, 350.0, 400.0), -1, 300 / 310, 0.0),
    ],
)
def test_the_best_value_over_cost_and_what_a_kw_brings_above_it_are_remembered(costs, best, q, surplus):
    w = shop(*costs)
    op = w.operators[0]
    op.q, op.power_value = 9.0, 999.0
    w.taste[0] = (9.0, 0.0, -9.0) if best >= 0 else 0.0  # a taste is no value
    assert choice(w) == (0 if best >= 0 else -1)
    assert (op.q, op.power_value) == (pytest.approx(q), pytest.approx(surplus))


def test_the_kw_is_worth_most_with_the_chip_that_brings_most_on_it():
    w = shop(250.0, 200.0, 290.0)
    w.chips[2].power, w.chips[2].performance = 0.5, 0.8125  # 32.5 less 2.5 a month: worth 300, 20 to the kW
    choice(w)
    assert w.operators[0].power_value == pytest.approx(50.0)
    w.chips[2].list_price = 265.0 / 1.25  # 35 on half a kW
    choice(w)
    assert (w.operators[0].power_value, w.operators[0].q) == (pytest.approx(70.0), pytest.approx(1.5))


def test_nothing_on_sale_is_worth_nothing():
    w = shop(200.0)
    w.chips[0].release = 7
    assert choice(w) == -1
    assert (w.operators[0].q, w.operators[0].power_value) == (0.0, 0.0)


# --- whose loan ------------------------------------------------------------------------------------------------
def bank(w, j: int, **columns: float) -> None:
    """Give lender ``j`` room for 10,000 USD, at most half of it to one name; it advances 0.6 of cost at 9 %."""
    lender = w.lenders[j]
    lender.equity, lender.capital_ratio, lender.name_limit = 1000.0, 0.5, 0.5
    lender.advance_rate, lender.max_ltv, lender.spread, lender.min_dscr = 0.6, 0.6, 0.05, 1.2
    for name, value in columns.items():
        setattr(lender, name, value)


def offers(*lenders: dict[str, float], known: tuple[int, ...] | None = None, terms: dict[str, float] | None = None):
    """Return (lender, advance, rate, room) of the best offer to operator 1 for a chip of 100 USD, nothing owed."""
    w = small_world(
        lenders=len(lenders),
        operators=2,
        banks=((0,), known or tuple(range(len(lenders)))),
        terms={**TERMS, **(terms or {})},
    )
    w.clock[0].rent = 2.0
    for j, columns in enumerate(lenders):
        bank(w, j, **columns)
    w.operators[1].utilisation = 0.5
    return w, ask(w)


def ask(w, owed=None):
    nothing = [0.0] * len(w.bank)
    return choose_lender(w, w.clock[0], 1, w.operators[1], w.chips[0], 100.0, owed if owed else nothing)


def test_without_a_lender_that_has_room_there_is_no_offer():
    _, (lender, advance, rate, room) = offers({"status": LenderStatus.FAILED})
    assert (lender, advance, rate, room) == (-1, 0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("advance_rate", "advance", "rate"),
    [
        (0.8, 80.0, 0.04 + 0.05),
        (0.6, 60.0, 0.04 + 0.05 + 0.1 * 0.25),  # a quarter cut off the advance rate of calm times costs 2.5 %
        (0.9, 90.0, 0.04 + 0.05),  # above it is not cheaper
    ],
)
def test_an_offer_is_an_advance_at_base_rate_spread_and_a_charge_for_rationing(advance_rate, advance, rate):
    _, offer = offers({"advance_rate": advance_rate, "max_ltv": 0.8})
    assert offer == (0, pytest.approx(advance), pytest.approx(rate), pytest.approx(5000.0))


def test_an_advance_is_no_more_than_projected_rent_less_hosting_serves():
    w, _ = offers(
        {"life": 2.0, "min_dscr": 2.0, "spread": 0.2, "advance_rate": 0.9, "max_ltv": 0.9},
        terms={"credit_projection": 1, "rental_overhead": 0.0, "credit_base_rate": 0.4},
    )
    w.operators[1].hosting, w.chips[0].power, w.chips[0].performance = 5.0, 2.0, 1.4
    # Rent 2 x 50 h x 1.4 x 0.5 = 70, projected to halve: 35, less 2 kW at 5. Service: 2 x (0.6/12 + 1/2) = 1.1.
    assert ask(w)[1] == pytest.approx((35.0 - 10.0) / 1.1)


@pytest.mark.parametrize(
    ("weight", "lenders", "best"),
    [
        (2.0, ({"spread": 0.06}, {"spread": 0.03}, {"spread": 0.05}), 1),
        (2.0, ({"spread": 0.03}, {"spread": 0.06}, {"spread": 0.05}), 0),
        (2.0, ({"spread": 0.06}, {"spread": 0.05}, {"spread": 0.03}), 2),
        (2.0, ({"spread": 0.05}, {"spread": 0.05}), 0),  # of equals the first
        # Advance less weight x spread: 0.7 - 0.14 < 0.6 - 0.02 < 0.65 - 0.06; by the advance alone the first.
        (2.0, ({"advance_rate": 0.7, "max_ltv": 0.7, "spread": 0.07}, {"spread": 0.01},
               {"advance_rate": 0.65, "max_ltv": 0.65, "spread": 0.03}), 2),
        (0.0, ({"advance_rate": 0.7, "max_ltv": 0.7, "spread": 0.07}, {"spread": 0.01},
               {"advance_rate": 0.65, "max_ltv": 0.65, "spread": 0.03}), 0),
        # An offer may have a negative score: 0.1 - 2 x 0.07.
        (2.0, ({"advance_rate": 0.1, "max_ltv": 0.1, "spread": 0.07},), 0),
    ],
)  # fmt: skip
def test_the_best_offer_has_the_most_advance_over_cost_less_the_weighted_spread(weight, lenders, best):
    _, offer = offers(*lenders, terms={"credit_rate_weight": weight})
    mine = lenders[best]
    assert offer[:3] == (
        best,
        pytest.approx(100.0 * mine.get("advance_rate", 0.6)),
        pytest.approx(0.04 + mine["spread"]),
    )


@pytest.mark.parametrize(
    ("columns", "room"),
    [
        ({}, 5000.0),  # half of 1,000 / 0.1 to one name
        ({"name_limit": 0.01}, 100.0),  # just one unit
        ({"name_limit": 0.0099}, None),
        ({"book": 7000.0}, 3000.0),  # what capital leaves
        ({"book": 9900.0}, 100.0),
        ({"book": 9901.0}, None),
        ({"equity": 100.0}, 500.0),
        ({"capital_target": 0.2}, 2500.0),
        ({"kind": LenderKind.OUTSIDE}, None),
    ],
)
def test_room_is_the_least_of_capital_and_the_name_limit_and_a_lender_without_room_for_a_unit_makes_no_offer(
    columns, room
):
    _, offer = offers(columns)
    assert offer[0] == (-1 if room is None else 0)
    assert offer[3] == pytest.approx(room or 0.0)


def test_an_operator_asks_the_lenders_that_it_knows_and_what_it_owes_each_counts_against_its_limit():
    best, good, fair = {"spread": 0.01}, {"spread": 0.03}, {"spread": 0.05}
    w, offer = offers(best, fair, good, known=(2, 1))
    assert (offer[0], offer[3]) == (2, 5000.0)
    # Places in the list: operator 0 knows lender 0; operator 1 lenders 2 and 1.
    assert ask(w, [4990.0, 4000.0, 3000.0])[0::3] == (2, 1000.0)
    assert ask(w, [0.0, 4990.0, 3000.0])[0::3] == (1, 2000.0)


def test_what_an_operator_owes_and_was_promised_is_counted_lender_by_lender():
    w = small_world(lenders=3, operators=2, banks=((0,), (2, 0)))
    for lender, operator, usd in ((0, 0, 100.0), (0, 1, 20.0), (0, 1, 0.5), (2, 1, 3.0), (1, 1, 4000.0)):
        add_loan(w, lender=lender, operator=operator, usd=usd, kind=LoanKind.CONVERTIBLE)
    add_loan(w, lender=0, operator=1, usd=0.0)
    # The order that a free row held last is none; nor is one without a loan, or of a lender that it does not know.
    for k, (operator, lender, units) in enumerate(((0, 0, 1.0), (1, 2, 2.0), (1, 0, 3.0), (-1, 0, 4.0), (1, -1, 5.0), (1, 1, 6.0))):  # fmt: skip
        order = w.orders[k]
        order.operator, order.lender, order.units, order.advance = operator, lender, units, 1000.0
    w.clock[0].used_orders = 6
    owed = [99.0, 99.0, 99.0]
    count_names(w, w.clock[0], owed)
    assert owed == pytest.approx([1100.0, 2003.0, 3020.5])


# --- equity ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("trend", "stress_demand", "stress_coin", "kind", "times"),
    [
        (0.0, 0, 0, OperatorKind.NEOCLOUD, 1.0),
        (0.02, 0, 0, OperatorKind.NEOCLOUD, 0.8),
        (-0.02, 0, 0, OperatorKind.NEOCLOUD, 1.2),
        (-0.2, 0, 0, OperatorKind.NEOCLOUD, 1.5),  # at most
        (0.2, 0, 0, OperatorKind.NEOCLOUD, 0.0),  # at least
        (0.0, 1, 0, OperatorKind.NEOCLOUD, 0.0),
        (0.0, 0, 1, OperatorKind.NEOCLOUD, 1.0),
        (0.0, 0, 1, OperatorKind.MINER, 0.0),
        (0.02, 0, 0, OperatorKind.MINER, 0.8),
        (0.0, 1, 0, OperatorKind.MINER, 0.0),
    ],
)
def test_equity_markets_go_by_the_trend_of_rents_and_close_in_stress(trend, stress_demand, stress_coin, kind, times):
    w = small_world(terms=TERMS)
    clock = w.clock[0]
    clock.trend, clock.stress_demand, clock.stress_coin = trend, stress_demand, stress_coin
    w.operators[0].kind = kind
    assert good_times(clock, w.operators[0], w.terms[0]) == pytest.approx(times)


@pytest.mark.parametrize(
    ("need", "debt", "raised"),
    [
        (1000.0, 300.0, 48.0),  # 0.1 a month x 2 months x (600 - 300) x 0.8
        (30.0, 300.0, 30.0),
        (0.5, 300.0, 0.5),
        (1000.0, 700.0, 0.0),  # no equity of its own
        (-0.5, 300.0, 0.0),
    ],
)
def test_an_operator_raises_what_it_needs_up_to_a_part_of_its_own_equity(need, debt, raised):
    w = small_world(terms={**TERMS, "credit_equity_speed": 0.1})
    op, clock = w.operators[0], w.clock[0]
    clock.trend, clock.equity_raised = 0.02, 5.0
    op.cash, op.gpu_value, op.debt, op.raised_year = 100.0, 500.0, debt, 7.0
    assert pays(w, raise_equity, op, need) == pytest.approx(raised)
    assert (op.cash, op.raised_year, clock.equity_raised) == pytest.approx((100 + raised, 7 + raised, 5 + raised))
    assert w.book[Flow.EQUITY_IN] == pytest.approx(raised)


# --- the order -------------------------------------------------------------------------------------------------
def test_a_lender_commits_its_advance_for_each_unit_of_an_order():
    w = small_world(lenders=3)
    lender, clock = w.lenders[2], w.clock[0]
    lender.committed, lender.lent_month, clock.new_commitments = 11.0, 12.0, 13.0
    o = w.orders[open_order(w.orders, clock, 0, 0, 5.0, 100.0, 9)]
    commit_loan(o, 2, lender, 60.0, 0.09, clock)
    assert (o.lender, o.advance, o.rate, o.units, o.cost) == (2, 60.0, 0.09, 5.0, 100.0)
    assert (lender.committed, lender.lent_month, clock.new_commitments) == (311.0, 312.0, 313.0)
    assert lender.cash == 0.0


def buyer(*, terms: dict[str, float] | None = None, lender: dict[str, float] | None = None, **columns: float):
    """Return a world in which operator 1 wants chip 1: 100 USD and 2 kW, 60 USD from the bank and 40 its own.

    It has 1,000 USD, 30 of them in reserve and 70 committed, and power of 100 kW, half of it in use: it may grow by
    0.4 x 50 kW, ten chips.
    """
    w = small_world(
        lenders=2, operators=2, chips=2, banks=((0,), (1,)), hurdles=(0.0, 0.25), terms={**TERMS, **(terms or {})}
    )
    w.clock[0].rent, w.clock[0].month = 2.0, 6
    w.chips.lead[:] = 4
    w.chips[0].release = 99
    w.chips[1].list_price, w.chips[1].power = 80.0, 2.0
    bank(w, 1, **(lender or {}))
    op = w.operators[1]
    op.utilisation, op.hosting, op.own_weight, op.dscr = 0.5, 5.0, 1.0, 2.0
    op.site_power, op.used_power = 100.0, 50.0
    op.cash, op.overheads, op.committed = 1000.0, 10.0, 70.0
    for name, value in columns.items():
        setattr(op, name, value)
    return w, op


def order(w):
    """Let operator 1 order; return its order, None if it made none."""
    pays(w, place_order, 1, w.operators[1])
    return w.orders[0] if w.orders[0].operator >= 0 else None


def test_an_order_commits_lender_operator_and_power_and_pays_the_deposit():
    w, op = buyer()
    clock, lender = w.clock[0], w.lenders[1]
    lender.committed, lender.lent_month, clock.new_commitments = 11.0, 12.0, 13.0
    o = order(w)
    assert (o.operator, o.lender, o.chip, o.due) == (1, 1, 1, 6 + 4)
    assert w.chips.on_order.tolist() == [0.0, 10.0]
    assert (o.units, o.cost, o.advance, o.rate, o.life) == pytest.approx((10.0, 100.0, 60.0, 0.09, 100.0))
    # Deposit: a tenth of 1,000. At delivery 900 are due, of which 600 come from the lender.
    assert (op.cash, op.committed) == pytest.approx((900.0, 70.0 + 300.0))
    assert w.book[Flow.VENDOR_DEPOSIT] == pytest.approx(100.0)
    assert op.used_power == pytest.approx(50.0 + 20.0)
    assert (lender.committed, lender.lent_month, clock.new_commitments) == pytest.approx((611.0, 612.0, 613.0))
    assert (clock.used_orders, clock.free_order) == (1, 1)
    assert (lender.cash, op.debt, clock.equity_raised) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("columns", "lender", "terms", "units"),
    [
        ({}, {}, {}, 10.0),  # growth
        ({"used_power": 94.0}, {}, {}, 3.0),  # 6 kW are free
        ({"used_power": 0.0}, {}, {}, 4.0),  # a newcomer grows by 0.4 of a fifth of its site
        # What the lender has no room for is bought with own money: of 1,000 it gives 240, the rest takes 76 a unit.
        ({}, {"name_limit": 0.024}, {}, 10.0),
        ({"cash": 480.0}, {"name_limit": 0.024}, {}, 5.0),
        ({"cash": 300.0}, {}, {}, 5.0),  # 300 - 30 - 70 = 200 pay for five
        ({"cash": 300.0, "committed": 110.0}, {}, {}, 4.0),
        ({"cash": 300.0, "overheads": 20.0}, {}, {}, 4.25),
        # Equity fills the gap: 0.1 x 2 x (300 + 300) = 120 for three more.
        ({"cash": 300.0, "gpu_value": 300.0}, {}, {"credit_equity_speed": 0.1}, 8.0),
        # Nothing is spare when more is committed than spare, and equity does not fill that gap: 240 for six.
        ({"cash": 300.0, "committed": 400.0, "gpu_value": 900.0}, {}, {"credit_equity_speed": 0.1}, 6.0),
        ({"cash": 300.0, "gpu_value": 9000.0}, {}, {"credit_equity_speed": 0.1}, 10.0),
    ],
)
def test_an_order_is_as_large_as_power_growth_lender_and_own_money_allow(columns, lender, terms, units):
    w, op = buyer(lender=lender, terms=terms, **columns)
    assert order(w).units == pytest.approx(units)


@pytest.mark.parametrize(
    ("limit", "advance"),
    [(0.5, 60.0), (0.06, 60.0), (0.05, 50.0), (0.024, 24.0), (0.0099, 0.0)],
)
def test_a_lender_advances_what_its_room_leaves_for_each_unit_wanted(limit, advance):
    # Room for 10,000 times the limit; ten units are wanted. Less than the cost of one is no room.
    w, op = buyer(lender={"name_limit": limit}, cash=2000.0)
    o = order(w)
    assert (o.units, o.advance, o.lender) == (pytest.approx(10.0), pytest.approx(advance), 1 if advance else -1)
    assert w.lenders[1].committed == pytest.approx(10.0 * advance)
    # At delivery 90 a unit are due, the lender's part of it aside.
    assert op.committed == pytest.approx(70.0 + 10.0 * (90.0 - advance))


@pytest.mark.parametrize(
    ("used", "wanted"),
    [
        (50.0, 0.0),  # 20 kW of growth, 50 free
        (70.0, 0.0),  # 28 of growth, 30 free
        (80.0, 12.0),  # 32 of growth, 20 free
        (94.0, 31.6),
        (100.0, 40.0),
        (110.0, 44.0),
    ],
)
@pytest.mark.parametrize(("cost", "worth"), [(900.0, 100.0), (30.0, 30.0)])
def test_power_that_growth_would_take_and_is_not_free_is_wanted_and_then_a_kw_has_a_value(used, wanted, cost, worth):
    # A chip of 2 kW is worth 10 x 30 = 300 and costs 100: 100 a kW, or what it costs to build one.
    w, op = buyer(used_power=used, wanted=99.0, power_value=99.0, terms={"sites_cost": cost})
    order(w)
    assert op.wanted == pytest.approx(wanted)
    assert op.power_value == pytest.approx(worth if wanted else 0.0)


def test_who_wants_no_chip_wants_no_power():
    for columns in ({"utilisation": 0.01}, {}):
        w, op = buyer(used_power=100.0, wanted=99.0, power_value=99.0, **columns)
        w.taste[1, 1] = -9.0 if not columns else 0.0  # one that is worth its cost, but not to its taste
        assert order(w) is None
        assert (op.wanted, op.power_value) == (0.0, 0.0)


def test_power_that_is_just_enough_has_no_price():
    w, op = buyer(used_power=62.5, site_power=87.5)  # 25 kW of growth, 25 free
    assert order(w).units == 12.5
    assert (op.wanted, op.power_value) == (0.0, 0.0)


@pytest.mark.parametrize(("used", "units"), [(99.0, 0.5), (98.0, 1.0), (100.0, None), (130.0, None)])
def test_where_there_is_no_power_at_all_nothing_is_ordered_however_small_orders_may_be(used, units):
    w, op = buyer(used_power=used, terms={"credit_order_minimum": 0.0})
    o = order(w)
    assert (o.units if o else None) == units
    assert w.clock[0].used_orders == (0 if units is None else 1)


@pytest.mark.parametrize(
    ("cash", "raised"),
    [(1000.0, 0.0), (500.0, 0.0), (300.0, 200.0)],
)
def test_equity_is_raised_for_what_is_missing_and_no_more(cash, raised):
    w, op = buyer(cash=cash, gpu_value=9000.0, terms={"credit_equity_speed": 0.1})
    order(w)
    assert w.clock[0].equity_raised == pytest.approx(raised)
    # Ten units need 400: own cash less 100, and equity.
    assert op.cash == pytest.approx(cash + raised - 100.0)


@pytest.mark.parametrize(
    ("kind", "cash", "gpu_value", "units", "pledged"),
    [
        (OperatorKind.MINER, 300.0, 0.0, 8.0, 30.0),  # 0.4 x 30 coins x 10 USD = 120 more than 200
        (OperatorKind.NEOCLOUD, 300.0, 0.0, 5.0, 0.0),
        (OperatorKind.MINER, 500.0, 0.0, 10.0, 0.0),  # enough without
        (OperatorKind.MINER, 460.0, 0.0, 10.0, 10.0),  # 40 are missing
        (OperatorKind.MINER, 460.0, 9000.0, 10.0, 0.0),  # equity comes first
    ],
)
def test_a_miner_pledges_coins_for_what_equity_leaves_missing(kind, cash, gpu_value, units, pledged):
    terms = {"credit_equity_speed": 0.1 if gpu_value else 0.0}
    w, op = buyer(kind=kind, cash=cash, btc=60.0, gpu_value=gpu_value, terms=terms)
    w.clock[0].btc = 10.0
    bank(w, 0, kind=LenderKind.CRYPTO_LENDER, cash=5000.0)
    w.lenders[1].kind = LenderKind.BANK
    assert order(w).units == pytest.approx(units)
    assert 60.0 - op.btc == pytest.approx(pledged)
    assert op.debt == pytest.approx(0.4 * 10.0 * pledged)


def test_the_first_chip_and_the_first_lender_are_ordered_from_like_others():
    w, op = buyer()
    w.chips[0].release, w.chips[0].list_price, w.chips[0].power = 0, 72.0, 2.0
    w.bank[1] = 0
    bank(w, 0, life=50.0)
    o = order(w)
    assert (o.chip, o.lender, o.life) == (0, 0, 50.0)
    # Ten chips at 72 x 1.25 = 90, of which the lender gives 0.6.
    assert list(w.lenders.committed) == pytest.approx([10.0 * 54.0, 0.0, 0.0])
    assert list(w.lenders.lent_month) == pytest.approx([10.0 * 54.0, 0.0, 0.0])
    assert w.clock[0].new_commitments == pytest.approx(540.0)


@pytest.mark.parametrize(("share", "months"), [(0.0, 100.0), (0.49, 100.0), (0.5, 60.0)])
def test_who_borrows_on_contracts_is_committed_a_term_loan(share, months):
    w, _ = buyer(contract_share=share)
    assert order(w).life == months


def test_without_a_lender_the_operator_pays_all_itself_and_no_lender_is_touched():
    w, op = buyer(lender={"status": LenderStatus.FAILED}, cash=600.0)
    w.lenders.committed[:] = 5.0
    o = order(w)
    # 600 - 30 - 70 = 500 at 100 each.
    assert (o.lender, o.units, o.advance, o.life) == (-1, pytest.approx(5.0), 0.0, 1.0)
    assert op.committed == pytest.approx(70.0 + 5.0 * 90.0)
    assert list(w.lenders.committed) == [5.0, 5.0, 5.0]
    assert w.clock[0].used_loans == 0
    assert list(w.lenders.lent_month) == [0.0, 0.0, 0.0]
    assert w.clock[0].new_commitments == 0.0


@pytest.mark.parametrize(
    ("advance_rate", "units"),
    [(0.985, 5 / 1.5), (0.99, 10.0), (0.995, 10.0)],
)
def test_an_own_share_of_a_dollar_a_unit_or_less_is_no_limit(advance_rate, units):
    # 105 - 30 - 70 = 5 USD are there for the own share; the deposit of 100 is paid from cash.
    w, op = buyer(lender={"advance_rate": advance_rate, "max_ltv": advance_rate}, cash=105.0)
    assert order(w).units == pytest.approx(units)
    # With 99 of 100 from the lender and 10 paid nothing more is due from the operator.
    assert op.committed == pytest.approx(70.0)


@pytest.mark.parametrize(
    ("minimum", "ordered"),
    [(999.0, True), (1000.0, True), (1001.0, False)],
)
def test_an_order_below_the_smallest_is_not_made(minimum, ordered):
    w, op = buyer(terms={"credit_order_minimum": minimum})
    assert (order(w) is not None) == ordered
    assert op.cash == (900.0 if ordered else 1000.0)
    assert op.used_power == (70.0 if ordered else 50.0)


@pytest.mark.parametrize(("minimum", "ordered"), [(800.0, True), (801.0, False)])
def test_money_is_raised_only_for_an_order_that_is_made(minimum, ordered):
    # 200 USD of its own, equity of 0.1 x 2 x 300 = 60 and a coin loan of 60 pay for eight chips.
    terms = {"credit_order_minimum": minimum, "credit_equity_speed": 0.1}
    w, op = buyer(kind=OperatorKind.MINER, cash=300.0, btc=30.0, debt=300.0, terms=terms)
    w.clock[0].btc = 10.0
    bank(w, 0, kind=LenderKind.CRYPTO_LENDER, cash=5000.0)
    w.lenders[1].kind = LenderKind.BANK
    assert (order(w) is not None) == ordered
    assert w.clock[0].equity_raised == pytest.approx(60.0 if ordered else 0.0)
    assert w.clock[0].new_notes == pytest.approx(60.0 if ordered else 0.0)
    assert op.btc == pytest.approx(30.0 - 15.0 if ordered else 30.0)
    assert op.cash == pytest.approx(300.0 + 60.0 + 60.0 - 80.0 if ordered else 300.0)


@pytest.mark.parametrize(("cash", "ordered"), [(100.0, True), (99.0, False)])
def test_an_order_whose_deposit_is_more_than_all_cash_is_not_made(cash, ordered):
    w, op = buyer(lender={"advance_rate": 0.995, "max_ltv": 0.995}, cash=cash)
    assert (order(w) is not None) == ordered
    assert op.cash == (0.0 if ordered else 99.0)


@pytest.mark.parametrize(("advance_rate", "cash", "coins"), [(0.995, 96.0, 5.0), (0.9995, 99.7, 0.5)])
def test_a_deposit_may_be_paid_from_what_coins_bring(advance_rate, cash, coins):
    # Nothing is spare; ten units take 0.5 or 0.05 of the operator's own each, and a deposit of 100.
    w, op = buyer(
        kind=OperatorKind.MINER, lender={"advance_rate": advance_rate, "max_ltv": advance_rate}, cash=cash, btc=30.0,
        terms={"notes_margin_minimum": 0.1},
    )  # fmt: skip
    w.clock[0].btc = 10.0
    bank(w, 0, kind=LenderKind.CRYPTO_LENDER, cash=5000.0)
    w.lenders[1].kind = LenderKind.BANK
    assert order(w).units == pytest.approx(10.0)
    assert w.clock[0].new_notes == pytest.approx(coins)
    assert op.cash == pytest.approx(cash + coins - 100.0)


def test_nothing_is_ordered_when_no_chip_is_worth_its_cost():
    w, op = buyer(utilisation=0.01)
    assert order(w) is None
    assert (op.cash, op.committed, op.used_power) == (1000.0, 70.0, 50.0)


def test_a_full_order_table_stops_the_run_before_anything_is_paid():
    w, op = buyer()
    w.clock[0].free_order, w.clock[0].used_orders = -1, 3
    assert order(w) is None
    assert (w.clock[0].fault, w.clock[0].fault_node, w.clock[0].fault_usd) == (Fault.ORDERS_FULL, 3, 0.0)
    assert (op.cash, op.committed, op.used_power, w.lenders[1].committed) == (1000.0, 70.0, 50.0, 0.0)
    assert w.orders[-1].operator == -1


@pytest.mark.parametrize(("row", "used", "after"), [(0, 5, 5), (7, 5, 8), (5, 5, 6)])
def test_an_order_takes_the_first_free_row_and_rows_ever_used_are_counted(row, used, after):
    w, _ = buyer()
    clock = w.clock[0]
    clock.free_order, clock.used_orders = row, used
    w.orders[row].following = 33
    place_order(w, clock, 1, w.operators[1])
    assert w.orders[row].operator == 1
    assert (clock.free_order, clock.used_orders) == (33, after)


# --- the vendor's queue ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("supply", "on_order", "months"),
    [
        (0.0, 1e9, 4),  # any number comes in the usual four months
        (100.0, 0.0, 4),
        (100.0, 400.0, 4),
        (100.0, 401.0, 5),
        (100.0, 2000.0, 20),
        (0.5, 3.0, 6),
    ],
)
def test_an_order_takes_as_long_as_the_vendor_does_for_all_that_is_on_order(supply, on_order, months):
    w = small_world(terms=TERMS)
    w.chips[0].supply, w.chips[0].on_order = supply, on_order
    assert lead_time(w.chips[0], w.terms[0]) == months


def test_the_queue_is_what_all_operators_have_on_order():
    w = small_world(operators=3, chips=3, terms=TERMS)
    w.chips.supply[:] = 10.0, 10.0, 0.0
    w.chips.on_order[:], w.chips.lead[:] = 77.0, 33
    for k, (operator, chip, units) in enumerate(
        ((0, 0, 30.0), (2, 0, 25.0), (1, 1, 8.0), (-1, 1, 500.0), (1, 2, 900.0))
    ):
        w.orders[k].operator, w.orders[k].chip, w.orders[k].units = operator, chip, units
    w.clock[0].used_orders = 5
    w.orders[5].operator, w.orders[5].units = 0, 500.0  # never used
    count_backlog(w, w.clock[0])
    assert w.chips.on_order.tolist() == [55.0, 8.0, 900.0]
    assert w.chips.lead.tolist() == [6, 4, 4]


def test_who_orders_waits_behind_those_before_and_lengthens_the_queue():
    w, _ = buyer()
    w.chips[1].supply = 2.0
    w.chips[1].on_order, w.chips[1].lead = 9.0, 5
    assert order(w).due == 6 + 5
    # 19 units at two a month.
    assert (w.chips[1].on_order, w.chips[1].lead) == (pytest.approx(19.0), 10)


def test_a_long_queue_makes_a_chip_worth_less_to_who_believes_that_rents_fall():
    # 40 a month, falling by .09, less ten times 10: 147; three months later 86.
    w = shop(140.0, decline=0.09, terms={"marks_decline_cap": 0.72})
    assert choice(w) == 0
    w.chips[0].lead = 3
    assert choice(w) == -1


def test_orders_of_a_month_are_due_behind_the_backlog_that_was_counted_first():
    w, _ = buyer()
    w.clock[0].month, w.chips[1].supply, w.chips[1].lead = 7, 2.0, 1
    k = open_order(w.orders, w.clock[0], 0, 1, 13.0, 100.0, 9)
    w.chips[1].on_order = 999.0
    order_chips(w, w.clock[0])
    assert w.orders[k + 1].due == 7 + 7


# --- each in its turn ------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("columns", "month", "status", "orders"),
    [
        ({}, 8, OperatorStatus.HEALTHY, True),  # month 8 and operator 1 make a multiple of three
        ({}, 7, OperatorStatus.HEALTHY, False),
        ({}, 9, OperatorStatus.HEALTHY, False),
        ({"status": OperatorStatus.STRESSED}, 8, OperatorStatus.HEALTHY, True),  # it has paid
        ({"arrears": 5.0}, 8, OperatorStatus.STRESSED, False),
        ({"arrears": 0.5}, 7, OperatorStatus.STRESSED, False),
        ({"dscr": 1.0}, 8, OperatorStatus.HEALTHY, True),
        ({"dscr": 0.99}, 8, OperatorStatus.HEALTHY, False),
        ({"swept": 1}, 8, OperatorStatus.HEALTHY, False),  # its spare cash is its lenders'
        ({"status": OperatorStatus.DEFAULTED}, 8, OperatorStatus.DEFAULTED, False),
    ],
)
def test_sound_operators_order_in_their_turn(columns, month, status, orders):
    w, op = buyer(raised_year=120.0, terms={"credit_order_interval": 3}, **columns)
    w.clock[0].month = month
    pays(w, order_chips)
    assert op.status == status
    assert (w.orders[0].operator == 1) == orders
    # What was raised fades over a year, in default too.
    assert op.raised_year == pytest.approx(110.0)


@pytest.mark.parametrize(
    ("columns", "month", "left"),
    [
        ({}, 7, (30.0, 50.0)),  # not its turn: it wants what it wanted
        ({"arrears": 5.0}, 7, (0.0, 0.0)),
        ({"arrears": 5.0}, 8, (0.0, 0.0)),
        ({"dscr": 0.99}, 7, (0.0, 0.0)),
        ({"dscr": 1.0}, 7, (30.0, 50.0)),
        ({"swept": 1}, 7, (0.0, 0.0)),
        ({"status": OperatorStatus.DEFAULTED}, 7, (30.0, 50.0)),  # nobody asks the fallen
    ],
)
def test_who_may_not_order_wants_no_power_and_has_no_better_use_for_its_own(columns, month, left):
    w, op = buyer(wanted=30.0, power_value=50.0, terms={"credit_order_interval": 3}, **columns)
    w.clock[0].month = month
    order_chips(w, w.clock[0])
    assert (op.wanted, op.power_value) == left


def test_an_operator_that_cannot_order_does_not_keep_the_next_from_it():
    for trouble in ({"status": OperatorStatus.DEFAULTED}, {"arrears": 5.0}):
        w, _ = buyer()
        w.clock[0].month = 7
        for name, value in trouble.items():
            setattr(w.operators[0], name, value)
        order_chips(w, w.clock[0])
        assert w.orders[0].operator == 1


def test_what_was_borrowed_before_counts_against_the_name_limit():
    w, op = buyer(lender={"book": 0.0})
    w.clock[0].month = 7
    add_loan(w, lender=1, operator=1, usd=4760.0)
    order_chips(w, w.clock[0])
    # Of 5,000 there are 240 left: 24 for each of ten units.
    assert (w.orders[0].units, w.orders[0].advance) == (pytest.approx(10.0), pytest.approx(24.0))


@pytest.mark.parametrize(
    ("columns", "paid"),
    [
        # 1,000 less 100 committed, 2 x 3 x (10 + 20) of reserves and 4 x 30 kW for growth: 600 too much.
        ({}, 150.0),
        ({"cash": 400.0}, 0.0),
        ({"cash": 400.4}, 0.1),
        ({"cash": 399.5}, 0.0),
        ({"committed": 300.0}, 100.0),
        ({"due": 40.0}, 120.0),
        ({"site_power": 60.0}, 120.0),
        ({"swept": 1}, 0.0),
        ({"status": OperatorStatus.STRESSED}, 0.0),
        ({"status": OperatorStatus.DEFAULTED}, 0.0),
    ],
)
def test_sound_operators_pay_a_part_of_their_excess_cash_to_their_owners(columns, paid):
    w = small_world(
        operators=2, terms={**TERMS, "credit_payout": 0.25, "credit_payout_reserve": 2.0, "credit_growth_cash": 4.0}
    )
    for op in w.operators:
        op.cash, op.committed, op.overheads, op.due, op.site_power = 1000.0, 100.0, 10.0, 20.0, 30.0
    for name, value in columns.items():
        setattr(w.operators[0], name, value)
    cash = w.operators[0].cash
    pays(w, pay_out_excess)
    assert list(w.operators.cash) == pytest.approx([cash - paid, 850.0])
    assert w.book[Flow.PAYOUT] == pytest.approx(paid + 150.0)
