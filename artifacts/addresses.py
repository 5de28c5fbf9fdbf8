"""Find hard-coded addresses of backends and of other stacks' APIs.

Each release of the backend is a new App Platform app with a new default address, and the former app is deleted. So a
hard-coded address stops working with the next release. An address of another stack leads to the other stack's data.
"""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

from artifacts.sites.files import site_files
from settings import API, AssetsSettings, ModuleSettings, WorkerSettings

DOMAINS = ("ondigitalocean.app", "ondigitalocean.localhost")
"""The domains of apps' default addresses: on App Platform, and on the local cloud."""
APP = r"(?:-g\d+(?:-r\d+)?)?-[a-z0-9]{4,8}"
"""The rest of a default address after the base of the app's name: generation, revision, and random characters."""
DOT = r"\\{0,2}\."
"""A dot. In a regular expression of the service there are backslashes before it."""
END = r"(?![a-z0-9-]|\.[a-z0-9])"
BEGIN = re.compile(rb"(?:^|[^a-z0-9-]|%(?:25)*[0-9a-f]{2}|\\u[0-9a-f]{4}|\\x[0-9a-f]{2}|\\[nrtbfv])\Z")
"""The text before a host name: a character that cannot be part of a name, or an escaped character."""
BEFORE = 8
"""Bytes before a host name that are checked: the length of the longest escape."""
IGNORED = frozenset({"node_modules", "__pycache__", "pb_data"})
SOURCE_LIMIT = 1024 * 1024
"""Bytes. A larger file in a checkout is no source that somebody edits."""
SHOWN = 3
"""The number of places that a sentence lists."""
WHY = "Each release of the backend gets another address, and the app at the one before is deleted"
FIX = "read the address from the binding POCKETBASE_URL"
SITE_FIX = "call the API at /_api, or at the apiUrl of /config.json"
OTHER_FIX = "ask the Worker api instead, by a binding {service: api}"


@dataclass(frozen=True, kw_only=True)
class Occurrence:
    """One address in a file. Line and column count from 1."""

    file: str
    line: int
    column: int
    hostname: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class HostNames(ABC):
    """Host names to search for."""

    def find(self, content: bytes, file: str) -> Iterator[Occurrence]:
        """Yield the addresses in the content of a file, in order."""
        lower = content.lower()
        hostnames: dict[int, str] = {}
        for pattern in self._patterns:
            for match in pattern.finditer(lower):
                if BEGIN.search(lower[max(0, match.start() - BEFORE) : match.start()]):
                    hostnames[match.start()] = match[0].replace(b"\\", b"").decode()
        for start, hostname in sorted(hostnames.items()):
            line_start = content.rfind(b"\n", 0, start) + 1
            column = len(content[line_start:start].decode(errors="replace")) + 1
            yield Occurrence(file=file, line=content.count(b"\n", 0, start) + 1, column=column, hostname=hostname)

    def find_in_checkout(self, worker: ModuleSettings | AssetsSettings, project: Path) -> Iterator[Occurrence]:
        """Yield the addresses in a checkout's built module or files; none if nothing was built."""
        for name, path in _built(worker, project):
            yield from self.find(path.read_bytes(), name)

    def find_in_sources(self, worker: ModuleSettings | AssetsSettings, project: Path) -> Iterator[Occurrence]:
        """Yield the addresses in a checkout's sources, if its settings have a build."""
        if worker.build:
            for name, path in _sources(project / worker.path, _output(worker)):
                yield from self.find(path.read_bytes(), name)

    @cached_property
    def _patterns(self) -> tuple[re.Pattern[bytes], ...]:
        """The compiled expressions. Each begins with literal text, so that `re` is fast on large bundles."""
        return tuple(re.compile(each.encode()) for each in self._expressions())

    @abstractmethod
    def _expressions(self) -> Iterator[str]:
        """Yield regular expressions of the lower-case host names."""


@dataclass(frozen=True)
class BackendAddresses(HostNames):
    """The host names of backends.

    These are the default addresses of all apps that this program names after `app_name`, or after one of the
    `app_names` of other stacks; and the known `others`.
    """

    app_name: str
    others: frozenset[str] = frozenset()
    app_names: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls, app_name: str, urls: Iterable[str | None] = (), app_names: frozenset[str] = frozenset()
    ) -> BackendAddresses:
        """Create it from app names, and from other addresses: URLs or host names."""
        hostnames = (urlsplit(url if "//" in url else f"//{url}").hostname for url in urls if url)
        return cls(app_name, frozenset(name for name in hostnames if name and "." in name), app_names)

    def _expressions(self) -> Iterator[str]:
        for name in sorted({self.app_name, *self.app_names}):
            yield rf"{re.escape(name)}{APP}{DOT}(?:{'|'.join(_literal(each) for each in DOMAINS)}){END}"
        yield from _exactly(self.others)


@dataclass(frozen=True)
class ApiAddresses(HostNames):
    """The host names of a stack's API."""

    hostnames: frozenset[str]

    def _expressions(self) -> Iterator[str]:
        yield from _exactly(self.hostnames)


def places(found: Sequence[Occurrence]) -> str:
    """Return the host names and the first places of each, as a phrase."""
    hostnames = dict.fromkeys(each.hostname for each in found)
    return ", ".join(f"{name} ({_listed([each for each in found if each.hostname == name])})" for name in hostnames)


def fix(service: str, worker: WorkerSettings) -> str:
    """Return the way in which a service should get the address, as the beginning of a sentence."""
    if service == API:
        return FIX
    return SITE_FIX if isinstance(worker, AssetsSettings) else OTHER_FIX


def origin(sources: Sequence[Occurrence]) -> str:
    """Return the places in the sources, as a phrase after `places`; empty if there are none."""
    return f", in the sources: {_listed(sources)}" if sources else ""


def _listed(found: Sequence[Occurrence]) -> str:
    """List the first places, each file's name once."""
    parts: list[str] = []
    for each in found[:SHOWN]:
        same_file = bool(parts) and each.file == found[len(parts) - 1].file
        parts.append(f"{each.line}:{each.column}" if same_file else str(each))
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return ", ".join(parts) + more


def _exactly(hostnames: Iterable[str]) -> Iterator[str]:
    return (_literal(each) + END for each in sorted(hostnames))


def _literal(hostname: str) -> str:
    return DOT.join(re.escape(label) for label in hostname.lower().split("."))


def _built(worker: ModuleSettings | AssetsSettings, project: Path) -> Iterator[tuple[str, Path]]:
    base = Path(worker.path, _output(worker))
    if isinstance(worker, ModuleSettings):
        if (project / base).is_file():
            yield base.as_posix(), project / base
        return
    if (project / base).is_dir():
        for file in site_files(project / base)[0]:
            yield (base / file.name).as_posix(), file.path


def _output(worker: ModuleSettings | AssetsSettings) -> str:
    return worker.entry if isinstance(worker, ModuleSettings) else worker.assets


def _sources(checkout: Path, output: str) -> Iterator[tuple[str, Path]]:
    """Yield the source files: no built or installed files, and no documents."""
    built = checkout.joinpath(*Path(output).parts[:1])
    for folder, subfolders, names in os.walk(checkout):
        inner = sorted(name for name in subfolders if name not in IGNORED and not name.startswith("."))
        subfolders[:] = [name for name in inner if Path(folder, name) != built]
        for path in (Path(folder, name) for name in sorted(names) if not name.endswith(".md")):
            if path != built and path.is_file() and os.access(path, os.R_OK) and path.stat().st_size <= SOURCE_LIMIT:
                yield path.relative_to(checkout).as_posix(), path
