"""Which part may import which, and how large the program may grow."""

from __future__ import annotations

import ast
import itertools
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.sources import PROJECT, sources, statements, tree

MAY_IMPORT: dict[str, set[str]] = {
    "__main__": {"components", "lifecycle", "settings", "sources"},
    # The program's boxes, what their hooks and providers do, and what a run would deploy.
    "components": {
        "artifacts",
        "clients",
        "errors",
        "lazy_sdk",
        "lifecycle",
        "provider_sdks",
        "settings",
        "stack_outputs",
        "storage",
    },
    "sources": {"artifacts", "errors", "lifecycle", "settings", "stack_outputs", "storage"},
    "lifecycle": {
        "advice",
        "clients",
        "errors",
        "provider_sdks",
        "programs",
        "retry",
        "settings",
        "stack_outputs",
        "storage",
        "tracebacks",
    },
    # The command. Its own layers are CLI_LAYERS.
    "cli": {
        "advice",
        "artifacts",
        "atomic_write",
        "clients",
        "errors",
        "programs",
        "repositories",
        "retry",
        "settings",
        "stack_outputs",
        "storage",
        "toolchain",
        "tracebacks",
        "yaml_text",
    },
    # Shared by both: they know nothing of what uses them.
    "storage": {"artifacts", "atomic_write", "clients", "errors", "programs", "stack_outputs"},
    "artifacts": {"clients", "errors", "programs", "settings", "site_rules"},
    "clients": {"errors", "retry"},
    "settings": {"errors", "yaml_text"},
    "advice": {"errors"},
    "atomic_write": set(),
    "errors": set(),
    "provider_sdks": {"lazy_sdk"},
    "lazy_sdk": set(),
    "programs": set(),
    "retry": set(),
    "site_rules": set(),
    "stack_outputs": set(),
    "tracebacks": set(),
    "yaml_text": set(),
    # Packages of their own.
    "localcloud": {"site_rules"},
    "offline_plugins": set(),
    "repositories": {"errors", "programs", "retry", "yaml_text"},
    "toolchain": {"programs"},
    "benchmarks": {"cli", "clients", "lifecycle", "repositories", "storage", "tests", "toolchain"},
}
"""What each part may import, besides itself."""
OURS = frozenset({*MAY_IMPORT, "services", "tests"})

COMPONENT_BASE = {"bindings", "declared_worker", "worker_args"}
"""What a component may use of its own package: the Workers' types of bindings, and the Worker's parts."""
CLI_LAYERS: tuple[set[str], ...] = (
    {"ui"},
    {"engine"},
    {"builds"},
    {"runs"},
    {"backups"},
    {"status"},
    {"deploy"},
    {"adopt", "plan"},
    {"drift"},
    {"dashboard", "doctor", "github", "preview_env", "rehearse", "releases", "repositories", "tail"},
    {"completion", "runner", "stack_argument"},
    {"commands", "help"},
    {"main"},
    {"__main__"},
)
"""The command, from text and errors up to its entry: each layer imports those before it."""


def files(part: str) -> list[Path]:
    single = PROJECT / f"{part}.py"
    return [single] if single.exists() else sorted((PROJECT / part).rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    """Dotted names of our own modules that the file imports, anywhere in it."""
    for node in statements(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] in OURS)
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in OURS:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_every_part_has_an_import_rule() -> None:
    tracked = {path.relative_to(PROJECT).parts[0].removesuffix(".py") for path in sources()}
    assert tracked - {"services", "tests"} == set(MAY_IMPORT)


@pytest.mark.parametrize("part", sorted(MAY_IMPORT))
def test_parts_import_only_the_allowed_parts(part: str) -> None:
    found = files(part)
    assert found
    wrong = {
        f"{path.relative_to(PROJECT)} imports {name}"
        for path in found
        for name in imports(path)
        if name.split(".")[0] not in {part, *MAY_IMPORT[part]}
    }
    assert not wrong


def test_components_do_not_import_one_another() -> None:
    wrong = {
        f"{path.stem} imports {name}"
        for path in files("components")
        for name in imports(path)
        if name.startswith("components.") and name.split(".")[1] not in {*COMPONENT_BASE, path.stem}
    }
    assert not wrong


def test_layers_of_the_command_import_only_lower_layers() -> None:
    order = {name: number for number, layer in enumerate(CLI_LAYERS) for name in layer}
    assert {path.relative_to(PROJECT / "cli").parts[0].removesuffix(".py") for path in files("cli")} == {
        "__init__",
        *order,
    }
    wrong = set()
    for path in files("cli"):
        own = path.relative_to(PROJECT / "cli").parts[0].removesuffix(".py")
        for name in imports(path):
            parts = name.split(".")
            if parts[0] == "cli" and parts[1:] and own != "__init__" and parts[1] != own:
                wrong |= {f"{path.relative_to(PROJECT)} imports {name}"} if order[parts[1]] >= order[own] else set()
    assert not wrong


OUR_COMMAND = re.compile(r"\b(oracle|pulumi|make) [a-z]")


@pytest.mark.parametrize("part", ["artifacts", "clients", "storage"])
def test_libraries_name_no_command_of_ours(part: str) -> None:
    """They name what helps as data, such as a `Remedy`. Docstrings may name commands."""
    found = files(part)
    assert found
    for path in found:
        nodes = list(ast.walk(tree(path)))
        docstrings = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
        for node in nodes:
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
                assert not OUR_COMMAND.search(node.value), (path, node.lineno, node.value)


def test_the_main_program_has_at_most_80_lines_and_no_helpers() -> None:
    text = (PROJECT / "__main__.py").read_text()
    assert len(text.splitlines()) <= 80
    assert not [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.ClassDef)]


def test_the_toolchain_imports_only_the_standard_library() -> None:
    """It runs before the virtual environment exists."""
    allowed = {*sys.stdlib_module_names, "programs", "toolchain"}
    found = {part: files(part) for part in ("toolchain", "programs")}
    assert all(found.values())
    for path in itertools.chain(*found.values()):
        for node in statements(tree(path)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
            assert all(name.split(".")[0] in allowed for name in names), (path, names)
