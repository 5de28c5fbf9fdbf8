"""The HTTP client of the offline plugins: retries, waits, and allowed addresses."""

from __future__ import annotations

import time
from collections.abc import Iterator
from threading import Timer

import pytest

from offline_plugins.api import Api, Retries, Unreachable, loopback
from offline_plugins.resource import ProviderError
from tests.parity.stub import Answer, Request, Stub, content


@pytest.fixture
def stub() -> Iterator[Stub]:
    with Stub() as running:
        yield running


def _api(stub: Stub, retries: Retries) -> Api:
    api = Api()
    api.endpoint = f"http://127.0.0.1:{stub.port}"
    api.headers = {"Authorization": "Bearer t"}
    api.retries = retries
    return api


def _always(status: int, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return {"status": status, "responseHeaders": named, "responseBody": {"message": "placeholder"}}


@pytest.mark.parametrize("status,tries", [(500, 4), (503, 4), (429, 4), (501, 1), (404, 1), (422, 1), (200, 1)])
def test_the_status_decides_how_often_a_request_is_tried(stub: Stub, status: int, tries: int) -> None:
    stub.answer_by(lambda _: _always(status))
    answer = _api(stub, Retries(more=3, first=0.001, longest=0.002)).send("GET", "/x")
    assert (answer.status, answer.tries, len(stub.requests)) == (status, tries, tries)


def test_the_header_x_should_retry_prevents_retries(stub: Stub) -> None:
    stub.answer_by(lambda _: _always(503, x_should_retry="false"))
    assert _api(stub, Retries(more=3, first=0.001)).send("GET", "/x").tries == 1


def test_a_retry_stops_at_the_first_good_answer(stub: Stub) -> None:
    stub.expect([_always(500), _always(200)])
    answer = _api(stub, Retries(more=3, first=0.001)).send_json("PUT", "/x", {"a": 1}, {"q": "1"})
    assert answer.ok
    assert answer.tries == 2
    assert [(one.query, content(one), one.headers["authorization"]) for one in stub.requests] == [
        ("q=1", {"a": 1}, "Bearer t")
    ] * 2


def test_the_header_retry_after_is_obeyed(stub: Stub) -> None:
    stub.expect([_always(429, retry_after="1"), _always(200)])
    started = time.monotonic()
    assert _api(stub, Retries(first=0.001)).send("GET", "/x").ok
    assert time.monotonic() - started >= 1


def test_waits_double_up_to_the_longest() -> None:
    retries = Retries(first=0.1, longest=0.5)
    assert [retries.wait(tried, None) for tried in (1, 2, 3, 4)] == [0.1, 0.2, 0.4, 0.5]


def test_an_unreachable_address_is_reported() -> None:
    api = Api()
    api.endpoint = "http://127.0.0.1:9"
    api.retries = Retries(more=2, first=0.001)
    with pytest.raises(Unreachable, match=r"GET http://127\.0\.0\.1:9/x: .*refused.*make up") as caught:
        api.send("GET", "/x")
    assert caught.value.tries == 3


def test_a_cancel_ends_a_wait_at_once(stub: Stub) -> None:
    stub.answer_by(lambda _: _always(503, retry_after="60"))
    api = _api(stub, Retries())
    started = time.monotonic()
    Timer(0.1, api.cancelled.set).start()
    with pytest.raises(ProviderError, match="cancelled"):
        api.send("GET", "/x")
    assert time.monotonic() - started < 10


def test_a_broken_answer_is_retried(stub: Stub) -> None:
    def answer(request: Request) -> Answer:
        if len(stub.requests) == 1:
            raise ConnectionAbortedError
        return _always(200)

    stub._server.handle_error = lambda request, client_address: None  # type: ignore[method-assign]
    stub.answer_by(answer)
    assert _api(stub, Retries(first=0.001)).send("GET", "/x").tries == 2


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "http://localhost:1", "http://127.1.2.3", "http://[::1]:1/p"])
def test_loopback_addresses_are_accepted(url: str) -> None:
    assert loopback(url, "key") == url.rstrip("/")


@pytest.mark.parametrize(
    "url", ["http://10.0.0.1", "https://127.0.0.1", "http://localhost.example.test", "", "ftp://x"]
)
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(ProviderError, match=r"^key is .*run `oracle up --plugins official`\.$"):
        loopback(url, "key")


def test_a_refused_url_is_shown_without_its_password() -> None:
    with pytest.raises(ProviderError) as caught:
        loopback("http://user:hidden@example.test/hidden?hidden", "key")
    assert "hidden" not in str(caught.value)
