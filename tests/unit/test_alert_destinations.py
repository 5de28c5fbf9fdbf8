"""Alerts of the backend's app: as they are declared, in the spec of a new app, and sent where they went before."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from clients.app_platform import AppPlatformError
from components.backend_generation import fingerprint
from lifecycle import alert_destinations
from lifecycle.alert_destinations import copy_destinations
from settings import SettingsError
from tests.unit import program
from tests.unit.test_backend_generation import RELEASE, settings

FAILED = {"rule": "DEPLOYMENT_FAILED"}
CPU = {"rule": "CPU_UTILIZATION", "operator": "GREATER_THAN", "value": 80, "window": "FIVE_MINUTES"}


@pytest.mark.parametrize(
    "given, words",
    [
        ([{"rule": "CPU_UTILIZATION"}], "backend.alerts[0] has the rule CPU_UTILIZATION, which needs operator, value"),
        ([FAILED, {**CPU, "window": None}], "backend.alerts[1] has the rule CPU_UTILIZATION, which needs"),
        ([{**CPU, "rule": "DOMAIN_LIVE"}], "has the rule DOMAIN_LIVE, which takes no operator, value or window"),
        ([FAILED, FAILED], "has two alerts with the rule DEPLOYMENT_FAILED"),
        ([{**CPU, "value": 0}], "backend.alerts[0].value should be greater than 0"),
        ([{"rule": "NOPE"}], "backend.alerts[0].rule should be"),
    ],
)
def test_an_alert_that_cannot_be_is_one_sentence(given: list[Any], words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        settings(alerts=given)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_without_alerts_the_fingerprint_is_what_it_was() -> None:
    """A program that knows alerts makes no other app of a stack that has none."""
    before = settings().backend.model_dump(mode="json")
    assert "alerts" in before
    assert fingerprint(settings(alerts=[]), RELEASE) == fingerprint(settings(), RELEASE)


@pytest.mark.parametrize("changed", [[FAILED], [CPU], [{**CPU, "value": 90}], [{**FAILED, "disabled": True}]])
def test_other_alerts_need_another_app(changed: list[Any]) -> None:
    """A spec is changed by a deployment only, which would empty the disk."""
    others = [fingerprint(settings(alerts=each), RELEASE) for each in ([], [FAILED, CPU])]
    assert fingerprint(settings(alerts=changed), RELEASE) not in others


def test_each_alert_stands_at_its_place_in_the_spec() -> None:
    config = program.config_of("local")
    section = json.loads(config["oracle-net:backend"])
    config["oracle-net:backend"] = json.dumps({**section, "alerts": [CPU, FAILED]})
    spec = program.plain(program.run(config).one("backend-app").inputs["spec"])
    assert spec["alerts"] == [FAILED]
    assert spec["services"][0]["alerts"] == [CPU]


def test_a_spec_without_alerts_says_nothing_of_them() -> None:
    spec = program.plain(program.run(program.config_of("local")).one("backend-app").inputs["spec"])
    assert "alerts" not in spec
    assert "alerts" not in spec["services"][0]


class Cloud:
    """An account with two apps: `old` serves, `new` was just made."""

    def __init__(self, served: str | None = "old", fails: bool = False) -> None:
        self.served, self.fails = served, fails
        self.sent: list[tuple[str, str, Any]] = []
        mail, slack = ["a@example.org"], [{"url": "https://hooks.example.org/x", "channel": "c"}]
        cpu = {"component_name": "web", "spec": CPU, "emails": mail, "slack_webhooks": slack}
        self.found: dict[str, list[dict[str, Any]]] = {
            "old": [
                {"id": "1", "spec": FAILED, "emails": mail},
                {"id": "2", **cpu},
                {"id": "3", "spec": {"rule": "X"}},
            ],
            "new": [
                {"id": "7", "spec": FAILED},
                {"id": "8", "component_name": "web", "spec": CPU},
                {"id": "9", "spec": {"rule": "X"}},
            ],
        }

    def __call__(self, _: str) -> Cloud:
        return self

    def __enter__(self) -> Cloud:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def find(self, name: str) -> dict[str, Any]:
        return {"id": name}

    def alerts(self, app_id: str) -> list[dict[str, Any]]:
        if self.fails:
            raise AppPlatformError("DigitalOcean does not answer")
        return self.found[app_id]

    def request(self, method: str, path: str, body: Any) -> None:
        self.sent.append((method, path, body))


def carried(cloud: Cloud, monkeypatch: pytest.MonkeyPatch, app_id: str = "new") -> list[tuple[str, str, Any]]:
    monkeypatch.setattr(alert_destinations, "AppPlatform", cloud)
    monkeypatch.setattr(alert_destinations, "app_with_traffic", lambda _: cloud.served)
    copy_destinations(_care(), app_id)
    return cloud.sent


def _care() -> Any:
    return SimpleNamespace(traffic=None, expected=SimpleNamespace(endpoint="https://cloud.example.org"))


def test_alerts_go_where_they_went(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = {path: (method, sorted(body)) for method, path, body in carried(Cloud(), monkeypatch)}
    assert sent == {
        "/v2/apps/new/alerts/7/destinations": ("POST", ["emails"]),
        "/v2/apps/new/alerts/8/destinations": ("POST", ["emails", "slack_webhooks"]),
    }


@pytest.mark.parametrize("cloud, app_id", [(Cloud(served=None), "new"), (Cloud(), "old")])
def test_without_an_app_before_nothing_is_sent(cloud: Cloud, app_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert carried(cloud, monkeypatch, app_id) == []


def test_what_is_there_already_is_not_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    cloud = Cloud()
    cloud.found["new"] = [{**each, "id": "n"} for each in cloud.found["old"]]
    assert carried(cloud, monkeypatch) == []


def test_a_cloud_that_does_not_tell_stops_no_release(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert carried(Cloud(fails=True), monkeypatch) == []
    assert "so the alerts go to the team's own address: DigitalOcean does not answer" in capsys.readouterr().out
