"""A backend's own log tells who else sends it requests."""

from __future__ import annotations

from datetime import timedelta

import pytest

from clients.pocketbase import (
    MARKER_PATH,
    OPERATOR,
    AdminError,
    Login,
    backend_time,
    ensure_operator,
    freeze,
    login,
    record_requests,
    requests_since,
)
from tests.clients.pocketbase.conftest import session_of
from tests.support.backend import Backend
from tests.support.http import ask

SECRET = "an-operator-password-1"
POSTS = "/api/collections/posts/records"
CURL = {"user-agent": "curl/8.9"}


@pytest.fixture
def operator(backend: Backend) -> Login:
    ensure_operator(backend.url, session_of(backend), SECRET)
    session = login(backend.url, OPERATOR, SECRET)
    assert session is not None
    return session


def test_others_are_found_at_once_and_we_are_not(backend: Backend, operator: Login) -> None:
    """Nothing is waited for: PocketBase writes its log in batches, and a batch is filled up."""
    moment = backend_time(backend.url)
    record_requests(backend.url, operator)
    login(backend.url, OPERATOR, SECRET)
    for path in ("/api/health", MARKER_PATH, "/", "/wp-login.php"):
        ask("GET", backend.url + path, headers=CURL)
    assert requests_since(backend.url, operator, moment, "/api/health") == []
    ask("GET", f"{backend.url}{POSTS}?filter=secret", headers=CURL)
    (found,) = requests_since(backend.url, operator, moment, "/api/health")
    assert (found.method, found.path, found.agent, found.ip) == ("GET", POSTS, "curl/8.9", "127.0.0.1")
    assert f"GET {POSTS} at " in str(found)
    assert "secret" not in str(found)


def test_a_refused_write_is_a_request_too(backend: Backend, operator: Login) -> None:
    freeze(backend.url, operator, "moved")
    moment = backend_time(backend.url)
    ask("POST", f"{backend.url}{POSTS}", json={"title": "late"}, headers={"user-agent": ""})
    (found,) = requests_since(backend.url, operator, moment, "/api/health")
    assert "POST" in str(found)
    assert "a client that does not name itself" in str(found)


def test_what_came_before_does_not_count(backend: Backend, operator: Login) -> None:
    ask("GET", f"{backend.url}{POSTS}", headers=CURL)
    later = backend_time(backend.url) + timedelta(seconds=2)
    assert requests_since(backend.url, operator, later, "/api/health") == []


@pytest.mark.parametrize("logs", [{"maxDays": 0}, {"maxDays": 5, "minLevel": 8, "logIP": False}])
def test_a_log_that_is_switched_off_is_switched_on(backend: Backend, operator: Login, logs: dict[str, int]) -> None:
    headers = {"authorization": operator.token}
    assert ask("PATCH", f"{backend.url}/api/settings", json={"logs": logs}, headers=headers).is_success
    record_requests(backend.url, operator)
    moment = backend_time(backend.url)
    ask("GET", f"{backend.url}{POSTS}", headers=CURL)
    (found,) = requests_since(backend.url, operator, moment, "/api/health")
    assert found.ip == "127.0.0.1"


def test_a_log_that_cannot_be_read_is_an_error(backend: Backend) -> None:
    with pytest.raises(AdminError, match="answered 401 to GET /api/logs"):
        requests_since(backend.url, Login(token="", id=""), backend_time(backend.url), "/api/health")
