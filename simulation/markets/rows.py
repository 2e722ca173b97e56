"""Rows of the arrays in which a round of the used market is worked out."""

from __future__ import annotations

#: Rows of ``w.item``; behind the last item stand the ends of its asks and orders.
SELLER, CHIP, PLACE, WEEKS_OF, CALLED, REACHED, ASKS, ORDERS, ITEM_ROWS = range(9)
#: Rows of ``w.order``: what a bid says.
LIMIT, FEE, POWER, COOLED, CAP, PURSE, FILL, HOPS, ORDER_ROWS = range(9)
#: Rows of ``w.ask``.
RESERVE, UNITS, SOLD, ASK_ROWS = range(4)
#: Rows of ``w.purse``: what a bidder has for all items; less than nothing when it is not sound enough to bid.
MONEY, SITE, COOLING, LARGEST, PURSE_ROWS = range(5)
#: Rows of ``w.working``. By order: what a unit costs over the price, money put on it, units taken; limit, units and money of
#: its auction. By bidder: what it gained, power and cooled power that it would use, money that it put on all.
GROSS, SPEND, TAKEN, NET, MOST, BUDGET, GAIN, USED, COLD, PUT, WORKING_ROWS = range(11)
