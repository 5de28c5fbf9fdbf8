"""Diagnose the backend: find the first cause that explains the observations, without its consequences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import advice
from cli.status import alerts, sources
from cli.status.clouds import AppFacts, CloudTrouble
from cli.status.declared import Declared, DeclaredApp
from cli.status.model import Finding, Level, Secret
from cli.status.probe import Answer
from clients.app_platform import component, variable
from stack_outputs import ADOPTED, short_digest
from storage.backups.loss import Loss

FAILED = frozenset({"ERROR", "CANCELED"})
SECRETS = ("PB_ADMIN_EMAIL", "PB_ADMIN_PASSWORD")
SERVICE_FIELDS = ("http_port", "instance_count", "instance_size_slug")


@dataclass(frozen=True, kw_only=True)
class AppSnapshot:
    """The observations of the backend: its public address and DigitalOcean's API."""

    service: str
    """Its component in the app."""
    address: str | None
    declared: Declared | None
    facts: AppFacts | CloudTrouble
    health: Answer
    admin: bool | None
    """True if the admin's login works. None if unknown."""
    second_factor: bool = False
    """True if the admin's password is right and the backend requires a second factor."""
    console: str = ""
    """The command that creates a superuser in its console. Its first word is the program."""
    freeze: str | None = None
    """The state of a write freeze, in the backend's own word (pocketbase.freeze_state). None without a freeze."""
    deleted_files: tuple[str, ...] = ()
    loss: Loss | None = None
    """The data that it has lost with its disk."""
    stack: str
    replacement: int
    """The configured number. Raising it creates another app, to which the data is migrated."""
    up: str
    endpoint: str

    @property
    def level(self) -> Level:
        return "degraded" if self.health.ok else "down"

    @property
    def but(self) -> str:
        return "" if self.health.ok else f", and it does not serve ({self.health})"

    @property
    def version(self) -> str | None:
        return self.facts.release(self.service) if isinstance(self.facts, AppFacts) else None


def diagnose_app(snapshot: AppSnapshot) -> Finding | None:
    """Return the backend's finding, or None if it has no problem."""
    return changed_outside_pulumi(snapshot) or _diagnose_responses(snapshot)


def changed_outside_pulumi(snapshot: AppSnapshot) -> Finding | None:
    """Return the first difference from the declared app: in its data, or in the facts from DigitalOcean."""
    difference = _changed_outside_pulumi(snapshot, snapshot.facts) if isinstance(snapshot.facts, AppFacts) else None
    return empty_disk(snapshot) or difference or new_disk(snapshot)


def empty_disk(snapshot: AppSnapshot) -> Finding | None:
    """Find lost data. It hides all other findings, because only a restore repairs it."""
    loss = snapshot.loss
    if loss is None or not loss.known.records:
        return None
    none = "" if loss.known.backup else " No stored backup has these records."
    what = f"{loss.summary}.{none} To continue with the empty backend, run `oracle wipe {snapshot.stack}`."
    return Finding(
        about="backend", level="down", what=what, next=advice.fix(loss.known.recovery, snapshot.stack, "").command
    )


def new_disk(snapshot: AppSnapshot) -> Finding | None:
    """Find a replaced container that is not known to have held records. An update creates its logins again."""
    if snapshot.loss is None:
        return None
    since = f" at {snapshot.loss.since[:16]}Z" if snapshot.loss.since else ""
    what = f"The container of {snapshot.loss.app} was replaced{since} by one with an empty disk. Neither a backup nor "
    return _finding(snapshot, f"{what}the audit log shows that it had records", snapshot.up)


def phase(facts: AppFacts | CloudTrouble) -> str | None:
    """Return the newest deployment's phase."""
    if isinstance(facts, CloudTrouble):
        return None
    if facts.app is None:
        return "gone"
    if facts.app.get("pinned_deployment"):
        return "pinned"
    return str(facts.deployments[0].get("phase")) if facts.deployments else None


def secrets(facts: AppFacts | CloudTrouble, since: str | None) -> tuple[Secret, ...]:
    """Return the admin's secrets in the app's spec, without their values."""
    if isinstance(facts, CloudTrouble) or facts.app is None:
        return ()
    made = facts.app.get("created_at")
    kinds = _variable_types(facts.app.get("spec") or {}, everywhere=True)
    times = {"PB_ADMIN_PASSWORD": since or made, "PB_ADMIN_EMAIL": made}
    return tuple(Secret(name=name, present=kinds.get(name) == "SECRET", since=times[name]) for name in SECRETS)


def _changed_outside_pulumi(snapshot: AppSnapshot, facts: AppFacts) -> Finding | None:
    name = snapshot.declared.outputs.backend_app if snapshot.declared else "of the backend"
    if facts.app is None:
        what = f"The app {name} was deleted outside Pulumi, and its data with it. If it had records, an update is "
        return _finding(snapshot, f"{what}refused and names the backup to restore", snapshot.up)
    if pinned := facts.app.get("pinned_deployment"):
        when = (pinned.get("created_at") or "")[:16]
        what = f"Somebody rolled {name} back at {when}, and it is pinned to that deployment, whose disk started empty. "
        return _finding(snapshot, f"{what}Nothing can be deployed in it{snapshot.but}", _repair(snapshot))
    if facts.active is None:
        return _finding(snapshot, f"The app {name} has no active deployment", snapshot.up)
    if facts.deployments and facts.deployments[0].get("phase") in FAILED:
        newest = facts.deployments[0]
        when = (newest.get("created_at") or "")[:16]
        what = (
            f"The newest deployment of {name} ended with {newest['phase']} ({when}). The one before it is still active"
        )
        return _finding(snapshot, f"{what}{snapshot.but}", _logs(snapshot, facts))
    differences = list(_differences(snapshot, facts)) if snapshot.health.ok else []
    if differences:
        return _finding(snapshot, f"{name} is not as declared: {', '.join(differences)}", _repair(snapshot))
    return None


def _differences(snapshot: AppSnapshot, facts: AppFacts) -> Iterator[str]:
    """Yield the differences between the running and the declared spec. Secrets are compared by name and type only."""
    if snapshot.declared is None or facts.active is None:
        return
    if snapshot.declared.outputs.release["backend"].startswith(ADOPTED):
        yield from _since_adoption(snapshot.declared.outputs.release["backend"], facts.active)
        yield from sources.pushes(facts.app or {}, snapshot.service)
        return
    running = dict(facts.active.get("spec") or {})
    outputs = snapshot.declared.outputs
    for key, expected in {"RELEASE": outputs.release["backend"], "GENERATION": str(outputs.generation)}.items():
        actual = variable(running, snapshot.service, key)
        if actual != expected:
            yield f"{key} is {short_digest(actual) or 'missing'}, not {short_digest(expected)}"
    service, declared = component(running, snapshot.service), snapshot.declared.app
    digest = (service.get("image") or {}).get("digest")
    if digest and digest != outputs.release["backend"]:
        yield f"its image is {short_digest(digest)}, not {short_digest(outputs.release['backend'])}"
    yield from sources.rebuilt(running, snapshot.service, short_digest(outputs.release["backend"]))
    if declared is not None:
        yield from _fields(declared, service)
    kinds = _variable_types(running)
    for name in declared.secrets if declared is not None else SECRETS:
        if kinds.get(name) != "SECRET":
            yield f"{name} is {'in plain text' if name in kinds else 'missing'}"
    if declared is not None:
        yield from (f"the variable {name} was added" for name in sorted(set(kinds) - set(declared.secrets)))
        yield from alerts.differences(declared.alerts, (facts.app or {}).get("spec") or {}, snapshot.service)


def _fields(declared: DeclaredApp, running: Mapping[str, Any]) -> Iterator[str]:
    """Yield the differences in fields that a manual deployment may have changed."""
    for name in SERVICE_FIELDS:
        expected = getattr(declared, name)
        if running.get(name) is not None and running[name] != expected:
            yield f"{name} is {running[name]}, not {expected}"
    path = (running.get("health_check") or {}).get("http_path")
    if path is not None and path != declared.health_path:
        yield f"its health check asks {path}, not {declared.health_path}"
    yield from _variables(declared.variables, running)


def _variables(declared: Mapping[str, str], running: Mapping[str, Any]) -> Iterator[str]:
    """Yield the differences in the service's variables. RELEASE and GENERATION are compared above."""
    actual = {each["key"]: each.get("value") for each in running.get("envs") or []}
    for name in sorted({*declared, *actual} - {"RELEASE", "GENERATION"}):
        if name not in actual:
            yield f"the variable {name} is missing"
        elif name not in declared:
            yield f"the variable {name} was added"
        elif declared[name] != actual[name]:
            yield f"the variable {name} has another value"


def _since_adoption(adopted: str, running: Mapping[str, Any]) -> Iterator[str]:
    """Compare an adopted app by its deployment, because an app made by hand reports no release."""
    if adopted != ADOPTED + running["id"]:
        own = short_digest(adopted.removeprefix(ADOPTED))
        why = f" ({running['cause']})" if running.get("cause") else ""
        yield f"its deployment is {short_digest(running['id'])}{why}, not the adopted {own}, so its disk started empty"


def _diagnose_responses(snapshot: AppSnapshot) -> Finding | None:
    if not snapshot.health.ok:
        where = f" at {snapshot.address}" if snapshot.address else ""
        response = f"status {snapshot.health.status}" if snapshot.health.status is not None else str(snapshot.health)
        facts = snapshot.facts if isinstance(snapshot.facts, AppFacts) else None
        return _finding(snapshot, f"The backend does not serve: {response}{where}", _logs(snapshot, facts))
    release = snapshot.declared.outputs.release["backend"] if snapshot.declared else None
    if (
        release
        and not release.startswith(ADOPTED)
        and snapshot.version
        and short_digest(snapshot.version) != short_digest(release)
    ):
        what = f"The backend runs {short_digest(snapshot.version)}, and {short_digest(release)} is declared"
        return _finding(snapshot, what, snapshot.up)
    if snapshot.deleted_files:
        files = " and ".join(snapshot.deleted_files)
        what = f"The backend writes to deleted files ({files}), so new data is lost with its container. A second "
        what += "process on its database has deleted them, such as a PocketBase command in its console. A migration to "
        return _finding(snapshot, f"{what}another app saves the data", _another_app(snapshot))
    if snapshot.freeze is not None:
        what = "The backend refuses writes: its data is being migrated, or an update ended during the migration"
        return _finding(snapshot, what, snapshot.up)
    if snapshot.second_factor:
        what = "The backend requires a second factor (MFA) from its superusers, which neither updates nor the API can "
        what += "give. The password is right. Switch MFA off in the dashboard (collection _superusers, Options); the "
        return _finding(snapshot, f"{what}command prints a code to log in with", _one_time_code(snapshot))
    if snapshot.admin is False:
        return _finding(snapshot, "The backend refuses its admin's login", snapshot.up)
    return None


def _finding(snapshot: AppSnapshot, what: str, next: str) -> Finding:
    return Finding(about="backend", level=snapshot.level, what=f"{what}.", next=next)


def _repair(snapshot: AppSnapshot) -> str:
    """Return the command that repairs a changed app. An update would redeploy over its database and is refused."""
    adopted = snapshot.declared is not None and snapshot.declared.outputs.release["backend"].startswith(ADOPTED)
    return f"oracle adopt {snapshot.stack}" if adopted else f"oracle drift {snapshot.stack} --repair"


def _another_app(snapshot: AppSnapshot) -> str:
    """Return the command that migrates the data to another app and deletes the old one."""
    key = f"oracle-net:replacement {snapshot.replacement + 1}"
    return f"pulumi config set {key} --stack {snapshot.stack} && {snapshot.up}"


def _one_time_code(snapshot: AppSnapshot) -> str:
    email = snapshot.declared.outputs.admin_email if snapshot.declared else "EMAIL"
    program = (snapshot.console.split() or ["PROGRAM"])[0]
    return f"oracle console backend --yes --stack {snapshot.stack} -- {program} superuser otp {email}"


def _logs(snapshot: AppSnapshot, facts: AppFacts | None) -> str:
    if "127.0.0.1" in snapshot.endpoint:
        return f"oracle cloud logs --stack {snapshot.stack}"
    app = (facts.app or {}).get("id") if facts else None
    return f"doctl apps logs {app} --type run" if app else "doctl apps list"


def _variable_types(spec: Mapping[str, Any], everywhere: bool = False) -> dict[str, str]:
    """Return the types of the app-level variables by name: SECRET, or GENERAL, which the API leaves out.

    With `everywhere`, include the services' variables, where people put them by hand.
    """
    services = spec.get("services") or [] if everywhere else []
    envs = [env for part in (*services, spec) for env in part.get("envs") or []]
    return {each["key"]: each.get("type") or "GENERAL" for each in envs}
