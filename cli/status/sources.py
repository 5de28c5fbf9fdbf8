"""The repository that App Platform builds the app from, if the app was made or changed by hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from clients.app_platform import Source, component


def note(app: Mapping[str, Any], service: str) -> str | None:
    """Return a sentence about the repository and commit of an adopted app. None if the app runs an image."""
    active = app.get("active_deployment") or {}
    source = _source(active.get("spec") or app.get("spec") or {}, service)
    if source is None or not source.built:
        return None
    commit = str(component(active, service).get("source_commit_hash") or "")[:7]
    at = f" at commit {commit}" if commit else ""
    return (
        f"{app['spec']['name']} is built from {source}{at}, by App Platform. Its first release from here runs an image."
    )


def pushes(app: Mapping[str, Any], service: str) -> Iterator[str]:
    """Yield a difference if a push would deploy an adopted app."""
    source = _source(app.get("spec") or {}, service)
    if source and source.deployed_on_push:
        yield f"a push to {source} deploys it (deploy_on_push), which empties its disk"


def rebuilt(spec: Mapping[str, Any], service: str, image: str) -> Iterator[str]:
    """Yield a difference if a released app no longer runs its image."""
    source = _source(spec, service)
    if source and source.built:
        yield f"it is built from {source}, and not from its image {image}"


def _source(spec: Mapping[str, Any], service: str) -> Source | None:
    return Source.of(component(spec, service))
