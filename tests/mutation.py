"""Do the specifications of rules die when a rule is broken?

    uv run python -m tests.mutation                     # every rule, every mutant, against tests/rules
    uv run python -m tests.mutation --rules valuation.py --list
    uv run python -m tests.mutation --changed HEAD~1 --least 85
    uv run python -m tests.mutation --sample 300 --seed 1 --tests tests/rules tests/test_auction.py

A mutant is a rule with one change in its syntax tree: ``<`` is ``<=``, a statement is gone, a condition always holds.
Tests that reach the rule run until one fails, quickest first. A mutant that no test notices survives: what was changed
is specified nowhere, or the change changes nothing. Survivors known to change nothing stand, each with the reason, in
``equivalent_mutants.txt`` and count apart; a line there is found again by the name of the rule and the changed line.

How: one process imports everything and collects the tests once; a fork of it traces which test reaches which rule and
how long it takes; then every mutant is a fork that puts other code into the function (``__code__``, so that whoever
imported the function calls the mutant), runs those tests with pytest and ends. Rules run interpreted. What tests keep
between them (``@cache``) is filled beforehand with rules that raise: nothing that a mutant changes is kept.

Not mutated: constants of modules, columns and enum members by another one, ``sequence(...)`` of month.py. Needs fork.
"""

from __future__ import annotations

import argparse
import ast
import copy
import gc
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("agents", "simulation")
EQUIVALENT = Path("tests/equivalent_mutants.txt")
KILLED, LATE, SURVIVED, UNREACHED, SAME = STATES = ("killed", "timed out", "survived", "no test", "equivalent")
#: Read by Numba and NumPy when they are imported; a fork must not find threads in its parent.
_ENVIRONMENT = {"NUMBA_DISABLE_JIT": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
#: A test may take this many times as long as with the rule unbroken, and the seconds of ``--grace``.
_SLOWER = 10.0
#: A mutant that fills tables without end stops here (bytes).
_MEMORY = 4 << 30
#: Seconds between two lines of progress.
_NEWS = 15.0
#: A test and the seconds that it takes while no rule is broken.
Timed = tuple[pytest.Item, float]

_COMPARISONS: dict[type[ast.AST], tuple[type[ast.AST], ...]] = {
    ast.Lt: (ast.LtE, ast.Gt), ast.LtE: (ast.Lt, ast.GtE), ast.Gt: (ast.GtE, ast.Lt), ast.GtE: (ast.Gt, ast.LtE),
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.In: (ast.NotIn,), ast.NotIn: (ast.In,),
}  # fmt: skip
_OPERATORS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip
_EXTREMES = {"min": "max", "max": "min"}


# --- rules and their mutants -----------------------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class Rule:
    """A function with ``@rule`` or ``@entry`` at the top of a module, and its syntax tree."""

    path: str
    node: ast.FunctionDef

    @property
    def key(self) -> str:
        """Return how the rule is named in reports."""
        return f"{self.path}::{self.node.name}"

    def function(self) -> FunctionType:
        """Return the function itself, importing its module."""
        found = getattr(import_module(self.path.removesuffix(".py").replace("/", ".")), self.node.name)
        if not isinstance(found, FunctionType):
            raise TypeError(f"{self.key} is compiled: NUMBA_DISABLE_JIT must be set before Numba is imported")
        return found

    def code(self) -> CodeType:
        """Compile the tree as it stands now. Rules have no closures: names are looked up in the function's globals."""
        bare = copy.copy(self.node)
        bare.decorator_list = []
        module = ast.fix_missing_locations(ast.Module([bare], []))
        whole = compile(module, self.path, "exec", dont_inherit=True)
        return next(c for c in whole.co_consts if isinstance(c, CodeType) and c.co_name == self.node.name)


@dataclass(frozen=True, eq=False)
class Edit:
    """One change of a syntax tree: another thing in a field of a node, or at a place of the list there."""

    kind: str
    at: Any
    owner: ast.AST
    field: str
    index: int | None
    new: Any

    def swap(self) -> Edit:
        """Carry out the change; return the one that undoes it."""
        held = getattr(self.owner, self.field)
        if self.index is None:
            setattr(self.owner, self.field, self.new)
            return replace(self, new=held)
        back = replace(self, new=held[self.index])
        held[self.index] = self.new
        return back


@dataclass(eq=False)
class Mutant:
    """A rule with one change, the line before and after it, and what became of it, in how much time of a core."""

    rule: Rule
    edit: Edit
    before: str
    after: str
    state: str = UNREACHED
    by: str = ""
    seconds: float = 0.0
    reason: str | None = None

    @property
    def id(self) -> str:
        """Return ``path.py::rule:line:col:kind``."""
        at = self.edit.at
        return f"{self.rule.key}:{at.lineno}:{at.col_offset + 1}:{self.edit.kind}"

    @property
    def change(self) -> str:
        """Return the line before and after, as a list of equivalents gives it."""
        return f"{self.before} -> {self.after}"


def find_rules(root: Path = ROOT, folders: Sequence[str] = FOLDERS) -> list[Rule]:
    """Return all rules, file by file in the order of the text."""
    found = []
    for path in sorted(p for folder in folders for p in (root / folder).rglob("*.py") if "browser" not in p.parts):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and any(_is_rule(d) for d in node.decorator_list):
                found.append(Rule(path.relative_to(root).as_posix(), node))
    return found


def _is_rule(decorator: ast.expr) -> bool:
    name = decorator.attr if isinstance(decorator, ast.Attribute) else getattr(decorator, "id", None)
    return name in ("rule", "entry")


def mutants(rule: Rule) -> list[Mutant]:
    """Return every mutant of a rule, none of them carried out."""
    made = []
    once = _assigned_once(rule.node)
    for owner, field, index, statement in _statements(rule.node):
        before = _line(statement)
        seen = {before}
        edits = list(_expression_edits(statement))
        if _can_go(owner, field, statement, once):
            edits.append(Edit("deletion", statement, owner, field, index, ast.Pass()))
        for edit in edits:
            undo = edit.swap()
            after = "pass" if edit.kind == "deletion" else _line(statement)
            undo.swap()
            if after not in seen:
                made.append(Mutant(rule, edit, before, after))
            seen.add(after)
    return made


def _slots(node: ast.AST) -> Iterator[tuple[ast.AST, str, int | None, ast.AST]]:
    """Yield each child with where it stands: owner, field, place in a list."""
    for field, value in ast.iter_fields(node):
        if isinstance(value, ast.AST):
            yield node, field, None, value
        elif isinstance(value, list):
            yield from ((node, field, k, child) for k, child in enumerate(value) if isinstance(child, ast.AST))


def _statements(node: ast.AST) -> Iterator[tuple[ast.AST, str, int, ast.stmt]]:
    """Yield each statement of a body, and those in it, with where it stands."""
    for owner, field, index, child in _slots(node):
        if isinstance(child, ast.stmt) and index is not None:
            yield owner, field, index, child
            yield from _statements(child)


def _line(statement: ast.stmt) -> str:
    """Return a statement on one line, of a compound one its head, in the layout of ``ast.unparse``."""
    head: Any = copy.copy(statement)
    if hasattr(head, "body"):
        head.body, head.orelse = [ast.Pass()], []
    return ast.unparse(head).splitlines()[0]


def _assigned_once(function: ast.FunctionDef) -> set[str]:
    """Return the local names that one statement assigns: without it the rule raises, which no test need specify."""
    stored = Counter(n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))
    return {name for name, times in stored.items() if times == 1} - {a.arg for a in function.args.args}


def _can_go(owner: ast.AST, field: str, statement: ast.stmt, once: set[str]) -> bool:
    """Return whether to delete a statement; not where it is all that an ``if`` does: that ``if`` never is the same."""
    if isinstance(owner, ast.If) and field == "body" and len(owner.body) == 1 and not owner.orelse:
        return False
    if isinstance(statement, ast.Assign):
        targets = [n for t in statement.targets for n in (t.elts if isinstance(t, ast.Tuple) else [t])]
        return not all(isinstance(target, ast.Name) and target.id in once for target in targets)
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Call)
    return isinstance(statement, ast.AugAssign | ast.Continue | ast.Break)


def _expression_edits(statement: ast.stmt) -> Iterator[Edit]:
    """Yield the changes of a statement and of the expressions in it, not of statements in it."""
    if isinstance(statement, ast.AugAssign) and type(statement.op) in _OPERATORS:
        yield Edit("augmented", statement, statement, "op", None, _OPERATORS[type(statement.op)]())
    if isinstance(statement, ast.If | ast.While):
        yield from _forced(statement)
    waiting = list(_slots(statement))
    while waiting:
        owner, field, index, node = waiting.pop(0)
        if isinstance(node, ast.stmt):
            continue
        waiting += _slots(node)
        if isinstance(node, ast.Compare):
            for k, op in enumerate(node.ops):
                for kind, new in zip(("comparison", "reversal"), _COMPARISONS.get(type(op), ()), strict=False):
                    yield Edit(kind, node.comparators[k], node, "ops", k, new())
        elif isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
            yield Edit("arithmetic", node.right, node, "op", None, _OPERATORS[type(node.op)]())
        elif isinstance(node, ast.BoolOp):
            yield Edit("boolean", node.values[1], node, "op", None, _OPERATORS[type(node.op)]())
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.Not):
            kind = "sign" if isinstance(node.op, ast.USub) else "negation"
            yield Edit(kind, node, owner, field, index, node.operand)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _EXTREMES:
            yield Edit("extreme", node, node.func, "id", None, _EXTREMES[node.func.id])
        elif isinstance(node, ast.IfExp):
            yield from _forced(node)
        elif isinstance(node, ast.Constant) and not (isinstance(owner, ast.Subscript) and field == "slice"):
            new = _other_number(node.value, counts=isinstance(owner, ast.AugAssign))
            if new is not None:
                yield Edit("constant", node, owner, field, index, ast.Constant(new))


def _forced(node: ast.If | ast.While | ast.IfExp) -> Iterator[Edit]:
    """Yield the condition that never holds and the one that always does (not of ``while``: it would only not end)."""
    yield Edit("never", node.test, node, "test", None, ast.Constant(False))
    if not isinstance(node, ast.While):
        yield Edit("always", node.test, node, "test", None, ast.Constant(True))


def _other_number(value: object, counts: bool) -> object:
    """Return another number: 0 is 1; a whole 1 is 0 (a flag stays one), but 2 in ``n += 1``; else the double."""
    if isinstance(value, bool):
        return not value
    if not isinstance(value, int | float):
        return None
    if value == 0:
        return type(value)(1)
    return 0 if value == 1 and isinstance(value, int) and not counts else 2 * value


# --- which of them -----------------------------------------------------------------------------------------------
def changed_since(rules: Iterable[Rule], revision: str, root: Path = ROOT) -> list[Rule]:
    """Return the rules that no file of a git revision held as they are, told by name and tree: a move is no change."""

    def git(*words: str) -> list[str]:
        done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True)
        if done.returncode > 1 or done.stderr:  # 1: nothing found
            raise SystemExit(f"git {words[0]}: {done.stderr.strip()}")
        return done.stdout.splitlines()

    held = defaultdict(set)
    for file in git("grep", "-lE", "--full-name", r"^@(rule|entry)$", revision, "--", "*.py"):
        for node in ast.walk(ast.parse("\n".join(git("show", file)))):
            if isinstance(node, ast.FunctionDef):
                held[node.name].add(_essence(node))
    return [rule for rule in rules if _essence(rule.node) not in held[rule.node.name]]


def _essence(node: ast.FunctionDef) -> str:
    """Return what a function does: arguments and body, without the docstring."""
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    return ast.dump(node.args) + "".join(ast.dump(statement) for statement in body)


def read_equivalents(path: Path) -> dict[tuple[str, str], str]:
    """Return the reason by (rule, change) from lines ``path.py::rule | before -> after | reason``."""
    reasons = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        if line.strip() and not line.startswith("#"):
            key, rest = line.split(" | ", 1)
            change, reason = rest.rsplit(" | ", 1)
            reasons[key.strip().rpartition("::")[2], change.strip()] = reason.strip()
    return reasons


# --- running them ----------------------------------------------------------------------------------------------
class Laboratory:
    """A pytest plugin that, in the place of running the collected tests, finds what they reach and runs mutants."""

    def __init__(self, chosen: list[Mutant], workers: int, grace: float) -> None:
        self.chosen, self.workers, self.grace = chosen, workers, grace
        self.left_out: list[str] = []
        self.failed = self.done = False

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note what cannot be collected."""
        if report.failed:
            self.left_out.append(f"{report.nodeid} (cannot be collected)")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a failure, in the test, before or after it."""
        self.failed |= report.failed

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Trace, warm up, and run every mutant in a fork."""
        began = time.perf_counter()
        session.config.option.tbstyle = "native"  # nobody reads how a test failed: the quickest to write
        rules = {m.rule for m in self.chosen}
        self.functions = {rule: rule.function() for rule in rules}
        items = {item.nodeid: item for item in session.items}
        tracer = Fork(self._trace, items)
        traced = json.loads(tracer.said())
        os.waitpid(tracer.pid, 0)
        by_key = defaultdict(list)
        for name, (seconds, failed, reached) in traced.items():
            if failed:
                self.left_out.append(f"{name} (fails with unbroken rules)")
            else:
                for key in reached:
                    by_key[key].append((seconds, name))
        plans = {rule: [(items[n], s) for s, n in sorted(by_key[rule.key])] for rule in rules}
        self._warm({item.nodeid: item for plan in plans.values() for item, _ in plan}.values())
        gc.collect()
        gc.freeze()
        self.started = time.perf_counter() - began
        self._run_all(plans)
        self.done = True
        return True

    def _fails(self, item: pytest.Item, following: pytest.Item | None = None) -> bool:
        """Run one test by pytest's own means, with fixtures and parameters."""
        self.failed = False
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        return self.failed

    def _trace(self, items: dict[str, pytest.Item]) -> str:
        """Return, as JSON, of each test its time, whether it fails, and the rules that it reaches."""
        monitoring = sys.monitoring
        keys = {function.__code__: rule.key for rule, function in self.functions.items()}
        reached: set[str] = set()

        def starts(code: CodeType, _: int) -> object:
            reached.add(keys[code])
            return monitoring.DISABLE

        monitoring.use_tool_id(monitoring.PROFILER_ID, "mutation")
        monitoring.register_callback(monitoring.PROFILER_ID, monitoring.events.PY_START, starts)
        for code in keys:
            monitoring.set_local_events(monitoring.PROFILER_ID, code, monitoring.events.PY_START)
        found = {}
        for name, item in items.items():
            reached.clear()
            monitoring.restart_events()
            began = time.perf_counter()
            failed = self._fails(item)
            found[name] = (time.perf_counter() - began, failed, sorted(reached))
        return json.dumps(found)

    def _warm(self, items: Iterable[pytest.Item]) -> None:
        """Fill caches of what comes before the first rule: run tests with rules that raise."""
        whole = {function: function.__code__ for function in self.functions.values()}
        for function in whole:
            function.__code__ = _no_rule.__code__
        for item in items:
            self._fails(item)
        for function, code in whole.items():
            function.__code__ = code

    def _run_all(self, plans: dict[Rule, list[Timed]]) -> None:
        """Run mutants, as many at a time as there are workers; note what became of each."""
        waiting = [m for m in self.chosen if plans[m.rule]]
        running: dict[int, tuple[Mutant, Fork]] = {}
        began = told = time.perf_counter()
        for count in range(len(waiting) + self.workers):
            if count < len(waiting):
                mutant = waiting[count]
                child = Fork(self._killer, mutant, plans[mutant.rule])
                running[child.pid] = mutant, child
            if running and (len(running) == self.workers or count >= len(waiting)):
                pid, status, used = os.wait4(-1, 0)
                mutant, child = running.pop(pid)
                mutant.seconds = used.ru_utime + used.ru_stime
                mutant.state, mutant.by = _verdict(mutant, status, child.said())
            if time.perf_counter() - told > _NEWS:
                told = time.perf_counter()
                print(f"  {count} of {len(waiting)} mutants in {told - began:.0f} s", file=sys.stderr, flush=True)

    def _killer(self, mutant: Mutant, plan: list[Timed]) -> str:
        """Break the rule of this process and return the test that notices, or nothing. Too slow a test ends it."""
        resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY, resource.getrlimit(resource.RLIMIT_DATA)[1]))
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        mutant.edit.swap()
        self.functions[mutant.rule].__code__ = mutant.rule.code()
        for k, (item, seconds) in enumerate(plan):
            signal.setitimer(signal.ITIMER_REAL, _SLOWER * seconds + self.grace)
            try:
                failed = self._fails(item, plan[k + 1][0] if k + 1 < len(plan) else None)
            except BaseException:  # what pytest does not take for a failure: an exit, no memory
                failed = True
            if failed:
                return item.nodeid
        return ""


def _no_rule(*given: object, **named: object) -> None:
    raise RuntimeError("no rule runs while caches are filled")


def _verdict(mutant: Mutant, status: int, said: str) -> tuple[str, str]:
    """Return the state of a mutant and the test that killed it, from how its process ended."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        return (LATE, "") if number == signal.SIGALRM else (KILLED, signal.Signals(number).name)
    if os.WEXITSTATUS(status):
        raise RuntimeError(f"{mutant.id} could not be made: see above")
    return (KILLED, said) if said else (SURVIVED, "")


class Fork:
    """A copy of this process that does one piece of work, silently, and says its result through a pipe."""

    def __init__(self, work: Callable[..., str], *given: object) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        self.pipe, end = os.pipe()
        self.pid = os.fork()
        if self.pid:
            os.close(end)
            return
        code = 1
        try:
            loud = os.dup(2)
            null = os.open(os.devnull, os.O_RDWR)
            for stream in (0, 1, 2):
                os.dup2(null, stream)
            with os.fdopen(end, "w") as pipe:
                pipe.write(work(*given))
            code = 0
        except BaseException:
            os.write(loud, traceback.format_exc().encode())
        finally:
            os._exit(code)

    def said(self) -> str:
        """Return what the copy said, waiting until it has."""
        with os.fdopen(self.pipe) as pipe:
            return pipe.read()


def run(chosen: list[Mutant], tests: Sequence[str], workers: int, grace: float) -> Laboratory:
    """Run mutants against tests in one pytest session, writing their states."""
    # Hypothesis draws the same examples in every fork, writes none down and does not look for smaller ones.
    settings.register_profile(
        "mutation", deadline=None, database=None, derandomize=True, phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    settings.load_profile("mutation")
    laboratory = Laboratory(chosen, workers, grace)
    options = ["-p", "no:terminal", "-p", "no:cacheprovider", "-o", "addopts=", "-s", "--assert=plain"]
    pytest.main([*options, *tests], plugins=[laboratory])
    if not laboratory.done:
        raise SystemExit("pytest stopped before the mutants were run")
    return laboratory


# --- saying what became of them --------------------------------------------------------------------------------
def score(found: Iterable[Mutant]) -> float:
    """Return the share of mutants, but equivalent ones, that some test noticed (%)."""
    states = Counter(m.state for m in found)
    counted = sum(states.values()) - states[SAME]
    return 100.0 * (states[KILLED] + states[LATE]) / counted if counted else 100.0


def _table(found: list[Mutant]) -> None:
    folders = defaultdict(list)
    for mutant in found:
        folders[mutant.rule.path.rpartition("/")[0]].append(mutant)
    heads = ("rules", "mutants", *STATES, "score")
    print(f"{'':<28}" + "".join(f"{head:>11}" for head in heads))
    for folder, inside in [*folders.items(), ("all", found)]:
        states = Counter(m.state for m in inside)
        numbers = [len({m.rule for m in inside}), len(inside), *(states[s] for s in STATES)]
        print(f"{folder:<28}" + "".join(f"{n:>11}" for n in numbers) + f"{score(inside):>10.1f}%")


def report(found: list[Mutant], stale: Iterable[str], left_out: Iterable[str]) -> None:
    """Print the table, then what there is to do."""
    for mutant in found:
        if mutant.state == SURVIVED:
            at = mutant.edit.at
            print(f"{mutant.rule.path}:{at.lineno}  {mutant.rule.node.name}, {mutant.edit.kind}")
            print(f"    - {mutant.before}\n    + {mutant.after}")
    lonely = Counter(m.rule.key for m in found if m.state == UNREACHED)
    for key, count in lonely.items():
        print(f"no test reaches {key} ({count} mutants)")
    same = {(m.rule, m.change) for m in found if m.state == SAME}
    for mutant in found:
        if mutant.reason is not None and mutant.state in (KILLED, LATE) and (mutant.rule, mutant.change) not in same:
            print(f"not equivalent, {mutant.by or 'too slow'}: {mutant.rule.key} | {mutant.change}")
    for line in stale:
        print(f"no such mutant any more: {line}")
    for name in left_out:
        print(f"left out: {name}")
    print()
    _table(found)
    reached = [m for m in found if m.state != UNREACHED]
    print(f"\nscore {score(found):.1f}% of all, {score(reached):.1f}% of those that a test reaches")


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    add("--rules", nargs="+", metavar="NAME_OR_FILE", help="rules by name or key, or all of a file or folder")
    add("--changed", metavar="REV", help="only rules that differ from this git revision")
    add("--sample", type=int, metavar="N", help="only N mutants, drawn")
    add("--seed", type=int, default=0, help="of the draw")
    add("--tests", nargs="+", metavar="PATH", default=["tests/rules"], help="tests to run (tests/rules)")
    add("--list", action="store_true", help="say which mutants there are, run nothing")
    add("--workers", type=int, default=2, help="mutants at a time (2)")
    add("--grace", type=float, default=2.0, help="seconds a test may take beyond 10 times its own (2)")
    add("--least", type=float, metavar="SCORE", help="exit with 1 when the score is lower (%%)")
    add("--out", type=Path, metavar="FILE.json", help="write every mutant and its state")
    return parser.parse_args(argv)


def _is_named(rule: Rule, name: str) -> bool:
    inside = f"/{rule.path}/".endswith(f"/{name}/") or rule.path.startswith(f"{name.rstrip('/')}/")
    return name in (rule.key, rule.node.name) or inside


def main(argv: Sequence[str] | None = None, root: Path = ROOT, folders: Sequence[str] = FOLDERS) -> int:
    """Choose mutants, run them, say what became of them."""
    options = _options(argv)
    os.environ.update(_ENVIRONMENT)
    every = find_rules(root, folders)
    named = options.rules or []
    unknown = [name for name in named if not any(_is_named(rule, name) for rule in every)]
    if unknown:
        raise SystemExit(f"no such rules: {', '.join(unknown)}")
    rules = [rule for rule in every if not named or any(_is_named(rule, name) for name in named)]
    if options.changed:
        rules = changed_since(rules, options.changed, root)
    by_rule = {rule: mutants(rule) for rule in every}
    known = read_equivalents(root / EQUIVALENT)
    for mutant in (m for made in by_rule.values() for m in made):
        mutant.reason = known.get((mutant.rule.node.name, mutant.change))
    there = {(m.rule.node.name, m.change) for made in by_rule.values() for m in made}
    stale = [f"{name} | {change}" for name, change in known if (name, change) not in there]
    chosen = [m for rule in rules for m in by_rule[rule]]
    if options.sample is not None and options.sample < len(chosen):
        drawn = set(random.Random(options.seed).sample(range(len(chosen)), options.sample))
        chosen = [m for k, m in enumerate(chosen) if k in drawn]
    if options.list or not chosen:
        for mutant in chosen:
            print(f"{mutant.id}  {mutant.change}")
        print(f"{len(chosen)} mutants of {len({m.rule for m in chosen})} rules")
        return 0
    began = time.perf_counter()
    laboratory = run(chosen, options.tests, options.workers, options.grace)
    for mutant in chosen:
        if mutant.reason is not None and mutant.state in (SURVIVED, UNREACHED):
            mutant.state = SAME
    report(chosen, stale, laboratory.left_out)
    print(f"{time.perf_counter() - began:.0f} s, of which {laboratory.started:.0f} s before the first mutant")
    if options.out:
        rows = [
            {"id": m.id, "state": m.state, "by": m.by, "cpu_seconds": round(m.seconds, 4), "before": m.before,
             "after": m.after, "reason": m.reason} for m in chosen
        ]  # fmt: skip
        options.out.write_text(json.dumps({"score": score(chosen), "mutants": rows}, indent=1), encoding="utf-8")
    return int(options.least is not None and score(chosen) < options.least)


if __name__ == "__main__":
    sys.exit(main())
