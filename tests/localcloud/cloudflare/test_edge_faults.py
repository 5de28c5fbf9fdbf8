"""Injected faults at the edge: requests to an app, and from a Worker to an app."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from localcloud.edge import Edge
from localcloud.edge_faults import EdgeFaults
from localcloud.faults import RequestFault, read
from tests.localcloud.cloudflare.loop import Loop
from tests.localcloud.cloudflare.test_edge_apps import wait_for
from tests.localcloud.cloudflare.upstream import App

HOST = "shop-ab12c.ondigitalocean.localhost"
WORKER = "caller.oracle.workers.localhost"
CALLER = """export default { async fetch(request, env) {
  const url = new URL(request.url).searchParams.get("url");
  try {
    const answer = await (url ? fetch(url) : env.OTHER.fetch("http://any.localhost/path"));
    return new Response(`${answer.status} ${await answer.text()}`);
  } catch { return new Response("lost"); }
} }"""
LARGE = b"x" * 3_000_000


@pytest.fixture
def routed(edge: Edge, loop: Loop, app: App) -> Iterator[App]:
    loop.run(edge.route_app(HOST, app.address))
    yield app
    loop.run(edge.drop_app(HOST))


@pytest.fixture
def fault(edge: Edge, loop: Loop) -> Iterator[Any]:
    """fault(**description): one more, until the test ends."""
    faults = EdgeFaults(edge)

    def add(**description: Any) -> None:
        made = read({"host": HOST, "path": "*", **description})
        loop.run(faults.add([each for each in made if isinstance(each, RequestFault)]))

    yield add
    loop.run(faults.clear())
    loop.run(faults.forget())


@pytest.fixture
def recorded(edge: Edge, loop: Loop) -> Any:
    return lambda: loop.run(EdgeFaults(edge).recorded())


def test_a_request_that_fails_by_fault_does_not_reach_the_app(ask: Any, routed: App, fault: Any) -> None:
    fault(method="POST", status=503, headers={"Retry-After": "7"})
    answer = ask("POST", HOST, "/api/backups", content=LARGE)
    assert (answer.status_code, answer.text) == (503, "fault: 503 on request\n")
    assert answer.headers["retry-after"] == "7"
    assert ask("POST", HOST, "/again", content=LARGE).json()["bytes"] == len(LARGE)
    assert routed.seen == ["/again"]


@pytest.mark.parametrize(
    "body, kind, text",
    [
        ({"message": "no"}, "application/json", '{"message":"no"}'),
        ([], "application/json", "[]"),
        ("plain", "text/plain; charset=utf-8", "plain"),
    ],
)
def test_a_fault_answers_with_the_configured_body(
    ask: Any, routed: App, fault: Any, body: Any, kind: str, text: str
) -> None:
    fault(status=400, body=body)
    answer = ask("GET", HOST)
    assert (answer.status_code, answer.headers["content-type"], answer.text) == (400, kind, text)
    fault(status=400, body=body, headers={"Content-Type": "text/x"})
    assert ask("GET", HOST).headers.get_list("content-type") == ["text/x"]


def test_a_dropped_request_does_not_reach_the_app(ask: Any, routed: App, fault: Any) -> None:
    fault(drop=True, status=500)
    with pytest.raises(httpx.TransportError):
        ask("POST", HOST, "/dropped", content=b"1")
    assert ask("GET", HOST).status_code == 200
    assert routed.seen == ["/"]


def test_a_request_with_a_lost_answer_reaches_the_app(
    ask: Any, edge: Edge, loop: Loop, routed: App, fault: Any
) -> None:
    fault(drop="answer", status=500)
    with pytest.raises(httpx.RemoteProtocolError):
        ask("POST", HOST, "/restore", content=LARGE)
    assert routed.seen == ["/restore"]
    assert loop.run(edge.drained(routed.address, 10))
    assert ask("GET", HOST).status_code == 200


def test_an_answer_is_lost_only_after_the_app_has_finished_it(ask: Any, routed: App, fault: Any) -> None:
    fault(drop="answer")
    broken: list[Exception] = []

    def listen() -> None:
        try:
            ask("GET", HOST, "/events")
        except httpx.TransportError as error:
            broken.append(error)

    listening = threading.Thread(target=listen)
    listening.start()
    for _ in range(2):
        assert broken == []
        routed.release.set()
        wait_for(lambda: not routed.release.is_set())  # it goes on with the next part
    listening.join(20)
    assert len(broken) == 1


def test_a_delayed_request_goes_to_the_upstream_after_the_switch(
    ask: Any, edge: Edge, loop: Loop, routed: App, fault: Any
) -> None:
    second = App("two")
    fault(delay=0.5)
    found: list[httpx.Response] = []
    slow = threading.Thread(target=lambda: found.append(ask("GET", HOST, "/late")))
    slow.start()
    wait_for(lambda: loop.run(EdgeFaults(edge).left()) == [])  # it is waiting
    loop.run(edge.route_app(HOST, second.address))
    slow.join(20)
    second.stop()
    assert (found[0].json()["app"], routed.seen) == ("two", [])


def test_a_client_that_leaves_during_the_delay_uses_up_no_fault(
    ask: Any, edge: Edge, routed: App, fault: Any, recorded: Any
) -> None:
    fault(path="/late", delay=0.4)
    fault(record=True)
    with pytest.raises(httpx.ReadTimeout):
        ask("GET", HOST, "/late", timeout=httpx.Timeout(20, read=0.1))
    fault(path="/later", delay=0.6)  # ends after the other's
    assert ask("GET", HOST, "/later").status_code == 200
    assert routed.seen == ["/later"]
    wait_for(lambda: len(recorded()) == 2)
    assert [(each["path"], each["status"]) for each in recorded()] == [("/late", 0), ("/later", 200)]


@pytest.mark.parametrize(
    "glob, path, hit",
    [
        ("/api/*", "/api/backups/a.zip?token=secret", True),
        ("/api/*", "/v1/api/x", False),
        ("/api/backups", "/api/backups/x", False),
        ("/a?c", "/abc", True),
        ("/a?c", "/ac", False),
        ("/a.c", "/abc", False),
        ("/v[12]/(x)+", "/v2/(x)+", True),
        ("/v[!12]", "/v2", False),
        ("/v[!12]", "/v3", True),
        ("/a b*", "/a%20b", True),
        ("/%", "/%", True),
        ("/a[", "/a[", True),
        ("\\d", "/1", False),
    ],
)
def test_the_path_of_a_fault_is_a_glob(ask: Any, routed: App, fault: Any, glob: str, path: str, hit: bool) -> None:
    fault(path=glob, status=418)
    assert ask("GET", HOST, path).status_code == (418 if hit else 200)


def test_the_host_of_a_fault_is_a_glob_without_case_and_port(ask: Any, routed: App, fault: Any) -> None:
    fault(host="SHOP-?????.*", status=418, count=2)
    assert ask("GET", HOST).status_code == 418
    assert ask("GET", HOST.upper()).status_code == 418


def test_a_request_from_a_worker_to_an_app_fails_by_fault(
    ask: Any, edge: Edge, loop: Loop, routed: App, fault: Any, spec: Any
) -> None:
    loop.run(edge.deploy_worker("caller", "v1", spec(CALLER, services={"OTHER": "other"})))
    loop.run(edge.deploy_worker("other", "v1", spec('export default { fetch() { return new Response("fine"); } }')))
    loop.run(edge.set_worker_hosts("caller", [WORKER]))
    inner = f"/?url=http://{HOST}:{edge.port}/inner"
    fault(status=503, body="down", skip=1)
    fault(drop=True, skip=1)
    fault(host="any.localhost", status=503, count=9)
    assert ask("GET", WORKER, inner).text.startswith("200 ")
    assert ask("GET", WORKER, inner).text == "503 down"
    assert ask("GET", WORKER, inner).text == "lost"
    assert ask("GET", WORKER, "/").text == "200 fine", "a service binding's request has no host"
    fault(host=WORKER, status=500)
    assert ask("GET", WORKER, "/").status_code == 500
    for name in ("caller", "other"):
        loop.run(edge.remove_worker(name))


@pytest.mark.slow
def test_the_recording_has_only_the_last_requests(ask: Any, routed: App, fault: Any, recorded: Any) -> None:
    fault(record=True)
    fault(count=2100, status=404)
    for number in range(2010):
        ask("GET", HOST, f"/{number}")
    wait_for(lambda: recorded()[-1]["path"] == "/2009")
    assert (len(recorded()), recorded()[0]["path"]) == (2000, "/10")
