"""The name of the app that runs the backend, made from the generation and the number of apps in that generation.

App Platform's disks are ephemeral: a deployment in place would empty the database. So everything that needs another
deployment (a wipe, a release, another size) makes a new app beside the old one, and every app has its own name. This
resource counts the apps. It is also the first check before anything destructive: when it fails, nothing has changed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import pulumi
from pulumi.dynamic import (
    CheckResult,
    CreateResult,
    DiffResult,
    Resource,
    UpdateResult,
)

from clients.app_platform import variable
from errors import STACK, Fix, SetKey, UserError
from lifecycle import replica
from lifecycle.backend_disk import BackendDisk
from lifecycle.backup_config import BackupConfig
from lifecycle.clouds import Clouds
from lifecycle.context import BackendContext, Traffic, app_with_traffic, find_app_with_traffic
from lifecycle.errors import Provider
from lifecycle.naming import GENERATION_VARIABLE, app_name
from lifecycle.ownership import Names, refuse_existing, refuse_existing_app, refuse_other
from stack_outputs import owner_of_app

if TYPE_CHECKING:  # the dynamic providers' host imports this module at each run, and needs no configuration
    from settings import Settings


@dataclass(frozen=True, kw_only=True)
class GenerationArgs:
    context: BackendContext
    """The generation, the api Worker, and the backup that the generation may start from."""
    base: pulumi.Input[str]
    """The first app's name, which the names of all later apps are made of."""
    trigger: pulumi.Input[str]
    """Describes everything in a deployment but the secret variables. Another text makes another app."""
    secrets: pulumi.Input[Mapping[str, str]]
    """The app's secret variables by name, as a secret. Another value makes another app."""
    names: Names
    """The names of the resources that the stack will make."""

    @classmethod
    def of(cls, settings: Settings, release: str, context: BackendContext) -> GenerationArgs:
        """Return the arguments for a release, which is the image's digest. An adopted app is not deployed."""
        adopted = settings.backend.adopted
        content = "adopted" if adopted else fingerprint(settings, release)
        return cls(
            context=context,
            base=settings.backend.app_name,
            trigger=f"{settings.generation}.{settings.replacement}.{content}",
            secrets=pulumi.Output.secret({} if adopted else settings.secret_variables),
            names=Names.of(settings),
        )


class GenerationProvider(Provider):
    """Counts apps. Reads keys when it needs them, and stores them only as secrets."""

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Runs in every preview, unlike `create`."""
        if not _olds:
            _refuse_taken(self.clouds, news)
        return CheckResult(inputs=news, failures=[])

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        _refuse_other_owner(self.clouds, _olds, _news)
        _refuse_change(self.clouds, _olds, _news)
        changed = any(_olds.get(key) != _news[key] for key in ("generation", "trigger", "base"))
        changed = changed or (_olds.get("secrets") or {}) != (_news.get("secrets") or {})
        if changed:
            _refuse_name(self.clouds, _after_update(_olds, _news)["app"], _news)
        return DiffResult(changes=changed)

    def create(self, props: dict[str, Any]) -> CreateResult:
        _check_backup_store(props)
        return CreateResult(id_=props["base"], outs=count_app(props, {}))

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        _check_backup_store(_news)
        return UpdateResult(outs=_after_update(_olds, _news))


class BackendGeneration(Resource, name="BackendGeneration"):
    """Produces `app`, the name of the app that runs the backend.

    The name changes with each generation and release, and when a secret variable changes, since the running app would
    not get the new value.

    Refuses, before a new stack makes any resource:
    - names of existing resources that do not belong to the stack
    - an app or an api Worker of another owner
    - a lowered generation, unless the higher one never got traffic
    - a `restoreFrom` whose backup is unknown, damaged or cannot be opened

    Runs after the check of the disk (lifecycle/backend_disk.py).
    """

    app: pulumi.Output[str]

    def __init__(self, name: str, args: GenerationArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        context = args.context
        props = {
            "base": args.base,
            "secrets": args.secrets,
            "generation": context.generation,
            "trigger": args.trigger,
            "restore_from": context.restore_from or "",
            "backup_config": context.backup_config.props(),
            "endpoint": context.expected.endpoint,
            "traffic": asdict(context.traffic),
            "names": asdict(args.names),
            "app": None,
            "counts": None,
        }
        secret = pulumi.ResourceOptions(additional_secret_outputs=["backup_config", "secrets"])
        after_disk_check = pulumi.ResourceOptions(depends_on=[BackendDisk("backend-disk", context)])
        merged = pulumi.ResourceOptions.merge(pulumi.ResourceOptions.merge(opts, secret), after_disk_check)
        super().__init__(GenerationProvider(), name, props, merged)


def fingerprint(settings: Settings, release: str) -> str:
    """Return twelve hex digits of a hash of everything in a deployment of the backend."""
    from settings import OURS

    declared = settings.backend.model_dump(
        mode="json", exclude={"path", "build", "create_timeout", "console", "adopted", "alerts"}
    )
    if declared["replica"] is None:
        del declared["replica"]  # same fingerprint as before this key existed
    else:
        declared["script"] = replica.SCRIPT.read_text()
    if settings.backend.alerts:  # without alerts: same fingerprint as before this key existed
        declared["alerts"] = [alert.model_dump(mode="json") for alert in settings.backend.alerts]
    declared["variables"] = OURS
    declared["image"] = {"repository": settings.backend.image.repository, "digest": release}
    return hashlib.sha256(json.dumps(declared, sort_keys=True).encode()).hexdigest()[:12]


def count_app(props: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """Return the properties with the generation's next app. `counts` has the number of apps by generation, so that no
    name is used twice.
    """
    generation = str(int(props["generation"]))
    counts = {**before, generation: int(before.get(generation, 0)) + 1}
    return {**props, "counts": counts, "app": app_name(props["base"], int(generation), counts[generation])}


def _after_update(olds: dict[str, Any], news: dict[str, Any]) -> dict[str, Any]:
    """Return the resource's outputs after its next update."""
    return count_app(news, olds["counts"] if olds["base"] == news["base"] else {})


def _refuse_name(clouds: Clouds, app: str, news: dict[str, Any]) -> None:
    """Raises UserError if the next app's name is taken."""
    with clouds.app_platform(news["endpoint"]) as platform:
        refuse_existing_app(platform, app, news["traffic"]["owner"])


def _refuse_taken(clouds: Clouds, news: dict[str, Any]) -> None:
    """Raises UserError if a resource of the stack's names exists. The state has no resources yet."""
    traffic = Traffic(**news["traffic"])
    with (
        clouds.app_platform(news["endpoint"]) as platform,
        clouds.workers(traffic.endpoint, traffic.account) as workers,
    ):
        refuse_existing(platform, workers, Names.read(news["names"]), traffic.owner)


def _refuse_other_owner(clouds: Clouds, olds: dict[str, Any], news: dict[str, Any]) -> None:
    """Raises UserError if the app in the state has another owner: the state is a copy, or the name was taken."""
    traffic = Traffic(**news["traffic"])
    app_with_traffic(clouds, traffic)
    with clouds.app_platform(news["endpoint"]) as platform:
        app = platform.find(olds["app"])
    refuse_other(f"The app {olds['app']}", owner_of_app(app["spec"]) if app else None, traffic.owner)


def _refuse_change(clouds: Clouds, olds: dict[str, Any], news: dict[str, Any]) -> None:
    """Check the change of generation and `restoreFrom`, in every preview. Raises UserError."""
    old, new, backup = int(olds["generation"]), int(news["generation"]), news["restore_from"]
    if new < old and not _has_traffic(clouds, news, new):
        raise UserError(
            f"oracle-net:generation is {new}, but generation {old} runs, and an earlier generation cannot be deployed "
            "again.",
            SetKey("oracle-net:generation", str(old)),
            Fix(f"oracle wipe --undo {STACK}", "to restore the data that the last wipe deleted"),
        )
    if new == old and backup and backup != olds.get("restore_from"):
        raise UserError(
            f"oracle-net:restoreFrom is {backup}, but generation {old} runs already with its own data.",
            Fix(f"oracle restore {backup} {STACK}", "to restore the backup in a new generation"),
        )
    if new > old and backup:
        BackupConfig.of(news["backup_config"]).check(backup)


def _has_traffic(clouds: Clouds, props: dict[str, Any], generation: int) -> bool:
    """Return whether the traffic still goes to an app of this generation, because the next one was given up."""
    app = find_app_with_traffic(clouds, props["endpoint"], Traffic(**props["traffic"]))
    service = app["spec"]["services"][0]["name"] if app else ""
    return app is not None and variable(app["spec"], service, GENERATION_VARIABLE) == str(generation)


def _check_backup_store(props: dict[str, Any]) -> None:
    """Check that the store is writable and the backup readable, before anything changes. Raises UserError."""
    backup_config = BackupConfig.of(props["backup_config"])
    backup_config.check_writable()
    if props["restore_from"]:
        backup_config.prove(props["restore_from"])
