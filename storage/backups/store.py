"""Where backups are: a folder of this machine, or a bucket that speaks S3."""

from __future__ import annotations

import re
from pathlib import Path
from typing import BinaryIO, Protocol

from storage.backups.bucket import Bucket
from storage.backups.errors import BackupsError
from storage.backups.folder import Folder

__all__ = ["Bucket", "Folder", "Store", "open_store"]

BUCKET = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(?P<prefix>.*))?")


class Store(Protocol):
    """Named objects: names are `/`-separated and relative. Every method raises BackupsError with one sentence.

    An object is there with all its bytes or not at all, so a reader never sees a half-written one.
    """

    def put(self, name: str, source: Path) -> None: ...

    def get(self, name: str, target: Path) -> None:
        """Makes the file `target`, whole or not at all. Raises Missing."""

    def open(self, name: str) -> BinaryIO:
        """The object's bytes, as they come. Raises Missing."""

    def size(self, name: str) -> int | None:
        """Bytes of the object; None when there is none."""

    def write_text(self, name: str, text: str) -> None: ...

    def read_text(self, name: str) -> str | None:
        """None when there is no such object. Bytes that are no UTF-8 are replaced: the reader will refuse them."""

    def sizes(self, prefix: str) -> dict[str, int]:
        """Bytes of each object whose name starts with `prefix`, by name, sorted. One list, and no look at each."""

    def names(self, prefix: str) -> list[str]:
        """All names that start with `prefix`, sorted."""

    def delete(self, name: str) -> None:
        """Nothing happens when there is no such object."""

    def describe(self) -> str:
        """The store in a sentence: "the folder ..."."""


def open_store(location: str, project: Path, endpoint: str | None = None, region: str | None = None) -> Store:
    """The store at `folder:<path>` (relative to the project) or `s3://<bucket>/<prefix>`. Raises BackupsError.

    Nothing is asked of the store yet.
    """
    kind, _, rest = location.partition(":")
    if kind == "folder" and rest:
        return Folder((project / Path(rest).expanduser()).resolve())
    if match := BUCKET.fullmatch(location):
        return Bucket(match["bucket"], (match["prefix"] or "").strip("/"), endpoint=endpoint, region=region)
    raise BackupsError(
        f"{location!r} is no place for backups: it is folder:<path> or s3://<bucket>/<prefix>; "
        "set it: pulumi config set --path oracle-net:backup.store folder:.oracle/backups"
    )
