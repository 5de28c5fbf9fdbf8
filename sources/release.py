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

from artifacts.contents import ArtifactError, AssetSet, module_digest, source_commit, stage_assets, stage_packed_assets
from settings import API, AssetsSettings, ModuleSettings, Settings, WorkerSettings, other_stacks
from sources.address_checks import addresses_of_other_apis, refuse_backend_addresses
from sources.checkout import Built, Image, Module, Site
from sources.image_digest import dockerfile_digest
from sources.receipt import apply_receipt
from stack_outputs import ADOPTED, KEPT_VARIABLE, PinnedServices, Release
from storage.releases import named

STAGE = ".oracle/stage"


@dataclass(frozen=True, kw_only=True)
class Sources:
    digest: str
    """The backend image's."""
    modules: Mapping[str, str]
    """The text of each Worker's module, by service; without those that are neither deployed now nor run already."""
    assets: Mapping[str, AssetSet]
    """The files of each site, by service."""
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
    kept = _archived()
    stays = frozenset(kept["services"]) if kept else frozenset[str]()
    built = _Built.of(settings, project, _not_there_yet(kept, stays))
    deployed = built.of_all_but(stays.union(settings.adopted))
    receipt = named(settings.receipt.model_dump()) if settings.receipt else None
    instead = apply_receipt(settings, project, receipt, deployed) if receipt else {}
    if kept and "backend" in stays:
        digest = kept["release"]["backend"]
    else:
        digest = receipt["backend"] if receipt else _digest(settings, project, built)
    modules = {
        module.service: _archived_text(kept, module.service)
        if kept and module.service in stays
        else _module(settings, module, instead)
        for module in built.modules
    }
    assets = {
        files.service: _archived_assets(files.worker, kept["release"]["assets"][files.service])
        if kept and files.service in stays
        else _site(files, instead)
        for files in built.files
    }
    others = other_stacks(settings, project)
    refuse_backend_addresses(settings, others, deployed, instead, kept)
    for told in addresses_of_other_apis(others, deployed, instead):
        pulumi.log.warn(told)
    for each in deployed:
        if each not in instead:
            each.stash()
    release = Release(
        backend=digest,
        workers={name: _taken_over(settings.workers[name]) or module_digest(text) for name, text in modules.items()},
        assets={name: files.digest for name, files in assets.items()},
        commits=receipt["commits"] if receipt else _commits(settings, project),
    )
    release = _receipt(release, kept) if kept else release
    return Sources(digest=digest, modules=modules, assets=assets, release=release)


@dataclass(frozen=True, kw_only=True)
class _Built:
    """What the checkouts build."""

    image: Image | None
    """None where a registry has it."""
    modules: tuple[Module, ...]
    files: tuple[Site, ...]

    @classmethod
    def of(cls, settings: Settings, project: Path, left_out: frozenset[str]) -> _Built:
        image = settings.backend.image
        workers = {name: worker for name, worker in settings.workers.items() if name not in left_out}
        return cls(
            image=Image("backend", project, image) if image.is_packed else None,
            modules=tuple(Module(name, project, worker) for name, worker in workers.items()),
            files=tuple(Site(name, project, site) for name, site in settings.sites.items() if name in workers),
        )

    def of_all_but(self, stays: frozenset[str]) -> list[Built]:
        every = [*([self.image] if self.image else []), *self.modules, *self.files]
        return [each for each in every if each.service not in stays]


def _digest(settings: Settings, project: Path, built: _Built) -> str:
    backend = settings.backend
    if backend.adopted is not None:
        return ADOPTED + backend.adopted.deployment
    if backend.image.digest is not None:
        return backend.image.digest
    if backend.image.build is not None:
        return dockerfile_digest(backend, project)
    assert built.image is not None
    return f"sha256:{built.image.digest}"


def _not_there_yet(kept: PinnedServices | None, stays: frozenset[str]) -> frozenset[str]:
    """The Workers that have never been deployed and are not now: nothing may depend on them yet."""
    return stays.difference(kept["release"]["workers"], ("backend",)) if kept else frozenset()


def _module(settings: Settings, module: Module, instead: Mapping[Built, Path]) -> str:
    """The text; what an adopted Worker runs is not looked at, and its sources need not be there."""
    worker = settings.workers[module.service]
    if isinstance(worker, ModuleSettings) and (adopted := _taken_over(worker)):
        return adopted
    return instead[module].read_bytes().decode() if module in instead else module.text


def _archived_text(kept: PinnedServices, service: str) -> str:
    """The api's, which may follow another backend; the engine leaves every other one alone, whatever is said here."""
    return kept["api"] if service == API else kept["release"]["workers"][service]


def _site(files: Site, instead: Mapping[Built, Path]) -> AssetSet:
    site = files.worker
    if adopted := _taken_over(site):
        return _archived_assets(site, adopted)
    stage = files.project / STAGE / site.script
    if files not in instead:
        staged = stage_assets(files.folder, stage, files.project)
        if staged.left_out:
            pulumi.log.info(f"{files.service} is deployed without {', '.join(staged.left_out)}")
        return staged
    return stage_packed_assets(instead[files], stage, files.project)


def _commits(settings: Settings, project: Path) -> dict[str, str]:
    paths = {"backend": settings.backend.path, **{name: worker.path for name, worker in settings.workers.items()}}
    ours = {name: path for name, path in paths.items() if path and name not in settings.adopted}
    return {name: source_commit(project / ours[name]) if name in ours else "" for name in paths}


def _archived() -> PinnedServices | None:
    """What stays as it is while other services are deployed; None when all are."""
    path = os.environ.get(KEPT_VARIABLE)
    if not path:
        return None
    kept: PinnedServices = json.loads(Path(path).read_text())
    return kept


def _taken_over(worker: WorkerSettings) -> str | None:
    """What stands in the receipt for a Worker that runs as it was made by hand; None for one of ours."""
    return ADOPTED + worker.adopted.version if worker.adopted else None


def _archived_assets(site: AssetsSettings, digest: str) -> AssetSet:
    """Stands for files that are not looked at: the engine leaves the Worker alone, and only the digest is told on."""
    return AssetSet(directory=f"{STAGE}/{site.script}", digest=digest, headers=None, redirects=None)


def _receipt(new: Release, kept: PinnedServices) -> Release:
    """The new receipt, with what runs for every service that stays."""
    old, stays = kept["release"], kept["services"]

    def merged(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, str]:
        """Also what is no longer configured: it runs until all services are deployed."""
        new = {name: value for name, value in after.items() if name not in stays or name not in before}
        return {**before, **new}

    return named(
        {
            "backend": new["backend"],
            "workers": merged(old["workers"], new["workers"]),
            "assets": merged(old["assets"], new["assets"]),
            "commits": merged(old["commits"], new["commits"]),
        }
    )
