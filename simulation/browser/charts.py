"""Charts of the page: hand-made SVG in Vue, quick to repaint; what they draw is built in ``series``."""

from __future__ import annotations

import solara


@solara.component_vue("vue/lines.vue")
def Lines(
    *,
    title="",
    unit="",
    start="2024-01",
    series=[],
    bands=[],
    marks=[],
    reference=None,
    log=False,
    zero=False,
    height=150,
    empty="",
):
    """A line chart by month.

    ``series``: dicts label, color (a role of the palette), values (None for a gap), dash, thin. ``bands``: months
    [first, last] under stress; ``marks``: months with defaults; ``reference``: dict value, label.
    """


@solara.component_vue("vue/auction.vue")
def Auction(*, auctions=[], at=0, empty="", event_select=None):
    """One call auction as supply and demand steps; ``auctions`` are those of the round, ``at`` the one shown."""


@solara.component_vue("vue/bars.vue")
def Bars(*, title="", unit="", bins=[], line=None, height=120, empty=""):
    """A histogram: ``bins`` are dicts label, value, text, bad; ``line``: dict at (bin edge), label."""


@solara.component_vue("vue/note.vue")
def Note(*, text=""):
    """A sentence above charts."""
