"""What this run would deploy: the image, the modules and the assets, read once, and the receipt that names them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pulumi

from artifacts import (
    ArtifactError,
    AssetSet,
    image_digest,
    module_digest,
    pack_image,
    read_module,
    source_commit,
    stage_assets,
)
from components.front import with_front
from contract import Release
from settings import AssetsSettings, BackendSettings, Settings

STATIC_MODULE = Path(__file__).with_name("static_worker.js")
STAGE = ".oracle/stage"


@dataclass(frozen=True, kw_only=True)
class Sources:
    digest: str
    """The backend image's."""
    api: str
    static: str
    web: AssetSet
    universe: AssetSet
    release: Release


def read_sources(settings: Settings, project: Path) -> Sources:
    """Reads and stages every source. Raises pulumi.RunError with one sentence when one is missing or too large."""
    try:
        return _read(settings, project)
    except ArtifactError as error:
        raise pulumi.RunError(str(error)) from None


def _read(settings: Settings, project: Path) -> Sources:
    digest = _digest(settings.backend, project)
    api = with_front(read_module(project / settings.api.path / settings.api.entry))
    static = read_module(STATIC_MODULE)
    web, universe = (_assets(worker, project) for worker in (settings.web, settings.universe))
    modules = {"api": module_digest(api), "web": module_digest(static), "universe": module_digest(static)}
    assets = {"web": web.digest, "universe": universe.digest}
    return Sources(
        digest=digest,
        api=api,
        static=static,
        web=web,
        universe=universe,
        release=Release(backend=digest, workers=modules, assets=assets, commits=_commits(settings, project)),
    )


def _digest(backend: BackendSettings, project: Path) -> str:
    if backend.image.digest is not None:
        return backend.image.digest
    assert backend.image.path is not None
    return image_digest(pack_image(project / backend.image.path, backend.image.run))


def _assets(worker: AssetsSettings, project: Path) -> AssetSet:
    return stage_assets(project / worker.path / worker.assets, project / STAGE / worker.script, project)


def _commits(settings: Settings, project: Path) -> dict[str, str]:
    paths = {"backend": settings.backend.path, **{name: worker.path for name, worker in settings.workers.items()}}
    return {name: source_commit(project / path) if path else "" for name, path in paths.items()}
