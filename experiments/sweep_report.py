"""The report of a sweep: what each parameter does, with intervals; written from what is stored."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment
from matplotlib.figure import Figure

from experiments.figures import BLUE, GOLD, GREEN, GRID, INK, MUTED, ORANGE, PURPLE, RED, SKY
from experiments.reading import Sweep, load
from experiments.study import problem
from experiments.sweep import stored_study
from simulation.summary import SUMMARY

#: What a report draws, with the words for its axis and the factor that brings it to them.
OUTCOMES = (
    ("systemic", "probability of a systemic cascade", 1.0),
    ("losses", "credit losses, $bn", 1e-9),
    ("cascade_max", "largest cascade, agents", 1.0),
    ("discount_mean", "fire-sale discount", 1.0),
    ("lender_failures", "lenders failed", 1.0),
    ("debt_peak", "peak of GPU-backed debt, $bn", 1e-9),
)
_COLORS = (BLUE, ORANGE, GREEN, PURPLE, RED, SKY, GOLD, MUTED)
_DRAWS = 500


def write_sweep_report(place: str) -> Path:
    """Write report.html, points.csv and figures beside the shards; return the report. Raises StoreError."""
    found, study = load(place), stored_study(place)
    folder = Path(place)
    done = found.runs[found.runs["status"] == "done"] if len(found.runs) else found.runs
    figures: list[tuple[str, str, Figure]] = []
    if len(done):
        table = point_table(done, found.parameters)
        table.to_csv(folder / "points.csv", index=False)
        design = study.plan.sweep.design
        if design in ("saltelli", "morris"):
            figures += _sensitivity(found, study, done)
        elif found.parameters and design in ("grid", "list"):
            figures += _grid(done, found.parameters)
        elif found.parameters:
            figures += _scatter(done, found.parameters)
        if study.plan.twin:
            figures.append(_paired(done, study.plan.twin))
        figures.append(_sizes(done))
    (folder / "figures").mkdir(exist_ok=True)
    pictures = []
    for k, (title, note, figure) in enumerate(figures, 1):
        data = io.BytesIO()
        figure.savefig(data, format="png", dpi=130, facecolor="white")
        (folder / "figures" / f"{k}.png").write_bytes(data.getvalue())
        figure.savefig(folder / "figures" / f"{k}.svg")
        pictures.append((title, note, base64.b64encode(data.getvalue()).decode()))
    page = Environment(autoescape=True).from_string(_PAGE).render(
        title=found.manifest["title"], manifest=found.manifest, pictures=pictures, failed=int((found.runs["status"] != "done").sum()) if len(found.runs) else 0,
        runs=len(found.runs), rows=_rows(done, found.parameters) if len(done) else [], measures=[o[1] for o in OUTCOMES],
    )  # fmt: skip
    file = folder / "report.html"
    file.write_text(page, encoding="utf-8")
    return file


# --- tables and intervals -----------------------------------------------------------------------------------------


def bootstrap(values: np.ndarray, draws: int = _DRAWS, seed: int = 1) -> tuple[float, float, float]:
    """Return (mean, low, high): the mean and its 95 % bootstrap interval; values that are not finite are left out."""
    values = np.asarray(values, float)
    values = values[np.isfinite(values)]
    if len(values) == 0:
        return np.nan, np.nan, np.nan
    rng = np.random.default_rng(seed)
    means = values[rng.integers(0, len(values), (draws, len(values)))].mean(1)
    return float(values.mean()), *map(float, np.quantile(means, [0.025, 0.975]))


def point_table(done: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Return one row a design point: its parameters, runs, and mean and 95 % interval of every outcome."""
    rows = []
    for point, group in done.groupby("point"):
        row: dict[str, Any] = {"point": point, **{name: group[name].iloc[0] for name in names}, "runs": len(group)}
        for measure in (m.name for m in SUMMARY if m.name in done and m.name != "defaults_by_cause"):
            mean, low, high = bootstrap(group[measure].to_numpy(float))
            row |= {measure: mean, f"{measure}_low": low, f"{measure}_high": high}
        rows.append(row)
    return pd.DataFrame(rows)


def _rows(done: pd.DataFrame, names: list[str]) -> list[tuple[str, ...]]:
    """Return the table of the page, at most 60 design points."""
    rows = []
    for _, group in list(done.groupby("point"))[:60]:
        cells = [", ".join(f"{name.rpartition('.')[2]} {_short(group[name].iloc[0])}" for name in names) or "base", str(len(group))]
        for measure, _, scale in OUTCOMES:
            mean, low, high = bootstrap(scale * group[measure].to_numpy(float))
            cells.append(f"{mean:.3g} [{low:.3g}, {high:.3g}]")
        rows.append(tuple(cells))
    return rows


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float | np.floating) else str(value)


# --- figures ------------------------------------------------------------------------------------------------------


def _axes(figure: Figure, n: int, columns: int = 3) -> list[Any]:
    made = figure.subplots(-(-n // columns), columns, squeeze=False).ravel()
    for ax in made:
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(color=GRID, lw=0.6)
        ax.set_axisbelow(True)
        ax.tick_params(labelsize=8, colors=INK)
    for ax in made[n:]:
        ax.set_visible(False)
    return list(made[:n])


def _grid(done: pd.DataFrame, names: list[str]) -> Iterable[tuple[str, str, Figure]]:
    """Draw each outcome against the parameter with most values, a line for each value of a second one; a heat map of two."""
    by_size = sorted(names, key=lambda name: -done[name].nunique())
    first, others = by_size[0], by_size[1:]
    second = others[0] if others else None
    figure = Figure(figsize=(11, 6.4), layout="constrained")
    for ax, (measure, label, scale) in zip(_axes(figure, len(OUTCOMES)), OUTCOMES, strict=True):
        groups = [("", done)] if second is None else list(done.groupby(second, sort=True))
        for (value, group), color in zip(groups[:8], _COLORS, strict=False):
            points = [(x, *bootstrap(scale * part[measure].to_numpy(float))) for x, part in group.groupby(first, sort=True)]
            x = [p[0] for p in points]
            place = x if all(isinstance(v, int | float | np.number) for v in x) else range(len(x))
            ax.plot(place, [p[1] for p in points], color=color, marker="o", ms=3, lw=1.6, label=_short(value) if second else None)
            ax.fill_between(place, [p[2] for p in points], [p[3] for p in points], color=color, alpha=0.15, lw=0)
            if not isinstance(place, list):
                ax.set_xticks(list(place), [str(v) for v in x], fontsize=8)
        ax.set_xlabel(first, fontsize=8.5)
        ax.set_title(label, fontsize=9.5, loc="left", color=INK)
    if second is not None:
        figure.axes[0].legend(title=second, fontsize=8, title_fontsize=8, frameon=False)
    yield "What the parameters do", "Means over replications; bands are 95 % bootstrap intervals.", figure
    if second is not None and done[second].nunique() > 2 and all(pd.api.types.is_numeric_dtype(done[n]) for n in (first, second)):
        figure = Figure(figsize=(11, 3.6), layout="constrained")
        for ax, (measure, label, scale) in zip(_axes(figure, 3), OUTCOMES[:3], strict=True):
            table = (scale * done.pivot_table(index=second, columns=first, values=measure, aggfunc="mean")).sort_index()
            drawn = ax.imshow(table.to_numpy(), origin="lower", aspect="auto", cmap="cividis")
            ax.set_xticks(range(len(table.columns)), [_short(v) for v in table.columns], fontsize=7, rotation=45)
            ax.set_yticks(range(len(table.index)), [_short(v) for v in table.index], fontsize=7)
            ax.set(xlabel=first, ylabel=second)
            ax.grid(False)
            ax.set_title(label, fontsize=9.5, loc="left")
            figure.colorbar(drawn, ax=ax, shrink=0.85)
        yield "Two parameters together", "Mean over replications.", figure


def _scatter(done: pd.DataFrame, names: list[str]) -> Iterable[tuple[str, str, Figure]]:
    """Draw losses of a sampled design against each parameter, with the mean in ten classes."""
    for measure, label, scale in OUTCOMES[:2]:
        numeric = [n for n in names if pd.api.types.is_numeric_dtype(done[n])][:9]
        if not numeric:
            return
        figure = Figure(figsize=(11, 2.6 * -(-len(numeric) // 3)), layout="constrained")
        for ax, name in zip(_axes(figure, len(numeric)), numeric, strict=True):
            means = done.groupby("point")[[name, measure]].mean()
            ax.scatter(means[name], scale * means[measure], s=5, color=BLUE, alpha=0.3, lw=0)
            classes = pd.qcut(means[name], min(10, means[name].nunique()), duplicates="drop")
            line = means.groupby(classes, observed=True).mean()
            ax.plot(line[name], scale * line[measure], color=RED, lw=2)
            ax.set_xlabel(name, fontsize=8.5)
        yield f"By parameter: {label}", "Dots: design points; line: mean in ten classes of equal size.", figure


def indices(found: Sweep, study: Any, measure: str) -> pd.DataFrame:
    """Return the sensitivity indices of a measure: Saltelli (S1, ST) or Morris (mu_star, sigma), each with its interval."""
    design, seed = study.plan.sweep.design, study.plan.sweep.seed
    outcome = found.outcome(measure)
    given = problem(study.axes)
    if design == "saltelli":
        from SALib.analyze import sobol

        result = sobol.analyze(given, outcome, calc_second_order=False, seed=seed)
        columns = {name: result[name] for name in ("S1", "S1_conf", "ST", "ST_conf")}
    else:
        from SALib.analyze import morris

        from experiments.study import unit_sample

        result = morris.analyze(given, unit_sample(study.plan.sweep, study.axes), outcome, num_levels=study.plan.sweep.levels, seed=seed)
        columns = {name: np.asarray(result[name]) for name in ("mu_star", "mu_star_conf", "mu", "sigma")}
    return pd.DataFrame({"parameter": given["names"], **columns})


def _sensitivity(found: Sweep, study: Any, done: pd.DataFrame) -> Iterable[tuple[str, str, Figure]]:
    if len(done) < study.runs:
        return
    main, error = ("ST", "ST_conf") if study.plan.sweep.design == "saltelli" else ("mu_star", "mu_star_conf")
    shown = [o for o in OUTCOMES if found.outcome(o[0]).std() > 0][:3]
    figure = Figure(figsize=(11, 1.6 + 0.32 * len(study.axes)), layout="constrained")
    for ax, (measure, label, scale) in zip(_axes(figure, len(shown)), shown, strict=True):
        table = indices(found, study, measure).sort_values(main)
        unit = scale if main == "mu_star" else 1.0
        ax.barh(table["parameter"], unit * table[main], xerr=unit * table[error], color=BLUE, ecolor=INK, height=0.6)
        if main == "ST":
            ax.plot(table["S1"], table["parameter"], "o", color=ORANGE, ms=4, label="first order")
            ax.legend(frameon=False, fontsize=8)
        ax.set_title(label, fontsize=9.5, loc="left")
    what = "total-order (bars) and first-order (dots) Sobol indices" if main == "ST" else "mean absolute elementary effects over the range of each parameter"
    yield "Which parameters matter", f"{what[0].upper() + what[1:]}, with 95 % intervals.", figure


def _paired(done: pd.DataFrame, twin: dict[str, Any]) -> tuple[str, str, Figure]:
    figure = Figure(figsize=(11, 3.0), layout="constrained")
    for ax, (measure, label, scale) in zip(_axes(figure, 3), OUTCOMES[:3], strict=True):
        difference = scale * (done[f"twin_{measure}"] - done[measure]).to_numpy(float)
        mean, low, high = bootstrap(difference)
        ax.hist(difference, bins=40, color=SKY)
        ax.axvline(mean, color=RED, lw=2)
        ax.set_yscale("symlog")
        ax.set_title(f"{label}\n{mean:+.3g} [{low:.3g}, {high:.3g}]", fontsize=9.5, loc="left")
    changed = ", ".join(f"{k} = {v}" for k, v in twin.items())
    return "The twin less the run", f"Paired by draw: {changed}. Line: mean with its 95 % interval in the title.", figure


def _sizes(done: pd.DataFrame) -> tuple[str, str, Figure]:
    figure = Figure(figsize=(11, 3.0), layout="constrained")
    sizes = np.sort(done["cascade_max"].to_numpy(float))
    one, two = _axes(figure, 2, 2)
    one.hist(sizes, bins=np.arange(-0.5, sizes.max() + 1.5), color=BLUE)
    one.set_yscale("log")
    one.set(xlabel="largest cascade of a run, agents", ylabel="runs")
    positive = sizes[sizes > 0]
    if len(positive):
        two.step(positive, 1.0 - np.arange(len(positive)) / len(positive), where="post", color=RED)
        two.set(xscale="log", yscale="log", xlabel="size x, agents", ylabel="share of runs with a cascade ≥ x")
    return "Sizes of cascades", "Left: all runs; right: complementary distribution over runs with a cascade.", figure


_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{{ title }}: sweep</title><style>
body { font: 15px/1.45 system-ui, sans-serif; color: #1c2430; max-width: 1120px; margin: 24px auto; padding: 0 16px; }
h1 { font-size: 24px; margin: 0; } h2 { font-size: 18px; margin: 28px 0 2px; } p { margin: 2px 0 8px; color: #5d6878; }
img { width: 100%; border: 1px solid #dfe3e8; border-radius: 6px; } table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: 3px 9px; border-top: 1px solid #dfe3e8; } th:first-child, td:first-child { text-align: left; } .bad { color: #b33a00; font-weight: 600; }
.scroll { overflow-x: auto; } code { background: #f1f3f6; padding: 1px 4px; border-radius: 3px; }
</style><h1>{{ title }}</h1>
<p>{{ "{:,}".format(runs) }} of {{ "{:,}".format(manifest.runs) }} runs, {{ manifest.points }} points of a {{ manifest.design }} design, {{ manifest.replications }} replications, draws {{ manifest.seeds }}.
{% if failed %}<span class="bad">{{ failed }} failed: see the column message.</span>{% endif %}<br><code>{{ manifest.command }}</code></p>
{% for head, note, data in pictures %}<h2>{{ head }}</h2><p>{{ note }}</p><img alt="{{ head }}" src="data:image/png;base64,{{ data }}">{% endfor %}
{% if rows %}<h2>By design point</h2><p>Mean with its 95 % bootstrap interval; all measures in <code>points.csv</code>.</p>
<div class="scroll"><table><tr><th>point</th><th>runs</th>{% for m in measures %}<th>{{ m }}</th>{% endfor %}</tr>
{% for row in rows %}<tr>{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>{% endfor %}</table></div>{% endif %}
<p>Versions: {% for name, version in manifest.versions.items() %}{{ name }} {{ version }}{{ ", " if not loop.last }}{% endfor %}; sources {{ manifest.sources }}; begun {{ manifest.started }}.</p></html>
"""
