"""A study on a disk: its text and the files that it reads, by names that hold wherever the folder is moved to."""

from __future__ import annotations

import atexit
import hashlib
import io
import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agents.rule import source_hash
from experiments.inputs import FOLDER, Input, inputs, kept, named_files, names, with_files
from experiments.sweeps.points import points_csv
from experiments.sweeps.store import Store, StoreError, versions
from experiments.sweeps.study import Study, read_study
from simulation.scenario.config import scenario_hash, scenario_to_yaml, set_path
from simulation.scenario.faults import ConfigError
from simulation.scenario.kept import kept as once
from simulation.scenario.scenario import Scenario
from simulation.world.inputs.inputs import recorded

#: From so many points on a list is kept as a CSV file: YAML takes a millisecond a point to read.
_MANY_POINTS = 500


def study_hash(study: Study) -> str:
    """Return 16 hex digits of all that decides the results: scenario, design, draws, what is recorded, files by content."""
    found = _own_files(study)
    there = _renamed(study, lambda path: found[path].sha256)
    # The points of a list have no order of parameters.
    points = there.points if study.plan.sweep.design == "list" else [list(p.items()) for p in there.points]
    text = json.dumps(
        [scenario_hash(study.scenario), there.plan.model_dump(mode="json", exclude={"report"}), points],
        sort_keys=True,
        default=str,
    )
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def shown(study: Study) -> Study:
    """Return a study whose points name files as the table of runs does: not by where they lie."""
    found = _own_files(study)
    return _renamed(study, lambda path: found[path].name) if found else study


@once
def point_names(study: Study) -> Callable[[int], dict[str, Any]]:
    """Return a function that gives the changes of a point as the table of runs has them."""
    found = _own_files(study)
    return lambda point: (
        with_files(study.points[point], lambda path: found[path].name) if found else study.points[point]
    )


def manifest(study: Study, chunk: int, command: str) -> dict[str, Any]:
    """Return what a sweep's folder says of itself."""
    there = shown(study)
    return {
        "study": study_hash(study), "sources": source_hash(), "chunk": chunk, "title": study.scenario.title, "runs": study.runs,
        "points": len(study.points), "replications": study.plan.replications, "seeds": study.plan.seeds, "design": study.plan.sweep.design,
        "parameters": {a.path: list(a.values) or [a.low, a.high] for a in there.axes},
        "plan": there.plan.model_dump(mode="json", exclude={"sweep": {"points"}}),
        "inputs": {file.name: file.sha256 for file in _all_files(study)}, "tables": recorded(study.scenario_at(0)),
        "command": command, "started": datetime.now(UTC).isoformat(timespec="seconds"), "versions": versions(),
    }  # fmt: skip


def study_files(study: Study) -> dict[str, bytes]:
    """Return what is kept beside the text of a study: name and content."""
    points = _points_file(study)
    files = {file.name: file.content for file in _all_files(study) if file.content is not None}
    return files | ({} if points is None else {points[0]: points[1]})


def study_text(study: Study) -> str:
    """Return the config of a study with every parameter of the scenario written out; reading it gives the same study."""
    from ruamel.yaml import YAML

    given = shown(study).plan.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    points = _points_file(study)
    if points is not None:
        given["sweep"]["points"] = points[0]
    text = io.StringIO()
    yaml: Any = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    # Parameters keep their order: points and indices are told apart by it.
    yaml.sort_base_mapping_type_on_output = False
    if given:
        yaml.dump(given, text)
    return scenario_to_yaml(study.scenario, names(study.scenario, inputs(study.scenario))) + text.getvalue()


def stored_study(place: str) -> Study:
    """Return the study of a sweep's folder; the files that it reads are those of the folder. Raises StoreError."""
    store = Store(place)
    written = store.manifest()
    if written is None:
        raise StoreError(f"{place}: holds no sweep (no manifest.json)")
    if store.read("study.yaml") is None:
        raise StoreError(f"{place}: holds no sweep (no study.yaml)")
    folder = _fetched(store, written) if store.remote else Path(store.place)
    file = folder / "study.yaml"
    try:
        study = read_study(file)
    except ConfigError as error:
        raise StoreError(
            f"{str(error).replace(str(file), store.path('study.yaml'))}; it was written by another version"
        ) from None
    if study_hash(study) != written.get("study"):
        raise StoreError(
            f"{store.path('study.yaml')}: is not the study that was run here: go on with the sweep (the same command) or run it anew"
        )
    return study


def scenario_of(place: str, run: int) -> tuple[Scenario, Scenario | None, int, int]:
    """Return (scenario, twin or None, seed, replication) of a run that is stored. Raises StoreError."""
    study = stored_study(place)
    if run >= study.runs:
        raise StoreError(f"{place}: has runs 0 to {study.runs - 1}, not {run}")
    point, seed, replication = study.draw(run)
    scenario = study.scenario_at(point)
    return scenario, set_path(scenario, study.plan.twin, "twin") if study.plan.twin else None, seed, replication


def _fetched(store: Store, written: Mapping[str, Any]) -> Path:
    """Return a folder of this machine with the study of a URL and its files; it lasts as long as the process."""
    folder = Path(tempfile.mkdtemp(prefix="gpu-firesale-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    listed = [name for name in written.get("inputs", {}) if name.startswith(f"{FOLDER}/")]
    for name in ["study.yaml", *listed, *store.names(FOLDER)]:
        data = store.read(*name.split("/"))
        if data is not None:
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(data)
    return folder


def _own_files(study: Study) -> dict[str, Input]:
    """Return the files that the sections of the study name (design, twin, report), by where they lie."""
    plan = study.plan
    found = named_files([*study.points, plan.sweep.parameters, plan.twin, plan.report.against])
    return {path: kept(path) for path in found}


def _all_files(study: Study) -> list[Input]:
    """Return every file that some run of a study reads, once."""
    every = [*inputs(study.scenario).values(), *_own_files(study).values()]
    return list({file.name: file for file in every}.values())


def _renamed(study: Study, change: Callable[[str], str]) -> Study:
    """Return a study with every file in its design, twin and report named otherwise."""
    plan = study.plan
    sweep = plan.sweep.model_copy(
        update={
            "parameters": with_files(plan.sweep.parameters, change),
            "points": tuple(with_files(point, change) for point in plan.sweep.points),
        }
    )
    report = plan.report.model_copy(update={"against": with_files(plan.report.against, change)})
    axes = tuple(replace(a, values=tuple(with_files({a.path: a.values}, change)[a.path])) for a in study.axes)
    points = tuple(with_files(point, change) for point in study.points)
    new = plan.model_copy(update={"sweep": sweep, "twin": with_files(plan.twin, change), "report": report})
    return replace(study, plan=new, axes=axes, points=points)


def _points_file(study: Study) -> tuple[str, bytes] | None:
    """Return name and content of the CSV file of a long list of points; None where YAML holds them."""
    points = shown(study).plan.sweep.points
    text = points_csv(points) if len(points) >= _MANY_POINTS else None
    return None if text is None else (f"{FOLDER}/points-{hashlib.sha256(text).hexdigest()[:16]}.csv", text)
