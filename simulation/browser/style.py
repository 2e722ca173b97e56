"""The look of the page: one palette that colour-blind readers can tell apart, light and dark; a grid without overlaps."""

from __future__ import annotations

_LIGHT = {
    "blue": "#0072b2", "orange": "#e08a00", "green": "#009e73", "red": "#d1470a", "purple": "#a8518a", "sky": "#4aa3d8",
    "gold": "#a98d00", "ink": "#1c2430", "muted": "#5d6878", "grid": "#dfe3e8", "paper": "#ffffff", "stress": "#f7eadf",
    "page": "#f2f4f7", "card": "#ffffff", "line": "#d5dae1", "soft": "#e9edf3", "edge": "#8d99a8", "onblue": "#ffffff",
}  # fmt: skip


_DARK = {
    "blue": "#4da6e0", "orange": "#f0a73a", "green": "#2cc295", "red": "#ff7d45", "purple": "#d58cbc", "sky": "#86c5ee",
    "gold": "#dcc13a", "ink": "#e8ecf2", "muted": "#a3aebd", "grid": "#333c49", "paper": "#181e27", "stress": "#3a2b22",
    "page": "#10151c", "card": "#181e27", "line": "#36404e", "soft": "#252e3a", "edge": "#6c7888", "onblue": "#0c1117",
}  # fmt: skip


_LAYOUT = """
html, body { overflow-x: hidden; }
.v-application, .v-application .v-main { background: var(--fs-page) !important; }
.solara-content-main, .v-application--wrap { background: var(--fs-page); }
.fs-app { background: var(--fs-page); color: var(--fs-ink); min-height: 100vh; padding: 8px 12px 10px; box-sizing: border-box;
  display: flex; flex-direction: column; gap: 7px; font-family: Inter, Roboto, "Segoe UI", "Helvetica Neue", Arial, sans-serif; letter-spacing: 0; }
.fs-app *, .fs-app *::before { letter-spacing: 0; }
.fs-app > div { flex: none; }
.fs-main-row { display: grid; gap: 8px; flex: 1 1 auto !important; min-height: 420px; height: calc(100vh - 204px); grid-template-columns: minmax(0, 1.08fr) minmax(0, 1fr); }
.fs-main-row.fs-with-side { grid-template-columns: 284px minmax(0, 1.05fr) minmax(0, 1fr); }
.fs-panel { background: var(--fs-card); border: 1px solid var(--fs-line); border-radius: 10px; overflow: hidden; min-height: 0; min-width: 0; }
.fs-panel > div { height: 100%; }
.fs-right { display: grid; grid-template-rows: minmax(0, 2.3fr) minmax(140px, 1fr); gap: 8px; min-height: 0; min-width: 0; }
.fs-tabbed { display: flex; flex-direction: column; }
.fs-tabbed > div { height: auto; }
.fs-scroll { flex: 1 1 auto; overflow-y: auto; overflow-x: hidden; padding: 2px 10px 8px; min-height: 0; }
.fs-scroll.fs-flush { padding: 0; }
.fs-two { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); gap: 2px 14px; }
@media (min-width: 1700px) { .fs-main-row.fs-with-side { grid-template-columns: 340px minmax(0, 1.15fr) minmax(0, 1fr); } }
@media (min-width: 1700px) { .fs-app { zoom: 1.18; min-height: calc(100vh / 1.18); } .fs-main-row { height: calc(100vh / 1.18 - 204px); } }
@media (max-width: 1000px) { .fs-main-row, .fs-main-row.fs-with-side { grid-template-columns: minmax(0, 1fr); height: auto; } .fs-panel { height: 560px; } .fs-right { grid-template-rows: 560px 360px; } }
"""


def palette(dark: bool) -> str:
    """Return the colours as CSS variables."""
    colors = "".join(f"--fs-{name}: {value};" for name, value in (_DARK if dark else _LIGHT).items())
    return f":root {{ {colors} color-scheme: {'dark' if dark else 'light'}; }}"


def css(dark: bool) -> str:
    """Return the style sheet of the page."""
    return f"{palette(dark)}\n{_LAYOUT}"
