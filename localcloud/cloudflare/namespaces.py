"""The account's KV namespaces, and their keys and values in the edge's storage. No HTTP here."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from localcloud.cloudflare.errors import ApiError
from localcloud.edge_storage import EdgeStorage, Stored
from localcloud.store import Store

Json = Any
KIND = "kv"
LONGEST_TITLE = 512
TABLES = "CREATE TABLE IF NOT EXISTS cf_kv_namespaces (id TEXT PRIMARY KEY, title TEXT UNIQUE NOT NULL);"


@dataclass(frozen=True)
class Namespace:
    """A namespace. `id`: 32 hexadecimal characters."""

    id: str
    title: str


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A value with its metadata and expiry. `expiration` and `ttl` are seconds as the client wrote them."""

    value: bytes = field(repr=False)
    expiration: str | None = None
    ttl: str | None = None
    metadata: str | None = None
    """JSON."""


class Namespaces:
    """The account's namespaces. Every method that takes an id raises ApiError 10013 when it does not exist."""

    def __init__(self, store: Store, storage: EdgeStorage) -> None:
        self._store = store
        self._storage = storage
        store.script(TABLES)

    def all(self) -> list[Namespace]:
        """Return all namespaces, by title."""
        rows = self._store.fetchall("SELECT id, title FROM cf_kv_namespaces ORDER BY title")
        return [Namespace(row["id"], row["title"]) for row in rows]

    def exists(self, identifier: str) -> bool:
        """Return whether the namespace exists."""
        return self._find("id", identifier) is not None

    def get(self, identifier: str) -> Namespace:
        """Return a namespace."""
        namespace = self._find("id", identifier)
        if namespace is None:
            raise ApiError(404, 10013, "namespace not found")
        return namespace

    def add(self, title: str) -> Namespace:
        """Create a namespace. Raises ApiError 10014 when the title is taken."""
        self._check_title(title, None)
        made = Namespace(uuid.uuid4().hex, title)
        self._store.execute("INSERT INTO cf_kv_namespaces VALUES (?, ?)", (made.id, made.title))
        return made

    def rename(self, identifier: str, title: str) -> Namespace:
        """Rename a namespace."""
        self.get(identifier)
        self._check_title(title, identifier)
        self._store.execute("UPDATE cf_kv_namespaces SET title = ? WHERE id = ?", (title, identifier))
        return self.get(identifier)

    async def drop(self, identifier: str) -> None:
        """Delete a namespace with all its keys, even while Workers are bound to it."""
        self.get(identifier)
        await self._storage.erase((KIND, identifier))
        self._store.execute("DELETE FROM cf_kv_namespaces WHERE id = ?", (identifier,))

    async def value(self, identifier: str, key: str) -> Stored:
        """Read a key's value. Raises ApiError 10009 when it has none."""
        answer = await self._ask(identifier, "GET", _path(key))
        if answer.status == 404:
            raise ApiError(404, 10009, "get: 'key not found'")
        return _good(answer)

    async def put(self, identifier: str, key: str, entry: Entry) -> None:
        """Write a key's value."""
        ending = {"expiration": entry.expiration, "expiration_ttl": entry.ttl}
        headers = {"cf-kv-metadata": entry.metadata} if entry.metadata is not None else {}
        path = _path(key, **{name: text for name, text in ending.items() if text})
        _good(await self._ask(identifier, "PUT", path, headers, entry.value))

    async def remove(self, identifier: str, key: str) -> None:
        """Delete a key, if it exists."""
        _good(await self._ask(identifier, "DELETE", _path(key)))

    async def keys(self, identifier: str, prefix: str, limit: str, cursor: str) -> dict[str, Json]:
        """Return a page of keys: {"keys": [{name, expiration?, metadata?}], "cursor"?}."""
        asked = {"prefix": prefix, "key_count_limit": limit, "cursor": cursor}
        query = urlencode({name: text for name, text in asked.items() if text})
        page: dict[str, Json] = json.loads(_good(await self._ask(identifier, "GET", f"/?{query}")).body)
        for key in page["keys"]:
            if "metadata" in key:
                key["metadata"] = json.loads(key["metadata"])
        return page

    async def _ask(
        self, identifier: str, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Stored:
        self.get(identifier)
        return await self._storage.request((KIND, identifier), method, path, headers or {}, body)

    def _check_title(self, title: str, mine: str | None) -> None:
        if not title.strip():
            raise ApiError(400, 10019, "namespace title must not be blank")
        if len(title.encode()) > LONGEST_TITLE:
            raise ApiError(400, 10020, f"namespace title must be at most {LONGEST_TITLE} bytes long")
        other = self._find("title", title)
        if other is not None and other.id != mine:
            raise ApiError(400, 10014, "a namespace with this account ID and title already exists")

    def _find(self, column: str, value: str) -> Namespace | None:
        row = self._store.fetchone(f"SELECT id, title FROM cf_kv_namespaces WHERE {column} = ?", (value,))
        return Namespace(row["id"], row["title"]) if row else None


def _path(key: str, **query: str) -> str:
    return f"/{quote(key, safe='')}?{urlencode({'urlencoded': 'true', **query})}"


def _good(answer: Stored) -> Stored:
    """Return the answer. Raises ApiError with the simulator's message when it is an error."""
    if answer.status < 400:
        return answer
    sentence = answer.body.decode(errors="replace").strip()
    if "expiration_ttl" in sentence:
        raise ApiError(400, 10034, sentence)
    if "expiration" in sentence:
        raise ApiError(400, 10033, sentence)
    raise ApiError(min(500, answer.status), 10012, sentence)
