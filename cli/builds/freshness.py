"""Whether a build would only make again what is there: its source is what it was, and so is what it left.

Many builds write the date into what they make, so that building an unchanged source would be a change to deploy. The
source is the files of the checkout that git does not ignore, with the build's command; what stands in a folder above
it, in the environment or in an ignored folder is not looked at. Outside of git everything is built each time.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from artifacts.folders import ArtifactError, source_files
from programs import OutOfTime, git

GIT_SECONDS = 30.0
SHOWN = 3
SUBMODULES = ".gitmodules"
Files = Mapping[str, str]
"""By its name, whether each file is executable (`x` or `-`), and its SHA-256, hex."""


@dataclass(frozen=True)
class Record:
    """What the last build was made of, and what it left."""

    source: str
    output: Files
    reported: bool
    """Whether it was reported that two builds of this source differ."""


@dataclass(frozen=True)
class Product:
    """What a build makes: a file or a folder below the checkout, and the file in which its record is."""

    folder: Path
    command: str
    output: Path
    record: Path

    def source(self) -> str | None:
        """The source's SHA-256, hex; None where git cannot tell which files it has."""
        names = _names(self.folder)
        if names is None or SUBMODULES in names:
            return None
        files = _hashed(self.folder, (name for name in names if not self._is_made(name)))
        return hashlib.sha256(json.dumps([self.command, sorted(files.items())]).encode()).hexdigest()

    def is_there(self, source: str | None) -> bool:
        """Whether what a build of this source left is still there, as it left it."""
        known = self._known()
        return known is not None and known.source == source and bool(known.output) and known.output == self._left()

    def built(self, source: str | None) -> str:
        """Note what a build has left; the files in which it differs from another build of the same source, where that
        was not said before, else nothing.
        """
        if source is None:
            self.record.unlink(missing_ok=True)
            return ""
        known, left = self._known(), self._left()
        same = known is not None and known.source == source
        before = known.output if known is not None and same else left
        differing = sorted(name for name in {*before, *left} if before.get(name) != left.get(name))
        reported = known is not None and same and known.reported
        self.record.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        record = Record(source, left, reported or bool(differing))
        self.record.write_text(json.dumps(asdict(record), sort_keys=True))
        return "" if reported else _few(differing)

    def _is_made(self, name: str) -> bool:
        """Whether a file of the checkout is the build's own work."""
        path, made = self.folder / name, self.output
        return path == made or made in path.parents or (made.suffix != "" and made.parent in path.parents)

    def _left(self) -> Files:
        if self.output.is_file():
            return _hashed(self.output.parent, [self.output.name])
        try:
            return _hashed(self.output, [file.name for file in source_files(self.output, lambda _name, _folder: False)])
        except ArtifactError:  # it is not there, or could not be deployed
            return {}

    def _known(self) -> Record | None:
        with suppress(OSError, ValueError, TypeError):
            found: dict[str, Any] = json.loads(self.record.read_text())
            return Record(**found)
        return None


def _few(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{', '.join(names[:SHOWN])}{more}"


def _names(folder: Path) -> list[str] | None:
    with suppress(OSError, OutOfTime):
        listed = git.git(folder, "ls-files", "-coz", "--exclude-standard", seconds=GIT_SECONDS)
        if listed.status == 0:
            return sorted({os.fsdecode(name) for name in listed.output.split(b"\0") if name})
    return None


def _hashed(folder: Path, names: Iterable[str]) -> Files:
    """One that is not there has no digest: a file that git knows may have been deleted."""
    found = {}
    for name in names:
        path = folder / name
        with suppress(OSError):
            mode = "x" if os.access(path, os.X_OK) else "-"
            content = os.readlink(path).encode() if path.is_symlink() else path.read_bytes()
            found[name] = f"{mode}{hashlib.sha256(content).hexdigest()}"
    return found
