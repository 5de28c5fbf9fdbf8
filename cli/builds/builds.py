"""Run the services' own builds in parallel, each with a log of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from threading import Lock

from artifacts.images import DockerfileImage
from cli.builds.build_commands import Commands
from cli.builds.freshness import Product
from cli.builds.image import image_of
from cli.engine.workspace import Stack
from cli.ui.errors import CommandError
from errors import First, Fix, Remedy
from settings import AssetsSettings, BackendSettings, ModuleSettings, Settings, WorkerSettings


@dataclass(frozen=True)
class Build:
    service: str
    folder: Path
    command: str
    log: Path
    product: Product | None = None
    """The build's output, if it is known: then an unchanged source is not built again."""
    records: Path | None = None
    """The folder with the records of installed dependencies; without it, none are installed."""
    image: Callable[[], DockerfileImage] | None = None
    """The image to build from a Dockerfile afterwards, read when it is called."""

    @property
    def of_image(self) -> Build:
        """The build of the image, with a name and a log of its own."""
        return replace(self, service=f"{self.service}'s image", log=self.log.with_stem(f"{self.log.stem}-image"))


@dataclass(frozen=True)
class Built:
    """A service that is built: now, or earlier from the same source."""

    service: str
    log: Path
    is_new: bool
    installed: str = ""
    """The command that installed its dependencies, if they were missing."""
    differing: str = ""
    """The files in which this build differs from another one of the same source; reported once."""
    made: str = ""
    """An image's name and digest."""

    def report(self, stack: str) -> Iterator[str]:
        """Yield the lines that report the build, for a stack."""
        if not self.is_new:
            yield f"Not built again: {self.service}, whose source has not changed{self._made}"
            return
        if self.installed:
            yield f"Dependencies of {self.service} installed: {self.installed}"
        yield f"Built: {self.service}{self._made}"
        if self.differing:
            yield (
                f"Two builds of the same source of {self.service} differ, in {self.differing}: the build writes "
                "something that differs each time, such as a date. It is only built again when its source changes, "
                f"or with `oracle build {self.service} --stack {stack} --again`."
            )

    @property
    def _made(self) -> str:
        return f" ({self.made})" if self.made else ""


def builds(stack: Stack, services: list[str], *, images: bool = True) -> list[Build]:
    """Return the builds that the stack's configuration names, for all services or for those given.

    With `images`, an image that is built from a Dockerfile is among them. Raises CommandError.
    """
    settings = stack.settings()
    sources = {"backend": settings.backend, **settings.workers}
    if unknown := [name for name in services if name not in sources]:
        raise CommandError(
            f"There is no service {unknown[0]}. The services are {', '.join(sources)}.",
            Fix(f"oracle build SERVICE --stack {stack.name}", "with one of these names"),
        )
    selected = [name for name in sources if name in (services or sources)]
    all_builds = [
        _build(stack, name, source, stack.project / source.path, images and _has_image(settings, source))
        for name, source in sources.items()
        if source.path and name in selected
    ]
    return [each for each in all_builds if each.command or each.image]


def _has_image(settings: Settings, source: BackendSettings | WorkerSettings) -> bool:
    """Return whether an image has to be built; a stack with a receipt deploys the image that the receipt names."""
    return isinstance(source, BackendSettings) and source.image.build is not None and settings.receipt is None


def _build(stack: Stack, name: str, source: BackendSettings | WorkerSettings, folder: Path, has_image: bool) -> Build:
    output = _output(stack, source, folder)
    record = stack.private / "builds" / f"{name}.json"
    command = source.build or ""
    product = Product(folder, command, output, record) if output else None
    log = stack.private / "logs" / f"build-{name}.log"
    image = partial(image_of, stack) if has_image else None
    return Build(name, folder, command, log, product, stack.private / "dependencies", image)


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
"""A context entered while a build runs; it returns the function that gets each line of the build's output."""


def _unwatched(_: Build) -> AbstractContextManager[Callable[[str], object]]:
    return nullcontext(lambda _: None)


def run_builds(selected: list[Build], watch: Watch = _unwatched, again: bool = False) -> Iterator[Built]:
    """Run all builds in parallel and yield each as it succeeds.

    With `again`, builds with an unchanged source run too. Raises CommandError with the last lines of the first failed
    build's output.
    """
    locks = {build.folder: Lock() for build in selected}  # two services may be in one folder
    with ThreadPoolExecutor(max_workers=max(1, len(selected))) as pool:
        for built in pool.map(partial(_run, watch=watch, again=again, locks=locks), selected):
            yield from built


def _run(build: Build, watch: Watch, again: bool, locks: Mapping[Path, Lock]) -> list[Built]:
    if not build.folder.is_dir():
        raise CommandError(
            f"The checkout {build.folder} of {build.service} does not exist.",
            First("clone its repository there", Remedy.RETRY),
        )
    built = [_run_command(build, watch, again, locks)] if build.command else []
    return [*built, _make_image(build.of_image, build.image, watch, again)] if build.image else built


def _make_image(build: Build, image: Callable[[], DockerfileImage], watch: Watch, again: bool) -> Built:
    """Build and push an image that the registry does not have yet. Raises ArtifactError."""
    target = image()
    digest_there = None if again else target.digest()
    if digest_there is not None:
        return Built(build.service, build.log, is_new=False, made=f"{target.registry.repository}@{digest_there}")
    with watch(build) as show, _log(build) as log:
        digest = target.make(lambda line: (log(line.encode()), show(line)), again=again)
    return Built(build.service, build.log, is_new=True, made=f"{target.registry.repository}@{digest}")


def _run_command(build: Build, watch: Watch, again: bool, locks: Mapping[Path, Lock]) -> Built:
    source = build.product.source() if build.product else None
    if build.product and not again and build.product.is_there(source):
        return Built(build.service, build.log, is_new=False)
    with watch(build) as show, _log(build) as log:

        def line(text: bytes) -> None:
            log(text)
            show(text.decode(errors="replace").rstrip())

        commands = Commands(build.service, build.folder, build.log, line)
        with locks[build.folder]:
            installed = commands.install(build.command, build.records) if build.records else ""
        commands.build(build.command)
    differing = build.product.built(source) if build.product else ""
    return Built(build.service, build.log, is_new=True, installed=installed, differing=differing)


@contextmanager
def _log(build: Build) -> Iterator[Callable[[bytes], None]]:
    """Open a new log of the build; yield the function that writes a line to it."""
    build.log.parent.mkdir(parents=True, exist_ok=True)
    with build.log.open("wb") as file:

        def line(text: bytes) -> None:
            file.write(text + b"\n")
            file.flush()

        yield line
