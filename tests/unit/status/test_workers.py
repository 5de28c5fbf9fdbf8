"""Workers: each cause named once, with the command that puts it right."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cli.status.clouds import CloudTrouble, WorkerFacts
from cli.status.diagnose import diagnose
from cli.status.model import Finding
from cli.status.probe import Answer
from settings import DomainSettings, HealthSettings
from stack_outputs import LOGIN_MARK
from tests.support.stacks import configured_worker
from tests.unit.status import scene
from tests.unit.status.scene import (
    LATER,
    SECRETS,
    answer,
    bindings,
    blamed,
    deployed,
    judged,
    sight,
    version,
    with_worker,
    with_write_gate,
    worker,
)

AWAY = answer({"status": "degraded", "backend": {"status": "away"}}, 503)
EARLIER = "2026-11-21T10:00:00Z"
WRANGLER = "CLOUDFLARE_API_BASE_URL=http://127.0.0.1:8400/client/v4 npx wrangler"


def hand_made(**changed: object) -> WorkerFacts:
    """The api after `wrangler secret put`."""
    made = worker(
        "api",
        deployments=(deployed("v2", LATER), deployed("v1")),
        versions=(version(2, LATER, "secret"), version(1)),
        secrets={"v2": frozenset(SECRETS), "v1": frozenset(SECRETS)},
    )
    return replace(made, **changed)  # type: ignore[arg-type]


def test_a_healthy_network_has_no_findings() -> None:
    found = judged(sight())
    assert found.findings == ()
    assert found.notes == ()
    assert {each.level for each in found.services} == {"healthy"}
    assert [each.phase for each in found.services] == ["ACTIVE", "active", "active", "active"]
    assert all(each.version == each.declared for each in found.services)


def test_a_missing_worker_is_down() -> None:
    seen = with_write_gate("web", answer(status=404), with_worker("web", WorkerFacts(gone=True)))
    assert blamed(seen) == (
        "web",
        "down",
        "The Worker oracle-net was deleted outside Pulumi.",
        "oracle up local",
    )


def test_a_rollback_is_the_only_cause() -> None:
    facts = worker(
        "web",
        deployments=(deployed("v1", LATER), deployed("v2"), deployed("v1")),
        versions=(version(2), version(1, EARLIER)),
        etag="older",
        bindings=bindings("web", RELEASE="9" * 64),
    )
    seen = with_worker("web", facts)
    about, level, what, next = blamed(seen)
    assert (about, level) == ("web", "degraded")
    assert what == "oracle-net was rolled back by ann@example.org at 2026-11-22T11:00 to version 1, from 2."
    assert next == f"{WRANGLER} rollback v2 --name oracle-net -y"
    row = {each.name: each for each in judged(seen).services}["web"]
    assert (row.phase, row.pinned, row.number) == ("rolled back", True, 1)


def test_a_version_that_never_served_is_not_a_rollback() -> None:
    facts = worker("web", versions=(version(2, LATER, "version_upload"), version(1, EARLIER)))
    assert judged(with_worker("web", facts)).findings == ()


def test_a_rollback_that_does_not_serve_is_one_finding() -> None:
    facts = worker("api", deployments=(deployed("v1", LATER), deployed("v2")), versions=(version(2, LATER), version(1)))
    facts = replace(facts, bindings=bindings("api", BACKEND="an-old-app"), versions=(version(2), version(1, EARLIER)))
    about, level, what, _ = blamed(with_write_gate("api", AWAY, with_worker("api", facts)))
    assert (about, level) == ("api", "down")
    assert "rolled back" in what
    assert what.endswith("and it does not serve (503).")


def test_split_traffic_is_reported() -> None:
    facts = worker("web", deployments=(deployed("", LATER, v1=60.0, v2=40.0),), versions=(version(2), version(1)))
    about, _, what, next = blamed(with_worker("web", facts))
    assert (about, what) == ("web", "The traffic of oracle-net is shared, 60 % to v1 and 40 % to v2.")
    assert "rollback v2 " in next


def test_a_secret_changed_by_hand_is_found_by_the_version_history() -> None:
    about, level, what, next = blamed(with_worker("api", hand_made()))
    assert (about, level) == ("api", "degraded")
    assert what.startswith("A secret of oracle-universe-api was changed outside Pulumi by ann@example.org at ")
    assert "rollback v1 " in next
    row = judged(with_worker("api", hand_made())).services[1]
    assert {each.since for each in row.secrets} == {LATER}


def test_a_changed_secret_explains_a_worker_that_does_not_serve() -> None:
    about, level, what, _ = blamed(with_write_gate("api", AWAY, with_worker("api", hand_made())))
    assert (about, level) == ("api", "down")
    assert "A secret of oracle-universe-api was changed" in what


def test_an_added_secret_is_named() -> None:
    more = hand_made(secrets={"v2": frozenset({*SECRETS, "NEW"}), "v1": frozenset(SECRETS)})
    assert blamed(with_worker("api", more))[2].startswith("The secret NEW of oracle-universe-api was changed")


def test_a_login_bound_by_an_update_is_not_a_manual_change() -> None:
    facts = hand_made(
        secrets={"v2": frozenset({*SECRETS, LOGIN_MARK}), "v1": frozenset(SECRETS)},
        bindings={**bindings("api"), LOGIN_MARK: {"name": LOGIN_MARK, "type": "secret_text"}},
    )
    found = judged(with_worker("api", facts))
    assert found.findings == ()
    assert [each.name for each in found.services[1].secrets] == list(SECRETS)


def test_a_secret_changed_before_or_after_a_login_was_bound_is_found() -> None:
    marked, plain = frozenset({*SECRETS, LOGIN_MARK}), frozenset(SECRETS)
    for third, second in ((marked, plain), (marked, marked)):
        facts = hand_made(
            deployments=(deployed("v3", LATER),),
            versions=(version(3, LATER, "secret"), version(2, LATER, "secret"), version(1)),
            secrets={"v3": third, "v2": second, "v1": plain},
        )
        assert "changed outside Pulumi" in blamed(with_worker("api", facts))[2]


def test_a_return_to_the_upload_before_a_changed_secret_is_not_a_rollback() -> None:
    both = (version(2, LATER, "secret"), version(1, EARLIER))
    facts = hand_made(
        deployments=(deployed("v1", LATER), deployed("v2")), versions=both, secrets={"v1": frozenset(SECRETS)}
    )
    assert judged(with_worker("api", facts)).findings == ()


def test_bindings_are_compared_by_name_kind_and_plain_text() -> None:
    other = bindings("api", BACKEND="another-app")
    del other["POCKETBASE_URL"]
    other["PB_ADMIN_EMAIL"] = {"name": "PB_ADMIN_EMAIL", "type": "plain_text", "text": "someone@example.org"}
    other["EXTRA"] = {"name": "EXTRA", "type": "secret_text"}
    _, _, what, next = blamed(with_worker("api", worker("api", bindings=other)))
    assert what == (
        "oracle-universe-api is not bound as declared: BACKEND is another-app, not jellyfish-app, EXTRA was added, "
        "PB_ADMIN_EMAIL is plain_text, not secret_text, POCKETBASE_URL is missing."
    )
    assert next == "oracle up local"


def test_the_fix_for_a_changed_binding_restores_the_uploaded_version() -> None:
    facts = worker(
        "web",
        deployments=(deployed("v2", LATER), deployed("v1")),
        versions=(version(2, LATER), version(1)),
        bindings=bindings("web", API_URL="https://elsewhere.example.org"),
    )
    about, _, what, next = blamed(with_worker("web", facts))
    assert (about, "API_URL is https://elsewhere" in what) == ("web", True)
    assert "rollback v1 " in next


def test_manual_uploads_of_different_and_of_the_same_code_are_reported() -> None:
    newer = {"deployments": (deployed("v2", LATER), deployed("v1")), "versions": (version(2, LATER), version(1))}
    assert (
        "uploaded outside Pulumi with other code" in blamed(with_worker("web", worker("web", etag="other", **newer)))[2]
    )
    assert "uploaded outside Pulumi with the same code" in blamed(with_worker("web", worker("web", **newer)))[2]


def test_a_disabled_workers_dev_address_is_reported() -> None:
    seen = with_write_gate("web", answer(status=404), with_worker("web", worker("web", enabled=False)))
    assert blamed(seen)[2] == "The workers.dev address of oracle-net was switched off, and it does not serve (404)."


def test_a_worker_that_answers_with_an_error_is_down() -> None:
    about, level, what, next = blamed(with_write_gate("web", answer(status=500)))
    assert (about, level, what) == ("web", "down", "oracle-net does not serve: status 500 at https://web.example.org/.")
    assert next == f"{WRANGLER} tail oracle-net"
    assert blamed(with_write_gate("api", scene.HUNG))[:2] == ("api", "down")


def with_health(health: HealthSettings, health_answer: Answer) -> tuple[Finding, ...]:
    """What is found where the api's health is declared so, and it answers that."""
    api = scene.SETTINGS.api.model_copy(update={"health": health})
    settings = scene.SETTINGS.model_copy(update={"workers": {**scene.SETTINGS.workers, "api": api}})
    seen = with_write_gate("api", health_answer, sight(checks=None))
    return diagnose(settings, scene.declared(), seen, scene.LOCAL, scene.NOW).findings


@pytest.mark.parametrize("status", [200, 302, 404, 426])
def test_any_answer_without_a_server_error_is_healthy(status: int) -> None:
    assert with_health(HealthSettings(), answer(status=status)) == ()


def test_a_server_error_or_no_answer_is_down() -> None:
    for health_answer in (answer(status=500), scene.HUNG):
        [found] = with_health(HealthSettings(), health_answer)
        assert (found.about, found.level) == ("api", "down")


def test_only_the_declared_status_is_healthy() -> None:
    health = HealthSettings(path="/ping", status=204)
    assert with_health(health, answer(status=204)) == ()
    [found] = with_health(health, answer(status=200))
    assert found.what == f"oracle-universe-api does not serve: status 200 at {scene.API}/ping."


def test_the_workers_own_version_text_is_shown_and_not_compared() -> None:
    seen = with_write_gate("api", answer({"version": "2.1", "release": "9" * 64}))
    assert judged(seen).findings == ()
    row = judged(seen).services[1]
    assert (row.version, row.says) == (scene.MODULE, "version 2.1, release 999999999999")


def test_a_manual_upload_of_another_release_is_reported() -> None:
    facts = worker("web", bindings=bindings("web", RELEASE="9" * 64))
    assert "RELEASE is 999999999999, not 333333333333" in blamed(with_worker("web", facts))[2]


def test_a_changed_api_url_of_a_site_is_reported() -> None:
    facts = worker("web", bindings=bindings("web", API_URL="https://other.example.org"))
    assert "API_URL is https://other.example.org, not https://api.example.org" in blamed(with_worker("web", facts))[2]


def test_with_a_silent_api_the_workers_are_unknown_and_not_blamed() -> None:
    silent = CloudTrouble(why="failing", text="Cloudflare refused GET /x: broken (status 500)")
    found = judged(sight(workers=dict.fromkeys(scene.NAMES, silent)))
    assert [each.about for each in found.findings] == ["cloudflare"]
    assert {each.level for each in found.services} == {"healthy"}
    assert [each.phase for each in found.services] == ["ACTIVE", None, None, None]


def test_a_wrong_domain_and_an_enabled_workers_dev_address_are_reported() -> None:
    domain = DomainSettings(hostname="oraclenet.org", zone_id="1" * 32)
    settings = configured_worker(scene.SETTINGS, "web", domain=domain, workers_dev=False)

    def said(**changed: Any) -> list[str]:
        seen = scene.with_worker("web", scene.worker("web", enabled=False), domains={"oraclenet.org": "oracle-net"})
        found = diagnose(settings, scene.declared(), replace(seen, **changed), scene.LOCAL, scene.NOW).findings
        return [each.what for each in found]

    assert said() == []
    assert said(domains={}) == ["oraclenet.org leads to no Worker, not to oracle-net."]
    assert said(domains={"oraclenet.org": "other"}) == ["oraclenet.org leads to other, not to oracle-net."]
    assert said(domains=None) == []
    on = {**scene.sight().workers, "web": scene.worker("web", enabled=True)}
    assert said(workers=on) == ["The workers.dev address of oracle-net was switched on."]
