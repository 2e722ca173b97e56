"""The mutation runner on rules of a toy: which mutants there are, and what becomes of them."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import textwrap
from collections import defaultdict
from pathlib import Path

import pytest

mutation = pytest.importorskip("tests.mutation", reason="needs fork")

TOY = """
def rule(function):
    return function

@rule
def weakly(x):
    return x + 1 if x > 0 else 0

@rule
def well(x):
    return x + 1 if x > 0 else 0

@rule
def halvings(n):
    count = 0
    while n > 1:
        n //= 2
        count += 1
    return count

@rule
def capped(x):
    return x if x < 5 else 5

@rule
def kept(x):
    return 3.0 * x

@rule
def alone(x):
    return -x
"""
SPECIFICATION = """
from functools import cache

import pytest

from toy import rules
from toy.rules import capped, halvings, weakly

@pytest.fixture
def eight():
    return 8

@cache
def six():
    return rules.kept(2.0)

def test_weakly():
    assert weakly(1) == 2

@pytest.mark.parametrize(("x", "y"), [(1, 2), (0, 0), (-3, 0)])
def test_well(x, y):
    assert rules.well(x) == y

def test_halvings(eight):
    assert halvings(eight) == 3

@pytest.mark.parametrize("x", [4, 5, 7])
def test_capped(x):
    assert capped(x) == min(x, 5)

@pytest.mark.parametrize("times", [1, 2])
def test_what_is_kept_between_tests(times):
    assert six() == 6.0

def test_fails_anyway():
    assert rules.alone(1) == 1
"""
EQUIVALENT = """
# a comment
toy/moved.py::capped | return x if x < 5 else 5 -> return x if x <= 5 else 5 | 5 either way
toy/rules.py::capped | return x if x < 5 else 5 -> return x if x > 5 else 5 | wrong
toy/rules.py::capped | return x -> return 2 | long gone
"""


def rule_of(text: str) -> mutation.Rule:
    """Return a rule from its text."""
    return mutation.Rule("toy/rules.py", ast.parse(textwrap.dedent(text)).body[0])


def changes(text: str) -> set[tuple[str, str]]:
    """Return kind and changed line of all mutants."""
    return {(m.edit.kind, m.after) for m in mutation.mutants(rule_of(text))}


def test_every_expression_is_changed_in_every_way():
    found = changes("""
        @rule
        def f(a, b):
            \"\"\"Return 7.\"\"\"
            if not a < 2.5 and b == 0:
                a.x += 1
                a.y = -b
            return min(a.x[0] * 3, 1) - (1.0 if b else True)
    """)
    least = "min(a.x[0] * 3, 1)"
    assert found == {
        ("never", "if False:"),
        ("always", "if True:"),
        ("boolean", "if not a < 2.5 or b == 0:"),
        ("negation", "if a < 2.5 and b == 0:"),
        ("comparison", "if not a <= 2.5 and b == 0:"),
        ("reversal", "if not a > 2.5 and b == 0:"),
        ("comparison", "if not a < 2.5 and b != 0:"),
        ("constant", "if not a < 5.0 and b == 0:"),
        ("constant", "if not a < 2.5 and b == 1:"),
        ("augmented", "a.x -= 1"),
        ("constant", "a.x += 2"),
        ("deletion", "pass"),
        ("sign", "a.y = b"),
        ("arithmetic", f"return {least} + (1.0 if b else True)"),
        ("extreme", "return max(a.x[0] * 3, 1) - (1.0 if b else True)"),
        ("arithmetic", "return min(a.x[0] / 3, 1) - (1.0 if b else True)"),
        ("constant", "return min(a.x[0] * 6, 1) - (1.0 if b else True)"),
        ("constant", "return min(a.x[0] * 3, 0) - (1.0 if b else True)"),
        ("never", f"return {least} - (1.0 if False else True)"),
        ("always", f"return {least} - (1.0 if True else True)"),
        ("constant", f"return {least} - (2.0 if b else True)"),
        ("constant", f"return {least} - (1.0 if b else False)"),
    }


def test_statements_go_where_the_rule_still_runs_and_nothing_else_is_the_same():
    gone = [m.before for m in mutation.mutants(rule_of("""
        def f(w, n):
            once = w.row[0]
            total = 0
            for k in range(n):
                if k == once:
                    continue
                w.x[k] = once
                once.y = k
                total = total + k
                log(w)
            while True:
                break
            return total
    """)) if m.edit.kind == "deletion"]  # fmt: skip
    assert gone == ["total = 0", "w.x[k] = once", "once.y = k", "total = total + k", "log(w)", "break"]


def test_a_while_is_never_made_endless_by_its_condition():
    assert changes("def f():\n while True:\n  g()") == {("never", "while False:"), ("deletion", "pass")}


def test_all_rules_are_found_every_mutant_has_its_own_name_and_leaves_the_rule_as_it_was():
    rules = mutation.find_rules()
    texts = [p.read_text() for folder in mutation.FOLDERS for p in (mutation.ROOT / folder).rglob("*.py")]
    assert len(rules) == sum(len(re.findall(r"^@(?:rule|entry)$", text, re.MULTILINE)) for text in texts)
    before = [ast.dump(rule.node) for rule in rules]
    ids = [m.id for rule in rules for m in mutation.mutants(rule)]
    assert len(set(ids)) == len(ids)
    assert [ast.dump(rule.node) for rule in rules] == before


def test_mutants_die_survive_or_never_end(tmp_path: Path):
    files = {"toy/rules.py": TOY, "specs/test_toy.py": SPECIFICATION, "tests/equivalent_mutants.txt": EQUIVALENT}
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    call = (
        "import sys, pathlib; from tests.mutation import main; sys.exit(main(root=pathlib.Path.cwd(), folders=['toy']))"
    )
    options = ["--tests", "specs", "--grace", "0.5", "--least", "95", "--out", "out.json"]
    done = subprocess.run(
        [sys.executable, "-c", call, *options], cwd=tmp_path, capture_output=True, text=True, timeout=60,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(mutation.ROOT), str(tmp_path)])},
    )  # fmt: skip
    assert done.returncode == 1, done.stderr  # the score is below what was asked for
    states = defaultdict(set)
    for row in json.loads((tmp_path / "out.json").read_text())["mutants"]:
        states[row["id"].split(":")[2], row["state"]].add(row["after"])
    assert states.pop(("well", "killed"))
    assert states.pop(("weakly", "killed")) == {
        "return x - 1 if x > 0 else 0",
        "return x + 0 if x > 0 else 0",
        "return x + 1 if x < 0 else 0",
        "return x + 1 if x > 1 else 0",
        "return x + 1 if False else 0",
    }
    assert states.pop(("weakly", "survived")) == {
        "return x + 1 if True else 0",
        "return x + 1 if x >= 0 else 0",
        "return x + 1 if x > 0 else 1",
    }
    assert states.pop(("halvings", "timed out")) == {"pass"}
    assert states.pop(("halvings", "killed"))
    assert states.pop(("kept", "killed")) == {"return 3.0 / x", "return 6.0 * x"}
    assert states.pop(("capped", "equivalent")) == {"return x if x <= 5 else 5"}
    assert "return x if x > 5 else 5" in states.pop(("capped", "killed"))
    assert states.pop(("alone", "no test")) == {"return x"}
    assert not states
    for said in (
        "toy/rules.py:7  weakly, always\n    - return x + 1 if x > 0 else 0\n    + return x + 1 if True else 0\n",
        "no test reaches toy/rules.py::alone (1 mutants)",
        "toy/rules.py::capped | return x if x < 5 else 5 -> return x if x > 5 else 5\n",
        "no such mutant any more: capped | return x -> return 2\n",
        "left out: specs/test_toy.py::test_fails_anyway (fails with unbroken rules)\n",
    ):
        assert said in done.stdout


def test_what_changed_is_told_by_name_and_tree(tmp_path: Path):
    def git(*words: str) -> None:
        subprocess.run(["git", "-c", "user.name=n", "-c", "user.email=e", *words], cwd=tmp_path, check=True)

    text = '@rule\ndef {}(x):\n    """Return it."""\n    return x + {}\n'
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "all.py").write_text(text.format("moved", 1) + text.format("changed", 1))
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "before")
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "a.py").write_text("# one\n" + text.format("moved", 1).replace("Return it", "Say"))
    (tmp_path / "toy" / "b.py").write_text(text.format("changed", 2) + text.format("new", 1))
    found = mutation.changed_since(mutation.find_rules(tmp_path, ["toy"]), "HEAD", tmp_path)
    assert [rule.key for rule in found] == ["toy/b.py::changed", "toy/b.py::new"]
    with pytest.raises(SystemExit, match="git grep"):
        mutation.changed_since([], "no-such-revision", tmp_path)
