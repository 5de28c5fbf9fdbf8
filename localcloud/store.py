"""The local cloud's database: one SQLite file below the state folder."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

Value = str | int | float | bytes | None


class Store:
    """A SQLite connection in WAL mode; every statement outside `transaction()` commits on its own.

    Used from the event loop's thread only. Committed data survives kill -9.
    """

    def __init__(self, path: Path) -> None:
        path.touch(mode=0o600)
        self.connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self.connection.row_factory = sqlite3.Row
        self.connection.execute("PRAGMA journal_mode=WAL")
        self.connection.execute("PRAGMA synchronous=NORMAL")
        self.connection.execute("PRAGMA foreign_keys=ON")

    def script(self, statements: str) -> None:
        """Run several statements, such as CREATE TABLE IF NOT EXISTS."""
        self.connection.executescript(statements)

    def execute(self, statement: str, values: Sequence[Value] = ()) -> int:
        """Run one statement and return the number of rows that it changed."""
        return self.connection.execute(statement, values).rowcount

    def fetchone(self, statement: str, values: Sequence[Value] = ()) -> sqlite3.Row | None:
        """Return the first row, or None."""
        row: sqlite3.Row | None = self.connection.execute(statement, values).fetchone()
        return row

    def fetchall(self, statement: str, values: Sequence[Value] = ()) -> list[sqlite3.Row]:
        """Return all rows; columns by name or position."""
        return self.connection.execute(statement, values).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit all statements inside, or none; an inner transaction joins the outer one."""
        if self.connection.in_transaction:
            yield
            return
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")

    def close(self) -> None:
        """Merge the write-ahead log into the database and close."""
        self.connection.close()
