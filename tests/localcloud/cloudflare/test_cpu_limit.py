"""A Worker that exceeds its CPU limit: its request is ended, and other requests are not delayed."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from localcloud.edge import Edge
from tests.localcloud.cloudflare.loop import Loop
from tests.support.waiting import until

CODE = """let count = 0;
export default { async fetch(request, env, ctx) {
  const path = new URL(request.url).pathname;
  if (path === "/spin") for (;;);
  if (path === "/yield") for (;;) {
    for (let turn = 0; turn < 1e7; turn++) count += turn % 2;
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  if (path === "/wait") await new Promise((resolve) => setTimeout(resolve, 2500));
  if (path === "/later") ctx.waitUntil(fetch("http://nowhere.localhost/").finally(() => { for (;;); }));
  return new Response(`answer ${++count}`);
} }"""
EXCEEDED = (503, "error code: 1102\n")


@pytest.fixture
def hosts(edge: Edge, loop: Loop, spec: Any) -> Iterator[list[str]]:
    """Two Workers' hosts; their requests may use 700 ms."""
    hosts = []
    for name in ("first", "second"):
        loop.run(edge.deploy_worker(name, "v1", spec(CODE, cpu_ms=700)))
        hosts.append(f"{name}.oracle.workers.localhost")
        loop.run(edge.set_worker_hosts(name, hosts[-1:]))
    yield hosts
    for name in ("first", "second"):
        loop.run(edge.remove_worker(name))


@pytest.mark.parametrize("path", ["/spin", "/yield"])
def test_an_endless_request_gets_error_1102_and_the_next_one_is_answered(ask: Any, hosts: list[str], path: str) -> None:
    ended = ask("GET", hosts[0], path)
    assert (ended.status_code, ended.text) == EXCEEDED
    assert ask("GET", hosts[0]).text == "answer 1", "its memory is new"
    assert ask("POST", hosts[0], path, content=b"x").text == EXCEEDED[1]


def test_other_workers_are_not_delayed(ask: Any, hosts: list[str]) -> None:
    found: list[httpx.Response] = []
    spinning = threading.Thread(target=lambda: found.append(ask("GET", hosts[0], "/spin")))
    spinning.start()
    others = 0
    while spinning.is_alive():
        assert ask("GET", hosts[1]).status_code == 200
        others += 1
    assert (found[0].status_code, found[0].text) == EXCEEDED
    assert others > 10


def test_a_request_that_waits_without_cpu_time_is_not_ended(ask: Any, hosts: list[str]) -> None:
    assert ask("GET", hosts[0], "/wait").text == "answer 1"


def test_an_endless_loop_after_the_answer_is_ended(ask: Any, hosts: list[str]) -> None:
    assert ask("GET", hosts[0], "/later").text == "answer 1"
    # Requests that come before the loop begins are answered.
    until(lambda: ask("GET", hosts[0]).text in ("answer 1", EXCEEDED[1]), "the loop ends")
    assert ask("GET", hosts[0]).status_code == 200


def test_the_log_of_the_worker_names_the_cpu_limit(ask: Any, hosts: list[str], tmp_path: Any) -> None:
    ask("GET", hosts[0], "/spin")
    last = json.loads((tmp_path / "log.jsonl").read_text().splitlines()[-1])
    assert (last["level"], "CPU time limit of 700 ms (error 1102)" in last["message"]) == ("error", True)
