"""Tails: the events of a Worker as a stream."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.localcloud.cloudflare.service import Client

CODE = """export default { async fetch(request, env) {
  const path = new URL(request.url).pathname;
  console.log("saw", path, { deep: [1] });
  if (path === "/throw") throw new TypeError("no luck");
  if (path === "/loop") for (;;);
  return new Response("ok", { status: path === "/teapot" ? 418 : 200 });
} }"""
HEX = "0123456789abcdef" * 2


@pytest.fixture(scope="module")
def talker(api: Client) -> str:
    """The host of a Worker that tells what it sees."""
    api.put("talker", CODE, limits={"cpu_ms": 300})
    return api.enable("talker")


@contextmanager
def following(api: Client, *filters: dict[str, Any]) -> Iterator[ClientConnection]:
    made = api.result("POST", "~/workers/scripts/talker/tails", json={"filters": filters})
    with connect(made["url"], subprotocols=[Subprotocol("trace-v1")]) as socket:
        assert socket.subprotocol == "trace-v1"
        socket.send(json.dumps({"debug": False}))
        yield socket
    api("DELETE", f"~/workers/scripts/talker/tails/{made['id']}")


def event(socket: ClientConnection) -> Any:
    return json.loads(socket.recv(20))


def test_each_request_is_an_event_with_its_console_lines(api: Client, talker: str) -> None:
    with following(api) as socket:
        for path, status in {"/one": 200, "/teapot": 418}.items():
            api.get(talker, path)
            found = event(socket)
            assert (found["scriptName"], found["outcome"]) == ("talker", "ok")
            assert found["logs"][0]["message"] == ["saw", path, {"deep": [1]}]
            assert found["event"]["request"]["url"].endswith(path)
            assert found["event"]["response"] == {"status": status}


def test_an_exception_is_an_event(api: Client, talker: str) -> None:
    with following(api) as socket:
        assert api.get(talker, "/throw").text == "error code: 1101\n"
        found = event(socket)
    assert found["outcome"] == "exception"
    (error,) = found["exceptions"]
    assert (error["name"], error["message"]) == ("TypeError", "no luck")
    assert "(worker.js:4:" in error["stack"]


def test_secrets_in_a_request_are_masked(api: Client, talker: str) -> None:
    secret = {"Authorization": "Bearer s", "Cookie": "a=s", "X-Api-Key": "s", "X-Upload-Token": "s", "X-Other": "seen"}
    with following(api) as socket:
        api.get(talker, f"/?id={HEX}", headers=secret)
        request = event(socket)["event"]["request"]
    shown = {name: request["headers"][name.lower()] for name in secret}
    assert shown == dict.fromkeys(secret, "REDACTED") | {"X-Other": "seen"}
    assert request["url"].endswith("/?id=REDACTED")


def test_a_request_over_the_cpu_limit_is_an_event(api: Client, talker: str) -> None:
    with following(api) as socket:
        answer = api.get(talker, "/loop", headers={"authorization": "Bearer s"})
        assert (answer.status_code, answer.text) == (503, "error code: 1102\n")
        found = event(socket)
        api.get(talker, "/later")
        assert event(socket)["outcome"] == "ok", "the runtime that was started anew is followed, too"
    assert (found["outcome"], found["exceptions"][0]["message"]) == ("exceededCpu", "Worker exceeded CPU time limit.")
    assert found["event"]["request"]["url"].endswith("/loop")
    assert found["event"]["request"]["headers"]["authorization"] == "REDACTED"
    assert [log["message"] for log in found["logs"]] == [["saw /loop { deep: [ 1 ] }"]]


@pytest.mark.parametrize(
    "wanted",
    [
        {"outcome": ["exception", "exceededCpu"]},
        {"query": "/throw"},
        {"method": ["PUT"]},
        {"header": {"key": "X-Mark", "query": "the"}},
        {"header": {"key": "X-Mark"}},
    ],
)
def test_a_filter_passes_only_matching_events(api: Client, talker: str, wanted: dict[str, Any]) -> None:
    with following(api, wanted) as socket:
        api.get(talker, "/one")
        api.get(talker, "/throw", method="PUT", headers={"x-mark": "the one"})
        assert event(socket)["event"]["request"]["url"].endswith("/throw")


def test_a_tail_continues_after_a_deployment(api: Client, talker: str) -> None:
    with following(api) as socket:
        api.get(talker, "/before")
        before = event(socket)["scriptVersion"]["id"]
        api.put("talker", CODE, limits={"cpu_ms": 300})
        api.get(talker, "/after")
        assert event(socket)["scriptVersion"]["id"] != before


def test_a_deleted_tail_ends(api: Client, talker: str) -> None:
    made = api.result("POST", "~/workers/scripts/talker/tails", json={"filters": []})
    assert made["id"] in [tail["id"] for tail in api.result("GET", "~/workers/scripts/talker/tails")]
    with connect(made["url"]) as socket:
        api.result("DELETE", f"~/workers/scripts/talker/tails/{made['id']}")
        with pytest.raises(ConnectionClosed):
            socket.recv(10)
    assert made["id"] not in [tail["id"] for tail in api.result("GET", "~/workers/scripts/talker/tails")]
    with pytest.raises((ConnectionClosed, InvalidStatus)), connect(made["url"]) as socket:
        socket.recv(10)


def test_invalid_filters_are_refused(api: Client, talker: str) -> None:
    assert api.refusal("POST", "~/workers/scripts/talker/tails", json={"filters": [1]})[0] == 400


def test_the_tails_of_a_deleted_worker_end(api: Client) -> None:
    api.put("leaver", CODE)
    made = api.result("POST", "~/workers/scripts/leaver/tails", json={"filters": []})
    with connect(made["url"]) as socket:
        api.result("DELETE", "~/workers/scripts/leaver")
        with pytest.raises(ConnectionClosed):
            socket.recv(10)
