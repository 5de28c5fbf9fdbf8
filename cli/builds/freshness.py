"""Skip a build whose source and output are unchanged.

Many builds write the date into their output, so a build of an unchanged source would be a change to deploy. The source
is the build's command and the files of the checkout that git does not ignore. Folders above the checkout, the
environment and ignored folders are not checked. Without git, every build runs each time.
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
"""Each file by its name: whether it is executable (`x` or `-`), and its SHA-256, hex."""


@dataclass(frozen=True)
class Record:
    """The source and the output of the last build."""

    source: str
    output: Files
    reported: bool
    """True if it was reported that two builds of this source differ."""


@dataclass(frozen=True)
class Product:
    """The output of a build: a file or a folder below the checkout, and the file with the build's record."""

    folder: Path
    command: str
    output: Path
    record: Path

    def source(self) -> str | None:
        """Return the source's SHA-256, hex; None when git cannot list its files."""
        names = _list_files(self.folder)
        if names is None or SUBMODULES in names:
            return None
        files = _hash_files(self.folder, (name for name in names if not self._is_made(name)))
        return hashlib.sha256(json.dumps([self.command, sorted(files.items())]).encode()).hexdigest()

    def is_there(self, source: str | None) -> bool:
        """Return whether the output of a build of this source is still there, unchanged."""
        last = self._last_record()
        return last is not None and last.source == source and bool(last.output) and last.output == self._output_files()

    def built(self, source: str | None) -> str:
        """Record a build's output; return the files in which it differs from another build of the same source.

        The difference is reported once; afterwards the result is empty.
        """
        if source is None:
            self.record.unlink(missing_ok=True)
            return ""
        last, output = self._last_record(), self._output_files()
        same = last is not None and last.source == source
        before = last.output if last is not None and same else output
        differing = sorted(name for name in {*before, *output} if before.get(name) != output.get(name))
        reported = last is not None and same and last.reported
        self.record.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        record = Record(source, output, reported or bool(differing))
        self.record.write_text(json.dumps(asdict(record), sort_keys=True))
        return "" if reported else _few(differing)

    def _is_made(self, name: str) -> bool:
        """Return whether a file of the checkout is the build's own output."""
        path, output = self.folder / name, self.output
        return path == output or output in path.parents or (output.suffix != "" and output.parent in path.parents)

    def _output_files(self) -> Files:
        if self.output.is_file():
            return _hash_files(self.output.parent, [self.output.name])
        try:
            return _hash_files(
                self.output, [file.name for file in source_files(self.output, lambda _name, _folder: False)]
            )
        except ArtifactError:  # it does not exist, or could not be deployed
            return {}

    def _last_record(self) -> Record | None:
        with suppress(OSError, ValueError, TypeError):
            document: dict[str, Any] = json.loads(self.record.read_text())
            return Record(**document)
        return None


def _few(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{', '.join(names[:SHOWN])}{more}"


def _list_files(folder: Path) -> list[str] | None:
    with suppress(OSError, OutOfTime):
        listed = git.git(folder, "ls-files", "-coz", "--exclude-standard", seconds=GIT_SECONDS)
        if listed.status == 0:
            return sorted({os.fsdecode(name) for name in listed.output.split(b"\0") if name})
    return None


def _hash_files(folder: Path, names: Iterable[str]) -> Files:
    """Hash the files; a file that does not exist is left out, since git lists deleted files too."""
    digests = {}
    for name in names:
        path = folder / name
        with suppress(OSError):
            mode = "x" if os.access(path, os.X_OK) else "-"
            content = os.readlink(path).encode() if path.is_symlink() else path.read_bytes()
            digests[name] = f"{mode}{hashlib.sha256(content).hexdigest()}"
    return digests
