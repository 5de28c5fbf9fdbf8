"""Apps behind the edge: routing by host, streaming, upgrades, and switches that no client notices."""

from __future__ import annotations

import hashlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

from localcloud.edge import Edge
from localcloud.edge_process import EdgeError
from tests.localcloud.cloudflare.load import Load
from tests.localcloud.cloudflare.loop import Loop
from tests.localcloud.cloudflare.upstream import App

HOST = "shop-ab12c.ondigitalocean.localhost"


@pytest.fixture
def second() -> Iterator[App]:
    made = App("two")
    yield made
    made.stop()


@pytest.fixture
def routed(edge: Edge, loop: Loop, app: App) -> Iterator[App]:
    loop.run(edge.route_app(HOST, app.address))
    yield app
    loop.run(edge.drop_app(HOST))


def test_a_host_without_an_app_answers_404_or_503(edge: Edge, loop: Loop, ask: Any) -> None:
    assert ask("GET", "nobody.localhost").status_code == 404
    loop.run(edge.route_app("asleep.localhost", None))
    answer = ask("GET", "asleep.localhost")
    assert (answer.status_code, "no running deployment" in answer.text) == (503, True)
    loop.run(edge.drop_app("asleep.localhost"))
    assert ask("GET", "asleep.localhost").status_code == 404


def test_requests_and_answers_are_passed_on_unchanged(ask: Any, edge: Edge, routed: App) -> None:
    body = bytes(range(256)) * 4096
    answer = ask("POST", HOST, "/a%20b?q=1", content=body, headers={"x-mine": "1", "connection": "keep-alive"})
    seen = answer.json()
    assert (seen["method"], seen["path"], seen["bytes"]) == ("POST", "/a%20b?q=1", len(body))
    assert seen["sha256"] == hashlib.sha256(body).hexdigest()
    headers = {name.lower(): value for name, value in seen["headers"].items()}
    assert headers["host"] == f"{HOST}:{edge.port}"
    assert headers["x-mine"] == "1"
    assert (headers["x-forwarded-for"], headers["x-forwarded-proto"]) == ("127.0.0.1", "http")
    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]


def test_a_chunked_body_is_passed_on(ask: Any, routed: App) -> None:
    seen = ask("PUT", HOST, content=iter([b"one", b"two"])).json()
    assert seen["bytes"] == 6


def test_an_answer_to_head_has_no_body(ask: Any, routed: App) -> None:
    assert ask("HEAD", HOST).content == b""


def test_server_sent_events_are_passed_on_at_once(ask: Any, edge: Edge, routed: App) -> None:
    url = f"http://127.0.0.1:{edge.port}/events"
    with ask.client.stream("GET", url, headers={"host": HOST}) as answer:
        parts = answer.iter_raw()
        for expected in (b"data: one\n\n", b"data: two\n\n"):
            routed.release.set()
            assert next(parts) == expected


def test_a_client_that_leaves_ends_the_upstream_request(ask: Any, edge: Edge, loop: Loop, routed: App) -> None:
    with ask.client.stream("GET", f"http://127.0.0.1:{edge.port}/events", headers={"host": HOST}):
        assert not loop.run(edge.drained(routed.address, 0))
    assert loop.run(edge.drained(routed.address, 10))


def test_a_websocket_is_passed_on(edge: Edge, routed: App) -> None:
    with (
        socket.create_connection(("127.0.0.1", edge.port)) as raw,
        connect(f"ws://{HOST}:{edge.port}/ws", sock=raw) as ws,
    ):
        for text in ("hello", "again"):
            ws.send(text)
            assert ws.recv(10) == text


def test_a_request_in_progress_ends_on_the_old_upstream(
    ask: Any, edge: Edge, loop: Loop, routed: App, second: App
) -> None:
    found: list[httpx.Response] = []
    slow = threading.Thread(
        target=lambda: found.append(
            httpx.get(f"http://127.0.0.1:{edge.port}/slow", headers={"host": HOST}, trust_env=False, timeout=20)
        )
    )
    slow.start()
    wait_for(lambda: "/slow" in routed.seen)
    loop.run(edge.route_app(HOST, second.address))
    assert ask("GET", HOST).json()["app"] == "two"
    assert not loop.run(edge.drained(routed.address, 0))
    routed.release.set()
    slow.join(20)
    assert found[0].json()["app"] == "one"
    assert loop.run(edge.drained(routed.address, 10))


def test_a_switch_of_upstreams_loses_no_request(edge: Edge, loop: Loop, routed: App, second: App) -> None:
    with Load(f"http://127.0.0.1:{edge.port}/", HOST) as load:
        for turn in range(20):
            seen = len(load.answers)
            loop.run(edge.route_app(HOST, (second, routed)[turn % 2].address))
            wait_for(lambda seen=seen: len(load.answers) > seen + 5)
    assert load.failures == []
    assert {'"one"', '"two"'} <= {answer[8:13] for answer in load.answers}


def test_a_process_replaced_on_the_same_port_loses_no_request(edge: Edge, loop: Loop, ask: Any) -> None:
    first = App("first")
    loop.run(edge.route_app(HOST, first.address))
    with Load(f"http://127.0.0.1:{edge.port}/", HOST) as load:
        wait_for(lambda: len(load.answers) > 20)
        loop.run(edge.route_app(HOST, None))
        stopped = first.address[1]
    first.stop()
    loop.run(edge.route_app(HOST, ("127.0.0.1", stopped)))
    results: list[httpx.Response] = []
    asking = threading.Thread(target=lambda: results.append(ask("POST", HOST, content=b"12345")))
    asking.start()
    time.sleep(0.2)  # long enough for refused connections, much shorter than the edge tries
    again = App("again", stopped)
    asking.join(20)
    assert (results[0].status_code, results[0].json()["app"], again.seen) == (200, "again", ["/"])
    again.stop()
    loop.run(edge.drop_app(HOST))


def test_an_app_that_is_gone_answers_503(edge: Edge, loop: Loop, ask: Any) -> None:
    gone = App("gone")
    gone.stop()
    loop.run(edge.route_app(HOST, gone.address))
    answer = ask("GET", HOST)
    assert (answer.status_code, "connection_refused" in answer.text) == (503, True)
    loop.run(edge.drop_app(HOST))


def test_the_error_names_a_port_in_use(edge: Edge, loop: Loop, tmp_path: Any, programs: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("localcloud.edge_process.BUSY_SECONDS", 0.1)
    with pytest.raises(EdgeError, match=f"Port {edge.port} on 127.0.0.1 is in use"):
        loop.run(Edge(tmp_path, edge.port, programs).start())


def wait_for(condition: Any, seconds: float = 20.0) -> None:
    """Until `condition()` holds; an AssertionError when it doesn't in time."""
    deadline = time.monotonic() + seconds
    pause = 0.001
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(pause)
        pause = min(pause * 2, 0.05)
