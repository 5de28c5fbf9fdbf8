"""What this run would deploy: the image, the modules and the assets, read once, and the receipt that names them.

A stack whose configuration has a receipt deploys the bytes that it names and no others: from the checkout where that
builds them, else from what was kept of the stack that they are promoted from.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pulumi

from artifacts import ArtifactError, AssetSet, module_digest, source_commit, stage_assets, stage_packed_assets
from components.addresses import refuse_backend_addresses
from components.checkout import Built, Image, Module, Site
from components.receipt import held
from contract import ADOPTED, KEPT_VARIABLE, Kept, Release
from releases import named
from settings import AssetsSettings, Settings, WorkerSettings

STAGE = ".oracle/stage"


@dataclass(frozen=True, kw_only=True)
class Sources:
    digest: str
    """The backend image's."""
    api: str
    static: Mapping[str, str]
    """The module of each site, by service."""
    web: AssetSet
    universe: AssetSet
    release: Release


def read_sources(settings: Settings, project: Path) -> Sources:
    """Reads and stages every source. Raises pulumi.RunError when one is missing or too large, is not what the receipt
    names, or has an address of the backend written in it.
    """
    try:
        return _read(settings, project)
    except ArtifactError as error:
        raise pulumi.RunError(str(error)) from None


def _read(settings: Settings, project: Path) -> Sources:
    kept = _kept()
    stays = frozenset(kept["services"]) if kept else frozenset[str]()
    built = _Built.of(settings, project)
    deployed = built.of_all_but(stays.union(settings.adopted))
    receipt = named(settings.receipt.model_dump()) if settings.receipt else None
    instead = held(settings, project, receipt, deployed) if receipt else {}
    if kept and "backend" in stays:
        digest = kept["release"]["backend"]
    else:
        digest = receipt["backend"] if receipt else _digest(settings, built)
    api = kept["api"] if kept and "api" in stays else _api(settings, built, instead)
    static = {module.service: _text(module, instead) for module in built.static}
    web, universe = (
        _kept_assets(site, kept["release"]["assets"][files.service])
        if kept and files.service in stays
        else _site(files, site, instead)
        for files, site in zip(built.files, (settings.web, settings.universe), strict=True)
    )
    refuse_backend_addresses(settings, deployed, instead, kept)
    for each in deployed:
        if each not in instead:
            each.stash()
    release = Release(
        backend=digest,
        workers=_modules(settings, {"api": api, **static}),
        assets={"web": web.digest, "universe": universe.digest},
        commits=receipt["commits"] if receipt else _commits(settings, project),
    )
    release = _receipt(release, kept) if kept else release
    return Sources(digest=digest, api=api, static=static, web=web, universe=universe, release=release)


@dataclass(frozen=True, kw_only=True)
class _Built:
    """What the checkouts build."""

    image: Image | None
    """None where a registry has it."""
    api: Module
    static: tuple[Module, ...]
    files: tuple[Site, ...]

    @classmethod
    def of(cls, settings: Settings, project: Path) -> _Built:
        image = settings.backend.image
        sites = {"web": settings.web, "universe": settings.universe}
        return cls(
            image=Image("backend", project, image) if image.digest is None else None,
            api=Module("api", project, settings.api),
            static=tuple(Module(name, project, None) for name in sites),
            files=tuple(Site(name, project, site) for name, site in sites.items()),
        )

    def of_all_but(self, stays: frozenset[str]) -> list[Built]:
        every = [*([self.image] if self.image else []), self.api, *self.static, *self.files]
        return [each for each in every if each.service not in stays]


def _digest(settings: Settings, built: _Built) -> str:
    backend = settings.backend
    if backend.adopted is not None:
        return ADOPTED + backend.adopted.deployment
    if backend.image.digest is not None:
        return backend.image.digest
    assert built.image is not None
    return f"sha256:{built.image.digest}"


def _api(settings: Settings, built: _Built, instead: Mapping[Built, Path]) -> str:
    """The module; what an adopted Worker runs is not looked at, and its sources need not be there."""
    return _taken_over(settings.api) or _text(built.api, instead)


def _text(module: Module, instead: Mapping[Built, Path]) -> str:
    return instead[module].read_bytes().decode() if module in instead else module.text


def _site(files: Site, site: AssetsSettings, instead: Mapping[Built, Path]) -> AssetSet:
    if adopted := _taken_over(site):
        return _kept_assets(site, adopted)
    stage = files.project / STAGE / site.script
    if files not in instead:
        staged = stage_assets(files.folder, stage, files.project)
        if staged.left_out:
            pulumi.log.info(f"{files.service} is deployed without {', '.join(staged.left_out)}")
        return staged
    return stage_packed_assets(instead[files], stage, files.project)


def _modules(settings: Settings, texts: Mapping[str, str]) -> dict[str, str]:
    """What the receipt says of each Worker's module."""
    return {name: _taken_over(worker) or module_digest(texts[name]) for name, worker in settings.workers.items()}


def _commits(settings: Settings, project: Path) -> dict[str, str]:
    paths = {"backend": settings.backend.path, **{name: worker.path for name, worker in settings.workers.items()}}
    ours = {name: path for name, path in paths.items() if path and name not in settings.adopted}
    return {name: source_commit(project / ours[name]) if name in ours else "" for name in paths}


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
