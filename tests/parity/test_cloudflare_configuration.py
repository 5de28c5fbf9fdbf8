"""The configuration of the offline cloudflare plugin, and the answers that it retries."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from offline_plugins.cloudflare import provider
from tests.parity.cloudflare import ACCOUNT, FIRST_CALLS, MINIMAL, RESOURCES, TOKEN
from tests.parity.plugin import Plugin
from tests.parity.recordings import case, load, localised
from tests.parity.stub import Stub

_CONFIGURATION, _RETRIES = "provider.configuration", "cloudflare.retries"
_SUBDOMAIN = "cloudflare:index/workersScriptSubdomain:WorkersScriptSubdomain"
_ENABLED = {"status": 200, "responseBody": '{"success": true, "result": {"enabled": true, "previews_enabled": false}}'}
_HEADERS = ("authorization", "x-auth-email", "x-auth-key", "accept", "content-type")


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch) -> Iterator[Plugin]:
    for variable in ("TOKEN", "KEY"):
        monkeypatch.delenv(f"CLOUDFLARE_API_{variable}", raising=False)
    monkeypatch.setattr(provider, "_RETRIES", replace(provider._RETRIES, first=0.001, longest=0.002))
    with Plugin("cloudflare") as running:
        yield running


def _names(recording: str) -> list[str]:
    return [one["name"] for one in load(recording)["cases"] if "digitalocean" not in one["name"]]


@pytest.mark.parametrize("name", _names(_CONFIGURATION))
def test_the_configuration_is_used_as_recorded(
    name: str, plugin: Plugin, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The recorded Create is of a route, which is not supported here; another resource has the same headers."""
    one = localised(case(load(_CONFIGURATION), name), {"PORT": str(stub.port)})
    for variable, value in one.get("environment", {}).items():
        monkeypatch.setenv(variable, value)
    handshake, *steps = one["steps"]
    assert plugin.handshake() == handshake["result"]
    assert plugin.check_config(steps[0]["request"]["news"]) == {"response": steps[0]["response"]}
    if len(steps) == 1:
        return
    assert plugin.configure(steps[1]["request"]["args"]) == {"response": steps[1]["response"]}
    stub.expect([_ENABLED])
    plugin.create(_SUBDOMAIN, {"accountId": ACCOUNT, "scriptName": "w", "enabled": True})
    (request,), (exchange,) = stub.requests, steps[2]["http"]
    assert request.path == f"/client/v4/accounts/{ACCOUNT}/workers/scripts/w/subdomain"
    recorded = {name: value for name, value in exchange["requestHeaders"].items() if name != "user-agent"}
    assert {name: value for name, value in request.headers.items() if name in _HEADERS} == recorded


@pytest.mark.parametrize("name", RESOURCES)
def test_the_first_calls_are_answered_as_recorded(name: str, plugin: Plugin, stub: Stub) -> None:
    handshake, check, configure = localised(case(load(name), FIRST_CALLS), {"PORT": str(stub.port)})["steps"]
    assert plugin.handshake() == handshake["result"]
    assert plugin.check_config(check["request"]["news"]) == {"response": check["response"]}
    assert plugin.configure(configure["request"]["args"]) == {"response": configure["response"]}


@pytest.mark.parametrize("name", _names(_RETRIES))
def test_failed_requests_are_retried_as_recorded(name: str, plugin: Plugin, stub: Stub) -> None:
    recording = load(_RETRIES)
    (step,) = localised(case(recording, name), {"PORT": str(stub.port)})["steps"]
    plugin.configure({"apiToken": TOKEN, "baseUrl": f"http://127.0.0.1:{stub.port}/client/v4"})
    stub.expect(step["http"])
    answer: dict[str, Any] = plugin.create(recording["type"], {**MINIMAL, **step["request"]["properties"]})
    assert answer == {"error": step["error"]}
    assert [request.path for request in stub.requests] == [exchange["path"] for exchange in step["http"]]
