"""Which part may import which, and how large the program may grow."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.sources import PROJECT, statements, tree

OURS = frozenset(
    {
        "addresses",
        "appplatform",
        "artifacts",
        "backups",
        "cloudapi",
        "components",
        "contract",
        "folders",
        "httpclient",
        "httproutes",
        "images",
        "localcloud",
        "ops",
        "pocketbase",
        "programs",
        "releases",
        "repositories",
        "sdk",
        "services",
        "settings",
        "siterules",
        "sites",
        "tests",
        "toolchain",
        "tracebacks",
        "waiting",
        "websocketclient",
        "workersapi",
        "yamltext",
    }
)
# Shared by everything above: they know nothing of what uses them.
COMPONENT_BASE = frozenset(
    {
        "addresses",
        "adopted",
        "alerts",
        "bindings",
        "bootstrap",
        "checkout",
        "configured",
        "custody",
        "declared",
        "disk",
        "dockerfile",
        "dynamic",
        "foreign",
        "front",
        "history",
        "migrations",
        "naming",
        "ownership",
        "providers",
        "receipt",
        "replica",
        "succession",
        "transfer",
    }
)
MAY_IMPORT = {
    "__main__": {"settings", "contract", "components"},
    "settings": {"settings", "yamltext"},
    "yamltext": set(),
    "contract": set(),
    "artifacts": {"folders", "programs", "sites"},
    "folders": set(),
    "siterules": set(),
    "sites": {"folders", "siterules", "sites"},
    "addresses": {"folders", "settings", "sites"},
    "programs": {"programs"},
    "httpclient": {"httproutes"},
    "httproutes": {"httpclient"},
    "cloudapi": {"httpclient"},
    "images": {"cloudapi", "folders", "httpclient", "images", "programs", "settings"},
    "sdk": set(),
    "tracebacks": set(),
    "waiting": set(),
    "websocketclient": {"httpclient"},
    "appplatform": {"appplatform", "cloudapi", "httpclient", "waiting", "websocketclient"},
    "pocketbase": {"httpclient", "pocketbase", "waiting"},
    "workersapi": {"cloudapi", "httpclient", "waiting", "websocketclient", "workersapi"},
    "backups": {"backups", "contract", "httpclient", "pocketbase", "programs"},
    "releases": {"releases", "artifacts", "backups", "contract"},
    "components": {
        "components",
        "settings",
        "contract",
        "addresses",
        "artifacts",
        "cloudapi",
        "httpclient",
        "images",
        "sdk",
        "appplatform",
        "backups",
        "pocketbase",
        "programs",
        "releases",
        "tracebacks",
        "waiting",
        "workersapi",
    },
    "ops": {
        "ops",
        "settings",
        "contract",
        "addresses",
        "artifacts",
        "cloudapi",
        "folders",
        "httpclient",
        "images",
        "appplatform",
        "backups",
        "pocketbase",
        "programs",
        "releases",
        "repositories",
        "toolchain",
        "tracebacks",
        "waiting",
        "workersapi",
        "yamltext",
    },
    "localcloud": {"localcloud", "siterules"},
    "repositories": {"programs", "repositories", "waiting", "yamltext"},
    "toolchain": {"programs", "toolchain"},
}


def files(part: str) -> list[Path]:
    single = PROJECT / f"{part}.py"
    return [single] if single.exists() else sorted((PROJECT / part).rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    """Dotted names of our own modules that the file imports, anywhere in it."""
    for node in statements(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] in OURS)
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in OURS:
            yield node.module


@pytest.mark.parametrize("part", sorted(MAY_IMPORT))
def test_parts_import_only_what_they_may(part: str) -> None:
    found = files(part)
    assert found
    wrong = {
        f"{path.relative_to(PROJECT)} imports {name}"
        for path in found
        for name in imports(path)
        if name.split(".")[0] not in MAY_IMPORT[part]
    }
    assert not wrong


def test_components_do_not_import_one_another() -> None:
    wrong = {
        f"{path.stem} imports {name}"
        for path in files("components")
        for name in imports(path)
        if name.startswith("components.") and name.split(".")[1] not in COMPONENT_BASE
    }
    assert not wrong


def test_nothing_asks_for_the_stacks_name() -> None:
    """What differs between stacks is configuration and nothing else. One place names the owner of what is made."""
    for path in [*files("__main__"), *files("settings"), *files("components")]:
        if path.stem == "naming":
            continue
        for node in ast.walk(tree(path)):
            asked = isinstance(node, ast.Attribute | ast.Name) and "get_stack" in ast.unparse(node)
            assert not asked, path


def test_the_program_fits_a_screen() -> None:
    text = (PROJECT / "__main__.py").read_text()
    assert len(text.splitlines()) <= 80
    assert not [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.ClassDef)]


def test_the_toolchain_starts_on_the_standard_library_alone() -> None:
    """It runs before there is an environment to import anything from."""
    allowed = {*sys.stdlib_module_names, "programs", "toolchain"}
    for path in [*files("toolchain"), *files("programs")]:
        for node in statements(tree(path)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
            assert all(name.split(".")[0] in allowed for name in names), (path, names)
