"""New versions and settings, derived from uploads and edits. Nothing is started or stored here."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import replace
from typing import Any

from localcloud.cloudflare import bindings, errors, site
from localcloud.cloudflare.blobs import Blobs
from localcloud.cloudflare.models import Part, Script, Site, Version
from localcloud.cloudflare.objects import ObjectNamespace
from localcloud.cloudflare.responses import now
from localcloud.cloudflare.sessions import Sessions
from localcloud.cloudflare.targets import Targets
from localcloud.cloudflare.uploads import Upload, check_date

Json = Any
SCRIPT_SETTINGS = ("logpush", "observability", "tags", "tail_consumers")


class Drafts:
    """Builds versions that have not been loaded yet: without handlers and start-up time."""

    def __init__(self, blobs: Blobs, sessions: Sessions, targets: Targets) -> None:
        self._blobs = blobs
        self._sessions = sessions
        self._targets = targets

    def upload(
        self, name: str, upload: Upload, before: Version | None, namespaces: list[ObjectNamespace], tag: str | None
    ) -> Version:
        """Build the version of an upload, which replaces everything but what it inherits from `before`. Raises
        ApiError.

        `namespaces` and `tag` are those after its migrations.
        """
        metadata = upload.metadata
        bound = bindings.resolve(metadata.get("bindings") or [], metadata.get("keep_bindings"), before)
        bound = with_objects(bound, namespaces)
        self._targets.check(name, bound.bindings)
        found = self._site(name, metadata, before)
        if found is None and any(binding["type"] == "assets" for binding in bound.bindings):
            raise errors.invalid("an assets binding needs assets in the metadata")
        parts = self._parts(upload)
        return Version(
            id=str(uuid.uuid4()),
            script=name,
            number=before.number + 1 if before else 1,
            created_on=now(),
            bindings=bound.bindings,
            secrets=bound.secrets,
            parts=parts,
            main=metadata.get("main_module"),
            classic=upload.classic,
            compatibility_date=metadata.get("compatibility_date") or "",
            compatibility_flags=list(metadata.get("compatibility_flags") or []),
            usage_model=metadata.get("usage_model") or "standard",
            limits=metadata.get("limits") or None,
            placement=metadata.get("placement") or {},
            annotations=_texts(metadata.get("annotations")),
            site=found,
            handlers=[],
            named_handlers=[],
            etag=_etag(parts, found),
            startup_time_ms=0,
            migration_tag=tag,
            source="api",
        )

    def patch(self, before: Version, settings: dict[str, Json]) -> Version:
        """Build a version like `before` with other settings. Raises ApiError."""
        check_date(settings.get("compatibility_date"))
        changed = _next(before, _texts(settings.get("annotations")))
        if "bindings" in settings:
            bound = bindings.resolve(settings["bindings"] or [], settings.get("keep_bindings", []), before)
            self._targets.check(before.script, bound.bindings)
            changed = replace(changed, bindings=bound.bindings, secrets=bound.secrets)
        if settings.get("compatibility_flags") is not None:
            changed = replace(changed, compatibility_flags=list(settings["compatibility_flags"]))
        return replace(
            changed,
            compatibility_date=settings.get("compatibility_date") or before.compatibility_date,
            usage_model=settings.get("usage_model") or before.usage_model,
            limits=settings.get("limits", before.limits) or None,
            placement=settings.get("placement", before.placement) or {},
        )

    def _parts(self, upload: Upload) -> list[Part]:
        return [
            Part(
                name=module.name,
                content_type=module.content_type,
                digest=self._blobs.keep_module(module.content),
                size=len(module.content),
            )
            for module in upload.modules
        ]

    def _site(self, name: str, metadata: dict[str, Json], before: Version | None) -> Site | None:
        assets = metadata.get("assets")
        known = before.site if before else None
        if not assets:
            return known if metadata.get("keep_assets") else None
        if not isinstance(assets, dict):
            raise errors.invalid("assets must be an object")
        config = site.checked(assets.get("config") or {})
        if assets.get("jwt"):
            return Site(manifest=self._sessions.completed(name, assets["jwt"]), config=config)
        if known is None:
            raise errors.invalid("assets need the jwt of a completed upload session")
        return Site(manifest=known.manifest, config=config)


def with_objects(bound: bindings.Bound, namespaces: list[ObjectNamespace]) -> bindings.Bound:
    """Fill in the namespaces of Durable Objects. Raises ApiError 10061 for a class without a namespace."""
    known = {each.class_name: each.id for each in namespaces}
    found = []
    for binding in bound.bindings:
        if binding["type"] == "durable_object_namespace":
            name = binding["class_name"]
            if name not in known:
                why = f"Cannot create binding for class '{name}' because it is not currently configured to implement"
                raise errors.ApiError(400, 10061, f"{why} Durable Objects. Please include a `new_sqlite_classes`.")
            binding = {**binding, "namespace_id": known[name]}
        found.append(binding)
    return replace(bound, bindings=found)


def with_secrets(before: Version, changes: dict[str, str | None]) -> Version:
    """Build a version like `before` with secrets added, replaced or (None) removed. Raises ApiError 10053 or 10056."""
    bound = {binding["name"]: binding for binding in before.bindings}
    secrets = dict(before.secrets)
    for name, value in changes.items():
        known = bound.get(name)
        if value is None:
            if known is None or known["type"] != "secret_text":
                raise errors.no_binding(name)
            del bound[name], secrets[name]
            continue
        if known is not None and known["type"] != "secret_text":
            raise errors.name_taken(name)
        bindings.check_text(name, "secret_text", value)
        bound[name] = {"name": name, "type": "secret_text"}
        secrets[name] = value
    ordered = [bound[name] for name in sorted(bound)]
    return replace(_next(before, {"workers/triggered_by": "secret"}), bindings=ordered, secrets=secrets)


def script_settings(metadata: dict[str, Json], script: Script | None) -> dict[str, Json]:
    """Return the script's settings after an upload: it replaces all of them but the tags."""
    empty: dict[str, Json] = {"logpush": False, "observability": None, "tags": [], "tail_consumers": None}
    tags = {"tags": script.settings["tags"]} if script else {}
    uploaded = {key: metadata[key] for key in SCRIPT_SETTINGS if metadata.get(key) is not None}
    return empty | tags | uploaded


def patched_settings(changes: dict[str, Json], script: Script) -> dict[str, Json]:
    """Return the script's settings after a patch: it changes only the named ones."""
    changed = script.settings | {key: changes[key] for key in SCRIPT_SETTINGS if key in changes}
    return changed | {"logpush": bool(changed["logpush"]), "tags": list(changed["tags"] or [])}


def _next(before: Version, annotations: dict[str, str]) -> Version:
    identifier = str(uuid.uuid4())
    return replace(before, id=identifier, number=before.number + 1, created_on=now(), annotations=annotations)


def _etag(parts: list[Part], site: Site | None) -> str:
    digests = [f"{part.name}\0{part.digest}" for part in parts] + ([site.manifest] if site else [])
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def _texts(found: Json) -> dict[str, str]:
    return {key: str(value) for key, value in (found or {}).items() if value is not None}


def new_script(name: str, moment: str) -> Script:
    """Return a script without a version, with the default settings."""
    return Script(
        name=name,
        tag=uuid.uuid4().hex,
        created_on=moment,
        modified_on=moment,
        settings=script_settings({}, None),
        enabled=False,
        previews_enabled=False,
    )
