"""A record of the last declared and uploaded Worker, which no refresh overwrites.

A refresh writes the live script into the state: the time and the digest of somebody else's upload then look like the
engine's own. A difference that a refresh found is drift until somebody declares it, so status and drift compare with
this record.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, Resource, UpdateResult
from pulumi.runtime import rpc

from components.bindings import Binding, PlainText
from lifecycle.errors import Hook, Provider

DECLARED = ("script", "bindings")
UPLOAD = ("etag", "modified")
"""Cloudflare's properties of an upload."""


@dataclass
class Uploads:
    """A record whether this update uploaded the script. The engine calls hooks only for steps that it runs."""

    seen: bool = False

    def noted(self, after: Hook | None = None) -> Hook:
        """Return an after-hook of the script, which also calls `after`."""

        async def hook(args: pulumi.ResourceHookArgs) -> None:
            self.seen = True
            if after:
                await after(args)

        return hook


@dataclass(frozen=True, kw_only=True)
class DeclaredWorkerArgs:
    script: pulumi.Input[str]
    """The script's name."""
    bindings: Sequence[Binding]
    """The declared bindings. Only the text of plain bindings is recorded."""
    uploads: Uploads
    """Whether this update uploads the script."""
    etag: pulumi.Output[str]
    """Cloudflare's digest of the upload."""
    modified: pulumi.Output[str]
    """Cloudflare's time of the upload."""


class DeclaredProvider(Provider):
    """Records the declaration and its upload."""

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        declared = any(_olds.get(key) != _news[key] for key in DECLARED)
        return DiffResult(changes=declared or (bool(_news["uploaded"]) and _uploads_differ(_olds, _news)))

    def create(self, props: dict[str, Any]) -> CreateResult:
        return CreateResult(id_=str(props["script"]), outs=_record(props))

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        return UpdateResult(outs=_record(_news))


class DeclaredWorker(Resource, name="DeclaredWorker"):
    """Depends on the script. Changes when the declaration changes or this update uploaded the script; never because of
    a refresh.
    """

    def __init__(self, name: str, args: DeclaredWorkerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        props = {
            "script": args.script,
            "bindings": {each.name: _binding_record(each) for each in args.bindings},
            "etag": args.etag,
            "modified": args.modified,
            "uploaded": args.modified.apply(lambda _: args.uploads.seen),
        }
        super().__init__(DeclaredProvider(), name, props, opts)


def _binding_record(binding: Binding) -> Mapping[str, pulumi.Input[str]]:
    """Return the binding's kind, and its text if it is plain."""
    return {"type": binding.kind} | ({"text": binding.value} if isinstance(binding, PlainText) else {})


def _record(props: dict[str, Any]) -> dict[str, Any]:
    return {key: props[key] for key in (*DECLARED, *UPLOAD)}


def _uploads_differ(olds: dict[str, Any], news: dict[str, Any]) -> bool:
    return news["uploaded"] == rpc.UNKNOWN or any(olds.get(key) != news[key] for key in UPLOAD)
