"""The report of a calibration in Markdown: objective, search, what was reached, what is pinned, what stays assumed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from experiments.evidence.calibration.calibrate import Outcome
from experiments.evidence.calibration.forecast import Forecast
from experiments.evidence.calibration.identify import PARTLY, PINNED, Identification, with_part
from experiments.evidence.calibration.moments import Moment, objective
from experiments.evidence.calibration.search import Candidate
from simulation.words import usd

#: Distance from the record, in standard errors, up to which a moment counts as reached.
_REACHED = 2.0

#: A parameter this near to an end of its range, share of the range, is said to stand there.
_EDGE = 0.02

#: Objective above the best within which a value is not told apart from the best: one squared standard error.
_TELLS = 1.0

#: Most parameters that a direction is described by, and the smallest part (of a unit vector) that is named.
_NAMED, _PART = 4, 0.3


def report(outcome: Outcome, figures: Sequence[str]) -> str:
    """Return the report; ``figures`` are the paths of the figures of profiles and, if anything was held out, forecasts."""
    lines = [*_objective(outcome), *_search(outcome), *_reached(outcome)]
    if outcome.forecast is not None:
        lines += _held_out(outcome.forecast, figures[1])
    lines += [*_identified(outcome, figures[0]), *_assumed(outcome)]
    return "\n".join(lines) + "\n"


# --- words --------------------------------------------------------------------------------------------------------


def show(value: float, unit: str) -> str:
    """Return a value of a moment in the unit it is told in."""
    if not math.isfinite(value):
        return "-"
    return usd(value) if unit == "USD" else f"{value:.3g}"


def recorded(moment: Moment) -> str:
    """Return the record in words: a value, an interval, a bound."""
    if math.isinf(moment.low):
        return f"at most {show(moment.high, moment.unit)}"
    if math.isinf(moment.high):
        return f"at least {show(moment.low, moment.unit)}"
    if moment.low == moment.high:
        return show(moment.low, moment.unit)
    return f"{show(moment.low, moment.unit)} to {show(moment.high, moment.unit)}"


def _spread(moment: Moment, runs: np.ndarray | None) -> str:
    """Return "mean [10 %, 90 %]" of runs (one value a seed)."""
    if runs is None:
        return "fails"
    low, high = np.quantile(runs, (0.1, 0.9))
    return f"{show(moment.over(runs), moment.unit)} [{show(float(low), moment.unit)}, {show(float(high), moment.unit)}]"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return a Markdown table."""
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    return lines + [f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows]


# --- sections -----------------------------------------------------------------------------------------------------


def _objective(outcome: Outcome) -> list[str]:
    calibration = outcome.calibration
    rows = [
        (m.name, recorded(m), show(m.error, m.unit), f"{m.weight:g}", m.grade, m.source, m.why)
        for m in calibration.moments
    ]
    return [
        "## Objective",
        "",
        f"The sum over {len(rows)} moments of weight times squared distance in standard errors; inside an interval or a bound the "
        f"distance is zero. Nothing later than {calibration.search.until} is in it. A moment of a candidate is the mean over its seeds"
        " unless said otherwise."
        f" To it the search adds {calibration.search.pull:g} times the squared distance of each parameter from where it stands, in shares of its range: "
        "what the data do not see stays there instead of drifting.",
        "",
        *table(("moment", "recorded", "standard error", "weight", "grade", "source", "what it measures"), rows),
        "",
    ]


def _search(outcome: Outcome) -> list[str]:
    calibration, candidates = outcome.calibration, outcome.candidates
    failed = [c for c in candidates if math.isinf(c.objective)]
    moments = calibration.moments
    start = "fails" if outcome.before is None else f"{objective(moments, outcome.before):.1f}"
    lines = [
        "## Search",
        "",
        f"CMA-ES looks around, Gauss-Newton goes down: {len(candidates)} candidates on {calibration.search.seeds} seeds from {calibration.search.first_seed}, the same for all; "
        f"the scenario as it stands is the first of them. The best is number {outcome.best.number}. Objective, on the seeds of the search: "
        f"{_objective_of(candidates[0].objective)} as it stands, {outcome.best.objective:.1f} found, of which {pulled(outcome):.1f} for having moved; on {len(calibration.fresh)} fresh seeds from "
        f"{calibration.fresh[0]}: {start} as it stands, {objective(moments, outcome.after):.1f} found. The last is the one to believe: "
        "the search has chosen among noise, too.",
        "",
    ]
    if len(ways := _beginnings(candidates)) > 1:
        lines += [
            f"It began {len(ways)} times, first at the scenario as it stands, then anywhere, and came to {', '.join(ways)}.",
            "",
        ]
    if failed:
        lines += [f"{len(failed)} candidates stopped with a fault and count as infinitely bad:", ""]
        messages = [c.message for c in failed]
        lines += [
            f"- {messages.count(text)} times, first candidate {failed[messages.index(text)].number}: {text}"
            for text in dict.fromkeys(messages)
        ]
        lines += [""]
    before, after = calibration.values(calibration.start), calibration.values(outcome.best.at)
    rows = []
    for axis, reason, u in zip(calibration.axes, calibration.reasons, outcome.best.at, strict=True):
        edge = "at the lower end" if u < _EDGE else "at the upper end" if u > 1.0 - _EDGE else ""
        rows.append(
            (
                f"`{axis.path}`",
                f"{before[axis.path]:g}",
                f"{after[axis.path]:.4g}",
                f"{axis.low:g} to {axis.high:g}",
                edge,
                reason,
            )
        )
    return [*lines, *table(("parameter", "as it stands", "found", "range", "", "why it is free"), rows), ""]


def pulled(outcome: Outcome) -> float:
    """Return the part of the best candidate's objective that is for having moved."""
    return float((outcome.calibration.pulls(outcome.best.at) ** 2).sum())


def _beginnings(candidates: list[Candidate]) -> list[str]:
    """Return the least objective that each beginning came to, in words."""
    numbers = sorted({c.beginning for c in candidates} - {0})
    return [_objective_of(min(c.objective for c in candidates if c.beginning == k)) for k in numbers]


def _objective_of(value: float) -> str:
    return "a fault" if math.isinf(value) else f"{value:.1f}"


def _reached(outcome: Outcome) -> list[str]:
    rows = []
    for k, m in enumerate(outcome.calibration.moments):
        after = outcome.after[:, k]
        before = None if outcome.before is None else outcome.before[:, k]
        off = m.residual(m.over(after)) / math.sqrt(m.weight)
        said = "yes" if abs(off) <= _REACHED else "too high" if off > 0 else "too low"
        rows.append((m.name, recorded(m), _spread(m, before), _spread(m, after), f"{off:+.1f}", said))
    heads = ("moment", "recorded", "as it stands [10 %, 90 %]", "found [10 %, 90 %]", "standard errors off", "reached")
    reached = [row[-1] for row in rows].count("yes")
    return [
        "## What was reached in sample",
        "",
        f"On the fresh seeds. {reached} of {len(rows)} moments are within {_REACHED:g} standard errors of the record.",
        "",
        *table(heads, rows),
        "",
    ]


def _held_out(found: Forecast, figure: str) -> list[str]:
    rows = []
    for k, (m, inside) in enumerate(zip(found.moments, found.inside(), strict=True)):
        low, middle, high = (show(x, m.unit) for x in found.band(k))
        below = float((found.runs[:, k] < m.middle).mean())
        rows.append(
            (m.name, recorded(m), f"{middle} [{low}, {high}]", "yes" if inside else "no", f"{below:.0%}", m.source)
        )
    held = found.inside().count(True)
    return [
        "## What was reached out of sample",
        "",
        f"![Forecast of what was held out]({figure})",
        "",
        f"{held} of {len(rows)} records lie inside the 10-90 % band over seeds; about {0.8 * len(rows):.0f} would if the model, this scenario and the "
        "record agreed. Months of one series are not independent. The bands hold the draws of a run, not the uncertainty of the parameters. "
        "What was held out is new to the search, not to whoever chose the rest of the scenario.",
        "",
        *table(
            ("record", "recorded", "forecast: median [10 %, 90 %]", "inside", "runs below the record", "source"), rows
        ),
        "",
    ]


def verdict(left: float, share: float) -> str:
    """Return in words what the moments make of a parameter.

    ``left`` is the share of its prior spread that the derivatives leave, ``share`` that of its range which the profile
    leaves within one of the best: where the moments are curved the second sees more than the first.
    """
    if left <= PINNED:
        return "pinned"
    return "in part" if left <= PARTLY or share <= PINNED else "assumption"


def verdicts(found: Identification) -> list[str]:
    """Return the verdict on each parameter."""
    return [
        verdict(float(x), high - low)
        for x, (low, high) in zip(found.left, (p.within(_TELLS) for p in found.profiles), strict=True)
    ]


def within(outcome: Outcome, k: int) -> str:
    """Return the part of the range where the profile stays within one of the best, in the parameter's unit."""
    calibration, found = outcome.calibration, outcome.identification
    low, high = found.profiles[k].within(_TELLS)
    if math.isnan(low):
        return "-"
    path = calibration.axes[k].path
    ends = [calibration.values(with_part(outcome.best.at, k, x))[path] for x in (low, high)]
    return f"{ends[0]:.3g} to {ends[1]:.3g}"


def _identified(outcome: Outcome, figure: str) -> list[str]:
    found, calibration = outcome.identification, outcome.calibration
    rows = []
    says = verdicts(found)
    for k, axis in enumerate(calibration.axes):
        by = [calibration.moments[m].name for m in found.pinned_by(k)]
        rows.append(
            (
                f"`{axis.path}`",
                f"{found.left[k]:.0%}",
                says[k],
                within(outcome, k),
                "; ".join(by) or ("-" if says[k] == "assumption" else "several at once"),
            )
        )
    heads = ("parameter", "spread left", "the data say", "within one of the best", "pinned by")
    return [
        "## Identifiability",
        "",
        f"![Profiles of the objective and singular values]({figure})",
        "",
        f"Derivatives of the moments at the best candidate, central differences over {len(calibration.fresh)} fresh seeds, the same at both ends. "
        "*Spread left* is the standard deviation of a parameter after the moments over that before, when all that is known before is the range "
        f"(0 %: known exactly, 100 %: nothing learnt); up to {PINNED:.0%} counts as pinned, up to {PARTLY:.0%} as pinned in part. "
        "*Within one of the best*: where the lowest objective of the moments found with this parameter held stays within one of its own least; the other parameters are held, or "
        "moved by one step that the derivatives propose, so the true part of the range is at least as wide. Where that is at most half of the range, while the derivatives "
        "see little, the data say *in part*: the moments are curved, or the seeds of the search rough. *Pinned by*: moments without which at least "
        "five points more would be left.",
        "",
        *table(heads, rows),
        "",
        *_converged(outcome),
        *_directions(found, [axis.path for axis in calibration.axes]),
        *_derivatives(found, calibration.moments, [axis.path for axis in calibration.axes]),
    ]


def _converged(outcome: Outcome) -> list[str]:
    """Return a warning if the profiles found more than the search."""
    least = outcome.identification.least
    reached = outcome.best.objective - pulled(outcome)
    if least >= reached - _TELLS:
        return []
    return [
        f"The profiles came to an objective of {least:.1f} on the seeds of the search, lower than the {reached:.1f} of its best: "
        "the search was not at its end; give it a larger budget.",
        "",
    ]


def _directions(found: Identification, names: list[str]) -> list[str]:
    rows = []
    for k, (value, low, high) in enumerate(found.singular):
        parts = found.directions[k]
        order = [j for j in np.argsort(-np.abs(parts)) if abs(parts[j]) >= _PART][:_NAMED]
        sign = 1.0 if not order or parts[order[0]] > 0 else -1.0
        words = ", ".join(f"{sign * parts[j]:+.2f} `{names[j]}`" for j in order) if value > 0.0 else "-"
        rows.append((str(k + 1), f"{value:.2f} [{low:.2f}, {high:.2f}]", "yes" if value >= 1.0 else "no", words))
    stiff = int((found.singular[:, 0] >= 1.0).sum())
    return [
        f"Singular values of these derivatives (parameters in shares of their ranges, moments in standard errors): {stiff} of {len(names)} directions move the "
        "moments by a standard error or more over the whole range; the others are sloppy.",
        "",
        *table(("", "singular value [95 %]", "seen", "direction"), rows),
        "",
    ]


def _derivatives(found: Identification, moments: tuple[Moment, ...], names: list[str]) -> list[str]:
    rows = []
    for k, name in enumerate(names):
        cells = [f"{found.jacobian[m, k]:+.1f}" if found.clear[m, k] else "." for m in range(len(moments))]
        rows.append((f"`{name}`", *cells))
    return [
        "Which moment moves with which parameter: standard errors over the whole range, a dot where the derivative is within two of its own standard errors of zero.",
        "",
        *table(("", *(m.name for m in moments)), rows),
        "",
    ]


def _assumed(outcome: Outcome) -> list[str]:
    found, names = outcome.identification, [axis.path for axis in outcome.calibration.axes]
    by = {
        word: [f"`{n}`" for n, x in zip(names, verdicts(found), strict=True) if x == word]
        for word in ("pinned", "in part", "assumption")
    }
    edges = [f"`{n}`" for n, u in zip(names, outcome.best.at, strict=True) if u < _EDGE or u > 1.0 - _EDGE]
    off = [
        m.name
        for k, m in enumerate(outcome.calibration.moments)
        if abs(m.residual(m.over(outcome.after[:, k]))) > _REACHED * math.sqrt(m.weight)
    ]
    lines = [
        "## What stays an assumption",
        "",
        f"- Pinned by the data: {', '.join(by['pinned']) or 'none'}. In part: {', '.join(by['in part']) or 'none'}.",
        f"- Assumptions still, because the data hardly narrow their ranges: {', '.join(by['assumption']) or 'none'}.",
        "- Every parameter that is not free, and the ranges: what has no source is marked as an assumption in the table of parameters (docs/odd.md).",
    ]
    if edges:
        lines.append(f"- At an end of the range, so that the range decides: {', '.join(edges)}.")
    if off:
        lines.append(f"- Not reached, so that the model or a record is wrong there: {'; '.join(off)}.")
    return lines


def summary(outcome: Outcome) -> list[tuple[str, str, str, str]]:
    """Return rows for the terminal: parameter, as it stands, found, what the data say."""
    calibration = outcome.calibration
    before, after = calibration.values(calibration.start), calibration.values(outcome.best.at)
    return [
        (a.path, f"{before[a.path]:g}", f"{after[a.path]:.4g}", f"{word} ({left:.0%} left)")
        for a, word, left in zip(
            calibration.axes, verdicts(outcome.identification), outcome.identification.left, strict=True
        )
    ]
