"""List and read the files of source folders, and refuse files that cannot be deployed.

Links are followed, so that artifacts do not depend on the machine. These are refused, with their path: broken links,
links to a folder that contains them, named pipes, sockets, devices, unreadable files, and names that are not UTF-8.
"""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from errors import First, Fix, Remedy, UserError

KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFBLK: "a device",
    stat.S_IFCHR: "a device",
}

LeftOut = Callable[[str, bool], bool]
"""Return whether to leave out a name relative to the source folder. The second argument is true for a folder."""
Place = tuple[int, int]
"""Device and inode, which identify a folder."""


class ArtifactError(UserError):
    """A source cannot be deployed."""


class MissingFile(ArtifactError):
    """A file does not exist."""


@dataclass(frozen=True, kw_only=True)
class SourceFile:
    """One regular file of a source folder."""

    name: str
    """The path relative to the folder, with slashes."""
    path: Path
    size: int
    executable: bool

    def read(self) -> bytes:
        """Read the content. Raises ArtifactError."""
        return read_file(self.path)


def source_files(folder: Path, left_out: LeftOut) -> list[SourceFile]:
    """Return the files of a folder, sorted by name. Raises ArtifactError, also if there are none."""
    if not _is_folder(folder):
        raise ArtifactError(f"The directory {shown(folder)} does not exist.", Remedy.BUILD)
    resolved = folder.resolve()
    above = frozenset(_place(os.stat(each)) for each in (resolved, *resolved.parents))
    files = sorted(_walked(folder, "", above, left_out), key=lambda file: file.name)
    if not files:
        raise ArtifactError(f"The directory {shown(folder)} is empty.", Remedy.BUILD)
    return files


def read_file(path: Path) -> bytes:
    """Read one regular file. Raises ArtifactError."""
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            raise _not_regular(path, status.st_mode)
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from None


def shown(path: Path) -> str:
    """Return a path on one line, with its unprintable characters escaped."""
    text = os.fsencode(path).decode(errors="backslashreplace")
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)


def _walked(folder: Path, prefix: str, above: frozenset[Place], left_out: LeftOut) -> Iterator[SourceFile]:
    """Yield the files of a folder and its subfolders. `above` are the folder and the folders that contain it."""
    for name in _listed(folder):
        path = folder / name
        if left_out(f"{prefix}{name}", os.path.isdir(path)):
            continue
        _check_name(path)
        status = _status(path)
        if stat.S_ISREG(status.st_mode):
            executable = os.access(path, os.X_OK)
            yield SourceFile(name=f"{prefix}{name}", path=path, size=status.st_size, executable=executable)
        elif not stat.S_ISDIR(status.st_mode):
            raise _not_regular(path, status.st_mode)
        elif _place(status) in above:
            raise ArtifactError(f"{shown(path)} is a link to a folder that contains it.", First("remove the link"))
        else:
            yield from _walked(path, f"{prefix}{name}/", above | {_place(status)}, left_out)


def _listed(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError as error:
        raise _unreadable(folder, error) from None


def _status(path: Path) -> os.stat_result:
    try:
        return os.stat(path)
    except OSError as error:
        raise _unreadable(path, error) from None


def _is_folder(path: Path) -> bool:
    try:
        return stat.S_ISDIR(os.stat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise _unreadable(path, error) from None


def _place(status: os.stat_result) -> Place:
    return status.st_dev, status.st_ino


def _check_name(path: Path) -> None:
    try:
        path.name.encode()
    except UnicodeEncodeError:
        raise ArtifactError(f"The name of {shown(path)} is not UTF-8.", First("rename it")) from None


def _not_regular(path: Path, mode: int) -> ArtifactError:
    kind = KINDS.get(stat.S_IFMT(mode), "a folder" if stat.S_ISDIR(mode) else "no regular file")
    return ArtifactError(f"{shown(path)} is {kind}, but only a regular file can be deployed.", First("remove it"))


def _unreadable(path: Path, error: OSError) -> ArtifactError:
    if os.path.islink(path) and isinstance(error, FileNotFoundError):
        target = shown(Path(os.readlink(path)))
        return ArtifactError(f"{shown(path)} is a link to {target}, which does not exist.", First("remove the link"))
    if isinstance(error, PermissionError):
        problem = f"{shown(path)} is not readable for this user."
        return ArtifactError(problem, Fix(f"chmod u+rX {shlex.quote(shown(path))}"))
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        problem = f"{shown(path)} was deleted while it was read."
        return MissingFile(problem, First("wait until its build has ended", Remedy.RETRY))
    reason = (error.strerror or type(error).__name__).lower()
    return ArtifactError(f"{shown(path)} cannot be read ({reason}).", First("remove or fix it"))
