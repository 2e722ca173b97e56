"""Drivers, networks and users' own CSV files."""

from __future__ import annotations

import numpy as np
import pytest

from simulation.runs import play
from simulation.scenario.config import set_path
from simulation.scenario.faults import ConfigError
from simulation.world.build import build_world
from simulation.world.drivers import draw_paths, draw_stress
from tests.conftest import BASE, ROOT


@pytest.mark.parametrize("coupling", [0.0, 0.7, 1.0])
def test_entry_of_each_stress_does_not_depend_on_the_coupling(coupling):
    scenario = set_path(
        BASE,
        {
            "drivers.regimes.coupling": coupling,
            "drivers.regimes.entry": 0.1,
            "drivers.regimes.exit": 1.0,
            "drivers.regimes.first_month": 0,
        },
    )
    # With exit 1 a stress lasts one month: months after a calm one are independent trials.
    chains = draw_stress(scenario, np.random.default_rng(7).random((60_000, 3)))
    for chain in chains:
        calm = np.flatnonzero(chain[:-1] == 0) + 1
        assert chain[calm].mean() == pytest.approx(0.1, abs=4 * np.sqrt(0.09 / len(calm)))
    fresh = np.flatnonzero((chains[0][:-1] == 0) & (chains[1][:-1] == 0)) + 1
    both = (chains[0][fresh] & chains[1][fresh]).mean()
    assert both == pytest.approx(coupling * 0.1, abs=0.006)


def test_recorded_bitcoin_comes_first_and_ends_where_stress_can_begin():
    paths = draw_paths(BASE, 1, 0)
    rows = [line.split(",") for line in (ROOT / "configs/data/series_btc_usd_monthly.csv").read_text().splitlines()[1:]]
    close = {r[0]: float(r[1]) for r in rows}
    recorded = [
        np.log(close[f"2024-{m:02d}"] / close["2023-12" if m == 1 else f"2024-{m - 1:02d}"]) for m in range(1, 13)
    ]
    assert paths.btc_return[:12] == pytest.approx(recorded, abs=1e-12)
    other = draw_paths(BASE, 2, 0)
    assert (paths.btc_return[:24] == other.btc_return[:24]).all()
    assert (paths.btc_return[26:] != other.btc_return[26:]).all()
    block = draw_paths(set_path(BASE, {"drivers.coin.path": "bootstrap"}), 1, 0).btc_return
    history = np.diff(np.log([float(r[1]) for r in rows]))
    assert any(np.allclose(block[:12], history[k : k + 12]) for k in range(len(history) - 11))


@pytest.mark.parametrize("form", ["core_periphery", "erdos_renyi", "scale_free", "bipartite"])
def test_networks(form):
    scenario = set_path(BASE, {"networks.lending": form, "networks.contacts": form, "networks.contact_limit": 20})
    world = build_world(scenario, 1)
    known = np.diff(world.bank_ptr)
    assert known.min() >= 1 and world.bank.max() < len(world.lenders) - 1
    for node in range(len(world.first_lot)):
        part = slice(world.contact_ptr[node], world.contact_ptr[node + 1])
        contacts, hops = world.contact[part], world.contact_hops[part]
        assert len(contacts) <= 20 and node not in contacts and len(set(contacts)) == len(contacts)
        assert (np.diff(hops) >= 0).all() and (contacts >= len(world.lenders)).all()
    assert (np.diff(world.contact_ptr) > 1).sum() > 100
    debtors = world.lines.debtor
    assert len(debtors) > 1
    assert (np.diff(debtors) >= 0).all() and (world.lenders.kind[world.lines.creditor] == 0).all()


def test_own_balance_sheets_and_edges(tmp_path):
    (tmp_path / "miners.csv").write_text("btc,cash,site_power\n1000,5e6,20000\n2500,1e7,50000\n")
    (tmp_path / "lenders.csv").write_text("kind,equity,life\nbank,1e9,60\nbdc,2e9,90\n")
    (tmp_path / "links.csv").write_text("operator,lender\n" + "".join(f"{o},{o % 2}\n" for o in range(42)))
    changed = {
        "miners.file": str(tmp_path / "miners.csv"), "lenders.file": str(tmp_path / "lenders.csv"),
        "networks.lending_file": str(tmp_path / "links.csv"), "run.months": 12,
    }  # fmt: skip
    world = build_world(set_path(BASE, changed), 1)
    assert world.operators[world.operators.kind == 1].btc.tolist() == [1000.0, 2500.0]
    assert world.lenders.equity.tolist()[:2] == [1e9, 2e9] and world.lenders.kind.tolist() == [0, 3, 5]
    assert world.bank.tolist() == [o % 2 for o in range(42)]
    play(set_path(BASE, changed), 1)


@pytest.mark.parametrize(
    ("parameter", "text", "words"),
    [
        ("miners.file", "btcc,cash\n1,2\n", ["miners.csv:1:1", "unknown column 'btcc'", "did you mean 'btc'"]),
        ("miners.file", "btc,cash\n1,x\n2,inf\n", ["miners.csv:2:2", "'x' is not a number", "miners.csv:3:2"]),
        ("miners.file", "btc,cash\n1\n", ["miners.csv:2:1", "has 1 fields, the header has 2"]),
        ("miners.file", "btc,cash\n", ["has no rows"]),
        ("lenders.file", "kind,equity\nbanc,1e9\n", ["miners.csv:2", "'banc' is none of bank"]),
        ("networks.lending_file", "operator,lender\n0,99\n", ["miners.csv:2:2", "99 is not a row number from 0 to 19"]),
        ("networks.lending_file", "operator,bank\n0,1\n", ["column 'lender' is missing"]),
    ],
)
def test_faults_of_files_are_located(tmp_path, parameter, text, words):
    path = tmp_path / "miners.csv"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        build_world(set_path(BASE, {parameter: str(path)}), 1)
    for word in words:
        assert word in str(caught.value)
