"""Refuse to adopt code with the backend's address in it, which the backend's first release changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from artifacts.addresses import FIX, WHY, BackendAddresses, fix, origin, places
from cli.adopt.discover import LiveResources
from cli.engine.pulumi import Engine
from clients.workers_api import Workers
from errors import STACK, Fix, Remedy, UserError
from settings import API, Settings, other_stacks

Code = Mapping[str, Mapping[str, bytes]]
"""The modules of the running Workers: their content by name, by service."""


def fetch_code(engine: Engine, settings: Settings) -> Code:
    """Download the code that the Workers run. Raises UserError when Cloudflare does not return it."""
    token = engine.environment.get("CLOUDFLARE_API_TOKEN")
    with Workers(engine.stack.cloudflare, settings.account_id, token) as cloudflare:
        return {name: cloudflare.modules(worker.script) for name, worker in settings.workers.items()}


def address_refusals(
    settings: Settings, live: LiveResources, code: Code, services: tuple[str, ...], project: Path
) -> Iterator[UserError]:
    """Yield a refusal for each service whose running code or checkout contains the backend's address."""
    others = other_stacks(settings, project).app_names
    addresses = BackendAddresses.of(settings.backend.app_name, live.hostnames, others)
    for name in (each for each in services if each in settings.workers):
        yield from _running_code_refusals(addresses, name, settings, live, code.get(name) or {})
        yield from _checkout_refusals(addresses, name, settings, project)


def _running_code_refusals(
    addresses: BackendAddresses, name: str, settings: Settings, live: LiveResources, modules: Mapping[str, bytes]
) -> Iterator[UserError]:
    uses = [each for file, content in modules.items() for each in addresses.find(content, file)]
    if not uses:
        return
    script = settings.workers[name].script
    yield UserError(
        f"{script} runs code with the backend's address written in it: {places(uses)}. {WHY}.",
        Fix("npx wrangler deploy", first=", then ".join(_steps(name, script, live)), then=Remedy.RETRY),
    )


def _steps(name: str, script: str, live: LiveResources) -> Iterator[str]:
    """Yield the steps that remove the address from code that was deployed by hand, in order."""
    worker = live.workers.get(name)
    if name != API:
        yield "let it call the API instead"
        return
    if worker and "POCKETBASE_URL" not in worker.bindings:
        yield f"run `npx wrangler secret put POCKETBASE_URL --name {script}` and enter {live.url}"
    yield FIX


def _checkout_refusals(
    addresses: BackendAddresses, name: str, settings: Settings, project: Path
) -> Iterator[UserError]:
    worker = settings.workers[name]
    uses = list(addresses.find_in_checkout(worker, project))
    if uses:
        comes_from = origin(list(addresses.find_in_sources(worker, project)))
        build = f"oracle build {name} --stack {STACK}" if worker.build else ""
        yield UserError(
            f"The checkout of {name} has the backend's address written in it: {places(uses)}{comes_from}. {WHY}.",
            Fix(build, first=fix(name, worker), then=Remedy.RETRY),
        )
