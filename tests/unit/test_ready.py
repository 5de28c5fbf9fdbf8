"""When "backend ready" finds nothing to do."""

from __future__ import annotations

from typing import Any

import pytest

from components import ready
from contract import ADOPTED
from pocketbase import Login


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
    def login(_url: str, _email: str, password: str, **_: Any) -> Login | None:
        return Login(token="t", id="i") if password in knows else None

    monkeypatch.setattr(ready, "AppPlatform", Platform)
    monkeypatch.setattr(ready, "runs_declared_release", lambda *_: True)
    monkeypatch.setattr(ready, "stand_ins", lambda *_: {})
    monkeypatch.setattr(ready, "freeze_state", lambda *_: None)
    monkeypatch.setattr(ready, "login", login)
    props = {**dict.fromkeys(ready.KEYS, "x"), "release": release, "password": "admin", "operator": "operator"}
    assert ready._proven(props) is proven
