"""Python in processes of their own, forked from one that has libraries imported: else that is most of the time.

Nothing of ours is imported there: each process runs the code of its own folder.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from tempfile import TemporaryDirectory

LIBRARIES = [
    *("httpx", "psutil", "pydantic", "rich.console", "rich.table", "typer", "yaml"),
    *("detect_secrets.settings", "requests"),  # the scanner of `oracle commit-all`
    *("cryptography.hazmat.primitives.ciphers.aead", "starlette.applications", "uvicorn", "websockets.asyncio.server"),
]


@dataclass(frozen=True)
class Finished:
    status: int
    output: str
    errors: str
    """Empty where they are in the output."""


class Forked:
    """A running one, with what subprocess.Popen has for it."""

    def __init__(self, process: ForkServerProcess) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        assert self._process.pid
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """The exit status, negative after a signal. Raises subprocess.TimeoutExpired."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("python", timeout or 0)
        return self._process.exitcode

    def send_signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def start(words: Sequence[str], cwd: Path, environment: Mapping[str, str], output: Path, errors: Path) -> Forked:
    """`python WORDS` in a folder and a session of its own, without a terminal: `-m MODULE ARGUMENT…` or `-c CODE`."""
    return _forked(words, cwd, environment, output, errors, session=True)


def python(
    words: Sequence[str], cwd: Path, environment: Mapping[str, str], seconds: float, merged: bool = False
) -> Finished:
    """The same until it ends, in the session of the tests: Ctrl-C reaches it. Raises TimeoutError.

    `merged`: its errors stand among its output.
    """
    with TemporaryDirectory() as folder:
        output, errors = Path(folder, "output"), Path(folder, "output" if merged else "errors")
        process = _forked(words, cwd, environment, output, errors, session=False)
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            said = output.read_text(errors="replace")
            raise TimeoutError(f"{words} did not end within {seconds} s: {said}") from None
        return Finished(status, output.read_text(), "" if merged else errors.read_text())


def _forked(
    words: Sequence[str], cwd: Path, environment: Mapping[str, str], output: Path, errors: Path, session: bool
) -> Forked:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(LIBRARIES)
    process = context.Process(target=_become, args=(list(words), cwd, dict(environment), output, errors, session))
    process.start()
    return Forked(process)


def _become(
    words: list[str], cwd: Path, environment: Mapping[str, str], output: Path, errors: Path, session: bool
) -> None:
    if session:
        os.setsid()
    for number, path in enumerate((Path(os.devnull), output, errors)):
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(file, number)
        os.close(file)
    # Python's own objects for these were made for other files.
    sys.stdin, sys.stdout = open(0, closefd=False), open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, closefd=False, errors="backslashreplace")  # noqa: SIM115
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    sys.path[:0] = [str(cwd)]
    kind, name, *arguments = words
    sys.argv = [kind, *arguments]
    if kind == "-m":
        runpy.run_module(name, run_name="__main__", alter_sys=True)
    else:
        exec(compile(name, "<string>", "exec"), {"__name__": "__main__"})
