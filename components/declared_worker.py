"""A Worker as the program last declared and uploaded it, kept where no refresh writes.

A refresh takes what it finds for the state of the script: the time and the digest of somebody else's upload then look
like the engine's own. What a refresh found is drift until somebody declares it, so status and drift go by this record.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi.dynamic import ConfigureRequest, CreateResult, DiffResult, Resource, ResourceProvider, UpdateResult
from pulumi.runtime import rpc

from components.bindings import Binding, PlainText
from lifecycle.errors import Hook, show_errors_as_text

DECLARED = ("script", "bindings")
UPLOAD = ("etag", "modified")
"""What Cloudflare says of an upload."""


@dataclass
class Uploads:
    """Whether this update has uploaded the script: the engine calls the hooks of a step that it really took."""

    seen: bool = False

    def noted(self, after: Hook | None = None) -> Hook:
        """An after-hook of the script, which calls `after` too."""

        async def hook(args: pulumi.ResourceHookArgs) -> None:
            self.seen = True
            if after:
                await after(args)

        return hook


class DeclaredProvider(ResourceProvider):
    """Writes down what was declared, and the upload that carried it out."""

    serialize_as_secret_always = False

    def configure(self, _req: ConfigureRequest) -> None:
        show_errors_as_text()

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        declared = any(_olds.get(key) != _news[key] for key in DECLARED)
        return DiffResult(changes=declared or (bool(_news["uploaded"]) and _uploads_differ(_olds, _news)))

    def create(self, props: dict[str, Any]) -> CreateResult:
        return CreateResult(id_=str(props["script"]), outs=_kept(props))

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        return UpdateResult(outs=_kept(_news))


class DeclaredWorker(Resource, name="DeclaredWorker"):
    """Comes after the script. It is written anew when another script is declared, or when this update has uploaded
    one; never for what a refresh has found.
    """

    def __init__(
        self,
        name: str,
        script: pulumi.Input[str],
        bindings: Sequence[Binding],
        uploads: Uploads,
        etag: pulumi.Output[str],
        modified: pulumi.Output[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props = {
            "script": script,
            "bindings": {each.name: _shown(each) for each in bindings},
            "etag": etag,
            "modified": modified,
            "uploaded": modified.apply(lambda _: uploads.seen),
        }
        super().__init__(DeclaredProvider(), name, props, opts)


def _shown(binding: Binding) -> Mapping[str, pulumi.Input[str]]:
    """Its kind, and the text of a plain one."""
    return {"type": binding.kind} | ({"text": binding.value} if isinstance(binding, PlainText) else {})


def _kept(props: dict[str, Any]) -> dict[str, Any]:
    return {key: props[key] for key in (*DECLARED, *UPLOAD)}


def _uploads_differ(olds: dict[str, Any], news: dict[str, Any]) -> bool:
    return news["uploaded"] == rpc.UNKNOWN or any(olds.get(key) != news[key] for key in UPLOAD)
