"""The toolchain's own command line."""

from __future__ import annotations

import signal
import sys
from types import FrameType

from toolchain.errors import ToolError

USAGE = "usage: python3 -m toolchain [ensure [--quiet] | which]"


def main(arguments: list[str]) -> int:
    """The exit status: 0 when everything is there, 1 with one sentence when not, 130 when interrupted."""
    signal.signal(signal.SIGTERM, _terminated)
    words = [word for word in arguments if not word.startswith("-")]
    flags = {word for word in arguments if word.startswith("-")}
    if len(words) > 1 or words and words[0] not in ("ensure", "which") or flags - {"--quiet"}:
        print(USAGE, file=sys.stderr)
        return 2
    try:
        return _which() if words == ["which"] else _ensure(quiet="--quiet" in flags)
    except ToolError as error:
        print(f"{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. What was whole is kept, nothing half-made is.\n  next: make tools", file=sys.stderr)
        return 130


def _ensure(quiet: bool) -> int:
    from toolchain import python

    python.ensure()
    return 0


def _which() -> int:
    return 0


def _terminated(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
