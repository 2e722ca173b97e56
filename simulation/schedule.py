"""What the rules of a month read and write, derived from their code: nobody has to keep a table of it true."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from functools import cache
from textwrap import dedent
from types import FunctionType
from typing import Any, NamedTuple

from simulation.month import PHASES
from simulation.world.world import World

#: What a name may stand for: the world, a table or one of its rows, an array of the world, nothing of it.
Kind = tuple[str, str]
Kinds = frozenset[Kind]
NOTHING: Kinds = frozenset()
_WORLD: Kinds = frozenset({("world", "")})
_TABLES = frozenset(
    "terms clock lenders operators buyers customers chips loans lots orders lines events trades paths panel chip_panel kind_panel "
    "tape".split()
)
#: Working memory that rules hand one another within a step; it carries nothing from rule to rule.
_WORKING = frozenset("scratch ranking item price ask ask_lot order bidder purse working start by_bidder".split())


class Touched(NamedTuple):
    """What a rule touches, as ``table.column`` or the name of an array, and what it returns."""

    reads: frozenset[str]
    writes: frozenset[str]
    returns: Kinds = NOTHING


class Step(NamedTuple):
    """One rule of the schedule: the phase, the rule's name, file and first sentence, what it touches."""

    phase: str
    rule: str
    file: str
    meaning: str
    reads: frozenset[str]
    writes: frozenset[str]


def schedule() -> list[Step]:
    """Return the rules of a month in their order; those of the phase "cascade" make one round of it."""
    rows = []
    for phase in PHASES:
        for step in phase.rules:
            plain = _plain(step)
            found = touched(step)
            meaning = " ".join((plain.__doc__ or "").split("\n\n")[0].split())
            file = plain.__module__.replace(".", "/") + ".py"
            rows.append(Step(phase.name, plain.__name__, file, meaning, found.reads, found.writes))
    return rows


def touched(step: Callable) -> Touched:
    """Return what a rule of the schedule reads and writes, in all that it calls."""
    return _touched(_plain(step), (_WORLD, frozenset({("row", "clock")})))


def by_table(columns: frozenset[str]) -> str:
    """Return columns as text, table by table: "lenders (cash, book), first_lot"."""
    tables: dict[str, list[str]] = {}
    for name in sorted(columns):
        table, _, column = name.partition(".")
        tables.setdefault(table, []).append(column)
    return ", ".join(table + (f" ({', '.join(names)})" if all(names) else "") for table, names in tables.items())


def tables_of(columns: frozenset[str]) -> frozenset[str]:
    """Return the names of tables and arrays without their columns."""
    return frozenset(name.partition(".")[0] for name in columns)


def _plain(function: Any) -> FunctionType:
    """Return the Python function of a rule, compiled or not."""
    return getattr(function, "py_func", function)


@cache
def _tree(function: FunctionType) -> ast.FunctionDef:
    (node,) = ast.parse(dedent(inspect.getsource(function))).body
    assert isinstance(node, ast.FunctionDef)
    return node


@cache
def _touched(function: FunctionType, given: tuple[Kinds, ...]) -> Touched:
    """Return what a function touches when its arguments stand for ``given``. Rules do not call themselves."""
    reader = _Reader(function, given)
    reader.read()
    used = [frozenset(n for n in names if n not in _WORKING) for names in (reader.reads, reader.writes)]
    return Touched(used[0], used[1], frozenset(reader.returns))


class _Reader(ast.NodeVisitor):
    """Walks one rule and notes columns and arrays of the world that it reads and writes."""

    def __init__(self, function: FunctionType, given: tuple[Kinds, ...]) -> None:
        self.tree = _tree(function)
        self.globals = function.__globals__
        self.names: dict[str, Kinds] = dict(zip((a.arg for a in self.tree.args.args), given, strict=True))
        self.reads: set[str] = set()
        self.writes: set[str] = set()
        self.returns: set[Kind] = set()

    def read(self) -> None:
        """Walk the body twice, because a name that a loop sets may be used above."""
        for _ in range(2):
            for statement in self.tree.body:
                self.visit(statement)

    # --- statements ---------------------------------------------------------------------------------------------

    def visit_Assign(self, node: ast.Assign) -> None:
        kinds = self.kinds(node.value)
        for target in node.targets:
            values = node.value.elts if isinstance(node.value, ast.Tuple) else None
            if isinstance(target, ast.Tuple):
                for k, element in enumerate(target.elts):
                    self.bind(element, self.kinds(values[k]) if values else NOTHING)
            else:
                self.bind(target, kinds)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self.kinds(node.value)
        if not isinstance(node.target, ast.Name):
            self.kinds(_loaded(node.target))
        self.bind(node.target, NOTHING)

    def visit_For(self, node: ast.For) -> None:
        kinds = self.kinds(node.iter)
        self.bind(node.target, frozenset({("row", name) for kind, name in kinds if kind == "table"}))
        for statement in [*node.body, *node.orelse]:
            self.visit(statement)

    def visit_Return(self, node: ast.Return) -> None:
        if node.value is not None:
            self.returns |= self.kinds(node.value)

    def generic_visit(self, node: ast.AST) -> None:
        if isinstance(node, ast.expr):
            self.kinds(node)
        else:
            super().generic_visit(node)

    def bind(self, target: ast.expr, kinds: Kinds) -> None:
        """Let a target stand for ``kinds``, or note that a column or an array is written."""
        if isinstance(target, ast.Name):
            self.names[target.id] = self.names.get(target.id, NOTHING) | kinds
        elif isinstance(target, ast.Attribute):
            self.writes |= {f"{name}.{target.attr}" for kind, name in self.kinds(target.value) if kind == "row"}
        elif isinstance(target, ast.Subscript):
            self.kinds(target.slice)
            self.writes |= {name for kind, name in self.kinds(target.value, noted=False) if kind == "array"}

    # --- expressions --------------------------------------------------------------------------------------------

    def kinds(self, node: ast.expr, *, noted: bool = True) -> Kinds:
        """Return what an expression may stand for; note what it reads (unless it is only about to be written)."""
        if isinstance(node, ast.Name):
            return self.names.get(node.id, NOTHING)
        if isinstance(node, ast.Attribute):
            return self.attribute(node)
        if isinstance(node, ast.Subscript):
            self.kinds(node.slice)
            base = self.kinds(node.value, noted=noted)
            if noted:
                self.reads |= {name for kind, name in base if kind == "array"}
            return frozenset(("row", name) if kind == "table" else (kind, name) for kind, name in base)
        if isinstance(node, ast.Call):
            return self.call(node)
        if isinstance(node, ast.IfExp):
            self.kinds(node.test)
            return self.kinds(node.body) | self.kinds(node.orelse)
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self.kinds(child)
        return NOTHING

    def attribute(self, node: ast.Attribute) -> Kinds:
        found: set[Kind] = set()
        for kind, name in self.kinds(node.value):
            if kind == "world" and node.attr in World._fields:
                found.add(("table" if node.attr in _TABLES else "array", node.attr))
            elif kind in ("row", "table"):
                self.reads.add(f"{name}.{node.attr}")
                if kind == "table":
                    found.add(("array", f"{name}.{node.attr}"))
        return frozenset(found)

    def call(self, node: ast.Call) -> Kinds:
        given = tuple(self.kinds(argument) for argument in node.args)
        function = _plain(self.globals.get(node.func.id)) if isinstance(node.func, ast.Name) else None
        if not isinstance(function, FunctionType) or not function.__module__.startswith(("agents.", "simulation.")):
            return NOTHING
        found = _touched(function, given)
        self.reads |= found.reads
        self.writes |= found.writes
        return found.returns


def _loaded(node: ast.expr) -> ast.expr:
    """Return a target as an expression that is read (for ``+=``)."""
    return ast.parse(ast.unparse(node), mode="eval").body
