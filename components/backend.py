"""The PocketBase backend: one App Platform app for each generation and release, its image pinned by digest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Protocol

import pulumi

from lifecycle import replica
from lifecycle.errors import Hook, guarded
from lifecycle.import_options import import_options
from lifecycle.naming import BACKEND_VARIABLE, GENERATION_VARIABLE, RELEASE_VARIABLE, owner
from provider_sdks import digitalocean
from stack_outputs import OWNER_VARIABLE

if TYPE_CHECKING:
    from settings import Settings

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
class Alert:
    """An alert with the names and values of DigitalOcean's API (godo's AppAlertSpec)."""

    rule: str
    """The measured value, or the event of a deployment or a domain."""
    operator: str | None = None
    """The comparison with the threshold. Rules of the container have a threshold, rules of the app have none."""
    value: float | None = None
    """The threshold: percent of CPU or memory, or the number of restarts."""
    window: str | None = None
    """The time for which the threshold must be passed."""
    disabled: bool = False
    """True if the alert is stored and sends nothing."""

    @property
    def of_container(self) -> bool:
        """True if the rule belongs to the service, not to the app."""
        return self.operator is not None

    def spec(self) -> dict[str, Any]:
        """Return the alert as the provider takes it. The API does not return defaults, so they are left out."""
        return {each.name: value for each in fields(self) if (value := getattr(self, each.name)) != each.default}


@dataclass(frozen=True, kw_only=True)
class BackendArgs:
    app: pulumi.Input[str]
    """The app's name. Another name makes another app."""
    service: pulumi.Input[str]
    """The name of the app's only service."""
    generation: pulumi.Input[int]
    """The backend's generation, which the app gets in a variable."""
    release: pulumi.Input[str]
    """The service's release: the image's digest."""
    registry_type: pulumi.Input[str]
    """The kind of the image's registry: DOCR, DOCKER_HUB or GHCR."""
    registry: pulumi.Input[str] | None = None
    """The registry's name; None for DigitalOcean's own, which is the account's."""
    repository: pulumi.Input[str]
    """The image's name in the registry."""
    digest: pulumi.Input[str]
    """The image's digest, known once the registry has the image."""
    run_command: pulumi.Input[str] | None = None
    """The command that is run in place of the image's own."""
    region: pulumi.Input[str]
    """The data center's region, such as `sgp`."""
    size: pulumi.Input[str]
    """The container's size, such as `basic-xxs`."""
    instances: pulumi.Input[int] = 1
    """The number of containers. Each has a database of its own, so there is one."""
    port: pulumi.Input[int]
    """The port that the service listens on."""
    health_path: pulumi.Input[str]
    """The path of the health check."""
    variables: Mapping[str, pulumi.Input[str]]
    """Plain variables of the service, by name."""
    secrets: Mapping[str, pulumi.Input[str]]
    """Secret variables of the app, by name."""
    alerts: Sequence[Alert] = ()
    """The alerts of a new app. Changes in a running app are ignored."""
    create_timeout: str = "30m"
    """The longest time that the first deployment of an app may take: a number with `s`, `m` or `h`."""
    import_id: str | None = None
    """The id of an adopted app, which is imported."""
    trigger: pulumi.Input[str]
    """Another value makes another app. It must be known in every preview of an import: an unknown one would replace
    the app.
    """
    delete_guard: DeleteGuard
    """The hooks that back up an app before it is deleted, and prepare a new one."""
    log: Log
    """The log that is shown while an app is deployed."""

    @classmethod
    def of(
        cls,
        settings: Settings,
        *,
        app: pulumi.Input[str],
        release: str,
        digest: pulumi.Input[str],
        login: Mapping[str, pulumi.Input[str]],
        delete_guard: DeleteGuard,
        log: Log,
    ) -> BackendArgs:
        """Return the arguments for a release. `login` has the admin's login as secret variables."""
        backend, image, replicated = settings.backend, settings.backend.image, settings.backend.replica
        return cls(
            app=app,
            service=backend.service,
            generation=settings.generation,
            release=release,
            registry_type=image.registry_type,
            registry=image.declared_registry,
            repository=image.repository,
            digest=digest,
            run_command=replica.RUN_COMMAND if replicated else None,
            region=backend.region,
            size=backend.size,
            instances=backend.instances,
            port=backend.port,
            health_path=backend.health_path,
            variables={**backend.env, **(replica.variables(replicated) if replicated else {})},
            secrets={**settings.secret_variables, **login},
            alerts=[Alert(**alert.model_dump()) for alert in backend.alerts],
            create_timeout=backend.create_timeout,
            import_id=backend.adopted.app if backend.adopted else None,
            trigger=backend.app_name if backend.adopted else app,
            delete_guard=delete_guard,
            log=log,
        )


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
        options = pulumi.ResourceOptions(
            parent=self,
            replacement_trigger=args.trigger,
            replace_on_changes=["spec.name"],  # an imported app has no trigger in the state yet
            ignore_changes=["spec.envs", *ALERTS],
            custom_timeouts=pulumi.CustomTimeouts(create=args.create_timeout),
            hooks=_adopted_hooks(args.delete_guard)
            if args.import_id
            else _hooks(args.delete_guard, args.log, bool(args.alerts)),
        )
        return import_options(options, args.import_id, APP_INPUTS)


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
    """Return the declared configuration with the names of DigitalOcean's API, and only the names of secret variables.

    It is a secret, because plain variables may be confidential too.
    """
    declared: dict[str, Any] = {
        "http_port": args.port,
        "instance_count": args.instances,
        "instance_size_slug": args.size,
        "health_path": args.health_path,
        "variables": _variables(args),
        "secrets": sorted(args.secrets),
    }
    if args.alerts:
        declared["alerts"] = [alert.spec() for alert in args.alerts]
    return pulumi.Output.secret(pulumi.Output.from_input(declared))


def _spec(args: BackendArgs) -> digitalocean.AppSpecArgs:
    return digitalocean.AppSpecArgs(
        name=args.app,
        region=args.region,
        services=[_service(args)],
        envs=[
            digitalocean.AppSpecEnvArgs(key=key, value=pulumi.Output.secret(value), type="SECRET", scope="RUN_TIME")
            for key, value in sorted(args.secrets.items())
        ],
        alerts=[digitalocean.AppSpecAlertArgs(**each.spec()) for each in args.alerts if not each.of_container] or None,
    )


def _variables(args: BackendArgs) -> dict[str, pulumi.Input[str]]:
    """Return the service's plain variables, with those that the program sets."""
    return {
        **args.variables,
        RELEASE_VARIABLE: args.release,
        GENERATION_VARIABLE: pulumi.Output.from_input(args.generation).apply(str),
        BACKEND_VARIABLE: args.app,
        OWNER_VARIABLE: str(owner()),
    }


def _service(args: BackendArgs) -> digitalocean.AppSpecServiceArgs:
    return digitalocean.AppSpecServiceArgs(
        name=args.service,
        http_port=args.port,
        run_command=args.run_command,
        instance_count=args.instances,
        instance_size_slug=args.size,
        image=digitalocean.AppSpecServiceImageArgs(
            registry_type=args.registry_type,
            registry=args.registry,
            repository=args.repository,
            digest=args.digest,
        ),
        health_check=digitalocean.AppSpecServiceHealthCheckArgs(http_path=args.health_path),
        envs=[
            digitalocean.AppSpecServiceEnvArgs(key=key, value=value, type="GENERAL", scope="RUN_TIME")
            for key, value in sorted(_variables(args).items())
        ],
        alerts=[digitalocean.AppSpecServiceAlertArgs(**each.spec()) for each in args.alerts if each.of_container]
        or None,
    )
