"""A store in a local folder that only its owner can read."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from errors import Remedy
from storage.backups.errors import BackupsError, Missing, disk
from storage.backups.files import PART, copy, private_folder, sweep, whole


class Folder:
    """Objects are files below `root`, written atomically. Folders have mode 0700, files 0600."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, name: str, source: Path) -> None:
        target = self._path(name)
        try:
            private_folder(target.parent)
            sweep(target.parent)
        except OSError as error:
            raise disk(error, target) from None
        with _open_file(source) as opened, whole(target) as sink:
            copy(opened, sink)

    def get(self, name: str, target: Path) -> None:
        with self.open(name) as source, whole(target) as sink:
            copy(source, sink)

    def open(self, name: str) -> BinaryIO:
        return _open_file(self._path(name))

    def size(self, name: str) -> int | None:
        path = self._path(name)
        try:
            return path.stat().st_size if path.is_file() else None
        except FileNotFoundError:  # another process has just removed it
            return None

    def write_text(self, name: str, text: str) -> None:
        with whole(self._path(name)) as sink:
            sink.write(text.encode())

    def read_text(self, name: str) -> str | None:
        try:
            with self.open(name) as source:
                return source.read().decode(errors="replace")
        except Missing:
            return None

    def sizes(self, prefix: str) -> dict[str, int]:
        top = self.root / Path(prefix).parent if not prefix.endswith("/") else self.root / prefix
        try:
            files = sorted(path.relative_to(self.root).as_posix() for path in top.rglob("*") if path.is_file())
            names = [name for name in files if name.startswith(prefix) and not name.endswith(PART)]
            return {name: size for name in names if (size := self.size(name)) is not None}
        except OSError as error:
            raise disk(error, top) from None

    def names(self, prefix: str) -> list[str]:
        return list(self.sizes(prefix))

    def delete(self, name: str) -> None:
        path = self._path(name)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise disk(error, path) from None

    def describe(self) -> str:
        return f"the folder {self.root}"

    def _path(self, name: str) -> Path:
        if not name or any(part in ("", ".", "..") for part in name.split("/")):
            raise BackupsError(f"{name!r} is not a name in {self.describe()}.", Remedy.LIST_BACKUPS)
        return self.root / name


def _open_file(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except (FileNotFoundError, NotADirectoryError):
        raise Missing(f"{path} does not exist.", Remedy.LIST_BACKUPS) from None
    except OSError as error:
        raise disk(error, path) from None
