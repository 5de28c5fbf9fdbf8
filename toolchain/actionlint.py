"""actionlint, which checks GitHub's workflows. It is built from its Go module when a test needs it."""

from __future__ import annotations

from pathlib import Path

from toolchain import cache, pins, platforms
from toolchain.golang import go
from toolchain.progress import Step

PACKAGE = "github.com/rhysd/actionlint/cmd/actionlint"
MODULE = Path(__file__).parent / "workflows"


def ensure() -> Path:
    """Return the program; its build takes a minute, once."""
    name = f"actionlint-{platforms.host().key}-{pins.digest(MODULE / 'go.mod', MODULE / 'go.sum')}"
    return cache.install(name, _build) / "actionlint"


def _build(folder: Path) -> None:
    with Step("actionlint from its Go module (a minute, once)"), go(folder.parent) as tool:
        tool.run("build", "-o", folder / "actionlint", PACKAGE, doing="building actionlint", cwd=MODULE)
