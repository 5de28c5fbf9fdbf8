"""A frozen backend refuses every write of a client, and answers every read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clients.http import client, httpx
from clients.pocketbase import (
    OPERATOR,
    AdminError,
    Login,
    count_records,
    ensure_admin,
    ensure_operator,
    freeze,
    freeze_state,
    login,
    unfreeze,
)
from clients.pocketbase.admin import set_superuser
from clients.pocketbase.freeze import MARKER, SUFFIX, close_rule, open_rule
from tests.clients.pocketbase.conftest import session_of
from tests.support.backend import ADMIN, Backend
from tests.support.errors import raises_text

SECRET = "an-operator-password-1"
COLLEAGUE = ("colleague@example.org", "a-colleagues-password")
EVE = ("eve@example.org", "eve-password")
HUMAN = ("ada@example.org", "ada-password")
Ask = Callable[..., httpx.Response]


class Scene:
    """A backend with an operator, a colleague among its superusers, a human and her post."""

    def __init__(self, backend: Backend) -> None:
        self.url = backend.url
        admin = session_of(backend)
        ensure_operator(self.url, admin, SECRET)
        set_superuser(self.url, admin, *COLLEAGUE)
        self.admin = admin.token
        self.colleague = self.log_in("_superusers", COLLEAGUE)
        self.ask("POST", "/api/collections/humans/records", None, name="Ada", **_credentials(HUMAN))
        self.human = self.log_in("humans", HUMAN)
        post = self.ask("POST", "/api/collections/posts/records", self.human, title="before", body="said")
        self.post = f"/api/collections/posts/records/{post.json()['id']}"

    def ask(self, method: str, path: str, token: str | None, **body: Any) -> httpx.Response:
        with client(headers={"Authorization": token} if token else {}) as http:
            return http.request(method, f"{self.url}{path}", json=body or None)

    def log_in(self, collection: str, who: tuple[str, str]) -> str:
        body = {"identity": who[0], "password": who[1]}
        return str(self.ask("POST", f"/api/collections/{collection}/auth-with-password", None, **body).json()["token"])

    @property
    def operator(self) -> Login:
        session = login(self.url, OPERATOR, SECRET)
        assert session is not None
        return session

    def superusers(self) -> list[dict[str, Any]]:
        path = "/api/collections/_superusers/records"
        return list(self.ask("GET", path, self.operator.token).json()["items"])

    def rules(self) -> dict[str, Any]:
        found = self.ask("GET", "/api/collections?perPage=200", self.operator.token).json()["items"]
        return {
            each["name"]: {key: each[key] for key in each if key.endswith("Rule")}
            for each in found
            if each["name"] != MARKER
        }


def _credentials(who: tuple[str, str]) -> dict[str, str]:
    return {"email": who[0], "password": who[1], "passwordConfirm": who[1]}


@pytest.fixture
def scene(backend: Backend) -> Scene:
    return Scene(backend)


def writes(scene: Scene, token: str | None) -> list[httpx.Response]:
    posts = "/api/collections/posts/records"
    return [
        scene.ask("POST", posts, token, title="late", body="late"),
        scene.ask("PATCH", scene.post, token, title="changed"),
        scene.ask("DELETE", scene.post, token),
        scene.ask(
            "POST", "/api/collections/humans/records", token, name="Eve", **_credentials(("e@e.org", "eve-eve-1"))
        ),
    ]


def test_a_frozen_backend_refuses_writes_and_answers_reads(scene: Scene) -> None:
    counted = {name: count for name, count in count_records(scene.url, scene.operator).items() if name[0] != "_"}
    freeze(scene.url, scene.operator, "moving", 600)
    for token in (None, scene.human, scene.admin, scene.colleague):
        assert [answer.is_success for answer in writes(scene, token)] == [False] * 4
        assert scene.ask("GET", scene.post, token).json()["title"] == "before"
    assert login(scene.url, *ADMIN) is None
    assert login(scene.url, *COLLEAGUE) is None
    assert scene.log_in("humans", HUMAN), "people still log in"
    after = {name: count for name, count in count_records(scene.url, scene.operator).items() if name[0] != "_"}
    assert after == counted


def test_the_end_of_a_freeze_restores_rules_and_writes(scene: Scene) -> None:
    rules = scene.rules()
    freeze(scene.url, scene.operator, "moving", 600)
    assert scene.rules() != rules
    assert unfreeze(scene.url, scene.operator) is True
    assert scene.rules() == rules
    assert login(scene.url, *ADMIN) is not None
    assert login(scene.url, *COLLEAGUE) is not None
    assert freeze_state(scene.url) is None
    assert scene.ask("PATCH", scene.post, scene.human, title="changed").is_success
    assert unfreeze(scene.url, scene.operator) is False


def test_a_second_freeze_changes_only_the_state(scene: Scene) -> None:
    rules = scene.rules()
    freeze(scene.url, scene.operator, "moving", 600)
    freeze(scene.url, scene.operator, "moved")
    assert freeze_state(scene.url) == "moved"
    unfreeze(scene.url, scene.operator)
    assert scene.rules() == rules


def test_a_freeze_writes_no_migration_file(backend: Backend) -> None:
    """PocketBase writes one for every other change of a collection, and applies it at its next start."""
    backend.stop()
    program = backend.folder / "oracle-universe"
    program.write_text(program.read_text().replace("--automigrate=false", "--automigrate=true"))
    backend.start()
    scene, migrations = Scene(backend), backend.folder / "pb_migrations"
    before = sorted(migrations.iterdir())
    freeze(scene.url, scene.operator, "moving", 600)
    unfreeze(scene.url, scene.operator)
    assert sorted(migrations.iterdir()) == before
    probe = {"name": "probe", "type": "base"}
    assert scene.ask("POST", "/api/collections", scene.operator.token, **probe).is_success
    assert sorted(migrations.iterdir()) != before, "it does write them"


def test_the_gates_login_works_during_a_second_freeze(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    freeze(scene.url, scene.operator, "moving", 600)
    operator, asked = scene.operator, 0
    real = httpx.Client.request

    def watched(self: httpx.Client, method: str, url: Any, **options: Any) -> httpx.Response:
        nonlocal asked
        answer = real(self, method, url, **options)
        if method != "GET" and "auth-with-password" not in str(url):
            asked += 1
            assert login(scene.url, ADMIN[0] + SUFFIX, ADMIN[1]) is not None, f"after {method} {url}"
        return answer

    monkeypatch.setattr(httpx.Client, "request", watched)
    freeze(scene.url, operator, "moved")
    assert asked > 0


def test_the_state_can_be_read_without_a_login(scene: Scene) -> None:
    assert freeze_state(scene.url) is None
    freeze(scene.url, scene.operator, "moving", 600)
    assert freeze_state(scene.url) == "moving"
    unfreeze(scene.url, scene.operator)
    assert freeze_state(scene.url) is None
    assert freeze_state("http://127.0.0.1:9") is None


def test_a_session_of_an_expired_freeze_is_invalid_in_the_next_one(scene: Scene) -> None:
    freeze(scene.url, scene.operator, "moving", -1)
    renamed = scene.log_in("_superusers", (ADMIN[0] + SUFFIX, ADMIN[1]))
    assert scene.ask("PATCH", scene.post, renamed, title="changed").is_success
    freeze(scene.url, scene.operator, "moving", 600)
    assert not scene.ask("PATCH", scene.post, renamed, title="late").is_success
    assert scene.log_in("_superusers", (ADMIN[0] + SUFFIX, ADMIN[1])), "the front's login goes on"


def test_an_expired_freeze_allows_writes_by_the_rules(scene: Scene) -> None:
    freeze(scene.url, scene.operator, "moving", -1)
    assert freeze_state(scene.url) == "ended"
    assert scene.ask("POST", "/api/collections/posts/records", scene.human, title="again", body="said").is_success


def test_an_admin_created_by_a_restart_is_replaced_by_the_former_one(scene: Scene, backend: Backend) -> None:
    (before,) = [each["id"] for each in scene.superusers() if each["email"] == ADMIN[0]]
    freeze(scene.url, scene.operator, "moving", 600)
    backend.stop()
    backend.start()
    assert login(scene.url, *ADMIN) is not None, "the image makes its admin when it starts"
    unfreeze(scene.url, scene.operator)
    assert [each["id"] for each in scene.superusers() if each["email"].startswith(ADMIN[0])] == [before]
    assert login(scene.url, *ADMIN) is not None


def test_a_backend_restarted_during_a_freeze_can_be_frozen_again(scene: Scene, backend: Backend) -> None:
    before = [each["id"] for each in scene.superusers()]
    freeze(scene.url, scene.operator, "moving", 600)
    backend.stop()
    backend.start()
    late = scene.log_in("_superusers", ADMIN)
    assert late, "the image makes its admin when it starts"
    freeze(scene.url, scene.operator, "moved")
    assert login(scene.url, *ADMIN) is None
    assert not scene.ask("PATCH", scene.post, late, title="late").is_success
    unfreeze(scene.url, scene.operator)
    assert [each["id"] for each in scene.superusers()] == before
    assert login(scene.url, *ADMIN) is not None


def test_the_operator_restores_the_admin_of_an_unfinished_freeze(scene: Scene) -> None:
    rules = scene.rules()
    freeze(scene.url, scene.operator, "moving", 600)
    assert ensure_admin(scene.url, *ADMIN, SECRET) is True
    assert login(scene.url, *ADMIN) is not None
    assert scene.rules() == rules
    assert ensure_admin(scene.url, *ADMIN, SECRET) is False


def test_a_freeze_that_only_set_its_marker_is_ended_too(scene: Scene) -> None:
    marker = {"name": "_write_freeze", "type": "view", "viewQuery": "SELECT 'moving' AS id", "listRule": ""}
    assert scene.ask("POST", "/api/collections", scene.operator.token, **marker).is_success
    assert ensure_admin(scene.url, *ADMIN, SECRET) is True
    assert freeze_state(scene.url) is None


def test_admin_and_operator_can_restore_each_other(scene: Scene) -> None:
    set_superuser(scene.url, scene.operator, ADMIN[0], "somebody-chose-another")
    assert ensure_admin(scene.url, *ADMIN, SECRET) is True
    assert login(scene.url, *ADMIN) is not None
    assert ensure_admin(scene.url, *ADMIN, "another-operator-password") is True
    assert login(scene.url, OPERATOR, "another-operator-password") is not None


def test_without_both_logins_the_error_names_the_admin(scene: Scene) -> None:
    with raises_text(
        AdminError, r"refuses the logins of its admin.*\. Fix: run `pulumi stack output adminPassword "
    ) as caught:
        ensure_admin(scene.url, ADMIN[0], "wrong-password-1", "wrong-password-2")
    assert "wrong-password" not in str(caught.value)


def test_a_required_second_factor_is_not_reported_as_a_wrong_password(scene: Scene) -> None:
    options = {"otp": {"enabled": True}, "mfa": {"enabled": True}}
    assert scene.ask("PATCH", "/api/collections/_superusers", scene.operator.token, **options).is_success
    with raises_text(AdminError, r"second factor \(MFA\).* is right and was not changed\. Fix: switch MFA off"):
        ensure_admin(scene.url, *ADMIN, SECRET)


@pytest.mark.parametrize(
    "rule", ["", "@request.auth.id != ''", '@now >= "2020-01-01 00:00:00.000Z"', "a = ')' && b = '('"]
)
def test_a_closed_rule_is_restored_exactly(rule: str) -> None:
    closed = close_rule(rule, "2026-11-26 12:00:00.000Z")
    assert closed != rule
    assert open_rule(closed) == rule
    assert open_rule(rule) == rule


def test_the_write_gate_uses_the_same_marker_as_the_backend() -> None:
    front = (Path(__file__).parents[3] / "sources" / "write_gate.js").read_text()
    assert json.dumps(f"/api/collections/{MARKER}/records") in front
    assert json.dumps(SUFFIX) in front
