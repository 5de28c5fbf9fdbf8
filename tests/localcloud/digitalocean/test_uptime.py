"""Uptime checks and their alerts, with DigitalOcean's own client where possible."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from tests.localcloud.account import Account, Json
from tests.support.waiting import until

CHECKS = "/v2/uptime/checks"


def made(account: Account, **fields: Json) -> Json:
    body = {"name": "check", "type": "http", "target": "http://127.0.0.1:1", "regions": None, "enabled": True} | fields
    answer = account.http.post(CHECKS, json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()["check"]


def test_a_check_is_created_changed_and_deleted(account: Account) -> None:
    check = made(account, regions=["eu_west", "us_east"])
    path = f"{CHECKS}/{check['id']}"
    assert check == {"id": check["id"], "name": "check", "type": "http", "target": "http://127.0.0.1:1"} | {
        "regions": ["eu_west", "us_east"],
        "enabled": True,
    }
    changed = account.http.put(path, json=check | {"name": "other", "enabled": False}).json()["check"]
    assert changed == check | {"name": "other", "enabled": False}
    assert account.http.put(path, json={"name": "third"}).json()["check"] == changed | {"name": "third"}
    assert account.http.get(path).json()["check"]["name"] == "third"
    assert check["id"] in [each["id"] for each in account.http.get(CHECKS).json()["checks"]]
    assert account.http.delete(path).status_code == 204
    assert account.http.get(path).status_code == 404
    assert account.http.delete(path).status_code == 404


def test_the_state_of_a_check_follows_its_target(account: Account) -> None:
    app = account.up("watched")
    check = made(account, target=f"{app['live_url']}/health", regions=["eu_west"])
    path = f"{CHECKS}/{check['id']}/state"
    state = account.http.get(path).json()["state"]
    assert list(state["regions"]) == ["eu_west"]
    assert state["regions"]["eu_west"]["status"] == "UP"
    account.http.delete(f"/v2/apps/{app['id']}")
    down = account.http.get(path).json()["state"]
    assert down["regions"]["eu_west"]["status"] == "DOWN"
    assert down["regions"]["eu_west"]["status_changed_at"] > state["regions"]["eu_west"]["status_changed_at"]
    assert account.http.get(path).json()["state"] == down
    account.http.put(path.removesuffix("/state"), json={"target": account.cloud.url + "/_cloud/health"})
    assert account.http.get(path).json()["state"]["regions"]["eu_west"]["status"] == "UP"


def test_the_last_outage_is_recorded(account: Account) -> None:
    spec = account.spec("outage", digest="sha256:" + "0" * 64)
    app = account.create(spec)
    account.wait(app["id"], app["pending_deployment"]["id"], "ERROR")
    account.update(app["id"], account.spec("outage"))
    app = account.app(app["id"])
    check = made(account, target=app["live_url"])
    path = f"{CHECKS}/{check['id']}/state"
    assert account.http.get(path).json()["state"]["previous_outage"] == {}
    account.get(app, "/crash")

    def status() -> str:
        return str(account.http.get(path).json()["state"]["regions"]["us_east"]["status"])

    until(lambda: status() == "DOWN", "it is seen down")
    until(lambda: status() == "UP", "it is seen up again")
    outage = account.http.get(path).json()["state"]["previous_outage"]
    assert outage["started_at"] < outage["ended_at"]
    assert outage["duration_seconds"] >= 0


def test_targets_on_other_hosts_are_never_requested(account: Account) -> None:
    check = made(account, target="https://www.example.test")
    state = account.http.get(f"{CHECKS}/{check['id']}/state").json()["state"]
    assert {region["status"] for region in state["regions"].values()} == {"UNKNOWN"}


@pytest.mark.parametrize(
    "fields, word",
    [
        ({"name": ""}, "name"),
        ({"target": ""}, "target"),
        ({"target": "two words"}, "target"),
        ({"type": "smoke"}, "type"),
        ({"regions": ["mars"]}, "region"),
        ({"enabled": "yes"}, "enabled"),
    ],
)
def test_an_invalid_check_is_refused(account: Account, fields: dict[str, Any], word: str) -> None:
    body = {"name": "x", "type": "http", "target": "http://127.0.0.1"} | fields
    answer = account.http.post(CHECKS, json=body)
    assert (answer.status_code, answer.json()["id"]) == (422, "unprocessable_entity")
    assert word in answer.json()["message"]


def test_an_unknown_field_is_refused(account: Account) -> None:
    body = {"name": "x", "target": "http://127.0.0.1", "colour": "red"}
    assert account.http.post(CHECKS, json=body).status_code == 400


ALERT = {
    "name": "alert",
    "type": "latency",
    "threshold": 300,
    "comparison": "greater_than",
    "notifications": {"email": ["a@example.test"], "slack": [{"url": "https://hooks.example.test/x", "channel": "#c"}]},
    "period": "2m",
}


def test_an_alert_is_created_changed_and_deleted(account: Account) -> None:
    path = f"{CHECKS}/{made(account)['id']}/alerts"
    answer = account.http.post(path, json=ALERT)
    assert answer.status_code == 201
    alert = answer.json()["alert"]
    assert alert == ALERT | {"id": alert["id"]}
    mine = f"{path}/{alert['id']}"
    assert account.http.get(mine).json()["alert"] == alert
    assert account.http.get(path).json()["alerts"] == [alert]
    changed = account.http.put(mine, json=ALERT | {"threshold": 500}).json()["alert"]
    assert changed == alert | {"threshold": 500}
    of_another = f"{CHECKS}/{made(account)['id']}/alerts/{alert['id']}"
    assert account.http.get(of_another).status_code == 404
    assert account.http.delete(mine).status_code == 204
    assert account.http.get(mine).status_code == 404


def test_an_empty_comparison_and_period_are_stored_unchanged(account: Account) -> None:
    path = f"{CHECKS}/{made(account)['id']}/alerts"
    body = {"name": "x", "type": "down", "threshold": 0, "comparison": "", "period": ""}
    body |= {"notifications": {"email": ["a@example.test"], "slack": None}}
    assert account.http.post(path, json=body).json()["alert"].items() >= body.items()


def test_alerts_are_deleted_with_their_check(account: Account) -> None:
    check = made(account)
    alert = account.http.post(f"{CHECKS}/{check['id']}/alerts", json=ALERT).json()["alert"]
    account.http.delete(f"{CHECKS}/{check['id']}")
    assert account.http.get(f"{CHECKS}/{check['id']}/alerts/{alert['id']}").status_code == 404


@pytest.mark.parametrize(
    "fields",
    [
        {"name": ""},
        {"type": "smoke"},
        {"threshold": -1},
        {"comparison": "equal"},
        {"period": "9m"},
        {"notifications": None},
    ],
)
def test_an_invalid_alert_is_refused(account: Account, fields: dict[str, Any]) -> None:
    answer = account.http.post(f"{CHECKS}/{made(account)['id']}/alerts", json=ALERT | fields)
    assert answer.status_code == 422


def test_an_alert_of_a_missing_check_is_refused(account: Account) -> None:
    assert account.http.post(f"{CHECKS}/{uuid.uuid4()}/alerts", json=ALERT).status_code == 404
