"""The bytes that a stack runs, kept beside its backups, so that another stack can run the same ones, or this one again.

A resource of the program and no command's work: whoever runs `pulumi up`, the bytes are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pulumi
from pulumi.dynamic import ConfigureRequest, CreateResult, DiffResult, Resource, ResourceProvider, UpdateResult

from components.custody import Custody
from components.dynamic import Sentence, show_sentences
from contract import Release
from releases import Item, ReleaseError, adopted, items, place, same_bytes, sweep

if TYPE_CHECKING:  # the dynamic providers' host imports this module at each run, and needs no configuration
    from releases.keep import Ran
    from settings import Settings


class KeptProvider(ResourceProvider):
    """Keeps bytes. The store's credentials are read from the environment at run time and never kept."""

    serialize_as_secret_always = False

    def configure(self, _req: ConfigureRequest) -> None:
        show_sentences()

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        moved = any(_olds.get(key) != _news[key] for key in ("custody", "packed"))
        return DiffResult(changes=moved or not same_bytes(_olds["release"], _news["release"]) or _lost(_olds, _news))

    def create(self, props: dict[str, Any]) -> CreateResult:
        return CreateResult(id_=props["custody"]["owner"], outs={**props, "lacking": _keep(props)})

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        return UpdateResult(outs={**_news, "lacking": _keep(_news)})


class KeptRelease(Resource, name="KeptRelease"):
    """Comes after everything that runs the release. Produces `lacking`, the names of bytes that could not be kept since
    an update of other services did not have them.
    """

    lacking: pulumi.Output[list[str]]

    def __init__(
        self,
        name: str,
        settings: Settings,
        release: Release,
        app: pulumi.Input[str],
        app_id: pulumi.Input[str],
        after: Sequence[pulumi.Input[str]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props = {
            "release": release,
            "app": app,
            "app_id": app_id,
            "packed": settings.backend.image.is_packed,
            "count": settings.keep_releases,
            "custody": Custody.of_settings(settings, None).props(),
            "after": pulumi.Output.all(*after).apply(lambda _: ""),
            "lacking": None,
        }
        super().__init__(KeptProvider(), name, props, opts)


def _lost(olds: dict[str, Any], news: dict[str, Any]) -> bool:
    """Whether the store has lost what it had; False where it cannot be asked."""
    from backups import BackupsError

    try:
        lacks = Custody.of(news["custody"]).keep().lacks(_items(news))
    except (BackupsError, Sentence):
        return False
    return bool({item.name for item in lacks} - set(olds.get("lacking") or []))


def _keep(props: dict[str, Any]) -> list[str]:
    """Keeps what the store does not have, writes the receipt down, clears away what is old. Raises Sentence."""
    from backups import BackupsError

    custody = Custody.of(props["custody"])
    keep, project = custody.keep(), Path.cwd()
    lacking = []
    try:
        for item in keep.lacks(_items(props)):
            if place(project, item).is_file():
                keep.put(item, place(project, item))
            else:
                lacking.append(item)
        if not adopted(props["release"]):  # else nobody could run it again
            keep.note(_ran(props))
        gone = keep.prune(int(props["count"]), _images(custody, int(props["count"])))
    except (BackupsError, ReleaseError) as error:
        raise Sentence(f"All of it is deployed, but its bytes could not be kept: {error} Again: pulumi up") from None
    sweep(project)
    _tell(lacking, gone)
    return [item.name for item in lacking]


def _ran(props: dict[str, Any]) -> Ran:
    from backups import who
    from releases.keep import Ran, now

    known = {key: props[key] for key in ("release", "packed", "app", "app_id")}
    return Ran(at=now(), who=who(), **known)


def _items(props: dict[str, Any]) -> list[Item]:
    return items(props["release"], packed=props["packed"])


def _images(custody: Custody, count: int) -> set[str]:
    """The images that the newest entries of the ledger speak of: their backups may be restored."""
    entries = custody.ledger().entries(newest=count)
    return {release for entry in entries for release in (entry.from_release, entry.to_release) if release}


def _tell(lacking: list[Item], gone: list[str]) -> None:
    if lacking:
        named = ", ".join(item.told() for item in lacking)
        print(f"Not kept, since this update did not have it: {named}; deploy all of it once: pulumi up", flush=True)
    if gone:
        print(f"Cleared away bytes of old releases: {', '.join(gone)}", flush=True)
