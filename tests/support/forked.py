"""Python in processes of their own, forked from one that has libraries imported: else that is most of the time.

Nothing of ours is imported there: each process runs the code of its own folder.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

LIBRARIES = ["httpx", "psutil", "pydantic", "rich.console", "rich.table", "typer", "yaml"]


@dataclass(frozen=True)
class Finished:
    status: int
    output: str
    errors: str
    """Empty where they are in the output."""


def python(
    words: Sequence[str], cwd: Path, environment: Mapping[str, str], seconds: float, merged: bool = False
) -> Finished:
    """`python WORDS` in a folder, without a terminal: `-m MODULE ARGUMENT…` or `-c CODE`. Raises TimeoutError.

    `merged`: its errors stand among its output.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(LIBRARIES)
    with TemporaryDirectory() as folder:
        output, errors = Path(folder, "output"), Path(folder, "output" if merged else "errors")
        given = (list(words), cwd, dict(environment), output, errors)
        process = context.Process(target=_become, args=given)
        process.start()
        process.join(seconds)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise TimeoutError(f"{words} did not end within {seconds} s: {output.read_text(errors='replace')}")
        return Finished(process.exitcode, output.read_text(), "" if merged else errors.read_text())


def _become(words: list[str], cwd: Path, environment: Mapping[str, str], output: Path, errors: Path) -> None:
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
