"""The type checker skips functions without annotations: only rules, which Numba types, may do without."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.conftest import ROOT

#: Decorators of functions without annotations: rules, Numba's own hooks, and names of what a Vue component takes.
UNTYPED = ("rule", "entry", "intrinsic", "solara.component_vue")


def bare(node: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield the functions below a node that lack an annotation, those of ``UNTYPED`` and what is in them left out."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        if any(ast.unparse(decorator).partition("(")[0] in UNTYPED for decorator in node.decorator_list):
            return
        a = node.args
        given = [*a.posonlyargs, *a.args, *a.kwonlyargs, *filter(None, (a.vararg, a.kwarg))]
        if node.returns is None or any(x.annotation is None and x.arg not in ("self", "cls") for x in given):
            yield node
    for child in ast.iter_child_nodes(node):
        yield from bare(child)


def test_only_rules_lack_annotations():
    files = [p for folder in ("agents", "simulation", "experiments") for p in sorted((ROOT / folder).rglob("*.py"))]
    assert len(files) > 100
    found = [
        f"{file.relative_to(ROOT)}:{function.lineno} {function.name}"
        for file in (*files, ROOT / "tests" / "rules" / "worlds.py", ROOT / "tests" / "rules" / "conftest.py")
        for function in bare(ast.parse(file.read_text(encoding="utf-8")))
    ]
    assert not found, "annotate them, or they are not checked"


def test_what_lacks_an_annotation_is_seen():
    text = "@rule\ndef a(x): pass\n\nclass B:\n    def c(self, x): pass\n\ndef d(*, y=1) -> None:\n    @intrinsic\n    def e(): pass\n"
    assert [function.name for function in bare(ast.parse(text))] == ["c", "d"]
