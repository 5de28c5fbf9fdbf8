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
    """The hooks that protect an app's data."""

    before_create: pulumi.ResourceHook
    """Refuse a name that is taken, in previews too."""
    before_delete: pulumi.ResourceHook
    """Back up the app. If this fails, the app is not deleted."""
    after_create: Hook
    """Make a new app usable. If this fails, the update fails."""
    after_update: Hook
    carry_alerts: Hook
    """Send a new app's alerts to the destinations of the previous app's alerts."""

    async def before_update(self, args: pulumi.ResourceHookArgs) -> None:
        """Refuse to deploy over a running app, which would empty its database."""


class Log(Protocol):
    """The log of a deployment."""

    def then(self, hook: Hook) -> Hook:
        """Return a hook that ends the log, then runs `hook`."""

    async def start(self, args: pulumi.ResourceHookArgs) -> None:
        """Show the log of each deployment that starts from now on."""

    async def failed(self, args: pulumi.ErrorHookArgs) -> bool:
        """Show the end of the log. Return False: the engine does not retry."""


@dataclass(frozen=True, kw_only=True)
class BackendArgs:
    settings: BackendSettings
    app: pulumi.Input[str]
    """The app's name. Another name makes another app."""
    generation: int
    release: str
    """The service's release: the image's digest."""
    digest: pulumi.Input[str]
    """The image's digest, known once the store has the image."""
    secrets: Mapping[str, pulumi.Input[str]]
    """Secret variables of the app, by name."""
    delete_guard: DeleteGuard
    log: Log


class Backend(pulumi.ComponentResource):
    """Produces the running app's `app_id`, and `declared`, the declared configuration that status compares: a secret.

    Each change of the running app makes another app beside the old one: App Platform's disks are ephemeral, and a
    deployment in place would empty the database.

    Ignores changes of secret variables: after a refresh the provider knows only their ciphertext, and every later
    preview would redeploy (digitalocean/terraform-provider-digitalocean#514, #869). So "backend ready" sets a changed
    secret in the running backend, and the next app's spec contains it.

    Ignores changes of alerts, also to avoid a deployment. The provider compares them as a list, and a refresh adds the
    alerts that somebody made in the dashboard. The spec of each new app contains the declared alerts. A change of the
    declaration makes another app. Status and drift compare the alerts that exist.
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
        options = pulumi.ResourceOptions(
            parent=self,
            # Must be known in every preview of an import: an unknown trigger would replace the app.
            replacement_trigger=args.settings.app_name if adopted else args.app,
            replace_on_changes=["spec.name"],  # an imported app has no trigger in the state yet
            ignore_changes=["spec.envs", *ALERTS],
            custom_timeouts=pulumi.CustomTimeouts(create=args.settings.create_timeout),
            hooks=_adopted_hooks(args.delete_guard)
            if adopted
            else _hooks(args.delete_guard, args.log, bool(args.settings.alerts)),
        )
        return import_options(options, adopted.app if adopted else None, APP_INPUTS)


def _hooks(delete_guard: DeleteGuard, log: Log, alerts: bool = False) -> pulumi.ResourceHookBinding:
    start = guarded(log.start)
    carry = [guarded(delete_guard.carry_alerts)] if alerts else []
    return pulumi.ResourceHookBinding(
        on_error=[pulumi.ErrorHook("backend-failed", log.failed)],
        before_create=[delete_guard.before_create, start],
        before_update=[guarded(delete_guard.before_update), start],
        before_delete=[delete_guard.before_delete],
        after_create=[*carry, guarded(log.then(delete_guard.after_create))],
        after_update=[guarded(log.then(delete_guard.after_update))],
    )


def _adopted_hooks(delete_guard: DeleteGuard) -> pulumi.ResourceHookBinding:
    """Hooks of an app made by hand. Nothing is deployed; after the import, an update changes the state only."""
    return pulumi.ResourceHookBinding(before_delete=[delete_guard.before_delete])


def _declared(args: BackendArgs) -> pulumi.Output[dict[str, Any]]:
    """The declared configuration with the names of DigitalOcean's API, and only the names of secret variables.

    It is a secret, because plain variables may be confidential too.
    """
    service = args.settings
    declared = {
        "http_port": service.port,
        "instance_count": service.instances,
        "instance_size_slug": service.size,
        "health_path": service.health_path,
        "variables": {**service.env, **_own_variables(args)},
        "secrets": sorted(args.secrets),
    }
    if service.alerts:
        declared["alerts"] = [_alert_spec(alert) for alert in service.alerts]
    return pulumi.Output.secret(pulumi.Output.from_input(declared))


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
            digitalocean.AppSpecAlertArgs(**_alert_spec(each)) for each in args.settings.alerts if not each.of_container
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
        alerts=[
            digitalocean.AppSpecServiceAlertArgs(**_alert_spec(each)) for each in service.alerts if each.of_container
        ]
        or None,
    )


def _alert_spec(alert: AlertSettings) -> dict[str, Any]:
    """An alert with the names of DigitalOcean's API, which the provider uses too. The API does not return defaults."""
    return alert.model_dump(exclude_defaults=True)
