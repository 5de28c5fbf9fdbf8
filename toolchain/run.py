"""Runs a program to its end with its output kept for the error, not shown."""

from __future__ import annotations

import os
import subprocess
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from toolchain import cache
from toolchain.errors import ToolError, says_disk_full

TAIL = 15

Command = Sequence[str | Path]


def run(
    command: Command,
    *,
    doing: str,
    folder: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    line: Callable[[str], None] | None = None,
) -> None:
    """Runs `command`; each line of its output goes to `line`. When we are interrupted it is stopped first.

    Raises ToolError with the end of the output when it fails, DiskFull when the output says so: `folder` is where it
    writes, besides the cache.
    """
    tail: deque[str] = deque(maxlen=200)
    try:
        child = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={**os.environ, **(env or {})},
            cwd=cwd,
        )
    except FileNotFoundError as missing:
        raise ToolError(f"{command[0]} is not there to be run ({doing}).") from missing
    try:
        assert child.stdout is not None
        with child.stdout as output:
            for text in output:
                tail.append(text.rstrip())
                if line is not None:
                    line(text.rstrip())
        status = child.wait()
    except BaseException:
        _stop(child)
        raise
    if status != 0:
        raise _failure(list(tail), status, doing, folder)


def _failure(tail: list[str], status: int, doing: str, folder: Path) -> ToolError:
    if any(says_disk_full(text) for text in tail):
        return cache.disk_full(folder, doing)
    end = "\n".join(f"    {text}" for text in tail[-TAIL:])
    return ToolError(f"{doing} failed with status {status}. The end of its output:\n{end}")


def _stop(child: subprocess.Popen[str]) -> None:
    child.terminate()
    try:
        child.wait(timeout=5)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def output(command: Command, env: Mapping[str, str] | None = None, seconds: float = 20) -> str | None:
    """What a quick program prints, or None when it is not there, fails, or does not end in time."""
    try:
        done = subprocess.run(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            env={**os.environ, **(env or {})},
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout
