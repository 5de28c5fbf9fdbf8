"""The account's D1 databases. The edge's storage runs the queries. No HTTP here."""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from localcloud.cloudflare.errors import ApiError
from localcloud.cloudflare.responses import now
from localcloud.edge_storage import EdgeStorage
from localcloud.store import Store

Json = Any
KIND = "d1"
TABLES = """
CREATE TABLE IF NOT EXISTS cf_d1_databases (
    id TEXT PRIMARY KEY, name TEXT UNIQUE NOT NULL, created_on TEXT NOT NULL, replication TEXT NOT NULL,
    jurisdiction TEXT);
"""
COUNT = "SELECT count(*) AS n FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '!_cf!_%' ESCAPE '!'"


@dataclass(frozen=True, kw_only=True)
class Database:
    """A database. `replication` (auto or disabled) is stored, but has no effect here."""

    id: str
    name: str
    created_on: str
    replication: str
    jurisdiction: str | None


class Databases:
    """The account's databases."""

    def __init__(self, store: Store, storage: EdgeStorage) -> None:
        self._store = store
        self._storage = storage
        store.script(TABLES)

    def all(self) -> list[Database]:
        """Return all databases, by name."""
        return [Database(**dict(row)) for row in self._store.fetchall("SELECT * FROM cf_d1_databases ORDER BY name")]

    def exists(self, identifier: str) -> bool:
        """Return whether a database of this id exists."""
        return self._store.fetchone("SELECT 1 FROM cf_d1_databases WHERE id = ?", (identifier,)) is not None

    def get(self, key: str) -> Database:
        """Return a database by its id or its name. Raises ApiError 7404."""
        row = self._store.fetchone("SELECT * FROM cf_d1_databases WHERE id = ? OR name = ?", (key, key))
        if row is None:
            raise ApiError(404, 7404, f"The database {key} could not be found")
        return Database(**dict(row))

    def add(self, name: str, jurisdiction: str | None) -> Database:
        """Create a database. Raises ApiError 7502 when the name is taken."""
        if any(database.name == name for database in self.all()):
            raise ApiError(400, 7502, "Database with name already exists")
        made = Database(
            id=str(uuid.uuid4()), name=name, created_on=now(), replication="disabled", jurisdiction=jurisdiction
        )
        values = (made.id, made.name, made.created_on, made.replication, made.jurisdiction)
        self._store.execute("INSERT INTO cf_d1_databases VALUES (?, ?, ?, ?, ?)", values)
        return made

    def set_replication(self, key: str, mode: str) -> Database:
        """Store the replication mode."""
        database = self.get(key)
        if mode not in ("auto", "disabled"):
            raise ApiError(400, 7400, "read_replication.mode must be auto or disabled")
        self._store.execute("UPDATE cf_d1_databases SET replication = ? WHERE id = ?", (mode, database.id))
        return replace(database, replication=mode)

    async def drop(self, key: str) -> None:
        """Delete a database with all its tables, even while Workers are bound to it."""
        database = self.get(key)
        await self._storage.erase((KIND, database.id))
        self._store.execute("DELETE FROM cf_d1_databases WHERE id = ?", (database.id,))

    async def query(self, key: str, queries: list[Json], rows: bool = False) -> list[Json]:
        """Run all statements in one transaction and return their results; `rows` gives columns and rows.

        Raises ApiError 7500 with SQLite's own message, and 7400 for malformed queries.
        """
        database = self.get(key)
        asked = [each for query in queries for each in _single(query)]
        path = f"/query?resultsFormat={'ROWS_AND_COLUMNS' if rows else 'ARRAY_OF_OBJECTS'}"
        answer = await self._storage.request((KIND, database.id), "POST", path, {}, json.dumps(asked).encode())
        read = json.loads(answer.body) if answer.status == 200 else {"error": answer.body.decode(errors="replace")}
        if isinstance(read, dict):
            raise ApiError(400, 7500, str(read["error"]))
        return list(read)

    async def measure(self, database: Database) -> tuple[int, int]:
        """Return the number of tables and the size in bytes."""
        answer = (await self.query(database.id, [{"sql": COUNT}]))[0]
        return int(answer["results"][0]["n"]), int(answer["meta"]["size_after"])


def _single(query: Json) -> Iterator[dict[str, Json]]:
    """Split a query into one query for each statement; only a single statement may have parameters."""
    if not isinstance(query, dict) or not isinstance(query.get("sql"), str):
        raise ApiError(400, 7400, "The request is malformed: sql is missing")
    params = query.get("params") or []
    statements = list(_statements(query["sql"]))
    if params and len(statements) > 1:
        raise ApiError(400, 7400, "The request is malformed: only a single statement can have params")
    return iter({"sql": statement, "params": params} for statement in statements)


def _statements(sql: str) -> Iterator[str]:
    """Split a text into statements, at the ends that SQLite itself finds."""
    open_part = ""
    for piece in sql.split(";"):
        open_part += piece
        if sqlite3.complete_statement(open_part + ";"):
            if open_part.strip():
                yield open_part + ";"
            open_part = ""
        else:
            open_part += ";"
    if open_part.strip("; \n\t"):
        yield open_part
