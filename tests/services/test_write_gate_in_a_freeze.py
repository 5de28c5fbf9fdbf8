"""The write gate on real workerd before a frozen PocketBase, as clients of the API see it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from clients.pocketbase import OPERATOR, Login, ensure_operator, freeze, login, unfreeze
from clients.pocketbase.admin import SUPERUSERS, change_password, set_superuser
from clients.pocketbase.freeze import SUFFIX
from sources.write_gate import with_write_gate
from tests.clients.pocketbase.gateway import Answer, Gateway, Passing, passed_on
from tests.services.conftest import RunBackend
from tests.support import workers
from tests.support.backend import ADMIN, Backend
from tests.support.http import ask
from tests.support.waiting import until
from tests.support.workers import Worker
from toolchain.tools import Tools

SECRET = "an-operator-password-1"
ENVIRONMENT = {"PB_ADMIN_EMAIL": ADMIN[0], "PB_ADMIN_PASSWORD": ADMIN[1]}
# A service as people write them: it logs in for each request or keeps its session, hands a human's token on, takes
# calls over a WebSocket, and took hold of `fetch` while its module was loaded.
SERVICE = """
const early = globalThis.fetch;
const NOTES = "/api/collections/notes/records";
let kept, seen;
async function session(env) {
  const body = JSON.stringify({ identity: env.PB_ADMIN_EMAIL, password: env.PB_ADMIN_PASSWORD });
  const headers = { "content-type": "application/json" };
  const url = env.POCKETBASE_URL + "/api/collections/_superusers/auth-with-password";
  const answer = await fetch(url, { method: "POST", headers, body });
  if (!answer.ok) throw new Error("login refused");
  return (await answer.json()).token;
}
async function work(method, path, env, authorization) {
  const token = { "/fresh": () => session(env), "/kept": async () => (kept ??= await session(env)) }[path];
  const way = path === "/early" ? early : fetch;
  const headers = { authorization: token ? await token() : authorization ?? "", "content-type": "application/json" };
  const body = method === "POST" ? JSON.stringify({ text: "written" }) : undefined;
  const answer = await way(env.POCKETBASE_URL + NOTES, { method, headers, body });
  return { status: answer.status, items: (await answer.json()).totalItems };
}
async function outcome(...call) {
  try {
    return await work(...call);
  } catch (error) {
    return { status: 500, error: error.message };
  }
}
export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    seen = env;
    if (request.headers.get("upgrade") !== "websocket") {
      const said = await outcome(request.method, pathname, env, request.headers.get("authorization"));
      return Response.json(said, { status: said.status === 200 ? 200 : 500 });
    }
    const [client, server] = Object.values(new WebSocketPair());
    server.accept();
    server.addEventListener("message", async ({ data }) => {
      const { id, method, path } = JSON.parse(data);
      const said = await outcome(method, path, seen, request.headers.get("authorization"));
      server.send(JSON.stringify({ id, ...said }));
    });
    return new Response(null, { status: 101, webSocket: client });
  },
};
"""
NOTES = {
    "name": "notes",
    "type": "base",
    "listRule": "",
    "createRule": "@request.auth.id != ''",
    "fields": [{"name": "text", "type": "text"}],
}
HUMAN = {"email": "ada@example.org", "password": "ada-password"}
TIMER = (
    SERVICE.partition("export default")[0]
    + """
const outcomes = [];
const work_ = async (env) => outcomes.push((await work("POST", "/fresh", env)).status);
export default {
  fetch: () => Response.json(outcomes),
  scheduled: (event, env) => work_(env),
  queue: (batch, env) => work_(env),
};
"""
)
PATHS = ("/fresh", "/kept", "/human", "/early")


class Scene:
    """A backend with a human, and the API before it."""

    def __init__(self, backend_url: str, api: str) -> None:
        self.backend, self.api = backend_url, api
        body = {"identity": HUMAN["email"], "password": HUMAN["password"]}
        human = ask("POST", f"{backend_url}/api/collections/humans/auth-with-password", json=body)
        self.token = human.json()["token"]

    def ask(self, method: str, path: str) -> httpx.Response:
        headers = {"authorization": self.token} if path in ("/human", "/early") else {}
        return ask(method, self.api + path, headers=headers, content=b"{}" if method == "POST" else None)

    def socket(self) -> ClientConnection:
        headers = {"authorization": self.token}
        return connect(self.api.replace("http://", "ws://"), proxy=None, additional_headers=headers)

    @property
    def operator(self) -> Login:
        session = login(self.backend, OPERATOR, SECRET)
        assert session is not None
        return session

    def notes(self) -> int:
        return int(ask("GET", f"{self.backend}/api/collections/notes/records").json()["totalItems"])


def call(socket: ClientConnection, method: str, path: str) -> Any:
    """The answer to one call; the close code where the socket was closed instead."""
    try:
        socket.send(json.dumps({"id": 1, "method": method, "path": path}))
        return json.loads(socket.recv(20))
    except ConnectionClosed as closed:
        return int(closed.rcvd.code) if closed.rcvd else None


def is_held(answer: httpx.Response) -> bool:
    return answer.status_code == 503 and answer.headers.get("x-oracle-hold") == "1"


@pytest.fixture(scope="module")
def prepared(tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a backend with an operator, notes and a human, which has stopped."""
    with Backend(tmp_path_factory.mktemp("prepared") / "backend", tools.pocketbase, ENVIRONMENT) as backend:
        admin = login(backend.url, *ADMIN)
        assert admin is not None
        ensure_operator(backend.url, admin, SECRET)
        headers = {"authorization": admin.token}
        assert ask("POST", f"{backend.url}/api/collections", json=NOTES, headers=headers).is_success
        body = {"name": "Ada", **HUMAN, "passwordConfirm": HUMAN["password"]}
        assert ask("POST", f"{backend.url}/api/collections/humans/records", json=body).is_success
        return backend.folder


@pytest.fixture
def scene(tools: Tools, prepared: Path, run_backend: RunBackend, tmp_path: Path) -> Iterator[Scene]:
    shutil.copytree(prepared, tmp_path / "backend")
    backend = run_backend(**ENVIRONMENT)
    with served(tools, tmp_path, backend.url) as api:
        yield Scene(backend.url, api)


@contextmanager
def served(tools: Tools, folder: Path, backend_url: str) -> Iterator[str]:
    """The address of an API that knows the backend by this one."""
    module = folder / "api.js"
    module.write_text(with_write_gate(SERVICE))
    bindings = {"POCKETBASE_URL": backend_url, "PB_ADMIN_EMAIL": ADMIN[0], "PB_ADMIN_PASSWORD": ADMIN[1]}
    with workers.running(tools, [Worker(name="api", module=module, bindings=bindings)]) as running:
        yield running["api"]


def test_every_write_is_refused_and_every_read_answered(scene: Scene) -> None:
    for path in PATHS:
        assert scene.ask("POST", path).status_code == 200
    before = scene.notes()
    freeze(scene.backend, scene.operator, "moving", 600)
    for _ in range(2):  # also when the front knows of the freeze
        for path in PATHS:
            answer = scene.ask("GET", path)
            assert (answer.status_code, answer.json()["items"]) == (200, before), path
            assert is_held(scene.ask("POST", path)), path
    assert scene.notes() == before


def test_the_refusal_tells_the_client_when_to_retry(scene: Scene) -> None:
    freeze(scene.backend, scene.operator, "moving", 600)
    headers = {"origin": "https://web.test"}
    for _ in range(2):
        answer = ask("POST", f"{scene.api}/fresh", content=b"x" * 3_000_000, headers=headers)
        assert answer.json()["error"] == "hold"
        assert answer.json()["message"].endswith("try again soon.")
        assert int(answer.headers["retry-after"]) >= 1
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "retry-after" in answer.headers["access-control-expose-headers"]


def test_writes_work_again_after_the_freeze(scene: Scene) -> None:
    for path in PATHS:
        scene.ask("POST", path)
    freeze(scene.backend, scene.operator, "moving", 600)
    for path in PATHS:
        assert is_held(scene.ask("POST", path)), path
    unfreeze(scene.backend, scene.operator)
    until(lambda: all(scene.ask("POST", path).status_code == 200 for path in PATHS), "the next look at the backend")


def test_no_read_fails_when_a_freeze_starts_or_ends(scene: Scene) -> None:
    """Each path is once the first, since the gate remembers the state of the backend for a moment."""
    with ExitStack() as opened:
        sockets = {path: opened.enter_context(scene.socket()) for path in PATHS}
        for turn in range(len(PATHS)):
            paths = (*PATHS[turn:], *PATHS[:turn])
            for path in paths:
                scene.ask("POST", path)
                assert call(sockets[path], "GET", path)["status"] == 200, path
            freeze(scene.backend, scene.operator, "moving", 600)
            for path in paths:
                assert is_held(scene.ask("POST", path)), path
                assert call(sockets[path], "GET", path)["status"] == 200, path
            unfreeze(scene.backend, scene.operator)
            for path in paths:
                assert scene.ask("GET", path).status_code == 200, path
                assert call(sockets[path], "GET", path)["status"] == 200, path


@pytest.mark.parametrize("is_known", [True, False], ids=["begins", "ends"])
def test_a_login_succeeds_when_the_admins_name_changes_between_two_tries(
    scene: Scene, tools: Tools, tmp_path: Path, is_known: bool
) -> None:
    """A freeze announces its start before it renames superusers, and its end after it restores their names."""
    tries: list[str] = []

    def interfere(passing: Passing) -> Answer | None:
        if passing.path != f"{SUPERUSERS}/auth-with-password":
            return None
        answer = passed_on(passing)
        tries.append(json.loads(passing.body)["identity"])
        if len(tries) == 1:
            rename(scene, ADMIN[0] + SUFFIX if is_known else ADMIN[0])
        return answer

    freeze(scene.backend, scene.operator, "moving", 600)
    with Gateway(scene.backend, interfere) as gateway, served(tools, tmp_path, gateway.url) as api:
        if is_known:
            assert ask("GET", f"{api}/fresh").is_success
            tries.clear()
            rename(scene, ADMIN[0])
        assert ask("GET", f"{api}/fresh").status_code == 200
    known = [ADMIN[0] + SUFFIX, ADMIN[0]]
    assert tries == ([*known, known[0]] if is_known else [known[1], *known])


def rename(scene: Scene, email: str) -> None:
    """Give the backend's admin this address, with or without SUFFIX behind it."""
    records, headers = f"{scene.backend}{SUPERUSERS}/records", {"authorization": scene.operator.token}
    known = {
        each["email"].removesuffix(SUFFIX): each["id"] for each in ask("GET", records, headers=headers).json()["items"]
    }
    body = {"email": email}
    assert ask("PATCH", f"{records}/{known[ADMIN[0]]}", json=body, headers=headers).is_success


@pytest.mark.parametrize("path", ["/fresh", "/human"])
def test_writes_work_again_after_an_expired_freeze(scene: Scene, path: str) -> None:
    freeze(scene.backend, scene.operator, "moving", -1)
    assert scene.ask("POST", path).status_code == 200


def test_a_timer_of_the_service_cannot_write_during_a_freeze(scene: Scene, tools: Tools, tmp_path: Path) -> None:
    """Scheduled handlers and queues are not called by a request."""
    module = tmp_path / "timer.js"
    module.write_text(with_write_gate(TIMER))
    bindings = {"POCKETBASE_URL": scene.backend, "PB_ADMIN_EMAIL": ADMIN[0], "PB_ADMIN_PASSWORD": ADMIN[1]}
    timer = Worker(name="timer", module=module, bindings=bindings)

    def run() -> Any:
        return workers.call_handlers(tools, [timer])["timer"]["seen"]

    assert run() == [200, 200]
    before = scene.notes()
    freeze(scene.backend, scene.operator, "moving", 600)
    assert run() == [503, 503]
    assert scene.notes() == before


def test_a_refused_write_closes_only_its_own_websocket(scene: Scene) -> None:
    with scene.socket() as writer, scene.socket() as reader:
        for socket in (writer, reader):
            assert call(socket, "POST", "/fresh")["status"] == 200
        freeze(scene.backend, scene.operator, "moving", 600)
        assert call(writer, "POST", "/human") == 1012
        for path in ("/fresh", "/human", "/early"):
            assert call(reader, "GET", path)["status"] == 200


def test_a_websocket_is_closed_when_the_backend_has_moved(scene: Scene) -> None:
    with scene.socket() as socket:
        assert call(socket, "GET", "/human")["status"] == 200
        freeze(scene.backend, scene.operator, "moved")
        answers: list[Any] = []

        def closed() -> bool:
            answers.append(call(socket, "GET", "/human"))
            return bool(answers[-1] == 1012)

        until(closed, "the next look at the backend")
    assert all(answer["status"] == 200 for answer in answers[:-1])


@pytest.mark.parametrize("status, body", [(530, b"error code: 1016"), (404, b"Not Found")], ids=["530", "404"])
@pytest.mark.parametrize("frozen", [False, True], ids=["open", "frozen"])
def test_a_websocket_is_closed_when_the_backend_was_deleted(
    scene: Scene, tools: Tools, tmp_path: Path, status: int, body: bytes, frozen: bool
) -> None:
    """Also when no message came while it had moved. It carried messages before, so its backend was there."""
    there = True
    with (
        Gateway(scene.backend, lambda _: None if there else Answer(status, body)) as gateway,
        served(tools, tmp_path, gateway.url) as api,
        connect(api.replace("http://", "ws://"), proxy=None) as socket,
    ):
        if frozen:
            freeze(scene.backend, scene.operator, "moving", 600)
        assert call(socket, "GET", "/human")["status"] == 200
        there = False
        answers: list[Any] = []

        def closed() -> bool:
            answers.append(call(socket, "GET", "/human"))
            return bool(answers[-1] == 1012)

        until(closed, "the next look at the backend")


def test_a_websocket_stays_open_when_the_address_never_led_to_pocketbase(tools: Tools, tmp_path: Path) -> None:
    with (
        Gateway("http://127.0.0.1:9", lambda _: Answer(404, b"Not Found")) as gateway,
        served(tools, tmp_path, gateway.url) as api,
        connect(api.replace("http://", "ws://"), proxy=None) as socket,
    ):
        for _ in range(3):
            assert call(socket, "GET", "/human")["status"] == 500


def test_a_changed_password_closes_websockets_that_use_the_old_login(scene: Scene) -> None:
    """Websockets with only messages of humans stay open."""
    admin = login(scene.backend, *ADMIN)
    assert admin is not None
    with scene.socket() as socket, scene.socket() as human:
        assert call(socket, "GET", "/fresh")["status"] == 200
        change_password(scene.backend, admin, ADMIN[1], "another-password-1")
        assert call(socket, "GET", "/fresh") == 1012
        assert call(human, "GET", "/human")["status"] == 200


def test_other_errors_of_the_backend_are_passed_on_unchanged(scene: Scene) -> None:
    """Such as a wrong login or an invalid write."""
    with scene.socket() as socket:
        scene.token = "nobody"
        answer = scene.ask("POST", "/human")
        assert (answer.status_code, answer.json()["status"]) == (500, 400)
        assert call(socket, "POST", "/human")["status"] == 200


def test_a_guests_read_never_uses_a_superusers_session(scene: Scene) -> None:
    """Only tokens that were given to this isolate are renewed; a forged one stays invalid."""
    private = {"name": "secrets", "type": "base", "fields": [{"name": "title", "type": "text"}]}
    headers = {"authorization": scene.operator.token}
    assert ask("POST", f"{scene.backend}/api/collections", json=private, headers=headers).is_success
    set_superuser(scene.backend, scene.operator, "other@example.org", "others-password-1")
    other = login(scene.backend, "other@example.org", "others-password-1")
    assert other is not None
    freeze(scene.backend, scene.operator, "moving", 600)
    scene.ask("POST", "/fresh")
    answer = ask("GET", f"{scene.api}/human", headers={"authorization": other.token})
    assert answer.json()["items"] == scene.notes()
    direct = ask("GET", f"{scene.backend}/api/collections/secrets/records", headers={"authorization": other.token})
    assert direct.status_code == 403
