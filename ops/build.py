"""Services' own builds, in parallel, each with its output kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ops.failures import Failure
from ops.rebuilding import Product
from ops.workspace import Stack
from programs import OutOfTime, run
from settings import AssetsSettings, BackendSettings, ModuleSettings, WorkerSettings

TAIL = 25
BUILD_SECONDS = 3600.0


@dataclass(frozen=True)
class Build:
    service: str
    folder: Path
    command: str
    log: Path
    product: Product | None = None
    """What it makes, where that is known: then an unchanged source is not built again."""


@dataclass(frozen=True)
class Built:
    """A service that is built: just now, or before from the same source."""

    service: str
    log: Path
    is_new: bool
    differing: str = ""
    """Files in which this build differs from another one of the same source; reported once."""

    @property
    def lines(self) -> Iterator[str]:
        """What there is to say about it."""
        if not self.is_new:
            yield f"Not built again: {self.service}, whose source is what it was"
            return
        yield f"Built: {self.service}"
        if self.differing:
            yield (
                f"Two builds of the same source of {self.service} differ, in {self.differing}: something there is made "
                "anew each time, such as a date. So it is built when its source changes, or by: oracle build --again"
            )


def builds(stack: Stack, services: list[str]) -> list[Build]:
    """The builds that the stack's configuration names, for all services or those given. Raises Failure."""
    settings = stack.settings()
    sources = {"backend": settings.backend, **settings.workers}
    if unknown := [name for name in services if name not in sources]:
        raise Failure(f"There is no service {unknown[0]}; name one of {', '.join(sources)}: oracle build backend")
    return [
        _build(stack, name, source, stack.project / source.path, source.build)
        for name, source in sources.items()
        if source.build and source.path and name in (services or sources)
    ]


def _build(stack: Stack, name: str, source: BackendSettings | WorkerSettings, folder: Path, command: str) -> Build:
    output = _output(stack, source, folder)
    record = stack.private / "builds" / f"{name}.json"
    product = Product(folder, command, output, record) if output else None
    return Build(name, folder, command, stack.private / "logs" / f"build-{name}.log", product)


def _output(stack: Stack, source: BackendSettings | WorkerSettings, folder: Path) -> Path | None:
    match source:
        case ModuleSettings():
            return folder / source.entry
        case AssetsSettings():
            return folder / source.assets
        case BackendSettings() if source.image.path:
            return stack.project / source.image.path
    return None


Watch = Callable[[Build], AbstractContextManager[Callable[[str], object]]]
"""Entered while a build runs; gives what hears each line of its output."""


def _unwatched(_: Build) -> AbstractContextManager[Callable[[str], object]]:
    return nullcontext(lambda _: None)


def run_builds(wanted: list[Build], watch: Watch = _unwatched, again: bool = False) -> Iterator[Built]:
    """Runs all at once and yields each as it succeeds. Raises Failure with the end of the first failed one's output.

    `again`: also those whose source is what it was.
    """
    with ThreadPoolExecutor(max_workers=max(1, len(wanted))) as pool:
        yield from pool.map(partial(_run, watch=watch, again=again), wanted)


def _run(build: Build, watch: Watch, again: bool) -> Built:
    if not build.folder.is_dir():
        raise Failure(
            f"The checkout {build.folder} of {build.service} does not exist; clone it there, then: oracle build"
        )
    source = build.product.source() if build.product else None
    if build.product and not again and build.product.is_there(source):
        return Built(build.service, build.log, is_new=False)
    with watch(build) as heard:
        status = _executed(build, heard)
        if status != 0:
            tail = "\n".join(build.log.read_text(errors="replace").splitlines()[-TAIL:])
            raise Failure(
                f"The build of {build.service} failed (status {status}); mend it, then: oracle build "
                f"{build.service}\nIts log is {build.log} and ends:\n{tail}"
            )
    differing = build.product.built(source) if build.product else ""
    return Built(build.service, build.log, is_new=True, differing=differing)


def _executed(build: Build, heard: Callable[[str], object]) -> int:
    """The build's exit status; its output goes to its log, and line by line to `heard`."""
    build.log.parent.mkdir(parents=True, exist_ok=True)
    with build.log.open("wb") as log:

        def line(said: bytes) -> None:
            log.write(said + b"\n")
            log.flush()
            heard(said.decode(errors="replace").rstrip())

        command = ["sh", "-c", build.command]
        try:
            return run(command, cwd=build.folder, merged=True, line=line, patient=True, seconds=BUILD_SECONDS).status
        except OutOfTime:
            raise Failure(
                f"The build of {build.service} did not end within {BUILD_SECONDS / 60:.0f} minutes and was stopped; "
                f"see its log {build.log}, then: oracle build {build.service}"
            ) from None
