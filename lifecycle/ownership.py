"""Refuse to change resources that another stack or a person made.

App Platform refuses a name that is taken. Cloudflare overwrites a Worker and moves a domain without an error, and a
stack with a copied state deletes the resources of the original. So every app, Worker and uptime check carries its owner
(stack_outputs.py), and a domain belongs to the Worker that it leads to. Hooks of these resources check the owner, in
previews too:

- create: the resource may exist only with this stack as owner, for example after an update that was killed
- update, delete: the resource may not have another owner. A missing owner is drift (`wrangler deploy` drops plain
  bindings), which the update repairs
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pulumi

from clients.app_platform import AppPlatform
from clients.workers_api import Workers
from errors import STACK, First, Fix, SetKey, UserError
from lifecycle.clouds import Clouds
from lifecycle.errors import Hook, guarded, in_thread
from lifecycle.naming import owner
from programs import OutOfTime, run
from stack_outputs import Owner, key_of, owner_of_app, owner_of_check, owner_of_worker

if TYPE_CHECKING:  # the dynamic providers' host imports this module at each run, and needs no configuration
    from settings import Settings

SCRIPT = "cloudflare:index/workersScript:WorkersScript"
SUBDOMAIN = "cloudflare:index/workersScriptSubdomain:WorkersScriptSubdomain"
DOMAIN = "cloudflare:index/workersCustomDomain:WorkersCustomDomain"
CHECK = "digitalocean:index/uptimeCheck:UptimeCheck"
ALERT = "digitalocean:index/uptimeAlert:UptimeAlert"
COUNTED = re.compile(r"-g\d+(-r\d+)?$")
"""The end of the names of all apps but the first. No app with such a name can be adopted."""
STATE_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class Names:
    """The names in the clouds of the resources that a stack will make, by service; without adopted ones."""

    app: str | None
    scripts: Mapping[str, str]
    domains: Mapping[str, tuple[str, str]]
    """Host name and the script that it will lead to."""

    @classmethod
    def of(cls, settings: Settings) -> Names:
        own = {service: each for service, each in settings.workers.items() if not each.adopted}
        return cls(
            app=None if settings.backend.adopted else settings.backend.app_name,
            scripts={service: each.script for service, each in own.items()},
            domains={service: (each.domain.hostname, each.script) for service, each in own.items() if each.domain},
        )

    @classmethod
    def read(cls, props: Mapping[str, Any]) -> Names:
        """Read the names from a resource's properties, in which pairs are lists and None is left out."""
        pairs = {service: (hostname, script) for service, (hostname, script) in props["domains"].items()}
        return cls(app=props.get("app"), scripts=props["scripts"], domains=pairs)


class Ownership:
    """Hooks for a Worker's resources and for uptime checks: `making` for a resource that the stack may create, `having`
    for one that it only updates and deletes.
    """

    def __init__(self, cloudflare: str, account: str, digitalocean: str) -> None:
        checks = OwnerChecks(Clouds(), cloudflare, account, digitalocean, str(owner()))
        always = pulumi.ResourceHookOptions(on_dry_run=True)
        create, update, delete = (
            pulumi.ResourceHook(f"owner-before-{name}", _hook(check), always)
            for name, check in (("create", checks.create), ("update", checks.change), ("delete", checks.change))
        )
        self.having = pulumi.ResourceHookBinding(before_update=[update], before_delete=[delete])
        self.making = pulumi.ResourceHookBinding.merge(self.having, pulumi.ResourceHookBinding(before_create=[create]))

    @classmethod
    def of(cls, settings: Settings) -> Ownership:
        from settings import cloudflare_endpoint, digitalocean_endpoint

        return cls(cloudflare_endpoint(), settings.account_id, digitalocean_endpoint())


class OwnerChecks:
    """What these hooks check. `owner` is the stack."""

    def __init__(self, clouds: Clouds, cloudflare: str, account: str, digitalocean: str, owner: str) -> None:
        self._workers = partial(clouds.workers, cloudflare, account)
        self._app_platform = partial(clouds.app_platform, digitalocean)
        self._owner = owner

    def create(self, args: pulumi.ResourceHookArgs) -> None:
        """Raises UserError if the resource exists and is not the stack's."""
        inputs, service = args.new_inputs or {}, args.name.partition("-")[0]
        key = "scriptName" if args.type == SCRIPT else "hostname"
        with self._workers() as workers:
            bindings = workers.bindings(inputs[key]) if args.type == SCRIPT else None
            if args.type == SCRIPT:
                taken = _taken_worker(bindings, service, inputs[key], self._owner)
            else:
                taken = _taken_domain(workers, service, inputs[key], inputs["service"], self._owner)
        if taken and (taken.mark or not self._in_state(args.urn, key, inputs[key])):
            raise taken.error(self._owner)
        if bindings is not None and not taken and (other := self._other_service(args.urn, key, inputs[key])):
            raise _renamed_service(other, service, inputs[key])

    def change(self, args: pulumi.ResourceHookArgs) -> None:
        """Raises UserError if the resource has another owner."""
        old = {**(args.old_inputs or {}), **(args.old_outputs or {})}
        if args.type in (CHECK, ALERT):
            with self._app_platform() as platform:
                name = platform.check_name(args.id if args.type == CHECK else old["checkId"]) or ""
            refuse_other(f"The uptime check {name}", owner_of_check(name), self._owner, args.urn)
            return
        with self._workers() as workers:
            script = workers.leads_to(old["hostname"]) if args.type == DOMAIN else old["scriptName"]
            mark = _script_owner(workers, script) if script else None
        what = f"The Worker {script}"
        if args.type == DOMAIN:
            what = f"The domain {old['hostname']}, which leads to the Worker {script},"
        refuse_other(what, mark, self._owner, args.urn)

    def _in_state(self, urn: str, key: str, name: str) -> bool:
        """Return whether the state has the resource under this name although the engine is about to create it.

        That happens for an adopted site, which the engine has only read, and for a domain that somebody has led
        elsewhere. The hook's arguments do not show it.
        """
        return any(each["urn"] == urn and (each.get("outputs") or {}).get(key) == name for each in self._state())

    def _other_service(self, urn: str, key: str, name: str) -> str:
        """Return another service in the state with this Worker; empty if there is no such service.

        At the end of the update, the deletion of that service's Worker would delete the new one too.
        """
        kind = urn.rpartition("::")[0]
        others = (each["urn"] for each in self._state() if (each.get("outputs") or {}).get(key) == name)
        existing = (other.rpartition("::")[2] for other in others if other != urn and other.rpartition("::")[0] == kind)
        return next((each.partition("-")[0] for each in existing), "")

    def _state(self) -> list[dict[str, Any]]:
        command = ["pulumi", "stack", "export", "--stack", self._owner, "--non-interactive"]
        try:
            done = run(command, seconds=STATE_SECONDS, cwd=Path.cwd())
            return json.loads(done.output)["deployment"].get("resources") or []
        except (OSError, OutOfTime, ValueError, KeyError):
            return []


@dataclass(frozen=True)
class Taken:
    """An existing resource that does not belong to the stack. `key` is the configuration key of its name."""

    what: str
    mark: str | None
    key: str
    adoptable: bool = True

    def error(self, ours: str) -> UserError:
        mark = f"belongs to {self.mark}" if self.mark else "has no owner"
        adopt = [Fix(f"oracle adopt {STACK}", "to adopt it")] if self.adoptable and not self.mark else []
        return UserError(
            f"{self.what} exists already and does not belong to {ours}: it {mark}.",
            *adopt,
            SetKey(f"oracle-net:{self.key}", "NAME"),
        )


def refuse_existing(platform: AppPlatform, workers: Workers, names: Names, ours: str) -> None:
    """Raises UserError if resources exist under the names of a stack that has made nothing yet."""
    existing = [_taken_app(platform, names.app, ours)] if names.app else []
    existing += [
        _taken_worker(workers.bindings(script), service, script, ours)
        for service, script in sorted(names.scripts.items())
    ]
    existing += [
        _taken_domain(workers, service, hostname, script, ours)
        for service, (hostname, script) in sorted(names.domains.items())
    ]
    taken = [each for each in existing if each]
    if len(taken) == 1:
        raise taken[0].error(ours)
    if taken:
        named = ", ".join(f"{each.what} ({f'of {each.mark}' if each.mark else 'no owner'})" for each in taken)
        adopt = [] if all(each.mark for each in taken) else [Fix(f"oracle adopt {STACK}", "to adopt those without one")]
        raise UserError(
            f"These resources exist already and do not belong to {ours}: {named}.",
            Fix(f"oracle doctor {STACK}", "to see the keys of their names, and choose other names"),
            *adopt,
        )


def refuse_existing_app(platform: AppPlatform, name: str, ours: str) -> None:
    """Raises UserError if an app of that name exists that is not in the state: app names are unique."""
    if taken := _taken_app(platform, name, ours):
        raise taken.error(ours)


def _renamed_service(before: str, after: str, script: str) -> UserError:
    return UserError(
        f"The Worker {script} is the service {before} of this stack, but the configuration calls it {after}. The "
        "update would delete it at its end.",
        First(f"rename {after} to {before} in Pulumi.{STACK}.yaml"),
        SetKey(f"oracle-net:{key_of(after)}.script", "NAME"),
    )


def _taken_app(platform: AppPlatform, name: str, ours: str) -> Taken | None:
    """Return the app if it does not belong to the stack. Raises UserError if it does and is not in the state."""
    app = platform.find(name)
    if app is None:
        return None
    mark = owner_of_app(app["spec"])
    if mark == ours:
        raise UserError(
            f"The app {name} belongs to {ours}, but it is not in its state.",
            Fix(f"oracle recover {STACK}", "if an update that was killed made it"),
            Fix(f"oracle adopt {STACK}", "if the state was lost"),
        )
    return Taken(f"The app {name}", mark, "backend.appName", adoptable=not COUNTED.search(name))


def _taken_worker(bindings: Mapping[str, Any] | None, service: str, script: str, ours: str) -> Taken | None:
    """Return the Worker with these bindings if it does not belong to the stack: an upload would replace it."""
    mark = owner_of_worker(bindings or {})
    if bindings is None or mark == ours:
        return None
    return Taken(f"The Worker {script}", mark, f"{key_of(service)}.script")


def _taken_domain(workers: Workers, service: str, hostname: str, script: str, ours: str) -> Taken | None:
    """Return the domain if it leads to a Worker that does not belong to the stack: attaching would move it silently."""
    current = workers.leads_to(hostname)
    if current is None or current == script or (mark := _script_owner(workers, current)) == ours:
        return None
    return Taken(
        f"The domain {hostname}, which leads to the Worker {current},", mark, f"{key_of(service)}.domain.hostname"
    )


def refuse_other(what: str, mark: str | None, ours: str, urn: str = "") -> None:
    """Raises UserError if a resource of the stack has another owner. `urn` is its URN in the state."""
    if mark is None or mark == ours:
        return
    stack = Owner.of(ours).stack
    forget = Fix(f"pulumi state delete '{urn}' --stack {stack}", "to remove it from this stack's state")
    names = Fix(f"oracle doctor {stack}", "to see which names are taken")
    raise UserError(f"{what} belongs to {mark}, not to {ours}, so it is not changed.", forget if urn else names)


def _script_owner(workers: Workers, script: str) -> str | None:
    return owner_of_worker(workers.bindings(script) or {})


def _hook(check: Callable[[pulumi.ResourceHookArgs], None]) -> Hook:
    return guarded(partial(in_thread, check))
