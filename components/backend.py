"""The PocketBase backend: one App Platform app for each generation, its image pinned by digest."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import pulumi

from components.naming import RELEASE_VARIABLE, app_name
from components.providers import digitalocean
from settings import BackendSettings

Hook = Callable[[pulumi.ResourceHookArgs], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class BackendArgs:
    settings: BackendSettings
    generation: int
    release: str
    """What the service calls its release: the image's digest."""
    digest: pulumi.Input[str]
    """The image's digest, known once the image is in its store."""
    secrets: Mapping[str, pulumi.Input[str]]
    """Secret variables of the app, by name."""
    before: Hook
    """Called as a deployment starts."""
    after: Hook
    """Called when the app has been created or updated; its failure is the update's."""
    failed: Callable[[pulumi.ErrorHookArgs], Awaitable[bool]]
    """Called when that failed."""


class Backend(pulumi.ComponentResource):
    """Produces the running app's `app_id` and `url`.

    Refuses to compare secret variables again: after a refresh the provider knows only their ciphertext, and every
    later plan would redeploy, which empties the database (digitalocean/terraform-provider-digitalocean#514, #869). So
    a secret that changes is set in the running backend by "backend ready", and goes into the app's spec with its next
    generation.
    """

    app_id: pulumi.Output[str]
    url: pulumi.Output[str]

    def __init__(self, name: str, args: BackendArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("oracle-net:index:Backend", name, None, opts)
        app = digitalocean.App(f"{name}-app", spec=_spec(args), opts=self._options(args))
        self.app_id = app.id
        self.url = app.live_url
        self.register_outputs({"app_id": self.app_id, "url": self.url})

    def _options(self, args: BackendArgs) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(
            parent=self,
            replacement_trigger=args.generation,
            ignore_changes=["spec.envs"],
            custom_timeouts=pulumi.CustomTimeouts(create=args.settings.create_timeout),
            hooks=pulumi.ResourceHookBinding(
                on_error=[pulumi.ErrorHook("backend-failed", args.failed)],
                before_create=[args.before],
                before_update=[args.before],
                after_create=[args.after],
                after_update=[args.after],
            ),
        )


def _spec(args: BackendArgs) -> digitalocean.AppSpecArgs:
    return digitalocean.AppSpecArgs(
        name=app_name(args.settings.app_name, args.generation),
        region=args.settings.region,
        services=[_service(args.settings, args)],
        envs=[
            digitalocean.AppSpecEnvArgs(key=key, value=pulumi.Output.secret(value), type="SECRET", scope="RUN_TIME")
            for key, value in sorted(args.secrets.items())
        ],
    )


def _service(service: BackendSettings, args: BackendArgs) -> digitalocean.AppSpecServiceArgs:
    image = service.image
    plain = {**service.env, RELEASE_VARIABLE: args.release, "GENERATION": str(args.generation)}
    return digitalocean.AppSpecServiceArgs(
        name=service.service,
        http_port=service.port,
        instance_count=service.instances,
        instance_size_slug=service.size,
        image=digitalocean.AppSpecServiceImageArgs(
            registry_type=image.registry_type, registry=image.registry, repository=image.repository, digest=args.digest
        ),
        health_check=digitalocean.AppSpecServiceHealthCheckArgs(http_path=service.health_path),
        envs=[
            digitalocean.AppSpecServiceEnvArgs(key=key, value=value, type="GENERAL", scope="RUN_TIME")
            for key, value in sorted(plain.items())
        ],
    )
