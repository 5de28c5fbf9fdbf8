"""Delete resources that a killed update created and did not record in the state."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cli.engine.pulumi import Engine
from cli.ui.errors import CommandError
from clients.app_platform import AppPlatform
from clients.workers_api import Workers
from errors import Fix
from settings import Settings
from stack_outputs import owner_of_app, owner_of_worker


def clear(engine: Engine) -> list[str]:
    """Delete apps and Workers that have the environment's names, and return their names. Raises UserError.

    Another owner's resources are not deleted. The next update repeats an interrupted upload, but a destroy deletes only
    the resources in the state. Nobody else uses these names: each contains the pull request's number.
    """
    settings = engine.stack.settings()
    refuse_others(engine.stack.name, settings)
    return [*_workers(engine, settings), *_apps(engine, settings)]


def refuse_others(stack: str, settings: Settings) -> None:
    """Refuse names that are not the environment's own, such as in a file written by hand. Raises CommandError."""
    names = [settings.backend.app_name, *(worker.script for worker in settings.workers.values())]
    if others := [name for name in names if not name.startswith(f"{stack}-")]:
        raise CommandError(
            f"{', '.join(others)} in Pulumi.{stack}.yaml does not begin with {stack}-, so nothing was deleted by name.",
            Fix(f"rm Pulumi.{stack}.yaml", then=f"oracle review {stack.removeprefix('pr-')} --down"),
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
    pattern = re.compile(rf"{re.escape(settings.backend.app_name)}(-g\d+(-r\d+)?)?")
    with AppPlatform(engine.stack.digitalocean, engine.environment.get("DIGITALOCEAN_TOKEN")) as platform:
        for name in filter(pattern.fullmatch, platform.names()):
            app = platform.find(name)
            if app and owner_of_app(app["spec"]) in (None, str(engine.owner)):
                platform.request("DELETE", f"/v2/apps/{app['id']}")
                yield name
