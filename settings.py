"""All configuration of a stack, read and checked once, frozen.

`load()` reads the `oracle-net:*` keys of the running stack; `from_file()` reads the same keys from a
`Pulumi.<stack>.yaml` without an engine. An error's text has one line for each problem: the key, what is wrong with it
and what that would cause, and the command that mends it. No other module reads configuration.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel

PROJECT = "oracle-net"
DIGITALOCEAN = "https://api.digitalocean.com"
CLOUDFLARE = "https://api.cloudflare.com/client/v4"
SECRET_KEYS = frozenset({"adminPassword", "githubToken", "backupKey", "backendSecrets"})
OURS = ("PB_ADMIN_EMAIL", "PB_ADMIN_PASSWORD", "RELEASE", "GENERATION", "BACKEND")
"""The variables that the program itself gives to the backend's app."""
PLACEHOLDER = "(encrypted)"
"""Stands for an encrypted value where there is no engine to open it."""
APP_NAME_LIMIT = 32  # DigitalOcean: 2 to 32 characters
UNLOCK_LIMIT = timedelta(days=1)
"""A moment further away unlocks nothing: an unlocking that nobody remembers would be none."""
GENERATION_SUFFIX = 10  # "-g999-r999": generation and revision, kept free at the end of the app's name

Hostname = Annotated[
    str, Field(max_length=253, pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$")
]
Identifier = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{8,64}$")]
ScriptName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
Email = Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]
# A hand-written YAML date arrives as a date, one from the engine as text.
IsoDate = Annotated[str, BeforeValidator(str), Field(pattern=r"^20\d\d-[01]\d-[0-3]\d$")]
VariableName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Moment = Annotated[AwareDatetime, AfterValidator(lambda value: value.astimezone(UTC))]


EMPTY: tuple[Any, ...] = ("", {})
"""The defaults in Pulumi.yaml of what has none: no value at all."""

Fingerprint = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class SettingsError(Exception):
    """Configuration that cannot be used; the text names every key, the consequence and the command that mends it."""


def _age_key(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if not re.fullmatch(r"AGE-SECRET-KEY-1[0-9A-Z]{58}", text) and text != PLACEHOLDER:
        raise ValueError("should be a key as `oracle backups --new-key` makes it")
    return value


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)


class ImageSettings(Section):
    """The backend's release: either a digest in a registry, or a directory that is packed and pushed to an image
    store.
    """

    registry_type: Literal["DOCR", "DOCKER_HUB", "GHCR"] = "DOCR"
    registry: str | None = None
    repository: str = Field(min_length=1)
    digest: str | None = Field(default=None, pattern=r"^sha256:[0-9a-f]{64}$")
    path: str | None = None
    run: tuple[str, ...] = ("./entrypoint.sh",)
    store: str | None = Field(default=None, pattern=r"^https?://")

    @model_validator(mode="after")
    def _one_source(self) -> ImageSettings:
        if (self.digest is None) == (self.path is None):
            raise ValueError("needs either a digest or a path")
        if self.path is not None and self.store is None:
            raise ValueError("has a path and needs the store it is pushed to")
        return self


class AdoptedApp(Section):
    """An app made by hand, taken over as it runs: its id, and that of the deployment that serves."""

    app: Identifier
    deployment: Identifier


class AdoptedWorker(Section):
    """A Worker made by hand, taken over as it runs: the version that has the traffic, and its custom domain's id."""

    version: Identifier
    domain: Identifier | None = None


class BackendSettings(Section):
    """The App Platform app that runs PocketBase."""

    app_name: str = Field(pattern=rf"^[a-z][a-z0-9-]{{0,{APP_NAME_LIMIT - GENERATION_SUFFIX - 2}}}[a-z0-9]$")
    service: str = Field(pattern=r"^[a-z][a-z0-9-]{0,30}[a-z0-9]$")
    image: ImageSettings
    path: str | None = None
    build: str | None = None
    region: str = Field(default="sgp", min_length=3)
    size: str = "basic-xxs"
    instances: int = Field(default=1, ge=1, le=1)  # SQLite on an ephemeral disk: two containers would be two databases
    port: int = Field(default=8090, ge=1, le=65535)
    health_path: str = Field(default="/api/health", pattern=r"^/")
    console: str = Field(default="./oracle-universe superuser upsert", min_length=1)
    env: Mapping[VariableName, str] = {}
    create_timeout: str = Field(default="30m", pattern=r"^\d+[smh]$")
    adopted: AdoptedApp | None = None
    """Until its first release from here, which takes this key away, it is left as it was made by hand."""


class DomainSettings(Section):
    hostname: Hostname
    zone_id: str = Field(pattern=r"^[0-9a-f]{32}$")


class WorkerSettings(Section):
    """What every Worker has: its script's name, its sources and where it answers."""

    script: ScriptName
    path: str
    build: str | None = None
    compatibility_date: IsoDate
    compatibility_flags: tuple[str, ...] = ()
    workers_dev: bool = True
    domain: DomainSettings | None = None
    adopted: AdoptedWorker | None = None
    """Until its first release from here, which takes this key away, it is left as it was made by hand."""

    @model_validator(mode="after")
    def _reachable(self) -> WorkerSettings:
        if not self.workers_dev and self.domain is None:
            raise ValueError("has neither workersDev nor a domain, so nobody could reach it")
        if self.adopted and (self.adopted.domain is None) is not (self.domain is None):
            raise ValueError("has a domain, or was adopted with one, and not both; adopt it again: oracle adopt STACK")
        return self


class ModuleSettings(WorkerSettings):
    """A Worker made of one bundled module: `entry`, below `path`."""

    entry: str = Field(min_length=1)


class AssetsSettings(WorkerSettings):
    """A Worker that serves the static files of `assets`, a directory below `path`."""

    assets: str = Field(min_length=1)
    not_found: Literal["single-page-application", "404-page", "none"] = "single-page-application"


class MonitoringSettings(Section):
    emails: tuple[Email, ...] = Field(min_length=1)
    regions: tuple[Literal["us_east", "us_west", "eu_west", "se_asia"], ...] = ("us_east", "eu_west", "se_asia")
    latency_ms: int = Field(default=2000, ge=50)


class BackupSettings(Section):
    """Where backups and the ledger are kept, and for how long. Credentials of a bucket come from the environment."""

    store: str = Field(default="folder:.oracle/backups", pattern=r"^(folder:.+|s3://[a-z0-9][a-z0-9.-]+(/.*)?)$")
    endpoint: str | None = Field(default=None, pattern=r"^https?://")
    region: str | None = None
    keep_count: int | None = Field(default=30, ge=1)
    keep_days: int | None = Field(default=None, ge=1)


class ModuleDigests(Section):
    api: Fingerprint
    web: Fingerprint
    universe: Fingerprint


class AssetDigests(Section):
    web: Fingerprint
    universe: Fingerprint


class ReceiptSettings(Section):
    """Which bytes the stack deploys, and no others; `oracle promote` writes it."""

    backend: str = Field(pattern=r"^sha256:[0-9a-f]{64}$")
    workers: ModuleDigests
    assets: AssetDigests
    commits: Mapping[str, str] = {}


class Settings(Section):
    """One stack's whole configuration."""

    generation: int = Field(default=1, ge=1, le=999)
    replacement: int = Field(default=1, ge=1, le=999)
    restart: int = Field(default=0, ge=0)
    restore_from: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]+$")
    data: Literal["carry", "ephemeral"] = "carry"
    drain_seconds: float = Field(default=5, ge=0, le=600)
    hold_seconds: int = Field(default=900, ge=30, le=7200)
    backup: BackupSettings = BackupSettings()
    backup_key: Annotated[SecretStr, AfterValidator(_age_key)] | None = None
    protect: bool = False
    unlocked_until: Moment | None = None
    admin_email: Email
    admin_password: SecretStr | None = Field(default=None, min_length=10)
    admin_password_version: int = Field(default=1, ge=1)
    github_token: SecretStr | None = Field(default=None, min_length=1)
    account_id: str = Field(pattern=r"^[0-9a-f]{32}$")
    workers_url: str = Field(pattern=r"^https?://\{script\}\.[a-z0-9.-]+(:\d+)?$")
    backend: BackendSettings
    backend_secrets: Mapping[VariableName, SecretStr] = {}
    api: ModuleSettings
    web: AssetsSettings
    universe: AssetsSettings
    monitoring: MonitoringSettings | None = None
    receipt: ReceiptSettings | None = None
    keep_releases: int = Field(default=10, ge=2, le=1000)

    @model_validator(mode="after")
    def _distinct(self) -> Settings:
        scripts = [worker.script for worker in self.workers.values()]
        if len(set(scripts)) < len(scripts):
            raise ValueError("two Workers have the same script name, so one would overwrite the other")
        return self

    @model_validator(mode="after")
    def _variables(self) -> Settings:
        for name in (*OURS, *self.backend.env):
            if name in self.backend_secrets or (name in OURS and name in self.backend.env):
                raise ValueError(f"{name} is a variable of the backend twice; only one of its values would reach it")
        return self

    @model_validator(mode="after")
    def _one_thing_at_a_time(self) -> Settings:
        other = (self.generation, self.replacement, self.restart, self.restore_from) != (1, 1, 0, None)
        if self.backend.adopted and other:
            raise ValueError(
                "generation, replacement, restart and restoreFrom are for a backend that was released from here, and "
                "this one is still as it was adopted; release it first: oracle deploy backend"
            )
        if self.receipt and self.adopted:
            raise ValueError(
                f"a receipt names the bytes of every service, and {', '.join(self.adopted)} still run as they were "
                "made by hand; release them first: oracle deploy"
            )
        return self

    @property
    def adopted(self) -> tuple[str, ...]:
        """The services that still run as they were made by hand."""
        found = {"backend": self.backend.adopted, **{name: each.adopted for name, each in self.workers.items()}}
        return tuple(name for name, adopted in found.items() if adopted)

    @property
    def locked(self) -> bool:
        """Whether nothing that serves may be deleted now. Only this machine's clock says when an unlocking ends."""
        now = datetime.now(UTC)
        unlocked = self.unlocked_until is not None and now < self.unlocked_until <= now + UNLOCK_LIMIT
        return self.protect and not unlocked

    @property
    def secret_variables(self) -> dict[str, str]:
        """The backend's own secret variables in plain text; give them to `pulumi.Output.secret` only."""
        return {name: value.get_secret_value() for name, value in self.backend_secrets.items()}

    @property
    def workers(self) -> dict[str, ModuleSettings | AssetsSettings]:
        """The Workers by service name, in the order in which they are shown."""
        return {"api": self.api, "web": self.web, "universe": self.universe}


# What goes wrong without the key; a section's own keys fall back on their section.
CONSEQUENCES = {
    "generation": "the backend's generation would be unknown",
    "replacement": "it would be unknown which app runs the backend",
    "restart": "it would be unknown whether the backend gets an empty disk",
    "restoreFrom": "it would be unknown which data the backend starts with",
    "data": "it would be unknown whether a release keeps its data",
    "drainSeconds": "the old backend could be deleted while requests still run",
    "holdSeconds": "writes could be lost while the data is carried",
    "backup": "the backend's data could not be backed up",
    "backupKey": "backups could not be encrypted",
    "protect": "it would be unknown whether the stack may be destroyed",
    "unlockedUntil": "it would be unknown whether the stack may be destroyed",
    "adminEmail": "the backend would have no admin",
    "adminPassword": "nobody could log in to the backend",
    "adminPasswordVersion": "the admin's password could not be renewed",
    "githubToken": "the API could not reach GitHub",
    "accountId": "no Worker could be uploaded",
    "workersUrl": "the Workers' addresses would be unknown",
    "backend": "the backend could not be deployed",
    "backendSecrets": "the backend would lack one of its variables",
    "api": "the API could not be deployed",
    "web": "the web front end could not be deployed",
    "universe": "the universe front end could not be deployed",
    "monitoring": "nobody would be told of an outage",
    "receipt": "it would be unknown which bytes the stack may deploy",
    "keepReleases": "it would be unknown which releases can be gone back to",
}
EXAMPLES = {
    "generation": "1",
    "replacement": "1",
    "restart": "0",
    "restoreFrom": "BACKUP",
    "data": "carry",
    "drainSeconds": "5",
    "holdSeconds": "900",
    "protect": "true",
    "unlockedUntil": "2026-01-31T22:00:00Z",
    "store": "s3://BUCKET/PREFIX",
    "adminEmail": "admin@example.org",
    "accountId": "<32 hex digits from the Cloudflare dashboard>",
    "workersUrl": "'https://{script}.<account>.workers.dev'",
    "appName": "jellyfish-app",
    "service": "oracle-universe-backend",
    "script": "oracle-net",
    "hostname": "oraclenet.org",
    "healthPath": "/api/health",
    "createTimeout": "30m",
    "compatibilityDate": "2025-06-01",
    "digest": "sha256:<64 hex digits>",
    "zoneId": "<32 hex digits>",
    "keepReleases": "10",
}
# Of an app's 32 characters some stay free for its generation.
NAME_LENGTH = f"2 to {APP_NAME_LIMIT - GENERATION_SUFFIX} characters"
# What a pattern asks for, in words, by the key's last part.
FORMS = {
    "adminEmail": "an e-mail address",
    "emails": "e-mail addresses",
    "accountId": "32 hexadecimal digits",
    "zoneId": "32 hexadecimal digits",
    "workersUrl": "the Workers' address with {script} for a script's name",
    "appName": f"{NAME_LENGTH}, lower-case letters, digits and dashes, with a letter first",
    "service": "2 to 32 characters, lower-case letters, digits and dashes, with a letter first",
    "script": "1 to 63 lower-case letters, digits and dashes",
    "hostname": "a host name such as oraclenet.org",
    "compatibilityDate": "a date such as 2025-06-01",
    "digest": "sha256: and 64 hexadecimal digits",
    "store": "an http or https address for images; folder:PATH or s3://BUCKET/PREFIX for backups",
    "restoreFrom": "a backup's name as `oracle backups` shows it",
    "endpoint": "an http or https address",
    "healthPath": "a path that starts with /",
    "createTimeout": "a number with s, m or h behind it",
}


def load() -> Settings:
    """The running program's settings. Raises pulumi.RunError, which the engine shows as its text alone."""
    from pulumi import RunError
    from pulumi.runtime import config as engine_config

    raw = {**engine_config.get_config_env(), **engine_config.CONFIG.get()}
    prefix = f"{PROJECT}:"
    values = _given({key.removeprefix(prefix): _decoded(value) for key, value in raw.items() if key.startswith(prefix)})
    plain = [key for key in SECRET_KEYS if key in values and not _is_secret(prefix + key)]
    try:
        return parse(values, plain_secrets=plain)
    except SettingsError as error:
        raise RunError(str(error)) from None


def from_file(path: Path) -> Settings:
    """The settings in a `Pulumi.<stack>.yaml`; encrypted values become placeholders. Raises SettingsError."""
    try:
        document = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        raise SettingsError(f"{path.name} does not exist; `ls Pulumi.*.yaml` shows the stacks there are.") from None
    except yaml.YAMLError as error:
        raise SettingsError(
            f"{path.name} is not YAML: {' '.join(str(error).split())}. Edit it, then try again."
        ) from None
    config = document.get("config") if isinstance(document, dict) else None
    prefix = f"{PROJECT}:"
    values = _given({k.removeprefix(prefix): v for k, v in (config or {}).items() if str(k).startswith(prefix)})
    plain = [key for key in SECRET_KEYS if key in values and not _all_encrypted(values[key])]
    return parse(_hidden(values), plain_secrets=plain)


def parse(values: Mapping[str, Any], plain_secrets: list[str] | None = None) -> Settings:
    """Settings from decoded values by key without the project's prefix. Raises SettingsError with every problem
    found.
    """
    problems = [_plain_secret(key) for key in sorted(plain_secrets or [])]
    filled = {"accountId": os.environ.get("CLOUDFLARE_ACCOUNT_ID"), **values}
    if filled["accountId"] is None:
        del filled["accountId"]
    try:
        settings = Settings.model_validate(filled)
    except ValidationError as error:
        problems += list(_problems(error))
        raise SettingsError("\n".join(problems)) from None
    if problems:
        raise SettingsError("\n".join(problems))
    return settings


def digitalocean_endpoint() -> str:
    """The origin of DigitalOcean's API for the running stack, as its provider has it."""
    from pulumi import Config

    return Config("digitalocean").get("apiEndpoint") or DIGITALOCEAN


def cloudflare_endpoint() -> str:
    """Cloudflare's API for the running stack, with its whole prefix, as its provider has it."""
    from pulumi import Config

    return Config("cloudflare").get("baseUrl") or CLOUDFLARE


def revealed(value: SecretStr | None) -> str | None:
    """The text of a secret setting; give it to `pulumi.Output.secret` only."""
    return value.get_secret_value() if value else None


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value not in EMPTY}


def _decoded(value: Any) -> Any:
    """Sections arrive from the engine as JSON text; everything else as it is."""
    if isinstance(value, str) and value[:1] in "{[":
        try:
            return json.loads(value)
        except json.JSONDecodeError:
            return value
    return value


def _encrypted(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == {"secure"}


def _all_encrypted(value: Any) -> bool:
    if isinstance(value, dict) and not _encrypted(value):
        return all(map(_all_encrypted, value.values()))
    return _encrypted(value)


def _hidden(value: Any) -> Any:
    """The value with a placeholder for each encrypted part."""
    if _encrypted(value):
        return PLACEHOLDER
    return {key: _hidden(part) for key, part in value.items()} if isinstance(value, dict) else value


def _is_secret(key: str) -> bool:
    from pulumi.runtime import config as engine_config

    return engine_config.is_config_secret(key) or key in engine_config.get_config_secret_keys_env()


def _plain_secret(key: str) -> str:
    return (
        f"{PROJECT}:{key} is stored in plain text, so that everybody who reads the repository knows it. "
        f"Mend it: pulumi config set --secret {_secret_key(key)}"
    )


def _secret_key(key: str) -> str:
    return f"--path {PROJECT}:{key}.NAME" if key == "backendSecrets" else f"{PROJECT}:{key}"


def _problems(error: ValidationError) -> Iterator[str]:
    found = error.errors(include_input=False, include_url=False)
    keys = [_key(problem["loc"]) for problem in found]
    for key, problem in zip(keys, found, strict=True):
        if any(other != key and other.startswith(f"{key}[") for other in keys):
            continue  # a list is only said to be too short because of what is wrong inside it
        if problem["type"] == "extra_forbidden":
            remedy = f"pulumi config rm {_path_flag(key)}{PROJECT}:{key}"
            yield f"{PROJECT}:{key} is not a key this program knows{_nearest(key)}. Mend it: {remedy}"
        else:
            yield _problem(key, problem["type"], problem["msg"])


def _problem(key: str, kind: str, message: str) -> str:
    top = re.split(r"[.\[]", key)[0]
    consequence = CONSEQUENCES.get(top, "the stack could not be deployed")
    last = re.sub(r"\[\d+\]$", "", key.split(".")[-1])
    what = "is missing" if kind == "missing" else _plain(message)
    if kind == "string_pattern_mismatch" and last in FORMS:
        what = f"should be {FORMS[last]}"
    if top == "receipt":
        return f"{PROJECT}:{key} {what}; {consequence}. Commands write it, not people: oracle promote FROM TO"
    example = EXAMPLES.get(last, "VALUE")
    secret = "--secret " if top in SECRET_KEYS else ""
    command = f"pulumi config set {secret}{_path_flag(key)}{PROJECT}:{key} {'' if secret else example}".rstrip()
    return f"{PROJECT}:{key} {what}; {consequence}. Mend it: {command}" if key else f"Configuration: {what}."


def _plain(message: str) -> str:
    """Pydantic's message as the end of a sentence that starts with the key."""
    own = message.removeprefix("Value error, ")
    if own != message:
        return own
    shape = re.sub(r"^String should match pattern '(.*)'$", r"does not have the form \1", message)
    return shape if shape != message else re.sub(r"^(Input|String|Value|Tuple) should", "should", message)


def _key(location: tuple[int | str, ...]) -> str:
    """The key as `pulumi config set --path` takes it: `backend.image.path`, `monitoring.emails[0]`."""
    parts = (
        f"[{part}]" if isinstance(part, int) else f".{to_camel(part) if '_' in part and part.islower() else part}"
        for part in location
        if part != "[key]"
    )
    return "".join(parts).removeprefix(".")


def _path_flag(key: str) -> str:
    return "--path " if "." in key or "[" in key else ""


def _nearest(key: str) -> str:
    import difflib

    parents, _, last = key.rpartition(".")
    sections = [each for each in _sections(Section) if each is not Settings] if parents else [Settings]
    names = {to_camel(name) for section in sections for name in section.model_fields}
    near = difflib.get_close_matches(last, sorted(names), n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def _sections(section: type[Section]) -> Iterator[type[Section]]:
    for each in section.__subclasses__():
        yield each
        yield from _sections(each)
