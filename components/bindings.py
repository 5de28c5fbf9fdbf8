"""What a Worker gets to see at run time: one class for each type of binding; `kind` is Cloudflare's word for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import pulumi


@dataclass(frozen=True, kw_only=True)
class SecretText:
    """A value that Cloudflare never shows again and that the state keeps encrypted."""

    name: str
    value: pulumi.Input[str]
    kind: ClassVar = "secret_text"


@dataclass(frozen=True, kw_only=True)
class PlainText:
    """A value that everybody with access to the account may read: only what is public anyway."""

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
    """Another Worker of the account, by its script's name."""

    name: str
    script: pulumi.Input[str]
    entrypoint: str | None = None
    kind: ClassVar = "service"


@dataclass(frozen=True, kw_only=True)
class Stored:
    """What holds data outside of the Worker. `kind` is Cloudflare's word for it, `id` what it is bound by."""

    name: str
    kind: Literal["kv_namespace", "r2_bucket", "d1", "queue"]
    id: pulumi.Input[str]


@dataclass(frozen=True, kw_only=True)
class DurableObjects:
    """A class of Durable Objects; `script` names the Worker that has it where that is another one."""

    name: str
    class_name: str
    script: pulumi.Input[str] | None = None
    kind: ClassVar = "durable_object_namespace"


Binding = SecretText | PlainText | Assets | Service | Stored | DurableObjects
