"""Rollbacks: the app stays pinned until the rollback is committed or reverted."""

from __future__ import annotations

import pytest

from tests.localcloud.account import Account, Json


def greeting(word: str) -> Json:
    return [{"key": "GREETING", "value": word}]


@pytest.fixture
def app(account: Account, request: pytest.FixtureRequest) -> Json:
    """An app that was updated once, from one to two."""
    name = "rb-" + str(abs(hash(request.node.name)))[:8]
    app = account.up(name, envs=greeting("one"))
    account.update(app["id"], account.spec(name, envs=greeting("two")))
    return app


def post(account: Account, app: Json, verb: str, **body: Json) -> Json:
    answer = account.http.post(f"/v2/apps/{app['id']}/{verb}", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def roll_back(account: Account, app: Json, **more: Json) -> Json:
    target = app["active_deployment"]["id"]
    assert post(account, app, "rollback/validate", deployment_id=target) == {"valid": True, "warnings": []}
    deployment = post(account, app, "rollback", deployment_id=target, **more)["deployment"]
    assert deployment["cloned_from"] == target
    assert deployment["cause_details"]["type"] == "MANUAL_ROLLBACK"
    return account.wait(app["id"], deployment["id"], "ACTIVE")


def test_a_pinned_app_refuses_deployments_until_the_commit(account: Account, app: Json) -> None:
    deployment = roll_back(account, app)
    assert account.get(app).json()["greeting"] == "one"
    pinned = account.app(app["id"])
    assert pinned["pinned_deployment"]["id"] == deployment["id"]
    assert pinned["spec"]["services"][0]["envs"] == greeting("two")
    for refused in (
        account.http.post(f"/v2/apps/{app['id']}/deployments", json={}),
        account.http.put(f"/v2/apps/{app['id']}", json={"spec": pinned["spec"]}),
        account.http.post(f"/v2/apps/{app['id']}/rollback", json={"deployment_id": deployment["id"]}),
    ):
        assert refused.status_code == 409
        assert "pinned" in refused.json()["message"]
    post(account, app, "rollback/commit")
    committed = account.app(app["id"])
    assert "pinned_deployment" not in committed
    assert committed["spec"]["services"][0]["envs"] == greeting("one")
    account.update(app["id"], account.spec(committed["spec"]["name"], envs=greeting("three")))
    assert account.get(app).json()["greeting"] == "three"


def test_a_reverted_rollback_deploys_the_apps_own_spec(account: Account, app: Json) -> None:
    roll_back(account, app)
    deployment = post(account, app, "rollback/revert")["deployment"]
    account.wait(app["id"], deployment["id"], "ACTIVE")
    assert account.get(app).json()["greeting"] == "two"
    assert "pinned_deployment" not in account.app(app["id"])


def test_a_rollback_without_a_pin_is_committed_at_once(account: Account, app: Json) -> None:
    roll_back(account, app, skip_pin=True)
    after = account.app(app["id"])
    assert "pinned_deployment" not in after
    assert after["spec"]["services"][0]["envs"] == greeting("one")


def test_a_deployment_that_never_served_cannot_be_rolled_back_to(account: Account, app: Json) -> None:
    wrong = account.spec(account.app(app["id"])["spec"]["name"], digest="sha256:" + "0" * 64)
    failed = account.update(app["id"], wrong, "ERROR")
    answer = post(account, app, "rollback/validate", deployment_id=failed["id"])
    assert answer["valid"] is False
    assert answer["error"]["code"] == "incompatible_result"
    body = {"deployment_id": failed["id"]}
    assert account.http.post(f"/v2/apps/{app['id']}/rollback", json=body).status_code == 409


def test_commit_and_revert_without_a_rollback_are_refused(account: Account, app: Json) -> None:
    for verb in ("commit", "revert"):
        assert account.http.post(f"/v2/apps/{app['id']}/rollback/{verb}").status_code == 409
    assert account.http.post(f"/v2/apps/{app['id']}/rollback", json={}).status_code == 400
