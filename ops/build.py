"""Services' own builds, in parallel, each with its output kept."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ops.failures import Failure
from ops.workspace import Stack

TAIL = 25


@dataclass(frozen=True)
class Build:
    service: str
    folder: Path
    command: str
    log: Path


def builds(stack: Stack, services: list[str]) -> list[Build]:
    """The builds that the stack's configuration names, for all services or those given. Raises Failure."""
    settings = stack.settings()
    sources = {"backend": settings.backend, **settings.workers}
    if unknown := [name for name in services if name not in sources]:
        raise Failure(f"There is no service {unknown[0]}; name one of {', '.join(sources)}: oracle build backend")
    return [
        Build(name, stack.project / source.path, source.build, stack.private / "logs" / f"build-{name}.log")
        for name, source in sources.items()
        if source.build and source.path and name in (services or sources)
    ]


def run_builds(wanted: list[Build]) -> Iterator[Build]:
    """Runs all at once and yields each as it succeeds. Raises Failure with the end of the first failed one's output."""
    with ThreadPoolExecutor(max_workers=max(1, len(wanted))) as pool:
        yield from pool.map(_run, wanted)


def _run(build: Build) -> Build:
    if not build.folder.is_dir():
        raise Failure(
            f"The checkout {build.folder} of {build.service} does not exist; clone it there, then: oracle build"
        )
    build.log.parent.mkdir(parents=True, exist_ok=True)
    with build.log.open("wb") as log:
        done = subprocess.run(
            ["sh", "-c", build.command], cwd=build.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False
        )
    if done.returncode != 0:
        tail = "\n".join(build.log.read_text(errors="replace").splitlines()[-TAIL:])
        raise Failure(
            f"The build of {build.service} failed (status {done.returncode}); mend it, then: oracle build "
            f"{build.service}\nIts log is {build.log} and ends:\n{tail}"
        )
    return build
