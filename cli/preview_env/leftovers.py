"""What an update had begun to make when it was killed, and the state never heard of."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cli.engine.pulumi import Engine
from cli.ui.errors import CommandError
from clients.app_platform import AppPlatform, AppPlatformError
from clients.workers_api import Workers, WorkersApiError
from settings import Settings
from stack_outputs import owner_of_app, owner_of_worker


def clear(engine: Engine) -> list[str]:
    """Deletes apps and Workers that have the environment's own names; which they were. What carries another stack's
    mark stays. Raises CommandError.

    An upload that broke off is no more than an upload to the next update, which does it again. A destruction knows
    only what is in the state. Nobody else gives these names: each has the pull request's number and another name in it.
    """
    settings = engine.stack.settings()
    refuse_others(engine.stack.name, settings)
    try:
        return [*_workers(engine, settings), *_apps(engine, settings)]
    except (AppPlatformError, WorkersApiError) as error:
        raise CommandError(str(error)) from None


def refuse_others(stack: str, settings: Settings) -> None:
    """Raises CommandError where a name is not the environment's own, as after the file was written by hand."""
    names = [settings.backend.app_name, *(worker.script for worker in settings.workers.values())]
    if others := [name for name in names if not name.startswith(f"{stack}-")]:
        raise CommandError(
            f"{', '.join(others)} in Pulumi.{stack}.yaml is no name of {stack}'s own, so nothing was deleted by name. "
            f"Let the file be written anew: rm Pulumi.{stack}.yaml; then again: oracle review "
            f"{stack.removeprefix('pr-')} --down"
        )


def _workers(engine: Engine, settings: Settings) -> Iterator[str]:
    token = engine.environment.get("CLOUDFLARE_API_TOKEN")
    with Workers(engine.stack.cloudflare, settings.account_id, token) as cloudflare:
        for worker in settings.workers.values():
            bindings = cloudflare.bindings(worker.script)
            if bindings is not None and owner_of_worker(bindings) in (None, str(engine.owner)):
                cloudflare.delete(worker.script)
                yield worker.script


def _apps(engine: Engine, settings: Settings) -> Iterator[str]:
    ours = re.compile(rf"{re.escape(settings.backend.app_name)}(-g\d+(-r\d+)?)?")
    with AppPlatform(engine.stack.digitalocean, engine.environment.get("DIGITALOCEAN_TOKEN")) as platform:
        for name in filter(ours.fullmatch, platform.names()):
            app = platform.find(name)
            if app and owner_of_app(app["spec"]) in (None, str(engine.owner)):
                platform.request("DELETE", f"/v2/apps/{app['id']}")
                yield name
