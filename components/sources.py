"""What this run would deploy: the image, the modules and the assets, read once, and the receipt that names them."""

from __future__ import annotations

import json
import os
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
from contract import ADOPTED, KEPT_VARIABLE, Kept, Release
from settings import AssetsSettings, BackendSettings, Settings, WorkerSettings

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
    kept = _kept()
    stays = frozenset(kept["services"]) if kept else frozenset[str]()
    digest = kept["release"]["backend"] if kept and "backend" in stays else _digest(settings.backend, project)
    api = kept["api"] if kept and "api" in stays else _api(settings, project)
    static = read_module(STATIC_MODULE)
    web, universe = (
        _kept_assets(site, kept["release"]["assets"][name]) if kept and name in stays else _site(site, project)
        for name, site in (("web", settings.web), ("universe", settings.universe))
    )
    texts = {"api": api, "web": static, "universe": static}
    modules = {name: _taken_over(worker) or module_digest(texts[name]) for name, worker in settings.workers.items()}
    assets = {"web": web.digest, "universe": universe.digest}
    release = Release(backend=digest, workers=modules, assets=assets, commits=_commits(settings, project))
    return Sources(
        digest=digest,
        api=api,
        static=static,
        web=web,
        universe=universe,
        release=_receipt(release, kept) if kept else release,
    )


def _api(settings: Settings, project: Path) -> str:
    """The module; what an adopted Worker runs is not looked at, and its sources need not be there."""
    if adopted := _taken_over(settings.api):
        return adopted
    return with_front(read_module(project / settings.api.path / settings.api.entry))


def _kept() -> Kept | None:
    """What stays as it is while other services are deployed; None when all are."""
    path = os.environ.get(KEPT_VARIABLE)
    if not path:
        return None
    kept: Kept = json.loads(Path(path).read_text())
    return kept


def _taken_over(worker: WorkerSettings) -> str | None:
    """What stands in the receipt for a Worker that runs as it was made by hand; None for one of ours."""
    return ADOPTED + worker.adopted.version if worker.adopted else None


def _site(site: AssetsSettings, project: Path) -> AssetSet:
    adopted = _taken_over(site)
    return _kept_assets(site, adopted) if adopted else _assets(site, project)


def _kept_assets(site: AssetsSettings, digest: str) -> AssetSet:
    """Stands for files that are not looked at: the engine leaves the Worker alone, and only the digest is told on."""
    return AssetSet(directory=f"{STAGE}/{site.script}", digest=digest, headers=None, redirects=None)


def _receipt(new: Release, kept: Kept) -> Release:
    """The new receipt, with what runs for every service that stays."""
    old, stays = kept["release"], kept["services"]
    return Release(
        backend=new["backend"],
        workers={name: (old if name in stays else new)["workers"][name] for name in new["workers"]},
        assets=new["assets"],
        commits={name: (old if name in stays else new)["commits"].get(name, "") for name in new["commits"]},
    )


def _digest(backend: BackendSettings, project: Path) -> str:
    if backend.adopted is not None:
        return ADOPTED + backend.adopted.deployment
    if backend.image.digest is not None:
        return backend.image.digest
    assert backend.image.path is not None
    return image_digest(pack_image(project / backend.image.path, backend.image.run))


def _assets(worker: AssetsSettings, project: Path) -> AssetSet:
    return stage_assets(project / worker.path / worker.assets, project / STAGE / worker.script, project)


def _commits(settings: Settings, project: Path) -> dict[str, str]:
    paths = {"backend": settings.backend.path, **{name: worker.path for name, worker in settings.workers.items()}}
    ours = {name: path for name, path in paths.items() if path and name not in settings.adopted}
    return {name: source_commit(project / ours[name]) if name in ours else "" for name in paths}
