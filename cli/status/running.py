"""What each service of a stack runs, as its cloud says it, and whether it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from cli.engine.pulumi import Engine
from cli.runs.report import Row
from cli.status import clouds
from cli.status.clouds import AppFacts, CloudTrouble, WorkerFacts
from cli.status.model import short
from cli.status.probe import Answer, gather_with_deadline, get
from settings import Settings

ONE = 10.0
"""Seconds for one request."""
ALL = 30.0
"""Seconds for everything together."""


def rows(engine: Engine) -> list[Row]:
    """A row for each service; its release is empty where its cloud shows none.

    Raises CommandError when none is deployed.
    """
    outputs, settings = engine.outputs(), engine.stack.settings()
    addresses = outputs.addresses
    found = gather_with_deadline(questions(engine, settings, addresses, outputs.backend_app_id, ONE), ALL)
    facts = {"backend": found["app"], **{name: found[f"script {name}"] for name in settings.workers}}
    return [
        Row(name, _release(settings, facts[name]), _answer(settings, name, found[f"front {name}"]), url)
        for name, url in addresses.items()
    ]


def questions(
    engine: Engine, settings: Settings, addresses: Mapping[str, str], app: str | None, seconds: float
) -> dict[str, Callable[[], Any]]:
    """What the clouds say of `app` and of each `script NAME`, and how each `front NAME` answers when asked for its
    health. The app's id is None where the state does not tell it.
    """
    stack, environment = engine.stack, engine.environment
    token = digitalocean_token(environment)
    found: dict[str, Callable[[], Any]] = {
        "app": partial(clouds.fetch_app, stack.digitalocean, token, app, seconds) if app else _unknown_app
    }
    token = environment.get("CLOUDFLARE_API_TOKEN")
    for name, worker in settings.workers.items():
        where = (stack.cloudflare, settings.account_id, token, worker.script)
        found[f"script {name}"] = partial(clouds.fetch_worker, *where, seconds)
    for name, address in addresses.items():
        found[f"front {name}"] = partial(get, f"{address}{settings.health[name].path}", seconds)
    return found


def digitalocean_token(environment: Mapping[str, str]) -> str | None:
    """By either of the names that DigitalOcean's own tools know."""
    return environment.get("DIGITALOCEAN_TOKEN") or environment.get("DIGITALOCEAN_ACCESS_TOKEN")


def _unknown_app() -> CloudTrouble:
    return CloudTrouble(why="unknown", text="The app's id is in the state only")


def _release(settings: Settings, facts: object) -> str:
    """The first twelve digits of the release that the app's deployment or the Worker's version carries."""
    release = facts.release(settings.backend.service) if isinstance(facts, AppFacts) else None
    if isinstance(facts, WorkerFacts):
        release = facts.release
    return short(release)


def _answer(settings: Settings, name: str, answer: object) -> str:
    if not isinstance(answer, Answer):
        return "no answer in time"
    return "ok" if settings.health[name].accepts(answer.status) else str(answer)
