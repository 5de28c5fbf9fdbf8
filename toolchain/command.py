"""The toolchain's command line."""

from __future__ import annotations

import signal
import sys
from dataclasses import asdict
from types import FrameType
from typing import TYPE_CHECKING

from toolchain import cache
from toolchain.errors import ToolError
from toolchain.progress import say

if TYPE_CHECKING:
    from toolchain.tools import Tools

USAGE = "usage: python3 -m toolchain [ensure [--quiet] | which | lock]"


def main(arguments: list[str]) -> int:
    """Return the exit status: 0 when everything is installed, 1 with an error when not, 130 when interrupted."""
    signal.signal(signal.SIGTERM, _terminated)
    words = [word for word in arguments if not word.startswith("-")]
    flags = {word for word in arguments if word.startswith("-")}
    if words not in ([], ["ensure"], ["which"], ["lock"]) or flags - {"--quiet"}:
        print(USAGE, file=sys.stderr)
        return 2
    try:
        if words == ["which"]:
            return _which()
        return _lock() if words == ["lock"] else _ensure(quiet="--quiet" in flags)
    except ToolError as error:
        print(f"{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. The tools that were complete stay installed. To go on, run `make tools`.", file=sys.stderr)
        return 130


def _ensure(quiet: bool) -> int:
    """Install missing tools. When none is missing, print nothing unless `ensure` was given."""
    from toolchain import tools

    current = tools.is_current()
    found = tools.ensure()
    if not quiet or not current:
        say(f"All tools are installed: {summary(found)}.")
    return 0


def _which() -> int:
    from toolchain import tools

    for name, value in asdict(tools.locate()).items():
        print(f"{name:15} {value}")
    return 0


def _lock() -> int:
    from toolchain import lock

    lock.write()
    return 0


def summary(found: Tools) -> str:
    """Return one line: "Pulumi engine 3.259.0 (built from its Go modules), …"."""
    origin = {"path": "yours", "installer": "from Pulumi's releases", "modules": "built from its Go modules"}
    return f"Pulumi engine {found.engine_version} ({origin[found.engine_source]}), cache {cache.root()}"


def _terminated(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
