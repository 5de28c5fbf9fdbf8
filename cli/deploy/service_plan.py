"""What a deploy of some services touches, and what it will do, in words.

Every resource belongs to the service whose name it begins with. The engine is held to the named services' resources
(`--target`); what runs stays as it is for all others. One crosses the border: another backend has another address, so
the api Worker has to follow. It does, with the code that runs, as the state has it, and not with its sources.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cli.ui.errors import CommandError
from settings import Settings
from stack_outputs import ADOPTED, UNBUILT, Outputs, PinnedServices, Release, in_order

API_SCRIPT = "api-script"
API_MOVES = frozenset({API_SCRIPT, "api-declared"})
"""What of the api follows another backend."""
APP = "backend-app"
DATA = "backend-data"
QUIET = frozenset({"same", "refresh", "read"})
MOVES = frozenset({"replace", "create-replacement", "delete-replaced"})
OURS = ("uptime", "release-archive", "storage")
"""What goes along with every service, and needs no words."""
CONFIGURED = "default"
"""The provider of our own resources, which the engine gives the stack's configuration: it changes with any key."""
MADE_BY_HAND = "made by hand"
TO_BE_BUILT = "to be built"
DISCARDED = "discard-replaced"
"""The engine's word for forgetting what it has only read: nothing is deleted."""
PARTS = {"content": "code", "assets": "files", "bindings": "bindings"}


@dataclass(frozen=True)
class Change:
    """A step of a preview: the resource's own name, the engine's word, the inputs that change."""

    name: str
    op: str
    inputs: frozenset[str] = frozenset()


@dataclass(frozen=True)
class PlannedChange:
    """What a preview says; `new` are the stack's outputs afterwards."""

    changes: tuple[Change, ...] = ()
    new: Mapping[str, Any] = field(default_factory=dict)

    def of(self, service: str) -> list[Change]:
        return [change for change in self.changes if belongs_to_service(change.name, service)]

    def ops(self, name: str) -> set[str]:
        return {change.op for change in self.changes if change.name == name}


def chosen(services: Sequence[str], settings: Settings) -> tuple[str, ...]:
    """The services to deploy, in their order; all when none is named. Raises CommandError."""
    every = settings.services
    if unknown := [name for name in services if name not in every]:
        raise CommandError(
            f"There is no service {unknown[0]}; name some of {', '.join(every)}: oracle deploy {every[-1]}"
        )
    return tuple(name for name in every if name in services or not services)


def options(services: Sequence[str], settings: Settings) -> list[str]:
    """What holds the engine to the services; nothing when they are all."""
    return [] if set(services) == set(settings.services) else targets(resources(services))


def resources(services: Sequence[str]) -> tuple[str, ...]:
    """The names, with `*`, of the resources that a deploy of the services may change."""
    patterns = [*OURS, "storage-*"]
    for service in services:
        patterns += [service, f"{service}-*", f"uptime-{service}-*"]
    if "backend" in services:
        patterns += ["admin", "admin-*", *sorted(API_MOVES)]
    return tuple(dict.fromkeys(patterns))


def targets(names: Sequence[str]) -> list[str]:
    """The options that hold the engine to resources of these names."""
    return [word for name in names for word in ("--target", f"**::{name}")]


def pinned_services(
    services: Sequence[str], settings: Settings, state: Mapping[str, Any], release: Release
) -> PinnedServices:
    """What stays as it runs. Raises CommandError when the state does not have the api's code, and it is needed."""
    stays = [service for service in settings.services if service not in services]
    module = _inputs(state, API_SCRIPT).get("content")
    if "api" in stays and not isinstance(module, str):
        raise CommandError(
            "The state does not hold the code that the Worker api runs, so it could not be kept; deploy it too: "
            f"oracle deploy {' '.join(in_order({*services, 'api'}))}"
        )
    return PinnedServices(services=stays, release=release, api=module or "")


def restarts(state: Mapping[str, Any]) -> int | None:
    """How often the backend's container was given an empty disk; None before the first update's end."""
    found = next((each["outputs"].get("restart") for each in _named(state, DATA)), None)
    return None if found is None else int(found)


def refuse_loss(
    services: Sequence[str], settings: Settings, outputs: Outputs, state: Mapping[str, Any], stack: str
) -> None:
    """Raises CommandError where the configuration asks for other data: that is no release."""
    seen = restarts(state)
    wiped = settings.generation != outputs.generation
    restarted = "backend" in services and seen is not None and seen != settings.restart
    if wiped or restarted:
        key, runs, asked = (
            ("generation", outputs.generation, settings.generation)
            if wiped
            else ("restart", seen or 0, settings.restart)
        )
        back = f"oracle restore {settings.restore_from} {stack}" if settings.restore_from else f"oracle wipe {stack}"
        raise CommandError(
            f"oracle-net:{key} is {asked}, and {runs} runs: that is a wipe or a restore, and no deploy. Finish it: "
            f"{back if wiped else f'oracle wipe --restart {stack}'}; or take the number back: pulumi config set "
            f"oracle-net:{key} {runs} -s {stack}"
        )


def planned_changes(events: Sequence[Mapping[str, Any]]) -> PlannedChange:
    """A preview's events, read."""
    changes: list[Change] = []
    new: Mapping[str, Any] = {}
    for event in events:
        what = (event.get("resourcePreEvent") or {}).get("metadata")
        if what and what["op"] not in QUIET:
            changes.append(Change(what["urn"].rpartition("::")[2], what["op"], _changed(what)))
        what = (event.get("resOutputsEvent") or {}).get("metadata")
        if what and what["type"] == "pulumi:pulumi:Stack":
            new = (what.get("new") or {}).get("outputs") or {}
    return PlannedChange(tuple(changes), new)


def refuse_unrelated_changes(
    services: Sequence[str], plan: PlannedChange, outputs: Outputs | None, settings: Settings
) -> None:
    """Raises CommandError where another service's release would be touched, or left behind."""
    if "backend" in services and "api" not in services:
        other = {key for change in plan.of("api") if change.name == API_SCRIPT for key in change.inputs} - {"bindings"}
        if other or any(change.name not in API_MOVES for change in plan.of("api")):
            raise CommandError(
                f"backend has to take the Worker api along, since its address moves, and api has changes of its own "
                f"({', '.join(sorted(other)) or 'its resources'}); deploy both: oracle deploy backend api"
            )
    address = plan.new.get("apiUrl")
    behind = [name for name in settings.sites if name not in services]
    if outputs and "api" in services and behind and isinstance(address, str) and address != outputs.api_url:
        raise CommandError(
            f"api moves to {address}, and {' and '.join(behind)} would go on asking {outputs.api_url}; deploy them "
            f"together: oracle deploy {' '.join(dict.fromkeys([*services, *behind]))}"
        )


def describe(
    services: Sequence[str], plan: PlannedChange, outputs: Outputs | None, settings: Settings, stack: str
) -> Iterator[str]:
    """What changes, what restarts, what becomes of the data: one line each."""
    for service in services:
        yield f"{service}: {''.join(_describe(service, plan, outputs, settings, stack))}"
    if "backend" in services and "api" not in services and plan.of("api"):
        yield "api: keeps its code; POCKETBASE_URL and BACKEND follow the backend, without a restart."
    if stays := [service for service in settings.services if service not in services]:
        if "backend" in services and plan.of("api"):
            stays = [service for service in stays if service != "api"]
        yield f"Not touched: {', '.join(stays)}."
    ours = [change.name for service in settings.services for change in plan.of(service)]
    if others := [change for change in plan.changes if change.name not in (*ours, *OURS, CONFIGURED)]:
        yield f"Also: {_listed(others)}."


def belongs_to_service(name: str, service: str) -> bool:
    """Whether a resource is one of a service's; those of none, such as uptime checks, are no service's."""
    first = name.partition("-")[0]
    return first == service or (first == "admin" and service == "backend")


def version(release: Mapping[str, Any], service: str) -> str:
    """A service's version in a receipt, as it calls itself: twelve hex digits; in words where it has none yet."""
    files = release["assets"].get(service)
    found = str(release["backend"] if service == "backend" else files or release["workers"].get(service, ""))
    if found.startswith(UNBUILT):
        return TO_BE_BUILT
    return MADE_BY_HAND if found.startswith(ADOPTED) else found.removeprefix("sha256:")[:12]


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
            f"address; {_describe_data(outputs, settings)}; then a verified backup of the old app is kept, and it is "
            "deleted."
        )
    if "create" in ops:
        return f"a new app{_versions(service, plan, outputs)}, with no data."
    if outputs and any(change.name == DATA and "restart" in change.inputs for change in own):
        return (
            f"{outputs.backend_app} keeps its address and its release; it is backed up, and its container is replaced "
            "by one with an EMPTY disk. Writes wait (503, Retry-After) until it is there."
        )
    # Whatever the program declares is another app, so an update in place is only of what a refresh found.
    if "update" in ops and outputs and not settings.backend.adopted:
        return (
            f"{outputs.backend_app} was changed by hand, so the update would be REFUSED: a deployment over it empties "
            f"its database. Another app beside it takes its data over: oracle drift {stack} --repair"
        )
    return f"{_listed(own)}; no new app, no restart, the data stays."


def _describe_data(outputs: Outputs, settings: Settings) -> str:
    """What becomes of the data when another app takes over."""
    if settings.generation != outputs.generation:
        return f"it starts with what is in {settings.restore_from}" if settings.restore_from else "it starts EMPTY"
    if settings.data == "ephemeral":
        return "its data does NOT go along (oracle-net:data is ephemeral)"
    return "its data is carried over: reads go on, writes wait (503, Retry-After) until it is there"


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
        # A site's files are one directory, under the same name: that they differ shows in the release.
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


def _changed(what: Mapping[str, Any]) -> frozenset[str]:
    """The names of the inputs that differ; secret ones differ where they are only marked otherwise."""
    old, new = ((what.get(side) or {}).get("inputs") or {} for side in ("old", "new"))
    return frozenset(key for key in {*old, *new} if old.get(key) != new.get(key) and not key.startswith("__"))


def _listed(changes: Sequence[Change]) -> str:
    return ", ".join(dict.fromkeys(f"{change.op} {change.name}" for change in changes))


def _named(state: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    resources = (state.get("deployment") or {}).get("resources") or []
    return [each for each in resources if each["urn"].endswith(f"::{name}") and not each.get("delete")]


def _inputs(state: Mapping[str, Any], name: str) -> dict[str, Any]:
    return next((each.get("inputs") or {} for each in _named(state, name)), {})
