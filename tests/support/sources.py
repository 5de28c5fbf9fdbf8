"""The project's own Python files, as tests of their text read them."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).parents[2]
NOT_OURS = {"build", "node_modules", "tests"}


@functools.cache
def sources() -> tuple[Path, ...]:
    """All of them but the tests. Folders that begin with a dot hold other people's code, and very much of it."""
    places = (place for place in PROJECT.iterdir() if place.name not in NOT_OURS and not place.name.startswith("."))
    found = (path for place in places for path in (place.rglob("*.py") if place.is_dir() else [place]))
    return tuple(sorted(path for path in found if path.suffix == ".py" and "node_modules" not in path.parts))


@functools.cache
def tree(path: Path) -> ast.Module:
    """The file as parsed, once in a test process; it must not be changed."""
    return ast.parse(text(path))


@functools.cache
def text(path: Path) -> str:
    return path.read_text()


def statements(node: ast.AST) -> Iterator[ast.stmt]:
    """Every statement, however deep inside others: an eighth of all that `ast.walk` comes by."""
    for block in ("body", "handlers", "orelse", "finalbody", "cases"):
        for inner in getattr(node, block, ()):
            if isinstance(inner, ast.stmt):
                yield inner
            yield from statements(inner)
