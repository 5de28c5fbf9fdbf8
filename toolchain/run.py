"""Runs a program to its end. Its output is not shown, but an error has its end."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path

import programs
from programs import Command, OutOfTime
from toolchain import cache
from toolchain.errors import ToolError, says_disk_full

__all__ = ["Command", "output", "run"]

TAIL = 15
SECONDS = 2 * 3600.0  # the engine's build takes minutes on 2 cores, and an hour on the slowest machine known


def run(
    command: Command,
    *,
    doing: str,
    folder: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    line: Callable[[str], None] | None = None,
) -> None:
    """Run `command`; each line of its output goes to `line`. When we are interrupted it is stopped first.

    `env` is its whole environment; ours when it is None. Raises ToolError with the end of the output when it fails,
    DiskFull when the output reports a full disk: `folder` is where it writes, besides the cache.
    """
    tail: deque[str] = deque(maxlen=200)

    def keep(raw: bytes) -> None:
        tail.append(raw.decode(errors="replace").rstrip())
        if line is not None:
            line(tail[-1])

    try:
        done = programs.run(command, cwd=cwd, env=env, merged=True, line=keep, seconds=SECONDS)
    except OutOfTime as late:
        raise ToolError(f"{doing} did not end within {SECONDS / 3600:.0f} hours and was stopped.") from late
    except FileNotFoundError as missing:
        raise ToolError(f"{command[0]} is not installed ({doing}).") from missing
    except OSError as error:
        raise ToolError(f"{command[0]} cannot be run: {error.strerror} ({doing}).") from error
    if done.status != 0:
        raise _failure(list(tail), done.status, doing, folder)


def _failure(tail: list[str], status: int, doing: str, folder: Path) -> ToolError:
    if any(says_disk_full(text) for text in tail):
        return cache.disk_full(folder, doing)
    end = "\n".join(f"    {text}" for text in tail[-TAIL:])
    return ToolError(f"{doing} failed with status {status}. The end of its output:\n{end}")


def output(command: Command, env: Mapping[str, str] | None = None, seconds: float = 20) -> str | None:
    """Return a quick program's output; None when it is missing, fails, or does not end in time. `env` as for `run`."""
    try:
        done = programs.run(command, env=env, seconds=seconds)
    except (OSError, OutOfTime):
        return None
    return done.output.decode(errors="replace") if done.status == 0 else None
