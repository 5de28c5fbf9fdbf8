"""The account's R2 buckets. The objects are in the edge's storage and are reached through Workers' bindings."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace

from localcloud.cloudflare.errors import ApiError
from localcloud.cloudflare.responses import now
from localcloud.edge_storage import EdgeStorage
from localcloud.store import Store

KIND = "r2"
NAME = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
CLASSES = ("Standard", "InfrequentAccess")
TABLES = """
CREATE TABLE IF NOT EXISTS cf_r2_buckets (
    name TEXT PRIMARY KEY, created_on TEXT NOT NULL, location TEXT NOT NULL, storage_class TEXT NOT NULL,
    jurisdiction TEXT NOT NULL);
"""


@dataclass(frozen=True, kw_only=True)
class Bucket:
    """A bucket. The location hint, the class and the jurisdiction are stored, but have no effect here."""

    name: str
    created_on: str
    location: str
    storage_class: str
    jurisdiction: str


class Buckets:
    """The account's buckets."""

    def __init__(self, store: Store, storage: EdgeStorage) -> None:
        self._store = store
        self._storage = storage
        store.script(TABLES)

    def all(self) -> list[Bucket]:
        """Return all buckets, by name."""
        return [Bucket(**dict(row)) for row in self._store.fetchall("SELECT * FROM cf_r2_buckets ORDER BY name")]

    def exists(self, name: str) -> bool:
        """Return whether the bucket exists."""
        return self._store.fetchone("SELECT 1 FROM cf_r2_buckets WHERE name = ?", (name,)) is not None

    def get(self, name: str, jurisdiction: str) -> Bucket:
        """Return a bucket. Raises ApiError 10006 when there is none of this name in this jurisdiction."""
        row = self._store.fetchone("SELECT * FROM cf_r2_buckets WHERE name = ?", (name,))
        if row is None or row["jurisdiction"] != jurisdiction:
            raise ApiError(404, 10006, "The specified bucket does not exist.")
        return Bucket(**dict(row))

    def add(self, name: str, location: str, storage_class: str, jurisdiction: str) -> Bucket:
        """Create a bucket. Raises ApiError 10005 for an invalid name, 10004 for a taken one."""
        if not NAME.fullmatch(name):
            raise ApiError(400, 10005, "The specified bucket name is not valid.")
        if self.exists(name):
            raise ApiError(409, 10004, "The bucket you tried to create already exists, and you own it.")
        _check_class(storage_class)
        made = Bucket(
            name=name,
            created_on=now(),
            location=location.upper(),
            storage_class=storage_class,
            jurisdiction=jurisdiction,
        )
        values = (made.name, made.created_on, made.location, made.storage_class, made.jurisdiction)
        self._store.execute("INSERT INTO cf_r2_buckets VALUES (?, ?, ?, ?, ?)", values)
        return made

    def set_class(self, name: str, jurisdiction: str, storage_class: str) -> Bucket:
        """Set the storage class of new objects."""
        bucket = self.get(name, jurisdiction)
        _check_class(storage_class)
        self._store.execute("UPDATE cf_r2_buckets SET storage_class = ? WHERE name = ?", (storage_class, name))
        return replace(bucket, storage_class=storage_class)

    async def drop(self, name: str, jurisdiction: str) -> None:
        """Delete the bucket. Raises ApiError 10008 while it holds objects."""
        self.get(name, jurisdiction)
        asked = {"cf-r2-request": json.dumps({"version": 1, "method": "list", "limit": 1})}
        answer = await self._storage.request((KIND, name), "GET", "/", asked)
        if answer.status != 200 or json.loads(answer.body)["objects"]:
            raise ApiError(409, 10008, "The bucket you tried to delete is not empty.")
        await self._storage.erase((KIND, name))
        self._store.execute("DELETE FROM cf_r2_buckets WHERE name = ?", (name,))


def _check_class(storage_class: str) -> None:
    if storage_class not in CLASSES:
        raise ApiError(400, 10062, f"The storage class must be one of {', '.join(CLASSES)}.")
