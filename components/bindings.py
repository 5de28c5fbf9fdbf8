"""The bindings of a Worker: one class for each type; `kind` is Cloudflare's name of the type."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

import pulumi


@dataclass(frozen=True, kw_only=True)
class SecretText:
    """A value that Cloudflare never shows again. The Worker marks it as a secret, so the state has it encrypted."""

    name: str
    value: pulumi.Input[str] = field(repr=False)
    kind: ClassVar = "secret_text"


@dataclass(frozen=True, kw_only=True)
class PlainText:
    """A value that everybody with access to the account may read. Use it for public values only."""

    name: str
    value: pulumi.Input[str]
    kind: ClassVar = "plain_text"


@dataclass(frozen=True, kw_only=True)
class Assets:
    """The Worker's own static files."""

    name: str = "ASSETS"
    kind: ClassVar = "assets"


@dataclass(frozen=True, kw_only=True)
class Service:
    """Another Worker of the account, by its script name."""

    name: str
    script: pulumi.Input[str]
    entrypoint: str | None = None
    kind: ClassVar = "service"


@dataclass(frozen=True, kw_only=True)
class Stored:
    """A storage resource outside of the Worker. `id` is its id, or its name where Cloudflare binds it by name."""

    name: str
    kind: Literal["kv_namespace", "r2_bucket", "d1", "queue"]
    id: pulumi.Input[str]


@dataclass(frozen=True, kw_only=True)
class DurableObjects:
    """A class of Durable Objects. `script` names the Worker that exports it, if that is another Worker."""

    name: str
    class_name: str
    script: pulumi.Input[str] | None = None
    kind: ClassVar = "durable_object_namespace"


Binding = SecretText | PlainText | Assets | Service | Stored | DurableObjects
