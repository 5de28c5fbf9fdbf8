"""The inputs of an image: the files of the context, the Dockerfile, its target and arguments, and the platform.

Their hash identifies the image. Two builds of the same inputs seldom have the same bytes, so the first image is reused.
The hash includes each file's name, content and executable bit, as in git, but no times, owners or empty folders. In
place of a repository's folder `.git`, whose files differ between clones, it includes the current commit and its name in
`git describe`.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from artifacts.folders import ArtifactError, read_file, shown
from artifacts.images.dockerignore import Dockerignore
from artifacts.images.errors import ImageError
from errors import First, Fix, Remedy, SetKey
from programs import OutOfTime, git
from settings import BackendSettings

PLATFORM = "linux/amd64"
"""The platform of App Platform."""
VERSION = 1
"""A part of the hash. Increase it when the same inputs would give other images."""
GIT = ".git"
GIT_SECONDS = 20.0
IGNORED = ".dockerignore"
LEAVE_OUT = First(f"leave it out of the build in {IGNORED}")


@dataclass(frozen=True)
class Inputs:
    """The inputs of one image. Raises ImageError if they cannot be read."""

    context: Path
    dockerfile: Path
    target: str | None
    args: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, backend: BackendSettings, project: Path) -> Inputs:
        """Create them from a stack's settings with `image.build` and `path`."""
        build = backend.image.build
        assert build is not None
        assert backend.path is not None
        context = project / backend.path / build.context
        if not context.is_dir():
            raise ImageError(
                f"The checkout {shown(context)} of the backend does not exist.",
                First("clone it there"),
                SetKey("oracle-net:backend.path", "PATH"),
            )
        return cls(context, context / build.dockerfile, build.target, tuple(sorted(build.args.items())))

    @cached_property
    def hash(self) -> str:
        """The SHA-256 of the inputs: 64 hex digits."""
        files = {name: _described(self.context / name) for name in self.files if not _in_git(name)}
        inputs = {
            "version": VERSION,
            "platform": PLATFORM,
            "target": self.target,
            "args": dict(self.args),
            "dockerfile": hashlib.sha256(self._dockerfile()).hexdigest(),
            "files": files,
            "git": self._commit() if any(map(_in_git, self.files)) else None,
        }
        return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()

    @cached_property
    def files(self) -> tuple[str, ...]:
        """The names of the context's files and links that are not left out, sorted."""
        return tuple(sorted(_walk(self.context, "", self._ignore())))

    def copy(self, folder: Path) -> tuple[Path, Path]:
        """Copy the context and the Dockerfile into an empty folder, and return their paths.

        So a builder gets exactly the files that were hashed, however it reads `.dockerignore`. Raises ImageError if an
        input has changed since it was hashed.
        """
        context, dockerfile = folder / "context", folder / "Dockerfile"
        context.mkdir()
        for name in self.files:
            target = context / name
            target.parent.mkdir(parents=True, exist_ok=True)
            _copy_file(self.context / name, target, as_it_is=_in_git(name))
        dockerfile.write_bytes(self._dockerfile())
        if replace(self).hash != self.hash:
            help = First("wait until nothing changes it", Remedy.RETRY)
            raise ImageError(f"{shown(self.context)} changed while it was read.", help)
        return context, dockerfile

    def _dockerfile(self) -> bytes:
        try:
            return read_file(self.dockerfile)
        except ArtifactError:
            raise ImageError(
                f"The Dockerfile {shown(self.dockerfile)} cannot be read.",
                SetKey("oracle-net:backend.image.build.dockerfile", "NAME"),
            ) from None

    def _ignore(self) -> Dockerignore:
        """Read the Dockerfile's own ignore file, or else the context's."""
        own = self.dockerfile.with_name(f"{self.dockerfile.name}{IGNORED}")
        path = own if own.is_file() else self.context / IGNORED
        return Dockerignore(read_file(path).decode(errors="replace") if path.is_file() else "", shown(path))

    def _commit(self) -> list[str]:
        described = (("rev-parse", "HEAD"), ("describe", "--tags", "--always"))
        with suppress(OSError, OutOfTime):
            return [git.git(self.context, *words, seconds=GIT_SECONDS).text.strip() for words in described]
        help = Fix(f"git -C {shlex.quote(shown(self.context))} log", "to see git's error")
        raise ImageError(f"git does not report the current commit of {shown(self.context)}.", help)


def _walk(folder: Path, prefix: str, ignore: Dockerignore) -> Iterator[str]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        for entry in entries:
            name = f"{prefix}{entry.name}"
            out = ignore.leaves_out(name)
            if entry.is_dir(follow_symlinks=False):
                if not out or ignore.takes_back:
                    yield from _walk(folder / entry.name, f"{name}/", ignore)
            elif not out:
                yield name
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise ImageError(f"{shown(folder)} cannot be read ({reason}).", LEAVE_OUT) from None


def _in_git(name: str) -> bool:
    return name == GIT or name.startswith(f"{GIT}/")


def _described(path: Path) -> str:
    """Return a file's executable bit and SHA-256, or the target of a link."""
    if path.is_symlink():
        return f"link {os.readlink(path)}"
    content = _read(path)
    return f"{'x' if os.access(path, os.X_OK) else '-'} {hashlib.sha256(content).hexdigest()}"


def _read(path: Path) -> bytes:
    try:
        return read_file(path)
    except ArtifactError as error:
        raise ImageError(error.problem, LEAVE_OUT, cause=error.cause) from None


def _copy_file(source: Path, target: Path, *, as_it_is: bool) -> None:
    if source.is_symlink():
        target.symlink_to(os.readlink(source))
    elif as_it_is:
        shutil.copy2(source, target)
    else:
        target.write_bytes(_read(source))
        target.chmod(0o755 if stat.S_IMODE(source.stat().st_mode) & 0o100 else 0o644)
