"""Fakes of the clouds' clients. They hold an account's state, and record in `calls` what changes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

from clients.app_platform import AppPlatform, AppPlatformError, CommandResult, Deployment
from clients.workers_api import Workers
from lifecycle.backup_config import BackupConfig
from lifecycle.bootstrap import Expected, Target
from lifecycle.clouds import Clouds
from lifecycle.context import BackendContext, MigrationPolicy, Traffic
from lifecycle.replica import SCRIPT_VARIABLE
from tests.support.owners import owner

OWNER = str(owner())
EMAIL, PASSWORD, OPERATOR_PASSWORD = "admin@example.org", "admin-password", "operator-password"
RELEASE, SERVICE = "sha256:1", "service"
SUCCESS = CommandResult(status=0, output="")


@dataclass
class FakeAccount:
    """An account in both clouds."""

    apps: dict[str, dict[str, Any]] = field(default_factory=dict)
    """The apps by id, in the API's form, which `app` makes."""
    workers: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    """The bindings of each script, by name; `worker` makes those of the api Worker."""
    domains: dict[str, str] = field(default_factory=dict)
    """The script of each custom domain."""
    tags: dict[str, str] = field(default_factory=dict)
    """The tag of each script's last migration of Durable Objects."""
    checks: dict[str, str] = field(default_factory=dict)
    """The name of each uptime check, by id."""
    alerts: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """The alerts of each app, by the app's id."""
    console: Callable[[Sequence[str]], CommandResult] = lambda _: SUCCESS
    """What a command in a container does."""
    failures: dict[str, Exception] = field(default_factory=dict)
    """What a method raises, by its name."""
    calls: list[str] = field(default_factory=list)

    @classmethod
    def owned(
        cls,
        apps: Mapping[str, str | None] | None = None,
        scripts: Mapping[str, str | None] | None = None,
        domains: dict[str, str] | None = None,
    ) -> FakeAccount:
        """An account with apps and Workers of these owners, and domains that lead to these Workers."""
        return cls(
            {name: app(name, name, owner=mark) for name, mark in (apps or {}).items()},
            {name: worker(owner=mark) for name, mark in (scripts or {}).items()},
            domains or {},
        )

    @property
    def clouds(self) -> Clouds:
        return Clouds(
            app_platform=partial(FakeAppPlatform, self), workers=partial(FakeWorkers, self), sleep=self._sleep
        )

    def check(self, method: str) -> None:
        """Raise the failure of a method, if it has one."""
        if method in self.failures:
            raise self.failures[method]

    def _sleep(self, seconds: float) -> None:
        self.calls.append(f"sleep {seconds:g}")


class FakeAppPlatform(AppPlatform):
    """Knows an account's apps. What is not overridden here works as in the real client, or fails."""

    def __init__(
        self,
        account: FakeAccount,
        endpoint: str = "",
        token: str | None = None,
        timeout: float = 30.0,
        patience: float | None = None,
    ) -> None:
        self._account = account

    def __exit__(self, *_: object) -> None:
        """There is no connection to close."""

    def app(self, app_id: str) -> dict[str, Any]:
        self._account.check("app")
        if app_id not in self._account.apps:
            raise AppPlatformError(f"There is no app {app_id}.", status=404)
        return self._account.apps[app_id]

    def find(self, name: str) -> dict[str, Any] | None:
        self._account.check("find")
        return next((app for app in self._account.apps.values() if app["spec"]["name"] == name), None)

    def names(self) -> list[str]:
        return [app["spec"]["name"] for app in self._account.apps.values()]

    def alerts(self, app_id: str) -> list[dict[str, Any]]:
        self._account.check("alerts")
        return self._account.alerts[app_id]

    def check_name(self, check_id: str) -> str | None:
        return self._account.checks.get(check_id)

    def restart(self, app_id: str) -> Deployment:
        self._account.check("restart")
        return self._deploy("restart", app_id)

    def deploy_again(self, app_id: str) -> Deployment:
        return self._deploy("deploy", app_id)

    def wait(self, app_id: str, deployment_id: str, seconds: float) -> Deployment:
        return Deployment(id=deployment_id, phase="ACTIVE", spec=self.app(app_id)["spec"])

    def run_command(self, app_id: str, service: str, command: Sequence[str], seconds: float = 60.0) -> CommandResult:
        assert (app_id in self._account.apps, service) == (True, SERVICE)
        self._account.calls.append(f"console: {' '.join(command)}")
        return self._account.console(command)

    def request(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        self._account.calls.append(f"{method} {path} {' '.join(sorted(body or {}))}".rstrip())
        return {}

    def _deploy(self, how: str, app_id: str) -> Deployment:
        self._account.calls.append(f"{how} {self.app(app_id)['spec']['name']}")
        return Deployment(id="d-2", phase="DEPLOYING", spec=self.app(app_id)["spec"])


class FakeWorkers(Workers):
    """Knows an account's Workers."""

    def __init__(
        self,
        account: FakeAccount,
        endpoint: str = "",
        account_id: str = "",
        token: str | None = None,
        timeout: float = 30.0,
        patience: float | None = None,
    ) -> None:
        self._state = account

    def __exit__(self, *_: object) -> None:
        """There is no connection to close."""

    def bindings(self, script: str) -> dict[str, dict[str, Any]] | None:
        self._state.check("bindings")
        return self._state.workers.get(script)

    def leads_to(self, hostname: str) -> str | None:
        return self._state.domains.get(hostname)

    def migration_tag(self, script: str) -> str | None:
        self._state.check("migration_tag")
        return self._state.tags.get(script)

    def delete(self, script: str) -> None:
        self._state.calls.append(f"{script}: deleted")
        self._state.workers.pop(script, None)

    def put_secrets(self, script: str, texts: Mapping[str, str]) -> None:
        self._state.check("put_secrets")
        self._state.calls.append(f"{script}: secrets {' '.join(sorted(texts))}")
        self._state.workers[script] |= {name: {"type": "secret_text", "text": text} for name, text in texts.items()}


def app(
    app_id: str,
    name: str,
    url: str = "http://127.0.0.1:9",
    *,
    generation: int = 1,
    owner: str | None = OWNER,
    running: bool = True,
    replicated: bool = False,
) -> dict[str, Any]:
    """An app as the API shows it. One that is not running has never been deployed."""
    script = "run" if replicated else None
    values = {"GENERATION": str(generation), "RELEASE": RELEASE, "STACK": owner, SCRIPT_VARIABLE: script}
    envs = [{"key": key, "value": value} for key, value in values.items() if value]
    spec = {"name": name, "services": [{"name": SERVICE, "envs": envs}]}
    deployment = {"id": "d-1", "phase": "ACTIVE", "spec": spec} if running else None
    return {"id": app_id, "spec": spec, "live_url": url, "active_deployment": deployment}


def worker(backend: str | None = None, owner: str | None = OWNER) -> dict[str, dict[str, Any]]:
    """The bindings of a Worker of an owner, which sends its requests to an app."""
    texts = {"BACKEND": backend, "STACK": owner}
    return {name: {"name": name, "type": "plain_text", "text": text} for name, text in texts.items() if text}


TRAFFIC = Traffic(endpoint="e", account="a", script="api", url="http://127.0.0.1:9", owner=OWNER, health="/health")
REQUIRED = {
    "endpoint": "e",
    "service": SERVICE,
    "health_path": "/api/health",
    "console": "./upsert",
    "release": RELEASE,
    "email": EMAIL,
    "owner": OWNER,
}


def target(app_id: str, **changed: str) -> Target:
    return Target(**{**REQUIRED, "password": PASSWORD, "operator": OPERATOR_PASSWORD, "app_id": app_id, **changed})


def context(account: FakeAccount, **changed: Any) -> BackendContext:
    """What hooks get. Backups are in the current folder."""
    unknown = cast(Any, None)
    config = BackupConfig(
        owner=owner(), store="folder:backups", endpoint=None, region=None, key=None, keep_count=None, keep_days=None
    )
    given: dict[str, Any] = {
        "expected": Expected(**REQUIRED, password=unknown, operator=unknown),
        "traffic": TRAFFIC,
        "policy": MigrationPolicy(drain=0.0, freeze=60.0),
        "backup_config": config,
        "generation": 1,
        "restore_from": None,
        "restart": 0,
        "ephemeral": False,
        "locked": False,
        "clouds": account.clouds,
    }
    return BackendContext(**{**given, **changed})
