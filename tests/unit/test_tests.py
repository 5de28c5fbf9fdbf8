"""Tests can fail: a test that asserts only in a loop also asserts that the loop has something to check."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.support.sources import PROJECT, tree

Function = ast.FunctionDef | ast.AsyncFunctionDef
Loop = ast.For | ast.AsyncFor
SAME_LENGTH = frozenset({"enumerate", "len", "list", "range", "reversed", "set", "sorted", "tuple", "zip"})
"""Functions whose result is empty only when an argument is."""
VIEWS = frozenset({"items", "keys", "values", "splitlines"})
"""Methods whose result is empty only when their object is."""
RAISING = frozenset({"of"})
"""Lookups that raise when they find nothing (`program.Run.of`)."""
LOOKUPS = (ast.Call, ast.Subscript, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
"""Expressions that may have nothing in them."""
ASSERTING = ("assert", "expect", "refuse")
"""How the names of helpers begin that assert."""


def files() -> list[Path]:
    return sorted((PROJECT / "tests").rglob("test_*.py"))


def vacuous(module: ast.Module) -> Iterator[str]:
    """The tests that assert only in loops over something that may be empty, with what they loop over."""
    constants = assigned(module)
    for function in ast.walk(module):
        if isinstance(function, Function) and function.name.startswith("test_"):
            loops = list(outer_loops(function))
            if loops and not asserts_outside(function):
                known = {**constants, **assigned(function), **dict.fromkeys(parameters(function))}
                asserting = [loop for loop in loops if any(is_assertion(node) for node in ast.walk(loop))]
                empty = [loop for loop in asserting if may_be_empty(loop.iter, known)]
                if asserting and len(empty) == len(asserting):
                    yield f"{function.name}: for … in {ast.unparse(empty[0].iter)}"


def outer_loops(node: ast.AST) -> Iterator[Loop]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Loop):
            yield child
        elif not isinstance(child, Function | ast.Lambda):
            yield from outer_loops(child)


def asserts_outside(node: ast.AST) -> bool:
    """Whether there is an assertion outside of loops."""
    return is_assertion(node) or any(
        asserts_outside(child) for child in ast.iter_child_nodes(node) if not isinstance(child, Loop)
    )


def is_assertion(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        name = ast.unparse(node.func).rpartition(".")[2].lstrip("_")
        return name in {"raises", "fail"} or name.startswith(ASSERTING)
    return isinstance(node, ast.Assert)


def assigned(node: ast.AST) -> dict[str, ast.expr | None]:
    """The values of a block's names; None for one that is not simply assigned."""
    found: dict[str, ast.expr | None] = {}
    for each in ast.walk(node):
        if isinstance(each, ast.Assign):
            for target in each.targets:
                if isinstance(target, ast.Name):
                    found[target.id] = each.value
        elif isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name):
            found[each.target.id] = each.value
    return found


def parameters(function: Function) -> list[str]:
    return [argument.arg for argument in [*function.args.args, *function.args.kwonlyargs]]


def may_be_empty(value: ast.expr, known: Mapping[str, ast.expr | None]) -> bool:
    """Whether nobody can tell from the text that the value has something in it."""
    match value:
        case ast.Name(name):
            said = known.get(name)
            rest = {key: given for key, given in known.items() if key != name}
            return said is not None and may_be_empty(said, rest)
        case ast.Tuple(elements) | ast.List(elements) | ast.Set(elements):
            return all(isinstance(each, ast.Starred) and may_be_empty(each.value, known) for each in elements)
        case ast.Dict(keys):
            return not keys
        case ast.Constant():
            return not value.value
        case ast.Call(ast.Name(name), arguments) if name in SAME_LENGTH:
            return any(may_be_empty(each, known) for each in arguments if not isinstance(each, ast.Constant))
        case ast.Call(ast.Attribute(inner, name)) if name in VIEWS:
            return may_be_empty(inner, known)
        case ast.Call(ast.Attribute(_, name)) if name in RAISING:
            return False
        case ast.BinOp(left, _, right):
            return may_be_empty(left, known) and may_be_empty(right, known)
        case ast.Attribute(_, name):
            return not name.isupper()
    return isinstance(value, LOOKUPS)


@pytest.mark.parametrize("folder", sorted({path.relative_to(PROJECT / "tests").parts[0] for path in files()}))
def test_no_test_asserts_only_about_what_may_not_be_there(folder: str) -> None:
    found = [
        f"{path.relative_to(PROJECT)}: {each}"
        for path in files()
        if path.relative_to(PROJECT / "tests").parts[0] == folder
        for each in vacuous(tree(path))
    ]
    assert not found


@pytest.mark.parametrize(
    "body",
    [
        "for each in find():\n  assert each",
        "found = [x for x in find()]\n for each in found:\n  assert each",
        "for each in sorted(find()):\n  assert each",
        "for name, each in find().items():\n  assert each",
        "with opened():\n  for each in find():\n   with pytest.raises(ValueError): each()",
        "for each in (*find(), *others()):\n  assert each",
        "for each in given.resources:\n  assert each",
        "for each in given['jobs'].values():\n  assert each",
        "for each in ():\n  assert each",
    ],
)
def test_it_is_seen(body: str) -> None:
    assert list(vacuous(ast.parse(f"def test_x(given):\n {body}")))


@pytest.mark.parametrize(
    "body",
    [
        "found = find()\n assert found\n for each in found:\n  assert each",
        "for each in (1, 2):\n  assert each",
        "for each in given:\n  assert each",
        "for each in given.items():\n  assert each",
        "for each in pins.FILES:\n  assert each",
        "for each in range(3):\n  assert each",
        "for each in run.of(APP):\n  assert each",
        "for each in (*find(), 1):\n  assert each",
        "for each in find():\n  each.stop()",
        "for each in find():\n  assert each\n assert_quiet(given)",
        "names = {'a': 1}\n for each in names.values():\n  assert each",
    ],
)
def test_a_test_that_can_fail_is_not(body: str) -> None:
    assert not list(vacuous(ast.parse(f"def test_x(given):\n {body}")))
