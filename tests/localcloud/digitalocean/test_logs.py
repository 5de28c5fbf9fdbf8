"""Build, deploy and run logs: as files, followed over HTTP, and followed over a websocket as doctl does."""

from __future__ import annotations

import json
import re
import threading
from functools import partial
from typing import Any

import pytest
from websockets.sync.client import connect

from tests.localcloud.account import Account, Json
from tests.support.waiting import until

LINE = re.compile(r"web \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z .*")


@pytest.fixture(scope="module")
def app(account: Account) -> Json:
    return account.up("logging", envs=[{"key": "GREETING", "value": "hello"}])


def addresses(account: Account, app: Json, path: str, **query: Any) -> Json:
    answer = account.http.get(f"/v2/apps/{app['id']}{path}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def say(account: Account, app: Json, word: str) -> None:
    account.get(app, f"/print?{word}")


def test_logs_of_a_finished_deployment_are_files_only(account: Account, app: Json) -> None:
    deployment = app["active_deployment"]["id"]
    for kind, words in {"BUILD": "pulling o/backend@sha256:", "DEPLOY": "the container is healthy"}.items():
        for path in (f"/deployments/{deployment}/logs", "/logs", "/components/web/logs"):
            found = addresses(account, app, path, type=kind)
            assert "live_url" not in found
            text = account.edge.get(found["historic_urls"][0]).text
            assert words in text
            assert all(LINE.fullmatch(line) for line in text.splitlines())


def test_a_run_log_can_be_live_or_its_last_lines(account: Account, app: Json) -> None:
    for word in ("alpha", "beta", "gamma"):
        say(account, app, word)
    found = addresses(account, app, f"/deployments/{app['active_deployment']['id']}/components/web/logs", type="RUN")
    assert found["live_url"].startswith(f"http://127.0.0.1:{account.cloud.port}/")
    text = until(lambda: ok if "gamma" in (ok := account.edge.get(found["live_url"]).text) else "", "gamma")
    assert "starting hello" in text
    tail = addresses(account, app, "/logs", type="RUN", tail_lines=2)
    lines = account.edge.get(tail["historic_urls"][0]).text.splitlines()
    assert [line.split()[-1] for line in lines] == ["beta", "gamma"]


def test_a_followed_log_streams_over_http_and_ends_with_the_program(account: Account) -> None:
    app = account.up("followed")
    found = addresses(account, app, "/logs", type="RUN", follow="true", tail_lines=1)
    with account.edge.stream("GET", found["live_url"]) as stream:
        lines = stream.iter_lines()
        assert next(lines).endswith("starting ")
        for word in ("one", "two"):
            say(account, app, word)
            assert next(lines).endswith(f" {word}")
        deployment = account.http.post(f"/v2/apps/{app['id']}/restart").json()["deployment"]
        account.wait(app["id"], deployment["id"], "ACTIVE")
        assert list(lines) == []


def test_a_followed_log_streams_over_a_websocket(account: Account, app: Json) -> None:
    url = addresses(account, app, "/logs", type="RUN", follow="true", tail_lines=1)["live_url"]
    with connect(url.replace("http://", "ws://"), proxy=None, close_timeout=2) as socket:
        json.loads(socket.recv(timeout=10))
        say(account, app, "over-websocket")
        assert json.loads(socket.recv(timeout=10))["data"].endswith("over-websocket\n")


def test_a_websocket_that_does_not_follow_closes_normally(account: Account, app: Json) -> None:
    url = addresses(account, app, "/logs", type="RUN")["live_url"]
    with connect(url.replace("http://", "ws://"), proxy=None) as socket:
        frames = [json.loads(frame)["data"] for frame in socket]  # ends without an error after a normal close only
        assert socket.close_code == 1000
    assert frames[0].endswith("starting hello\n")


def test_a_build_can_be_followed_while_it_runs(account: Account) -> None:
    account.fault(app="slow-build", step="build", delay=1.5)
    app = account.create(account.spec("slow-build"))
    deployment = app["pending_deployment"]["id"]
    account.wait_phase(app["id"], deployment, "BUILDING")
    found = addresses(account, app, f"/deployments/{deployment}/logs", type="BUILD", follow="true")
    seen: list[str] = []
    read = partial(account.edge.get, found["live_url"])
    following = threading.Thread(target=lambda: seen.extend(read().text.splitlines()))
    following.start()
    account.wait(app["id"], deployment, "ACTIVE")
    following.join(10)
    assert not following.is_alive()
    assert any("build done" in line for line in seen)


def test_logs_can_be_followed_before_they_exist(account: Account) -> None:
    app = account.up("early")
    account.fault(app="early", step="build", delay=1)
    path = f"/v2/apps/{app['id']}/deployments"
    running = account.http.post(path, json={}).json()["deployment"]["id"]
    account.wait_phase(app["id"], running, "BUILDING")
    waiting = account.http.post(path, json={}).json()["deployment"]["id"]
    texts: dict[str, str] = {}

    def follow(kind: str) -> None:
        found = addresses(account, app, f"/deployments/{waiting}/logs", type=kind, follow="true")
        assert found["historic_urls"] == []
        texts[kind] = account.edge.get(found["live_url"]).text

    following = [threading.Thread(target=follow, args=(kind,)) for kind in ("BUILD", "DEPLOY")]
    for thread in following:
        thread.start()
    account.wait(app["id"], waiting, "ACTIVE")
    for thread in following:
        thread.join(20)
    assert "build done" in texts["BUILD"]
    assert "the container is healthy" in texts["DEPLOY"]


def test_a_followed_log_that_never_starts_ends_with_the_deployment(account: Account) -> None:
    account.fault(app="doomed", step="build", delay=1, message="no luck")
    app = account.create(account.spec("doomed"))
    deployment = app["pending_deployment"]["id"]
    found = addresses(account, app, f"/deployments/{deployment}/logs", type="RUN", follow="true")
    assert account.edge.get(found["live_url"]).text == ""
    assert account.deployment(app["id"], deployment)["phase"] == "ERROR"


def test_a_missing_log_has_no_addresses(account: Account, app: Json) -> None:
    assert addresses(account, app, "/logs", type="RUN_RESTARTED") == {"historic_urls": []}


@pytest.mark.parametrize("query", [{"type": "NONSENSE"}, {"type": "RUN", "tail_lines": "many"}])
def test_an_invalid_query_is_refused(account: Account, app: Json, query: dict[str, str]) -> None:
    assert account.http.get(f"/v2/apps/{app['id']}/logs", params=query).status_code == 400


def test_an_address_without_its_token_is_refused(account: Account, app: Json) -> None:
    url = addresses(account, app, "/logs", type="RUN")["live_url"]
    assert account.edge.get(url.split("?")[0]).status_code == 403
    assert account.edge.get(url[:-8] + "AAAAAAA=").status_code == 403


def test_a_very_long_line_is_handled(account: Account) -> None:
    code = "import sys; sys.stdout.write('x' * 3000000 + '\\nafter\\n'); sys.stdout.flush(); import program"
    run = f'exec python3 -I -S -c "{code}" & exec {"python3 program.py"}'
    app = account.up("long-line", run_command=run)
    deployment = app["active_deployment"]["id"]
    until(lambda: "after" in account.log(app["id"], deployment, "RUN"), "the line after the long one")
    assert account.get(app).status_code == 200


def test_the_address_of_a_log_refuses_the_apis_token(account: Account, app: Json) -> None:
    """The address is already signed, and usually of another host: a client that sends the token there reveals it."""
    deployment = app["active_deployment"]["id"]
    (url,) = addresses(account, app, f"/deployments/{deployment}/logs", type="BUILD")["historic_urls"]
    answer = account.http.get(url)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/xml"
    assert "<Code>InvalidArgument</Code><Message>Only one auth mechanism allowed" in answer.text
    assert "build done" in account.edge.get(url).text
