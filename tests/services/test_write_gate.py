"""The write gate on real workerd: it does not change the behaviour of services of any form."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from sources.write_gate import with_write_gate
from tests.support import workers
from tests.support.http import ask
from tests.support.workers import Worker
from toolchain.tools import Tools

# Tells what it is given. `seen` proves that handlers meet on one object.
TELL = """
async function tell(who, request, env, ctx) {
  if (request.headers.get("upgrade") === "websocket") {
    const { 0: client, 1: server } = new WebSocketPair();
    server.accept();
    server.addEventListener("message", ({ data }) => server.send(`you said ${data}`));
    return new Response(null, { status: 101, webSocket: client });
  }
  const { method, url, headers } = request;
  const path = new URL(url).pathname;
  if (path === "/fail") throw new Error("as it likes");
  const body = await request.text();
  const told = { who, method, path, body, word: env.WORD, header: headers.get("x-word"), ctx: typeof ctx?.waitUntil };
  return Response.json(path === "/seen" ? who : told, { status: 418, headers: { "x-from": "service" } });
}
"""
OBJECT = """{
  seen: [], async fetch(request, env, ctx) { return tell(this.seen, request, env, ctx); },
  scheduled({ cron }) { this.seen.push(cron); }, queue({ messages }) { this.seen.push(messages[0].body); },
}"""
PRIVATE = """class Private {
  #seen = [];
  fetch(request, env, ctx) { return tell(this.#seen, request, env, ctx); }
  scheduled({ cron }) { this.#seen.push(cron); }
  queue({ messages }) { this.#seen.push(messages[0].body); }
}"""
MEMORY = "const memory = [];\n"
CLASS = """{
  fetch(request) { return tell(memory, request, this.env, this.ctx); }
  scheduled({ cron }) { memory.push(cron); }
  queue({ messages }) { memory.push(messages[0].body); }
}"""
FIELD = CLASS.replace("fetch(request) {", "fetch = async (request) => {").replace("this.ctx); }", "this.ctx); };", 1)
ENTRYPOINT = 'import { WorkerEntrypoint } from "cloudflare:workers";\n' + MEMORY

SHAPES = {
    "object": f"{TELL}export default {OBJECT};",
    "minified": f"{TELL}var a={OBJECT},b=class{{}};export{{a as default,b as Other}};\n//# sourceMappingURL=a.map",
    "frozen": f"{TELL}export default Object.freeze({OBJECT});",
    "private": f"{PRIVATE}\n{TELL}export default new Private()",
    "class": f"{ENTRYPOINT}{TELL}export default class Service extends WorkerEntrypoint {CLASS}\n('x')",
    "anonymous": f"{ENTRYPOINT}{TELL}export default class extends WorkerEntrypoint {CLASS}\n('x')",
    "exported-class": f"{ENTRYPOINT}{TELL}class A extends WorkerEntrypoint {CLASS}\nexport {{ A as 'default' }};",
    "field": f"{ENTRYPOINT}{TELL}export default class extends WorkerEntrypoint {FIELD}",
    "shadowing": f"{TELL}var Date=1,Number=2,Reflect=3,Proxy=4,Set=5,Math=6,service=7;export default {OBJECT};",
}


def written(folder: Path, name: str, module: str) -> Path:
    file = folder / f"{name}.js"
    file.write_text(module)
    return file


def worker(folder: Path, name: str, module: str) -> Worker:
    return Worker(name=name, module=written(folder, name, module), bindings={"WORD": "bound"})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("modules")


@pytest.fixture(scope="module", params=SHAPES)
def urls(request: pytest.FixtureRequest, tools: Tools, folder: Path) -> Iterator[dict[str, str]]:
    """One shape: as its author wrote it, and with the front."""
    shape = SHAPES[request.param]
    wanted = [worker(folder, "bare", shape), worker(folder, "free", with_write_gate(shape))]
    with workers.running(tools, wanted) as running:
        yield running


def essence(answer: httpx.Response) -> tuple[int, str, str | None]:
    return answer.status_code, answer.text, answer.headers.get("x-from")


class TestEveryShape:
    @pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"])
    def test_the_service_answers_as_without_the_gate(self, urls: dict[str, str], method: str) -> None:
        options: dict[str, Any] = {"content": b"a body"} if method in ("POST", "PUT", "PATCH") else {}
        alone, fronted = (
            ask(method, f"{urls[name]}/a/b?c=d", headers={"x-word": "sent"}, **options) for name in ("bare", "free")
        )
        assert essence(fronted) == essence(alone)
        assert fronted.status_code == 418
        if method == "POST":
            told = fronted.json()
            assert (told["body"], told["word"], told["header"]) == ("a body", "bound", "sent")
            assert told["ctx"] == "function"

    @pytest.mark.parametrize("name", ["bare", "free"])
    def test_websocket_messages_pass_in_both_directions(self, urls: dict[str, str], name: str) -> None:
        with connect(urls[name].replace("http://", "ws://"), proxy=None) as socket:
            for number in range(20):
                socket.send(f"hello {number}")
            assert [socket.recv() for _ in range(20)] == [f"you said hello {number}" for number in range(20)]

    def test_an_exception_of_the_service_is_passed_on(self, urls: dict[str, str]) -> None:
        alone, fronted = (ask("GET", f"{urls[name]}/fail") for name in ("bare", "free"))
        assert (alone.status_code, fronted.status_code) == (500, 500)
        assert "as it likes" in fronted.text


def test_other_handlers_are_called_on_the_service(tools: Tools, folder: Path) -> None:
    wanted = [
        Worker(
            name=name, module=written(folder, f"handlers-{name}", with_write_gate(shape)), bindings={"WORD": "bound"}
        )
        for name, shape in SHAPES.items()
    ]
    expected = {"scheduled": "ok", "queue": "ok", "seen": ["* * * * *", "job"]}
    assert workers.call_handlers(tools, wanted) == dict.fromkeys(SHAPES, expected)


ECHO = """export default { fetch(request) {
  const { 0: client, 1: server } = new WebSocketPair();
  server.accept();
  server.binaryType = "arraybuffer";
  server.addEventListener("message", ({ data }) => data === "bye" ? server.close(4001, "bye") : server.send(data));
  return new Response(null, { status: 101, webSocket: client, headers: { "sec-websocket-protocol": "oracle" } });
} };"""


@pytest.mark.parametrize("date", ["2025-06-01", "2026-07-30"])
def test_text_bytes_protocols_and_close_codes_pass_the_relay(tools: Tools, folder: Path, date: str) -> None:
    """The later compatibility date has other defaults: bytes are a Blob, and a close is answered automatically."""
    module = written(folder, f"echo-{date}", with_write_gate(ECHO))
    wanted = [Worker(name="echo", module=module, compatibility_date=date)]
    with workers.running(tools, wanted) as running:
        url = running["echo"].replace("http://", "ws://")
        with connect(url, proxy=None, subprotocols=[Subprotocol("oracle")]) as socket:
            assert socket.subprotocol == "oracle"
            for sent in ("text", b"bytes\x00\xff", "", b"x" * 1_000_000):
                socket.send(sent)
                assert socket.recv() == sent
            socket.send("bye")
            with pytest.raises(ConnectionClosed) as closed:
                socket.recv()
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4001, "bye")


def test_the_reference_api_works_behind_the_gate(tools: Tools, folder: Path) -> None:
    module = written(folder, "api", with_write_gate(workers.API.read_text()))
    with workers.running(tools, [Worker(name="api", module=module, bindings={"RELEASE": "w1"})]) as running:
        assert ask("GET", f"{running['api']}/api/version").json()["version"] == "w1"
        assert ask("OPTIONS", f"{running['api']}/api/login").status_code == 204
        assert ask("POST", f"{running['api']}/api/login", json={}).json()["error"] == "invalid"
