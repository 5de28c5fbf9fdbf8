"""Apps and deployments, and their storage in the database. No HTTP, no processes."""

from __future__ import annotations

import json
import secrets
import string
import uuid
from dataclasses import asdict, dataclass, field
from typing import Any

from localcloud.cloud import Cloud
from localcloud.digitalocean.progress import Progress, now

TABLES = """
CREATE TABLE IF NOT EXISTS do_apps (
    id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, sealed TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS do_deployments (
    id TEXT PRIMARY KEY, app_id TEXT NOT NULL REFERENCES do_apps (id) ON DELETE CASCADE,
    sequence INTEGER NOT NULL, phase TEXT NOT NULL, sealed TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS do_builds (key TEXT PRIMARY KEY, digest TEXT NOT NULL);
"""

PENDING_BUILD, BUILDING, PENDING_DEPLOY, DEPLOYING = "PENDING_BUILD", "BUILDING", "PENDING_DEPLOY", "DEPLOYING"
ACTIVE, SUPERSEDED, ERROR, CANCELED = "ACTIVE", "SUPERSEDED", "ERROR", "CANCELED"
UNFINISHED = (PENDING_BUILD, BUILDING, PENDING_DEPLOY, DEPLOYING)

RANDOM = string.ascii_lowercase + string.digits
RANDOM_LENGTH = 5
INGRESS_DOMAIN = "ondigitalocean.localhost"


@dataclass
class App:
    """An app; `spec` holds SECRET values as EV[1:…] only, `host` is its stable default address."""

    id: str
    spec: dict[str, Any]
    host: str
    project_id: str
    created_at: str
    updated_at: str
    active_id: str = ""
    active_at: str = ""
    pinned_id: str = ""
    destinations: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name, unique in the account."""
        return str(self.spec["name"])

    @property
    def domains(self) -> list[dict[str, Any]]:
        """The custom domains of the spec."""
        return list(self.spec.get("domains", []))

    @property
    def hosts(self) -> list[str]:
        """All hosts that lead to the app."""
        return [self.host, *(domain["domain"] for domain in self.domains)]


@dataclass
class Deployment:
    """One attempt to run a spec. `digest` is the image that runs, `commit` the git commit it was built from."""

    id: str
    app_id: str
    sequence: int
    spec: dict[str, Any]
    cause: str
    cause_details: dict[str, Any]
    progress: Progress
    created_at: str
    updated_at: str
    phase: str = PENDING_BUILD
    phase_at: str = ""
    previous_id: str = ""
    cloned_from: str = ""
    force_build: bool = False
    digest: str = ""
    commit: str = ""

    @property
    def service(self) -> dict[str, Any]:
        """The only component."""
        service: dict[str, Any] = self.spec["services"][0]
        return service

    @property
    def unfinished(self) -> bool:
        """Return whether it has not reached a final phase."""
        return self.phase in UNFINISHED

    @property
    def succeeded(self) -> bool:
        """Return whether it was active at some time."""
        return self.phase in (ACTIVE, SUPERSEDED) and bool(self.digest) and not self.progress.show().get("error_steps")

    def enter(self, phase: str) -> None:
        """Set the phase and its time."""
        self.phase = phase
        self.phase_at = self.updated_at = now()

    def restart(self) -> None:
        """Reset to the first phase."""
        self.progress = Progress.fresh(self.service["name"])
        self.enter(PENDING_BUILD)


class Shelf:
    """All apps and deployments, in memory and written through to the database, each row sealed."""

    def __init__(self, cloud: Cloud) -> None:
        self._store = cloud.store
        self._vault = cloud.vault
        self._store.script(TABLES)
        self.apps: dict[str, App] = {}
        self._deployments: dict[str, list[Deployment]] = {}
        self._load()

    def _load(self) -> None:
        for row in self._store.fetchall("SELECT sealed FROM do_apps ORDER BY rowid"):
            app = App(**json.loads(self._vault.open(row["sealed"], "app")))
            self.apps[app.id] = app
            self._deployments[app.id] = []
        for row in self._store.fetchall("SELECT sealed FROM do_deployments ORDER BY sequence"):
            fields = json.loads(self._vault.open(row["sealed"], "deployment"))
            deployment = Deployment(**{**fields, "progress": Progress.read(fields["progress"])})
            self._deployments[deployment.app_id].append(deployment)

    def save(self, *items: App | Deployment) -> None:
        """Write apps and deployments, all or none; an app before its deployments."""
        with self._store.transaction():
            for item in items:
                if isinstance(item, App):
                    self._save_app(item)
                else:
                    self._save_deployment(item)

    def _save_app(self, app: App) -> None:
        sealed = self._vault.seal(json.dumps(asdict(app)), "app")
        statement = """INSERT INTO do_apps VALUES (?, ?, ?)
            ON CONFLICT (id) DO UPDATE SET name = excluded.name, sealed = excluded.sealed"""
        self._store.execute(statement, (app.id, app.name, sealed))
        self.apps[app.id] = app
        self._deployments.setdefault(app.id, [])

    def _save_deployment(self, deployment: Deployment) -> None:
        fields = {**vars(deployment), "progress": deployment.progress.show()}
        sealed = self._vault.seal(json.dumps(fields), "deployment")
        statement = """INSERT INTO do_deployments VALUES (?, ?, ?, ?, ?)
            ON CONFLICT (id) DO UPDATE SET phase = excluded.phase, sealed = excluded.sealed"""
        values = (deployment.id, deployment.app_id, deployment.sequence, deployment.phase, sealed)
        self._store.execute(statement, values)
        if deployment not in self._deployments[deployment.app_id]:
            self._deployments[deployment.app_id].append(deployment)

    def remove(self, app: App) -> None:
        """Delete an app and its deployments."""
        self._store.execute("DELETE FROM do_apps WHERE id = ?", (app.id,))
        del self.apps[app.id], self._deployments[app.id]

    def named(self, name: str) -> App | None:
        """Return the app of this name."""
        return next((app for app in self.apps.values() if app.name == name), None)

    def holder(self, domain: str) -> App | None:
        """Return the app that has this custom domain."""
        return next((app for app in self.apps.values() if domain in app.hosts), None)

    def deployments(self, app_id: str) -> list[Deployment]:
        """Return an app's deployments, newest first."""
        return self._deployments[app_id][::-1]

    def deployment(self, app_id: str, deployment_id: str) -> Deployment | None:
        """Return one of an app's deployments."""
        return next((each for each in self._deployments.get(app_id, []) if each.id == deployment_id), None)

    def active(self, app: App) -> Deployment | None:
        """Return the serving deployment."""
        return self.deployment(app.id, app.active_id)

    def next_sequence(self, app_id: str) -> int:
        """Return the number of an app's next deployment, from 1."""
        return max((each.sequence for each in self._deployments.get(app_id, [])), default=0) + 1

    def built(self, key: str) -> str | None:
        """Return the digest of an earlier build with the same inputs."""
        row = self._store.fetchone("SELECT digest FROM do_builds WHERE key = ?", (key,))
        return str(row["digest"]) if row else None

    def remember_build(self, key: str, digest: str) -> None:
        """Record the digest of a build."""
        self._store.execute("INSERT OR REPLACE INTO do_builds VALUES (?, ?)", (key, digest))


def new_app(app_id: str, spec: dict[str, Any], project_id: str) -> App:
    """Create an app with a default address of its own."""
    tail = "".join(secrets.choice(RANDOM) for _ in range(RANDOM_LENGTH))
    time = now()
    host = f"{spec['name']}-{tail}.{INGRESS_DOMAIN}"
    return App(app_id, spec, host, project_id, created_at=time, updated_at=time)


def new_deployment(app: App, sequence: int, spec: dict[str, Any], cause: str, details: dict[str, Any]) -> Deployment:
    """Create a deployment that waits for its turn."""
    time = now()
    return Deployment(
        id=str(uuid.uuid4()),
        app_id=app.id,
        sequence=sequence,
        spec=spec,
        cause=cause,
        cause_details=details,
        progress=Progress.fresh(spec["services"][0]["name"]),
        created_at=time,
        updated_at=time,
        phase_at=time,
        previous_id=app.active_id,
    )
