"""The builds of the checkouts: a Worker's module, a site's files, the backend's packed image; each read on demand."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from functools import cached_property
from pathlib import Path

import pulumi

from artifacts.contents import assets_digest, image_digest, pack_assets, pack_image
from artifacts.modules import module_digest, read_module
from settings import API, AssetsSettings, ImageSettings, ModuleSettings
from sources.write_gate import with_write_gate
from storage.releases import Item, Kind, place, stash

STATIC_MODULE = Path(__file__).with_name("static_worker.js")


class Built(ABC):
    """One build of a checkout. Every method raises ArtifactError if the build is missing or unusable."""

    kind: Kind

    def __init__(self, service: str, project: Path) -> None:
        self.service, self.project = service, project

    @property
    @abstractmethod
    def digest(self) -> str:
        """64 hex digits."""

    @abstractmethod
    def packed(self) -> bytes:
        """Return the bytes for the release archive."""

    @property
    def item(self) -> Item:
        return Item(kind=self.kind, digest=self.digest, services=(self.service,))

    def stash(self) -> None:
        """Store the bytes where `ReleaseArchive` reads them; not in a preview, which deploys nothing."""
        if pulumi.runtime.is_dry_run():
            return
        path = place(self.project, self.item)
        if path.is_file():
            os.utime(path)
        else:
            stash(self.project, self.item, self.packed())


class Module(Built):
    """The module of a Worker: the api's inside the write gate, another Worker's unchanged, or the one of all sites."""

    kind: Kind = "module"

    def __init__(self, service: str, project: Path, worker: ModuleSettings | AssetsSettings) -> None:
        super().__init__(service, project)
        self.worker = worker if isinstance(worker, ModuleSettings) else None
        """None for a site: its module is not a part of its checkout."""

    @cached_property
    def text(self) -> str:
        if self.worker is None:
            return read_module(STATIC_MODULE)
        module = read_module(self.project / self.worker.path / self.worker.entry)
        return with_write_gate(module) if self.service == API else module

    @property
    def digest(self) -> str:
        return module_digest(self.text)

    def packed(self) -> bytes:
        return self.text.encode()


class Site(Built):
    kind: Kind = "assets"

    def __init__(self, service: str, project: Path, worker: AssetsSettings) -> None:
        super().__init__(service, project)
        self.worker = worker
        self.folder = project / worker.path / worker.assets

    @cached_property
    def digest(self) -> str:
        return assets_digest(self.folder)

    def packed(self) -> bytes:
        return pack_assets(self.folder)


class Image(Built):
    kind: Kind = "image"

    def __init__(self, service: str, project: Path, image: ImageSettings) -> None:
        super().__init__(service, project)
        self._image = image

    @cached_property
    def _packed(self) -> bytes:
        assert self._image.path is not None
        return pack_image(self.project / self._image.path, self._image.run)

    @property
    def digest(self) -> str:
        return image_digest(self._packed).removeprefix("sha256:")

    def packed(self) -> bytes:
        return self._packed
