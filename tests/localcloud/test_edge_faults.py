"""Injected faults for requests at the edge, set by host through the local cloud's own endpoint."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.localcloud.account import Account
from tests.support.waiting import until


@pytest.fixture(scope="module")
def app(account: Account) -> Any:
    return account.up("troubled")


def host_of(app: Any) -> str:
    return str(urlsplit(app["live_url"]).hostname)


def statuses(account: Account, app: Any, *paths: str) -> list[int]:
    return [account.get(app, path).status_code for path in paths]


def test_a_fault_fails_the_requested_number_of_an_apps_requests(account: Account, app: Any) -> None:
    account.fault(host="troubled-*", method="GET", path="/env*", skip=1, count=2, status=503)
    assert statuses(account, app, "/", "/env", "/env?a=1", "/", "/env", "/env") == [200, 200, 503, 200, 503, 200]
    assert account.http.get("/_cloud/faults").json() == {"requests": [], "steps": [], "latencies": []}


def test_remaining_faults_are_listed_until_they_are_cleared(account: Account, app: Any) -> None:
    account.fault(host=host_of(app), path="*", skip=2, count=5, status=500)
    account.fault(path="/v2/nothing", status=500)
    assert statuses(account, app, "/", "/", "/") == [200, 200, 500]
    here, there = account.http.get("/_cloud/faults").json()["requests"]
    assert (here["host"], here["path"]) == (None, "/v2/nothing")
    assert (there["host"], there["path"], there["skip"], there["count"]) == (host_of(app), "*", 0, 4)
    account.clear_faults()
    assert account.http.get("/_cloud/faults").json()["requests"] == []
    assert statuses(account, app, "/", "/") == [200, 200]


def test_a_fault_affects_neither_other_hosts_nor_the_apis(account: Account, app: Any) -> None:
    account.fault(host="other-*", path="*", count=9, status=500)
    assert statuses(account, app, "/") == [200]
    account.fault(host="*", path="*", count=9, status=500)
    assert account.http.get("/v2/account").status_code == 200
    assert statuses(account, app, "/") == [500]
    account.clear_faults()
    account.fault(path="*", count=9, status=500)
    assert statuses(account, app, "/") == [200]


def test_a_request_whose_answer_is_dropped_is_still_executed(account: Account) -> None:
    account.fault(method="POST", path="/v2/apps", drop="answer")
    with pytest.raises(httpx.RemoteProtocolError):
        account.create(account.spec("unanswered"))
    assert "unanswered" in [app["spec"]["name"] for app in account.http.get("/v2/apps").json()["apps"]]
    assert account.http.get("/_cloud/faults").json()["requests"] == []


def test_requests_to_a_host_are_recorded_from_the_request_to_record_them(account: Account, app: Any) -> None:
    account.http.delete("/_cloud/requests")
    account.get(app, "/before")
    account.fault(host=host_of(app), path="/n*", record=True)
    account.fault(host="*", path="/never", status=503, body={"code": 503})
    account.get(app, "/note?secret")
    account.get(app, "/env")
    assert account.get(app, "/never").json() == {"code": 503}
    until(lambda: len(recorded(account)) == 2, "both are recorded")
    kept = [(each["host"], each["method"], each["path"], each["status"]) for each in recorded(account)]
    assert kept == [(host_of(app), "GET", "/note", 200), (host_of(app), "GET", "/never", 503)]
    account.clear_faults()
    account.get(app, "/no-more")
    assert len(recorded(account)) == 2
    assert account.http.delete("/_cloud/requests").json() == {"requests": [], "edge": []}


def recorded(account: Account) -> list[Any]:
    return list(account.http.get("/_cloud/requests").json()["edge"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"host": 5, "path": "/x"},
        {"host": "*"},
        {"path": "/x", "record": True},
        {"host": "*", "path": "/x", "record": "yes"},
        {"host": "*", "path": "/x", "drop": "both"},
        [{"path": "/v2/*", "status": 500}, {"host": "*", "path": "*", "status": 500}, {"host": "*", "path": 1}],
    ],
)
def test_an_invalid_fault_is_refused(account: Account, app: Any, wrong: Any) -> None:
    answer = account.http.post("/_cloud/faults", json=wrong)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]
    assert account.http.get("/_cloud/faults").json()["requests"] == []
    assert statuses(account, app, "/") == [200]
