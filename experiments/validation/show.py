"""What came out, as a table on the terminal, JSON, and Markdown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments.validation.check import Check
from experiments.validation.stress import Scaled

HEADS = ("model", "case", "expected", "got", "tolerance", "verdict")


#: What the models are called, by the letter of their file.
MODELS = {
    "a": "Clearing (Eisenberg-Noe, Rogers-Veraart)",
    "b": "Fire-sale equilibria (Cifuentes-Ferrucci-Shin, Amini-Filipovic-Minca, Feinstein, Breuer et al.)",
    "c": "Default windows (Gai-Kapadia)",
    "d": "Common assets (Caccioli et al.)",
    "e": "Deleveraging (Greenwood-Landier-Thesmar, Cont-Schaanning)",
    "f": "DebtRank (Battiston, Bardoscia)",
    "g": "Call auctions, cash in the market",
    "h": "Leverage cycle (Geanakoplos)",
    "i": "Leveraged funds (Thurner-Farmer-Geanakoplos)",
    "j": "System-wide stress test (Farmer et al.)",
}


def shown(value: Any) -> str:
    """Return a value in a table: ten digits of a number, other things as they are."""
    if value is None:
        return "none"
    if isinstance(value, float) and not isinstance(value, bool):
        return f"{value:.10g}"
    text = str(value)
    return text if len(text) <= 24 else text[:21] + "..."


def table_row(check: Check) -> tuple[str, ...]:
    """Return one row of the table: the quantity of the case that is nearest to (or farthest beyond) its tolerance."""
    worst = check.worst
    if worst is None:
        return (check.case.model, check.case.id, "", check.note, "", check.verdict)
    allowed = "exact" if worst.allowed == 0 else ("any" if math.isinf(worst.allowed) else f"{worst.allowed:.2g}")
    name = f"{_short(worst.name)} = " if len(check.quantities) > 1 else ""
    return (check.case.model, check.case.id, f"{name}{shown(worst.expected)}", shown(worst.got), allowed, check.verdict)


def _short(name: str) -> str:
    """Return the last parts of a long name: which number of a table it is."""
    return name if len(name) <= 34 else "..." + name[-31:]


def summary(checks: Sequence[Check]) -> str:
    """Return one sentence: how many cases and numbers, how many of them agree."""
    count = {v: sum(c.verdict == v for c in checks) for v in ("pass", "fail", "unknown form")}
    numbers = sum(len(c.quantities) for c in checks)
    parts = [f"{count['pass']} of {len(checks)} cases pass ({numbers:,} values compared)"]
    parts += [
        f"{count[v]} {words}"
        for v, words in (("fail", "fail"), ("unknown form", "of unknown form, not checked"))
        if count[v]
    ]
    return "; ".join(parts)


def as_json(checks: Sequence[Check]) -> list[dict[str, Any]]:
    """Return the checks with every compared quantity, ready for JSON."""

    def plain(value: Any) -> Any:
        if isinstance(value, np.generic):
            value = value.item()
        return None if isinstance(value, float) and not math.isfinite(value) else value

    return [
        {
            "model": c.case.model,
            "case": c.case.id,
            "title": c.case.title,
            "file": c.case.file,
            "verdict": c.verdict,
            "seconds": round(c.seconds, 4),
            "note": c.note,
            "not_compared": c.passed_over,
            "quantities": [
                {
                    "name": q.name,
                    "expected": plain(q.expected),
                    "got": plain(q.got),
                    "tolerance": plain(q.allowed),
                    "error": plain(q.error),
                    "holds": q.holds,
                }
                for q in c.quantities
            ],
        }
        for c in checks
    ]


def markdown(checks: Sequence[Check]) -> str:
    """Return the table as Markdown, one section a model."""
    lines = [f"{summary(checks)}. One row a case: the value that comes nearest to its tolerance.", ""]
    for model in dict.fromkeys(c.case.model for c in checks):
        lines += [
            f"### {MODELS.get(model, model)}",
            "",
            "| case | what | values | expected | got | tolerance | verdict |",
            "|---|---|---|---|---|---|---|",
        ]
        for c in checks:
            if c.case.model == model:
                _, name, expected, got, allowed, verdict = table_row(c)
                title = c.case.title.replace("|", "/")
                lines.append(f"| {name} | {title} | {len(c.quantities)} | {expected} | {got} | {allowed} | {verdict} |")
        lines.append("")
    return "\n".join(lines)


def scaled_lines(result: Scaled) -> list[str]:
    """Return what ``--scaled`` prints."""
    return [
        f"institutions x assets x steps: {result.institutions} x {result.assets} x {len(result.failures)}",
        f"defaults: {int(result.failures.sum())} ({', '.join(str(int(n)) for n in result.failures)} by step)",
        f"fraction sold: {result.sold[-1]:.10f}",
        f"milliseconds: {result.milliseconds:.3f}",
        f"in plain NumPy: {result.numpy_milliseconds:.3f} ms, {result.numpy_milliseconds / result.milliseconds:.1f} times as long; largest difference of the fractions {result.difference:.1e}",
    ]
