"""Addresses of backends, and of other stacks' APIs, that are written into code or files.

Each release of the backend is another App Platform app with another default address, and the app before it is deleted.
So an address that is written down leads nowhere after the next release. One of another stack leads to that one's data.
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
"""Where apps have their default addresses: on App Platform, and on the local cloud."""
APP = r"(?:-g\d+(?:-r\d+)?)?-[a-z0-9]{4,8}"
"""What follows the base of an app's name in its default address: generation and revision, and random characters."""
DOT = r"\\{0,2}\."
"""A dot; in a regular expression of the service it has backslashes before it."""
END = r"(?![a-z0-9-]|\.[a-z0-9])"
BEGIN = re.compile(rb"(?:^|[^a-z0-9-]|%(?:25)*[0-9a-f]{2}|\\u[0-9a-f]{4}|\\x[0-9a-f]{2}|\\[nrtbfv])\Z")
"""What may stand before a host name: nothing that could be part of a name, or a character that is escaped."""
BEFORE = 8
"""Bytes that are looked at for it: as many as the longest escape has."""
IGNORED = frozenset({"node_modules", "__pycache__", "pb_data"})
SOURCE_LIMIT = 1024 * 1024
"""Bytes; a larger file in a checkout is no source that somebody would edit."""
SHOWN = 3
"""Places that a sentence lists."""
WHY = "Each release of the backend gets another address, and the app at the one before is deleted"
FIX = "read the address from the binding POCKETBASE_URL"
SITE_FIX = "call the API at /_api, or at the apiUrl of /config.json"
OTHER_FIX = "ask the Worker api instead, by a binding {service: api}"


@dataclass(frozen=True, kw_only=True)
class Occurrence:
    """One address of the backend in a file; line and column count from 1."""

    file: str
    line: int
    column: int
    hostname: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class HostNames(ABC):
    """Host names that are looked for in text."""

    def find(self, content: bytes, file: str) -> Iterator[Occurrence]:
        """Every address in the content of a file, in order."""
        lower = content.lower()
        found: dict[int, str] = {}
        for pattern in self._patterns:
            for match in pattern.finditer(lower):
                if BEGIN.search(lower[max(0, match.start() - BEFORE) : match.start()]):
                    found[match.start()] = match[0].replace(b"\\", b"").decode()
        for start, hostname in sorted(found.items()):
            line_start = content.rfind(b"\n", 0, start) + 1
            column = len(content[line_start:start].decode(errors="replace")) + 1
            yield Occurrence(file=file, line=content.count(b"\n", 0, start) + 1, column=column, hostname=hostname)

    def find_in_checkout(self, worker: ModuleSettings | AssetsSettings, project: Path) -> Iterator[Occurrence]:
        """Every address in the module or the files that a checkout has built; none where there are none."""
        for name, path in _built(worker, project):
            yield from self.find(path.read_bytes(), name)

    def find_in_sources(self, worker: ModuleSettings | AssetsSettings, project: Path) -> Iterator[Occurrence]:
        """Every address in the sources of what a checkout builds, where something is built."""
        if worker.build:
            for name, path in _sources(project / worker.path, _output(worker)):
                yield from self.find(path.read_bytes(), name)

    @cached_property
    def _patterns(self) -> tuple[re.Pattern[bytes], ...]:
        """Each begins with plain text, by which `re` finds its way fast through large bundles."""
        return tuple(re.compile(each.encode()) for each in self._expressions())

    @abstractmethod
    def _expressions(self) -> Iterator[str]:
        """Regular expressions of the host names in small letters."""


@dataclass(frozen=True)
class BackendAddresses(HostNames):
    """The host names of backends: the default addresses of all apps whose names begin with `app_name`, or one of the
    `app_names` of other stacks, as this program names them, and the `others` that are known.
    """

    app_name: str
    others: frozenset[str] = frozenset()
    app_names: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls, app_name: str, urls: Iterable[str | None] = (), app_names: frozenset[str] = frozenset()
    ) -> BackendAddresses:
        """Those of the apps and of more addresses, which are URLs or host names."""
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
    """The host names, and the first places of each."""
    hostnames = dict.fromkeys(each.hostname for each in found)
    return ", ".join(f"{name} ({_listed([each for each in found if each.hostname == name])})" for name in hostnames)


def fix(service: str, worker: WorkerSettings) -> str:
    """How a service gets along without the backend's address; the begin of a sentence."""
    if service == API:
        return FIX
    return SITE_FIX if isinstance(worker, AssetsSettings) else OTHER_FIX


def origin(sources: Sequence[Occurrence]) -> str:
    """The places in the sources, to be put behind `places`; empty when there are none."""
    return f", in the sources: {_listed(sources)}" if sources else ""


def _listed(found: Sequence[Occurrence]) -> str:
    """The first places; a file is named once."""
    told: list[str] = []
    for each in found[:SHOWN]:
        again = bool(told) and each.file == found[len(told) - 1].file
        told.append(f"{each.line}:{each.column}" if again else str(each))
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return ", ".join(told) + more


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
    """Files that somebody may have written: not what is built, installed or told in documents."""
    built = checkout.joinpath(*Path(output).parts[:1])
    for folder, subfolders, names in os.walk(checkout):
        inner = sorted(name for name in subfolders if name not in IGNORED and not name.startswith("."))
        subfolders[:] = [name for name in inner if Path(folder, name) != built]
        for path in (Path(folder, name) for name in sorted(names) if not name.endswith(".md")):
            if path != built and path.is_file() and os.access(path, os.R_OK) and path.stat().st_size <= SOURCE_LIMIT:
                yield path.relative_to(checkout).as_posix(), path
