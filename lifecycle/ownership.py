"""Refuse to touch what another stack, or a person, has made.

App Platform refuses a name twice. Cloudflare overwrites a Worker, and moves a domain, without a word; and a copied
state deletes what the original runs. So every app, Worker and uptime check carries its owner (stack_outputs.py), a
domain belongs to the Worker that it leads to, and hooks of these resources look at the owner, in previews too:

- create: the thing may exist only if it carries this stack's mark, as after an update that was killed
- update, delete: it may not carry another stack's mark. A missing one is drift (`wrangler deploy` drops plain
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
from lifecycle.errors import Hook, UserError, guarded, in_thread
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
"""Ends the names of apps after the first; by such a name nothing is adopted."""
STATE_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class Names:
    """What a stack will make, by service, as the clouds know it; without what is adopted."""

    app: str | None
    scripts: Mapping[str, str]
    domains: Mapping[str, tuple[str, str]]
    """Each with the script that it is to lead to."""

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
        """From a resource's properties, in which there are no pairs, and which lack what is None."""
        pairs = {service: (hostname, script) for service, (hostname, script) in props["domains"].items()}
        return cls(app=props.get("app"), scripts=props["scripts"], domains=pairs)


class Ownership:
    """Produces hooks for a Worker's resources and for uptime checks: `making`, of one that the stack may have to
    create, and `having`, of one that it only has.
    """

    def __init__(self, cloudflare: str, account: str, digitalocean: str) -> None:
        self._cloudflare, self._account, self._digitalocean = cloudflare, account, digitalocean
        self._owner = str(owner())
        always = pulumi.ResourceHookOptions(on_dry_run=True)
        create, update, delete = (
            pulumi.ResourceHook(f"owner-before-{name}", _hook(check), always)
            for name, check in (("create", self._create), ("update", self._change), ("delete", self._change))
        )
        self.having = pulumi.ResourceHookBinding(before_update=[update], before_delete=[delete])
        self.making = pulumi.ResourceHookBinding.merge(self.having, pulumi.ResourceHookBinding(before_create=[create]))

    @classmethod
    def of(cls, settings: Settings) -> Ownership:
        from settings import cloudflare_endpoint, digitalocean_endpoint

        return cls(cloudflare_endpoint(), settings.account_id, digitalocean_endpoint())

    def _create(self, args: pulumi.ResourceHookArgs) -> None:
        inputs, service = args.new_inputs or {}, args.name.partition("-")[0]
        key = "scriptName" if args.type == SCRIPT else "hostname"
        with Workers(self._cloudflare, self._account) as workers:
            bindings = workers.bindings(inputs[key]) if args.type == SCRIPT else None
            if args.type == SCRIPT:
                taken = _taken_worker(bindings, service, inputs[key], self._owner)
            else:
                taken = _taken_domain(workers, service, inputs[key], inputs["service"], self._owner)
        if taken and (taken.mark or not self._has(args.urn, key, inputs[key])):
            raise UserError(taken.sentence(self._owner))
        if bindings is not None and not taken and (other := self._other(args.urn, key, inputs[key])):
            raise UserError(_renaming(other, service, inputs[key], self._owner))

    def _change(self, args: pulumi.ResourceHookArgs) -> None:
        old = {**(args.old_inputs or {}), **(args.old_outputs or {})}
        if args.type in (CHECK, ALERT):
            with AppPlatform(self._digitalocean) as platform:
                name = platform.check_name(args.id if args.type == CHECK else old["checkId"]) or ""
            refuse_other(f"The uptime check {name}", owner_of_check(name), self._owner, args.urn)
            return
        with Workers(self._cloudflare, self._account) as workers:
            script = workers.leads_to(old["hostname"]) if args.type == DOMAIN else old["scriptName"]
            mark = _mark(workers, script) if script else None
        what = f"The Worker {script}"
        if args.type == DOMAIN:
            what = f"The domain {old['hostname']}, which leads to the Worker {script},"
        refuse_other(what, mark, self._owner, args.urn)

    def _has(self, urn: str, key: str, name: str) -> bool:
        """Whether the state has it under this name, though it is to be created: an adopted Worker of files, which the
        engine has only read, or a domain that somebody has led elsewhere. Nothing in a hook's arguments tells.
        """
        return any(each["urn"] == urn and (each.get("outputs") or {}).get(key) == name for each in self._state())

    def _other(self, urn: str, key: str, name: str) -> str:
        """The service in the state that has this Worker already: deleted at the update's end, it would take the new
        one along. Empty where there is none.
        """
        kind = urn.rpartition("::")[0]
        others = (each["urn"] for each in self._state() if (each.get("outputs") or {}).get(key) == name)
        found = (other.rpartition("::")[2] for other in others if other != urn and other.rpartition("::")[0] == kind)
        return next((each.partition("-")[0] for each in found), "")

    def _state(self) -> list[dict[str, Any]]:
        command = ["pulumi", "stack", "export", "--stack", self._owner, "--non-interactive"]
        try:
            done = run(command, seconds=STATE_SECONDS, cwd=Path.cwd())
            return json.loads(done.output)["deployment"].get("resources") or []
        except (OSError, OutOfTime, ValueError, KeyError):
            return []


@dataclass(frozen=True)
class Taken:
    """Something that exists and is not ours; `key` is where the configuration names it."""

    what: str
    mark: str | None
    key: str
    adoptable: bool = True

    def sentence(self, ours: str) -> str:
        stack = Owner.of(ours).stack
        other = f"choose another name: pulumi config set --path oracle-net:{self.key} NAME -s {stack}"
        if self.mark:
            return f"{self.what} exists already and is not of {ours} (it is of {self.mark}); {other}"
        found = f"{self.what} exists already and is not of {ours} (it carries no owner)"
        return f"{found}: adopt it: oracle adopt {stack}; or {other}" if self.adoptable else f"{found}; {other}"


def refuse_existing(platform: AppPlatform, workers: Workers, names: Names, ours: str) -> None:
    """Raises Sentence when something exists under the names of a stack that has made nothing yet."""
    found = [_taken_app(platform, names.app, ours)] if names.app else []
    found += [
        _taken_worker(workers.bindings(script), service, script, ours)
        for service, script in sorted(names.scripts.items())
    ]
    found += [
        _taken_domain(workers, service, hostname, script, ours)
        for service, (hostname, script) in sorted(names.domains.items())
    ]
    taken = [each for each in found if each]
    if len(taken) == 1:
        raise UserError(taken[0].sentence(ours))
    if taken:
        stack = Owner.of(ours).stack
        named = ", ".join(f"{each.what} ({f'of {each.mark}' if each.mark else 'no owner'})" for each in taken)
        adopt = "" if all(each.mark for each in taken) else f"; or adopt what has no owner: oracle adopt {stack}"
        raise UserError(
            f"These exist already and are not of {ours}: {named}. Choose other names, as `oracle doctor --stack "
            f"{stack}` lists them: pulumi config set --path oracle-net:{taken[0].key} NAME -s {stack}{adopt}"
        )


def refuse_existing_app(platform: AppPlatform, name: str, ours: str) -> None:
    """Raises Sentence when there is an app of that name, which is not in the state: the name is given out once."""
    if taken := _taken_app(platform, name, ours):
        raise UserError(taken.sentence(ours))


def _renaming(before: str, after: str, script: str, ours: str) -> str:
    stack = Owner.of(ours).stack
    return (
        f"The Worker {script} is the service {before} of this stack, and the configuration calls it {after}: the "
        f"update would delete it at its end. Call it {before} again, or give {after} a script of its own: pulumi "
        f"config set --path oracle-net:{key_of(after)}.script NAME -s {stack}"
    )


def _taken_app(platform: AppPlatform, name: str, ours: str) -> Taken | None:
    """Raises Sentence for one that is ours and that the state does not have."""
    app = platform.find(name)
    if app is None:
        return None
    mark, stack = owner_of_app(app["spec"]), Owner.of(ours).stack
    if mark == ours:
        raise UserError(
            f"The app {name} is of {ours} and not in its state. When an update that was killed made it: oracle recover "
            f"{stack}; when the state was lost: oracle adopt {stack}"
        )
    return Taken(f"The app {name}", mark, "backend.appName", adoptable=not COUNTED.search(name))


def _taken_worker(bindings: Mapping[str, Any] | None, service: str, script: str, ours: str) -> Taken | None:
    """A Worker with these bindings that is not ours, which an upload would replace."""
    mark = owner_of_worker(bindings or {})
    if bindings is None or mark == ours:
        return None
    return Taken(f"The Worker {script}", mark, f"{key_of(service)}.script")


def _taken_domain(workers: Workers, service: str, hostname: str, script: str, ours: str) -> Taken | None:
    """A domain that leads to a Worker that is not ours: attaching it would move it without a word."""
    there = workers.leads_to(hostname)
    if there is None or there == script or (mark := _mark(workers, there)) == ours:
        return None
    return Taken(
        f"The domain {hostname}, which leads to the Worker {there},", mark, f"{key_of(service)}.domain.hostname"
    )


def refuse_other(what: str, mark: str | None, ours: str, urn: str = "") -> None:
    """Raises Sentence when what the stack has carries another stack's mark; `urn` is its place in the state."""
    if mark is None or mark == ours:
        return
    stack = Owner.of(ours).stack
    go = f"pulumi state delete '{urn}' -s {stack}" if urn else f"oracle doctor --stack {stack}"
    raise UserError(
        f"{what} is of {mark}, and not of {ours}, so it is left as it is. "
        f"{'Let go of it' if urn else 'See which names are taken'}: {go}"
    )


def _mark(workers: Workers, script: str) -> str | None:
    return owner_of_worker(workers.bindings(script) or {})


def _hook(check: Callable[[pulumi.ResourceHookArgs], None]) -> Hook:
    return guarded(partial(in_thread, check))
