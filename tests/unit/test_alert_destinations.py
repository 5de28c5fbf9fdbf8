"""Alerts of the backend's app: settings, spec, and the copy of their destinations to a new app."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clients.app_platform import AppPlatformError
from components.backend_generation import fingerprint
from lifecycle.alert_destinations import copy_destinations
from settings import SettingsError
from tests.support.fakes import FakeAccount, app, context, worker
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
def test_an_invalid_alert_is_refused_in_one_sentence(given: list[Any], words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        settings(alerts=given)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_settings_without_alerts_do_not_change_the_fingerprint() -> None:
    """The support for alerts makes no new app for a stack without alerts."""
    before = settings().backend.model_dump(mode="json")
    assert "alerts" in before
    assert fingerprint(settings(alerts=[]), RELEASE) == fingerprint(settings(), RELEASE)


@pytest.mark.parametrize("changed", [[FAILED], [CPU], [{**CPU, "value": 90}], [{**FAILED, "disabled": True}]])
def test_changed_alerts_need_a_new_app(changed: list[Any]) -> None:
    """Only a deployment changes a spec, and a deployment would empty the disk."""
    others = [fingerprint(settings(alerts=each), RELEASE) for each in ([], [FAILED, CPU])]
    assert fingerprint(settings(alerts=changed), RELEASE) not in others


def test_each_alert_is_at_its_place_in_the_spec() -> None:
    config = program.config_of("local")
    section = json.loads(config["oracle-net:backend"])
    config["oracle-net:backend"] = json.dumps({**section, "alerts": [CPU, FAILED]})
    spec = program.plain(program.run(config).one("backend-app").inputs["spec"])
    assert spec["alerts"] == [FAILED]
    assert spec["services"][0]["alerts"] == [CPU]


def test_a_spec_without_alerts_has_no_alerts_key() -> None:
    spec = program.plain(program.run(program.config_of("local")).one("backend-app").inputs["spec"])
    assert "alerts" not in spec
    assert "alerts" not in spec["services"][0]


MAIL = ["a@example.org"]
SLACK = [{"url": "https://hooks.example.org/x", "channel": "c"}]


@pytest.fixture
def account() -> FakeAccount:
    """An account with two apps: `old` serves, `new` was just made."""
    cpu = {"component_name": "web", "spec": CPU}
    old: list[dict[str, Any]] = [
        {"id": "1", "spec": FAILED, "emails": MAIL},
        {"id": "2", **cpu, "emails": MAIL, "slack_webhooks": SLACK},
        {"id": "3", "spec": {"rule": "X"}},
    ]
    new = [{"id": "7", "spec": FAILED}, {"id": "8", **cpu}, {"id": "9", "spec": {"rule": "X"}}]
    apps = {name: app(name, name) for name in ("old", "new")}
    return FakeAccount(apps, {"api": worker("old")}, alerts={"old": old, "new": new})


def test_alert_destinations_are_copied_to_the_new_app(account: FakeAccount) -> None:
    copy_destinations(context(account), "new")
    assert account.calls == [
        "POST /v2/apps/new/alerts/7/destinations emails",
        "POST /v2/apps/new/alerts/8/destinations emails slack_webhooks",
    ]


def test_no_destination_is_copied_without_a_former_app(account: FakeAccount) -> None:
    copy_destinations(context(account), "old")
    account.workers.clear()
    copy_destinations(context(account), "new")
    assert account.calls == []


def test_destinations_that_the_new_app_has_are_not_sent_again(account: FakeAccount) -> None:
    account.alerts["new"] = [{**each, "id": "n"} for each in account.alerts["old"]]
    copy_destinations(context(account), "new")
    assert account.calls == []


def test_a_cloud_error_does_not_stop_the_release(account: FakeAccount, capsys: pytest.CaptureFixture[str]) -> None:
    account.failures["alerts"] = AppPlatformError("DigitalOcean does not answer")
    copy_destinations(context(account), "new")
    assert account.calls == []
    assert "so the alerts go to the team's own address: DigitalOcean does not answer" in capsys.readouterr().out
