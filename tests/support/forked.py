"""Calls in processes of their own, forked from one that has its imports done: else the imports are most of the time."""

from __future__ import annotations

import multiprocessing
import os
import sys
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from pydoc import locate
from tempfile import TemporaryDirectory
from typing import Any


@dataclass(frozen=True)
class Finished:
    status: int
    output: str
    errors: str


def call(name: str, *arguments: Any, cwd: Path, seconds: float) -> Finished:
    """`sys.exit(name(*arguments))` as a program without a terminal, in today's environment, warnings being errors.

    `name` has its module before it. Raises TimeoutError after so many seconds.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([name.rpartition(".")[0]])
    with TemporaryDirectory() as folder:
        output, errors = Path(folder, "output"), Path(folder, "errors")
        given = (name, arguments, cwd, dict(os.environ), output, errors)
        process = context.Process(target=_become, args=given)
        process.start()
        process.join(seconds)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise TimeoutError(f"{name} did not end within {seconds} s: {output.read_text()}")
        return Finished(process.exitcode, output.read_text(), errors.read_text())


def _become(
    name: str, arguments: tuple[Any, ...], cwd: Path, environment: Mapping[str, str], output: Path, errors: Path
) -> None:
    for number, (path, flags) in enumerate(
        [(Path(os.devnull), os.O_RDONLY), *((each, os.O_WRONLY | os.O_CREAT) for each in (output, errors))]
    ):
        os.dup2(os.open(path, flags), number)
    # Python's own objects for these were made for other files.
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    warnings.simplefilter("error")
    called: Any = locate(name)
    sys.exit(called(*arguments))
