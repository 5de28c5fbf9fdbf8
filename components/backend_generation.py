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
from pulumi.dynamic import (
    CheckResult,
    ConfigureRequest,
    CreateResult,
    DiffResult,
    Resource,
    ResourceProvider,
    UpdateResult,
)

from clients.app_platform import AppPlatform, variable
from clients.workers_api import Workers
from lifecycle import replica
from lifecycle.backend_disk import BackendDisk
from lifecycle.backup_config import BackupConfig
from lifecycle.errors import UserError, show_errors_as_text
from lifecycle.migration import BackendContext, Traffic, app_with_traffic, find_app_with_traffic
from lifecycle.naming import GENERATION_VARIABLE, app_name
from lifecycle.ownership import Names, refuse_existing, refuse_existing_app, refuse_other
from stack_outputs import owner_of_app

if TYPE_CHECKING:  # the dynamic providers' host imports this module at each run, and needs no configuration
    from settings import Settings


class GenerationProvider(ResourceProvider):
    """Counts apps. Keys are read when they are needed, and kept as secrets only."""

    serialize_as_secret_always = False

    def configure(self, _req: ConfigureRequest) -> None:
        show_errors_as_text()

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Part of every preview, unlike `create`."""
        if not _olds:
            _refuse_taken(news)
        return CheckResult(inputs=news, failures=[])

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        _refuse_other(_olds, _news)
        _refuse(_olds, _news)
        moved = any(_olds.get(key) != _news[key] for key in ("generation", "trigger", "base"))
        moved = moved or (_olds.get("secrets") or {}) != (_news.get("secrets") or {})
        if moved:
            _refuse_name(_next(_olds, _news)["app"], _news)
        return DiffResult(changes=moved)

    def create(self, props: dict[str, Any]) -> CreateResult:
        _look(props)
        return CreateResult(id_=props["base"], outs=_counted(props, {}))

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        _look(_news)
        return UpdateResult(outs=_next(_olds, _news))


class BackendGeneration(Resource, name="BackendGeneration"):
    """Produces `app`, the name of the app that runs the backend: another one for each generation and release, and when
    a secret variable changes, which the running app would not get.

    Refuses, before anything of a new stack is made, names under which something exists that is not the stack's; an app
    or an api Worker that carries another stack's mark; a lowered generation, unless the higher one never got any
    traffic; and a `restoreFrom` whose backup is unknown, damaged or cannot be opened. Comes after the look at the disk
    (lifecycle/backend_disk.py).
    """

    app: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        settings: Settings,
        release: str,
        context: BackendContext,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        what = "adopted" if settings.backend.adopted else fingerprint(settings, release)
        trigger = f"{settings.generation}.{settings.replacement}.{what}"
        props = {
            "base": settings.backend.app_name,
            "secrets": pulumi.Output.secret({} if settings.backend.adopted else settings.secret_variables),
            "generation": settings.generation,
            "trigger": trigger,
            "restore_from": settings.restore_from or "",
            "backup_config": context.backup_config.props(),
            "endpoint": context.expected.endpoint,
            "traffic": asdict(context.traffic),
            "names": asdict(Names.of(settings)),
            "app": None,
            "counts": None,
        }
        secret = pulumi.ResourceOptions(additional_secret_outputs=["backup_config", "secrets"])
        behind = pulumi.ResourceOptions(depends_on=[BackendDisk("backend-disk", context)])
        merged = pulumi.ResourceOptions.merge(pulumi.ResourceOptions.merge(opts, secret), behind)
        super().__init__(GenerationProvider(), name, props, merged)


def fingerprint(settings: Settings, release: str) -> str:
    """Twelve hex digits over everything of the backend that a deployment carries."""
    from settings import OURS

    declared = settings.backend.model_dump(
        mode="json", exclude={"path", "build", "create_timeout", "console", "adopted", "alerts"}
    )
    if declared["replica"] is None:
        del declared["replica"]  # what it was before there was such a key
    else:
        declared["script"] = replica.SCRIPT.read_text()
    if settings.backend.alerts:  # without any it is the fingerprint of a program that knew none
        declared["alerts"] = [alert.model_dump(mode="json") for alert in settings.backend.alerts]
    declared["variables"] = OURS
    declared["image"] = {"repository": settings.backend.image.repository, "digest": release}
    return hashlib.sha256(json.dumps(declared, sort_keys=True).encode()).hexdigest()[:12]


def _counted(props: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """The next app of the generation; `counts` says how many each generation has had, so that no name comes twice."""
    generation = str(int(props["generation"]))
    counts = {**before, generation: int(before.get(generation, 0)) + 1}
    return {**props, "counts": counts, "app": app_name(props["base"], int(generation), counts[generation])}


def _next(olds: dict[str, Any], news: dict[str, Any]) -> dict[str, Any]:
    """The resource after its next update."""
    return _counted(news, olds["counts"] if olds["base"] == news["base"] else {})


def _refuse_name(app: str, news: dict[str, Any]) -> None:
    """Raises Sentence where the next app's name is taken."""
    with AppPlatform(news["endpoint"]) as platform:
        refuse_existing_app(platform, app, news["traffic"]["owner"])


def _refuse_taken(news: dict[str, Any]) -> None:
    """Raises Sentence where something exists already: nothing of the stack is in the state yet."""
    traffic = Traffic(**news["traffic"])
    with AppPlatform(news["endpoint"]) as platform, Workers(traffic.endpoint, traffic.account) as workers:
        refuse_existing(platform, workers, Names.read(news["names"]), traffic.owner)


def _refuse_other(olds: dict[str, Any], news: dict[str, Any]) -> None:
    """Raises Sentence where what the state has is another stack's now: the state is a copy, or a name was taken."""
    traffic = Traffic(**news["traffic"])
    app_with_traffic(traffic)
    with AppPlatform(news["endpoint"]) as platform:
        app = platform.find(olds["app"])
    refuse_other(f"The app {olds['app']}", owner_of_app(app["spec"]) if app else None, traffic.owner)


def _refuse(olds: dict[str, Any], news: dict[str, Any]) -> None:
    """What can be seen in every preview. Raises Sentence."""
    old, new, wanted = int(olds["generation"]), int(news["generation"]), news["restore_from"]
    backup_config = BackupConfig.of(news["backup_config"])
    if new < old and not _serves(news, new):
        raise UserError(
            f"oracle-net:generation is {new}, and generation {old} runs: none ever comes back. Put the "
            f"number back: pulumi config set oracle-net:generation {old}; to have earlier data: oracle wipe --undo "
            f"{backup_config.owner.stack}"
        )
    if new == old and wanted and wanted != olds.get("restore_from"):
        raise UserError(
            f"oracle-net:restoreFrom is {wanted}, and generation {old} runs already with its own data. "
            f"A restore is a new generation: oracle restore {wanted} {backup_config.owner.stack}"
        )
    if new > old and wanted:
        backup_config.check(wanted)


def _serves(props: dict[str, Any], generation: int) -> bool:
    """Whether the traffic still goes to an app of this generation: the one after it was begun and given up."""
    app = find_app_with_traffic(props["endpoint"], Traffic(**props["traffic"]))
    service = app["spec"]["services"][0]["name"] if app else ""
    return app is not None and variable(app["spec"], service, GENERATION_VARIABLE) == str(generation)


def _look(props: dict[str, Any]) -> None:
    """What must be so before anything changes. Raises Sentence."""
    backup_config = BackupConfig.of(props["backup_config"])
    backup_config.check_writable()
    if props["restore_from"]:
        backup_config.prove(props["restore_from"])
