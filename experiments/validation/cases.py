"""Case files: reading them, and cutting those that describe an experiment as a whole into cases."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

from simulation.scenario.faults import ConfigError, Fault

#: The cases that come with the project.
SHIPPED = Path(__file__).resolve().parents[2] / "configs" / "validation"


_FRACTION = re.compile(r"-?\d+(/\d+)?|-?\d*\.\d+")


class Case(NamedTuple):
    """One case: model (the letter of its file), id, title, inputs and expected values, absolute tolerance, its file."""

    model: str
    id: str
    title: str
    inputs: dict[str, Any]
    expected: dict[str, Any]
    tolerance: float
    file: str


def _refuse(file: Path, line: int, column: int, message: str) -> ConfigError:
    where = f"{file}:{line}:{column}" if line else str(file)
    return ConfigError([Fault(where, "", message)])


def _numbers(value: Any) -> Any:
    """Return ``value`` with exact rationals ("165/112") as floats, in whatever depth they stand."""
    if isinstance(value, dict):
        return {k: _numbers(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_numbers(v) for v in value]
    if isinstance(value, str) and _FRACTION.fullmatch(value):
        return float(Fraction(value))
    return value


def _read(file: Path) -> dict[str, Any]:
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise _refuse(file, 0, 0, f"is not text in UTF-8 ({error.reason})") from error
    try:
        doc = json.loads(text)
    except json.JSONDecodeError as error:
        raise _refuse(file, error.lineno, error.colno, f"is not JSON: {error.msg}") from error
    if not isinstance(doc, dict):
        raise _refuse(file, 1, 1, "must hold an object with the cases of one model")
    return doc


def load_cases(folder: Path = SHIPPED, only: set[str] | None = None) -> list[Case]:
    """Return the cases of all JSON files in ``folder`` (or of one file), in the order of their names.

    ``only`` keeps the models (letters) and the ids named. Raises :class:`ConfigError` where nothing can be read, where a
    file is no JSON object, and for names in ``only`` that do not occur.
    """
    if not folder.exists():
        raise _refuse(folder, 0, 0, "does not exist; name a folder of case files (*.json)")
    files = [folder] if folder.is_file() else sorted(folder.glob("*.json"))
    if not files:
        raise _refuse(folder, 0, 0, "holds no case files (*.json)")
    cases = [case for file in files for case in read_cases(file, _read(file))]
    if only:
        known = {c.model for c in cases} | {c.id for c in cases}
        unknown = sorted(only - known)
        if unknown:
            models = ", ".join(sorted({c.model for c in cases}))
            raise ConfigError([Fault("--only", "", f"no model or case {name!r}; models: {models}") for name in unknown])
        cases = [c for c in cases if c.model in only or c.id in only]
    return cases


def read_cases(file: Path, doc: dict[str, Any]) -> list[Case]:
    """Return the cases of the document of a file. Raises :class:`ConfigError` where a part has not the shape of one."""
    try:
        return _cases_of(file, doc)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        reason = f"lacks {error}" if isinstance(error, KeyError) else str(error)
        raise _refuse(file, 0, 0, f"is not laid out as a file of cases: {reason}") from error


def _cases_of(file: Path, doc: dict[str, Any]) -> list[Case]:
    """Return the cases of one document: those it lists, and those that its other parts amount to."""
    model = str(doc.get("oracle", file.stem.split("_")[0]))
    title = str(doc.get("title", file.stem))
    found = []

    def add(name: str, title: str, inputs: Any, expected: Any, tolerance: Any) -> None:
        if not isinstance(inputs, dict) or not isinstance(expected, dict):
            raise _refuse(file, 0, 0, f"case {name}: inputs and expected values must be objects")
        bound = tolerance if isinstance(tolerance, int | float) else 1e-9
        found.append(Case(model, name, title, _numbers(inputs), _numbers(expected), float(bound), file.name))

    listed = [*doc.get("cases", []), *doc.get("small_cases", [])]
    for k, case in enumerate(listed):
        if not isinstance(case, dict) or not {"inputs", "expected"} <= set(case):
            raise _refuse(file, 0, 0, f"case {k + 1} of the list must be an object with inputs and expected values")
        add(
            str(case.get("id", f"{model}-{k + 1}")),
            str(case.get("title", title)),
            case["inputs"],
            case["expected"],
            case.get("tolerance"),
        )
    if "monte_carlo" in doc:
        for group in _ensembles(doc):
            add(f"{model.upper()}-{group[0]}", title, group[1], group[2], 0.0)
    if "deterministic_case" in doc:
        case = doc["deterministic_case"]
        add(
            f"{model.upper()}-exact",
            f"{title}: round by round",
            case["inputs"],
            case["expected"],
            case.get("tolerance"),
        )
    if "network" in doc and isinstance(doc.get("expected"), dict):
        for name, part in _network_parts(doc):
            add(f"{model.upper()}-{name}", title, doc["network"], part, 1e-8)
    elif isinstance(doc.get("expected"), list):
        for sweep in dict.fromkeys(str(run.get("sweep", "runs")) for run in doc["expected"]):
            runs = [run for run in doc["expected"] if str(run.get("sweep", "runs")) == sweep]
            add(
                f"{model.upper()}-{sweep}",
                f"{title}: {len(runs)} runs",
                doc.get("inputs"),
                {"runs": runs},
                doc.get("tolerance"),
            )
    elif "inputs" in doc and "expected" in doc:
        expected = dict(doc["expected"])
        if "finite_agents" in doc:
            expected["finite_agents"] = doc["finite_agents"]
        add(f"{model.upper()}-1", title, doc["inputs"], expected, doc.get("tolerance"))
    if not found:
        # Said as a case of unknown form, never passed over.
        found.append(
            Case(
                model,
                file.stem,
                title,
                {k: v for k, v in doc.items() if k not in ("oracle", "title")},
                {},
                0.0,
                file.name,
            )
        )
    return found


def _ensembles(doc: dict[str, Any]) -> list[tuple[str, dict, dict]]:
    """Return the Monte Carlo tables of a document as (id, inputs, expected), one for each setting but the swept one."""
    swept = next((k for k in ("z", "mu_b") if k in doc["monte_carlo"][0]), "")
    known = {"frequency", "extent", "frequency_se", "mean_default_fraction", "R", swept}
    groups: dict[tuple, list[dict]] = {}
    for row in doc["monte_carlo"]:
        groups.setdefault(tuple((k, v) for k, v in row.items() if k not in known), []).append(row)
    return [
        (
            "-".join(str(v) for _, v in setting),
            {**doc.get("parameters", {}), **dict(setting), swept: [r[swept] for r in rows]},
            {"frequency": [r["frequency"] for r in rows], "extent": [r["extent"] for r in rows]},
        )
        for setting, rows in groups.items()
    ]


def _network_parts(doc: dict[str, Any]) -> list[tuple[str, dict]]:
    """Return the tables of expected values of a document about one network as (id, expected)."""
    parts = []
    for name, table in doc["expected"].items():
        if isinstance(table, dict):
            parts += [
                (f"{name}-{kind}".replace("default_of_each_bank-", ""), {name: {kind: rows}})
                for kind, rows in table.items()
            ]
        else:
            parts.append((name, {name: table}))
    published = {k: v for k, v in doc.get("published", {}).items() if "top10" in k}
    return [*parts, *((k, {k: v}) for k, v in published.items())]
