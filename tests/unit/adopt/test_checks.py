"""`oracle adopt`: accepted and refused resources, and the changes of the first release."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr

import advice
from cli.adopt import LiveResources, LiveWorker, adoption, differences, refusals
from cli.adopt.discover import Domain
from errors import STACK, Fix, RemoveKey, SetKey
from settings import DomainSettings, Settings, from_file
from stack_outputs import Owner
from tests.support.stacks import LOCAL, configured_worker

SETTINGS = from_file(LOCAL)
OWNER = Owner(organization="organization", project="oracle-net", stack="x")
ZONE = "1d0fd9b7e29746b98628860158cb6f6c"


def service(**changes: Any) -> dict[str, Any]:
    made = {"name": "oracle-universe-backend", "http_port": 8090, "instance_size_slug": "basic-xxs"}
    return made | {"health_check": {"http_path": "/api/health"}} | changes


def app(**changes: Any) -> dict[str, Any]:
    spec = {"name": "jellyfish-app", "region": "sgp", "services": [service()]} | changes.pop("spec", {})
    made = {"id": "app-12345678", "live_url": "https://app.example.org", "active_deployment": {"id": "dep-12345678"}}
    return made | {"spec": spec} | changes


def worker(script: str, **changes: Any) -> LiveWorker:
    made = LiveWorker(
        script=script,
        shares={f"version-of-{script}": 100.0},
        bindings={},
        date="2025-01-01",
        flags=(),
        workers_dev=True,
        previews=False,
    )
    return replace(made, **changes)


def bound(**kinds: str) -> dict[str, dict[str, Any]]:
    return {name: {"name": name, "type": kind, "text": "text"} for name, kind in kinds.items()}


def live(**changes: Any) -> LiveResources:
    """A network by hand that the local stack's configuration declares, POCKETBASE_URL aside."""
    secrets = bound(PB_ADMIN_EMAIL="secret_text", PB_ADMIN_PASSWORD="secret_text", POCKETBASE_URL="plain_text")
    workers: dict[str, LiveWorker | None] = {
        "api": worker("oracle-universe-api", date="2025-06-01", bindings=secrets),
        "web": worker("oracle-net"),
        "universe": worker("oracle-universe-web"),
    }
    workers |= changes.pop("workers", {})
    return replace(LiveResources(app=app(), apps=("jellyfish-app",), workers=workers, domains=()), **changes)


def with_domain(settings: Settings) -> Settings:
    domain = DomainSettings(hostname="oraclenet.org", zone_id=ZONE)
    return configured_worker(settings, "web", domain=domain)


def domain(script: str) -> Domain:
    return Domain(id="domain-12345678", hostname="oraclenet.org", zone_id=ZONE, script=script)


def test_resources_that_match_the_settings_can_be_adopted() -> None:
    seen = live(domains=(domain("oracle-net"),))
    assert list(refusals(with_domain(SETTINGS), seen, SETTINGS.services, OWNER)) == []
    found = adoption(with_domain(SETTINGS), seen, SETTINGS.services)
    assert found.values == {
        "backend.adopted.app": "app-12345678",
        "backend.adopted.deployment": "dep-12345678",
        "workers.api.adopted.version": "version-of-oracle-universe-api",
        "workers.web.adopted.version": "version-of-oracle-net",
        "workers.web.adopted.domain": "domain-12345678",
        "workers.universe.adopted.version": "version-of-oracle-universe-web",
    }
    assert [line.split(":")[0] for line in found.words] == list(SETTINGS.services)


def test_the_only_difference_is_that_the_backend_address_becomes_a_secret() -> None:
    [found] = differences(SETTINGS, live(), SETTINGS.services)
    assert (found.key, found.effect) == (
        "api: POCKETBASE_URL",
        "becomes a secret, in the one upload of the first release",
    )


def other_component(kind: str) -> LiveResources:
    return live(app=app(spec={kind: [{"name": "extra"}]}))


def bindings(name: str, script: str, **kinds: str) -> LiveResources:
    return live(workers={name: worker(script, bindings=bound(**kinds))})


@pytest.mark.parametrize(
    "seen, words",
    [
        (live(app=None, apps=("other",)), "has no app jellyfish-app (its apps: other)"),
        (live(app=None, apps=()), "has no app jellyfish-app (it has no apps)"),
        (live(app=app(spec={"services": [service(), service(name="second")]})), "has 2 services"),
        (
            live(app=app(spec={"services": [service(name="pocketbase")]})),
            "is called pocketbase, but oracle-universe-backend is declared",
        ),
        (other_component("workers"), "components that cannot be declared (workers: extra)"),
        (other_component("jobs"), "(jobs: extra)"),
        (other_component("static_sites"), "(static_sites: extra)"),
        (other_component("functions"), "(functions: extra)"),
        (other_component("databases"), "(databases: extra)"),
        (live(app=app(spec={"domains": [{"domain": "pb.example.org"}]})), "has domains of its own (pb.example.org)"),
        (live(app=app(spec={"services": [service(instance_count=2)]})), "runs 2 containers"),
        (live(app=app(pending_deployment={"id": "x"})), "A deployment of jellyfish-app is running"),
        (live(app=app(in_progress_deployment={"id": "x"})), "A deployment of jellyfish-app is running"),
        (live(app=app(pinned_deployment={"id": "x"})), "was rolled back and is pinned"),
        (live(app=app(active_deployment=None)), "has no active deployment"),
        (live(workers={"web": None}), "has no deployed Worker oracle-net"),
        (live(workers={"web": worker("oracle-net", shares={"a": 90.0, "b": 10.0})}), "is shared by 2 versions"),
        (bindings("api", "oracle-universe-api", ROOM="durable_object_namespace"), "has a Durable Object (ROOM)"),
        (bindings("universe", "oracle-universe-web", KV="kv_namespace"), "of an unsupported kind (KV: kv_namespace)"),
        (bindings("api", "oracle-universe-api", SENTRY_DSN="secret_text"), "a secret SENTRY_DSN"),
        (bindings("web", "oracle-net", PB_ADMIN_EMAIL="secret_text"), "a secret PB_ADMIN_EMAIL"),
        (bindings("api", "oracle-universe-api", GITHUB_TOKEN="secret_text"), "has a GITHUB_TOKEN"),
    ],
)
def test_each_refusal_is_one_sentence_with_a_command(seen: LiveResources, words: str) -> None:
    [refusal] = refusals(SETTINGS, seen, SETTINGS.services, OWNER)
    assert words in refusal.problem
    commands = [str(each.then or each.command) for each in advice.fixes(refusal, "x", "oracle adopt x")]
    assert commands
    for command in commands:
        assert command == "oracle adopt x" or command.startswith(("pulumi config set ", "npx wrangler ", "doctl "))
        assert command.endswith(" --stack x") or not command.startswith("pulumi")


def test_resources_of_another_stack_are_refused() -> None:
    theirs, ours = ("organization/oracle-net/local", str(OWNER))

    def marked(owner: str) -> LiveResources:
        envs = [{"key": "STACK", "value": owner}]
        mark = {"STACK": {"name": "STACK", "type": "plain_text", "text": owner}}
        made = {"web": worker("oracle-net", bindings=mark), "universe": worker("oracle-universe-web", bindings=mark)}
        return live(app=app(spec={"services": [service(envs=envs)]}), workers=made)

    assert list(refusals(SETTINGS, marked(ours), SETTINGS.services, OWNER)) == []
    found = list(refusals(SETTINGS, marked(theirs), SETTINGS.services, OWNER))
    assert [each.problem for each in found] == [
        f"{what} belongs to {theirs}, not to {ours}."
        for what in ("The app jellyfish-app", "The Worker oracle-universe-web", "The Worker oracle-net")
    ]
    assert [each.helps for each in found] == [
        (SetKey(f"oracle-net:{key}", "NAME"),)
        for key in ("backend.appName", "workers.universe.script", "workers.web.script")
    ]


@pytest.mark.parametrize("seen", [live(), live(domains=(domain("another"),))])
def test_a_domain_of_another_worker_is_refused(seen: LiveResources) -> None:
    [refusal] = refusals(with_domain(SETTINGS), seen, SETTINGS.services, OWNER)
    assert refusal.problem.startswith("oraclenet.org ")
    assert refusal.problem.endswith(", but it is declared for oracle-net.")
    assert refusal.helps[1] == RemoveKey("oracle-net:workers.web.domain")


def test_a_configured_github_token_does_not_prevent_adoption() -> None:
    configured = SETTINGS.model_copy(update={"github_token": SecretStr("token")})
    assert (
        list(
            refusals(
                configured, bindings("api", "oracle-universe-api", GITHUB_TOKEN="secret_text"), SETTINGS.services, OWNER
            )
        )
        == []
    )


def test_only_the_requested_services_are_checked() -> None:
    broken = live(app=None, workers={"api": None})
    assert list(refusals(SETTINGS, broken, ("web", "universe"), OWNER)) == []
    assert set(adoption(SETTINGS, live(), ("web",)).values) == {"workers.web.adopted.version"}


def test_the_changes_of_the_first_release_are_listed() -> None:
    envs = [
        {"key": "PB_ADMIN_PASSWORD", "value": "EV[1:x]", "type": "SECRET"},
        {"key": "LITESTREAM_SECRET_ACCESS_KEY", "value": "EV[1:y]", "type": "SECRET"},
        {"key": "LOG_LEVEL", "value": "warn"},
    ]
    running = service(envs=envs, instance_size_slug="basic-xs", http_port=8080, health_check={"http_path": "/up"})
    seen = live(
        app=app(spec={"region": "nyc", "services": [running]}),
        workers={"web": worker("oracle-net", date="2024-01-01", flags=("nodejs_compat",), workers_dev=False)},
        domains=(domain("oracle-net"),),
    )
    found = {each.key: each for each in differences(SETTINGS, seen, ("backend", "web"))}
    assert {key: each.runs for key, each in found.items()} == {
        "backend.size": "basic-xs",
        "backend.port": 8080,
        "backend.region": "nyc",
        "backend.healthPath": "/up",
        "backendSecrets.LITESTREAM_SECRET_ACCESS_KEY": None,
        "backend.env.LOG_LEVEL": "warn",
        "workers.web.compatibilityDate": "2024-01-01",
        "workers.web.compatibilityFlags": ["nodejs_compat"],
        "workers.web.workersDev": False,
        "workers.web.domain": {"hostname": "oraclenet.org", "zoneId": ZONE},
    }
    assert "so the first release runs without it" in found["backendSecrets.LITESTREAM_SECRET_ACCESS_KEY"].effect
    assert "EV[" not in str(found)


def test_a_placeholder_image_from_the_template_is_refused() -> None:
    image = SETTINGS.backend.image.model_copy(update={"path": None, "digest": f"sha256:{'0' * 64}"})
    backend = SETTINGS.backend.model_copy(update={"image": image})
    settings = SETTINGS.model_copy(update={"backend": backend})
    (refusal,) = refusals(settings, live(), SETTINGS.services, OWNER)
    assert refusal.problem.startswith("oracle-net:backend.image.digest still has the template's value; ")
    build = f"pulumi config set --path oracle-net:backend.image.build.dockerfile Dockerfile --stack {STACK}"
    assert isinstance(refusal.helps[1], Fix)
    assert refusal.helps[1].then == build
    assert not list(refusals(settings, live(), ("api", "web", "universe"), OWNER))
