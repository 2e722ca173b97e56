"""claims.md and its figures: verdicts, where they turn, the ranges, and how they were found."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure

from experiments.evidence.claims.catalogue import CLAIMS, Claim, check_arms
from experiments.evidence.claims.figures import draw_finding, draw_joint, draw_map
from experiments.evidence.claims.flips import IDLE_DRAWS, Reach, Trial
from experiments.evidence.claims.inference import FAMILY_ERROR
from experiments.evidence.claims.judge import Finding, examine
from experiments.evidence.claims.lab import Changes, Lab
from experiments.evidence.claims.ranges import Ranges, explore
from experiments.evidence.claims.spans import names_by_reason, unsourced
from simulation.scenario.faults import ConfigError, Fault
from simulation.scenario.scenario import Scenario

#: Flips named in the table of verdicts; the rest is counted there and listed below.
_NAMED = 3
#: Faults that are told one by one.
_FAULTS = 5
#: Characters of a list of changes: a joint point has hundreds.
_WIDE = 160


def chosen(keys: Iterable[str]) -> list[Claim]:
    """Return the claims with some keys, all of them if there are none. Raises ConfigError on an unknown one."""
    wanted = list(keys)
    known = [claim.key for claim in CLAIMS]
    unknown = [key for key in wanted if key not in known]
    if unknown:
        raise ConfigError(
            [Fault("--only", key, f"no claim has this name; there are {', '.join(known)}") for key in unknown]
        )
    return [claim for claim in CLAIMS if not wanted or claim.key in wanted]


def write_claims(
    folder: Path,
    base: Scenario,
    lab: Lab,
    runs: int,
    command: str,
    *,
    budget: int = 0,
    claims: Sequence[Claim] = CLAIMS,
    say: Callable[[str], None] = lambda text: None,
) -> Path:
    """Examine claims, look for flips within a ``budget`` of runs (0: no ranges), write claims.md; return the file."""
    check_arms(claims, base)
    images = folder / "images"
    images.mkdir(parents=True, exist_ok=True)
    found = []
    lab.stage = "arms"
    for claim in claims:
        finding = examine(claim, lab, runs)
        found.append(finding)
        _save(draw_finding(finding), images / f"claim_{claim.key}.svg")
        say(f"{claim.key}: {finding.verdict}: {_effect(finding)}")
    ranges = None
    if budget:
        spans, left_out = unsourced(base)
        verdicts = {f.claim.key: f.verdict for f in found}
        ranges = explore(lab, claims, verdicts, spans, runs, budget, base, left_out)
        _save(draw_joint(claims, ranges), images / "claims_joint.svg")
        _save(draw_map(claims, ranges), images / "claims_map.svg")
        for f in found:
            say(f"{f.claim.key}: {_verdict(f, ranges.reaches[f.claim.key])}")
    file = folder / "claims.md"
    file.write_text(_document(found, runs, command, ranges), encoding="utf-8")
    return file


def _save(figure: Figure, file: Path) -> None:
    """Write a figure; the same numbers give the same file."""
    with rc_context({"svg.hashsalt": "gpu-firesale"}):
        figure.savefig(file, metadata={"Date": None})


# --- words --------------------------------------------------------------------------------------------------------


def _effect(found: Finding) -> str:
    return _minus(f"{found.mean:+.3g} [{found.low:.3g}, {found.high:.3g}] {found.claim.unit}")


def _minus(text: str) -> str:
    return text.replace("-", "−")


def _turn(trial: Trial) -> str:
    """Return where a verdict turns, in words: "`market.calls_a_month` (flips at about 17 contacts)"."""
    if math.isfinite(trial.turns_at):
        return f"`{trial.span.name}` (flips at about {_with_unit(trial, trial.turns_at)})"
    return f"`{trial.span.name}` (flips by {_with_unit(trial, trial.u)})"


def _with_unit(trial: Trial, u: float) -> str:
    several = len(trial.span.paths) > 1 or trial.span.unit in ("ratio", "share")
    return _minus(trial.span.words(u)) + ("" if several else f" {trial.span.unit}")


def _some(words: Iterable[str]) -> str:
    """Return the first few of some words, and how many more there are."""
    found = list(words)
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return ", ".join(found[:_NAMED]) + more


def _verdict(found: Finding, reach: Reach) -> str:
    """Return the verdict in words: with what it depends on, or what decides it where the base does not."""
    verdict = reach.verdict(found.verdict)
    if reach.origin.side:
        # Where it turns at both ends of a range, the nearer place stands for both.
        first = {trial.span.name: trial for trial in reversed(reach.flips)}
        nearest = sorted(first.values(), key=reach.flips.index)
        return f"depends on {_some(map(_turn, nearest))}" if nearest else verdict
    sides = [
        f"{words} with {_some(f'`{trial.span.name}` at {_with_unit(trial, trial.u)}' for trial in own)}"
        for words, side in (("holds", 1), ("does not hold", -1))
        if (own := [trial for trial in reach.flips if trial.shown == side])
    ]
    return "; ".join([verdict, *sides])


def _share(found: Finding, ranges: Ranges) -> str:
    """Return at which share of the joint points the sign of the verdict at the base stands."""
    together = ranges.joint.together.get(found.claim.key)
    if together:
        mean, low, high = together
        return _minus(f"all points together {mean:+.3g} [{low:.3g}, {high:.3g}] {found.claim.unit}")
    share = ranges.joint.shares[found.claim.key]
    if not math.isfinite(share.share):
        return "not defined"
    if ranges.reaches[found.claim.key].origin.side < 0:
        return f"{100 * (1 - share.share):.0f} % [{100 * (1 - share.high):.0f}, {100 * (1 - share.low):.0f}]"
    return f"{100 * share.share:.0f} % [{100 * share.low:.0f}, {100 * share.high:.0f}]"


# --- the document -------------------------------------------------------------------------------------------------


def _document(found: list[Finding], runs: int, command: str, ranges: Ranges | None) -> str:
    lines = [
        "# Claims, tested",
        "",
        f"Generated by `{command}`: {runs} runs an arm, all arms on the same draws; intervals are 95 % bootstrap intervals of the paired",
        "contrast: of its mean unless the claim says otherwise. At the base a claim *holds* when the whole interval lies above the least effect that counts, *does not hold* when the whole interval lies",
        "below it, and is *not decided* when the interval contains both: more runs (`--scale`) may decide. All of it is about this model and its base, not about the world.",
        "",
    ]
    lines += _summary_of_ranges(found, ranges) if ranges else _summary_at_base(found)
    for f in found:
        lines += _section(f, ranges)
    if ranges:
        lines += _method(ranges) + _table_of_ranges(ranges)
    return "\n".join(lines) + "\n"


def _summary_at_base(found: list[Finding]) -> list[str]:
    return [
        "How far the verdicts reach when parameters without a source move is not told here: `firesale claims --ranges` does.",
        "",
        "| claim | verdict | effect |",
        "|---|---|---|",
        *(f"| [{f.claim.claim}](#{f.claim.key}) | {f.verdict} | {_effect(f)} |" for f in found),
    ]


def _summary_of_ranges(found: list[Finding], ranges: Ranges) -> list[str]:
    tried = len(ranges.spans) - len(ranges.idle)
    rows = []
    for f in found:
        reach = ranges.reaches[f.claim.key]
        open_ = f"{len(reach.open)} of {reach.ends}" if reach.origin.side else "none to lose"
        rows.append(
            f"| [{f.claim.claim}](#{f.claim.key}) | {_verdict(f, reach)} | {_effect(f)} | {open_} | {_share(f, ranges)} |"
        )
    return [
        f"A verdict is more than its interval: each claim was tried at both ends of the [ranges](#ranges) of {tried} parameters that have no source. A claim *depends* on a parameter when its",
        "verdict turns within that range, whatever its interval at the base; *holds* and *does not hold* mean that no flip was shown. *Not settled* counts the ends at which these runs can neither",
        "show nor exclude a flip. *Joint*: all ranges at once, the share of points at which the effect lies on the side of the verdict (for what is not decided: above what counts). [How](#method)",
        "",
        "| claim | verdict | effect at the base | not settled | joint |",
        "|---|---|---|---|---|",
        *rows,
        "",
        "![share of joint points](images/claims_joint.svg)",
        "",
        "![where verdicts turn](images/claims_map.svg)",
    ]


def _section(f: Finding, ranges: Ranges | None) -> list[str]:
    c = f.claim
    words = {"holds": c.holds, "does not hold": c.fails}.get(
        f.verdict, "The interval contains effects that count and effects that do not."
    )
    at_base = f"At the base: {f.verdict}. " if ranges and ranges.reaches[c.key].flips else ""
    verdict = ranges.reaches[c.key].verdict(f.verdict) if ranges else f.verdict
    arms = "; ".join(_minus(f"{label} {m:.3g} [{low:.3g}, {high:.3g}]") for label, (m, low, high) in f.arms.items())
    lines = [
        "", f"<a id=\"{c.key}\"></a>", f"## {c.claim}", "", f"*{c.question}?*".replace("??", "?"), "",
        f"**{verdict[0].upper() + verdict[1:]}.** {at_base}{words} Effect: {_effect(f)} (counts from {c.least:g}). {f.notes}".rstrip(), "",
        f"By arm ({c.arm_words}): {arms}.", "", f"![{c.measure}](images/claim_{c.key}.svg)",
    ]  # fmt: skip
    return lines + (_flips(f, ranges.reaches[c.key]) if ranges else [])


def _flips(f: Finding, reach: Reach) -> list[str]:
    """Return the table of flips of one claim, and the ends at which it is not settled."""
    lines = []
    if reach.flips:
        lines += [
            "",
            f"| parameter | base | end of the range | effect there, {f.claim.unit} | flips at about |",
            "|---|---|---|---|---|",
        ]
        for trial in reach.flips:
            span = trial.span
            place = span.words(trial.turns_at) if math.isfinite(trial.turns_at) else "not located"
            if not reach.origin.side:
                place = f"{'above' if trial.shown > 0 else 'below'} what counts there"
            lines.append(
                f"| `{span.name}` | {span.words(0.0)} | {span.words(trial.u)} | {_minus(f'{trial.effect:.3g}')} | {place} |"
            )
    if reach.open and len(reach.open) < reach.ends:
        names = dict.fromkeys(trial.span.name for trial in reach.open)
        listed = ", ".join(f"`{name}`" for name in names)
        lines += ["", f"<details><summary>Not settled at an end of {len(names)} ranges</summary>{listed}</details>"]
    elif reach.open:
        lines += ["", "Not settled at any end."]
    return lines


def _method(ranges: Ranges) -> list[str]:
    joint, missed = ranges.joint, sum(reach.missed for reach in ranges.reaches.values())
    lines = [
        "", '<a id="method"></a>', "## How the ranges were searched", "",
        f"{ranges.spent:,} runs of a budget of {ranges.budget:,} (`--budget`); all claims read the same runs, all arms and ends see the same draws.",
        "",
        f"1. *Screen*: both ends of every range, at least {ranges.screened} draws, each compared with the base on the same draws. How far the ends of one claim stray is estimated from all of them together",
        "   (most a little, some, at least one in twenty, as far as the threshold), and noise is shrunk by that; variances are drawn toward their common mean (Smyth 2004).",
        "2. *Test*: an end that leans to a flip is played again on draws that nothing has looked at. The p-value has one more run that came out as adversely as the most adverse run at the base, so that",
        f"   rare events that did not happen prove nothing. Holm's method keeps the chance of *any* false flip in this document at {100 * FAMILY_ERROR:.0f} %, over all claims, ends, looks and rounds.",
        "   Where a flip is neither likely nor excluded (chance above 2 %) draws are doubled, the likeliest first, as long as the budget lasts.",
        f"   Among all the flips that were excluded {missed:.1f} are expected to be there.",
        "3. *Place*: the way from the base to the end is halved until the effect is within one standard error of what counts: \"about\" is meant.",
        f"4. *Joint*: {joint.points} points of a Latin hypercube over all ranges, {joint.draws} draws each (points that the scenario forbids, {joint.forbidden}, were drawn anew). The share is corrected for the noise of so few draws;",
        "   its interval is over points. A claim on the worst runs has no verdict at a point: its effect is that of all points together.",
        "",
        "What this cannot see: a verdict that turns and turns back between two ends; two parameters that turn it only together (the joint share tells that there are such, not which).",
    ]  # fmt: skip
    if ranges.failures:
        total = sum(n for _, _, n in ranges.failures)
        lines += ["", f"{total} runs stopped with a fault and are left out:", ""]
        lines += [f"- {n} runs: {_brief(changes)}: {message}" for changes, message, n in ranges.failures[:_FAULTS]]
    return lines


def _brief(changes: Changes) -> str:
    text = ", ".join(f"{path}={value}" for path, value in changes.items()) or "the base"
    return f"`{text}`" if len(text) <= _WIDE else f"`{text[:_WIDE]}...`"


def _table_of_ranges(ranges: Ranges) -> list[str]:
    lines = [
        "", '<a id="ranges"></a>', "## The ranges", "",
        "Parameters whose declaration names no source. Unless the declaration gives a range of its own they are halved and doubled; of a share neither it nor what is missing to one moves by more than a",
        "factor of two. Where several kinds of agent, or all ends of a range, share a declaration, they move together.",
        "", "| parameter | base | from | to | unit | why this range |", "|---|---|---|---|---|---|",
    ]  # fmt: skip
    for span in ranges.spans:
        why = span.reason + (
            f" (moves nothing in any arm on the first {IDLE_DRAWS} draws: set aside)" if span in ranges.idle else ""
        )
        lines.append(
            f"| `{span.name}` | {_minus(span.words(0.0))} | {_minus(span.words(-1.0))} | {_minus(span.words(1.0))} | {span.unit} | {why.strip()} |"
        )
    lines += ["", "Numbers, choices and flags without a source that are left out:", ""]
    lines += [
        f"- {reason}: {', '.join(f'`{name}`' for name in names)}" for reason, names in names_by_reason(ranges.left_out)
    ]
    return lines
