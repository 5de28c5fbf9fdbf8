"""Check the owners of the apps, Workers and domains with a stack's names. An update refuses another owner's."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from cli.doctor.model import Finding, again, from_error
from cli.engine.pulumi import Engine, bounded, resources_in
from cli.engine.workspace import Stack
from clients.app_platform import AppPlatform
from clients.workers_api import Workers
from errors import UserError
from programs import OutOfTime
from settings import Settings
from stack_outputs import key_of, owner_of_app, owner_of_worker

SECONDS = 8.0
"""The limit for reading the state, and for each request to a cloud."""


def owners(stack: Stack, settings: Settings, environment: Mapping[str, str]) -> Iterator[Finding]:
    """Find resources of other owners: neither in the stack's state nor marked with its owner."""
    owner, known = str(Engine(stack).owner), _names_in_state(stack, environment)
    try:
        foreign = [*_app(stack, settings, environment, owner), *_workers(stack, settings, environment, owner)]
    except UserError as error:
        unknown = UserError("the names could not be checked", cause=error)
        yield from_error("names", unknown, stack.name, again(stack.name), "warn")
        return
    findings = [each for name, mark, each in foreign if mark or name not in known]
    yield from findings or [Finding("names", "ok", "no resource of another stack, and none without an owner, has them")]


Named = tuple[str, str | None, Finding]
"""A resource's name in the state, the owner that is written on it, and its finding."""


def _app(stack: Stack, settings: Settings, environment: Mapping[str, str], owner: str) -> Iterator[Named]:
    token = environment.get("DIGITALOCEAN_TOKEN") or environment.get("DIGITALOCEAN_ACCESS_TOKEN")
    with AppPlatform(stack.digitalocean, token, timeout=SECONDS) as platform:
        app = platform.find(settings.backend.app_name)
    if app and (mark := owner_of_app(app["spec"])) != owner:
        what = f"the app {settings.backend.app_name} exists"
        yield "backend-app", mark, _finding(what, mark, "backend.appName", stack)


def _workers(stack: Stack, settings: Settings, environment: Mapping[str, str], owner: str) -> Iterator[Named]:
    token = environment.get("CLOUDFLARE_API_TOKEN")
    with Workers(stack.cloudflare, settings.account_id, token, timeout=SECONDS) as workers:
        for service, worker in settings.workers.items():
            bindings = workers.bindings(worker.script)
            if bindings is not None and (mark := owner_of_worker(bindings)) != owner:
                what = f"the Worker {worker.script} exists"
                yield f"{service}-script", mark, _finding(what, mark, f"{key_of(service)}.script", stack)
            script = workers.leads_to(worker.domain.hostname) if worker.domain else None
            if worker.domain is None or script is None or script == worker.script:
                continue
            if (mark := owner_of_worker(workers.bindings(script) or {})) != owner:
                what = f"the domain {worker.domain.hostname} leads to the Worker {script}"
                yield f"{service}-domain", mark, _finding(what, mark, f"{key_of(service)}.domain.hostname", stack)


def _finding(what: str, mark: str | None, key: str, stack: Stack) -> Finding:
    rename = f"pulumi config set --path oracle-net:{key} NAME --stack {stack.name}"
    if mark:
        return Finding("names", "fail", f"{what} and belongs to {mark}, so an update is refused", rename)
    unowned = f"{what} and has no owner, so an update is refused. Adopt it, or choose another name with `{rename}`"
    return Finding("names", "fail", unowned, f"oracle adopt {stack.name}")


def _names_in_state(stack: Stack, environment: Mapping[str, str]) -> set[str]:
    """Return the names of the resources in the state, empty without a state."""
    words = ("stack", "export", "--stack", stack.name)
    try:
        done = bounded(stack.project, environment, SECONDS, *words)
        document: dict[str, Any] = json.loads(done.output) if done.status == 0 else {}
    except (OutOfTime, OSError, ValueError):
        return set()
    resources = resources_in(document)
    return {each["urn"].rpartition("::")[2] for each in resources}
