"""The streams of both clouds, against fakes of their APIs: requests, output, and the deletion of each tail."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from threading import Event
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

import advice
from cli.tail import Entry
from cli.tail.backend import Backend
from cli.tail.reopen import Opened, StreamLost
from cli.tail.worker import Worker
from cli.ui.errors import CommandError
from clients.app_platform import AppPlatform, AppPlatformError
from clients.workers_api import Workers
from errors import Fix, UserError
from tests.support.scripted import Reply, Scripted, scripted
from tests.support.streams import STAY, streaming

TAILS = "/accounts/acc/workers/scripts/front/tails"
LATER = "2999-01-01T00:00:00Z"
EVENT = {"outcome": "ok", "event": {"request": {"method": "GET", "url": "https://a.example/"}}}


@pytest.fixture
def api() -> Iterator[Scripted]:
    with scripted() as one:
        yield one


def result(body: Any) -> Reply:
    return Reply({"success": True, "errors": [], "messages": [], "result": body})


def worker(api: Scripted, stop: Event) -> Worker:
    return Worker(Workers(api.address, "acc", "token", patience=0), "web", "front", "pulumi up", stop)


def tail(api: Scripted, url: str, ends: str = LATER) -> None:
    api.answers[TAILS] = [result({"id": "t1", "url": f"{url}/live", "expires_at": ends})]
    api.answers[f"{TAILS}/t1"] = [result(None)]


def lines(entries: Iterator[Entry | Opened], count: int) -> list[str]:
    """The first texts; the stream is left open."""
    found = (entry for entry in entries if isinstance(entry, Entry))
    return [entry.lines[0].text for entry in itertools.islice(found, count)]


def test_a_worker_is_followed_and_its_tail_deleted(api: Scripted) -> None:
    stop = Event()
    with streaming([EVENT, STAY], protocol="trace-v1") as live:
        tail(api, live.address.replace("http", "ws"))
        stream = worker(api, stop).stream()
        assert lines(stream, 1) == ["GET https://a.example/ ok"]
        assert api.asked == [f"POST {TAILS}"]
        stop.set()
        assert list(stream) == []
    assert (live.opened, live.heard) == (["/live"], ['{"debug": false}'])
    assert api.asked[-1] == f"DELETE {TAILS}/t1"


@pytest.mark.parametrize("ends", [LATER, "2020-01-01T00:00:00Z"])
def test_a_tail_that_ends_or_expires_is_lost_and_deleted(api: Scripted, ends: str) -> None:
    with streaming([], [STAY], protocol="trace-v1") as live:
        tail(api, live.address.replace("http", "ws"), ends)
        with pytest.raises(StreamLost, match=r"^The stream of events (ended|has expired)\.$"):
            list(worker(api, Event()).stream())
    assert api.asked[-1] == f"DELETE {TAILS}/t1"


def test_a_tail_whose_stream_does_not_open_is_deleted(api: Scripted) -> None:
    tail(api, api.address.replace("http", "ws"))
    with pytest.raises(StreamLost, match="does not open"):
        list(worker(api, Event()).stream())
    assert api.asked[-1] == f"DELETE {TAILS}/t1"


def test_a_missing_worker_is_a_permanent_error(api: Scripted) -> None:
    errors = [{"code": 10007, "message": "This Worker does not exist on your account."}]
    api.answers[TAILS] = [Reply({"success": False, "errors": errors, "messages": [], "result": None}, 404)]
    with pytest.raises(CommandError, match=r"^The Worker front does not exist\.$") as raised:
        list(worker(api, Event()).stream())
    assert raised.value.helps == (Fix("pulumi up", "to deploy it"),)


STATUS = "Fix: run `oracle status --stack prod` to see why."


def app(deployment: str | None) -> Reply:
    active = {"active_deployment": {"id": deployment}} if deployment else {}
    return Reply({"app": {"id": "a", "spec": {"name": "jelly"}, **active}})


def log(deployment: str) -> str:
    return f"/v2/apps/a/deployments/{deployment}/components/pb/logs"


def said(second: str, word: str) -> dict[str, str]:
    return {"data": f"pb 2026-11-27T16:31:{second}Z {word}\n"}


def backend(api: Scripted, stop: Event, state: str = "a") -> Backend:
    platform = AppPlatform(api.address, "token", patience=0)
    return Backend(platform, "pb", "a", lambda: state, "pulumi up", 7, stop)


def test_the_backend_log_continues_where_it_was_lost(api: Scripted) -> None:
    first = [said("00.5", "one"), said("00.51", "two")]
    again = [said("00.5", "one"), said("00.51", "two"), said("00.512", "three"), {"data": "no time\n"}, STAY]
    with streaming(first, again) as live:
        api.answers = {"/v2/apps/a": [app("d1")], log("d1"): [Reply({"live_url": f"{live.address}/log?token=s"})]}
        known = backend(api, Event())
        stream = known.stream()
        assert lines(stream, 2) == ["one", "two"]
        with pytest.raises(StreamLost, match=r"^The run log ended\.$"):
            next(stream)
        stream = known.stream()
        assert lines(stream, 2) == ["three", "no time"]
        stream.close()  # type: ignore[attr-defined]
    assert f"GET {log('d1')}?type=RUN&follow=true&tail_lines=7" in api.asked
    assert live.opened == ["/log?token=s"] * 2


def test_the_lines_of_a_log_that_ended_at_once_are_shown(api: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine the whole log may have come, and the end of its stream, before the client goes on."""

    def over(*arguments: Any, **options: Any) -> ClientConnection:
        connection: ClientConnection = connect(*arguments, **options)
        connection.recv_events_thread.join()
        assert connection.socket.fileno() == -1
        return connection

    monkeypatch.setattr("clients.websocket.connect", over)
    with streaming([said("01", "one"), said("02", "two")]) as live:
        api.answers = {"/v2/apps/a": [app("d1")], log("d1"): [Reply({"live_url": live.address})]}
        stream = backend(api, Event()).stream()
        assert lines(stream, 2) == ["one", "two"]
        with pytest.raises(StreamLost, match=r"^The run log ended\.$"):
            next(stream)


def test_a_new_deployment_is_followed_although_the_old_stream_is_open(
    api: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.tail.backend.LOOK_SECONDS", 0)
    with streaming([said("01", "old"), STAY]) as live:
        api.answers = {"/v2/apps/a": [app("d1"), app("d2")], log("d1"): [Reply({"live_url": live.address})]}
        with pytest.raises(StreamLost, match="Another deployment runs"):
            list(backend(api, Event()).stream())


def test_the_app_of_a_new_release_is_followed(api: Scripted) -> None:
    with streaming([said("01", "new"), STAY]) as live:
        path = "/v2/apps/b/deployments/d9/components/pb/logs"
        api.answers = {
            "/v2/apps/b": [Reply({"app": {"id": "b", "spec": {"name": "j"}, "active_deployment": {"id": "d9"}}})],
            path: [Reply({"live_url": live.address})],
        }
        stream = backend(api, Event(), state="b").stream()
        assert lines(stream, 1) == ["new"]
        stream.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "answers, error, text",
    [
        ({}, CommandError, "The backend's app was deleted. Fix: run `pulumi up` to deploy it."),
        ({"/v2/apps/a": [app(None)]}, StreamLost, f"The backend's app has no deployment yet. {STATUS}"),
        (
            {"/v2/apps/a": [app("d1")], log("d1"): [Reply({"historic_urls": []})]},
            StreamLost,
            f"The run log is closed. {STATUS}",
        ),
        ({"/v2/apps/a": [app("d1")]}, StreamLost, "The deployment was deleted."),
        ({"/v2/apps/a": [Reply({"message": "no"}, 401)]}, AppPlatformError, "DigitalOcean refused"),
        ({"/v2/apps/a": [Reply({"message": "no"}, 503)]}, StreamLost, "DigitalOcean's API failed at"),
    ],
)
def test_the_reason_why_the_backend_cannot_be_followed_is_given(
    api: Scripted, answers: dict[str, Any], error: type[UserError], text: str
) -> None:
    api.answers = answers
    with pytest.raises(error) as raised:
        list(backend(api, Event()).stream())
    assert advice.text(raised.value, "prod", "").startswith(text)
