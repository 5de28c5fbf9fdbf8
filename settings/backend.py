"""Settings of the backend: the app, its image, its alerts, its replica."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import (
    Field,
    model_validator,
)

from errors import RemoveKey, SetKey
from settings.formats import Identifier, LoopbackHost, VariableName
from settings.section import EDIT, PROJECT, InvalidSetting, Section

APP_NAME_LIMIT = 32  # DigitalOcean: 2 to 32 characters
CONTAINER_RULES = ("CPU_UTILIZATION", "MEM_UTILIZATION", "RESTART_COUNT")
"""Rules of alerts that App Platform stores with a component, not with the app."""
IMAGE_KEY = f"{PROJECT}:backend.image"
IMAGE_SOURCES = {
    "digest": SetKey(f"{IMAGE_KEY}.digest", "sha256:DIGEST"),
    "build": SetKey(f"{IMAGE_KEY}.build.dockerfile", "Dockerfile"),
    "path": SetKey(f"{IMAGE_KEY}.path", "DIRECTORY"),
}
"""The keys of `backend.image` that name its source, and how to set each."""
GENERATION_SUFFIX = 10  # "-g999-r999": reserved at the end of the app's name for generation and revision


class BuildSettings(Section):
    """The build of the backend's image. `context` is relative to `backend.path`, `dockerfile` to the context.

    Values in `args` are not secret: the image's history contains them.
    """

    context: str = "."
    dockerfile: str = "Dockerfile"
    target: str | None = Field(default=None, min_length=1)
    args: Mapping[VariableName, str] = {}


class ImageSettings(Section):
    """The backend's image: a digest in a registry, a Dockerfile whose image is built and pushed there, or a directory
    that is packed and pushed to an image store.

    `host` is a registry on this machine, used in place of that of `registry_type`: the local cloud reads images there.
    """

    registry_type: Literal["DOCR", "DOCKER_HUB", "GHCR"] = "DOCR"
    host: LoopbackHost | None = None
    registry: str | None = None
    repository: str = Field(min_length=1)
    digest: str | None = Field(default=None, pattern=r"^sha256:[0-9a-f]{64}$")
    build: BuildSettings | None = None
    path: str | None = None
    run: tuple[str, ...] = ("./entrypoint.sh",)
    store: str | None = Field(default=None, pattern=r"^https?://")

    @model_validator(mode="after")
    def _one_source(self) -> ImageSettings:
        sources = [name for name in IMAGE_SOURCES if getattr(self, name) is not None]
        if not sources:
            raise InvalidSetting("needs one of digest, build and path", *IMAGE_SOURCES.values())
        if len(sources) > 1:
            surplus = (RemoveKey(f"{IMAGE_KEY}.{name}") for name in sources)
            raise InvalidSetting(f"needs one of digest, build and path, and has {' and '.join(sources)}", *surplus)
        if self.build is not None and self.registry_type != "DOCR" and self.host is None and self.registry is None:
            raise InvalidSetting(
                f"is pushed to {self.registry_type} and needs its namespace there, which is the registry",
                SetKey(f"{IMAGE_KEY}.registry", "NAMESPACE"),
            )
        if self.path is not None and self.store is None:
            raise InvalidSetting(
                "has a path and needs the store that it is pushed to", SetKey(f"{IMAGE_KEY}.store", "URL")
            )
        return self

    @property
    def is_packed(self) -> bool:
        """True if the image is packed from a directory, and stored in the release archive; else a registry has it."""
        return self.path is not None

    @property
    def declared_registry(self) -> str | None:
        """The registry in the app's spec; None for DigitalOcean's own, which is the account's."""
        if self.host is not None:
            return "/".join(part for part in (self.host, self.registry) if part)
        return None if self.registry_type == "DOCR" else self.registry


class AdoptedApp(Section):
    """An adopted app: its id, and the id of the active deployment."""

    app: Identifier
    deployment: Identifier


class ReplicaSettings(Section):
    """Litestream in the backend's image, which copies the running database to a bucket."""

    config: str = Field(pattern=r"^[A-Za-z0-9._/-]+$")
    """Litestream's configuration file in the image: absolute, or relative to the image's working directory."""
    command: str = Field(default="./entrypoint.sh", min_length=1)
    """The image's command: one program and its arguments."""


class AlertSettings(Section):
    """An alert of the app: DigitalOcean mails the team when its rule is met.

    Rules of the app (deployments, domains) have no threshold. Rules of its container have one: `operator`, `value` and
    `window`. DigitalOcean has a place for each kind in the spec (godo's AppAlertSpecRule).
    """

    rule: Literal[
        "DEPLOYMENT_FAILED",
        "DEPLOYMENT_LIVE",
        "DEPLOYMENT_STARTED",
        "DEPLOYMENT_CANCELED",
        "DOMAIN_FAILED",
        "DOMAIN_LIVE",
        "AUTOSCALE_FAILED",
        "AUTOSCALE_SUCCEEDED",
        "CPU_UTILIZATION",
        "MEM_UTILIZATION",
        "RESTART_COUNT",
    ]
    operator: Literal["GREATER_THAN", "LESS_THAN"] | None = None
    value: float | None = Field(default=None, gt=0)  # 0 is not sent, and then the API's answer differs
    window: Literal["FIVE_MINUTES", "TEN_MINUTES", "THIRTY_MINUTES", "ONE_HOUR"] | None = None
    disabled: bool = False

    @property
    def of_container(self) -> bool:
        """True if the rule belongs to the service, not to the app."""
        return self.rule in CONTAINER_RULES

    @model_validator(mode="after")
    def _threshold(self) -> AlertSettings:
        thresholds = [each is not None for each in (self.operator, self.value, self.window)]
        if self.of_container and not all(thresholds):
            raise InvalidSetting(f"has the rule {self.rule}, which needs operator, value and window", EDIT)
        if not self.of_container and any(thresholds):
            raise InvalidSetting(f"has the rule {self.rule}, which takes no operator, value or window", EDIT)
        return self


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
    replica: ReplicaSettings | None = None
    alerts: tuple[AlertSettings, ...] = ()
    create_timeout: str = Field(default="30m", pattern=r"^\d+[smh]$")
    adopted: AdoptedApp | None = None
    """Set until the app's first release, which removes this key. Until then the app is not changed."""

    @model_validator(mode="after")
    def _buildable(self) -> BackendSettings:
        if self.image.build is not None and self.path is None:
            raise InvalidSetting(
                "has an image.build and needs the path of the checkout that it is built from",
                SetKey(f"{PROJECT}:backend.path", "DIRECTORY"),
            )
        return self
