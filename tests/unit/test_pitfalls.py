"""docs/pitfalls.md names existing tests, and each pitfall has a test or a reason why it has none."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from tests.support.sources import PROJECT, tree

PAGE = PROJECT / "docs/pitfalls.md"
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
REASON = "Cannot show: "


def rows() -> list[list[str]]:
    """The cells of each line of the page's tables, without their heads."""
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in cells if row[0] != "pitfall" and set(row[0]) != {"-"}]


@cache
def names_in(path: str) -> frozenset[str]:
    """The names of a file's tests, which are not run and not even imported."""
    defined = (
        node for node in ast.walk(tree(PROJECT / path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    return frozenset(node.name for node in defined if node.name.startswith("test_"))


def test_the_page_has_tables() -> None:
    assert len(rows()) > 50
    assert len(NAMED.findall(PAGE.read_text())) > 70


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0][:40])
def test_every_pitfall_has_a_test_that_exists_or_a_reason(row: list[str]) -> None:
    assert len(row) == 3, "a pitfall, what the program does, and what shows it"
    assert all(row[:2])
    named = NAMED.findall(row[2])
    assert named or row[1].startswith(REASON)
    assert NAMED.sub("", row[2]).strip(" ,") == "", "nothing but tests"
    for path, name in named:
        assert (PROJECT / path).is_file(), path
        assert name in names_in(path), f"{path}::{name}"


def test_no_pitfall_is_listed_twice() -> None:
    told = [row[0] for row in rows()]
    assert len(set(told)) == len(told)


def test_every_test_of_declared_resources_is_on_the_page() -> None:
    """Each of these tests was written for a pitfall."""
    named = {name for path, name in NAMED.findall(PAGE.read_text()) if path.endswith("test_providers.py")}
    assert names_in("tests/unit/test_providers.py") == named


def test_links_of_the_page_are_valid() -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", PAGE.read_text())
    assert targets
    for target in targets:
        assert (PAGE.parent / target).exists(), target
