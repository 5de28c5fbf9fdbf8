"""A version's bindings: checked at the upload, split into public fields and secrets, and mapped to workerd's form."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from localcloud.cloudflare.errors import ApiError, invalid, name_taken
from localcloud.cloudflare.models import Version

Json = Any
LARGEST_TEXT = 5 * 1024
MOST_TEXTS = 128
NAME = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
REQUIRED = {
    "plain_text": ("text",),
    "secret_text": ("text",),
    "json": ("json",),
    "service": ("service",),
    "kv_namespace": ("namespace_id",),
    "r2_bucket": ("bucket_name",),
    "d1": ("id",),
    "queue": ("queue_name",),
    "durable_object_namespace": ("class_name",),
    "assets": (),
    "version_metadata": (),
}
STORAGE = {
    "kv_namespace": ("kv", "namespace_id"),
    "r2_bucket": ("r2", "bucket_name"),
    "d1": ("d1", "id"),
    "queue": ("queue", "queue_name"),
}
"""The kinds of bindings to the edge's storage: the storage's name of the kind, and the field with the id."""


@dataclass(frozen=True, kw_only=True)
class Bound:
    """`bindings` as the API shows them, sorted by name; `secrets` by name, never shown."""

    bindings: list[dict[str, Json]]
    secrets: dict[str, str] = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """The bindings in workerd's form."""

    texts: dict[str, str]
    secrets: dict[str, str] = field(repr=False)
    json: dict[str, Json]
    services: dict[str, str]
    storage: dict[str, tuple[str, str]]
    objects: dict[str, str]
    assets: str | None


def resolve(given: Json, keep: Json, before: Version | None) -> Bound:
    """Resolve the bindings of an upload: its own, then those of `before` whose type is in `keep`.

    An `inherit` takes over the binding of the same name (or of `old_name`). Without `keep`, an upload that declares no
    secret keeps all secrets, so that a deploy by wrangler does not lose them; an upload that declares some has exactly
    those (Cloudflare's documentation: secrets persist between deploys; terraform-provider-cloudflare 5892). Raises
    ApiError.
    """
    if not isinstance(given, list):
        raise invalid("bindings must be a list")
    found: dict[str, dict[str, Json]] = {}
    secrets: dict[str, str] = {}
    for binding in given:
        name = _name(binding)
        if name in found:
            raise name_taken(name)
        _take(binding, name, before, found, secrets)
    kept_types = {"secret_text"} if keep is None and not secrets else set(keep or ())
    for binding in before.bindings if before else ():
        if binding["type"] in kept_types and binding["name"] not in found:
            _copy(binding, binding["name"], before, found, secrets)
    _count(found.values())
    return Bound(bindings=[found[name] for name in sorted(found)], secrets=secrets)


def _name(binding: Json) -> str:
    name = binding.get("name") if isinstance(binding, dict) else None
    if not isinstance(name, str) or not name:
        raise ApiError(400, 10052, "A binding is uploaded without a name.")
    if not NAME.fullmatch(name):
        raise invalid(f"binding name {name!r} must be a JavaScript identifier")
    return name


def _take(
    binding: dict[str, Json],
    name: str,
    before: Version | None,
    found: dict[str, dict[str, Json]],
    secrets: dict[str, str],
) -> None:
    kind = binding.get("type")
    if kind == "inherit":
        old = before.binding(binding.get("old_name") or name) if before else None
        if old is not None:
            _copy(old, name, before, found, secrets)
        else:
            message = f"inherit binding '{name}' is invalid: the previous version has none of that name"
            raise ApiError(400, 10057, message)
        return
    if kind == "d1" and "id" not in binding and "database_id" in binding:
        binding = {**binding, "id": binding["database_id"]}  # the newer name of the same field
    _check(binding, name, kind)
    found[name] = {key: value for key, value in binding.items() if kind != "secret_text" or key != "text"}
    if kind == "secret_text":
        secrets[name] = binding["text"]


def _copy(
    old: dict[str, Json],
    name: str,
    before: Version | None,
    found: dict[str, dict[str, Json]],
    secrets: dict[str, str],
) -> None:
    found[name] = {**old, "name": name}
    if before and old["name"] in before.secrets:
        secrets[name] = before.secrets[old["name"]]


def _check(binding: dict[str, Json], name: str, kind: Json) -> None:
    if kind not in REQUIRED:
        known = ", ".join(sorted([*REQUIRED, "inherit"]))
        raise invalid(f"binding {name} of type {kind} is not supported here; supported are {known}")
    for key in REQUIRED[kind]:
        if key not in binding:
            raise invalid(f"binding {name} of type {kind} must have a valid `{key}` specified")
    if kind in ("plain_text", "secret_text"):
        check_text(name, kind, binding["text"])
    if kind == "durable_object_namespace" and binding.get("script_name"):
        raise invalid(f"binding {name}: Durable Objects of another Worker are not supported here")
    if kind == "service" and binding.get("entrypoint"):
        raise invalid(f"binding {name} of type service: named entrypoints are not supported here")


def check_text(name: str, kind: str, text: Json) -> None:
    """Check a text binding's text. Raises ApiError when it is missing or too long."""
    if not isinstance(text, str):
        raise invalid(f"binding {name} of type {kind} must have a valid `text` specified")
    if len(text.encode()) > LARGEST_TEXT:
        raise ApiError(400, 10054, f"Text binding '{name}' exceeds the size limit of 5 KB.")


def _count(bindings: Iterable[dict[str, Json]]) -> None:
    if sum(binding["type"] in ("plain_text", "secret_text", "json") for binding in bindings) > MOST_TEXTS:
        message = f"The number of environment variables and secrets exceeds the limit of {MOST_TEXTS} for each Worker."
        raise ApiError(400, 10055, message)


def runtime(version: Version) -> Runtime:
    """Return the bindings of a version in workerd's form."""
    made = Runtime(texts={}, secrets=dict(version.secrets), json={}, services={}, storage={}, objects={}, assets=None)
    assets: str | None = None
    for binding in version.bindings:
        name, kind = binding["name"], binding["type"]
        if kind == "plain_text":
            made.texts[name] = binding["text"]
        elif kind == "json":
            made.json[name] = binding["json"]
        elif kind == "service":
            made.services[name] = binding["service"]
        elif kind == "durable_object_namespace":
            made.objects[name] = binding["class_name"]
        elif kind in STORAGE:
            place, key = STORAGE[kind]
            made.storage[name] = (place, binding[key])
        elif kind == "version_metadata":
            tag = version.annotations.get("workers/tag", "")
            made.json[name] = {"id": version.id, "tag": tag, "timestamp": version.created_on}
        elif kind == "assets":
            assets = name
    return replace(made, assets=assets)
