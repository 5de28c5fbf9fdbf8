"""The stored data of a Worker: its script, its versions, its deployments. No HTTP here."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

Json = Any
PRODUCTION = "production"


@dataclass(frozen=True, kw_only=True)
class Part:
    """One uploaded module; its content is a blob named by its digest."""

    name: str
    content_type: str
    digest: str
    size: int


@dataclass(frozen=True, kw_only=True)
class Site:
    """A version's static assets: the digest of its manifest {path: {hash, size}} and its configuration as uploaded."""

    manifest: str
    config: dict[str, Json]


@dataclass(frozen=True, kw_only=True)
class Version:
    """An immutable version. `bindings` never hold a secret's text; `secrets` do, and are sealed in the database."""

    id: str
    script: str
    number: int
    created_on: str
    bindings: list[dict[str, Json]]
    secrets: dict[str, str] = field(repr=False)
    parts: list[Part]
    main: str | None
    classic: bool
    compatibility_date: str
    compatibility_flags: list[str]
    usage_model: str
    limits: dict[str, Json] | None
    placement: dict[str, Json]
    annotations: dict[str, str]
    site: Site | None
    handlers: list[str]
    named_handlers: list[dict[str, Json]]
    etag: str
    startup_time_ms: int
    migration_tag: str | None
    source: str

    def document(self) -> dict[str, Json]:
        """Return all fields but id, script, number, created_on and the secrets, for the database."""
        fields = dataclasses.asdict(self)
        for name in ("id", "script", "number", "created_on", "secrets"):
            del fields[name]
        return fields

    @classmethod
    def of(
        cls, identifier: str, script: str, number: int, created_on: str, document: Json, secrets: dict[str, str]
    ) -> Version:
        """Rebuild a version from its database row."""
        fields = dict(document)
        fields["parts"] = [Part(**part) for part in fields["parts"]]
        fields["site"] = Site(**fields["site"]) if fields["site"] else None
        return cls(id=identifier, script=script, number=number, created_on=created_on, secrets=secrets, **fields)

    def binding(self, name: str) -> dict[str, Json] | None:
        """Return the binding of this name."""
        return next((binding for binding in self.bindings if binding["name"] == name), None)


@dataclass(frozen=True, kw_only=True)
class Script:
    """The part of a Worker that belongs to no version. `settings`: logpush, observability, tail_consumers, tags."""

    name: str
    tag: str
    created_on: str
    modified_on: str
    settings: dict[str, Json]
    enabled: bool
    previews_enabled: bool


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """The traffic shares of versions: [(version id, percentage)]. The newest deployment is in force."""

    id: str
    script: str
    created_on: str
    shares: list[tuple[str, float]]
    annotations: dict[str, str]
    source: str
