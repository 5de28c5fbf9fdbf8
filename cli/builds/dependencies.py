"""Dependencies of a service's build, installed from its lock file before the build runs.

They are installed once for each content of the lock file, by the package manager that wrote it. They are installed
again when `node_modules` is missing or was replaced. A developer's own install counts if it is newer than the lock
file. A build command that installs dependencies itself is left to do so.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cli.engine import credentials
from cli.ui.errors import CommandError
from errors import STACK, Fix
from programs import packages

MANIFEST = "package.json"
MODULES = "node_modules"
KINDS = ("dependencies", "devDependencies", "optionalDependencies")
OLD_YARN = b"# yarn lockfile v1"
ITSELF = re.compile(r"\b(npm|pnpm|yarn|bun)\b[^&|;]*\s(ci|clean-install|install|i)(?=[\s&|;]|$)|\byarn\s*(&&|;|$)")
"""Matches a build command that installs dependencies."""


@dataclass(frozen=True)
class Manager:
    """A package manager: its program, its lock files, and how it installs them unchanged.

    `traces` are files that it writes at each install. Without such files, the age of `node_modules` shows nothing.
    """

    name: str
    locks: tuple[str, ...]
    install: tuple[str, ...]
    traces: tuple[str, ...]
    get: Fix
    """How to install the program itself."""


# Of several lock files, the one of package.json's `packageManager` is used; else the first that contains all packages
# of package.json, since teams leave older lock files of another manager behind.
MANAGERS = (
    Manager("bun", ("bun.lock", "bun.lockb"), ("install", "--frozen-lockfile"), (), Fix("npm install -g bun")),
    Manager(
        "pnpm",
        ("pnpm-lock.yaml",),
        ("install", "--frozen-lockfile"),
        (f"{MODULES}/.modules.yaml",),
        Fix("npm install -g pnpm"),
    ),
    Manager(
        "yarn",
        ("yarn.lock",),
        ("install", "--immutable"),
        (f"{MODULES}/.yarn-integrity", f"{MODULES}/.yarn-state.yml", ".pnp.cjs"),
        Fix("npm install -g corepack && corepack enable yarn"),
    ),
    Manager(
        "npm",
        ("npm-shrinkwrap.json", "package-lock.json"),
        ("ci", "--include=dev", "--no-audit", "--no-fund"),
        (f"{MODULES}/.package-lock.json",),
        Fix(first="install Node (https://nodejs.org), which includes npm"),
    ),
)


@dataclass(frozen=True)
class Locked:
    """A lock file in `folder`, its manager, and the file that records the last install in this folder."""

    folder: Path
    manager: Manager
    lock: str
    record: Path

    @property
    def command(self) -> list[str]:
        """The command that installs the lock file unchanged."""
        install = self.manager.install
        if self.manager.name == "yarn" and OLD_YARN in self._content:
            install = ("install", "--frozen-lockfile")
        return [self.manager.name, *install]

    @property
    def is_newly_installed(self) -> bool:
        """True if the dependencies were installed after the lock file was written."""
        locked = (self.folder / self.lock).stat().st_mtime_ns
        return any(written >= locked for written in self._traces())

    @property
    def is_recorded(self) -> bool:
        """True if `node_modules` is unchanged since an install of this lock file."""
        with suppress(OSError, ValueError):
            return bool(json.loads(self.record.read_text()) == self._state())
        return False

    def has(self, packages: Iterable[str]) -> bool:
        """Return whether the lock file contains all these packages, in any version."""
        return all(name.encode() in self._content for name in packages)

    def note(self) -> None:
        """Record the install."""
        self.record.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.record.write_text(json.dumps(self._state()))

    def program(self, service: str) -> str:
        """Return the path of the manager's program. Raises CommandError with the way to get it."""
        path = shutil.which(self.manager.name)
        if path is None:
            problem = f"{self.manager.name} is not on PATH, and {service} needs it to install {self.lock}."
            raise CommandError(problem, replace(self.manager.get, then=f"oracle build {service} --stack {STACK}"))
        return path

    @property
    def _content(self) -> bytes:
        return (self.folder / self.lock).read_bytes()

    def _state(self) -> list[object]:
        return [str(self.folder), self.lock, hashlib.sha256(self._content).hexdigest(), self._install_time()]

    def _install_time(self) -> int | None:
        """Return the time of the newest install in nanoseconds; None when nothing is installed."""
        with suppress(OSError):
            return max(self._traces(), default=None) or (self.folder / MODULES).stat().st_mtime_ns
        return None

    def _traces(self) -> Iterator[int]:
        for trace in self.manager.traces:
            with suppress(OSError):
                yield (self.folder / trace).stat().st_mtime_ns


def missing(folder: Path, command: str, records: Path) -> Locked | None:
    """Return the lock file to install in `folder` before the build `command` runs; None if there is none.

    `records` is the folder with the records of installs.
    """
    if ITSELF.search(command) or not (folder / MANIFEST).is_file():
        return None
    locks = list(_locked(folder, records))
    if not locks or any(each.is_newly_installed for each in locks):
        return None
    chosen = _choose(locks, folder)
    return None if chosen.is_recorded else chosen


def environment() -> dict[str, str]:
    """Return the environment for a package manager, which runs the packages' own scripts.

    It has no variable that would leave packages out and no credentials of the clouds. The manager asks no questions.
    """
    safe = credentials.without(*credentials.CLOUDS)
    return {name: value for name, value in packages.npm({"CI": "true"}).items() if name in {*safe, "CI"}}


def _locked(folder: Path, records: Path) -> Iterator[Locked]:
    name = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]
    for manager in MANAGERS:
        for lock in manager.locks:
            if (folder / lock).is_file():
                yield Locked(folder, manager, lock, records / f"{name}.json")


def _choose(locks: list[Locked], folder: Path) -> Locked:
    manifest: dict[str, Any] = {}
    with suppress(OSError, ValueError, TypeError):
        manifest = dict(json.loads((folder / MANIFEST).read_text()))
    manager = str(manifest.get("packageManager") or "").partition("@")[0]
    needed = {name for kind in KINDS for name in manifest.get(kind) or ()}
    preferred = [each for each in locks if each.manager.name == manager]
    return [*preferred, *(each for each in locks if each.has(needed)), *locks][0]
