"""Durable Object namespaces: the classes of a Worker that have one, by its migrations. No HTTP here."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from localcloud.cloudflare.errors import ApiError, invalid
from localcloud.store import Store

Json = Any
STEP = {"new_classes", "new_sqlite_classes", "deleted_classes", "renamed_classes"}
TABLES = """
CREATE TABLE IF NOT EXISTS cf_objects (
    id TEXT PRIMARY KEY, script TEXT NOT NULL REFERENCES cf_scripts ON DELETE CASCADE, class TEXT NOT NULL,
    sqlite INTEGER NOT NULL, UNIQUE (script, class));
"""


@dataclass(frozen=True)
class ObjectNamespace:
    """A namespace. `id` stays when the class is renamed, because it identifies the objects' storage."""

    id: str
    class_name: str
    sqlite: bool


class ObjectNamespaces:
    """The account's namespaces, by Worker."""

    def __init__(self, store: Store) -> None:
        self._store = store
        store.script(TABLES)

    def of(self, script: str) -> list[ObjectNamespace]:
        """Return a Worker's namespaces."""
        rows = self._store.fetchall("SELECT * FROM cf_objects WHERE script = ? ORDER BY class", (script,))
        return [ObjectNamespace(row["id"], row["class"], bool(row["sqlite"])) for row in rows]

    def replace(self, script: str, namespaces: list[ObjectNamespace]) -> None:
        """Set a Worker's namespaces; they replace the earlier ones."""
        self._store.execute("DELETE FROM cf_objects WHERE script = ?", (script,))
        for each in namespaces:
            values = (each.id, script, each.class_name, each.sqlite)
            self._store.execute("INSERT INTO cf_objects VALUES (?, ?, ?, ?)", values)


def migrated(
    known: list[ObjectNamespace], tag: str | None, migrations: Json
) -> tuple[list[ObjectNamespace], str | None]:
    """Return the namespaces and the tag after an upload's migrations.

    Raises ApiError 10079 (412) when `old_tag` is not the Worker's tag: migrations are applied once.
    """
    if not migrations:
        return known, tag
    if not isinstance(migrations, dict):
        raise invalid("migrations must be an object")
    old_tag = migrations.get("old_tag") or None
    if old_tag != tag:
        why = f"got tag '{old_tag or ''}' when expected tag is '{tag or ''}'"
        raise ApiError(412, 10079, f"Actor migration tag precondition failed, {why}.")
    steps = migrations.get("steps") or [migrations]
    for step in steps:
        known = _applied(known, step)
    return known, migrations.get("new_tag") or tag


def _applied(known: list[ObjectNamespace], step: Json) -> list[ObjectNamespace]:
    if not isinstance(step, dict):
        raise invalid("a migration must be an object")
    if step.get("transferred_classes"):
        raise invalid("not supported here: transferred_classes")
    found = {each.class_name: each for each in known}
    for key, sqlite in (("new_classes", False), ("new_sqlite_classes", True)):
        for name in step.get(key) or []:
            if name in found:
                why = f"'{name}' that is already depended on by existing Durable Objects"
                raise ApiError(400, 10074, f"Cannot apply --new-class migration to class {why}.")
            found[name] = ObjectNamespace(uuid.uuid4().hex, str(name), sqlite)
    for renamed in step.get("renamed_classes") or []:
        old = found.pop(str(renamed.get("from")), None)
        if old is None:
            raise invalid(f"Cannot rename the class '{renamed.get('from')}', which no Durable Objects depend on")
        found[str(renamed["to"])] = ObjectNamespace(old.id, str(renamed["to"]), old.sqlite)
    for name in step.get("deleted_classes") or []:
        if found.pop(name, None) is None:
            raise invalid(f"Cannot delete the class '{name}', which no Durable Objects depend on")
    return [found[name] for name in sorted(found)]
