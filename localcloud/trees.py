"""Files of an archive, written into a folder that they cannot leave.

A link's target is resolved as in a container whose root is the folder: it is written relative, and never leads outside.
tarfile's own extraction is not used: its safe filter is missing from 3.11 before 3.11.4.
"""

from __future__ import annotations

import os
import shutil
import tarfile
from pathlib import Path


class TreeError(Exception):
    """An entry that would land outside the folder, or cannot be written there."""


def place(tar: tarfile.TarFile, member: tarfile.TarInfo, root: Path, name: str) -> None:
    """Write an entry under a name relative to `root`. It replaces the existing one, unless both are folders.

    Devices and pipes are left out, because a container without privileges cannot use them. Raises TreeError.
    """
    path = inside(root, name)
    if path == root.resolve():
        return
    if member.isdir():
        if path.is_symlink() or not path.is_dir():
            remove(path)
            path.mkdir()
        return
    if member.isreg():
        content = tar.extractfile(member)
        assert content is not None
        remove(path)
        with content, path.open("wb") as file:
            shutil.copyfileobj(content, file)
        path.chmod(0o755 if member.mode & 0o100 else 0o644)
    elif member.issym():
        remove(path)
        path.symlink_to(_relative(root.resolve(), path, member.linkname))
    elif member.islnk():
        _copy(inside(root, member.linkname), path, member)


def inside(root: Path, name: str) -> Path:
    """Return the path of a name below `root`, and create its folder. Raises TreeError."""
    home = root.resolve()
    lexical = Path(os.path.normpath(home / name))
    if Path(name).is_absolute() or not lexical.is_relative_to(home):
        raise TreeError(f"{name!r} would be placed outside the container's folder")
    if lexical == home:
        return home
    parent = lexical.parent.resolve()
    if not parent.is_relative_to(home):
        raise TreeError(f"{name!r} would be placed outside the container's folder")
    try:
        parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TreeError(f"{name!r} is below something that is no folder ({error.strerror})") from None
    return parent / lexical.name


def remove(path: Path) -> None:
    """Remove a file, or a folder with its content. Of a link, remove the link and not its target."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _relative(home: Path, link: Path, target: str) -> str:
    """Return the link's target, resolved as in a container whose root is `home`."""
    base = Path("/") if target.startswith("/") else Path("/") / link.parent.relative_to(home)
    resolved = home / os.path.normpath(base / target).lstrip("/")
    return os.path.relpath(resolved, link.parent)


def _copy(source: Path, path: Path, member: tarfile.TarInfo) -> None:
    """Write a hard link to an earlier file as a copy of it."""
    if source.is_symlink() or not source.is_file():
        raise TreeError(f"{member.name!r} is a second name of {member.linkname!r}, which is not there")
    if source != path:
        remove(path)
        shutil.copy2(source, path)
