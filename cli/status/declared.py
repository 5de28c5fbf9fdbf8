"""Read the declared services from the stack's state: the receipt, each Worker's last upload, the app.

A refresh writes live values into the state of the clouds' own resources, even if the update is refused afterwards. So
this module does not read those resources. The program records the values that it declared and applied in resources of
its own (components/declared_worker.py, components/backend_ready.py).

The values of secrets stay in memory: `repr` leaves them out, and nothing prints them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cli.engine.pulumi import Engine, Finished, bounded
from cli.ui.errors import engine_failure
from errors import Fix, UserError
from programs import OutOfTime
from stack_outputs import Outputs
from storage.backups.loss import Logins

SIGNATURE = "4dabf18193072939515e22adb298388d"  # marks a secret in the engine's state
WORKER = "pulumi-python:dynamic:DeclaredWorker"
READY = "pulumi-python:dynamic:BackendReady"
PASSWORD = "random:index/randomPassword:RandomPassword"
STACK = "pulumi:pulumi:Stack"
APP = "digitalocean:index/app:App"


class Undeclared(UserError):
    """The state cannot be read, or contains no network; without a fix if the stack is not deployed."""


@dataclass(frozen=True, kw_only=True)
class Bound:
    """A binding's type. Only plain bindings have a `text`."""

    type: str
    text: str | None


@dataclass(frozen=True, kw_only=True)
class DeclaredWorker:
    """A Worker as the engine last uploaded it."""

    script: str
    modified: str
    """The time of the upload: ISO 8601."""
    etag: str
    bindings: Mapping[str, Bound]


@dataclass(frozen=True, kw_only=True)
class DeclaredApp:
    """The app as declared, with the field names of DigitalOcean's API."""

    http_port: int
    instance_count: int
    instance_size_slug: str
    health_path: str
    variables: Mapping[str, str]
    """The service's variables that are not secret."""
    secrets: tuple[str, ...]
    """The names of the app's secret variables."""
    alerts: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Declared:
    """The declared services of a stack."""

    outputs: Outputs
    workers: Mapping[str, DeclaredWorker]
    """By service."""
    app: DeclaredApp | None = field(repr=False)
    """None if the state cannot be decrypted."""
    operator: str | None = field(repr=False)
    """The operator's password. None if the state cannot be decrypted."""
    password: str | None = field(repr=False)
    """The admin's password. None if the state cannot be decrypted."""
    password_since: str | None
    pending: bool
    """True if the state has pending operations, which started and did not end."""
    undeleted: tuple[str, ...] = ()
    """The names of the replaced apps that no update has deleted yet."""
    sealed: str | None
    """The reason why secrets could not be decrypted, a sentence; else None."""

    @property
    def logins(self) -> Logins | None:
        """The backend's logins. None if the state cannot be decrypted."""
        if self.password is None or self.operator is None:
            return None
        return Logins(email=self.outputs.admin_email, password=self.password, operator=self.operator)


def read(engine: Engine, seconds: float) -> Declared:
    """Export the stack's state and return its declaration. Raises Undeclared."""
    done = _export(engine, seconds, "--show-secrets")
    sealed = None
    if done.status != 0 and "decrypt" in done.output:
        sealed = "The passphrase in the environment does not open the stack's secrets"
        done = _export(engine, seconds)
    if done.status != 0:
        raise _unreadable(engine, done.output)
    return of(engine.stack.name, json.loads(done.output).get("deployment") or {}, sealed)


def of(stack: str, state: Mapping[str, Any], sealed: str | None = None) -> Declared:
    """Return the declaration in an exported state. Raises Undeclared."""
    every = state.get("resources") or []
    resources = [each for each in every if not each.get("delete")]
    outputs = _unwrapped(next((each.get("outputs") or {} for each in resources if each["type"] == STACK), {}))
    try:
        known = Outputs.from_state(outputs)
    except KeyError:
        raise Undeclared(f"The stack {stack} is not deployed.") from None
    workers = {_name(each).removesuffix("-declared"): _worker(each) for each in resources if each["type"] == WORKER}
    ready = _unwrapped(next((each.get("outputs") or {} for each in resources if each["type"] == READY), {}))
    password = outputs.get("adminPassword")
    return Declared(
        outputs=known,
        workers=workers,
        app=_app(ready.get("declared")),
        operator=ready.get("operator"),
        password=password if isinstance(password, str) else None,
        password_since=next((each.get("created") for each in resources if each["type"] == PASSWORD), None),
        pending=bool(state.get("pending_operations")),
        undeleted=tuple(each["inputs"]["spec"]["name"] for each in every if each["type"] == APP and each.get("delete")),
        sealed=sealed,
    )


def _worker(resource: dict[str, Any]) -> DeclaredWorker:
    outputs = resource["outputs"]
    return DeclaredWorker(
        script=outputs["script"],
        modified=outputs["modified"],
        etag=outputs["etag"],
        bindings={name: Bound(type=each["type"], text=each.get("text")) for name, each in outputs["bindings"].items()},
    )


def _app(found: Mapping[str, Any] | None) -> DeclaredApp | None:
    """Numbers of a resource of ours come back as floats."""
    if found is None:
        return None
    return DeclaredApp(
        http_port=int(found["http_port"]),
        instance_count=int(found["instance_count"]),
        instance_size_slug=found["instance_size_slug"],
        health_path=found["health_path"],
        variables=found["variables"],
        secrets=tuple(found["secrets"]),
        alerts=tuple(found.get("alerts") or ()),
    )


def _unwrapped(value: Any) -> Any:
    """Return the value with its secrets unwrapped. A secret that is still encrypted becomes None."""
    if isinstance(value, dict):
        if SIGNATURE in value:
            return _unwrapped(json.loads(value["plaintext"])) if "plaintext" in value else None
        return {key: _unwrapped(each) for key, each in value.items()}
    return [_unwrapped(each) for each in value] if isinstance(value, list) else value


def _name(resource: dict[str, Any]) -> str:
    return str(resource["urn"]).rpartition("::")[2]


def _export(engine: Engine, seconds: float, *options: str) -> Finished:
    words = ("stack", "export", *options, "--stack", engine.stack.name)
    try:
        return bounded(engine.stack.project, engine.environment, seconds, *words)
    except OutOfTime:
        raise Undeclared(
            f"The state backend did not answer within {seconds:.0f} s.", Fix("pulumi whoami --verbose")
        ) from None


def _unreadable(engine: Engine, output: str) -> Undeclared:
    stack = engine.stack.name
    if "no stack named" in output:
        return Undeclared(f"The stack {stack} is not deployed.")
    if known := engine_failure(output, stack):
        return Undeclared(known.problem, *known.helps)
    last = (output.strip().splitlines() or ["pulumi printed nothing"])[-1].removeprefix("error: ")
    return Undeclared(f"The state of {stack} cannot be read ({last}).", Fix(f"pulumi stack export --stack {stack}"))
