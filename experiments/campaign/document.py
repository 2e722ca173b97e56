"""What a campaign found, as rows for the terminal and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from experiments.campaign.campaign import Campaign, Failure
from experiments.campaign.check import FAILURES, REFUSED, SOUND
from experiments.campaign.draw import option

HEADS = ("draws", "runs", "refused", *FAILURES, SOUND, "ms a run")
#: Failures that are told one by one in a document, of each campaign.
_TOLD = 20
#: Parameters named where refusals come from.
_NAMED = 3


def rows(campaigns: Sequence[Campaign]) -> list[tuple[str, ...]]:
    """Return a row for each campaign: how its runs ended."""
    return [
        (
            c.kind,
            f"{c.runs:,}",
            f"{c.ends[REFUSED]:,}",
            *(f"{c.ends[end]:,}" for end in (*FAILURES, SOUND)),
            f"{1e3 * c.seconds / max(1, c.runs):.0f}",
        )
        for c in campaigns
    ]


def told(failure: Failure, config: str) -> str:
    """Return a failure in words and the command that shows it."""
    what = "settings as drawn" if failure.whole else "shortest list of settings"
    line = " ".join(
        filter(None, ("firesale campaign", config, f"--kind given --seed {failure.seed}", option(failure.changes)))
    )
    return f"{failure.outcome.end}: {failure.outcome.message} ({what}: {len(failure.changes)})\n  {line}"


def asides(c: Campaign) -> list[str]:
    """Return what is said of a campaign beside its counts: why draws were refused, losses above the peak of debt, the slowest run."""
    said = []
    if c.refused:
        named = ", ".join(f"`{path}` ({n:,})" for path, n in c.refused.most_common(_NAMED))
        said.append(f"Refused among the {c.kind} draws, mostly for what parameters forbid one another: {named}.")
    if c.beyond_peak:
        said.append(
            f"In {c.beyond_peak:,} of the {c.kind} runs losses exceed the largest debt at any one time: what was lent anew was lost again."
        )
    if c.slowest:
        seconds, number = c.slowest[0]
        said.append(f"The slowest of the {c.kind} runs took {seconds:.2f} s (number {number}).")
    return said


def verdict(campaigns: Sequence[Campaign]) -> str:
    """Return in a sentence how many runs failed."""
    played, failed = sum(c.played for c in campaigns), sum(c.failed for c in campaigns)
    return f"{failed:,} of {played:,} runs failed." if failed else f"None of {played:,} runs failed."


def markdown(campaigns: Sequence[Campaign], config: str) -> str:
    """Return counts with the date, where refusals come from, and every failure that is told."""
    lines = [f"{datetime.now(UTC).date():%d %B %Y}: {verdict(campaigns)}".lstrip("0"), ""]
    lines += [f"| {' | '.join(HEADS)} |", f"|---{'|---:' * (len(HEADS) - 1)}|"]
    lines += [f"| {' | '.join(row)} |" for row in rows(campaigns)]
    for c in campaigns:
        lines += [line for text in asides(c) for line in ("", text)]
        for failure in c.failures[:_TOLD]:
            said, command = told(failure, config).split("\n  ")
            lines += ["", f"- {said}", "", f"      {command}"]
        if len(c.failures) > _TOLD:
            lines += ["", f"And {len(c.failures) - _TOLD} more."]
    return "\n".join(lines)
