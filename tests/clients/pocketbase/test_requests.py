"""Requests of other clients, found in a backend's own log."""

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


def test_requests_of_others_are_found_and_our_own_are_ignored(backend: Backend, operator: Login) -> None:
    """PocketBase writes its log in batches; the client fills a batch up instead of waiting."""
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


def test_a_refused_write_is_found_too(backend: Backend, operator: Login) -> None:
    freeze(backend.url, operator, "moved")
    moment = backend_time(backend.url)
    ask("POST", f"{backend.url}{POSTS}", json={"title": "late"}, headers={"user-agent": ""})
    (found,) = requests_since(backend.url, operator, moment, "/api/health")
    assert "POST" in str(found)
    assert "a client that does not name itself" in str(found)


def test_earlier_requests_are_ignored(backend: Backend, operator: Login) -> None:
    ask("GET", f"{backend.url}{POSTS}", headers=CURL)
    later = backend_time(backend.url) + timedelta(seconds=2)
    assert requests_since(backend.url, operator, later, "/api/health") == []


@pytest.mark.parametrize("logs", [{"maxDays": 0}, {"maxDays": 5, "minLevel": 8, "logIP": False}])
def test_a_disabled_log_is_enabled(backend: Backend, operator: Login, logs: dict[str, int]) -> None:
    headers = {"authorization": operator.token}
    assert ask("PATCH", f"{backend.url}/api/settings", json={"logs": logs}, headers=headers).is_success
    record_requests(backend.url, operator)
    moment = backend_time(backend.url)
    ask("GET", f"{backend.url}{POSTS}", headers=CURL)
    (found,) = requests_since(backend.url, operator, moment, "/api/health")
    assert found.ip == "127.0.0.1"


def test_an_unreadable_log_is_an_error(backend: Backend) -> None:
    with pytest.raises(AdminError, match="answered 401 to GET /api/logs"):
        requests_since(backend.url, Login(token="", id=""), backend_time(backend.url), "/api/health")
