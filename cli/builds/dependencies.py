"""The dependencies of a service's build, installed as its lock file says before the build runs.

They are installed once for each content of the lock file, by the package manager that wrote it, and again when
`node_modules` is gone or is another one. A developer's own install counts when it is newer than the lock file. A build
command that installs dependencies is left to do so itself.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.engine import credentials
from cli.ui.errors import CommandError
from programs import packages

MANIFEST = "package.json"
MODULES = "node_modules"
KINDS = ("dependencies", "devDependencies", "optionalDependencies")
OLD_YARN = b"# yarn lockfile v1"
ITSELF = re.compile(r"\b(npm|pnpm|yarn|bun)\b[^&|;]*\s(ci|clean-install|install|i)(?=[\s&|;]|$)|\byarn\s*(&&|;|$)")
"""A build command that installs dependencies."""


@dataclass(frozen=True)
class Manager:
    """A package manager: its program, its lock files, and how it installs them unchanged.

    `traces` are files that it writes at each install; where it writes none, the age of `node_modules` says nothing.
    """

    name: str
    locks: tuple[str, ...]
    install: tuple[str, ...]
    traces: tuple[str, ...]
    get: str


# Of several lock files that of package.json's `packageManager` counts; else the first that has all packages of
# package.json: teams leave older ones of another manager behind.
MANAGERS = (
    Manager("bun", ("bun.lock", "bun.lockb"), ("install", "--frozen-lockfile"), (), "npm install -g bun"),
    Manager(
        "pnpm",
        ("pnpm-lock.yaml",),
        ("install", "--frozen-lockfile"),
        (f"{MODULES}/.modules.yaml",),
        "npm install -g pnpm",
    ),
    Manager(
        "yarn",
        ("yarn.lock",),
        ("install", "--immutable"),
        (f"{MODULES}/.yarn-integrity", f"{MODULES}/.yarn-state.yml", ".pnp.cjs"),
        "npm install -g corepack && corepack enable yarn",
    ),
    Manager(
        "npm",
        ("npm-shrinkwrap.json", "package-lock.json"),
        ("ci", "--include=dev", "--no-audit", "--no-fund"),
        (f"{MODULES}/.package-lock.json",),
        "install Node, which brings it (https://nodejs.org)",
    ),
)


@dataclass(frozen=True)
class Locked:
    """A lock file in `folder`, its manager, and the file in which it is recorded what was installed there."""

    folder: Path
    manager: Manager
    lock: str
    record: Path

    @property
    def command(self) -> list[str]:
        """What installs the lock file unchanged."""
        install = self.manager.install
        if self.manager.name == "yarn" and OLD_YARN in self._content:
            install = ("install", "--frozen-lockfile")
        return [self.manager.name, *install]

    @property
    def is_newly_installed(self) -> bool:
        """Whether somebody has installed it since the lock file was written."""
        locked = (self.folder / self.lock).stat().st_mtime_ns
        return any(written >= locked for written in self._traces())

    @property
    def is_recorded(self) -> bool:
        """Whether `node_modules` is still what an install of this lock file has left."""
        with suppress(OSError, ValueError):
            return bool(json.loads(self.record.read_text()) == self._state())
        return False

    def has(self, packages: Iterable[str]) -> bool:
        """Whether the lock file has all these packages, whichever version."""
        return all(name.encode() in self._content for name in packages)

    def note(self) -> None:
        """Record that it has been installed."""
        self.record.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.record.write_text(json.dumps(self._state()))

    def program(self, service: str) -> str:
        """The manager's program. Raises CommandError with the way to get it."""
        found = shutil.which(self.manager.name)
        if found is None:
            raise CommandError(
                f"{self.manager.name} is not on PATH, and {service} needs it to install {self.lock}. Get it: "
                f"{self.manager.get}; then: oracle build {service}"
            )
        return found

    @property
    def _content(self) -> bytes:
        return (self.folder / self.lock).read_bytes()

    def _state(self) -> list[object]:
        return [str(self.folder), self.lock, hashlib.sha256(self._content).hexdigest(), self._left()]

    def _left(self) -> int | None:
        """When the newest install was, in nanoseconds; None where there is nothing of one."""
        with suppress(OSError):
            return max(self._traces(), default=None) or (self.folder / MODULES).stat().st_mtime_ns
        return None

    def _traces(self) -> Iterator[int]:
        for trace in self.manager.traces:
            with suppress(OSError):
                yield (self.folder / trace).stat().st_mtime_ns


def missing(folder: Path, command: str, records: Path) -> Locked | None:
    """The lock file that is to be installed in `folder` before the build `command` runs there; None where nothing is.

    `records` is the folder in which it is recorded what was installed where.
    """
    if ITSELF.search(command) or not (folder / MANIFEST).is_file():
        return None
    found = list(_locked(folder, records))
    if not found or any(each.is_newly_installed for each in found):
        return None
    chosen = _chosen(found, folder)
    return None if chosen.is_recorded else chosen


def environment() -> dict[str, str]:
    """For a package manager: without what would leave packages out, and without the clouds' credentials, since it runs
    the packages' own scripts. It asks no questions.
    """
    known = credentials.without(*credentials.CLOUDS)
    return {name: value for name, value in packages.npm({"CI": "true"}).items() if name in {*known, "CI"}}


def _locked(folder: Path, records: Path) -> Iterator[Locked]:
    name = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]
    for manager in MANAGERS:
        for lock in manager.locks:
            if (folder / lock).is_file():
                yield Locked(folder, manager, lock, records / f"{name}.json")


def _chosen(found: list[Locked], folder: Path) -> Locked:
    manifest: dict[str, Any] = {}
    with suppress(OSError, ValueError, TypeError):
        manifest = dict(json.loads((folder / MANIFEST).read_text()))
    wanted = str(manifest.get("packageManager") or "").partition("@")[0]
    needed = {name for kind in KINDS for name in manifest.get(kind) or ()}
    named = [each for each in found if each.manager.name == wanted]
    return [*named, *(each for each in found if each.has(needed)), *found][0]
