"""The schedule says what rules really read and write; checks look and do not mend; layers stay layers."""

from __future__ import annotations

import ast

from simulation.month import PHASES
from simulation.schedule import schedule, tables_of
from tests.conftest import ROOT, alone

#: Plays stressed months interpreted, with every access to a column or an array noted by the rule that makes it.
WATCHED = """
import numpy as np
from simulation import load_scenario
from simulation.month import PHASES, CASCADE
from simulation.phases.cascade import goes_on
from simulation.scenario.config import set_path
from simulation.schedule import touched
from simulation.world.build import build_world
from simulation.world.world import World

seen = {"reads": set(), "writes": set()}

class Row:
    def __init__(self, name, row): object.__setattr__(self, "_of", (name, row))
    def __getattr__(self, column):
        name, row = self._of
        seen["reads"].add(f"{name}.{column}")
        return getattr(row, column)
    def __setattr__(self, column, value):
        name, row = self._of
        seen["writes"].add(f"{name}.{column}")
        setattr(row, column, value)

class Rows:
    def __init__(self, name, rows): self._name, self._rows = name, rows
    def __len__(self): return len(self._rows)
    def __getitem__(self, k): return Row(self._name, self._rows[k])
    def __iter__(self): return (Row(self._name, row) for row in self._rows)
    def __getattr__(self, column):
        seen["reads"].add(f"{self._name}.{column}")
        return getattr(self._rows, column)

class Cells:
    def __init__(self, name, cells): self._name, self._cells = name, cells
    def __len__(self): return len(self._cells)
    def __getitem__(self, k): seen["reads"].add(self._name); return self._cells[k]
    def __setitem__(self, k, value): seen["writes"].add(self._name); self._cells[k] = value

changes = {CHANGES}
world = build_world(set_path(load_scenario("configs/base.yaml"), changes), 3)
working = ("scratch", "ranking", "item", "price", "ask", "ask_lot", "order", "bidder", "purse", "working", "start", "by_bidder")
spied = World(*(
    array if name in working else Rows(name, array) if array.dtype.names else Cells(name, array)
    for name, array in zip(World._fields, world)
))
clock = world.clock[0]
wrong = set()
met = set()
while clock.month < len(world.panel):
    phase = PHASES[clock.phase]
    if clock.phase == CASCADE:
        clock.news = 0
    for step in phase.rules:
        seen["reads"].clear(); seen["writes"].clear()
        step(spied, Row("clock", clock))
        said = touched(step)
        met |= {(step.__name__, "writes", n) for n in seen["writes"]}
        for what in ("reads", "writes"):
            wrong |= {(step.__name__, what, name) for name in seen[what] - getattr(said, what)}
    again = clock.phase == CASCADE and goes_on(world, clock)
    clock.turn += clock.phase == CASCADE
    if not again:
        clock.phase = (clock.phase + 1) % len(PHASES)
        clock.month += clock.phase == 0
print(sorted(wrong))
print(len(met), int((world.operators.status == 2).sum()), int((world.lenders.status == 2).sum()))
"""
STRESS = {
    "run.months": 14, "drivers.regimes.first_month": 2, "drivers.regimes.entry": 0.5, "drivers.demand.stress_drift": -0.5,
    "neoclouds.count": 8, "miners.count": 5, "customers.enterprise.hazard_stress": 0.2, "vendor.capacity": 1e9, "vendor.first": 3, "notes.first_month": 1, "lenders.capital_scale": 0.1, "lenders.max_ltv": 1.0,
    "credit.term_contracts": 2.0, "credit.forbearance": False, "lenders.mark_to_market": 1.0, "lenders.bdc.count": 4, "lenders.runnable_scale": 2.0, "buyers.enterprise.count": 10,
}  # fmt: skip


def test_what_the_schedule_says_covers_all_that_rules_touch():
    wrong, counts = alone(WATCHED.replace("{CHANGES}", repr(STRESS)), NUMBA_DISABLE_JIT="1").splitlines()
    assert wrong == "[]"
    writes, defaults, failures = map(int, counts.split())
    assert writes > 250 and defaults > 3 and failures > 0, "the months watched are too calm to tell"


def test_checks_write_nothing_but_faults_and_the_residual():
    allowed = {"clock.fault", "clock.fault_node", "clock.fault_usd", "panel.residual"}
    checks = [step for step in schedule() if step.rule.startswith("check_")]
    assert [step.rule for step in checks] == [
        "check_units",
        "check_loans",
        "check_claims",
        "check_means",
        "check_flows",
    ]
    for step in checks:
        assert step.writes <= allowed, f"{step.rule} mends {sorted(step.writes - allowed)}"


def test_the_record_changes_nothing_that_agents_read():
    state = {"lenders", "operators", "buyers", "chips", "loans", "lots", "orders", "lines", "first_lot", "book"}
    steps = [step for step in schedule() if step.phase == "record"]
    assert len(steps) > 5
    for step in steps:
        assert not tables_of(step.writes) & state, step.rule


def test_every_rule_of_the_month_stands_in_the_file_of_its_actor():
    homes = {step.rule: step.file for step in schedule()}
    assert homes["watch_covenants"] == "agents/lenders/calls.py"
    assert homes["order_chips"] == "agents/operators/orders.py"
    assert homes["value_chips"] == "agents/buyers/bids.py"
    assert homes["renegotiate"] == "agents/customers/contracts.py"
    assert homes["fail_lenders"] == "agents/lenders/failure.py"
    assert all((ROOT / file).exists() for file in homes.values())
    assert len(homes) + 4 == sum(
        len(phase.rules) for phase in PHASES
    )  # revalue, count_unsold, provide, judge_borrowers come twice


# --- layers ---------------------------------------------------------------------------------------------------------

#: From the ground up; a module imports from its own layer (without circles) and from those below.
LAYERS = (
    ("agents.rule", "agents.schema", "agents.views"),
    ("agents.tables", "agents.valuation", "agents.strips"),
    ("agents.lenders", "agents.buyers", "agents.customers"),
    ("agents.miners",),
    ("agents.operators",),
    ("simulation.cores", "simulation.locking"),
    ("simulation.scenario",),
    ("simulation.markets.auction", "simulation.markets.impact", "simulation.markets.rows", "simulation.markets.tape"),
    ("simulation.world",),
    ("simulation.markets",),
    ("simulation.record",),
    ("simulation.phases",),
    ("simulation.prepare",),
    ("simulation.month",),
    ("simulation.literature", "simulation.schedule", "simulation.words"),
    ("simulation.interventions",),
    ("simulation.runs",),
    ("simulation.importance", "simulation.model"),
    ("simulation.browser",),
    ("experiments.inputs", "experiments.output"),
    ("experiments.many", "experiments.prices", "experiments.statistics", "experiments.run", "experiments.sweeps", "experiments.validation", "experiments.evidence", "experiments.economics", "experiments.campaign", "experiments.documents"),
    ("experiments.command",),
)  # fmt: skip


def _imports() -> dict[str, set[str]]:
    """Return the modules of the project that each of its modules imports when it is loaded."""
    files = {p for folder in ("agents", "simulation", "experiments") for p in (ROOT / folder).rglob("*.py")}
    names = {p: ".".join(p.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for p in files}
    known = set(names.values())
    found: dict[str, set[str]] = {}
    for path, name in names.items():
        wanted: set[str] = set()
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ImportFrom) and node.module:
                wanted |= {
                    f"{node.module}.{a.name}" if f"{node.module}.{a.name}" in known else node.module for a in node.names
                }
        found[name] = wanted & known
    assert len(found) > 100 and sum(map(len, found.values())) > 300
    return found


def _layer(module: str) -> int:
    fits = [(len(name), k) for k, layer in enumerate(LAYERS) for name in layer if f"{module}.".startswith(f"{name}.")]
    assert fits, f"{module} has no layer: say in LAYERS where it belongs"
    return max(fits)[1]


def test_imports_go_down():
    packages = {"agents", "simulation", "experiments"}
    wrong = [
        f"{module} imports {other}"
        for module, others in _imports().items()
        if module not in packages
        for other in others - packages
        if _layer(other) > _layer(module)
    ]
    assert not wrong


def test_no_module_imports_itself_round_a_corner():
    graph = _imports()
    done: set[str] = set()

    def walk(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join([*path[path.index(module) :], module])
        if module not in done:
            for other in graph[module]:
                walk(other, (*path, module))
            done.add(module)

    for module in graph:
        walk(module, ())
