"""Requests to a server that misbehaves on purpose, and probes that miss their deadline."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from cli.status.probe import Answer, TimedOut, _troubled, gather_with_deadline, get
from clients.http import httpx
from tests.support.stub_server import BROKEN, HANGING, Reply, StubServer

PAGES = {
    "/json": Reply({"a": 1}),
    "/broken": Reply("<html>", 500),
    "/hung": HANGING,
    "/cut": BROKEN,
}


@pytest.fixture
def site() -> Iterator[str]:
    with StubServer(PAGES) as server:
        yield server.url


def test_an_answer_has_a_status_a_body_and_a_duration(site: str) -> None:
    found = get(f"{site}/json", 5)
    assert (found.status, found.field, found.ok) == (200, {"a": 1}, True)
    assert found.milliseconds is not None
    assert str(found) == "200"


def test_an_answer_that_is_not_json_has_no_fields(site: str) -> None:
    found = get(f"{site}/broken", 5)
    assert (found.status, found.field, found.ok) == (500, {}, False)
    assert Answer(status=200, body=[1]).field == {}


def test_network_troubles_are_distinguished(site: str) -> None:
    hung, cut, nobody = get(f"{site}/hung", 0.2), get(f"{site}/cut", 5), get("http://127.0.0.1:1/", 5)
    assert (hung.trouble, str(hung)) == ("timeout", "no answer in 0.2 s")
    assert (cut.trouble, str(cut)) == ("broken", "the connection broke")
    assert (nobody.trouble, str(nobody)) == ("refused", "no connection")
    assert _troubled(httpx.ConnectError("[Errno -2] Name or service not known"), 5).trouble == "unknown host"
    failed = httpx.ConnectError("[SSL] certificate verify failed: certificate has expired (_ssl.c:1)")
    assert str(_troubled(failed, 5)) == "certificate has expired"


def test_probes_run_in_parallel_and_late_ones_are_abandoned() -> None:
    both, never = threading.Barrier(2, timeout=10), threading.Event()

    def meets() -> int:
        return both.wait()

    def hangs() -> None:
        never.wait(30)

    found = gather_with_deadline({"one": meets, "two": meets, "late": hangs}, 0.5)
    assert {found["one"], found["two"]} == {0, 1}
    assert isinstance(found["late"], TimedOut)
    assert [each.daemon for each in threading.enumerate() if each.name == "late"] == [True]  # it holds up no exit
    never.set()


def test_an_exception_of_a_probe_is_raised() -> None:
    def fails() -> None:
        raise RuntimeError("a defect")

    with pytest.raises(RuntimeError, match="a defect"):
        gather_with_deadline({"one": fails}, 5)
