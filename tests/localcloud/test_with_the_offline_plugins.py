"""The offline digitalocean plugin against the local cloud: both were written separately and must agree."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.localcloud.account import REPOSITORY, Account
from tests.parity.plugin import Plugin
from tests.parity.recordings import changed
from tests.support.cloud import RunningCloud

APP = "digitalocean:index/app:App"
CHECK = "digitalocean:index/uptimeCheck:UptimeCheck"
ALERT = "digitalocean:index/uptimeAlert:UptimeAlert"
_ENVS = {"spec.envs": [{"key": "PASSWORD", "value": "planted-secret", "type": "SECRET", "scope": "RUN_TIME"}]}


@pytest.fixture(scope="module")
def plugin(cloud: RunningCloud) -> Iterator[Plugin]:
    with Plugin("digitalocean") as running:
        assert "response" in running.configure({"token": cloud.tokens.digitalocean, "apiEndpoint": cloud.url})
        yield running


def _inputs(plugin: Plugin, name: str, digest: str, **env: str) -> dict[str, Any]:
    """Checked inputs of an app with one service."""
    image = {"registryType": "GHCR", "registry": "local", "repository": REPOSITORY, "digest": digest}
    envs = [{"key": key, "value": value, "type": "GENERAL", "scope": "RUN_TIME"} for key, value in env.items()]
    health = {"httpPath": "/health", "periodSeconds": 1, "failureThreshold": 2}
    service = {"name": "backend", "httpPort": 8090, "instanceCount": 1, "instanceSizeSlug": "basic-xxs"}
    spec = {
        "name": name,
        "region": "nyc",
        "services": [{**service, "image": image, "healthCheck": health, "envs": envs}],
    }
    news = changed({"spec": spec}, {"set": _ENVS})
    checked = plugin.check(APP, {}, news)["response"]
    assert "failures" not in checked
    inputs: dict[str, Any] = checked["inputs"]
    return inputs


def _answered(answer: dict[str, Any]) -> dict[str, Any]:
    assert "response" in answer, answer
    response: dict[str, Any] = answer["response"]
    return response


def _keeping_envs(news: dict[str, Any], stored: dict[str, Any]) -> dict[str, Any]:
    """What the engine makes of ignore_changes=["spec.envs"]."""
    return changed(news, {"set": {"spec.envs": stored["spec"]["envs"]}})


def test_an_app_is_created_updated_and_deleted(plugin: Plugin, account: Account) -> None:
    digest = account.push_program()
    news = _inputs(plugin, "whole-life", digest, GREETING="one")
    made = _answered(plugin.create(APP, news))
    id, outputs = made["id"], made["properties"]
    assert account.get({"live_url": outputs["liveUrl"]}).json()["greeting"] == "one"
    assert outputs["spec"]["envs"][0]["value"] == {"$secret": "planted-secret"}

    read = _answered(plugin.read(APP, id, outputs, news))
    assert read["inputs"]["spec"]["envs"][0]["value"]["$secret"].startswith("EV[1:")
    quiet = _keeping_envs(news, read["inputs"])
    assert _answered(plugin.diff(APP, id, read["properties"], read["inputs"], quiet))["changes"] == "DIFF_NONE"

    changes = _keeping_envs(_inputs(plugin, "whole-life", digest, GREETING="two"), read["inputs"])
    updated = _answered(plugin.update(APP, id, read["properties"], read["inputs"], changes))["properties"]
    assert updated["liveUrl"] == outputs["liveUrl"]
    assert updated["activeDeploymentId"] != outputs["activeDeploymentId"]
    running = account.get({"live_url": outputs["liveUrl"]}, "/env").json()
    assert (running["GREETING"], running["PASSWORD"]) == ("two", "planted-secret")

    assert _answered(plugin.delete(APP, id, updated)) == {}
    assert _answered(plugin.read(APP, id, updated, changes)).get("id") is None
    assert "404" in plugin.delete(APP, id, updated)["error"]["details"]


def test_a_failed_deployment_leaves_the_old_one_and_says_why(plugin: Plugin, account: Account) -> None:
    digest = account.push_program()
    news = _inputs(plugin, "breaks-later", digest, GREETING="good")
    made = _answered(plugin.create(APP, news))
    broken = _inputs(plugin, "breaks-later", digest, BROKEN="start")
    error = plugin.update(APP, made["id"], made["properties"], news, broken)["error"]
    assert error["initFailed"]["id"] == made["id"]
    assert f"error deploying app ({made['id']})" in error["details"]
    assert "planted-secret" not in error["details"]
    assert account.get({"live_url": made["properties"]["liveUrl"]}).json()["greeting"] == "good"
    plugin.delete(APP, made["id"], made["properties"])


def test_a_taken_app_name_is_refused_by_the_api(plugin: Plugin, account: Account) -> None:
    digest = account.push_program()
    news = _inputs(plugin, "taken", digest, GREETING="x")
    made = _answered(plugin.create(APP, news))
    error = plugin.create(APP, news)["error"]
    assert "initFailed" not in error
    assert error["details"].startswith("1 error occurred:\n\t* Error creating App: POST ")
    plugin.delete(APP, made["id"], made["properties"])


def test_uptime_checks_and_alerts_are_managed(plugin: Plugin) -> None:
    checked = _answered(plugin.check(CHECK, {}, {"target": "https://www.example.test", "regions": ["us_east"]}))[
        "inputs"
    ]
    check = _answered(plugin.create(CHECK, checked))
    wanted = {"checkId": check["id"], "type": "down", "period": "2m", "notifications": [{"emails": ["a@example.test"]}]}
    news = _answered(plugin.check(ALERT, {}, wanted))["inputs"]
    alert = _answered(plugin.create(ALERT, news))
    for token, one, inputs in ((CHECK, check, checked), (ALERT, alert, news)):
        read = _answered(plugin.read(token, one["id"], one["properties"], inputs))
        diff = _answered(plugin.diff(token, one["id"], read["properties"], read["inputs"], inputs))
        assert diff["changes"] == "DIFF_NONE"
    slower = {**news, "period": "5m"}
    updated = _answered(plugin.update(ALERT, alert["id"], alert["properties"], news, slower))["properties"]
    assert updated["period"] == "5m"
    for token, one in ((ALERT, alert), (CHECK, check)):
        assert _answered(plugin.delete(token, one["id"], one["properties"])) == {}
        assert _answered(plugin.read(token, one["id"], one["properties"], {})).get("id") is None
