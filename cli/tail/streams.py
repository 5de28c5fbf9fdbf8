"""A stack's services as streams, and what must not be seen of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from threading import Event

from cli.engine.pulumi import Engine
from cli.engine.workspace import Stack
from cli.status import declared
from cli.status.running import digitalocean_token
from cli.tail.backend import Backend
from cli.tail.follow import Stream
from cli.tail.masking import Mask, secrets_of
from cli.tail.worker import Worker
from cli.ui.errors import CommandError
from clients.app_platform import AppPlatform, AppPlatformError
from clients.workers_api import Workers, WorkersApiError
from settings import Settings

BACKEND = "backend"
TOKENS = ("DIGITALOCEAN_TOKEN", "DIGITALOCEAN_ACCESS_TOKEN", "CLOUDFLARE_API_TOKEN", "PULUMI_CONFIG_PASSPHRASE")


@dataclass(frozen=True)
class Opening:
    services: Mapping[str, Callable[[Event], Stream]]
    """By name; each makes its stream when it is given the event that ends it."""
    mask: Mask


def open_services(stack: Stack, names: Sequence[str], lines: int) -> Opening:
    """Those of that name, all when none is named; the backend's log begins `lines` before its end.

    Raises CommandError.
    """
    settings = stack.settings()
    chosen = _chosen(stack, settings, names)
    engine = Engine(stack)
    app, mask = _read_state(engine)
    made: dict[str, Callable[[Event], Stream]] = {}
    try:
        if BACKEND in chosen:
            token = digitalocean_token(engine.environment)
            platform = AppPlatform(stack.digitalocean, token)
            made[BACKEND] = partial(_backend, platform, engine, settings.backend.service, app, lines)
        for name in (each for each in chosen if each != BACKEND):
            token = engine.environment.get("CLOUDFLARE_API_TOKEN")
            workers = Workers(stack.cloudflare, settings.account_id, token)
            made[name] = partial(_worker, workers, name, settings.workers[name].script, stack.update)
    except (AppPlatformError, WorkersApiError) as error:
        raise CommandError(str(error).replace("oracle env STACK", f"oracle env {stack.name}")) from None
    return Opening(made, mask)


def _chosen(stack: Stack, settings: Settings, names: Sequence[str]) -> list[str]:
    there = [BACKEND, *settings.workers]
    for name in names:
        if name not in there:
            raise CommandError(
                f"There is no service {name}; there are {', '.join(there)}. Follow all: oracle tail -s {stack.name}"
            )
    return [name for name in there if not names or name in names]


def _read_state(engine: Engine) -> tuple[str, Mask]:
    """The id of the backend's app, and a mask of all that the state, or the environment, holds as secret."""
    stack = engine.stack.name
    state = (
        json.loads(engine.run_checked("stack", "export", "--show-secrets", "--stack", stack)).get("deployment") or {}
    )
    try:
        outputs = declared.of(stack, state).outputs
    except declared.Undeclared as error:
        raise CommandError(f"{error}. Deploy it: {engine.stack.update}") from None
    tokens = (engine.environment.get(name, "") for name in TOKENS)
    return outputs.backend_app_id, Mask({*secrets_of(state), *tokens})


def _backend(platform: AppPlatform, engine: Engine, component: str, app: str, lines: int, stop: Event) -> Stream:
    """The state is asked again where the app is gone."""
    update = engine.stack.update
    known = Backend(platform, component, app, lambda: engine.outputs().backend_app_id, update, lines, stop)
    return known.stream


def _worker(workers: Workers, name: str, script: str, update: str, stop: Event) -> Stream:
    return Worker(workers, name, script, update, stop).stream
