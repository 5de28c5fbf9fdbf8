"""What each service of a stack runs, as its cloud says it, and whether it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from appplatform import variable
from ops.engine import Engine
from ops.report import Row
from ops.status import clouds
from ops.status.asking import Answer, get, together
from ops.status.clouds import AppFacts, WorkerFacts
from settings import Settings

ONE = 10.0
"""Seconds for one request."""
ALL = 30.0
"""Seconds for everything together."""


def rows(engine: Engine) -> list[Row]:
    """A row for each service; its release is empty where its cloud tells none. Raises Failure when none is deployed."""
    outputs, settings = engine.outputs(), engine.stack.settings()
    addresses = outputs.addresses
    found = together(_questions(engine, settings, addresses, outputs.backend_app_id), ALL)
    return [
        Row(name, _release(settings, found.get(f"cloud {name}")), _answer(settings, name, found[f"answer {name}"]), url)
        for name, url in addresses.items()
    ]


def _questions(
    engine: Engine, settings: Settings, addresses: Mapping[str, str], app: str
) -> dict[str, Callable[[], Any]]:
    stack, environment = engine.stack, engine.environment
    token = environment.get("DIGITALOCEAN_TOKEN") or environment.get("DIGITALOCEAN_ACCESS_TOKEN")
    questions: dict[str, Callable[[], Any]] = {
        "cloud backend": partial(clouds.look_at_app, stack.digitalocean, token, app, ONE)
    }
    token = environment.get("CLOUDFLARE_API_TOKEN")
    for name, worker in settings.workers.items():
        where = (stack.cloudflare, settings.account_id, token, worker.script)
        questions[f"cloud {name}"] = partial(clouds.look_at_worker, *where, ONE)
    for name, address in addresses.items():
        questions[f"answer {name}"] = partial(get, f"{address}{settings.health[name].path}", ONE)
    return questions


def _release(settings: Settings, facts: object) -> str:
    """The first twelve digits of the variable that each upload and each deployment carries."""
    release = None
    if isinstance(facts, AppFacts) and facts.active:
        release = variable(dict(facts.active["spec"]), settings.backend.service, "RELEASE")
    if isinstance(facts, WorkerFacts):
        release = (facts.bindings.get("RELEASE") or {}).get("text")
    return (release or "").removeprefix("sha256:")[:12]


def _answer(settings: Settings, name: str, answer: object) -> str:
    if not isinstance(answer, Answer):
        return "no answer in time"
    return "ok" if settings.health[name].accepts(answer.status) else str(answer)
