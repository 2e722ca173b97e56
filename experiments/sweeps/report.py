"""The report of a sweep: its question, what the runs say to it, figures and a table; written from what is stored."""

from __future__ import annotations

import base64
import io
from typing import Any

import matplotlib
import pandas as pd
from jinja2 import Environment

from experiments.run.figures.style import STYLE
from experiments.statistics import bootstrap_columns
from experiments.sweeps.figures import figures
from experiments.sweeps.frame import outcomes, point_name, short
from experiments.sweeps.reading import load
from experiments.sweeps.store import Store
from experiments.sweeps.stored import shown as by_name
from experiments.sweeps.stored import stored_study
from experiments.sweeps.study import Study
from simulation.record.summary import SUMMARY

#: Most design points in the table of the page.
_MOST_ROWS = 60


def write_sweep_report(place: str) -> str:
    """Write report.html, points.csv and figures beside the shards; return where the report is. Raises StoreError."""
    found, study, store = load(place), by_name(stored_study(place)), Store(place)
    done = found.runs[found.runs["status"] == "done"] if len(found.runs) else found.runs
    table = point_table(done, found.parameters)
    files = {"points.csv": table.to_csv(index=False).encode()}
    pictures: list[tuple[str, str, str]] = []
    says: list[str] = []
    with matplotlib.rc_context(STYLE):
        for k, drawn in enumerate(figures(found, study), 1):
            for kind in ("png", "svg"):
                data = io.BytesIO()
                drawn.figure.savefig(data, format=kind, dpi=130, metadata={"Date": None} if kind == "svg" else None)
                files[f"figures/{k}.{kind}"] = data.getvalue()
                if kind == "png":
                    pictures.append((drawn.head, drawn.note, base64.b64encode(data.getvalue()).decode()))
            says += drawn.says
    shown = outcomes(study.plan.report.outcomes)
    page = Environment(autoescape=True).from_string(_PAGE).render(
        title=found.manifest["title"], question=study.plan.report.question, says=says, manifest=found.manifest, pictures=pictures,
        failed=int((found.runs["status"] != "done").sum()) if len(found.runs) else 0, runs=len(found.runs),
        rows=_rows(table, study, shown), measures=[outcome.label for outcome in shown], more=len(table) if len(table) > _MOST_ROWS else 0,
        unfinished=study.runs - len(done) if study.plan.sweep.design in ("saltelli", "morris") else 0,
    )  # fmt: skip
    store.remake(files | {"report.html": page.encode()})
    return store.path("report.html")


def point_table(done: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Return one row a design point: its parameters, runs, and mean and 95 % interval of every measure (in its unit)."""
    if not len(done):
        return pd.DataFrame(columns=["point", *names, "runs"])
    measures = [m.name for m in SUMMARY if m.name in done and m.name != "defaults_by_cause"]
    rows = []
    for point, group in done.groupby("point"):
        row: dict[str, Any] = {"point": point, **{name: group[name].iloc[0] for name in names}, "runs": len(group)}
        for measure, (mean, low, high) in zip(
            measures, bootstrap_columns(group[measures].to_numpy(float)).T, strict=True
        ):
            row |= {measure: mean, f"{measure}_low": low, f"{measure}_high": high}
        rows.append(row)
    return pd.DataFrame(rows)


def _rows(table: pd.DataFrame, study: Study, shown: list[Any]) -> list[tuple[str, ...]]:
    """Return the table of the page: what a point changes, its runs, mean and interval of each outcome drawn."""
    rows = []
    for _, row in table.head(_MOST_ROWS).iterrows():
        point = int(row["point"])
        labels = study.plan.report.labels
        cells = [labels[point] if labels else point_name(study.points[point]), short(row["runs"])]
        for name, _, _, factor in shown:
            mean, low, high = (factor * row[column] for column in (name, f"{name}_low", f"{name}_high"))
            cells.append(f"{mean:.3g} [{low:.3g}, {high:.3g}]".replace("-", "\N{MINUS SIGN}"))
        rows.append(tuple(cells))
    return rows


_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{{ title }}: sweep</title><style>
body { font: 15px/1.45 system-ui, sans-serif; color: #1c2430; max-width: 1120px; margin: 24px auto; padding: 0 16px; }
h1 { font-size: 24px; margin: 0; } h2 { font-size: 18px; margin: 28px 0 2px; } p { margin: 2px 0 8px; color: #5d6878; }
img { width: 100%; border: 1px solid #dfe3e8; border-radius: 6px; } table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: 3px 9px; border-top: 1px solid #dfe3e8; } th:first-child, td:first-child { text-align: left; } .bad { color: #b33a00; font-weight: 600; }
.scroll { overflow-x: auto; } code { background: #f1f3f6; padding: 1px 4px; border-radius: 3px; }
.question { font-size: 17px; color: #1c2430; } li { margin: 3px 0; }
</style><h1>{{ title }}</h1>
{% if question %}<p class="question">{{ question }}</p>{% endif %}
{% if says %}<ul>{% for text in says %}<li>{{ text }}</li>{% endfor %}</ul>{% endif %}
<p>{{ "{:,}".format(runs) }} of {{ "{:,}".format(manifest.runs) }} runs, {{ manifest.points }} points of a {{ manifest.design }} design, {{ manifest.replications }} replications, draws {{ manifest.seeds }}.
{% if failed %}<span class="bad">{{ failed }} failed: see the column message.</span>{% endif %}<br><code>{{ manifest.command }}</code></p>
{% if unfinished %}<p class="bad">Sensitivity indices need every run of the design: {{ unfinished }} are missing or failed.</p>{% endif %}
{% for head, note, data in pictures %}<h2>{{ head }}</h2><p>{{ note }}</p><img alt="{{ head }}" src="data:image/png;base64,{{ data }}">{% endfor %}
{% if rows %}<h2>By design point</h2><p>Mean with its 95 % bootstrap interval; all measures in <code>points.csv</code>.{% if more %} The first {{ rows | length }} of {{ more }} points.{% endif %}</p>
<div class="scroll"><table><tr><th>point</th><th>runs</th>{% for m in measures %}<th>{{ m }}</th>{% endfor %}</tr>
{% for row in rows %}<tr>{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>{% endfor %}</table></div>{% endif %}
<p>Versions: {% for name, version in manifest.versions.items() %}{{ name }} {{ version }}{{ ", " if not loop.last }}{% endfor %}; sources {{ manifest.sources }}; begun {{ manifest.started }}.</p></html>
"""
