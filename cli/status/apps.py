"""What is wrong with the backend: the first cause that explains what is seen, and nothing that follows from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cli.status import alerts, sources
from cli.status.clouds import AppFacts, CloudTrouble
from cli.status.declared import Declared, DeclaredApp
from cli.status.model import Finding, Level, Secret, short
from cli.status.probe import Answer
from clients.app_platform import component, variable
from stack_outputs import ADOPTED
from storage.backups.loss import Loss

FAILED = frozenset({"ERROR", "CANCELED"})
SECRETS = ("PB_ADMIN_EMAIL", "PB_ADMIN_PASSWORD")
SERVICE_FIELDS = ("http_port", "instance_count", "instance_size_slug")


@dataclass(frozen=True, kw_only=True)
class AppSnapshot:
    """The backend, as everybody sees it and as DigitalOcean shows it."""

    service: str
    """Its component in the app."""
    address: str | None
    declared: Declared | None
    facts: AppFacts | CloudTrouble
    health: Answer
    admin: bool | None
    """Whether the admin's login works; None when that is not known."""
    second_factor: bool = False
    """Whether it wants a second factor from its admin, whose password is right."""
    console: str = ""
    """What makes a superuser in its console; the program's name is first."""
    freeze: str | None = None
    """Whether it refuses writes, in its own word (pocketbase.freeze_state)."""
    deleted_files: tuple[str, ...] = ()
    loss: Loss | None = None
    """What it has lost with its disk."""
    stack: str
    replacement: int
    """As configured: raising it makes another app, which the data is carried to."""
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


def diagnose_app(seen: AppSnapshot) -> Finding | None:
    """The one thing that is wrong with the backend, if there is any."""
    return changed_outside_pulumi(seen) or _as_seen(seen)


def changed_outside_pulumi(seen: AppSnapshot) -> Finding | None:
    """The first way in which the app is another than was declared: its data, or what its cloud shows of it."""
    shown = _changed_outside_pulumi(seen, seen.facts) if isinstance(seen.facts, AppFacts) else None
    return empty_disk(seen) or shown or new_disk(seen)


def empty_disk(seen: AppSnapshot) -> Finding | None:
    """That the backend has lost its data: nothing else about it matters, since only a restore puts it right."""
    loss = seen.loss
    if loss is None or not loss.known.records:
        return None
    none = "" if loss.known.backup else ". No backup that is kept has them"
    what = f"Empty: {loss.summary}{none}. To go on with the empty one on purpose: oracle wipe {seen.stack}."
    return Finding(about="backend", level="down", what=what, next=loss.way_back(seen.stack))


def new_disk(seen: AppSnapshot) -> Finding | None:
    """A replaced container of which nobody knows that it held anything; an update makes its logins again."""
    if seen.loss is None:
        return None
    since = f" at {seen.loss.since[:16]}Z" if seen.loss.since else ""
    what = f"The container of {seen.loss.app} was replaced{since} by one with an empty disk; no backup and no entry of "
    return _finding(seen, f"{what}the audit log says that it held records", seen.up)


def phase(facts: AppFacts | CloudTrouble) -> str | None:
    """The newest deployment's phase."""
    if isinstance(facts, CloudTrouble):
        return None
    if facts.app is None:
        return "gone"
    if facts.app.get("pinned_deployment"):
        return "pinned"
    return str(facts.deployments[0].get("phase")) if facts.deployments else None


def secrets(facts: AppFacts | CloudTrouble, since: str | None) -> tuple[Secret, ...]:
    """The admin's secrets in the app's spec; nothing of their values."""
    if isinstance(facts, CloudTrouble) or facts.app is None:
        return ()
    made = facts.app.get("created_at")
    kinds = _kinds(facts.app.get("spec") or {}, everywhere=True)
    times = {"PB_ADMIN_PASSWORD": since or made, "PB_ADMIN_EMAIL": made}
    return tuple(Secret(name=name, present=kinds.get(name) == "SECRET", since=times[name]) for name in SECRETS)


def _changed_outside_pulumi(seen: AppSnapshot, facts: AppFacts) -> Finding | None:
    name = seen.declared.outputs.backend_app if seen.declared else "of the backend"
    if facts.app is None:
        what = f"The app {name} is gone, and its data with it: it was deleted behind the engine's back. Where it held "
        return _finding(seen, f"{what}records, an update is refused, and names the backup to restore", seen.up)
    if pinned := facts.app.get("pinned_deployment"):
        when = (pinned.get("created_at") or "")[:16]
        what = f"Somebody rolled {name} back at {when} and it is pinned there, on a disk that began empty; "
        return _finding(seen, f"{what}nothing can be deployed in it{seen.but}", _repair(seen))
    if facts.active is None:
        return _finding(seen, f"The app {name} has no deployment that serves", seen.up)
    if facts.deployments and facts.deployments[0].get("phase") in FAILED:
        newest = facts.deployments[0]
        what = f"The newest deployment of {name} ended {newest['phase']} ({(newest.get('created_at') or '')[:16]}); "
        return _finding(seen, f"{what}the one before serves on{seen.but}", _logs(seen, facts))
    wrong = list(_differences(seen, facts)) if seen.health.ok else []
    if wrong:
        return _finding(seen, f"{name} is not as declared: {', '.join(wrong)}", _repair(seen))
    return None


def _differences(seen: AppSnapshot, facts: AppFacts) -> Iterator[str]:
    """What runs against what is declared, by what we put there ourselves; secrets by name and kind only."""
    if seen.declared is None or facts.active is None:
        return
    if seen.declared.outputs.release["backend"].startswith(ADOPTED):
        yield from _since_adoption(seen.declared.outputs.release["backend"], facts.active)
        yield from sources.pushes(facts.app or {}, seen.service)
        return
    running = dict(facts.active.get("spec") or {})
    outputs = seen.declared.outputs
    for key, ours in {"RELEASE": outputs.release["backend"], "GENERATION": str(outputs.generation)}.items():
        found = variable(running, seen.service, key)
        if found != ours:
            yield f"{key} is {short(found) or 'missing'}, not {short(ours)}"
    there, wanted = component(running, seen.service), seen.declared.app
    digest = (there.get("image") or {}).get("digest")
    if digest and digest != outputs.release["backend"]:
        yield f"its image is {short(digest)}, not {short(outputs.release['backend'])}"
    yield from sources.rebuilt(running, seen.service, short(outputs.release["backend"]))
    if wanted is not None:
        yield from _fields(wanted, there)
    kinds = _kinds(running)
    for name in wanted.secrets if wanted is not None else SECRETS:
        if kinds.get(name) != "SECRET":
            yield f"{name} is {'in plain text' if name in kinds else 'missing'}"
    if wanted is not None:
        yield from (f"the variable {name} was added" for name in sorted(set(kinds) - set(wanted.secrets)))
        yield from alerts.differences(wanted.alerts, (facts.app or {}).get("spec") or {}, seen.service)


def _fields(wanted: DeclaredApp, running: Mapping[str, Any]) -> Iterator[str]:
    """What a deployment by hand may have changed of the service."""
    for name in SERVICE_FIELDS:
        declared = getattr(wanted, name)
        if running.get(name) is not None and running[name] != declared:
            yield f"{name} is {running[name]}, not {declared}"
    path = (running.get("health_check") or {}).get("http_path")
    if path is not None and path != wanted.health_path:
        yield f"its health check asks {path}, not {wanted.health_path}"
    yield from _variables(wanted.variables, running)


def _variables(wanted: Mapping[str, str], running: Mapping[str, Any]) -> Iterator[str]:
    """The service's variables, by name; ours above are told of in their own words."""
    found = {each["key"]: each.get("value") for each in running.get("envs") or []}
    for name in sorted({*wanted, *found} - {"RELEASE", "GENERATION"}):
        if name not in found:
            yield f"the variable {name} is missing"
        elif name not in wanted:
            yield f"the variable {name} was added"
        elif wanted[name] != found[name]:
            yield f"the variable {name} is another"


def _since_adoption(adopted: str, running: Mapping[str, Any]) -> Iterator[str]:
    """An app made by hand tells nothing of itself: it is known by the deployment that was taken over."""
    if adopted != ADOPTED + running["id"]:
        wanted = short(adopted.removeprefix(ADOPTED))
        why = f" ({running['cause']})" if running.get("cause") else ""
        yield f"its deployment is {short(running['id'])}{why}, not {wanted} as it was adopted, so its disk began empty"


def _as_seen(seen: AppSnapshot) -> Finding | None:
    if not seen.health.ok:
        where = f" at {seen.address}" if seen.address else ""
        said = f"status {seen.health.status}" if seen.health.status is not None else str(seen.health)
        facts = seen.facts if isinstance(seen.facts, AppFacts) else None
        return _finding(seen, f"The backend does not serve: {said}{where}", _logs(seen, facts))
    wanted = seen.declared.outputs.release["backend"] if seen.declared else None
    if wanted and not wanted.startswith(ADOPTED) and seen.version and short(seen.version) != short(wanted):
        what = f"The backend runs {short(seen.version)}, and {short(wanted)} is declared"
        return _finding(seen, what, seen.up)
    if seen.deleted_files:
        files = " and ".join(seen.deleted_files)
        what = f"The backend writes to deleted files ({files}), so what it takes now is lost with its container: a "
        what += "second process on its database, such as a PocketBase command in its console, has deleted them. "
        return _finding(seen, f"{what}Another app saves it, the data carried", _another_app(seen))
    if seen.freeze is not None:
        what = "The backend refuses writes: its data is being moved, or an update that moved it ended halfway"
        return _finding(seen, what, seen.up)
    if seen.second_factor:
        what = (
            "The backend wants a second factor (MFA) from its superusers, which neither updates nor the API can give; "
        )
        what += (
            "the password is right. Switch MFA off in the dashboard, collection _superusers, Options; a code to log in"
        )
        return _finding(seen, f"{what} comes from the console", _one_time_code(seen))
    if seen.admin is False:
        return _finding(seen, "The backend refuses its admin's login", seen.up)
    return None


def _finding(seen: AppSnapshot, what: str, next: str) -> Finding:
    return Finding(about="backend", level=seen.level, what=f"{what}.", next=next)


def _repair(seen: AppSnapshot) -> str:
    """What puts an app right that is not as declared: an update would deploy over its database, and is refused."""
    adopted = seen.declared is not None and seen.declared.outputs.release["backend"].startswith(ADOPTED)
    return f"oracle adopt {seen.stack}" if adopted else f"oracle drift {seen.stack} --repair"


def _another_app(seen: AppSnapshot) -> str:
    """Takes the data over from the one that runs; the old one goes."""
    return f"pulumi config set oracle-net:replacement {seen.replacement + 1} -s {seen.stack} && {seen.up}"


def _one_time_code(seen: AppSnapshot) -> str:
    email = seen.declared.outputs.admin_email if seen.declared else "EMAIL"
    program = (seen.console.split() or ["PROGRAM"])[0]
    return f"oracle console backend --yes --stack {seen.stack} -- {program} superuser otp {email}"


def _logs(seen: AppSnapshot, facts: AppFacts | None) -> str:
    if "127.0.0.1" in seen.endpoint:
        return "oracle cloud logs"
    app = (facts.app or {}).get("id") if facts else None
    return f"doctl apps logs {app} --type run" if app else "doctl apps list"


def _kinds(spec: Mapping[str, Any], everywhere: bool = False) -> dict[str, str]:
    """The kinds of the app-level variables by name: SECRET, or GENERAL (which the API leaves out); if `everywhere`,
    those of the services too, where people put them by hand.
    """
    services = spec.get("services") or [] if everywhere else []
    envs = [env for part in (*services, spec) for env in part.get("envs") or []]
    return {each["key"]: each.get("type") or "GENERAL" for each in envs}
