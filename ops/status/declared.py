"""What the stack's state says there is: the receipt, each Worker as the engine made it, the app's spec.

The values of secrets stay in memory and out of every text: `repr` leaves them out, and nothing shows them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from contract import Outputs
from ops.engine import Engine, Finished, bounded
from ops.failures import engine_sentence
from programs import OutOfTime

SIGNATURE = "4dabf18193072939515e22adb298388d"  # marks a secret in the engine's state
SCRIPT = "cloudflare:index/workersScript:WorkersScript"
APP = "digitalocean:index/app:App"
PASSWORD = "random:index/randomPassword:RandomPassword"
STACK = "pulumi:pulumi:Stack"


class Undeclared(Exception):
    """The state cannot be read, or holds no network: a sentence, and the next command."""

    def __init__(self, sentence: str, next: str | None) -> None:
        super().__init__(sentence)
        self.next = next
        """None where the stack is not deployed at all."""


@dataclass(frozen=True, kw_only=True)
class Bound:
    """A binding's kind; `text` of plain ones only."""

    type: str
    text: str | None


@dataclass(frozen=True, kw_only=True)
class DeclaredWorker:
    script: str
    modified: str
    """When the engine, or a refresh, last saw the script change: ISO 8601."""
    etag: str
    bindings: Mapping[str, Bound] | None
    """None where the state cannot be opened."""


@dataclass(frozen=True, kw_only=True)
class Declared:
    outputs: Outputs
    workers: Mapping[str, DeclaredWorker]
    """By service."""
    spec: Mapping[str, Any]
    """The app's, with the names of the provider's SDK."""
    password: str | None = field(repr=False)
    """The admin's; None where the state cannot be opened."""
    password_since: str | None
    pending: bool
    """Whether the state knows of operations that were begun and not ended."""
    sealed: str | None
    """Why secrets could not be opened: a sentence."""


def read(engine: Engine, seconds: float) -> Declared:
    """The stack's declaration, from its state. Raises Undeclared."""
    done = _export(engine, seconds, "--show-secrets")
    sealed = None
    if done.status != 0 and "decrypt" in done.output:
        sealed = "The passphrase in the environment does not open the stack's secrets"
        done = _export(engine, seconds)
    if done.status != 0:
        raise _unreadable(engine, done.output)
    return of(engine.stack.name, json.loads(done.output).get("deployment") or {}, sealed)


def of(stack: str, state: Mapping[str, Any], sealed: str | None = None) -> Declared:
    """The declaration in an exported state. Raises Undeclared."""
    resources = [each for each in state.get("resources") or [] if not each.get("delete")]
    outputs = _opened(next((each.get("outputs") or {} for each in resources if each["type"] == STACK), {}))
    try:
        known = Outputs.from_state(outputs)
    except KeyError:
        raise Undeclared(f"The stack {stack} is not deployed", None) from None
    made = {_name(each): each for each in resources if each["type"] == SCRIPT}
    workers = {name.removesuffix("-script"): _worker(each) for name, each in made.items()}
    app = next((each for each in resources if each["type"] == APP), None)
    password = outputs.get("adminPassword")
    return Declared(
        outputs=known,
        workers=workers,
        spec=_opened(app["outputs"].get("spec") or {}) if app else {},
        password=password if isinstance(password, str) else None,
        password_since=next((each.get("created") for each in resources if each["type"] == PASSWORD), None),
        pending=bool(state.get("pending_operations")),
        sealed=sealed,
    )


def _worker(resource: dict[str, Any]) -> DeclaredWorker:
    outputs = _opened(resource["outputs"])
    bindings = outputs.get("bindings")
    return DeclaredWorker(
        script=outputs.get("scriptName") or resource["id"],
        modified=outputs.get("modifiedOn") or "",
        etag=outputs.get("etag") or "",
        bindings={each["name"]: _bound(each) for each in bindings} if isinstance(bindings, list) else None,
    )


def _bound(binding: Mapping[str, Any]) -> Bound:
    plain = binding["type"] == "plain_text"
    return Bound(type=binding["type"], text=str(binding.get("text")) if plain else None)


def _opened(value: Any) -> Any:
    """The value with its secrets opened; one that is still encrypted becomes None."""
    if isinstance(value, dict):
        if SIGNATURE in value:
            return _opened(json.loads(value["plaintext"])) if "plaintext" in value else None
        return {key: _opened(each) for key, each in value.items()}
    return [_opened(each) for each in value] if isinstance(value, list) else value


def _name(resource: dict[str, Any]) -> str:
    return str(resource["urn"]).rpartition("::")[2]


def _export(engine: Engine, seconds: float, *options: str) -> Finished:
    words = ("stack", "export", *options, "--stack", engine.stack.name)
    try:
        return bounded(engine.stack.project, engine.environment, seconds, *words)
    except OutOfTime:
        raise Undeclared(
            f"The state backend did not answer within {seconds:.0f} s", "pulumi whoami --verbose"
        ) from None


def _unreadable(engine: Engine, output: str) -> Undeclared:
    stack = engine.stack.name
    if "no stack named" in output:
        return Undeclared(f"The stack {stack} is not deployed", None)
    if known := engine_sentence(output, stack):
        sentence, _, command = known.rpartition(": ")
        return Undeclared(sentence or known, command)
    last = (output.strip().splitlines() or ["pulumi printed nothing"])[-1].removeprefix("error: ")
    return Undeclared(f"The state of {stack} cannot be read ({last})", f"pulumi stack export --stack {stack}")
