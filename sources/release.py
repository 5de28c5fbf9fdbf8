"""The release that this run would deploy: the image, the modules and the assets, read once, and their digests.

A stack with a receipt in its configuration deploys exactly the bytes that the receipt names: from the checkout if it
builds them, else from the release archive of the stack that they are promoted from.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pulumi

from artifacts.contents import AssetSet, source_commit, stage_assets, stage_packed_assets
from artifacts.modules import module_digest
from lifecycle.errors import describe
from settings import API, AssetsSettings, ModuleSettings, Settings, WorkerSettings, other_stacks
from sources.address_checks import addresses_of_other_apis, refuse_backend_addresses
from sources.checkout import Built, Image, Module, Site
from sources.image_digest import dockerfile_digest
from sources.receipt import apply_receipt
from stack_outputs import ADOPTED, PINNED_VARIABLE, PinnedServices, Release
from storage.releases import named

STAGE = ".oracle/stage"


@dataclass(frozen=True, kw_only=True)
class Sources:
    digest: str
    """The backend image's digest."""
    modules: Mapping[str, str]
    """The text of each Worker's module, by service; without Workers that neither run nor are deployed now."""
    assets: Mapping[str, AssetSet]
    """The files of each site, by service."""
    release: Release


def read_sources(settings: Settings, folder: Path | None = None) -> Sources:
    """Read and stage every source of the project in the folder, by default the current one.

    Raises UserError if a source is missing or too large, is not named by the receipt, or contains an address of a
    backend.
    """
    project = folder or Path.cwd()
    pinned = _pinned_services()
    pinned_names = frozenset(pinned["services"]) if pinned else frozenset[str]()
    builds = _Built.of(settings, project, _never_deployed(pinned, pinned_names))
    deployed = builds.of_all_but(pinned_names.union(settings.adopted))
    receipt = named(settings.receipt.model_dump()) if settings.receipt else None
    instead = apply_receipt(settings, project, receipt, deployed) if receipt else {}
    if pinned and "backend" in pinned_names:
        digest = pinned["release"]["backend"]
    else:
        digest = receipt["backend"] if receipt else _digest(settings, project, builds)
    modules = {
        module.service: _running_module(pinned, module.service)
        if pinned and module.service in pinned_names
        else _module(settings, module, instead)
        for module in builds.modules
    }
    assets = {
        files.service: _unread_assets(files.worker, pinned["release"]["assets"][files.service])
        if pinned and files.service in pinned_names
        else _site(files, instead)
        for files in builds.files
    }
    others = other_stacks(settings, project)
    refuse_backend_addresses(settings, others, deployed, instead, pinned)
    for warning in addresses_of_other_apis(others, deployed, instead):
        pulumi.log.warn(describe(warning))
    for each in deployed:
        if each not in instead:
            each.stash()
    release = Release(
        backend=digest,
        workers={
            name: _adopted_version(settings.workers[name]) or module_digest(text) for name, text in modules.items()
        },
        assets={name: files.digest for name, files in assets.items()},
        commits=receipt["commits"] if receipt else _commits(settings, project),
    )
    release = _receipt(release, pinned) if pinned else release
    return Sources(digest=digest, modules=modules, assets=assets, release=release)


@dataclass(frozen=True, kw_only=True)
class _Built:
    """The builds of all checkouts."""

    image: Image | None
    """None if a registry has the image."""
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

    def of_all_but(self, pinned_names: frozenset[str]) -> list[Built]:
        every = [*([self.image] if self.image else []), *self.modules, *self.files]
        return [each for each in every if each.service not in pinned_names]


def _digest(settings: Settings, project: Path, builds: _Built) -> str:
    backend = settings.backend
    if backend.adopted is not None:
        return ADOPTED + backend.adopted.deployment
    if backend.image.digest is not None:
        return backend.image.digest
    if backend.image.build is not None:
        return dockerfile_digest(backend, project)
    assert builds.image is not None
    return f"sha256:{builds.image.digest}"


def _never_deployed(pinned: PinnedServices | None, pinned_names: frozenset[str]) -> frozenset[str]:
    """Return the Workers that were never deployed and are not deployed now: nothing may depend on them yet."""
    return pinned_names.difference(pinned["release"]["workers"], ("backend",)) if pinned else frozenset()


def _module(settings: Settings, module: Module, instead: Mapping[Built, Path]) -> str:
    """Return the module's text. An adopted Worker's sources are not read and need not exist."""
    worker = settings.workers[module.service]
    if isinstance(worker, ModuleSettings) and (adopted := _adopted_version(worker)):
        return adopted
    return instead[module].read_bytes().decode() if module in instead else module.text


def _running_module(pinned: PinnedServices, service: str) -> str:
    """Return the running text of the api, which may move to another backend. For every other Worker any text will do:
    the engine does not update it.
    """
    return pinned["api"] if service == API else pinned["release"]["workers"][service]


def _site(files: Site, instead: Mapping[Built, Path]) -> AssetSet:
    site = files.worker
    if adopted := _adopted_version(site):
        return _unread_assets(site, adopted)
    stage = files.project / STAGE / site.script
    if files not in instead:
        staged = stage_assets(files.folder, stage, files.project)
        if staged.left_out:
            pulumi.log.info(f"{files.service} is deployed without {', '.join(staged.left_out)}")
        return staged
    return stage_packed_assets(instead[files], stage, files.project)


def _commits(settings: Settings, project: Path) -> dict[str, str]:
    paths = {"backend": settings.backend.path, **{name: worker.path for name, worker in settings.workers.items()}}
    released = {name: path for name, path in paths.items() if path and name not in settings.adopted}
    return {name: source_commit(project / released[name]) if name in released else "" for name in paths}


def _pinned_services() -> PinnedServices | None:
    """Return the services that this update does not deploy; None if it deploys all."""
    path = os.environ.get(PINNED_VARIABLE)
    if not path:
        return None
    pinned: PinnedServices = json.loads(Path(path).read_text())
    return pinned


def _adopted_version(worker: WorkerSettings) -> str | None:
    """Return an adopted Worker's entry in the receipt; None if the Worker is not adopted."""
    return ADOPTED + worker.adopted.version if worker.adopted else None


def _unread_assets(site: AssetsSettings, digest: str) -> AssetSet:
    """Return a set for files that are not read: the engine does not update the Worker; only the digest is used."""
    return AssetSet(directory=f"{STAGE}/{site.script}", digest=digest, headers=None, redirects=None)


def _receipt(new: Release, pinned: PinnedServices) -> Release:
    """Return the new receipt, with the running release of every service that is not deployed."""
    old, pinned_names = pinned["release"], pinned["services"]

    def merged(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, str]:
        """Merge the entries. A service that is no longer configured stays: it runs until all services are deployed."""
        new = {name: value for name, value in after.items() if name not in pinned_names or name not in before}
        return {**before, **new}

    return named(
        {
            "backend": new["backend"],
            "workers": merged(old["workers"], new["workers"]),
            "assets": merged(old["assets"], new["assets"]),
            "commits": merged(old["commits"], new["commits"]),
        }
    )
