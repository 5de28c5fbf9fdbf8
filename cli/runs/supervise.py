"""Start a run in a process of its own and follow it, so that it outlives the terminal."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console

import programs
from cli.engine.pulumi import is_worth_reading
from cli.engine.workspace import Stack
from cli.runs import live_view
from cli.runs.store import Run, RunInfo
from cli.ui.errors import CommandError
from errors import Fix
from retry import backoff

FOREVER = 7 * 24 * 3600.0
INTERRUPTED = 130


def start_detached(
    run: Run, stack: Stack, task: Mapping[str, Any], environment: Mapping[str, str] | None = None
) -> None:
    """Start the run's task in a session of its own, which no terminal ends."""
    run.write(task=dict(task), followed_from=run.info.output.stat().st_size)
    with run.info.output.open("ab") as log:
        command = [sys.executable, "-m", "cli.runner", str(run.folder)]
        variables = {**os.environ, **(environment or {})}
        process = programs.start(command, output=log, cwd=stack.project, env=variables, session=True)
    run.write(pid=process.pid, pid_since=psutil.Process(process.pid).create_time())


def run_in_view(run: Run, quiet: bool = False) -> RunInfo:
    """Follow a detached run to its end. Raises CommandError when it fails.

    Ctrl-C asks the run to stop after its current steps and continues to follow it. A second Ctrl-C stops following.
    """
    try:
        _show(run, quiet)
    except KeyboardInterrupt:
        _interrupt(run, quiet)
    info = run.info
    if failure := failed_run(info):
        raise failure
    return info


def failed_run(info: RunInfo) -> CommandError | None:
    """Return the error of a run that has ended; None when it succeeded."""
    if info.status == "killed":
        return CommandError(
            f"The run {info.id} was killed.",
            Fix(f"oracle recover {info.stack}", "to clean up after it"),
            Fix(f"oracle logs {info.id}", "to read its output"),
        )
    return CommandError(info.error) if info.status == "failed" else None


def follow(
    run: RunInfo,
    write: Callable[[str], object],
    position: int = 0,
    *,
    wait: bool = True,
    everything: bool = False,
) -> RunInfo:
    """Write the lines of a run's output that are worth reading; return the run's state afterwards.

    With `wait`, follow the output until the run ends.
    """
    for line in _lines(run, position, wait):
        if everything or is_worth_reading(line):
            write(line)
    return run.again()


def _show(run: Run, quiet: bool) -> None:
    info = run.info
    terminal = Console()
    if quiet:
        follow(info, lambda _: None)
    elif terminal.is_terminal and not terminal.is_dumb_terminal:
        live_view.show(info, terminal)
    else:
        follow(info, write_line, _followed_from(run.folder))


def _interrupt(run: Run, quiet: bool) -> None:
    info = run.info
    print(
        f"\noracle: {info.id} ends after its current steps. Ctrl-C again stops following it; to follow it later, run "
        f"`oracle logs {info.id} -f`.",
        file=sys.stderr,
    )
    if info.running:
        os.kill(info.pid, signal.SIGINT)
    try:
        follow(info, (lambda _: None) if quiet else write_line, info.output.stat().st_size)
    except KeyboardInterrupt:
        raise CommandError(
            f"{info.id} is no longer followed; it ends after its current steps.",
            Fix(f"oracle logs {info.id} -f", "to follow it"),
            status=INTERRUPTED,
        ) from None


def _lines(run: RunInfo, position: int, wait: bool) -> Iterator[str]:
    """Yield whole lines as they come, until the run has ended and its output is read."""
    left = b""
    for _ in backoff(FOREVER, first=0.05, longest=0.2):
        ended = not (wait and run.again().running)  # checked before the read, so that the run's last lines are read too
        with run.output.open("rb") as log:
            log.seek(position)
            new = log.read()
        position += len(new)
        *whole, left = (left + new).split(b"\n")
        yield from (line.decode(errors="replace") + "\n" for line in whole)
        if ended:
            if left:
                yield left.decode(errors="replace") + "\n"
            return


def _followed_from(folder: Path) -> int:
    """Return the position of the output that this terminal has not shown itself."""
    return int(json.loads((folder / "run.json").read_text()).get("followed_from", 0))


def write_line(line: str) -> None:
    """Write to standard output at once."""
    sys.stdout.write(line)
    sys.stdout.flush()
