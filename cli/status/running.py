"""The running release of each service of a stack, from its cloud's API, and its response."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from cli.engine.pulumi import Engine
from cli.runs.report import Row
from cli.status import clouds
from cli.status.clouds import AppFacts, CloudTrouble, WorkerFacts
from cli.status.probe import Answer, gather_with_deadline, get
from settings import Settings
from stack_outputs import short_digest

ONE = 10.0
"""Seconds for one request."""
ALL = 30.0
"""Seconds for everything together."""


def rows(engine: Engine) -> list[Row]:
    """Return a row for each service. The release is empty if the cloud's API has none.

    Raises CommandError if nothing is deployed.
    """
    outputs, settings = engine.outputs(), engine.stack.settings()
    addresses = outputs.addresses
    results = gather_with_deadline(questions(engine, settings, addresses, outputs.backend_app_id, ONE), ALL)
    facts = {"backend": results["app"], **{name: results[f"script {name}"] for name in settings.workers}}
    return [
        Row(name, _release(settings, facts[name]), _answer(settings, name, results[f"health {name}"]), url)
        for name, url in addresses.items()
    ]


def questions(
    engine: Engine, settings: Settings, addresses: Mapping[str, str], app: str | None, seconds: float
) -> dict[str, Callable[[], Any]]:
    """Return the reads by name: `app` and each `script NAME` from the clouds, each `health NAME` from its health path.

    The app's id is None if the state does not have it.
    """
    stack, environment = engine.stack, engine.environment
    token = digitalocean_token(environment)
    reads: dict[str, Callable[[], Any]] = {
        "app": partial(clouds.fetch_app, stack.digitalocean, token, app, seconds) if app else _unknown_app
    }
    token = environment.get("CLOUDFLARE_API_TOKEN")
    for name, worker in settings.workers.items():
        where = (stack.cloudflare, settings.account_id, token, worker.script)
        reads[f"script {name}"] = partial(clouds.fetch_worker, *where, seconds)
    for name, address in addresses.items():
        reads[f"health {name}"] = partial(get, f"{address}{settings.health[name].path}", seconds)
    return reads


def digitalocean_token(environment: Mapping[str, str]) -> str | None:
    """Return the token, from either of the variables that DigitalOcean's own tools use."""
    return environment.get("DIGITALOCEAN_TOKEN") or environment.get("DIGITALOCEAN_ACCESS_TOKEN")


def _unknown_app() -> CloudTrouble:
    return CloudTrouble(why="unknown", text="The app's id is in the state only")


def _release(settings: Settings, facts: object) -> str:
    """Return the first 12 digits of the release that the app's deployment or the Worker's version reports."""
    release = facts.release(settings.backend.service) if isinstance(facts, AppFacts) else None
    if isinstance(facts, WorkerFacts):
        release = facts.release
    return short_digest(release)


def _answer(settings: Settings, name: str, answer: object) -> str:
    if not isinstance(answer, Answer):
        return "no answer in time"
    return "ok" if settings.health[name].accepts(answer.status) else str(answer)
