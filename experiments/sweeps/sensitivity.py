"""Sensitivity indices of a sweep."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from experiments.run.figures.style import INK, MUTED, RED, SKY
from experiments.sweeps.designs import problem, unit_sample
from experiments.sweeps.drawing import _COLORS, Drawn, _panels
from experiments.sweeps.frame import Frame, Outcome
from experiments.sweeps.reading import Sweep
from experiments.sweeps.study import Study


def indices(found: Sweep, study: Study, measure: str) -> pd.DataFrame:
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

        result = morris.analyze(
            given, unit_sample(study.plan.sweep, study.axes), outcome, num_levels=study.plan.sweep.levels, seed=seed
        )
        columns = {name: np.asarray(result[name]) for name in ("mu_star", "mu_star_conf", "mu", "sigma")}
    return pd.DataFrame({"parameter": given["names"], **columns})


def sensitivity(frame: Frame, found: Sweep) -> list[Drawn]:
    """Draw the indices of the first three outcomes that vary, parameters in the same order in each."""
    study = frame.study
    total = study.plan.sweep.design == "saltelli"
    main, error = ("ST", "ST_conf") if total else ("mu_star", "mu_star_conf")
    shown = [
        o
        for o in frame.outcomes
        if np.nanstd(found.outcome(o.measure)) > 0 and np.isfinite(found.outcome(o.measure)).all()
    ][:3]
    if not shown:
        return []
    tables = {o.measure: indices(found, study, o.measure).set_index("parameter") for o in shown}
    order = list(sum(t[main] / max(1e-12, t[main].abs().max()) for t in tables.values()).sort_values().index)
    figure = Figure(figsize=(11.5, 1.4 + 0.3 * len(order)), layout="constrained")
    rows = np.arange(len(order))
    for k, (ax, outcome) in enumerate(zip(_panels(figure, len(shown), sharey=True), shown, strict=True)):
        table = tables[outcome.measure].loc[order]
        factor = 1.0 if total else outcome.factor
        wide = factor * table[main], factor * table[error]
        whisker = np.array([np.minimum(*wide), wide[1]])  # absolute effects and total indices are not below zero
        ax.barh(
            rows + (0.14 if total else 0.0),
            wide[0],
            xerr=whisker,
            color=SKY,
            ecolor=INK,
            height=0.46 if total else 0.62,
            error_kw={"lw": 1.0},
            label="total" if total else None,
        )
        if total:
            ax.errorbar(
                table["S1"], rows - 0.26, xerr=table["S1_conf"], fmt="o", color=RED, ms=3.5, lw=1.0, label="first order"
            )
            if k == 0:
                handles = ax.get_legend_handles_labels()
                figure.legend(*handles, loc="outside upper right", ncols=2, frameon=False)
            left = float((table["S1"] - table["S1_conf"]).min())
            ax.set_xlim(
                max(-0.3, min(-0.05, 1.1 * left)), max(1.0, 1.05 * float((table["ST"] + table["ST_conf"]).max()))
            )
            ax.axvline(0.0, color=INK, lw=0.9)
        ax.set_yticks(rows, order)
        ax.set_title(outcome.label if not total else outcome.words)
        ax.set_xlabel(
            "share of the variance between points"
            if total
            else f"mean absolute effect over the range, {'points' if outcome.unit == '%' else outcome.unit}"
        )
    if total:
        note = "Sobol indices with 95 % bootstrap intervals. Total: all that a parameter does, with others; first order: what it does alone. An interval as long as its bar says: more samples. They hold for the draws of these replications."
    else:
        note = "Morris: mean absolute elementary effect of moving a parameter over its range, with 95 % intervals."
    says = []
    for outcome in shown:
        table = tables[outcome.measure].sort_values(main, ascending=False).head(3)
        factor = 1.0 if total else outcome.factor
        says.append(
            f"{outcome.words}: "
            + ", ".join(
                f"{name} {factor * row[main]:.2g} ± {factor * row[error]:.2g}" for name, row in table.iterrows()
            )
            + (" (total index)." if total else f" {'points' if outcome.unit == '%' else outcome.unit}.")
        )
    made = [Drawn("Which parameters matter", note, figure, tuple(says))]
    if not total:
        made.append(_interactions(frame, tables, shown))
    return made


def _interactions(frame: Frame, tables: dict[str, pd.DataFrame], shown: list[Outcome]) -> Drawn:
    """Draw the spread of elementary effects against their mean: Morris' own figure."""
    figure = Figure(figsize=(11.5, 3.4), layout="constrained")
    leading = list(sum(t["mu_star"] / max(1e-12, t["mu_star"].max()) for t in tables.values()).nlargest(7).index)
    for ax, outcome in zip(_panels(figure, len(shown)), shown, strict=True):
        table, unit = outcome.factor * tables[outcome.measure], "points" if outcome.unit == "%" else outcome.unit
        rest = table.drop(index=leading)
        ax.scatter(rest["mu_star"], rest["sigma"], color=MUTED, s=14)
        for name, color in zip(leading, _COLORS, strict=False):
            ax.scatter(
                table.loc[name, "mu_star"], table.loc[name, "sigma"], color=color, s=34, alpha=0.9, lw=0, label=name
            )
        most = 1.08 * float(max(table["mu_star"].max(), table["sigma"].max(), 1e-12))
        ax.plot([0, most], [0, most], color=MUTED, lw=0.9, ls="--")
        ax.set(
            xlabel=f"mean absolute effect, {unit}", ylabel=f"spread of effects, {unit}", xlim=(0, most), ylim=(0, most)
        )
        ax.set_title(outcome.words)
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=4, frameon=False)
    return Drawn(
        "Alone or together",
        "Above the dashed line a parameter's effect depends strongly on the others, or bends.",
        figure,
    )
