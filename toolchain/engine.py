"""The Pulumi engine with its Python language host: from PATH, else Pulumi's releases, else its Go modules.

Modules that only an installation needs are imported late, because every `make` runs this one.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from toolchain import cache, path, pins, platforms, versions
from toolchain.errors import ToolError, Unreachable
from toolchain.progress import say
from toolchain.run import output

Source = Literal["path", "installer", "modules"]
SOURCES: tuple[Source, ...] = ("path", "installer", "modules")
# The programs that one folder must hold for Python programs, dynamic resources and hooks to run.
PROGRAMS = ("pulumi", "pulumi-language-python", "pulumi-language-python-exec", "pulumi-resource-pulumi-python")


@dataclass(frozen=True)
class Engine:
    """A folder with all of PROGRAMS, the engine's version ("3.259.0") and its source."""

    folder: Path
    version: str
    source: Source


def ensure() -> Engine:
    """Install the engine if needed, and return it. ORACLE_ENGINE=path, installer or modules allows only that source."""
    only = os.environ.get("ORACLE_ENGINE", "")
    if only and only not in SOURCES:
        raise ToolError(
            f"ORACLE_ENGINE is {only!r}; it may be path, installer or modules.", "run `unset ORACLE_ENGINE`"
        )
    engine = from_path() if only in ("", "path") else None
    if engine is None and only in ("", "installer"):
        engine = _from_installer(last=only == "installer")
    if engine is None and only in ("", "modules"):
        engine = Engine(cache.install(_folder("modules"), _build), pins.ENGINE, "modules")
    if engine is None:
        raise ToolError(
            f"PATH has no Pulumi {pins.ENGINE_MINIMUM} or later with its Python language host.",
            "install it, or run `unset ORACLE_ENGINE`",
        )
    return engine


def from_path() -> Engine | None:
    """Return the user's engine when it is recent enough and complete. Otherwise print one line with the reason."""
    own = path.which("pulumi")
    if own is None:
        return None
    version = version_of(own)
    if version is None or not versions.at_least(version, pins.ENGINE_MINIMUM):
        say(f"  {own} is {version or 'not to be run'}; {pins.ENGINE_MINIMUM} or later is needed, so it is not used.")
        return None
    for folder in (own.parent, own.resolve().parent):
        if not missing(folder):
            return Engine(folder, version, "path")
    say(f"  {own} has no {missing(own.resolve().parent)[0]} beside it, so it is not used.")
    return None


def missing(folder: Path) -> list[str]:
    """Return the programs that a folder lacks."""
    return [name for name in PROGRAMS if not os.access(folder / name, os.X_OK)]


def version_of(program: Path) -> str | None:
    """Return an engine's version, without the v. It runs with a temporary home, so that the user's stays unchanged."""
    import tempfile

    with tempfile.TemporaryDirectory() as home:
        printed = output(
            [program, "version"], env={**os.environ, "PULUMI_HOME": home, "PULUMI_SKIP_UPDATE_CHECK": "true"}
        )
    return printed.strip().removeprefix("v") if printed and versions.parse(printed) else None


def _folder(source: Source) -> str:
    platform = platforms.host().key
    if source == "installer":
        return f"engine-{pins.ENGINE}-{platform}-release"
    files = [module / name for module in (pins.ENGINE_MOD, pins.LANGHOST_MOD) for name in ("go.mod", "go.sum")]
    return f"engine-{pins.ENGINE}-{platform}-modules-{pins.digest(*files, extra=pins.ENGINE_FLAGS)}"


def _from_installer(last: bool) -> Engine | None:
    """Install from Pulumi's releases; return None when they cannot be reached and another source is left."""
    from toolchain import installer

    name = _folder("installer")
    if not last and (cache.root() / _folder("modules")).is_dir() and not (cache.root() / name).is_dir():
        return None
    try:
        return Engine(cache.install(name, _download), pins.ENGINE, "installer")
    except Unreachable as reason:
        if last:
            raise ToolError(f"{installer.RELEASES} cannot be used ({reason}).") from reason
        say(f"  Pulumi's releases cannot be used here ({reason}); the engine is built from its Go modules instead.")
        return None


def _download(folder: Path) -> None:
    from toolchain import installer

    installer.download(folder, platforms.host())
    _check(folder)


def _build(folder: Path) -> None:
    from toolchain import modules

    modules.build(folder)
    _check(folder)


def _check(folder: Path) -> None:
    """Run the engine, before its folder gets its name in the cache."""
    absent = missing(folder)
    if absent:
        raise ToolError(f"The installed engine lacks {', '.join(absent)}.")
    version = version_of(folder / "pulumi")
    if version != pins.ENGINE:
        raise ToolError(f"The installed engine is version {version}, not {pins.ENGINE}.")
