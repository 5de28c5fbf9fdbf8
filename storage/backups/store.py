"""The backup store: a local folder, or an S3-compatible bucket."""

from __future__ import annotations

import re
from pathlib import Path
from typing import BinaryIO, Protocol

from errors import SetKey
from storage.backups.bucket import Bucket
from storage.backups.errors import BackupsError
from storage.backups.folder import Folder

__all__ = ["Bucket", "Folder", "Store", "open_store"]

BUCKET = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(?P<prefix>.*))?")


class Store(Protocol):
    """Named objects. Names are relative and separated by `/`. Every method raises BackupsError.

    Writes are atomic: a reader never sees a part of an object.
    """

    def put(self, name: str, source: Path) -> None:
        """Store the file `source` as the object `name`."""

    def get(self, name: str, target: Path) -> None:
        """Download the object to `target`, atomically. Raises Missing."""

    def open(self, name: str) -> BinaryIO:
        """Open the object as a stream. Raises Missing."""

    def size(self, name: str) -> int | None:
        """Return the size of the object in bytes; None if it does not exist."""

    def write_text(self, name: str, text: str) -> None: ...

    def read_text(self, name: str) -> str | None:
        """Return the object's text; None if it does not exist. Invalid UTF-8 is replaced, so that parsers refuse it."""

    def sizes(self, prefix: str) -> dict[str, int]:
        """Return the sizes of the objects whose names start with `prefix`, sorted by name, from one list request."""

    def names(self, prefix: str) -> list[str]:
        """Return the names of the objects that start with `prefix`, sorted."""

    def delete(self, name: str) -> None:
        """Delete the object if it exists."""

    def describe(self) -> str:
        """Return the store's name in a sentence: "the folder ..."."""


def open_store(location: str, project: Path, endpoint: str | None = None, region: str | None = None) -> Store:
    """Return the store at `folder:<path>` (relative to the project) or `s3://<bucket>/<prefix>`. Raises BackupsError.

    No request is sent yet.
    """
    kind, _, rest = location.partition(":")
    if kind == "folder" and rest:
        return Folder((project / Path(rest).expanduser()).resolve())
    if match := BUCKET.fullmatch(location):
        return Bucket(match["bucket"], (match["prefix"] or "").strip("/"), endpoint=endpoint, region=region)
    raise BackupsError(
        f"{location!r} is not a place for backups, which is folder:<path> or s3://<bucket>/<prefix>.",
        SetKey("oracle-net:backup.store", "folder:.oracle/backups"),
    )
