"""The resources that a deploy of some services changes, and the description of these changes.

Every resource belongs to the service with which its name begins. The engine updates only the named services' resources
(`--target`), and all other services do not change. There is one exception: another backend has another address, so the
api Worker has to be updated too. It gets its running code from the state, and not its sources.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import advice
from cli.engine.pulumi import resources_in
from cli.ui.errors import CommandError
from errors import STACK, Fix
from settings import Settings
from stack_outputs import ADOPTED, UNBUILT, Outputs, PinnedServices, Release, in_order, short_digest

API_SCRIPT = "api-script"
API_MOVES = frozenset({API_SCRIPT, "api-declared"})
"""The api's resources that follow another backend."""
APP = "backend-app"
DATA = "backend-data"
QUIET = frozenset({"same", "refresh", "read"})
MOVES = frozenset({"replace", "create-replacement", "delete-replaced"})
OURS = ("uptime", "release-archive", "storage")
"""Resources that are updated with every service and are not described."""
CONFIGURED = "default"
"""The provider of our own resources. The engine gives it the stack's configuration, so it changes with any key."""
MADE_BY_HAND = "made by hand"
TO_BE_BUILT = "to be built"
DISCARDED = "discard-replaced"
"""The engine's word for dropping a resource that was only read: nothing is deleted."""
PARTS = {"content": "code", "assets": "files", "bindings": "bindings"}


@dataclass(frozen=True)
class Change:
    """A step of a preview: the resource's own name, the engine's word, and the inputs that change."""

    name: str
    op: str
    inputs: frozenset[str] = frozenset()


@dataclass(frozen=True)
class PlannedChange:
    """The changes of a preview; `new` are the stack's outputs afterwards."""

    changes: tuple[Change, ...] = ()
    new: Mapping[str, Any] = field(default_factory=dict)

    def of(self, service: str) -> list[Change]:
        return [change for change in self.changes if belongs_to_service(change.name, service)]

    def ops(self, name: str) -> set[str]:
        return {change.op for change in self.changes if change.name == name}


def chosen(services: Sequence[str], settings: Settings) -> tuple[str, ...]:
    """Return the services to deploy, in their order; all if none is named. Raises CommandError."""
    every = settings.services
    if unknown := [name for name in services if name not in every]:
        raise CommandError(
            f"There is no service {unknown[0]}. The services are {', '.join(every)}.",
            Fix(f"oracle deploy SERVICE --stack {STACK}", "with one of these names"),
        )
    return tuple(name for name in every if name in services or not services)


def options(services: Sequence[str], settings: Settings) -> list[str]:
    """Return the options that restrict the engine to the services; none when they are all services."""
    return [] if set(services) == set(settings.services) else targets(resources(services))


def resources(services: Sequence[str]) -> tuple[str, ...]:
    """Return the names, with `*`, of the resources that a deploy of the services may change."""
    patterns = [*OURS, "storage-*"]
    for service in services:
        patterns += [service, f"{service}-*", f"uptime-{service}-*"]
    if "backend" in services:
        patterns += ["admin", "admin-*", *sorted(API_MOVES)]
    return tuple(dict.fromkeys(patterns))


def targets(names: Sequence[str]) -> list[str]:
    """Return the options that restrict the engine to resources of these names."""
    return [word for name in names for word in ("--target", f"**::{name}")]


def pinned_services(
    services: Sequence[str], settings: Settings, state: Mapping[str, Any], release: Release
) -> PinnedServices:
    """Return the services that do not change.

    Raises CommandError when the api's code is needed and the state does not have it.
    """
    unchanged = [service for service in settings.services if service not in services]
    module = _inputs(state, API_SCRIPT).get("content")
    if "api" in unchanged and not isinstance(module, str):
        raise CommandError(
            "The state does not contain the code that the Worker api runs, so it cannot be deployed unchanged.",
            Fix(f"oracle deploy {' '.join(in_order({*services, 'api'}))} --stack {STACK}", "to deploy the api too"),
        )
    return PinnedServices(services=unchanged, release=release, api=module or "")


def restarts(state: Mapping[str, Any]) -> int | None:
    """Return how often the backend's container got an empty disk; None before the first completed update."""
    count = next((each["outputs"].get("restart") for each in _resources_named(state, DATA)), None)
    return None if count is None else int(count)


def refuse_loss(
    services: Sequence[str], settings: Settings, outputs: Outputs, state: Mapping[str, Any], stack: str
) -> None:
    """Raise CommandError if the configuration requests other data, which a deploy does not do."""
    running = restarts(state)
    wiped = settings.generation != outputs.generation
    restarted = "backend" in services and running is not None and running != settings.restart
    if wiped or restarted:
        key, runs, asked = (
            ("generation", outputs.generation, settings.generation)
            if wiped
            else ("restart", running or 0, settings.restart)
        )
        back = f"oracle restore {settings.restore_from} {stack}" if settings.restore_from else f"oracle wipe {stack}"
        raise CommandError(
            f"oracle-net:{key} is {asked}, and {runs} is deployed. This is a wipe or a restore that has not finished, "
            "and a deploy does not finish it.",
            Fix(back if wiped else f"oracle wipe --restart {stack}", "to finish it"),
            Fix(f"pulumi config set oracle-net:{key} {runs} --stack {stack}", "to give it up"),
        )


def planned_changes(events: Sequence[Mapping[str, Any]]) -> PlannedChange:
    """Return the changes in a preview's events."""
    changes: list[Change] = []
    new: Mapping[str, Any] = {}
    for event in events:
        metadata = (event.get("resourcePreEvent") or {}).get("metadata")
        if metadata and metadata["op"] not in QUIET:
            changes.append(Change(metadata["urn"].rpartition("::")[2], metadata["op"], _changed(metadata)))
        metadata = (event.get("resOutputsEvent") or {}).get("metadata")
        if metadata and metadata["type"] == "pulumi:pulumi:Stack":
            new = (metadata.get("new") or {}).get("outputs") or {}
    return PlannedChange(tuple(changes), new)


def refuse_unrelated_changes(
    services: Sequence[str], plan: PlannedChange, outputs: Outputs | None, settings: Settings
) -> None:
    """Raise CommandError if another service's release would change, or would be left with an old address."""
    if "backend" in services and "api" not in services:
        other = {key for change in plan.of("api") if change.name == API_SCRIPT for key in change.inputs} - {"bindings"}
        if other or any(change.name not in API_MOVES for change in plan.of("api")):
            raise CommandError(
                "The backend gets another address, so the Worker api has to be updated with it, and api has "
                f"undeployed changes ({', '.join(sorted(other)) or 'its resources'}).",
                Fix(f"oracle deploy backend api --stack {STACK}", "to deploy both"),
            )
    address = plan.new.get("apiUrl")
    behind = [name for name in settings.sites if name not in services]
    if outputs and "api" in services and behind and isinstance(address, str) and address != outputs.api_url:
        raise CommandError(
            f"The api's address becomes {address}, and {' and '.join(behind)} would still use {outputs.api_url}.",
            Fix(
                f"oracle deploy {' '.join(dict.fromkeys([*services, *behind]))} --stack {STACK}",
                "to deploy them together",
            ),
        )


def describe(
    services: Sequence[str], plan: PlannedChange, outputs: Outputs | None, settings: Settings, stack: str
) -> Iterator[str]:
    """Describe the changes of services, restarts and data: one line each."""
    for service in services:
        yield f"{service}: {''.join(_describe(service, plan, outputs, settings, stack))}"
    if "backend" in services and "api" not in services and plan.of("api"):
        yield "api: keeps its code; POCKETBASE_URL and BACKEND follow the backend, without a restart."
    if unchanged := [service for service in settings.services if service not in services]:
        if "backend" in services and plan.of("api"):
            unchanged = [service for service in unchanged if service != "api"]
        yield f"Not touched: {', '.join(unchanged)}."
    own = [change.name for service in settings.services for change in plan.of(service)]
    if others := [change for change in plan.changes if change.name not in (*own, *OURS, CONFIGURED)]:
        yield f"Also: {_listed(others)}."


def belongs_to_service(name: str, service: str) -> bool:
    """Return whether a resource belongs to the service. Some, such as uptime checks, belong to none."""
    first = name.partition("-")[0]
    return first == service or (first == "admin" and service == "backend")


def version(release: Mapping[str, Any], service: str) -> str:
    """Return a service's version in a receipt: twelve hex digits, or words if it has none yet."""
    files = release["assets"].get(service)
    digest = str(release["backend"] if service == "backend" else files or release["workers"].get(service, ""))
    if digest.startswith(UNBUILT):
        return TO_BE_BUILT
    return MADE_BY_HAND if digest.startswith(ADOPTED) else short_digest(digest)


def _describe(service: str, plan: PlannedChange, outputs: Outputs | None, settings: Settings, stack: str) -> str:
    own = plan.of(service)
    if not own:
        return "unchanged."
    if service != "backend":
        return _describe_worker(service, plan, outputs, settings)
    ops = plan.ops(APP)
    if ops & MOVES and outputs:
        return (
            f"a new app takes over from {outputs.backend_app}{_versions(service, plan, outputs)}, with another "
            f"address; {_describe_data(outputs, settings)}; then the old app is backed up, and deleted."
        )
    if "create" in ops:
        return f"a new app{_versions(service, plan, outputs)}, with no data."
    if outputs and any(change.name == DATA and "restart" in change.inputs for change in own):
        return (
            f"{outputs.backend_app} keeps its address and its release; it is backed up, and its container is replaced "
            "by one with an EMPTY disk. Writes wait (503, Retry-After) until it is there."
        )
    # Every change of the program makes another app, so an update in place only comes from a refresh.
    if "update" in ops and outputs and not settings.backend.adopted:
        problem = (
            f"{outputs.backend_app} was changed by hand, so the update would be REFUSED: a deployment of this app "
            "empties its database."
        )
        repair = Fix(f"oracle drift {stack} --repair", "to replace it by another app with the same data")
        return advice.with_fixes(problem, [repair])
    return f"{_listed(own)}; no new app, no restart, the data stays."


def _describe_data(outputs: Outputs, settings: Settings) -> str:
    """Describe the effect on the data when another app takes over."""
    if settings.generation != outputs.generation:
        return (
            f"it starts with the data of the backup {settings.restore_from}"
            if settings.restore_from
            else "it starts EMPTY"
        )
    if settings.data == "ephemeral":
        return "its data is NOT migrated (oracle-net:data is ephemeral)"
    return "its data is migrated: reads go on, writes get 503 and Retry-After until the migration ends"


def _describe_worker(service: str, plan: PlannedChange, outputs: Outputs | None, settings: Settings) -> str:
    script = f"{service}-script"
    ops = plan.ops(script)
    rest = [change for change in plan.of(service) if change.name not in (script, service, f"{service}-declared")]
    also = f" Also: {_listed(rest)}." if rest and "create" not in ops else ""
    if "create" in ops:
        return f"a new Worker{_versions(service, plan, outputs)}."
    if DISCARDED in ops:
        return f"the Worker made by hand gets its first upload from here{_versions(service, plan, outputs)}, in place."
    if ops & MOVES:
        return f"the Worker is deleted and made again.{also}"
    if "update" in ops:
        inputs = {key for change in plan.changes if change.name == script for key in change.inputs}
        versions = _versions(service, plan, outputs)
        # A site's files are one directory, under the same name: only the release shows a difference.
        inputs |= {"assets"} if service in settings.sites and ">" in versions else set()
        if service == "api" and MADE_BY_HAND in versions:
            also = f" POCKETBASE_URL and the admin's login are secrets from then on.{also}"
        parts = [PARTS.get(key, key) for key in sorted(inputs - {"bindings"})] or ["bindings"]
        return f"another version{versions} ({', '.join(parts)}), at once, no restart.{also}"
    return also.strip() or "unchanged."


def _versions(service: str, plan: PlannedChange, outputs: Outputs | None) -> str:
    new = version(plan.new["release"], service) if "release" in plan.new else ""
    old = version(outputs.release, service) if outputs else ""
    if not new or new == old:
        return f", release {old} as before" if old else ""
    return f", release {old} > {new}" if old else f", release {new}"


def _changed(metadata: Mapping[str, Any]) -> frozenset[str]:
    """Return the names of the inputs that differ, including secret ones whose marks alone differ."""
    old, new = ((metadata.get(side) or {}).get("inputs") or {} for side in ("old", "new"))
    return frozenset(key for key in {*old, *new} if old.get(key) != new.get(key) and not key.startswith("__"))


def _listed(changes: Sequence[Change]) -> str:
    return ", ".join(dict.fromkeys(f"{change.op} {change.name}" for change in changes))


def _resources_named(state: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    resources = resources_in(state)
    return [each for each in resources if each["urn"].endswith(f"::{name}") and not each.get("delete")]


def _inputs(state: Mapping[str, Any], name: str) -> dict[str, Any]:
    return next((each.get("inputs") or {} for each in _resources_named(state, name)), {})
