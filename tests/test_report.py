"""The figures and the report of a run: complete, self-contained, true to the flows, and made in empty cases too."""

from __future__ import annotations

import re

import numpy as np
import pytest

from experiments.run import report
from experiments.run.figures import all as figures
from experiments.run.figures import cascade, order_book
from simulation import load_scenario, run
from simulation.scenario.config import set_path
from tests.conftest import BASE_FILE


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    folder = tmp_path_factory.mktemp("short")
    result = run(load_scenario(BASE_FILE, {"run.months": 6}), seed=2)
    return result, folder, report.write_report(folder, result)


@pytest.fixture(scope="module")
def stressed(tmp_path_factory):
    """A run whose rents start at a third of the base, so that operators default; with a backstop as its twin."""
    folder = tmp_path_factory.mktemp("stressed")
    scenario = load_scenario(BASE_FILE, {"run.months": 36, "rental.rent": 0.9, "credit.initial_debt": 0.7})
    twin = set_path(scenario, {"policy.backstop.capacity": 2e9})
    result = run(scenario, seed=21, twin=twin)
    return result, folder, report.write_report(folder, result)


@pytest.mark.parametrize("case", ["short", "stressed"])
def test_figures_exist(case, request):
    _, folder, _ = request.getfixturevalue(case)
    for drawing in figures.DRAWINGS:
        for suffix, start in (("png", b"\x89PNG"), ("svg", b"<?xml")):
            content = (folder / "figures" / f"{drawing.name}.{suffix}").read_bytes()
            assert content.startswith(start)
            assert len(content) > 1000


@pytest.mark.parametrize("case", ["short", "stressed"])
def test_report_loads_nothing(case, request):
    result, _, file = request.getfixturevalue(case)
    page = file.read_text(encoding="utf-8")
    assert not re.search(r"https?://|src=|@import|<script|<link", page)
    targets = re.findall(r"""(?:href="|url\(["']?)([^"')]+)""", page)
    assert targets and all(target.startswith("#") for target in targets)
    assert page.count("<svg") == len(figures.DRAWINGS)
    assert result.scenario.title in page
    assert ">nan" not in page and "None" not in re.sub(r"<svg.*?</svg>|<p>None: every", "", page, flags=re.S)


@pytest.mark.parametrize("case", ["short", "stressed"])
def test_flow_of_funds_closes(case, request):
    result, *_ = request.getfixturevalue(case)
    matrix, closing = report.flow_of_funds(result)
    assert matrix.to_numpy().sum() == pytest.approx(result.flows.to_numpy().sum(), rel=1e-12)
    assert matrix.to_numpy().sum() > 0
    for sector, row in closing.iterrows():
        assert row["inflow"] == pytest.approx(matrix[sector].sum())
        assert row["outflow"] == pytest.approx(matrix.loc[sector].sum())
    assert np.abs(closing["residual"]).max() < 1.0 + 1e-9 * matrix.to_numpy().sum()


def test_defaults_are_told(stressed):
    result, _, file = stressed
    assert result.summary["defaults"] > 0
    page = file.read_text(encoding="utf-8")
    first = result.events[result.events["kind"] == "default"].iloc[0]
    assert f"{first['node_name']} defaulted on" in page
    assert "twin: " in page and "policy.backstop.capacity" in page
    tree = cascade.worst_cascade(result)
    assert tree.size == result.summary["cascade_max"]
    assert len(tree.graph) <= cascade.TREE_NODES + 10
    assert all(tree.graph.in_degree(node) <= 1 for node in tree.graph)


def test_book_falls_and_is_finite(stressed):
    result, *_ = stressed
    _, books = order_book.read_books(result)
    assert books
    for _, book in books:
        assert (np.diff(book.limit) <= 0).all()
        assert np.isfinite(book.units).all() and (book.units > 0).all()


def test_book_is_the_one_that_the_panel_measures(stressed):
    result, *_ = stressed
    chip, books = order_book.read_books(result)
    recorded = result.chip_panel
    assert books
    for _, book in books:
        row = recorded[recorded["month"] == book.month].iloc[chip]
        near = book.limit >= 0.9 * row["best_bid"]
        assert book.units[near].sum() == pytest.approx(row["depth_units"], rel=1e-9)


def test_one_month_without_debt_or_default(tmp_path):
    scenario = load_scenario(BASE_FILE, {"run.months": 1, "credit.initial_debt": 0})
    result = run(scenario, seed=3, amplification=False)
    page = report.write_report(tmp_path, result).read_text(encoding="utf-8")
    assert np.isnan(result.summary["amplification"])
    assert "No operator defaulted" in page and ">nan" not in page
    assert cascade.worst_cascade(result) is None
