"""Requests to a cloud's API: retries, time limits and unexpected answers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from clients import cloud_api
from clients.cloud_api import Answer, Api, ApiError, Unreachable, received
from clients.http import httpx
from errors import First
from tests.support.clock import Clock, stopped
from tests.support.errors import raises_text, shown_text
from tests.support.scripted import BROKEN, HTML, Reply, Scripted, scripted
from tests.support.waiting import free_port

TOKEN = "planted-token"
WELL = Reply({"number": 7})
BUSY = Reply({"message": "slow down"}, 429)
PAGE = Reply(HTML, 200, "text/html")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return stopped(monkeypatch, "clients.cloud_api")


@pytest.fixture
def server() -> Iterator[Scripted]:
    with scripted() as one:
        yield one


def number(answer: Any) -> int:
    return int(answer["number"])


def ask(server: Scripted, *replies: Reply, method: str = "GET", **options: Any) -> int:
    server.answers["/v2/x"] = replies
    api = Api("Example", server.address, TOKEN, "EXAMPLE_TOKEN", timeout=20.0)
    try:
        return api.ask(method, "/v2/x", number, **options)
    finally:
        api.close()


@pytest.mark.parametrize(
    "trouble",
    [
        Reply("<html>", 504, "text/html"),
        Reply({"message": "down"}, 500),
        Reply("", 503),
        Reply({"message": "no time"}, 408),
        BUSY,
        BROKEN,
        PAGE,
        Reply("", 200),
        Reply({"number": None}),
        Reply({"another": 1}),
        Reply([1, 2]),
        Reply("{" * 100_000, 200, "application/json"),
        Reply("not encoded", headers={"content-encoding": "gzip"}),
        Reply({"number": 1}, headers={"content-length": "1000"}),
        Reply(HTML, 404, "text/html"),
    ],
)
def test_a_failed_get_is_retried(server: Scripted, clock: Clock, trouble: Reply) -> None:
    assert ask(server, trouble, trouble, WELL) == 7
    assert server.asked == ["GET /v2/x"] * 3
    assert len(clock.slept) == 2


@pytest.mark.parametrize("trouble", [Reply("", 504), BROKEN, PAGE, Reply({"message": "down"}, 500)])
def test_a_post_that_may_have_succeeded_is_not_retried(server: Scripted, clock: Clock, trouble: Reply) -> None:
    with pytest.raises(ApiError):
        ask(server, trouble, WELL, method="POST", body={})
    assert server.asked == ["POST /v2/x"]


def test_a_post_that_was_rejected_by_a_rate_limit_is_retried(server: Scripted, clock: Clock) -> None:
    assert ask(server, BUSY, WELL, method="POST", body={}) == 7


@pytest.mark.parametrize(
    "refusal",
    [
        Reply({"id": "unauthorized", "message": "Unable to authenticate you"}, 401),
        Reply({"errors": [{"code": 1, "message": "Unable to authenticate you"}]}, 403),
        Reply({"message": "Unable to\n authenticate you."}, 404),
        Reply({"message": "Unable to authenticate you"}, 501),
        Reply({"message": "Unable to authenticate you"}, 503, headers={"x-should-retry": "false"}),
    ],
)
def test_a_refusal_is_not_retried(server: Scripted, clock: Clock, refusal: Reply) -> None:
    with pytest.raises(ApiError) as refused:
        ask(server, refusal, WELL)
    status = refusal.status
    assert str(refused.value) == f"Example refused GET /v2/x (status {status}): Unable to authenticate you"
    fix = (First("set EXAMPLE_TOKEN to a token that may do this"),) if status in (401, 403) else ()
    assert refused.value.helps == fix
    assert refused.value.status == status
    assert not clock.slept


@pytest.mark.parametrize("body", [[1], {"message": None, "errors": 5}, {"errors": [None]}, "", HTML, "null"])
def test_a_refusal_of_any_form_becomes_one_sentence(server: Scripted, clock: Clock, body: Any) -> None:
    with pytest.raises(ApiError, match=r"^Example refused GET /v2/x \(status 400\): Bad Request$"):
        ask(server, Reply(body, 400))


def test_retries_stop_at_the_time_limit(server: Scripted, clock: Clock) -> None:
    text = r"^Example's API failed at GET /v2/x \(status 429\): slow down\. Fix: wait a minute, then run `pulumi up"
    with raises_text(ApiError, text):
        ask(server, BUSY)
    assert 0 < sum(clock.slept) <= 5.0
    clock.slept.clear()
    with pytest.raises(ApiError):
        ask(server, BUSY, seconds=100.0)
    assert 90 < sum(clock.slept) <= 100.0
    assert max(clock.slept) == cloud_api.LONGEST_PAUSE


@pytest.mark.parametrize(
    "asked, date, waits",
    [
        ("7", None, 7.0),
        ("0", None, cloud_api.FIRST_PAUSE),
        ("-5", None, cloud_api.FIRST_PAUSE),
        ("soon", None, cloud_api.FIRST_PAUSE),
        ("1e9", None, cloud_api.FIRST_PAUSE),
        ("86400", None, cloud_api.LONGEST_RETRY_AFTER),
        ("99999999999999999999", None, cloud_api.FIRST_PAUSE),
        ("Wed, 21 Oct 2015 07:28:09 GMT", "Wed, 21 Oct 2015 07:28:00 GMT", 9.0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", None, cloud_api.FIRST_PAUSE),
    ],
)
def test_retry_after_is_obeyed_up_to_a_limit(
    server: Scripted, clock: Clock, asked: str, date: str | None, waits: float
) -> None:
    headers = {"retry-after": asked, **({"date": date} if date else {})}
    assert ask(server, Reply({}, 429, headers=headers), WELL, seconds=1800.0) == 7
    assert clock.slept == [waits]


def test_a_retry_after_beyond_the_time_limit_fails_at_once(server: Scripted, clock: Clock) -> None:
    with raises_text(ApiError, r"\(status 429\): .*\. Fix: wait 30 s, then run `pulumi up --stack prod`\.$"):
        ask(server, Reply({}, 429, headers={"retry-after": "30"}), WELL)
    assert not clock.slept


def test_an_html_page_instead_of_an_answer_becomes_one_sentence(server: Scripted, clock: Clock) -> None:
    with pytest.raises(ApiError) as failed:
        ask(server, PAGE)
    assert shown_text(failed.value) == (
        f"The answer of {server.address} to GET /v2/x is not from Example's API (text/html, status 200). Fix: run "
        f"`curl -sSI {server.address}` to see what answers there."
    )
    assert failed.value.status is None


def test_the_token_does_not_follow_a_redirect(server: Scripted, clock: Clock) -> None:
    with scripted({"/v2/x": [WELL]}) as other:
        moved = Reply("", 302, headers={"location": f"{other.address}/v2/x"})
        host = re.escape(other.address.removeprefix("http://"))
        text = rf"redirects GET /v2/x to {host} \(status 302\), .*\. Fix: set the address of Example's API\.$"
        with raises_text(ApiError, text):
            ask(server, moved)
        assert not other.asked
    assert [each["authorization"] for each in server.headers] == [f"Bearer {TOKEN}"]


def test_a_refused_connection_on_loopback_is_retried_only_in_a_wait(clock: Clock) -> None:
    api = Api("Example", f"http://127.0.0.1:{free_port()}", TOKEN, "EXAMPLE_TOKEN")
    fix = r"Fix: run `oracle cloud start --stack prod` to start the local cloud\.$"
    with raises_text(Unreachable, rf"does not answer: .*refused\. {fix}"):
        api.ask("GET", "/", number)
    assert not clock.slept
    with pytest.raises(Unreachable):
        api.ask("GET", "/", number, seconds=1800.0)
    assert 20 < sum(clock.slept) <= cloud_api.LOCAL_SECONDS
    api.close()


def test_the_size_of_an_answer_is_limited(server: Scripted, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cloud_api, "LARGEST", 10)
    with pytest.raises(ApiError, match=r"its answer is larger than"):
        ask(server, Reply({"number": 7, "padding": "x" * 100}))


def test_an_endless_slow_answer_is_given_up(clock: Clock) -> None:
    """No single read takes long, so the client's own timeouts never end it."""

    class Trickle(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            while True:
                clock.sleep(1.0)
                yield b"x"

    with pytest.raises(httpx.ReadTimeout, match=r"did not end within 20 s"):
        received(httpx.Response(200, stream=Trickle()), 20.0)


def test_the_listener_gets_every_answer(server: Scripted, clock: Clock) -> None:
    """The listener reads the time from answers of any status."""
    heard: list[Answer] = []
    server.answers["/"] = [BUSY, PAGE, WELL]
    api = Api("Example", server.address, TOKEN, "EXAMPLE_TOKEN", heard=heard.append)
    assert api.ask("GET", "/", number) == 7
    assert [answer.status for answer in heard] == [429, 200, 200]
    api.close()


@pytest.mark.parametrize("token", ["two words", "line\n", "\ttab", "caf\N{LATIN SMALL LETTER E WITH ACUTE}", "\r", ""])
def test_an_invalid_token_is_neither_sent_nor_shown(server: Scripted, token: str) -> None:
    text = r"^EXAMPLE_TOKEN is not a token: it has a space, .*\. Fix: run `export EXAMPLE_TOKEN=TOKEN`\.$"
    with raises_text(ApiError, text) as failed:
        Api("Example", server.address, token, "EXAMPLE_TOKEN")
    assert not token or token not in str(failed.value)
    assert not server.asked


@pytest.mark.parametrize(
    "address, why",
    [
        ("http://api.example.org", r"does not begin with https://, so others could read Example's token"),
        ("ftp://api.example.org", "is not an address of Example's API"),
        ("api.example.org", "is not an address"),
        ("http://[::bad", "is not an address"),
        ("", "is not an address"),
    ],
)
def test_an_unsafe_address_is_refused(address: str, why: str) -> None:
    fix = r"Fix: run `pulumi config set example:address ADDRESS --stack prod`\.$"
    with raises_text(ApiError, rf"{why}.*\. {fix}"):
        Api("Example", address, TOKEN, "EXAMPLE_TOKEN", address_key="example:address")
