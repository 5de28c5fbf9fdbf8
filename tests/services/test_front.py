"""The front on real workerd: what it holds, and that the service notices nothing of it."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

from components.front import with_front
from tests.support import workers
from tests.support.http import ask
from tests.support.workers import Worker
from toolchain.tools import Tools

HANDLERS = Path(__file__).with_name("handlers.mjs")
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS

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


def worker(folder: Path, name: str, module: str, until: str | None = None) -> Worker:
    bindings = {"WORD": "bound"} | ({} if until is None else {"HOLD_UNTIL": until})
    return Worker(name=name, module=written(folder, name, module), bindings=bindings)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("modules")


@pytest.fixture(scope="module", params=SHAPES)
def urls(request: pytest.FixtureRequest, tools: Tools, folder: Path) -> Iterator[dict[str, str]]:
    """One shape: as its author wrote it, with the front, and with the front while it holds."""
    shape = SHAPES[request.param]
    later = str(int(time.time() * 1000) + HOUR_MS)
    wanted = [
        worker(folder, "bare", shape),
        worker(folder, "free", with_front(shape)),
        worker(folder, "held", with_front(shape), later),
    ]
    with workers.running(tools, wanted) as running:
        yield running


def essence(answer: httpx.Response) -> tuple[int, str, str | None]:
    return answer.status_code, answer.text, answer.headers.get("x-from")


def is_held(answer: httpx.Response) -> bool:
    return answer.status_code == 503 and answer.headers.get("x-oracle-hold") == "1"


class TestEveryShape:
    @pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"])
    def test_without_a_hold_the_service_answers_as_if_alone(self, urls: dict[str, str], method: str) -> None:
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

    @pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
    def test_reads_pass_the_hold(self, urls: dict[str, str], method: str) -> None:
        assert essence(ask(method, f"{urls['held']}/a")) == essence(ask(method, f"{urls['bare']}/a"))

    @pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
    def test_writes_are_held(self, urls: dict[str, str], method: str) -> None:
        answer = ask(method, f"{urls['held']}/a")
        assert is_held(answer)
        assert "x-from" not in answer.headers

    def test_websockets_pass_the_hold(self, urls: dict[str, str]) -> None:
        with connect(urls["held"].replace("http://", "ws://"), proxy=None) as socket:
            socket.send("hello")
            assert socket.recv() == "you said hello"

    def test_an_exception_stays_the_services(self, urls: dict[str, str]) -> None:
        alone, fronted = (ask("GET", f"{urls[name]}/fail") for name in ("bare", "free"))
        assert (alone.status_code, fronted.status_code) == (500, 500)
        assert "as it likes" in fronted.text


def test_other_handlers_are_called_on_the_service_itself(tools: Tools, folder: Path) -> None:
    """Also during a hold: only requests are held."""
    later = str(int(time.time() * 1000) + HOUR_MS)
    wanted = [
        {"name": name, "module": str(written(folder, f"handlers-{name}", with_front(shape))),
         "bindings": {"WORD": "bound", "HOLD_UNTIL": later}}
        for name, shape in SHAPES.items()
    ]  # fmt: skip
    done = subprocess.run(
        [tools.node, HANDLERS, tools.node_modules],
        input=json.dumps(wanted), capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    expected = {"scheduled": "ok", "queue": "ok", "seen": ["* * * * *", "job"]}
    assert json.loads(done.stdout) == dict.fromkeys(SHAPES, expected)


@pytest.fixture(scope="module")
def moments(tools: Tools, folder: Path) -> Iterator[dict[str, str]]:
    """The same Worker with values of HOLD_UNTIL, by what these are."""
    now = int(time.time() * 1000)
    values = {
        "soon": str(now + HOUR_MS), "late": str(now + 30 * DAY_MS), "padded": f" {now + HOUR_MS}.5\n",
        "past": str(now - 1), "zero": "0", "words": "tomorrow", "empty": "", "endless": "Infinity",
        "date": "2999-01-01", "negative": f"-{now + HOUR_MS}",
    }  # fmt: skip
    module = with_front(SHAPES["object"])
    wanted = [worker(folder, name, module, value) for name, value in values.items()]
    with workers.running(tools, wanted) as running:
        yield running


class TestTheHold:
    @pytest.mark.parametrize("name", ["soon", "late", "padded"])
    def test_a_moment_to_come_holds(self, moments: dict[str, str], name: str) -> None:
        assert is_held(ask("POST", moments[name]))

    @pytest.mark.parametrize("name", ["past", "zero", "words", "empty", "endless", "date", "negative"])
    def test_a_moment_gone_and_garbage_do_not(self, moments: dict[str, str], name: str) -> None:
        assert ask("POST", moments[name]).status_code == 418

    def test_the_refusal_says_what_to_do(self, moments: dict[str, str]) -> None:
        answer = ask("POST", moments["soon"], content=b"x" * 3_000_000, headers={"origin": "https://web.test"})
        assert answer.json()["error"] == "hold"
        assert answer.json()["message"].endswith("try again soon.")
        assert answer.headers["retry-after"] == "5"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "retry-after" in answer.headers["access-control-expose-headers"]

    def test_it_ends_by_itself(self, tools: Tools, folder: Path) -> None:
        until = time.time() + 8
        brief = worker(folder, "brief", with_front(SHAPES["minified"]), str(int(until * 1000)))
        with workers.running(tools, [brief]) as running:
            seen = [ask("POST", running["brief"])]
            while is_held(seen[-1]):
                assert 1 <= int(seen[-1].headers["retry-after"]) <= 5
                time.sleep(0.1)
                seen.append(ask("POST", running["brief"]))
                assert time.time() < until + 20
        assert seen[-1].status_code == 418
        assert time.time() >= until


def test_the_reference_service_answers_behind_the_front(tools: Tools, folder: Path) -> None:
    module = with_front(workers.API.read_text())
    later = str(int(time.time() * 1000) + HOUR_MS)
    wanted = [
        Worker(name=name, module=written(folder, name, module), bindings={"RELEASE": "w1", "HOLD_UNTIL": until})
        for name, until in (("api-free", "0"), ("api-held", later))
    ]
    with workers.running(tools, wanted) as running:
        for name in running:
            assert ask("GET", f"{running[name]}/api/version").json()["version"] == "w1"
            assert ask("OPTIONS", f"{running[name]}/api/login").status_code == 204
        assert ask("POST", f"{running['api-free']}/api/login", json={}).json()["error"] == "invalid"
        assert is_held(ask("POST", f"{running['api-held']}/api/login", json={}))
