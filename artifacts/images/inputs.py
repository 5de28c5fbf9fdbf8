"""What an image is built from: the files of the context, the Dockerfile, its target and arguments, and the platform.

Their hash is the image's identity: two builds of the same inputs seldom give the same bytes, so that the first one is
kept and no other is made. A file counts by its name, its content and whether it is executable, as in git; times,
owners and empty folders do not. A repository's own folder `.git` counts by the commit that is checked out and by its
name in `git describe`, since its files differ from clone to clone.
"""

from __future__ import annotations

import hashlib
import json
import os
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
from programs import OutOfTime, git
from settings import BackendSettings

PLATFORM = "linux/amd64"
"""What App Platform runs."""
VERSION = 1
"""Raised when other images would be made of the same inputs."""
GIT = ".git"
GIT_SECONDS = 20.0
IGNORED = ".dockerignore"


@dataclass(frozen=True)
class Inputs:
    """The inputs of one image. Raises ImageError where they cannot be read."""

    context: Path
    dockerfile: Path
    target: str | None
    args: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, backend: BackendSettings, project: Path) -> Inputs:
        """From the stack's settings, which have an `image.build` and a `path`."""
        build = backend.image.build
        assert build is not None
        assert backend.path is not None
        context = project / backend.path / build.context
        if not context.is_dir():
            raise ImageError(
                f"The checkout {shown(context)} of the backend does not exist; clone it there, or name another: "
                "pulumi config set --path oracle-net:backend.path PATH"
            )
        return cls(context, context / build.dockerfile, build.target, tuple(sorted(build.args.items())))

    @cached_property
    def hash(self) -> str:
        """64 hex digits."""
        files = {name: _described(self.context / name) for name in self.files if not _in_git(name)}
        what = {
            "version": VERSION,
            "platform": PLATFORM,
            "target": self.target,
            "args": dict(self.args),
            "dockerfile": hashlib.sha256(self._dockerfile()).hexdigest(),
            "files": files,
            "git": self._commit() if any(map(_in_git, self.files)) else None,
        }
        return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()

    @cached_property
    def files(self) -> tuple[str, ...]:
        """The files and links of the context that are not left out, relative to it, sorted."""
        return tuple(sorted(_walked(self.context, "", self._ignore())))

    def copy(self, folder: Path) -> tuple[Path, Path]:
        """Copies them into an empty folder: the context, and the Dockerfile beside it.

        A builder gets just what was hashed, whatever it makes of `.dockerignore` itself. Raises ImageError where
        something has changed since then.
        """
        context, dockerfile = folder / "context", folder / "Dockerfile"
        context.mkdir()
        for name in self.files:
            target = context / name
            target.parent.mkdir(parents=True, exist_ok=True)
            _copied(self.context / name, target, as_it_is=_in_git(name))
        dockerfile.write_bytes(self._dockerfile())
        if replace(self).hash != self.hash:
            raise ImageError(f"{shown(self.context)} changed while it was read; wait for that to end, then try again")
        return context, dockerfile

    def _dockerfile(self) -> bytes:
        try:
            return read_file(self.dockerfile)
        except ArtifactError:
            raise ImageError(
                f"The Dockerfile {shown(self.dockerfile)} cannot be read; name another: "
                "pulumi config set --path oracle-net:backend.image.build.dockerfile NAME"
            ) from None

    def _ignore(self) -> Dockerignore:
        """The Dockerfile's own, else the context's."""
        own = self.dockerfile.with_name(f"{self.dockerfile.name}{IGNORED}")
        path = own if own.is_file() else self.context / IGNORED
        return Dockerignore(read_file(path).decode(errors="replace") if path.is_file() else "", shown(path))

    def _commit(self) -> list[str]:
        described = (("rev-parse", "HEAD"), ("describe", "--tags", "--always"))
        with suppress(OSError, OutOfTime):
            return [git.git(self.context, *words, seconds=GIT_SECONDS).text.strip() for words in described]
        raise ImageError(
            f"git cannot say which commit {shown(self.context)} is at; see: git -C {shown(self.context)} log"
        )


def _walked(folder: Path, prefix: str, ignore: Dockerignore) -> Iterator[str]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        for entry in entries:
            name = f"{prefix}{entry.name}"
            out = ignore.leaves_out(name)
            if entry.is_dir(follow_symlinks=False):
                if not out or ignore.takes_back:
                    yield from _walked(folder / entry.name, f"{name}/", ignore)
            elif not out:
                yield name
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise ImageError(f"{shown(folder)} cannot be read ({reason}); leave it out of the build in {IGNORED}") from None


def _in_git(name: str) -> bool:
    return name == GIT or name.startswith(f"{GIT}/")


def _described(path: Path) -> str:
    """A file's executable bit and SHA-256, or where a link leads."""
    if path.is_symlink():
        return f"link {os.readlink(path)}"
    content = _read(path)
    return f"{'x' if os.access(path, os.X_OK) else '-'} {hashlib.sha256(content).hexdigest()}"


def _read(path: Path) -> bytes:
    try:
        return read_file(path)
    except ArtifactError as error:
        raise ImageError(f"{str(error).rpartition(';')[0] or error}; leave it out of the build in {IGNORED}") from None


def _copied(source: Path, target: Path, *, as_it_is: bool) -> None:
    if source.is_symlink():
        target.symlink_to(os.readlink(source))
    elif as_it_is:
        shutil.copy2(source, target)
    else:
        target.write_bytes(_read(source))
        target.chmod(0o755 if stat.S_IMODE(source.stat().st_mode) & 0o100 else 0o644)
