"""The streams of a stack's services, and the mask of its secrets."""

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
from clients.app_platform import AppPlatform
from clients.workers_api import Workers
from errors import Fix
from settings import Settings

BACKEND = "backend"
TOKENS = ("DIGITALOCEAN_TOKEN", "DIGITALOCEAN_ACCESS_TOKEN", "CLOUDFLARE_API_TOKEN", "PULUMI_CONFIG_PASSPHRASE")


@dataclass(frozen=True)
class Opening:
    """The streams of the followed services, and the mask for their output."""

    services: Mapping[str, Callable[[Event], Stream]]
    """By service. Each function makes a stream from the event that ends it."""
    mask: Mask


def open_services(stack: Stack, names: Sequence[str], lines: int) -> Opening:
    """Return the named services, or all without names. The backend's log starts `lines` before its end.

    Raises UserError.
    """
    settings = stack.settings()
    chosen = _chosen(stack, settings, names)
    engine = Engine(stack)
    app, mask = _read_state(engine)
    streams: dict[str, Callable[[Event], Stream]] = {}
    if BACKEND in chosen:
        platform = AppPlatform(stack.digitalocean, digitalocean_token(engine.environment))
        streams[BACKEND] = partial(_backend, platform, engine, settings.backend.service, app, lines)
    for name in (each for each in chosen if each != BACKEND):
        token = engine.environment.get("CLOUDFLARE_API_TOKEN")
        workers = Workers(stack.cloudflare, settings.account_id, token)
        streams[name] = partial(_worker, workers, name, settings.workers[name].script, stack.update)
    return Opening(streams, mask)


def _chosen(stack: Stack, settings: Settings, names: Sequence[str]) -> list[str]:
    available = [BACKEND, *settings.workers]
    for name in names:
        if name not in available:
            raise CommandError(
                f"There is no service {name}. The services are {', '.join(available)}.",
                Fix(f"oracle tail --stack {stack.name}", "to follow all of them"),
            )
    return [name for name in available if not names or name in names]


def _read_state(engine: Engine) -> tuple[str, Mask]:
    """Return the id of the backend's app, and a mask of all secrets in the state and the environment."""
    stack = engine.stack.name
    state = (
        json.loads(engine.run_checked("stack", "export", "--show-secrets", "--stack", stack)).get("deployment") or {}
    )
    try:
        outputs = declared.of(stack, state).outputs
    except declared.Undeclared as error:
        raise CommandError(error.problem, *(error.helps or (Fix(engine.stack.update, "to deploy it"),))) from None
    tokens = (engine.environment.get(name, "") for name in TOKENS)
    return outputs.backend_app_id, Mask({*secrets_of(state), *tokens})


def _backend(platform: AppPlatform, engine: Engine, component: str, app: str, lines: int, stop: Event) -> Stream:
    """Return the backend's stream, which reads the state again if the app is deleted."""
    update = engine.stack.update
    backend = Backend(platform, component, app, lambda: engine.outputs().backend_app_id, update, lines, stop)
    return backend.stream


def _worker(workers: Workers, name: str, script: str, update: str, stop: Event) -> Stream:
    return Worker(workers, name, script, update, stop).stream
