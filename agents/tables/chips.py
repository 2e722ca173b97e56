"""Chip generations: what they are, and how their market stands."""

from __future__ import annotations

from agents.schema import Table, f, i

CHIP = Table(
    "chips",
    "GPU generations and the state of the market of each.",
    (
        i("release", "month", "first month in which it can be ordered (negative: before the start)"),
        i("end_of_sale", "month", "month from which it cannot be ordered new"),
        f("list_price", "USD/GPU", "price of a new unit, all-in hardware, before network and fit-out"),
        f("supply", "GPU/month", "new units that the vendor can deliver to this market (0: any number)"),
        f("on_order", "GPU", "units ordered and not delivered yet"),
        i("lead", "month", "months from an order placed now to its delivery"),
        f("performance", "H100", "rental performance relative to one H100"),
        f("power", "kW/GPU", "power at the wall"),
        i("reference", "flag", "1 for the generation that summaries and figures follow"),
        i("liquid", "flag", "1 if it needs liquid cooling"),
        f("scrap", "USD/GPU", "scrap value"),
        f("price", "USD/GPU", "last traded price, stale when nothing trades"),
        f("appraisal", "USD/GPU", "appraised market price: follows trades with a lag"),
        f("appraisal_open", "USD/GPU", "appraisal when the month opened"),
        f("best_bid", "USD/GPU", "highest bid of the month, 0 none"),
        f("fundamental", "USD/GPU", "value in use to the best unconstrained user"),
        f("parity", "USD/GPU", "what the best new chip on sale costs for the same value in use"),
        f("fall", "log", "smoothed fall of the traded price beyond a tolerance"),
        f("volatility", "log/month", "smoothed absolute change of the traded price"),
        f("price_before", "USD/GPU", "volume-weighted price of the last month that traded"),
        f("traded_units", "GPU", "units traded this month"),
        f("traded_usd", "USD", "value traded this month"),
        f("forced_units", "GPU", "units sold by force this month"),
        f("unsold", "GPU", "units offered by force and not sold"),
        f("stock", "GPU", "units in existence"),
        f("initial", "GPU", "units at the start"),
        f("added", "GPU", "units delivered new since the start"),
        f("scrapped", "GPU", "units scrapped since the start"),
        f("mean_age", "month", "mean age of the units in existence"),
        i("last_event", "event", "the last forced sale of this generation this month, -1 none", -1),
        i("stale_months", "month", "months without a trade"),
    ),
)
