"""The PocketBase backend: one App Platform app for each generation and release, its image pinned by digest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import pulumi

from lifecycle import replica
from lifecycle.errors import Hook, guarded
from lifecycle.import_options import import_options
from lifecycle.naming import BACKEND_VARIABLE, GENERATION_VARIABLE, RELEASE_VARIABLE, owner
from provider_sdks import digitalocean
from settings import AlertSettings, BackendSettings
from stack_outputs import OWNER_VARIABLE

APP_INPUTS = ("spec", "project_id", "deployment_per_page", "dedicated_ips")
ALERTS = ("spec.alerts", "spec.services[0].alerts")


class DeleteGuard(Protocol):
    """What looks after an app's data."""

    before_create: pulumi.ResourceHook
    """Refuses a name that is taken, in previews too."""
    before_delete: pulumi.ResourceHook
    """Its failure keeps the app."""
    after_create: Hook
    """Makes a new app usable; its failure is the update's."""
    after_update: Hook
    carry_alerts: Hook
    """Sends a new app's alerts where they went before."""

    async def before_update(self, args: pulumi.ResourceHookArgs) -> None:
        """Refuses a deployment over an app that runs, which would empty its database."""


class Log(Protocol):
    """What shows the log of a deployment."""

    def then(self, hook: Hook) -> Hook:
        """The hook, with the log ended first."""

    async def start(self, args: pulumi.ResourceHookArgs) -> None:
        """Shows the log of what is deployed from now on."""

    async def failed(self, args: pulumi.ErrorHookArgs) -> bool:
        """Shows the end of the log; asks for no other try."""


@dataclass(frozen=True, kw_only=True)
class BackendArgs:
    settings: BackendSettings
    app: pulumi.Input[str]
    """The app's name; another one means another app."""
    generation: int
    release: str
    """What the service calls its release: the image's digest."""
    digest: pulumi.Input[str]
    """The image's digest, known once the image is in its store."""
    secrets: Mapping[str, pulumi.Input[str]]
    """Secret variables of the app, by name."""
    keeping: DeleteGuard
    log: Log


class Backend(pulumi.ComponentResource):
    """Produces the running app's `app_id`, and `declared`, what it is to be as status compares it: a secret.

    Every change of what runs is another app beside the old one: App Platform's disks are ephemeral, and a deployment
    in place would empty the database.

    Refuses to compare secret variables again: after a refresh the provider knows only their ciphertext, and every
    later plan would redeploy (digitalocean/terraform-provider-digitalocean#514, #869). So a secret that changes is set
    in the running backend by "backend ready", and goes into the spec of the next app.

    Refuses to compare alerts again, for the same end. The provider compares them as a list, and a refresh takes in
    whatever somebody made in the dashboard, so the next update would be a deployment. Declared alerts go into the spec
    of each new app, another declaration makes another app, and status and drift compare what there is.
    """

    app_id: pulumi.Output[str]
    declared: pulumi.Output[dict[str, Any]]

    def __init__(self, name: str, args: BackendArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("oracle-net:index:Backend", name, None, opts)
        app = digitalocean.App(f"{name}-app", spec=_spec(args), opts=self._options(args))
        self.app_id = app.id
        self.declared = _declared(args)
        self.register_outputs({"app_id": self.app_id, "declared": self.declared})

    def _options(self, args: BackendArgs) -> pulumi.ResourceOptions:
        adopted = args.settings.adopted
        own = pulumi.ResourceOptions(
            parent=self,
            # Known in every preview while it is imported: an unknown one would be a replacement.
            replacement_trigger=args.settings.app_name if adopted else args.app,
            replace_on_changes=["spec.name"],  # what was imported has no trigger in the state yet
            ignore_changes=["spec.envs", *ALERTS],
            custom_timeouts=pulumi.CustomTimeouts(create=args.settings.create_timeout),
            hooks=_kept_only(args.keeping) if adopted else _hooks(args.keeping, args.log, bool(args.settings.alerts)),
        )
        return import_options(own, adopted.app if adopted else None, APP_INPUTS)


def _hooks(keeping: DeleteGuard, log: Log, alerts: bool = False) -> pulumi.ResourceHookBinding:
    start = guarded(log.start)
    carry = [guarded(keeping.carry_alerts)] if alerts else []
    return pulumi.ResourceHookBinding(
        on_error=[pulumi.ErrorHook("backend-failed", log.failed)],
        before_create=[keeping.before_create, start],
        before_update=[guarded(keeping.before_update), start],
        before_delete=[keeping.before_delete],
        after_create=[*carry, guarded(log.then(keeping.after_create))],
        after_update=[guarded(log.then(keeping.after_update))],
    )


def _kept_only(keeping: DeleteGuard) -> pulumi.ResourceHookBinding:
    """Of an app made by hand: nothing is deployed, and an import is followed by an update that only the state sees."""
    return pulumi.ResourceHookBinding(before_delete=[keeping.before_delete])


def _declared(args: BackendArgs) -> pulumi.Output[dict[str, Any]]:
    """With the names of DigitalOcean's API; of secret variables the names only. Plain ones may be confidential too."""
    service = args.settings
    wanted = {
        "http_port": service.port,
        "instance_count": service.instances,
        "instance_size_slug": service.size,
        "health_path": service.health_path,
        "variables": {**service.env, **_own_variables(args)},
        "secrets": sorted(args.secrets),
    }
    if service.alerts:
        wanted["alerts"] = [_stated(alert) for alert in service.alerts]
    return pulumi.Output.secret(pulumi.Output.from_input(wanted))


def _spec(args: BackendArgs) -> digitalocean.AppSpecArgs:
    return digitalocean.AppSpecArgs(
        name=args.app,
        region=args.settings.region,
        services=[_service(args.settings, args)],
        envs=[
            digitalocean.AppSpecEnvArgs(key=key, value=pulumi.Output.secret(value), type="SECRET", scope="RUN_TIME")
            for key, value in sorted(args.secrets.items())
        ],
        alerts=[
            digitalocean.AppSpecAlertArgs(**_stated(each)) for each in args.settings.alerts if not each.of_container
        ]
        or None,
    )


def _own_variables(args: BackendArgs) -> dict[str, pulumi.Input[str]]:
    return {
        RELEASE_VARIABLE: args.release,
        GENERATION_VARIABLE: str(args.generation),
        BACKEND_VARIABLE: args.app,
        OWNER_VARIABLE: str(owner()),
        **(replica.variables(args.settings.replica) if args.settings.replica else {}),
    }


def _service(service: BackendSettings, args: BackendArgs) -> digitalocean.AppSpecServiceArgs:
    image = service.image
    plain = {**service.env, **_own_variables(args)}
    return digitalocean.AppSpecServiceArgs(
        name=service.service,
        http_port=service.port,
        run_command=replica.RUN_COMMAND if service.replica else None,
        instance_count=service.instances,
        instance_size_slug=service.size,
        image=digitalocean.AppSpecServiceImageArgs(
            registry_type=image.registry_type,
            registry=image.declared_registry,
            repository=image.repository,
            digest=args.digest,
        ),
        health_check=digitalocean.AppSpecServiceHealthCheckArgs(http_path=service.health_path),
        envs=[
            digitalocean.AppSpecServiceEnvArgs(key=key, value=value, type="GENERAL", scope="RUN_TIME")
            for key, value in sorted(plain.items())
        ],
        alerts=[digitalocean.AppSpecServiceAlertArgs(**_stated(each)) for each in service.alerts if each.of_container]
        or None,
    )


def _stated(alert: AlertSettings) -> dict[str, Any]:
    """With the names of DigitalOcean's API, which the provider shares; what is a default would not come back."""
    return alert.model_dump(exclude_defaults=True)
