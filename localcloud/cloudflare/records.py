"""The tables cf_*: all of the API's data besides files. Secrets are sealed before they are written."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from localcloud.cloudflare.models import Deployment, Script, Version
from localcloud.store import Store
from localcloud.vault import Vault

Json = Any

TABLES = """
CREATE TABLE IF NOT EXISTS cf_facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS cf_scripts (
    name TEXT PRIMARY KEY, tag TEXT NOT NULL, created_on TEXT NOT NULL, modified_on TEXT NOT NULL,
    settings TEXT NOT NULL, enabled INTEGER NOT NULL, previews_enabled INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS cf_versions (
    id TEXT PRIMARY KEY, script TEXT NOT NULL REFERENCES cf_scripts ON DELETE CASCADE, number INTEGER NOT NULL,
    created_on TEXT NOT NULL, document TEXT NOT NULL, secrets TEXT NOT NULL, UNIQUE (script, number));
CREATE TABLE IF NOT EXISTS cf_deployments (
    place INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL,
    script TEXT NOT NULL REFERENCES cf_scripts ON DELETE CASCADE, created_on TEXT NOT NULL, document TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS cf_zones (id TEXT PRIMARY KEY, name TEXT UNIQUE NOT NULL, created_on TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS cf_records (
    id TEXT PRIMARY KEY, zone TEXT NOT NULL REFERENCES cf_zones ON DELETE CASCADE, name TEXT NOT NULL,
    document TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS cf_domains (
    id TEXT PRIMARY KEY, hostname TEXT UNIQUE NOT NULL, script TEXT NOT NULL REFERENCES cf_scripts ON DELETE CASCADE,
    environment TEXT NOT NULL, zone TEXT NOT NULL REFERENCES cf_zones ON DELETE CASCADE);
CREATE TABLE IF NOT EXISTS cf_routes (
    id TEXT PRIMARY KEY, zone TEXT NOT NULL REFERENCES cf_zones ON DELETE CASCADE, pattern TEXT NOT NULL, script TEXT,
    UNIQUE (zone, pattern));
CREATE INDEX IF NOT EXISTS cf_versions_of ON cf_versions (script, number);
CREATE INDEX IF NOT EXISTS cf_deployments_of ON cf_deployments (script, place);
"""


class Records:
    """Reads and writes models, without rules."""

    def __init__(self, store: Store, vault: Vault) -> None:
        self.store = store
        self._vault = vault
        store.script(TABLES)

    def fact(self, name: str) -> str | None:
        """Read a single named text."""
        row = self.store.fetchone("SELECT value FROM cf_facts WHERE name = ?", (name,))
        return row["value"] if row else None

    def set_fact(self, name: str, value: str) -> None:
        """Write a single named text."""
        self.store.execute("INSERT OR REPLACE INTO cf_facts VALUES (?, ?)", (name, value))

    def scripts(self) -> list[Script]:
        """Return all scripts, by name."""
        return [_script(row) for row in self.store.fetchall("SELECT * FROM cf_scripts ORDER BY name")]

    def script(self, name: str) -> Script | None:
        """Return a script."""
        row = self.store.fetchone("SELECT * FROM cf_scripts WHERE name = ?", (name,))
        return _script(row) if row else None

    def save_script(self, script: Script) -> None:
        """Add a script, or replace all fields but name, tag and created_on."""
        self.store.execute(
            "INSERT INTO cf_scripts VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET "
            "modified_on = excluded.modified_on, settings = excluded.settings, enabled = excluded.enabled, "
            "previews_enabled = excluded.previews_enabled",
            (
                script.name,
                script.tag,
                script.created_on,
                script.modified_on,
                json.dumps(script.settings),
                script.enabled,
                script.previews_enabled,
            ),
        )

    def drop_script(self, name: str) -> None:
        """Delete a script with its versions, deployments and domains; its routes stay without a script."""
        with self.store.transaction():
            self.store.execute("UPDATE cf_routes SET script = NULL WHERE script = ?", (name,))
            self.store.execute("DELETE FROM cf_scripts WHERE name = ?", (name,))

    def versions(self, script: str) -> list[Version]:
        """Return a script's versions, newest first."""
        rows = self.store.fetchall("SELECT * FROM cf_versions WHERE script = ? ORDER BY number DESC", (script,))
        return [self._version(row) for row in rows]

    def version(self, script: str, identifier: str) -> Version | None:
        """Return a version."""
        row = self.store.fetchone("SELECT * FROM cf_versions WHERE script = ? AND id = ?", (script, identifier))
        return self._version(row) if row else None

    def latest(self, script: str) -> Version | None:
        """Return the newest version, deployed or not."""
        query = "SELECT * FROM cf_versions WHERE script = ? ORDER BY number DESC LIMIT 1"
        row = self.store.fetchone(query, (script,))
        return self._version(row) if row else None

    def add_version(self, version: Version) -> None:
        """Add a version."""
        sealed = self._vault.seal(json.dumps(version.secrets), _purpose(version.id))
        values = (version.id, version.script, version.number, version.created_on)
        document = json.dumps(version.document())
        self.store.execute("INSERT INTO cf_versions VALUES (?, ?, ?, ?, ?, ?)", (*values, document, sealed))

    def drop_versions(self, script: str, identifiers: list[str]) -> None:
        """Delete versions."""
        for identifier in identifiers:
            self.store.execute("DELETE FROM cf_versions WHERE script = ? AND id = ?", (script, identifier))

    def documents(self) -> list[Json]:
        """Return the documents of all versions of all scripts; secrets stay sealed."""
        return [json.loads(row["document"]) for row in self.store.fetchall("SELECT document FROM cf_versions")]

    def deployments(self, script: str) -> list[Deployment]:
        """Return a script's deployments, newest first."""
        rows = self.store.fetchall("SELECT * FROM cf_deployments WHERE script = ? ORDER BY place DESC", (script,))
        return [_deployment(row) for row in rows]

    def deployment(self, script: str) -> Deployment | None:
        """Return the deployment in force."""
        query = "SELECT * FROM cf_deployments WHERE script = ? ORDER BY place DESC LIMIT 1"
        row = self.store.fetchone(query, (script,))
        return _deployment(row) if row else None

    def add_deployment(self, deployment: Deployment) -> None:
        """Add a deployment, which comes into force."""
        document = {
            "shares": deployment.shares,
            "annotations": deployment.annotations,
            "source": deployment.source,
        }
        self.store.execute(
            "INSERT INTO cf_deployments (id, script, created_on, document) VALUES (?, ?, ?, ?)",
            (deployment.id, deployment.script, deployment.created_on, json.dumps(document)),
        )

    def drop_deployment(self, script: str, identifier: str) -> None:
        """Delete a deployment."""
        self.store.execute("DELETE FROM cf_deployments WHERE script = ? AND id = ?", (script, identifier))

    def _version(self, row: sqlite3.Row) -> Version:
        secrets = json.loads(self._vault.open(row["secrets"], _purpose(row["id"])))
        document = json.loads(row["document"])
        return Version.of(row["id"], row["script"], row["number"], row["created_on"], document, secrets)


def _purpose(version: str) -> str:
    return f"cloudflare/version/{version}"


def _script(row: sqlite3.Row) -> Script:
    return Script(
        name=row["name"],
        tag=row["tag"],
        created_on=row["created_on"],
        modified_on=row["modified_on"],
        settings=json.loads(row["settings"]),
        enabled=bool(row["enabled"]),
        previews_enabled=bool(row["previews_enabled"]),
    )


def _deployment(row: sqlite3.Row) -> Deployment:
    document = json.loads(row["document"])
    return Deployment(
        id=row["id"],
        script=row["script"],
        created_on=row["created_on"],
        shares=[(version, percentage) for version, percentage in document["shares"]],
        annotations=document["annotations"],
        source=document["source"],
    )
