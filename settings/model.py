"""The settings of a stack: frozen sections with types and limits."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from graphlib import TopologicalSorter
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    Field,
    SecretStr,
    model_validator,
)

from errors import Remedy
from settings.backend import BackendSettings
from settings.consistency import inconsistencies
from settings.formats import Email, Fingerprint, Moment, ServiceName, VariableName
from settings.section import InvalidSetting, Section
from settings.workers import (
    API,
    AssetsSettings,
    HealthSettings,
    ModuleSettings,
    StorageKind,
    WorkerOfAKind,
    asked,
    in_order,
    storage_of,
)

SECRET_KEYS = frozenset({"adminPassword", "githubToken", "backupKey", "backendSecrets", "workerSecrets"})
HISTORY_KEYS = frozenset({"generation", "receipt", "replacement", "restart", "restoreFrom", "unlockedUntil"})
"""Keys that record a stack's history. They are not copied from another stack or a template."""
TEMPLATE_VALUE = re.compile(r"0{32}|sha256:0{64}|https://\{script\}\.account\.workers\.dev")
"""Placeholders in the committed templates for values that only the team knows."""
PLACEHOLDER = "(encrypted)"
"""The placeholder of an encrypted value that no engine has decrypted."""
UNLOCK_LIMIT = timedelta(days=1)
"""The limit of `unlockedUntil`. A later time does not unlock, so that no unlock is forgotten."""
PASSWORD_CHARACTERS, PASSWORD_BYTES = 71, 72
"""PocketBase's limits for a password (core/field_password.go; bcrypt)."""


def _age_key(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if not re.fullmatch(r"AGE-SECRET-KEY-1[0-9A-Z]{58}", text) and text != PLACEHOLDER:
        raise InvalidSetting("is no key for backups", Remedy.MAKE_BACKUP_KEY)
    return value


def _password(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if len(text) > PASSWORD_CHARACTERS or len(text.encode()) > PASSWORD_BYTES:
        raise InvalidSetting(
            f"is too long: PocketBase accepts {PASSWORD_CHARACTERS} characters and {PASSWORD_BYTES} bytes at most"
        )
    return value


class MonitoringSettings(Section):
    emails: tuple[Email, ...] = Field(min_length=1)
    regions: tuple[Literal["us_east", "us_west", "eu_west", "se_asia"], ...] = ("us_east", "eu_west", "se_asia")
    latency_ms: int = Field(default=2000, ge=50)


class BackupSettings(Section):
    """The backup store and its retention. Credentials of a bucket come from the environment."""

    store: str = Field(default="folder:.oracle/backups", pattern=r"^(folder:.+|s3://[a-z0-9][a-z0-9.-]+(/.*)?)$")
    endpoint: str | None = Field(default=None, pattern=r"^https?://")
    region: str | None = None
    keep_count: int | None = Field(default=30, ge=1)
    keep_days: int | None = Field(default=None, ge=1)

    @property
    def on_this_machine(self) -> bool:
        """True if the backups would be lost with this machine."""
        return self.store.startswith("folder:")


class ReceiptSettings(Section):
    """Digests of the only bytes that the stack deploys. `oracle promote` writes it."""

    backend: str = Field(pattern=r"^sha256:[0-9a-f]{64}$")
    workers: Mapping[ServiceName, Fingerprint]
    assets: Mapping[ServiceName, Fingerprint]
    commits: Mapping[str, str] = {}


class Settings(Section):
    """One stack's whole configuration."""

    generation: int = Field(default=1, ge=1, le=999)
    replacement: int = Field(default=1, ge=1, le=999)
    restart: int = Field(default=0, ge=0)
    restore_from: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]+$")
    data: Literal["carry", "ephemeral"] = "carry"
    drain_seconds: float = Field(default=5, ge=0, le=600)
    write_freeze_seconds: int = Field(default=900, ge=60, le=7200)
    backup: BackupSettings = BackupSettings()
    backup_key: Annotated[SecretStr, AfterValidator(_age_key)] | None = None
    protect: bool = False
    unlocked_until: Moment | None = None
    admin_email: Email
    admin_password: Annotated[SecretStr, AfterValidator(_password)] | None = Field(default=None, min_length=10)
    admin_password_version: int = Field(default=1, ge=1)
    github_token: SecretStr | None = Field(default=None, min_length=1)
    account_id: str = Field(pattern=r"^[0-9a-f]{32}$")
    workers_url: str = Field(pattern=r"^https?://\{script\}\.[a-z0-9.-]+(:\d+)?$")
    backend: BackendSettings
    backend_secrets: Mapping[VariableName, SecretStr] = {}
    workers: Annotated[Mapping[ServiceName, WorkerOfAKind], AfterValidator(in_order)]
    """The Workers by service name, in the order of display: `api`, then the others by name."""
    worker_secrets: Mapping[ServiceName, Mapping[VariableName, SecretStr]] = {}
    """Each Worker's own secret bindings, by service and by the binding's name."""
    keep_storage: bool = True
    """True if the Workers' storage stays in the account when no Worker names it any more."""
    monitoring: MonitoringSettings | None = None
    receipt: ReceiptSettings | None = None
    keep_releases: int = Field(default=10, ge=2, le=1000)

    @model_validator(mode="after")
    def _consistent(self) -> Settings:
        for problem in inconsistencies(self):
            raise problem
        return self

    @property
    def adopted(self) -> tuple[str, ...]:
        """The adopted services, which were made by hand and not released since."""
        services = {"backend": self.backend.adopted, **{name: each.adopted for name, each in self.workers.items()}}
        return tuple(name for name, adopted in services.items() if adopted)

    @property
    def locked(self) -> bool:
        """True if running resources must not be deleted now. This machine's clock decides when an unlock ends."""
        now = datetime.now(UTC)
        unlocked = self.unlocked_until is not None and now < self.unlocked_until <= now + UNLOCK_LIMIT
        return self.protect and not unlocked

    @property
    def secret_variables(self) -> dict[str, str]:
        """The backend's own secret variables in plain text. Pass them only to `pulumi.Output.secret`."""
        return {name: value.get_secret_value() for name, value in self.backend_secrets.items()}

    @property
    def left_as_in_the_template(self) -> tuple[str, ...]:
        """The keys that still have the value of the committed template, although only the team knows their value."""
        domains = {f"workers.{name}.domain": each.domain for name, each in self.workers.items()}
        zones = {f"{key}.zoneId": domain.zone_id for key, domain in domains.items() if domain}
        values = {"accountId": self.account_id, **zones, "workersUrl": self.workers_url}
        if self.backend.adopted is None:
            values["backend.image.digest"] = self.backend.image.digest or ""
        return tuple(key for key, value in values.items() if TEMPLATE_VALUE.fullmatch(value))

    @property
    def health(self) -> dict[str, HealthSettings]:
        """The health check of each service, by name. PocketBase's own route answers 200."""
        backend = HealthSettings(path=self.backend.health_path, status=200)
        return {"backend": backend, **{name: worker.health for name, worker in self.workers.items()}}

    @property
    def services(self) -> tuple[str, ...]:
        """The backend and every Worker, in the order of display."""
        return ("backend", *self.workers)

    @property
    def api(self) -> ModuleSettings:
        api = self.workers[API]
        assert isinstance(api, ModuleSettings)
        return api

    @property
    def modules(self) -> dict[str, ModuleSettings]:
        """The Workers of a module, by service name."""
        return {name: worker for name, worker in self.workers.items() if isinstance(worker, ModuleSettings)}

    @property
    def storage(self) -> tuple[tuple[StorageKind, str], ...]:
        """Kind and name of each storage resource of the Workers, each once."""
        resources: list[tuple[StorageKind, str]] = []
        for worker in self.modules.values():
            resources += [each for binding in worker.bindings.values() if (each := storage_of(binding))]
            queues = [*worker.consumes, *(each.dead_letter_queue for each in worker.consumes.values())]
            resources += [("queue", name) for name in queues if name]
        return tuple(sorted(set(resources)))

    @property
    def sites(self) -> dict[str, AssetsSettings]:
        """The Workers that serve static files, by service name."""
        return {name: worker for name, worker in self.workers.items() if isinstance(worker, AssetsSettings)}

    @property
    def asked(self) -> dict[str, list[str]]:
        """The Workers that each Worker is bound to, by service name."""
        return {name: sorted(asked(worker)) for name, worker in self.workers.items()}

    def made_in_order(self) -> tuple[str, ...]:
        """Return the Workers, each after those that it is bound to. Raises graphlib.CycleError."""
        return tuple(TopologicalSorter(self.asked).static_order())

    def secrets_of(self, worker: str) -> dict[str, str]:
        """Return a Worker's own secrets in plain text. Pass them only to `pulumi.Output.secret`."""
        return {name: value.get_secret_value() for name, value in self.worker_secrets.get(worker, {}).items()}
