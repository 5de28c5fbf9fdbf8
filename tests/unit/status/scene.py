"""A healthy network as `oracle status` sees it, to break in one place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from cli.status.checks import Check
from cli.status.clouds import AppFacts, Deployed, Version, WorkerFacts
from cli.status.collect import Observations
from cli.status.commands import Commands
from cli.status.declared import READY, SIGNATURE, WORKER, Declared, of
from cli.status.diagnose import Diagnosis, diagnose
from cli.status.model import Backups
from cli.status.probe import Answer
from settings import from_file
from tests.support.command_lines import assert_parses
from tests.support.stacks import stack_file

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
MADE = "2026-11-22T10:00:00.000000Z"
LATER = "2026-11-22T11:00:00.000000Z"
SETTINGS = from_file(stack_file("local"))
IMAGE, MODULE, WEB, UNIVERSE = (f"{digit}" * 64 for digit in "1234")
PASSWORD = "the-admins-own-password"
OPERATOR_PASSWORD = "the-programs-own-password"
LOCAL = Commands(stack="local", local=True, endpoint="http://127.0.0.1:8400")
REAL = Commands(stack="prod", local=False, endpoint="https://api.digitalocean.com")
API = "https://api.example.org"
SECRETS = ("PB_ADMIN_EMAIL", "PB_ADMIN_PASSWORD", "POCKETBASE_URL")
PLAIN = {
    "api": {"BACKEND": "jellyfish-app", "RELEASE": MODULE},
    "web": {"API_URL": API, "RELEASE": WEB},
    "universe": {"API_URL": API, "RELEASE": UNIVERSE},
}
NAMES = {"api": "oracle-universe-api", "web": "oracle-net", "universe": "oracle-universe-web"}


def secret(value: Any) -> dict[str, str]:
    """As the engine's state shows an opened secret."""
    import json

    return {SIGNATURE: "1b47061264138c4ac30d75fd1eb44270", "plaintext": json.dumps(value)}


def resources() -> list[dict[str, Any]]:
    """A state's resources, as far as they are read."""
    return [
        {"type": "pulumi:pulumi:Stack", "urn": "a::oracle-net-local", "outputs": outputs()},
        {"type": "random:index/randomPassword:RandomPassword", "urn": "a::admin-password", "created": MADE},
        {"type": READY, "urn": "a::backend-ready", "outputs": ready()},
        *(script(name) for name in NAMES),
    ]


def ready() -> dict[str, Any]:
    return {"declared": secret(declared_app()), "operator": secret(OPERATOR_PASSWORD)}


def outputs() -> dict[str, Any]:
    assets = {"web": WEB, "universe": UNIVERSE}
    workers = {"api": MODULE, "web": "5" * 64, "universe": "5" * 64}
    return {
        "backendUrl": "https://app.example.org",
        "apiUrl": API,
        "webUrl": "https://web.example.org",
        "universeUrl": "https://universe.example.org",
        "backendApp": "jellyfish-app",
        "backendAppId": "app-1",
        "generation": 1,
        "release": {"backend": f"sha256:{IMAGE}", "workers": workers, "assets": assets, "commits": {}},
        "adminEmail": "admin@example.org",
        "adminPassword": secret(PASSWORD),
    }


def declared_app(**changed: Any) -> dict[str, Any]:
    """As the engine keeps it: numbers are floats."""
    made = {"http_port": 8090.0, "instance_size_slug": "basic-xxs", "instance_count": 1.0, "health_path": "/api/health"}
    variables = {"RELEASE": f"sha256:{IMAGE}", "GENERATION": "1"}
    return {**made, "variables": variables, "secrets": list(SECRETS[:2]), **changed}


def script(name: str) -> dict[str, Any]:
    """What is kept of a Worker's last upload."""
    bound = {key: {"type": "plain_text", "text": text} for key, text in PLAIN[name].items()}
    if name == "api":
        bound |= {key: {"type": "secret_text"} for key in SECRETS}
    made = {"script": NAMES[name], "modified": MADE, "etag": f"etag-{name}", "bindings": bound}
    return {"type": WORKER, "urn": f"a::{name}-declared", "outputs": made}


def declared() -> Declared:
    return of("local", {"resources": resources()})


def app(**changed: Any) -> dict[str, Any]:
    deployment = {"id": "d-1", "phase": "ACTIVE", "created_at": MADE, "spec": spec()}
    return {"id": "app-1", "created_at": MADE, "spec": spec(), "active_deployment": deployment, **changed}


def spec(release: str = f"sha256:{IMAGE}", **service: Any) -> dict[str, Any]:
    envs = [{"key": "RELEASE", "value": release}, {"key": "GENERATION", "value": "1"}]
    image = {"digest": f"sha256:{IMAGE}"}
    made = {"name": "oracle-universe-backend", "http_port": 8090, "instance_count": 1, "image": image, "envs": envs}
    secrets = [{"key": key, "value": "EV[1:abc:def]", "type": "SECRET"} for key in SECRETS[:2]]
    return {"name": "jellyfish-app", "services": [{**made, **service}], "envs": secrets}


def deployed(version: str, created: str = MADE, **shares: float) -> Deployed:
    return Deployed(created=created, source="api", author="ann@example.org", shares=shares or {version: 100.0})


def version(number: int, created: str = MADE, trigger: str = "upload") -> Version:
    made = {"number": number, "created": created, "author": "ann@example.org", "source": "api", "trigger": trigger}
    return Version(id=f"v{number}", **made)  # type: ignore[arg-type]


def worker(name: str, **changed: Any) -> WorkerFacts:
    facts = WorkerFacts(
        deployments=(deployed("v1"),),
        versions=(version(1),),
        bindings=bindings(name),
        etag=f"etag-{name}",
        secrets={"v1": frozenset(SECRETS if name == "api" else ())},
        enabled=True,
    )
    return replace(facts, **changed)


def bindings(name: str, **plain: str) -> dict[str, Mapping[str, Any]]:
    bound: dict[str, Mapping[str, Any]] = {
        key: {"name": key, "type": "plain_text", "text": text} for key, text in {**PLAIN[name], **plain}.items()
    }
    return bound | {key: {"name": key, "type": "secret_text"} for key in (SECRETS if name == "api" else ())}


def answer(body: Any = None, status: int = 200) -> Answer:
    return Answer(status=status, body=body, milliseconds=7)


def checks(**changed: Any) -> tuple[Check, ...]:
    """One for each service, as the stack declares them."""
    known, monitoring = outputs(), SETTINGS.monitoring
    assert monitoring is not None
    paths = {"backend": "/api/health", "api": "/api/health", "web": "/", "universe": "/"}
    made = (
        Check(target=f"{known[f'{name}Url']}{path}", enabled=True, regions=frozenset(monitoring.regions))
        for name, path in paths.items()
    )
    return tuple(replace(each, **changed) for each in made)


HUNG = Answer(trouble="timeout", detail="no answer in 5 s")
REFUSED = Answer(trouble="refused", detail="no connection")


def sight(**changed: Any) -> Observations:
    known = outputs()
    seen = Observations(
        addresses={name: known[f"{name}Url"] for name in ("backend", "api", "universe", "web")},
        app=AppFacts(app=app(), deployments=({"id": "d-1", "phase": "ACTIVE", "created_at": MADE},), cost=5.0),
        workers={name: worker(name) for name in NAMES},
        health_answers={
            "backend": answer({"code": 200}),
            "api": answer({"status": "ok", "backend": {"status": "ok"}}),
            "web": answer(),
            "universe": answer(),
        },
        admin=True,
        second_factor=False,
        freeze=None,
        deleted_files=(),
        certificates={},
        backups=Backups(where="folder:.oracle/backups", count=1, newest="jellyfish-app-g1-x", at=MADE),
        complaints=(),
        checks=checks(),
        domains={},
    )
    return replace(seen, **changed)


def with_worker(name: str, facts: Any, **changed: Any) -> Observations:
    """A sight in which Cloudflare shows this Worker so."""
    seen = sight(**changed)
    return replace(seen, workers={**seen.workers, name: facts})


def with_write_gate(name: str, health_answer: Answer, seen: Observations | None = None) -> Observations:
    seen = seen or sight()
    return replace(seen, health_answers={**seen.health_answers, name: health_answer})


def judged(seen: Observations, commands: Commands = LOCAL) -> Diagnosis:
    found = diagnose(SETTINGS, declared(), seen, commands, NOW)
    for finding in found.findings:
        assert_parses(finding.next, commands.stack)
    return found


def blamed(seen: Observations, commands: Commands = LOCAL) -> tuple[str, str, str, str]:
    """The only finding: about, level, what, next."""
    found = judged(seen, commands).findings
    assert len(found) == 1, found
    return found[0].about, found[0].level, found[0].what, found[0].next
