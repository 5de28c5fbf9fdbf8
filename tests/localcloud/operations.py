"""The table of what the local cloud answers: `python -m tests.localcloud.operations` writes docs/operations.md."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

from localcloud.cloudflare.routes import TABLE
from localcloud.digitalocean.apps import Apps
from localcloud.digitalocean.uptime import Uptime

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"
INTRODUCTION = """# What the local cloud answers

Written by `python -m tests.localcloud.operations`; a test fails when it is stale. Everything else is answered as the
real API answers what does not exist. Every request wants its cloud's bearer token (`.oracle/cloud/tokens.json`).
"""


def page() -> str:
    """The whole page, Markdown."""
    apps, uptime = Apps(MagicMock()), Uptime(MagicMock())
    routes = import_module("localcloud.digitalocean.routes")  # the package has a function of the same name
    platform = [*routes._apps(apps), *routes._uptime(uptime), *routes._catalog()]
    sections = [("DigitalOcean", "", platform), ("Cloudflare", "/client/v4", TABLE)]
    parts = [INTRODUCTION]
    for title, prefix, table in sections:
        parts.append(f"\n## {title}\n\n| request | |\n|---|---|\n" + "\n".join(_rows(prefix, table)) + "\n")
    return "".join(parts)


def _rows(prefix: str, table: list[tuple[str, str, Any]]) -> Iterator[str]:
    for method, path, handler in table:
        told = (handler.__doc__ or "").strip().splitlines()
        yield f"| `{method} {prefix}{path}` | {told[0].replace('|', 'or') if told else ''} |"


if __name__ == "__main__":
    PAGE.write_text(page())
