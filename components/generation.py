"""Which app runs the backend: its name, made from the generation and from how many apps that generation has had.

App Platform's disks are ephemeral: a deployment in place would empty the database. So everything that needs another
deployment (a wipe, a release, another size) is a new app beside the old, and every app has a name of its own. This
resource counts them, and it is the gate that everything destructive passes first: what it refuses has changed nothing.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pulumi
from pulumi.dynamic import ConfigureRequest, CreateResult, DiffResult, Resource, ResourceProvider, UpdateResult

from appplatform import AppPlatform, AppPlatformError, variable
from components.custody import Custody
from components.disk import BackendDisk
from components.dynamic import Sentence, show_sentences
from components.naming import GENERATION_VARIABLE, app_name
from components.transfer import Care, Traffic, served

if TYPE_CHECKING:  # the dynamic providers' host imports this module at each run, and needs no configuration
    from settings import Settings


class GenerationProvider(ResourceProvider):
    """Counts apps. Keys are read when they are needed, and kept as secrets only."""

    serialize_as_secret_always = False

    def configure(self, _req: ConfigureRequest) -> None:
        show_sentences()

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        _refuse(_olds, _news)
        moved = any(_olds.get(key) != _news[key] for key in ("generation", "trigger", "base"))
        return DiffResult(changes=moved or (_olds.get("secrets") or {}) != (_news.get("secrets") or {}))

    def create(self, props: dict[str, Any]) -> CreateResult:
        _look(props)
        return CreateResult(id_=props["base"], outs=_counted(props, {}))

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        _look(_news)
        return UpdateResult(outs=_counted(_news, _olds["counts"] if _olds["base"] == _news["base"] else {}))


class BackendGeneration(Resource, name="BackendGeneration"):
    """Produces `app`, the name of the app that runs the backend: another one for each generation and release, and when
    a secret variable changes, which the running app would not get.

    Refuses a lowered generation, unless the higher one never got any traffic, and a `restoreFrom` whose backup is
    unknown, damaged or cannot be opened. Comes after the look at the disk (components/disk.py).
    """

    app: pulumi.Output[str]

    def __init__(
        self, name: str, settings: Settings, release: str, care: Care, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        what = "adopted" if settings.backend.adopted else fingerprint(settings, release)
        trigger = f"{settings.generation}.{settings.replacement}.{what}"
        props = {
            "base": settings.backend.app_name,
            "secrets": pulumi.Output.secret({} if settings.backend.adopted else settings.secret_variables),
            "generation": settings.generation,
            "trigger": trigger,
            "restore_from": settings.restore_from or "",
            "custody": care.custody.props(),
            "endpoint": care.expected.endpoint,
            "traffic": asdict(care.traffic),
            "app": None,
            "counts": None,
        }
        secret = pulumi.ResourceOptions(additional_secret_outputs=["custody", "secrets"])
        behind = pulumi.ResourceOptions(depends_on=[BackendDisk("backend-disk", care)])
        merged = pulumi.ResourceOptions.merge(pulumi.ResourceOptions.merge(opts, secret), behind)
        super().__init__(GenerationProvider(), name, props, merged)


def fingerprint(settings: Settings, release: str) -> str:
    """Twelve hex digits over everything of the backend that a deployment carries."""
    from settings import OURS

    declared = settings.backend.model_dump(
        mode="json", exclude={"path", "build", "create_timeout", "console", "adopted"}
    )
    declared["variables"] = OURS
    declared["image"] = {"repository": settings.backend.image.repository, "digest": release}
    return hashlib.sha256(json.dumps(declared, sort_keys=True).encode()).hexdigest()[:12]


def _counted(props: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """The next app of the generation; `counts` says how many each generation has had, so that no name comes twice."""
    generation = str(int(props["generation"]))
    counts = {**before, generation: int(before.get(generation, 0)) + 1}
    return {**props, "counts": counts, "app": app_name(props["base"], int(generation), counts[generation])}


def _refuse(olds: dict[str, Any], news: dict[str, Any]) -> None:
    """What can be seen in every preview. Raises Sentence."""
    old, new, wanted = int(olds["generation"]), int(news["generation"]), news["restore_from"]
    if new < old and not _serves(news, new):
        raise Sentence(
            f"oracle-net:generation is {new}, and generation {old} runs: none ever comes back. Put the "
            f"number back: pulumi config set oracle-net:generation {old}; to have earlier data: oracle wipe --undo"
        )
    if new == old and wanted and wanted != olds.get("restore_from"):
        raise Sentence(
            f"oracle-net:restoreFrom is {wanted}, and generation {old} runs already with its own data. "
            f"A restore is a new generation: oracle restore {wanted}"
        )
    if new > old and wanted:
        Custody.of(news["custody"]).check(wanted)


def _serves(props: dict[str, Any], generation: int) -> bool:
    """Whether the traffic still goes to an app of this generation: the one after it was begun and given up."""
    from workersapi import WorkersApiError

    try:
        at = served(Traffic(**props["traffic"]))
        with AppPlatform(props["endpoint"], timeout=10) as platform:
            app = platform.find(at) if at else None
    except (AppPlatformError, WorkersApiError) as error:
        raise Sentence(str(error)) from None
    service = app["spec"]["services"][0]["name"] if app else ""
    return app is not None and variable(app["spec"], service, GENERATION_VARIABLE) == str(generation)


def _look(props: dict[str, Any]) -> None:
    """What must be so before anything changes. Raises Sentence."""
    custody = Custody.of(props["custody"])
    custody.check_writable()
    if props["restore_from"]:
        custody.prove(props["restore_from"])
