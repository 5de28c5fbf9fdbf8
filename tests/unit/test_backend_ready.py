"""When "backend ready" finds nothing to do."""

from __future__ import annotations

from typing import Any

import pytest

from clients.pocketbase import Login
from components import backend_ready
from stack_outputs import ADOPTED


class Platform:
    def __init__(self, *_: Any, **__: Any) -> None: ...

    def __enter__(self) -> Platform:
        return self

    def __exit__(self, *_: object) -> None: ...


@pytest.mark.parametrize(
    "knows, release, proven",
    [
        ({"admin", "operator"}, "sha256:1", True),
        ({"admin"}, "sha256:1", False),
        ({"operator"}, "sha256:1", False),
        ({"admin"}, f"{ADOPTED}d-1", True),
    ],
    ids=["both", "a new disk, where the image has made the admin", "no admin", "made by hand"],
)
def test_both_logins_are_proven(monkeypatch: pytest.MonkeyPatch, knows: set[str], release: str, proven: bool) -> None:
    see(monkeypatch, knows)
    assert backend_ready._is_ready(props(release)) is proven


@pytest.mark.parametrize(
    "seen",
    [
        {"freeze_state": "moving"},
        {"freeze_state": "ended"},
        {"list_temporary_admins": {"a": "b"}},
        {"runs_declared_release": False},
    ],
    ids=["frozen", "a freeze that expired", "a temporary admin is left", "another release"],
)
def test_what_an_update_left_halfway_is_put_right(monkeypatch: pytest.MonkeyPatch, seen: dict[str, Any]) -> None:
    see(monkeypatch, {"admin", "operator"}, **seen)
    assert backend_ready._is_ready(props()) is False


def props(release: str = "sha256:1") -> dict[str, Any]:
    return {**dict.fromkeys(backend_ready.KEYS, "x"), "release": release, "password": "admin", "operator": "operator"}


def see(monkeypatch: pytest.MonkeyPatch, knows: set[str], **seen: Any) -> None:
    """A backend that lets these passwords in, and is otherwise as declared but for what is `seen`."""

    def login(_url: str, _email: str, password: str, **_: Any) -> Login | None:
        return Login(token="t", id="i") if password in knows else None

    monkeypatch.setattr(backend_ready, "AppPlatform", Platform)
    monkeypatch.setattr(backend_ready, "login", login)
    for name, value in (
        {"runs_declared_release": True, "list_temporary_admins": {}, "freeze_state": None} | seen
    ).items():
        monkeypatch.setattr(backend_ready, name, lambda *_, value=value: value)
