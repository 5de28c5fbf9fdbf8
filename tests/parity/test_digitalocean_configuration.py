"""The configuration of the offline digitalocean plugin: the recorded cases, and its refusals."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.parity.plugin import Plugin
from tests.parity.recordings import case, load, localised
from tests.parity.replaying import asked, bearer, same, sent, serve
from tests.parity.stub import Stub

RECORDING = "provider.configuration"
CHECK = "digitalocean:index/uptimeCheck:UptimeCheck"
APP = "digitalocean:index/app:App"
# The recordings say "the checked inputs" and leave the Check out.
_CHECK_INPUTS = {"target": "https://www.example.test", "name": "n", "enabled": True, "type": "https"}
_APP_INPUTS = {"spec": {"name": "bad-422", "region": "nyc"}, "deploymentPerPage": 20}


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch) -> Iterator[Plugin]:
    for name in ("DIGITALOCEAN_TOKEN", "DIGITALOCEAN_ACCESS_TOKEN", "DIGITALOCEAN_API_URL"):
        monkeypatch.delenv(name, raising=False)
    with Plugin("digitalocean") as running:
        yield running


def _names() -> list[str]:
    return [one["name"] for one in load(RECORDING)["cases"] if one["name"].startswith("digitalocean: ")]


@pytest.mark.parametrize("name", _names())
def test_the_case_is_answered_as_recorded(
    stub: Stub, plugin: Plugin, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    recorded = localised(case(load(RECORDING), name), {"127.0.0.1:PORT": f"127.0.0.1:{stub.port}"})
    for variable, value in recorded.get("environment", {}).items():
        monkeypatch.setenv(variable, value)
    assert recorded["steps"]
    for step in recorded["steps"]:
        exchanges = step.get("http", [])
        serve(stub, exchanges)
        assert _shaped(_called(plugin, name, step), step) == _expected(step), step["rpc"]
        assert sent(stub.requests) == asked(exchanges)
        assert {request.headers["authorization"] for request in stub.requests} == bearer(exchanges)


def _called(plugin: Plugin, name: str, step: dict[str, Any]) -> dict[str, Any]:
    request = step.get("request", {})
    if step["rpc"] == "Handshake":
        return {"result": plugin.handshake()}
    if step["rpc"] == "CheckConfig":
        return plugin.check_config(request["news"])
    if step["rpc"] == "Configure":
        return plugin.configure(request["args"])
    return plugin.create(APP, _APP_INPUTS) if ": App: " in name else plugin.create(CHECK, _CHECK_INPUTS)


def _expected(step: dict[str, Any]) -> Any:
    return {"result": step["result"]} if "result" in step else _shaped(step, step)


def _shaped(answer: dict[str, Any], step: dict[str, Any]) -> Any:
    """What a step ended with; of Create, these recordings have the id only."""
    if "result" in answer:
        return {"result": answer["result"]}
    ended = same({key: answer[key] for key in ("response", "error") if key in answer})
    if step["rpc"] == "Create" and "response" in ended:
        return ended["response"]["id"]
    return ended


@pytest.mark.parametrize(
    "endpoint",
    ["https://api.digitalocean.com", "http://192.0.2.1:8400", "https://127.0.0.1:8400", "127.0.0.1:8400", "http://x"],
)
def test_an_endpoint_that_is_not_on_loopback_is_refused(plugin: Plugin, endpoint: str) -> None:
    error = plugin.configure({"token": "t", "apiEndpoint": endpoint})["error"]
    assert "digitalocean:apiEndpoint" in error["details"]
    assert error["details"].endswith("run `oracle up --plugins official`.")


def test_without_an_endpoint_the_real_cloud_is_refused(plugin: Plugin) -> None:
    assert "https://api.digitalocean.com" in plugin.configure({"token": "t"})["error"]["details"]


def test_a_computed_endpoint_is_refused_when_it_is_needed(plugin: Plugin) -> None:
    assert "response" in plugin.configure({"apiEndpoint": {"$unknown": True}})
    assert "Fix: set it to a plain value" in plugin.create(CHECK, _CHECK_INPUTS)["error"]["details"]


def test_retries_can_be_disabled(stub: Stub, plugin: Plugin) -> None:
    plugin.configure({"token": "t", "apiEndpoint": f"http://127.0.0.1:{stub.port}", "httpRetryMax": "0"})
    stub.answer_by(lambda _: {"status": 500, "responseBody": {"message": "placeholder"}})
    assert plugin.create(CHECK, _CHECK_INPUTS)["error"]["details"].endswith("500 placeholder\n\n")
    assert len(stub.requests) == 1


def test_an_unreachable_api_is_one_sentence(stub: Stub, plugin: Plugin) -> None:
    plugin.configure({"token": "t", "apiEndpoint": "http://127.0.0.1:9", "httpRetryMax": "1"})
    details = plugin.create(CHECK, _CHECK_INPUTS)["error"]["details"]
    assert "POST http://127.0.0.1:9/v2/uptime/checks" in details
    assert "make up" in details
