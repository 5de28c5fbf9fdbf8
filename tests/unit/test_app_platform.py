"""DigitalOcean's API when it fails: a wait goes on, and the token is sent to no other host."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from clients.app_platform import AppPlatform, AppPlatformError
from tests.support.clock import Clock, stopped
from tests.support.scripted import BROKEN, HTML, Reply, Scripted, scripted

TOKEN = "planted-digitalocean-token"
DEPLOYMENT = "/v2/apps/a/deployments/d"
LOGS = f"{DEPLOYMENT}/logs"
APP = {"id": "a", "spec": {"name": "jellyfish-app"}}
PAGE = Reply(HTML, 200, "text/html")
STORE = Reply("<Error><Code>AccessDenied</Code></Error>", 403, "application/xml")


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return stopped(monkeypatch, "clients.cloud_api", "clients.app_platform.client")


@pytest.fixture
def cloud() -> Iterator[Scripted]:
    with scripted() as one:
        yield one


@pytest.fixture
def platform(cloud: Scripted) -> Iterator[AppPlatform]:
    with AppPlatform(cloud.address, TOKEN) as made:
        yield made


def phase(name: str) -> Reply:
    return Reply({"deployment": {"id": "d", "phase": name, "spec": {}}})


@pytest.mark.parametrize(
    "trouble",
    [
        Reply("", 504),
        Reply({"id": "too_many_requests", "message": "API rate limit exceeded."}, 429, headers={"retry-after": "40"}),
        BROKEN,
        PAGE,
        Reply([]),
        Reply({"deployment": None}),
        Reply({"deployment": {"id": "d", "phase": 5}}),
    ],
)
def test_a_wait_continues_after_a_bad_answer(cloud: Scripted, platform: AppPlatform, trouble: Reply) -> None:
    cloud.answers[DEPLOYMENT] = [phase("BUILDING"), trouble, trouble, phase("ACTIVE")]
    assert platform.wait("a", "d", 1800.0).phase == "ACTIVE"


def test_a_wait_ends_at_its_timeout(cloud: Scripted, platform: AppPlatform, clock: Clock) -> None:
    cloud.answers[DEPLOYMENT] = [PAGE]
    begin = clock.now
    with pytest.raises(AppPlatformError, match=r"^The answer of .* is not from DigitalOcean's API"):
        platform.wait("a", "d", 1800.0)
    assert 1700 < clock.now - begin <= 1800


def test_a_wait_ends_at_a_refusal(cloud: Scripted, platform: AppPlatform) -> None:
    cloud.answers[DEPLOYMENT] = [Reply({"id": "unauthorized", "message": "Unable to authenticate you"}, 401)]
    with pytest.raises(AppPlatformError, match=r"\(status 401\): Unable to authenticate you$") as refused:
        platform.wait("a", "d", 1800.0)
    assert refused.value.status == 401
    assert len(cloud.asked) == 1


def test_the_token_is_not_sent_to_the_address_of_a_log(cloud: Scripted, platform: AppPlatform) -> None:
    with scripted({"/signed": [Reply("web | hello\n")]}) as store:
        cloud.answers[LOGS] = [Reply({"historic_urls": [f"{store.address}/signed?sig=1"]})]
        assert platform.log_tail("a", "d") == "web | hello\nweb | hello\nweb | hello"
        assert store.asked == ["GET /signed?sig=1"] * 3
        assert not [each for each in store.headers if "authorization" in each or TOKEN in str(each)]


@pytest.mark.parametrize(
    "reply",
    [
        STORE,
        Reply("gone", 404),
        PAGE,
        Reply("moved", 302, headers={"location": "/other"}),
        Reply("", 204),
        Reply(STORE.body, 200, "application/xml"),
        BROKEN,
    ],
)
def test_an_answer_that_is_not_a_log_is_an_empty_log(cloud: Scripted, platform: AppPlatform, reply: Reply) -> None:
    with scripted({"/signed": [reply], "/other": [Reply("not this")]}) as store:
        cloud.answers[LOGS] = [Reply({"historic_urls": [f"{store.address}/signed"]})]
        assert platform.log_tail("a", "d") == ""
        assert "GET /other" not in store.asked


@pytest.mark.parametrize(
    "answer",
    [
        {"historic_urls": ["http://[::bad", "ftp://x", "file:///etc/passwd", "", "no address"]},
        {"historic_urls": None},
        {"historic_urls": []},
        {},
        {"historic_urls": "http://127.0.0.1:1/"},
        {"historic_urls": [None, 5]},
        [],
    ],
)
def test_an_invalid_log_address_gives_an_empty_log(cloud: Scripted, platform: AppPlatform, answer: Any) -> None:
    cloud.answers[LOGS] = [Reply(answer)]
    assert platform.log_tail("a", "d") == ""


def test_the_error_of_a_failed_deployment_says_why_its_log_is_missing(cloud: Scripted, platform: AppPlatform) -> None:
    cloud.answers |= {DEPLOYMENT: [phase("ERROR")], LOGS: [PAGE]}
    with pytest.raises(AppPlatformError) as failed:
        platform.wait("a", "d", 60.0)
    assert str(failed.value).startswith(
        "The backend's deployment d ended with ERROR: its log could not be read: The answer of "
        f"{cloud.address} to GET {LOGS}?type=BUILD"
    )


def test_a_failed_deployment_ends_with_its_log(cloud: Scripted, platform: AppPlatform) -> None:
    with scripted({"/signed": [Reply("step one\nstep two\n")]}) as store:
        cloud.answers |= {
            DEPLOYMENT: [phase("ERROR")],
            LOGS: [Reply({"historic_urls": [f"{store.address}/signed"]}), Reply({"historic_urls": []})],
        }
        with pytest.raises(AppPlatformError) as failed:
            platform.wait("a", "d", 60.0)
    assert str(failed.value) == "The backend's deployment d ended with ERROR:\nstep one\nstep two"


def test_a_404_page_of_a_proxy_does_not_mean_that_the_app_is_gone(cloud: Scripted, platform: AppPlatform) -> None:
    """An app that is gone needs no backup, so only the API itself can say so."""
    cloud.answers["/v2/apps/a"] = [Reply(HTML, 404, "text/html")]
    with pytest.raises(AppPlatformError, match="is not from DigitalOcean's API") as failed:
        platform.known("a")
    assert failed.value.status is None
    cloud.answers["/v2/apps/a"] = [Reply({"id": "not_found", "message": "app not found"}, 404)]
    assert platform.known("a") is None


@pytest.mark.parametrize("answer", [{}, {"app": None}, {"app": {"id": "a"}}, {"app": {"id": 1, "spec": {"name": "b"}}}])
def test_an_app_of_unexpected_shape_is_an_error(cloud: Scripted, platform: AppPlatform, answer: Any) -> None:
    cloud.answers["/v2/apps/a"] = [Reply(answer)]
    for question in (platform.app, platform.known, platform.url):
        with pytest.raises(AppPlatformError, match="is not from DigitalOcean's API"):
            question("a")


def test_an_endless_list_is_read_up_to_the_page_limit(cloud: Scripted, platform: AppPlatform) -> None:
    cloud.answers["/v2/apps"] = [Reply({"apps": [APP]})]
    assert platform.names() == ["jellyfish-app"]
    assert platform.find("another") is None
    assert len(cloud.asked) == 2
    cloud.answers["/v2/apps"] = [Reply({"apps": [APP] * 100})]
    assert len(platform.names()) == 10_000


def test_a_token_with_a_line_break_is_not_shown(cloud: Scripted) -> None:
    with pytest.raises(
        AppPlatformError, match=r"^DIGITALOCEAN_TOKEN is not a token: it has a space, a line break"
    ) as failed:
        AppPlatform(cloud.address, f"{TOKEN}\r")
    assert TOKEN not in str(failed.value)
    assert not cloud.asked
