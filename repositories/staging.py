"""Stage all changes of a checkout in a copy of its index; the index itself is unchanged.

The copy and all other temporary files are in `<git directory>/commit-all`. A killed run leaves only that folder, and
the next run deletes it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from errors import First, Fix, Remedy
from repositories.failures import Stopped
from repositories.git import Git, shown
from retry import backoff

LOCK_SECONDS = 5.0
LARGEST = 100 * 1024 * 1024  # bytes; GitHub takes no larger file
GITLINK = "160000"
KIND_NAMES = {"A": "Add", "M": "Update", "D": "Delete", "R": "Rename", "C": "Add", "T": "Update"}


@dataclass(frozen=True)
class Change:
    """One changed file: `kind` is Add, Update, Delete or Rename; `old` the former name of a renamed one."""

    kind: str
    path: str
    old: str = ""


@dataclass(frozen=True)
class Index:
    """The bytes and the modification time of an index file.

    Git reads files again that are as new as the index. With another time it could miss a change that leaves the size.
    """

    content: bytes
    time_ns: int

    @classmethod
    def read(cls, path: Path) -> Index | None:
        try:
            return cls(path.read_bytes(), path.stat().st_mtime_ns)
        except FileNotFoundError:
            return None

    def write(self, path: Path) -> None:
        path.write_bytes(self.content)
        os.utime(path, ns=(self.time_ns, self.time_ns))


@dataclass(frozen=True)
class Staged:
    """The checkout's changes, staged in a copy of the index. `before` is the original index; None if there was none."""

    git: Git
    folder: Path
    before: Index | None
    entries: str
    quarantined: bool

    @property
    def index(self) -> Path:
        return self.folder / "index"

    @property
    def extra(self) -> dict[str, str]:
        """The environment for git commands that work on the copy."""
        own = {"GIT_INDEX_FILE": str(self.index)}
        if self.quarantined:
            alternates = str(self.git.objects)
            own |= {
                "GIT_OBJECT_DIRECTORY": str(self.folder / "objects"),
                "GIT_ALTERNATE_OBJECT_DIRECTORIES": alternates,
            }
        return own

    def add_all(self) -> str:
        """Stage all changes and return the tree. Raises Stopped."""
        self.git.run_checked("add", "--all", "--", ":/", extra=self.extra, doing="Staging")
        tree = self.tree()
        _refuse_nested(self.git, tree, self.extra)
        return tree

    def tree(self) -> str:
        return self.git.run_checked("write-tree", extra=self.extra, doing="Staging")

    def changes(self, tree: str) -> list[Change]:
        """Return the files that differ between HEAD and the tree."""
        fields = self.git.run_checked(
            "diff-tree", "-r", "-z", "--find-renames", "--name-status", "HEAD", tree, extra=self.extra
        )
        return list(_changes(iter(fields.split("\0"))))


@contextmanager
def staging(git: Git, quarantined: bool) -> Iterator[Staged]:
    """Create a copy of the index to stage in. Raises Stopped when another run works in the checkout.

    With `quarantined`, new objects are not added to the repository either.
    """
    with _locked(git.directory):
        folder = git.directory / "commit-all"
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "objects").mkdir(parents=True)
        try:
            before = Index.read(git.index)
            if before:
                before.write(folder / "index")
            yield Staged(git, folder, before, entries(git), quarantined)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


class IndexLock:
    """Git's lock of a checkout's index, held while the index is replaced. Raises Stopped when somebody else has it."""

    def __init__(self, git: Git) -> None:
        self._index = git.index
        self._lock = git.index.with_name("index.lock")
        self._written = False

    def __enter__(self) -> IndexLock:
        for _ in backoff(LOCK_SECONDS):
            with contextlib.suppress(FileExistsError):
                os.close(os.open(self._lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
                return self
        raise Stopped("Another git command is running here.", First("wait for its end", Remedy.RETRY))

    def replace(self, content: Index | None) -> None:
        """Replace the index by `content` at the end of the block. None deletes it."""
        if content is None:
            self._index.unlink(missing_ok=True)
        else:
            content.write(self._lock)
            self._written = True

    def __exit__(self, kind: object, *_: object) -> None:
        if self._written and kind is None:
            self._lock.replace(self._index)
        else:
            self._lock.unlink(missing_ok=True)


def entries(git: Git) -> str:
    """Return the entries of the checkout's own index, without the files' times."""
    return git.run_checked("ls-files", "--stage", "-z", sheltered=True)


def refuse_large(git: Git, paths: list[str]) -> None:
    """Raise Stopped for a file that is too large for the remote, unless Git LFS stores it."""
    large = [path for path in paths if _size(git.folder / path) > LARGEST]
    if not large:
        return
    names = os.fsencode("\0".join(large))
    attributes = git.run_checked("check-attr", "-z", "--stdin", "filter", stdin=names).split("\0")
    in_lfs = {
        path
        for path, _, value in zip(attributes[0::3], attributes[1::3], attributes[2::3], strict=False)
        if value == "lfs"
    }
    if refused := [path for path in large if path not in in_lfs]:
        name, size = shown(refused[0]), _size(git.folder / refused[0]) // (1024 * 1024)
        raise Stopped(
            f"{name} has {size} MB, and GitHub accepts at most 100 MB.",
            First(f"add {name} to .gitignore"),
            Fix(f"git -C {git.path} lfs track {name}", "to store it in Git LFS"),
        )


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Lock the checkout against other runs. The system releases the lock if this process is killed."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Stopped("Another run works in this checkout.", First("wait for its end", Remedy.RETRY)) from None
        yield
    finally:
        os.close(handle)


def _refuse_nested(git: Git, tree: str, extra: dict[str, str]) -> None:
    """Raise Stopped for a nested repository that is no submodule: git would commit it as a link without a target."""
    entries = git.run_checked("diff-tree", "-r", "-z", "--raw", "--no-renames", "HEAD", tree, extra=extra)
    fields = entries.split("\0")
    added = [
        path
        for entry, path in zip(fields[0::2], fields[1::2], strict=False)
        if entry.split()[1] == GITLINK and entry.split()[0] != f":{GITLINK}"
    ]
    if not added:
        return
    listed = git.run("cat-file", "blob", f"{tree}:.gitmodules", extra=extra).names
    known = set(re.findall(r"^\s*path\s*=\s*(.+?)\s*$", listed, re.MULTILINE))
    if unknown := [path for path in added if path not in known]:
        name = shown(unknown[0])
        raise Stopped(
            f"{name} is a repository inside this one.",
            First(f"add {name} to .gitignore"),
            Fix(f"git -C {git.path} submodule add URL {name}", "to make it a submodule"),
        )


def _changes(fields: Iterator[str]) -> Iterator[Change]:
    for status in fields:
        if status[:1] in {"R", "C"}:
            old, path = next(fields), next(fields)
            yield Change(KIND_NAMES[status[0]], path, old if status[0] == "R" else "")
        elif status:
            yield Change(KIND_NAMES.get(status[0], "Update"), next(fields))


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except (OSError, ValueError):
        return 0
