"""Litestream, built from its Go module when a test needs it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from toolchain import cache, path, pins, platforms
from toolchain.errors import ToolError
from toolchain.golang import go
from toolchain.progress import Step

PACKAGE = "github.com/benbjohnson/litestream/cmd/litestream"
MODULE = Path(__file__).parent / "litestream"


def ensure() -> Path:
    """Return the program; its build takes minutes, once. Its SQLite is C: raises ToolError without a compiler."""
    if path.which("cc") is None and path.which("gcc") is None:
        raise ToolError("Litestream is built with a C compiler, and there is none on PATH.", "install gcc")
    name = f"litestream-{platforms.host().key}-{pins.digest(MODULE / 'go.mod', MODULE / 'go.sum')}"
    return cache.install(name, _build) / "litestream"


def _build(folder: Path) -> None:
    with Step("Litestream from its Go module (5 minutes, once)") as _, go(folder.parent) as tool:
        with_c = replace(tool, env={**tool.env, "CGO_ENABLED": "1"})
        with_c.run("build", "-o", folder / "litestream", PACKAGE, doing="building Litestream", cwd=MODULE)
