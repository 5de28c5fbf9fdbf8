"""The account's queues and their consumers. The messages are in the edge's storage. No HTTP here."""

from __future__ import annotations

import base64
import json
import re
import sqlite3
import uuid
from dataclasses import dataclass, replace
from typing import Any

from localcloud.cloudflare.errors import ApiError
from localcloud.cloudflare.models import Version
from localcloud.cloudflare.responses import now
from localcloud.edge_storage import EdgeStorage
from localcloud.store import Store

Json = Any
KIND = "queue"
NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
SETTINGS: dict[str, Json] = {"delivery_delay": 0, "delivery_paused": False, "message_retention_period": 345_600}
CONSUMING: dict[str, Json] = {
    "batch_size": 10, "max_retries": 3, "max_wait_time_ms": 5000, "retry_delay": 0, "max_concurrency": None,
}  # fmt: skip
TABLES = """
CREATE TABLE IF NOT EXISTS cf_queues (
    id TEXT PRIMARY KEY, name TEXT UNIQUE NOT NULL, created_on TEXT NOT NULL, modified_on TEXT NOT NULL,
    settings TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS cf_queue_consumers (
    id TEXT PRIMARY KEY, queue TEXT UNIQUE NOT NULL REFERENCES cf_queues ON DELETE CASCADE, script TEXT NOT NULL,
    dead_letter_queue TEXT NOT NULL, created_on TEXT NOT NULL, settings TEXT NOT NULL);
"""


@dataclass(frozen=True, kw_only=True)
class Queue:
    """A queue. `settings`: delivery_delay and message_retention_period in seconds, delivery_paused."""

    id: str
    name: str
    created_on: str
    modified_on: str
    settings: dict[str, Json]


@dataclass(frozen=True, kw_only=True)
class Consumer:
    """A Worker that consumes a queue's messages; `dead_letter_queue` is a queue's name, "" for none."""

    id: str
    queue: str
    script: str
    dead_letter_queue: str
    created_on: str
    settings: dict[str, Json]


class Queues:
    """The account's queues. A queue has at most one consumer."""

    def __init__(self, store: Store, storage: EdgeStorage) -> None:
        self._store = store
        self._storage = storage
        store.script(TABLES)

    def all(self) -> list[Queue]:
        """Return all queues, by name."""
        return [_queue(row) for row in self._store.fetchall("SELECT * FROM cf_queues ORDER BY name")]

    def named(self, name: str) -> Queue | None:
        """Return the queue of this name."""
        row = self._store.fetchone("SELECT * FROM cf_queues WHERE name = ?", (name,))
        return _queue(row) if row else None

    def get(self, identifier: str) -> Queue:
        """Return a queue. Raises ApiError 11000."""
        row = self._store.fetchone("SELECT * FROM cf_queues WHERE id = ?", (identifier,))
        if row is None:
            raise ApiError(404, 11000, "workers.api.error.queue_not_found")
        return _queue(row)

    async def save(self, identifier: str | None, name: str | None, settings: dict[str, Json]) -> Queue:
        """Create a queue (without an id), or change its name and settings. Raises ApiError 11003 and 11009 for bad
        names.
        """
        known = self.get(identifier) if identifier else None
        moment = now()
        made = Queue(
            id=known.id if known else uuid.uuid4().hex,
            name=name or (known.name if known else ""),
            created_on=known.created_on if known else moment,
            modified_on=moment,
            settings=(known.settings if known else SETTINGS) | _checked(settings, SETTINGS),
        )
        other = self.named(made.name)
        if not NAME.fullmatch(made.name):
            raise ApiError(400, 11003, f"Invalid queue name {made.name!r}.")
        if other and other.id != made.id:
            raise ApiError(409, 11009, f"Queue name '{made.name}' is already taken.")
        values = (made.id, made.name, made.created_on, made.modified_on, json.dumps(made.settings))
        self._store.execute(
            "INSERT INTO cf_queues VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET name = excluded.name, "
            "modified_on = excluded.modified_on, settings = excluded.settings",
            values,
        )
        await self._send_settings(made)
        return made

    async def drop(self, identifier: str) -> None:
        """Delete a queue with its messages and its consumer, even while Workers are bound to it."""
        queue = self.get(identifier)
        await self._storage.erase((KIND, queue.id))
        self._store.execute("DELETE FROM cf_queues WHERE id = ?", (queue.id,))

    def consumer(self, queue: str, identifier: str | None = None) -> Consumer | None:
        """Return a queue's consumer. Raises ApiError 11000 when the queue does not exist or has another consumer."""
        self.get(queue)
        row = self._store.fetchone("SELECT * FROM cf_queue_consumers WHERE queue = ?", (queue,))
        consumer = Consumer(**{**dict(row), "settings": json.loads(row["settings"])}) if row else None
        if identifier is not None and (consumer is None or consumer.id != identifier):
            raise ApiError(404, 100140, f"Consumer {identifier} does not exist.")
        return consumer

    async def consume(
        self, queue: str, version: Version, dead: str, settings: dict[str, Json], known: Consumer | None
    ) -> Consumer:
        """Make this Worker's serving version the consumer. `known` is the consumer to change, None for a new one.

        Raises ApiError 11004 when the queue has one, 11001 when the Worker has no queue handler.
        """
        if known is None and self.consumer(queue) is not None:
            raise ApiError(400, 11004, "workers.api.error.consumer_exists")
        if "queue" not in version.handlers:
            raise ApiError(400, 11001, "queue handler is missing")
        if dead and self.named(dead) is None:
            raise ApiError(404, 11000, f"The dead letter queue '{dead}' does not exist.")
        base = known or Consumer(
            id=uuid.uuid4().hex, queue=queue, script="", dead_letter_queue="", created_on=now(), settings=CONSUMING
        )
        chosen = base.settings | _checked(settings, CONSUMING)
        made = replace(base, script=version.script, dead_letter_queue=dead, settings=chosen)
        values = (made.id, made.queue, made.script, made.dead_letter_queue, made.created_on, json.dumps(made.settings))
        self._store.execute("INSERT OR REPLACE INTO cf_queue_consumers VALUES (?, ?, ?, ?, ?, ?)", values)
        await self._send_settings(self.get(queue))
        return made

    async def leave(self, consumer: Consumer) -> None:
        """Remove a consumer; messages stay."""
        self._store.execute("DELETE FROM cf_queue_consumers WHERE id = ?", (consumer.id,))
        await self._send_settings(self.get(consumer.queue))

    async def send(self, identifier: str, messages: list[tuple[str, bytes, float | None]]) -> None:
        """Send messages: (format, content, seconds of delay). They arrive at once."""
        queue = self.get(identifier)
        packed = [
            {"contentType": kind, "body": base64.b64encode(content).decode()}
            | ({"delaySecs": delay} if delay is not None else {})
            for kind, content, delay in messages
        ]
        body = json.dumps({"messages": packed}).encode()
        answer = await self._storage.request((KIND, queue.id), "POST", "/batch", {}, body)
        if answer.status != 200:
            raise ApiError(413, 10207, answer.body.decode(errors="replace"))

    async def _send_settings(self, queue: Queue) -> None:
        """Send a queue's delivery settings to the broker."""
        consumer = self.consumer(queue.id)
        delivery: Json = None
        if consumer:
            dead = self.named(consumer.dead_letter_queue)
            delivery = consumer.settings | {
                "script": consumer.script,
                "queue": queue.name,
                "dead_letter_id": dead.id if dead else None,
            }
        body = json.dumps(queue.settings | {"consumer": delivery}).encode()
        await self._storage.request((KIND, queue.id), "PUT", "/settings", {}, body)


def _checked(settings: dict[str, Json], known: dict[str, Json]) -> dict[str, Json]:
    """Return the known settings among the given ones. Raises ApiError 100127 for one that is no number."""
    checked = {name: settings[name] for name in known if settings.get(name) is not None}
    for name, value in checked.items():
        if isinstance(known[name], bool) != isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
            raise ApiError(400, 100127, f"The setting {name} cannot be {value!r}.")
    return checked


def _queue(row: sqlite3.Row) -> Queue:
    return Queue(**{**dict(row), "settings": json.loads(row["settings"])})
