"""Following a Worker's console."""

from __future__ import annotations

import json

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from tests.localcloud.cloudflare.service import Client

CODE = """export default { fetch(request) {
  console.log("saw", new URL(request.url).pathname);
  return new Response("ok");
} }"""


def test_lines_arrive_as_they_are_written(api: Client) -> None:
    api.put("talker", CODE)
    host = api.enable("talker")
    earlier = api.result("POST", "~/workers/scripts/talker/tails", json={"filters": []})
    with connect(earlier["url"]) as socket:
        api.get(host, "/before")
        assert json.loads(socket.recv(10))["logs"][0]["message"] == ["saw /before"]
    api.result("DELETE", f"~/workers/scripts/talker/tails/{earlier['id']}")
    made = api.result("POST", "~/workers/scripts/talker/tails", json={"filters": []})
    with connect(made["url"], subprotocols=[Subprotocol("trace-v1")]) as socket:
        assert socket.subprotocol == "trace-v1"
        socket.send(json.dumps({"debug": False}))
        for path in ("/one", "/two"):
            api.get(host, path)
            event = json.loads(socket.recv(10))
            assert (event["scriptName"], event["outcome"]) == ("talker", "ok")
            assert event["logs"][0]["message"] == [f"saw {path}"]
    assert [tail["id"] for tail in api.result("GET", "~/workers/scripts/talker/tails")] == [made["id"]]
    api.result("DELETE", f"~/workers/scripts/talker/tails/{made['id']}")
    with pytest.raises((ConnectionClosed, InvalidStatus)), connect(made["url"]) as socket:
        socket.recv(10)
